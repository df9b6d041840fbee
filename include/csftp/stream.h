/* Streams: what carries the bytes of one SFTP session. */
#ifndef CSFTP_STREAM_H
#define CSFTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "csftp/err.h"
#include "csftp/link.h"

/*
 * A pipe in which a file's bytes wait for their stream as pages of the kernel's
 * cache (splice(2)).  They are the file's own pages: who writes to the file
 * before the reader has taken them off the stream changes them.
 */
struct csftp_pipe {
	int rfd;
	int wfd;
	int out;     /* where the bytes are to go in the end */
	size_t room; /* what surely fits in; 0: there is no pipe */
	bool tried;  /* room says something */
};

/* How a write to wfd is kept from blocking. */
enum csftp_stream_out {
	CSFTP_STREAM_OUT_NONBLOCK, /* O_NONBLOCK is set, for good */
	CSFTP_STREAM_OUT_SOCKET,
	CSFTP_STREAM_OUT_PIPE
};

struct csftp_stream;

/*
 * What a stream does that is more than its descriptors, such as a channel of
 * an SSH connection.  Each does what the function of the same name promises;
 * wants tells what to poll for, besides CSFTP_WANT_WORK where there is input
 * for the link that no descriptor will announce.
 */
struct csftp_stream_ops {
	enum csftp_err (*read)(struct csftp_stream *stream,
			       struct csftp_link *link, size_t budget);
	enum csftp_err (*write)(struct csftp_stream *stream,
				struct csftp_link *link);
	unsigned (*wants)(const struct csftp_stream *stream,
			  const struct csftp_link *link);
	enum csftp_err (*tick)(struct csftp_stream *stream,
			       struct csftp_link *link, uint64_t now_ms,
			       uint64_t *next_ms);
	int (*close)(struct csftp_stream *stream, unsigned grace_ms);
};

/*
 * A stream is one or two file descriptors, and perhaps the child process at
 * their other end.  It needs no event loop: the owner polls rfd for reading
 * and wfd for writing as csftp_stream_wants() says, and calls
 * csftp_stream_read() and csftp_stream_write() when they are ready, or at any
 * time, csftp_stream_write() whenever the link has new output.  Both put the
 * descriptors' work into one call and never block.
 *
 * A stream owns its descriptors: csftp_stream_close() closes them.  Calls
 * that fail with CSFTP_ERR_IO leave the reason in errno.  One thread.
 */
struct csftp_stream {
	int rfd;   /* -1: closed */
	int wfd;   /* may be the same as rfd */
	pid_t pid; /* of the child; 0: none */
	/* Past memory to wfd, for csftp_serve_pipe(): moves no more then. */
	struct csftp_pipe pipe;
	/* The stream's own, of descriptors that are not. */
	bool shared;
	bool polls;    /* rfd does not wait by itself */
	bool nonblock; /* wfd has O_NONBLOCK, which it had not */
	int wflags;    /* what it had */
	enum csftp_stream_out out;
	/* NULL: the descriptors carry the bytes of the session as they are. */
	const struct csftp_stream_ops *ops;
	void *own; /* that of ops */
};

/* Takes over descriptors and makes them non-blocking. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_fds(struct csftp_stream *stream, int rfd, int wfd);

/*
 * Takes descriptors that others may hold as well, such as standard input and
 * output.  Status flags belong to all who share a descriptor, so they change as
 * little as can be: O_NONBLOCK is set only where nothing else keeps a write
 * from blocking, and csftp_stream_close() puts it back and closes neither.
 * Such a stream is for csftp_stream_step(): csftp_stream_read() may block.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_share(struct csftp_stream *stream, int rfd, int wfd);

/*
 * How many bytes fit into the stream's pipe at least, however they lie in their
 * file.  It is made by the first call.  0: what goes to this stream has to be
 * copied: it is opened to append, is of a kind that cannot be spliced to, or
 * the user has used up the kernel's memory for pipes.
 */
CSFTP_API size_t csftp_pipe_room(struct csftp_pipe *pipe);

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
 * What to poll for: CSFTP_WANT_IN at rfd, CSFTP_WANT_OUT at wfd.
 * CSFTP_WANT_WORK: csftp_stream_read() has something to do at once.
 */
CSFTP_API unsigned csftp_stream_wants(const struct csftp_stream *stream,
				      const struct csftp_link *link);

/*
 * The time is now_ms, of CLOCK_MONOTONIC.  *next_ms becomes when to call it
 * again, 0: no need.  CSFTP_ERR_IO with errno ETIMEDOUT: the other end does not
 * answer any more.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_stream_tick(struct csftp_stream *stream, struct csftp_link *link,
		  uint64_t now_ms, uint64_t *next_ms);

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
