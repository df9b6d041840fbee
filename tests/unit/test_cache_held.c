/* The cache while nobody answers below: what it shows, and what waits. */
#include <errno.h>
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

struct asker {
	struct csftp_req req; /* first */
	int err;
};

static void asker_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	bool dir = reply->attr &&
		   (reply->attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;

	((struct asker *)req)->err = reply->err || dir ? reply->err : EINVAL;
}

/* It took a while to see that nobody answers any more. */
static void who_waits_for_the_top_is_shown_it_then(void **state)
{
	struct far *far = *state;
	struct asker top = {.req = {.op = CSFTP_OP_GETATTR,
				    .flags = CSFTP_NOFOLLOW,
				    .path = "/",
				    .done = asker_done},
			    .err = -1};
	struct asker other = top;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/"), 0);
	far->now_ms += LONG_AGO;
	other.req.path = "/d";
	csftp_submit(far->caller.fs, &top.req);
	csftp_submit(far->caller.fs, &other.req);
	assert_int_equal(top.err, -1);
	cache_hold(far->cache, true);
	assert_int_equal(top.err, 0);
	assert_int_equal(other.err, -1);
	cache_hold(far->cache, false);
	far_settle(far);
	assert_int_equal(other.err, 0);
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

/* Times that are not of now are better than none. */
static void a_directory_we_made_names_in_is_shown_as_it_was(void **state)
{
	struct far *far = *state;
	int64_t sec;

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	sec = far->caller.attr.mtime.sec;
	assert_int_equal(fs_mkdir(&far->caller, "/d/new"), 0);
	hold_long_after(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_int_equal(far->all, 0);
	assert_true(far->caller.attr.mask & CSFTP_ATTR_MTIME);
	assert_int_equal(far->caller.attr.mtime.sec, sec);
}

static void known_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct asker *)req)->err = reply->err;
	req->fh = reply->fh;
}

/* It takes a while to see that nobody answers: who waits has it then. */
static void who_waits_for_what_was_known_has_it_then(void **state)
{
	static const enum csftp_op ops[] = {CSFTP_OP_GETATTR, CSFTP_OP_READLINK,
					    CSFTP_OP_OPENDIR};
	static const char *const paths[] = {"/d/one", "/d/link", "/d"};
	struct far *far = *state;
	struct asker askers[3];

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	assert_int_equal(fs_readlink(&far->caller, "/d/link"), 0);
	far->now_ms += LONG_AGO;
	for (size_t i = 0; i < 3; i++) {
		askers[i] = (struct asker){.req = {.op = ops[i],
						   .flags = CSFTP_NOFOLLOW,
						   .path = paths[i],
						   .done = known_done},
					   .err = -1};
		csftp_submit(far->caller.fs, &askers[i].req);
		assert_int_equal(askers[i].err, -1);
	}
	cache_hold(far->cache, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(askers[i].err, 0);
	assert_int_equal(fs_close(&far->caller, askers[2].req.fh), 0);
	cache_hold(far->cache, false);
	far_settle(far);
}

/* The same of those who wait for what is asked for already. */
static void who_waits_for_a_listing_ahead_has_the_old_one_then(void **state)
{
	struct far *far = *state;
	struct asker asker = {.req = {.op = CSFTP_OP_OPENDIR,
				      .path = "/d",
				      .done = known_done},
			      .err = -1};

	make_tree(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	far->now_ms += 2000;
	assert_int_equal(far_list(&far->caller, "/d"), 4);
	far->now_ms += 20000;
	/* Its mtime is asked for: it may be the same names. */
	csftp_submit(far->caller.fs, &asker.req);
	assert_int_equal(asker.err, -1);
	cache_hold(far->cache, true);
	assert_int_equal(asker.err, 0);
	assert_int_equal(fs_close(&far->caller, asker.req.fh), 0);
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
		HELD_TEST(a_directory_we_made_names_in_is_shown_as_it_was),
		HELD_TEST(who_waits_for_what_was_known_has_it_then),
		HELD_TEST(who_waits_for_a_listing_ahead_has_the_old_one_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
