#include "server/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/descriptor.h"
#include "server/events.h"
#include "server/json.h"

/* Two paths, and all else that a line has. */
#define LINE_MAX_BYTES (2 * JSON_BYTES_MAX(CSFTP_PATH_MAX) + 2048)

enum target { TO_FILE, TO_FD, TO_SYSLOG };

struct audit {
	struct audit_config config;
	enum target target;
	int fd;
	size_t pending; /* bytes at line + 1 that are not written yet */
	bool torn;	/* half of a line stands at the end of the file */
	bool failing;	/* it has been said that lines cannot be written */
	uint64_t lost;
	char line[1 + LINE_MAX_BYTES]; /* first a newline, for after a half */
};

/* A file that only grows; a FIFO has to have its reader by now. */
static int open_file(const char *path)
{
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			      O_NONBLOCK,
		      0600);
	int flags;

	if (fd < 0)
		return -1;
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

/* A descriptor that we were started with, and may write to. */
static int check_fd(const char *digits)
{
	char *end;
	long number = strtol(digits, &end, 10);
	int flags;

	if (*digits < '0' || *digits > '9' || *end || number < 3 ||
	    number > INT32_MAX) {
		errno = EINVAL;
		return -1;
	}
	flags = fcntl((int)number, F_GETFL);
	if (flags < 0)
		return -1;
	if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) ||
	    descriptor_listens((int)number)) {
		errno = EBADF;
		return -1;
	}
	(void)fcntl((int)number, F_SETFD, FD_CLOEXEC);
	(void)fcntl((int)number, F_SETFL,
		    (flags | O_APPEND) & ~(O_NONBLOCK | O_ACCMODE));
	return (int)number;
}

static enum csftp_err open_target(struct audit *audit)
{
	const char *target = audit->config.target;

	if (!*target)
		return CSFTP_ERR_ARG;
	if (strcmp(target, "syslog") == 0) {
		audit->target = TO_SYSLOG;
		audit->fd = audit->config.log->fd;
		errno = ENOTCONN;
	} else if (strncmp(target, "fd:", 3) == 0) {
		audit->target = TO_FD;
		audit->fd = check_fd(target + 3);
	} else {
		audit->target = TO_FILE;
		audit->fd = open_file(target);
	}
	return audit->fd < 0 ? CSFTP_ERR_IO : CSFTP_OK;
}

int audit_check(const char *target)
{
	if (strncmp(target, "fd:", 3) != 0 || check_fd(target + 3) >= 0)
		return 0;
	return errno;
}

enum csftp_err audit_open(struct audit **out, const struct audit_config *config)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	enum csftp_err err;

	if (!audit)
		return CSFTP_ERR_NOMEM;
	audit->config = *config;
	audit->line[0] = '\n';
	err = open_target(audit);
	if (err == CSFTP_OK)
		*out = audit;
	else
		free(audit);
	return err;
}

void audit_close(struct audit *audit)
{
	if (audit && audit->target == TO_FILE)
		close(audit->fd);
	free(audit);
}

/* The whole line or an errno; half a line is remembered. */
static int write_line(struct audit *audit)
{
	const char *from = audit->line + (audit->torn ? 0 : 1);
	size_t len = audit->pending + (audit->torn ? 1 : 0);
	ssize_t put;

	if (audit->target == TO_SYSLOG)
		return log_raw(audit->config.log, audit->line + 1,
			       audit->pending - 1);
	do
		put = write(audit->fd, from, len);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return errno;
	if ((size_t)put == len) {
		audit->torn = false;
		return 0;
	}
	audit->torn = put > 0;
	return ENOSPC;
}

/* 0: nothing waits to be written any more. */
static int flush(struct audit *audit)
{
	int err = audit->pending > 0 ? write_line(audit) : 0;

	if (err == 0) {
		audit->pending = 0;
		audit->failing = false;
	} else if (!audit->failing) {
		audit->failing = true;
		log_say(audit->config.log, LEVEL_ERROR,
			"audit: cannot write: %s; requests are refused until "
			"it can be written",
			strerror(err));
	}
	return err;
}

int audit_admit(struct audit *audit)
{
	return flush(audit) == 0 ? 0 : EIO;
}

static void put_time(struct json *json)
{
	struct timespec now;
	struct tm tm;
	char day[32], text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm))
		return;
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06ldZ", day, now.tv_nsec / 1000);
	json_text(json, "time", text);
}

static void begin_line(struct audit *audit, struct json *json, const char *op)
{
	char session[17];

	*json = (struct json){.buf = audit->line + 1,
			      .cap = sizeof(audit->line) - 1};
	snprintf(session, sizeof(session), "%016" PRIx64,
		 audit->config.session);
	json_begin(json);
	if (audit->lost > 0)
		json_number(json, "lost", audit->lost);
	put_time(json);
	json_text(json, "session", session);
	json_text(json, "user", audit->config.user);
	json_text(json, "peer", audit->config.peer);
	json_text(json, "op", op);
}

static int end_line(struct audit *audit, struct json *json)
{
	json_end(json);
	/* No event is that long: paths have a limit. */
	if (json->full)
		return EMSGSIZE;
	audit->lost = 0;
	audit->pending = json->len;
	return flush(audit);
}

/* What was to be set, as far as it was asked for. */
static void put_attr(struct json *json, const struct csftp_attr *attr)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", attr->mode & 07777);
	if (attr->mask & CSFTP_ATTR_MODE)
		json_text(json, "mode", mode);
	if (attr->mask & CSFTP_ATTR_SIZE)
		json_number(json, "size", attr->size);
	if (attr->mask & CSFTP_ATTR_UID)
		json_number(json, "uid", attr->uid);
	if (attr->mask & CSFTP_ATTR_GID)
		json_number(json, "gid", attr->gid);
	if ((attr->mask & CSFTP_ATTR_MTIME) && attr->mtime.sec >= 0)
		json_number(json, "mtime", (uint64_t)attr->mtime.sec);
}

static void put_request(struct json *json, const struct watch_event *event)
{
	const struct csftp_req *req = event->req;
	bool range = req->op == CSFTP_OP_READ || req->op == CSFTP_OP_WRITE ||
		     req->op == CSFTP_OP_COPY_RANGE;
	char flags[64];

	if (event->path)
		json_bytes(json, "path", event->path);
	if (event->path2)
		json_bytes(json, "path2", event->path2);
	if (req->op == CSFTP_OP_OPEN)
		json_text(json, "flags", events_open_flags(flags, req->flags));
	if (req->attr &&
	    (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_MKDIR ||
	     req->op == CSFTP_OP_SETATTR))
		put_attr(json, req->attr);
	if (range)
		json_number(json, "offset", req->off);
	if (range)
		json_number(json, "bytes", event->count);
	if (req->op == CSFTP_OP_READDIR)
		json_number(json, "names", event->count);
	if (req->op == CSFTP_OP_CLOSE && !event->directory) {
		json_number(json, "read", event->read);
		json_number(json, "written", event->written);
	}
	if (req->op == CSFTP_OP_CLOSE && (req->flags & CSFTP_FORCED))
		json_word(json, "forced", "true");
}

void audit_event(struct audit *audit, const struct watch_event *event)
{
	const char *name = strerrorname_np(event->reply->err);
	struct json json;

	if (flush(audit) != 0) {
		audit->lost++;
		return;
	}
	begin_line(audit, &json, events_name(event->req));
	put_request(&json, event);
	if (event->reply->err == 0)
		json_word(&json, "error", "null");
	else
		json_text(&json, "error", name ? name : "?");
	json_number(&json, "us", event->end_us - event->start_us);
	(void)end_line(audit, &json);
}

void audit_refused(struct audit *audit, const char *name, const char *path,
		   const char *path2)
{
	struct json json;

	if (flush(audit) != 0) {
		audit->lost++;
		return;
	}
	begin_line(audit, &json, name);
	if (path)
		json_bytes(&json, "path", path);
	if (path2)
		json_bytes(&json, "path2", path2);
	json_word(&json, "refused", "true");
	json_text(&json, "error", "EACCES");
	(void)end_line(audit, &json);
}

int audit_session(struct audit *audit, const char *op)
{
	struct json json;
	int err = flush(audit);

	if (err != 0)
		return err;
	begin_line(audit, &json, op);
	return end_line(audit, &json);
}
