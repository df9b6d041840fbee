/* Any bytes as an SFTP message: what decodes is what it was encoded from. */
#include <string.h>

#include "core/errmap.h"
#include "core/sftp/longname.h"
#include "core/sftp/msg.h"
#include "core/sftp/trace.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct wire_bytes bytes, const uint8_t *body, size_t len)
{
	size_t at;

	must(bytes.ptr || bytes.len == 0);
	if (!bytes.ptr)
		return;
	at = (size_t)(bytes.ptr - body);
	must(at <= len && bytes.len <= len - at);
}

static void all_inside(const struct sftp_msg *msg, const uint8_t *body,
		       size_t len)
{
	inside(msg->path, body, len);
	inside(msg->path2, body, len);
	inside(msg->handle, body, len);
	inside(msg->handle2, body, len);
	inside(msg->data, body, len);
	inside(msg->data2, body, len);
}

static bool has_attrs(enum sftp_kind kind)
{
	return kind == SFTP_OPEN || kind == SFTP_SETSTAT ||
	       kind == SFTP_FSETSTAT || kind == SFTP_MKDIR ||
	       kind == SFTP_ATTRS || kind == SFTP_LSETSTAT;
}

/*
 * Back to the same bytes; of attributes, what is unknown is left out, but what
 * is known stays, so that the second time nothing changes any more.
 */
static void again(const struct sftp_msg *msg, const uint8_t *body, size_t len,
		  bool whole)
{
	uint8_t *buf = malloc(4 + len);
	struct wire_wr wr = {.base = buf, .cap = 4 + len};
	struct sftp_msg second;

	must(buf);
	sftp_msg_encode(&wr, msg);
	must(wire_wr_end(&wr) == CSFTP_OK);
	must(wire_get_u32(buf) == wr.len - 4);
	must(sftp_msg_decode(&second, buf + 4, wr.len - 4) == CSFTP_OK);
	must(second.kind == msg->kind && second.id == msg->id);
	must(memcmp(&second.attr, &msg->attr, sizeof(second.attr)) == 0);
	/* A flag is a byte that is 0 or another; it is sent as 0 or 1. */
	if (!has_attrs(msg->kind) && msg->kind != SFTP_COPY_FILE) {
		must(!whole || wr.len - 4 == len);
		must(memcmp(buf + 4, body, wr.len - 4) == 0);
	}
	free(buf);
}

static void read_names(struct wire_bytes data)
{
	struct wire_rd rd = {.next = data.ptr, .left = data.len};

	while (rd.left > 0 && rd.err == CSFTP_OK) {
		struct longname how = {.now = INT64_MAX, .offset_sec = -3600};
		uint8_t line[512];
		struct wire_wr wr = {.base = line, .cap = sizeof(line)};
		struct csftp_entry entry;

		sftp_entry_get(&rd, &entry);
		/* A longer time than the wire has, as a file system may. */
		entry.attr.mtime.sec = (int64_t)entry.attr.size;
		longname_put(&wr, &how, &entry);
		must(wr.err == CSFTP_OK || entry.name.len > 200);
	}
}

static void read_replies(struct wire_bytes data)
{
	struct wire_rd rd = {.next = data.ptr, .left = data.len};
	struct csftp_statfs statfs;
	struct sftp_limits limits;

	sftp_statfs_get(&rd, &statfs);
	rd = (struct wire_rd){.next = data.ptr, .left = data.len};
	sftp_limits_get(&rd, &limits);
}

static void read_further(const struct sftp_msg *msg)
{
	if (msg->kind == SFTP_NAME)
		read_names(msg->data);
	if (msg->kind == SFTP_EXTENDED_REPLY)
		read_replies(msg->data);
	if (msg->kind == SFTP_STATUS)
		must((sftp_errno_from_status(msg->num, msg->path.ptr,
					     msg->path.len) == 0) ==
		     (msg->num == SSH_FX_OK));
}

static void one_line(const uint8_t *body, size_t len)
{
	char line[SFTP_TRACE_MAX];

	sftp_trace(line, len & 1 ? SFTP_SENT : SFTP_RECEIVED, body, len,
		   len & 2 ? len + 1000 : len);
	must(memchr(line, '\0', sizeof(line)));
	for (const char *at = line; *at; at++)
		must(*at >= ' ' && *at <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	uint8_t *body = malloc(len > 0 ? len : 1);
	struct sftp_msg msg;
	enum csftp_err err;

	must(body);
	if (len > 0)
		memcpy(body, input, len);
	err = sftp_msg_decode(&msg, body, len);
	all_inside(&msg, body, len);
	one_line(body, len);
	must((unsigned)msg.kind < SFTP_KINDS);
	if (err == CSFTP_OK || err == CSFTP_ERR_TRAILING) {
		must(msg.kind != SFTP_UNKNOWN);
		again(&msg, body, len, err == CSFTP_OK);
		read_further(&msg);
	}
	free(body);
	return 0;
}
