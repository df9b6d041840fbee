/* What reading key files is made of. */
#ifndef CSFTP_CORE_SSH_KEYFILE_H
#define CSFTP_CORE_SSH_KEYFILE_H

#include "core/wire.h"
#include "csftp/ssh.h"

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

/* The longest private section that is written: RSA with 8192 bits. */
#define SSH_KEYFILE_SECTION_MAX 8192

/*
 * A private key as it stands in a file, decrypted: for who keeps it where
 * nobody else looks.  What was written has to be wiped, whatever comes of it.
 * CSFTP_ERR_NO_ROOM also for an RSA key without its primes.
 */
CSFTP_MUST_CHECK enum csftp_err
ssh_keyfile_write_section(const struct csftp_ssh_key *key, struct wire_wr *wr);
CSFTP_MUST_CHECK enum csftp_err
ssh_keyfile_read_section(struct csftp_ssh_key **out, struct wire_bytes section);

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
