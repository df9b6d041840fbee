#include "server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel's numbers (Documentation/userspace-api/landlock.rst), as headers
 * may be older than the kernel.
 */
#define CREATE_VERSION 1U
#define RULE_PATH      1

#define FS_EXECUTE     (1ULL << 0)
#define FS_WRITE_FILE  (1ULL << 1)
#define FS_READ_FILE   (1ULL << 2)
#define FS_READ_DIR    (1ULL << 3)
#define FS_MAKE_CHAR   (1ULL << 6)
#define FS_MAKE_BLOCK  (1ULL << 11)
#define FS_REFER       (1ULL << 13) /* version 2 */
#define FS_VERSION_1   ((1ULL << 13) - 1)
#define FS_TRUNCATE    (1ULL << 14) /* version 3 */
#define NET_BIND_TCP   (1ULL << 0)  /* version 4 */
#define NET_CONNECT    (1ULL << 1)
#define FS_IOCTL_DEV   (1ULL << 15) /* version 5 */
#define SCOPE_ABSTRACT (1ULL << 0)  /* version 6 */
#define SCOPE_SIGNAL   (1ULL << 1)

#define NEVER_ALLOWED (FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV)

struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct __attribute__((packed)) path_rule {
	uint64_t allowed;
	int32_t fd;
};

static int create(const struct ruleset *set, size_t size, uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, set, size, flags);
}

/* How much of the structure this kernel knows. */
static size_t ruleset_size(int version)
{
	if (version < 4)
		return 8;
	return version < 6 ? 16 : 24;
}

static struct ruleset what_to_handle(int version, bool whole_tree)
{
	struct ruleset set = {.fs = FS_VERSION_1 | FS_REFER};

	if (version >= 3)
		set.fs |= FS_TRUNCATE;
	if (version >= 5)
		set.fs |= FS_IOCTL_DEV;
	/* What is not handled is allowed, and costs no look at each open. */
	if (whole_tree)
		set.fs &= NEVER_ALLOWED | FS_REFER;
	if (version >= 4)
		set.net = NET_BIND_TCP | NET_CONNECT;
	if (version >= 6)
		set.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return set;
}

static int allow_below(int ruleset, const char *root, uint64_t allowed)
{
	struct path_rule rule = {.allowed = allowed};
	int err = 0;

	rule.fd = open(root, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return errno;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0U) != 0)
		err = errno;
	close(rule.fd);
	return err;
}

static int allow_reading(int ruleset, const char *const *path)
{
	int err = 0;

	for (; err == 0 && path && *path; path++) {
		err = allow_below(ruleset, *path, FS_READ_FILE | FS_READ_DIR);
		if (err == ENOENT || err == ENOTDIR || err == EACCES)
			err = 0;
	}
	return err;
}

int landlock_enter(const char *root, bool whole_tree, bool read_only,
		   const char *const *readable, int *version)
{
	int known = create(NULL, 0, CREATE_VERSION);
	struct ruleset set;
	uint64_t allowed;
	int ruleset;
	int err;

	if (known < 0)
		return errno;
	if (known < 2)
		return EOPNOTSUPP;
	set = what_to_handle(known, whole_tree);
	if (read_only)
		set.fs |= FS_VERSION_1 | (known >= 3 ? FS_TRUNCATE : 0);
	allowed = set.fs & ~NEVER_ALLOWED;
	if (read_only)
		allowed &= FS_READ_FILE | FS_READ_DIR;
	ruleset = create(&set, ruleset_size(known), 0);
	if (ruleset < 0)
		return errno;
	err = allow_below(ruleset, root, allowed);
	if (err == 0 && !whole_tree)
		err = allow_reading(ruleset, readable);
	if (err == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0)
		err = errno;
	close(ruleset);
	if (err == 0)
		*version = known;
	return err;
}
