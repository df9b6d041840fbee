#include "core/sftp/link.h"

#include <stdlib.h>
#include <string.h>

/* As much unsent output is moved to make room; more is waited for. */
#define MOVE_MAX 16384

/*
 * Above this, a packet's missing rest is read alone, so that the next packet
 * starts at the front of the buffer and nothing has to be moved.
 */
#define REST_ALONE 16384

/* Less data is as cheap to copy as to be looked for. */
#define ASIDE_MIN 16384

void link_set_sizes(struct csftp_link *link, size_t in_cap, size_t packet_max,
		    size_t out_cap)
{
	link->in_cap = in_cap;
	link->packet_max = packet_max;
	link->out_cap = out_cap;
}

enum csftp_err link_init(struct csftp_link *link, size_t in_cap,
			 size_t packet_max, size_t out_cap, uint32_t seg_cap)
{
	link->in = malloc(in_cap);
	link->out = malloc(out_cap);
	link->segs = calloc(seg_cap, sizeof(*link->segs));
	link->own_segs = true;
	link->seg_cap = seg_cap;
	link_set_sizes(link, in_cap, packet_max, out_cap);
	if (link->in && link->out && link->segs)
		return CSFTP_OK;
	link_release(link);
	return CSFTP_ERR_NOMEM;
}

void link_init_lent(struct csftp_link *link, const struct link_lender *lender,
		    struct link_seg *segs, uint32_t seg_cap)
{
	link->lender = *lender;
	link->segs = segs;
	link->seg_cap = seg_cap;
}

static uint8_t *borrow(struct csftp_link *link)
{
	uint8_t *buf =
		link->lender.get ? link->lender.get(link->lender.arg) : NULL;

	if (!buf)
		link->starved = true;
	return buf;
}

static void give_back(struct csftp_link *link, uint8_t **buf)
{
	if (*buf && link->lender.put)
		link->lender.put(link->lender.arg, *buf);
	else
		free(*buf);
	*buf = NULL;
}

bool link_borrow_out(struct csftp_link *link)
{
	if (!link->out)
		link->out = borrow(link);
	return link->out != NULL;
}

/* Nothing to do: what is empty goes back to who has lent it. */
static void settle(struct csftp_link *link)
{
	if (!link->lender.get || link->running)
		return;
	if (link->in_head == link->in_tail && link->pins == 0) {
		give_back(link, &link->in);
		link->in_head = link->in_tail = 0;
	}
	if (link->ops->settled(link) && link->seg_count == 0)
		give_back(link, &link->out);
}

void link_release(struct csftp_link *link)
{
	give_back(link, &link->in);
	give_back(link, &link->out);
	if (link->own_segs)
		free(link->segs);
	link->segs = NULL;
}

void link_fail(struct csftp_link *link, enum csftp_err why)
{
	if (link->err != CSFTP_OK)
		return;
	link->err = why;
	link->aside.payload = NULL;
	link->ops->closed(link);
}

void link_forget_aside(struct csftp_link *link)
{
	link->aside.payload = NULL;
}

/* The length of the first packet with its length field; 0: not known yet. */
static size_t first_packet(const struct csftp_link *link)
{
	if (link->in_tail - link->in_head < 4)
		return 0;
	return 4 + (size_t)wire_get_u32(link->in + link->in_head);
}

/* Whether a whole packet stands at the head of the buffer. */
static bool packet_ready(struct csftp_link *link)
{
	size_t whole = first_packet(link);

	if (whole == 0)
		return false;
	if (whole == 4 || whole - 4 > link->packet_max) {
		link_fail(link, CSFTP_ERR_TOO_LONG);
		return false;
	}
	return whole <= link->in_tail - link->in_head;
}

/*
 * Lets the payload of the packet whose head stands at the head of the buffer go
 * aside, with what has come of it already.
 */
static void begin_aside(struct csftp_link *link)
{
	const uint8_t *head = link->in + link->in_head;
	size_t have = link->in_tail - link->in_head;
	size_t len, got;
	uint8_t *to;

	if (!link->ops->aside || link->aside.open || have < LINK_ASIDE_HEAD)
		return;
	len = wire_get_u32(head + 9);
	got = have - LINK_ASIDE_HEAD;
	if (got >= len || len - got < ASIDE_MIN || len > link->packet_max ||
	    first_packet(link) != LINK_ASIDE_HEAD + len)
		return;
	to = link->ops->aside(link, head + 4, len);
	if (!to)
		return;
	if (got > 0)
		memcpy(to, head + LINK_ASIDE_HEAD, got);
	link->in_tail -= got;
	link->aside = (struct link_aside){
		.open = true, .payload = to, .len = len, .got = got};
}

static void end_aside(struct csftp_link *link)
{
	struct link_aside aside = link->aside;
	const uint8_t *head = link->in + link->in_head + 4;

	if (!aside.open || aside.got < aside.len)
		return;
	link->aside.open = false;
	link->ops->beside(link, head, aside.payload, aside.len);
	link->in_head += LINK_ASIDE_HEAD;
}

void link_run(struct csftp_link *link)
{
	if (link->running || link->placed > 0)
		return;
	link->running = true;
	link->stalled = false;
	link->starved = false;
	if (link->err == CSFTP_OK)
		end_aside(link);
	while (link->err == CSFTP_OK && !link->aside.open &&
	       packet_ready(link)) {
		size_t whole = first_packet(link);
		uint8_t *body = link->in + link->in_head + 4;
		enum link_take took = link->ops->packet(link, body, whole - 4);

		if (took != LINK_TAKEN) {
			link->stalled = took == LINK_LATER;
			break;
		}
		link->in_head += whole;
	}
	if (link->err == CSFTP_OK && !link->stalled)
		begin_aside(link);
	link->running = false;
}

/* Makes what is free one piece at the end, where that is possible and pays. */
static void close_up(struct csftp_link *link)
{
	size_t left = link->in_tail - link->in_head;
	size_t whole = first_packet(link);

	if (link->pins > 0 || link->in_head == 0)
		return;
	if (left > 0 && whole > 0 && whole <= link->in_cap - link->in_head)
		return;
	if (left > 0)
		memmove(link->in, link->in + link->in_head, left);
	link->in_head = 0;
	link->in_tail = left;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t in_room(const struct csftp_link *link)
{
	size_t whole = first_packet(link);
	size_t have = link->in_tail - link->in_head;
	size_t room = link->in_cap - link->in_tail;

	if (link->err != CSFTP_OK || link->stalled)
		return 0;
	if (whole > have && whole - have >= REST_ALONE && whole - have < room)
		return whole - have;
	return room;
}

/* What nobody wants is read to behind the head. */
static uint8_t *aside_room(struct csftp_link *link, size_t *room)
{
	const struct link_aside *aside = &link->aside;

	*room = aside->len - aside->got;
	if (aside->payload)
		return aside->payload + aside->got;
	memmove(link->in, link->in + link->in_head, LINK_ASIDE_HEAD);
	link->in_head = 0;
	link->in_tail = LINK_ASIDE_HEAD;
	*room = smaller(*room, link->in_cap - link->in_tail);
	return link->in + link->in_tail;
}

static uint8_t *next_room(struct csftp_link *link, size_t *room)
{
	if (link->aside.open && link->err == CSFTP_OK)
		return aside_room(link, room);
	close_up(link);
	*room = in_room(link);
	if (*room > 0 && !link->in)
		link->in = borrow(link);
	if (!link->in)
		*room = 0;
	return link->in ? link->in + link->in_tail : NULL;
}

uint8_t *csftp_link_in(struct csftp_link *link, size_t *room)
{
	*room = 0;
	return link->placed > 0 ? NULL : next_room(link, room);
}

static void take_in(struct csftp_link *link, size_t len)
{
	if (link->aside.open)
		link->aside.got += len;
	else
		link->in_tail += len;
}

/* The first packet is there, though it may be anything. */
static bool seems_whole(const struct csftp_link *link)
{
	size_t whole = first_packet(link);

	return whole > 0 && whole <= link->in_tail - link->in_head;
}

/*
 * The rest of one packet, and before it perhaps a head, to see where it is to
 * go.  What is behind it waits: it may go where this one has been.
 */
uint8_t *csftp_link_place(struct csftp_link *link, size_t left, size_t *room)
{
	size_t have;
	uint8_t *to;

	*room = 0;
	if (link->err != CSFTP_OK || link->running || link->stalled)
		return NULL;
	if (link->placed > 0)
		begin_aside(link);
	if (link->placed > 0 && !link->aside.open && seems_whole(link))
		return NULL;
	to = next_room(link, room);
	have = link->in_tail - link->in_head;
	if (link->ops->aside && !link->aside.open)
		*room = smaller(*room, have < LINK_ASIDE_HEAD
					       ? LINK_ASIDE_HEAD - have
					       : 0);
	*room = smaller(*room, left);
	if (*room == 0)
		return NULL;
	take_in(link, *room);
	link->placed += *room;
	return to;
}

/* What csftp_link_in() has given. */
static bool fits(const struct csftp_link *link, size_t len)
{
	const struct link_aside *aside = &link->aside;

	if (len == 0)
		return true;
	if (!link->in)
		return false;
	if (aside->open && len > aside->len - aside->got)
		return false;
	return (aside->open && aside->payload) ||
	       len <= link->in_cap - link->in_tail;
}

enum csftp_err csftp_link_in_ack(struct csftp_link *link, size_t len)
{
	if (link->err != CSFTP_OK)
		return link->err;
	if (link->placed > 0 ? len != link->placed : !fits(link, len))
		return CSFTP_ERR_ARG;
	if (link->placed == 0)
		take_in(link, len);
	link->placed = 0;
	link_run(link);
	settle(link);
	return link->err;
}

unsigned csftp_link_wants(const struct csftp_link *link)
{
	unsigned wants = 0;
	bool movable = link->pins == 0 && link->in_head > 0;

	if (link->err == CSFTP_OK && !link->stalled &&
	    (movable || link->in_tail < link->in_cap))
		wants |= CSFTP_WANT_IN;
	if (link->seg_count > 0)
		wants |= CSFTP_WANT_OUT;
	if (link->work && link->err == CSFTP_OK)
		wants |= CSFTP_WANT_WORK;
	return wants;
}

enum csftp_err csftp_link_work(struct csftp_link *link)
{
	if (link->work && link->err == CSFTP_OK) {
		link->work = false;
		link->ops->work(link);
		link_run(link);
		settle(link);
	}
	return link->err;
}

static struct link_seg *seg_at(const struct csftp_link *link, uint32_t i)
{
	return &link->segs[(link->seg_head + i) % link->seg_cap];
}

size_t csftp_link_out(const struct csftp_link *link, struct csftp_slice *slice,
		      size_t max)
{
	const uint8_t *own = link->out + link->out_head;
	size_t n = 0;

	for (uint32_t i = 0; i < link->seg_count; i++) {
		const struct link_seg *seg = seg_at(link, i);

		if (seg->own > 0 && n < max)
			slice[n++] = (struct csftp_slice){own, seg->own};
		own += seg->own;
		if (seg->extra.len > 0 && n < max)
			slice[n++] = (struct csftp_slice){seg->extra.ptr,
							  seg->extra.len};
		if (seg->piped > 0 && n < max)
			slice[n++] = (struct csftp_slice){NULL, seg->piped};
		if (n == max)
			break;
	}
	return n;
}

/* Takes up to len bytes off the first segment; returns how many. */
static size_t seg_take(struct csftp_link *link, size_t len)
{
	struct link_seg *seg = seg_at(link, 0);
	size_t own = smaller(len, seg->own);
	size_t extra = smaller(len - own, seg->extra.len);
	size_t piped = smaller(len - own - extra, seg->piped);

	seg->own -= own;
	link->out_head += own;
	if (extra > 0) {
		seg->extra.ptr += extra;
		seg->extra.len -= extra;
	}
	seg->piped -= piped;
	link->piped -= piped;
	return own + extra + piped;
}

static void seg_finish(struct csftp_link *link)
{
	struct link_seg done = *seg_at(link, 0);

	link->seg_head = (link->seg_head + 1) % link->seg_cap;
	link->seg_count--;
	if (done.extra.ptr && link->ops->sent)
		link->ops->sent(link, done.tag);
}

enum csftp_err csftp_link_out_ack(struct csftp_link *link, size_t len)
{
	while (len > 0 && link->seg_count > 0) {
		const struct link_seg *seg = seg_at(link, 0);

		len -= seg_take(link, len);
		if (seg->own == 0 && seg->extra.len == 0 && seg->piped == 0)
			seg_finish(link);
	}
	if (len > 0 && link->err == CSFTP_OK)
		return CSFTP_ERR_ARG;
	if (link->seg_count == 0) {
		link->out_head = 0;
		link->out_tail = 0;
	}
	link->ops->drained(link);
	link_run(link);
	settle(link);
	return link->err;
}

size_t link_room(const struct csftp_link *link)
{
	size_t used = link->out_tail - link->out_head;

	return link->out_cap - (used > MOVE_MAX ? link->out_tail : used);
}

struct wire_wr link_writer(struct csftp_link *link, size_t len)
{
	size_t used = link->out_tail - link->out_head;

	if (len > link->out_cap - used)
		return (struct wire_wr){.err = CSFTP_ERR_NO_ROOM};
	if (len > link->out_cap - link->out_tail) {
		memmove(link->out, link->out + link->out_head, used);
		link->out_head = 0;
		link->out_tail = used;
	}
	return (struct wire_wr){.base = link->out + link->out_tail, .cap = len};
}

uint32_t link_free_segs(const struct csftp_link *link)
{
	return link->seg_cap - link->seg_count;
}

/* Own bytes join the last segment while nothing stands behind it. */
static struct link_seg *seg_for_own(struct csftp_link *link)
{
	struct link_seg *seg;

	if (link->seg_count > 0) {
		seg = seg_at(link, link->seg_count - 1);
		if (!seg->extra.ptr && seg->piped == 0)
			return seg;
	}
	seg = seg_at(link, link->seg_count++);
	*seg = (struct link_seg){.own = 0};
	return seg;
}

void link_put(struct csftp_link *link, const struct wire_wr *wr)
{
	seg_for_own(link)->own += wr->len;
	link->out_tail += wr->len;
}

void link_put_extra(struct csftp_link *link, const struct wire_wr *wr,
		    const void *extra, size_t len, uint32_t tag)
{
	struct link_seg *seg = seg_for_own(link);

	seg->own += wr->len;
	link->out_tail += wr->len;
	seg->extra = (struct wire_bytes){extra, len};
	seg->tag = tag;
}

void link_put_more(struct csftp_link *link, const void *extra, size_t len,
		   uint32_t tag)
{
	struct link_seg *seg = seg_at(link, link->seg_count++);

	*seg = (struct link_seg){.extra = {extra, len}, .tag = tag};
}

void link_put_piped(struct csftp_link *link, const struct wire_wr *wr,
		    size_t len)
{
	struct link_seg *seg = seg_for_own(link);

	seg->own += wr->len;
	link->out_tail += wr->len;
	seg->piped = len;
	link->piped += len;
}

void csftp_link_close(struct csftp_link *link, enum csftp_err why)
{
	link_fail(link, why == CSFTP_OK ? CSFTP_ERR_EOF : why);
}

bool csftp_link_starved(const struct csftp_link *link)
{
	return link->starved && link->err == CSFTP_OK;
}

enum csftp_err csftp_link_error(const struct csftp_link *link)
{
	return link->err;
}
