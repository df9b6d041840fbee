/* An SSH engine on a socket, for programs that wait. */
#ifndef CSFTP_SSH_IO_H
#define CSFTP_SSH_IO_H

#include "csftp/ssh.h"
#include "csftp/stream.h"

/*
 * The engine of csftp/ssh.h with a descriptor, a pool, random numbers and a
 * clock: what a program without an event loop wants.  It asks for one event
 * after the other and answers; in between, calls of csftp/ssh.h for the engine
 * are as good as ever, but for csftp_ssh_event() and the in and out of bytes,
 * which happen here.
 *
 * CSFTP_ERR_IO leaves the reason in errno.  One thread at a time.
 */
struct csftp_ssh_io;

/*
 * Takes over a connected descriptor and makes it non-blocking.  Of the config,
 * what the engine needs of the system is set here, and what it points at is
 * needed as long as the engine is, for a server's keys.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_new(struct csftp_ssh_io **out,
		 const struct csftp_ssh_config *config, int fd);

/* Says good-bye as far as that does not block.  NULL is fine. */
CSFTP_API void csftp_ssh_io_free(struct csftp_ssh_io *io);

CSFTP_API struct csftp_ssh *csftp_ssh_io_engine(struct csftp_ssh_io *io);

/* Waits for the next event; a broken connection is the event CLOSED. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_next(struct csftp_ssh_io *io, struct csftp_ssh_event *event);

/*
 * Sends data of a channel, and waits until it may be sent.  *sent is less than
 * len where there is an event to be asked for first.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_send(struct csftp_ssh_io *io, uint32_t channel,
		  enum csftp_ssh_data which, const void *data, size_t len,
		  size_t *sent);

/* A server's way out of a channel: exit status, end of data, close. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_finish(struct csftp_ssh_io *io, uint32_t channel, uint32_t status);

/*
 * A client's way in: goes on only with the server that has this host key, and
 * logs in with a key.  CSFTP_ERR_FORGED: it is another server's key,
 * CSFTP_ERR_DENIED: the server does not let us in; else why it ended.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_login(struct csftp_ssh_io *io, const char *user,
		   const struct csftp_ssh_signer *signer,
		   struct csftp_ssh_bytes host_key);

/* Opens a channel for a command or a subsystem.  CSFTP_ERR_DENIED: refused. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_exec(struct csftp_ssh_io *io, const char *command,
		  uint32_t *channel);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_io_subsystem(struct csftp_ssh_io *io, const char *name,
		       uint32_t *channel);

/* Makes a stream of a channel, for csftp/remote.h; it owns io from now on. */
CSFTP_API void csftp_ssh_io_stream(struct csftp_ssh_io *io, uint32_t channel,
				   struct csftp_stream *stream);

/*
 * A key from a file: csftp_ssh_key_read(), or csftp_ssh_key_read_public() of
 * its first line.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_load(struct csftp_ssh_key **out, const char *path,
		   const char *passphrase);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_load_public(struct csftp_ssh_key **out, const char *path);

#endif
