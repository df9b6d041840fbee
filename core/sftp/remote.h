/* The inside of remotefs; its contract is csftp/remote.h. */
#ifndef CSFTP_CORE_SFTP_REMOTE_H
#define CSFTP_CORE_SFTP_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sftp/link.h"
#include "core/sftp/msg.h"
#include "core/sftp/trace.h"
#include "csftp/remote.h"

/* A request id is a slot's index below its generation. */
#define REMOTE_SLOT_BITS 10
#define REMOTE_SLOTS_MAX (1U << REMOTE_SLOT_BITS)

/* Of a piece of payload that is not the last of its WRITE. */
#define REMOTE_NO_TAG UINT32_MAX

/* Data in one READ or WRITE: what OpenSSH announces, and we take. */
#define REMOTE_DATA_MAX (255U * 1024U)

/*
 * A longer WRITE is bulk: others overtake it while it waits for bulk that was
 * given to the link before, of which there is not more than a little more than
 * this.  So who only asks does not wait for all that somebody copies.
 */
#define REMOTE_BULK	   (16U * 1024U)
#define REMOTE_BULK_UNSENT (512U * 1024U)

/* Two paths, a handle and attributes, rounded up. */
#define REMOTE_REQUEST_MAX (10U * 1024U)

enum slot_state {
	SLOT_FREE,
	SLOT_SENDING, /* its payload is still in the asker's memory only */
	SLOT_SENT,
	SLOT_SECOND,  /* an answer came; the request that follows it waits */
	SLOT_OFFERING /* its entries are being offered; answered after that */
};

struct remote_slot {
	struct csftp_req *req; /* NULL: nobody waits for the answer any more */
	enum slot_state state;
	enum sftp_kind kind; /* of the request that was sent */
	bool first;	     /* another request follows its answer */
	int late_err;	     /* owed once SENDING or OFFERING is over */
	uint32_t generation;
	uint32_t next_free;
	uint32_t handle;	    /* index; OPEN: kept for the answer */
	uint32_t handle_generation; /* READDIR: of that handle */
	uint64_t len;		    /* READ, copy-data: bytes asked for */
	uint64_t payload;	    /* SENDING: its bytes */
	struct csftp_attr attr;	    /* SETATTR: what is left to set */
};

enum remote_handle_state {
	RHANDLE_FREE,
	RHANDLE_KEPT, /* an OPEN is on its way */
	RHANDLE_OPEN,
	RHANDLE_ORPHAN /* nobody will close it: we do */
};

struct remote_handle {
	enum remote_handle_state state;
	uint32_t generation;
	uint32_t next_free;
	uint32_t next_called; /* in its bucket, as there */
	uint32_t len;
	uint32_t queued; /* requests about it in the queue of bulk */
	/* Entries of a NAME that the asker did not take: malloc'ed. */
	uint8_t *rest;
	size_t rest_len;
	uint8_t bytes[SFTP_HANDLE_MAX];
};

struct remote_queue {
	struct csftp_req *first;
	struct csftp_req *last;
};

enum remote_state { REMOTE_INIT, REMOTE_LIMITS, REMOTE_READY, REMOTE_DEAD };

struct csftp_remote {
	struct csftp_link link; /* first: the link is its engine */
	struct csftp_fs fs;
	struct csftp_remote_config config;
	enum remote_state state;
	uint32_t extensions;
	uint32_t logged; /* lines */
	uint32_t pending;
	uint32_t timed; /* of these, those that have a deadline */
	/* Requests that have no slot yet, in order. */
	struct remote_queue queue;
	/* Bulk, and what is about the same handles: they go after those. */
	struct remote_queue bulk;
	uint64_t unsent; /* bytes of bulk that the link has */
	struct remote_slot *slots;
	uint32_t free_slot; /* config.slots: none */
	uint32_t free_slots;
	uint32_t seconds; /* slots in SLOT_SECOND */
	struct remote_handle *handles;
	uint32_t free_handle;  /* config.handles: none */
	uint32_t fresh_handle; /* this one and all above were never used */
	uint32_t orphans;
	/* Those that the server named, by a hash of that: index + 1, or 0. */
	uint32_t *called;
	uint32_t called_mask;
	uint32_t called_key;
};

/* Says what the server did wrong: about, then what, escaped. */
void remote_log(struct csftp_remote *remote, const char *about,
		const void *what, size_t len);

/* Slots. */
struct remote_slot *remote_slot_take(struct csftp_remote *remote,
				     struct csftp_req *req);
uint32_t remote_slot_id(const struct csftp_remote *remote,
			const struct remote_slot *slot);
/* Frees the slot, then answers its asker, if one still waits. */
void remote_finish(struct csftp_remote *remote, struct remote_slot *slot,
		   const struct csftp_reply *reply);
void remote_finish_err(struct csftp_remote *remote, struct remote_slot *slot,
		       int err);

/* Tells config.trace of a packet, if it is set; see sftp_trace(). */
void remote_trace(const struct csftp_remote *remote, enum sftp_way way,
		  const uint8_t *body, size_t len, size_t whole);

/* Sends a packet, or the head of one whose payload follows. */
void remote_put(struct csftp_remote *remote, const struct wire_wr *wr);

/* Handles (remote_handle.c).  False: no memory; release what there is. */
CSFTP_MUST_CHECK bool remote_handles_init(struct csftp_remote *remote);
void remote_handles_release(struct csftp_remote *remote);
CSFTP_MUST_CHECK bool remote_handle_keep(struct csftp_remote *remote,
					 uint32_t *index);
void remote_handle_drop(struct csftp_remote *remote, uint32_t index);
/*
 * The server calls it so: it is to become open, or an orphan.  Drops another
 * one that is called the same; false: there is none.  Nobody knows which of the
 * two files is meant then.
 */
bool remote_handle_call(struct csftp_remote *remote, uint32_t index,
			struct wire_bytes name);
csftp_fh remote_handle_fh(const struct csftp_remote *remote, uint32_t index);
CSFTP_MUST_CHECK bool remote_handle_find(const struct csftp_remote *remote,
					 csftp_fh fh, uint32_t *index);

/*
 * Sends (remote_send.c).  Only an operation that remote_can_say(), and only
 * while remote_can_send(), which a second request need not wait for where
 * remote_has_room(): it has its slot.  A request that the server has no
 * extension for is answered at once.
 */
bool remote_has_room(const struct csftp_remote *remote);
bool remote_can_send(const struct csftp_remote *remote);
bool remote_can_say(enum csftp_op op);
void remote_send(struct csftp_remote *remote, struct csftp_req *req);
void remote_send_second(struct csftp_remote *remote, struct remote_slot *slot);
void remote_send_close(struct csftp_remote *remote, uint32_t handle);

/*
 * Gives attributes to be set the missing half of each pair, from what the file
 * has: version 3 sends owner and group, and both times, in pairs only.
 */
void remote_complete(struct csftp_attr *set, const struct csftp_attr *have);

/* Takes an answer (remote_answer.c). */
void remote_answer(struct csftp_remote *remote, struct remote_slot *slot,
		   const struct sftp_msg *msg);

/*
 * Answers a READDIR, whose slot knows its handle, with what an earlier one
 * left; false if there is nothing.
 */
bool remote_offer_rest(struct csftp_remote *remote, struct remote_slot *slot);

#endif
