/* A program goes to the background when it has done what can fail. */
#ifndef CSFTP_FUSEFS_BACKGROUND_H
#define CSFTP_FUSEFS_BACKGROUND_H

#include <stdbool.h>

/* Begin with {-1, -1}: in the foreground. */
struct background {
	int verdict; /* where the parent waits for our exit status; or -1 */
	int said;    /* ... and hears standard error until then; or -1 */
};

/*
 * True: this is the child, which goes on.  False: this is the parent, and
 * *status how it is to end: as the child said or did, or -1, errno tells why
 * there is no child.
 *
 * The parent stays until the child has told or has ended.  The child keeps the
 * terminal until then, for others to ask on.
 */
bool background_begin(struct background *background, int *status);

/*
 * In the child: out of the session and the directory it was started in, without
 * input and output.  False: errno tells; who started it can still be told.
 */
bool background_leave(void);

/*
 * Nobody sees standard error from here on, and the parent ends well.  Returns
 * the end that is read of what others go on to say there; the caller's.
 */
int background_tell(struct background *background);

#endif
