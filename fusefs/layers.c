#include "fusefs/layers.h"

#include <stdlib.h>
#include <time.h>

#include "core/layer/cache.h"

struct layers {
	struct cache *cache;
};

static uint64_t now_ms(void *arg)
{
	struct timespec now;

	(void)arg;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum csftp_err layers_new(struct layers **out,
			  const struct layers_config *config)
{
	const struct cache_config caching = {
		.under = config->under,
		.now_ms = now_ms,
		.top = config->root,
	};
	struct layers *layers = calloc(1, sizeof(*layers));
	enum csftp_err err;

	if (!layers)
		return CSFTP_ERR_NOMEM;
	err = cache_new(&layers->cache, &caching);
	if (err) {
		layers_free(layers);
		return err;
	}
	*out = layers;
	return CSFTP_OK;
}

void layers_free(struct layers *layers)
{
	if (!layers)
		return;
	cache_free(layers->cache);
	free(layers);
}

struct csftp_fs *layers_fs(struct layers *layers)
{
	return cache_fs(layers->cache);
}

uint32_t layers_pending(const struct layers *layers)
{
	return cache_pending(layers->cache);
}

void layers_quiet(struct layers *layers)
{
	cache_quiet(layers->cache);
}
