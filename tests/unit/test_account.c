/* Users and groups: of local files, and of what getent(1) can reach. */
#include "server/account.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
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
	struct account one;

	assert_true(account_user(&one, 0));
	assert_string_equal(one.name, "root");
	assert_string_equal(one.home, "/root");
	assert_true(account_user_named(&one, "root"));
	assert_int_equal(one.id, 0);
	assert_true(account_group(&one, 0));
	assert_string_equal(one.name, "root");
	assert_string_equal(one.home, "");
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
	struct account one;
	char name[4096];

	(void)state;
	assert_false(account_user(&one, 4000000000U));
	assert_false(account_group(&one, 4000000000U));
	assert_false(account_user_named(&one, "no such user"));
	/* A number is no name, an option no key, and a name has an end. */
	assert_false(account_user_named(&one, "0"));
	assert_false(account_user_named(&one, "--help"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(account_user_named(&one, name));
}

static void rules_are_no_users(void **state)
{
	FILE *file = tmpfile();
	struct account one;

	(void)state;
	assert_non_null(file);
	assert_true(fputs("+@staff:x:1:1::/:/bin/sh\n-x:x:2:2::/:/bin/sh\n"
			  "u:x:3:3::/home/u:/bin/sh\n",
			  file) >= 0);
	rewind(file);
	assert_true(account_next_user(&one, file));
	assert_string_equal(one.name, "u");
	assert_false(account_next_user(&one, file));
	assert_int_equal(fclose(file), 0);
}

static void lines_that_are_no_entries_are_left_out(void **state)
{
	FILE *file = tmpfile();
	struct account one;

	(void)state;
	assert_non_null(file);
	assert_true(fputs("\n# a:x:1:1::/:\nfew:x:1\nno:x:y:1::/:\n"
			  "big:x:4294967296:1::/:/bin/sh\n:\n"
			  "u:x:3:3:a, b:/home/u:",
			  file) >= 0);
	rewind(file);
	assert_true(account_next_user(&one, file));
	assert_string_equal(one.name, "u");
	assert_int_equal(one.id, 3);
	assert_string_equal(one.home, "/home/u");
	assert_false(account_next_user(&one, file));
	assert_int_equal(fclose(file), 0);
}

static void a_group_of_many_is_a_group(void **state)
{
	FILE *file = tmpfile();
	struct account one;

	(void)state;
	assert_non_null(file);
	assert_true(fputs("many:x:7:", file) >= 0);
	for (unsigned i = 0; i < 2 * ACCOUNT_LINE_MAX; i++)
		assert_true(fputs("member,", file) >= 0);
	assert_true(fputs("last\nnext:x:8:\n", file) >= 0);
	rewind(file);
	assert_true(account_next_group(&one, file));
	assert_string_equal(one.name, "many");
	assert_int_equal(one.id, 7);
	assert_true(account_next_group(&one, file));
	assert_string_equal(one.name, "next");
	/* Of a user the end would be missed. */
	rewind(file);
	assert_false(account_next_user(&one, file));
	assert_int_equal(fclose(file), 0);
}

enum { LOOKS = 2000 };

static void *look_for(void *arg)
{
	const char *name = arg;
	struct account one;
	uintptr_t wrong = 0;

	for (int i = 0; i < LOOKS; i++)
		if (!account_user_named(&one, name) ||
		    strcmp(one.name, name) != 0)
			wrong++;
	return (void *)wrong;
}

/* Workers and disk threads ask at the same time. */
static void threads_find_each_their_own(void **state)
{
	static char first[] = "root", second[] = "daemon";
	pthread_t thread;
	void *wrong;

	(void)state;
	no_files = false;
	assert_int_equal(pthread_create(&thread, NULL, look_for, first), 0);
	assert_null(look_for(second));
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(local_users_are_found_in_their_file),
		cmocka_unit_test(others_are_asked_for),
		cmocka_unit_test(whom_nobody_knows_is_nobody),
		cmocka_unit_test(rules_are_no_users),
		cmocka_unit_test(lines_that_are_no_entries_are_left_out),
		cmocka_unit_test(a_group_of_many_is_a_group),
		cmocka_unit_test(threads_find_each_their_own),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
