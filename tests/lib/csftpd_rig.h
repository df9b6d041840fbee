/* A daemon, a directory, and shells that have both. */
#ifndef CSFTP_TESTS_CSFTPD_RIG_H
#define CSFTP_TESTS_CSFTPD_RIG_H

#include "tests/lib/csftpd.h"

struct csftpd_rig {
	struct sshd sshd;
	char dir[PROC_PATH_MAX]; /* for files of the test's */
};

/*
 * For cmocka: the state is one of these, with a daemon that has not been
 * started and an empty directory, and the umask is 022.
 */
int csftpd_rig_make(void **state);
int csftpd_rig_drop(void **state);

#define CSFTPD_CLAIM(name)                                                     \
	cmocka_unit_test_setup_teardown(name, csftpd_rig_make, csftpd_rig_drop)

/* There is a configuration, and nobody yet who serves by it. */
void csftpd_rig_configure(struct csftpd_rig *rig);

/*
 * Runs a shell's script in the directory, and fails the test where that does.
 * It has $dir, $host, $port, $key, $config (of clients), $csftpd and $of, which
 * is sshd.dir; and
 *   sftp          does what its standard input says;
 *   open_session  leaves one open as $client, that does what is written to
 *                 descriptor 9, and has made the directory "one";
 *   end           ends $pid and waits for it.
 */
__attribute__((format(printf, 2, 3))) void
csftpd_rig_sh(const struct csftpd_rig *rig, const char *format, ...);

/* A connection that says nothing. */
int csftpd_dial(const struct sshd *sshd);

#endif
