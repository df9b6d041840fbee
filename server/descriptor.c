#include "server/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Documentation/admin-guide/devices.txt of the kernel */
enum { MEMORY_DEVICES = 1, NULL_DEVICE = 3 };

static bool is_fine(const struct stat *st)
{
	return S_ISREG(st->st_mode) ||
	       (S_ISCHR(st->st_mode) &&
		st->st_rdev == makedev(MEMORY_DEVICES, NULL_DEVICE));
}

int descriptor_of_file(const char *path, struct stat *st, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*why = NULL;
	if (fd < 0 || fstat(fd, st) != 0)
		*why = strerrordesc_np(errno);
	else if (!is_fine(st))
		*why = "not a regular file";
	if (*why && fd >= 0)
		(void)close(fd);
	return *why ? -1 : fd;
}

bool descriptor_listens(int fd)
{
	socklen_t len = sizeof(int);
	int listening = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) ==
		       0 &&
	       listening != 0;
}
