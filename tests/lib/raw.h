/* A client that says what the test tells it to, to a server on descriptors. */
#ifndef CSFTP_TESTS_RAW_H
#define CSFTP_TESTS_RAW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/sftp/msg.h"

/*
 * The server is csftp-server's loop over posixfs in a child process, or the
 * program itself.  All calls but raw_try_send() block; what cannot be done
 * fails the running test.
 */
struct raw {
	pid_t pid;
	int in;	 /* answers come from here */
	int out; /* requests go there; may be the same as in */
	uint32_t next_id;
	/* The last answer: its bytes, and what they say. */
	uint8_t *buf;
	struct sftp_msg answer;
	/* Handles, as text of the protocol; see raw_open(). */
	uint8_t name[4][SFTP_HANDLE_MAX];
};

/* Both are ends of the test's; the server's are made from them. */
enum raw_kind { RAW_PIPES, RAW_SOCKET };

/* fds[0], fds[1]: the client's to read and to write; fds[2], fds[3]: theirs. */
void raw_join(int fds[4], enum raw_kind kind);

/*
 * Serves `dir` in a child, which calls `before`, if there is one, or by the
 * program; hears its greeting.
 */
void raw_fork(struct raw *raw, enum raw_kind kind, const char *dir,
	      void (*before)(void));
void raw_spawn(struct raw *raw, enum raw_kind kind, const char *dir);

/* The same over descriptors of the caller's, which stay open there. */
void raw_fork_on(struct raw *raw, const int fds[4], const char *dir,
		 void (*before)(void));

/* The loop itself, over any descriptors; returns an exit status. */
int raw_serve(const char *dir, int rfd, int wfd);

/* Hangs up, and expects that the server ends by itself without an error. */
void raw_stop(struct raw *raw);

/* Encodes under a new id; returns the length.  data as sftp_msg_encode(). */
size_t raw_encode(struct raw *raw, struct sftp_msg msg, uint8_t *buf,
		  size_t size);

void raw_send(struct raw *raw, const void *bytes, size_t len);
/* What the kernel takes now. */
size_t raw_try_send(struct raw *raw, const void *bytes, size_t len);
void raw_ask(struct raw *raw, struct sftp_msg msg);

/* The next answer, into raw->answer. */
void raw_hear(struct raw *raw);
void raw_call(struct raw *raw, struct sftp_msg msg, enum sftp_kind kind);

/* Opens name with CSFTP_OPEN_*; the handle is kept in the place given. */
struct wire_bytes raw_open(struct raw *raw, const char *name, uint32_t flags,
			   size_t place);
void raw_read(struct raw *raw, struct wire_bytes handle, uint64_t off,
	      uint32_t len);

/* Bytes that have come and have not been read. */
size_t raw_unread(const struct raw *raw);

#endif
