#!/bin/bash
# ssh.sh BUILD: logins and transfers with csftpd, OpenSSH's sshd and dropbear:
# the processor time of the server alone, all of its processes, and the rate.
# Files are on tmpfs where there is one.
#
# CSFTP_BENCH_LOGINS: logins in a row; CSFTP_BENCH_MIB: what a session moves
# each way; CSFTP_BENCH_SESSIONS: at a time, a quarter of that each;
# CSFTP_BENCH_CIPHERS, CSFTP_BENCH_SERVERS: which.
set -eu
build=$1
logins=${CSFTP_BENCH_LOGINS:-100}
mib=${CSFTP_BENCH_MIB:-256}
sessions=${CSFTP_BENCH_SESSIONS:-8}
ciphers=${CSFTP_BENCH_CIPHERS:-aes128-gcm@openssh.com aes256-gcm@openssh.com
	chacha20-poly1305@openssh.com aes128-ctr aes256-ctr}
servers=${CSFTP_BENCH_SERVERS:-csftpd sshd dropbear}
user=$(id -un)
where=/dev/shm
[ -w "$where" ] || where=${TMPDIR:-/tmp}
dir=$(mktemp -d "$where/csftp-bench.XXXXXX")
# What is mounted is not what it is mounted in.
files=$dir/files
declare -A cages
cleanup()
{
	! mountpoint -q "$dir/point" || fusermount3 -uz "$dir/point"
	for cage in "${cages[@]}"; do
		for pid in $(family "$cage" | tac); do
			[ "$pid" = "$cage" ] || kill "$pid" 2>/dev/null || :
		done
	done
	wait
	rm -rf "$dir"
}
trap cleanup EXIT

mkdir "$dir/files" "$dir/point" "$dir/home" "$dir/home/.ssh"
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
cp "$dir/user.pub" "$dir/home/.ssh/authorized_keys"
chmod 700 "$dir/home" "$dir/home/.ssh"
head -c $((mib << 20)) /dev/urandom >"$files/big"
head -c $((mib << 18)) /dev/urandom >"$files/part"

free_port()
{
	python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The cage, which is who inherits orphans, and all that runs below.
family()
{
	local child
	echo "$1"
	tr ' ' '\n' <"/proc/$1/task/$1/children" | while read -r child; do
		family "$child"
	done 2>/dev/null
}

# In ticks, with the children that have ended.
cpu()
{
	local one
	for one in $(family "${cages[$name]}"); do
		cat "/proc/$one/stat" 2>/dev/null || :
	done | awk '{ sum += $14 + $15 + $16 + $17 } END { print sum }'
}

# Sessions end a little after their clients; but a mount is one that lasts.
settle()
{
	until mountpoint -q "$dir/point" ||
		[ "$(family "${cages[$name]}" | wc -l)" = 2 ]; do
		sleep 0.05
	done
}

write_client()
{
	cat >>"$dir/client" <<-END
		Host $name
			HostName 127.0.0.1
			Port $port
			User $user
			IdentityFile $dir/user
			IdentitiesOnly yes
			IdentityAgent none
			StrictHostKeyChecking no
			UserKnownHostsFile $dir/known-$name
			BatchMode yes
			LogLevel ERROR
			ConnectionAttempts 20
	END
}

run()
{
	sftp -q -F "$dir/client" "$@" -b - "$name" >/dev/null
}

begin()
{
	settle
	before=$(cpu)
	since=$EPOCHREALTIME
}

# end WHAT UNIT COUNT: a line of a table, and of the results that are compared.
end()
{
	local now=$EPOCHREALTIME
	settle
	awk -v name="$name" -v what="$1" -v unit="$2" -v n="$3" \
		-v t="$(($(cpu) - before))" -v hz="$(getconf CLK_TCK)" \
		-v sec="$(awk "BEGIN { print $now - $since }")" \
		-v out="$dir/results" 'BEGIN {
		cpu = t / hz
		if (unit == "login") {
			rate = cpu > 0 ? n / cpu : 0
			printf "%-9s %-34s %8.0f for a CPU second\n", name,
				what, rate
			printf "%s\t%s\t%f\t%f\n", name, what, rate, 0 >>out
			exit
		}
		rate = n * 1.048576 / sec
		cost = cpu * 1024 / n
		printf "%-9s %-34s %8.0f MB/s %8.2f CPU s/GiB\n", name, what,
			rate, cost
		printf "%s\t%s\t%f\t%f\n", name, what, rate, cost >>out
	}'
}

# several get|put CIPHER: dropbear lets in five at a time of one address.
several()
{
	local n job jobs=
	for ((n = 0; n < sessions; n++)); do
		case $1 in
		get) echo "get $files/part $files/got.$n" ;;
		put) echo "put $files/part $files/put.$n" ;;
		esac | run -c "$2" -o "BindAddress=127.0.0.$((n + 2))" &
		jobs="$jobs $!"
	done
	for job in $jobs; do wait "$job"; done
	for ((n = 0; n < sessions; n++)); do
		cmp "$files/part" "$files/$1.$n" 2>/dev/null ||
			cmp "$files/part" "$files/got.$n"
		rm -f "$files/got.$n" "$files/put.$n"
	done
}

by_openssh()
{
	begin
	echo "get $files/big $files/got" | run -c "$1"
	end "get $1" MiB "$mib"
	begin
	echo "put $files/got $files/put" | run -c "$1"
	end "put $1" MiB "$mib"
	cmp "$files/big" "$files/put"
	rm -f "$files/got" "$files/put"
	begin
	several get "$1"
	end "get $1 x$sessions" MiB $((mib * sessions / 4))
	begin
	several put "$1"
	end "put $1 x$sessions" MiB $((mib * sessions / 4))
}

# Our own client is a mount.
by_csftpfs()
{
	[ -w /dev/fuse ] || return 0
	"$build/csftpfs" "$name:$files" "$dir/point" -F "$dir/client" \
		-o transport=native -o "Ciphers=$1"
	begin
	dd if="$dir/point/big" of=/dev/null bs=1M status=none
	end "read $1, csftpfs" MiB "$mib"
	begin
	dd if="$files/big" of="$dir/point/put" bs=1M status=none conv=fsync
	end "write $1, csftpfs" MiB "$mib"
	cmp "$files/big" "$files/put"
	rm -f "$files/put"
	fusermount3 -u "$dir/point"
}

# serve PROGRAM ARGUMENT...: name and port are set.
serve()
{
	write_client
	"$build/tests/cage" 1000000 "$@" &
	cages[$name]=$!
	echo pwd | run # which waits until it serves
}

common="HostKey $dir/host
StrictModes no
PidFile none
ListenAddress 127.0.0.1
LogLevel ERROR"

start_csftpd()
{
	printf '%s\nAuthorizedKeysFile %s\nPort %s\nPerSourcePenalties no\n' \
		"$common" "$dir/user.pub" "$port" >"$dir/csftpd"
	serve "$build/csftpd" -D -e -f "$dir/csftpd"
}

start_sshd()
{
	printf '%s\nAuthorizedKeysFile %s\nPort %s\nUsePAM no\n%s\n%s\n' \
		"$common" "$dir/user.pub" "$port" 'MaxStartups 100' \
		'Subsystem sftp internal-sftp' >"$dir/sshd"
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	serve /usr/sbin/sshd -D -e -f "$dir/sshd"
}

# It looks for keys in the home, which is another one for it alone.
start_dropbear()
{
	if [ "$(id -u)" != 0 ] || ! command -v dropbear >/dev/null; then
		echo "dropbear: it takes root, and dropbear-bin"
		return
	fi
	dropbearconvert openssh dropbear "$dir/host" "$dir/drop" 2>/dev/null
	getent passwd | awk -F: -v OFS=: -v home="$dir/home" \
		'$3 == 0 { $6 = home; $7 = "/bin/sh" } { print }' >"$dir/passwd"
	# shellcheck disable=SC2016 # for the other shell
	serve unshare -m sh -ec 'mount --bind "$1/passwd" /etc/passwd
		exec dropbear -F -E -s -g -j -k -m -p "127.0.0.1:$2" \
			-r "$1/drop" -P "$1/pid" 2>"$1/log"' - "$dir" "$port"
}

for name in $servers; do
	port=$(free_port)
	"start_$name"
done

# In turn, as what else the machine does changes with time.
for name in "${!cages[@]}"; do
	begin
	for ((i = 0; i < logins; i++)); do echo pwd | run; done
	end logins login "$logins"
done
for cipher in $ciphers; do
	for name in "${!cages[@]}"; do
		case $name,$cipher in dropbear,*gcm*) continue ;; esac
		by_openssh "$cipher"
		by_csftpfs "$cipher"
	done
done

echo
echo 'csftpd to sshd: rates (or logins for a CPU second), CPU seconds for a GiB'
awk -F '\t' '
	$1 == "sshd" { rate[$2] = $3; cost[$2] = $4 }
	$1 == "csftpd" { mine[$2] = $3; cpu[$2] = $4; order[n++] = $2 }
	END {
		for (i = 0; i < n; i++) {
			what = order[i]
			if (!(what in rate))
				continue
			printf "%-44s %6.2f", what, mine[what] / rate[what]
			if (cost[what] > 0)
				printf " %6.2f", cpu[what] / cost[what]
			printf "\n"
		}
	}' "$dir/results"
