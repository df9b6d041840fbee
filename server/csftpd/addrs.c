#include "server/csftpd/addrs.h"

#include <stdlib.h>
#include <string.h>

static struct addrs_item *item(const struct addrs *addrs, uint32_t number)
{
	return addrs_at(addrs, number);
}

void *addrs_at(const struct addrs *addrs, uint32_t number)
{
	return addrs->items + (size_t)number * addrs->size;
}

/* The next of a row of numbers that look like random ones. */
static uint64_t next_key(uint64_t *seed)
{
	uint64_t key = *seed += 0x9e3779b97f4a7c15U;

	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9U;
	key = (key ^ key >> 27) * 0x94d049bb133111ebU;
	return key ^ key >> 31;
}

/*
 * The upper half of a sum of products: whoever does not know the keys cannot
 * choose two addresses that share a bucket more often than by chance.
 */
static uint32_t bucket_of(const struct addrs *addrs,
			  const struct ssh_addr *addr)
{
	uint64_t sum = addrs->key[4] * addr->bits;

	for (size_t i = 0; i < 4; i++)
		sum += addrs->key[i] * wire_get_u32(addr->bytes + 4 * i);
	return (uint32_t)(sum >> 32) & addrs->mask;
}

enum csftp_err addrs_init(struct addrs *addrs, uint32_t cap, size_t size,
			  uint64_t seed)
{
	uint32_t buckets = 1;

	while (buckets < cap)
		buckets *= 2;
	*addrs = (struct addrs){.size = size, .cap = cap, .mask = buckets - 1};
	for (size_t i = 0; i < ADDRS_KEYS; i++)
		addrs->key[i] = next_key(&seed);
	addrs->items = calloc(cap, size);
	addrs->bucket = calloc(buckets, sizeof(*addrs->bucket));
	if (addrs->items && addrs->bucket)
		return CSFTP_OK;
	addrs_release(addrs);
	return CSFTP_ERR_NOMEM;
}

void addrs_release(struct addrs *addrs)
{
	free(addrs->items);
	free(addrs->bucket);
	*addrs = (struct addrs){.cap = 0};
}

void addrs_clear(struct addrs *addrs)
{
	if (addrs->unused > 0)
		memset(addrs->bucket, 0,
		       sizeof(*addrs->bucket) * ((size_t)addrs->mask + 1));
	addrs->count = 0;
	addrs->unused = 0;
	addrs->free = 0;
}

uint32_t addrs_find(const struct addrs *addrs, const struct ssh_addr *addr)
{
	uint32_t link;

	if (addrs->count == 0)
		return ADDRS_NONE;
	link = addrs->bucket[bucket_of(addrs, addr)];
	while (link > 0 &&
	       !ssh_addr_same(&item(addrs, link - 1)->addr, addr, addr->bits))
		link = item(addrs, link - 1)->link;
	return link > 0 ? link - 1 : ADDRS_NONE;
}

uint32_t addrs_take(struct addrs *addrs, const struct ssh_addr *addr)
{
	struct addrs_item *taken;
	uint32_t *bucket, number;

	if (addrs->count == addrs->cap)
		return ADDRS_NONE;
	if (addrs->free > 0) {
		number = addrs->free - 1;
		addrs->free = item(addrs, number)->link;
	} else {
		number = addrs->unused++;
	}
	taken = item(addrs, number);
	bucket = &addrs->bucket[bucket_of(addrs, addr)];
	memset(taken, 0, addrs->size);
	taken->addr = *addr;
	taken->link = *bucket;
	*bucket = number + 1;
	addrs->count++;
	return number;
}

void addrs_give(struct addrs *addrs, uint32_t number)
{
	struct addrs_item *gone = item(addrs, number);
	uint32_t *link = &addrs->bucket[bucket_of(addrs, &gone->addr)];

	while (*link != number + 1)
		link = &item(addrs, *link - 1)->link;
	*link = gone->link;
	gone->link = addrs->free;
	addrs->free = number + 1;
	addrs->count--;
}
