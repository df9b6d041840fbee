/* What goes on inside a mount, counted and told. */
#ifndef CSFTP_FUSEFS_STATUS_H
#define CSFTP_FUSEFS_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/layer/meter.h"
#include "core/sftp/msg.h"
#include "csftp/remote.h"
#include "fusefs/facts.h"
#include "fusefs/fusefs.h"
#include "fusefs/layers.h"
#include "fusefs/options.h"

/* As many as remotefs can have. */
#define STATUS_SLOTS 1024U

/* One request on its way. */
struct status_slot {
	uint64_t began_us;
	uint64_t bytes;
	bool used;
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
	uint64_t began_us;
	uint64_t connected_us; /* since when it is as it is */
	uint32_t connections;  /* that there have been */
	bool up;
	bool tracing;
	uint64_t in_flight;
	uint64_t read_bytes;  /* asked for by READs in flight */
	uint64_t write_bytes; /* in WRITEs in flight */
	struct status_slot slots[STATUS_SLOTS];
	struct meter messages[SFTP_KINDS];
};

/* The options have to live as long. */
void status_init(struct status *status, const struct options *options);

/* The session has begun; it is over. */
void status_connected(struct status *status);
void status_lost(struct status *status);

/* For remotefs; see csftp/remote.h. */
void status_sent(struct status *status, uint32_t slot, unsigned message,
		 uint64_t bytes);
void status_ended(struct status *status, uint32_t slot, unsigned message,
		  bool failed);

/* All of it. */
void status_tell(const struct status *status, struct facts *facts);

#endif
