#include "server/csftpd/penalties.h"

#include <stdlib.h>

struct penalty {
	struct addrs_item item; /* first */
	uint32_t at;		/* in the heap */
	uint64_t ends_ms;
	bool in_force; /* it came to min once; then it stays until its end */
};

static struct penalty *penalty(const struct penalties *penalties,
			       uint32_t number)
{
	return addrs_at(&penalties->addrs, number);
}

static uint64_t ends(const struct penalties *penalties, uint32_t at)
{
	return penalty(penalties, penalties->heap[at])->ends_ms;
}

static void put(struct penalties *penalties, uint32_t at, uint32_t number)
{
	penalties->heap[at] = number;
	penalty(penalties, number)->at = at;
}

static void swap(struct penalties *penalties, uint32_t a, uint32_t b)
{
	uint32_t number = penalties->heap[a];

	put(penalties, a, penalties->heap[b]);
	put(penalties, b, number);
}

static void rise(struct penalties *penalties, uint32_t at)
{
	while (at > 0 && ends(penalties, at) < ends(penalties, (at - 1) / 2)) {
		swap(penalties, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

/* Of the first `count` places. */
static void sink(struct penalties *penalties, uint32_t at, uint32_t count)
{
	for (;;) {
		uint32_t first = at;

		for (uint32_t child = 2 * at + 1;
		     child <= 2 * at + 2 && child < count; child++)
			if (ends(penalties, child) < ends(penalties, first))
				first = child;
		if (first == at)
			return;
		swap(penalties, at, first);
		at = first;
	}
}

/* The one that ends first. */
static void forget_first(struct penalties *penalties)
{
	uint32_t last = penalties->addrs.count - 1;
	uint32_t number = penalties->heap[0];

	put(penalties, 0, penalties->heap[last]);
	addrs_give(&penalties->addrs, number);
	sink(penalties, 0, last);
}

enum csftp_err penalties_init(struct penalties *penalties, uint32_t cap,
			      uint64_t seed)
{
	enum csftp_err err = addrs_init(&penalties->addrs, cap,
					sizeof(struct penalty), seed);

	if (err != CSFTP_OK)
		return err;
	penalties->heap = calloc(cap, sizeof(*penalties->heap));
	return penalties->heap ? CSFTP_OK : CSFTP_ERR_NOMEM;
}

void penalties_release(struct penalties *penalties)
{
	addrs_release(&penalties->addrs);
	free(penalties->heap);
	penalties->heap = NULL;
}

void penalties_clear(struct penalties *penalties)
{
	addrs_clear(&penalties->addrs);
}

void penalties_tidy(struct penalties *penalties, uint64_t now_ms)
{
	while (penalties->addrs.count > 0 && ends(penalties, 0) <= now_ms)
		forget_first(penalties);
}

/* The place for a new one; ADDRS_NONE: there is none to be had. */
static uint32_t begin(struct penalties *penalties,
		      const struct ssh_addr *source, uint64_t now_ms)
{
	struct addrs *addrs = &penalties->addrs;
	uint32_t number;

	if (addrs->count == addrs->cap &&
	    penalties->overflow == SOURCES_PERMISSIVE)
		forget_first(penalties);
	number = addrs_take(addrs, source);
	if (number == ADDRS_NONE)
		return number;
	penalty(penalties, number)->ends_ms = now_ms;
	put(penalties, addrs->count - 1, number);
	rise(penalties, addrs->count - 1);
	return number;
}

void penalties_add(struct penalties *penalties, const struct ssh_addr *source,
		   uint64_t now_ms, uint64_t add_ms)
{
	struct penalty *one;
	uint32_t number;
	uint64_t left;

	penalties_tidy(penalties, now_ms);
	number = addrs_find(&penalties->addrs, source);
	if (number == ADDRS_NONE)
		number = begin(penalties, source, now_ms);
	if (number == ADDRS_NONE)
		return;
	one = penalty(penalties, number);
	left = one->ends_ms - now_ms;
	left = add_ms < penalties->max_ms - left ? left + add_ms
						 : penalties->max_ms;
	one->ends_ms = now_ms + left;
	one->in_force |= left >= penalties->min_ms;
	sink(penalties, one->at, penalties->addrs.count);
}

uint64_t penalties_left(const struct penalties *penalties,
			const struct ssh_addr *source, uint64_t now_ms)
{
	uint32_t number = addrs_find(&penalties->addrs, source);
	const struct penalty *one;

	if (number == ADDRS_NONE)
		return 0;
	one = penalty(penalties, number);
	return one->in_force && one->ends_ms > now_ms ? one->ends_ms - now_ms
						      : 0;
}

bool penalties_deny_all(const struct penalties *penalties)
{
	return penalties->overflow == SOURCES_DENY_ALL &&
	       penalties->addrs.count == penalties->addrs.cap;
}
