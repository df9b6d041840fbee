/* A script of all operations, with a cut at every moment of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/survive_rig.h"
#include "tests/lib/test.h"

__attribute__((format(printf, 2, 3))) static void say(struct rig *rig,
						      const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(rig->said + rig->said_len, RIG_SAID_MAX - rig->said_len,
			format, args);
	va_end(args);
	assert_in_range(len, 0, RIG_SAID_MAX - rig->said_len - 1);
	rig->said_len += (size_t)len;
}

static void did(struct rig *rig, const char *what, int err)
{
	say(rig, "%s: %s\n", what, strerror(err));
}

static void show_attr(struct rig *rig, const char *path)
{
	int err = fs_lgetattr(&rig->caller, path);

	did(rig, path, err);
	if (!err)
		say(rig, " %o %u\n", rig->caller.attr.mode,
		    (unsigned)rig->caller.attr.size);
}

static void show_text(struct rig *rig, csftp_fh fh, uint64_t off, uint64_t len)
{
	int err = fs_read_all(&rig->caller, fh, off, len);

	did(rig, "read", err);
	say(rig, " \"%.*s\"\n", (int)rig->caller.data_len,
	    rig->caller.data_len ? (const char *)rig->caller.data : "");
}

static void burst(struct rig *rig, csftp_fh fh, const char *const text[BURST],
		  bool closes)
{
	int err[BURST + 1];

	rig_burst(rig, fh, text, closes, err);
	for (size_t i = 0; i <= BURST; i++)
		did(rig, "burst", err[i]);
}

static void script_names(struct rig *rig)
{
	struct fs_caller *c = &rig->caller;

	did(rig, "mkdir", fs_mkdir(c, "/d"));
	did(rig, "symlink", fs_symlink(c, "/d/link", "some/where"));
	did(rig, "readlink", fs_readlink(c, "/d/link"));
	say(rig, " %s\n", c->text);
	did(rig, "put", fs_put(c, "/d/a", "text of a", 9));
	did(rig, "link", fs_link(c, "/d/a", "/d/b"));
	did(rig, "rename", fs_rename(c, "/d/b", "/d/c"));
	did(rig, "rename to", fs_rename(c, "/d/a", "/d/link"));
	did(rig, "replace", fs_replace(c, "/d/c", "/d/a"));
	did(rig, "mkdir again", fs_mkdir(c, "/d/sub"));
	did(rig, "rmdir of a file", fs_rmdir(c, "/d/a"));
	did(rig, "rmdir", fs_rmdir(c, "/d/sub"));
	did(rig, "unlink", fs_unlink(c, "/d/link"));
	did(rig, "realpath", fs_realpath(c, "/d/../d"));
	say(rig, " %s\n", c->text);
	did(rig, "setattr",
	    fs_setattr(c, "/d/a",
		       &(struct csftp_attr){.mask = CSFTP_ATTR_MODE |
						    CSFTP_ATTR_SIZE,
					    .mode = 0600,
					    .size = 4}));
	show_attr(rig, "/d/a");
	show_attr(rig, "/d/c");
	show_attr(rig, "/none");
}

static void script_files(struct rig *rig)
{
	static const char *const text[BURST] = {"one ",	 "two ",  "three ",
						"four ", "five ", "six"};
	struct fs_caller *c = &rig->caller;
	csftp_fh fh, fh2;

	did(rig, "open", fs_open(c, "/f", MAKES | CSFTP_OPEN_EXCL));
	fh = c->fh;
	did(rig, "write", fs_write(c, fh, 0, "0123456789", 10));
	did(rig, "rename open", fs_rename(c, "/f", "/d/f"));
	did(rig, "write", fs_write(c, fh, 5, "abcdefgh", 8));
	show_text(rig, fh, 0, 100);
	did(rig, "open", fs_open(c, "/g", MAKES));
	fh2 = c->fh;
	burst(rig, fh2, text, false);
	did(rig, "copy",
	    fs_copy_range(c,
			  &(struct csftp_req){
				  .fh = fh2, .len = 8, .fh2 = fh, .off2 = 20}));
	did(rig, "fsync", fs_fsync(c, fh));
	did(rig, "fsetattr",
	    fs_fsetattr(
		    c, fh,
		    &(struct csftp_attr){.mask = CSFTP_ATTR_SIZE, .size = 24}));
	did(rig, "rename above", fs_rename(c, "/d", "/e"));
	did(rig, "fgetattr", fs_fgetattr(c, fh));
	say(rig, " %u\n", (unsigned)c->attr.size);
	show_text(rig, fh, 18, 100);
	did(rig, "close", fs_close(c, fh));
	burst(rig, fh2, text, true);
	did(rig, "open to empty", fs_open(c, "/g", WRITES | CSFTP_OPEN_TRUNC));
	burst(rig, c->fh, text, true);
	did(rig, "open a directory", fs_open(c, "/e", WRITES));
	did(rig, "statfs", fs_statfs(c, "/"));
}

static void script_appends(struct rig *rig)
{
	static const char *const same[BURST] = {"x\n", "x\n", "x\n",
						"x\n", "x\n", "x\n"};
	static const char *const lines[BURST] = {"alpha\n", "beta\n",  "beta\n",
						 "gamma\n", "alpha\n", "end\n"};
	struct fs_caller *c = &rig->caller;
	csftp_fh fh;

	did(rig, "put", fs_put(c, "/log", "x\nx\n", 4));
	did(rig, "open", fs_open(c, "/log", APPENDS));
	fh = c->fh;
	burst(rig, fh, same, false);
	burst(rig, fh, lines, false);
	did(rig, "append", fs_write(c, fh, 0, "more\n", 5));
	burst(rig, fh, same, true);
	did(rig, "open new", fs_open(c, "/new", APPENDS | CSFTP_OPEN_EXCL));
	burst(rig, c->fh, lines, true);
	did(rig, "open", fs_open(c, "/log", READS));
	show_text(rig, c->fh, 0, 1000);
	did(rig, "close", fs_close(c, c->fh));
	did(rig, "open", fs_open(c, "/new", READS));
	show_text(rig, c->fh, 0, 1000);
	did(rig, "close", fs_close(c, c->fh));
}

static void script_lists(struct rig *rig)
{
	struct fs_caller *c = &rig->caller;
	struct fs_names names = {0};
	char path[32];
	csftp_fh fh;

	did(rig, "mkdir", fs_mkdir(c, "/many"));
	for (int i = 0; i < 12; i++) {
		(void)snprintf(path, sizeof(path), "/many/%d", i);
		did(rig, path, fs_mkdir(c, path));
	}
	did(rig, "opendir", fs_opendir(c, "/many"));
	fh = c->fh;
	did(rig, "readdir", fs_readdir_all(c, fh, &names, 3));
	did(rig, "closedir", fs_close(c, fh));
	for (int i = 0; i < 12; i++) {
		(void)snprintf(path, sizeof(path), "%d", i);
		say(rig, " %s %zu\n", path, fs_names_find(&names, path, NULL));
	}
	say(rig, " %zu\n", names.count);
	fs_names_release(&names);
}

static void script(struct rig *rig)
{
	script_names(rig);
	script_files(rig);
	script_appends(rig);
	script_lists(rig);
	rig_settle(rig);
	show_attr(rig, "/g");
	show_attr(rig, "/e/f");
	assert_int_equal(survive_stale(rig->survive), 0);
}

/* The text that a run without a cut says. */
static struct rig *plain_run(bool vague)
{
	struct rig *rig = rig_new(NULL);

	rig->cut.vague = vague;
	script(rig);
	assert_int_equal(rig->cuts, 0);
	return rig;
}

static void compare(const struct rig *rig, const struct rig *plain, unsigned at,
		    unsigned lost, unsigned then)
{
	if (strcmp(rig->said, plain->said) == 0)
		return;
	for (size_t i = 0; rig->said[i]; i++) {
		if (rig->said[i] == plain->said[i])
			continue;
		while (i > 0 && rig->said[i - 1] != '\n')
			i--;
		fail_msg("cut at %u, %u answers lost, then %u:\n%.150s\nnot\n"
			 "%.150s",
			 at, lost, then, rig->said + i, plain->said + i);
	}
}

/* One run for each moment; returns how many there were. */
static unsigned cut_everywhere(const struct rig *plain, unsigned lost,
			       unsigned then, bool vague)
{
	unsigned at = 0;
	bool cut;

	do {
		struct rig *rig = rig_new(NULL);

		at++;
		rig->cut.vague = vague;
		rig->cut.at = at + lost;
		rig->cut.lost = lost;
		for (size_t i = 0; i < 4; i++)
			rig->next_at[i] = then;
		script(rig);
		compare(rig, plain, at, lost, then);
		cut = rig->cuts > 0;
		rig_free(rig);
	} while (cut);
	return at;
}

static void a_cut_at_any_request_is_not_seen(void **state)
{
	struct rig *plain = plain_run(false);
	unsigned runs = 0;

	(void)state;
	for (unsigned lost = 0; lost <= BURST; lost++)
		runs += cut_everywhere(plain, lost, 0, false);
	assert_true(runs > 500);
	rig_free(plain);
}

static void a_cut_is_not_seen_with_servers_that_have_one_code(void **state)
{
	struct rig *plain = plain_run(true);

	(void)state;
	for (unsigned lost = 0; lost < 3; lost++)
		(void)cut_everywhere(plain, lost, 0, true);
	rig_free(plain);
}

static void connections_that_die_while_they_recover_are_not_seen(void **state)
{
	struct rig *plain = plain_run(false);

	(void)state;
	for (unsigned lost = 0; lost <= 3; lost++)
		for (unsigned then = 1; then <= 9; then++)
			(void)cut_everywhere(plain, lost, then, false);
	rig_free(plain);
}

#define LOGS	3U
#define RECORDS 40U
#define RECORD	4U

/* What several handles of one log append, and what is in it then. */
struct appends {
	struct rig *rig;
	uint64_t state;
	csftp_fh fh[LOGS];
	struct fs_asked one[RECORDS];
	char text[RECORDS][RECORD];
	unsigned count[LOGS]; /* of the records of each */
};

static uint32_t draw(struct appends *appends, uint32_t below)
{
	appends->state =
		appends->state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(appends->state >> 33) % below;
}

/* "a0:" and so on, or what all of them say. */
static void append(struct appends *appends, unsigned record, bool alike)
{
	unsigned log = draw(appends, LOGS);
	char *text = appends->text[record];

	memcpy(text, "-----", RECORD);
	if (!alike) {
		text[0] = (char)('a' + log);
		text[1] = (char)('0' + appends->count[log] / 10);
		text[2] = (char)('0' + appends->count[log] % 10);
	}
	text[RECORD - 1] = '\n';
	appends->count[log]++;
	fs_ask(appends->rig->caller.fs, &appends->one[record],
	       &(struct csftp_req){.op = CSFTP_OP_WRITE,
				   .fh = appends->fh[log],
				   .data = text,
				   .len = RECORD});
}

/* Each once, and those of one handle in their order. */
static void check_log(struct appends *appends, bool alike)
{
	struct fs_caller *c = &appends->rig->other;
	unsigned seen[LOGS] = {0};
	char want[RECORD + 1];

	assert_int_equal(fs_open(c, "/log", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 10000), 0);
	assert_int_equal(c->data_len, RECORDS * RECORD);
	for (unsigned i = 0; i < RECORDS && !alike; i++) {
		const char *text = (const char *)c->data + i * RECORD;
		unsigned log = (unsigned)(text[0] - 'a');

		assert_in_range(log, 0, LOGS - 1);
		(void)snprintf(want, sizeof(want), "%c%02u\n", text[0],
			       seen[log]++);
		assert_memory_equal(text, want, RECORD);
	}
}

/* How many connections there were but for the first. */
static unsigned append_and_cut(uint64_t seed, bool alike)
{
	struct appends appends = {.rig = rig_new(NULL), .state = seed};
	struct rig *rig = appends.rig;
	unsigned cuts;

	for (unsigned i = 0; i < LOGS; i++) {
		assert_int_equal(fs_open(&rig->caller, "/log", APPENDS), 0);
		appends.fh[i] = rig->caller.fh;
	}
	for (unsigned i = 0; i < 4; i++)
		rig->next_at[i] = draw(&appends, 3) ? draw(&appends, 30) : 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		append(&appends, i, alike);
		if (draw(&appends, 12) == 0) {
			rig->cut.lost = draw(&appends, 6);
			rig->cut.at = rig->cut.done + rig->cut.lost +
				      draw(&appends, 3);
		}
		for (unsigned steps = draw(&appends, 5); steps > 0; steps--)
			(void)rig_step(rig);
		rig->now_ms += draw(&appends, 300);
		(void)survive_tick(rig->survive);
	}
	rig_settle(rig);
	for (unsigned i = 0; i < RECORDS; i++)
		assert_int_equal(appends.one[i].err, 0);
	check_log(&appends, alike);
	cuts = rig->cuts;
	rig_free(rig);
	return cuts;
}

static void append_by_chance(bool alike)
{
	unsigned count = getenv("CSFTP_LONG") ? 20000 : 200;
	unsigned cuts = 0;

	for (unsigned seed = 1; seed <= count; seed++) {
		print_message("# seed %u\n", seed);
		cuts += append_and_cut(seed, alike);
	}
	assert_true(cuts > count);
}

static void what_several_append_is_there_once(void **state)
{
	(void)state;
	append_by_chance(false);
}

static void what_several_append_alike_is_there_as_often(void **state)
{
	(void)state;
	append_by_chance(true);
}

/* Each time, as what is asked is what the server ends for. */
static void a_request_that_ends_each_connection_fails(void **state)
{
	struct rig *rig = rig_new(NULL);
	struct csftp_req look = {.op = CSFTP_OP_GETATTR, .path = "/bad"};
	struct fs_asked bad, good;

	(void)state;
	rig->cut.ends = look.path;
	fs_ask(rig->caller.fs, &bad, &look);
	look.path = "/";
	fs_ask(rig->caller.fs, &good, &look);
	rig_settle(rig);
	assert_int_equal(bad.err, EIO);
	assert_int_equal(good.err, 0);
	assert_int_equal(rig->cuts, SURVIVE_ENDS_MAX);
	assert_int_equal(survive_stuck(rig->survive), 0);
	rig_free(rig);
}

/* One that waits its turn has nothing to do with that. */
static void a_request_behind_others_is_not_blamed(void **state)
{
	struct rig *rig = rig_new(NULL);
	const struct csftp_req look = {.op = CSFTP_OP_GETATTR, .path = "/"};
	struct fs_asked one[3 * SURVIVE_ENDS_MAX];
	const size_t count = sizeof(one) / sizeof(*one);

	(void)state;
	for (size_t i = 0; i < count; i++)
		fs_ask(rig->caller.fs, &one[i], &look);
	/* Each connection has one answer to give. */
	while (one[count - 1].err < 0) {
		rig->cut.at = 1;
		assert_true(rig_step(rig));
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(one[i].err, 0);
	assert_true(rig->cuts > SURVIVE_ENDS_MAX);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_at_any_request_is_not_seen),
		cmocka_unit_test(
			a_cut_is_not_seen_with_servers_that_have_one_code),
		cmocka_unit_test(
			connections_that_die_while_they_recover_are_not_seen),
		cmocka_unit_test(a_request_that_ends_each_connection_fails),
		cmocka_unit_test(a_request_behind_others_is_not_blamed),
		cmocka_unit_test(what_several_append_is_there_once),
		cmocka_unit_test(what_several_append_alike_is_there_as_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
