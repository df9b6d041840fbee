/* The SFTP server engine: serves any csftp_fs to one client. */
#ifndef CSFTP_SERVE_H
#define CSFTP_SERVE_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "csftp/link.h"

/*
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions
 * (OpenSSH PROTOCOL, section 4): one engine, one session.  It holds no fd and
 * no clock; bytes go through csftp_serve_link().
 *
 * Every request that has an id gets exactly one answer: BAD_MESSAGE where its
 * fields do not decode, OP_UNSUPPORTED where its kind is unknown.  A packet
 * without an id, or above the packet limit, ends the session.  Replies to a
 * file system that answers later may come out of order (filexfer-02, 6).
 *
 * A client that does not read its answers stops being read: memory is
 * allocated by csftp_serve_new() and not later.  One thread.
 */
struct csftp_serve;

/* What the engine takes and announces (limits@openssh.com). */
#define CSFTP_SERVE_PACKET_MAX (256U * 1024U)
#define CSFTP_SERVE_DATA_MAX   (CSFTP_SERVE_PACKET_MAX - 1024U)

/* Zero means the default given. */
struct csftp_serve_config {
	struct csftp_fs *fs;
	uint32_t handles; /* files and directories open at once: 1024 */
	/*
	 * Names for the numbers in "ls -l" lines; may be NULL, and may answer
	 * NULL: then the number itself is shown.  kind is CSFTP_ID_USER or
	 * CSFTP_ID_GROUP.  The name is good until the next call.
	 */
	const char *(*idname)(void *arg, uint32_t kind, uint32_t id);
	/*
	 * "ls -l" lines show the date as of this clock: seconds since 1970,
	 * and seconds east of UTC.  May be NULL: then UTC, with the year.
	 */
	void (*clock)(void *arg, int64_t when, int64_t *now, int32_t *offset);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_serve_new(struct csftp_serve **out,
		const struct csftp_serve_config *config);

/*
 * Closes what is still open.  Requests that the file system has not answered
 * must have been answered before: see csftp_serve_pending().  NULL is fine.
 */
CSFTP_API void csftp_serve_free(struct csftp_serve *serve);

CSFTP_API struct csftp_link *csftp_serve_link(struct csftp_serve *serve);

/* Requests that the file system has not answered yet. */
CSFTP_API uint32_t csftp_serve_pending(const struct csftp_serve *serve);

#endif
