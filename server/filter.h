/* The seccomp filter, as server/filter/make_filter.c has printed it. */
#ifndef CSFTP_SERVER_FILTER_H
#define CSFTP_SERVER_FILTER_H

#include <linux/filter.h>

/*
 * Which calls are allowed is written there.  The two instructions at pid_at and
 * log_at compare with our process and with the log's descriptor: whoever loads
 * the filter puts these in place first.
 */
#define FILTER_MAX 512 /* instructions */

extern const struct sock_filter filter_code[];
extern const unsigned short filter_len;
extern const unsigned short filter_pid_at;
extern const unsigned short filter_log_at;

#endif
