/* Has the kernel write what programs have changed in mapped files. */
#ifndef CSFTP_FUSEFS_PAGES_H
#define CSFTP_FUSEFS_PAGES_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Of pages that were changed in a mapping the kernel tells when it likes, and
 * not at all once the mount is gone.  So before it is taken away syncfs(2) is
 * called.  Who serves the mount cannot do that itself: another process does,
 * which has nothing of ours open, so that it holds nothing up should it hang.
 */
struct pages {
	pid_t pid;
	int fd; /* at its end when that is done, or cannot be; -1: nothing */
};

/* False: there is no such process; errno says why. */
bool pages_flush(struct pages *pages, const char *mountpoint);

/* Whether it was done or not. */
void pages_release(struct pages *pages);

#endif
