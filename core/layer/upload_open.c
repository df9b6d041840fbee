#include "core/layer/upload_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Names that were there already; more are somebody's game. */
#define TRIES_MAX 16

#define DIGITS	      16
#define SUFFIX	      ".part"
#define NAME_MAX_KEPT (CSFTP_NAME_MAX - 2 - DIGITS - (sizeof(SUFFIX) - 1))

static struct upload *upload_of(const struct upload_job *job)
{
	return (struct upload *)job->job.relay;
}

static void fail(struct upload_job *job, int err)
{
	free(job->file);
	job->file = NULL;
	relay_answer_err(&job->job, err);
}

/* As if this layer was not there. */
static void in_place(struct upload_job *job)
{
	free(job->file);
	job->file = NULL;
	job->job.req = *job->job.asked;
	relay_ask(&job->job, upload_answered);
}

/*
 * Beside the target, ".NAME.<hex>.part"; false where that is too long.  A
 * longer name loses its end.
 */
static bool name_temp(struct upload *upload, struct upload_file *file)
{
	static const char hex[] = "0123456789abcdef";
	const char *slash = strrchr(file->target, '/');
	const char *name = slash ? slash + 1 : file->target;
	size_t dir_len = (size_t)(name - file->target);
	size_t len = strlen(name);
	/* An odd factor: every number is used once. */
	uint64_t number =
		upload->config.seed + upload->names++ * 0x9e3779b97f4a7c15U;
	char *out = file->temp + dir_len;

	if (len > NAME_MAX_KEPT)
		len = NAME_MAX_KEPT;
	if (dir_len + len + 2 + DIGITS + sizeof(SUFFIX) > sizeof(file->temp))
		return false;
	memcpy(file->temp, file->target, dir_len);
	*out++ = '.';
	memcpy(out, name, len);
	out += len;
	*out++ = '.';
	for (int i = 0; i < DIGITS; i++)
		*out++ = hex[number >> (60 - 4 * i) & 15];
	memcpy(out, SUFFIX, sizeof(SUFFIX));
	return true;
}

static void finish(struct upload_job *job)
{
	struct upload *upload = upload_of(job);
	struct upload_file *file = job->file;

	file->fh = job->fh;
	file->holds = 1;
	file->next = upload->files;
	upload->files = file;
	job->file = NULL;
	relay_answer(&job->job, &(struct csftp_reply){.fh = job->fh});
}

static void gave_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply;
	in_place((struct upload_job *)req);
}

static void temp_closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	(void)reply;
	upload_ask(job,
		   &(struct csftp_req){.op = CSFTP_OP_UNLINK,
				       .path = job->file->temp},
		   gave_up);
}

/* The new file is as the old one, or it does not take its place. */
static void dressed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	if (reply->err == 0)
		finish(job);
	else
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_CLOSE,
					       .fh = job->fh},
			   temp_closed);
}

static void open_temp(struct upload_job *job);

static void temp_opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	job->fh = reply->fh;
	if (reply->err == EEXIST && ++job->tries < TRIES_MAX)
		open_temp(job);
	else if (reply->err != 0 && job->replaces)
		in_place(job);
	else if (reply->err != 0)
		fail(job, reply->err);
	else if (job->replaces)
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_SETATTR,
					       .fh = job->fh,
					       .attr = &job->attr},
			   dressed);
	else
		finish(job);
}

/* Nobody else may open it before it has the old file's owner and mode. */
static void open_temp(struct upload_job *job)
{
	static const struct csftp_attr hidden = {.mask = CSFTP_ATTR_MODE,
						 .mode = 0600};
	const struct csftp_req *asked = job->job.asked;

	if (!name_temp(upload_of(job), job->file)) {
		in_place(job);
		return;
	}
	upload_ask(job,
		   &(struct csftp_req){
			   .op = CSFTP_OP_OPEN,
			   .flags = (asked->flags & ~CSFTP_OPEN_TRUNC) |
				    CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL,
			   .path = job->file->temp,
			   .attr = job->replaces ? &hidden : asked->attr,
		   },
		   temp_opened);
}

static void old_closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	(void)reply;
	if (job->replaces)
		open_temp(job);
	else
		in_place(job);
}

/* What it is decides whether it can be replaced. */
static void old_known(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;
	const uint32_t kept = CSFTP_ATTR_MODE | CSFTP_ATTR_UID | CSFTP_ATTR_GID;

	if (reply->err == 0)
		job->attr = *reply->attr;
	job->replaces =
		reply->err == 0 &&
		(job->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFREG &&
		(!(job->attr.mask & CSFTP_ATTR_NLINK) || job->attr.nlink == 1);
	job->attr.mask &= kept;
	upload_ask(job,
		   &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = job->fh},
		   old_closed);
}

/* A link to nothing: what it names is made. */
static void dangling(struct upload_job *job)
{
	job->replaces = false;
	open_temp(job);
}

/* Opened to see whether we may write to it; that is all. */
static void old_opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	job->fh = reply->fh;
	if (reply->err == 0)
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_GETATTR,
					       .fh = job->fh},
			   old_known);
	else if (reply->err != ENOENT ||
		 !(job->job.asked->flags & CSFTP_OPEN_CREAT))
		fail(job, reply->err);
	else
		dangling(job);
}

static void target_known(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;
	struct upload_file *file = job->file;

	if (reply->err != 0 || reply->text.len >= sizeof(file->target)) {
		in_place(job);
		return;
	}
	memcpy(file->target, reply->text.ptr, reply->text.len);
	file->target[reply->text.len] = '\0';
	if (job->replaces)
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_OPEN,
					       .flags = CSFTP_OPEN_WRITE,
					       .path = file->target},
			   old_opened);
	else
		open_temp(job);
}

/* What the name is now: the link itself, as EXCL does not follow it. */
static void name_known(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;
	const uint32_t flags = job->job.asked->flags;
	uint32_t type = 0;

	if (reply->err == 0)
		type = reply->attr->mode & CSFTP_S_IFMT;
	job->replaces = reply->err == 0;
	if (reply->err == 0 && (flags & CSFTP_OPEN_CREAT) &&
	    (flags & CSFTP_OPEN_EXCL))
		fail(job, EEXIST);
	else if (reply->err == 0 &&
		 (!(flags & CSFTP_OPEN_TRUNC) ||
		  (type != CSFTP_S_IFREG && type != CSFTP_S_IFLNK)))
		in_place(job);
	else if (reply->err != 0 &&
		 (reply->err != ENOENT || !(flags & CSFTP_OPEN_CREAT)))
		fail(job, reply->err);
	else
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_REALPATH,
					       .path = job->file->asked},
			   target_known);
}

/* It may have got its name, or have gone, before this was its turn. */
static void joined(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	if (reply->err != ENOENT) {
		upload_answered(req, reply);
		return;
	}
	upload_let_go(job);
	in_place(job);
}

/* More handles of a file on its way are handles of the hidden one. */
static void join(struct upload_job *job, struct upload_file *file)
{
	if ((job->job.asked->flags & CSFTP_OPEN_CREAT) &&
	    (job->job.asked->flags & CSFTP_OPEN_EXCL)) {
		relay_answer_err(&job->job, EEXIST);
		return;
	}
	upload_hold(job, file);
	job->job.req.path = file->temp;
	job->job.req.flags &= ~CSFTP_OPEN_CREAT;
	relay_ask(&job->job, joined);
}

static void begin(struct upload_job *job)
{
	const struct csftp_req *asked = job->job.asked;
	size_t len = strlen(asked->path);

	if (len >= sizeof(job->file->asked)) {
		relay_answer_err(&job->job, ENAMETOOLONG);
		return;
	}
	job->file = calloc(1, sizeof(*job->file));
	if (!job->file) {
		relay_answer_err(&job->job, ENOMEM);
		return;
	}
	memcpy(job->file->asked, asked->path, len + 1);
	job->file->exclusive = (asked->flags & CSFTP_OPEN_CREAT) &&
			       (asked->flags & CSFTP_OPEN_EXCL);
	upload_ask(job,
		   &(struct csftp_req){.op = CSFTP_OP_GETATTR,
				       .flags = CSFTP_NOFOLLOW,
				       .path = job->file->asked},
		   name_known);
}

void upload_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct upload *upload = (struct upload *)fs;
	struct upload_file *file = upload_by_path(upload, req->path);
	bool makes = (req->flags & CSFTP_OPEN_WRITE) &&
		     (req->flags & (CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC));
	bool joins = file && !(req->flags & CSFTP_OPEN_TRUNC);
	struct upload_job *job;

	if (!makes && !joins) {
		relay_pass(fs, req);
		return;
	}
	job = (struct upload_job *)relay_take(&upload->relay, req);
	if (!job)
		return;
	job->file = NULL;
	job->tries = 0;
	if (joins)
		join(job, file);
	else
		begin(job);
}
