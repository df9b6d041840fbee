/* Inside the mend layer; its contract is mend.h. */
#ifndef CSFTP_CORE_LAYER_MEND_IMPL_H
#define CSFTP_CORE_LAYER_MEND_IMPL_H

#include "core/layer/fhmap.h"
#include "core/layer/mend.h"
#include "core/layer/relay.h"

/* Names beside a file that are tried until one is free. */
#define MEND_TRIES 16U

/* What of a file is copied at a time. */
#define MEND_PIECE (64U * 1024U)

/* An open file. */
struct mend_handle {
	struct fhmap_entry entry; /* first */
	char *path;		  /* NULL: it has lost its name */
	uint32_t flags;		  /* of OPEN */
};

struct mend {
	struct relay relay; /* first */
	struct mend_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	uint32_t number; /* of the last name that was tried */
	struct fhmap handles;
	/* What operations are where nothing has to be alone. */
	void (*usual[CSFTP_OP_COUNT])(struct csftp_fs *fs,
				      struct csftp_req *req);
	struct csftp_req *held;	 /* until a file has its size, in their order */
	struct mend_job *sizing; /* the one that gives it; NULL: none */
	uint32_t writes;	 /* that are not answered */
	struct mend_job *makes;
	struct csftp_req *ready; /* GETATTRs that waited for one of them */
	bool passing;		 /* those that waited are being asked */
};

struct mend_job {
	struct relay_job job; /* first */
	unsigned tries;
	bool moving;   /* RENAME: what is in the way has been moved, or is */
	int err;       /* what the whole fails with */
	int first_err; /* what it failed with at first */
	csftp_fh fh;   /* what was opened for the asker */
	csftp_fh from; /* a copy's source and destination */
	csftp_fh to;
	uint64_t at; /* bytes copied */
	bool back;   /* from beside, into the file */
	bool begun;  /* it waits for no WRITE any more */
	uint8_t *bytes;
	struct mend_handle *handle; /* to be put into the map */
	/* A file that has no mode yet, and who asks for its attributes: */
	struct mend_job *next_make;
	struct csftp_req *asking;
	struct csftp_attr attr;
	char path[CSFTP_PATH_MAX + 1]; /* of the file */
	char aside[CSFTP_PATH_MAX + 1];
};

typedef void mend_step(struct csftp_req *req, const struct csftp_reply *reply);

/*
 * The next name beside a path, in job->aside; false: it would be too long, or
 * enough were tried.
 */
bool mend_name_aside(struct mend_job *job, const char *path);

/* Asks below for something else than was asked; zeros but for these. */
void mend_ask(struct mend_job *job, struct csftp_req req, mend_step *then);

/* Open files (mend_file.c) */
void mend_file_init(struct mend *mend);
void mend_file_release(struct mend *mend);
/* NULL: it is not known. */
const struct mend_handle *mend_handle_of(const struct mend *mend, csftp_fh fh);
/* What is open by the first path, or below it, and what was by the second. */
void mend_renamed(struct mend *mend, const char *from, const char *to);

/* Sizes (mend_size.c): all operations go through there. */
void mend_size_init(struct mend *mend);

#endif
