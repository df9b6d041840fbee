/* In which order the names of a directory are come to. */
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

/* The regular files, or the directories, in one directory; owns its memory. */
struct plan {
	char *dir; /* without a '/' at the end; "" is the root; NULL: none */
	char *names;
	struct plan_file *file;	       /* by name */
	uint32_t *ranked[PLAN_ORDERS]; /* indexes of file[] */
	uint32_t count;
	uint32_t last; /* index of the one come to last; count: none */
	uint32_t next; /* the first rank that was not considered yet */
	enum plan_order order;
	uint64_t used;	 /* grows with each use of any plan */
	uint32_t looked; /* names that were looked at to make it */
	uint32_t missed; /* names that were not in it since */
	bool listed;	 /* it was made as somebody listed the directory */
};

/*
 * Makes a plan of what is of that type (CSFTP_S_IFREG or CSFTP_S_IFDIR) in a
 * directory that is known whole.  number may be NULL.  A plan of too many names
 * is one of none.
 * False: it is not known whole, is empty, or there is no memory.
 */
bool plan_make(struct plan *plan, struct cache *cache, uint32_t type,
	       const char *dir, size_t dir_len,
	       uint64_t (*number)(void *arg, const char *path), void *arg);

void plan_release(struct plan *plan);

/* The index of a name, or count. */
uint32_t plan_find(const struct plan *plan, const char *name);

/*
 * A name is not in it.  Whether it is time to make it anew: a large one costs
 * as much as many names are worth.
 */
bool plan_missed(struct plan *plan);

/* Whether the one comes right behind the other in that order. */
bool plan_is_next(const struct plan *plan, enum plan_order order,
		  uint32_t first, uint32_t second);

/* The order in which the one comes right behind the other. */
enum plan_order plan_order_of(const struct plan *plan, uint32_t first,
			      uint32_t second);

#endif
