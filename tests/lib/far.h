/* memfs at the other end of a connection: what it costs to ask it. */
#ifndef CSFTP_TESTS_FAR_H
#define CSFTP_TESTS_FAR_H

#include "core/layer/cache.h"
#include "core/layer/relay.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"

/* The server's clock is so many seconds ahead of ours. */
#define FAR_BEHIND 3600

/*
 * Layers are tested over far->relay.fs.  What waits below is answered all at
 * once, and only when far->caller has to wait: that is a round trip.
 */
struct far {
	struct relay relay; /* first; counts what is asked */
	struct csftp_fs *memfs;
	struct later later;
	struct cache *cache;	 /* over it; NULL without far_cache() */
	struct fs_caller caller; /* its fs is the test's to set */
	struct fs_caller other;	 /* of memfs, behind the layers' back */
	uint64_t now_ms;
	uint64_t trip_ms; /* that a round trip takes; 0 at first */
	unsigned trips;
	unsigned asked[CSFTP_OP_COUNT];
	unsigned all;
};

void far_init(struct far *far);

/*
 * Lays a cache over it: of the wish all counts but what it is over and its
 * clock, which are ours.  far->caller asks the cache then.
 */
void far_cache(struct far *far, const struct cache_config *wish);

/*
 * For tests that have nothing but the cache over it.  The state of cmocka is
 * one with the cache's own defaults.
 */
struct far *far_new(const struct cache_config *wish);
void far_free(struct far *far);
int far_set_up(void **state);
int far_tear_down(void **state);

/* After the layers are gone; but for the cache, which has to be at rest. */
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
