/* memfs: a file tree in memory, for tests and examples. */
#ifndef CSFTP_MEMFS_H
#define CSFTP_MEMFS_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * A POSIX-like tree: files, directories, symbolic and hard links, modes,
 * owners, times; open files live on after unlink and rename.  Every operation
 * is answered inside csftp_submit().  Permissions are stored, not enforced.
 * The start directory is "/".  One thread.
 */
struct csftp_memfs_config {
	uint64_t max_bytes; /* of file content; above it ENOSPC.  0: 1 GiB */
	uint32_t max_nodes; /* files and directories.  0: 1 million */
	uint32_t uid;	    /* owner of what is made */
	uint32_t gid;
	/* The time for mtime and the like; may be NULL: then always 0. */
	struct csftp_time (*clock)(void *arg);
	void *arg;
};

/* config may be NULL.  CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_memfs_new(struct csftp_fs **out, const struct csftp_memfs_config *config);

/* Open handles go with it.  NULL is fine. */
CSFTP_API void csftp_memfs_free(struct csftp_fs *fs);

#endif
