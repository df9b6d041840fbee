/* The inside of the SFTP server engine; its contract is csftp/serve.h. */
#ifndef CSFTP_CORE_SFTP_SERVER_H
#define CSFTP_CORE_SFTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/errmap.h"
#include "core/hash.h"
#include "core/sftp/link.h"
#include "core/sftp/msg.h"
#include "core/sftp/trace.h"
#include "csftp/serve.h"

/* One answer that stands in a pipe, and what is before and behind it. */
#define SERVE_SEGS 2

/* Requests that an asynchronous file system may hold at a time. */
#define SERVE_SLOTS 64

/*
 * The longest NAME and users-groups reply.  Clients exist that refuse a reply
 * above 128 KiB (sshfs), so it stays well below.
 */
#define SERVE_NAMES_MAX (64U * 1024U)

/* The longest answer of check-file: 4000 blocks by sha256. */
#define SERVE_HASHES_MAX (128U * 1024U)

/* What is hashed at a time, while other requests wait. */
#define SERVE_HASHED_MAX (256U * 1024U)

/* Any other reply but DATA: two paths and attributes are the longest. */
#define SERVE_REPLY_MAX (10U * 1024U)

/* uint32 length, byte type, uint32 id, uint32 length of the data. */
#define SERVE_DATA_HEAD 13U

/*
 * A shorter answer is cheaper to copy: measured, one of 8 KiB costs the same
 * both ways, one of 16 KiB half as much through the pipe.
 */
#define SERVE_PIPE_MIN (16U * 1024U)

struct serve_slot {
	struct csftp_req req; /* first: a request is its slot */
	struct csftp_serve *serve;
	struct serve_slot *next_free;
	uint32_t id;
	enum sftp_kind kind;
	uint32_t handle; /* OPEN, OPENDIR: index kept for the new handle */
	size_t answer_max;
	size_t reserved; /* bytes of output kept for the answer */
	bool inside;	 /* csftp_submit() is on the stack */
	bool answered;
	bool again; /* submit once more: READDIR, users-groups-by-id */
	bool kept;  /* answered later: has its room */
	bool holds_scratch;
	bool pinned; /* and the packet it came in */
	struct csftp_attr attr;
	/* The answer under way, for those that grow over several calls. */
	struct wire_wr wr;
	uint32_t count;
	struct wire_rd uids;
	struct wire_rd gids;
	size_t mark;
	/* Of a request that takes several of the file system. */
	uint8_t step;
	bool overwrite;
	int err;
	uint32_t source; /* copy-file: index of the handle copied from */
};

/*
 * check-file: the one that is under way; another waits, and so does whatever
 * comes for the handle whose file is hashed (filexfer-02, 6).
 */
struct serve_check {
	struct serve_slot *slot; /* NULL: none */
	struct hash hash;
	uint32_t handle; /* index of what is read */
	uint64_t off;
	uint64_t left;	     /* bytes to hash; UINT64_MAX: all there are */
	uint32_t block;	     /* 0: all is one */
	uint64_t block_left; /* 0: none has begun */
	uint8_t *buf;	     /* the answer, as far as it is known */
	struct wire_wr wr;
};

enum handle_state {
	HANDLE_FREE,
	HANDLE_KEPT,  /* for a file that is being opened, or closed */
	HANDLE_OPEN,  /* the client has it */
	HANDLE_INSIDE /* open, but the client does not know it */
};

struct serve_handle {
	csftp_fh fh;
	uint32_t generation;
	uint32_t next_free;
	enum handle_state state;
};

/* What memory has to be zero at first ends where the slots begin. */
struct csftp_serve {
	struct csftp_link link; /* first: the link is its engine */
	struct csftp_serve_config config;
	bool greeted; /* INIT has come */
	bool closing;
	uint32_t pending;
	size_t reserved; /* of all slots */
	uint8_t *scratch;
	bool scratch_taken;
	struct csftp_pipe *pipe;      /* for large answers to READ; or NULL */
	struct serve_slot *free_slot; /* of those that were used before */
	uint32_t fresh_slot;	      /* from here on they never were */
	struct serve_check check;
	struct link_seg segs[SERVE_SEGS];
	struct serve_handle *handles; /* behind the slots */
	uint32_t free_handle;	      /* config.handles: none */
	uint32_t fresh_handle;	      /* from here on they were never used */
	struct serve_slot slots[SERVE_SLOTS];
};

static inline bool serve_inline(const struct csftp_serve *serve)
{
	return serve->config.fs->traits & CSFTP_FS_INLINE;
}

/* Whether an answer can be made where it will be sent from. */
static inline bool serve_prompt(const struct csftp_serve *serve)
{
	return serve->config.fs->traits & (CSFTP_FS_INLINE | CSFTP_FS_PROMPT);
}

/* Whether the policy excludes all requests of a kind that can be sent. */
bool serve_denies(const struct csftp_serve *serve, enum sftp_kind kind);

/* Handles (server_handle.c).  The index is good until serve_handle_drop(). */
CSFTP_MUST_CHECK bool serve_handle_keep(struct csftp_serve *serve,
					uint32_t *index);
void serve_handle_open(struct csftp_serve *serve, uint32_t index, csftp_fh fh);
void serve_handle_inside(struct csftp_serve *serve, uint32_t index,
			 csftp_fh fh);
/* Nothing is open there any more; it stays kept. */
void serve_handle_empty(struct csftp_serve *serve, uint32_t index);
void serve_handle_drop(struct csftp_serve *serve, uint32_t index);
CSFTP_MUST_CHECK bool serve_handle_find(const struct csftp_serve *serve,
					struct wire_bytes handle,
					uint32_t *index);
#define SERVE_HANDLE_LEN 8
void serve_handle_name(const struct csftp_serve *serve, uint32_t index,
		       uint8_t name[SERVE_HANDLE_LEN]);

/* Answers (server_answer.c).  Each ends the request of the slot. */
void serve_status(struct serve_slot *slot, enum sftp_status status,
		  const char *text);
void serve_errno(struct serve_slot *slot, int err);
void serve_version(struct csftp_serve *serve);
void serve_limits(struct serve_slot *slot);
void serve_handle_reply(struct serve_slot *slot,
			const struct csftp_reply *reply);
void serve_data_reply(struct serve_slot *slot, const struct csftp_reply *reply);
void serve_attr_reply(struct serve_slot *slot, const struct csftp_reply *reply);
void serve_text_reply(struct serve_slot *slot, const struct csftp_reply *reply);
void serve_statfs_reply(struct serve_slot *slot,
			const struct csftp_reply *reply);
void serve_space_reply(struct serve_slot *slot,
		       const struct csftp_reply *reply);
void serve_copied_reply(struct serve_slot *slot,
			const struct csftp_reply *reply);
void serve_status_reply(struct serve_slot *slot,
			const struct csftp_reply *reply);

/* READDIR and users-groups-by-id (server_names.c): answers that grow. */
void serve_names_begin(struct serve_slot *slot);
bool serve_names_entry(struct csftp_req *req, const struct csftp_entry *entry);
void serve_names_reply(struct serve_slot *slot,
		       const struct csftp_reply *reply);
bool serve_ids_begin(struct serve_slot *slot, const struct sftp_msg *msg);
void serve_ids_reply(struct serve_slot *slot, const struct csftp_reply *reply);

/* Requests that take several of the file system. */
bool serve_copy_begin(struct serve_slot *slot, const struct sftp_msg *msg);
void serve_copy_reply(struct serve_slot *slot, const struct csftp_reply *reply);
bool serve_check_begin(struct serve_slot *slot, const struct sftp_msg *msg);
void serve_check_reply(struct serve_slot *slot,
		       const struct csftp_reply *reply);
/* Whether a message has to wait for the check-file that is under way. */
bool serve_check_first(const struct csftp_serve *serve,
		       const struct sftp_msg *msg);
/* At the end of the session: it is not gone on with. */
void serve_check_stop(struct csftp_serve *serve);

/* The slot's answer comes later, so its room and its packet are kept ... */
void serve_slot_keep(struct serve_slot *slot);
/* ... but nothing points into the packet any more. */
void serve_slot_unpin(struct serve_slot *slot);

/* The slot's request is over: its answer was sent, or will never be. */
void serve_slot_end(struct serve_slot *slot);

/* A writer for the answer; its room was made sure of before the request. */
struct wire_wr serve_writer(struct serve_slot *slot, size_t len);
void serve_send(struct serve_slot *slot, const struct wire_wr *wr);

/* Tells config.trace of a packet, if it is set; see sftp_trace(). */
void serve_trace(const struct csftp_serve *serve, enum sftp_way way,
		 const uint8_t *body, size_t len, size_t whole);

#endif
