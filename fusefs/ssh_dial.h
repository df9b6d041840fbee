/* What an SSH connection runs over: TCP, or a program that makes it. */
#ifndef CSFTP_FUSEFS_SSH_DIAL_H
#define CSFTP_FUSEFS_SSH_DIAL_H

#include "csftp/stream.h"
#include "fusefs/ssh_config.h"
#include "fusefs/talk.h"

#define SSH_DIAL_NAME_MAX 64

/*
 * Connects by ProxyCommand, ProxyJump (which is "ssh -W") or TCP, one address
 * after the other, ConnectTimeout for each, ConnectionAttempts times.  peer
 * becomes the address reached, "" where a program made the connection.
 * CSFTP_ERR_IO and errno where nothing was reached; CSFTP_ERR_NO_HOST or
 * CSFTP_ERR_LOOKUP where a name cannot be resolved.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_dial(struct csftp_stream *stream,
					 struct ssh_config *config,
					 const struct options *options,
					 const struct talk *talk,
					 char peer[SSH_DIAL_NAME_MAX]);

/* The words that reach host and port by way of others; False: no memory. */
bool ssh_dial_jump(struct strings *argv, const struct ssh_config *config,
		   const struct options *options);

#endif
