#include "tests/lib/tap.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct tap *tap_of(struct csftp_fs *fs)
{
	return (struct tap *)fs;
}

static void hold(struct tap *tap, struct csftp_req *req)
{
	struct csftp_req **at = &tap->held;

	while (*at)
		at = &(*at)->next;
	req->next = NULL;
	*at = req;
	tap->held_count++;
	if (tap->held_count > tap->held_most)
		tap->held_most = tap->held_count;
}

static void pass(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	tap->count[req->op]++;
	if (req->op != CSFTP_OP_SETATTR && req->attr &&
	    (req->attr->mask & CSFTP_ATTR_UID)) {
		tap->owned++;
		tap->owner_uid = req->attr->uid;
		tap->owner_gid = req->attr->gid;
	}
	csftp_submit(tap->below, req);
}

static bool ends_in(const char *path, const char *end)
{
	size_t len = path ? strlen(path) : 0;

	return len >= strlen(end) && !strcmp(path + len - strlen(end), end);
}

/* "never" is not answered before the test ends. */
static void tap_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	if (ends_in(req->path, "never")) {
		hold(tap, req);
	} else if (tap->hold_rename && ends_in(req->path, "/d/x")) {
		/* Asked by the old name, executed behind the rename. */
		tap->hold_rename = false;
		hold(tap, req);
		tap_release(tap);
	} else {
		pass(fs, req);
	}
}

static void tap_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	if (tap_of(fs)->hold_rename)
		hold(tap_of(fs), req);
	else
		pass(fs, req);
}

/* A request of the tap's own; what is passed on is changed on the way back. */
struct own {
	struct csftp_req req;
	struct csftp_req *outer;
	struct tap *tap;
	bool was_end; /* READ: the file ended there */
	bool (*entry)(struct csftp_req *req, const struct csftp_entry *entry);
};

static void own_open_done(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct own *own = (struct own *)req;

	if (!reply->err)
		own->tap->handles++;
	csftp_reply(own->outer, reply);
}

struct look {
	struct csftp_req req; /* first */
	uint32_t mode;
};

static void looked(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct look *)req)->mode = reply->attr ? reply->attr->mode : 0777U;
}

/* memfs would let everybody do so. */
static bool may_write(struct tap *tap, const char *path)
{
	struct look look = {
		.req = {.op = CSFTP_OP_GETATTR, .path = path, .done = looked}};

	csftp_submit(tap->below, &look.req);
	return (look.mode & 0200U) != 0;
}

static void tap_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct own own = {.req = *req, .outer = req, .tap = tap_of(fs)};

	if (ends_in(req->path, "never-open")) {
		hold(tap_of(fs), req);
		return;
	}
	if (tap_of(fs)->open_fails > 0 && req->op == CSFTP_OP_OPEN &&
	    !(req->flags & CSFTP_OPEN_CREAT)) {
		tap_of(fs)->open_fails--;
		csftp_reply_err(req, EIO);
		return;
	}
	if (!(req->flags & CSFTP_OPEN_CREAT) &&
	    (req->flags & CSFTP_OPEN_WRITE) &&
	    !may_write(tap_of(fs), req->path)) {
		csftp_reply_err(req, EACCES);
		return;
	}
	own.req.done = own_open_done;
	pass(fs, &own.req);
}

static void own_close_done(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct own *own = (struct own *)req;
	int err = own->tap->close_err ? own->tap->close_err : reply->err;

	own->tap->handles--;
	csftp_reply_err(own->outer, err);
}

static void tap_close(struct csftp_fs *fs, struct csftp_req *req)
{
	struct own own = {.req = *req, .outer = req, .tap = tap_of(fs)};

	own.req.done = own_close_done;
	pass(fs, &own.req);
}

static void own_read_done(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct own *own = (struct own *)req;
	struct csftp_reply cut = *reply;

	if (own->was_end)
		cut.eof = true;
	else if (own->req.len < own->outer->len)
		cut.eof = cut.eof && cut.data.len < own->req.len;
	csftp_reply(own->outer, &cut);
}

static void read_below(struct tap *tap, struct csftp_req *req)
{
	struct own own = {.req = *req, .outer = req, .tap = tap};

	if (tap->read_part && own.req.len > tap->read_part)
		own.req.len = tap->read_part;
	own.was_end =
		tap->was_size > req->off && tap->was_size < req->off + req->len;
	if (own.was_end) {
		own.req.len = tap->was_size - req->off;
		tap->was_size = 0;
	}
	own.req.done = own_read_done;
	pass(&tap->fs, &own.req);
}

void tap_release(struct tap *tap)
{
	struct csftp_req *req = tap->held;

	tap->held = NULL;
	tap->held_count = 0;
	while (req) {
		struct csftp_req *next = req->next;

		if (req->op == CSFTP_OP_READ)
			read_below(tap, req);
		else
			csftp_submit(tap->below, req);
		req = next;
	}
}

static void tap_read(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	if (!tap->hold_reads) {
		read_below(tap, req);
		return;
	}
	hold(tap, req);
	if (tap->held_count >= tap->release_at)
		tap_release(tap);
}

static void tap_write(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	if (fs->max_write && req->len > fs->max_write)
		csftp_reply_err(req, EINVAL);
	else if (tap->write_err)
		csftp_reply_err(req, tap->write_err);
	else if (tap->write_fails > 0 && tap->write_fails--)
		csftp_reply_err(req, EIO);
	else
		pass(fs, req);
}

/* What takes two requests of version 3: the other one is asked for first. */
static bool is_half(const struct csftp_attr *set)
{
	return !(set->mask & CSFTP_ATTR_UID) != !(set->mask & CSFTP_ATTR_GID) ||
	       !(set->mask & CSFTP_ATTR_ATIME) !=
		       !(set->mask & CSFTP_ATTR_MTIME);
}

static void tap_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	if (tap->hold_halves && is_half(req->attr))
		hold(tap, req);
	else if (tap->no_sizes && (req->attr->mask & CSFTP_ATTR_SIZE))
		csftp_reply_err(req, 0);
	else if (!tap->setattr_err || tap->count[req->op] < tap->setattrs)
		pass(fs, req);
	else {
		tap->count[req->op]++;
		csftp_reply_err(req, tap->setattr_err);
	}
}

static void tap_fsync(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);

	if (tap->fsync_err)
		csftp_reply_err(req, tap->fsync_err);
	else
		pass(fs, req);
}

static bool own_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct own *own = (struct own *)req;
	struct csftp_entry bare = *entry;

	if (own->tap->no_attr)
		bare.attr = (struct csftp_attr){0};
	return own->outer->entry(own->outer, &bare);
}

static void own_readdir_done(struct csftp_req *req,
			     const struct csftp_reply *reply)
{
	csftp_reply(((struct own *)req)->outer, reply);
}

static void send_bad_names(struct csftp_req *req)
{
	static const char *const bad[] = {"",	 "a/b", "../x", "/etc/passwd",
					  "a/.", "/",	"..",	"."};
	char longer[CSFTP_NAME_MAX + 1];
	struct csftp_entry entry = {
		.attr = {.mask = CSFTP_ATTR_MODE, .mode = S_IFREG | 0644U},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		entry.name.ptr = bad[i];
		entry.name.len = strlen(bad[i]);
		req->entry(req, &entry);
	}
	memset(longer, 'l', sizeof(longer));
	entry.name = (struct csftp_slice){longer, sizeof(longer)};
	req->entry(req, &entry);
	entry.name = (struct csftp_slice){"nul\0nul", 7};
	req->entry(req, &entry);
}

static void tap_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct tap *tap = tap_of(fs);
	struct own own = {.req = *req, .outer = req, .tap = tap};

	if (tap->no_end) {
		csftp_reply_err(req, 0);
		return;
	}
	if (tap->bad_names)
		send_bad_names(req);
	own.req.done = own_readdir_done;
	own.req.entry = own_entry;
	pass(fs, &own.req);
}

static void tap_statfs(struct csftp_fs *fs, struct csftp_req *req)
{
	if (tap_of(fs)->no_statfs)
		csftp_reply_err(req, EOPNOTSUPP);
	else
		pass(fs, req);
}

/* Notes it, and does nothing: the worst that a server can do. */
static void tap_cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)req;
	tap_of(fs)->cancelled++;
}

static const struct csftp_fs_ops tap_ops = {
	.op =
		{
			[CSFTP_OP_GETATTR] = tap_getattr,
			[CSFTP_OP_SETATTR] = tap_setattr,
			[CSFTP_OP_READLINK] = pass,
			[CSFTP_OP_REALPATH] = pass,
			[CSFTP_OP_MKDIR] = pass,
			[CSFTP_OP_RMDIR] = pass,
			[CSFTP_OP_UNLINK] = pass,
			[CSFTP_OP_SYMLINK] = pass,
			[CSFTP_OP_LINK] = pass,
			[CSFTP_OP_RENAME] = tap_rename,
			[CSFTP_OP_OPEN] = tap_open,
			[CSFTP_OP_READ] = tap_read,
			[CSFTP_OP_WRITE] = tap_write,
			[CSFTP_OP_FSYNC] = tap_fsync,
			[CSFTP_OP_CLOSE] = tap_close,
			[CSFTP_OP_OPENDIR] = tap_open,
			[CSFTP_OP_READDIR] = tap_readdir,
			[CSFTP_OP_STATFS] = tap_statfs,
			[CSFTP_OP_COPY_RANGE] = pass,
		},
	.cancel = tap_cancel,
};

void tap_init(struct tap *tap, struct csftp_fs *below)
{
	*tap = (struct tap){
		.fs = {.ops = &tap_ops},
		.below = below,
		.release_at = UINT32_MAX,
	};
}
