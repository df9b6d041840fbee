/* How many round trips a program on a mount waits for: all that counts them. */
#ifndef CSFTP_TESTS_TRIPS_H
#define CSFTP_TESTS_TRIPS_H

#include "core/layer/relay.h"
#include "fusefs/fusefs.h"
#include "fusefs/layers.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/fuse_rig.h"
#include "tests/lib/later.h"

/*
 * Kernel, frontend and layers over memfs, which is asked in batches.  What
 * waits below is answered all at once, and only when somebody waits for it:
 * that is a round trip.
 */
struct trips {
	struct relay relay; /* first; counts, and cuts listings */
	struct later later;
	struct csftp_fs *memfs;
	struct layers *layers;
	struct fusefs *f;
	struct fs_caller other; /* of memfs, behind the mount's back */
	unsigned trips;
	unsigned reads;
	unsigned writes;
	unsigned copies;
	unsigned lists; /* READDIRs */
	unsigned lost;	/* files whose errors nobody was told of */
	uint64_t now_ms;
	char point[PROC_PATH_MAX];
};

/* For cmocka.  What is there: /file, /dir with 1,000 files, /small with 40. */
int trips_set_up(void **state);
int trips_set_up_async(void **state);
int trips_tear_down(void **state);

/* Mounts it; the kernel remembers names for so many seconds. */
struct trips *trips_ready_for(void **state, double timeout);
struct trips *trips_ready(void **state);

/* The round trips that body waits for, in a process inside the mount. */
unsigned trips_count(struct trips *trips, void (*body)(void));

/* A body: so that the kernel knows what is there, and we do. */
void trips_list_top(void);

void trips_put(struct fs_caller *caller, const char *path, const char *text);

#endif
