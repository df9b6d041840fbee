#include "tests/lib/login.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/asker.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

static int start_by(void **state, enum transport transport)
{
	struct login *login = calloc(1, sizeof(*login));

	assert_non_null(login);
	*state = login;
	print_message("# %s\n", transport_name(transport));
	mounted_serve(&login->mounted, transport);
	proc_print(login->hosts, sizeof(login->hosts), "%.4000s/hosts",
		   login->mounted.dir);
	must_sh("echo hello >'%s/file'", login->mounted.served);
	return 0;
}

static int start_native(void **state)
{
	return start_by(state, NATIVE_OPENSSH);
}

static int start_libssh2(void **state)
{
	return start_by(state, LIBSSH2_OPENSSH);
}

static int stop(void **state)
{
	struct login *login = *state;

	mounted_stop(&login->mounted);
	free(login);
	return 0;
}

void login_forget(void)
{
	asker_forget();
	unsetenv("SSH_AUTH_SOCK");
}

int login_clean_up(void **state)
{
	struct login *login = *state;

	mounted_drop(&login->mounted);
	if (login->agent > 0)
		proc_stop(login->agent);
	login->agent = 0;
	login_forget();
	must_sh("rm -f '%s'", login->hosts);
	asker_remove(login->mounted.dir);
	return 0;
}

static char **argv_with(struct login *login, const char *foreground,
			const char *const options[])
{
	const char *append[64] = {NULL};
	size_t n = 0;

	if (foreground)
		append[n++] = foreground;
	for (; *options; options++) {
		append[n++] = "-o";
		append[n++] = *options;
		assert_true(n < 62);
	}
	return mounted_argv(&login->mounted, login->mounted.served,
			    login->mounted.point, append);
}

void login_start(struct login *login, const char *const options[])
{
	char **argv = argv_with(login, "-f", options);

	login->mounted.pid = proc_start(argv, -1, -1, -1);
	mounted_argv_free(argv);
	mounted_await(&login->mounted);
}

void login_works(struct login *login, const char *const options[])
{
	char path[PROC_PATH_MAX], program[PROC_PATH_MAX], text[16] = "";

	login_start(login, options);
	proc_print(path, sizeof(path), "%.4000s/file", login->mounted.point);
	assert_int_equal(file_read(path, text, sizeof(text)), 6);
	assert_string_equal(text, "hello\n");
	/* Every mount here is by one of the two that need no ssh. */
	proc_mounter(program);
	must_sh("'%s' --status '%s' | grep -Ex '  transport: "
		"(native|libssh2)'",
		program, login->mounted.point);
	mounted_unmount(&login->mounted);
}

void login_fails(struct login *login, const char *const options[])
{
	char **argv = argv_with(login, NULL, options);
	int status = proc_capture(argv, LOGIN_MS, login->text, LOGIN_TEXT_MAX);

	mounted_argv_free(argv);
	if (status != 1)
		fail_msg("exit status %d: %s", status, login->text);
	assert_false(is_mount_point(login->mounted.point));
}

void login_says(struct login *login, const char *what)
{
	if (!strstr(login->text, what))
		fail_msg("\"%s\" is not in: %s", what, login->text);
}

void login_says_not(struct login *login, const char *what)
{
	if (strstr(login->text, what))
		fail_msg("\"%s\" is in: %s", what, login->text);
}

const char *login_option(char *buf, const char *name, const char *value)
{
	proc_print(buf, PROC_PATH_MAX, "%s=%s", name, value);
	return buf;
}

int login_run(const struct CMUnitTest *claims, size_t count)
{
	int failed;

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	failed = _cmocka_run_group_tests("native", claims, count, start_native,
					 stop);

	failed |= _cmocka_run_group_tests("libssh2", claims, count,
					  start_libssh2, stop);
	return failed != 0;
}
