#include "core/sftp/remote.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"

#define LOG_MAX 256

/* A server can be wrong without end; who reads the log need not be told so. */
#define LOG_LINES_MAX 20

/* Bytes of a peer as printable text: others become '?'. */
void remote_log(struct csftp_remote *remote, const char *about,
		const void *what, size_t len)
{
	char line[LOG_MAX];
	size_t at = strnlen(about, LOG_MAX / 2);
	const uint8_t *p = what;

	if (!remote->config.log || remote->logged > LOG_LINES_MAX)
		return;
	if (remote->logged++ == LOG_LINES_MAX) {
		remote->config.log(
			remote->config.arg,
			"further faults of the server are not shown");
		return;
	}
	memcpy(line, about, at);
	line[at++] = ' ';
	for (size_t i = 0; i < len && at < LOG_MAX - 1; i++)
		line[at++] = p[i] < 0x20 || p[i] > 0x7e ? '?' : (char)p[i];
	line[at] = '\0';
	remote->config.log(remote->config.arg, line);
}

struct remote_slot *remote_slot_take(struct csftp_remote *remote,
				     struct csftp_req *req)
{
	uint32_t index = remote->free_slot;
	struct remote_slot *slot = &remote->slots[index];

	remote->free_slot = slot->next_free;
	remote->free_slots--;
	slot->req = req;
	slot->state = SLOT_SENT;
	slot->first = false;
	slot->late_err = 0;
	if (req)
		req->own = index + 1;
	return slot;
}

uint32_t remote_slot_id(const struct csftp_remote *remote,
			const struct remote_slot *slot)
{
	return slot->generation << REMOTE_SLOT_BITS |
	       (uint32_t)(slot - remote->slots);
}

static void slot_free(struct csftp_remote *remote, struct remote_slot *slot)
{
	slot->state = SLOT_FREE;
	slot->generation++;
	slot->req = NULL;
	slot->next_free = remote->free_slot;
	remote->free_slots++;
	remote->free_slot = (uint32_t)(slot - remote->slots);
}

static void answer(struct csftp_remote *remote, struct csftp_req *req,
		   const struct csftp_reply *reply)
{
	remote->pending--;
	remote->timed -= req->deadline_ms > 0;
	csftp_reply(req, reply);
}

void remote_finish(struct csftp_remote *remote, struct remote_slot *slot,
		   const struct csftp_reply *reply)
{
	struct csftp_req *req = slot->req;

	slot_free(remote, slot);
	if (req)
		answer(remote, req, reply);
}

void remote_finish_err(struct csftp_remote *remote, struct remote_slot *slot,
		       int err)
{
	remote_finish(remote, slot, &(struct csftp_reply){.err = err});
}

/* Of a request that waits there, in place of its slot. */
#define IN_QUEUE 0U
#define IN_BULK	 UINT64_MAX

static void queue_add(struct remote_queue *queue, struct csftp_req *req)
{
	req->next = NULL;
	req->prev = queue->last;
	if (req->prev)
		req->prev->next = req;
	else
		queue->first = req;
	queue->last = req;
}

static void queue_remove(struct remote_queue *queue, struct csftp_req *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		queue->first = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		queue->last = req->prev;
}

static bool is_bulk(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_WRITE && req->len >= REMOTE_BULK;
}

static void count_queued(struct csftp_remote *remote, csftp_fh fh, bool more)
{
	uint32_t index;

	if (!remote_handle_find(remote, fh, &index))
		return;
	if (more)
		remote->handles[index].queued++;
	else
		remote->handles[index].queued--;
}

/* Into the queue of bulk, or out of it. */
static void bulk_count(struct csftp_remote *remote, const struct csftp_req *req,
		       bool more)
{
	count_queued(remote, req->fh, more);
	if (req->op == CSFTP_OP_COPY_RANGE && req->fh2 != req->fh)
		count_queued(remote, req->fh2, more);
}

static void bulk_add(struct csftp_remote *remote, struct csftp_req *req)
{
	req->own = IN_BULK;
	queue_add(&remote->bulk, req);
	bulk_count(remote, req, true);
}

static void take_out(struct csftp_remote *remote, struct csftp_req *req)
{
	if (req->own == IN_BULK) {
		queue_remove(&remote->bulk, req);
		bulk_count(remote, req, false);
	} else {
		queue_remove(&remote->queue, req);
	}
}

static bool is_queued(const struct csftp_remote *remote, csftp_fh fh)
{
	uint32_t index;

	return remote_handle_find(remote, fh, &index) &&
	       remote->handles[index].queued > 0;
}

/* Whether it stays behind bulk: as such, or as it is about the same file. */
static bool is_behind_bulk(const struct csftp_remote *remote,
			   const struct csftp_req *req)
{
	if (!remote->bulk.first)
		return false;
	return is_bulk(req) || (!req->path && is_queued(remote, req->fh)) ||
	       (req->op == CSFTP_OP_COPY_RANGE && is_queued(remote, req->fh2));
}

/* Slots are kept free for who is not bulk, too. */
static bool may_send(const struct csftp_remote *remote,
		     const struct csftp_req *req)
{
	return remote_can_send(remote) &&
	       (!is_bulk(req) ||
		(remote->unsent < REMOTE_BULK_UNSENT &&
		 remote->free_slots > remote->config.slots / 4));
}

static void send_seconds(struct csftp_remote *remote)
{
	for (uint32_t i = 0; i < remote->config.slots; i++) {
		struct remote_slot *slot = &remote->slots[i];

		if (remote->seconds == 0 || !remote_has_room(remote))
			return;
		if (slot->state != SLOT_SECOND)
			continue;
		remote->seconds--;
		if (slot->req)
			remote_send_second(remote, slot);
		else
			remote_finish_err(remote, slot, 0);
	}
}

static void close_orphans(struct csftp_remote *remote)
{
	for (uint32_t i = 0; i < remote->fresh_handle; i++) {
		if (remote->orphans == 0 || !remote_can_send(remote))
			return;
		if (remote->handles[i].state == RHANDLE_ORPHAN)
			remote_send_close(remote, i);
	}
}

static void send_queued(struct csftp_remote *remote, struct csftp_req *req)
{
	take_out(remote, req);
	remote_send(remote, req);
}

/* Sends what had to wait, as far as there is room. */
static void kick(struct csftp_remote *remote)
{
	if (remote->state != REMOTE_READY)
		return;
	if (remote->seconds > 0)
		send_seconds(remote);
	if (remote->orphans > 0)
		close_orphans(remote);
	while (remote->queue.first && remote_can_send(remote))
		send_queued(remote, remote->queue.first);
	while (remote->bulk.first && !remote->queue.first &&
	       may_send(remote, remote->bulk.first))
		send_queued(remote, remote->bulk.first);
}

static bool is_failure(const struct sftp_msg *msg)
{
	return msg->kind == SFTP_STATUS && msg->num != SSH_FX_OK &&
	       msg->num != SSH_FX_EOF;
}

static void tell_ended(struct csftp_remote *remote,
		       const struct remote_slot *slot, bool failed)
{
	if (remote->config.ended)
		remote->config.ended(remote->config.arg,
				     (uint32_t)(slot - remote->slots),
				     (unsigned)slot->kind, failed);
}

static struct csftp_remote *remote_of_fs(struct csftp_fs *fs)
{
	return (struct csftp_remote *)((char *)fs -
				       offsetof(struct csftp_remote, fs));
}

static void submit(struct csftp_fs *fs, struct csftp_req *req)
{
	struct csftp_remote *remote = remote_of_fs(fs);

	if (!remote_can_say(req->op)) {
		csftp_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (remote->state == REMOTE_DEAD) {
		csftp_reply_err(req, ENOTCONN);
		return;
	}
	remote->pending++;
	remote->timed += req->deadline_ms > 0;
	if (is_behind_bulk(remote, req)) {
		bulk_add(remote, req);
	} else if (!remote->queue.first && may_send(remote, req)) {
		remote_send(remote, req);
	} else if (is_bulk(req)) {
		bulk_add(remote, req);
	} else {
		req->own = IN_QUEUE;
		queue_add(&remote->queue, req);
	}
}

/* A handle whose CLOSE was not sent yet must still be closed. */
static void orphan(struct csftp_remote *remote, csftp_fh fh)
{
	uint32_t index;

	if (!remote_handle_find(remote, fh, &index))
		return;
	remote->handles[index].state = RHANDLE_ORPHAN;
	remote->orphans++;
}

/*
 * Answers a request with err before its time.  Its slot waits on for the
 * server's answer; a payload that is on its way must get there first, and
 * entry() must return before done is called.
 */
static void give_up(struct csftp_remote *remote, struct csftp_req *req, int err)
{
	struct remote_slot *slot;

	if (req->own == IN_QUEUE || req->own == IN_BULK) {
		take_out(remote, req);
		if (req->op == CSFTP_OP_CLOSE)
			orphan(remote, req->fh);
		answer(remote, req, &(struct csftp_reply){.err = err});
		return;
	}
	slot = &remote->slots[req->own - 1];
	/* Its memory is the asker's again. */
	if (req->into && req->into == remote->link.aside.payload)
		link_forget_aside(&remote->link);
	if (slot->state == SLOT_SENDING || slot->state == SLOT_OFFERING) {
		slot->late_err = err;
		return;
	}
	slot->req = NULL;
	answer(remote, req, &(struct csftp_reply){.err = err});
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	give_up(remote_of_fs(fs), req, EINTR);
}

static const struct csftp_fs_ops fs_ops = {
	.rest = submit,
	.cancel = cancel,
};

static void sent(struct csftp_link *link, uint32_t tag)
{
	struct csftp_remote *remote = (struct csftp_remote *)link;
	struct remote_slot *slot;

	if (tag == REMOTE_NO_TAG)
		return;
	slot = &remote->slots[tag];
	remote->unsent -= slot->payload;
	slot->state = SLOT_SENT;
	if (slot->late_err != 0)
		give_up(remote, slot->req, slot->late_err);
}

static void drained(struct csftp_link *link)
{
	kick((struct csftp_remote *)link);
}

/*
 * What was queued for output borrows from requests that end here.  Those that
 * wait for a slot were never sent, and ENOTCONN says so.
 */
static void closed(struct csftp_link *link)
{
	struct csftp_remote *remote = (struct csftp_remote *)link;

	remote->state = REMOTE_DEAD;
	link->seg_count = 0;
	link->out_head = 0;
	link->out_tail = 0;
	remote->unsent = 0;
	for (uint32_t i = 0; i < remote->config.slots; i++) {
		struct remote_slot *slot = &remote->slots[i];

		if (slot->state == SLOT_SENT || slot->state == SLOT_SENDING)
			tell_ended(remote, slot, true);
		if (slot->state == SLOT_OFFERING)
			slot->late_err = EIO;
		else if (slot->state != SLOT_FREE)
			remote_finish_err(remote, slot, EIO);
	}
	while (remote->queue.first || remote->bulk.first) {
		struct csftp_req *req = remote->queue.first
						? remote->queue.first
						: remote->bulk.first;

		take_out(remote, req);
		answer(remote, req, &(struct csftp_reply){.err = ENOTCONN});
	}
}

static void become_ready(struct csftp_remote *remote)
{
	remote->state = REMOTE_READY;
	if (remote->config.ready)
		remote->config.ready(remote->config.arg);
	kick(remote);
}

/* What one packet of ours may carry: 0 of the server means it says nothing. */
static uint32_t clamp_data(uint64_t said, uint64_t packet)
{
	uint64_t max = said > 0 ? said : SFTP_DATA_BASE;

	if (packet > 1024 && max > packet - 1024)
		max = packet - 1024;
	return max > REMOTE_DATA_MAX ? REMOTE_DATA_MAX : (uint32_t)max;
}

static void take_limits(struct csftp_remote *remote, const struct sftp_msg *msg)
{
	struct wire_rd rd = {.next = msg->data.ptr, .left = msg->data.len};
	struct sftp_limits limits;

	sftp_limits_get(&rd, &limits);
	if (msg->kind == SFTP_EXTENDED_REPLY && rd.err == CSFTP_OK) {
		remote->fs.max_read = clamp_data(limits.read, limits.packet);
		remote->fs.max_write = clamp_data(limits.write, limits.packet);
	}
	become_ready(remote);
}

static void ask_limits(struct csftp_remote *remote)
{
	struct wire_wr wr = link_writer(&remote->link, REMOTE_REQUEST_MAX);

	remote->state = REMOTE_LIMITS;
	sftp_msg_encode(&wr, &(struct sftp_msg){.kind = SFTP_LIMITS});
	remote_put(remote, &wr);
}

static void take_extensions(struct csftp_remote *remote, struct wire_bytes list)
{
	struct wire_rd rd = {.next = list.ptr, .left = list.len};

	while (rd.left > 0 && rd.err == CSFTP_OK) {
		struct wire_bytes name = wire_rd_string(&rd, SIZE_MAX);
		struct wire_bytes version = wire_rd_string(&rd, SIZE_MAX);
		enum sftp_kind kind = sftp_ext_find(name, version);

		if (kind != SFTP_UNKNOWN)
			remote->extensions |= 1U << (kind - SFTP_EXT_FIRST);
	}
	if (rd.err != CSFTP_OK)
		remote_log(remote, "extensions of the server do not decode", "",
			   0);
}

static enum csftp_err take_version(struct csftp_remote *remote,
				   const struct sftp_msg *msg)
{
	if (msg->kind != SFTP_VERSION_MSG)
		return CSFTP_ERR_STATE;
	if (msg->num != SFTP_VERSION)
		return CSFTP_ERR_VERSION;
	take_extensions(remote, msg->data);
	if (remote->extensions & CSFTP_EXT_LIMITS)
		ask_limits(remote);
	else
		become_ready(remote);
	return CSFTP_OK;
}

static struct remote_slot *find_slot(struct csftp_remote *remote, uint32_t id)
{
	uint32_t index = id & (REMOTE_SLOTS_MAX - 1);
	struct remote_slot *slot;

	if (index >= remote->config.slots)
		return NULL;
	slot = &remote->slots[index];
	return slot->state == SLOT_SENT && remote_slot_id(remote, slot) == id
		       ? slot
		       : NULL;
}

static enum csftp_err take_answer(struct csftp_remote *remote,
				  struct sftp_msg *msg, enum csftp_err err)
{
	struct remote_slot *slot = find_slot(remote, msg->id);

	if (!slot) {
		remote_log(remote, "answer to nothing that was asked:",
			   sftp_kind_name(msg->kind),
			   strlen(sftp_kind_name(msg->kind)));
		return CSFTP_ERR_STATE;
	}
	/* What does not decode is of no kind: the wrong one for any request. */
	if (err != CSFTP_OK && err != CSFTP_ERR_TRAILING)
		msg->kind = SFTP_UNKNOWN;
	tell_ended(remote, slot, is_failure(msg));
	remote_answer(remote, slot, msg);
	return CSFTP_OK;
}

static enum link_take packet(struct csftp_link *link, uint8_t *body, size_t len)
{
	struct csftp_remote *remote = (struct csftp_remote *)link;
	struct sftp_msg msg;
	enum csftp_err err = sftp_msg_decode(&msg, body, len);

	remote_trace(remote, SFTP_RECEIVED, body, len, len);
	if (remote->state == REMOTE_INIT) {
		err = err == CSFTP_OK ? take_version(remote, &msg) : err;
	} else if (len < 5) {
		err = CSFTP_ERR_SHORT;
	} else if (remote->state == REMOTE_LIMITS) {
		err = msg.id == 0 ? CSFTP_OK : CSFTP_ERR_STATE;
		if (err == CSFTP_OK)
			take_limits(remote, &msg);
	} else {
		err = take_answer(remote, &msg, err);
	}
	if (err != CSFTP_OK)
		link_fail(link, err);
	kick(remote);
	return link->err == CSFTP_OK ? LINK_TAKEN : LINK_BROKEN;
}

/* Where the READ that this DATA answers wants it. */
static uint8_t *aside(struct csftp_link *link, const uint8_t *head, size_t len)
{
	struct csftp_remote *remote = (struct csftp_remote *)link;
	const struct remote_slot *slot;
	struct sftp_msg msg;

	/* Its string is not there yet. */
	(void)!sftp_msg_decode(&msg, head, LINK_ASIDE_HEAD - 4);
	if (remote->state != REMOTE_READY || msg.kind != SFTP_DATA)
		return NULL;
	slot = find_slot(remote, msg.id);
	if (!slot || slot->kind != SFTP_READ || !slot->req || len > slot->len)
		return NULL;
	return slot->req->into;
}

static void beside(struct csftp_link *link, const uint8_t *head,
		   const uint8_t *payload, size_t len)
{
	struct csftp_remote *remote = (struct csftp_remote *)link;
	size_t head_len = LINK_ASIDE_HEAD - 4;
	struct sftp_msg msg;
	enum csftp_err err;

	(void)!sftp_msg_decode(&msg, head, head_len);
	msg.data = (struct wire_bytes){payload, len};
	remote_trace(remote, SFTP_RECEIVED, head, head_len, head_len + len);
	err = take_answer(remote, &msg, CSFTP_OK);
	if (err != CSFTP_OK)
		link_fail(link, err);
	kick(remote);
}

static const struct link_ops link_ops = {
	.packet = packet,
	.aside = aside,
	.beside = beside,
	.sent = sent,
	.closed = closed,
	.drained = drained,
};

#define SLOTS_DEFAULT	768U
#define HANDLES_DEFAULT 4096U
#define HANDLES_MAX	(1U << 20)

/* OpenSSH's limit, which limits@openssh.com announces. */
#define PACKET_MAX (256U * 1024U)
#define IN_CAP	   (2 * PACKET_MAX)
#define OUT_CAP	   (128U * 1024U)

static void send_init(struct csftp_remote *remote)
{
	struct wire_wr wr = link_writer(&remote->link, REMOTE_REQUEST_MAX);

	sftp_msg_encode(&wr, &(struct sftp_msg){.kind = SFTP_INIT,
						.num = SFTP_VERSION});
	remote_put(remote, &wr);
}

static enum csftp_err remote_init(struct csftp_remote *remote)
{
	uint32_t slots = remote->config.slots;

	remote->link.ops = &link_ops;
	remote->fs = (struct csftp_fs){.ops = &fs_ops,
				       .max_read = SFTP_DATA_BASE,
				       .max_write = SFTP_DATA_BASE,
				       .traits = CSFTP_FS_PARTS};
	remote->free_slots = slots;
	remote->slots = calloc(slots, sizeof(*remote->slots));
	if (!remote_handles_init(remote) || !remote->slots)
		return CSFTP_ERR_NOMEM;
	for (uint32_t i = 0; i < slots; i++)
		remote->slots[i] = (struct remote_slot){.generation = 1,
							.next_free = i + 1};
	return link_init(&remote->link, IN_CAP, PACKET_MAX, OUT_CAP,
			 2 * slots + 2 + CSFTP_PARTS_MAX);
}

enum csftp_err csftp_remote_new(struct csftp_remote **out,
				const struct csftp_remote_config *config)
{
	struct csftp_remote *remote;
	enum csftp_err err;

	if (!out || !config || config->slots > REMOTE_SLOTS_MAX ||
	    config->handles > HANDLES_MAX)
		return CSFTP_ERR_ARG;
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return CSFTP_ERR_NOMEM;
	remote->config = *config;
	if (remote->config.slots == 0)
		remote->config.slots = SLOTS_DEFAULT;
	if (remote->config.handles == 0)
		remote->config.handles = HANDLES_DEFAULT;
	err = remote_init(remote);
	if (err != CSFTP_OK) {
		remote_handles_release(remote);
		free(remote->slots);
		free(remote);
		return err;
	}
	send_init(remote);
	*out = remote;
	return CSFTP_OK;
}

void csftp_remote_free(struct csftp_remote *remote)
{
	if (!remote)
		return;
	link_fail(&remote->link, CSFTP_ERR_EOF);
	link_release(&remote->link);
	remote_handles_release(remote);
	free(remote->slots);
	free(remote);
}

struct csftp_fs *csftp_remote_fs(struct csftp_remote *remote)
{
	return &remote->fs;
}

struct csftp_link *csftp_remote_link(struct csftp_remote *remote)
{
	return &remote->link;
}

uint32_t csftp_remote_extensions(const struct csftp_remote *remote)
{
	return remote->extensions;
}

const char *csftp_remote_message(unsigned message)
{
	static const char prefix[] = "SSH_FXP_";
	const char *name;

	if (message >= SFTP_KINDS)
		return NULL;
	name = sftp_kind_name((enum sftp_kind)message);
	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		name += sizeof(prefix) - 1;
	return name;
}

void csftp_remote_set_trace(struct csftp_remote *remote,
			    void (*trace)(void *arg, const char *line))
{
	remote->config.trace = trace;
}

uint32_t csftp_remote_pending(const struct csftp_remote *remote)
{
	return remote->pending;
}

static bool late(const struct csftp_req *req, uint64_t now_ms, uint64_t *next)
{
	uint64_t at = req->deadline_ms;

	if (at == 0)
		return false;
	if (at <= now_ms)
		return true;
	if (*next == 0 || at < *next)
		*next = at;
	return false;
}

/* A request that is late, or NULL; next becomes the earliest other deadline. */
static struct csftp_req *find_late(const struct csftp_remote *remote,
				   uint64_t now_ms, uint64_t *next)
{
	*next = 0;
	/* Mostly nobody has one; it is looked for after each event. */
	if (remote->timed == 0)
		return NULL;
	for (uint32_t i = 0; i < remote->config.slots; i++) {
		const struct remote_slot *slot = &remote->slots[i];

		if (slot->req && slot->late_err == 0 &&
		    late(slot->req, now_ms, next))
			return slot->req;
	}
	for (struct csftp_req *req = remote->queue.first; req; req = req->next)
		if (late(req, now_ms, next))
			return req;
	for (struct csftp_req *req = remote->bulk.first; req; req = req->next)
		if (late(req, now_ms, next))
			return req;
	return NULL;
}

/* An answer can change anything, so the search starts anew after each. */
uint64_t csftp_remote_tick(struct csftp_remote *remote, uint64_t now_ms)
{
	uint64_t next;
	struct csftp_req *req = find_late(remote, now_ms, &next);

	while (req) {
		give_up(remote, req, ETIMEDOUT);
		req = find_late(remote, now_ms, &next);
	}
	kick(remote);
	return next;
}
