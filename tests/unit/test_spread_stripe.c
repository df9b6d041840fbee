/* One file on several connections: where it goes, and that order is kept. */
#include <errno.h>
#include <string.h>

#include "tests/lib/lanes.h"
#include "tests/lib/test.h"

#define PIECE 500U
#define SIZE  (100U * PIECE)
#define OPS   600U

static const struct spread_config eager = {.full = 2 * PIECE, .large = 2000};

static const uint8_t *pattern(void)
{
	static uint8_t bytes[SIZE];

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 31 + i / PIECE);
	return bytes;
}

static struct csftp_req write_at(csftp_fh fh, uint64_t off)
{
	return (struct csftp_req){
		.op = CSFTP_OP_WRITE,
		.fh = fh,
		.off = off,
		.data = pattern() + off,
		.len = PIECE,
	};
}

/* All of it, without waiting; the errors are added up. */
static int write_all(struct lanes *lanes, csftp_fh fh)
{
	static struct lanes_ask ask[SIZE / PIECE];
	int err = 0;

	for (size_t i = 0; i < SIZE / PIECE; i++) {
		lanes_say(lanes, &ask[i], write_at(fh, i * PIECE));
		if (i % 16 == 15)
			(void)lanes_drive(lanes);
	}
	lanes_settle(lanes);
	for (size_t i = 0; i < SIZE / PIECE; i++) {
		assert_true(ask[i].done);
		err |= ask[i].err;
	}
	return err;
}

static void assert_content(struct lanes *lanes, const char *path)
{
	struct fs_caller *other = &lanes->other;
	csftp_fh fh;

	assert_int_equal(fs_open(other, path, CSFTP_OPEN_READ), 0);
	fh = other->fh;
	assert_int_equal(fs_read_all(other, fh, 0, 2 * (uint64_t)SIZE), 0);
	assert_int_equal(other->data_len, SIZE);
	assert_memory_equal(other->data, pattern(), SIZE);
	assert_int_equal(fs_close(other, fh), 0);
}

static void a_large_file_is_written_on_all_lanes_of_files(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	lanes->dice = 1;
	assert_int_equal(write_all(lanes, fh), 0);
	assert_content(lanes, "/f");
	assert_int_equal(lanes->lane[0].asked[CSFTP_OP_WRITE], 0);
	assert_in_range(lanes->lane[1].asked[CSFTP_OP_WRITE], 20, 80);
	assert_in_range(lanes->lane[2].asked[CSFTP_OP_WRITE], 20, 80);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_OPEN), 2);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 2);
	lanes_free(lanes);
}

static void a_large_file_is_read_on_all_lanes_of_files(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	static struct lanes_ask ask[SIZE / PIECE];
	csftp_fh fh;

	(void)state;
	assert_int_equal(fs_put(&lanes->other, "/f", pattern(), SIZE), 0);
	fh = lanes_open(lanes, "/f", CSFTP_OPEN_READ);
	lanes->dice = 1;
	for (size_t i = 0; i < SIZE / PIECE; i++) {
		lanes_say(lanes, &ask[i],
			  (struct csftp_req){.op = CSFTP_OP_READ,
					     .fh = fh,
					     .off = i * PIECE,
					     .len = PIECE});
		/* Meanwhile the lanes say what they know of the file. */
		if (i == SIZE / PIECE / 2)
			lanes_settle(lanes);
	}
	lanes_settle(lanes);
	for (size_t i = 0; i < SIZE / PIECE; i++)
		assert_int_equal(ask[i].err, 0);
	assert_in_range(lanes->lane[1].asked[CSFTP_OP_READ], 10, 90);
	assert_in_range(lanes->lane[2].asked[CSFTP_OP_READ], 10, 90);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 2);
	lanes_free(lanes);
}

static void what_was_alone_leaves_the_first_lane_to_names(void **state)
{
	struct lanes *lanes = lanes_new(1, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);
	unsigned before;

	(void)state;
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(lanes->wanted, 1);
	assert_int_equal(spread_add(lanes->spread, &lanes->lane[1].relay.fs),
			 CSFTP_OK);
	assert_int_equal(write_all(lanes, fh), 0);
	before = lanes->lane[0].asked[CSFTP_OP_WRITE];
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(lanes->lane[0].asked[CSFTP_OP_WRITE], before);
	/* And one more, when that has its fill. */
	assert_int_equal(lanes->wanted, 2);
	assert_int_equal(spread_add(lanes->spread, &lanes->lane[2].relay.fs),
			 CSFTP_OK);
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(write_all(lanes, fh), 0);
	assert_true(lanes->lane[2].asked[CSFTP_OP_WRITE] > 20);
	assert_content(lanes, "/f");
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 3);
	lanes_free(lanes);
}

static void small_files_and_those_that_grow_at_their_end_stay(void **state)
{
	struct lanes *lanes = lanes_new(LANES, NULL);
	csftp_fh fh = lanes_open(lanes, "/small", MAKE);

	(void)state;
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_OPEN), 1);
	lanes_free(lanes);
	lanes = lanes_new(LANES, &eager);
	fh = lanes_open(lanes, "/log", MAKE | CSFTP_OPEN_APPEND);
	assert_int_equal(write_all(lanes, fh), 0);
	assert_content(lanes, "/log");
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_OPEN), 1);
	lanes_free(lanes);
}

/* Nobody but its path says which file it is. */
static void another_file_of_that_path_is_not_touched(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	assert_int_equal(fs_put(&lanes->other, "/theirs", "theirs", 6), 0);
	assert_int_equal(fs_link(&lanes->other, "/f", "/ours"), 0);
	assert_int_equal(fs_replace(&lanes->other, "/theirs", "/f"), 0);
	assert_int_equal(write_all(lanes, fh), 0);
	assert_content(lanes, "/ours");
	assert_int_equal(fs_lgetattr(&lanes->other, "/f"), 0);
	assert_int_equal(lanes->other.attr.size, 6);
	/* It was opened, and closed again. */
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_OPEN), 2);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 1);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 2);
	lanes_free(lanes);
}

static void what_cannot_be_opened_twice_stays_on_one(void **state)
{
	static const struct csftp_attr none = {.mask = CSFTP_ATTR_MODE};
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	assert_int_equal(fs_setattr(&lanes->c, "/f", &none), 0);
	assert_int_equal(fs_unlink(&lanes->other, "/f"), 0);
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(fs_fgetattr(&lanes->c, fh), 0);
	assert_int_equal(lanes->c.attr.size, SIZE);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 1);
	lanes_free(lanes);
}

static void a_lane_that_finds_another_file_is_left(void **state)
{
	for (uint32_t i = 1; i < LANES; i++) {
		struct lanes *lanes = lanes_new(LANES, &eager);
		csftp_fh fh = lanes_open(lanes, "/f", MAKE);
		unsigned asked;

		(void)state;
		assert_int_equal(write_all(lanes, fh), 0);
		lanes->lane[i].refused = CSFTP_OP_WRITE;
		lanes->lane[i].err = ESTALE;
		assert_int_equal(write_all(lanes, fh), 0);
		asked = lanes->lane[i].asked[CSFTP_OP_WRITE];
		assert_int_equal(write_all(lanes, fh), 0);
		assert_int_equal(lanes->lane[i].asked[CSFTP_OP_WRITE], asked);
		assert_content(lanes, "/f");
		/* What it says at its end is of no interest any more. */
		lanes->lane[i].refused = CSFTP_OP_CLOSE;
		assert_int_equal(fs_fsync(&lanes->c, fh), 0);
		assert_int_equal(fs_close(&lanes->c, fh), 0);
		assert_int_equal(lanes_asked(lanes, CSFTP_OP_CLOSE), 2);
		lanes_free(lanes);
	}
}

static void all_lanes_that_find_another_file_are_an_error(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);

	(void)state;
	assert_int_equal(write_all(lanes, fh), 0);
	for (uint32_t i = 1; i < LANES; i++) {
		lanes->lane[i].refused = CSFTP_OP_WRITE;
		lanes->lane[i].err = ESTALE;
	}
	assert_int_equal(write_all(lanes, fh), ESTALE);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

static void closing_has_the_error_of_each_lane(void **state)
{
	for (uint32_t i = 1; i < LANES; i++) {
		struct lanes *lanes = lanes_new(LANES, &eager);
		csftp_fh fh = lanes_open(lanes, "/f", MAKE);

		(void)state;
		assert_int_equal(write_all(lanes, fh), 0);
		lanes->lane[i].refused = CSFTP_OP_CLOSE;
		lanes->lane[i].err = ENOSPC;
		assert_int_equal(fs_close(&lanes->c, fh), ENOSPC);
		lanes_free(lanes);
	}
}

static void closing_does_not_wait_for_a_lane_that_is_still_opening(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);
	struct lanes_ask write[8], close;
	struct later *slow;

	(void)state;
	slow = &lanes->lane[lanes->lane[1].all > 0 ? 2 : 1].later;
	for (size_t i = 0; i < 8; i++)
		lanes_say(lanes, &write[i], write_at(fh, i * PIECE));
	assert_int_equal(slow->waiting, 1);
	lanes_say(lanes, &close,
		  (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	while (later_run(&lanes->lane[0].later) ||
	       later_run(&lanes->lane[slow == &lanes->lane[1].later ? 2 : 1]
				  .later))
		continue;
	assert_true(close.done);
	assert_int_equal(close.err, 0);
	lanes_free(lanes);
}

static void a_question_by_path_overtakes_what_is_written(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);
	struct lanes_ask write[8], attr, moved;

	(void)state;
	assert_int_equal(write_all(lanes, fh), 0);
	for (size_t i = 0; i < 8; i++)
		lanes_say(lanes, &write[i], write_at(fh, i * PIECE));
	lanes_say(lanes, &attr,
		  (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/f"});
	while (later_run(&lanes->lane[0].later))
		continue;
	assert_true(attr.done);
	assert_false(write[7].done);
	/* Not so a change. */
	lanes_say(lanes, &moved,
		  (struct csftp_req){
			  .op = CSFTP_OP_RENAME, .path = "/f", .path2 = "/g"});
	assert_int_equal(lanes_asked(lanes, CSFTP_OP_RENAME), 0);
	lanes_settle(lanes);
	assert_int_equal(moved.err, 0);
	assert_content(lanes, "/g");
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

/* By a rename that is asked for while the lanes open it. */
static void a_file_that_is_renamed_meanwhile_is_the_same(void **state)
{
	struct lanes *lanes = lanes_new(LANES, &eager);
	csftp_fh fh = lanes_open(lanes, "/f", MAKE);
	struct lanes_ask write[8], moved, put;

	(void)state;
	assert_int_equal(fs_put(&lanes->other, "/new", "new", 3), 0);
	for (size_t i = 0; i < 8; i++)
		lanes_say(lanes, &write[i], write_at(fh, i * PIECE));
	lanes_say(lanes, &moved,
		  (struct csftp_req){
			  .op = CSFTP_OP_RENAME, .path = "/f", .path2 = "/g"});
	lanes_say(lanes, &put,
		  (struct csftp_req){.op = CSFTP_OP_RENAME,
				     .path = "/new",
				     .path2 = "/f"});
	assert_int_equal(write_all(lanes, fh), 0);
	assert_int_equal(moved.err + put.err, 0);
	assert_content(lanes, "/g");
	assert_int_equal(fs_lgetattr(&lanes->other, "/f"), 0);
	assert_int_equal(lanes->other.attr.size, 3);
	assert_int_equal(fs_close(&lanes->c, fh), 0);
	lanes_free(lanes);
}

/*
 * Random requests about two handles that do not wait for each other: each is
 * answered as if they were done one after the other.
 */
struct step {
	struct csftp_req req; /* first */
	int err, expected;
	bool done;
	uint8_t bytes[256];
	size_t len, expected_len;
	uint8_t expected_bytes[256];
	uint64_t size, expected_size;
};

static void stepped(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct step *step = (struct step *)req;

	step->done = true;
	step->err = reply->err;
	step->len = reply->data.len;
	assert_true(step->len <= sizeof(step->bytes));
	if (step->len > 0)
		memmove(step->bytes, reply->data.ptr, step->len);
	if (reply->attr)
		step->size = reply->attr->size;
}

static struct csftp_req random_step(struct lanes *lanes)
{
	static struct csftp_attr shorter[64];
	uint32_t dice = lanes_throw(lanes);
	uint64_t off = lanes_throw(lanes) % 2048;
	struct csftp_req req = {.off = off};

	switch (dice % 16) {
	case 0:
		req.op = CSFTP_OP_GETATTR;
		break;
	case 1:
		req.op = CSFTP_OP_FSYNC;
		break;
	case 2:
		req.op = CSFTP_OP_SETATTR;
		shorter[dice / 16 % 64] = (struct csftp_attr){
			.mask = CSFTP_ATTR_SIZE, .size = dice / 16 % 64 * 32};
		req.attr = &shorter[dice / 16 % 64];
		break;
	case 3:
	case 4:
	case 5:
		req.op = CSFTP_OP_READ;
		req.len = 1 + dice / 16 % 256;
		break;
	default:
		req.op = CSFTP_OP_WRITE;
		req.len = 1 + dice / 16 % 256;
		req.data = pattern() + dice % 5000;
		break;
	}
	return req;
}

/* What comes of it on a file system alone, at once. */
static void expect(struct step *step, struct fs_caller *plain, csftp_fh fh)
{
	struct csftp_req req = step->req;

	req.fh = fh;
	step->expected = fs_call(plain, &req);
	step->expected_len = plain->data_len;
	if (plain->data_len > 0)
		memcpy(step->expected_bytes, plain->data, plain->data_len);
	if (step->req.op == CSFTP_OP_GETATTR)
		step->expected_size = plain->attr.size;
}

static void run_steps(struct lanes *lanes, struct lanes *plain, uint32_t seed)
{
	static struct step step[OPS];
	static const char *const paths[] = {"/a", "/b"};
	csftp_fh fh[2][2];

	for (size_t i = 0; i < 2; i++) {
		fh[0][i] = lanes_open(lanes, paths[i], MAKE);
		assert_int_equal(fs_open(&plain->other, paths[i], MAKE), 0);
		fh[1][i] = plain->other.fh;
	}
	lanes->dice = seed;
	for (size_t i = 0; i < OPS; i++) {
		uint32_t which = lanes_throw(lanes) % 2;

		step[i] = (struct step){.req = random_step(lanes)};
		expect(&step[i], &plain->other, fh[1][which]);
		step[i].req.fh = fh[0][which];
		step[i].req.done = stepped;
		csftp_submit(spread_fs(lanes->spread), &step[i].req);
		for (uint32_t n = lanes_throw(lanes) % 3; n > 0; n--)
			(void)lanes_drive(lanes);
	}
	lanes_settle(lanes);
	for (size_t i = 0; i < OPS; i++) {
		assert_true(step[i].done);
		if (step[i].err != step[i].expected ||
		    step[i].len != step[i].expected_len ||
		    step[i].size != step[i].expected_size ||
		    memcmp(step[i].bytes, step[i].expected_bytes,
			   step[i].len) != 0)
			fail_msg("seed %u, request %zu", seed, i);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fs_close(&lanes->c, fh[0][i]), 0);
		assert_int_equal(fs_close(&plain->other, fh[1][i]), 0);
	}
}

static void order_is_that_of_one_connection(void **state)
{
	static const struct spread_config all = {.full = 1, .large = 1};
	unsigned opens = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct lanes *lanes = lanes_new(LANES, &all);
		struct lanes *plain = lanes_new(1, NULL);

		run_steps(lanes, plain, seed * 7919);
		opens += lanes_asked(lanes, CSFTP_OP_OPEN);
		lanes_free(lanes);
		lanes_free(plain);
	}
	/* Most of them were on two lanes. */
	assert_true(opens > 180);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(a_large_file_is_written_on_all_lanes_of_files),
		cmocka_unit_test(a_large_file_is_read_on_all_lanes_of_files),
		cmocka_unit_test(what_was_alone_leaves_the_first_lane_to_names),
		cmocka_unit_test(
			small_files_and_those_that_grow_at_their_end_stay),
		cmocka_unit_test(another_file_of_that_path_is_not_touched),
		cmocka_unit_test(what_cannot_be_opened_twice_stays_on_one),
		cmocka_unit_test(a_lane_that_finds_another_file_is_left),
		cmocka_unit_test(all_lanes_that_find_another_file_are_an_error),
		cmocka_unit_test(closing_has_the_error_of_each_lane),
		cmocka_unit_test(
			closing_does_not_wait_for_a_lane_that_is_still_opening),
		cmocka_unit_test(a_question_by_path_overtakes_what_is_written),
		cmocka_unit_test(a_file_that_is_renamed_meanwhile_is_the_same),
		cmocka_unit_test(order_is_that_of_one_connection),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
