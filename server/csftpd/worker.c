#include "server/csftpd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "server/csftpd/conn.h"
#include "server/exec/exec.h"

/* Files that the sessions of a worker may have open, all together. */
enum { TREE_HANDLES = 16384 };

/* Sessions that move bytes at the same time have two each, or three. */
enum { ENGINES = 96 };

/* Of those who have spilled so much, a part of the buffers is out of reach. */
enum { SPILLS_FEW = 4 };

/* Who takes so little of what there is for him, for so long, does not read. */
enum { HUNGER_MS = 10000, TAKES_MIN = 16384 };

/* Commands (server/exec/) that run at the same time. */
enum { COMMANDS = 64 };

/*
 * What a client may send before a session has used it up: at first, at most
 * (so at 100 ms round trip this is 640 MiB a second), and of one that has a
 * rate.
 */
enum { WINDOW = 2 << 20, WINDOW_MAX = 64 << 20, WINDOW_SLOW = 256 << 10 };

/* csftp_ssh_config.random: a system call for each packet would show. */
static bool random_bytes(void *arg, void *to, size_t len)
{
	struct serving *serving = arg;
	struct worker *worker = serving->worker;

	while (len > 0) {
		size_t at = sizeof(worker->random) - worker->random_left;
		size_t n =
			len < worker->random_left ? len : worker->random_left;

		memcpy(to, worker->random + at, n);
		/* What was used shall not be found again. */
		explicit_bzero(worker->random + at, n);
		worker->random_left -= n;
		to = (uint8_t *)to + n;
		len -= n;
		if (len == 0)
			break;
		if (getrandom(worker->random, sizeof(worker->random), 0) !=
		    (ssize_t)sizeof(worker->random))
			return false;
		worker->random_left = sizeof(worker->random);
	}
	return true;
}

static uint64_t now_ms(void *arg)
{
	struct serving *serving = arg;

	return uv_now(&serving->worker->loop);
}

void *worker_buf_get(void *arg)
{
	struct worker *worker = arg;

	return pool_get(&worker->buffers);
}

static struct conn **queue_of(struct worker *worker, enum conn_queue queue)
{
	return queue == CONN_RUNNABLE ? &worker->runnable : &worker->starved;
}

static void on_hunger(uv_timer_t *timer);

static void enqueue(struct worker *worker, struct conn *conn,
		    enum conn_queue queue)
{
	struct conn **list = queue_of(worker, queue);

	if (queue == CONN_STARVED &&
	    !uv_is_active((uv_handle_t *)&worker->hunger)) {
		worker->looked = false;
		(void)uv_timer_start(&worker->hunger, on_hunger, HUNGER_MS,
				     HUNGER_MS);
	}
	conn->queue = queue;
	conn->next_queued = *list;
	*list = conn;
}

bool worker_may_spill(const struct conn *conn)
{
	const struct pool *pool = &conn->worker->buffers;
	uint64_t used = pool_used(pool);

	return used < pool->count / 2 ||
	       (used < pool->count / 4 * 3 && conn->spills < SPILLS_FEW);
}

/* Whether a buffer that is there is one that it may have. */
static bool may_have(const struct conn *conn)
{
	return !conn->held_by || worker_may_spill(conn);
}

/*
 * Who waits is called from the loop, not from here; all of them, as they wait
 * for different things.
 */
static void wake_starved(struct worker *worker)
{
	struct conn *list = worker->starved, *conn;

	worker->starved = NULL;
	while ((conn = list)) {
		list = conn->next_queued;
		conn->queue = CONN_UNQUEUED;
		if (may_have(conn))
			worker_again(conn);
		else
			enqueue(worker, conn, CONN_STARVED);
	}
}

void worker_buf_put(void *arg, void *buf)
{
	struct worker *worker = arg;

	pool_put(&worker->buffers, buf);
	wake_starved(worker);
}

void *worker_engine_get(void *arg)
{
	struct worker *worker = arg;

	return pool_get(&worker->engines);
}

void worker_engine_put(void *arg, void *buf)
{
	struct worker *worker = arg;

	pool_put(&worker->engines, buf);
	wake_starved(worker);
}

static void *serving_buf_get(void *arg)
{
	return worker_buf_get(((struct serving *)arg)->worker);
}

static void serving_buf_put(void *arg, void *buf)
{
	worker_buf_put(((struct serving *)arg)->worker, buf);
}

static uint8_t *place(void *arg, struct csftp_ssh *ssh, uint32_t channel,
		      size_t left, size_t *room)
{
	(void)arg;
	return conn_place(ssh, channel, left, room);
}

static void trace(void *arg, const struct csftp_ssh *ssh, const char *line)
{
	const struct serving *serving = arg;
	const struct conn *conn = csftp_ssh_user(ssh);

	log_say(&serving->worker->log, LEVEL_DEBUG2, "%s port %u: %s",
		conn ? conn->address : "?", conn ? conn->port : 0, line);
}

bool worker_parse_options(struct worker *worker, struct server_options *options,
			  int argc, char **argv)
{
	enum server_action action;

	pthread_mutex_lock(worker->config.parse_lock);
	action = server_options_parse(options, argc, argv);
	pthread_mutex_unlock(worker->config.parse_lock);
	return action == SERVER_SERVE;
}

static void free_serving(struct serving *serving)
{
	csftp_ssh_env_free(serving->env);
	for (size_t i = 0; i < SETTINGS_KEYS; i++)
		csftp_ssh_key_free(serving->key[i]);
	tree_close(&serving->tree);
	settings_put(serving->settings);
	free(serving);
}

void worker_put_serving(struct serving *serving)
{
	if (--serving->users == 0)
		free_serving(serving);
}

static enum csftp_err open_env(struct serving *serving)
{
	const struct settings *settings = serving->settings;
	bool slow = settings->sftp.rate > 0;
	const struct csftp_ssh_config config = {
		.role = CSFTP_SSH_SERVER,
		.buf_size = WORKER_BUFFER,
		.buf_get = serving_buf_get,
		.buf_put = serving_buf_put,
		.random = random_bytes,
		.now_ms = now_ms,
		.place = place,
		.arg = serving,
		.kex = settings->algorithms[CSFTP_SSH_ALG_KEX],
		.hostkey = settings->algorithms[CSFTP_SSH_ALG_HOSTKEY],
		.cipher = settings->algorithms[CSFTP_SSH_ALG_CIPHER],
		.mac = settings->algorithms[CSFTP_SSH_ALG_MAC],
		.keys = (const struct csftp_ssh_key *const *)serving->key,
		.key_count = settings->key_count,
		.channels = settings->sessions,
		/*
		 * What a session may have to keep; see channel.c.  One that is
		 * slowed down does keep it; one that uses it up at once is far
		 * from its peer, perhaps.
		 */
		.window = slow ? WINDOW_SLOW : WINDOW,
		.window_max = slow ? WINDOW_SLOW : WINDOW_MAX,
		.rekey_bytes = settings->rekey_bytes,
		.rekey_ms = settings->rekey_ms,
		.auth_tries = settings->auth_tries,
		.auth_methods = settings->auth_methods,
	};

	for (size_t i = 0; i < settings->key_count; i++) {
		serving->key[i] = hostkey_open(&settings->key[i]);
		if (!serving->key[i])
			return CSFTP_ERR_NOMEM;
	}
	return csftp_ssh_env_new(&serving->env, &config);
}

static struct serving *open_serving(struct worker *worker,
				    struct settings *settings, struct log *log)
{
	struct serving *serving = calloc(1, sizeof(*serving));
	enum csftp_err err;

	if (!serving) {
		log_fatal(log, "out of memory");
		return NULL;
	}
	serving->worker = worker;
	serving->settings = settings_get(settings);
	serving->users = 1;
	err = open_env(serving);
	if (err != CSFTP_OK)
		log_fatal(log, "cannot speak SSH: %s", csftp_strerror(err));
	/* What sessions do is said as internal-sftp's options have it. */
	serving->log = *log;
	serving->log.config.level = settings->sftp.log.level;
	serving->log.config.facility = settings->sftp.log.facility;
	serving->log.config.to_stderr |= settings->sftp.log.to_stderr;
	if (err == CSFTP_OK &&
	    tree_open(&serving->tree, &settings->sftp, &serving->log,
		      TREE_HANDLES,
		      worker->first ? &worker->first->tree : NULL))
		return serving;
	free_serving(serving);
	return NULL;
}

/*
 * Lines of messages cost where nobody wants them.  Who runs on with settings of
 * before has an environment of its own.
 */
static void set_level(struct worker *worker, enum log_level level)
{
	struct csftp_ssh_env *env = worker->serving->env;
	bool wants;

	worker->log.config.level = level;
	wants = log_wants(&worker->log, LEVEL_DEBUG2);
	csftp_ssh_env_set_trace(env, wants ? trace : NULL);
	for (struct conn *conn = worker->list; conn; conn = conn->next)
		csftp_ssh_env_set_trace(conn->serving->env,
					wants ? trace : NULL);
}

bool worker_can_serve(struct worker *worker, struct settings *settings,
		      struct log *log)
{
	struct serving *serving = open_serving(worker, settings, log);

	if (serving)
		worker_put_serving(serving);
	return serving != NULL;
}

void worker_unqueue(struct conn *conn)
{
	struct conn **at = queue_of(conn->worker, conn->queue);

	if (conn->queue == CONN_UNQUEUED)
		return;
	while (*at != conn)
		at = &(*at)->next_queued;
	*at = conn->next_queued;
	conn->queue = CONN_UNQUEUED;
}

static void on_again(uv_idle_t *idle)
{
	struct worker *worker = idle->data;
	struct conn *list = worker->runnable;

	worker->runnable = NULL;
	for (struct conn *conn = list; conn; conn = conn->next_queued)
		conn->queue = CONN_TAKEN;
	while (list) {
		struct conn *conn = list;

		list = conn->next_queued;
		conn->queue = CONN_UNQUEUED;
		conn->dry = false;
		conn_turn(conn);
	}
	if (!worker->runnable)
		(void)uv_idle_stop(idle);
}

void worker_again(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->queue == CONN_RUNNABLE || conn->closing)
		return;
	worker_unqueue(conn);
	enqueue(worker, conn, CONN_RUNNABLE);
	(void)uv_idle_start(&worker->again, on_again);
}

void worker_wait_buffer(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->queue != CONN_UNQUEUED || conn->closing)
		return;
	/* One may have come back meanwhile, and no other may follow. */
	if (pool_has(&worker->buffers) && pool_has(&worker->engines) &&
	    may_have(conn))
		worker_again(conn);
	else
		enqueue(worker, conn, CONN_STARVED);
}

/* How it shall be, of which only the latest counts. */
static bool is_state(const struct mail *mail)
{
	return mail->kind == MAIL_SETTINGS || mail->kind == MAIL_LEVEL ||
	       mail->kind == MAIL_DRAIN || mail->kind == MAIL_STOP;
}

/* Whether nothing is lost if it stands where the older one does. */
static bool replaces(const struct mail *mail, const struct mail *old)
{
	return mail->kind == old->kind &&
	       (is_state(mail) ||
		(mail->kind == MAIL_KILL && mail->id == old->id));
}

static struct mail *mail_at(struct worker *worker, size_t i)
{
	return &worker->mail[(worker->mail_head + i) % worker->mail_cap];
}

/* NULL: there is none. */
static struct mail *place_for(struct worker *worker, const struct mail *mail)
{
	size_t spare = is_state(mail) ? 0 : MAIL_KINDS;

	if (is_state(mail) || mail->kind == MAIL_KILL)
		for (size_t i = 0; i < worker->mail_count; i++)
			if (replaces(mail, mail_at(worker, i)))
				return mail_at(worker, i);
	if (!worker->mail || worker->mail_count + spare >= worker->mail_cap)
		return NULL;
	return mail_at(worker, worker->mail_count++);
}

bool worker_mail(struct worker *worker, const struct mail *mail)
{
	struct settings *unwanted = mail->settings;
	struct mail *place;

	pthread_mutex_lock(&worker->lock);
	place = place_for(worker, mail);
	if (place) {
		unwanted = place->settings;
		*place = *mail;
	}
	if (place && mail->kind == MAIL_CONNECTION)
		atomic_fetch_add(&worker->newcomers, 1);
	pthread_mutex_unlock(&worker->lock);
	settings_put(unwanted);
	if (place)
		(void)uv_async_send(&worker->wake);
	return place != NULL;
}

static bool take_mail(struct worker *worker, struct mail *mail)
{
	bool any;

	pthread_mutex_lock(&worker->lock);
	any = worker->mail_count > 0;
	if (any) {
		*mail = worker->mail[worker->mail_head];
		worker->mail[worker->mail_head].settings = NULL;
		worker->mail_head = (worker->mail_head + 1) % worker->mail_cap;
		worker->mail_count--;
	}
	pthread_mutex_unlock(&worker->lock);
	return any;
}

/* Those that begin from now on have them; the others keep theirs. */
static void take_settings(struct worker *worker, struct settings *settings)
{
	struct serving *serving = open_serving(worker, settings, &worker->log);

	if (serving) {
		worker_put_serving(worker->serving);
		worker->serving = serving;
		worker->log.config.facility = settings->log_facility;
		set_level(worker, settings->log_level);
	}
	settings_put(settings);
}

/* Connections that end are taken off the list meanwhile: so one by one. */
static void end_some(struct worker *worker, uint64_t id, const char *text)
{
	struct conn *conn = worker->list, *next;

	for (; conn; conn = next) {
		next = conn->next;
		if (id == 0 || conn->id == id)
			conn_end(conn, CSFTP_SSH_BY_APPLICATION, text);
	}
}

/*
 * Somebody waits for a buffer for long, and others keep theirs, as nobody takes
 * what is in them: the one with most of that has to go.
 */
static void on_hunger(uv_timer_t *timer)
{
	struct worker *worker = timer->data;
	struct conn *worst = NULL;
	unsigned most = 0;

	if (!worker->starved) {
		(void)uv_timer_stop(timer);
		return;
	}
	for (struct conn *conn = worker->list; conn; conn = conn->next) {
		unsigned stuck = conn_stuck(conn, TAKES_MIN);

		if (stuck > most)
			worst = conn;
		most = stuck > most ? stuck : most;
	}
	if (worst && worker->looked) {
		log_say(&worker->log, LEVEL_INFO,
			"user %s %s port %u does not read, and others wait",
			worst->user, worst->address, worst->port);
		conn_end(worst, CSFTP_SSH_BY_APPLICATION,
			 "others wait for the memory of what is not read");
	}
	worker->looked = true;
}

static void drain(struct worker *worker, uint64_t quiet_ms)
{
	struct conn *conn = worker->list, *next;

	for (; conn; conn = next) {
		next = conn->next;
		if (conn_is_idle(conn) ||
		    (quiet_ms > 0 && conn_is_quiet(conn, quiet_ms)))
			conn_end(conn, CSFTP_SSH_BY_APPLICATION,
				 "the server is going down");
	}
}

static void drop_waiting(struct worker *worker, sources_ticket ticket)
{
	struct conn *conn = worker->waiting;

	while (conn && conn->ticket != ticket)
		conn = conn->next_waiting;
	if (conn)
		conn_drop(conn);
}

static void act(struct worker *worker, struct mail *mail)
{
	switch (mail->kind) {
	case MAIL_CONNECTION:
		atomic_fetch_sub(&worker->newcomers, 1);
		conn_open(worker, mail);
		break;
	case MAIL_SETTINGS:
		take_settings(worker, mail->settings);
		break;
	case MAIL_LEVEL:
		set_level(worker, (enum log_level)mail->id);
		break;
	case MAIL_KILL:
		end_some(worker, mail->id, "ended by the administrator");
		break;
	case MAIL_DROP:
		drop_waiting(worker, mail->id);
		break;
	case MAIL_DRAIN:
		worker->draining = true;
		drain(worker, mail->id);
		break;
	case MAIL_STOP:
		worker->draining = true;
		end_some(worker, 0, "the server is going down");
		break;
	case MAIL_KINDS:
		break;
	}
}

/* After the last connection of a worker that is to end. */
static void check_end(struct worker *worker)
{
	if (!worker->draining || atomic_load(&worker->placed) > 0 ||
	    worker->stopped)
		return;
	worker->stopped = true;
	uv_stop(&worker->loop);
}

static void on_wake(uv_async_t *async)
{
	struct worker *worker = async->data;
	struct mail mail;

	while (take_mail(worker, &mail))
		act(worker, &mail);
	worker->config.place_free(worker->config.arg);
	login_collect(worker);
	channel_private_collect(worker);
	if (worker->config.threads)
		disk_desk_collect(&worker->desk);
}

/* Before the loop sleeps. */
static void on_prepare(uv_prepare_t *prepare)
{
	check_end(prepare->data);
}

static bool open_loop(struct worker *worker)
{
	if (uv_loop_init(&worker->loop) != 0)
		return false;
	(void)uv_idle_init(&worker->loop, &worker->again);
	(void)uv_prepare_init(&worker->loop, &worker->prepare);
	(void)uv_timer_init(&worker->loop, &worker->hunger);
	worker->hunger.data = worker;
	worker->again.data = worker;
	worker->prepare.data = worker;
	worker->wake.data = worker;
	(void)uv_prepare_start(&worker->prepare, on_prepare);
	if (uv_async_init(&worker->loop, &worker->wake, on_wake) != 0)
		return false;
	worker->open = true;
	return true;
}

static void close_loop(struct worker *worker)
{
	if (!worker->open)
		return;
	uv_close((uv_handle_t *)&worker->again, NULL);
	uv_close((uv_handle_t *)&worker->prepare, NULL);
	uv_close((uv_handle_t *)&worker->hunger, NULL);
	uv_close((uv_handle_t *)&worker->wake, NULL);
	(void)uv_run(&worker->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&worker->loop);
}

/* disk_desk_config.add */
static void add_task(void *arg, struct threads_task *task)
{
	threads_add(((struct worker *)arg)->config.threads, task);
}

/* disk_desk_config.wake */
static void wake(void *arg)
{
	(void)uv_async_send(&((struct worker *)arg)->wake);
}

/* Ticks of the kernel, a few ms each: what it takes to read it counts more. */
static uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t sleeps(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) != 0)
		return 0;
	return (uint64_t)usage.ru_nvcsw;
}

static bool open_desk(struct worker *worker)
{
	const struct disk_desk_config config = {
		.jobs = worker->config.settings->disk_threads,
		.add = add_task,
		.wake = wake,
		.clock_us = clock_us,
		.sleeps = sleeps,
		.arg = worker,
	};

	if (!worker->config.threads)
		return true;
	worker->mounts = mounts_new(worker->first->tree.jail);
	return disk_desk_open(&worker->desk, &config);
}

static bool open_pools(struct worker *worker)
{
	const struct settings *settings = worker->config.settings;
	size_t places = worker->config.places;
	size_t size =
		sizeof(struct conn) + csftp_ssh_size(worker->serving->env);
	/*
	 * What logs in has two or three, what moves bytes one or two; and what
	 * cannot go on has a window's worth.
	 */
	size_t buffers = 4 * (size_t)settings->sources.waiting + 256 +
			 WINDOW_MAX / WORKER_BUFFER;

	return pool_open(&worker->conns, "connections", size, places) &&
	       pool_open(&worker->channels, "channels",
			 sizeof(struct channel) + csftp_serve_size(0),
			 places + places / 4 + 8) &&
	       pool_open(&worker->privates, "privates", sizeof(struct private),
			 places / 8 + 8) &&
	       pool_open(&worker->commands, "commands", exec_size(),
			 COMMANDS) &&
	       pool_open(&worker->askers, "askers", login_size(), places) &&
	       pool_open(&worker->engines, "engines", CSFTP_SERVE_BUF,
			 ENGINES) &&
	       pool_open(&worker->buffers, "buffers", WORKER_BUFFER, buffers);
}

bool worker_open(struct worker *worker, const struct worker_config *config)
{
	*worker = (struct worker){.config = *config};
	pthread_mutex_init(&worker->lock, NULL);
	log_open(&worker->log, &config->log);
	if (!open_loop(worker)) {
		log_fatal(&worker->log, "cannot make an event loop");
		return false;
	}
	worker->mail_cap = WORKER_MAIL(config->places);
	worker->mail = calloc(worker->mail_cap, sizeof(*worker->mail));
	worker->serving = open_serving(worker, config->settings, &worker->log);
	if (!worker->serving)
		return false;
	worker->first = worker->serving;
	worker->first->users++;
	set_level(worker, config->log.level);
	if (worker->mail && open_pools(worker) && open_desk(worker) &&
	    ssh_lib_new(&worker->lib) == CSFTP_OK)
		return true;
	log_fatal(&worker->log, "out of memory");
	return false;
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	worker->config.confine(worker->config.arg);
	(void)uv_run(&worker->loop, UV_RUN_DEFAULT);
	worker->config.drained(worker->config.arg);
	return NULL;
}

bool worker_start(struct worker *worker)
{
	worker->started =
		pthread_create(&worker->thread, NULL, run, worker) == 0;
	return worker->started;
}

void worker_join(struct worker *worker)
{
	if (worker->started)
		(void)pthread_join(worker->thread, NULL);
	worker->started = false;
}

static void close_pools(struct worker *worker)
{
	(void)pool_close(&worker->conns);
	(void)pool_close(&worker->channels);
	(void)pool_close(&worker->buffers);
	(void)pool_close(&worker->engines);
	(void)pool_close(&worker->privates);
	(void)pool_close(&worker->commands);
	(void)pool_close(&worker->askers);
	(void)disk_desk_close(&worker->desk);
	mounts_free(worker->mounts);
}

bool worker_close(struct worker *worker)
{
	struct pool *pools[] = {&worker->conns,	   &worker->channels,
				&worker->buffers,  &worker->engines,
				&worker->privates, &worker->commands,
				&worker->askers,   &worker->desk.jobs};
	struct mail mail;
	bool even = true;

	close_loop(worker);
	/* What came after the end. */
	while (worker->mail && take_mail(worker, &mail))
		settings_put(mail.settings);
	if (worker->serving)
		worker_put_serving(worker->serving);
	if (worker->first)
		worker_put_serving(worker->first);
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		if (pool_used(pools[i]) == 0)
			continue;
		even = false;
		log_say(&worker->log, LEVEL_ERROR,
			"pool %s: %llu acquired, %llu released", pools[i]->name,
			(unsigned long long)pools[i]->acquired,
			(unsigned long long)pools[i]->released);
	}
	close_pools(worker);
	ssh_lib_free(worker->lib);
	free(worker->mail);
	log_close(&worker->log);
	pthread_mutex_destroy(&worker->lock);
	return even;
}
