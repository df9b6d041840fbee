/* A layer that lets a session write so much, and no more. */
#ifndef CSFTP_CORE_LAYER_QUOTA_H
#define CSFTP_CORE_LAYER_QUOTA_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * What counts is bytes of WRITE, and of COPY_RANGE: so nothing can be added to
 * the disk that was not counted.  Bytes that are written over others count
 * again, removing gives nothing back, and neither does a WRITE that failed, or
 * a COPY_RANGE that failed for want of room: some of it may have been written.
 * Directories, names and the length that a SETATTR gives a file (a hole, which
 * takes no room) do not count.
 *
 * A WRITE that goes above is not done at all: EDQUOT.  A COPY_RANGE whose
 * length is known beforehand likewise; one from a file that does not tell its
 * size ends with EDQUOT where the quota does.  One thread.
 */
CSFTP_MUST_CHECK enum csftp_err
quota_new(struct csftp_fs **out, struct csftp_fs *under, uint64_t bytes);

/* Every request must have been answered.  NULL is fine. */
void quota_free(struct csftp_fs *fs);

/* Bytes that may still be written. */
uint64_t quota_left(const struct csftp_fs *fs);

#endif
