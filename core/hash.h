/* The hashes that a client can ask for (filexfer-extensions-00, 3). */
#ifndef CSFTP_CORE_HASH_H
#define CSFTP_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"
#include "csftp/err.h"

/* Bytes that the library's longest state takes, and the longest result. */
#define HASH_STATE_MAX 256
#define HASH_LEN_MAX   64

/*
 * sha256, sha384, sha512, sha224, sha1 and md5 by libnettle, which is small,
 * allocates nothing and reads no configuration: a server that is never asked
 * for a hash would feel more than that at each start.  crc32 (that of zip) by
 * ourselves; its four bytes come in the order of the network.  Owns nothing.
 * One thread.
 */
struct hash {
	const struct algorithm *algorithm; /* NULL: none was chosen */
	const char *name;		   /* of the algorithm */
	size_t len;			   /* bytes of its result */
	uint32_t crc;
	_Alignas(16) uint8_t state[HASH_STATE_MAX];
};

/*
 * Takes the first algorithm of a list, as "md5,sha1", that is known, and starts
 * it.  CSFTP_ERR_VALUE if there is none in it.
 */
CSFTP_MUST_CHECK enum csftp_err hash_choose(struct hash *hash,
					    struct wire_bytes list);

/* Begins anew with the algorithm chosen. */
void hash_start(struct hash *hash);
void hash_add(struct hash *hash, const void *data, size_t len);

/* hash->len bytes; then it has to be started again. */
void hash_end(struct hash *hash, uint8_t out[HASH_LEN_MAX]);

#endif
