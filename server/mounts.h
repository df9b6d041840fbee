/* Which mounted file systems another machine or a program answers for. */
#ifndef CSFTP_SERVER_MOUNTS_H
#define CSFTP_SERVER_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Their names are not kept in memory but asked for, so that a look-up can wait
 * for as long as the other side likes.  The list is that of the kernel
 * (proc_pid_mountinfo(5)), which tells when it changes; that is heeded once a
 * second.  One thread.
 */
struct mounts;

/*
 * Of those that can be reached from root, an absolute path without links that
 * stays as it is; NULL: of all.  The list's file is opened here and stays open,
 * as a sandbox may not let it be later.  NULL: it cannot be had.
 */
struct mounts *mounts_new(const char *root);
void mounts_free(struct mounts *mounts);

/* Whether there are any.  NULL: none that are known. */
bool mounts_any(struct mounts *mounts);

/* Whether a file with this st_dev is on one of them. */
bool mounts_far(struct mounts *mounts, dev_t dev);

/* Whether files of that type (/proc/filesystems) are such. */
bool mounts_is_far_type(const char *type, size_t len);

/*
 * Whether one that is mounted at `point`, as mountinfo spells it, can be
 * reached: it is in the root, or the root in it.
 */
bool mounts_is_reached(const char *root, const char *point, size_t len);

#endif
