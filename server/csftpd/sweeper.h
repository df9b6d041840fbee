/* What is removed after the daemon, where its sandbox does not let it. */
#ifndef CSFTP_SERVER_CSFTPD_SWEEPER_H
#define CSFTP_SERVER_CSFTPD_SWEEPER_H

#include <stdbool.h>
#include <stddef.h>

#define SWEEPER_PATHS 2U

/*
 * A process of its own, which nobody else can speak with: Landlock could only
 * let the daemon remove every file below a directory.  It waits for the daemon
 * to end, in whatever way, removes what stands at the paths then if it is what
 * stood there at the start, and ends.
 */
struct sweeper {
	int fd; /* -1: there is none */
};

/* Before there are threads.  False: errno, and there is none. */
bool sweeper_start(struct sweeper *sweeper, const char *const *path,
		   size_t count);

/* Returns when all that is to be removed is. */
void sweeper_end(struct sweeper *sweeper);

#endif
