#include "fusefs/background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Hands on what there is; false: there will be no more. */
static bool hand_on(int said)
{
	char text[4096];
	ssize_t len = read(said, text, sizeof(text));
	ssize_t put = len;

	for (ssize_t at = 0; at < len && put > 0; at += put)
		put = write(STDERR_FILENO, text + at, (size_t)(len - at));
	return len > 0 || (len < 0 && errno == EINTR);
}

/*
 * Standard error is a pipe by way of the parent: what the child starts lives on
 * with what it was started with, and whoever reads our standard error to its
 * end, as a shell does for "$(csftpfs ... 2>&1)", would wait for all to end.
 */
static int wait_for(int verdict_fd, int said, pid_t pid)
{
	struct pollfd fds[2] = {{.fd = verdict_fd, .events = POLLIN},
				{.fd = said, .events = POLLIN}};
	ssize_t len;
	char verdict;
	int status;

	while (poll(fds, 2, -1) < 0 || !fds[0].revents) {
		if (fds[1].revents && !hand_on(said))
			fds[1].fd = -1;
		fds[1].revents = 0;
	}
	len = read(verdict_fd, &verdict, 1);
	while (hand_on(said))
		continue;
	if (len == 1)
		return 0;
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	return 1;
}

bool background_begin(struct background *background, int *status)
{
	int fds[2], said[2];
	pid_t pid;

	*status = -1;
	if (pipe2(fds, O_CLOEXEC) != 0 ||
	    pipe2(said, O_CLOEXEC | O_NONBLOCK) != 0 ||
	    fcntl(said[1], F_SETFL, 0) != 0)
		return false;
	pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		(void)close(fds[0]);
		background->verdict = fds[1];
		background->said = said[0];
		(void)dup2(said[1], STDERR_FILENO);
		(void)close(said[1]);
		return true;
	}
	(void)close(fds[1]);
	(void)close(said[1]);
	*status = wait_for(fds[0], said[0], pid);
	return false;
}

bool background_leave(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool left = null >= 0 && setsid() >= 0 && chdir("/") == 0 &&
		    dup2(null, STDIN_FILENO) >= 0 &&
		    dup2(null, STDOUT_FILENO) >= 0;

	if (null > STDERR_FILENO)
		(void)close(null);
	return left;
}

int background_tell(struct background *background)
{
	const char zero = 0;
	int said = background->said;
	ssize_t told;

	/* It is /dev/null by now. */
	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
	told = write(background->verdict, &zero, 1);
	(void)told; /* a parent that was killed is no reason to end */
	(void)close(background->verdict);
	background->verdict = -1;
	background->said = -1;
	return said;
}
