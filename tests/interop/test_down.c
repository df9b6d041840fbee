/*
 * A mounted file system that has no connection for a while: what is shown, who
 * waits, and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/away.h"

/*
 * While it is down
 */

static void what_was_known_is_shown_while_it_is_down(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct statvfs vfs;
	struct stat st;

	away_fill(away, "some", 10);
	away_mount(away, "attr_timeout=0,entry_timeout=0,dcache_timeout=0.5");
	away_path(away->mounted.point, "some", path);
	must_sh("ls -l '%s' '%s' >/dev/null", away->mounted.point, path);
	(void)poll(NULL, 0, 1000); /* it is not good any more, but by then */
	away_go_down(away);
	must_sh("ls -l '%s' | grep -q name-10", path);
	must_sh("ls -l '%s' | grep -q some", away->mounted.point);
	away_path(away->mounted.point, "some/name-3", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(statvfs(path, &vfs), 0);
	away_come_back(away);
	mounted_unmount(&away->mounted);
}

static void assert_df_does_not_wait(struct away *away)
{
	char path[PROC_PATH_MAX];

	/* Answered behind what csftpfs asks of its own accord. */
	away_path(away->mounted.point, "none", path);
	assert_true(access(path, F_OK) < 0 && errno == ENOENT);
	away_go_down(away);
	must_sh("df '%s' && ls -d '%s'", away->mounted.point,
		away->mounted.point);
}

/* df(1) opens what it is given. */
static void df_of_the_mount_does_not_wait_while_it_is_down(void **state)
{
	struct away *away = *state;

	away_mount(away, "timeout=0");
	assert_df_does_not_wait(away);
	/* Nor does the end wait for what was only looked at. */
	mounted_unmount(&away->mounted);
}

/* The first to ask has made it connect, and has not asked about the top. */
static void df_does_not_wait_where_it_has_connected_late(void **state)
{
	struct away *away = *state;

	away_serve(away, "file", "text");
	away_mount(away, "delay_connect,timeout=0");
	must_sh("cat '%s/file' >/dev/null", away->mounted.point);
	assert_df_does_not_wait(away);
	mounted_unmount(&away->mounted);
}

/* A process that waits for the mount. */
static pid_t start_cat(struct away *away, const char *name)
{
	char path[PROC_PATH_MAX];
	char *argv[] = {(char[]){"cat"}, path, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(null >= 0);
	away_path(away->mounted.point, name, path);
	away->child = proc_start(argv, -1, null, null);
	close(null);
	return away->child;
}

/* It was asked whether it is there, and had answered, but nobody listened. */
static void a_stopped_csftpfs_goes_on_with_its_connection(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];

	away_serve(away, "file", "text");
	away_mount(away, "sshfs_debug,dcache_timeout=0,attr_timeout=0");
	proxy_freeze(&away->proxy, true);
	(void)start_cat(away, "file");
	away_await(away, "REALPATH \".\"");
	assert_int_equal(kill(away->mounted.pid, SIGSTOP), 0);
	proxy_freeze(&away->proxy, false);
	(void)poll(NULL, 0, 7000); /* more than it waits for an answer */
	assert_int_equal(kill(away->mounted.pid, SIGCONT), 0);
	assert_int_equal(proc_wait(away->child, 60000), 0);
	away->child = 0;
	away_path(away->mounted.point, "file", path);
	must_sh("grep -q text '%s'", path);
	assert_false(away_said(away, "lost"));
	mounted_unmount(&away->mounted);
}

/* Until the kernel has its call; it is in no other state then. */
static void await_sleep(pid_t pid)
{
	char path[PROC_PATH_MAX], text[256];
	bool asleep = false;

	proc_print(path, sizeof(path), "/proc/%ld/wchan", (long)pid);
	while (!asleep) {
		size_t len = file_read(path, text, sizeof(text) - 1);

		text[len] = '\0';
		asleep = strstr(text, "fuse") || strstr(text, "request_wait");
		if (!asleep)
			away_nap();
	}
}

static void who_waits_can_be_killed(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
	struct away *away = *state;

	away_serve(away, "file", "text");
	away_mount(away, NULL);
	away_go_down(away);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t pid = start_cat(away, "file");
		int status;

		await_sleep(pid);
		assert_int_equal(kill(pid, signals[i]), 0);
		status = proc_wait(pid, 20000);
		away->child = 0;
		assert_true(status != -1 && WIFSIGNALED(status));
	}
	away_come_back(away);
	mounted_unmount(&away->mounted);
}

static void who_waits_too_long_gets_eio_and_it_recovers(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	char text[16];
	int in, fd;

	away_serve(away, "file", "text");
	away_serve(away, "in", "0123456789");
	away_mount(away, "timeout=1");
	in = away_open(away, "in", O_RDONLY | O_DIRECT);
	away_go_down(away);
	away_path(away->mounted.point, "file", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd < 0 && errno == EIO);
	assert_true(pread(in, text, 10, 0) < 0 && errno == EIO);
	away_come_back(away);
	assert_int_equal(pread(in, text, 10, 0), 10);
	assert_int_equal(close(in), 0);
	must_sh("grep -q text '%s'", path);
	mounted_unmount(&away->mounted);
}

static void who_is_stopped_does_not_wait(void **state)
{
	struct away *away = *state;
	int status;

	away_serve(away, "file", "text");
	away_mount(away, "timeout=15");
	away_go_down(away);
	await_sleep(start_cat(away, "file"));
	assert_int_equal(kill(away->mounted.pid, SIGSTOP), 0);
	proxy_refuse(&away->proxy, false);
	(void)poll(NULL, 0, 17000);
	assert_int_equal(kill(away->mounted.pid, SIGCONT), 0);
	status = proc_wait(away->child, 60000);
	away->child = 0;
	assert_int_equal(status, 0);
	mounted_unmount(&away->mounted);
}

static void with_fail_nobody_waits(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct stat st;

	away_serve(away, "file", "text");
	away_mount(away, "on_disconnect=fail");
	away_go_down(away);
	away_path(away->mounted.point, "file", path);
	assert_true(stat(path, &st) < 0 && errno == EIO);
	away_come_back(away);
	assert_int_equal(stat(path, &st), 0);
	mounted_unmount(&away->mounted);
}

/*
 * The end, while it is down
 */

/* umount(8) asks for the free space of what it is to unmount. */
static void umount_does_not_wait_for_a_server_that_is_gone(void **state)
{
	struct away *away = *state;
	struct statvfs vfs;

	away_mount(away, "timeout=0");
	must_sh("ls '%s'", away->mounted.point);
	away_go_down(away);
	assert_int_equal(statvfs(away->mounted.point, &vfs), 0);
	must_sh("umount '%s'", away->mounted.point);
	assert_int_equal(proc_wait(away->mounted.pid, 60000), 0);
	away->mounted.pid = 0;
}

static void assert_no_mount_left(struct away *away, int status, int want)
{
	away->mounted.pid = 0;
	assert_true(status != -1 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
	assert_false(is_mount_point(away->mounted.point));
}

/* The descriptor of "out", of which the server has nothing and is down. */
static int mount_and_write(struct away *away, const char *options,
			   const char *text)
{
	int fd;

	away_mount(away, options);
	fd = away_open(away, "out", O_RDWR | O_CREAT);
	assert_int_equal(fsync(fd), 0);
	away_go_down(away);
	away_write(fd, text);
	return fd;
}

static void begin_to_end(struct away *away)
{
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	away_await(away, "waiting");
}

static void what_was_not_written_is_said_at_the_end(void **state)
{
	struct away *away = *state;
	int fd = mount_and_write(away, NULL, "lost for ever");
	int status;

	begin_to_end(away);
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	status = proc_wait(away->mounted.pid, 60000);
	(void)close(fd);
	assert_no_mount_left(away, status, 1);
	must_sh("! pgrep -f 'oPort[=]%d'", away->proxy.port);
	assert_true(away_said(away, "/out: Input/output error"));
	assert_true(away_said(away, "could not be reported"));
}

struct closer {
	pthread_t thread;
	atomic_int tid;
	int fd;
	int err;
};

static void *close_it(void *arg)
{
	struct closer *closer = arg;

	atomic_store(&closer->tid, (int)gettid());
	closer->err = close(closer->fd) == 0 ? 0 : errno;
	return NULL;
}

/* By a second signal: who waits is told, and so is who started csftpfs. */
static void what_a_close_waits_for_is_said_at_the_end(void **state)
{
	struct away *away = *state;
	struct closer closer = {0};
	int status;

	closer.fd = mount_and_write(away, "timeout=0", "lost for ever");
	assert_int_equal(
		pthread_create(&closer.thread, NULL, close_it, &closer), 0);
	while (atomic_load(&closer.tid) == 0)
		away_nap();
	await_sleep(atomic_load(&closer.tid));
	begin_to_end(away);
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	status = proc_wait(away->mounted.pid, 60000);
	assert_int_equal(pthread_join(closer.thread, NULL), 0);
	assert_int_equal(closer.err, EIO);
	assert_no_mount_left(away, status, 1);
	assert_true(away_said(away, "/out: Input/output error"));
	assert_true(away_said(away, "1 writes or closes failed at the end"));
}

/* It comes back within the time that the end waits for it. */
static void what_was_written_is_written_at_the_end(void **state)
{
	struct away *away = *state;
	int fd = mount_and_write(away, NULL, "not lost");
	int status;

	begin_to_end(away);
	away_come_back(away);
	status = proc_wait(away->mounted.pid, 60000);
	(void)close(fd);
	assert_no_mount_left(away, status, 0);
	away_assert_served(away, "out", "not lost");
}

/* Which nobody has asked the kernel for by then. */
static void what_is_mapped_is_written_at_the_end(void **state)
{
	struct away *away = *state;
	char *text;
	int fd, status;

	away_serve(away, "mapped", "as it was");
	away_mount(away, NULL);
	fd = away_open(away, "mapped", O_RDWR);
	text = mmap(NULL, 9, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(text, MAP_FAILED);
	memcpy(text, "is now", 6);
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	status = proc_wait(away->mounted.pid, 60000);
	(void)close(fd);
	(void)munmap(text, 9);
	assert_no_mount_left(away, status, 0);
	away_assert_served(away, "mapped", "is nowwas");
}

static void without_anything_to_write_it_ends_at_once(void **state)
{
	struct away *away = *state;

	away_serve(away, "file", "text");
	away_mount(away, NULL);
	must_sh("cat '%s/file' >/dev/null", away->mounted.point);
	away_go_down(away);
	mounted_unmount(&away->mounted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECTLY(what_was_known_is_shown_while_it_is_down),
		DIRECTLY(df_of_the_mount_does_not_wait_while_it_is_down),
		DIRECTLY(df_does_not_wait_where_it_has_connected_late),
		DIRECTLY(a_stopped_csftpfs_goes_on_with_its_connection),
		DIRECTLY(who_waits_can_be_killed),
		DIRECTLY(who_waits_too_long_gets_eio_and_it_recovers),
		DIRECTLY(who_is_stopped_does_not_wait),
		DIRECTLY(with_fail_nobody_waits),
		DIRECTLY(umount_does_not_wait_for_a_server_that_is_gone),
		BY_SSH(what_was_not_written_is_said_at_the_end),
		DIRECTLY(what_a_close_waits_for_is_said_at_the_end),
		BY_SSH(what_was_written_is_written_at_the_end),
		BY_NATIVE(what_was_written_is_written_at_the_end),
		DIRECTLY(what_is_mapped_is_written_at_the_end),
		DIRECTLY(without_anything_to_write_it_ends_at_once),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
