/* Workers: each a reactor in a thread of its own, with its connections. */
#ifndef CSFTP_SERVER_CSFTPD_WORKER_H
#define CSFTP_SERVER_CSFTPD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "core/ssh/crypto.h"
#include "server/csftpd/disk.h"
#include "server/csftpd/pool.h"
#include "server/csftpd/settings.h"
#include "server/csftpd/sources.h"
#include "server/log.h"
#include "server/mounts.h"
#include "server/tree.h"

/*
 * A connection belongs to one worker for its life, and nothing of it is touched
 * by another thread.  What others want is mail: a few words in a box of fixed
 * size.  What tells how it shall be (SETTINGS, LEVEL, DRAIN, STOP) has a place
 * there always: the latest of each kind is all that counts.  Two things are
 * shared: counters, which anybody may read, and the list of connections, which
 * changes and is read under the lock of the mailbox.
 */
enum mail_kind {
	MAIL_CONNECTION, /* fd, from, id: a place was reserved for it */
	MAIL_SETTINGS,	 /* settings, with a reference */
	MAIL_LEVEL,	 /* id: of the log */
	MAIL_KILL,	 /* id: of a connection */
	MAIL_DROP,	 /* id: a ticket (sources.h) */
	/*
	 * What does nothing ends, then all that ends by itself.  id: for so
	 * many milliseconds nothing was said where something could go on; 0:
	 * those stay.
	 */
	MAIL_DRAIN,
	MAIL_STOP, /* everything ends now */
	MAIL_KINDS
};

struct mail {
	enum mail_kind kind;
	int fd;
	uint64_t id;
	sources_ticket ticket; /* of a connection */
	struct settings *settings;
	struct sockaddr_storage from;
};

/*
 * Each connection that has a place can be in the box, or be killed, and be
 * dropped; one that has just gone can be dropped as well.
 */
#define WORKER_MAIL(places) (2U * (places) + 64U)

/*
 * Connections in the box at which acceptors leave the rest in the kernel: who
 * has to go for them goes only when the worker comes to it, and until then each
 * of both takes memory.
 */
#define WORKER_NEWCOMERS 32U

/* Bytes of random numbers that are fetched at once. */
#define WORKER_RANDOM 4096U

/* A packet buffer; SSH packets up to nearly so many bytes. */
#define WORKER_BUFFER (64U * 1024U)

/* What connections of one configuration share in one worker. */
struct serving {
	struct worker *worker;
	struct settings *settings;
	struct csftp_ssh_env *env;
	struct csftp_ssh_key *key[SETTINGS_KEYS];
	struct log log; /* of its sessions, by the socket of the worker's */
	struct tree tree;
	unsigned users; /* connections, and the worker while it is current */
};

/* What the daemon has a worker do, and is told by it. */
struct worker_config {
	unsigned index;
	struct settings *settings;
	struct log_config log;
	const char *audit_to; /* session_config.audit_to */
	/* Connections that it can have. */
	uint32_t places;
	/*
	 * For what waits for a disk; they are there before the first
	 * connection, and longer than the worker's thread.  NULL: none.
	 */
	struct threads *threads;
	/*
	 * The same, for files of keys: so who may not even enter never keeps
	 * one from who is served.
	 */
	struct threads *door;
	/* Held while getopt(3) reads options: its state is the process's. */
	pthread_mutex_t *parse_lock;
	/*
	 * The first that its thread does: gives up what it does not need.  Who
	 * waits for it to be done has to be told.
	 */
	void (*confine)(void *arg);
	/* A connection is gone, or out of the box. */
	void (*place_free)(void *arg);
	/* Of a connection that is not logged in (sources.h). */
	void (*heard)(void *arg, sources_ticket ticket);
	void (*leave)(void *arg, sources_ticket ticket, enum sources_end end);
	/* The worker has nothing any more, after DRAIN or STOP. */
	void (*drained)(void *arg);
	void *arg;
};

struct conn;

struct worker {
	struct worker_config config;
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t wake;
	uv_idle_t again;
	struct log log;
	struct serving *serving;
	/* The one that has looked for users and groups: it stays to the end. */
	struct serving *first;
	struct pool conns;
	struct pool channels;
	struct pool buffers;  /* SSH packets, and what sessions cannot take */
	struct pool engines;  /* SFTP packets */
	struct pool privates; /* trees of keys with options of their own */
	struct pool commands;
	struct pool askers;    /* to be let in; see login.c */
	struct disk_desk desk; /* only with threads */
	struct mounts *mounts; /* NULL: they are not known */
	struct ssh_lib *lib;   /* for fingerprints */
	struct conn *waiting;  /* those that are not logged in */
	struct conn *runnable; /* to be gone on with soon */
	struct conn *starved;  /* and once there is a buffer */
	uv_timer_t hunger;     /* runs while somebody is starved */
	bool looked;	       /* and at who takes nothing, once */
	uv_prepare_t prepare;
	bool open;
	bool started;
	bool draining;
	bool stopped;
	size_t random_left;
	uint8_t random[WORKER_RANDOM];

	pthread_mutex_t lock; /* of the rest */
	struct mail *mail;
	size_t mail_cap;
	size_t mail_head;
	size_t mail_count;
	struct conn *list;
	struct login *judged;	/* that have come back from a thread */
	struct private *opened; /* likewise */

	_Atomic uint32_t placed; /* places taken, by mail under way as well */
	_Atomic uint32_t newcomers; /* connections in the box */
	_Atomic uint64_t accepted;
	_Atomic uint64_t logins;
	_Atomic uint64_t sessions; /* channels that were opened, in all */
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint32_t log_level;
};

/*
 * Everything that it takes is allocated here, and the tree and the keys are
 * opened; false where that cannot be, which has been said by then.
 */
bool worker_open(struct worker *worker, const struct worker_config *config);

/* Its thread; false: there is none. */
bool worker_start(struct worker *worker);

/*
 * For any thread: whether MAIL_SETTINGS with these would do; why not has been
 * said to the log by then.
 */
bool worker_can_serve(struct worker *worker, struct settings *settings,
		      struct log *log);

/*
 * For any thread.  False: the box is full, which it is never for what has its
 * place.  In any case the settings' reference is gone from the caller.
 */
bool worker_mail(struct worker *worker, const struct mail *mail);

/* After MAIL_STOP, or after config.drained was called: waits for the thread. */
void worker_join(struct worker *worker);

/* False if an object of a pool was lost.  What was not opened may be zero. */
bool worker_close(struct worker *worker);

/* For its connections. */
void worker_again(struct conn *conn);
void worker_wait_buffer(struct conn *conn);
void worker_unqueue(struct conn *conn);
void worker_put_serving(struct serving *serving);

/*
 * Whether what it sends and its sessions cannot take may have one more buffer.
 * Who sends and does not read shall keep nobody else from going on, or from
 * getting in: so not all of them are for that, and the last of those that are
 * only for who has few.
 */
bool worker_may_spill(const struct conn *conn);

/* server_options_parse(), one thread at a time. */
bool worker_parse_options(struct worker *worker, struct server_options *options,
			  int argc, char **argv);

/* Of the two pools of buffers; arg is the worker. */
void *worker_buf_get(void *arg);
void worker_buf_put(void *arg, void *buf);
void *worker_engine_get(void *arg);
void worker_engine_put(void *arg, void *buf);

static inline void worker_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
