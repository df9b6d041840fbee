/*
 * Large blocks of memory are kept for the next run of a fuzz target: to have
 * them from the kernel and to give them back is most of what a run costs.  Only
 * a block of exactly the same length is given out again, and it is poisoned in
 * between, so AddressSanitizer finds what it finds elsewhere.
 */
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <stdlib.h>

#define LARGE  (64U * 1024U)
#define BLOCKS 16U

void *__real_malloc(size_t len);
void __real_free(void *block);
void *__wrap_malloc(size_t len);
void __wrap_free(void *block);

static struct block {
	void *at;
	size_t len;
	int used;
} blocks[BLOCKS];

static struct block *find(const void *at, size_t len)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (at ? blocks[i].at == at
		       : (!blocks[i].used && blocks[i].len == len))
			return &blocks[i];
	return NULL;
}

void *__wrap_malloc(size_t len)
{
	struct block *block;

	if (len < LARGE)
		return __real_malloc(len);
	block = find(NULL, len);
	if (block) {
		ASAN_UNPOISON_MEMORY_REGION(block->at, len);
	} else {
		block = find(NULL, 0);
		if (!block)
			return __real_malloc(len);
		block->at = __real_malloc(len);
		block->len = block->at ? len : 0;
	}
	block->used = block->at != NULL;
	return block->at;
}

void __wrap_free(void *at)
{
	struct block *block = at ? find(at, 0) : NULL;

	if (!block) {
		__real_free(at);
		return;
	}
	if (!block->used)
		abort();
	block->used = 0;
	ASAN_POISON_MEMORY_REGION(at, block->len);
}
