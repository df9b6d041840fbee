/* Programs that are asked something. */
#ifndef CSFTP_FUSEFS_RUN_H
#define CSFTP_FUSEFS_RUN_H

#include <stdbool.h>

#include "csftp/stream.h"

/*
 * Runs argv[0], looked up in PATH, to its end, without input.  What it prints
 * comes in *out, ends with NUL, and is the caller's to free; what is beyond
 * 1 MiB is dropped.  *status is its wait status.  False: it could not be run,
 * errno tells.
 */
bool run_program(char *const argv[], char **out, int *status);

/*
 * Starts a program that carries a session.  Keys that interrupt, pressed on the
 * terminal, do not end it before the mount: it starts with those signals
 * ignored.
 */
CSFTP_MUST_CHECK enum csftp_err run_shielded(struct csftp_stream *stream,
					     char *const argv[]);

#endif
