/* Channels: opening, data, windows, closing (RFC 4254, 5). */
#include "core/ssh/channel.h"

#include "core/ssh/channels.h"
#include "core/ssh/engine.h"
#include "core/ssh/names.h"

/* RFC 4254, 5.1. */
enum { PROHIBITED = 1, UNKNOWN_TYPE = 3, SHORTAGE = 4 };

enum { STDERR_TYPE = 1, DATA_HEAD = 9, EXTENDED_HEAD = 13 };

/* Data in smaller pieces than this, or a quarter of a buffer, waits until
 * output has gone. */
enum { PIECE_MIN = 4096 };

/*
 * So much, or half of a smaller window, is granted at once: what is held back
 * of a large one is not under way.
 */
enum { GRANT = 1 << 20 };

/*
 * Half a window that is used up in less time could be in the way: one that is
 * takes no more than a round trip, and few are as long as this.
 */
enum { WINDOW_GROWS_MS = 2000 };

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint32_t number_of(const struct csftp_ssh *ssh,
			  const struct ssh_channel *channel)
{
	return channel->generation << SSH_SLOT_BITS |
	       (uint32_t)(channel - ssh->channel);
}

static struct ssh_channel *channel_at(struct csftp_ssh *ssh, uint32_t number)
{
	uint32_t slot = number & ((1U << SSH_SLOT_BITS) - 1);
	struct ssh_channel *channel = &ssh->channel[slot];

	if (slot >= ssh->env->config.channels || channel->state == SSH_FREE ||
	    channel->generation != number >> SSH_SLOT_BITS)
		return NULL;
	return channel;
}

/* One that the peer names has to be there. */
struct ssh_channel *ssh_channel_named(struct csftp_ssh *ssh, uint32_t number,
				      enum ssh_channel_state state)
{
	struct ssh_channel *channel = channel_at(ssh, number);

	if (channel && channel->state == state)
		return channel;
	(void)ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
		       "no such channel");
	return NULL;
}

enum csftp_err ssh_channel_of_owner(struct csftp_ssh *ssh, uint32_t number,
				    struct ssh_channel **out)
{
	struct ssh_channel *channel = channel_at(ssh, number);

	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (!channel)
		return CSFTP_ERR_ARG;
	if (channel->state != SSH_OPEN_NOW || channel->ours == SSH_SAYS_CLOSE)
		return CSFTP_ERR_STATE;
	*out = channel;
	return CSFTP_OK;
}

static struct ssh_channel *take_slot(struct csftp_ssh *ssh,
				     enum ssh_channel_state state)
{
	for (uint32_t i = 0; i < ssh->env->config.channels; i++) {
		struct ssh_channel *channel = &ssh->channel[i];
		uint32_t generation = channel->generation;

		if (channel->state != SSH_FREE)
			continue;
		*channel = (struct ssh_channel){
			.state = state,
			.generation = generation,
			.window = ssh->env->config.window,
			.window_size = ssh->env->config.window,
		};
		return channel;
	}
	return NULL;
}

static void free_slot(struct ssh_channel *channel)
{
	uint32_t next = channel->generation + 1;

	*channel = (struct ssh_channel){
		.generation = next & (UINT32_MAX >> SSH_SLOT_BITS)};
}

/* What a packet holds besides the data comes off the announced size. */
static uint32_t packet_max(const struct csftp_ssh *ssh)
{
	return (uint32_t)(ssh->env->config.buf_size - SSH_OVERHEAD -
			  EXTENDED_HEAD);
}

static void refuse_open(struct csftp_ssh *ssh, uint32_t peer, uint32_t reason,
			const char *text)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_CHANNEL_OPEN_FAILURE);

	wire_wr_u32(&wr, peer);
	wire_wr_u32(&wr, reason);
	ssh_wr_text(&wr, text);
	ssh_wr_text(&wr, "");
	ssh_reply(ssh, &wr);
}

void ssh_on_open(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes type = wire_rd_string(rd, rd->left);
	uint32_t peer = wire_rd_u32(rd);
	uint32_t window = wire_rd_u32(rd);
	uint32_t packet = wire_rd_u32(rd);
	struct ssh_channel *channel;

	/* Other types have fields of their own behind. */
	if (!ssh_is(type, "session") || !ssh_is_server(ssh)) {
		(void)wire_rd_rest(rd);
		if (ssh_whole(ssh, rd))
			refuse_open(ssh, peer, UNKNOWN_TYPE,
				    "unknown channel type");
		return;
	}
	if (!ssh_whole(ssh, rd))
		return;
	if (ssh->conn.no_more_sessions) {
		refuse_open(ssh, peer, PROHIBITED, "no more sessions");
		return;
	}
	channel = take_slot(ssh, SSH_ASKED);
	if (!channel) {
		refuse_open(ssh, peer, SHORTAGE, "too many channels");
		return;
	}
	channel->peer = peer;
	channel->peer_window = window;
	channel->peer_packet = packet;
	ssh->question_channel = number_of(ssh, channel);
	ssh_event(ssh, CSFTP_SSH_CHANNEL_OPEN)->channel = ssh->question_channel;
	ssh_ask(ssh, SSH_CHANNEL_OPEN);
}

void ssh_open_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer)
{
	struct ssh_channel *channel = channel_at(ssh, ssh->question_channel);
	struct wire_wr wr;

	if (answer != CSFTP_SSH_YES) {
		refuse_open(ssh, channel->peer, PROHIBITED, "refused");
		free_slot(channel);
		return;
	}
	channel->state = SSH_OPEN_NOW;
	wr = ssh_begin(ssh, SSH_CHANNEL_OPEN_CONFIRMATION);
	wire_wr_u32(&wr, channel->peer);
	wire_wr_u32(&wr, number_of(ssh, channel));
	wire_wr_u32(&wr, channel->window);
	wire_wr_u32(&wr, packet_max(ssh));
	ssh_reply(ssh, &wr);
}

enum csftp_err csftp_ssh_open(struct csftp_ssh *ssh, uint32_t *number)
{
	struct ssh_channel *channel;
	enum csftp_err err;
	struct wire_wr wr;

	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (!number)
		return CSFTP_ERR_ARG;
	if (ssh_is_server(ssh) || ssh->phase != SSH_RUN)
		return CSFTP_ERR_STATE;
	channel = take_slot(ssh, SSH_OPENING);
	if (!channel)
		return CSFTP_ERR_NO_ROOM;
	wr = ssh_begin(ssh, SSH_CHANNEL_OPEN);
	ssh_wr_text(&wr, "session");
	wire_wr_u32(&wr, number_of(ssh, channel));
	wire_wr_u32(&wr, channel->window);
	wire_wr_u32(&wr, packet_max(ssh));
	err = ssh_end(ssh, &wr);
	if (err != CSFTP_OK) {
		channel->state = SSH_FREE;
		return err;
	}
	*number = number_of(ssh, channel);
	return CSFTP_OK;
}

void ssh_on_open_confirmation(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	uint32_t peer = wire_rd_u32(rd);
	uint32_t window = wire_rd_u32(rd);
	uint32_t packet = wire_rd_u32(rd);
	struct ssh_channel *channel;

	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPENING);
	if (!channel)
		return;
	channel->state = SSH_OPEN_NOW;
	channel->peer = peer;
	channel->peer_window = window;
	channel->peer_packet = packet;
	ssh_event(ssh, CSFTP_SSH_OPENED)->channel = number;
}

void ssh_on_open_failure(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	uint32_t reason = wire_rd_u32(rd);
	struct wire_bytes text = wire_rd_string(rd, rd->left);
	struct ssh_channel *channel;
	struct csftp_ssh_event *event;

	(void)wire_rd_string(rd, rd->left);
	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPENING);
	if (!channel)
		return;
	free_slot(channel);
	event = ssh_event(ssh, CSFTP_SSH_REFUSED);
	event->channel = number;
	event->reason = reason;
	event->text = ssh_shown(text);
}

/* RFC 4254, 5.2: "The window MUST NOT be increased above 2^32 - 1 bytes." */
void ssh_on_window_adjust(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	uint32_t more = wire_rd_u32(rd);
	struct ssh_channel *channel;

	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	if (!channel)
		return;
	if (more > UINT32_MAX - channel->peer_window)
		(void)ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
			       "window above its limit");
	else
		channel->peer_window += more;
}

static bool may_come(const struct csftp_ssh *ssh,
		     const struct ssh_channel *channel, size_t len)
{
	return channel->theirs == SSH_SAYS_DATA && len <= channel->window &&
	       len <= packet_max(ssh);
}

bool ssh_would_take(struct csftp_ssh *ssh, uint32_t number, size_t len)
{
	const struct ssh_channel *channel = channel_at(ssh, number);

	return channel && channel->state == SSH_OPEN_NOW &&
	       channel->ours != SSH_SAYS_CLOSE && len > 0 &&
	       may_come(ssh, channel, len);
}

static void take_data(struct csftp_ssh *ssh, uint32_t number,
		      struct wire_bytes data, bool from_stderr)
{
	struct ssh_channel *channel =
		ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	struct csftp_ssh_event *event;

	if (!channel)
		return;
	if (!may_come(ssh, channel, data.len)) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "data beyond the window or the end");
		return;
	}
	channel->window -= (uint32_t)data.len;
	/* Nobody waits for it any more; the peer has yet to learn that. */
	if (channel->ours == SSH_SAYS_CLOSE || data.len == 0)
		return;
	channel->held += (uint32_t)data.len;
	event = ssh_event(ssh, CSFTP_SSH_DATA);
	event->channel = number;
	event->placed = ssh->placed;
	event->data = ssh_shown((struct wire_bytes){data.ptr + ssh->placed,
						    data.len - ssh->placed});
	event->stderr_data = from_stderr;
}

void ssh_on_data(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	struct wire_bytes data = wire_rd_string(rd, rd->left);

	if (ssh_whole(ssh, rd))
		take_data(ssh, number, data, false);
}

/* RFC 4254, 5.2 defines one type, and a client has none to send. */
void ssh_on_extended_data(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	uint32_t type = wire_rd_u32(rd);
	struct wire_bytes data = wire_rd_string(rd, rd->left);

	if (!ssh_whole(ssh, rd))
		return;
	if (type != STDERR_TYPE || ssh_is_server(ssh))
		(void)ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
			       "unknown type of data");
	else
		take_data(ssh, number, data, true);
}

/* What the peer could be granted, were it told now. */
static uint32_t grantable(const struct ssh_channel *channel)
{
	uint32_t used = channel->window + channel->held;

	return used < channel->window_size ? channel->window_size - used : 0;
}

static void grow_window(struct csftp_ssh *ssh, struct ssh_channel *channel)
{
	const struct csftp_ssh_config *config = &ssh->env->config;
	uint64_t now;

	channel->used += grantable(channel);
	if (channel->used < channel->window_size / 2)
		return;
	channel->used = 0;
	now = config->now_ms(config->arg);
	if (now - channel->adjust_ms < WINDOW_GROWS_MS)
		channel->window_size =
			channel->window_size > config->window_max / 2
				? config->window_max
				: 2 * channel->window_size;
	channel->adjust_ms = now;
}

enum csftp_err csftp_ssh_consumed(struct csftp_ssh *ssh, uint32_t number,
				  size_t len)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);

	if (err != CSFTP_OK)
		return err;
	if (len > channel->held)
		return CSFTP_ERR_ARG;
	channel->held -= (uint32_t)len;
	if (channel->adjust || channel->theirs != SSH_SAYS_DATA ||
	    grantable(channel) < smaller(channel->window_size / 2, GRANT))
		return CSFTP_OK;
	grow_window(ssh, channel);
	channel->adjust = true;
	ssh->conn.adjusts = true;
	return CSFTP_OK;
}

static bool send_adjust(struct csftp_ssh *ssh, struct ssh_channel *channel)
{
	uint32_t more = grantable(channel);
	struct wire_wr wr;

	channel->adjust = false;
	if (channel->state != SSH_OPEN_NOW || more == 0 ||
	    channel->ours == SSH_SAYS_CLOSE || channel->theirs != SSH_SAYS_DATA)
		return true;
	wr = ssh_begin(ssh, SSH_CHANNEL_WINDOW_ADJUST);
	wire_wr_u32(&wr, channel->peer);
	wire_wr_u32(&wr, more);
	channel->window += more;
	ssh_reply(ssh, &wr);
	return true;
}

/* Adjustments wait as a mark, not as messages: data of both ways at once
 * could otherwise fill the output of both sides, and then nobody reads. */
void ssh_send_adjusts(struct csftp_ssh *ssh)
{
	if (!ssh->conn.adjusts)
		return;
	for (uint32_t i = 0; i < ssh->env->config.channels; i++) {
		if (!ssh->channel[i].adjust)
			continue;
		if (ssh_out_in_kex(ssh) || ssh->later.tail > 0 ||
		    !ssh_out_room(ssh, SSH_MESSAGE_MAX + SSH_OVERHEAD))
			return;
		(void)send_adjust(ssh, &ssh->channel[i]);
	}
	ssh->conn.adjusts = false;
}

/* What is left to send is moved to the front only where that is little. */
static bool has_room_for(struct csftp_ssh *ssh, size_t len)
{
	const struct ssh_buf *out = &ssh->out;
	size_t cap = ssh->env->config.buf_size;
	size_t piece = smaller(smaller(len, PIECE_MIN), cap / 4) + SSH_OVERHEAD;

	if (out->base && piece > cap - out->tail &&
	    out->tail - out->head > cap / 2)
		return false;
	return ssh_out_room(ssh, piece);
}

uint8_t *csftp_ssh_room(struct csftp_ssh *ssh, uint32_t number,
			enum csftp_ssh_data which, size_t *room)
{
	uint32_t head = which == CSFTP_SSH_STDERR ? EXTENDED_HEAD : DATA_HEAD;
	struct ssh_channel *channel;
	size_t most, free;

	*room = 0;
	ssh->data_room = 0;
	if (ssh_channel_of_owner(ssh, number, &channel) != CSFTP_OK ||
	    channel->ours != SSH_SAYS_DATA || ssh_out_in_kex(ssh) ||
	    ssh->later.tail > 0)
		return NULL;
	most = smaller(channel->peer_window, channel->peer_packet);
	if (most == 0)
		return NULL;
	if (!has_room_for(ssh, head + most))
		return NULL;
	free = ssh->env->config.buf_size - ssh->out.tail - head - SSH_OVERHEAD;
	ssh->data_header = head;
	ssh->data_channel = number;
	ssh->data_room = smaller(most, free);
	*room = ssh->data_room;
	return ssh->out.base + ssh->out.tail + 5 + head;
}

/* The head of a packet of data; returns how long it is. */
static size_t put_data_head(struct csftp_ssh *ssh, struct ssh_channel *channel,
			    size_t len)
{
	struct wire_wr wr = {.base = ssh->out.base + ssh->out.tail + 5,
			     .cap = EXTENDED_HEAD};

	wire_wr_u8(&wr, ssh->data_header == DATA_HEAD
				? SSH_CHANNEL_DATA
				: SSH_CHANNEL_EXTENDED_DATA);
	wire_wr_u32(&wr, channel->peer);
	if (ssh->data_header == EXTENDED_HEAD)
		wire_wr_u32(&wr, STDERR_TYPE);
	wire_wr_u32(&wr, (uint32_t)len);
	channel->peer_window -= (uint32_t)len;
	ssh->data_room = 0;
	return wr.len;
}

enum csftp_err csftp_ssh_send(struct csftp_ssh *ssh, uint32_t number,
			      size_t len)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);

	if (err != CSFTP_OK)
		return err;
	if (len > ssh->data_room || number != ssh->data_channel)
		return CSFTP_ERR_ARG;
	if (len > 0)
		return ssh_out_seal(ssh,
				    put_data_head(ssh, channel, len) + len);
	ssh->data_room = 0;
	if (ssh->out.head == ssh->out.tail)
		ssh_buf_put(ssh, &ssh->out);
	return CSFTP_OK;
}

enum csftp_err csftp_ssh_send_from(struct csftp_ssh *ssh, uint32_t number,
				   enum csftp_ssh_data which,
				   const struct csftp_slice *slice,
				   size_t count, size_t *sent)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);
	size_t room, head, len = 0;

	*sent = 0;
	if (err != CSFTP_OK)
		return err;
	(void)csftp_ssh_room(ssh, number, which, &room);
	for (size_t i = 0; i < count && len < room && slice[i].ptr; i++)
		len += smaller(slice[i].len, room - len);
	if (len == 0)
		return room > 0 ? csftp_ssh_send(ssh, number, 0) : CSFTP_OK;
	head = put_data_head(ssh, channel, len);
	err = ssh_out_seal_from(ssh, head, slice, head + len);
	if (err == CSFTP_OK)
		*sent = len;
	return err;
}

static enum csftp_err send_short(struct csftp_ssh *ssh, uint8_t msg,
				 const struct ssh_channel *channel)
{
	struct wire_wr wr = ssh_begin(ssh, msg);

	wire_wr_u32(&wr, channel->peer);
	return ssh_end(ssh, &wr);
}

enum csftp_err csftp_ssh_send_eof(struct csftp_ssh *ssh, uint32_t number)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);

	if (err == CSFTP_OK && channel->ours != SSH_SAYS_DATA)
		err = CSFTP_ERR_STATE;
	if (err == CSFTP_OK)
		err = send_short(ssh, SSH_CHANNEL_EOF, channel);
	if (err == CSFTP_OK)
		channel->ours = SSH_SAYS_EOF;
	return err;
}

enum csftp_err csftp_ssh_channel_close(struct csftp_ssh *ssh, uint32_t number)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);

	if (err == CSFTP_OK)
		err = send_short(ssh, SSH_CHANNEL_CLOSE, channel);
	if (err == CSFTP_OK)
		channel->ours = SSH_SAYS_CLOSE;
	return err;
}

void ssh_on_eof(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	struct ssh_channel *channel;

	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	if (!channel)
		return;
	/* Some clients close their end twice (Go's SFTP), and mean no harm. */
	if (channel->theirs != SSH_SAYS_DATA)
		return;
	channel->theirs = SSH_SAYS_EOF;
	if (channel->ours != SSH_SAYS_CLOSE)
		ssh_event(ssh, CSFTP_SSH_EOF)->channel = number;
}

/* RFC 4254, 5.3: "MUST send back a SSH_MSG_CHANNEL_CLOSE unless it has". */
void ssh_on_close(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	struct ssh_channel *channel;
	struct wire_wr wr;

	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	if (!channel)
		return;
	if (channel->ours != SSH_SAYS_CLOSE) {
		wr = ssh_begin(ssh, SSH_CHANNEL_CLOSE);
		wire_wr_u32(&wr, channel->peer);
		ssh_reply(ssh, &wr);
	}
	free_slot(channel);
	if (ssh->err == CSFTP_OK)
		ssh_event(ssh, CSFTP_SSH_CHANNEL_CLOSED)->channel = number;
}
