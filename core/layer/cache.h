/* A layer that remembers names and attributes, and what is not there. */
#ifndef CSFTP_CORE_LAYER_CACHE_H
#define CSFTP_CORE_LAYER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * What the file system below said is answered again from memory, for a time:
 * attributes, the text of symbolic links, that a name does not exist, and
 * whole directories.  A directory that was listed to its end, or that was
 * made through this layer, answers for the names that are not in it, too.
 * After the second look-up in a directory that had to be asked below, the
 * directory is listed, and who walks through a tree finds the directories
 * that come next listed already.
 *
 * What is changed through this layer is known to be changed at once; of what
 * failed with EINTR or EIO, and may have been done, nothing is known.  What
 * somebody else changes is seen when the time is over.  Paths are names: a
 * change through another path, such as one through a symbolic link, is
 * somebody else's.  Paths that are not plain (relative, or with "." or "..")
 * are passed on; a change through one empties the cache.
 *
 * A directory that was made through this layer is held to be left alone by
 * others for twenty seconds: an owner or a mode that it has is not set again,
 * and an atime that is not set with the mtime is the one it had.
 *
 * A listing whose time is over is not read again where the directory's mtime
 * shows that the names are still the same: where it is the one that had been
 * there for two seconds or more when the listing began.  Then the names hold
 * for another time, up to sixteen in all, with their types; attributes have to
 * be asked for.  Where they are, the directory is listed the next time.
 *
 * Attributes of a file that is open for writing are always asked for, and of
 * one with two names of which this layer made the second; that is remembered of
 * 65,536 names that were forgotten otherwise.  When a file is opened to be
 * read, they are asked for behind the OPEN, unless they were learned within a
 * second and nobody has opened it since.  Content goes through unseen.
 *
 * Memory is bounded; what was used longest ago is forgotten first.  No memory
 * is an answer of ENOMEM, or a fact that is not remembered.  One thread.
 */
struct cache;

/* Zero means the default given; CACHE_NEVER turns a kind off. */
#define CACHE_NEVER UINT32_MAX

struct cache_config {
	struct csftp_fs *under;
	/* A steady clock in milliseconds, not 0. */
	uint64_t (*now_ms)(void *arg);
	/* The time of day, in seconds since 1970. */
	int64_t (*wall_sec)(void *arg);
	void *arg;
	/* Nothing outside this directory is listed unasked; NULL: "/". */
	const char *top;
	uint32_t attr_ms;   /* how long attributes are kept: 20,000 */
	uint32_t text_ms;   /* ... and links: 20,000 */
	uint32_t names_ms;  /* ... and listings: 20,000 */
	uint32_t absent_ms; /* ... and that one name is not there: 1,000 */
	size_t bytes_max;   /* of memory: 64 MiB */
	uint32_t ahead;	    /* directories listed at once, unasked: 32 */
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err cache_new(struct cache **out,
					  const struct cache_config *config);

/* Nothing may be pending.  What is open below stays open.  NULL is fine. */
void cache_free(struct cache *cache);

struct csftp_fs *cache_fs(struct cache *cache);

/* Requests of its own that the file system below has not answered yet. */
uint32_t cache_pending(const struct cache *cache);

/* Ends what it asks of its own accord, for good. */
void cache_quiet(struct cache *cache);

/*
 * Nobody answers below, for a while or no longer.  Meanwhile what was known of
 * attributes, symbolic links and whole directories is shown however old it is,
 * to those who wait already, too; the answers of these are below to be
 * cancelled.  That a name is not there is said only before its time is over:
 * whoever is told so may make it anew.  What was changed through this layer
 * and not asked for since is not known, but for the top, and for directories
 * of which only names were changed: these have the time of that change, by the
 * server's clock as far as it is known.
 */
void cache_hold(struct cache *cache, bool on);

/* Of memory, for what it remembers. */
size_t cache_bytes(const struct cache *cache);

/* Since it was made.  A request counts once, as one of these. */
struct cache_counts {
	uint64_t answered; /* from memory */
	uint64_t asked;	   /* could have been remembered, and was not */
	uint64_t ahead;	   /* directories that were listed unasked */
	uint64_t ahead_used;
};
struct cache_counts cache_counts(const struct cache *cache);

/*
 * Calls take for each name of that type (CSFTP_S_IFREG: and for what may be of
 * it) in a directory that is known whole, in the order of its listing, until it
 * returns false.  How many names were looked at; 0: the directory is not known
 * whole, or empty.
 */
uint32_t cache_each_name(struct cache *cache, const char *dir, uint32_t type,
			 bool (*take)(void *arg, const char *name), void *arg);

/*
 * The size of a regular file in bytes; UINT64_MAX where it is not known, or is
 * about to change.
 */
uint64_t cache_file_size(struct cache *cache, const char *path);

/*
 * Attributes of the name itself, and for how long they have been known, in
 * milliseconds; good until anything is asked.  NULL: they are not known, or
 * about to change.
 */
const struct csftp_attr *cache_known_attr(struct cache *cache, const char *path,
					  uint64_t *age_ms);

/*
 * Whether it is known that a directory is there and has no such name, and
 * nothing that could change either is on its way through this layer.
 */
bool cache_knows_absent(struct cache *cache, const char *path);

/* GETATTR with a path, asked below whatever is known; the answer is, then. */
void cache_ask_anew(struct cache *cache, struct csftp_req *up);

/*
 * Whether that second, and another one, had passed on the server's clock when
 * ours said at_ms: as far as what we made lately tells what it says.
 */
bool cache_had_passed(const struct cache *cache, int64_t sec, uint64_t at_ms);

/* Whether the file is open for writing, by this name or perhaps another. */
bool cache_is_written(struct cache *cache, const char *path);

#endif
