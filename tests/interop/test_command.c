/* The mount program as a command: exit statuses, sentences, what it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

#define LIMIT_MS 60000

/* Runs the mount program and expects a refusal that mentions something. */
static void assert_refused(char **argv, const char *mention)
{
	char text[4096];
	int status = proc_capture(argv, LIMIT_MS, text, sizeof(text));

	if (status == 0 || status >= 128)
		fail_msg("exit status %d: %s", status, text);
	if (!strstr(text, mention))
		fail_msg("\"%s\" is not in: %s", mention, text);
	mounted_argv_free(argv);
}

static int start(void **state)
{
	struct mounted *mounted = calloc(1, sizeof(*mounted));

	mounted_serve(mounted, SSH_CSFTP);
	*state = mounted;
	return 0;
}

static int stop(void **state)
{
	mounted_stop(*state);
	free(*state);
	return 0;
}

static int drop(void **state)
{
	mounted_drop(*state);
	return 0;
}

static void a_missing_remote_directory_is_named(void **state)
{
	struct mounted *mounted = *state;

	assert_refused(
		mounted_argv(mounted, "/no/such/place", mounted->point, NULL),
		"No such file or directory");
	assert_false(is_mount_point(mounted->point));
}

static void a_directory_can_be_missing_where_that_is_wanted(void **state)
{
	static const char *const append[] = {"-o", "no_check_root", NULL};
	struct mounted *mounted = *state;
	char path[PROC_PATH_MAX];
	char text[4096];
	char **argv;

	proc_print(path, sizeof(path), "%.4000s/late/dir", mounted->served);
	argv = mounted_argv(mounted, path, mounted->point, append);
	assert_int_equal(proc_capture(argv, LIMIT_MS, text, sizeof(text)), 0);
	mounted_argv_free(argv);
	assert_true(is_mount_point(mounted->point));
	assert_int_equal(open(mounted->point, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_remote_file_is_no_directory(void **state)
{
	struct mounted *mounted = *state;
	char path[PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%.4000s/file", mounted->served);
	file_write(path, "x", 1);
	assert_refused(mounted_argv(mounted, path, mounted->point, NULL),
		       "irectory");
	assert_int_equal(unlink(path), 0);
}

static void a_missing_mount_point_is_named(void **state)
{
	struct mounted *mounted = *state;
	char point[PROC_PATH_MAX];

	proc_print(point, sizeof(point), "%.4000s/nowhere", mounted->dir);
	assert_refused(mounted_argv(mounted, mounted->served, point, NULL),
		       "nowhere");
}

static void a_server_that_does_not_answer_is_an_error(void **state)
{
	struct mounted *mounted = *state;
	static const char *const append[] = {"-o", "Port=1", "-o",
					     "ConnectionAttempts=1", NULL};

	assert_refused(
		mounted_argv(mounted, mounted->served, mounted->point, append),
		"refused");
}

static void a_refused_direct_connection_is_an_error(void **state)
{
	struct mounted *mounted = *state;
	struct mounted direct = {.transport = DIRECT_CSFTP, .direct.port = 1};

	assert_refused(
		mounted_argv(&direct, mounted->served, mounted->point, NULL),
		"port 1: Connection refused");
}

/* Nor does anything else say it better: there is no route to look for. */
static void a_host_that_nobody_knows_is_called_so(void **state)
{
	static const char *const ways[] = {"transport=native",
					   "transport=libssh2", "directport=1"};
	struct mounted *mounted = *state;
	char program[PROC_PATH_MAX], text[4096], way[64];
	char option[] = "-o", host[] = "no-such-host.invalid:/";
	char *argv[] = {program, option, way, host, mounted->point, NULL};

	proc_mounter(program);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		proc_print(way, sizeof(way), "%s", ways[i]);
		assert_int_not_equal(
			proc_capture(argv, LIMIT_MS, text, sizeof(text)), 0);
		assert_non_null(
			strstr(text, "no-such-host.invalid: connection failed: "
				     "host name "));
		assert_null(strstr(text, "route"));
	}
}

/* ssh must never see an option where a host is meant. */
static void a_host_that_looks_like_an_option_is_refused(void **state)
{
	static const char *const shapes[] = {
		"-oProxyCommand=touch %s:/",
		"[-oProxyCommand=touch %s]:/",
		"-oProxyCommand=touch %s@host:/",
	};
	struct mounted *mounted = *state;
	char program[PROC_PATH_MAX], host[2 * PROC_PATH_MAX];
	char end[] = "--", mark[PROC_PATH_MAX], text[4096];
	struct stat st;

	proc_mounter(program);
	proc_print(mark, sizeof(mark), "%.4000s/mark", mounted->dir);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char *argv[] = {program, end, host, mounted->point, NULL};
		char *hole;

		proc_print(host, sizeof(host), "%s", shapes[i]);
		hole = strstr(host, "%s");
		proc_print(hole, sizeof(host) - (size_t)(hole - host), "%s%s",
			   mark, strstr(shapes[i], "%s") + 2);
		assert_int_not_equal(
			proc_capture(argv, LIMIT_MS, text, sizeof(text)), 0);
		assert_true(text[0] != '\0');
		assert_int_equal(stat(mark, &st), -1);
		assert_false(is_mount_point(mounted->point));
	}
}

static void an_unknown_option_is_refused(void **state)
{
	struct mounted *mounted = *state;
	static const char *const append[] = {"--no-such-option", NULL};

	assert_refused(
		mounted_argv(mounted, mounted->served, mounted->point, append),
		"no-such-option");
}

/* Reaps a process that became ours, within the time; false: none ended. */
static bool reap_one(int timeout_ms)
{
	int64_t until_ms = proc_now_ms() + timeout_ms;

	while (waitpid(-1, NULL, WNOHANG) == 0) {
		if (proc_now_ms() > until_ms)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

/*
 * As people use it: the command returns when the mount is there, and what
 * goes on behind it ends with the mount.
 */
static void the_daemon_is_ready_when_the_command_returns(void **state)
{
	struct mounted *mounted = *state;
	char **argv =
		mounted_argv(mounted, mounted->served, mounted->point, NULL);
	char path[PROC_PATH_MAX], text[4096] = "";
	struct stat st;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	proc_print(path, sizeof(path), "%.4000s/there", mounted->served);
	file_write(path, "x", 1);
	if (proc_capture(argv, LIMIT_MS, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	mounted_argv_free(argv);
	assert_string_equal(text, "");
	assert_true(is_mount_point(mounted->point));
	proc_print(path, sizeof(path), "%.4000s/there", mounted->point);
	assert_int_equal(stat(path, &st), 0);
	must_sh("fusermount3 -u '%s'", mounted->point);
	assert_false(is_mount_point(mounted->point));
	assert_true(reap_one(20000));
}

static void a_terminated_mount_program_unmounts(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct mounted *mounted = *state;
	int status;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		mounted_mount(mounted, NULL);
		kill(mounted->pid, signals[i]);
		status = proc_wait(mounted->pid, 20000);
		assert_int_not_equal(status, -1);
		mounted->pid = 0;
		if (is_mount_point(mounted->point))
			fail_msg("%s: wait status %#x, still mounted",
				 strsignal(signals[i]), (unsigned)status);
	}
}

/* Both streams are the mount program's own standard input and output. */
static void a_passive_mount_speaks_on_its_standard_files(void **state)
{
	struct mounted *mounted = *state;
	char server[PROC_PATH_MAX], program[PROC_PATH_MAX];
	char remote[2 * PROC_PATH_MAX], option[] = "-opassive", path[8192];
	char *serve[] = {server, NULL};
	char *mount[] = {program, option, remote, mounted->point, NULL};
	struct stat st;
	int pair[2];
	pid_t pid;

	proc_built(server, "csftp-server");
	if (getenv("CSFTP_TEST_SERVER"))
		proc_print(server, sizeof(server), "%s",
			   getenv("CSFTP_TEST_SERVER"));
	proc_mounter(program);
	proc_print(remote, sizeof(remote), "any:%s", mounted->served);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = proc_start(serve, pair[0], pair[0], -1);
	mounted->pid = proc_start(mount, pair[1], pair[1], -1);
	close(pair[0]);
	close(pair[1]);
	mounted_await(mounted);
	proc_print(path, sizeof(path), "%s/passive", mounted->point);
	file_write(path, "x", 1);
	proc_print(path, sizeof(path), "%s/passive", mounted->served);
	assert_int_equal(stat(path, &st), 0);
	mounted_unmount(mounted);
	assert_int_equal(proc_wait(pid, 20000), 0);
}

/* As with Ctrl-C on a terminal: ssh gets the signal as well. */
static void an_interrupt_of_the_whole_job_loses_nothing(void **state)
{
	const char *const foreground[] = {"-f", NULL};
	struct mounted mounted = {0};
	char path[PROC_PATH_MAX];
	char *job[32] = {"setsid"};
	char **argv;
	int fd, status;

	(void)state;
	mounted_serve(&mounted, SSH_CSFTP);
	argv = mounted_argv(&mounted, mounted.served, mounted.point,
			    foreground);
	for (size_t i = 0; argv[i] && i < 30; i++)
		job[i + 1] = argv[i];
	mounted.pid = proc_start(job, -1, -1, -1);
	mounted_await(&mounted);
	proc_print(path, sizeof(path), "%.4000s/kept", mounted.point);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "kept", 4), 4);
	kill(-mounted.pid, SIGINT);
	status = proc_wait(mounted.pid, 20000);
	close(fd);
	mounted_argv_free(argv);
	mounted.pid = 0;
	assert_int_equal(status, 0);
	must_sh("test \"$(cat '%s/kept')\" = kept", mounted.served);
	mounted_stop(&mounted);
}

/* What is left when the server goes is an error, not a hang. */
static void a_killed_server_gives_errors(void **state)
{
	struct mounted mounted = {0};
	struct stat st;
	char path[PROC_PATH_MAX];
	int result, err;

	(void)state;
	mounted_serve(&mounted, SSH_CSFTP);
	mounted_mount(&mounted, "timeout=1");
	must_sh("echo x >'%s/f' && stat '%s/f'", mounted.served, mounted.point);
	sshd_stop(&mounted.sshd);
	proc_print(path, sizeof(path), "%.4000s/other", mounted.point);
	result = stat(path, &st);
	err = errno;
	mounted_stop(&mounted);
	assert_int_equal(result, -1);
	assert_int_not_equal(err, ENOENT);
}

/*
 * Of a user who is not root, whose mount root cannot look at.  The device is
 * for all in a namespace that only these processes see.
 */
static void auto_unmount_is_for_those_who_are_not_root_too(void **state)
{
	struct mounted mounted = {0};
	char path[PROC_PATH_MAX];

	(void)state;
	if (geteuid() != 0)
		skip_because("root is needed to be another user");
	mounted_serve(&mounted, DIRECT_CSFTP);
	proc_mounter(path);
	must_sh("timeout 60 unshare -m sh -ec '" PROC_LET_GO
		"mount -t tmpfs none /mnt\n"
		"mkdir /mnt/point && chown 65534 /mnt/point\n"
		"cp \"%s\" /mnt/csftpfs\n"
		"mknod -m 666 /mnt/fuse c 10 229\n"
		"mount --bind /mnt/fuse /dev/fuse\n"
		"exec setpriv --reuid=65534 --clear-groups sh -ec \"\n"
		"/mnt/csftpfs -f -o auto_unmount,directport=%d "
		"127.0.0.1:%s /mnt/point &\n"
		"until mountpoint -q /mnt/point; do sleep 0.05; done\n"
		"kill -9 \\$!\n"
		"while grep -q /mnt/point /proc/mounts; do sleep 0.05; done\n"
		"\"'",
		path, mounted.direct.port, mounted.served);
	mounted_stop(&mounted);
}

#define AS_A_COMMAND(claim) cmocka_unit_test_teardown(claim, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		AS_A_COMMAND(a_missing_remote_directory_is_named),
		AS_A_COMMAND(a_remote_file_is_no_directory),
		AS_A_COMMAND(a_directory_can_be_missing_where_that_is_wanted),
		AS_A_COMMAND(a_missing_mount_point_is_named),
		AS_A_COMMAND(a_server_that_does_not_answer_is_an_error),
		AS_A_COMMAND(a_refused_direct_connection_is_an_error),
		AS_A_COMMAND(a_host_that_nobody_knows_is_called_so),
		AS_A_COMMAND(a_host_that_looks_like_an_option_is_refused),
		AS_A_COMMAND(an_unknown_option_is_refused),
		AS_A_COMMAND(the_daemon_is_ready_when_the_command_returns),
		AS_A_COMMAND(a_terminated_mount_program_unmounts),
		AS_A_COMMAND(a_passive_mount_speaks_on_its_standard_files),
		AS_A_COMMAND(an_interrupt_of_the_whole_job_loses_nothing),
		AS_A_COMMAND(a_killed_server_gives_errors),
		AS_A_COMMAND(auto_unmount_is_for_those_who_are_not_root_too),
	};

	return cmocka_run_group_tests(claims, start, stop) != 0;
}
