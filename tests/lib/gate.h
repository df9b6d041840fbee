/* A mounted file system that answers when it is told. */
#ifndef CSFTP_TESTS_GATE_H
#define CSFTP_TESTS_GATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/lib/proc.h"

/*
 * A directory with a file for each kind of waiting.  In each is GATE_TEXT, and
 * the operation that it is named after ("read", "write", "fsync", "getattr",
 * "open", "statfs", "rename", "unlink") waits on it, others do not: at the gate
 * until it is opened for one of those that wait.  "opendir" is an empty
 * directory, "free" is a file that waits for nothing.  Nothing of it is
 * remembered by the kernel.
 */
#define GATE_TEXT "what the gate let through\n"

struct gate {
	char point[PROC_PATH_MAX]; /* where it is mounted */
	pid_t pid;
	int arrived; /* a byte for each that has come to the gate */
	int let;     /* a byte for each that may go on */
};

/* Mounts it at an existing directory, or skips the test. */
void gate_mount(struct gate *gate, const char *point);

/* Waits until one more operation waits; fails the test if none ever does. */
void gate_await(const struct gate *gate);

/* Whether one more has come. */
bool gate_has_one(const struct gate *gate);

/* Lets so many of those that wait, or will wait, go on. */
void gate_open(const struct gate *gate, unsigned count);

/* Nobody may wait any more.  What was not mounted may be zero. */
void gate_unmount(struct gate *gate);

#endif
