#include "server/posixfs_impl.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* symbolic links in one path, as Linux */

/*
 * A path on its way to be canonical: `done` is, and has no '/' at its end (so
 * the root is empty); `rest` is still to be walked.
 */
struct canon {
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

/* What done ends with, once its last name was added; rest follows it. */
static int canon_check(struct canon *canon, const char *rest)
{
	char text[PATH_MAX];
	ssize_t len = readlink(canon->done, text, sizeof(text) - 1);
	struct stat st;

	if (len >= 0) {
		text[len] = '\0';
		return canon_link(canon, text, rest);
	}
	/* The last name may be missing, but not where it is a directory's. */
	if (errno == ENOENT && !*rest) {
		canon->rest[0] = '\0';
		return 0;
	}
	if (errno != EINVAL)
		return errno;
	if (*rest && stat(canon->done, &st) != 0)
		return errno;
	if (*rest && !S_ISDIR(st.st_mode))
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

/*
 * As realpath(3), for names below the start directory too, and the last may be
 * missing: a client asks where it would be before it makes it.
 */
static int canonical(struct canon *canon, const struct posixfs *px,
		     const char *path)
{
	const char *start = *path == '/' ? "" : px->start;
	int len = snprintf(canon->rest, sizeof(canon->rest), "%s/%s", start,
			   path);
	int err = 0;

	if (len < 0 || (size_t)len >= sizeof(canon->rest))
		return ENAMETOOLONG;
	canon->done[0] = '\0';
	canon->done_len = 0;
	canon->links = 0;
	while (err == 0 && canon->rest[0])
		err = canon_step(canon);
	return err;
}

/* NULL name: who we are.  err is 0 where there is merely no such user. */
static int home_of(char *out, size_t room, const char *name)
{
	char buf[POSIXFS_HOME_MAX];
	struct passwd pw;
	struct passwd *found = NULL;
	int len;
	int err;

	if (name)
		err = getpwnam_r(name, &pw, buf, sizeof(buf), &found);
	else
		err = getpwuid_r(geteuid(), &pw, buf, sizeof(buf), &found);
	if (!found)
		return err == ENOMEM || err == EMFILE ? err : ENOENT;
	len = snprintf(out, room, "%s", found->pw_dir);
	return len < 0 || (size_t)len >= room ? ENAMETOOLONG : 0;
}

/* "~" or "~user" at the start becomes a home; anything else is as it was. */
static int expand(char *out, size_t room, const char *path)
{
	size_t len = strcspn(path, "/");
	char user[CSFTP_NAME_MAX + 1];
	size_t used;
	int add;
	int err;

	if (*path != '~')
		len = 0;
	if (len > sizeof(user))
		return ENOENT;
	*out = '\0';
	if (len > 0) {
		memcpy(user, path + 1, len - 1);
		user[len - 1] = '\0';
		err = home_of(out, room, len > 1 ? user : NULL);
		if (err != 0)
			return err;
	}
	used = strlen(out);
	add = snprintf(out + used, room - used, "%s", path + len);
	return add < 0 || (size_t)add >= room - used ? ENAMETOOLONG : 0;
}

void posixfs_realpath(struct csftp_fs *fs, struct csftp_req *req)
{
	struct canon canon;
	char expanded[PATH_MAX];
	const char *path = req->path;
	int err = 0;

	if (req->flags & CSFTP_EXPAND) {
		err = expand(expanded, sizeof(expanded), path);
		path = expanded;
	}
	if (err == 0)
		err = canonical(&canon, posixfs_of(fs), path);
	if (err != 0)
		csftp_reply_err(req, err);
	else if (canon.done_len == 0)
		csftp_reply_text(req, "/", 1);
	else
		csftp_reply_text(req, canon.done, canon.done_len);
}

void posixfs_homedir(struct csftp_fs *fs, struct csftp_req *req)
{
	char home[PATH_MAX];
	int err = home_of(home, sizeof(home), *req->path ? req->path : NULL);

	(void)fs;
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_text(req, home, strlen(home));
}

static void look_up(struct posixfs_idname *out)
{
	char buf[POSIXFS_HOME_MAX];
	struct passwd pw;
	struct passwd *user = NULL;
	struct group gr;
	struct group *group = NULL;
	const char *name = "";

	if (out->kind == CSFTP_ID_USER) {
		getpwuid_r(out->id, &pw, buf, sizeof(buf), &user);
		name = user ? user->pw_name : "";
	} else {
		getgrgid_r(out->id, &gr, buf, sizeof(buf), &group);
		name = group ? group->gr_name : "";
	}
	out->name[0] = '\0';
	if (strlen(name) < sizeof(out->name))
		memcpy(out->name, name, strlen(name) + 1);
}

const char *posixfs_idname(void *arg, uint32_t kind, uint32_t id)
{
	struct posixfs *px = arg;
	/* Users and groups often have the same numbers: keep them apart. */
	uint32_t at = (id * 2 + (kind == CSFTP_ID_GROUP)) % POSIXFS_IDNAMES;
	struct posixfs_idname *known = &px->idname[at];

	if (kind != CSFTP_ID_USER && kind != CSFTP_ID_GROUP)
		return NULL;
	if (known->kind != kind || known->id != id) {
		known->kind = kind;
		known->id = id;
		look_up(known);
	}
	return known->name[0] ? known->name : NULL;
}

void posixfs_id(struct csftp_fs *fs, struct csftp_req *req)
{
	uint32_t kind = req->flags & (CSFTP_ID_USER | CSFTP_ID_GROUP);
	const char *name;

	if (kind != CSFTP_ID_USER && kind != CSFTP_ID_GROUP) {
		csftp_reply_err(req, EINVAL);
		return;
	}
	name = req->off > UINT32_MAX
		       ? NULL
		       : posixfs_idname(fs, kind, (uint32_t)req->off);
	if (name)
		csftp_reply_text(req, name, strlen(name));
	else
		csftp_reply_err(req, ENOENT);
}
