#include "core/ssh/names.h"

#include <string.h>

struct wire_bytes ssh_text(const char *text)
{
	return (struct wire_bytes){(const uint8_t *)text, strlen(text)};
}

bool ssh_is(struct wire_bytes bytes, const char *text)
{
	return ssh_equal(bytes, ssh_text(text));
}

bool ssh_equal(struct wire_bytes a, struct wire_bytes b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool ssh_next_name(struct wire_bytes *list, struct wire_bytes *name)
{
	const uint8_t *comma;
	size_t len;

	if (list->len == 0)
		return false;
	comma = memchr(list->ptr, ',', list->len);
	len = comma ? (size_t)(comma - list->ptr) : list->len;
	*name = (struct wire_bytes){list->ptr, len};
	if (comma)
		len++;
	list->ptr += len;
	list->len -= len;
	return true;
}

bool ssh_list_has(struct wire_bytes list, const char *name)
{
	struct wire_bytes next;

	while (ssh_next_name(&list, &next))
		if (ssh_is(next, name))
			return true;
	return false;
}

/* RFC 4251, 5: "All non-zero values MUST be interpreted as TRUE". */
bool ssh_rd_bool(struct wire_rd *rd)
{
	return wire_rd_u8(rd) != 0;
}

struct wire_bytes ssh_rd_mpint(struct wire_rd *rd, size_t max)
{
	struct wire_bytes number = wire_rd_string(rd, max + 1);
	bool zero_led = number.len > 0 && number.ptr[0] == 0;
	bool good = number.len > 0 && !(number.ptr[0] & 0x80);

	/* A zero in front is there to keep the number positive. */
	if (good && zero_led)
		good = number.len > 1 && (number.ptr[1] & 0x80);
	if (rd->err == CSFTP_OK && !good)
		rd->err = CSFTP_ERR_VALUE;
	if (zero_led && good) {
		number.ptr++;
		number.len--;
	}
	if (rd->err == CSFTP_OK && number.len > max)
		rd->err = CSFTP_ERR_TOO_LONG;
	return rd->err == CSFTP_OK ? number : (struct wire_bytes){.len = 0};
}

void ssh_wr_text(struct wire_wr *wr, const char *text)
{
	wire_wr_string(wr, text, strlen(text));
}

void ssh_wr_bool(struct wire_wr *wr, bool value)
{
	wire_wr_u8(wr, value ? 1 : 0);
}

void ssh_wr_bytes(struct wire_wr *wr, struct wire_bytes bytes)
{
	wire_wr_string(wr, bytes.ptr, bytes.len);
}

void ssh_wr_mpint(struct wire_wr *wr, struct wire_bytes number)
{
	size_t mark;

	while (number.len > 0 && number.ptr[0] == 0) {
		number.ptr++;
		number.len--;
	}
	mark = wire_wr_open(wr);
	if (number.len > 0 && number.ptr[0] & 0x80)
		wire_wr_u8(wr, 0);
	wire_wr_raw(wr, number.ptr, number.len);
	wire_wr_close(wr, mark);
}

struct csftp_ssh_bytes ssh_shown(struct wire_bytes bytes)
{
	return (struct csftp_ssh_bytes){bytes.ptr, bytes.len};
}

struct wire_bytes ssh_wire(struct csftp_ssh_bytes bytes)
{
	return (struct wire_bytes){bytes.ptr, bytes.len};
}
