/* Two SSH engines joined by memory, both keeping the rules. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

static const struct csftp_ssh_key *all_keys[CSFTP_SSH_RSA + 1];

static int make_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= CSFTP_SSH_RSA; i++)
		all_keys[i] = ssh_rig_key((enum csftp_ssh_key_type)i);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	ssh_rig_free_keys();
	return 0;
}

static void give_all_keys(struct ssh_rig *rig)
{
	rig->server.config.keys = all_keys;
	rig->server.config.key_count = CSFTP_SSH_RSA + 1;
}

/* Data goes to the server and comes back the same. */
static void assert_echo(struct ssh_rig *rig, size_t len)
{
	uint32_t channel = ssh_rig_channel(rig);
	size_t sent = 0;

	rig->server.echo = true;
	while (sent < len) {
		sent += ssh_side_send(&rig->client, channel, len - sent);
		if (!ssh_rig_move(rig))
			break;
	}
	ssh_rig_run(rig);
	assert_int_equal(sent, len);
	assert_int_equal(rig->server.got_total, len);
	assert_int_equal(rig->client.got_total, len);
}

/* One session with these algorithms. */
static void try_algorithms(const char *kex, const char *hostkey,
			   const char *cipher, const char *mac)
{
	struct ssh_rig rig;

	ssh_rig_init(&rig);
	give_all_keys(&rig);
	rig.client.config.kex = kex;
	rig.client.config.hostkey = hostkey;
	rig.client.config.cipher = cipher;
	rig.client.config.mac = mac;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	assert_echo(&rig, 5000);
	assert_string_equal(
		csftp_ssh_in_use(rig.server.ssh, CSFTP_SSH_ALG_KEX, true), kex);
	assert_string_equal(
		csftp_ssh_in_use(rig.server.ssh, CSFTP_SSH_ALG_HOSTKEY, true),
		hostkey);
	assert_string_equal(
		csftp_ssh_in_use(rig.server.ssh, CSFTP_SSH_ALG_CIPHER, false),
		cipher);
	ssh_rig_stop(&rig);
}

/* Each MAC with each cipher that needs one. */
static unsigned try_ciphers(const char *kex, const char *hostkey)
{
	const char *cipher, *mac;
	unsigned n = 0;

	for (size_t c = 0;
	     (cipher = csftp_ssh_algorithms(CSFTP_SSH_ALG_CIPHER, c)); c++) {
		for (size_t m = 0;
		     (mac = csftp_ssh_algorithms(CSFTP_SSH_ALG_MAC, m)); m++) {
			if (m > 0 && !strstr(cipher, "-ctr"))
				break;
			try_algorithms(kex, hostkey, cipher, mac);
			n++;
		}
	}
	return n;
}

static void each_combination_of_algorithms_makes_a_session(void **state)
{
	const char *kex, *hostkey;
	unsigned n = 0;
	size_t k;

	(void)state;
	for (k = 0; (kex = csftp_ssh_algorithms(CSFTP_SSH_ALG_KEX, k)); k++)
		for (size_t h = 0;
		     (hostkey = csftp_ssh_algorithms(CSFTP_SSH_ALG_HOSTKEY, h));
		     h++)
			n += try_ciphers(kex, hostkey);
	/* One more where libcrypto has ML-KEM. */
	assert_in_range(k, 5, 6);
	assert_int_equal(n, k * 6 * (3 + 3 * 4));
}

static void both_directions_may_have_different_algorithms(void **state)
{
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	/* The client's order counts, the server's does not. */
	rig.client.config.cipher = "aes192-ctr,aes256-gcm@openssh.com";
	rig.server.config.cipher =
		"aes256-gcm@openssh.com,aes192-ctr,aes128-ctr";
	rig.client.config.mac = "hmac-sha2-512,hmac-sha2-256";
	rig.server.config.mac = "hmac-sha2-256";
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	assert_string_equal(
		csftp_ssh_in_use(rig.server.ssh, CSFTP_SSH_ALG_CIPHER, true),
		"aes192-ctr");
	assert_string_equal(
		csftp_ssh_in_use(rig.client.ssh, CSFTP_SSH_ALG_MAC, true),
		"hmac-sha2-256");
	ssh_rig_stop(&rig);
}

static const char **list_of(struct csftp_ssh_config *config,
			    enum csftp_ssh_alg_kind kind)
{
	const char **const lists[] = {
		[CSFTP_SSH_ALG_KEX] = &config->kex,
		[CSFTP_SSH_ALG_HOSTKEY] = &config->hostkey,
		[CSFTP_SSH_ALG_CIPHER] = &config->cipher,
		[CSFTP_SSH_ALG_MAC] = &config->mac,
	};

	return lists[kind];
}

/* Of a kind of which the two have none in common both sides are told. */
static void cannot_agree(enum csftp_ssh_alg_kind kind, const char *ours,
			 const char *theirs, const char *text)
{
	struct ssh_rig rig;

	ssh_rig_init(&rig);
	*list_of(&rig.client.config, kind) = ours;
	*list_of(&rig.server.config, kind) = theirs;
	if (kind == CSFTP_SSH_ALG_MAC)
		rig.client.config.cipher = "aes128-ctr";
	ssh_rig_start(&rig);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_CLOSED], 1);
	assert_int_equal(rig.server.count[CSFTP_SSH_CLOSED], 1);
	assert_int_equal(rig.server.last.err, CSFTP_ERR_ALGORITHM);
	assert_int_equal(rig.server.last.reason, CSFTP_SSH_KEX_FAILED);
	assert_string_equal(rig.client.text, text);
	assert_string_equal(rig.server.text, text);
	ssh_rig_stop(&rig);
}

static void no_algorithm_in_common_ends_both_sides(void **state)
{
	(void)state;
	cannot_agree(CSFTP_SSH_ALG_KEX, "ecdh-sha2-nistp256",
		     "curve25519-sha256",
		     "no matching key exchange method found");
	cannot_agree(CSFTP_SSH_ALG_HOSTKEY, "rsa-sha2-256", "ssh-ed25519",
		     "no matching host key type found");
	cannot_agree(CSFTP_SSH_ALG_CIPHER, "aes128-ctr", "aes256-ctr",
		     "no matching cipher found");
	cannot_agree(CSFTP_SSH_ALG_MAC, "hmac-sha2-256", "hmac-sha2-512",
		     "no matching MAC found");
}

/* The stream in pieces of each small size, and cut once at each byte. */
static void any_split_of_the_stream_is_as_good(void **state)
{
	static const char *const ciphers[] = {"chacha20-poly1305@openssh.com",
					      "aes128-gcm@openssh.com",
					      "aes128-ctr"};
	size_t whole = 0;
	struct ssh_rig rig;

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		for (size_t piece = 1; piece < 40; piece += piece < 9 ? 1 : 7) {
			ssh_rig_init(&rig);
			rig.client.config.cipher = ciphers[c];
			rig.piece = piece;
			ssh_rig_start(&rig);
			ssh_rig_login(&rig);
			assert_echo(&rig, 300);
			whole = rig.moved_up;
			ssh_rig_stop(&rig);
		}
	}
	for (size_t cut = 1; cut < whole; cut++) {
		ssh_rig_init(&rig);
		rig.cut = cut;
		ssh_rig_start(&rig);
		ssh_rig_login(&rig);
		assert_echo(&rig, 300);
		ssh_rig_stop(&rig);
	}
}

static void bulk_data_flows_both_ways_while_both_sides_rekey(void **state)
{
	struct ssh_rig rig;

	(void)state;
	for (int who = 0; who < 3; who++) {
		ssh_rig_init(&rig);
		rig.client.config.rekey_bytes = who != 1 ? 100000 : 0;
		rig.server.config.rekey_bytes = who != 0 ? 70000 : 0;
		rig.client.traces = true;
		rig.piece = 3001;
		ssh_rig_start(&rig);
		ssh_rig_login(&rig);
		assert_echo(&rig, 3000000);
		assert_true(rig.client.got_hash == rig.server.got_hash);
		assert_true(strstr((char *)rig.client.lines, "> 21 NEWKEYS"));
		assert_true(rig.client.lines_len > 1000);
		ssh_rig_stop(&rig);
	}
}

static unsigned count_lines(const struct ssh_side *side, const char *text)
{
	const char *at = (const char *)side->lines;
	unsigned n = 0;

	for (at = strstr(at, text); at; at = strstr(at + 1, text))
		n++;
	return n;
}

/* With a limit that each packet reaches: one after the other. */
static void keys_wait_for_the_login_and_data_for_no_end_of_keys(void **state)
{
	struct ssh_rig rig;
	const char *in, *again;

	(void)state;
	for (int who = 0; who < 3; who++) {
		ssh_rig_init(&rig);
		rig.client.config.rekey_bytes = who != 1 ? 16 : 0;
		rig.server.config.rekey_bytes = who != 0 ? 16 : 0;
		rig.server.traces = true;
		ssh_rig_start(&rig);
		ssh_rig_login(&rig);
		assert_echo(&rig, 3000);
		in = strstr((char *)rig.server.lines, "USERAUTH_SUCCESS");
		again = strstr((char *)rig.server.lines, "< 20 KEXINIT");
		assert_true(in && again && again < in);
		again = strstr(again + 1, "< 20 KEXINIT");
		assert_true(again && again > in);
		ssh_rig_stop(&rig);
	}
}

/* RFC 4253, 9: by age as well; but keys that nobody uses are left alone. */
static void old_keys_are_replaced_once_they_are_used(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	rig.client.config.rekey_ms = UINT64_C(1) << 40;
	rig.server.traces = true;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	assert_int_equal(csftp_ssh_deadline(rig.server.ssh), 1000 + 3600000);
	rig.now_ms = 1000 + 3600000 - 1;
	ssh_rig_run(&rig);
	assert_int_equal(count_lines(&rig.server, "> 20 KEXINIT"), 1);
	rig.now_ms++;
	ssh_rig_run(&rig);
	assert_int_equal(count_lines(&rig.server, "> 20 KEXINIT"), 2);
	/* Nothing was said since: the second time is not due. */
	rig.now_ms += 10 * UINT64_C(3600000);
	ssh_rig_run(&rig);
	assert_int_equal(count_lines(&rig.server, "> 20 KEXINIT"), 2);
	assert_true(csftp_ssh_deadline(rig.server.ssh) == UINT64_MAX);
	assert_int_equal(ssh_side_send(&rig.client, channel, 1), 1);
	ssh_rig_run(&rig);
	assert_int_equal(count_lines(&rig.server, "> 20 KEXINIT"), 3);
	ssh_rig_stop(&rig);
}

/* RFC 4253, 7.1: what is not of the exchange waits, and keeps its order. */
static void requests_during_an_exchange_are_sent_after_it_in_order(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;
	const char *at;
	size_t room;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.traces = true;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	rig.server.lines_len = 0;
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_ERR_STATE);
	assert_int_equal(csftp_ssh_setenv(rig.client.ssh, channel, "A", "1"),
			 CSFTP_OK);
	assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "first"),
			 CSFTP_OK);
	assert_int_equal(csftp_ssh_ping(rig.client.ssh), CSFTP_OK);
	assert_null(csftp_ssh_room(rig.client.ssh, channel, CSFTP_SSH_STDOUT,
				   &room));
	ssh_rig_run(&rig);
	at = strstr((char *)rig.server.lines, "< 21 NEWKEYS");
	assert_non_null(at);
	assert_true(strstr((char *)rig.server.lines, "\"env\"") > at);
	at = strstr(at, "\"env\"");
	assert_non_null(at);
	at = strstr(at, "\"exec\"");
	assert_non_null(at);
	assert_non_null(strstr(at, "keepalive"));
	assert_int_equal(rig.client.count[CSFTP_SSH_REPLY], 2);
	assert_int_equal(rig.client.count[CSFTP_SSH_PONG], 1);
	ssh_rig_stop(&rig);
}

/* A client's flow while the server's KEXINIT is under way, and back. */
static void replies_asked_for_during_our_exchange_are_kept(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			csftp_ssh_setenv(rig.client.ssh, channel, "A", "1"),
			CSFTP_OK);
		assert_int_equal(ssh_side_send(&rig.client, channel, 100), 100);
	}
	assert_int_equal(csftp_ssh_rekey(rig.server.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_REPLY], 20);
	assert_int_equal(rig.server.got_total, 2000);
	assert_int_equal(rig.client.ssh->err, CSFTP_OK);
	ssh_rig_stop(&rig);
}

static void an_idle_connection_is_small_and_borrows_nothing(void **state)
{
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	assert_true(csftp_ssh_size(rig.server.env) <= 4096);
	assert_int_equal(rig.server.borrowed, 0);
	ssh_rig_login(&rig);
	assert_int_equal(rig.server.borrowed, 0);
	assert_int_equal(rig.client.borrowed, 0);
	assert_echo(&rig, 1000000);
	assert_int_equal(rig.server.borrowed, 0);
	assert_int_equal(rig.client.borrowed, 0);
	assert_true(rig.server.most <= 4 && rig.client.most <= 4);
	ssh_rig_stop(&rig);
}

/* A pool that is empty delays, and does not break anything. */
static void a_connection_waits_for_buffers(void **state)
{
	struct ssh_rig rig;

	(void)state;
	for (unsigned limit = 1; limit <= 4; limit++) {
		ssh_rig_init(&rig);
		ssh_rig_start(&rig);
		rig.server.limit = limit;
		rig.client.limit = limit;
		ssh_rig_run(&rig);
		assert_int_equal(rig.server.ssh->err, CSFTP_OK);
		assert_int_equal(rig.client.ssh->err, CSFTP_OK);
		assert_true(limit > 2 || csftp_ssh_starved(rig.server.ssh) ||
			    csftp_ssh_starved(rig.client.ssh));
		rig.server.limit = 0;
		rig.client.limit = 0;
		ssh_rig_login(&rig);
		rig.server.limit = limit;
		rig.client.limit = limit;
		if (limit > 2)
			assert_echo(&rig, 300000);
		ssh_rig_stop(&rig);
	}
}

/*
 * A whole session: login, a channel with a request, data, new keys, and its
 * end.  A call that has no room is made again.  False: it did not work.
 */
static bool whole_session(struct ssh_rig *rig)
{
	struct csftp_ssh *ssh = rig->client.ssh, *server = rig->server.ssh;
	uint32_t channel = 0;
	size_t sent = 0;

	ssh_rig_run(rig);
	while (!ssh->err &&
	       csftp_ssh_auth_password(ssh, "u", "p", 1) == CSFTP_ERR_NO_ROOM)
		;
	ssh_rig_run(rig);
	while (!ssh->err && csftp_ssh_open(ssh, &channel) == CSFTP_ERR_NO_ROOM)
		;
	ssh_rig_run(rig);
	while (!ssh->err &&
	       csftp_ssh_exec(ssh, channel, "x") == CSFTP_ERR_NO_ROOM)
		;
	while (!ssh->err && csftp_ssh_rekey(ssh) == CSFTP_ERR_NO_ROOM)
		;
	for (int i = 0; sent < 70000 && i < 1000; i++) {
		sent += ssh_side_send(&rig->client, channel, 70000 - sent);
		ssh_rig_run(rig);
	}
	while (!server->err && csftp_ssh_rekey(server) == CSFTP_ERR_NO_ROOM)
		;
	ssh_rig_run(rig);
	while (!ssh->err &&
	       csftp_ssh_channel_close(ssh, channel) == CSFTP_ERR_NO_ROOM)
		;
	ssh_rig_run(rig);
	return rig->client.got_total == 70000 &&
	       rig->client.count[CSFTP_SSH_REPLY] == 1 &&
	       rig->client.count[CSFTP_SSH_CHANNEL_CLOSED] == 1 &&
	       rig->client.ssh->err == CSFTP_OK &&
	       rig->server.ssh->err == CSFTP_OK;
}

/* The fault comes once, at each place where it can, until it comes no more. */
static unsigned refuse_each_loan(bool server, size_t buf_size)
{
	unsigned n = 0, left = 0;

	while (left == 0) {
		struct ssh_rig rig;
		struct ssh_side *side = server ? &rig.server : &rig.client;

		ssh_rig_init(&rig);
		rig.server.echo = true;
		rig.server.config.window = 20000;
		rig.client.config.buf_size = buf_size;
		rig.server.config.buf_size = buf_size;
		ssh_rig_start(&rig);
		side->fail_get = ++n;
		if (!whole_session(&rig))
			fail_msg("loan %u of the %s", n,
				 server ? "server" : "client");
		left = side->fail_get;
		ssh_rig_stop(&rig);
	}
	return n;
}

static void a_loan_that_is_refused_once_breaks_nothing(void **state)
{
	(void)state;
	for (int server = 0; server < 2; server++) {
		assert_true(refuse_each_loan(server, 65536) > 20);
		assert_true(refuse_each_loan(server, 4096) > 40);
	}
}

/* Without random bytes nothing is sent that should have had some. */
static void a_connection_without_random_bytes_ends(void **state)
{
	(void)state;
	for (int server = 0; server < 2; server++) {
		bool works = false;
		unsigned n = 0;

		while (!works) {
			struct ssh_rig rig;
			struct ssh_side *side =
				server ? &rig.server : &rig.client;

			ssh_rig_init(&rig);
			rig.server.echo = true;
			ssh_rig_start(&rig);
			side->fail_random = ++n;
			works = whole_session(&rig);
			if (!works)
				assert_int_equal(side->ssh->err,
						 CSFTP_ERR_CRYPTO);
			ssh_rig_stop(&rig);
		}
		assert_true(n > 10);
	}
}

static void buffers_of_every_size_carry_data(void **state)
{
	static const size_t sizes[] = {4096, 5000, 16384, 35000, 262144};
	struct ssh_rig rig;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		ssh_rig_init(&rig);
		give_all_keys(&rig);
		rig.client.config.hostkey = "rsa-sha2-512";
		rig.client.config.buf_size = sizes[i];
		rig.server.config.buf_size = sizes[4 - i];
		rig.client.config.rekey_bytes = 200000;
		ssh_rig_start(&rig);
		ssh_rig_login(&rig);
		assert_echo(&rig, 1000000);
		ssh_rig_stop(&rig);
	}
}

/* A turn of each connection after the other, as a daemon has them. */
static void many_connections_share_an_environment_and_a_pool(void **state)
{
	enum { MANY = 60 };
	struct ssh_rig *rigs = calloc(MANY, sizeof(*rigs));
	bool any = true;

	(void)state;
	assert_non_null(rigs);
	for (size_t i = 0; i < MANY; i++) {
		ssh_rig_init(&rigs[i]);
		rigs[i].piece = 100 + 7 * i;
		if (i == 0)
			ssh_rig_start(&rigs[i]);
		else
			ssh_rig_start_in(&rigs[i], &rigs[0]);
	}
	while (any) {
		any = false;
		for (size_t i = 0; i < MANY; i++)
			any = ssh_rig_move(&rigs[i]) || any;
	}
	/* They were all under way at once; now all are still. */
	assert_true(rigs[0].server.most > MANY / 2);
	assert_int_equal(rigs[0].server.borrowed, 0);
	assert_int_equal(rigs[0].client.borrowed, 0);
	for (size_t i = 0; i < MANY; i++) {
		ssh_rig_login(&rigs[i]);
		assert_echo(&rigs[i], 1000 + i);
	}
	/* No two sessions are the same. */
	for (size_t i = 1; i < MANY; i++)
		assert_memory_not_equal(rigs[i].server.ssh->session,
					rigs[i - 1].server.ssh->session, 32);
	for (size_t i = MANY; i-- > 0;)
		ssh_rig_stop(&rigs[i]);
	free(rigs);
}

static void wrong_configurations_are_refused(void **state)
{
	struct csftp_ssh_env *env;
	struct ssh_rig rig;
	struct csftp_ssh_config config;

	(void)state;
	ssh_rig_init(&rig);
	config = rig.server.config;
	config.buf_size = CSFTP_SSH_BUF_MIN - 1;
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config.buf_size = CSFTP_SSH_BUF_MAX + 1;
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config = rig.server.config;
	config.cipher = "aes256-cbc";
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config.cipher = "aes256-ctr,aes256-ctr";
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config = rig.server.config;
	config.hostkey = "rsa-sha2-512";
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config = rig.server.config;
	config.key_count = 0;
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config = rig.server.config;
	config.random = NULL;
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	config = rig.server.config;
	config.channels = CSFTP_SSH_CHANNELS_MAX + 1;
	assert_int_equal(csftp_ssh_env_new(&env, &config), CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_env_new(NULL, &config), CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_env_new(&env, NULL), CSFTP_ERR_ARG);
}

static bool refuse_hostkey(struct ssh_side *side,
			   const struct csftp_ssh_event *event)
{
	if (event->kind != CSFTP_SSH_HOSTKEY)
		return false;
	assert_int_equal(event->key.len, all_keys[0]->blob_len);
	assert_memory_equal(event->key.ptr, all_keys[0]->blob, event->key.len);
	assert_int_equal(csftp_ssh_answer(side->ssh, CSFTP_SSH_NO), CSFTP_OK);
	assert_int_equal(csftp_ssh_answer(side->ssh, CSFTP_SSH_YES),
			 CSFTP_ERR_STATE);
	return true;
}

static void a_refused_host_key_ends_the_session(void **state)
{
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.on_event = refuse_hostkey;
	ssh_rig_start(&rig);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_READY], 0);
	assert_int_equal(rig.client.last.err, CSFTP_ERR_DENIED);
	assert_int_equal(rig.server.last.kind, CSFTP_SSH_CLOSED);
	assert_int_equal(rig.server.last.reason,
			 CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE);
	assert_true(rig.server.last.by_peer);
	ssh_rig_stop(&rig);
}

static void the_trace_tells_each_message_and_no_secret(void **state)
{
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.client.traces = true;
	rig.server.traces = true;
	ssh_rig_start(&rig);
	ssh_rig_run(&rig);
	assert_int_equal(csftp_ssh_auth_password(rig.client.ssh, "somebody",
						 "hunter2", 7),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_AUTH_OK], 1);
	(void)ssh_rig_channel(&rig);
	csftp_ssh_disconnect(rig.client.ssh, CSFTP_SSH_BY_APPLICATION,
			     "bye\n\033[2J");
	ssh_rig_run(&rig);
	assert_null(strstr((char *)rig.client.lines, "hunter2"));
	assert_null(strstr((char *)rig.server.lines, "hunter2"));
	assert_non_null(strstr((char *)rig.server.lines, "= SSH-2.0-csftp_"));
	/* By which libssh and asyncssh know the order of SYMLINK. */
	assert_non_null(strstr((char *)rig.server.lines, " like_OpenSSH_9.2"));
	assert_non_null(strstr((char *)rig.server.lines,
			       "< 50 USERAUTH_REQUEST user=\"somebody\" "
			       "service=\"ssh-connection\" "
			       "method=\"password\"\n"));
	assert_non_null(strstr((char *)rig.client.lines,
			       "> 90 CHANNEL_OPEN type=\"session\" sender=0 "
			       "window=2097152 packet="));
	assert_non_null(strstr((char *)rig.server.lines,
			       "< 1 DISCONNECT reason=11 "
			       "text=\"bye..[2J\"\n"));
	ssh_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_combination_of_algorithms_makes_a_session),
		cmocka_unit_test(both_directions_may_have_different_algorithms),
		cmocka_unit_test(no_algorithm_in_common_ends_both_sides),
		cmocka_unit_test(any_split_of_the_stream_is_as_good),
		cmocka_unit_test(
			bulk_data_flows_both_ways_while_both_sides_rekey),
		cmocka_unit_test(
			keys_wait_for_the_login_and_data_for_no_end_of_keys),
		cmocka_unit_test(old_keys_are_replaced_once_they_are_used),
		cmocka_unit_test(
			requests_during_an_exchange_are_sent_after_it_in_order),
		cmocka_unit_test(
			replies_asked_for_during_our_exchange_are_kept),
		cmocka_unit_test(
			an_idle_connection_is_small_and_borrows_nothing),
		cmocka_unit_test(a_connection_waits_for_buffers),
		cmocka_unit_test(a_loan_that_is_refused_once_breaks_nothing),
		cmocka_unit_test(a_connection_without_random_bytes_ends),
		cmocka_unit_test(buffers_of_every_size_carry_data),
		cmocka_unit_test(
			many_connections_share_an_environment_and_a_pool),
		cmocka_unit_test(wrong_configurations_are_refused),
		cmocka_unit_test(a_refused_host_key_ends_the_session),
		cmocka_unit_test(the_trace_tells_each_message_and_no_secret),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
