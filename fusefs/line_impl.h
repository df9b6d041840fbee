/* Inside the line: what its source files share. */
#ifndef CSFTP_FUSEFS_LINE_IMPL_H
#define CSFTP_FUSEFS_LINE_IMPL_H

#include <time.h>

#include "core/layer/survive.h"
#include "fusefs/line.h"

#define LINE_SAID_MAX 2048

/* Input taken before the kernel has its turn again. */
#define LINE_READ_BUDGET (4U << 20)

/* How long the ssh process of a lost connection gets to end by itself. */
#define LINE_GRACE_MS 1000U

/* How long the answer to a trifle is waited for, at first. */
#define LINE_PATIENCE_MS 5000U

enum line_state {
	LINE_DOWN,	 /* until try_ms */
	LINE_CONNECTING, /* in another thread */
	LINE_GREETING,	 /* there is a stream, and no word of the server yet */
	LINE_UP,
	LINE_OFF /* for good */
};

struct watch {
	uv_poll_t poll;
	int events; /* that are polled for */
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
	char said_text[LINE_SAID_MAX];
	size_t said_len;
	char told[LINE_SAID_MAX]; /* the last that was logged */
	char why[LINE_SAID_MAX];  /* there is no connection */
	/* Time. */
	uint64_t now_ms;
	uint64_t try_ms;
	uint64_t wait_ms; /* the time to the next try but one */
	uint64_t greeting_ms;
	uint64_t heard_ms; /* when bytes came, or nothing was waited for */
	uint64_t patience_ms;
	uint64_t alive_ms;  /* when it is looked whether somebody is there */
	uint64_t asleep_ms; /* that the machine slept, ever */
	uint32_t tries;	    /* since the connection was lost */
	uint32_t stale;
	bool silent; /* it was lost by that */
	bool denied;
	bool was_there;	     /* there was a connection before */
	bool delayed;	     /* nobody has asked for anything yet */
	bool connecting;     /* another thread is at it */
	uint32_t extensions; /* of the server, as it was there last */
	struct ping ping;
	uint64_t random;
	void (*trace)(void *arg, const char *line);
};

uint64_t line_clock_ms(clockid_t clock);
uint64_t line_steady_ms(void *arg);
__attribute__((format(printf, 2, 3))) void line_say(struct line *line,
						    const char *format, ...);
/* What a client engine sent and got. */
void line_on_trace(void *arg, const char *text);
struct csftp_link *line_link(const struct line *line);

/* Polls of the loop; a closed one is freed when libuv says so. */
int line_poll_open(struct line *line, struct watch **out, int fd);
void line_poll_close(struct watch **watch);
void line_poll(struct watch *watch, int events, uv_poll_cb cb);

/* Making and losing connections (line_dial.c). */
void line_lose(struct line *line, enum csftp_err why);
/*
 * Without a word, and without another try; the wait status of the program that
 * carried it, 0 where there is none.
 */
int line_drop(struct line *line, enum csftp_err why);
void line_try(struct line *line);
void line_come_up(struct line *line);
int line_watch_stream(struct line *line);
void line_on_stream(uv_poll_t *poll, int status, int events);

/* What ssh says where nobody sees it (line_said.c). */
void line_watch_said(struct line *line);
void line_watch_first(struct line *line); /* what line_listen() was given */
void line_hear(struct line *line);
/* Whether it had something to say about a failure. */
bool line_hear_no_more(struct line *line);

#endif
