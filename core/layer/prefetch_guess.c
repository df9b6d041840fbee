#include <stdlib.h>
#include <string.h>

#include "core/layer/prefetch_impl.h"

/*
 * What comes next.  A plan follows the files of one directory; the reader is
 * at the file opened last, and what lies up to a window further is fetched.
 */

#define WINDOW_FIRST 4U
#define WINDOW_MAX   32U
#define WRONG_MAX    16U

static size_t dir_len_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static struct plan *plan_of(struct prefetch *prefetch, const char *dir,
			    size_t len)
{
	for (size_t i = 0; i < PREFETCH_PLANS; i++) {
		struct plan *plan = &prefetch->plans[i];

		if (plan->dir && strlen(plan->dir) == len &&
		    memcmp(plan->dir, dir, len) == 0) {
			plan->used = ++prefetch->plan_uses;
			return plan;
		}
	}
	return NULL;
}

/* In place of the one used longest ago; NULL where that is not possible. */
static struct plan *plan_new(struct prefetch *prefetch, const char *dir,
			     size_t len)
{
	struct plan *plan = &prefetch->plans[0];
	struct plan made;

	if (!plan_make(&made, prefetch->config.cache, dir, len,
		       prefetch->config.number, prefetch->config.arg))
		return NULL;
	for (size_t i = 1; i < PREFETCH_PLANS; i++) {
		if (prefetch->plans[i].used < plan->used)
			plan = &prefetch->plans[i];
	}
	plan_release(plan);
	*plan = made;
	plan->used = ++prefetch->plan_uses;
	plan->order = prefetch->order;
	return plan;
}

/*
 * Fetches up to the window behind the reader, who is before the given rank;
 * in batches, as each by itself would wake up both ends.
 */
static void pump(struct prefetch *prefetch, struct plan *plan, uint32_t rank)
{
	const uint32_t *ranked = plan->ranked[plan->order];
	uint32_t end = plan->count - rank < prefetch->window
			       ? plan->count
			       : rank + prefetch->window;

	if (plan->next < rank)
		plan->next = rank;
	if (plan->next > rank + prefetch->window / 2)
		return;
	while (plan->next < end) {
		const struct plan_file *file = &plan->file[ranked[plan->next]];

		if (!prefetch_fetch(prefetch, plan->dir, file->name))
			return;
		plan->next++;
	}
}

/* The order is known, and the reader is at a file with that rank. */
static void follow(struct prefetch *prefetch, struct plan *plan, uint32_t rank,
		   bool hit)
{
	if (hit && prefetch->window < WINDOW_MAX)
		prefetch->window *= 2;
	/* A jump: what was fetched on the way may not be wanted. */
	if (!hit && rank > plan->next + WINDOW_MAX) {
		prefetch->window = WINDOW_FIRST;
		plan->next = rank + 1;
	}
	pump(prefetch, plan, rank + 1);
}

/* The plan with that name in it, made anew if the name is new. */
static struct plan *plan_with(struct prefetch *prefetch, const char *path,
			      uint32_t *index)
{
	size_t len = dir_len_of(path);
	struct plan *plan = plan_of(prefetch, path, len);

	if (plan) {
		*index = plan_find(plan, path + len + 1);
		if (*index < plan->count)
			return plan;
		plan_release(plan);
	}
	plan = plan_new(prefetch, path, len);
	if (!plan)
		return NULL;
	*index = plan_find(plan, path + len + 1);
	return *index < plan->count ? plan : NULL;
}

/* What came last tells the order; a hit tells that it is the right one. */
static void recognise(struct prefetch *prefetch, struct plan *plan,
		      uint32_t index)
{
	enum plan_order order;

	if (plan->last == plan->count)
		return;
	order = plan_order_of(plan, plan->last, index);
	if (order == PLAN_UNKNOWN || order == plan->order)
		return;
	plan->order = order;
	plan->next = 0;
	prefetch->order = order;
	prefetch->window = WINDOW_FIRST;
}

void prefetch_opened(struct prefetch *prefetch, const char *path, bool hit)
{
	uint32_t index = 0;
	struct plan *plan = plan_with(prefetch, path, &index);

	if (hit)
		prefetch->unused = 0;
	if (!plan)
		return;
	if (!hit)
		recognise(prefetch, plan, index);
	plan->last = index;
	if (plan->order != PLAN_UNKNOWN)
		follow(prefetch, plan, plan->file[index].rank[plan->order],
		       hit);
}

void prefetch_listed(struct prefetch *prefetch, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
	struct plan *plan;

	if (prefetch->order == PLAN_UNKNOWN || plan_of(prefetch, path, len))
		return;
	plan = plan_new(prefetch, path, len);
	if (plan)
		pump(prefetch, plan, 0);
}

void prefetch_wrong(struct prefetch *prefetch)
{
	if (++prefetch->unused < WRONG_MAX)
		return;
	prefetch->unused = 0;
	prefetch->order = PLAN_UNKNOWN;
	prefetch_forget_plans(prefetch);
}

void prefetch_forget_plans(struct prefetch *prefetch)
{
	for (size_t i = 0; i < PREFETCH_PLANS; i++)
		plan_release(&prefetch->plans[i]);
}
