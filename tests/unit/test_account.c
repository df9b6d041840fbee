/* Users and groups: of local files, and of what getent(1) can reach. */
#include "server/account.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* Whether the local files are there; getent(1) has its own view of that. */
static bool no_files;

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *);

	if (no_files && strncmp(path, "/etc/", 5) == 0)
		return NULL;
	*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	return real(path, mode);
}

static void root_is_known(void)
{
	const struct passwd *pw = account_user(0);
	const struct group *gr;

	assert_non_null(pw);
	assert_string_equal(pw->pw_name, "root");
	assert_string_equal(pw->pw_dir, "/root");
	pw = account_user_named("root");
	assert_non_null(pw);
	assert_int_equal(pw->pw_uid, 0);
	gr = account_group(0);
	assert_non_null(gr);
	assert_string_equal(gr->gr_name, "root");
}

static void local_users_are_found_in_their_file(void **state)
{
	(void)state;
	no_files = false;
	root_is_known();
}

static void others_are_asked_for(void **state)
{
	(void)state;
	if (access("/usr/bin/getent", X_OK) != 0)
		skip_because("there is no getent(1)");
	no_files = true;
	root_is_known();
	no_files = false;
}

static void whom_nobody_knows_is_nobody(void **state)
{
	char name[4096];

	(void)state;
	assert_null(account_user(4000000000U));
	assert_null(account_group(4000000000U));
	assert_null(account_user_named("no such user"));
	/* A number is no name, an option no key, and a name has an end. */
	assert_null(account_user_named("0"));
	assert_null(account_user_named("--help"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(account_user_named(name));
}

static void rules_are_no_users(void **state)
{
	FILE *file = tmpfile();
	const struct passwd *pw;

	(void)state;
	assert_non_null(file);
	assert_true(fputs("+@staff:x:1:1::/:/bin/sh\n-x:x:2:2::/:/bin/sh\n"
			  "u:x:3:3::/home/u:/bin/sh\n",
			  file) >= 0);
	rewind(file);
	pw = account_next_user(file);
	assert_non_null(pw);
	assert_string_equal(pw->pw_name, "u");
	assert_null(account_next_user(file));
	assert_int_equal(fclose(file), 0);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(local_users_are_found_in_their_file),
		cmocka_unit_test(others_are_asked_for),
		cmocka_unit_test(whom_nobody_knows_is_nobody),
		cmocka_unit_test(rules_are_no_users),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
