/* A layer that shows the owners of a server as users of this machine. */
#ifndef CSFTP_CORE_LAYER_IDMAP_H
#define CSFTP_CORE_LAYER_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Owners and groups are numbers, which mean other users on each machine.  What
 * comes from below (GETATTR, READDIR) has the numbers of here, and what is set
 * (SETATTR) is translated back.
 *
 * Which number is which is known from pairs that are given, and, by_name, from
 * the names that the server has for its numbers (IDNAME, which is
 * users-groups-by-id@openssh.com): a number is asked for once, all that one
 * listing has at a time, and the name is looked up here.  A server that cannot
 * tell names is asked once; from then on it is as without by_name and with
 * IDMAP_KEEP, and the log has a sentence about it.
 *
 * To the server goes the first number that stands for the one of here.  The
 * server is not asked for the number of a name, as it cannot be: a user or
 * group of whom nothing has been seen yet has none.
 *
 * Memory is bounded: of more than IDMAP_IDS_MAX numbers the rest are not
 * looked up.  One thread.
 */
struct idmap;

#define IDMAP_IDS_MAX	16384U
#define IDMAP_NOBODY_ID 65534U

/* Numbers that have no other: */
enum idmap_nomap {
	IDMAP_KEEP,   /* stay what they are, both ways */
	IDMAP_REFUSE, /* make the request fail with EPERM */
	IDMAP_NOBODY, /* are shown as nobody's; none can be set */
};

struct idmap_pair {
	uint32_t remote;
	uint32_t local;
};

struct idmap_config {
	struct csftp_fs *under;
	const struct idmap_pair *users; /* need not outlive idmap_new() */
	size_t user_count;
	const struct idmap_pair *groups;
	size_t group_count;
	bool maps_users; /* otherwise these numbers pass as they are */
	bool maps_groups;
	bool by_name; /* beside the pairs */
	enum idmap_nomap nomap;
	/*
	 * What is made with an owner in the request's attributes (OPEN with
	 * CREAT, MKDIR, SYMLINK), a user and a group of here, is given to that
	 * owner.  The group of a directory that hands its own on stays.  When
	 * the server does not let us, that is logged and not tried again.
	 * What is made belongs to these on the server otherwise:
	 */
	bool gives_away;
	uint32_t login_uid;
	uint32_t login_gid;
	/*
	 * login_uid and login_gid are not known: the first request asks for the
	 * owner of the directory where the session starts, and all wait for
	 * that.  If it fails, so do they, and the next one asks again.
	 * shows_login: that user and group are these here; with by_name root
	 * is root, too.
	 */
	bool finds_login;
	bool shows_login;
	uint32_t here_uid;
	uint32_t here_gid;
	/* by_name: the number of a user or group here (CSFTP_ID_*). */
	bool (*local)(void *arg, uint32_t kind, const char *name, uint32_t *id);
	/* A sentence without newline; may be NULL. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err idmap_new(struct idmap **out,
					  const struct idmap_config *config);

/* Nothing may be pending.  NULL is fine. */
void idmap_free(struct idmap *map);

struct csftp_fs *idmap_fs(struct idmap *map);

/* Requests of its own that the file system below has not answered yet. */
uint32_t idmap_pending(const struct idmap *map);

#endif
