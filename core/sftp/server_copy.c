/* copy-file (filexfer-extensions-00, 6): one request that takes several. */
#include "core/sftp/server.h"

#include <errno.h>

/*
 * In this order; a step that is not needed is left out, and after a failure
 * all but the closings.  The target is not emptied when it is opened, but cut
 * behind the copy: it could be another name of the source.
 */
enum copy_step {
	COPY_OPEN,
	COPY_LOOK,
	COPY_MAKE,
	COPY_DATA,
	COPY_CUT,
	COPY_CLOSE_TARGET,
	COPY_CLOSE_SOURCE,
	COPY_END
};

static csftp_fh fh_of(const struct serve_slot *slot, uint32_t index)
{
	return slot->serve->handles[index].fh;
}

static bool is_open(const struct serve_slot *slot, uint32_t index)
{
	return slot->serve->handles[index].state == HANDLE_INSIDE;
}

/* Fills the request of the slot's step; false where it is left out. */
static bool copy_fill(struct serve_slot *slot)
{
	struct csftp_req *req = &slot->req;
	bool well = slot->err == 0;

	switch ((enum copy_step)slot->step) {
	case COPY_OPEN:
		req->op = CSFTP_OP_OPEN;
		req->flags = CSFTP_OPEN_READ;
		return true;
	case COPY_LOOK:
		req->op = CSFTP_OP_GETATTR;
		req->flags = 0;
		req->path = NULL;
		req->fh = fh_of(slot, slot->source);
		return well;
	case COPY_MAKE:
		req->op = CSFTP_OP_OPEN;
		req->flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT;
		if (!slot->overwrite)
			req->flags |= CSFTP_OPEN_EXCL;
		req->path = req->path2;
		return well;
	case COPY_DATA:
		req->op = CSFTP_OP_COPY_RANGE;
		req->flags = 0;
		req->path = NULL;
		req->len = 0;
		req->fh2 = fh_of(slot, slot->handle);
		return well;
	case COPY_CUT:
		req->op = CSFTP_OP_SETATTR;
		req->fh = req->fh2;
		return well && slot->overwrite;
	case COPY_CLOSE_TARGET:
		req->op = CSFTP_OP_CLOSE;
		req->flags = 0;
		req->path = NULL;
		req->fh = fh_of(slot, slot->handle);
		return is_open(slot, slot->handle);
	case COPY_CLOSE_SOURCE:
		req->op = CSFTP_OP_CLOSE;
		req->fh = fh_of(slot, slot->source);
		return is_open(slot, slot->source);
	case COPY_END:
		break;
	}
	return false;
}

static bool copy_next(struct serve_slot *slot)
{
	for (slot->step++; slot->step < COPY_END; slot->step++) {
		if (!copy_fill(slot))
			continue;
		/* Not to be closed once more at the end of the session. */
		if (slot->step == COPY_CLOSE_TARGET)
			serve_handle_empty(slot->serve, slot->handle);
		if (slot->step == COPY_CLOSE_SOURCE)
			serve_handle_empty(slot->serve, slot->source);
		return true;
	}
	return false;
}

/* What a step has brought; 0 or an errno. */
static int copy_take(struct serve_slot *slot, const struct csftp_reply *reply)
{
	struct csftp_serve *serve = slot->serve;
	uint32_t type;

	if (reply->err != 0)
		return reply->err;
	switch ((enum copy_step)slot->step) {
	case COPY_OPEN:
		serve_handle_inside(serve, slot->source, reply->fh);
		return 0;
	case COPY_LOOK:
		type = reply->attr->mode & CSFTP_S_IFMT;
		slot->attr.mask = reply->attr->mask & CSFTP_ATTR_MODE;
		slot->attr.mode = reply->attr->mode & 0777U;
		if (slot->attr.mask == 0 || type == CSFTP_S_IFREG)
			return 0;
		return type == CSFTP_S_IFDIR ? EISDIR : EINVAL;
	case COPY_MAKE:
		serve_handle_inside(serve, slot->handle, reply->fh);
		serve_slot_unpin(slot);
		return 0;
	case COPY_DATA:
		slot->attr = (struct csftp_attr){.mask = CSFTP_ATTR_SIZE,
						 .size = reply->count};
		return 0;
	case COPY_CUT:
	case COPY_CLOSE_TARGET:
	case COPY_CLOSE_SOURCE:
	case COPY_END:
		break;
	}
	return 0;
}

bool serve_copy_begin(struct serve_slot *slot, const struct sftp_msg *msg)
{
	struct csftp_serve *serve = slot->serve;

	if (!serve_handle_keep(serve, &slot->source)) {
		serve_errno(slot, EMFILE);
		return false;
	}
	if (!serve_handle_keep(serve, &slot->handle)) {
		serve_handle_drop(serve, slot->source);
		serve_errno(slot, EMFILE);
		return false;
	}
	slot->err = 0;
	slot->overwrite = msg->num != 0;
	slot->step = COPY_OPEN;
	return copy_fill(slot);
}

static void copy_drop(struct serve_slot *slot, uint32_t index)
{
	if (slot->serve->handles[index].state == HANDLE_KEPT)
		serve_handle_drop(slot->serve, index);
}

void serve_copy_reply(struct serve_slot *slot, const struct csftp_reply *reply)
{
	int err = copy_take(slot, reply);

	if (slot->err == 0)
		slot->err = err;
	if (!slot->serve->closing && copy_next(slot)) {
		slot->again = true;
		return;
	}
	/* What is open at the end of the session is closed elsewhere. */
	copy_drop(slot, slot->handle);
	copy_drop(slot, slot->source);
	serve_errno(slot, slot->err);
}
