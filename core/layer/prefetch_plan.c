#include "core/layer/prefetch_plan.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX 20000U
#define WORTH	  32U /* names of a plan, that one missing is worth */

/* What cache_each_name() hands over, as it comes. */
struct gathering {
	struct plan *plan;
	size_t names_len;
	size_t names_cap;
	uint32_t cap;
	bool too_many;
	bool failed;
};

static bool room_for(struct gathering *g, size_t len)
{
	struct plan *plan = g->plan;
	void *more;

	if (plan->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 32;
		more = realloc(plan->file, g->cap * sizeof(*plan->file));
		if (!more)
			return false;
		plan->file = more;
	}
	while (g->names_cap - g->names_len < len) {
		g->names_cap = g->names_cap ? g->names_cap * 2 : 1024;
		more = realloc(plan->names, g->names_cap);
		if (!more)
			return false;
		plan->names = more;
	}
	return true;
}

/* Until all have come, the names' places are offsets. */
static bool gather(void *arg, const char *name)
{
	struct gathering *g = arg;
	struct plan *plan = g->plan;
	size_t len = strlen(name) + 1;

	g->too_many = plan->count >= FILES_MAX;
	g->failed = !g->too_many && !room_for(g, len);
	if (g->too_many || g->failed)
		return false;
	memcpy(plan->names + g->names_len, name, len);
	plan->file[plan->count] = (struct plan_file){
		.number = g->names_len,
		.rank = {[PLAN_LISTED] = plan->count},
	};
	g->names_len += len;
	plan->count++;
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct plan_file *x = a;
	const struct plan_file *y = b;

	return strcmp(x->name, y->name);
}

/* file[] is by name from now on; the others are ranked by indexes. */
static void place_names(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->count; i++)
		plan->file[i].name = plan->names + plan->file[i].number;
	qsort(plan->file, plan->count, sizeof(*plan->file), by_name);
	for (uint32_t i = 0; i < plan->count; i++)
		plan->file[i].rank[PLAN_BY_NAME] = i;
}

static void place_numbers(struct plan *plan,
			  uint64_t (*number)(void *arg, const char *path),
			  void *arg)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t dir_len = strlen(plan->dir);

	memcpy(path, plan->dir, dir_len);
	path[dir_len++] = '/';
	for (uint32_t i = 0; i < plan->count; i++) {
		struct plan_file *file = &plan->file[i];
		size_t len = strlen(file->name) + 1;

		file->number = 0;
		if (!number || dir_len + len > sizeof(path))
			continue;
		memcpy(path + dir_len, file->name, len);
		file->number = number(arg, path);
	}
}

struct numbered {
	uint64_t number;
	uint32_t index;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a;
	const struct numbered *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static bool rank_numbers(struct plan *plan)
{
	struct numbered *sorted = calloc(plan->count, sizeof(*sorted));

	if (!sorted)
		return false;
	for (uint32_t i = 0; i < plan->count; i++)
		sorted[i] = (struct numbered){plan->file[i].number, i};
	qsort(sorted, plan->count, sizeof(*sorted), by_number);
	for (uint32_t i = 0; i < plan->count; i++)
		plan->file[sorted[i].index].rank[PLAN_BY_NUMBER] = i;
	free(sorted);
	return true;
}

static bool rank_all(struct plan *plan)
{
	size_t count = plan->count;
	uint32_t *room = calloc(count * PLAN_ORDERS, sizeof(*room));

	if (!room)
		return false;
	for (size_t order = 0; order < PLAN_ORDERS; order++) {
		plan->ranked[order] = room + order * count;
		for (uint32_t i = 0; i < plan->count; i++)
			plan->ranked[order][plan->file[i].rank[order]] = i;
	}
	return true;
}

/* The names are there: ranks them. */
static bool rank(struct plan *plan,
		 uint64_t (*number)(void *arg, const char *path), void *arg)
{
	place_names(plan);
	place_numbers(plan, number, arg);
	plan->last = plan->count;
	return rank_numbers(plan) && rank_all(plan);
}

static void forget_files(struct plan *plan)
{
	free(plan->names);
	free(plan->file);
	plan->names = NULL;
	plan->file = NULL;
	plan->count = 0;
}

bool plan_make(struct plan *plan, struct cache *cache, uint32_t type,
	       const char *dir, size_t dir_len,
	       uint64_t (*number)(void *arg, const char *path), void *arg)
{
	struct gathering g = {.plan = plan};

	*plan = (struct plan){.order = PLAN_UNKNOWN};
	plan->dir = malloc(dir_len + 1);
	if (!plan->dir)
		return false;
	memcpy(plan->dir, dir, dir_len);
	plan->dir[dir_len] = '\0';
	plan->looked = cache_each_name(cache, dir_len ? plan->dir : "/", type,
				       gather, &g);
	if (g.too_many)
		forget_files(plan);
	if (plan->looked == 0 || g.failed ||
	    (plan->count > 0 && !rank(plan, number, arg))) {
		plan_release(plan);
		return false;
	}
	return true;
}

void plan_release(struct plan *plan)
{
	free(plan->dir);
	free(plan->names);
	free(plan->file);
	free(plan->ranked[0]);
	*plan = (struct plan){.order = PLAN_UNKNOWN};
}

uint32_t plan_find(const struct plan *plan, const char *name)
{
	uint32_t low = 0;
	uint32_t high = plan->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(plan->file[middle].name, name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return plan->count;
}

bool plan_missed(struct plan *plan)
{
	return ++plan->missed >= plan->looked / WORTH;
}

bool plan_is_next(const struct plan *plan, enum plan_order order,
		  uint32_t first, uint32_t second)
{
	return order < PLAN_ORDERS && plan->file[first].rank[order] + 1 ==
					      plan->file[second].rank[order];
}

enum plan_order plan_order_of(const struct plan *plan, uint32_t first,
			      uint32_t second)
{
	enum plan_order order = PLAN_LISTED;

	while (order < PLAN_UNKNOWN &&
	       !plan_is_next(plan, order, first, second))
		order++;
	return order;
}
