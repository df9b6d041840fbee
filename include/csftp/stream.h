/* Streams: what carries the bytes of one SFTP session. */
#ifndef CSFTP_STREAM_H
#define CSFTP_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "csftp/err.h"
#include "csftp/link.h"

/*
 * A stream is one or two file descriptors, and perhaps the child process at
 * their other end.  It needs no event loop: the owner polls rfd for reading
 * and wfd for writing as csftp_link_wants() says, and calls
 * csftp_stream_read() and csftp_stream_write() when they are ready, or at any
 * time.  Both put the descriptors' work into one call and never block.
 *
 * A stream owns its descriptors: csftp_stream_close() closes them.  Calls
 * that fail with CSFTP_ERR_IO leave the reason in errno.  One thread.
 */
struct csftp_stream {
	int rfd;   /* -1: closed */
	int wfd;   /* may be the same as rfd */
	pid_t pid; /* of the child; 0: none */
};

/* Takes over descriptors and makes them non-blocking. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_fds(struct csftp_stream *stream, int rfd, int wfd);

/*
 * Runs argv[0], looked up in PATH, without a shell, with its standard input
 * and output joined to the stream; standard error and the controlling terminal
 * stay as they are.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_spawn(struct csftp_stream *stream, char *const argv[]);

/* Connects to host and port ("localhost", "115") by TCP; blocks meanwhile. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_connect(struct csftp_stream *stream, const char *host,
		     const char *port);

/*
 * Moves input to the link until there is no more, the link has no room, or
 * `budget` bytes were moved.  CSFTP_ERR_EOF at the end of input; what the link
 * itself fails with.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_read(struct csftp_stream *stream, struct csftp_link *link,
		  size_t budget);

/* Moves output from the link until there is none or the kernel takes none. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_write(struct csftp_stream *stream, struct csftp_link *link);

/*
 * Waits for the stream or at most timeout_ms (-1: for ever), then moves bytes
 * both ways: the event loop of a program that has nothing else to do.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_step(struct csftp_stream *stream, struct csftp_link *link,
		  int timeout_ms);

/*
 * Closes the descriptors.  A child that does not end by itself within grace_ms
 * is sent SIGTERM, and after as long again SIGKILL; it is always reaped.
 * Returns its wait status, 0 where there is none.
 */
CSFTP_API int csftp_stream_close(struct csftp_stream *stream,
				 unsigned grace_ms);

#endif
