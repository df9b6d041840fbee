#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fusefs/frontend.h"

/*
 * Open directories.  The names of one are fetched once, ahead of the reader,
 * into a listing; its index is the offset that the kernel sees, so that
 * seekdir(3) finds its place whatever happens to the directory.  A rewind
 * makes a new listing.
 */

#define WINDOW_FIRST 2U /* a short directory ends in one round trip */
#define WINDOW_MORE  8U
#define WINDOW_MAX   32U   /* of one that is long */
#define LONG	     1000U /* times the window: names that make it twice that */
#define AHEAD_MAX    65536U /* names that nobody has asked for yet */
#define EMPTY_MAX    1000U  /* answers without a name and without an end */

/* What a listing takes before the server is held to be out of its mind. */
#define NAMES_MAX 10000000U
#define BYTES_MAX ((size_t)2 << 30)

#define DOTS 2U	  /* "." and "..", which are ours */
#define PLUS 0x1U /* op.flags: the kernel wants attributes */

/* One name; they lie one behind the other. */
struct record {
	struct csftp_attr attr;
	uint64_t told; /* fusefs.told when it came */
	bool shown;    /* with a node, when it was answered last */
	char name[];
};

struct batch {
	struct csftp_req req;
	struct listing *listing;
	bool outstanding;
	bool any; /* it brought a name */
};

struct listing {
	struct csftp_req req; /* OPENDIR, then CLOSE */
	struct fusefs *f;
	struct dir *dir; /* NULL: nobody reads it any more */
	char *path;
	csftp_fh fh;
	int err;
	bool opened;
	bool eof;
	bool pumping;
	bool complained;
	uint32_t pending;     /* requests without an answer */
	uint32_t outstanding; /* those of batch[] */
	uint32_t window;
	uint32_t empty;
	size_t wanted; /* index up to which the kernel has asked */
	char *bytes;
	size_t used;
	size_t cap;
	size_t *index; /* of each name, where in bytes */
	size_t count;
	size_t index_cap;
	struct batch batch[WINDOW_MAX];
};

struct dir {
	struct dir *next; /* of the mount */
	struct dir *prev;
	struct fusefs *f;
	struct inode *node; /* pinned */
	struct listing *listing;
	struct fuse_op *opening;
	struct fuse_op *waiting;
	bool started; /* the kernel has read from the beginning */
};

static struct dir *dir_from(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

static void dir_opened(struct dir *dir);
static void dir_serve(struct dir *dir);

static void listing_free(struct listing *listing)
{
	free(listing->path);
	free(listing->bytes);
	free(listing->index);
	free(listing);
}

static void answered(struct listing *listing)
{
	listing->pending--;
	listing->f->closings--;
}

static void submit(struct listing *listing, struct csftp_req *req)
{
	listing->pending++;
	listing->f->closings++;
	if (req->op != CSFTP_OP_CLOSE)
		listing->f->urgent = true;
	csftp_submit(listing->f->fs, req);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct listing *listing = (struct listing *)req;

	(void)reply; /* nothing was written that could be lost */
	answered(listing);
	listing_free(listing);
}

/* Ends a listing that nobody reads, as soon as it can be. */
static void listing_settle(struct listing *listing)
{
	if (listing->dir || listing->pending > 0 || listing->pumping)
		return;
	if (!listing->opened) {
		listing_free(listing);
		return;
	}
	listing->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = closed,
		.fh = listing->fh,
	};
	submit(listing, &listing->req);
}

/* Room for len bytes more, and for one name more. */
static bool listing_room(struct listing *listing, size_t len)
{
	size_t cap = listing->cap ? listing->cap : 8192;
	void *more;

	if (len > BYTES_MAX - listing->used || listing->count >= NAMES_MAX)
		return false;
	while (cap - listing->used < len)
		cap *= 2;
	if (cap != listing->cap) {
		more = realloc(listing->bytes, cap);
		if (!more)
			return false;
		listing->bytes = more;
		listing->cap = cap;
	}
	if (listing->count < listing->index_cap)
		return true;
	cap = listing->index_cap ? listing->index_cap * 2 : 64;
	more = realloc(listing->index, cap * sizeof(size_t));
	if (!more)
		return false;
	listing->index = more;
	listing->index_cap = cap;
	return true;
}

static void listing_add(struct listing *listing,
			const struct csftp_entry *entry)
{
	size_t len = sizeof(struct record) + entry->name.len + 1;
	struct record *record;

	len += -len % _Alignof(struct record);
	if (!listing_room(listing, len)) {
		fusefs_logf(listing->f, "%s: the directory has no end",
			    listing->path);
		listing->err = EIO;
		return;
	}
	record = (struct record *)(void *)(listing->bytes + listing->used);
	record->attr = entry->attr;
	record->told = listing->f->told;
	record->shown = false;
	memcpy(record->name, entry->name.ptr, entry->name.len);
	record->name[entry->name.len] = '\0';
	listing->index[listing->count++] = listing->used;
	listing->used += len;
}

static struct record *listing_record(const struct listing *listing,
				     size_t index)
{
	return (struct record *)(void *)(listing->bytes +
					 listing->index[index]);
}

static bool is_dots(const struct csftp_slice *name)
{
	const char *text = name->ptr;

	return (name->len == 1 && text[0] == '.') ||
	       (name->len == 2 && text[0] == '.' && text[1] == '.');
}

static bool is_name(const struct csftp_slice *name)
{
	return name->len > 0 && name->len <= CSFTP_NAME_MAX &&
	       !memchr(name->ptr, '/', name->len) &&
	       !memchr(name->ptr, '\0', name->len);
}

/* Says it once per listing, as a server can send any number of them. */
static void complain(struct listing *listing, const struct csftp_slice *name)
{
	const unsigned char *text = name->ptr;
	size_t len = name->len < 64 ? name->len : 64;
	char shown[4 * 64 + 1];
	size_t at = 0;

	if (listing->complained)
		return;
	listing->complained = true;
	for (size_t i = 0; i < len; i++) {
		bool plain = text[i] >= ' ' && text[i] < 0x7f;
		int n = snprintf(shown + at, sizeof(shown) - at,
				 plain ? "%c" : "\\x%02x", text[i]);

		at += n > 0 ? (size_t)n : 0;
	}
	shown[at] = '\0';
	fusefs_logf(listing->f,
		    "%s: the server sent a name that is none, left out: \"%s\"",
		    listing->path, shown);
}

static bool take_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct batch *batch = (struct batch *)req;
	struct listing *listing = batch->listing;

	batch->any = true;
	if (listing->err || !listing->dir)
		return true;
	if (!is_name(&entry->name))
		complain(listing, &entry->name);
	else if (!is_dots(&entry->name))
		listing_add(listing, entry);
	return true;
}

static bool wants_more(const struct listing *listing)
{
	return listing->dir && listing->opened && !listing->eof &&
	       !listing->err && listing->outstanding < listing->window &&
	       listing->count < listing->wanted + AHEAD_MAX;
}

static void listing_pump(struct listing *listing);

/* Many have names in more than the first two of them, or none has. */
static void widen(struct listing *listing)
{
	if (listing->f->config.sync_readdir)
		return;
	if (listing->outstanding == 0 && listing->window < WINDOW_MORE)
		listing->window = WINDOW_MORE;
	if (listing->window < WINDOW_MAX &&
	    listing->count > (size_t)listing->window * LONG)
		listing->window *= 2;
}

static void batch_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct batch *batch = (struct batch *)req;
	struct listing *listing = batch->listing;

	answered(listing);
	listing->outstanding--;
	batch->outstanding = false;
	listing->empty = batch->any ? 0 : listing->empty + 1;
	if (!listing->err && !listing->eof)
		listing->err = reply->err;
	if (!reply->err && reply->eof)
		listing->eof = true;
	if (!listing->eof && !listing->err && listing->empty > EMPTY_MAX) {
		fusefs_logf(listing->f, "%s: the directory has no end",
			    listing->path);
		listing->err = EIO;
	}
	widen(listing);
	if (listing->outstanding == 0 || listing->window != WINDOW_FIRST ||
	    listing->eof || listing->err)
		listing_pump(listing);
	else if (listing->dir)
		dir_serve(listing->dir);
}

static void listing_ask(struct listing *listing)
{
	struct batch *batch = listing->batch;

	while (batch->outstanding)
		batch++;
	*batch = (struct batch){
		.req = {.op = CSFTP_OP_READDIR,
			.done = batch_done,
			.entry = take_entry,
			.fh = listing->fh},
		.listing = listing,
		.outstanding = true,
	};
	listing->outstanding++;
	submit(listing, &batch->req);
}

/* Keeps the window full, and serves who waits.  listing may be gone then. */
static void listing_pump(struct listing *listing)
{
	if (listing->pumping)
		return;
	listing->pumping = true;
	while (wants_more(listing))
		listing_ask(listing);
	listing->pumping = false;
	if (listing->dir)
		dir_serve(listing->dir);
	else
		listing_settle(listing);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct listing *listing = (struct listing *)req;

	answered(listing);
	listing->err = reply->err;
	listing->opened = !reply->err;
	listing->fh = reply->fh;
	if (listing->dir && listing->dir->opening)
		dir_opened(listing->dir);
	else
		listing_pump(listing);
}

/* NULL: no memory. */
static struct listing *listing_new(struct dir *dir, const char *path)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	listing->path = strdup(path);
	if (!listing->path) {
		free(listing);
		return NULL;
	}
	listing->f = dir->f;
	listing->dir = dir;
	listing->window = dir->f->config.sync_readdir ? 1 : WINDOW_FIRST;
	listing->req = (struct csftp_req){
		.op = CSFTP_OP_OPENDIR,
		.done = opened,
		.path = listing->path,
	};
	return listing;
}

/* What it waits for is of no use any more. */
static void listing_drop(struct listing *listing)
{
	struct csftp_fs *fs = listing->f->fs;

	listing->dir = NULL;
	listing->pumping = true; /* it stays until all have been cancelled */
	if (listing->pending > 0 && !listing->opened)
		csftp_cancel(fs, &listing->req);
	for (size_t i = 0; i < WINDOW_MAX; i++) {
		if (listing->batch[i].outstanding)
			csftp_cancel(fs, &listing->batch[i].req);
	}
	listing->pumping = false;
	listing_settle(listing);
}

static struct dir *dir_new(struct fusefs *f, struct inode *node)
{
	struct dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->f = f;
	dir->node = node;
	inodes_pin(node);
	dir->next = f->dirs;
	if (dir->next)
		dir->next->prev = dir;
	f->dirs = dir;
	return dir;
}

static void dir_free(struct dir *dir)
{
	struct fusefs *f = dir->f;

	if (dir->listing)
		listing_drop(dir->listing);
	while (dir->waiting) {
		struct fuse_op *op = dir->waiting;

		dir->waiting = op->next_waiting;
		op_fail(op, EIO);
	}
	if (dir->prev)
		dir->prev->next = dir->next;
	else
		f->dirs = dir->next;
	if (dir->next)
		dir->next->prev = dir->prev;
	inodes_unpin(f->inodes, dir->node);
	free(dir);
}

/* The kernel has it from now on; false, and gone: it does not take it. */
static bool dir_hand_over(struct dir *dir)
{
	struct fuse_op *op = dir->opening;
	bool taken;

	dir->opening = NULL;
	op->fi.fh = (uintptr_t)dir;
	taken = fuse_reply_open(op->req, &op->fi) == 0;
	op->req = NULL;
	op_free(op);
	if (!taken)
		dir_free(dir);
	return taken;
}

/* OPENDIR was answered: so is the caller, while the first names come. */
static void dir_opened(struct dir *dir)
{
	struct listing *listing = dir->listing;
	struct fuse_op *op = dir->opening;
	int err = listing->err;

	if (err == ENOENT && op->req && op_moved(op)) {
		char *path = strdup(op->path);

		if (path) {
			free(listing->path);
			listing->path = path;
			listing->err = 0;
			listing->req.path = path;
			submit(listing, &listing->req);
			return;
		}
	}
	if (!err && op->req) {
		if (dir_hand_over(dir))
			listing_pump(listing);
		return;
	}
	dir->opening = NULL;
	op_reply_err(op, err);
	dir_free(dir);
	op_free(op);
}

static struct dir *first_opening(const struct fusefs *f)
{
	struct dir *dir = f->dirs;

	while (dir && !dir->opening)
		dir = dir->next;
	return dir;
}

void fusefs_hold(struct fusefs *f, bool on)
{
	struct dir *dir;

	if (f->held == on)
		return;
	f->held = on;
	while (on && (dir = first_opening(f)) != NULL)
		dir_opened(dir);
}

void fusefs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, op_free);
	struct dir *dir;

	if (!op || !op_path(op, NULL))
		return;
	op->fi = *fi;
	dir = dir_new(op->f, op->node);
	if (dir)
		dir->listing = listing_new(dir, op->path);
	if (!dir || !dir->listing) {
		if (dir)
			dir_free(dir);
		op_fail(op, ENOMEM);
		return;
	}
	dir->opening = op;
	if (!op->f->held || dir_hand_over(dir))
		submit(dir->listing, &dir->listing->req);
}

/* A new listing; without a path or memory the old one has to do. */
static void dir_restart(struct dir *dir)
{
	struct fusefs *f = dir->f;
	char path[CSFTP_PATH_MAX + 1];
	struct listing *listing = NULL;

	if (inodes_path(f->inodes, f->config.root, dir->node, NULL, path) == 0)
		listing = listing_new(dir, path);
	if (!listing)
		return;
	listing_drop(dir->listing);
	dir->listing = listing;
	dir->started = false;
	submit(listing, &listing->req);
}

static size_t add_plain(struct fuse_op *op, char *buf, size_t room,
			const struct dir *dir, const struct record *record,
			off_t next)
{
	struct stat st = {
		.st_ino = inodes_number(op->f->inodes, dir->node, record->name,
					strlen(record->name)),
		.st_mode = attr_type(&record->attr, 0),
	};

	return fuse_add_direntry(op->req, buf, room, record->name, &st, next);
}

/*
 * Whether the kernel is given attributes, and so a node.  It is not where it
 * was told later ones while the name lay here: it would show a file with the
 * size that it had, and zeros where it ends by now.  Nor where the file is
 * open, as it may be read right now, and who opened it has asked later.
 */
static bool is_shown(const struct dir *dir, const struct record *record)
{
	const struct inode *node;

	if (!(record->attr.mask & CSFTP_ATTR_MODE) ||
	    !attr_type(&record->attr, 0))
		return false;
	node = inodes_child(dir->f->inodes, dir->node, record->name,
			    strlen(record->name));
	return !node || (!node->files && node->told <= record->told);
}

/*
 * Without attributes there is no node: the kernel is given the name, with its
 * type if that is known, and looks it up when it needs more.
 */
static size_t add_plus(struct fuse_op *op, char *buf, size_t room,
		       const struct dir *dir, struct record *record, off_t next)
{
	uint32_t type = attr_type(&record->attr, 0);
	struct fuse_entry_param entry = {
		.attr_timeout = op->f->config.attr_timeout,
		.entry_timeout = op->f->config.entry_timeout,
	};
	struct inode *node = NULL;
	size_t len =
		fuse_add_direntry_plus(op->req, NULL, 0, record->name, NULL, 0);

	if (len > room)
		return len;
	if (is_shown(dir, record) &&
	    (dir->node->name || dir->node->id == INODE_ROOT))
		node = inodes_lookup(op->f->inodes, dir->node, record->name,
				     strlen(record->name), type);
	record->shown = node != NULL;
	if (node) {
		entry.ino = node->id;
		attr_to_stat(op->f, &record->attr, node, &entry.attr);
	} else {
		entry.attr.st_ino =
			inodes_number(op->f->inodes, dir->node, record->name,
				      strlen(record->name));
		entry.attr.st_mode = type;
	}
	return fuse_add_direntry_plus(op->req, buf, room, record->name, &entry,
				      next);
}

/* "." and "..": these are no lookups. */
static size_t add_dots(struct fuse_op *op, char *buf, size_t room,
		       const struct dir *dir, off_t next)
{
	const struct inode *node = dir->node;
	const char *name = next == 1 ? "." : "..";
	struct fuse_entry_param entry = {.attr = {.st_mode = S_IFDIR}};

	if (next == 2 && node->parent)
		node = node->parent;
	entry.attr.st_ino = node->number;
	if (op->flags & PLUS)
		return fuse_add_direntry_plus(op->req, buf, room, name, &entry,
					      next);
	return fuse_add_direntry(op->req, buf, room, name, &entry.attr, next);
}

static size_t add_one(struct fuse_op *op, char *buf, size_t room,
		      const struct dir *dir, size_t index)
{
	off_t next = (off_t)index + 1;
	struct record *record;

	if (index < DOTS)
		return add_dots(op, buf, room, dir, next);
	record = listing_record(dir->listing, index - DOTS);
	if (op->flags & PLUS)
		return add_plus(op, buf, room, dir, record, next);
	return add_plain(op, buf, room, dir, record, next);
}

/* The kernel did not take the reply: those were no lookups. */
static void undo(struct fuse_op *op, const struct dir *dir, size_t from,
		 size_t to)
{
	struct inodes *inodes = op->f->inodes;

	for (size_t i = from < DOTS ? DOTS : from; i < to; i++) {
		const struct record *record =
			listing_record(dir->listing, i - DOTS);
		struct inode *node = inodes_child(
			inodes, dir->node, record->name, strlen(record->name));

		if (node && record->shown)
			inodes_forget(inodes, node, 1);
	}
}

static void fill(struct fuse_op *op, const struct dir *dir)
{
	size_t total = dir->listing->count + DOTS;
	size_t size = op->size < FUSEFS_DIRBUF ? op->size : FUSEFS_DIRBUF;
	size_t index = op->off;
	char *buf = op->f->dirbuf;
	size_t used = 0;

	while (index < total) {
		size_t len = add_one(op, buf + used, size - used, dir, index);

		if (len > size - used)
			break;
		used += len;
		index++;
	}
	if (fuse_reply_buf(op->req, buf, used) < 0 && (op->flags & PLUS))
		undo(op, dir, op->off, index);
	op->req = NULL;
}

/* False: it has to wait for names. */
static bool answer(struct fuse_op *op, struct dir *dir)
{
	const struct listing *listing = dir->listing;
	size_t first = op->off < DOTS ? DOTS : op->off;

	if (!op->req)
		return true;
	if (first >= listing->count + DOTS) {
		if (listing->err) {
			op_reply_err(op, listing->err);
			return true;
		}
		if (!listing->eof)
			return false;
	}
	if (op->off == 0)
		dir->started = true;
	fill(op, dir);
	return true;
}

static void dir_serve(struct dir *dir)
{
	struct fuse_op **at = &dir->waiting;

	while (*at) {
		struct fuse_op *op = *at;

		if (answer(op, dir)) {
			*at = op->next_waiting;
			op_free(op);
		} else {
			at = &op->next_waiting;
		}
	}
}

static void readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi, uint32_t flags)
{
	struct fuse_op *op = op_on(req, ino, op_free);
	struct dir *dir = dir_from(fi);

	if (!op)
		return;
	if (off < 0) {
		op_fail(op, EINVAL);
		return;
	}
	op->flags = flags;
	op->size = size;
	op->off = (uint64_t)off;
	if (off == 0 && dir->started)
		dir_restart(dir);
	if (op->off > dir->listing->wanted)
		dir->listing->wanted = op->off;
	op->next_waiting = dir->waiting;
	dir->waiting = op;
	listing_pump(dir->listing);
}

void fusefs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	readdir(req, ino, size, off, fi, 0);
}

void fusefs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	readdir(req, ino, size, off, fi, PLUS);
}

void fusefs_releasedir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_err(req, 0);
	dir_free(dir_from(fi));
}

/* Who answers nothing early has nothing to flush. */
static void fsyncdir_finish(struct fuse_op *op)
{
	int err = op_err(op);

	op_reply_err(op, err == EOPNOTSUPP ? 0 : err);
	op_free(op);
}

/*
 * SFTP knows no fsync of a directory.  Its changes are made when they are
 * answered, but for files that are made behind.
 */
void fusefs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, fsyncdir_finish);
	struct csftp_req *ask;

	(void)datasync;
	(void)fi;
	if (!op || !op_path(op, NULL))
		return;
	ask = op_ask(op, CSFTP_OP_FLUSH);
	ask->path = op->path;
	op_submit(op, ask);
	op_put(op);
}

void dir_close_all(struct fusefs *f)
{
	while (f->dirs)
		dir_free(f->dirs);
}
