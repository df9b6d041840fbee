/* A layer that shows what symbolic links lead to in place of the links. */
#ifndef CSFTP_CORE_LAYER_FOLLOW_H
#define CSFTP_CORE_LAYER_FOLLOW_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Who asks for the attributes of a link gets those of what it leads to, which
 * is the file system below's to find; so does who sets them.  A link that leads
 * nowhere is shown as a link, so that it can be read and removed.  A listing
 * has no attributes for a link: they have to be asked for.
 *
 * UNLINK, RENAME and READLINK are of the link itself, OPEN and OPENDIR go
 * through it as they ever do.  One thread.
 *
 * CSFTP_ERR_NOMEM.
 */
CSFTP_MUST_CHECK enum csftp_err follow_new(struct csftp_fs **out,
					   struct csftp_fs *under);

/* Every request must have been answered.  NULL is fine. */
void follow_free(struct csftp_fs *fs);

#endif
