/* Mounts of servers that lie: they show what is true, or an error. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/liar.h"
#include "tests/lib/mounted.h"
#include "tests/lib/proxy_run.h"
#include "tests/lib/test.h"

#define LIMIT_MS   20000
#define SAID_MAX   65536
#define SCRIPT_MAX 8192

struct place {
	char dir[PROC_PATH_MAX];
	char point[PROC_PATH_MAX];
	char honest[PROC_PATH_MAX];
	char out[PROC_PATH_MAX];
	char said[SAID_MAX];
};

/* What the server has when it is honest. */
static void make_honest(const struct place *place)
{
	static uint8_t large[LIAR_LARGE];
	char path[PROC_PATH_MAX];

	for (size_t i = 0; i < LIAR_LARGE; i++)
		large[i] = liar_byte(i);
	proc_print(path, sizeof(path), "%.4000s/large", place->honest);
	file_write(path, large, sizeof(large));
	proc_print(path, sizeof(path), "%.4000s/file", place->honest);
	file_write(path, "text\n", 5);
}

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	scratch_make(place->dir);
	proc_print(place->point, PROC_PATH_MAX, "%.4000s/point", place->dir);
	proc_print(place->honest, PROC_PATH_MAX, "%.4000s/honest", place->dir);
	proc_print(place->out, PROC_PATH_MAX, "%.4000s/out", place->dir);
	assert_int_equal(mkdir(place->point, 0755), 0);
	assert_int_equal(mkdir(place->honest, 0755), 0);
	assert_int_equal(mkdir(place->out, 0755), 0);
	make_honest(place);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* Starts the mount program in the foreground. */
static struct mounted start_mount(const struct place *place, int port)
{
	struct mounted mounted = {.transport = DIRECT_CSFTP};
	const char *const append[] = {"-f", "-o", "on_disconnect=fail", NULL};
	char log[PROC_PATH_MAX];
	char **argv;
	int err;

	mounted.direct.port = port;
	proc_print(mounted.point, PROC_PATH_MAX, "%s", place->point);
	proc_print(log, sizeof(log), "%.4000s/log", place->dir);
	err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(err >= 0);
	argv = mounted_argv(&mounted, "/", mounted.point, append);
	mounted.pid = proc_start(argv, -1, -1, err);
	mounted_argv_free(argv);
	close(err);
	return mounted;
}

/* A script that hangs has been left waiting. */
static int run_script(struct place *place, const char *script)
{
	char text[SCRIPT_MAX];
	char shell[] = "sh", flag[] = "-exc";
	char *argv[] = {shell, flag, text, NULL};

	proc_print(
		text, sizeof(text),
		"fails() { if \"$@\"; then echo \"it did: $*\"; exit 9; fi; }\n"
		"cd '%.2000s'\nhonest='%.2000s'\nout='%.2000s'\n%s",
		place->point, place->honest, place->out, script);
	return proc_capture(argv, LIMIT_MS, place->said, sizeof(place->said));
}

/* Ends by itself, by no signal: a loss may be its exit status. */
static const char *unmount(struct mounted *mounted)
{
	int status;

	proc_sh(0, "fusermount3 -u '%s'", mounted->point);
	status = proc_wait(mounted->pid, LIMIT_MS);
	if (status == -1) {
		mounted_drop(mounted);
		return "the mount program does not end";
	}
	mounted->pid = 0;
	return WIFEXITED(status) ? NULL : "a signal ended the mount program";
}

static const char *check_mounted(struct place *place, const struct lie *lie,
				 int port)
{
	/* Whatever it said, these have to be as they are, or to fail. */
	static const char always[] =
		"\nls -A >\"$out/names\" || :\nfails grep -xE 'evil|passwd' "
		"\"$out/names\"\n"
		"timeout 5 cat file >\"$out/f\" 2>\"$out/err\" && "
		"cmp \"$out/f\" \"$honest/file\" || :\n"
		"test ! -e ../evil\ntest ! -e d/evil\n";
	struct mounted mounted = start_mount(place, port);
	char script[SCRIPT_MAX];
	const char *why;
	int status;

	mounted_await(&mounted);
	status = run_script(place, lie->script);
	if (status == 0 && !strstr(lie->name, "without end")) {
		proc_print(script, sizeof(script), "%s", always);
		status = run_script(place, script);
	}
	why = unmount(&mounted);
	return status != 0 ? place->said : why;
}

static const char *check_refused(const struct place *place, int port)
{
	struct mounted mounted = start_mount(place, port);
	int status = proc_wait(mounted.pid, LIMIT_MS);

	if (status == -1) {
		mounted_drop(&mounted);
		return "the mount program waits";
	}
	if (!WIFEXITED(status))
		return "a signal ended the mount program";
	return WEXITSTATUS(status) == 1 ? NULL : "it was mounted";
}

static void a_lie_is_an_error_and_nothing_more(void **state)
{
	struct place *place = *state;
	unsigned wrong = 0;

	for (size_t i = 0; i < lies_count; i++) {
		int port, listener = proxy_listen(&port);
		pid_t liar = liar_start(&lies[i], listener);
		const char *only = getenv("CSFTP_TEST_LIE");
		const char *why;

		if (only && strcmp(only, lies[i].name) != 0) {
			proc_stop(liar);
			close(listener);
			continue;
		}
		assert_true(listener >= 0);
		why = lies[i].script ? check_mounted(place, &lies[i], port)
				     : check_refused(place, port);
		if (why)
			print_message("# %s: %s\n", lies[i].name, why);
		wrong += why != NULL;
		proc_stop(liar);
		close(listener);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_lie_is_an_error_and_nothing_more, make_place,
			remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
