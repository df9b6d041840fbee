#include <stdio.h>

#include "tests/lib/fs_suite_checks.h"

/* Longer than one call's worth of any implementation's buffer. */
#define MANY 10000

static const char *numbered(struct fs_suite *suite, int i)
{
	char name[64];

	snprintf(name, sizeof(name), "a name that is long enough, %05d", i);
	return at(suite, name);
}

static void make_numbered(struct fs_suite *suite, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(
			fs_symlink(&suite->caller, numbered(suite, i), "x"), 0);
}

/* Every number is there once, apart from those that step leaves out. */
static void all_numbered(struct fs_suite *suite, const struct fs_names *names,
			 int count, int step)
{
	bool seen[MANY] = {false};
	int total = 0;

	(void)suite;
	for (size_t i = 0; i < names->count; i++) {
		int number;

		if (sscanf(names->name[i], "a name that is long enough, %d",
			   &number) != 1)
			continue;
		assert_in_range(number, 0, count - 1);
		if (number % step != 0)
			continue;
		assert_false(seen[number]);
		seen[number] = true;
		total++;
	}
	assert_int_equal(total, (count + step - 1) / step);
}

static void a_directory_lists_its_names_with_attributes(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	size_t i = 0;

	make_file(suite, "f", "12345");
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "d"), 0);
	assert_int_equal(fs_list(c, suite->dir, &names), 0);
	assert_int_equal(names.count, 3);
	assert_int_equal(fs_names_find(&names, "f", &i), 1);
	assert_int_equal(names.attr[i].mode, CSFTP_S_IFREG | 0644);
	assert_int_equal(names.attr[i].size, 5);
	assert_int_equal(fs_names_find(&names, "d", &i), 1);
	assert_int_equal(names.attr[i].mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(fs_names_find(&names, "l", &i), 1);
	assert_int_equal(names.attr[i].mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	fs_names_release(&names);
}

static void an_empty_directory_has_only_dots(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	csftp_fh fh = open_dir(suite, "");

	assert_int_equal(fs_readdir_all(c, fh, &names, SIZE_MAX), 0);
	assert_true(names.count == fs_names_find(&names, ".", NULL) +
					   fs_names_find(&names, "..", NULL));
	/* The end stays the end. */
	names.count = 0;
	make_file(suite, "f", "x");
	assert_int_equal(fs_readdir(c, fh, &names, SIZE_MAX), 0);
	assert_true(c->eof);
	assert_int_equal(names.count, 0);
	close_fh(suite, fh);
	fs_names_release(&names);
}

static void ten_thousand_names_are_listed_once_each(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const size_t batch[] = {1, 100, SIZE_MAX};

	make_numbered(suite, MANY);
	for (size_t i = 0; i < ARRAY_LEN(batch); i++) {
		struct fs_names names = {0};
		csftp_fh fh = open_dir(suite, "");

		assert_int_equal(fs_readdir_all(c, fh, &names, batch[i]), 0);
		all_numbered(suite, &names, MANY, 1);
		close_fh(suite, fh);
		fs_names_release(&names);
	}
}

static void a_refused_name_comes_again_in_every_place(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names whole = {0};
	csftp_fh fh;

	make_numbered(suite, 20);
	fh = open_dir(suite, "");
	assert_int_equal(fs_readdir_all(c, fh, &whole, SIZE_MAX), 0);
	close_fh(suite, fh);
	for (size_t first = 0; first <= whole.count; first++) {
		struct fs_names names = {0};

		fh = open_dir(suite, "");
		assert_int_equal(fs_readdir(c, fh, &names, first), 0);
		assert_true(names.count == first || first == whole.count);
		/* Nothing is taken, and nothing lost. */
		assert_int_equal(fs_readdir(c, fh, &names, 0), 0);
		assert_int_equal(names.count, first);
		assert_true(c->eof || first < whole.count);
		assert_int_equal(fs_readdir_all(c, fh, &names, SIZE_MAX), 0);
		assert_int_equal(names.count, whole.count);
		for (size_t i = 0; i < whole.count; i++)
			assert_string_equal(names.name[i], whole.name[i]);
		close_fh(suite, fh);
		fs_names_release(&names);
	}
	fs_names_release(&whole);
}

static void names_removed_meanwhile_hide_no_others(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	csftp_fh fh;
	size_t removed = 0;

	make_numbered(suite, 2000);
	fh = open_dir(suite, "");
	/* As rm -r does it: remove what was listed, then list on. */
	do {
		assert_int_equal(fs_readdir(c, fh, &names, 7), 0);
		for (; removed < names.count; removed++)
			if (names.name[removed][0] != '.')
				assert_int_equal(
					fs_unlink(c, at(suite,
							names.name[removed])),
					0);
		assert_int_equal(fs_readdir(c, fh, &names, 0), 0);
	} while (!c->eof);
	all_numbered(suite, &names, 2000, 1);
	close_fh(suite, fh);
	assert_int_equal(fs_rmdir(c, suite->dir), 0);
	assert_int_equal(fs_mkdir(c, suite->dir), 0);
	fs_names_release(&names);
}

static void names_that_stay_are_listed_once_whatever_else_happens(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	char name[32];
	csftp_fh fh;
	int round = 0;

	make_numbered(suite, 1000);
	fh = open_dir(suite, "");
	do {
		/* New ones come, and odd ones go, before and behind us. */
		snprintf(name, sizeof(name), "new %d", round);
		assert_int_equal(fs_symlink(c, at(suite, name), "x"), 0);
		if (round < 500)
			assert_int_equal(
				fs_unlink(c, numbered(suite, 999 - 2 * round)),
				0);
		assert_int_equal(fs_readdir(c, fh, &names, 5), 0);
	} while (!c->eof && ++round < 10000);
	assert_true(c->eof);
	all_numbered(suite, &names, 1000, 2);
	close_fh(suite, fh);
	fs_names_release(&names);
}

static void a_name_that_is_replaced_stays_listed_once(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	csftp_fh fh;

	need(suite, FS_REPLACE);
	make_numbered(suite, 20);
	fh = open_dir(suite, "");
	assert_int_equal(fs_readdir(c, fh, &names, 5), 0);
	for (int i = 0; i < 20; i++) {
		make_file(suite, "tmp", "x");
		assert_int_equal(
			fs_replace(c, at(suite, "tmp"), numbered(suite, i)), 0);
	}
	assert_int_equal(fs_readdir_all(c, fh, &names, 5), 0);
	all_numbered(suite, &names, 20, 1);
	close_fh(suite, fh);
	fs_names_release(&names);
}

static void a_removed_directory_ends(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	csftp_fh fh;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	fh = open_dir(suite, "d");
	assert_int_equal(fs_rmdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_readdir_all(c, fh, &names, SIZE_MAX), 0);
	for (size_t i = 0; i < names.count; i++)
		assert_int_equal(names.name[i][0], '.');
	assert_int_equal(fs_fgetattr(c, fh), 0);
	close_fh(suite, fh);
	fs_names_release(&names);
}

static void two_listings_do_not_disturb_each_other(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names a = {0};
	struct fs_names b = {0};
	csftp_fh first;
	csftp_fh second;

	make_numbered(suite, 50);
	first = open_dir(suite, "");
	second = open_dir(suite, "");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(fs_readdir(c, first, &a, 1), 0);
		assert_int_equal(fs_readdir(c, second, &b, 2), 0);
	}
	assert_int_equal(fs_readdir_all(c, second, &b, SIZE_MAX), 0);
	close_fh(suite, second);
	assert_int_equal(fs_readdir_all(c, first, &a, SIZE_MAX), 0);
	close_fh(suite, first);
	all_numbered(suite, &a, 50, 1);
	all_numbered(suite, &b, 50, 1);
	fs_names_release(&a);
	fs_names_release(&b);
}

static void a_directory_handle_has_attributes(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0701};
	csftp_fh fh = open_dir(suite, "");

	assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFDIR | 0701);
	close_fh(suite, fh);
}

const struct CMUnitTest fs_suite_dirs[] = {
	FS_CHECK(a_directory_lists_its_names_with_attributes),
	FS_CHECK(an_empty_directory_has_only_dots),
	FS_CHECK(ten_thousand_names_are_listed_once_each),
	FS_CHECK(a_refused_name_comes_again_in_every_place),
	FS_CHECK(names_removed_meanwhile_hide_no_others),
	FS_CHECK(names_that_stay_are_listed_once_whatever_else_happens),
	FS_CHECK(a_name_that_is_replaced_stays_listed_once),
	FS_CHECK(a_removed_directory_ends),
	FS_CHECK(two_listings_do_not_disturb_each_other),
	FS_CHECK(a_directory_handle_has_attributes),
};
const size_t fs_suite_dirs_count = ARRAY_LEN(fs_suite_dirs);
