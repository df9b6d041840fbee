#include "fusefs/layers.h"

#include <stdlib.h>
#include <time.h>

#include "core/layer/askers.h"
#include "core/layer/cache.h"
#include "core/layer/follow.h"
#include "core/layer/keep.h"
#include "core/layer/mend.h"
#include "core/layer/meter.h"
#include "core/layer/prefetch.h"
#include "core/layer/quirk.h"
#include "core/layer/readahead.h"
#include "core/layer/recode.h"
#include "core/layer/why.h"

struct layers {
	struct layers_config config;
	struct csftp_fs *top; /* of those that there are by now */
	struct askers *askers;
	struct why *why;
	struct csftp_fs *quirk;
	struct csftp_fs *mend;	 /* NULL: nothing needs help */
	struct idmap *idmap;	 /* NULL: owners are shown as they are */
	struct csftp_fs *follow; /* NULL: links are not followed there */
	struct csftp_fs *recode; /* NULL: names are not converted */
	struct cache *cache;
	struct readahead *readahead;
	struct keep *keep;
	struct prefetch *prefetch;
	struct metered *metered;
	uint64_t stopped_ms; /* the cache's clock stands there; 0: it goes */
	struct csftp_fs *links;
	struct writebehind *writebehind;
	bool top_asked; /* by these, see layers_go_on() */
	struct csftp_req top_attr;
	struct csftp_req top_space;
};

static uint64_t clock_ms(const struct layers *layers, clockid_t clock)
{
	struct timespec now;

	if (layers->config.now_ms)
		return layers->config.now_ms(layers->config.arg);
	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_ms(void *arg)
{
	return clock_ms(arg, CLOCK_MONOTONIC);
}

/* What was known before the machine slept grows old meanwhile. */
static uint64_t ageing_ms(const struct layers *layers)
{
	return clock_ms(layers, CLOCK_BOOTTIME);
}

static uint64_t cache_now_ms(void *arg)
{
	const struct layers *layers = arg;

	return layers->stopped_ms ? layers->stopped_ms : ageing_ms(layers);
}

static int64_t wall_sec(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static uint64_t now_us(void *arg)
{
	struct timespec now;

	(void)arg;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t number(void *arg, const char *path)
{
	const struct layers *layers = arg;

	return layers->config.number(layers->config.arg, path);
}

/* What a name takes in the cache, roughly. */
#define NAME_BYTES 450U

static uint32_t as_ms(double seconds)
{
	if (seconds <= 0)
		return CACHE_NEVER;
	if (seconds >= (CACHE_NEVER - 1) / 1000.0)
		return CACHE_NEVER - 1;
	return seconds < 0.001 ? 1 : (uint32_t)(seconds * 1000);
}

/* Below all that answers by itself. */
static enum csftp_err add_askers(struct layers *layers)
{
	const struct askers_config config = {
		.under = layers->config.under,
		.now_us = now_us,
	};

	return askers_new(&layers->askers, &config);
}

static uint64_t trip_us(void *arg, uint64_t *ago_ms)
{
	const struct layers *layers = arg;

	if (layers->config.one_way &&
	    !layers->config.one_way(layers->config.arg))
		return 0;
	return askers_trip_us(layers->askers, ago_ms);
}

static enum csftp_err add_quirk(struct layers *layers)
{
	const struct quirk_config config = {
		.under = layers->top,
		.sound = layers->config.sound,
		.up = layers->config.up,
		.arg = layers->config.arg,
	};
	enum csftp_err err = quirk_new(&layers->quirk, &config);

	if (!err)
		layers->top = layers->quirk;
	return err;
}

static enum csftp_err add_mend(struct layers *layers)
{
	struct mend_config config = layers->config.mend;
	enum csftp_err err;

	if (!config.rename && !config.truncate && !config.stat &&
	    !config.create)
		return CSFTP_OK;
	config.under = layers->top;
	err = mend_new(&layers->mend, &config);
	if (!err)
		layers->top = layers->mend;
	return err;
}

/* Below the cache, so that owners are translated once. */
static enum csftp_err add_owners(struct layers *layers)
{
	struct idmap_config config;
	enum csftp_err err;

	if (!layers->config.owners)
		return CSFTP_OK;
	config = *layers->config.owners;
	config.under = layers->top;
	err = idmap_new(&layers->idmap, &config);
	if (!err)
		layers->top = idmap_fs(layers->idmap);
	return err;
}

static enum csftp_err add_follow(struct layers *layers)
{
	enum csftp_err err;

	if (!layers->config.follow_links)
		return CSFTP_OK;
	err = follow_new(&layers->follow, layers->top);
	if (!err)
		layers->top = layers->follow;
	return err;
}

/* Below the cache, so that names are converted once. */
static enum csftp_err add_recode(struct layers *layers)
{
	struct recode_config config;
	enum csftp_err err;

	if (!layers->config.names_as)
		return CSFTP_OK;
	config = *layers->config.names_as;
	config.under = layers->top;
	config.root = layers->config.root;
	err = recode_new(&layers->recode, &config);
	if (!err)
		layers->top = layers->recode;
	return err;
}

static enum csftp_err add_cache(struct layers *layers)
{
	const struct cache_config config = {
		.under = layers->top,
		.now_ms = cache_now_ms,
		.wall_sec = wall_sec,
		.arg = layers,
		.top = layers->config.root,
		.attr_ms = as_ms(layers->config.attr_timeout),
		.text_ms = as_ms(layers->config.link_timeout),
		.names_ms = as_ms(layers->config.dir_timeout),
		.absent_ms = layers->config.dir_timeout < 1
				     ? as_ms(layers->config.dir_timeout)
				     : 0,
		.bytes_max = (size_t)layers->config.names * NAME_BYTES,
		.ahead = layers->config.no_list_ahead ? CACHE_NEVER : 0,
	};

	return cache_new(&layers->cache, &config);
}

static enum csftp_err add_readahead(struct layers *layers)
{
	const struct readahead_config config = {
		.under = cache_fs(layers->cache),
		.cache = layers->cache,
		.now_ms = now_ms,
		.trip_us = trip_us,
		.arg = layers,
	};

	return readahead_new(&layers->readahead, &config);
}

/* Below the one that opens files unasked, so that it is quick to do so. */
static enum csftp_err add_keep(struct layers *layers)
{
	const struct keep_config config = {
		.under = readahead_fs(layers->readahead),
		.cache = layers->cache,
		.now_ms = cache_now_ms,
		.arg = layers,
	};
	enum csftp_err err = keep_new(&layers->keep, &config);

	if (!err && layers->config.no_content)
		keep_quiet(layers->keep);
	return err;
}

static enum csftp_err add_prefetch(struct layers *layers)
{
	const struct prefetch_config config = {
		.under = keep_fs(layers->keep),
		.cache = layers->cache,
		.now_ms = now_ms,
		.number = layers->config.number ? number : NULL,
		.arg = layers,
	};

	return prefetch_new(&layers->prefetch, &config);
}

/* On top: what the frontend asks, and how long it waits for that. */
static enum csftp_err add_metered(struct layers *layers)
{
	const struct metered_config config = {
		.under = layers->links,
		.now_us = now_us,
	};

	return metered_new(&layers->metered, &config);
}

static void lost(void *arg, const char *path, int err)
{
	const struct layers *layers = arg;

	if (layers->config.lost)
		layers->config.lost(layers->config.arg, path, err);
}

static bool absent(void *arg, const char *path)
{
	const struct layers *layers = arg;

	return cache_knows_absent(layers->cache, path);
}

/* On top: what is behind is of no layer's knowledge below. */
static enum csftp_err add_writebehind(struct layers *layers)
{
	const struct writebehind_config config = {
		.under = prefetch_fs(layers->prefetch),
		.now_ms = now_ms,
		.lost = lost,
		.absent = absent,
		.trip_us = trip_us,
		.arg = layers,
		.durability = layers->config.durability,
		.bytes_max = layers->config.behind_max,
	};

	return writebehind_new(&layers->writebehind, &config);
}

enum csftp_err layers_new(struct layers **out,
			  const struct layers_config *config)
{
	struct layers *layers = calloc(1, sizeof(*layers));
	enum csftp_err err;

	if (!layers)
		return CSFTP_ERR_NOMEM;
	layers->config = *config;
	err = add_askers(layers);
	if (!err)
		err = why_new(&layers->why, askers_fs(layers->askers));
	if (!err)
		layers->top = why_fs(layers->why);
	if (!err)
		err = add_quirk(layers);
	if (!err)
		err = add_mend(layers);
	if (!err)
		err = add_owners(layers);
	if (!err)
		err = add_follow(layers);
	if (!err)
		err = add_recode(layers);
	if (!err)
		err = add_cache(layers);
	if (!err)
		err = add_readahead(layers);
	if (!err)
		err = add_keep(layers);
	if (!err)
		err = add_prefetch(layers);
	if (!err)
		err = add_writebehind(layers);
	if (!err)
		err = links_new(&layers->links,
				writebehind_fs(layers->writebehind),
				config->root, config->links);
	if (!err)
		err = add_metered(layers);
	if (err) {
		layers_free(layers);
		return err;
	}
	if (config->no_readahead) {
		readahead_quiet(layers->readahead);
		prefetch_quiet(layers->prefetch);
	}
	*out = layers;
	return CSFTP_OK;
}

void layers_free(struct layers *layers)
{
	if (!layers)
		return;
	metered_free(layers->metered);
	links_free(layers->links);
	writebehind_free(layers->writebehind);
	if (layers->prefetch)
		prefetch_quiet(layers->prefetch);
	prefetch_free(layers->prefetch);
	keep_free(layers->keep);
	readahead_free(layers->readahead);
	cache_free(layers->cache);
	recode_free(layers->recode);
	follow_free(layers->follow);
	idmap_free(layers->idmap);
	mend_free(layers->mend);
	quirk_free(layers->quirk);
	why_free(layers->why);
	askers_free(layers->askers);
	free(layers);
}

struct csftp_fs *layers_fs(struct layers *layers)
{
	return metered_fs(layers->metered);
}

struct layers_counts layers_counts(const struct layers *layers)
{
	return (struct layers_counts){
		.ops = metered_meters(layers->metered),
		.cache = cache_counts(layers->cache),
		.cache_bytes = cache_bytes(layers->cache),
		.readahead = readahead_counts(layers->readahead),
		.keep = keep_counts(layers->keep),
		.prefetch = prefetch_counts(layers->prefetch),
		.writebehind = writebehind_counts(layers->writebehind),
	};
}

uint32_t layers_pending(const struct layers *layers)
{
	return writebehind_pending(layers->writebehind) +
	       prefetch_pending(layers->prefetch) + keep_pending(layers->keep) +
	       cache_pending(layers->cache) + quirk_pending(layers->quirk) +
	       (layers->idmap ? idmap_pending(layers->idmap) : 0);
}

void layers_quiet(struct layers *layers)
{
	prefetch_quiet(layers->prefetch);
	keep_quiet(layers->keep);
	readahead_quiet(layers->readahead);
	cache_quiet(layers->cache);
	layers->top_asked = true;
}

void layers_hold(struct layers *layers)
{
	if (!layers->stopped_ms)
		layers->stopped_ms = ageing_ms(layers);
	cache_hold(layers->cache, true);
}

static void learnt(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)req;
	(void)reply; /* it was remembered below */
}

static void learn_top(struct layers *layers)
{
	struct csftp_fs *fs = cache_fs(layers->cache);

	layers->top_attr = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.flags = CSFTP_NOFOLLOW,
		.done = learnt,
		.path = layers->config.root,
	};
	layers->top_space = (struct csftp_req){
		.op = CSFTP_OP_STATFS,
		.done = learnt,
		.path = layers->config.root,
	};
	layers->top_asked = true;
	csftp_submit(fs, &layers->top_attr);
	csftp_submit(fs, &layers->top_space);
}

void layers_go_on(struct layers *layers)
{
	layers->stopped_ms = 0;
	cache_hold(layers->cache, false);
	if (!layers->top_asked)
		learn_top(layers);
}

/* In how many milliseconds; 0: never. */
static uint64_t time_to(uint64_t next, uint64_t now)
{
	if (next == 0)
		return 0;
	return next > now ? next - now : 1;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

uint64_t layers_tick(struct layers *layers)
{
	uint64_t next = prefetch_tick(layers->prefetch);
	uint64_t kept = 0;

	/* Its clock may stand, see layers_hold(). */
	if (!layers->stopped_ms)
		kept = time_to(keep_tick(layers->keep), cache_now_ms(layers));
	next = sooner(next, writebehind_tick(layers->writebehind));
	return sooner(time_to(next, now_ms(layers)), kept);
}
