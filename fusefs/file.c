#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fusefs/frontend.h"

/*
 * Open files, and when their handles are closed: see "close(2)" in fusefs.h.
 * Everything that needs a handle goes through file_use().
 */

struct file *file_from(const struct fuse_file_info *fi)
{
	return (struct file *)(uintptr_t)fi->fh;
}

/*
 * The server appends, so that several machines can write one log: the kernel
 * does not know where the file ends by then.  What has a place of its own takes
 * another handle, see file_for_places().
 */
static uint32_t open_flags(int flags)
{
	static const uint32_t access[] = {
		[O_RDONLY] = CSFTP_OPEN_READ,
		[O_WRONLY] = CSFTP_OPEN_WRITE,
		[O_RDWR] = CSFTP_OPEN_READ | CSFTP_OPEN_WRITE,
	};
	unsigned mode = (unsigned)flags & O_ACCMODE;

	if (mode != O_RDONLY && mode < 3 && (flags & O_APPEND))
		return access[mode] | CSFTP_OPEN_APPEND;
	return mode < 3 ? access[mode] : CSFTP_OPEN_READ;
}

static struct file *file_alloc(struct fusefs *f, struct inode *node)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->f = f;
	file->node = node;
	inodes_pin(node);
	file->next = node->files;
	if (file->next)
		file->next->prev = file;
	node->files = file;
	file->all_next = f->files;
	if (file->all_next)
		file->all_next->all_prev = file;
	f->files = file;
	return file;
}

static struct file *file_new(struct fuse_op *op, struct inode *node)
{
	struct file *file = file_alloc(op->f, node);

	if (!file)
		return NULL;
	file->fh = op->fh;
	file->flags = open_flags(op->fi.flags);
	file->opener = op->pid;
	return file;
}

/* No descriptor belongs to it; it goes with its last user. */
static struct file *places_new(struct file *file)
{
	struct file *other = file_alloc(file->f, file->node);

	if (other) {
		other->flags = CSFTP_OPEN_WRITE;
		other->state = FILE_CLOSED;
		other->released = true;
	}
	return other;
}

struct file *file_for_places(struct file *file)
{
	struct file *other = file->node->files;

	if (file->places)
		return file->places;
	while (other && (other->dead || !(other->flags & CSFTP_OPEN_WRITE) ||
			 (other->flags & CSFTP_OPEN_APPEND)))
		other = other->next;
	return other ? other : places_new(file);
}

static void file_free(struct file *file)
{
	struct fusefs *f = file->f;
	struct file *places = file->places;

	if (file->prev)
		file->prev->next = file->next;
	else
		file->node->files = file->next;
	if (file->next)
		file->next->prev = file->prev;
	if (file->all_prev)
		file->all_prev->all_next = file->all_next;
	else
		f->files = file->all_next;
	if (file->all_next)
		file->all_next->all_prev = file->all_prev;
	inodes_unpin(f->inodes, file->node);
	free(file->path);
	free(file);
	if (places)
		file_unuse(places);
}

static void log_failed(const struct file *file, int err)
{
	struct fusefs *f = file->f;
	char path[CSFTP_PATH_MAX + 1];

	if (inodes_path(f->inodes, f->config.root, file->node, NULL, path) != 0)
		path[0] = '\0';
	fusefs_logf(f, "closing %s: %s", *path ? path : "a removed file",
		    strerror(err));
}

/* The last that can be done about an error: nobody is left to be told. */
static void report_lost(struct file *file, int err)
{
	file->f->lost_errors++;
	log_failed(file, err);
}

void file_failed(struct file *file, int err)
{
	/* What was to be written last may not be there. */
	file->mark.len = 0;
	if (!file->f->ending && !fusefs_ended(file->f))
		return;
	file->f->failed_at_end++;
	log_failed(file, err);
}

static void file_settle(struct file *file);

/* Those who wait go on, each looking at the state for itself. */
static void file_wake(struct file *file, int err)
{
	struct fuse_op *op = file->waiting;

	file->waiting = NULL;
	while (op) {
		struct fuse_op *next = op->next_waiting;

		op->next_waiting = NULL;
		if (err)
			op->go(op, err);
		else
			file_use(op, file, op->go);
		op = next;
	}
}

/*
 * A server without fsync@openssh.com has acknowledged every write, which is all
 * that it can do; and who answers nothing early has nothing to flush.  What
 * there is to be told, be anybody told or not.
 */
static int answer(struct fuse_op *op, struct file *file)
{
	int err = op_err(op);

	if (err == EOPNOTSUPP)
		err = 0;
	if (op->req && file->err) {
		err = file->err;
		file->err = 0;
	}
	if (op->req && err)
		file_failed(file, err);
	if (!op->req && err == EINTR)
		err = 0;
	if (err)
		file->mark.len = 0;
	op_reply_err(op, err);
	return err;
}

/* Who has gone is told nothing: the next one is. */
void file_answer(struct fuse_op *op, struct file *file)
{
	bool listens = op->req != NULL;
	int err = answer(op, file);

	if (!listens && !file->err)
		file->err = err;
}

/*
 * A process that ends closes what it inherited, and nobody hears what comes of
 * it: so who has opened the file is told as well, by what it does next.
 */
static void answer_flush(struct fuse_op *op, struct file *file)
{
	bool hears = op->req && fusefs_same_process(op->pid, file->opener);
	int err = answer(op, file);

	if (!hears && !file->err)
		file->err = err;
}

/*
 * Those who wait for CLOSE are answered; the first of them that listens is told
 * of an error.
 */
static void flush_answer(struct file *file)
{
	file->busy++; /* it stays while they are told */
	while (file->flush) {
		struct fuse_op *op = file->flush;

		file->flush = op->next_waiting;
		op->next_waiting = NULL;
		file_answer(op, file);
		op_free(op);
	}
	file->busy--;
}

static void close_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct file *file = (struct file *)req;

	file->f->closings--;
	file->state = FILE_CLOSED;
	if (file->written && reply->err && !file->err)
		file->err = reply->err;
	file->written = false;
	flush_answer(file);
	file_settle(file);
}

static void file_close(struct file *file)
{
	file->state = FILE_CLOSING;
	file->f->closings++;
	if (file->flush)
		file->f->urgent = true;
	file->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = close_done,
		.fh = file->fh,
	};
	csftp_submit(file->f->fs, &file->req);
}

static void reopen_end(struct file *file, int err)
{
	file->f->closings--;
	free(file->path);
	file->path = NULL;
	file->missed = err != 0;
	if (err) {
		file->state = FILE_CLOSED;
		file->dead = err == ESTALE;
		file->busy++; /* it stays while others are told */
		file_wake(file, err);
		file->busy--;
	} else {
		file->state = FILE_OPEN;
		file->lived_on = true;
	}
	file_settle(file);
}

static void other_closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* nothing was written to it */
	reopen_end((struct file *)req, ESTALE);
}

static void judged(struct file *file)
{
	if (file->same) {
		reopen_end(file, 0);
		return;
	}
	file->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = other_closed,
		.fh = file->fh,
	};
	csftp_submit(file->f->fs, &file->req);
}

static void reopen_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct file *file = (struct file *)req;

	if (reply->err) {
		reopen_end(file, reply->err == ENOENT ? ESTALE : reply->err);
		return;
	}
	file->fh = reply->fh;
	same_check(file, judged);
}

/* An errno if it cannot be tried; otherwise reopen_done is called. */
static int file_reopen(struct file *file)
{
	struct fusefs *f = file->f;
	char path[CSFTP_PATH_MAX + 1];
	int err =
		inodes_path(f->inodes, f->config.root, file->node, NULL, path);

	if (err)
		return err;
	file->path = strdup(path);
	if (!file->path)
		return ENOMEM;
	file->state = FILE_REOPENING;
	f->closings++;
	f->urgent = true;
	file->req = (struct csftp_req){
		.op = CSFTP_OP_OPEN,
		.done = reopen_done,
		.path = file->path,
		.flags = file->flags,
	};
	csftp_submit(f->fs, &file->req);
	return 0;
}

/*
 * Does what the state calls for.  The file may be gone on return.
 * A file that is closed and waited for is opened again; one that is open has
 * no waiters; one that the kernel let go of is closed when nobody uses it.
 */
static void file_settle(struct file *file)
{
	int err = 0;

	if (file->state == FILE_CLOSING || file->state == FILE_REOPENING)
		return;
	if (file->waiting && file->state == FILE_CLOSED) {
		err = file->dead ? ESTALE : file_reopen(file);
		if (!err)
			return;
		file->dead = err == ESTALE;
		file->missed = true;
	}
	if (file->waiting) {
		file->busy++; /* it stays while others are told */
		file_wake(file, err);
		file->busy--;
		file_settle(file);
		return;
	}
	if (!file->released || file->busy > 0)
		return;
	if (file->state == FILE_OPEN) {
		file_close(file);
		return;
	}
	if (file->err)
		report_lost(file, file->err);
	file_free(file);
}

void file_use(struct fuse_op *op, struct file *file,
	      void (*go)(struct fuse_op *op, int err))
{
	if (file->state == FILE_OPEN) {
		file->busy++;
		if (op->file)
			op->file2 = file;
		else
			op->file = file;
		go(op, 0);
		return;
	}
	op->go = go;
	op->next_waiting = file->waiting;
	file->waiting = op;
	file_settle(file);
}

void file_unuse(struct file *file)
{
	file->busy--;
	file_settle(file);
}

struct file *file_of(const struct inode *node, uint32_t flags)
{
	struct file *file = node->files;

	while (file && (file->state != FILE_OPEN || file->released ||
			(file->flags & flags) != flags))
		file = file->next;
	return file;
}

static void rescued(struct fuse_op *op, int err)
{
	struct file *file = op->file;

	/* It was waited for, not used. */
	if (!err) {
		op->file = NULL;
		file_unuse(file);
	}
	op->rescue(op, err);
}

/* It appends and can be mapped: pages have a place without a name, too. */
static struct file *needs_places(const struct inode *node)
{
	const uint32_t both = CSFTP_OPEN_READ | CSFTP_OPEN_APPEND;
	struct file *file = node->files;

	while (file && (file->released || file->dead || file->places ||
			(file->flags & both) != both))
		file = file->next;
	return file;
}

/* Closed, but for a descriptor that lives on; and not given up. */
static bool is_half_closed(const struct file *file, int err)
{
	return file->state != FILE_OPEN && !file->released && !file->dead &&
	       !(err && file->missed);
}

static void rescue(struct fuse_op *op, struct file *file,
		   void (*go)(struct fuse_op *op, int err))
{
	op->rescue = go;
	file_use(op, file, rescued);
}

bool file_rescue(struct fuse_op *op, struct inode *node, int err,
		 void (*go)(struct fuse_op *op, int err))
{
	struct file *file = node ? node->files : NULL;
	struct file *owner;

	while (file && !is_half_closed(file, err))
		file = file->next;
	owner = node && !file ? needs_places(node) : NULL;
	if (owner) {
		file = owner->places = places_new(owner);
		if (file)
			file->busy++; /* the owner's */
	}
	if (file)
		rescue(op, file, go);
	return file != NULL;
}

/* Whether the owner could open it with those flags. */
static bool mode_allows(uint32_t mode, uint32_t flags)
{
	return (!(flags & CSFTP_OPEN_READ) || (mode & S_IRUSR)) &&
	       (!(flags & CSFTP_OPEN_WRITE) || (mode & S_IWUSR));
}

bool file_rescue_from(struct fuse_op *op, uint32_t mode, int err,
		      void (*go)(struct fuse_op *op, int err))
{
	struct file *file = op->node->files;

	while (file &&
	       (mode_allows(mode, file->flags) || !is_half_closed(file, err)))
		file = file->next;
	if (file)
		rescue(op, file, go);
	return file != NULL;
}

void file_mode_changed(struct inode *node, uint32_t mode)
{
	for (struct file *file = node->files; file; file = file->next)
		file->pinned = !mode_allows(mode, file->flags);
}

void file_close_all(struct fusefs *f)
{
	struct file *file = f->files;

	while (file) {
		struct file *next = file->all_next;

		if (!file->released) {
			file->released = true;
			file_settle(file);
		}
		file = next;
	}
}

/* A handle that nobody is to have; the operation ends with its closing. */
static void drop_handle(struct fuse_op *op)
{
	struct csftp_req *ask;

	op->asks = 1;
	op->finish = op_free;
	ask = op_ask(op, CSFTP_OP_CLOSE);
	ask->fh = op->fh;
	op_submit(op, ask);
	op_put(op);
}

static void open_ask(struct fuse_op *op, uint32_t flags)
{
	struct csftp_req *ask = op_ask(op, CSFTP_OP_OPEN);

	ask->path = op->path;
	ask->flags = open_flags(op->fi.flags) | flags;
	ask->attr = flags & CSFTP_OPEN_CREAT ? &op->in : NULL;
	op_submit(op, ask);
}

static void open_again(struct fuse_op *op)
{
	open_ask(op, op->flags);
	/* Meanwhile what it is now, for who has it changed elsewhere. */
	if (!(op->flags & CSFTP_OPEN_TRUNC))
		op_ask_attr(op, op->path);
	op_put(op);
}

/*
 * Content that is only written need not go through the kernel's cache, which is
 * a quarter of what a large write costs, as the next open(2) drops it there.
 * But of what has gone past the cache others would see an older page: so while
 * such a descriptor is open all others of its file are of its kind, and there
 * is none while others are open.
 */
static bool goes_direct(const struct file *file)
{
	const struct fusefs *f = file->f;
	const struct file *other = file->node->files;

	if (f->config.direct_io)
		return true;
	while (other && (other == file || other->released))
		other = other->next;
	if (other)
		return other->direct;
	return f->direct_maps && !f->config.keep_cache &&
	       !(file->flags & CSFTP_OPEN_READ);
}

/* The kernel has no use for a FLUSH of a file that is only read. */
static void fill_info(struct fuse_op *op, struct file *file)
{
	file->direct = goes_direct(file);
	op->fi.fh = (uintptr_t)file;
	op->fi.noflush = !(file->flags & CSFTP_OPEN_WRITE);
	op->fi.keep_cache = op->f->config.keep_cache;
	op->fi.direct_io = file->direct;
}

/*
 * The kernel may have been told another size, as long as attr_timeout ago, and
 * would cut what is read there: it has to ask.
 */
static void tell_size(struct fuse_op *op)
{
	uint64_t size = op->attr.size > INT64_MAX ? INT64_MAX : op->attr.size;

	if (!op->has_attr || !(op->attr.mask & CSFTP_ATTR_SIZE) ||
	    size == op->node->size)
		return;
	attr_doubt(op->f, op->node);
}

static void missed_finish(struct fuse_op *op)
{
	op_fail(op, op->ask[0].err == ENOENT ? ESTALE : ENOENT);
}

/*
 * The kernel knew a file there, as long as entry_timeout ago.  Where the name
 * is gone, ESTALE has it look anew, and make the file if that was to be done.
 */
static void open_missed(struct fuse_op *op)
{
	op->asked = 0;
	op->asks = 1;
	op->finish = missed_finish;
	op_ask_attr(op, op->path);
	op_put(op);
}

static void open_finish(struct fuse_op *op)
{
	struct file *file;
	/* What is asked besides may fail. */
	int err = op->ask[0].err;

	if (err == ENOENT && op->req) {
		if (op_moved(op))
			open_again(op);
		else
			open_missed(op);
		return;
	}
	if (err) {
		op_fail(op, err);
		return;
	}
	file = op->req ? file_new(op, op->node) : NULL;
	if (!file) {
		op_reply_err(op, ENOMEM);
		drop_handle(op);
		return;
	}
	fill_info(op, file);
	tell_size(op);
	/* Unless the kernel takes the reply there will be no RELEASE. */
	if (fuse_reply_open(op->req, &op->fi) < 0) {
		file->released = true;
		file_settle(file);
	}
	op->req = NULL;
	op_free(op);
}

void fusefs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, open_finish);

	if (!op || !op_path(op, NULL))
		return;
	op->fi = *fi;
	op->flags = fi->flags & O_TRUNC ? CSFTP_OPEN_TRUNC : 0;
	op->node->changes += op->flags != 0;
	open_again(op);
}

/* Answers with the node and the file, or takes both back. */
static void create_reply(struct fuse_op *op, struct inode *node,
			 struct file *file)
{
	struct fuse_entry_param entry = {
		.ino = node->id,
		.attr_timeout = op->f->config.attr_timeout,
		.entry_timeout = op->f->config.entry_timeout,
	};

	attr_to_stat(op->f, &op->attr, node, &entry.attr);
	fill_info(op, file);
	if (fuse_reply_create(op->req, &entry, &op->fi) < 0) {
		inodes_forget(op->f->inodes, node, 1);
		file->released = true;
		file_settle(file);
	}
	op->req = NULL;
}

static void create_finish(struct fuse_op *op)
{
	struct file *file = NULL;
	struct inode *node;
	int err = op_err(op);

	if (!op->opened || err || !op->req || !op->has_attr) {
		op_reply_err(op, err ? err : EIO);
		if (op->opened)
			drop_handle(op);
		else
			op_free(op);
		return;
	}
	node = inodes_lookup(op->f->inodes, op->node, op->name,
			     strlen(op->name), attr_type(&op->attr, S_IFREG));
	if (node) {
		file = file_new(op, node);
		if (!file)
			inodes_forget(op->f->inodes, node, 1);
	}
	if (!file) {
		op_reply_err(op, ENOMEM);
		drop_handle(op);
		return;
	}
	file->made = file->flags & CSFTP_OPEN_WRITE;
	file->pinned = !mode_allows(op->in.mode, file->flags);
	create_reply(op, node, file);
	op_free(op);
}

void fusefs_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, parent, create_finish);

	if (!op || !op_path(op, name))
		return;
	op->fi = *fi;
	op->in = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = mode & 07777U,
	};
	op_owner(op);
	op->flags = CSFTP_OPEN_CREAT |
		    (fi->flags & O_EXCL ? CSFTP_OPEN_EXCL : 0) |
		    (fi->flags & O_TRUNC ? CSFTP_OPEN_TRUNC : 0);
	/* The attributes are asked for before the answer: one round trip. */
	open_ask(op, op->flags);
	op_ask_attr(op, op->path);
	op_put(op);
}

/*
 * Whether this FLUSH is to close: it could be opened again if need be.  Where
 * that was so once, as in a shell that has it open, it will be again.
 */
static bool closes_at_flush(const struct file *file, const struct fuse_op *op)
{
	return file->busy == 0 && !file->err && !file->lived_on &&
	       !file->pinned && !file->dead && file->node->name &&
	       fusefs_same_process(op->pid, file->opener);
}

static void flush_finish(struct fuse_op *op)
{
	answer_flush(op, op->file);
	op_free(op);
}

/* The handle stays open: only what was answered early is waited for. */
static void flush_go(struct fuse_op *op, int err)
{
	struct csftp_req *req;

	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	req = op_ask(op, CSFTP_OP_FLUSH);
	req->fh = op->file->fh;
	op_submit(op, req);
	op_put(op);
}

void fusefs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, flush_finish);
	struct file *file = file_from(fi);
	bool open;

	if (!op)
		return;
	open = file->state == FILE_OPEN && file->written;
	if (open && !closes_at_flush(file, op)) {
		file_use(op, file, flush_go);
		return;
	}
	op->next_waiting = file->flush;
	file->flush = op;
	if (open)
		file_close(file);
	else if (file->state != FILE_CLOSING)
		flush_answer(file);
}

/* There is nobody to wait for the answer to what this makes happen. */
void fusefs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct file *file = file_from(fi);

	(void)ino;
	fuse_reply_err(req, 0);
	file->released = true;
	file_settle(file);
}
