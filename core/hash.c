#include "core/hash.h"

#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <string.h>

_Static_assert(sizeof(struct sha512_ctx) <= HASH_STATE_MAX &&
		       sizeof(struct sha256_ctx) <= HASH_STATE_MAX &&
		       sizeof(struct sha1_ctx) <= HASH_STATE_MAX &&
		       sizeof(struct md5_ctx) <= HASH_STATE_MAX,
	       "HASH_STATE_MAX is too short");
_Static_assert(SHA512_DIGEST_SIZE <= HASH_LEN_MAX, "HASH_LEN_MAX is too short");

static const struct algorithm {
	const char *name;
	size_t len;
	const struct nettle_hash *by; /* NULL: crc32 */
} algorithms[] = {
	{"sha256", SHA256_DIGEST_SIZE, &nettle_sha256},
	{"sha384", SHA384_DIGEST_SIZE, &nettle_sha384},
	{"sha512", SHA512_DIGEST_SIZE, &nettle_sha512},
	{"sha224", SHA224_DIGEST_SIZE, &nettle_sha224},
	{"sha1", SHA1_DIGEST_SIZE, &nettle_sha1},
	{"md5", MD5_DIGEST_SIZE, &nettle_md5},
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

static const struct algorithm *find(const uint8_t *name, size_t len)
{
	const size_t count = sizeof(algorithms) / sizeof(algorithms[0]);

	for (size_t i = 0; i < count; i++)
		if (strlen(algorithms[i].name) == len &&
		    memcmp(algorithms[i].name, name, len) == 0)
			return &algorithms[i];
	return NULL;
}

enum csftp_err hash_choose(struct hash *hash, struct wire_bytes list)
{
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
		size_t used = comma ? len + 1 : len;
		const struct algorithm *found = find(list.ptr, len);

		if (found) {
			hash->algorithm = found;
			hash->name = found->name;
			hash->len = found->len;
			hash_start(hash);
			return CSFTP_OK;
		}
		list.ptr += used;
		list.len -= used;
	}
	return CSFTP_ERR_VALUE;
}

void hash_start(struct hash *hash)
{
	hash->crc = UINT32_MAX;
	if (hash->algorithm->by)
		hash->algorithm->by->init(hash->state);
}

void hash_add(struct hash *hash, const void *data, size_t len)
{
	if (hash->algorithm->by)
		hash->algorithm->by->update(hash->state, len, data);
	else
		hash->crc = crc32_add(hash->crc, data, len);
}

void hash_end(struct hash *hash, uint8_t out[HASH_LEN_MAX])
{
	if (hash->algorithm->by)
		hash->algorithm->by->digest(hash->state, hash->len, out);
	else
		wire_put_u32(out, ~hash->crc);
}
