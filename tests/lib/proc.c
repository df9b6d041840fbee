#include "tests/lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/test.h"

void proc_built(char path[PROC_PATH_MAX], const char *name)
{
	ssize_t len = readlink("/proc/self/exe", path, PROC_PATH_MAX - 1);

	assert_true(len > 0);
	path[len] = '\0';
	/* BUILD/tests/KIND/PROGRAM */
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(path, '/');

		assert_non_null(slash);
		*slash = '\0';
	}
	len = (ssize_t)strlen(path);
	proc_print(path + len, PROC_PATH_MAX - (size_t)len, "/%s", name);
}

void proc_mounter(char path[PROC_PATH_MAX])
{
	const char *other = getenv("CSFTP_TEST_MOUNT");

	if (other)
		proc_print(path, PROC_PATH_MAX, "%s", other);
	else
		proc_built(path, "csftpfs");
}

void proc_print(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(buf, size, format, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < size);
}

int64_t proc_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child: no call that could take a lock of the parent's. */
_Noreturn static void become(char *const argv[], const int fds[3])
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(fds[fd], fd) < 0)
			_exit(126);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

pid_t proc_start(char *const argv[], int in, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fds[3];
	pid_t pid;

	assert_true(null >= 0);
	/* Out of the way of 0 to 2, which the child overwrites in turn. */
	fds[0] = fcntl(in < 0 ? null : in, F_DUPFD_CLOEXEC, 10);
	fds[1] = fcntl(out < 0 ? 2 : out, F_DUPFD_CLOEXEC, 10);
	fds[2] = fcntl(err < 0 ? 2 : err, F_DUPFD_CLOEXEC, 10);
	close(null);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		become(argv, fds);
	for (int fd = 0; fd < 3; fd++)
		close(fds[fd]);
	return pid;
}

int proc_wait(pid_t pid, int timeout_ms)
{
	struct pollfd ended = {.events = POLLIN};
	int status = -1;
	int ready;

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(ended.fd >= 0);
	do
		ready = poll(&ended, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	close(ended.fd);
	if (ready > 0)
		assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

void proc_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	if (proc_wait(pid, 10000) != -1)
		return;
	kill(pid, SIGKILL);
	proc_wait(pid, -1);
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int capture_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = (int)syscall(SYS_memfd_create, "output", 1U);
	assert_true(fd >= 0);
	return fd;
}

int proc_capture(char *const argv[], int timeout_ms, char *text, size_t size)
{
	int out = capture_file();
	pid_t pid = proc_start(argv, -1, out, out);
	int status = proc_wait(pid, timeout_ms);
	ssize_t len;

	if (status == -1) {
		print_message("%s: no end after %d ms\n", argv[0], timeout_ms);
		kill(pid, SIGKILL);
		status = proc_wait(pid, -1);
	}
	len = pread(out, text, size - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(out);
	return exit_status(status);
}

static int run_shell(int expect, const char *script)
{
	char shell[] = "sh", flag[] = "-exc";
	char *argv[] = {shell, flag, strdup(script), NULL};
	static const int limit_ms = 15 * 60 * 1000;
	char *text = malloc(1U << 16);
	int status;

	assert_non_null(argv[2]);
	assert_non_null(text);
	status = proc_capture(argv, limit_ms, text, 1U << 16);
	if (status != expect)
		print_message("exit status %d, not %d: %s\n%s\n", status,
			      expect, script, text);
	free(argv[2]);
	free(text);
	return status;
}

int proc_sh(int expect, const char *format, ...)
{
	char script[16384];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(script, sizeof(script), format, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < sizeof(script));
	return run_shell(expect, script);
}

void must_sh(const char *format, ...)
{
	char script[16384];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(script, sizeof(script), format, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < sizeof(script));
	assert_int_equal(run_shell(0, script), 0);
}

void scratch_make(char path[PROC_PATH_MAX])
{
	const char *base = getenv("TMPDIR");

	proc_print(path, PROC_PATH_MAX, "%s/csftp.XXXXXX",
		   base && base[0] ? base : "/tmp");
	assert_non_null(mkdtemp(path));
}

void scratch_remove(const char *path)
{
	char rm[] = "rm", flags[] = "-rf", one[] = "--one-file-system";
	char *copy = strdup(path);
	char *argv[] = {rm, flags, one, copy, NULL};

	assert_non_null(copy);
	proc_wait(proc_start(argv, -1, -1, -1), -1);
	free(copy);
}

void file_write(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

size_t file_read(const char *path, void *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	do {
		got = read(fd, (char *)data + len, size - len);
		assert_true(got >= 0);
		len += (size_t)got;
	} while (got > 0 && len < size);
	close(fd);
	return len;
}

void skip_because(const char *why)
{
	print_message("# skip: %s\n", why);
	skip();
	abort();
}
