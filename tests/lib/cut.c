#include "tests/lib/cut.h"

#include <errno.h>
#include <string.h>

#include "core/errmap.h"
#include "tests/lib/test.h"

/* Of each connection others, so that a stale one is seen. */
static csftp_fh shown(const struct cut *cut, csftp_fh fh)
{
	return fh ^ (csftp_fh)cut->connection << 48;
}

static void enqueue(struct csftp_fs *fs, struct csftp_req *req)
{
	struct cut *cut = (struct cut *)fs;

	if (cut->dead) {
		csftp_reply_err(req, ENOTCONN);
		return;
	}
	req->next = NULL;
	if (cut->first)
		cut->last->next = req;
	else
		cut->first = req;
	cut->last = req;
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct cut *cut = (struct cut *)fs;

	if (!relay_unlist(&cut->first, req))
		return;
	cut->last = cut->first;
	while (cut->last && cut->last->next)
		cut->last = cut->last->next;
	csftp_reply_err(req, EINTR);
}

static void ignore(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)req;
	(void)reply;
}

static void close_below(struct cut *cut, csftp_fh fh)
{
	struct csftp_req req = {.op = CSFTP_OP_CLOSE, .done = ignore, .fh = fh};

	csftp_submit(cut->relay.under, &req);
}

static void forget(struct cut *cut, csftp_fh fh)
{
	for (unsigned i = 0; i < cut->opened; i++) {
		if (cut->open[i] == fh) {
			cut->open[i] = cut->open[--cut->opened];
			return;
		}
	}
}

static void keep(struct cut *cut, csftp_fh fh)
{
	assert_in_range(cut->opened, 0, CUT_HANDLES - 1);
	cut->open[cut->opened++] = fh;
}

void cut_now(struct cut *cut)
{
	cut->dead = true;
	while (cut->opened > 0)
		close_below(cut, cut->open[--cut->opened]);
	while (cut->first) {
		struct csftp_req *req = cut->first;

		cut->first = req->next;
		csftp_reply_err(req, EIO);
	}
}

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	struct cut *cut = (struct cut *)job->relay;
	struct csftp_reply out = *reply;
	bool opens = req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR;

	if (opens && !out.err) {
		keep(cut, out.fh);
		out.fh = shown(cut, out.fh);
	}
	if (req->op == CSFTP_OP_CLOSE)
		forget(cut, req->fh);
	if (out.err && cut->vague)
		out.err = sftp_errno_from_status(
			sftp_status_from_errno(out.err), "Failure", 7);
	relay_answer(job, &out);
}

static bool take_all(struct csftp_req *req, const struct csftp_entry *entry)
{
	(void)req;
	(void)entry;
	return true;
}

static void unanswered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct cut *cut = (struct cut *)((struct relay_job *)req)->relay;

	if (!reply->err &&
	    (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR))
		keep(cut, reply->fh);
	if (req->op == CSFTP_OP_CLOSE)
		forget(cut, req->fh);
}

static csftp_fh below(const struct cut *cut, csftp_fh fh)
{
	if (fh >> 48 != cut->connection)
		fail_msg("a handle of another connection");
	return shown(cut, fh);
}

/* memfs wants it in one piece. */
static void join(struct cut *cut, struct csftp_req *req)
{
	size_t at = 0;

	if (!req->parts)
		return;
	assert_in_range(req->len, 1, sizeof(cut->joined));
	assert_null(req->data);
	for (uint32_t i = 0; i < req->part_count; at += req->parts[i++].len)
		memcpy(cut->joined + at, req->parts[i].ptr, req->parts[i].len);
	assert_int_equal(at, req->len);
	req->data = cut->joined;
	req->parts = NULL;
}

static void say(struct cut *cut, struct csftp_req *req)
{
	bool opens = req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR;

	join(cut, req);
	if (!req->path && !opens)
		req->fh = below(cut, req->fh);
	if (req->op == CSFTP_OP_COPY_RANGE)
		req->fh2 = below(cut, req->fh2);
}

/* Its asker waits on: the answer is on a connection that will be cut. */
static void do_unanswered(struct cut *cut, struct csftp_req *req)
{
	struct relay_job job = {.req = *req, .relay = &cut->relay};

	say(cut, &job.req);
	job.req.done = unanswered;
	job.req.entry = req->entry ? take_all : NULL;
	csftp_submit(cut->relay.under, &job.req);
}

struct mode {
	struct csftp_req req; /* first */
	uint32_t mode;
};

static void saw_mode(struct csftp_req *req, const struct csftp_reply *reply)
{
	if (!reply->err)
		((struct mode *)req)->mode = reply->attr->mode;
}

static void do_allowed(struct cut *cut, struct csftp_req *req)
{
	struct relay_job *job = relay_take(&cut->relay, req);

	assert_non_null(job);
	say(cut, &job->req);
	relay_ask(job, answered);
}

static bool is_forbidden(const struct cut *cut, const struct csftp_req *req)
{
	struct mode mode = {.req = {.op = CSFTP_OP_GETATTR,
				    .path = req->path,
				    .done = saw_mode},
			    .mode = 0777};

	if (!cut->guarded || req->op != CSFTP_OP_OPEN ||
	    !(req->flags & CSFTP_OPEN_WRITE))
		return false;
	csftp_submit(cut->relay.under, &mode.req);
	return !(mode.mode & 0200);
}

static void do_one(struct cut *cut, struct csftp_req *req)
{
	if (is_forbidden(cut, req) ||
	    (cut->unreadable && req->op == CSFTP_OP_OPEN &&
	     (req->flags & CSFTP_OPEN_READ))) {
		csftp_reply_err(req, EACCES);
		return;
	}
	if (cut->no_fstat && req->op == CSFTP_OP_GETATTR && !req->path) {
		csftp_reply_err(req, EOPNOTSUPP);
		return;
	}
	do_allowed(cut, req);
}

bool cut_run(struct cut *cut)
{
	unsigned number = cut->done + 1;
	struct csftp_req *req = cut->first;

	if (cut->dead)
		return false;
	if (cut->at > 0 && number > cut->at - cut->lost) {
		for (; req && number <= cut->at; req = req->next, number++)
			do_unanswered(cut, req);
		cut_now(cut);
		return true;
	}
	if (!req)
		return false;
	if (cut->ends && req->op == CSFTP_OP_GETATTR && req->path &&
	    strcmp(req->path, cut->ends) == 0) {
		cut_now(cut);
		return true;
	}
	cut->first = req->next;
	cut->done++;
	cut->all++;
	do_one(cut, req);
	return true;
}

void cut_connect(struct cut *cut)
{
	assert_true(cut->dead);
	cut->dead = false;
	cut->at = 0;
	cut->lost = 0;
	cut->done = 0;
	cut->connection++;
}

bool cut_gone(void *arg)
{
	return ((struct cut *)arg)->dead;
}

void cut_init(struct cut *cut, struct csftp_fs *memfs)
{
	*cut = (struct cut){.connection = 1};
	relay_init(&cut->relay, memfs, sizeof(struct relay_job), enqueue);
	cut->relay.ops.cancel = cancel;
	cut->relay.fs.traits = CSFTP_FS_PARTS;
}

void cut_release(struct cut *cut)
{
	while (cut->opened > 0)
		close_below(cut, cut->open[--cut->opened]);
	relay_release(&cut->relay);
}
