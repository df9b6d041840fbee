/* SSH engines on sockets: the smallest server and client around them. */
#ifndef CSFTP_TESTS_SSH_PUMP_H
#define CSFTP_TESTS_SSH_PUMP_H

#include <sys/types.h>

#include "tests/lib/ssh_rig.h"

/*
 * One connection at a time, on a free loopback port.  It runs commands by
 * "sh -c", and the sftp subsystem, one session a connection.
 */
struct ssh_serve {
	struct ssh_side side; /* side.config may be changed before serving */
	int listener;
	int port;
	const char *sftp;		 /* command of the subsystem */
	const char *password;		 /* NULL: none would do */
	struct csftp_ssh_bytes user_key; /* ptr NULL: none would do */
	bool partly;			 /* the key first, then the password */
	bool key_seen;
	const char *user; /* who may enter; NULL: anybody */

	int fd;
	bool over;
	uint8_t *queue; /* data that the program has not taken */
	size_t queue_len;
	size_t queue_cap;
	bool eof; /* behind what is in the queue */
	uint32_t channel;
	pid_t pid;
	int to_child;
	int from_child;
	int err_child;
	unsigned sessions;
};

void ssh_serve_init(struct ssh_serve *serve);

/*
 * Accepts one connection and serves it to its end.  `peer` is the process that
 * is to connect: where it ends without, there is nothing to wait for.
 */
void ssh_serve_one(struct ssh_serve *serve, pid_t peer);
void ssh_serve_stop(struct ssh_serve *serve);

/* A client that runs one command or subsystem. */
struct ssh_dial {
	struct ssh_side side;
	int port;
	const char *user;
	struct csftp_ssh_signer signer; /* sign NULL: "none" */
	const char *password;		/* or NULL */
	bool keyboard;			/* the password, if it is asked for */
	bool try_first;			/* asks about the key before */
	const char *command;
	const char *subsystem; /* instead */
	const uint8_t *in;     /* what it is fed with */
	size_t in_len;
	size_t eof_after;     /* bytes of output that come before its end */
	uint64_t rekey_every; /* bytes of input; 0: not by us */

	int fd;
	bool over;
	size_t sent;
	uint64_t next_rekey;
	uint32_t channel;
	uint32_t status; /* exit status */
	bool status_known;
	char signal[32];
};

void ssh_dial_init(struct ssh_dial *dial, int port);

/* Runs it to its end; the output is in dial->side.got. */
void ssh_dial_run(struct ssh_dial *dial);
void ssh_dial_release(struct ssh_dial *dial);

/* How often a line with this text is in the trace. */
unsigned ssh_side_traced(const struct ssh_side *side, const char *text);

#endif
