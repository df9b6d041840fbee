/* Threads that wait, for disks and other machines, in place of workers. */
#ifndef CSFTP_SERVER_CSFTPD_THREADS_H
#define CSFTP_SERVER_CSFTPD_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One line for all workers; who comes first is served first.  libuv has such
 * threads as well, but how many is said by the environment and not by a
 * setting, they look up names for others, and they are started when somebody
 * waits first: by a thread whose sandbox forbids that.
 */

/* Belongs to the threads from threads_add() until run() is called, or until
 * it is taken back. */
struct threads_task {
	struct threads_task *next;
	void (*run)(struct threads_task *task);
};

#define THREADS_MAX 256U

struct threads {
	pthread_mutex_t lock; /* of what is not atomic */
	pthread_cond_t more;
	struct threads_task *first;
	struct threads_task **last;
	bool stopping;
	/* The first that each does; see worker_config. */
	void (*confine)(void *arg);
	void *arg;
	uint32_t count; /* that were started */
	pthread_t thread[THREADS_MAX];
	_Atomic uint32_t busy;
	_Atomic uint32_t peak;
	_Atomic uint64_t tasks; /* in all */
};

/* Before threads_start(): there may be none of them in the end. */
void threads_init(struct threads *threads);

/* False: not all could be had; threads_stop() is called in any case. */
bool threads_start(struct threads *threads, uint32_t count,
		   void (*confine)(void *arg), void *arg);

/* For any thread. */
void threads_add(struct threads *threads, struct threads_task *task);

/* For any thread.  False: it is with a thread already, which will run it. */
bool threads_take_back(struct threads *threads, struct threads_task *task);

/* Waits until all tasks were run and all threads are gone. */
void threads_stop(struct threads *threads);

#endif
