#include "csftp/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/uio.h>
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
	*stream = (struct csftp_stream){.rfd = rfd, .wfd = wfd};
	return CSFTP_OK;
}

enum csftp_err csftp_stream_read(struct csftp_stream *stream,
				 struct csftp_link *link, size_t budget)
{
	size_t moved = 0;

	while (moved < budget) {
		enum csftp_err err;
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);
		ssize_t n;

		if (room == 0)
			return csftp_link_error(link);
		n = read(stream->rfd, in, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? CSFTP_OK : CSFTP_ERR_IO;
		if (n == 0)
			return CSFTP_ERR_EOF;
		err = csftp_link_in_ack(link, (size_t)n);
		if (err != CSFTP_OK)
			return err;
		moved += (size_t)n;
		/* A short read says that the rest is not there yet. */
		if ((size_t)n < room)
			break;
	}
	return CSFTP_OK;
}

/* What one writev(2) took; 0 where the kernel takes nothing now. */
static ssize_t write_some(int fd, const struct csftp_link *link)
{
	struct csftp_slice slice[SLICES_MAX];
	struct iovec iov[SLICES_MAX];
	size_t n = csftp_link_out(link, slice, SLICES_MAX);
	ssize_t done;

	for (size_t i = 0; i < n; i++) {
		iov[i].iov_len = slice[i].len;
		/* writev(2) does not write there, whatever its type says. */
		iov[i].iov_base = (void *)(uintptr_t)slice[i].ptr;
	}
	do {
		done = writev(fd, iov, (int)n);
	} while (done < 0 && errno == EINTR);
	return done < 0 && errno == EAGAIN ? 0 : done;
}

enum csftp_err csftp_stream_write(struct csftp_stream *stream,
				  struct csftp_link *link)
{
	while (csftp_link_wants(link) & CSFTP_WANT_OUT) {
		ssize_t n = write_some(stream->wfd, link);

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

enum csftp_err csftp_stream_step(struct csftp_stream *stream,
				 struct csftp_link *link, int timeout_ms)
{
	enum csftp_err err = CSFTP_OK;
	enum csftp_err werr;
	bool readable = false;

	if (csftp_link_wants(link) & CSFTP_WANT_WORK)
		timeout_ms = 0;
	err = wait_for(stream, csftp_link_wants(link), timeout_ms, &readable);
	if (err != CSFTP_OK)
		return err;
	if (readable)
		err = csftp_stream_read(stream, link, STEP_BUDGET);
	if (err == CSFTP_OK && (csftp_link_wants(link) & CSFTP_WANT_WORK))
		err = csftp_link_work(link);
	werr = csftp_stream_write(stream, link);
	return err != CSFTP_OK ? err : werr;
}
