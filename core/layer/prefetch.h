/* A layer that fetches small files before they are opened. */
#ifndef CSFTP_CORE_LAYER_PREFETCH_H
#define CSFTP_CORE_LAYER_PREFETCH_H

#include <stdint.h>

#include "core/layer/cache.h"
#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Who opens the small files of a directory one after the other, as cp -r,
 * grep -r or tar do, finds the next ones open and read already.  Three orders
 * are recognised: that of the listing, that of the names, and that of the
 * numbers which a reader sees as st_ino.  An order that proved right is
 * expected in the directories that come next, too.  Who goes through sibling
 * directories in such an order finds the files of the next ones fetched, as
 * far as the cache knows these directories whole.  Who lists four directories
 * and opens none of their files is held to want names alone.
 *
 * A file that is fetched is open below, and whoever opens it gets that very
 * handle, so that all that can be done with an open file works as ever.  What
 * was read is served for a short time only; a fetched file that nobody comes
 * for in that time is closed, and when that happens often nothing is fetched
 * until an order is recognised anew.  What is changed through this layer is
 * not served from what was fetched before.
 *
 * All is bounded: files, bytes, time, names.  No memory means that nothing is
 * fetched.  It holds no clock: see prefetch_tick().  One thread.
 */
struct prefetch;

/* Zero means the default given. */
struct prefetch_config {
	struct csftp_fs *under; /* the cache's file system */
	struct cache *cache;	/* knows what files there are */
	/* A steady clock in milliseconds, not 0. */
	uint64_t (*now_ms)(void *arg);
	/* The number that a reader sees for a path; may be NULL. */
	uint64_t (*number)(void *arg, const char *path);
	void *arg;
	uint32_t files;	    /* fetched at a time, at most: 64 */
	uint32_t file_max;  /* bytes of one; 0: what one READ takes */
	uint32_t bytes_max; /* of all: 8 MiB */
	uint32_t fresh_ms;  /* how long they are good: 1,000 */
	uint32_t names_max; /* of files whose order is known: 65,536 */
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err
prefetch_new(struct prefetch **out, const struct prefetch_config *config);

/* Nothing may be pending, and nothing open.  NULL is fine. */
void prefetch_free(struct prefetch *prefetch);

struct csftp_fs *prefetch_fs(struct prefetch *prefetch);

/* Requests of its own without an answer, and files that it holds open. */
uint32_t prefetch_pending(const struct prefetch *prefetch);

/* Fetches nothing any more, and closes what nobody came for. */
void prefetch_quiet(struct prefetch *prefetch);

/* Closes what is too old; returns when to call again, 0: not before more. */
uint64_t prefetch_tick(struct prefetch *prefetch);

struct prefetch_counts {
	uint64_t fetched; /* files */
	uint64_t used;
	uint64_t bytes_used;   /* of their content that were handed out */
	uint64_t bytes_unused; /* ... and that were dropped */
	uint64_t bytes;	       /* held now, or on their way */
	uint64_t names;	       /* of files whose order is known now */
	uint64_t looked;       /* names that were looked at for that */
};
struct prefetch_counts prefetch_counts(const struct prefetch *prefetch);

#endif
