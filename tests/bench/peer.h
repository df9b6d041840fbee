/* A server process under measurement, and its SFTP client (filexfer-02). */
#ifndef CSFTP_BENCH_PEER_H
#define CSFTP_BENCH_PEER_H

#include <stdint.h>
#include <sys/types.h>

#include "core/sftp/msg.h"

/*
 * Everything here blocks, and whatever goes wrong ends the program with a
 * sentence: a benchmark that carried on would print numbers of nothing.
 * What the client sends ahead must fit into the server's buffers, as it reads
 * no answer while it sends.
 */
enum peer_kind { PEER_PIPES, PEER_SOCKETPAIR };

#define PEER_BUFFER (1024U * 1024U)

struct peer {
	pid_t pid;
	int in;	 /* answers come from here */
	int out; /* requests go there; may be the same as in */
	clockid_t clock;
	uint32_t next_id;
	/* Answers that were read: from head to tail. */
	uint8_t *buf;
	size_t head;
	size_t tail;
	/* Requests put together for one write. */
	uint8_t *ask;
	size_t ask_len;
};

/* An answer.  Its message is good until the next call. */
struct peer_answer {
	struct sftp_msg msg; /* of DATA only kind, id, and data.len count */
};

/* Starts the server, greets it and hears its greeting. */
void peer_start(struct peer *peer, const char *server, enum peer_kind kind);

/* Ends its input and waits for it to end by itself. */
void peer_stop(struct peer *peer);

/* Queues a request under a new id; peer_flush() sends all that are queued. */
void peer_ask(struct peer *peer, struct sftp_msg *msg);
void peer_flush(struct peer *peer);

/* Sends what is queued, and a WRITE of bytes that stay where they are. */
void peer_write(struct peer *peer, struct wire_bytes handle, uint64_t off,
		const void *data, size_t len);

/* The next answer, whichever it belongs to. */
void peer_hear(struct peer *peer, struct peer_answer *answer);

/* One request and its answer, which must be of the kind given. */
void peer_call(struct peer *peer, struct sftp_msg *msg, enum sftp_kind kind,
	       struct peer_answer *answer);

/* Seconds of processor time that the server has taken since it started. */
double peer_cpu(const struct peer *peer);

/* The most memory that it had at a time, in KiB. */
long peer_peak_kib(const struct peer *peer);

/* The same of this program. */
double peer_own_cpu(void);

/* Seconds of a clock that only goes forward. */
double peer_now(void);

_Noreturn __attribute__((format(printf, 1, 2))) void
peer_die(const char *format, ...);

#endif
