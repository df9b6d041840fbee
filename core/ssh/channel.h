/* Channels (RFC 4254, 5). */
#ifndef CSFTP_CORE_SSH_CHANNEL_H
#define CSFTP_CORE_SSH_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A channel's number is its slot, and how often the slot was used before: so
 * numbers are small at first, and one that is gone is recognised.
 */
#define SSH_SLOT_BITS 10

enum ssh_channel_state {
	SSH_FREE,
	SSH_OPENING, /* we asked */
	SSH_ASKED,   /* the peer did; the owner has not answered */
	SSH_OPEN_NOW
};

/* What one side may still say on an open channel. */
enum ssh_says { SSH_SAYS_DATA, SSH_SAYS_EOF, SSH_SAYS_CLOSE };

/* A request of ours that the peer is to answer; more is not asked for. */
#define SSH_REQUESTS_MAX 64

struct ssh_channel {
	enum ssh_channel_state state;
	enum ssh_says ours;
	enum ssh_says theirs;
	uint32_t generation;
	uint32_t peer;
	uint32_t peer_window; /* what we may send */
	uint32_t peer_packet; /* at once */
	uint32_t window;      /* what the peer may send */
	uint32_t window_size; /* what it is filled up to */
	uint32_t held;	      /* data that the owner has not consumed */
	uint32_t due;	      /* replies to our requests */
	uint32_t used;	      /* of it, since it was last looked at */
	uint64_t adjust_ms;   /* that is when */
	bool adjust;	      /* WINDOW_ADJUST is to be sent */
};

/* The connection protocol's own state. */
struct ssh_conn {
	uint32_t pings; /* that wait for their answers */
	bool no_more_sessions;
	bool adjusts; /* one of the channels has one to send */
};

#endif
