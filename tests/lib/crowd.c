#include "tests/lib/crowd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* When nothing at all happens for so long, something is wrong. */
enum { QUIET_MS = 60000 };

/* Descriptors of everything else in this process. */
enum { OTHER_FILES = 256 };

/* The length that a packet without keys may say (RFC 4253, 6.1), and more. */
enum { DRIP_PACKET = 35000 };

static const char drip_start[] = "SSH-2.0-drip";

static void *buf_get(void *arg)
{
	(void)arg;
	return malloc(64U << 10);
}

static void buf_put(void *arg, void *buf)
{
	(void)arg;
	free(buf);
}

static bool fill(void *arg, void *to, size_t len)
{
	(void)arg;
	return getrandom(to, len, 0) == (ssize_t)len;
}

/* Keys do not get old here. */
static uint64_t now(void *arg)
{
	(void)arg;
	return 0;
}

static void read_key(struct crowd *crowd)
{
	char text[16384];
	size_t len = file_read(crowd->sshd->key, text, sizeof(text));

	assert_int_equal(csftp_ssh_key_read(&crowd->key, text, len, NULL),
			 CSFTP_OK);
}

static void raise_limit(size_t cap)
{
	struct rlimit limit;
	char why[128];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < cap + OTHER_FILES) {
		proc_print(why, sizeof(why),
			   "%zu connections take a higher limit of open files",
			   cap);
		skip_because(why);
	}
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void crowd_open(struct crowd *crowd, const struct sshd *sshd, size_t cap)
{
	const struct csftp_ssh_config config = {
		.role = CSFTP_SSH_CLIENT,
		.buf_get = buf_get,
		.buf_put = buf_put,
		.random = fill,
		.now_ms = now,
		.kex = "curve25519-sha256",
		.channels = 1,
	};

	raise_limit(cap);
	*crowd = (struct crowd){.sshd = sshd, .sources = 16, .cap = cap};
	read_key(crowd);
	assert_int_equal(csftp_ssh_env_new(&crowd->env, &config), CSFTP_OK);
	crowd->user = getpwuid(geteuid())->pw_name;
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_true(crowd->epoll >= 0);
	crowd->client = calloc(cap, sizeof(*crowd->client));
	assert_non_null(crowd->client);
	for (size_t n = 0; n < cap; n++)
		crowd->client[n].fd = -1;
}

void crowd_close(struct crowd *crowd)
{
	for (size_t n = 0; n < crowd->cap; n++)
		crowd_leave(crowd, n, CROWD_ABRUPTLY);
	close(crowd->epoll);
	free(crowd->client);
	csftp_ssh_env_free(crowd->env);
	csftp_ssh_key_free(crowd->key);
}

static void remove_client(struct crowd_client *client)
{
	struct crowd *crowd = client->crowd;

	close(client->fd);
	client->fd = -1;
	crowd->present--;
	crowd->arrived -= client->there;
	if (client->ssh) {
		csftp_ssh_release(client->ssh);
		free(client->ssh);
	}
	client->ssh = NULL;
}

static void lose(struct crowd_client *client)
{
	remove_client(client);
	client->crowd->lost++;
}

static void arrive(struct crowd_client *client, enum crowd_stage stage)
{
	if (client->wanted != stage || client->there)
		return;
	client->there = true;
	client->crowd->arrived++;
}

/* SSH_FXP_INIT 3, which VERSION answers. */
static void say_init(struct crowd_client *client)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	size_t room;
	uint8_t *to = csftp_ssh_room(client->ssh, client->channel,
				     CSFTP_SSH_STDOUT, &room);

	assert_true(room >= sizeof(init));
	memcpy(to, init, sizeof(init));
	assert_int_equal(
		csftp_ssh_send(client->ssh, client->channel, sizeof(init)),
		CSFTP_OK);
}

static void log_in(struct crowd_client *client)
{
	const struct crowd *crowd = client->crowd;
	struct csftp_ssh_signer signer = csftp_ssh_key_signer(crowd->key);

	assert_int_equal(csftp_ssh_auth_key(client->ssh, crowd->user, &signer),
			 CSFTP_OK);
}

static void on_event(struct crowd_client *client,
		     const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = client->ssh;

	switch ((int)event->kind) {
	case CSFTP_SSH_HOSTKEY:
		assert_int_equal(csftp_ssh_answer(ssh, CSFTP_SSH_YES),
				 CSFTP_OK);
		break;
	case CSFTP_SSH_READY:
		arrive(client, CROWD_KEYS);
		if (client->wanted > CROWD_KEYS)
			log_in(client);
		break;
	case CSFTP_SSH_AUTH_OK:
		arrive(client, CROWD_LOGGED_IN);
		if (client->wanted > CROWD_LOGGED_IN)
			assert_int_equal(csftp_ssh_open(ssh, &client->channel),
					 CSFTP_OK);
		break;
	case CSFTP_SSH_OPENED:
		assert_int_equal(
			csftp_ssh_subsystem(ssh, client->channel, "sftp"),
			CSFTP_OK);
		break;
	case CSFTP_SSH_REPLY:
		assert_true(event->ok);
		say_init(client);
		break;
	case CSFTP_SSH_DATA:
		assert_true(event->data.len > 4 && event->data.ptr[4] == 2);
		assert_int_equal(csftp_ssh_consumed(ssh, event->channel,
						    event->data.len),
				 CSFTP_OK);
		arrive(client, CROWD_SFTP);
		break;
	default:
		break;
	}
}

/* False: the connection has ended. */
static bool take_events(struct crowd_client *client)
{
	struct csftp_ssh_event event;

	while (csftp_ssh_event(client->ssh, &event)) {
		if (event.kind == CSFTP_SSH_CLOSED)
			return false;
		on_event(client, &event);
	}
	return true;
}

static bool write_out(struct crowd_client *client)
{
	const uint8_t *out;
	size_t len;
	ssize_t put;

	while ((out = csftp_ssh_out(client->ssh, &len))) {
		put = send(client->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0)
			return errno == EAGAIN;
		assert_int_equal(csftp_ssh_out_ack(client->ssh, (size_t)put),
				 CSFTP_OK);
	}
	return true;
}

/* Also of those that do not listen: whether the server has hung up. */
static bool read_in(struct crowd_client *client)
{
	uint8_t ignored[4096], *in = ignored;
	size_t room = sizeof(ignored);
	ssize_t got;

	if (client->ssh) {
		if (!(csftp_ssh_wants(client->ssh) & CSFTP_WANT_IN))
			return true;
		in = csftp_ssh_in(client->ssh, &room);
		assert_true(room > 0);
	}
	got = recv(client->fd, in, room, MSG_DONTWAIT);
	if (client->ssh)
		(void)!csftp_ssh_in_ack(client->ssh, got > 0 ? (size_t)got : 0);
	return got > 0 || (got < 0 && errno == EAGAIN);
}

static void wait_for_events(struct crowd_client *client, int how)
{
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP,
				     .data.ptr = client};

	if (client->ssh && csftp_ssh_wants(client->ssh) & CSFTP_WANT_OUT)
		wanted.events |= EPOLLOUT;
	if (how == EPOLL_CTL_MOD && wanted.events == client->events)
		return;
	client->events = wanted.events;
	assert_int_equal(
		epoll_ctl(client->crowd->epoll, how, client->fd, &wanted), 0);
}

/* False: it is gone. */
static bool advance(struct crowd_client *client)
{
	return take_events(client) && write_out(client) && take_events(client);
}

static void on_ready(struct crowd_client *client)
{
	if (!read_in(client) || (client->ssh && !advance(client)))
		lose(client);
	else
		wait_for_events(client, EPOLL_CTL_MOD);
}

/* Of a few addresses, as one has ports for some 28,000 connections only. */
static int dial(const struct crowd *crowd, size_t n)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 +
					 (uint32_t)n % crowd->sources),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
				    &(int){1}, sizeof(int)),
			 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)crowd->sshd->port);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

void crowd_join(struct crowd *crowd, size_t n, enum crowd_stage wanted)
{
	struct crowd_client *client = &crowd->client[n];

	assert_true(n < crowd->cap && client->fd < 0);
	*client = (struct crowd_client){.crowd = crowd,
					.fd = dial(crowd, n),
					.wanted = wanted,
					.there = wanted < CROWD_KEYS};
	crowd->present++;
	crowd->arrived += client->there;
	if (wanted >= CROWD_KEYS) {
		void *memory = malloc(csftp_ssh_size(crowd->env));

		assert_non_null(memory);
		client->ssh = csftp_ssh_init(crowd->env, memory);
		assert_true(advance(client));
	}
	wait_for_events(client, EPOLL_CTL_ADD);
}

void crowd_leave(struct crowd *crowd, size_t n, enum crowd_leave how)
{
	struct crowd_client *client = &crowd->client[n];

	if (client->fd < 0)
		return;
	if (how == CROWD_POLITELY && client->ssh && client->there) {
		csftp_ssh_disconnect(client->ssh, CSFTP_SSH_BY_APPLICATION,
				     "done");
		(void)take_events(client);
		(void)write_out(client);
	}
	remove_client(client);
}

bool crowd_move(struct crowd *crowd, int timeout_ms)
{
	struct epoll_event events[64];
	int count = epoll_wait(crowd->epoll, events, 64, timeout_ms);

	assert_true(count >= 0 || errno == EINTR);
	for (int i = 0; i < count; i++)
		on_ready(events[i].data.ptr);
	return count > 0;
}

void crowd_await(struct crowd *crowd, size_t under_way)
{
	while (crowd->present - crowd->arrived > under_way)
		if (!crowd_move(crowd, QUIET_MS))
			fail_msg("%zu of %zu clients get nowhere",
				 crowd->present - crowd->arrived,
				 crowd->present);
}

/* The n-th byte of a packet behind a hello, or of an endless hello. */
static uint8_t drop_at(const struct crowd_client *client)
{
	static const uint8_t length[] = {
		'\r', '\n', 0, 0, DRIP_PACKET >> 8, DRIP_PACKET & 255, 4};
	size_t n = client->dripped, start = sizeof(drip_start) - 1;

	if (n < start)
		return (uint8_t)drip_start[n];
	n -= start;
	if (client->wanted == CROWD_DRIP_HELLO)
		return 'x';
	return n < sizeof(length) ? length[n] : 0;
}

void crowd_drip(struct crowd *crowd)
{
	for (size_t n = 0; n < crowd->cap; n++) {
		struct crowd_client *client = &crowd->client[n];
		uint8_t byte;

		if (client->fd < 0 || (client->wanted != CROWD_DRIP_HELLO &&
				       client->wanted != CROWD_DRIP_PACKET))
			continue;
		byte = drop_at(client);
		client->dripped++;
		/* That it has hung up is found out when it is read. */
		(void)!send(client->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

bool crowd_is_there(const struct crowd *crowd, size_t n)
{
	return crowd->client[n].fd >= 0;
}
