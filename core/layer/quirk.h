/* A layer that finds out what a server does otherwise, and sees to it. */
#ifndef CSFTP_CORE_LAYER_QUIRK_H
#define CSFTP_CORE_LAYER_QUIRK_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Servers differ where the draft is not what OpenSSH does, and some leave parts
 * of it out without a word.  What a server does is seen from what it has done,
 * once; who is known to do as OpenSSH is never asked.
 *
 * SYMLINK: the draft has the path of the link first (filexfer-02, 6.10),
 * OpenSSH the text.  Before the first one a link is made beside it, as
 * ".csftp-" and a number, and removed again once it is seen which path it has.
 * All links, and who asks for attributes by path, wait meanwhile, and can be
 * cancelled; that goes on by itself then.  Where the connection is lost on the
 * way, the next one removes what was left.
 *
 * Modes: some servers give whatever is made a mode of their own.  What is made
 * is looked at, until two that were to differ do, or one has rights that it was
 * not to have, or its owner has not: then each gets its mode by a SETATTR
 * behind, until one of these is refused.  It is opened with EXCL for that, as
 * what is there has a mode.  Who asks for the attributes by that path meanwhile
 * waits.
 *
 * LSTAT: some servers tell of what a link leads to.  Each link that is made is
 * looked at until one is seen to be, or not to be, one; in the second case
 * whatever is said to be a file or a directory is asked for its text, too.
 *
 * Links: where theirs cannot be set, an owner that a link has is no change, and
 * times are ENOSYS, which rsync(1) -a takes as a no without a fault.
 *
 * One thread.
 */
struct quirk_config {
	struct csftp_fs *under;
	/* Whether the server does as OpenSSH; NULL: it does. */
	bool (*sound)(void *arg);
	/*
	 * Whether there is a connection; false from the moment when there are
	 * errors for that reason.  NULL: always.
	 */
	bool (*up)(void *arg);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err quirk_new(struct csftp_fs **out,
					  const struct quirk_config *config);

/* Requests of its own that are under way. */
uint32_t quirk_pending(const struct csftp_fs *fs);

/* Nothing may be pending.  NULL is fine. */
void quirk_free(struct csftp_fs *fs);

#endif
