#include "core/sftp/trace.h"

#include <stdbool.h>
#include <string.h>

#include "core/sftp/fields.h"

/* Bytes of one text that are shown, each in up to four characters. */
#define TEXT_SHOWN   200
#define HANDLE_SHOWN 16

static void put(struct wire_wr *wr, const char *text)
{
	wire_wr_raw(wr, text, strlen(text));
}

static void put_number(struct wire_wr *wr, uint64_t val, unsigned base)
{
	char digits[24];
	size_t n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val > 0);
	wire_wr_raw(wr, digits + n, sizeof(digits) - n);
}

static void put_hex(struct wire_wr *wr, uint8_t byte)
{
	wire_wr_u8(wr, (uint8_t) "0123456789abcdef"[byte >> 4]);
	wire_wr_u8(wr, (uint8_t) "0123456789abcdef"[byte & 15]);
}

/* In quotes; what is not plain is \xNN, so that no line can be forged. */
static void put_text(struct wire_wr *wr, struct wire_bytes text)
{
	put(wr, " \"");
	for (size_t i = 0; i < text.len && i < TEXT_SHOWN; i++) {
		uint8_t c = text.ptr[i];

		if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
			wire_wr_u8(wr, c);
		} else {
			put(wr, "\\x");
			put_hex(wr, c);
		}
	}
	put(wr, text.len > TEXT_SHOWN ? "...\"" : "\"");
}

static void put_handle(struct wire_wr *wr, const char *name,
		       struct wire_bytes handle)
{
	put(wr, name);
	for (size_t i = 0; i < handle.len && i < HANDLE_SHOWN; i++)
		put_hex(wr, handle.ptr[i]);
	if (handle.len > HANDLE_SHOWN)
		put(wr, "...");
}

static void put_named(struct wire_wr *wr, const char *name, uint64_t val)
{
	put(wr, name);
	put_number(wr, val, 10);
}

static void put_attr(struct wire_wr *wr, const struct csftp_attr *attr)
{
	if (attr->mask & CSFTP_ATTR_SIZE)
		put_named(wr, " size ", attr->size);
	if (attr->mask & CSFTP_ATTR_UID) {
		put_named(wr, " uid ", attr->uid);
		put_named(wr, " gid ", attr->gid);
	}
	if (attr->mask & CSFTP_ATTR_MODE) {
		put(wr, " mode 0");
		put_number(wr, attr->mode, 8);
	}
	if (attr->mask & CSFTP_ATTR_ATIME) {
		put_named(wr, " atime ", (uint64_t)attr->atime.sec);
		put_named(wr, " mtime ", (uint64_t)attr->mtime.sec);
	}
}

static void put_num(struct wire_wr *wr, const struct sftp_msg *msg)
{
	switch ((int)msg->kind) {
	case SFTP_OPEN:
		put(wr, " pflags 0x");
		put_number(wr, msg->num, 16);
		break;
	case SFTP_NAME:
		put_named(wr, " names ", msg->num);
		break;
	case SFTP_CHECK_FILE:
	case SFTP_CHECK_FILE_HANDLE:
	case SFTP_CHECK_FILE_NAME:
		put_named(wr, " block ", msg->num);
		break;
	case SFTP_COPY_FILE:
		put(wr, msg->num ? " overwrite" : "");
		break;
	default:
		put_named(wr, " ", msg->num);
		break;
	}
}

/* The answer to REALPATH and READLINK; of listings the number has to do. */
static void put_rest(struct wire_wr *wr, const struct sftp_msg *msg)
{
	struct wire_rd rd = {.next = msg->data.ptr, .left = msg->data.len};
	struct wire_bytes name = {NULL, 0};

	if (msg->kind == SFTP_NAME && msg->num == 1)
		name = wire_rd_string(&rd, SIZE_MAX);
	if (name.ptr)
		put_text(wr, name);
	else if (msg->data.len > 0)
		put_named(wr, " bytes ", msg->data.len);
}

static void put_data(struct wire_wr *wr, const struct sftp_msg *msg)
{
	if (msg->kind == SFTP_CHECK_FILE_HANDLE ||
	    msg->kind == SFTP_CHECK_FILE_NAME || msg->kind == SFTP_CHECK_FILE)
		put_text(wr, msg->data);
	else
		put_named(wr, " bytes ", msg->data.len);
}

static void put_field(struct wire_wr *wr, const struct sftp_msg *msg,
		      enum sftp_field field)
{
	switch (field) {
	case END:
		break;
	case NUM:
	case FLAG:
		put_num(wr, msg);
		break;
	case OFF:
		put_named(wr, " offset ", msg->off);
		break;
	case OFF2:
		put_named(wr, " offset ", msg->off2);
		break;
	case LEN32:
	case LEN64:
		put_named(wr, " length ", msg->len);
		break;
	case PATH:
		put_text(wr, msg->path);
		break;
	case PATH2:
		/* The language of a status says nothing. */
		if (msg->kind != SFTP_STATUS)
			put_text(wr, msg->path2);
		break;
	case HANDLE:
		put_handle(wr, " handle ", msg->handle);
		break;
	case HANDLE2:
		put_handle(wr, " to handle ", msg->handle2);
		break;
	case DATA:
		put_data(wr, msg);
		break;
	case DATA2:
		put_named(wr, " bytes ", msg->data2.len);
		break;
	case ATTRS:
		put_attr(wr, &msg->attr);
		break;
	case REST:
		put_rest(wr, msg);
		break;
	}
}

static const char *short_name(enum sftp_kind kind)
{
	const char *name = sftp_kind_name(kind);

	return strncmp(name, "SSH_FXP_", 8) == 0 ? name + 8 : name;
}

void sftp_trace(char line[SFTP_TRACE_MAX], enum sftp_way way,
		const uint8_t *body, size_t len, size_t whole)
{
	struct wire_wr wr = {.base = (uint8_t *)line,
			     .cap = SFTP_TRACE_MAX - 1};
	struct sftp_msg msg;
	enum csftp_err err = sftp_msg_decode(&msg, body, len);
	bool cut = whole > len &&
		   (msg.kind == SFTP_WRITE || msg.kind == SFTP_DATA);

	put(&wr, way == SFTP_SENT ? "->" : "<-");
	if (msg.kind != SFTP_INIT && msg.kind != SFTP_VERSION_MSG)
		put_named(&wr, " ", msg.id);
	put(&wr, " ");
	put(&wr, short_name(msg.kind));
	if (msg.kind == SFTP_UNKNOWN && len > 0)
		put_named(&wr, " type ", body[0]);
	if (cut)
		msg.data = (struct wire_bytes){NULL, whole - len};
	if (err == CSFTP_OK || err == CSFTP_ERR_TRAILING || cut) {
		const uint8_t *field = sftp_kind_fields(msg.kind);

		for (; *field != END; field++)
			put_field(&wr, &msg, (enum sftp_field) * field);
	}
	if (err != CSFTP_OK && err != CSFTP_ERR_STATE && !cut) {
		put(&wr, ": ");
		put(&wr, csftp_strerror(err));
	}
	line[wr.len] = '\0';
}
