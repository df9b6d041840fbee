#include "server/csftpd/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/csftpd/calls.h"
#include "server/csftpd/confine.h"
#include "server/csftpd/daemon_impl.h"
#include "server/csftpd/notify.h"

enum { WORKERS_MAX = 256 };

/* How long nothing is said in a session that is ended while we drain, and how
 * often that is looked at. */
enum { QUIET_MS = 5000, LOOK_MS = 1000 };

/*
 * Descriptors that are not for connections: of a loop and a thread, what is
 * open in any case, and some for the files of sessions.
 */
enum { WORKER_FILES = 16, OTHER_FILES = 32 };

/* The one with the fewest connections; NULL: all are full, or busy. */
static struct worker *least_loaded(struct daemon *daemon)
{
	struct worker *best = NULL;
	uint32_t least = daemon->places;

	for (uint32_t i = 0; i < daemon->workers; i++) {
		uint32_t placed = atomic_load(&daemon->worker[i].placed);

		if (placed >= least ||
		    atomic_load(&daemon->worker[i].newcomers) >=
			    WORKER_NEWCOMERS)
			continue;
		least = placed;
		best = &daemon->worker[i];
	}
	return best;
}

static bool has_place(void *arg)
{
	return least_loaded(arg) != NULL;
}

/* Several acceptors may want the same place: who comes too late looks on. */
static struct worker *reserve(struct daemon *daemon)
{
	struct worker *worker;

	while ((worker = least_loaded(daemon))) {
		if (atomic_fetch_add(&worker->placed, 1) < daemon->places)
			return worker;
		atomic_fetch_sub(&worker->placed, 1);
	}
	return NULL;
}

static void mail_all(struct daemon *daemon, enum mail_kind kind, uint64_t id)
{
	const struct mail mail = {.kind = kind, .fd = -1, .id = id};

	for (uint32_t i = 0; i < daemon->workers; i++)
		(void)worker_mail(&daemon->worker[i], &mail);
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

/*
 * A socket for both families, which we may be given, has IPv4's addresses in
 * IPv6's (RFC 4291, 2.5.5.2).  Then all of them would be one block for bounds
 * and penalties, and on no list.
 */
static void unmap(struct sockaddr_storage *from)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in = {.sin_family = AF_INET};

	memcpy(&in6, from, sizeof(in6));
	if (from->ss_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	in.sin_port = in6.sin6_port;
	memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof(in.sin_addr));
	*from = (struct sockaddr_storage){.ss_family = AF_INET};
	memcpy(from, &in, sizeof(in));
}

/* No bits: it has no address. */
static void address_of(const struct sockaddr_storage *from, struct ssh_addr *to)
{
	const struct sockaddr_in *in = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;

	*to = (struct ssh_addr){.bits = 0};
	if (from->ss_family == AF_INET) {
		memcpy(to->bytes, &in->sin_addr, 4);
		to->bits = 32;
	} else if (from->ss_family == AF_INET6) {
		memcpy(to->bytes, &in6->sin6_addr, 16);
		to->bits = 128;
	}
}

static void say_refused(struct daemon *daemon, const struct ssh_addr *addr,
			enum sources_answer answer)
{
	char text[INET6_ADDRSTRLEN] = "UNKNOWN";

	if (addr->bits > 0)
		(void)inet_ntop(addr->bits == 32 ? AF_INET : AF_INET6,
				addr->bytes, text, sizeof(text));
	log_say(&daemon->accept_log, LEVEL_VERBOSE,
		"drop connection from %s: %s", text,
		answer == SOURCES_PENALTY ? "penalty"
					  : "too many wait to log in");
}

static void heard(void *arg, sources_ticket ticket)
{
	struct daemon *daemon = arg;

	pthread_mutex_lock(&daemon->sources_lock);
	sources_heard(daemon->sources, ticket);
	pthread_mutex_unlock(&daemon->sources_lock);
}

static void leave(void *arg, sources_ticket ticket, enum sources_end end)
{
	struct daemon *daemon = arg;

	pthread_mutex_lock(&daemon->sources_lock);
	sources_leave(daemon->sources, ticket, end, now_ms());
	pthread_mutex_unlock(&daemon->sources_lock);
}

enum arrival { ARRIVED, REFUSED, NO_PLACE };

/* To the worker that has it, as the boxes of others are no place for it. */
static void send_drop(struct daemon *daemon,
		      const struct sources_arrival *arrival)
{
	const struct mail mail = {
		.kind = MAIL_DROP, .fd = -1, .id = arrival->drop};

	(void)worker_mail(&daemon->worker[arrival->drop_keeper], &mail);
}

/* Under the lock of sources. */
static enum arrival arrive(struct daemon *daemon, struct worker *worker,
			   struct mail *mail)
{
	struct sources_arrival arrival;
	struct ssh_addr addr;

	address_of(&mail->from, &addr);
	sources_arrive(daemon->sources, &addr,
		       (uint32_t)(worker - daemon->worker), now_ms(), &arrival);
	if (arrival.answer != SOURCES_TAKE) {
		say_refused(daemon, &addr, arrival.answer);
		return REFUSED;
	}
	if (arrival.drop != 0)
		send_drop(daemon, &arrival);
	mail->ticket = arrival.ticket;
	mail->id = atomic_fetch_add(&daemon->next_id, 1) + 1;
	if (worker_mail(worker, mail))
		return ARRIVED;
	sources_leave(daemon->sources, mail->ticket, SOURCES_DONE, now_ms());
	return NO_PLACE;
}

/*
 * The place is there first: who has a ticket has to be able to lose it.  And no
 * other acceptor has a ticket dropped before the mail is sent that it comes
 * with, as nobody would know whose it is.
 */
static bool place(void *arg, int fd, const struct sockaddr_storage *from)
{
	struct daemon *daemon = arg;
	struct worker *worker = reserve(daemon);
	struct mail mail = {
		.kind = MAIL_CONNECTION,
		.fd = fd,
		.from = *from,
	};
	enum arrival arrival;

	if (!worker)
		return false;
	unmap(&mail.from);
	pthread_mutex_lock(&daemon->sources_lock);
	arrival = arrive(daemon, worker, &mail);
	pthread_mutex_unlock(&daemon->sources_lock);
	if (arrival != ARRIVED)
		atomic_fetch_sub(&worker->placed, 1);
	if (arrival == REFUSED)
		close(fd);
	return arrival != NO_PLACE;
}

static void place_free(void *arg)
{
	struct daemon *daemon = arg;

	for (uint32_t i = 0; i < daemon->acceptors; i++)
		acceptor_wake(&daemon->acceptor[i]);
}

static void accept_failed(void *arg, int err)
{
	struct daemon *daemon = arg;

	pthread_mutex_lock(&daemon->sources_lock);
	log_say(&daemon->accept_log, LEVEL_ERROR,
		"accept: %s; connections wait", strerror(err));
	pthread_mutex_unlock(&daemon->sources_lock);
}

static void drained(void *arg)
{
	struct daemon *daemon = arg;

	atomic_fetch_add(&daemon->drained, 1);
	(void)uv_async_send(&daemon->wake);
}

static void stop_accepting(struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->acceptors && daemon->acceptor; i++)
		acceptor_stop(&daemon->acceptor[i]);
	/* Who comes now is to be told at once. */
	listen_close(daemon->config.listening);
}

static void end_now(struct daemon *daemon)
{
	log_say(&daemon->log, LEVEL_INFO, "ending now");
	(void)uv_timer_stop(&daemon->drain);
	mail_all(daemon, MAIL_STOP, 0);
}

static void on_drain(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;
	uint64_t since = uv_now(&daemon->loop) - daemon->drain_since_ms;

	if (since >= daemon->settings->drain_ms)
		end_now(daemon);
	else if (since >= QUIET_MS)
		mail_all(daemon, MAIL_DRAIN, QUIET_MS);
}

static void end(struct daemon *daemon)
{
	if (daemon->draining) {
		end_now(daemon);
		return;
	}
	daemon->draining = true;
	notify_say(daemon->config.notify_fd, "STOPPING=1");
	log_say(&daemon->log, LEVEL_INFO, "ending when all have ended");
	stop_accepting(daemon);
	mail_all(daemon, MAIL_DRAIN, 0);
	daemon->drain_since_ms = uv_now(&daemon->loop);
	if (daemon->settings->drain_ms > 0)
		(void)uv_timer_start(&daemon->drain, on_drain, LOOK_MS,
				     LOOK_MS);
}

void daemon_set_level(struct daemon *daemon, enum log_level level)
{
	daemon->log.config.level = level;
	pthread_mutex_lock(&daemon->sources_lock);
	daemon->accept_log.config.level = level;
	pthread_mutex_unlock(&daemon->sources_lock);
	mail_all(daemon, MAIL_LEVEL, level);
}

static void on_signal(uv_signal_t *signal, int number)
{
	if (number == SIGHUP)
		(void)daemon_reload(signal->data);
	else
		end(signal->data);
}

static void on_wake(uv_async_t *async)
{
	struct daemon *daemon = async->data;

	if (atomic_load(&daemon->drained) == daemon->workers)
		uv_stop(&daemon->loop);
}

static struct log_config log_config_of(const struct daemon *daemon)
{
	return (struct log_config){
		.level = daemon->settings->log_level,
		.facility = daemon->settings->log_facility,
		.to_stderr = daemon->config.to_stderr,
		.name = "csftpd",
	};
}

static bool open_loop(struct daemon *daemon)
{
	static const int numbers[DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
	bool good = uv_loop_init(&daemon->loop) == 0 &&
		    uv_async_init(&daemon->loop, &daemon->wake, on_wake) == 0;

	daemon->wake.data = daemon;
	(void)uv_timer_init(&daemon->loop, &daemon->drain);
	daemon->drain.data = daemon;
	for (size_t i = 0; good && i < DAEMON_SIGNALS; i++) {
		(void)uv_signal_init(&daemon->loop, &daemon->signal[i]);
		daemon->signal[i].data = daemon;
		good = uv_signal_start(&daemon->signal[i], on_signal,
				       numbers[i]) == 0;
	}
	return good;
}

static bool open_control(struct daemon *daemon)
{
	const struct control_config config = {
		.path = daemon->settings->control,
		.command = daemon_command,
		.arg = daemon,
	};
	int err;

	if (!config.path)
		return true;
	err = control_open(&daemon->control, &daemon->loop, &config);
	if (err != 0)
		log_fatal(&daemon->log, "ControlSocket %s: %s", config.path,
			  strerror(err));
	return err == 0;
}

static void close_loop(struct daemon *daemon)
{
	control_close(&daemon->control);
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		uv_close((uv_handle_t *)&daemon->signal[i], NULL);
	uv_close((uv_handle_t *)&daemon->wake, NULL);
	uv_close((uv_handle_t *)&daemon->drain, NULL);
	(void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&daemon->loop);
}

uint32_t daemon_workers(const struct settings *settings)
{
	uint32_t count = settings->workers;

	if (count == 0)
		count = uv_available_parallelism();
	return count < WORKERS_MAX ? count : WORKERS_MAX;
}

/*
 * Who finds no descriptor left would be let in and have no file to open, so
 * more wait in the kernel.
 */
static uint32_t count_places(struct daemon *daemon, uint32_t workers)
{
	uint32_t wanted = daemon->settings->connections;
	rlim_t own = OTHER_FILES + (rlim_t)WORKER_FILES * workers;
	struct rlimit limit = {.rlim_cur = 0};
	uint32_t places;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    (limit.rlim_cur > own && limit.rlim_cur - own >= wanted))
		return wanted;
	places = limit.rlim_cur > own ? (uint32_t)(limit.rlim_cur - own) : 1;
	log_say(&daemon->log, LEVEL_ERROR,
		"MaxConnections %u: it is %u, as only %llu files may be open; "
		"raise that limit (ulimit -n, LimitNOFILE=)",
		wanted, places, (unsigned long long)limit.rlim_cur);
	return places;
}

static bool open_workers(struct daemon *daemon)
{
	const struct settings *settings = daemon->settings;
	uint32_t count = daemon_workers(settings);
	struct worker_config config = {
		.settings = daemon->settings,
		.log = log_config_of(daemon),
		.threads = settings->disk_threads > 0 ? &daemon->threads : NULL,
		.door = settings->disk_threads > 0 ? &daemon->door : NULL,
		.parse_lock = &daemon->parse_lock,
		.confine = confine_thread,
		.audit_to = daemon->audit_fd >= 0 ? daemon->audit_to : NULL,
		.place_free = place_free,
		.heard = heard,
		.leave = leave,
		.drained = drained,
		.arg = daemon,
	};

	daemon->places = (count_places(daemon, count) + count - 1) / count;
	config.places = daemon->places;
	daemon->worker = calloc(count, sizeof(*daemon->worker));
	for (uint32_t i = 0; daemon->worker && i < count; i++) {
		config.index = i;
		daemon->workers++;
		if (!worker_open(&daemon->worker[i], &config))
			return false;
	}
	return daemon->worker != NULL;
}

static bool start_workers(struct daemon *daemon)
{
	uint32_t waiting = daemon->settings->disk_threads;

	if (!threads_start(&daemon->threads, waiting, confine_thread, daemon) ||
	    !threads_start(&daemon->door, waiting, confine_thread, daemon))
		return false;
	for (uint32_t i = 0; i < daemon->workers; i++)
		if (!worker_start(&daemon->worker[i]))
			return false;
	return true;
}

static bool start_acceptors(struct daemon *daemon)
{
	const struct acceptor_config config = {
		.sockets = daemon->config.listening->fd,
		.count = daemon->config.listening->count,
		.confine = confine_thread,
		.place = place,
		.has_place = has_place,
		.failed = accept_failed,
		.arg = daemon,
	};
	uint32_t count = daemon->settings->acceptors;

	for (uint32_t i = 0; i < count; i++)
		if (!acceptor_open(&daemon->acceptor[i], &config))
			return false;
	for (uint32_t i = 0; i < count; i++)
		if (!acceptor_start(&daemon->acceptor[i]))
			return false;
	return true;
}

static bool open_sources(struct daemon *daemon)
{
	struct sources_config config = daemon->settings->sources;
	enum csftp_err err;

	if (getrandom(&config.seed, sizeof(config.seed), 0) < 0)
		config.seed = now_ms();
	err = sources_new(&daemon->sources, &config);
	if (err != CSFTP_OK)
		log_fatal(&daemon->log, "MaxStartups, PerSource...: %s",
			  csftp_strerror(err));
	return err == CSFTP_OK;
}

/* With a Root, what is outside of it cannot be removed from inside. */
static void start_sweeper(struct daemon *daemon)
{
	const struct settings *settings = daemon->settings;
	const char *path[SWEEPER_PATHS];
	size_t count = 0;

	if (settings->sftp.sandbox == SANDBOX_OFF || !settings->sftp.root)
		return;
	if (settings->control)
		path[count++] = settings->control;
	if (settings->pid_file)
		path[count++] = settings->pid_file;
	if (count > 0 && !sweeper_start(&daemon->sweeper, path, count))
		log_say(&daemon->log, LEVEL_ERROR,
			"ControlSocket and PidFile stay at the end: %s",
			strerror(errno));
}

static bool start(struct daemon *daemon)
{
	const struct listening *listening = daemon->config.listening;

	daemon->acceptors = daemon->settings->acceptors;
	daemon->acceptor = calloc(daemon->acceptors, sizeof(*daemon->acceptor));
	if (!daemon->acceptor || !open_control(daemon))
		return false;
	start_sweeper(daemon);
	if (!open_sources(daemon) || !daemon_open_audit(daemon) ||
	    !open_workers(daemon) || !confine_files(daemon))
		return false;
	if (!start_workers(daemon) || !start_acceptors(daemon)) {
		log_fatal(&daemon->log, "cannot start a thread");
		return false;
	}
	if (!confine_wait(daemon, daemon->workers + daemon->acceptors +
					  daemon->threads.count +
					  daemon->door.count))
		return false;
	daemon->config.ready(daemon->config.arg);
	for (size_t i = 0; i < listening->count; i++)
		log_say(&daemon->log, LEVEL_INFO, "Server listening on %s.",
			listening->name[i]);
	notify_say(daemon->config.notify_fd, "READY=1");
	return true;
}

/* Also of what was not started, or not all of it. */
static bool stop(struct daemon *daemon)
{
	bool even = true;

	stop_accepting(daemon);
	mail_all(daemon, MAIL_STOP, 0);
	for (uint32_t i = 0; i < daemon->workers; i++)
		worker_join(&daemon->worker[i]);
	threads_stop(&daemon->threads);
	threads_stop(&daemon->door);
	for (uint32_t i = 0; i < daemon->acceptors && daemon->acceptor; i++)
		acceptor_close(&daemon->acceptor[i]);
	for (uint32_t i = 0; i < daemon->workers; i++)
		even = worker_close(&daemon->worker[i]) && even;
	calls_free(daemon->calls);
	sources_free(daemon->sources);
	free(daemon->acceptor);
	free(daemon->worker);
	return even;
}

int daemon_run(const struct daemon_config *config)
{
	struct daemon daemon = {
		.config = *config,
		.settings = settings_get(config->settings),
		.audit_fd = -1,
		.sweeper = {.fd = -1},
	};
	struct log_config log = log_config_of(&daemon);
	bool good;

	pthread_mutex_init(&daemon.parse_lock, NULL);
	pthread_mutex_init(&daemon.sources_lock, NULL);
	log_open(&daemon.log, &log);
	log_open(&daemon.accept_log, &log);
	(void)uv_sem_init(&daemon.confined, 0);
	threads_init(&daemon.threads);
	threads_init(&daemon.door);
	good = open_loop(&daemon);
	if (!good)
		log_fatal(&daemon.log, "cannot make an event loop");
	daemon.since_ms = uv_now(&daemon.loop);
	good = good && start(&daemon);
	if (good)
		(void)uv_run(&daemon.loop, UV_RUN_DEFAULT);
	good = stop(&daemon) && good;
	close_loop(&daemon);
	sweeper_end(&daemon.sweeper);
	log_say(&daemon.log, LEVEL_INFO, "ended");
	log_close(&daemon.log);
	log_close(&daemon.accept_log);
	uv_sem_destroy(&daemon.confined);
	if (daemon.audit_fd >= 0)
		close(daemon.audit_fd);
	settings_put(daemon.settings);
	/* Until here, as the sources point into it. */
	settings_put(config->settings);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
