#include <string.h>
#include <utlist.h>

#include "core/layer/cache_impl.h"

/*
 * Who opens a directory right after its parent is held to walk through the
 * tree, as find(1) or rm(1) do.  What such a walk comes to next are, as far
 * as they are known, the directories in this one, then those behind it in its
 * parent, and so on up.  "Behind" is by the listing, or by name where somebody
 * came from one to the next so, as ls -R does.  Who goes by another order comes
 * to those before it as well: they are next when there are none behind.
 *
 * Who looks up names in one directory after the other, as git does with all
 * that it knows, walks through them, too.
 *
 * Where the walk comes to directories that were known before it began, nothing
 * is listed ahead: who goes the same way again goes no further than before, and
 * would be kept waiting by what is listed for nobody.
 */

#define WINDOW_FIRST 4U
#define UNUSED_MAX   16U    /* times the window, at most: guesses not used */
#define STREAK	     3U	    /* directories side by side that make a walk */
#define STEPS_MAX    1000U  /* names that are looked at to find the next */
#define WALK_MS	     10000U /* between a directory and one in it */

bool cache_guess_used(struct cache *cache, struct cache_node *node)
{
	if (node->walk != cache->tree.walk)
		return false;
	cache_node_walk_no_more(&cache->tree, node);
	return true;
}

static bool is_directory(const struct cache_node *node)
{
	return (node->attr.mask & CSFTP_ATTR_MODE) &&
	       (node->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

static int by_name(const struct cache_node *a, const struct cache_node *b)
{
	return strcmp(a->name, b->name);
}

/* Once for each listing: what we made since then need not be listed. */
static void sort_dirs(struct cache_node *dir)
{
	struct cache_node *node = dir->children;

	if (dir->dirs_stamp == dir->names_stamp)
		return;
	dir->dirs = NULL;
	dir->dirs_stamp = dir->names_stamp;
	for (; node; node = node->hh.next) {
		node->dirs_prev = NULL;
		if (is_directory(node))
			DL_APPEND2(dir->dirs, node, dirs_prev, dirs_next);
	}
	DL_SORT2(dir->dirs, by_name, dirs_prev, dirs_next);
}

/* The directory that comes behind the other by name, or first; or NULL. */
static struct cache_node *next_by_name(struct cache_node *dir,
				       const struct cache_node *behind)
{
	struct cache_node *next;

	sort_dirs(dir);
	if (behind && behind->dirs_prev)
		return behind->dirs_next;
	next = dir->dirs;
	while (next && behind && strcmp(next->name, behind->name) <= 0)
		next = next->dirs_next;
	return next;
}

static struct cache_node *next_listed(struct cache_node *node)
{
	do {
		node = node->hh.next;
	} while (node && !is_directory(node));
	return node;
}

/* Above the directory where it began nobody walks. */
static bool is_walked(const struct cache_node *dir)
{
	while (dir && !dir->opened_ms)
		dir = dir->parent;
	return dir != NULL;
}

/* The next in the order of a walk by name; NULL: it has come to its end. */
static struct cache_node *step_by_name(const struct cache *cache,
				       struct cache_node *node, bool into)
{
	struct cache_node *next = NULL;

	if (into && cache_is_whole(cache, node))
		next = next_by_name(node, NULL);
	while (!next && node->parent && is_walked(node->parent)) {
		next = next_by_name(node->parent, node);
		node = node->parent;
	}
	return next;
}

/* The same in the order of the listings. */
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

/* So many guesses may wait to be used: few where one step is all there was. */
static uint32_t unused_max(const struct cache *cache)
{
	uint32_t times =
		cache->window < UNUSED_MAX ? cache->window : UNUSED_MAX;
	uint32_t most = times * cache->window;

	return most < cache->reach ? most : cache->reach;
}

/*
 * Whether somebody came where the walk was expected to, and has to wait all the
 * same: what was listed is too old by now, or was forgotten, or nothing was as
 * too much is listed that was not come to.  What had been listed before the
 * reach became less proves it no further.
 */
static bool is_in_vain(const struct cache *cache, const struct cache_node *node,
		       bool guessed, bool next)
{
	if (node->listing || cache_is_whole(cache, node))
		return false;
	if (guessed)
		return node->names_stamp > cache->reach_stamp;
	return next && cache->tree.unused >= unused_max(cache);
}

/* Lists what is next, as long as that may go on at once. */
void cache_walk_on(struct cache *cache)
{
	struct cache_node *node = cache->walker;
	bool into = true;
	bool again = false;

	if (!node || cache->window == 0 || cache->walk_is_known ||
	    cache->pumping || cache->quiet || cache->held)
		return;
	cache->pumping = true;
	for (uint32_t steps = 0; steps < STEPS_MAX; steps++) {
		if (cache->listings >= cache->window ||
		    cache->tree.unused >= unused_max(cache))
			break;
		node = cache->walk_by_name ? step_by_name(cache, node, into)
					   : step(cache, node, into);
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
		/* Each time: what is forgotten at once would have no end. */
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

/*
 * From the last directory to the one beside it: by which order is that next?
 * False: by none.
 */
static bool recognise(struct cache *cache, const struct cache_node *node)
{
	struct cache_node *last = cache->walker;

	if (!last || !node->parent || last->parent != node->parent)
		return false;
	if (next_listed(last) == node)
		cache->walk_by_name = false;
	else if (next_by_name(node->parent, last) == node)
		cache->walk_by_name = true;
	else
		return false;
	return true;
}

/* Whether somebody came here from above, or from the one before, lately. */
static bool is_step(const struct cache *cache, const struct cache_node *node,
		    bool next, uint64_t now)
{
	const struct cache_node *parent = node->parent;

	if (!parent || !parent->opened_ms)
		return false;
	return now - parent->opened_ms < WALK_MS ||
	       (next && now - cache->walked_ms < WALK_MS);
}

/* As long as it goes on below, the walk is not over above. */
static void go_on_above(struct cache_node *node, uint64_t now)
{
	struct cache_node *dir = node->parent;

	for (; dir && dir->opened_ms; dir = dir->parent)
		dir->opened_ms = now;
}

void cache_walk(struct cache *cache, struct cache_node *node)
{
	uint64_t now = cache_now(cache);
	bool guessed = cache_guess_used(cache, node);
	bool next;

	if (guessed)
		cache->counts.ahead_used++;
	if (cache->config.ahead == CACHE_NEVER)
		return;
	/* To open it once more is not to have come there. */
	if (node != cache->walker)
		cache->walk_is_known = !guessed && cache_is_whole(cache, node);
	next = recognise(cache, node);
	if (is_step(cache, node, next, now)) {
		if (guessed || next)
			go_on_above(node, now);
		if (cache->window == 0)
			cache->reach = UNUSED_MAX * cache->config.ahead;
		cache->window =
			cache->window ? cache->window * 2 : WINDOW_FIRST;
		if (cache->window > cache->config.ahead)
			cache->window = cache->config.ahead;
	} else {
		cache->window = 0;
		cache->tree.walk++;
		cache->tree.unused = 0;
	}
	if (cache->window > 0 && is_in_vain(cache, node, guessed, next)) {
		cache->reach_stamp = cache->stamp;
		cache->reach /= 4;
		cache->tree.unused = 0;
	}
	node->opened_ms = now;
	cache->walked_ms = now;
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
