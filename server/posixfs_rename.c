#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * For file systems that do not know RENAME_NOREPLACE: the new name is taken
 * first, by a call that cannot take it from another, so nothing is looked for
 * and then overwritten.  What is taken with is, as far as they can, the thing
 * itself: a second name for it, and then the first one is removed.
 */
struct keep {
	const struct posixfs_place *from;
	const struct posixfs_place *to;
};

static int keep_linked(const struct keep *keep)
{
	int err;

	if (unlinkat(keep->from->dirfd, keep->from->name, 0) == 0)
		return 0;
	err = errno;
	/* It may not leave where it was: then it did not come either. */
	(void)unlinkat(keep->to->dirfd, keep->to->name, 0);
	return err;
}

/* Over what we have just made with that name, and that is empty. */
static int keep_claimed(const struct keep *keep, int remove_flags)
{
	int err;

	if (renameat(keep->from->dirfd, keep->from->name, keep->to->dirfd,
		     keep->to->name) == 0)
		return 0;
	err = errno;
	(void)unlinkat(keep->to->dirfd, keep->to->name, remove_flags);
	return err;
}

/* A directory has one name only, but goes over an empty one, and no other. */
static int keep_dir(const struct keep *keep)
{
	if (mkdirat(keep->to->dirfd, keep->to->name, 0700) != 0)
		return errno;
	return keep_claimed(keep, AT_REMOVEDIR);
}

static int keep_file(const struct keep *keep)
{
	int fd;

	if (linkat(keep->from->dirfd, keep->from->name, keep->to->dirfd,
		   keep->to->name, 0) == 0)
		return keep_linked(keep);
	if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP &&
	    errno != EMLINK)
		return errno;
	fd = openat(keep->to->dirfd, keep->to->name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return keep_claimed(keep, 0);
}

static int rename_keep(const struct posixfs_place *from,
		       const struct posixfs_place *to)
{
	const struct keep keep = {from, to};
	struct stat st;

	if (fstatat(from->dirfd, from->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	return S_ISDIR(st.st_mode) ? keep_dir(&keep) : keep_file(&keep);
}

/* Before anything is done: what the kernel does not know of. */
static int check_places(const struct posixfs_place *from,
			const struct posixfs_place *to)
{
	struct stat st;

	if (from->access != POSIXFS_RW || to->access != POSIXFS_RW)
		return EROFS;
	if (from->holds || to->holds)
		return EBUSY;
	if (to->slash &&
	    fstatat(from->dirfd, from->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode))
		return ENOTDIR;
	return 0;
}

static int rename_places(const struct posixfs_place *from,
			 const struct posixfs_place *to, bool replace)
{
	int err = check_places(from, to);

	if (err != 0)
		return err;
	if (replace)
		return renameat(from->dirfd, from->name, to->dirfd, to->name) ==
				       0
			       ? 0
			       : errno;
	if (renameat2(from->dirfd, from->name, to->dirfd, to->name,
		      RENAME_NOREPLACE) == 0)
		return 0;
	/* EINVAL is also a directory that would go into itself. */
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return errno;
	return rename_keep(from, to);
}

void posixfs_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs_place from, to;
	int err = posixfs_place(&from, posixfs_of(fs), req->path);

	if (err == 0) {
		err = posixfs_place(&to, posixfs_of(fs), req->path2);
		if (err == 0) {
			err = rename_places(&from, &to,
					    req->flags & CSFTP_REPLACE);
			posixfs_place_end(&to);
		}
		posixfs_place_end(&from);
	}
	csftp_reply_err(req, err);
}
