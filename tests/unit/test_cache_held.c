/* The cache while nobody answers below: what it shows, and what waits. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

#define LONG_AGO 1000000U

/* A tree that was there before. */
static void make_tree(struct far *far)
{
	assert_int_equal(fs_mkdir(&far->other, "/d"), 0);
	far_put(&far->other, "/d/one", "1");
	far_put(&far->other, "/d/two", "22");
	assert_int_equal(fs_symlink(&far->other, "/d/link", "one"), 0);
	assert_int_equal(fs_mkdir(&far->other, "/d/sub"), 0);
}

/* Was asked for long ago; nobody answers any more. */
static void hold_long_after(struct far *far)
{
	far_settle(far);
	far->now_ms += LONG_AGO;
	cache_hold(far->cache, true);
	far_begin(far);
}

static void the_top_is_shown_while_nobody_answers(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/"), 0);
	hold_long_after(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/"), 0);
	assert_int_equal(far->caller.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(far->all, 0);
	cache_hold(far->cache, false);
	assert_int_equal(fs_lgetattr(&far->caller, "/"), 0);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
}

static void ask(struct far *far, struct fs_asked *asked, enum csftp_op op,
		const char *path)
{
	fs_ask(far->caller.fs, asked,
	       &(struct csftp_req){
		       .op = op, .flags = CSFTP_NOFOLLOW, .path = path});
}

/* It took a while to see that nobody answers any more. */
static void who_waits_for_the_top_is_shown_it_then(void **state)
{
	struct far *far = *state;
	struct fs_asked top, other;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/"), 0);
	far->now_ms += LONG_AGO;
	ask(far, &top, CSFTP_OP_GETATTR, "/");
	ask(far, &other, CSFTP_OP_GETATTR, "/d");
	assert_int_equal(top.err, -1);
	cache_hold(far->cache, true);
	assert_int_equal(top.err, 0);
	assert_int_equal(top.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(other.err, -1);
	cache_hold(far->cache, false);
	far_settle(far);
	assert_int_equal(other.err, 0);
	assert_int_equal(other.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
}

static void what_was_known_is_shown_however_old_it_is(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	size_t at;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
	hold_long_after(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/two"), 0);
	assert_int_equal(far->caller.attr.size, 2);
	assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
	assert_string_equal(far->caller.text, "one");
	assert_int_equal(fs_list(&far->caller, "/d", &names), 0);
	assert_int_equal(names.count, 4);
	assert_int_equal(fs_names_find(&names, "two", &at), 1);
	assert_true(names.attr[at].mask & CSFTP_ATTR_SIZE);
	fs_names_release(&names);
	assert_int_equal(far->all, 0);
	cache_hold(far->cache, false);
	far_put(&far->other, "/d/three", "333");
	assert_int_equal(far_list(&far->caller, "/d"), 5);
}

/* Who is told that there is none may make it anew. */
static void that_a_name_is_not_there_is_not_said_for_ever(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	cache_hold(far->cache, true);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none"), ENOENT);
	assert_int_equal(far->all, 0);
	cache_hold(far->cache, false);
	far_put(&far->other, "/d/none", "there is");
	hold_long_after(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none"), 0);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
}

static void a_name_asked_for_in_vain_is_in_no_listing(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far->now_ms += LONG_AGO;
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none"), ENOENT);
	hold_long_after(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->all, 0);
}

static void what_we_changed_and_nobody_asked_for_is_not_shown(void **state)
{
	struct far *far = *state;
	csftp_fh fh;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_open(&far->caller, "/d/one", CSFTP_OPEN_WRITE), 0);
	fh = far->caller.fh;
	assert_int_equal(fs_write(&far->caller, fh, 0, "1234", 4), 0);
	hold_long_after(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 4);
	assert_int_equal(far->all, 1);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->all, 1);
}

static int make_dir(struct fs_caller *caller)
{
	return fs_mkdir(caller, "/d/new");
}

static int make_link(struct fs_caller *caller)
{
	return fs_symlink(caller, "/d/new", "one");
}

static int make_file(struct fs_caller *caller)
{
	return fs_open(caller, "/d/new", CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT) ||
	       fs_close(caller, caller->fh);
}

static int make_second_name(struct fs_caller *caller)
{
	return fs_link(caller, "/d/one", "/d/new");
}

static int remove_file(struct fs_caller *caller)
{
	return fs_unlink(caller, "/d/one");
}

static int remove_dir(struct fs_caller *caller)
{
	return fs_rmdir(caller, "/d/sub");
}

static int move_away(struct fs_caller *caller)
{
	return fs_rename(caller, "/d/one", "/one");
}

static int move_here(struct fs_caller *caller)
{
	return fs_rename(caller, "/other", "/d/other");
}

static int open_what_is_there(struct fs_caller *caller)
{
	return fs_open(caller, "/d/one", CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT) ||
	       fs_close(caller, caller->fh);
}

static int make_what_is_there(struct fs_caller *caller)
{
	return fs_mkdir(caller, "/d/one") != EEXIST;
}

static int remove_what_is_not_there(struct fs_caller *caller)
{
	return fs_unlink(caller, "/d/none") != ENOENT;
}

static int (*const changes[])(struct fs_caller *) = {
	make_dir,
	make_link,
	make_file,
	make_second_name,
	remove_file,
	remove_dir,
	move_away,
	move_here,
	open_what_is_there,
	make_what_is_there,
	remove_what_is_not_there,
};

static int64_t mtime_of(struct fs_caller *caller, const char *path)
{
	assert_int_equal(fs_lgetattr(caller, path), 0);
	assert_true(caller->attr.mask & CSFTP_ATTR_MTIME);
	return caller->attr.mtime.sec;
}

/* Whoever had its time before, and whatever the change was. */
static void check_time(int (*change)(struct fs_caller *), bool clock_is_known)
{
	struct far *far = far_new(&(struct cache_config){0});
	int64_t before, now;

	make_tree(far);
	far_put(&far->other, "/other", "");
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	before = mtime_of(&far->caller, "/d");
	if (clock_is_known) {
		assert_int_equal(fs_mkdir(&far->caller, "/made"), 0);
		(void)mtime_of(&far->caller, "/made");
	}
	far->now_ms += 5000;
	assert_int_equal(change(&far->caller), 0);
	hold_long_after(far);
	now = mtime_of(&far->other, "/d");
	if (now != before && !clock_is_known)
		now -= FAR_BEHIND;
	assert_int_equal(mtime_of(&far->caller, "/d"), now);
	assert_int_equal(far->all, 0);
	far_free(far);
}

static void a_directory_has_the_time_of_our_change_of_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		check_time(changes[i], true);
		check_time(changes[i], false);
	}
}

/* It takes a while to see that nobody answers: who waits has it then. */
static void who_waits_for_what_was_known_has_it_then(void **state)
{
	static const enum csftp_op ops[] = {CSFTP_OP_GETATTR, CSFTP_OP_READLINK,
					    CSFTP_OP_OPENDIR};
	static const char *const paths[] = {"/d/one", "/d/link", "/d"};
	struct far *far = *state;
	struct fs_asked asked[3];

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
	far->now_ms += LONG_AGO;
	for (size_t i = 0; i < 3; i++) {
		ask(far, &asked[i], ops[i], paths[i]);
		assert_int_equal(asked[i].err, -1);
	}
	cache_hold(far->cache, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(asked[i].err, 0);
	assert_int_equal(fs_close(&far->caller, asked[2].fh), 0);
	cache_hold(far->cache, false);
	far_settle(far);
}

/* The same of those who wait for what is asked for already. */
static void who_waits_for_a_listing_ahead_has_the_old_one_then(void **state)
{
	struct far *far = *state;
	struct fs_asked asked;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	far->now_ms += 2000;
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far->now_ms += 20000;
	/* Its mtime is asked for: it may be the same names. */
	ask(far, &asked, CSFTP_OP_OPENDIR, "/d");
	assert_int_equal(asked.err, -1);
	cache_hold(far->cache, true);
	assert_int_equal(asked.err, 0);
	assert_int_equal(fs_close(&far->caller, asked.fh), 0);
	cache_hold(far->cache, false);
	far_settle(far);
}

#define HELD_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, far_set_up, far_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD_TEST(the_top_is_shown_while_nobody_answers),
		HELD_TEST(who_waits_for_the_top_is_shown_it_then),
		HELD_TEST(what_was_known_is_shown_however_old_it_is),
		HELD_TEST(that_a_name_is_not_there_is_not_said_for_ever),
		HELD_TEST(a_name_asked_for_in_vain_is_in_no_listing),
		HELD_TEST(what_we_changed_and_nobody_asked_for_is_not_shown),
		cmocka_unit_test(
			a_directory_has_the_time_of_our_change_of_names),
		HELD_TEST(who_waits_for_what_was_known_has_it_then),
		HELD_TEST(who_waits_for_a_listing_ahead_has_the_old_one_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
