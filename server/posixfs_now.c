/*
 * What is answered at once, by a server that has threads for what waits.
 *
 * Of READ the kernel tells: RWF_NOWAIT gives what is in the page cache, and
 * EAGAIN for the rest.  Some file systems know that for WRITE as well.  Of a
 * name it tells with RESOLVE_CACHED whether it is known, which costs more than
 * the look-up itself; so that is asked only where there are file systems that
 * others answer for (server/mounts.h).  On a disk of our own a look-up that has
 * to read takes milliseconds, and no minutes: that is the asker's to notice.
 */
#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

static bool is_far(const struct posixfs *px, struct posixfs_handle *handle)
{
	struct posixfs_haste *haste = &handle->haste;
	struct statx st;

	if (!haste->known) {
		haste->known = true;
		haste->far = statx(handle->fd, "",
				   AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0,
				   &st) != 0 ||
			     mounts_far(px->mounts, makedev(st.stx_dev_major,
							    st.stx_dev_minor));
	}
	return haste->far;
}

static ssize_t read_now(int fd, void *into, size_t len, off_t off)
{
	const struct iovec iov = {into, len};

	return preadv2(fd, &iov, 1, off, RWF_NOWAIT);
}

/*
 * A part of it is an answer only where it is the end: clients take less than
 * they asked for as a reason to ask for less.
 */
static bool read_all_now(int fd, char *into, size_t len, off_t off,
			 ssize_t *sum)
{
	ssize_t got = 1;

	for (*sum = 0; (size_t)*sum < len && got > 0; *sum += got)
		got = read_now(fd, into + *sum, len - (size_t)*sum, off + *sum);
	if (got < 0)
		*sum = got;
	return got >= 0;
}

static bool answer_read(struct posixfs *px, struct posixfs_handle *handle,
			struct csftp_req *req)
{
	struct csftp_reply reply = {0};
	size_t len = (size_t)req->len;
	char *into = req->into;
	ssize_t got;

	if (!into) {
		len = req->len < POSIXFS_SCRATCH ? len : POSIXFS_SCRATCH;
		into = px->scratch;
	}
	if (!read_all_now(handle->fd, into, len, (off_t)req->off, &got)) {
		handle->haste.no_read = errno == EOPNOTSUPP;
		return false;
	}
	reply.data = (struct csftp_slice){into, (size_t)got};
	reply.eof = got == 0;
	px->scratch_lent = into == px->scratch;
	csftp_reply(req, &reply);
	px->scratch_lent = false;
	return true;
}

/* What is not for a file of this machine, or not so simple, is done as ever. */
static bool now_read(struct posixfs *px, struct posixfs_handle *handle,
		     struct csftp_req *req)
{
	if (handle->listing || req->pipe || px->scratch_lent ||
	    req->off > INT64_MAX - SSIZE_MAX / 2 || req->len > SSIZE_MAX / 2) {
		csftp_submit(&px->fs, req);
		return true;
	}
	if (!handle->haste.no_read && answer_read(px, handle, req))
		return true;
	if (!handle->haste.no_read || is_far(px, handle))
		return false;
	csftp_submit(&px->fs, req);
	return true;
}

static bool is_plain(const struct posixfs_handle *handle,
		     const struct csftp_req *req)
{
	return !handle->listing && req->len > 0 && req->len <= SSIZE_MAX &&
	       req->off <= INT64_MAX && !(handle->flags & CSFTP_OPEN_APPEND);
}

/*
 * A part may have been written when the rest would wait: it is written once
 * more then, which makes no difference.
 */
static bool now_write(struct posixfs *px, struct posixfs_handle *handle,
		      struct csftp_req *req)
{
	struct iovec iov = {(void *)(uintptr_t)req->data, (size_t)req->len};

	if (is_plain(handle, req) && !handle->haste.no_write) {
		ssize_t put = pwritev2(handle->fd, &iov, 1, (off_t)req->off,
				       RWF_NOWAIT);

		if (put >= 0 && (uint64_t)put == req->len) {
			csftp_reply_err(req, 0);
			return true;
		}
		if (put >= 0 || errno == EAGAIN)
			return false;
		handle->haste.no_write = errno == EOPNOTSUPP;
	}
	if (is_far(px, handle))
		return false;
	csftp_submit(&px->fs, req);
	return true;
}

/* Whether the directory that a name is in is near. */
static bool is_parent_near(const struct posixfs *px, const char *path)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	if (len >= sizeof(dir))
		return true;
	memcpy(dir, path, len);
	dir[len] = '\0';
	return posixfs_path_near(px, dir, true, NULL);
}

static bool is_near(const struct posixfs *px, const struct csftp_req *req)
{
	const char *path = req->path;

	switch (req->op) {
	case CSFTP_OP_OPEN:
		return posixfs_path_near(px, path, true, NULL) &&
		       (!(req->flags & CSFTP_OPEN_CREAT) ||
			is_parent_near(px, path));
	case CSFTP_OP_GETATTR:
	case CSFTP_OP_SETATTR:
		return posixfs_path_near(px, path,
					 !(req->flags & CSFTP_NOFOLLOW), NULL);
	case CSFTP_OP_READLINK:
		return posixfs_path_near(px, path, false, NULL);
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
	case CSFTP_OP_SYMLINK:
		return is_parent_near(px, path);
	case CSFTP_OP_LINK:
	case CSFTP_OP_RENAME:
		return is_parent_near(px, path) &&
		       is_parent_near(px, req->path2);
	case CSFTP_OP_REALPATH:
	case CSFTP_OP_OPENDIR:
	case CSFTP_OP_STATFS:
	case CSFTP_OP_READ:
	case CSFTP_OP_WRITE:
	case CSFTP_OP_FSYNC:
	case CSFTP_OP_CLOSE:
	case CSFTP_OP_READDIR:
	case CSFTP_OP_COPY_RANGE:
	case CSFTP_OP_HOMEDIR:
	case CSFTP_OP_IDNAME:
	case CSFTP_OP_FLUSH:
	case CSFTP_OP_COUNT:
		break;
	}
	return posixfs_path_near(px, path, true, NULL);
}

void posixfs_set_mounts(struct csftp_fs *fs, struct mounts *mounts)
{
	posixfs_of(fs)->mounts = mounts;
}

static struct csftp_time time_of(const struct statx_timestamp *from)
{
	return (struct csftp_time){from->tv_sec, from->tv_nsec};
}

/*
 * The look whether it is near tells all that is asked for.  Views have more to
 * say about a path.
 */
static bool stat_near(struct posixfs *px, struct csftp_req *req, bool *near)
{
	bool follow = !(req->flags & CSFTP_NOFOLLOW);
	struct csftp_attr attr;
	struct statx st;

	*near = posixfs_path_near(px, req->path, follow, &st);
	if (!*near || px->view_count > 0 ||
	    (st.stx_mask & STATX_BASIC_STATS) != STATX_BASIC_STATS)
		return false;
	posixfs_attr(&attr, &(struct stat){.st_mode = st.stx_mode,
					   .st_uid = st.stx_uid,
					   .st_gid = st.stx_gid,
					   .st_nlink = st.stx_nlink,
					   .st_size = (off_t)st.stx_size});
	attr.atime = time_of(&st.stx_atime);
	attr.mtime = time_of(&st.stx_mtime);
	csftp_reply_attr(req, &attr);
	return true;
}

/* Where there are file systems that others answer for. */
static bool now_among_far(struct posixfs *px, struct posixfs_handle *handle,
			  struct csftp_req *req)
{
	bool near = true;

	if (req->path && req->op == CSFTP_OP_GETATTR) {
		if (stat_near(px, req, &near))
			return true;
	} else if (handle) {
		near = !is_far(px, handle);
	} else if (req->path) {
		near = is_near(px, req);
	}
	if (!near)
		return false;
	px->opens_near = true;
	csftp_submit(&px->fs, req);
	px->opens_near = false;
	return true;
}

bool posixfs_now(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle *handle =
		req->path ? NULL : posixfs_handle_get(px, req->fh);

	if (handle && req->op == CSFTP_OP_READ)
		return now_read(px, handle, req);
	if (handle && req->op == CSFTP_OP_WRITE)
		return now_write(px, handle, req);
	if (mounts_any(px->mounts) && req->op != CSFTP_OP_HOMEDIR &&
	    req->op != CSFTP_OP_IDNAME)
		return now_among_far(px, handle, req);
	csftp_submit(fs, req);
	return true;
}
