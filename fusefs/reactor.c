#include "fusefs/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Input taken before the kernel has its turn again. */
#define READ_BUDGET (4U << 20)

/* How long the ssh process of a lost connection gets to end by itself. */
#define GRACE_MS 1000U

#define SIGNALS 3

/* How long output that nobody waits for is kept for company. */
#define PATIENCE_MS 2U

enum haste { LATER, NOW };

struct watch {
	uv_poll_t poll;
	int events; /* polled for now */
	bool used;
};

struct reactor {
	struct reactor_config config;
	struct csftp_link *link;
	uv_loop_t loop;
	struct watch fuse;
	struct watch in; /* and out, where they are one descriptor */
	struct watch out;
	uv_timer_t timer;
	uv_timer_t patience;
	uv_signal_t signals[SIGNALS];
	uint64_t deadline_ms; /* of the timer; 0: it does not run */
	bool lost;	      /* the connection is gone */
	bool unmounted;
};

static void turn(struct reactor *r, enum haste haste);

static unsigned stream_wants(const struct reactor *r)
{
	return csftp_stream_wants(r->config.stream, r->link);
}

static void watch_for(struct watch *watch, int events, uv_poll_cb cb)
{
	if (!watch->used || watch->events == events)
		return;
	watch->events = events;
	if (events)
		uv_poll_start(&watch->poll, events, cb);
	else
		uv_poll_stop(&watch->poll);
}

static void watch_close(struct watch *watch)
{
	if (watch->used && !uv_is_closing((uv_handle_t *)&watch->poll))
		uv_close((uv_handle_t *)&watch->poll, NULL);
	watch->used = false;
}

/* All that waits is answered with an error. */
static void hang_up(struct reactor *r, enum csftp_err why)
{
	if (r->lost)
		return;
	r->lost = true;
	watch_close(&r->in);
	watch_close(&r->out);
	csftp_link_close(r->link, why);
	(void)csftp_stream_close(r->config.stream, GRACE_MS);
}

/* The mount stays, and says so with each request. */
static void lose(struct reactor *r, enum csftp_err why)
{
	const char *reason =
		why == CSFTP_ERR_IO ? strerror(errno) : csftp_strerror(why);
	char text[512];

	if (r->lost)
		return;
	(void)snprintf(text, sizeof(text), "connection to %s lost: %s",
		       r->config.host, reason);
	r->config.log(r->config.arg, text);
	hang_up(r, why);
}

static void on_patience(uv_timer_t *timer);

/* Input that has come, but had to wait for room. */
static void take_held(struct reactor *r)
{
	enum csftp_err err;

	if (r->lost || !(stream_wants(r) & CSFTP_WANT_WORK))
		return;
	err = csftp_stream_read(r->config.stream, r->link, READ_BUDGET);
	if (err)
		lose(r, err);
}

/*
 * Writes first and polls later: mostly the kernel takes it all at once.  What
 * nobody waits for goes with what comes next: each message by itself would
 * wake up ssh, sshd and the server.
 */
static void flush(struct reactor *r, enum haste haste)
{
	bool urgent = fusefs_take_urgent(r->config.f);
	enum csftp_err err;

	if (r->lost ||
	    !((csftp_link_wants(r->link) | stream_wants(r)) & CSFTP_WANT_OUT))
		return;
	if (haste == LATER && !urgent && !fusefs_ended(r->config.f)) {
		if (!uv_is_active((uv_handle_t *)&r->patience))
			uv_timer_start(&r->patience, on_patience, PATIENCE_MS,
				       0);
		return;
	}
	if (uv_is_active((uv_handle_t *)&r->patience))
		uv_timer_stop(&r->patience);
	err = csftp_stream_write(r->config.stream, r->link);
	if (err)
		lose(r, err);
}

static void on_kernel(uv_poll_t *poll, int status, int events)
{
	struct reactor *r = poll->data;

	(void)status; /* reading tells what it is */
	(void)events;
	if (status < 0)
		r->fuse.events = 0; /* libuv has stopped it */
	fusefs_ready(r->config.f);
	turn(r, LATER);
}

static void on_stream(uv_poll_t *poll, int status, int events)
{
	struct reactor *r = poll->data;
	enum csftp_err err = CSFTP_OK;

	if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT)))
		err = csftp_stream_read(r->config.stream, r->link, READ_BUDGET);
	if (!err && status < 0)
		err = CSFTP_ERR_EOF;
	if (err)
		lose(r, err);
	turn(r, NOW);
}

static void on_patience(uv_timer_t *timer)
{
	turn(timer->data, NOW);
}

static void on_timer(uv_timer_t *timer)
{
	struct reactor *r = timer->data;

	r->deadline_ms = 0;
	if (!r->lost)
		(void)csftp_remote_tick(r->config.remote, uv_now(&r->loop));
	turn(r, NOW);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct reactor *r = signal->data;

	(void)number;
	/* The second one: whoever sent it does not want to wait. */
	if (fusefs_ended(r->config.f))
		hang_up(r, CSFTP_ERR_EOF);
	fusefs_end(r->config.f);
	turn(r, NOW);
}

static uint64_t stream_tick(struct reactor *r, uint64_t now)
{
	uint64_t next = 0;
	enum csftp_err err;

	if (r->lost)
		return 0;
	err = csftp_stream_tick(r->config.stream, r->link, now, &next);
	if (err)
		lose(r, err);
	return r->lost ? 0 : next;
}

static void set_timer(struct reactor *r)
{
	uint64_t now = uv_now(&r->loop);
	uint64_t next = fusefs_tick(r->config.f, now);
	uint64_t layers = layers_tick(r->config.layers);
	uint64_t stream = stream_tick(r, now);

	if (stream && (!next || stream < next))
		next = stream;
	if (layers && (!next || now + layers < next))
		next = now + layers;
	if (next == r->deadline_ms)
		return;
	r->deadline_ms = next;
	if (next)
		uv_timer_start(&r->timer, on_timer, next > now ? next - now : 0,
			       0);
	else
		uv_timer_stop(&r->timer);
}

static void set_watches(struct reactor *r)
{
	unsigned wants = r->lost ? 0 : stream_wants(r);
	int in = wants & CSFTP_WANT_IN ? UV_READABLE : 0;
	bool kept = uv_is_active((uv_handle_t *)&r->patience);
	int out = wants & CSFTP_WANT_OUT && !kept ? UV_WRITABLE : 0;

	watch_for(&r->fuse, fusefs_wants_input(r->config.f) ? UV_READABLE : 0,
		  on_kernel);
	if (r->out.used) {
		watch_for(&r->out, out, on_stream);
		out = 0;
	}
	watch_for(&r->in, in | out, on_stream);
}

/* After the end of requests: what is out first, then what is open. */
static void drain(struct reactor *r)
{
	struct fusefs *f = r->config.f;

	if (!fusefs_ended(f) || fusefs_pending(f) > 0)
		return;
	if (!r->unmounted) {
		r->unmounted = true;
		watch_close(&r->fuse);
		fusefs_unmount(f);
		layers_quiet(r->config.layers);
		fusefs_close_files(f);
		flush(r, NOW);
	}
	if (fusefs_pending(f) == 0 && layers_pending(r->config.layers) == 0)
		uv_stop(&r->loop);
}

/* After each event: everything that it may have made possible. */
static void turn(struct reactor *r, enum haste haste)
{
	take_held(r);
	flush(r, haste);
	drain(r);
	set_timer(r);
	set_watches(r);
}

static int watch_open(struct reactor *r, struct watch *watch, int fd)
{
	int err = uv_poll_init(&r->loop, &watch->poll, fd);

	watch->poll.data = r;
	watch->used = err == 0;
	return err;
}

/* The program may have held them back until they are handled. */
static int open_signals(struct reactor *r)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;
	int err = 0;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&r->loop, &r->signals[i]);
		r->signals[i].data = r;
		err = err ? err
			  : uv_signal_start(&r->signals[i], on_signal,
					    numbers[i]);
		(void)sigaddset(&set, numbers[i]);
	}
	if (!err && sigprocmask(SIG_UNBLOCK, &set, NULL) != 0)
		err = UV_EINVAL;
	return err;
}

static int open_all(struct reactor *r)
{
	const struct csftp_stream *stream = r->config.stream;
	int err;

	uv_timer_init(&r->loop, &r->timer);
	r->timer.data = r;
	uv_timer_init(&r->loop, &r->patience);
	r->patience.data = r;
	err = open_signals(r);
	if (!err)
		err = watch_open(r, &r->fuse, fusefs_fd(r->config.f));
	if (!err)
		err = watch_open(r, &r->in, stream->rfd);
	if (!err && stream->wfd != stream->rfd)
		err = watch_open(r, &r->out, stream->wfd);
	return err;
}

static void close_all(struct reactor *r)
{
	watch_close(&r->fuse);
	watch_close(&r->in);
	watch_close(&r->out);
	uv_close((uv_handle_t *)&r->timer, NULL);
	uv_close((uv_handle_t *)&r->patience, NULL);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	uv_loop_close(&r->loop);
}

enum csftp_err reactor_run(const struct reactor_config *config)
{
	struct reactor *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return CSFTP_ERR_NOMEM;
	r->config = *config;
	r->link = csftp_remote_link(config->remote);
	if (uv_loop_init(&r->loop) != 0) {
		free(r);
		return CSFTP_ERR_IO;
	}
	err = open_all(r);
	if (!err) {
		turn(r, NOW);
		uv_run(&r->loop, UV_RUN_DEFAULT);
	}
	close_all(r);
	free(r);
	return err ? CSFTP_ERR_IO : CSFTP_OK;
}
