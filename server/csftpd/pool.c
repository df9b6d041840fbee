#include "server/csftpd/pool.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

bool pool_open(struct pool *pool, const char *name, size_t size, size_t count)
{
	void *base;

	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	*pool = (struct pool){.name = name, .size = size, .count = count};
	if (__builtin_mul_overflow(size, count, &size) || size == 0)
		return false;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return false;
	/* A huge page for one object would not be cheap. */
	(void)madvise(base, size, MADV_NOHUGEPAGE);
	pool->base = base;
	return true;
}

bool pool_close(struct pool *pool)
{
	bool even = pool_used(pool) == 0;

	if (pool->base)
		(void)munmap(pool->base, pool->size * pool->count);
	pool->base = NULL;
	pool->count = 0;
	return even;
}

static void count(_Atomic uint64_t *counter)
{
	/* One thread writes: no need to lock the bus for it. */
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

void *pool_get(struct pool *pool)
{
	void *object = pool->free;

	if (object) {
		memcpy(&pool->free, object, sizeof(pool->free));
	} else if (pool->fresh < pool->count) {
		object = pool->base + pool->size * pool->fresh++;
	} else {
		count(&pool->refused);
		return NULL;
	}
	count(&pool->acquired);
	if (pool_used(pool) >
	    atomic_load_explicit(&pool->peak, memory_order_relaxed))
		count(&pool->peak);
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	size_t offset = (size_t)((uint8_t *)object - pool->base);

	assert(offset < pool->size * pool->count && offset % pool->size == 0);
	memcpy(object, &pool->free, sizeof(pool->free));
	pool->free = object;
	count(&pool->released);
}
