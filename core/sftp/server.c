#include "core/sftp/server.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Whether a request can change files; what OPEN does, its flags say. */
enum effect { READS, WRITES };

/*
 * What a kind of request asks of the file system, and who answers.  A row
 * without an answer is a kind that clients do not send.
 */
struct handler {
	const char *name; /* as "sftp-server -Q requests" says it */
	enum effect effect;
	enum csftp_op op;
	uint32_t flags;
	size_t room; /* the longest answer, in bytes */
	void (*answer)(struct serve_slot *slot,
		       const struct csftp_reply *reply);
	/* What the fields do not say; false once it has answered.  Or NULL. */
	bool (*begin)(struct serve_slot *slot, const struct sftp_msg *msg);
};

static const struct handler handlers[SFTP_KINDS];

static size_t answer_max(const struct sftp_msg *msg)
{
	if (msg->kind == SFTP_READ && msg->len < CSFTP_SERVE_DATA_MAX)
		return SERVE_REPLY_MAX + msg->len;
	return handlers[msg->kind].answer ? handlers[msg->kind].room
					  : SERVE_REPLY_MAX;
}

static bool has_slot(const struct csftp_serve *serve)
{
	return serve->free_slot || serve->fresh_slot < SERVE_SLOTS;
}

static struct serve_slot *slot_take(struct csftp_serve *serve,
				    const struct sftp_msg *msg)
{
	struct serve_slot *slot = serve->free_slot;

	if (slot) {
		serve->free_slot = slot->next_free;
	} else {
		slot = &serve->slots[serve->fresh_slot++];
		*slot = (struct serve_slot){.serve = serve};
	}
	serve->pending++;
	slot->id = msg->id;
	slot->kind = msg->kind;
	slot->answer_max = answer_max(msg);
	slot->answered = false;
	slot->again = false;
	slot->kept = false;
	slot->holds_scratch = false;
	slot->pinned = false;
	slot->reserved = 0;
	return slot;
}

void serve_slot_end(struct serve_slot *slot)
{
	struct csftp_serve *serve = slot->serve;

	serve_slot_unpin(slot);
	if (slot->holds_scratch)
		serve->scratch_taken = false;
	serve->reserved -= slot->reserved;
	slot->answered = true;
	slot->next_free = serve->free_slot;
	serve->free_slot = slot;
	serve->pending--;
}

void serve_slot_keep(struct serve_slot *slot)
{
	struct csftp_serve *serve = slot->serve;

	if (slot->kept)
		return;
	slot->kept = true;
	slot->pinned = true;
	serve->link.pins++;
	slot->reserved = slot->answer_max;
	serve->reserved += slot->reserved;
	if (handlers[slot->kind].room == SERVE_NAMES_MAX &&
	    !serve_prompt(serve)) {
		slot->holds_scratch = true;
		serve->scratch_taken = true;
	}
}

void serve_slot_unpin(struct serve_slot *slot)
{
	if (slot->pinned)
		slot->serve->link.pins--;
	slot->pinned = false;
}

/* Submits, again and again while the answer asks for it, without recursion. */
static void serve_slot_submit(struct serve_slot *slot)
{
	struct csftp_serve *serve = slot->serve;

	if (!serve_prompt(serve))
		serve_slot_keep(slot);
	do {
		slot->again = false;
		slot->inside = true;
		csftp_submit(serve->config.fs, &slot->req);
		slot->inside = false;
	} while (slot->again && !slot->answered);
	if (!slot->answered)
		serve_slot_keep(slot);
}

static void close_next(struct csftp_serve *serve);

static void request_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct serve_slot *slot = (struct serve_slot *)req;
	struct csftp_serve *serve = slot->serve;
	bool inside = slot->inside;

	handlers[slot->kind].answer(slot, reply);
	if (inside)
		return;
	if (slot->again)
		serve_slot_submit(slot);
	if (serve->closing)
		close_next(serve);
	else
		link_run(&serve->link);
}

/*
 * Makes a field of the packet a C string where it stands: one byte to the left,
 * over the last byte of its length, which has been read.
 */
static const char *c_string(uint8_t *body, struct wire_bytes bytes)
{
	uint8_t *text = body + (bytes.ptr - body) - 1;

	memmove(text, bytes.ptr, bytes.len);
	text[bytes.len] = '\0';
	return (const char *)text;
}

/* 0, or the errno that excludes a path before the file system sees it. */
static int path_fault(struct wire_bytes path)
{
	if (!path.ptr)
		return 0;
	if (memchr(path.ptr, '\0', path.len))
		return EINVAL;
	return path.len > CSFTP_PATH_MAX ? ENAMETOOLONG : 0;
}

static bool take_handle(struct serve_slot *slot, struct wire_bytes name,
			csftp_fh *fh)
{
	struct csftp_serve *serve = slot->serve;
	uint32_t index;

	if (!name.ptr)
		return true;
	if (!serve_handle_find(serve, name, &index))
		return false;
	*fh = serve->handles[index].fh;
	if (slot->kind == SFTP_CLOSE)
		serve_handle_drop(serve, index);
	return true;
}

/* The request as the file API says it; false once it has been answered. */
static bool fill(struct serve_slot *slot, uint8_t *body,
		 const struct sftp_msg *msg)
{
	const struct handler *handler = &handlers[msg->kind];
	struct csftp_req *req = &slot->req;
	int fault = path_fault(msg->path);

	if (fault == 0)
		fault = path_fault(msg->path2);
	if (fault != 0) {
		serve_errno(slot, fault);
		return false;
	}
	*req = (struct csftp_req){
		.op = handler->op,
		.flags = handler->flags,
		.done = request_done,
		.off = msg->off,
		.off2 = msg->off2,
		.len = msg->len,
		.attr = &slot->attr,
	};
	slot->attr = msg->attr;
	if (!take_handle(slot, msg->handle, &req->fh) ||
	    !take_handle(slot, msg->handle2, &req->fh2)) {
		/* As OpenSSH's server has it. */
		if (msg->kind == SFTP_CLOSE || msg->kind == SFTP_FSYNC)
			serve_errno(slot, EBADF);
		else
			serve_status(slot, SSH_FX_FAILURE, "Invalid handle");
		return false;
	}
	if (msg->path.ptr)
		req->path = c_string(body, msg->path);
	if (msg->path2.ptr)
		req->path2 = c_string(body, msg->path2);
	return true;
}

/* Neither to read nor to write is to read, as OpenSSH's server has it. */
static bool begin_open(struct serve_slot *slot, const struct sftp_msg *msg)
{
	slot->req.flags = msg->num;
	if (msg->kind == SFTP_OPEN &&
	    !(msg->num & (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)))
		slot->req.flags |= CSFTP_OPEN_READ;
	if (serve_handle_keep(slot->serve, &slot->handle))
		return true;
	serve_errno(slot, EMFILE);
	return false;
}

static bool wants_pipe(const struct csftp_serve *serve,
		       const struct sftp_msg *msg)
{
	return serve->pipe && serve_inline(serve) && msg->kind == SFTP_READ &&
	       msg->len >= SERVE_PIPE_MIN;
}

static bool begin_read(struct serve_slot *slot, const struct sftp_msg *msg)
{
	struct wire_wr wr;

	if (wants_pipe(slot->serve, msg))
		slot->req.pipe = slot->serve->pipe;
	if (slot->req.len > CSFTP_SERVE_DATA_MAX)
		slot->req.len = CSFTP_SERVE_DATA_MAX;
	if (!serve_prompt(slot->serve))
		return true;
	wr = serve_writer(slot, SERVE_DATA_HEAD + slot->req.len);
	slot->req.into = wr.base + SERVE_DATA_HEAD;
	return true;
}

static bool begin_write(struct serve_slot *slot, const struct sftp_msg *msg)
{
	slot->req.data = msg->data.ptr;
	slot->req.len = msg->data.len;
	return true;
}

static bool begin_readdir(struct serve_slot *slot, const struct sftp_msg *msg)
{
	(void)msg;
	slot->req.entry = serve_names_entry;
	serve_names_begin(slot);
	return true;
}

static bool begin_limits(struct serve_slot *slot, const struct sftp_msg *msg)
{
	(void)msg;
	serve_limits(slot);
	return false;
}

/* Who the client is makes no difference here. */
static bool begin_vendor(struct serve_slot *slot, const struct sftp_msg *msg)
{
	(void)msg;
	serve_errno(slot, 0);
	return false;
}

#define STATUS SERVE_REPLY_MAX, serve_status_reply
#define ATTRS  SERVE_REPLY_MAX, serve_attr_reply
#define HANDLE SERVE_REPLY_MAX, serve_handle_reply
#define TEXT   SERVE_REPLY_MAX, serve_text_reply
#define STATFS SERVE_REPLY_MAX, serve_statfs_reply
#define DATA   SERVE_DATA_HEAD + CSFTP_SERVE_DATA_MAX, serve_data_reply
#define NAMES  SERVE_NAMES_MAX, serve_names_reply
#define IDS    SERVE_NAMES_MAX, serve_ids_reply
#define SPACE  SERVE_REPLY_MAX, serve_space_reply
#define COPIED SERVE_REPLY_MAX, serve_copied_reply
#define COPY   SERVE_REPLY_MAX, serve_copy_reply
#define CHECK  SERVE_HASHES_MAX, serve_check_reply

static const struct handler handlers[SFTP_KINDS] = {
	[SFTP_OPEN] = {"open", READS, CSFTP_OP_OPEN, 0, HANDLE, begin_open},
	[SFTP_CLOSE] = {"close", READS, CSFTP_OP_CLOSE, 0, STATUS, NULL},
	[SFTP_READ] = {"read", READS, CSFTP_OP_READ, 0, DATA, begin_read},
	[SFTP_WRITE] = {"write", WRITES, CSFTP_OP_WRITE, 0, STATUS,
			begin_write},
	[SFTP_LSTAT] = {"lstat", READS, CSFTP_OP_GETATTR, CSFTP_NOFOLLOW, ATTRS,
			NULL},
	[SFTP_FSTAT] = {"fstat", READS, CSFTP_OP_GETATTR, 0, ATTRS, NULL},
	[SFTP_SETSTAT] = {"setstat", WRITES, CSFTP_OP_SETATTR, 0, STATUS, NULL},
	[SFTP_FSETSTAT] = {"fsetstat", WRITES, CSFTP_OP_SETATTR, 0, STATUS,
			   NULL},
	[SFTP_OPENDIR] = {"opendir", READS, CSFTP_OP_OPENDIR, 0, HANDLE,
			  begin_open},
	[SFTP_READDIR] = {"readdir", READS, CSFTP_OP_READDIR, 0, NAMES,
			  begin_readdir},
	[SFTP_REMOVE] = {"remove", WRITES, CSFTP_OP_UNLINK, 0, STATUS, NULL},
	[SFTP_MKDIR] = {"mkdir", WRITES, CSFTP_OP_MKDIR, 0, STATUS, NULL},
	[SFTP_RMDIR] = {"rmdir", WRITES, CSFTP_OP_RMDIR, 0, STATUS, NULL},
	[SFTP_REALPATH] = {"realpath", READS, CSFTP_OP_REALPATH, 0, TEXT, NULL},
	[SFTP_STAT] = {"stat", READS, CSFTP_OP_GETATTR, 0, ATTRS, NULL},
	[SFTP_RENAME] = {"rename", WRITES, CSFTP_OP_RENAME, 0, STATUS, NULL},
	[SFTP_READLINK] = {"readlink", READS, CSFTP_OP_READLINK, 0, TEXT, NULL},
	[SFTP_SYMLINK] = {"symlink", WRITES, CSFTP_OP_SYMLINK, 0, STATUS, NULL},
	[SFTP_POSIX_RENAME] = {"posix-rename", WRITES, CSFTP_OP_RENAME,
			       CSFTP_REPLACE, STATUS, NULL},
	[SFTP_STATVFS] = {"statvfs", READS, CSFTP_OP_STATFS, 0, STATFS, NULL},
	[SFTP_FSTATVFS] = {"fstatvfs", READS, CSFTP_OP_STATFS, 0, STATFS, NULL},
	[SFTP_HARDLINK] = {"hardlink", WRITES, CSFTP_OP_LINK, 0, STATUS, NULL},
	[SFTP_FSYNC] = {"fsync", WRITES, CSFTP_OP_FSYNC, 0, STATUS, NULL},
	[SFTP_LSETSTAT] = {"lsetstat", WRITES, CSFTP_OP_SETATTR, CSFTP_NOFOLLOW,
			   STATUS, NULL},
	[SFTP_LIMITS] = {"limits", READS, CSFTP_OP_COUNT, 0, STATUS,
			 begin_limits},
	[SFTP_EXPAND_PATH] = {"expand-path", READS, CSFTP_OP_REALPATH,
			      CSFTP_EXPAND, TEXT, NULL},
	[SFTP_COPY_DATA] = {"copy-data", WRITES, CSFTP_OP_COPY_RANGE, 0, COPIED,
			    NULL},
	[SFTP_HOME_DIRECTORY] = {"home-directory", READS, CSFTP_OP_HOMEDIR, 0,
				 TEXT, NULL},
	[SFTP_USERS_GROUPS_BY_ID] = {"users-groups-by-id", READS,
				     CSFTP_OP_IDNAME, 0, IDS, serve_ids_begin},
	[SFTP_CHECK_FILE_HANDLE] = {"check-file-handle", READS, CSFTP_OP_COUNT,
				    0, CHECK, serve_check_begin},
	[SFTP_CHECK_FILE_NAME] = {"check-file-name", READS, CSFTP_OP_COUNT, 0,
				  CHECK, serve_check_begin},
	[SFTP_SPACE_AVAILABLE] = {"space-available", READS, CSFTP_OP_STATFS, 0,
				  SPACE, NULL},
	[SFTP_COPY_FILE] = {"copy-file", WRITES, CSFTP_OP_COUNT, 0, COPY,
			    serve_copy_begin},
	[SFTP_VENDOR_ID] = {"vendor-id", READS, CSFTP_OP_COUNT, 0, STATUS,
			    begin_vendor},
	[SFTP_CHECK_FILE] = {"check-file", READS, CSFTP_OP_COUNT, 0, CHECK,
			     serve_check_begin},
};

/* Requests have numbers without a gap, in the order of the table. */
#define PLAIN_COUNT   (SFTP_SYMLINK - SFTP_OPEN + 1)
#define REQUEST_COUNT (PLAIN_COUNT + SFTP_EXT_COUNT)

_Static_assert(REQUEST_COUNT <= 64, "csftp_serve_config.denied is too short");

static enum sftp_kind kind_of_request(int index)
{
	return (enum sftp_kind)(index < PLAIN_COUNT
					? SFTP_OPEN + index
					: SFTP_EXT_FIRST + index - PLAIN_COUNT);
}

static int request_of_kind(enum sftp_kind kind)
{
	return (int)kind - (kind >= SFTP_EXT_FIRST
				    ? SFTP_EXT_FIRST - PLAIN_COUNT
				    : SFTP_OPEN);
}

const char *csftp_serve_request_name(int index)
{
	if (index < 0 || index >= REQUEST_COUNT)
		return NULL;
	return handlers[kind_of_request(index)].name;
}

int csftp_serve_request(const char *name)
{
	for (int i = 0; name && i < REQUEST_COUNT; i++)
		if (strcmp(csftp_serve_request_name(i), name) == 0)
			return i;
	return -1;
}

bool serve_denies(const struct csftp_serve *serve, enum sftp_kind kind)
{
	const struct csftp_serve_config *config = &serve->config;

	if (config->read_only && handlers[kind].effect == WRITES)
		return true;
	return config->denied >> request_of_kind(kind) & 1;
}

static struct csftp_slice as_slice(struct wire_bytes bytes)
{
	return (struct csftp_slice){bytes.ptr, bytes.len};
}

static void refuse(struct serve_slot *slot, const struct sftp_msg *msg)
{
	const struct csftp_serve *serve = slot->serve;
	struct csftp_refusal refusal = {
		.name = handlers[slot->kind].name,
		.path = as_slice(msg->path),
		.path2 = as_slice(msg->path2),
	};
	uint32_t index;

	if (msg->handle.ptr && serve_handle_find(serve, msg->handle, &index))
		refusal.fh = &serve->handles[index].fh;
	if (serve->config.refused)
		serve->config.refused(serve->config.arg, &refusal);
	serve_errno(slot, EACCES);
}

/* An OPEN that could change the file, or make one. */
static bool opens_to_write(const struct sftp_msg *msg)
{
	return msg->kind == SFTP_OPEN &&
	       (msg->num &
		(CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC));
}

/* The room for the answer of a check-file; false: wait for a buffer. */
static bool has_check_room(struct csftp_serve *serve)
{
	const struct csftp_serve_config *config = &serve->config;

	if (!serve->check.buf)
		serve->check.buf = config->buf_get(config->arg);
	if (!serve->check.buf)
		serve->link.starved = true;
	return serve->check.buf != NULL;
}

/* Whether a slot and room for the longest answer can be had now. */
static bool can_take(struct csftp_serve *serve, const struct sftp_msg *msg)
{
	bool wait_for_scratch = serve->scratch_taken &&
				handlers[msg->kind].room == SERVE_NAMES_MAX;
	bool wait_for_pipe = serve->link.piped > 0 && wants_pipe(serve, msg);
	size_t room = answer_max(msg);

	if (handlers[msg->kind].answer == serve_check_reply &&
	    !has_check_room(serve))
		return false;
	return link_borrow_out(&serve->link) && has_slot(serve) &&
	       !wait_for_scratch && !wait_for_pipe &&
	       !serve_check_first(serve, msg) &&
	       room + serve->reserved <= link_room(&serve->link);
}

static enum link_take greet(struct csftp_serve *serve)
{
	serve->greeted = true;
	serve_version(serve);
	return LINK_TAKEN;
}

static enum link_take broken(struct csftp_link *link, enum csftp_err why)
{
	link_fail(link, why);
	return LINK_BROKEN;
}

static void serve_request(struct csftp_serve *serve, uint8_t *body,
			  const struct sftp_msg *msg, enum csftp_err err)
{
	const struct handler *handler = &handlers[msg->kind];
	struct serve_slot *slot = slot_take(serve, msg);

	if (!handler->answer)
		serve_status(slot, SSH_FX_OP_UNSUPPORTED,
			     sftp_errno_text(EOPNOTSUPP));
	else if (serve_denies(serve, msg->kind))
		refuse(slot, msg);
	else if (err != CSFTP_OK && err != CSFTP_ERR_TRAILING)
		serve_status(slot, SSH_FX_BAD_MESSAGE, csftp_strerror(err));
	else if (serve->config.read_only && opens_to_write(msg))
		refuse(slot, msg);
	else if (fill(slot, body, msg) &&
		 (!handler->begin || handler->begin(slot, msg)))
		serve_slot_submit(slot);
}

static enum link_take packet(struct csftp_link *link, uint8_t *body, size_t len)
{
	struct csftp_serve *serve = (struct csftp_serve *)link;
	struct sftp_msg msg;
	enum csftp_err err = sftp_msg_decode(&msg, body, len);

	if (!can_take(serve, &msg))
		return LINK_LATER;
	serve_trace(serve, SFTP_RECEIVED, body, len, len);
	if (msg.kind == SFTP_INIT && err == CSFTP_OK)
		return greet(serve);
	if (!serve->greeted || msg.kind == SFTP_INIT ||
	    msg.kind == SFTP_VERSION_MSG)
		return broken(link, CSFTP_ERR_STATE);
	if (len < 5)
		return broken(link, CSFTP_ERR_SHORT);
	serve_request(serve, body, &msg, err);
	return link->err == CSFTP_OK ? LINK_TAKEN : LINK_BROKEN;
}

static void close_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct serve_slot *slot = (struct serve_slot *)req;
	struct csftp_serve *serve = slot->serve;
	bool inside = slot->inside;

	(void)reply; /* nobody is left to hear it */
	serve_slot_end(slot);
	if (!inside)
		close_next(serve);
}

/* Closes what the client left open, as far as there are slots. */
static void close_next(struct csftp_serve *serve)
{
	static const struct sftp_msg msg = {.kind = SFTP_CLOSE};

	for (uint32_t i = 0; i < serve->fresh_handle; i++) {
		struct serve_slot *slot;

		if (serve->handles[i].state < HANDLE_OPEN)
			continue;
		if (!has_slot(serve))
			return;
		slot = slot_take(serve, &msg);
		slot->req = (struct csftp_req){.op = CSFTP_OP_CLOSE,
					       .flags = CSFTP_FORCED,
					       .fh = serve->handles[i].fh,
					       .done = close_done};
		serve_handle_drop(serve, i);
		slot->inside = true;
		csftp_submit(serve->config.fs, &slot->req);
		slot->inside = false;
	}
}

static void closed(struct csftp_link *link)
{
	struct csftp_serve *serve = (struct csftp_serve *)link;

	serve->closing = true;
	serve_check_stop(serve);
	close_next(serve);
}

static void drained(struct csftp_link *link)
{
	(void)link; /* link_run() follows and offers what had to wait */
}

static void work(struct csftp_link *link)
{
	struct csftp_serve *serve = (struct csftp_serve *)link;

	serve_slot_submit(serve->check.slot);
}

/* Answers that come later go to the output that was borrowed for them. */
static bool settled(struct csftp_link *link)
{
	struct csftp_serve *serve = (struct csftp_serve *)link;

	if (!serve->check.slot && serve->check.buf && serve->config.buf_put) {
		serve->config.buf_put(serve->config.arg, serve->check.buf);
		serve->check.buf = NULL;
	}
	return serve->pending == 0;
}

static const struct link_ops ops = {
	.packet = packet,
	.closed = closed,
	.drained = drained,
	.work = work,
	.settled = settled,
};

#define HANDLES_DEFAULT 1024U
#define HANDLES_MAX	65536U

/* Room to read the next packets while one waits. */
#define IN_CAP (4 + CSFTP_SERVE_PACKET_MAX + 64 * 1024)
/* A full DATA, and the answers that wait before it. */
#define OUT_CAP (2 * CSFTP_SERVE_PACKET_MAX + 64 * 1024)

_Static_assert(IN_CAP <= CSFTP_SERVE_BUF && OUT_CAP <= CSFTP_SERVE_BUF &&
		       SERVE_HASHES_MAX <= CSFTP_SERVE_BUF,
	       "what is borrowed has to be large enough");

/* Own buffers, where nobody lends any. */
static enum csftp_err make_buffers(struct csftp_serve *serve)
{
	const struct csftp_serve_config *config = &serve->config;
	const struct link_lender lender = {
		.get = config->buf_get,
		.put = config->buf_put,
		.arg = config->arg,
	};

	if (!serve_prompt(serve)) {
		serve->scratch = malloc(SERVE_NAMES_MAX);
		if (!serve->scratch)
			return CSFTP_ERR_NOMEM;
	}
	link_set_sizes(&serve->link, IN_CAP, CSFTP_SERVE_PACKET_MAX, OUT_CAP);
	if (config->buf_get) {
		link_init_lent(&serve->link, &lender, serve->segs, SERVE_SEGS);
		return CSFTP_OK;
	}
	serve->check.buf = malloc(SERVE_HASHES_MAX);
	if (!serve->check.buf)
		return CSFTP_ERR_NOMEM;
	return link_init(&serve->link, IN_CAP, CSFTP_SERVE_PACKET_MAX, OUT_CAP,
			 SERVE_SEGS);
}

static uint32_t handles_of(uint32_t wish)
{
	return wish > 0 ? wish : HANDLES_DEFAULT;
}

size_t csftp_serve_size(uint32_t handles)
{
	return sizeof(struct csftp_serve) +
	       handles_of(handles) * sizeof(struct serve_handle);
}

enum csftp_err csftp_serve_init(struct csftp_serve **out, void *memory,
				const struct csftp_serve_config *config)
{
	struct csftp_serve *serve = memory;
	enum csftp_err err;

	if (!out || !memory || !config || !config->fs ||
	    config->handles > HANDLES_MAX ||
	    !config->buf_get != !config->buf_put)
		return CSFTP_ERR_ARG;
	memset(serve, 0, offsetof(struct csftp_serve, slots));
	serve->config = *config;
	serve->config.handles = handles_of(config->handles);
	serve->handles = (struct serve_handle *)(void *)(serve + 1);
	serve->free_handle = serve->config.handles;
	serve->link.ops = &ops;
	err = make_buffers(serve);
	if (err == CSFTP_OK)
		*out = serve;
	else
		csftp_serve_release(serve);
	return err;
}

void csftp_serve_release(struct csftp_serve *serve)
{
	link_fail(&serve->link, CSFTP_ERR_EOF);
	if (serve->check.buf && serve->config.buf_put)
		serve->config.buf_put(serve->config.arg, serve->check.buf);
	else
		free(serve->check.buf);
	serve->check.buf = NULL;
	link_release(&serve->link);
	free(serve->scratch);
	serve->scratch = NULL;
}

enum csftp_err csftp_serve_new(struct csftp_serve **out,
			       const struct csftp_serve_config *config)
{
	enum csftp_err err;
	void *memory;

	if (!out || !config || config->handles > HANDLES_MAX)
		return CSFTP_ERR_ARG;
	memory = malloc(csftp_serve_size(config->handles));
	if (!memory)
		return CSFTP_ERR_NOMEM;
	err = csftp_serve_init(out, memory, config);
	if (err != CSFTP_OK)
		free(memory);
	return err;
}

void csftp_serve_free(struct csftp_serve *serve)
{
	if (!serve)
		return;
	csftp_serve_release(serve);
	free(serve);
}

struct csftp_link *csftp_serve_link(struct csftp_serve *serve)
{
	return &serve->link;
}

void csftp_serve_pipe(struct csftp_serve *serve, struct csftp_pipe *pipe)
{
	serve->pipe = pipe;
}

uint32_t csftp_serve_pending(const struct csftp_serve *serve)
{
	return serve->pending;
}
