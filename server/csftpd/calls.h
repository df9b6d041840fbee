/* The system calls of a daemon that has started. */
#ifndef CSFTP_SERVER_CSFTPD_CALLS_H
#define CSFTP_SERVER_CSFTPD_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether this is a build for AddressSanitizer.  At the end it looks for what
 * was not freed by a process that traces our threads, and reads /proc: such a
 * build, which is none to be attacked, allows that.
 */
#if defined(__SANITIZE_ADDRESS__)
#define CALLS_CHECKED true
#elif defined(__has_feature)
#define CALLS_CHECKED __has_feature(address_sanitizer)
#else
#define CALLS_CHECKED false
#endif

/*
 * seccomp as server/sandbox.h has it, and a daemon's own calls besides: it
 * accepts connections and sets their options.  It starts once, so its filter is
 * made then, for as many logs as it has.
 */
struct calls_config {
	/* Sockets that may be connected again; those that are -1 are none. */
	const int *log_fds;
	size_t log_count;
};

/*
 * Made once for all threads: what it takes to make one is half a megabyte for
 * each thread that does.
 */
struct calls_filter;

/* 0, or an errno. */
int calls_make(struct calls_filter **out, const struct calls_config *config);
void calls_free(struct calls_filter *filter);

/*
 * For the thread that calls it, which has no_new_privs.  0, or an errno: it has
 * no filter.
 */
int calls_enter(const struct calls_filter *filter);

#endif
