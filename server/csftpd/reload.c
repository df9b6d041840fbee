/* The settings, and the file of the trail, again while the daemon runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/csftpd/daemon_impl.h"
#include "server/csftpd/notify.h"

/* A FIFO has to have its reader by now. */
#define AUDIT_FLAGS                                                            \
	(O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

enum audit_kind { AUDIT_NONE, AUDIT_SYSLOG, AUDIT_FD, AUDIT_FILE };

static enum audit_kind audit_kind_of(const struct settings *settings)
{
	const char *target = settings->sftp.audit;

	if (!target)
		return AUDIT_NONE;
	if (strcmp(target, "syslog") == 0)
		return AUDIT_SYSLOG;
	return strncmp(target, "fd:", 3) == 0 ? AUDIT_FD : AUDIT_FILE;
}

/* A descriptor's number may be one of ours by now, and a trail has no gap. */
static bool audit_can_become(const struct settings *from,
			     const struct settings *to)
{
	enum audit_kind kind = audit_kind_of(from);

	return kind == audit_kind_of(to) &&
	       (kind != AUDIT_FD ||
		strcmp(from->sftp.audit, to->sftp.audit) == 0);
}

static int open_trail(const char *path)
{
	int fd = open(path, AUDIT_FLAGS, 0600);
	int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

bool daemon_open_audit(struct daemon *daemon)
{
	const char *target = daemon->settings->sftp.audit;

	if (audit_kind_of(daemon->settings) != AUDIT_FILE)
		return true;
	daemon->audit_fd = open_trail(target);
	if (daemon->audit_fd < 0)
		log_fatal(&daemon->log, "Audit %s: %s", target,
			  strerror(errno));
	(void)snprintf(daemon->audit_to, sizeof(daemon->audit_to), "fd:%d",
		       daemon->audit_fd);
	return daemon->audit_fd >= 0;
}

/* The file may have been moved away: from now on it is the new one. */
static void open_audit_again(struct daemon *daemon)
{
	const char *target = daemon->settings->sftp.audit;
	int fd;

	if (audit_kind_of(daemon->settings) != AUDIT_FILE)
		return;
	fd = open_trail(target);
	if (fd < 0)
		log_say(&daemon->log, LEVEL_ERROR,
			"Audit %s: %s; it stays where it was", target,
			strerror(errno));
	else
		(void)dup3(fd, daemon->audit_fd, O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

static void tell_reloading(const struct daemon *daemon)
{
	struct timespec now;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)now.tv_sec * 1000000 +
			       (unsigned long long)now.tv_nsec / 1000);
	notify_say(daemon->config.notify_fd, text);
}

static bool same_sources(const struct sources_config *a,
			 const struct sources_config *b)
{
	return a->waiting == b->waiting &&
	       a->waiting_source == b->waiting_source &&
	       a->v4_bits == b->v4_bits && a->v6_bits == b->v6_bits &&
	       a->penalties == b->penalties &&
	       memcmp(a->end_ms, b->end_ms, sizeof(a->end_ms)) == 0 &&
	       a->min_ms == b->min_ms && a->max_ms == b->max_ms &&
	       a->v4_sources == b->v4_sources &&
	       a->v6_sources == b->v6_sources &&
	       a->v4_overflow == b->v4_overflow &&
	       a->v6_overflow == b->v6_overflow &&
	       a->exempt.len == b->exempt.len &&
	       (a->exempt.len == 0 ||
		memcmp(a->exempt.ptr, b->exempt.ptr, a->exempt.len) == 0);
}

/* Of paths that may be none. */
static bool same_path(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_umask(const struct server_options *a,
		       const struct server_options *b)
{
	return a->has_umask == b->has_umask &&
	       (!a->has_umask || a->umask == b->umask);
}

/* What was opened or counted out at the start stays as it is. */
static void warn_of_fixed(struct daemon *daemon, const struct settings *to)
{
	const struct settings *from = daemon->config.settings;
	bool same = from->port_count == to->port_count &&
		    from->listen_count == to->listen_count &&
		    same_path(from->control, to->control) &&
		    same_path(from->pid_file, to->pid_file) &&
		    same_umask(&from->sftp, &to->sftp) &&
		    from->workers == to->workers &&
		    from->acceptors == to->acceptors &&
		    from->disk_threads == to->disk_threads &&
		    from->connections == to->connections &&
		    from->sessions == to->sessions &&
		    same_sources(&from->sources, &to->sources) &&
		    from->sftp.sandbox == to->sftp.sandbox &&
		    memcmp(from->port, to->port, sizeof(to->port)) == 0;

	for (size_t i = 0; same && i < to->listen_count; i++)
		same = from->listen[i].port == to->listen[i].port &&
		       strcmp(from->listen[i].host, to->listen[i].host) == 0;
	if (!same)
		log_say(&daemon->log, LEVEL_ERROR,
			"reload: addresses, Workers, Acceptors, DiskThreads, "
			"Max..., PerSource..., ControlSocket, PidFile, Sandbox "
			"and -u change at the next start only");
}

static void set_facility(struct daemon *daemon, int facility)
{
	daemon->log.config.facility = facility;
	pthread_mutex_lock(&daemon->sources_lock);
	daemon->accept_log.config.facility = facility;
	pthread_mutex_unlock(&daemon->sources_lock);
}

static void take_settings(struct daemon *daemon, struct settings *settings)
{
	warn_of_fixed(daemon, settings);
	/* What memory was counted out for. */
	settings->sessions = daemon->settings->sessions;
	for (uint32_t i = 0; i < daemon->workers; i++) {
		const struct mail mail = {
			.kind = MAIL_SETTINGS,
			.fd = -1,
			.settings = settings_get(settings),
		};

		(void)worker_mail(&daemon->worker[i], &mail);
	}
	settings_put(daemon->settings);
	daemon->settings = settings;
	set_facility(daemon, settings->log_facility);
	daemon_set_level(daemon, settings->log_level);
	open_audit_again(daemon);
	log_say(&daemon->log, LEVEL_INFO, "settings were read again");
}

bool daemon_reload(struct daemon *daemon)
{
	struct settings *settings;

	tell_reloading(daemon);
	pthread_mutex_lock(&daemon->parse_lock);
	settings = settings_read(&daemon->config.source, daemon->why);
	pthread_mutex_unlock(&daemon->parse_lock);
	if (settings && !audit_can_become(daemon->settings, settings)) {
		(void)snprintf(daemon->why, sizeof(daemon->why),
			       "Audit: to something else than another file it "
			       "changes at the next start only");
		settings_put(settings);
		settings = NULL;
	}
	if (settings &&
	    !settings_load_keys(settings, daemon->config.key_path, HOSTKEY_MAKE,
				NULL, NULL, daemon->why)) {
		settings_put(settings);
		settings = NULL;
	}
	/* What can be read may still not be there, as a Root. */
	if (settings &&
	    !worker_can_serve(&daemon->worker[0], settings, &daemon->log)) {
		(void)snprintf(daemon->why, sizeof(daemon->why),
			       "it cannot be served so; the log says why");
		settings_put(settings);
		settings = NULL;
	}
	if (settings)
		take_settings(daemon, settings);
	else
		log_say(&daemon->log, LEVEL_ERROR,
			"reload: all stays as it was: %s", daemon->why);
	notify_say(daemon->config.notify_fd, "READY=1");
	return settings != NULL;
}
