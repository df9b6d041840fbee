/*
 * Connections of a mounted file system that die in all the ways there are, by
 * a proxy in between, and what programs notice of it: nothing, mostly.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"

#define LOG_MAX 16384

struct away {
	struct mounted mounted;
	struct proxy proxy;
	char log[PROC_PATH_MAX];
	pid_t child; /* that a test started */
};

static int make(void **state, enum transport transport)
{
	struct away *away = calloc(1, sizeof(*away));

	if (!away)
		return -1;
	*state = away;
	away->proxy.control = -1;
	mounted_serve(&away->mounted, transport);
	proxy_start(&away->proxy,
		    transport == DIRECT_CSFTP ? away->mounted.direct.port
					      : away->mounted.sshd.port,
		    0);
	away->mounted.direct.port = away->proxy.port;
	proc_print(away->log, PROC_PATH_MAX, "%.4000s/log", away->mounted.dir);
	return 0;
}

static int make_direct(void **state)
{
	return make(state, DIRECT_CSFTP);
}

static int make_ssh(void **state)
{
	return make(state, SSH_OPENSSH);
}

static int make_native(void **state)
{
	return make(state, NATIVE_OPENSSH);
}

static int make_libssh2(void **state)
{
	return make(state, LIBSSH2_OPENSSH);
}

static int release(void **state)
{
	struct away *away = *state;

	if (away->child > 0)
		proc_stop(away->child);
	/* Where a test failed, the mount may wait for a server. */
	if (away->mounted.pid > 0) {
		kill(away->mounted.pid, SIGTERM);
		kill(away->mounted.pid, SIGTERM);
	}
	mounted_drop(&away->mounted);
	if (away->proxy.pid > 0)
		proxy_stop(&away->proxy);
	mounted_stop(&away->mounted);
	free(away);
	return 0;
}

/* Mounts by way of the proxy; what it says goes to the log. */
static void mount_by_proxy(struct away *away, const char *options)
{
	char list[PROC_PATH_MAX + 64];
	const char *const append[] = {"-f", "-o", list, NULL};
	char **argv;
	int fd = open(away->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	proc_print(list, sizeof(list), "%s", options ? options : "rw");
	if (away->mounted.transport != DIRECT_CSFTP)
		proc_print(list, sizeof(list), "port=%d,%s", away->proxy.port,
			   options ? options : "rw");
	argv = mounted_argv(&away->mounted, away->mounted.served,
			    away->mounted.point, append);
	away->mounted.pid = proc_start(argv, -1, -1, fd);
	mounted_argv_free(argv);
	close(fd);
	mounted_await(&away->mounted);
}

static void path_in(const char *top, const char *name, char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.2000s/%.2000s", top, name);
}

static int open_there(const struct away *away, const char *name, int flags)
{
	char path[PROC_PATH_MAX];
	int fd;

	path_in(away->mounted.point, name, path);
	fd = open(path, flags | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

static void serve_file(const struct away *away, const char *name,
		       const char *text)
{
	char path[PROC_PATH_MAX];

	path_in(away->mounted.served, name, path);
	file_write(path, text, strlen(text));
}

static void assert_served(const struct away *away, const char *name,
			  const char *want)
{
	char path[PROC_PATH_MAX], text[1024];
	size_t len;

	path_in(away->mounted.served, name, path);
	len = file_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	assert_string_equal(text, want);
}

static bool is_logged(const struct away *away, const char *what)
{
	char text[LOG_MAX];
	size_t len = file_read(away->log, text, sizeof(text) - 1);

	text[len] = '\0';
	return strstr(text, what) != NULL;
}

static void nap(void)
{
	(void)poll(NULL, 0, 20);
}

static void await_log(const struct away *away, const char *what)
{
	while (!is_logged(away, what))
		nap();
}

static void writes(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The program that carries the session, a child of the mount program. */
static pid_t carrier(const struct away *away)
{
	char path[PROC_PATH_MAX], text[256];
	size_t len;

	proc_print(path, sizeof(path), "/proc/%ld/task/%ld/children",
		   (long)away->mounted.pid, (long)away->mounted.pid);
	len = file_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

/*
 * Open files, half written and half read, go on.
 */

static void use_files_around(struct away *away, void (*die)(struct away *away))
{
	int in, out, log;
	char text[16];

	serve_file(away, "in", "0123456789");
	serve_file(away, "log", "first\n");
	in = open_there(away, "in", O_RDONLY | O_DIRECT);
	out = open_there(away, "out", O_RDWR | O_CREAT);
	log = open_there(away, "log", O_WRONLY | O_APPEND);
	assert_int_equal(pread(in, text, 5, 0), 5);
	writes(out, "one ");
	writes(log, "second\n");
	die(away);
	assert_int_equal(pread(in, text, sizeof(text), 0), 10);
	assert_memory_equal(text, "0123456789", 10);
	writes(out, "two ");
	writes(log, "third\n");
	die(away);
	writes(out, "three");
	assert_int_equal(fsync(out), 0);
	assert_int_equal(close(out), 0);
	assert_int_equal(close(log), 0);
	assert_int_equal(close(in), 0);
	assert_served(away, "out", "one two three");
	assert_served(away, "log", "first\nsecond\nthird\n");
	await_log(away, "is back");
	mounted_unmount(&away->mounted);
}

static void kill_carrier(struct away *away)
{
	pid_t pid = carrier(away);

	while (pid <= 0) {
		nap();
		pid = carrier(away);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static void cut(struct away *away)
{
	proxy_cut(&away->proxy);
}

static void a_killed_ssh_is_a_pause(void **state)
{
	struct away *away = *state;

	mount_by_proxy(away, NULL);
	use_files_around(away, kill_carrier);
}

static void a_reset_connection_is_a_pause(void **state)
{
	struct away *away = *state;

	mount_by_proxy(away, NULL);
	use_files_around(away, cut);
}

/* It is still there, until nothing is left that names it. */
static void what_was_removed_while_open_is_stale_then(void **state)
{
	struct away *away = *state;
	char text[16];
	int gone, replaced, other;

	serve_file(away, "gone", "one");
	serve_file(away, "replaced", "two");
	serve_file(away, "other", "three");
	mount_by_proxy(away, NULL);
	gone = open_there(away, "gone", O_RDWR);
	replaced = open_there(away, "replaced", O_RDONLY);
	other = open_there(away, "other", O_RDONLY);
	must_sh("cd '%s' && rm gone && echo new >new && mv new replaced",
		away->mounted.point);
	writes(gone, "ONE");
	assert_int_equal(fsync(gone), 0);
	assert_int_equal(pread(gone, text, sizeof(text), 0), 3);
	assert_memory_equal(text, "ONE", 3);
	cut(away);
	await_log(away, "is back");
	/* Not what the kernel has of them. */
	assert_int_equal(posix_fadvise(gone, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(pwrite(gone, "x", 1, 0) == 1 && fsync(gone) == 0,
			 false);
	assert_int_equal(errno, ESTALE);
	(void)close(gone);
	assert_int_equal(posix_fadvise(replaced, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(pread(replaced, text, sizeof(text), 0), -1);
	assert_int_equal(errno, ESTALE);
	assert_int_equal(close(replaced), 0);
	assert_int_equal(pread(other, text, sizeof(text), 0), 5);
	assert_int_equal(close(other), 0);
	assert_served(away, "replaced", "new\n");
	mounted_unmount(&away->mounted);
}

/* A larger and newer file, as an update or a rotation of logs leaves it. */
static void a_file_put_in_its_place_is_another(void **state)
{
	struct away *away = *state;
	char text[64];
	int other, grown, log;

	serve_file(away, "other", "0123456789");
	serve_file(away, "grown", "0123456789");
	serve_file(away, "log", "first\n");
	mount_by_proxy(away, NULL);
	other = open_there(away, "other", O_RDWR | O_DIRECT);
	grown = open_there(away, "grown", O_RDWR | O_DIRECT);
	log = open_there(away, "log", O_WRONLY | O_APPEND);
	assert_int_equal(pread(other, text, 4, 0), 4);
	assert_int_equal(pread(grown, text, 4, 0), 4);
	writes(log, "second\n");
	assert_int_equal(fsync(log), 0);
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	await_log(away, "lost");
	must_sh("cd '%s' && echo a newer file, and a larger one >new && "
		"mv new other && printf 'more of it' >>grown && "
		"echo third >>log",
		away->mounted.served);
	proxy_refuse(&away->proxy, false);
	assert_int_equal(pread(grown, text, sizeof(text), 4), 16);
	assert_memory_equal(text, "456789more of it", 16);
	writes(log, "fourth\n");
	assert_int_equal(close(log), 0);
	assert_true(pread(other, text, 4, 4) < 0 && errno == ESTALE);
	assert_int_equal(pwrite(other, "x", 1, 0) == 1 && fsync(other) == 0,
			 false);
	assert_int_equal(errno, ESTALE);
	(void)close(other);
	assert_int_equal(close(grown), 0);
	assert_served(away, "other", "a newer file, and a larger one\n");
	assert_served(away, "log", "first\nsecond\nthird\nfourth\n");
	await_log(away, "could not be found again");
	mounted_unmount(&away->mounted);
}

static void hole(struct away *away)
{
	struct proxy_counts counts = proxy_counts(&away->proxy);

	proxy_hole(&away->proxy, true);
	proxy_hole(&away->proxy, false);
	assert_true(counts.open > 0);
}

/* Nothing says that it is gone, but that nothing comes any more. */
static void a_link_that_swallows_all_is_noticed(void **state)
{
	struct away *away = *state;
	int fd;

	mount_by_proxy(away, NULL);
	fd = open_there(away, "out", O_RDWR | O_CREAT);
	writes(fd, "one ");
	hole(away);
	writes(fd, "two");
	assert_int_equal(close(fd), 0);
	assert_served(away, "out", "one two");
	assert_true(is_logged(away, "lost"));
	mounted_unmount(&away->mounted);
}

/* A server that is away for a while, as when it starts anew. */
static void a_server_that_is_away_is_waited_for(void **state)
{
	struct away *away = *state;
	struct proxy_counts counts;
	uint64_t seen;
	int fd;

	mount_by_proxy(away, NULL);
	fd = open_there(away, "out", O_RDWR | O_CREAT);
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	writes(fd, "written");
	seen = proxy_counts(&away->proxy).accepted;
	do {
		nap();
		counts = proxy_counts(&away->proxy);
	} while (counts.accepted < seen + 2);
	proxy_refuse(&away->proxy, false);
	assert_int_equal(close(fd), 0);
	assert_served(away, "out", "written");
	mounted_unmount(&away->mounted);
}

#define MANY_NAMES 3000

static void fill(const struct away *away, const char *dir, unsigned count)
{
	must_sh("mkdir '%s/%s'; cd '%s/%s'; seq -f 'name-%%g' %u | "
		"xargs touch",
		away->mounted.served, dir, away->mounted.served, dir, count);
}

/* Each name once, wherever the connection dies. */
static void a_listing_goes_on(void **state)
{
	static bool seen[MANY_NAMES + 1];
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	fill(away, "many", MANY_NAMES);
	mount_by_proxy(away, "dir_cache=no");
	path_in(away->mounted.point, "many", path);
	proxy_cut_at(&away->proxy, PROXY_TO_CLIENT, 60000);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		unsigned long number;

		if (entry->d_name[0] == '.')
			continue;
		number = strtoul(entry->d_name + strlen("name-"), NULL, 10);
		assert_in_range(number, 1, MANY_NAMES);
		assert_false(seen[number]);
		seen[number] = true;
		count++;
	}
	closedir(dir);
	assert_int_equal(count, MANY_NAMES);
	assert_true(is_logged(away, "lost"));
	mounted_unmount(&away->mounted);
}

/*
 * While it is down
 */

static void go_down(struct away *away)
{
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	await_log(away, "lost");
}

static void come_back(struct away *away)
{
	proxy_refuse(&away->proxy, false);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	await_log(away, "is back");
}

static void what_was_known_is_shown_while_it_is_down(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct statvfs vfs;
	struct stat st;

	fill(away, "some", 10);
	mount_by_proxy(away,
		       "attr_timeout=0,entry_timeout=0,dcache_timeout=0.5");
	path_in(away->mounted.point, "some", path);
	must_sh("ls -l '%s' '%s' >/dev/null", away->mounted.point, path);
	(void)poll(NULL, 0, 1000); /* it is not good any more, but by then */
	go_down(away);
	must_sh("ls -l '%s' | grep -q name-10", path);
	must_sh("ls -l '%s' | grep -q some", away->mounted.point);
	path_in(away->mounted.point, "some/name-3", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(statvfs(path, &vfs), 0);
	come_back(away);
	mounted_unmount(&away->mounted);
}

/* df(1) opens what it is given. */
static void df_of_the_mount_does_not_wait_while_it_is_down(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];

	mount_by_proxy(away, "timeout=0");
	/* Answered behind what csftpfs asks of its own accord. */
	path_in(away->mounted.point, "none", path);
	assert_true(access(path, F_OK) < 0 && errno == ENOENT);
	go_down(away);
	must_sh("df '%s' && ls -d '%s'", away->mounted.point,
		away->mounted.point);
	/* Nor does the end wait for what was only looked at. */
	mounted_unmount(&away->mounted);
}

/* A process that waits for the mount. */
static pid_t start_cat(struct away *away, const char *name)
{
	char path[PROC_PATH_MAX];
	char *argv[] = {(char[]){"cat"}, path, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(null >= 0);
	path_in(away->mounted.point, name, path);
	away->child = proc_start(argv, -1, null, null);
	close(null);
	return away->child;
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
			nap();
	}
}

static void who_waits_can_be_killed(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
	struct away *away = *state;

	serve_file(away, "file", "text");
	mount_by_proxy(away, NULL);
	go_down(away);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t pid = start_cat(away, "file");
		int status;

		await_sleep(pid);
		assert_int_equal(kill(pid, signals[i]), 0);
		status = proc_wait(pid, 20000);
		away->child = 0;
		assert_true(status != -1 && WIFSIGNALED(status));
	}
	come_back(away);
	mounted_unmount(&away->mounted);
}

static void who_waits_too_long_gets_eio_and_it_recovers(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	char text[16];
	int in, fd;

	serve_file(away, "file", "text");
	serve_file(away, "in", "0123456789");
	mount_by_proxy(away, "timeout=1");
	in = open_there(away, "in", O_RDONLY | O_DIRECT);
	go_down(away);
	path_in(away->mounted.point, "file", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd < 0 && errno == EIO);
	assert_true(pread(in, text, 10, 0) < 0 && errno == EIO);
	come_back(away);
	assert_int_equal(pread(in, text, 10, 0), 10);
	assert_int_equal(close(in), 0);
	must_sh("grep -q text '%s'", path);
	mounted_unmount(&away->mounted);
}

static void with_fail_nobody_waits(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct stat st;

	serve_file(away, "file", "text");
	mount_by_proxy(away, "on_disconnect=fail");
	go_down(away);
	path_in(away->mounted.point, "file", path);
	assert_true(stat(path, &st) < 0 && errno == EIO);
	come_back(away);
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

	mount_by_proxy(away, "timeout=0");
	must_sh("ls '%s'", away->mounted.point);
	go_down(away);
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

static void what_was_not_written_is_said_at_the_end(void **state)
{
	struct away *away = *state;
	int status;
	int fd;

	mount_by_proxy(away, NULL);
	fd = open_there(away, "out", O_RDWR | O_CREAT);
	assert_int_equal(fsync(fd), 0);
	go_down(away);
	writes(fd, "lost for ever");
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	await_log(away, "waiting");
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	status = proc_wait(away->mounted.pid, 60000);
	(void)close(fd);
	assert_no_mount_left(away, status, 1);
	must_sh("! pgrep -f 'oPort[=]%d'", away->proxy.port);
	assert_true(is_logged(away, "/out: Input/output error"));
	assert_true(is_logged(away, "could not be reported"));
}

/* It comes back within the time that the end waits for it. */
static void what_was_written_is_written_at_the_end(void **state)
{
	struct away *away = *state;
	int status;
	int fd;

	mount_by_proxy(away, NULL);
	fd = open_there(away, "out", O_RDWR | O_CREAT);
	assert_int_equal(fsync(fd), 0);
	go_down(away);
	writes(fd, "not lost");
	assert_int_equal(kill(away->mounted.pid, SIGTERM), 0);
	await_log(away, "waiting");
	come_back(away);
	status = proc_wait(away->mounted.pid, 60000);
	(void)close(fd);
	assert_no_mount_left(away, status, 0);
	assert_served(away, "out", "not lost");
}

static void without_anything_to_write_it_ends_at_once(void **state)
{
	struct away *away = *state;

	serve_file(away, "file", "text");
	mount_by_proxy(away, NULL);
	must_sh("cat '%s/file' >/dev/null", away->mounted.point);
	go_down(away);
	mounted_unmount(&away->mounted);
}

/*
 * A server that does not want us any more
 */

static void a_refusal_is_no_reason_to_try_and_try(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct stat st;

	serve_file(away, "file", "text");
	mount_by_proxy(away, NULL);
	path_in(away->mounted.point, "file", path);
	must_sh("mv '%s/user.pub' '%s/away.pub'; : >'%s/user.pub'",
		away->mounted.sshd.dir, away->mounted.sshd.dir,
		away->mounted.sshd.dir);
	proxy_cut(&away->proxy);
	assert_true(stat(path, &st) < 0 && errno == EIO);
	assert_true(is_logged(away, "Permission denied"));
	await_log(away, "refused");
	must_sh("mv '%s/away.pub' '%s/user.pub'", away->mounted.sshd.dir,
		away->mounted.sshd.dir);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	await_log(away, "is back");
	assert_int_equal(stat(path, &st), 0);
	mounted_unmount(&away->mounted);
}

/* Whatever carries the session may end without a word. */
static void how_a_silent_ssh_ended_is_said(void **state)
{
	struct away *away = *state;
	char options[PROC_PATH_MAX], path[PROC_PATH_MAX];
	int fd;

	must_sh("cd '%s' && printf '#!/bin/sh\\ncd \"$(dirname \"$0\")\"\\n"
		"[ ! -e exits ] || exit 7\\n[ ! -e dies ] || kill -9 $$\\n"
		"exec ssh \"$@\"\\n' >carry && chmod +x carry",
		away->mounted.dir);
	proc_print(options, sizeof(options), "ssh_command=%.2000s/carry",
		   away->mounted.dir);
	mount_by_proxy(away, options);
	fd = open_there(away, "out", O_RDWR | O_CREAT);
	must_sh("touch '%s/exits'", away->mounted.dir);
	proxy_cut(&away->proxy);
	await_log(away, "no connection: ");
	assert_true(is_logged(away, "carry exited with status 7"));
	must_sh("cd '%s' && mv exits dies", away->mounted.dir);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	await_log(away, "carry was ended by signal 9");
	path_in(away->mounted.dir, "dies", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	writes(fd, "written");
	assert_int_equal(close(fd), 0);
	assert_served(away, "out", "written");
	mounted_unmount(&away->mounted);
}

static void a_connection_can_be_made_when_it_is_needed(void **state)
{
	struct away *away = *state;

	serve_file(away, "file", "text");
	mount_by_proxy(away, "delay_connect");
	assert_int_equal(proxy_counts(&away->proxy).accepted, 0);
	must_sh("grep -q text '%s/file'", away->mounted.point);
	assert_int_equal(proxy_counts(&away->proxy).accepted, 1);
	assert_false(is_logged(away, "connection"));
	mounted_unmount(&away->mounted);
}

#define BY_SSH(name) cmocka_unit_test_setup_teardown(name, make_ssh, release)
#define BY_NATIVE(name)                                                        \
	cmocka_unit_test_setup_teardown(name, make_native, release)
#define BY_LIBSSH2(name)                                                       \
	cmocka_unit_test_setup_teardown(name, make_libssh2, release)
#define DIRECTLY(name)                                                         \
	cmocka_unit_test_setup_teardown(name, make_direct, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_SSH(a_killed_ssh_is_a_pause),
		BY_SSH(a_reset_connection_is_a_pause),
		BY_NATIVE(a_reset_connection_is_a_pause),
		BY_LIBSSH2(a_reset_connection_is_a_pause),
		DIRECTLY(a_reset_connection_is_a_pause),
		DIRECTLY(what_was_removed_while_open_is_stale_then),
		BY_SSH(a_file_put_in_its_place_is_another),
		DIRECTLY(a_link_that_swallows_all_is_noticed),
		BY_NATIVE(a_link_that_swallows_all_is_noticed),
		BY_SSH(a_server_that_is_away_is_waited_for),
		BY_NATIVE(a_server_that_is_away_is_waited_for),
		DIRECTLY(a_server_that_is_away_is_waited_for),
		DIRECTLY(a_listing_goes_on),
		DIRECTLY(what_was_known_is_shown_while_it_is_down),
		DIRECTLY(df_of_the_mount_does_not_wait_while_it_is_down),
		DIRECTLY(who_waits_can_be_killed),
		DIRECTLY(who_waits_too_long_gets_eio_and_it_recovers),
		DIRECTLY(with_fail_nobody_waits),
		DIRECTLY(umount_does_not_wait_for_a_server_that_is_gone),
		BY_SSH(what_was_not_written_is_said_at_the_end),
		BY_SSH(what_was_written_is_written_at_the_end),
		BY_NATIVE(what_was_written_is_written_at_the_end),
		DIRECTLY(without_anything_to_write_it_ends_at_once),
		BY_SSH(a_refusal_is_no_reason_to_try_and_try),
		BY_NATIVE(a_refusal_is_no_reason_to_try_and_try),
		BY_LIBSSH2(a_refusal_is_no_reason_to_try_and_try),
		BY_SSH(how_a_silent_ssh_ended_is_said),
		BY_SSH(a_connection_can_be_made_when_it_is_needed),
		BY_NATIVE(a_connection_can_be_made_when_it_is_needed),
		DIRECTLY(a_connection_can_be_made_when_it_is_needed),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
