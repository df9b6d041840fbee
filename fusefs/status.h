/* What goes on inside a mount, counted and told. */
#ifndef CSFTP_FUSEFS_STATUS_H
#define CSFTP_FUSEFS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layer/meter.h"
#include "core/layer/spread.h"
#include "core/sftp/msg.h"
#include "csftp/remote.h"
#include "fusefs/facts.h"
#include "fusefs/fusefs.h"
#include "fusefs/layers.h"
#include "fusefs/line.h"
#include "fusefs/options.h"

/* As many as remotefs can have. */
#define STATUS_SLOTS 1024U

/* Connections at a time. */
#define STATUS_LINES SPREAD_LANES_MAX

/* One request on its way. */
struct status_slot {
	uint64_t began_us;
	uint64_t bytes;
	bool used;
};

/* One connection, which may have been made again. */
struct status_line {
	uint64_t connected_us; /* since when it is as it is */
	uint32_t connections;  /* that there have been */
	bool up;
	uint64_t sent; /* messages */
	uint64_t in_flight;
	uint64_t read_bytes;  /* asked for by READs in flight */
	uint64_t write_bytes; /* in WRITEs in flight */
	struct status_slot slots[STATUS_SLOTS];
};

/*
 * Counting is a few additions for each message; all else is done when somebody
 * asks.  Nothing here asks the server or waits.  One thread.
 */
struct status {
	const struct options *options;
	const char *transport;	     /* what carries it; when asked */
	struct fusefs *f;	     /* NULL: not mounted yet */
	struct layers *layers;	     /* NULL: there are none yet */
	struct csftp_remote *remote; /* NULL: there is none now */
	const struct line *line;     /* the first */
	uint64_t began_us;
	bool tracing;
	struct status_line first;
	struct status_line *more[STATUS_LINES - 1]; /* NULL: never was */
	struct meter messages[SFTP_KINDS];	    /* of all */
};

/* The options have to live as long. */
void status_init(struct status *status, const struct options *options);

void status_release(struct status *status);

/*
 * For lines; see fusefs/line.h.  The session has begun; it is over; and its
 * messages.
 */
void status_connected(void *status, uint32_t number);
void status_lost(void *status, uint32_t number);

void status_sent(void *status, uint32_t number, uint32_t slot, unsigned message,
		 uint64_t bytes);
void status_ended(void *status, uint32_t number, uint32_t slot,
		  unsigned message, bool failed);

/* All of it. */
void status_tell(const struct status *status, struct facts *facts);

#endif
