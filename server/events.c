#include "server/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/errmap.h"

/* Room for the escapes of the longest path that fits a line. */
#define QUOTED_MAX 4200U

static const char *attr_name(const struct csftp_req *req)
{
	bool set = req->op == CSFTP_OP_SETATTR;

	if (!req->path)
		return set ? "fsetstat" : "fstat";
	if (req->flags & CSFTP_NOFOLLOW)
		return set ? "lsetstat" : "lstat";
	return set ? "setstat" : "stat";
}

const char *events_name(const struct csftp_req *req)
{
	static const char *const names[CSFTP_OP_COUNT] = {
		[CSFTP_OP_READLINK] = "readlink",
		[CSFTP_OP_MKDIR] = "mkdir",
		[CSFTP_OP_RMDIR] = "rmdir",
		[CSFTP_OP_UNLINK] = "remove",
		[CSFTP_OP_SYMLINK] = "symlink",
		[CSFTP_OP_LINK] = "hardlink",
		[CSFTP_OP_OPEN] = "open",
		[CSFTP_OP_READ] = "read",
		[CSFTP_OP_WRITE] = "write",
		[CSFTP_OP_FSYNC] = "fsync",
		[CSFTP_OP_CLOSE] = "close",
		[CSFTP_OP_OPENDIR] = "opendir",
		[CSFTP_OP_READDIR] = "readdir",
		[CSFTP_OP_COPY_RANGE] = "copy-data",
		[CSFTP_OP_HOMEDIR] = "home-directory",
		[CSFTP_OP_IDNAME] = "users-groups-by-id",
	};

	if (req->op == CSFTP_OP_GETATTR || req->op == CSFTP_OP_SETATTR)
		return attr_name(req);
	if (req->op == CSFTP_OP_REALPATH)
		return req->flags & CSFTP_EXPAND ? "expand-path" : "realpath";
	if (req->op == CSFTP_OP_RENAME)
		return req->flags & CSFTP_REPLACE ? "posix-rename" : "rename";
	if (req->op == CSFTP_OP_STATFS)
		return req->path ? "statvfs" : "fstatvfs";
	return names[req->op];
}

const char *events_open_flags(char out[64], uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} known[] = {
		{CSFTP_OPEN_READ, "READ"},	{CSFTP_OPEN_WRITE, "WRITE"},
		{CSFTP_OPEN_APPEND, "APPEND"},	{CSFTP_OPEN_CREAT, "CREATE"},
		{CSFTP_OPEN_TRUNC, "TRUNCATE"}, {CSFTP_OPEN_EXCL, "EXCL"},
	};
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int len;

		if (!(flags & known[i].flag))
			continue;
		len = snprintf(out + used, 64 - used, "%s%s",
			       used > 0 ? "," : "", known[i].name);
		used += len > 0 ? (size_t)len : 0;
	}
	return out;
}

/* The event's paths, ready to stand between quotes. */
struct quoted {
	char path[QUOTED_MAX];
	char path2[QUOTED_MAX];
};

static void log_set(struct log *log, const struct watch_event *event,
		    const struct quoted *q)
{
	const struct csftp_attr *attr = event->req->attr;
	char when[32] = "";
	time_t mtime = (time_t)attr->mtime.sec;
	struct tm tm;

	if (attr->mask & CSFTP_ATTR_SIZE)
		log_say(log, LEVEL_INFO, "set \"%s\" size %" PRIu64, q->path,
			attr->size);
	if (attr->mask & CSFTP_ATTR_MODE)
		log_say(log, LEVEL_INFO, "set \"%s\" mode %04o", q->path,
			attr->mode & 07777);
	if (attr->mask & CSFTP_ATTR_MTIME) {
		if (localtime_r(&mtime, &tm))
			strftime(when, sizeof(when), "%Y%m%d-%H:%M:%S", &tm);
		log_say(log, LEVEL_INFO, "set \"%s\" modtime %s", q->path,
			when);
	}
	if (attr->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID))
		log_say(log, LEVEL_INFO, "set \"%s\" owner %lu group %lu",
			q->path, (unsigned long)attr->uid,
			(unsigned long)attr->gid);
}

static uint32_t mode_of(const struct csftp_req *req, uint32_t otherwise)
{
	if (req->attr && (req->attr->mask & CSFTP_ATTR_MODE))
		return req->attr->mode & 07777;
	return otherwise;
}

static void log_close_of(struct log *log, const struct watch_event *event,
			 const struct quoted *q)
{
	const char *forced = event->req->flags & CSFTP_FORCED ? "forced " : "";

	if (event->directory)
		log_say(log, LEVEL_INFO, "%sclosedir \"%s\"", forced, q->path);
	else
		log_say(log, LEVEL_INFO,
			"%sclose \"%s\" bytes read %" PRIu64
			" written %" PRIu64,
			forced, q->path, event->read, event->written);
}

/* Of two names: old, then new. */
static void log_two(struct log *log, const struct watch_event *event,
		    const struct quoted *q)
{
	const struct csftp_req *req = event->req;
	bool turned = req->op == CSFTP_OP_SYMLINK;

	log_say(log, LEVEL_INFO, "%s old \"%s\" new \"%s\"", events_name(req),
		turned ? q->path2 : q->path, turned ? q->path : q->path2);
}

static void log_range(struct log *log, const struct watch_event *event,
		      const struct quoted *q)
{
	const struct csftp_req *req = event->req;
	if (req->op == CSFTP_OP_COPY_RANGE)
		log_say(log, LEVEL_DEBUG1,
			"copy-data from \"%s\" off %" PRIu64 " len %" PRIu64
			" to \"%s\" off %" PRIu64,
			q->path, req->off, req->len, q->path2, req->off2);
	else
		log_say(log, LEVEL_DEBUG1,
			"%s \"%s\" off %" PRIu64 " len %" PRIu64,
			events_name(req), q->path, req->off, req->len);
}

/* Those with one path, which is all that is said of them. */
static void log_one(struct log *log, const struct watch_event *event,
		    const struct quoted *q)
{
	const struct csftp_req *req = event->req;
	static const struct {
		enum log_level level;
		const char *words;
	} said[CSFTP_OP_COUNT] = {
		[CSFTP_OP_READLINK] = {LEVEL_VERBOSE, "readlink"},
		[CSFTP_OP_RMDIR] = {LEVEL_INFO, "rmdir name"},
		[CSFTP_OP_UNLINK] = {LEVEL_INFO, "remove name"},
		[CSFTP_OP_OPENDIR] = {LEVEL_INFO, "opendir"},
		[CSFTP_OP_READDIR] = {LEVEL_DEBUG1, "readdir"},
		[CSFTP_OP_FSYNC] = {LEVEL_VERBOSE, "fsync"},
		[CSFTP_OP_HOMEDIR] = {LEVEL_DEBUG1, "home-directory"},
	};

	if (said[req->op].words)
		log_say(log, said[req->op].level, "%s \"%s\"",
			said[req->op].words, q->path);
}

static void log_look(struct log *log, const struct watch_event *event,
		     const struct quoted *q)
{
	const struct csftp_req *req = event->req;
	enum log_level level = LEVEL_VERBOSE;
	const char *words = events_name(req);
	bool of_name = req->op == CSFTP_OP_GETATTR && req->path;

	if (req->op == CSFTP_OP_STATFS && req->path)
		level = LEVEL_INFO;
	else if (!req->path)
		level = LEVEL_DEBUG1;
	else if (req->op == CSFTP_OP_REALPATH && (req->flags & CSFTP_EXPAND))
		words = "expand";
	log_say(log, level, "%s%s \"%s\"", words, of_name ? " name" : "",
		q->path);
}

static void log_open_of(struct log *log, const struct watch_event *event,
			const struct quoted *q)
{
	char flags[64];

	log_say(log, LEVEL_INFO, "open \"%s\" flags %s mode 0%o", q->path,
		events_open_flags(flags, event->req->flags),
		mode_of(event->req, 0666));
}

static void log_mkdir(struct log *log, const struct watch_event *event,
		      const struct quoted *q)
{
	log_say(log, LEVEL_INFO, "mkdir name \"%s\" mode 0%o", q->path,
		mode_of(event->req, 0777));
}

static void log_request(struct log *log, const struct watch_event *event,
			const struct quoted *q)
{
	static void (*const said[CSFTP_OP_COUNT])(struct log *,
						  const struct watch_event *,
						  const struct quoted *) = {
		[CSFTP_OP_OPEN] = log_open_of,
		[CSFTP_OP_MKDIR] = log_mkdir,
		[CSFTP_OP_CLOSE] = log_close_of,
		[CSFTP_OP_SETATTR] = log_set,
		[CSFTP_OP_RENAME] = log_two,
		[CSFTP_OP_LINK] = log_two,
		[CSFTP_OP_SYMLINK] = log_two,
		[CSFTP_OP_READ] = log_range,
		[CSFTP_OP_WRITE] = log_range,
		[CSFTP_OP_COPY_RANGE] = log_range,
		[CSFTP_OP_GETATTR] = log_look,
		[CSFTP_OP_REALPATH] = log_look,
		[CSFTP_OP_STATFS] = log_look,
	};

	if (said[event->req->op])
		said[event->req->op](log, event, q);
	else
		log_one(log, event, q);
}

/* Operations that the wire answers with a status when they succeed. */
static bool ends_with_status(const struct watch_event *event)
{
	const enum csftp_op op = event->req->op;

	if (event->reply->err != 0)
		return true;
	if (op == CSFTP_OP_READ || op == CSFTP_OP_READDIR)
		return event->reply->eof && event->count == 0;
	return op != CSFTP_OP_GETATTR && op != CSFTP_OP_REALPATH &&
	       op != CSFTP_OP_READLINK && op != CSFTP_OP_OPEN &&
	       op != CSFTP_OP_OPENDIR && op != CSFTP_OP_STATFS &&
	       op != CSFTP_OP_HOMEDIR && op != CSFTP_OP_IDNAME;
}

static void log_status(struct log *log, const struct watch_event *event)
{
	static const char *const texts[] = {
		[SSH_FX_OK] = "Success",
		[SSH_FX_EOF] = "End of file",
		[SSH_FX_NO_SUCH_FILE] = "No such file",
		[SSH_FX_PERMISSION_DENIED] = "Permission denied",
		[SSH_FX_FAILURE] = "Failure",
		[SSH_FX_BAD_MESSAGE] = "Bad message",
		[SSH_FX_NO_CONNECTION] = "No connection",
		[SSH_FX_CONNECTION_LOST] = "Connection lost",
		[SSH_FX_OP_UNSUPPORTED] = "Operation unsupported",
	};
	int err = event->reply->err;
	enum sftp_status status = sftp_status_from_errno(err);

	/* A user or group without a name is no error on the wire. */
	if (!ends_with_status(event) || event->req->op == CSFTP_OP_IDNAME)
		return;
	if (err == 0 && event->reply->eof)
		status = SSH_FX_EOF;
	if (err != 0 || log_wants(log, LEVEL_DEBUG1))
		log_say(log, LEVEL_INFO, "sent status %s", texts[status]);
	if (err != 0)
		log_say(log, LEVEL_DEBUG1, "%s: %s", events_name(event->req),
			sftp_errno_text(err));
}

/* The least level that any of the lines needs. */
static enum log_level level_of(const struct watch_event *event)
{
	const enum csftp_op op = event->req->op;

	if (event->reply->err == 0 &&
	    (op == CSFTP_OP_READ || op == CSFTP_OP_WRITE ||
	     op == CSFTP_OP_READDIR || op == CSFTP_OP_COPY_RANGE ||
	     op == CSFTP_OP_IDNAME))
		return LEVEL_DEBUG1;
	return LEVEL_INFO;
}

void events_log(struct log *log, const struct watch_event *event)
{
	struct quoted q;

	if (!log_wants(log, level_of(event)))
		return;
	log_quote(q.path, sizeof(q.path), event->path ? event->path : "");
	log_quote(q.path2, sizeof(q.path2), event->path2 ? event->path2 : "");
	log_request(log, event, &q);
	log_status(log, event);
}
