/* Finished operations as lines of the log, in OpenSSH's words. */
#ifndef CSFTP_SERVER_EVENTS_H
#define CSFTP_SERVER_EVENTS_H

#include "core/layer/watch.h"
#include "server/log.h"

/*
 * The name of the request that an operation came from ("posix-rename"), as
 * OpenSSH's sftp-server has it; static.  A name that the wire has two requests
 * for is told by the flags.
 */
const char *events_name(const struct csftp_req *req);

/* "READ,WRITE,CREATE" of CSFTP_OPEN_*.  Returns out. */
const char *events_open_flags(char out[64], uint32_t flags);

/*
 * The lines that OpenSSH's sftp-server has for it, where the level asks for
 * them: programs that read logs know these.
 */
void events_log(struct log *log, const struct watch_event *event);

#endif
