/* One session: a tree of files below the layers that the options ask for. */
#ifndef CSFTP_SERVER_SESSION_H
#define CSFTP_SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/fs.h"
#include "csftp/serve.h"
#include "server/audit.h"
#include "server/log.h"
#include "server/options.h"
#include "server/tree.h"

/*
 * Where the engine lives, csftp_serve_size(0) bytes, and the pool that it
 * borrows buffers from (csftp/serve.h); memory NULL: all is its own.
 */
struct session_room {
	void *memory;
	void *(*buf_get)(void *arg);
	void (*buf_put)(void *arg, void *buf);
	void *arg;
};

/*
 * Between session_open() and session_close() all of it stays where it is.  The
 * layers stand on each other from the tree up, each only if it has something
 * to do:
 *   the tree, quota, upload, rate, watch (log and audit)
 */
struct session {
	struct tree *tree;
	const struct server_options *options;
	struct log *log;
	const char *user; /* as the log and the audit trail name it */
	const char *address;
	struct audit *audit;
	struct csftp_fs *quota;
	struct csftp_fs *upload;
	struct csftp_fs *rate;
	struct csftp_fs *watch;
	struct csftp_fs *top; /* at first, what the layers stand on */
	struct csftp_serve *serve;
	struct session_room room;
	bool opened;
};

/* Texts live as long as the session. */
struct session_config {
	struct tree *tree;
	/* A layer of the caller's on the tree, which outlives it; or NULL. */
	struct csftp_fs *files;
	/* NULL: the tree's; of these, what is a session's counts here. */
	const struct server_options *options;
	const char *user;     /* NULL: the tree's */
	const char *address;  /* the peer's */
	const char *audit_to; /* NULL: as the options say; see audit.h */
	struct session_room room;
};

/*
 * Opens the trail and builds the layers and the engine.  False if the session
 * cannot be had; that has been said by then.  In any case it is to be closed.
 */
bool session_open(struct session *session, const struct session_config *config);

/*
 * The engine closes what is open; then the rest goes.  On files that can answer
 * later that is to be begun by session_end(), and gone on with once
 * session_is_done() says so.
 */
void session_close(struct session *session);

void session_end(struct session *session);

/* Whether no request of the session is without an answer. */
bool session_is_done(const struct session *session);

/*
 * What the policy refuses, to log and trail, in OpenSSH's words; arg is the
 * session.  The engine calls it; others that keep to the same policy do.
 */
void session_refused(void *arg, const struct csftp_refusal *refusal);

/*
 * Microseconds for which the streams have to be left alone, both of them, so
 * that the session keeps to its rate.
 */
uint64_t session_wait_us(const struct session *session);

#endif
