/* Inside the quirk layer; its contract is quirk.h. */
#ifndef CSFTP_CORE_LAYER_QUIRK_IMPL_H
#define CSFTP_CORE_LAYER_QUIRK_IMPL_H

#include "core/layer/quirk.h"
#include "core/layer/relay.h"

enum quirk_order { QUIRK_ORDER_UNKNOWN, QUIRK_TEXT_FIRST, QUIRK_LINK_FIRST };

/* What a probe has left that lost its connection. */
enum quirk_left { QUIRK_LEFT_NONE, QUIRK_LEFT_PERHAPS, QUIRK_LEFT_LINK };

enum quirk_modes {
	QUIRK_MODES_UNKNOWN,
	QUIRK_MODES_KEPT, /* or there is nothing to be done about it */
	QUIRK_MODES_LOST
};

/* Whether LSTAT tells of a link itself. */
enum quirk_lstat {
	QUIRK_LSTAT_UNKNOWN,
	QUIRK_LSTAT_OF_LINK,
	QUIRK_LSTAT_LEADS
};

/* Of files, or of directories. */
struct quirk_made {
	enum quirk_modes modes;
	bool seen; /* the rest is that of the first that was looked at */
	uint32_t asked;
	uint32_t given;
};

struct quirk {
	struct relay relay; /* first */
	struct quirk_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	enum quirk_order order;
	struct csftp_req probe;	 /* that finds the order out, while probing */
	struct csftp_req *asked; /* for it, and waits; NULL: has gone */
	bool probing;
	bool going_on;	/* those that waited are being asked */
	unsigned tries; /* names of the probe */
	char link[CSFTP_PATH_MAX + 1];
	char text[CSFTP_PATH_MAX + 1];
	enum quirk_left left;	   /* under one of these */
	struct csftp_req *waiting; /* for its end, in their order */
	uint32_t number;	   /* of the last name that was tried */
	enum quirk_lstat lstat;
	struct quirk_made made[2]; /* files, directories */
	struct quirk_job *makes;   /* what is made and not as it should be */
	struct csftp_req *ready;   /* GETATTRs that waited for one of them */
};

struct quirk_job {
	struct relay_job job; /* first */
	/* What is made: */
	struct quirk_job *next_make;
	struct csftp_req *asking; /* GETATTRs that wait for it */
	struct csftp_attr attr;
	csftp_fh fh;
};

static inline struct quirk *quirk_of(const struct quirk_job *job)
{
	return (struct quirk *)job->job.relay;
}

typedef void quirk_step(struct csftp_req *req, const struct csftp_reply *reply);

bool quirk_is_sound(const struct quirk *quirk);

/* Whether an error says nothing of what is there. */
bool quirk_is_lost(const struct quirk *quirk, int err);

/* Asks below for something else than was asked; zeros but for these. */
void quirk_ask(struct quirk_job *job, struct csftp_req req, quirk_step *then);

/* Lets it wait for the end of the probe. */
void quirk_wait(struct quirk *quirk, struct csftp_req *req);

/*
 * Looks whether a link that was made is one, then answers who made it
 * (quirk_lstat.c).
 */
void quirk_lstat_check(struct quirk_job *job);
/* Answers a GETATTR, which may be of a link. */
void quirk_lstat(struct quirk *quirk, struct csftp_req *req);

/*
 * What is made: who asks for the attributes by its path waits until the job is
 * answered (quirk_mode.c).
 */
void quirk_make_begin(struct quirk_job *job);
void quirk_make_answer(struct quirk_job *job, const struct csftp_reply *reply);

/* Modes (quirk_mode.c). */
void quirk_mode_init(struct quirk *quirk);
/* Whether a GETATTR waited, which has been answered with EINTR now. */
bool quirk_mode_cancel(struct quirk *quirk, struct csftp_req *req);

#endif
