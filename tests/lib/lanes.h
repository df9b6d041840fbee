/* One server, and several lanes to it that answer when a test says so. */
#ifndef CSFTP_TESTS_LANES_H
#define CSFTP_TESTS_LANES_H

#include <stdbool.h>

#include "core/layer/relay.h"
#include "core/layer/spread.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"

#define LANES 3U
#define RW    (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)
#define MAKE  (RW | CSFTP_OPEN_CREAT)

struct lane_tap {
	struct relay relay; /* first; counts */
	struct later later;
	unsigned asked[CSFTP_OP_COUNT];
	unsigned all;
	/* The operation is refused with that, by handle alone; 0: none is. */
	enum csftp_op refused;
	int err;
};

struct lanes {
	struct csftp_fs *memfs;
	struct lane_tap lane[LANES];
	struct spread *spread;
	struct fs_caller c;
	struct fs_caller other; /* of the server, at once */
	unsigned wanted;
	unsigned changes;		   /* that the owner was told of */
	const struct csftp_fs *changed_on; /* the lane of the last one */
	uint32_t dice; /* 0: the lanes take turns, each till it is empty */
};

/* So many of them at first; of the wish the limits count, NULL: as ever. */
struct lanes *lanes_new(uint32_t count, const struct spread_config *wish);
void lanes_free(struct lanes *lanes);

uint32_t lanes_throw(struct lanes *lanes);

/* One answer of any lane; false: none has one to give. */
bool lanes_drive(void *lanes);
void lanes_settle(struct lanes *lanes);

csftp_fh lanes_open(struct lanes *lanes, const char *path, uint32_t flags);

/* How many of them were asked for it, on all lanes. */
unsigned lanes_asked(const struct lanes *lanes, enum csftp_op op);

struct lanes_ask {
	struct csftp_req req; /* first */
	int err;
	bool done;
	uint64_t size;
	csftp_fh fh;
};

void lanes_say(struct lanes *lanes, struct lanes_ask *ask,
	       struct csftp_req req);

#endif
