/* A layer that lives on when the connection below it dies. */
#ifndef CSFTP_CORE_LAYER_SURVIVE_H
#define CSFTP_CORE_LAYER_SURVIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * The file system below is replaced while requests are out and handles are
 * open.  Handles of this layer stay; what was not answered is asked again of
 * the new one; askers see a pause.
 *
 * The owner calls survive_detach() once the old file system has answered all,
 * with errors, and survive_attach() with a new one.  What config.gone says
 * tells such errors from a server's.
 *
 * What is done after survive_attach(), in this order
 *   Renames that were on their way are asked again, so that paths are known.
 *   Each open handle is opened again by its path, which follows renames,
 *   without CREAT, TRUNC and EXCL.  Version 3 of SFTP names no inodes.  A file
 *   is held for the same if it is regular, has not shrunk, and has the size,
 *   the time of modification and the owner that it had, with nothing changed
 *   through this layer since.  One with the size and another time is another.
 *   Else some bytes that were read or written by the handle last, and that
 *   nothing of ours has changed since, are compared: who finds them in their
 *   place, or anywhere behind if they were appended, has found the file.  Where
 *   there are none, or they cannot be read, a file that has grown and is not
 *   older, or that was changed through this layer, is the same if its owner
 *   is.  Where it is another one, or cannot be opened, requests to the old
 *   handle fail with ESTALE or that error.  So do those to a file that was
 *   removed or replaced while it was open: it has no path.  Where a mode
 *   forbids to open for writing what is open for it, the mode is changed for
 *   that moment.
 *   All that waits is asked in the order in which it came.
 *   A request that has been the oldest without an answer at the end of
 *   SURVIVE_ENDS_MAX connections in a row fails with EIO: it is what they end
 *   for.
 *
 * Requests that may have been done already (those that were sent)
 *   WRITE repeats, as it has an offset.  To a file opened with APPEND what the
 *   file has behind the size that it should have is compared with what was
 *   sent; only what is missing is sent again.
 *   MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME and OPEN with EXCL are asked
 *   again; where the server says that it is so already, and it looks as this
 *   request would have left it (an empty file for OPEN, two names of one kind,
 *   owner, size and time for LINK), that is success.
 *   So is then what was no success before, such as UNLINK of what was never
 *   there: who asks had better look first, as kernels do.
 *   COPY_RANGE to a file opened with APPEND fails with EIO.
 *   READDIR goes on behind the names that were handed up: none comes twice,
 *   and none is left out that was there all the time.
 *   CLOSE of a file that was only read succeeds.  One that was written is
 *   opened again first: success means that all writes were acknowledged, and
 *   that the file is as long as they made it.  What a server had acknowledged
 *   and lost in a crash of its machine is not noticed otherwise: that is what
 *   FSYNC is for.
 *
 * While there is no connection
 *   Requests wait, up to timeout_ms after it was lost; then they, and all that
 *   come, fail with EIO until there is one.  Deadlines of requests hold, and a
 *   request that waits can be cancelled at once.  STATFS is answered, for
 *   whatever path, with what it was last for the shortest one.
 *
 * Memory is allocated for handles, 3 KiB for one that is read or written by,
 * and 8 bytes for each name of a directory
 * that is being read.  One thread.
 */
struct survive;

#define SURVIVE_ENDS_MAX 16U

struct survive_config {
	/* A steady clock in milliseconds, that of csftp_req.deadline_ms. */
	uint64_t (*now_ms)(void *arg);
	/*
	 * Whether the file system below has lost its connection: true from the
	 * moment when it answers with errors for that reason.  An ENOTCONN then
	 * says that the request was not sent.
	 */
	bool (*gone)(void *arg);
	void *arg;
	/* What is promised above; WRITE is split where below takes less. */
	uint32_t max_read;
	uint32_t max_write;
	uint32_t traits;     /* CSFTP_FS_PARTS, where all below have it */
	uint64_t timeout_ms; /* 0: requests wait for ever */
	bool fail;	     /* they do not wait at all; handles live on */
};

/* Without a connection at first.  CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err
survive_new(struct survive **out, const struct survive_config *config);

/* After survive_end().  Nothing may be pending.  NULL is fine. */
void survive_free(struct survive *survive);

struct csftp_fs *survive_fs(struct survive *survive);

/* The file system has to outlive the next survive_detach() or _end(). */
void survive_attach(struct survive *survive, struct csftp_fs *under);

/* The old file system is gone: all it had was answered. */
void survive_detach(struct survive *survive);

/* What waits, and all that comes, fails with EIO until the next attach. */
void survive_refuse(struct survive *survive);

/* The same for good; errors of a lost connection go up from now on. */
void survive_end(struct survive *survive);

/*
 * A change by path that was done at the server by another way: what is open
 * goes with its name, and is not held for another file.
 */
void survive_heard(struct survive *survive, const struct csftp_req *req);

/* Whether everything that waited has been asked again. */
bool survive_is_up(const struct survive *survive);

/* Requests that wait for a connection. */
uint32_t survive_waiting(const struct survive *survive);

/* Requests below that can take their time without an answer: FSYNC, copies. */
uint32_t survive_slow(const struct survive *survive);

/* Connections in a row that ended at one and the same request. */
uint32_t survive_stuck(const struct survive *survive);

/* Handles that could not be kept, so far. */
uint32_t survive_stale(const struct survive *survive);

/* So much of the time that has passed was no waiting: its owner was stopped. */
void survive_paused(struct survive *survive, uint64_t ms);

/* What is due; returns the next time to call at, 0: not needed. */
uint64_t survive_tick(struct survive *survive);

#endif
