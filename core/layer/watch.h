/* A layer that tells of each operation once it is finished. */
#ifndef CSFTP_CORE_LAYER_WATCH_H
#define CSFTP_CORE_LAYER_WATCH_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * It changes nothing that it passes: requests go below with their payload
 * where it is, answers come back as they are, whatever their data is made of.
 * Nothing is allocated once it has seen the session's busiest moment.  Who
 * wants to watch nothing leaves the layer out.
 *
 * It remembers the path that each handle was opened by.  A rename does not
 * change that.
 *
 * Nothing here knows a clock: time is what config.clock_us says.  One thread.
 */
struct watch_event {
	/* As asked; its op says which other fields mean something. */
	const struct csftp_req *req;
	/* As answered; valid during the call. */
	const struct csftp_reply *reply;
	/*
	 * The request's paths, or those that its handles were opened by.
	 * NULL: it has none, or the handle is no open one.
	 */
	const char *path;
	const char *path2;
	/*
	 * What was moved: READ, WRITE and COPY_RANGE bytes, READDIR names.
	 * 0 on errors.
	 */
	uint64_t count;
	uint64_t start_us; /* config.clock_us, before and after */
	uint64_t end_us;
	/* CLOSE: of a directory; and the sums of a file, in bytes. */
	bool directory;
	uint64_t read;
	uint64_t written;
};

struct watch_config {
	struct csftp_fs *under;
	/*
	 * May be NULL.  Called before an operation goes below: an errno that
	 * is its answer in place of doing it, or 0.  Not for CLOSE, which has
	 * to be done in any case.  The operation is told of all the same.
	 */
	int (*admit)(void *arg, const struct csftp_req *req);
	/* After each operation, before its asker has the answer. */
	void (*finished)(void *arg, const struct watch_event *event);
	uint64_t (*clock_us)(void *arg); /* NULL: always 0 */
	void *arg;
};

/* CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err watch_new(struct csftp_fs **out,
					  const struct watch_config *config);

/*
 * The path that an open handle was opened by; NULL where it is none.  Good
 * until the next request.
 */
const char *watch_path(const struct csftp_fs *fs, csftp_fh fh);

/* Every request must have been answered.  NULL is fine. */
void watch_free(struct csftp_fs *fs);

#endif
