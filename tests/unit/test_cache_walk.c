/* The cache, over memfs, when somebody walks through a tree. */
#include <errno.h>
#include <stdio.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

/* /t with dirs directories that have a file and a directory each. */
static void make_wide_tree(struct far *far, unsigned dirs)
{
	char path[64];

	assert_int_equal(fs_mkdir(&far->other, "/t"), 0);
	for (unsigned i = 0; i < dirs; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(fs_mkdir(&far->other, path), 0);
		(void)snprintf(path, sizeof(path), "/t/%u/file", i);
		far_put(&far->other, path, "x");
		(void)snprintf(path, sizeof(path), "/t/%u/dir", i);
		assert_int_equal(fs_mkdir(&far->other, path), 0);
	}
}

static void who_walks_finds_the_next_directories_listed(void **state)
{
	struct far *far = *state;
	char path[64];

	make_wide_tree(far, 40);
	assert_int_equal(far_list(&far->caller, "/t"), 40);
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
		(void)snprintf(path, sizeof(path), "/t/%u/dir", i);
		assert_int_equal(far_list(&far->caller, path), 0);
	}
	far_settle(far);
	/* Each was listed below once, and most of them ahead. */
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 81);
	assert_int_equal(far->asked[CSFTP_OP_CLOSE], 81);
	assert_true(cache_counts(far->cache).ahead >= 70);
	assert_int_equal(cache_counts(far->cache).ahead,
			 cache_counts(far->cache).ahead_used);
}

/* By names, "/t/10" comes before "/t/2": the i-th of a hundred. */
static void list_by_name(struct far *far, unsigned i)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/t/%u", i % 10 * 10 + i / 10);
	assert_int_equal(far_list(&far->caller, path), 2);
}

static void who_walks_by_names_does_so_too(void **state)
{
	struct far *far = *state;
	unsigned trips;

	make_wide_tree(far, 100);
	assert_int_equal(far_list(&far->caller, "/t"), 100);
	far_settle(far);
	trips = far->trips;
	for (unsigned i = 0; i < 100; i++)
		list_by_name(far, i);
	/* Two or three for each directory by itself. */
	assert_true(far->trips - trips < 45);
}

/* One that the walk has come by, and one that it would come to. */
static void names_that_go_do_not_end_the_walk(void **state)
{
	struct far *far = *state;
	unsigned trips;

	make_wide_tree(far, 100);
	assert_int_equal(fs_mkdir(&far->other, "/t/30a"), 0);
	assert_int_equal(fs_mkdir(&far->other, "/t/70a"), 0);
	far_put(&far->other, "/t/file", "x");
	assert_int_equal(far_list(&far->caller, "/t"), 103);
	far_settle(far);
	trips = far->trips;
	for (unsigned i = 0; i < 100; i++) {
		if (i == 50) {
			assert_int_equal(fs_rmdir(&far->caller, "/t/30a"), 0);
			assert_int_equal(fs_rmdir(&far->caller, "/t/70a"), 0);
		}
		list_by_name(far, i);
	}
	assert_true(far->trips - trips < 50);
}

/* As git looks for what has changed, without opening a directory. */
static void who_looks_up_names_everywhere_walks(void **state)
{
	struct far *far = *state;
	char path[64];

	make_wide_tree(far, 100);
	far_begin(far);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
		(void)snprintf(path, sizeof(path), "/t/%u/dir", i);
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
		(void)snprintf(path, sizeof(path), "/t/%u/file", i);
		assert_int_equal(fs_lgetattr(&far->caller, path), 0);
	}
	/* It would be 300. */
	assert_true(far->trips < 40);
}

/* Beside where somebody walks lies what nobody goes into. */
static void make_tree_with_a_store(struct far *far)
{
	char path[64];

	make_wide_tree(far, 40);
	assert_int_equal(fs_mkdir(&far->other, "/store"), 0);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/store/%u", i);
		assert_int_equal(fs_mkdir(&far->other, path), 0);
	}
	assert_int_equal(far_list(&far->caller, "/"), 2);
}

static void walk(struct far *far)
{
	char path[64];

	assert_int_equal(far_list(&far->caller, "/t"), 40);
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
		(void)snprintf(path, sizeof(path), "/t/%u/dir", i);
		assert_int_equal(far_list(&far->caller, path), 0);
	}
}

/* What the first walk left unlisted nobody wanted then. */
static void who_walks_the_same_way_again_lists_nothing(void **state)
{
	struct far *far = *state;

	make_tree_with_a_store(far);
	walk(far);
	far_begin(far);
	assert_int_equal(far_list(&far->caller, "/"), 2);
	walk(far);
	far_settle(far);
	assert_int_equal(far->all, 0);
}

/* The end of what is known is where it goes on. */
static void behind_what_is_known_a_walk_lists_ahead(void **state)
{
	struct far *far = *state;
	char path[64];

	make_wide_tree(far, 100);
	assert_int_equal(far_list(&far->caller, "/t"), 100);
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
	}
	far_begin(far);
	assert_int_equal(far_list(&far->caller, "/t"), 100);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
	}
	/* Two for each directory by itself. */
	assert_true(far->trips < 40);
}

static void who_lists_one_directory_does_not_list_others(void **state)
{
	struct far *far = *state;

	make_wide_tree(far, 10);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(far_list(&far->caller, "/t"), 10);
		far->now_ms += 30000;
	}
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_OPENDIR], 5);
}

static void guesses_that_nobody_uses_come_to_an_end(void **state)
{
	struct far *far = *state;

	make_wide_tree(far, 500);
	assert_int_equal(far_list(&far->caller, "/t"), 500);
	assert_int_equal(far_list(&far->caller, "/t/0"), 2);
	far_settle(far);
	assert_true(far->asked[CSFTP_OP_OPENDIR] < 20);
}

/* Lists that many directories of /t; who does so takes so long for each. */
static void walk_slowly(struct far *far, unsigned from, unsigned to,
			uint64_t each_ms)
{
	char path[64];

	for (unsigned i = from; i < to; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
		far->now_ms += each_ms;
	}
}

static void a_walk_goes_on_as_long_as_it_takes(void **state)
{
	struct far *far = *state;

	make_wide_tree(far, 1200);
	assert_int_equal(far_list(&far->caller, "/t"), 1200);
	walk_slowly(far, 0, 600, 50);
	far->trips = 0;
	walk_slowly(far, 600, 1200, 50);
	/* It would be 1800. */
	assert_true(far->trips < 700);
}

static void where_a_walk_was_kept_up_it_goes_on(void **state)
{
	struct far *far = *state;

	make_wide_tree(far, 100);
	assert_int_equal(far_list(&far->caller, "/t"), 100);
	walk_slowly(far, 0, 10, 1);
	/* Long enough for all that was listed ahead to be of no use. */
	far->now_ms += 60000;
	far->trips = 0;
	walk_slowly(far, 10, 100, 1);
	assert_true(far->trips < 40);
}

static void memory_is_bounded(void **state)
{
	const struct cache_config config = {.bytes_max = 50000};
	struct far *far = far_new(&config);
	char path[64];

	(void)state;
	make_wide_tree(far, 200);
	/* More than it may keep: it is shown whole all the same. */
	assert_int_equal(far_list(&far->caller, "/t"), 200);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "/t/%u", i);
		assert_int_equal(far_list(&far->caller, path), 2);
		assert_in_range(cache_bytes(far->cache), 0, 100000);
	}
	assert_int_equal(fs_lgetattr(&far->caller, "/t/0/file"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/t/0/none"), ENOENT);
	far_free(far);
}

#define WALK_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, far_set_up, far_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALK_TEST(who_walks_finds_the_next_directories_listed),
		WALK_TEST(who_walks_by_names_does_so_too),
		WALK_TEST(names_that_go_do_not_end_the_walk),
		WALK_TEST(who_looks_up_names_everywhere_walks),
		WALK_TEST(who_walks_the_same_way_again_lists_nothing),
		WALK_TEST(behind_what_is_known_a_walk_lists_ahead),
		WALK_TEST(who_lists_one_directory_does_not_list_others),
		WALK_TEST(guesses_that_nobody_uses_come_to_an_end),
		WALK_TEST(a_walk_goes_on_as_long_as_it_takes),
		WALK_TEST(where_a_walk_was_kept_up_it_goes_on),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
