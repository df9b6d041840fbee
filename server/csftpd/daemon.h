/* The daemon: sockets, acceptors, workers, and the thread that minds them. */
#ifndef CSFTP_SERVER_CSFTPD_DAEMON_H
#define CSFTP_SERVER_CSFTPD_DAEMON_H

#include <stdbool.h>

#include "server/csftpd/listen.h"
#include "server/csftpd/settings.h"

struct daemon_config {
	struct settings *settings;     /* with its keys; taken over */
	struct settings_source source; /* to read them again */
	const char *key_path;	       /* settings_load_keys() */
	struct listening *listening;   /* closed when it accepts no more */
	int notify_fd;		       /* notify_open() */
	bool to_stderr;
	/* It serves now. */
	void (*ready)(void *arg);
	void *arg;
};

/*
 * Serves until SIGTERM or SIGINT and whoever is served then has come to an end;
 * a second signal does not wait for that.  SIGHUP reads the settings again:
 * connections that begin after it have them.  The exit status.
 */
int daemon_run(const struct daemon_config *config);

/* How many workers there are to be. */
uint32_t daemon_workers(const struct settings *settings);

#endif
