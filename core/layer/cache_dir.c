#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/cache_impl.h"

/*
 * Open directories.  One whose names and attributes are all known is read
 * from memory.  Any other is read below, and what comes by is remembered; at
 * its end the names that did not come by are forgotten.
 */

/* Names without attributes that a listing from memory may have. */
#define UNKNOWN_MAX 2U

void cache_dir_skip(const struct cache_node *dir, const struct cache_node *node)
{
	struct cache_dir *reader = dir->readers;

	for (; reader; reader = reader->next_reader) {
		if (reader->at == node)
			reader->at = node->hh.next;
	}
}

static struct cache_dir *dir_new(struct cache *cache, struct cache_node *node)
{
	struct cache_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	if (!cache_handle_add(cache, &dir->handle)) {
		free(dir);
		return NULL;
	}
	dir->handle.dir = dir;
	dir->handle.node = node;
	if (node)
		cache_node_pin(node);
	return dir;
}

static void leave_readers(struct cache_dir *dir)
{
	struct cache_dir **at = &dir->handle.node->readers;

	while (*at != dir)
		at = &(*at)->next_reader;
	*at = dir->next_reader;
}

static void dir_free(struct cache *cache, struct cache_dir *dir)
{
	if (dir->from_memory)
		leave_readers(dir);
	if (dir->handle.node)
		cache_node_unpin(&cache->tree, dir->handle.node);
	free(dir);
}

void cache_dir_free(struct cache *cache, struct cache_dir *dir)
{
	cache_handle_remove(cache, &dir->handle);
	dir->closed = true;
	if (!dir->reads)
		dir_free(cache, dir);
}

/*
 * Whether a reader would get no less from memory, or little less: few names
 * whose attributes have to be asked for are no reason to list all of them.
 */
static bool is_readable(const struct cache *cache,
			const struct cache_node *node)
{
	uint64_t now = cache_now(cache);
	uint32_t unknown = 0;
	bool renewed;

	if (node->names_until <= now)
		return false;
	renewed = node->renewed;
	node = node->children;
	for (; node; node = node->hh.next) {
		if (!node->there)
			return false;
		if (cache_attr_is_known(cache, node))
			continue;
		if (!(node->attr.mask & CSFTP_ATTR_MODE) ||
		    (!renewed && ++unknown > UNKNOWN_MAX))
			return false;
	}
	return true;
}

static void read_from_memory(struct cache *cache, struct cache_dir *dir)
{
	struct cache_node *node = dir->handle.node;

	dir->from_memory = true;
	dir->at = node->children;
	dir->next_reader = node->readers;
	node->readers = dir;
	cache_node_use(&cache->tree, node);
}

static void opendir_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache_dir *dir = call->handle->dir;

	if (reply->err && call->called_back &&
	    cache_shows_names(call->cache, call->node)) {
		read_from_memory(call->cache, dir);
		*reply = (struct csftp_reply){.fh = dir->handle.number};
		return;
	}
	if (reply->err) {
		if (reply->err == ENOENT && call->node)
			cache_learn_missing(call->cache, call->node,
					    call->since);
		cache_dir_free(call->cache, dir);
		return;
	}
	dir->handle.fh = reply->fh;
	reply->fh = dir->handle.number;
}

static struct cache_call *ask_opendir(struct cache *cache, struct csftp_req *up,
				      struct cache_node *node)
{
	struct cache_call *call;
	struct cache_dir *dir = dir_new(cache, node);

	if (!dir) {
		csftp_reply_err(up, ENOMEM);
		return NULL;
	}
	call = cache_call_new(cache, up, opendir_after);
	if (!call) {
		cache_dir_free(cache, dir);
		return NULL;
	}
	dir->since = cache->seq;
	dir->began_ms = cache_now(cache);
	dir->stamp = ++cache->stamp;
	dir->names_lost = node ? node->names_lost : 0;
	call->handle = &dir->handle;
	cache_call_hold(&call->node, node);
	return call;
}

void cache_opendir_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node)
{
	struct cache_call *call = ask_opendir(cache, up, node);

	if (call)
		cache_call_submit(call);
}

/* For somebody who is content with what is known if nobody answers. */
static void opendir_for_user(struct cache *cache, struct csftp_req *up,
			     struct cache_node *node)
{
	struct cache_call *call;

	cache->counts.asked++;
	call = ask_opendir(cache, up, node);
	if (!call)
		return;
	call->showable = true;
	cache_call_submit(call);
}

static void opendir_from_memory(struct cache *cache, struct csftp_req *up,
				struct cache_node *node)
{
	struct cache_dir *dir = dir_new(cache, node);

	if (!dir) {
		csftp_reply_err(up, ENOMEM);
		return;
	}
	read_from_memory(cache, dir);
	cache->counts.answered++;
	csftp_reply_fh(up, dir->handle.number);
}

static void wait_for_listing(struct cache *cache, struct csftp_req *up)
{
	struct csftp_req **at = &cache->waiting;

	while (*at)
		at = &(*at)->next;
	up->next = NULL;
	*at = up;
}

void cache_opendir(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_node *node = NULL;
	bool plain = cache_path_is_plain(up->path);

	if (plain && cache_look(cache, up->path, &node) == CACHE_ABSENT) {
		cache->counts.answered++;
		csftp_reply_err(up, ENOENT);
		return;
	}
	node = plain ? cache_path_make(&cache->tree, up->path) : NULL;
	if (!node) {
		cache_opendir_below(cache, up, NULL);
		return;
	}
	cache_node_pin(node);
	cache_walk(cache, node);
	if (cache_shows_names(cache, node))
		opendir_from_memory(cache, up, node);
	else if (node->listing || cache_renew(cache, node))
		wait_for_listing(cache, up);
	else if (is_readable(cache, node))
		opendir_from_memory(cache, up, node);
	else
		opendir_for_user(cache, up, node);
	cache_node_unpin(&cache->tree, node);
}

void cache_wake(struct cache *cache)
{
	size_t waiting = 0;

	for (struct csftp_req *up = cache->waiting; up; up = up->next)
		waiting++;
	/*
	 * Who has to wait for another listing goes to the end; one by one, as
	 * whoever is answered may cancel others.
	 */
	while (waiting-- > 0 && cache->waiting) {
		struct csftp_req *up = cache->waiting;

		cache->waiting = up->next;
		cache_opendir(&cache->relay.fs, up);
	}
}

static bool is_name(const struct csftp_slice *name)
{
	const char *text = name->ptr;

	return name->len > 0 && name->len <= CSFTP_NAME_MAX &&
	       !memchr(text, '/', name->len) &&
	       !memchr(text, '\0', name->len) &&
	       !(text[0] == '.' &&
		 (name->len == 1 || (name->len == 2 && text[1] == '.')));
}

static void remember(struct cache *cache, struct cache_dir *dir,
		     const struct csftp_entry *entry)
{
	struct cache_node *node = dir->handle.node;
	struct cache_node *child;

	if (cache->tree.bytes > cache->tree.bytes_max)
		cache_tree_trim(&cache->tree);
	/* This one alone is more than there may be. */
	if (cache->tree.bytes > cache->tree.bytes_max)
		dir->broken = true;
	if (dir->broken || !is_name(&entry->name) ||
	    !cache_is_news(cache, node, dir->since))
		return;
	child = cache_child_make(&cache->tree, node, entry->name.ptr,
				 entry->name.len);
	if (!child || !cache_child_to_end(&cache->tree, child)) {
		dir->broken = true;
		return;
	}
	child->there = true;
	if (child->stamp < dir->stamp)
		child->stamp = dir->stamp;
	if (cache_is_news(cache, child, dir->since))
		cache_learn_attr(cache, child, &entry->attr);
}

static bool on_entry(struct csftp_req *low, const struct csftp_entry *entry)
{
	struct cache_call *call = (struct cache_call *)low;
	struct cache_dir *dir = call->handle->dir;

	if (!call->job.asked->entry(call->job.asked, entry))
		return false;
	if (dir->handle.node && !dir->closed)
		remember(call->cache, dir, entry);
	return true;
}

/*
 * The end was reached: what did not come by is not there.  But where names were
 * forgotten meanwhile, so were some that did.
 */
static void know_whole(struct cache *cache, struct cache_dir *dir)
{
	struct cache_node *node = dir->handle.node;
	struct cache_node *child;
	struct cache_node *next;

	dir->broken = true; /* once is enough */
	if (!cache_is_news(cache, node, dir->since) ||
	    node->names_changing > 0 || node->names_changed > dir->since ||
	    node->names_lost != dir->names_lost ||
	    cache->config.names_ms == CACHE_NEVER)
		return;
	for (child = node->children; child; child = next) {
		next = child->hh.next;
		/* A later listing has come by it: then it is there. */
		if (child->stamp < dir->stamp)
			cache_node_remove(&cache->tree, child);
	}
	node->names_until = cache_now(cache) + cache->config.names_ms;
	cache_date_names(cache, node, dir);
	node->patience = 0;
	if (node == cache->walker)
		cache_walk_on(cache);
}

/*
 * Whether all names have come: those that were asked for behind the end bring
 * none, and need not be waited for.
 */
static bool has_ended(const struct cache_dir *dir)
{
	const struct cache_call *read = dir->reads;

	while (read && read->number > dir->end)
		read = read->next_read;
	return dir->end > 0 && !read;
}

static void readdir_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache *cache = call->cache;
	struct cache_dir *dir = call->handle->dir;
	struct cache_call **at = &dir->reads;

	while (*at != call)
		at = &(*at)->next_read;
	*at = call->next_read;
	if (reply->err)
		dir->broken = true;
	else if (reply->eof && (dir->end == 0 || call->number < dir->end))
		dir->end = call->number;
	if (has_ended(dir) && !dir->broken && dir->handle.node && !dir->closed)
		know_whole(cache, dir);
	if (dir->closed && !dir->reads)
		dir_free(cache, dir);
}

/* Where the names have outlived the attributes, the type mostly has, too. */
static struct csftp_attr shown_attr(const struct cache *cache,
				    const struct cache_node *node)
{
	struct csftp_attr held;

	if (cache_attr_is_known(cache, node))
		return node->attr;
	if (cache_shows_attr(cache, node, &held))
		return held;
	return (struct csftp_attr){
		.mask = node->attr.mask & CSFTP_ATTR_MODE ? CSFTP_ATTR_TYPE : 0,
		.mode = node->attr.mode & CSFTP_S_IFMT,
	};
}

static void readdir_from_memory(const struct cache *cache, struct csftp_req *up,
				struct cache_dir *dir)
{
	while (dir->at) {
		struct cache_node *node = dir->at;
		const struct csftp_entry entry = {
			.name = {node->name, node->name_len},
			.attr = shown_attr(cache, node),
		};

		/* It is being made, was removed, or asked for in vain. */
		if (node->there && !up->entry(up, &entry))
			break;
		if (dir->at == node)
			dir->at = node->hh.next;
	}
	csftp_reply(up, &(struct csftp_reply){.eof = !dir->at});
}

void cache_readdir(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_handle *handle = cache_handle_of(cache, up->fh);
	struct cache_call *call;

	if (!handle) {
		csftp_reply_err(up, EBADF);
		return;
	}
	if (handle->dir && handle->dir->from_memory) {
		readdir_from_memory(cache, up, handle->dir);
		return;
	}
	/* A file's: the file system below says what it thinks of that. */
	call = cache_call_new(cache, up, handle->dir ? readdir_after : NULL);
	if (!call)
		return;
	call->handle = handle;
	call->job.req.fh = handle->fh;
	if (handle->dir) {
		call->job.req.entry = on_entry;
		call->number = ++handle->dir->asked;
		call->next_read = handle->dir->reads;
		handle->dir->reads = call;
	}
	cache_call_submit(call);
}
