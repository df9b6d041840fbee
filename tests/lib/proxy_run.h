/* What a proxy process does: TCP connections passed on late, cut or lost. */
#ifndef CSFTP_TESTS_PROXY_RUN_H
#define CSFTP_TESTS_PROXY_RUN_H

#include <stdint.h>

/*
 * Nothing here knows of cmocka: the benchmark's program is the same process.
 * Tests use proxy.h.
 */

/* The two ways of a connection. */
enum proxy_way {
	PROXY_TO_SERVER,
	PROXY_TO_CLIENT,
	PROXY_WAYS,
};

enum proxy_op {
	PROXY_COUNT,  /* nothing but the answer */
	PROXY_DELAY,  /* arg: microseconds, one way */
	PROXY_CUT,    /* all connections */
	PROXY_CUT_AT, /* way, arg: bytes that still get through */
	PROXY_HOLE,   /* arg: 1 on, 0 off */
	PROXY_FREEZE, /* arg: 1 on, 0 off */
	PROXY_REFUSE, /* arg: 1 on, 0 off */
	PROXY_RANDOM, /* arg: mean bytes of a connection, 0: no end; seed */
};

/* One datagram of the control socket; each is answered by the counts. */
struct proxy_order {
	enum proxy_op op;
	enum proxy_way way;
	uint64_t arg;
	uint64_t seed;
};

struct proxy_counts {
	uint64_t accepted;	    /* connections of clients */
	uint64_t open;		    /* of them, those that are there now */
	uint64_t cut;		    /* connections that the proxy has ended */
	uint64_t taken[PROXY_WAYS]; /* bytes read from their senders */
	uint64_t given[PROXY_WAYS]; /* bytes that the other end got */
};

struct proxy_setup {
	int listener;	     /* a listening TCP socket */
	int control;	     /* a SOCK_SEQPACKET socket, or -1 */
	int stop;	     /* readable or at its end: come back; or -1 */
	int port;	     /* of 127.0.0.1, where the server is */
	uint64_t one_way_us; /* that each byte takes, in both ways */
};

/* Listens at a free port of 127.0.0.1; the socket, or -1 and errno. */
int proxy_listen(int *port);

/*
 * Serves until the control socket or stop is at its end.  0, or -1 and errno.
 * One thread; no state outside.
 */
int proxy_run(const struct proxy_setup *setup);

#endif
