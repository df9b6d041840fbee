/* A process that outlives a killed csftpfs, to unmount what it leaves. */
#ifndef CSFTP_FUSEFS_GUARD_H
#define CSFTP_FUSEFS_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * fusermount3(1) has a process for auto_unmount, which looks first whether the
 * mount is dead.  It does so as root, whom a mount of another user refuses
 * before anybody sees that it is dead; so it ends without having unmounted,
 * unless the mount is for other users as well.
 */
struct guard {
	int fd;	   /* its other end is the guard's; -1: there is none */
	pid_t pid; /* of a child */
};

/*
 * Of what is mounted at the absolute path.  The guard holds no descriptor and
 * no directory.  false: there is none, and errno says why.
 */
bool guard_start(struct guard *guard, const char *mountpoint);

/* It need not watch any more.  Without a guard that is fine. */
void guard_end(struct guard *guard);

#endif
