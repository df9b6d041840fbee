/* posixfs: a local file tree as a csftp_fs. */
#ifndef CSFTP_SERVER_POSIXFS_H
#define CSFTP_SERVER_POSIXFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "server/mounts.h"

/*
 * System calls on the caller's own file system, with the caller's rights.
 * Every operation is answered inside csftp_submit(); errors are the kernel's
 * errno.  A relative path is taken from the start directory.  One thread.
 *
 * The jail
 *   With a root, every path is resolved by the kernel inside that directory,
 *   which the peer sees as "/": "..", absolute symbolic links, the magic links
 *   of /proc and a tree that changes meanwhile do not lead out of it.  That
 *   needs no privilege and no chroot(2), and openat2(2), Linux 5.6.  REALPATH
 *   and homes are told as the jail sees them; a home outside of it is "/".
 *   Devices in it are not opened (EACCES), as in a file system mounted nodev.
 *   What the jail does not judge: mounts, and hard links that are there.
 *
 * Views
 *   Each gives one subtree an access; the longest path that is a prefix of
 *   where a file really is decides, whatever the name by which it was asked
 *   for.  The rest is POSIXFS_RW.  RO: every change is EROFS, also through an
 *   open handle, and LINK out of it is EXDEV.  NONE: ENOENT, and in no
 *   listing.  A directory that is or contains the top of a view is not moved
 *   or removed: EBUSY.  Hard links that are there are other files to a view.
 *
 * Lifetime: create it after the last fork(2).
 */
enum posixfs_access { POSIXFS_RW, POSIXFS_RO, POSIXFS_NONE };

struct posixfs_view {
	const char *path; /* absolute, as the jail sees it; must exist */
	enum posixfs_access access;
};

/* Permission bits, of 07777: what is asked for, "and" mask, "or" force. */
struct posixfs_modes {
	uint32_t mask;	/* 0: all */
	uint32_t force; /* set even where umask(2) takes them away */
};

struct posixfs_config {
	/* NULL: the current directory, in a jail "/".  As the jail sees it. */
	const char *start;
	uint32_t handles; /* open at once; above it EMFILE.  0: 1024 */
	const char *root; /* the jail's directory; NULL: no jail */
	const struct posixfs_view *views; /* copied; they need a root */
	size_t view_count;
	/* For what is made, and for what SETATTR sets. */
	struct posixfs_modes files;
	struct posixfs_modes dirs;
};

/*
 * CSFTP_ERR_IO with errno: the root (ENOSYS: no openat2(2), and there is no
 * jail without it), the start directory or the top of a view cannot be used
 * (EOPNOTSUPP: it is in a directory that ignores case).
 * CSFTP_ERR_ARG: views without a root, a view's path that is not absolute or
 * is there twice, or bits outside of 07777.
 */
CSFTP_MUST_CHECK enum csftp_err
posixfs_new(struct csftp_fs **out, const struct posixfs_config *config);

/* Closes what is still open.  NULL is fine. */
void posixfs_free(struct csftp_fs *fs);

/*
 * Answers a request as csftp_submit() does, but only if that is not known to
 * wait for a disk or another machine; false: nothing was done, and the request
 * is as it was.  A READ is answered from the page cache alone, a WRITE where
 * the file system takes it at once.  Of what the kernel does not tell, on a
 * disk of this machine, it may wait all the same.
 */
bool posixfs_now(struct csftp_fs *fs, struct csftp_req *req);

/* For posixfs_now(); NULL, as at first: all is taken for near. */
void posixfs_set_mounts(struct csftp_fs *fs, struct mounts *mounts);

/*
 * Requests in another thread.  A hand is a file system of its own, for one
 * request at a time:
 *
 *   posixfs_lend()      the owner's thread: *req, a copy of what was asked,
 *                       becomes a request to the hand
 *   csftp_submit()      any thread, at the hand; done is called there, and what
 *                       the reply points at stays until posixfs_regain()
 *   posixfs_regain()    the owner's thread; in a reply that has one, the handle
 *                       becomes the file system's
 *
 * In between, nobody else uses the handles of the request; the file system does
 * all the rest as ever.  HOMEDIR, IDNAME, and REALPATH with EXPAND are not for
 * other threads.
 */
size_t posixfs_hand_size(void);

/* Whether a request is about an open handle, or two. */
bool posixfs_by_handle(const struct csftp_req *req);

/* In memory aligned as malloc's is, of which nothing is left to free. */
struct csftp_fs *posixfs_hand_init(void *memory);

/* 0 or an errno, with which the request is to be answered then. */
int posixfs_lend(struct csftp_fs *hand, struct csftp_fs *fs,
		 struct csftp_req *req);

/* reply is changed; NULL: there was none. */
void posixfs_regain(struct csftp_fs *hand, struct csftp_fs *fs,
		    struct csftp_reply *reply);

/*
 * The name of a user or group (csftp/serve.h, idname), remembered after the
 * first look-up.  NULL where there is none.  arg is the posixfs.
 */
const char *posixfs_idname(void *arg, uint32_t kind, uint32_t id);

/* Answers an IDNAME with what idname, as above, says. */
void posixfs_answer_idname(struct csftp_req *req,
			   const char *(*idname)(void *arg, uint32_t kind,
						 uint32_t id),
			   void *arg);

#endif
