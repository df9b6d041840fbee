#include "fusefs/inode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUCKETS_MIN 1024U

/* Both tables have as many buckets, a power of two. */
struct inodes {
	struct inode **by_id;
	struct inode **by_name;
	size_t buckets;
	size_t count;
	struct inode root;
};

/*
 * FNV-1a, and then the finish of splitmix64, as table indexes need good low
 * bits.  No secret goes in: a number has to be the same on the next mount.
 */
static uint64_t name_hash(uint64_t parent, const char *name, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325U ^ parent;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3U;
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
	return hash ^ (hash >> 31);
}

static struct inode **id_bucket(const struct inodes *table, uint64_t id)
{
	return &table->by_id[id & (table->buckets - 1)];
}

static struct inode **name_bucket(const struct inodes *table, uint64_t hash)
{
	return &table->by_name[hash & (table->buckets - 1)];
}

static void id_insert(struct inodes *table, struct inode *node)
{
	struct inode **bucket = id_bucket(table, node->id);

	node->next_by_id = *bucket;
	*bucket = node;
}

static void name_insert(struct inodes *table, struct inode *node)
{
	struct inode **bucket = name_bucket(table, node->hash);

	node->next_by_name = *bucket;
	*bucket = node;
}

static void id_remove(struct inodes *table, struct inode *node)
{
	struct inode **at = id_bucket(table, node->id);

	while (*at != node)
		at = &(*at)->next_by_id;
	*at = node->next_by_id;
}

static void name_remove(struct inodes *table, struct inode *node)
{
	struct inode **at = name_bucket(table, node->hash);

	while (*at != node)
		at = &(*at)->next_by_name;
	*at = node->next_by_name;
}

enum csftp_err inodes_new(struct inodes **out)
{
	struct inodes *table = calloc(1, sizeof(*table));

	if (!table)
		return CSFTP_ERR_NOMEM;
	table->by_id = calloc(BUCKETS_MIN, sizeof(struct inode *));
	table->by_name = calloc(BUCKETS_MIN, sizeof(struct inode *));
	if (!table->by_id || !table->by_name) {
		free(table->by_id);
		free(table->by_name);
		free(table);
		return CSFTP_ERR_NOMEM;
	}
	table->buckets = BUCKETS_MIN;
	table->count = 1;
	table->root.id = INODE_ROOT;
	table->root.number = INODE_ROOT;
	table->root.type = S_IFDIR;
	id_insert(table, &table->root);
	*out = table;
	return CSFTP_OK;
}

void inodes_free(struct inodes *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->buckets; i++) {
		struct inode *node = table->by_id[i];

		while (node) {
			struct inode *next = node->next_by_id;

			if (node != &table->root) {
				free(node->name);
				free(node);
			}
			node = next;
		}
	}
	free(table->by_id);
	free(table->by_name);
	free(table);
}

size_t inodes_count(const struct inodes *table)
{
	return table->count;
}

struct inode *inodes_root(struct inodes *table)
{
	return &table->root;
}

struct inode *inodes_get(const struct inodes *table, uint64_t id)
{
	struct inode *node = *id_bucket(table, id);

	while (node && node->id != id)
		node = node->next_by_id;
	return node;
}

static struct inode *find(const struct inodes *table, uint64_t hash,
			  const struct inode *parent, const char *name,
			  size_t len)
{
	struct inode *node = *name_bucket(table, hash);

	while (node &&
	       (node->hash != hash || node->parent != parent ||
		strlen(node->name) != len || memcmp(node->name, name, len)))
		node = node->next_by_name;
	return node;
}

struct inode *inodes_child(const struct inodes *table,
			   const struct inode *parent, const char *name,
			   size_t len)
{
	return find(table, name_hash(parent->id, name, len), parent, name, len);
}

/* Without memory for larger tables the old ones serve on, more slowly. */
static void grow(struct inodes *table)
{
	struct inodes old = *table;
	size_t buckets = old.buckets * 4;
	struct inode **by_id = calloc(buckets, sizeof(*by_id));
	struct inode **by_name = calloc(buckets, sizeof(*by_name));

	if (!by_id || !by_name) {
		free(by_id);
		free(by_name);
		return;
	}
	table->by_id = by_id;
	table->by_name = by_name;
	table->buckets = buckets;
	for (size_t i = 0; i < old.buckets; i++) {
		struct inode *node = old.by_id[i];

		while (node) {
			struct inode *next = node->next_by_id;

			id_insert(table, node);
			if (node->name)
				name_insert(table, node);
			node = next;
		}
	}
	free(old.by_id);
	free(old.by_name);
}

/* The first number from hash on that is free; 0 and 1 have a meaning. */
static uint64_t free_number(const struct inodes *table, uint64_t hash)
{
	while (hash <= INODE_ROOT || inodes_get(table, hash))
		hash++;
	return hash;
}

static struct inode *make(struct inodes *table, struct inode *parent,
			  uint64_t hash, const char *name, size_t len)
{
	struct inode *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = strndup(name, len);
	if (!node->name) {
		free(node);
		return NULL;
	}
	if (table->count >= table->buckets)
		grow(table);
	node->hash = hash;
	node->id = free_number(table, hash);
	node->number = node->id;
	node->parent = parent;
	parent->children++;
	id_insert(table, node);
	name_insert(table, node);
	table->count++;
	return node;
}

struct inode *inodes_lookup(struct inodes *table, struct inode *parent,
			    const char *name, size_t len, uint32_t type)
{
	uint64_t hash = name_hash(parent->id, name, len);
	struct inode *node = find(table, hash, parent, name, len);

	if (node && node->type != type) {
		inodes_detach(table, node);
		node = NULL;
	}
	if (!node)
		node = make(table, parent, hash, name, len);
	if (!node)
		return NULL;
	node->type = type;
	node->count++;
	return node;
}

uint64_t inodes_number(const struct inodes *table, const struct inode *parent,
		       const char *name, size_t len)
{
	uint64_t hash = name_hash(parent->id, name, len);
	const struct inode *node = find(table, hash, parent, name, len);

	return node ? node->number : free_number(table, hash);
}

/* Frees the node if nothing holds it, and then what it alone held. */
static void settle(struct inodes *table, struct inode *node)
{
	while (node && node != &table->root && node->count == 0 &&
	       node->children == 0 && node->pins == 0) {
		struct inode *parent = node->parent;

		id_remove(table, node);
		if (node->name)
			name_remove(table, node);
		if (parent)
			parent->children--;
		table->count--;
		free(node->name);
		free(node);
		node = parent;
	}
}

void inodes_forget(struct inodes *table, struct inode *node, uint64_t count)
{
	node->count -= count < node->count ? count : node->count;
	settle(table, node);
}

void inodes_pin(struct inode *node)
{
	node->pins++;
}

void inodes_unpin(struct inodes *table, struct inode *node)
{
	node->pins--;
	settle(table, node);
}

void inodes_detach(struct inodes *table, struct inode *node)
{
	struct inode *parent = node ? node->parent : NULL;

	if (!parent)
		return;
	name_remove(table, node);
	free(node->name);
	node->name = NULL;
	node->parent = NULL;
	parent->children--;
	settle(table, node);
	settle(table, parent);
}

static bool is_below(const struct inode *node, const struct inode *above)
{
	while (node && node != above)
		node = node->parent;
	return node != NULL;
}

int inodes_move(struct inodes *table, struct inode *node, struct inode *parent,
		const char *name)
{
	struct inode *there = inodes_child(table, parent, name, strlen(name));
	struct inode *from = node->parent;
	char *copy;

	if (there == node)
		return 0;
	if (!from || is_below(parent, node))
		return EINVAL;
	copy = strdup(name);
	if (!copy)
		return ENOMEM;
	/* Counted first, so that the detaching cannot free the new place. */
	parent->children++;
	inodes_detach(table, there);
	name_remove(table, node);
	free(node->name);
	node->name = copy;
	node->hash = name_hash(parent->id, name, strlen(name));
	node->parent = parent;
	name_insert(table, node);
	from->children--;
	settle(table, from);
	return 0;
}

/* Puts "/name" in front of path[*at]; false: it does not fit. */
static bool prepend(char *path, size_t *at, const char *name)
{
	size_t len = strlen(name);

	if (len + 1 > *at)
		return false;
	*at -= len;
	memcpy(path + *at, name, len);
	path[--*at] = '/';
	return true;
}

int inodes_path(const struct inodes *table, const char *root,
		const struct inode *node, const char *name,
		char path[CSFTP_PATH_MAX + 1])
{
	size_t at = CSFTP_PATH_MAX;
	size_t root_len = strlen(root);

	if (name && !prepend(path, &at, name))
		return ENAMETOOLONG;
	for (; node != &table->root; node = node->parent) {
		if (!node->parent)
			return ESTALE;
		if (!prepend(path, &at, node->name))
			return ENAMETOOLONG;
	}
	/* The slash of the root directory is there already. */
	if (at < CSFTP_PATH_MAX && root_len > 0 && root[root_len - 1] == '/')
		root_len--;
	if (root_len > at)
		return ENAMETOOLONG;
	memcpy(path, root, root_len);
	memmove(path + root_len, path + at, CSFTP_PATH_MAX - at);
	path[root_len + CSFTP_PATH_MAX - at] = '\0';
	return 0;
}
