#include "server/csftpd/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd = -1;

	if (len > 1 && len < sizeof(to.sun_path) &&
	    (*path == '/' || *path == '@')) {
		memcpy(to.sun_path, path, len);
		if (*path == '@')
			to.sun_path[0] = '\0'; /* an abstract one */
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		len += offsetof(struct sockaddr_un, sun_path);
	}
	(void)unsetenv("NOTIFY_SOCKET");
	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&to, (socklen_t)len) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void notify_say(int fd, const char *state)
{
	if (fd >= 0)
		(void)!send(fd, state, strlen(state), MSG_NOSIGNAL);
}
