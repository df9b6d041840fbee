/* The layers of a mount, between the frontend and the server's files. */
#ifndef CSFTP_FUSEFS_LAYERS_H
#define CSFTP_FUSEFS_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layer/cache.h"
#include "core/layer/idmap.h"
#include "core/layer/keep.h"
#include "core/layer/links.h"
#include "core/layer/mend.h"
#include "core/layer/meter.h"
#include "core/layer/prefetch.h"
#include "core/layer/readahead.h"
#include "core/layer/recode.h"
#include "core/layer/writebehind.h"
#include "csftp/err.h"
#include "csftp/fs.h"

struct layers;

struct layers_config {
	struct csftp_fs *under;
	const char *root; /* absolute; nothing outside is asked for unasked */
	/* Seconds that is remembered what was said; 0: not at all. */
	double attr_timeout;
	double link_timeout;
	double dir_timeout;
	uint32_t names;	   /* remembered at a time; 0: about 130,000 */
	bool no_readahead; /* of content */
	bool no_content;   /* is to be remembered */
	bool no_list_ahead;
	/* Without under; it may want nothing. */
	struct mend_config mend;
	/* How names are converted, without under; NULL: they are not. */
	const struct recode_config *names_as;
	enum links_policy links;
	bool follow_links;
	const struct idmap_config
		*owners; /* without under; NULL: as they are */
	/* A steady clock in milliseconds, not 0; NULL: the system's. */
	uint64_t (*now_ms)(void *arg);
	/*
	 * Whether names share the way with what is moved; may be NULL, then
	 * they do.
	 */
	bool (*one_way)(void *arg);
	/* Whether the server is known to do as OpenSSH; NULL: it does. */
	bool (*sound)(void *arg);
	/*
	 * Whether there is a connection: false from the moment when errors come
	 * for that reason; NULL: there is.
	 */
	bool (*up)(void *arg);
	enum writebehind_durability durability;
	uint64_t behind_max; /* bytes answered and not written; 0: 64 MiB */
	/* The st_ino that is shown for a path. */
	uint64_t (*number)(void *arg, const char *path);
	/* An error of a write that nobody can be told of any more. */
	void (*lost)(void *arg, const char *path, int err);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err layers_new(struct layers **out,
					   const struct layers_config *config);

/* Nothing may be pending, and what is open is closed.  NULL is fine. */
void layers_free(struct layers *layers);

struct csftp_fs *layers_fs(struct layers *layers);

/* Since they were made; ops, by operation, is good as long as the layers. */
struct layers_counts {
	const struct meter *ops;
	struct cache_counts cache;
	size_t cache_bytes;
	struct readahead_counts readahead;
	struct keep_counts keep;
	struct prefetch_counts prefetch;
	struct writebehind_counts writebehind;
};
struct layers_counts layers_counts(const struct layers *layers);

/* Requests that the layers made, and files that they hold open. */
uint32_t layers_pending(const struct layers *layers);

/*
 * What is remembered does not grow old meanwhile: nobody can be asked.  When it
 * goes on, all that time has passed.  The first time that it does, that which
 * df(1), umount(8) and file managers ask of a mount is asked for, so as to be
 * known when there is no connection any more; nobody waits for it.
 */
void layers_hold(struct layers *layers);
void layers_go_on(struct layers *layers);

/* They ask for nothing any more of their own accord, but for closing. */
void layers_quiet(struct layers *layers);

/* What is due; returns in how many milliseconds to call again, 0: not then. */
uint64_t layers_tick(struct layers *layers);

#endif
