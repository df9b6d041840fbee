/* Inside of the daemon: what the thread that minds it has. */
#ifndef CSFTP_SERVER_CSFTPD_DAEMON_IMPL_H
#define CSFTP_SERVER_CSFTPD_DAEMON_IMPL_H

#include <stdatomic.h>
#include <uv.h>

#include "server/csftpd/acceptor.h"
#include "server/csftpd/control.h"
#include "server/csftpd/daemon.h"
#include "server/csftpd/sweeper.h"
#include "server/csftpd/worker.h"

#define DAEMON_SIGNALS 3

struct daemon {
	struct daemon_config config;
	struct settings *settings;
	struct log log;
	uint64_t since_ms;
	uv_loop_t loop;
	uv_async_t wake;
	uv_signal_t signal[DAEMON_SIGNALS];
	uv_timer_t drain;
	uint64_t drain_since_ms;
	struct control control;
	struct sweeper sweeper;
	struct worker *worker;
	uint32_t workers; /* that were opened */
	uint32_t places;  /* of each */
	struct threads threads;
	struct threads door; /* see worker.h */
	struct acceptor *acceptor;
	uint32_t acceptors;
	_Atomic uint64_t next_id;
	pthread_mutex_t parse_lock;   /* see worker.h */
	pthread_mutex_t sources_lock; /* of the next two */
	struct sources *sources;
	struct log accept_log; /* what acceptors have to say */
	_Atomic uint32_t drained;
	struct calls_filter *calls; /* of confine.c, and why there is none */
	int calls_err;
	uv_sem_t confined; /* threads that are; see confine.h */
	_Atomic bool unconfined;
	int audit_fd; /* -1: none is open */
	char audit_to[32];
	bool draining;
	char why[SETTINGS_WHY_MAX]; /* of the last reload */
};

/* Of all that has a log of the daemon's. */
void daemon_set_level(struct daemon *daemon, enum log_level level);

/*
 * reload.c.  A file of the trail is opened once, as a sandbox may not let us
 * later; false: it cannot be had, which has been said.
 */
bool daemon_open_audit(struct daemon *daemon);

/* False: all stays as it was; why has a sentence. */
bool daemon_reload(struct daemon *daemon);

/* control_config.command (commands.c) */
const char *daemon_command(void *arg, const char *name, const char *argument,
			   struct report *report);

#endif
