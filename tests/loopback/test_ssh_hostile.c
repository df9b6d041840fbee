/* SSH engines against peers that do not keep the rules, and the net between. */
#include <string.h>

#include "core/ssh/names.h"
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

/*
 * What is legal, written down a second time from the RFCs: for each message,
 * who may send it, and when.  C: client, S: server.  REKEX and RENEWKEYS are
 * of a connection that has run: of what RFC 4253, 7.1 does not allow there, the
 * connection's own is taken.
 */
enum {
	START,
	KEX,
	NEWKEYS,
	SERVICE,
	AUTH,
	RUN,
	REKEX,
	RENEWKEYS,
	EARLY, /* REKEX of who is not logged in */
	MOMENTS
};

static const struct {
	uint8_t msg;
	const char *when[MOMENTS];
} legal[] = {
	{1, {"CS", "CS", "CS", "CS", "CS", "CS", "CS", "CS", "CS"}},
	{2, {"CS", "", "", "CS", "CS", "CS", "CS", "CS", "CS"}},
	{3, {"CS", "", "", "CS", "CS", "CS", "CS", "CS", "CS"}},
	{4, {"CS", "", "", "CS", "CS", "CS", "CS", "CS", "CS"}},
	{5, {"", "", "", "C", "", "", "", "", ""}},
	{6, {"", "", "", "S", "", "", "", "", ""}},
	{7, {"", "", "", "CS", "CS", "", "", "", ""}},
	{20, {"CS", "", "", "CS", "CS", "CS", "", "", ""}},
	{21, {"", "", "CS", "", "", "", "", "CS", ""}},
	{30, {"", "C", "", "", "", "", "C", "", "C"}},
	{31, {"", "S", "", "", "", "", "S", "", "S"}},
	{50, {"", "", "", "", "C", "C", "", "", ""}},
	{51, {"", "", "", "", "S", "", "", "", ""}},
	{52, {"", "", "", "", "S", "", "", "", ""}},
	{53, {"", "", "", "", "S", "", "", "", ""}},
	{60, {"", "", "", "", "S", "", "", "", ""}},
	{80, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{81, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{82, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{90, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{91, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{92, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{93, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{94, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{95, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{96, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{97, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{98, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{99, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	{100, {"", "", "", "", "", "CS", "CS", "CS", ""}},
	/* Known, so that it is refused rather than unimplemented. */
	{61, {"", "", "", "", "", "", "", "", ""}},
};

enum { LEGAL = sizeof(legal) / sizeof(legal[0]) };

enum verdict { DENIED, ALLOWED, NOT_KNOWN };

static enum verdict expected(uint8_t msg, int moment, char from)
{
	for (size_t i = 0; i < LEGAL; i++)
		if (legal[i].msg == msg)
			return strchr(legal[i].when[moment], from) ? ALLOWED
								   : DENIED;
	/* OpenSSH PROTOCOL, 1.10: in strict mode not even what is unknown. */
	return moment == KEX || moment == NEWKEYS ? DENIED : NOT_KNOWN;
}

/* Stops a side where the next message of its peer is awaited. */
static bool reached(const struct ssh_side *side, int moment)
{
	static const enum ssh_phase phase[MOMENTS] = {
		[START] = SSH_START,	 [KEX] = SSH_KEX,
		[NEWKEYS] = SSH_NEWKEYS, [SERVICE] = SSH_SERVICE,
		[AUTH] = SSH_AUTH,	 [RUN] = SSH_RUN,
		[REKEX] = SSH_REKEX,	 [RENEWKEYS] = SSH_RENEWKEYS,
		[EARLY] = SSH_REKEX,
	};

	return ssh_in_phase(side->ssh) == phase[moment];
}

/* One event or byte at a time, so that no moment is passed by. */
static void bring_to(struct ssh_rig *rig, struct ssh_side *side, int moment)
{
	bool asked = false, rekeyed = false;

	rig->piece = 1;
	while (!reached(side, moment)) {
		bool any = ssh_rig_move(rig);

		if (reached(side, moment))
			return;
		if (!any && rig->client.count[CSFTP_SSH_READY] > 0 && !asked &&
		    moment != EARLY) {
			asked = true;
			assert_int_equal(csftp_ssh_auth_none(rig->client.ssh,
							     "somebody"),
					 CSFTP_OK);
		} else if (!any && !rekeyed) {
			rekeyed = true;
			assert_int_equal(csftp_ssh_rekey(side->ssh), CSFTP_OK);
		} else {
			assert_true(any);
		}
	}
}

/* Feeds bytes in front of what has come of the next packet already. */
static void slip_in(struct ssh_side *side, const uint8_t *bytes, size_t len)
{
	struct csftp_ssh *ssh = side->ssh;
	size_t early_len = ssh->in.tail - ssh->in.head;
	uint8_t early[16];

	assert_true(early_len < sizeof(early));
	if (early_len > 0)
		memcpy(early, ssh->in.base + ssh->in.head, early_len);
	ssh->in.tail = ssh->in.head;
	ssh_side_feed(side, bytes, len);
	ssh_side_feed(side, early, early_len);
}

/*
 * A message with that number alone, put into the engine as if it had been
 * opened: so no key plays a part.
 */
static void put_message(struct ssh_side *side, uint8_t msg)
{
	struct csftp_ssh *ssh = side->ssh;
	struct csftp_ssh_event event;
	size_t room;

	ssh->in.tail = ssh->in.head;
	(void)csftp_ssh_in(ssh, &room);
	assert_true(room > 1);
	ssh->in.base[ssh->in.tail] = msg;
	ssh->payload = (struct wire_bytes){ssh->in.base + ssh->in.tail, 1};
	ssh->in.tail += 1;
	ssh->in_whole = 1;
	ssh->from_peer.seq++;
	if (csftp_ssh_event(ssh, &event) && event.kind == CSFTP_SSH_CLOSED)
		side->count[CSFTP_SSH_CLOSED]++;
	while (csftp_ssh_event(ssh, &event))
		;
}

static void check_message(struct ssh_side *side, int moment, unsigned msg,
			  enum verdict want)
{
	const struct csftp_ssh *ssh = side->ssh;
	bool denied;

	side->lines_len = 0;
	side->lines[0] = '\0';
	put_message(side, (uint8_t)msg);
	denied = ssh->err == CSFTP_ERR_STATE && ssh->err_text &&
		 strcmp(ssh->err_text, "message not legal now") == 0;
	if (want == DENIED && !denied)
		fail_msg("message %u at moment %d was not refused", msg,
			 moment);
	if (want != DENIED && denied)
		fail_msg("message %u at moment %d was refused", msg, moment);
	if (want != NOT_KNOWN)
		return;
	/* RFC 4253, 11.4: in a rekeying it has to wait, but it will come. */
	assert_int_equal(ssh->err, CSFTP_OK);
	if (!ssh_out_in_kex(ssh))
		assert_non_null(strstr((char *)side->lines,
				       "> 3 UNIMPLEMENTED packet="));
	else
		assert_true(ssh->later.tail > 0);
}

static void each_message_is_legal_in_its_moments_and_in_no_other(void **state)
{
	(void)state;
	for (int moment = 0; moment < MOMENTS; moment++) {
		for (unsigned msg = 0; msg < 256; msg++) {
			for (int server = 0; server < 2; server++) {
				struct ssh_rig rig;
				struct ssh_side *side =
					server ? &rig.server : &rig.client;

				/* The long ways are gone for what is known;
				 * of the rest some will do. */
				if (msg > 100 && msg % 16 != 0 &&
				    moment != AUTH)
					continue;
				ssh_rig_init(&rig);
				side->traces = true;
				ssh_rig_start(&rig);
				bring_to(&rig, side, moment);
				check_message(side, moment, msg,
					      expected((uint8_t)msg, moment,
						       server ? 'C' : 'S'));
				ssh_rig_stop(&rig);
			}
		}
	}
}

/* Flips one bit of the byte at a place in one direction. */
struct flip {
	struct ssh_side *to;
	size_t at;
	size_t passed;
};

static void flip_tap(struct ssh_rig *rig, struct ssh_side *to, uint8_t *bytes,
		     size_t len)
{
	struct flip *flip = rig->arg;

	if (to != flip->to)
		return;
	if (flip->at >= flip->passed && flip->at - flip->passed < len)
		bytes[flip->at - flip->passed] ^= 0x10;
	flip->passed += len;
}

/* A session up to some data; where it breaks is where it stops. */
static bool session_works(struct ssh_rig *rig)
{
	uint32_t channel;

	ssh_rig_run(rig);
	if (rig->client.count[CSFTP_SSH_READY] == 0 ||
	    csftp_ssh_auth_none(rig->client.ssh, "u") != CSFTP_OK)
		return false;
	ssh_rig_run(rig);
	if (csftp_ssh_open(rig->client.ssh, &channel) != CSFTP_OK)
		return false;
	ssh_rig_run(rig);
	if (ssh_side_send(&rig->client, channel, 40) != 40)
		return false;
	ssh_rig_run(rig);
	return rig->server.got_total == 40 && rig->client.got_total == 40 &&
	       rig->client.ssh->err == CSFTP_OK &&
	       rig->server.ssh->err == CSFTP_OK;
}

/* The bytes of the plain part, and of all, in one direction. */
static void measure(const char *cipher, bool up, size_t *plain, size_t *whole)
{
	struct ssh_rig rig;

	ssh_rig_init(&rig);
	rig.client.config.cipher = cipher;
	rig.server.echo = true;
	ssh_rig_start(&rig);
	bring_to(&rig, up ? &rig.server : &rig.client, SERVICE);
	*plain = up ? rig.moved_up : rig.moved_down;
	rig.piece = 0;
	assert_true(session_works(&rig));
	*whole = up ? rig.moved_up : rig.moved_down;
	ssh_rig_stop(&rig);
}

static bool works_with_flip(const char *cipher, bool up, size_t at)
{
	struct flip flip = {.at = at};
	struct ssh_rig rig;
	bool works;

	ssh_rig_init(&rig);
	flip.to = up ? &rig.server : &rig.client;
	rig.arg = &flip;
	rig.tap = flip_tap;
	rig.client.config.cipher = cipher;
	rig.server.echo = true;
	ssh_rig_start(&rig);
	works = session_works(&rig);
	ssh_rig_stop(&rig);
	return works;
}

static void each_changed_byte_of_an_encrypted_stream_ends_it(void **state)
{
	static const char *const ciphers[] = {"chacha20-poly1305@openssh.com",
					      "aes256-gcm@openssh.com",
					      "aes128-ctr"};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		for (int up = 0; up < 2; up++) {
			size_t plain, whole;

			measure(ciphers[c], up, &plain, &whole);
			assert_true(whole > plain + 100);
			for (size_t at = plain; at < whole; at++)
				if (works_with_flip(ciphers[c], up, at))
					fail_msg("byte %zu changed nothing",
						 at);
		}
	}
}

/* Before, all but the padding is under the signature of the host key. */
static void no_changed_byte_of_a_key_exchange_goes_unseen(void **state)
{
	(void)state;
	for (int up = 0; up < 2; up++) {
		size_t plain, whole, unseen = 0;

		measure("aes256-ctr", up, &plain, &whole);
		for (size_t at = 0; at < plain; at++)
			if (works_with_flip("aes256-ctr", up, at))
				unseen++;
		/* Three packets in each direction, 4 to 11 bytes of padding. */
		assert_in_range(unseen, 3 * 4, 3 * 11);
	}
}

static void a_stream_that_ends_anywhere_is_the_end_and_no_more(void **state)
{
	size_t plain, whole;

	(void)state;
	measure("aes128-gcm@openssh.com", true, &plain, &whole);
	for (size_t at = 0; at < whole; at += 3) {
		struct ssh_rig rig;

		ssh_rig_init(&rig);
		rig.client.config.cipher = "aes128-gcm@openssh.com";
		rig.piece = 1;
		ssh_rig_start(&rig);
		while (rig.moved_up < at) {
			bool any = ssh_rig_move(&rig);

			if (!any && rig.client.count[CSFTP_SSH_READY] > 0 &&
			    rig.client.count[CSFTP_SSH_AUTH_OK] == 0)
				assert_int_equal(csftp_ssh_auth_none(
							 rig.client.ssh, "u"),
						 CSFTP_OK);
			else if (!any)
				break;
		}
		csftp_ssh_close(rig.server.ssh, CSFTP_ERR_EOF);
		(void)ssh_side_events(&rig.server);
		assert_int_equal(rig.server.count[CSFTP_SSH_CLOSED], 1);
		assert_int_equal(rig.server.last.err, CSFTP_ERR_EOF);
		assert_int_equal(rig.server.borrowed > 1, 0);
		ssh_rig_stop(&rig);
	}
}

static void a_replayed_packet_is_refused(void **state)
{
	static const char *const ciphers[] = {"chacha20-poly1305@openssh.com",
					      "aes256-gcm@openssh.com",
					      "aes128-ctr"};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		struct ssh_rig rig;
		uint8_t copy[512];
		const uint8_t *out;
		uint32_t channel;
		size_t len;

		ssh_rig_init(&rig);
		rig.client.config.cipher = ciphers[c];
		ssh_rig_start(&rig);
		ssh_rig_login(&rig);
		channel = ssh_rig_channel(&rig);
		assert_int_equal(ssh_side_send(&rig.client, channel, 100), 100);
		out = csftp_ssh_out(rig.client.ssh, &len);
		assert_true(len < sizeof(copy));
		memcpy(copy, out, len);
		ssh_rig_run(&rig);
		assert_int_equal(rig.server.got_total, 100);
		ssh_side_feed(&rig.server, copy, len);
		assert_int_equal(rig.server.got_total, 100);
		ssh_side_assert_ended(&rig.server, CSFTP_ERR_FORGED,
				      CSFTP_SSH_MAC_ERROR);
		ssh_rig_stop(&rig);
	}
}

/*
 * CVE-2023-48795: a message slipped in before NEWKEYS, and the first one after
 * it taken away, so that the numbers match again.
 */
static void nothing_can_be_slipped_into_a_strict_exchange(void **state)
{
	static const uint8_t ignore[] = {0, 0, 0, 12, 6, 2, 0, 0,
					 0, 0, 0, 0,  0, 0, 0, 0};
	struct ssh_rig rig;

	(void)state;
	/* Behind the server's KEXINIT. */
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	bring_to(&rig, &rig.client, KEX);
	assert_true(rig.client.ssh->strict);
	slip_in(&rig.client, ignore, sizeof(ignore));
	ssh_side_assert_ended(&rig.client, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
	/* In front of it. */
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	bring_to(&rig, &rig.client, START);
	slip_in(&rig.client, ignore, sizeof(ignore));
	assert_int_equal(rig.client.ssh->err, CSFTP_OK);
	rig.piece = 0;
	ssh_rig_run(&rig);
	ssh_side_assert_ended(&rig.client, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
	/* The same to a server. */
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	bring_to(&rig, &rig.server, KEX);
	slip_in(&rig.server, ignore, sizeof(ignore));
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
}

static void strict_mode_counts_anew_with_each_set_of_keys(void **state)
{
	struct ssh_rig rig;

	(void)state;
	(void)open_session(&rig);
	assert_true(rig.server.ssh->from_peer.seq > 1);
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.ssh->from_peer.seq, 0);
	assert_int_equal(rig.client.ssh->from_peer.seq, 0);
	ssh_rig_stop(&rig);
}

static void lengths_that_cannot_be_are_refused_at_once(void **state)
{
	static const uint8_t heads[][8] = {
		{0, 0, 0, 0, 4, 2, 0, 0},	/* nothing */
		{0, 0, 0, 4, 4, 2, 0, 0},	/* not even a block */
		{0, 0, 0, 13, 4, 2, 0, 0},	/* no multiple of 8 */
		{0, 1, 0, 4, 4, 2, 0, 0},	/* above the buffer */
		{0x80, 0, 0, 4, 4, 2, 0, 0},	/* negative for some */
		{0xff, 0xff, 0xff, 0xfc, 4, 2}, /* wraps round */
	};
	struct ssh_rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		ssh_rig_init(&rig);
		ssh_rig_start(&rig);
		bring_to(&rig, &rig.server, START);
		slip_in(&rig.server, heads[i], 8);
		ssh_side_assert_ended(&rig.server, CSFTP_ERR_TOO_LONG,
				      CSFTP_SSH_PROTOCOL_ERROR);
		ssh_rig_stop(&rig);
	}
}

static void padding_that_cannot_be_is_refused(void **state)
{
	static const uint8_t paddings[] = {0, 3, 11, 12, 255};
	uint8_t packet[16] = {0, 0, 0, 12, 0, 2};
	struct ssh_rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(paddings); i++) {
		ssh_rig_init(&rig);
		ssh_rig_start(&rig);
		bring_to(&rig, &rig.server, START);
		packet[4] = paddings[i];
		slip_in(&rig.server, packet, sizeof(packet));
		ssh_side_assert_ended(&rig.server, CSFTP_ERR_VALUE,
				      CSFTP_SSH_PROTOCOL_ERROR);
		ssh_rig_stop(&rig);
	}
}

static void what_is_no_identification_is_refused(void **state)
{
	static const struct {
		const char *text;
		bool client_takes; /* as a line before it */
	} rows[] = {
		{"GET / HTTP/1.1\r\n", true},
		{"SSH-1.5-old\r\n", false},
		{"SSH-3.0-new\r\n", false},
		{"SSH-2.0-\001\r\n", false},
		{"\r\n", true},
		{"ssh-2.0-small\r\n", true},
	};
	struct ssh_rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ssh_rig_init(&rig);
		ssh_rig_start(&rig);
		(void)ssh_side_events(&rig.server);
		(void)ssh_side_events(&rig.client);
		ssh_side_feed(&rig.server, rows[i].text, strlen(rows[i].text));
		assert_int_equal(rig.server.ssh->err, CSFTP_ERR_VERSION);
		ssh_side_feed(&rig.client, rows[i].text, strlen(rows[i].text));
		assert_int_equal(rig.client.ssh->err,
				 rows[i].client_takes ? CSFTP_OK
						      : CSFTP_ERR_VERSION);
		ssh_rig_stop(&rig);
	}
}

static void endless_greetings_are_refused(void **state)
{
	char line[300];
	struct ssh_rig rig;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "SSH-2.0-", 8);
	line[sizeof(line) - 1] = '\n';
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	(void)ssh_side_events(&rig.server);
	ssh_side_feed(&rig.server, line, 290);
	assert_int_equal(rig.server.ssh->err, CSFTP_ERR_VERSION);
	(void)ssh_side_events(&rig.client);
	line[0] = 'Y';
	for (int i = 0; i < 64; i++)
		ssh_side_feed(&rig.client, line, sizeof(line));
	assert_int_equal(rig.client.ssh->err, CSFTP_OK);
	ssh_side_feed(&rig.client, line, sizeof(line));
	assert_int_equal(rig.client.ssh->err, CSFTP_ERR_VERSION);
	ssh_rig_stop(&rig);
}

static void a_point_that_makes_no_secret_ends_the_exchange(void **state)
{
	struct ssh_rig rig;
	const uint8_t zero[5 + 32] = {30, 0, 0, 0, 32};

	(void)state;
	/* RFC 8731, 3: a point that makes the secret zero. */
	ssh_rig_init(&rig);
	ssh_rig_start(&rig);
	bring_to(&rig, &rig.server, KEX);
	rig.client.ssh->out.tail = rig.client.ssh->out.head;
	rig.server.ssh->in.tail = rig.server.ssh->in.head;
	rig.server.ssh->in_whole = 0;
	ssh_side_say(&rig.client, zero, sizeof(zero));
	rig.piece = 0;
	ssh_rig_run(&rig);
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_VALUE,
			      CSFTP_SSH_KEX_FAILED);
	ssh_rig_stop(&rig);
}

static void an_exchange_that_is_not_finished_ends_the_session(void **state)
{
	struct ssh_rig rig;

	(void)state;
	(void)open_session(&rig);
	rig.now_ms = 5000;
	assert_int_equal(csftp_ssh_rekey(rig.server.ssh), CSFTP_OK);
	assert_int_equal(csftp_ssh_deadline(rig.server.ssh), 5000 + 120000);
	(void)ssh_side_events(&rig.server);
	rig.now_ms = 5000 + 120000 - 1;
	(void)ssh_side_events(&rig.server);
	assert_int_equal(rig.server.ssh->err, CSFTP_OK);
	assert_int_equal(rig.server.borrowed, 2);
	rig.now_ms++;
	(void)ssh_side_events(&rig.server);
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
			      CSFTP_SSH_KEX_FAILED);
	/* What is left is the output, which tells why. */
	assert_int_equal(rig.server.borrowed, 1);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.reason, CSFTP_SSH_KEX_FAILED);
	ssh_rig_stop(&rig);
}

/* RFC 4344, 3.1; and the number of a packet is the nonce of a cipher. */
static void packet_numbers_do_not_come_round(void **state)
{
	static const uint8_t ping[] = {80, 0, 0, 0, 1, 'x', 0};
	struct wire_wr wr;
	struct ssh_rig rig;

	(void)state;
	(void)open_session(&rig);
	rig.server.traces = true;
	rig.server.ssh->to_peer.packets = UINT32_C(1) << 31;
	ssh_rig_run(&rig);
	assert_non_null(strstr((char *)rig.server.lines, "> 20 KEXINIT"));
	assert_true(rig.server.ssh->to_peer.packets < 10);
	/* A peer that takes no notice is not followed to the end. */
	rig.server.ssh->from_peer.packets = UINT32_MAX - 1;
	ssh_side_say(&rig.client, ping, sizeof(ping));
	ssh_rig_run(&rig);
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
	(void)open_session(&rig);
	rig.client.ssh->to_peer.packets = UINT32_MAX;
	wr = ssh_begin(rig.client.ssh, SSH_GLOBAL_REQUEST);
	wire_wr_raw(&wr, ping + 1, sizeof(ping) - 1);
	assert_int_equal(ssh_end(rig.client.ssh, &wr), CSFTP_ERR_STATE);
	assert_int_equal(rig.client.ssh->err, CSFTP_ERR_STATE);
	ssh_rig_stop(&rig);
}

/* A plain packet, as before the first keys. */
static void feed_plain(struct ssh_side *side, const struct wire_wr *payload)
{
	uint8_t packet[1024] = {0};
	size_t padding = 8 - (5 + payload->len) % 8;

	padding += padding < 4 ? 8 : 0;
	wire_put_u32(packet, (uint32_t)(1 + payload->len + padding));
	packet[4] = (uint8_t)padding;
	memcpy(packet + 5, payload->base, payload->len);
	ssh_side_feed(side, packet, 5 + payload->len + padding);
}

/* A client that is no engine: its KEXINIT, with or without a guess. */
static void feed_kexinit(struct ssh_side *side, const char *kex, bool guess)
{
	static const char *const rest[] = {"ssh-ed25519",
					   "aes128-ctr",
					   "aes128-ctr",
					   "hmac-sha2-256",
					   "hmac-sha2-256",
					   "none",
					   "none",
					   "",
					   ""};
	static const uint8_t cookie[16];
	uint8_t text[512];
	struct wire_wr wr = {.base = text, .cap = sizeof(text)};

	wire_wr_u8(&wr, SSH_KEXINIT);
	wire_wr_raw(&wr, cookie, sizeof(cookie));
	ssh_wr_text(&wr, kex);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		ssh_wr_text(&wr, rest[i]);
	ssh_wr_bool(&wr, guess);
	wire_wr_u32(&wr, 0);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	feed_plain(side, &wr);
}

/* RFC 4253, 7: the packet behind a wrong guess is dropped, a right one not. */
static void a_guessed_packet_counts_if_the_guess_was_right(void **state)
{
	static const struct {
		const char *kex;
		bool guess;
		bool dropped;
	} rows[] = {
		{"curve25519-sha256", false, false},
		{"curve25519-sha256", true, false},
		{"ecdh-sha2-nistp521,curve25519-sha256", true, true},
		{"unheard-of,curve25519-sha256", true, true},
		{"unheard-of,curve25519-sha256", false, false},
	};
	uint8_t point[37] = {SSH_ECDH_INIT, 0, 0, 0, 32, 9};
	struct wire_wr init = {.base = point, .len = sizeof(point)};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ssh_rig rig;

		ssh_rig_init(&rig);
		rig.server.config.kex = "curve25519-sha256";
		rig.server.traces = true;
		ssh_rig_start(&rig);
		(void)ssh_side_events(&rig.server);
		ssh_side_feed(&rig.server, "SSH-2.0-x\r\n", 11);
		feed_kexinit(&rig.server, rows[i].kex, rows[i].guess);
		assert_false(rig.server.ssh->strict);
		feed_plain(&rig.server, &init);
		assert_int_equal(ssh_in_phase(rig.server.ssh),
				 rows[i].dropped ? SSH_KEX : SSH_NEWKEYS);
		if (rows[i].dropped)
			feed_plain(&rig.server, &init);
		assert_int_equal(ssh_in_phase(rig.server.ssh), SSH_NEWKEYS);
		assert_int_equal(rig.server.ssh->err, CSFTP_OK);
		ssh_rig_stop(&rig);
	}
}

/* Others than strict peers may put such messages anywhere. */
static void a_peer_without_strict_mode_may_ignore_and_debug(void **state)
{
	uint8_t ignore[] = {SSH_IGNORE, 0, 0, 0, 1, 'x'};
	uint8_t debug[] = {SSH_DEBUG, 1, 0, 0, 0, 1, 'x', 0, 0, 0, 0};
	uint8_t unknown[] = {199, 1};
	struct wire_wr message[3] = {
		{.base = ignore, .len = sizeof(ignore)},
		{.base = debug, .len = sizeof(debug)},
		{.base = unknown, .len = sizeof(unknown)},
	};
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.traces = true;
	ssh_rig_start(&rig);
	(void)ssh_side_events(&rig.server);
	ssh_side_feed(&rig.server, "SSH-2.0-x\r\n", 11);
	feed_plain(&rig.server, &message[0]);
	feed_kexinit(&rig.server, "curve25519-sha256", false);
	for (size_t i = 0; i < 3; i++)
		feed_plain(&rig.server, &message[i]);
	assert_int_equal(rig.server.ssh->err, CSFTP_OK);
	assert_int_equal(ssh_in_phase(rig.server.ssh), SSH_KEX);
	ssh_rig_stop(&rig);
}

/* The owner was asked about one key; no other may take its place. */
static void another_host_key_at_rekeying_ends_the_session(void **state)
{
	const struct csftp_ssh_key *keys[1];
	struct csftp_ssh_key *other;
	struct ssh_rig rig;

	(void)state;
	(void)open_session(&rig);
	assert_int_equal(csftp_ssh_key_make(&other, CSFTP_SSH_ED25519, 0),
			 CSFTP_OK);
	keys[0] = other;
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.ssh->err, CSFTP_OK);
	rig.server.env->config.keys = keys;
	assert_int_equal(csftp_ssh_rekey(rig.server.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	ssh_side_assert_ended(&rig.client, CSFTP_ERR_DENIED,
			      CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE);
	assert_int_equal(rig.client.count[CSFTP_SSH_HOSTKEY], 1);
	ssh_rig_stop(&rig);
	csftp_ssh_key_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_message_is_legal_in_its_moments_and_in_no_other),
		cmocka_unit_test(
			each_changed_byte_of_an_encrypted_stream_ends_it),
		cmocka_unit_test(no_changed_byte_of_a_key_exchange_goes_unseen),
		cmocka_unit_test(
			a_stream_that_ends_anywhere_is_the_end_and_no_more),
		cmocka_unit_test(a_replayed_packet_is_refused),
		cmocka_unit_test(nothing_can_be_slipped_into_a_strict_exchange),
		cmocka_unit_test(strict_mode_counts_anew_with_each_set_of_keys),
		cmocka_unit_test(lengths_that_cannot_be_are_refused_at_once),
		cmocka_unit_test(padding_that_cannot_be_is_refused),
		cmocka_unit_test(what_is_no_identification_is_refused),
		cmocka_unit_test(endless_greetings_are_refused),
		cmocka_unit_test(
			a_point_that_makes_no_secret_ends_the_exchange),
		cmocka_unit_test(
			an_exchange_that_is_not_finished_ends_the_session),
		cmocka_unit_test(packet_numbers_do_not_come_round),
		cmocka_unit_test(
			a_guessed_packet_counts_if_the_guess_was_right),
		cmocka_unit_test(
			a_peer_without_strict_mode_may_ignore_and_debug),
		cmocka_unit_test(another_host_key_at_rekeying_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, free_keys);
}
