/* SFTP over a channel of libssh2. */
#ifndef CSFTP_FUSEFS_LIBSSH2_H
#define CSFTP_FUSEFS_LIBSSH2_H

#include "csftp/stream.h"
#include "fusefs/native.h"

/* As native_check(), for what libssh2 lacks. */
void libssh2_check(struct ssh_config *config);

/*
 * As native_open().  Hosts are checked, and people asked, by the same code;
 * libssh2 has the session, the authentication and the channel.
 */
CSFTP_MUST_CHECK enum csftp_err libssh2_open(struct native *kept,
					     struct ssh_config *config,
					     const struct options *options,
					     const struct talk *talk,
					     struct csftp_stream *stream);

#endif
