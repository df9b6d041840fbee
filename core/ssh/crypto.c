#include "core/ssh/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "core/ssh/crypto_lib.h"

static const struct {
	const char *name;
	size_t len;
} hashes[SSH_HASH_COUNT] = {
	[SSH_SHA256] = {"SHA256", 32},
	[SSH_SHA384] = {"SHA384", 48},
	[SSH_SHA512] = {"SHA512", 64},
};

static const char *const ctr_names[3] = {"AES-128-CTR", "AES-192-CTR",
					 "AES-256-CTR"};
static const char *const gcm_names[3] = {"AES-128-GCM", "AES-192-GCM",
					 "AES-256-GCM"};

static bool fetch_all(struct ssh_lib *lib)
{
	bool all = true;

	for (size_t i = 0; i < SSH_HASH_COUNT; i++) {
		lib->md[i] = EVP_MD_fetch(NULL, hashes[i].name, NULL);
		all = all && lib->md[i];
	}
	for (size_t i = 0; i < 3; i++) {
		lib->ctr[i] = EVP_CIPHER_fetch(NULL, ctr_names[i], NULL);
		lib->gcm[i] = EVP_CIPHER_fetch(NULL, gcm_names[i], NULL);
		all = all && lib->ctr[i] && lib->gcm[i];
	}
	lib->chacha = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
	lib->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	lib->poly1305 = EVP_MAC_fetch(NULL, "Poly1305", NULL);
	lib->digest = EVP_MD_CTX_new();
	return all && lib->chacha && lib->hmac && lib->poly1305 && lib->digest;
}

enum csftp_err ssh_lib_new(struct ssh_lib **out)
{
	struct ssh_lib *lib = calloc(1, sizeof(*lib));

	if (!lib)
		return CSFTP_ERR_NOMEM;
	if (!fetch_all(lib)) {
		ssh_lib_free(lib);
		return CSFTP_ERR_CRYPTO;
	}
	*out = lib;
	return CSFTP_OK;
}

void ssh_lib_free(struct ssh_lib *lib)
{
	if (!lib)
		return;
	for (size_t i = 0; i < SSH_HASH_COUNT; i++)
		EVP_MD_free(lib->md[i]);
	for (size_t i = 0; i < 3; i++) {
		EVP_CIPHER_free(lib->ctr[i]);
		EVP_CIPHER_free(lib->gcm[i]);
	}
	EVP_CIPHER_free(lib->chacha);
	EVP_MAC_free(lib->hmac);
	EVP_MAC_free(lib->poly1305);
	EVP_MD_CTX_free(lib->digest);
	free(lib);
}

void ssh_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

bool ssh_same(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

size_t ssh_hash_len(enum ssh_hash hash)
{
	return hashes[hash].len;
}

const char *ssh_hash_name(enum ssh_hash hash)
{
	return hashes[hash].name;
}

enum csftp_err ssh_hash(struct ssh_lib *lib, enum ssh_hash hash,
			const struct wire_bytes *part, size_t count,
			uint8_t *out)
{
	int ok = EVP_DigestInit_ex2(lib->digest, lib->md[hash], NULL);

	for (size_t i = 0; ok == 1 && i < count; i++)
		ok = EVP_DigestUpdate(lib->digest, part[i].ptr, part[i].len);
	if (ok == 1)
		ok = EVP_DigestFinal_ex(lib->digest, out, NULL);
	return ssh_lib_err(ok);
}

enum csftp_err ssh_hmac_sha1(struct ssh_lib *lib, const uint8_t *key,
			     size_t key_len, struct wire_bytes data,
			     uint8_t out[20])
{
	char name[] = "SHA1";
	OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(
					OSSL_MAC_PARAM_DIGEST, name, 0),
				OSSL_PARAM_END};
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(lib->hmac);
	size_t got = 0;
	int ok = mac ? EVP_MAC_init(mac, key, key_len, params) : 0;

	if (ok == 1)
		ok = EVP_MAC_update(mac, data.ptr, data.len);
	if (ok == 1)
		ok = EVP_MAC_final(mac, out, &got, 20);
	EVP_MAC_CTX_free(mac);
	return ssh_lib_err(ok);
}

enum csftp_err ssh_decrypt_section(const uint8_t key[32], const uint8_t iv[16],
				   uint8_t *data, size_t len)
{
	EVP_CIPHER_CTX *ctx;
	int ok, got = 0;

	if (len % 16 != 0 || len > INT32_MAX)
		return CSFTP_ERR_VALUE;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CSFTP_ERR_CRYPTO;
	ok = EVP_DecryptInit_ex2(ctx, EVP_aes_256_ctr(), key, iv, NULL);
	if (ok == 1)
		ok = EVP_DecryptUpdate(ctx, data, &got, data, (int)len);
	EVP_CIPHER_CTX_free(ctx);
	return ok == 1 && (size_t)got == len ? CSFTP_OK : CSFTP_ERR_CRYPTO;
}
