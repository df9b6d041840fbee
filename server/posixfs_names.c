#include "server/posixfs_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/account.h"

/*
 * A home as the peer sees it: in a jail, what is left of it below the root, or
 * "/" where it is outside.
 */
static const char *home_in(const struct posixfs *px, const char *home)
{
	size_t len;

	/* As login(1) does for those who have none. */
	if (*home != '/')
		return "/";
	if (!posixfs_jailed(px))
		return home;
	len = strcmp(px->root, "/") == 0 ? 0 : strlen(px->root);
	if (strncmp(home, px->root, len) != 0 || home[len] != '/')
		return "/";
	return home + len;
}

/* NULL name: who we are. */
static int home_of(const struct posixfs *px, char *out, size_t room,
		   const char *name)
{
	struct account user;
	bool found = name ? account_user_named(&user, name)
			  : account_user(&user, geteuid());
	const char *home;
	int len;

	if (!found && name)
		return ENOENT;
	/* We are here, so we can be without an entry: home is where we are. */
	if (found)
		home = home_in(px, user.home);
	else
		home = *px->start ? px->start : "/";
	len = snprintf(out, room, "%s", home);
	return len < 0 || (size_t)len >= room ? ENAMETOOLONG : 0;
}

/* "~" or "~user" at the start becomes a home; anything else is as it was. */
static int expand(const struct posixfs *px, char *out, size_t room,
		  const char *path)
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
		err = home_of(px, out, room, len > 1 ? user : NULL);
		if (err != 0)
			return err;
	}
	used = strlen(out);
	add = snprintf(out + used, room - used, "%s", path + len);
	return add < 0 || (size_t)add >= room - used ? ENAMETOOLONG : 0;
}

void posixfs_realpath(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	char expanded[PATH_MAX];
	char text[PATH_MAX];
	const char *path = req->path;
	int err = 0;

	if (req->flags & CSFTP_EXPAND) {
		err = expand(px, expanded, sizeof(expanded), path);
		path = expanded;
	}
	if (err == 0)
		err = posixfs_canonical(px, text, path, false);
	if (err == 0 && posixfs_view_of(px, text) == POSIXFS_NONE)
		err = ENOENT;
	if (err != 0)
		csftp_reply_err(req, err);
	else if (!*text)
		csftp_reply_text(req, "/", 1);
	else
		csftp_reply_text(req, text, strlen(text));
}

void posixfs_homedir(struct csftp_fs *fs, struct csftp_req *req)
{
	char home[PATH_MAX];
	int err = home_of(posixfs_of(fs), home, sizeof(home),
			  *req->path ? req->path : NULL);

	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_text(req, home, strlen(home));
}

static void look_up(struct posixfs_idname *out)
{
	struct account one;
	bool found = out->kind == CSFTP_ID_USER ? account_user(&one, out->id)
						: account_group(&one, out->id);

	out->name[0] = '\0';
	if (found && strlen(one.name) < sizeof(out->name))
		memcpy(out->name, one.name, strlen(one.name) + 1);
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

void posixfs_answer_idname(struct csftp_req *req,
			   const char *(*idname)(void *arg, uint32_t kind,
						 uint32_t id),
			   void *arg)
{
	uint32_t kind = req->flags & (CSFTP_ID_USER | CSFTP_ID_GROUP);
	const char *name;

	if (kind != CSFTP_ID_USER && kind != CSFTP_ID_GROUP) {
		csftp_reply_err(req, EINVAL);
		return;
	}
	name = req->off > UINT32_MAX ? NULL
				     : idname(arg, kind, (uint32_t)req->off);
	if (name)
		csftp_reply_text(req, name, strlen(name));
	else
		csftp_reply_err(req, ENOENT);
}

void posixfs_id(struct csftp_fs *fs, struct csftp_req *req)
{
	posixfs_answer_idname(req, posixfs_idname, fs);
}
