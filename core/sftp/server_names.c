#include "core/sftp/longname.h"
#include "core/sftp/server.h"

#include <errno.h>
#include <string.h>

/* As much of a user's name as a line of "ls -l" shows, and a NUL. */
#define NAME_SHOWN 65

/* A longer line is made anew: it could be one that fits into no answer. */
#define LONGNAME_TAKEN (LONGNAME_PREFIX_MAX + CSFTP_NAME_MAX)

/*
 * Where a growing answer grows: right in the output while nothing else can get
 * there before it is whole, else in the scratch buffer, which one request has
 * at a time.
 */
static struct wire_wr names_writer(struct serve_slot *slot)
{
	if (serve_prompt(slot->serve))
		return link_writer(&slot->serve->link, SERVE_NAMES_MAX);
	return (struct wire_wr){.base = slot->serve->scratch,
				.cap = SERVE_NAMES_MAX};
}

static void names_send(struct serve_slot *slot)
{
	struct wire_wr wr = slot->wr;

	if (!serve_prompt(slot->serve) && wr.err == CSFTP_OK) {
		wr = serve_writer(slot, slot->wr.len);
		wire_wr_raw(&wr, slot->wr.base, slot->wr.len);
	}
	serve_send(slot, &wr);
}

/* uint32 length, byte type, uint32 id, uint32 count. */
#define NAMES_HEAD 13

void serve_names_begin(struct serve_slot *slot)
{
	slot->wr = names_writer(slot);
	slot->count = 0;
	wire_wr_open(&slot->wr);
	wire_wr_u8(&slot->wr, 104);
	wire_wr_u32(&slot->wr, slot->id);
	wire_wr_u32(&slot->wr, 0);
}

/* The next call of idname may reuse the memory of this one's answer. */
static const char *user_name(const struct csftp_serve_config *config,
			     uint32_t uid, char buf[NAME_SHOWN])
{
	const char *name = config->idname(config->arg, CSFTP_ID_USER, uid);

	if (!name)
		return NULL;
	memset(buf, 0, NAME_SHOWN);
	memcpy(buf, name, strnlen(name, NAME_SHOWN - 1));
	return buf;
}

static void put_longname(struct serve_slot *slot,
			 const struct csftp_entry *entry)
{
	const struct csftp_serve_config *config = &slot->serve->config;
	struct longname how = {.user = NULL};
	size_t mark = wire_wr_open(&slot->wr);
	char user[NAME_SHOWN];

	if (config->idname) {
		how.user = user_name(config, entry->attr.uid, user);
		how.group = config->idname(config->arg, CSFTP_ID_GROUP,
					   entry->attr.gid);
	}
	if (config->clock)
		config->clock(config->arg, entry->attr.mtime.sec, &how.now,
			      &how.offset_sec);
	longname_put(&slot->wr, &how, entry);
	wire_wr_close(&slot->wr, mark);
}

bool serve_names_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct serve_slot *slot = (struct serve_slot *)req;
	struct wire_wr before;

	/* Others may have been answered there since it was asked for. */
	if (slot->count == 0 && serve_prompt(slot->serve))
		serve_names_begin(slot);
	before = slot->wr;
	wire_wr_string(&slot->wr, entry->name.ptr, entry->name.len);
	if (entry->longname.len > 0 && entry->longname.len <= LONGNAME_TAKEN)
		wire_wr_string(&slot->wr, entry->longname.ptr,
			       entry->longname.len);
	else
		put_longname(slot, entry);
	sftp_attr_put(&slot->wr, &entry->attr);
	if (wire_wr_end(&slot->wr) != CSFTP_OK) {
		slot->wr = before;
		return false;
	}
	slot->count++;
	return true;
}

void serve_names_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	if (reply->err != 0) {
		serve_errno(slot, reply->err);
		return;
	}
	if (slot->count == 0 && reply->eof) {
		serve_status(slot, SSH_FX_EOF, "End of file");
		return;
	}
	if (slot->count == 0) {
		slot->again = true;
		return;
	}
	wire_wr_close(&slot->wr, 4);
	wire_put_u32(slot->wr.base + NAMES_HEAD - 4, slot->count);
	names_send(slot);
}

/*
 * users-groups-by-id@openssh.com (PROTOCOL, 4.13): the names of the users as
 * one string of strings, then those of the groups; empty where there is none.
 */
static bool ids_next(struct serve_slot *slot)
{
	bool users = slot->uids.left > 0;
	struct wire_rd *ids = users ? &slot->uids : &slot->gids;

	if (!users && slot->count == 0) {
		wire_wr_close(&slot->wr, slot->mark);
		slot->mark = wire_wr_open(&slot->wr);
		slot->count = 1;
	}
	if (ids->left == 0)
		return false;
	slot->req.flags = users ? CSFTP_ID_USER : CSFTP_ID_GROUP;
	slot->req.off = wire_rd_u32(ids);
	return true;
}

static void ids_send(struct serve_slot *slot)
{
	wire_wr_close(&slot->wr, slot->mark);
	wire_wr_close(&slot->wr, 4);
	if (wire_wr_end(&slot->wr) != CSFTP_OK)
		serve_errno(slot, EOVERFLOW);
	else
		names_send(slot);
}

bool serve_ids_begin(struct serve_slot *slot, const struct sftp_msg *msg)
{
	if (msg->data.len % 4 != 0 || msg->data2.len % 4 != 0) {
		serve_errno(slot, EINVAL);
		return false;
	}
	slot->uids =
		(struct wire_rd){.next = msg->data.ptr, .left = msg->data.len};
	slot->gids = (struct wire_rd){.next = msg->data2.ptr,
				      .left = msg->data2.len};
	slot->wr = names_writer(slot);
	slot->count = 0;
	wire_wr_open(&slot->wr);
	wire_wr_u8(&slot->wr, 201);
	wire_wr_u32(&slot->wr, slot->id);
	slot->mark = wire_wr_open(&slot->wr);
	if (ids_next(slot))
		return true;
	ids_send(slot);
	return false;
}

void serve_ids_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	if (reply->err == 0)
		wire_wr_string(&slot->wr, reply->text.ptr, reply->text.len);
	else
		wire_wr_u32(&slot->wr, 0);
	if (ids_next(slot))
		slot->again = true;
	else
		ids_send(slot);
}
