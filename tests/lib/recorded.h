/* Sessions with OpenSSH that were recorded, and go on without it. */
#ifndef CSFTP_TESTS_RECORDED_H
#define CSFTP_TESTS_RECORDED_H

#include "tests/lib/proc.h"
#include "tests/lib/ssh_rig.h"

/*
 * What an engine says depends on nothing but what it is told: the bytes of its
 * peer, in the pieces in which they came, the requests of its owner, a clock
 * and random numbers.  So a session in which all of them are known has to be
 * the same again, byte for byte, with the same signatures and under the same
 * keys.  Here the clock stands still, the random numbers are a seed's, also
 * those that libcrypto makes keys of, and the owner does what follows from
 * events alone:
 *
 * The client logs in with its key, runs "cat", sends RECORDED_BYTES, asks for
 * new keys when they have come back, sends as many again, and ends.  The server
 * lets that key in, sends back what it gets, asks for new keys after the first
 * data, and ends as the client does.
 *
 * tests/interop/test_ssh_record.c records; "make record" anew into
 * tests/loopback/recorded/, as it takes after a change of what is said.
 */
#define RECORDED_BYTES 300U
#define RECORDED_DIR   "tests/loopback/recorded"

/* What sessions there are. */
struct recorded_kind {
	const char *name; /* of the file, without ".txt" */
	enum csftp_ssh_role role;
	const char *kex;
	const char *cipher;
	const char *mac;
};

#define RECORDED_KINDS 6U
const struct recorded_kind *recorded_kind(size_t n);

/* One stretch of bytes, from the engine or to it. */
struct recorded_piece {
	bool is_out;
	size_t len;
	uint8_t *bytes;
};

struct recorded {
	const struct recorded_kind *kind;
	uint64_t seed;
	char key[1024]; /* our private one, host's or user's, as in a file */
	char peer[256]; /* the other's public one, likewise */
	size_t count;
	struct recorded_piece *piece;
};

/* All but key and peer; then those, and pieces, can be filled in. */
void recorded_init(struct recorded *recorded, size_t kind);
void recorded_add(struct recorded *recorded, bool is_out, const void *bytes,
		  size_t len);
void recorded_free(struct recorded *recorded);

void recorded_write(const struct recorded *recorded, const char *path);
void recorded_read(struct recorded *recorded, size_t kind, const char *path);

/* An engine and its owner. */
struct recorded_player {
	struct ssh_side side;
	struct csftp_ssh_key *key;
	struct csftp_ssh_key *peer;
	const struct csftp_ssh_key *keys[1];
	uint32_t channel;
	bool open; /* the client's program runs */
	bool eof;  /* the client sends no more */
	bool rekeyed;
	bool over;
	size_t sent;
	size_t owed;
	size_t got;
	uint8_t queue[4 * RECORDED_BYTES]; /* what the server sends back */
};

/* Takes libcrypto's source of random numbers away for as long as it is open. */
void recorded_open(struct recorded_player *player,
		   const struct recorded *recorded);
void recorded_close(struct recorded_player *player);

/* Deals with all events; out is called with all that there is to send. */
void recorded_step(struct recorded_player *player,
		   void (*out)(void *arg, const uint8_t *bytes, size_t len),
		   void *arg);

/*
 * Plays it with its own pieces: the number of the first piece of output that
 * is not what the engine says, or -1 if all is the same and the session comes
 * to its end.
 */
int recorded_replay(const struct recorded *recorded);

#endif
