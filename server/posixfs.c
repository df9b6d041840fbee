#include "server/posixfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server/posixfs_impl.h"

#define NSEC_PER_SEC 1000000000U

struct posixfs *posixfs_of(struct csftp_fs *fs)
{
	return (struct posixfs *)fs;
}

const char *posixfs_at(const char *path)
{
	return *path ? path : ".";
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
	handle->listing = from->listing;
	handle->whole = (struct posixfs_whole){.known = false};
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

static void reply_errno(struct csftp_req *req, int result)
{
	csftp_reply_err(req, result == 0 ? 0 : errno);
}

static int nofollow(const struct csftp_req *req)
{
	return req->flags & CSFTP_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct csftp_attr attr;
	struct stat st;
	int err = 0;

	if (req->path) {
		if (fstatat(px->dirfd, posixfs_at(req->path), &st,
			    nofollow(req)) != 0)
			err = errno;
	} else if (!handle) {
		err = EBADF;
	} else if (fstat(handle->fd, &st) != 0) {
		err = errno;
	}
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	posixfs_attr(&attr, &st);
	csftp_reply_attr(req, &attr);
}

/* What SETATTR works on: path below dirfd, or fd where path is NULL. */
struct target {
	int dirfd;
	const char *path;
	int fd;
	int nofollow; /* 0 or AT_SYMLINK_NOFOLLOW */
};

/*
 * There is no truncateat(2).  Only a regular file is opened for it, as the
 * opening of another kind could do something, or wait.
 */
static int truncate_path(const struct target *to, off_t size)
{
	struct stat st;
	int err = 0;
	int fd;

	if (fstatat(to->dirfd, to->path, &st, 0) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	fd = openat(to->dirfd, to->path,
		    O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno;
	if (ftruncate(fd, size) != 0)
		err = errno;
	close(fd);
	return err;
}

static int set_size(const struct target *to, uint64_t size)
{
	if (to->nofollow || size > INT64_MAX)
		return EINVAL;
	if (to->path)
		return truncate_path(to, (off_t)size);
	return ftruncate(to->fd, (off_t)size) == 0 ? 0 : errno;
}

static struct timespec time_of(const struct csftp_attr *attr,
			       const struct csftp_time *when, uint32_t set,
			       uint32_t now)
{
	struct timespec spec = {.tv_nsec = UTIME_OMIT};

	if (attr->mask & now) {
		spec.tv_nsec = UTIME_NOW;
	} else if (attr->mask & set) {
		spec.tv_sec = when->sec;
		spec.tv_nsec = when->nsec;
	}
	return spec;
}

/* UTIME_NOW and UTIME_OMIT are such numbers: they must not come from outside */
static bool times_valid(const struct csftp_attr *attr)
{
	if ((attr->mask & CSFTP_ATTR_ATIME) &&
	    !(attr->mask & CSFTP_ATTR_ATIME_NOW) &&
	    attr->atime.nsec >= NSEC_PER_SEC)
		return false;
	return !(attr->mask & CSFTP_ATTR_MTIME) ||
	       (attr->mask & CSFTP_ATTR_MTIME_NOW) ||
	       attr->mtime.nsec < NSEC_PER_SEC;
}

static int set_times(const struct target *to, const struct csftp_attr *attr)
{
	struct timespec times[2] = {
		time_of(attr, &attr->atime, CSFTP_ATTR_ATIME,
			CSFTP_ATTR_ATIME_NOW),
		time_of(attr, &attr->mtime, CSFTP_ATTR_MTIME,
			CSFTP_ATTR_MTIME_NOW),
	};
	int result;

	if (!times_valid(attr))
		return EINVAL;
	if (to->path)
		result = utimensat(to->dirfd, to->path, times, to->nofollow);
	else
		result = futimens(to->fd, times);
	return result == 0 ? 0 : errno;
}

static int set_owner(const struct target *to, const struct csftp_attr *attr)
{
	uid_t uid = attr->mask & CSFTP_ATTR_UID ? attr->uid : (uid_t)-1;
	gid_t gid = attr->mask & CSFTP_ATTR_GID ? attr->gid : (gid_t)-1;
	int result;

	if (to->path)
		result = fchownat(to->dirfd, to->path, uid, gid, to->nofollow);
	else
		result = fchown(to->fd, uid, gid);
	return result == 0 ? 0 : errno;
}

static int set_mode(const struct target *to, uint32_t mode)
{
	int result;

	mode &= 07777U;
	if (to->path)
		result = fchmodat(to->dirfd, to->path, mode, to->nofollow);
	else
		result = fchmod(to->fd, mode);
	return result == 0 ? 0 : errno;
}

/*
 * In an order that leaves what was asked for: a new size changes the mtime, a
 * new owner takes the setuid bit away, and a mode can forbid the others.
 */
static int setattr(const struct target *to, const struct csftp_attr *attr)
{
	const uint32_t times = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME |
			       CSFTP_ATTR_ATIME_NOW | CSFTP_ATTR_MTIME_NOW;
	int err = 0;

	if (attr->mask & CSFTP_ATTR_SIZE)
		err = set_size(to, attr->size);
	if (err == 0 && (attr->mask & times))
		err = set_times(to, attr);
	if (err == 0 && (attr->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID)))
		err = set_owner(to, attr);
	if (err == 0 && (attr->mask & CSFTP_ATTR_MODE))
		err = set_mode(to, attr->mode);
	return err;
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct target to = {.dirfd = px->dirfd, .fd = -1};

	if (req->path) {
		to.path = posixfs_at(req->path);
		to.nofollow = nofollow(req);
	} else if (handle) {
		to.fd = handle->fd;
	} else {
		csftp_reply_err(req, EBADF);
		return;
	}
	csftp_reply_err(req, setattr(&to, req->attr));
}

static void op_readlink(struct csftp_fs *fs, struct csftp_req *req)
{
	char text[PATH_MAX];
	ssize_t len = readlinkat(posixfs_of(fs)->dirfd, posixfs_at(req->path),
				 text, sizeof(text));

	if (len < 0)
		csftp_reply_err(req, errno);
	else
		csftp_reply_text(req, text, (size_t)len);
}

static void op_mkdir(struct csftp_fs *fs, struct csftp_req *req)
{
	mode_t mode = 0777;

	if (req->attr && (req->attr->mask & CSFTP_ATTR_MODE))
		mode = req->attr->mode & 07777U;
	reply_errno(req, mkdirat(posixfs_of(fs)->dirfd, posixfs_at(req->path),
				 mode));
}

static void op_rmdir(struct csftp_fs *fs, struct csftp_req *req)
{
	reply_errno(req, unlinkat(posixfs_of(fs)->dirfd, posixfs_at(req->path),
				  AT_REMOVEDIR));
}

static void op_unlink(struct csftp_fs *fs, struct csftp_req *req)
{
	reply_errno(req,
		    unlinkat(posixfs_of(fs)->dirfd, posixfs_at(req->path), 0));
}

static void op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	reply_errno(req, symlinkat(req->path2, posixfs_of(fs)->dirfd,
				   posixfs_at(req->path)));
}

static void op_link(struct csftp_fs *fs, struct csftp_req *req)
{
	int dirfd = posixfs_of(fs)->dirfd;

	reply_errno(req, linkat(dirfd, posixfs_at(req->path), dirfd,
				posixfs_at(req->path2), 0));
}

/*
 * For file systems that do not know RENAME_NOREPLACE: a second name, then
 * without the first.  Where there are no second names, as of directories, it
 * is a look and then the renaming, and between them another process may make
 * what is renamed over.
 */
static int rename_keep(int dirfd, const char *from, const char *to)
{
	struct stat st;

	if (fstatat(dirfd, from, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (!S_ISDIR(st.st_mode)) {
		if (linkat(dirfd, from, dirfd, to, 0) == 0)
			return unlinkat(dirfd, from, 0) == 0 ? 0 : errno;
		if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP &&
		    errno != EMLINK)
			return errno;
	}
	if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return EEXIST;
	if (errno != ENOENT)
		return errno;
	return renameat(dirfd, from, dirfd, to) == 0 ? 0 : errno;
}

static void op_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	int dirfd = posixfs_of(fs)->dirfd;
	const char *from = posixfs_at(req->path);
	const char *to = posixfs_at(req->path2);
	int err = 0;

	if (req->flags & CSFTP_REPLACE) {
		if (renameat(dirfd, from, dirfd, to) != 0)
			err = errno;
	} else if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) != 0) {
		err = errno;
		/* EINVAL is also a directory that would go into itself. */
		if (err == EINVAL || err == ENOSYS || err == EOPNOTSUPP)
			err = rename_keep(dirfd, from, to);
	}
	csftp_reply_err(req, err);
}

/* There is no statvfsat(3); O_PATH needs no right to read. */
static int statvfs_path(struct statvfs *out, int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_PATH | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = fstatvfs(fd, out) == 0 ? 0 : errno;
	close(fd);
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
		err = statvfs_path(&vfs, px->dirfd, posixfs_at(req->path));
	else if (handle)
		err = fstatvfs(handle->fd, &vfs) == 0 ? 0 : errno;
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
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

static const struct csftp_fs_ops posixfs_ops = {
	.op =
		{
			[CSFTP_OP_GETATTR] = op_getattr,
			[CSFTP_OP_SETATTR] = op_setattr,
			[CSFTP_OP_READLINK] = op_readlink,
			[CSFTP_OP_REALPATH] = posixfs_realpath,
			[CSFTP_OP_MKDIR] = op_mkdir,
			[CSFTP_OP_RMDIR] = op_rmdir,
			[CSFTP_OP_UNLINK] = op_unlink,
			[CSFTP_OP_SYMLINK] = op_symlink,
			[CSFTP_OP_LINK] = op_link,
			[CSFTP_OP_RENAME] = op_rename,
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

static enum csftp_err set_up(struct posixfs *px,
			     const struct posixfs_config *config)
{
	const char *start = config->start ? config->start : ".";

	px->fs.ops = &posixfs_ops;
	px->fs.traits = CSFTP_FS_INLINE;
	px->writers = 1;
	px->handle_count =
		config->handles > 0 ? config->handles : POSIXFS_HANDLES;
	px->handle = malloc(px->handle_count * sizeof(*px->handle));
	if (!px->handle)
		return CSFTP_ERR_NOMEM;
	px->handle_free = px->handle_count;
	px->start = realpath(start, NULL);
	if (!px->start)
		return CSFTP_ERR_IO;
	px->dirfd = open(start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return px->dirfd < 0 ? CSFTP_ERR_IO : CSFTP_OK;
}

enum csftp_err posixfs_new(struct csftp_fs **out,
			   const struct posixfs_config *config)
{
	struct posixfs *px = calloc(1, sizeof(*px));
	enum csftp_err err;
	int saved;

	if (!px)
		return CSFTP_ERR_NOMEM;
	px->dirfd = -1;
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
	free(px->handle);
	free(px->start);
	free(px);
}
