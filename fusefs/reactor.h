/* The event loop of csftpfs: the kernel at one side, the server at the other */
#ifndef CSFTP_FUSEFS_REACTOR_H
#define CSFTP_FUSEFS_REACTOR_H

#include <stdio.h>

#include "fusefs/fusefs.h"
#include "fusefs/layers.h"
#include "fusefs/lines.h"

struct reactor_config {
	struct fusefs *f;
	struct layers *layers;
	struct lines *lines;
	const char *mountpoint;
	/* A sentence without newline. */
	void (*log)(void *arg, const char *text);
	/* Answers what is asked past the kernel; see control.h. */
	void (*answer)(void *arg, const char *order, FILE *to);
	void *arg;
};

/*
 * Serves until the file system is unmounted, or SIGINT, SIGTERM or SIGHUP
 * ends it.  Then it takes no more requests, lets all that are out be answered,
 * unmounts, closes what is open, and returns.  Without a connection it waits
 * for one for 20 seconds; then what is out fails.  A second signal does not
 * wait for the server.  SIGUSR1 tries to connect at once.
 *
 * A line may be in use by another thread on return: lines_are_connecting().
 *
 * CSFTP_ERR_IO: the loop could not be set up.
 */
CSFTP_MUST_CHECK enum csftp_err
reactor_run(const struct reactor_config *config);

#endif
