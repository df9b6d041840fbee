/* A layer that keeps symbolic links from leading out of what is mounted. */
#ifndef CSFTP_CORE_LAYER_LINKS_H
#define CSFTP_CORE_LAYER_LINKS_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * The text of a symbolic link is followed by whoever reads it, on the machine
 * where it is read: on a mount that is the local kernel, for which "/etc" is
 * another directory than for the server, and the text is what a server says,
 * whom its users may not trust that far.
 *
 * CONTAIN
 *   What is shown leads to the same file by a way inside the root, or the
 *   READLINK fails with EPERM.  It is decided by the text where that is enough:
 *     - a text without "..", or with no more of them at its start than there
 *       are directories up to the root, is shown as it is;
 *     - an absolute one that names something in the root, and one whose ".."
 *       lead out of the root and back, become relative;
 *     - of any other, such as one with ".." behind a name, which may be that of
 *       another link, the server is asked where it leads (REALPATH); if that is
 *       in the root, it is the text.
 *   What is shown has "..", if any, at its start alone, so that it cannot leave
 *   the root whatever else the server makes links of.
 * REBASE
 *   Absolute texts that name something in the root become relative; all others
 *   are shown as they are.
 * RAW
 *   All are shown as they are.
 *
 * SYMLINK writes the text that it is given, under all policies.  The root and
 * the path of a link are taken to be free of links themselves, which is so
 * where they were walked through name by name.  One thread.
 */
enum links_policy { LINKS_CONTAIN, LINKS_REBASE, LINKS_RAW };

/*
 * root: a plain absolute path, which has to live as long as the layer.
 * CSFTP_ERR_ARG or CSFTP_ERR_NOMEM.
 */
CSFTP_MUST_CHECK enum csftp_err links_new(struct csftp_fs **out,
					  struct csftp_fs *under,
					  const char *root,
					  enum links_policy policy);

/* Every request must have been answered.  NULL is fine. */
void links_free(struct csftp_fs *fs);

#endif
