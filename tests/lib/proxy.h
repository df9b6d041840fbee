/* A long way between a client and a server on this machine. */
#ifndef CSFTP_TESTS_PROXY_H
#define CSFTP_TESTS_PROXY_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/lib/proxy_run.h"

/*
 * A process of our own that takes TCP connections and passes them on to a port
 * of this machine.  What it is told it does before the call returns.
 *
 * Delay costs no bandwidth: bytes wait side by side, up to 64 MiB for each way
 * of a connection.  The end of a stream waits like its bytes.
 *
 * What cannot be done fails the running test.
 */
struct proxy {
	pid_t pid;
	int port;    /* to connect to, of 127.0.0.1 */
	int control; /* a socket to it */
};

void proxy_start(struct proxy *proxy, int server_port, uint64_t one_way_us);

/* Ends all connections, and the process. */
void proxy_stop(struct proxy *proxy);

/* For what is taken from now on; nothing overtakes what waits already. */
void proxy_delay(struct proxy *proxy, uint64_t one_way_us);

/* Ends all connections now, by resets; what waits is lost.  New ones work. */
void proxy_cut(struct proxy *proxy);

/*
 * Lets so many more bytes through in this way, of all connections together,
 * and ends the connection of the last one there, by resets.  Once.
 */
void proxy_cut_at(struct proxy *proxy, enum proxy_way way, uint64_t bytes);

/*
 * While on, the connections that are there and those that come get nowhere:
 * all bytes and ends are swallowed, and nobody is told.  They stay so for good;
 * once it is off, new connections work.
 */
void proxy_hole(struct proxy *proxy, bool on);

/* While on, nothing moves and nothing is lost; afterwards all goes on. */
void proxy_freeze(struct proxy *proxy, bool on);

/* While on, new connections are reset at once, as if no server were there. */
void proxy_refuse(struct proxy *proxy, bool on);

/*
 * Each connection that comes from now on ends after a number of bytes, both
 * ways together, from 1 to twice the mean: the first, second, ... connection
 * of a seed always after the same number.  A mean of 0: no more of that.
 */
void proxy_random(struct proxy *proxy, uint64_t seed, uint64_t mean);

struct proxy_counts proxy_counts(struct proxy *proxy);

/* Waits until so many connections are there. */
void proxy_await_open(struct proxy *proxy, uint64_t count);

#endif
