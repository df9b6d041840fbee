/* What a daemon gives up once it has started (server/sandbox.h). */
#ifndef CSFTP_SERVER_CSFTPD_CONFINE_H
#define CSFTP_SERVER_CSFTPD_CONFINE_H

#include <stdbool.h>

#include "server/csftpd/daemon_impl.h"

/*
 * Before threads are started: what can be opened from now on.  With Root that
 * is what is in it, and to read, the directories of the configuration, the
 * keys and the authorized_keys files.  False: Sandbox require, and there is
 * none; that has been said.
 */
bool confine_files(struct daemon *daemon);

/* For worker_config and acceptor_config; tells confine_wait(). */
void confine_thread(void *arg);

/* Until so many threads have done it, and then for the caller's own thread. */
bool confine_wait(struct daemon *daemon, unsigned threads);

#endif
