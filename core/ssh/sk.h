/* User keys in hardware: sk-ssh-ed25519@openssh.com (OpenSSH PROTOCOL.u2f). */
#ifndef CSFTP_CORE_SSH_SK_H
#define CSFTP_CORE_SSH_SK_H

#include <stdbool.h>

#include "core/ssh/alg.h"

/*
 * The algorithm and the name of its keys.  It is not in the table of host key
 * algorithms: a server does not have somebody who touches its key.
 */
extern const struct ssh_alg ssh_sk_alg;

bool ssh_sk_is_key(struct wire_bytes blob);

/* What the hardware says of its user. */
#define SSH_SK_TOUCHED	0x01U
#define SSH_SK_VERIFIED 0x04U

/* CSFTP_ERR_FORGED unless the signature is of data, and by that key. */
CSFTP_MUST_CHECK enum csftp_err ssh_sk_verify(struct ssh_lib *lib,
					      struct wire_bytes blob,
					      struct wire_bytes data,
					      struct wire_bytes signature,
					      unsigned *flags);

#endif
