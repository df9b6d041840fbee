#include "core/stream/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* The largest: each read(2) and write(2) takes many packets. */
#define BUF_BYTES CSFTP_SSH_BUF_MAX

/* What the engine borrows at most for one connection. */
enum { BUFS = 4, SLICES = 32, RANDOM_BYTES = 1024, SAY_MAX = 400 };

struct ssh_io {
	struct ssh_io_config config;
	struct csftp_ssh_env *env;
	struct csftp_ssh *ssh;
	bool eof;	/* of rfd */
	bool has_event; /* that came while data was sent */
	struct csftp_ssh_event event;
	uint32_t channel;
	struct csftp_ssh_bytes
		held;		 /* data that the link has had no room for */
	struct csftp_link *link; /* that takes data; NULL: none does now */
	uint64_t heard_ms;
	uint64_t asked_ms;
	unsigned asked; /* questions without an answer */
	void *spare[BUFS];
	size_t spares;
	size_t random_left;
	uint8_t random[RANDOM_BYTES];
};

uint64_t ssh_io_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t clock_ms(void *arg)
{
	(void)arg;
	return ssh_io_now();
}

/* Each packet takes some for its padding: not a system call for each. */
static bool random_bytes(void *arg, void *to, size_t len)
{
	struct ssh_io *io = arg;

	if (len > sizeof(io->random))
		return getrandom(to, len, 0) == (ssize_t)len;
	if (len > io->random_left) {
		if (getrandom(io->random, sizeof(io->random), 0) !=
		    (ssize_t)sizeof(io->random))
			return false;
		io->random_left = sizeof(io->random);
	}
	io->random_left -= len;
	memcpy(to, io->random + io->random_left, len);
	explicit_bzero(io->random + io->random_left, len);
	return true;
}

static void *buf_get(void *arg)
{
	struct ssh_io *io = arg;

	if (io->spares > 0)
		return io->spare[--io->spares];
	return malloc(BUF_BYTES);
}

static void buf_put(void *arg, void *buf)
{
	struct ssh_io *io = arg;

	if (io->spares < BUFS)
		io->spare[io->spares++] = buf;
	else
		free(buf);
}

/* Data is decrypted to where the link wants it. */
static uint8_t *place(void *arg, struct csftp_ssh *ssh, uint32_t channel,
		      size_t left, size_t *room)
{
	struct ssh_io *io = arg;

	(void)ssh;
	if (!io->link || channel != io->channel)
		return NULL;
	return csftp_link_place(io->link, left, room);
}

static void release(struct ssh_io *io)
{
	if (io->ssh)
		csftp_ssh_release(io->ssh);
	free(io->ssh);
	csftp_ssh_env_free(io->env);
	for (size_t i = 0; i < io->spares; i++) {
		explicit_bzero(io->spare[i], BUF_BYTES);
		free(io->spare[i]);
	}
	explicit_bzero(io->random, sizeof(io->random));
	free(io);
}

static bool set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

enum csftp_err ssh_io_new(struct ssh_io **out,
			  const struct ssh_io_config *config)
{
	struct csftp_ssh_config ssh = config->ssh;
	struct ssh_io *io = calloc(1, sizeof(*io));
	enum csftp_err err;
	void *memory;

	if (!io)
		return CSFTP_ERR_NOMEM;
	io->config = *config;
	ssh.buf_size = BUF_BYTES;
	ssh.buf_get = buf_get;
	ssh.buf_put = buf_put;
	ssh.random = random_bytes;
	ssh.now_ms = clock_ms;
	ssh.place = place;
	ssh.arg = io;
	err = csftp_ssh_env_new(&io->env, &ssh);
	if (err == CSFTP_OK) {
		memory = malloc(csftp_ssh_size(io->env));
		if (memory)
			io->ssh = csftp_ssh_init(io->env, memory);
		else
			err = CSFTP_ERR_NOMEM;
	}
	if (err == CSFTP_OK &&
	    (!set_nonblocking(config->rfd) || !set_nonblocking(config->wfd)))
		err = CSFTP_ERR_IO;
	if (err != CSFTP_OK) {
		release(io);
		return err;
	}
	io->heard_ms = ssh_io_now();
	*out = io;
	return CSFTP_OK;
}

struct csftp_ssh *ssh_io_engine(struct ssh_io *io)
{
	return io->ssh;
}

/*
 * Bytes in and out
 */

/* CSFTP_OK: all is out, or the kernel takes no more now. */
static enum csftp_err send_out(struct ssh_io *io)
{
	for (;;) {
		size_t len;
		const uint8_t *out = csftp_ssh_out(io->ssh, &len);
		ssize_t n;

		if (len == 0)
			return CSFTP_OK;
		do {
			n = write(io->config.wfd, out, len);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return errno == EAGAIN ? CSFTP_OK : CSFTP_ERR_IO;
		if (csftp_ssh_out_ack(io->ssh, (size_t)n) != CSFTP_OK)
			return CSFTP_ERR_ARG;
	}
}

/* One read(2); *more: there is probably more where that came from. */
static enum csftp_err take_in(struct ssh_io *io, bool *more)
{
	size_t room;
	uint8_t *in;
	ssize_t n;

	*more = false;
	if (!(csftp_ssh_wants(io->ssh) & CSFTP_WANT_IN))
		return CSFTP_OK;
	in = csftp_ssh_in(io->ssh, &room);
	if (room == 0)
		return CSFTP_OK;
	do {
		n = read(io->config.rfd, in, room);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		int why = errno;

		(void)!csftp_ssh_in_ack(io->ssh, 0);
		errno = why;
		if (n == 0)
			return CSFTP_ERR_EOF;
		return errno == EAGAIN ? CSFTP_OK : CSFTP_ERR_IO;
	}
	*more = (size_t)n == room;
	io->heard_ms = ssh_io_now();
	io->asked = 0;
	return csftp_ssh_in_ack(io->ssh, (size_t)n);
}

/*
 * The conversation
 */

static int wait_ms(uint64_t until_ms)
{
	uint64_t now = ssh_io_now();
	uint64_t left = until_ms > now ? until_ms - now : 0;

	if (until_ms == UINT64_MAX)
		return -1;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

static enum csftp_err wait_for(struct ssh_io *io, uint64_t until_ms)
{
	uint64_t engine = csftp_ssh_deadline(io->ssh);
	unsigned wants = csftp_ssh_wants(io->ssh);
	struct pollfd fds[2] = {
		{.fd = wants & CSFTP_WANT_IN ? io->config.rfd : -1,
		 .events = POLLIN},
		{.fd = wants & CSFTP_WANT_OUT ? io->config.wfd : -1,
		 .events = POLLOUT},
	};
	bool more;

	if (until_ms <= ssh_io_now()) {
		errno = ETIMEDOUT;
		return CSFTP_ERR_IO;
	}
	if (poll(fds, 2, wait_ms(engine < until_ms ? engine : until_ms)) < 0 &&
	    errno != EINTR)
		return CSFTP_ERR_IO;
	return fds[0].revents ? take_in(io, &more) : CSFTP_OK;
}

/* What breaks is an event. */
static enum csftp_err end_if(struct ssh_io *io, enum csftp_err err,
			     uint64_t until_ms)
{
	if (err == CSFTP_ERR_IO && errno == ETIMEDOUT &&
	    until_ms <= ssh_io_now())
		return err;
	if (err != CSFTP_OK)
		csftp_ssh_close(io->ssh, err);
	return CSFTP_OK;
}

/* Sends what there is, and waits. */
static enum csftp_err turn(struct ssh_io *io, uint64_t until_ms)
{
	enum csftp_err err = send_out(io);

	if (err == CSFTP_OK)
		err = wait_for(io, until_ms);
	return end_if(io, err, until_ms);
}

enum csftp_err ssh_io_next(struct ssh_io *io, struct csftp_ssh_event *event,
			   uint64_t until_ms)
{
	enum csftp_err err = CSFTP_OK;

	if (io->has_event) {
		io->has_event = false;
		*event = io->event;
		return CSFTP_OK;
	}
	while (err == CSFTP_OK && !csftp_ssh_event(io->ssh, event))
		err = turn(io, until_ms);
	return err;
}

static size_t send_some(struct ssh_io *io, uint32_t channel,
			enum csftp_ssh_data which, const uint8_t *data,
			size_t len)
{
	size_t room;
	uint8_t *to = csftp_ssh_room(io->ssh, channel, which, &room);

	if (room > len)
		room = len;
	if (room == 0)
		return 0;
	memcpy(to, data, room);
	return csftp_ssh_send(io->ssh, channel, room) == CSFTP_OK ? room : 0;
}

/*
 * By sending, room may have come, and nobody else would tell of that: there is
 * a wait only where none has.
 */
static enum csftp_err await_room(struct ssh_io *io, uint32_t channel,
				 enum csftp_ssh_data which)
{
	enum csftp_err err = send_out(io);
	size_t room = 0;

	if (err == CSFTP_OK)
		(void)csftp_ssh_room(io->ssh, channel, which, &room);
	if (err == CSFTP_OK && room == 0)
		err = wait_for(io, UINT64_MAX);
	return end_if(io, err, UINT64_MAX);
}

enum csftp_err ssh_io_send(struct ssh_io *io, uint32_t channel,
			   enum csftp_ssh_data which, const void *data,
			   size_t len, size_t *sent)
{
	enum csftp_err err = CSFTP_OK;
	size_t total = 0, n;

	while (err == CSFTP_OK && total < len) {
		n = send_some(io, channel, which, (const uint8_t *)data + total,
			      len - total);
		total += n;
		if (n > 0)
			continue;
		if (!io->has_event)
			io->has_event = csftp_ssh_event(io->ssh, &io->event);
		if (io->has_event)
			break;
		/* Of a channel that has gone no room will come. */
		err = csftp_ssh_consumed(io->ssh, channel, 0);
		if (err == CSFTP_OK)
			err = await_room(io, channel, which);
	}
	*sent = total;
	return err == CSFTP_OK ? send_out(io) : err;
}

/*
 * The stream
 */

/* One sentence of what may be any bytes. */
static void say_bytes(const struct ssh_io *io, const char *prefix,
		      struct csftp_ssh_bytes bytes)
{
	char text[SAY_MAX + 64];
	size_t at = (size_t)snprintf(text, 64, "%s", prefix);
	size_t len = bytes.len < SAY_MAX ? bytes.len : SAY_MAX;

	while (len > 0 &&
	       (bytes.ptr[len - 1] == '\n' || bytes.ptr[len - 1] == '\r'))
		len--;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes.ptr[i];

		text[at++] = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	text[at] = '\0';
	if (len > 0 && io->config.say)
		io->config.say(io->config.arg, text);
}

/*
 * The link gets what it has room for: first the head alone of a packet whose
 * payload may have a place, so that this is copied there and nowhere before.
 */
static enum csftp_err hand_on(struct ssh_io *io, struct csftp_link *link)
{
	while (io->held.len > 0) {
		enum csftp_err err;
		size_t room;
		uint8_t *in = csftp_link_place(link, io->held.len, &room);

		if (room == 0)
			in = csftp_link_in(link, &room);
		if (room == 0)
			return csftp_link_error(link);
		if (room > io->held.len)
			room = io->held.len;
		memcpy(in, io->held.ptr, room);
		io->held.ptr += room;
		io->held.len -= room;
		err = csftp_ssh_consumed(io->ssh, io->channel, room);
		if (err == CSFTP_OK)
			err = csftp_link_in_ack(link, room);
		if (err != CSFTP_OK)
			return err;
	}
	return CSFTP_OK;
}

/* What stands in its place already counts first. */
static enum csftp_err take_data(struct ssh_io *io, struct csftp_link *link,
				const struct csftp_ssh_event *event)
{
	enum csftp_err err = CSFTP_OK;

	io->held = event->data;
	if (event->placed == 0)
		return CSFTP_OK;
	err = csftp_ssh_consumed(io->ssh, io->channel, event->placed);
	if (err == CSFTP_OK)
		err = csftp_link_in_ack(link, event->placed);
	return err;
}

static enum csftp_err take_event(struct ssh_io *io, struct csftp_link *link,
				 const struct csftp_ssh_event *event)
{
	if (event->question)
		(void)!csftp_ssh_answer(io->ssh, CSFTP_SSH_NO);
	if (event->kind == CSFTP_SSH_DATA && !event->stderr_data)
		return take_data(io, link, event);
	if (event->kind == CSFTP_SSH_DATA) {
		say_bytes(io, "the server: ", event->data);
		return csftp_ssh_consumed(io->ssh, event->channel,
					  event->data.len);
	}
	if (event->kind == CSFTP_SSH_EOF ||
	    event->kind == CSFTP_SSH_CHANNEL_CLOSED)
		return CSFTP_ERR_EOF;
	if (event->kind != CSFTP_SSH_CLOSED)
		return CSFTP_OK;
	if (event->err != CSFTP_ERR_EOF || event->by_peer)
		say_bytes(io, event->by_peer ? "the server ends: " : "",
			  event->text);
	return event->err;
}

static bool next_event(struct ssh_io *io, struct csftp_link *link,
		       struct csftp_ssh_event *event)
{
	bool any;

	io->link = link;
	any = csftp_ssh_event(io->ssh, event);
	io->link = NULL;
	return any;
}

/* All that has come; it stays where it is once the link is full. */
static enum csftp_err take_events(struct ssh_io *io, struct csftp_link *link,
				  size_t *moved)
{
	struct csftp_ssh_event event;
	enum csftp_err err = CSFTP_OK;

	for (;;) {
		*moved += io->held.len;
		err = hand_on(io, link);
		*moved -= io->held.len;
		if (err != CSFTP_OK || io->held.len > 0 ||
		    !next_event(io, link, &event))
			return err;
		*moved += event.kind == CSFTP_SSH_DATA ? event.placed : 0;
		err = take_event(io, link, &event);
		if (err != CSFTP_OK)
			return err;
	}
}

static enum csftp_err io_read(struct csftp_stream *stream,
			      struct csftp_link *link, size_t budget)
{
	struct ssh_io *io = stream->own;
	size_t moved = 0;
	bool more = true;
	enum csftp_err err = take_events(io, link, &moved);
	enum csftp_err out;

	while (err == CSFTP_OK && more && io->held.len == 0 && moved < budget) {
		err = take_in(io, &more);
		if (err == CSFTP_OK)
			err = take_events(io, link, &moved);
	}
	out = send_out(io);
	return err != CSFTP_OK ? err : out;
}

/* Fills a packet from where the link's output lies; false: there is no room. */
static bool fill_packet(struct ssh_io *io, struct csftp_link *link,
			enum csftp_err *err)
{
	struct csftp_slice slice[SLICES];
	size_t n = csftp_link_out(link, slice, SLICES);
	size_t sent;

	*err = csftp_ssh_send_from(io->ssh, io->channel, CSFTP_SSH_STDOUT,
				   slice, n, &sent);
	if (*err == CSFTP_OK && sent > 0 &&
	    csftp_link_out_ack(link, sent) == CSFTP_ERR_ARG)
		*err = CSFTP_ERR_ARG;
	return *err == CSFTP_OK && sent > 0;
}

/* A packet that waited for the output to go; false: none did. */
static bool go_on(struct ssh_io *io, struct csftp_link *link,
		  enum csftp_err *err)
{
	size_t moved = 0;

	if (*err != CSFTP_OK || io->held.len > 0 ||
	    (csftp_ssh_wants(io->ssh) & CSFTP_WANT_IN))
		return false;
	*err = take_events(io, link, &moved);
	return csftp_ssh_wants(io->ssh) & CSFTP_WANT_IN;
}

static enum csftp_err io_write(struct csftp_stream *stream,
			       struct csftp_link *link)
{
	struct ssh_io *io = stream->own;
	enum csftp_err err = CSFTP_OK;
	bool again = true;
	size_t held, left;

	while (err == CSFTP_OK && again) {
		while ((csftp_link_wants(link) & CSFTP_WANT_OUT) &&
		       fill_packet(io, link, &err))
			;
		(void)csftp_ssh_out(io->ssh, &held);
		if (err == CSFTP_OK)
			err = send_out(io);
		(void)csftp_ssh_out(io->ssh, &left);
		/* The kernel is full. */
		if (left > 0)
			break;
		/* Where some has gone there is room, for data as well. */
		again = held > 0;
		if (go_on(io, link, &err))
			again = true;
	}
	return err;
}

static unsigned io_wants(const struct csftp_stream *stream,
			 const struct csftp_link *link)
{
	const struct ssh_io *io = stream->own;
	unsigned wants = csftp_ssh_wants(io->ssh);

	if (io->held.len == 0)
		return wants;
	/* Nothing more is read before the link has taken what is here. */
	wants &= ~CSFTP_WANT_IN;
	if (csftp_link_wants(link) & CSFTP_WANT_IN)
		wants |= CSFTP_WANT_WORK;
	return wants;
}

/* A look so much behind its time was held up. */
#define LATE_MS 1000U

static enum csftp_err keep_alive(struct ssh_io *io, uint64_t now_ms,
				 uint64_t *next_ms)
{
	uint64_t from = io->asked > 0 ? io->asked_ms : io->heard_ms;
	uint64_t due = from + io->config.alive_ms;
	enum csftp_err err = CSFTP_OK;

	if (io->config.alive_ms == 0)
		return CSFTP_OK;
	if (now_ms >= due) {
		bool last = io->asked >= io->config.alive_max;

		/* Who was stopped meanwhile has not read what came. */
		if (last && now_ms <= due + LATE_MS) {
			errno = ETIMEDOUT;
			return CSFTP_ERR_IO;
		}
		io->asked += !last;
		io->asked_ms = now_ms;
		due = now_ms + io->config.alive_ms;
		err = csftp_ssh_ping(io->ssh);
		/* What has no room behind all that is unsent is not asked. */
		if (err == CSFTP_ERR_NO_ROOM)
			err = CSFTP_OK;
	}
	if (*next_ms == 0 || due < *next_ms)
		*next_ms = due;
	return err;
}

static enum csftp_err io_tick(struct csftp_stream *stream,
			      struct csftp_link *link, uint64_t now_ms,
			      uint64_t *next_ms)
{
	struct ssh_io *io = stream->own;
	uint64_t engine = csftp_ssh_deadline(io->ssh);
	enum csftp_err err = CSFTP_OK;
	size_t moved = 0;

	if (now_ms >= engine) {
		err = take_events(io, link, &moved);
		engine = csftp_ssh_deadline(io->ssh);
	}
	*next_ms = engine == UINT64_MAX ? 0 : engine;
	/* A key exchange that cannot begin yet is not asked about all the time.
	 */
	if (*next_ms > 0 && *next_ms <= now_ms)
		*next_ms = now_ms + 1000;
	if (err == CSFTP_OK)
		err = keep_alive(io, now_ms, next_ms);
	return err == CSFTP_OK ? send_out(io) : err;
}

static int io_close(struct csftp_stream *stream, unsigned grace_ms)
{
	ssh_io_free(stream->own, grace_ms);
	return 0;
}

void ssh_io_stream(struct ssh_io *io, uint32_t channel,
		   struct csftp_stream *stream)
{
	static const struct csftp_stream_ops ops = {
		.read = io_read,
		.write = io_write,
		.wants = io_wants,
		.tick = io_tick,
		.close = io_close,
	};

	io->channel = channel;
	*stream = (struct csftp_stream){
		.rfd = io->config.rfd,
		.wfd = io->config.wfd,
		.ops = &ops,
		.own = io,
	};
}

void ssh_io_free(struct ssh_io *io, unsigned grace_ms)
{
	struct csftp_stream below;

	if (!io)
		return;
	csftp_ssh_disconnect(io->ssh, CSFTP_SSH_BY_APPLICATION,
			     "disconnected by user");
	(void)!send_out(io);
	below = (struct csftp_stream){.rfd = io->config.rfd,
				      .wfd = io->config.wfd,
				      .pid = io->config.pid};
	(void)csftp_stream_close(&below, grace_ms);
	release(io);
}
