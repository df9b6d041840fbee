/* What we are given to read or to listen on, seen to be that. */
#ifndef CSFTP_SERVER_DESCRIPTOR_H
#define CSFTP_SERVER_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Opens a regular file to read, or /dev/null, which is as good as an empty one.
 * Nothing else: to open or read a FIFO or a device can wait for ever.  -1: why
 * is a sentence.  Any thread.
 */
int descriptor_of_file(const char *path, struct stat *st, const char **why);

/* A socket that takes connections, which nobody can write to.  Any thread. */
bool descriptor_listens(int fd);

#endif
