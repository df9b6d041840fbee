/* The audit trail: one line of JSON for each operation. */
#ifndef CSFTP_SERVER_AUDIT_H
#define CSFTP_SERVER_AUDIT_H

#include <stdint.h>

#include "core/layer/watch.h"
#include "server/log.h"

/*
 * A line is one JSON object (RFC 8259) in ASCII but for printable UTF-8, and
 * one write(2).  Its members, in this order, where they mean something:
 *
 *   lost      how many operations before it have no line; see below
 *   time      when it ended, UTC (RFC 3339), with microseconds
 *   session   16 hex digits, the same in all lines of a session
 *   user, peer
 *   op        "session-open", "session-close", or as "csftp-server -Q requests"
 *   path, path2
 *             as asked for, or as the handle was opened; with U+FFFD for bytes
 *             that are no UTF-8.  Then there is also
 *   path_hex, path2_hex: all of its bytes in hexadecimal
 *   flags     open: as in the log
 *   mode, size, uid, gid, mtime
 *             open, mkdir and those of setstat: what was asked for; the mode
 *             is a string of octal digits, the time seconds since 1970
 *   offset    read, write, copy-data
 *   bytes     moved by read, write, copy-data
 *   names     given by readdir
 *   read, written
 *             close: the sums of the handle, in bytes
 *   forced    close: true where the session ended before
 *   refused   true where the policy did not let it pass (-R, -P, -p)
 *   error     the errno's name ("ENOENT"), or null
 *   us        how long it took, in microseconds
 *
 * A line that cannot be written is kept and tried again, and until it is
 * written nothing else is done: an audit that loses what happened while the
 * disk was full would be worth little, as filling the disk is easy.  So at
 * most one operation is done that has no line yet.  What ends in that time all
 * the same (a refused operation, CLOSE) is counted in "lost".  After half a
 * line was written, the next begins with a newline: a line that is no JSON is
 * such a half.
 *
 * One thread.
 */
struct audit_config {
	const char *target; /* "syslog", "fd:N", or a file's path */
	struct log *log;    /* for "syslog", and for what goes wrong */
	const char *user;
	const char *peer;
	uint64_t session;
};

struct audit;

/*
 * A file is made with mode 0600 where there is none.  CSFTP_ERR_NOMEM,
 * CSFTP_ERR_ARG for what is no such target, CSFTP_ERR_IO with errno.
 */
CSFTP_MUST_CHECK enum csftp_err audit_open(struct audit **out,
					   const struct audit_config *config);

/*
 * Whether "fd:N" names a descriptor that can be written to: 0, or the errno of
 * audit_open().  Of other targets it says nothing.
 */
int audit_check(const char *target);

/* Leaves a descriptor that was given open.  NULL is fine. */
void audit_close(struct audit *audit);

/* 0, or the errno that all requests are answered with until it works again. */
int audit_admit(struct audit *audit);

void audit_event(struct audit *audit, const struct watch_event *event);

/* A request that the policy refused, with EACCES; a path may be NULL. */
void audit_refused(struct audit *audit, const char *name, const char *path,
		   const char *path2);

/* "session-open" and "session-close"; an errno if it could not be written. */
int audit_session(struct audit *audit, const char *op);

#endif
