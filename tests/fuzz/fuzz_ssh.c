/*
 * An SSH engine with any peer, of either role: bytes as they come before there
 * are keys, or messages that have been decrypted afterwards, in any phase.  It
 * never asks for more than its pool has, never says anything after its end,
 * and lets nobody in whom its owner did not.
 */
#include <string.h>

#include "core/ssh/engine.h"
#include "tests/fuzz/fuzz.h"

/* How the session goes, from the first byte of the input. */
#define HOW_CLIENT  0x01U
#define HOW_PLAIN   0x02U /* the keys are agreed on, and are none */
#define HOW_AUTH    0x04U /* then: before authentication */
#define HOW_REFUSE  0x08U /* the owner says no */
#define HOW_STARVED 0x10U /* the pool is small */
#define HOW_SLOW    0x20U /* the peer does not read */
#define HOW_HOLD    0x40U /* data is not consumed */
#define HOW_RAW	    0x80U /* plain: packets as they come, too */

enum { BUF = 8192, BUFS = 5 };

struct session {
	unsigned how;
	uint32_t chance;
	uint8_t *pool[BUFS];
	unsigned in_pool;
	struct csftp_ssh_env *env;
	struct csftp_ssh *ssh;
	void *memory;
	bool granted;
	bool over;
	uint32_t channel;
};

static void *take(void *arg)
{
	struct session *session = arg;
	unsigned keep = session->how & HOW_STARVED ? 2 : 0;

	if (session->in_pool <= keep)
		return NULL;
	return session->pool[--session->in_pool];
}

static void put(void *arg, void *buf)
{
	struct session *session = arg;

	must(session->in_pool < BUFS);
	session->pool[session->in_pool++] = buf;
}

static bool fill(void *arg, void *to, size_t len)
{
	struct session *session = arg;
	uint8_t *at = to;

	for (size_t i = 0; i < len; i++) {
		session->chance = session->chance * 1664525 + 1013904223;
		at[i] = (uint8_t)(session->chance >> 24);
	}
	return true;
}

static uint64_t now(void *arg)
{
	(void)arg;
	return 0;
}

static void trace(void *arg, const struct csftp_ssh *ssh, const char *line)
{
	(void)arg;
	(void)ssh;
	for (; *line; line++)
		must(*line >= ' ' && *line <= '~');
}

/* A key costs more to make than a session: once for all inputs. */
static const struct csftp_ssh_key *host_key(void)
{
	static struct csftp_ssh_key *key;

	if (!key)
		must(csftp_ssh_key_make(&key, CSFTP_SSH_ED25519, 0) ==
		     CSFTP_OK);
	return key;
}

static void begin_login(struct session *session)
{
	struct csftp_ssh_signer signer = csftp_ssh_key_signer(host_key());
	struct csftp_ssh *ssh = session->ssh;

	switch (session->chance >> 8 & 3) {
	case 0:
		(void)!csftp_ssh_auth_none(ssh, "u");
		break;
	case 1:
		(void)!csftp_ssh_auth_password(ssh, "u", "p", 1);
		break;
	case 2:
		(void)!csftp_ssh_auth_keyboard(ssh, "u");
		break;
	default:
		(void)!csftp_ssh_auth_try_key(ssh, "u", signer.key);
		break;
	}
}

static void answer_prompts(struct session *session,
			   const struct csftp_ssh_event *event)
{
	struct csftp_ssh_bytes answers[32] = {{.ptr = NULL}}, text;
	bool echo;

	must(event->prompts <= 32);
	for (uint32_t i = 0; i < event->prompts; i++)
		must(csftp_ssh_prompt(event, i, &text, &echo) == CSFTP_OK);
	(void)!csftp_ssh_auth_answers(session->ssh, answers, event->prompts);
}

/* Reads all that an event points at, for the sanitizer to see. */
static void touch(const struct csftp_ssh_bytes *bytes)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < bytes->len; i++)
		sum = (uint8_t)(sum + bytes->ptr[i]);
}

static void on_event(struct session *session,
		     const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = session->ssh;
	bool yes = !(session->how & HOW_REFUSE);

	must(!session->over);
	touch(&event->data);
	touch(&event->more);
	touch(&event->text);
	touch(&event->user);
	touch(&event->password);
	touch(&event->key);
	if (event->kind == CSFTP_SSH_CLOSED)
		session->over = true;
	if (event->kind == CSFTP_SSH_AUTH && yes && !event->query)
		session->granted = true;
	if (event->kind == CSFTP_SSH_READY ||
	    event->kind == CSFTP_SSH_AUTH_FAILED)
		begin_login(session);
	if (event->kind == CSFTP_SSH_AUTH_PROMPTS)
		answer_prompts(session, event);
	if (event->kind == CSFTP_SSH_CHANNEL_OPEN ||
	    event->kind == CSFTP_SSH_OPENED)
		session->channel = event->channel;
	if (event->kind == CSFTP_SSH_OPENED)
		(void)!csftp_ssh_exec(ssh, event->channel, "x");
	if (event->kind == CSFTP_SSH_DATA && !(session->how & HOW_HOLD))
		must(csftp_ssh_consumed(ssh, event->channel, event->data.len) ==
		     CSFTP_OK);
	if (event->question)
		must(csftp_ssh_answer(ssh, yes ? CSFTP_SSH_YES
					       : CSFTP_SSH_NO) == CSFTP_OK);
}

/* What an owner may do at any time, some of it at the wrong time. */
static void meddle(struct session *session)
{
	struct csftp_ssh *ssh = session->ssh;
	size_t room;
	uint8_t *to;

	switch (session->chance >> 16 & 15) {
	case 0:
		(void)!csftp_ssh_rekey(ssh);
		break;
	case 1:
		(void)!csftp_ssh_ping(ssh);
		break;
	case 2:
		(void)!csftp_ssh_open(ssh, &session->channel);
		break;
	case 3:
		(void)!csftp_ssh_send_eof(ssh, session->channel);
		break;
	case 4:
		(void)!csftp_ssh_channel_close(ssh, session->channel);
		break;
	case 5:
		(void)!csftp_ssh_exec(ssh, session->channel, "x");
		break;
	case 6:
		(void)!csftp_ssh_exit_status(ssh, session->channel, 1);
		break;
	default:
		to = csftp_ssh_room(ssh, session->channel, CSFTP_SSH_STDOUT,
				    &room);
		if (room > 100)
			room = 100;
		if (room > 0) {
			memset(to, 'd', room);
			must(csftp_ssh_send(ssh, session->channel, room) ==
			     CSFTP_OK);
		}
		break;
	}
}

static void work(struct session *session)
{
	struct csftp_ssh_event event;
	size_t len;

	while (csftp_ssh_event(session->ssh, &event))
		on_event(session, &event);
	if (session->how & HOW_SLOW)
		return;
	(void)csftp_ssh_out(session->ssh, &len);
	must(csftp_ssh_out_ack(session->ssh, len) == CSFTP_OK);
}

static void give(struct session *session, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t room, n;
		uint8_t *in = csftp_ssh_in(session->ssh, &room);

		n = fuzz_min(fuzz_min(len, room),
			     1 + (session->chance >> 20) % 700);
		if (n == 0)
			return;
		memcpy(in, bytes, n);
		(void)!csftp_ssh_in_ack(session->ssh, n);
		bytes += n;
		len -= n;
		work(session);
	}
}

/* The input as messages, each behind two bytes of length, in plain packets. */
static void give_messages(struct session *session, const uint8_t *input,
			  size_t len)
{
	static const uint8_t zero[16];

	while (len > 2 && !session->over) {
		size_t part = fuzz_min(
			((size_t)input[0] << 8 | input[1]) & 4095, len - 2);
		size_t padding = 8 - (5 + part) % 8 + 4;
		uint8_t head[5];

		padding = padding >= 12 ? padding - 8 : padding;
		while ((5 + part + padding) % 8 != 0)
			padding++;
		wire_put_u32(head, (uint32_t)(1 + part + padding));
		head[4] = (uint8_t)padding;
		give(session, head, sizeof(head));
		give(session, input + 2, part);
		give(session, zero, padding);
		input += 2 + part;
		len -= 2 + part;
		fill(session, (uint8_t[1]){0}, 1);
		meddle(session);
		work(session);
	}
}

/* As after a key exchange whose cipher is none. */
static void skip_exchange(struct session *session)
{
	struct csftp_ssh *ssh = session->ssh;

	work(session);
	ssh_kex_release(ssh);
	ssh->session_len = 32;
	ssh->strict = true;
	ssh->phase = session->how & HOW_AUTH ? SSH_SERVICE : SSH_RUN;
	session->granted = !(session->how & HOW_AUTH);
	if (session->granted && (session->how & HOW_CLIENT))
		must(csftp_ssh_open(ssh, &session->channel) == CSFTP_OK);
}

static void start(struct session *session, const uint8_t *input)
{
	static const struct csftp_ssh_key *keys[1];
	struct csftp_ssh_config config = {
		.role = input[0] & HOW_CLIENT ? CSFTP_SSH_CLIENT
					      : CSFTP_SSH_SERVER,
		.buf_size = BUF,
		.buf_get = take,
		.buf_put = put,
		.random = fill,
		.now_ms = now,
		.trace = trace,
		.arg = session,
		.keys = keys,
		.key_count = 1,
		.window = 500,
		.window_max = 3000,
		.channels = 3,
		.auth_methods = CSFTP_SSH_AUTH_NONE | CSFTP_SSH_AUTH_PASSWORD |
				CSFTP_SSH_AUTH_PUBLICKEY,
	};

	keys[0] = host_key();
	session->how = input[0];
	session->chance = input[1] * 40503U;
	while (session->in_pool < BUFS) {
		session->pool[session->in_pool] = malloc(BUF);
		must(session->pool[session->in_pool++] != NULL);
	}
	must(csftp_ssh_env_new(&session->env, &config) == CSFTP_OK);
	session->memory = malloc(csftp_ssh_size(session->env));
	must(session->memory != NULL);
	session->ssh = csftp_ssh_init(session->env, session->memory);
	if (session->how & HOW_PLAIN)
		skip_exchange(session);
}

static void stop(struct session *session)
{
	csftp_ssh_close(session->ssh, CSFTP_ERR_EOF);
	work(session);
	must(session->over);
	csftp_ssh_release(session->ssh);
	must(session->in_pool == BUFS);
	csftp_ssh_env_free(session->env);
	free(session->memory);
	while (session->in_pool > 0)
		free(session->pool[--session->in_pool]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct session session = {.how = 0};

	if (len < 2)
		return 0;
	start(&session, input);
	work(&session);
	if ((session.how & HOW_PLAIN) && !(session.how & HOW_RAW))
		give_messages(&session, input + 2, len - 2);
	else
		give(&session, input + 2, len - 2);
	/* Nobody gets further than the owner let him. */
	if (!(session.how & HOW_CLIENT) && session.ssh->phase == SSH_RUN)
		must(session.granted);
	stop(&session);
	return 0;
}
