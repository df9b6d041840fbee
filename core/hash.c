#include "core/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

static const struct algorithm {
	const char *name;
	size_t len;
	const char *fetched; /* libcrypto's name; NULL: crc32 */
} algorithms[] = {
	{"sha256", 32, "SHA2-256"}, {"sha384", 48, "SHA2-384"},
	{"sha512", 64, "SHA2-512"}, {"sha224", 28, "SHA2-224"},
	{"sha1", 20, "SHA1"},	    {"md5", 16, "MD5"},
	{"crc32", 4, NULL},
};

/* One hexadecimal digit at a time: the polynomial of IEEE 802.3, reflected. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *data, size_t len)
{
	static const uint32_t digit[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ digit[crc & 15];
		crc = crc >> 4 ^ digit[crc & 15];
	}
	return crc;
}

void hash_release(struct hash *hash)
{
	EVP_MD_free(hash->type);
	EVP_MD_CTX_free(hash->ctx);
	OSSL_LIB_CTX_free(hash->library);
	hash->type = NULL;
	hash->ctx = NULL;
	hash->library = NULL;
}

/*
 * A context of our own, because the common one reads a configuration file that
 * can name code to load.  Where we run, that file may be somebody's upload.
 */
static enum csftp_err hash_prepare(struct hash *hash)
{
	if (!hash->library)
		hash->library = OSSL_LIB_CTX_new();
	if (!hash->ctx)
		hash->ctx = EVP_MD_CTX_new();
	return hash->library && hash->ctx ? CSFTP_OK : CSFTP_ERR_NOMEM;
}

static const struct algorithm *find(const uint8_t *name, size_t len)
{
	const size_t count = sizeof(algorithms) / sizeof(algorithms[0]);

	for (size_t i = 0; i < count; i++)
		if (strlen(algorithms[i].name) == len &&
		    memcmp(algorithms[i].name, name, len) == 0)
			return &algorithms[i];
	return NULL;
}

/* What libcrypto was told not to offer counts as unknown. */
static bool can_have(struct hash *hash, const uint8_t *name, size_t len)
{
	const struct algorithm *algorithm = find(name, len);

	if (!algorithm)
		return false;
	EVP_MD_free(hash->type);
	hash->type = NULL;
	if (algorithm->fetched)
		hash->type =
			EVP_MD_fetch(hash->library, algorithm->fetched, NULL);
	if (algorithm->fetched && !hash->type)
		return false;
	hash->algorithm = algorithm;
	hash->name = algorithm->name;
	hash->len = algorithm->len;
	return hash_start(hash) == CSFTP_OK;
}

enum csftp_err hash_choose(struct hash *hash, struct wire_bytes list)
{
	if (hash_prepare(hash) != CSFTP_OK)
		return CSFTP_ERR_NOMEM;
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
		size_t used = comma ? len + 1 : len;

		if (can_have(hash, list.ptr, len))
			return CSFTP_OK;
		list.ptr += used;
		list.len -= used;
	}
	return CSFTP_ERR_VALUE;
}

enum csftp_err hash_start(struct hash *hash)
{
	hash->crc = UINT32_MAX;
	if (!hash->type || EVP_DigestInit_ex2(hash->ctx, hash->type, NULL) == 1)
		return CSFTP_OK;
	return CSFTP_ERR_NOMEM;
}

enum csftp_err hash_add(struct hash *hash, const void *data, size_t len)
{
	if (!hash->type)
		hash->crc = crc32_add(hash->crc, data, len);
	else if (EVP_DigestUpdate(hash->ctx, data, len) != 1)
		return CSFTP_ERR_NOMEM;
	return CSFTP_OK;
}

enum csftp_err hash_end(struct hash *hash, uint8_t out[HASH_LEN_MAX])
{
	if (!hash->type)
		wire_put_u32(out, ~hash->crc);
	else if (EVP_DigestFinal_ex(hash->ctx, out, NULL) != 1)
		return CSFTP_ERR_NOMEM;
	return CSFTP_OK;
}
