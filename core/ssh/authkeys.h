/* Lines of authorized_keys files (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */
#ifndef CSFTP_CORE_SSH_AUTHKEYS_H
#define CSFTP_CORE_SSH_AUTHKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"

/*
 * One line comes in, and what it means for one peer comes out.  Nothing here
 * reads a file or a clock, allocates, or keeps state.
 *
 * A line grants what it says and nothing more: where an option is unknown,
 * given twice, or asks for what we do not do (another command than
 * internal-sftp, certificates), the key is refused with a reason.
 *
 * Options that take away what an SFTP server never gives (no-pty,
 * no-port-forwarding, permitopen, tunnel, ...), or give it back, are checked
 * for their form and have no effect; so has environment=, as the programs that
 * it would be for do not exist.
 */

/* Bytes of a line without its end; a longer one is refused. */
#define SSH_AUTHKEYS_LINE_MAX 16384

/* Bytes of the words behind internal-sftp, each with a NUL. */
#define SSH_AUTHKEYS_ARGS_MAX 1024

/* Who wants in. */
struct ssh_authkeys_peer {
	struct wire_bytes key;	   /* public, in SSH form */
	struct wire_bytes address; /* as numbers; empty where it has none */
	struct wire_bytes host; /* its name; empty: only the address counts */
	/*
	 * The time as digits, YYYYMMDDhhmmss: 20261231235959.  expiry-time is
	 * of the local zone unless it ends with a Z.
	 */
	uint64_t now_local;
	uint64_t now_utc;
	/*
	 * What csftp_ssh_event says of a key in hardware (sk-...).  It has to
	 * be touched unless the line has no-touch-required, and to be verified
	 * if it has verify-required; of other keys nothing is asked.
	 */
	bool touched;
	bool verified;
};

/* What the key may do. */
struct ssh_authkeys_grant {
	/*
	 * command="internal-sftp ...": whatever the peer asks for, it gets an
	 * SFTP session with these words, NUL behind each, as the options of
	 * csftp-server.  They are but options with one letter of OpenSSH's
	 * sftp-server (-d DIR -e -f FACILITY -l LEVEL -P LIST -p LIST -R
	 * -u UMASK), so none of them gives more than there was.  Their values
	 * are not checked here: one that cannot be used refuses the session.
	 */
	bool sftp_only;
	unsigned arg_count;
	char args[SSH_AUTHKEYS_ARGS_MAX];
};

enum ssh_authkeys_verdict {
	SSH_AUTHKEYS_OTHER,   /* nothing about this key; go on */
	SSH_AUTHKEYS_REFUSED, /* this key, but not so: why; go on */
	SSH_AUTHKEYS_GRANTED, /* this key; grant is filled */
	SSH_AUTHKEYS_BROKEN   /* no line of that format: why; go on */
};

/*
 * The line with or without its end.  Why is a short static text for the log,
 * without a full stop; the peer does not get to know it.  The first line that
 * grants is the one that counts; lines that refuse or are broken do not end
 * the search, as with sshd.
 */
CSFTP_MUST_CHECK enum ssh_authkeys_verdict
ssh_authkeys_line(const char *line, size_t len,
		  const struct ssh_authkeys_peer *peer,
		  struct ssh_authkeys_grant *grant, const char **why);

#endif
