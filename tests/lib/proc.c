#include "tests/lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/test.h"

void proc_built(char path[PROC_PATH_MAX], const char *name)
{
	static const char below[] = "/tests/";
	ssize_t len = readlink("/proc/self/exe", path, PROC_PATH_MAX - 1);
	char *next, *end = NULL;

	assert_true(len > 0);
	path[len] = '\0';
	/* BUILD/tests/KIND/.../PROGRAM, and BUILD may have any name. */
	for (next = strstr(path, below); next; next = strstr(next + 1, below))
		end = next;
	assert_non_null(end);
	proc_print(end, PROC_PATH_MAX - (size_t)(end - path), "/%s", name);
}

void proc_mounter(char path[PROC_PATH_MAX])
{
	const char *other = getenv("CSFTP_TEST_MOUNT");

	if (other)
		proc_print(path, PROC_PATH_MAX, "%s", other);
	else
		proc_built(path, "csftpfs");
}

void proc_server(char path[PROC_PATH_MAX])
{
	const char *other = getenv("CSFTP_TEST_SERVER");

	if (other)
		proc_print(path, PROC_PATH_MAX, "%s", other);
	else
		proc_built(path, "csftp-server");
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

void proc_let_go(void)
{
	static const char *const types[] = {"fuse",	    "fuse.csftp",
					    "fuse.csftpfs", "fuse.gate",
					    "fuse.sshfs",   "fuse.rclone"};
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;

	while (mounts && (mount = getmntent(mounts)) != NULL) {
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
			if (strcmp(mount->mnt_type, types[i]) == 0)
				(void)umount2(mount->mnt_dir, MNT_DETACH);
		}
	}
	if (mounts)
		(void)endmntent(mounts);
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
	/* A shell's job in the background has these ignored. */
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
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

/* cmocka cuts a message at 1024 bytes. */
static void show(const char *text)
{
	static const size_t piece = 512;

	for (size_t len = strlen(text); len > 0; len = strlen(text)) {
		print_message("%.*s", (int)piece, text);
		text += len < piece ? len : piece;
	}
	print_message("\n");
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
	if (status != expect) {
		print_message("exit status %d, not %d:\n", status, expect);
		show(script);
		show(text);
	}
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

/* Daemons are where only root looks. */
static bool in_path(const char *program)
{
	char shell[] = "sh", flag[] = "-c";
	char script[256], text[256];
	char *argv[] = {shell, flag, script, NULL};

	proc_print(script, sizeof(script),
		   "PATH=$PATH:/usr/sbin:/sbin "
		   "command -v '%s'",
		   program);
	return proc_capture(argv, 60000, text, sizeof(text)) == 0;
}

void skip_without(const char *program)
{
	char why[256];

	proc_print(why, sizeof(why), "%s is not installed", program);
	if (!in_path(program))
		skip_because(why);
}
