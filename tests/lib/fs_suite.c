#include "tests/lib/fs_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fs_suite_checks.h"
#include "tests/lib/proc.h"

int fs_suite_setup(void **state)
{
	struct fs_suite *suite = *state;

	snprintf(suite->dir, sizeof(suite->dir), "%s/suite", suite->base);
	return fs_mkdir(&suite->caller, suite->dir);
}

int fs_suite_teardown(void **state)
{
	struct fs_suite *suite = *state;
	int err = fs_remove_tree(&suite->caller, suite->dir);

	fs_caller_release(&suite->caller);
	return err;
}

const char *at(struct fs_suite *suite, const char *name)
{
	char *path = suite->path[suite->next_path];
	int len = snprintf(path, sizeof(suite->path[0]), "%s/%s", suite->dir,
			   name);

	assert_in_range(len, 1, CSFTP_PATH_MAX);
	suite->next_path = (suite->next_path + 1) % ARRAY_LEN(suite->path);
	return path;
}

void need(const struct fs_suite *suite, uint32_t what)
{
	if ((suite->has & what) != what)
		skip_because("this file system cannot, by its nature");
}

void fs_suite_expect(const struct fs_suite *suite, int got, int want,
		     const char *file, int line)
{
	if (suite->has & FS_EXACT_ERRNO)
		_assert_int_equal(cast_to_largest_integral_type(got),
				  cast_to_largest_integral_type(want), file,
				  line);
	else
		_assert_int_equal(got != 0, want != 0, file, line);
}

void make_file(struct fs_suite *suite, const char *name, const char *text)
{
	csftp_fh fh = open_file(suite, name,
				CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT |
					CSFTP_OPEN_TRUNC);

	assert_int_equal(fs_write(&suite->caller, fh, 0, text, strlen(text)),
			 0);
	close_fh(suite, fh);
}

csftp_fh open_file(struct fs_suite *suite, const char *name, uint32_t flags)
{
	assert_int_equal(fs_open(&suite->caller, at(suite, name), flags), 0);
	return suite->caller.fh;
}

csftp_fh open_dir(struct fs_suite *suite, const char *name)
{
	assert_int_equal(fs_opendir(&suite->caller, at(suite, name)), 0);
	return suite->caller.fh;
}

void close_fh(struct fs_suite *suite, csftp_fh fh)
{
	assert_int_equal(fs_close(&suite->caller, fh), 0);
}

void fh_has_text(struct fs_suite *suite, csftp_fh fh, const char *text)
{
	struct fs_caller *caller = &suite->caller;
	size_t len = strlen(text);

	/* One byte more would show what is too long. */
	assert_int_equal(fs_read_all(caller, fh, 0, len + 1), 0);
	assert_int_equal(caller->data_len, len);
	if (len > 0)
		assert_memory_equal(caller->data, text, len);
}

void has_text(struct fs_suite *suite, const char *name, const char *text)
{
	csftp_fh fh = open_file(suite, name, CSFTP_OPEN_READ);

	fh_has_text(suite, fh, text);
	close_fh(suite, fh);
}

static int run_group(struct fs_suite *suite, const char *group,
		     const struct CMUnitTest *checks, size_t count)
{
	struct CMUnitTest *own = malloc(count * sizeof(*own));
	char title[128];
	int failed;

	if (!own)
		return 1;
	memcpy(own, checks, count * sizeof(*own));
	for (size_t i = 0; i < count; i++)
		own[i].initial_state = suite;
	snprintf(title, sizeof(title), "%s: %s", suite->name, group);
	failed = _cmocka_run_group_tests(title, own, count, NULL, NULL);
	free(own);
	return failed;
}

int fs_suite_run(struct fs_suite *suite)
{
	int failed = 0;

	failed += run_group(suite, "attributes", fs_suite_attr,
			    fs_suite_attr_count);
	failed +=
		run_group(suite, "content", fs_suite_data, fs_suite_data_count);
	failed +=
		run_group(suite, "names", fs_suite_names, fs_suite_names_count);
	failed += run_group(suite, "directories", fs_suite_dirs,
			    fs_suite_dirs_count);
	return failed;
}

int fs_suite_run_over(const struct fs_caller *caller, struct fs_caller *other,
		      const char *name, uint32_t has)
{
	struct fs_suite suite = {
		.caller =
			{
				.fs = caller->fs,
				.drive = caller->drive,
				.arg = caller->arg,
			},
		.name = name,
		.base = "/base",
		.has = has,
	};
	int failed = fs_mkdir(other, suite.base) == 0 ? 0 : 1;

	failed += fs_suite_run(&suite);
	fs_caller_release(&suite.caller);
	return failed;
}
