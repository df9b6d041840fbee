/* The same tests on a mount by each transport. */
#ifndef CSFTP_TESTS_BY_TRANSPORT_H
#define CSFTP_TESTS_BY_TRANSPORT_H

#include <stddef.h>

#include "tests/lib/test.h"

/*
 * What a program runs once for each transport, as one group.  The state of its
 * tests begins with a struct mounted, which is mounted before the first and
 * unmounted behind the last; the rest of it begins with zeros.
 */
struct by_transport {
	const struct CMUnitTest *claims;
	size_t count;
	size_t state_size;
	const char *options; /* as behind -o, or NULL */
	/* What the program adds and takes away again; both may be NULL. */
	void (*start)(void *state);
	void (*stop)(void *state);
};

/* The program's own.  A constant, as cmocka's set-up is given nothing. */
extern const struct by_transport by_transport;

/*
 * All of a main(): arguments are numbers of transports, none means each.
 * Returns the exit status.
 */
int by_transport_run(int argc, char *argv[]);

#endif
