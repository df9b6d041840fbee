#include <stdlib.h>

#include "core/layer/cache_impl.h"

/*
 * Names that outlive their time.  A directory's mtime changes with its names,
 * but has whole seconds: of a second that has not passed, it says nothing about
 * what is still to come.  No clock of the server's is known, so a time is held
 * to be in the past when it was seen two seconds ago, by our clock: if the
 * listing began later than that, a change that is not in it has another time.
 *
 * Some servers never change the mtime of a directory, and some programs put it
 * back.  Therefore there is a limit.
 */

/* Attributes that were seen so lately need not be asked for. */
#define FRESH_MS 1000U

#define PAST_MS	  2000U
#define TIMES_MAX 16U

struct check {
	struct csftp_req req; /* first */
	struct cache *cache;
	struct cache_node *node; /* pinned */
	uint64_t since;
	char path[CSFTP_PATH_MAX + 1];
};

static bool is_directory(const struct csftp_attr *attr)
{
	return (attr->mask & CSFTP_ATTR_MODE) &&
	       (attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

static bool same_time(struct csftp_time a, struct csftp_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

void cache_learn_date(struct cache *cache, struct cache_node *node,
		      const struct csftp_attr *attr)
{
	if (!is_directory(attr) || !(attr->mask & CSFTP_ATTR_MTIME)) {
		node->mtime_ms = 0;
	} else if (node->mtime_ms == 0 ||
		   !same_time(node->mtime, attr->mtime)) {
		node->mtime = attr->mtime;
		node->mtime_ms = cache_now(cache);
	}
}

void cache_date_names(struct cache *cache, struct cache_node *node,
		      const struct cache_dir *dir)
{
	node->renewed = false;
	node->names_stamp = dir->stamp;
	node->names_mtime = node->mtime;
	node->names_dated =
		node->mtime_ms > 0 && dir->began_ms >= node->mtime_ms + PAST_MS;
	node->names_limit =
		cache_now(cache) + (uint64_t)cache->config.names_ms * TIMES_MAX;
}

/* The directory is what it was: so are the names that were listed in it. */
static void renew(struct cache *cache, struct cache_node *node)
{
	struct cache_node *next;

	for (struct cache_node *child = node->children; child; child = next) {
		next = child->hh.next;
		if (child->stamp < node->names_stamp)
			cache_node_remove(&cache->tree, child);
	}
	node->names_until = cache_now(cache) + cache->config.names_ms;
	if (node->names_until > node->names_limit)
		node->names_until = node->names_limit;
	node->renewed = true;
	node->misses = 0;
}

static bool is_same(const struct cache_node *node,
		    const struct csftp_attr *attr)
{
	return node->names_dated && node->names_changing == 0 &&
	       is_directory(attr) && (attr->mask & CSFTP_ATTR_MTIME) &&
	       same_time(attr->mtime, node->names_mtime);
}

static void checked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct check *check = (struct check *)req;
	struct cache *cache = check->cache;
	struct cache_node *node = check->node;

	cache->pending--;
	node->listing = false;
	if (!reply->err && reply->attr && is_same(node, reply->attr) &&
	    cache_is_news(cache, node, check->since) &&
	    node->names_changed <= check->since)
		renew(cache, node);
	else
		cache_names_unknown(node);
	cache_let_go(cache, node);
	free(check);
	cache_wake(cache);
}

static bool ask(struct cache *cache, struct cache_node *node)
{
	struct check *check = malloc(sizeof(*check));

	if (!check || !cache_path_of(node, check->path)) {
		free(check);
		return false;
	}
	check->cache = cache;
	check->since = cache->seq;
	cache_call_hold(&check->node, node);
	check->req = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.flags = CSFTP_NOFOLLOW,
		.done = checked,
		.path = check->path,
	};
	node->listing = true;
	cache->pending++;
	cache_getattr_below(cache, &check->req, node);
	/* It may have been answered already. */
	return node->listing;
}

/* Who walks will want to know all of each file. */
bool cache_renew(struct cache *cache, struct cache_node *node)
{
	uint64_t now = cache_now(cache);

	if (!node->names_dated || node->wants_attr || node->names_until > now ||
	    node->names_limit <= now || node->names_changing > 0 ||
	    cache->window > 0 || cache->quiet || cache->held)
		return false;
	if (node->attr_until > now &&
	    node->attr_until - now + FRESH_MS > cache->config.attr_ms &&
	    is_same(node, &node->attr)) {
		renew(cache, node);
		return false;
	}
	return ask(cache, node);
}
