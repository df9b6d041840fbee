#!/bin/sh
# Installs what building, checking and measuring csftp takes, from Debian's
# own archive.  Says and does nothing when all of it is there.
set -eu

build='binutils gcc libc6-dev libcmocka-dev libfuse3-dev libseccomp-dev
	libssh2-1-dev libssl-dev libuv1-dev make nettle-dev pkg-config
	uthash-dev'
check='curl debootstrap dropbear-bin fio fuse3 gesftpserver git lftp libssh-dev
	openssh-client openssh-server openssh-sftp-server putty-tools
	python3-asyncssh python3-paramiko rclone rsync sqlite3 ssh-audit sshfs
	tar tinysshd util-linux valgrind'
lint='clang clang-format groff-base libclang-rt-14-dev shellcheck'

command -v dpkg-query >/dev/null || {
	# shellcheck disable=SC2086 # lists of words
	echo "deps: not a Debian system; needed are:" $build $check $lint >&2
	exit 1
}

missing=
have=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' 2>/dev/null)"
for package in $build $check $lint; do
	case $have in
	*" installed:$package "*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root='sudo'
if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
	echo "deps: as root, run: apt-get install$missing" >&2
	exit 1
fi
echo "deps: installing$missing"

# A machine that had no SSH server shall not run one because of our tests,
# which start their own: Debian's way to say so to its service.
case $missing in
*openssh-server*)
	$as_root mkdir -p /etc/ssh
	$as_root touch /etc/ssh/sshd_not_to_be_run
	echo "deps: /etc/ssh/sshd_not_to_be_run keeps Debian's sshd off"
	;;
esac
case $missing in
*tinysshd*)
	$as_root mkdir -p /etc/tinyssh
	$as_root touch /etc/tinyssh/disable_tinysshd
	echo "deps: /etc/tinyssh/disable_tinysshd keeps Debian's tinysshd off"
	;;
esac

$as_root apt-get -qq update
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
	-o Dpkg::Use-Pty=0 install --no-install-recommends $missing >/dev/null
