#include "core/layer/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/upload_impl.h"

void upload_ask(struct upload_job *job, const struct csftp_req *req,
		upload_step *then)
{
	job->job.req = *req;
	relay_ask(&job->job, then);
}

struct upload_file *upload_by_path(const struct upload *upload,
				   const char *path)
{
	struct upload_file *file = upload->files;

	while (file && (file->published || (strcmp(file->asked, path) != 0 &&
					    strcmp(file->target, path) != 0)))
		file = file->next;
	return file;
}

static struct upload_file *by_fh(const struct upload *upload, csftp_fh fh)
{
	struct upload_file *file = upload->files;

	while (file && file->fh != fh)
		file = file->next;
	return file;
}

static void take_out(struct upload *upload, const struct upload_file *file)
{
	struct upload_file **at = &upload->files;

	while (*at != file)
		at = &(*at)->next;
	*at = file->next;
}

void upload_hold(struct upload_job *job, struct upload_file *file)
{
	job->file = file;
	file->holds++;
}

void upload_let_go(struct upload_job *job)
{
	if (job->file && --job->file->holds == 0)
		free(job->file);
	job->file = NULL;
}

void upload_answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	upload_let_go(job);
	relay_answer(&job->job, reply);
}

static struct upload_job *job_for(struct csftp_fs *fs, struct csftp_req *req,
				  struct upload_file *file)
{
	struct upload_job *job =
		(struct upload_job *)relay_take((struct relay *)fs, req);

	if (!job)
		return NULL;
	upload_hold(job, file);
	job->err = 0;
	job->forced =
		req->op == CSFTP_OP_CLOSE && (req->flags & CSFTP_FORCED) != 0;
	return job;
}

static void closed_all(struct upload_job *job)
{
	upload_let_go(job);
	relay_answer_err(&job->job, job->err);
}

static void removed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* what is wrong with the file is known already */
	closed_all((struct upload_job *)req);
}

static void leave(struct upload_job *job)
{
	const struct upload *upload = (const struct upload *)job->job.relay;

	if (upload->config.keep_partial)
		closed_all(job);
	else
		upload_ask(job,
			   &(struct csftp_req){.op = CSFTP_OP_UNLINK,
					       .path = job->file->temp},
			   removed);
}

static void renamed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	job->err = reply->err;
	if (job->err == 0)
		closed_all(job);
	else
		leave(job);
}

static void publish(struct upload_job *job, upload_step *then)
{
	const struct upload_file *file = job->file;

	upload_ask(job,
		   &(struct csftp_req){
			   .op = CSFTP_OP_RENAME,
			   .flags = file->exclusive ? 0 : CSFTP_REPLACE,
			   .path = file->temp,
			   .path2 = file->target,
		   },
		   then);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	job->err = reply->err != 0 ? reply->err : job->file->err;
	if (job->file->published)
		closed_all(job);
	else if (job->err != 0 || job->forced)
		leave(job);
	else
		publish(job, renamed);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *req)
{
	struct upload *upload = (struct upload *)fs;
	struct upload_file *file = by_fh(upload, req->fh);
	struct upload_job *job;

	if (!file) {
		relay_pass(fs, req);
		return;
	}
	job = job_for(fs, req, file);
	if (!job)
		return;
	take_out(upload, file);
	file->holds--; /* the handle's; the job has its own */
	relay_ask(&job->job, closed);
}

static void written(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	if (job->file->err == 0)
		job->file->err = reply->err;
	upload_answered(req, reply);
}

static void op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	csftp_fh fh = req->op == CSFTP_OP_WRITE ? req->fh : req->fh2;
	struct upload_file *file = by_fh((struct upload *)fs, fh);
	struct upload_job *job;

	if (!file) {
		relay_pass(fs, req);
		return;
	}
	job = job_for(fs, req, file);
	if (job)
		relay_ask(&job->job, written);
}

/* It may have got its name, or have gone, before this was its turn. */
static void attr_answered(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	if (reply->err != ENOENT) {
		upload_answered(req, reply);
		return;
	}
	job->job.req = *job->job.asked;
	relay_ask(&job->job, upload_answered);
}

/* GETATTR and SETATTR by the path of an upload are about the hidden file. */
static void op_attr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct upload *upload = (struct upload *)fs;
	struct upload_file *file =
		req->path ? upload_by_path(upload, req->path) : NULL;
	struct upload_job *job;

	if (!file) {
		relay_pass(fs, req);
		return;
	}
	job = job_for(fs, req, file);
	if (!job)
		return;
	job->job.req.path = file->temp;
	relay_ask(&job->job, attr_answered);
}

static void published(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct upload_job *job = (struct upload_job *)req;

	if (reply->err != 0) {
		upload_answered(req, reply);
		return;
	}
	job->file->published = true;
	job->job.req = *job->job.asked;
	relay_ask(&job->job, upload_answered);
}

/* RENAME, LINK and UNLINK: whoever uses the name is done with the upload. */
static void op_name(struct csftp_fs *fs, struct csftp_req *req)
{
	struct upload_file *file =
		upload_by_path((struct upload *)fs, req->path);
	struct upload_job *job;

	if (!file) {
		relay_pass(fs, req);
		return;
	}
	job = job_for(fs, req, file);
	if (job)
		publish(job, published);
}

enum csftp_err upload_new(struct csftp_fs **out,
			  const struct upload_config *config)
{
	struct upload *upload = calloc(1, sizeof(*upload));
	struct csftp_fs_ops *ops;

	if (!upload)
		return CSFTP_ERR_NOMEM;
	upload->config = *config;
	relay_init(&upload->relay, config->under, sizeof(struct upload_job),
		   relay_pass);
	ops = &upload->relay.ops;
	ops->op[CSFTP_OP_OPEN] = upload_open;
	ops->op[CSFTP_OP_CLOSE] = op_close;
	ops->op[CSFTP_OP_WRITE] = op_write;
	ops->op[CSFTP_OP_COPY_RANGE] = op_write;
	ops->op[CSFTP_OP_GETATTR] = op_attr;
	ops->op[CSFTP_OP_SETATTR] = op_attr;
	ops->op[CSFTP_OP_RENAME] = op_name;
	ops->op[CSFTP_OP_LINK] = op_name;
	ops->op[CSFTP_OP_UNLINK] = op_name;
	*out = &upload->relay.fs;
	return CSFTP_OK;
}

void upload_free(struct csftp_fs *fs)
{
	struct upload *upload = (struct upload *)fs;

	if (!upload)
		return;
	while (upload->files) {
		struct upload_file *file = upload->files;

		upload->files = file->next;
		free(file);
	}
	relay_release(&upload->relay);
	free(upload);
}
