#include "fusefs/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "fusefs/control.h"
#include "fusefs/pages.h"

#define SIGNALS 4

/* How long output that nobody waits for is kept for company. */
#define PATIENCE_MS 2U

/* After its end, how long what is written waits for a connection. */
#define DRAIN_MS 20000U

/* What the kernel has to write before that is begun within this time. */
#define SETTLE_MS 20000U

/* Who waits is looked at so often, to know what time was waiting. */
#define WAIT_LOOK_MS 1000U
#define LATE_MS	     1000U /* a look so much behind its time was held up */

/* How often, and how soon, the name to be asked by is tried again. */
#define CONTROL_TRIES 100U
#define CONTROL_MS    100U

enum haste { LATER, NOW };

struct watch {
	uv_poll_t poll;
	int events; /* that are polled for */
	bool used;
};

struct reactor {
	struct reactor_config config;
	struct lines *lines;
	uv_loop_t loop;
	struct watch fuse;
	struct watch flushing; /* pages */
	struct pages pages;
	uv_timer_t timer;
	uv_timer_t patience;
	uv_signal_t signals[SIGNALS];
	struct control *control; /* NULL: it cannot be asked */
	uint64_t deadline_ms;	 /* of the timer; 0: it does not run */
	uint64_t due_ms;	 /* when the next turn is, at the latest */
	uint64_t drain_ms;	 /* when it ends without a connection; 0: not */
	uint64_t settle_ms;	 /* when that is given up; 0: it is not on */
	uint64_t control_ms;	 /* when to open control again; 0: not */
	uint32_t control_tries;
	bool told; /* by a signal, to end */
	bool unmounted;
};

static void turn(struct reactor *r, enum haste haste);

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

static int watch_open(struct reactor *r, struct watch *watch, int fd)
{
	int err = uv_poll_init(&r->loop, &watch->poll, fd);

	watch->poll.data = r;
	watch->used = err == 0;
	return err;
}

static void on_patience(uv_timer_t *timer);

/*
 * Writes first and polls later: mostly the kernel takes it all at once.  What
 * nobody waits for goes with what comes next: each message by itself would
 * wake up ssh, sshd and the server.
 */
static void flush(struct reactor *r, enum haste haste)
{
	bool urgent = fusefs_take_urgent(r->config.f);

	if (!lines_want_out(r->lines))
		return;
	if (haste == LATER && !urgent && !fusefs_ended(r->config.f)) {
		if (!uv_is_active((uv_handle_t *)&r->patience))
			uv_timer_start(&r->patience, on_patience, PATIENCE_MS,
				       0);
		return;
	}
	if (uv_is_active((uv_handle_t *)&r->patience))
		uv_timer_stop(&r->patience);
	lines_write(r->lines);
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

static void on_line(void *arg)
{
	turn(arg, NOW);
}

static void on_patience(uv_timer_t *timer)
{
	turn(timer->data, NOW);
}

static void on_timer(uv_timer_t *timer)
{
	struct reactor *r = timer->data;

	r->deadline_ms = 0;
	turn(r, NOW);
}

/* From here on nothing more is taken from the kernel. */
static void end_now(struct reactor *r)
{
	r->settle_ms = 0;
	watch_close(&r->flushing);
	pages_release(&r->pages);
	fusefs_end(r->config.f);
}

static void on_flushed(uv_poll_t *poll, int status, int events)
{
	struct reactor *r = poll->data;

	(void)status;
	(void)events;
	watch_close(&r->flushing);
	turn(r, NOW);
}

/* Pages of mappings come first, as long as there is somebody to take them. */
static void settle(struct reactor *r)
{
	if (!fusefs_may_be_mapped(r->config.f) ||
	    !pages_flush(&r->pages, r->config.mountpoint) ||
	    watch_open(r, &r->flushing, r->pages.fd) != 0) {
		end_now(r);
		return;
	}
	watch_for(&r->flushing, UV_READABLE, on_flushed);
	r->settle_ms = uv_now(&r->loop) + SETTLE_MS;
}

/* syncfs(2) does not wait for all that it has begun to write. */
static void end_when_settled(struct reactor *r)
{
	struct fusefs *f = r->config.f;

	if (!r->settle_ms)
		return;
	if (!r->flushing.used)
		fusefs_ready(f);
	if (fusefs_writes_back(f))
		r->settle_ms = uv_now(&r->loop) + SETTLE_MS;
	else if (fusefs_ended(f) || uv_now(&r->loop) >= r->settle_ms ||
		 (!r->flushing.used && fusefs_wants_input(f)))
		end_now(r);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct reactor *r = signal->data;
	bool ended = fusefs_ended(r->config.f);

	if (number == SIGUSR1) {
		lines_retry(r->lines);
	} else if (!ended && !r->settle_ms) {
		r->told = true;
		fusefs_ending(r->config.f);
		settle(r);
	} else {
		/* The second one: who sent it does not want to wait. */
		end_now(r);
		lines_end(r->lines);
	}
	turn(r, NOW);
}

static void sooner(uint64_t *next, uint64_t at)
{
	if (at && (!*next || at < *next))
		*next = at;
}

/*
 * Who was stopped, as by SIGSTOP or with the machine that it runs on, has not
 * waited, nor has anybody tried in that time what is waited for.
 */
static void notice_pause(struct reactor *r)
{
	uint64_t now = uv_now(&r->loop);
	uint64_t due = r->due_ms;

	if (!due || now <= due + LATE_MS)
		return;
	lines_paused(r->lines, now - due);
	if (r->drain_ms)
		r->drain_ms += now - due;
	if (r->settle_ms)
		r->settle_ms += now - due;
}

static void set_timer(struct reactor *r)
{
	uint64_t now = uv_now(&r->loop);
	uint64_t next = fusefs_tick(r->config.f, now);
	uint64_t layers = layers_tick(r->config.layers);
	uint64_t line = lines_tick(r->lines, now);

	sooner(&next, line);
	sooner(&next, r->drain_ms);
	sooner(&next, r->settle_ms);
	sooner(&next, r->control_ms);
	sooner(&next, layers ? now + layers : 0);
	if (lines_are_waited_for(r->lines))
		sooner(&next, now + WAIT_LOOK_MS);
	r->due_ms = next;
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
	bool kept = uv_is_active((uv_handle_t *)&r->patience);

	watch_for(&r->fuse, fusefs_wants_input(r->config.f) ? UV_READABLE : 0,
		  on_kernel);
	lines_watch(r->lines, kept ? LINE_OUTPUT_HELD : LINE_OUTPUT_NOW);
}

/* What is known is good while nobody can be asked. */
static void hold_layers(struct reactor *r)
{
	bool held = !lines_are_up(r->lines);

	if (held)
		layers_hold(r->config.layers);
	else
		layers_go_on(r->config.layers);
	fusefs_hold(r->config.f, held);
}

/* Without a connection the end is not waited for without end. */
static void bound_drain(struct reactor *r)
{
	uint64_t now = uv_now(&r->loop);

	if ((!fusefs_ended(r->config.f) && !r->settle_ms) ||
	    lines_are_up(r->lines)) {
		r->drain_ms = 0;
	} else if (!r->drain_ms) {
		r->drain_ms = now + DRAIN_MS;
		lines_say_draining(r->lines, DRAIN_MS / 1000U);
	} else if (now >= r->drain_ms) {
		r->drain_ms = 0;
		lines_end(r->lines);
	}
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

/*
 * A mount that cannot be asked is a mount all the same.  Its device may have
 * been that of one that has just gone, whose process will learn of that soon.
 */
static void open_control(struct reactor *r)
{
	const struct control_config config = {
		.loop = &r->loop,
		.mountpoint = r->config.mountpoint,
		.answer = r->config.answer,
		.arg = r->config.arg,
	};
	char text[256];

	r->control_ms = 0;
	r->control = control_open(&config);
	if (r->control)
		return;
	if (errno == EADDRINUSE && r->control_tries++ < CONTROL_TRIES) {
		r->control_ms = uv_now(&r->loop) + CONTROL_MS;
		return;
	}
	(void)snprintf(text, sizeof(text), "it cannot be asked by --status: %s",
		       strerror(errno));
	r->config.log(r->config.arg, text);
}

/* As long as it is mounted; then the name is another's. */
static void keep_control(struct reactor *r)
{
	if (fusefs_ended(r->config.f) && (!r->told || r->unmounted)) {
		control_close(r->control);
		r->control = NULL;
		r->control_ms = 0;
	} else if (r->control_ms && uv_now(&r->loop) >= r->control_ms) {
		open_control(r);
	}
}

/* After each event: everything that it may have made possible. */
static void turn(struct reactor *r, enum haste haste)
{
	notice_pause(r);
	lines_work(r->lines);
	flush(r, haste);
	hold_layers(r);
	bound_drain(r);
	end_when_settled(r);
	drain(r);
	keep_control(r);
	set_timer(r);
	set_watches(r);
}

/* The program may have held them back until they are handled. */
static int open_signals(struct reactor *r)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
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
	int err;

	uv_timer_init(&r->loop, &r->timer);
	r->timer.data = r;
	uv_timer_init(&r->loop, &r->patience);
	r->patience.data = r;
	err = open_signals(r);
	if (!err)
		err = watch_open(r, &r->fuse, fusefs_fd(r->config.f));
	if (!err)
		err = lines_start(r->lines, &r->loop, on_line, r);
	if (!err)
		open_control(r);
	return err;
}

/* False: the thread still uses what is here. */
static bool close_all(struct reactor *r)
{
	watch_close(&r->fuse);
	watch_close(&r->flushing);
	pages_release(&r->pages);
	lines_stop(r->lines);
	control_close(r->control);
	uv_close((uv_handle_t *)&r->timer, NULL);
	uv_close((uv_handle_t *)&r->patience, NULL);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	/* Who connects in another thread can be at it for long. */
	if (lines_are_connecting(r->lines)) {
		uv_run(&r->loop, UV_RUN_NOWAIT);
		return false;
	}
	uv_run(&r->loop, UV_RUN_DEFAULT);
	uv_loop_close(&r->loop);
	return true;
}

enum csftp_err reactor_run(const struct reactor_config *config)
{
	struct reactor *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return CSFTP_ERR_NOMEM;
	r->config = *config;
	r->pages.fd = -1;
	r->lines = config->lines;
	if (uv_loop_init(&r->loop) != 0) {
		free(r);
		return CSFTP_ERR_IO;
	}
	err = open_all(r);
	if (!err) {
		turn(r, NOW);
		uv_run(&r->loop, UV_RUN_DEFAULT);
	}
	if (close_all(r))
		free(r);
	return err ? CSFTP_ERR_IO : CSFTP_OK;
}
