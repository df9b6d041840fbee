#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * How often a resolution is begun anew because others rename what it walks
 * through.  Each time is bad luck, or an attack, which must not keep us.
 */
#define TRIES_MAX 32

static const char *at(const char *path)
{
	return *path ? path : ".";
}

/*
 * The way into the jail: there is no other.  EAGAIN: something was renamed
 * while the kernel went through "..", and it cannot say that it stayed inside.
 */
static int jail_open(const struct posixfs *px, const char *path, int flags,
		     mode_t mode)
{
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	int fd;

	/* The path is the text of a place then: see posixfs_view.c. */
	if (px->view_count > 0)
		resolve |= RESOLVE_NO_SYMLINKS;
	for (int i = 0; i < TRIES_MAX; i++) {
		fd = posixfs_openat2(px->dirfd, at(path), flags,
				     flags & O_CREAT ? mode : 0, resolve);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

/* A path of the peer's, from the root. */
static int jail_path(const struct posixfs *px, char out[PATH_MAX],
		     const char *path)
{
	const char *start = *path == '/' ? "" : px->start;
	const char *between = *start && *path ? "/" : "";
	int len = snprintf(out, PATH_MAX, "%s%s%s", start, between, path);

	return len < 0 || len >= PATH_MAX ? ENAMETOOLONG : 0;
}

/*
 * The text of a place, by its spelling alone.  False where that does not tell:
 * dots need a look, and so does a '/' at the end.
 */
static bool tidy(char out[PATH_MAX], const char *path)
{
	size_t used = 0;

	for (;;) {
		size_t slashes = strspn(path, "/");
		size_t len = strcspn(path + slashes, "/");

		path += slashes;
		if (len == 0) {
			out[used] = '\0';
			return slashes == 0 || used == 0;
		}
		if (strncmp(path, ".", len) == 0 ||
		    strncmp(path, "..", len) == 0 || len >= PATH_MAX - 1 - used)
			return false;
		out[used++] = '/';
		memcpy(out + used, path, len);
		used += len;
		path += len;
	}
}

/*
 * Where path is, on the first try as if there were no links in it: mostly there
 * is none.  The kernel refuses to open it if there is.
 */
static int locate(const struct posixfs *px, char out[PATH_MAX],
		  const char *path, int flags, int try)
{
	char whole[PATH_MAX];
	int err;

	if (px->view_count == 0)
		return jail_path(px, out, path);
	err = jail_path(px, whole, path);
	if (err != 0 || (try == 0 && tidy(out, whole)))
		return err;
	return posixfs_canonical(px, out, path, flags & O_NOFOLLOW);
}

/* Only reads: what would change something is looked for, and then refused. */
static int open_read_only(struct posixfs_opened *out, const struct posixfs *px,
			  int flags)
{
	bool changes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	bool is_new = flags & O_CREAT && flags & O_EXCL;
	int fd;

	if (changes || is_new)
		fd = jail_open(px, out->text, O_PATH | O_CLOEXEC, 0);
	else
		fd = jail_open(px, out->text, flags & ~O_CREAT, 0);
	if (fd < 0)
		return errno == ENOENT && flags & O_CREAT ? EROFS : errno;
	if (changes || is_new) {
		close(fd);
		return is_new ? EEXIST : EROFS;
	}
	out->fd = fd;
	return 0;
}

/* What a name may be, the directory that it is in included. */
static enum posixfs_access name_access(const struct posixfs *px,
				       const char *text)
{
	enum posixfs_access own = posixfs_view_of(px, text);
	enum posixfs_access above;
	char dir[PATH_MAX];
	char *end;

	snprintf(dir, sizeof(dir), "%s", text);
	end = strrchr(dir, '/');
	if (!end)
		return own;
	*end = '\0';
	above = posixfs_view_of(px, dir);
	return own > above ? own : above;
}

/* text has been found: whether it may be opened, and then opens it. */
static int open_located(struct posixfs_opened *out, const struct posixfs *px,
			int flags, mode_t mode)
{
	if (px->view_count > 0)
		out->access = posixfs_view_of(px, out->text);
	if (out->access == POSIXFS_NONE)
		return ENOENT;
	if (out->access == POSIXFS_RO)
		return open_read_only(out, px, flags);
	/* A view's top is not made anew in a directory that is read-only. */
	if (flags & O_CREAT && name_access(px, out->text) != POSIXFS_RW)
		flags &= ~(O_CREAT | O_EXCL);
	out->fd = jail_open(px, out->text, flags, mode);
	return out->fd < 0 ? errno : 0;
}

int posixfs_path_open(struct posixfs_opened *out, const struct posixfs *px,
		      const char *path, int flags, mode_t mode)
{
	int err = ELOOP;

	out->fd = -1;
	out->access = POSIXFS_RW;
	out->text[0] = '\0';
	if (!posixfs_jailed(px)) {
		out->fd = openat(px->dirfd, at(path), flags, mode);
		return out->fd < 0 ? errno : 0;
	}
	if (px->view_count > 0 && flags & O_CREAT && *path &&
	    path[strlen(path) - 1] == '/')
		return EISDIR;
	/* Links that were found are not in the text: ELOOP is a new one. */
	for (int try = 0; try < TRIES_MAX && err == ELOOP; try++) {
		err = locate(px, out->text, path, flags, try);
		if (err != 0)
			return err;
		err = open_located(out, px, flags, mode);
		if (px->view_count == 0)
			break;
	}
	return err;
}

/* RESOLVE_CACHED, which headers of Linux before 5.12 do not have. */
#define ONLY_CACHED 0x20U

/*
 * The kernel refuses to go where it would have to ask a disk or another
 * machine.  statx(2) is asked for nothing but the device, which it knows.
 */
bool posixfs_path_near(const struct posixfs *px, const char *path, bool follow,
		       struct statx *out)
{
	int flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
	uint64_t resolve = ONLY_CACHED;
	unsigned mask = out ? STATX_BASIC_STATS : 0;
	char whole[PATH_MAX];
	struct statx st;
	bool near;
	int fd;

	if (out)
		out->stx_mask = 0;
	if (posixfs_jailed(px)) {
		resolve |= RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
		if (jail_path(px, whole, path) != 0)
			return true; /* it will be refused */
		path = whole;
	}
	fd = posixfs_openat2(px->dirfd, at(path), flags, 0, resolve);
	if (fd < 0)
		return errno != EAGAIN && errno != EINVAL && errno != ENOSYS;
	near = statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, &st) ==
		       0 &&
	       !mounts_far(px->mounts,
			   makedev(st.stx_dev_major, st.stx_dev_minor));
	close(fd);
	if (near && out)
		*out = st;
	return near;
}

/* The last name of a path, and the path of the directory that it is in. */
static int split(struct posixfs_place *out, char dir[PATH_MAX],
		 const char *path)
{
	size_t len = strlen(path);
	size_t end = len;
	size_t from;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (from = end; from > 0 && path[from - 1] != '/'; from--)
		;
	if (len >= PATH_MAX || end - from >= sizeof(out->buf))
		return ENAMETOOLONG;
	out->slash = end > 0 && end < len;
	memcpy(out->buf, path + from, end - from);
	out->buf[end - from] = '\0';
	out->name = at(out->buf);
	while (from > 1 && path[from - 1] == '/')
		from--;
	memcpy(dir, path, from);
	dir[from] = '\0';
	return 0;
}

static int open_dir(struct posixfs_opened *out, const struct posixfs *px,
		    struct posixfs_place *place, const char *dir)
{
	int err;

	if (strcmp(dir, "/") == 0 || (!*dir && !*px->start)) {
		place->dirfd = px->dirfd;
		out->text[0] = '\0';
		return 0;
	}
	err = posixfs_path_open(out, px, dir, O_PATH | O_DIRECTORY | O_CLOEXEC,
				0);
	place->dirfd = out->fd;
	place->owned = err == 0;
	return err;
}

/* What the views say to the name in the directory at dir. */
static int judge(struct posixfs_place *place, const struct posixfs *px,
		 const char *dir)
{
	char text[PATH_MAX];
	int len;

	/* The kernel refuses to change anything by these names. */
	if (strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0) {
		place->access = posixfs_view_of(px, dir);
		return place->access == POSIXFS_NONE ? ENOENT : 0;
	}
	len = snprintf(text, sizeof(text), "%s/%s", dir, place->name);
	if (len < 0 || (size_t)len >= sizeof(text))
		return ENAMETOOLONG;
	place->access = name_access(px, text);
	place->holds = posixfs_view_holds(px, text);
	return place->access == POSIXFS_NONE ? ENOENT : 0;
}

/* A '/' at the end says that it is a directory, and no link to one. */
static int check_slash(const struct posixfs_place *place)
{
	struct stat st;

	if (place->slash &&
	    fstatat(place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode))
		return ENOTDIR;
	return 0;
}

int posixfs_place(struct posixfs_place *out, const struct posixfs *px,
		  const char *path)
{
	struct posixfs_opened opened;
	char dir[PATH_MAX];
	int err;

	out->dirfd = px->dirfd;
	out->owned = false;
	out->slash = false;
	out->name = at(path);
	out->access = POSIXFS_RW;
	out->holds = false;
	if (!posixfs_jailed(px))
		return 0;
	err = split(out, dir, path);
	if (err == 0)
		err = open_dir(&opened, px, out, dir);
	if (err == 0 && px->view_count > 0)
		err = judge(out, px, opened.text);
	if (err == 0)
		err = check_slash(out);
	if (err != 0)
		posixfs_place_end(out);
	return err;
}

void posixfs_place_end(struct posixfs_place *place)
{
	if (place->owned)
		close(place->dirfd);
	place->owned = false;
}
