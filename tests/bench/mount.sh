#!/bin/bash
# mount.sh BUILD: csftpfs against sshfs and rclone, through the same sshd to the
# same sftp-server (OpenSSH's; and csftpfs once more to ours) or to csftpd, with
# the same cipher, over round trips of several lengths; without one the server
# is dialled itself.
#
# What is served lies on a tmpfs where there is one.  The mounts take turns and
# are made anew for each measurement, so that no cache helps; what was moved is
# verified.  Medians of CSFTP_BENCH_ROUNDS.  Nothing here is asserted of speed.
#
# CSFTP_BENCH_RTT      milliseconds of a round trip: "0 5 20 100"
# CSFTP_BENCH_ONLY     a pattern of measurements: "*"
# CSFTP_BENCH_WAYS     "sshfs:sftp rclone:sftp csftpfs:sftp csftpfs:csftp";
#                      csftpfs-ssh:sftp has transport=ssh, and
#                      csftpfs-native:csftpd is to our daemon;
#                      csftpfs-async:sftp and rclone-deferred:sftp write behind
#                      close(2), and only what is before it counts
# CSFTP_BENCH_MIB      of the large file: 256
# CSFTP_BENCH_FILES    small files that are made and read: 1000
# CSFTP_BENCH_CIPHER   aes128-gcm@openssh.com
# CSFTP_BENCH_ROUNDS   3
set -eu
build=$(cd "$1" && pwd)
rounds=${CSFTP_BENCH_ROUNDS:-3}
size_mib=${CSFTP_BENCH_MIB:-256}
files=${CSFTP_BENCH_FILES:-1000}
cipher=${CSFTP_BENCH_CIPHER:-aes128-gcm@openssh.com}
rtts=${CSFTP_BENCH_RTT:-0 5 20 100}
only=${CSFTP_BENCH_ONLY:-*}
ways=${CSFTP_BENCH_WAYS:-sshfs:sftp rclone:sftp csftpfs:sftp csftpfs:csftp}

base=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df --output=avail -m /dev/shm | tail -1)" -gt \
	$((3 * size_mib)) ]; then
	base=/dev/shm
fi
dir=$(mktemp -d "$base/csftp-bench.XXXXXX")
point=$dir/mount
sshd=
csftpd=
delay=

leave()
{
	status=$?
	trap - EXIT INT TERM
	cd /
	! mountpoint -q "$point" || fusermount3 -uz "$point" || :
	stop_delays
	[ -z "$csftpd" ] || kill "$csftpd" || :
	[ -z "$sshd" ] || kill "$sshd" || :
	rm -rf --one-file-system "$dir"
	exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM

# write_config PORT PORT: how to log in to sshd and to csftpd.
write_config()
{
	local host=bench port
	for port; do
		cat <<-END
			Host $host
				HostName 127.0.0.1
				Port $port
				User $(id -un)
				IdentityFile $dir/user
				IdentitiesOnly yes
				IdentityAgent none
				StrictHostKeyChecking no
				Ciphers $cipher
				UserKnownHostsFile /dev/null
				GlobalKnownHostsFile /dev/null
				ConnectionAttempts 20
				BatchMode yes
				LogLevel ERROR
		END
		host=bench-csftpd
	done
}

# One sshd with both servers: the client names the subsystem.
start_sshd()
{
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/host"
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/user"
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	local attempt
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
		write_config "$port" "$port" >"$dir/ssh_config"
		/usr/sbin/sshd -D -e -f "$dir/sshd_config" &
		sshd=$!
		! ssh -F "$dir/ssh_config" bench true || return 0
		kill "$sshd" 2>/dev/null || :
	done
	echo 'bench: no login to our own sshd' >&2
	exit 1
}

# Ours has its own port; it is not started where no way leads to it.
start_csftpd()
{
	local attempt
	csftpd_port=$port
	case " $ways " in *:csftpd\ *) ;; *) return 0 ;; esac
	for attempt in 1 2 3 4 5; do
		csftpd_port=$((20000 + (RANDOM + attempt) % 10000))
		"$build/csftpd" -D -e -p "$csftpd_port" -h "$dir/host" \
			-o AuthorizedKeysFile="$dir/user.pub" \
			-o StrictModes=no 2>"$dir/csftpd.err" &
		csftpd=$!
		write_config "$csftpd_port" "$csftpd_port" >"$dir/try_config"
		! echo ls | sftp -q -b - -F "$dir/try_config" bench \
			>/dev/null 2>&1 || return 0
		kill "$csftpd" 2>/dev/null || :
	done
	head -3 "$dir/csftpd.err" >&2
	echo 'bench: no login to our own csftpd' >&2
	exit 1
}

# start_delay PORT MILLISECONDS: a long way to a port, there and back; sets
# far_port.
start_delay()
{
	local fifo=$dir/delay.in
	rm -f "$dir/delay.port"
	"$build/tests/bench/delay" "$1" "$(awk "BEGIN { print $2 / 2 }")" \
		<"$fifo" >"$dir/delay.port" &
	delay="$delay $!"
	until [ -s "$dir/delay.port" ]; do sleep 0.05; done
	far_port=$(cat "$dir/delay.port")
}

# All measurements go that way, but where there is none to go: a program in
# between would have its share of the processors.
start_delays()
{
	local to_csftpd=$csftpd_port
	far_port=$port
	if [ "$1" != 0 ]; then
		mkfifo "$dir/delay.in"
		exec 9<>"$dir/delay.in"
		start_delay "$csftpd_port" "$1"
		to_csftpd=$far_port
		start_delay "$port" "$1"
	fi
	write_config "$far_port" "$to_csftpd" >"$dir/far_config"
}

stop_delays()
{
	local pid
	for pid in $delay; do kill "$pid" || :; done
	for pid in $delay; do wait "$pid" || :; done
	delay=
	exec 9>&-
	rm -f "$dir/delay.in" "$dir/delay.port"
}

# mount_it PROGRAM:SUBSYSTEM, or PROGRAM:csftpd
mount_it()
{
	local program=${1%:*} host=bench options=()
	case $1 in
	*:sftp) ;;
	*:csftpd) host=bench-csftpd ;;
	*) options+=(-o "sftp_server=${1#*:}") ;;
	esac
	case $program in
	rclone*)
		# Without a cache of files what is written is written at its
		# close, as with the others.
		options=(--vfs-cache-mode off)
		[ "$program" = rclone ] || options=(--vfs-cache-mode writes
			--vfs-write-back 1s --cache-dir "$dir/cache")
		rclone mount ":sftp:$dir/served" "$point" --daemon \
			--config /dev/null --sftp-host 127.0.0.1 \
			--sftp-port "$far_port" --sftp-user "$(id -un)" \
			--sftp-key-file "$dir/user" \
			--sftp-set-modtime=false --log-file "$dir/rclone.log" \
			"${options[@]}"
		return
		;;
	csftpfs-async) options+=(-o durability=async) ;;&
	csftpfs-ssh | csftpfs-native) options+=(-o "transport=${program#*-}") ;;&
	csftpfs*) program=$build/csftpfs ;;
	esac
	"$program" -F "$dir/far_config" "${options[@]}" \
		"$host:$dir/served" "$point"
}

# memory WAY FIELD: VmRSS or VmHWM, in KiB, of the mount program.
memory()
{
	local pid
	for pid in $(pgrep -f -- "$point" || :); do
		sed -n "s/^$2:[^0-9]*\\([0-9]*\\).*/\\1/p" \
			"/proc/$pid/status" 2>/dev/null || :
	done >>"$dir/$1.$2"
}

# A program that looks at new mounts may hold it for a moment.
unmount_it()
{
	local attempt
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		! fusermount3 -u "$point" 2>/dev/null || break
		sleep 0.2
	done
	! mountpoint -q "$point" || fusermount3 -uz "$point"
	: "$attempt"
}

# timed COMMAND...: the seconds it took, by its own measure if it has left one
# in $dir/seconds; nothing if it failed.
timed()
{
	local from=$EPOCHREALTIME to
	rm -f "$dir/seconds"
	"$@" >/dev/null 2>"$dir/err" || { echo "$* failed:" >&2
		head -3 "$dir/err" >&2; return 0; }
	to=$EPOCHREALTIME
	[ ! -s "$dir/seconds" ] || { cat "$dir/seconds"; return 0; }
	awk -v from="$from" -v to="$to" 'BEGIN { printf "%.3f\n", to - from }'
}

# fio's own start takes as long as many round trips: the seconds are those from
# its first read to its last, the ninth field.
fio_read()
{
	fio --name=r --filename="$point/large" --rw=randread --bs=4k \
		--numjobs="$1" --thread --io_size="$2" --size="${size_mib}M" \
		--ioengine=psync --direct=0 --invalidate=1 --randseed=1 \
		--group_reporting --output-format=terse >"$dir/fio" || return 1
	awk -F ';' '$9 > 0 { printf "%.3f\n", $9 / 1000 }' "$dir/fio" \
		>"$dir/seconds"
}

# Those that take part of a mount that is warm have a first part.
first_status_warm() { git -C "$point/repo" status; }
first_stats() { ls "$point/tree"; }

write_large() { dd if="$dir/large" of="$point/large.copy" bs=1M status=none; }
read_large() { dd if="$point/large" of="$dir/large.back" bs=1M status=none; }
random_1() { fio_read 1 "$((rtt < 5 ? 16384 : 200))k"; }
random_16() { fio_read 16 "$((rtt < 5 ? 2048 : 40))k"; }
copy_in() { cp -r "$dir/tree" "$point/copy"; }
copy_out() { cp -r "$point/tree" "$dir/out"; }
walk() { find "$point/tree" -printf '%s %m %T@\n'; }
list_long() { ls -lR "$point/tree"; }
search() { ! grep -r 'no such text' "$point/tree"; }
status_cold() { git -C "$point/repo" status; }
status_warm() { git -C "$point/repo" status; }
remove() { rm -rf "$point/copy"; }
create()
{
	mkdir "$point/copy"
	local i
	for ((i = 0; i < files / 5; i++)); do echo "$i" >"$point/copy/$i"; done
}
cold_reads() { cat "$point"/small/*; }
untar() { tar -xf "$dir/tree.tar" -C "$point"; }
clone() { git clone -q "$dir/repo" "$point/copy"; }
stats()
{
	local i
	for ((i = 0; i < files; i++)); do
		[ -e "$point/tree/no-such-$i" ] || [ -e "$point/tree/d0/f0" ] || :
	done
}
stat_cold() { (cd "$point/tree" && xargs stat -c %s) <"$dir/names"; }

verify()
{
	case $1 in
	write_large) cmp "$dir/large" "$dir/served/large.copy" ;;
	read_large) cmp "$dir/large" "$dir/large.back" ;;
	copy_in) diff -r "$dir/tree" "$dir/served/copy" ;;
	untar) diff -r "$dir/tree" "$dir/served/copy" ;;
	copy_out) diff -r "$dir/tree" "$dir/out" ;;
	create) [ "$(cat "$dir/served/copy"/* | wc -l)" = $((files / 5)) ] ;;
	clone) git -C "$dir/served/copy" fsck >/dev/null 2>&1 ;;
	remove) [ ! -e "$dir/served/copy" ] ;;
	esac
}

# What is written behind close(2): rclone does so as long as it is mounted, and
# csftpfs ends when all is.
await()
{
	local attempt
	for attempt in {1..300}; do
		! verify "$1" >/dev/null 2>&1 || return 0
		sleep 1
	done
	: "$attempt"
}

median()
{
	sort -n | awk '{ v[NR] = $1 }
		END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : \
			(v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# 100 directories with ten files of 2 KiB each, as sources are.
prepare()
{
	local i
	mkdir "$dir/served" "$point" "$dir/tree" "$dir/served/small"
	for ((i = 0; i < files; i++)); do
		mkdir -p "$dir/tree/d$((i % 100))"
		head -c 1500 /dev/urandom | base64 >"$dir/tree/d$((i % 100))/f$i"
	done
	for ((i = 0; i < files; i++)); do
		echo "text $i" >"$dir/served/small/$i"
	done
	cp -r "$dir/tree" "$dir/served/tree"
	cp -r "$dir/tree" "$dir/copy"
	(cd "$dir/tree" && find . -type f) | sort |
		shuf --random-source=<(yes) >"$dir/names"
	tar -cf "$dir/tree.tar" -C "$dir" copy
	rm -r "$dir/copy"
	git init -q "$dir/repo"
	cp -r "$dir/tree" "$dir/repo/src"
	git -C "$dir/repo" add .
	git -C "$dir/repo" -c user.name=b -c user.email=b@b commit -qm all
	cp -a "$dir/repo" "$dir/served/repo"
	git -C "$dir/served/repo" update-index -q --refresh
	git config --file "$dir/gitconfig" safe.directory '*'
	# Numbers and owners are other ones by each way.
	git config --file "$dir/gitconfig" core.checkStat minimal
	git config --file "$dir/gitconfig" core.trustctime false
	head -c "${size_mib}M" /dev/urandom >"$dir/large"
	cp "$dir/large" "$dir/served/large"
}

all='write_large read_large random_1 random_16 copy_in copy_out walk list_long
	search status_cold status_warm remove create cold_reads untar clone stats stat_cold'
selected=
read -ra patterns <<<"$only"
for what in $all; do
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2254 # a pattern is what it is meant to be
		case $what in $pattern) selected="$selected $what"; break ;; esac
	done
done

measure_one()
{
	local rtt=$1 way=$2 what=$3
	rm -rf "$dir/out" "$dir/served/copy" "$dir/served/large.copy" \
		"$dir/large.back" "$dir/cache"
	[ "$what" != remove ] || cp -r "$dir/tree" "$dir/served/copy"
	mount_it "$way"
	memory "$way" VmRSS
	if [ "$(type -t "first_$what")" = function ]; then
		"first_$what" >/dev/null 2>&1 || :
	fi
	timed "$what" >>"$dir/$rtt.$way.$what"
	memory "$way" VmHWM
	case $way in rclone-deferred:*) await "$what" ;; esac
	unmount_it
	case $way in csftpfs-async:*) await "$what" ;; esac
	verify "$what" >/dev/null ||
		echo "bench: $way $what is not what it should be" >&2
}

# The ways take turns, each measurement on a mount of its own.
measure()
{
	local rtt=$1 round way what
	start_delays "$rtt"
	for ((round = 0; round < rounds; round++)); do
		for what in $selected; do
			for way in $ways; do
				measure_one "$rtt" "$way" "$what"
			done
		done
		printf '.' >&2
	done
	echo >&2
	stop_delays
}

show()
{
	local rtt=$1 what way first value
	printf '\nround trip: %s ms; seconds, and times as fast as %s\n' \
		"$rtt" "${ways%% *}"
	printf '%-12s' ''
	for way in $ways; do printf ' %22s' "$way"; done
	echo
	for what in $selected; do
		printf '%-12s' "$what"
		first=
		for way in $ways; do
			value=$(median <"$dir/$rtt.$way.$what")
			[ "$way" != "${ways%% *}" ] || first=$value
			awk -v value="$value" -v first="$first" 'BEGIN {
				if (value == "") printf " %22s", "failed"
				else if (first == "" || value + 0 == 0)
					printf " %22.2f", value
				else
					printf " %13.2f %7.1fx", value, \
						first / value }'
		done
		echo
	done
}

# The most that each program had, of all measurements.
show_memory()
{
	local field way
	printf '\nresident memory, MiB\n%-12s' ''
	for way in $ways; do printf ' %18s' "$way"; done
	for field in VmRSS VmHWM; do
		printf '\n%-12s' "$([ $field = VmRSS ] && echo 'when mounted' ||
			echo 'at most')"
		for way in $ways; do
			sort -n "$dir/$way.$field" | awk 'END {
				printf " %18.1f", $1 / 1024 }'
		done
	done
	echo
}

start_sshd
start_csftpd
prepare
export GIT_CONFIG_GLOBAL=$dir/gitconfig
for rtt in $rtts; do
	measure "$rtt"
	show "$rtt"
done
show_memory
printf '\ncipher %s; medians of %s; %s MiB; %s files in 100 directories\n' \
	"$cipher" "$rounds" "$size_mib" "$files"
