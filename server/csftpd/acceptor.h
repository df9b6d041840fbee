/* Acceptors: threads that take connections and give them to workers. */
#ifndef CSFTP_SERVER_CSFTPD_ACCEPTOR_H
#define CSFTP_SERVER_CSFTPD_ACCEPTOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#define ACCEPTOR_SOCKETS 32U

/*
 * An acceptor sleeps until a socket has a connection.  While no worker has a
 * place it does not look at the sockets: connections wait in the kernel.
 */
struct acceptor_config {
	const int *sockets; /* not blocking */
	size_t count;
	/* The first that its thread does. */
	void (*confine)(void *arg);
	/*
	 * Takes the descriptor over; false: there is no place for one, and the
	 * caller still has it.  Any acceptor's thread.
	 */
	bool (*place)(void *arg, int fd, const struct sockaddr_storage *from);
	/* Whether there is a place now. */
	bool (*has_place)(void *arg);
	/* accept(2) failed in a way that is the machine's: an errno. */
	void (*failed)(void *arg, int err);
	void *arg;
};

struct acceptor {
	struct acceptor_config config;
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t timer;
	uv_poll_t poll[ACCEPTOR_SOCKETS];
	size_t polls;
	bool open;
	bool failing; /* and that has been told */
	bool started;
	_Atomic bool waiting;
	_Atomic bool stopping;
};

/* False: acceptor_close() is called in any case. */
bool acceptor_open(struct acceptor *acceptor,
		   const struct acceptor_config *config);

/*
 * Its thread, once all are open: from the first connection of any of them on
 * all can be woken.  False: there is none.
 */
bool acceptor_start(struct acceptor *acceptor);

/* A place may be free: for any thread, at any time while it is open. */
void acceptor_wake(struct acceptor *acceptor);

/* Ends its thread.  One that was not started may be zero. */
void acceptor_stop(struct acceptor *acceptor);

/* Once nobody can wake it any more. */
void acceptor_close(struct acceptor *acceptor);

#endif
