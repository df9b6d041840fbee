#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fusefs/frontend.h"

/*
 * Names of files.  The tree of nodes follows what the server has confirmed,
 * also when the caller did not wait for it.
 */

static void reply_absent(struct fuse_op *op)
{
	struct fuse_entry_param none = {
		.entry_timeout = op->f->config.negative_timeout,
	};

	if (!op->req)
		return;
	if (none.entry_timeout > 0)
		fuse_reply_entry(op->req, &none);
	else
		fuse_reply_err(op->req, ENOENT);
	op->req = NULL;
}

/*
 * The kernel looks directories up again and again, to go through them; it asks
 * for the times when somebody wants to know.
 */
static void ask_rough(struct fuse_op *op)
{
	struct csftp_req *req = op_ask(op, CSFTP_OP_GETATTR);

	req->path = op->path;
	req->flags = CSFTP_NOFOLLOW | CSFTP_ROUGH;
	op_submit(op, req);
}

static void lookup_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (err == ENOENT && op->req && op_moved(op)) {
		ask_rough(op);
		op_put(op);
		return;
	}
	if (err == ENOENT)
		reply_absent(op);
	else if (err)
		op_reply_err(op, err);
	else
		op_reply_entry(op);
	op_free(op);
}

void fusefs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_op *op = op_on(req, parent, lookup_finish);

	if (!op || !op_path(op, name))
		return;
	ask_rough(op);
	op_put(op);
}

static void forget(struct fusefs *f, fuse_ino_t ino, uint64_t count)
{
	struct inode *node = inodes_get(f->inodes, ino);

	if (node && ino != INODE_ROOT)
		inodes_forget(f->inodes, node, count);
}

void fusefs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	forget(fuse_req_userdata(req), ino, count);
	fuse_reply_none(req);
}

void fusefs_forget_multi(fuse_req_t req, size_t count,
			 struct fuse_forget_data *forgets)
{
	struct fusefs *f = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		forget(f, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* The end of all that makes a name: the first question made it. */
static void made_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (err)
		op_reply_err(op, err);
	else
		op_reply_entry(op);
	op_free(op);
}

void fusefs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode)
{
	struct fuse_op *op = op_on(req, parent, made_finish);
	struct csftp_req *ask;

	if (!op || !op_path(op, name))
		return;
	op->in = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = mode & 07777U,
	};
	op_owner(op);
	ask = op_ask(op, CSFTP_OP_MKDIR);
	ask->path = op->path;
	ask->attr = &op->in;
	op_submit(op, ask);
	op_ask_attr(op, op->path);
	op_put(op);
}

static void mknod_opened(struct fuse_op *op)
{
	struct csftp_req *ask;

	if (!op->opened) {
		made_finish(op);
		return;
	}
	op->asks = 1;
	op->finish = made_finish;
	ask = op_ask(op, CSFTP_OP_CLOSE);
	ask->fh = op->fh;
	op_submit(op, ask);
	op_ask_attr(op, op->path);
	op_put(op);
}

/* SFTP version 3 makes files by opening them, and no devices or pipes. */
void fusefs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode, dev_t rdev)
{
	struct fuse_op *op = op_on(req, parent, mknod_opened);
	struct csftp_req *ask;

	(void)rdev;
	if (!op || !op_path(op, name))
		return;
	if (!S_ISREG(mode)) {
		op_fail(op, EOPNOTSUPP);
		return;
	}
	op->in = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = mode & 07777U,
	};
	op_owner(op);
	ask = op_ask(op, CSFTP_OP_OPEN);
	ask->path = op->path;
	ask->flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL;
	ask->attr = &op->in;
	op_submit(op, ask);
	op_put(op);
}

static struct inode *child(const struct fuse_op *op, const struct inode *parent,
			   const char *name)
{
	return inodes_child(op->f->inodes, parent, name, strlen(name));
}

static void removed_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (!err)
		inodes_detach(op->f->inodes, child(op, op->node, op->name));
	op_reply_err(op, err);
	op_free(op);
}

static void unlink_go(struct fuse_op *op, int err)
{
	struct csftp_req *ask;

	if (!op->req) {
		op_free(op);
		return;
	}
	if (file_rescue(op, child(op, op->node, op->name), err, unlink_go))
		return;
	ask = op_ask(op, CSFTP_OP_UNLINK);
	ask->path = op->path;
	op_submit(op, ask);
	op_put(op);
}

void fusefs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_op *op = op_on(req, parent, removed_finish);

	if (op && op_path(op, name))
		unlink_go(op, 0);
}

void fusefs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_op *op = op_on(req, parent, removed_finish);
	struct csftp_req *ask;

	if (!op || !op_path(op, name))
		return;
	ask = op_ask(op, CSFTP_OP_RMDIR);
	ask->path = op->path;
	op_submit(op, ask);
	op_put(op);
}

void fusefs_symlink(fuse_req_t req, const char *text, fuse_ino_t parent,
		    const char *name)
{
	struct fuse_op *op = op_on(req, parent, made_finish);
	struct csftp_req *ask;
	size_t len = strlen(text);

	if (!op || !op_path(op, name))
		return;
	if (len > CSFTP_PATH_MAX) {
		op_fail(op, ENAMETOOLONG);
		return;
	}
	memcpy(op->path2, text, len + 1);
	ask = op_ask(op, CSFTP_OP_SYMLINK);
	ask->path = op->path;
	ask->path2 = op->path2;
	op_owner(op);
	ask->attr = op->in.mask ? &op->in : NULL;
	op_submit(op, ask);
	op_ask_attr(op, op->path);
	op_put(op);
}

/*
 * Builds path2 as the path of name in the directory, which is pinned as node2.
 * False: answered.
 */
static bool second_path(struct fuse_op *op, fuse_ino_t parent, const char *name)
{
	struct inode *node = inodes_get(op->f->inodes, parent);
	int err = ESTALE;

	if (node)
		err = inodes_path(op->f->inodes, op->f->config.root, node, name,
				  op->path2);
	if (strlen(name) > CSFTP_NAME_MAX)
		err = ENAMETOOLONG;
	if (err) {
		op_fail(op, err);
		return false;
	}
	op->node2 = node;
	inodes_pin(node);
	return true;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void fusefs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		 const char *name)
{
	struct fuse_op *op = op_on(req, ino, made_finish);
	struct csftp_req *ask;

	if (!op)
		return;
	if (op->f->config.no_links) {
		op_fail(op, EOPNOTSUPP);
		return;
	}
	if (!op_path(op, NULL) || !second_path(op, parent, name))
		return;
	op->linked = true;
	op->name = last_name(op->path2);
	ask = op_ask(op, CSFTP_OP_LINK);
	ask->path = op->path;
	ask->path2 = op->path2;
	op_submit(op, ask);
	op_ask_attr(op, op->path2);
	op_put(op);
}

static void renamed_finish(struct fuse_op *op)
{
	struct inodes *inodes = op->f->inodes;
	const char *name = last_name(op->path2);
	struct inode *node = child(op, op->node, op->name);
	int err = op_err(op);

	if (!err && !node) {
		inodes_detach(inodes, child(op, op->node2, name));
	} else if (!err && inodes_move(inodes, node, op->node2, name) != 0) {
		/* Better no name than a wrong one: it is looked up anew. */
		inodes_detach(inodes, child(op, op->node2, name));
		inodes_detach(inodes, node);
	}
	op_reply_err(op, err);
	op_free(op);
}

static void rename_go(struct fuse_op *op, int err)
{
	struct csftp_req *ask;

	if (!op->req) {
		op_free(op);
		return;
	}
	if (file_rescue(op, child(op, op->node, op->name), err, rename_go) ||
	    file_rescue(op, child(op, op->node2, last_name(op->path2)), err,
			rename_go))
		return;
	ask = op_ask(op, CSFTP_OP_RENAME);
	ask->path = op->path;
	ask->path2 = op->path2;
	ask->flags = op->flags;
	op_submit(op, ask);
	op_put(op);
}

void fusefs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		   fuse_ino_t newparent, const char *newname,
		   unsigned int flags)
{
	struct fuse_op *op = op_on(req, parent, renamed_finish);

	if (!op || !op_path(op, name) || !second_path(op, newparent, newname))
		return;
	if (flags & ~(unsigned)RENAME_NOREPLACE) {
		op_fail(op, EINVAL);
		return;
	}
	op->flags = flags & RENAME_NOREPLACE ? 0 : CSFTP_REPLACE;
	rename_go(op, 0);
}
