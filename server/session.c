#include "server/session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/layer/quota.h"
#include "core/layer/rate.h"
#include "core/layer/upload.h"
#include "server/account.h"
#include "server/events.h"
#include "server/names.h"
#include "server/sandbox.h"

#define HOUR_US 3600000000U

void session_fatal(struct session *session, const char *format, ...)
{
	char text[2 * SERVER_WHY_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_say(&session->log, LEVEL_FATAL, "%s", text);
	if (!session->log.config.to_stderr)
		fprintf(stderr, "csftp-server: %s\n", text);
}

/* A user that no name service knows is served as well. */
static void learn_peer(struct session_peer *peer)
{
	const struct passwd *pw = account_user(geteuid());
	const char *connection = getenv("SSH_CONNECTION");
	size_t len = connection ? strcspn(connection, " ") : 0;

	peer->known = pw;
	if (pw)
		(void)snprintf(peer->user, sizeof(peer->user), "%s",
			       pw->pw_name);
	else
		(void)snprintf(peer->user, sizeof(peer->user), "%lu",
			       (unsigned long)geteuid());
	(void)snprintf(peer->home, sizeof(peer->home), "%s",
		       pw && pw->pw_dir[0] ? pw->pw_dir : "/");
	if (len == 0 || len >= sizeof(peer->address))
		(void)snprintf(peer->address, sizeof(peer->address), "UNKNOWN");
	else
		(void)snprintf(peer->address, sizeof(peer->address), "%.*s",
			       (int)len, connection);
}

/* An option's path with its % replaced; NULL for NULL. */
static bool expand(struct session *session, const char *text,
		   char out[PATH_MAX], const char **path)
{
	int err;

	*path = NULL;
	if (!text)
		return true;
	err = server_expand(out, PATH_MAX, text, session->peer.home,
			    session->peer.user);
	*path = out;
	if (err == 0)
		return true;
	session_fatal(session, "%s: %s", text,
		      err == EINVAL ? "unknown letter behind a %"
				    : strerror(err));
	return false;
}

static bool open_audit(struct session *session)
{
	char room[PATH_MAX];
	struct audit_config config = {
		.log = &session->log,
		.user = session->peer.user,
		.peer = session->peer.address,
	};
	enum csftp_err err;

	if (!expand(session, session->options->audit, room, &config.target))
		return false;
	if (!config.target)
		return true;
	if (getrandom(&config.session, sizeof(config.session), 0) < 0)
		config.session = (uint64_t)getpid();
	err = audit_open(&session->audit, &config);
	if (err != CSFTP_OK) {
		session_fatal(session, "audit to %s: %s", config.target,
			      err == CSFTP_ERR_IO ? strerror(errno)
						  : csftp_strerror(err));
		return false;
	}
	err = audit_session(session->audit, "session-open") == 0 ? CSFTP_OK
								 : CSFTP_ERR_IO;
	if (err != CSFTP_OK)
		session_fatal(session, "audit to %s cannot be written",
			      config.target);
	return err == CSFTP_OK;
}

/*
 * As OpenSSH, a start directory that cannot be used is an error and not the
 * end: then it is where we are, or "/".  That is no way around a jail, as it is
 * inside of it that we start.
 */
static enum csftp_err open_started(struct session *session,
				   struct posixfs_config *config)
{
	const char *wish = config->start;
	enum csftp_err err = posixfs_new(&session->tree, config);
	int wrong = errno;

	if (err == CSFTP_ERR_IO && wish) {
		config->start = NULL;
		err = posixfs_new(&session->tree, config);
	}
	if (err == CSFTP_ERR_IO && !config->root) {
		config->start = "/";
		err = posixfs_new(&session->tree, config);
	}
	if (err == CSFTP_OK && config->start != wish)
		log_say(&session->log, LEVEL_ERROR,
			"chdir to \"%s\" failed: %s", wish ? wish : ".",
			strerror(wrong));
	return err;
}

static bool open_tree(struct session *session)
{
	const struct server_options *options = session->options;
	char start[PATH_MAX], root[PATH_MAX];
	struct posixfs_config config = {
		.views = options->view,
		.view_count = options->view_count,
		.files = options->files,
		.dirs = options->dirs,
	};
	enum csftp_err err;

	if (!expand(session, options->start, start, &config.start) ||
	    !expand(session, options->root, root, &config.root))
		return false;
	if (config.root) {
		session->jail = realpath(config.root, NULL);
		if (!session->jail) {
			session_fatal(session, "%s: %s", config.root,
				      strerror(errno));
			return false;
		}
		config.root = session->jail;
	} else if (options->view_count > 0) {
		config.root = "/"; /* a jail is what can have views */
	}
	err = open_started(session, &config);
	if (err == CSFTP_OK)
		return true;
	session_fatal(session, "%s%s: %s", config.root ? config.root : "/",
		      options->view_count > 0 ? ", or the top of a view" : "",
		      err == CSFTP_ERR_IO ? strerror(errno)
					  : csftp_strerror(err));
	return false;
}

static uint64_t clock_us(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int admit(void *arg, const struct csftp_req *req)
{
	struct session *session = arg;

	(void)req;
	return session->audit ? audit_admit(session->audit) : 0;
}

static void finished(void *arg, const struct watch_event *event)
{
	struct session *session = arg;

	events_log(&session->log, event);
	if (session->audit)
		audit_event(session->audit, event);
}

/* Who is told of nothing costs nothing. */
static enum csftp_err add_watch(struct session *session)
{
	struct watch_config config = {
		.under = session->top,
		.admit = session->audit ? admit : NULL,
		.finished = finished,
		.clock_us = session->audit ? clock_us : NULL,
		.arg = session,
	};
	enum csftp_err err;

	if (!session->audit && !log_wants(&session->log, LEVEL_INFO))
		return CSFTP_OK;
	err = watch_new(&session->watch, &config);
	if (err == CSFTP_OK)
		session->top = session->watch;
	return err;
}

static enum csftp_err add_names(struct session *session)
{
	const struct session_peer *peer = &session->peer;
	const struct names_config config = {
		.user = peer->known ? peer->user : NULL,
		.home = peer->known ? peer->home : NULL,
		.jail = session->jail,
	};
	enum csftp_err err;

	if (session->options->sandbox == SANDBOX_OFF)
		return CSFTP_OK;
	err = names_new(&session->names, session->top, &config);
	if (err == CSFTP_OK)
		session->top = session->names;
	return err;
}

static enum csftp_err add_quota(struct session *session)
{
	enum csftp_err err;

	if (session->options->quota == 0)
		return CSFTP_OK;
	err = quota_new(&session->quota, session->top, session->options->quota);
	if (err == CSFTP_OK)
		session->top = session->quota;
	return err;
}

static enum csftp_err add_upload(struct session *session)
{
	struct upload_config config = {
		.under = session->top,
		.keep_partial = session->options->keep_partial,
	};
	enum csftp_err err;

	if (!session->options->atomic_upload)
		return CSFTP_OK;
	if (getrandom(&config.seed, sizeof(config.seed), 0) < 0)
		return CSFTP_ERR_IO;
	err = upload_new(&session->upload, &config);
	if (err == CSFTP_OK)
		session->top = session->upload;
	return err;
}

static enum csftp_err add_rate(struct session *session)
{
	const struct rate_config config = {
		.under = session->top,
		.per_second = session->options->rate,
		.clock_us = clock_us,
	};
	enum csftp_err err;

	if (session->options->rate == 0)
		return CSFTP_OK;
	err = rate_new(&session->rate, &config);
	if (err == CSFTP_OK)
		session->top = session->rate;
	return err;
}

void session_keep_pace(struct session *session)
{
	uint64_t wait_us = session->rate ? rate_wait_us(session->rate) : 0;
	struct pollfd reader = {.fd = STDOUT_FILENO};

	if (wait_us > HOUR_US)
		wait_us = HOUR_US;
	if (wait_us > 0)
		(void)poll(&reader, 1, (int)((wait_us + 999) / 1000));
}

/* csftp_serve_config.idname */
static const char *idname(void *arg, uint32_t kind, uint32_t id)
{
	struct session *session = arg;

	return session->names ? names_idname(session->names, kind, id)
			      : posixfs_idname(session->tree, kind, id);
}

#define QUARTER_HOUR 900

/* csftp_serve_config.clock */
static void local_clock(void *arg, int64_t when, int64_t *now, int32_t *offset)
{
	struct session *session = arg;
	int64_t quarter = when / QUARTER_HOUR - (when % QUARTER_HOUR < 0);
	time_t at = (time_t)when;
	struct tm tm;

	*now = time(NULL);
	/* Zones change at quarters of an hour; a listing asks for each name. */
	if (!session->zone_known || session->zone_quarter != quarter) {
		session->zone_known = true;
		session->zone_quarter = quarter;
		session->zone_offset =
			localtime_r(&at, &tm) ? (int32_t)tm.tm_gmtoff : 0;
	}
	*offset = session->zone_offset;
}

/* csftp_serve_config.refused, in OpenSSH's words */
static void refused(void *arg, const char *name)
{
	struct session *session = arg;
	uint64_t bit = (uint64_t)1 << csftp_serve_request(name);

	if (session->options->listed & bit)
		log_say(&session->log, LEVEL_VERBOSE,
			"Refusing denylisted %s request", name);
	else if (session->options->denied & bit)
		log_say(&session->log, LEVEL_VERBOSE,
			"Refusing non-allowlisted %s request", name);
	else
		log_say(&session->log, LEVEL_VERBOSE,
			"Refusing %s request in read-only mode", name);
	log_say(&session->log, LEVEL_INFO, "sent status Permission denied");
	if (session->audit)
		audit_refused(session->audit, name);
}

/* csftp_serve_config.trace */
static void trace(void *arg, const char *line)
{
	log_packet(&((struct session *)arg)->log, line);
}

static bool build(struct session *session)
{
	struct csftp_serve_config config = {
		.denied = session->options->denied,
		.read_only = session->options->read_only,
		.refused = refused,
		.idname = idname,
		.clock = local_clock,
		.trace = session->options->log_packets ? trace : NULL,
		.arg = session,
	};
	static enum csftp_err (*const layers[])(struct session *) = {
		add_names, add_quota, add_upload, add_rate, add_watch};
	enum csftp_err err = CSFTP_OK;

	session->top = session->tree;
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
		if (err == CSFTP_OK)
			err = layers[i](session);
	config.fs = session->top;
	if (err == CSFTP_OK)
		err = csftp_serve_new(&session->serve, &config);
	if (err != CSFTP_OK)
		session_fatal(session, "%s", csftp_strerror(err));
	return err == CSFTP_OK;
}

static bool enter_sandbox(struct session *session)
{
	const struct server_options *options = session->options;
	const struct sandbox_config config = {
		.root = session->jail,
		.read_only = options->read_only,
		.log_fd = session->log.fd,
	};
	struct sandbox_state state;

	if (options->sandbox == SANDBOX_OFF) {
		sandbox_harden();
		return true;
	}
	if (sandbox_enter(&config, &state)) {
		log_say(&session->log, LEVEL_DEBUG1,
			"sandbox: seccomp and Landlock version %d",
			state.landlock);
		return true;
	}
	if (options->sandbox == SANDBOX_REQUIRE) {
		session_fatal(session, "sandbox: %s", state.why);
		return false;
	}
	log_say(&session->log, LEVEL_VERBOSE, "sandbox: goes without %s",
		state.why);
	return true;
}

bool session_open(struct session *session, const struct server_options *options)
{
	*session = (struct session){.options = options};
	/* Reads a file, now or when a time is told; that one is not in a jail. */
	if (options->root)
		tzset();
	learn_peer(&session->peer);
	log_open(&session->log, &options->log);
	log_say(&session->log, LEVEL_INFO,
		"session opened for local user %s from [%s]",
		session->peer.user, session->peer.address);
	if (options->has_umask)
		umask((mode_t)options->umask);
	return open_audit(session) && open_tree(session) && build(session) &&
	       enter_sandbox(session);
}

void session_close(struct session *session)
{
	csftp_serve_free(session->serve);
	watch_free(session->watch);
	rate_free(session->rate);
	upload_free(session->upload);
	quota_free(session->quota);
	names_free(session->names);
	posixfs_free(session->tree);
	if (session->audit)
		(void)audit_session(session->audit, "session-close");
	audit_close(session->audit);
	log_say(&session->log, LEVEL_INFO,
		"session closed for local user %s from [%s]",
		session->peer.user, session->peer.address);
	log_close(&session->log);
	free(session->jail);
}
