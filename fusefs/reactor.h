/* The event loop of csftpfs: the kernel at one side, the server at the other */
#ifndef CSFTP_FUSEFS_REACTOR_H
#define CSFTP_FUSEFS_REACTOR_H

#include "csftp/remote.h"
#include "csftp/stream.h"
#include "fusefs/fusefs.h"
#include "fusefs/layers.h"

struct reactor_config {
	struct fusefs *f;
	struct layers *layers;
	struct csftp_remote *remote;
	struct csftp_stream *stream;
	const char *host; /* for messages */
	/* A sentence without newline. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

/*
 * Serves until the file system is unmounted, or SIGINT, SIGTERM or SIGHUP
 * ends it.  Then it takes no more requests, lets all that are out be answered,
 * unmounts, closes what is open, and returns.  A second signal does not wait
 * for the server.  A lost connection does not end it: requests fail.
 *
 * CSFTP_ERR_IO: the loop could not be set up.
 */
CSFTP_MUST_CHECK enum csftp_err
reactor_run(const struct reactor_config *config);

#endif
