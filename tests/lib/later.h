/* A layer that answers later: when, and in which order, is the test's. */
#ifndef CSFTP_TESTS_LATER_H
#define CSFTP_TESTS_LATER_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/fs.h"

enum later_order {
	LATER_IN_ORDER,
	LATER_NEWEST_FIRST /* all that wait; operations overtake each other */
};

/* Requests wait in a list until later_run() passes them on to `under`. */
struct later {
	struct csftp_fs fs; /* first */
	struct csftp_fs *under;
	enum later_order order;
	size_t hold; /* passes nothing on before so many wait, once */
	size_t most; /* how many waited at a time, at most */
	size_t waiting;
	struct csftp_req *first;
	struct csftp_req *last;
};

void later_init(struct later *later, struct csftp_fs *under);

/* Passes one request on; false if none waits.  arg is the later. */
bool later_run(void *arg);

#endif
