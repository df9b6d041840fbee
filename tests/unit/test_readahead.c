/* Reading ahead within a file, over the cache over memfs. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/readahead.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define CHUNK 16U
#define SIZE  (CHUNK * 200)
#define LARGE (CHUNK * 5 / 2)

struct rig {
	struct far far; /* first */
	struct readahead *readahead;
	uint64_t trip_us; /* 0: nobody could be in the way */
	bool asked;	  /* somebody asks these days */
	uint8_t content[SIZE];
};

static uint64_t trip_us(void *arg, uint64_t *ago_ms)
{
	const struct rig *rig = arg;

	*ago_ms = rig->asked ? 0 : UINT64_MAX;
	return rig->trip_us;
}

static struct rig *rig_new(const struct readahead_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct readahead_config config = *wish;

	assert_non_null(rig);
	far_init(&rig->far);
	far_cache(&rig->far, &(struct cache_config){0});
	config.under = cache_fs(rig->far.cache);
	config.cache = rig->far.cache;
	config.now_ms = far_now;
	config.trip_us = trip_us;
	config.arg = rig;
	assert_int_equal(readahead_new(&rig->readahead, &config), CSFTP_OK);
	rig->far.caller.fs = readahead_fs(rig->readahead);
	for (size_t i = 0; i < SIZE; i++)
		rig->content[i] = (uint8_t)(i * 7 + i / 251);
	return rig;
}

static void rig_free(struct rig *rig)
{
	far_settle(&rig->far);
	assert_int_equal(readahead_pending(rig->readahead), 0);
	readahead_free(rig->readahead);
	far_release(&rig->far);
	free(rig);
}

static int setup(void **state)
{
	*state = rig_new(&(struct readahead_config){.chunk = CHUNK});
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* A file of SIZE bytes, open for reading, its size known. */
static csftp_fh ready(struct rig *rig)
{
	assert_int_equal(fs_put(&rig->far.other, "/file", rig->content, SIZE),
			 0);
	assert_int_equal(fs_lgetattr(&rig->far.caller, "/file"), 0);
	assert_int_equal(fs_open(&rig->far.caller, "/file", CSFTP_OPEN_READ),
			 0);
	rig->far.trips = 0;
	return rig->far.caller.fh;
}

/* Reads exactly that, and knows what it is. */
static void expect(struct rig *rig, csftp_fh fh, uint64_t off, size_t len)
{
	struct fs_caller *caller = &rig->far.caller;

	assert_int_equal(fs_read_all(caller, fh, off, len), 0);
	assert_int_equal(caller->data_len, len);
	assert_memory_equal(caller->data, rig->content + off, len);
}

static void who_reads_from_front_to_back_does_not_wait_for_each(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	struct readahead_counts counts;

	rig->far.trip_ms = 20;
	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	counts = readahead_counts(rig->readahead);
	/* One by one they are 200. */
	assert_in_range(rig->far.trips, 5, 40);
	assert_int_equal(counts.asked, 198);
	assert_int_equal(counts.served, 198);
	assert_int_equal(counts.bytes, 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void nothing_is_asked_for_behind_the_end(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	far_settle(&rig->far);
	assert_int_equal(readahead_counts(rig->readahead).asked, 198);
	assert_int_equal(fs_read(&rig->far.caller, fh, SIZE, CHUNK), 0);
	assert_int_equal(rig->far.caller.data_len, 0);
	assert_true(rig->far.caller.eof);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void the_window_grows_with_the_round_trip(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	/* What is on its way all comes after one trip, however much it is. */
	rig->far.trip_ms = 100;
	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	assert_in_range(readahead_counts(rig->readahead).window, 16 * CHUNK,
			SIZE);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

/* 4, 8, 16, ... chunks, behind two READs that make a reader. */
/* How many READs wait at a time while the file is read, anew. */
static size_t most_under_way(struct rig *rig)
{
	csftp_fh fh;

	assert_int_equal(fs_open(&rig->far.caller, "/file", CSFTP_OPEN_READ),
			 0);
	fh = rig->far.caller.fh;
	rig->far.later.most = 0;
	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	return rig->far.later.most;
}

static void who_asks_does_not_wait_for_more_than_the_way(void **state)
{
	struct rig *rig = *state;

	(void)ready(rig);
	rig->far.trip_ms = 50;
	assert_true(most_under_way(rig) > 60);
	/* Of a guess at the rate that is a hundred bytes, at first. */
	rig->trip_us = 1;
	assert_true(most_under_way(rig) > 60);
	rig->asked = true;
	assert_in_range(most_under_way(rig), 5, 14);
	/* All of it is the way: then nothing is to be won. */
	rig->trip_us = 50000;
	assert_true(most_under_way(rig) > 60);
}

static void over_a_long_way_it_doubles_with_each_round_trip(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	rig->far.trip_ms = 100;
	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	assert_in_range(rig->far.trips, 6, 8);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void a_long_way_that_is_full_gets_no_larger_window(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	/* So much in a time, however much waits. */
	for (uint64_t off = 0; off < SIZE; off += CHUNK) {
		rig->far.trip_ms = 20 * (1 + rig->far.later.waiting);
		expect(rig, fh, off, CHUNK);
	}
	assert_in_range(readahead_counts(rig->readahead).window, 4 * CHUNK,
			8 * CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void the_window_stays_where_more_brings_nothing(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	/* One READ at a time is answered, and takes a while: a thin line. */
	for (uint64_t off = 0; off < SIZE; off += CHUNK) {
		expect(rig, fh, off, CHUNK);
		rig->far.now_ms += 5;
	}
	assert_in_range(readahead_counts(rig->readahead).window, 4 * CHUNK,
			8 * CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

/* One trial is a matter of luck, where others are busy. */
static void a_window_that_stayed_is_tried_again(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	uint64_t off = 0;

	for (; off < (uint64_t)60 * CHUNK; off += CHUNK) {
		expect(rig, fh, off, CHUNK);
		rig->far.now_ms += 5;
	}
	assert_in_range(readahead_counts(rig->readahead).window, 4 * CHUNK,
			8 * CHUNK);
	rig->far.now_ms += 1000;
	rig->far.trip_ms = 100;
	for (; off < SIZE; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	assert_in_range(readahead_counts(rig->readahead).window, 16 * CHUNK,
			SIZE);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void who_reads_here_and_there_reads_nothing_ahead(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	for (unsigned i = 0; i < 100; i++)
		expect(rig, fh, i * 37 % 100 * 2 * CHUNK, CHUNK);
	assert_int_equal(readahead_counts(rig->readahead).asked, 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void a_seek_ends_it_and_it_begins_again(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	for (uint64_t off = 0; off < 10 * CHUNK; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	expect(rig, fh, 100 * CHUNK, CHUNK);
	far_settle(&rig->far);
	assert_int_equal(readahead_counts(rig->readahead).bytes, 0);
	expect(rig, fh, 101 * CHUNK, CHUNK);
	assert_true(readahead_counts(rig->readahead).bytes > 0);
	expect(rig, fh, 102 * CHUNK, CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	far_settle(&rig->far);
	assert_int_equal(readahead_counts(rig->readahead).bytes, 0);
}

static void odd_pieces_come_out_right(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	uint64_t off = 0;

	for (unsigned i = 1; off < SIZE; i++) {
		size_t len = i * 5 % 41 + 1;

		if (len > SIZE - off)
			len = SIZE - off;
		expect(rig, fh, off, len);
		off += len;
	}
	assert_true(readahead_counts(rig->readahead).served > 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void begin(struct rig *rig, csftp_fh fh)
{
	for (uint64_t off = 0; off < 10 * CHUNK; off += CHUNK)
		expect(rig, fh, off, CHUNK);
	far_settle(&rig->far);
	assert_true(readahead_counts(rig->readahead).bytes > 0);
}

static void what_we_write_is_read(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	csftp_fh to;

	begin(rig, fh);
	assert_int_equal(fs_open(&rig->far.caller, "/file", CSFTP_OPEN_WRITE),
			 0);
	to = rig->far.caller.fh;
	memset(rig->content + 10 * CHUNK, 'x', CHUNK);
	assert_int_equal(fs_write(&rig->far.caller, to, 10 * CHUNK,
				  rig->content + 10 * CHUNK, CHUNK),
			 0);
	expect(rig, fh, 10 * CHUNK, CHUNK);
	/* As long as it is being written to, nothing is read ahead. */
	expect(rig, fh, 11 * CHUNK, CHUNK);
	expect(rig, fh, 12 * CHUNK, CHUNK);
	assert_int_equal(readahead_counts(rig->readahead).bytes, 0);
	assert_int_equal(fs_close(&rig->far.caller, to), 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void what_we_write_by_another_name_is_read(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	csftp_fh to;

	begin(rig, fh);
	assert_int_equal(fs_rename(&rig->far.caller, "/file", "/other"), 0);
	assert_int_equal(fs_open(&rig->far.caller, "/other", CSFTP_OPEN_WRITE),
			 0);
	to = rig->far.caller.fh;
	memset(rig->content + 10 * CHUNK, 'x', CHUNK);
	assert_int_equal(fs_write(&rig->far.caller, to, 10 * CHUNK,
				  rig->content + 10 * CHUNK, CHUNK),
			 0);
	expect(rig, fh, 10 * CHUNK, CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, to), 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void what_is_cut_off_is_not_read(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 11 * CHUNK};
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	begin(rig, fh);
	assert_int_equal(fs_setattr(&rig->far.caller, "/file", &attr), 0);
	expect(rig, fh, 10 * CHUNK, CHUNK);
	assert_int_equal(fs_read(&rig->far.caller, fh, 11 * CHUNK, CHUNK), 0);
	assert_int_equal(rig->far.caller.data_len, 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void what_others_write_is_read_in_time(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);

	begin(rig, fh);
	memset(rig->content, 'y', SIZE);
	assert_int_equal(fs_put(&rig->far.other, "/file", rig->content, SIZE),
			 0);
	rig->far.now_ms += 1001;
	expect(rig, fh, 10 * CHUNK, CHUNK);
	expect(rig, fh, 11 * CHUNK, CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void memory_is_bounded(void **state)
{
	const struct readahead_config config = {.chunk = CHUNK,
						.bytes_max = 3 * CHUNK};
	struct rig *rig = rig_new(&config);
	csftp_fh fh = ready(rig);

	(void)state;
	for (uint64_t off = 0; off < SIZE; off += CHUNK) {
		expect(rig, fh, off, CHUNK);
		assert_in_range(readahead_counts(rig->readahead).bytes, 0,
				3 * CHUNK);
	}
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	rig_free(rig);
}

/* Another handle of it, which is another reader. */
static csftp_fh open_again(struct rig *rig)
{
	assert_int_equal(fs_open(&rig->far.caller, "/file", CSFTP_OPEN_READ),
			 0);
	return rig->far.caller.fh;
}

static void two_readers_share_what_there_is(void **state)
{
	const struct readahead_config config = {.chunk = CHUNK,
						.bytes_max = 32 * CHUNK};
	struct rig *rig = rig_new(&config);
	csftp_fh first = ready(rig);
	csftp_fh second = open_again(rig);
	uint64_t off = 0;

	(void)state;
	rig->far.trip_ms = 100;
	for (; off < 60 * CHUNK; off += CHUNK)
		expect(rig, first, off, CHUNK);
	assert_in_range(readahead_counts(rig->readahead).bytes, 24 * CHUNK,
			32 * CHUNK);
	rig->far.trips = 0;
	/* The first one is slow now. */
	for (uint64_t at = 0; at < 160 * CHUNK; at += CHUNK) {
		if (at % (4 * CHUNK) == 0)
			expect(rig, first, off + at / 4, CHUNK);
		expect(rig, second, at, CHUNK);
	}
	/* It would be twice as many if the first one had it all. */
	assert_in_range(rig->far.trips, 1, 32);
	assert_int_equal(fs_close(&rig->far.caller, first), 0);
	assert_int_equal(fs_close(&rig->far.caller, second), 0);
	rig_free(rig);
}

/* The second half of a READ that nobody came for. */
static void who_leaves_a_rest_behind_has_not_left(void **state)
{
	struct rig *rig = *state;
	csftp_fh first = ready(rig);
	csftp_fh second = open_again(rig);
	uint64_t off = 0;

	rig->far.trip_ms = 400;
	for (; off < 20 * CHUNK; off += CHUNK)
		expect(rig, first, off, CHUNK);
	assert_int_equal(fs_read(&rig->far.caller, first, off, 2 * CHUNK), 0);
	assert_int_equal(rig->far.caller.data_len, CHUNK);
	for (off += 2 * CHUNK; rig->far.trips < 9; off += CHUNK)
		expect(rig, first, off, CHUNK);
	rig->far.trip_ms = 0;
	for (uint64_t at = 0; at < 4 * CHUNK; at += CHUNK)
		expect(rig, second, at, CHUNK);
	assert_int_equal(readahead_counts(rig->readahead).unused, 0);
	assert_int_equal(fs_close(&rig->far.caller, first), 0);
	assert_int_equal(fs_close(&rig->far.caller, second), 0);
}

static void who_has_left_leaves_all_to_others(void **state)
{
	const struct readahead_config config = {.chunk = CHUNK,
						.bytes_max = 32 * CHUNK};
	struct rig *rig = rig_new(&config);
	csftp_fh first = ready(rig);
	csftp_fh second = open_again(rig);

	(void)state;
	rig->far.trip_ms = 100;
	for (uint64_t off = 0; off < 60 * CHUNK; off += CHUNK)
		expect(rig, first, off, CHUNK);
	far_settle(&rig->far);
	rig->far.now_ms += 2000;
	rig->far.trips = 0;
	for (uint64_t off = 0; off < SIZE; off += CHUNK)
		expect(rig, second, off, CHUNK);
	assert_in_range(rig->far.trips, 1, 14);
	expect(rig, first, 60 * CHUNK, CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, first), 0);
	assert_int_equal(fs_close(&rig->far.caller, second), 0);
	rig_free(rig);
}

static void ask_read(struct rig *rig, struct fs_asked *asked, csftp_fh fh,
		     uint64_t off)
{
	fs_ask(readahead_fs(rig->readahead), asked,
	       &(struct csftp_req){.op = CSFTP_OP_READ,
				   .fh = fh,
				   .off = off,
				   .len = CHUNK});
}

static void who_waits_for_it_can_be_cancelled(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	struct fs_asked asked[4];

	for (unsigned i = 0; i < 4; i++)
		ask_read(rig, &asked[i], fh, i * CHUNK);
	assert_true(readahead_counts(rig->readahead).asked > 0);
	for (unsigned i = 0; i < 4; i++) {
		csftp_cancel(readahead_fs(rig->readahead), &asked[i].req);
		assert_int_equal(asked[i].err, EINTR);
	}
	far_settle(&rig->far);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

/* A READ of several chunks, which is answered in parts. */
struct large {
	struct csftp_req req; /* first; for what is left of it */
	const struct rig *rig;
	bool ended;
};

static void large_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	const struct rig *rig = ((struct large *)req)->rig;

	assert_int_equal(reply->err, 0);
	assert_in_range(reply->data.len, 1, req->len);
	assert_memory_equal(reply->data.ptr, rig->content + req->off,
			    reply->data.len);
	req->off += reply->data.len;
	req->len -= reply->data.len;
}

static void begin_large(struct rig *rig, struct large *large, csftp_fh fh,
			uint64_t off)
{
	*large = (struct large){
		.req = {.op = CSFTP_OP_READ,
			.done = large_done,
			.fh = fh,
			.off = off,
			.len = LARGE},
		.rig = rig,
	};
	csftp_submit(readahead_fs(rig->readahead), &large->req);
}

/* Each asks for what is left once both were answered. */
static void end_large(struct rig *rig, struct large *one, struct large *other)
{
	far_settle(&rig->far);
	while (one->req.len > 0 || other->req.len > 0) {
		if (one->req.len > 0)
			csftp_submit(readahead_fs(rig->readahead), &one->req);
		if (other->req.len > 0)
			csftp_submit(readahead_fs(rig->readahead), &other->req);
		far_settle(&rig->far);
	}
}

static void of_large_reads_together_all_is_asked_for_once(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	struct large one, other;
	unsigned before = rig->far.asked[CSFTP_OP_READ];
	struct readahead_counts counts;

	for (uint64_t off = 0; off < SIZE; off += 2 * LARGE) {
		begin_large(rig, &one, fh, off);
		begin_large(rig, &other, fh, off + LARGE);
		end_large(rig, &one, &other);
	}
	counts = readahead_counts(rig->readahead);
	assert_int_equal(counts.unused, 0);
	assert_int_equal(counts.bytes, 0);
	/* Before it has begun they go down as they are. */
	assert_int_equal(rig->far.asked[CSFTP_OP_READ] - before,
			 2 + (SIZE - 2 * LARGE) / CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

/* Asks for the rest inside the answer, until nothing comes. */
static void rest_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct large *large = (struct large *)req;

	if (reply->data.len == 0) {
		assert_int_equal(reply->err, 0);
		large->ended = true;
		return;
	}
	large_done(req, reply);
	csftp_submit(readahead_fs(large->rig->readahead), req);
}

static void who_reads_on_inside_the_answer_is_told_of_the_end(void **state)
{
	const struct csftp_attr shorter = {
		.mask = CSFTP_ATTR_SIZE,
		.size = 2 * CHUNK + CHUNK / 2,
	};
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	struct fs_asked asked[2];
	struct large large;

	assert_int_equal(fs_setattr(&rig->far.other, "/file", &shorter), 0);
	for (unsigned i = 0; i < 2; i++)
		ask_read(rig, &asked[i], fh, i * CHUNK);
	assert_true(readahead_counts(rig->readahead).asked > 0);
	begin_large(rig, &large, fh, 2 * CHUNK);
	large.req.done = rest_done;
	far_settle(&rig->far);
	assert_true(large.ended);
	assert_int_equal(large.req.off, shorter.size);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

/* Of another file, too, in the rooms that the first one has given back. */
static void what_is_read_ahead_begins_with_a_page(void **state)
{
	struct rig *rig = *state;
	struct fs_asked asked;

	for (unsigned files = 0; files < 2; files++) {
		csftp_fh fh = ready(rig);

		for (uint64_t off = 0; off < SIZE; off += CHUNK) {
			ask_read(rig, &asked, fh, off);
			far_settle(&rig->far);
			assert_true(asked.err >= 0);
			if (off >= 2 * (uint64_t)CHUNK)
				assert_int_equal((uintptr_t)asked.data % 4096,
						 0);
		}
		assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	}
}

static void a_file_can_be_closed_while_it_is_read_ahead(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = ready(rig);
	struct fs_asked asked[6];

	for (unsigned i = 0; i < 6; i++)
		ask_read(rig, &asked[i], fh, i * CHUNK);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	far_settle(&rig->far);
	for (unsigned i = 0; i < 6; i++)
		assert_true(asked[i].err >= 0);
	assert_int_equal(readahead_counts(rig->readahead).bytes, 0);
}

static int run_suite(uint32_t chunk)
{
	struct rig *rig = rig_new(&(struct readahead_config){.chunk = chunk});
	int failed = fs_suite_run_over(&rig->far.caller, &rig->far.other,
				       "reading ahead over memfs", FS_ALL);

	rig_free(rig);
	return failed;
}

#define READ_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A READ whose answer is followed by CLOSE. */
struct last {
	struct csftp_req req; /* first */
	struct csftp_req close;
	struct csftp_fs *fs;
	unsigned closed;
};

static void last_closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct last *last =
		(struct last *)((char *)req - offsetof(struct last, close));

	assert_int_equal(reply->err, 0);
	last->closed++;
}

static void last_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct last *last = (struct last *)req;

	assert_int_equal(reply->err, 0);
	last->close = (struct csftp_req){
		.op = CSFTP_OP_CLOSE, .fh = req->fh, .done = last_closed};
	csftp_submit(last->fs, &last->close);
}

static void who_waits_may_close_the_file_when_a_name_changes(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *caller = &rig->far.caller;
	csftp_fh fh = ready(rig);
	struct last last = {.fs = caller->fs};
	struct fs_asked asked[2];

	for (unsigned i = 0; i < 2; i++)
		ask_read(rig, &asked[i], fh, i * CHUNK);
	last.req = (struct csftp_req){.op = CSFTP_OP_READ,
				      .fh = fh,
				      .off = CHUNK * 2,
				      .len = CHUNK,
				      .done = last_read};
	csftp_submit(caller->fs, &last.req);
	assert_int_equal(last.closed, 0);
	/* Who has waited is answered inside the RENAME. */
	rig->far.later.when = LATER_SOMETIMES;
	rig->far.later.late = 1U << CSFTP_OP_STATFS;
	assert_int_equal(fs_rename(caller, "/file", "/other"), 0);
	assert_int_equal(last.closed, 1);
	far_settle(&rig->far);
	assert_true(asked[0].err >= 0);
	assert_true(asked[1].err >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		READ_TEST(who_reads_from_front_to_back_does_not_wait_for_each),
		READ_TEST(nothing_is_asked_for_behind_the_end),
		READ_TEST(the_window_grows_with_the_round_trip),
		READ_TEST(who_asks_does_not_wait_for_more_than_the_way),
		READ_TEST(over_a_long_way_it_doubles_with_each_round_trip),
		READ_TEST(a_long_way_that_is_full_gets_no_larger_window),
		READ_TEST(the_window_stays_where_more_brings_nothing),
		READ_TEST(a_window_that_stayed_is_tried_again),
		READ_TEST(who_reads_here_and_there_reads_nothing_ahead),
		READ_TEST(a_seek_ends_it_and_it_begins_again),
		READ_TEST(odd_pieces_come_out_right),
		READ_TEST(what_we_write_is_read),
		READ_TEST(what_we_write_by_another_name_is_read),
		READ_TEST(what_is_cut_off_is_not_read),
		READ_TEST(what_others_write_is_read_in_time),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(two_readers_share_what_there_is),
		READ_TEST(who_leaves_a_rest_behind_has_not_left),
		cmocka_unit_test(who_has_left_leaves_all_to_others),
		READ_TEST(who_waits_for_it_can_be_cancelled),
		READ_TEST(of_large_reads_together_all_is_asked_for_once),
		READ_TEST(who_reads_on_inside_the_answer_is_told_of_the_end),
		READ_TEST(what_is_read_ahead_begins_with_a_page),
		READ_TEST(a_file_can_be_closed_while_it_is_read_ahead),
		READ_TEST(who_waits_may_close_the_file_when_a_name_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + run_suite(0) +
	       run_suite(7);
}
