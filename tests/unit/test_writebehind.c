/* Writes that are answered before they are done, over a far memfs. */
#include "core/layer/writebehind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define PIECE 1000U /* what the far end takes in one WRITE */
#define NEW   (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL)
#define BOTH  (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)

/* What was asked below, in order, by letters. */
#define STORY_MAX 400U

struct world {
	struct relay
		tap; /* first: over far; tells, and fails what is to fail */
	struct far far;
	struct fs_caller *c; /* far's, through the layer */
	struct writebehind *wb;
	struct writebehind_config config;
	char story[STORY_MAX + 1];
	unsigned fail_write; /* this one, counted from 1, ... */
	int write_err;	     /* ... so */
	int close_err;
	int setattr_err;
	uint64_t longest; /* WRITE */
	unsigned lost;
	int lost_err;
	uint8_t bytes[64 * PIECE];
};

static void failed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	const struct world *world = (struct world *)job->relay;
	int err = job->asked->op == CSFTP_OP_WRITE   ? world->write_err
		  : job->asked->op == CSFTP_OP_CLOSE ? world->close_err
						     : world->setattr_err;

	(void)reply;
	relay_answer_err(job, err);
}

/* The answer takes as long as any other. */
static void fail_it(struct world *world, struct csftp_req *req)
{
	struct relay_job *job = relay_take(&world->tap, req);

	assert_non_null(job);
	if (req->op != CSFTP_OP_CLOSE)
		job->req.op = CSFTP_OP_FSYNC;
	relay_ask(job, failed);
}

static void tell(struct csftp_fs *fs, struct csftp_req *req)
{
	static const char letters[CSFTP_OP_COUNT] = {
		[CSFTP_OP_SETATTR] = 'S', [CSFTP_OP_OPEN] = 'o',
		[CSFTP_OP_READ] = 'R',	  [CSFTP_OP_WRITE] = 'W',
		[CSFTP_OP_FSYNC] = 'F',	  [CSFTP_OP_CLOSE] = 'C',
		[CSFTP_OP_RENAME] = 'r',  [CSFTP_OP_COPY_RANGE] = 'c',
	};
	struct world *world = (struct world *)fs;
	size_t len = strlen(world->story);
	bool write = req->op == CSFTP_OP_WRITE;

	if (len < STORY_MAX)
		world->story[len] = letters[req->op] ? letters[req->op] : '.';
	if (write && req->len > world->longest)
		world->longest = req->len;
	if ((write && world->fail_write > 0 && --world->fail_write == 0) ||
	    (req->op == CSFTP_OP_CLOSE && world->close_err) ||
	    (req->op == CSFTP_OP_SETATTR && world->setattr_err))
		fail_it(world, req);
	else
		relay_pass(fs, req);
}

static void note_lost(void *arg, const char *path, int err)
{
	struct world *world = ((struct world *)arg);

	assert_true(strlen(path) > 0);
	world->lost++;
	world->lost_err = err;
}

static uint64_t now(void *arg)
{
	return ((struct world *)arg)->far.now_ms;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	*state = world;
	far_init(&world->far);
	world->far.relay.fs.max_write = PIECE;
	relay_init(&world->tap, &world->far.relay.fs, sizeof(struct relay_job),
		   tell);
	world->config = (struct writebehind_config){
		.under = &world->tap.fs,
		.now_ms = now,
		.lost = note_lost,
		.arg = world,
	};
	for (size_t i = 0; i < sizeof(world->bytes); i++)
		world->bytes[i] = (uint8_t)(i / 7 + i);
	return 0;
}

static struct world *ready(void **state)
{
	struct world *world = *state;

	assert_int_equal(writebehind_new(&world->wb, &world->config), CSFTP_OK);
	world->c = &world->far.caller;
	world->c->fs = writebehind_fs(world->wb);
	return world;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	far_settle(&world->far);
	assert_int_equal(writebehind_pending(world->wb), 0);
	assert_int_equal(writebehind_counts(world->wb).bytes, 0);
	writebehind_free(world->wb);
	relay_release(&world->tap);
	far_release(&world->far);
	free(world);
	return 0;
}

/* From here on trips and the story count. */
static void begin(struct world *world)
{
	far_begin(&world->far);
	memset(world->story, 0, sizeof(world->story));
}

static csftp_fh open_file(struct world *world, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(world->c, path, flags), 0);
	return world->c->fh;
}

/* One WRITE of the bytes that belong at off. */
static int put_at(struct world *world, csftp_fh fh, uint64_t off, size_t len)
{
	return fs_call(world->c, &(struct csftp_req){
					 .op = CSFTP_OP_WRITE,
					 .fh = fh,
					 .off = off,
					 .data = world->bytes + off,
					 .len = len,
				 });
}

static int flush(struct world *world, csftp_fh fh)
{
	return fs_call(world->c,
		       &(struct csftp_req){.op = CSFTP_OP_FLUSH, .fh = fh});
}

/* What the far end has by now, whoever else waits. */
static void assert_there(struct world *world, const char *path, size_t len)
{
	struct fs_caller *other = &world->far.other;
	csftp_fh fh;

	assert_int_equal(fs_open(other, path, CSFTP_OPEN_READ), 0);
	fh = other->fh;
	assert_int_equal(fs_read_all(other, fh, 0, sizeof(world->bytes)), 0);
	assert_int_equal(other->data_len, len);
	if (len > 0)
		assert_memory_equal(other->data, world->bytes, len);
	assert_int_equal(fs_close(other, fh), 0);
}

/* A request that nobody has to wait for. */
struct ask {
	struct csftp_req req;
	unsigned answers;
	int err;
	struct csftp_attr attr;
};

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ask *ask = (struct ask *)req;

	ask->answers++;
	ask->err = reply->err;
	if (reply->attr)
		ask->attr = *reply->attr;
}

static void submit(struct world *world, struct ask *ask, struct csftp_req req)
{
	*ask = (struct ask){.req = req};
	ask->req.done = answered;
	csftp_submit(world->c->fs, &ask->req);
}

static void making_and_writing_takes_two_trips(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh;

	begin(world);
	fh = open_file(world, "/f", NEW);
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 2);
	assert_string_equal(world->story, "oWC");
	assert_there(world, "/f", 100);
}

static void small_writes_are_put_together(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	for (size_t at = 0; at < 5000; at += 100)
		assert_int_equal(put_at(world, fh, at, 100), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	/* The first alone, as nothing else was on its way. */
	assert_string_equal(world->story, "WWWWWWC");
	assert_int_equal(world->longest, PIECE);
	assert_int_equal(world->far.trips, 1);
	assert_there(world, "/f", 5000);
}

/* 2,100 bytes are two pieces and a rest, which belongs to the next. */
static void a_rest_goes_with_what_follows_it(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	for (size_t at = 0; at < 21000; at += 2100)
		assert_int_equal(put_at(world, fh, at, 2100), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(writebehind_counts(world->wb).writes, 21);
	assert_there(world, "/f", 21000);
}

static void a_write_elsewhere_is_one_of_its_own(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	assert_int_equal(put_at(world, fh, 0, 300), 0);
	assert_int_equal(put_at(world, fh, 300, 300), 0);
	assert_int_equal(put_at(world, fh, 100, 300), 0);
	assert_int_equal(put_at(world, fh, 900, 300), 0);
	assert_int_equal(put_at(world, fh, 600, 300), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "WWWWWC");
	assert_there(world, "/f", 1200);
}

static void of_writes_over_each_other_the_last_one_stays(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);
	static const char old[200];

	assert_int_equal(put_at(world, fh, 0, 50), 0);
	for (uint64_t at = 0; at < 800; at += 100)
		assert_int_equal(
			fs_call(world->c,
				&(struct csftp_req){.op = CSFTP_OP_WRITE,
						    .fh = fh,
						    .off = at,
						    .data = old,
						    .len = sizeof(old)}),
			0);
	assert_int_equal(put_at(world, fh, 0, 950), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/f", 950);
}

static void what_is_appended_comes_in_order(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW | CSFTP_OPEN_APPEND);

	for (uint64_t at = 0; at < 3000; at += 300)
		assert_int_equal(put_at(world, fh, at, 300), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/f", 3000);
}

static void what_is_not_done_is_bounded(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.bytes_max = 20 * PIECE;
	ready(state);
	fh = open_file(world, "/f", NEW);
	begin(world);
	for (uint64_t at = 0; at < 60 * PIECE; at += PIECE)
		assert_int_equal(put_at(world, fh, at, PIECE), 0);
	/* Writers had to wait, but not each time. */
	assert_in_range(world->far.trips, 2, 30);
	assert_in_range(writebehind_counts(world->wb).most, PIECE, 20 * PIECE);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/f", 60 * PIECE);
}

static void many_little_writes_are_bounded_too(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.bytes_max = 20 * PIECE;
	ready(state);
	fh = open_file(world, "/f", NEW);
	for (uint64_t at = 20000; at >= 100; at -= 100) {
		assert_int_equal(put_at(world, fh, at, 10), 0);
		assert_true(writebehind_pending(world->wb) <= 21);
	}
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void the_window_grows_where_that_brings_more(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.window_first = 2 * PIECE;
	world->far.trip_ms = 100;
	ready(state);
	fh = open_file(world, "/f", NEW);
	for (uint64_t at = 0; at < 64 * PIECE; at += PIECE)
		assert_int_equal(put_at(world, fh, at, PIECE), 0);
	assert_true(world->far.later.most <= 4);
	world->far.trips = 0;
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_true(world->far.later.most >= 16);
	assert_true(world->far.trips <= 12);
	assert_there(world, "/f", 64 * PIECE);
}

static void an_error_is_told_once(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	world->fail_write = 2;
	world->write_err = ENOSPC;
	assert_int_equal(put_at(world, fh, 0, 3 * PIECE), 0);
	assert_int_equal(fs_fsync(world->c, fh), ENOSPC);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	world->fail_write = 1;
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	far_settle(&world->far);
	assert_int_equal(put_at(world, fh, 0, 10), ENOSPC);
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	world->fail_write = 1;
	assert_int_equal(put_at(world, fh, 500, 10), 0);
	assert_int_equal(flush(world, fh), ENOSPC);
	assert_int_equal(flush(world, fh), 0);
	world->fail_write = 1;
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), ENOSPC);
	assert_int_equal(world->lost, 0);
}

/* Whichever WRITE it is that fails. */
static void close_tells_of_each_error(void **state)
{
	struct world *world = ready(state);
	char path[16];

	world->write_err = EDQUOT;
	for (unsigned n = 1; n <= 6; n++) {
		csftp_fh fh;

		(void)snprintf(path, sizeof(path), "/f%u", n);
		fh = open_file(world, path, NEW);
		world->fail_write = n;
		assert_int_equal(put_at(world, fh, 0, 6 * PIECE), 0);
		assert_int_equal(fs_close(world->c, fh), EDQUOT);
	}
}

static void close_has_an_error_of_its_own(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	world->close_err = EDQUOT;
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), EDQUOT);
	world->close_err = 0;
}

static void the_error_of_one_is_not_that_of_another(void **state)
{
	struct world *world = ready(state);
	csftp_fh one = open_file(world, "/one", NEW);
	csftp_fh two = open_file(world, "/two", NEW);

	world->fail_write = 1;
	world->write_err = EIO;
	assert_int_equal(put_at(world, one, 0, 10), 0);
	assert_int_equal(put_at(world, two, 0, 10), 0);
	assert_int_equal(fs_close(world->c, two), 0);
	assert_int_equal(fs_close(world->c, one), EIO);
}

static void fsync_goes_with_the_writes(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WF");
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void durability_fsync_asks_for_the_disk_at_close(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_FSYNC;
	ready(state);
	fh = open_file(world, "/f", NEW);
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WFC");
	/* What was not written to needs none. */
	fh = open_file(world, "/f", CSFTP_OPEN_WRITE);
	begin(world);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "C");
}

static void durability_sync_waits_with_each_write(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_SYNC;
	ready(state);
	fh = open_file(world, "/f", NEW);
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(world->far.trips, 1);
	assert_there(world, "/f", 10);
	world->fail_write = 3;
	world->write_err = EIO;
	assert_int_equal(put_at(world, fh, 10, 4 * PIECE), EIO);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void a_synchronous_write_waits_with_all_before_it(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	assert_int_equal(put_at(world, fh, 0, 500), 0);
	assert_int_equal(put_at(world, fh, 500, 100), 0);
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
	assert_there(world, "/f", 650);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void durability_async_does_not_wait_at_close(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_ASYNC;
	ready(state);
	fh = open_file(world, "/f", NEW);
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(flush(world, fh), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 0);
	assert_true(writebehind_pending(world->wb) > 0);
	/* Whoever opens it comes after that. */
	fh = open_file(world, "/f", BOTH);
	assert_there(world, "/f", 10);
	world->fail_write = 1;
	world->write_err = EIO;
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsync(world->c, fh), EIO);
	world->fail_write = 1;
	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
	far_settle(&world->far);
	assert_int_equal(world->lost, 1);
	assert_int_equal(world->lost_err, EIO);
}

static void a_size_is_seen_before_it_is_there(void **state)
{
	struct world *world = ready(state);
	struct fs_names names = {0};
	csftp_fh fh;
	size_t at;

	far_put(&world->far.other, "/f", "old");
	fh = open_file(world, "/f", BOTH);
	/* The first is on its way, the others are not even sent. */
	for (uint64_t off = 0; off < 500; off += 100)
		assert_int_equal(put_at(world, fh, off, 100), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 500);
	assert_int_equal(put_at(world, fh, 500, 100), 0);
	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	assert_int_equal(world->c->attr.size, 600);
	assert_int_equal(put_at(world, fh, 600, 100), 0);
	assert_int_equal(put_at(world, fh, 700, 100), 0);
	assert_int_equal(fs_list(world->c, "/", &names), 0);
	assert_int_equal(fs_names_find(&names, "f", &at), 1);
	assert_int_equal(names.attr[at].size, 800);
	fs_names_release(&names);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static const struct csftp_attr tar_mode = {.mask = CSFTP_ATTR_MODE,
					   .mode = 0755};
static const struct csftp_attr tar_times = {
	.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	.atime = {.sec = 77},
	.mtime = {.sec = 88},
};

/* As tar(1) does it; attributes are asked for with the making. */
static void mode_and_times_travel_with_the_writes(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &tar_times), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.mode & 07777, 0755);
	assert_int_equal(world->c->attr.mtime.sec, 88);
	assert_int_equal(world->c->attr.size, 100);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WSC");
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mode & 07777, 0755);
	assert_int_equal(world->far.other.attr.atime.sec, 77);
	assert_int_equal(world->far.other.attr.mtime.sec, 88);
}

static void an_error_of_setting_is_that_of_close(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	world->setattr_err = EPERM;
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), 0);
	assert_int_equal(fs_close(world->c, fh), EPERM);
}

/* Who did not make it may have no right to. */
static void the_mode_of_what_was_there_is_set_at_once(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh;

	far_put(&world->far.other, "/f", "old");
	fh = open_file(world, "/f", BOTH);
	world->setattr_err = EPERM;
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), EPERM);
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* Who asks right behind a change is told of what it made. */
static void what_is_asked_behind_a_change_comes_behind_it(void **state)
{
	struct world *world = ready(state);
	struct ask set;
	struct ask get;
	csftp_fh fh;

	far_put(&world->far.other, "/f", "old");
	fh = open_file(world, "/f", BOTH);
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	submit(world, &set,
	       (struct csftp_req){.op = CSFTP_OP_SETATTR,
				  .path = "/f",
				  .attr = &tar_mode});
	submit(world, &get,
	       (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/f"});
	far_settle(&world->far);
	assert_int_equal(get.answers, 1);
	assert_int_equal(get.attr.mode & 07777, 0755);
	assert_int_equal(put_at(world, fh, 100, 100), 0);
	submit(world, &set,
	       (struct csftp_req){
		       .op = CSFTP_OP_LINK, .path = "/f", .path2 = "/g"});
	submit(world, &get,
	       (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/g"});
	far_settle(&world->far);
	assert_int_equal(get.err, 0);
	assert_int_equal(get.attr.size, 200);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void what_changes_nothing_is_not_sent(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);
	struct csftp_attr same = tar_mode;

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	same.mode = world->c->attr.mode;
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &same), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &same), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "WC");
}

/* filexfer-02, section 5: both times are sent, or none. */
static void one_time_alone_goes_with_the_known_other(void **state)
{
	struct csftp_attr alone = {.mask = CSFTP_ATTR_MTIME,
				   .mtime = {.sec = 55}};
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	/* Nothing is known yet: it has to be done by whoever knows. */
	assert_int_equal(fs_setattr(world->c, "/f", &alone), 0);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	begin(world);
	alone.mtime.sec = 66;
	assert_int_equal(put_at(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &alone), 0);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, 66);
}

static void a_size_is_set_after_the_writes_before_it(void **state)
{
	const struct csftp_attr cut = {.mask = CSFTP_ATTR_SIZE, .size = 50};
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	assert_int_equal(put_at(world, fh, 0, 2 * PIECE + 10), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &cut), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 50);
	assert_int_equal(put_at(world, fh, 50, 20), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &cut), 0);
	assert_int_equal(put_at(world, fh, 50, 30), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/f", 80);
}

static void a_read_sees_what_was_written_before(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW | CSFTP_OPEN_READ);
	csftp_fh other = open_file(world, "/f", CSFTP_OPEN_READ);

	assert_int_equal(put_at(world, fh, 0, 10), 0);
	assert_int_equal(put_at(world, fh, 10, 90), 0);
	assert_int_equal(fs_read_all(world->c, fh, 0, 200), 0);
	assert_int_equal(world->c->data_len, 100);
	assert_memory_equal(world->c->data, world->bytes, 100);
	assert_int_equal(put_at(world, fh, 100, 10), 0);
	assert_int_equal(put_at(world, fh, 110, 90), 0);
	assert_int_equal(fs_read_all(world->c, other, 50, 200), 0);
	assert_int_equal(world->c->data_len, 150);
	assert_memory_equal(world->c->data, world->bytes + 50, 150);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_close(world->c, other), 0);
}

/* What is there already is not waited for. */
static void a_read_elsewhere_goes_past_the_writes(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW | CSFTP_OPEN_READ);

	assert_int_equal(put_at(world, fh, 0, 500), 0);
	assert_int_equal(flush(world, fh), 0);
	begin(world);
	assert_int_equal(put_at(world, fh, 400, 10), 0);
	assert_int_equal(put_at(world, fh, 410, 10), 0);
	assert_int_equal(fs_read(world->c, fh, 0, 300), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WRW");
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void names_change_after_the_writes_before(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh = open_file(world, "/f", NEW);

	begin(world);
	assert_int_equal(put_at(world, fh, 0, 500), 0);
	assert_int_equal(put_at(world, fh, 500, 500), 0);
	assert_int_equal(fs_replace(world->c, "/f", "/g"), 0);
	assert_string_equal(world->story, "WWr");
	assert_there(world, "/g", 1000);
	/* It goes on by its new name. */
	assert_int_equal(put_at(world, fh, 1000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/g"), 0);
	assert_int_equal(world->c->attr.size, 1500);
	assert_int_equal(fs_link(world->c, "/g", "/h"), 0);
	assert_there(world, "/h", 1500);
	assert_int_equal(put_at(world, fh, 1500, 500), 0);
	assert_int_equal(fs_unlink(world->c, "/g"), 0);
	assert_there(world, "/h", 2000);
	assert_int_equal(put_at(world, fh, 2000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/g"), ENOENT);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/h", 2500);
}

static void a_directory_moves_after_the_writes_in_it(void **state)
{
	struct world *world = ready(state);
	csftp_fh fh;

	assert_int_equal(fs_mkdir(world->c, "/d"), 0);
	fh = open_file(world, "/d/f", NEW);
	begin(world);
	assert_int_equal(put_at(world, fh, 0, 500), 0);
	assert_int_equal(put_at(world, fh, 500, 500), 0);
	assert_int_equal(fs_rename(world->c, "/d", "/e"), 0);
	assert_string_equal(world->story, "WWr");
	assert_int_equal(put_at(world, fh, 1000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/e/f"), 0);
	assert_int_equal(world->c->attr.size, 1500);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_there(world, "/e/f", 1500);
}

static void a_copy_is_made_of_what_was_written_before(void **state)
{
	struct world *world = ready(state);
	csftp_fh from = open_file(world, "/from", NEW | CSFTP_OPEN_READ);
	csftp_fh to = open_file(world, "/to", NEW);

	assert_int_equal(put_at(world, from, 0, 10), 0);
	assert_int_equal(put_at(world, from, 10, 490), 0);
	assert_int_equal(put_at(world, to, 0, 10), 0);
	assert_int_equal(put_at(world, to, 10, 50), 0);
	assert_int_equal(
		fs_copy_range(
			world->c,
			&(struct csftp_req){.fh = from, .fh2 = to, .len = 500}),
		0);
	assert_int_equal(fs_close(world->c, from), 0);
	assert_int_equal(fs_close(world->c, to), 0);
	assert_there(world, "/to", 500);
}

static void a_small_file_does_not_wait_for_a_large_one(void **state)
{
	struct world *world = *state;
	csftp_fh large;
	csftp_fh small;

	world->config.window_first = 4 * PIECE;
	ready(state);
	large = open_file(world, "/large", NEW);
	small = open_file(world, "/small", NEW);
	begin(world);
	assert_int_equal(put_at(world, large, 0, 60 * PIECE), 0);
	assert_int_equal(put_at(world, small, 0, 10), 0);
	assert_int_equal(fs_close(world->c, small), 0);
	assert_in_range(world->far.trips, 1, 3);
	assert_true(writebehind_counts(world->wb).bytes > 40 * PIECE);
	assert_int_equal(fs_close(world->c, large), 0);
}

static void who_waits_can_go(void **state)
{
	struct world *world = *state;
	struct ask write;
	struct ask sync;
	csftp_fh fh;

	world->config.bytes_max = 20 * PIECE;
	ready(state);
	fh = open_file(world, "/f", NEW);
	assert_int_equal(put_at(world, fh, 0, 20 * PIECE), 0);
	submit(world, &write,
	       (struct csftp_req){.op = CSFTP_OP_WRITE,
				  .fh = fh,
				  .data = world->bytes,
				  .len = 10});
	assert_int_equal(write.answers, 0);
	csftp_cancel(world->c->fs, &write.req);
	assert_int_equal(write.answers, 1);
	assert_int_equal(write.err, EINTR);
	submit(world, &sync,
	       (struct csftp_req){.op = CSFTP_OP_FSYNC, .fh = fh});
	csftp_cancel(world->c->fs, &sync.req);
	assert_int_equal(sync.answers, 1);
	assert_int_equal(sync.err, EINTR);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(sync.answers, 1);
	assert_there(world, "/f", 20 * PIECE);
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
	struct world *world = *state;
	struct fs_caller *other = &world->far.other;
	csftp_fh fh;

	assert_non_null(payload);
	world->far.relay.fs.max_write = sizeof(payload->bytes);
	world->tap.fs.max_write = sizeof(payload->bytes);
	ready(state);
	payload->buf = (struct csftp_buf){.refs = 1, .release = released};
	fh = open_file(world, "/f", NEW);
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

static void a_handle_that_is_none_is_ebadf(void **state)
{
	struct world *world = ready(state);

	assert_int_equal(put_at(world, 999, 0, 10), EBADF);
	assert_int_equal(flush(world, 999), EBADF);
	assert_int_equal(fs_fsync(world->c, 999), EBADF);
	assert_int_equal(fs_close(world->c, 999), EBADF);
}

/* All that any file system promises. */
static int run_suite(const char *name, enum writebehind_durability durability)
{
	void *state = NULL;
	struct world *world;
	struct fs_suite suite = {
		.name = name,
		.base = "/base",
		.has = FS_ALL,
	};
	int failed = set_up(&state);

	((struct world *)state)->config.durability = durability;
	world = ready(&state);
	suite.caller = *world->c;
	failed += fs_mkdir(&world->far.other, suite.base);
	failed += fs_suite_run(&suite);
	fs_caller_release(&suite.caller);
	(void)tear_down(&state);
	return failed;
}

#define WB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WB_TEST(making_and_writing_takes_two_trips),
		WB_TEST(small_writes_are_put_together),
		WB_TEST(a_rest_goes_with_what_follows_it),
		WB_TEST(a_write_elsewhere_is_one_of_its_own),
		WB_TEST(of_writes_over_each_other_the_last_one_stays),
		WB_TEST(what_is_appended_comes_in_order),
		WB_TEST(what_is_not_done_is_bounded),
		WB_TEST(many_little_writes_are_bounded_too),
		WB_TEST(the_window_grows_where_that_brings_more),
		WB_TEST(an_error_is_told_once),
		WB_TEST(close_tells_of_each_error),
		WB_TEST(close_has_an_error_of_its_own),
		WB_TEST(the_error_of_one_is_not_that_of_another),
		WB_TEST(fsync_goes_with_the_writes),
		WB_TEST(durability_fsync_asks_for_the_disk_at_close),
		WB_TEST(durability_sync_waits_with_each_write),
		WB_TEST(a_synchronous_write_waits_with_all_before_it),
		WB_TEST(durability_async_does_not_wait_at_close),
		WB_TEST(a_size_is_seen_before_it_is_there),
		WB_TEST(mode_and_times_travel_with_the_writes),
		WB_TEST(an_error_of_setting_is_that_of_close),
		WB_TEST(the_mode_of_what_was_there_is_set_at_once),
		WB_TEST(what_is_asked_behind_a_change_comes_behind_it),
		WB_TEST(what_changes_nothing_is_not_sent),
		WB_TEST(one_time_alone_goes_with_the_known_other),
		WB_TEST(a_size_is_set_after_the_writes_before_it),
		WB_TEST(a_read_sees_what_was_written_before),
		WB_TEST(a_read_elsewhere_goes_past_the_writes),
		WB_TEST(names_change_after_the_writes_before),
		WB_TEST(a_directory_moves_after_the_writes_in_it),
		WB_TEST(a_copy_is_made_of_what_was_written_before),
		WB_TEST(a_small_file_does_not_wait_for_a_large_one),
		WB_TEST(who_waits_can_go),
		WB_TEST(payload_is_kept_and_not_copied),
		WB_TEST(a_handle_that_is_none_is_ebadf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) +
	       run_suite("writebehind", WRITEBEHIND_CLOSE) +
	       run_suite("writebehind, sync", WRITEBEHIND_SYNC);
}
