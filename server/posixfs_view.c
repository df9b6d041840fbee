#include "server/posixfs_impl.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Which access a place has.
 *
 * Views are compared with the place as text: the absolute path inside the jail
 * that has no links and no dots in it.  It is no guess about what the kernel
 * will do: with views, posixfs_place.c opens exactly that text, and with
 * RESOLVE_NO_SYMLINKS, so the kernel refuses it if any name in it is a link by
 * then.  The numbers of directories (st_dev, st_ino) would be another way to
 * know a place.  They fail where somebody replaces a read-only directory by a
 * newer one, as those do who publish a release: the view would stay with the
 * old one.
 *
 * What text alone does not see is a directory that is renamed: if "/a/b" is a
 * view, "/a" must not become "/c".  So the peer cannot move what a view hangs
 * on (EBUSY), as with a mount point; others on this machine can, as they could
 * change the files too.  Where two spellings are one name, in directories that
 * ignore case, text means nothing, so no view is let in there.
 */

/* Whether top is path itself or above it. */
static bool is_above(const char *top, const char *path)
{
	size_t len = strlen(top);

	return strncmp(top, path, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

enum posixfs_access posixfs_view_of(const struct posixfs *px, const char *text)
{
	enum posixfs_access access = POSIXFS_RW;
	size_t longest = 0;

	for (size_t i = 0; i < px->view_count; i++) {
		const struct posixfs_top *view = &px->view[i];
		size_t len = strlen(view->path);

		if (len < longest || !is_above(view->path, text))
			continue;
		longest = len;
		access = view->access;
	}
	return access;
}

bool posixfs_view_holds(const struct posixfs *px, const char *text)
{
	for (size_t i = 0; i < px->view_count; i++)
		if (is_above(text, px->view[i].path))
			return true;
	return false;
}

bool posixfs_view_hides(const struct posixfs *px, const char *text)
{
	if (posixfs_view_of(px, text) != POSIXFS_NONE)
		return false;
	for (size_t i = 0; i < px->view_count; i++)
		if (px->view[i].access != POSIXFS_NONE &&
		    is_above(text, px->view[i].path))
			return false;
	return true;
}

bool posixfs_view_hides_name(const struct posixfs *px, const char *dir,
			     const char *name)
{
	size_t len = strlen(dir);

	for (size_t i = 0; i < px->view_count; i++) {
		const struct posixfs_top *view = &px->view[i];

		if (view->access == POSIXFS_NONE &&
		    strncmp(view->path, dir, len) == 0 &&
		    view->path[len] == '/' &&
		    strcmp(view->path + len + 1, name) == 0)
			return true;
	}
	return false;
}

static int look(const struct posixfs *px, const char *text, struct stat *st)
{
	int fd = posixfs_openat2(px->dirfd, text,
				 O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	int err = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, st) != 0)
		err = errno;
	close(fd);
	return err;
}

static void swap_case(char *name)
{
	for (; *name; name++)
		if (isalpha((unsigned char)*name))
			*name ^= 'a' ^ 'A';
}

/*
 * EOPNOTSUPP where the name that text ends with can be spelled in another way.
 * A name without letters says nothing about that.
 */
static int check_spelling(const struct posixfs *px, char *text)
{
	char *name = strrchr(text, '/');
	char first[NAME_MAX + 2];
	struct stat one, two;
	int err = look(px, text, &one);

	if (err != 0)
		return err;
	snprintf(first, sizeof(first), "%s", name);
	swap_case(name);
	if (strcmp(first, name) != 0 && look(px, text, &two) == 0 &&
	    one.st_dev == two.st_dev && one.st_ino == two.st_ino)
		return EOPNOTSUPP;
	return 0;
}

static int view_check(const struct posixfs *px, const char *path)
{
	char text[PATH_MAX];
	size_t len = strlen(path);
	int err = 0;

	memcpy(text, path, len + 1);
	while (err == 0 && len > 0) {
		err = check_spelling(px, text);
		while (text[--len] != '/')
			;
		text[len] = '\0';
	}
	return err;
}

static enum csftp_err view_add(struct posixfs *px, size_t count,
			       const struct posixfs_view *from)
{
	struct posixfs_top *view = &px->view[count];
	char text[PATH_MAX];

	if (!from->path || *from->path != '/' || from->access > POSIXFS_NONE)
		return CSFTP_ERR_ARG;
	errno = posixfs_canonical(px, text, from->path, false);
	if (errno == 0)
		errno = view_check(px, text);
	if (errno != 0)
		return CSFTP_ERR_IO;
	for (size_t i = 0; i < count; i++)
		if (strcmp(px->view[i].path, text) == 0)
			return CSFTP_ERR_ARG;
	view->path = strdup(text);
	view->access = from->access;
	return view->path ? CSFTP_OK : CSFTP_ERR_NOMEM;
}

enum csftp_err posixfs_views_set(struct posixfs *px,
				 const struct posixfs_config *config)
{
	enum csftp_err err = CSFTP_OK;
	size_t count = 0;

	if (config->view_count == 0)
		return CSFTP_OK;
	px->view = calloc(config->view_count, sizeof(*px->view));
	if (!px->view)
		return CSFTP_ERR_NOMEM;
	while (err == CSFTP_OK && count < config->view_count) {
		err = view_add(px, count, &config->views[count]);
		if (err == CSFTP_OK)
			count++;
	}
	/* Only now: a view must not hide the next one's way. */
	px->view_count = count;
	return err;
}

void posixfs_views_free(struct posixfs *px)
{
	for (size_t i = 0; i < px->view_count; i++)
		free(px->view[i].path);
	free(px->view);
}
