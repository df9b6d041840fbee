#include "fusefs/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fusefs/line_impl.h"

/* What OpenSSH takes in one piece. */
#define USUAL_MAX (255U * 1024U)

uint64_t line_clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t line_steady_ms(void *arg)
{
	(void)arg;
	return line_clock_ms(CLOCK_MONOTONIC);
}

void line_say(struct line *line, const char *format, ...)
{
	char text[LINE_SAID_MAX + 256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	line->config.log(line->config.arg, text);
}

static bool is_gone(const struct line *line)
{
	return !line->remote ||
	       csftp_link_error(csftp_remote_link(line->remote)) != CSFTP_OK;
}

static bool gone(void *arg)
{
	return is_gone(arg);
}

struct csftp_link *line_link(const struct line *line)
{
	return csftp_remote_link(line->remote);
}

static unsigned line_wants(const struct line *line)
{
	if (!line->remote)
		return 0;
	return csftp_stream_wants(&line->stream, line_link(line));
}

/*
 * Watches: a closed handle goes when libuv says so
 */

static void watch_gone(uv_handle_t *handle)
{
	free(handle);
}

void line_poll_close(struct watch **watch)
{
	if (*watch)
		uv_close((uv_handle_t *)&(*watch)->poll, watch_gone);
	*watch = NULL;
}

int line_poll_open(struct line *line, struct watch **out, int fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int err =
		watch ? uv_poll_init(line->loop, &watch->poll, fd) : UV_ENOMEM;

	if (err) {
		free(watch);
		return err;
	}
	watch->poll.data = line;
	*out = watch;
	return 0;
}

void line_poll(struct watch *watch, int events, uv_poll_cb cb)
{
	if (!watch || watch->events == events)
		return;
	watch->events = events;
	if (events)
		uv_poll_start(&watch->poll, events, cb);
	else
		uv_poll_stop(&watch->poll);
}

/*
 * The rest
 */

bool line_wants_out(const struct line *line)
{
	return line->remote &&
	       ((csftp_link_wants(line_link(line)) | line_wants(line)) &
		CSFTP_WANT_OUT);
}

/* Input that has come, but had to wait for room. */
void line_work(struct line *line)
{
	enum csftp_err err;

	if (!(line_wants(line) & CSFTP_WANT_WORK))
		return;
	err = csftp_stream_read(&line->stream, line_link(line),
				LINE_READ_BUDGET);
	if (err)
		line_lose(line, err);
}

void line_write(struct line *line)
{
	enum csftp_err err;

	if (!line->remote)
		return;
	err = csftp_stream_write(&line->stream, line_link(line));
	if (err)
		line_lose(line, err);
}

void line_watch(struct line *line, enum line_output output)
{
	unsigned want = line_wants(line);
	int in = want & CSFTP_WANT_IN ? UV_READABLE : 0;
	int out = want & CSFTP_WANT_OUT && output == LINE_OUTPUT_NOW
			  ? UV_WRITABLE
			  : 0;

	if (line->out) {
		line_poll(line->out, out, line_on_stream);
		out = 0;
	}
	line_poll(line->in, in | out, line_on_stream);
}

bool line_is_up(const struct line *line)
{
	return line->state == LINE_UP && survive_is_up(line->survive) &&
	       !is_gone(line);
}

bool line_is_waited_for(const struct line *line)
{
	return line->state != LINE_UP && survive_waiting(line->survive) > 0;
}

const char *line_why(const struct line *line)
{
	return line->state != LINE_UP && *line->why ? line->why : NULL;
}

uint64_t line_next_try_ms(const struct line *line)
{
	return line->state == LINE_DOWN && !line->delayed ? line->try_ms : 0;
}

bool line_has_failed(const struct line *line)
{
	return line->state == LINE_DOWN && line->tries > 0 && !line->was_there;
}

bool line_is_connecting(const struct line *line)
{
	return line->connecting;
}

void line_say_draining(struct line *line, unsigned seconds)
{
	if (line->state != LINE_OFF && survive_waiting(line->survive) > 0)
		line_say(line,
			 "waiting %u seconds for a connection to write what "
			 "is left",
			 seconds);
}

void line_retry(struct line *line)
{
	if (line->state != LINE_DOWN)
		return;
	line->delayed = false;
	line->try_ms = 0;
	line->wait_ms = 0;
}

void line_set_trace(struct line *line,
		    void (*trace)(void *arg, const char *line))
{
	line->trace = trace;
	if (line->remote)
		csftp_remote_set_trace(line->remote,
				       trace ? line_on_trace : NULL);
}

void line_end(struct line *line)
{
	if (line->state == LINE_OFF)
		return;
	if (line->survive)
		survive_end(line->survive);
	if (line->state == LINE_UP || line->state == LINE_GREETING)
		(void)line_drop(line, CSFTP_ERR_EOF);
	line->state = LINE_OFF;
	(void)line_hear_no_more(line);
}

/* A wish of 0 is none. */
static uint32_t at_most(uint32_t wished, uint32_t possible)
{
	return wished > 0 && wished < possible ? wished : possible;
}

enum csftp_err line_begin(struct line *line)
{
	const struct csftp_fs *fs =
		line->remote ? csftp_remote_fs(line->remote) : NULL;
	const struct survive_config config = {
		.now_ms = line_steady_ms,
		.gone = gone,
		.arg = line,
		.max_read = at_most(line->config.max_read,
				    fs ? fs->max_read : USUAL_MAX),
		.max_write = at_most(line->config.max_write,
				     fs ? fs->max_write : USUAL_MAX),
		.traits = CSFTP_FS_PARTS,
		.timeout_ms = line->config.timeout_ms,
		.fail = line->config.fail,
	};
	enum csftp_err err = survive_new(&line->survive, &config);

	if (!err && line->remote)
		line_come_up(line);
	line->delayed = !line->remote;
	line->was_there = line->remote;
	return err;
}

int line_start(struct line *line, uv_loop_t *loop, void (*turned)(void *arg),
	       void *arg)
{
	line->loop = loop;
	line->turned = turned;
	line->arg = arg;
	line_watch_first(line);
	return line->remote ? line_watch_stream(line) : 0;
}

void line_stop(struct line *line)
{
	line_poll_close(&line->in);
	line_poll_close(&line->out);
	line_poll_close(&line->said);
}

struct csftp_stream *line_stream(struct line *line)
{
	return &line->stream;
}

struct csftp_remote *line_remote(struct line *line)
{
	return line->remote;
}

static bool offers(struct line *line, uint32_t extension)
{
	if (line->remote)
		line->extensions = csftp_remote_extensions(line->remote);
	return line->extensions & extension;
}

/*
 * Nobody but OpenSSH had lsetstat, and those who took it over did so with the
 * rest.  Others offer less, or go by what a client is called.
 */
bool line_is_sound(struct line *line)
{
	return offers(line, CSFTP_EXT_LSETSTAT);
}

bool line_replaces(void *line)
{
	return offers(line, CSFTP_EXT_POSIX_RENAME);
}

struct csftp_fs *line_fs(struct line *line)
{
	return survive_fs(line->survive);
}

void line_heard(struct line *line, const struct csftp_req *req)
{
	survive_heard(line->survive, req);
}

enum csftp_err line_new(struct line **out, const struct line_config *config)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return CSFTP_ERR_NOMEM;
	line->config = *config;
	line->stream = (struct csftp_stream){.rfd = -1, .wfd = -1};
	line->said_fd = -1;
	line->patience_ms = LINE_PATIENCE_MS;
	line->asleep_ms =
		line_clock_ms(CLOCK_BOOTTIME) - line_clock_ms(CLOCK_MONOTONIC);
	line->random =
		(uint64_t)getpid() << 32 ^ line_clock_ms(CLOCK_REALTIME) ^ 1;
	*out = line;
	return CSFTP_OK;
}

void line_free(struct line *line)
{
	if (!line)
		return;
	line_end(line);
	(void)csftp_stream_close(&line->stream, LINE_GRACE_MS);
	csftp_remote_free(line->remote);
	survive_free(line->survive);
	free(line);
}
