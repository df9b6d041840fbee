/* A layer that spreads files over several connections to one server. */
#ifndef CSFTP_CORE_LAYER_SPREAD_H
#define CSFTP_CORE_LAYER_SPREAD_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * One connection carries no more than its window in a round trip, and answers
 * in order, so that what is small waits behind what is large.  With more than
 * one lane, the first carries names, attributes and directories, and the others
 * files: each is opened on that with the fewest bytes on their way.  So
 * metadata has a way of its own, and several large files each have their share.
 *
 * A file that has moved much, and has as much on its way as its lane takes, is
 * opened on the other lanes, too, by its path.  That is used once it is known
 * to be the same file: its size, times, mode and owner are compared, for which
 * WRITEs wait a moment.  From then on its READs and WRITEs go where there is
 * least to move; but those that overlap, READs that are mixed with WRITEs, and
 * all else about the handle keep their order, if need be by waiting.  Where a
 * lane says ESTALE, as it has lost its connection and has found another file in
 * that place, the others go on.  A file that is appended to stays on one lane.
 *
 * A lane is a csftp_fs that does what it is asked in order, as a connection to
 * a server does; lanes do not wait for each other.  Therefore
 *   - a file is opened on the lane where the same path is open already;
 *   - what is asked of a path goes where something that may change it (by that
 *     path, or one above or below it, or by a handle that was opened so) has
 *     not been answered yet; if that is so on two lanes, it waits until it is
 *     on one.
 * So what is asked behind a change finds it, as on one lane, without waiting
 * for its answer; but for a question by path about a file on several lanes,
 * which overtakes WRITEs.  The reverse is not promised: a question may find
 * what was changed behind it.  Links are not seen through: two names of one
 * file may be on two lanes.
 *
 * COPY_RANGE between files on two lanes answers EOPNOTSUPP.  One thread.
 */
struct spread;

#define SPREAD_LANES_MAX 16U

/*
 * Bytes on their way on each lane when one more is wanted: most of a usual
 * window, which is 2 MiB.
 */
#define SPREAD_FULL (3U << 19)

/* Bytes that a file has moved when it is worth more than one lane. */
#define SPREAD_LARGE (4U << 20)

struct spread_config {
	struct csftp_fs *first;
	uint32_t lanes_max; /* 1 to SPREAD_LANES_MAX */
	uint64_t full;	    /* bytes; 0: SPREAD_FULL */
	uint64_t large;	    /* bytes; 0: SPREAD_LARGE */
	/*
	 * A further lane would be of use; may be NULL.  Called again only after
	 * spread_add() or spread_give_up().  Not the place to add one.
	 */
	void (*want)(void *arg);
	/*
	 * A change by path was done on that lane; may be NULL.  What is open on
	 * the others by that path, or below it, is there still.
	 */
	void (*changed)(void *arg, const struct csftp_fs *lane,
			const struct csftp_req *req);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err spread_new(struct spread **out,
					   const struct spread_config *config);

/* Every request must have been answered; open handles go.  NULL is fine. */
void spread_free(struct spread *spread);

struct csftp_fs *spread_fs(struct spread *spread);

/*
 * One more; it has to outlive the layer, and carry at least what the first
 * carries in one piece.  CSFTP_ERR_ARG: there are lanes_max, or it does not.
 */
CSFTP_MUST_CHECK enum csftp_err spread_add(struct spread *spread,
					   struct csftp_fs *lane);

/* There will be none more. */
void spread_give_up(struct spread *spread);

uint32_t spread_lanes(const struct spread *spread);

#endif
