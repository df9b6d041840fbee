#include "core/layer/cache_impl.h"

/*
 * While nobody answers below.  A fact whose time is over is still there until
 * it is known to be wrong, as its time is 0 then; so it is what was said last.
 */

static bool is_directory(const struct cache_node *node)
{
	return (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

/* A directory in which we changed names has the time of that: cache_touch() */
static bool was_known(const struct cache *cache, const struct cache_node *node)
{
	if (node == cache->top)
		return true;
	if (node->changing > 0 || node->type_only)
		return false;
	if (is_directory(node))
		return node->attr_until > 0 || node->rough_until > 0;
	return node->attr_until > 0 && node->writers == 0 && cache->blind == 0;
}

bool cache_shows_attr(const struct cache *cache, const struct cache_node *node,
		      struct csftp_attr *out)
{
	if (!cache->held || !node || !(node->attr.mask & CSFTP_ATTR_MODE) ||
	    !was_known(cache, node))
		return false;
	*out = node->attr;
	out->mask |= node->once_mask;
	return true;
}

bool cache_shows_text(const struct cache *cache, const struct cache_node *node)
{
	return cache->held && node && node->text_until > 0 &&
	       node->changing == 0;
}

/* Not one with names of which not even the type was ever said. */
bool cache_shows_names(const struct cache *cache, const struct cache_node *node)
{
	const struct cache_node *child;

	if (!cache->held || !node || node->names_until == 0)
		return false;
	for (child = node->children; child; child = child->hh.next) {
		if (!(child->attr.mask & CSFTP_ATTR_MODE) && child->stamp > 0 &&
		    child->stamp >= node->names_stamp)
			return false;
	}
	return true;
}

static bool is_shown(const struct cache *cache, const struct cache_call *call)
{
	struct csftp_attr attr;
	enum csftp_op op = call->job.req.op;

	return (op == CSFTP_OP_GETATTR &&
		cache_shows_attr(cache, call->node, &attr)) ||
	       (op == CSFTP_OP_READLINK &&
		cache_shows_text(cache, call->node)) ||
	       (op == CSFTP_OP_OPENDIR && cache_shows_names(cache, call->node));
}

/* One that was asked before nobody answered, and not been called back yet. */
static struct cache_call *asked_in_vain(struct cache *cache)
{
	struct relay_job *job = cache->relay.busy;

	for (; job; job = job->next) {
		struct cache_call *call = (struct cache_call *)job;

		if (call->showable && !call->called_back &&
		    is_shown(cache, call))
			return call;
	}
	return NULL;
}

void cache_hold(struct cache *cache, bool on)
{
	struct cache_call *call;

	if (cache->held == on)
		return;
	cache->held = on;
	if (!on)
		return;
	while ((call = asked_in_vain(cache)) != NULL) {
		call->called_back = true;
		csftp_cancel(cache->relay.under, &call->job.req);
	}
	cache_await_no_more(cache);
	cache_wake(cache);
}
