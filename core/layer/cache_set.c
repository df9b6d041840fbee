#include "core/layer/cache_impl.h"

/*
 * Attributes that are set.
 */

#define OWNER_AND_MODE (CSFTP_ATTR_MODE | CSFTP_ATTR_UID | CSFTP_ATTR_GID)

/* For so long a directory that we made is held to be left alone by others. */
#define MADE_MS 20000U

/* A directory that is as we made it, so far as nobody can know better. */
static bool is_ours(const struct cache *cache, const struct cache_node *node)
{
	return node->made_ms > 0 && node->changing == 0 &&
	       cache_now(cache) - node->made_ms < MADE_MS;
}

/*
 * What tar(1) and cp(1) -p do to each directory that they have made: set the
 * owner that it has.
 */
static bool changes_nothing(const struct cache *cache,
			    const struct cache_node *node,
			    const struct csftp_attr *set)
{
	const struct csftp_attr *is = &node->attr;

	if (!is_ours(cache, node) || node->type_only || set->mask == 0 ||
	    (set->mask & ~OWNER_AND_MODE) || (set->mask & ~is->mask))
		return false;
	return (!(set->mask & CSFTP_ATTR_MODE) ||
		((set->mode ^ is->mode) & 07777U) == 0) &&
	       (!(set->mask & CSFTP_ATTR_UID) || set->uid == is->uid) &&
	       (!(set->mask & CSFTP_ATTR_GID) || set->gid == is->gid);
}

/*
 * Both times, as version 3 sends them in pairs only (filexfer-02, section 5):
 * the one below would have to be asked for, and of a directory that we have
 * just made it is known well enough.
 */
static void complete_times(struct cache_call *call,
			   const struct cache_node *node)
{
	struct csftp_req *low = &call->job.req;

	if (low->attr->mask != CSFTP_ATTR_MTIME ||
	    !is_ours(call->cache, node) ||
	    !(node->attr.mask & CSFTP_ATTR_ATIME))
		return;
	call->attr = *low->attr;
	call->attr.mask |= CSFTP_ATTR_ATIME;
	call->attr.atime = node->attr.atime;
	low->attr = &call->attr;
}

/* What is known of it; a size, or a time that is "now", changes other times. */
static void overlay(struct cache_node *node, const struct csftp_attr *set)
{
	struct csftp_attr *is = &node->attr;
	const uint32_t times = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
	uint32_t can = is->mask & set->mask;

	if (set->mask & ~OWNER_AND_MODE)
		is->mask &= ~(times | CSFTP_ATTR_SIZE);
	if (can & CSFTP_ATTR_MODE)
		is->mode =
			(is->mode & CSFTP_S_IFMT) | (set->mode & ~CSFTP_S_IFMT);
	if (set->mask & CSFTP_ATTR_MODE)
		node->type_only = false;
	if (can & CSFTP_ATTR_UID)
		is->uid = set->uid;
	if (can & CSFTP_ATTR_GID)
		is->gid = set->gid;
	is->mask |= set->mask & times;
	if (set->mask & CSFTP_ATTR_ATIME)
		is->atime = set->atime;
	if (set->mask & CSFTP_ATTR_MTIME)
		is->mtime = set->mtime;
}

static void setattr_after(struct cache_call *call, struct csftp_reply *reply)
{
	const struct csftp_attr *set = call->job.req.attr;
	struct cache_node *node = call->node;
	bool alone = cache_was_alone(call);

	cache_change_end(call);
	if (!node)
		return;
	if (reply->err) {
		node->made_ms = 0;
		node->attr.mask &= CSFTP_ATTR_MODE;
		node->type_only = true;
		return;
	}
	overlay(node, set);
	/* Of what is known already it can be told whether it is as was set. */
	if (alone && (set->mask & ~node->attr.mask) == 0)
		cache_learn_change(call);
}

void cache_setattr(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_node *node = NULL;
	struct cache_call *call;
	bool known = up->path && cache_path_is_plain(up->path) &&
		     cache_look(cache, up->path, &node) == CACHE_KNOWN;

	if (known && changes_nothing(cache, node, up->attr)) {
		cache->counts.answered++;
		csftp_reply_err(up, 0);
		return;
	}
	call = cache_call_new(cache, up, setattr_after);
	if (!call || !cache_call_lower(call))
		return;
	if (known)
		complete_times(call, node);
	if (!call->handle && !(up->flags & CSFTP_NOFOLLOW) &&
	    cache_may_lead_away(call->cache, up->path))
		call->unplain = true;
	else if (!call->handle)
		(void)cache_hold_path(call, up->path, false, false);
	else if (call->handle->node)
		cache_call_hold(&call->node, call->handle->node);
	else
		call->unplain = true;
	cache_change(call);
}
