/* The FUSE frontend: failing, late and silent servers, and their callers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fuse_rig.h"

/*
 * The tests: what runs in the mount comes first, what serves it second.
 */

static void stat_never(void)
{
	struct stat st;

	signal(SIGINT, SIG_DFL);
	(void)stat("never", &st);
	_exit(3); /* only if the call came back */
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A handler that does not end the program must not break its call either. */
static void alarm_never(void)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct itimerval tick = {.it_interval = {.tv_usec = 20000},
				 .it_value = {.tv_usec = 1000}};
	struct stat st;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	NEED(rig_fails(stat("never", &st), ENOENT));
}

static void catch_int(void)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct stat st;

	sigaction(SIGINT, &act, NULL);
	NEED(rig_fails(stat("never", &st), EINTR));
}

static void kill_when_held(struct rig *rig)
{
	if (rig->tap.held_count > 0)
		kill(rig->child, SIGKILL);
}

static void int_when_held(struct rig *rig)
{
	if (rig->tap.held_count > 0 && !rig->tap.cancelled)
		kill(rig->child, SIGINT);
}

static void a_killed_caller_ends_though_the_server_never_answers(void **state)
{
	struct rig *rig = rig_ready(state);
	int status;

	rig->between = kill_when_held;
	status = rig_serve(rig, rig_start(rig, stat_never));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(rig->tap.cancelled, 1);
	/* Its operation waits on, and the late answer does no harm. */
	assert_int_equal(fusefs_pending(rig->f), 1);
	tap_release(&rig->tap);
	assert_int_equal(fusefs_pending(rig->f), 0);
}

static void ctrl_c_ends_a_caller_and_eintr_reaches_a_catcher(void **state)
{
	struct rig *rig = rig_ready(state);
	int status;

	rig->between = int_when_held;
	status = rig_serve(rig, rig_start(rig, stat_never));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	tap_release(&rig->tap);
	rig->tap.cancelled = 0;
	assert_int_equal(rig_serve(rig, rig_start(rig, catch_int)), 0);
}

/* Answers after the timer of the caller has ticked more than once. */
static void answer_late(struct rig *rig)
{
	static const struct timespec pause = {.tv_nsec = 100000000};

	if (rig->tap.held_count > 0 &&
	    fusefs_tick(rig->f, (uint64_t)proc_now_ms()) > 0) {
		nanosleep(&pause, NULL);
		tap_release(&rig->tap);
	}
}

static void a_timer_of_the_caller_does_not_break_its_call(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->between = answer_late;
	rig_run(rig, alarm_never);
	assert_int_equal(rig->tap.cancelled, 0);
}

static void a_killed_caller_ends_when_no_request_object_is_free(void **state)
{
	struct rig *rig = *state;
	int status;

	rig_need_fuse();
	rig_mount(rig, 0, 0, 1);
	rig->between = kill_when_held;
	status = rig_serve(rig, rig_start(rig, stat_never));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void no_error(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)req;
	assert_int_equal(reply->err, 0);
}

/* Behind the kernel's back, so that it has no name cached. */
static void make_d_x(struct rig *rig)
{
	struct csftp_req dir = {
		.op = CSFTP_OP_MKDIR, .done = no_error, .path = "/d"};
	struct csftp_req file = {.op = CSFTP_OP_OPEN,
				 .done = no_error,
				 .path = "/d/x",
				 .flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT};

	csftp_submit(rig->memfs, &dir);
	csftp_submit(rig->memfs, &file);
}

static void rename_d_body(void)
{
	NEED(rename("d", "e") == 0);
}

static void stat_d_x_body(void)
{
	struct stat st;

	NEED(stat("d/x", &st) == 0 && S_ISREG(st.st_mode));
}

static void start_second(struct rig *rig)
{
	pid_t first = rig->child;

	if (rig->tap.held_count == 0 || rig->second)
		return;
	rig->second = rig_start(rig, stat_d_x_body);
	rig->child = first;
}

static void a_rename_that_overtakes_a_call_does_not_fail_it(void **state)
{
	struct rig *rig = rig_ready(state);

	make_d_x(rig);
	rig->tap.hold_rename = true;
	rig->between = start_second;
	assert_int_equal(rig_serve(rig, rig_start(rig, rename_d_body)), 0);
	assert_true(rig->second > 0);
	rig->child = rig->second;
	assert_int_equal(rig_serve(rig, rig->second), 0);
	assert_false(rig->tap.hold_rename);
}

static void open_never_open(void)
{
	(void)open("never-open", O_RDONLY);
	_exit(3);
}

static void put_never_open(void)
{
	rig_put("x-open", "x");
	NEED(rename("x-open", "never-open") == 0);
}

static void a_handle_that_comes_too_late_is_closed(void **state)
{
	struct rig *rig = rig_ready(state);
	uint32_t closed;
	int status;

	rig_run(rig, put_never_open);
	closed = rig->tap.count[CSFTP_OP_CLOSE];
	rig->between = kill_when_held;
	status = rig_serve(rig, rig_start(rig, open_never_open));
	assert_true(WIFSIGNALED(status));
	tap_release(&rig->tap);
	assert_int_equal(rig->tap.count[CSFTP_OP_CLOSE], closed + 1);
	assert_int_equal(fusefs_pending(rig->f), 0);
}

static void close_fails_body(void)
{
	int fd = rig_open("f", "text");

	NEED(rig_fails(close(fd), ENOSPC));
	fd = open("f", O_RDONLY);
	NEED(fd >= 0 && close(fd) == 0);
}

static void an_error_of_close_reaches_close(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.close_err = ENOSPC;
	rig_run(rig, close_fails_body);
	assert_int_equal(fusefs_lost_errors(rig->f), 0);
	assert_int_equal(rig->tap.handles, 0);
}

/* The child inherits; its close is none of the opener's business. */
static void child_closes_body(void)
{
	int fd = rig_open("f", "text");
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
	NEED(write(fd, "more", 4) == 4);
	NEED(rig_fails(close(fd), EDQUOT));
}

static void a_childs_close_does_not_close_the_opener(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.close_err = EDQUOT;
	rig_run(rig, child_closes_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_OPEN], 1);
	assert_int_equal(rig->tap.count[CSFTP_OP_CLOSE], 1);
}

static void dup_body(void)
{
	int fd = rig_open("f", "one");
	int more = dup(fd);
	struct stat st;
	char buf[8];

	NEED(more >= 0);
	NEED(close(fd) == 0);
	NEED(write(more, "two", 3) == 3);
	NEED(pread(more, buf, sizeof(buf), 0) == 6);
	NEED(fstat(more, &st) == 0 && st.st_size == 6);
	NEED(close(more) == 0);
	NEED(rig_holds("f", "onetwo"));
	/* Renamed and unlinked while only half closed. */
	fd = rig_open("g", "one");
	more = dup(fd);
	NEED(close(fd) == 0);
	NEED(rename("g", "h") == 0);
	NEED(write(more, "two", 3) == 3);
	fd = dup(more);
	NEED(close(more) == 0);
	NEED(unlink("h") == 0);
	NEED(write(fd, "six", 3) == 3);
	NEED(pread(fd, buf, sizeof(buf), 3) == 6);
	NEED(memcmp(buf, "twosix", 6) == 0);
	NEED(close(fd) == 0);
	/* Could not be opened again: not closed before the last close. */
	fd = open("readonly", O_WRONLY | O_CREAT | O_EXCL, 0444);
	more = dup(fd);
	NEED(write(fd, "a", 1) == 1 && close(fd) == 0);
	NEED(write(more, "b", 1) == 1 && close(more) == 0);
	NEED(rig_holds("readonly", "ab"));
	/* It could be when it was, and could not be any more. */
	fd = rig_open("f", "one");
	more = dup(fd);
	NEED(close(fd) == 0);
	NEED(chmod("f", 0444) == 0);
	NEED(write(more, "two", 3) == 3 && close(more) == 0);
	NEED(rig_holds("f", "onetwo"));
}

static void a_descriptor_that_lives_on_after_close_can_be_used(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, dup_body);
	assert_int_equal(rig->tap.handles, 0);
	assert_int_equal(fusefs_lost_errors(rig->f), 0);
}

static void write_fails_body(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	/* Answered before it is done: whoever asks next is told, once. */
	NEED(write(fd, "x", 1) == 1);
	NEED(rig_fails(fsync(fd), EIO));
	NEED(rig_fails(fsync(fd), EDQUOT));
	NEED(write(fd, "x", 1) == 1);
	NEED(rig_fails(close(fd), EIO));
	fd = open("f", O_WRONLY | O_SYNC);
	NEED(fd >= 0);
	NEED(rig_fails(write(fd, "x", 1), EIO));
	NEED(close(fd) == 0);
}

static void errors_of_write_and_fsync_reach_the_caller(void **state)
{
	struct rig *rig = *state;

	rig->behind = true;
	rig->tap.write_err = EIO;
	rig->tap.fsync_err = EDQUOT;
	rig_run(rig_ready(state), write_fails_body);
}

static void set_fails_body(void)
{
	int fd = open("f", O_WRONLY | O_CREAT | O_EXCL, 0644);

	/* Answered before it is done, as if it went with writes. */
	NEED(fchmod(fd, 0600) == 0);
	NEED(rig_fails(close(fd), EPERM));
	fd = open("g", O_RDONLY | O_CREAT | O_EXCL, 0644);
	NEED(rig_fails(fchmod(fd, 0600), EPERM));
	NEED(close(fd) == 0);
	NEED(rig_fails(chmod("g", 0600), EPERM));
}

static void an_error_of_setting_reaches_the_caller(void **state)
{
	struct rig *rig = *state;

	rig->behind = true;
	rig->tap.setattr_err = EPERM;
	rig_run(rig_ready(state), set_fails_body);
	assert_int_equal(fusefs_lost_errors(rig->f), 0);
}

/* Where a shell that has it open runs a command, which then ends. */
static void child_ends_body(void)
{
	int fd = open("f", O_WRONLY | O_CREAT, 0644);
	pid_t pid;
	int status;

	NEED(fd >= 0 && write(fd, "x", 1) == 1);
	pid = fork();
	if (pid == 0)
		_exit(0);
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
	NEED(rig_fails(write(fd, "y", 1), EIO));
	NEED(write(fd, "y", 1) == 1);
	pid = fork();
	if (pid == 0)
		_exit(rig_fails(close(fd), EIO) ? 0 : 1);
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
	NEED(rig_fails(close(fd), EIO));
}

static void an_error_that_a_child_was_told_is_told_the_opener(void **state)
{
	struct rig *rig = *state;

	rig->behind = true;
	rig->tap.write_err = EIO;
	rig_run(rig_ready(state), child_ends_body);
	assert_int_equal(fusefs_lost_errors(rig->f), 0);
}

static void lives_on_body(void)
{
	int fd = rig_open("f", "one");
	int more = dup(fd);

	NEED(more >= 0 && close(fd) == 0);
	NEED(rig_fails(write(more, "two", 3), EIO));
	NEED(write(more, "two", 3) == 3);
	NEED(close(more) == 0);
	NEED(rig_holds("f", "onetwo"));
}

static void a_file_that_could_not_be_opened_again_can_be_later(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.open_fails = 1;
	rig_run(rig, lives_on_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void loses_its_name_body(void)
{
	int fd = rig_open("f", "one");
	int more = dup(fd);

	NEED(more >= 0 && close(fd) == 0);
	NEED(rename("f", "g") == 0);
	NEED(unlink("g") == 0);
	NEED(rig_fails(write(more, "two", 3), ESTALE));
	NEED(close(more) == 0);
}

/* However long that goes on, names can be changed. */
static void a_file_that_cannot_be_opened_again_is_tried_once(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.open_fails = 100;
	rig_run(rig, loses_its_name_body);
	assert_int_equal(rig->tap.open_fails, 100 - 2);
	assert_int_equal(rig->tap.handles, 0);
}

static void was_not_written_body(void)
{
	int fd = open("f", O_WRONLY | O_CREAT, 0644);
	int more = dup(fd);

	NEED(more >= 0 && write(fd, "one", 3) == 3);
	NEED(rig_fails(close(fd), EIO));
	NEED(pwrite(more, "two", 3, 0) == 3);
	NEED(close(more) == 0);
	NEED(rig_holds("f", "two"));
}

static void a_write_that_failed_does_not_make_it_another_file(void **state)
{
	struct rig *rig = *state;

	rig->behind = true;
	rig->tap.write_fails = 1;
	rig_run(rig_ready(state), was_not_written_body);
	assert_int_equal(fusefs_lost_errors(rig->f), 0);
}

static void late_error_body(void)
{
	int fd = rig_open("f", "x");
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		NEED(write(fd, "y", 1) == 1);
		_exit(close(fd) == 0 ? 0 : 1);
	}
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
	NEED(unlink("f") == 0);
	NEED(close(fd) == 0);
}

static void an_error_that_nobody_can_be_told_is_logged_and_counted(void **state)
{
	struct rig *rig = rig_ready(state);

	/* Unlinked: it cannot be closed before the kernel lets go of it. */
	rig->tap.close_err = ENOSPC;
	rig_run(rig, late_error_body);
	assert_int_equal(fusefs_lost_errors(rig->f), 1);
	assert_non_null(strstr(rig->log, "No space left on device"));
}

static void many_readers_body(void)
{
	pid_t pids[40];
	char name[16];
	int status;

	for (int i = 0; i < 40; i++) {
		NEED(snprintf(name, sizeof(name), "f%d", i) > 0);
		rig_put(name, name);
	}
	for (int i = 0; i < 40; i++) {
		pids[i] = fork();
		if (pids[i] > 0)
			continue;
		NEED(snprintf(name, sizeof(name), "f%d", i) > 0);
		_exit(rig_holds(name, name) ? 0 : 1);
	}
	for (int i = 0; i < 40; i++)
		NEED(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
}

static void more_callers_than_request_objects_are_all_served(void **state)
{
	struct rig *rig = *state;

	rig_need_fuse();
	rig_mount(rig, 0, 0, 8);
	rig->tap.hold_reads = true;
	rig->tap.release_at = 8;
	rig_run(rig, many_readers_body);
	assert_int_equal(rig->tap.held_most, 8);
	assert_int_equal(rig->tap.handles, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_killed_caller_ends_though_the_server_never_answers),
		RIG_TEST(ctrl_c_ends_a_caller_and_eintr_reaches_a_catcher),
		RIG_TEST(a_timer_of_the_caller_does_not_break_its_call),
		RIG_TEST(a_handle_that_comes_too_late_is_closed),
		RIG_TEST(an_error_of_close_reaches_close),
		RIG_TEST(a_childs_close_does_not_close_the_opener),
		RIG_TEST(a_descriptor_that_lives_on_after_close_can_be_used),
		RIG_TEST(errors_of_write_and_fsync_reach_the_caller),
		RIG_TEST(an_error_of_setting_reaches_the_caller),
		RIG_TEST(a_file_that_could_not_be_opened_again_can_be_later),
		RIG_TEST(a_file_that_cannot_be_opened_again_is_tried_once),
		RIG_TEST(a_write_that_failed_does_not_make_it_another_file),
		RIG_TEST(an_error_that_a_child_was_told_is_told_the_opener),
		RIG_TEST(
			an_error_that_nobody_can_be_told_is_logged_and_counted),
		RIG_TEST(more_callers_than_request_objects_are_all_served),
		RIG_TEST(a_killed_caller_ends_when_no_request_object_is_free),
		RIG_TEST(a_rename_that_overtakes_a_call_does_not_fail_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
