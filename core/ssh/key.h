/* Keys and signatures in SSH form (RFC 4253, 6.6; 5656, 3.1; 8332; 8709). */
#ifndef CSFTP_CORE_SSH_KEY_H
#define CSFTP_CORE_SSH_KEY_H

#include "core/ssh/alg.h"
#include "core/ssh/crypto.h"

/* The longest: an RSA key with SSH_RSA_BITS_MAX bits. */
#define SSH_KEY_BLOB_MAX (SSH_RAW_SIG_MAX + 64)

/* It never changes. */
struct csftp_ssh_key {
	struct ssh_pkey pkey;
	bool is_private;
	size_t blob_len;
	uint8_t blob[];
};

/* A key that has its parts; takes pkey over, whatever comes of it. */
CSFTP_MUST_CHECK enum csftp_err
ssh_key_new(struct csftp_ssh_key **out, struct ssh_pkey *pkey, bool is_private);

/* The type that the blob claims; false: none that we know. */
bool ssh_key_blob_type(struct wire_bytes blob, enum csftp_ssh_key_type *type);

/* Writes the signature in SSH form, without a length in front of it all. */
CSFTP_MUST_CHECK enum csftp_err ssh_key_sign(const struct csftp_ssh_key *key,
					     const struct ssh_alg *alg,
					     struct wire_bytes data,
					     struct wire_wr *wr);

/*
 * CSFTP_ERR_FORGED unless the signature is by alg, of data, and by the key of
 * that blob, which has to be of alg's type.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_key_verify(struct wire_bytes blob,
					       const struct ssh_alg *alg,
					       struct wire_bytes data,
					       struct wire_bytes signature);

#endif
