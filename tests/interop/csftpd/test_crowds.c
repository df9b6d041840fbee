/* csftpd among many: idle sessions, half-open connections, comings, goings. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/crowd.h"
#include "tests/lib/csftpd.h"
#include "tests/lib/greedy.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000 };

/* Those that log in at a time: fewer than MaxStartups. */
enum { AT_ONCE = 60 };

struct state {
	struct sshd sshd;
	struct crowd crowd;
	bool open;
	char dir[PROC_PATH_MAX];
};

static bool is_long(void)
{
	return getenv("CSFTP_LONG") != NULL;
}

static int make(void **state)
{
	struct state *all = calloc(1, sizeof(*all));

	if (!all)
		return -1;
	umask(022);
	scratch_make(all->dir);
	*state = all;
	return 0;
}

static int drop(void **state)
{
	struct state *all = *state;

	if (all->open)
		crowd_close(&all->crowd);
	csftpd_drop(&all->sshd);
	scratch_remove(all->dir);
	free(all);
	return 0;
}

static void open_crowd(struct state *all, size_t cap)
{
	crowd_open(&all->crowd, &all->sshd, cap);
	all->open = true;
}

static void close_crowd(struct state *all)
{
	crowd_close(&all->crowd);
	all->open = false;
	csftpd_await_fact(&all->sshd, "connections", 0);
	assert_int_equal(csftpd_fact(&all->sshd, "waiting"), 0);
}

/* A user's sftp, who tries once. */
static pid_t start_user(const struct state *all)
{
	char script[4 * PROC_PATH_MAX];
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {shell, flag, script, NULL};

	proc_print(script, sizeof(script),
		   "echo pwd | sftp -q -o ConnectionAttempts=1 -F '%s' -b "
		   "- " SSHD_HOST " >'%s/said'",
		   all->sshd.client, all->dir);
	return proc_start(argv, -1, -1, -1);
}

static bool is_over(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       info.si_pid == pid;
}

static void join_all(struct crowd *crowd, size_t from, size_t to)
{
	for (size_t n = from; n < to; n++) {
		crowd_join(crowd, n, CROWD_SFTP);
		crowd_await(crowd, AT_ONCE);
	}
	crowd_await(crowd, 0);
	assert_int_equal(crowd->lost, 0);
}

/*
 * With ten sessions the pools' first pages and the key are there, and after a
 * question the descriptor that libuv opens with its first stream.
 */
static void idle_sessions_cost_little(void **state)
{
	size_t first = 10, many = is_long() ? 10000 : 500;
	struct state *all = *state;
	struct csftpd_size before, after;

	if (CSFTP_ASAN)
		skip_because("AddressSanitizer's own memory is not ours");
	csftpd_start(&all->sshd, "MaxConnections %zu\n", first + many + 10);
	open_crowd(all, first + many);
	join_all(&all->crowd, 0, first);
	assert_int_equal(csftpd_fact(&all->sshd, "channels"), first);
	before = csftpd_size(&all->sshd);
	join_all(&all->crowd, first, first + many);
	assert_int_equal(csftpd_fact(&all->sshd, "channels"), first + many);
	after = csftpd_size(&all->sshd);
	print_message("# %zu sessions: %lu KiB more, %.1f KiB each, %lu KiB in "
		      "all\n",
		      many, after.memory_kb - before.memory_kb,
		      (double)(after.memory_kb - before.memory_kb) /
			      (double)many,
		      after.memory_kb);
	assert_true(after.memory_kb - before.memory_kb < 24 * many);
	/* They are as good as new. */
	assert_int_equal(proc_wait(start_user(all), QUIET_MS), 0);
	for (size_t n = 0; n < first + many; n++)
		assert_true(crowd_is_there(&all->crowd, n));
	close_crowd(all);
	assert_true(csftpd_size(&all->sshd).files <= before.files - first);
	csftpd_end_well(&all->sshd);
}

static void who_has_been_silent_for_longest_has_to_go(void **state)
{
	enum { MANY = 500, PLACES = 100 };
	struct state *all = *state;

	csftpd_start(&all->sshd, "MaxStartups %d\n", PLACES);
	open_crowd(all, MANY);
	for (size_t n = 0; n < MANY; n++)
		crowd_join(&all->crowd, n, CROWD_SILENT);
	while (all->crowd.lost < MANY - PLACES)
		assert_true(crowd_move(&all->crowd, QUIET_MS));
	csftpd_await_fact(&all->sshd, "dropped", MANY - PLACES);
	assert_int_equal(csftpd_fact(&all->sshd, "waiting"), PLACES);
	for (size_t n = 0; n < MANY; n++)
		assert_true(crowd_is_there(&all->crowd, n) ==
			    (n >= MANY - PLACES));
	close_crowd(all);
	csftpd_end_well(&all->sshd);
}

/* Another acceptor's newcomer may be to go before its worker has it. */
static void who_has_to_go_goes_whichever_acceptor_took_him(void **state)
{
	enum { MANY = 1000, PLACES = 1 };
	struct state *all = *state;

	csftpd_start(&all->sshd, "Acceptors 16\nWorkers 1\nMaxStartups %d\n",
		     PLACES);
	open_crowd(all, MANY);
	for (size_t n = 0; n < MANY; n++)
		crowd_join(&all->crowd, n, CROWD_SILENT);
	while (all->crowd.lost < MANY - PLACES)
		assert_true(crowd_move(&all->crowd, QUIET_MS));
	csftpd_await_fact(&all->sshd, "connections", PLACES);
	close_crowd(all);
	csftpd_end_well(&all->sshd);
}

/* Who is thrown out comes again, as long as the user tries to get in. */
static void press(struct state *all, pid_t user)
{
	static const enum crowd_stage kinds[] = {CROWD_SILENT, CROWD_DRIP_HELLO,
						 CROWD_DRIP_PACKET};

	do {
		for (size_t n = 0; n < all->crowd.cap; n++)
			if (!crowd_is_there(&all->crowd, n))
				crowd_join(&all->crowd, n, kinds[n % 3]);
		crowd_drip(&all->crowd);
		while (crowd_move(&all->crowd, 1))
			;
	} while (user > 0 && !is_over(user));
}

static void slow_ones_keep_nobody_out(void **state)
{
	enum { MANY = 500, USERS = 5 };
	struct state *all = *state;
	struct csftpd_size size;

	csftpd_start(&all->sshd, "%s", "MaxStartups 100\n");
	open_crowd(all, MANY);
	press(all, 0);
	for (int i = 0; i < USERS; i++) {
		size_t lost = all->crowd.lost;
		int64_t since_ms = proc_now_ms();
		pid_t user = start_user(all);

		press(all, user);
		assert_int_equal(proc_wait(user, QUIET_MS), 0);
		print_message("# a login among them: %lld ms, meanwhile "
			      "%zu of them had to go\n",
			      (long long)(proc_now_ms() - since_ms),
			      all->crowd.lost - lost);
	}
	size = csftpd_size(&all->sshd);
	print_message("# memory with %d of them: %lu KiB\n", MANY,
		      size.memory_kb);
	assert_int_equal(csftpd_fact(&all->sshd, "logins"), USERS);
	assert_true(CSFTP_ASAN || size.memory_kb < 10240);
	close_crowd(all);
	csftpd_end_well(&all->sshd);
}

/* More than the pool has: 4 buffers for each of 8 logins, and 256. */
static void who_sends_and_does_not_read_is_alone_in_his_trouble(void **state)
{
	enum { CHANNELS = 10 };
	struct state *all = *state;
	struct greedy greedy;

	csftpd_start(&all->sshd, "%s", "Workers 1\nMaxStartups 8\n");
	greedy_start(&greedy, &all->sshd, CHANNELS);
	greedy_await(&greedy);
	assert_int_equal(proc_wait(start_user(all), QUIET_MS), 0);
	csftpd_await_fact(&all->sshd, "connections", 1);
	/* He is gone while what he has sent waits for a buffer. */
	greedy_end(&greedy);
	csftpd_await_fact(&all->sshd, "connections", 0);
	csftpd_end_well(&all->sshd);
}

/* A hundred sessions with a buffer each: more than a worker has. */
static void who_asks_and_does_not_read_has_to_go(void **state)
{
	struct state *all = *state;
	struct greedy greedy;

	csftpd_start(&all->sshd, "%s", "Workers 1\n");
	greedy_start_asking(&greedy, &all->sshd, 10);
	greedy_await(&greedy);
	assert_int_equal(proc_wait(start_user(all), QUIET_MS), 0);
	greedy_end(&greedy);
	csftpd_await_fact(&all->sshd, "connections", 0);
	csftpd_end_well(&all->sshd);
}

/* How far the n-th of a batch gets: 11 kinds, so that two workers get all. */
static enum crowd_stage stage_of(size_t n)
{
	static const enum crowd_stage stages[] = {
		CROWD_LOGGED_IN,  CROWD_SFTP,	    CROWD_SILENT,
		CROWD_DRIP_HELLO, CROWD_KEYS,	    CROWD_SILENT,
		CROWD_LOGGED_IN,  CROWD_DRIP_HELLO, CROWD_DRIP_PACKET,
		CROWD_SFTP,	  CROWD_DRIP_PACKET};

	return stages[n % (sizeof(stages) / sizeof(stages[0]))];
}

static unsigned long logins_of(size_t batch)
{
	unsigned long logins = 0;

	for (size_t n = 0; n < batch; n++)
		logins += stage_of(n) >= CROWD_LOGGED_IN;
	return logins;
}

/* Half of them say farewell. */
static void come_and_go(struct state *all)
{
	struct crowd *crowd = &all->crowd;

	for (size_t n = 0; n < crowd->cap; n++) {
		crowd_join(crowd, n, stage_of(n));
		crowd_await(crowd, AT_ONCE);
		if (n % 32 == 31)
			crowd_drip(crowd);
	}
	crowd_await(crowd, 0);
	assert_int_equal(crowd->lost, 0);
	for (size_t n = 0; n < crowd->cap; n++)
		crowd_leave(crowd, n,
			    n / 10 % 2 ? CROWD_POLITELY : CROWD_ABRUPTLY);
	csftpd_await_fact(&all->sshd, "connections", 0);
	assert_int_equal(csftpd_fact(&all->sshd, "waiting"), 0);
	assert_int_equal(csftpd_fact(&all->sshd, "channels"), 0);
}

static void those_who_have_gone_leave_nothing(void **state)
{
	size_t batch = 500, batches = is_long() ? 200 : 6;
	struct state *all = *state;
	struct csftpd_size first, now;

	csftpd_start(&all->sshd, "MaxStartups %zu\n", batch);
	open_crowd(all, batch);
	/* Pools and heap are as large then as a batch needs them to be. */
	come_and_go(all);
	come_and_go(all);
	first = csftpd_size(&all->sshd);
	for (size_t i = 2; i < batches; i++)
		come_and_go(all);
	now = csftpd_size(&all->sshd);
	print_message("# after %zu connections %lu KiB and %lu files, after "
		      "%zu %lu KiB and %lu\n",
		      2 * batch, first.memory_kb, first.files, batches * batch,
		      now.memory_kb, now.files);
	assert_int_equal(csftpd_fact(&all->sshd, "logins"),
			 batches * logins_of(batch));
	assert_int_equal(now.files, first.files);
	/*
	 * The most that were there at a time are a few more now and then; what
	 * each left behind, in the long run, would be far more than that.
	 */
	assert_true(CSFTP_ASAN || now.memory_kb < first.memory_kb + 1024);
	assert_int_equal(proc_wait(start_user(all), QUIET_MS), 0);
	close_crowd(all);
	csftpd_end_well(&all->sshd);
}

/* The daemon, as a shell starts it that allows few files. */
static void write_wrapper(const struct state *all, char path[PROC_PATH_MAX])
{
	char program[PROC_PATH_MAX], text[2 * PROC_PATH_MAX];

	csftpd_program(program);
	proc_print(path, PROC_PATH_MAX, "%.4000s/csftpd", all->dir);
	proc_print(text, sizeof(text),
		   "#!/bin/sh\nulimit -n 128\nexec '%s' \"$@\"\n", program);
	file_write(path, text, strlen(text));
	assert_int_equal(chmod(path, 0755), 0);
}

static void start_with_few_files(struct state *all, const char *lines)
{
	const char *other = getenv("CSFTP_TEST_DAEMON");
	char path[PROC_PATH_MAX];

	write_wrapper(all, path);
	assert_int_equal(setenv("CSFTP_TEST_DAEMON", path, 1), 0);
	csftpd_start(&all->sshd, "%s", lines);
	if (other)
		assert_int_equal(setenv("CSFTP_TEST_DAEMON", other, 1), 0);
	else
		assert_int_equal(unsetenv("CSFTP_TEST_DAEMON"), 0);
}

/* In a jail, too, where what a loop keeps for that cannot be had again. */
static void who_minds_the_daemon_gets_in_when_files_are_used_up(void **state)
{
	enum { FILES = 128, ASKS = 3 };
	struct state *all = *state;
	char text[8192], lines[2 * PROC_PATH_MAX];
	struct greedy greedy;
	const char *id;

	proc_print(lines, sizeof(lines), "Workers 1\nRoot %.4000s\n", all->dir);
	start_with_few_files(all, lines);
	greedy_start_opening(&greedy, &all->sshd, 2 * FILES);
	greedy_await(&greedy);
	assert_true(csftpd_size(&all->sshd).files >= FILES);
	for (int i = 0; i < ASKS; i++)
		csftpd_ctl(&all->sshd, text, sizeof(text), "sessions");
	id = strstr(text, "id=");
	assert_non_null(id);
	csftpd_ctl(&all->sshd, text, sizeof(text), "kill %lu",
		   strtoul(id + 3, NULL, 10));
	csftpd_await_fact(&all->sshd, "connections", 0);
	assert_true(csftpd_size(&all->sshd).files < FILES / 2);
	greedy_end(&greedy);
	csftpd_end(&all->sshd);
}

static void connections_leave_files_for_sessions(void **state)
{
	enum { MANY = 100 };
	struct state *all = *state;
	char log[16384];
	pid_t user;

	start_with_few_files(all, "MaxConnections 300\nWorkers 2\n");
	open_crowd(all, MANY);
	for (size_t n = 0; n < MANY; n++)
		crowd_join(&all->crowd, n, CROWD_SILENT);
	csftpd_await_fact(&all->sshd, "connections", 64);
	/* He waits, and is served when somebody has gone. */
	user = start_user(all);
	for (size_t n = 0; n < MANY; n++)
		crowd_leave(&all->crowd, n, CROWD_ABRUPTLY);
	assert_int_equal(proc_wait(user, QUIET_MS), 0);
	close_crowd(all);
	csftpd_end(&all->sshd);
	csftpd_log(&all->sshd, log, sizeof(log));
	assert_non_null(strstr(log, "MaxConnections 300: it is 64, as only "
				    "128 files may be open"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
}

#define CROWD_TEST(claim) cmocka_unit_test_setup_teardown(claim, make, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CROWD_TEST(idle_sessions_cost_little),
		CROWD_TEST(who_has_been_silent_for_longest_has_to_go),
		CROWD_TEST(who_has_to_go_goes_whichever_acceptor_took_him),
		CROWD_TEST(slow_ones_keep_nobody_out),
		CROWD_TEST(who_sends_and_does_not_read_is_alone_in_his_trouble),
		CROWD_TEST(who_asks_and_does_not_read_has_to_go),
		CROWD_TEST(those_who_have_gone_leave_nothing),
		CROWD_TEST(who_minds_the_daemon_gets_in_when_files_are_used_up),
		CROWD_TEST(connections_leave_files_for_sessions),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
