/* Built-in commands: what they print, and how they wait. */
#include "server/exec/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/exec/exec_impl.h"
#include "tests/lib/command.h"
#include "tests/lib/test.h"

#define MD5_EMPTY "d41d8cd98f00b204e9800998ecf8427e"
#define MD5_ABC	  "900150983cd24fb0d6963f7d28e17f72"
#define SHA1_ABC  "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256_ABC                                                             \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void echo_says_its_words(void **state)
{
	struct command_world *world = *state;

	command_says(world, "echo", 0, "\n", "");
	command_says(world, "echo a  'b  c' \"d\"", 0, "a b  c d\n", "");
	command_says(world, "echo -n a -n", 0, "a -n", "");
	command_says(world, "echo '*' \\~ a\\\\b", 0, "* ~ a\\b\n", "");
	/* What rclone asks to learn which shell there is. */
	command_says(world, "echo ${ShellId}%ComSpec%", 0,
		     "${ShellId}%ComSpec%\n", "");
}

static void what_there_is_not_is_said(void **state)
{
	static const char there[] = ": no such command; there are scp md5sum "
				    "sha1sum sha256sum df echo\n";
	static const char *const commands[] = {"ls", "md5", "/bin/echo", "Echo",
					       "rclone"};
	struct command_world *world = *state;
	char err[256];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		(void)snprintf(err, sizeof(err), "csftpd: %s%s", commands[i],
			       there);
		command_says(world, commands[i], 127, "", err);
	}
	command_says(world, "", 0, "", "");
}

static void what_only_a_shell_can_do_is_refused(void **state)
{
	static const char err[] =
		"csftpd: there is no shell here; quote what is special to "
		"one\n";
	struct command_world *world = *state;

	command_says(world, "echo a; echo b", 2, "", err);
	command_says(world, "echo a > b", 2, "", err);
	command_says(world, "md5sum < b", 2, "", err);
	command_says(world, "echo `date`", 2, "", err);
	command_says(world, "echo 'a", 2, "",
		     "csftpd: quotes that do not end\n");
}

static void words_that_are_no_paths_are_refused(void **state)
{
	struct command_world *world = *state;
	char *command = malloc(2 * EXEC_WORDS_MAX);

	assert_non_null(command);
	memset(command, 'x', 2 * EXEC_WORDS_MAX);
	memcpy(command, "echo ", 5);
	command[5 + CSFTP_PATH_MAX] = '\0';
	command_run(world, command, "", 0);
	assert_int_equal(world->status, 0);
	assert_int_equal(world->out_len, CSFTP_PATH_MAX + 1);
	command[5 + CSFTP_PATH_MAX] = 'x';
	command[6 + CSFTP_PATH_MAX] = '\0';
	command_says(world, command, 2, "", "csftpd: a word is too long\n");
	for (size_t i = 5; i < 2 * EXEC_WORDS_MAX; i++)
		command[i] = i % 2 ? 'x' : ' ';
	command[2 * EXEC_WORDS_MAX - 1] = '\0';
	command_says(world, command, 2, "", "csftpd: too long\n");
	free(command);
}

static void sums_are_those_of_coreutils(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/abc", "abc");
	command_put(world, "/empty", "");
	command_says(world, "md5sum abc /abc", 0,
		     MD5_ABC "  abc\n" MD5_ABC "  /abc\n", "");
	command_says(world, "sha1sum abc", 0, SHA1_ABC "  abc\n", "");
	command_says(world, "sha256sum abc", 0, SHA256_ABC "  abc\n", "");
	command_says(world, "md5sum empty", 0, MD5_EMPTY "  empty\n", "");
	command_says(world, "md5sum -b -- abc", 0, MD5_ABC " *abc\n", "");
}

static void sums_can_be_of_standard_input(void **state)
{
	struct command_world *world = *state;

	command_says(world, "md5sum", 0, MD5_EMPTY "  -\n", "");
	command_run(world, "sha256sum", "abc", 3);
	assert_string_equal(world->out, SHA256_ABC "  -\n");
	command_put(world, "/abc", "abc");
	command_run(world, "md5sum abc - -", "abc", 3);
	assert_string_equal(world->out, MD5_ABC "  abc\n" MD5_ABC
						"  -\n" MD5_EMPTY "  -\n");
	/* Before its end there is no sum. */
	world->keep_open = true;
	command_run(world, "md5sum", "abc", 3);
	assert_false(world->ended);
	assert_string_equal(world->out, "");
}

static void names_that_break_lines_are_quoted_in_sums(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/a\nb\\c\rd", "abc");
	command_says(world, "md5sum 'a\nb\\c\rd'", 0,
		     "\\" MD5_ABC "  a\\nb\\\\c\\rd\n", "");
}

static void sums_go_on_after_what_cannot_be_read(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/abc", "abc");
	assert_int_equal(fs_mkdir(&world->caller, "/dir"), 0);
	command_says(world, "md5sum gone dir abc", 1, MD5_ABC "  abc\n",
		     "md5sum: gone: No such file or directory\n"
		     "md5sum: dir: Is a directory\n");
	command_says(world, "md5sum -c abc", 1, "",
		     "md5sum: there is no option -c here, only -b and -t\n");
	world->config.denied = command_bit("read");
	command_says(world, "md5sum abc", 1, "",
		     "md5sum: abc: Permission denied\n");
	world->config.denied = command_bit("open");
	command_says(world, "md5sum abc", 1, "",
		     "md5sum: abc: Permission denied\n");
}

static void keep_refusal(void *arg, const struct csftp_refusal *refusal)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)snprintf(text + len, 256 - len, "%s %.*s%s\n", refusal->name,
		       (int)refusal->path.len, (const char *)refusal->path.ptr,
		       refusal->fh ? "handle" : "");
}

/* As of SFTP: the log and the trail hear of it. */
static void what_the_policy_refuses_is_told(void **state)
{
	static const struct {
		const char *denied;
		const char *command;
		const char *told;
	} cases[] = {
		{"open", "md5sum abc", "open abc\n"},
		{"read", "md5sum abc", "read handle\n"},
		{"stat", "md5sum abc", "stat abc\n"},
		{"opendir", "md5sum ab*", "opendir \n"},
		{"readdir", "md5sum ab*", "readdir handle\n"},
		{"statvfs", "df abc", "statvfs abc\n"},
		{"expand-path", "md5sum ~/abc", "expand-path ~\n"},
		{"mkdir", "scp -r -t new", "mkdir new\n"},
		{"setstat", "scp -r -p -t new", "setstat new\n"},
		{"write", "scp -t new", "write handle\n"},
		{"fsetstat", "scp -p -t new", "fsetstat handle\n"},
		{"fstat", "scp -f abc", "fstat handle\n"},
	};
	struct command_world *world = *state;
	char told[256];

	command_put(world, "/abc", "abc");
	world->config.refused = keep_refusal;
	world->config.refused_arg = told;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *in = strstr(cases[i].command, " -f ") ? "\0\0\0"
				 : strstr(cases[i].command, " -r ")
					 ? "D0755 0 x\nE\n"
					 : "C0644 1 x\nx\0";

		told[0] = '\0';
		world->config.denied = command_bit(cases[i].denied);
		command_run(world, cases[i].command, in, *in ? 12 : 3);
		assert_string_equal(told, cases[i].told);
		assert_int_equal(world->status, 1);
	}
	world->config.denied = 0;
	world->config.read_only = true;
	told[0] = '\0';
	command_run(world, "scp -t abc", "C0644 0 x\n", 10);
	assert_string_equal(told, "open abc\n");
}

static void sums_of_large_files_are_taken_in_pieces(void **state)
{
	/* Of a million times "a": a vector of the SHA standards. */
	static const char expected[] =
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112c"
		"d0  -\n";
	struct command_world *world = *state;
	char *text = malloc(1000000);

	assert_non_null(text);
	memset(text, 'a', 1000000);
	assert_int_equal(fs_put(&world->caller, "/a", text, 1000000), 0);
	command_run(world, "sha256sum", text, 1000000);
	assert_string_equal(world->out, expected);
	world->answers_later = true;
	world->tap.read_part = 777;
	command_run(world, "sha256sum a", "", 0);
	assert_memory_equal(world->out, expected, 64);
	assert_string_equal(world->out + 64, "  a\n");
	free(text);
}

static void patterns_are_names_that_are_there(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/a.c", "abc");
	command_put(world, "/b.c", "");
	command_put(world, "/b.h", "");
	command_put(world, "/.c", "");
	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	command_put(world, "/d/*", "abc");
	command_put(world, "/d/x", "");
	command_says(world, "md5sum *.c", 0,
		     MD5_ABC "  a.c\n" MD5_EMPTY "  b.c\n", "");
	command_says(world, "md5sum /?.[!c]", 0, MD5_EMPTY "  /b.h\n", "");
	command_says(world, "md5sum d/'*' d/\\*", 0,
		     MD5_ABC "  d/*\n" MD5_ABC "  d/*\n", "");
	command_says(world, "md5sum .[c]", 0, MD5_EMPTY "  .c\n", "");
	/* What is in none of them is itself. */
	command_says(world, "md5sum z*", 1, "",
		     "md5sum: z*: No such file or directory\n");
	command_says(world, "md5sum no/*", 1, "",
		     "md5sum: no/*: No such file or directory\n");
	command_says(world, "md5sum */x", 1, "",
		     "md5sum: */x: No such file or directory\n");
}

static void a_tilde_is_a_home(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/a.c", "abc");
	command_put(world, "/~", "");
	command_says(world, "md5sum ~/a.c", 0, MD5_ABC "  //a.c\n", "");
	command_says(world, "md5sum ~/*.c", 0, MD5_ABC "  //a.c\n", "");
	command_says(world, "md5sum '~' \\~", 0,
		     MD5_EMPTY "  ~\n" MD5_EMPTY "  ~\n", "");
	command_says(world, "md5sum ~nobody/x", 1, "",
		     "md5sum: ~nobody/x: No such file or directory\n");
}

static void names_match_as_a_shell_has_it(void **state)
{
	static const struct {
		const char *name;
		const char *pattern;
		bool match;
	} rows[] = {
		{"abc", "abc", true},
		{"abc", "ab", false},
		{"ab", "abc", false},
		{"abc", "*", true},
		{"abc", "a*c", true},
		{"abc", "a*b", false},
		{".abc", "*", false},
		{".abc", ".*", true},
		{"abc", "?bc", true},
		{".bc", "?bc", false},
		{"abc", "[a-c]bc", true},
		{"dbc", "[a-c]bc", false},
		{"dbc", "[!a-c]bc", true},
		{"dbc", "[^a-c]bc", true},
		{"]bc", "[]]bc", true},
		{"-bc", "[a-]bc", true},
		{"[bc", "[bc", true},
		{"a[b", "*[b", true},
		{"a[[b", "a[[b", true},
		{"a[bc", "*[!]]*[b*", true},
		{"x[[b", "[xy][[b", true},
		{"x[]b", "*[[]*[b", false},
		{"x[][b", "*[[]*[b", true},
		{"abc", "[bc", false},
		{"*", "\\*", true},
		{"a", "\\*", false},
		{"[a]", "\\[a\\]", true},
		{"a", "[\\a]", true},
		{"\\", "\\\\", true},
		{"aXbXXc", "a*b*c", true},
		{"aXbXXd", "a*b*c", false},
		{"", "*", true},
		{"", "", true},
		{"", "?", false},
		{"b", "[a", false},
		{"[a", "[a", true},
		{"\xff", "[\x80-\xff]", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (exec_match(rows[i].name, rows[i].pattern) != rows[i].match)
			fail_msg("%s %s", rows[i].name, rows[i].pattern);
}

/* Whoever writes the pattern has named the files, perhaps. */
static void a_hostile_pattern_is_soon_done_with(void **state)
{
	enum { NAMES = 2000 };
	char name[CSFTP_NAME_MAX + 1], pattern[CSFTP_PATH_MAX + 1];

	(void)state;
	memset(name, '[', sizeof(name));
	memcpy(name + CSFTP_NAME_MAX - 1, "x", 2);
	memset(pattern, '[', sizeof(pattern));
	pattern[0] = '*';
	pattern[CSFTP_PATH_MAX] = '\0';
	for (int i = 0; i < NAMES; i++)
		assert_false(exec_match(name, pattern));
}

/* Whoever made it may not be who reads it. */
static void no_name_moves_a_cursor(void **state)
{
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/\033[2J\nx"), 0);
	command_says(world, "md5sum *", 1, "",
		     "md5sum: ?[2J?x: Is a directory\n");
	command_run(world, "df *", "", 0);
	assert_int_equal(world->status, 0);
	assert_non_null(strstr(world->out, " ?[2J?x\n"));
	command_run(world, "scp -f *", "\0\0", 2);
	assert_string_equal(world->out,
			    "\1scp: ?[2J?x: a line end in its name\n");
}

static void df_tells_what_programs_read(void **state)
{
	struct command_world *world = *state;
	unsigned long long size, used, left;
	char line[128];

	command_put(world, "/abc", "abc");
	command_run(world, "df -k /abc", "", 0);
	assert_int_equal(world->status, 0);
	assert_int_equal(sscanf(world->out,
				"Filesystem 1K-blocks Used Available Use%% "
				"Mounted on\ncsftp %llu %llu %llu %99s",
				&size, &used, &left, line),
			 4);
	assert_true(size == 1024 * 1024 && used + left == size && used > 0);
	assert_string_equal(line, "1%");
	assert_string_equal(strrchr(world->out, ' '), " /abc\n");
	command_run(world, "df -P", "", 0);
	assert_non_null(strstr(world->out, "1024-blocks"));
	assert_string_equal(strrchr(world->out, ' '), " .\n");
	command_run(world, "df / gone", "", 0);
	assert_int_equal(world->status, 1);
	assert_string_equal(world->err,
			    "df: gone: No such file or directory\n");
	command_says(world, "df -h", 1, "",
		     "df: there is no option -h here, only -k and -P\n");
}

static void pieces_of_streams_make_no_difference(void **state)
{
	static const char expected[] =
		MD5_ABC "  abc\n" MD5_ABC "  -\n" MD5_EMPTY "  b\n";
	struct command_world *world = *state;

	command_put(world, "/abc", "abc");
	command_put(world, "/b", "");
	for (int later = 0; later < 2; later++) {
		world->answers_later = later;
		for (size_t piece = 1; piece < 120; piece++) {
			world->piece_in = piece;
			world->piece_out = piece;
			command_run(world, "md5sum abc - x [b]", "abc", 3);
			assert_string_equal(world->out, expected);
			assert_string_equal(world->err,
					    "md5sum: x: No such file or "
					    "directory\n");
		}
	}
}

static void nobody_who_reads_means_waiting(void **state)
{
	struct command_world *world = *state;
	char command[EXEC_WORDS_MAX];
	size_t len;

	/* More than fits into any buffer. */
	command_put(world, "/abc", "abc");
	memset(command, 'x', sizeof(command));
	memcpy(command, "md5sum", 6);
	for (size_t i = 6; i < sizeof(command) - 5; i += 5)
		memcpy(command + i, " /abc", 5);
	command[sizeof(command) - 3] = '\0';
	command[sizeof(command) - 2] = '\0';
	world->takes_nothing = true;
	command_run(world, command, "", 0);
	assert_false(world->ended);
	world->takes_nothing = false;
	command_run(world, command, "", 0);
	assert_true(world->ended);
	len = strlen(MD5_ABC "  /abc\n");
	assert_int_equal(world->out_len % len, 0);
	assert_in_range(world->out_len / len, 6000, 7000);
}

static void input_that_nobody_reads_does_not_wait(void **state)
{
	struct command_world *world = *state;
	static const char much[500000];

	command_put(world, "/abc", "abc");
	command_run(world, "echo x", much, sizeof(much));
	assert_true(world->ended);
	world->keep_open = true;
	world->answers_later = true;
	command_run(world, "df", much, sizeof(much));
	assert_true(world->ended);
}

static void who_goes_away_leaves_nothing_open(void **state)
{
	struct command_world *world = *state;
	const uint8_t *in = NULL;
	size_t len = 0;

	command_put(world, "/abc", "abc");
	world->answers_later = true;
	for (unsigned steps = 0; steps < 40; steps++) {
		command_begin(world, "md5sum *abc abc [a]bc");
		for (unsigned i = 0; i < steps && world->exec; i++)
			(void)command_step(world, &in, &len);
		command_drop(world);
		assert_int_equal(world->tap.handles, 0);
	}
	assert_true(world->ended);
}

static void wake(void *arg)
{
	(*(unsigned *)arg)++;
}

static void answers_that_come_later_wake_the_owner(void **state)
{
	struct command_world *world = *state;
	unsigned woken = 0;

	command_put(world, "/abc", "abc");
	world->config.wake = wake;
	world->config.arg = &woken;
	command_run(world, "md5sum abc", "", 0);
	assert_int_equal(woken, 0);
	world->answers_later = true;
	command_run(world, "md5sum abc", "", 0);
	/* GETATTR, OPEN, READ, perhaps another READ, CLOSE. */
	assert_in_range(woken, 4, 5);
}

int main(void)
{
#define CLAIM(name)                                                            \
	cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
	static const struct CMUnitTest claims[] = {
		CLAIM(echo_says_its_words),
		CLAIM(what_there_is_not_is_said),
		CLAIM(what_only_a_shell_can_do_is_refused),
		CLAIM(words_that_are_no_paths_are_refused),
		CLAIM(sums_are_those_of_coreutils),
		CLAIM(sums_can_be_of_standard_input),
		CLAIM(names_that_break_lines_are_quoted_in_sums),
		CLAIM(sums_go_on_after_what_cannot_be_read),
		CLAIM(what_the_policy_refuses_is_told),
		CLAIM(sums_of_large_files_are_taken_in_pieces),
		CLAIM(patterns_are_names_that_are_there),
		CLAIM(a_tilde_is_a_home),
		cmocka_unit_test(names_match_as_a_shell_has_it),
		cmocka_unit_test(a_hostile_pattern_is_soon_done_with),
		CLAIM(no_name_moves_a_cursor),
		CLAIM(df_tells_what_programs_read),
		CLAIM(pieces_of_streams_make_no_difference),
		CLAIM(nobody_who_reads_means_waiting),
		CLAIM(input_that_nobody_reads_does_not_wait),
		CLAIM(who_goes_away_leaves_nothing_open),
		CLAIM(answers_that_come_later_wake_the_owner),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
