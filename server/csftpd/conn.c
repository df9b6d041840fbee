#include "server/csftpd/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of one connection before the others have their turn. */
enum { READS = 4, ROUNDS = 16 };

static uint64_t now_ms(const struct conn *conn)
{
	return uv_now(&conn->worker->loop);
}

static void unlink_conn(struct conn *conn)
{
	struct worker *worker = conn->worker;

	pthread_mutex_lock(&worker->lock);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		worker->list = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	pthread_mutex_unlock(&worker->lock);
}

static void link_conn(struct conn *conn)
{
	struct worker *worker = conn->worker;

	pthread_mutex_lock(&worker->lock);
	conn->next = worker->list;
	if (conn->next)
		conn->next->prev = conn;
	worker->list = conn;
	pthread_mutex_unlock(&worker->lock);
}

static void unlink_waiting(struct conn *conn)
{
	struct conn **at = &conn->worker->waiting;

	while (*at && *at != conn)
		at = &(*at)->next_waiting;
	if (*at)
		*at = conn->next_waiting;
}

/* It is logged in, or gone: no more is counted of it. */
static void leave(struct conn *conn, enum sources_end end)
{
	const struct worker_config *config = &conn->worker->config;

	unlink_waiting(conn);
	if (conn->ticket != 0)
		config->leave(config->arg, conn->ticket, end);
	conn->ticket = 0;
}

static enum sources_end why_gone(const struct conn *conn)
{
	if (conn->timed_out)
		return SOURCES_GRACE;
	if (conn->ended)
		return SOURCES_DONE;
	return conn->tried ? SOURCES_AUTHFAIL : SOURCES_NOAUTH;
}

static void free_place(struct worker *worker)
{
	atomic_fetch_sub(&worker->placed, 1);
	worker->config.place_free(worker->config.arg);
}

static void forget(struct conn *conn)
{
	struct worker *worker = conn->worker;

	worker_put_serving(conn->serving);
	pool_put(&worker->conns, conn);
	free_place(worker);
}

void conn_settle(struct conn *conn)
{
	if (conn->closing && conn->handles == 0 && !conn->channels &&
	    !conn->login)
		forget(conn);
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;

	conn->handles--;
	conn_settle(conn);
}

/* The engine and all sessions end now; the memory once libuv and disks are. */
static void close_conn(struct conn *conn)
{
	struct channel *channel, *next;

	if (conn->closing)
		return;
	worker_unqueue(conn);
	if (!conn->logged_in)
		leave(conn, why_gone(conn));
	conn->closing = true;
	for (channel = conn->channels; channel; channel = next) {
		next = channel->next;
		channel_free(channel);
	}
	login_leave(conn);
	csftp_ssh_release(conn->ssh);
	unlink_conn(conn);
	uv_close((uv_handle_t *)&conn->poll, on_closed);
	uv_close((uv_handle_t *)&conn->timer, on_closed);
	close(conn->fd);
}

/* What is left to send; false: the peer is gone. */
static bool write_out(struct conn *conn, bool *any)
{
	const uint8_t *out;
	size_t len;

	while ((out = csftp_ssh_out(conn->ssh, &len))) {
		ssize_t put = send(conn->fd, out, len, MSG_NOSIGNAL);

		if (put < 0)
			return errno == EAGAIN || errno == EINTR;
		*any = true;
		worker_count(&conn->bytes_out, (uint64_t)put);
		(void)!csftp_ssh_out_ack(conn->ssh, (size_t)put);
	}
	return true;
}

/* What it has sent and nobody has taken yet would keep it here. */
static void lose(struct conn *conn, enum csftp_err why)
{
	conn->held_by = NULL;
	csftp_ssh_close(conn->ssh, why);
}

/* Who it was that did not get in, as sshd has it: " invalid user x". */
static void show_stranger(const struct conn *conn, char *out, size_t size)
{
	char quoted[4 * sizeof(conn->user)];

	out[0] = '\0';
	if (conn->user[0])
		(void)snprintf(out, size, " %s user %s",
			       conn->valid ? "authenticating" : "invalid",
			       log_quote(quoted, sizeof(quoted), conn->user));
}

static void log_end(struct conn *conn, const struct csftp_ssh_event *event)
{
	struct log *log = &conn->worker->log;
	char quoted[256], text[256], user[4 * sizeof(conn->user) + 32];
	size_t len = event->text.len < sizeof(text) - 1 ? event->text.len
							: sizeof(text) - 1;

	if (!log_wants(log, LEVEL_INFO))
		return;
	memcpy(text, event->text.ptr ? event->text.ptr : (const uint8_t *)"",
	       event->text.ptr ? len : 0);
	text[event->text.ptr ? len : 0] = '\0';
	(void)log_quote(quoted, sizeof(quoted), text);
	show_stranger(conn, user, sizeof(user));
	if (conn->logged_in)
		log_say(log, LEVEL_INFO,
			"Disconnected from user %s %s port %u: %s", conn->user,
			conn->address, conn->port, quoted);
	else
		log_say(log, LEVEL_INFO,
			"Connection closed by%s %s port %u [preauth]: %s", user,
			conn->address, conn->port, quoted);
}

void conn_answer_login(struct conn *conn, enum csftp_ssh_answer answer,
		       bool query)
{
	/* It may have come to its end meanwhile, and lets nobody in then. */
	if (csftp_ssh_answer(conn->ssh, answer) != CSFTP_OK)
		return;
	if (answer != CSFTP_SSH_YES || query)
		return;
	pthread_mutex_lock(&conn->worker->lock);
	conn->logged_in = conn->named = true;
	pthread_mutex_unlock(&conn->worker->lock);
	worker_count(&conn->worker->logins, 1);
	leave(conn, SOURCES_DONE);
}

static void on_request(struct conn *conn, const struct csftp_ssh_event *event)
{
	struct channel *channel = channel_find(conn, event->channel);
	enum channel_answer answer =
		channel ? channel_request(channel, event) : CHANNEL_NO;

	if (event->question && answer != CHANNEL_LATER)
		(void)!csftp_ssh_answer(conn->ssh, answer == CHANNEL_YES
							   ? CSFTP_SSH_YES
							   : CSFTP_SSH_NO);
}

uint8_t *conn_place(struct csftp_ssh *ssh, uint32_t channel, size_t left,
		    size_t *room)
{
	struct conn *conn = csftp_ssh_user(ssh);
	struct channel *to = channel_find(conn, channel);

	return to ? channel_place(to, left, room) : NULL;
}

static void on_data(struct conn *conn, const struct csftp_ssh_event *event)
{
	struct channel *channel = channel_find(conn, event->channel);
	struct csftp_ssh_bytes data = event->data;
	size_t taken;

	if (event->placed > 0)
		channel_placed(channel, event->placed);
	taken = channel ? channel_take(channel, data) : data.len;
	if (taken == data.len)
		return;
	conn->held_by = channel;
	conn->held =
		(struct csftp_ssh_bytes){data.ptr + taken, data.len - taken};
}

static void on_event(struct conn *conn, const struct csftp_ssh_event *event)
{
	struct channel *channel;
	bool good;

	switch ((int)event->kind) {
	case CSFTP_SSH_AUTH:
		login_ask(conn, event);
		break;
	case CSFTP_SSH_CHANNEL_OPEN:
		good = channel_open(conn, event->channel);
		(void)!csftp_ssh_answer(conn->ssh,
					good ? CSFTP_SSH_YES : CSFTP_SSH_NO);
		break;
	case CSFTP_SSH_REQUEST:
		on_request(conn, event);
		break;
	case CSFTP_SSH_DATA:
		on_data(conn, event);
		break;
	case CSFTP_SSH_EOF:
		channel = channel_find(conn, event->channel);
		if (channel)
			channel->eof = true;
		break;
	case CSFTP_SSH_CHANNEL_CLOSED:
		channel = channel_find(conn, event->channel);
		if (channel)
			channel_free(channel);
		break;
	case CSFTP_SSH_PONG:
		conn->pings = 0;
		break;
	case CSFTP_SSH_CLOSED:
		conn->over = true;
		log_end(conn, event);
		break;
	default:
		break;
	}
}

/* While data of an event is held, the engine is not asked for the next. */
static bool take_events(struct conn *conn)
{
	struct csftp_ssh_event event;
	bool any = false;

	if (conn->held_by) {
		size_t taken = channel_take(conn->held_by, conn->held);

		conn->held.ptr += taken;
		conn->held.len -= taken;
		any = taken > 0;
		if (conn->held.len == 0)
			conn->held_by = NULL;
	}
	while (!conn->held_by && !conn->over &&
	       csftp_ssh_event(conn->ssh, &event)) {
		on_event(conn, &event);
		any = true;
	}
	return any;
}

static bool move_channels(struct conn *conn)
{
	bool any = false;

	for (struct channel *channel = conn->channels; channel;
	     channel = channel->next)
		any = channel_move(channel) || any;
	return any;
}

static void do_work(struct conn *conn)
{
	for (struct channel *channel = conn->channels; channel;
	     channel = channel->next)
		if (channel_work(channel))
			worker_again(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

static void set_poll(struct conn *conn)
{
	unsigned wants = csftp_ssh_wants(conn->ssh);
	int events = 0;

	if (wants & CSFTP_WANT_IN && !conn->held_by && !conn->dry)
		events |= UV_READABLE;
	if (wants & CSFTP_WANT_OUT)
		events |= UV_WRITABLE;
	/* A peer that hangs up is noticed even while it is not read. */
	if (events == 0)
		events = UV_DISCONNECT;
	if (events == conn->events)
		return;
	conn->events = events;
	(void)uv_poll_start(&conn->poll, events, on_ready);
}

/* When something is due though nothing happens; UINT64_MAX: never. */
static uint64_t next_due(const struct conn *conn)
{
	const struct settings *settings = conn->serving->settings;
	uint64_t due = csftp_ssh_deadline(conn->ssh), at;

	if (!conn->logged_in && settings->login_grace_ms > 0 &&
	    conn->since_ms + settings->login_grace_ms < due)
		due = conn->since_ms + settings->login_grace_ms;
	if (conn->logged_in && settings->alive_ms > 0) {
		at = conn->heard_ms + (conn->pings + 1) * settings->alive_ms;
		due = at < due ? at : due;
	}
	for (const struct channel *channel = conn->channels; channel;
	     channel = channel->next) {
		uint64_t wait_us = channel_wait_us(channel);

		at = now_ms(conn) + wait_us / 1000 + 1;
		if (wait_us > 0 && at < due)
			due = at;
	}
	return due;
}

/* A timer that is too early only looks again: it is set for what comes first
 * and left alone when that moves away, as with each packet it does. */
static void set_timer(struct conn *conn)
{
	uint64_t due = next_due(conn), now = now_ms(conn);

	if (due >= conn->timer_ms)
		return;
	conn->timer_ms = due;
	(void)uv_timer_start(&conn->timer, on_timer, due > now ? due - now : 0,
			     0);
}

static bool is_hungry(const struct conn *conn)
{
	const struct channel *channel = conn->channels;

	while (channel && !channel->hungry)
		channel = channel->next;
	return channel != NULL;
}

void conn_turn(struct conn *conn)
{
	bool any = true;

	if (conn->closing)
		return;
	for (unsigned round = 0; any && !conn->over; round++) {
		if (round == ROUNDS) {
			worker_again(conn);
			break;
		}
		any = take_events(conn);
		any = move_channels(conn) || any;
		if (!write_out(conn, &any))
			lose(conn, CSFTP_ERR_EOF);
	}
	if (conn->over) {
		/* The reason, if the socket takes it at once. */
		(void)write_out(conn, &any);
		close_conn(conn);
		return;
	}
	do_work(conn);
	if (csftp_ssh_starved(conn->ssh) || conn->held_by || conn->dry ||
	    is_hungry(conn))
		worker_wait_buffer(conn);
	set_poll(conn);
	set_timer(conn);
}

/* False: the peer has no more to say. */
static bool read_in(struct conn *conn, bool *more)
{
	size_t room;
	uint8_t *in = csftp_ssh_in(conn->ssh, &room);
	ssize_t got;

	*more = false;
	/* The pool is empty: the socket is left alone until it is not. */
	conn->dry = room == 0;
	if (conn->dry)
		return true;
	got = recv(conn->fd, in, room, 0);
	if (csftp_ssh_in_ack(conn->ssh, got > 0 ? (size_t)got : 0) != CSFTP_OK)
		return true;
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (conn->ticket != 0 &&
	    atomic_load_explicit(&conn->bytes_in, memory_order_relaxed) == 0)
		conn->worker->config.heard(conn->worker->config.arg,
					   conn->ticket);
	worker_count(&conn->bytes_in, (uint64_t)got);
	conn->heard_ms = now_ms(conn);
	conn->pings = 0;
	*more = (size_t)got == room;
	return true;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct conn *conn = poll->data;
	bool more = true;

	if (status < 0) {
		conn->events = 0; /* libuv has stopped it */
		lose(conn, CSFTP_ERR_IO);
	}
	if (events == UV_DISCONNECT)
		lose(conn, CSFTP_ERR_EOF);
	for (unsigned n = 0; (events & UV_READABLE) && more && n < READS; n++) {
		if (!(csftp_ssh_wants(conn->ssh) & CSFTP_WANT_IN) ||
		    conn->held_by)
			break;
		if (!read_in(conn, &more)) {
			lose(conn, CSFTP_ERR_EOF);
			break;
		}
		(void)take_events(conn);
	}
	conn_turn(conn);
}

void conn_end(struct conn *conn, enum csftp_ssh_reason reason, const char *text)
{
	if (conn->closing)
		return;
	conn->held_by = NULL;
	conn->ended = true;
	csftp_ssh_disconnect(conn->ssh, reason, text);
	conn_turn(conn);
}

void conn_drop(struct conn *conn)
{
	log_say(&conn->worker->log, LEVEL_VERBOSE,
		"Dropped %s port %u [preauth]: too many wait to log in",
		conn->address, conn->port);
	/* It has no ticket any more. */
	conn->ticket = 0;
	lose(conn, CSFTP_ERR_EOF);
	conn_turn(conn);
}

/* ClientAliveInterval, ClientAliveCountMax (sshd_config(5)). */
static void check_alive(struct conn *conn)
{
	const struct settings *settings = conn->serving->settings;

	if (!conn->logged_in || settings->alive_ms == 0 ||
	    now_ms(conn) <
		    conn->heard_ms + (conn->pings + 1) * settings->alive_ms)
		return;
	if (settings->alive_count > 0 && conn->pings >= settings->alive_count) {
		log_say(&conn->worker->log, LEVEL_INFO,
			"Timeout, client not responding from user %s %s "
			"port %u",
			conn->user, conn->address, conn->port);
		lose(conn, CSFTP_ERR_EOF);
		return;
	}
	/* Where it cannot be sent now, output waits that nobody takes: that
	 * counts as well. */
	(void)!csftp_ssh_ping(conn->ssh);
	conn->pings++;
}

static void on_timer(uv_timer_t *timer)
{
	struct conn *conn = timer->data;
	const struct settings *settings = conn->serving->settings;

	conn->timer_ms = UINT64_MAX;
	if (!conn->logged_in && settings->login_grace_ms > 0 &&
	    now_ms(conn) >= conn->since_ms + settings->login_grace_ms) {
		log_say(&conn->worker->log, LEVEL_INFO,
			"Timeout before authentication for %s port %u",
			conn->address, conn->port);
		conn->timed_out = true;
		lose(conn, CSFTP_ERR_EOF);
	}
	check_alive(conn);
	conn_turn(conn);
}

bool conn_is_idle(const struct conn *conn)
{
	return !conn->channels;
}

unsigned conn_stuck(struct conn *conn, uint64_t least)
{
	uint64_t out =
		atomic_load_explicit(&conn->bytes_out, memory_order_relaxed);
	unsigned stuck = csftp_ssh_wants(conn->ssh) & CSFTP_WANT_OUT &&
			 out - conn->looked_at < least;

	conn->looked_at = out;
	for (struct channel *channel = conn->channels; channel;
	     channel = channel->next) {
		stuck += channel_has_output(channel) && channel->sent < least;
		channel->sent = 0;
	}
	return stuck;
}

bool conn_is_quiet(const struct conn *conn, uint64_t for_ms)
{
	if (conn->held_by || csftp_ssh_wants(conn->ssh) & CSFTP_WANT_OUT ||
	    now_ms(conn) < conn->heard_ms + for_ms)
		return false;
	for (const struct channel *channel = conn->channels; channel;
	     channel = channel->next)
		if (!channel_is_quiet(channel))
			return false;
	return true;
}

static void learn_peer(struct conn *conn, const struct sockaddr_storage *from)
{
	const void *address = NULL;

	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		address = &in->sin_addr;
		conn->port = ntohs(in->sin_port);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		address = &in6->sin6_addr;
		conn->port = ntohs(in6->sin6_port);
	}
	if (!address || !inet_ntop(from->ss_family, address, conn->address,
				   sizeof(conn->address)))
		(void)snprintf(conn->address, sizeof(conn->address), "UNKNOWN");
}

static void refuse(struct worker *worker, const struct mail *mail)
{
	if (mail->ticket != 0)
		worker->config.leave(worker->config.arg, mail->ticket,
				     SOURCES_DONE);
	close(mail->fd);
	free_place(worker);
}

static struct conn *make(struct worker *worker, const struct mail *mail)
{
	struct conn *conn = pool_get(&worker->conns);

	if (!conn)
		return NULL;
	memset(conn, 0, offsetof(struct conn, args));
	conn->worker = worker;
	conn->serving = worker->serving;
	conn->id = mail->id;
	conn->fd = mail->fd;
	conn->ticket = mail->ticket;
	conn->timer_ms = UINT64_MAX;
	conn->since_ms = conn->heard_ms = uv_now(&worker->loop);
	if (uv_poll_init(&worker->loop, &conn->poll, mail->fd) != 0) {
		pool_put(&worker->conns, conn);
		return NULL;
	}
	(void)uv_timer_init(&worker->loop, &conn->timer);
	conn->poll.data = conn;
	conn->timer.data = conn;
	conn->handles = 2;
	conn->serving->users++;
	return conn;
}

void conn_open(struct worker *worker, const struct mail *mail)
{
	struct conn *conn = worker->draining ? NULL : make(worker, mail);

	if (!conn) {
		refuse(worker, mail);
		return;
	}
	/* On a socket that is none of TCP's it does not matter. */
	(void)setsockopt(mail->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
			 sizeof(int));
	learn_peer(conn, &mail->from);
	conn->ssh = csftp_ssh_init(conn->serving->env, conn->memory);
	csftp_ssh_set_user(conn->ssh, conn);
	link_conn(conn);
	conn->next_waiting = worker->waiting;
	worker->waiting = conn;
	worker_count(&worker->accepted, 1);
	log_say(&worker->log, LEVEL_VERBOSE, "Connection from %s port %u",
		conn->address, conn->port);
	conn_turn(conn);
}
