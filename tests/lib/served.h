/* A session of the server engine, packet by packet. */
#ifndef CSFTP_TESTS_SERVED_H
#define CSFTP_TESTS_SERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sftp/msg.h"
#include "csftp/serve.h"
#include "tests/lib/later.h"

#define BYTES(s)                                                               \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* What goes wrong here fails the running test. */
struct served {
	struct csftp_serve *serve;
	struct csftp_link *link;
	/* A file system that answers later; NULL where there is none. */
	struct later *later;
	/*
	 * Set before the start: the engine's buffers come from a pool of so
	 * many, or are its own (0); how many are out.
	 */
	unsigned pool;
	unsigned borrowed;
	struct sftp_msg greeting; /* VERSION; its bytes lie in greeting_buf */
	struct sftp_msg answer;	  /* the last; its bytes lie in buf */
	uint8_t greeting_buf[2048];
	size_t len; /* of the last answer in buf, with its length field */
	uint8_t buf[CSFTP_SERVE_PACKET_MAX + 4];
};

/* Makes the engine and shakes hands. */
void served_start(struct served *served,
		  const struct csftp_serve_config *config);

/* Ends the session and frees the engine; all must have been answered. */
void served_stop(struct served *served);

/* Any bytes; false where the engine took only some of them. */
bool served_feed(struct served *served, const void *bytes, size_t len);

/* One request, whole. */
void served_send(struct served *served, const struct sftp_msg *msg);

/* Takes one answer off the output; false if there is none. */
bool served_next(struct served *served);

/* Does some of what is left to do inside; false where there is nothing. */
bool served_work(struct served *served);

/* A request and its answer, which is the next. */
const struct sftp_msg *served_ask(struct served *served,
				  const struct sftp_msg *msg);

/* The same; the answer has to be a status. */
uint32_t served_status(struct served *served, const struct sftp_msg *msg);

/* Whether an extension was announced. */
bool served_announces(const struct served *served, const char *name);

#endif
