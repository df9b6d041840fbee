/* Events, the order of work, and what moves bytes in and out. */
#include "core/ssh/engine.h"

#include <string.h>

static const char *const phase_names[SSH_PHASE_COUNT] = {
	[SSH_HELLO] = "identification",	   [SSH_START] = "first key exchange",
	[SSH_SERVICE] = "service request", [SSH_AUTH] = "authentication",
	[SSH_RUN] = "connection",
};

bool ssh_is_server(const struct csftp_ssh *ssh)
{
	return ssh->env->config.role == CSFTP_SSH_SERVER;
}

void ssh_set_phase(struct csftp_ssh *ssh, enum ssh_phase phase)
{
	ssh->phase = phase;
	ssh_trace_text(ssh, phase_names[phase]);
}

enum ssh_phase ssh_in_phase(const struct csftp_ssh *ssh)
{
	const struct ssh_kex *kex = ssh->kex;
	bool asked;

	if (!kex || !kex->got || kex->newkeys_got)
		return ssh->phase;
	/* A server is done with the exchange once it has sent its NEWKEYS. */
	asked = kex->newkeys_sent;
	if (kex->first)
		return asked ? SSH_NEWKEYS : SSH_KEX;
	return asked ? SSH_RENEWKEYS : SSH_REKEX;
}

bool ssh_fail(struct csftp_ssh *ssh, enum csftp_err err, uint32_t reason,
	      const char *text)
{
	if (ssh->err != CSFTP_OK)
		return false;
	ssh->err = err;
	ssh->err_reason = reason;
	ssh->err_text = text;
	ssh->question = 0;
	if (err != CSFTP_ERR_EOF && err != CSFTP_ERR_IO &&
	    err != CSFTP_ERR_CRYPTO)
		ssh_send_disconnect(ssh, reason, text);
	return false;
}

bool ssh_whole(struct csftp_ssh *ssh, const struct wire_rd *rd)
{
	enum csftp_err err = wire_rd_end(rd);

	if (err == CSFTP_OK)
		return ssh->err == CSFTP_OK;
	return ssh_fail(ssh, err, CSFTP_SSH_PROTOCOL_ERROR,
			"malformed message");
}

struct csftp_ssh_event *ssh_event(struct csftp_ssh *ssh,
				  enum csftp_ssh_event_kind kind)
{
	*ssh->event = (struct csftp_ssh_event){.kind = kind};
	ssh->has_event = true;
	return ssh->event;
}

void ssh_ask(struct csftp_ssh *ssh, uint8_t msg)
{
	ssh->event->question = true;
	ssh->question = msg;
}

bool ssh_buf_get(struct csftp_ssh *ssh, struct ssh_buf *buf)
{
	const struct csftp_ssh_config *config = &ssh->env->config;

	*buf = (struct ssh_buf){.base = config->buf_get(config->arg)};
	if (!buf->base)
		ssh->starved = true;
	return buf->base != NULL;
}

void ssh_buf_put(struct csftp_ssh *ssh, struct ssh_buf *buf)
{
	if (buf->base)
		ssh->env->config.buf_put(ssh->env->config.arg, buf->base);
	*buf = (struct ssh_buf){.base = NULL};
}

bool ssh_random(struct csftp_ssh *ssh, void *to, size_t len)
{
	if (ssh->env->config.random(ssh->env->config.arg, to, len))
		return true;
	memset(to, 0, len);
	return ssh_fail(ssh, CSFTP_ERR_CRYPTO, CSFTP_SSH_BY_APPLICATION,
			"no random bytes");
}

/* What is borrowed goes back, but for the output. */
static void drop_all(struct csftp_ssh *ssh)
{
	ssh_kex_release(ssh);
	ssh_wipe_packet(ssh);
	ssh_buf_put(ssh, &ssh->in);
	ssh_drop_later(ssh);
	ssh->payload = (struct wire_bytes){.ptr = NULL};
	if (ssh->out.head == ssh->out.tail)
		ssh_buf_put(ssh, &ssh->out);
}

/* The last event. */
static void tell_closed(struct csftp_ssh *ssh)
{
	struct csftp_ssh_event *event;

	if (ssh->has_event)
		return;
	drop_all(ssh);
	if (ssh->closed_told)
		return;
	ssh->closed_told = true;
	event = ssh_event(ssh, CSFTP_SSH_CLOSED);
	event->err = ssh->err;
	event->reason = ssh->err_reason;
	event->text = (struct csftp_ssh_bytes){(const uint8_t *)ssh->err_text,
					       strlen(ssh->err_text)};
}

/* New keys that do not come. */
static void check_exchange(struct csftp_ssh *ssh)
{
	const struct csftp_ssh_config *config = &ssh->env->config;

	if (ssh->kex && ssh_kex_deadline(ssh) != UINT64_MAX &&
	    config->now_ms(config->arg) >= ssh_kex_deadline(ssh))
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_KEX_FAILED,
			       "key exchange took too long");
}

/* What is to be sent without a message that asks for it. */
static void send_due(struct csftp_ssh *ssh)
{
	if (!ssh->hello_sent)
		ssh_hello(ssh);
	ssh_flush_later(ssh);
	ssh_send_adjusts(ssh);
	if (ssh_kex_due(ssh) && ssh_kex_ready(ssh))
		ssh_kex_start(ssh);
}

/*
 * Whether there is a place for messages that cannot be sent yet, as EXT_INFO
 * cannot behind a long answer in a small buffer.
 */
static bool may_wait(struct csftp_ssh *ssh)
{
	return ssh->later.base || ssh_buf_get(ssh, &ssh->later);
}

/*
 * A message that is open may be handled.  While the peer does not read, its
 * requests wait; but not while a key exchange needs its messages.
 */
static bool may_dispatch(struct csftp_ssh *ssh)
{
	uint8_t msg = ssh->payload.ptr[0];
	size_t half = ssh->env->config.buf_size / 2;

	if (msg == SSH_CHANNEL_DATA || msg == SSH_CHANNEL_WINDOW_ADJUST)
		return true;
	if (msg >= SSH_KEXINIT && msg < SSH_USERAUTH_REQUEST)
		return (msg != SSH_KEXINIT || ssh_kex_ready(ssh)) &&
		       (msg != SSH_ECDH_INIT || may_wait(ssh)) &&
		       ssh_out_room(ssh, SSH_MESSAGE_MAX + SSH_OVERHEAD);
	/* Most want an answer, and there has to be a place for it. */
	if (ssh_out_in_kex(ssh))
		return may_wait(ssh);
	if (ssh->later.tail >= half)
		return false;
	return ssh->later.base ||
	       ssh_out_room(ssh, SSH_MESSAGE_MAX + SSH_OVERHEAD) ||
	       may_wait(ssh);
}

/* Buffers that were borrowed in case, and stayed empty. */
static void put_empty(struct csftp_ssh *ssh)
{
	if (ssh->out.base && ssh->out.head == ssh->out.tail)
		ssh_buf_put(ssh, &ssh->out);
	if (ssh->later.base && ssh->later.tail == 0)
		ssh_buf_put(ssh, &ssh->later);
}

/* One packet; false: there is nothing to do now. */
static bool step(struct csftp_ssh *ssh)
{
	if (ssh->err == CSFTP_OK)
		send_due(ssh);
	if (ssh->err == CSFTP_OK && ssh->phase == SSH_HELLO)
		return ssh_read_hello(ssh) || ssh->err != CSFTP_OK;
	if (ssh->err == CSFTP_OK && !ssh->payload.ptr && !ssh_next_packet(ssh))
		return ssh->err != CSFTP_OK;
	if (ssh->err == CSFTP_OK) {
		if (!may_dispatch(ssh))
			return false;
		ssh->dispatched = true;
		ssh_dispatch(ssh);
		if (!ssh->has_event)
			ssh_finish_packet(ssh);
		return true;
	}
	return false;
}

bool csftp_ssh_event(struct csftp_ssh *ssh, struct csftp_ssh_event *event)
{
	if (!event || ssh->question)
		return false;
	ssh->event = event;
	ssh->has_event = false;
	ssh->starved = false;
	ssh->data_room = 0;
	ssh_finish_packet(ssh);
	check_exchange(ssh);
	while (!ssh->has_event && step(ssh))
		;
	if (ssh->err != CSFTP_OK)
		tell_closed(ssh);
	if (ssh->err == CSFTP_OK)
		send_due(ssh);
	/* What answers the question may need them. */
	if (!ssh->question)
		put_empty(ssh);
	ssh->event = NULL;
	return ssh->has_event;
}

enum csftp_err csftp_ssh_answer(struct csftp_ssh *ssh,
				enum csftp_ssh_answer answer)
{
	uint8_t asked = ssh->question;

	if (asked == 0 ||
	    (answer == CSFTP_SSH_PARTLY && asked != SSH_USERAUTH_REQUEST))
		return CSFTP_ERR_STATE;
	ssh->question = 0;
	if (asked == SSH_ECDH_REPLY)
		ssh_kex_hostkey_answer(ssh, answer);
	else if (asked == SSH_USERAUTH_REQUEST)
		ssh_auth_answer(ssh, answer);
	else if (asked == SSH_CHANNEL_OPEN)
		ssh_open_answer(ssh, answer);
	else if (asked == SSH_CHANNEL_REQUEST)
		ssh_request_answer(ssh, answer);
	return CSFTP_OK;
}

unsigned csftp_ssh_wants(const struct csftp_ssh *ssh)
{
	unsigned wants = 0;

	if (ssh->err == CSFTP_OK && !ssh->payload.ptr && !ssh->starved)
		wants |= CSFTP_WANT_IN;
	if (ssh->out.head < ssh->out.tail)
		wants |= CSFTP_WANT_OUT;
	return wants;
}

bool csftp_ssh_starved(const struct csftp_ssh *ssh)
{
	return ssh->starved;
}

uint8_t *csftp_ssh_in(struct csftp_ssh *ssh, size_t *room)
{
	struct ssh_buf *in = &ssh->in;
	size_t cap = ssh->env->config.buf_size;

	*room = 0;
	if (ssh->err != CSFTP_OK || ssh->payload.ptr)
		return NULL;
	if (!in->base && !ssh_buf_get(ssh, in))
		return NULL;
	/* Whole packets were handled: what is left is part of one. */
	if (in->head > 0) {
		memmove(in->base, in->base + in->head, in->tail - in->head);
		in->tail -= in->head;
		in->head = 0;
	}
	*room = cap - in->tail;
	return in->base + in->tail;
}

enum csftp_err csftp_ssh_in_ack(struct csftp_ssh *ssh, size_t len)
{
	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (len > 0 &&
	    (!ssh->in.base || len > ssh->env->config.buf_size - ssh->in.tail))
		return CSFTP_ERR_ARG;
	ssh->in.tail += len;
	if (ssh->in.head == ssh->in.tail)
		ssh_buf_put(ssh, &ssh->in);
	return CSFTP_OK;
}

const uint8_t *csftp_ssh_out(const struct csftp_ssh *ssh, size_t *len)
{
	*len = ssh->out.tail - ssh->out.head;
	return *len > 0 ? ssh->out.base + ssh->out.head : NULL;
}

enum csftp_err csftp_ssh_out_ack(struct csftp_ssh *ssh, size_t len)
{
	struct ssh_buf *out = &ssh->out;

	if (len > out->tail - out->head)
		return CSFTP_ERR_ARG;
	ssh->data_room = 0;
	out->head += len;
	if (out->base && out->head == out->tail)
		ssh_buf_put(ssh, out);
	return CSFTP_OK;
}

uint64_t csftp_ssh_deadline(const struct csftp_ssh *ssh)
{
	uint64_t age = ssh->env->config.rekey_ms;

	if (ssh->err != CSFTP_OK)
		return UINT64_MAX;
	if (ssh->kex)
		return ssh_kex_deadline(ssh);
	if (ssh->phase < SSH_RUN ||
	    ssh->to_peer.packets + ssh->from_peer.packets == 0 ||
	    age > UINT64_MAX - ssh->keys_ms)
		return UINT64_MAX;
	return ssh->keys_ms + age;
}

void csftp_ssh_close(struct csftp_ssh *ssh, enum csftp_err why)
{
	(void)ssh_fail(ssh, why == CSFTP_OK ? CSFTP_ERR_EOF : why,
		       CSFTP_SSH_CONNECTION_LOST, "connection lost");
}

/* The text is sent from where it is; only the engine's own texts are kept. */
void csftp_ssh_disconnect(struct csftp_ssh *ssh, enum csftp_ssh_reason reason,
			  const char *text)
{
	if (ssh->err != CSFTP_OK)
		return;
	ssh_send_disconnect(ssh, reason, text ? text : "");
	(void)ssh_fail(ssh, CSFTP_ERR_EOF, reason, "disconnected by us");
}
