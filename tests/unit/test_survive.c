/* What handles and requests become when their connection dies. */
#include <errno.h>

#include "tests/lib/fs_suite.h"
#include "tests/lib/survive_rig.h"
#include "tests/lib/test.h"

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

/* A file of ten bytes, opened; it is known by the time of a cut. */
static csftp_fh open_known(struct rig *rig, const char *path, uint32_t flags)
{
	assert_int_equal(fs_put(&rig->other, path, "0123456789", 10), 0);
	assert_int_equal(fs_open(&rig->caller, path, flags), 0);
	rig->now_ms += 1000;
	(void)survive_tick(rig->survive);
	rig_settle(rig);
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

static void a_file_is_found_again_without_fstat(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh same, shrunk;

	rig->cut.no_fstat = true;
	same = open_known(rig, "/a", READS | WRITES);
	shrunk = open_known(rig, "/b", READS | WRITES);
	assert_int_equal(fs_write(c, shrunk, 0, "abcdefghij", 10), 0);
	rig_cut(rig);
	assert_int_equal(fs_put(&rig->other, "/b", "abc", 3), 0);
	assert_int_equal(fs_read(c, same, 0, 10), 0);
	assert_memory_equal(c->data, "0123456789", 10);
	assert_int_equal(fs_read(c, shrunk, 0, 10), ESTALE);
}

static void a_file_that_has_shrunk_or_gone_is_stale(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh shrunk = open_known(rig, "/a", READS | WRITES);
	csftp_fh gone_ = open_known(rig, "/b", READS);
	const struct csftp_attr five = {.mask = CSFTP_ATTR_SIZE, .size = 5};

	assert_int_equal(fs_write(c, shrunk, 0, "x", 1), 0);
	rig_cut(rig);
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
	rig_cut(rig);
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
	int err[BURST + 1];

	rig->cut.at = rig->cut.done + 3;
	rig->cut.lost = 3;
	rig_burst(rig, fh, text, true, err);
	for (size_t i = 0; i <= BURST; i++)
		assert_int_equal(err[i], 0);
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
	rig_settle(rig);
	assert_int_equal(rig->cut.opened, 0);
}

static void down(struct rig *rig)
{
	rig_cut(rig);
	survive_detach(rig->survive);
	rig->stays_down = true;
}

static void up(struct rig *rig)
{
	rig->stays_down = false;
	cut_connect(&rig->cut);
	survive_attach(rig->survive, &rig->cut.relay.fs);
	rig_settle(rig);
}

static void who_waits_can_be_cancelled_and_has_a_deadline(void **state)
{
	struct rig *rig = *state;
	struct csftp_req root = {.op = CSFTP_OP_GETATTR, .path = "/"};
	struct fs_asked one, two, three;

	down(rig);
	fs_ask(rig->caller.fs, &one, &root);
	fs_ask(rig->caller.fs, &three, &root);
	root.deadline_ms = rig->now_ms + 50;
	fs_ask(rig->caller.fs, &two, &root);
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
	struct fs_asked one;

	(void)state;
	down(rig);
	rig_ask_write(rig, &one, fh, "w");
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

static void time_in_which_nobody_ran_is_no_waiting(void **state)
{
	const struct survive_config config = {.timeout_ms = 3000};
	struct rig *rig = rig_new(&config);
	struct fs_asked one;

	(void)state;
	rig->now_ms += 10000;
	down(rig);
	/* It was before that. */
	survive_paused(rig->survive, 5000);
	fs_ask(rig->caller.fs, &one,
	       &(struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/"});
	rig->now_ms += 6000;
	survive_paused(rig->survive, 5000);
	assert_int_equal(survive_tick(rig->survive), rig->now_ms + 2000);
	assert_int_equal(one.err, -1);
	rig->now_ms += 2000;
	(void)survive_tick(rig->survive);
	assert_int_equal(one.err, EIO);
	up(rig);
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
	struct fs_asked other;
	struct fs_asked waiting;
	uint64_t blocks;

	assert_int_equal(fs_statfs(c, "/"), 0);
	blocks = c->statfs.blocks;
	fs_ask(c->fs, &waiting,
	       &(struct csftp_req){.op = CSFTP_OP_STATFS, .path = "/"});
	assert_int_equal(waiting.err, -1);
	down(rig);
	assert_int_equal(waiting.err, 0);
	assert_int_equal(fs_statfs(c, "/"), 0);
	assert_int_equal(c->statfs.blocks, blocks);
	/* Of the same file system, mostly, and nobody waits for umount(8). */
	fs_ask(c->fs, &other,
	       &(struct csftp_req){.op = CSFTP_OP_STATFS, .path = "/other"});
	assert_int_equal(other.err, 0);
	up(rig);
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
	struct fs_asked one[BURST];
	csftp_fh fh = open_known(rig, "/log", APPENDS);

	for (size_t i = 0; i < BURST; i++)
		rig_ask_write(rig, &one[i], fh, ours[i]);
	/* The first look, and three of them. */
	rig->cut.at = rig->cut.done + 4;
	rig->cut.lost = 3;
	while (!rig->cut.dead)
		assert_true(cut_run(&rig->cut));
	assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 0, "others\n", 7),
			 0);
	rig_settle(rig);
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
	struct fs_asked one;

	rig_ask_write(rig, &one, fh, "whole line\n");
	cut_now(&rig->cut);
	assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 0, "whole", 5),
			 0);
	rig_settle(rig);
	assert_int_equal(one.err, 0);
	assert_int_equal(fs_open(c, "/log", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 100), 0);
	assert_int_equal(c->data_len, 21);
	assert_memory_equal(c->data, "0123456789whole line\n", 21);
}

/* What is on its way when another one opens the log is not counted twice. */
static void a_log_that_two_append_to_is_the_same(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh = open_known(rig, "/log", APPENDS);
	struct fs_asked one;

	rig_ask_write(rig, &one, fh, "one");
	assert_int_equal(fs_open(c, "/log", APPENDS), 0);
	assert_int_equal(one.err, 0);
	rig_cut(rig);
	assert_int_equal(fs_write(c, c->fh, 0, "two", 3), 0);
	assert_int_equal(fs_write(c, fh, 0, "three", 5), 0);
	assert_int_equal(fs_open(c, "/log", READS), 0);
	assert_int_equal(fs_read_all(c, c->fh, 0, 100), 0);
	assert_int_equal(c->data_len, 21);
	assert_memory_equal(c->data, "0123456789onetwothree", 21);
}

/* What is left to write may look like what was written. */
static void a_torn_append_is_completed_after_any_cut(void **state)
{
	unsigned cuts = 0;

	(void)state;
	for (unsigned run = 0; run < 24; run++) {
		struct rig *rig = rig_new(NULL);
		struct fs_caller *c = &rig->caller;
		csftp_fh fh = open_known(rig, "/log", APPENDS);
		struct fs_asked one;

		rig->cut.relay.fs.max_write = run % 2 ? 2 : 0;
		rig_ask_write(rig, &one, fh, "abababab");
		cut_now(&rig->cut);
		assert_int_equal(fs_open(&rig->other, "/log", APPENDS), 0);
		assert_int_equal(
			fs_write(&rig->other, rig->other.fh, 0, "abab", 4), 0);
		rig->next_at[0] = 1 + run / 2;
		rig_settle(rig);
		cuts += rig->cuts;
		assert_int_equal(one.err, 0);
		assert_int_equal(fs_open(c, "/log", READS), 0);
		assert_int_equal(fs_read_all(c, c->fh, 0, 100), 0);
		assert_int_equal(c->data_len, 18);
		assert_memory_equal(c->data, "0123456789abababab", 18);
		rig_free(rig);
	}
	assert_in_range(cuts, 24 + 10, 48);
}

static void what_others_made_is_not_taken_for_ours(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	struct fs_asked made;
	struct fs_asked dir;
	struct fs_asked link;
	struct fs_asked hard;
	struct fs_asked same;

	/* As mail programs lock: whoever has made the link has the lock. */
	assert_int_equal(fs_put(&rig->other, "/ours", "our pid", 7), 0);
	rig->now_ms += 5000;
	fs_ask(c->fs, &hard,
	       &(struct csftp_req){
		       .op = CSFTP_OP_LINK, .path = "/ours", .path2 = "/held"});
	fs_ask(c->fs, &same,
	       &(struct csftp_req){
		       .op = CSFTP_OP_LINK, .path = "/ours", .path2 = "/done"});
	fs_ask(c->fs, &made,
	       &(struct csftp_req){.op = CSFTP_OP_OPEN,
				   .path = "/lock",
				   .flags = MAKES | CSFTP_OPEN_EXCL});
	fs_ask(c->fs, &dir,
	       &(struct csftp_req){.op = CSFTP_OP_MKDIR, .path = "/d"});
	fs_ask(c->fs, &link,
	       &(struct csftp_req){
		       .op = CSFTP_OP_SYMLINK, .path = "/s", .path2 = "ours"});
	cut_now(&rig->cut);
	assert_int_equal(fs_put(&rig->other, "/lock", "pid", 3), 0);
	assert_int_equal(fs_put(&rig->other, "/d", "", 0), 0);
	assert_int_equal(fs_put(&rig->other, "/held", "my pid!", 7), 0);
	assert_int_equal(fs_link(&rig->other, "/ours", "/done"), 0);
	assert_int_equal(fs_symlink(&rig->other, "/s", "theirs"), 0);
	rig_settle(rig);
	assert_int_equal(made.err, EEXIST);
	assert_int_equal(dir.err, EEXIST);
	assert_int_equal(link.err, EEXIST);
	assert_int_equal(hard.err, EEXIST);
	assert_int_equal(same.err, 0);
	/* Nor is it, where the first was answered. */
	assert_int_equal(fs_mkdir(c, "/once"), 0);
	assert_int_equal(fs_mkdir(c, "/once"), EEXIST);
	assert_int_equal(fs_unlink(c, "/never"), ENOENT);
}

static void what_was_not_sent_is_not_taken_for_done(void **state)
{
	struct rig *rig = *state;

	rig_cut(rig); /* not detached yet: ENOTCONN */
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
		rig_cut(rig);
		assert_int_equal(fs_write(c, fh, 4, "two", 3), 0);
		assert_int_equal(fs_close(c, fh), 0);
		assert_int_equal(fs_getattr(&rig->other, "/f"), 0);
		assert_int_equal(rig->other.attr.mode & 07777, 0444);
		assert_int_equal(rig->other.attr.size, 7);
		rig_free(rig);
	}
}

/* Or the mode of somebody else's file, in its place, would be changed. */
static void a_mode_is_put_back_whatever_file_it_is(void **state)
{
	const struct csftp_attr read_only = {.mask = CSFTP_ATTR_MODE,
					     .mode = 0444};
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh;

	rig->cut.guarded = true;
	assert_int_equal(fs_call(c, &(struct csftp_req){.op = CSFTP_OP_OPEN,
							.path = "/f",
							.flags = MAKES,
							.attr = &read_only}),
			 0);
	fh = c->fh;
	assert_int_equal(fs_write(c, fh, 0, "ours", 4), 0);
	rig_cut(rig);
	assert_int_equal(fs_put(&rig->other, "/new", "abc", 3), 0);
	assert_int_equal(fs_setattr(&rig->other, "/new", &read_only), 0);
	assert_int_equal(fs_replace(&rig->other, "/new", "/f"), 0);
	assert_int_equal(fs_write(c, fh, 4, "more", 4), ESTALE);
	assert_int_equal(fs_getattr(&rig->other, "/f"), 0);
	assert_int_equal(rig->other.attr.mode & 07777, 0444);
	assert_int_equal(fs_close(c, fh), ESTALE);
	assert_int_equal(rig->cut.opened, 0);
}

/* What becomes of it is not known then, and that is what is said. */
static void who_is_in_doubt_can_be_cancelled(void **state)
{
	struct rig *rig = *state;
	struct fs_asked dir;
	struct fs_asked name;

	assert_int_equal(fs_put(&rig->other, "/f", "", 0), 0);
	fs_ask(rig->caller.fs, &dir,
	       &(struct csftp_req){.op = CSFTP_OP_MKDIR, .path = "/d"});
	fs_ask(rig->caller.fs, &name,
	       &(struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "/f"});
	rig->cut.at = 2;
	rig->cut.lost = 2;
	/* The cut, the connection, and what is asked again. */
	while (rig->cuts == 0 || rig->cut.done < 2)
		assert_true(rig_step(rig));
	assert_int_equal(dir.err, -1);
	assert_int_equal(name.err, -1);
	csftp_cancel(rig->caller.fs, &dir.req);
	csftp_cancel(rig->caller.fs, &name.req);
	assert_int_equal(dir.err, EINTR);
	assert_int_equal(name.err, EINTR);
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

#define PIECES 5

/* Every moment, and pieces cut in the middle by a server that takes less. */
static void payload_in_pieces_is_written_once(void **state)
{
	static const char text[] = "alpha beta gamma delta epsilon";
	static const size_t len[PIECES] = {6, 5, 6, 6, 7};

	(void)state;
	for (unsigned run = 0; run < 16; run++) {
		const struct survive_config config = {.max_write = 100,
						      .traits = CSFTP_FS_PARTS};
		struct rig *rig = rig_new(&config);
		uint32_t flags = run % 2 ? APPENDS : MAKES;
		struct csftp_slice part[PIECES];
		struct fs_asked one;
		size_t at = 0;

		for (size_t i = 0; i < PIECES; at += len[i++])
			part[i] = (struct csftp_slice){text + at, len[i]};
		rig->cut.relay.fs.max_write = run < 8 ? 0 : 8;
		assert_int_equal(fs_open(&rig->caller, "/f", flags), 0);
		rig->cut.at = rig->cut.done + 1 + run / 2 % 4;
		rig->cut.lost = 1;
		fs_ask(rig->caller.fs, &one,
		       &(struct csftp_req){.op = CSFTP_OP_WRITE,
					   .fh = rig->caller.fh,
					   .parts = part,
					   .part_count = PIECES,
					   .len = at});
		rig_settle(rig);
		assert_int_equal(one.err, 0);
		assert_true(rig->cuts == 1 || (run > 1 && run < 8));
		assert_int_equal(fs_open(&rig->other, "/f", READS), 0);
		assert_int_equal(
			fs_read_all(&rig->other, rig->other.fh, 0, 100), 0);
		assert_int_equal(rig->other.data_len, at);
		assert_memory_equal(rig->other.data, text, at);
		rig_free(rig);
	}
}

static void a_suite_passes_over_the_layer(void **state)
{
	struct rig *rig = rig_new(NULL);

	(void)state;
	assert_int_equal(fs_suite_run_over(&rig->caller, &rig->other,
					   "survive over memfs", FS_ALL),
			 0);
	rig_free(rig);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(a_handle_of_a_file_that_was_replaced_is_stale),
		CLAIM(a_file_that_has_grown_is_the_same),
		CLAIM(a_file_is_found_again_without_fstat),
		CLAIM(a_file_that_has_shrunk_or_gone_is_stale),
		CLAIM(a_file_that_was_removed_here_is_stale),
		CLAIM(close_waits_for_what_was_written),
		CLAIM(close_of_what_was_only_read_does_not_wait),
		CLAIM(who_waits_can_be_cancelled_and_has_a_deadline),
		cmocka_unit_test(
			who_waits_too_long_fails_and_the_rest_recovers),
		cmocka_unit_test(time_in_which_nobody_ran_is_no_waiting),
		cmocka_unit_test(with_fail_nothing_waits_and_handles_live_on),
		CLAIM(statfs_is_known_while_it_is_down),
		CLAIM(others_may_append_meanwhile),
		CLAIM(a_torn_append_is_completed),
		CLAIM(a_log_that_two_append_to_is_the_same),
		cmocka_unit_test(a_torn_append_is_completed_after_any_cut),
		CLAIM(what_others_made_is_not_taken_for_ours),
		CLAIM(what_was_not_sent_is_not_taken_for_done),
		cmocka_unit_test(a_mode_that_forbids_it_is_no_hindrance),
		CLAIM(a_mode_is_put_back_whatever_file_it_is),
		CLAIM(who_is_in_doubt_can_be_cancelled),
		cmocka_unit_test(writes_are_split_where_a_server_takes_less),
		cmocka_unit_test(payload_in_pieces_is_written_once),
		cmocka_unit_test(a_suite_passes_over_the_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
