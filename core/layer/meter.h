/* How many, how long: counts of requests, and a layer that counts them. */
#ifndef CSFTP_CORE_LAYER_METER_H
#define CSFTP_CORE_LAYER_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Four classes for each doubling: what is read off a meter is right to a
 * quarter.  The last one has no upper end; it begins at about 29 s.
 */
#define METER_CLASSES 96U

/* Of one kind of request.  Zeros are a new one. */
struct meter {
	uint64_t count;	   /* that have ended */
	uint64_t errors;   /* of them */
	uint64_t total_us; /* together */
	uint64_t least_us;
	uint64_t most_us;
	uint64_t in_class[METER_CLASSES]; /* by how long they took */
};

/* One has ended after so long. */
void meter_note(struct meter *meter, uint64_t us, bool error);

/* Where a class begins, in microseconds; it ends where the next one does. */
uint64_t meter_class_begin(unsigned class);

/*
 * What a part, in hundredths, stayed below, as far as the classes tell; 0 if
 * there was nothing.
 */
uint64_t meter_percentile(const struct meter *meter, unsigned hundredths);

/* Adds up. */
void meter_add(struct meter *to, const struct meter *from);

/*
 * A layer that changes nothing and notes each request with the time from
 * being asked to being answered, by its operation.  One thread.
 */
struct metered;

struct metered_config {
	struct csftp_fs *under;
	/* A steady clock in microseconds. */
	uint64_t (*now_us)(void *arg);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err
metered_new(struct metered **out, const struct metered_config *config);

/* Nothing may be pending.  NULL is fine. */
void metered_free(struct metered *metered);

struct csftp_fs *metered_fs(struct metered *metered);

/* CSFTP_OP_COUNT meters, by operation; good as long as the layer. */
const struct meter *metered_meters(const struct metered *metered);

#endif
