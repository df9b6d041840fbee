/* The same random operations on a mount and on a local directory. */
#ifndef CSFTP_TESTS_ORACLE_H
#define CSFTP_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/mounted.h"

/*
 * The local directory says what should have happened.  A difference fails the
 * running test, and names the seed and the last operations.
 * CSFTP_ORACLE_SEED repeats a run.
 */
enum oracle_side { ORACLE_MOUNT, ORACLE_LOCAL, ORACLE_SIDES };

#define ORACLE_OPEN  8 /* files open at a time */
#define ORACLE_LINES 60
#define ORACLE_LINE  400

struct oracle {
	struct mounted mounted; /* first; the caller's */
	bool is_cut;		/* files are closed before they lose a name */
	char local[PROC_PATH_MAX];
	int root[ORACLE_SIDES];
	int open[ORACLE_OPEN][ORACLE_SIDES];
	bool readable[ORACLE_OPEN];
	bool writable[ORACLE_OPEN];
	uint64_t seed;
	uint64_t random;
	uint64_t count; /* operations */
	uint64_t succeeded;
	char log[ORACLE_LINES][ORACLE_LINE];
	char *data[ORACLE_SIDES];
};

/* Once it is mounted. */
void oracle_start(struct oracle *oracle);

/* One operation on both sides. */
void oracle_step(struct oracle *oracle);

/* Closes what is open; then all of both trees. */
void oracle_compare(struct oracle *oracle);

/* Says how much it was. */
void oracle_end(struct oracle *oracle);

/* In any state, and before the unmount. */
void oracle_stop(struct oracle *oracle);

/* A number of the environment. */
uint64_t oracle_number(const char *variable, uint64_t otherwise);

#endif
