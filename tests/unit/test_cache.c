/* The cache, over memfs: what it answers itself, and when it must not. */
#include <errno.h>
#include <stdio.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

/* A tree that was there before. */
static void make_tree(struct far *far)
{
	assert_int_equal(fs_mkdir(&far->other, "/d"), 0);
	far_put(&far->other, "/d/one", "1");
	far_put(&far->other, "/d/two", "22");
	assert_int_equal(fs_symlink(&far->other, "/d/link", "one"), 0);
	assert_int_equal(fs_mkdir(&far->other, "/d/sub"), 0);
}

static void attributes_are_asked_for_once(void **state)
{
	struct far *far = *state;

	make_tree(far);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fs_lgetattr(&far->caller, "/d/two"), 0);
		assert_int_equal(far->caller.attr.size, 2);
	}
	assert_int_equal(far->all, 1);
}

static void after_their_time_they_are_asked_for_again(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	far_put(&far->other, "/d/one", "longer");
	far->now_ms += 19999;
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 1);
	far->now_ms += 1;
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 6);
}

static void a_listing_answers_for_all_names_and_for_no_others(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 1);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/sub"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none"), ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none/below"), ENOENT);
	assert_int_equal(fs_opendir(&far->caller, "/d/none"), ENOENT);
	assert_int_equal(fs_open(&far->caller, "/d/none", CSFTP_OPEN_READ),
			 ENOENT);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->all, 0);
}

static void a_listing_is_forgotten_after_its_time(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far_put(&far->other, "/d/new", "new");
	assert_int_equal(fs_lgetattr(&far->caller, "/d/new"), ENOENT);
	far->now_ms += 20000;
	assert_int_equal(fs_lgetattr(&far->caller, "/d/new"), 0);
	assert_int_equal(far_list(&far->caller, "/d"), 5);
}

/* /d, listed when its mtime has been known for two seconds; that is over. */
static void list_and_wait(struct far *far)
{
	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	far->now_ms += 2000;
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far->now_ms += 20000;
	far_begin(far);
}

static void names_outlive_their_time_by_one_question(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	size_t at;

	list_and_wait(far);
	assert_int_equal(fs_list(&far->caller, "/d", &names), 0);
	assert_int_equal(names.count, 4);
	assert_int_equal(far->all, 1);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/none"), ENOENT);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->all, 1);
	/* Their attributes do not, but for the type. */
	assert_int_equal(fs_names_find(&names, "sub", &at), 1);
	assert_int_equal(names.attr[at].mask, CSFTP_ATTR_TYPE);
	assert_int_equal(names.attr[at].mode, CSFTP_S_IFDIR);
	fs_names_release(&names);
}

static void a_directory_just_looked_at_needs_no_question(void **state)
{
	struct far *far = *state;

	list_and_wait(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	far_begin(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->all, 0);
}

static void a_directory_that_changed_is_listed_again(void **state)
{
	struct far *far = *state;

	list_and_wait(far);
	far_put(&far->other, "/d/new", "text");
	assert_int_equal(far_list(&far->caller, "/d"), 5);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 1);
	/* And one that has gone is not there. */
	far->now_ms += 20000;
	assert_int_equal(fs_remove_tree(&far->other, "/d"), 0);
	assert_int_equal(fs_opendir(&far->caller, "/d"), ENOENT);
}

/* In that second, more can come that the time does not tell. */
static void a_time_that_has_not_passed_proves_nothing(void **state)
{
	struct far *far = *state;

	make_tree(far);
	far->now_ms += 5000;
	far_put(&far->other, "/d/new", "text");
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_int_equal(far_list(&far->caller, "/d"), 5);
	far_put(&far->other, "/d/newer", "text");
	far->now_ms += 20000;
	assert_int_equal(far_list(&far->caller, "/d"), 6);
}

static void who_asks_for_attributes_has_them_listed(void **state)
{
	struct far *far = *state;

	list_and_wait(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far_put(&far->other, "/d/one", "longer");
	far_put(&far->other, "/d/two", "longer");
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 6);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/two"), 0);
	assert_int_equal(far->caller.attr.size, 6);
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 1);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/link"), 0);
	assert_int_equal(far->all, 0);
	/* From now on at once. */
	far->now_ms += 20000;
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 1);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 0);
}

static void names_are_not_renewed_for_ever(void **state)
{
	struct far *far = *state;

	list_and_wait(far);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(far_list(&far->caller, "/d"), 4);
		far->now_ms += 20000;
	}
	assert_in_range(far->asked[CSFTP_OP_OPENDIR], 2, 3);
	assert_in_range(far->asked[CSFTP_OP_GETATTR], 30, 40);
}

static void what_we_change_in_renewed_names_is_seen(void **state)
{
	struct far *far = *state;
	struct fs_caller *c = &far->caller;

	list_and_wait(far);
	assert_int_equal(far_list(c, "/d"), 4);
	far_put(c, "/d/new", "text");
	assert_int_equal(fs_unlink(c, "/d/one"), 0);
	assert_int_equal(fs_lgetattr(c, "/d/new"), 0);
	assert_int_equal(fs_lgetattr(c, "/d/one"), ENOENT);
	assert_int_equal(fs_mkdir(c, "/d/newer"), 0);
	assert_int_equal(far_list(c, "/d"), 5);
	far->now_ms += 20000;
	assert_int_equal(far_list(c, "/d"), 5);
}

static void a_link_that_is_followed_is_not_its_target(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/link"), 0);
	assert_int_equal(far->caller.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	assert_int_equal(fs_getattr(&far->caller, "/d/link"), 0);
	assert_int_equal(far->caller.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFREG);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/link"), 0);
	assert_int_equal(far->caller.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
}

static void the_text_of_a_link_is_asked_for_once(void **state)
{
	struct far *far = *state;

	make_tree(far);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
		assert_string_equal(far->caller.text, "one");
	}
	assert_int_equal(far->all, 1);
	assert_int_equal(fs_unlink(&far->caller, "/d/link"), 0);
	assert_int_equal(fs_symlink(&far->caller, "/d/link", "two"), 0);
	assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
	assert_string_equal(far->caller.text, "two");
}

static void a_directory_we_made_is_known_from_birth(void **state)
{
	struct far *far = *state;

	assert_int_equal(fs_mkdir(&far->caller, "/new"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/new/name"), ENOENT);
	assert_int_equal(far_list(&far->caller, "/new"), 0);
	assert_int_equal(far->all, 0);
	far_put(&far->caller, "/new/name", "text");
	assert_int_equal(fs_mkdir(&far->caller, "/new/dir"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/new/other"), ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/new/dir/x"), ENOENT);
	assert_int_equal(far->all, 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/new/name"), 0);
	assert_int_equal(far->caller.attr.size, 4);
}

static void what_we_change_is_seen_at_once(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};
	struct far *far = *state;
	struct fs_caller *caller = &far->caller;

	make_tree(far);
	assert_int_equal(far_list(caller, "/d"), 4);
	assert_int_equal(fs_setattr(caller, "/d/one", &attr), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/one"), 0);
	assert_int_equal(caller->attr.mode & 07777, 0600);
	assert_int_equal(fs_unlink(caller, "/d/two"), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/two"), ENOENT);
	assert_int_equal(fs_rename(caller, "/d/one", "/d/two"), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/one"), ENOENT);
	assert_int_equal(fs_lgetattr(caller, "/d/two"), 0);
	assert_int_equal(caller->attr.size, 1);
	assert_int_equal(fs_link(caller, "/d/two", "/d/three"), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/three"), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/two"), 0);
	assert_int_equal(caller->attr.nlink, 2);
	assert_int_equal(fs_rmdir(caller, "/d/sub"), 0);
	assert_int_equal(fs_lgetattr(caller, "/d/sub"), ENOENT);
	assert_int_equal(far_list(caller, "/d"), 3);
}

static void what_is_renamed_takes_what_is_known_with_it(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_rename(&far->caller, "/d", "/e"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/e/one"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/e/none"), ENOENT);
	assert_int_equal(far->all, 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), ENOENT);
}

static void a_failed_change_is_no_knowledge(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	/* Somebody else was faster, twice. */
	assert_int_equal(fs_mkdir(&far->other, "/d/new"), 0);
	assert_int_equal(fs_mkdir(&far->caller, "/d/new"), EEXIST);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/new"), 0);
	assert_int_equal(far_list(&far->caller, "/d"), 5);
	far_put(&far->other, "/d/sub/x", "");
	assert_int_equal(fs_rmdir(&far->caller, "/d/sub"), ENOTEMPTY);
	assert_int_equal(far_list(&far->caller, "/d/sub"), 1);
}

static void a_file_open_for_writing_is_always_asked_for(void **state)
{
	struct far *far = *state;
	csftp_fh fh;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_open(&far->caller, "/d/one", CSFTP_OPEN_WRITE), 0);
	fh = far->caller.fh;
	for (unsigned len = 2; len < 5; len++) {
		assert_int_equal(fs_write(&far->caller, fh, 0, "1234", len), 0);
		assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
		assert_int_equal(far->caller.attr.size, len);
	}
	assert_int_equal(fs_close(&far->caller, fh), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 4);
	assert_int_equal(far->all, 0);
}

static void two_names_we_made_of_one_file_agree(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_link(&far->caller, "/d/one", "/d/uno"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	far_put(&far->caller, "/d/uno", "longer");
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 6);
}

static void after_two_misses_the_directory_is_listed(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/x"), ENOENT);
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 1);
	assert_int_equal(far->asked[CSFTP_OP_CLOSE], 1);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/y"), ENOENT);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/two"), 0);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(far->all, 0);
}

static void nothing_above_the_top_is_listed_unasked(void **state)
{
	const struct cache_config config = {.top = "/d"};
	struct far *far = far_new(&config);

	(void)state;
	make_tree(far);
	for (unsigned i = 0; i < 9; i++) {
		char path[16];

		(void)snprintf(path, sizeof(path), "/%u", i);
		assert_int_equal(fs_lgetattr(&far->caller, path), ENOENT);
	}
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 0);
	far_free(far);
}

static void a_change_through_another_spelling_empties_it(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_unlink(&far->caller, "/d/../d/one"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), ENOENT);
	assert_int_equal(far_list(&far->caller, "/d"), 3);
	far_put(&far->caller, "d/new", "text");
	assert_int_equal(fs_lgetattr(&far->caller, "/d/new"), 0);
	assert_int_equal(far->caller.attr.size, 4);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
}

static void ask(struct far *far, struct fs_asked *asked, enum csftp_op op,
		const char *path)
{
	fs_ask(cache_fs(far->cache), asked,
	       &(struct csftp_req){
		       .op = op, .path = path, .flags = CSFTP_NOFOLLOW});
}

/* An answer that was on its way when we changed the file is no news. */
static void an_answer_older_than_our_change_is_not_kept(void **state)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 5};
	struct far *far = *state;
	struct fs_asked before;
	struct fs_asked change;

	make_tree(far);
	ask(far, &before, CSFTP_OP_GETATTR, "/d/one");
	fs_ask(cache_fs(far->cache), &change,
	       &(struct csftp_req){.op = CSFTP_OP_SETATTR,
				   .path = "/d/one",
				   .attr = &attr});
	far_settle(far);
	assert_int_equal(before.attr.size, 1);
	assert_true(change.err >= 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 5);
}

static void a_listing_older_than_our_change_is_not_whole(void **state)
{
	struct far *far = *state;
	struct fs_names names = {0};
	csftp_fh fh;

	make_tree(far);
	assert_int_equal(fs_opendir(&far->caller, "/d"), 0);
	fh = far->caller.fh;
	assert_int_equal(fs_readdir(&far->caller, fh, &names, 2), 0);
	far_put(&far->caller, "/d/new", "text");
	assert_int_equal(fs_readdir_all(&far->caller, fh, &names, 100), 0);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	fs_names_release(&names);
	far_put(&far->other, "/d/other", "text");
	assert_int_equal(fs_lgetattr(&far->caller, "/d/new"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/other"), 0);
}

static void an_opendir_waits_for_the_listing_under_way(void **state)
{
	struct far *far = *state;
	struct fs_asked miss[2];
	struct fs_asked gone;
	struct fs_asked stays;

	make_tree(far);
	ask(far, &miss[0], CSFTP_OP_GETATTR, "/d/x");
	ask(far, &miss[1], CSFTP_OP_GETATTR, "/d/y");
	ask(far, &gone, CSFTP_OP_OPENDIR, "/d");
	ask(far, &stays, CSFTP_OP_OPENDIR, "/d");
	csftp_cancel(cache_fs(far->cache), &gone.req);
	assert_int_equal(gone.err, EINTR);
	far_settle(far);
	assert_int_equal(stays.err, 0);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 1);
	assert_int_equal(fs_close(&far->caller, stays.fh), 0);
}

static void a_request_below_can_be_cancelled(void **state)
{
	struct far *far = *state;
	struct fs_asked asked;

	ask(far, &asked, CSFTP_OP_GETATTR, "/x");
	csftp_cancel(cache_fs(far->cache), &asked.req);
	assert_int_equal(asked.err, EINTR);
	ask(far, &asked, CSFTP_OP_GETATTR, "/x");
	far_settle(far);
	assert_int_equal(asked.err, ENOENT);
}

static int run_suite(const char *name, const struct cache_config *config)
{
	struct far *far = far_new(config);
	int failed = fs_suite_run_over(&far->caller, &far->other, name, FS_ALL);

	far_free(far);
	return failed;
}

#define CACHE_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, far_set_up, far_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(attributes_are_asked_for_once),
		CACHE_TEST(after_their_time_they_are_asked_for_again),
		CACHE_TEST(a_listing_answers_for_all_names_and_for_no_others),
		CACHE_TEST(a_listing_is_forgotten_after_its_time),
		CACHE_TEST(names_outlive_their_time_by_one_question),
		CACHE_TEST(a_directory_just_looked_at_needs_no_question),
		CACHE_TEST(a_directory_that_changed_is_listed_again),
		CACHE_TEST(a_time_that_has_not_passed_proves_nothing),
		CACHE_TEST(who_asks_for_attributes_has_them_listed),
		CACHE_TEST(names_are_not_renewed_for_ever),
		CACHE_TEST(what_we_change_in_renewed_names_is_seen),
		CACHE_TEST(a_link_that_is_followed_is_not_its_target),
		CACHE_TEST(the_text_of_a_link_is_asked_for_once),
		CACHE_TEST(a_directory_we_made_is_known_from_birth),
		CACHE_TEST(what_we_change_is_seen_at_once),
		CACHE_TEST(what_is_renamed_takes_what_is_known_with_it),
		CACHE_TEST(a_failed_change_is_no_knowledge),
		CACHE_TEST(a_file_open_for_writing_is_always_asked_for),
		CACHE_TEST(two_names_we_made_of_one_file_agree),
		CACHE_TEST(after_two_misses_the_directory_is_listed),
		cmocka_unit_test(nothing_above_the_top_is_listed_unasked),
		CACHE_TEST(a_change_through_another_spelling_empties_it),
		CACHE_TEST(an_answer_older_than_our_change_is_not_kept),
		CACHE_TEST(a_listing_older_than_our_change_is_not_whole),
		CACHE_TEST(an_opendir_waits_for_the_listing_under_way),
		CACHE_TEST(a_request_below_can_be_cancelled),
	};
	const struct cache_config defaults = {0};
	const struct cache_config tiny = {.bytes_max = 1};
	const struct cache_config off = {
		.attr_ms = CACHE_NEVER,
		.text_ms = CACHE_NEVER,
		.names_ms = CACHE_NEVER,
		.absent_ms = CACHE_NEVER,
		.ahead = CACHE_NEVER,
	};

	return cmocka_run_group_tests(tests, NULL, NULL) +
	       run_suite("cache over memfs", &defaults) +
	       run_suite("cache without memory over memfs", &tiny) +
	       run_suite("cache that keeps nothing over memfs", &off);
}
