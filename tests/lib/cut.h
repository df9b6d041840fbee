/* A connection to memfs that is cut where a test wants it. */
#ifndef CSFTP_TESTS_CUT_H
#define CSFTP_TESTS_CUT_H

#include <stdbool.h>

#include "core/layer/relay.h"

#define CUT_HANDLES 4096

/*
 * Requests wait until cut_run(), and are done in order.  At the end of a
 * connection its handles are closed, and all that waits is answered with EIO.
 * A handle of another connection fails the running test.
 *
 * With `at` set, the connection ends once so many requests were done on it, of
 * which the last `lost` were done without an answer; or before that, when
 * nothing else is left to do.
 */
struct cut {
	struct relay relay; /* first */
	struct csftp_req *first;
	struct csftp_req *last;
	unsigned connection; /* counts from 1 */
	bool dead;
	unsigned at; /* 0: never */
	unsigned lost;
	unsigned done;		    /* on this connection */
	unsigned all;		    /* on all of them */
	csftp_fh open[CUT_HANDLES]; /* below */
	unsigned opened;
	char joined[4096]; /* the payload of a WRITE in pieces */
	bool guarded;	 /* modes count for OPEN, as they do for all but root */
	bool no_fstat;	 /* an open file has no attributes */
	bool unreadable; /* nobody may open a file to read it */
	bool vague;	 /* refusals have one code, as most servers have */
	/* Asking for the attributes of this ends it; NULL: nothing does. */
	const char *ends;
};

void cut_init(struct cut *cut, struct csftp_fs *memfs);
void cut_release(struct cut *cut);

/* Does one request, or ends the connection; false: there is nothing to do. */
bool cut_run(struct cut *cut);

/* A new connection in place of one that ended. */
void cut_connect(struct cut *cut);

/* Ends it now. */
void cut_now(struct cut *cut);

/* For struct survive_config. */
bool cut_gone(void *cut);

#endif
