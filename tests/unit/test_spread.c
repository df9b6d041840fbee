/* Files on several connections: where they go, and that order is kept. */
#include "core/layer/spread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/relay.h"
#include "csftp/memfs.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

#define LANES 3U
#define RW    (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)
#define MAKE  (RW | CSFTP_OPEN_CREAT)

/* One server, and connections to it that answer when the test says so. */
struct lane {
	struct relay relay; /* first; counts */
	struct later later;
	unsigned asked[CSFTP_OP_COUNT];
	unsigned all;
};

struct rig {
	struct csftp_fs *memfs;
	struct lane lane[LANES];
	struct spread *spread;
	struct fs_caller c;
	struct fs_caller other; /* of the server, at once */
	unsigned wanted;
	uint32_t dice; /* 0: the lanes take turns, each till it is empty */
};

static void count(struct csftp_fs *fs, struct csftp_req *req)
{
	struct lane *lane = (struct lane *)fs;

	lane->asked[req->op]++;
	lane->all++;
	relay_pass(fs, req);
}

static uint32_t throw(struct rig * rig)
{
	rig->dice = rig->dice * 1664525U + 1013904223U;
	return rig->dice >> 16;
}

/* One answer of any lane. */
static bool drive(void *arg)
{
	struct rig *rig = arg;
	unsigned first = rig->dice ? throw(rig) % LANES : 0;

	for (unsigned i = 0; i < LANES; i++) {
		if (later_run(&rig->lane[(first + i) % LANES].later))
			return true;
	}
	return false;
}

static void want(void *arg)
{
	struct rig *rig = arg;

	rig->wanted++;
}

static struct rig *rig_new(uint32_t lanes)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct spread_config config = {
		.lanes_max = LANES,
		.want = want,
		.arg = rig,
	};

	assert_non_null(rig);
	assert_int_equal(csftp_memfs_new(&rig->memfs, NULL), CSFTP_OK);
	for (uint32_t i = 0; i < LANES; i++) {
		later_init(&rig->lane[i].later, rig->memfs);
		relay_init(&rig->lane[i].relay, &rig->lane[i].later.fs, 0,
			   count);
	}
	config.first = &rig->lane[0].relay.fs;
	assert_int_equal(spread_new(&rig->spread, &config), CSFTP_OK);
	for (uint32_t i = 1; i < lanes; i++)
		assert_int_equal(
			spread_add(rig->spread, &rig->lane[i].relay.fs),
			CSFTP_OK);
	rig->c.fs = spread_fs(rig->spread);
	rig->c.drive = drive;
	rig->c.arg = rig;
	rig->other.fs = rig->memfs;
	return rig;
}

static void settle(struct rig *rig)
{
	while (drive(rig))
		continue;
}

static void rig_free(struct rig *rig)
{
	settle(rig);
	spread_free(rig->spread);
	for (uint32_t i = 0; i < LANES; i++)
		relay_release(&rig->lane[i].relay);
	fs_caller_release(&rig->c);
	fs_caller_release(&rig->other);
	csftp_memfs_free(rig->memfs);
	free(rig);
}

static csftp_fh opened(struct rig *rig, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(&rig->c, path, flags), 0);
	return rig->c.fh;
}

/* The lane that the next request goes to; LANES: none. */
static unsigned lane_of_read(struct rig *rig, csftp_fh fh)
{
	unsigned before[LANES];
	unsigned lane = LANES;

	for (unsigned i = 0; i < LANES; i++)
		before[i] = rig->lane[i].all;
	assert_int_equal(fs_read(&rig->c, fh, 0, 1), 0);
	for (unsigned i = 0; i < LANES; i++) {
		if (rig->lane[i].all != before[i])
			lane = i;
	}
	return lane;
}

struct asked {
	struct csftp_req req; /* first */
	int err;
	bool done;
	uint64_t size;
	csftp_fh fh;
};

static void asked_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct asked *asked = (struct asked *)req;

	assert_false(asked->done);
	asked->done = true;
	asked->err = reply->err;
	asked->fh = reply->fh;
	if (!reply->err && reply->attr)
		asked->size = reply->attr->size;
}

static void ask(struct rig *rig, struct asked *asked, struct csftp_req req)
{
	*asked = (struct asked){.req = req};
	asked->req.done = asked_done;
	csftp_submit(spread_fs(rig->spread), &asked->req);
}

static void ask_write(struct rig *rig, struct asked *asked, csftp_fh fh,
		      uint64_t off, uint64_t len)
{
	static const char bytes[4096];

	assert_true(len <= sizeof(bytes));
	ask(rig, asked,
	    (struct csftp_req){.op = CSFTP_OP_WRITE,
			       .fh = fh,
			       .off = off,
			       .data = bytes,
			       .len = len});
}

static void ask_path(struct rig *rig, struct asked *asked, enum csftp_op op,
		     const char *path, const char *path2)
{
	ask(rig, asked,
	    (struct csftp_req){.op = op,
			       .path = path,
			       .path2 = path2,
			       .flags = op == CSFTP_OP_RENAME ? CSFTP_REPLACE
							      : 0});
}

static void one_lane_carries_all(void **state)
{
	struct rig *rig = rig_new(1);
	csftp_fh fh = opened(rig, "/f", MAKE);

	(void)state;
	assert_int_equal(fs_write(&rig->c, fh, 0, "text", 4), 0);
	assert_int_equal(lane_of_read(rig, fh), 0);
	assert_int_equal(fs_close(&rig->c, fh), 0);
	assert_int_equal(rig->lane[1].all + rig->lane[2].all, 0);
	rig_free(rig);
}

static void names_have_a_lane_and_files_have_others(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh a, b;

	(void)state;
	assert_int_equal(fs_put(&rig->other, "/a", "text", 4), 0);
	assert_int_equal(fs_put(&rig->other, "/b", "text", 4), 0);
	assert_int_equal(fs_mkdir(&rig->c, "/d"), 0);
	assert_int_equal(fs_getattr(&rig->c, "/a"), 0);
	assert_int_equal(fs_opendir(&rig->c, "/d"), 0);
	assert_int_equal(fs_close(&rig->c, rig->c.fh), 0);
	assert_int_equal(rig->lane[0].all, 4);
	a = opened(rig, "/a", CSFTP_OPEN_READ);
	b = opened(rig, "/b", CSFTP_OPEN_READ);
	assert_true(lane_of_read(rig, a) != lane_of_read(rig, b));
	assert_int_equal(rig->lane[0].all, 4);
	assert_int_equal(fs_close(&rig->c, a), 0);
	assert_int_equal(fs_close(&rig->c, b), 0);
	rig_free(rig);
}

static void a_file_is_opened_where_there_is_least_to_move(void **state)
{
	struct rig *rig = rig_new(LANES);
	struct asked reads[4];
	csftp_fh big, next;

	(void)state;
	assert_int_equal(fs_put(&rig->other, "/big", "text", 4), 0);
	assert_int_equal(fs_put(&rig->other, "/a", "text", 4), 0);
	big = opened(rig, "/big", CSFTP_OPEN_READ);
	for (size_t i = 0; i < 4; i++)
		ask(rig, &reads[i],
		    (struct csftp_req){
			    .op = CSFTP_OP_READ, .fh = big, .len = 100000});
	/* Each of them avoids the lane with the reads. */
	for (int i = 0; i < 3; i++) {
		struct asked open;

		ask(rig, &open,
		    (struct csftp_req){.op = CSFTP_OP_OPEN,
				       .path = "/a",
				       .flags = CSFTP_OPEN_READ});
		while (!open.done) {
			assert_true(later_run(&rig->lane[1].later) ||
				    later_run(&rig->lane[2].later));
			assert_false(open.err);
		}
		next = open.fh;
		assert_int_equal(fs_close(&rig->c, next), 0);
	}
	settle(rig);
	assert_int_equal(fs_close(&rig->c, big), 0);
	rig_free(rig);
}

static void a_path_that_is_open_is_opened_on_its_lane(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh first = opened(rig, "/f", MAKE);
	csftp_fh other = opened(rig, "/g", MAKE);
	unsigned lane;

	(void)state;
	assert_int_equal(fs_write(&rig->c, first, 0, "text", 4), 0);
	lane = lane_of_read(rig, first);
	for (int i = 0; i < 4; i++) {
		csftp_fh again = opened(rig, "/f", CSFTP_OPEN_READ);

		assert_int_equal(lane_of_read(rig, again), lane);
		assert_int_equal(fs_close(&rig->c, again), 0);
	}
	/* Also by the name that it has got meanwhile. */
	assert_int_equal(fs_rename(&rig->c, "/f", "/moved"), 0);
	assert_int_equal(lane_of_read(rig, opened(rig, "/moved", RW)), lane);
	assert_int_equal(fs_close(&rig->c, first), 0);
	assert_int_equal(fs_close(&rig->c, other), 0);
	rig_free(rig);
}

/* As the frontend does it, in one round trip. */
static void what_is_asked_behind_a_creation_finds_the_file(void **state)
{
	struct rig *rig = rig_new(LANES);
	struct asked open, attr;

	(void)state;
	ask(rig, &open,
	    (struct csftp_req){
		    .op = CSFTP_OP_OPEN, .path = "/new", .flags = MAKE});
	ask_path(rig, &attr, CSFTP_OP_GETATTR, "/new", NULL);
	settle(rig);
	assert_true(open.done && attr.done);
	assert_int_equal(open.err, 0);
	assert_int_equal(attr.err, 0);
	assert_int_equal(fs_close(&rig->c, open.fh), 0);
	rig_free(rig);
}

static void what_is_asked_by_path_sees_what_was_written(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh fh = opened(rig, "/f", MAKE);
	struct asked write, close, attr, moved;

	(void)state;
	ask_write(rig, &write, fh, 0, 1000);
	ask(rig, &close, (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	ask_path(rig, &attr, CSFTP_OP_GETATTR, "/f", NULL);
	ask_path(rig, &moved, CSFTP_OP_RENAME, "/f", "/g");
	/* The first lane would answer first. */
	settle(rig);
	assert_int_equal(attr.err, 0);
	assert_int_equal(attr.size, 1000);
	assert_int_equal(write.err + close.err + moved.err, 0);
	assert_int_equal(fs_getattr(&rig->c, "/g"), 0);
	assert_int_equal(rig->c.attr.size, 1000);
	rig_free(rig);
}

static void a_change_of_a_directory_waits_for_what_is_in_it(void **state)
{
	struct rig *rig = rig_new(LANES);
	struct asked write, moved, attr;
	csftp_fh fh;

	(void)state;
	assert_int_equal(fs_mkdir(&rig->c, "/d"), 0);
	fh = opened(rig, "/d/f", MAKE);
	ask_write(rig, &write, fh, 0, 10);
	ask_path(rig, &moved, CSFTP_OP_RENAME, "/d", "/e");
	ask_path(rig, &attr, CSFTP_OP_GETATTR, "/e/f", NULL);
	settle(rig);
	assert_int_equal(write.err + moved.err + attr.err, 0);
	assert_int_equal(attr.size, 10);
	assert_int_equal(fs_close(&rig->c, fh), 0);
	rig_free(rig);
}

static void what_is_under_way_on_two_lanes_is_waited_for(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh a = opened(rig, "/a", MAKE);
	csftp_fh b = opened(rig, "/b", MAKE);
	struct asked write_a, write_b, moved, attr, late;

	(void)state;
	ask_write(rig, &write_a, a, 0, 10);
	ask_write(rig, &write_b, b, 0, 20);
	ask_path(rig, &moved, CSFTP_OP_RENAME, "/a", "/b");
	/* These may not overtake it. */
	ask_write(rig, &late, a, 10, 5);
	ask_path(rig, &attr, CSFTP_OP_GETATTR, "/b", NULL);
	assert_int_equal(rig->lane[0].asked[CSFTP_OP_RENAME] +
				 rig->lane[1].asked[CSFTP_OP_RENAME] +
				 rig->lane[2].asked[CSFTP_OP_RENAME],
			 0);
	settle(rig);
	assert_true(moved.done && attr.done && late.done);
	assert_int_equal(moved.err + attr.err + late.err, 0);
	assert_int_equal(attr.size, 15);
	assert_int_equal(fs_close(&rig->c, a), 0);
	assert_int_equal(fs_close(&rig->c, b), 0);
	rig_free(rig);
}

static void who_waits_can_be_cancelled(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh a = opened(rig, "/a", MAKE);
	csftp_fh b = opened(rig, "/b", MAKE);
	struct asked write_a, write_b, moved;

	(void)state;
	ask_write(rig, &write_a, a, 0, 10);
	ask_write(rig, &write_b, b, 0, 20);
	ask_path(rig, &moved, CSFTP_OP_RENAME, "/a", "/b");
	csftp_cancel(spread_fs(rig->spread), &moved.req);
	assert_true(moved.done);
	assert_int_equal(moved.err, EINTR);
	csftp_cancel(spread_fs(rig->spread), &write_b.req);
	assert_true(write_b.done);
	assert_int_equal(write_b.err, EINTR);
	settle(rig);
	assert_int_equal(fs_close(&rig->c, a), 0);
	assert_int_equal(fs_close(&rig->c, b), 0);
	rig_free(rig);
}

static void a_copy_needs_both_on_one_lane(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh a = opened(rig, "/a", MAKE);
	csftp_fh b = opened(rig, "/b", MAKE);

	(void)state;
	assert_int_equal(fs_write(&rig->c, a, 0, "text", 4), 0);
	assert_int_equal(
		fs_copy_range(&rig->c, &(struct csftp_req){.fh = a, .fh2 = b}),
		EOPNOTSUPP);
	assert_int_equal(fs_copy_range(&rig->c, &(struct csftp_req){.fh = a,
								    .fh2 = a,
								    .off2 = 4,
								    .len = 4}),
			 0);
	assert_int_equal(
		fs_copy_range(&rig->c, &(struct csftp_req){.fh = a, .fh2 = 99}),
		EBADF);
	assert_int_equal(fs_close(&rig->c, a), 0);
	assert_int_equal(fs_close(&rig->c, b), 0);
	rig_free(rig);
}

static void a_lane_more_is_wanted_when_all_are_full(void **state)
{
	struct rig *rig = rig_new(1);
	struct asked read[2];
	csftp_fh fh = opened(rig, "/f", MAKE);

	(void)state;
	ask(rig, &read[0],
	    (struct csftp_req){
		    .op = CSFTP_OP_READ, .fh = fh, .len = SPREAD_FULL - 1});
	assert_int_equal(rig->wanted, 0);
	ask(rig, &read[1],
	    (struct csftp_req){.op = CSFTP_OP_READ, .fh = fh, .len = 1});
	assert_int_equal(rig->wanted, 1);
	settle(rig);
	assert_int_equal(lane_of_read(rig, fh), 0);
	assert_int_equal(rig->wanted, 1);
	assert_int_equal(spread_add(rig->spread, &rig->lane[1].relay.fs),
			 CSFTP_OK);
	assert_int_equal(lane_of_read(rig, opened(rig, "/g", MAKE)), 1);
	/* The first lane does not count any more. */
	ask(rig, &read[0],
	    (struct csftp_req){
		    .op = CSFTP_OP_READ, .fh = fh, .len = SPREAD_FULL});
	assert_int_equal(rig->wanted, 1);
	settle(rig);
	spread_give_up(rig->spread);
	assert_int_equal(spread_add(rig->spread, &rig->lane[2].relay.fs),
			 CSFTP_ERR_ARG);
	assert_int_equal(fs_close(&rig->c, fh), 0);
	rig_free(rig);
}

static void nothing_is_opened_on_a_lane_that_is_lost(void **state)
{
	struct rig *rig = rig_new(LANES);
	csftp_fh a = opened(rig, "/a", MAKE);
	unsigned lane = lane_of_read(rig, a);

	(void)state;
	spread_lose(rig->spread, &rig->lane[lane].relay.fs);
	for (int i = 0; i < 4; i++) {
		csftp_fh fh = opened(rig, "/a", RW);

		assert_true(lane_of_read(rig, fh) != lane);
		assert_true(lane_of_read(rig, fh) != 0);
		assert_int_equal(fs_close(&rig->c, fh), 0);
	}
	assert_int_equal(fs_close(&rig->c, a), 0);
	rig_free(rig);
}

/*
 * Random changes that do not wait for each other, and questions behind them,
 * find what they would find one after the other on one connection.
 */

#define OPS   400U
#define FILES 3U

static const char *const names[] = {"/a", "/b", "/d/a", "/d/b"};

static struct csftp_req random_op(struct rig *rig, const csftp_fh *fh)
{
	static const char bytes[64];
	uint32_t dice = throw(rig);
	const char *path = names[dice % 4];
	const char *path2 = names[dice / 4 % 4];

	switch (dice / 16 % 8) {
	case 0:
		return (struct csftp_req){.op = CSFTP_OP_RENAME,
					  .path = path,
					  .path2 = path2,
					  .flags = CSFTP_REPLACE};
	case 1:
		return (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = path};
	case 2:
		return (struct csftp_req){
			.op = CSFTP_OP_LINK, .path = path, .path2 = path2};
	case 3:
	case 4:
		return (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = path};
	case 5:
		return (struct csftp_req){.op = CSFTP_OP_GETATTR,
					  .fh = fh[dice / 4 % FILES]};
	default:
		return (struct csftp_req){.op = CSFTP_OP_WRITE,
					  .fh = fh[dice / 4 % FILES],
					  .off = dice % 512,
					  .data = bytes,
					  .len = dice % 64};
	}
}

/* The same as a caller that waits each time, of one file system alone. */
static void compare(struct rig *rig, struct rig *plain, uint32_t seed)
{
	static struct asked asked[OPS];
	static struct asked same[OPS];
	csftp_fh fh[2][FILES];
	uint32_t dice;

	for (size_t i = 0; i < FILES; i++) {
		fh[0][i] = opened(rig, names[i + 1], MAKE);
		fh[1][i] = opened(plain, names[i + 1], MAKE);
	}
	rig->dice = seed;
	for (size_t i = 0; i < OPS; i++) {
		struct csftp_req req;

		dice = rig->dice;
		req = random_op(rig, fh[0]);
		/* A second name of a file is what is not seen through. */
		if (req.op == CSFTP_OP_LINK)
			req = (struct csftp_req){.op = CSFTP_OP_UNLINK,
						 .path = req.path};
		if (i > 0 && asked[i - 1].req.op == CSFTP_OP_GETATTR &&
		    req.op != CSFTP_OP_GETATTR)
			settle(rig);
		ask(rig, &asked[i], req);
		plain->dice = dice;
		req = random_op(plain, fh[1]);
		if (req.op == CSFTP_OP_LINK)
			req = (struct csftp_req){.op = CSFTP_OP_UNLINK,
						 .path = req.path};
		ask(plain, &same[i], req);
		plain->dice = 0;
		settle(plain);
		for (uint32_t n = throw(rig) % 3; n > 0; n--)
			(void)drive(rig);
	}
	settle(rig);
	for (size_t i = 0; i < OPS; i++) {
		assert_true(asked[i].done && same[i].done);
		if (asked[i].err != same[i].err ||
		    asked[i].size != same[i].size)
			fail_msg("seed %u, request %zu: %d and %d", seed, i,
				 asked[i].err, same[i].err);
	}
}

static void order_is_that_of_one_connection(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct rig *rig = rig_new(LANES);
		struct rig *plain = rig_new(1);

		assert_int_equal(fs_mkdir(&rig->other, "/d"), 0);
		assert_int_equal(fs_mkdir(&plain->other, "/d"), 0);
		compare(rig, plain, seed * 7919);
		rig_free(rig);
		rig_free(plain);
	}
}

static int run_suite(uint32_t lanes)
{
	struct rig *rig = rig_new(lanes);
	struct fs_suite suite = {
		.caller = rig->c,
		.name = "spread over memfs",
		.base = "/base",
		.has = FS_ALL & ~(lanes > 1 ? FS_COPY_RANGE : 0),
	};
	int failed = fs_mkdir(&rig->other, suite.base);

	failed += fs_suite_run(&suite);
	fs_caller_release(&suite.caller);
	rig_free(rig);
	return failed;
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(one_lane_carries_all),
		cmocka_unit_test(names_have_a_lane_and_files_have_others),
		cmocka_unit_test(a_file_is_opened_where_there_is_least_to_move),
		cmocka_unit_test(a_path_that_is_open_is_opened_on_its_lane),
		cmocka_unit_test(
			what_is_asked_behind_a_creation_finds_the_file),
		cmocka_unit_test(what_is_asked_by_path_sees_what_was_written),
		cmocka_unit_test(
			a_change_of_a_directory_waits_for_what_is_in_it),
		cmocka_unit_test(what_is_under_way_on_two_lanes_is_waited_for),
		cmocka_unit_test(who_waits_can_be_cancelled),
		cmocka_unit_test(a_copy_needs_both_on_one_lane),
		cmocka_unit_test(a_lane_more_is_wanted_when_all_are_full),
		cmocka_unit_test(nothing_is_opened_on_a_lane_that_is_lost),
		cmocka_unit_test(order_is_that_of_one_connection),
	};
	int failed = cmocka_run_group_tests(claims, NULL, NULL);

	return failed + run_suite(1) + run_suite(LANES) != 0;
}
