/* A client engine, and a server that says what the test tells it to. */
#ifndef CSFTP_TESTS_TOLD_H
#define CSFTP_TESTS_TOLD_H

#include <stdbool.h>

#include "core/sftp/msg.h"
#include "csftp/remote.h"

struct told {
	struct csftp_remote *remote;
	struct csftp_fs *fs;
	struct csftp_link *link;
	bool ready;
	unsigned logs;
	uint8_t opened; /* by told_open(): the last handle's one byte */
	char log[256];
	/* The last request that it was sent. */
	uint8_t buf[512];
	struct sftp_msg request;
};

#define TOLD_PLAIN "00000005 02 00000003"

/* Starts a session of eight slots and four handles; version is hex. */
void told_begin(struct told *session);
void told_begin_with(struct told *session, const char *version, uint32_t slots);
void told_begin_many(struct told *session, uint32_t handles);
void told_end(struct told *session);

/* What the server says.  An id of 0 is that of the last request. */
void told_say(struct told *session, const void *bytes, size_t len);
void told_hex(struct told *session, const char *hex);
void told_msg(struct told *session, struct sftp_msg msg);

/* Takes one request off the client's output; false if there is none. */
bool told_next(struct told *session);

/* A request, and what it was answered. */
struct told_ask {
	struct csftp_req req;
	unsigned answers;
	unsigned entries;
	int err;
	bool eof;
	csftp_fh fh;
	size_t len;
	struct csftp_attr attr;
};

void told_done(struct csftp_req *req, const struct csftp_reply *reply);
void told_ask(struct told *session, struct told_ask *ask, struct csftp_req req);

/* OPEN or OPENDIR, and the server gives a handle, each time another one. */
csftp_fh told_open(struct told *session, enum csftp_op op);

#endif
