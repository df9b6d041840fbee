#!/bin/bash
# lint.sh: what the compiler does not say of the source tree.  Prints each
# fault; exit status 1 if there is one.  B is the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${B:-build}/lint
mkdir -p "$build"
exempt=tests/lint/exempt.txt
faults=$(mktemp "${TMPDIR:-/tmp}/csftp-lint.XXXXXX")
trap 'rm -f "$faults"' EXIT
shopt -s nullglob globstar

sources=(core/**/*.c server/**/*.c fusefs/**/*.c tests/**/*.c)
headers=(include/**/*.h core/**/*.h server/**/*.h fusefs/**/*.h tests/**/*.h)
all=("${sources[@]}" "${headers[@]}")

# check NAME: takes the faults on its standard input.
check()
{
	local lines
	lines=$(cat)
	if [ -z "$lines" ]; then
		printf '  %-18s ok\n' "$1"
		return
	fi
	printf '  %-18s FAILED\n' "$1"
	printf '    %s\n' "${lines//$'\n'/$'\n'    }"
	echo "$1" >>"$faults"
}

need()
{
	command -v "$1" >/dev/null && return
	echo "$1 is not installed, run: make deps"
	return 1
}

format()
{
	need clang-format || return
	clang-format --dry-run -Werror "${all[@]}" 2>&1 | grep error:
}

# Layers point one way: include <- core <- server, fusefs; nobody sees tests.
directions()
{
	grep -nE '#include "(server|fusefs|tests)/' core/**/*.[ch]
	grep -nE '#include "(fusefs|tests)/' server/**/*.[ch]
	grep -nE '#include "(server|tests)/' fusefs/**/*.[ch]
	grep -nE '#include "' include/**/*.h | grep -v '#include "csftp/'
}

# What a trial run leaves at the top is soon a part of a commit.
top_level()
{
	git ls-files 2>/dev/null | cut -d / -f 1 | sort -u | grep -vxE \
		'\..*|Makefile|README.md|LICENSE|core|server|fusefs|include|tests|man'
}

columns()
{
	local file
	for file in "${all[@]}"; do
		expand "$file" | awk -v file="$file" '
			length($0) > 80 { print file ":" NR ": " length($0) \
				" columns" }'
	done
}

# Our layout puts a function's braces alone in the first column.
sizes()
{
	awk '
	FNR == 1 { if (file && lines > 800) print file ": " lines " lines"
		file = FILENAME; start = 0 }
	{ lines = FNR }
	/^[A-Za-z_].*\(/ && !/;$/ { name = $0
		sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); head = FNR }
	/^\{/ { start = head }
	/^\}/ { if (start && FNR - start + 1 > 60)
			print file ":" name ": " FNR - start + 1 " lines"
		start = 0 }
	END { if (lines > 800) print file ": " lines " lines" }
	' "${all[@]}" | while read -r line; do
		grep -qF "${line%: *}: " "$exempt" || echo "$line"
	done
	# An exemption that nothing needs any more hides the next one.
	grep -v '^#' "$exempt" | cut -d: -f1 | while read -r file; do
		[ -e "$file" ] || echo "$exempt: there is no $file"
	done
}

cflags=(-std=c11 -D_GNU_SOURCE -I. -Iinclude -fsyntax-only)
libs()
{
	# shellcheck disable=SC2046 # words
	printf '%s\n' $(pkg-config --cflags fuse3 libuv cmocka libcrypto \
		nettle libseccomp libssh2)
}

headers_alone()
{
	local header flags
	mapfile -t flags < <(libs)
	for header in "${headers[@]}"; do
		gcc "${cflags[@]}" "${flags[@]}" -Wall -Werror -x c \
			-include "$header" /dev/null 2>&1 | grep -m1 error:
	done
}

banned()
{
	local source flags
	mapfile -t flags < <(libs)
	for source in "${sources[@]}"; do
		gcc "${cflags[@]}" "${flags[@]}" \
			-include tests/lint/banned.h "$source" 2>&1 |
			grep poisoned
	done
}

builds()
{
	local cc
	for cc in gcc clang; do
		need "$cc" || continue
		make -sk -j"$(nproc)" B="$build/$cc" CC="$cc" WERROR=-Werror \
			check-build 2>"$build.$cc.log" >/dev/null && continue
		grep -E '(error|warning|Error)\>' "$build.$cc.log"
	done
}

# What the engines may call: memory and strings, nothing that does I/O, keeps
# state or reads a clock.  core/stream/ is the part that does.  libcrypto is
# called by the crypto seam, core/ssh/crypto*, alone.
engines()
{
	local object
	for object in "$build"/gcc/core/**/*.o; do
		case $object in */core/stream/*) continue ;; esac
		# Constants that hold addresses are in .data.rel.ro.
		nm -f sysv "$object" | awk -F '|' -v file="$object" '
			$7 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM)/ &&
			$7 !~ /^\.data\.rel\.ro/ {
				print file ": mutable " $1 }'
		nm -u "$object" | awk -v file="$object" '
			file ~ /core\/ssh\/crypto[a-z_]*\.o$/ &&
			$2 ~ /^(EVP|OSSL|OPENSSL|CRYPTO|BN|ECDSA|d2i|i2d)_/ {
				next }
			BEGIN {
				n = split("memcpy memmove memset memcmp memchr memrchr memmem " \
				"strlen strcmp strncmp strchr strrchr strnlen " \
				"strspn strcspn strerrordesc_np qsort " \
				"nettle_sha256 nettle_sha384 nettle_sha512 " \
				"nettle_sha224 nettle_sha1 nettle_md5 " \
				"malloc calloc realloc aligned_alloc free " \
				"__stack_chk_fail " \
				"__memcpy_chk __memmove_chk __memset_chk " \
				"__assert_fail _GLOBAL_OFFSET_TABLE_", names, " ")
				for (i = 1; i <= n; i++) ok[names[i]] = 1
			}
			!ok[$2] { print $2 }' | while read -r symbol; do
			grep -qxF "$symbol" "$build/core.defined" ||
				echo "$object: calls $symbol"
		done
	done
}

defined_in_core()
{
	nm --defined-only -g "$build"/gcc/core/**/*.o |
		awk 'NF == 3 { print $3 }' | sort -u >"$build/core.defined"
}

# What no other file asks for is static, but for what the linker does, by --wrap.
unshared()
{
	nm -A "$build"/gcc/{core,server,fusefs,tests}/**/*.o | awk '
		{ sub(/^[^:]*:/, "& ") }
		$2 == "U" { used[$3] = 1; next }
		$3 ~ /^[TDRB]$/ && $1 ~ /\/(core|server|fusefs|tests\/lib)\// {
			file[$4] = $1 }
		END { for (name in file)
			if (!used[name] && name != "main" &&
			    name !~ /^(csftp_|__wrap_)/)
				print file[name] " " name " is not static" }'
}

symbols()
{
	local lib
	for lib in libcsftp.a libcsftp.so.0; do
		[ -e "$build/gcc/$lib" ] || continue
		local dynamic=()
		[ "$lib" = libcsftp.a ] || dynamic=(-D)
		nm "${dynamic[@]}" -g --defined-only "$build/gcc/$lib" |
			awk -v lib="$lib" 'NF == 3 && $3 !~ /^(csftp_|CSFTP_)/ {
				print lib ": exports " $3 }'
	done
}

manuals()
{
	local page
	need groff || return
	for page in man/*.[1-9]; do
		{ groff -man -ww -Tutf8 "$page" >/dev/null; } 2>&1
	done
}

scripts()
{
	need shellcheck || return
	shellcheck tests/**/*.sh .ci/run
}

format | check format
directions | check directions
top_level | check top-level
columns | check columns
sizes | check sizes
scripts | check scripts
manuals | check manuals
builds | check builds
headers_alone | check headers-alone
banned | check banned
defined_in_core
engines | check engines
unshared | check unshared
symbols | check symbols
[ ! -s "$faults" ]
