/* Key agreement on one curve, or on a curve and a lattice at once. */
#include <openssl/crypto.h>
#include <string.h>

#include "core/ssh/crypto_lib.h"

enum {
	X25519_LEN = 32,
	KEM_KEY_LEN = 1184,
	KEM_TEXT_LEN = 1088,
	KEM_SECRET_LEN = 32
};

static const char kem_name[] = "ML-KEM-768";

/* What belongs to the curve; a part's other bytes come before its point. */
static const struct {
	const char *curve; /* NULL: X25519 */
	size_t point_len;
	size_t shared_len;
	bool kem;
} groups[] = {
	[SSH_X25519] = {NULL, X25519_LEN, 32, false},
	[SSH_NISTP256] = {"P-256", 65, 32, false},
	[SSH_NISTP384] = {"P-384", 97, 48, false},
	[SSH_NISTP521] = {"P-521", SSH_POINT_MAX, 66, false},
	[SSH_MLKEM768_X25519] = {NULL, X25519_LEN, 32, true},
};
_Static_assert(SSH_PART_MAX == KEM_KEY_LEN + X25519_LEN,
	       "the longest part is the hybrid client's");

bool ssh_group_works(enum ssh_group group)
{
	EVP_KEM *kem;

	if (!groups[group].kem)
		return true;
	kem = EVP_KEM_fetch(NULL, kem_name, NULL);
	EVP_KEM_free(kem);
	return kem != NULL;
}

static EVP_PKEY *make_kem(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kem_name, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 ||
	    EVP_PKEY_generate(ctx, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *make_point(enum ssh_group group, const uint8_t *seed)
{
	if (groups[group].curve)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", groups[group].curve);
	return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, seed,
					       SSH_SEED_MAX);
}

enum csftp_err ssh_pair_init(struct ssh_pair *pair, enum ssh_group group,
			     const uint8_t seed[SSH_SEED_MAX])
{
	struct ssh_pair made = {.group = group, .key = make_point(group, seed)};

	if (groups[group].kem)
		made.kem = make_kem();
	if (!made.key || (groups[group].kem && !made.kem)) {
		ssh_pair_release(&made);
		return CSFTP_ERR_CRYPTO;
	}
	*pair = made;
	return CSFTP_OK;
}

void ssh_pair_release(struct ssh_pair *pair)
{
	EVP_PKEY_free(pair->key);
	EVP_PKEY_free(pair->kem);
	pair->key = NULL;
	pair->kem = NULL;
}

/* The public key, which has to be as long as it is known to be. */
static bool put_public(EVP_PKEY *key, uint8_t *to, size_t want)
{
	unsigned char *bytes = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(key, &bytes);

	if (len == want)
		memcpy(to, bytes, len);
	OPENSSL_free(bytes);
	return len == want;
}

enum csftp_err ssh_pair_part(const struct ssh_pair *pair,
			     uint8_t part[SSH_PART_MAX], size_t *part_len)
{
	size_t before = pair->kem ? KEM_KEY_LEN : 0;
	size_t point_len = groups[pair->group].point_len;

	if ((pair->kem && !put_public(pair->kem, part, before)) ||
	    !put_public(pair->key, part + before, point_len))
		return CSFTP_ERR_CRYPTO;
	*part_len = before + point_len;
	return CSFTP_OK;
}

/* SEC1, 2.3.3: we speak uncompressed points only, as RFC 5656, 4 allows. */
static bool point_has_form(enum ssh_group group, struct wire_bytes point)
{
	if (point.len != groups[group].point_len)
		return false;
	return !groups[group].curve || point.ptr[0] == 4;
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

static enum csftp_err share_point(const struct ssh_pair *pair,
				  struct wire_bytes point, uint8_t *out)
{
	size_t len = groups[pair->group].shared_len;
	EVP_PKEY *peer;
	bool good;

	if (!point_has_form(pair->group, point))
		return CSFTP_ERR_VALUE;
	peer = groups[pair->group].curve ? peer_key(pair, point)
					 : peer_x25519(point);
	good = peer && derive(pair, peer, out, len);
	EVP_PKEY_free(peer);
	/* RFC 8731, 3: "MUST abort if it is the all-zero value". */
	return good && !all_zero(out, len) ? CSFTP_OK : CSFTP_ERR_VALUE;
}

/* The first bytes of a part; what is left is the point. */
static bool split(struct wire_bytes *part, size_t len, struct wire_bytes *first)
{
	if (part->len < len)
		return false;
	*first = (struct wire_bytes){part->ptr, len};
	part->ptr += len;
	part->len -= len;
	return true;
}

/* FIPS 203, 7.2: libcrypto refuses a key that is not one. */
static bool encapsulate(struct wire_bytes client, uint8_t text[KEM_TEXT_LEN],
			uint8_t secret[KEM_SECRET_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, kem_name, NULL,
						       client.ptr, client.len);
	EVP_PKEY_CTX *ctx =
		key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	size_t text_len = KEM_TEXT_LEN, secret_len = KEM_SECRET_LEN;
	bool good = ctx && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
		    EVP_PKEY_encapsulate(ctx, text, &text_len, secret,
					 &secret_len) == 1 &&
		    text_len == KEM_TEXT_LEN && secret_len == KEM_SECRET_LEN;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

static bool decapsulate(EVP_PKEY *kem, struct wire_bytes text,
			uint8_t secret[KEM_SECRET_LEN])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kem, NULL);
	size_t len = KEM_SECRET_LEN;
	bool good = ctx && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
		    EVP_PKEY_decapsulate(ctx, secret, &len, text.ptr,
					 text.len) == 1 &&
		    len == KEM_SECRET_LEN;

	EVP_PKEY_CTX_free(ctx);
	return good;
}

enum csftp_err ssh_pair_answer(enum ssh_group group,
			       const uint8_t seed[SSH_SEED_MAX],
			       struct wire_bytes client,
			       uint8_t part[SSH_PART_MAX], size_t *part_len,
			       uint8_t secret[SSH_SHARED_MAX],
			       size_t *secret_len)
{
	size_t text_len = groups[group].kem ? KEM_TEXT_LEN : 0;
	size_t kem_len = groups[group].kem ? KEM_SECRET_LEN : 0;
	/* The client's part has the key; ours has what it opens. */
	struct ssh_pair pair = {.group = group, .key = make_point(group, seed)};
	struct wire_bytes kem;
	enum csftp_err err = CSFTP_OK;

	if (!pair.key ||
	    !put_public(pair.key, part + text_len, groups[group].point_len))
		err = CSFTP_ERR_CRYPTO;
	else if (groups[group].kem && (!split(&client, KEM_KEY_LEN, &kem) ||
				       !encapsulate(kem, part, secret)))
		err = CSFTP_ERR_VALUE;
	if (err == CSFTP_OK)
		err = share_point(&pair, client, secret + kem_len);
	ssh_pair_release(&pair);
	*part_len = text_len + groups[group].point_len;
	*secret_len = kem_len + groups[group].shared_len;
	return err;
}

enum csftp_err ssh_pair_shared(const struct ssh_pair *pair,
			       struct wire_bytes server,
			       uint8_t out[SSH_SHARED_MAX], size_t *out_len)
{
	size_t kem_len = pair->kem ? KEM_SECRET_LEN : 0;
	struct wire_bytes text;

	if (pair->kem && (!split(&server, KEM_TEXT_LEN, &text) ||
			  !decapsulate(pair->kem, text, out)))
		return CSFTP_ERR_VALUE;
	*out_len = kem_len + groups[pair->group].shared_len;
	return share_point(pair, server, out + kem_len);
}
