/* How csftpfs reaches its server. */
#ifndef CSFTP_FUSEFS_CONNECT_H
#define CSFTP_FUSEFS_CONNECT_H

#include "csftp/err.h"
#include "csftp/stream.h"
#include "fusefs/options.h"

/*
 * The words of the ssh command: no shell, no terminal, no forwarding, nothing
 * run but SFTP.  What is fixed comes first, as ssh takes the first value of
 * each keyword; the host comes behind "--".  False: no memory.  To be released
 * in any case.
 */
bool connect_argv(const struct options *options, struct strings *argv);

/* Starts ssh, connects, or takes standard input and output; blocks. */
CSFTP_MUST_CHECK enum csftp_err connect_open(const struct options *options,
					     struct csftp_stream *stream);

#endif
