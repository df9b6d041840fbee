/* The connections to the server: one, and more where that is of use. */
#ifndef CSFTP_FUSEFS_LINES_H
#define CSFTP_FUSEFS_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "fusefs/line.h"

/*
 * The first line is the owner's; it has been begun.  Further ones, up to max in
 * all, are made when those that there are have as much on their way as a
 * connection takes (core/layer/spread.h), and only added once they are there:
 * a server that lets nobody in twice, or an ssh that would have to ask for a
 * password, leaves it at what there is, and that is logged.  From then on each
 * is made again when it dies.
 *
 * What they do not say is in line.h; these do it with all of them.
 */
struct lines;

struct lines_config {
	struct line *first;
	uint32_t max; /* 1 to 16 */
	/* For the further ones: */
	const struct connector *connector; /* the first line's */
	const char *host;
	uint64_t timeout_ms;
	uint32_t max_read;
	uint32_t max_write;
	bool fail;
	void (*log)(void *arg, const char *text);
	void (*sent)(void *counts, uint32_t number, uint32_t slot,
		     unsigned message, uint64_t bytes);
	void (*ended)(void *counts, uint32_t number, uint32_t slot,
		      unsigned message, bool failed);
	void (*up)(void *counts, uint32_t number);
	void (*down)(void *counts, uint32_t number);
	void *counts;
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err lines_new(struct lines **out,
					  const struct lines_config *config);

/* After lines_stop(), if they were started.  NULL is fine. */
void lines_free(struct lines *lines);

struct csftp_fs *lines_fs(struct lines *lines);

CSFTP_MUST_CHECK int lines_start(struct lines *lines, uv_loop_t *loop,
				 void (*turned)(void *arg), void *arg);
void lines_stop(struct lines *lines);
void lines_paused(struct lines *lines, uint64_t ms);
uint64_t lines_tick(struct lines *lines, uint64_t now_ms);

/* Also makes a line more where one is wanted. */
void lines_work(struct lines *lines);
bool lines_want_out(const struct lines *lines);
void lines_write(struct lines *lines);
void lines_watch(struct lines *lines, enum line_output output);

/* The first is up, and none of the others has anybody wait for it. */
bool lines_are_up(const struct lines *lines);
bool lines_are_waited_for(const struct lines *lines);
bool lines_are_connecting(const struct lines *lines);
void lines_say_draining(struct lines *lines, unsigned seconds);
void lines_retry(struct lines *lines);
void lines_set_trace(struct lines *lines,
		     void (*trace)(void *arg, const char *line));
void lines_end(struct lines *lines);

#endif
