/* Throw-away daemons of our own. */
#ifndef CSFTP_TESTS_CSFTPD_H
#define CSFTP_TESTS_CSFTPD_H

#include "tests/lib/sshd.h"

/*
 * csftpd for the current user, with the keys and the files for clients of
 * struct sshd, on a port of 127.0.0.1.  The configuration is the one below and
 * then the lines printed, of which the first of a keyword counts, so that they
 * can replace nothing that is set here:
 *   Port, ListenAddress, HostKey, AuthorizedKeysFile, ControlSocket
 * What it says on standard error goes to the file "log" in sshd.dir, and with
 * nothing else asked for it says errors only, has no penalties, and requires
 * its sandbox.
 */
__attribute__((format(printf, 2, 3))) void csftpd_start(struct sshd *sshd,
							const char *lines, ...);

/* The same without keys being made and without forgetting the log. */
__attribute__((format(printf, 2, 3))) void
csftpd_restart(struct sshd *sshd, const char *lines, ...);

/* The daemon: csftpd, or what CSFTP_TEST_DAEMON names. */
void csftpd_program(char path[PROC_PATH_MAX]);

/* The whole log. */
void csftpd_log(const struct sshd *sshd, char *text, size_t size);

/* Waits until the log has the text; fails the test if it never does. */
void csftpd_await_log(const struct sshd *sshd, const char *text);

/* "csftpd ctl" with words; the output is in text.  Fails unless it is 0. */
__attribute__((format(printf, 4, 5))) void csftpd_ctl(const struct sshd *sshd,
						      char *text, size_t size,
						      const char *words, ...);

/* The number behind a key of "ctl status", and waiting until it is so. */
unsigned long csftpd_fact(const struct sshd *sshd, const char *key);
void csftpd_await_fact(const struct sshd *sshd, const char *key,
		       unsigned long value);

/* What the process has now. */
struct csftpd_size {
	unsigned long memory_kb; /* resident */
	unsigned long files;	 /* descriptors */
};
struct csftpd_size csftpd_size(const struct sshd *sshd);

/*
 * Asks it to end once all have ended, and fails the test unless that happens
 * with status 0: so nothing of a client that has gone goes on, and nothing of
 * a pool was lost.  The files stay.
 */
void csftpd_end(struct sshd *sshd);

/* The same; and the log is to be empty; and the files go. */
void csftpd_end_well(struct sshd *sshd);

/* At once, if it runs, without a word; the files go. */
void csftpd_drop(struct sshd *sshd);

#endif
