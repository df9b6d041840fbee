/* The cache, over memfs, when files are opened that others change, or made. */
#include <errno.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

/* A file that was there before. */
static void make_tree(struct far *far)
{
	assert_int_equal(fs_mkdir(&far->other, "/d"), 0);
	far_put(&far->other, "/d/one", "1");
}

static void who_opens_a_file_finds_its_size_of_now(void **state)
{
	struct far *far = *state;
	csftp_fh fh;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 1);
	far->now_ms += 1000;
	far_put(&far->other, "/d/one", "longer");
	far_begin(far);
	assert_int_equal(fs_open(&far->caller, "/d/one", CSFTP_OPEN_READ), 0);
	fh = far->caller.fh;
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/one"), 0);
	assert_int_equal(far->caller.attr.size, 6);
	assert_int_equal(fs_close(&far->caller, fh), 0);
	/* It can be another one at once. */
	assert_int_equal(fs_open(&far->caller, "/d/one", CSFTP_OPEN_READ), 0);
	assert_int_equal(fs_close(&far->caller, far->caller.fh), 0);
	far_settle(far);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 2);
}

/* As one who lists a directory and reads its files does. */
static void what_was_learned_just_now_is_good_for_one_open(void **state)
{
	struct far *far = *state;

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 1);
	far_begin(far);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			fs_open(&far->caller, "/d/one", CSFTP_OPEN_READ), 0);
		assert_int_equal(fs_close(&far->caller, far->caller.fh), 0);
		far_settle(far);
		assert_int_equal(far->asked[CSFTP_OP_GETATTR], i);
	}
}

struct sized {
	struct csftp_req req; /* first */
	uint64_t size;
	csftp_fh fh;
};

static void keep_size(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct sized *sized = (struct sized *)req;

	assert_int_equal(reply->err, 0);
	sized->fh = reply->fh;
	sized->size = reply->attr ? reply->attr->size : 0;
}

/* Or content of now would be cut where the file ended before. */
static void
who_asks_while_a_file_is_opened_is_told_its_size_of_now(void **state)
{
	struct far *far = *state;
	struct sized sized[2] = {0};

	make_tree(far);
	assert_int_equal(far_list(&far->caller, "/d"), 1);
	far->now_ms += 1000;
	far_put(&far->other, "/d/one", "longer");
	far_begin(far);
	for (size_t i = 0; i < 2; i++)
		sized[i].req = (struct csftp_req){
			.op = i ? CSFTP_OP_GETATTR : CSFTP_OP_OPEN,
			.flags = i ? CSFTP_NOFOLLOW : CSFTP_OPEN_READ,
			.done = keep_size,
			.path = "/d/one",
		};
	for (size_t i = 0; i < 2; i++)
		csftp_submit(far->caller.fs, &sized[i].req);
	far_settle(far);
	assert_int_equal(sized[1].size, 6);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
	assert_int_equal(fs_close(&far->caller, sized[0].fh), 0);
}

struct removal {
	struct csftp_req req; /* first */
	int err;
};

static void removed(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct removal *)req)->err = reply->err;
}

static void what_is_known_to_be_absent_can_be_told(void **state)
{
	struct far *far = *state;
	struct removal removal = {
		.req = {.op = CSFTP_OP_RMDIR, .done = removed, .path = "/d"}};

	make_tree(far);
	assert_int_equal(fs_mkdir(&far->other, "/d/sub"), 0);
	assert_int_equal(fs_symlink(&far->other, "/d/link", "sub"), 0);
	assert_false(cache_knows_absent(far->cache, "/d/none"));
	assert_int_equal(far_list(&far->caller, "/d"), 3);
	far_begin(far);
	assert_true(cache_knows_absent(far->cache, "/d/none"));
	assert_false(cache_knows_absent(far->cache, "/d/one"));
	assert_false(cache_knows_absent(far->cache, "/d/link/x"));
	assert_false(cache_knows_absent(far->cache, "/d/none/below"));
	assert_false(cache_knows_absent(far->cache, "/d/sub/x"));
	assert_false(cache_knows_absent(far->cache, "/d/./none"));
	assert_false(cache_knows_absent(far->cache, "/"));
	assert_int_equal(far->all, 0);
	/* One name that was asked for, in a directory that nobody listed. */
	assert_int_equal(fs_lgetattr(&far->caller, "/d/sub/x"), ENOENT);
	assert_true(cache_knows_absent(far->cache, "/d/sub/x"));
	assert_false(cache_knows_absent(far->cache, "/d/sub/y"));
	/* When nobody answers, nothing is known of now. */
	cache_hold(far->cache, true);
	assert_false(cache_knows_absent(far->cache, "/d/none"));
	cache_hold(far->cache, false);
	assert_true(cache_knows_absent(far->cache, "/d/none"));
	/* A directory that is to be removed may be gone in a moment. */
	csftp_submit(far->caller.fs, &removal.req);
	assert_false(cache_knows_absent(far->cache, "/d/none"));
	far_settle(far);
	assert_int_equal(removal.err, ENOTEMPTY);
	assert_int_equal(far_list(&far->caller, "/d"), 3);
	assert_true(cache_knows_absent(far->cache, "/d/none"));
	far->now_ms += 20000;
	assert_false(cache_knows_absent(far->cache, "/d/none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_opens_a_file_finds_its_size_of_now, far_set_up,
			far_tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_learned_just_now_is_good_for_one_open,
			far_set_up, far_tear_down),
		cmocka_unit_test_setup_teardown(
			who_asks_while_a_file_is_opened_is_told_its_size_of_now,
			far_set_up, far_tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_known_to_be_absent_can_be_told, far_set_up,
			far_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
