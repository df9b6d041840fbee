/* What clients do, whichever SSH server is in front of ours. */
#ifndef CSFTP_TESTS_SUITES_H
#define CSFTP_TESTS_SUITES_H

#include "tests/lib/test.h"

/*
 * Each runs a group of tests with subsystem_make() or subsystem_make_daemon()
 * and returns how many failed.
 */

/* OpenSSH's sftp and scp, and sshfs. */
int suite_openssh(CMFixtureFunction make);

/* rclone, lftp, psftp, paramiko, asyncssh, Go's pkg/sftp and curl. */
int suite_clients(CMFixtureFunction make);

#endif
