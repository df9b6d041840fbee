/* A layer that renames over files where the server refuses to. */
#ifndef CSFTP_CORE_LAYER_MEND_H
#define CSFTP_CORE_LAYER_MEND_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * RENAME of SFTP version 3 does not replace what is there (filexfer-02, 6.5),
 * and a server without posix-rename@openssh.com has nothing that does.  When
 * such a RENAME with REPLACE fails, what is in the way is moved to a name of
 * ours beside it, the file takes its place, and what was moved is removed.
 * When that fails it is moved back.
 *
 * So for a moment there is nothing of that name, which is why nobody gets this
 * without asking; and if the connection ends in between, the old file is still
 * there, as ".csftp-" and a number.  One thread.
 *
 * CSFTP_ERR_NOMEM.
 */
CSFTP_MUST_CHECK enum csftp_err mend_new(struct csftp_fs **out,
					 struct csftp_fs *under);

/* Every request must have been answered.  NULL is fine. */
void mend_free(struct csftp_fs *fs);

#endif
