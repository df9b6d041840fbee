#include "tests/lib/lanes.h"

#include <stdlib.h>

#include "csftp/memfs.h"
#include "tests/lib/test.h"

static void count(struct csftp_fs *fs, struct csftp_req *req)
{
	struct lane_tap *lane = (struct lane_tap *)fs;

	lane->asked[req->op]++;
	lane->all++;
	if (lane->err && req->op == lane->refused && !req->path)
		csftp_reply_err(req, lane->err);
	else
		relay_pass(fs, req);
}

uint32_t lanes_throw(struct lanes *lanes)
{
	lanes->dice = lanes->dice * 1664525U + 1013904223U;
	return lanes->dice >> 16;
}

bool lanes_drive(void *arg)
{
	struct lanes *lanes = arg;
	unsigned first = lanes->dice ? lanes_throw(lanes) % LANES : 0;

	for (unsigned i = 0; i < LANES; i++) {
		if (later_run(&lanes->lane[(first + i) % LANES].later))
			return true;
	}
	return false;
}

void lanes_settle(struct lanes *lanes)
{
	while (lanes_drive(lanes))
		continue;
}

static void want(void *arg)
{
	struct lanes *lanes = arg;

	lanes->wanted++;
}

static void changed(void *arg, const struct csftp_fs *lane,
		    const struct csftp_req *req)
{
	struct lanes *lanes = arg;

	assert_non_null(req->path);
	lanes->changes++;
	lanes->changed_on = lane;
}

struct lanes *lanes_new(uint32_t number, const struct spread_config *wish)
{
	struct lanes *lanes = calloc(1, sizeof(*lanes));
	struct spread_config config = {
		.lanes_max = LANES,
		.want = want,
		.changed = changed,
		.arg = lanes,
		.full = wish ? wish->full : 0,
		.large = wish ? wish->large : 0,
	};

	assert_non_null(lanes);
	assert_int_equal(csftp_memfs_new(&lanes->memfs, NULL), CSFTP_OK);
	for (uint32_t i = 0; i < LANES; i++) {
		later_init(&lanes->lane[i].later, lanes->memfs);
		relay_init(&lanes->lane[i].relay, &lanes->lane[i].later.fs, 0,
			   count);
	}
	config.first = &lanes->lane[0].relay.fs;
	assert_int_equal(spread_new(&lanes->spread, &config), CSFTP_OK);
	for (uint32_t i = 1; i < number; i++)
		assert_int_equal(
			spread_add(lanes->spread, &lanes->lane[i].relay.fs),
			CSFTP_OK);
	lanes->c.fs = spread_fs(lanes->spread);
	lanes->c.drive = lanes_drive;
	lanes->c.arg = lanes;
	lanes->other.fs = lanes->memfs;
	return lanes;
}

void lanes_free(struct lanes *lanes)
{
	lanes_settle(lanes);
	spread_free(lanes->spread);
	for (uint32_t i = 0; i < LANES; i++)
		relay_release(&lanes->lane[i].relay);
	fs_caller_release(&lanes->c);
	fs_caller_release(&lanes->other);
	csftp_memfs_free(lanes->memfs);
	free(lanes);
}

csftp_fh lanes_open(struct lanes *lanes, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(&lanes->c, path, flags), 0);
	return lanes->c.fh;
}

unsigned lanes_asked(const struct lanes *lanes, enum csftp_op op)
{
	unsigned asked = 0;

	for (uint32_t i = 0; i < LANES; i++)
		asked += lanes->lane[i].asked[op];
	return asked;
}

static void said(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct lanes_ask *ask = (struct lanes_ask *)req;

	assert_false(ask->done);
	ask->done = true;
	ask->err = reply->err;
	ask->fh = reply->fh;
	if (!reply->err && reply->attr)
		ask->size = reply->attr->size;
}

void lanes_say(struct lanes *lanes, struct lanes_ask *ask, struct csftp_req req)
{
	*ask = (struct lanes_ask){.req = req};
	ask->req.done = said;
	csftp_submit(spread_fs(lanes->spread), &ask->req);
}
