#include "core/layer/rate.h"

#include <stdlib.h>

#include "core/layer/relay.h"

#define SECOND 1000000U /* in microseconds */

struct rate {
	struct relay relay; /* first */
	struct rate_config config;
	uint64_t burst; /* the most that the bucket holds */
	uint64_t tokens;
	uint64_t debt;	/* above 0 only where tokens is 0 */
	uint64_t parts; /* of a token, 1/SECOND each, that came in besides */
	uint64_t at_us;
};

static void take(struct rate *rate, uint64_t bytes)
{
	if (bytes <= rate->tokens) {
		rate->tokens -= bytes;
		return;
	}
	rate->debt += bytes - rate->tokens;
	rate->tokens = 0;
}

static void give(struct rate *rate, uint64_t bytes)
{
	uint64_t paid = bytes < rate->debt ? bytes : rate->debt;

	rate->debt -= paid;
	bytes -= paid;
	if (bytes > rate->burst - rate->tokens)
		bytes = rate->burst - rate->tokens;
	rate->tokens += bytes;
}

/* What came in since the last look. */
static void refill(struct rate *rate)
{
	uint64_t now = rate->config.clock_us(rate->config.arg);
	uint64_t passed = now > rate->at_us ? now - rate->at_us : 0;
	uint64_t parts;

	rate->at_us = now;
	if (__builtin_mul_overflow(passed, rate->config.per_second, &parts) ||
	    __builtin_add_overflow(parts, rate->parts, &parts))
		parts = UINT64_MAX;
	give(rate, parts / SECOND);
	rate->parts = parts % SECOND;
}

uint64_t rate_wait_us(struct csftp_fs *fs)
{
	struct rate *rate = (struct rate *)fs;
	uint64_t per_second = rate->config.per_second;

	refill(rate);
	if (rate->debt == 0)
		return 0;
	return rate->debt / per_second * SECOND +
	       (rate->debt % per_second * SECOND + per_second - 1) / per_second;
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;

	if (reply->err == 0)
		take((struct rate *)job->relay, reply->data.len);
	relay_answer(job, reply);
}

static void op_read(struct csftp_fs *fs, struct csftp_req *req)
{
	struct rate *rate = (struct rate *)fs;
	struct relay_job *job = relay_take(&rate->relay, req);

	if (!job)
		return;
	if (job->req.len > rate->burst)
		job->req.len = rate->burst;
	relay_ask(job, was_read);
}

static void op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	take((struct rate *)fs, req->len);
	relay_pass(fs, req);
}

enum csftp_err rate_new(struct csftp_fs **out, const struct rate_config *config)
{
	struct rate *rate;

	if (config->per_second == 0 || !config->clock_us)
		return CSFTP_ERR_ARG;
	rate = calloc(1, sizeof(*rate));
	if (!rate)
		return CSFTP_ERR_NOMEM;
	rate->config = *config;
	/* So many need no limit, and can be multiplied by a second. */
	if (rate->config.per_second > UINT64_MAX / SECOND)
		rate->config.per_second = UINT64_MAX / SECOND;
	rate->burst = config->per_second / 4;
	if (rate->burst < RATE_BURST_MIN)
		rate->burst = RATE_BURST_MIN;
	rate->tokens = rate->burst;
	rate->at_us = config->clock_us(config->arg);
	relay_init(&rate->relay, config->under, sizeof(struct relay_job),
		   relay_pass);
	rate->relay.ops.op[CSFTP_OP_READ] = op_read;
	rate->relay.ops.op[CSFTP_OP_WRITE] = op_write;
	*out = &rate->relay.fs;
	return CSFTP_OK;
}

void rate_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
