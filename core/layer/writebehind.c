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

/* How long memory is kept that nobody uses. */
#define KEEP_MS 3000U

/* No back end gives such numbers; but if one does, they are not mixed up. */
#define OWN_NUMBER ((csftp_fh)1 << 63)

/*
 * Files and handles
 */

struct wb_handle *wb_handle_of(const struct writebehind *wb, csftp_fh fh)
{
	struct wb_handle *handle = NULL;

	HASH_FIND(hh, wb->handles, &fh, sizeof(fh), handle);
	return handle;
}

/*
 * The number is that of the file system below, so that most requests are passed
 * on as they are; but for a file that is not open there yet, and for one that
 * was given a number there which such a file has.
 */
bool wb_handle_add(struct writebehind *wb, struct wb_handle *handle, bool open)
{
	bool taken = !open;

	handle->number = handle->fh;
	while (taken || (wb->renumbered > 0 &&
			 wb_handle_of(wb, handle->number) != NULL)) {
		handle->number = OWN_NUMBER | ++wb->last_number;
		handle->renumbered = true;
		taken = wb_handle_of(wb, handle->number) != NULL;
	}
	HASH_ADD(hh, wb->handles, number, sizeof(handle->number), handle);
	if (!handle->hh.tbl)
		return false;
	wb->renumbered += handle->renumbered;
	return true;
}

void wb_handle_remove(struct writebehind *wb, struct wb_handle *handle)
{
	HASH_DELETE(hh, wb->handles, handle);
	wb->renumbered -= handle->renumbered;
}

void wb_lower(const struct writebehind *wb, struct csftp_req *req)
{
	const struct wb_handle *handle;

	if (req->path || wb->renumbered == 0)
		return;
	handle = wb_handle_of(wb, req->fh);
	if (handle)
		req->fh = handle->fh;
	handle = req->op == CSFTP_OP_COPY_RANGE ? wb_handle_of(wb, req->fh2)
						: NULL;
	if (handle)
		req->fh2 = handle->fh;
}

static void passed(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static bool is_renumbered(const struct writebehind *wb, csftp_fh fh)
{
	const struct wb_handle *handle = wb_handle_of(wb, fh);

	return handle && handle->renumbered;
}

/* Below, as it is but for the number of a handle that has one of ours. */
void wb_pass(struct writebehind *wb, struct csftp_req *up)
{
	struct relay_job *job;

	if (wb->renumbered == 0 || up->path || up->op == CSFTP_OP_IDNAME ||
	    (!is_renumbered(wb, up->fh) &&
	     (up->op != CSFTP_OP_COPY_RANGE || !is_renumbered(wb, up->fh2)))) {
		relay_pass(&wb->relay.fs, up);
		return;
	}
	job = relay_take(&wb->relay, up);
	if (!job)
		return;
	wb_lower(wb, &job->req);
	relay_ask(job, passed);
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
void wb_file_forget(struct writebehind *wb, struct wb_file *file)
{
	if (file->named)
		HASH_DELETE(hh, wb->files, file);
	file->named = false;
}

void wb_file_unpin(struct writebehind *wb, struct wb_file *file)
{
	if (--file->pins > 0)
		return;
	wb_file_forget(wb, file);
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

	wb_file_forget(wb, file);
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
			wb_file_forget(wb, file);
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

	if (!job)
		return;
	if (up->op == CSFTP_OP_RENAME) {
		wb_samples_forget(wb, up->path);
		wb_samples_forget(wb, up->path2);
	}
	relay_ask(job, up->op == CSFTP_OP_RENAME ? rename_done : unlink_done);
}

static void remove_dir(struct writebehind *wb, struct csftp_req *up)
{
	wb_samples_forget(wb, up->path);
	wb_pass(wb, up);
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
	const uint32_t make = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT;
	struct csftp_reply out = *reply;

	handle->fh = reply->fh;
	/* Without memory to find it by, it is served as it is. */
	if (reply->err || !wb_handle_add(wb, handle, true)) {
		wb_handle_unpin(wb, handle);
	} else {
		out.fh = handle->number;
		if (file && (handle->flags & make) == make)
			wb_made(wb, handle);
	}
	relay_answer(&job->job, &out);
}

struct wb_handle *wb_handle_new(struct writebehind *wb,
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

/* Its content goes, and it may be another file. */
static void cut_off(struct wb_file *file)
{
	file->floor = 0;
	file->known = false;
	file->changes++;
}

static void open_it(struct writebehind *wb, struct csftp_req *up)
{
	bool file = up->op == CSFTP_OP_OPEN;
	struct wb_handle *handle;
	struct wb_job *job;
	bool fresh;

	if (file && wb_open_early(wb, up))
		return;
	fresh = file && wb_is_fresh(wb, up);
	handle = wb_handle_new(wb, up);
	if (!handle) {
		csftp_reply_err(up, ENOMEM);
		return;
	}
	handle->fresh = fresh;
	handle->mode = fresh ? up->attr->mode & 07777U : 0;
	/* Where there was no file, there is nothing to cut off. */
	if (file && (up->flags & CSFTP_OPEN_TRUNC) && !fresh)
		cut_off(handle->file);
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

/* Before who closes or flushes it is answered, where that is the wish. */
static void to_disk(struct writebehind *wb, struct wb_handle *handle)
{
	if (wb->config.durability != WRITEBEHIND_FSYNC || !handle->wrote ||
	    step_for(wb, handle, CSFTP_OP_FSYNC, NULL) || handle->err)
		return;
	handle->err = ENOMEM;
}

int wb_take_err(struct wb_handle *handle)
{
	int err = handle->err;

	handle->err = 0;
	return err;
}

static void close_below(struct writebehind *wb, const struct wb_handle *handle,
			struct csftp_req *up)
{
	struct relay_job *job;

	if (!handle->renumbered) {
		wb_pass(wb, up);
		return;
	}
	job = relay_take(&wb->relay, up);
	if (!job)
		return;
	job->req.fh = handle->fh;
	relay_ask(job, passed);
}

/*
 * Who has not written to a file does not ask how closing it went.  That it
 * could not be made at all is to be known all the same.
 */
static int last_err(struct writebehind *wb, struct wb_handle *handle)
{
	int err = wb_take_err(handle);

	if (err && handle->dead && !handle->wrote_data && wb->config.lost)
		wb->config.lost(wb->config.arg, handle->file->path, err);
	return err;
}

/* The handle is gone for who had it; it ends with its last step. */
static void close_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	bool async = wb->config.durability == WRITEBEHIND_ASYNC;
	int err;

	if (!handle) {
		wb_pass(wb, up);
		return;
	}
	wb_handle_remove(wb, handle);
	if (handle->file && handle->file->creator == handle) {
		handle->file->creator = NULL;
		handle->file->known =
			handle->file->first != NULL && handle->file->known;
	}
	if (!(handle->flags & CSFTP_OPEN_WRITE) || handle->dir) {
		close_below(wb, handle, up);
		wb_handle_unpin(wb, handle);
		return;
	}
	to_disk(wb, handle);
	err = async ? last_err(wb, handle) : 0;
	(void)step_for(wb, handle, CSFTP_OP_CLOSE, async ? NULL : up);
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
		wb_pass(wb, up);
		return;
	}
	if (up->off > INT64_MAX)
		err = EINVAL;
	else if (up->len > INT64_MAX - up->off)
		err = EFBIG;
	else
		err = wb_take_err(handle);
	if (err) {
		csftp_reply_err(up, err);
		return;
	}
	handle->wrote = true;
	handle->wrote_data = true;
	wb_wrote(wb, handle->file, up->off, up->len);
	if (!wb_take_payload(wb, handle, up) ||
	    (sync && !step_for(wb, handle, CSFTP_OP_FLUSH, up))) {
		wb_wrote_in_part(handle->file);
		err = ENOMEM;
	}
	if (err || !sync)
		csftp_reply_err(up, err);
	wb_pump(wb);
}

static void fsync_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	bool flush = up->op == CSFTP_OP_FLUSH;

	/* It had to wait for the names, and only for these. */
	if (up->path) {
		csftp_reply_err(up, 0);
		return;
	}
	if (!handle || !(handle->flags & CSFTP_OPEN_WRITE)) {
		if (flush)
			csftp_reply_err(up, handle ? 0 : EBADF);
		else
			wb_pass(wb, up);
		return;
	}
	if (flush && wb->config.durability == WRITEBEHIND_ASYNC) {
		csftp_reply_err(up, wb_take_err(handle));
		return;
	}
	if (flush)
		to_disk(wb, handle);
	if (!step_for(wb, handle, up->op, up))
		csftp_reply_err(up, ENOMEM);
	wb_pump(wb);
}

/* Of a directory that others can make files in from now on, or nobody. */
static void forget_samples(struct writebehind *wb, const struct csftp_req *up)
{
	const struct wb_handle *handle =
		up->path ? NULL : wb_handle_of(wb, up->fh);

	if (up->path)
		wb_samples_forget(wb, up->path);
	else if (handle && handle->dir)
		wb_samples_forget(wb, handle->dir);
}

/* What it sets is not to be taken for known any more. */
static void setattr_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file = wb_file_about(wb, up);

	if (file) {
		if (up->attr->mask & CSFTP_ATTR_SIZE)
			file->floor = 0;
		wb_setattr(wb, file, up);
		return;
	}
	if (up->attr->mask & ~WB_TIMES)
		forget_samples(wb, up);
	wb_pass(wb, up);
}

static void copy_it(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *to = wb_handle_of(wb, up->fh2);

	if (to && to->file) {
		to->wrote = true;
		to->wrote_data = true;
		to->file->known = false;
		to->file->changes++;
	}
	wb_pass(wb, up);
}

/*
 * True: it is about a file that could not be made, and was told so.  Not
 * everybody who asks for attributes passes an error of that on.
 */
static bool is_dead(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle;

	if (wb->renumbered == 0 || up->path || up->op == CSFTP_OP_CLOSE ||
	    up->op == CSFTP_OP_FLUSH)
		return false;
	handle = wb_handle_of(wb, up->fh);
	if (up->op == CSFTP_OP_COPY_RANGE && (!handle || !handle->dead))
		handle = wb_handle_of(wb, up->fh2);
	if (!handle || !handle->dead)
		return false;
	if (up->op != CSFTP_OP_GETATTR && up->op != CSFTP_OP_STATFS)
		handle->err = 0;
	csftp_reply_err(up, handle->dead);
	return true;
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
		[CSFTP_OP_RMDIR] = remove_dir,
		[CSFTP_OP_MKDIR] = wb_make_dir,
	};

	if (is_dead(wb, up))
		return;
	if (act[up->op])
		act[up->op](wb, up);
	else
		wb_pass(wb, up);
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
	struct wb_step *step;

	/* The handle is gone for who had it, and is to be closed. */
	if (up->op == CSFTP_OP_CLOSE)
		return;
	step = step_of(wb, up);
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
	/* Those that a file can be in the way of that is being made. */
	static const enum csftp_op by_name[] = {
		CSFTP_OP_MKDIR,	   CSFTP_OP_RMDIR,    CSFTP_OP_SYMLINK,
		CSFTP_OP_READLINK, CSFTP_OP_REALPATH, CSFTP_OP_STATFS};
	struct csftp_fs_ops *ops = &wb->relay.ops;

	wb->cancel = ops->cancel;
	ops->cancel = cancel;
	for (size_t i = 0; i < sizeof(ordered) / sizeof(*ordered); i++)
		ops->op[ordered[i]] = op_ordered;
	for (size_t i = 0; wb->config.durability == WRITEBEHIND_ASYNC &&
			   i < sizeof(by_name) / sizeof(*by_name);
	     i++)
		ops->op[by_name[i]] = op_ordered;
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

		wb_handle_remove(wb, handle);
		wb_handle_unpin(wb, handle);
	}
	wb_samples_release(wb);
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

uint64_t writebehind_tick(struct writebehind *wb)
{
	uint64_t end = wb->idle_ms + KEEP_MS;

	if (wb->steps > 0 || !wb->free)
		return 0;
	if (wb_now(wb) < end)
		return end;
	wb_steps_release(wb);
	return 0;
}

struct writebehind_counts writebehind_counts(const struct writebehind *wb)
{
	struct writebehind_counts counts = wb->counts;

	counts.window = wb->window;
	counts.steps = wb->steps;
	return counts;
}
