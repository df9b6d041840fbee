/* posixfs: a local file tree as a csftp_fs. */
#ifndef CSFTP_SERVER_POSIXFS_H
#define CSFTP_SERVER_POSIXFS_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * System calls on the caller's own file system, with the caller's rights.
 * Every operation is answered inside csftp_submit(); errors are the kernel's
 * errno.  A relative path is taken from the start directory.  One thread.
 */
struct posixfs_config {
	const char *start; /* NULL: the current directory */
	uint32_t handles;  /* open at once; above it EMFILE.  0: 1024 */
};

/* CSFTP_ERR_IO with errno where the start directory cannot be opened. */
CSFTP_MUST_CHECK enum csftp_err
posixfs_new(struct csftp_fs **out, const struct posixfs_config *config);

/* Closes what is still open.  NULL is fine. */
void posixfs_free(struct csftp_fs *fs);

/*
 * The name of a user or group (csftp/serve.h, idname), remembered after the
 * first look-up.  NULL where there is none.  arg is the posixfs.
 */
const char *posixfs_idname(void *arg, uint32_t kind, uint32_t id);

#endif
