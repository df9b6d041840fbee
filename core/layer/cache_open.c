#include <errno.h>
#include <stdlib.h>

#include "core/layer/cache_impl.h"

/*
 * Open files.  What is written through one is not seen, so its attributes are
 * unknown while it is open.
 */

#define OPEN_CHANGES                                                           \
	(CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_CREAT |             \
	 CSFTP_OPEN_TRUNC)

/* What is known for so long is good enough for an open(2). */
#define OPEN_MS 1000U

struct refresh {
	struct csftp_req req; /* first */
	struct cache *cache;
	struct cache_node *node; /* pinned */
	char path[CSFTP_PATH_MAX + 1];
};

static void append(struct csftp_req **list, struct csftp_req *up)
{
	while (*list)
		list = &(*list)->next;
	*list = up;
}

void cache_await_refresh(struct cache *cache, struct csftp_req *up)
{
	up->next = NULL;
	append(&cache->stale, up);
}

/* Those who wait for another file's attributes wait on. */
void cache_await_no_more(struct cache *cache)
{
	append(&cache->woken, cache->stale);
	cache->stale = NULL;
	/* One by one, as whoever is answered may cancel others. */
	while (cache->woken) {
		struct csftp_req *up = cache->woken;

		cache->woken = up->next;
		csftp_submit(&cache->relay.fs, up);
	}
}

void cache_refreshed(struct cache *cache, struct cache_node *node)
{
	node->refreshing = false;
	cache_await_no_more(cache);
}

static void refreshed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct refresh *refresh = (struct refresh *)req;
	struct cache *cache = refresh->cache;

	(void)reply; /* it was remembered */
	refresh->node->opened = true;
	cache_let_go(cache, refresh->node);
	free(refresh);
	cache->pending--;
}

static bool cannot_be_known(const struct cache *cache,
			    const struct cache_node *node)
{
	return node->writers > 0 || node->changing > 0 || node->linked ||
	       cache->blind > 0;
}

/*
 * Whoever opens a file is to see what was written and closed elsewhere before
 * (close-to-open), so its size must be of now: who asks for it meanwhile waits,
 * or content of now would be cut where it ended before.  What is known for a
 * moment is of now for one of them.
 */
static void refresh_attr(struct cache *cache, struct cache_node *node)
{
	struct refresh *refresh;
	uint64_t left = cache->config.attr_ms - OPEN_MS;

	if (cache->quiet || node->refreshing ||
	    cache->config.attr_ms <= OPEN_MS ||
	    cache->config.attr_ms == CACHE_NEVER ||
	    cannot_be_known(cache, node))
		return;
	if (node->attr_until > cache_now(cache) + left && !node->opened) {
		node->opened = true;
		return;
	}
	refresh = malloc(sizeof(*refresh));
	if (!refresh || !cache_path_of(node, refresh->path)) {
		free(refresh);
		return;
	}
	refresh->cache = cache;
	refresh->node = node;
	cache_node_pin(node);
	refresh->req = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.flags = CSFTP_NOFOLLOW,
		.done = refreshed,
		.path = refresh->path,
	};
	cache->pending++;
	cache_refresh_below(cache, &refresh->req, node);
}

static void open_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache_handle *handle = call->handle;
	struct cache_node *node = call->node;

	if (call->unplain)
		cache_unplain_after(call, reply);
	else if (handle->writes)
		cache_change_end(call);
	if (reply->err) {
		if (call->dir)
			cache_doubt(call->dir);
		else if (reply->err == ENOENT && node && !handle->writes)
			cache_learn_missing(call->cache, node, call->since);
		cache_handle_remove(call->cache, handle);
		free(handle);
		return;
	}
	handle->fh = reply->fh;
	if (handle->writes && !node)
		call->cache->blind++;
	if (node && (call->was_absent || !node->there))
		cache_touch(call->cache, call->dir);
	if (node) {
		handle->node = node;
		cache_node_pin(node);
		node->absent_until = 0;
		node->there = true;
		node->writers += handle->writes;
	}
	if (node && (call->job.req.flags & CSFTP_OPEN_CREAT))
		cache_learn_type(node, CSFTP_S_IFREG);
	if (node && (call->job.req.flags & CSFTP_OPEN_EXCL))
		cache_learn_born(call->cache, node);
	if (node && call->was_absent) {
		node->single = true;
		node->linked = false;
	}
	reply->fh = handle->number;
}

static void open_to_write(struct cache_call *call)
{
	struct csftp_req *up = call->job.asked;

	call->handle->writes = true;
	call->was_absent = cache_knows_absent(call->cache, up->path) ||
			   (up->flags & CSFTP_OPEN_EXCL);
	if (!(up->flags & CSFTP_OPEN_EXCL) &&
	    cache_may_lead_away(call->cache, up->path))
		call->unplain = true;
	else
		(void)cache_hold_path(call, up->path, false,
				      up->flags & CSFTP_OPEN_CREAT);
	cache_change_begin(call);
	cache_call_submit(call);
}

static void open_to_read(struct cache_call *call, bool plain)
{
	struct cache *cache = call->cache;
	struct cache_node *node = NULL;

	if (plain)
		node = cache_path_make(&cache->tree, call->job.asked->path);
	if (!node) {
		cache_call_submit(call);
		return;
	}
	cache_call_hold(&call->node, node);
	cache_node_pin(node);
	cache_call_submit(call);
	if (node->parent)
		refresh_attr(cache, node);
	cache_let_go(cache, node);
}

void cache_open(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	bool plain = cache_path_is_plain(up->path);
	struct cache_node *node = NULL;
	struct cache_call *call;

	if (plain && !(up->flags & CSFTP_OPEN_CREAT) &&
	    cache_look(cache, up->path, &node) == CACHE_ABSENT) {
		cache->counts.answered++;
		csftp_reply_err(up, ENOENT);
		return;
	}
	call = cache_call_new(cache, up, open_after);
	if (!call)
		return;
	call->handle = calloc(1, sizeof(*call->handle));
	if (!call->handle || !cache_handle_add(cache, call->handle)) {
		free(call->handle);
		cache_call_fail(call, ENOMEM);
		return;
	}
	if (up->flags & OPEN_CHANGES)
		open_to_write(call);
	else
		open_to_read(call, plain);
}

static void close_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache_handle *handle = call->handle;

	if (handle->writes && handle->node) {
		call->cache->seq++;
		cache_mark(call->cache, handle->node);
		handle->node->writers--;
	} else if (handle->writes) {
		call->cache->blind--;
		cache_unplain_after(call, reply);
	}
	cache_let_go(call->cache, handle->node);
	free(handle);
}

void cache_close(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_handle *handle = cache_handle_of(cache, up->fh);
	struct cache_call *call;

	if (handle && handle->dir && handle->dir->from_memory) {
		cache_dir_free(cache, handle->dir);
		csftp_reply_err(up, 0);
		return;
	}
	call = cache_call_new(cache, up, close_after);
	if (!call || !cache_call_lower(call))
		return;
	if (handle->dir) {
		cache_dir_free(cache, handle->dir);
		call->handle = NULL;
		call->after = NULL;
	} else {
		cache_handle_remove(cache, handle);
	}
	cache_call_submit(call);
}
