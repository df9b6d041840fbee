/* The far end of scp: its protocol, and what a hostile peer makes of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/exec/exec_impl.h"
#include "tests/lib/command.h"
#include "tests/lib/test.h"

static void assert_file(struct command_world *world, const char *path,
			const char *text)
{
	struct fs_caller *caller = &world->caller;
	csftp_fh fh;

	assert_int_equal(fs_open(caller, path, CSFTP_OPEN_READ), 0);
	fh = caller->fh;
	assert_int_equal(fs_read_all(caller, fh, 0, 1000000), 0);
	assert_int_equal(caller->data_len, strlen(text));
	if (*text)
		assert_memory_equal(caller->data, text, strlen(text));
	assert_int_equal(fs_close(caller, fh), 0);
}

static void assert_gone(struct command_world *world, const char *path)
{
	assert_int_equal(fs_lgetattr(&world->caller, path), ENOENT);
}

static uint32_t mode_of(struct command_world *world, const char *path)
{
	assert_int_equal(fs_getattr(&world->caller, path), 0);
	return world->caller.attr.mode & 07777;
}

/* What was said, byte for byte; NULs are "0" in the text expected. */
static void assert_out(struct command_world *world, const char *expected)
{
	for (size_t i = 0; i < world->out_len; i++)
		if (world->out[i] == '\0')
			world->out[i] = '0';
	assert_string_equal(world->out, expected);
}

/* A sink that is told text, in which "0" alone on a line is a NUL. */
static void tell(struct command_world *world, const char *command,
		 const char *text, size_t len)
{
	command_run(world, command, text, len);
}

#define TELL(world, command, text) tell(world, command, text, sizeof(text) - 1)

static void a_file_is_taken(void **state)
{
	struct command_world *world = *state;

	TELL(world, "scp -t f", "C0640 5 other\nhello\0");
	assert_true(world->ended && world->status == 0);
	assert_out(world, "000");
	assert_file(world, "/f", "hello");
	assert_int_equal(mode_of(world, "/f"), 0640);
	/* It replaces what is there, and keeps its mode. */
	TELL(world, "scp -t -- f", "C0600 2 other\nhi\0");
	assert_file(world, "/f", "hi");
	assert_int_equal(mode_of(world, "/f"), 0640);
	TELL(world, "scp -qv -t f", "C0600 0 other\n\0");
	assert_file(world, "/f", "");
	assert_string_equal(world->err, "Sink: C0600 0 other\n");
}

static void into_a_directory_files_come_by_their_names(void **state)
{
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	TELL(world, "scp -t d", "C0644 1 a\n1\0C0644 2 b c\n22\0");
	assert_out(world, "00000");
	assert_file(world, "/d/a", "1");
	assert_file(world, "/d/b c", "22");
	TELL(world, "scp -t -d d/", "C0644 1 a\n3\0");
	assert_file(world, "/d/a", "3");
	TELL(world, "scp -dt d/a", "");
	assert_int_equal(world->status, 1);
	assert_out(world, "\1scp: d/a: Not a directory\n");
	TELL(world, "scp -t -d gone", "");
	assert_int_equal(world->status, 1);
	assert_out(world, "\1scp: gone: No such file or directory\n");
}

static void times_and_modes_are_kept_where_asked(void **state)
{
	struct command_world *world = *state;
	const struct csftp_attr *attr = &world->caller.attr;

	command_put(world, "/f", "old");
	TELL(world, "scp -p -t f",
	     "T1234567890 5 987654321 999999\nC0751 1 x\ny\0");
	assert_out(world, "0000");
	assert_int_equal(mode_of(world, "/f"), 0751);
	assert_int_equal(attr->mtime.sec, 1234567890);
	assert_int_equal(attr->mtime.nsec, 5000);
	assert_int_equal(attr->atime.sec, 987654321);
	assert_int_equal(attr->atime.nsec, 999999000);
	/* The times were for that file only. */
	TELL(world, "scp -t .", "T5 0 6 0\nC0644 0 a\n\0C0644 0 b\n\0");
	assert_int_equal(fs_getattr(&world->caller, "/a"), 0);
	assert_int_equal(attr->mtime.sec, 5);
	assert_int_equal(fs_getattr(&world->caller, "/b"), 0);
	assert_int_equal(attr->mtime.sec, 0);
}

static const char tree[] = "D0755 0 top\nC0644 1 a\n1\0D0500 0 in\n"
			   "C0444 1 b\n2\0E\nC0600 1 c\n3\0E\n";

static void assert_tree(struct command_world *world, const char *top)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/a", top);
	assert_file(world, path, "1");
	(void)snprintf(path, sizeof(path), "%s/in/b", top);
	assert_file(world, path, "2");
	assert_int_equal(mode_of(world, path), 0444);
	(void)snprintf(path, sizeof(path), "%s/c", top);
	assert_file(world, path, "3");
	(void)snprintf(path, sizeof(path), "%s/in", top);
	assert_int_equal(mode_of(world, path), 0500);
	assert_int_equal(fs_remove_tree(&world->caller, top), 0);
}

static void directories_are_taken_with_what_is_in_them(void **state)
{
	struct command_world *world = *state;

	/* A name that is not there becomes the directory's. */
	tell(world, "scp -r -t new", tree, sizeof(tree) - 1);
	assert_out(world, "00000000000");
	assert_tree(world, "/new");
	tell(world, "scp -rpt .", tree, sizeof(tree) - 1);
	assert_tree(world, "/top");
	/* One that is there is filled. */
	assert_int_equal(fs_mkdir(&world->caller, "/top"), 0);
	tell(world, "scp -r -d -t /", tree, sizeof(tree) - 1);
	assert_tree(world, "/top");
}

static void pieces_and_late_answers_make_no_difference(void **state)
{
	struct command_world *world = *state;

	for (int later = 0; later < 2; later++) {
		world->answers_later = later;
		for (size_t piece = 1; piece <= sizeof(tree); piece++) {
			world->piece_in = piece;
			world->piece_out = piece;
			tell(world, "scp -r -t x", tree, sizeof(tree) - 1);
			assert_int_equal(world->status, 0);
			assert_out(world, "00000000000");
			assert_tree(world, "/x");
		}
	}
}

static void every_proper_prefix_ends_without_harm(void **state)
{
	struct command_world *world = *state;

	for (size_t n = 0; n < sizeof(tree) - 1; n++) {
		tell(world, "scp -r -t x", tree, n);
		assert_true(world->ended);
		assert_int_equal(world->tap.handles, 0);
		assert_int_equal(fs_remove_tree(&world->caller, "/x"), 0);
	}
}

static void times_of_directories_are_set_once_they_are_full(void **state)
{
	struct command_world *world = *state;

	TELL(world, "scp -rp -t .",
	     "T7 0 8 0\nD0750 0 d\nT9 0 9 0\nC0644 0 f\n\0E\n");
	assert_out(world, "0000000");
	assert_int_equal(mode_of(world, "/d"), 0750);
	assert_int_equal(world->caller.attr.mtime.sec, 7);
	assert_int_equal(world->caller.attr.atime.sec, 8);
}

/* A line that ends it all, with a reason, and without a file. */
static void assert_ends(struct command_world *world, const char *command,
			const char *text, size_t len, const char *why)
{
	char expected[256];

	tell(world, command, text, len);
	(void)snprintf(expected, sizeof(expected),
		       "0\1scp: protocol error: %s\n", why);
	assert_true(world->ended);
	assert_int_equal(world->status, 1);
	assert_out(world, expected);
}

static void names_that_lead_elsewhere_end_it(void **state)
{
	static const char *const lines[] = {
		"C0644 1 ../x\n",	"C0644 1 /x\n", "C0644 1 a/b\n",
		"C0644 1 ..\n",		"C0644 1 .\n",	"C0644 1 \n",
		"C0644 1 x/\n",		"D0755 0 ..\n", "D0755 0 .\n",
		"D0755 0 \n",		"D0755 0 /\n",	"D0755 0 a/../..\n",
		"C0644 1 ../../etc/x\n"};
	static const char nul[] = "C0644 1 a\0b\nx";
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_ends(world, "scp -r -t d", lines[i], strlen(lines[i]),
			    "unexpected filename");
		/* Even where the name would not be used. */
		assert_ends(world, "scp -r -t d/f", lines[i], strlen(lines[i]),
			    "unexpected filename");
	}
	assert_ends(world, "scp -t d", nul, sizeof(nul) - 1,
		    "unexpected filename");
	assert_gone(world, "/x");
	assert_gone(world, "/d/a");
}

static void lines_that_are_none_end_it(void **state)
{
	static const struct {
		const char *line;
		const char *why;
	} rows[] = {
		{"\n", "unexpected <newline>"},
		{"x\n", "expected control record"},
		{"c0644 1 a\n", "expected control record"},
		{"C", NULL},
		{"C\n", "bad mode"},
		{"C0644\n", "bad mode"},
		{"C06444 1 a\n", "bad mode"},
		{"C0648 1 a\n", "bad mode"},
		{"C-644 1 a\n", "bad mode"},
		{"C0644 \n", "bad size"},
		{"C0644 1\n", "bad size"},
		{"C0644 -1 a\n", "bad size"},
		{"C0644 x a\n", "bad size"},
		{"C0644  1 a\n", "bad size"},
		{"C0644 9223372036854775808 a\n", "bad size"},
		{"C0644 99999999999999999999 a\n", "bad size"},
		{"D0755 0 d\n", "received directory without -r"},
		{"T\n", "times are not delimited"},
		{"T1 0 1\n", "times are not delimited"},
		{"T1 0 1 0 \n", "times are not delimited"},
		{"T1 1000000 1 0\n", "times are not delimited"},
		{"T-1 0 1 0\n", "times are not delimited"},
		{"T1 0 1 x\n", "times are not delimited"},
		{"T9223372036854775808 0 1 0\n", "times are not delimited"},
	};
	struct command_world *world = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].why) {
			assert_ends(world, "scp -t .", rows[i].line,
				    strlen(rows[i].line), rows[i].why);
			continue;
		}
		tell(world, "scp -t .", rows[i].line, strlen(rows[i].line));
		assert_int_equal(world->status, 1);
	}
}

static void a_line_without_an_end_ends_it(void **state)
{
	static char line[3 * EXEC_LINE_MAX];
	struct command_world *world = *state;

	memset(line, 'x', sizeof(line));
	memcpy(line, "C0644 1 ", 8);
	assert_ends(world, "scp -t .", line, sizeof(line), "a line too long");
	memset(line, 'x', sizeof(line));
	line[0] = '\1';
	assert_ends(world, "scp -t .", line, sizeof(line), "a line too long");
}

static void a_file_that_cannot_be_made_is_passed_over(void **state)
{
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	assert_int_equal(fs_mkdir(&world->caller, "/d/sub"), 0);
	command_put(world, "/d/file", "old");
	/* No data follows a line that was refused. */
	TELL(world, "scp -r -t d",
	     "C0644 5 sub\nD0755 0 file\nT1 0 1 0\nC0644 9 sub\n"
	     "C0644 1 good\n1\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "0\1scp: d/sub: Is a directory\n"
			  "\1scp: d/file: Not a directory\n"
			  "0\1scp: d/sub: Is a directory\n00");
	assert_file(world, "/d/good", "1");
	assert_file(world, "/d/file", "old");
	assert_int_equal(fs_getattr(&world->caller, "/d/good"), 0);
	assert_int_equal(world->caller.attr.mtime.sec, 0);
}

static void what_cannot_be_written_is_told_after_the_file(void **state)
{
	struct command_world *world = *state;

	world->tap.write_err = ENOSPC;
	TELL(world, "scp -t .", "C0644 5 a\nhello\0C0644 0 b\n\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "00\1scp: ./a: No space left on device\n00");
	world->tap.write_err = 0;
	world->tap.close_err = EDQUOT;
	TELL(world, "scp -t .", "C0644 5 a\nhello\0");
	assert_out(world, "00\1scp: ./a: Disk quota exceeded\n");
}

static void a_peer_that_could_not_read_is_a_failure(void **state)
{
	struct command_world *world = *state;

	TELL(world, "scp -t .",
	     "C0644 2 a\n\1\2\1scp: a: broken\n"
	     "C0644 0 b\n\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "00000");
	TELL(world, "scp -t .", "\1scp: c: gone\nC0644 0 b\n\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "000");
	TELL(world, "scp -t .", "\2scp: dead\nC0644 0 d\n\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "0");
	assert_gone(world, "/d");
}

static void what_is_cut_off_in_a_file_is_a_failure(void **state)
{
	struct command_world *world = *state;

	TELL(world, "scp -t .", "C0644 9000000000000000000 a\nhello");
	assert_true(world->ended);
	assert_int_equal(world->status, 1);
	assert_file(world, "/a", "hello");
	TELL(world, "scp -t .", "C0644 5 a\nhello");
	assert_int_equal(world->status, 1);
}

static void directories_have_a_bound(void **state)
{
	static const char line[] = "D0755 0 d\n";
	struct command_world *world = *state;
	char text[(EXEC_DEPTH_MAX + 1) * sizeof(line)];
	size_t len = 0;

	for (unsigned i = 0; i <= EXEC_DEPTH_MAX; i++) {
		memcpy(text + len, line, sizeof(line) - 1);
		len += sizeof(line) - 1;
	}
	tell(world, "scp -r -t .", text, len);
	assert_int_equal(world->status, 1);
	assert_int_equal(world->out[EXEC_DEPTH_MAX], '\0');
	assert_int_equal(world->out[EXEC_DEPTH_MAX + 1], '\1');
	assert_int_equal(fs_remove_tree(&world->caller, "/d"), 0);
}

static void paths_have_a_bound(void **state)
{
	struct command_world *world = *state;
	char text[300 * 20];
	size_t len = 0, ends;

	for (unsigned i = 0; i < 20; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"D0755 0 %0250d\n", 1);
	tell(world, "scp -r -t .", text, len);
	assert_int_equal(world->status, 1);
	ends = strlen("\n");
	assert_int_equal(world->out[world->out_len - ends], '\n');
	assert_non_null(strstr(world->out + world->out_len - 30,
			       "File name too long\n"));
}

static void a_tree_that_is_read_only_stays_as_it_is(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/f", "old");
	world->config.read_only = true;
	TELL(world, "scp -r -t .", "C0644 1 f\nD0755 0 d\n");
	assert_int_equal(world->status, 1);
	assert_out(world, "0\1scp: ./f: Permission denied\n"
			  "\1scp: ./d: Permission denied\n");
	assert_file(world, "/f", "old");
	command_run(world, "scp -f f", "\0\0\0", 3);
	assert_int_equal(world->status, 0);
	assert_out(world, "C0644 3 f\nold0");
}

static void wrong_options_are_an_error(void **state)
{
	struct command_world *world = *state;

	command_says(world, "scp", 1, "",
		     "scp: only as the far end of one: -t or -f\n");
	command_says(world, "scp a b:", 1, "",
		     "scp: only as the far end of one: -t or -f\n");
	command_says(world, "scp -tf x", 1, "",
		     "scp: only as the far end of one: -t or -f\n");
	command_says(world, "scp -S x -t y", 1, "",
		     "scp: there is no option -S here\n");
	command_says(world, "scp -t", 1, "", "scp: ambiguous target\n");
	command_says(world, "scp -f", 1, "", "scp: ambiguous target\n");
	command_says(world, "scp -t a b", 1, "", "scp: ambiguous target\n");
}

/* Byte 0 in answer to whatever comes. */
static const char yes[4096];

static void ask(struct command_world *world, const char *command)
{
	command_run(world, command, yes, sizeof(yes));
	assert_true(world->ended);
}

static void a_file_is_sent(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/f", "hello");
	ask(world, "scp -f f");
	assert_int_equal(world->status, 0);
	assert_out(world, "C0644 5 f\nhello0");
	command_put(world, "/g", "");
	ask(world, "scp -vf /f -- g");
	assert_int_equal(world->status, 1);
	assert_out(world, "C0644 5 f\nhello0"
			  "\1scp: --: No such file or directory\n"
			  "C0644 0 g\n0");
	assert_string_equal(world->err, "Sending: C0644 5 f\n"
					"Sending: C0644 0 g\n");
	ask(world, "scp -f [fg]");
	assert_out(world, "C0644 5 f\nhello0C0644 0 g\n0");
}

static void times_are_sent_where_asked(void **state)
{
	struct command_world *world = *state;
	const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME | CSFTP_ATTR_MODE,
		.mode = 04755,
		.atime = {11, 5},
		.mtime = {22, 6},
	};

	command_put(world, "/f", "x");
	assert_int_equal(fs_setattr(&world->caller, "/f", &attr), 0);
	ask(world, "scp -p -f f");
	assert_out(world, "T22 0 11 0\nC4755 1 f\nx0");
}

static void directories_are_sent_with_what_is_in_them(void **state)
{
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	command_put(world, "/d/a", "1");
	assert_int_equal(fs_mkdir(&world->caller, "/d/in"), 0);
	command_put(world, "/d/in/b", "2");
	command_put(world, "/d/z", "3");
	assert_int_equal(fs_symlink(&world->caller, "/d/to", "in/b"), 0);
	for (int later = 0; later < 2; later++) {
		world->answers_later = later;
		for (size_t piece = 1; piece < 100; piece += 7) {
			world->piece_in = piece;
			world->piece_out = piece;
			ask(world, "scp -r -f d/");
			assert_int_equal(world->status, 0);
			assert_out(world, "D0755 0 d\nC0644 1 a\n10D0755 0 in\n"
					  "C0644 1 b\n20E\nC0644 1 z\n30"
					  "C0644 1 to\n20E\n");
		}
	}
	ask(world, "scp -f d gone d/z");
	assert_int_equal(world->status, 1);
	assert_out(world, "\1scp: d: not a regular file\n"
			  "\1scp: gone: No such file or directory\n"
			  "C0644 1 z\n30");
}

static void nothing_is_sent_before_the_peer_is_ready(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/f", "hello");
	world->keep_open = true;
	command_run(world, "scp -f f", "", 0);
	assert_out(world, "");
	command_run(world, "scp -f f", yes, 1);
	assert_out(world, "C0644 5 f\n");
	command_run(world, "scp -f f", yes, 2);
	assert_out(world, "C0644 5 f\nhello0");
	assert_false(world->ended);
	command_run(world, "scp -f f", yes, 3);
	assert_true(world->ended && world->status == 0);
	world->keep_open = false;
	for (size_t n = 0; n < 3; n++) {
		command_run(world, "scp -f f", yes, n);
		assert_true(world->ended);
		assert_int_equal(world->status, 1);
	}
}

static void what_the_peer_refuses_is_not_sent(void **state)
{
	struct command_world *world = *state;

	assert_int_equal(fs_mkdir(&world->caller, "/d"), 0);
	command_put(world, "/d/a", "1");
	command_put(world, "/f", "2");
	TELL(world, "scp -r -f d f", "\0\1no\n\0\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "D0755 0 d\nC0644 1 f\n20");
	TELL(world, "scp -r -f f d", "\0\1no\n\0\0\0\0");
	assert_out(world, "C0644 1 f\nD0755 0 d\nC0644 1 a\n10E\n");
	TELL(world, "scp -p -f f", "\0\1no times\n");
	assert_out(world, "T0 0 0 0\n");
	TELL(world, "scp -f f f", "\0\2enough\n\0\0");
	assert_int_equal(world->status, 1);
	assert_out(world, "C0644 1 f\n");
	/* Any other byte begins an error. */
	TELL(world, "scp -f f", "\0what\n");
	assert_int_equal(world->status, 1);
}

static void a_peer_that_never_ends_its_line_is_left(void **state)
{
	static char line[3 * EXEC_LINE_MAX];
	struct command_world *world = *state;

	command_put(world, "/f", "2");
	world->keep_open = true;
	memset(line + 1, 'x', sizeof(line) - 1);
	command_run(world, "scp -f f", line, sizeof(line));
	assert_true(world->ended);
	assert_int_equal(world->status, 1);
}

static void what_cannot_be_read_is_zeros_and_an_error(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/f", "hello");
	world->config.denied = command_bit("read");
	ask(world, "scp -f f");
	assert_int_equal(world->status, 1);
	assert_out(world, "C0644 5 f\n00000\1scp: f: Permission denied\n");
}

static void a_file_that_shrinks_is_filled_up(void **state)
{
	struct command_world *world = *state;
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 3};
	const uint8_t *in = (const uint8_t *)yes;
	size_t len = 3;

	command_put(world, "/f", "hello");
	world->tap.read_part = 2;
	world->answers_later = true;
	command_begin(world, "scp -f f");
	/* GETATTR, OPEN, GETATTR, READ. */
	for (int i = 0; i < 8 && world->tap.count[CSFTP_OP_READ] == 0; i++)
		(void)command_step(world, &in, &len);
	assert_int_equal(fs_setattr(&world->caller, "/f", &attr), 0);
	exec_in_end(world->exec);
	while (world->exec)
		(void)command_step(world, &in, &len);
	assert_int_equal(world->status, 1);
	assert_out(world, "C0644 5 f\nhel00\1scp: f: Input/output error\n");
}

static void names_that_break_lines_are_not_sent(void **state)
{
	struct command_world *world = *state;

	command_put(world, "/a\nC0777 9 evil", "x");
	command_put(world, "/b", "y");
	ask(world, "scp -f '/a\nC0777 9 evil' b");
	assert_int_equal(world->status, 1);
	assert_out(world, "\1scp: /a?C0777 9 evil: a line end in its name\n"
			  "C0644 1 b\ny0");
}

/* The output of each is the input of the other. */
static bool carry(struct exec *from, struct exec *to, size_t piece)
{
	size_t len, room;
	const uint8_t *out = exec_out(from, EXEC_STDOUT, &len);
	uint8_t *in = exec_in(to, &room);

	len = len < piece ? len : piece;
	len = len < room ? len : room;
	if (len > 0)
		memcpy(in, out, len);
	exec_in_ack(to, len);
	exec_out_ack(from, EXEC_STDOUT, len);
	return len > 0;
}

static void copy(struct command_world *from, const char *source,
		 struct command_world *to, const char *sink, size_t piece)
{
	uint32_t sent, taken;
	bool moved = true;

	command_begin(from, source);
	command_begin(to, sink);
	while (moved) {
		moved = exec_turn(from->exec);
		moved = exec_turn(to->exec) || moved;
		moved = carry(from->exec, to->exec, piece) || moved;
		moved = carry(to->exec, from->exec, piece) || moved;
		moved = later_run(&from->later) || moved;
		moved = later_run(&to->later) || moved;
		if (!moved && exec_ended(from->exec, &sent)) {
			exec_in_end(to->exec);
			moved = exec_turn(to->exec) ||
				!exec_ended(to->exec, &taken);
		}
	}
	assert_true(exec_ended(from->exec, &sent));
	assert_true(exec_ended(to->exec, &taken));
	assert_int_equal(sent, 0);
	assert_int_equal(taken, 0);
	command_drop(from);
	command_drop(to);
}

static void make_tree(struct command_world *world)
{
	struct fs_caller *caller = &world->caller;
	char path[64], *bytes = malloc(200000);

	assert_non_null(bytes);
	assert_int_equal(fs_mkdir(caller, "/t"), 0);
	for (unsigned d = 0; d < 2; d++) {
		(void)snprintf(path, sizeof(path), "/t/dir %u", d);
		assert_int_equal(fs_mkdir(caller, path), 0);
		for (unsigned f = 0; f < 6; f++) {
			static const size_t sizes[] = {0,    1,	   100,
						       4096, 5000, 70001};
			struct csftp_attr attr = {
				.mask = CSFTP_ATTR_MODE | CSFTP_ATTR_MTIME |
					CSFTP_ATTR_ATIME,
				.mode = 0400 + d * 0111 + f,
				.mtime = {1000 * d + f, 0},
				.atime = {5000 * d + f, 0},
			};

			for (size_t i = 0; i < sizes[f]; i++)
				bytes[i] = (char)(i * (d + 3) >> f);
			(void)snprintf(path, sizeof(path), "/t/dir %u/f*%u", d,
				       f);
			assert_int_equal(fs_put(caller, path, bytes, sizes[f]),
					 0);
			assert_int_equal(fs_setattr(caller, path, &attr), 0);
		}
	}
	free(bytes);
}

static void assert_same_file(struct fs_caller *a, struct fs_caller *b,
			     const char *path, bool times)
{
	csftp_fh one, two;

	assert_int_equal(fs_getattr(a, path), 0);
	assert_int_equal(fs_getattr(b, path), 0);
	assert_int_equal(a->attr.mode, b->attr.mode);
	assert_int_equal(a->attr.size, b->attr.size);
	if (times) {
		assert_int_equal(a->attr.mtime.sec, b->attr.mtime.sec);
		assert_int_equal(a->attr.atime.sec, b->attr.atime.sec);
	}
	assert_int_equal(fs_open(a, path, CSFTP_OPEN_READ), 0);
	one = a->fh;
	assert_int_equal(fs_open(b, path, CSFTP_OPEN_READ), 0);
	two = b->fh;
	assert_int_equal(fs_read_all(a, one, 0, 1000000), 0);
	assert_int_equal(fs_read_all(b, two, 0, 1000000), 0);
	assert_int_equal(a->data_len, b->data_len);
	if (a->data_len > 0)
		assert_memory_equal(a->data, b->data, a->data_len);
	assert_int_equal(fs_close(a, one), 0);
	assert_int_equal(fs_close(b, two), 0);
}

static void assert_same_tree_in(struct command_world *a,
				struct command_world *b, bool times)
{
	char path[64];

	for (unsigned d = 0; d < 2; d++)
		for (unsigned f = 0; f < 6; f++) {
			(void)snprintf(path, sizeof(path), "/t/dir %u/f*%u", d,
				       f);
			assert_same_file(&a->caller, &b->caller, path, times);
		}
}

static void both_ends_copy_a_tree(void **state)
{
	static const size_t pieces[] = {1, 5, 1000, 4096, 32768, 1000000};
	struct command_world *from = *state, to;

	make_tree(from);
	command_world_init(&to);
	to.tap.fs.max_write = 30000;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		from->answers_later = i % 2;
		to.answers_later = i / 2 % 2;
		copy(from, "scp -r -p -f t", &to, "scp -r -p -t .", pieces[i]);
		assert_same_tree_in(from, &to, true);
		assert_int_equal(fs_remove_tree(&to.caller, "/t"), 0);
	}
	copy(from, "scp -rf /t", &to, "scp -rt t", 7777);
	assert_same_tree_in(from, &to, false);
	command_world_release(&to);
}

static void who_goes_away_leaves_nothing_open(void **state)
{
	struct command_world *world = *state;

	make_tree(world);
	for (int later = 0; later < 2; later++)
		for (unsigned steps = 0; steps < 150; steps++) {
			const uint8_t *in = (const uint8_t *)yes;
			size_t len = sizeof(yes);

			world->answers_later = later;
			world->piece_in = 1;
			world->piece_out = 5000;
			command_begin(world, "scp -r -f t");
			for (unsigned i = 0; i < steps && world->exec; i++)
				(void)command_step(world, &in, &len);
			command_drop(world);
			assert_int_equal(world->tap.handles, 0);
			in = (const uint8_t *)tree;
			len = sizeof(tree) - 1;
			command_begin(world, "scp -r -t .");
			for (unsigned i = 0; i < steps && world->exec; i++)
				(void)command_step(world, &in, &len);
			command_drop(world);
			assert_int_equal(world->tap.handles, 0);
		}
}

int main(void)
{
#define CLAIM(name)                                                            \
	cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
	static const struct CMUnitTest claims[] = {
		CLAIM(a_file_is_taken),
		CLAIM(into_a_directory_files_come_by_their_names),
		CLAIM(times_and_modes_are_kept_where_asked),
		CLAIM(directories_are_taken_with_what_is_in_them),
		CLAIM(pieces_and_late_answers_make_no_difference),
		CLAIM(every_proper_prefix_ends_without_harm),
		CLAIM(times_of_directories_are_set_once_they_are_full),
		CLAIM(names_that_lead_elsewhere_end_it),
		CLAIM(lines_that_are_none_end_it),
		CLAIM(a_line_without_an_end_ends_it),
		CLAIM(a_file_that_cannot_be_made_is_passed_over),
		CLAIM(what_cannot_be_written_is_told_after_the_file),
		CLAIM(a_peer_that_could_not_read_is_a_failure),
		CLAIM(what_is_cut_off_in_a_file_is_a_failure),
		CLAIM(directories_have_a_bound),
		CLAIM(paths_have_a_bound),
		CLAIM(a_tree_that_is_read_only_stays_as_it_is),
		CLAIM(wrong_options_are_an_error),
		CLAIM(a_file_is_sent),
		CLAIM(times_are_sent_where_asked),
		CLAIM(directories_are_sent_with_what_is_in_them),
		CLAIM(nothing_is_sent_before_the_peer_is_ready),
		CLAIM(what_the_peer_refuses_is_not_sent),
		CLAIM(a_peer_that_never_ends_its_line_is_left),
		CLAIM(what_cannot_be_read_is_zeros_and_an_error),
		CLAIM(a_file_that_shrinks_is_filled_up),
		CLAIM(names_that_break_lines_are_not_sent),
		CLAIM(both_ends_copy_a_tree),
		CLAIM(who_goes_away_leaves_nothing_open),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
