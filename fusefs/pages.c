#include "fusefs/pages.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The end of the pipe is its own end. */
_Noreturn static void flush(int pipe, const char *mountpoint)
{
	int fd;

	if (dup2(pipe, 0) < 0 || close_range(1, ~0U, 0) != 0)
		_exit(1);
	fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_exit(fd >= 0 && syncfs(fd) == 0 ? 0 : 1);
}

bool pages_flush(struct pages *pages, const char *mountpoint)
{
	sigset_t all, old;
	int fds[2];

	pages->fd = -1;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	/* What is done about a signal here is not for it to do. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	pages->pid = fork();
	if (pages->pid == 0)
		flush(fds[1], mountpoint);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)close(fds[1]);
	if (pages->pid < 0) {
		(void)close(fds[0]);
		return false;
	}
	pages->fd = fds[0];
	return true;
}

void pages_release(struct pages *pages)
{
	if (pages->fd < 0)
		return;
	(void)close(pages->fd);
	pages->fd = -1;
	/* Who still hangs goes when the mount has gone, as we do. */
	(void)waitpid(pages->pid, NULL, WNOHANG);
}
