#include "core/layer/fhmap.h"

#include <stdlib.h>

/* Handles are often an index with a generation above: both ends count. */
static size_t bucket_of(csftp_fh fh)
{
	return (size_t)((fh ^ fh >> 32 ^ fh >> 8) % FHMAP_BUCKETS);
}

static void drop_all(struct fhmap_entry *entry,
		     void (*drop)(struct fhmap_entry *entry))
{
	while (entry) {
		struct fhmap_entry *next = entry->next;

		drop(entry);
		free(entry);
		entry = next;
	}
}

void fhmap_release(struct fhmap *map, void (*drop)(struct fhmap_entry *entry))
{
	for (size_t i = 0; i < FHMAP_BUCKETS; i++)
		drop_all(map->bucket[i], drop);
	drop_all(map->free, drop);
}

struct fhmap_entry *fhmap_take(struct fhmap *map)
{
	struct fhmap_entry *entry = map->free;

	if (!entry)
		return calloc(1, map->entry_size);
	map->free = entry->next;
	return entry;
}

void fhmap_put(struct fhmap *map, struct fhmap_entry *entry, csftp_fh fh)
{
	size_t at = bucket_of(fh);

	entry->fh = fh;
	entry->next = map->bucket[at];
	map->bucket[at] = entry;
}

void fhmap_give_back(struct fhmap *map, struct fhmap_entry *entry)
{
	entry->next = map->free;
	map->free = entry;
}

struct fhmap_entry *fhmap_find(const struct fhmap *map, csftp_fh fh)
{
	struct fhmap_entry *entry = map->bucket[bucket_of(fh)];

	while (entry && entry->fh != fh)
		entry = entry->next;
	return entry;
}

void fhmap_remove(struct fhmap *map, csftp_fh fh)
{
	struct fhmap_entry **at = &map->bucket[bucket_of(fh)];

	while (*at && (*at)->fh != fh)
		at = &(*at)->next;
	if (*at) {
		struct fhmap_entry *entry = *at;

		*at = entry->next;
		fhmap_give_back(map, entry);
	}
}
