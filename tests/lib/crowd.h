/* Many SSH clients in one process, each as far as it is told to get. */
#ifndef CSFTP_TESTS_CROWD_H
#define CSFTP_TESTS_CROWD_H

#include <sys/types.h>

#include "csftp/ssh.h"
#include "tests/lib/sshd.h"

/*
 * How far a client gets.  It stays there and says nothing more, but for those
 * that drip; if the server hangs up, it is gone.
 */
enum crowd_stage {
	CROWD_SILENT,	   /* a connection, and not a word */
	CROWD_DRIP_HELLO,  /* an identification without an end, byte by byte */
	CROWD_DRIP_PACKET, /* that, and then the largest packet, likewise */
	CROWD_KEYS,	   /* keys are exchanged */
	CROWD_LOGGED_IN,
	CROWD_SFTP /* a session that has told its version */
};

struct crowd_client {
	struct crowd *crowd;
	int fd; /* -1: it is not there (any more) */
	enum crowd_stage wanted;
	bool there; /* where it wanted to get */
	size_t dripped;
	struct csftp_ssh *ssh; /* NULL: it needs no engine */
	uint32_t channel;
	uint32_t events; /* that are waited for */
};

/*
 * The clients are numbered from 0 and come from 127.0.1.1 and the addresses
 * behind it, in turn; a number whose client is not there can be joined again.
 */
struct crowd {
	const struct sshd *sshd;
	struct csftp_ssh_env *env;
	struct csftp_ssh_key *key;
	const char *user;
	int epoll;
	uint32_t sources; /* addresses in use; 16, unless it is changed */
	size_t cap;
	size_t present;
	size_t arrived; /* present, and where they wanted to get */
	size_t lost;	/* the server has hung up, in all */
	struct crowd_client *client;
};

/*
 * With the key that opens the server.  The limit of open files is raised for
 * cap clients; skips the running test where that cannot be.
 */
void crowd_open(struct crowd *crowd, const struct sshd *sshd, size_t cap);
void crowd_close(struct crowd *crowd);

/* Client n is not there yet. */
void crowd_join(struct crowd *crowd, size_t n, enum crowd_stage wanted);

/* With a farewell, if it has keys, or without. */
enum crowd_leave { CROWD_POLITELY, CROWD_ABRUPTLY };
void crowd_leave(struct crowd *crowd, size_t n, enum crowd_leave how);

/* Handles what happens, or waits so long for it; false: nothing did. */
bool crowd_move(struct crowd *crowd, int timeout_ms);

/* Until no more than so many are still on their way. */
void crowd_await(struct crowd *crowd, size_t under_way);

/* One more byte of each that drips. */
void crowd_drip(struct crowd *crowd);

bool crowd_is_there(const struct crowd *crowd, size_t n);

#endif
