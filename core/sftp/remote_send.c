#include "core/sftp/remote.h"

#include <errno.h>
#include <string.h>

#define ANY_ATIME (CSFTP_ATTR_ATIME | CSFTP_ATTR_ATIME_NOW)
#define ANY_MTIME (CSFTP_ATTR_MTIME | CSFTP_ATTR_MTIME_NOW)

bool remote_has_room(const struct csftp_remote *remote)
{
	return remote->state == REMOTE_READY &&
	       link_free_segs(&remote->link) > CSFTP_PARTS_MAX &&
	       link_room(&remote->link) >= REMOTE_REQUEST_MAX;
}

bool remote_can_send(const struct csftp_remote *remote)
{
	return remote->free_slot != remote->config.slots &&
	       remote_has_room(remote);
}

void remote_trace(const struct csftp_remote *remote, enum sftp_way way,
		  const uint8_t *body, size_t len, size_t whole)
{
	char line[SFTP_TRACE_MAX];

	if (!remote->config.trace)
		return;
	sftp_trace(line, way, body, len, whole);
	remote->config.trace(remote->config.arg, line);
}

void remote_put(struct csftp_remote *remote, const struct wire_wr *wr)
{
	remote_trace(remote, SFTP_SENT, wr->base + 4, wr->len - 4,
		     wire_get_u32(wr->base));
	link_put(&remote->link, wr);
}

static void tell_sent(struct csftp_remote *remote,
		      const struct remote_slot *slot,
		      const struct sftp_msg *msg)
{
	uint64_t bytes = 0;

	if (!remote->config.sent)
		return;
	if (msg->kind == SFTP_READ)
		bytes = msg->len;
	else if (msg->kind == SFTP_WRITE)
		bytes = msg->data.len;
	remote->config.sent(remote->config.arg,
			    (uint32_t)(slot - remote->slots),
			    (unsigned)msg->kind, bytes);
}

/* The head of a WRITE, and its payload from where it lies. */
static void put_write(struct csftp_remote *remote, struct remote_slot *slot,
		      const struct wire_wr *wr)
{
	const struct csftp_req *req = slot->req;
	struct csftp_slice whole = {req->data, req->len};
	const struct csftp_slice *parts = req->parts ? req->parts : &whole;
	uint32_t count = req->parts ? req->part_count : 1;
	uint32_t tag = (uint32_t)(slot - remote->slots);

	slot->state = SLOT_SENDING;
	slot->payload = req->len;
	remote->unsent += req->len;
	remote_trace(remote, SFTP_SENT, wr->base + 4, wr->len - 4,
		     wire_get_u32(wr->base));
	link_put_extra(&remote->link, wr, parts[0].ptr, parts[0].len,
		       count > 1 ? REMOTE_NO_TAG : tag);
	for (uint32_t i = 1; i < count; i++)
		link_put_more(&remote->link, parts[i].ptr, parts[i].len,
			      i + 1 < count ? REMOTE_NO_TAG : tag);
}

static void remote_send_msg(struct csftp_remote *remote,
			    struct remote_slot *slot, struct sftp_msg *msg)
{
	struct wire_wr wr = link_writer(&remote->link, REMOTE_REQUEST_MAX);

	msg->id = remote_slot_id(remote, slot);
	sftp_msg_encode(&wr, msg);
	if (wire_wr_end(&wr) != CSFTP_OK) {
		remote_finish_err(remote, slot, ENAMETOOLONG);
		return;
	}
	slot->kind = msg->kind;
	slot->state = SLOT_SENT;
	tell_sent(remote, slot, msg);
	if (msg->kind != SFTP_WRITE || msg->data.len == 0)
		remote_put(remote, &wr);
	else
		put_write(remote, slot, &wr);
}

static bool has(const struct csftp_remote *remote, uint32_t extension)
{
	return remote->extensions & extension;
}

static struct wire_bytes path_bytes(const char *path)
{
	return (struct wire_bytes){(const uint8_t *)path, strlen(path)};
}

/* What a request becomes.  say_* return 0 or the errno that answers it. */
struct say {
	struct csftp_remote *remote;
	struct remote_slot *slot;
	const struct csftp_req *req;
	struct sftp_msg msg;
	uint8_t id[4]; /* users-groups-by-id: the one asked for */
};

static int say_handle(struct say *say, csftp_fh fh, struct wire_bytes *out)
{
	const struct remote_handle *handle;

	if (!remote_handle_find(say->remote, fh, &say->slot->handle))
		return EBADF;
	handle = &say->remote->handles[say->slot->handle];
	*out = (struct wire_bytes){handle->bytes, handle->len};
	return 0;
}

/*
 * The start directory is called ".": filexfer-02, 6.2 allows the empty name for
 * it, too, but OpenSSH's server looks for a file of that name.
 */
static int say_paths(struct say *say)
{
	if (say->req->path)
		say->msg.path =
			path_bytes(*say->req->path ? say->req->path : ".");
	if (say->req->path2)
		say->msg.path2 = path_bytes(say->req->path2);
	if (say->msg.path.len > CSFTP_PATH_MAX ||
	    say->msg.path2.len > CSFTP_PATH_MAX)
		return ENAMETOOLONG;
	return 0;
}

/* The operations with a path, or with a handle where the path is NULL. */
static int say_path_or_fh(struct say *say, enum sftp_kind by_path,
			  enum sftp_kind by_fh)
{
	say->msg.kind = say->req->path ? by_path : by_fh;
	if (say->req->path)
		return say_paths(say);
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_getattr(struct say *say)
{
	bool nofollow = say->req->flags & CSFTP_NOFOLLOW;

	return say_path_or_fh(say, nofollow ? SFTP_LSTAT : SFTP_STAT,
			      SFTP_FSTAT);
}

/* Version 3 sends owner and group, and both times, in pairs only. */
static bool half_a_pair(uint32_t mask)
{
	return !(mask & CSFTP_ATTR_UID) != !(mask & CSFTP_ATTR_GID) ||
	       !(mask & ANY_ATIME) != !(mask & ANY_MTIME);
}

void remote_complete(struct csftp_attr *set, const struct csftp_attr *have)
{
	if (set->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID)) {
		if (!(set->mask & CSFTP_ATTR_UID))
			set->uid = have->uid;
		if (!(set->mask & CSFTP_ATTR_GID))
			set->gid = have->gid;
		set->mask |= CSFTP_ATTR_UID | CSFTP_ATTR_GID;
	}
	if (set->mask & (ANY_ATIME | ANY_MTIME)) {
		if (!(set->mask & ANY_ATIME))
			set->atime = have->atime;
		if (!(set->mask & ANY_MTIME))
			set->mtime = have->mtime;
		set->mask |= CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
	}
}

static int say_set(struct say *say, uint32_t mask)
{
	bool nofollow = say->req->path && say->req->flags & CSFTP_NOFOLLOW;

	if (nofollow && !has(say->remote, CSFTP_EXT_LSETSTAT))
		return EOPNOTSUPP;
	say->msg.attr = say->slot->attr;
	say->msg.attr.mask = mask;
	return say_path_or_fh(say, nofollow ? SFTP_LSETSTAT : SFTP_SETSTAT,
			      SFTP_FSETSTAT);
}

/*
 * In up to three requests: the size, as what it does to the times must not be
 * undone; what the file has, if half of a pair is wanted; and all the rest.
 */
static int say_setattr(struct say *say)
{
	struct csftp_attr *left = &say->slot->attr;

	if (!half_a_pair(left->mask)) {
		/* Nothing is missing; "now" becomes the asker's clock. */
		remote_complete(left, left);
		say->slot->first = false;
		return say_set(say, left->mask);
	}
	say->slot->first = true;
	if (!(left->mask & CSFTP_ATTR_SIZE))
		return say_getattr(say);
	left->mask &= ~CSFTP_ATTR_SIZE;
	return say_set(say, CSFTP_ATTR_SIZE);
}

static int say_one_path(struct say *say, enum sftp_kind kind)
{
	say->msg.kind = kind;
	return say_paths(say);
}

static int say_readlink(struct say *say)
{
	return say_one_path(say, SFTP_READLINK);
}

/* Without the extension a start directory is taken for the home. */
static int say_realpath(struct say *say)
{
	const char *path = say->req->path;

	if (!(say->req->flags & CSFTP_EXPAND) || path[0] != '~')
		return say_one_path(say, SFTP_REALPATH);
	if (has(say->remote, CSFTP_EXT_EXPAND_PATH))
		return say_one_path(say, SFTP_EXPAND_PATH);
	if (path[1] != '\0' && path[1] != '/')
		return EOPNOTSUPP;
	say->msg.kind = SFTP_REALPATH;
	/* "~//etc" is below the home too. */
	path += 1 + strspn(path + 1, "/");
	say->msg.path = path_bytes(*path ? path : ".");
	return say->msg.path.len > CSFTP_PATH_MAX ? ENAMETOOLONG : 0;
}

static void take_mode(struct say *say)
{
	const struct csftp_attr *attr = say->req->attr;

	if (!attr || !(attr->mask & CSFTP_ATTR_MODE))
		return;
	say->msg.attr.mask = CSFTP_ATTR_MODE;
	say->msg.attr.mode = attr->mode & 07777;
}

static int say_mkdir(struct say *say)
{
	take_mode(say);
	return say_one_path(say, SFTP_MKDIR);
}

static int say_rmdir(struct say *say)
{
	return say_one_path(say, SFTP_RMDIR);
}

static int say_unlink(struct say *say)
{
	return say_one_path(say, SFTP_REMOVE);
}

static int say_symlink(struct say *say)
{
	int err = say_one_path(say, SFTP_SYMLINK);
	struct wire_bytes path = say->msg.path;

	if (say->req->flags & CSFTP_BY_DRAFT) {
		say->msg.path = say->msg.path2;
		say->msg.path2 = path;
	}
	return err;
}

static int say_link(struct say *say)
{
	if (!has(say->remote, CSFTP_EXT_HARDLINK))
		return EOPNOTSUPP;
	return say_one_path(say, SFTP_HARDLINK);
}

static int say_rename(struct say *say)
{
	bool replace = say->req->flags & CSFTP_REPLACE &&
		       has(say->remote, CSFTP_EXT_POSIX_RENAME);

	return say_one_path(say, replace ? SFTP_POSIX_RENAME : SFTP_RENAME);
}

static int say_open(struct say *say)
{
	if (!remote_handle_keep(say->remote, &say->slot->handle))
		return EMFILE;
	/* Servers differ in what neither of them means. */
	if (say->req->op == CSFTP_OP_OPEN &&
	    !(say->req->flags & (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)))
		return EINVAL;
	take_mode(say);
	say->msg.num = say->req->flags;
	say->msg.kind =
		say->req->op == CSFTP_OP_OPENDIR ? SFTP_OPENDIR : SFTP_OPEN;
	return say_paths(say);
}

static int say_read(struct say *say)
{
	uint64_t max = say->remote->fs.max_read;

	say->msg.kind = SFTP_READ;
	say->msg.off = say->req->off;
	say->msg.len = say->req->len < max ? say->req->len : max;
	say->slot->len = say->msg.len;
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_write(struct say *say)
{
	say->msg.kind = SFTP_WRITE;
	say->msg.off = say->req->off;
	say->msg.data.len = say->req->len;
	if (say->req->len > say->remote->fs.max_write ||
	    say->req->part_count > CSFTP_PARTS_MAX)
		return EINVAL;
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_fsync(struct say *say)
{
	if (!has(say->remote, CSFTP_EXT_FSYNC))
		return EOPNOTSUPP;
	say->msg.kind = SFTP_FSYNC;
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_close(struct say *say)
{
	say->msg.kind = SFTP_CLOSE;
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_readdir(struct say *say)
{
	int err = say_handle(say, say->req->fh, &say->msg.handle);

	say->msg.kind = SFTP_READDIR;
	if (err == 0)
		say->slot->handle_generation =
			say->remote->handles[say->slot->handle].generation;
	return err;
}

static int say_statfs(struct say *say)
{
	if (!has(say->remote,
		 say->req->path ? CSFTP_EXT_STATVFS : CSFTP_EXT_FSTATVFS))
		return EOPNOTSUPP;
	return say_path_or_fh(say, SFTP_STATVFS, SFTP_FSTATVFS);
}

/* The answer does not say how much was copied, so the size is asked first. */
static int say_copy_range(struct say *say)
{
	if (!has(say->remote, CSFTP_EXT_COPY_DATA))
		return EOPNOTSUPP;
	say->slot->first = true;
	say->msg.kind = SFTP_FSTAT;
	return say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_copy_data(struct say *say)
{
	int err = say_handle(say, say->req->fh2, &say->msg.handle2);

	say->slot->first = false;
	say->msg.kind = SFTP_COPY_DATA;
	say->msg.off = say->req->off;
	say->msg.off2 = say->req->off2;
	say->msg.len = say->slot->len;
	return err ? err : say_handle(say, say->req->fh, &say->msg.handle);
}

static int say_homedir(struct say *say)
{
	if (has(say->remote, CSFTP_EXT_HOME_DIR)) {
		say->msg.kind = SFTP_HOME_DIRECTORY;
		say->msg.path = path_bytes(say->req->path);
		return say->msg.path.len > CSFTP_PATH_MAX ? ENAMETOOLONG : 0;
	}
	if (say->req->path[0] != '\0')
		return EOPNOTSUPP;
	say->msg.kind = SFTP_REALPATH;
	say->msg.path = path_bytes(".");
	return 0;
}

static int say_idname(struct say *say)
{
	static const uint8_t none[1];
	bool user = say->req->flags & CSFTP_ID_USER;
	struct wire_bytes id;

	if (!has(say->remote, CSFTP_EXT_IDNAMES))
		return EOPNOTSUPP;
	wire_put_u32(say->id, (uint32_t)say->req->off);
	id = (struct wire_bytes){say->id, 4};
	say->msg.kind = SFTP_USERS_GROUPS_BY_ID;
	say->msg.data = user ? id : (struct wire_bytes){none, 0};
	say->msg.data2 = user ? (struct wire_bytes){none, 0} : id;
	return 0;
}

static int (*const say_op[CSFTP_OP_COUNT])(struct say *say) = {
	[CSFTP_OP_GETATTR] = say_getattr,
	[CSFTP_OP_SETATTR] = say_setattr,
	[CSFTP_OP_READLINK] = say_readlink,
	[CSFTP_OP_REALPATH] = say_realpath,
	[CSFTP_OP_MKDIR] = say_mkdir,
	[CSFTP_OP_RMDIR] = say_rmdir,
	[CSFTP_OP_UNLINK] = say_unlink,
	[CSFTP_OP_SYMLINK] = say_symlink,
	[CSFTP_OP_LINK] = say_link,
	[CSFTP_OP_RENAME] = say_rename,
	[CSFTP_OP_OPEN] = say_open,
	[CSFTP_OP_READ] = say_read,
	[CSFTP_OP_WRITE] = say_write,
	[CSFTP_OP_FSYNC] = say_fsync,
	[CSFTP_OP_CLOSE] = say_close,
	[CSFTP_OP_OPENDIR] = say_open,
	[CSFTP_OP_READDIR] = say_readdir,
	[CSFTP_OP_STATFS] = say_statfs,
	[CSFTP_OP_COPY_RANGE] = say_copy_range,
	[CSFTP_OP_HOMEDIR] = say_homedir,
	[CSFTP_OP_IDNAME] = say_idname,
};

bool remote_can_say(enum csftp_op op)
{
	return say_op[op];
}

static void send_said(struct say *say, int err)
{
	bool opening = say->req->op == CSFTP_OP_OPEN ||
		       say->req->op == CSFTP_OP_OPENDIR;

	if (err != 0) {
		if (opening && err != EMFILE)
			remote_handle_drop(say->remote, say->slot->handle);
		remote_finish_err(say->remote, say->slot, err);
		return;
	}
	remote_send_msg(say->remote, say->slot, &say->msg);
	/* Nothing can be asked of it any more, so it can be used again. */
	if (say->msg.kind == SFTP_CLOSE)
		remote_handle_drop(say->remote, say->slot->handle);
}

void remote_send(struct csftp_remote *remote, struct csftp_req *req)
{
	struct say say = {.remote = remote, .req = req};
	int err;

	say.slot = remote_slot_take(remote, req);
	if (req->op == CSFTP_OP_SETATTR)
		say.slot->attr = *req->attr;
	err = say_op[req->op](&say);
	if (err == 0 && req->op == CSFTP_OP_READDIR &&
	    remote_offer_rest(remote, say.slot))
		return;
	send_said(&say, err);
}

void remote_send_second(struct csftp_remote *remote, struct remote_slot *slot)
{
	struct say say = {.remote = remote, .slot = slot, .req = slot->req};
	bool copying = slot->req->op == CSFTP_OP_COPY_RANGE;

	send_said(&say, copying ? say_copy_data(&say) : say_setattr(&say));
}

void remote_send_close(struct csftp_remote *remote, uint32_t handle)
{
	struct remote_slot *slot = remote_slot_take(remote, NULL);
	const struct remote_handle *from = &remote->handles[handle];
	struct sftp_msg msg = {.kind = SFTP_CLOSE,
			       .handle = {from->bytes, from->len}};

	remote_send_msg(remote, slot, &msg);
	remote_handle_drop(remote, handle);
}
