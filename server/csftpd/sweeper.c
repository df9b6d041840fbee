#include "server/csftpd/sweeper.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/sandbox.h"

struct seen {
	const char *path;
	struct stat st;
	bool there;
};

static void look(struct seen *seen, const char *path)
{
	seen->path = path;
	seen->there = lstat(path, &seen->st) == 0;
}

/* Another daemon may have taken the place. */
static void sweep(const struct seen *seen)
{
	struct stat st;

	if (seen->there && lstat(seen->path, &st) == 0 &&
	    st.st_dev == seen->st.st_dev && st.st_ino == seen->st.st_ino)
		(void)unlink(seen->path);
}

static void close_others(int fd)
{
	if (fd > 0)
		(void)close_range(0, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, UINT_MAX, 0);
}

/* Signals are for the daemon, and stay blocked here. */
_Noreturn static void run(int fd, const struct seen *seen, size_t count)
{
	char byte;
	ssize_t got;

	(void)prctl(PR_SET_NAME, "csftpd-sweeper", 0, 0, 0);
	close_others(fd);
	sandbox_harden();
	do
		got = read(fd, &byte, 1);
	while (got > 0 || (got < 0 && errno == EINTR));
	for (size_t i = 0; i < count; i++)
		sweep(&seen[i]);
	_exit(0);
}

bool sweeper_start(struct sweeper *sweeper, const char *const *path,
		   size_t count)
{
	struct seen seen[SWEEPER_PATHS];
	sigset_t all, before;
	int fds[2];
	pid_t pid;

	sweeper->fd = -1;
	for (size_t i = 0; i < count; i++)
		look(&seen[i], path[i]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return false;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		run(fds[1], seen, count);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(fds[1]);
	sweeper->fd = fds[0];
	if (pid > 0)
		return true;
	(void)close(fds[0]);
	sweeper->fd = -1;
	return false;
}

void sweeper_end(struct sweeper *sweeper)
{
	char byte;

	if (sweeper->fd < 0)
		return;
	(void)shutdown(sweeper->fd, SHUT_WR);
	while (read(sweeper->fd, &byte, 1) < 0 && errno == EINTR)
		;
	(void)close(sweeper->fd);
	sweeper->fd = -1;
}
