/* What a command line asks of the process of a mount. */
#ifndef CSFTP_FUSEFS_ASK_H
#define CSFTP_FUSEFS_ASK_H

#include <stdio.h>

/*
 * control_ask() for a mount point as it was given: relative, or by way of
 * symbolic links.  0, or an errno, of writing the answer as well.
 */
int ask_process(const char *mountpoint, const char *order, FILE *to);

#endif
