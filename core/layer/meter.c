#include "core/layer/meter.h"

#include <stdlib.h>

#include "core/layer/relay.h"

/* Below 4 us each microsecond is a class; then four for each doubling. */
static unsigned class_of(uint64_t us)
{
	unsigned top = 2;
	unsigned class;

	if (us < 4)
		return (unsigned)us;
	while (us >> (top + 1))
		top++;
	class = 4 * (top - 1) + (unsigned)(us >> (top - 2) & 3);
	return class < METER_CLASSES ? class : METER_CLASSES - 1;
}

uint64_t meter_class_begin(unsigned class)
{
	if (class < 4)
		return class;
	return (uint64_t)(4 + class % 4) << (class / 4 - 1);
}

void meter_note(struct meter *meter, uint64_t us, bool error)
{
	if (meter->count == 0 || us < meter->least_us)
		meter->least_us = us;
	if (us > meter->most_us)
		meter->most_us = us;
	meter->count++;
	meter->errors += error;
	meter->total_us += us;
	meter->in_class[class_of(us)]++;
}

uint64_t meter_percentile(const struct meter *meter, unsigned hundredths)
{
	uint64_t want = meter->count / 100 * hundredths +
			meter->count % 100 * hundredths / 100;
	uint64_t seen = 0;
	uint64_t below;

	if (meter->count == 0)
		return 0;
	for (unsigned class = 0; class < METER_CLASSES - 1; class ++) {
		seen += meter->in_class[class];
		if (seen <= want && seen < meter->count)
			continue;
		below = meter_class_begin(class + 1);
		return below < meter->most_us ? below : meter->most_us;
	}
	return meter->most_us;
}

void meter_add(struct meter *to, const struct meter *from)
{
	if (from->count == 0)
		return;
	if (to->count == 0 || from->least_us < to->least_us)
		to->least_us = from->least_us;
	if (from->most_us > to->most_us)
		to->most_us = from->most_us;
	to->count += from->count;
	to->errors += from->errors;
	to->total_us += from->total_us;
	for (unsigned i = 0; i < METER_CLASSES; i++)
		to->in_class[i] += from->in_class[i];
}

/*
 * The layer
 */

struct metered {
	struct relay relay; /* first */
	struct metered_config config;
	struct meter meters[CSFTP_OP_COUNT];
};

struct timed {
	struct relay_job job; /* first */
	uint64_t began_us;
};

static uint64_t now_of(const struct metered *metered)
{
	return metered->config.now_us(metered->config.arg);
}

static void timed_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct timed *timed = (struct timed *)req;
	struct metered *metered = (struct metered *)timed->job.relay;

	meter_note(&metered->meters[timed->job.asked->op],
		   now_of(metered) - timed->began_us, reply->err != 0);
	relay_answer(&timed->job, reply);
}

static void ask(struct csftp_fs *fs, struct csftp_req *req)
{
	struct metered *metered = (struct metered *)fs;
	struct relay_job *job = relay_take(&metered->relay, req);

	if (!job)
		return;
	((struct timed *)job)->began_us = now_of(metered);
	relay_ask(job, timed_done);
}

enum csftp_err metered_new(struct metered **out,
			   const struct metered_config *config)
{
	struct metered *metered;

	if (!config->under || !config->now_us)
		return CSFTP_ERR_ARG;
	metered = calloc(1, sizeof(*metered));
	if (!metered)
		return CSFTP_ERR_NOMEM;
	metered->config = *config;
	relay_init(&metered->relay, config->under, sizeof(struct timed), ask);
	*out = metered;
	return CSFTP_OK;
}

void metered_free(struct metered *metered)
{
	if (!metered)
		return;
	relay_release(&metered->relay);
	free(metered);
}

struct csftp_fs *metered_fs(struct metered *metered)
{
	return &metered->relay.fs;
}

const struct meter *metered_meters(const struct metered *metered)
{
	return metered->meters;
}
