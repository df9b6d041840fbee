#include "server/posixfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server/posixfs_impl.h"

struct posixfs *posixfs_of(struct csftp_fs *fs)
{
	return (struct posixfs *)fs;
}

void posixfs_attr(struct csftp_attr *out, const struct stat *st)
{
	*out = (struct csftp_attr){
		.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE | CSFTP_ATTR_UID |
			CSFTP_ATTR_GID | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME |
			CSFTP_ATTR_NLINK,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.nlink = (uint32_t)st->st_nlink,
		.size = (uint64_t)st->st_size,
		.atime = {st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec},
		.mtime = {st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec},
	};
}

/* fh: the index below, the generation above. */
struct posixfs_handle *posixfs_handle_get(const struct posixfs *px, csftp_fh fh)
{
	uint32_t index = (uint32_t)fh;

	if (index >= px->handle_fresh || px->handle[index].fd < 0 ||
	    px->handle[index].generation != (uint32_t)(fh >> 32))
		return NULL;
	return &px->handle[index];
}

int posixfs_file_fd(const struct posixfs *px, csftp_fh fh)
{
	const struct posixfs_handle *handle = posixfs_handle_get(px, fh);

	return handle && !handle->listing ? handle->fd : -1;
}

bool posixfs_handle_room(const struct posixfs *px)
{
	return px->handle_free != px->handle_count ||
	       px->handle_fresh < px->handle_count;
}

csftp_fh posixfs_handle_open(struct posixfs *px,
			     const struct posixfs_handle *from)
{
	uint32_t index = px->handle_free;
	struct posixfs_handle *handle;

	if (index == px->handle_count) {
		index = px->handle_fresh++;
		px->handle[index] = (struct posixfs_handle){
			.generation = 1, .next_free = px->handle_count};
	}
	handle = &px->handle[index];
	px->handle_free = handle->next_free;
	handle->fd = from->fd;
	handle->flags = from->flags;
	handle->access = from->access;
	handle->listing = from->listing;
	handle->whole = (struct posixfs_whole){.known = false};
	handle->haste = (struct posixfs_haste){.known = px->opens_near};
	if (handle->flags & CSFTP_OPEN_WRITE)
		px->writers++;
	return (csftp_fh)handle->generation << 32 | index;
}

int posixfs_handle_close(struct posixfs *px, struct posixfs_handle *handle)
{
	int fd = handle->fd;

	if (handle->listing) {
		handle->listing->next = px->listings;
		px->listings = handle->listing;
	}
	handle->listing = NULL;
	handle->fd = -1;
	if (handle->flags & CSFTP_OPEN_WRITE)
		px->writers++;
	handle->generation++;
	handle->next_free = px->handle_free;
	px->handle_free = (uint32_t)(handle - px->handle);
	return fd;
}

static int nofollow(const struct csftp_req *req)
{
	return req->flags & CSFTP_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
}

static int stat_path(const struct posixfs *px, const struct csftp_req *req,
		     struct stat *st)
{
	struct posixfs_opened opened;
	int flags = O_PATH | O_CLOEXEC;
	int err;

	if (!posixfs_jailed(px)) {
		err = fstatat(px->dirfd, req->path, st,
			      nofollow(req) | AT_EMPTY_PATH);
		return err == 0 ? 0 : errno;
	}
	if (nofollow(req))
		flags |= O_NOFOLLOW;
	err = posixfs_path_open(&opened, px, req->path, flags, 0);
	if (err != 0)
		return err;
	err = fstat(opened.fd, st) == 0 ? 0 : errno;
	close(opened.fd);
	return err;
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct csftp_attr attr;
	struct stat st;
	int err = EBADF;

	if (req->path)
		err = stat_path(px, req, &st);
	else if (handle)
		err = fstat(handle->fd, &st) == 0 ? 0 : errno;
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	posixfs_attr(&attr, &st);
	csftp_reply_attr(req, &attr);
}

/*
 * In a jail of an O_PATH descriptor, as then no path is left to be changed.
 * Of one that is no link, the kernel says ENOENT.
 */
static int read_link(const struct posixfs *px, const char *path,
		     char text[PATH_MAX], size_t *len)
{
	struct posixfs_opened opened;
	ssize_t got;
	int err;

	if (!posixfs_jailed(px)) {
		got = readlinkat(px->dirfd, *path ? path : ".", text, PATH_MAX);
		*len = got < 0 ? 0 : (size_t)got;
		return got < 0 ? errno : 0;
	}
	err = posixfs_path_open(&opened, px, path,
				O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (err != 0)
		return err;
	got = readlinkat(opened.fd, "", text, PATH_MAX);
	*len = got < 0 ? 0 : (size_t)got;
	if (got < 0)
		err = errno == ENOENT ? EINVAL : errno;
	close(opened.fd);
	return err;
}

static void op_readlink(struct csftp_fs *fs, struct csftp_req *req)
{
	char text[PATH_MAX];
	size_t len;
	int err = read_link(posixfs_of(fs), req->path, text, &len);

	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_text(req, text, len);
}

/*
 * A read-only place for what would make or remove a name.  As on a read-only
 * mount, what is wrong with the name itself comes first.
 */
static int read_only(const struct posixfs_place *place, bool makes)
{
	struct stat st;

	if (place->access == POSIXFS_RW)
		return 0;
	if (fstatat(place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return makes && errno == ENOENT ? EROFS : errno;
	return makes ? EEXIST : EROFS;
}

static int make_dir(const struct posixfs *px, const struct posixfs_place *place,
		    mode_t mode)
{
	int err = read_only(place, true);
	int fd;

	if (err != 0)
		return err;
	if (mkdirat(place->dirfd, place->name, posixfs_mode(px, mode, true)))
		return errno;
	if (px->dirs.force == 0)
		return 0;
	fd = openat(place->dirfd, place->name,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = posixfs_force_mode(px, fd);
	close(fd);
	return err;
}

static void op_mkdir(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	struct posixfs_place place;
	mode_t mode = 0777;
	int err = posixfs_place(&place, px, req->path);

	if (req->attr && (req->attr->mask & CSFTP_ATTR_MODE))
		mode = req->attr->mode & 07777U;
	if (err == 0) {
		err = make_dir(px, &place, mode);
		posixfs_place_end(&place);
	}
	csftp_reply_err(req, err);
}

static void remove_name(struct csftp_fs *fs, struct csftp_req *req, int flags)
{
	struct posixfs_place place;
	int err = posixfs_place(&place, posixfs_of(fs), req->path);

	if (err == 0) {
		err = place.holds ? EBUSY : read_only(&place, false);
		if (err == 0 && unlinkat(place.dirfd, place.name, flags) != 0)
			err = errno;
		posixfs_place_end(&place);
	}
	csftp_reply_err(req, err);
}

static void op_rmdir(struct csftp_fs *fs, struct csftp_req *req)
{
	remove_name(fs, req, AT_REMOVEDIR);
}

static void op_unlink(struct csftp_fs *fs, struct csftp_req *req)
{
	remove_name(fs, req, 0);
}

/* The text is stored as it is: what it leads to is judged when it is used. */
static void op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs_place place;
	int err = posixfs_place(&place, posixfs_of(fs), req->path);

	if (err == 0) {
		err = read_only(&place, true);
		if (err == 0 && place.slash)
			err = ENOENT;
		if (err == 0 &&
		    symlinkat(req->path2, place.dirfd, place.name) != 0)
			err = errno;
		posixfs_place_end(&place);
	}
	csftp_reply_err(req, err);
}

static int link_places(const struct posixfs_place *from,
		       const struct posixfs_place *to)
{
	int err = read_only(to, true);

	/* As between mounts: by a second name it could be written to. */
	if (err == 0 && from->access != POSIXFS_RW)
		err = EXDEV;
	if (err == 0 && to->slash)
		err = ENOENT;
	if (err == 0 &&
	    linkat(from->dirfd, from->name, to->dirfd, to->name, 0) != 0)
		err = errno;
	return err;
}

static void op_link(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs_place from, to;
	int err = posixfs_place(&from, posixfs_of(fs), req->path);

	if (err == 0) {
		err = posixfs_place(&to, posixfs_of(fs), req->path2);
		if (err == 0) {
			err = link_places(&from, &to);
			posixfs_place_end(&to);
		}
		posixfs_place_end(&from);
	}
	csftp_reply_err(req, err);
}

/* There is no statvfsat(3); O_PATH needs no right to read. */
static int statvfs_path(struct statvfs *out, const struct posixfs *px,
			const char *path)
{
	struct posixfs_opened opened;
	int err = posixfs_path_open(&opened, px, path, O_PATH | O_CLOEXEC, 0);

	if (err != 0)
		return err;
	err = fstatvfs(opened.fd, out) == 0 ? 0 : errno;
	if (opened.access == POSIXFS_RO)
		out->f_flag |= ST_RDONLY;
	close(opened.fd);
	return err;
}

static void op_statfs(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct csftp_statfs statfs;
	struct statvfs vfs = {0};
	int err = EBADF;

	if (req->path)
		err = statvfs_path(&vfs, px, req->path);
	else if (handle)
		err = fstatvfs(handle->fd, &vfs) == 0 ? 0 : errno;
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	if (handle && !req->path && handle->access == POSIXFS_RO)
		vfs.f_flag |= ST_RDONLY;
	statfs = (struct csftp_statfs){
		.bsize = vfs.f_bsize,
		.frsize = vfs.f_frsize,
		.blocks = vfs.f_blocks,
		.bfree = vfs.f_bfree,
		.bavail = vfs.f_bavail,
		.files = vfs.f_files,
		.ffree = vfs.f_ffree,
		.favail = vfs.f_favail,
		.fsid = vfs.f_fsid,
		.namemax = vfs.f_namemax,
	};
	if (vfs.f_flag & ST_RDONLY)
		statfs.flag |= CSFTP_ST_RDONLY;
	if (vfs.f_flag & ST_NOSUID)
		statfs.flag |= CSFTP_ST_NOSUID;
	csftp_reply(req, &(struct csftp_reply){.statfs = &statfs});
}

const struct csftp_fs_ops posixfs_ops = {
	.op =
		{
			[CSFTP_OP_GETATTR] = op_getattr,
			[CSFTP_OP_SETATTR] = posixfs_setattr,
			[CSFTP_OP_READLINK] = op_readlink,
			[CSFTP_OP_REALPATH] = posixfs_realpath,
			[CSFTP_OP_MKDIR] = op_mkdir,
			[CSFTP_OP_RMDIR] = op_rmdir,
			[CSFTP_OP_UNLINK] = op_unlink,
			[CSFTP_OP_SYMLINK] = op_symlink,
			[CSFTP_OP_LINK] = op_link,
			[CSFTP_OP_RENAME] = posixfs_rename,
			[CSFTP_OP_OPEN] = posixfs_open,
			[CSFTP_OP_READ] = posixfs_read,
			[CSFTP_OP_WRITE] = posixfs_write,
			[CSFTP_OP_FSYNC] = posixfs_fsync,
			[CSFTP_OP_CLOSE] = posixfs_close,
			[CSFTP_OP_OPENDIR] = posixfs_opendir,
			[CSFTP_OP_READDIR] = posixfs_readdir,
			[CSFTP_OP_STATFS] = op_statfs,
			[CSFTP_OP_COPY_RANGE] = posixfs_copy_range,
			[CSFTP_OP_HOMEDIR] = posixfs_homedir,
			[CSFTP_OP_IDNAME] = posixfs_id,
		},
};

static enum csftp_err check_config(const struct posixfs_config *config)
{
	uint32_t bits = config->files.mask | config->files.force |
			config->dirs.mask | config->dirs.force;

	if (bits & ~07777U || (config->view_count > 0 && !config->root))
		return CSFTP_ERR_ARG;
	return CSFTP_OK;
}

static enum csftp_err set_up_handles(struct posixfs *px, uint32_t count)
{
	px->writers = 1;
	px->handle_count = count > 0 ? count : POSIXFS_HANDLES;
	px->handle = malloc(px->handle_count * sizeof(*px->handle));
	if (!px->handle)
		return CSFTP_ERR_NOMEM;
	px->handle_free = px->handle_count;
	return CSFTP_OK;
}

/* The current directory may be gone, or closed to us. */
static enum csftp_err set_up_start(struct posixfs *px, const char *start)
{
	const char *path = start ? start : ".";

	px->start = realpath(path, NULL);
	if (!px->start)
		return CSFTP_ERR_IO;
	px->dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return px->dirfd < 0 ? CSFTP_ERR_IO : CSFTP_OK;
}

/* The root, and a look whether this kernel can keep us in it. */
static enum csftp_err set_up_root(struct posixfs *px, const char *root)
{
	int fd;

	px->root = realpath(root, NULL);
	px->start = strdup("");
	if (!px->root || !px->start)
		return CSFTP_ERR_IO;
	px->dirfd = open(px->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (px->dirfd < 0)
		return CSFTP_ERR_IO;
	fd = posixfs_openat2(px->dirfd, ".", O_PATH | O_CLOEXEC, 0,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return CSFTP_ERR_IO;
	close(fd);
	return CSFTP_OK;
}

static enum csftp_err set_up_jail(struct posixfs *px,
				  const struct posixfs_config *config)
{
	enum csftp_err err = set_up_root(px, config->root);
	struct posixfs_opened start;
	char text[PATH_MAX];

	if (err == CSFTP_OK)
		err = posixfs_views_set(px, config);
	if (err != CSFTP_OK || !config->start)
		return err;
	errno = posixfs_canonical(px, text, config->start, false);
	if (errno == 0)
		errno = posixfs_path_open(&start, px, text,
					  O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (errno != 0)
		return CSFTP_ERR_IO;
	close(start.fd);
	free(px->start);
	px->start = strdup(text);
	return px->start ? CSFTP_OK : CSFTP_ERR_NOMEM;
}

/* The way to change the mode of an O_PATH descriptor before Linux 6.6. */
static int open_proc_fds(void)
{
	int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs vfs;

	if (fd < 0 ||
	    (fstatfs(fd, &vfs) == 0 && vfs.f_type == PROC_SUPER_MAGIC))
		return fd;
	close(fd);
	return -1;
}

static enum csftp_err set_up(struct posixfs *px,
			     const struct posixfs_config *config)
{
	enum csftp_err err = check_config(config);

	if (err == CSFTP_OK)
		err = set_up_handles(px, config->handles);
	if (err == CSFTP_OK)
		err = config->root ? set_up_jail(px, config)
				   : set_up_start(px, config->start);
	px->files = config->files;
	px->dirs = config->dirs;
	if (err == CSFTP_OK && (config->root || config->dirs.force))
		px->proc_fds = open_proc_fds();
	return err;
}

enum csftp_err posixfs_new(struct csftp_fs **out,
			   const struct posixfs_config *config)
{
	struct posixfs *px = calloc(1, sizeof(*px));
	enum csftp_err err;
	int saved;

	if (!px)
		return CSFTP_ERR_NOMEM;
	px->fs.ops = &posixfs_ops;
	px->fs.traits = CSFTP_FS_INLINE;
	px->dirfd = -1;
	px->proc_fds = -1;
	err = set_up(px, config);
	if (err == CSFTP_OK) {
		*out = &px->fs;
		return CSFTP_OK;
	}
	saved = errno;
	posixfs_free(&px->fs);
	errno = saved;
	return err;
}

void posixfs_free(struct csftp_fs *fs)
{
	struct posixfs *px;

	if (!fs)
		return;
	px = posixfs_of(fs);
	for (uint32_t i = 0; px->handle && i < px->handle_fresh; i++)
		if (px->handle[i].fd >= 0)
			close(posixfs_handle_close(px, &px->handle[i]));
	while (px->listings) {
		struct posixfs_listing *listing = px->listings;

		px->listings = listing->next;
		free(listing);
	}
	if (px->dirfd >= 0)
		close(px->dirfd);
	if (px->proc_fds >= 0)
		close(px->proc_fds);
	posixfs_views_free(px);
	free(px->handle);
	free(px->start);
	free(px->root);
	free(px);
}
