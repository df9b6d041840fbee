/* Channels between two SSH engines, by the rules and against them. */
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

static int free_keys(void **state)
{
	(void)state;
	ssh_rig_free_keys();
	return 0;
}

/* A session with one channel. */
static uint32_t open_session(struct ssh_rig *rig)
{
	ssh_rig_init(rig);
	ssh_rig_start(rig);
	ssh_rig_login(rig);
	return ssh_rig_channel(rig);
}

/* RFC 4254, 5.2. */
static void more_data_than_the_window_ends_the_session(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.window = 1000;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	rig.server.hold = true;
	assert_int_equal(ssh_side_send(&rig.client, channel, 2000), 1000);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.got_total, 1000);
	rig.client.ssh->channel[0].peer_window = 1;
	assert_int_equal(ssh_side_send(&rig.client, channel, 1), 1);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.got_total, 1000);
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
}

static void windows_open_as_data_is_consumed_and_not_before(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.window = 1000;
	rig.server.config.window_max = 1000;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	rig.server.hold = true;
	(void)ssh_side_send(&rig.client, channel, 1000);
	ssh_rig_run(&rig);
	assert_int_equal(ssh_side_send(&rig.client, channel, 1), 0);
	assert_int_equal(csftp_ssh_consumed(rig.server.ssh, 0, 1001),
			 CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_consumed(rig.server.ssh, 0, 400), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(ssh_side_send(&rig.client, channel, 1), 0);
	assert_int_equal(csftp_ssh_consumed(rig.server.ssh, 0, 100), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(ssh_side_send(&rig.client, channel, 2000), 500);
	ssh_rig_stop(&rig);
}

/* The header forbids it; then it shall at least do no harm. */
static void room_is_lost_by_any_other_call(void **state)
{
	struct ssh_rig rig;
	uint32_t channel = open_session(&rig);
	struct csftp_ssh *ssh = rig.client.ssh;
	struct csftp_ssh_event event;
	size_t room;

	(void)state;
	assert_non_null(csftp_ssh_room(ssh, channel, CSFTP_SSH_STDOUT, &room));
	assert_int_equal(csftp_ssh_send(ssh, channel, room + 1), CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_send(ssh, channel + 1, 1), CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_ping(ssh), CSFTP_OK);
	assert_int_equal(csftp_ssh_send(ssh, channel, 1), CSFTP_ERR_ARG);
	assert_non_null(csftp_ssh_room(ssh, channel, CSFTP_SSH_STDOUT, &room));
	assert_int_equal(csftp_ssh_out_ack(ssh, 0), CSFTP_OK);
	assert_int_equal(csftp_ssh_send(ssh, channel, 1), CSFTP_ERR_ARG);
	assert_non_null(csftp_ssh_room(ssh, channel, CSFTP_SSH_STDOUT, &room));
	assert_false(csftp_ssh_event(ssh, &event));
	assert_int_equal(csftp_ssh_send(ssh, channel, 1), CSFTP_ERR_ARG);
	/* To send nothing gives back the buffer. */
	ssh_rig_run(&rig);
	assert_non_null(csftp_ssh_room(ssh, channel, CSFTP_SSH_STDOUT, &room));
	assert_int_equal(rig.client.borrowed, 1);
	assert_int_equal(csftp_ssh_send(ssh, channel, 0), CSFTP_OK);
	assert_int_equal(rig.client.borrowed, 0);
	ssh_rig_stop(&rig);
}

/* Both streams of a program, in the order in which they were sent. */
static void stderr_is_told_from_stdout(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;
	size_t room;
	uint8_t *to;

	(void)state;
	(void)open_session(&rig);
	channel = rig.server.channel;
	rig.client.keep = true;
	for (int i = 0; i < 4; i++) {
		to = csftp_ssh_room(rig.server.ssh, channel,
				    i % 2 ? CSFTP_SSH_STDERR : CSFTP_SSH_STDOUT,
				    &room);
		to[0] = (uint8_t)('a' + i);
		assert_int_equal(csftp_ssh_send(rig.server.ssh, channel, 1),
				 CSFTP_OK);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.stderr_data, i % 2);
	}
	assert_int_equal(rig.client.got_len, 4);
	assert_memory_equal(rig.client.got, "abcd", 4);
	ssh_rig_stop(&rig);
}

static void exits_are_told(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	(void)open_session(&rig);
	channel = rig.server.channel;
	assert_int_equal(csftp_ssh_exit_status(rig.server.ssh, channel, 77),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_REQUEST);
	assert_int_equal(rig.client.last.request, CSFTP_SSH_EXIT_STATUS);
	assert_int_equal(rig.client.last.number, 77);
	assert_false(rig.client.last.question);
	assert_int_equal(csftp_ssh_exit_signal(rig.server.ssh, channel, "TERM",
					       "told to"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.request, CSFTP_SSH_EXIT_SIGNAL);
	assert_int_equal(rig.client.last.data.len, 4);
	assert_int_equal(rig.client.last.more.len, 7);
	/* Each has its side. */
	assert_int_equal(csftp_ssh_exit_status(rig.client.ssh, 0, 1),
			 CSFTP_ERR_STATE);
	assert_int_equal(csftp_ssh_exec(rig.server.ssh, channel, "x"),
			 CSFTP_ERR_STATE);
	assert_int_equal(csftp_ssh_signal(rig.client.ssh, 0, "INT"), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.last.request, CSFTP_SSH_SIGNAL);
	ssh_rig_stop(&rig);
}

/* OpenSSH PROTOCOL, 2.2. */
static void no_more_sessions_means_it(void **state)
{
	static const uint8_t no_more[] = "\120\0\0\0\034"
					 "no-more-sessions@openssh.com";
	uint8_t message[sizeof(no_more)];
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	(void)open_session(&rig);
	memcpy(message, no_more, sizeof(no_more));
	message[sizeof(message) - 1] = 0;
	ssh_side_say(&rig.client, message, sizeof(message));
	assert_int_equal(csftp_ssh_open(rig.client.ssh, &channel), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_REFUSED);
	assert_int_equal(rig.client.last.reason, 1);
	assert_int_equal(rig.server.count[CSFTP_SSH_CHANNEL_OPEN], 1);
	assert_int_equal(rig.server.ssh->err, CSFTP_OK);
	ssh_rig_stop(&rig);
}

/* One whose data nobody consumes stands still, and no other does. */
static void channels_do_not_wait_for_each_other(void **state)
{
	enum { MANY = 8 };
	uint32_t ours[MANY], theirs[MANY];
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.window = 5000;
	rig.server.config.window_max = 5000;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	for (size_t i = 0; i < MANY; i++) {
		ours[i] = ssh_rig_channel(&rig);
		theirs[i] = rig.server.channel;
	}
	rig.server.hold = true;
	assert_int_equal(ssh_side_send(&rig.client, ours[3], 9000), 5000);
	ssh_rig_run(&rig);
	rig.server.hold = false;
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < MANY; i++) {
			size_t sent = ssh_side_send(&rig.client, ours[i],
						    1000 + 10 * i);

			assert_int_equal(sent, i == 3 ? 0 : 1000 + 10 * i);
		}
		ssh_rig_run(&rig);
	}
	/* 10 rounds of all but one, and what was held. */
	assert_int_equal(rig.server.got_total,
			 5000 + 10 * (7 * 1000 + 10 * (28 - 3)));
	assert_int_equal(csftp_ssh_consumed(rig.server.ssh, theirs[3], 5000),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(ssh_side_send(&rig.client, ours[3], 9000), 5000);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
			csftp_ssh_channel_close(i % 2 ? rig.client.ssh
						      : rig.server.ssh,
						i % 2 ? ours[i] : theirs[i]),
			CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_CHANNEL_CLOSED], MANY);
	assert_int_equal(rig.server.count[CSFTP_SSH_CHANNEL_CLOSED], MANY);
	ssh_rig_stop(&rig);
}

static bool leave_open(struct ssh_side *side,
		       const struct csftp_ssh_event *event)
{
	return side == &side->rig->server && event->question;
}

/* The owner may think about each question for as long as it likes. */
static void a_question_holds_all_until_it_is_answered(void **state)
{
	struct csftp_ssh_event event;
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	rig.on_event = leave_open;
	ssh_rig_start(&rig);
	ssh_rig_run(&rig);
	assert_int_equal(csftp_ssh_auth_password(rig.client.ssh, "u", "p", 1),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.last.kind, CSFTP_SSH_AUTH);
	assert_false(csftp_ssh_event(rig.server.ssh, &event));
	assert_int_equal(csftp_ssh_wants(rig.server.ssh), 0);
	assert_int_equal(rig.server.ssh->phase, SSH_AUTH);
	assert_int_equal(csftp_ssh_answer(rig.server.ssh, CSFTP_SSH_YES),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	assert_int_equal(csftp_ssh_open(rig.client.ssh, &channel), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_OPENED], 0);
	assert_int_equal(csftp_ssh_answer(rig.server.ssh, CSFTP_SSH_YES),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	/* Behind the question there is more, and new keys; both wait. */
	assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "x"),
			 CSFTP_OK);
	assert_int_equal(ssh_side_send(&rig.client, channel, 100), 100);
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.got_total, 0);
	assert_int_equal(rig.client.count[CSFTP_SSH_REPLY], 0);
	assert_int_equal(csftp_ssh_answer(rig.server.ssh, CSFTP_SSH_NO),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_REPLY], 1);
	assert_false(rig.client.last.ok);
	assert_int_equal(rig.server.got_total, 100);
	/* The end does not wait for an answer. */
	assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "x"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	csftp_ssh_close(rig.server.ssh, CSFTP_ERR_EOF);
	assert_int_equal(csftp_ssh_answer(rig.server.ssh, CSFTP_SSH_YES),
			 CSFTP_ERR_STATE);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.last.kind, CSFTP_SSH_CLOSED);
	ssh_rig_stop(&rig);
}

/* What is held back is not under way, where the way is long. */
static void of_a_large_window_little_is_held_back(void **state)
{
	const uint32_t window = 8U << 20, held_back = 1U << 20;
	struct ssh_rig rig;
	uint32_t channel;
	size_t sent = 0;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.window = window;
	rig.server.config.window_max = window;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	while (sent < 3 * (size_t)held_back) {
		sent += ssh_side_send(&rig.client, channel, 16384);
		ssh_rig_run(&rig);
		assert_in_range(rig.client.ssh->channel[0].peer_window,
				window - held_back + 1, window);
	}
	ssh_rig_stop(&rig);
}

/* A channel whose server grants 64 KiB at first and may grant 1 MB. */
static uint32_t small_window(struct ssh_rig *rig)
{
	ssh_rig_init(rig);
	rig->server.config.window = 65536;
	rig->server.config.window_max = 1000000;
	ssh_rig_start(rig);
	ssh_rig_login(rig);
	return ssh_rig_channel(rig);
}

static void a_window_that_is_used_up_quickly_grows(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	channel = small_window(&rig);
	for (int i = 0; i < 2000; i++) {
		(void)ssh_side_send(&rig.client, channel, 16384);
		ssh_rig_run(&rig);
	}
	assert_int_equal(rig.server.ssh->channel[0].window_size, 1000000);
	ssh_rig_stop(&rig);
}

/* Half of it goes and is granted anew with each round trip, however long. */
static void a_window_that_takes_a_long_round_trip_grows(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	channel = small_window(&rig);
	for (int i = 0; i < 64; i++) {
		rig.now_ms += 500;
		(void)ssh_side_send(&rig.client, channel, 16384);
		(void)ssh_side_send(&rig.client, channel, 16384);
		ssh_rig_run(&rig);
	}
	assert_int_equal(rig.server.ssh->channel[0].window_size, 262144);
	ssh_rig_stop(&rig);
}

/* Messages about channels that the other side then has to refuse. */
static const struct {
	const char *what;
	bool from_server;
	uint8_t bytes[24];
	size_t len;
} broken[] = {
	{"data for no channel", false, {94, 0, 0, 0, 9, 0, 0, 0, 0}, 9},
	{"data for a gone generation", false, {94, 0, 0, 4, 0, 0, 0, 0, 0}, 9},
	{"data for a huge channel",
	 false,
	 {94, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	 9},
	{"data cut short", false, {94, 0, 0, 0, 0, 0, 0, 0, 1}, 9},
	{"bytes behind data", false, {94, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 10},
	{"stderr from a client",
	 false,
	 {95, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 'x'},
	 14},
	{"a type of data that is not known",
	 true,
	 {95, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 'x'},
	 14},
	{"a window above its limit",
	 false,
	 {93, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
	 9},
	{"confirmation of what is open",
	 true,
	 {91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	 17},
	{"failure of what is open",
	 true,
	 {92, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	 17},
	{"success of nothing", true, {99, 0, 0, 0, 0}, 5},
	{"failure of nothing", true, {100, 0, 0, 0, 0}, 5},
	{"an answer to no global request", true, {81}, 1},
	{"another", false, {82}, 1},
	{"close of no channel", false, {97, 0, 0, 0, 1}, 5},
	{"a request cut short", false, {98, 0, 0, 0, 0, 0}, 6},
};

static void broken_rules_of_channels_end_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct ssh_rig rig;
		struct ssh_side *victim;

		(void)open_session(&rig);
		victim = broken[i].from_server ? &rig.client : &rig.server;
		ssh_side_say(broken[i].from_server ? &rig.server : &rig.client,
			     broken[i].bytes, broken[i].len);
		ssh_rig_run(&rig);
		if (victim->ssh->err == CSFTP_OK)
			fail_msg("%s: nothing happened", broken[i].what);
		assert_int_equal(victim->ssh->err_reason,
				 CSFTP_SSH_PROTOCOL_ERROR);
		ssh_rig_stop(&rig);
	}
}

static void data_after_the_end_ends_the_session_and_no_second_end(void **state)
{
	static const uint8_t data[] = {94, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
	static const uint8_t eof[] = {96, 0, 0, 0, 0};
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	for (int twice = 0; twice < 2; twice++) {
		channel = open_session(&rig);
		assert_int_equal(csftp_ssh_send_eof(rig.client.ssh, channel),
				 CSFTP_OK);
		assert_int_equal(csftp_ssh_send_eof(rig.client.ssh, channel),
				 CSFTP_ERR_STATE);
		ssh_rig_run(&rig);
		assert_int_equal(rig.server.count[CSFTP_SSH_EOF], 1);
		ssh_side_say(&rig.client, twice ? eof : data,
			     twice ? sizeof(eof) : sizeof(data));
		ssh_rig_run(&rig);
		if (twice) {
			assert_int_equal(rig.server.ssh->err, CSFTP_OK);
			assert_int_equal(rig.server.count[CSFTP_SSH_EOF], 1);
		} else {
			ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
					      CSFTP_SSH_PROTOCOL_ERROR);
		}
		ssh_rig_stop(&rig);
	}
}

static void ends_come_in_every_order(void **state)
{
	struct ssh_rig rig;

	(void)state;
	/* Six steps of two sides: end of data, close, in any order. */
	for (unsigned order = 0; order < 256; order++) {
		uint32_t channel = open_session(&rig);
		uint32_t theirs = rig.server.channel;

		for (unsigned step = 0; step < 4; step++) {
			bool server = order >> step & 1;
			struct csftp_ssh *ssh =
				server ? rig.server.ssh : rig.client.ssh;
			uint32_t number = server ? theirs : channel;

			if (order >> (4 + step) & 1)
				(void)!csftp_ssh_channel_close(ssh, number);
			else
				(void)!csftp_ssh_send_eof(ssh, number);
			/* Sometimes both at once, sometimes one by one. */
			if (order % 3 != 0)
				ssh_rig_run(&rig);
		}
		(void)!csftp_ssh_channel_close(rig.client.ssh, channel);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.ssh->err, CSFTP_OK);
		assert_int_equal(rig.server.ssh->err, CSFTP_OK);
		assert_int_equal(rig.client.count[CSFTP_SSH_CHANNEL_CLOSED], 1);
		assert_int_equal(rig.server.count[CSFTP_SSH_CHANNEL_CLOSED], 1);
		assert_int_equal(csftp_ssh_send_eof(rig.client.ssh, channel),
				 CSFTP_ERR_ARG);
		/* The slot is free, under another number. */
		assert_int_not_equal(ssh_rig_channel(&rig), channel);
		ssh_rig_stop(&rig);
	}
}

static void a_flood_of_channels_is_answered_up_to_the_limit(void **state)
{
	static const uint8_t open[] = {90,  0,	 0,   0,   7, 's', 'e', 's',
				       's', 'i', 'o', 'n', 0, 0,   0,	1,
				       0,   0,	 1,   0,   0, 0,   1,	0};
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.channels = 5;
	rig.client.config.channels = 5;
	rig.client.traces = true;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	for (int i = 0; i < 5000; i++) {
		ssh_side_say(&rig.client, open, sizeof(open));
		if (i % 50 == 0)
			while (ssh_side_events(&rig.server) ||
			       rig.client.ssh->later.tail > 0 ||
			       rig.client.ssh->out.tail > 0)
				if (!ssh_rig_move(&rig))
					break;
		if (rig.client.ssh->err != CSFTP_OK)
			break;
	}
	assert_int_equal(rig.server.count[CSFTP_SSH_CHANNEL_OPEN], 5);
	assert_true(rig.server.most <= 4);
	ssh_rig_stop(&rig);
}

/* Requests that want replies, from a peer that does not read them. */
static void flood_unread(unsigned limit)
{
	static const uint8_t ping[] = {80, 0, 0, 0, 1, 'x', 1};
	struct ssh_rig rig;
	unsigned rounds = 0;

	(void)open_session(&rig);
	rig.server.limit = limit;
	while (csftp_ssh_wants(rig.server.ssh) & CSFTP_WANT_IN) {
		const uint8_t *out;
		size_t len;

		ssh_side_say(&rig.client, ping, sizeof(ping));
		out = csftp_ssh_out(rig.client.ssh, &len);
		ssh_side_feed(&rig.server, out, len);
		assert_int_equal(csftp_ssh_out_ack(rig.client.ssh, len),
				 CSFTP_OK);
		assert_true(++rounds < 100000);
	}
	assert_int_equal(rig.server.ssh->err, CSFTP_OK);
	assert_true(rig.server.most <= 4);
	/* Once it reads, all goes on. */
	rig.server.limit = 0;
	rig.client.ssh->conn.pings = 100000;
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.count[CSFTP_SSH_PONG], rounds);
	ssh_rig_stop(&rig);
}

static void a_peer_that_does_not_read_is_not_read(void **state)
{
	(void)state;
	flood_unread(0);
}

/* One buffer for what comes, one for what goes, and none for what waits. */
static void where_no_reply_has_a_place_requests_wait(void **state)
{
	(void)state;
	flood_unread(2);
}

/* Its KEXINIT could stand behind what would not be read: so all is read. */
static void requests_instead_of_an_exchange_end_the_session(void **state)
{
	static const uint8_t ping[] = {80, 0, 0, 0, 1, 'x', 1};
	struct ssh_rig rig;
	unsigned rounds = 0;

	(void)state;
	(void)open_session(&rig);
	assert_int_equal(csftp_ssh_rekey(rig.server.ssh), CSFTP_OK);
	while (rig.server.ssh->err == CSFTP_OK) {
		const uint8_t *out;
		size_t len;

		assert_true(csftp_ssh_wants(rig.server.ssh) & CSFTP_WANT_IN);
		ssh_side_say(&rig.client, ping, sizeof(ping));
		out = csftp_ssh_out(rig.client.ssh, &len);
		ssh_side_feed(&rig.server, out, len);
		assert_int_equal(csftp_ssh_out_ack(rig.client.ssh, len),
				 CSFTP_OK);
		assert_true(++rounds < 100000);
	}
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_NO_ROOM,
			      CSFTP_SSH_BY_APPLICATION);
	assert_true(rounds > 10000);
	ssh_rig_stop(&rig);
}

static void unknown_things_are_answered_and_do_not_end_anything(void **state)
{
	static const uint8_t open[] = {90, 0, 0, 0, 2, 'x', '1', 0, 0, 0, 1,
				       0,  0, 1, 0, 0, 0,   1,	 0, 9, 9};
	static const uint8_t request[] = {98, 0, 0,   0,   0, 0, 0,
					  0,  2, 'x', 'y', 1, 5};
	static const uint8_t global[] = {80, 0, 0, 0, 1, 'z', 1, 5, 5};
	static const uint8_t unknown[] = {200, 1, 2, 3};
	struct ssh_rig rig;

	(void)state;
	(void)open_session(&rig);
	rig.client.ssh->channel[0].due = 1;
	rig.client.ssh->conn.pings = 1;
	rig.server.traces = true;
	ssh_side_say(&rig.client, request, sizeof(request));
	ssh_side_say(&rig.client, global, sizeof(global));
	ssh_side_say(&rig.client, unknown, sizeof(unknown));
	(void)open;
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.ssh->err, CSFTP_OK);
	assert_int_equal(rig.client.ssh->err, CSFTP_OK);
	assert_int_equal(rig.client.count[CSFTP_SSH_REPLY], 1);
	assert_int_equal(rig.client.count[CSFTP_SSH_PONG], 1);
	assert_non_null(strstr((char *)rig.server.lines, "> 3 UNIMPLEMENTED"));
	/* A server may ask for channels that we do not have. */
	ssh_side_say(&rig.server, open, sizeof(open));
	ssh_rig_run(&rig);
	assert_non_null(strstr((char *)rig.server.lines,
			       "< 92 CHANNEL_OPEN_FAILURE channel=1 reason=3"));
	ssh_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_data_than_the_window_ends_the_session),
		cmocka_unit_test(
			windows_open_as_data_is_consumed_and_not_before),
		cmocka_unit_test(room_is_lost_by_any_other_call),
		cmocka_unit_test(stderr_is_told_from_stdout),
		cmocka_unit_test(exits_are_told),
		cmocka_unit_test(no_more_sessions_means_it),
		cmocka_unit_test(channels_do_not_wait_for_each_other),
		cmocka_unit_test(a_question_holds_all_until_it_is_answered),
		cmocka_unit_test(of_a_large_window_little_is_held_back),
		cmocka_unit_test(a_window_that_is_used_up_quickly_grows),
		cmocka_unit_test(a_window_that_takes_a_long_round_trip_grows),
		cmocka_unit_test(broken_rules_of_channels_end_the_session),
		cmocka_unit_test(
			data_after_the_end_ends_the_session_and_no_second_end),
		cmocka_unit_test(ends_come_in_every_order),
		cmocka_unit_test(
			a_flood_of_channels_is_answered_up_to_the_limit),
		cmocka_unit_test(a_peer_that_does_not_read_is_not_read),
		cmocka_unit_test(where_no_reply_has_a_place_requests_wait),
		cmocka_unit_test(
			requests_instead_of_an_exchange_end_the_session),
		cmocka_unit_test(
			unknown_things_are_answered_and_do_not_end_anything),
	};

	return cmocka_run_group_tests(tests, NULL, free_keys);
}
