/* authorized_keys files: whether one can be trusted, and what it says. */
#ifndef CSFTP_SERVER_AUTHFILE_H
#define CSFTP_SERVER_AUTHFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "core/ssh/authkeys.h"

/*
 * Reads the file anew for each question, without memory from the heap, so that
 * a key that was taken out is out.  Any thread; it waits for the disk.
 */

/* Bytes of a file that are looked at. */
#define AUTHFILE_MAX (4U * 1024U * 1024U)

struct authfile {
	const char *path;
	/*
	 * StrictModes of sshd: the file and the directories above it, up to
	 * `home` if they are in it, else up to "/", belong to uid or to root,
	 * and nobody else can write to them.
	 */
	bool strict;
	uid_t uid;
	const char *home; /* NULL: none */
	/*
	 * Takes what the log should hear of the file, or of one line where
	 * that is not 0, a static text without a full stop; may be NULL.
	 */
	void (*say)(void *arg, const char *path, unsigned line,
		    const char *text);
	void *arg;
};

/*
 * Whether a line of the file lets the peer in; then the grant is filled.  A
 * file that is not there, not to be trusted or cannot be read lets nobody in.
 */
bool authfile_grants(const struct authfile *file,
		     const struct ssh_authkeys_peer *peer,
		     struct ssh_authkeys_grant *grant);

/* Sets both times of the peer. */
void authfile_set_time(struct ssh_authkeys_peer *peer, time_t now);

#endif
