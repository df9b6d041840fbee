#include "core/layer/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/cache_impl.h"

#define KEEP_MS	    20000U
#define ABSENT_MS   1000U
#define BYTES_MAX   ((size_t)64 << 20)
#define AHEAD	    32U
#define LIST_MISSES 2U

/* For so long the server's clock is known, and to be learned from a file. */
#define CLOCK_MS     600000
#define JUST_MADE_MS 2000U

bool cache_is_below(const struct cache_node *node, const struct cache_node *top)
{
	while (node && node != top)
		node = node->parent;
	return node != NULL;
}

bool cache_is_news(const struct cache *cache, const struct cache_node *node,
		   uint64_t since)
{
	return (node->parent || node == &cache->tree.root) &&
	       node->changing == 0 && node->changed <= since &&
	       cache->moved <= since;
}

static bool is_of_type(const struct csftp_attr *attr, uint32_t type)
{
	return (attr->mask & CSFTP_ATTR_MODE) &&
	       (attr->mode & CSFTP_S_IFMT) == type;
}

/* What a link leads to may be one all the same, unless it was the link's. */
static bool is_no_directory(const struct cache_node *node,
			    const struct csftp_attr *attr)
{
	if (is_of_type(attr, CSFTP_S_IFLNK))
		return is_of_type(&node->attr, CSFTP_S_IFDIR);
	return (attr->mask & CSFTP_ATTR_MODE) &&
	       !is_of_type(attr, CSFTP_S_IFDIR);
}

void cache_learn_attr(struct cache *cache, struct cache_node *node,
		      const struct csftp_attr *attr)
{
	/* The names in it were another's. */
	if (is_no_directory(node, attr))
		cache_node_remove_below(&cache->tree, node);
	node->absent_until = 0;
	node->there = true;
	cache_learn_date(cache, node, attr);
	/* A write through the other name would not be seen by this one. */
	if (node->writers > 0 || cache->blind > 0 ||
	    (node->linked && !is_of_type(attr, CSFTP_S_IFDIR)) ||
	    !(attr->mask & CSFTP_ATTR_MODE) ||
	    cache->config.attr_ms == CACHE_NEVER)
		return;
	node->attr = *attr;
	node->once_mask = 0;
	node->type_only = false;
	node->attr_until = cache_now(cache) + cache->config.attr_ms;
	node->rough_until = node->attr_until;
	node->opened = false;
}

void cache_learn_absent(struct cache *cache, struct cache_node *node)
{
	struct cache_node *dir = node->parent;

	/* Then the listing that it was in is an old one. */
	if (dir &&
	    (cache_is_whole(cache, dir) || node->stamp >= dir->names_stamp))
		cache_names_unknown(dir);
	cache_node_remove_below(&cache->tree, node);
	node->there = false;
	node->single = false;
	node->attr_until = 0;
	node->rough_until = 0;
	node->made_ms = 0;
	if (cache->config.absent_ms != CACHE_NEVER)
		node->absent_until = cache_now(cache) + cache->config.absent_ms;
}

/* Where a link leads nowhere the name is there all the same. */
void cache_learn_missing(struct cache *cache, struct cache_node *node,
			 uint64_t since)
{
	if (cache_is_news(cache, node, since) &&
	    (node->attr.mask & CSFTP_ATTR_MODE) &&
	    !is_of_type(&node->attr, CSFTP_S_IFLNK))
		cache_learn_absent(cache, node);
}

enum cache_sight cache_look(struct cache *cache, const char *path,
			    struct cache_node **found)
{
	struct cache_node *node = &cache->tree.root;
	uint64_t now = cache_now(cache);
	const char *name;
	size_t len;

	*found = NULL;
	while (cache_path_next(&path, &name, &len)) {
		struct cache_node *child = cache_child(node, name, len);

		if (child && child->absent_until > now)
			return CACHE_ABSENT;
		if (!child && node->names_until > now)
			return CACHE_ABSENT;
		if (!child) {
			*found = *path ? NULL : node;
			return CACHE_UNKNOWN;
		}
		if (!*path)
			cache_node_use(&cache->tree, node);
		node = child;
	}
	*found = node;
	return CACHE_KNOWN;
}

static void op_forward(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache_call *call = cache_call_new((struct cache *)fs, up, NULL);

	if (call && cache_call_lower(call))
		cache_call_submit(call);
}

/* In what is known of what we set. */
static bool agrees(const struct cache_node *node, const struct csftp_attr *said)
{
	const struct csftp_attr *set = &node->attr;
	uint32_t both = set->mask & said->mask;

	return (!(both & CSFTP_ATTR_MODE) || node->type_only ||
		set->mode == said->mode) &&
	       (!(both & CSFTP_ATTR_UID) || set->uid == said->uid) &&
	       (!(both & CSFTP_ATTR_GID) || set->gid == said->gid) &&
	       (!(both & CSFTP_ATTR_MTIME) ||
		set->mtime.sec == said->mtime.sec);
}

/*
 * What was asked behind our change, and answered behind it: it can still be of
 * the time before.  But not if there was nothing to be asked about then, and
 * it does not matter if it is as we set it.
 */
static bool is_of_our_change(const struct cache *cache,
			     const struct cache_node *node, uint64_t since,
			     const struct csftp_attr *attr)
{
	return node->parent && node->set_ended > 0 && node->changing == 0 &&
	       node->changed == node->set_ended && node->set_began <= since &&
	       cache->moved <= since && agrees(node, attr);
}

/* What we have just made has the server's time, and nobody set another. */
static void learn_clock(struct cache *cache, const struct cache_node *node,
			const struct csftp_attr *attr)
{
	uint64_t now = cache_now(cache);

	if (node->born == 0 || node->changed != node->born ||
	    node->changing > 0 || now - node->born_ms > JUST_MADE_MS ||
	    !(attr->mask & CSFTP_ATTR_MTIME))
		return;
	cache->clock_sec = attr->mtime.sec;
	cache->clock_ms = now;
}

static void getattr_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache *cache = call->cache;
	struct cache_node *node = call->node;
	bool news = node && cache_is_news(cache, node, call->since);

	if (!reply->err && reply->attr && node)
		learn_clock(cache, node, reply->attr);
	if (reply->err && call->called_back &&
	    cache_shows_attr(cache, node, &call->attr))
		*reply = (struct csftp_reply){.attr = &call->attr};
	else if (!reply->err && reply->attr && node &&
		 (news ||
		  is_of_our_change(cache, node, call->since, reply->attr)))
		cache_learn_attr(cache, node, reply->attr);
	else if (reply->err == ENOENT && news)
		cache_learn_absent(cache, node);
	if (call->refreshes)
		cache_refreshed(cache, node);
}

static struct cache_call *ask_attr(struct cache *cache, struct csftp_req *up,
				   struct cache_node *node)
{
	struct cache_call *call = cache_call_new(cache, up, getattr_after);

	if (!call || !cache_call_lower(call))
		return NULL;
	call->job.req.flags &= ~CSFTP_ROUGH;
	cache_call_hold(&call->node, node);
	return call;
}

/* A handle's attributes are its file's, whatever name that has by now. */
void cache_getattr_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node)
{
	struct cache_call *call = ask_attr(cache, up, node);

	if (call)
		cache_call_submit(call);
}

void cache_refresh_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node)
{
	struct cache_call *call = ask_attr(cache, up, node);

	if (!call)
		return;
	call->refreshes = node && !node->refreshing;
	if (call->refreshes)
		node->refreshing = true;
	cache_call_submit(call);
}

static bool attr_is_known(const struct cache *cache,
			  const struct cache_node *node, bool follow)
{
	return cache_attr_is_known(cache, node) &&
	       !(follow && (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK);
}

/* Of a directory in which we changed names, which changes its times as well. */
static bool is_good_enough(const struct cache *cache,
			   const struct cache_node *node,
			   const struct csftp_req *up)
{
	return (up->flags & CSFTP_ROUGH) &&
	       node->rough_until > cache_now(cache) && node->changing == 0 &&
	       (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

/* Who asks for some names of a directory may ask for more of them. */
static void missed(struct cache *cache, const struct cache_node *node)
{
	struct cache_node *dir = node->parent;

	if (!dir || node->writers > 0 || node->changing > 0 ||
	    (cache_is_whole(cache, dir) && !dir->renewed))
		return;
	cache_walk_by_names(cache, dir);
	if (dir->listing || ++dir->misses < LIST_MISSES + dir->patience)
		return;
	dir->misses = 0;
	if (dir->renewed) {
		dir->wants_attr = true;
		cache_names_unknown(dir);
	}
	cache_list_ahead(cache, dir);
}

static bool answer_held(struct cache *cache, struct csftp_req *up,
			const struct cache_node *node)
{
	struct csftp_attr attr;
	bool follow = !(up->flags & CSFTP_NOFOLLOW);

	if (!cache_shows_attr(cache, node, &attr) ||
	    (follow && (attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK))
		return false;
	cache->counts.answered++;
	csftp_reply_attr(up, &attr);
	return true;
}

/* What a link leads to says nothing about the name. */
static void getattr_of_path(struct cache *cache, struct csftp_req *up,
			    bool follow)
{
	struct cache_node *node = cache_path_make(&cache->tree, up->path);
	struct cache_call *call;

	cache->counts.asked++;
	if (node)
		cache_node_pin(node);
	call = ask_attr(cache, up, follow ? NULL : node);
	if (call) {
		call->showable = true;
		cache_call_submit(call);
	}
	if (node)
		missed(cache, node);
	cache_let_go(cache, node);
}

/* A removed directory that is read from memory has nothing below any more. */
static void getattr_of_handle(struct cache *cache, struct csftp_req *up)
{
	const struct cache_handle *handle = cache_handle_of(cache, up->fh);

	if (handle && handle->dir && handle->dir->from_memory &&
	    !handle->node->parent && handle->node != &cache->tree.root)
		csftp_reply_attr(up, &handle->node->attr);
	else
		cache_getattr_below(cache, up, NULL);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	bool follow = !(up->flags & CSFTP_NOFOLLOW);
	struct cache_node *node = NULL;
	enum cache_sight sight;

	if (!up->path) {
		getattr_of_handle(cache, up);
		return;
	}
	if (!cache_path_is_plain(up->path)) {
		cache_getattr_below(cache, up, NULL);
		return;
	}
	sight = cache_look(cache, up->path, &node);
	if (sight == CACHE_KNOWN && answer_held(cache, up, node))
		return;
	if (sight == CACHE_KNOWN && node->refreshing) {
		cache_await_refresh(cache, up);
		return;
	}
	if (sight == CACHE_ABSENT ||
	    (sight == CACHE_KNOWN && (attr_is_known(cache, node, follow) ||
				      is_good_enough(cache, node, up)))) {
		cache->counts.answered++;
		if (sight == CACHE_ABSENT)
			csftp_reply_err(up, ENOENT);
		else
			csftp_reply_attr(up, &node->attr);
		return;
	}
	getattr_of_path(cache, up, follow);
}

static void readlink_after(struct cache_call *call, struct csftp_reply *reply)
{
	struct cache *cache = call->cache;
	struct cache_node *node = call->node;
	size_t len = reply->text.len;

	if (reply->err && call->called_back && cache_shows_text(cache, node)) {
		*reply = (struct csftp_reply){
			.text = {node->text, strlen(node->text)},
		};
		return;
	}
	if (!node || reply->err || len > CSFTP_PATH_MAX ||
	    cache->config.text_ms == CACHE_NEVER ||
	    !cache_is_news(cache, node, call->since))
		return;
	if (cache_node_text(&cache->tree, node, reply->text.ptr, len))
		node->text_until = cache_now(cache) + cache->config.text_ms;
}

static void op_readlink(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;
	struct cache_node *node = NULL;
	struct cache_call *call;
	bool plain = cache_path_is_plain(up->path);

	if (plain && cache_look(cache, up->path, &node) == CACHE_KNOWN &&
	    (node->text_until > cache_now(cache) ||
	     cache_shows_text(cache, node))) {
		cache->counts.answered++;
		csftp_reply_text(up, node->text, strlen(node->text));
		return;
	}
	call = cache_call_new(cache, up, readlink_after);
	if (!call)
		return;
	cache->counts.asked++;
	if (plain)
		cache_call_hold(&call->node,
				cache_path_make(&cache->tree, up->path));
	call->showable = true;
	cache_call_submit(call);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct cache *cache = (struct cache *)fs;

	if (relay_unlist(&cache->waiting, up) ||
	    relay_unlist(&cache->stale, up) || relay_unlist(&cache->woken, up))
		csftp_reply_err(up, EINTR);
	else
		cache->cancel(fs, up);
}

static void set_ops(struct cache *cache)
{
	struct csftp_fs_ops *ops = &cache->relay.ops;

	cache->cancel = ops->cancel;
	ops->cancel = cancel;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
	ops->op[CSFTP_OP_READLINK] = op_readlink;
	ops->op[CSFTP_OP_SETATTR] = cache_setattr;
	ops->op[CSFTP_OP_MKDIR] = cache_make;
	ops->op[CSFTP_OP_SYMLINK] = cache_make;
	ops->op[CSFTP_OP_RMDIR] = cache_remove;
	ops->op[CSFTP_OP_UNLINK] = cache_remove;
	ops->op[CSFTP_OP_LINK] = cache_link;
	ops->op[CSFTP_OP_RENAME] = cache_rename;
	ops->op[CSFTP_OP_OPEN] = cache_open;
	ops->op[CSFTP_OP_CLOSE] = cache_close;
	ops->op[CSFTP_OP_OPENDIR] = cache_opendir;
	ops->op[CSFTP_OP_READDIR] = cache_readdir;
}

static uint32_t otherwise(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

enum csftp_err cache_new(struct cache **out, const struct cache_config *config)
{
	struct cache *cache;

	const char *top = config->top ? config->top : "/";

	if (!config->under || !config->now_ms || !config->wall_sec ||
	    !cache_path_is_plain(top))
		return CSFTP_ERR_ARG;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return CSFTP_ERR_NOMEM;
	relay_init(&cache->relay, config->under, sizeof(struct cache_call),
		   op_forward);
	set_ops(cache);
	cache->config = *config;
	cache->config.attr_ms = otherwise(config->attr_ms, KEEP_MS);
	cache->config.text_ms = otherwise(config->text_ms, KEEP_MS);
	cache->config.names_ms = otherwise(config->names_ms, KEEP_MS);
	cache->config.absent_ms = otherwise(config->absent_ms, ABSENT_MS);
	cache->config.ahead = otherwise(config->ahead, AHEAD);
	cache_tree_init(&cache->tree,
			config->bytes_max ? config->bytes_max : BYTES_MAX);
	cache->top = cache_path_make(&cache->tree, top);
	if (!cache->top) {
		cache_free(cache);
		return CSFTP_ERR_NOMEM;
	}
	cache_node_pin(cache->top);
	*out = cache;
	return CSFTP_OK;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	cache_let_go(cache, cache->walker);
	cache_let_go(cache, cache->top);
	while (cache->handles) {
		struct cache_handle *handle = cache->handles;

		cache_handle_remove(cache, handle);
		cache_let_go(cache, handle->node);
		free(handle->dir ? (void *)handle->dir : (void *)handle);
	}
	cache_tree_release(&cache->tree);
	relay_release(&cache->relay);
	free(cache);
}

struct csftp_fs *cache_fs(struct cache *cache)
{
	return &cache->relay.fs;
}

uint32_t cache_pending(const struct cache *cache)
{
	return cache->pending;
}

void cache_quiet(struct cache *cache)
{
	cache->quiet = true;
}

size_t cache_bytes(const struct cache *cache)
{
	return cache->tree.bytes;
}

struct cache_counts cache_counts(const struct cache *cache)
{
	return cache->counts;
}

uint32_t cache_each_name(struct cache *cache, const char *dir, uint32_t type,
			 bool (*take)(void *arg, const char *name), void *arg)
{
	struct cache_node *node = NULL;
	uint32_t looked = 0;

	if (!cache_path_is_plain(dir) ||
	    cache_look(cache, dir, &node) != CACHE_KNOWN ||
	    !cache_is_whole(cache, node))
		return 0;
	node = node->children;
	for (; node; node = node->hh.next) {
		bool known = node->attr.mask & CSFTP_ATTR_MODE;

		looked++;
		if (known ? (node->attr.mode & CSFTP_S_IFMT) != type
			  : type != CSFTP_S_IFREG)
			continue;
		if (!take(arg, node->name))
			break;
	}
	return looked;
}

const struct csftp_attr *cache_known_attr(struct cache *cache, const char *path,
					  uint64_t *age_ms)
{
	struct cache_node *node = NULL;

	if (!cache_path_is_plain(path) ||
	    cache_look(cache, path, &node) != CACHE_KNOWN ||
	    !attr_is_known(cache, node, false))
		return NULL;
	*age_ms = cache_now(cache) + cache->config.attr_ms - node->attr_until;
	return &node->attr;
}

uint64_t cache_file_size(struct cache *cache, const char *path)
{
	uint64_t age_ms = 0;
	const struct csftp_attr *attr = cache_known_attr(cache, path, &age_ms);

	if (!attr || !(attr->mask & CSFTP_ATTR_SIZE) ||
	    (attr->mode & CSFTP_S_IFMT) != CSFTP_S_IFREG)
		return UINT64_MAX;
	return attr->size;
}

static bool is_missing(const struct cache *cache, const struct cache_node *dir,
		       const struct cache_node *child)
{
	if (!child)
		return cache_is_whole(cache, dir);
	return child->absent_until > cache_now(cache) && child->changing == 0;
}

bool cache_knows_absent(struct cache *cache, const char *path)
{
	const struct cache_node *node = &cache->tree.root;
	const char *name;
	size_t len;

	if (!cache_path_is_plain(path) || cache->held)
		return false;
	while (cache_path_next(&path, &name, &len)) {
		const struct cache_node *child = cache_child(node, name, len);

		if (!*path)
			return is_missing(cache, node, child);
		if (!child || child->changing > 0 ||
		    child->absent_until > cache_now(cache) ||
		    (child->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK)
			return false;
		node = child;
	}
	return false;
}

void cache_ask_anew(struct cache *cache, struct csftp_req *up)
{
	struct cache_node *node = NULL;

	if (cache_path_is_plain(up->path))
		node = cache_path_make(&cache->tree, up->path);
	cache_refresh_below(cache, up, node);
}

/*
 * A clock that has been looked at long ago may have been set since; and both go
 * on alike.
 */
static bool clock_is_known(const struct cache *cache, int64_t since_ms)
{
	return cache->clock_ms > 0 && since_ms <= CLOCK_MS &&
	       since_ms >= -CLOCK_MS;
}

int64_t cache_clock(const struct cache *cache)
{
	int64_t since_ms = (int64_t)(cache_now(cache) - cache->clock_ms);

	if (clock_is_known(cache, since_ms))
		return cache->clock_sec + since_ms / 1000;
	return cache->config.wall_sec(cache->config.arg);
}

bool cache_had_passed(const struct cache *cache, int64_t sec, uint64_t at_ms)
{
	int64_t since_ms = (int64_t)(at_ms - cache->clock_ms);

	if (!clock_is_known(cache, since_ms))
		return false;
	return sec + 2 <= cache->clock_sec + (since_ms - 999) / 1000;
}

bool cache_is_written(struct cache *cache, const char *path)
{
	struct cache_node *node = NULL;

	if (cache->blind > 0 || !cache_path_is_plain(path))
		return true;
	return cache_look(cache, path, &node) == CACHE_KNOWN &&
	       (node->writers > 0 || node->changing > 0 || node->linked);
}
