#include <errno.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * A request that was sent before its connection died, and asked again.  What
 * it was to do may have been done the first time; then the server refuses it.
 * Most servers have one code for all refusals (EIO), so it is looked what is
 * there.
 */

/* Nothing more is to be asked. */
static void settled(struct survive_job *job, bool is_so)
{
	survive_complete_err(job, is_so ? 0 : job->err);
}

static bool is_type(const struct csftp_reply *reply, uint32_t type)
{
	return !reply->err && reply->attr &&
	       (reply->attr->mask & CSFTP_ATTR_MODE) &&
	       (reply->attr->mode & CSFTP_S_IFMT) == type;
}

/*
 * True: that is no answer.  Where the connection died again the whole request
 * will be asked again.
 */
static bool is_cut_short(struct survive_job *job,
			 const struct csftp_reply *reply)
{
	if (survive_lost((struct survive *)job->job.relay, reply))
		survive_park(job, EIO);
	else if (reply->err == EINTR)
		survive_complete_err(job, EINTR);
	else
		return false;
	return true;
}

static void saw_directory(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (!is_cut_short(job, reply))
		settled(job, is_type(reply, CSFTP_S_IFDIR));
}

static void saw_text(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;
	const char *text = job->job.asked->path2;

	if (!is_cut_short(job, reply))
		settled(job, !reply->err && reply->text.len == strlen(text) &&
				     memcmp(reply->text.ptr, text,
					    reply->text.len) == 0);
}

static void saw_name(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (!is_cut_short(job, reply))
		settled(job, !reply->err);
}

static void saw_no_name(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (!is_cut_short(job, reply))
		settled(job, reply->err == ENOENT);
}

static bool look_at(struct survive_job *job, int err, const char *path,
		    survive_step *then)
{
	job->err = err;
	job->job.req = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.flags = CSFTP_NOFOLLOW,
		.path = path,
	};
	survive_ask(job, then);
	return true;
}

/* Two names of one file have the same in all that there is to see. */
static bool looks_same(const struct csftp_attr *a, const struct csftp_attr *b)
{
	return a->mask == b->mask && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->size == b->size &&
	       a->mtime.sec == b->mtime.sec && a->mtime.nsec == b->mtime.nsec;
}

static void saw_old_name(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (!is_cut_short(job, reply))
		settled(job, !reply->err && reply->attr &&
				     looks_same(reply->attr, &job->found));
}

/* It may be another's: a link is how some programs make a lock. */
static void saw_new_name(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (is_cut_short(job, reply))
		return;
	if (reply->err || !reply->attr) {
		settled(job, false);
		return;
	}
	job->found = *reply->attr;
	(void)look_at(job, job->err, job->job.asked->path, saw_old_name);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (!is_cut_short(job, reply))
		survive_complete(job, reply);
}

/* Nobody has had its handle, so what was made has to be empty. */
static void saw_made(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;
	const struct csftp_req *asked = job->job.asked;

	if (is_cut_short(job, reply))
		return;
	if (!is_type(reply, CSFTP_S_IFREG) || reply->attr->size > 0) {
		settled(job, false);
		return;
	}
	job->job.req = *asked;
	job->job.req.flags &= ~(CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL);
	survive_ask(job, opened);
}

static bool read_link(struct survive_job *job, int err)
{
	job->err = err;
	job->job.req = (struct csftp_req){
		.op = CSFTP_OP_READLINK,
		.path = job->job.asked->path,
	};
	survive_ask(job, saw_text);
	return true;
}

bool survive_doubt(struct survive_job *job, int err)
{
	const struct csftp_req *asked = job->job.asked;
	const uint32_t exclusive = CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL;
	bool exists = err == EEXIST || err == EIO;

	if (asked->op == CSFTP_OP_MKDIR && exists)
		return look_at(job, err, asked->path, saw_directory);
	if (asked->op == CSFTP_OP_SYMLINK && exists)
		return read_link(job, err);
	if (asked->op == CSFTP_OP_LINK && exists)
		return look_at(job, err, asked->path2, saw_new_name);
	if (asked->op == CSFTP_OP_OPEN && exists &&
	    (asked->flags & exclusive) == exclusive)
		return look_at(job, err, asked->path, saw_made);
	if ((asked->op == CSFTP_OP_UNLINK || asked->op == CSFTP_OP_RMDIR) &&
	    err == ENOENT)
		return look_at(job, err, asked->path, saw_no_name);
	if (asked->op == CSFTP_OP_RENAME && err == ENOENT)
		return look_at(job, err, asked->path2, saw_name);
	/* What it was called is gone, and the new name is there. */
	if (asked->op == CSFTP_OP_RENAME && exists &&
	    !(asked->flags & CSFTP_REPLACE))
		return look_at(job, err, asked->path, saw_no_name);
	return false;
}
