#include "core/layer/cache_tree.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "core/layer/cache_impl.h"

/* What a node costs beside its name, with its share of tables. */
#define NODE_COST (sizeof(struct cache_node) + 64)

void cache_tree_init(struct cache_tree *tree, size_t bytes_max)
{
	tree->bytes_max = bytes_max;
	tree->walk = 1;
}

static void used_remove(struct cache_tree *tree, struct cache_node *dir)
{
	if (!dir->used_next && !dir->used_prev && tree->used_first != dir)
		return;
	if (dir->used_prev)
		dir->used_prev->used_next = dir->used_next;
	else
		tree->used_first = dir->used_next;
	if (dir->used_next)
		dir->used_next->used_prev = dir->used_prev;
	else
		tree->used_last = dir->used_prev;
	dir->used_next = NULL;
	dir->used_prev = NULL;
}

void cache_node_use(struct cache_tree *tree, struct cache_node *dir)
{
	if (tree->used_last == dir || !dir->children)
		return;
	used_remove(tree, dir);
	dir->used_prev = tree->used_last;
	if (tree->used_last)
		tree->used_last->used_next = dir;
	else
		tree->used_first = dir;
	tree->used_last = dir;
}

struct cache_node *cache_child(const struct cache_node *dir, const char *name,
			       size_t len)
{
	struct cache_node *node = NULL;

	HASH_FIND(hh, dir->children, name, len, node);
	return node;
}

void cache_node_keep_linked(struct cache_tree *tree,
			    const struct cache_node *node)
{
	uint32_t hash = node->hh.hashv;

	if (node->linked)
		tree->lost_links[hash % CACHE_LOST_LINKS] = hash;
}

bool cache_node_was_linked(const struct cache_tree *tree,
			   const struct cache_node *node)
{
	uint32_t hash = node->hh.hashv;

	return hash != 0 && tree->lost_links[hash % CACHE_LOST_LINKS] == hash;
}

/* uthash leaves one out that it has no memory for. */
static bool insert(struct cache_node *dir, struct cache_node *node)
{
	HASH_ADD_KEYPTR(hh, dir->children, node->name, node->name_len, node);
	if (!node->hh.tbl)
		return false;
	node->parent = dir;
	return true;
}

static bool name_set(struct cache_node *node, const char *name, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	free(node->name);
	node->name = copy;
	node->name_len = len;
	return true;
}

static void node_free(struct cache_tree *tree, struct cache_node *node)
{
	tree->bytes -= NODE_COST + node->name_len;
	if (node->text)
		tree->bytes -= strlen(node->text);
	free(node->name);
	free(node->text);
	free(node);
}

struct cache_node *cache_child_make(struct cache_tree *tree,
				    struct cache_node *dir, const char *name,
				    size_t len)
{
	struct cache_node *node = cache_child(dir, name, len);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	if (!name_set(node, name, len)) {
		free(node);
		return NULL;
	}
	tree->bytes += NODE_COST + len;
	if (!insert(dir, node)) {
		node_free(tree, node);
		return NULL;
	}
	node->linked = cache_node_was_linked(tree, node);
	cache_node_use(tree, dir);
	return node;
}

/* Takes it out of its directory; who reads there goes on behind it. */
static void take_out(struct cache_tree *tree, struct cache_node *node)
{
	struct cache_node *dir = node->parent;

	cache_dir_skip(dir, node);
	if (node->dirs_prev)
		DL_DELETE2(dir->dirs, node, dirs_prev, dirs_next);
	node->dirs_prev = NULL;
	HASH_DELETE(hh, dir->children, node);
	if (!dir->children)
		used_remove(tree, dir);
	node->hh.tbl = NULL;
	node->hh.next = NULL;
	node->parent = NULL;
}

void cache_node_walk_no_more(struct cache_tree *tree, struct cache_node *node)
{
	if (node->walk == tree->walk && tree->unused > 0)
		tree->unused--;
	node->walk = 0;
}

static void drop(struct cache_tree *tree, struct cache_node *node)
{
	used_remove(tree, node);
	cache_node_walk_no_more(tree, node);
	if (node->parent)
		take_out(tree, node);
	if (node->pins == 0)
		node_free(tree, node);
}

/* Depth first, and without recursion: a tree can be as deep as a path. */
void cache_node_remove_below(struct cache_tree *tree, struct cache_node *node)
{
	struct cache_node *at = node;

	cache_names_unknown(node);
	while (at != node || at->children) {
		struct cache_node *up = at->parent;

		if (at->children) {
			at = at->children;
			continue;
		}
		drop(tree, at);
		at = up;
	}
}

void cache_node_remove(struct cache_tree *tree, struct cache_node *node)
{
	cache_node_remove_below(tree, node);
	drop(tree, node);
}

bool cache_child_to_end(struct cache_tree *tree, struct cache_node *node)
{
	struct cache_node *dir = node->parent;

	/* Who reads there would meet it twice. */
	if (!node->hh.next || dir->readers)
		return true;
	take_out(tree, node);
	if (insert(dir, node)) {
		cache_node_use(tree, dir);
		return true;
	}
	cache_node_remove(tree, node);
	return false;
}

struct cache_node *cache_node_replace(struct cache_tree *tree,
				      struct cache_node *node)
{
	struct cache_node *dir = node->parent;
	char name[CSFTP_NAME_MAX + 1];
	size_t len = node->name_len;

	memcpy(name, node->name, len);
	cache_node_remove(tree, node);
	return cache_child_make(tree, dir, name, len);
}

void cache_node_take_place(struct cache_tree *tree, struct cache_node *node,
			   struct cache_node *other)
{
	struct cache_node *dir = other->parent;
	size_t old_len = node->name_len;
	bool ok;

	take_out(tree, node);
	ok = name_set(node, other->name, other->name_len);
	tree->bytes += node->name_len;
	tree->bytes -= old_len;
	cache_node_remove(tree, other);
	if (ok && insert(dir, node)) {
		cache_node_use(tree, dir);
		return;
	}
	cache_node_remove(tree, node);
}

bool cache_node_text(struct cache_tree *tree, struct cache_node *node,
		     const void *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	if (node->text)
		tree->bytes -= strlen(node->text);
	tree->bytes += strlen(copy);
	free(node->text);
	node->text = copy;
	return true;
}

void cache_node_unpin(struct cache_tree *tree, struct cache_node *node)
{
	if (--node->pins == 0 && !node->parent && node != &tree->root)
		node_free(tree, node);
}

void cache_tree_release(struct cache_tree *tree)
{
	cache_node_remove_below(tree, &tree->root);
	free(tree->root.text);
}

/* Leaves only: what is below others is used on its own account. */
static void forget_name(struct cache_tree *tree, struct cache_node *node)
{
	if (node->children || node->pins > 0)
		return;
	cache_node_keep_linked(tree, node);
	drop(tree, node);
}

static void forget_names(struct cache_tree *tree, struct cache_node *dir)
{
	struct cache_node *node = dir->children;

	cache_names_unknown(dir);
	dir->names_lost++;
	while (node) {
		struct cache_node *next = node->hh.next;

		forget_name(tree, node);
		node = next;
	}
}

static struct cache_node *last_child(const struct cache_node *dir)
{
	const UT_hash_table *table;

	if (!dir->children)
		return NULL;
	table = dir->children->hh.tbl;
	return ELMT_FROM_HH(table, table->tail);
}

void cache_tree_trim(struct cache_tree *tree)
{
	struct cache_node *dir = tree->used_first;

	/* The one in use now stays: otherwise it would be asked for again. */
	while (dir && dir != tree->used_last && tree->bytes > tree->bytes_max) {
		struct cache_node *next = dir->used_next;

		if (!dir->readers)
			forget_names(tree, dir);
		dir = next;
	}
}

void cache_tree_cut(struct cache_tree *tree)
{
	struct cache_node *dir = tree->used_last;
	struct cache_node *node;

	if (!dir || dir->readers || tree->bytes <= tree->bytes_max)
		return;
	cache_names_unknown(dir);
	dir->names_lost++;
	node = last_child(dir);
	while (node && tree->bytes > tree->bytes_max) {
		struct cache_node *prev = node->hh.prev;

		forget_name(tree, node);
		node = prev;
	}
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

bool cache_path_is_plain(const char *path)
{
	const char *name;
	size_t len;

	if (*path != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		name = path + 1;
		len = strcspn(name, "/");
		if (len == 0 || len > CSFTP_NAME_MAX || is_dots(name, len))
			return false;
		path = name + len;
	}
	return true;
}

bool cache_path_next(const char **rest, const char **name, size_t *len)
{
	if (**rest == '/')
		(*rest)++;
	*name = *rest;
	*len = strcspn(*name, "/");
	*rest += *len;
	return *len > 0;
}

struct cache_node *cache_path_make(struct cache_tree *tree, const char *path)
{
	struct cache_node *node = &tree->root;
	const char *name;
	size_t len;

	while (node && cache_path_next(&path, &name, &len))
		node = cache_child_make(tree, node, name, len);
	return node;
}

bool cache_path_of(const struct cache_node *node, char path[CSFTP_PATH_MAX + 1])
{
	size_t at = CSFTP_PATH_MAX;

	path[at] = '\0';
	if (!node->parent)
		path[--at] = '/';
	for (; node->parent; node = node->parent) {
		if (node->name_len + 1 > at)
			return false;
		at -= node->name_len;
		memcpy(path + at, node->name, node->name_len);
		path[--at] = '/';
	}
	memmove(path, path + at, CSFTP_PATH_MAX + 1 - at);
	return true;
}
