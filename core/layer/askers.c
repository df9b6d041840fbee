#include "core/layer/askers.h"

#include <errno.h>
#include <stdlib.h>

#include "core/layer/relay.h"

/* The shortest of this time and of the one before it counts. */
#define AGE_US ((uint64_t)120 * 1000000)

struct askers {
	struct relay relay; /* first */
	struct askers_config config;
	uint64_t asked_us; /* the last question; 0: none was */
	uint64_t least_us; /* since age_us; UINT64_MAX: none was answered */
	uint64_t least_before_us;
	uint64_t age_us;
};

struct askers_job {
	struct relay_job job; /* first */
	uint64_t began_us;
};

static uint64_t now_of(const struct askers *askers)
{
	return askers->config.now_us(askers->config.arg);
}

static void note(struct askers *askers, uint64_t now, uint64_t took)
{
	if (now - askers->age_us > AGE_US) {
		askers->age_us = now;
		askers->least_before_us = askers->least_us;
		askers->least_us = UINT64_MAX;
	}
	if (took < askers->least_us)
		askers->least_us = took;
}

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct askers_job *job = (struct askers_job *)req;
	struct askers *askers = (struct askers *)job->job.relay;
	uint64_t now = now_of(askers);

	/* What is not known below at once has not been to the server. */
	if (reply->err != EOPNOTSUPP && reply->err != EINTR)
		note(askers, now, now - job->began_us);
	relay_answer(&job->job, reply);
}

static void ask(struct csftp_fs *fs, struct csftp_req *req)
{
	struct askers *askers = (struct askers *)fs;
	struct askers_job *job;

	if (!req->path && req->op != CSFTP_OP_READDIR) {
		relay_pass(fs, req);
		return;
	}
	job = (struct askers_job *)relay_take(&askers->relay, req);
	if (!job)
		return;
	job->began_us = now_of(askers);
	askers->asked_us = job->began_us;
	relay_ask(&job->job, answered);
}

enum csftp_err askers_new(struct askers **out,
			  const struct askers_config *config)
{
	struct askers *askers;

	if (!config->under || !config->now_us)
		return CSFTP_ERR_ARG;
	askers = calloc(1, sizeof(*askers));
	if (!askers)
		return CSFTP_ERR_NOMEM;
	relay_init(&askers->relay, config->under, sizeof(struct askers_job),
		   ask);
	askers->config = *config;
	askers->least_us = UINT64_MAX;
	askers->least_before_us = UINT64_MAX;
	askers->age_us = now_of(askers);
	*out = askers;
	return CSFTP_OK;
}

void askers_free(struct askers *askers)
{
	if (!askers)
		return;
	relay_release(&askers->relay);
	free(askers);
}

struct csftp_fs *askers_fs(struct askers *askers)
{
	return &askers->relay.fs;
}

uint64_t askers_trip_us(const struct askers *askers, uint64_t *ago_ms)
{
	uint64_t least = askers->least_us < askers->least_before_us
				 ? askers->least_us
				 : askers->least_before_us;

	*ago_ms = askers->asked_us > 0
			  ? (now_of(askers) - askers->asked_us) / 1000
			  : UINT64_MAX;
	if (least == UINT64_MAX)
		return 0;
	return least > 0 ? least : 1;
}
