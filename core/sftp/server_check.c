/* check-file-handle, check-file-name (filexfer-extensions-00, 3), check-file */
#include "core/sftp/server.h"

#include <errno.h>
#include <string.h>

/* A shorter block would make an answer longer than what it is about. */
#define BLOCK_MIN 256U

/* Of a file given by its handle: neither the first nor the last. */
enum check_step { CHECK_OPEN, CHECK_LOOK, CHECK_READ, CHECK_CLOSE };

bool serve_check_first(const struct csftp_serve *serve,
		       const struct sftp_msg *msg)
{
	const struct serve_check *check = &serve->check;
	uint32_t index;

	if (!check->slot)
		return false;
	if (msg->kind == SFTP_CHECK_FILE_HANDLE ||
	    msg->kind == SFTP_CHECK_FILE_NAME || msg->kind == SFTP_CHECK_FILE)
		return true;
	return (serve_handle_find(serve, msg->handle, &index) &&
		index == check->handle) ||
	       (serve_handle_find(serve, msg->handle2, &index) &&
		index == check->handle);
}

static bool by_name(const struct serve_slot *slot)
{
	return slot->kind == SFTP_CHECK_FILE_NAME;
}

/* The whole answer begins with its length, as any packet. */
static void check_send(struct serve_slot *slot)
{
	struct serve_check *check = &slot->serve->check;
	struct wire_wr wr;

	wire_wr_close(&check->wr, 4);
	wr = serve_writer(slot, check->wr.len);
	wire_wr_raw(&wr, check->wr.base, check->wr.len);
	serve_send(slot, &wr);
}

/* The last step was done. */
static void check_end(struct serve_slot *slot)
{
	struct csftp_serve *serve = slot->serve;
	uint32_t index = serve->check.handle;

	serve->check.slot = NULL;
	if (by_name(slot) && serve->handles[index].state == HANDLE_KEPT)
		serve_handle_drop(serve, index);
	if (slot->err != 0)
		serve_errno(slot, slot->err);
	else
		check_send(slot);
}

/* All is hashed, or cannot be. */
static void check_finish(struct serve_slot *slot, int err)
{
	struct csftp_serve *serve = slot->serve;
	uint32_t index = serve->check.handle;

	slot->err = err;
	if (serve->closing || !by_name(slot) ||
	    serve->handles[index].state != HANDLE_INSIDE) {
		check_end(slot);
		return;
	}
	serve_handle_empty(serve, index);
	slot->step = CHECK_CLOSE;
	slot->req.op = CSFTP_OP_CLOSE;
	slot->again = true;
}

/* One result more; false where it does not fit. */
static bool block_end(struct serve_check *check)
{
	uint8_t out[HASH_LEN_MAX];

	check->block_left = 0;
	hash_end(&check->hash, out);
	wire_wr_raw(&check->wr, out, check->hash.len);
	return wire_wr_end(&check->wr) == CSFTP_OK;
}

static void block_begin(struct serve_check *check)
{
	check->block_left = check->block > 0 ? check->block : UINT64_MAX;
	hash_start(&check->hash);
}

static bool add(struct serve_check *check, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t part = len;

		if (check->block_left == 0)
			block_begin(check);
		if (part > check->block_left)
			part = (size_t)check->block_left;
		hash_add(&check->hash, data, part);
		check->block_left -= part;
		if (check->block_left == 0 && !block_end(check))
			return false;
		data += part;
		len -= part;
	}
	return true;
}

/* One block is shorter, or it is one of nothing: that has a hash, too. */
static bool add_end(struct serve_check *check)
{
	if (check->block == 0 && check->block_left == 0)
		block_begin(check);
	return check->block_left == 0 || block_end(check);
}

/* Reads on: at once where others have their turn meanwhile, else later. */
static void check_read(struct serve_slot *slot)
{
	struct csftp_serve *serve = slot->serve;
	const struct serve_check *check = &serve->check;

	slot->step = CHECK_READ;
	slot->req.op = CSFTP_OP_READ;
	slot->req.fh = serve->handles[check->handle].fh;
	slot->req.off = check->off;
	slot->req.len =
		check->left < SERVE_HASHED_MAX ? check->left : SERVE_HASHED_MAX;
	if (serve_prompt(serve))
		serve->link.work = true;
	else
		slot->again = true;
}

static void take_data(struct serve_slot *slot, const struct csftp_reply *reply)
{
	struct serve_check *check = &slot->serve->check;
	size_t len = reply->data.len;
	bool well = len <= slot->req.len && add(check, reply->data.ptr, len);

	check->off += len;
	if (check->left != UINT64_MAX)
		check->left -= well ? len : 0;
	if (well && len > 0 && !reply->eof && check->left > 0)
		check_read(slot);
	else if (well && add_end(check))
		check_finish(slot, 0);
	else
		check_finish(slot, check->wr.err ? EOVERFLOW : EIO);
}

/* Only what has an end is hashed. */
static void take_attr(struct serve_slot *slot, const struct csftp_attr *attr)
{
	uint32_t type = attr->mode & CSFTP_S_IFMT;

	if ((attr->mask & CSFTP_ATTR_MODE) && type == CSFTP_S_IFDIR)
		check_finish(slot, EISDIR);
	else if ((attr->mask & CSFTP_ATTR_MODE) && type != CSFTP_S_IFREG)
		check_finish(slot, EINVAL);
	else
		check_read(slot);
}

static void check_look(struct serve_slot *slot)
{
	struct csftp_req *req = &slot->req;

	req->op = CSFTP_OP_GETATTR;
	req->flags = 0;
	req->path = NULL;
	req->fh = slot->serve->handles[slot->serve->check.handle].fh;
	slot->step = CHECK_LOOK;
}

void serve_check_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	struct csftp_serve *serve = slot->serve;

	if (slot->step == CHECK_OPEN && reply->err == 0) {
		serve_handle_inside(serve, serve->check.handle, reply->fh);
		serve_slot_unpin(slot);
	}
	/* An error of closing what was only read says nothing. */
	if (slot->step == CHECK_CLOSE) {
		check_end(slot);
	} else if (reply->err != 0 || serve->closing) {
		check_finish(slot, reply->err ? reply->err : ECANCELED);
	} else if (slot->step == CHECK_OPEN) {
		check_look(slot);
		slot->again = true;
	} else if (slot->step == CHECK_LOOK) {
		take_attr(slot, reply->attr);
	} else {
		take_data(slot, reply);
	}
}

void serve_check_stop(struct csftp_serve *serve)
{
	if (serve->link.work)
		check_finish(serve->check.slot, ECANCELED);
	serve->link.work = false;
}

/*
 * byte type, uint32 id, string algorithm; the hashes follow.  Those who ask for
 * "check-file" expect to hear that first.
 */
static void check_head(struct serve_slot *slot)
{
	struct serve_check *check = &slot->serve->check;

	check->wr =
		(struct wire_wr){.base = check->buf, .cap = SERVE_HASHES_MAX};
	wire_wr_open(&check->wr);
	wire_wr_u8(&check->wr, 201);
	wire_wr_u32(&check->wr, slot->id);
	if (slot->kind == SFTP_CHECK_FILE)
		wire_wr_string(&check->wr, "check-file", 10);
	wire_wr_string(&check->wr, check->hash.name, strlen(check->hash.name));
}

static bool check_open(struct serve_slot *slot, const struct sftp_msg *msg)
{
	struct csftp_serve *serve = slot->serve;

	if (!by_name(slot)) {
		if (!serve_handle_find(serve, msg->handle,
				       &serve->check.handle))
			return false;
		check_look(slot);
		return true;
	}
	slot->step = CHECK_OPEN;
	slot->req.op = CSFTP_OP_OPEN;
	slot->req.flags = CSFTP_OPEN_READ;
	return serve_handle_keep(serve, &serve->check.handle);
}

bool serve_check_begin(struct serve_slot *slot, const struct sftp_msg *msg)
{
	struct serve_check *check = &slot->serve->check;

	if (msg->num > 0 && msg->num < BLOCK_MIN) {
		serve_errno(slot, EINVAL);
		return false;
	}
	if (hash_choose(&check->hash, msg->data) != CSFTP_OK) {
		serve_status(slot, SSH_FX_FAILURE,
			     "No hash algorithm in common");
		return false;
	}
	if (!check_open(slot, msg)) {
		serve_errno(slot, EMFILE);
		return false;
	}
	check->slot = slot;
	check->off = msg->off;
	check->left = msg->len > 0 ? msg->len : UINT64_MAX;
	check->block = msg->num;
	check->block_left = 0;
	slot->err = 0;
	check_head(slot);
	serve_slot_keep(slot);
	if (!by_name(slot))
		serve_slot_unpin(slot);
	return true;
}
