#include "fusefs/locked.h"

#include <string.h>
#include <sys/mman.h>

uint8_t *locked_new(size_t size)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* None of it is worth to do without the key. */
	(void)mlock(memory, size);
	(void)madvise(memory, size, MADV_DONTDUMP);
	(void)madvise(memory, size, MADV_WIPEONFORK);
	return memory;
}

void locked_free(uint8_t *memory, size_t size)
{
	if (!memory)
		return;
	explicit_bzero(memory, size);
	(void)munmap(memory, size);
}
