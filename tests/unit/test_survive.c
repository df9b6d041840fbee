/* Connections that die at any moment, and what is not seen of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/survive.h"
#include "csftp/memfs.h"
#include "tests/lib/cut.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define READS	CSFTP_OPEN_READ
#define WRITES	CSFTP_OPEN_WRITE
#define MAKES	(CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)
#define APPENDS (CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_CREAT)

#define SAID_MAX 16384

struct rig {
	struct csftp_fs *memfs;
	struct cut cut;
	struct survive *survive;
	struct fs_caller caller; /* of the layer */
	struct fs_caller other;	 /* of memfs, behind its back */
	uint64_t now_ms;
	/* Cuts of the connections to come, as in struct cut. */
	unsigned next_at[4];
	unsigned cuts;
	bool stays_down;
	char said[SAID_MAX];
	size_t said_len;
};

static uint64_t now(void *arg)
{
	return ((struct rig *)arg)->now_ms;
}

static bool gone(void *arg)
{
	return cut_gone(&((struct rig *)arg)->cut);
}

static void reconnect(struct rig *rig)
{
	survive_detach(rig->survive);
	cut_connect(&rig->cut);
	if (rig->cuts < sizeof(rig->next_at) / sizeof(rig->next_at[0]))
		rig->cut.at = rig->next_at[rig->cuts];
	rig->cuts++;
	survive_attach(rig->survive, &rig->cut.relay.fs);
}

static bool drive(void *arg)
{
	struct rig *rig = arg;

	if (!rig->cut.dead)
		return cut_run(&rig->cut);
	if (rig->stays_down)
		return false;
	reconnect(rig);
	return true;
}

static void settle(struct rig *rig)
{
	while (drive(rig))
		continue;
}

static struct csftp_time wall_clock(void *arg)
{
	return (struct csftp_time){(int64_t)now(arg) / 1000, 0};
}

static struct rig *rig_new(const struct survive_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	const struct csftp_memfs_config memfs = {.clock = wall_clock,
						 .arg = rig};
	struct survive_config config =
		wish ? *wish : (struct survive_config){0};

	assert_non_null(rig);
	rig->now_ms = 1700000000000;
	assert_int_equal(csftp_memfs_new(&rig->memfs, &memfs), CSFTP_OK);
	cut_init(&rig->cut, rig->memfs);
	config.now_ms = now;
	config.gone = gone;
	config.arg = rig;
	assert_int_equal(survive_new(&rig->survive, &config), CSFTP_OK);
	survive_attach(rig->survive, &rig->cut.relay.fs);
	rig->caller = (struct fs_caller){
		.fs = survive_fs(rig->survive), .drive = drive, .arg = rig};
	rig->other.fs = rig->memfs;
	return rig;
}

static void rig_free(struct rig *rig)
{
	settle(rig);
	survive_end(rig->survive);
	if (!rig->cut.dead)
		cut_now(&rig->cut);
	survive_free(rig->survive);
	cut_release(&rig->cut);
	fs_caller_release(&rig->caller);
	fs_caller_release(&rig->other);
	csftp_memfs_free(rig->memfs);
	free(rig);
}

static int setup(void **state)
{
	*state = rig_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* Cuts once all that was asked is done; with `lost` answers lost. */
static void cut_here(struct rig *rig)
{
	settle(rig);
	cut_now(&rig->cut);
}

/*
 * A script of all operations, and what its caller saw of it.
 */

__attribute__((format(printf, 2, 3))) static void say(struct rig *rig,
						      const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(rig->said + rig->said_len, SAID_MAX - rig->said_len,
			format, args);
	va_end(args);
	assert_in_range(len, 0, SAID_MAX - rig->said_len - 1);
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

struct burst {
	struct csftp_req req;
	int err; /* -1: not answered */
};

static void burst_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct burst *)req)->err = reply->err;
}

#define BURST 6

/* Writes that are all out at a time, and CLOSE behind them. */
static void burst(struct rig *rig, csftp_fh fh, const char *const text[BURST],
		  bool closes)
{
	struct burst one[BURST + 1];
	uint64_t off = 0;

	for (size_t i = 0; i <= BURST; i++) {
		size_t len = i < BURST ? strlen(text[i]) : 0;

		one[i] = (struct burst){
			.req = {.op = i < BURST ? CSFTP_OP_WRITE
						: CSFTP_OP_CLOSE,
				.done = burst_done,
				.fh = fh,
				.off = off,
				.len = len,
				.data = i < BURST ? text[i] : NULL},
			.err = i < BURST || closes ? -1 : 0,
		};
		off += len;
		if (one[i].err < 0)
			csftp_submit(rig->caller.fs, &one[i].req);
	}
	for (size_t i = 0; i <= BURST; i++) {
		while (one[i].err < 0)
			assert_true(drive(rig));
		did(rig, "burst", one[i].err);
	}
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
	settle(rig);
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

/*
 * Single claims
 */

/* A file of ten bytes, opened; it is known by the time of a cut. */
static csftp_fh open_known(struct rig *rig, const char *path, uint32_t flags)
{
	assert_int_equal(fs_put(&rig->other, path, "0123456789", 10), 0);
	assert_int_equal(fs_open(&rig->caller, path, flags), 0);
	rig->now_ms += 1000;
	(void)survive_tick(rig->survive);
	settle(rig);
	return rig->caller.fh;
}

static void a_handle_of_a_file_that_was_replaced_is_stale(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh replaced = open_known(rig, "/a", READS);
	csftp_fh other = open_known(rig, "/b", READS);

	cut_now(&rig->cut);
	rig->now_ms += 5000;
	assert_int_equal(fs_put(&rig->other, "/new", "abcdefghij", 10), 0);
	assert_int_equal(fs_replace(&rig->other, "/new", "/a"), 0);
	assert_int_equal(fs_read(c, replaced, 0, 10), ESTALE);
	assert_int_equal(fs_read(c, other, 0, 10), 0);
	assert_int_equal(survive_stale(rig->survive), 1);
	assert_int_equal(fs_close(c, replaced), 0);
	/* Opened anew, it is what it is now. */
	assert_int_equal(fs_open(c, "/a", READS), 0);
	assert_int_equal(fs_read(c, c->fh, 0, 10), 0);
	assert_memory_equal(c->data, "abcdefghij", 10);
}

static void a_file_that_has_grown_is_the_same(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = open_known(rig, "/log", READS);

	cut_now(&rig->cut);
	rig->now_ms += 5000;
	assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 0, "more", 4), 0);
	assert_int_equal(fs_read_all(&rig->caller, fh, 0, 20), 0);
	assert_memory_equal(rig->caller.data, "0123456789more", 14);
}

static void a_file_that_has_shrunk_or_gone_is_stale(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh shrunk = open_known(rig, "/a", READS | WRITES);
	csftp_fh gone_ = open_known(rig, "/b", READS);
	const struct csftp_attr five = {.mask = CSFTP_ATTR_SIZE, .size = 5};

	assert_int_equal(fs_write(c, shrunk, 0, "x", 1), 0);
	cut_here(rig);
	assert_int_equal(fs_setattr(&rig->other, "/a", &five), 0);
	assert_int_equal(fs_unlink(&rig->other, "/b"), 0);
	assert_int_equal(fs_read(c, shrunk, 0, 10), ESTALE);
	assert_int_equal(fs_read(c, gone_, 0, 10), ESTALE);
	/* What was written may be what is missing. */
	assert_int_equal(fs_close(c, shrunk), ESTALE);
	assert_int_equal(fs_close(c, gone_), 0);
}

static void a_file_that_was_removed_here_is_stale(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/a", READS | WRITES);
	csftp_fh over = open_known(rig, "/b", READS | WRITES);

	assert_int_equal(fs_write(c, fh, 0, "x", 1), 0);
	assert_int_equal(fs_unlink(c, "/a"), 0);
	assert_int_equal(fs_put(c, "/c", "new", 3), 0);
	assert_int_equal(fs_replace(c, "/c", "/b"), 0);
	/* It is open below, until then. */
	assert_int_equal(fs_read(c, fh, 0, 10), 0);
	cut_here(rig);
	assert_int_equal(fs_write(c, fh, 0, "x", 1), ESTALE);
	assert_int_equal(fs_write(c, over, 0, "x", 1), ESTALE);
	assert_int_equal(fs_close(c, fh), 0);
	assert_int_equal(fs_close(c, over), 0);
	assert_int_equal(fs_open(c, "/b", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 10), 0);
	assert_memory_equal(c->data, "new", 3);
}

static void close_waits_for_what_was_written(void **state)
{
	static const char *const text[BURST] = {"one ",	 "two ",  "three ",
						"four ", "five ", "six"};
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/a", WRITES);

	rig->cut.at = rig->cut.done + 3;
	rig->cut.lost = 3;
	burst(rig, fh, text, true);
	assert_int_equal(rig->cuts, 1);
	assert_int_equal(fs_open(c, "/a", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 100), 0);
	assert_int_equal(c->data_len, 27);
	assert_memory_equal(c->data, "one two three four five six", 27);
}

static void close_of_what_was_only_read_does_not_wait(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh = open_known(rig, "/a", READS);

	cut_now(&rig->cut);
	survive_detach(rig->survive);
	rig->stays_down = true;
	assert_int_equal(fs_close(&rig->caller, fh), 0);
	assert_int_equal(fs_close(&rig->caller, fh), EBADF);
	rig->stays_down = false;
	cut_connect(&rig->cut);
	survive_attach(rig->survive, &rig->cut.relay.fs);
	settle(rig);
	assert_int_equal(rig->cut.opened, 0);
}

static void down(struct rig *rig)
{
	cut_here(rig);
	survive_detach(rig->survive);
	rig->stays_down = true;
}

static void up(struct rig *rig)
{
	rig->stays_down = false;
	cut_connect(&rig->cut);
	survive_attach(rig->survive, &rig->cut.relay.fs);
	settle(rig);
}

static void who_waits_can_be_cancelled_and_has_a_deadline(void **state)
{
	struct rig *rig = *state;
	struct burst one = {.req = {.op = CSFTP_OP_GETATTR,
				    .path = "/",
				    .done = burst_done},
			    .err = -1};
	struct burst two = one, three = one;

	down(rig);
	two.req.deadline_ms = rig->now_ms + 50;
	csftp_submit(rig->caller.fs, &one.req);
	csftp_submit(rig->caller.fs, &two.req);
	csftp_submit(rig->caller.fs, &three.req);
	assert_int_equal(survive_waiting(rig->survive), 3);
	csftp_cancel(rig->caller.fs, &one.req);
	assert_int_equal(one.err, EINTR);
	assert_int_equal(survive_tick(rig->survive), rig->now_ms + 50);
	assert_int_equal(two.err, -1);
	rig->now_ms += 50;
	(void)survive_tick(rig->survive);
	assert_int_equal(two.err, ETIMEDOUT);
	assert_int_equal(three.err, -1);
	up(rig);
	assert_int_equal(three.err, 0);
	assert_true(survive_is_up(rig->survive));
}

static void who_waits_too_long_fails_and_the_rest_recovers(void **state)
{
	const struct survive_config config = {.timeout_ms = 3000};
	struct rig *rig = rig_new(&config);
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/a", READS | WRITES);
	struct burst one = {.req = {.op = CSFTP_OP_WRITE,
				    .fh = fh,
				    .data = "w",
				    .len = 1,
				    .done = burst_done},
			    .err = -1};

	(void)state;
	down(rig);
	csftp_submit(c->fs, &one.req);
	rig->now_ms += 2999;
	assert_int_equal(survive_tick(rig->survive), rig->now_ms + 1);
	assert_int_equal(one.err, -1);
	rig->now_ms += 1;
	(void)survive_tick(rig->survive);
	assert_int_equal(one.err, EIO);
	assert_int_equal(fs_getattr(c, "/"), EIO);
	up(rig);
	assert_int_equal(fs_read_all(c, fh, 0, 100), 0);
	assert_memory_equal(c->data, "0123456789", 10);
	assert_int_equal(fs_write(c, fh, 0, "w", 1), 0);
	assert_int_equal(fs_close(c, fh), 0);
	rig_free(rig);
}

static void with_fail_nothing_waits_and_handles_live_on(void **state)
{
	const struct survive_config config = {.fail = true};
	struct rig *rig = rig_new(&config);
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/a", READS);

	(void)state;
	down(rig);
	assert_int_equal(fs_read(c, fh, 0, 10), EIO);
	assert_int_equal(fs_mkdir(c, "/d"), EIO);
	up(rig);
	assert_int_equal(fs_read(c, fh, 0, 10), 0);
	assert_int_equal(fs_lgetattr(c, "/d"), ENOENT);
	rig_free(rig);
}

static void statfs_is_known_while_it_is_down(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	struct burst other = {.req = {.op = CSFTP_OP_STATFS,
				      .path = "/other",
				      .done = burst_done},
			      .err = -1};
	uint64_t blocks;

	assert_int_equal(fs_statfs(c, "/"), 0);
	blocks = c->statfs.blocks;
	down(rig);
	assert_int_equal(fs_statfs(c, "/"), 0);
	assert_int_equal(c->statfs.blocks, blocks);
	csftp_submit(c->fs, &other.req);
	assert_int_equal(other.err, -1);
	up(rig);
	assert_true(other.err >= 0);
}

/* Who else appends does not make ours lost or doubled. */
static void others_may_append_meanwhile(void **state)
{
	static const char *const ours[BURST] = {"A1\n", "A2\n", "A3\n",
						"A4\n", "A5\n", "A6\n"};
	static const char want[] = "0123456789A1\nA2\nA3\nothers\nA4\nA5\n"
				   "A6\n";
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	struct burst one[BURST];
	csftp_fh fh = open_known(rig, "/log", APPENDS);

	for (size_t i = 0; i < BURST; i++) {
		one[i] = (struct burst){.req = {.op = CSFTP_OP_WRITE,
						.fh = fh,
						.data = ours[i],
						.len = 3,
						.done = burst_done},
					.err = -1};
		csftp_submit(c->fs, &one[i].req);
	}
	/* The first look, and three of them. */
	rig->cut.at = rig->cut.done + 4;
	rig->cut.lost = 3;
	while (!rig->cut.dead)
		assert_true(cut_run(&rig->cut));
	assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 0, "others\n", 7),
			 0);
	settle(rig);
	for (size_t i = 0; i < BURST; i++)
		assert_int_equal(one[i].err, 0);
	assert_int_equal(fs_open(&rig->other, "/log", READS), 0);
	assert_int_equal(fs_read_all(&rig->other, rig->other.fh, 0, 100), 0);
	assert_int_equal(rig->other.data_len, sizeof(want) - 1);
	assert_memory_equal(rig->other.data, want, sizeof(want) - 1);
	assert_int_equal(fs_close(c, fh), 0);
}

/* A server that was killed inside a write. */
static void a_torn_append_is_completed(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/log", APPENDS);
	struct burst one = {.req = {.op = CSFTP_OP_WRITE,
				    .fh = fh,
				    .data = "whole line\n",
				    .len = 11,
				    .done = burst_done},
			    .err = -1};

	csftp_submit(c->fs, &one.req);
	cut_now(&rig->cut);
	assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 0, "whole", 5),
			 0);
	settle(rig);
	assert_int_equal(one.err, 0);
	assert_int_equal(fs_open(c, "/log", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 100), 0);
	assert_int_equal(c->data_len, 21);
	assert_memory_equal(c->data, "0123456789whole line\n", 21);
}

static void what_others_made_is_not_taken_for_ours(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	struct burst made = {.req = {.op = CSFTP_OP_OPEN,
				     .path = "/lock",
				     .flags = MAKES | CSFTP_OPEN_EXCL,
				     .done = burst_done},
			     .err = -1};
	struct burst dir = {
		.req = {.op = CSFTP_OP_MKDIR, .path = "/d", .done = burst_done},
		.err = -1};
	struct burst link = {.req = {.op = CSFTP_OP_SYMLINK,
				     .path = "/s",
				     .path2 = "ours",
				     .done = burst_done},
			     .err = -1};

	csftp_submit(c->fs, &made.req);
	csftp_submit(c->fs, &dir.req);
	csftp_submit(c->fs, &link.req);
	cut_now(&rig->cut);
	assert_int_equal(fs_put(&rig->other, "/lock", "pid", 3), 0);
	assert_int_equal(fs_put(&rig->other, "/d", "", 0), 0);
	assert_int_equal(fs_symlink(&rig->other, "/s", "theirs"), 0);
	settle(rig);
	assert_int_equal(made.err, EEXIST);
	assert_int_equal(dir.err, EEXIST);
	assert_int_equal(link.err, EEXIST);
	/* Nor is it, where the first was answered. */
	assert_int_equal(fs_mkdir(c, "/once"), 0);
	assert_int_equal(fs_mkdir(c, "/once"), EEXIST);
	assert_int_equal(fs_unlink(c, "/never"), ENOENT);
}

static void what_was_not_sent_is_not_taken_for_done(void **state)
{
	struct rig *rig = *state;

	cut_here(rig); /* not detached yet: ENOTCONN */
	assert_int_equal(fs_mkdir(&rig->other, "/d"), 0);
	assert_int_equal(fs_mkdir(&rig->caller, "/d"), EEXIST);
	assert_int_equal(fs_unlink(&rig->caller, "/none"), ENOENT);
	assert_int_equal(rig->cuts, 1);
}

/* A file that is made read-only and written, as git makes its objects. */
static void a_mode_that_forbids_it_is_no_hindrance(void **state)
{
	const struct csftp_attr read_only = {.mask = CSFTP_ATTR_MODE,
					     .mode = 0444};

	(void)state;
	for (unsigned then = 0; then < 8; then++) {
		struct rig *rig = rig_new(NULL);
		struct fs_caller *c = &rig->caller;
		csftp_fh fh;

		rig->cut.guarded = true;
		assert_int_equal(
			fs_call(c, &(struct csftp_req){.op = CSFTP_OP_OPEN,
						       .path = "/f",
						       .flags = MAKES,
						       .attr = &read_only}),
			0);
		fh = c->fh;
		assert_int_equal(fs_write(c, fh, 0, "one ", 4), 0);
		rig->next_at[0] = then; /* in the middle of it, again */
		cut_here(rig);
		assert_int_equal(fs_write(c, fh, 4, "two", 3), 0);
		assert_int_equal(fs_close(c, fh), 0);
		assert_int_equal(fs_getattr(&rig->other, "/f"), 0);
		assert_int_equal(rig->other.attr.mode & 07777, 0444);
		assert_int_equal(rig->other.attr.size, 7);
		rig_free(rig);
	}
}

static void writes_are_split_where_a_server_takes_less(void **state)
{
	const struct survive_config config = {.max_write = 1000};
	struct rig *rig = rig_new(&config);
	struct fs_caller *c = &rig->caller;
	uint8_t bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_int_equal(rig->caller.fs->max_write, 1000);
	rig->cut.relay.fs.max_write = 64;
	assert_int_equal(fs_open(c, "/f", MAKES), 0);
	rig->cut.at = rig->cut.done + 9;
	rig->cut.lost = 1;
	assert_int_equal(fs_write(c, c->fh, 0, bytes, sizeof(bytes)), 0);
	assert_int_equal(rig->cuts, 1);
	assert_int_equal(fs_open(&rig->other, "/f", READS), 0);
	assert_int_equal(fs_read_all(&rig->other, rig->other.fh, 0, 2000), 0);
	assert_int_equal(rig->other.data_len, sizeof(bytes));
	assert_memory_equal(rig->other.data, bytes, sizeof(bytes));
	rig_free(rig);
}

static void a_suite_passes_over_the_layer(void **state)
{
	struct rig *rig = rig_new(NULL);
	struct fs_suite suite = {
		.name = "survive over memfs", .base = "/base", .has = FS_ALL};

	(void)state;
	assert_int_equal(fs_mkdir(&rig->other, "/base"), 0);
	suite.caller = rig->caller;
	assert_int_equal(fs_suite_run(&suite), 0);
	fs_caller_release(&suite.caller);
	rig_free(rig);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_at_any_request_is_not_seen),
		cmocka_unit_test(
			a_cut_is_not_seen_with_servers_that_have_one_code),
		cmocka_unit_test(
			connections_that_die_while_they_recover_are_not_seen),
		CLAIM(a_handle_of_a_file_that_was_replaced_is_stale),
		CLAIM(a_file_that_has_grown_is_the_same),
		CLAIM(a_file_that_has_shrunk_or_gone_is_stale),
		CLAIM(a_file_that_was_removed_here_is_stale),
		CLAIM(close_waits_for_what_was_written),
		CLAIM(close_of_what_was_only_read_does_not_wait),
		CLAIM(who_waits_can_be_cancelled_and_has_a_deadline),
		cmocka_unit_test(
			who_waits_too_long_fails_and_the_rest_recovers),
		cmocka_unit_test(with_fail_nothing_waits_and_handles_live_on),
		CLAIM(statfs_is_known_while_it_is_down),
		CLAIM(others_may_append_meanwhile),
		CLAIM(a_torn_append_is_completed),
		CLAIM(what_others_made_is_not_taken_for_ours),
		CLAIM(what_was_not_sent_is_not_taken_for_done),
		cmocka_unit_test(a_mode_that_forbids_it_is_no_hindrance),
		cmocka_unit_test(writes_are_split_where_a_server_takes_less),
		cmocka_unit_test(a_suite_passes_over_the_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
