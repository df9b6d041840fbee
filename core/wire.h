/* Bounded cursors over the SSH wire types (RFC 4251, section 5). */
#ifndef CSFTP_CORE_WIRE_H
#define CSFTP_CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"

/*
 * Nothing here allocates, logs or does I/O.  A cursor borrows the caller's
 * bytes and owns nothing, so it needs no destructor.  Start one with an
 * initializer that names its buffer; every other field starts at zero.
 *
 * Errors stick: after the first, each call does nothing and each value read
 * is zero or empty.  Code a message field by field, then check it once with
 * wire_rd_end() or wire_wr_end().
 *
 * One cursor, one thread.  There is no shared state.
 */
struct wire_rd {
	const uint8_t *next;
	size_t left; /* bytes not yet read */
	enum csftp_err err;
};

struct wire_wr {
	uint8_t *base;
	size_t cap; /* bytes at base */
	size_t len; /* bytes written; never above cap */
	enum csftp_err err;
};

/* Bytes inside the buffer they were read from.  Not NUL-terminated. */
struct wire_bytes {
	const uint8_t *ptr;
	size_t len;
};

uint8_t wire_rd_u8(struct wire_rd *rd);
uint32_t wire_rd_u32(struct wire_rd *rd);
uint64_t wire_rd_u64(struct wire_rd *rd);

/* CSFTP_ERR_TOO_LONG if the string claims more than max bytes. */
struct wire_bytes wire_rd_string(struct wire_rd *rd, size_t max);

/* All that is left. */
struct wire_bytes wire_rd_rest(struct wire_rd *rd);

/* The first error, or CSFTP_ERR_TRAILING if bytes are left over. */
CSFTP_MUST_CHECK enum csftp_err wire_rd_end(const struct wire_rd *rd);

void wire_wr_u8(struct wire_wr *wr, uint8_t val);
void wire_wr_u32(struct wire_wr *wr, uint32_t val);
void wire_wr_u64(struct wire_wr *wr, uint64_t val);

/* len bytes as they are, without a length before them. */
void wire_wr_raw(struct wire_wr *wr, const void *src, size_t len);
void wire_wr_string(struct wire_wr *wr, const void *src, size_t len);

/*
 * What is written between the two calls becomes one string.  The mark is for
 * wire_wr_close() only; pairs nest.
 */
size_t wire_wr_open(struct wire_wr *wr);
void wire_wr_close(struct wire_wr *wr, size_t mark);

/* The first error.  On CSFTP_OK the message is base[0] to base[len - 1]. */
CSFTP_MUST_CHECK enum csftp_err wire_wr_end(const struct wire_wr *wr);

/* One big-endian number at p, for what is known to be there. */
uint32_t wire_get_u32(const uint8_t *p);
void wire_put_u32(uint8_t *p, uint32_t val);

#endif
