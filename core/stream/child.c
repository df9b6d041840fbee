#include "csftp/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Room for what is on its way to the child and back, where allowed. */
#define SOCKET_BYTES (1024 * 1024)

static void enlarge(int fd)
{
	int bytes = SOCKET_BYTES;

	/* Less room only makes it slower. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* The child starts with default signals, whatever its parent ignores. */
static int spawn_on(int fd, char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	sigset_t defaults;
	int err;

	(void)sigemptyset(&none);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	err = posix_spawn_file_actions_init(&actions);
	if (err != 0)
		return err;
	err = posix_spawnattr_init(&attr);
	if (err == 0) {
		(void)posix_spawn_file_actions_adddup2(&actions, fd, 0);
		(void)posix_spawn_file_actions_adddup2(&actions, fd, 1);
		(void)posix_spawnattr_setsigmask(&attr, &none);
		(void)posix_spawnattr_setsigdefault(&attr, &defaults);
		(void)posix_spawnattr_setflags(
			&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
		err = posix_spawnp(pid, argv[0], &actions, &attr, argv,
				   environ);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return err;
}

enum csftp_err csftp_stream_spawn(struct csftp_stream *stream,
				  char *const argv[])
{
	struct csftp_stream made;
	int pair[2];
	pid_t pid = 0;
	int err;

	if (!argv || !argv[0])
		return CSFTP_ERR_ARG;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return CSFTP_ERR_IO;
	enlarge(pair[0]);
	enlarge(pair[1]);
	err = spawn_on(pair[1], argv, &pid);
	(void)close(pair[1]);
	if (err == 0 && csftp_stream_fds(&made, pair[0], pair[0]) != CSFTP_OK)
		err = errno;
	if (err != 0) {
		(void)close(pair[0]);
		errno = err;
		return CSFTP_ERR_IO;
	}
	made.pid = pid;
	*stream = made;
	return CSFTP_OK;
}

/* Waits for the child's end; false after timeout_ms. */
static bool child_ends(int pidfd, unsigned timeout_ms)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};
	int n;

	do {
		n = poll(&fd, 1, (int)timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static int reap(pid_t pid, unsigned grace_ms)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = 0;

	if (pidfd >= 0 && !child_ends(pidfd, grace_ms)) {
		(void)kill(pid, SIGTERM);
		if (!child_ends(pidfd, grace_ms))
			(void)kill(pid, SIGKILL);
	} else if (pidfd < 0) {
		(void)kill(pid, SIGTERM);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (pidfd >= 0)
		(void)close(pidfd);
	return status;
}

int csftp_stream_close(struct csftp_stream *stream, unsigned grace_ms)
{
	int status = 0;

	if (stream->ops) {
		status = stream->ops->close(stream, grace_ms);
		*stream = (struct csftp_stream){.rfd = -1, .wfd = -1};
		return status;
	}
	if (stream->pipe.room > 0) {
		(void)close(stream->pipe.rfd);
		(void)close(stream->pipe.wfd);
	}
	if (stream->shared) {
		if (stream->nonblock)
			(void)fcntl(stream->wfd, F_SETFL, stream->wflags);
		*stream = (struct csftp_stream){.rfd = -1, .wfd = -1};
		return 0;
	}
	if (stream->wfd >= 0 && stream->wfd != stream->rfd)
		(void)close(stream->wfd);
	if (stream->rfd >= 0)
		(void)close(stream->rfd);
	if (stream->pid > 0)
		status = reap(stream->pid, grace_ms);
	*stream = (struct csftp_stream){.rfd = -1, .wfd = -1};
	return status;
}
