/* A layer that gets along with what a server cannot do. */
#ifndef CSFTP_CORE_LAYER_MEND_H
#define CSFTP_CORE_LAYER_MEND_H

#include <stdbool.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Each of these is done in a way that a sound server has a better one for.
 *
 * rename: RENAME of SFTP version 3 does not replace what is there
 * (filexfer-02, 6.5), and a server without posix-rename@openssh.com has nothing
 * that does.  When such a RENAME with REPLACE fails, what is in the way is
 * moved to a name of ours beside it, the file takes its place, and what was
 * moved is removed.  When that fails it is moved back.  So for a moment there
 * is nothing of that name; and if the connection ends in between, the old file
 * is still there, as ".csftp-" and a number.  Once it is being moved nothing of
 * that can be cancelled.
 *
 * truncate: no SETATTR has a size.  A file becomes empty by being opened so,
 * and longer by a byte at its new end.  For a shorter one its beginning is
 * copied to such a name beside it, and back into the emptied file; if that
 * fails halfway, the copy stays.  Nothing else is asked of the file system
 * below meanwhile, as a WRITE in between would be lost.
 *
 * stat: the attributes of an open file are asked for by its path, which is that
 * it was opened by or was renamed to.  One that has lost its name is asked for
 * by its handle all the same.
 *
 * create: OPEN has no mode.  What is made so gets its mode by a SETATTR behind
 * it, of which nobody is told if it fails, and who asks for its attributes by
 * that path meanwhile waits.
 *
 * One thread.
 */
struct mend_config {
	struct csftp_fs *under;
	bool rename;
	/* Whether the server has a RENAME that replaces; NULL: it has none. */
	bool (*replaces)(void *arg);
	void *arg;
	bool truncate;
	bool stat;
	bool create;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err mend_new(struct csftp_fs **out,
					 const struct mend_config *config);

/* Every request must have been answered.  NULL is fine. */
void mend_free(struct csftp_fs *fs);

#endif
