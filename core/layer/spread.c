#include "core/layer/spread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/spread_impl.h"

#define OPEN_CHANGES                                                           \
	(CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_CREAT |             \
	 CSFTP_OPEN_TRUNC)

/* Who was held before is behind those alone who were before it. */
enum attempt { FIRST, AGAIN };

static struct handle *handle_of(const struct spread *spread, csftp_fh number)
{
	struct handle *handle = NULL;

	HASH_FIND(hh, spread->handles, &number, sizeof(number), handle);
	return handle;
}

bool spread_has(const struct spread *spread, csftp_fh number)
{
	return handle_of(spread, number) != NULL;
}

/* NULL: no memory. */
static struct handle *handle_new(struct spread *spread, const char *path)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->path = malloc(strlen(path) + 1);
	handle->number = ++spread->last_number;
	if (handle->path) {
		memcpy(handle->path, path, strlen(path) + 1);
		HASH_ADD(hh, spread->handles, number, sizeof(handle->number),
			 handle);
	}
	if (handle->path && handle->hh.tbl)
		return handle;
	free(handle->path);
	free(handle);
	return NULL;
}

static void handle_free(struct spread *spread, struct handle *handle)
{
	if (handle->is_file)
		spread->lane[handle->lane].open--;

	HASH_DELETE(hh, spread->handles, handle);
	stripe_free(handle);
	free(handle->path);
	free(handle);
}

/* Behind `above` in `path`: "" or "/..."; NULL: it is not above it. */
static const char *below(const char *path, const char *above)
{
	size_t len = strlen(above);

	while (len > 0 && above[len - 1] == '/')
		len--;
	if (strncmp(path, above, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

static bool touches(const char *a, const char *b)
{
	return a && b && (below(a, b) || below(b, a));
}

/* SYMLINK's is a text. */
static const char *second_path(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_SYMLINK ? NULL : req->path2;
}

/* Whether the job may change what is at the path. */
static bool may_change(const struct spread_job *job, const char *path)
{
	const struct csftp_req *asked = job->job.asked;

	if (!job->changes)
		return false;
	if (job->handle && job->handle->path &&
	    touches(job->handle->path, path))
		return true;
	return touches(asked->path, path) || touches(second_path(asked), path);
}

uint32_t spread_both(uint32_t a, uint32_t b)
{
	if (a == ANY || a == b)
		return b;
	return b == ANY ? a : MANY;
}

static bool is_among(const struct spread *spread, const struct csftp_req *list,
		     const char *path, csftp_fh number)
{
	for (const struct csftp_req *req = list; req; req = req->next) {
		const struct handle *handle =
			req->path ? NULL : handle_of(spread, req->fh);

		if (touches(req->path, path) ||
		    touches(second_path(req), path) ||
		    (handle && touches(handle->path, path)) ||
		    (!req->path && number && req->fh == number))
			return true;
	}
	return false;
}

/* Whether somebody waits already whom this must not overtake. */
static bool is_behind(const struct spread *spread, enum attempt attempt,
		      const char *path, csftp_fh number)
{
	return is_among(spread, spread->held, path, number) ||
	       (attempt == FIRST &&
		is_among(spread, spread->again, path, number));
}

uint32_t spread_lane_of_path(const struct spread *spread, const char *path,
			     const struct handle *but)
{
	uint32_t lane = ANY;

	for (const struct relay_job *job = spread->relay.busy; path && job;
	     job = job->next) {
		const struct spread_job *other = (const struct spread_job *)job;

		if ((!but || other->handle != but) && may_change(other, path))
			lane = spread_both(lane, other->lane);
	}
	return lane;
}

/* A WRITE on one of several lanes, which whoever only asks may overtake. */
static bool is_striped_write(const struct spread_job *job)
{
	return job->handle && job->handle->stripe &&
	       job->job.req.op == CSFTP_OP_WRITE;
}

/* Where what is asked of a path has to go. */
static uint32_t lane_of_path(const struct spread *spread, const char *path,
			     bool changes)
{
	uint32_t lane = ANY;

	for (const struct relay_job *job = spread->relay.busy; path && job;
	     job = job->next) {
		const struct spread_job *other = (const struct spread_job *)job;

		if (may_change(other, path) &&
		    (changes || !is_striped_write(other)))
			lane = spread_both(lane, other->lane);
	}
	return lane;
}

static uint32_t lane_of_open_path(const struct spread *spread, const char *path)
{
	for (const struct handle *handle = spread->handles; handle;
	     handle = handle->hh.next) {
		if (handle->is_file && handle->path &&
		    !strcmp(handle->path, path))
			return handle->lane;
	}
	return ANY;
}

/* The first lane has files only while it is alone. */
static uint32_t idlest(const struct spread *spread)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < spread->lanes; i++) {
		const struct lane *lane = &spread->lane[i];
		const struct lane *other = &spread->lane[best];

		if (best == 0 || lane->bytes < other->bytes ||
		    (lane->bytes == other->bytes && lane->open < other->open))
			best = i;
	}
	return best;
}

/* One more would be of use when those that there are are full. */
static void maybe_want(struct spread *spread)
{
	if (spread->wanting || spread->lanes >= spread->config.lanes_max ||
	    !spread->config.want)
		return;
	for (uint32_t i = spread->lanes > 1; i < spread->lanes; i++) {
		if (spread->lane[i].bytes < spread->config.full)
			return;
	}
	spread->wanting = true;
	spread->config.want(spread->config.arg);
}

static bool is_change(const struct csftp_req *req)
{
	switch (req->op) {
	case CSFTP_OP_SETATTR:
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
	case CSFTP_OP_SYMLINK:
	case CSFTP_OP_LINK:
	case CSFTP_OP_RENAME:
	case CSFTP_OP_WRITE:
	case CSFTP_OP_CLOSE:
	case CSFTP_OP_COPY_RANGE:
		return true;
	case CSFTP_OP_OPEN:
		return req->flags & OPEN_CHANGES;
	case CSFTP_OP_GETATTR:
	case CSFTP_OP_READLINK:
	case CSFTP_OP_REALPATH:
	case CSFTP_OP_READ:
	case CSFTP_OP_FSYNC:
	case CSFTP_OP_OPENDIR:
	case CSFTP_OP_READDIR:
	case CSFTP_OP_STATFS:
	case CSFTP_OP_HOMEDIR:
	case CSFTP_OP_IDNAME:
	case CSFTP_OP_FLUSH:
	case CSFTP_OP_COUNT:
		break;
	}
	return false;
}

static uint64_t bytes_of(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_READ || req->op == CSFTP_OP_WRITE ? req->len
								     : 0;
}

/* The handle's file is called to and then rest, or nothing any more. */
static void set_path(struct handle *handle, const char *to, const char *rest)
{
	size_t len = to ? strlen(to) : 0;
	char *path = to ? malloc(len + strlen(rest) + 1) : NULL;

	if (path) {
		memcpy(path, to, len);
		memcpy(path + len, rest, strlen(rest) + 1);
	}
	free(handle->path);
	handle->path = path;
}

/* What is renamed takes open files with it; what is removed has no name. */
static void names_changed(struct spread *spread, const struct csftp_req *req)
{
	bool renamed = req->op == CSFTP_OP_RENAME;

	for (struct handle *handle = spread->handles; handle;
	     handle = handle->hh.next) {
		const char *rest;

		if (!handle->path)
			continue;
		rest = below(handle->path, req->path);
		if (rest && renamed)
			set_path(handle, req->path2, rest);
		else if (rest || (renamed && below(handle->path, req->path2)))
			set_path(handle, NULL, NULL);
	}
}

static void route(struct spread *spread, struct csftp_req *req,
		  enum attempt attempt);

/*
 * Those who waited, in their order; one by one, as whoever is answered may
 * cancel others.
 */
void spread_retry(struct spread *spread)
{
	spread->answered = true;
	if (spread->again)
		return;
	while (spread->answered && spread->held) {
		spread->answered = false;
		spread->again = spread->held;
		spread->held = NULL;
		while (spread->again) {
			struct csftp_req *req = spread->again;

			spread->again = req->next;
			route(spread, req, AGAIN);
		}
	}
}

static void handle_put(struct spread *spread, struct handle *handle)
{
	if (--handle->jobs == 0 && handle->closed)
		handle_free(spread, handle);
}

void spread_finish(struct spread_job *job, const struct csftp_reply *reply)
{
	struct spread *spread = (struct spread *)job->job.relay;
	struct handle *handle = job->handle;

	if (handle)
		handle_put(spread, handle);
	job->handle = NULL;
	job->changes = false;
	relay_answer(&job->job, reply);
	spread_retry(spread);
}

/* It goes there; everything in it but the handle is as it was asked. */
static void go(struct spread_job *job, uint32_t lane)
{
	struct spread *spread = (struct spread *)job->job.relay;
	const struct csftp_req *asked = job->job.asked;
	struct handle *handle = job->handle;

	job->lane = lane;
	if (handle && !asked->path)
		job->job.req.fh =
			handle->stripe ? stripe_fh(handle, lane) : handle->fh;
	if (handle && handle->stripe)
		stripe_sent(handle, lane);
	spread->lane[lane].bytes += bytes_of(asked);
	csftp_submit(spread->lane[lane].fs, &job->job.req);
}

/* True: it was asked again, of another lane on which the file is open. */
static bool goes_elsewhere(struct spread_job *job, int err)
{
	struct spread *spread = (struct spread *)job->job.relay;
	struct handle *handle = job->handle;
	uint32_t lane;

	if (err != ESTALE || !handle || !handle->stripe)
		return false;
	lane = stripe_drop(spread, handle, job->lane, &job->job.req);
	if (lane == ANY)
		return false;
	go(job, lane);
	return true;
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct spread_job *job = (struct spread_job *)req;
	struct spread *spread = (struct spread *)job->job.relay;
	struct handle *handle = job->handle;
	struct csftp_reply answer = *reply;
	bool opened = req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR;

	spread->lane[job->lane].bytes -= bytes_of(req);
	if (handle && handle->stripe)
		stripe_answered(handle, job->lane);
	if (goes_elsewhere(job, reply->err))
		return;
	spread->path_changes -= job->changes && req->path;
	if (!reply->err &&
	    (req->op == CSFTP_OP_RENAME || req->op == CSFTP_OP_UNLINK))
		names_changed(spread, req);
	if (!reply->err && job->changes && req->path && spread->config.changed)
		spread->config.changed(spread->config.arg,
				       spread->lane[job->lane].fs, req);
	if (opened && !reply->err) {
		handle->fh = reply->fh;
		answer.fh = handle->number;
	} else if (opened || req->op == CSFTP_OP_CLOSE) {
		handle->closed = true;
	}
	if (req->op == CSFTP_OP_CLOSE &&
	    stripe_keep_close(handle, job, reply->err))
		return;
	spread_finish(job, &answer);
}

/* False: there is no memory, and it was answered. */
static bool send(struct spread *spread, struct csftp_req *asked,
		 struct handle *handle, uint32_t lane)
{
	struct spread_job *job =
		(struct spread_job *)relay_take(&spread->relay, asked);

	if (!job)
		return false;
	job->handle = handle;
	job->changes = is_change(asked);
	job->job.req.done = done;
	if (handle)
		handle->jobs++;
	spread->path_changes += job->changes && asked->path;
	go(job, lane);
	return true;
}

static void hold(struct spread *spread, struct csftp_req *req)
{
	struct csftp_req **at = &spread->held;

	while (*at)
		at = &(*at)->next;
	req->next = NULL;
	*at = req;
}

static void send_open(struct spread *spread, struct csftp_req *req,
		      uint32_t lane)
{
	struct handle *handle;
	bool is_file = req->op == CSFTP_OP_OPEN;

	if (lane == ANY && is_file)
		lane = lane_of_open_path(spread, req->path);
	if (lane == ANY)
		lane = is_file ? idlest(spread) : 0;
	handle = handle_new(spread, req->path);
	if (!handle) {
		csftp_reply_err(req, ENOMEM);
		return;
	}
	handle->lane = lane;
	handle->flags = req->flags;
	handle->is_file = is_file;
	spread->lane[lane].open += is_file;
	if (!send(spread, req, handle, lane))
		handle_free(spread, handle);
}

static void submit_by_path(struct spread *spread, struct csftp_req *req,
			   enum attempt attempt)
{
	bool changes = is_change(req);
	uint32_t lane = lane_of_path(spread, req->path, changes);

	lane = spread_both(lane,
			   lane_of_path(spread, second_path(req), changes));
	if (lane == MANY || is_behind(spread, attempt, req->path, 0) ||
	    is_behind(spread, attempt, second_path(req), 0))
		hold(spread, req);
	else if (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR)
		send_open(spread, req, lane);
	else
		(void)send(spread, req, NULL, lane == ANY ? 0 : lane);
}

/*
 * Where a request about the handle goes; ANY: it must wait, as a change of its
 * path is under way elsewhere, or what is to be done before it.
 */
static uint32_t lane_of_handle(const struct spread *spread,
			       const struct handle *handle,
			       const struct csftp_req *req,
			       enum attempt attempt)
{
	uint32_t lane = ANY;

	if (is_behind(spread, attempt, handle->path, handle->number))
		return ANY;
	if (spread->path_changes > 0)
		lane = spread_lane_of_path(spread, handle->path,
					   handle->stripe ? handle : NULL);
	if (handle->stripe)
		return stripe_lane(spread, handle, req, lane);
	return lane == ANY || lane == handle->lane ? handle->lane : ANY;
}

static void submit_copy(struct spread *spread, struct csftp_req *req,
			enum attempt attempt)
{
	const struct handle *from = handle_of(spread, req->fh);
	struct handle *to = handle_of(spread, req->fh2);
	struct spread_job *job;
	uint32_t lane, to_lane;

	if (!from || !to || from->lane != to->lane) {
		csftp_reply_err(req, !from || !to ? EBADF : EOPNOTSUPP);
		return;
	}
	lane = lane_of_handle(spread, from, req, attempt);
	to_lane = lane_of_handle(spread, to, req, attempt);
	if (lane == ANY || to_lane == ANY) {
		hold(spread, req);
		return;
	}
	if (lane != from->lane || to_lane != to->lane) {
		csftp_reply_err(req, EOPNOTSUPP);
		return;
	}
	job = (struct spread_job *)relay_take(&spread->relay, req);
	if (!job)
		return;
	to->jobs++;
	job->handle = to;
	job->lane = to->lane;
	job->changes = true;
	job->job.req.done = done;
	job->job.req.fh = from->fh;
	job->job.req.fh2 = to->fh;
	if (to->stripe)
		stripe_sent(to, to->lane);
	csftp_submit(spread->lane[to->lane].fs, &job->job.req);
}

static void submit_by_handle(struct spread *spread, struct csftp_req *req,
			     enum attempt attempt)
{
	struct handle *handle = handle_of(spread, req->fh);
	uint64_t bytes = bytes_of(req);
	csftp_fh number = req->fh;
	uint32_t lane;

	if (!handle) {
		csftp_reply_err(req, EBADF);
		return;
	}
	lane = lane_of_handle(spread, handle, req, attempt);
	if (lane == ANY) {
		hold(spread, req);
		if (handle->stripe && req->op == CSFTP_OP_CLOSE)
			stripe_hurry(handle);
		return;
	}
	if (handle->stripe && req->op == CSFTP_OP_CLOSE)
		stripe_close(handle, lane);
	if (bytes == 0) {
		(void)send(spread, req, handle, lane);
		return;
	}
	handle->moved += bytes;
	if (!send(spread, req, handle, lane))
		return;
	maybe_want(spread);
	/* The request may have been answered, and the file been closed. */
	handle = handle_of(spread, number);
	if (handle)
		stripe_consider(spread, handle);
}

static void route(struct spread *spread, struct csftp_req *req,
		  enum attempt attempt)
{
	if (req->path || req->op == CSFTP_OP_IDNAME)
		submit_by_path(spread, req, attempt);
	else if (req->op == CSFTP_OP_COPY_RANGE)
		submit_copy(spread, req, attempt);
	else
		submit_by_handle(spread, req, attempt);
}

static void submit(struct csftp_fs *fs, struct csftp_req *req)
{
	route((struct spread *)fs, req, FIRST);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct spread *spread = (struct spread *)fs;
	struct relay_job *job = spread->relay.busy;

	if (relay_unlist(&spread->held, req) ||
	    relay_unlist(&spread->again, req)) {
		csftp_reply_err(req, EINTR);
		return;
	}
	while (job && job->asked != req)
		job = job->next;
	if (job)
		csftp_cancel(spread->lane[((struct spread_job *)job)->lane].fs,
			     &job->req);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return a < b ? a : b;
}

enum csftp_err spread_add(struct spread *spread, struct csftp_fs *lane)
{
	const struct csftp_fs *fs = &spread->relay.fs;

	if (spread->lanes >= spread->config.lanes_max ||
	    smaller(fs->max_read, lane->max_read) != fs->max_read ||
	    smaller(fs->max_write, lane->max_write) != fs->max_write)
		return CSFTP_ERR_ARG;
	spread->relay.fs.traits &= lane->traits;
	spread->lane[spread->lanes++] = (struct lane){.fs = lane};
	spread->wanting = false;
	return CSFTP_OK;
}

enum csftp_err spread_new(struct spread **out,
			  const struct spread_config *config)
{
	struct spread *spread;

	if (!config->first || config->lanes_max == 0 ||
	    config->lanes_max > SPREAD_LANES_MAX)
		return CSFTP_ERR_ARG;
	spread = calloc(1, sizeof(*spread));
	if (!spread)
		return CSFTP_ERR_NOMEM;
	relay_init(&spread->relay, config->first, sizeof(struct spread_job),
		   submit);
	spread->relay.ops.cancel = cancel;
	spread->config = *config;
	if (spread->config.full == 0)
		spread->config.full = SPREAD_FULL;
	if (spread->config.large == 0)
		spread->config.large = SPREAD_LARGE;
	spread->lane[0].fs = config->first;
	spread->lanes = 1;
	*out = spread;
	return CSFTP_OK;
}

void spread_free(struct spread *spread)
{
	if (!spread)
		return;
	while (spread->handles)
		handle_free(spread, spread->handles);
	relay_release(&spread->relay);
	free(spread);
}

struct csftp_fs *spread_fs(struct spread *spread)
{
	return &spread->relay.fs;
}

void spread_give_up(struct spread *spread)
{
	spread->config.lanes_max = spread->lanes;
}

uint32_t spread_lanes(const struct spread *spread)
{
	return spread->lanes;
}
