#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "fusefs/line_impl.h"

#define PATIENCE_MAX_MS 640000U
#define FIRST_TRY_MS	200U
#define TRY_MAX_MS	30000U
#define STUCK_MIN	3U /* connections that may end at one request */
#define STUCK_MS	200U
#define DENIED_MS	300000U
#define GREETING_MS	30000U /* that a server may take to say hello */

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
		line_say(line, "%s: refused; trying again in %u minutes",
			 line->config.host, DENIED_MS / 60000U);
		survive_refuse(line->survive);
		wait = DENIED_MS;
	}
	line->denied = false;
	line->wait_ms = wait * 2 < TRY_MAX_MS ? wait * 2 : TRY_MAX_MS;
	line->try_ms = line_steady_ms(NULL) + jitter(line, wait);
	line->state = LINE_DOWN;
}

/* Logging in is work for the server, also where that comes to nothing. */
static uint64_t stuck_wait_ms(const struct line *line)
{
	uint32_t stuck = survive_stuck(line->survive);

	return stuck < STUCK_MIN ? 0 : (uint64_t)(stuck - STUCK_MIN) * STUCK_MS;
}

/*
 * A process whose connection is dead waits for ever to end in order.  One that
 * has closed its end is ending, and is left to say how.
 */
static int close_stream(struct line *line, enum csftp_err why)
{
	bool ends = why == CSFTP_ERR_EOF && line->state == LINE_GREETING;

	line_poll_close(&line->in);
	line_poll_close(&line->out);
	if (line->stream.pid > 0 && !line->stream.ops && !ends)
		(void)kill(line->stream.pid, SIGTERM);
	return csftp_stream_close(&line->stream, LINE_GRACE_MS);
}

/* What is out is answered, and waits for another connection. */
int line_drop(struct line *line, enum csftp_err why)
{
	bool was_up = line->state == LINE_UP;
	int status;

	if (!line->remote)
		return 0;
	csftp_link_close(line_link(line), why);
	if (line->survive && was_up)
		survive_detach(line->survive);
	status = close_stream(line, why);
	csftp_remote_free(line->remote);
	line->remote = NULL;
	line->ready = false;
	line->ping.out = false;
	if (was_up)
		line->config.down(line->config.counts, line->config.number);
	return status;
}

static void keep_why(struct line *line, const char *text)
{
	(void)snprintf(line->why, sizeof(line->why), "%s", text);
}

/* Once, as long as it stays the same. */
static void tell_not_made(struct line *line, const char *text)
{
	keep_why(line, text);
	if (strcmp(text, line->told) == 0)
		return;
	(void)snprintf(line->told, sizeof(line->told), "%s", text);
	line_say(line, "%s: no connection: %s", line->config.host, text);
}

/* It said nothing about that itself. */
static void tell_ended(struct line *line, enum csftp_err why, int status,
		       const char *reason)
{
	const char *program = connect_program(line->config.connector);
	char text[LINE_SAID_MAX];

	if (!program || why != CSFTP_ERR_EOF)
		(void)snprintf(text, sizeof(text), "%s", reason);
	else if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "%s was ended by signal %d",
			       program, WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text), "%s exited with status %d",
			       program, WEXITSTATUS(status));
	tell_not_made(line, text);
}

void line_lose(struct line *line, enum csftp_err why)
{
	bool was_up = line->state == LINE_UP;
	char reason[256];
	int status;

	if (line->state != LINE_UP && line->state != LINE_GREETING)
		return;
	/* The program has ended, however we came to notice. */
	if (!was_up && why == CSFTP_ERR_IO &&
	    (errno == EPIPE || errno == ECONNRESET) &&
	    connect_program(line->config.connector))
		why = CSFTP_ERR_EOF;
	(void)snprintf(reason, sizeof(reason), "%s",
		       csftp_strerror_io(why, errno));
	if (was_up) {
		line_say(line, "connection to %s lost: %s", line->config.host,
			 reason);
		line->tries = 0;
		line->told[0] = '\0';
		keep_why(line, reason);
	}
	status = line_drop(line, why);
	if (was_up)
		line->wait_ms = stuck_wait_ms(line);
	if (!line_hear_no_more(line) && !was_up)
		tell_ended(line, why, status, reason);
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

void line_on_trace(void *arg, const char *text)
{
	const struct line *line = arg;

	line->trace(line->config.arg, text);
}

static void on_sent(void *arg, uint32_t slot, unsigned message, uint64_t bytes)
{
	const struct line *line = arg;

	line->config.sent(line->config.counts, line->config.number, slot,
			  message, bytes);
}

static void on_ended(void *arg, uint32_t slot, unsigned message, bool failed)
{
	const struct line *line = arg;

	line->config.ended(line->config.counts, line->config.number, slot,
			   message, failed);
}

static enum csftp_err make_remote(struct line *line)
{
	const struct csftp_remote_config config = {
		.ready = on_ready,
		.log = on_log,
		.trace = line->trace ? line_on_trace : NULL,
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
		err = csftp_stream_step(&line->stream, line_link(line), -1);
	return err;
}

void line_on_stream(uv_poll_t *poll, int status, int events)
{
	struct line *line = poll->data;
	enum csftp_err err = CSFTP_OK;

	/* It is of a stream that was closed by an event before this one. */
	if (!line->remote)
		return;
	line->heard_ms = line_steady_ms(NULL);
	if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT)))
		err = csftp_stream_read(&line->stream, line_link(line),
					LINE_READ_BUDGET);
	if (!err && status < 0)
		err = CSFTP_ERR_EOF;
	if (err)
		line_lose(line, err);
	line->turned(line->arg);
}

int line_watch_stream(struct line *line)
{
	int err = line_poll_open(line, &line->in, line->stream.rfd);

	if (!err && line->stream.wfd != line->stream.rfd)
		err = line_poll_open(line, &line->out, line->stream.wfd);
	return err;
}

/* The stream is there; the server has to say hello. */
static void greet(struct line *line)
{
	line->state = LINE_GREETING;
	line->greeting_ms = line_steady_ms(NULL) + GREETING_MS;
	line_watch_said(line);
	if (make_remote(line) != CSFTP_OK) {
		(void)close_stream(line, CSFTP_ERR_NOMEM);
		if (!line_hear_no_more(line))
			tell_not_made(line, csftp_strerror(CSFTP_ERR_NOMEM));
		plan_try(line);
	} else if (line_watch_stream(line) != 0) {
		errno = EMFILE;
		line_lose(line, CSFTP_ERR_IO);
	}
}

static void not_made(struct line *line, enum csftp_err err, int why)
{
	char text[CONNECT_WHY_MAX];

	line->denied = err == CSFTP_ERR_DENIED;
	connect_why(line->config.connector, err, why, text);
	/* Of a refusal it was told where that happened. */
	if (line->denied)
		keep_why(line, text);
	else
		tell_not_made(line, text);
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
			(void)csftp_stream_close(&line->made, LINE_GRACE_MS);
	} else if (line->made_err) {
		not_made(line, line->made_err, line->made_errno);
	} else {
		line->stream = line->made;
		greet(line);
	}
	line->turned(line->arg);
}

/* ssh connects by itself; all else blocks, and is waited for elsewhere. */
void line_try(struct line *line)
{
	enum csftp_err err;

	line->tries++;
	line->state = LINE_CONNECTING;
	line->work.data = line;
	if (!connect_program(line->config.connector)) {
		line->connecting = uv_queue_work(line->loop, &line->work,
						 connect_there, connected) == 0;
		if (!line->connecting)
			not_made(line, CSFTP_ERR_NOMEM, 0);
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
		line->patience_ms = LINE_PATIENCE_MS;
	else if (line->patience_ms < PATIENCE_MAX_MS)
		line->patience_ms *= 2;
	line->silent = false;
}

void line_come_up(struct line *line)
{
	line->state = LINE_UP;
	line->heard_ms = line_steady_ms(NULL);
	line->wait_ms = 0;
	line_hear(line);
	survive_attach(line->survive, csftp_remote_fs(line->remote));
	line->config.up(line->config.counts, line->config.number);
	if (line->tries == 0)
		return;
	learn_patience(line);
	if (!line->was_there) {
		line->was_there = true;
		return;
	}
	line_say(line, "connection to %s is back", line->config.host);
}
