/* The cache, over memfs: what it knows is so, whatever happened meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

#define FILES 100U

/* Of names in a cache that is to hold those of one directory, not of two. */
#define SMALL 90000U

static void name_of(char path[64], const char *dir, unsigned i)
{
	(void)snprintf(path, 64, "%s/%03u", dir, i);
}

/* A directory that was there before, with so many files. */
static void make_dir(struct far *far, const char *dir, unsigned files)
{
	char path[64];

	assert_int_equal(fs_mkdir(&far->other, dir), 0);
	for (unsigned i = 0; i < files; i++) {
		name_of(path, dir, i);
		far_put(&far->other, path, "text");
	}
}

static void check_files(struct far *far, const char *dir)
{
	char path[64];

	for (unsigned i = 0; i < FILES; i++) {
		name_of(path, dir, i);
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
	}
	assert_int_equal(far_list(&far->caller, dir), FILES);
}

/* What is learned of the one is forgotten while the other is listed. */
static void listings_too_large_for_memory_are_not_whole(void **state)
{
	const struct cache_config config = {.bytes_max = SMALL};
	struct far *far = far_new(&config);
	struct fs_names names = {0};
	csftp_fh fh[2];

	(void)state;
	make_dir(far, "/a", FILES);
	make_dir(far, "/b", FILES);
	assert_int_equal(fs_opendir(&far->caller, "/a"), 0);
	fh[0] = far->caller.fh;
	assert_int_equal(fs_opendir(&far->caller, "/b"), 0);
	fh[1] = far->caller.fh;
	for (unsigned i = 0; i <= FILES / 10; i++) {
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(
				fs_readdir(&far->caller, fh[k], &names, 10), 0);
	}
	/* And the dots. */
	assert_int_equal(names.count, 2 * FILES + 4);
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(fs_close(&far->caller, fh[k]), 0);
	fs_names_release(&names);
	check_files(far, "/a");
	check_files(far, "/b");
	far_free(far);
}

static void a_reader_loses_no_names_for_want_of_memory(void **state)
{
	const struct cache_config config = {.bytes_max = SMALL};
	struct far *far = far_new(&config);
	struct fs_names names = {0};
	csftp_fh fh;

	(void)state;
	make_dir(far, "/a", FILES);
	make_dir(far, "/b", FILES);
	assert_int_equal(far_list(&far->caller, "/a"), FILES);
	far_begin(far);
	assert_int_equal(fs_opendir(&far->caller, "/a"), 0);
	assert_int_equal(far->all, 0);
	fh = far->caller.fh;
	assert_int_equal(fs_readdir(&far->caller, fh, &names, 10), 0);
	assert_int_equal(far_list(&far->caller, "/b"), FILES);
	assert_int_equal(fs_readdir_all(&far->caller, fh, &names, 10), 0);
	assert_int_equal(names.count, FILES);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	fs_names_release(&names);
	assert_in_range(cache_bytes(far->cache), 0, 2 * SMALL);
	far_free(far);
}

/* Whether they are asked for, made or removed, one by one. */
static void one_directory_alone_is_bounded(void **state)
{
	const struct cache_config config = {.bytes_max = SMALL};
	struct far *far = far_new(&config);
	char path[64];

	(void)state;
	make_dir(far, "/a", 6 * FILES);
	assert_int_equal(far_list(&far->caller, "/a"), 6 * FILES);
	for (unsigned i = 0; i < 6 * FILES; i++) {
		name_of(path, "/a", i);
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
		assert_in_range(cache_bytes(far->cache), 0, SMALL + 2000);
	}
	assert_int_equal(far_list(&far->caller, "/a"), 6 * FILES);
	for (unsigned i = 0; i < 6 * FILES; i++) {
		name_of(path, "/a", i);
		assert_int_equal(fs_unlink(&far->caller, path), 0);
		assert_int_equal(fs_lgetattr(&far->caller, path), ENOENT);
		assert_in_range(cache_bytes(far->cache), 0, SMALL + 2000);
	}
	assert_int_equal(fs_mkdir(&far->caller, "/b"), 0);
	for (unsigned i = 0; i < 6 * FILES; i++) {
		name_of(path, "/b", i);
		far_put(&far->caller, path, "text");
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
		assert_in_range(cache_bytes(far->cache), 0, SMALL + 2000);
	}
	assert_int_equal(far_list(&far->caller, "/b"), 6 * FILES);
	far_free(far);
}

/* As long as not all names there are known, its absence is remembered. */
static void a_reader_is_not_shown_what_we_removed(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	csftp_fh fh;

	make_dir(far, "/a", FILES);
	assert_int_equal(far_list(&far->caller, "/a"), FILES);
	assert_int_equal(fs_opendir(&far->caller, "/a"), 0);
	fh = far->caller.fh;
	assert_int_equal(fs_readdir(&far->caller, fh, &names, 10), 0);
	far->now_ms += 20000;
	assert_int_equal(fs_unlink(&far->caller, "/a/000"), 0);
	assert_int_equal(fs_unlink(&far->caller, "/a/099"), 0);
	assert_int_equal(fs_readdir_all(&far->caller, fh, &names, 10), 0);
	assert_int_equal(fs_names_find(&names, "000", NULL), 1);
	assert_int_equal(fs_names_find(&names, "099", NULL), 0);
	assert_int_equal(names.count, FILES - 1);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	fs_names_release(&names);
}

/* As rsync(1) does, which makes a directory look as it did elsewhere. */
static void what_we_make_stays_when_the_time_is_put_back(void **state)
{
	struct far *far = *state;
	struct csftp_attr attr;

	make_dir(far, "/a", 1);
	assert_int_equal(fs_lgetattr(&far->caller, "/a"), 0);
	attr = far->caller.attr;
	attr.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
	far->now_ms += 2000;
	assert_int_equal(far_list(&far->caller, "/a"), 1);
	far_put(&far->caller, "/a/new", "text");
	assert_int_equal(fs_lsetattr(&far->caller, "/a", &attr), 0);
	far->now_ms += 20000;
	assert_int_equal(far_list(&far->caller, "/a"), 2);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/new"), 0);
}

static void what_is_no_directory_any_more_has_no_names(void **state)
{
	const struct cache_config config = {.attr_ms = 1000};
	struct far *far = far_new(&config);

	(void)state;
	make_dir(far, "/a", 2);
	assert_int_equal(fs_lgetattr(&far->caller, "/a"), 0);
	assert_int_equal(far_list(&far->caller, "/a"), 2);
	assert_int_equal(fs_remove_tree(&far->other, "/a"), 0);
	far_put(&far->other, "/a", "a file");
	far->now_ms += 1000;
	assert_int_equal(fs_lgetattr(&far->caller, "/a"), 0);
	assert_int_equal(far->caller.attr.size, 6);
	assert_int_equal(fs_opendir(&far->caller, "/a"), ENOTDIR);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), ENOTDIR);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/none"), ENOTDIR);
	far_free(far);
}

/* The file of that name is gone, which we have not heard of. */
static void a_link_we_made_is_listed_as_one(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	size_t at;

	make_dir(far, "/a", 3);
	assert_int_equal(far_list(&far->caller, "/a"), 3);
	assert_int_equal(fs_unlink(&far->other, "/a/000"), 0);
	assert_int_equal(fs_symlink(&far->caller, "/a/000", "001"), 0);
	assert_int_equal(fs_list(&far->caller, "/a", &names), 0);
	assert_int_equal(fs_names_find(&names, "000", &at), 1);
	assert_int_equal(names.attr[at].mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	fs_names_release(&names);
}

static void a_link_that_leads_nowhere_is_there(void **state)
{
	struct far *far = *state;

	assert_int_equal(fs_symlink(&far->other, "/link", "nowhere"), 0);
	assert_int_equal(fs_opendir(&far->caller, "/link"), ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/link"), 0);
	assert_int_equal(fs_open(&far->caller, "/link", CSFTP_OPEN_READ),
			 ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/link"), 0);
}

/* rename(2) does nothing then, and says that all is well. */
static void two_names_that_others_made_of_one_file_both_stay(void **state)
{
	struct far *far = *state;

	make_dir(far, "/a", 1);
	assert_int_equal(fs_link(&far->other, "/a/000", "/a/twin"), 0);
	assert_int_equal(far_list(&far->caller, "/a"), 2);
	assert_int_equal(fs_replace(&far->caller, "/a/000", "/a/twin"), 0);
	assert_int_equal(fs_lgetattr(&far->other, "/a/000"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
	assert_int_equal(far_list(&far->caller, "/a"), 2);
}

static void names_that_two_have_listed_at_once_are_there(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	csftp_fh fh[2];

	make_dir(far, "/a", FILES);
	assert_int_equal(fs_lgetattr(&far->caller, "/a"), 0);
	far->now_ms += 2000;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fs_opendir(&far->caller, "/a"), 0);
		fh[i] = far->caller.fh;
	}
	/* The second has enough of it before the first comes to the end. */
	assert_int_equal(fs_readdir(&far->caller, fh[1], &names, 10), 0);
	assert_int_equal(fs_close(&far->caller, fh[1]), 0);
	assert_int_equal(fs_readdir_all(&far->caller, fh[0], &names, 100), 0);
	assert_int_equal(fs_close(&far->caller, fh[0]), 0);
	fs_names_release(&names);
	far->now_ms += 20000;
	far_begin(far);
	assert_int_equal(far_list(&far->caller, "/a"), FILES);
	assert_int_equal(far->all, 1);
}

/* rename(2) leaves both alone. */
static void two_names_we_made_agree_when_one_replaces_the_other(void **state)
{
	struct far *far = *state;

	make_dir(far, "/a", 1);
	assert_int_equal(fs_link(&far->caller, "/a/000", "/a/twin"), 0);
	assert_int_equal(fs_replace(&far->caller, "/a/000", "/a/twin"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
	far_put(&far->caller, "/a/twin", "longer");
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
	assert_int_equal(far->caller.attr.size, 6);
}

/* The one that is forgotten first, and the other. */
static void two_names_we_made_agree_when_they_are_forgotten(void **state)
{
	const struct cache_config config = {.bytes_max = SMALL};
	struct far *far = far_new(&config);

	(void)state;
	make_dir(far, "/a", 1);
	make_dir(far, "/b", 1);
	make_dir(far, "/c", 2 * FILES);
	assert_int_equal(fs_link(&far->caller, "/a/000", "/b/twin"), 0);
	for (unsigned both = 0; both < 2; both++) {
		const char *text = both ? "quite long" : "longer";

		(void)far_list(&far->caller, "/c");
		far_settle(far);
		if (!both)
			assert_int_equal(fs_lgetattr(&far->caller, "/b/twin"),
					 0);
		assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
		far_put(&far->caller, "/b/twin", text);
		assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
		assert_int_equal(far->caller.attr.size, strlen(text));
	}
	/* A directory of that name is known as any other is. */
	assert_int_equal(fs_mkdir(&far->caller, "/twin"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/twin"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/twin"), 0);
	assert_int_equal(far->all, 0);
	/* So is a file that has no other name. */
	assert_int_equal(fs_unlink(&far->caller, "/a/000"), 0);
	far_put(&far->caller, "/a/000", "new");
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/a/000"), 0);
	assert_int_equal(far->all, 0);
	far_free(far);
}

static void ask(struct far *far, struct fs_asked *asked, enum csftp_op op,
		const char *path)
{
	fs_ask(cache_fs(far->cache), asked,
	       &(struct csftp_req){.op = op,
				   .path = path,
				   .flags = op == CSFTP_OP_OPEN
						    ? CSFTP_OPEN_READ
						    : CSFTP_NOFOLLOW});
}

static void a_reader_is_not_shown_what_is_being_made(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	struct fs_asked made;
	csftp_fh fh;

	make_dir(far, "/a", FILES);
	assert_int_equal(far_list(&far->caller, "/a"), FILES);
	assert_int_equal(fs_opendir(&far->caller, "/a"), 0);
	fh = far->caller.fh;
	assert_int_equal(fs_mkdir(&far->other, "/a/new"), 0);
	ask(far, &made, CSFTP_OP_MKDIR, "/a/new");
	assert_int_equal(fs_readdir_all(&far->caller, fh, &names, 1000), 0);
	assert_int_equal(names.count, FILES);
	far_settle(far);
	assert_int_equal(made.err, EEXIST);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	fs_names_release(&names);
}

/* Who asked for the top's attributes behind that waits for nothing. */
static void the_top_can_be_opened_as_a_file(void **state)
{
	const struct cache_config config = {.top = "/a"};
	struct far *far = far_new(&config);
	struct fs_asked opened;
	struct fs_asked waits;

	(void)state;
	make_dir(far, "/a", 1);
	assert_int_equal(fs_lgetattr(&far->caller, "/a"), 0);
	far->now_ms += 5000;
	ask(far, &opened, CSFTP_OP_OPEN, "/a");
	cache_hold(far->cache, true);
	far_settle(far);
	cache_hold(far->cache, false);
	assert_true(opened.err >= 0);
	far->now_ms += 20000;
	ask(far, &waits, CSFTP_OP_GETATTR, "/a");
	far_settle(far);
	assert_int_equal(waits.err, 0);
	far_free(far);
}

#define TRUE_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, far_set_up, far_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings_too_large_for_memory_are_not_whole),
		cmocka_unit_test(a_reader_loses_no_names_for_want_of_memory),
		cmocka_unit_test(one_directory_alone_is_bounded),
		TRUE_TEST(a_reader_is_not_shown_what_we_removed),
		TRUE_TEST(a_reader_is_not_shown_what_is_being_made),
		TRUE_TEST(what_we_make_stays_when_the_time_is_put_back),
		cmocka_unit_test(what_is_no_directory_any_more_has_no_names),
		TRUE_TEST(a_link_we_made_is_listed_as_one),
		TRUE_TEST(a_link_that_leads_nowhere_is_there),
		TRUE_TEST(two_names_that_others_made_of_one_file_both_stay),
		TRUE_TEST(names_that_two_have_listed_at_once_are_there),
		TRUE_TEST(two_names_we_made_agree_when_one_replaces_the_other),
		cmocka_unit_test(
			two_names_we_made_agree_when_they_are_forgotten),
		cmocka_unit_test(the_top_can_be_opened_as_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
