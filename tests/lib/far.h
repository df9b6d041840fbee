/* memfs at the other end of a connection: what it costs to ask it. */
#ifndef CSFTP_TESTS_FAR_H
#define CSFTP_TESTS_FAR_H

#include "core/layer/relay.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"

/*
 * Layers are tested over far->relay.fs.  What waits below is answered all at
 * once, and only when far->caller has to wait: that is a round trip.
 */
struct far {
	struct relay relay; /* first; counts what is asked */
	struct csftp_fs *memfs;
	struct later later;
	struct fs_caller caller; /* its fs is the test's to set */
	struct fs_caller other;	 /* of memfs, behind the layers' back */
	uint64_t now_ms;
	uint64_t trip_ms; /* that a round trip takes; 0 at first */
	unsigned trips;
	unsigned asked[CSFTP_OP_COUNT];
	unsigned all;
};

void far_init(struct far *far);

/* After the layers are gone. */
void far_release(struct far *far);

/* The clock, as layers want it. */
uint64_t far_now(void *far);

/* Answers all that waits, and what that leads to, as no round trip. */
void far_settle(struct far *far);

/* The same, and counts from zero. */
void far_begin(struct far *far);

/* Makes a file of that text, by either caller. */
void far_put(struct fs_caller *caller, const char *path, const char *text);

/* Lists a directory to its end; how many names there were. */
size_t far_list(struct fs_caller *caller, const char *path);

#endif
