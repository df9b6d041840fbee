/* Landlock, by its system calls: the C library has none for them. */
#ifndef CSFTP_SERVER_LANDLOCK_H
#define CSFTP_SERVER_LANDLOCK_H

#include <stdbool.h>

/*
 * From now on files are opened, made and removed below `root` only, and none is
 * executed; a whole tree is not restricted but for executing and devices.
 * no_new_privs must be set.  readable: what else may be read, a list that a
 * NULL ends, of which some need not be there; or NULL.
 *
 * 0 and the kernel's version, or an errno: ENOSYS and EOPNOTSUPP where the
 * kernel has none or has it switched off, or has its first version.
 */
int landlock_enter(const char *root, bool whole_tree, bool read_only,
		   const char *const *readable, int *version);

#endif
