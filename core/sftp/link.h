/* The inside of a link: packets in, packets out (filexfer-02, section 3). */
#ifndef CSFTP_CORE_SFTP_LINK_H
#define CSFTP_CORE_SFTP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"
#include "csftp/link.h"

/*
 * Input is one linear buffer.  A packet is handed over where it stands, whole,
 * without its length.  Nothing moves while pins is above zero: an engine that
 * keeps pointers into packets counts them there.
 *
 * But the payload of an answer to READ may go aside: right to where who asked
 * wants it.  The last bytes of the input are the packet's head then.
 *
 * Output is a linear buffer of the link's own bytes, and a ring of segments:
 * some own bytes, then optionally a payload that stays where it is.  A payload
 * must stay in place until ops->sent is called with its tag.  Instead of a
 * payload, bytes may follow that stand in a pipe, which the link does not know.
 */
struct link_seg {
	size_t own;		 /* bytes of the out buffer, left to send */
	struct wire_bytes extra; /* the payload behind them, left to send */
	size_t piped;		 /* or so many bytes of the pipe */
	uint32_t tag;
};

enum link_take {
	LINK_TAKEN, /* the packet is done with, or pinned */
	LINK_LATER, /* no room for it now: link_run() offers it again */
	LINK_BROKEN /* link_fail() was called */
};

/* uint32 length, byte type, uint32 id, uint32 length of the data. */
#define LINK_ASIDE_HEAD 13U

/* What is on its way past the buffer. */
struct link_aside {
	bool open;
	uint8_t *payload; /* NULL: nobody wants it any more */
	size_t len;
	size_t got;
};

struct link_ops {
	enum link_take (*packet)(struct csftp_link *link, uint8_t *body,
				 size_t len);
	/*
	 * Where the len bytes of data go that stand behind this head: type, id
	 * and length.  It is not verified yet, so nothing is done but to look.
	 * NULL: to the buffer.  May be NULL itself.
	 */
	uint8_t *(*aside)(struct csftp_link *link, const uint8_t *head,
			  size_t len);
	/* They are all there; as packet() then.  payload may be NULL. */
	void (*beside)(struct csftp_link *link, const uint8_t *head,
		       const uint8_t *payload, size_t len);
	void (*sent)(struct csftp_link *link, uint32_t tag); /* may be NULL */
	void (*closed)(struct csftp_link *link);  /* after the first error */
	void (*drained)(struct csftp_link *link); /* out has more room */
	/* A piece of the work that was announced; NULL where there is none. */
	void (*work)(struct csftp_link *link);
	/*
	 * Of an engine with borrowed buffers, when it has done what there was
	 * to do: whether no output is owed, so that its buffer may go.
	 */
	bool (*settled)(struct csftp_link *link);
};

/*
 * Where buffers come from: each as large as the larger of the two.  The input
 * is borrowed to read to, and back when nothing is in it; the output is
 * borrowed by link_borrow_out(), before a request that wants an answer, and
 * back when there is none and none is owed.  get NULL: the link has its own.
 */
struct link_lender {
	void *(*get)(void *arg);
	void (*put)(void *arg, void *buf);
	void *arg;
};

/* An engine embeds it as its first member. */
struct csftp_link {
	const struct link_ops *ops;
	enum csftp_err err;
	bool running; /* link_run() is on the stack */
	bool stalled; /* a whole packet waits for the engine */
	bool work;    /* ops->work is to be called; it may set this again */
	uint32_t pins;
	bool starved; /* the lender had no buffer */
	bool own_segs;
	struct link_lender lender;

	uint8_t *in;
	size_t in_cap;
	size_t in_head;
	size_t in_tail;
	size_t packet_max; /* without the length field */
	struct link_aside aside;
	size_t placed; /* bytes that are there, but not good yet */

	uint8_t *out;
	size_t out_cap;
	size_t out_head;
	size_t out_tail;
	struct link_seg *segs;
	uint32_t seg_cap;
	uint32_t seg_head;
	uint32_t seg_count;
	size_t piped; /* of all segments */
};

/* Allocates the buffers.  CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err link_init(struct csftp_link *link,
					  size_t in_cap, size_t packet_max,
					  size_t out_cap, uint32_t seg_cap);
void link_release(struct csftp_link *link);

/* Allocates nothing: segs are seg_cap of the engine's. */
void link_init_lent(struct csftp_link *link, const struct link_lender *lender,
		    struct link_seg *segs, uint32_t seg_cap);
void link_set_sizes(struct csftp_link *link, size_t in_cap, size_t packet_max,
		    size_t out_cap);

/* False: there is none now; it is starved, and link_run() tries again. */
CSFTP_MUST_CHECK bool link_borrow_out(struct csftp_link *link);

/* Offers the packets that are there; does nothing when called from inside. */
void link_run(struct csftp_link *link);

/* Who wanted what goes aside has gone: the rest of it goes nowhere. */
void link_forget_aside(struct csftp_link *link);

/* The first error ends the input and calls ops->closed; others do nothing. */
void link_fail(struct csftp_link *link, enum csftp_err why);

/*
 * A writer with room for len bytes of output, or with an error if they do not
 * fit now; link_put() sends what was written, which no other output may
 * precede.  link_room() is what fits without moving much.
 */
struct wire_wr link_writer(struct csftp_link *link, size_t len);
void link_put(struct csftp_link *link, const struct wire_wr *wr);
size_t link_room(const struct csftp_link *link);

/*
 * As link_put(), with a payload behind, and link_put_more() with more of it.
 * Each needs a free segment.
 */
void link_put_extra(struct csftp_link *link, const struct wire_wr *wr,
		    const void *extra, size_t len, uint32_t tag);
void link_put_more(struct csftp_link *link, const void *extra, size_t len,
		   uint32_t tag);
uint32_t link_free_segs(const struct csftp_link *link);

/* As link_put(), with the next len bytes of the pipe behind. */
void link_put_piped(struct csftp_link *link, const struct wire_wr *wr,
		    size_t len);

#endif
