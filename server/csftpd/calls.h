/* The system calls of a daemon that has started. */
#ifndef CSFTP_SERVER_CSFTPD_CALLS_H
#define CSFTP_SERVER_CSFTPD_CALLS_H

#include <stddef.h>

/*
 * seccomp as server/sandbox.h has it, and a daemon's own calls besides: it
 * accepts connections and sets their options.  It starts once, so its filter is
 * made then, for as many logs as it has.
 */
struct calls_config {
	/* Sockets that may be connected again; those that are -1 are none. */
	const int *log_fds;
	size_t log_count;
};

/* For the thread that calls it.  0, or an errno: there is no filter. */
int calls_enter(const struct calls_config *config);

#endif
