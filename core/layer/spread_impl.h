/* Inside the spread layer; its contract is spread.h. */
#ifndef CSFTP_CORE_LAYER_SPREAD_IMPL_H
#define CSFTP_CORE_LAYER_SPREAD_IMPL_H

#include <stdbool.h>

#include "core/layer/relay.h"
#include "core/layer/spread.h"

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Which lane: none, or more than one. */
#define ANY  UINT32_MAX
#define MANY (UINT32_MAX - 1)

struct lane {
	struct csftp_fs *fs;
	uint64_t bytes; /* of READ and WRITE, on their way */
	uint32_t open;	/* files */
};

/* An open file or directory, found by its number. */
struct handle {
	UT_hash_handle hh;
	uint64_t number;
	csftp_fh fh;	/* on its lane */
	uint32_t lane;	/* where it was opened */
	uint32_t jobs;	/* that use it */
	uint32_t flags; /* of OPEN */
	uint32_t tried; /* to be opened on more of so many lanes */
	uint64_t moved; /* bytes that were asked to be read and written */
	bool is_file;
	bool closed;	       /* goes with the last of them */
	char *path;	       /* NULL: it has lost its name */
	struct stripe *stripe; /* NULL: it is open on one lane */
};

struct spread_job {
	struct relay_job job; /* first */
	struct handle *handle;
	uint32_t lane;
	bool changes;
};

struct spread {
	struct relay relay; /* first */
	struct spread_config config;
	struct lane lane[SPREAD_LANES_MAX];
	uint32_t lanes;
	struct handle *handles;
	uint64_t last_number;
	struct csftp_req *held;	 /* who waits for one of two lanes */
	struct csftp_req *again; /* of those, who has not been tried again */
	uint32_t path_changes;	 /* jobs that change what a path names */
	bool wanting;
	bool answered; /* since `again` was begun */
};

/* Of two lanes, each of which may be ANY or MANY. */
uint32_t spread_both(uint32_t a, uint32_t b);

/* Where a change of what is at the path is under way; but those of a handle. */
uint32_t spread_lane_of_path(const struct spread *spread, const char *path,
			     const struct handle *but);

/* Those who waited are tried again. */
void spread_retry(struct spread *spread);

/* Whether there is a handle of that number. */
bool spread_has(const struct spread *spread, csftp_fh number);

/* Gives the answer to who asked; the last of a closed handle frees that. */
void spread_finish(struct spread_job *job, const struct csftp_reply *reply);

/*
 * A file on several lanes (spread_stripe.c)
 */

/* After a READ or WRITE of it was sent: whether more lanes are of use. */
void stripe_consider(struct spread *spread, struct handle *handle);

/*
 * The lane for a request about it, where a change of its path is under way on
 * `only`; ANY: it has to wait.
 */
uint32_t stripe_lane(const struct spread *spread, const struct handle *handle,
		     const struct csftp_req *req, uint32_t only);

/* The handle there. */
csftp_fh stripe_fh(const struct handle *handle, uint32_t lane);

/* Of each that is sent, and answered. */
void stripe_sent(struct handle *handle, uint32_t lane);
void stripe_answered(struct handle *handle, uint32_t lane);

/* A lane has found another file there: where to ask instead; ANY: nowhere. */
uint32_t stripe_drop(struct spread *spread, struct handle *handle,
		     uint32_t lane, const struct csftp_req *req);

/* It is to be closed: nothing is opened any more, if that can be helped. */
void stripe_hurry(struct handle *handle);

/* Closes it on all lanes but that one, on which it is being closed. */
void stripe_close(struct handle *handle, uint32_t lane);
/* True: that goes on, and the job will be finished with that answer. */
bool stripe_keep_close(struct handle *handle, struct spread_job *job, int err);

void stripe_free(struct handle *handle);

#endif
