/*
 * csftpfs with gesftpserver, which does what the draft says where OpenSSH does
 * not: the paths of SYMLINK come in the other order, and answers in any.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

#define GESFTPSERVER "/usr/libexec/gesftpserver"

static int make(void **state)
{
	*state = calloc(1, sizeof(struct mounted));
	return *state ? 0 : -1;
}

static int drop(void **state)
{
	struct mounted *mounted = *state;

	if (mounted->dir[0])
		mounted_stop(mounted);
	free(mounted);
	return 0;
}

static struct mounted *ready(void **state)
{
	char *argv[] = {(char[]){GESFTPSERVER}, NULL};
	struct mounted *mounted = *state;

	if (access(GESFTPSERVER, X_OK) != 0)
		skip_because("gesftpserver is not installed");
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		skip_because("/dev/fuse cannot be used");
	mounted_serve(mounted, DIRECT_CSFTP);
	direct_stop(&mounted->direct);
	direct_start(&mounted->direct, argv);
	mounted_mount(mounted, NULL);
	return mounted;
}

static void links_have_their_names_and_texts(void **state)
{
	struct mounted *mounted = ready(state);

	must_sh("cd '%s'\n"
		"echo text >file\n"
		"ln -s file link\n"
		"ln -s none lost\n"
		"mkdir d\n"
		"ln -s ../file d/up\n"
		"test \"$(cat link d/up)\" = 'text\ntext'\n"
		"cd '%s'\n"
		"test \"$(readlink link)\" = file\n"
		"test \"$(readlink lost)\" = none\n"
		"test \"$(readlink d/up)\" = ../file\n"
		"test \"$(ls -A)\" = 'd\nfile\nlink\nlost'",
		mounted->point, mounted->served);
	mounted_unmount(mounted);
}

static void trees_go_in_and_out(void **state)
{
	struct mounted *mounted = ready(state);

	must_sh("cd '%s'\n"
		"mkdir -p ../tree/a/b\n"
		"head -c 3000000 /dev/urandom >../tree/big\n"
		"seq 1000 >../tree/a/b/numbers\n"
		"ln -s big ../tree/link\n"
		"chmod 700 ../tree/a\n"
		"chmod 600 ../tree/big\n"
		"touch -d @1000000000 ../tree/a/b/numbers\n"
		"rsync -a ../tree/ in/\n"
		"diff -r --no-dereference ../tree '%s/in'\n"
		"rsync -a in/ ../back/\n"
		"diff -r --no-dereference ../tree ../back\n"
		"test \"$(stat -c %%a:%%Y in/a/b/numbers)\" = "
		"\"$(stat -c %%a:%%Y ../tree/a/b/numbers)\"\n"
		"test \"$(stat -c %%a in/a)\" = 700\n"
		"echo new >x\n"
		"echo old >in/big\n"
		"mv x in/big\n"
		"test \"$(cat in/big)\" = new\n"
		"rm -r in\n"
		"test ! -e in",
		mounted->point, mounted->served);
	mounted_unmount(mounted);
}

static void refusals_have_their_reasons(void **state)
{
	struct mounted *mounted = ready(state);

	must_sh("cd '%s'\n"
		"fails() {\n"
		"\twhy=$1\n"
		"\tshift\n"
		"\tif \"$@\" 2>../err; then exit 9; fi\n"
		"\tgrep \"$why\" ../err\n"
		"}\n"
		"mkdir full\n"
		"echo x >full/file\n"
		"fails 'not empty' rmdir full\n"
		"fails 'File exists' mkdir full\n"
		"fails 'Not a directory' rmdir full/file\n"
		"fails 'File exists' ln -s x full/file\n"
		"fails 'No such file' cat none",
		mounted->point);
	mounted_unmount(mounted);
}

#define GE_TEST(claim) cmocka_unit_test_setup_teardown(claim, make, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		GE_TEST(links_have_their_names_and_texts),
		GE_TEST(trees_go_in_and_out),
		GE_TEST(refusals_have_their_reasons),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
