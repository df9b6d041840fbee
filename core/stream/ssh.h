/* An SSH client engine on descriptors, and a channel of it as a stream. */
#ifndef CSFTP_CORE_STREAM_SSH_H
#define CSFTP_CORE_STREAM_SSH_H

#include <sys/types.h>

#include "csftp/ssh.h"
#include "csftp/stream.h"

/*
 * First a conversation: who logs in asks for one event after the other by
 * ssh_io_next(), which waits, and answers.  When a channel carries SFTP,
 * ssh_io_stream() makes the whole a stream, which never blocks.
 *
 * It owns the descriptors, the engine, its buffers, and the process that may be
 * at the other end.  One thread at a time.
 */
struct ssh_io;

struct ssh_io_config {
	/*
	 * The engine's; callbacks and the pool are set here.  Nothing that it
	 * points at is needed once ssh_io_new() is through.
	 */
	struct csftp_ssh_config ssh;
	int rfd; /* perhaps the same as wfd */
	int wfd;
	pid_t pid; /* a ProxyCommand; 0: none */
	/* An interval without a word, and then so many unanswered questions. */
	uint64_t alive_ms; /* 0: the other end is never asked */
	unsigned alive_max;
	/*
	 * A sentence for who wonders why: what the peer said at the end, and
	 * what its program says on its standard error.  Control characters are
	 * replaced.
	 */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/* Takes the descriptors over where it succeeds. */
CSFTP_MUST_CHECK enum csftp_err ssh_io_new(struct ssh_io **out,
					   const struct ssh_io_config *config);

struct csftp_ssh *ssh_io_engine(struct ssh_io *io);

/* Changes what csftp_ssh_event() is told of the time: CLOCK_MONOTONIC. */
uint64_t ssh_io_now(void);

/*
 * Sends what there is and waits for the next event, until the time of
 * ssh_io_now() given: then it is CSFTP_ERR_IO with errno ETIMEDOUT.  What
 * breaks the connection comes as the event CLOSED.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_io_next(struct ssh_io *io,
					    struct csftp_ssh_event *event,
					    uint64_t until_ms);

/*
 * Sends data of a channel, and waits until it may be sent.  Returns early, with
 * *sent below len, where an event has come that is to be seen first: the next
 * one of ssh_io_next().
 */
CSFTP_MUST_CHECK enum csftp_err ssh_io_send(struct ssh_io *io, uint32_t channel,
					    enum csftp_ssh_data which,
					    const void *data, size_t len,
					    size_t *sent);

/* The stream owns it from now on. */
void ssh_io_stream(struct ssh_io *io, uint32_t channel,
		   struct csftp_stream *stream);

/* Says good-bye as far as that does not block.  NULL is fine. */
void ssh_io_free(struct ssh_io *io, unsigned grace_ms);

#endif
