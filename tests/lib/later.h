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

enum later_when {
	LATER_NEVER, /* for tests that do without it then */
	LATER_ALWAYS,
	LATER_SOMETIMES /* CSFTP_FS_PROMPT: every other one, or as `late` has it
			 */
};

/* Requests wait in a list until later_run() passes them on to `under`. */
struct later {
	struct csftp_fs fs; /* first */
	struct csftp_fs *under;
	enum later_order order;
	enum later_when when;
	uint32_t late; /* SOMETIMES: 1 << CSFTP_OP_* of those that wait */
	unsigned seen;
	size_t hold; /* passes nothing on before so many wait, once */
	size_t most; /* how many waited at a time, at most */
	size_t waiting;
	struct csftp_req *first;
	struct csftp_req *last;
};

void later_init(struct later *later, struct csftp_fs *under);
void later_init_when(struct later *later, struct csftp_fs *under,
		     enum later_when when);

/* Passes one request on; false if none waits.  arg is the later. */
bool later_run(void *arg);

#endif
