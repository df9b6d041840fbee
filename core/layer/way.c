#include "core/layer/way.h"

/* As long as nothing is known. */
#define RATE_FIRST 100000000U

/* A longer way is no place to hurry. */
#define TRIP_MOST_US 1000000U

/* After so long the connection may be another one. */
#define IDLE_MS 1000U

/* A pause of one who moves content, and not its end. */
#define PAUSE_MS 100U

/* A question counts for so long. */
#define ASKED_MS 1000U

void way_begin(struct way *way, uint64_t now_ms)
{
	if (way->peak == 0 || now_ms - way->last_ms > IDLE_MS)
		way->peak = RATE_FIRST;
	if (way->busy_ms == 0 || now_ms - way->last_ms > PAUSE_MS)
		way->busy_ms = now_ms;
}

bool way_is_asked(const struct way *way, uint64_t ago_ms, uint64_t now_ms)
{
	return ago_ms <= ASKED_MS && now_ms - way->last_ms <= PAUSE_MS &&
	       ago_ms < now_ms - way->busy_ms;
}

struct way_mark way_mark(const struct way *way, uint64_t now_ms)
{
	return (struct way_mark){.done = way->done, .ms = now_ms};
}

void way_answer(struct way *way, uint64_t len, struct way_mark mark,
		uint64_t now_ms)
{
	uint64_t ms = now_ms > mark.ms ? now_ms - mark.ms : 1;
	uint64_t rate;

	way->done += len;
	way->last_ms = now_ms;
	rate = (way->done - mark.done) * 1000 / ms;
	if (rate > way->peak)
		way->peak = rate;
}

void way_held(struct way *way, uint64_t rate)
{
	if (rate < way->peak)
		way->peak -= (way->peak - rate) / 4;
}

uint64_t way_bytes(const struct way *way, uint64_t trip_us)
{
	return trip_us > TRIP_MOST_US ? 0 : way->peak * trip_us / 1000000;
}

uint64_t way_most(uint64_t bytes, uint64_t busy)
{
	return bytes + bytes / 2 + busy;
}
