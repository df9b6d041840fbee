#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
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

/* A lease is over after /proc/sys/fs/lease-break-time, 45 s unless changed. */
#define LEASE_WAIT_MS 60000
#define LEASE_STEP_MS 10

/* Whether EWOULDBLOCK was the file's, and not that of the way to it. */
static bool is_leased(const struct posixfs *px, const char *path)
{
	struct posixfs_opened opened;

	if (posixfs_path_open(&opened, px, path, O_PATH | O_CLOEXEC, 0) != 0)
		return false;
	close(opened.fd);
	return true;
}

/*
 * O_NONBLOCK, and for good: a FIFO without a writer, or a terminal, must not
 * hang the session.  Regular files are read and written as ever.  They say
 * EWOULDBLOCK only where another process holds a lease, and the attempt has
 * told it to give that up; so it is right to wait.  But never in open(2): what
 * the name means by then could be a FIFO.
 */
static int open_once(struct posixfs_opened *out, const struct posixfs *px,
		     const char *path, int how, mode_t mode)
{
	const struct timespec step = {.tv_nsec = LEASE_STEP_MS * 1000000L};
	int left_ms = LEASE_WAIT_MS;
	int err;

	for (;;) {
		err = posixfs_path_open(out, px, path, how | O_NONBLOCK, mode);
		if (err == EWOULDBLOCK && left_ms > 0 && is_leased(px, path)) {
			nanosleep(&step, NULL);
			left_ms -= LEASE_STEP_MS;
		} else if (err != EINTR) {
			return err;
		}
	}
}

/*
 * The mode that is forced is more than what open(2) gives where umask(2) takes
 * some of it away, so it is set afterwards; but only on a file that is new.
 */
static int open_forced(struct posixfs_opened *out, const struct posixfs *px,
		       const char *path, int how, mode_t mode)
{
	int err = open_once(out, px, path, how | O_EXCL, mode);

	if (err == EEXIST && !(how & O_EXCL)) {
		err = open_once(out, px, path, how & ~O_CREAT, mode);
		if (err != ENOENT)
			return err;
		/* A link to what is not there yet. */
		err = open_once(out, px, path, how, mode);
	}
	if (err != 0)
		return err;
	err = posixfs_force_mode(px, out->fd);
	if (err != 0)
		close(out->fd);
	return err;
}

/*
 * In a jail devices stay closed, as opening one can already do something: wind
 * a tape, arm a watchdog, hang up a line.
 */
static int check_device(const struct posixfs *px, const char *path)
{
	struct posixfs_opened opened;
	struct stat st;
	int err = posixfs_path_open(&opened, px, path, O_PATH | O_CLOEXEC, 0);

	if (err != 0)
		return err == ENOENT ? 0 : err;
	if (fstat(opened.fd, &st) != 0)
		err = errno;
	else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		err = EACCES;
	close(opened.fd);
	return err;
}

static int open_path(struct posixfs_opened *out, const struct posixfs *px,
		     const struct csftp_req *req)
{
	mode_t mode = 0666;
	int how;
	int err = open_flags(&how, req->flags);

	if (req->attr && (req->attr->mask & CSFTP_ATTR_MODE))
		mode = req->attr->mode & 07777U;
	mode = posixfs_mode(px, mode, false);
	/* What is made new is no device. */
	if (err == 0 && posixfs_jailed(px) && !(how & O_EXCL))
		err = check_device(px, req->path);
	if (err != 0)
		return err;
	if (how & O_CREAT && px->files.force != 0)
		return open_forced(out, px, req->path, how, mode);
	return open_once(out, px, req->path, how, mode);
}

void posixfs_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle handle = {.flags = req->flags};
	struct posixfs_opened opened;
	int err = posixfs_handle_room(px) ? 0 : EMFILE;

	if (err == 0)
		err = open_path(&opened, px, req);
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	handle.fd = opened.fd;
	handle.access = opened.access;
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

ssize_t posixfs_read_at(int fd, void *into, size_t len, off_t off)
{
	return read_at(fd, into, len, off);
}

int posixfs_write_at(int fd, const void *data, size_t len, off_t off)
{
	return write_all(fd, data, len, off);
}
