/* Mounts by SSH of our own, that log in or do not. */
#ifndef CSFTP_TESTS_LOGIN_H
#define CSFTP_TESTS_LOGIN_H

#include <stddef.h>

#include "tests/lib/mounted.h"

#define LOGIN_MS       60000
#define LOGIN_TEXT_MAX (64 * 1024)

/* With one server, for all claims that are run by one way. */
struct login {
	struct mounted mounted; /* its server is sshd, with a key */
	pid_t agent;
	char hosts[PROC_PATH_MAX]; /* a known_hosts file of the test's */
	char text[LOGIN_TEXT_MAX]; /* what was said last */
};

struct CMUnitTest;

/*
 * Runs them by csftpfs's own SSH and by libssh2, with a struct login as the
 * state.  CSFTP_TEST_CLAIM is a pattern of those to run.
 */
int login_run(const struct CMUnitTest *claims, size_t count);

/* The teardown of a claim: neither mount nor agent, nor a known host. */
int login_clean_up(void **state);

/* No agent and nobody who answers is in the environment any more. */
void login_forget(void);

/*
 * Options are words for behind -o, up to NULL.
 */

/* A mount that stays; mounted_unmount() it. */
void login_start(struct login *login, const char *const options[]);

/* It mounts, a file can be read, and it unmounts in order. */
void login_works(struct login *login, const char *const options[]);

/* It does not, and what it says is in login->text. */
void login_fails(struct login *login, const char *const options[]);
void login_says(struct login *login, const char *what);
void login_says_not(struct login *login, const char *what);

/* "name=value", in buf, of PROC_PATH_MAX bytes; returns it. */
const char *login_option(char *buf, const char *name, const char *value);

#endif
