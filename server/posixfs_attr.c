#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000U

/* A descriptor's name in /proc/self/fd. */
#define FD_NAME 16

static void fd_name(char name[FD_NAME], int fd)
{
	snprintf(name, FD_NAME, "%d", fd);
}

/*
 * What SETATTR works on: an open file, or a path as the *at() calls take it.
 * In a jail the path is "" and dirfd is an O_PATH descriptor of the thing
 * itself, so that no name is resolved once more.
 */
struct target {
	const struct posixfs *px;
	int fd; /* -1: by path */
	int dirfd;
	const char *path;
	int flags; /* AT_* */
	const struct csftp_req *req;
};

static int target_stat(const struct target *to, struct stat *st)
{
	int result = to->fd >= 0 ? fstat(to->fd, st)
				 : fstatat(to->dirfd, to->path, st, to->flags);

	return result == 0 ? 0 : errno;
}

static int truncate_fd(int fd, off_t size)
{
	int result;

	do
		result = ftruncate(fd, size);
	while (result != 0 && errno == EINTR);
	return result == 0 ? 0 : errno;
}

/*
 * There is no truncateat(2).  Only a regular file is opened for it, as the
 * opening of another kind could do something, or wait.
 */
static int truncate_path(const struct target *to, off_t size)
{
	struct posixfs_opened opened;
	struct stat before, st;
	int err = target_stat(to, &before);

	if (err == 0 && !S_ISREG(before.st_mode))
		err = S_ISDIR(before.st_mode) ? EISDIR : EINVAL;
	if (err == 0)
		err = posixfs_path_open(
			&opened, to->px, to->req->path,
			O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (err != 0)
		return err;
	/* The name can be another file's by now. */
	if (fstat(opened.fd, &st) != 0)
		err = errno;
	else if (st.st_dev != before.st_dev || st.st_ino != before.st_ino)
		err = EBUSY;
	else
		err = truncate_fd(opened.fd, size);
	close(opened.fd);
	return err;
}

static int set_size(const struct target *to, uint64_t size)
{
	if (size > INT64_MAX)
		return EINVAL;
	if (to->fd >= 0)
		return truncate_fd(to->fd, (off_t)size);
	if (to->req->flags & CSFTP_NOFOLLOW)
		return EINVAL;
	return truncate_path(to, (off_t)size);
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
	char name[FD_NAME];
	int result;

	if (!times_valid(attr))
		return EINVAL;
	if (to->fd >= 0)
		result = futimens(to->fd, times);
	else
		result = utimensat(to->dirfd, to->path, times, to->flags);
	/* So says a kernel before Linux 5.8. */
	if (result != 0 && errno == EINVAL && to->flags & AT_EMPTY_PATH &&
	    to->px->proc_fds >= 0) {
		fd_name(name, to->dirfd);
		result = utimensat(to->px->proc_fds, name, times, 0);
	}
	return result == 0 ? 0 : errno;
}

static int set_owner(const struct target *to, const struct csftp_attr *attr)
{
	uid_t uid = attr->mask & CSFTP_ATTR_UID ? attr->uid : (uid_t)-1;
	gid_t gid = attr->mask & CSFTP_ATTR_GID ? attr->gid : (gid_t)-1;
	int result;

	if (to->fd >= 0)
		result = fchown(to->fd, uid, gid);
	else
		result = fchownat(to->dirfd, to->path, uid, gid, to->flags);
	return result == 0 ? 0 : errno;
}

/* Of any descriptor, also an O_PATH one. */
static int posixfs_chmod_fd(const struct posixfs *px, int fd, uint32_t mode)
{
	char name[FD_NAME];

	if (posixfs_fchmodat2(fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	/* A sandbox that does not know the call says EPERM. */
	if (errno != ENOSYS && errno != EPERM)
		return errno;
	if (fchmod(fd, mode) == 0)
		return 0;
	if (errno != EBADF)
		return errno;
	/* An O_PATH descriptor, and a kernel before Linux 6.6. */
	if (px->proc_fds < 0)
		return EOPNOTSUPP;
	fd_name(name, fd);
	return fchmodat(px->proc_fds, name, mode, 0) == 0 ? 0 : errno;
}

uint32_t posixfs_mode(const struct posixfs *px, uint32_t mode, bool is_dir)
{
	const struct posixfs_modes *modes = is_dir ? &px->dirs : &px->files;

	mode &= 07777U;
	if (modes->mask != 0)
		mode &= modes->mask;
	return mode | modes->force;
}

int posixfs_force_mode(const struct posixfs *px, int fd)
{
	struct stat st;
	uint32_t mode;

	if (fstat(fd, &st) != 0)
		return errno;
	mode = st.st_mode & 07777U;
	mode |= S_ISDIR(st.st_mode) ? px->dirs.force : px->files.force;
	if (mode == (st.st_mode & 07777U))
		return 0;
	return posixfs_chmod_fd(px, fd, mode);
}

static int set_mode(const struct target *to, uint32_t mode)
{
	const struct posixfs *px = to->px;
	struct stat st;
	int result;
	int err;

	mode &= 07777U;
	if (px->files.mask || px->files.force || px->dirs.mask ||
	    px->dirs.force) {
		err = target_stat(to, &st);
		if (err != 0)
			return err;
		mode = posixfs_mode(px, mode, S_ISDIR(st.st_mode));
	}
	if (to->fd < 0 && to->flags & AT_EMPTY_PATH)
		return posixfs_chmod_fd(px, to->dirfd, mode);
	if (to->fd >= 0)
		result = fchmod(to->fd, mode);
	else
		result = fchmodat(to->dirfd, to->path, mode, to->flags);
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

static int setattr_path(struct target *to)
{
	struct posixfs_opened opened;
	int flags = O_PATH | O_CLOEXEC;
	int err;

	if (!posixfs_jailed(to->px)) {
		to->dirfd = to->px->dirfd;
		to->path = *to->req->path ? to->req->path : ".";
		to->flags = to->req->flags & CSFTP_NOFOLLOW
				    ? AT_SYMLINK_NOFOLLOW
				    : 0;
		return setattr(to, to->req->attr);
	}
	if (to->req->flags & CSFTP_NOFOLLOW)
		flags |= O_NOFOLLOW;
	err = posixfs_path_open(&opened, to->px, to->req->path, flags, 0);
	if (err != 0)
		return err;
	to->dirfd = opened.fd;
	to->path = "";
	to->flags = AT_EMPTY_PATH;
	err = opened.access == POSIXFS_RW ? setattr(to, to->req->attr) : EROFS;
	close(opened.fd);
	return err;
}

void posixfs_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct target to = {.px = px, .fd = -1, .req = req};
	int err = EBADF;

	if (req->path) {
		err = setattr_path(&to);
	} else if (handle) {
		to.fd = handle->fd;
		err = handle->access == POSIXFS_RW ? setattr(&to, req->attr)
						   : EROFS;
	}
	csftp_reply_err(req, err);
}
