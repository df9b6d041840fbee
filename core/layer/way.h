/* How much may be under way, so that who asks does not wait for long. */
#ifndef CSFTP_CORE_LAYER_WAY_H
#define CSFTP_CORE_LAYER_WAY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A server works on what has come to it in order.  So a question that comes
 * while content is moved waits for all of that which is under way.  It should
 * wait for no more than twice the way there and back, and one packet: therefore
 * no more is to be under way than one and a half times what goes there in a
 * round trip, which lets it come to more, and the few pieces that keep both
 * ends busy.
 *
 * The rate is seen by each piece: how much was done while it was under way.
 * What goes there in a round trip is known after one, then, however long the
 * way stood still before.  The most of late counts.
 */
struct way {
	uint64_t done;	  /* bytes, ever */
	uint64_t peak;	  /* bytes per second */
	uint64_t last_ms; /* something was done */
	uint64_t busy_ms; /* the first set out, with no pause since */
};

/* What a piece remembers of its start. */
struct way_mark {
	uint64_t done;
	uint64_t ms;
};

/* A piece is about to set out, and nothing else is under way. */
void way_begin(struct way *way, uint64_t now_ms);

struct way_mark way_mark(const struct way *way, uint64_t now_ms);

/* So many bytes are done that set out then. */
void way_answer(struct way *way, uint64_t len, struct way_mark mark,
		uint64_t now_ms);

/* Something wanted more for a while, and that was the rate, in a second. */
void way_held(struct way *way, uint64_t rate);

/* What goes there in a round trip; 0: it does not matter, or is not known. */
uint64_t way_bytes(const struct way *way, uint64_t trip_us);

/*
 * Whether somebody asks these days, who has asked last so long ago: content was
 * being moved then, as whoever moves it asks for its name before.
 */
bool way_is_asked(const struct way *way, uint64_t ago_ms, uint64_t now_ms);

/* ... and what may be under way then, if both ends need so much to be busy. */
uint64_t way_most(uint64_t bytes, uint64_t busy);

#endif
