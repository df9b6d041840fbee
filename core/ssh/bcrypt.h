/* bcrypt as a key derivation, for key files. */
#ifndef CSFTP_CORE_SSH_BCRYPT_H
#define CSFTP_CORE_SSH_BCRYPT_H

#include "core/wire.h"

/*
 * len bytes of key from a passphrase.  It takes its time, which is what it is
 * for: some milliseconds a round.  CSFTP_ERR_VALUE: no salt, or a number of
 * rounds that nobody would wait for.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_bcrypt(struct wire_bytes passphrase,
					   struct wire_bytes salt,
					   uint32_t rounds, uint8_t *key,
					   size_t len);

#endif
