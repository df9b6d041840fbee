/* Things found by an address, in memory of a fixed size. */
#ifndef CSFTP_SERVER_CSFTPD_ADDRS_H
#define CSFTP_SERVER_CSFTPD_ADDRS_H

#include <stddef.h>
#include <stdint.h>

#include "core/ssh/match.h"
#include "csftp/err.h"

/* No item. */
#define ADDRS_NONE UINT32_MAX

/* Of the hash: one for each 32 bits of an address, one for their number. */
#define ADDRS_KEYS 5

/* What an item begins with. */
struct addrs_item {
	struct ssh_addr addr;
	uint32_t link; /* in its bucket, or among the free ones */
};

/*
 * Items are told by their number; they do not move.  A link is the number of
 * an item and one, or 0: so memory that was never used is never touched.
 */
struct addrs {
	uint8_t *items; /* zeroed when they are taken, but for the address */
	size_t size;	/* of one */
	uint32_t cap;
	uint32_t count;
	uint32_t unused; /* items from here on were never taken */
	uint32_t free;	 /* a link, as those of the buckets */
	uint32_t *bucket;
	uint32_t mask; /* buckets less one */
	uint64_t key[ADDRS_KEYS];
};

/* cap below 2^31.  CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err addrs_init(struct addrs *addrs, uint32_t cap,
					   size_t size, uint64_t seed);

/* All zero is fine. */
void addrs_release(struct addrs *addrs);
void addrs_clear(struct addrs *addrs);

void *addrs_at(const struct addrs *addrs, uint32_t number);

/* ADDRS_NONE: it is not there. */
uint32_t addrs_find(const struct addrs *addrs, const struct ssh_addr *addr);

/* One that is not there yet; ADDRS_NONE: all are taken. */
uint32_t addrs_take(struct addrs *addrs, const struct ssh_addr *addr);
void addrs_give(struct addrs *addrs, uint32_t number);

#endif
