/* The loop of csftp-server: one session over two descriptors. */
#ifndef CSFTP_SERVER_PUMP_H
#define CSFTP_SERVER_PUMP_H

#include "csftp/err.h"
#include "csftp/serve.h"

/*
 * Serves until the client has gone and has, if it takes it, what was meant for
 * it: then CSFTP_ERR_EOF.  CSFTP_ERR_IO with errno where a descriptor failed,
 * else what the engine says of the client.
 *
 * The descriptors may be shared with other processes; they are left open, and
 * as they were: a terminal left non-blocking would surprise the shell.
 *
 * before, which may be NULL, is called before each turn of the loop, and may
 * take its time.
 */
CSFTP_MUST_CHECK enum csftp_err pump_session(struct csftp_serve *serve, int rfd,
					     int wfd, void (*before)(void *arg),
					     void *arg);

#endif
