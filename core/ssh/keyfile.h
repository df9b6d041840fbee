/* What reading key files is made of. */
#ifndef CSFTP_CORE_SSH_KEYFILE_H
#define CSFTP_CORE_SSH_KEYFILE_H

#include "core/wire.h"

/* RFC 4648, 4, spaces left out; out has room for len bytes. */
CSFTP_MUST_CHECK enum csftp_err ssh_base64(const char *text, size_t len,
					   uint8_t *out, size_t *out_len);

/* The longest public half that a file may have. */
#define SSH_KEYFILE_BLOB_MAX 2048

/*
 * The public half of an "OPENSSH PRIVATE KEY", which is not encrypted, in SSH
 * form.  CSFTP_ERR_VALUE: it is a file of another kind.
 */
CSFTP_MUST_CHECK enum csftp_err
ssh_keyfile_public(const char *text, size_t len,
		   uint8_t out[SSH_KEYFILE_BLOB_MAX], size_t *out_len);

/*
 * Decrypts the private section of a key file where it is.  CSFTP_ERR_DENIED
 * where a passphrase is missing; a wrong one shows in what comes out.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_keyfile_decrypt(struct wire_bytes cipher,
						    struct wire_bytes kdf,
						    struct wire_bytes options,
						    struct wire_bytes section,
						    const char *passphrase);

#endif
