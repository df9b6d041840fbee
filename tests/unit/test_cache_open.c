/* The cache, over memfs, when files are opened that others change. */
#include <stdlib.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct rig {
	struct far far; /* first */
	struct cache *cache;
	struct fs_caller *c;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct cache_config config = {.now_ms = far_now, .arg = rig};

	assert_non_null(rig);
	far_init(&rig->far);
	config.under = &rig->far.relay.fs;
	assert_int_equal(cache_new(&rig->cache, &config), CSFTP_OK);
	rig->far.caller.fs = cache_fs(rig->cache);
	rig->c = &rig->far.caller;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	far_settle(&rig->far);
	assert_int_equal(cache_pending(rig->cache), 0);
	cache_free(rig->cache);
	far_release(&rig->far);
	free(rig);
	return 0;
}

/* A file that was there before. */
static void make_tree(struct rig *rig)
{
	assert_int_equal(fs_mkdir(&rig->far.other, "/d"), 0);
	far_put(&rig->far.other, "/d/one", "1");
}

static void who_opens_a_file_finds_its_size_of_now(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	make_tree(rig);
	assert_int_equal(far_list(rig->c, "/d"), 1);
	rig->far.now_ms += 1000;
	far_put(&rig->far.other, "/d/one", "longer");
	far_begin(&rig->far);
	assert_int_equal(fs_open(rig->c, "/d/one", CSFTP_OPEN_READ), 0);
	fh = rig->c->fh;
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 1);
	assert_int_equal(fs_lgetattr(rig->c, "/d/one"), 0);
	assert_int_equal(rig->c->attr.size, 6);
	assert_int_equal(fs_close(rig->c, fh), 0);
	/* It can be another one at once. */
	assert_int_equal(fs_open(rig->c, "/d/one", CSFTP_OPEN_READ), 0);
	assert_int_equal(fs_close(rig->c, rig->c->fh), 0);
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 2);
}

/* As one who lists a directory and reads its files does. */
static void what_was_learned_just_now_is_good_for_one_open(void **state)
{
	struct rig *rig = *state;

	make_tree(rig);
	assert_int_equal(far_list(rig->c, "/d"), 1);
	far_begin(&rig->far);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fs_open(rig->c, "/d/one", CSFTP_OPEN_READ), 0);
		assert_int_equal(fs_close(rig->c, rig->c->fh), 0);
		far_settle(&rig->far);
		assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], i);
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
	struct rig *rig = *state;
	struct sized sized[2] = {0};

	make_tree(rig);
	assert_int_equal(far_list(rig->c, "/d"), 1);
	rig->far.now_ms += 1000;
	far_put(&rig->far.other, "/d/one", "longer");
	far_begin(&rig->far);
	for (size_t i = 0; i < 2; i++)
		sized[i].req = (struct csftp_req){
			.op = i ? CSFTP_OP_GETATTR : CSFTP_OP_OPEN,
			.flags = i ? CSFTP_NOFOLLOW : CSFTP_OPEN_READ,
			.done = keep_size,
			.path = "/d/one",
		};
	for (size_t i = 0; i < 2; i++)
		csftp_submit(rig->c->fs, &sized[i].req);
	far_settle(&rig->far);
	assert_int_equal(sized[1].size, 6);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 1);
	assert_int_equal(fs_close(rig->c, sized[0].fh), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_opens_a_file_finds_its_size_of_now, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_was_learned_just_now_is_good_for_one_open, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			who_asks_while_a_file_is_opened_is_told_its_size_of_now,
			setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
