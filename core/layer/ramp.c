#include "core/layer/ramp.h"

/* Over a shorter way a window that is tried is soon judged. */
#define LONG_MS 16U

/* Of a shorter way: in 16 ms this is 500 MiB a second. */
#define SHORT_MOST (8U << 20)

void ramp_begin(struct ramp *ramp, uint64_t now_ms)
{
	ramp->begun_ms = now_ms;
	ramp->bytes = 0;
	ramp->prompt = false;
	ramp->limited = false;
}

void ramp_answer(struct ramp *ramp, uint64_t asked_ms, uint64_t now_ms)
{
	uint64_t took = now_ms - asked_ms;

	if (ramp->least_ms == 0 || took < ramp->least_ms - 1)
		ramp->least_ms = took + 1;
	if (asked_ms >= ramp->begun_ms && took >= LONG_MS &&
	    took <= ramp->least_ms + ramp->least_ms / 4)
		ramp->prompt = true;
}

uint64_t ramp_count(struct ramp *ramp, uint64_t len, uint64_t window,
		    uint64_t now_ms)
{
	uint64_t ms = now_ms - ramp->begun_ms;
	uint64_t rate = 0;

	ramp->bytes += len;
	if (ramp->bytes < window || ms < LONG_MS)
		return 0;
	if (ramp->prompt && ramp->limited)
		rate = ramp->bytes * 1000 / ms;
	ramp_begin(ramp, now_ms);
	return rate;
}

uint64_t ramp_most(const struct ramp *ramp, uint64_t max)
{
	bool is_short = ramp->least_ms > 0 && ramp->least_ms <= LONG_MS;

	return is_short && max > SHORT_MOST ? SHORT_MOST : max;
}
