#include "fusefs/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fusefs/control.h"

/* Only its end of the pipe is left; it is nobody's terminal and directory. */
static bool let_all_go(int fd)
{
	int null = open("/dev/null", O_RDWR);

	return null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	       dup2(null, STDOUT_FILENO) >= 0 &&
	       dup2(null, STDERR_FILENO) >= 0 && dup2(fd, 3) >= 0 &&
	       close_range(4, ~0U, 0) == 0 && setsid() >= 0 && chdir("/") == 0;
}

/* The end of the pipe is that of its owner; a byte says that all is well. */
static bool owner_was_killed(void)
{
	ssize_t len;
	char byte;

	do
		len = read(3, &byte, 1);
	while (len < 0 && errno == EINTR);
	return len == 0;
}

/* Something else may have been mounted there meanwhile. */
_Noreturn static void watch(const char *mountpoint,
			    const struct control_device *device)
{
	char *argv[] = {(char[]){"fusermount3"},
			(char[]){"-u"},
			(char[]){"-z"},
			(char[]){"-q"},
			(char[]){"--"},
			NULL,
			NULL};
	struct control_device now;

	argv[5] = strdup(mountpoint);
	if (argv[5] && owner_was_killed() && control_find(mountpoint, &now) &&
	    now.major == device->major && now.minor == device->minor)
		(void)execvp(argv[0], argv);
	_exit(1);
}

bool guard_start(struct guard *guard, const char *mountpoint)
{
	struct control_device device;
	int fds[2];

	guard->fd = -1;
	if (!control_find(mountpoint, &device) || pipe2(fds, O_CLOEXEC) != 0)
		return false;
	guard->pid = fork();
	if (guard->pid == 0) {
		if (let_all_go(fds[0]))
			watch(mountpoint, &device);
		_exit(1);
	}
	(void)close(fds[0]);
	if (guard->pid < 0) {
		(void)close(fds[1]);
		return false;
	}
	guard->fd = fds[1];
	return true;
}

void guard_end(struct guard *guard)
{
	const char byte = 0;

	if (guard->fd < 0)
		return;
	/* If it was killed itself, there is nobody to tell. */
	if (write(guard->fd, &byte, 1) < 0 && errno != EPIPE)
		return;
	(void)close(guard->fd);
	guard->fd = -1;
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}
