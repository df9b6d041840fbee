#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fusefs/frontend.h"

#define BLOCK_SIZE 512U /* of st_blocks */

uint32_t attr_type(const struct csftp_attr *attr, uint32_t otherwise)
{
	uint32_t type = attr->mode & S_IFMT;

	return (attr->mask & (CSFTP_ATTR_MODE | CSFTP_ATTR_TYPE)) && type
		       ? type
		       : otherwise;
}

uint32_t fusefs_mode(int32_t mask, int32_t otherwise)
{
	int32_t bits = mask >= 0 ? mask : otherwise;

	return bits >= 0 ? FUSEFS_MODE_SET | (0777U & ~(uint32_t)bits) : 0;
}

static uint32_t shown_mode(const struct fusefs *f,
			   const struct csftp_attr *attr)
{
	uint32_t type = attr_type(attr, S_IFREG);
	uint32_t set =
		type == S_IFDIR ? f->config.dir_mode : f->config.file_mode;
	uint32_t mode = 0600U;

	if (set & FUSEFS_MODE_SET)
		mode = set & 07777U;
	else if (attr->mask & CSFTP_ATTR_MODE)
		mode = attr->mode & 07777U;
	return type | mode;
}

static uint32_t shown_uid(const struct fusefs *f, const struct csftp_attr *attr)
{
	if (f->config.uid >= 0)
		return (uint32_t)f->config.uid;
	if (!(attr->mask & CSFTP_ATTR_UID))
		return f->config.local_uid;
	return attr->uid;
}

static uint32_t shown_gid(const struct fusefs *f, const struct csftp_attr *attr)
{
	if (f->config.gid >= 0)
		return (uint32_t)f->config.gid;
	if (!(attr->mask & CSFTP_ATTR_GID))
		return f->config.local_gid;
	return attr->gid;
}

static struct timespec to_timespec(struct csftp_time time)
{
	struct timespec spec = {.tv_sec = time.sec, .tv_nsec = time.nsec};

	/* The kernel takes no second that is longer than one. */
	if (time.nsec > 999999999U)
		spec.tv_nsec = 0;
	return spec;
}

/*
 * Without a count, 1 on a directory tells find(1) that it cannot know; who has
 * locked a file is told by 0 that it has lost its name.
 */
static nlink_t shown_links(const struct csftp_attr *attr,
			   const struct inode *node)
{
	if (attr->mask & CSFTP_ATTR_NLINK)
		return attr->nlink;
	return node->name || node->id == INODE_ROOT || node->linked ? 1 : 0;
}

void attr_to_stat(struct fusefs *f, const struct csftp_attr *attr,
		  struct inode *node, struct stat *st)
{
	uint64_t size = attr->mask & CSFTP_ATTR_SIZE ? attr->size : 0;

	/* The kernel refuses a file whose size is negative to it. */
	if (size > INT64_MAX)
		size = INT64_MAX;
	node->told = ++f->told;
	node->size = size;
	node->mode = attr->mask & CSFTP_ATTR_MODE ? attr->mode & 07777U : 0;
	*st = (struct stat){
		.st_ino = node->number,
		.st_mode = shown_mode(f, attr),
		.st_nlink = shown_links(attr, node),
		.st_uid = shown_uid(f, attr),
		.st_gid = shown_gid(f, attr),
		.st_size = (off_t)size,
		.st_blksize = 4096,
		.st_blocks =
			(blkcnt_t)(size / BLOCK_SIZE + (size % BLOCK_SIZE > 0)),
	};
	if (attr->mask & CSFTP_ATTR_ATIME)
		st->st_atim = to_timespec(attr->atime);
	if (attr->mask & CSFTP_ATTR_MTIME)
		st->st_mtim = to_timespec(attr->mtime);
	st->st_ctim = st->st_mtim;
}

/* What becomes of an error about a path that the kernel knew to be there. */
static int gone(const struct fuse_op *op, int err)
{
	return err == ENOENT && !op->node->name && op->node->id != INODE_ROOT
		       ? ESTALE
		       : err;
}

/* A READ that is under way does not show the kernel any more where it ends. */
void attr_doubt(struct fusefs *f, struct inode *node)
{
	node->told = ++f->told;
	(void)fuse_lowlevel_notify_inval_inode(f->session, node->id, -1, 0);
}

static void attr_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (err)
		op_reply_err(op, gone(op, err));
	else
		op_reply_attr(op);
	op_free(op);
}

/*
 * Points the question at the handle where there is one, as that is the file
 * whatever it is called by now, or else at the path.
 */
static void aim(struct fuse_op *op, struct csftp_req *req)
{
	if (op->file) {
		req->fh = op->file->fh;
		return;
	}
	req->path = op->path;
	req->flags = CSFTP_NOFOLLOW;
}

static void getattr_go(struct fuse_op *op, int err)
{
	struct csftp_req *req;

	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	req = op_ask(op, CSFTP_OP_GETATTR);
	aim(op, req);
	if (op->file && op->file->more)
		req->flags |= CSFTP_SYNC;
	op_submit(op, req);
	op_put(op);
}

static void getattr_finish(struct fuse_op *op)
{
	if (op->req && !op->file && op_err(op) == ENOENT && op_moved(op))
		getattr_go(op, 0);
	else
		attr_finish(op);
}

/* The handle that an operation on a node without a path has to go through. */
static struct file *handle_for(const struct fuse_op *op,
			       const struct fuse_file_info *fi, uint32_t flags)
{
	if (fi)
		return file_from(fi);
	return file_of(op->node, flags);
}

void fusefs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, getattr_finish);
	struct file *file;

	if (!op)
		return;
	file = handle_for(op, op->node->type == S_IFDIR ? NULL : fi, 0);
	if (file)
		file_use(op, file, getattr_go);
	else if (op_path(op, NULL))
		getattr_go(op, 0);
}

static void from_timespec(struct csftp_time *time, const struct timespec *spec)
{
	time->sec = spec->tv_sec;
	time->nsec = (uint32_t)spec->tv_nsec;
}

static void attr_from(const struct stat *st, int set, struct csftp_attr *attr)
{
	*attr = (struct csftp_attr){0};
	if (set & FUSE_SET_ATTR_UID) {
		attr->mask |= CSFTP_ATTR_UID;
		attr->uid = st->st_uid;
	}
	if (set & FUSE_SET_ATTR_GID) {
		attr->mask |= CSFTP_ATTR_GID;
		attr->gid = st->st_gid;
	}
	if (set & FUSE_SET_ATTR_MODE) {
		attr->mask |= CSFTP_ATTR_MODE;
		attr->mode = st->st_mode & 07777U;
	}
	if (set & FUSE_SET_ATTR_SIZE) {
		attr->mask |= CSFTP_ATTR_SIZE;
		attr->size = (uint64_t)st->st_size;
	}
	if (set & FUSE_SET_ATTR_ATIME) {
		attr->mask |= CSFTP_ATTR_ATIME;
		from_timespec(&attr->atime, &st->st_atim);
	}
	if (set & FUSE_SET_ATTR_MTIME) {
		attr->mask |= CSFTP_ATTR_MTIME;
		from_timespec(&attr->mtime, &st->st_mtim);
	}
	if (set & FUSE_SET_ATTR_ATIME_NOW)
		attr->mask |= CSFTP_ATTR_ATIME_NOW;
	if (set & FUSE_SET_ATTR_MTIME_NOW)
		attr->mask |= CSFTP_ATTR_MTIME_NOW;
}

static void ask_attr_behind(struct fuse_op *op)
{
	struct csftp_req *req = op_ask(op, CSFTP_OP_GETATTR);

	aim(op, req);
	op_submit(op, req);
}

/*
 * Version 3 sends owner and group, and both times, in pairs only (filexfer-02,
 * section 5).  Where the other half has to be asked for first, the question
 * that was sent behind it has overtaken what was set then.
 */
static bool was_overtaken(const struct fuse_op *op)
{
	const struct csftp_attr *set = &op->in;
	const struct csftp_attr *is = &op->attr;
	uint32_t shown = set->mask & is->mask;

	return ((shown & CSFTP_ATTR_UID) && set->uid != is->uid) ||
	       ((shown & CSFTP_ATTR_GID) && set->gid != is->gid) ||
	       ((shown & CSFTP_ATTR_ATIME) &&
		set->atime.sec != is->atime.sec) ||
	       ((shown & CSFTP_ATTR_MTIME) && set->mtime.sec != is->mtime.sec);
}

/*
 * Some servers set no sizes and say that they did: what a program cuts off
 * would be there all the same.  A write meanwhile may have put it there.
 */
static bool kept_its_size(const struct fuse_op *op)
{
	return (op->in.mask & op->attr.mask & CSFTP_ATTR_SIZE) &&
	       op->attr.size != op->in.size &&
	       op->attr.size == op->node->size &&
	       op->changes == op->node->changes;
}

static void setattr_finish(struct fuse_op *op)
{
	bool told = op->req && op->asked > 1 && !op_err(op);

	if (!op->ask[0].err && (op->in.mask & CSFTP_ATTR_MODE))
		file_mode_changed(op->node, op->in.mode);
	/* Once: a server may have other values than it was given. */
	if (told && op->asked == 2 &&
	    (was_overtaken(op) || kept_its_size(op))) {
		op->asks = 1;
		ask_attr_behind(op);
		op_put(op);
		return;
	}
	if (told && kept_its_size(op)) {
		op_fail(op, EOPNOTSUPP);
		return;
	}
	attr_finish(op);
}

/*
 * What is set of a new file can go with its writes, so who closes it is told
 * what became of that, though there was nothing to write.
 */
static void close_will_tell(const struct inode *node)
{
	for (struct file *file = node->files; file; file = file->next)
		file->written = file->written || file->made;
}

static void setattr_go(struct fuse_op *op, int err)
{
	struct csftp_req *req;

	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	if (op->in.mask) {
		close_will_tell(op->node);
		if (op->file && (op->in.mask & CSFTP_ATTR_SIZE))
			op->file->written = true;
		req = op_ask(op, CSFTP_OP_SETATTR);
		aim(op, req);
		/* Not every server can change a link, and a size has none. */
		if (op->node->type != S_IFLNK)
			req->flags = 0;
		req->attr = &op->in;
		op_submit(op, req);
	}
	/* Right behind it, for the reply: both travel together. */
	ask_attr_behind(op);
	op_put(op);
}

/* By the handle of fi, if there is one, as that is what a size is set of. */
static void setattr_begin(struct fuse_op *op, const struct fuse_file_info *fi)
{
	uint32_t flags = op->in.mask & CSFTP_ATTR_SIZE ? CSFTP_OPEN_WRITE : 0;
	struct file *file = NULL;

	if (op->node->type == S_IFREG && (fi || !op->node->name))
		file = handle_for(op, fi, flags);
	if (file)
		file_use(op, file, setattr_go);
	else if (op_path(op, NULL))
		setattr_go(op, 0);
}

/* What has the right to write keeps it, however the mode changes. */
static void chmod_go(struct fuse_op *op, int err)
{
	if (!op->req)
		op_free(op);
	else if (!file_rescue_from(op, op->in.mode, err, chmod_go))
		setattr_begin(op, NULL);
}

void fusefs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		    struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, setattr_finish);

	if (!op)
		return;
	attr_from(st, set, &op->in);
	op->node->changes += (op->in.mask & CSFTP_ATTR_SIZE) != 0;
	op->changes = op->node->changes;
	if (!fi && (op->in.mask & CSFTP_ATTR_MODE))
		chmod_go(op, 0);
	else
		setattr_begin(op, fi);
}

static void access_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (err == ENOENT && op->req && !op->file && op_moved(op)) {
		getattr_go(op, 0);
		return;
	}
	if (!err && !(shown_mode(op->f, &op->attr) & 0111U))
		err = EACCES;
	op_reply_err(op, gone(op, err));
	op_free(op);
}

/*
 * Who may do what only the server knows, and says it to who does it; but what
 * nobody may execute nobody can, as it is this kernel that does it.
 */
void fusefs_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fuse_op *op = op_on(req, ino, access_finish);
	struct file *file;

	if (!op)
		return;
	if (!(mask & X_OK) || op->node->type != S_IFREG) {
		op_fail(op, 0);
		return;
	}
	file = handle_for(op, NULL, 0);
	if (file)
		file_use(op, file, getattr_go);
	else if (op_path(op, NULL))
		getattr_go(op, 0);
}

static void readlink_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (err) {
		op_reply_err(op, err);
	} else if (op->req) {
		fuse_reply_readlink(op->req, op->path2);
		op->req = NULL;
	}
	op_free(op);
}

void fusefs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_op *op = op_on(req, ino, readlink_finish);
	struct csftp_req *ask;

	if (!op || !op_path(op, NULL))
		return;
	ask = op_ask(op, CSFTP_OP_READLINK);
	ask->path = op->path;
	op_submit(op, ask);
	op_put(op);
}

/*
 * Where the server cannot tell: programs that look for room before they write
 * would find none in a file system without a size.
 */
#define UNKNOWN_BYTES ((uint64_t)1000 << 30)
#define UNKNOWN_FILES 1000000000U

static void statfs_finish(struct fuse_op *op)
{
	const struct csftp_statfs *from = &op->statfs;
	const uint64_t blocks = UNKNOWN_BYTES / 4096;
	struct statvfs to = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = blocks,
		.f_bfree = blocks,
		.f_bavail = blocks,
		.f_files = UNKNOWN_FILES,
		.f_ffree = UNKNOWN_FILES,
		.f_favail = UNKNOWN_FILES,
		.f_namemax = CSFTP_NAME_MAX,
	};
	int err = op_err(op);

	/* A server that cannot tell is no reason for df(1) to fail. */
	if (err && err != EOPNOTSUPP) {
		op_reply_err(op, err);
	} else if (op->req) {
		if (!err) {
			to.f_bsize = from->bsize;
			to.f_frsize = from->frsize ? from->frsize : 4096;
			to.f_blocks = from->blocks;
			to.f_bfree = from->bfree;
			to.f_bavail = from->bavail;
			to.f_files = from->files;
			to.f_ffree = from->ffree;
			to.f_favail = from->favail;
			to.f_namemax = from->namemax;
		}
		if (to.f_namemax > CSFTP_NAME_MAX)
			to.f_namemax = CSFTP_NAME_MAX;
		fuse_reply_statfs(op->req, &to);
		op->req = NULL;
	}
	op_free(op);
}

void fusefs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_op *op = op_on(req, ino ? ino : INODE_ROOT, statfs_finish);
	struct csftp_req *ask;

	if (!op || !op_path(op, NULL))
		return;
	ask = op_ask(op, CSFTP_OP_STATFS);
	ask->path = op->path;
	op_submit(op, ask);
	op_put(op);
}
