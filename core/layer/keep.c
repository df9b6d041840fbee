#include "core/layer/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/keep_impl.h"

#define FILE_MAX  (64U * 1024U)
#define BYTES_MAX (4U << 20)
#define FRESH_MS  1000U
#define AHEAD	  16U

/*
 * Handles
 */

static struct keep_handle *handle_of(const struct keep *keep, csftp_fh number)
{
	struct keep_handle *handle = NULL;

	HASH_FIND(hh, keep->handles, &number, sizeof(number), handle);
	return handle;
}

static struct keep_handle *handle_new(struct keep *keep, const char *path)
{
	size_t len = strlen(path) + 1;
	struct keep_handle *handle = calloc(1, sizeof(*handle) + len);

	if (!handle)
		return NULL;
	handle->keep = keep;
	handle->opened_ms = keep_now(keep);
	memcpy(handle->path, path, len);
	return handle;
}

/* False: no memory, and freed. */
static bool handle_add(struct keep_handle *handle, csftp_fh number)
{
	struct keep *keep = handle->keep;

	handle->number = number;
	HASH_ADD(hh, keep->handles, number, sizeof(handle->number), handle);
	if (handle->hh.tbl)
		return true;
	keep_data_drop(handle->data);
	free(handle);
	return false;
}

/* Nobody has it any more; it goes, or does with the answer to its request. */
static void handle_close(struct keep_handle *handle)
{
	HASH_DELETE(hh, handle->keep->handles, handle);
	handle->closed = true;
	if (handle->reading || handle->state == KEEP_OPENING)
		return;
	keep_data_drop(handle->data);
	free(handle);
}

/* They are done again, as things are by now. */
static void do_again(struct keep *keep, struct csftp_req *up)
{
	while (up) {
		struct csftp_req *next = up->next;

		csftp_submit(&keep->relay.fs, up);
		up = next;
	}
}

static void wake(struct keep_handle *handle)
{
	struct csftp_req *waiting = handle->waiting;

	handle->waiting = NULL;
	do_again(handle->keep, waiting);
}

static void wait_for(struct csftp_req **list, struct csftp_req *up)
{
	while (*list)
		list = &(*list)->next;
	up->next = NULL;
	*list = up;
}

/*
 * Files that are not open below
 */

static void closed_unused(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct keep_handle *handle = (struct keep_handle *)req;

	(void)reply; /* nothing was written that could be lost */
	handle->keep->pending--;
	keep_data_drop(handle->data);
	free(handle);
}

/* The user has closed it meanwhile. */
static void close_unused(struct keep_handle *handle)
{
	handle->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = closed_unused,
		.fh = handle->fh,
	};
	handle->keep->pending++;
	csftp_submit(handle->keep->relay.under, &handle->req);
}

/*
 * That the name has gone meanwhile is not for who has the file open.  What was
 * opened unasked is tried again when somebody asks.
 */
static void opened_late(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct keep_handle *handle = (struct keep_handle *)req;
	struct keep *keep = handle->keep;
	struct csftp_req *held = keep->held;

	keep->pending--;
	handle->fh = reply->fh;
	handle->err = reply->err == ENOENT ? ESTALE : reply->err;
	handle->state = reply->err ? KEEP_LOST : KEEP_OPENED;
	if (reply->err && handle->unasked && !handle->waiting)
		handle->state = KEEP_OURS;
	keep->held = NULL;
	if (!handle->closed) {
		wake(handle);
	} else if (reply->err) {
		keep_data_drop(handle->data);
		free(handle);
	} else {
		close_unused(handle);
	}
	do_again(keep, held);
}

static void open_late(struct keep_handle *handle, bool unasked)
{
	handle->state = KEEP_OPENING;
	handle->unasked = unasked;
	handle->keep->pending++;
	handle->req = (struct csftp_req){
		.op = CSFTP_OP_OPEN,
		.done = opened_late,
		.path = handle->path,
		.flags = CSFTP_OPEN_READ,
	};
	csftp_submit(handle->keep->relay.under, &handle->req);
}

/* The first whose time has come; tick_ms is when that of the others is. */
static struct keep_handle *due(struct keep *keep)
{
	struct keep_handle *handle = keep->handles;

	keep->tick_ms = 0;
	for (; handle; handle = handle->hh.next) {
		uint64_t at = handle->opened_ms + keep->config.fresh_ms + 1;

		if (handle->state != KEEP_OURS || handle->unasked)
			continue;
		if (at <= keep_now(keep))
			return handle;
		if (keep->tick_ms == 0 || at < keep->tick_ms)
			keep->tick_ms = at;
	}
	return NULL;
}

uint64_t keep_tick(struct keep *keep)
{
	struct keep_handle *handle;

	if (keep->quiet)
		keep->tick_ms = 0;
	if (keep->tick_ms == 0 || keep_now(keep) < keep->tick_ms)
		return keep->tick_ms;
	/* Anything may happen with the answer. */
	while ((handle = due(keep)) != NULL)
		open_late(handle, true);
	return keep->tick_ms;
}

static void pass_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

/* Passes it on with the handles of the file system below in it. */
static void pass_down(struct keep *keep, struct csftp_req *up)
{
	const struct keep_handle *one = handle_of(keep, up->fh);
	const struct keep_handle *two = NULL;
	struct relay_job *job = relay_take(&keep->relay, up);

	if (!job)
		return;
	if (up->op == CSFTP_OP_COPY_RANGE)
		two = handle_of(keep, up->fh2);
	if (one)
		job->req.fh = one->fh;
	if (two)
		job->req.fh2 = two->fh;
	relay_ask(job, pass_up);
}

/* True: it waits for the file to be opened, or has been answered. */
static bool is_ours(struct keep *keep, csftp_fh number, struct csftp_req *up)
{
	struct keep_handle *handle = handle_of(keep, number);

	if (!handle || handle->state == KEEP_REAL ||
	    handle->state == KEEP_OPENED)
		return false;
	if (handle->state == KEEP_LOST) {
		csftp_reply_err(up, handle->err);
		return true;
	}
	wait_for(&handle->waiting, up);
	if (handle->state == KEEP_OURS)
		open_late(handle, false);
	return true;
}

static void op_by_handle(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;

	if (up->path || (!(up->fh & KEEP_OWN) && !(up->fh2 & KEEP_OWN))) {
		relay_pass(fs, up);
		return;
	}
	if (is_ours(keep, up->fh, up) ||
	    (up->op == CSFTP_OP_COPY_RANGE && is_ours(keep, up->fh2, up)))
		return;
	pass_down(keep, up);
}

/*
 * Changes
 */

/* A file there that is not open below, or NULL. */
static struct keep_handle *unopened_in(const struct keep *keep, const char *top,
				       enum keep_state state)
{
	struct keep_handle *handle = keep->handles;

	while (handle &&
	       (handle->state != state || !relay_is_in(handle->path, top)))
		handle = handle->hh.next;
	return handle;
}

/* True: files have to be opened before what is at top or below can change. */
static bool disturb(struct keep *keep, const char *top)
{
	struct keep_handle *handle = keep->handles;

	keep_drop_in(keep, top);
	for (; handle; handle = handle->hh.next) {
		if (relay_is_in(handle->path, top))
			handle->stale = true;
	}
	handle = unopened_in(keep, top, KEEP_OURS);
	while (handle) {
		open_late(handle, false);
		handle = unopened_in(keep, top, KEEP_OURS);
	}
	return unopened_in(keep, top, KEEP_OPENING) != NULL;
}

/* Of a name that is another's, too, who knows of what. */
static const char *top_of(const char *path)
{
	return path[0] == '/' ? path : NULL;
}

static void op_change(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;
	const struct keep_handle *handle;
	bool wait = false;

	if (up->path) {
		wait = disturb(keep, top_of(up->path));
	} else {
		handle = handle_of(keep, up->fh);
		wait = handle && disturb(keep, handle->path);
	}
	if (up->op == CSFTP_OP_RENAME && disturb(keep, top_of(up->path2)))
		wait = true;
	if (wait)
		wait_for(&keep->held, up);
	else
		op_by_handle(fs, up);
}

/*
 * Opening
 */

/* False: no memory. */
static bool open_ours(struct keep *keep, const struct keep_file *file,
		      csftp_fh *number)
{
	struct keep_handle *handle = handle_new(keep, file->path);

	if (!handle)
		return false;
	handle->state = KEEP_OURS;
	if (keep->tick_ms == 0)
		keep->tick_ms = handle->opened_ms + keep->config.fresh_ms + 1;
	handle->attr = file->attr;
	handle->data = file->data;
	handle->data->refs++;
	*number = KEEP_OWN | ++keep->last_number;
	return handle_add(handle, *number);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	struct keep *keep = (struct keep *)job->relay;
	struct keep_handle *handle = NULL;

	if (!reply->err && !keep->quiet)
		handle = handle_new(keep, req->path);
	/* Without memory it is a handle that nobody watches. */
	if (handle) {
		handle->fh = reply->fh;
		(void)handle_add(handle, reply->fh);
	}
	relay_answer(job, reply);
}

static void open_below(struct keep *keep, struct csftp_req *up)
{
	struct relay_job *job = relay_take(&keep->relay, up);

	if (job)
		relay_ask(job, opened);
}

/* True: it was answered. */
static bool open_kept(struct keep *keep, struct keep_file *file,
		      struct csftp_req *up)
{
	csftp_fh number = 0;

	if (!open_ours(keep, file, &number))
		return false;
	file->ahead = false;
	keep->counts.opened++;
	csftp_reply_fh(up, number);
	return true;
}

void keep_open_checked(struct keep *keep, struct csftp_req *up,
		       uint64_t since_ms)
{
	struct keep_file *file = NULL;

	if (keep_look(keep, up->path, since_ms, &file) != KEEP_GOOD ||
	    !open_kept(keep, file, up))
		open_below(keep, up);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;
	struct keep_file *file = NULL;

	if (up->flags != CSFTP_OPEN_READ) {
		op_change(fs, up);
		return;
	}
	if (keep->quiet ||
	    keep_look(keep, up->path, KEEP_NOT_ASKED, &file) != KEEP_CHECK)
		keep_open_checked(keep, up, KEEP_NOT_ASKED);
	else
		keep_check(keep, file, up);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;
	struct keep_handle *handle = handle_of(keep, up->fh);
	struct relay_job *job;

	if (handle && handle->waiting) {
		wait_for(&handle->waiting, up);
		return;
	}
	if (handle && handle->state != KEEP_REAL &&
	    handle->state != KEEP_OPENED) {
		handle_close(handle);
		csftp_reply_err(up, 0);
		return;
	}
	job = handle ? relay_take(&keep->relay, up) : NULL;
	if (!job) {
		if (!handle)
			relay_pass(fs, up);
		return;
	}
	job->req.fh = handle->fh;
	handle_close(handle);
	relay_ask(job, pass_up);
}

/*
 * Content and attributes
 */

/*
 * Of a file that is open below only the server knows where it ends: it may have
 * had that size just before it was opened.
 */
static void serve(const struct keep_handle *handle, struct csftp_req *up)
{
	const struct keep_data *data = handle->data;
	uint64_t off = up->off < data->len ? up->off : data->len;
	uint64_t len = data->len - off < up->len ? data->len - off : up->len;

	csftp_reply(up,
		    &(struct csftp_reply){.data = {data->bytes + off, len},
					  .eof = handle->state == KEEP_OURS &&
						 off + len == data->len});
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct keep_handle *handle = (struct keep_handle *)req;
	struct keep *keep = handle->keep;
	size_t len = reply->data.len;

	keep->pending--;
	handle->reading = false;
	/* It is another one than its name was held to be. */
	if (!reply->err && len > handle->data->len)
		handle->stale = true;
	if (!reply->err && len == handle->data->len) {
		if (reply->data.ptr != handle->data->bytes)
			memcpy(handle->data->bytes, reply->data.ptr, len);
		keep_learn(keep, handle);
	} else {
		keep_data_drop(handle->data);
		handle->data = NULL;
	}
	if (!handle->closed) {
		wake(handle);
		return;
	}
	keep_data_drop(handle->data);
	free(handle);
}

/* A file that is small, and of which it is known what it was before. */
static bool can_read_all(const struct keep_handle *handle,
			 const struct csftp_attr *attr)
{
	return attr && (attr->mask & CSFTP_ATTR_SIZE) &&
	       (attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFREG && attr->size > 0 &&
	       attr->size <= handle->keep->config.file_max && !handle->stale;
}

/* False: only what was asked for is to be read. */
static bool read_all(struct keep_handle *handle)
{
	struct keep *keep = handle->keep;
	uint64_t age_ms = 0;
	const struct csftp_attr *attr =
		cache_known_attr(keep->config.cache, handle->path, &age_ms);
	bool one_more;

	if (handle->tried || keep->quiet || !can_read_all(handle, attr))
		return false;
	handle->tried = true;
	handle->data = keep_data_new(keep, (uint32_t)attr->size);
	if (!handle->data)
		return false;
	/* That there is none shows that it is the file that is known. */
	one_more = keep->config.under->max_read != attr->size;
	handle->attr = *attr;
	handle->read_ms = keep_now(keep);
	handle->seen_ms = handle->read_ms - age_ms;
	handle->reading = true;
	keep->pending++;
	handle->req = (struct csftp_req){
		.op = CSFTP_OP_READ,
		.done = was_read,
		.fh = handle->fh,
		.len = handle->data->len + (one_more ? 1 : 0),
		.into = handle->data->bytes,
	};
	return true;
}

/* Whoever reads behind what has come is told by the server where the end is. */
static void read_real(struct keep_handle *handle, struct csftp_req *up)
{
	struct keep *keep = handle->keep;

	if (handle->reading) {
		wait_for(&handle->waiting, up);
	} else if (handle->data && !handle->stale &&
		   up->off < handle->data->len &&
		   keep_is_fresh(keep, handle->read_ms)) {
		serve(handle, up);
	} else if (up->off < keep->config.file_max && read_all(handle)) {
		wait_for(&handle->waiting, up);
		csftp_submit(keep->relay.under, &handle->req);
	} else {
		relay_pass(&keep->relay.fs, up);
	}
}

static void op_read(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;
	struct keep_handle *handle = handle_of(keep, up->fh);

	if (!handle)
		relay_pass(fs, up);
	else if (handle->state == KEEP_REAL)
		read_real(handle, up);
	else if (handle->state == KEEP_OURS && !handle->stale &&
		 keep_is_fresh(keep, handle->opened_ms))
		serve(handle, up);
	else
		op_by_handle(fs, up);
}

/*
 * Who has just opened a file is told what was learned of its name then; later
 * that could be another's.
 */
static const struct csftp_attr *attr_of(struct keep *keep,
					const struct csftp_req *up)
{
	const struct keep_handle *handle = handle_of(keep, up->fh);
	const struct csftp_attr *attr;
	uint64_t age_ms = 0;

	if (!handle || handle->stale || !keep_is_fresh(keep, handle->opened_ms))
		return NULL;
	if (handle->state == KEEP_OURS)
		return &handle->attr;
	if (up->flags & CSFTP_SYNC)
		return NULL;
	attr = cache_known_attr(keep->config.cache, handle->path, &age_ms);
	return attr && age_ms <= keep->config.fresh_ms ? attr : NULL;
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *up)
{
	const struct csftp_attr *attr =
		up->path ? NULL : attr_of((struct keep *)fs, up);

	if (attr)
		csftp_reply_attr(up, attr);
	else
		op_by_handle(fs, up);
}

static bool unlist(struct keep *keep, struct csftp_req *up)
{
	struct keep_handle *handle = keep->handles;

	if (relay_unlist(&keep->held, up) || keep_check_cancel(keep, up))
		return true;
	for (; handle; handle = handle->hh.next) {
		if (relay_unlist(&handle->waiting, up))
			return true;
	}
	return false;
}

/* A CLOSE waits as long as its handle is known here; it is done in any case. */
static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct keep *keep = (struct keep *)fs;

	if (up->op == CSFTP_OP_CLOSE && handle_of(keep, up->fh))
		return;
	if (unlist(keep, up))
		csftp_reply_err(up, EINTR);
	else
		keep->cancel(fs, up);
}

static void set_ops(struct keep *keep)
{
	struct csftp_fs_ops *ops = &keep->relay.ops;

	keep->cancel = ops->cancel;
	ops->cancel = cancel;
	ops->op[CSFTP_OP_OPEN] = op_open;
	ops->op[CSFTP_OP_CLOSE] = op_close;
	ops->op[CSFTP_OP_READ] = op_read;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
	ops->op[CSFTP_OP_SETATTR] = op_change;
	ops->op[CSFTP_OP_UNLINK] = op_change;
	ops->op[CSFTP_OP_RMDIR] = op_change;
	ops->op[CSFTP_OP_RENAME] = op_change;
	ops->op[CSFTP_OP_LINK] = op_change;
	ops->op[CSFTP_OP_WRITE] = op_by_handle;
	ops->op[CSFTP_OP_FSYNC] = op_by_handle;
	ops->op[CSFTP_OP_FLUSH] = op_by_handle;
	ops->op[CSFTP_OP_STATFS] = op_by_handle;
	ops->op[CSFTP_OP_READDIR] = op_by_handle;
	ops->op[CSFTP_OP_COPY_RANGE] = op_by_handle;
}

static uint32_t otherwise(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

enum csftp_err keep_new(struct keep **out, const struct keep_config *config)
{
	struct keep *keep;
	uint32_t largest;

	if (!config->under || !config->cache || !config->now_ms)
		return CSFTP_ERR_ARG;
	keep = calloc(1, sizeof(*keep));
	if (!keep)
		return CSFTP_ERR_NOMEM;
	keep->config = *config;
	keep->config.file_max = otherwise(config->file_max, FILE_MAX);
	keep->config.bytes_max = otherwise(config->bytes_max, BYTES_MAX);
	keep->config.fresh_ms = otherwise(config->fresh_ms, FRESH_MS);
	keep->config.ahead = otherwise(config->ahead, AHEAD);
	largest = config->under->max_read;
	if (largest > 0 && largest < keep->config.file_max)
		keep->config.file_max = largest;
	relay_init(&keep->relay, config->under, sizeof(struct relay_job),
		   relay_pass);
	set_ops(keep);
	*out = keep;
	return CSFTP_OK;
}

void keep_free(struct keep *keep)
{
	if (!keep)
		return;
	/* They are the users', who were to close them. */
	while (keep->handles)
		handle_close(keep->handles);
	keep_drop_in(keep, NULL);
	relay_release(&keep->relay);
	free(keep);
}

struct csftp_fs *keep_fs(struct keep *keep)
{
	return &keep->relay.fs;
}

uint32_t keep_pending(const struct keep *keep)
{
	return keep->pending;
}

void keep_quiet(struct keep *keep)
{
	keep->quiet = true;
}

struct keep_counts keep_counts(const struct keep *keep)
{
	return keep->counts;
}
