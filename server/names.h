/* Users and groups, known beforehand: a layer for a server in its sandbox. */
#ifndef CSFTP_SERVER_NAMES_H
#define CSFTP_SERVER_NAMES_H

#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Name services read files outside of the jail and talk to daemons, which the
 * sandbox forbids.  So before that they are asked for our own groups, and the
 * files of local users and groups are opened; these are read, up to NAMES_MAX
 * each, when somebody asks for the first time.  A directory service is not
 * asked to list all that it has: that can take a while, and most do not do it.
 * Those that only it knows are shown as numbers.
 *
 * The layer answers HOMEDIR and IDNAME itself, and REALPATH with EXPAND after
 * it has put in the home.  In a jail, a home outside of it is "/", and one
 * inside is told as the jail sees it.  One thread.
 */
#define NAMES_MAX 4096U

struct names_config {
	const char *user; /* our own name and home, copied; NULL: there is */
	const char *home; /* none */
	const char *jail; /* a canonical path, or NULL */
	/*
	 * Another such layer, which lives as long and whose users and groups
	 * this one has, so that nobody is asked; or NULL.  The same thread's.
	 */
	struct csftp_fs *like;
};

/* CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err names_new(struct csftp_fs **out,
					  struct csftp_fs *under,
					  const struct names_config *config);
void names_free(struct csftp_fs *fs);

/* As csftp_serve_config.idname; arg is the layer. */
const char *names_idname(void *arg, uint32_t kind, uint32_t id);

#endif
