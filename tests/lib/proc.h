/* Programs, scratch directories and skips, for the tests that need them. */
#ifndef CSFTP_TESTS_PROC_H
#define CSFTP_TESTS_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_PATH_MAX 4096

/*
 * These helpers report to cmocka: what cannot be done fails the running test.
 * Processes started here die with the test program.
 */

/* The file `name` of the build directory that this program was built in. */
void proc_built(char path[PROC_PATH_MAX], const char *name);

/* The mount program: csftpfs, or what CSFTP_TEST_MOUNT names. */
void proc_mounter(char path[PROC_PATH_MAX]);

/* The server program: csftp-server, or what CSFTP_TEST_SERVER names. */
void proc_server(char path[PROC_PATH_MAX]);

/* printf into a buffer; fails the test if it does not fit. */
__attribute__((format(printf, 3, 4))) void proc_print(char *buf, size_t size,
						      const char *format, ...);

/*
 * Starts a program, looked up in PATH.  in, out and err become its standard
 * files; -1 is /dev/null for in, our own standard error for the others.
 */
pid_t proc_start(char *const argv[], int in, int out, int err);

/* Its wait status; -1 if it has not ended by then: it goes on running. */
int proc_wait(pid_t pid, int timeout_ms);

/* SIGTERM, later SIGKILL; reaped when this returns. */
void proc_stop(pid_t pid);

/*
 * Runs "sh -exc" with the text printed and returns its exit status, 128 plus
 * the signal where one ended it.  What it says is shown if it is not `expect`.
 */
__attribute__((format(printf, 2, 3))) int proc_sh(int expect,
						  const char *format, ...);

/* The same; fails the test unless the status is 0. */
__attribute__((format(printf, 1, 2))) void must_sh(const char *format, ...);

/*
 * Runs argv without input, both outputs into text (cut at size, NUL-ended).
 * Exit status as proc_sh(); the program is killed after timeout_ms.
 */
int proc_capture(char *const argv[], int timeout_ms, char *text, size_t size);

/*
 * What comes first in a mount namespace of one's own: mounts of others, by
 * FUSE, which were copied with all else, would live on there, and their
 * programs with them, when they are unmounted.  As a line for a shell, and for
 * ourselves.
 */
#define PROC_LET_GO                                                            \
	"while read -r _ at type _; do case $type in "                         \
	"fuse|fuse.csftp*|fuse.gate|fuse.sshfs|fuse.rclone) "                  \
	"umount -l \"$at\" || :;; esac; done </proc/self/mounts\n"
void proc_let_go(void);

/* Milliseconds of a clock that only goes forward. */
int64_t proc_now_ms(void);

/* A new directory below TMPDIR; scratch_remove() deletes all that is in it. */
void scratch_make(char path[PROC_PATH_MAX]);
void scratch_remove(const char *path);

/* Whole files.  The reader returns the length; longer than size fails. */
void file_write(const char *path, const void *data, size_t len);
size_t file_read(const char *path, void *data, size_t size);

/* Skips the running test, with the reason for the runner's list. */
_Noreturn void skip_because(const char *why);

/* Skips it where there is no such program. */
void skip_without(const char *program);

#endif
