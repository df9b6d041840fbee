/* In which order the files of a directory are opened. */
#ifndef CSFTP_CORE_LAYER_PREFETCH_PLAN_H
#define CSFTP_CORE_LAYER_PREFETCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/layer/cache.h"

enum plan_order {
	PLAN_LISTED,
	PLAN_BY_NAME,
	PLAN_BY_NUMBER,
	PLAN_ORDERS,
	PLAN_UNKNOWN = PLAN_ORDERS
};

struct plan_file {
	const char *name;
	uint64_t number;
	uint32_t rank[PLAN_ORDERS];
};

/* The regular files of one directory.  Owns its memory. */
struct plan {
	char *dir; /* without a '/' at the end; "" is the root; NULL: none */
	char *names;
	struct plan_file *file;	       /* by name */
	uint32_t *ranked[PLAN_ORDERS]; /* indexes of file[] */
	uint32_t count;
	uint32_t last; /* index of the file opened last; count: none */
	uint32_t next; /* the first rank that was not considered yet */
	enum plan_order order;
	uint64_t used; /* grows with each use of any plan */
};

/*
 * Makes a plan of a directory that is known whole.  number may be NULL.
 * False: it is not known whole, has too many files, or there is no memory.
 */
bool plan_make(struct plan *plan, struct cache *cache, const char *dir,
	       size_t dir_len, uint64_t (*number)(void *arg, const char *path),
	       void *arg);

void plan_release(struct plan *plan);

/* The index of a name, or count. */
uint32_t plan_find(const struct plan *plan, const char *name);

/* The order in which the one comes right behind the other. */
enum plan_order plan_order_of(const struct plan *plan, uint32_t first,
			      uint32_t second);

#endif
