#include <stddef.h>
#include <stdlib.h>

#include "core/layer/cache_impl.h"

/*
 * Listing ahead: the cache reads a directory through itself, and so knows it.
 *
 * Who opens a directory right after its parent is held to walk through the
 * tree, as find(1) or rm(1) do.  What such a walk comes to next are, as far
 * as they are known, the directories in this one, then those behind it in its
 * parent, and so on up.  Who goes by the order of names, as ls -R does, comes
 * to those before it as well: they are next when there are none behind.
 *
 * Who looks up names in one directory after the other, as git does with all
 * that it knows, walks through them, too.
 */

#define WINDOW_FIRST 2U
#define READDIRS     2U	    /* at once: a short directory ends with them */
#define NAMES_MAX    10000U /* a longer listing is not worth a guess */
#define UNUSED_MAX   16U    /* times the window: guesses not used yet */
#define STREAK	     3U	    /* directories side by side that make a walk */
#define STEPS_MAX    1000U  /* names that are looked at to find the next */
#define WALK_MS	     10000U /* between a directory and one in it */
#define PATIENCE     32U

struct ahead {
	struct cache *cache;
	struct cache_node *node; /* pinned */
	struct csftp_req open;	 /* OPENDIR, then CLOSE */
	struct csftp_req read[READDIRS];
	csftp_fh fh;
	uint32_t outstanding;
	uint32_t names;
	bool opened;
	bool ended;
	char path[CSFTP_PATH_MAX + 1];
};

/* It does not count among the guesses any more. */
static bool used(struct cache *cache, struct cache_node *node)
{
	if (node->walk != cache->tree.walk)
		return false;
	node->walk = 0;
	cache->tree.unused--;
	return true;
}

static void over(struct ahead *ahead)
{
	struct cache *cache = ahead->cache;
	struct cache_node *node = ahead->node;

	cache->pending--;
	cache->listings--;
	node->listing = false;
	/* It changes all the time, or it cannot be read. */
	if (!cache_is_whole(cache, node)) {
		node->patience = node->patience * 2 + PATIENCE;
		used(cache, node);
	}
	cache_node_unpin(&cache->tree, node);
	free(ahead);
	cache_wake(cache);
	cache_walk_on(cache);
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

static void read_some(struct ahead *ahead, struct csftp_req *req);

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ahead *ahead = ahead_of_read(req);

	ahead->outstanding--;
	if (reply->err || reply->eof || ahead->names > NAMES_MAX ||
	    ahead->cache->quiet)
		ahead->ended = true;
	if (!ahead->ended)
		read_some(ahead, req);
	else if (ahead->outstanding == 0 && ahead->opened)
		finish(ahead);
}

static void read_some(struct ahead *ahead, struct csftp_req *req)
{
	*req = (struct csftp_req){
		.op = CSFTP_OP_READDIR,
		.done = was_read,
		.entry = take_name,
		.fh = ahead->fh,
		.off = (uintptr_t)ahead, /* READDIR has no use for it */
	};
	ahead->outstanding++;
	csftp_submit(&ahead->cache->relay.fs, req);
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
	for (size_t i = 0; i < READDIRS && !ahead->ended; i++)
		read_some(ahead, &ahead->read[i]);
	ahead->opened = true;
	if (ahead->ended && ahead->outstanding == 0)
		finish(ahead);
}

void cache_list_ahead(struct cache *cache, struct cache_node *node)
{
	struct ahead *ahead;

	if (cache->quiet || node->listing || cache_is_whole(cache, node) ||
	    node->names_changing > 0 || !cache_is_below(node, cache->top) ||
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

/* Above the directory where it began nobody walks. */
static bool is_walked(const struct cache_node *dir)
{
	while (dir && !dir->opened_ms)
		dir = dir->parent;
	return dir != NULL;
}

/* The next in the order of a walk; NULL: it has come to its end. */
static struct cache_node *step(const struct cache *cache,
			       struct cache_node *node, bool into)
{
	if (into && node->children && cache_is_whole(cache, node))
		return node->children;
	while (node && !node->hh.next)
		node = node->parent;
	if (!node || !is_walked(node->parent))
		return NULL;
	return node->hh.next;
}

static struct cache_node *first_sibling(const struct cache_node *node)
{
	return node->parent && node->parent->opened_ms ? node->parent->children
						       : NULL;
}

static bool is_directory(const struct cache_node *node)
{
	return (node->attr.mask & CSFTP_ATTR_MODE) &&
	       (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

/* Lists what is next, as long as that may go on at once. */
void cache_walk_on(struct cache *cache)
{
	struct cache_node *node = cache->walker;
	bool into = true;
	bool again = false;

	if (!node || cache->window == 0 || cache->pumping || cache->quiet)
		return;
	cache->pumping = true;
	for (uint32_t steps = 0; steps < STEPS_MAX; steps++) {
		if (cache->listings >= cache->window ||
		    cache->tree.unused >= UNUSED_MAX * cache->window)
			break;
		node = step(cache, node, into);
		if (!node && !again) {
			node = first_sibling(cache->walker);
			again = true;
		}
		if (!node)
			break;
		into = is_directory(node);
		/* Somebody lists the walker's place already. */
		if (!into || node == cache->walker || node->patience > 0 ||
		    node->listing || cache_is_whole(cache, node))
			continue;
		node->walk = cache->tree.walk;
		cache->tree.unused++;
		cache->counts.ahead++;
		cache_list_ahead(cache, node);
	}
	cache->pumping = false;
}

static void set_walker(struct cache *cache, struct cache_node *node)
{
	if (node)
		cache_node_pin(node);
	if (cache->walker)
		cache_node_unpin(&cache->tree, cache->walker);
	cache->walker = node;
}

void cache_walk(struct cache *cache, struct cache_node *node)
{
	uint64_t now = cache_now(cache);
	const struct cache_node *parent = node->parent;

	if (used(cache, node))
		cache->counts.ahead_used++;
	if (cache->config.ahead == CACHE_NEVER)
		return;
	if (parent && parent->opened_ms && now - parent->opened_ms < WALK_MS) {
		cache->window =
			cache->window ? cache->window * 2 : WINDOW_FIRST;
		if (cache->window > cache->config.ahead)
			cache->window = cache->config.ahead;
	} else {
		cache->window = 0;
		cache->tree.walk++;
		cache->tree.unused = 0;
	}
	node->opened_ms = now;
	set_walker(cache, node);
	cache_walk_on(cache);
}

/* The addresses are compared only: what they point at may have gone. */
void cache_walk_by_names(struct cache *cache, struct cache_node *dir)
{
	struct cache_node *parent = dir->parent;

	if (dir == cache->looked_in || !parent)
		return;
	cache->streak = parent == cache->looked_beside ? cache->streak + 1 : 1;
	cache->looked_in = dir;
	cache->looked_beside = parent;
	if (cache->streak < STREAK || dir->patience > 0 ||
	    !cache_is_below(parent, cache->top))
		return;
	parent->opened_ms = cache_now(cache);
	cache_list_ahead(cache, dir);
	cache_walk(cache, dir);
}
