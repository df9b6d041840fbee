#!/bin/bash
# ssh.sh BUILD: what logins and transfers cost csftpd and OpenSSH's sshd, in
# seconds of processor time of the server alone.  Files are on tmpfs where
# there is one.
set -eu
build=$1
logins=${CSFTP_BENCH_LOGINS:-40}
mib=${CSFTP_BENCH_MIB:-256}
where=/dev/shm
[ -w "$where" ] || where=${TMPDIR:-/tmp}
dir=$(mktemp -d "$where/csftp-bench.XXXXXX")
pids=
cleanup()
{
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	wait
	rm -rf "$dir"
}
trap cleanup EXIT

ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
head -c $((mib << 20)) /dev/zero >"$dir/big"

free_port()
{
	python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# With those of its children that have ended, in ticks.
cpu_of()
{
	awk '{ print $14 + $15 + $16 + $17 }' "/proc/$1/stat"
}

client="-F none -i $dir/user -o IdentitiesOnly=yes -o BatchMode=yes
	-o StrictHostKeyChecking=no -o UserKnownHostsFile=$dir/known
	-o LogLevel=ERROR -o ConnectionAttempts=20"

run()
{
	# shellcheck disable=SC2086 # words
	sftp -q $client -P "$port" "$@" -b - 127.0.0.1 >/dev/null
}

# The sessions of sshd end a little after their clients.
settle()
{
	while [ -n "$(cat "/proc/$pid/task/$pid/children")" ]; do
		sleep 0.05
	done
}

report()
{
	local ticks what=$1 count=$2 unit=$3
	settle
	ticks=$(($(cpu_of "$pid") - before))
	awk -v name="$name" -v what="$what" -v t="$ticks" -v n="$count" \
		-v hz="$(getconf CLK_TCK)" -v unit="$unit" 'BEGIN {
			printf "%-8s %-32s %8.2f ms of CPU for each %s\n",
				name, what, 1000 * t / hz / n, unit }'
}

measure()
{
	local cipher
	echo pwd | run # the first one waits until it serves
	settle
	before=$(cpu_of "$pid")
	for ((i = 0; i < logins; i++)); do echo pwd | run; done
	report login "$logins" login
	for cipher in aes128-gcm@openssh.com aes256-gcm@openssh.com \
		chacha20-poly1305@openssh.com aes128-ctr; do
		before=$(cpu_of "$pid")
		echo "get $dir/big $dir/got" | run -c "$cipher"
		report "get $cipher" "$mib" MiB
		before=$(cpu_of "$pid")
		echo "put $dir/got $dir/put" | run -c "$cipher"
		report "put $cipher" "$mib" MiB
	done
}

common="HostKey $dir/host
AuthorizedKeysFile $dir/user.pub
StrictModes no
PidFile none
ListenAddress 127.0.0.1
LogLevel ERROR"

name=csftpd
port=$(free_port)
printf '%s\nPort %s\nPerSourcePenalties no\n' "$common" "$port" >"$dir/csftpd"
"$build/csftpd" -D -e -f "$dir/csftpd" &
pid=$!
pids="$pids $pid"
measure

name=sshd
port=$(free_port)
printf '%s\nPort %s\nUsePAM no\nSubsystem sftp internal-sftp\n' \
	"$common" "$port" >"$dir/sshd"
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
/usr/sbin/sshd -D -e -f "$dir/sshd" &
pid=$!
pids="$pids $pid"
measure
