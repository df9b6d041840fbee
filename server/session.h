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

/* Who is served, as the log and the audit trail name them. */
struct session_peer {
	bool known; /* to a name service; else user is a number */
	char user[256];
	char home[4096];   /* "/" where the user has none */
	char address[256]; /* of SSH_CONNECTION; or "UNKNOWN" */
};

/*
 * Between session_open() and session_close() all of it stays where it is.  The
 * layers stand on each other from the tree up, each only if it has something
 * to do:
 *   posixfs, names (known users), quota, upload, rate, watch (log and audit)
 */
struct session {
	const struct server_options *options;
	struct session_peer peer;
	struct log log;
	struct audit *audit;
	char *jail; /* the canonical path of --root; NULL: none */
	struct csftp_fs *tree;
	struct csftp_fs *names;
	struct csftp_fs *quota;
	struct csftp_fs *upload;
	struct csftp_fs *rate;
	struct csftp_fs *watch;
	struct csftp_fs *top;
	struct csftp_serve *serve;
	/* The offset from UTC in the quarter of an hour asked for last. */
	bool zone_known;
	int64_t zone_quarter;
	int32_t zone_offset;
};

/*
 * Opens the log, the trail and the tree, and enters the sandbox.  False if the
 * session cannot be had; that has been said by then.  In any case it is to be
 * closed.
 */
bool session_open(struct session *session,
		  const struct server_options *options);

/* The engine closes what is open; then the rest goes. */
void session_close(struct session *session);

/*
 * For the loop, before each step: sleeps for as long as the streams have to be
 * left alone, both of them, so that the session keeps to its rate; not when
 * nobody reads standard output any more.
 */
void session_keep_pace(struct session *session);

/* To the log, and to standard error where that is not the log. */
__attribute__((format(printf, 2, 3))) void
session_fatal(struct session *session, const char *format, ...);

#endif
