/* Key agreement on one curve. */
#include <openssl/crypto.h>
#include <string.h>

#include "core/ssh/crypto_lib.h"

static const struct {
	const char *curve;
	size_t point_len;
	size_t shared_len;
} groups[] = {
	[SSH_X25519] = {NULL, 32, 32},
	[SSH_NISTP256] = {"P-256", 65, 32},
	[SSH_NISTP384] = {"P-384", 97, 48},
	[SSH_NISTP521] = {"P-521", 133, 66},
};

size_t ssh_point_len(enum ssh_group group)
{
	return groups[group].point_len;
}

enum csftp_err ssh_pair_init(struct ssh_pair *pair, enum ssh_group group,
			     const uint8_t seed[SSH_SEED_MAX])
{
	EVP_PKEY *key;

	if (group == SSH_X25519)
		key = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL,
						      seed, SSH_SEED_MAX);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", groups[group].curve);
	if (!key)
		return CSFTP_ERR_CRYPTO;
	*pair = (struct ssh_pair){.key = key, .group = group};
	return CSFTP_OK;
}

void ssh_pair_release(struct ssh_pair *pair)
{
	EVP_PKEY_free(pair->key);
	pair->key = NULL;
}

enum csftp_err ssh_pair_point(const struct ssh_pair *pair,
			      uint8_t point[SSH_POINT_MAX])
{
	unsigned char *bytes = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(pair->key, &bytes);
	bool good = len == ssh_point_len(pair->group);

	if (good)
		memcpy(point, bytes, len);
	OPENSSL_free(bytes);
	return good ? CSFTP_OK : CSFTP_ERR_CRYPTO;
}

/* SEC1, 2.3.3: we speak uncompressed points only, as RFC 5656, 4 allows. */
static bool point_has_form(enum ssh_group group, struct wire_bytes point)
{
	if (point.len != ssh_point_len(group))
		return false;
	return group == SSH_X25519 || point.ptr[0] == 4;
}

static EVP_PKEY *peer_key(const struct ssh_pair *pair, struct wire_bytes point)
{
	EVP_PKEY *key = EVP_PKEY_new();

	if (key && EVP_PKEY_copy_parameters(key, pair->key) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(key, point.ptr, point.len) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *peer_x25519(struct wire_bytes point)
{
	return EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, point.ptr,
					      point.len);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return any == 0;
}

static bool derive(const struct ssh_pair *pair, EVP_PKEY *peer, uint8_t *out,
		   size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair->key, NULL);
	size_t got = len;
	bool good = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		    EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) == 1 &&
		    EVP_PKEY_derive(ctx, out, &got) == 1 && got == len;

	EVP_PKEY_CTX_free(ctx);
	return good;
}

enum csftp_err ssh_pair_shared(const struct ssh_pair *pair,
			       struct wire_bytes point,
			       uint8_t out[SSH_SHARED_MAX], size_t *out_len)
{
	size_t len = groups[pair->group].shared_len;
	EVP_PKEY *peer;
	bool good;

	if (!point_has_form(pair->group, point))
		return CSFTP_ERR_VALUE;
	peer = pair->group == SSH_X25519 ? peer_x25519(point)
					 : peer_key(pair, point);
	good = peer && derive(pair, peer, out, len);
	EVP_PKEY_free(peer);
	/* RFC 8731, 3: "MUST abort if it is the all-zero value". */
	if (!good || all_zero(out, len))
		return CSFTP_ERR_VALUE;
	*out_len = len;
	return CSFTP_OK;
}
