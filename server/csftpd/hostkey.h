/* Host keys: read from files, made where there is none. */
#ifndef CSFTP_SERVER_CSFTPD_HOSTKEY_H
#define CSFTP_SERVER_CSFTPD_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/ssh.h"

#define HOSTKEY_WHY_MAX 512U

/* The text of a private key's file: each worker makes a key of its own. */
struct hostkey {
	char *text;
	size_t len;
};

/*
 * Reads the file and sees that there is a key in it; it may be readable for its
 * owner only.  Where there is no such file an Ed25519 key is made, with mode
 * 0600, and `path`.pub beside it; missing directories are made, too, for their
 * owner alone.  False: why has a sentence.
 */
bool hostkey_load(struct hostkey *key, const char *path, bool *made,
		  char why[HOSTKEY_WHY_MAX]);

/* Wipes it.  One that was never loaded is fine when it is zero. */
void hostkey_release(struct hostkey *key);

/* The key; NULL: out of memory. */
struct csftp_ssh_key *hostkey_open(const struct hostkey *key);

#endif
