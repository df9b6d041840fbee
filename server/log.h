/* The log of our servers: one line per fact, to syslog or standard error. */
#ifndef CSFTP_SERVER_LOG_H
#define CSFTP_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "csftp/err.h"

/* As OpenSSH's LogLevel; each says what those above it say, too. */
enum log_level {
	LEVEL_QUIET,
	LEVEL_FATAL,
	LEVEL_ERROR,
	LEVEL_INFO,
	LEVEL_VERBOSE,
	LEVEL_DEBUG1,
	LEVEL_DEBUG2,
	LEVEL_DEBUG3
};

/* A longer line is cut, and ends with "...". */
#define LOG_LINE_MAX 9000U

#define LOG_SOCKET "/dev/log"

/* A syslogd that reads at all has read in that time. */
#define LOG_WAIT_MS 1000U

struct log_config {
	enum log_level level;
	int facility; /* LOG_AUTH and the like of <syslog.h> */
	bool to_stderr;
	const char *socket; /* of syslogd; NULL: LOG_SOCKET */
	const char *name;   /* of the program; NULL: csftp-server */
};

/*
 * Syslog is spoken here and not by syslog(3), as the socket must exist before
 * the sandbox and before any jail; it is connected again, and not made anew,
 * when syslogd was restarted.  A log that cannot be reached loses its lines:
 * a server that ended for that would be worse.  So does one that is not read,
 * as a daemon would stand still with all its sessions: after LOG_WAIT_MS nobody
 * waits for it any more until it takes a line, and that one says how many were
 * lost.
 *
 * One thread.
 */
struct log {
	struct log_config config;
	int fd; /* of syslog; -1: none */
	bool is_stream;
	bool stuck;	    /* it takes nothing */
	unsigned long lost; /* lines, and nobody was told yet */
	char ident[48];
};

/* Never fails: what cannot be reached is not logged to. */
void log_open(struct log *log, const struct log_config *config);
void log_close(struct log *log);

/* Whether a line of this level would be written: to save making it. */
static inline bool log_wants(const struct log *log, enum log_level level)
{
	return level <= log->config.level && level != LEVEL_QUIET;
}

/*
 * One line, without a newline at its end.  Bytes that are not printable ASCII
 * become "\n", "\t" or "\ooo".
 */
__attribute__((format(printf, 3, 4))) void
log_say(struct log *log, enum log_level level, const char *format, ...);

/* LEVEL_FATAL, and to standard error where that is not the log. */
__attribute__((format(printf, 2, 3))) void log_fatal(struct log *log,
						     const char *format, ...);

/* The same whatever the level, for what an option of its own asks for. */
void log_packet(struct log *log, const char *text);

/*
 * A line of somebody else's making, as it is, to syslog only; an errno where
 * it did not go there.
 */
int log_raw(struct log *log, const char *text, size_t len);

/*
 * A name for a line, between quotes that the caller writes: printable ASCII,
 * with \\ and \" for these two and \n, \t, \r, \ooo for other bytes.  Cut
 * where it would not fit.  Returns out.
 */
const char *log_quote(char *out, size_t size, const char *name);

#endif
