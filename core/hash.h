/* The hashes that a client can ask for (filexfer-extensions-00, 3). */
#ifndef CSFTP_CORE_HASH_H
#define CSFTP_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"
#include "csftp/err.h"

/*
 * sha256, sha384, sha512, sha224, sha1 and md5 by libcrypto, which allocates
 * and is left unconfigured; crc32 (that of zip) by ourselves.  Its four bytes
 * come in the order of the network.  One thread.
 */
struct hash {
	void *library; /* libcrypto's; NULL: not made yet */
	void *ctx;
	void *type; /* NULL: crc32, once one was chosen */
	const struct algorithm *algorithm;
	const char *name; /* of the algorithm */
	size_t len;	  /* bytes of its result */
	uint32_t crc;
};

#define HASH_LEN_MAX 64

/* Frees what libcrypto has; the hash can be started again. */
void hash_release(struct hash *hash);

/*
 * Takes the first algorithm of a list, as "md5,sha1", that can be had.
 * CSFTP_ERR_VALUE if there is none in it, CSFTP_ERR_NOMEM.
 */
CSFTP_MUST_CHECK enum csftp_err hash_choose(struct hash *hash,
					    struct wire_bytes list);

/* Begins anew with the algorithm chosen.  CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err hash_start(struct hash *hash);
CSFTP_MUST_CHECK enum csftp_err hash_add(struct hash *hash, const void *data,
					 size_t len);

/* hash->len bytes; then it has to be started again. */
CSFTP_MUST_CHECK enum csftp_err hash_end(struct hash *hash,
					 uint8_t out[HASH_LEN_MAX]);

#endif
