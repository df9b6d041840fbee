#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int open_flags(int *out, uint32_t flags)
{
	int how;

	if ((flags & CSFTP_OPEN_READ) && (flags & CSFTP_OPEN_WRITE))
		how = O_RDWR;
	else if (flags & CSFTP_OPEN_WRITE)
		how = O_WRONLY;
	else if (flags & CSFTP_OPEN_READ)
		how = O_RDONLY;
	else
		return EINVAL;
	/* POSIX leaves open what O_TRUNC does without the right to write. */
	if ((flags & CSFTP_OPEN_TRUNC) && !(flags & CSFTP_OPEN_WRITE))
		return EINVAL;
	if (flags & CSFTP_OPEN_APPEND)
		how |= O_APPEND;
	if (flags & CSFTP_OPEN_CREAT)
		how |= O_CREAT;
	if (flags & CSFTP_OPEN_TRUNC)
		how |= O_TRUNC;
	if ((flags & CSFTP_OPEN_CREAT) && (flags & CSFTP_OPEN_EXCL))
		how |= O_EXCL;
	*out = how | O_CLOEXEC | O_NOCTTY;
	return 0;
}

/*
 * O_NONBLOCK, and for good: a FIFO without a writer, or a terminal, must not
 * hang the session.  Regular files are read and written as ever.  They say
 * EWOULDBLOCK only where another process holds a lease, and give that up
 * within the kernel's own time limit, so there it is right to wait.
 */
static int open_at(int dirfd, const char *path, int how, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, path, how | O_NONBLOCK, mode);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 || errno != EWOULDBLOCK)
		return fd;
	do
		fd = openat(dirfd, path, how, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

void posixfs_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle handle = {.flags = req->flags};
	mode_t mode = 0666;
	int how;
	int err = open_flags(&how, req->flags);

	if (req->attr && (req->attr->mask & CSFTP_ATTR_MODE))
		mode = req->attr->mode & 07777U;
	if (err == 0 && !posixfs_handle_room(px))
		err = EMFILE;
	if (err == 0) {
		handle.fd =
			open_at(px->dirfd, posixfs_at(req->path), how, mode);
		err = handle.fd < 0 ? errno : 0;
	}
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_fh(req, posixfs_handle_open(px, &handle));
}

/* As pread(2), but also for what cannot seek, and not interrupted. */
static ssize_t read_at(int fd, void *into, size_t len, off_t off)
{
	ssize_t got;

	do
		got = pread(fd, into, len, off);
	while (got < 0 && errno == EINTR);
	if (got >= 0 || errno != ESPIPE)
		return got;
	do
		got = read(fd, into, len);
	while (got < 0 && errno == EINTR);
	return got;
}

/*
 * Where a READ without room of its own goes: to the scratch buffer, or, where
 * that is lent to the reply that this request was made from, to a new one.
 */
static void *room_for(struct posixfs *px, size_t *len)
{
	if (*len > POSIXFS_SCRATCH)
		*len = POSIXFS_SCRATCH;
	return px->scratch_lent ? malloc(POSIXFS_SCRATCH) : px->scratch;
}

static void read_reply(struct csftp_req *req, int fd, void *room, size_t len)
{
	struct csftp_reply reply = {0};
	off_t off = req->off > INT64_MAX ? INT64_MAX : (off_t)req->off;
	uint64_t most = (uint64_t)(INT64_MAX - off);
	ssize_t got;

	/*
	 * The kernel refuses a range that no file can reach the end of; so far
	 * behind it, asking for nothing finds what else is wrong.
	 */
	if (len > most)
		len = (size_t)most;
	got = read_at(fd, room, len, off);
	if (got < 0) {
		reply.err = errno;
	} else {
		reply.data = (struct csftp_slice){room, (size_t)got};
		reply.eof = got == 0;
	}
	csftp_reply(req, &reply);
}

void posixfs_read(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	int fd = posixfs_file_fd(px, req->fh);
	size_t len = req->len > SSIZE_MAX ? SSIZE_MAX : (size_t)req->len;
	bool nested = px->scratch_lent;
	void *room;

	if (fd < 0) {
		csftp_reply_err(req, EBADF);
		return;
	}
	if (req->pipe && posixfs_read_piped(px, req))
		return;
	if (req->into) {
		read_reply(req, fd, req->into, len);
		return;
	}
	room = room_for(px, &len);
	if (!room) {
		csftp_reply_err(req, ENOMEM);
		return;
	}
	px->scratch_lent = true;
	read_reply(req, fd, room, len);
	px->scratch_lent = nested;
	if (nested)
		free(room);
}

/* As pwrite(2), but also for what cannot seek, and not interrupted. */
static ssize_t write_at(int fd, const void *data, size_t len, off_t off)
{
	ssize_t put;

	do
		put = pwrite(fd, data, len, off);
	while (put < 0 && errno == EINTR);
	if (put >= 0 || errno != ESPIPE)
		return put;
	do
		put = write(fd, data, len);
	while (put < 0 && errno == EINTR);
	return put;
}

/* On Linux pwrite(2) appends too where the file was opened with O_APPEND. */
static int write_all(int fd, const char *data, size_t len, off_t off)
{
	do {
		ssize_t put = write_at(fd, data, len, off);

		if (put < 0)
			return errno;
		if (put == 0 && len > 0)
			return EIO;
		data += put;
		len -= (size_t)put;
		off += put;
	} while (len > 0);
	return 0;
}

void posixfs_write(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	const char *data = req->len > 0 ? req->data : "";
	uint64_t off = req->off;
	int err = 0;

	if (posixfs_file_fd(px, req->fh) < 0) {
		csftp_reply_err(req, EBADF);
		return;
	}
	if (handle->flags & CSFTP_OPEN_APPEND)
		off = 0;
	if (req->len > SSIZE_MAX || off > INT64_MAX)
		err = EINVAL;
	else if (req->len > INT64_MAX - off)
		err = EFBIG;
	if (err == 0)
		err = write_all(handle->fd, data, (size_t)req->len, (off_t)off);
	csftp_reply_err(req, err);
}

void posixfs_fsync(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs_handle *handle =
		posixfs_handle_get(posixfs_of(fs), req->fh);
	int err = handle ? 0 : EBADF;

	if (handle && fsync(handle->fd) != 0)
		err = errno;
	csftp_reply_err(req, err);
}

void posixfs_close(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	int err = handle ? 0 : EBADF;

	/* On Linux the descriptor is gone also after EINTR. */
	if (handle && close(posixfs_handle_close(px, handle)) != 0 &&
	    errno != EINTR)
		err = errno;
	csftp_reply_err(req, err);
}

/* A copy on its way: what is left, and from where to where. */
struct copy {
	int from;
	int to;
	off_t off;
	off_t off2;
	uint64_t left;
	uint64_t done;
};

/* By the kernel; EXDEV and the like where it cannot. */
static int copy_inside(struct copy *copy)
{
	while (copy->left > 0) {
		size_t part =
			copy->left > SSIZE_MAX ? SSIZE_MAX : (size_t)copy->left;
		/* The call moves both offsets. */
		ssize_t got = copy_file_range(copy->from, &copy->off, copy->to,
					      &copy->off2, part, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			break;
		copy->left -= (uint64_t)got;
		copy->done += (uint64_t)got;
	}
	return 0;
}

static int copy_through(struct copy *copy, char *buf)
{
	while (copy->left > 0) {
		size_t part = copy->left > POSIXFS_SCRATCH ? POSIXFS_SCRATCH
							   : (size_t)copy->left;
		ssize_t got = read_at(copy->from, buf, part, copy->off);
		int err;

		if (got < 0)
			return errno;
		if (got == 0)
			break;
		err = write_all(copy->to, buf, (size_t)got, copy->off2);
		if (err != 0)
			return err;
		copy->off += got;
		copy->off2 += got;
		copy->left -= (uint64_t)got;
		copy->done += (uint64_t)got;
	}
	return 0;
}

/* Cuts the copy at the end of its source, and refuses to overlap. */
static int copy_check(struct copy *copy)
{
	struct stat from;
	struct stat to;
	uint64_t off = (uint64_t)copy->off;
	uint64_t off2 = (uint64_t)copy->off2;
	uint64_t left = 0;

	if (fstat(copy->from, &from) != 0 || fstat(copy->to, &to) != 0)
		return errno;
	if (!S_ISREG(from.st_mode) || from.st_dev != to.st_dev ||
	    from.st_ino != to.st_ino)
		return 0;
	if (copy->off < from.st_size)
		left = (uint64_t)(from.st_size - copy->off);
	if (copy->left > left)
		copy->left = left;
	if (copy->left > 0 && off < off2 + copy->left &&
	    off2 < off + copy->left)
		return EINVAL;
	return 0;
}

static int copy_range(struct posixfs *px, struct copy *copy)
{
	char *buf;
	int err = copy_check(copy);

	if (err != 0)
		return err;
	err = copy_inside(copy);
	if (err != 0 && err != EXDEV && err != EINVAL && err != ENOSYS &&
	    err != EOPNOTSUPP)
		return err;
	/*
	 * Also after a success: files like those in /proc, whose size is 0,
	 * give the kernel nothing to copy.
	 */
	buf = px->scratch_lent ? malloc(POSIXFS_SCRATCH) : px->scratch;
	if (!buf)
		return ENOMEM;
	err = copy_through(copy, buf);
	if (px->scratch_lent)
		free(buf);
	return err;
}

void posixfs_copy_range(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *from = posixfs_handle_get(px, req->fh);
	const struct posixfs_handle *to = posixfs_handle_get(px, req->fh2);
	struct csftp_reply reply = {0};
	struct copy copy = {
		.from = posixfs_file_fd(px, req->fh),
		.to = posixfs_file_fd(px, req->fh2),
		.off = (off_t)req->off,
		.off2 = (off_t)req->off2,
		.left = req->len > 0 ? req->len : UINT64_MAX,
	};

	/* With APPEND, as copy_file_range(2): an offset has no meaning. */
	if (copy.from < 0 || copy.to < 0 || !(from->flags & CSFTP_OPEN_READ) ||
	    !(to->flags & CSFTP_OPEN_WRITE) || (to->flags & CSFTP_OPEN_APPEND))
		reply.err = EBADF;
	else if (copy.off < 0 || copy.off2 < 0)
		reply.err = EINVAL;
	else
		reply.err = copy_range(px, &copy);
	if (reply.err == 0)
		reply.count = copy.done;
	csftp_reply(req, &reply);
}
