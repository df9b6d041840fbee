/* The SFTP server engine: serves any csftp_fs to one client. */
#ifndef CSFTP_SERVE_H
#define CSFTP_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "csftp/link.h"

/*
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions
 * (OpenSSH PROTOCOL, section 4), check-file-handle, check-file-name,
 * space-available and copy-file (filexfer-extensions-00), check-file, which
 * others made of the first, and vendor-id (filexfer-13, 4.4): one engine, one
 * session.  It holds no fd and no clock; bytes go through csftp_serve_link().
 *
 * Every request that has an id gets exactly one answer: BAD_MESSAGE where its
 * fields do not decode, OP_UNSUPPORTED where its kind is unknown.  A packet
 * without an id, or above the packet limit, ends the session.  Replies of a
 * file system that answers later may come out of order (filexfer-02, 6), and so
 * does that of check-file, which is worked on in pieces (csftp_link_work()).
 *
 * A client that does not read its answers stops being read: memory is allocated
 * by csftp_serve_new() and not later.  One thread.
 */
struct csftp_serve;

/* What the engine takes and announces (limits@openssh.com). */
#define CSFTP_SERVE_PACKET_MAX (256U * 1024U)
#define CSFTP_SERVE_DATA_MAX   (CSFTP_SERVE_PACKET_MAX - 1024U)

/*
 * The requests that a client can make, by the names that OpenSSH's sftp-server
 * has for them ("open", "posix-rename", ...).  Their numbers begin with 0 and
 * have no gap; they are good for this version of the library only.
 */

/* The number of a request; -1 where no request has that name. */
CSFTP_API int csftp_serve_request(const char *name);

/* The name of a request; static; NULL where no request has that number. */
CSFTP_API const char *csftp_serve_request_name(int request);

/*
 * What the policy has refused, as far as its fields could be read: paths as
 * they were sent, of any bytes and any length; ptr is NULL where there is none.
 */
struct csftp_refusal {
	const char *name; /* of the request */
	struct csftp_slice path;
	struct csftp_slice path2;
	const csftp_fh *fh; /* of the open handle that was meant; NULL: none */
};

/* Zero means the default given. */
struct csftp_serve_config {
	struct csftp_fs *fs;
	/*
	 * Policy.  A request that is denied is answered with PERMISSION_DENIED
	 * whatever its fields say, and nothing of it reaches the file system;
	 * an extension that is denied is not announced.  A denied "close"
	 * leaves handles open until the session ends.
	 */
	uint64_t denied; /* a bit for each request: 1 << its number */
	bool read_only;	 /* what writes is denied, and OPEN for writing */
	/*
	 * Called for each request that the policy refuses, before it is
	 * answered.  May be NULL.
	 */
	void (*refused)(void *arg, const struct csftp_refusal *refusal);
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
	/*
	 * Called with a line, without newline, for each request that is taken
	 * up and each answer: "<- 7 OPEN "a b" pflags 0x1", "-> 7 STATUS 0
	 * "Success"".  It is printable ASCII whatever the client sends, and of
	 * payload it has the length only.  May be NULL, and then costs nothing.
	 */
	void (*trace)(void *arg, const char *line);
	/*
	 * A pool: buffers of CSFTP_SERVE_BUF bytes, aligned as malloc's are.
	 * One is borrowed for input and one for output while there is some, and
	 * one for a check-file, so an idle session has none.  While the pool
	 * has none to give, the session waits: csftp_link_starved().  Both
	 * NULL: the engine allocates its own.
	 */
	void *(*buf_get)(void *arg);
	void (*buf_put)(void *arg, void *buf);
	void *arg;
};

#define CSFTP_SERVE_BUF (576U * 1024U)

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_serve_new(struct csftp_serve **out,
		const struct csftp_serve_config *config);

/*
 * The same in memory of the caller's, csftp_serve_size() bytes, aligned as
 * malloc's is; it stays put and ends with csftp_serve_release().  With a pool,
 * and a file system with CSFTP_FS_INLINE or CSFTP_FS_PROMPT, nothing is
 * allocated then.  handles
 * as in the config.
 */
CSFTP_API size_t csftp_serve_size(uint32_t handles);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_serve_init(struct csftp_serve **out, void *memory,
		 const struct csftp_serve_config *config);
CSFTP_API void csftp_serve_release(struct csftp_serve *serve);

/*
 * Closes what is still open, as csftp_serve_release() does.  Requests that the
 * file system has not answered must have been answered before: see
 * csftp_serve_pending().  NULL is fine.
 */
CSFTP_API void csftp_serve_free(struct csftp_serve *serve);

CSFTP_API struct csftp_link *csftp_serve_link(struct csftp_serve *serve);

/*
 * Answers to READ may take this pipe, which must be empty, past the memory of
 * the engine; the output has slices of it then.  It stays the caller's, and
 * lives until it is taken back with NULL, or the engine goes.  Only a file
 * system with CSFTP_FS_INLINE is offered it, and one answer uses it at a time.
 */
CSFTP_API void csftp_serve_pipe(struct csftp_serve *serve,
				struct csftp_pipe *pipe);

/* Requests that the file system has not answered yet. */
CSFTP_API uint32_t csftp_serve_pending(const struct csftp_serve *serve);

#endif
