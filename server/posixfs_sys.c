#include "server/posixfs_impl.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The system calls that the C library has no functions for.  They have a file
 * to themselves so that a test can put its own in their place and play an
 * older kernel.
 */

int posixfs_openat2(int dirfd, const char *path, int flags, mode_t mode,
		    uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint32_t)flags, .mode = mode, .resolve = resolve};

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

int posixfs_fchmodat2(int dirfd, const char *path, mode_t mode, int flags)
{
#ifdef SYS_fchmodat2
	return (int)syscall(SYS_fchmodat2, dirfd, path, mode, flags);
#else
	/* Headers can be older than the kernel; this number is everyone's. */
	return (int)syscall(452, dirfd, path, mode, flags);
#endif
}
