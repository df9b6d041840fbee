/* Pools: so many objects of one size, and no more. */
#ifndef CSFTP_SERVER_CSFTPD_POOL_H
#define CSFTP_SERVER_CSFTPD_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The memory is reserved when the pool is opened and costs nothing before an
 * object is used for the first time; the one that came back last goes out
 * first, so a pool grows to what was in use at once.  A pool that is empty
 * says so: what wants an object has to wait, or be refused.
 *
 * One thread gets and puts.  Any thread may read the counters.
 */
struct pool {
	const char *name;
	uint8_t *base;
	size_t size; /* of an object, a multiple of 64 */
	size_t count;
	size_t fresh; /* from here on they were never used */
	void *free;   /* the first; each points at the next */
	_Atomic uint64_t acquired;
	_Atomic uint64_t released;
	_Atomic uint64_t refused; /* asked for while there was none */
	_Atomic uint64_t peak;	  /* in use at once */
};

/* False: no memory.  name is static. */
bool pool_open(struct pool *pool, const char *name, size_t size, size_t count);

/* Whether all objects have come back; what was open is closed in any case. */
bool pool_close(struct pool *pool);

/* NULL: there is none now.  What is in it is what was in it. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);

/* Whether there is one now. */
static inline bool pool_has(const struct pool *pool)
{
	return pool->free || pool->fresh < pool->count;
}

static inline uint64_t pool_used(const struct pool *pool)
{
	return atomic_load_explicit(&pool->acquired, memory_order_relaxed) -
	       atomic_load_explicit(&pool->released, memory_order_relaxed);
}

#endif
