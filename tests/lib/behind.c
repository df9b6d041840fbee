#include "tests/lib/behind.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* A WRITE in pieces, as memfs takes it. */
struct join {
	struct relay_job job; /* first */
	uint8_t *bytes;
};

static void joined(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct join *join = (struct join *)req;

	free(join->bytes);
	join->bytes = NULL;
	relay_answer(&join->job, reply);
}

static void join_it(struct behind *world, struct csftp_req *req)
{
	struct join *join = (struct join *)relay_take(&world->tap, req);
	size_t at = 0;

	assert_non_null(join);
	assert_in_range(req->part_count, 2, CSFTP_PARTS_MAX);
	join->bytes = malloc(req->len);
	assert_non_null(join->bytes);
	for (uint32_t i = 0; i < req->part_count; i++) {
		memcpy(join->bytes + at, req->parts[i].ptr, req->parts[i].len);
		at += req->parts[i].len;
	}
	assert_int_equal(at, req->len);
	world->pieces += req->part_count;
	join->job.req.data = join->bytes;
	join->job.req.parts = NULL;
	relay_ask(&join->job, joined);
}

static void failed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	const struct behind *world = (struct behind *)job->relay;
	int err = job->asked->op == CSFTP_OP_WRITE   ? world->write_err
		  : job->asked->op == CSFTP_OP_CLOSE ? world->close_err
		  : job->asked->op == CSFTP_OP_OPEN  ? world->open_err
						     : world->setattr_err;

	(void)reply;
	relay_answer_err(job, err);
}

/* The answer takes as long as any other. */
static void fail_it(struct behind *world, struct csftp_req *req)
{
	struct relay_job *job = relay_take(&world->tap, req);

	assert_non_null(job);
	if (req->op != CSFTP_OP_CLOSE)
		job->req.op = CSFTP_OP_FSYNC;
	relay_ask(job, failed);
}

/* A file system that gives a number which was asked for by the test. */
static void opened_oddly(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	struct behind *world = (struct behind *)job->relay;
	struct csftp_reply out = *reply;

	assert_int_equal(reply->err, 0);
	assert_in_range(world->odd_count, 0, 3);
	world->odd[world->odd_count].shown = world->next_fh;
	world->odd[world->odd_count++].is = reply->fh;
	out.fh = world->next_fh;
	world->next_fh = 0;
	relay_answer(job, &out);
}

static void answered_oddly(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

/* True: it has been asked for by its own number. */
static bool ask_oddly(struct behind *world, struct csftp_req *req)
{
	struct relay_job *job;
	unsigned at = world->odd_count;

	while (at > 0 && (req->path || world->odd[at - 1].shown != req->fh))
		at--;
	if (at == 0 && (!world->next_fh || (req->op != CSFTP_OP_OPEN &&
					    req->op != CSFTP_OP_OPENDIR)))
		return false;
	job = relay_take(&world->tap, req);
	assert_non_null(job);
	if (at > 0)
		job->req.fh = world->odd[at - 1].is;
	relay_ask(job, at > 0 ? answered_oddly : opened_oddly);
	return true;
}

static void tell(struct csftp_fs *fs, struct csftp_req *req)
{
	static const char letters[CSFTP_OP_COUNT] = {
		[CSFTP_OP_SETATTR] = 'S', [CSFTP_OP_OPEN] = 'o',
		[CSFTP_OP_READ] = 'R',	  [CSFTP_OP_WRITE] = 'W',
		[CSFTP_OP_FSYNC] = 'F',	  [CSFTP_OP_CLOSE] = 'C',
		[CSFTP_OP_RENAME] = 'r',  [CSFTP_OP_COPY_RANGE] = 'c',
	};
	struct behind *world = (struct behind *)fs;
	size_t len = strlen(world->story);
	bool write = req->op == CSFTP_OP_WRITE;

	if (len < STORY_MAX)
		world->story[len] = letters[req->op] ? letters[req->op] : '.';
	if (write && req->len > world->longest)
		world->longest = req->len;
	if ((write && world->fail_write > 0 && --world->fail_write == 0) ||
	    (req->op == CSFTP_OP_CLOSE && world->close_err) ||
	    (req->op == CSFTP_OP_OPEN && world->open_err) ||
	    (req->op == CSFTP_OP_SETATTR && world->setattr_err))
		fail_it(world, req);
	else if (req->parts)
		join_it(world, req);
	else if (!ask_oddly(world, req))
		relay_pass(fs, req);
}

static void note_lost(void *arg, const char *path, int err)
{
	struct behind *world = ((struct behind *)arg);

	assert_true(strlen(path) > 0);
	world->lost++;
	world->lost_err = err;
}

static bool absent(void *arg, const char *path)
{
	const struct behind *world = arg;

	(void)path;
	return !world->all_there;
}

static uint64_t now(void *arg)
{
	return ((struct behind *)arg)->far.now_ms;
}

static uint64_t trip_us(void *arg, uint64_t *ago_ms)
{
	const struct behind *world = arg;

	*ago_ms = world->asked ? 0 : UINT64_MAX;
	return world->trip_us;
}

int behind_set_up(void **state)
{
	struct behind *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	*state = world;
	far_init(&world->far);
	world->far.relay.fs.max_write = BEHIND_PIECE;
	relay_init(&world->tap, &world->far.relay.fs, sizeof(struct join),
		   tell);
	world->config = (struct writebehind_config){
		.under = &world->tap.fs,
		.now_ms = now,
		.lost = note_lost,
		.absent = absent,
		.trip_us = trip_us,
		.arg = world,
	};
	for (size_t i = 0; i < sizeof(world->bytes); i++)
		world->bytes[i] = (uint8_t)(i / 7 + i);
	return 0;
}

struct behind *behind_ready(void **state)
{
	struct behind *world = *state;

	assert_int_equal(writebehind_new(&world->wb, &world->config), CSFTP_OK);
	world->c = &world->far.caller;
	world->c->fs = writebehind_fs(world->wb);
	return world;
}

struct behind *behind_ready_early(void **state)
{
	struct behind *world = *state;
	csftp_fh fh;

	world->config.durability = WRITEBEHIND_ASYNC;
	behind_ready(state);
	assert_int_equal(fs_mkdir(&world->far.other, "/d"), 0);
	fh = behind_open(world, "/d/first", BEHIND_NEW);
	assert_int_equal(fs_lgetattr(world->c, "/d/first"), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_begin(world);
	return world;
}

int behind_tear_down(void **state)
{
	struct behind *world = *state;

	far_settle(&world->far);
	assert_int_equal(writebehind_pending(world->wb), 0);
	assert_int_equal(writebehind_counts(world->wb).bytes, 0);
	writebehind_free(world->wb);
	relay_release(&world->tap);
	far_release(&world->far);
	free(world);
	return 0;
}

void behind_begin(struct behind *world)
{
	far_begin(&world->far);
	memset(world->story, 0, sizeof(world->story));
}

csftp_fh behind_open(struct behind *world, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(world->c, path, flags), 0);
	return world->c->fh;
}

int behind_put(struct behind *world, csftp_fh fh, uint64_t off, size_t len)
{
	return fs_call(world->c, &(struct csftp_req){
					 .op = CSFTP_OP_WRITE,
					 .fh = fh,
					 .off = off,
					 .data = world->bytes + off,
					 .len = len,
				 });
}

int behind_flush(struct behind *world, csftp_fh fh)
{
	return fs_call(world->c,
		       &(struct csftp_req){.op = CSFTP_OP_FLUSH, .fh = fh});
}

void behind_assert(struct behind *world, const char *path, size_t len)
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

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct behind_ask *ask = (struct behind_ask *)req;

	ask->answers++;
	ask->err = reply->err;
	ask->fh = reply->fh;
	if (reply->attr)
		ask->attr = *reply->attr;
}

void behind_submit(struct behind *world, struct behind_ask *ask,
		   struct csftp_req req)
{
	*ask = (struct behind_ask){.req = req};
	ask->req.done = answered;
	csftp_submit(world->c->fs, &ask->req);
}
