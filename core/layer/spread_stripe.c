#include <stdlib.h>
#include <string.h>

#include "core/layer/spread_impl.h"

/*
 * A file on several lanes
 *
 * A large file whose lane is full is opened on the others, too, by its path.
 * That is a leg.  As nobody but the path says that it is the same file, size
 * and times are compared before the leg is used, and while nothing is written.
 */

enum leg_state {
	LEG_NONE,
	LEG_OPENING,
	LEG_OPENED,  /* not known yet to be the same file */
	LEG_OPEN,    /* can be used */
	LEG_STALE,   /* was, and leads to another file now */
	LEG_CLOSING, /* nobody is told of its error */
	LEG_ENDING   /* closed with the file */
};

struct leg {
	struct csftp_req req; /* first: what is asked for its own sake */
	struct stripe *stripe;
	enum leg_state state;
	csftp_fh fh;
	uint32_t jobs;		/* READs, WRITEs and others of the file */
	struct csftp_attr attr; /* mask 0: not known */
};

struct stripe {
	struct spread *spread;
	struct handle *handle;
	char *path;   /* by which the legs were opened */
	uint32_t out; /* requests for their own sake */
	bool quiet;   /* what is asked waits until the legs are compared */
	bool comparing;
	struct spread_job *closing; /* answered when all legs are closed */
	int err;		    /* ... with that */
	struct leg leg[SPREAD_LANES_MAX]; /* by lane */
};

/* Where what is not READ or WRITE goes: where it was opened, if it can. */
static uint32_t stripe_base(const struct handle *handle)
{
	const struct stripe *stripe = handle->stripe;
	uint32_t lane = handle->lane;

	if (stripe->leg[lane].state == LEG_OPEN)
		return lane;
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		if (stripe->leg[i].state == LEG_OPEN)
			return i;
	}
	return lane;
}

csftp_fh stripe_fh(const struct handle *handle, uint32_t lane)
{
	return handle->stripe->leg[lane].fh;
}

void stripe_free(struct handle *handle)
{
	if (!handle->stripe)
		return;
	free(handle->stripe->path);
	free(handle->stripe);
	handle->stripe = NULL;
}

static void ask(struct stripe *stripe, uint32_t lane, struct csftp_req req,
		void (*then)(struct csftp_req *, const struct csftp_reply *))
{
	struct leg *leg = &stripe->leg[lane];

	leg->req = req;
	leg->req.done = then;
	stripe->out++;
	csftp_submit(stripe->spread->lane[lane].fs, &leg->req);
}

/*
 * The end of it
 */

/* When the last of its own requests is answered. */
static void settle(struct stripe *stripe)
{
	struct spread_job *job = stripe->closing;
	struct spread *spread = stripe->spread;

	if (stripe->out > 0)
		return;
	if (job) {
		stripe->closing = NULL;
		spread_finish(job, &(struct csftp_reply){.err = stripe->err});
	} else {
		spread_retry(spread);
	}
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct leg *leg = (struct leg *)req;
	struct stripe *stripe = leg->stripe;

	if (leg->state == LEG_ENDING && !stripe->err)
		stripe->err = reply->err;
	leg->state = LEG_NONE;
	stripe->out--;
	settle(stripe);
}

static void close_leg(struct stripe *stripe, uint32_t lane,
		      enum leg_state state)
{
	stripe->leg[lane].state = state;
	ask(stripe, lane,
	    (struct csftp_req){
		    .op = CSFTP_OP_CLOSE,
		    .fh = stripe->leg[lane].fh,
	    },
	    closed);
}

void stripe_hurry(struct handle *handle)
{
	struct stripe *stripe = handle->stripe;
	struct spread *spread = stripe->spread;
	csftp_fh number = handle->number;

	for (uint32_t i = 0; i < spread->lanes; i++) {
		/* The last answer can close the file, and so be its end. */
		if (!spread_has(spread, number))
			return;
		if (stripe->leg[i].state == LEG_OPENING)
			csftp_cancel(spread->lane[i].fs, &stripe->leg[i].req);
	}
}

void stripe_close(struct handle *handle, uint32_t lane)
{
	struct stripe *stripe = handle->stripe;

	stripe->err = 0;
	/* One more, so that nothing ends before all were asked. */
	stripe->out++;
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		if (i == lane)
			continue;
		if (stripe->leg[i].state == LEG_OPEN)
			close_leg(stripe, i, LEG_ENDING);
		else if (stripe->leg[i].state == LEG_STALE)
			close_leg(stripe, i, LEG_CLOSING);
	}
	stripe->out--;
}

bool stripe_keep_close(struct handle *handle, struct spread_job *job, int err)
{
	struct stripe *stripe = handle->stripe;

	if (!stripe)
		return false;
	if (err && !stripe->err)
		stripe->err = err;
	stripe->closing = job;
	settle(stripe);
	return true;
}

/*
 * Opening and comparing
 */

static bool same(const struct csftp_attr *a, const struct csftp_attr *b)
{
	const uint32_t need = CSFTP_ATTR_SIZE | CSFTP_ATTR_MTIME;

	return (a->mask & b->mask & need) == need && a->mask == b->mask &&
	       a->size == b->size && a->mtime.sec == b->mtime.sec &&
	       a->mtime.nsec == b->mtime.nsec && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid;
}

/* All have said what they are: those that are the same file are of use. */
static void compare(struct stripe *stripe)
{
	const struct csftp_attr *attr =
		&stripe->leg[stripe_base(stripe->handle)].attr;

	stripe->quiet = false;
	stripe->comparing = false;
	stripe->out++;
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		struct leg *leg = &stripe->leg[i];

		if (leg->state != LEG_OPENED)
			continue;
		if (same(&leg->attr, attr))
			leg->state = LEG_OPEN;
		else
			close_leg(stripe, i, LEG_CLOSING);
	}
	stripe->out--;
	settle(stripe);
}

static void saw(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct leg *leg = (struct leg *)req;
	struct stripe *stripe = leg->stripe;

	leg->attr = reply->err || !reply->attr ? (struct csftp_attr){0}
					       : *reply->attr;
	if (--stripe->out == 0)
		compare(stripe);
}

static void look(struct stripe *stripe)
{
	uint32_t base = stripe_base(stripe->handle);

	stripe->comparing = true;
	stripe->out++;
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		if (i == base || stripe->leg[i].state == LEG_OPENED)
			ask(stripe, i,
			    (struct csftp_req){
				    .op = CSFTP_OP_GETATTR,
				    .fh = stripe->leg[i].fh,
			    },
			    saw);
	}
	if (--stripe->out == 0)
		compare(stripe);
}

static bool is_idle(const struct stripe *stripe)
{
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		if (stripe->leg[i].jobs > 0)
			return false;
	}
	return true;
}

/* The path may have come to lead elsewhere meanwhile, by ourselves. */
static bool is_there(const struct stripe *stripe)
{
	const struct handle *handle = stripe->handle;

	return handle->path && !strcmp(handle->path, stripe->path) &&
	       spread_lane_of_path(stripe->spread, handle->path, handle) == ANY;
}

/* All of them are open, or are not. */
static void begin_look(struct stripe *stripe)
{
	bool any = false;

	stripe->out++;
	for (uint32_t i = 0; i < stripe->spread->lanes; i++) {
		if (stripe->leg[i].state != LEG_OPENED)
			continue;
		if (is_there(stripe))
			any = true;
		else
			close_leg(stripe, i, LEG_CLOSING);
	}
	stripe->out--;
	if (!any) {
		settle(stripe);
		return;
	}
	stripe->quiet = stripe->handle->flags & CSFTP_OPEN_WRITE;
	if (!stripe->quiet || is_idle(stripe))
		look(stripe);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct leg *leg = (struct leg *)req;
	struct stripe *stripe = leg->stripe;

	leg->fh = reply->fh;
	leg->state = reply->err ? LEG_NONE : LEG_OPENED;
	if (--stripe->out == 0)
		begin_look(stripe);
}

static void open_legs(struct stripe *stripe)
{
	const struct spread *spread = stripe->spread;
	const uint32_t kept = CSFTP_OPEN_READ | CSFTP_OPEN_WRITE;

	stripe->out++;
	for (uint32_t i = 1; i < spread->lanes; i++) {
		if (stripe->leg[i].state != LEG_NONE)
			continue;
		stripe->leg[i].state = LEG_OPENING;
		ask(stripe, i,
		    (struct csftp_req){
			    .op = CSFTP_OP_OPEN,
			    .flags = stripe->handle->flags & kept,
			    .path = stripe->path,
		    },
		    opened);
	}
	if (--stripe->out == 0)
		begin_look(stripe);
}

/* NULL: no memory. */
static struct stripe *stripe_of(struct spread *spread, struct handle *handle)
{
	struct stripe *stripe = handle->stripe;
	char *path = malloc(strlen(handle->path) + 1);

	if (!path)
		return NULL;
	memcpy(path, handle->path, strlen(handle->path) + 1);
	if (!stripe)
		stripe = calloc(1, sizeof(*stripe));
	if (!stripe) {
		free(path);
		return NULL;
	}
	free(stripe->path);
	stripe->path = path;
	if (handle->stripe)
		return stripe;
	stripe->spread = spread;
	stripe->handle = handle;
	for (uint32_t i = 0; i < SPREAD_LANES_MAX; i++)
		stripe->leg[i].stripe = stripe;
	stripe->leg[handle->lane].state = LEG_OPEN;
	stripe->leg[handle->lane].fh = handle->fh;
	/* All that is under way went there. */
	stripe->leg[handle->lane].jobs = handle->jobs;
	handle->stripe = stripe;
	return stripe;
}

/* All lanes that carry it have as much as they take. */
static bool is_full(const struct spread *spread, const struct handle *handle)
{
	const struct stripe *stripe = handle->stripe;

	if (!stripe)
		return spread->lane[handle->lane].bytes >= spread->config.full;
	for (uint32_t i = 1; i < spread->lanes; i++) {
		if (stripe->leg[i].state == LEG_OPEN &&
		    spread->lane[i].bytes < spread->config.full)
			return false;
	}
	return true;
}

void stripe_consider(struct spread *spread, struct handle *handle)
{
	struct stripe *stripe = handle->stripe;

	if (spread->lanes < 2 || handle->tried >= spread->lanes ||
	    !handle->path || (handle->flags & CSFTP_OPEN_APPEND) ||
	    handle->moved < spread->config.large ||
	    (stripe && stripe->out > 0) || (stripe && stripe->quiet) ||
	    !is_full(spread, handle) ||
	    spread_lane_of_path(spread, handle->path, handle) != ANY)
		return;
	/* Where it is alone there is nothing to be opened. */
	handle->tried = spread->lanes;
	if (spread->lanes == 2 && handle->lane == 1)
		return;
	stripe = stripe_of(spread, handle);
	if (stripe)
		open_legs(stripe);
}

/*
 * Where requests go
 */

void stripe_sent(struct handle *handle, uint32_t lane)
{
	handle->stripe->leg[lane].jobs++;
}

void stripe_answered(struct handle *handle, uint32_t lane)
{
	struct stripe *stripe = handle->stripe;

	stripe->leg[lane].jobs--;
	if (stripe->quiet && !stripe->comparing && is_idle(stripe))
		look(stripe);
}

static bool is_bulk(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_READ || req->op == CSFTP_OP_WRITE;
}

/* Whether it matters which of two requests about a handle is done first. */
static bool in_order(const struct csftp_req *a, const struct csftp_req *b)
{
	if (!is_bulk(a) || !is_bulk(b))
		return true;
	if (a->op == CSFTP_OP_READ && b->op == CSFTP_OP_READ)
		return false;
	/* Where a file ends matters to who reads there. */
	if (a->op != b->op)
		return true;
	return a->off < b->off ? b->off - a->off < a->len
			       : a->off - b->off < b->len;
}

/* The leg with the least on its way; the first lane's only for want of any. */
static uint32_t idlest(const struct spread *spread, const struct handle *handle)
{
	uint32_t best = stripe_base(handle);

	for (uint32_t i = 1; i < spread->lanes; i++) {
		if (handle->stripe->leg[i].state == LEG_OPEN &&
		    (best == 0 ||
		     spread->lane[i].bytes < spread->lane[best].bytes))
			best = i;
	}
	return best;
}

uint32_t stripe_lane(const struct spread *spread, const struct handle *handle,
		     const struct csftp_req *req, uint32_t only)
{
	const struct stripe *stripe = handle->stripe;
	uint32_t lane = only;

	if (stripe->quiet || (req->op == CSFTP_OP_CLOSE && stripe->out > 0))
		return ANY;
	if (!is_bulk(req))
		lane = spread_both(lane, stripe_base(handle));
	for (const struct relay_job *job = spread->relay.busy; job;
	     job = job->next) {
		const struct spread_job *other = (const struct spread_job *)job;

		if (other->handle == handle && !job->asked->path &&
		    in_order(&job->req, req))
			lane = spread_both(lane, other->lane);
	}
	if (lane == ANY)
		return idlest(spread, handle);
	if (lane == MANY)
		return ANY;
	/* Where none can be used, each is as good to say so. */
	return stripe->leg[lane].state == LEG_OPEN ||
			       lane == stripe_base(handle)
		       ? lane
		       : ANY;
}

uint32_t stripe_drop(struct spread *spread, struct handle *handle,
		     uint32_t lane, const struct csftp_req *req)
{
	struct stripe *stripe = handle->stripe;
	uint32_t left;

	if (!is_bulk(req))
		return ANY;
	if (stripe->leg[lane].state == LEG_OPEN)
		stripe->leg[lane].state = LEG_STALE;
	left = idlest(spread, handle);
	return stripe->leg[left].state == LEG_OPEN ? left : ANY;
}
