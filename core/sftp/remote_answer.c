#include "core/errmap.h"
#include "core/sftp/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void answer_wrong(struct csftp_remote *remote, struct remote_slot *slot,
			 const char *what)
{
	const char *name = sftp_kind_name(slot->kind);

	remote_log(remote, what, name, strlen(name));
	remote_finish_err(remote, slot, EIO);
}

static void take_attr(struct csftp_remote *remote, struct remote_slot *slot,
		      const struct sftp_msg *msg)
{
	remote_finish(remote, slot, &(struct csftp_reply){.attr = &msg->attr});
}

/* An answer that another request follows, once there is room for it. */
static void take_step(struct csftp_remote *remote, struct remote_slot *slot)
{
	slot->state = SLOT_SECOND;
	remote->seconds++;
}

/* What take_first() cannot do without; nothing may be made up. */
static uint32_t needed(const struct remote_slot *slot)
{
	uint32_t need = 0;

	if (slot->req->op == CSFTP_OP_COPY_RANGE)
		return CSFTP_ATTR_SIZE;
	if (slot->attr.mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID))
		need |= CSFTP_ATTR_UID | CSFTP_ATTR_GID;
	if (slot->attr.mask & ~(CSFTP_ATTR_UID | CSFTP_ATTR_GID |
				CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE))
		need |= CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
	return need;
}

/* SETATTR and COPY_RANGE had to know what the file has. */
static void take_first(struct csftp_remote *remote, struct remote_slot *slot,
		       const struct csftp_attr *attr)
{
	const struct csftp_req *req = slot->req;
	uint32_t need = needed(slot);
	uint64_t left;

	if ((attr->mask & need) != need) {
		remote_finish_err(remote, slot, EOPNOTSUPP);
		return;
	}
	if (req->op == CSFTP_OP_SETATTR) {
		remote_complete(&slot->attr, attr);
		take_step(remote, slot);
		return;
	}
	left = attr->size > req->off ? attr->size - req->off : 0;
	slot->len = req->len > 0 && req->len < left ? req->len : left;
	if (slot->len == 0)
		remote_finish_err(remote, slot, 0);
	else
		take_step(remote, slot);
}

static void take_attrs(struct csftp_remote *remote, struct remote_slot *slot,
		       const struct sftp_msg *msg)
{
	if (slot->first && slot->req)
		take_first(remote, slot, &msg->attr);
	else
		take_attr(remote, slot, msg);
}

static void take_handle(struct csftp_remote *remote, struct remote_slot *slot,
			const struct sftp_msg *msg)
{
	struct remote_handle *handle = &remote->handles[slot->handle];
	bool twin = remote_handle_call(remote, slot->handle, msg->handle);

	if (slot->req && !twin) {
		handle->state = RHANDLE_OPEN;
	} else {
		handle->state = RHANDLE_ORPHAN;
		remote->orphans++;
	}
	if (twin) {
		answer_wrong(remote, slot,
			     "handle of another file in the answer to");
		return;
	}
	remote_finish(remote, slot,
		      &(struct csftp_reply){
			      .fh = remote_handle_fh(remote, slot->handle)});
}

/* That there is no more is a STATUS (filexfer-02, 6.4), and nothing else is. */
static void take_data(struct csftp_remote *remote, struct remote_slot *slot,
		      const struct sftp_msg *msg)
{
	struct csftp_reply reply = {.data = {msg->data.ptr, msg->data.len},
				    .eof = msg->data.len == 0};

	if (msg->data.len > slot->len)
		answer_wrong(remote, slot, "more data than asked for by");
	else if (msg->data.len == 0 && slot->len > 0)
		answer_wrong(remote, slot, "no data in the answer to");
	else
		remote_finish(remote, slot, &reply);
}

/* READLINK, REALPATH and their like: exactly one name, without NUL. */
static void take_text(struct csftp_remote *remote, struct remote_slot *slot,
		      const struct sftp_msg *msg)
{
	struct wire_rd rd = {.next = msg->data.ptr, .left = msg->data.len};
	struct csftp_entry entry;

	sftp_entry_get(&rd, &entry);
	if (msg->num != 1 || rd.err != CSFTP_OK ||
	    entry.name.len > CSFTP_PATH_MAX ||
	    (entry.name.len > 0 && memchr(entry.name.ptr, 0, entry.name.len)))
		answer_wrong(remote, slot, "bad name in the answer to");
	else
		remote_finish(remote, slot,
			      &(struct csftp_reply){.text = entry.name});
}

static bool name_ok(const struct csftp_slice *name)
{
	return name->len > 0 && name->len <= CSFTP_NAME_MAX &&
	       !memchr(name->ptr, '/', name->len) &&
	       !memchr(name->ptr, '\0', name->len);
}

/*
 * Offers entries to the asker until it refuses one or they end; rd stays at
 * the first one that is left.  EIO where they do not decode.  entry() may give
 * the request up, or end the session: that is late_err, and ends it too.
 */
static int offer(struct csftp_remote *remote, struct remote_slot *slot,
		 struct wire_rd *rd)
{
	struct csftp_req *req = slot->req;

	slot->state = SLOT_OFFERING;
	while (rd->left > 0 && slot->late_err == 0) {
		struct wire_rd next = *rd;
		struct csftp_entry entry;

		sftp_entry_get(&next, &entry);
		if (next.err != CSFTP_OK)
			return EIO;
		if (!name_ok(&entry.name))
			remote_log(remote, "impossible file name ignored:",
				   entry.name.ptr, entry.name.len);
		else if (!req->entry(req, &entry))
			break;
		*rd = next;
	}
	return slot->late_err;
}

/* Keeps entries, before those that are kept already; false without memory. */
static bool keep_rest(struct remote_handle *handle, const uint8_t *rest,
		      size_t len)
{
	uint8_t *joined = malloc(len + handle->rest_len);

	if (!joined)
		return false;
	memcpy(joined, rest, len);
	if (handle->rest_len > 0)
		memcpy(joined + len, handle->rest, handle->rest_len);
	free(handle->rest);
	handle->rest = joined;
	handle->rest_len += len;
	return true;
}

/* Puts new entries behind those that an earlier READDIR left. */
static bool append_rest(struct remote_handle *handle, struct wire_bytes more)
{
	uint8_t *joined;

	if (more.len == 0)
		return true;
	joined = realloc(handle->rest, handle->rest_len + more.len);
	if (!joined)
		return false;
	memcpy(joined + handle->rest_len, more.ptr, more.len);
	handle->rest = joined;
	handle->rest_len += more.len;
	return true;
}

static struct remote_handle *readdir_handle(struct csftp_remote *remote,
					    const struct remote_slot *slot)
{
	struct remote_handle *handle = &remote->handles[slot->handle];

	return handle->generation == slot->handle_generation ? handle : NULL;
}

/* Older entries first; without a handle nobody can ask for the rest. */
static int offer_names(struct csftp_remote *remote, struct remote_slot *slot,
		       struct wire_bytes names)
{
	struct remote_handle *handle = readdir_handle(remote, slot);
	struct wire_rd rd = {.next = names.ptr, .left = names.len};
	uint8_t *older = NULL;
	int err;

	if (handle && handle->rest_len > 0) {
		if (!append_rest(handle, names))
			return ENOMEM;
		/* Off the handle: entry() may close it. */
		older = handle->rest;
		rd.next = older;
		rd.left = handle->rest_len;
		handle->rest = NULL;
		handle->rest_len = 0;
	}
	err = offer(remote, slot, &rd);
	handle = readdir_handle(remote, slot);
	if (err != EIO && handle && rd.left > 0 &&
	    !keep_rest(handle, rd.next, rd.left))
		err = ENOMEM;
	free(older);
	return err;
}

static void answer_names(struct csftp_remote *remote, struct remote_slot *slot,
			 struct wire_bytes names)
{
	int err = offer_names(remote, slot, names);

	if (err == EIO && slot->late_err == 0)
		answer_wrong(remote, slot, "bad name in the answer to");
	else
		remote_finish_err(remote, slot, err);
}

/* As many entries as there are said to be; false: there are fewer. */
static bool count_names(uint32_t count, struct wire_bytes *names)
{
	struct wire_rd rd = {.next = names->ptr, .left = names->len};
	struct csftp_entry entry;

	/* An entry has ten bytes at least, so this ends. */
	while (count > 0 && rd.err == CSFTP_OK) {
		sftp_entry_get(&rd, &entry);
		count--;
	}
	names->len -= rd.left;
	return rd.err == CSFTP_OK;
}

static void take_names(struct csftp_remote *remote, struct remote_slot *slot,
		       const struct sftp_msg *msg)
{
	struct wire_bytes names = msg->data;

	if (!slot->req)
		remote_finish_err(remote, slot, 0);
	else if (count_names(msg->num, &names))
		answer_names(remote, slot, names);
	else
		answer_wrong(remote, slot, "bad names in the answer to");
}

bool remote_offer_rest(struct csftp_remote *remote, struct remote_slot *slot)
{
	if (remote->handles[slot->handle].rest_len == 0)
		return false;
	slot->kind = SFTP_READDIR;
	answer_names(remote, slot, (struct wire_bytes){.len = 0});
	return true;
}

static void take_statfs(struct csftp_remote *remote, struct remote_slot *slot,
			const struct sftp_msg *msg)
{
	struct wire_rd rd = {.next = msg->data.ptr, .left = msg->data.len};
	struct csftp_statfs fs;

	sftp_statfs_get(&rd, &fs);
	if (rd.err != CSFTP_OK)
		answer_wrong(remote, slot, "bad answer to");
	else
		remote_finish(remote, slot,
			      &(struct csftp_reply){.statfs = &fs});
}

/* One of the two strings holds one string: the name, or nothing. */
static void take_idname(struct csftp_remote *remote, struct remote_slot *slot,
			const struct sftp_msg *msg)
{
	struct wire_rd rd = {.next = msg->data.ptr, .left = msg->data.len};
	struct wire_bytes users = wire_rd_string(&rd, SIZE_MAX);
	struct wire_bytes groups = wire_rd_string(&rd, SIZE_MAX);
	struct wire_bytes list = users.len > 0 ? users : groups;
	struct wire_rd in = {.next = list.ptr, .left = list.len};
	struct wire_bytes name = wire_rd_string(&in, CSFTP_NAME_MAX);
	struct csftp_reply reply = {.text = {name.ptr, name.len}};

	if (rd.err != CSFTP_OK || in.err != CSFTP_OK)
		answer_wrong(remote, slot, "bad answer to");
	else if (name.len == 0)
		remote_finish_err(remote, slot, ENOENT);
	else
		remote_finish(remote, slot, &reply);
}

/* What a kind is answered with beside STATUS; none: by STATUS alone. */
static const struct expected {
	enum sftp_kind kind;
	void (*take)(struct csftp_remote *remote, struct remote_slot *slot,
		     const struct sftp_msg *msg);
} expected[SFTP_KINDS] = {
	[SFTP_OPEN] = {SFTP_HANDLE, take_handle},
	[SFTP_OPENDIR] = {SFTP_HANDLE, take_handle},
	[SFTP_READ] = {SFTP_DATA, take_data},
	[SFTP_LSTAT] = {SFTP_ATTRS, take_attrs},
	[SFTP_STAT] = {SFTP_ATTRS, take_attrs},
	[SFTP_FSTAT] = {SFTP_ATTRS, take_attrs},
	[SFTP_READDIR] = {SFTP_NAME, take_names},
	[SFTP_REALPATH] = {SFTP_NAME, take_text},
	[SFTP_READLINK] = {SFTP_NAME, take_text},
	[SFTP_EXPAND_PATH] = {SFTP_NAME, take_text},
	[SFTP_HOME_DIRECTORY] = {SFTP_NAME, take_text},
	[SFTP_STATVFS] = {SFTP_EXTENDED_REPLY, take_statfs},
	[SFTP_FSTATVFS] = {SFTP_EXTENDED_REPLY, take_statfs},
	[SFTP_USERS_GROUPS_BY_ID] = {SFTP_EXTENDED_REPLY, take_idname},
};

static void drop_kept_handle(struct csftp_remote *remote,
			     const struct remote_slot *slot)
{
	if (slot->kind == SFTP_OPEN || slot->kind == SFTP_OPENDIR)
		remote_handle_drop(remote, slot->handle);
}

static void take_eof(struct csftp_remote *remote, struct remote_slot *slot)
{
	struct remote_handle *handle = NULL;
	struct csftp_reply reply = {.eof = true};

	if (slot->kind == SFTP_READDIR && slot->req) {
		handle = readdir_handle(remote, slot);
		reply.err = offer_names(remote, slot, (struct wire_bytes){0});
	}
	reply.eof = !handle || handle->rest_len == 0;
	remote_finish(remote, slot, &reply);
}

static void take_status(struct csftp_remote *remote, struct remote_slot *slot,
			const struct sftp_msg *msg)
{
	bool ends = slot->kind == SFTP_READ || slot->kind == SFTP_READDIR;

	if (msg->num == SSH_FX_EOF && ends) {
		take_eof(remote, slot);
		return;
	}
	drop_kept_handle(remote, slot);
	if (msg->num == SSH_FX_OK && expected[slot->kind].take)
		answer_wrong(remote, slot, "success without an answer to");
	else if (msg->num == SSH_FX_OK && slot->first && slot->req)
		take_step(remote, slot);
	else if (msg->num == SSH_FX_OK && slot->kind == SFTP_COPY_DATA)
		remote_finish(remote, slot,
			      &(struct csftp_reply){.count = slot->len});
	else
		remote_finish_err(remote, slot,
				  sftp_errno_from_status(msg->num,
							 msg->path.ptr,
							 msg->path.len));
}

void remote_answer(struct csftp_remote *remote, struct remote_slot *slot,
		   const struct sftp_msg *msg)
{
	const struct expected *want = &expected[slot->kind];

	if (msg->kind == SFTP_STATUS) {
		take_status(remote, slot, msg);
	} else if (want->take && msg->kind == want->kind) {
		want->take(remote, slot, msg);
	} else {
		drop_kept_handle(remote, slot);
		answer_wrong(remote, slot, "answer of the wrong kind to");
	}
}
