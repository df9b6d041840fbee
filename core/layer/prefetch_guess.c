#include <string.h>

#include "core/layer/prefetch_impl.h"

/*
 * What comes next.  A plan follows the files of one directory; the reader is
 * at the file opened last, and what lies up to a window further is fetched.
 */

#define WINDOW_FIRST 4U
#define WINDOW_MAX   32U
#define WRONG_MAX    16U
#define STEPS	     2U
#define DIRS_MAX     32U /* that are looked at behind the reader's */
#define LISTED_MAX   4U	 /* and none of their files opened */

static size_t dir_len_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* Plans of one kind, and the order in which such names were read. */
struct shelf {
	struct plan *plans;
	size_t max;
	uint32_t type; /* of what they name */
	enum plan_order order;
};

static struct shelf files_of(struct prefetch *prefetch)
{
	return (struct shelf){prefetch->plans, PREFETCH_PLANS, CSFTP_S_IFREG,
			      prefetch->order};
}

static struct shelf dirs_of(struct prefetch *prefetch)
{
	return (struct shelf){prefetch->besides, PREFETCH_BESIDES,
			      CSFTP_S_IFDIR, prefetch->dirs_order};
}

static struct plan *plan_of(struct prefetch *prefetch, struct shelf shelf,
			    const char *dir, size_t len)
{
	for (size_t i = 0; i < shelf.max; i++) {
		struct plan *plan = &shelf.plans[i];

		if (plan->dir && strlen(plan->dir) == len &&
		    memcmp(plan->dir, dir, len) == 0) {
			plan->used = ++prefetch->plan_uses;
			return plan;
		}
	}
	return NULL;
}

uint64_t prefetch_planned(const struct prefetch *prefetch)
{
	uint64_t names = 0;

	for (size_t i = 0; i < PREFETCH_BESIDES; i++)
		names += prefetch->besides[i].count;
	for (size_t i = 0; i < PREFETCH_PLANS; i++)
		names += prefetch->plans[i].count;
	return names;
}

/* NULL: there is none. */
static struct plan *used_longest_ago(struct shelf shelf)
{
	struct plan *oldest = NULL;

	for (size_t i = 0; i < shelf.max; i++) {
		struct plan *plan = &shelf.plans[i];

		if (plan->dir && (!oldest || plan->used < oldest->used))
			oldest = plan;
	}
	return oldest;
}

/* A place for a plan of so many names: those used longest ago make room. */
static struct plan *make_room(struct prefetch *prefetch, struct shelf shelf,
			      uint32_t names)
{
	struct plan *plan = used_longest_ago(shelf);

	while (plan && prefetch_planned(prefetch) + names >
			       prefetch->config.names_max) {
		plan_release(plan);
		plan = used_longest_ago(shelf);
	}
	for (size_t i = 0; i < shelf.max; i++) {
		if (!shelf.plans[i].dir)
			return &shelf.plans[i];
	}
	plan_release(plan);
	return plan;
}

/* NULL where that is not possible. */
static struct plan *plan_new(struct prefetch *prefetch, struct shelf shelf,
			     const char *dir, size_t len)
{
	struct plan *plan;
	struct plan made;

	if (!plan_make(&made, prefetch->config.cache, shelf.type, dir, len,
		       prefetch->config.number, prefetch->config.arg))
		return NULL;
	prefetch->counts.looked += made.looked;
	plan = make_room(prefetch, shelf, made.count);
	*plan = made;
	plan->used = ++prefetch->plan_uses;
	plan->order = shelf.order;
	return plan;
}

/* The plan with that name in it, made anew if enough names are new; or NULL. */
static struct plan *plan_with(struct prefetch *prefetch, struct shelf shelf,
			      const char *path, uint32_t *index)
{
	size_t len = dir_len_of(path);
	const char *name = path + len + 1;
	struct plan *plan = plan_of(prefetch, shelf, path, len);

	if (plan) {
		*index = plan_find(plan, name);
		if (*index < plan->count)
			return plan;
		if (!plan_missed(plan))
			return NULL;
		plan_release(plan);
	}
	plan = plan_new(prefetch, shelf, path, len);
	if (!plan)
		return NULL;
	*index = plan_find(plan, name);
	return *index < plan->count ? plan : NULL;
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

/* Fetches files of a directory that the reader will come to. */
static bool pump_dir(struct prefetch *prefetch, const char *dir)
{
	size_t len = strlen(dir);
	struct plan *plan = plan_of(prefetch, files_of(prefetch), dir, len);
	enum plan_order order;

	if (!plan)
		plan = plan_new(prefetch, files_of(prefetch), dir, len);
	if (!plan)
		return true;
	order = plan->order == PLAN_UNKNOWN ? PLAN_LISTED : plan->order;
	while (plan->next < plan->count &&
	       prefetch->waiting < prefetch->window) {
		uint32_t index = plan->ranked[order][plan->next];

		if (!prefetch_fetch(prefetch, plan->dir,
				    plan->file[index].name))
			return false;
		plan->next++;
	}
	return prefetch->waiting < prefetch->window;
}

/*
 * What the reader's own directory leaves of the window is for those that come
 * behind it.
 */
static void pump_beside(struct prefetch *prefetch, const struct plan *plan)
{
	const struct plan *beside = prefetch->beside;
	char path[CSFTP_PATH_MAX + 1];
	size_t len;
	uint32_t rank;

	if (!beside || beside->last >= beside->count ||
	    prefetch->dirs_order == PLAN_UNKNOWN ||
	    beside->order != prefetch->dirs_order || plan->next < plan->count ||
	    prefetch->waiting > prefetch->window / 2)
		return;
	len = strlen(beside->dir);
	memcpy(path, beside->dir, len);
	path[len++] = '/';
	rank = beside->file[beside->last].rank[beside->order] + 1;
	for (uint32_t i = 0; i < DIRS_MAX && rank + i < beside->count; i++) {
		uint32_t index = beside->ranked[beside->order][rank + i];
		const char *name = beside->file[index].name;

		if (len + strlen(name) > CSFTP_PATH_MAX)
			return;
		memcpy(path + len, name, strlen(name) + 1);
		if (!pump_dir(prefetch, path))
			return;
	}
}

/*
 * From the last directory to that one: what order is that?  Of many directories
 * two are next to each other by chance in one of the orders: it takes two
 * steps.
 */
static void step_beside(struct prefetch *prefetch, uint32_t index)
{
	struct plan *beside = prefetch->beside;
	enum plan_order order;

	if (plan_is_next(beside, beside->order, beside->last, index)) {
		prefetch->steps++;
	} else {
		order = plan_order_of(beside, beside->last, index);
		prefetch->steps = order == PLAN_UNKNOWN ? 0 : 1;
		if (order != PLAN_UNKNOWN)
			beside->order = order;
	}
	if (prefetch->steps < STEPS)
		return;
	prefetch->dirs_order = beside->order;
	if (prefetch->window == 0)
		prefetch->window = WINDOW_FIRST;
}

/* The reader is at a file of this directory. */
static void enter(struct prefetch *prefetch, const char *dir)
{
	struct plan *beside = NULL;
	uint32_t index = 0;

	if (*dir)
		beside = plan_with(prefetch, dirs_of(prefetch), dir, &index);
	prefetch->beside = beside;
	if (!beside)
		return;
	if (beside->last < beside->count && beside->last != index)
		step_beside(prefetch, index);
	beside->last = index;
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
	if (plan->order != PLAN_UNKNOWN)
		pump(prefetch, plan, rank + 1);
	else
		plan->next = plan->count;
	pump_beside(prefetch, plan);
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
	struct plan *plan =
		plan_with(prefetch, files_of(prefetch), path, &index);

	if (hit)
		prefetch->unused = 0;
	if (!plan)
		return;
	if (plan->listed)
		prefetch->listed = 0;
	if (!hit)
		recognise(prefetch, plan, index);
	plan->last = index;
	enter(prefetch, plan->dir);
	if (plan->order != PLAN_UNKNOWN)
		follow(prefetch, plan, plan->file[index].rank[plan->order],
		       hit);
	else if (plan->count == 1)
		follow(prefetch, plan, 0, hit);
}

void prefetch_listed(struct prefetch *prefetch, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
	struct plan *plan;

	if (prefetch->order == PLAN_UNKNOWN ||
	    plan_of(prefetch, files_of(prefetch), path, len))
		return;
	plan = plan_new(prefetch, files_of(prefetch), path, len);
	if (!plan || plan->count == 0)
		return;
	plan->listed = true;
	if (prefetch->listed++ < LISTED_MAX)
		pump(prefetch, plan, 0);
}

void prefetch_wrong(struct prefetch *prefetch)
{
	if (++prefetch->unused < WRONG_MAX)
		return;
	prefetch->unused = 0;
	prefetch->order = PLAN_UNKNOWN;
	prefetch->dirs_order = PLAN_UNKNOWN;
	prefetch_forget_plans(prefetch);
}

void prefetch_forget_plans(struct prefetch *prefetch)
{
	for (size_t i = 0; i < PREFETCH_PLANS; i++)
		plan_release(&prefetch->plans[i]);
	for (size_t i = 0; i < PREFETCH_BESIDES; i++)
		plan_release(&prefetch->besides[i]);
	prefetch->beside = NULL;
}
