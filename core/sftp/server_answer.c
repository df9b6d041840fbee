#include "core/sftp/server.h"

#include <errno.h>
#include <string.h>

#include "core/version.h"

struct wire_wr serve_writer(struct serve_slot *slot, size_t len)
{
	return link_writer(&slot->serve->link, len);
}

void serve_trace(const struct csftp_serve *serve, enum sftp_way way,
		 const uint8_t *body, size_t len, size_t whole)
{
	char line[SFTP_TRACE_MAX];

	if (!serve->config.trace)
		return;
	sftp_trace(line, way, body, len, whole);
	serve->config.trace(serve->config.arg, line);
}

/* Sends a packet; the length that it begins with counts all of it. */
static void put_packet(struct csftp_serve *serve, const struct wire_wr *wr)
{
	serve_trace(serve, SFTP_SENT, wr->base + 4, wr->len - 4,
		    wire_get_u32(wr->base));
	link_put(&serve->link, wr);
}

void serve_send(struct serve_slot *slot, const struct wire_wr *wr)
{
	struct csftp_link *link = &slot->serve->link;

	if (wire_wr_end(wr) != CSFTP_OK)
		link_fail(link, CSFTP_ERR_NO_ROOM);
	else if (link->err == CSFTP_OK)
		put_packet(slot->serve, wr);
	serve_slot_end(slot);
}

static void send_msg(struct serve_slot *slot, struct sftp_msg *msg)
{
	struct wire_wr wr = serve_writer(slot, SERVE_REPLY_MAX);

	msg->id = slot->id;
	sftp_msg_encode(&wr, msg);
	serve_send(slot, &wr);
}

static struct wire_bytes text_bytes(const char *text)
{
	return (struct wire_bytes){(const uint8_t *)text, strlen(text)};
}

void serve_status(struct serve_slot *slot, enum sftp_status status,
		  const char *text)
{
	send_msg(slot, &(struct sftp_msg){.kind = SFTP_STATUS,
					  .num = (uint32_t)status,
					  .path = text_bytes(text)});
}

void serve_errno(struct serve_slot *slot, int err)
{
	serve_status(slot, sftp_status_from_errno(err), sftp_errno_text(err));
}

void serve_status_reply(struct serve_slot *slot,
			const struct csftp_reply *reply)
{
	serve_errno(slot, reply->err);
}

static void put_text(struct wire_wr *wr, const char *text)
{
	wire_wr_string(wr, text, strlen(text));
}

/* filexfer-13, 4.4: vendor, product, version and number of the build. */
static void put_vendor(struct wire_wr *wr)
{
	size_t mark = wire_wr_open(wr);

	put_text(wr, "csftp");
	put_text(wr, "libcsftp");
	put_text(wr, CSFTP_VERSION);
	wire_wr_u64(wr, 0);
	wire_wr_close(wr, mark);
}

static void put_extensions(const struct csftp_serve *serve, struct wire_wr *wr)
{
	for (int i = SFTP_EXT_FIRST; i < SFTP_KINDS; i++) {
		enum sftp_kind kind = (enum sftp_kind)i;

		if (serve_denies(serve, kind))
			continue;
		put_text(wr, sftp_kind_name(kind));
		if (kind == SFTP_VENDOR_ID)
			put_vendor(wr);
		else
			put_text(wr, sftp_ext_version(kind));
	}
}

void serve_version(struct csftp_serve *serve)
{
	struct wire_wr wr = link_writer(&serve->link, SERVE_REPLY_MAX);
	struct sftp_msg msg = {.kind = SFTP_VERSION_MSG, .num = SFTP_VERSION};
	size_t mark = wire_wr_open(&wr);

	wire_wr_u8(&wr, 2);
	wire_wr_u32(&wr, msg.num);
	put_extensions(serve, &wr);
	wire_wr_close(&wr, mark);
	if (wire_wr_end(&wr) == CSFTP_OK)
		put_packet(serve, &wr);
}

/* The file system takes no more than max at a time; 0: any length. */
static uint64_t at_most(uint32_t max)
{
	return max > 0 && max < CSFTP_SERVE_DATA_MAX ? max
						     : CSFTP_SERVE_DATA_MAX;
}

void serve_limits(struct serve_slot *slot)
{
	const struct csftp_fs *fs = slot->serve->config.fs;
	uint8_t body[32];
	struct wire_wr wr = {.base = body, .cap = sizeof(body)};

	sftp_limits_put(&wr, &(struct sftp_limits){
				     .packet = CSFTP_SERVE_PACKET_MAX,
				     .read = at_most(fs->max_read),
				     .write = at_most(fs->max_write),
				     .handles = slot->serve->config.handles,
			     });
	send_msg(slot, &(struct sftp_msg){.kind = SFTP_EXTENDED_REPLY,
					  .data = {body, wr.len}});
}

void serve_handle_reply(struct serve_slot *slot,
			const struct csftp_reply *reply)
{
	struct csftp_serve *serve = slot->serve;
	uint8_t name[SERVE_HANDLE_LEN];

	if (reply->err != 0) {
		serve_handle_drop(serve, slot->handle);
		serve_errno(slot, reply->err);
		return;
	}
	serve_handle_open(serve, slot->handle, reply->fh);
	serve_handle_name(serve, slot->handle, name);
	send_msg(slot, &(struct sftp_msg){.kind = SFTP_HANDLE,
					  .handle = {name, sizeof(name)}});
}

/* A writer for `room` bytes that has written the header of len of data. */
static struct wire_wr data_head(struct serve_slot *slot, size_t room,
				size_t len)
{
	struct wire_wr wr = serve_writer(slot, room);

	sftp_msg_encode(&wr, &(struct sftp_msg){.kind = SFTP_DATA,
						.id = slot->id,
						.data = {NULL, len}});
	return wr;
}

/* Of what is in the pipe without having been asked for, no use can be made. */
static void send_piped(struct serve_slot *slot, size_t len)
{
	struct csftp_link *link = &slot->serve->link;
	struct wire_wr wr = data_head(slot, SERVE_DATA_HEAD, len);

	if (wire_wr_end(&wr) != CSFTP_OK || !slot->req.pipe ||
	    len > slot->req.len) {
		link_fail(link, CSFTP_ERR_VALUE);
	} else if (link->err == CSFTP_OK) {
		serve_trace(slot->serve, SFTP_SENT, wr.base + 4, wr.len - 4,
			    wr.len - 4 + len);
		link_put_piped(link, &wr, len);
	}
	serve_slot_end(slot);
}

/* filexfer-02, 6.4.  What was read in place needs only its header. */
void serve_data_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	size_t len = reply->data.len;
	struct wire_wr wr;

	if (reply->err != 0) {
		serve_errno(slot, reply->err);
		return;
	}
	if (len > 0 && !reply->data.ptr) {
		send_piped(slot, len);
		return;
	}
	/* Nothing is what was asked for, or it is the end. */
	if ((len == 0 && slot->req.len > 0) || len > slot->req.len) {
		serve_status(slot, len == 0 ? SSH_FX_EOF : SSH_FX_FAILURE,
			     len == 0 ? "End of file" : "Failure");
		return;
	}
	wr = data_head(slot, SERVE_DATA_HEAD + len, len);
	if (reply->data.ptr == slot->req.into)
		wr.len += len;
	else
		wire_wr_raw(&wr, reply->data.ptr, len);
	serve_send(slot, &wr);
}

void serve_attr_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	if (reply->err != 0)
		serve_errno(slot, reply->err);
	else
		send_msg(slot, &(struct sftp_msg){.kind = SFTP_ATTRS,
						  .attr = *reply->attr});
}

/* One name, which is its own long name; no attributes (filexfer-02, 6.11). */
void serve_text_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	struct csftp_entry entry = {.name = reply->text,
				    .longname = reply->text};
	struct wire_wr wr;
	size_t mark;

	if (reply->err != 0 || reply->text.len > CSFTP_PATH_MAX) {
		serve_errno(slot, reply->err ? reply->err : ENAMETOOLONG);
		return;
	}
	wr = serve_writer(slot, SERVE_REPLY_MAX);
	mark = wire_wr_open(&wr);
	wire_wr_u8(&wr, 104);
	wire_wr_u32(&wr, slot->id);
	wire_wr_u32(&wr, 1);
	sftp_entry_put(&wr, &entry);
	wire_wr_close(&wr, mark);
	serve_send(slot, &wr);
}

void serve_statfs_reply(struct serve_slot *slot,
			const struct csftp_reply *reply)
{
	uint8_t body[11 * 8];
	struct wire_wr wr = {.base = body, .cap = sizeof(body)};

	if (reply->err != 0) {
		serve_errno(slot, reply->err);
		return;
	}
	sftp_statfs_put(&wr, reply->statfs);
	send_msg(slot, &(struct sftp_msg){.kind = SFTP_EXTENDED_REPLY,
					  .data = {body, wr.len}});
}

/* filexfer-extensions-00, 7: what there is was copied, but it is less. */
void serve_copied_reply(struct serve_slot *slot,
			const struct csftp_reply *reply)
{
	if (reply->err == 0 && reply->count < slot->req.len)
		serve_status(slot, SSH_FX_EOF, "End of file");
	else
		serve_errno(slot, reply->err);
}

void serve_space_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	uint8_t body[4 * 8 + 4];
	struct wire_wr wr = {.base = body, .cap = sizeof(body)};

	if (reply->err != 0) {
		serve_errno(slot, reply->err);
		return;
	}
	sftp_space_put(&wr, reply->statfs);
	send_msg(slot, &(struct sftp_msg){.kind = SFTP_EXTENDED_REPLY,
					  .data = {body, wr.len}});
}
