/* Data that is decrypted to where it belongs, and sealed from where it is. */
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

enum { DATA = 5000 };

/* Where the server's owner wants data: in rooms of so many bytes, so often. */
struct places {
	size_t room;
	unsigned times; /* in all */
	unsigned asked;
	uint8_t bytes[4 * DATA]; /* not verified */
	size_t len;
	uint8_t good[4 * DATA]; /* what events have brought, in order */
	size_t good_len;
	size_t placed;
};

static uint8_t *place(void *arg, struct csftp_ssh *ssh, uint32_t channel,
		      size_t left, size_t *room)
{
	struct ssh_side *side = arg;
	struct places *places = side->rig->arg;
	uint8_t *to = places->bytes + places->len;

	(void)channel;
	assert_ptr_equal(ssh, side->ssh);
	assert_true(left > 0);
	if (places->asked++ >= places->times)
		return NULL;
	/* More than there is will do as well. */
	*room = places->room;
	places->len += places->room < left ? places->room : left;
	return to;
}

static bool on_event(struct ssh_side *side, const struct csftp_ssh_event *event)
{
	struct places *places = side->rig->arg;

	if (event->kind != CSFTP_SSH_DATA || side != &side->rig->server)
		return false;
	assert_int_equal(event->placed, places->len - places->placed);
	memcpy(places->good + places->good_len, places->bytes + places->placed,
	       event->placed);
	places->good_len += event->placed;
	places->placed = places->len;
	memcpy(places->good + places->good_len, event->data.ptr,
	       event->data.len);
	places->good_len += event->data.len;
	assert_int_equal(csftp_ssh_consumed(side->ssh, event->channel,
					    event->placed + event->data.len),
			 CSFTP_OK);
	return true;
}

static uint32_t start(struct ssh_rig *rig, struct places *places,
		      const char *cipher, const char *mac)
{
	ssh_rig_init(rig);
	rig->arg = places;
	rig->on_event = on_event;
	rig->server.config.place = place;
	rig->client.config.cipher = cipher;
	rig->client.config.mac = mac;
	ssh_rig_start(rig);
	ssh_rig_login(rig);
	return ssh_rig_channel(rig);
}

static void assert_pattern(const struct places *places, size_t len)
{
	assert_int_equal(places->good_len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(places->good[i], (uint8_t)(i * 31 >> 3));
}

static const struct {
	const char *cipher;
	const char *mac;
	bool places; /* otherwise all stays where it was received */
} ways[] = {
	{"aes128-gcm@openssh.com", NULL, true},
	{"aes256-gcm@openssh.com", NULL, true},
	{"chacha20-poly1305@openssh.com", NULL, true},
	{"aes128-ctr", "hmac-sha2-256-etm@openssh.com", true},
	{"aes256-ctr", "hmac-sha2-512", false},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void data_goes_to_its_places_and_the_rest_stays(void **state)
{
	static const struct {
		size_t room;
		unsigned times;
		size_t placed;
	} cases[] = {
		{DATA, 1, DATA}, {9 * DATA, 9, DATA},	  {7, 3, 21},
		{1, DATA, DATA}, {13, DATA, DATA},	  {DATA, 0, 0},
		{0, DATA, 0},	 {DATA - 1, 1, DATA - 1},
	};
	struct ssh_rig rig;

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct places places = {.room = cases[i].room,
						.times = cases[i].times};
			uint32_t channel = start(
				&rig, &places, ways[way].cipher, ways[way].mac);

			assert_int_equal(
				ssh_side_send(&rig.client, channel, DATA),
				DATA);
			ssh_rig_run(&rig);
			assert_pattern(&places, DATA);
			assert_int_equal(places.placed,
					 ways[way].places ? cases[i].placed
							  : 0);
			/* The next packet is as good as ever. */
			assert_int_equal(
				ssh_side_send(&rig.client, channel, DATA),
				DATA);
			ssh_rig_run(&rig);
			assert_pattern(&places, 2 * (size_t)DATA);
			ssh_rig_stop(&rig);
		}
	}
}

static void little_data_and_that_of_another_kind_stays(void **state)
{
	struct places places = {.room = DATA, .times = 10};
	struct ssh_rig rig;
	uint32_t channel = start(&rig, &places, ways[0].cipher, NULL);

	(void)state;
	assert_int_equal(ssh_side_send(&rig.client, channel, 100), 100);
	ssh_rig_run(&rig);
	assert_pattern(&places, 100);
	assert_int_equal(places.asked, 0);
	assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "true"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(places.asked, 0);
	ssh_rig_stop(&rig);
}

struct flip {
	struct places places; /* first: rig->arg */
	size_t at;	      /* of the packet with the data */
	size_t passed;
	bool on;
};

static void flip_tap(struct ssh_rig *rig, struct ssh_side *to, uint8_t *bytes,
		     size_t len)
{
	struct flip *flip = rig->arg;

	if (!flip->on || to != &rig->server)
		return;
	if (flip->at >= flip->passed && flip->at - flip->passed < len)
		bytes[flip->at - flip->passed] ^= 0x04;
	flip->passed += len;
}

/* The head, which is looked at early, and some of the rest with the tag. */
static void what_was_changed_has_no_event_though_it_has_a_place(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		for (size_t at = 0; at < DATA + 20;
		     at += at < 40 || at >= DATA ? 1 : 499) {
			struct flip flip = {
				.places = {.room = 999, .times = 99}, .at = at};

			channel = start(&rig, &flip.places, ways[way].cipher,
					ways[way].mac);
			rig.tap = flip_tap;
			flip.on = true;
			assert_int_equal(
				ssh_side_send(&rig.client, channel, DATA),
				DATA);
			/* So that a longer length has its bytes as well. */
			(void)ssh_side_send(&rig.client, channel, DATA);
			ssh_rig_run(&rig);
			assert_int_equal(flip.places.good_len, 0);
			assert_int_not_equal(rig.server.ssh->err, CSFTP_OK);
			assert_int_equal(rig.server.count[CSFTP_SSH_CLOSED], 1);
			ssh_rig_stop(&rig);
		}
	}
}

/* RFC 4254, 5.2: it has no place, as it should not have come. */
static void data_beyond_the_window_is_not_asked_about(void **state)
{
	struct places places = {.room = DATA, .times = 10};
	struct ssh_rig rig;
	uint32_t channel = start(&rig, &places, ways[0].cipher, NULL);

	(void)state;
	rig.server.ssh->channel[0].window = DATA - 1;
	assert_int_equal(ssh_side_send(&rig.client, channel, DATA), DATA);
	ssh_rig_run(&rig);
	assert_int_equal(places.asked, 0);
	ssh_side_assert_ended(&rig.server, CSFTP_ERR_STATE,
			      CSFTP_SSH_PROTOCOL_ERROR);
	ssh_rig_stop(&rig);
}

static void fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
}

static void slices_are_sent_as_what_they_are_together(void **state)
{
	uint8_t bytes[DATA];
	struct ssh_rig rig;
	size_t sent;

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t way = 0; way < WAYS; way++) {
		for (size_t cut = 0; cut <= DATA; cut += cut < 40 ? 1 : 97) {
			struct places places = {.room = DATA, .times = 10};
			uint32_t channel = start(
				&rig, &places, ways[way].cipher, ways[way].mac);
			const struct csftp_slice slice[] = {
				{bytes, cut},
				{bytes + cut, 0},
				{bytes + cut, DATA - cut}};

			assert_int_equal(csftp_ssh_send_from(rig.client.ssh,
							     channel,
							     CSFTP_SSH_STDOUT,
							     slice, 3, &sent),
					 CSFTP_OK);
			assert_int_equal(sent, DATA);
			ssh_rig_run(&rig);
			assert_pattern(&places, DATA);
			ssh_rig_stop(&rig);
		}
	}
}

static void no_more_is_sent_than_the_window_allows(void **state)
{
	struct places places = {.room = DATA, .times = 10};
	uint8_t bytes[DATA];
	const struct csftp_slice slice[] = {{bytes, 10}, {bytes + 10, 4990}};
	struct ssh_rig rig;
	uint32_t channel = start(&rig, &places, ways[0].cipher, NULL);
	struct csftp_ssh *ssh = rig.client.ssh;
	size_t sent;

	(void)state;
	fill(bytes, sizeof(bytes));
	ssh->channel[0].peer_window = 2000;
	assert_int_equal(csftp_ssh_send_from(ssh, channel, CSFTP_SSH_STDOUT,
					     slice, 2, &sent),
			 CSFTP_OK);
	assert_int_equal(sent, 2000);
	assert_int_equal(csftp_ssh_send_from(ssh, channel, CSFTP_SSH_STDOUT,
					     slice, 2, &sent),
			 CSFTP_OK);
	assert_int_equal(sent, 0);
	ssh_rig_run(&rig);
	assert_pattern(&places, 2000);
	/* Nothing at all takes no buffer. */
	ssh->channel[0].peer_window = 2000;
	assert_int_equal(csftp_ssh_send_from(ssh, channel, CSFTP_SSH_STDOUT,
					     slice, 0, &sent),
			 CSFTP_OK);
	assert_int_equal(sent, 0);
	assert_int_equal(rig.client.borrowed, 0);
	assert_int_equal(csftp_ssh_send_from(ssh, channel + 1, CSFTP_SSH_STDOUT,
					     slice, 2, &sent),
			 CSFTP_ERR_ARG);
	ssh_rig_stop(&rig);
}

static int free_keys(void **state)
{
	(void)state;
	ssh_rig_free_keys();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_goes_to_its_places_and_the_rest_stays),
		cmocka_unit_test(little_data_and_that_of_another_kind_stays),
		cmocka_unit_test(
			what_was_changed_has_no_event_though_it_has_a_place),
		cmocka_unit_test(data_beyond_the_window_is_not_asked_about),
		cmocka_unit_test(slices_are_sent_as_what_they_are_together),
		cmocka_unit_test(no_more_is_sent_than_the_window_allows),
	};

	return cmocka_run_group_tests(tests, NULL, free_keys);
}
