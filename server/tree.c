#include "server/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/account.h"
#include "server/names.h"
#include "server/posixfs.h"

_Static_assert(PATH_MAX == 4096, "server/tree.h has it as a number");

/* A user that no name service knows is served as well. */
static void learn_user(struct tree *tree)
{
	struct account self;

	tree->known = account_user(&self, geteuid());
	if (tree->known)
		(void)snprintf(tree->user, sizeof(tree->user), "%s", self.name);
	else
		(void)snprintf(tree->user, sizeof(tree->user), "%lu",
			       (unsigned long)geteuid());
	(void)snprintf(tree->home, sizeof(tree->home), "%s",
		       tree->known && self.home[0] ? self.home : "/");
}

bool tree_expand(struct tree *tree, const char *text, char out[4096],
		 const char **path)
{
	int err;

	*path = NULL;
	if (!text)
		return true;
	err = server_expand(out, PATH_MAX, text, tree->home, tree->user);
	*path = out;
	if (err == 0)
		return true;
	log_fatal(tree->log, "%s: %s", text,
		  err == EINVAL ? "unknown letter behind a %" : strerror(err));
	return false;
}

/*
 * As OpenSSH, a start directory that cannot be used is an error and not the
 * end: then it is where we are, or "/".  That is no way around a jail, as it is
 * inside of it that we start.
 */
static enum csftp_err open_started(struct tree *tree,
				   struct posixfs_config *config)
{
	const char *wish = config->start;
	enum csftp_err err = posixfs_new(&tree->files, config);
	int wrong = errno;

	if (err == CSFTP_ERR_IO && wish) {
		config->start = NULL;
		err = posixfs_new(&tree->files, config);
	}
	if (err == CSFTP_ERR_IO && !config->root) {
		config->start = "/";
		err = posixfs_new(&tree->files, config);
	}
	if (err == CSFTP_OK && config->start != wish)
		log_say(tree->log, LEVEL_ERROR, "chdir to \"%s\" failed: %s",
			wish ? wish : ".", strerror(wrong));
	return err;
}

static bool open_files(struct tree *tree, uint32_t handles)
{
	const struct server_options *options = tree->options;
	char start[PATH_MAX], root[PATH_MAX];
	struct posixfs_config config = {
		.handles = handles,
		.views = options->view,
		.view_count = options->view_count,
		.files = options->files,
		.dirs = options->dirs,
	};
	enum csftp_err err;

	if (!tree_expand(tree, options->start, start, &config.start) ||
	    !tree_expand(tree, options->root, root, &config.root))
		return false;
	if (config.root) {
		tree->jail = realpath(config.root, NULL);
		if (!tree->jail) {
			log_fatal(tree->log, "%s: %s", config.root,
				  strerror(errno));
			return false;
		}
		config.root = tree->jail;
	} else if (options->view_count > 0) {
		config.root = "/"; /* a jail is what can have views */
	}
	err = open_started(tree, &config);
	if (err == CSFTP_OK)
		return true;
	log_fatal(tree->log, "%s%s: %s", config.root ? config.root : "/",
		  options->view_count > 0 ? ", or the top of a view" : "",
		  csftp_strerror_io(err, errno));
	return false;
}

static bool add_names(struct tree *tree, const struct tree *like)
{
	const struct names_config config = {
		.user = tree->known ? tree->user : NULL,
		.home = tree->known ? tree->home : NULL,
		.jail = tree->jail,
		.like = like ? like->names : NULL,
	};
	enum csftp_err err;

	if (tree->options->sandbox == SANDBOX_OFF)
		return true;
	err = names_new(&tree->names, tree->top, &config);
	if (err == CSFTP_OK)
		tree->top = tree->names;
	else
		log_fatal(tree->log, "%s", csftp_strerror(err));
	return err == CSFTP_OK;
}

bool tree_open(struct tree *tree, const struct server_options *options,
	       struct log *log, uint32_t handles, const struct tree *like)
{
	*tree = (struct tree){.options = options, .log = log};
	/* It reads a file that is not in a jail; else when a time is told. */
	if (options->root)
		tzset();
	if (like) {
		tree->known = like->known;
		memcpy(tree->user, like->user, sizeof(tree->user));
		memcpy(tree->home, like->home, sizeof(tree->home));
	} else {
		learn_user(tree);
	}
	if (!open_files(tree, handles))
		return false;
	tree->top = tree->files;
	return add_names(tree, like);
}

void tree_close(struct tree *tree)
{
	names_free(tree->names);
	posixfs_free(tree->files);
	free(tree->jail);
	*tree = (struct tree){0};
}

const char *tree_idname(void *arg, uint32_t kind, uint32_t id)
{
	struct tree *tree = arg;

	return tree->names ? names_idname(tree->names, kind, id)
			   : posixfs_idname(tree->files, kind, id);
}

#define QUARTER_HOUR 900

void tree_clock(void *arg, int64_t when, int64_t *now, int32_t *offset)
{
	struct tree *tree = arg;
	int64_t quarter = when / QUARTER_HOUR - (when % QUARTER_HOUR < 0);
	time_t at = (time_t)when;
	struct tm tm;

	*now = time(NULL);
	/* Zones change at quarters of an hour; a listing asks for each name. */
	if (!tree->zone_known || tree->zone_quarter != quarter) {
		tree->zone_known = true;
		tree->zone_quarter = quarter;
		tree->zone_offset =
			localtime_r(&at, &tm) ? (int32_t)tm.tm_gmtoff : 0;
	}
	*offset = tree->zone_offset;
}
