#include <stddef.h>
#include <stdlib.h>

#include "core/layer/cache_impl.h"

/*
 * Listing ahead: the cache reads a directory through itself, and so knows it.
 */

#define READDIRS     2U	    /* at first: a short directory ends with them */
#define READDIRS_MAX 8U	    /* at once, of one that is longer */
#define NAMES_MAX    10000U /* a longer listing is not worth a guess */
#define PATIENCE     32U

struct ahead {
	struct cache *cache;
	struct cache_node *node; /* pinned */
	struct csftp_req open;	 /* OPENDIR, then CLOSE */
	struct csftp_req read[READDIRS_MAX];
	csftp_fh fh;
	uint32_t outstanding;
	uint32_t at_once; /* READDIRs; more each time */
	uint32_t names;
	bool asking;
	bool ended;
	bool told; /* nobody waits for it any more */
	char path[CSFTP_PATH_MAX + 1];
};

/* As much is known as will be, though something may be under way yet. */
static void tell(struct ahead *ahead)
{
	struct cache *cache = ahead->cache;
	struct cache_node *node = ahead->node;

	ahead->told = true;
	cache->listings--;
	node->listing = false;
	/* It changes all the time, or it cannot be read. */
	if (!cache_is_whole(cache, node)) {
		node->patience = node->patience * 2 + PATIENCE;
		(void)cache_guess_used(cache, node);
	}
	cache_wake(cache);
	cache_walk_on(cache);
}

static void over(struct ahead *ahead)
{
	struct cache *cache = ahead->cache;

	if (!ahead->told)
		tell(ahead);
	cache->pending--;
	cache_node_unpin(&cache->tree, ahead->node);
	free(ahead);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* nothing was written that could be lost */
	over((struct ahead *)((char *)req - offsetof(struct ahead, open)));
}

static struct ahead *ahead_of_read(const struct csftp_req *req)
{
	return (struct ahead *)(uintptr_t)req->off;
}

static bool take_name(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct ahead *ahead = ahead_of_read(req);

	(void)entry;
	ahead->names++;
	return true;
}

static void finish(struct ahead *ahead)
{
	ahead->open.op = CSFTP_OP_CLOSE;
	ahead->open.done = closed;
	ahead->open.path = NULL;
	ahead->open.fh = ahead->fh;
	csftp_submit(&ahead->cache->relay.fs, &ahead->open);
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply);

/* What is answered meanwhile goes on when all have been asked. */
static void read_some(struct ahead *ahead, uint32_t count)
{
	ahead->asking = true;
	for (uint32_t i = 0; i < count && !ahead->ended; i++) {
		ahead->read[i] = (struct csftp_req){
			.op = CSFTP_OP_READDIR,
			.done = was_read,
			.entry = take_name,
			.fh = ahead->fh,
			.off = (uintptr_t)ahead, /* READDIR has no use for it */
		};
		ahead->outstanding++;
		csftp_submit(&ahead->cache->relay.fs, &ahead->read[i]);
	}
	ahead->asking = false;
}

/* All that was asked is answered: more of it, or the end. */
static void read_on(struct ahead *ahead)
{
	while (ahead->outstanding == 0 && !ahead->ended) {
		if (ahead->at_once < READDIRS_MAX)
			ahead->at_once *= 2;
		read_some(ahead, ahead->at_once);
	}
	if (ahead->outstanding > 0)
		return;
	if (!ahead->told)
		tell(ahead);
	finish(ahead);
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ahead *ahead = ahead_of_read(req);

	ahead->outstanding--;
	if (reply->err || reply->eof || ahead->names > NAMES_MAX ||
	    ahead->cache->quiet)
		ahead->ended = true;
	if (!ahead->told && cache_is_whole(ahead->cache, ahead->node))
		tell(ahead);
	if (ahead->outstanding == 0 && !ahead->asking)
		read_on(ahead);
}

static void was_opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ahead *ahead =
		(struct ahead *)((char *)req - offsetof(struct ahead, open));

	if (reply->err) {
		over(ahead);
		return;
	}
	ahead->fh = reply->fh;
	ahead->at_once = READDIRS;
	read_some(ahead, ahead->at_once);
	if (ahead->outstanding == 0)
		read_on(ahead);
}

void cache_list_ahead(struct cache *cache, struct cache_node *node)
{
	struct ahead *ahead;

	if (cache->quiet || cache->held || node->listing ||
	    cache_is_whole(cache, node) || node->names_changing > 0 ||
	    !cache_is_below(node, cache->top) ||
	    cache->config.names_ms == CACHE_NEVER ||
	    cache->config.ahead == CACHE_NEVER)
		return;
	ahead = calloc(1, sizeof(*ahead));
	if (!ahead)
		return;
	if (!cache_path_of(node, ahead->path)) {
		free(ahead);
		return;
	}
	ahead->cache = cache;
	ahead->node = node;
	cache_node_pin(node);
	node->listing = true;
	cache->pending++;
	cache->listings++;
	ahead->open = (struct csftp_req){
		.op = CSFTP_OP_OPENDIR,
		.done = was_opened,
		.path = ahead->path,
	};
	cache_opendir_below(cache, &ahead->open, node);
}
