/* Throw-away servers on free loopback ports. */
#ifndef CSFTP_TESTS_SSHD_H
#define CSFTP_TESTS_SSHD_H

#include <sys/types.h>

#include "tests/lib/proc.h"

/* What Debian's openssh-sftp-server installs. */
#define OPENSSH_SFTP_SERVER "/usr/lib/openssh/sftp-server"

/* The name that the client configuration gives the server. */
#define SSHD_HOST "csftptest"

/*
 * OpenSSH's sshd as the current user, with keys, configuration and known hosts
 * of its own in a directory of its own; password and agent play no part.
 */
struct sshd {
	pid_t pid;
	int port;
	char dir[PROC_PATH_MAX];
	char client[PROC_PATH_MAX]; /* configuration for ssh -F */
};

/*
 * Returns once logins work.  The sftp subsystem is the command given.  Skips
 * the running test where this machine's account cannot log in.
 */
void sshd_start(struct sshd *sshd, const char *sftp_server);

/* Ends its sessions, too. */
void sshd_stop(struct sshd *sshd);

/*
 * One SFTP server process per TCP connection, without SSH: what is asked for
 * with "-o directport=".
 */
struct direct {
	pid_t pid;
	int port;
};

void direct_start(struct direct *direct, char *const argv[]);
void direct_stop(struct direct *direct);

#endif
