#include "server/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* More make everything far: then nothing is looked up without a thread. */
enum { DEVICES_MAX = 128, LINE_MAX_LEN = 8192 };

struct mounts {
	int fd;
	const char *root;
	time_t looked; /* the second of the last look */
	size_t count;
	bool all;
	dev_t device[DEVICES_MAX];
};

static bool is(const char *type, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(type, name, len) == 0;
}

bool mounts_is_far_type(const char *type, size_t len)
{
	static const char *const far[] = {
		"fuse",	     "fuseblk", "nfs",	  "nfs4",   "cifs",  "smb3",
		"smbfs",     "9p",	"ceph",	  "afs",    "coda",  "virtiofs",
		"glusterfs", "lustre",	"beegfs", "gpfs",   "gfs2",  "ocfs2",
		"orangefs",  "vboxsf",	"prl_fs", "vmhgfs", "panfs",
	};

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		if (is(type, len, far[i]))
			return true;
	return len > 5 && memcmp(type, "fuse.", 5) == 0;
}

/* What has a byte escaped is taken for reached: it is the cautious guess. */
bool mounts_is_reached(const char *root, const char *point, size_t len)
{
	size_t root_len = root ? strlen(root) : 0;

	if (root_len <= 1 || len <= 1 || memchr(point, '\\', len))
		return true;
	if (len < root_len)
		return memcmp(root, point, len) == 0 && root[len] == '/';
	return memcmp(root, point, root_len) == 0 &&
	       (len == root_len || point[root_len] == '/');
}

static char *skip_fields(char *at, int count)
{
	while (at && count-- > 0) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at;
}

/*
 * "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/sda rw": the third
 * field, the fifth, and the one behind " - ".
 */
static void take_line(struct mounts *mounts, char *line)
{
	char *type = strstr(line, " - ");
	char *at = skip_fields(line, 2);
	const char *point = skip_fields(at, 2);
	unsigned long major, minor;

	if (!point || !type ||
	    !mounts_is_reached(mounts->root, point, strcspn(point, " ")) ||
	    !mounts_is_far_type(type + 3, strcspn(type + 3, " ")))
		return;
	major = strtoul(at, &at, 10);
	minor = *at == ':' ? strtoul(at + 1, NULL, 10) : 0;
	if (mounts->count < DEVICES_MAX)
		mounts->device[mounts->count++] =
			makedev((unsigned)major, (unsigned)minor);
	else
		mounts->all = true;
}

/* What is longer than the room for a line is no line that counts. */
static void read_list(struct mounts *mounts)
{
	char text[LINE_MAX_LEN];
	size_t have = 0;
	off_t off = 0;
	ssize_t got;

	mounts->count = 0;
	mounts->all = false;
	while ((got = pread(mounts->fd, text + have, sizeof(text) - 1 - have,
			    off)) > 0) {
		char *line = text, *end;

		off += got;
		have += (size_t)got;
		text[have] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			take_line(mounts, line);
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
		if (have == sizeof(text) - 1)
			have = 0;
	}
}

static void look(struct mounts *mounts)
{
	struct pollfd changed = {.fd = mounts->fd, .events = POLLPRI};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == mounts->looked)
		return;
	mounts->looked = now.tv_sec;
	if (poll(&changed, 1, 0) > 0)
		read_list(mounts);
}

struct mounts *mounts_new(const char *root)
{
	struct mounts *mounts = calloc(1, sizeof(*mounts));

	if (!mounts)
		return NULL;
	mounts->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts->fd < 0) {
		free(mounts);
		return NULL;
	}
	mounts->root = root;
	read_list(mounts);
	return mounts;
}

void mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return;
	close(mounts->fd);
	free(mounts);
}

bool mounts_any(struct mounts *mounts)
{
	if (!mounts)
		return false;
	look(mounts);
	return mounts->count > 0;
}

bool mounts_far(struct mounts *mounts, dev_t dev)
{
	if (!mounts_any(mounts))
		return false;
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->device[i] == dev)
			return true;
	return mounts->all;
}
