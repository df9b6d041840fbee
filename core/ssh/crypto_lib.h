/* What the files of the crypto seam share; libcrypto's types are in here. */
#ifndef CSFTP_CORE_SSH_CRYPTO_LIB_H
#define CSFTP_CORE_SSH_CRYPTO_LIB_H

#include <openssl/evp.h>

#include "core/ssh/crypto.h"

struct ssh_lib {
	EVP_MD *md[SSH_HASH_COUNT];
	EVP_MD_CTX *digest; /* reused for each hash */
	EVP_CIPHER *ctr[3]; /* 128, 192, 256 bits */
	EVP_CIPHER *gcm[3];
	EVP_CIPHER *chacha;
	EVP_MAC *hmac;
	EVP_MAC *poly1305;
};

/* The name by which libcrypto knows a hash. */
const char *ssh_hash_name(enum ssh_hash hash);

/* 1 is libcrypto's word for success. */
static inline enum csftp_err ssh_lib_err(int result)
{
	return result == 1 ? CSFTP_OK : CSFTP_ERR_CRYPTO;
}

#endif
