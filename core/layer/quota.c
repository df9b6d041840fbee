#include "core/layer/quota.h"

#include <errno.h>
#include <stdlib.h>

#include "core/layer/relay.h"

struct quota_job {
	struct relay_job job; /* first */
	uint64_t kept;	      /* of the quota, for this copy */
	bool cut;	      /* the copy may be longer than what was kept */
};

struct quota {
	struct relay relay; /* first */
	uint64_t left;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quota *quota = (struct quota *)fs;

	if (req->len > quota->left) {
		csftp_reply_err(req, EDQUOT);
		return;
	}
	quota->left -= req->len;
	relay_pass(fs, req);
}

/* Errors that come when some of it may have been copied. */
static bool some_copied(int err)
{
	return err == EIO || err == ENOSPC || err == EDQUOT || err == EFBIG ||
	       err == EINTR;
}

static void copied(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quota_job *job = (struct quota_job *)req;
	struct quota *quota = (struct quota *)job->job.relay;
	uint64_t count = reply->err == 0 ? reply->count : 0;

	if (some_copied(reply->err))
		count = job->kept;
	/* Above what was kept: the source has grown meanwhile. */
	if (count <= job->kept)
		quota->left += job->kept - count;
	else
		quota->left -= smaller(quota->left, count - job->kept);
	if (reply->err == 0 && job->cut && count >= job->kept)
		relay_answer_err(&job->job, EDQUOT);
	else
		relay_answer(&job->job, reply);
}

/* How much there is to copy, as far as the source tells. */
static void sized(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quota_job *job = (struct quota_job *)req;
	struct quota *quota = (struct quota *)job->job.relay;
	const struct csftp_req *asked = job->job.asked;
	uint64_t want = asked->len > 0 ? asked->len : UINT64_MAX;
	uint64_t size = 0;

	/* Then the copy will fail, too; if not, it is counted afterwards. */
	if (reply->err != 0)
		want = 0;
	else if (reply->attr->mask & CSFTP_ATTR_SIZE)
		size = reply->attr->size;
	/* Files whose size is not known, as in /proc, say 0. */
	if (size > 0 && asked->off >= size)
		want = 0;
	else if (size > 0 && want > size - asked->off)
		want = size - asked->off;
	if (size > 0 && want > quota->left) {
		relay_answer_err(&job->job, EDQUOT);
		return;
	}
	job->job.req = *asked;
	job->cut = want > quota->left;
	job->kept = job->cut ? quota->left : want;
	quota->left -= job->kept;
	/* A len of 0 would be all; then there is nothing, and it says so. */
	if (job->cut)
		job->job.req.len = job->kept;
	if (job->cut && job->kept == 0)
		relay_answer_err(&job->job, EDQUOT);
	else
		relay_ask(&job->job, copied);
}

static void op_copy(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quota *quota = (struct quota *)fs;
	struct quota_job *job =
		(struct quota_job *)relay_take(&quota->relay, req);

	if (!job)
		return;
	job->job.req.op = CSFTP_OP_GETATTR;
	relay_ask(&job->job, sized);
}

enum csftp_err quota_new(struct csftp_fs **out, struct csftp_fs *under,
			 uint64_t bytes)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return CSFTP_ERR_NOMEM;
	quota->left = bytes;
	relay_init(&quota->relay, under, sizeof(struct quota_job), relay_pass);
	quota->relay.ops.op[CSFTP_OP_WRITE] = op_write;
	quota->relay.ops.op[CSFTP_OP_COPY_RANGE] = op_copy;
	*out = &quota->relay.fs;
	return CSFTP_OK;
}

void quota_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}

uint64_t quota_left(const struct csftp_fs *fs)
{
	return ((const struct quota *)fs)->left;
}
