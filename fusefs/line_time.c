#include <errno.h>

#include "fusefs/line_impl.h"

#define SILENT_MS  5000U /* then the server is asked */
#define LATE_MS	   1000U /* a look so much behind its time was held up */
#define SLOW_TIMES 12U	 /* as long for what takes its time */

static void sooner(uint64_t *next, uint64_t at)
{
	if (at && (!*next || at < *next))
		*next = at;
}

static void pinged(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* that there is one is all */
	((struct ping *)req)->out = false;
}

static void send_ping(struct line *line)
{
	line->ping.out = true;
	line->ping.at_ms = line->now_ms;
	line->ping.req = (struct csftp_req){
		.op = CSFTP_OP_REALPATH,
		.done = pinged,
		.path = ".",
	};
	csftp_submit(csftp_remote_fs(line->remote), &line->ping.req);
}

/* Whether the machine has, since the last look. */
static bool has_slept(struct line *line)
{
	uint64_t asleep =
		line_clock_ms(CLOCK_BOOTTIME) - line_clock_ms(CLOCK_MONOTONIC);
	bool slept = asleep > line->asleep_ms + SILENT_MS;

	line->asleep_ms = asleep;
	return slept;
}

/* After a sleep there may be nobody any more who would say so. */
static void notice_sleep(struct line *line)
{
	if (has_slept(line) && line->heard_ms > SILENT_MS)
		line->heard_ms -= SILENT_MS;
}

/*
 * Who was not run in time, as it was stopped, has not listened: what the server
 * said meanwhile may be there to be read.
 */
static void notice_stop(struct line *line)
{
	if (line->alive_ms && line->now_ms > line->alive_ms + LATE_MS)
		line->heard_ms = line->now_ms;
	line->alive_ms = 0;
}

static uint64_t look_again(struct line *line, uint64_t at_ms)
{
	line->alive_ms = at_ms;
	return at_ms;
}

static uint64_t patience(const struct line *line)
{
	return line->patience_ms *
	       (survive_slow(line->survive) > 0 ? SLOW_TIMES : 1);
}

static uint64_t tick_alive(struct line *line)
{
	uint64_t from;

	notice_stop(line);
	if (csftp_remote_pending(line->remote) == 0) {
		line->heard_ms = line->now_ms;
		return 0;
	}
	notice_sleep(line);
	if (!line->ping.out) {
		if (line->now_ms < line->heard_ms + SILENT_MS)
			return look_again(line, line->heard_ms + SILENT_MS);
		send_ping(line);
	}
	from = line->heard_ms > line->ping.at_ms ? line->heard_ms
						 : line->ping.at_ms;
	if (line->now_ms < from + patience(line))
		return look_again(line, from + patience(line));
	line->silent = true;
	errno = ETIMEDOUT;
	line_lose(line, CSFTP_ERR_IO);
	return 0;
}

static uint64_t tick_stream(struct line *line)
{
	uint64_t next = 0;
	enum csftp_err err = csftp_stream_tick(&line->stream, line_link(line),
					       line->now_ms, &next);

	if (err)
		line_lose(line, err);
	return line->remote ? next : 0;
}

static void say_stale(struct line *line)
{
	uint32_t stale = survive_stale(line->survive) - line->stale;

	if (stale > 0)
		line_say(line, "%u open files could not be found again", stale);
	line->stale += stale;
}

static uint64_t tick_up(struct line *line)
{
	uint64_t next = tick_stream(line);

	if (line->state != LINE_UP)
		return 0;
	sooner(&next, csftp_remote_tick(line->remote, line->now_ms));
	if (line->state == LINE_UP)
		sooner(&next, tick_alive(line));
	if (line->state == LINE_UP && survive_is_up(line->survive))
		say_stale(line);
	return next;
}

static uint64_t tick_greeting(struct line *line)
{
	uint64_t next = tick_stream(line);

	if (line->state != LINE_GREETING)
		return 0;
	if (line->ready) {
		line_come_up(line);
		return 0;
	}
	if (line->now_ms >= line->greeting_ms) {
		errno = ETIMEDOUT;
		line_lose(line, CSFTP_ERR_IO);
		return 0;
	}
	sooner(&next, line->greeting_ms);
	return next;
}

void line_paused(struct line *line, uint64_t ms)
{
	line->greeting_ms += ms;
	survive_paused(line->survive, ms);
}

uint64_t line_tick(struct line *line, uint64_t now_ms)
{
	bool waited = line_wants_out(line);
	uint64_t next = 0;

	line->now_ms = now_ms;
	if (line->delayed && survive_waiting(line->survive) > 0) {
		line->delayed = false;
		line->try_ms = now_ms;
	}
	/* The network has another chance, and somebody is there again. */
	if (line->state == LINE_DOWN && has_slept(line) && !line->denied)
		line_retry(line);
	if (line->state == LINE_DOWN && !line->delayed &&
	    now_ms >= line->try_ms)
		line_try(line);
	if (line->state == LINE_GREETING)
		sooner(&next, tick_greeting(line));
	if (line->state == LINE_UP)
		sooner(&next, tick_up(line));
	sooner(&next, survive_tick(line->survive));
	/* What was asked just now is nobody's to send otherwise. */
	if (!waited && line_wants_out(line))
		line_write(line);
	if (line->state == LINE_DOWN && !line->delayed)
		sooner(&next, line->try_ms);
	return next;
}
