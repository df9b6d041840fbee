/* A server engine and a client engine, joined by memory. */
#ifndef CSFTP_TESTS_JOINED_H
#define CSFTP_TESTS_JOINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/remote.h"
#include "csftp/serve.h"

/*
 * The bytes of both directions are moved in pieces of at most `piece`, or cut
 * once at `cut`: so a test can put a boundary at every byte.  What was moved
 * is added up in to_server and to_client, and hashed.
 */
struct joined {
	struct csftp_serve *serve;
	struct csftp_remote *remote;
	size_t piece;	  /* 0: all there is */
	size_t cut_up;	  /* to the server; 0: no cut */
	size_t cut_down;  /* to the client */
	size_t to_server; /* bytes moved so far */
	size_t to_client;
	uint64_t hash_up;
	uint64_t hash_down;
	/* Another source of progress, such as a file system; or NULL. */
	bool (*also)(void *arg);
	void *arg;
};

/* Starts both engines and moves bytes until the client is ready. */
void joined_start(struct joined *joined, struct csftp_fs *fs);

/* One round both ways; false where nothing moved.  For fs_caller.drive. */
bool joined_drive(void *joined);

/* Ends the session as a closed connection does, and frees both. */
void joined_stop(struct joined *joined);

#endif
