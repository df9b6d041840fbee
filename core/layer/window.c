#include "core/layer/window.h"

/* How long one is tried at least before it is judged. */
#define TRIAL_MS 8U

/* How long one stays that a larger one was no better than. */
#define RETRY_MS 1000U

static void begin_trial(struct window *window, uint64_t now)
{
	window->trial_ms = now;
	window->trial_bytes = 0;
	window->waited = false;
}

void window_begin(struct window *window, uint64_t bytes, uint64_t now_ms)
{
	window->bytes = bytes;
	begin_trial(window, now_ms);
	ramp_begin(&window->ramp, now_ms);
}

void window_read(struct window *window, uint64_t len)
{
	window->trial_bytes += len;
}

void window_wait(struct window *window)
{
	window->waited = true;
	window->ramp.limited = true;
}

static void settle(struct window *window, uint64_t now)
{
	window->probing = false;
	window->settled = true;
	window->settled_ms = now;
}

/* It has brought that rate: what does twice as much? */
static void probe(struct window *window, uint64_t rate, uint64_t most,
		  uint64_t now)
{
	if (2 * window->bytes > ramp_most(&window->ramp, most)) {
		settle(window, now);
		return;
	}
	window->best = rate;
	window->probing = true;
	window->stale = window->bytes;
	window->bytes *= 2;
}

/* It brings that rate, and the reader waits all the same. */
static void widen(struct window *window, uint64_t rate, uint64_t most,
		  uint64_t now)
{
	if (window->probing && rate <= window->best + window->best / 4) {
		if (rate <= window->best + window->best / 8)
			window->bytes /= 2;
		settle(window, now);
		return;
	}
	if (window->settled && now - window->settled_ms <= RETRY_MS)
		return;
	probe(window, rate, most, now);
}

/*
 * After a window's worth of bytes: does a larger one bring more?  What comes at
 * first was asked for by the one before.
 */
static uint64_t judge(struct window *window, uint64_t most, uint64_t now)
{
	uint64_t ms = now - window->trial_ms;
	uint64_t rate = 0;

	if (window->stale > 0 && window->trial_bytes >= window->stale) {
		window->stale = 0;
		begin_trial(window, now);
		return 0;
	}
	if (window->stale > 0 || ms < TRIAL_MS ||
	    window->trial_bytes < window->bytes)
		return 0;
	if (window->waited) {
		rate = window->trial_bytes * 1000 / ms;
		widen(window, rate, most, now);
	}
	begin_trial(window, now);
	return rate;
}

uint64_t window_count(struct window *window, uint64_t len, uint64_t most,
		      uint64_t now_ms)
{
	/* The way may have room for more, as far as can be seen. */
	uint64_t rate = ramp_count(&window->ramp, len, window->bytes, now_ms);

	if (rate == 0)
		return judge(window, most, now_ms);
	probe(window, rate, most, now_ms);
	begin_trial(window, now_ms);
	return 0;
}
