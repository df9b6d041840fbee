/* A mount whose connection goes through a proxy, and dies by that. */
#ifndef CSFTP_TESTS_AWAY_H
#define CSFTP_TESTS_AWAY_H

#include <stdbool.h>

#include "tests/lib/mounted.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"

/*
 * What cannot be done fails the running test.  What goes wrong in a test leaves
 * no process and no mount: the teardown ends all of them.
 */
struct away {
	struct mounted mounted;
	struct proxy proxy;
	char log[PROC_PATH_MAX];
	pid_t child; /* that a test started */
};

/* Set-up and teardown for cmocka; served, but not mounted yet. */
int away_make_direct(void **state);
int away_make_ssh(void **state);
int away_make_native(void **state);
int away_make_libssh2(void **state);
int away_release(void **state);

/* Mounts by way of the proxy; what it says goes to the log. */
void away_mount(struct away *away, const char *options);

/* What the log has, or has by and by. */
bool away_said(const struct away *away, const char *what);
void away_await(const struct away *away, const char *what);

/* A moment, for who looks again and again. */
void away_nap(void);

void away_path(const char *top, const char *name, char path[PROC_PATH_MAX]);

/* Opens a file of the mount, mode 0644. */
int away_open(const struct away *away, const char *name, int flags);
void away_write(int fd, const char *text);

/* Behind the mount's back: a file, a directory of "name-1" to "name-COUNT". */
void away_serve(const struct away *away, const char *name, const char *text);
void away_fill(const struct away *away, const char *dir, unsigned count);
void away_assert_served(const struct away *away, const char *name,
			const char *want);

/* There is no server, and csftpfs knows; there is one, and it has it. */
void away_go_down(struct away *away);
void away_come_back(struct away *away);

#define BY_SSH(name)                                                           \
	cmocka_unit_test_setup_teardown(name, away_make_ssh, away_release)
#define BY_NATIVE(name)                                                        \
	cmocka_unit_test_setup_teardown(name, away_make_native, away_release)
#define BY_LIBSSH2(name)                                                       \
	cmocka_unit_test_setup_teardown(name, away_make_libssh2, away_release)
#define DIRECTLY(name)                                                         \
	cmocka_unit_test_setup_teardown(name, away_make_direct, away_release)

#endif
