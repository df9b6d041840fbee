/* Throw-away servers on free loopback ports. */
#ifndef CSFTP_TESTS_SSHD_H
#define CSFTP_TESTS_SSHD_H

#include <sys/types.h>

#include "tests/lib/proc.h"

/* What Debian's openssh-sftp-server installs. */
#define OPENSSH_SFTP_SERVER "/usr/lib/openssh/sftp-server"

/* What Debian's dropbear runs for sftp. */
#define DROPBEAR_SFTP_SERVER "/usr/lib/sftp-server"

/* The name that the client configuration gives the server. */
#define SSHD_HOST "csftptest"

/*
 * An SSH server for the current user, with keys, configuration and known hosts
 * of its own in a directory of its own; password and agent play no part.
 */
struct sshd {
	pid_t pid;
	int port;
	const struct sshd_with *with; /* during the start; or NULL */
	char dir[PROC_PATH_MAX];
	/* In it, for clients of all kinds. */
	char client[PROC_PATH_MAX];	 /* configuration for ssh -F */
	char key[PROC_PATH_MAX];	 /* private, OpenSSH's format; .pub */
	char known_hosts[PROC_PATH_MAX]; /* by SSHD_HOST and by address */
};

/* What an sshd has that others have not. */
struct sshd_with {
	const char *config; /* lines of sshd_config that come first; or NULL */
	/*
	 * The current user's, to that sshd alone, which sees another
	 * /etc/shadow.  That takes root.  NULL: as it is.
	 */
	const char *password;
};

/*
 * OpenSSH's sshd.  Returns once logins work.  The sftp subsystem is the command
 * given, with its arguments: words that are split at blanks, without quotes.
 * Skips the running test where this machine's account cannot log in.
 */
void sshd_start(struct sshd *sshd, const char *sftp_server);
void sshd_start_with(struct sshd *sshd, const char *sftp_server,
		     const struct sshd_with *with);

/*
 * dropbear instead.  Which program it runs for sftp was decided when it was
 * built, so ours, a path alone, is mounted there in a mount namespace that only
 * this dropbear and its sessions see, as they see home, an empty directory, as
 * the user's.  That takes root.  Skips where it is not to be had.
 */
void dropbear_start(struct sshd *sshd, const char *sftp_server,
		    const char *home);

/*
 * tinysshd, with a key of its own making, likewise; the subsystem is a path
 * alone.
 */
void tinysshd_start(struct sshd *sshd, const char *sftp_server);

/* For other servers: the directory with the keys, host and user. */
void sshd_make_keys(struct sshd *sshd);

/* A port that is free now, and what clients are told of it. */
void sshd_choose_port(struct sshd *sshd);

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
