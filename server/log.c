#include "server/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "csftp/fs.h"

static int open_socket(const char *path, int type)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval wait = {.tv_sec = LOG_WAIT_MS / 1000,
				     .tv_usec = LOG_WAIT_MS % 1000 * 1000};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	/* On a stream half a line could be the one that comes in time. */
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait,
				 sizeof(wait));
	if (strlen(path) >= sizeof(to.sun_path))
		errno = ENAMETOOLONG;
	else
		memcpy(to.sun_path, path, strlen(path) + 1);
	if (to.sun_path[0] &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	saved = errno;
	/* A datagram socket waits for a syslogd that comes later. */
	if (type == SOCK_DGRAM && saved != EPROTOTYPE)
		return fd;
	close(fd);
	errno = saved;
	return -1;
}

static const char *socket_path(const struct log *log)
{
	return log->config.socket ? log->config.socket : LOG_SOCKET;
}

static const char *name_of(const struct log *log)
{
	return log->config.name ? log->config.name : "csftp-server";
}

void log_open(struct log *log, const struct log_config *config)
{
	*log = (struct log){.config = *config, .fd = -1};
	snprintf(log->ident, sizeof(log->ident), "%s[%ld]", name_of(log),
		 (long)getpid());
	if (config->to_stderr)
		return;
	log->fd = open_socket(socket_path(log), SOCK_DGRAM);
	if (log->fd >= 0)
		return;
	log->fd = open_socket(socket_path(log), SOCK_STREAM);
	log->is_stream = log->fd >= 0;
}

void log_close(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* A syslogd that was started again is reached by the same socket. */
static int connect_again(const struct log *log)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = socket_path(log);

	if (strlen(path) >= sizeof(to.sun_path))
		return ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	return connect(log->fd, (const struct sockaddr *)&to, sizeof(to)) == 0
		       ? 0
		       : errno;
}

static int send_parts(const struct log *log, const struct msghdr *message)
{
	int flags = MSG_NOSIGNAL | (log->stuck ? MSG_DONTWAIT : 0);
	ssize_t put;

	do
		put = sendmsg(log->fd, message, flags);
	while (put < 0 && errno == EINTR);
	return put < 0 ? errno : 0;
}

/* What goes before the text, as syslog(3) writes it (RFC 3164, 4.1). */
static size_t header(const struct log *log, int priority, char *out,
		     size_t size)
{
	char when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	len = snprintf(out, size,
		       "<%d>%s %s: ", log->config.facility | priority, when,
		       log->ident);
	return len < 0 || (size_t)len >= size ? 0 : (size_t)len;
}

static int send_line(struct log *log, int priority, struct csftp_slice text)
{
	char head[96];
	/* A stream has its lines end with NUL; a datagram does not mind. */
	struct iovec part[3] = {
		{head, header(log, priority, head, sizeof(head))},
		{(void *)(uintptr_t)text.ptr, text.len},
		{(void *)(uintptr_t) "", log->is_stream ? 1 : 0},
	};
	const struct msghdr message = {.msg_iov = part, .msg_iovlen = 3};
	int err;

	if (log->fd < 0)
		return ENOTCONN;
	err = send_parts(log, &message);
	log->stuck = err == EAGAIN;
	if (err == 0 || err == EMSGSIZE || log->stuck ||
	    connect_again(log) != 0)
		return err;
	return send_parts(log, &message);
}

/* False: it takes nothing yet. */
static bool tell_lost(struct log *log)
{
	char text[64];
	int len = snprintf(text, sizeof(text),
			   "error: %lu lines of the log were lost", log->lost);

	if (len > 0 && send_line(log, LOG_ERR,
				 (struct csftp_slice){text, (size_t)len}) != 0)
		return false;
	log->lost = 0;
	return true;
}

/* Or it is lost. */
static void say_line(struct log *log, int priority, struct csftp_slice text)
{
	if ((log->lost > 0 && !tell_lost(log)) ||
	    send_line(log, priority, text) == EAGAIN)
		log->lost++;
}

int log_raw(struct log *log, const char *text, size_t len)
{
	return send_line(log, LOG_INFO, (struct csftp_slice){text, len});
}

/* The escape of one byte; its length, 1 to 4. */
static size_t escape(char out[4], unsigned char byte)
{
	static const char from[] = "\n\t\r";
	static const char to[] = "ntr";
	const char *known = byte ? strchr(from, byte) : NULL;

	if (byte >= ' ' && byte < 0x7f) {
		out[0] = (char)byte;
		return 1;
	}
	out[0] = '\\';
	if (known) {
		out[1] = to[known - from];
		return 2;
	}
	out[1] = (char)('0' + (byte >> 6));
	out[2] = (char)('0' + (byte >> 3 & 7));
	out[3] = (char)('0' + (byte & 7));
	return 4;
}

const char *log_quote(char *out, size_t size, const char *name)
{
	size_t used = 0;

	for (; *name; name++) {
		char piece[4];
		size_t len = escape(piece, (unsigned char)*name);

		if (*name == '\\' || *name == '"') {
			piece[0] = '\\';
			piece[1] = *name;
			len = 2;
		}
		if (len >= size - used)
			break;
		memcpy(out + used, piece, len);
		used += len;
	}
	out[used] = '\0';
	return out;
}

/* Leaves no byte that could end the line or move the cursor. */
static size_t clean(char *out, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		char piece[4];
		size_t len = escape(piece, (unsigned char)*text);

		if (len >= size - used - 4) {
			memcpy(out + used, "...", 3);
			return used + 3;
		}
		memcpy(out + used, piece, len);
		used += len;
	}
	return used;
}

static int priority_of(enum log_level level)
{
	static const int priorities[] = {
		[LEVEL_QUIET] = LOG_CRIT,   [LEVEL_FATAL] = LOG_CRIT,
		[LEVEL_ERROR] = LOG_ERR,    [LEVEL_INFO] = LOG_INFO,
		[LEVEL_VERBOSE] = LOG_INFO, [LEVEL_DEBUG1] = LOG_DEBUG,
		[LEVEL_DEBUG2] = LOG_DEBUG, [LEVEL_DEBUG3] = LOG_DEBUG,
	};

	return priorities[level];
}

/* OpenSSH names the level of these lines only. */
static const char *prefix_of(const struct log *log, enum log_level level)
{
	if (level == LEVEL_FATAL)
		return "fatal: ";
	if (level == LEVEL_ERROR && !log->config.to_stderr)
		return "error: ";
	if (level == LEVEL_DEBUG1)
		return "debug1: ";
	if (level == LEVEL_DEBUG2)
		return "debug2: ";
	return level == LEVEL_DEBUG3 ? "debug3: " : "";
}

static void put(struct log *log, enum log_level level, const char *prefix,
		const char *text)
{
	char line[LOG_LINE_MAX + 16];
	size_t used = strlen(prefix);

	memcpy(line, prefix, used);
	used += clean(line + used, sizeof(line) - used - 1, text);
	if (log->config.to_stderr) {
		line[used] = '\n';
		/* There is nobody to tell that it failed. */
		(void)!write(STDERR_FILENO, line, used + 1);
	} else {
		say_line(log, priority_of(level),
			 (struct csftp_slice){line, used});
	}
}

void log_packet(struct log *log, const char *text)
{
	put(log, LEVEL_DEBUG1, "", text);
}

void log_say(struct log *log, enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;
	int len;

	if (!log_wants(log, level))
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	put(log, level, prefix_of(log, level), text);
}

void log_fatal(struct log *log, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_say(log, LEVEL_FATAL, "%s", text);
	if (!log->config.to_stderr)
		fprintf(stderr, "%s: %s\n", name_of(log), text);
}
