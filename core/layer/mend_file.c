#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/mend_impl.h"

/*
 * Open files: which path each has, and how they are made without a mode.
 */

static struct mend *mend_of(const struct mend_job *job)
{
	return (struct mend *)job->job.relay;
}

static void drop(struct fhmap_entry *entry)
{
	free(((struct mend_handle *)entry)->path);
}

void mend_file_release(struct mend *mend)
{
	fhmap_release(&mend->handles, drop);
}

const struct mend_handle *mend_handle_of(const struct mend *mend, csftp_fh fh)
{
	return (const struct mend_handle *)fhmap_find(&mend->handles, fh);
}

/* What is behind the directory, or the file, in the path; NULL: elsewhere. */
static const char *below(const char *path, const char *above)
{
	size_t len = strlen(above);

	if (strncmp(path, above, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

/* NULL: no memory, or it would be longer than a path can be. */
static char *join(const char *path, const char *rest)
{
	size_t len = strlen(path);
	size_t more = strlen(rest);
	char *joined =
		len + more > CSFTP_PATH_MAX ? NULL : malloc(len + more + 1);

	if (!joined)
		return NULL;
	memcpy(joined, path, len);
	memcpy(joined + len, rest, more + 1);
	return joined;
}

/* Where there is no memory for a new path, it is as if there were none. */
static void rename_one(struct mend_handle *handle, const char *from,
		       const char *to)
{
	const char *rest = handle->path ? below(handle->path, from) : NULL;
	char *path;

	if (!rest && (!handle->path || !to || !below(handle->path, to)))
		return;
	path = rest && to ? join(to, rest) : NULL;
	free(handle->path);
	handle->path = path;
}

/* To NULL: it is removed. */
static void rename_all(struct mend *mend, const char *from, const char *to)
{
	for (size_t i = 0; i < FHMAP_BUCKETS; i++) {
		struct fhmap_entry *entry = mend->handles.bucket[i];

		for (; entry; entry = entry->next)
			rename_one((struct mend_handle *)entry, from, to);
	}
}

void mend_renamed(struct mend *mend, const char *from, const char *to)
{
	rename_all(mend, from, to);
}

/*
 * OPEN and CLOSE
 */

static struct mend_job *make_of(const struct mend *mend, const char *path)
{
	struct mend_job *job = mend->makes;

	while (job && strcmp(job->job.asked->path, path) != 0)
		job = job->next_make;
	return job;
}

/* Out of those that have no mode yet; who waited for it is ready. */
static void make_end(struct mend *mend, struct mend_job *job)
{
	struct mend_job **at = &mend->makes;
	struct csftp_req **last = &mend->ready;

	while (*at && *at != job)
		at = &(*at)->next_make;
	if (*at)
		*at = job->next_make;
	while (*last)
		last = &(*last)->next;
	*last = job->asking;
	job->asking = NULL;
}

static void answer_open(struct mend_job *job, const struct csftp_reply *reply)
{
	struct mend *mend = mend_of(job);
	struct mend_handle *handle = job->handle;

	make_end(mend, job);
	if (reply->err) {
		free(handle->path);
		handle->path = NULL;
		fhmap_give_back(&mend->handles, &handle->entry);
	} else {
		fhmap_put(&mend->handles, &handle->entry, reply->fh);
	}
	relay_answer(&job->job, reply);
	/* One by one, as whoever is answered may cancel others. */
	while (mend->ready) {
		struct csftp_req *req = mend->ready;

		mend->ready = req->next;
		relay_pass(&mend->relay.fs, req);
	}
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	answer_open((struct mend_job *)req, reply);
}

static void has_mode(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	(void)reply; /* it is there, with the mode that servers give */
	answer_open(job, &(struct csftp_reply){.fh = job->fh});
}

static void open_without_mode(struct mend_job *job, uint32_t flags,
			      mend_step *then)
{
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN,
			 .flags = flags,
			 .path = job->job.asked->path,
		 },
		 then);
}

/* Only what was made by us gets the mode: what is there has one. */
static void made(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;
	const struct csftp_req *asked = job->job.asked;

	if (reply->err == EEXIST && !(asked->flags & CSFTP_OPEN_EXCL)) {
		open_without_mode(job, asked->flags, opened);
		return;
	}
	if (reply->err || !asked->attr ||
	    !(asked->attr->mask & CSFTP_ATTR_MODE)) {
		answer_open(job, reply);
		return;
	}
	job->fh = reply->fh;
	job->attr = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = asked->attr->mode & 07777,
	};
	mend_ask(job,
		 (struct csftp_req){
			 .op = CSFTP_OP_SETATTR,
			 .fh = job->fh,
			 .attr = &job->attr,
		 },
		 has_mode);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	struct mend_job *job = (struct mend_job *)relay_take(&mend->relay, req);
	struct mend_handle *handle;

	if (!job)
		return;
	if (strlen(req->path) > CSFTP_PATH_MAX) {
		relay_answer_err(&job->job, ENAMETOOLONG);
		return;
	}
	handle = (struct mend_handle *)fhmap_take(&mend->handles);
	if (handle)
		handle->path = join(req->path, "");
	if (!handle || !handle->path) {
		if (handle)
			fhmap_give_back(&mend->handles, &handle->entry);
		relay_answer_err(&job->job, ENOMEM);
		return;
	}
	job->handle = handle;
	handle->flags = req->flags;
	if (!mend->config.create || !(req->flags & CSFTP_OPEN_CREAT)) {
		relay_ask(&job->job, opened);
		return;
	}
	job->next_make = mend->makes;
	mend->makes = job;
	open_without_mode(job, req->flags | CSFTP_OPEN_EXCL, made);
}

/* Whatever becomes of it, the handle is gone. */
static void op_close(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	struct fhmap_entry *entry = fhmap_find(&mend->handles, req->fh);

	if (entry) {
		drop(entry);
		((struct mend_handle *)entry)->path = NULL;
		fhmap_remove(&mend->handles, req->fh);
	}
	relay_pass(fs, req);
}

static void removed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct mend_job *job = (struct mend_job *)req;

	if (!reply->err)
		rename_all(mend_of(job), job->job.asked->path, NULL);
	relay_answer(&job->job, reply);
}

static void op_unlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay_job *job = relay_take((struct relay *)fs, req);

	if (job)
		relay_ask(job, removed);
}

/*
 * GETATTR
 */

static void has_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mend *mend = (struct mend *)fs;
	const struct mend_handle *handle =
		req->path ? NULL : mend_handle_of(mend, req->fh);
	struct mend_job *job;

	job = req->path ? make_of(mend, req->path) : NULL;
	if (job) {
		req->next = job->asking;
		job->asking = req;
		return;
	}
	if (!mend->config.stat || !handle || !handle->path) {
		relay_pass(fs, req);
		return;
	}
	job = (struct mend_job *)relay_take(&mend->relay, req);
	if (!job)
		return;
	/* The handle may be closed, or have another path, meanwhile. */
	memcpy(job->path, handle->path, strlen(handle->path) + 1);
	mend_ask(job,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = job->path},
		 has_attr);
}

void mend_file_init(struct mend *mend)
{
	struct csftp_fs_ops *ops = &mend->relay.ops;

	mend->handles.entry_size = sizeof(struct mend_handle);
	ops->op[CSFTP_OP_OPEN] = op_open;
	ops->op[CSFTP_OP_CLOSE] = op_close;
	ops->op[CSFTP_OP_UNLINK] = op_unlink;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
}
