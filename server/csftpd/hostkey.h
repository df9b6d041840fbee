/* Host keys: read from files, made where there is none. */
#ifndef CSFTP_SERVER_CSFTPD_HOSTKEY_H
#define CSFTP_SERVER_CSFTPD_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/ssh.h"

#define HOSTKEY_WHY_MAX 512U

/* The text of a private key's file, of which each worker makes a key. */
struct hostkey {
	char *text; /* NULL: there is none */
	size_t len;
};

/* What becomes of a key that is not there. */
enum hostkey_missing {
	HOSTKEY_MAKE,
	HOSTKEY_LEAVE /* it is looked whether it could be made */
};

/*
 * Reads the file and sees that there is a key in it; it may be readable for its
 * owner only.  Where there is no such file (*missed) an Ed25519 key is made,
 * with mode 0600, and `path`.pub beside it; missing directories are made, too,
 * for their owner alone.  Or nothing is made, and the key stays empty.  False:
 * why has a sentence.
 */
bool hostkey_load(struct hostkey *key, const char *path,
		  enum hostkey_missing missing, bool *missed,
		  char why[HOSTKEY_WHY_MAX]);

/* Wipes it.  One that was never loaded is fine when it is zero. */
void hostkey_release(struct hostkey *key);

/* The key; NULL: out of memory. */
struct csftp_ssh_key *hostkey_open(const struct hostkey *key);

#endif
