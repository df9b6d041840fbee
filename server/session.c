#include "server/session.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/layer/quota.h"
#include "core/layer/rate.h"
#include "core/layer/upload.h"
#include "server/events.h"

static bool open_audit(struct session *session, const char *target)
{
	char room[PATH_MAX];
	struct audit_config config = {
		.target = target,
		.log = session->log,
		.user = session->user,
		.peer = session->address,
	};
	enum csftp_err err;

	if (!target && !tree_expand(session->tree, session->options->audit,
				    room, &config.target))
		return false;
	if (!config.target)
		return true;
	if (getrandom(&config.session, sizeof(config.session), 0) < 0)
		config.session = (uint64_t)getpid();
	err = audit_open(&session->audit, &config);
	if (err != CSFTP_OK) {
		log_fatal(session->log, "audit to %s: %s", config.target,
			  csftp_strerror_io(err, errno));
		return false;
	}
	err = audit_session(session->audit, "session-open") == 0 ? CSFTP_OK
								 : CSFTP_ERR_IO;
	if (err != CSFTP_OK)
		log_fatal(session->log, "audit to %s cannot be written",
			  config.target);
	return err == CSFTP_OK;
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

	events_log(session->log, event);
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

	if (!session->audit && !log_wants(session->log, LEVEL_INFO))
		return CSFTP_OK;
	err = watch_new(&session->watch, &config);
	if (err == CSFTP_OK)
		session->top = session->watch;
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

uint64_t session_wait_us(const struct session *session)
{
	return session->rate ? rate_wait_us(session->rate) : 0;
}

/* csftp_serve_config.idname */
static const char *idname(void *arg, uint32_t kind, uint32_t id)
{
	return tree_idname(((struct session *)arg)->tree, kind, id);
}

/* csftp_serve_config.clock */
static void local_clock(void *arg, int64_t when, int64_t *now, int32_t *offset)
{
	tree_clock(((struct session *)arg)->tree, when, now, offset);
}

/* A path that no file can have is told as far as one could be. */
static const char *told_path(char out[CSFTP_PATH_MAX + 1],
			     struct csftp_slice path)
{
	size_t len = path.len < CSFTP_PATH_MAX ? path.len : CSFTP_PATH_MAX;

	if (!path.ptr)
		return NULL;
	memcpy(out, path.ptr, len);
	out[len] = '\0';
	return out;
}

static void audit_refusal(const struct session *session,
			  const struct csftp_refusal *refusal)
{
	char room[CSFTP_PATH_MAX + 1], room2[CSFTP_PATH_MAX + 1];
	const char *path = told_path(room, refusal->path);

	if (refusal->fh)
		path = watch_path(session->watch, *refusal->fh);
	audit_refused(session->audit, refusal->name, path,
		      told_path(room2, refusal->path2));
}

void session_refused(void *arg, const struct csftp_refusal *refusal)
{
	struct session *session = arg;
	const char *name = refusal->name;
	uint64_t bit = (uint64_t)1 << csftp_serve_request(name);

	if (session->options->listed & bit)
		log_say(session->log, LEVEL_VERBOSE,
			"Refusing denylisted %s request", name);
	else if (session->options->denied & bit)
		log_say(session->log, LEVEL_VERBOSE,
			"Refusing non-allowlisted %s request", name);
	else
		log_say(session->log, LEVEL_VERBOSE,
			"Refusing %s request in read-only mode", name);
	log_say(session->log, LEVEL_INFO, "sent status Permission denied");
	if (session->audit)
		audit_refusal(session, refusal);
}

/* csftp_serve_config.trace */
static void trace(void *arg, const char *line)
{
	log_packet(((struct session *)arg)->log, line);
}

static void *buf_get(void *arg)
{
	const struct session_room *room = &((struct session *)arg)->room;

	return room->buf_get(room->arg);
}

static void buf_put(void *arg, void *buf)
{
	const struct session_room *room = &((struct session *)arg)->room;

	room->buf_put(room->arg, buf);
}

static enum csftp_err make_engine(struct session *session,
				  struct csftp_serve_config *config)
{
	config->fs = session->top;
	if (!session->room.memory)
		return csftp_serve_new(&session->serve, config);
	config->buf_get = buf_get;
	config->buf_put = buf_put;
	return csftp_serve_init(&session->serve, session->room.memory, config);
}

static bool build(struct session *session)
{
	struct csftp_serve_config config = {
		.denied = session->options->denied,
		.read_only = session->options->read_only,
		.refused = session_refused,
		.idname = idname,
		.clock = local_clock,
		.trace = session->options->log_packets ? trace : NULL,
		.arg = session,
	};
	static enum csftp_err (*const layers[])(struct session *) = {
		add_quota, add_upload, add_rate, add_watch};
	enum csftp_err err = CSFTP_OK;

	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
		if (err == CSFTP_OK)
			err = layers[i](session);
	if (err == CSFTP_OK)
		err = make_engine(session, &config);
	if (err != CSFTP_OK)
		log_fatal(session->log, "%s", csftp_strerror(err));
	return err == CSFTP_OK;
}

bool session_open(struct session *session, const struct session_config *config)
{
	struct tree *tree = config->tree;

	*session = (struct session){
		.tree = tree,
		.options = config->options ? config->options : tree->options,
		.log = tree->log,
		.user = config->user ? config->user : tree->user,
		.address = config->address,
		.room = config->room,
		.top = config->files ? config->files : tree->top,
		.opened = true,
	};
	log_say(session->log, LEVEL_INFO,
		"session opened for local user %s from [%s]", session->user,
		session->address);
	return open_audit(session, config->audit_to) && build(session);
}

void session_end(struct session *session)
{
	if (session->serve)
		csftp_link_close(csftp_serve_link(session->serve),
				 CSFTP_ERR_EOF);
}

bool session_is_done(const struct session *session)
{
	return !session->serve || csftp_serve_pending(session->serve) == 0;
}

void session_close(struct session *session)
{
	if (session->room.memory && session->serve)
		csftp_serve_release(session->serve);
	else
		csftp_serve_free(session->serve);
	watch_free(session->watch);
	rate_free(session->rate);
	upload_free(session->upload);
	quota_free(session->quota);
	if (session->audit)
		(void)audit_session(session->audit, "session-close");
	audit_close(session->audit);
	if (session->opened)
		log_say(session->log, LEVEL_INFO,
			"session closed for local user %s from [%s]",
			session->user, session->address);
	*session = (struct session){0};
}
