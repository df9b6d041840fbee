/* What layers share that ask below in their own name. */
#ifndef CSFTP_CORE_LAYER_RELAY_H
#define CSFTP_CORE_LAYER_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/fs.h"

/*
 * A layer passes a request on as it is (relay_pass), or asks below with a
 * request of its own, a job, that is kept in a pool: as many as were ever under
 * way at a time, so that nothing is allocated in the long run.
 *
 * The layer begins with a struct relay, its jobs begin with a struct
 * relay_job.  Payload is never copied: a job points at what its asker's
 * request points at, and the reply from below goes up as it is.
 *
 * The file system below must outlive the layer.  One thread.
 */
struct relay_job {
	struct csftp_req req; /* first: what is asked below */
	struct csftp_req *asked;
	struct relay *relay;
	struct relay_job *next; /* of those that are free, or of those not */
	struct relay_job *prev;
};

struct relay {
	struct csftp_fs fs; /* first */
	struct csftp_fs_ops ops;
	struct csftp_fs *under;
	size_t job_size;
	struct relay_job *free;
	struct relay_job *busy;
};

/*
 * Limits and traits become those of the file system below, all operations
 * `usual`, which the layer then replaces in relay->ops where it does more; so
 * that an operation that is new one day finds its way through.
 */
void relay_init(struct relay *relay, struct csftp_fs *under, size_t job_size,
		void (*usual)(struct csftp_fs *fs, struct csftp_req *req));

/* Every request must have been answered. */
void relay_release(struct relay *relay);

/* An operation: the request goes below as it is. */
void relay_pass(struct csftp_fs *fs, struct csftp_req *req);

/*
 * A job with a copy of what was asked; what the layer's jobs have behind it
 * is as it was left.  NULL: there is no memory, and asked has been answered.
 */
struct relay_job *relay_take(struct relay *relay, struct csftp_req *asked);

/* Asks below.  done has the job as its request. */
void relay_ask(struct relay_job *job,
	       void (*done)(struct csftp_req *req,
			    const struct csftp_reply *reply));

/*
 * For layers that let requests wait in a list through next, until something
 * that they asked for comes: takes one out; false if it is not there.
 */
bool relay_unlist(struct csftp_req **list, const struct csftp_req *req);

/* Whether path is top, or lies below it; a NULL top is above all. */
bool relay_is_in(const char *path, const char *top);

/* Gives the job back, and answers who asked. */
void relay_answer(struct relay_job *job, const struct csftp_reply *reply);
void relay_answer_err(struct relay_job *job, int err);

#endif
