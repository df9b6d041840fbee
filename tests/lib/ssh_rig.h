/* Two SSH engines, joined by memory. */
#ifndef CSFTP_TESTS_SSH_RIG_H
#define CSFTP_TESTS_SSH_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ssh/engine.h"
#include "csftp/ssh.h"

/* The kinds of events, for counting. */
#define SSH_RIG_KINDS (CSFTP_SSH_REPLY + 1)

struct ssh_rig;

/* One engine, with its pool, and what it has told. */
struct ssh_side {
	struct ssh_rig *rig;
	struct csftp_ssh_config config;
	struct csftp_ssh_env *env;
	bool shares_env; /* with a side that has it, and the pool */
	void *memory;
	struct csftp_ssh *ssh;
	uint64_t chance;      /* its random numbers */
	unsigned borrowed;    /* buffers it has now */
	unsigned most;	      /* and had at most */
	unsigned limit;	      /* of the pool; 0: none */
	unsigned fail_get;    /* the so-many-th loan is refused; 0: none */
	unsigned fail_random; /* from the so-many-th call on nothing comes */
	unsigned count[SSH_RIG_KINDS];
	struct csftp_ssh_event last; /* pointers in it are gone */
	char text[256];		     /* of the last event with one */
	uint32_t channel;	     /* of the last event with one */
	uint8_t *got;		     /* data of all channels */
	size_t got_len;
	size_t got_cap;
	uint64_t got_hash; /* of all data, kept or not */
	uint64_t got_total;
	bool keep;     /* data in got */
	bool hold;     /* does not consume data */
	bool echo;     /* sends back what comes */
	uint64_t sent; /* bytes of the pattern */
	uint64_t owed; /* bytes still to be echoed */
	uint8_t lines[65536];
	size_t lines_len; /* the trace */
	bool traces;
};

struct ssh_rig {
	struct ssh_side client;
	struct ssh_side server;
	uint64_t now_ms;
	size_t piece;	 /* bytes moved at once; 0: all */
	size_t cut;	 /* byte of the whole stream to the server to stop at */
	size_t moved_up; /* to the server */
	size_t moved_down; /* to the client */
	/* What passes, to be looked at or changed; may be NULL. */
	void (*tap)(struct ssh_rig *rig, struct ssh_side *to, uint8_t *bytes,
		    size_t len);
	/* Called with each event first; true: it has been dealt with. */
	bool (*on_event)(struct ssh_side *side,
			 const struct csftp_ssh_event *event);
	void *arg;
};

/* A key for all tests of one program; made when first asked for. */
const struct csftp_ssh_key *ssh_rig_key(enum csftp_ssh_key_type type);
void ssh_rig_free_keys(void);

/*
 * Fills in what a rig needs: callbacks, one host key and authentication by any
 * method.  Change rig->client.config and rig->server.config, then start.
 */
void ssh_rig_init(struct ssh_rig *rig);
void ssh_rig_start(struct ssh_rig *rig);

/* More connections in the environments, and of the pools, of another rig. */
void ssh_rig_start_in(struct ssh_rig *rig, struct ssh_rig *other);
void ssh_rig_stop(struct ssh_rig *rig);

/* Moves bytes and handles events on both sides; false: nothing moved. */
bool ssh_rig_move(struct ssh_rig *rig);
void ssh_rig_run(struct ssh_rig *rig);

/* Handles the events of one side only. */
bool ssh_side_events(struct ssh_side *side);

/* Puts bytes into a side as if they came from its peer. */
void ssh_side_feed(struct ssh_side *side, const void *bytes, size_t len);

/* Up to authentication by "none"; and with an open channel on top. */
void ssh_rig_login(struct ssh_rig *rig);
uint32_t ssh_rig_channel(struct ssh_rig *rig);

/*
 * Sends len bytes of a pattern that goes on from call to call, as far as there
 * is room; returns how many.
 */
size_t ssh_side_send(struct ssh_side *side, uint32_t channel, size_t len);

/* Lets a side say what its own rules would not: a message as it is. */
void ssh_side_say(struct ssh_side *side, const void *payload, size_t len);

/* It has ended for that reason, and its owner was told. */
void ssh_side_assert_ended(const struct ssh_side *side, enum csftp_err err,
			   uint32_t reason);

/* A pool and a source of random numbers for other uses. */
struct csftp_ssh_config ssh_side_config(struct ssh_side *side,
					enum csftp_ssh_role role);

#endif
