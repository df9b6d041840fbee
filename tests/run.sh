#!/bin/sh
# run.sh CAGE PROGRAM...: runs test programs, which speak TAP, in the order
# given, with one line for each and "N passed, M failed, K skipped" at the end.
#
# Unit and loopback tests run two at a time.  CSFTP_TEST_TIMEOUT: the seconds a
# program may take.  CSFTP_TEST_ONLY: a pattern of the programs to run.
# A program that crashes, hangs, leaves a process, a mount or a file behind or
# says nothing counts as one failure more.
set -u
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
limit=${CSFTP_TEST_TIMEOUT:-1200}
[ -z "${CSFTP_LONG:-}" ] || limit=${CSFTP_TEST_TIMEOUT:-100000}

# The summary line and the failures of one program, from its TAP.
report()
{
	awk -v name="$1" -v status="$2" -v started="$3" -v extra="$4" '
	function skipped(what) {
		skips = skips "  skipped: " what ": " \
			(why ? why : "no reason given") "\n"
		skip++; why = ""
	}
	{ full = full "    " $0 "\n" }
	/^# skip: /           { why = substr($0, 9); next }
	/^1\.\.[0-9]+$/       { planned += substr($0, 4); next }
	/^not ok [0-9]+ # SKIP / { sub(/^[^#]*# SKIP /, ""); skipped($0); next }
	/^ok [0-9]+ .*# SKIP/ {
		sub(/^ok [0-9]+ (- )?/, ""); why = $0
		sub(/.*# SKIP:? */, "", why); sub(/ *# SKIP.*/, "")
		skipped($0); next
	}
	/^not ok /            { fail++; next }
	/^ok /                { pass++; next }
	END {
		seen = pass + fail + skip
		if (status != 0 && fail == 0 || status >= 124) {
			fail++; full = full "    exit status " status "\n"
		} else if (seen < planned || seen == 0) {
			fail++; full = full "    " planned + 0 \
				" tests planned, " seen " ran\n"
		}
		if (extra != "") {
			fail++; full = full extra "\n"
		}
		cmd = "date +%s"; cmd | getline now
		printf "%-32s %4d passed %3d failed %3d skipped %4d s\n",
			name, pass, fail, skip, now - started
		if (fail) printf "%s", full
		printf "%s", skips
	}'
}

# What the program did not clean up: mounts first, as files hide below them.
sweep()
{
	sed -n "s|^[^ ]* \($1/[^ ]*\) .*|\1|p" /proc/self/mounts |
		sort -r | while read -r mount; do
		printf '    left mounted: %b\n' "$mount"
		umount -l "$(printf '%b' "$mount")" 2>/dev/null ||
			fusermount3 -uz "$(printf '%b' "$mount")"
	done
	find "$1" -xdev -mindepth 1 -maxdepth 2 | sed 's/^/    left behind: /'
	rm -rf --one-file-system "$1"
}

run_one()
{
	name=${2##*/tests/}
	case $2 in */asan/tests/*) name="asan:$name" ;; esac
	log=$(mktemp "$scratch/log.XXXXXX")
	TMPDIR=$(mktemp -d "$scratch/tmp.XXXXXX") && export TMPDIR
	started=$(date +%s)
	"$1" "$limit" "$2" >"$log" 2>&1 </dev/null
	status=$?
	extra=$(sweep "$TMPDIR" 2>&1)
	# In one write, for two programs that end at the same time.
	text=$(report "$name" "$status" "$started" "$extra" <"$log")
	printf '%s\n' "$text" | tee "$log.report"
}

if [ "${1:-}" = --one ]; then
	scratch=$4
	run_one "$2" "$3"
	exit 0
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/csftp-check.XXXXXX") || exit 1
trap 'rm -rf --one-file-system "$scratch"' EXIT
trap 'exit 130' INT TERM
cage=$1
shift

fast='' slow=''
for program; do
	# shellcheck disable=SC2254 # a pattern is what it is meant to be
	case $program in ${CSFTP_TEST_ONLY:-*}) ;; *) continue ;; esac
	case $program in
	*/tests/unit/* | */tests/loopback/*) fast="$fast $program" ;;
	*) slow="$slow $program" ;;
	esac
done
# shellcheck disable=SC2086 # lists of words, here and below
[ -z "$fast" ] || printf '%s\n' $fast |
	xargs -P 2 -I '{}' "$0" --one "$cage" '{}' "$scratch"
for program in $slow; do
	run_one "$cage" "$program"
done

for file in "$scratch"/*.report; do
	[ -e "$file" ] && cat "$file"
done | awk '
	/^[^ ].* passed .* failed .* skipped/ {
		pass += $2; fail += $4; skip += $6; ran++
	}
	END {
		printf "%d passed, %d failed, %d skipped\n", pass, fail, skip
		exit fail > 0 || pass == 0
	}'
