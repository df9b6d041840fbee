#include "core/layer/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/fhmap.h"
#include "core/layer/relay.h"

struct watched {
	struct fhmap_entry entry; /* first */
	char *path;
	size_t room; /* bytes at path */
	bool directory;
	uint64_t read;
	uint64_t written;
};

struct watch_job {
	struct relay_job job; /* first */
	struct watched *opening;
	uint64_t start_us;
	uint64_t names;
};

struct watch {
	struct relay relay; /* first */
	struct watch_config config;
	struct fhmap handles;
};

static uint64_t now(const struct watch *watch)
{
	return watch->config.clock_us
		       ? watch->config.clock_us(watch->config.arg)
		       : 0;
}

static struct watched *handle_of(const struct watch *watch, csftp_fh fh)
{
	return (struct watched *)fhmap_find(&watch->handles, fh);
}

const char *watch_path(const struct csftp_fs *fs, csftp_fh fh)
{
	const struct watched *handle = handle_of((const struct watch *)fs, fh);

	return handle ? handle->path : NULL;
}

/* The room of a handle that was closed does for most that come later. */
static bool remember(struct watched *handle, const struct csftp_req *req)
{
	size_t size = strlen(req->path) + 1;

	if (handle->room < size) {
		char *path = realloc(handle->path, size);

		if (!path)
			return false;
		handle->path = path;
		handle->room = size;
	}
	memcpy(handle->path, req->path, size);
	handle->directory = req->op == CSFTP_OP_OPENDIR;
	handle->read = 0;
	handle->written = 0;
	return true;
}

static uint64_t moved(const struct watch_job *job,
		      const struct csftp_reply *reply)
{
	if (reply->err != 0)
		return 0;
	if (job->job.req.op == CSFTP_OP_READ)
		return reply->data.len;
	if (job->job.req.op == CSFTP_OP_WRITE)
		return job->job.req.len;
	if (job->job.req.op == CSFTP_OP_COPY_RANGE)
		return reply->count;
	return job->names;
}

static void add_up(struct watched *from, struct watched *to,
		   const struct watch_event *event)
{
	if (from && event->req->op != CSFTP_OP_WRITE)
		from->read += event->count;
	if (to)
		to->written += event->count;
}

/* Which handles it was about, and what that does to their sums. */
static void tell(struct watch *watch, struct watch_event *event)
{
	const struct csftp_req *req = event->req;
	struct watched *handle = NULL;
	struct watched *handle2 = NULL;

	event->path = req->path;
	event->path2 = req->path2;
	if (!req->path && req->op != CSFTP_OP_IDNAME)
		handle = handle_of(watch, req->fh);
	if (req->op == CSFTP_OP_COPY_RANGE)
		handle2 = handle_of(watch, req->fh2);
	if (handle)
		event->path = handle->path;
	if (handle2)
		event->path2 = handle2->path;
	if (req->op == CSFTP_OP_WRITE)
		add_up(NULL, handle, event);
	else if (req->op == CSFTP_OP_READ || req->op == CSFTP_OP_COPY_RANGE)
		add_up(handle, handle2, event);
	if (handle) {
		event->directory = handle->directory;
		event->read = handle->read;
		event->written = handle->written;
	}
	watch->config.finished(watch->config.arg, event);
}

static void opened(struct watch *watch, struct watch_job *job,
		   const struct csftp_reply *reply)
{
	if (reply->err == 0)
		fhmap_put(&watch->handles, &job->opening->entry, reply->fh);
	else
		fhmap_give_back(&watch->handles, &job->opening->entry);
	job->opening = NULL;
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct watch_job *job = (struct watch_job *)req;
	struct watch *watch = (struct watch *)job->job.relay;
	struct watch_event event = {
		.req = job->job.asked,
		.reply = reply,
		.count = moved(job, reply),
		.start_us = job->start_us,
		.end_us = now(watch),
	};

	if (job->opening)
		opened(watch, job, reply);
	tell(watch, &event);
	/* Only now, as a READ that was asked for before tells its path, too. */
	if (req->op == CSFTP_OP_CLOSE)
		fhmap_remove(&watch->handles, req->fh);
	relay_answer(&job->job, reply);
}

static bool count_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct watch_job *job = (struct watch_job *)req;

	if (!job->job.asked->entry(job->job.asked, entry))
		return false;
	job->names++;
	return true;
}

static bool prepare_open(struct watch *watch, struct watch_job *job)
{
	job->opening = (struct watched *)fhmap_take(&watch->handles);
	if (!job->opening)
		return false;
	if (remember(job->opening, &job->job.req))
		return true;
	fhmap_give_back(&watch->handles, &job->opening->entry);
	job->opening = NULL;
	return false;
}

static void ask(struct csftp_fs *fs, struct csftp_req *req)
{
	struct watch *watch = (struct watch *)fs;
	struct watch_job *job =
		(struct watch_job *)relay_take(&watch->relay, req);
	int refused = 0;

	if (!job)
		return;
	job->start_us = now(watch);
	job->names = 0;
	job->opening = NULL;
	if (req->entry)
		job->job.req.entry = count_entry;
	if (watch->config.admit && req->op != CSFTP_OP_CLOSE)
		refused = watch->config.admit(watch->config.arg, req);
	if (refused == 0 &&
	    (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR) &&
	    !prepare_open(watch, job))
		refused = ENOMEM;
	if (refused == 0)
		relay_ask(&job->job, done);
	else
		done(&job->job.req, &(struct csftp_reply){.err = refused});
}

enum csftp_err watch_new(struct csftp_fs **out,
			 const struct watch_config *config)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return CSFTP_ERR_NOMEM;
	watch->config = *config;
	watch->handles.entry_size = sizeof(struct watched);
	relay_init(&watch->relay, config->under, sizeof(struct watch_job), ask);
	*out = &watch->relay.fs;
	return CSFTP_OK;
}

static void drop(struct fhmap_entry *entry)
{
	free(((struct watched *)entry)->path);
}

void watch_free(struct csftp_fs *fs)
{
	struct watch *watch = (struct watch *)fs;

	if (!watch)
		return;
	fhmap_release(&watch->handles, drop);
	relay_release(&watch->relay);
	free(watch);
}
