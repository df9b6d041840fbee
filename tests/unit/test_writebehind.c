/* Writes behind their callers: together, bounded, and with their errors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/behind.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

static void making_and_writing_takes_two_trips(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh;

	behind_begin(world);
	fh = behind_open(world, "/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 2);
	assert_string_equal(world->story, "oWC");
	behind_assert(world, "/f", 100);
}

static void small_writes_are_put_together(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	for (size_t at = 0; at < 5000; at += 100)
		assert_int_equal(behind_put(world, fh, at, 100), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	/* The first alone, as nothing else was on its way. */
	assert_string_equal(world->story, "WWWWWWC");
	assert_int_equal(world->longest, BEHIND_PIECE);
	assert_int_equal(world->far.trips, 1);
	behind_assert(world, "/f", 5000);
}

/* 2,100 bytes are two pieces and a rest, which belongs to the next. */
static void a_rest_goes_with_what_follows_it(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	for (size_t at = 0; at < 21000; at += 2100)
		assert_int_equal(behind_put(world, fh, at, 2100), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(writebehind_counts(world->wb).writes, 21);
	behind_assert(world, "/f", 21000);
}

static void a_write_elsewhere_is_one_of_its_own(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 300), 0);
	assert_int_equal(behind_put(world, fh, 300, 300), 0);
	assert_int_equal(behind_put(world, fh, 100, 300), 0);
	assert_int_equal(behind_put(world, fh, 900, 300), 0);
	assert_int_equal(behind_put(world, fh, 600, 300), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "WWWWWC");
	behind_assert(world, "/f", 1200);
}

static void of_writes_over_each_other_the_last_one_stays(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	static const char old[200];

	assert_int_equal(behind_put(world, fh, 0, 50), 0);
	for (uint64_t at = 0; at < 800; at += 100)
		assert_int_equal(
			fs_call(world->c,
				&(struct csftp_req){.op = CSFTP_OP_WRITE,
						    .fh = fh,
						    .off = at,
						    .data = old,
						    .len = sizeof(old)}),
			0);
	assert_int_equal(behind_put(world, fh, 0, 950), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 950);
}

static void what_is_appended_comes_in_order(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW | CSFTP_OPEN_APPEND);

	for (uint64_t at = 0; at < 3000; at += 300)
		assert_int_equal(behind_put(world, fh, at, 300), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 3000);
}

static void what_is_not_done_is_bounded(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.bytes_max = 20 * BEHIND_PIECE;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	behind_begin(world);
	for (uint64_t at = 0; at < 60 * BEHIND_PIECE; at += BEHIND_PIECE)
		assert_int_equal(behind_put(world, fh, at, BEHIND_PIECE), 0);
	/* Writers had to wait, but not each time. */
	assert_in_range(world->far.trips, 2, 30);
	assert_in_range(writebehind_counts(world->wb).most, BEHIND_PIECE,
			20 * BEHIND_PIECE);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 60 * BEHIND_PIECE);
}

static void many_little_writes_are_bounded_too(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.bytes_max = 20 * BEHIND_PIECE;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	for (uint64_t at = 20000; at >= 100; at -= 100) {
		assert_int_equal(behind_put(world, fh, at, 10), 0);
		assert_true(writebehind_pending(world->wb) <= 21);
	}
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* So many pieces, by a window of two at first over 100 ms. */
static csftp_fh written_far_away(void **state, uint64_t pieces)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.window_first = 2 * BEHIND_PIECE;
	world->far.trip_ms = 100;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	for (uint64_t i = 0; i < pieces; i++)
		assert_int_equal(
			behind_put(world, fh, i * BEHIND_PIECE, BEHIND_PIECE),
			0);
	return fh;
}

static void the_window_grows_where_that_brings_more(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	fh = written_far_away(state, 64);
	assert_true(world->far.later.most <= 4);
	world->far.trips = 0;
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_true(world->far.later.most >= 16);
	assert_true(world->far.trips <= 12);
	behind_assert(world, "/f", 64 * BEHIND_PIECE);
}

/* 2, 4, 8, ... WRITEs. */
static void over_a_long_way_it_doubles_with_each_round_trip(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	fh = written_far_away(state, 126);
	world->far.trips = 0;
	assert_int_equal(fs_close(world->c, fh), 0);
	/* And CLOSE, which waits for nobody. */
	assert_in_range(world->far.trips, 5, 7);
	behind_assert(world, "/f", 126 * BEHIND_PIECE);
}

static void a_long_way_that_is_full_gets_no_larger_window(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.window_first = 4 * BEHIND_PIECE;
	world->config.bytes_max = 40 * BEHIND_PIECE;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	for (uint64_t at = 0; at < 200 * BEHIND_PIECE; at += BEHIND_PIECE) {
		/* So much in a time, however much waits. */
		world->far.trip_ms = 25 * world->far.later.waiting;
		assert_int_equal(behind_put(world, fh, at, BEHIND_PIECE), 0);
	}
	assert_in_range(world->far.later.most, 4, 8);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 200 * BEHIND_PIECE);
}

/* How many WRITEs are under way at a time, while so much is written. */
static size_t most_under_way(struct behind *world, csftp_fh fh, uint64_t *at)
{
	uint64_t end = *at + 40 * BEHIND_PIECE;

	/* What was sent before does not count. */
	assert_int_equal(fs_fsync(world->c, fh), 0);
	world->far.later.most = 0;
	for (; *at < end; *at += BEHIND_PIECE)
		assert_int_equal(behind_put(world, fh, *at, BEHIND_PIECE), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	return world->far.later.most;
}

static void who_asks_does_not_wait_for_more_than_the_way(void **state)
{
	struct behind *world = *state;
	uint64_t at = 0;
	csftp_fh fh;

	world->config.window_first = 12 * BEHIND_PIECE;
	world->config.bytes_max = 23 * BEHIND_PIECE;
	world->far.trip_ms = 100;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	assert_in_range(most_under_way(world, fh, &at), 11, 13);
	/* Of the 100 ms most is what stands before the question. */
	world->trip_us = 10;
	assert_in_range(most_under_way(world, fh, &at), 5, 6);
	world->asked = true;
	assert_in_range(most_under_way(world, fh, &at), 2, 3);
	/* All of it is the way: then nothing is to be won. */
	world->trip_us = 100000;
	assert_in_range(most_under_way(world, fh, &at), 11, 13);
	world->trip_us = 0;
	assert_in_range(most_under_way(world, fh, &at), 11, 13);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", at);
}

/* However little was under way while nothing moved. */
static void a_way_that_stood_still_is_soon_full_again(void **state)
{
	struct behind *world = *state;
	uint64_t at = 0;
	csftp_fh fh;

	world->config.window_first = 12 * BEHIND_PIECE;
	world->config.bytes_max = 23 * BEHIND_PIECE;
	world->far.trip_ms = 100;
	world->trip_us = 100000;
	world->asked = true;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	(void)most_under_way(world, fh, &at);
	world->far.trip_ms = 900;
	for (unsigned i = 0; i < 50; i++) {
		at = 0;
		(void)most_under_way(world, fh, &at);
	}
	assert_in_range(most_under_way(world, fh, &at), 2, 5);
	world->far.trip_ms = 100;
	world->far.trips = 0;
	world->far.later.most = 0;
	while (world->far.later.most < 11 && world->far.trips < 100) {
		assert_int_equal(behind_put(world, fh, at, BEHIND_PIECE), 0);
		at += BEHIND_PIECE;
	}
	assert_in_range(world->far.trips, 1, 8);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", at);
}

static void who_asks_over_a_short_way_waits_for_a_short_write(void **state)
{
	struct behind *world = *state;
	uint64_t size = sizeof(world->bytes);
	csftp_fh fh;

	world->tap.fs.max_write = 0;
	world->far.trip_ms = 10;
	world->trip_us = 1;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, size), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(world->longest, size);
	world->longest = 0;
	world->asked = true;
	assert_int_equal(behind_put(world, fh, 0, size), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(world->longest, 128 * 1024);
	/* Over a longer way that would be no gain. */
	world->longest = 0;
	world->trip_us = 100000;
	assert_int_equal(behind_put(world, fh, 0, size), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->longest, size);
	behind_assert(world, "/f", size);
}

static void an_error_is_told_once(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	world->fail_write = 2;
	world->write_err = ENOSPC;
	assert_int_equal(behind_put(world, fh, 0, 3 * BEHIND_PIECE), 0);
	assert_int_equal(fs_fsync(world->c, fh), ENOSPC);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	world->fail_write = 1;
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	far_settle(&world->far);
	assert_int_equal(behind_put(world, fh, 0, 10), ENOSPC);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	world->fail_write = 1;
	assert_int_equal(behind_put(world, fh, 500, 10), 0);
	assert_int_equal(behind_flush(world, fh), ENOSPC);
	assert_int_equal(behind_flush(world, fh), 0);
	world->fail_write = 1;
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), ENOSPC);
	assert_int_equal(world->lost, 0);
}

/* Whichever WRITE it is that fails. */
static void close_tells_of_each_error(void **state)
{
	struct behind *world = behind_ready(state);
	char path[16];

	world->write_err = EDQUOT;
	for (unsigned n = 1; n <= 6; n++) {
		csftp_fh fh;

		(void)snprintf(path, sizeof(path), "/f%u", n);
		fh = behind_open(world, path, BEHIND_NEW);
		world->fail_write = n;
		assert_int_equal(behind_put(world, fh, 0, 6 * BEHIND_PIECE), 0);
		assert_int_equal(fs_close(world->c, fh), EDQUOT);
	}
}

static void close_has_an_error_of_its_own(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	world->close_err = EDQUOT;
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), EDQUOT);
	world->close_err = 0;
}

static void the_error_of_one_is_not_that_of_another(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh one = behind_open(world, "/one", BEHIND_NEW);
	csftp_fh two = behind_open(world, "/two", BEHIND_NEW);

	world->fail_write = 1;
	world->write_err = EIO;
	assert_int_equal(behind_put(world, one, 0, 10), 0);
	assert_int_equal(behind_put(world, two, 0, 10), 0);
	assert_int_equal(fs_close(world->c, two), 0);
	assert_int_equal(fs_close(world->c, one), EIO);
}

static void fsync_goes_with_the_writes(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WF");
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void durability_fsync_asks_for_the_disk_at_close(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_FSYNC;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WFC");
	/* What was not written to needs none. */
	fh = behind_open(world, "/f", CSFTP_OPEN_WRITE);
	behind_begin(world);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "C");
}

static void durability_sync_waits_with_each_write(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_SYNC;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(world->far.trips, 1);
	behind_assert(world, "/f", 10);
	world->fail_write = 3;
	world->write_err = EIO;
	assert_int_equal(behind_put(world, fh, 10, 4 * BEHIND_PIECE), EIO);
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* Answers of one file may come in any order, as with several connections. */
static void each_synchronous_write_has_its_own_error(void **state)
{
	struct behind *world = *state;
	struct behind_ask ask[3];
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_SYNC;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	world->far.later.order = LATER_NEWEST_FIRST;
	world->fail_write = 2;
	world->write_err = EIO;
	for (unsigned i = 0; i < 3; i++)
		behind_submit(world, &ask[i],
			      (struct csftp_req){.op = CSFTP_OP_WRITE,
						 .fh = fh,
						 .off = i * BEHIND_PIECE,
						 .data = world->bytes,
						 .len = BEHIND_PIECE});
	far_settle(&world->far);
	assert_int_equal(ask[0].err, 0);
	assert_int_equal(ask[1].err, EIO);
	assert_int_equal(ask[2].err, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void a_synchronous_write_waits_with_all_before_it(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(behind_put(world, fh, 0, 500), 0);
	assert_int_equal(behind_put(world, fh, 500, 100), 0);
	assert_int_equal(fs_call(world->c,
				 &(struct csftp_req){
					 .op = CSFTP_OP_WRITE,
					 .flags = CSFTP_SYNC,
					 .fh = fh,
					 .off = 600,
					 .data = world->bytes + 600,
					 .len = 50,
				 }),
			 0);
	behind_assert(world, "/f", 650);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void durability_async_does_not_wait_at_close(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_ASYNC;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(behind_flush(world, fh), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 0);
	assert_true(writebehind_pending(world->wb) > 0);
	/* Whoever opens it comes after that. */
	fh = behind_open(world, "/f", BEHIND_BOTH);
	behind_assert(world, "/f", 10);
	world->fail_write = 1;
	world->write_err = EIO;
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsync(world->c, fh), EIO);
	world->fail_write = 1;
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
	far_settle(&world->far);
	assert_int_equal(world->lost, 1);
	assert_int_equal(world->lost_err, EIO);
}

static void a_small_file_does_not_wait_for_a_large_one(void **state)
{
	struct behind *world = *state;
	csftp_fh large;
	csftp_fh small;

	world->config.window_first = 4 * BEHIND_PIECE;
	behind_ready(state);
	large = behind_open(world, "/large", BEHIND_NEW);
	small = behind_open(world, "/small", BEHIND_NEW);
	behind_begin(world);
	assert_int_equal(behind_put(world, large, 0, 60 * BEHIND_PIECE), 0);
	assert_int_equal(behind_put(world, small, 0, 10), 0);
	assert_int_equal(fs_close(world->c, small), 0);
	assert_in_range(world->far.trips, 1, 3);
	assert_true(writebehind_counts(world->wb).bytes > 40 * BEHIND_PIECE);
	assert_int_equal(fs_close(world->c, large), 0);
}

static void who_waits_can_go(void **state)
{
	struct behind *world = *state;
	struct behind_ask write;
	struct behind_ask sync;
	csftp_fh fh;

	world->config.bytes_max = 20 * BEHIND_PIECE;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 20 * BEHIND_PIECE), 0);
	behind_submit(world, &write,
		      (struct csftp_req){.op = CSFTP_OP_WRITE,
					 .fh = fh,
					 .data = world->bytes,
					 .len = 10});
	assert_int_equal(write.answers, 0);
	csftp_cancel(world->c->fs, &write.req);
	assert_int_equal(write.answers, 1);
	assert_int_equal(write.err, EINTR);
	behind_submit(world, &sync,
		      (struct csftp_req){.op = CSFTP_OP_FSYNC, .fh = fh});
	csftp_cancel(world->c->fs, &sync.req);
	assert_int_equal(sync.answers, 1);
	assert_int_equal(sync.err, EINTR);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(sync.answers, 1);
	behind_assert(world, "/f", 20 * BEHIND_PIECE);
}

/* Payload in a buffer of its own. */
struct payload {
	struct csftp_buf buf; /* first */
	unsigned released;
	uint8_t bytes[48 * 1024];
};

static void released(struct csftp_buf *buf)
{
	((struct payload *)buf)->released++;
}

static void payload_is_kept_and_not_copied(void **state)
{
	struct payload *payload = calloc(1, sizeof(*payload));
	struct behind *world = *state;
	struct fs_caller *other = &world->far.other;
	csftp_fh fh;

	assert_non_null(payload);
	world->far.relay.fs.max_write = sizeof(payload->bytes);
	world->tap.fs.max_write = sizeof(payload->bytes);
	behind_ready(state);
	payload->buf = (struct csftp_buf){.refs = 1, .release = released};
	fh = behind_open(world, "/f", BEHIND_NEW);
	assert_int_equal(fs_call(world->c,
				 &(struct csftp_req){
					 .op = CSFTP_OP_WRITE,
					 .fh = fh,
					 .data = payload->bytes,
					 .len = sizeof(payload->bytes),
					 .buf = &payload->buf,
				 }),
			 0);
	csftp_buf_drop(&payload->buf);
	assert_int_equal(payload->released, 0);
	/* Nobody may do this; here it shows that there is no copy. */
	payload->bytes[5] = 'x';
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(payload->released, 1);
	assert_int_equal(fs_open(other, "/f", CSFTP_OPEN_READ), 0);
	fh = other->fh;
	assert_int_equal(fs_read(other, fh, 5, 1), 0);
	assert_int_equal(other->data[0], 'x');
	assert_int_equal(fs_close(other, fh), 0);
	free(payload);
}

static void release_nothing(struct csftp_buf *buf)
{
	assert_int_equal(buf->refs, 0);
}

/* Writes of 80,000 bytes for packets of 100,000. */
static void packets_are_filled_with_pieces_of_payload(void **state)
{
	struct csftp_buf buf = {.refs = 1, .release = release_nothing};
	struct behind *world = *state;
	csftp_fh fh;

	world->far.relay.fs.max_write = 100000;
	world->tap.fs.max_write = 100000;
	world->tap.fs.traits |= CSFTP_FS_PARTS;
	behind_ready(state);
	fh = behind_open(world, "/f", BEHIND_NEW);
	for (uint64_t at = 0; at < 240000; at += 80000)
		assert_int_equal(fs_call(world->c,
					 &(struct csftp_req){
						 .op = CSFTP_OP_WRITE,
						 .fh = fh,
						 .off = at,
						 .data = world->bytes + at,
						 .len = 80000,
						 .buf = &buf,
					 }),
				 0);
	assert_true(buf.refs > 1);
	/* What is little is copied, and still goes with the others. */
	assert_int_equal(behind_put(world, fh, 240000, 10), 0);
	assert_int_equal(behind_put(world, fh, 240010, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(buf.refs, 1);
	assert_int_equal(writebehind_counts(world->wb).writes, 3);
	assert_int_equal(world->pieces, 2 + 2);
	behind_assert(world, "/f", 240020);
}

static void memory_is_given_back_after_a_while(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	uint64_t end;

	assert_int_equal(writebehind_tick(world->wb), 0);
	assert_int_equal(behind_put(world, fh, 0, 10 * BEHIND_PIECE), 0);
	assert_int_equal(writebehind_tick(world->wb), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	end = writebehind_tick(world->wb);
	assert_true(end > world->far.now_ms);
	world->far.now_ms = end;
	assert_int_equal(writebehind_tick(world->wb), 0);
	assert_int_equal(behind_put(world, fh, 0, 11 * BEHIND_PIECE), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_true(writebehind_tick(world->wb) > end);
	behind_assert(world, "/f", 11 * BEHIND_PIECE);
}

static void a_handle_that_is_none_is_ebadf(void **state)
{
	struct behind *world = behind_ready(state);

	assert_int_equal(behind_put(world, 999, 0, 10), EBADF);
	assert_int_equal(behind_flush(world, 999), EBADF);
	assert_int_equal(fs_fsync(world->c, 999), EBADF);
	assert_int_equal(fs_close(world->c, 999), EBADF);
}

/* All that any file system promises. */
static int run_suite(const char *name, enum writebehind_durability durability)
{
	void *state = NULL;
	struct behind *world;
	int failed = behind_set_up(&state);

	((struct behind *)state)->config.durability = durability;
	world = behind_ready(&state);
	failed += fs_suite_run_over(world->c, &world->far.other, name, FS_ALL);
	(void)behind_tear_down(&state);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHIND_TEST(making_and_writing_takes_two_trips),
		BEHIND_TEST(small_writes_are_put_together),
		BEHIND_TEST(a_rest_goes_with_what_follows_it),
		BEHIND_TEST(a_write_elsewhere_is_one_of_its_own),
		BEHIND_TEST(of_writes_over_each_other_the_last_one_stays),
		BEHIND_TEST(what_is_appended_comes_in_order),
		BEHIND_TEST(what_is_not_done_is_bounded),
		BEHIND_TEST(many_little_writes_are_bounded_too),
		BEHIND_TEST(the_window_grows_where_that_brings_more),
		BEHIND_TEST(over_a_long_way_it_doubles_with_each_round_trip),
		BEHIND_TEST(a_long_way_that_is_full_gets_no_larger_window),
		BEHIND_TEST(who_asks_does_not_wait_for_more_than_the_way),
		BEHIND_TEST(a_way_that_stood_still_is_soon_full_again),
		BEHIND_TEST(who_asks_over_a_short_way_waits_for_a_short_write),
		BEHIND_TEST(an_error_is_told_once),
		BEHIND_TEST(close_tells_of_each_error),
		BEHIND_TEST(close_has_an_error_of_its_own),
		BEHIND_TEST(the_error_of_one_is_not_that_of_another),
		BEHIND_TEST(fsync_goes_with_the_writes),
		BEHIND_TEST(durability_fsync_asks_for_the_disk_at_close),
		BEHIND_TEST(durability_sync_waits_with_each_write),
		BEHIND_TEST(each_synchronous_write_has_its_own_error),
		BEHIND_TEST(a_synchronous_write_waits_with_all_before_it),
		BEHIND_TEST(durability_async_does_not_wait_at_close),
		BEHIND_TEST(a_small_file_does_not_wait_for_a_large_one),
		BEHIND_TEST(who_waits_can_go),
		BEHIND_TEST(payload_is_kept_and_not_copied),
		BEHIND_TEST(packets_are_filled_with_pieces_of_payload),
		BEHIND_TEST(memory_is_given_back_after_a_while),
		BEHIND_TEST(a_handle_that_is_none_is_ebadf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) +
	       run_suite("writebehind", WRITEBEHIND_CLOSE) +
	       run_suite("writebehind, sync", WRITEBEHIND_SYNC);
}
