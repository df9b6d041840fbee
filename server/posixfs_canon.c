#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* symbolic links in one path, as Linux */

/*
 * A path on its way to be canonical: `done` is, and has no '/' at its end (so
 * the root is empty); `rest` is still to be walked.
 */
struct canon {
	const struct posixfs *px;
	bool keep_last;
	char done[PATH_MAX];
	char rest[PATH_MAX];
	size_t done_len;
	int links;
};

static int canon_add(struct canon *canon, const char *name, size_t len)
{
	if (len + 1 >= sizeof(canon->done) - canon->done_len)
		return ENAMETOOLONG;
	canon->done[canon->done_len++] = '/';
	memcpy(canon->done + canon->done_len, name, len);
	canon->done_len += len;
	canon->done[canon->done_len] = '\0';
	return 0;
}

static void canon_up(struct canon *canon)
{
	while (canon->done_len > 0 && canon->done[--canon->done_len] != '/')
		;
	canon->done[canon->done_len] = '\0';
}

/* The link that done ends with says text: put that in its place. */
static int canon_link(struct canon *canon, const char *text, const char *rest)
{
	char joined[PATH_MAX];
	int len = snprintf(joined, sizeof(joined), "%s%s", text, rest);

	if (++canon->links > LINKS_MAX)
		return ELOOP;
	if (len < 0 || (size_t)len >= sizeof(joined))
		return ENAMETOOLONG;
	memcpy(canon->rest, joined, (size_t)len + 1);
	canon_up(canon);
	if (*text == '/') {
		canon->done_len = 0;
		canon->done[0] = '\0';
	}
	return 0;
}

/*
 * What done ends with: its text where it is a link, else len is negative.  All
 * above it was looked at, but may be something else by now: in a jail no link
 * is followed to it.
 */
static int jail_look(const struct canon *canon, char text[PATH_MAX],
		     ssize_t *len, mode_t *mode)
{
	struct statfs vfs;
	struct stat st;
	int err = 0;
	int fd = posixfs_openat2(canon->px->dirfd, canon->done,
				 O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

	*len = -1;
	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0)
		err = errno;
	else if (S_ISLNK(st.st_mode))
		*len = readlinkat(fd, "", text, PATH_MAX - 1);
	*mode = st.st_mode;
	/* What a magic link says is not where it leads. */
	if (err == 0 && S_ISLNK(st.st_mode) &&
	    (*len < 0 || fstatfs(fd, &vfs) != 0 ||
	     vfs.f_type == PROC_SUPER_MAGIC))
		err = ELOOP;
	close(fd);
	return err;
}

static int look(const struct canon *canon, char text[PATH_MAX], ssize_t *len,
		mode_t *mode)
{
	struct stat st;

	if (posixfs_jailed(canon->px))
		return jail_look(canon, text, len, mode);
	*len = readlink(canon->done, text, PATH_MAX - 1);
	if (*len >= 0)
		return 0;
	if (errno != EINVAL)
		return errno;
	if (lstat(canon->done, &st) != 0)
		return errno;
	*mode = st.st_mode;
	return 0;
}

/* done has one name more, which rest follows. */
static int canon_check(struct canon *canon, const char *rest)
{
	char text[PATH_MAX];
	mode_t mode = S_IFDIR;
	ssize_t len;
	int err;

	if (posixfs_view_hides(canon->px, canon->done))
		return ENOENT;
	err = look(canon, text, &len, &mode);
	if (err == 0 && len >= 0 && (*rest || !canon->keep_last)) {
		text[len] = '\0';
		return canon_link(canon, text, rest);
	}
	/* The last name may be missing, but not where it is a directory's. */
	if (err == ENOENT && !*rest)
		err = 0;
	if (err != 0)
		return err;
	if (*rest && !S_ISDIR(mode))
		return ENOTDIR;
	memmove(canon->rest, rest, strlen(rest) + 1);
	return 0;
}

static int canon_step(struct canon *canon)
{
	const char *name = canon->rest + strspn(canon->rest, "/");
	size_t len = strcspn(name, "/");
	const char *rest = name + len;
	int err;

	if (len > 0 && strncmp(name, ".", len) != 0 &&
	    strncmp(name, "..", len) != 0) {
		err = canon_add(canon, name, len);
		return err != 0 ? err : canon_check(canon, rest);
	}
	if (len == 2)
		canon_up(canon);
	memmove(canon->rest, rest, strlen(rest) + 1);
	return 0;
}

int posixfs_canonical(const struct posixfs *px, char out[PATH_MAX],
		      const char *path, bool keep_last)
{
	struct canon canon = {.px = px, .keep_last = keep_last};
	const char *start = *path == '/' ? "" : px->start;
	const char *between = *path == '/' ? "" : "/";
	int len = snprintf(canon.rest, sizeof(canon.rest), "%s%s%s", start,
			   between, path);
	int err = 0;

	if (len < 0 || (size_t)len >= sizeof(canon.rest))
		return ENAMETOOLONG;
	while (err == 0 && canon.rest[0])
		err = canon_step(&canon);
	if (err == 0)
		memcpy(out, canon.done, canon.done_len + 1);
	return err;
}
