#include "core/wire.h"

#include <string.h>

/* Keeps the first error: it names the field that broke. */
static void fail(enum csftp_err *err, enum csftp_err why)
{
	if (*err == CSFTP_OK)
		*err = why;
}

/* The only place that advances a reader.  NULL once it has failed. */
static const uint8_t *take(struct wire_rd *rd, size_t len)
{
	if (len > rd->left)
		fail(&rd->err, CSFTP_ERR_SHORT);
	if (rd->err != CSFTP_OK)
		return NULL;
	rd->next += len;
	rd->left -= len;
	return rd->next - len;
}

/* The only place that advances a writer.  NULL once it has failed. */
static uint8_t *room(struct wire_wr *wr, size_t len)
{
	if (len > wr->cap - wr->len)
		fail(&wr->err, CSFTP_ERR_NO_ROOM);
	if (wr->err != CSFTP_OK)
		return NULL;
	wr->len += len;
	return wr->base + wr->len - len;
}

uint32_t wire_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

void wire_put_u32(uint8_t *p, uint32_t val)
{
	p[0] = (uint8_t)(val >> 24);
	p[1] = (uint8_t)(val >> 16);
	p[2] = (uint8_t)(val >> 8);
	p[3] = (uint8_t)val;
}

uint8_t wire_rd_u8(struct wire_rd *rd)
{
	const uint8_t *p = take(rd, 1);

	return p ? p[0] : 0;
}

uint32_t wire_rd_u32(struct wire_rd *rd)
{
	const uint8_t *p = take(rd, 4);

	return p ? wire_get_u32(p) : 0;
}

uint64_t wire_rd_u64(struct wire_rd *rd)
{
	const uint8_t *p = take(rd, 8);

	if (!p)
		return 0;
	return (uint64_t)wire_get_u32(p) << 32 | wire_get_u32(p + 4);
}

struct wire_bytes wire_rd_string(struct wire_rd *rd, size_t max)
{
	uint32_t len = wire_rd_u32(rd);
	const uint8_t *p;

	if (len > max)
		fail(&rd->err, CSFTP_ERR_TOO_LONG);
	p = take(rd, len);
	return (struct wire_bytes){.ptr = p, .len = p ? len : 0};
}

struct wire_bytes wire_rd_rest(struct wire_rd *rd)
{
	size_t len = rd->left;
	const uint8_t *p = take(rd, len);

	return (struct wire_bytes){.ptr = p, .len = p ? len : 0};
}

enum csftp_err wire_rd_end(const struct wire_rd *rd)
{
	if (rd->err != CSFTP_OK)
		return rd->err;
	return rd->left > 0 ? CSFTP_ERR_TRAILING : CSFTP_OK;
}

void wire_wr_u8(struct wire_wr *wr, uint8_t val)
{
	uint8_t *p = room(wr, 1);

	if (p)
		p[0] = val;
}

void wire_wr_u32(struct wire_wr *wr, uint32_t val)
{
	uint8_t *p = room(wr, 4);

	if (p)
		wire_put_u32(p, val);
}

void wire_wr_u64(struct wire_wr *wr, uint64_t val)
{
	uint8_t *p = room(wr, 8);

	if (!p)
		return;
	wire_put_u32(p, (uint32_t)(val >> 32));
	wire_put_u32(p + 4, (uint32_t)val);
}

void wire_wr_raw(struct wire_wr *wr, const void *src, size_t len)
{
	uint8_t *p = room(wr, len);

	if (p && len > 0)
		memcpy(p, src, len);
}

void wire_wr_string(struct wire_wr *wr, const void *src, size_t len)
{
	if (len > UINT32_MAX)
		fail(&wr->err, CSFTP_ERR_TOO_LONG);
	wire_wr_u32(wr, (uint32_t)len);
	wire_wr_raw(wr, src, len);
}

size_t wire_wr_open(struct wire_wr *wr)
{
	wire_wr_u32(wr, 0);
	return wr->len;
}

void wire_wr_close(struct wire_wr *wr, size_t mark)
{
	size_t len = wr->len - mark;

	if (len > UINT32_MAX)
		fail(&wr->err, CSFTP_ERR_TOO_LONG);
	if (wr->err == CSFTP_OK)
		wire_put_u32(wr->base + mark - 4, (uint32_t)len);
}

enum csftp_err wire_wr_end(const struct wire_wr *wr)
{
	return wr->err;
}
