/*
 * csftpfs with SSH of its own and tinysshd, which has nothing but Ed25519,
 * X25519 and ChaCha20-Poly1305, and serves one connection a process.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

static int make(void **state)
{
	*state = calloc(1, sizeof(struct mounted));
	return *state ? 0 : -1;
}

static int drop(void **state)
{
	struct mounted *mounted = *state;

	mounted_stop(mounted);
	free(mounted);
	return 0;
}

/* What is written and linked by one mount is found by the next. */
static void tinysshd_is_a_server_like_any_other(void **state)
{
	struct mounted *mounted = *state;

	if (access("/dev/fuse", R_OK | W_OK) != 0)
		skip_because("/dev/fuse cannot be used");
	mounted_serve(mounted, NATIVE_OPENSSH);
	sshd_stop(&mounted->sshd);
	tinysshd_start(&mounted->sshd, OPENSSH_SFTP_SERVER);
	mounted_mount(mounted, NULL);
	must_sh("cd '%s'\n"
		"head -c 30000000 /dev/urandom >../big\n"
		"cp ../big big\n"
		"cmp ../big '%s/big'\n"
		"mkdir d && ln -s ../big d/link && mv big d/moved\n"
		"test \"$(readlink d/link)\" = ../big",
		mounted->point, mounted->served);
	mounted_unmount(mounted);
	mounted_mount(mounted, NULL);
	must_sh("cmp '%s/d/moved' '%s/../big'", mounted->point,
		mounted->served);
	mounted_unmount(mounted);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test_setup_teardown(
			tinysshd_is_a_server_like_any_other, make, drop),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
