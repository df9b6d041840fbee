#include "core/layer/writebehind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/writebehind_impl.h"

#define BYTES_MAX    (64U << 20)
#define WINDOW_FIRST (2U << 20)

/* A WRITE below, where the file system there does not limit it. */
#define PIECE_MAX (256U * 1024U)

/* Steps that there may be in any case, however little bytes_max is. */
#define STEPS_LEAST 16U

/*
 * Files and handles
 */

struct wb_handle *wb_handle_of(const struct writebehind *wb, csftp_fh fh)
{
	struct wb_handle *handle = NULL;

	HASH_FIND(hh, wb->handles, &fh, sizeof(fh), handle);
	return handle;
}

struct wb_file *wb_file_at(const struct writebehind *wb, const char *path)
{
	struct wb_file *file = NULL;

	if (wb->files)
		HASH_FIND(hh, wb->files, path, strlen(path), file);
	return file;
}

void wb_file_pin(struct wb_file *file)
{
	file->pins++;
}

/* It keeps its path, for messages. */
static void forget_name(struct writebehind *wb, struct wb_file *file)
{
	if (file->named)
		HASH_DELETE(hh, wb->files, file);
	file->named = false;
}

void wb_file_unpin(struct writebehind *wb, struct wb_file *file)
{
	if (--file->pins > 0)
		return;
	forget_name(wb, file);
	free(file->path);
	free(file);
}

static void give_name(struct writebehind *wb, struct wb_file *file)
{
	HASH_ADD_KEYPTR(hh, wb->files, file->path, strlen(file->path), file);
	/* uthash leaves one out that it has no memory for. */
	file->named = file->hh.tbl != NULL;
}

/* The file of that path, made if need be; NULL: no memory. */
static struct wb_file *file_make(struct writebehind *wb, const char *path)
{
	struct wb_file *file = wb_file_at(wb, path);

	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (file)
		file->path = malloc(strlen(path) + 1);
	if (!file || !file->path) {
		free(file);
		return NULL;
	}
	memcpy(file->path, path, strlen(path) + 1);
	give_name(wb, file);
	if (file->named)
		return file;
	free(file->path);
	free(file);
	return NULL;
}

void wb_handle_unpin(struct writebehind *wb, struct wb_handle *handle)
{
	if (--handle->pins > 0)
		return;
	if (handle->file)
		wb_file_unpin(wb, handle->file);
	free(handle->dir);
	free(handle);
}

/*
 * Names
 */

/* path becomes to, or what lies below it follows; NULL: no memory. */
static char *moved_path(const char *path, const char *from, const char *to)
{
	size_t rest = strlen(path) - strlen(from);
	char *moved = malloc(strlen(to) + rest + 1);

	if (!moved)
		return NULL;
	memcpy(moved, to, strlen(to));
	memcpy(moved + strlen(to), path + strlen(from), rest + 1);
	return moved;
}

static void rename_file(struct writebehind *wb, struct wb_file *file,
			const char *from, const char *to)
{
	char *path = moved_path(file->path, from, to);

	forget_name(wb, file);
	if (!path)
		return;
	free(file->path);
	file->path = path;
	give_name(wb, file);
}

/* All whose names begin so lose them. */
static void forget_names(struct writebehind *wb, const char *top)
{
	struct wb_file *file = wb->files;

	while (file) {
		struct wb_file *next = file->hh.next;

		if (relay_is_in(file->path, top))
			forget_name(wb, file);
		file = next;
	}
}

/* path and all below it are found by other names from now on. */
static void move_names(struct writebehind *wb, const char *from, const char *to)
{
	struct wb_file *list = NULL;

	/* First all that are meant, as new names could look like old ones. */
	for (struct wb_file *file = wb->files; file; file = file->hh.next) {
		if (!relay_is_in(file->path, from))
			continue;
		file->moved = list;
		list = file;
	}
	for (; list; list = list->moved)
		rename_file(wb, list, from, to);
}

static void unlink_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;

	if (!reply->err)
		forget_names((struct writebehind *)job->relay, req->path);
	relay_answer(job, reply);
}

static void rename_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	struct writebehind *wb = (struct writebehind *)job->relay;

	if (!reply->err && strcmp(req->path, req->path2) != 0) {
		forget_names(wb, req->path2);
		move_names(wb, req->path, req->path2);
	}
	relay_answer(job, reply);
}

static void change_names(struct writebehind *wb, struct csftp_req *up)
{
	struct relay_job *job = relay_take(&wb->relay, up);

	if (job)
		relay_ask(job, up->op == CSFTP_OP_RENAME ? rename_done
							 : unlink_done);
}

/*
 * Opening and closing
 */

static void open_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct wb_job *job = (struct wb_job *)req;
	struct writebehind *wb = (struct writebehind *)job->job.relay;
	struct wb_handle *handle = job->handle;
	struct wb_file *file = handle->file;

	handle->fh = reply->fh;
	if (!reply->err)
		HASH_ADD(hh, wb->handles, fh, sizeof(handle->fh), handle);
	/* Without memory to find it by, it is served as it is. */
	if (reply->err || !handle->hh.tbl) {
		wb_handle_unpin(wb, handle);
	} else if (file) {
		if (handle->flags & CSFTP_OPEN_CREAT)
			file->creator = handle;
		if (handle->flags & CSFTP_OPEN_TRUNC) {
			file->floor = 0;
			file->known = false;
			file->changes++;
		}
	}
	relay_answer(&job->job, reply);
}

static struct wb_handle *handle_new(struct writebehind *wb,
				    const struct csftp_req *up)
{
	struct wb_handle *handle = calloc(1, sizeof(*handle));
	bool ok = false;

	if (!handle)
		return NULL;
	handle->pins = 1;
	if (up->op == CSFTP_OP_OPENDIR) {
		handle->dir = malloc(strlen(up->path) + 1);
		ok = handle->dir != NULL;
	} else {
		handle->flags = up->flags;
		handle->file = file_make(wb, up->path);
		ok = handle->file != NULL;
	}
	if (!ok) {
		free(handle);
		return NULL;
	}
	if (handle->file)
		wb_file_pin(handle->file);
	else
		memcpy(handle->dir, up->path, strlen(up->path) + 1);
	return handle;
}

static void open_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = handle_new(wb, up);
	struct wb_job *job;

	if (!handle) {
		csftp_reply_err(up, ENOMEM);
		return;
	}
	job = (struct wb_job *)relay_take(&wb->relay, up);
	if (!job) {
		wb_handle_unpin(wb, handle);
		return;
	}
	job->handle = handle;
	relay_ask(&job->job, open_done);
}

/* A step that up is answered for; false: no memory. */
static bool step_for(struct writebehind *wb, struct wb_handle *handle,
		     enum csftp_op op, struct csftp_req *up)
{
	struct wb_step *step = wb_step_add(wb, handle, op);

	if (!step)
		return false;
	step->asked = up;
	step->req.flags = up ? up->flags : 0;
	step->req.deadline_ms = up ? up->deadline_ms : 0;
	return true;
}

static int take_err(struct wb_handle *handle)
{
	int err = handle->err;

	handle->err = 0;
	return err;
}

/* The handle is gone for who had it; it ends with its last step. */
static void close_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	bool async = wb->config.durability == WRITEBEHIND_ASYNC;
	int err;

	if (!handle) {
		relay_pass(&wb->relay.fs, up);
		return;
	}
	HASH_DELETE(hh, wb->handles, handle);
	if (handle->file && handle->file->creator == handle) {
		handle->file->creator = NULL;
		handle->file->known =
			handle->file->first != NULL && handle->file->known;
	}
	if (!(handle->flags & CSFTP_OPEN_WRITE) || handle->dir) {
		wb_handle_unpin(wb, handle);
		relay_pass(&wb->relay.fs, up);
		return;
	}
	if (wb->config.durability == WRITEBEHIND_FSYNC && handle->wrote)
		(void)step_for(wb, handle, CSFTP_OP_FSYNC, NULL);
	err = async ? take_err(handle) : 0;
	if (!step_for(wb, handle, CSFTP_OP_CLOSE, async ? NULL : up)) {
		wb_handle_unpin(wb, handle);
		relay_pass(&wb->relay.fs, up);
		return;
	}
	wb_handle_unpin(wb, handle);
	if (async)
		csftp_reply_err(up, err);
	wb_pump(wb);
}

/*
 * Content
 */

static void write_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	bool sync = (up->flags & CSFTP_SYNC) ||
		    wb->config.durability == WRITEBEHIND_SYNC;
	int err = 0;

	if (!handle || !(handle->flags & CSFTP_OPEN_WRITE) || up->len == 0) {
		relay_pass(&wb->relay.fs, up);
		return;
	}
	if (up->off > INT64_MAX)
		err = EINVAL;
	else if (up->len > INT64_MAX - up->off)
		err = EFBIG;
	else
		err = take_err(handle);
	if (err) {
		csftp_reply_err(up, err);
		return;
	}
	handle->wrote = true;
	wb_wrote(wb, handle->file, up->off, up->len);
	if (!wb_take_payload(wb, handle, up) ||
	    (sync && !step_for(wb, handle, CSFTP_OP_FLUSH, up)))
		err = ENOMEM;
	if (err || !sync)
		csftp_reply_err(up, err);
	wb_pump(wb);
}

static void fsync_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	bool flush = up->op == CSFTP_OP_FLUSH;

	if (!handle || !(handle->flags & CSFTP_OPEN_WRITE)) {
		if (flush)
			csftp_reply_err(up, handle ? 0 : EBADF);
		else
			relay_pass(&wb->relay.fs, up);
		return;
	}
	if (flush && wb->config.durability == WRITEBEHIND_ASYNC) {
		csftp_reply_err(up, take_err(handle));
		return;
	}
	if (flush && handle->wrote &&
	    wb->config.durability == WRITEBEHIND_FSYNC)
		(void)step_for(wb, handle, CSFTP_OP_FSYNC, NULL);
	if (!step_for(wb, handle, up->op, up))
		csftp_reply_err(up, ENOMEM);
	wb_pump(wb);
}

/* What it sets is not to be taken for known any more. */
static void setattr_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file = wb_file_about(wb, up);

	if (file) {
		file->known = false;
		file->changes++;
		if (up->attr->mask & CSFTP_ATTR_SIZE)
			file->floor = 0;
	}
	relay_pass(&wb->relay.fs, up);
}

static void copy_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *to = wb_handle_of(wb, up->fh2);

	if (to && to->file) {
		to->wrote = true;
		to->file->known = false;
		to->file->changes++;
	}
	relay_pass(&wb->relay.fs, up);
}

void wb_dispatch(struct writebehind *wb, struct csftp_req *up)
{
	static void (*const act[CSFTP_OP_COUNT])(struct writebehind * wb,
						 struct csftp_req * up) = {
		[CSFTP_OP_OPEN] = open_it,
		[CSFTP_OP_OPENDIR] = open_it,
		[CSFTP_OP_CLOSE] = close_it,
		[CSFTP_OP_WRITE] = write_it,
		[CSFTP_OP_FSYNC] = fsync_it,
		[CSFTP_OP_FLUSH] = fsync_it,
		[CSFTP_OP_SETATTR] = setattr_it,
		[CSFTP_OP_GETATTR] = wb_getattr,
		[CSFTP_OP_COPY_RANGE] = copy_it,
		[CSFTP_OP_UNLINK] = change_names,
		[CSFTP_OP_RENAME] = change_names,
	};

	if (act[up->op])
		act[up->op](wb, up);
	else
		relay_pass(&wb->relay.fs, up);
}

static void op_ordered(struct csftp_fs *fs, struct csftp_req *up)
{
	struct writebehind *wb = (struct writebehind *)fs;

	if (!wb_hold(wb, up))
		wb_dispatch(wb, up);
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *up)
{
	if (!wb_setattr_behind((struct writebehind *)fs, up))
		op_ordered(fs, up);
}

/* The step that up is answered with, or NULL. */
static struct wb_step *step_of(const struct writebehind *wb,
			       const struct csftp_req *up)
{
	const struct wb_handle *handle =
		up->path ? NULL : wb_handle_of(wb, up->fh);
	struct wb_step *step = NULL;

	if (handle && handle->file)
		step = handle->file->first;
	while (step && step->asked != up)
		step = step->next;
	return step;
}

/* What it asked for goes its way; an error of that is the next one's. */
static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct writebehind *wb = (struct writebehind *)fs;
	struct wb_step *step = step_of(wb, up);

	if (step) {
		step->asked = NULL;
		csftp_reply_err(up, EINTR);
	} else if (wb_unhold(wb, up)) {
		csftp_reply_err(up, EINTR);
		wb_release(wb);
	} else {
		wb->cancel(fs, up);
	}
}

static void set_ops(struct writebehind *wb)
{
	static const enum csftp_op ordered[] = {
		CSFTP_OP_OPEN,	 CSFTP_OP_READ,	      CSFTP_OP_WRITE,
		CSFTP_OP_CLOSE,	 CSFTP_OP_FSYNC,      CSFTP_OP_FLUSH,
		CSFTP_OP_LINK,	 CSFTP_OP_COPY_RANGE, CSFTP_OP_UNLINK,
		CSFTP_OP_RENAME, CSFTP_OP_OPENDIR,    CSFTP_OP_GETATTR};
	struct csftp_fs_ops *ops = &wb->relay.ops;

	wb->cancel = ops->cancel;
	ops->cancel = cancel;
	for (size_t i = 0; i < sizeof(ordered) / sizeof(*ordered); i++)
		ops->op[ordered[i]] = op_ordered;
	ops->op[CSFTP_OP_SETATTR] = op_setattr;
	ops->op[CSFTP_OP_READDIR] = wb_readdir;
}

static void set_limits(struct writebehind *wb)
{
	uint32_t max = wb->config.under->max_write;
	uint64_t steps;

	if (wb->config.bytes_max == 0)
		wb->config.bytes_max = BYTES_MAX;
	if (wb->config.window_first == 0)
		wb->config.window_first = WINDOW_FIRST;
	wb->piece = max > 0 && max < PIECE_MAX ? max : PIECE_MAX;
	/* Each has room for a piece: together they are as many bytes. */
	steps = wb->config.bytes_max / wb->piece;
	wb->steps_max = steps < STEPS_LEAST  ? STEPS_LEAST
			: steps > UINT32_MAX ? UINT32_MAX
					     : (uint32_t)steps;
	wb->relay.fs.max_write = 0;
	wb->relay.fs.traits &= ~CSFTP_FS_PARTS;
}

enum csftp_err writebehind_new(struct writebehind **out,
			       const struct writebehind_config *config)
{
	struct writebehind *wb;

	if (!config->under || !config->now_ms)
		return CSFTP_ERR_ARG;
	wb = calloc(1, sizeof(*wb));
	if (!wb)
		return CSFTP_ERR_NOMEM;
	wb->config = *config;
	relay_init(&wb->relay, config->under, sizeof(struct wb_job),
		   relay_pass);
	set_ops(wb);
	set_limits(wb);
	*out = wb;
	return CSFTP_OK;
}

void writebehind_free(struct writebehind *wb)
{
	if (!wb)
		return;
	while (wb->handles) {
		struct wb_handle *handle = wb->handles;

		HASH_DELETE(hh, wb->handles, handle);
		wb_handle_unpin(wb, handle);
	}
	wb_steps_release(wb);
	relay_release(&wb->relay);
	free(wb);
}

struct csftp_fs *writebehind_fs(struct writebehind *wb)
{
	return &wb->relay.fs;
}

uint32_t writebehind_pending(const struct writebehind *wb)
{
	return wb->steps + wb->held_count;
}

struct writebehind_counts writebehind_counts(const struct writebehind *wb)
{
	struct writebehind_counts counts = wb->counts;

	counts.window = wb->window;
	counts.steps = wb->steps;
	return counts;
}
