/* Lines of known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
#ifndef CSFTP_CORE_SSH_KNOWN_HOSTS_H
#define CSFTP_CORE_SSH_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ssh/crypto.h"
#include "core/wire.h"
#include "csftp/ssh.h"

/*
 * Lines go in, a verdict comes out; who reads the files is the caller.  A look
 * begins with one host and, where it is known already, the key that it showed.
 * The lines of all files are given one after the other.
 *
 *   revoked  a matching @revoked line has this key; nothing outweighs it
 *   same     a matching line has this key
 *   changed  none has it, but one has another key for the host
 *   unknown  no line has a key for the host
 *
 * Names are plain, hashed ("|1|salt|hash"), or patterns with '*', '?' and '!'.
 * Lines of @cert-authority and of keys that we do not know count for nothing,
 * and so does whatever cannot be read: a broken line never lets anybody in.
 * That there is an authority for the host is noted, for who could ask another
 * program that knows certificates.
 *
 * Nothing is kept of a line; the look owns nothing.
 */

/* "[host]:port": a name of RFC 1035 or an address, brackets, a port, NUL. */
#define SSH_HOST_MAX 320

enum ssh_known_verdict {
	SSH_KNOWN_UNKNOWN,
	SSH_KNOWN_SAME,
	SSH_KNOWN_CHANGED,
	SSH_KNOWN_REVOKED
};

/* Where a line stands; file 0 is the first; line 0: there is none. */
struct ssh_known_place {
	uint32_t file;
	uint32_t line;
};

struct ssh_known {
	struct ssh_lib *lib;
	const char *host;      /* in the form of the files, small letters */
	struct wire_bytes key; /* in SSH form; ptr NULL: none yet */
	struct ssh_known_place now;

	/* What the lines so far have said. */
	bool same;
	bool revoked;
	bool authority; /* a matching line of @cert-authority has a key */
	uint32_t types; /* of all keys of the host, bits of 1 << type */
	struct ssh_known_place changed; /* the last line that says so */
	enum csftp_ssh_key_type changed_type;
	struct ssh_known_place named; /* this key under another name */
};

/*
 * The name under which files have a host: small letters, and "[host]:port"
 * where the port is not 22.  CSFTP_ERR_TOO_LONG; CSFTP_ERR_VALUE for a name
 * that could be taken for another line, or more than one name, if written.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_known_name(char out[SSH_HOST_MAX],
					       const char *host, unsigned port);

void ssh_known_start(struct ssh_known *known, struct ssh_lib *lib,
		     const char *host, struct wire_bytes key);

/* The lines that follow are of the next file; not to be called before any. */
void ssh_known_next_file(struct ssh_known *known);

/* One line, with or without its end. */
void ssh_known_line(struct ssh_known *known, const char *line, size_t len);

/* All lines of a text. */
void ssh_known_text(struct ssh_known *known, const char *text, size_t len);

enum ssh_known_verdict ssh_known_verdict(const struct ssh_known *known);

/*
 * A line to be added, with its end.  salt: 20 unpredictable bytes, with which
 * the name is hashed; NULL: it is written as it is.
 */
#define SSH_KNOWN_SALT 20
CSFTP_MUST_CHECK enum csftp_err
ssh_known_write(struct wire_wr *wr, struct ssh_lib *lib, const char *host,
		struct wire_bytes key, const uint8_t salt[SSH_KNOWN_SALT]);

/* "SHA256:...", as ssh shows it. */
#define SSH_FINGERPRINT_MAX 52
CSFTP_MUST_CHECK enum csftp_err ssh_fingerprint(char out[SSH_FINGERPRINT_MAX],
						struct ssh_lib *lib,
						struct wire_bytes key);

/* "ED25519", "ECDSA" or "RSA", as ssh calls the types. */
const char *ssh_type_shown(enum csftp_ssh_key_type type);

#endif
