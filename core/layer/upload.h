/* A layer that shows a file under its name once all of it is there. */
#ifndef CSFTP_CORE_LAYER_UPLOAD_H
#define CSFTP_CORE_LAYER_UPLOAD_H

#include <stdbool.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * What is an upload
 *   An OPEN to write that makes a file, or empties one (TRUNC).  It opens a
 *   hidden file in the same directory, ".NAME.<16 hex digits>.part", which
 *   CLOSE renames to the name.  Until then the name is what it was before:
 *   nothing, or the old file whole.
 *   A file that is opened to write without TRUNC is written in place: that is
 *   how clients resume and patch.  So is what cannot be replaced without a
 *   loss: a file with several names, one whose owner or group the new one
 *   cannot get, one in a directory that no file can be made in; and what is no
 *   regular file.
 *   The new file gets the mode, the owner and the group of the one that it
 *   replaces, but not its ACLs and extended attributes.  A symbolic link is
 *   followed: the file that it leads to is replaced.  Who may not write to the
 *   old file may not replace it.
 *
 * What is complete
 *   CLOSE publishes, unless a WRITE or COPY_RANGE to the handle failed: then
 *   it is answered with that error, and nothing is published.  With EXCL it
 *   fails with EEXIST if the name has come to exist.  A forced CLOSE, as the
 *   client has gone, publishes nothing.  What is not published is removed, or
 *   with keep_partial left where it is.
 *
 * What the session itself sees
 *   GETATTR, SETATTR and OPEN without TRUNC by the path that the upload was
 *   opened by, or by that of the target in full, mean the hidden file: clients
 *   look at the size, set times and open more handles before they close.
 *   RENAME, LINK and UNLINK by it publish it first, as then it is done with.
 *   Directories list the hidden file.  By a path that leads there otherwise,
 *   and after a directory above was renamed, the name is what others see.
 *
 * The file system below needs REALPATH, and RENAME with REPLACE.  One thread.
 */
struct upload_config {
	struct csftp_fs *under;
	bool keep_partial;
	uint64_t seed; /* at random: sessions must not choose equal names */
};

/* CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err upload_new(struct csftp_fs **out,
					   const struct upload_config *config);

/* Every request must have been answered.  NULL is fine. */
void upload_free(struct csftp_fs *fs);

#endif
