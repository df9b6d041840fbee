/* A new directory, and a posixfs that starts in it. */
#ifndef CSFTP_TESTS_LOCAL_H
#define CSFTP_TESTS_LOCAL_H

#include "tests/lib/fs_call.h"

struct local {
	char dir[64];	    /* absolute; mode 0755 */
	struct fs_caller c; /* of the posixfs */
};

/* For cmocka: a struct local is the state.  What is in it goes, too. */
int local_set_up(void **state);
int local_tear_down(void **state);

#endif
