#include "core/memfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEM_BYTES_PRESET ((uint64_t)1 << 30)
#define MEM_NODES_PRESET 1000000U
#define MEM_BLOCK	 4096U
#define NSEC_PER_SEC	 1000000000U

struct mem_fs *mem_of(struct csftp_fs *fs)
{
	return (struct mem_fs *)fs;
}

struct csftp_attr mem_attr(const struct mem_node *node)
{
	return (struct csftp_attr){
		.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE | CSFTP_ATTR_UID |
			CSFTP_ATTR_GID | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME |
			CSFTP_ATTR_NLINK,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.nlink = node->nlink,
		.size = node->size,
		.atime = node->atime,
		.mtime = node->mtime,
	};
}

uint32_t mem_new_mode(const struct csftp_req *req, uint32_t preset)
{
	if (!req->attr || !(req->attr->mask & CSFTP_ATTR_MODE))
		return preset;
	return req->attr->mode & 07777U;
}

/* What "path | fh" means. */
static int target(struct mem_node **out, const struct mem_fs *mem,
		  const struct csftp_req *req)
{
	const struct mem_handle *handle;

	if (req->path)
		return mem_lookup(out, mem, req->path,
				  req->flags & CSFTP_NOFOLLOW ? MEM_NOFOLLOW
							      : MEM_FOLLOW);
	handle = mem_handle_get(mem, req->fh);
	if (!handle)
		return EBADF;
	*out = handle->node;
	return 0;
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_node *node;
	struct csftp_attr attr;
	int err = target(&node, mem_of(fs), req);

	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	attr = mem_attr(node);
	csftp_reply_attr(req, &attr);
}

static int size_check(const struct mem_fs *mem, const struct csftp_req *req,
		      const struct mem_node *node)
{
	if (req->attr->size > MEM_SIZE_MAX)
		return EINVAL;
	/* As ftruncate(2), which needs a handle to write with. */
	if (!req->path &&
	    !(mem_handle_get(mem, req->fh)->flags & CSFTP_OPEN_WRITE))
		return EINVAL;
	if (mem_is_dir(node))
		return EISDIR;
	return mem_is_file(node) ? 0 : EINVAL;
}

/* All is checked before anything is changed. */
static int setattr_check(const struct mem_fs *mem, const struct csftp_req *req,
			 const struct mem_node *node)
{
	const struct csftp_attr *attr = req->attr;

	if ((attr->mask & CSFTP_ATTR_SIZE) && (req->flags & CSFTP_NOFOLLOW))
		return EINVAL;
	if ((attr->mask & CSFTP_ATTR_ATIME) &&
	    !(attr->mask & CSFTP_ATTR_ATIME_NOW) &&
	    attr->atime.nsec >= NSEC_PER_SEC)
		return EINVAL;
	if ((attr->mask & CSFTP_ATTR_MTIME) &&
	    !(attr->mask & CSFTP_ATTR_MTIME_NOW) &&
	    attr->mtime.nsec >= NSEC_PER_SEC)
		return EINVAL;
	/* Linux has no modes on symbolic links. */
	if ((attr->mask & CSFTP_ATTR_MODE) && mem_is_link(node))
		return EOPNOTSUPP;
	if (attr->mask & CSFTP_ATTR_SIZE)
		return size_check(mem, req, node);
	return 0;
}

static void setattr_apply(struct mem_fs *mem, struct mem_node *node,
			  const struct csftp_attr *attr)
{
	if (attr->mask & CSFTP_ATTR_SIZE) {
		mem_data_resize(mem, node, attr->size);
		node->mtime = mem_now(mem);
	}
	if (attr->mask & CSFTP_ATTR_MODE)
		node->mode =
			(node->mode & CSFTP_S_IFMT) | (attr->mode & 07777U);
	if (attr->mask & CSFTP_ATTR_UID)
		node->uid = attr->uid;
	if (attr->mask & CSFTP_ATTR_GID)
		node->gid = attr->gid;
	if (attr->mask & CSFTP_ATTR_ATIME_NOW)
		node->atime = mem_now(mem);
	else if (attr->mask & CSFTP_ATTR_ATIME)
		node->atime = attr->atime;
	if (attr->mask & CSFTP_ATTR_MTIME_NOW)
		node->mtime = mem_now(mem);
	else if (attr->mask & CSFTP_ATTR_MTIME)
		node->mtime = attr->mtime;
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_node *node;
	int err = target(&node, mem, req);

	if (err == 0)
		err = setattr_check(mem, req, node);
	if (err == 0)
		setattr_apply(mem, node, req->attr);
	csftp_reply_err(req, err);
}

static void op_readlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_node *node;
	int err = mem_lookup(&node, mem, req->path, MEM_NOFOLLOW);

	if (err == 0 && !mem_is_link(node))
		err = EINVAL;
	mem_lend(mem);
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_text(req, node->text->bytes, (size_t)node->size);
	mem_return(mem);
}

/* A path that is written from its end. */
struct upward {
	char text[CSFTP_PATH_MAX];
	size_t left; /* not yet used, at the start of text */
};

static int prepend(struct upward *path, const void *name, size_t len)
{
	if (len + 1 > path->left)
		return ENAMETOOLONG;
	path->left -= len + 1;
	path->text[path->left] = '/';
	memcpy(path->text + path->left + 1, name, len);
	return 0;
}

static int path_of(struct upward *path, const struct mem_spot *spot)
{
	const struct mem_node *dir = spot->dir;
	int err = 0;

	if (spot->last == MEM_LAST_NAME)
		err = prepend(path, spot->name.ptr, spot->name.len);
	for (; err == 0 && dir->dir.entry; dir = dir->dir.parent)
		err = prepend(path, dir->dir.entry->name,
			      dir->dir.entry->name_len);
	if (err == 0 && path->left == sizeof(path->text))
		err = prepend(path, "", 0);
	return err;
}

/* The home of whoever asks is "/"; nobody else has one. */
static int expand(const char **path)
{
	if (**path != '~')
		return 0;
	if ((*path)[1] && (*path)[1] != '/')
		return ENOENT;
	++*path;
	return 0;
}

static void op_realpath(struct csftp_fs *fs, struct csftp_req *req)
{
	struct upward path = {.left = sizeof(path.text)};
	const char *asked = req->path;
	struct mem_spot spot;
	int err = 0;

	if (req->flags & CSFTP_EXPAND)
		err = expand(&asked);
	if (err == 0)
		err = mem_walk(&spot, mem_of(fs), asked, MEM_FOLLOW);
	/* The last name may be missing, but not where it is a directory's. */
	if (err == 0 && !spot.node && spot.slash)
		err = ENOENT;
	if (err == 0)
		err = path_of(&path, &spot);
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_text(req, path.text + path.left,
				 sizeof(path.text) - path.left);
}

static void op_statfs(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct mem_fs *mem = mem_of(fs);
	uint64_t used = (mem->bytes + MEM_BLOCK - 1) / MEM_BLOCK;
	struct csftp_statfs statfs = {
		.bsize = MEM_BLOCK,
		.frsize = MEM_BLOCK,
		.blocks = mem->config.max_bytes / MEM_BLOCK,
		.files = mem->config.max_nodes,
		.ffree = mem->config.max_nodes - mem->node_count,
		.namemax = CSFTP_NAME_MAX,
	};
	struct mem_node *node;
	int err = target(&node, mem, req);

	if (used < statfs.blocks)
		statfs.bfree = statfs.blocks - used;
	statfs.bavail = statfs.bfree;
	statfs.favail = statfs.ffree;
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply(req, &(struct csftp_reply){.statfs = &statfs});
}

static void op_homedir(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_text(req, "/", 1);
}

static void op_idname(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_err(req, ENOENT);
}

static const struct csftp_fs_ops mem_ops = {
	.op =
		{
			[CSFTP_OP_GETATTR] = op_getattr,
			[CSFTP_OP_SETATTR] = op_setattr,
			[CSFTP_OP_READLINK] = op_readlink,
			[CSFTP_OP_REALPATH] = op_realpath,
			[CSFTP_OP_MKDIR] = mem_op_mkdir,
			[CSFTP_OP_RMDIR] = mem_op_rmdir,
			[CSFTP_OP_UNLINK] = mem_op_unlink,
			[CSFTP_OP_SYMLINK] = mem_op_symlink,
			[CSFTP_OP_LINK] = mem_op_link,
			[CSFTP_OP_RENAME] = mem_op_rename,
			[CSFTP_OP_OPEN] = mem_op_open,
			[CSFTP_OP_READ] = mem_op_read,
			[CSFTP_OP_WRITE] = mem_op_write,
			[CSFTP_OP_FSYNC] = mem_op_fsync,
			[CSFTP_OP_CLOSE] = mem_op_close,
			[CSFTP_OP_OPENDIR] = mem_op_opendir,
			[CSFTP_OP_READDIR] = mem_op_readdir,
			[CSFTP_OP_STATFS] = op_statfs,
			[CSFTP_OP_COPY_RANGE] = mem_op_copy_range,
			[CSFTP_OP_HOMEDIR] = op_homedir,
			[CSFTP_OP_IDNAME] = op_idname,
		},
};

enum csftp_err csftp_memfs_new(struct csftp_fs **out,
			       const struct csftp_memfs_config *config)
{
	struct mem_fs *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return CSFTP_ERR_NOMEM;
	mem->fs.ops = &mem_ops;
	mem->fs.traits = CSFTP_FS_INLINE;
	if (config)
		mem->config = *config;
	if (mem->config.max_bytes == 0)
		mem->config.max_bytes = MEM_BYTES_PRESET;
	if (mem->config.max_nodes == 0)
		mem->config.max_nodes = MEM_NODES_PRESET;
	if (mem_node_new(&mem->root, mem, CSFTP_S_IFDIR | 0755) != 0) {
		free(mem);
		return CSFTP_ERR_NOMEM;
	}
	mem->root->nlink = 2;
	mem->root->dir.parent = mem->root;
	*out = &mem->fs;
	return CSFTP_OK;
}

void csftp_memfs_free(struct csftp_fs *fs)
{
	struct mem_fs *mem;

	if (!fs)
		return;
	mem = mem_of(fs);
	for (uint32_t i = 0; i < mem->slot_count; i++)
		free(mem->slot[i].handle);
	for (size_t i = 0; i < mem->bucket_count; i++) {
		while (mem->bucket[i]) {
			struct mem_entry *entry = mem->bucket[i];

			mem->bucket[i] = entry->hash_next;
			free(entry);
		}
	}
	while (mem->nodes)
		mem_node_free(mem, mem->nodes);
	free(mem->slot);
	free(mem->bucket);
	free(mem);
}
