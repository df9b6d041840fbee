#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/mend_impl.h"

/*
 * A file gets its size without a SETATTR that has one.  What waits for that
 * goes on in its order; what it waits for are WRITEs alone, as all else that
 * was asked before has come to the server before.
 */

static struct mend *mend_of(const struct mend_job *job)
{
	return (struct mend *)job->job.relay;
}

static void hold(struct mend *mend, struct csftp_req *req)
{
	struct csftp_req **at = &mend->held;

	while (*at)
		at = &(*at)->next;
	req->next = NULL;
	*at = req;
}

/* One by one, as whoever is answered may cancel others. */
static void pass_held(struct mend *mend)
{
	if (mend->passing)
		return;
	mend->passing = true;
	while (!mend->sizing && mend->held) {
		struct csftp_req *req = mend->held;

		mend->held = req->next;
		mend->usual[req->op](&mend->relay.fs, req);
	}
	mend->passing = false;
}

/*
 * The end of it
 */

static void answer(struct mend_job *job, const struct csftp_reply *reply)
{
	struct mend *mend = mend_of(job);

	free(job->bytes);
	job->bytes = NULL;
	mend->sizing = NULL;
	relay_answer(&job->job, reply);
	pass_held(mend);
}

static void answer_err(struct mend_job *job, int err)
{
	answer(job, &(struct csftp_reply){.err = err});
}

static void has_rest(struct csftp_req *req, const struct csftp_reply *reply)
{
	answer((struct mend_job *)req, reply);
}

/* What else was to be set. */
static void set_rest(struct mend_job *job)
{
	const struct csftp_req *asked = job->job.asked;

	job->attr = *asked->attr;
	job->attr.mask &= ~CSFTP_ATTR_SIZE;
	if (job->attr.mask == 0) {
		answer_err(job, 0);
		return;
	}
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_SETATTR,
			 .flags = asked->flags,
			 .path = asked->path,
			 .fh = asked->fh,
			 .attr = &job->attr,
		 },
		 has_rest);
}

static void close_fh(struct mend_job *job, csftp_fh fh, mend_step *then)
{
	mend_ask(job, (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh}, then);
}

/*
 * Longer, and empty: there is one handle, job->to.
 */

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (job->err || reply->err)
		answer_err(job, job->err ? job->err : reply->err);
	else
		set_rest(job);
}

static void wrote_last(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	job->err = reply->err;
	close_fh(job, job->to, closed);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	static const char zero;
	struct mend_job *job = (struct mend_job *)req;
	uint64_t size = job->job.asked->attr->size;

	if (reply->err) {
		answer(job, reply);
		return;
	}
	job->to = reply->fh;
	if (size == 0)
		close_fh(job, job->to, closed);
	else
		mend_ask(job,
			 (struct csftp_req){
				 .op = CSFTP_OP_WRITE,
				 .fh = job->to,
				 .off = size - 1,
				 .len = 1,
				 .data = &zero,
			 },
			 wrote_last);
}

static void open_file(struct mend_job *job, const char *path, uint32_t flags,
		      mend_step *then)
{
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN,
			 .flags = flags,
			 .path = path,
		 },
		 then);
}

/*
 * Shorter: its beginning goes to a file beside it, then back.
 */

static void copy_next(struct mend_job *job);

static void is_removed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply; /* the file itself has been decided */
	if (job->err)
		answer_err(job, job->err);
	else
		set_rest(job);
}

static void remove_aside(struct mend_job *job)
{
	mend_ask(job,
		 (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = job->aside},
		 is_removed);
}

static void closed_aside(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* it was only read */
	remove_aside((struct mend_job *)req);
}

static void opened_file_anew(struct csftp_req *req,
			     const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	job->to = reply->fh;
	job->err = reply->err;
	/* Nothing has happened to the file. */
	if (reply->err)
		close_fh(job, job->from, closed_aside);
	else
		copy_next(job);
}

static void opened_aside_again(struct csftp_req *req,
			       const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	job->from = reply->fh;
	job->err = reply->err;
	if (reply->err) {
		remove_aside(job);
		return;
	}
	job->back = true;
	job->at = 0;
	open_file(job, job->path, CSFTP_OPEN_WRITE | CSFTP_OPEN_TRUNC,
		  opened_file_anew);
}

static void closed_to(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (!job->err)
		job->err = reply->err;
	if (job->back && job->err)
		answer_err(job, job->err); /* what is left is beside it */
	else if (job->back || job->err)
		remove_aside(job);
	else
		open_file(job, job->aside, CSFTP_OPEN_READ, opened_aside_again);
}

static void closed_from(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply; /* it was only read */
	close_fh(job, job->to, closed_to);
}

static void stop_copy(struct mend_job *job, int err)
{
	job->err = err;
	close_fh(job, job->from, closed_from);
}

static void wrote(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (reply->err) {
		stop_copy(job, reply->err);
		return;
	}
	job->at += req->len;
	copy_next(job);
}

static void has_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	size_t len = reply->data.len;

	if (reply->err || len == 0 || len > req->len) {
		/* It has become shorter; what it was is not known any more. */
		stop_copy(job, reply->err ? reply->err : EIO);
		return;
	}
	if (reply->data.ptr != job->bytes)
		memmove(job->bytes, reply->data.ptr, len);
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_WRITE,
			 .fh = job->to,
			 .off = job->at,
			 .len = len,
			 .data = job->bytes,
		 },
		 wrote);
}

static uint32_t piece(const struct mend *mend)
{
	const struct csftp_fs *under = mend->relay.under;
	uint32_t len = MEND_PIECE;

	if (under->max_read > 0 && under->max_read < len)
		len = under->max_read;
	if (under->max_write > 0 && under->max_write < len)
		len = under->max_write;
	return len;
}

static void copy_next(struct mend_job *job)
{
	uint64_t left = job->job.asked->attr->size - job->at;
	uint32_t len = piece(mend_of(job));

	if (left == 0) {
		stop_copy(job, 0);
		return;
	}
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_READ,
			 .fh = job->from,
			 .off = job->at,
			 .len = left < len ? left : len,
			 .into = job->bytes,
		 },
		 has_read);
}

/* Its mode was in OPEN, or is tried now; what it has is the file's content. */
static void aside_is_private(struct csftp_req *req,
			     const struct csftp_reply *reply)
{
	(void)reply;
	copy_next((struct mend_job *)req);
}

static void make_aside(struct mend_job *job);

static void gave_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply;
	answer_err(job, job->err);
}

static void made_aside(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (reply->err == EEXIST) {
		make_aside(job);
	} else if (reply->err) {
		job->err = reply->err;
		close_fh(job, job->from, gave_up);
	} else {
		job->to = reply->fh;
		mend_ask(job,
			 (struct csftp_req){
				 .op = CSFTP_OP_SETATTR,
				 .fh = job->to,
				 .attr = &job->attr,
			 },
			 aside_is_private);
	}
}

static void make_aside(struct mend_job *job)
{
	if (!mend_name_aside(job, job->path)) {
		job->err = EEXIST;
		close_fh(job, job->from, gave_up);
		return;
	}
	job->attr = (struct csftp_attr){.mask = CSFTP_ATTR_MODE, .mode = 0600};
	mend_ask(
		job,
		(struct csftp_req){
			.op = CSFTP_OP_OPEN,
			.flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT |
				 CSFTP_OPEN_EXCL,
			.path = job->aside,
			.attr = mend_of(job)->config.create ? NULL : &job->attr,
		},
		made_aside);
}

static void opened_to_copy(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (reply->err) {
		answer(job, reply);
		return;
	}
	job->from = reply->fh;
	job->back = false;
	job->tries = 0;
	job->at = 0;
	make_aside(job);
}

/*
 * The beginning of it
 */

static void has_size(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	const struct csftp_attr *attr = reply->attr;
	uint64_t size = job->job.asked->attr->size;
	uint32_t type;

	if (reply->err || !attr || !(attr->mask & CSFTP_ATTR_SIZE)) {
		answer_err(job, reply->err ? reply->err : EIO);
		return;
	}
	type = attr->mask & CSFTP_ATTR_MODE ? attr->mode & CSFTP_S_IFMT : 0;
	if (type != 0 && type != CSFTP_S_IFREG) {
		answer_err(job, type == CSFTP_S_IFDIR ? EISDIR : EINVAL);
	} else if (attr->size == size) {
		set_rest(job);
	} else if (size == 0) {
		open_file(job, job->path, CSFTP_OPEN_WRITE | CSFTP_OPEN_TRUNC,
			  opened);
	} else if (attr->size < size) {
		open_file(job, job->path, CSFTP_OPEN_WRITE, opened);
	} else {
		job->bytes = malloc(MEND_PIECE);
		if (job->bytes)
			open_file(job, job->path, CSFTP_OPEN_READ,
				  opened_to_copy);
		else
			answer_err(job, ENOMEM);
	}
}

/* Once there is no WRITE under way. */
static void begin(struct mend *mend)
{
	struct mend_job *job = mend->sizing;

	if (!job || job->begun || mend->writes > 0)
		return;
	job->begun = true;
	job->err = 0;
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_GETATTR,
			 .path = job->path,
		 },
		 has_size);
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	const struct mend_handle *handle =
		req->path ? NULL : mend_handle_of(mend, req->fh);
	const char *path = handle ? handle->path : req->path;
	struct mend_job *job;

	if (!(req->attr->mask & CSFTP_ATTR_SIZE) || !path ||
	    strlen(path) > CSFTP_PATH_MAX) {
		relay_pass(fs, req);
		return;
	}
	if ((handle && !(handle->flags & CSFTP_OPEN_WRITE)) ||
	    (!handle && (req->flags & CSFTP_NOFOLLOW)) ||
	    req->attr->size > INT64_MAX) {
		csftp_reply_err(req, EINVAL);
		return;
	}
	job = (struct mend_job *)relay_take(&mend->relay, req);
	if (!job)
		return;
	memcpy(job->path, path, strlen(path) + 1);
	job->begun = false;
	mend->sizing = job;
	begin(mend);
}

static void was_written(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	struct mend *mend = mend_of(job);

	mend->writes--;
	relay_answer(&job->job, reply);
	begin(mend);
}

static void op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	struct relay_job *job = relay_take(&mend->relay, req);

	if (!job)
		return;
	mend->writes++;
	relay_ask(job, was_written);
}

/* Any operation. */
static void gate(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;

	if (mend->sizing || mend->held)
		hold(mend, req);
	else
		mend->usual[req->op](fs, req);
}

void mend_size_init(struct mend *mend)
{
	struct csftp_fs_ops *ops = &mend->relay.ops;

	ops->op[CSFTP_OP_SETATTR] = op_setattr;
	ops->op[CSFTP_OP_WRITE] = op_write;
	for (size_t i = 0; i < CSFTP_OP_COUNT; i++) {
		mend->usual[i] = ops->op[i];
		ops->op[i] = gate;
	}
}
