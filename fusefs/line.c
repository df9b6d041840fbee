#include "fusefs/line.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/layer/survive.h"

/* Input taken before the kernel has its turn again. */
#define READ_BUDGET (4U << 20)

/* How long the ssh process of a lost connection gets to end by itself. */
#define GRACE_MS 1000U

#define SILENT_MS	5000U /* then the server is asked */
#define PATIENCE_MS	5000U /* for its answer */
#define PATIENCE_MAX_MS 640000U
#define SLOW_TIMES	12U /* as long for what takes its time */
#define FIRST_TRY_MS	200U
#define TRY_MAX_MS	30000U
#define DENIED_MS	300000U
#define GREETING_MS	30000U /* that a server may take to say hello */

/* What OpenSSH takes in one piece. */
#define USUAL_MAX (255U * 1024U)

#define SAID_MAX 2048

enum line_state {
	LINE_DOWN,	 /* until try_ms */
	LINE_CONNECTING, /* in another thread */
	LINE_GREETING,	 /* there is a stream, and no word of the server yet */
	LINE_UP,
	LINE_OFF /* for good */
};

struct watch {
	uv_poll_t poll;
	int events; /* polled for now */
};

/* What is asked to hear whether somebody is there. */
struct ping {
	struct csftp_req req; /* first */
	bool out;
	uint64_t at_ms;
};

struct line {
	struct line_config config;
	enum line_state state;
	struct survive *survive;
	struct csftp_stream stream;
	struct csftp_remote *remote;
	bool ready;
	/* The loop. */
	uv_loop_t *loop;
	void (*turned)(void *arg);
	void *arg;
	struct watch *in; /* and out, where they are one descriptor */
	struct watch *out;
	struct watch *said;
	uv_work_t work;
	struct csftp_stream made; /* by the other thread */
	enum csftp_err made_err;
	int made_errno;
	/* What ssh says where nobody sees it. */
	int said_fd;
	char said_text[SAID_MAX];
	size_t said_len;
	char told[SAID_MAX]; /* the last that was logged */
	/* Time. */
	uint64_t now_ms;
	uint64_t try_ms;
	uint64_t wait_ms; /* the time to the next try but one */
	uint64_t greeting_ms;
	uint64_t heard_ms; /* when bytes came, or nothing was waited for */
	uint64_t patience_ms;
	uint64_t asleep_ms; /* that the machine slept, ever */
	uint32_t tries;	    /* since the connection was lost */
	uint32_t stale;
	bool silent; /* it was lost by that */
	bool denied;
	bool was_there;	 /* there was a connection before */
	bool delayed;	 /* nobody has asked for anything yet */
	bool connecting; /* another thread is at it */
	struct ping ping;
	uint64_t random;
	void (*trace)(void *arg, const char *line);
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t steady_ms(void *arg)
{
	(void)arg;
	return clock_ms(CLOCK_MONOTONIC);
}

__attribute__((format(printf, 2, 3))) static void say(struct line *line,
						      const char *format, ...)
{
	char text[SAID_MAX + 256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	line->config.log(line->config.arg, text);
}

static bool gone(void *arg)
{
	const struct line *line = arg;

	return !line->remote ||
	       csftp_link_error(csftp_remote_link(line->remote)) != CSFTP_OK;
}

static struct csftp_link *link_of(const struct line *line)
{
	return csftp_remote_link(line->remote);
}

static unsigned wants(const struct line *line)
{
	if (!line->remote)
		return 0;
	return csftp_stream_wants(&line->stream, link_of(line));
}

/*
 * Watches: a closed handle goes when libuv says so
 */

static void watch_gone(uv_handle_t *handle)
{
	free(handle);
}

static void watch_close(struct watch **watch)
{
	if (*watch)
		uv_close((uv_handle_t *)&(*watch)->poll, watch_gone);
	*watch = NULL;
}

static int watch_open(struct line *line, struct watch **out, int fd)
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

static void watch_for(struct watch *watch, int events, uv_poll_cb cb)
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
 * What ssh says
 */

/* Words by which ssh says that trying again is no use. */
static bool is_denied(const char *text)
{
	return strstr(text, "Permission denied (") ||
	       strstr(text, "Too many authentication failures") ||
	       strstr(text, "Host key verification failed");
}

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

/* The same again and again is not worth a line each time. */
static void tell_said(struct line *line)
{
	char *text = line->said_text;

	while (line->said_len > 0 && text[line->said_len - 1] <= ' ')
		line->said_len--;
	text[line->said_len] = '\0';
	line->said_len = 0;
	line->denied = line->denied || is_denied(text);
	clean(text);
	if (!*text || strcmp(text, line->told) == 0)
		return;
	memcpy(line->told, text, strlen(text) + 1);
	say(line, "%s: %s", line->config.host, text);
}

/* Takes what is there; what is more than fits is dropped. */
static void hear(struct line *line)
{
	char more[256];
	ssize_t len;

	if (line->said_fd < 0)
		return;
	while ((len = read(line->said_fd, more, sizeof(more))) > 0) {
		size_t room = SAID_MAX - 1 - line->said_len;
		size_t take = (size_t)len < room ? (size_t)len : room;

		memcpy(line->said_text + line->said_len, more, take);
		line->said_len += take;
	}
	if (len < 0 && errno == EAGAIN)
		return;
	watch_close(&line->said);
	(void)close(line->said_fd);
	line->said_fd = -1;
}

static void on_said(uv_poll_t *poll, int status, int events)
{
	struct line *line = poll->data;

	(void)events;
	hear(line);
	if (status < 0 && line->said)
		line->said->events = 0;
}

static void hear_no_more(struct line *line)
{
	hear(line);
	watch_close(&line->said);
	if (line->said_fd >= 0)
		(void)close(line->said_fd);
	line->said_fd = -1;
	tell_said(line);
}

/*
 * Losing it
 */

/* Other mounts of the same server try at other times. */
static uint64_t jitter(struct line *line, uint64_t ms)
{
	line->random ^= line->random << 13;
	line->random ^= line->random >> 7;
	line->random ^= line->random << 17;
	return ms - ms / 4 + line->random % (ms / 2 + 1);
}

static void plan_try(struct line *line)
{
	uint64_t wait = line->wait_ms ? line->wait_ms : FIRST_TRY_MS;

	if (line->denied) {
		say(line, "%s: refused; trying again in %u minutes",
		    line->config.host, DENIED_MS / 60000U);
		survive_refuse(line->survive);
		wait = DENIED_MS;
	}
	line->denied = false;
	line->wait_ms = wait * 2 < TRY_MAX_MS ? wait * 2 : TRY_MAX_MS;
	line->try_ms = steady_ms(NULL) + jitter(line, wait);
	line->state = LINE_DOWN;
}

/* A process whose connection is dead waits for ever to end in order. */
static void close_stream(struct line *line)
{
	watch_close(&line->in);
	watch_close(&line->out);
	if (line->stream.pid > 0 && !line->stream.ops)
		(void)kill(line->stream.pid, SIGTERM);
	(void)csftp_stream_close(&line->stream, GRACE_MS);
}

/* What is out is answered, and waits for another connection. */
static void drop(struct line *line, enum csftp_err why)
{
	bool was_up = line->state == LINE_UP;

	if (!line->remote)
		return;
	csftp_link_close(link_of(line), why);
	if (line->survive && was_up)
		survive_detach(line->survive);
	close_stream(line);
	csftp_remote_free(line->remote);
	line->remote = NULL;
	line->ready = false;
	line->ping.out = false;
	if (was_up)
		line->config.down(line->config.arg);
}

static void lose(struct line *line, enum csftp_err why)
{
	const char *reason =
		why == CSFTP_ERR_IO ? strerror(errno) : csftp_strerror(why);
	bool was_up = line->state == LINE_UP;

	if (line->state != LINE_UP && line->state != LINE_GREETING)
		return;
	if (was_up) {
		say(line, "connection to %s lost: %s", line->config.host,
		    reason);
		line->tries = 0;
		line->wait_ms = 0;
		line->told[0] = '\0';
	}
	drop(line, why);
	hear_no_more(line);
	if (line->config.once) {
		line->state = LINE_OFF;
		survive_end(line->survive);
	} else {
		plan_try(line);
	}
}

/*
 * Making it
 */

static void on_ready(void *arg)
{
	struct line *line = arg;

	line->ready = true;
}

static void on_log(void *arg, const char *text)
{
	const struct line *line = arg;

	line->config.log(line->config.arg, text);
}

static void on_trace(void *arg, const char *text)
{
	const struct line *line = arg;

	line->trace(line->config.arg, text);
}

static void on_sent(void *arg, uint32_t slot, unsigned message, uint64_t bytes)
{
	const struct line *line = arg;

	line->config.sent(line->config.arg, slot, message, bytes);
}

static void on_ended(void *arg, uint32_t slot, unsigned message, bool failed)
{
	const struct line *line = arg;

	line->config.ended(line->config.arg, slot, message, failed);
}

static enum csftp_err make_remote(struct line *line)
{
	const struct csftp_remote_config config = {
		.ready = on_ready,
		.log = on_log,
		.trace = line->trace ? on_trace : NULL,
		.sent = on_sent,
		.ended = on_ended,
		.arg = line,
	};

	line->ready = false;
	return csftp_remote_new(&line->remote, &config);
}

enum csftp_err line_open(struct line *line)
{
	enum csftp_err err =
		connect_open(line->config.connector, &line->stream);

	if (!err)
		err = make_remote(line);
	while (!err && !line->ready)
		err = csftp_stream_step(&line->stream, link_of(line), -1);
	return err;
}

static void on_stream(uv_poll_t *poll, int status, int events)
{
	struct line *line = poll->data;
	enum csftp_err err = CSFTP_OK;

	/* It is of a stream that was closed by an event before this one. */
	if (!line->remote)
		return;
	line->heard_ms = steady_ms(NULL);
	if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT)))
		err = csftp_stream_read(&line->stream, link_of(line),
					READ_BUDGET);
	if (!err && status < 0)
		err = CSFTP_ERR_EOF;
	if (err)
		lose(line, err);
	line->turned(line->arg);
}

static int watch_stream(struct line *line)
{
	int err = watch_open(line, &line->in, line->stream.rfd);

	if (!err && line->stream.wfd != line->stream.rfd)
		err = watch_open(line, &line->out, line->stream.wfd);
	return err;
}

static void watch_said(struct line *line)
{
	line->said_fd = connect_take_said(line->config.connector);
	line->said_len = 0;
	if (line->said_fd >= 0 &&
	    watch_open(line, &line->said, line->said_fd) == 0)
		watch_for(line->said, UV_READABLE, on_said);
}

/* The stream is there; the server has to say hello. */
static void greet(struct line *line)
{
	line->state = LINE_GREETING;
	line->greeting_ms = steady_ms(NULL) + GREETING_MS;
	watch_said(line);
	if (make_remote(line) != CSFTP_OK) {
		close_stream(line);
		hear_no_more(line);
		plan_try(line);
	} else if (watch_stream(line) != 0) {
		errno = EMFILE;
		lose(line, CSFTP_ERR_IO);
	}
}

static void not_made(struct line *line, enum csftp_err err, int why)
{
	char text[256];

	line->denied = err == CSFTP_ERR_DENIED;
	(void)snprintf(text, sizeof(text), "%s",
		       err == CSFTP_ERR_IO ? strerror(why)
					   : csftp_strerror(err));
	if (!line->denied && strcmp(text, line->told) != 0) {
		memcpy(line->told, text, sizeof(text));
		say(line, "%s: no connection: %s", line->config.host, text);
	}
	plan_try(line);
}

static void connect_there(uv_work_t *work)
{
	struct line *line = work->data;

	line->made_err = connect_open(line->config.connector, &line->made);
	line->made_errno = errno;
}

static void connected(uv_work_t *work, int status)
{
	struct line *line = work->data;

	line->connecting = false;
	if (status != 0) {
		line->made_err = CSFTP_ERR_IO;
		line->made_errno = ECANCELED;
	}
	if (line->state == LINE_OFF) {
		if (!line->made_err)
			(void)csftp_stream_close(&line->made, GRACE_MS);
	} else if (line->made_err) {
		not_made(line, line->made_err, line->made_errno);
	} else {
		line->stream = line->made;
		greet(line);
	}
	line->turned(line->arg);
}

/* ssh connects by itself; all else blocks, and is waited for elsewhere. */
static void try_now(struct line *line)
{
	enum csftp_err err;

	line->tries++;
	line->state = LINE_CONNECTING;
	line->work.data = line;
	if (!connect_program(line->config.connector)) {
		line->connecting = uv_queue_work(line->loop, &line->work,
						 connect_there, connected) == 0;
		if (!line->connecting)
			plan_try(line);
		return;
	}
	err = connect_open(line->config.connector, &line->stream);
	if (err)
		not_made(line, err, errno);
	else
		greet(line);
}

/*
 * A silent server that is there after all when it is called again was busy:
 * the next time it is given longer.
 */
static void learn_patience(struct line *line)
{
	if (!line->silent || line->tries > 1)
		line->patience_ms = PATIENCE_MS;
	else if (line->patience_ms < PATIENCE_MAX_MS)
		line->patience_ms *= 2;
	line->silent = false;
}

static void come_up(struct line *line)
{
	line->state = LINE_UP;
	line->heard_ms = steady_ms(NULL);
	line->wait_ms = 0;
	hear(line);
	survive_attach(line->survive, csftp_remote_fs(line->remote));
	line->config.up(line->config.arg);
	if (line->tries == 0)
		return;
	learn_patience(line);
	if (!line->was_there) {
		line->was_there = true;
		return;
	}
	say(line, "connection to %s is back", line->config.host);
}

static void say_stale(struct line *line)
{
	uint32_t stale = survive_stale(line->survive) - line->stale;

	if (stale > 0)
		say(line, "%u open files could not be found again", stale);
	line->stale += stale;
}

/*
 * Time
 */

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

/* After a sleep there may be nobody any more who would say so. */
static void notice_sleep(struct line *line)
{
	uint64_t asleep = clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC);

	if (asleep > line->asleep_ms + SILENT_MS && line->heard_ms > SILENT_MS)
		line->heard_ms -= SILENT_MS;
	line->asleep_ms = asleep;
}

static uint64_t patience(const struct line *line)
{
	return line->patience_ms *
	       (survive_slow(line->survive) > 0 ? SLOW_TIMES : 1);
}

static uint64_t tick_alive(struct line *line)
{
	uint64_t from;

	if (csftp_remote_pending(line->remote) == 0) {
		line->heard_ms = line->now_ms;
		return 0;
	}
	notice_sleep(line);
	if (!line->ping.out) {
		if (line->now_ms < line->heard_ms + SILENT_MS)
			return line->heard_ms + SILENT_MS;
		send_ping(line);
	}
	from = line->heard_ms > line->ping.at_ms ? line->heard_ms
						 : line->ping.at_ms;
	if (line->now_ms < from + patience(line))
		return from + patience(line);
	line->silent = true;
	errno = ETIMEDOUT;
	lose(line, CSFTP_ERR_IO);
	return 0;
}

static uint64_t tick_stream(struct line *line)
{
	uint64_t next = 0;
	enum csftp_err err = csftp_stream_tick(&line->stream, link_of(line),
					       line->now_ms, &next);

	if (err)
		lose(line, err);
	return line->remote ? next : 0;
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
		come_up(line);
		return 0;
	}
	if (line->now_ms >= line->greeting_ms) {
		errno = ETIMEDOUT;
		lose(line, CSFTP_ERR_IO);
		return 0;
	}
	sooner(&next, line->greeting_ms);
	return next;
}

uint64_t line_tick(struct line *line, uint64_t now_ms)
{
	uint64_t next = 0;

	line->now_ms = now_ms;
	if (line->delayed && survive_waiting(line->survive) > 0) {
		line->delayed = false;
		line->try_ms = now_ms;
	}
	if (line->state == LINE_DOWN && !line->delayed &&
	    now_ms >= line->try_ms)
		try_now(line);
	if (line->state == LINE_GREETING)
		sooner(&next, tick_greeting(line));
	if (line->state == LINE_UP)
		sooner(&next, tick_up(line));
	if (line->state == LINE_DOWN && !line->delayed)
		sooner(&next, line->try_ms);
	sooner(&next, survive_tick(line->survive));
	return next;
}

/*
 * The rest
 */

bool line_wants_out(const struct line *line)
{
	return line->remote &&
	       ((csftp_link_wants(link_of(line)) | wants(line)) &
		CSFTP_WANT_OUT);
}

/* Input that has come, but had to wait for room. */
void line_work(struct line *line)
{
	enum csftp_err err;

	if (!(wants(line) & CSFTP_WANT_WORK))
		return;
	err = csftp_stream_read(&line->stream, link_of(line), READ_BUDGET);
	if (err)
		lose(line, err);
}

void line_write(struct line *line)
{
	enum csftp_err err;

	if (!line->remote)
		return;
	err = csftp_stream_write(&line->stream, link_of(line));
	if (err)
		lose(line, err);
}

void line_watch(struct line *line, enum line_output output)
{
	unsigned want = wants(line);
	int in = want & CSFTP_WANT_IN ? UV_READABLE : 0;
	int out = want & CSFTP_WANT_OUT && output == LINE_OUTPUT_NOW
			  ? UV_WRITABLE
			  : 0;

	if (line->out) {
		watch_for(line->out, out, on_stream);
		out = 0;
	}
	watch_for(line->in, in | out, on_stream);
}

bool line_is_up(const struct line *line)
{
	return line->state == LINE_UP && survive_is_up(line->survive);
}

bool line_is_connecting(const struct line *line)
{
	return line->connecting;
}

void line_say_draining(struct line *line, unsigned seconds)
{
	if (line->state != LINE_OFF && survive_waiting(line->survive) > 0)
		say(line,
		    "waiting %u seconds for a connection to write what "
		    "is left",
		    seconds);
}

void line_retry(struct line *line)
{
	if (line->state != LINE_DOWN)
		return;
	line->try_ms = 0;
	line->wait_ms = 0;
}

void line_set_trace(struct line *line,
		    void (*trace)(void *arg, const char *line))
{
	line->trace = trace;
	if (line->remote)
		csftp_remote_set_trace(line->remote, trace ? on_trace : NULL);
}

void line_end(struct line *line)
{
	if (line->state == LINE_OFF)
		return;
	if (line->survive)
		survive_end(line->survive);
	if (line->state == LINE_UP || line->state == LINE_GREETING)
		drop(line, CSFTP_ERR_EOF);
	line->state = LINE_OFF;
	hear_no_more(line);
}

enum csftp_err line_begin(struct line *line)
{
	const struct csftp_fs *fs =
		line->remote ? csftp_remote_fs(line->remote) : NULL;
	const struct survive_config config = {
		.now_ms = steady_ms,
		.gone = gone,
		.arg = line,
		.max_read = fs ? fs->max_read : USUAL_MAX,
		.max_write = fs ? fs->max_write : USUAL_MAX,
		.timeout_ms = line->config.timeout_ms,
		.fail = line->config.fail,
	};
	enum csftp_err err = survive_new(&line->survive, &config);

	if (!err && line->remote)
		come_up(line);
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
	return line->remote ? watch_stream(line) : 0;
}

void line_stop(struct line *line)
{
	watch_close(&line->in);
	watch_close(&line->out);
	watch_close(&line->said);
}

struct csftp_stream *line_stream(struct line *line)
{
	return &line->stream;
}

struct csftp_remote *line_remote(struct line *line)
{
	return line->remote;
}

struct csftp_fs *line_fs(struct line *line)
{
	return survive_fs(line->survive);
}

enum csftp_err line_new(struct line **out, const struct line_config *config)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return CSFTP_ERR_NOMEM;
	line->config = *config;
	line->stream = (struct csftp_stream){.rfd = -1, .wfd = -1};
	line->said_fd = -1;
	line->patience_ms = PATIENCE_MS;
	line->asleep_ms = clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC);
	line->random = (uint64_t)getpid() << 32 ^ clock_ms(CLOCK_REALTIME) ^ 1;
	*out = line;
	return CSFTP_OK;
}

void line_free(struct line *line)
{
	if (!line)
		return;
	line_end(line);
	(void)csftp_stream_close(&line->stream, GRACE_MS);
	csftp_remote_free(line->remote);
	survive_free(line->survive);
	free(line);
}
