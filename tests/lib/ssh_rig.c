#include "tests/lib/ssh_rig.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

static const struct csftp_ssh_key **key_slot(enum csftp_ssh_key_type type)
{
	static const struct csftp_ssh_key *keys[CSFTP_SSH_RSA + 1];

	return &keys[type];
}

const struct csftp_ssh_key *ssh_rig_key(enum csftp_ssh_key_type type)
{
	const struct csftp_ssh_key **slot = key_slot(type);
	struct csftp_ssh_key *key;

	if (!*slot) {
		assert_int_equal(csftp_ssh_key_make(&key, type, 2048),
				 CSFTP_OK);
		*slot = key;
	}
	return *slot;
}

void ssh_rig_free_keys(void)
{
	for (unsigned i = 0; i <= CSFTP_SSH_RSA; i++) {
		const struct csftp_ssh_key **slot =
			key_slot((enum csftp_ssh_key_type)i);

		csftp_ssh_key_free((struct csftp_ssh_key *)(uintptr_t)*slot);
		*slot = NULL;
	}
}

static void *buf_get(void *arg)
{
	struct ssh_side *side = arg;

	if (side->fail_get > 0 && --side->fail_get == 0)
		return NULL;
	if (side->limit > 0 && side->borrowed >= side->limit)
		return NULL;
	if (++side->borrowed > side->most)
		side->most = side->borrowed;
	return malloc(side->config.buf_size);
}

static void buf_put(void *arg, void *buf)
{
	struct ssh_side *side = arg;

	side->borrowed--;
	free(buf);
}

static bool fill(void *arg, void *to, size_t len)
{
	struct ssh_side *side = arg;
	uint8_t *at = to;

	if (side->fail_random == 1)
		return false;
	if (side->fail_random > 1)
		side->fail_random--;
	for (size_t i = 0; i < len; i++) {
		side->chance ^= side->chance << 13;
		side->chance ^= side->chance >> 7;
		side->chance ^= side->chance << 17;
		at[i] = (uint8_t)side->chance;
	}
	return true;
}

static uint64_t now(void *arg)
{
	struct ssh_side *side = arg;

	return side->rig ? side->rig->now_ms : 0;
}

static void trace(void *arg, const struct csftp_ssh *ssh, const char *line)
{
	struct ssh_side *side = arg;
	size_t len = strlen(line);

	(void)ssh;
	if (!side->traces || len + 2 > sizeof(side->lines) - side->lines_len)
		return;
	memcpy(side->lines + side->lines_len, line, len);
	side->lines_len += len;
	side->lines[side->lines_len++] = '\n';
	side->lines[side->lines_len] = '\0';
}

struct csftp_ssh_config ssh_side_config(struct ssh_side *side,
					enum csftp_ssh_role role)
{
	return (struct csftp_ssh_config){
		.role = role,
		.buf_size = 65536,
		.buf_get = buf_get,
		.buf_put = buf_put,
		.random = fill,
		.now_ms = now,
		.trace = trace,
		.arg = side,
	};
}

void ssh_rig_init(struct ssh_rig *rig)
{
	static const struct csftp_ssh_key *keys[1];

	*rig = (struct ssh_rig){.now_ms = 1000};
	rig->client.rig = rig;
	rig->server.rig = rig;
	rig->client.chance = 0x1234567;
	rig->server.chance = 0x7654321;
	rig->client.config = ssh_side_config(&rig->client, CSFTP_SSH_CLIENT);
	rig->server.config = ssh_side_config(&rig->server, CSFTP_SSH_SERVER);
	keys[0] = ssh_rig_key(CSFTP_SSH_ED25519);
	rig->server.config.keys = keys;
	rig->server.config.key_count = 1;
	rig->server.config.auth_methods = CSFTP_SSH_AUTH_NONE |
					  CSFTP_SSH_AUTH_PASSWORD |
					  CSFTP_SSH_AUTH_PUBLICKEY;
}

static void start_side(struct ssh_side *side)
{
	if (!side->shares_env)
		assert_int_equal(csftp_ssh_env_new(&side->env, &side->config),
				 CSFTP_OK);
	side->memory = malloc(csftp_ssh_size(side->env));
	assert_non_null(side->memory);
	side->ssh = csftp_ssh_init(side->env, side->memory);
	csftp_ssh_set_user(side->ssh, side);
	side->got_hash = 0xcbf29ce484222325;
}

void ssh_rig_start(struct ssh_rig *rig)
{
	start_side(&rig->client);
	start_side(&rig->server);
}

void ssh_rig_start_in(struct ssh_rig *rig, struct ssh_rig *other)
{
	rig->client.env = other->client.env;
	rig->client.shares_env = true;
	rig->server.env = other->server.env;
	rig->server.shares_env = true;
	ssh_rig_start(rig);
}

static void stop_side(struct ssh_side *side)
{
	csftp_ssh_release(side->ssh);
	assert_int_equal(side->borrowed, 0);
	if (!side->shares_env)
		csftp_ssh_env_free(side->env);
	free(side->memory);
	free(side->got);
	side->got = NULL;
}

void ssh_rig_stop(struct ssh_rig *rig)
{
	stop_side(&rig->client);
	stop_side(&rig->server);
}

static void take_data(struct ssh_side *side,
		      const struct csftp_ssh_event *event)
{
	size_t len = event->data.len;

	for (size_t i = 0; i < len; i++)
		side->got_hash =
			(side->got_hash ^ event->data.ptr[i]) * 0x100000001b3;
	side->got_total += len;
	if (side->keep) {
		if (len > side->got_cap - side->got_len) {
			side->got_cap = 2 * (side->got_cap + len);
			side->got = realloc(side->got, side->got_cap);
			assert_non_null(side->got);
		}
		memcpy(side->got + side->got_len, event->data.ptr, len);
		side->got_len += len;
	}
	if (side->echo)
		side->owed += len;
	if (!side->hold)
		(void)!csftp_ssh_consumed(side->ssh, event->channel, len);
}

static void note(struct ssh_side *side, const struct csftp_ssh_event *event)
{
	size_t len = event->text.len < sizeof(side->text) - 1
			     ? event->text.len
			     : sizeof(side->text) - 1;

	side->count[event->kind]++;
	side->last = *event;
	if (event->text.ptr) {
		memcpy(side->text, event->text.ptr, len);
		side->text[len] = '\0';
	}
	if (event->kind == CSFTP_SSH_DATA || event->kind == CSFTP_SSH_OPENED ||
	    event->kind == CSFTP_SSH_CHANNEL_OPEN)
		side->channel = event->channel;
}

bool ssh_side_events(struct ssh_side *side)
{
	struct csftp_ssh_event event;
	bool any = false;

	while (csftp_ssh_event(side->ssh, &event)) {
		any = true;
		note(side, &event);
		if (side->rig->on_event && side->rig->on_event(side, &event))
			continue;
		if (event.kind == CSFTP_SSH_DATA)
			take_data(side, &event);
		if (event.question)
			assert_int_equal(
				csftp_ssh_answer(side->ssh, CSFTP_SSH_YES),
				CSFTP_OK);
	}
	return any;
}

static void pay(struct ssh_side *side)
{
	if (side->owed > 0)
		side->owed -= ssh_side_send(side, side->channel, side->owed);
}

static size_t limit_piece(const struct ssh_rig *rig, const struct ssh_side *to,
			  size_t len)
{
	if (rig->piece > 0 && len > rig->piece)
		len = rig->piece;
	if (to == &rig->server && rig->cut > rig->moved_up &&
	    len > rig->cut - rig->moved_up)
		len = rig->cut - rig->moved_up;
	return len;
}

static bool carry(struct ssh_side *from, struct ssh_side *to)
{
	struct ssh_rig *rig = from->rig;
	size_t len, room;
	const uint8_t *out = csftp_ssh_out(from->ssh, &len);
	uint8_t *in;

	assert_int_equal(len > 0,
			 !!(csftp_ssh_wants(from->ssh) & CSFTP_WANT_OUT));
	if (len == 0)
		return false;
	/* An ended engine takes nothing: its owner drops the rest. */
	if (csftp_ssh_wants(to->ssh) == 0 && to->ssh->err != CSFTP_OK) {
		assert_int_equal(csftp_ssh_out_ack(from->ssh, len), CSFTP_OK);
		return true;
	}
	if (!(csftp_ssh_wants(to->ssh) & CSFTP_WANT_IN))
		return false;
	in = csftp_ssh_in(to->ssh, &room);
	len = limit_piece(rig, to, len < room ? len : room);
	if (len > 0)
		memcpy(in, out, len);
	if (rig->tap)
		rig->tap(rig, to, in, len);
	(void)!csftp_ssh_in_ack(to->ssh, len);
	assert_int_equal(csftp_ssh_out_ack(from->ssh, len), CSFTP_OK);
	*(to == &rig->server ? &rig->moved_up : &rig->moved_down) += len;
	return len > 0;
}

bool ssh_rig_move(struct ssh_rig *rig)
{
	bool any = ssh_side_events(&rig->client);

	pay(&rig->client);
	any = ssh_side_events(&rig->server) || any;
	pay(&rig->server);
	any = carry(&rig->client, &rig->server) || any;
	any = carry(&rig->server, &rig->client) || any;
	return any;
}

void ssh_rig_run(struct ssh_rig *rig)
{
	int still = 0;

	/* Who was refused a buffer asks once more. */
	while (still < 3)
		still = ssh_rig_move(rig) ? 0 : still + 1;
}

void ssh_side_feed(struct ssh_side *side, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0) {
		size_t room;
		uint8_t *in = csftp_ssh_in(side->ssh, &room);
		size_t n = len < room ? len : room;

		if (n == 0)
			return;
		memcpy(in, next, n);
		(void)!csftp_ssh_in_ack(side->ssh, n);
		next += n;
		len -= n;
		(void)ssh_side_events(side);
	}
}

void ssh_rig_login(struct ssh_rig *rig)
{
	ssh_rig_run(rig);
	assert_int_equal(rig->client.count[CSFTP_SSH_READY], 1);
	assert_int_equal(csftp_ssh_auth_none(rig->client.ssh, "somebody"),
			 CSFTP_OK);
	ssh_rig_run(rig);
	assert_int_equal(rig->client.count[CSFTP_SSH_AUTH_OK], 1);
}

uint32_t ssh_rig_channel(struct ssh_rig *rig)
{
	uint32_t channel;

	assert_int_equal(csftp_ssh_open(rig->client.ssh, &channel), CSFTP_OK);
	ssh_rig_run(rig);
	assert_int_equal(rig->client.last.kind, CSFTP_SSH_OPENED);
	return channel;
}

size_t ssh_side_send(struct ssh_side *side, uint32_t channel, size_t len)
{
	size_t room, sent = 0;
	uint8_t *to;

	while (sent < len) {
		to = csftp_ssh_room(side->ssh, channel, CSFTP_SSH_STDOUT,
				    &room);
		if (room == 0)
			break;
		if (room > len - sent)
			room = len - sent;
		for (size_t i = 0; i < room; i++)
			to[i] = (uint8_t)((side->sent + i) * 31 >> 3);
		if (csftp_ssh_send(side->ssh, channel, room) != CSFTP_OK)
			break;
		sent += room;
		side->sent += room;
	}
	return sent;
}

void ssh_side_say(struct ssh_side *side, const void *payload, size_t len)
{
	const uint8_t *bytes = payload;
	struct wire_wr wr = ssh_begin(side->ssh, bytes[0]);

	wire_wr_raw(&wr, bytes + 1, len - 1);
	assert_int_equal(ssh_end(side->ssh, &wr), CSFTP_OK);
}

void ssh_side_assert_ended(const struct ssh_side *side, enum csftp_err err,
			   uint32_t reason)
{
	assert_int_equal(side->ssh->err, err);
	assert_int_equal(side->ssh->err_reason, reason);
	assert_int_equal(side->count[CSFTP_SSH_CLOSED], 1);
}
