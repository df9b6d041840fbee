#include "tests/lib/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define HOUR_US	    (3600 * (uint64_t)1000000)
#define PATIENCE_MS 60000
#define LARGE	    (3U << 20)

/* A server's socket, the proxy before it, and connections through it. */
struct way_out {
	struct proxy proxy;
	int listener;
	int client;
	int server;
};

static struct sockaddr_in at_port(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
}

static int dial(int port)
{
	struct sockaddr_in addr = at_port(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
	return fd;
}

static void hang_up(struct way_out *w)
{
	if (w->client >= 0)
		close(w->client);
	if (w->server >= 0)
		close(w->server);
	w->client = -1;
	w->server = -1;
}

static void call(struct way_out *w)
{
	hang_up(w);
	w->client = dial(w->proxy.port);
	w->server = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(w->server >= 0);
}

static int begin(void **state)
{
	struct way_out *w = calloc(1, sizeof(*w));
	int port;

	assert_non_null(w);
	w->client = -1;
	w->server = -1;
	w->listener = proxy_listen(&port);
	assert_true(w->listener >= 0);
	proxy_start(&w->proxy, port, 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct way_out *w = *state;

	hang_up(w);
	close(w->listener);
	proxy_stop(&w->proxy);
	free(w);
	return 0;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};

	return poll(&event, 1, timeout_ms) > 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* Reads to the end of the stream, or an error: its errno. */
static int drain(int fd, size_t *len)
{
	char buf[4096];
	ssize_t got;

	*len = 0;
	do {
		assert_true(readable(fd, PATIENCE_MS));
		got = recv(fd, buf, sizeof(buf), 0);
		if (got > 0)
			*len += (size_t)got;
	} while (got > 0);
	return got < 0 ? errno : 0;
}

static void hear(int fd, const char *text)
{
	char buf[256];
	size_t len = 0;

	while (len < strlen(text)) {
		ssize_t got;

		assert_true(readable(fd, PATIENCE_MS));
		got = recv(fd, buf + len, strlen(text) - len, 0);
		assert_true(got > 0);
		len += (size_t)got;
	}
	assert_memory_equal(buf, text, len);
}

static uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

/* Sends LARGE bytes of the pattern one way, as the other end reads them. */
static void carry(int from, int to)
{
	static uint8_t out[LARGE], in[LARGE];
	size_t sent = 0, got = 0;

	for (size_t i = 0; i < LARGE; i++)
		out[i] = pattern(i);
	while (got < LARGE) {
		struct pollfd events[2] = {
			{.fd = to, .events = POLLIN},
			{.fd = sent < LARGE ? from : -1, .events = POLLOUT},
		};
		ssize_t len;

		assert_true(poll(events, 2, PATIENCE_MS) > 0);
		if (events[1].revents) {
			len = send(from, out + sent, LARGE - sent,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
			assert_true(len > 0);
			sent += (size_t)len;
		}
		if (events[0].revents) {
			len = recv(to, in + got, LARGE - got, MSG_DONTWAIT);
			assert_true(len > 0);
			got += (size_t)len;
		}
	}
	assert_memory_equal(in, out, LARGE);
}

static void bytes_pass_unchanged_both_ways(void **state)
{
	struct way_out *w = *state;

	call(w);
	carry(w->client, w->server);
	carry(w->server, w->client);
	assert_int_equal(proxy_counts(&w->proxy).given[PROXY_TO_SERVER], LARGE);
	assert_int_equal(proxy_counts(&w->proxy).given[PROXY_TO_CLIENT], LARGE);
}

/* A proxy that waited for the first before it took the second would not. */
static void what_is_late_is_late_together(void **state)
{
	struct way_out *w = *state;
	struct proxy_counts counts;
	int64_t began;

	call(w);
	proxy_delay(&w->proxy, HOUR_US);
	say(w->client, "one");
	do
		counts = proxy_counts(&w->proxy);
	while (counts.taken[PROXY_TO_SERVER] < 3);
	say(w->client, "two");
	do
		counts = proxy_counts(&w->proxy);
	while (counts.taken[PROXY_TO_SERVER] < 6);
	assert_int_equal(counts.given[PROXY_TO_SERVER], 0);
	assert_false(readable(w->server, 0));

	proxy_delay(&w->proxy, 30000);
	call(w);
	began = proc_now_ms();
	say(w->client, "three");
	hear(w->server, "three");
	say(w->server, "four");
	hear(w->client, "four");
	/* A clock that went 60 ms can be seen to have gone 59. */
	assert_true(proc_now_ms() - began >= 59);
}

static void the_end_of_a_stream_comes_behind_its_bytes(void **state)
{
	struct way_out *w = *state;
	size_t len;

	proxy_delay(&w->proxy, 2000);
	call(w);
	say(w->client, "the last words");
	assert_int_equal(shutdown(w->client, SHUT_WR), 0);
	assert_int_equal(drain(w->server, &len), 0);
	assert_int_equal(len, 14);
	/* The other way is open still. */
	say(w->server, "thanks");
	hear(w->client, "thanks");
	assert_int_equal(shutdown(w->server, SHUT_WR), 0);
	assert_int_equal(drain(w->client, &len), 0);
	proxy_await_open(&w->proxy, 0);
	assert_int_equal(proxy_counts(&w->proxy).cut, 0);
}

static void a_cut_is_seen_at_both_ends_and_new_calls_work(void **state)
{
	struct way_out *w = *state;
	size_t len;

	call(w);
	say(w->client, "hello");
	hear(w->server, "hello");
	proxy_cut(&w->proxy);
	assert_int_equal(drain(w->client, &len), ECONNRESET);
	assert_int_equal(drain(w->server, &len), ECONNRESET);
	assert_int_equal(proxy_counts(&w->proxy).open, 0);
	call(w);
	say(w->server, "again");
	hear(w->client, "again");
	assert_int_equal(proxy_counts(&w->proxy).accepted, 2);
}

static void a_cut_at_a_byte_is_at_that_byte(void **state)
{
	struct way_out *w = *state;
	size_t len;

	for (unsigned at = 0; at <= 6; at++) {
		call(w);
		proxy_cut_at(&w->proxy, PROXY_TO_SERVER, at);
		if (at > 0)
			say(w->client, "abcdef");
		assert_int_equal(drain(w->server, &len), ECONNRESET);
		assert_int_equal(len, at);
		assert_int_equal(drain(w->client, &len), ECONNRESET);
	}
	/* Once, and in one way. */
	call(w);
	proxy_cut_at(&w->proxy, PROXY_TO_SERVER, 3);
	say(w->server, "more than three");
	hear(w->client, "more than three");
	say(w->client, "abc");
	assert_int_equal(drain(w->server, &len), ECONNRESET);
	call(w);
	say(w->client, "more than three");
	hear(w->server, "more than three");
}

static void a_hole_swallows_and_says_nothing(void **state)
{
	struct way_out *w = *state;
	struct proxy_counts counts;
	int client;

	call(w);
	say(w->client, "hello");
	hear(w->server, "hello");
	proxy_hole(&w->proxy, true);
	say(w->client, "lost");
	say(w->server, "lost, too");
	client = dial(w->proxy.port);
	say(client, "never");
	do
		counts = proxy_counts(&w->proxy);
	while (counts.taken[PROXY_TO_SERVER] < 14 ||
	       counts.taken[PROXY_TO_CLIENT] < 9);
	assert_int_equal(counts.given[PROXY_TO_SERVER], 5);
	assert_int_equal(counts.given[PROXY_TO_CLIENT], 0);
	/* The end is swallowed, too. */
	assert_int_equal(shutdown(w->client, SHUT_WR), 0);
	proxy_hole(&w->proxy, false);
	assert_false(readable(w->server, 0));
	assert_false(readable(client, 0));
	close(client);
	proxy_await_open(&w->proxy, 1);
	call(w);
	say(w->client, "new");
	hear(w->server, "new");
}

static void what_was_frozen_goes_on(void **state)
{
	struct way_out *w = *state;
	int client, server;

	call(w);
	proxy_freeze(&w->proxy, true);
	say(w->client, "later");
	say(w->server, "as well");
	client = dial(w->proxy.port);
	say(client, "me too");
	for (int i = 0; i < 20; i++)
		assert_int_equal(proxy_counts(&w->proxy).taken[PROXY_TO_SERVER],
				 0);
	assert_false(readable(w->server, 0));
	assert_int_equal(proxy_counts(&w->proxy).accepted, 1);
	proxy_freeze(&w->proxy, false);
	hear(w->server, "later");
	hear(w->client, "as well");
	server = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	hear(server, "me too");
	close(client);
	close(server);
}

static void a_refused_call_is_reset(void **state)
{
	struct way_out *w = *state;
	size_t len;

	proxy_refuse(&w->proxy, true);
	w->client = dial(w->proxy.port);
	assert_int_equal(drain(w->client, &len), ECONNRESET);
	proxy_refuse(&w->proxy, false);
	call(w);
	say(w->client, "hello");
	hear(w->server, "hello");
}

/* How far one connection after the other gets. */
static void lengths(struct way_out *w, uint64_t seed, uint64_t got[4])
{
	static char zeros[4096];
	size_t len;

	proxy_random(&w->proxy, seed, 1000);
	for (unsigned i = 0; i < 4; i++) {
		call(w);
		assert_true(send(w->client, zeros, sizeof(zeros),
				 MSG_NOSIGNAL) > 0);
		assert_int_equal(drain(w->server, &len), ECONNRESET);
		assert_in_range(len, 1, 2000);
		got[i] = len;
	}
}

static void a_seed_cuts_at_the_same_places_again(void **state)
{
	struct way_out *w = *state;
	uint64_t first[4], second[4], other[4];

	lengths(w, 1, first);
	lengths(w, 1, second);
	lengths(w, 2, other);
	assert_memory_equal(first, second, sizeof(first));
	assert_memory_not_equal(first, other, sizeof(first));
	proxy_random(&w->proxy, 0, 0);
	call(w);
	carry(w->client, w->server);
}

/* Else its senders would never wait for a reader that is slow. */
static void what_waits_is_bounded(void **state)
{
	struct way_out *w = *state;
	static char zeros[1U << 20];
	uint64_t sent = 0;
	ssize_t len;

	call(w);
	proxy_delay(&w->proxy, HOUR_US);
	do {
		struct pollfd event = {.fd = w->client, .events = POLLOUT};

		len = send(w->client, zeros, sizeof(zeros),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
		if (len > 0)
			sent += (uint64_t)len;
		else if (proxy_counts(&w->proxy).taken[PROXY_TO_SERVER] <
			 (64U << 20))
			(void)poll(&event, 1, 10);
		else
			break;
	} while (sent < (200U << 20));
	assert_in_range(sent, 64U << 20, 150U << 20);
}

#define PROXY_TEST(claim) cmocka_unit_test_setup_teardown(claim, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(bytes_pass_unchanged_both_ways),
		PROXY_TEST(what_is_late_is_late_together),
		PROXY_TEST(the_end_of_a_stream_comes_behind_its_bytes),
		PROXY_TEST(a_cut_is_seen_at_both_ends_and_new_calls_work),
		PROXY_TEST(a_cut_at_a_byte_is_at_that_byte),
		PROXY_TEST(a_hole_swallows_and_says_nothing),
		PROXY_TEST(what_was_frozen_goes_on),
		PROXY_TEST(a_refused_call_is_reset),
		PROXY_TEST(a_seed_cuts_at_the_same_places_again),
		PROXY_TEST(what_waits_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
