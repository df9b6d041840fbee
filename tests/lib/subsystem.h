/* csftp-server behind an SSH server, and a record of its sessions. */
#ifndef CSFTP_TESTS_SUBSYSTEM_H
#define CSFTP_TESTS_SUBSYSTEM_H

#include "tests/lib/mounted.h"

/*
 * A group's state.  Made once; each test begins with empty directories and an
 * empty record, and starts the SSH server that it wants unless it runs.
 */
struct subsystem {
	struct sshd sshd;	/* runs if its pid is not 0 */
	bool daemon;		/* csftpd is what is meant by sshd */
	struct mounted mounted; /* a test's own; dropped behind it */
	char dir[PROC_PATH_MAX];
	char files[PROC_PATH_MAX]; /* where sessions start */
	char local[PROC_PATH_MAX]; /* what the client works on */
	/* Runs csftp-server in files, with its own arguments, and notes it. */
	char program[PROC_PATH_MAX];
};

/* Set-up and teardown of a group, and the set-up of each test. */
int subsystem_make(void **state);
int subsystem_make_daemon(void **state);
int subsystem_release(void **state);
int subsystem_clear(void **state);

/* With subsystem_make_daemon() it is csftpd, started anew for each test. */
void subsystem_by_sshd(struct subsystem *served);
void subsystem_by_dropbear(struct subsystem *served);

/* name below local, or below files; the caller's own buffer. */
const char *subsystem_local(const struct subsystem *served, const char *name,
			    char path[PROC_PATH_MAX]);
const char *subsystem_file(const struct subsystem *served, const char *name,
			   char path[PROC_PATH_MAX]);

/* A sample at local's "tree", for what clients send. */
void subsystem_sample(const struct subsystem *served, unsigned with);

/*
 * Fails the test unless "tree" in local is the same as "tree" in files and as
 * "back" in local; what as in tree_compare().
 */
void subsystem_assert_both_ways(const struct subsystem *served, unsigned what);

/*
 * Fails the test unless the script, run in local by "sh -ex", ends with 0.
 * HOME is an empty directory, and these are set: $files, $local, $program as
 * above, $config, $key, $known_hosts and $port of the SSH server, $host for
 * ssh -F $config, and $user.
 */
void subsystem_sh(const struct subsystem *served, const char *script);

/*
 * Waits until each session of this test has ended, and returns how many there
 * were.  Fails the test if one goes on without a client or was ended by a
 * signal.
 */
size_t subsystem_assert_ended(struct subsystem *served);

/*
 * The same, and fails the test unless there was one, all ended as with a
 * client's farewell, and none said anything on standard error.
 */
void subsystem_assert_well(struct subsystem *served);

#define SUBSYSTEM_TEST(claim) cmocka_unit_test_setup(claim, subsystem_clear)

#endif
