/* The connection to the server, made again when it dies. */
#ifndef CSFTP_FUSEFS_LINE_H
#define CSFTP_FUSEFS_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "csftp/remote.h"
#include "csftp/stream.h"
#include "fusefs/connect.h"

/*
 * A line has a stream and a client engine on it, as long as there is a
 * connection, and a file system that outlives them (core/layer/survive.h).
 *
 * A connection is given up when its stream ends or breaks, or when something
 * waits for the server and it is silent: after 5 s without a byte it is asked
 * for a trifle, and after 5 s more it is gone.  Servers that work on one thing
 * at a time can be silent longer, so that the time is doubled each time that a
 * new connection comes at once; and FSYNC and copies have a minute, as ssh and
 * TCP look after the peer, too.
 *
 * A new one is tried a fifth of a second later, then after times that double
 * up to 30 s, give or take a quarter.  Nothing is asked of any person then.
 * When the server refuses who we are, what waits fails, and the next try is
 * five minutes later: a server that is starting may lack the keys for a while.
 *
 * One thread; connecting may use another.
 */
struct line;

struct line_config {
	struct connector *connector;
	const char *host;    /* for messages */
	uint32_t number;     /* of those that there are; the first is 0 */
	bool once;	     /* it cannot be made again */
	bool fail;	     /* nothing waits for a connection */
	uint64_t timeout_ms; /* 0: without end */
	uint32_t max_read;   /* bytes of one READ; 0: what the server takes */
	uint32_t max_write;
	/* Sentences without newline. */
	void (*log)(void *arg, const char *text);
	/* As csftp_remote_config has them, with the line's number. */
	void (*sent)(void *counts, uint32_t number, uint32_t slot,
		     unsigned message, uint64_t bytes);
	void (*ended)(void *counts, uint32_t number, uint32_t slot,
		      unsigned message, bool failed);
	/* A connection is there; it is gone. */
	void (*up)(void *counts, uint32_t number);
	void (*down)(void *counts, uint32_t number);
	void *counts;
	void *arg;
};

CSFTP_MUST_CHECK enum csftp_err line_new(struct line **out,
					 const struct line_config *config);

/* After line_stop(), if it was started.  NULL is fine. */
void line_free(struct line *line);

/*
 * The first connection, without an event loop; blocks until requests can be
 * asked.  Errors as connect_open() and the stream have them.
 */
CSFTP_MUST_CHECK enum csftp_err line_open(struct line *line);

/* Those of now; the remote is NULL without a connection. */
struct csftp_stream *line_stream(struct line *line);
struct csftp_remote *line_remote(struct line *line);

/*
 * Whether the server is known to do as OpenSSH: also without a connection, once
 * there was one.
 */
bool line_is_sound(struct line *line);
/* The same, whether it has a RENAME that replaces what is there. */
bool line_replaces(void *line);

/* Good as long as the line; needs line_begin(). */
struct csftp_fs *line_fs(struct line *line);

/* A change by path that was done by another line; see survive_heard(). */
void line_heard(struct line *line, const struct csftp_req *req);

/*
 * From here on line_fs() is asked, and connections may die.  Without
 * line_open() the first is made when something is asked.
 */
CSFTP_MUST_CHECK enum csftp_err line_begin(struct line *line);

/*
 * What programs that carry the first connection go on to say comes from fd,
 * which is the line's from now on and does not block; -1 is fine.  Before
 * line_start().
 */
void line_listen(struct line *line, int fd);

/*
 * Joins an event loop.  turned is called after each event of the line, so that
 * what it made possible is done.  An errno of libuv's, or 0.
 */
CSFTP_MUST_CHECK int line_start(struct line *line, uv_loop_t *loop,
				void (*turned)(void *arg), void *arg);

/* Its handles are closed when the loop has run on. */
void line_stop(struct line *line);

/* What is due at now_ms of CLOCK_MONOTONIC; when to call again, 0: not. */
uint64_t line_tick(struct line *line, uint64_t now_ms);

/* Before line_tick(): of the time since the last, so much did not count. */
void line_paused(struct line *line, uint64_t ms);

/* Goes on with input that had to wait. */
void line_work(struct line *line);

/* Whether bytes are there to be written; and writes them. */
bool line_wants_out(const struct line *line);
void line_write(struct line *line);

/* Polls for what it wants, for output only if that is not held back. */
enum line_output { LINE_OUTPUT_NOW, LINE_OUTPUT_HELD };
void line_watch(struct line *line, enum line_output output);

/* Whether all that was asked has a server to answer it, and not an error. */
bool line_is_up(const struct line *line);

/* Whether requests wait for a connection. */
bool line_is_waited_for(const struct line *line);

/*
 * Without a connection: why there is none, in one line, or NULL where none was
 * tried; and when the next one is tried, of CLOCK_MONOTONIC, or 0 where that is
 * not known.  Good until the line goes on.
 */
const char *line_why(const struct line *line);
uint64_t line_next_try_ms(const struct line *line);

/* Whether the very first one was tried to be made, and could not be. */
bool line_has_failed(const struct line *line);

/* Whether another thread is at it, for which the loop would have to wait. */
bool line_is_connecting(const struct line *line);

/* Says, where requests wait, that this is what the end waits for. */
void line_say_draining(struct line *line, unsigned seconds);

/* Tries at once. */
void line_retry(struct line *line);

/*
 * Called with line_config.arg for each SFTP message of this and of later
 * connections, as csftp_remote_config.trace; NULL: no more.
 */
void line_set_trace(struct line *line,
		    void (*trace)(void *arg, const char *line));

/* For good: all that waits is answered, with errors. */
void line_end(struct line *line);

#endif
