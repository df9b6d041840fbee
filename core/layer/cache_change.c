#include <errno.h>

#include "core/layer/cache_impl.h"

/*
 * Changes of our own: from the submission to the answer, what is asked about
 * them may be answered with the old or the new.
 */

void cache_mark(struct cache *cache, struct cache_node *node)
{
	node->changed = cache->seq;
	node->attr_until = 0;
	node->rough_until = 0;
	node->text_until = 0;
	node->absent_until = 0;
}

/* Its time says nothing of the names any more: it can be put back. */
static void mark_names(struct cache *cache, struct cache_node *dir)
{
	const uint32_t changed =
		CSFTP_ATTR_SIZE | CSFTP_ATTR_MTIME | CSFTP_ATTR_NLINK;

	dir->names_dated = false;
	dir->names_changed = cache->seq;
	dir->changed = cache->seq;
	dir->attr_until = 0;
	dir->once_mask |= dir->attr.mask & changed;
	dir->attr.mask &= ~changed;
}

void cache_touch(const struct cache *cache, struct cache_node *dir)
{
	if (dir && (dir->once_mask & CSFTP_ATTR_MTIME))
		dir->attr.mtime =
			(struct csftp_time){.sec = cache_clock(cache)};
}

static void begin(struct cache_call *call)
{
	struct cache *cache = call->cache;

	cache->seq++;
	for (int i = 0; i < 2; i++) {
		struct cache_node *node = i ? call->node2 : call->node;
		struct cache_node *dir = i ? call->dir2 : call->dir;

		if (node) {
			cache_mark(cache, node);
			node->changing++;
		}
		if (dir) {
			mark_names(cache, dir);
			dir->names_changing++;
		}
	}
}

void cache_change_end(struct cache_call *call)
{
	struct cache *cache = call->cache;

	cache->seq++;
	for (int i = 0; i < 2; i++) {
		struct cache_node *node = i ? call->node2 : call->node;
		struct cache_node *dir = i ? call->dir2 : call->dir;

		if (node) {
			cache_mark(cache, node);
			node->changing--;
		}
		if (dir) {
			mark_names(cache, dir);
			dir->names_changing--;
		}
	}
}

/* The nodes stay, for those who hold them; nothing is known of any. */
static void forget_in(struct cache *cache, struct cache_node *top)
{
	struct cache_node *node = top;

	while (node) {
		cache_mark(cache, node);
		node->attr.mask = 0;
		node->once_mask = 0;
		cache_names_unknown(node);
		cache_node_keep_linked(&cache->tree, node);
		node->linked = cache_node_was_linked(&cache->tree, node);
		if (node->children) {
			node = node->children;
			continue;
		}
		while (node != top && !node->hh.next)
			node = node->parent;
		node = node != top ? node->hh.next : NULL;
	}
}

static void forget_all(struct cache *cache)
{
	cache->moved = cache->seq;
	forget_in(cache, &cache->tree.root);
}

/* A cancelled request was sent all the same, and an answer can be lost. */
static bool may_be_done(int err)
{
	return err == EINTR || err == EIO;
}

void cache_doubt(struct cache_node *dir)
{
	if (dir)
		cache_names_unknown(dir);
}

/* The name of the call's node is gone. */
static void gone(struct cache_call *call)
{
	struct cache *cache = call->cache;
	struct cache_node *node = call->node;
	struct cache_node *dir = node->parent;
	struct cache_node *ghost;

	if (!dir)
		return;
	/* It may be asked for soon, and nobody knows all names there. */
	if (!cache_is_whole(cache, dir)) {
		ghost = cache_node_replace(&cache->tree, node);
		if (ghost)
			cache_learn_absent(cache, ghost);
	} else {
		cache_node_remove(&cache->tree, node);
	}
}

void cache_unplain_after(struct cache_call *call, struct csftp_reply *reply)
{
	(void)reply;
	call->cache->seq++;
	forget_all(call->cache);
}

bool cache_hold_path(struct cache_call *call, const char *path, bool second,
		     bool names)
{
	struct cache_tree *tree = &call->cache->tree;
	struct cache_node *node = NULL;

	if (cache_path_is_plain(path))
		node = cache_path_make(tree, path);
	if (!node) {
		call->unplain = true;
		return false;
	}
	cache_call_hold(second ? &call->node2 : &call->node, node);
	if (names)
		cache_call_hold(second ? &call->dir2 : &call->dir,
				node->parent);
	return true;
}

/*
 * Whether a change of that path can be of another file, through a symbolic
 * link.  What a name was last known to be is good enough: if it became a link
 * since, somebody else made it one.
 */
bool cache_may_lead_away(struct cache *cache, const char *path)
{
	struct cache_node *node = NULL;
	enum cache_sight sight;

	if (!cache_path_is_plain(path))
		return true;
	sight = cache_look(cache, path, &node);
	if (sight != CACHE_KNOWN)
		return sight == CACHE_UNKNOWN;
	return !(node->attr.mask & CSFTP_ATTR_MODE) ||
	       (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK;
}

void cache_learn_type(struct cache_node *node, uint32_t type)
{
	node->attr = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = type,
	};
	node->there = true;
	node->type_only = true;
	node->attr_until = 0;
	node->once_mask = 0;
}

void cache_learn_born(const struct cache *cache, struct cache_node *node)
{
	node->born = node->changed;
	node->born_ms = cache_now(cache);
}

void cache_change_begin(struct cache_call *call)
{
	struct cache *cache = call->cache;

	if (!call->unplain) {
		begin(call);
		return;
	}
	cache_let_go(cache, call->node);
	cache_let_go(cache, call->dir);
	call->node = NULL;
	call->dir = NULL;
	cache->seq++;
	forget_all(cache);
}

void cache_change(struct cache_call *call)
{
	cache_change_begin(call);
	if (call->unplain)
		call->after = cache_unplain_after;
	cache_call_submit(call);
}

bool cache_was_alone(const struct cache_call *call)
{
	return call->node && call->node->changing == 1 &&
	       call->node->changed == call->since + 1;
}

void cache_learn_change(const struct cache_call *call)
{
	call->node->set_began = call->since + 1;
	call->node->set_ended = call->cache->seq;
}

/* Something was made. */
static void made_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache *cache = call->cache;
	struct cache_node *node = call->node;
	bool alone = cache_was_alone(call);

	cache_change_end(call);
	if (may_be_done(reply->err))
		forget_in(cache, node);
	if (reply->err) {
		cache_doubt(call->dir);
		return;
	}
	cache_touch(cache, call->dir);
	if (call->job.req.op != CSFTP_OP_MKDIR) {
		cache_learn_type(node, CSFTP_S_IFLNK);
		return;
	}
	cache_learn_type(node, CSFTP_S_IFDIR);
	node->made_ms = cache_now(cache);
	cache_learn_born(cache, node);
	if (alone)
		cache_learn_change(call);
	/* It is empty, and what is put there goes through us. */
	if (!node->children && node->names_changing == 0 && node->parent &&
	    cache->config.names_ms != CACHE_NEVER)
		node->names_until = cache_now(cache) + cache->config.names_ms;
}

void cache_make(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache_call *call =
		cache_call_new((struct cache *)fs, up, made_after);

	if (!call)
		return;
	(void)cache_hold_path(call, up->path, false, true);
	cache_change(call);
}

static void removed_after(struct cache_call *call, struct csftp_reply *reply)
{
	cache_change_end(call);
	if (may_be_done(reply->err))
		forget_in(call->cache, call->node);
	if (reply->err) {
		cache_doubt(call->dir);
		cache_doubt(call->node);
		return;
	}
	cache_touch(call->cache, call->dir);
	gone(call);
}

void cache_remove(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache_call *call =
		cache_call_new((struct cache *)fs, up, removed_after);

	if (!call)
		return;
	(void)cache_hold_path(call, up->path, false, true);
	cache_change(call);
}

/* Of two names of one file, whoever made them, both stay (rename(2)). */
static bool may_have_twin(const struct cache_node *node)
{
	const struct csftp_attr *attr = &node->attr;

	if (node->linked)
		return true;
	return !node->single &&
	       !((attr->mask & CSFTP_ATTR_NLINK) && attr->nlink == 1) &&
	       !((attr->mask & CSFTP_ATTR_MODE) &&
		 (attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR);
}

/* Nobody knows which file has which name, or whether there are two of one. */
static void doubt_rename(struct cache_call *call)
{
	forget_in(call->cache, call->node);
	call->node->single = false;
	forget_in(call->cache, call->node2);
	call->node2->single = false;
	call->node2->linked = call->node2->linked || call->node->linked;
}

static void renamed_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache *cache = call->cache;
	struct cache_node *dir2 = call->dir2;
	struct cache_node *to = call->node2;

	cache_change_end(call);
	cache->moved = cache->seq;
	if (may_be_done(reply->err))
		doubt_rename(call);
	if (reply->err) {
		cache_doubt(call->dir);
		cache_doubt(call->dir2);
		return;
	}
	if (call->node == to)
		return;
	cache_touch(cache, call->dir);
	cache_touch(cache, dir2);
	/* Overtaken by another change, or one that cannot have happened. */
	if (!dir2 || !call->node->parent || to->parent != dir2 ||
	    cache_is_below(dir2, call->node) ||
	    cache_is_below(call->node, to)) {
		forget_all(cache);
		return;
	}
	call->node->there = true;
	if (!call->was_absent && may_have_twin(call->node)) {
		cache_doubt(call->dir);
		cache_node_keep_linked(&cache->tree, call->node);
	}
	cache_node_take_place(&cache->tree, call->node, to);
}

void cache_rename(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_call *call = cache_call_new(cache, up, renamed_after);

	if (!call)
		return;
	call->was_absent = !(up->flags & CSFTP_REPLACE) ||
			   cache_knows_absent(cache, up->path2);
	if (cache_hold_path(call, up->path, false, true) &&
	    cache_hold_path(call, up->path2, true, true))
		cache->moved = cache->seq + 1;
	cache_change(call);
}

/* path exists, and gets one link more; path2 is made. */
static void linked_after(struct cache_call *call, struct csftp_reply *reply)
{
	cache_change_end(call);
	if (!reply->err || may_be_done(reply->err)) {
		call->node->linked = true;
		call->node2->linked = true;
		call->node->single = false;
	}
	if (may_be_done(reply->err))
		forget_in(call->cache, call->node2);
	if (reply->err) {
		cache_doubt(call->dir2);
		return;
	}
	cache_touch(call->cache, call->dir2);
	/* What it was known to be is another file, if anything. */
	call->node2->attr.mask = 0;
	if (call->node->attr.mask & CSFTP_ATTR_MODE)
		cache_learn_type(call->node2,
				 call->node->attr.mode & CSFTP_S_IFMT);
	call->node2->there = true;
}

void cache_link(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache_call *call =
		cache_call_new((struct cache *)fs, up, linked_after);

	if (!call)
		return;
	if (cache_hold_path(call, up->path, false, false))
		(void)cache_hold_path(call, up->path2, true, true);
	cache_change(call);
}
