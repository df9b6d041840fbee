#!/bin/sh
# demo.sh BUILD: serves a temporary directory with csftpd, mounts it with
# csftpfs, and shows that what is written to the mount is what arrives.
# The two talk SSH on the loopback: no ssh, no sshd, no account, no key of yours.
# Nobody is asked who they are, as what is served is made for this and soon gone.
set -eu
build=$(cd "$1" && pwd)
size_mib=${CSFTP_DEMO_MIB:-256}

dir=$(mktemp -d "${TMPDIR:-/tmp}/csftp-demo.XXXXXX")
served=$dir/served
point=$dir/mount
server=
mounter=

leave()
{
	status=$?
	trap - EXIT INT TERM HUP
	if mountpoint -q "$point"; then
		fusermount3 -u "$point" 2>/dev/null || fusermount3 -uz "$point"
	fi
	# Without its mount each of the two ends; this is for the case it cannot.
	[ -z "$mounter" ] || kill "$mounter" 2>/dev/null || :
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	wait
	rm -rf --one-file-system "$dir"
	[ "$status" = 0 ] || echo "demo: FAILED" >&2
	exit "$status"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

say()
{
	printf '\n==> %s\n' "$*"
}

mib_per_second()
{
	awk -v mib="$1" -v from="$2" -v to="$3" \
		'BEGIN { printf "%.0f MiB/s", mib / (to - from + 0.000001) }'
}

now()
{
	date +%s.%N
}

if [ ! -c /dev/fuse ] || [ ! -r /dev/fuse ]; then
	echo "demo: /dev/fuse is missing or closed to us: no mounts here" >&2
	exit 1
fi

mkdir "$served" "$point"
echo 'Hello from the server.' >"$served/hello"

# Until a port is found that nobody has.
serve()
{
	for attempt in 1 2 3 4 5; do
		port=$(awk -v n="$$$attempt" \
			'BEGIN { srand(n); print 20000 + int(rand() * 10000) }')
		"$build/csftpd" -D -e -f /dev/null -h "$dir/host_key" \
			-o ListenAddress=127.0.0.1 -p "$port" \
			-o AuthenticationMethods=none -o "Root=$served" \
			2>"$dir/log" &
		server=$!
		until grep -q 'Server listening' "$dir/log"; do
			kill -0 "$server" 2>/dev/null || continue 2
			sleep 0.05
		done
		return 0
	done
	cat "$dir/log" >&2
	return 1
}

say "csftpd serves $served; csftpfs mounts it at $point"
serve
"$build/csftpfs" -f -F none -o "transport=native,port=$port" \
	-o "UserKnownHostsFile=$dir/known_hosts" \
	-o StrictHostKeyChecking=accept-new 127.0.0.1:/ "$point" &
mounter=$!
until mountpoint -q "$point"; do
	kill -0 "$mounter" 2>/dev/null || exit 1
	sleep 0.05
done
df -h "$point"

say 'What the server has is there'
ls -l "$point"
cat "$point/hello"

say "Writing $size_mib MiB to the mount"
head -c "${size_mib}M" /dev/urandom >"$dir/data"
start=$(now)
cp "$dir/data" "$point/data"
echo "written: $(mib_per_second "$size_mib" "$start" "$(now)")"
cmp "$dir/data" "$served/data"
echo 'the server has the same bytes'

say 'Reading it back'
start=$(now)
cmp "$dir/data" "$point/data"
echo "read and compared: $(mib_per_second "$size_mib" "$start" "$(now)")"

say 'A directory tree: copied in, compared on the server, removed'
cp -r /usr/include/linux "$point/tree"
diff -r /usr/include/linux "$served/tree"
echo "$(find "$point/tree" -type f | wc -l) files, all alike"
rm -r "$point/tree" "$point/data"
test ! -e "$served/tree"

say 'Unmounting'
fusermount3 -u "$point"
wait "$mounter"
mounter=
kill "$server"
wait "$server"
server=
if mountpoint -q "$point"; then
	exit 1
fi
echo 'demo: all of it worked'
