/* What a mount tells of itself, also while nothing goes through it. */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"

#define LIMIT_MS 60000
#define SAID_MAX 65536

struct inside {
	struct mounted mounted;
	struct proxy proxy;
	char said[SAID_MAX];
	char log[PROC_PATH_MAX];
};

static int start(void **state)
{
	struct inside *inside = calloc(1, sizeof(*inside));
	struct mounted *mounted;

	assert_non_null(inside);
	mounted = &inside->mounted;
	mounted_serve(mounted, DIRECT_CSFTP);
	proxy_start(&inside->proxy, mounted->direct.port, 0);
	mounted->direct.port = inside->proxy.port;
	*state = inside;
	return 0;
}

static int stop(void **state)
{
	struct inside *inside = *state;

	mounted_stop(&inside->mounted);
	proxy_stop(&inside->proxy);
	free(inside);
	return 0;
}

/* Mounts, with what it logs in a file. */
static void mount_it(struct inside *inside)
{
	const char *const append[] = {"-f", NULL};
	struct mounted *mounted = &inside->mounted;
	char **argv =
		mounted_argv(mounted, mounted->served, mounted->point, append);
	int err;

	proc_print(inside->log, sizeof(inside->log), "%.4000s/log",
		   mounted->dir);
	err = open(inside->log, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND,
		   0600);
	assert_true(err >= 0);
	mounted->pid = proc_start(argv, -1, -1, err);
	close(err);
	mounted_argv_free(argv);
	mounted_await(mounted);
}

/* The exit status; what was said is in inside->said. */
static int ask(struct inside *inside, const char *one, const char *two,
	       const char *three)
{
	char program[PROC_PATH_MAX];
	char *words[3] = {strdup(one), two ? strdup(two) : NULL,
			  three ? strdup(three) : NULL};
	char *argv[] = {program, words[0], words[1], words[2], NULL};
	int status;

	proc_mounter(program);
	status = proc_capture(argv, LIMIT_MS, inside->said,
			      sizeof(inside->said));
	for (size_t i = 0; i < 3; i++)
		free(words[i]);
	return status;
}

static bool says(const struct inside *inside, const char *text)
{
	return strstr(inside->said, text) != NULL;
}

static void assert_says(const struct inside *inside, const char *text)
{
	if (!says(inside, text))
		fail_msg("\"%s\" is not in: %s", text, inside->said);
}

/* A number behind a name, in JSON. */
static uint64_t number_of(const struct inside *inside, const char *section,
			  const char *name)
{
	char key[64];
	const char *at;

	proc_print(key, sizeof(key), "\"%s\":", section);
	at = strstr(inside->said, key);
	assert_non_null(at);
	proc_print(key, sizeof(key), "\"%s\":", name);
	at = strstr(at, key);
	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 10);
}

static void it_counts_what_is_asked_and_what_is_sent(void **state)
{
	struct inside *inside = *state;
	const char *point = inside->mounted.point;

	mount_it(inside);
	must_sh("cd '%s' && mkdir d && echo text >d/f && cat d/f && "
		"! cat d/none && dd if=/dev/zero of=large bs=64k count=32 && "
		"cat large >copy",
		point);
	assert_int_equal(ask(inside, "--status", point, NULL), 0);
	assert_says(inside, "\n  state: up\n");
	assert_says(inside, "\n  transport: tcp\n");
	assert_says(inside, "\n  reconnects: 0\n");
	assert_says(inside, "\n  mkdir             count 1  errors 0  mean ");
	assert_says(inside, "\n  MKDIR             count 1  errors 0  mean ");
	assert_int_equal(ask(inside, "--status", point, "--json"), 0);
	assert_int_equal(number_of(inside, "under_way", "messages"), 0);
	assert_int_equal(number_of(inside, "under_way", "dirty_bytes"), 0);
	assert_true(number_of(inside, "cache", "hits") > 0);
	must_sh("cd '%s' && cat large >/dev/null", point);
	mounted_unmount(&inside->mounted);
}

static void json_is_for_programs(void **state)
{
	struct inside *inside = *state;
	char program[PROC_PATH_MAX];

	skip_without("python3");
	mount_it(inside);
	proc_mounter(program);
	must_sh("cd '%s'\n"
		"mkdir dir; echo x >dir/file; ls -lR . >/dev/null\n"
		"'%s' --json --status '%s' | python3 -c '\n"
		"import json, sys\n"
		"all = json.load(sys.stdin)\n"
		"names = [row[\"name\"] for row in all[\"messages\"]]\n"
		"assert \"MKDIR\" in names, names\n"
		"count = sum(row[\"count\"] for row in all[\"messages\"])\n"
		"trips = sum(row[\"count\"] for row in all[\"round_trips\"])\n"
		"assert 0 < trips <= count, (trips, count)\n"
		"assert all[\"connection\"][\"state\"] == \"up\"\n"
		"assert len(all[\"connections\"]) == 1\n"
		"assert all[\"connections\"][0][\"number\"] == \"1\"\n"
		"assert all[\"connections\"][0][\"state\"] == \"up\"\n"
		"assert all[\"connections\"][0][\"sent\"] >= count\n"
		"assert all[\"waiting\"] == []\n'",
		inside->mounted.point, program, inside->mounted.point);
	mounted_unmount(&inside->mounted);
}

/* Until it says so; who waits is known a moment after it began to. */
static void await_saying(struct inside *inside, const char *text)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	int64_t until = proc_now_ms() + LIMIT_MS;

	do {
		if (proc_now_ms() > until)
			fail_msg("\"%s\" never came: %s", text, inside->said);
		(void)nanosleep(&nap, NULL);
		assert_int_equal(
			ask(inside, "--status", inside->mounted.point, NULL),
			0);
	} while (!says(inside, text));
}

static void who_waits_is_named_while_nothing_moves(void **state)
{
	struct inside *inside = *state;
	char path[PROC_PATH_MAX], text[PROC_PATH_MAX];
	char *argv[] = {strdup("mkdir"), path, NULL};
	pid_t pid;

	mount_it(inside);
	proc_print(path, sizeof(path),
		   "%.4000s/new\x1b"
		   "dir",
		   inside->mounted.point);
	/* What is asked at the start is answered before this is. */
	must_sh("stat -f '%s' >/dev/null", inside->mounted.point);
	proxy_freeze(&inside->proxy, true);
	pid = proc_start(argv, -1, -1, -1);
	await_saying(inside, "/new?dir\n");
	proc_print(text, sizeof(text), "  process %d  age ", (int)pid);
	assert_says(inside, text);
	proc_print(text, sizeof(text), "  path %.3900s/new?dir\n",
		   inside->mounted.served);
	assert_says(inside, text);
	assert_says(inside, "\n  messages: 1\n");
	proxy_freeze(&inside->proxy, false);
	assert_int_equal(proc_wait(pid, LIMIT_MS), 0);
	assert_int_equal(ask(inside, "--status", inside->mounted.point, NULL),
			 0);
	assert_says(inside, "\n  messages: 0\n");
	assert_false(says(inside, text));
	mounted_unmount(&inside->mounted);
	free(argv[0]);
}

/* More than there are places for: the kernel's own queue stands still. */
static void it_answers_with_a_full_queue(void **state)
{
	struct inside *inside = *state;
	pid_t pid;
	char script[2 * PROC_PATH_MAX];
	char *argv[] = {strdup("sh"), strdup("-c"), script, NULL};

	mount_it(inside);
	proxy_freeze(&inside->proxy, true);
	proc_print(script, sizeof(script),
		   "i=0; while [ $i -lt 300 ]; do [ -e '%.4000s'/$i ] & "
		   "i=$((i + 1)); done; wait",
		   inside->mounted.point);
	pid = proc_start(argv, -1, -1, -1);
	await_saying(inside, "\n  callers: 256\n");
	proxy_freeze(&inside->proxy, false);
	assert_int_equal(proc_wait(pid, LIMIT_MS), 0);
	mounted_unmount(&inside->mounted);
	free(argv[0]);
	free(argv[1]);
}

static void it_tells_of_a_lost_connection(void **state)
{
	struct inside *inside = *state;

	mount_it(inside);
	proxy_refuse(&inside->proxy, true);
	proxy_cut(&inside->proxy);
	await_saying(inside, "\n  state: ");
	while (says(inside, "\n  state: up\n"))
		await_saying(inside, "\n  state: ");
	assert_says(inside, "\n  why: ");
	await_saying(inside, "\n  next try: ");
	mounted_drop(&inside->mounted);
}

static void messages_are_logged_from_on_to_off(void **state)
{
	struct inside *inside = *state;
	const char *point = inside->mounted.point;
	size_t len;

	mount_it(inside);
	must_sh("mkdir '%s/one'", point);
	assert_int_equal(ask(inside, "--trace", point, "on"), 0);
	assert_string_equal(inside->said, "trace is on\n");
	must_sh("mkdir '%s/two'", point);
	assert_int_equal(ask(inside, "--status", point, NULL), 0);
	assert_says(inside, "\n  trace: on\n");
	assert_int_equal(ask(inside, "--trace", point, "off"), 0);
	must_sh("mkdir '%s/three'", point);
	len = file_read(inside->log, inside->said, sizeof(inside->said) - 1);
	inside->said[len] = '\0';
	assert_says(inside, " MKDIR \"");
	assert_says(inside, "/two\"");
	assert_says(inside, " STATUS 0");
	assert_false(says(inside, "/one\""));
	assert_false(says(inside, "/three\""));
	mounted_unmount(&inside->mounted);
}

static void a_mount_is_found_by_other_names(void **state)
{
	struct inside *inside = *state;
	char program[PROC_PATH_MAX];

	mount_it(inside);
	proc_mounter(program);
	must_sh("cd '%s' && ln -s point link\n"
		"'%s' --status point/ >/dev/null\n"
		"'%s' --status ./point >/dev/null\n"
		"'%s' --status ../\"${PWD##*/}\"/point >/dev/null\n"
		"'%s' --status link >/dev/null\n"
		"rm link",
		inside->mounted.dir, program, program, program, program);
	assert_int_equal(ask(inside, "--status", inside->mounted.dir, NULL), 1);
	assert_says(inside, "no file system of csftpfs is mounted there");
	mounted_unmount(&inside->mounted);
}

static void other_users_learn_nothing(void **state)
{
	struct inside *inside = *state;
	char program[PROC_PATH_MAX];

	if (geteuid() != 0)
		skip_because("only root can be another user");
	mount_it(inside);
	proc_mounter(program);
	/* The directories of tests are ours alone: that is not the point. */
	must_sh("setpriv --reuid 65534 --regid 65534 --clear-groups "
		"--inh-caps +dac_read_search --ambient-caps +dac_read_search "
		"'%s' --status '%s' >'%s/said' 2>&1 && exit 1\n"
		"grep 'Operation not permitted' '%s/said'\n"
		"! grep state '%s/said'",
		program, inside->mounted.point, inside->mounted.dir,
		inside->mounted.dir, inside->mounted.dir);
	mounted_unmount(&inside->mounted);
}

/* In KiB. */
static unsigned long memory_of(const struct inside *inside)
{
	char path[64], text[8192];
	const char *at;
	size_t len;

	proc_print(path, sizeof(path), "/proc/%d/status",
		   (int)inside->mounted.pid);
	len = file_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	at = strstr(text, "\nVmRSS:");
	assert_non_null(at);
	return strtoul(at + sizeof("\nVmRSS:") - 1, NULL, 10);
}

static void expect_small(const struct inside *inside)
{
	const struct timespec nap = {.tv_nsec = 100000000};
	int64_t until = proc_now_ms() + LIMIT_MS;

	while (memory_of(inside) > 12288) {
		if (proc_now_ms() > until)
			fail_msg("it keeps %lu KiB", memory_of(inside));
		(void)nanosleep(&nap, NULL);
	}
}

/* What it has at rest, and a while after a rush. */
static void a_mount_at_rest_is_small(void **state)
{
	struct inside *inside = *state;

#ifdef __SANITIZE_ADDRESS__
	skip_because("a sanitizer keeps memory of its own");
#endif
	must_sh("mkdir '%s/many' && cd '%s/many' && seq 30000 | xargs touch",
		inside->mounted.served, inside->mounted.served);
	mount_it(inside);
	assert_in_range(memory_of(inside), 512, 8192);
	must_sh("cd '%s' && dd if=/dev/zero of=large bs=1M count=100 && "
		"dd if=/dev/zero of=larger bs=128k count=800 && "
		"dd if=large of=/dev/null bs=1M",
		inside->mounted.point);
	expect_small(inside);
	must_sh("cd '%s' && ls -l many && rm -r many", inside->mounted.point);
	expect_small(inside);
	mounted_unmount(&inside->mounted);
}

/* The name that the process of the mount of that device is asked by. */
static int take_name(dev_t device)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
			   "csftpfs/%u:%u", major(device), minor(device));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&name,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				 (size_t)len)),
		0);
	return fd;
}

static dev_t device_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_dev;
}

/* Its process may still write what it had, without a way to be asked for. */
static void a_mount_can_have_the_device_of_one_that_has_gone(void **state)
{
	struct inside *inside = *state;
	const char *point = inside->mounted.point;
	dev_t device;
	int fd;

	mount_it(inside);
	device = device_of(point);
	mounted_unmount(&inside->mounted);
	fd = take_name(device);
	mount_it(inside);
	if (device_of(point) != device) {
		close(fd);
		print_message("# skip: somebody else has got the device\n");
		skip();
	}
	assert_int_equal(ask(inside, "--status", point, NULL), 1);
	close(fd);
	for (int i = 0; i < 2000; i++) {
		if (ask(inside, "--status", point, NULL) == 0)
			break;
	}
	assert_says(inside, "\n  state: up\n");
	mounted_unmount(&inside->mounted);
}

#define STATUS_TEST(claim) cmocka_unit_test_setup_teardown(claim, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATUS_TEST(it_counts_what_is_asked_and_what_is_sent),
		STATUS_TEST(json_is_for_programs),
		STATUS_TEST(who_waits_is_named_while_nothing_moves),
		STATUS_TEST(it_answers_with_a_full_queue),
		STATUS_TEST(it_tells_of_a_lost_connection),
		STATUS_TEST(messages_are_logged_from_on_to_off),
		STATUS_TEST(a_mount_is_found_by_other_names),
		STATUS_TEST(other_users_learn_nothing),
		STATUS_TEST(a_mount_can_have_the_device_of_one_that_has_gone),
		STATUS_TEST(a_mount_at_rest_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
