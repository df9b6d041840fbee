#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fusefs/line_impl.h"

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
static bool tell_said(struct line *line)
{
	char *text = line->said_text;

	while (line->said_len > 0 && text[line->said_len - 1] <= ' ')
		line->said_len--;
	text[line->said_len] = '\0';
	line->said_len = 0;
	line->denied = line->denied || is_denied(text);
	clean(text);
	if (*text)
		memcpy(line->why, text, strlen(text) + 1);
	if (!*text || strcmp(text, line->told) == 0)
		return *text;
	memcpy(line->told, text, strlen(text) + 1);
	line_say(line, "%s: %s", line->config.host, text);
	return true;
}

/* Takes what is there; what is more than fits is dropped. */
void line_hear(struct line *line)
{
	char more[256];
	ssize_t len;

	if (line->said_fd < 0)
		return;
	while ((len = read(line->said_fd, more, sizeof(more))) > 0) {
		size_t room = LINE_SAID_MAX - 1 - line->said_len;
		size_t take = (size_t)len < room ? (size_t)len : room;

		memcpy(line->said_text + line->said_len, more, take);
		line->said_len += take;
	}
	if (len < 0 && errno == EAGAIN)
		return;
	line_poll_close(&line->said);
	(void)close(line->said_fd);
	line->said_fd = -1;
}

static void on_said(uv_poll_t *poll, int status, int events)
{
	struct line *line = poll->data;

	(void)events;
	line_hear(line);
	if (status < 0 && line->said)
		line->said->events = 0;
}

bool line_hear_no_more(struct line *line)
{
	line_hear(line);
	line_poll_close(&line->said);
	if (line->said_fd >= 0)
		(void)close(line->said_fd);
	line->said_fd = -1;
	return tell_said(line);
}

static void watch(struct line *line)
{
	line->said_len = 0;
	if (line->said_fd >= 0 &&
	    line_poll_open(line, &line->said, line->said_fd) == 0)
		line_poll(line->said, UV_READABLE, on_said);
}

void line_watch_said(struct line *line)
{
	/* Of the first, where there was no session yet. */
	if (line->said_fd >= 0)
		(void)line_hear_no_more(line);
	line->said_fd = connect_take_said(line->config.connector);
	watch(line);
}

void line_listen(struct line *line, int fd)
{
	line->said_fd = fd;
}

void line_watch_first(struct line *line)
{
	watch(line);
}
