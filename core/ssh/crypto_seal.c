/*
 * Packets sealed and opened: ChaCha20-Poly1305 (OpenSSH
 * PROTOCOL.chacha20poly1305), AES-GCM (RFC 5647, as in OpenSSH PROTOCOL, 1.6),
 * AES-CTR (RFC 4344, 4) with HMAC-SHA-2 (RFC 6668) before or after encryption
 * (OpenSSH PROTOCOL, 1.1).
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "core/ssh/crypto_lib.h"

enum { LEN = 4, BLOCK = 16, POLY_TAG = 16, GCM_TAG = 16 };

/* EVP counts in int; packets are far shorter. */
static int cipher_run(EVP_CIPHER_CTX *ctx, uint8_t *to, const uint8_t *from,
		      size_t len)
{
	int got = 0;

	return EVP_CipherUpdate(ctx, to, &got, from, (int)len) == 1 &&
	       (size_t)got == len;
}

/*
 * ChaCha20.  The nonce is the sequence number; block 0 makes the Poly1305 key,
 * the packet begins with block 1.  The length field has a key of its own.
 */
static void chacha_iv(uint8_t iv[16], uint32_t seq, uint8_t block)
{
	memset(iv, 0, 16);
	iv[0] = block;
	wire_put_u32(iv + 12, seq);
}

static int chacha_at(EVP_CIPHER_CTX *ctx, uint32_t seq, uint8_t block)
{
	uint8_t iv[16];

	chacha_iv(iv, seq, block);
	return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) == 1;
}

static int chacha_tag(struct ssh_crypt *crypt, uint32_t seq,
		      const uint8_t *packet, size_t len, uint8_t tag[POLY_TAG])
{
	uint8_t key[32] = {0};
	size_t got = 0;
	int ok = chacha_at(crypt->cipher, seq, 0) &&
		 cipher_run(crypt->cipher, key, key, sizeof(key)) &&
		 EVP_MAC_init(crypt->mac, key, sizeof(key), NULL) == 1 &&
		 EVP_MAC_update(crypt->mac, packet, LEN + len) == 1 &&
		 EVP_MAC_final(crypt->mac, tag, &got, POLY_TAG) == 1;

	ssh_wipe(key, sizeof(key));
	return ok;
}

static enum csftp_err chacha_head(struct ssh_crypt *crypt, uint32_t seq,
				  uint8_t *head, uint32_t *len)
{
	uint8_t plain[LEN];

	if (!chacha_at(crypt->header, seq, 0) ||
	    !cipher_run(crypt->header, plain, head, LEN))
		return CSFTP_ERR_CRYPTO;
	*len = wire_get_u32(plain);
	return CSFTP_OK;
}

static enum csftp_err chacha_begin(struct ssh_crypt *crypt, uint32_t seq,
				   uint8_t *packet, size_t len)
{
	uint8_t tag[POLY_TAG];

	if (crypt->way == SSH_OPEN) {
		if (!chacha_tag(crypt, seq, packet, len, tag))
			return CSFTP_ERR_CRYPTO;
		if (!ssh_same(tag, packet + LEN + len, POLY_TAG))
			return CSFTP_ERR_FORGED;
	} else if (!chacha_at(crypt->header, seq, 0) ||
		   !cipher_run(crypt->header, packet, packet, LEN)) {
		return CSFTP_ERR_CRYPTO;
	}
	return chacha_at(crypt->cipher, seq, 1) ? CSFTP_OK : CSFTP_ERR_CRYPTO;
}

static enum csftp_err chacha_end(struct ssh_crypt *crypt, uint32_t seq,
				 uint8_t *packet, size_t len)
{
	if (crypt->way == SSH_SEAL &&
	    !chacha_tag(crypt, seq, packet, len, packet + LEN + len))
		return CSFTP_ERR_CRYPTO;
	return CSFTP_OK;
}

/* RFC 5647, 7.1: the last 8 bytes of the nonce count the packets. */
static void gcm_next(struct ssh_crypt *crypt)
{
	for (size_t i = 12; i-- > 4;)
		if (++crypt->iv[i] != 0)
			break;
}

/* The length field stays readable and is authenticated. */
static enum csftp_err gcm_begin(struct ssh_crypt *crypt, uint32_t seq,
				uint8_t *packet, size_t len)
{
	int got = 0;

	(void)seq;
	(void)len;
	if (EVP_CipherInit_ex2(crypt->cipher, NULL, NULL, crypt->iv, -1,
			       NULL) != 1 ||
	    EVP_CipherUpdate(crypt->cipher, NULL, &got, packet, LEN) != 1)
		return CSFTP_ERR_CRYPTO;
	return CSFTP_OK;
}

static enum csftp_err gcm_end(struct ssh_crypt *crypt, uint32_t seq,
			      uint8_t *packet, size_t len)
{
	uint8_t *tag = packet + LEN + len;
	bool opens = crypt->way == SSH_OPEN;
	int got = 0;

	(void)seq;
	gcm_next(crypt);
	if (opens && EVP_CIPHER_CTX_ctrl(crypt->cipher, EVP_CTRL_AEAD_SET_TAG,
					 GCM_TAG, tag) != 1)
		return CSFTP_ERR_CRYPTO;
	if (EVP_CipherFinal_ex(crypt->cipher, tag, &got) != 1)
		return opens ? CSFTP_ERR_FORGED : CSFTP_ERR_CRYPTO;
	if (!opens && EVP_CIPHER_CTX_ctrl(crypt->cipher, EVP_CTRL_AEAD_GET_TAG,
					  GCM_TAG, tag) != 1)
		return CSFTP_ERR_CRYPTO;
	return CSFTP_OK;
}

static int hmac_tag(struct ssh_crypt *crypt, uint32_t seq,
		    const uint8_t *packet, size_t len, uint8_t *tag)
{
	uint8_t number[4];
	size_t got = 0;

	wire_put_u32(number, seq);
	return EVP_MAC_init(crypt->mac, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(crypt->mac, number, sizeof(number)) == 1 &&
	       EVP_MAC_update(crypt->mac, packet, LEN + len) == 1 &&
	       EVP_MAC_final(crypt->mac, tag, &got, SSH_TAG_MAX) == 1;
}

static enum csftp_err ctr_head(struct ssh_crypt *crypt, uint32_t seq,
			       uint8_t *head, uint32_t *len)
{
	(void)seq;
	if (!cipher_run(crypt->cipher, head, head, BLOCK))
		return CSFTP_ERR_CRYPTO;
	*len = wire_get_u32(head);
	return CSFTP_OK;
}

static bool hmac_fits(const struct ssh_crypt *crypt, const uint8_t *packet,
		      size_t len, const uint8_t *tag)
{
	return ssh_same(tag, packet + LEN + len, crypt->how.mac_len);
}

/* The MAC is over the plain text: nothing can be told before all is there. */
static enum csftp_err ctr_open(struct ssh_crypt *crypt, uint32_t seq,
			       uint8_t *packet, size_t len)
{
	uint8_t tag[SSH_TAG_MAX];

	/* ctr_head() has decrypted the first block. */
	if (!cipher_run(crypt->cipher, packet + BLOCK, packet + BLOCK,
			LEN + len - BLOCK) ||
	    !hmac_tag(crypt, seq, packet, len, tag))
		return CSFTP_ERR_CRYPTO;
	return hmac_fits(crypt, packet, len, tag) ? CSFTP_OK : CSFTP_ERR_FORGED;
}

/* The tag is made aside: HMAC's may be longer than the room behind. */
static enum csftp_err ctr_seal(struct ssh_crypt *crypt, uint32_t seq,
			       uint8_t *packet, size_t len)
{
	uint8_t tag[SSH_TAG_MAX];

	if (!hmac_tag(crypt, seq, packet, len, tag) ||
	    !cipher_run(crypt->cipher, packet, packet, LEN + len))
		return CSFTP_ERR_CRYPTO;
	memcpy(packet + LEN + len, tag, crypt->how.mac_len);
	return CSFTP_OK;
}

static enum csftp_err etm_begin(struct ssh_crypt *crypt, uint32_t seq,
				uint8_t *packet, size_t len)
{
	uint8_t tag[SSH_TAG_MAX];

	if (crypt->way == SSH_SEAL)
		return CSFTP_OK;
	if (!hmac_tag(crypt, seq, packet, len, tag))
		return CSFTP_ERR_CRYPTO;
	return hmac_fits(crypt, packet, len, tag) ? CSFTP_OK : CSFTP_ERR_FORGED;
}

static enum csftp_err etm_end(struct ssh_crypt *crypt, uint32_t seq,
			      uint8_t *packet, size_t len)
{
	uint8_t tag[SSH_TAG_MAX];

	if (crypt->way == SSH_OPEN)
		return CSFTP_OK;
	if (!hmac_tag(crypt, seq, packet, len, tag))
		return CSFTP_ERR_CRYPTO;
	memcpy(packet + LEN + len, tag, crypt->how.mac_len);
	return CSFTP_OK;
}

static enum csftp_err plain_head(struct ssh_crypt *crypt, uint32_t seq,
				 uint8_t *head, uint32_t *len)
{
	(void)crypt;
	(void)seq;
	*len = wire_get_u32(head);
	return CSFTP_OK;
}

static enum csftp_err plain_pass(struct ssh_crypt *crypt, uint32_t seq,
				 uint8_t *packet, size_t len)
{
	(void)crypt;
	(void)seq;
	(void)packet;
	(void)len;
	return CSFTP_OK;
}

typedef enum csftp_err pass_fn(struct ssh_crypt *, uint32_t, uint8_t *, size_t);

/* What each mode does with the length field, and with a whole packet ... */
static const struct {
	enum csftp_err (*head)(struct ssh_crypt *, uint32_t, uint8_t *,
			       uint32_t *);
	pass_fn *open;
	pass_fn *seal;
} modes[] = {
	[SSH_PLAIN] = {plain_head, plain_pass, plain_pass},
	[SSH_CTR] = {ctr_head, ctr_open, ctr_seal},
	[SSH_GCM] = {plain_head, NULL, NULL},
	[SSH_CHACHA] = {chacha_head, NULL, NULL},
};

/* ... or in pieces; CTR with etm alone. */
static const struct {
	pass_fn *begin;
	pass_fn *end;
} pieces[] = {
	[SSH_CTR] = {etm_begin, etm_end},
	[SSH_GCM] = {gcm_begin, gcm_end},
	[SSH_CHACHA] = {chacha_begin, chacha_end},
};

/* Whether the length field is encrypted with the first block of the rest. */
static bool head_is_block(const struct ssh_crypt *crypt)
{
	return crypt->how.mode == SSH_CTR && !crypt->how.etm;
}

size_t ssh_crypt_head_len(const struct ssh_crypt *crypt)
{
	return head_is_block(crypt) ? BLOCK : LEN;
}

enum csftp_err ssh_crypt_head(struct ssh_crypt *crypt, uint32_t seq,
			      uint8_t *head, uint32_t *len)
{
	if (crypt->how.mode == SSH_CTR && crypt->how.etm)
		return plain_head(crypt, seq, head, len);
	return modes[crypt->how.mode].head(crypt, seq, head, len);
}

bool ssh_crypt_has_pieces(const struct ssh_crypt *crypt)
{
	return crypt->how.mode != SSH_PLAIN && !head_is_block(crypt);
}

enum csftp_err ssh_crypt_begin(struct ssh_crypt *crypt, uint32_t seq,
			       uint8_t *packet, size_t len)
{
	return pieces[crypt->how.mode].begin(crypt, seq, packet, len);
}

enum csftp_err ssh_crypt_run(struct ssh_crypt *crypt, uint8_t *to,
			     const uint8_t *from, size_t len)
{
	if (len > 0 && !cipher_run(crypt->cipher, to, from, len))
		return CSFTP_ERR_CRYPTO;
	return CSFTP_OK;
}

enum csftp_err ssh_crypt_end(struct ssh_crypt *crypt, uint32_t seq,
			     uint8_t *packet, size_t len)
{
	return pieces[crypt->how.mode].end(crypt, seq, packet, len);
}

static enum csftp_err in_one_piece(struct ssh_crypt *crypt, uint32_t seq,
				   uint8_t *packet, size_t len)
{
	enum csftp_err err = ssh_crypt_begin(crypt, seq, packet, len);

	if (err == CSFTP_OK)
		err = ssh_crypt_run(crypt, packet + LEN, packet + LEN, len);
	if (err == CSFTP_OK)
		err = ssh_crypt_end(crypt, seq, packet, len);
	return err;
}

enum csftp_err ssh_crypt_open(struct ssh_crypt *crypt, uint32_t seq,
			      uint8_t *packet, size_t len)
{
	if (ssh_crypt_has_pieces(crypt))
		return in_one_piece(crypt, seq, packet, len);
	return modes[crypt->how.mode].open(crypt, seq, packet, len);
}

enum csftp_err ssh_crypt_seal(struct ssh_crypt *crypt, uint32_t seq,
			      uint8_t *packet, size_t len)
{
	if (ssh_crypt_has_pieces(crypt))
		return in_one_piece(crypt, seq, packet, len);
	return modes[crypt->how.mode].seal(crypt, seq, packet, len);
}

static bool cipher_start(void **ctx, const EVP_CIPHER *cipher,
			 const uint8_t *key, const uint8_t *iv,
			 enum ssh_way way)
{
	*ctx = EVP_CIPHER_CTX_new();
	return *ctx && EVP_CipherInit_ex2(*ctx, cipher, key, iv,
					  way == SSH_SEAL, NULL) == 1;
}

static bool hmac_start(struct ssh_crypt *crypt, struct ssh_lib *lib,
		       const uint8_t *key)
{
	char name[16];
	OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
	size_t len = ssh_hash_len(crypt->how.mac);

	memcpy(name, ssh_hash_name(crypt->how.mac),
	       strlen(ssh_hash_name(crypt->how.mac)) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						     name, 0);
	crypt->mac = EVP_MAC_CTX_new(lib->hmac);
	return crypt->mac && EVP_MAC_init(crypt->mac, key, len, params) == 1;
}

static bool ctr_start(struct ssh_crypt *crypt, struct ssh_lib *lib,
		      const struct ssh_keys *keys)
{
	const EVP_CIPHER *cipher = lib->ctr[crypt->how.key_len / 8 - 2];

	/* CTR runs the same way for both. */
	return cipher_start(&crypt->cipher, cipher, keys->key, keys->iv,
			    SSH_SEAL) &&
	       hmac_start(crypt, lib, keys->mac);
}

/* The first half of the key is for the payload, the second for the length. */
static bool chacha_start(struct ssh_crypt *crypt, struct ssh_lib *lib,
			 const struct ssh_keys *keys)
{
	crypt->mac = EVP_MAC_CTX_new(lib->poly1305);
	return crypt->mac &&
	       cipher_start(&crypt->cipher, lib->chacha, keys->key, NULL,
			    SSH_SEAL) &&
	       cipher_start(&crypt->header, lib->chacha, keys->key + 32, NULL,
			    SSH_SEAL);
}

static bool crypt_start(struct ssh_crypt *crypt, struct ssh_lib *lib,
			const struct ssh_keys *keys)
{
	switch (crypt->how.mode) {
	case SSH_PLAIN:
		return true;
	case SSH_CTR:
		return ctr_start(crypt, lib, keys);
	case SSH_GCM:
		return cipher_start(&crypt->cipher,
				    lib->gcm[crypt->how.key_len / 8 - 2],
				    keys->key, keys->iv, crypt->way);
	case SSH_CHACHA:
		return chacha_start(crypt, lib, keys);
	}
	return false;
}

enum csftp_err ssh_crypt_init(struct ssh_crypt *crypt, struct ssh_lib *lib,
			      const struct ssh_protect *how, enum ssh_way way,
			      const struct ssh_keys *keys)
{
	*crypt = (struct ssh_crypt){.how = *how, .way = way};
	memcpy(crypt->iv, keys->iv, sizeof(crypt->iv));
	if (crypt_start(crypt, lib, keys))
		return CSFTP_OK;
	ssh_crypt_release(crypt);
	return CSFTP_ERR_CRYPTO;
}

void ssh_crypt_release(struct ssh_crypt *crypt)
{
	EVP_CIPHER_CTX_free(crypt->cipher);
	EVP_CIPHER_CTX_free(crypt->header);
	EVP_MAC_CTX_free(crypt->mac);
	ssh_wipe(crypt, sizeof(*crypt));
}
