/* A layer that knows whether somebody asks the server, and how far it is. */
#ifndef CSFTP_CORE_LAYER_ASKERS_H
#define CSFTP_CORE_LAYER_ASKERS_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Questions are requests with a path, and READDIR: what people wait for while
 * the content of files is moved.  The layer lies where no cache answers them
 * any more, changes nothing, and notes when the last one was asked and what the
 * shortest answer took.  That is the way there and back, with nothing before
 * it; it is forgotten after two to four minutes, as networks change.
 * One thread.
 */
struct askers;

struct askers_config {
	struct csftp_fs *under;
	/* A steady clock in microseconds, not 0. */
	uint64_t (*now_us)(void *arg);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err askers_new(struct askers **out,
					   const struct askers_config *config);

/* Every request must have been answered.  NULL is fine. */
void askers_free(struct askers *askers);

struct csftp_fs *askers_fs(struct askers *askers);

/*
 * How long the shortest answer took, in microseconds; 0: that is not known.
 * ago_ms: since somebody has asked last; UINT64_MAX: nobody ever has.
 */
uint64_t askers_trip_us(const struct askers *askers, uint64_t *ago_ms);

#endif
