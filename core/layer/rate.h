/* A layer that counts what is moved against a rate, and says when to wait. */
#ifndef CSFTP_CORE_LAYER_RATE_H
#define CSFTP_CORE_LAYER_RATE_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * A bucket fills with `per_second` tokens up to a quarter of a second's worth,
 * or RATE_BURST_MIN if that is more.  READ and WRITE take one for each byte
 * and are never held back: the bucket goes into debt, and whoever drives the
 * session moves no bytes until rate_wait_us() is 0.  So requests are answered
 * inside csftp_submit() where they were before, and what can be moved too
 * early is bounded by the buffers of the session.
 *
 * A READ is answered in part where it asks for more than the bucket holds when
 * full, so that the waits are short.
 *
 * No clock is known here but config.clock_us.  One thread.
 */
#define RATE_BURST_MIN 4096U

struct rate_config {
	struct csftp_fs *under;
	uint64_t per_second; /* bytes; above 0 */
	uint64_t (*clock_us)(void *arg);
	void *arg;
};

/* CSFTP_ERR_NOMEM, CSFTP_ERR_ARG. */
CSFTP_MUST_CHECK enum csftp_err rate_new(struct csftp_fs **out,
					 const struct rate_config *config);

/* Every request must have been answered.  NULL is fine. */
void rate_free(struct csftp_fs *fs);

/* Microseconds until bytes may be moved again; 0: now. */
uint64_t rate_wait_us(struct csftp_fs *fs);

#endif
