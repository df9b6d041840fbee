#include "tests/lib/fuse_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "csftp/memfs.h"

static void note(void *arg, const char *text)
{
	struct rig *rig = arg;
	size_t len = strlen(rig->log);

	(void)snprintf(rig->log + len, sizeof(rig->log) - len, "%s\n", text);
}

static struct csftp_time wall_clock(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return (struct csftp_time){now.tv_sec, (uint32_t)now.tv_nsec};
}

int rig_release(void **state)
{
	struct rig *rig = *state;

	if (rig->child > 0) {
		kill(rig->child, SIGKILL);
		/* It may be inside a call that only we can end. */
		fusefs_unmount(rig->f);
		waitpid(rig->child, NULL, 0);
	}
	tap_release(&rig->tap);
	if (rig->f) {
		fusefs_unmount(rig->f);
		fusefs_close_files(rig->f);
		tap_release(&rig->tap);
		fusefs_free(rig->f);
		writebehind_free(rig->writebehind);
	}
	csftp_memfs_free(rig->memfs);
	(void)umount2(rig->point, MNT_DETACH);
	(void)rmdir(rig->point);
	free(rig);
	return 0;
}

static uint64_t steady_clock(void *arg)
{
	(void)arg;
	return (uint64_t)proc_now_ms();
}

static struct csftp_fs *behind(struct rig *rig)
{
	const struct writebehind_config config = {
		.under = &rig->tap.fs,
		.now_ms = steady_clock,
	};

	assert_int_equal(writebehind_new(&rig->writebehind, &config), CSFTP_OK);
	return writebehind_fs(rig->writebehind);
}

/* Mounts; max_read and max_write are the fs's, ops the number of objects. */
void rig_mount(struct rig *rig, uint32_t max_read, uint32_t max_write,
	       uint32_t ops)
{
	char *argv[] = {(char[]){"test_fusefs"}, (char[]){"-osubtype=csftp"},
			rig->allow_other ? (char[]){"-oallow_other"} : NULL,
			NULL};
	struct fusefs_config config = rig->config;

	config.root = "/";
	config.ops = ops;
	config.log = note;
	config.arg = rig;
	rig->tap.fs.max_read = max_read;
	rig->tap.fs.max_write = max_write;
	config.fs = rig->behind ? behind(rig) : &rig->tap.fs;
	assert_int_equal(fusefs_new(&rig->f, &config, argv), CSFTP_OK);
	assert_int_equal(fusefs_mount(rig->f, rig->point), CSFTP_OK);
}

int rig_make(void **state)
{
	const struct csftp_memfs_config config = {.clock = wall_clock};
	struct rig *rig = calloc(1, sizeof(*rig));
	const char *tmp = getenv("TMPDIR");

	if (!rig)
		return -1;
	*state = rig;
	rig->config.uid = FUSEFS_ID_KEEP;
	rig->config.gid = FUSEFS_ID_KEEP;
	if (csftp_memfs_new(&rig->memfs, &config) != CSFTP_OK)
		return -1;
	tap_init(&rig->tap, rig->memfs);
	(void)snprintf(rig->point, sizeof(rig->point), "%s/fusefs-XXXXXX",
		       tmp ? tmp : "/tmp");
	return mkdtemp(rig->point) ? 0 : -1;
}

void rig_need_fuse(void)
{
	if (access("/dev/fuse", R_OK | W_OK) != 0 || geteuid() != 0)
		skip_because("/dev/fuse and root are needed to mount");
}

struct rig *rig_ready(void **state)
{
	rig_need_fuse();
	rig_mount(*state, 0, 0, 0);
	return *state;
}

/* One round of serving; true if the process that also is waited for ended. */
static bool serve_once(struct rig *rig, int pidfd)
{
	struct pollfd fds[2] = {{.fd = -1, .events = POLLIN},
				{.fd = pidfd, .events = POLLIN}};
	uint64_t now = (uint64_t)proc_now_ms();
	uint64_t next = fusefs_tick(rig->f, now);
	int timeout = next ? (int)(next > now ? next - now : 0) : 10000;

	if (fusefs_wants_input(rig->f))
		fds[0].fd = fusefs_fd(rig->f);
	if (rig->between)
		rig->between(rig);
	assert_true(poll(fds, 2, timeout) > 0 || next);
	if (fds[0].revents)
		fusefs_ready(rig->f);
	if (fusefs_nodes(rig->f) > rig->most_nodes)
		rig->most_nodes = fusefs_nodes(rig->f);
	return fds[1].revents != 0;
}

/* Serves until the process has ended; its wait status. */
int rig_serve(struct rig *rig, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = -1;

	assert_true(pidfd >= 0);
	while (!serve_once(rig, pidfd))
		;
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rig->child = 0;
	fusefs_ready(rig->f); /* what its end has left to do */
	return status;
}

pid_t rig_start(struct rig *rig, void (*body)(void))
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* What holds the device open keeps a dead mount alive. */
		close(fusefs_fd(rig->f));
		if (chdir(rig->point) != 0)
			_exit(2);
		umask(022);
		body();
		_exit(0);
	}
	rig->child = pid;
	return pid;
}

/* Runs body in a process inside the mount; it exits with 0 if all was well. */
void rig_run(struct rig *rig, void (*body)(void))
{
	assert_int_equal(rig_serve(rig, rig_start(rig, body)), 0);
	assert_int_equal(fusefs_pending(rig->f), rig->tap.held_count);
}

void rig_check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	(void)fprintf(stderr, "line %d: %s: %s\n", line, what, strerror(errno));
	_exit(1);
}

bool rig_fails(long result, int err)
{
	return result == -1 && errno == err;
}

int rig_open(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	NEED(fd >= 0);
	NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

void rig_put(const char *name, const char *text)
{
	NEED(close(rig_open(name, text)) == 0);
}

bool rig_holds(const char *name, const char *text)
{
	char buf[256];
	int fd = open(name, O_RDONLY);
	ssize_t len;

	NEED(fd >= 0);
	len = read(fd, buf, sizeof(buf));
	NEED(close(fd) == 0);
	return len == (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text));
}
