/* The sockets that a daemon listens on. */
#ifndef CSFTP_SERVER_CSFTPD_LISTEN_H
#define CSFTP_SERVER_CSFTPD_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "server/csftpd/settings.h"

#define LISTEN_MAX 32U

struct listening {
	int fd[LISTEN_MAX];
	char name[LISTEN_MAX][80]; /* "127.0.0.1 port 2222" */
	size_t count;
	bool given; /* by who started us: sd_listen_fds(3) */
};

/*
 * The sockets that systemd has opened for us, or those of the settings.  With
 * several addresses, ::1 and those of a kind that the machine does not have
 * (IPv6) are left out; any other that cannot be had is an error.  False: why
 * has a sentence.
 */
bool listen_open(struct listening *listening, const struct settings *settings,
		 char why[SETTINGS_WHY_MAX]);
void listen_close(struct listening *listening);

#endif
