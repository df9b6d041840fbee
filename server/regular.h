/* Files that are read to their end. */
#ifndef CSFTP_SERVER_REGULAR_H
#define CSFTP_SERVER_REGULAR_H

#include <sys/stat.h>

/*
 * Opens a regular file to read, or /dev/null, which is as good as an empty one.
 * Nothing else: to open or read a FIFO or a device can wait for ever.  -1: why
 * is a sentence.  Any thread.
 */
int regular_open(const char *path, struct stat *st, const char **why);

#endif
