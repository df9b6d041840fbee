#include "core/layer/mend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/relay.h"

/* Names that are tried until one is free. */
#define TRIES 16U

#define ASIDE	  ".csftp-"
#define ASIDE_LEN (sizeof(ASIDE) - 1)

struct mend {
	struct relay relay; /* first */
	uint32_t number;    /* of the last name that was tried */
};

struct mend_job {
	struct relay_job job; /* first */
	unsigned tries;
	int err;       /* what the whole fails with */
	int first_err; /* what it failed with at first */
	char aside[CSFTP_PATH_MAX + 1];
};

static struct mend *mend_of(struct mend_job *job)
{
	return (struct mend *)job->job.relay;
}

/* A name in the directory of path2; false: it would be too long. */
static bool name_aside(struct mend_job *job)
{
	static const char digits[] = "0123456789abcdef";
	const char *path = job->job.asked->path2;
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;
	uint32_t number = ++mend_of(job)->number;

	if (len + ASIDE_LEN + 8 > CSFTP_PATH_MAX)
		return false;
	memcpy(job->aside, path, len);
	memcpy(job->aside + len, ASIDE, ASIDE_LEN);
	len += ASIDE_LEN;
	for (unsigned i = 0; i < 8; i++, number <<= 4)
		job->aside[len++] = digits[number >> 28];
	job->aside[len] = '\0';
	return true;
}

static void rename_to(struct mend_job *job, const char *from, const char *to,
		      void (*done)(struct csftp_req *,
				   const struct csftp_reply *))
{
	job->job.req.op = CSFTP_OP_RENAME;
	job->job.req.flags = 0;
	job->job.req.path = from;
	job->job.req.path2 = to;
	relay_ask(&job->job, done);
}

static void finished(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply; /* the rename itself has been decided */
	relay_answer_err(&job->job, job->err);
}

static void replaced(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	job->err = reply->err;
	if (reply->err) {
		rename_to(job, job->aside, job->job.asked->path2, finished);
		return;
	}
	job->job.req.op = CSFTP_OP_UNLINK;
	job->job.req.path = job->aside;
	job->job.req.path2 = NULL;
	relay_ask(&job->job, finished);
}

static void moved_aside(struct csftp_req *req, const struct csftp_reply *reply);

static void move_aside(struct mend_job *job)
{
	if (job->tries++ == TRIES || !name_aside(job))
		relay_answer_err(&job->job, job->first_err);
	else
		rename_to(job, job->job.asked->path2, job->aside, moved_aside);
}

/* Where nothing is in the way, it was something else. */
static void moved_aside(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	const struct csftp_req *asked = job->job.asked;

	if (reply->err == EEXIST)
		move_aside(job);
	else if (reply->err)
		relay_answer_err(&job->job, job->first_err);
	else
		rename_to(job, asked->path, asked->path2, replaced);
}

/* A directory that is in the way stays where it is. */
static void looked_at(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (reply->err || !reply->attr ||
	    (reply->attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR)
		relay_answer_err(&job->job, job->first_err);
	else
		move_aside(job);
}

static void refused(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	int err = reply->err;

	if (err != EEXIST && err != EIO && err != EPERM && err != EACCES &&
	    err != EOPNOTSUPP) {
		relay_answer(&job->job, reply);
		return;
	}
	job->first_err = err;
	job->job.req.op = CSFTP_OP_GETATTR;
	job->job.req.flags = CSFTP_NOFOLLOW;
	job->job.req.path = job->job.asked->path2;
	relay_ask(&job->job, looked_at);
}

static void op_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend_job *job;

	if (!(req->flags & CSFTP_REPLACE)) {
		relay_pass(fs, req);
		return;
	}
	job = (struct mend_job *)relay_take((struct relay *)fs, req);
	if (!job)
		return;
	job->tries = 0;
	job->err = 0;
	relay_ask(&job->job, refused);
}

enum csftp_err mend_new(struct csftp_fs **out, struct csftp_fs *under)
{
	struct mend *mend = calloc(1, sizeof(*mend));

	if (!mend)
		return CSFTP_ERR_NOMEM;
	relay_init(&mend->relay, under, sizeof(struct mend_job), relay_pass);
	mend->relay.ops.op[CSFTP_OP_RENAME] = op_rename;
	*out = &mend->relay.fs;
	return CSFTP_OK;
}

void mend_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
