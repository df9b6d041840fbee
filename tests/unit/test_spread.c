/* Files on several connections: where they go, and that order is kept. */
#include "core/layer/spread.h"

#include <errno.h>

#include "tests/lib/fs_suite.h"
#include "tests/lib/lanes.h"
#include "tests/lib/test.h"

/* The lane that the next request goes to; LANES: none. */
static unsigned lane_of_read(struct lanes *lanes, csftp_fh fh)
{
	unsigned before[LANES];
	unsigned lane = LANES;

	for (unsigned i = 0; i < LANES; i++)
		before[i] = lanes->lane[i].all;
	assert_int_equal(fs_read(&lanes->c, fh, 0, 1), 0);
	for (unsigned i = 0; i < LANES; i++) {
		if (lanes->lane[i].all != before[i])
			lane = i;
	}
	return lane;
}

static void ask_write(struct lanes *lanes, struct lanes_ask *asked, csftp_fh fh,
		      uint64_t off, uint64_t len)
{
	static const char bytes[4096];

	assert_true(len <= sizeof(bytes));
	lanes_say(lanes, asked,
		  (struct csftp_req){.op = CSFTP_OP_WRITE,
				     .fh = fh,
				     .off = off,
				     .data = bytes,
				     .len = len});
}

static void ask_path(struct lanes *lanes, struct lanes_ask *asked,
		     enum csftp_op op, const char *path, const char *path2)
{
	lanes_say(lanes, asked,
		  (struct csftp_req){
			  .op = op,
			  .path = path,
			  .path2 = path2,
			  .flags = op == CSFTP_OP_RENAME ? CSFTP_REPLACE : 0});
}

static void one_lane_carries_all(void **state)
{
	struct lanes *lanes = lanes_new(1, NULL);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	assert_int_equal(fs_write(&lanes->c, fh, 0, "text", 4), 0);
	assert_int_equal(lane_of_read(lanes, fh), 0);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes->lane[1].all + lanes->lane[2].all, 0);
	lanes_free(lanes);
}

/* Of each change by path, on which lane it was done. */
static void the_owner_is_told_of_changes(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	assert_ptr_equal(lanes->changed_on, &lanes->lane[1].relay.fs);
	assert_int_equal(fs_write(&lanes->c, fh, 0, "text", 4), 0);
	assert_int_equal(fs_getattr(&lanes->c, "/f"), 0);
	assert_int_equal(lanes->changes, 1);
	assert_int_equal(fs_rename(&lanes->c, "/f", "/g"), 0);
	assert_ptr_equal(lanes->changed_on, &lanes->lane[0].relay.fs);
	assert_int_equal(lanes->changes, 2);
	assert_int_equal(fs_unlink(&lanes->c, "/f"), ENOENT);
	assert_int_equal(lanes->changes, 2);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

static void names_have_a_lane_and_files_have_others(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh a, b;

	(void)state;
	assert_int_equal(fs_put(&lanes->other, "/a", "text", 4), 0);
	assert_int_equal(fs_put(&lanes->other, "/b", "text", 4), 0);
	assert_int_equal(fs_mkdir(&lanes->c, "/d"), 0);
	assert_int_equal(fs_getattr(&lanes->c, "/a"), 0);
	assert_int_equal(fs_opendir(&lanes->c, "/d"), 0);
	assert_int_equal(fs_close(&lanes->c, lanes->c.fh), 0);
	assert_int_equal(lanes->lane[0].all, 4);
	a = lanes_open(lanes, "/a", CSFTP_OPEN_READ);
	b = lanes_open(lanes, "/b", CSFTP_OPEN_READ);
	assert_true(lane_of_read(lanes, a) != lane_of_read(lanes, b));
	assert_int_equal(lanes->lane[0].all, 4);
	assert_int_equal(fs_close(&lanes->c, a), 0);
	assert_int_equal(fs_close(&lanes->c, b), 0);
	lanes_free(lanes);
}

static void a_file_is_opened_where_there_is_least_to_move(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	struct lanes_ask reads[4];
	csftp_fh big, next;

	(void)state;
	assert_int_equal(fs_put(&lanes->other, "/big", "text", 4), 0);
	assert_int_equal(fs_put(&lanes->other, "/a", "text", 4), 0);
	big = lanes_open(lanes, "/big", CSFTP_OPEN_READ);
	for (size_t i = 0; i < 4; i++)
		lanes_say(lanes, &reads[i],
			  (struct csftp_req){.op = CSFTP_OP_READ,
					     .fh = big,
					     .len = 100000});
	/* Each of them avoids the lane with the reads. */
	for (int i = 0; i < 3; i++) {
		struct lanes_ask open;

		lanes_say(lanes, &open,
			  (struct csftp_req){.op = CSFTP_OP_OPEN,
					     .path = "/a",
					     .flags = CSFTP_OPEN_READ});
		while (!open.done) {
			assert_true(later_run(&lanes->lane[1].later) ||
				    later_run(&lanes->lane[2].later));
			assert_false(open.err);
		}
		next = open.fh;
		assert_int_equal(fs_close(&lanes->c, next), 0);
	}
	lanes_settle(lanes);
	assert_int_equal(fs_close(&lanes->c, big), 0);
	lanes_free(lanes);
}

static void a_path_that_is_open_is_opened_on_its_lane(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh first = lanes_open(lanes, "/f", MAKE);
	csftp_fh other = lanes_open(lanes, "/g", MAKE);
	unsigned lane;

	(void)state;
	assert_int_equal(fs_write(&lanes->c, first, 0, "text", 4), 0);
	lane = lane_of_read(lanes, first);
	for (int i = 0; i < 4; i++) {
		csftp_fh again = lanes_open(lanes, "/f", CSFTP_OPEN_READ);

		assert_int_equal(lane_of_read(lanes, again), lane);
		assert_int_equal(fs_close(&lanes->c, again), 0);
	}
	/* Also by the name that it has got meanwhile. */
	assert_int_equal(fs_rename(&lanes->c, "/f", "/moved"), 0);
	assert_int_equal(lane_of_read(lanes, lanes_open(lanes, "/moved", RW)),
			 lane);
	assert_int_equal(fs_close(&lanes->c, first), 0);
	assert_int_equal(fs_close(&lanes->c, other), 0);
	lanes_free(lanes);
}

/* As the frontend does it, in one round trip. */
static void what_is_asked_behind_a_creation_finds_the_file(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	struct lanes_ask open, attr;

	(void)state;
	lanes_say(lanes, &open,
		  (struct csftp_req){
			  .op = CSFTP_OP_OPEN, .path = "/new", .flags = MAKE});
	ask_path(lanes, &attr, CSFTP_OP_GETATTR, "/new", NULL);
	lanes_settle(lanes);
	assert_true(open.done && attr.done);
	assert_int_equal(open.err, 0);
	assert_int_equal(attr.err, 0);
	assert_int_equal(fs_close(&lanes->c, open.fh), 0);
	lanes_free(lanes);
}

static void what_is_asked_by_path_sees_what_was_written(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);
	struct lanes_ask write, close, attr, moved;

	(void)state;
	ask_write(lanes, &write, fh, 0, 1000);
	lanes_say(lanes, &close,
		  (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	ask_path(lanes, &attr, CSFTP_OP_GETATTR, "/f", NULL);
	ask_path(lanes, &moved, CSFTP_OP_RENAME, "/f", "/g");
	/* The first lane would answer first. */
	lanes_settle(lanes);
	assert_int_equal(attr.err, 0);
	assert_int_equal(attr.size, 1000);
	assert_int_equal(write.err + close.err + moved.err, 0);
	assert_int_equal(fs_getattr(&lanes->c, "/g"), 0);
	assert_int_equal(lanes->c.attr.size, 1000);
	lanes_free(lanes);
}

static void a_change_of_a_directory_waits_for_what_is_in_it(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	struct lanes_ask write, moved, attr;
	csftp_fh fh;

	(void)state;
	assert_int_equal(fs_mkdir(&lanes->c, "/d"), 0);
	fh = lanes_open(lanes, "/d/f", MAKE);
	ask_write(lanes, &write, fh, 0, 10);
	ask_path(lanes, &moved, CSFTP_OP_RENAME, "/d", "/e");
	ask_path(lanes, &attr, CSFTP_OP_GETATTR, "/e/f", NULL);
	lanes_settle(lanes);
	assert_int_equal(write.err + moved.err + attr.err, 0);
	assert_int_equal(attr.size, 10);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

static void what_is_under_way_on_two_lanes_is_waited_for(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh a = lanes_open(lanes, "/a", MAKE);
	csftp_fh b = lanes_open(lanes, "/b", MAKE);
	struct lanes_ask write_a, write_b, moved, attr, late;

	(void)state;
	ask_write(lanes, &write_a, a, 0, 10);
	ask_write(lanes, &write_b, b, 0, 20);
	ask_path(lanes, &moved, CSFTP_OP_RENAME, "/a", "/b");
	/* These may not overtake it. */
	ask_write(lanes, &late, a, 10, 5);
	ask_path(lanes, &attr, CSFTP_OP_GETATTR, "/b", NULL);
	assert_int_equal(lanes->lane[0].asked[CSFTP_OP_RENAME] +
				 lanes->lane[1].asked[CSFTP_OP_RENAME] +
				 lanes->lane[2].asked[CSFTP_OP_RENAME],
			 0);
	lanes_settle(lanes);
	assert_true(moved.done && attr.done && late.done);
	assert_int_equal(moved.err + attr.err + late.err, 0);
	assert_int_equal(attr.size, 15);
	assert_int_equal(fs_close(&lanes->c, a), 0);
	assert_int_equal(fs_close(&lanes->c, b), 0);
	lanes_free(lanes);
}

static void who_waits_can_be_cancelled(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh a = lanes_open(lanes, "/a", MAKE);
	csftp_fh b = lanes_open(lanes, "/b", MAKE);
	struct lanes_ask write_a, write_b, moved;

	(void)state;
	ask_write(lanes, &write_a, a, 0, 10);
	ask_write(lanes, &write_b, b, 0, 20);
	ask_path(lanes, &moved, CSFTP_OP_RENAME, "/a", "/b");
	csftp_cancel(spread_fs(lanes->spread), &moved.req);
	assert_true(moved.done);
	assert_int_equal(moved.err, EINTR);
	csftp_cancel(spread_fs(lanes->spread), &write_b.req);
	assert_true(write_b.done);
	assert_int_equal(write_b.err, EINTR);
	lanes_settle(lanes);
	assert_int_equal(fs_close(&lanes->c, a), 0);
	assert_int_equal(fs_close(&lanes->c, b), 0);
	lanes_free(lanes);
}

static void a_copy_needs_both_on_one_lane(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh a = lanes_open(lanes, "/a", MAKE);
	csftp_fh b = lanes_open(lanes, "/b", MAKE);

	(void)state;
	assert_int_equal(fs_write(&lanes->c, a, 0, "text", 4), 0);
	assert_int_equal(fs_copy_range(&lanes->c,
				       &(struct csftp_req){.fh = a, .fh2 = b}),
			 EOPNOTSUPP);
	assert_int_equal(
		fs_copy_range(&lanes->c,
			      &(struct csftp_req){
				      .fh = a, .fh2 = a, .off2 = 4, .len = 4}),
		0);
	assert_int_equal(fs_copy_range(&lanes->c,
				       &(struct csftp_req){.fh = a, .fh2 = 99}),
			 EBADF);
	assert_int_equal(fs_close(&lanes->c, a), 0);
	assert_int_equal(fs_close(&lanes->c, b), 0);
	lanes_free(lanes);
}

static void a_lane_more_is_wanted_when_all_are_full(void **state)
{
	struct lanes *lanes = lanes_new(1, NULL);
	struct lanes_ask read[2];
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	lanes_say(lanes, &read[0],
		  (struct csftp_req){.op = CSFTP_OP_READ,
				     .fh = fh,
				     .len = SPREAD_FULL - 1});
	assert_int_equal(lanes->wanted, 0);
	lanes_say(lanes, &read[1],
		  (struct csftp_req){.op = CSFTP_OP_READ, .fh = fh, .len = 1});
	assert_int_equal(lanes->wanted, 1);
	lanes_settle(lanes);
	assert_int_equal(lane_of_read(lanes, fh), 0);
	assert_int_equal(lanes->wanted, 1);
	assert_int_equal(spread_add(lanes->spread, &lanes->lane[1].relay.fs),
			 CSFTP_OK);
	assert_int_equal(lane_of_read(lanes, lanes_open(lanes, "/g", MAKE)), 1);
	/* The first lane does not count any more. */
	lanes_say(lanes, &read[0],
		  (struct csftp_req){
			  .op = CSFTP_OP_READ, .fh = fh, .len = SPREAD_FULL});
	assert_int_equal(lanes->wanted, 1);
	lanes_settle(lanes);
	spread_give_up(lanes->spread);
	assert_int_equal(spread_add(lanes->spread, &lanes->lane[2].relay.fs),
			 CSFTP_ERR_ARG);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

/*
 * Random changes that do not wait for each other, and questions behind them,
 * find what they would find one after the other on one connection.
 */

#define OPS   400U
#define FILES 3U

static const char *const names[] = {"/a", "/b", "/d/a", "/d/b"};

static struct csftp_req random_op(struct lanes *lanes, const csftp_fh *fh)
{
	static const char bytes[64];
	uint32_t dice = lanes_throw(lanes);
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
static void compare(struct lanes *lanes, struct lanes *plain, uint32_t seed)
{
	static struct lanes_ask asked[OPS];
	static struct lanes_ask same[OPS];
	csftp_fh fh[2][FILES];
	uint32_t dice;

	for (size_t i = 0; i < FILES; i++) {
		fh[0][i] = lanes_open(lanes, names[i + 1], MAKE);
		fh[1][i] = lanes_open(plain, names[i + 1], MAKE);
	}
	lanes->dice = seed;
	for (size_t i = 0; i < OPS; i++) {
		struct csftp_req req;

		dice = lanes->dice;
		req = random_op(lanes, fh[0]);
		/* A second name of a file is what is not seen through. */
		if (req.op == CSFTP_OP_LINK)
			req = (struct csftp_req){.op = CSFTP_OP_UNLINK,
						 .path = req.path};
		if (i > 0 && asked[i - 1].req.op == CSFTP_OP_GETATTR &&
		    req.op != CSFTP_OP_GETATTR)
			lanes_settle(lanes);
		lanes_say(lanes, &asked[i], req);
		plain->dice = dice;
		req = random_op(plain, fh[1]);
		if (req.op == CSFTP_OP_LINK)
			req = (struct csftp_req){.op = CSFTP_OP_UNLINK,
						 .path = req.path};
		lanes_say(plain, &same[i], req);
		plain->dice = 0;
		lanes_settle(plain);
		for (uint32_t n = lanes_throw(lanes) % 3; n > 0; n--)
			(void)lanes_drive(lanes);
	}
	lanes_settle(lanes);
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
		struct lanes *lanes = lanes_new(LANES, NULL);
		struct lanes *plain = lanes_new(1, NULL);

		assert_int_equal(fs_mkdir(&lanes->other, "/d"), 0);
		assert_int_equal(fs_mkdir(&plain->other, "/d"), 0);
		compare(lanes, plain, seed * 7919);
		lanes_free(lanes);
		lanes_free(plain);
	}
}

/* Where a wish makes files go over several lanes, all of them do. */
static int run_suite(uint32_t count, const struct spread_config *wish)
{
	struct lanes *lanes = lanes_new(count, wish);
	uint32_t has = FS_ALL & ~(count > 1 ? FS_COPY_RANGE : 0);
	int failed = fs_suite_run_over(&lanes->c, &lanes->other,
				       "spread over memfs", has);

	lanes_free(lanes);
	return failed;
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(one_lane_carries_all),
		cmocka_unit_test(the_owner_is_told_of_changes),
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
		cmocka_unit_test(order_is_that_of_one_connection),
	};
	int failed = cmocka_run_group_tests(claims, NULL, NULL);

	static const struct spread_config eager = {.full = 1, .large = 1};

	return failed + run_suite(1, NULL) + run_suite(LANES, NULL) +
		       run_suite(LANES, &eager) !=
	       0;
}
