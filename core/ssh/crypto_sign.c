/* Signatures made and verified. */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <string.h>

#include "core/ssh/crypto_lib.h"

/* DER of the largest ECDSA signature: two numbers of 67 bytes, and heads. */
enum { DER_MAX = 2 * (66 + 1 + 2) + 3 };

/* Bytes of r and of s. */
static size_t scalar_len(enum csftp_ssh_key_type type)
{
	return (ssh_pkey_point_len(type) - 1) / 2;
}

static bool is_ecdsa(enum csftp_ssh_key_type type)
{
	return type == CSFTP_SSH_P256 || type == CSFTP_SSH_P384 ||
	       type == CSFTP_SSH_P521;
}

static bool der_to_raw(const uint8_t *der, size_t len, uint8_t *out,
		       size_t half)
{
	const unsigned char *next = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &next, (long)len);
	bool good =
		sig &&
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)half) > 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, (int)half) > 0;

	ECDSA_SIG_free(sig);
	return good;
}

/* The length of the DER; 0: it could not be made. */
static size_t raw_to_der(const uint8_t *raw, size_t half, uint8_t out[DER_MAX])
{
	unsigned char *next = out;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(raw + half, (int)half, NULL);
	int len = 0;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = NULL;
		s = NULL;
		if (i2d_ECDSA_SIG(sig, NULL) <= DER_MAX)
			len = i2d_ECDSA_SIG(sig, &next);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}

static const char *digest_of(const struct ssh_pkey *pkey, enum ssh_hash hash)
{
	return pkey->type == CSFTP_SSH_ED25519 ? NULL : ssh_hash_name(hash);
}

enum csftp_err ssh_pkey_sign(const struct ssh_pkey *pkey, enum ssh_hash hash,
			     struct wire_bytes data,
			     uint8_t out[SSH_RAW_SIG_MAX], size_t *out_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[SSH_RAW_SIG_MAX];
	size_t len = sizeof(sig);
	bool good = ctx &&
		    EVP_DigestSignInit_ex(ctx, NULL, digest_of(pkey, hash),
					  NULL, NULL, pkey->key, NULL) == 1 &&
		    EVP_DigestSign(ctx, sig, &len, data.ptr, data.len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!good)
		return CSFTP_ERR_CRYPTO;
	if (is_ecdsa(pkey->type)) {
		if (!der_to_raw(sig, len, out, scalar_len(pkey->type)))
			return CSFTP_ERR_CRYPTO;
		len = 2 * scalar_len(pkey->type);
	} else {
		memcpy(out, sig, len);
	}
	*out_len = len;
	return CSFTP_OK;
}

enum csftp_err ssh_pkey_verify(const struct ssh_pkey *pkey, enum ssh_hash hash,
			       struct wire_bytes data, struct wire_bytes sig)
{
	uint8_t der[DER_MAX];
	EVP_MD_CTX *ctx;
	bool good;

	if (is_ecdsa(pkey->type)) {
		if (sig.len != 2 * scalar_len(pkey->type))
			return CSFTP_ERR_FORGED;
		sig.len = raw_to_der(sig.ptr, scalar_len(pkey->type), der);
		sig.ptr = der;
	}
	ctx = EVP_MD_CTX_new();
	good = ctx && sig.len > 0 &&
	       EVP_DigestVerifyInit_ex(ctx, NULL, digest_of(pkey, hash), NULL,
				       NULL, pkey->key, NULL) == 1 &&
	       EVP_DigestVerify(ctx, sig.ptr, sig.len, data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good ? CSFTP_OK : CSFTP_ERR_FORGED;
}
