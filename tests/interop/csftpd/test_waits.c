/* Disks that keep csftpd waiting, and who has to wait with it. */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/csftpd.h"
#include "tests/lib/gate.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000, ANSWER_MS = 20000 };

struct state {
	struct sshd sshd;
	struct gate gate;
	char dir[PROC_PATH_MAX]; /* the gate is "mnt" in it */
	bool jail;		 /* and it is what is served */
};

static int make(void **state)
{
	struct state *all = calloc(1, sizeof(*all));

	assert_non_null(all);
	umask(022);
	scratch_make(all->dir);
	*state = all;
	return 0;
}

static int drop(void **state)
{
	struct state *all = *state;

	gate_unmount(&all->gate);
	csftpd_drop(&all->sshd);
	scratch_remove(all->dir);
	free(all);
	return 0;
}

static void start(struct state *all, const char *lines)
{
	char point[PROC_PATH_MAX], root[PROC_PATH_MAX + 8] = "";

	proc_print(point, sizeof(point), "%.4000s/mnt", all->dir);
	assert_int_equal(mkdir(point, 0755), 0);
	gate_mount(&all->gate, point);
	if (all->jail)
		proc_print(root, sizeof(root), "Root %s\n", all->dir);
	csftpd_start(&all->sshd, "Workers 1\n%s%s", root, lines);
}

/*
 * A script of a client's, which has sftp and ssh with all that they take.  $at
 * is the directory that waits, as the server has it, and $up is the one above,
 * which does not.
 */
static void script(const struct state *all, char text[16384], const char *what)
{
	proc_print(text, 16384,
		   "cd '%s' || exit 99\n"
		   "up='%s' host=" SSHD_HOST " client='%s'\n"
		   "at=$up/mnt\n"
		   "sftp() { command sftp -q -F '%s' -b - $host >out 2>&1; }\n"
		   "ssh() { command ssh -q -F '%s' $host \"$@\"; }\n"
		   "scp() { command scp -O -q -F '%s' \"$@\"; }\n"
		   "%s\n",
		   all->dir, all->jail ? "" : all->dir, all->sshd.client,
		   all->sshd.client, all->sshd.client, all->sshd.client, what);
}

static pid_t begin(const struct state *all, const char *what)
{
	char shell[] = "sh", flag[] = "-ec", text[16384];
	char *argv[] = {shell, flag, text, NULL};

	script(all, text, what);
	return proc_start(argv, -1, -1, -1);
}

/* Another client gets all that it asks for, while the first waits. */
static void others_go_on(const struct state *all)
{
	char shell[] = "sh", flag[] = "-ec", text[16384], said[8192];
	char *argv[] = {shell, flag, text, NULL};
	int status;

	script(all, text,
	       "echo mine >mine\n"
	       "sftp <<END\n"
	       "put mine $up/near\n"
	       "get $up/near got\n"
	       "ls -l $up/near\n"
	       "END\n"
	       "grep -q near out\n"
	       "ssh \"sha256sum $up/near\" >sum\n"
	       "sha256sum <got | cut -d' ' -f1 | grep -q -f- sum\n");
	status = proc_capture(argv, ANSWER_MS, said, sizeof(said));
	if (status != 0)
		fail_msg("status %d: %s", status, said);
}

/* Lets everybody through until the client has ended. */
static int end(const struct state *all, pid_t pid)
{
	char text[8192];
	int status;

	gate_open(&all->gate, 1);
	for (int waited = 0; waited < QUIET_MS; waited += 20) {
		status = proc_wait(pid, 20);
		if (status != -1)
			return status;
		if (!gate_has_one(&all->gate))
			continue;
		gate_await(&all->gate);
		gate_open(&all->gate, 1);
	}
	csftpd_ctl(&all->sshd, text, sizeof(text), "status");
	fail_msg("the client does not end: %s", text);
	return -1;
}

/* What a client does that has to wait for the file of that name. */
static const struct {
	const char *name;
	const char *script;
} waits[] = {
	{"read", "echo \"get $at/read\" | sftp; test -s read"},
	{"write", "echo text >write; echo \"put write $at/write\" | sftp"},
	{"fsync", "echo text >fsync; echo \"put -f fsync $at/fsync\" | sftp"},
	{"getattr", "echo \"ls -l $at/getattr\" | sftp"},
	{"open", "echo \"get $at/open\" | sftp"},
	{"statfs", "echo \"df $at/statfs\" | sftp"},
	{"rename", "echo \"rename $at/rename $at/other\" | sftp"},
	{"unlink", "echo \"rm $at/unlink\" | sftp"},
	{"opendir", "echo \"ls $at/opendir\" | sftp"},
	{"a sum of read", "ssh \"sha256sum $at/read\" >sum"},
	{"read by scp", "scp $host:$at/read copied; test -s copied"},
	/* What scp asks for where a path begins with "~" and a name. */
	{"expand-path",
	 "command scp -s -q -F \"$client\" "
	 "\"$host:~$(id -un)/../../../../../..$at/getattr\" copied"},
	{"write by scp", "echo text >text; scp text $host:$at/write"},
};

static void wait_and_go_on(struct state *all)
{
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		pid_t pid = begin(all, waits[i].script);
		int status;

		print_message("    %s\n", waits[i].name);
		gate_await(&all->gate);
		others_go_on(all);
		assert_int_equal(proc_wait(pid, 0), -1);
		status = end(all, pid);
		if (status != 0)
			fail_msg("%s: %d", waits[i].name, status);
	}
	csftpd_end_well(&all->sshd);
}

static void who_waits_for_a_disk_holds_up_nobody_else(void **state)
{
	start(*state, "");
	wait_and_go_on(*state);
}

static void nor_in_a_jail(void **state)
{
	struct state *all = *state;

	all->jail = true;
	start(all, "");
	wait_and_go_on(all);
}

/* The only connection there is; its client ends of that, too. */
static void end_connection(const struct state *all, pid_t client)
{
	char text[8192];
	const char *id;

	csftpd_ctl(&all->sshd, text, sizeof(text), "sessions");
	id = strstr(text, "id=");
	assert_non_null(id);
	csftpd_ctl(&all->sshd, text, sizeof(text), "kill %lu",
		   strtoul(id + 3, NULL, 10));
	assert_int_not_equal(proc_wait(client, QUIET_MS), -1);
}

static void let_all_through(const struct state *all)
{
	gate_open(&all->gate, 1);
	for (int waited = 0; csftpd_fact(&all->sshd, "connections") > 0;
	     waited += 20) {
		assert_in_range(waited, 0, QUIET_MS);
		if (!gate_has_one(&all->gate)) {
			(void)poll(NULL, 0, 20);
			continue;
		}
		gate_await(&all->gate);
		gate_open(&all->gate, 1);
	}
}

static void a_connection_that_ends_meanwhile_leaves_nothing(void **state)
{
	struct state *all = *state;
	unsigned long files;

	start(all, "");
	others_go_on(all);
	csftpd_await_fact(&all->sshd, "connections", 0);
	files = csftpd_size(&all->sshd).files;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		pid_t pid = begin(all, waits[i].script);

		gate_await(&all->gate);
		assert_int_equal(csftpd_fact(&all->sshd, "disk_busy"), 1);
		end_connection(all, pid);
		others_go_on(all);
		assert_int_equal(csftpd_fact(&all->sshd, "disk_busy"), 1);
		let_all_through(all);
		assert_int_equal(csftpd_fact(&all->sshd, "disk_busy"), 0);
		assert_int_equal(csftpd_size(&all->sshd).files, files);
	}
	csftpd_end_well(&all->sshd);
}

static void it_ends_when_the_disk_has_answered(void **state)
{
	struct state *all = *state;
	pid_t pid;
	int status;

	start(all, "");
	pid = begin(all, waits[0].script);
	gate_await(&all->gate);
	assert_int_equal(kill(all->sshd.pid, SIGTERM), 0);
	csftpd_await_fact(&all->sshd, "connections", 1);
	assert_int_equal(proc_wait(all->sshd.pid, 0), -1);
	assert_int_equal(end(all, pid), 0);
	status = proc_wait(all->sshd.pid, QUIET_MS);
	assert_int_equal(status, 0);
	all->sshd.pid = 0;
}

/* More than there are threads; the others do not need one. */
static void what_is_in_memory_is_had_while_all_threads_wait(void **state)
{
	enum { WAITING = 5, DISK_THREADS = 2 };
	struct state *all = *state;
	pid_t pid[WAITING], other;
	char text[PROC_PATH_MAX + 16];

	start(all, "DiskThreads 2\nMaxStartups 20\n");
	proc_print(text, sizeof(text), "%s/near", all->dir);
	file_write(text, "near\n", 5);
	for (int i = 0; i < WAITING; i++)
		pid[i] = begin(all, "echo \"get $at/read /dev/null\" | sftp");
	for (int i = 0; i < DISK_THREADS; i++)
		gate_await(&all->gate);
	csftpd_await_fact(&all->sshd, "sessions", WAITING);
	assert_int_equal(csftpd_fact(&all->sshd, "disk_threads"), DISK_THREADS);
	assert_int_equal(csftpd_fact(&all->sshd, "disk_busy"), DISK_THREADS);
	assert_false(gate_has_one(&all->gate));
	other = begin(all, "echo \"get $up/near got\" | sftp\n"
			   "grep -q near got\n");
	assert_int_equal(proc_wait(other, ANSWER_MS), 0);
	/* One each for those who wait, as any of them may have it. */
	gate_open(&all->gate, DISK_THREADS - 1);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(end(all, pid[i]), 0);
	csftpd_end_well(&all->sshd);
}

/* For all who connect from now on. */
__attribute__((format(printf, 2, 3))) static void
keys_are_in(const struct state *all, const char *format, ...)
{
	char text[8192], path[PROC_PATH_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	proc_sh(0,
		"sed -i 's,^AuthorizedKeysFile.*,AuthorizedKeysFile %s,' "
		"'%s/csftpd_config'",
		path, all->sshd.dir);
	csftpd_ctl(&all->sshd, text, sizeof(text), "reload");
}

/*
 * A session is open, by way of which more can be had, and from now on the keys
 * lie where nobody answers.
 */
static void lose_the_keys(struct state *all, const char *lines)
{
	pid_t pid;

	start(all, lines);
	pid = begin(all, "command ssh -q -F \"$client\" -o ControlMaster=yes "
			 "-o ControlPath=\"$PWD/ctl\" -N -f $host\n");
	assert_int_equal(proc_wait(pid, QUIET_MS), 0);
	keys_are_in(all, "%.4000s/mnt/open", all->dir);
}

static void has_failed(pid_t pid)
{
	int status = proc_wait(pid, QUIET_MS);

	assert_true(status != -1 && status != 0);
}

static pid_t knock(const struct state *all)
{
	return begin(all, "exec ssh -q -F \"$client\" $host echo hello\n");
}

/* One worker has the session and all who want in. */
static void who_is_in_goes_on(const struct state *all)
{
	pid_t pid =
		begin(all, "command ssh -q -F \"$client\" "
			   "-o ControlPath=\"$PWD/ctl\" -o ProxyCommand=false "
			   "$host echo there >said\n"
			   "grep -q there said\n");

	assert_int_equal(proc_wait(pid, ANSWER_MS), 0);
}

static void leave(const struct state *all)
{
	pid_t pid = begin(all, "command ssh -q -F \"$client\" "
			       "-o ControlPath=\"$PWD/ctl\" -O exit $host");

	assert_int_equal(proc_wait(pid, QUIET_MS), 0);
}

static void keys_on_a_disk_that_hangs_hold_up_nobody_who_is_in(void **state)
{
	struct state *all = *state;
	pid_t pid;

	lose_the_keys(all, "");
	pid = knock(all);
	gate_await(&all->gate);
	assert_int_equal(csftpd_fact(&all->sshd, "door_busy"), 1);
	who_is_in_goes_on(all);
	assert_int_equal(proc_wait(pid, 0), -1);
	/* There are no keys in it. */
	gate_open(&all->gate, 1);
	has_failed(pid);
	keys_are_in(all, "%.4000s/user.pub", all->sshd.dir);
	pid = knock(all);
	assert_int_equal(proc_wait(pid, QUIET_MS), 0);
	leave(all);
	csftpd_end_well(&all->sshd);
}

/* With options of its own, a session begins where they say. */
static void give_key_options(const struct state *all, const char *start)
{
	must_sh("{ printf 'restrict,command=\"internal-sftp -d %s\" '; "
		"cat '%s/user.pub'; } >'%s/keys'",
		start, all->sshd.dir, all->dir);
	keys_are_in(all, "%.4000s/keys", all->dir);
}

static void where_a_key_begins_can_hang_and_hold_up_nobody(void **state)
{
	struct state *all = *state;
	char path[PROC_PATH_MAX];
	pid_t pid;

	lose_the_keys(all, "");
	proc_print(path, sizeof(path), "%.4000s/mnt/getattr", all->dir);
	give_key_options(all, path);
	/* It is no directory, but that is not known before it has answered. */
	pid = begin(all, "echo pwd | sftp; grep -q 'directory: /' out");
	gate_await(&all->gate);
	who_is_in_goes_on(all);
	assert_int_equal(proc_wait(pid, 0), -1);
	assert_int_equal(end(all, pid), 0);
	/* Who does not wait for it. */
	pid = begin(all, "exec sftp -q -F \"$client\" -b - $host </dev/null\n");
	gate_await(&all->gate);
	proc_stop(pid);
	who_is_in_goes_on(all);
	assert_int_equal(csftpd_fact(&all->sshd, "disk_busy"), 1);
	while (csftpd_fact(&all->sshd, "connections") > 1) {
		gate_open(&all->gate, 1);
		(void)poll(NULL, 0, 20);
	}
	leave(all);
	/* The log has it that nobody could begin there. */
	csftpd_end(&all->sshd);
}

static void where_a_key_begins_can_be_any_directory(void **state)
{
	struct state *all = *state;
	char path[PROC_PATH_MAX];
	pid_t pid;

	start(all, "");
	must_sh("mkdir '%s/begin'", all->dir);
	proc_print(path, sizeof(path), "%.4000s/begin", all->dir);
	give_key_options(all, path);
	pid = begin(all, "printf 'mkdir in\\npwd\\n' | sftp\n"
			 "test -d begin/in\n"
			 "echo pwd | command sftp -q -F \"$client\" -b - "
			 "-s /what/the/key/says/counts $host | "
			 "grep -q /begin\n");
	assert_int_equal(proc_wait(pid, QUIET_MS), 0);
	csftpd_end_well(&all->sshd);
}

/* The thread that waits does so for longer than who it waits for. */
static void who_waits_for_keys_has_to_go_in_time(void **state)
{
	struct state *all = *state;
	pid_t pid[3];

	lose_the_keys(all, "LoginGraceTime 5\nDiskThreads 1\n"
			   "LogLevel INFO\n");
	for (size_t i = 0; i < sizeof(pid) / sizeof(pid[0]); i++)
		pid[i] = knock(all);
	gate_await(&all->gate);
	for (size_t i = 0; i < sizeof(pid) / sizeof(pid[0]); i++)
		has_failed(pid[i]);
	csftpd_await_log(&all->sshd, "Timeout before authentication");
	csftpd_await_fact(&all->sshd, "waiting", 0);
	/* Of those that no thread had come to, nothing is left. */
	csftpd_await_fact(&all->sshd, "connections", 2);
	assert_int_equal(csftpd_fact(&all->sshd, "door_busy"), 1);
	who_is_in_goes_on(all);
	gate_open(&all->gate, 1);
	csftpd_await_fact(&all->sshd, "connections", 1);
	assert_false(gate_has_one(&all->gate));
	leave(all);
	csftpd_end(&all->sshd);
}

/* The client is there no more when the answer comes, and it is no. */
static void a_client_that_goes_while_its_key_is_looked_for_is_gone(void **state)
{
	struct state *all = *state;
	pid_t pid;

	lose_the_keys(all, "");
	pid = knock(all);
	gate_await(&all->gate);
	proc_stop(pid);
	csftpd_await_fact(&all->sshd, "waiting", 0);
	assert_int_equal(csftpd_fact(&all->sshd, "connections"), 2);
	gate_open(&all->gate, 1);
	csftpd_await_fact(&all->sshd, "connections", 1);
	leave(all);
	csftpd_end_well(&all->sshd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_waits_for_a_disk_holds_up_nobody_else, make, drop),
		cmocka_unit_test_setup_teardown(nor_in_a_jail, make, drop),
		cmocka_unit_test_setup_teardown(
			a_connection_that_ends_meanwhile_leaves_nothing, make,
			drop),
		cmocka_unit_test_setup_teardown(
			it_ends_when_the_disk_has_answered, make, drop),
		cmocka_unit_test_setup_teardown(
			what_is_in_memory_is_had_while_all_threads_wait, make,
			drop),
		cmocka_unit_test_setup_teardown(
			keys_on_a_disk_that_hangs_hold_up_nobody_who_is_in,
			make, drop),
		cmocka_unit_test_setup_teardown(
			who_waits_for_keys_has_to_go_in_time, make, drop),
		cmocka_unit_test_setup_teardown(
			where_a_key_begins_can_hang_and_hold_up_nobody, make,
			drop),
		cmocka_unit_test_setup_teardown(
			where_a_key_begins_can_be_any_directory, make, drop),
		cmocka_unit_test_setup_teardown(
			a_client_that_goes_while_its_key_is_looked_for_is_gone,
			make, drop),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
