/* The control socket by itself: who asks has an answer, and all of it. */
#include "server/csftpd/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

enum { ROWS = 100000, TEXT_MAX = 8 << 20 };

struct desk {
	char dir[PROC_PATH_MAX];
	char path[PROC_PATH_MAX + 16];
	uv_loop_t loop;
	uv_async_t answered;
	struct control control;
	const char *request;
	char *text;
	size_t len;
};

static void add_row(struct report *report)
{
	report_row(report);
	report_word(report, "a", "b");
	report_number(report, "number", 1234567890123456789);
}

static const char *command(void *arg, const char *name, const char *argument,
			   struct report *report)
{
	(void)arg;
	(void)argument;
	report_begin(report, REPORT_TABLE);
	for (unsigned n = 0; strcmp(name, "many") == 0 && n < ROWS; n++)
		add_row(report);
	while (strcmp(name, "endless") == 0 && !report->cut)
		add_row(report);
	report_end(report);
	return NULL;
}

static void on_answered(uv_async_t *async)
{
	uv_stop(async->loop);
}

static int make(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct control_config config = {.command = command};

	assert_non_null(desk);
	scratch_make(desk->dir);
	proc_print(desk->path, sizeof(desk->path), "%s/control", desk->dir);
	config.path = desk->path;
	desk->text = malloc(TEXT_MAX);
	assert_non_null(desk->text);
	assert_int_equal(uv_loop_init(&desk->loop), 0);
	assert_int_equal(
		uv_async_init(&desk->loop, &desk->answered, on_answered), 0);
	assert_int_equal(control_open(&desk->control, &desk->loop, &config), 0);
	*state = desk;
	return 0;
}

static int drop(void **state)
{
	struct desk *desk = *state;

	control_close(&desk->control);
	uv_close((uv_handle_t *)&desk->answered, NULL);
	(void)uv_run(&desk->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&desk->loop), 0);
	scratch_remove(desk->dir);
	free(desk->text);
	free(desk);
	return 0;
}

/* The client, in a thread; what went wrong is an empty answer. */
static void *talk(void *arg)
{
	struct desk *desk = arg;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t got = 0;

	desk->len = 0;
	memcpy(at.sun_path, desk->path,
	       strnlen(desk->path, sizeof(at.sun_path) - 1));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    send(fd, desk->request, strlen(desk->request), MSG_NOSIGNAL) > 0)
		do {
			got = read(fd, desk->text + desk->len,
				   TEXT_MAX - 1 - desk->len);
			desk->len += got > 0 ? (size_t)got : 0;
		} while (got > 0);
	desk->text[desk->len] = '\0';
	close(fd);
	(void)uv_async_send(&desk->answered);
	return NULL;
}

static const char *ask(struct desk *desk, const char *request)
{
	pthread_t thread;

	desk->request = request;
	assert_int_equal(pthread_create(&thread, NULL, talk, desk), 0);
	(void)uv_run(&desk->loop, UV_RUN_DEFAULT);
	pthread_join(thread, NULL);
	return desk->text;
}

static size_t lines_of(const char *text)
{
	size_t count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

static void a_long_answer_is_all_of_it(void **state)
{
	struct desk *desk = *state;
	const char *text = ask(desk, "many\n");

	assert_memory_equal(text, "0\n", 2);
	assert_int_equal(lines_of(text), 1 + ROWS);
	text = ask(desk, "many --json\n");
	assert_memory_equal(text, "0\n[{", 4);
	assert_string_equal(text + desk->len - 3, "}]\n");
}

static void what_is_too_long_says_so(void **state)
{
	assert_string_equal(ask(*state, "endless\n"),
			    "1\nthere is more than can be told\n");
}

static void what_is_short_is_an_answer_too(void **state)
{
	assert_string_equal(ask(*state, "none\n"), "0\n");
	assert_string_equal(ask(*state, "none --json\n"), "0\n[]\n");
	assert_memory_equal(ask(*state, "none --yaml\n"), "1\n", 2);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test_setup_teardown(a_long_answer_is_all_of_it,
						make, drop),
		cmocka_unit_test_setup_teardown(what_is_too_long_says_so, make,
						drop),
		cmocka_unit_test_setup_teardown(what_is_short_is_an_answer_too,
						make, drop),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
