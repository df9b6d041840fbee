#!/bin/bash
# mount.sh BUILD: csftpfs against sshfs, through the same sshd to the same
# sftp-server (OpenSSH's; and once more to ours), with the same cipher.
#
# What is served lies on a tmpfs where there is one.  The mounts take turns and
# are made anew for each measurement, so that no cache helps; what was moved is
# verified.  Medians of CSFTP_BENCH_ROUNDS.  Nothing here is asserted of speed.
set -eu
build=$(cd "$1" && pwd)
rounds=${CSFTP_BENCH_ROUNDS:-3}
size_mib=${CSFTP_BENCH_MIB:-1024}
ciphers=${CSFTP_BENCH_CIPHERS:-default aes128-gcm@openssh.com}

base=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df --output=avail -m /dev/shm | tail -1)" -gt \
	$((3 * size_mib)) ]; then
	base=/dev/shm
fi
dir=$(mktemp -d "$base/csftp-bench.XXXXXX")
point=$dir/mount
sshd=

leave()
{
	status=$?
	trap - EXIT INT TERM
	! mountpoint -q "$point" || fusermount3 -uz "$point" || :
	[ -z "$sshd" ] || kill "$sshd" || :
	rm -rf --one-file-system "$dir"
	exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM

# One sshd with both servers: the client names the subsystem.
start_sshd()
{
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/host"
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/user"
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	local attempt port
	for attempt in 1 2 3 4 5; do
		port=$((20000 + (RANDOM + attempt) % 10000))
		cat >"$dir/sshd_config" <<-END
			Port $port
			ListenAddress 127.0.0.1
			HostKey $dir/host
			AuthorizedKeysFile $dir/user.pub
			PidFile none
			StrictModes no
			UsePAM no
			LogLevel ERROR
			Subsystem sftp /usr/lib/openssh/sftp-server
			Subsystem csftp $build/csftp-server
		END
		cat >"$dir/ssh_config" <<-END
			Host bench
				HostName 127.0.0.1
				Port $port
				User $(id -un)
				IdentityFile $dir/user
				IdentitiesOnly yes
				IdentityAgent none
				StrictHostKeyChecking no
				UserKnownHostsFile /dev/null
				GlobalKnownHostsFile /dev/null
				ConnectionAttempts 20
				BatchMode yes
				LogLevel ERROR
		END
		/usr/sbin/sshd -D -e -f "$dir/sshd_config" &
		sshd=$!
		! ssh -F "$dir/ssh_config" bench true || return 0
		kill "$sshd" 2>/dev/null || :
	done
	echo 'bench: no login to our own sshd' >&2
	exit 1
}

# mount_it PROGRAM SUBSYSTEM CIPHER
mount_it()
{
	local program=sshfs options=()
	[ "$1" = sshfs ] || program=$build/csftpfs
	[ "$2" = sftp ] || options+=(-o "sftp_server=$2")
	[ "$3" = default ] || options+=(-o "Ciphers=$3")
	"$program" -F "$dir/ssh_config" "${options[@]}" \
		"bench:$dir/served" "$point"
}

unmount_it()
{
	fusermount3 -u "$point"
}

# timed COMMAND...: the seconds it took.
timed()
{
	local from=$EPOCHREALTIME
	"$@" >/dev/null
	awk -v from="$from" -v to="$EPOCHREALTIME" \
		'BEGIN { printf "%.3f\n", to - from }'
}

write_large() { dd if="$dir/large" of="$point/large" bs=1M status=none; }
read_large() { dd if="$point/large" of=/dev/null bs=1M status=none; }
walk() { find "$point/tree" -printf '%s %m %T@\n'; }
list_long() { ls -lR "$point/tree"; }
search() { grep -r 'no such text' "$point/tree" || :; }
remove() { rm -r "$point/copy"; }
copy_in() { cp -r "$dir/tree" "$point/copy"; }
copy_out() { cp -r "$point/tree" "$dir/out"; }

verify()
{
	case $1 in
	write_large) cmp "$dir/large" "$dir/served/large" ;;
	read_large) cmp "$dir/large" "$point/large" ;;
	copy_in) diff -r "$dir/tree" "$dir/served/copy" ;;
	copy_out) diff -r "$dir/tree" "$dir/out" ;;
	remove) [ ! -e "$dir/served/copy" ] ;;
	esac
	rm -rf "$dir/out" "$dir/served/copy"
}

median()
{
	sort -n | awk '{ v[NR] = $1 }
		END { print NR % 2 ? v[(NR + 1) / 2] : \
			(v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

prepare()
{
	mkdir "$dir/served" "$point"
	cp -rL /usr/include/linux "$dir/tree"
	cp -rL /usr/include/*-linux-gnu "$dir/tree/arch"
	cp -r "$dir/tree" "$dir/served/tree"
	head -c "${size_mib}M" /dev/urandom >"$dir/large"
}

all='write_large read_large walk list_long search copy_in copy_out remove'

# The three ways take turns, each measurement on a mount of its own.
measure()
{
	local cipher=$1 round way what
	for ((round = 0; round < rounds; round++)); do
		for way in sshfs:sftp csftpfs:sftp csftpfs:csftp; do
			for what in $all; do
				[ "$what" != remove ] ||
					cp -r "$dir/tree" "$dir/served/copy"
				mount_it "${way%:*}" "${way#*:}" "$cipher"
				timed "$what" >>"$dir/$cipher.$way.$what"
				unmount_it
				mount_it "${way%:*}" "${way#*:}" "$cipher"
				verify "$what"
				unmount_it
			done
			printf '.' >&2
		done
	done
	echo >&2
}

show()
{
	local cipher=$1 what a b c
	printf '\n%s, medians of %d; files in the tree: %d\n' "cipher: $cipher" \
		"$rounds" "$(find "$dir/tree" -type f | wc -l)"
	printf '%-14s %12s %12s %12s %8s %8s\n' '' 'sshfs' 'csftpfs' \
		'both ours' 'ratio' 'ratio'
	for what in $all; do
		a=$(median <"$dir/$cipher.sshfs:sftp.$what")
		b=$(median <"$dir/$cipher.csftpfs:sftp.$what")
		c=$(median <"$dir/$cipher.csftpfs:csftp.$what")
		awk -v what="$what" -v a="$a" -v b="$b" -v c="$c" \
			-v mib="$size_mib" 'BEGIN {
			large = what ~ /large/
			format = large ? "%7.0f MiB/s" : "%10.2f s"
			printf "%-14s", what
			printf format format format, large ? mib / a : a,
				large ? mib / b : b, large ? mib / c : c
			printf " %7.2fx %7.2fx\n", a / b, a / c
		}'
	done
}

start_sshd
prepare
for cipher in $ciphers; do
	measure "$cipher"
	show "$cipher"
done
echo
echo 'csftpfs: to the same sftp-server as sshfs; both ours: to csftp-server.'
echo 'ratio: how many times as fast as sshfs.'
