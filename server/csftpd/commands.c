/* The commands of the control socket. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/version.h"
#include "server/csftpd/conn.h"
#include "server/csftpd/daemon_impl.h"
#include "server/log_words.h"

static uint64_t sum(struct daemon *daemon,
		    uint64_t (*of)(const struct worker *worker))
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < daemon->workers; i++)
		total += of(&daemon->worker[i]);
	return total;
}

static uint64_t placed(const struct worker *worker)
{
	return atomic_load(&worker->placed);
}

static uint64_t accepted(const struct worker *worker)
{
	return atomic_load(&worker->accepted);
}

static uint64_t logins(const struct worker *worker)
{
	return atomic_load(&worker->logins);
}

static uint64_t sessions(const struct worker *worker)
{
	return atomic_load(&worker->sessions);
}

static uint64_t slow(const struct worker *worker)
{
	return atomic_load(&worker->desk.slow);
}

static uint64_t channels(const struct worker *worker)
{
	return pool_used(&worker->channels);
}

static const char *status(struct daemon *daemon, const char *argument,
			  struct report *report)
{
	const struct listening *listening = daemon->config.listening;
	const char *names[LISTEN_MAX];
	struct sources_counts counts;

	(void)argument;
	pthread_mutex_lock(&daemon->sources_lock);
	sources_count(daemon->sources, uv_hrtime() / 1000000, &counts);
	pthread_mutex_unlock(&daemon->sources_lock);
	report_begin(report, REPORT_FACTS);
	report_word(report, "version", CSFTP_VERSION);
	report_number(report, "pid", (uint64_t)getpid());
	report_word(report, "state", daemon->draining ? "draining" : "serving");
	report_number(report, "uptime_s",
		      (uv_now(&daemon->loop) - daemon->since_ms) / 1000);
	report_word(report, "log_level",
		    log_level_word(daemon->log.config.level));
	report_number(report, "workers", daemon->workers);
	report_number(report, "acceptors", daemon->acceptors);
	report_number(report, "disk_threads", daemon->threads.count);
	report_number(report, "disk_busy", atomic_load(&daemon->threads.busy));
	report_number(report, "disk_peak", atomic_load(&daemon->threads.peak));
	report_number(report, "disk_waits",
		      atomic_load(&daemon->threads.tasks));
	report_number(report, "disk_slow", sum(daemon, slow));
	report_number(report, "door_busy", atomic_load(&daemon->door.busy));
	report_number(report, "places",
		      (uint64_t)daemon->places * daemon->workers);
	report_number(report, "connections", sum(daemon, placed));
	report_number(report, "waiting", counts.waiting);
	report_number(report, "silent", counts.silent);
	report_number(report, "dropped", counts.dropped);
	report_number(report, "refused", counts.refused);
	report_number(report, "penalties",
		      counts.v4_sources + counts.v6_sources);
	report_number(report, "accepted", sum(daemon, accepted));
	report_number(report, "logins", sum(daemon, logins));
	report_number(report, "channels", sum(daemon, channels));
	report_number(report, "sessions", sum(daemon, sessions));
	for (size_t i = 0; i < listening->count; i++)
		names[i] = listening->name[i];
	report_words(report, "listening", names, listening->count);
	report_end(report);
	return NULL;
}

/* What another thread's connection shows under the lock of its worker. */
static void add_conn(struct report *report, const struct worker *worker,
		     const struct conn *conn, uint64_t now)
{
	report_row(report);
	report_number(report, "id", conn->id);
	report_number(report, "worker", worker->config.index);
	report_word(report, "address", conn->address);
	report_number(report, "port", conn->port);
	report_word(report, "user", conn->named ? conn->user : "");
	report_number(report, "age_s", (now - conn->since_ms) / 1000);
	report_number(
		report, "in",
		atomic_load_explicit(&conn->bytes_in, memory_order_relaxed));
	report_number(
		report, "out",
		atomic_load_explicit(&conn->bytes_out, memory_order_relaxed));
}

static const char *list_sessions(struct daemon *daemon, const char *argument,
				 struct report *report)
{
	uint64_t now = uv_hrtime() / 1000000;

	(void)argument;
	report_begin(report, REPORT_TABLE);
	for (uint32_t i = 0; i < daemon->workers; i++) {
		struct worker *worker = &daemon->worker[i];

		pthread_mutex_lock(&worker->lock);
		for (const struct conn *conn = worker->list; conn;
		     conn = conn->next)
			add_conn(report, worker, conn,
				 now > conn->since_ms ? now : conn->since_ms);
		pthread_mutex_unlock(&worker->lock);
	}
	report_end(report);
	return NULL;
}

static const char *list_workers(struct daemon *daemon, const char *argument,
				struct report *report)
{
	(void)argument;
	report_begin(report, REPORT_TABLE);
	for (uint32_t i = 0; i < daemon->workers; i++) {
		const struct worker *worker = &daemon->worker[i];

		report_row(report);
		report_number(report, "worker", i);
		report_number(report, "places", daemon->places);
		report_number(report, "connections", placed(worker));
		report_number(report, "accepted", accepted(worker));
		report_number(report, "logins", logins(worker));
		report_number(report, "channels", channels(worker));
		report_number(report, "sessions", sessions(worker));
	}
	report_end(report);
	return NULL;
}

static void add_pool(struct report *report, uint32_t worker,
		     const struct pool *pool)
{
	report_row(report);
	report_number(report, "worker", worker);
	report_word(report, "pool", pool->name);
	report_number(report, "size", pool->size);
	report_number(report, "count", pool->count);
	report_number(report, "used", pool_used(pool));
	report_number(report, "peak", atomic_load(&pool->peak));
	report_number(report, "acquired", atomic_load(&pool->acquired));
	report_number(report, "released", atomic_load(&pool->released));
	report_number(report, "refused", atomic_load(&pool->refused));
}

static const char *list_pools(struct daemon *daemon, const char *argument,
			      struct report *report)
{
	(void)argument;
	report_begin(report, REPORT_TABLE);
	for (uint32_t i = 0; i < daemon->workers; i++) {
		const struct worker *worker = &daemon->worker[i];

		add_pool(report, i, &worker->conns);
		add_pool(report, i, &worker->channels);
		add_pool(report, i, &worker->buffers);
		add_pool(report, i, &worker->engines);
		add_pool(report, i, &worker->privates);
		add_pool(report, i, &worker->commands);
		add_pool(report, i, &worker->askers);
		if (worker->config.threads)
			add_pool(report, i, &worker->desk.jobs);
	}
	report_end(report);
	return NULL;
}

static bool has_conn(struct worker *worker, uint64_t id)
{
	const struct conn *conn;

	pthread_mutex_lock(&worker->lock);
	for (conn = worker->list; conn && conn->id != id;)
		conn = conn->next;
	pthread_mutex_unlock(&worker->lock);
	return conn != NULL;
}

static const char *kill_one(struct daemon *daemon, const char *argument,
			    struct report *report)
{
	char *end;
	const struct mail mail = {.kind = MAIL_KILL,
				  .fd = -1,
				  .id = strtoull(argument, &end, 10)};
	uint32_t i = 0;

	(void)report;
	if (mail.id == 0 || *end)
		return "there is no such connection";
	while (i < daemon->workers && !has_conn(&daemon->worker[i], mail.id))
		i++;
	if (i == daemon->workers)
		return "there is no such connection";
	return worker_mail(&daemon->worker[i], &mail)
		       ? NULL
		       : "its worker does not answer";
}

static const char *forgive(struct daemon *daemon, const char *argument,
			   struct report *report)
{
	(void)argument;
	(void)report;
	pthread_mutex_lock(&daemon->sources_lock);
	sources_forgive(daemon->sources);
	pthread_mutex_unlock(&daemon->sources_lock);
	return NULL;
}

static const char *set_level(struct daemon *daemon, const char *argument,
			     struct report *report)
{
	enum log_level level;

	(void)report;
	if (!log_level_of(argument, &level))
		return "unknown level";
	daemon_set_level(daemon, level);
	return NULL;
}

static const char *reload(struct daemon *daemon, const char *argument,
			  struct report *report)
{
	(void)argument;
	(void)report;
	return daemon_reload(daemon) ? NULL : daemon->why;
}

const char *daemon_command(void *arg, const char *name, const char *argument,
			   struct report *report)
{
	static const struct {
		const char *name;
		const char *(*act)(struct daemon *daemon, const char *argument,
				   struct report *report);
		bool takes_argument;
	} commands[] = {
		{"status", status, false},
		{"sessions", list_sessions, false},
		{"kill", kill_one, true},
		{"workers", list_workers, false},
		{"pools", list_pools, false},
		{"log-level", set_level, true},
		{"reload", reload, false},
		{"forgive", forgive, false},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (*argument && !commands[i].takes_argument)
			return "this command takes no argument";
		return commands[i].act(arg, argument, report);
	}
	return "unknown command; see csftpd ctl --help";
}
