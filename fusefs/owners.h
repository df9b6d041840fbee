/* Which owners of the server are which users here, as the options say. */
#ifndef CSFTP_FUSEFS_OWNERS_H
#define CSFTP_FUSEFS_OWNERS_H

#include <stdbool.h>

#include "core/layer/idmap.h"
#include "fusefs/options.h"

/*
 * A file of pairs, as sshfs has it: "name:number" in each line, with the name
 * (or number) of a user here and the number on the server; lines of passwd(5)
 * and group(5) will do, too.  Empty lines, and those that begin with '#', are
 * skipped.  The file must belong to who mounts, or root, and nobody else may
 * be able to write to it.
 */
struct owners {
	struct idmap_pair *users;
	size_t user_count;
	struct idmap_pair *groups;
	size_t group_count;
};

/* Whether owners are translated or given at all. */
bool owners_wanted(const struct options *options);

/* Whether the server has to say who we are there. */
bool owners_need_login(const struct options *options);

/*
 * Fills owners and what it says of them in config; login is the owner of what
 * we make on the server, if that was asked; with delay_connect it cannot have
 * been, and is left to the layer.  False, and why.  To be released
 * in any case, not before config was used.
 */
bool owners_load(struct owners *owners, const struct options *options,
		 const struct csftp_attr *login, struct idmap_config *config,
		 char why[OPTIONS_WHY_MAX]);
void owners_release(struct owners *owners);

#endif
