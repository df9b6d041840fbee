/* Whether a window may be doubled before it is known what that brings. */
#ifndef CSFTP_CORE_LAYER_RAMP_H
#define CSFTP_CORE_LAYER_RAMP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What twice a window brings is known two round trips later: the first brings
 * what was asked for before.  But where answers take no longer than they ever
 * did nothing waits for anything else on the way, and a larger window can only
 * bring more: by what was answered in one round trip, then.  Over a short way
 * there is nothing to be won, and a clock of milliseconds tells nothing.
 *
 * All zero is a start.  A round is what is answered since ramp_begin().
 */
struct ramp {
	uint64_t least_ms; /* that an answer took, and one; 0: none came */
	uint64_t begun_ms;
	uint64_t bytes; /* in this round */
	bool prompt;	/* what was asked in it was answered as soon */
	bool limited;	/* by the window: somebody waits */
};

void ramp_begin(struct ramp *ramp, uint64_t now_ms);

/* Something was answered that was asked then. */
void ramp_answer(struct ramp *ramp, uint64_t asked_ms, uint64_t now_ms);

/*
 * So many more bytes are through.  At the end of a round, which is the window's
 * worth: the bytes per second, if it may be doubled at once.  Else 0.
 */
uint64_t ramp_count(struct ramp *ramp, uint64_t len, uint64_t window,
		    uint64_t now_ms);

/*
 * The largest window that can be of use, and no more than max: over a short way
 * a few MiB are more than any wire brings there and back, and on a busy machine
 * a larger one seems to bring more by luck alone.
 */
uint64_t ramp_most(const struct ramp *ramp, uint64_t max);

#endif
