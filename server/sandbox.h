/* What the server gives up once it has started. */
#ifndef CSFTP_SERVER_SANDBOX_H
#define CSFTP_SERVER_SANDBOX_H

#include <stdbool.h>

/*
 * A server that a client's bytes have taken over has the rights of its user,
 * less what is given up here for good:
 *
 *   no new rights   no setuid program gains it anything (no_new_privs), and
 *                   no process of the same user may look into it or write to
 *                   its memory by way of /proc (not dumpable)
 *   seccomp         only system calls that serving files takes.  Those that
 *                   nothing but an attacker calls end the process: programs,
 *                   processes, sockets, tracing, mounts, keys, modules, bpf.
 *                   The others are ENOSYS, which the C library knows how to
 *                   take.
 *   Landlock        with a root: nothing outside of it is opened, made or
 *                   removed, and nothing is executed.  Without one the whole
 *                   tree is served, so only executing and making devices are
 *                   forbidden.  With read_only nothing is opened to write.  No
 *                   TCP, no abstract sockets, no signals to others, where the
 *                   kernel knows of these.
 *
 * Landlock is used from its second version on: the first forbids to move files
 * between directories.
 *
 * All descriptors that are needed from outside of the root must be open before,
 * users and groups be known: name services want sockets.
 */
struct sandbox_config {
	const char *root; /* NULL: "/" */
	bool read_only;
	int log_fd; /* may be connected again; -1: none */
	/* A daemon's: what its settings need, as landlock_enter() has it. */
	const char *const *readable;
};

struct sandbox_state {
	bool seccomp;
	int landlock;  /* version of the kernel's; 0: not used */
	char why[160]; /* what is missing; empty: nothing */
};

/* True if all of it is in force; `state` says what is. */
bool sandbox_enter(const struct sandbox_config *config,
		   struct sandbox_state *state);

/*
 * Landlock by itself, after sandbox_harden(), for this thread and those that it
 * starts later; server/csftpd/calls.h is the other part.
 */
bool sandbox_files(const struct sandbox_config *config,
		   struct sandbox_state *state);

/* Adds to state->why. */
void sandbox_missing(struct sandbox_state *state, const char *what, int err);

/* What is done whatever --sandbox says; harmless everywhere. */
void sandbox_harden(void);

#endif
