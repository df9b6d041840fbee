/*
 * The SSH engine where libcrypto has ML-KEM and OpenSSH offers it first: built
 * and tested in a Debian 13 of its own, made with debootstrap.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

static const char packages[] =
	"dropbear-bin gcc libc6-dev libcmocka-dev libfuse3-dev libseccomp-dev "
	"libssh2-1-dev libssl-dev libuv1-dev make nettle-dev openssh-client "
	"openssh-server pkg-config uthash-dev";

static const char programs[] =
	"unit/test_ssh_crypt loopback/test_ssh loopback/test_ssh_hostile "
	"interop/test_ssh_engine";

static int make_dir(void **state)
{
	char *dir = malloc(PROC_PATH_MAX);

	if (!dir)
		return -1;
	scratch_make(dir);
	*state = dir;
	return 0;
}

static int remove_dir(void **state)
{
	scratch_remove(*state);
	free(*state);
	return 0;
}

/* No archive within reach is a reason not to run; what comes later is not. */
static void need_debian_13(const char *dir)
{
	if (geteuid() != 0)
		skip_because("not root");
	skip_without("debootstrap");
	if (proc_sh(0,
		    "cd %s; { debootstrap --variant=minbase trixie root && "
		    "printf '#!/bin/sh\\nexit 101\\n' "
		    ">root/usr/sbin/policy-rc.d && "
		    "chmod 755 root/usr/sbin/policy-rc.d && "
		    "DEBIAN_FRONTEND=noninteractive TMPDIR=/tmp "
		    "chroot root apt-get -y "
		    "install "
		    "--no-install-recommends %s; } "
		    ">log 2>&1 || { tail -3 log; exit 1; }",
		    dir, packages) != 0)
		skip_because("no Debian 13 can be made here");
}

static void with_ml_kem_the_engine_passes_its_tests(void **state)
{
	const char *dir = *state;

	need_debian_13(dir);
	must_sh("mkdir %s/root/csftp && cp -r Makefile core fusefs include "
		"server tests %s/root/csftp",
		dir, dir);
	/* Mounts and processes end with the shell that has them. */
	must_sh("unshare --mount --pid --fork --kill-child sh -exc "
		"'" PROC_LET_GO "mount -t proc proc %s/root/proc; "
		"mount --rbind /dev %s/root/dev; "
		"TMPDIR=/tmp exec chroot %s/root sh -ec \""
		"cd csftp; for test in %s; do make -sj2 build/tests/\\$test; "
		"CMOCKA_MESSAGE_OUTPUT=TAP build/tests/\\$test "
		">/log-\\${test#*/} 2>&1 || "
		"{ grep -A9 ^not /log-*; exit 1; }; done\"'",
		dir, dir, dir, programs);
	/* Which they skip where there is none. */
	must_sh("grep -x 'ok [0-9]* - "
		"a_changed_ciphertext_gives_another_secret'"
		" %s/root/log-test_ssh_crypt",
		dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_ml_kem_the_engine_passes_its_tests),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
