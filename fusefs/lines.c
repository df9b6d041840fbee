#include "fusefs/lines.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/layer/spread.h"

struct lines {
	struct lines_config config;
	struct line *line[SPREAD_LANES_MAX];
	struct connector *connector[SPREAD_LANES_MAX]; /* not the first's */
	uint32_t count;
	struct spread *spread; /* NULL: there will be one line */
	bool wanted;	       /* more of them */
	bool failed;	       /* one that was wanted could not be made */
	uint32_t joining;      /* that are not there yet */
	bool is_joining[SPREAD_LANES_MAX];
	uv_loop_t *loop;
	void (*turned)(void *arg);
	void *arg;
	void (*trace)(void *arg, const char *line);
};

/* Not here: whoever asks is in the middle of something. */
static void want(void *arg)
{
	struct lines *lines = arg;

	lines->wanted = true;
}

static void changed(void *arg, const struct csftp_fs *lane,
		    const struct csftp_req *req)
{
	struct lines *lines = arg;

	for (uint32_t i = 0; i < lines->count; i++) {
		if (line_fs(lines->line[i]) != lane)
			line_heard(lines->line[i], req);
	}
}

enum csftp_err lines_new(struct lines **out, const struct lines_config *config)
{
	struct spread_config spread = {
		.first = line_fs(config->first),
		.lanes_max = config->max,
		.want = want,
		.changed = changed,
	};
	struct lines *lines = calloc(1, sizeof(*lines));
	enum csftp_err err = CSFTP_OK;

	if (!lines)
		return CSFTP_ERR_NOMEM;
	lines->config = *config;
	lines->line[0] = config->first;
	lines->count = 1;
	spread.arg = lines;
	if (config->max != 1)
		err = spread_new(&lines->spread, &spread);
	if (err)
		free(lines);
	else
		*out = lines;
	return err;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	spread_free(lines->spread);
	for (uint32_t i = 1; i < lines->count; i++) {
		line_free(lines->line[i]);
		connect_free(lines->connector[i]);
	}
	free(lines);
}

struct csftp_fs *lines_fs(struct lines *lines)
{
	return lines->spread ? spread_fs(lines->spread)
			     : line_fs(lines->line[0]);
}

/* How many carry files. */
static uint32_t count_of(const struct lines *lines)
{
	return lines->spread ? spread_lanes(lines->spread) : 1;
}

/*
 * One more
 */

static void give_up(struct lines *lines)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "no further connection; it stays at %u",
		       count_of(lines));
	lines->config.log(lines->config.arg, text);
	spread_give_up(lines->spread);
}

static enum csftp_err make_line(struct lines *lines, uint32_t at)
{
	struct line_config config = {
		.host = lines->config.host,
		.number = at,
		.fail = lines->config.fail,
		.timeout_ms = lines->config.timeout_ms,
		.max_read = lines->config.max_read,
		.max_write = lines->config.max_write,
		.log = lines->config.log,
		.sent = lines->config.sent,
		.ended = lines->config.ended,
		.up = lines->config.up,
		.down = lines->config.down,
		.counts = lines->config.counts,
		.arg = lines->config.arg,
	};
	enum csftp_err err =
		connect_another(&lines->connector[at], lines->config.connector);

	config.connector = lines->connector[at];
	if (!err)
		err = line_new(&lines->line[at], &config);
	if (!err)
		err = line_begin(lines->line[at]);
	if (!err && line_start(lines->line[at], lines->loop, lines->turned,
			       lines->arg) != 0)
		err = CSFTP_ERR_NOMEM;
	return err;
}

static void add_line(struct lines *lines)
{
	uint32_t at = lines->count;

	if (make_line(lines, at) != CSFTP_OK) {
		line_free(lines->line[at]);
		connect_free(lines->connector[at]);
		lines->line[at] = NULL;
		lines->connector[at] = NULL;
		lines->failed = true;
		return;
	}
	lines->count++;
	lines->joining++;
	lines->is_joining[at] = true;
	line_set_trace(lines->line[at], lines->trace);
	line_retry(lines->line[at]);
}

/* As many again as there are: making one takes several round trips. */
static void add_lines(struct lines *lines)
{
	uint32_t most = lines->count + count_of(lines);

	lines->wanted = false;
	if (most > lines->config.max)
		most = lines->config.max;
	while (lines->count < most && !lines->failed)
		add_line(lines);
	if (lines->failed && lines->joining == 0)
		give_up(lines);
}

static void join_line(struct lines *lines, uint32_t at)
{
	struct line *line = lines->line[at];
	bool up = line_is_up(line);

	if (!up && !line_has_failed(line))
		return;
	lines->is_joining[at] = false;
	lines->joining--;
	if (!up)
		lines->failed = true;
	if (!up || spread_add(lines->spread, line_fs(line)) != CSFTP_OK)
		line_end(line);
	if (lines->failed && lines->joining == 0)
		give_up(lines);
}

/*
 * All of them
 */

int lines_start(struct lines *lines, uv_loop_t *loop, void (*turned)(void *arg),
		void *arg)
{
	lines->loop = loop;
	lines->turned = turned;
	lines->arg = arg;
	return line_start(lines->line[0], loop, turned, arg);
}

void lines_stop(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_stop(lines->line[i]);
}

void lines_paused(struct lines *lines, uint64_t ms)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_paused(lines->line[i], ms);
}

uint64_t lines_tick(struct lines *lines, uint64_t now_ms)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < lines->count; i++) {
		uint64_t at = line_tick(lines->line[i], now_ms);

		if (at && (!next || at < next))
			next = at;
	}
	for (uint32_t i = 1; i < lines->count && lines->joining > 0; i++) {
		if (lines->is_joining[i])
			join_line(lines, i);
	}
	return next;
}

void lines_work(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_work(lines->line[i]);
	if (lines->wanted && lines->joining == 0 &&
	    !line_is_connecting(lines->line[0]))
		add_lines(lines);
}

bool lines_want_out(const struct lines *lines)
{
	bool wants = false;

	for (uint32_t i = 0; i < lines->count; i++)
		wants = wants || line_wants_out(lines->line[i]);
	return wants;
}

void lines_write(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_write(lines->line[i]);
}

void lines_watch(struct lines *lines, enum line_output output)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_watch(lines->line[i], output);
}

bool lines_are_up(const struct lines *lines)
{
	bool up = line_is_up(lines->line[0]);

	for (uint32_t i = 1; i < lines->count; i++)
		up = up && !line_is_waited_for(lines->line[i]);
	return up;
}

bool lines_are_waited_for(const struct lines *lines)
{
	bool waited_for = false;

	for (uint32_t i = 0; i < lines->count; i++)
		waited_for = waited_for || line_is_waited_for(lines->line[i]);
	return waited_for;
}

bool lines_are_connecting(const struct lines *lines)
{
	bool connecting = false;

	for (uint32_t i = 0; i < lines->count; i++)
		connecting = connecting || line_is_connecting(lines->line[i]);
	return connecting;
}

void lines_say_draining(struct lines *lines, unsigned seconds)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_say_draining(lines->line[i], seconds);
}

void lines_retry(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_retry(lines->line[i]);
}

void lines_set_trace(struct lines *lines,
		     void (*trace)(void *arg, const char *line))
{
	lines->trace = trace;
	for (uint32_t i = 0; i < lines->count; i++)
		line_set_trace(lines->line[i], trace);
}

void lines_end(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		line_end(lines->line[i]);
}
