/*
 * Connections of a mounted file system that die in all the ways there are, by
 * a proxy in between, and what programs notice of it: nothing, mostly.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/away.h"

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

	away_serve(away, "in", "0123456789");
	away_serve(away, "log", "first\n");
	in = away_open(away, "in", O_RDONLY | O_DIRECT);
	out = away_open(away, "out", O_RDWR | O_CREAT);
	log = away_open(away, "log", O_WRONLY | O_APPEND);
	assert_int_equal(pread(in, text, 5, 0), 5);
	away_write(out, "one ");
	away_write(log, "second\n");
	die(away);
	assert_int_equal(pread(in, text, sizeof(text), 0), 10);
	assert_memory_equal(text, "0123456789", 10);
	away_write(out, "two ");
	away_write(log, "third\n");
	die(away);
	away_write(out, "three");
	assert_int_equal(fsync(out), 0);
	assert_int_equal(close(out), 0);
	assert_int_equal(close(log), 0);
	assert_int_equal(close(in), 0);
	away_assert_served(away, "out", "one two three");
	away_assert_served(away, "log", "first\nsecond\nthird\n");
	away_await(away, "is back");
	mounted_unmount(&away->mounted);
}

static void kill_carrier(struct away *away)
{
	pid_t pid = carrier(away);

	while (pid <= 0) {
		away_nap();
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

	away_mount(away, NULL);
	use_files_around(away, kill_carrier);
}

static void a_reset_connection_is_a_pause(void **state)
{
	struct away *away = *state;

	away_mount(away, NULL);
	use_files_around(away, cut);
}

/* It is still there, until nothing is left that names it. */
static void what_was_removed_while_open_is_stale_then(void **state)
{
	struct away *away = *state;
	char text[16];
	int gone, replaced, other;

	away_serve(away, "gone", "one");
	away_serve(away, "replaced", "two");
	away_serve(away, "other", "three");
	away_mount(away, NULL);
	gone = away_open(away, "gone", O_RDWR);
	replaced = away_open(away, "replaced", O_RDONLY);
	other = away_open(away, "other", O_RDONLY);
	must_sh("cd '%s' && rm gone && echo new >new && mv new replaced",
		away->mounted.point);
	away_write(gone, "ONE");
	assert_int_equal(fsync(gone), 0);
	assert_int_equal(pread(gone, text, sizeof(text), 0), 3);
	assert_memory_equal(text, "ONE", 3);
	cut(away);
	away_await(away, "is back");
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
	away_assert_served(away, "replaced", "new\n");
	mounted_unmount(&away->mounted);
}

/* A larger and newer file, as an update or a rotation of logs leaves it. */
static void a_file_put_in_its_place_is_another(void **state)
{
	struct away *away = *state;
	char text[64];
	int other, grown, log;

	away_serve(away, "other", "0123456789");
	away_serve(away, "grown", "0123456789");
	away_serve(away, "log", "first\n");
	away_mount(away, NULL);
	other = away_open(away, "other", O_RDWR | O_DIRECT);
	grown = away_open(away, "grown", O_RDWR | O_DIRECT);
	log = away_open(away, "log", O_WRONLY | O_APPEND);
	assert_int_equal(pread(other, text, 4, 0), 4);
	assert_int_equal(pread(grown, text, 4, 0), 4);
	away_write(log, "second\n");
	assert_int_equal(fsync(log), 0);
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	away_await(away, "lost");
	must_sh("cd '%s' && echo a newer file, and a larger one >new && "
		"mv new other && printf 'more of it' >>grown && "
		"echo third >>log",
		away->mounted.served);
	proxy_refuse(&away->proxy, false);
	assert_int_equal(pread(grown, text, sizeof(text), 4), 16);
	assert_memory_equal(text, "456789more of it", 16);
	away_write(log, "fourth\n");
	assert_int_equal(close(log), 0);
	assert_true(pread(other, text, 4, 4) < 0 && errno == ESTALE);
	assert_int_equal(pwrite(other, "x", 1, 0) == 1 && fsync(other) == 0,
			 false);
	assert_int_equal(errno, ESTALE);
	(void)close(other);
	assert_int_equal(close(grown), 0);
	away_assert_served(away, "other", "a newer file, and a larger one\n");
	away_assert_served(away, "log", "first\nsecond\nthird\nfourth\n");
	away_await(away, "could not be found again");
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

	away_mount(away, NULL);
	fd = away_open(away, "out", O_RDWR | O_CREAT);
	away_write(fd, "one ");
	hole(away);
	away_write(fd, "two");
	assert_int_equal(close(fd), 0);
	away_assert_served(away, "out", "one two");
	assert_true(away_said(away, "lost"));
	mounted_unmount(&away->mounted);
}

/* A server that is away for a while, as when it starts anew. */
static void a_server_that_is_away_is_waited_for(void **state)
{
	struct away *away = *state;
	struct proxy_counts counts;
	uint64_t seen;
	int fd;

	away_mount(away, NULL);
	fd = away_open(away, "out", O_RDWR | O_CREAT);
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	away_write(fd, "written");
	seen = proxy_counts(&away->proxy).accepted;
	do {
		away_nap();
		counts = proxy_counts(&away->proxy);
	} while (counts.accepted < seen + 2);
	proxy_refuse(&away->proxy, false);
	assert_int_equal(close(fd), 0);
	away_assert_served(away, "out", "written");
	mounted_unmount(&away->mounted);
}

#define MANY_NAMES 3000

/* Each name once, wherever the connection dies. */
static void a_listing_goes_on(void **state)
{
	static bool seen[MANY_NAMES + 1];
	struct away *away = *state;
	char path[PROC_PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	away_fill(away, "many", MANY_NAMES);
	away_mount(away, "dir_cache=no");
	away_path(away->mounted.point, "many", path);
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
	assert_true(away_said(away, "lost"));
	mounted_unmount(&away->mounted);
}

/*
 * A server that does not want us any more
 */

static void a_refusal_is_no_reason_to_try_and_try(void **state)
{
	struct away *away = *state;
	char path[PROC_PATH_MAX], program[PROC_PATH_MAX];
	struct stat st;

	away_serve(away, "file", "text");
	away_mount(away, NULL);
	away_path(away->mounted.point, "file", path);
	must_sh("mv '%s/user.pub' '%s/away.pub'; : >'%s/user.pub'",
		away->mounted.sshd.dir, away->mounted.sshd.dir,
		away->mounted.sshd.dir);
	proxy_cut(&away->proxy);
	assert_true(stat(path, &st) < 0 && errno == EIO);
	assert_true(away_said(away, "Permission denied"));
	away_await(away, "refused");
	proc_mounter(program);
	must_sh("'%s' --status '%s' | grep -E '^  why: .*(denied|refused)'",
		program, away->mounted.point);
	must_sh("mv '%s/away.pub' '%s/user.pub'", away->mounted.sshd.dir,
		away->mounted.sshd.dir);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	away_await(away, "is back");
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
	away_mount(away, options);
	fd = away_open(away, "out", O_RDWR | O_CREAT);
	must_sh("touch '%s/exits'", away->mounted.dir);
	proxy_cut(&away->proxy);
	away_await(away, "no connection: ");
	assert_true(away_said(away, "carry exited with status 7"));
	must_sh("cd '%s' && mv exits dies", away->mounted.dir);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	away_await(away, "carry was ended by signal 9");
	away_path(away->mounted.dir, "dies", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	away_write(fd, "written");
	assert_int_equal(close(fd), 0);
	away_assert_served(away, "out", "written");
	mounted_unmount(&away->mounted);
}

static void a_connection_can_be_made_when_it_is_needed(void **state)
{
	struct away *away = *state;

	away_serve(away, "file", "text");
	away_mount(away, "delay_connect");
	assert_int_equal(proxy_counts(&away->proxy).accepted, 0);
	must_sh("grep -q text '%s/file'", away->mounted.point);
	assert_int_equal(proxy_counts(&away->proxy).accepted, 1);
	assert_false(away_said(away, "connection"));
	mounted_unmount(&away->mounted);
}

/* As whom is asked of the server then, not before. */
static void who_we_are_there_can_be_asked_when_it_is_needed(void **state)
{
	struct away *away = *state;

	if (geteuid() != 0)
		skip_because("only root can give files away");
	away_mount(away, "delay_connect,owner=caller,allow_other");
	assert_int_equal(proxy_counts(&away->proxy).accepted, 0);
	/* The directories of tests are ours alone: that is not the point. */
	must_sh("setpriv --reuid 65534 --regid 65534 --clear-groups "
		"--inh-caps +dac_read_search --ambient-caps +dac_read_search "
		"touch '%s/new'\n"
		"test \"$(stat -c %%u:%%g '%s/new')\" = 65534:65534",
		away->mounted.point, away->mounted.served);
	assert_int_equal(proxy_counts(&away->proxy).accepted, 1);
	mounted_unmount(&away->mounted);
}

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
		BY_SSH(a_refusal_is_no_reason_to_try_and_try),
		BY_NATIVE(a_refusal_is_no_reason_to_try_and_try),
		BY_LIBSSH2(a_refusal_is_no_reason_to_try_and_try),
		BY_SSH(how_a_silent_ssh_ended_is_said),
		BY_SSH(a_connection_can_be_made_when_it_is_needed),
		BY_NATIVE(a_connection_can_be_made_when_it_is_needed),
		DIRECTLY(a_connection_can_be_made_when_it_is_needed),
		DIRECTLY(who_we_are_there_can_be_asked_when_it_is_needed),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
