/* How far a reader is read ahead of: grows as long as that brings more. */
#ifndef CSFTP_CORE_LAYER_WINDOW_H
#define CSFTP_CORE_LAYER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layer/ramp.h"

/*
 * Where the reader waits all the same, a window of twice as much is tried: it
 * stays if the rate is at least an eighth better, and is doubled again from a
 * quarter on.  What was no better is tried again after a second.  All zero is
 * one that has not begun.
 */
struct window {
	uint64_t bytes;
	uint64_t trial_ms;    /* when it was set */
	uint64_t trial_bytes; /* read since */
	uint64_t stale;	      /* of these, that the last one asked for */
	uint64_t best;	      /* bytes per second of the last one */
	uint64_t settled_ms;
	bool waited;  /* in this trial */
	bool probing; /* this is twice the last one */
	bool settled; /* a larger one was no use then */
	struct ramp ramp;
};

void window_begin(struct window *window, uint64_t bytes, uint64_t now_ms);

/* The reader wants so many more bytes, be it begun or not. */
void window_read(struct window *window, uint64_t len);

/* The reader has to wait for what was asked for ahead. */
void window_wait(struct window *window);

/*
 * After window_read(): perhaps it grows, to no more than most.  The bytes per
 * second, at the end of a trial in which the reader waited; else 0.
 */
uint64_t window_count(struct window *window, uint64_t len, uint64_t most,
		      uint64_t now_ms);

#endif
