#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/writebehind_impl.h"

/*
 * What files have before them, step by step, and how much of it is under way.
 */

/* A shorter piece is copied: who keeps its buffer would keep all of that. */
#define BY_REFERENCE (32U * 1024U)

/* How long a window is tried at least before it is judged. */
#define TRIAL_MS 8U

/* How long a window stays that a larger one was no better than. */
#define RETRY_MS 1000U

/* After so long the connection may be another one, or idle for others. */
#define IDLE_MS 1000U

/* A WRITE where others wait for its end. */
#define PIECE_SMALL (128U * 1024U)

/* Always worth it: a writer is not stopped while little is on its way. */
#define ROOM_LEAST (8U << 20)

static void payload_drop(struct wb_step *step)
{
	for (uint32_t i = 0; i < step->part_count; i++) {
		if (step->bufs[i])
			csftp_buf_drop(step->bufs[i]);
	}
	step->part_count = 0;
	step->room_used = 0;
}

static void ring_add(struct writebehind *wb, struct wb_file *file)
{
	if (file->ringed)
		return;
	file->ringed = true;
	file->ring = NULL;
	wb_file_pin(file);
	if (wb->ring)
		wb->ring_last->ring = file;
	else
		wb->ring = file;
	wb->ring_last = file;
	wb->ring_count++;
}

static struct wb_file *ring_take(struct writebehind *wb)
{
	struct wb_file *file = wb->ring;

	wb->ring = file->ring;
	wb->ring_count--;
	file->ringed = false;
	return file;
}

static struct wb_step *step_new(struct writebehind *wb)
{
	struct wb_step *step = wb->free;
	uint8_t *room;

	if (!step)
		return calloc(1, sizeof(*step));
	wb->free = step->next;
	room = step->room;
	*step = (struct wb_step){.room = room};
	return step;
}

static void step_free(struct writebehind *wb, struct wb_step *step)
{
	if (step == &step->handle->close)
		return;
	step->next = wb->free;
	wb->free = step;
}

struct wb_step *wb_step_add(struct writebehind *wb, struct wb_handle *handle,
			    enum csftp_op op)
{
	struct wb_file *file = handle->file;
	struct wb_step *step =
		op == CSFTP_OP_CLOSE ? &handle->close : step_new(wb);

	if (!step)
		return NULL;
	step->wb = wb;
	step->req.op = op;
	step->handle = handle;
	handle->pins++;
	if (file->last)
		file->last->next = step;
	else
		file->first = step;
	file->mixed =
		file->mixed || (file->last && file->last->handle != handle);
	wb->files_busy += !file->last;
	file->last = step;
	if (!file->unsent)
		file->unsent = step;
	wb->steps++;
	ring_add(wb, file);
	return step;
}

void wb_steps_release(struct writebehind *wb)
{
	while (wb->free) {
		struct wb_step *step = wb->free;

		wb->free = step->next;
		free(step->room);
		free(step);
	}
}

/*
 * The way
 */

static uint32_t small_piece(const struct writebehind *wb)
{
	return wb->piece < PIECE_SMALL ? wb->piece : PIECE_SMALL;
}

/* What goes there in a round trip; 0: it does not matter. */
static uint64_t bytes_of_way(const struct writebehind *wb, bool *asked)
{
	uint64_t trip = 0;
	uint64_t ago = UINT64_MAX;

	if (wb->config.trip_us)
		trip = wb->config.trip_us(wb->config.arg, &ago);
	*asked = way_is_asked(&wb->way, ago, wb_now(wb));
	return way_bytes(&wb->way, trip);
}

/* Where a WRITE takes longer than the way, who asks waits for that. */
static uint32_t piece_now(const struct writebehind *wb)
{
	bool asked;
	uint64_t way = bytes_of_way(wb, &asked);

	return asked && way > 0 && way < wb->piece ? small_piece(wb)
						   : wb->piece;
}

/*
 * Payload
 */

static bool in_pieces(const struct writebehind *wb)
{
	return wb->relay.under->traits & CSFTP_FS_PARTS;
}

/* Bytes into the step's own room, as a part of their own or of the last. */
static bool copy_part(const struct writebehind *wb, struct wb_step *step,
		      const void *data, uint32_t len)
{
	uint32_t last = step->part_count - 1;
	uint8_t *to;

	if (!step->room)
		step->room = malloc(wb->piece);
	if (!step->room)
		return false;
	to = step->room + step->room_used;
	memcpy(to, data, len);
	step->room_used += len;
	if (step->part_count > 0 && !step->bufs[last]) {
		step->parts[last].len += len;
		return true;
	}
	step->bufs[step->part_count] = NULL;
	step->parts[step->part_count++] = (struct csftp_slice){to, len};
	return true;
}

/* What is kept by reference becomes a copy, so that more can follow it. */
static bool make_copy(const struct writebehind *wb, struct wb_step *step)
{
	struct csftp_slice part = step->parts[0];
	struct csftp_buf *buf = step->bufs[0];

	if (!buf)
		return true;
	step->part_count = 0;
	if (!copy_part(wb, step, part.ptr, (uint32_t)part.len)) {
		step->part_count = 1;
		return false;
	}
	csftp_buf_drop(buf);
	return true;
}

static bool add_part(struct writebehind *wb, struct wb_step *step,
		     const void *data, uint32_t len, struct csftp_buf *buf)
{
	bool first = step->part_count == 0;
	bool ok = true;

	if (buf && len >= BY_REFERENCE && (first || in_pieces(wb))) {
		step->bufs[step->part_count] = csftp_buf_hold(buf);
		step->parts[step->part_count++] =
			(struct csftp_slice){data, len};
	} else {
		if (!first && !in_pieces(wb))
			ok = make_copy(wb, step);
		ok = ok && copy_part(wb, step, data, len);
	}
	if (!ok)
		return false;
	step->len += len;
	wb->counts.bytes += len;
	if (wb->counts.bytes > wb->counts.most)
		wb->counts.most = wb->counts.bytes;
	return true;
}

/* The last step of the file, if what is written there belongs to it. */
static struct wb_step *open_step(const struct writebehind *wb,
				 const struct wb_handle *handle, uint64_t off)
{
	struct wb_step *step = handle->file->last;

	if (!step || step->state != WB_QUEUED ||
	    step->req.op != CSFTP_OP_WRITE || step->handle != handle ||
	    step->req.off + step->len != off || step->len >= wb->fill ||
	    step->part_count == CSFTP_PARTS_MAX)
		return NULL;
	return step;
}

bool wb_take_payload(struct writebehind *wb, struct wb_handle *handle,
		     const struct csftp_req *up)
{
	const uint8_t *data = up->data;
	uint64_t left = up->len;
	uint64_t off = up->off;

	wb->fill = piece_now(wb);
	while (left > 0) {
		struct wb_step *step = open_step(wb, handle, off);
		uint32_t len;

		if (!step) {
			step = wb_step_add(wb, handle, CSFTP_OP_WRITE);
			if (!step)
				return false;
			step->req.off = off;
		}
		len = wb->fill - step->len;
		if (len > left)
			len = (uint32_t)left;
		/* An empty step is a WRITE of nothing: it does no harm. */
		if (!add_part(wb, step, data, len, up->buf))
			return false;
		data += len;
		off += len;
		left -= len;
	}
	return true;
}

bool wb_has_room(const struct writebehind *wb, uint64_t len)
{
	uint64_t max = wb->config.bytes_max;
	uint64_t useful = 4 * wb->window;

	/* More than keeps the connection busy would only cost memory. */
	if (useful < ROOM_LEAST)
		useful = ROOM_LEAST;
	if (useful < max && wb->config.durability != WRITEBEHIND_ASYNC)
		max = useful;
	if (wb->counts.bytes > 0 && (len > max || wb->counts.bytes > max - len))
		return false;
	return wb->steps == 0 || wb->steps < wb->steps_max;
}

/*
 * The window
 *
 * Twice the window brings twice the bytes in a time where it is waiting that
 * limits them, and no more where it is the wire or a processor.  So it is
 * tried, judged and, if it brought little, taken back.
 */

static void begin_trial(struct writebehind *wb, uint64_t now)
{
	wb->trial_ms = now;
	wb->trial_bytes = 0;
	wb->limited = false;
	wb->gave_way = false;
}

/* What may be under way, for who asks for something else. */
static uint64_t window_now(const struct writebehind *wb, uint32_t len)
{
	bool asked;
	uint64_t way = bytes_of_way(wb, &asked);
	uint64_t most;

	if (way == 0)
		return wb->window;
	if (len < small_piece(wb))
		len = small_piece(wb);
	/* The kernel's longest write is five pieces of OpenSSH's length. */
	most = way_most(way,
			asked ? 2 * (uint64_t)len : 5 * (uint64_t)wb->piece);
	return most < wb->window ? most : wb->window;
}

static void window_begin(struct writebehind *wb)
{
	uint64_t now = wb_now(wb);

	if (now - wb->idle_ms > IDLE_MS || wb->window == 0) {
		wb->window = wb->config.window_first;
		wb->settled_ms = 0;
		wb->probing = false;
		wb->ramp.least_ms = 0;
	}
	wb->stale_bytes = 0;
	way_begin(&wb->way, now);
	begin_trial(wb, now);
	ramp_begin(&wb->ramp, now);
}

static void probe(struct writebehind *wb, uint64_t rate, uint64_t now)
{
	wb->probing =
		wb->window * 2 <= ramp_most(&wb->ramp, wb->config.bytes_max);
	if (!wb->probing) {
		wb->settled_ms = now;
		return;
	}
	wb->best = rate;
	/* What comes in for so long was sent by the old window. */
	wb->stale_bytes = wb->window;
	wb->window *= 2;
}

static void judge(struct writebehind *wb, uint64_t rate, uint64_t now)
{
	if (!wb->probing) {
		if (wb->settled_ms == 0 || now - wb->settled_ms > RETRY_MS)
			probe(wb, rate, now);
	} else if (rate > wb->best + wb->best / 4) {
		probe(wb, rate, now);
	} else {
		wb->window /= 2;
		wb->probing = false;
		wb->settled_ms = now;
	}
}

/* True: the way has room for more, as far as can be seen. */
static bool ramp_up(struct writebehind *wb, const struct wb_step *step)
{
	uint64_t now = wb_now(wb);
	uint64_t rate;

	ramp_answer(&wb->ramp, step->sent.ms, now);
	rate = ramp_count(&wb->ramp, step->len, wb->window, now);
	if (rate == 0)
		return false;
	probe(wb, rate, now);
	begin_trial(wb, now);
	return true;
}

/* So many bytes are done: how long did a window's worth take? */
static void window_count(struct writebehind *wb, uint32_t len)
{
	uint64_t now, rate;

	if (wb->stale_bytes > len) {
		wb->stale_bytes -= len;
		return;
	}
	if (wb->stale_bytes > 0) {
		wb->stale_bytes = 0;
		begin_trial(wb, wb_now(wb));
		return;
	}
	wb->trial_bytes += len;
	if (wb->trial_bytes < (wb->gave_way ? wb->share : wb->window))
		return;
	now = wb_now(wb);
	if (now - wb->trial_ms < TRIAL_MS)
		return;
	rate = wb->trial_bytes * 1000 / (now - wb->trial_ms);
	if (wb->limited)
		way_held(&wb->way, rate);
	/* What is less than the window says nothing about it. */
	if (wb->limited && !wb->gave_way)
		judge(wb, rate, now);
	begin_trial(wb, now);
}

/*
 * The way of a step
 */

/* EOPNOTSUPP of a FLUSH would say that there was nothing to flush. */
static int late_err(const struct wb_step *step)
{
	if (step->err != EOPNOTSUPP)
		return step->err;
	return step->req.op == CSFTP_OP_SETATTR ? EPERM : EIO;
}

/*
 * Tells who asked for the step, or somebody, of the first error.  Steps end in
 * their order: so who waits for his own is not told of one that comes later.
 */
static void step_finish(struct writebehind *wb, struct wb_step *step)
{
	struct wb_handle *handle = step->handle;
	struct csftp_req *asked = step->asked;
	bool ends = step->req.op == CSFTP_OP_CLOSE;
	int err = 0;

	if (!handle->err)
		handle->err = asked || ends ? step->err : late_err(step);
	if (asked || ends)
		err = wb_take_err(handle);
	if (ends && !asked && err && wb->config.lost)
		wb->config.lost(wb->config.arg, handle->file->path, err);
	step_free(wb, step);
	wb_handle_unpin(wb, handle);
	if (asked)
		csftp_reply_err(asked, err);
}

static void retire(struct writebehind *wb, struct wb_file *file)
{
	wb_file_pin(file);
	while (file->first && file->first->state == WB_DONE) {
		struct wb_step *step = file->first;

		file->first = step->next;
		wb->steps--;
		if (!file->first) {
			file->last = NULL;
			file->mixed = false;
			file->end = 0;
			file->set.mask = 0;
			file->known = file->known && file->creator;
			file->sure_ms = wb_now(wb);
			wb->files_busy--;
		}
		step_finish(wb, step);
	}
	wb_file_unpin(wb, file);
}

static void write_done(struct writebehind *wb, struct wb_step *step)
{
	struct wb_file *file = step->handle->file;
	uint64_t end = step->req.off + step->len;

	wb->flying_bytes -= step->len;
	wb->counts.bytes -= step->len;
	/* How soon it failed says nothing of the way. */
	if (!step->err)
		way_answer(&wb->way, step->len, step->sent, wb_now(wb));
	if (step->err || !ramp_up(wb, step))
		window_count(wb, step->len);
	payload_drop(step);
	if (!step->err && !(step->handle->flags & CSFTP_OPEN_APPEND) &&
	    end > file->floor)
		file->floor = end;
}

static void step_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct wb_step *step = (struct wb_step *)req;
	struct writebehind *wb = step->wb;
	struct wb_file *file = step->handle->file;

	step->state = WB_DONE;
	step->err = reply->err;
	file->flying--;
	if (--wb->flying == 0)
		wb->idle_ms = wb_now(wb);
	if (req->op == CSFTP_OP_OPEN)
		wb_opened(wb, step, reply);
	/* An FSYNC of our own goes as far as the server can. */
	if (req->op == CSFTP_OP_FSYNC && !step->asked &&
	    step->err == EOPNOTSUPP)
		step->err = 0;
	if (req->op == CSFTP_OP_WRITE)
		write_done(wb, step);
	if (step->err)
		file->known = false;
	wb_file_pin(file);
	retire(wb, file);
	wb_file_unpin(wb, file);
	wb_release(wb);
	wb_pump(wb);
}

/* What is not full waits for more, but not if it would be alone or last. */
static bool wants_company(const struct writebehind *wb,
			  const struct wb_step *step)
{
	const struct wb_file *file = step->handle->file;

	if (step->next || file->holds > 0 || wb->barriers > 0 ||
	    file->flying == 0)
		return false;
	return step->req.op == CSFTP_OP_SETATTR ||
	       (step->req.op == CSFTP_OP_WRITE && step->len < wb->fill);
}

/* Whether it matters that one step is done before another, of its file. */
static bool goes_first(const struct wb_step *a, const struct wb_step *b)
{
	if (a->req.op != CSFTP_OP_WRITE && a->req.op != CSFTP_OP_SETATTR)
		return false;
	if (a->req.op == CSFTP_OP_WRITE && b->req.op == CSFTP_OP_WRITE)
		return a->req.off < b->req.off + b->len &&
		       b->req.off < a->req.off + a->len;
	return b->req.op != CSFTP_OP_CLOSE && b->req.op != CSFTP_OP_FLUSH;
}

/* Below, only what is about one handle stays in its order. */
static bool could_overtake(const struct wb_step *step)
{
	const struct wb_file *file = step->handle->file;
	const struct wb_step *other = file->mixed ? file->first : step;

	while (other != step &&
	       (other->state != WB_FLYING || other->handle == step->handle ||
		!goes_first(other, step)))
		other = other->next;
	return other != step;
}

static bool may_go(struct writebehind *wb, const struct wb_step *step)
{
	uint64_t window;

	if (step->handle->file->opening)
		return step->req.op == CSFTP_OP_OPEN;
	if (step->handle->dead)
		return true;
	if (wants_company(wb, step) || could_overtake(step))
		return false;
	if (step->req.op != CSFTP_OP_WRITE)
		return true;
	if (wb->flying == 0)
		window_begin(wb);
	window = wb->flying_bytes > 0 ? window_now(wb, step->len) : wb->window;
	if (wb->flying_bytes > 0 && wb->flying_bytes + step->len > window) {
		wb->limited = true;
		wb->ramp.limited = window == wb->window;
		wb->gave_way = wb->gave_way || window < wb->window;
		wb->share = window;
		return false;
	}
	return wb->flying < WB_FLYING_MAX;
}

static void say_write(struct writebehind *wb, struct wb_step *step)
{
	step->req.len = step->len;
	if (step->part_count > 1) {
		step->req.parts = step->parts;
		step->req.part_count = step->part_count;
	} else {
		step->req.data = step->parts[0].ptr;
	}
	step->sent = way_mark(&wb->way, wb_now(wb));
	wb->flying_bytes += step->len;
	wb->counts.writes++;
}

/* Its file could not be made: somebody is told of that, and once. */
static void step_drop(struct writebehind *wb, struct wb_step *step)
{
	if (step->req.op == CSFTP_OP_WRITE) {
		wb->counts.bytes -= step->len;
		payload_drop(step);
	}
	step->err = step->asked ? step->handle->dead : 0;
}

static void step_send(struct writebehind *wb, struct wb_step *step)
{
	struct wb_file *file = step->handle->file;
	bool dead = step->handle->dead != 0;

	file->unsent = step->next;
	if (dead)
		step_drop(wb, step);
	if (dead || step->req.op == CSFTP_OP_FLUSH) {
		step->state = WB_DONE;
		retire(wb, file);
		wb_release(wb);
		return;
	}
	if (step->req.op == CSFTP_OP_WRITE)
		say_write(wb, step);
	step->state = WB_FLYING;
	step->req.done = step_done;
	step->req.fh = step->handle->fh;
	step->req.attr = step->attr.mask ? &step->attr : NULL;
	wb->flying++;
	file->flying++;
	csftp_submit(wb->relay.under, &step->req);
}

/* The files take turns, so that a small one does not wait for a large one. */
static struct wb_step *next_step(struct writebehind *wb)
{
	for (uint32_t n = wb->ring_count; n > 0; n--) {
		struct wb_file *file = ring_take(wb);
		struct wb_step *step = file->unsent;

		if (step)
			ring_add(wb, file);
		wb_file_unpin(wb, file);
		if (step && may_go(wb, step))
			return step;
	}
	return NULL;
}

void wb_pump(struct writebehind *wb)
{
	struct wb_step *step;

	if (wb->pumping)
		return;
	wb->pumping = true;
	step = next_step(wb);
	while (step) {
		step_send(wb, step);
		step = next_step(wb);
	}
	wb->pumping = false;
}
