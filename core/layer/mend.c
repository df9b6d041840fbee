#include "core/layer/mend.h"

#include <errno.h>
#include <stdlib.h>

#include "core/layer/aside.h"
#include "core/layer/mend_impl.h"

bool mend_name_aside(struct mend_job *job, const char *path)
{
	uint32_t number = ++((struct mend *)job->job.relay)->number;

	return job->tries++ < MEND_TRIES &&
	       aside_name(job->aside, path, number);
}

void mend_ask(struct mend_job *job, struct csftp_req req, mend_step *then)
{
	job->job.req = req;
	relay_ask(&job->job, then);
}

static void rename_to(struct mend_job *job, const char *from, const char *to,
		      mend_step *then)
{
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_RENAME,
			 .path = from,
			 .path2 = to,
		 },
		 then);
}

/* What is open goes with its name. */
static void answer_rename(struct mend_job *job, const struct csftp_reply *reply)
{
	const struct csftp_req *asked = job->job.asked;

	if (!reply->err)
		mend_renamed((struct mend *)job->job.relay, asked->path,
			     asked->path2);
	relay_answer(&job->job, reply);
}

static void finished(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply; /* the rename itself has been decided */
	answer_rename(job, &(struct csftp_reply){.err = job->err});
}

static void replaced(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	job->err = reply->err;
	if (reply->err) {
		rename_to(job, job->aside, job->job.asked->path2, finished);
		return;
	}
	mend_ask(job,
		 (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = job->aside},
		 finished);
}

static void moved_aside(struct csftp_req *req, const struct csftp_reply *reply);

static void move_aside(struct mend_job *job)
{
	job->moving = true;
	if (mend_name_aside(job, job->job.asked->path2))
		rename_to(job, job->job.asked->path2, job->aside, moved_aside);
	else
		relay_answer_err(&job->job, job->first_err);
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

	if (reply->err == EINTR)
		relay_answer_err(&job->job, EINTR);
	else if (reply->err || !reply->attr ||
		 (reply->attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR)
		relay_answer_err(&job->job, job->first_err);
	else
		move_aside(job);
}

static bool may_be_in_the_way(const struct mend_job *job, int err)
{
	const struct mend_config *config =
		&((const struct mend *)job->job.relay)->config;

	if (!config->rename || !(job->job.asked->flags & CSFTP_REPLACE) ||
	    (config->replaces && config->replaces(config->arg)))
		return false;
	return err == EEXIST || err == EIO || err == EPERM || err == EACCES ||
	       err == EOPNOTSUPP;
}

static void refused(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (!may_be_in_the_way(job, reply->err)) {
		answer_rename(job, reply);
		return;
	}
	job->first_err = reply->err;
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_GETATTR,
			 .flags = CSFTP_NOFOLLOW,
			 .path = job->job.asked->path2,
		 },
		 looked_at);
}

static void op_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend_job *job =
		(struct mend_job *)relay_take((struct relay *)fs, req);

	if (!job)
		return;
	job->tries = 0;
	job->err = 0;
	job->moving = false;
	relay_ask(&job->job, refused);
}

/* Between the names nobody would know which of them the files have. */
static bool is_moving(const struct mend *mend, const struct csftp_req *req)
{
	const struct relay_job *job = mend->relay.busy;

	if (req->op != CSFTP_OP_RENAME)
		return false;
	while (job && job->asked != req)
		job = job->next;
	return job && ((const struct mend_job *)job)->moving;
}

/* A size that is being given is given. */
static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	bool waited = relay_unlist(&mend->held, req) ||
		      relay_unlist(&mend->ready, req);

	for (struct mend_job *job = mend->makes; job && !waited;
	     job = job->next_make)
		waited = relay_unlist(&job->asking, req);
	if (waited)
		csftp_reply_err(req, EINTR);
	else if (!is_moving(mend, req) &&
		 (!mend->sizing || mend->sizing->job.asked != req))
		mend->cancel(fs, req);
}

enum csftp_err mend_new(struct csftp_fs **out, const struct mend_config *config)
{
	struct mend *mend;

	if (!config->under)
		return CSFTP_ERR_ARG;
	mend = calloc(1, sizeof(*mend));
	if (!mend)
		return CSFTP_ERR_NOMEM;
	relay_init(&mend->relay, config->under, sizeof(struct mend_job),
		   relay_pass);
	mend->config = *config;
	mend->cancel = mend->relay.ops.cancel;
	mend->relay.ops.cancel = cancel;
	mend->relay.ops.op[CSFTP_OP_RENAME] = op_rename;
	if (config->truncate || config->stat || config->create)
		mend_file_init(mend);
	if (config->truncate)
		mend_size_init(mend);
	*out = &mend->relay.fs;
	return CSFTP_OK;
}

void mend_free(struct csftp_fs *fs)
{
	struct mend *mend = (struct mend *)fs;

	if (!fs)
		return;
	mend_file_release(mend);
	relay_release(&mend->relay);
	free(mend);
}
