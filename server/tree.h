/* The tree of files that sessions serve, and what they know of its users. */
#ifndef CSFTP_SERVER_TREE_H
#define CSFTP_SERVER_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/fs.h"
#include "server/log.h"
#include "server/options.h"

/*
 * What sessions with the same options share: posixfs with its jail and views,
 * and the names that are known beforehand.  What is a session's alone stands
 * on it (server/session.h).  One thread.
 *
 * Between tree_open() and tree_close() it stays where it is; options and log
 * live as long.
 */
struct tree {
	const struct server_options *options;
	struct log *log;
	bool known;	 /* to a name service; else user is a number */
	char user[256];	 /* who is served: the user we run as */
	char home[4096]; /* "/" where the user has none */
	char *jail;	 /* the canonical path of --root; NULL: none */
	struct csftp_fs *files;
	struct csftp_fs *names;
	struct csftp_fs *top;
	/* The offset from UTC in the quarter of an hour asked for last. */
	bool zone_known;
	int64_t zone_quarter;
	int32_t zone_offset;
};

/*
 * like: another one, whose user and names it has as well, and which has to live
 * as long; NULL: it looks for itself, which a sandbox does not let it do.
 * handles: files that all sessions together may have open; 0: as posixfs.
 * False if the tree cannot be had; that has been said by then.  In any case it
 * is to be closed.
 */
bool tree_open(struct tree *tree, const struct server_options *options,
	       struct log *log, uint32_t handles, const struct tree *like);

/* After all sessions on it. */
void tree_close(struct tree *tree);

/* An option's path with its % replaced (server_expand()); NULL for NULL. */
bool tree_expand(struct tree *tree, const char *text, char out[4096],
		 const char **path);

/* As csftp_serve_config.idname and .clock; arg is the tree. */
const char *tree_idname(void *arg, uint32_t kind, uint32_t id);
void tree_clock(void *arg, int64_t when, int64_t *now, int32_t *offset);

#endif
