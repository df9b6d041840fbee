/* The audit trail and the log: what a line is, and where it goes. */
#include "server/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "server/json.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

struct place {
	char dir[PROC_PATH_MAX];
	char file[PROC_PATH_MAX + 16];
	char socket[PROC_PATH_MAX + 16];
	int server; /* the syslogd that is played */
	struct log log;
	struct audit *audit;
	char text[100000];
};

static int play_syslogd(struct place *place)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(strlen(place->socket) < sizeof(at.sun_path));
	memcpy(at.sun_path, place->socket, strlen(place->socket) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct log_config config = {.level = LEVEL_DEBUG3,
				    .facility = LOG_LOCAL2};

	assert_non_null(place);
	scratch_make(place->dir);
	proc_print(place->file, sizeof(place->file), "%s/audit", place->dir);
	proc_print(place->socket, sizeof(place->socket), "%s/log", place->dir);
	config.socket = place->socket;
	place->server = play_syslogd(place);
	log_open(&place->log, &config);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	audit_close(place->audit);
	log_close(&place->log);
	close(place->server);
	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* The next line that came to the syslogd; NULL where none has. */
static const char *next_line(struct place *place)
{
	ssize_t got =
		recv(place->server, place->text, sizeof(place->text) - 1, 0);

	if (got < 0)
		return NULL;
	place->text[got] = '\0';
	return place->text;
}

static enum csftp_err trail(struct place *place, const char *target)
{
	struct audit_config config = {
		.target = target,
		.log = &place->log,
		.user = "me",
		.peer = "192.0.2.1",
		.session = 0xabc,
	};

	return audit_open(&place->audit, &config);
}

static void tell(struct place *place, enum csftp_op op, const char *path,
		 int err)
{
	struct csftp_req req = {.op = op, .path = path};
	struct csftp_reply reply = {.err = err};

	audit_event(place->audit, &(struct watch_event){.req = &req,
							.reply = &reply,
							.path = path,
							.start_us = 5,
							.end_us = 12});
}

/* All of the file, as text. */
static const char *trail_text(struct place *place)
{
	size_t len =
		file_read(place->file, place->text, sizeof(place->text) - 1);

	place->text[len] = '\0';
	return place->text;
}

static void an_operation_is_one_line_with_all_its_members(void **state)
{
	struct place *place = *state;
	const char *text;

	assert_int_equal(trail(place, place->file), CSFTP_OK);
	tell(place, CSFTP_OP_UNLINK, "/a \"b\"", ENOENT);
	text = trail_text(place);
	assert_memory_equal(text, "{\"time\":\"2", 10);
	assert_non_null(strstr(
		text, "Z\",\"session\":\"0000000000000abc\",\"user\":\"me\","
		      "\"peer\":\"192.0.2.1\",\"op\":\"remove\","
		      "\"path\":\"/a \\\"b\\\"\",\"error\":\"ENOENT\","
		      "\"us\":7}\n"));
	tell(place, CSFTP_OP_RMDIR, "/d", 0);
	text = strchr(trail_text(place), '\n') + 1;
	assert_non_null(strstr(text, "\"op\":\"rmdir\""));
	assert_non_null(strstr(text, "\"error\":null"));
}

static void the_trail_is_appended_to_and_private(void **state)
{
	struct place *place = *state;
	struct stat st;

	umask(0);
	assert_int_equal(trail(place, place->file), CSFTP_OK);
	umask(022);
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	file_write(place->file, "before\n", 7);
	tell(place, CSFTP_OP_UNLINK, "/x", 0);
	assert_memory_equal(trail_text(place), "before\n{", 8);
}

static void names_that_are_no_utf8_lose_nothing(void **state)
{
	struct place *place = *state;

	assert_int_equal(trail(place, place->file), CSFTP_OK);
	tell(place, CSFTP_OP_UNLINK, "/\xff\n\xc3\xa4", 0);
	assert_non_null(strstr(trail_text(place),
			       "\"path\":\"/\\ufffd\\u000a\xc3\xa4\","
			       "\"path_hex\":\"2fff0ac3a4\""));
}

static void json_says(const char *text, const char *expect)
{
	char room[512];
	struct json json = {.buf = room, .cap = sizeof(room)};

	json_begin(&json);
	json_bytes(&json, "n", text);
	json_end(&json);
	assert_false(json.full);
	room[json.len] = '\0';
	assert_string_equal(room, expect);
}

static void strings_are_json_whatever_the_bytes(void **state)
{
	(void)state;
	json_says("", "{\"n\":\"\"}\n");
	json_says("a\\b", "{\"n\":\"a\\\\b\"}\n");
	json_says("\x7f\xc2\x85", "{\"n\":\"\\u007f\\u0085\"}\n");
	/* Marks that turn the text around, or hide in it. */
	json_says("\xe2\x80\xae", "{\"n\":\"\\u202e\"}\n");
	json_says("\xf0\x9f\x98\x80", "{\"n\":\"\xf0\x9f\x98\x80\"}\n");
	/* RFC 3629: overlong, a surrogate, above the last, cut off. */
	json_says("\xc0\xaf",
		  "{\"n\":\"\\ufffd\\ufffd\",\"n_hex\":\"c0af\"}\n");
	json_says("\xed\xa0\x80", "{\"n\":\"\\ufffd\\ufffd\\ufffd\","
				  "\"n_hex\":\"eda080\"}\n");
	json_says("\xf4\x90\x80\x80", "{\"n\":\"\\ufffd\\ufffd\\ufffd\\ufffd\","
				      "\"n_hex\":\"f4908080\"}\n");
	json_says("\xe2\x82",
		  "{\"n\":\"\\ufffd\\ufffd\",\"n_hex\":\"e282\"}\n");
}

static void the_longest_paths_fit(void **state)
{
	struct place *place = *state;
	struct csftp_req req = {.op = CSFTP_OP_RENAME};
	struct csftp_reply reply = {0};
	struct watch_event event = {.req = &req, .reply = &reply};
	static char path[CSFTP_PATH_MAX + 1];
	size_t len;

	memset(path, 0xff, CSFTP_PATH_MAX);
	event.path = path;
	event.path2 = path;
	assert_int_equal(trail(place, place->file), CSFTP_OK);
	audit_event(place->audit, &event);
	len = strlen(trail_text(place));
	assert_true(len > (size_t)4 * 4095 * 4 - 100);
	assert_string_equal(place->text + len - 2, "}\n");
}

/* No file may become longer than so many bytes; SIGXFSZ is ignored. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_stops_all_until_it_is_not(void **state)
{
	struct place *place = *state;
	const char *text;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(trail(place, place->file), CSFTP_OK);
	tell(place, CSFTP_OP_UNLINK, "/first", 0);
	assert_int_equal(audit_admit(place->audit), 0);
	limit_files(strlen(trail_text(place)) + 20); /* half of a line */
	tell(place, CSFTP_OP_UNLINK, "/second", 0);
	assert_int_equal(audit_admit(place->audit), EIO);
	tell(place, CSFTP_OP_CLOSE, NULL, 0);
	tell(place, CSFTP_OP_UNLINK, "/refused", EIO);
	assert_int_equal(audit_admit(place->audit), EIO);
	limit_files(RLIM_INFINITY);
	assert_int_equal(audit_admit(place->audit), 0);
	tell(place, CSFTP_OP_UNLINK, "/third", 0);
	text = trail_text(place);
	/* The half stands alone, the whole follows on a line of its own. */
	text = strchr(text, '\n') + 1;
	assert_int_equal(strcspn(text, "\n"), 20);
	text = strchr(text, '\n') + 1;
	assert_memory_equal(text, "{\"time\"", 7);
	assert_non_null(strstr(text, "\"/second\""));
	text = strchr(text, '\n') + 1;
	assert_memory_equal(text, "{\"lost\":2,\"time\"", 16);
	assert_non_null(strstr(text, "\"/third\""));
	assert_null(strstr(text, "\"/refused\""));
	/* It was said once. */
	assert_non_null(strstr(next_line(place), "audit: cannot write"));
	assert_null(next_line(place));
}

static void a_descriptor_must_be_one_to_write_to(void **state)
{
	struct place *place = *state;
	char target[32];
	int fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int reading = open(place->file, O_RDONLY | O_CLOEXEC);

	assert_true(fd > 2 && reading > 2);
	assert_int_equal(trail(place, "fd:9999"), CSFTP_ERR_IO);
	assert_int_equal(trail(place, "fd:1"), CSFTP_ERR_IO);
	assert_int_equal(trail(place, "fd:"), CSFTP_ERR_IO);
	assert_int_equal(trail(place, "fd:3x"), CSFTP_ERR_IO);
	snprintf(target, sizeof(target), "fd:%d", reading);
	assert_int_equal(trail(place, target), CSFTP_ERR_IO);
	snprintf(target, sizeof(target), "fd:%d", fd);
	assert_int_equal(trail(place, target), CSFTP_OK);
	file_write(place->file, "before\n", 7);
	tell(place, CSFTP_OP_UNLINK, "/x", 0);
	assert_memory_equal(trail_text(place), "before\n{", 8);
	audit_close(place->audit);
	place->audit = NULL;
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close(reading);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
	struct place *place = *state;

	assert_int_equal(trail(place, ""), CSFTP_ERR_ARG);
	assert_int_equal(trail(place, "/nowhere/at/all"), CSFTP_ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(trail(place, place->dir), CSFTP_ERR_IO);
	assert_int_equal(errno, EISDIR);
}

static void syslog_takes_the_trail(void **state)
{
	struct place *place = *state;
	const char *text;

	assert_int_equal(trail(place, "syslog"), CSFTP_OK);
	assert_int_equal(audit_session(place->audit, "session-open"), 0);
	text = next_line(place);
	assert_non_null(text);
	assert_int_equal(strtol(text + 1, NULL, 10), LOG_LOCAL2 | LOG_INFO);
	assert_non_null(strstr(text, ": {\"time\""));
	assert_non_null(strstr(text, "\"op\":\"session-open\"}"));
}

static void the_log_speaks_syslog(void **state)
{
	struct place *place = *state;
	char expect[64];
	const char *text;

	log_say(&place->log, LEVEL_ERROR, "it %s", "broke");
	text = next_line(place);
	assert_non_null(text);
	assert_int_equal(strtol(text + 1, NULL, 10), LOG_LOCAL2 | LOG_ERR);
	snprintf(expect, sizeof(expect), " csftp-server[%ld]: error: it broke",
		 (long)getpid());
	assert_non_null(strstr(text, expect));
	log_say(&place->log, LEVEL_INFO, "new\nline \x1b[2J \xff");
	assert_non_null(
		strstr(next_line(place), ": new\\nline \\033[2J \\377"));
	log_say(&place->log, LEVEL_DEBUG2, "deep");
	text = next_line(place);
	assert_int_equal(strtol(text + 1, NULL, 10), LOG_LOCAL2 | LOG_DEBUG);
	assert_non_null(strstr(text, ": debug2: deep"));
}

static void a_syslogd_that_was_restarted_is_found_again(void **state)
{
	struct place *place = *state;

	close(place->server);
	assert_int_equal(unlink(place->socket), 0);
	log_say(&place->log, LEVEL_INFO, "lost");
	place->server = play_syslogd(place);
	log_say(&place->log, LEVEL_INFO, "found");
	assert_non_null(strstr(next_line(place), ": found"));
	assert_null(next_line(place));
}

/* How many lines have come, all of which it reads now. */
static unsigned long read_lines(struct place *place)
{
	unsigned long count = 0;

	while (next_line(place))
		count++;
	return count;
}

static void a_syslogd_that_does_not_read_holds_up_nobody(void **state)
{
	enum { LINES = 20000 };
	struct place *place = *state;
	char expected[64];

	for (unsigned n = 0; n < LINES; n++)
		log_say(&place->log, LEVEL_INFO, "line");
	proc_print(expected, sizeof(expected),
		   ": error: %lu lines of the log were lost",
		   LINES - read_lines(place));
	log_say(&place->log, LEVEL_INFO, "it reads");
	assert_non_null(strstr(next_line(place), expected));
	assert_non_null(strstr(next_line(place), ": it reads"));
	log_say(&place->log, LEVEL_INFO, "and goes on");
	assert_non_null(strstr(next_line(place), ": and goes on"));
	assert_null(next_line(place));
}

/* A line of a trail is never lost: until it is taken nothing is done. */
static void a_trail_waits_for_a_syslogd_that_does_not_read(void **state)
{
	struct place *place = *state;

	assert_int_equal(trail(place, "syslog"), CSFTP_OK);
	for (unsigned n = 0; audit_admit(place->audit) == 0; n++) {
		assert_true(n < 100000);
		tell(place, CSFTP_OP_RMDIR, "/d", 0);
	}
	assert_int_equal(audit_admit(place->audit), EIO);
	assert_true(read_lines(place) > 0);
	assert_int_equal(audit_admit(place->audit), 0);
	assert_non_null(strstr(next_line(place), "\"op\":\"rmdir\""));
}

static void a_level_keeps_what_is_below_it_quiet(void **state)
{
	struct place *place = *state;

	place->log.config.level = LEVEL_INFO;
	log_say(&place->log, LEVEL_VERBOSE, "no");
	assert_null(next_line(place));
	log_say(&place->log, LEVEL_INFO, "yes");
	assert_non_null(next_line(place));
	place->log.config.level = LEVEL_QUIET;
	log_say(&place->log, LEVEL_FATAL, "no");
	log_say(&place->log, LEVEL_QUIET, "no");
	assert_null(next_line(place));
}

static void long_lines_are_cut_and_say_so(void **state)
{
	struct place *place = *state;
	static char text[3 * LOG_LINE_MAX];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	log_say(&place->log, LEVEL_INFO, "%s", text);
	line = next_line(place);
	assert_true(strlen(line) < LOG_LINE_MAX + 100);
	assert_string_equal(line + strlen(line) - 4, "x...");
	memset(text, '\n', sizeof(text) - 1);
	log_say(&place->log, LEVEL_INFO, "%s", text);
	line = next_line(place);
	assert_string_equal(line + strlen(line) - 5, "\\n...");
}

static void names_are_quoted_without_doubt(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_quote(out, sizeof(out), "a b"), "a b");
	assert_string_equal(log_quote(out, sizeof(out), "\\\"\t\n"),
			    "\\\\\\\"\\t\\n");
	assert_string_equal(log_quote(out, sizeof(out), "\xc3\x01"),
			    "\\303\\001");
	assert_string_equal(log_quote(out, 5, "\x01\x02"), "\\001");
	assert_string_equal(log_quote(out, 4, "\x01\x02"), "");
}

#define IN_PLACE(claim)                                                        \
	cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		IN_PLACE(an_operation_is_one_line_with_all_its_members),
		IN_PLACE(the_trail_is_appended_to_and_private),
		IN_PLACE(names_that_are_no_utf8_lose_nothing),
		IN_PLACE(strings_are_json_whatever_the_bytes),
		IN_PLACE(the_longest_paths_fit),
		IN_PLACE(a_full_disk_stops_all_until_it_is_not),
		IN_PLACE(a_descriptor_must_be_one_to_write_to),
		IN_PLACE(what_cannot_be_opened_is_an_error),
		IN_PLACE(syslog_takes_the_trail),
		IN_PLACE(the_log_speaks_syslog),
		IN_PLACE(a_syslogd_that_was_restarted_is_found_again),
		IN_PLACE(a_syslogd_that_does_not_read_holds_up_nobody),
		IN_PLACE(a_trail_waits_for_a_syslogd_that_does_not_read),
		IN_PLACE(a_level_keeps_what_is_below_it_quiet),
		IN_PLACE(long_lines_are_cut_and_say_so),
		IN_PLACE(names_are_quoted_without_doubt),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
