/* A layer that shows names in another character set than the server's. */
#ifndef CSFTP_CORE_LAYER_RECODE_H
#define CSFTP_CORE_LAYER_RECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * SFTP version 3 has no encoding of names (filexfer-02, 6.2): they are bytes.
 * Here what comes from below (READDIR, READLINK, REALPATH) is converted, and
 * what is asked for by path is converted back.  A path is converted name by
 * name, so that '/' stays what it is, and its beginning stays as it is where
 * that is the root.  Users' names, of HOMEDIR and IDNAME, are left alone.
 *
 * What has no counterpart in the other character set: a name of a listing is
 * left out, which is logged once; a path or a link's text fails with EILSEQ.
 * So does a name that would get a '/' or a NUL in it, or become "." or "..",
 * whatever the conversion says.
 *
 * One thread.
 */
enum recode_way { RECODE_UP, RECODE_DOWN };

struct recode_config {
	struct csftp_fs *under;
	const char *root; /* absolute, in the server's bytes; outlives it */
	/*
	 * Converts one name, from the server's bytes (RECODE_UP) or to them,
	 * into room for cap bytes, and says how many there are, which is more
	 * than cap where there is no room; false: it has no counterpart.
	 */
	bool (*convert)(void *charset, enum recode_way way,
			struct csftp_slice name, char *to, size_t cap,
			size_t *len);
	void *charset;
	/* A sentence without newline; may be NULL. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err recode_new(struct csftp_fs **out,
					   const struct recode_config *config);

/* Every request must have been answered.  NULL is fine. */
void recode_free(struct csftp_fs *fs);

#endif
