/* A mount of a served directory, and the server behind it. */
#ifndef CSFTP_TESTS_MOUNTED_H
#define CSFTP_TESTS_MOUNTED_H

#include <stdbool.h>

#include "tests/lib/proc.h"
#include "tests/lib/sshd.h"

/* The ways from the mount program to a directory. */
enum transport {
	DIRECT_CSFTP,	 /* TCP to csftp-server */
	SSH_OPENSSH,	 /* ssh, sshd, OpenSSH's sftp-server */
	SSH_CSFTP,	 /* ssh, sshd, csftp-server */
	NATIVE_OPENSSH,	 /* our own SSH, sshd, OpenSSH's sftp-server */
	NATIVE_CSFTP,	 /* our own SSH, sshd, csftp-server */
	LIBSSH2_OPENSSH, /* libssh2, sshd, OpenSSH's sftp-server */
	TRANSPORT_COUNT
};

const char *transport_name(enum transport transport);

/*
 * served/ is what the server shows and the tests look at directly; point/ is
 * where it is mounted.
 */
struct mounted {
	enum transport transport;
	struct sshd sshd;
	struct direct direct;
	pid_t pid; /* the mount program, in the foreground; 0: not mounted */
	char dir[PROC_PATH_MAX];
	char served[PROC_PATH_MAX];
	char point[PROC_PATH_MAX];
};

/* Starts the server alone. */
void mounted_serve(struct mounted *mounted, enum transport transport);

/* Mounts; options as behind -o, or NULL.  Returns once the mount is there. */
void mounted_mount(struct mounted *mounted, const char *options);

/* Waits for the mount of mounted->pid, which the caller has started. */
void mounted_await(const struct mounted *mounted);

/* mounted_serve() and mounted_mount() without options. */
void mounted_start(struct mounted *mounted, enum transport transport);

/*
 * Unmounts, and fails unless the mount program ends by itself, with status 0.
 * Nothing of the mount is left in any cache.
 */
void mounted_unmount(struct mounted *mounted);

/* Whatever state it is in: unmounts; the server goes on. */
void mounted_drop(struct mounted *mounted);

/* Whatever state it is in: unmounts, stops the server, removes the files. */
void mounted_stop(struct mounted *mounted);

/*
 * A command line for the mount program that mounts `remote` at `point`;
 * append[] are further arguments up to NULL.  Released by mounted_argv_free().
 */
char **mounted_argv(const struct mounted *mounted, const char *remote,
		    const char *point, const char *const append[]);
void mounted_argv_free(char **argv);

/* Whether something is mounted exactly there. */
bool is_mount_point(const char *path);

#endif
