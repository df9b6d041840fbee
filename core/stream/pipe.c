#include "csftp/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The longest READ that is served, wherever it begins in a page of its file. */
#define PIPE_BYTES (512 * 1024)

/* Whether splice(2) can write to out.  From an empty pipe nothing is moved. */
static bool takes_pages(const struct csftp_pipe *pipe)
{
	return splice(pipe->rfd, NULL, pipe->out, NULL, 1, SPLICE_F_NONBLOCK) <
		       0 &&
	       errno == EAGAIN;
}

/*
 * The kernel counts in pages: each holds a part of one page of the file, so the
 * last one can be lost to a beginning in the middle of a page.
 */
static size_t room_of(const struct csftp_pipe *pipe)
{
	long page = sysconf(_SC_PAGESIZE);
	int bytes;

	/* Above the user's limit it stays as small as it was made. */
	(void)fcntl(pipe->wfd, F_SETPIPE_SZ, PIPE_BYTES);
	bytes = fcntl(pipe->wfd, F_GETPIPE_SZ);
	return bytes > page ? (size_t)(bytes - page) : 0;
}

size_t csftp_pipe_room(struct csftp_pipe *pipe)
{
	int fds[2];

	if (pipe->tried)
		return pipe->room;
	pipe->tried = true;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return 0;
	pipe->rfd = fds[0];
	pipe->wfd = fds[1];
	if (takes_pages(pipe))
		pipe->room = room_of(pipe);
	if (pipe->room == 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	return pipe->room;
}
