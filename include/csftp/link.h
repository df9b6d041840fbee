/* The two byte streams of one SFTP session, as an engine sees them. */
#ifndef CSFTP_LINK_H
#define CSFTP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Both SFTP engines (csftp/serve.h, csftp/remote.h) take bytes and give bytes
 * through a link of theirs.  The owner of the fd, the socket or the channel
 * moves them:
 *
 *   room to read to     csftp_link_in(), then csftp_link_in_ack()
 *   bytes to write      csftp_link_out(), then csftp_link_out_ack()
 *   work to go on with  csftp_link_work()
 *
 * Any split of either stream is as good as any other.  Packets are handled,
 * and requests answered, inside in_ack, out_ack, csftp_link_work() and
 * csftp_link_close().
 *
 * A link belongs to its engine and lives as long.  One thread.
 */
struct csftp_link;

#define CSFTP_WANT_IN	0x1U /* there is room to read to */
#define CSFTP_WANT_OUT	0x2U /* there are bytes to write */
#define CSFTP_WANT_WORK 0x4U /* csftp_link_work() has something to do */

/*
 * What the engine can use now; 0 while it waits for answers of its file
 * system, or has ended and has nothing left to send.  Output is to be sent
 * even after an error.
 */
CSFTP_API unsigned csftp_link_wants(const struct csftp_link *link);

/*
 * Where the next input goes, and how much fits there (0: none now).  The
 * pointer is good until the next call on the engine.
 */
CSFTP_API uint8_t *csftp_link_in(struct csftp_link *link, size_t *room);

/*
 * The same for input that is not to be believed yet, of which `left` bytes are
 * known to come: each call tells where the next ones go, those of the calls
 * before taken for there; NULL: the rest comes by csftp_link_in(), later.
 * csftp_link_in_ack() of them all says that they are good.  Until then the
 * engine handles nothing, and there is no other way but csftp_link_close().
 */
CSFTP_API uint8_t *csftp_link_place(struct csftp_link *link, size_t left,
				    size_t *room);

/*
 * The first len bytes of that room hold input.  An error is final: the peer
 * broke the framing or the protocol, and no input is taken any more.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_link_in_ack(struct csftp_link *link, size_t len);

/*
 * Up to max slices of output, in order; returns how many.  They are good until
 * the next call on the engine.  Slices of a pipe (csftp/fs.h) come only from an
 * engine that was given one.
 */
CSFTP_API size_t csftp_link_out(const struct csftp_link *link,
				struct csftp_slice *slice, size_t max);

/*
 * Does a piece of what takes longer, such as hashing a file.  As long as the
 * link wants it, call it whenever there is nothing else to do, and do not
 * sleep; so that input and output have their turn in between.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_link_work(struct csftp_link *link);

/* The first len bytes of the output have been taken. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_link_out_ack(struct csftp_link *link, size_t len);

/*
 * The stream is gone, or is to go; why is CSFTP_ERR_EOF where the peer closed
 * it.  The client answers all its requests, the server closes all its handles.
 */
CSFTP_API void csftp_link_close(struct csftp_link *link, enum csftp_err why);

/*
 * Of an engine that borrows its buffers: there was none for what it had to do.
 * Call csftp_link_in_ack() with 0 bytes once there is one, then go on as ever.
 */
CSFTP_API bool csftp_link_starved(const struct csftp_link *link);

/* The first error, or CSFTP_OK while the link works. */
CSFTP_API enum csftp_err csftp_link_error(const struct csftp_link *link);

#endif
