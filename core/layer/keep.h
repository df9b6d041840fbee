/* A layer that keeps the content of small files. */
#ifndef CSFTP_CORE_LAYER_KEEP_H
#define CSFTP_CORE_LAYER_KEEP_H

#include <stdint.h>

#include "core/layer/cache.h"
#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * What was read of a small file is kept, with the attributes that the file had
 * before it was read.  Who opens it again, to read it, is answered from memory
 * if it still has them: one question, and none where they were learned within
 * the time of eight such.  With the first question go those about the files
 * that were opened behind that one the last time, so that who opens the same
 * files again and again, as git does, waits for one of them.
 *
 * A time of modification is of whole seconds.  So content proves to be that of
 * a time only if it was read two seconds after that, or more: by the server's
 * clock where that is known (cache_had_passed()), or because the time had been
 * seen two seconds before.  Other content is good without a question only.
 *
 * Such a file is not open below.  It is opened there once somebody wants more
 * of it than to read it, or after a second, by keep_tick() unasked: its name
 * may lead to another file later.  And before it changes through this layer, or
 * its name does, so that an open file stays what it is.
 *
 * Handles of the file system below must be less than 2^63, as the cache's are.
 * Memory is bounded; who was asked for longest ago is dropped first.  What is
 * open holds on to what was read of it, as long as all of that is no more than
 * twice the bound.  No memory means that nothing is kept.  One thread.
 */
struct keep;

/* Zero means the default given. */
struct keep_config {
	struct csftp_fs *under; /* the cache's file system, or one over it */
	struct cache *cache;
	/* A steady clock in milliseconds, not 0: the cache's. */
	uint64_t (*now_ms)(void *arg);
	void *arg;
	uint32_t file_max;  /* bytes of one: 64 KiB, or what one READ takes */
	uint32_t bytes_max; /* of all: 4 MiB */
	uint32_t fresh_ms;  /* good without a question, at most: 1,000 */
	uint32_t ahead;	    /* files that are asked about at once: 16 */
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err keep_new(struct keep **out,
					 const struct keep_config *config);

/* Nothing may be pending, and nothing open.  NULL is fine. */
void keep_free(struct keep *keep);

struct csftp_fs *keep_fs(struct keep *keep);

/*
 * Opens what has been open from memory for long enough.  When to call it again,
 * by the clock of the configuration; 0: not before a request.
 */
uint64_t keep_tick(struct keep *keep);

/* Requests of its own that the file system below has not answered yet. */
uint32_t keep_pending(const struct keep *keep);

/* Keeps nothing any more, and asks for nothing that nobody waits for. */
void keep_quiet(struct keep *keep);

struct keep_counts {
	uint64_t opened;  /* files, from memory */
	uint64_t asked;	  /* whether they are the same, by who waited */
	uint64_t ahead;	  /* ... and by nobody */
	uint64_t bytes;	  /* held now */
	uint64_t content; /* of files, be it for those that are open alone */
};
struct keep_counts keep_counts(const struct keep *keep);

#endif
