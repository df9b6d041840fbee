/* A layer that reads on in the files that are read from front to back. */
#ifndef CSFTP_CORE_LAYER_READAHEAD_H
#define CSFTP_CORE_LAYER_READAHEAD_H

#include <stdint.h>

#include "core/layer/cache.h"
#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * After two READs of a handle, one right behind the other, the next ones are
 * sent before they are asked for.  How many bytes are on their way (the
 * window) doubles as long as the reader has to wait and twice the window
 * brings noticeably more bytes in a time: so it comes to what the connection
 * can carry, and no further.  A READ somewhere else ends it.
 *
 * Who asks the server for other things should not wait for more than twice the
 * way: no more is on its way of all files than way.h says.
 *
 * What was read ahead is handed out once, within a short time, and not at all
 * after a change of the file through this layer.
 *
 * Bounded: bytes of one file and of all, which those that are being read have
 * equal shares of.  No memory means that nothing is read ahead.  One thread.
 */
struct readahead;

/* Zero means the default given. */
struct readahead_config {
	struct csftp_fs *under;
	struct cache *cache; /* knows sizes and writers; may be NULL */
	/* A steady clock in milliseconds, not 0. */
	uint64_t (*now_ms)(void *arg);
	/* As that of struct writebehind_config; may be NULL. */
	uint64_t (*trip_us)(void *arg, uint64_t *ago_ms);
	void *arg;
	uint32_t chunk;	     /* bytes of one READ: 128 KiB, or max_read */
	uint32_t window_max; /* bytes of one file: 64 MiB */
	uint32_t bytes_max;  /* bytes of all: 64 MiB */
	uint32_t fresh_ms;   /* how long they are good: 1,000 */
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err
readahead_new(struct readahead **out, const struct readahead_config *config);

/* Nothing may be pending.  NULL is fine. */
void readahead_free(struct readahead *readahead);

struct csftp_fs *readahead_fs(struct readahead *readahead);

/* READs of its own without an answer. */
uint32_t readahead_pending(const struct readahead *readahead);

/* It reads nothing ahead any more. */
void readahead_quiet(struct readahead *readahead);

struct readahead_counts {
	uint64_t asked;	 /* READs ahead */
	uint64_t served; /* READs from above, out of them */
	uint64_t used;	 /* bytes of what came ahead that were handed out */
	uint64_t unused; /* ... and that were dropped */
	uint64_t bytes;	 /* held now */
	uint64_t window; /* the largest so far, in bytes */
};
struct readahead_counts readahead_counts(const struct readahead *readahead);

#endif
