/* A layer that answers writes before they are done. */
#ifndef CSFTP_CORE_LAYER_WRITEBEHIND_H
#define CSFTP_CORE_LAYER_WRITEBEHIND_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * A WRITE is answered when the layer has it.  Writes that follow each other in
 * a file are put together to WRITEs as long as the file system below takes
 * them; one that is not full waits for more only while others of its file are
 * on their way.  Payload that comes in a csftp_buf is not copied where the file
 * system below takes pieces (CSFTP_FS_PARTS), or where it is a piece as it is.
 *
 * What is not done yet is bounded, in bytes and in number; above that, writers
 * wait.  How much of it is under way below at a time (the window) doubles as
 * long as that brings a quarter more bytes in a time, or answers take no longer
 * than they did; over a short way up to 8 MiB.  So others do not wait behind
 * more bulk than the connection asks for.
 *
 * An error is reported once, by the next WRITE, FSYNC, FLUSH or CLOSE of the
 * handle that was written with.  CLOSE goes right behind the last write, and
 * its answer waits for all of them (see enum writebehind_durability).
 *
 * Order: a request about a file with writes that are not done goes after them.
 * READ elsewhere in it, GETATTR and READDIR do not wait: what they are answered
 * has the size and the times that the file will have.  Mode and times of a file
 * that the handle's OPEN made travel with its writes, and what would change
 * nothing is not sent.  Names are compared byte by byte: a second name of a
 * file, be it through a link, is another file to the layer.
 *
 * With WRITEBEHIND_ASYNC an OPEN that makes a file is answered before it is
 * done, too.  For that it must be known that there is no such file, and that it
 * can be made: another one was, in the same directory within 20 seconds, or
 * beside that directory if we made it.  That one also tells what the file will
 * have.  What is asked of the file travels behind its OPEN; what is asked about
 * its name or its directory waits for that.  If the OPEN fails, so does each
 * request with the handle; who had closed it, or never wrote to it, lost it.
 * EXCL does not exclude another machine then, which has EEXIST told late.  No
 * more than 256 files are made so at a time.
 *
 * Who asks the server for other things should not wait for more than twice the
 * way: so no more is under way below than way.h says, and where the way is
 * shorter than a WRITE takes, they are shorter while somebody asks.
 *
 * WRITEs of any length are taken.  Memory is kept for reuse, for a while; where
 * there is none, the answer is ENOMEM.  One thread.
 */
struct writebehind;

enum writebehind_durability {
	WRITEBEHIND_CLOSE, /* CLOSE and FLUSH wait for the server */
	WRITEBEHIND_FSYNC, /* ... and for its disk */
	WRITEBEHIND_SYNC,  /* nothing is answered early */
	WRITEBEHIND_ASYNC  /* nothing waits but FSYNC */
};

/* Zero means the default given. */
struct writebehind_config {
	struct csftp_fs *under;
	/* A steady clock in milliseconds, not 0. */
	uint64_t (*now_ms)(void *arg);
	/* An error that nobody can be told of any more; may be NULL. */
	void (*lost)(void *arg, const char *path, int err);
	/*
	 * ASYNC: whether it is known that the directory of that path is there,
	 * and has no such name.  NULL: it never is.
	 */
	bool (*absent)(void *arg, const char *path);
	/*
	 * The way to the server and back in microseconds, if the answer to a
	 * question would stand behind WRITEs; 0: it would not, or that is not
	 * known.  ago_ms: since somebody has asked last.  May be NULL.
	 */
	uint64_t (*trip_us)(void *arg, uint64_t *ago_ms);
	void *arg;
	enum writebehind_durability durability;
	uint64_t bytes_max;    /* not done yet: 64 MiB */
	uint32_t window_first; /* bytes under way below at first: 2 MiB */
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err
writebehind_new(struct writebehind **out,
		const struct writebehind_config *config);

/* Nothing may be pending.  NULL is fine. */
void writebehind_free(struct writebehind *wb);

struct csftp_fs *writebehind_fs(struct writebehind *wb);

/* What was answered and is not done, or waits for that. */
uint32_t writebehind_pending(const struct writebehind *wb);

/*
 * Gives back memory that was not used for a while; when to call again, on the
 * clock of the config, 0: when something was asked.
 */
uint64_t writebehind_tick(struct writebehind *wb);

struct writebehind_counts {
	uint64_t bytes;	 /* of payload, not done now */
	uint32_t steps;	 /* WRITEs and the like, not done now */
	uint64_t most;	 /* ... at any time */
	uint64_t writes; /* WRITEs sent below */
	uint64_t window; /* now */
};
struct writebehind_counts writebehind_counts(const struct writebehind *wb);

#endif
