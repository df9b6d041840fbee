#include "core/memfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEM_BUCKETS 64U

void mem_lend(struct mem_fs *mem)
{
	mem->lent++;
}

void mem_return(struct mem_fs *mem)
{
	if (--mem->lent > 0)
		return;
	while (mem->dead) {
		struct mem_dead *block = mem->dead;

		mem->dead = block->next;
		free(block);
	}
}

void mem_dispose(struct mem_fs *mem, struct mem_dead *block)
{
	if (mem->lent > 0) {
		block->next = mem->dead;
		mem->dead = block;
	} else {
		free(block);
	}
}

struct mem_buf *mem_buf_new(size_t cap)
{
	struct mem_buf *buf = malloc(sizeof(*buf) + cap);

	if (buf)
		buf->cap = cap;
	return buf;
}

bool mem_is_dir(const struct mem_node *node)
{
	return (node->mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;
}

bool mem_is_file(const struct mem_node *node)
{
	return (node->mode & CSFTP_S_IFMT) == CSFTP_S_IFREG;
}

bool mem_is_link(const struct mem_node *node)
{
	return (node->mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK;
}

struct csftp_time mem_now(const struct mem_fs *mem)
{
	if (mem->config.clock)
		return mem->config.clock(mem->config.arg);
	return (struct csftp_time){0};
}

int mem_node_new(struct mem_node **out, struct mem_fs *mem, uint32_t mode)
{
	struct mem_node *node;

	if (mem->node_count >= mem->config.max_nodes)
		return ENOSPC;
	node = calloc(1, sizeof(*node));
	if (!node)
		return ENOMEM;
	node->mode = mode;
	node->uid = mem->config.uid;
	node->gid = mem->config.gid;
	node->mtime = mem_now(mem);
	node->atime = node->mtime;
	node->next = mem->nodes;
	if (mem->nodes)
		mem->nodes->prev = node;
	mem->nodes = node;
	mem->node_count++;
	*out = node;
	return 0;
}

void mem_node_free(struct mem_fs *mem, struct mem_node *node)
{
	if (node->prev)
		node->prev->next = node->next;
	else
		mem->nodes = node->next;
	if (node->next)
		node->next->prev = node->prev;
	mem->node_count--;
	if (mem_is_file(node)) {
		mem_data_resize(mem, node, 0);
		free(node->file.chunk);
	} else if (mem_is_link(node) && node->text) {
		mem_dispose(mem, &node->text->dead);
	}
	free(node);
}

void mem_node_put(struct mem_fs *mem, struct mem_node *node)
{
	if (node->nlink == 0 && node->opens == 0)
		mem_node_free(mem, node);
}

/* FNV-1a over the directory's address and the name. */
static uint32_t name_hash(const struct mem_node *dir, struct csftp_slice name)
{
	const uint8_t *byte = name.ptr;
	uint32_t hash = 2166136261U;
	uintptr_t where = (uintptr_t)dir;

	for (size_t i = 0; i < sizeof(where); i++, where >>= 8)
		hash = (hash ^ (uint8_t)where) * 16777619U;
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ byte[i]) * 16777619U;
	return hash;
}

static struct mem_entry **bucket_of(const struct mem_fs *mem, uint32_t hash)
{
	return &mem->bucket[hash & (mem->bucket_count - 1)];
}

/* ENOMEM only where there is no table yet: a full one is slow, not wrong. */
static int buckets_grow(struct mem_fs *mem)
{
	size_t count =
		mem->bucket_count > 0 ? 2 * mem->bucket_count : MEM_BUCKETS;
	struct mem_entry **old = mem->bucket;
	size_t old_count = mem->bucket_count;
	struct mem_entry **bucket;

	if (mem->entry_count < old_count)
		return 0;
	bucket = calloc(count, sizeof(struct mem_entry *));
	if (!bucket)
		return old ? 0 : ENOMEM;
	mem->bucket = bucket;
	mem->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct mem_entry *entry = old[i];
			struct mem_entry **head = bucket_of(mem, entry->hash);

			old[i] = entry->hash_next;
			entry->hash_next = *head;
			*head = entry;
		}
	}
	free(old);
	return 0;
}

struct mem_entry *mem_entry_find(const struct mem_fs *mem,
				 const struct mem_node *dir,
				 struct csftp_slice name)
{
	uint32_t hash = name_hash(dir, name);
	struct mem_entry *entry;

	if (mem->bucket_count == 0)
		return NULL;
	for (entry = *bucket_of(mem, hash); entry; entry = entry->hash_next)
		if (entry->hash == hash && entry->dir == dir &&
		    entry->name_len == name.len &&
		    memcmp(entry->name, name.ptr, name.len) == 0)
			return entry;
	return NULL;
}

/* A directory's own ".." is a name of its parent, its "." one of itself. */
static void name_gained(struct mem_entry *entry)
{
	struct mem_node *node = entry->node;

	node->nlink++;
	if (mem_is_dir(node)) {
		node->nlink = node->nlink == 1 ? 2 : node->nlink;
		node->dir.parent = entry->dir;
		node->dir.entry = entry;
		entry->dir->nlink++;
	}
}

static void name_lost(struct mem_fs *mem, struct mem_entry *entry)
{
	struct mem_node *node = entry->node;

	node->nlink--;
	if (mem_is_dir(node)) {
		entry->dir->nlink--;
		/* Unless it has another name by now it keeps only its ".". */
		if (node->dir.entry == entry)
			node->nlink = 0;
	}
	mem_node_put(mem, node);
}

int mem_entry_add(struct mem_fs *mem, struct mem_node *dir,
		  struct csftp_slice name, struct mem_node *node)
{
	struct mem_entry *entry;
	struct mem_entry **head;
	int err = buckets_grow(mem);

	if (err != 0)
		return err;
	entry = calloc(1, sizeof(*entry) + name.len);
	if (!entry)
		return ENOMEM;
	entry->dir = dir;
	entry->node = node;
	entry->seq = mem->next_seq++;
	entry->hash = name_hash(dir, name);
	entry->name_len = name.len;
	memcpy(entry->name, name.ptr, name.len);
	head = bucket_of(mem, entry->hash);
	entry->hash_next = *head;
	*head = entry;
	mem->entry_count++;
	entry->prev = dir->dir.last;
	if (entry->prev)
		entry->prev->next = entry;
	else
		dir->dir.first = entry;
	dir->dir.last = entry;
	dir->mtime = mem_now(mem);
	name_gained(entry);
	return 0;
}

void mem_entry_remove(struct mem_fs *mem, struct mem_entry *entry)
{
	struct mem_entry **link = bucket_of(mem, entry->hash);
	struct mem_dir *dir = &entry->dir->dir;

	mem_handle_skip(entry);
	while (*link != entry)
		link = &(*link)->hash_next;
	*link = entry->hash_next;
	mem->entry_count--;
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		dir->first = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	else
		dir->last = entry->prev;
	entry->dir->mtime = mem_now(mem);
	name_lost(mem, entry);
	mem_dispose(mem, &entry->dead);
}

void mem_entry_replace(struct mem_fs *mem, struct mem_entry *entry,
		       struct mem_node *node)
{
	name_lost(mem, entry);
	entry->node = node;
	entry->dir->mtime = mem_now(mem);
	name_gained(entry);
}
