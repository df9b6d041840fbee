#include "csftp/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Slices put into one writev(2). */
#define SLICES_MAX 32

static bool set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

enum csftp_err csftp_stream_fds(struct csftp_stream *stream, int rfd, int wfd)
{
	if (!set_nonblocking(rfd) || !set_nonblocking(wfd))
		return CSFTP_ERR_IO;
	*stream = (struct csftp_stream){
		.rfd = rfd, .wfd = wfd, .pipe = {.out = wfd}, .polls = true};
	return CSFTP_OK;
}

/* Of a shared stream; for others O_NONBLOCK is set, and stays. */
static bool set_out_nonblock(struct csftp_stream *stream, bool on)
{
	int flags = on ? stream->wflags | O_NONBLOCK : stream->wflags;

	if (!stream->shared || stream->nonblock == on)
		return true;
	if (fcntl(stream->wfd, F_SETFL, flags) != 0)
		return false;
	stream->nonblock = on;
	return true;
}

/* Twice what a pipe has at first: more does not stay in the cache. */
#define PIPE_IN_BYTES (128 * 1024)

/*
 * Half the reads and half the waking up of who writes; measured, a tenth of the
 * time of a WRITE.  A user who has no memory for pipes left keeps the old one.
 */
static void enlarge_pipe(int fd)
{
	int bytes = fcntl(fd, F_GETPIPE_SZ);

	if (bytes > 0 && bytes < PIPE_IN_BYTES)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_IN_BYTES);
}

enum csftp_err csftp_stream_share(struct csftp_stream *stream, int rfd, int wfd)
{
	struct csftp_stream made = {
		.rfd = rfd, .wfd = wfd, .pipe = {.out = wfd}, .shared = true};
	int rflags = fcntl(rfd, F_GETFL);
	struct stat st;

	made.wflags = fcntl(wfd, F_GETFL);
	if (rflags < 0 || made.wflags < 0 || fstat(wfd, &st) != 0)
		return CSFTP_ERR_IO;
	made.polls = rflags & O_NONBLOCK;
	enlarge_pipe(rfd);
	if (S_ISSOCK(st.st_mode))
		made.out = CSFTP_STREAM_OUT_SOCKET;
	else if (S_ISFIFO(st.st_mode))
		made.out = CSFTP_STREAM_OUT_PIPE;
	else if (!set_out_nonblock(&made, true))
		return CSFTP_ERR_IO;
	*stream = made;
	return CSFTP_OK;
}

/* One read(2); *moved is 0 where there is nothing now. */
static enum csftp_err read_some(const struct csftp_stream *stream,
				struct csftp_link *link, size_t *room,
				size_t *moved)
{
	uint8_t *in = csftp_link_in(link, room);
	ssize_t n;

	*moved = 0;
	if (*room == 0)
		return csftp_link_error(link);
	do {
		n = read(stream->rfd, in, *room);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? CSFTP_OK : CSFTP_ERR_IO;
	if (n == 0)
		return CSFTP_ERR_EOF;
	*moved = (size_t)n;
	return csftp_link_in_ack(link, (size_t)n);
}

enum csftp_err csftp_stream_read(struct csftp_stream *stream,
				 struct csftp_link *link, size_t budget)
{
	enum csftp_err err = CSFTP_OK;
	size_t total = 0;
	size_t room;
	size_t moved;

	if (stream->ops)
		return stream->ops->read(stream, link, budget);
	do {
		err = read_some(stream, link, &room, &moved);
		total += moved;
		/* A short read says that the rest is not there yet. */
	} while (err == CSFTP_OK && room > 0 && moved == room &&
		 total < budget && !stream->shared);
	return err;
}

/* One write of bytes in memory, as the stream does it; -1 and errno. */
static ssize_t write_memory(struct csftp_stream *stream, struct iovec *iov,
			    size_t count, bool more)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t done;

	if (stream->out == CSFTP_STREAM_OUT_SOCKET)
		return sendmsg(stream->wfd, &msg, flags);
	if (stream->out == CSFTP_STREAM_OUT_PIPE) {
		done = pwritev2(stream->wfd, iov, (int)count, -1, RWF_NOWAIT);
		if (done >= 0 || errno != EOPNOTSUPP)
			return done;
		/*
		 * Linux before 6.4 cannot do that with a pipe, and later ones
		 * not with a pipe that was spliced to.
		 */
		if (!set_out_nonblock(stream, true))
			return -1;
		stream->out = CSFTP_STREAM_OUT_NONBLOCK;
	}
	return writev(stream->wfd, iov, (int)count);
}

/* A socket is not kept from blocking by a flag of splice(2). */
static ssize_t write_piped(struct csftp_stream *stream, size_t len)
{
	if (stream->out == CSFTP_STREAM_OUT_SOCKET &&
	    !set_out_nonblock(stream, true))
		return -1;
	return splice(stream->pipe.rfd, NULL, stream->wfd, NULL, len,
		      SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
}

/*
 * What one call took; 0 where the kernel takes nothing now.  all: it took
 * everything that it was offered, so it may well take more.
 */
static ssize_t write_some(struct csftp_stream *stream,
			  const struct csftp_link *link, bool *all)
{
	struct csftp_slice slice[SLICES_MAX];
	struct iovec iov[SLICES_MAX];
	size_t n = csftp_link_out(link, slice, SLICES_MAX);
	size_t count = 0;
	size_t len = 0;
	ssize_t done;

	for (; count < n && slice[count].ptr; count++) {
		len += slice[count].len;
		iov[count].iov_len = slice[count].len;
		/* writev(2) does not write there, whatever its type says. */
		iov[count].iov_base = (void *)(uintptr_t)slice[count].ptr;
	}
	do {
		done = count > 0 ? write_memory(stream, iov, count, count < n)
				 : write_piped(stream, slice[0].len);
	} while (done < 0 && errno == EINTR);
	/* A pipe gives what it has, page by page, and not what was asked. */
	*all = count == 0 || done == (ssize_t)len;
	return done < 0 && errno == EAGAIN ? 0 : done;
}

enum csftp_err csftp_stream_write(struct csftp_stream *stream,
				  struct csftp_link *link)
{
	bool all = true;

	if (stream->ops)
		return stream->ops->write(stream, link);
	while (all && (csftp_link_wants(link) & CSFTP_WANT_OUT)) {
		ssize_t n = write_some(stream, link, &all);

		if (n < 0)
			return CSFTP_ERR_IO;
		if (n == 0)
			return CSFTP_OK;
		/* What the link makes of it shows in csftp_link_error(). */
		if (csftp_link_out_ack(link, (size_t)n) == CSFTP_ERR_ARG)
			return CSFTP_ERR_ARG;
	}
	return CSFTP_OK;
}

unsigned csftp_stream_wants(const struct csftp_stream *stream,
			    const struct csftp_link *link)
{
	if (stream->ops)
		return stream->ops->wants(stream, link);
	return csftp_link_wants(link) & (CSFTP_WANT_IN | CSFTP_WANT_OUT);
}

enum csftp_err csftp_stream_tick(struct csftp_stream *stream,
				 struct csftp_link *link, uint64_t now_ms,
				 uint64_t *next_ms)
{
	if (stream->ops)
		return stream->ops->tick(stream, link, now_ms, next_ms);
	*next_ms = 0;
	return CSFTP_OK;
}

/* Whether there is input, or an end of it, to read. */
static enum csftp_err wait_for(const struct csftp_stream *stream,
			       unsigned wants, int timeout_ms, bool *readable)
{
	struct pollfd fds[2] = {
		{.fd = wants & CSFTP_WANT_IN ? stream->rfd : -1,
		 .events = POLLIN},
		{.fd = wants & CSFTP_WANT_OUT ? stream->wfd : -1,
		 .events = POLLOUT},
	};
	int n = poll(fds, 2, timeout_ms);

	if (n < 0 && errno != EINTR)
		return CSFTP_ERR_IO;
	*readable = n > 0 && fds[0].revents != 0;
	return CSFTP_OK;
}

/* Input that is moved before output gets its turn. */
#define STEP_BUDGET (512 * 1024)

/*
 * Nothing but input is awaited, so the read itself may wait for it: a request
 * then costs one system call on its way in and one on its way out.
 */
static enum csftp_err read_waiting(struct csftp_stream *stream,
				   struct csftp_link *link)
{
	enum csftp_err err;
	size_t room;
	size_t moved;

	/* Both ends can be one socket with one set of flags. */
	if (stream->out == CSFTP_STREAM_OUT_SOCKET &&
	    !set_out_nonblock(stream, false))
		return CSFTP_ERR_IO;
	err = read_some(stream, link, &room, &moved);
	/* It did not wait: O_NONBLOCK is set, by us on a terminal or not. */
	if (err == CSFTP_OK && moved == 0)
		stream->polls = true;
	return err;
}

static bool can_wait_by_reading(const struct csftp_stream *stream,
				unsigned wants, int timeout_ms)
{
	return wants == CSFTP_WANT_IN && timeout_ms < 0 && !stream->polls;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What the stream itself waits for comes in between. */
static enum csftp_err step_of_ops(struct csftp_stream *stream,
				  struct csftp_link *link, int timeout_ms)
{
	enum csftp_err err = csftp_stream_write(stream, link);
	unsigned wants = csftp_stream_wants(stream, link);
	uint64_t now = now_ms();
	uint64_t next = 0;
	bool readable = wants & CSFTP_WANT_WORK;

	if (err == CSFTP_OK)
		err = csftp_stream_tick(stream, link, now, &next);
	if (err != CSFTP_OK)
		return err;
	if (next && (timeout_ms < 0 || next < now + (uint64_t)timeout_ms))
		timeout_ms = next > now ? (int)(next - now) : 0;
	if (!readable)
		err = wait_for(stream, wants, timeout_ms, &readable);
	if (err == CSFTP_OK && readable)
		err = csftp_stream_read(stream, link, STEP_BUDGET);
	return err == CSFTP_OK ? csftp_stream_write(stream, link) : err;
}

enum csftp_err csftp_stream_step(struct csftp_stream *stream,
				 struct csftp_link *link, int timeout_ms)
{
	unsigned wants = csftp_link_wants(link);
	enum csftp_err err = CSFTP_OK;
	enum csftp_err werr;
	bool readable = false;

	if (stream->ops)
		return step_of_ops(stream, link, timeout_ms);
	if (wants & CSFTP_WANT_WORK)
		timeout_ms = 0;
	if (can_wait_by_reading(stream, wants, timeout_ms)) {
		err = read_waiting(stream, link);
	} else {
		err = wait_for(stream, wants, timeout_ms, &readable);
		if (err != CSFTP_OK)
			return err;
		if (readable)
			err = csftp_stream_read(stream, link, STEP_BUDGET);
		if (err == CSFTP_OK &&
		    (csftp_link_wants(link) & CSFTP_WANT_WORK))
			err = csftp_link_work(link);
	}
	werr = csftp_stream_write(stream, link);
	return err != CSFTP_OK ? err : werr;
}
