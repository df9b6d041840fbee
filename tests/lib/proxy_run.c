#include "tests/lib/proxy_run.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* The most that waits in one way of a connection; its sender waits, then. */
#define HELD_MAX (64U << 20)

/* Taken at once. */
#define PIECE (256U << 10)

/* So much less is kept for as long as it waits in as much memory as it is. */
#define FEW (PIECE / 16)

#define EVENTS 32
#define NO_END UINT64_MAX

enum chunk_kind { BYTES, END, RESET };

/* What came from a sender, and when it is to arrive. */
struct chunk {
	struct chunk *next;
	uint64_t due_ns;
	enum chunk_kind kind;
	size_t len;
	size_t room;
	size_t sent;
	uint8_t bytes[];
};

struct lane {
	struct chunk *first;
	struct chunk *last;
	uint64_t due_ns; /* of the last that ever waited */
	size_t held;	 /* bytes in chunks */
	bool ended;	 /* the sender has nothing more to say */
	bool told;	 /* and the other end knows */
	bool stuck;	 /* the other end takes nothing now */
};

/* Connection and side: what an event of epoll is about. */
struct end {
	struct conn *conn;
	int fd; /* -1: there is none (in a hole) */
	unsigned side;
	uint32_t armed;
};

/* end[way] is the sender of lane[way]. */
struct conn {
	struct conn *next;
	struct end end[PROXY_WAYS];
	struct lane lane[PROXY_WAYS];
	uint64_t left; /* bytes until its end */
	bool hole;
	bool over;
};

struct proxy_state {
	struct proxy_setup setup;
	struct conn *conns;
	struct proxy_counts counts;
	uint64_t limit[PROXY_WAYS]; /* bytes until the cut */
	uint64_t random;	    /* state of the generator */
	uint64_t mean;
	int epoll;
	int timer;
	bool hole;
	bool freeze;
	bool refuse;
	bool asked; /* for the counts, at the end of the turn */
	bool ended;
	struct chunk *spare; /* chunks with room for a piece */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int proxy_listen(int *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, len) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
		(void)close(fd);
		return -1;
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

static int connect_server(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void close_fd(int fd, bool reset)
{
	const struct linger linger = {.l_onoff = 1};

	if (reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
				 sizeof(linger));
	(void)close(fd);
}

static struct chunk *chunk_new(size_t room)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + room);

	if (!chunk)
		abort();
	chunk->room = room;
	return chunk;
}

/* The last one that was used: what is in the processor's cache goes first. */
static struct chunk *chunk_for_piece(struct proxy_state *proxy)
{
	struct chunk *chunk = proxy->spare;

	if (!chunk)
		return chunk_new(PIECE);
	proxy->spare = chunk->next;
	return chunk;
}

static void chunk_put(struct proxy_state *proxy, struct chunk *chunk)
{
	if (chunk->room < PIECE) {
		free(chunk);
		return;
	}
	chunk->next = proxy->spare;
	proxy->spare = chunk;
}

static void drop_first(struct proxy_state *proxy, struct lane *lane)
{
	struct chunk *chunk = lane->first;

	lane->first = chunk->next;
	lane->held -= chunk->len;
	chunk_put(proxy, chunk);
}

/* It is freed at the end of the turn, as events may still name it. */
static void finish(struct proxy_state *proxy, struct conn *conn, bool reset)
{
	for (unsigned way = 0; way < PROXY_WAYS; way++) {
		while (conn->lane[way].first)
			drop_first(proxy, &conn->lane[way]);
		if (conn->end[way].fd >= 0)
			close_fd(conn->end[way].fd, reset);
		conn->end[way].fd = -1;
	}
	conn->over = true;
}

static void cut(struct proxy_state *proxy, struct conn *conn)
{
	if (conn->over)
		return;
	proxy->counts.cut++;
	finish(proxy, conn, true);
}

static void sweep(struct proxy_state *proxy)
{
	struct conn **at = &proxy->conns;

	while (*at) {
		struct conn *conn = *at;

		if (!conn->over) {
			at = &conn->next;
			continue;
		}
		*at = conn->next;
		proxy->counts.open--;
		free(conn);
	}
}

/* xorshift64*: the same numbers for the same seed, on every machine. */
static uint64_t draw(struct proxy_state *proxy)
{
	uint64_t x = proxy->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	proxy->random = x;
	return x * 0x2545F4914F6CDD1DU;
}

static int adopt(struct conn *conn, unsigned side, int fd)
{
	conn->end[side] = (struct end){.conn = conn, .side = side, .fd = fd};
	return fd < 0 ? 0
		      : setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
				   sizeof(int));
}

static void take_client(struct proxy_state *proxy)
{
	int fd = accept4(proxy->setup.listener, NULL, NULL, SOCK_CLOEXEC);
	int server = -1;
	struct conn *conn;

	if (fd < 0)
		return;
	proxy->counts.accepted++;
	conn = proxy->refuse ? NULL : calloc(1, sizeof(*conn));
	if (conn && !proxy->hole)
		server = connect_server(proxy->setup.port);
	if (!conn || (server < 0 && !proxy->hole)) {
		free(conn);
		close_fd(fd, true);
		return;
	}
	(void)adopt(conn, PROXY_TO_SERVER, fd);
	(void)adopt(conn, PROXY_TO_CLIENT, server);
	conn->hole = proxy->hole;
	conn->left = NO_END;
	if (proxy->mean)
		conn->left = 1 + draw(proxy) % (2 * proxy->mean);
	conn->next = proxy->conns;
	proxy->conns = conn;
	proxy->counts.open++;
}

static void append(struct proxy_state *proxy, struct lane *lane,
		   struct chunk *chunk, enum chunk_kind kind, size_t len)
{
	uint64_t due = now_ns() + proxy->setup.one_way_us * 1000;

	if (due < lane->due_ns)
		due = lane->due_ns;
	lane->due_ns = due;
	chunk->next = NULL;
	chunk->due_ns = due;
	chunk->kind = kind;
	chunk->len = len;
	chunk->sent = 0;
	if (lane->first)
		lane->last->next = chunk;
	else
		lane->first = chunk;
	lane->last = chunk;
	lane->held += len;
}

/* What there is, in memory of its size; NULL: nothing is there now. */
static struct chunk *receive(struct proxy_state *proxy, int fd, ssize_t *len)
{
	struct chunk *piece = chunk_for_piece(proxy);
	struct chunk *few = NULL;
	bool later;

	*len = recv(fd, piece->bytes, PIECE, MSG_DONTWAIT);
	later = *len < 0 && (errno == EAGAIN || errno == EINTR);
	if (!later && *len >= (ssize_t)FEW)
		return piece;
	if (!later) {
		few = chunk_new(*len > 0 ? (size_t)*len : 0);
		memcpy(few->bytes, piece->bytes, few->room);
	}
	chunk_put(proxy, piece);
	return few;
}

static void take(struct proxy_state *proxy, struct conn *conn, unsigned way)
{
	struct lane *lane = &conn->lane[way];
	ssize_t len;
	struct chunk *chunk = receive(proxy, conn->end[way].fd, &len);

	if (!chunk)
		return;
	if (len > 0)
		proxy->counts.taken[way] += (uint64_t)len;
	else
		lane->ended = true;
	if (conn->hole) {
		chunk_put(proxy, chunk);
		if (lane->ended &&
		    (conn->lane[!way].ended || conn->end[!way].fd < 0))
			finish(proxy, conn, false);
		return;
	}
	if (len > 0)
		append(proxy, lane, chunk, BYTES, (size_t)len);
	else
		append(proxy, lane, chunk, len == 0 ? END : RESET, 0);
}

/* The most of it that may pass before somebody's end. */
static size_t allowed(const struct proxy_state *proxy, const struct conn *conn,
		      unsigned way, size_t len)
{
	uint64_t most =
		proxy->limit[way] < conn->left ? proxy->limit[way] : conn->left;

	return len < most ? len : (size_t)most;
}

static void spend(struct proxy_state *proxy, struct conn *conn, unsigned way,
		  size_t len)
{
	proxy->counts.given[way] += len;
	if (conn->left != NO_END)
		conn->left -= len;
	if (proxy->limit[way] != NO_END)
		proxy->limit[way] -= len;
	if (proxy->limit[way] == 0 || conn->left == 0)
		cut(proxy, conn);
	if (proxy->limit[way] == 0)
		proxy->limit[way] = NO_END;
}

/* False: the other end takes no more now. */
static bool give_bytes(struct proxy_state *proxy, struct conn *conn,
		       unsigned way)
{
	struct lane *lane = &conn->lane[way];
	struct chunk *chunk = lane->first;
	size_t len = allowed(proxy, conn, way, chunk->len - chunk->sent);
	ssize_t sent = send(conn->end[!way].fd, chunk->bytes + chunk->sent, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (sent < 0) {
		finish(proxy, conn, true);
		return false;
	}
	chunk->sent += (size_t)sent;
	if (chunk->sent == chunk->len)
		drop_first(proxy, lane);
	spend(proxy, conn, way, (size_t)sent);
	return true;
}

static void give_end(struct proxy_state *proxy, struct conn *conn, unsigned way)
{
	drop_first(proxy, &conn->lane[way]);
	conn->lane[way].told = true;
	(void)shutdown(conn->end[!way].fd, SHUT_WR);
	if (conn->lane[!way].told)
		finish(proxy, conn, false);
}

/* All that is due. */
static void give(struct proxy_state *proxy, struct conn *conn, unsigned way,
		 uint64_t now)
{
	struct lane *lane = &conn->lane[way];

	lane->stuck = false;
	while (!conn->over && lane->first && lane->first->due_ns <= now) {
		if (lane->first->kind == END) {
			give_end(proxy, conn, way);
		} else if (lane->first->kind == RESET) {
			finish(proxy, conn, true);
		} else if (!give_bytes(proxy, conn, way)) {
			lane->stuck = !conn->over;
			return;
		}
	}
}

static void arm(struct proxy_state *proxy, struct end *end)
{
	const struct lane *in = &end->conn->lane[end->side];
	const struct lane *out = &end->conn->lane[!end->side];
	struct epoll_event event = {.data.ptr = end};
	int what = EPOLL_CTL_MOD;

	if (end->fd < 0)
		return;
	if (!proxy->freeze && !in->ended && in->held < HELD_MAX)
		event.events |= EPOLLIN;
	if (!proxy->freeze && out->stuck)
		event.events |= EPOLLOUT;
	if (event.events == end->armed)
		return;
	/* Errors are told of whatever is asked; so what waits is not there. */
	if (end->armed == 0)
		what = EPOLL_CTL_ADD;
	else if (event.events == 0)
		what = EPOLL_CTL_DEL;
	(void)epoll_ctl(proxy->epoll, what, end->fd, &event);
	end->armed = event.events;
}

static void set_timer(const struct proxy_state *proxy, uint64_t due_ns)
{
	struct itimerspec when = {0};

	if (due_ns != NO_END) {
		when.it_value.tv_sec = (time_t)(due_ns / 1000000000);
		when.it_value.tv_nsec = (long)(due_ns % 1000000000);
	}
	(void)timerfd_settime(proxy->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* After events: gives what is due and says what is waited for. */
static void turn(struct proxy_state *proxy)
{
	uint64_t now = now_ns(), next = NO_END;

	for (struct conn *conn = proxy->conns; conn; conn = conn->next) {
		for (unsigned way = 0; way < PROXY_WAYS; way++) {
			struct lane *lane = &conn->lane[way];

			if (!proxy->freeze && !conn->hole)
				give(proxy, conn, way, now);
			if (!conn->over && lane->first && !lane->stuck &&
			    lane->first->due_ns < next)
				next = lane->first->due_ns;
		}
		for (unsigned side = 0; !conn->over && side < PROXY_WAYS;
		     side++)
			arm(proxy, &conn->end[side]);
	}
	sweep(proxy);
	set_timer(proxy, proxy->freeze ? NO_END : next);
}

static void swallow(struct proxy_state *proxy, struct conn *conn)
{
	conn->hole = true;
	for (unsigned way = 0; way < PROXY_WAYS; way++) {
		while (conn->lane[way].first)
			drop_first(proxy, &conn->lane[way]);
		conn->lane[way].stuck = false;
	}
}

static void cut_at(struct proxy_state *proxy, enum proxy_way way,
		   uint64_t bytes)
{
	/* Nothing more gets through: that is now. */
	for (struct conn *conn = proxy->conns; !bytes && conn;
	     conn = conn->next)
		cut(proxy, conn);
	proxy->limit[way] = bytes ? bytes : NO_END;
}

static int watch(struct proxy_state *proxy, int fd, const int *key)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0)
		return 0;
	/* A key is the address of the number: no end of a connection's. */
	memcpy(&event.data.ptr, &key, sizeof(key));
	return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void freeze(struct proxy_state *proxy, bool on)
{
	if (on == proxy->freeze)
		return;
	proxy->freeze = on;
	if (on)
		(void)epoll_ctl(proxy->epoll, EPOLL_CTL_DEL,
				proxy->setup.listener, NULL);
	else
		(void)watch(proxy, proxy->setup.listener,
			    &proxy->setup.listener);
}

static void obey(struct proxy_state *proxy, const struct proxy_order *order)
{
	bool on = order->arg != 0;

	switch (order->op) {
	case PROXY_COUNT:
		break;
	case PROXY_DELAY:
		proxy->setup.one_way_us = order->arg;
		break;
	case PROXY_CUT:
		for (struct conn *conn = proxy->conns; conn; conn = conn->next)
			cut(proxy, conn);
		break;
	case PROXY_CUT_AT:
		cut_at(proxy, order->way, order->arg);
		break;
	case PROXY_HOLE:
		proxy->hole = on;
		for (struct conn *conn = proxy->conns; on && conn;
		     conn = conn->next)
			swallow(proxy, conn);
		break;
	case PROXY_FREEZE:
		freeze(proxy, on);
		break;
	case PROXY_REFUSE:
		proxy->refuse = on;
		break;
	case PROXY_RANDOM:
		proxy->mean = order->arg;
		proxy->random = order->seed * 2 + 1; /* never 0 */
		break;
	}
}

static void on_control(struct proxy_state *proxy)
{
	struct proxy_order order;
	ssize_t len = recv(proxy->setup.control, &order, sizeof(order), 0);

	if (len < 0 && errno == EINTR)
		return;
	if (len != sizeof(order)) {
		proxy->ended = true;
		return;
	}
	obey(proxy, &order);
	proxy->asked = true;
}

static void answer(struct proxy_state *proxy)
{
	if (proxy->asked)
		(void)send(proxy->setup.control, &proxy->counts,
			   sizeof(proxy->counts), MSG_NOSIGNAL);
	proxy->asked = false;
}

static void on_event(struct proxy_state *proxy, const struct epoll_event *event)
{
	const struct end *end = event->data.ptr;
	const void *key = event->data.ptr;
	uint64_t expired;

	if (key == &proxy->setup.listener) {
		if (!proxy->freeze)
			take_client(proxy);
	} else if (key == &proxy->setup.control) {
		on_control(proxy);
	} else if (key == &proxy->setup.stop) {
		proxy->ended = true;
	} else if (key == &proxy->timer) {
		(void)!read(proxy->timer, &expired, sizeof(expired));
	} else if (!end->conn->over && !proxy->freeze &&
		   (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
		   !end->conn->lane[end->side].ended) {
		take(proxy, end->conn, end->side);
	}
}

static int serve(struct proxy_state *proxy)
{
	struct epoll_event events[EVENTS];
	int count = 0;

	while (!proxy->ended && count >= 0) {
		turn(proxy);
		answer(proxy);
		count = epoll_wait(proxy->epoll, events, EVENTS, -1);
		if (count < 0 && errno == EINTR)
			count = 0;
		for (int i = 0; i < count && !proxy->ended; i++)
			on_event(proxy, &events[i]);
	}
	return count < 0 ? -1 : 0;
}

int proxy_run(const struct proxy_setup *setup)
{
	struct proxy_state *proxy = calloc(1, sizeof(*proxy));
	int result = -1;

	if (!proxy)
		return -1;
	proxy->setup = *setup;
	proxy->limit[PROXY_TO_SERVER] = NO_END;
	proxy->limit[PROXY_TO_CLIENT] = NO_END;
	proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
	proxy->timer =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (proxy->epoll >= 0 && proxy->timer >= 0 &&
	    watch(proxy, setup->listener, &proxy->setup.listener) == 0 &&
	    watch(proxy, setup->control, &proxy->setup.control) == 0 &&
	    watch(proxy, setup->stop, &proxy->setup.stop) == 0 &&
	    watch(proxy, proxy->timer, &proxy->timer) == 0)
		result = serve(proxy);
	for (struct conn *conn = proxy->conns; conn; conn = conn->next)
		finish(proxy, conn, true);
	sweep(proxy);
	while (proxy->spare) {
		struct chunk *chunk = proxy->spare;

		proxy->spare = chunk->next;
		free(chunk);
	}
	if (proxy->epoll >= 0)
		(void)close(proxy->epoll);
	if (proxy->timer >= 0)
		(void)close(proxy->timer);
	free(proxy);
	return result;
}
