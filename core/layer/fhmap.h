/* What a layer knows of the handles of the file system below it. */
#ifndef CSFTP_CORE_LAYER_FHMAP_H
#define CSFTP_CORE_LAYER_FHMAP_H

#include <stddef.h>

#include "csftp/fs.h"

/*
 * Entries are found by the handle.  The layer's own begin with a struct
 * fhmap_entry; they are kept for reuse, with what the layer left in them, so
 * that nothing is allocated once as many were in use as are open at a time.
 * One thread.
 */
struct fhmap_entry {
	csftp_fh fh;
	struct fhmap_entry *next;
};

#define FHMAP_BUCKETS 256U /* a power of two: handles are a thousand or so */

struct fhmap {
	struct fhmap_entry *bucket[FHMAP_BUCKETS];
	struct fhmap_entry *free;
	size_t entry_size;
};

/* Zeros but for entry_size are an empty map.  drop frees what entries own. */
void fhmap_release(struct fhmap *map, void (*drop)(struct fhmap_entry *entry));

/*
 * An entry that is not in the map yet, to be had before a handle is opened;
 * zeros when it is new.  NULL: no memory.  Then one of the next two.
 */
struct fhmap_entry *fhmap_take(struct fhmap *map);
void fhmap_put(struct fhmap *map, struct fhmap_entry *entry, csftp_fh fh);
void fhmap_give_back(struct fhmap *map, struct fhmap_entry *entry);

/* NULL where there is none. */
struct fhmap_entry *fhmap_find(const struct fhmap *map, csftp_fh fh);

/* Out of the map and given back; nothing where there is none. */
void fhmap_remove(struct fhmap *map, csftp_fh fh);

#endif
