#include <stdlib.h>
#include <string.h>

#include "core/layer/ahead_impl.h"

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

static struct plan *plan_of(struct ahead *ahead, const char *dir, size_t len)
{
	for (size_t i = 0; i < AHEAD_PLANS; i++) {
		struct plan *plan = &ahead->plans[i];

		if (plan->dir && strlen(plan->dir) == len &&
		    memcmp(plan->dir, dir, len) == 0) {
			plan->used = ++ahead->plan_uses;
			return plan;
		}
	}
	return NULL;
}

/* In place of the one used longest ago; NULL where that is not possible. */
static struct plan *plan_new(struct ahead *ahead, const char *dir, size_t len)
{
	struct plan *plan = &ahead->plans[0];
	struct plan made;

	if (!plan_make(&made, ahead->config.cache, dir, len,
		       ahead->config.number, ahead->config.arg))
		return NULL;
	for (size_t i = 1; i < AHEAD_PLANS; i++) {
		if (ahead->plans[i].used < plan->used)
			plan = &ahead->plans[i];
	}
	plan_release(plan);
	*plan = made;
	plan->used = ++ahead->plan_uses;
	plan->order = ahead->order;
	return plan;
}

/*
 * Fetches up to the window behind the reader, who is before the given rank;
 * in batches, as each by itself would wake up both ends.
 */
static void pump(struct ahead *ahead, struct plan *plan, uint32_t rank)
{
	const uint32_t *ranked = plan->ranked[plan->order];
	uint32_t end = plan->count - rank < ahead->window
			       ? plan->count
			       : rank + ahead->window;

	if (plan->next < rank)
		plan->next = rank;
	if (plan->next > rank + ahead->window / 2)
		return;
	while (plan->next < end) {
		const struct plan_file *file = &plan->file[ranked[plan->next]];

		if (!ahead_fetch(ahead, plan->dir, file->name))
			return;
		plan->next++;
	}
}

/* The order is known, and the reader is at a file with that rank. */
static void follow(struct ahead *ahead, struct plan *plan, uint32_t rank,
		   bool hit)
{
	if (hit && ahead->window < WINDOW_MAX)
		ahead->window *= 2;
	/* A jump: what was fetched on the way may not be wanted. */
	if (!hit && rank > plan->next + WINDOW_MAX) {
		ahead->window = WINDOW_FIRST;
		plan->next = rank + 1;
	}
	pump(ahead, plan, rank + 1);
}

/* The plan with that name in it, made anew if the name is new. */
static struct plan *plan_with(struct ahead *ahead, const char *path,
			      uint32_t *index)
{
	size_t len = dir_len_of(path);
	struct plan *plan = plan_of(ahead, path, len);

	if (plan) {
		*index = plan_find(plan, path + len + 1);
		if (*index < plan->count)
			return plan;
		plan_release(plan);
	}
	plan = plan_new(ahead, path, len);
	if (!plan)
		return NULL;
	*index = plan_find(plan, path + len + 1);
	return *index < plan->count ? plan : NULL;
}

/* What came last tells the order; a hit tells that it is the right one. */
static void recognise(struct ahead *ahead, struct plan *plan, uint32_t index)
{
	enum plan_order order;

	if (plan->last == plan->count)
		return;
	order = plan_order_of(plan, plan->last, index);
	if (order == PLAN_UNKNOWN || order == plan->order)
		return;
	plan->order = order;
	plan->next = 0;
	ahead->order = order;
	ahead->window = WINDOW_FIRST;
}

void ahead_opened(struct ahead *ahead, const char *path, bool hit)
{
	uint32_t index = 0;
	struct plan *plan = plan_with(ahead, path, &index);

	if (hit)
		ahead->unused = 0;
	if (!plan)
		return;
	if (!hit)
		recognise(ahead, plan, index);
	plan->last = index;
	if (plan->order != PLAN_UNKNOWN)
		follow(ahead, plan, plan->file[index].rank[plan->order], hit);
}

void ahead_listed(struct ahead *ahead, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
	struct plan *plan;

	if (ahead->order == PLAN_UNKNOWN || plan_of(ahead, path, len))
		return;
	plan = plan_new(ahead, path, len);
	if (plan)
		pump(ahead, plan, 0);
}

void ahead_wrong(struct ahead *ahead)
{
	if (++ahead->unused < WRONG_MAX)
		return;
	ahead->unused = 0;
	ahead->order = PLAN_UNKNOWN;
	ahead_forget_plans(ahead);
}

void ahead_forget_plans(struct ahead *ahead)
{
	for (size_t i = 0; i < AHEAD_PLANS; i++)
		plan_release(&ahead->plans[i]);
}
