#include "core/memfs.h"

#include <errno.h>
#include <string.h>

/* Where something new goes.  slash: whether a '/' may end its path. */
static int spot_new(struct mem_spot *out, const struct mem_fs *mem,
		    const char *path, bool slash)
{
	int err = mem_walk(out, mem, path, MEM_PARENT);

	if (err != 0)
		return err;
	if (out->node)
		return EEXIST;
	return out->slash && !slash ? ENOENT : 0;
}

void mem_op_mkdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot spot;
	struct mem_node *node;
	int err = spot_new(&spot, mem, req->path, true);

	if (err == 0)
		err = mem_node_new(&node, mem,
				   CSFTP_S_IFDIR | mem_new_mode(req, 0755));
	if (err == 0) {
		err = mem_entry_add(mem, spot.dir, spot.name, node);
		if (err != 0)
			mem_node_put(mem, node);
	}
	csftp_reply_err(req, err);
}

static int rmdir_check(const struct mem_spot *spot)
{
	switch (spot->last) {
	case MEM_LAST_NAME:
		break;
	case MEM_LAST_DOT:
		return EINVAL;
	case MEM_LAST_DOTDOT:
		return ENOTEMPTY;
	case MEM_LAST_ROOT:
		return EBUSY;
	}
	if (!spot->node)
		return ENOENT;
	if (!mem_is_dir(spot->node))
		return ENOTDIR;
	return spot->node->dir.first ? ENOTEMPTY : 0;
}

void mem_op_rmdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot spot;
	int err = mem_walk(&spot, mem, req->path, MEM_PARENT);

	if (err == 0)
		err = rmdir_check(&spot);
	if (err == 0)
		mem_entry_remove(mem, spot.entry);
	csftp_reply_err(req, err);
}

void mem_op_unlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot spot;
	int err = mem_walk(&spot, mem, req->path, MEM_PARENT);

	if (err == 0 && !spot.node)
		err = ENOENT;
	else if (err == 0 && mem_is_dir(spot.node))
		err = EISDIR;
	else if (err == 0 && spot.slash)
		err = ENOTDIR;
	if (err == 0)
		mem_entry_remove(mem, spot.entry);
	csftp_reply_err(req, err);
}

static int link_new(struct mem_node **out, struct mem_fs *mem, const char *text)
{
	size_t len = strlen(text);
	struct mem_buf *buf;
	int err;

	if (len == 0)
		return ENOENT;
	if (len > CSFTP_PATH_MAX)
		return ENAMETOOLONG;
	buf = mem_buf_new(len + 1);
	if (!buf)
		return ENOMEM;
	memcpy(buf->bytes, text, len + 1);
	err = mem_node_new(out, mem, CSFTP_S_IFLNK | 0777);
	if (err != 0) {
		mem_dispose(mem, &buf->dead);
		return err;
	}
	(*out)->text = buf;
	(*out)->size = len;
	return 0;
}

void mem_op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot spot;
	struct mem_node *node;
	int err = spot_new(&spot, mem, req->path, false);

	if (err == 0)
		err = link_new(&node, mem, req->path2);
	if (err == 0) {
		err = mem_entry_add(mem, spot.dir, spot.name, node);
		if (err != 0)
			mem_node_put(mem, node);
	}
	csftp_reply_err(req, err);
}

void mem_op_link(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot spot;
	struct mem_node *node;
	int err = mem_lookup(&node, mem, req->path, MEM_NOFOLLOW);

	if (err == 0)
		err = spot_new(&spot, mem, req->path2, false);
	if (err == 0 && mem_is_dir(node))
		err = EPERM;
	else if (err == 0 && node->nlink >= MEM_LINKS_MAX)
		err = EMLINK;
	if (err == 0)
		err = mem_entry_add(mem, spot.dir, spot.name, node);
	csftp_reply_err(req, err);
}

/* Whether node is dir or above it. */
static bool holds(const struct mem_node *node, const struct mem_node *dir)
{
	while (dir != node && dir != dir->dir.parent)
		dir = dir->dir.parent;
	return dir == node;
}

/* What Linux checks, in its order. */
static int rename_check(const struct mem_spot *from, const struct mem_spot *to,
			uint32_t flags)
{
	bool keep = !(flags & CSFTP_REPLACE);

	if (from->last != MEM_LAST_NAME)
		return EBUSY;
	if (to->last != MEM_LAST_NAME)
		return keep ? EEXIST : EBUSY;
	if (!from->node)
		return ENOENT;
	if (keep && to->node)
		return EEXIST;
	if (!mem_is_dir(from->node) && (from->slash || to->slash))
		return ENOTDIR;
	if (mem_is_dir(from->node) && holds(from->node, to->dir))
		return EINVAL;
	if (!to->node || to->node == from->node)
		return 0;
	if (mem_is_dir(to->node) && holds(to->node, from->dir))
		return ENOTEMPTY;
	if (mem_is_dir(from->node) != mem_is_dir(to->node))
		return mem_is_dir(to->node) ? EISDIR : ENOTDIR;
	if (mem_is_dir(to->node) && to->node->dir.first)
		return ENOTEMPTY;
	return 0;
}

void mem_op_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_spot from;
	struct mem_spot to;
	int err = mem_walk(&from, mem, req->path, MEM_PARENT);

	if (err == 0)
		err = mem_walk(&to, mem, req->path2, MEM_PARENT);
	if (err == 0)
		err = rename_check(&from, &to, req->flags);
	/* Two names of one file: POSIX has both stay. */
	if (err == 0 && to.node != from.node) {
		if (to.entry)
			mem_entry_replace(mem, to.entry, from.node);
		else
			err = mem_entry_add(mem, to.dir, to.name, from.node);
		if (err == 0)
			mem_entry_remove(mem, from.entry);
	}
	csftp_reply_err(req, err);
}
