/* Inside the upload layer: the state that its source files share. */
#ifndef CSFTP_CORE_LAYER_UPLOAD_IMPL_H
#define CSFTP_CORE_LAYER_UPLOAD_IMPL_H

#include "core/layer/relay.h"
#include "core/layer/upload.h"

/* A file on its way.  Once published it is an open file like others. */
struct upload_file {
	struct upload_file *next;
	csftp_fh fh;
	unsigned holds; /* jobs that use its paths, and the open handle */
	bool exclusive; /* must not replace what has come to exist */
	bool published;
	int err; /* the first that a WRITE or COPY_RANGE had */
	char asked[CSFTP_PATH_MAX + 1];	 /* the path of OPEN */
	char target[CSFTP_PATH_MAX + 1]; /* where that leads */
	char temp[CSFTP_PATH_MAX + 1];
};

struct upload_job {
	struct relay_job job;	  /* first */
	struct upload_file *file; /* held; NULL: none */
	struct csftp_attr attr;
	bool replaces; /* there is an old file; attr has what to keep of it */
	bool forced;
	unsigned tries;
	csftp_fh fh;
	int err;
};

struct upload {
	struct relay relay; /* first */
	struct upload_config config;
	struct upload_file *files; /* the latest first */
	uint64_t names;		   /* made so far */
};

typedef void upload_step(struct csftp_req *req,
			 const struct csftp_reply *reply);

/* Goes on with another request than the one before. */
void upload_ask(struct upload_job *job, const struct csftp_req *req,
		upload_step *then);

/* The latest that is not published; NULL where there is none. */
struct upload_file *upload_by_path(const struct upload *upload,
				   const char *path);

/* A job that uses the file, which may be closed meanwhile. */
void upload_hold(struct upload_job *job, struct upload_file *file);

void upload_let_go(struct upload_job *job);

/* Ends a job: the answer from below is its own. */
void upload_answered(struct csftp_req *req, const struct csftp_reply *reply);

/* upload_open.c */
void upload_open(struct csftp_fs *fs, struct csftp_req *req);

#endif
