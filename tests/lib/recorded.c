/* libcrypto's random numbers can only be taken over by an older way. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tests/lib/recorded.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/hex.h"
#include "tests/lib/test.h"

enum { LINE_BYTES = 36, TEXT_MAX = 1 << 20 };

#define CHACHA "chacha20-poly1305@openssh.com"
#define GCM    "aes128-gcm@openssh.com"
#define ETM    "hmac-sha2-256-etm@openssh.com"

const struct recorded_kind *recorded_kind(size_t n)
{
	static const struct recorded_kind kinds[RECORDED_KINDS] = {
		{"client-x25519-chacha20", CSFTP_SSH_CLIENT,
		 "curve25519-sha256", CHACHA, ETM},
		{"client-nistp256-gcm", CSFTP_SSH_CLIENT, "ecdh-sha2-nistp256",
		 GCM, ETM},
		{"client-x25519-ctr-etm", CSFTP_SSH_CLIENT, "curve25519-sha256",
		 "aes256-ctr", ETM},
		{"server-x25519-chacha20", CSFTP_SSH_SERVER,
		 "curve25519-sha256", CHACHA, ETM},
		{"server-nistp256-gcm", CSFTP_SSH_SERVER, "ecdh-sha2-nistp256",
		 GCM, ETM},
		{"server-x25519-ctr-etm", CSFTP_SSH_SERVER, "curve25519-sha256",
		 "aes256-ctr", ETM},
	};

	return &kinds[n];
}

void recorded_init(struct recorded *recorded, size_t kind)
{
	*recorded = (struct recorded){.kind = recorded_kind(kind),
				      .seed = 0x9e3779b97f4a7c15 + kind};
}

void recorded_add(struct recorded *recorded, bool is_out, const void *bytes,
		  size_t len)
{
	struct recorded_piece *last;

	if (len == 0)
		return;
	/* What goes out is one stretch, however it was sent. */
	last = recorded->count > 0 ? &recorded->piece[recorded->count - 1]
				   : NULL;
	if (!last || !is_out || !last->is_out) {
		recorded->piece = realloc(
			recorded->piece, (recorded->count + 1) * sizeof(*last));
		assert_non_null(recorded->piece);
		last = &recorded->piece[recorded->count++];
		*last = (struct recorded_piece){.is_out = is_out};
	}
	last->bytes = realloc(last->bytes, last->len + len);
	assert_non_null(last->bytes);
	memcpy(last->bytes + last->len, bytes, len);
	last->len += len;
}

void recorded_free(struct recorded *recorded)
{
	for (size_t i = 0; i < recorded->count; i++)
		free(recorded->piece[i].bytes);
	free(recorded->piece);
}

/* Each line of a key has its name in front. */
static void write_lines(FILE *file, const char *name, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), used = len;

		/* What stands behind an empty comment. */
		while (used > 0 && text[used - 1] == ' ')
			used--;
		fprintf(file, "%s %.*s\n", name, (int)used, text);
		text += len + (text[len] == '\n');
	}
}

/* A piece begins with its direction, and goes on with blanks. */
static void write_piece(FILE *file, const struct recorded_piece *piece)
{
	for (size_t i = 0; i < piece->len; i++) {
		if (i % LINE_BYTES == 0)
			fputs(i > 0	      ? "\n  "
			      : piece->is_out ? "> "
					      : "< ",
			      file);
		fprintf(file, "%02x", piece->bytes[i]);
	}
	fputc('\n', file);
}

void recorded_write(const struct recorded *recorded, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "# A session with OpenSSH; see tests/lib/recorded.h.\n");
	write_lines(file, "key", recorded->key);
	write_lines(file, "peer", recorded->peer);
	for (size_t i = 0; i < recorded->count; i++)
		write_piece(file, &recorded->piece[i]);
	assert_int_equal(fclose(file), 0);
}

static void add_line(char *text, size_t size, const char *line)
{
	size_t used = strlen(text);

	proc_print(text + used, size - used, "%s\n", line);
}

static void read_line(struct recorded *recorded, const char *line)
{
	uint8_t bytes[LINE_BYTES];
	struct recorded_piece *last;
	size_t len;

	if (line[0] == '#' || line[0] == '\0')
		return;
	if (strncmp(line, "key ", 4) == 0) {
		add_line(recorded->key, sizeof(recorded->key), line + 4);
		return;
	}
	if (strncmp(line, "peer ", 5) == 0) {
		add_line(recorded->peer, sizeof(recorded->peer), line + 5);
		return;
	}
	len = hex_bytes(line + 2, bytes, sizeof(bytes));
	if (line[0] != ' ') {
		recorded_add(recorded, line[0] == '>', bytes, len);
		return;
	}
	assert_true(recorded->count > 0);
	last = &recorded->piece[recorded->count - 1];
	last->bytes = realloc(last->bytes, last->len + len);
	assert_non_null(last->bytes);
	memcpy(last->bytes + last->len, bytes, len);
	last->len += len;
}

void recorded_read(struct recorded *recorded, size_t kind, const char *path)
{
	char *text = malloc(TEXT_MAX), *line = text;

	assert_non_null(text);
	text[file_read(path, text, TEXT_MAX - 1)] = '\0';
	recorded_init(recorded, kind);
	while (*line) {
		size_t len = strcspn(line, "\n");
		bool more = line[len] == '\n';

		line[len] = '\0';
		read_line(recorded, line);
		line += len + more;
	}
	free(text);
}

/*
 * The same for each call, so that it does not matter how often another release
 * of libcrypto asks.
 */
static int same_bytes(unsigned char *to, int len)
{
	for (int i = 0; i < len; i++)
		to[i] = (unsigned char)(i * 37 + 11);
	return 1;
}

static int always(void)
{
	return 1;
}

static void take_libcrypto(bool take)
{
	static const RAND_METHOD method = {.bytes = same_bytes,
					   .pseudorand = same_bytes,
					   .status = always};

	assert_int_equal(RAND_set_rand_method(take ? &method : NULL), 1);
}

void recorded_open(struct recorded_player *player,
		   const struct recorded *recorded)
{
	const struct recorded_kind *kind = recorded->kind;
	struct ssh_side *side = &player->side;

	*player = (struct recorded_player){.over = false};
	assert_int_equal(csftp_ssh_key_read(&player->key, recorded->key,
					    strlen(recorded->key), NULL),
			 CSFTP_OK);
	assert_int_equal(csftp_ssh_key_read_public(&player->peer,
						   recorded->peer,
						   strlen(recorded->peer)),
			 CSFTP_OK);
	side->config = ssh_side_config(side, kind->role);
	side->chance = recorded->seed;
	side->config.kex = kind->kex;
	side->config.cipher = kind->cipher;
	side->config.mac = kind->mac;
	side->config.hostkey = "ssh-ed25519";
	player->keys[0] = player->key;
	if (kind->role == CSFTP_SSH_SERVER) {
		side->config.keys = player->keys;
		side->config.key_count = 1;
	}
	assert_int_equal(csftp_ssh_env_new(&side->env, &side->config),
			 CSFTP_OK);
	side->memory = malloc(csftp_ssh_size(side->env));
	assert_non_null(side->memory);
	side->ssh = csftp_ssh_init(side->env, side->memory);
	take_libcrypto(true);
}

void recorded_close(struct recorded_player *player)
{
	take_libcrypto(false);
	csftp_ssh_release(player->side.ssh);
	assert_int_equal(player->side.borrowed, 0);
	csftp_ssh_env_free(player->side.env);
	free(player->side.memory);
	csftp_ssh_key_free(player->key);
	csftp_ssh_key_free(player->peer);
}

static bool is_peers(const struct recorded_player *player,
		     struct csftp_ssh_bytes key)
{
	struct csftp_ssh_bytes known = csftp_ssh_key_blob(player->peer);

	return key.len == known.len && memcmp(key.ptr, known.ptr, key.len) == 0;
}

static void ask_for_keys(struct recorded_player *player)
{
	if (player->rekeyed)
		return;
	player->rekeyed = true;
	assert_int_equal(csftp_ssh_rekey(player->side.ssh), CSFTP_OK);
}

/* The client's part in what is said of a session. */
static void on_client(struct recorded_player *player,
		      const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = player->side.ssh;
	struct csftp_ssh_signer signer = csftp_ssh_key_signer(player->key);
	enum csftp_err err = CSFTP_OK;

	if (event->kind == CSFTP_SSH_READY)
		err = csftp_ssh_auth_key(ssh, "root", &signer);
	else if (event->kind == CSFTP_SSH_AUTH_OK)
		err = csftp_ssh_open(ssh, &player->channel);
	else if (event->kind == CSFTP_SSH_OPENED)
		err = csftp_ssh_exec(ssh, player->channel, "exec cat");
	else if (event->kind == CSFTP_SSH_REPLY)
		player->open = event->ok;
	else if (event->kind == CSFTP_SSH_CHANNEL_CLOSED)
		csftp_ssh_disconnect(ssh, CSFTP_SSH_BY_APPLICATION, "done");
	else if (event->kind == CSFTP_SSH_DATA) {
		player->got += event->data.len;
		err = csftp_ssh_consumed(ssh, event->channel, event->data.len);
		if (player->got == RECORDED_BYTES)
			ask_for_keys(player);
	}
	assert_int_equal(err, CSFTP_OK);
}

static void on_server(struct recorded_player *player,
		      const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = player->side.ssh;

	if (event->kind == CSFTP_SSH_CHANNEL_OPEN)
		player->channel = event->channel;
	else if (event->kind == CSFTP_SSH_EOF)
		player->eof = true;
	else if (event->kind == CSFTP_SSH_DATA) {
		assert_true(event->data.len <=
			    sizeof(player->queue) - player->owed);
		memcpy(player->queue + player->owed, event->data.ptr,
		       event->data.len);
		player->owed += event->data.len;
		assert_int_equal(csftp_ssh_consumed(ssh, event->channel,
						    event->data.len),
				 CSFTP_OK);
		ask_for_keys(player);
	}
}

static void on_event(struct recorded_player *player,
		     const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = player->side.ssh;
	bool good = true;

	if (event->kind == CSFTP_SSH_CLOSED)
		player->over = true;
	if (event->kind == CSFTP_SSH_HOSTKEY || event->kind == CSFTP_SSH_AUTH)
		good = is_peers(player, event->key);
	if (event->kind == CSFTP_SSH_REQUEST)
		good = event->request == CSFTP_SSH_EXEC;
	if (player->side.config.role == CSFTP_SSH_CLIENT)
		on_client(player, event);
	else
		on_server(player, event);
	if (event->question)
		assert_int_equal(csftp_ssh_answer(ssh, good ? CSFTP_SSH_YES
							    : CSFTP_SSH_NO),
				 CSFTP_OK);
}

/* Sends what there is room for; true: all of it. */
static bool send_data(struct recorded_player *player, const uint8_t *bytes,
		      size_t *len)
{
	size_t room;
	uint8_t *to;

	if (*len == 0)
		return true;
	to = csftp_ssh_room(player->side.ssh, player->channel, CSFTP_SSH_STDOUT,
			    &room);
	if (room < *len)
		return false;
	memcpy(to, bytes, *len);
	assert_int_equal(
		csftp_ssh_send(player->side.ssh, player->channel, *len),
		CSFTP_OK);
	player->sent += *len;
	*len = 0;
	return true;
}

static void go_on_client(struct recorded_player *player)
{
	uint8_t bytes[RECORDED_BYTES];
	size_t len = sizeof(bytes);

	if (!player->open || player->got != player->sent)
		return;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(player->sent + i);
	if (player->sent < 2 * sizeof(bytes)) {
		(void)send_data(player, bytes, &len);
		return;
	}
	player->open = false;
	assert_int_equal(csftp_ssh_send_eof(player->side.ssh, player->channel),
			 CSFTP_OK);
}

static void go_on_server(struct recorded_player *player)
{
	struct csftp_ssh *ssh = player->side.ssh;

	if (!send_data(player, player->queue, &player->owed) || !player->eof)
		return;
	player->eof = false;
	assert_int_equal(csftp_ssh_exit_status(ssh, player->channel, 0),
			 CSFTP_OK);
	assert_int_equal(csftp_ssh_send_eof(ssh, player->channel), CSFTP_OK);
	assert_int_equal(csftp_ssh_channel_close(ssh, player->channel),
			 CSFTP_OK);
}

void recorded_step(struct recorded_player *player,
		   void (*out)(void *arg, const uint8_t *bytes, size_t len),
		   void *arg)
{
	struct csftp_ssh *ssh = player->side.ssh;
	struct csftp_ssh_event event;
	const uint8_t *bytes;
	bool any = true;
	size_t len;

	while (any) {
		any = csftp_ssh_event(ssh, &event);
		if (any)
			on_event(player, &event);
		if (player->side.config.role == CSFTP_SSH_CLIENT)
			go_on_client(player);
		else
			go_on_server(player);
		while ((bytes = csftp_ssh_out(ssh, &len))) {
			out(arg, bytes, len);
			assert_int_equal(csftp_ssh_out_ack(ssh, len), CSFTP_OK);
			any = true;
		}
	}
}

static void collect(void *arg, const uint8_t *bytes, size_t len)
{
	recorded_add(arg, true, bytes, len);
}

static bool same_piece(const struct recorded *a, const struct recorded *b,
		       size_t n)
{
	const struct recorded_piece *one = &a->piece[n];
	const struct recorded_piece *two = &b->piece[n];

	return n < b->count && one->is_out == two->is_out &&
	       one->len == two->len &&
	       memcmp(one->bytes, two->bytes, one->len) == 0;
}

static void feed(struct recorded_player *player,
		 const struct recorded_piece *piece)
{
	struct csftp_ssh *ssh = player->side.ssh;
	size_t room;
	uint8_t *in = csftp_ssh_in(ssh, &room);

	assert_true(room >= piece->len);
	memcpy(in, piece->bytes, piece->len);
	assert_int_equal(csftp_ssh_in_ack(ssh, piece->len), CSFTP_OK);
}

int recorded_replay(const struct recorded *recorded)
{
	struct recorded now = {.kind = recorded->kind};
	struct recorded_player player;
	int wrong = -1;

	recorded_open(&player, recorded);
	recorded_step(&player, collect, &now);
	for (size_t i = 0; i < recorded->count && wrong < 0; i++) {
		const struct recorded_piece *piece = &recorded->piece[i];

		if (!piece->is_out && !player.over) {
			recorded_add(&now, false, piece->bytes, piece->len);
			feed(&player, piece);
			recorded_step(&player, collect, &now);
		}
		if (!same_piece(recorded, &now, i))
			wrong = (int)i;
	}
	if (wrong < 0 && (!player.over || now.count != recorded->count ||
			  player.sent != 2 * RECORDED_BYTES))
		wrong = (int)recorded->count;
	recorded_close(&player);
	recorded_free(&now);
	return wrong;
}
