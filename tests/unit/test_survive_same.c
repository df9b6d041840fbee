/* Whether a file that is opened again is the one that was open before. */
#include <errno.h>
#include <string.h>

#include "tests/lib/survive_rig.h"
#include "tests/lib/test.h"

#define BOTH (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)

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

static csftp_fh opens(struct rig *rig, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(&rig->caller, path, flags), 0);
	return rig->caller.fh;
}

/* It is asked what is open, as it is after a while. */
static void wait_for_looks(struct rig *rig)
{
	rig->now_ms += 2000;
	(void)survive_tick(rig->survive);
	rig_settle(rig);
}

/* Somebody else puts a file there. */
static void replace(struct rig *rig, const char *path, const char *text)
{
	struct fs_caller *other = &rig->other;

	rig->now_ms += 5000;
	assert_int_equal(fs_put(other, "/new", text, strlen(text)), 0);
	assert_int_equal(fs_replace(other, "/new", path), 0);
}

static void add(struct rig *rig, const char *path, const char *text)
{
	struct fs_caller *other = &rig->other;
	csftp_fh fh;

	rig->now_ms += 5000;
	assert_int_equal(fs_open(other, path, APPENDS), 0);
	fh = other->fh;
	assert_int_equal(fs_write(other, fh, 0, text, strlen(text)), 0);
	assert_int_equal(fs_close(other, fh), 0);
}

static void assert_content(struct rig *rig, const char *path, const char *want)
{
	struct fs_caller *other = &rig->other;
	csftp_fh fh;

	assert_int_equal(fs_open(other, path, READS), 0);
	fh = other->fh;
	assert_int_equal(fs_read_all(other, fh, 0, 10000), 0);
	assert_int_equal(other->data_len, strlen(want));
	assert_memory_equal(other->data, want, strlen(want));
	assert_int_equal(fs_close(other, fh), 0);
}

#define LARGER "a file that is larger, and newer"

static void what_was_read_tells_a_larger_and_newer_file(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh;

	assert_int_equal(fs_put(&rig->other, "/f", "0123456789", 10), 0);
	fh = opens(rig, "/f", READS);
	assert_int_equal(fs_read(c, fh, 0, 4), 0);
	wait_for_looks(rig);
	rig_cut(rig);
	replace(rig, "/f", LARGER);
	assert_int_equal(fs_read(c, fh, 4, 6), ESTALE);
	assert_int_equal(fs_close(c, fh), 0);
}

/* Whether it was looked at since or not. */
static void what_was_written_tells_a_larger_and_newer_file(void **state)
{
	static const uint32_t flags[] = {WRITES, BOTH, APPENDS};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(flags) / sizeof(*flags); i++) {
		struct rig *rig = rig_new(NULL);
		struct fs_caller *c = &rig->caller;
		csftp_fh fh;

		assert_int_equal(fs_put(&rig->other, "/f", "0123", 4), 0);
		fh = opens(rig, "/f", flags[i / 2]);
		assert_int_equal(fs_write(c, fh, 4, "written", 7), 0);
		if (i % 2)
			wait_for_looks(rig);
		rig_cut(rig);
		replace(rig, "/f", LARGER);
		assert_int_equal(fs_write(c, fh, 11, "more", 4), ESTALE);
		assert_int_equal(fs_close(c, fh), ESTALE);
		assert_content(rig, "/f", LARGER);
		rig_free(rig);
	}
}

static void a_file_that_others_add_to_goes_on(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh reads, writes, appends;

	assert_int_equal(fs_put(&rig->other, "/log", "first\n", 6), 0);
	reads = opens(rig, "/log", READS);
	assert_int_equal(fs_read_all(c, reads, 0, 100), 0);
	appends = opens(rig, "/log", APPENDS);
	assert_int_equal(fs_write(c, appends, 0, "ours\n", 5), 0);
	assert_int_equal(fs_put(&rig->other, "/data", "01234567", 8), 0);
	writes = opens(rig, "/data", WRITES);
	assert_int_equal(fs_write(c, writes, 0, "AB", 2), 0);
	for (int i = 0; i < 3; i++) {
		add(rig, "/log", "theirs\n");
		rig_cut(rig);
		add(rig, "/log", "more of theirs\n");
		add(rig, "/data", "89");
		assert_int_equal(fs_read_all(c, reads, 0, 100), 0);
		assert_int_equal(fs_write(c, appends, 0, "ours\n", 5), 0);
		assert_int_equal(fs_write(c, writes, 2, "CD", 2), 0);
	}
	assert_content(rig, "/log",
		       "first\nours\ntheirs\nmore of theirs\nours\n"
		       "theirs\nmore of theirs\nours\n"
		       "theirs\nmore of theirs\nours\n");
	assert_content(rig, "/data", "ABCD4567898989");
	assert_int_equal(survive_stale(rig->survive), 0);
}

/* As those do who write how much there is once they know. */
static void a_beginning_that_others_change_is_no_other_file(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	char text[6000];
	csftp_fh fh;

	memset(text, 'x', sizeof(text));
	assert_int_equal(fs_put(&rig->other, "/f", text, sizeof(text)), 0);
	fh = opens(rig, "/f", READS);
	assert_int_equal(fs_read(c, fh, 0, 2000), 0);
	assert_int_equal(fs_read(c, fh, 4000, 2000), 0);
	assert_int_equal(fs_read(c, fh, 0, 2000), 0);
	wait_for_looks(rig);
	rig_cut(rig);
	rig->now_ms += 5000;
	assert_int_equal(fs_open(&rig->other, "/f", WRITES), 0);
	assert_int_equal(fs_write(&rig->other, rig->other.fh, 1990,
				  "changed by them", 15),
			 0);
	add(rig, "/f", "and more");
	assert_int_equal(fs_read(c, fh, 6000, 8), 0);
	assert_memory_equal(c->data, "and more", 8);
}

/* The new one has nothing to do with what its name was. */
static void only_old_handles_are_stale(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh old, fresh;

	assert_int_equal(fs_put(&rig->other, "/f", "0123456789", 10), 0);
	old = opens(rig, "/f", READS);
	assert_int_equal(fs_read(c, old, 0, 10), 0);
	wait_for_looks(rig);
	rig_cut(rig);
	replace(rig, "/f", "new");
	assert_int_equal(fs_read(c, old, 0, 10), ESTALE);
	fresh = opens(rig, "/f", READS);
	assert_int_equal(fs_read(c, fresh, 0, 10), 0);
	rig_cut(rig);
	assert_int_equal(fs_read(c, fresh, 0, 10), 0);
	assert_memory_equal(c->data, "new", 3);
	assert_int_equal(fs_read(c, old, 0, 10), ESTALE);
	/* Nor if it was missing for a while. */
	assert_int_equal(fs_unlink(&rig->other, "/f"), 0);
	rig_cut(rig);
	assert_int_equal(fs_read(c, fresh, 0, 10), ESTALE);
	assert_int_equal(fs_put(&rig->other, "/f", "x", 1), 0);
	fresh = opens(rig, "/f", READS);
	rig_cut(rig);
	assert_int_equal(fs_read(c, fresh, 0, 10), 0);
}

/* What was done at the server by another way, and is told. */
static void hear(struct rig *rig, struct csftp_req req)
{
	assert_int_equal(fs_call(&rig->other, &req), 0);
	survive_heard(rig->survive, &req);
}

static csftp_fh written(struct rig *rig, const char *path, const char *text)
{
	csftp_fh fh = opens(rig, path, MAKES);

	assert_int_equal(fs_write(&rig->caller, fh, 0, text, strlen(text)), 0);
	return fh;
}

static void what_is_heard_of_is_followed(void **state)
{
	static const struct csftp_attr times = {
		.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME, .mtime.sec = 5};
	static const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE,
					       .size = 1};
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh moved, below, set, gone;

	assert_int_equal(fs_mkdir(&rig->other, "/d"), 0);
	moved = written(rig, "/f", "one");
	below = written(rig, "/d/f", "two");
	set = written(rig, "/set", "six");
	gone = written(rig, "/gone", "ten");
	wait_for_looks(rig);
	hear(rig, (struct csftp_req){
			  .op = CSFTP_OP_RENAME, .path = "/f", .path2 = "/g"});
	hear(rig, (struct csftp_req){
			  .op = CSFTP_OP_RENAME, .path = "/d", .path2 = "/e"});
	hear(rig, (struct csftp_req){.op = CSFTP_OP_SETATTR,
				     .path = "/set",
				     .attr = &size});
	hear(rig, (struct csftp_req){.op = CSFTP_OP_SETATTR,
				     .path = "/set",
				     .attr = &times});
	hear(rig, (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "/gone"});
	replace(rig, "/f", "another");
	replace(rig, "/gone", "ten and more");
	rig_cut(rig);
	assert_int_equal(fs_write(c, moved, 3, "+", 1), 0);
	assert_int_equal(fs_write(c, below, 3, "+", 1), 0);
	assert_int_equal(fs_write(c, set, 1, "+", 1), 0);
	assert_int_equal(fs_write(c, gone, 3, "+", 1), ESTALE);
	assert_content(rig, "/g", "one+");
	assert_content(rig, "/e/f", "two+");
	assert_content(rig, "/set", "s+");
	assert_content(rig, "/gone", "ten and more");
	assert_content(rig, "/f", "another");
}

/* Whenever that is, also while it is opened again by the name of before. */
static void a_name_can_change_while_it_is_opened_again(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 20; step++) {
		struct rig *rig = rig_new(NULL);
		csftp_fh fh = written(rig, "/f", "one");

		wait_for_looks(rig);
		rig_cut(rig);
		for (unsigned i = 0; i < step; i++)
			(void)rig_step(rig);
		hear(rig, (struct csftp_req){.op = CSFTP_OP_RENAME,
					     .path = "/f",
					     .path2 = "/g"});
		assert_int_equal(fs_write(&rig->caller, fh, 3, "+", 1), 0);
		assert_content(rig, "/g", "one+");
		rig_cut(rig);
		assert_int_equal(fs_write(&rig->caller, fh, 4, "+", 1), 0);
		assert_content(rig, "/g", "one++");
		rig_free(rig);
	}
}

/* The name was given to another one while the connection lived. */
static void two_files_of_one_name_are_told_apart(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh old, fresh;

	assert_int_equal(fs_put(&rig->other, "/log", "old line\n", 9), 0);
	old = opens(rig, "/log", READS);
	assert_int_equal(fs_read(c, old, 0, 100), 0);
	wait_for_looks(rig);
	replace(rig, "/log", "line of a new file\n");
	fresh = opens(rig, "/log", READS);
	assert_int_equal(fs_read(c, fresh, 0, 100), 0);
	assert_int_equal(fs_call(c, &(struct csftp_req){.op = CSFTP_OP_GETATTR,
							.fh = fresh}),
			 0);
	wait_for_looks(rig);
	rig_cut(rig);
	assert_int_equal(fs_read(c, old, 9, 10), ESTALE);
	assert_int_equal(fs_read(c, fresh, 0, 100), 0);
	assert_memory_equal(c->data, "line of a new file\n", 19);
}

/* Its owner may write it, and not read it. */
static void what_cannot_be_read_is_judged_by_its_attributes(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh;

	rig->cut.unreadable = true;
	fh = opens(rig, "/f", WRITES | CSFTP_OPEN_CREAT);
	assert_int_equal(fs_write(c, fh, 0, "0123", 4), 0);
	rig_cut(rig);
	add(rig, "/f", "more");
	assert_int_equal(fs_write(c, fh, 0, "ABCD", 4), 0);
	assert_content(rig, "/f", "ABCDmore");
}

static void what_is_overwritten_is_known_no_more(void **state)
{
	const struct csftp_attr cut = {.mask = CSFTP_ATTR_SIZE, .size = 4};
	struct rig *rig = *state;
	struct fs_caller *c = &rig->caller;
	csftp_fh fh, other;

	fh = opens(rig, "/f", MAKES);
	other = opens(rig, "/f", WRITES);
	assert_int_equal(fs_write(c, fh, 0, "0123456789", 10), 0);
	assert_int_equal(fs_write(c, other, 3, "xxxx", 4), 0);
	rig_cut(rig);
	add(rig, "/f", "more");
	assert_int_equal(fs_write(c, fh, 2, "y", 1), 0);
	assert_int_equal(fs_setattr(c, "/f", &cut), 0);
	rig_cut(rig);
	add(rig, "/f", "new");
	assert_int_equal(fs_write(c, fh, 0, "z", 1), 0);
	assert_content(rig, "/f", "z1yxnew");
	assert_int_equal(survive_stale(rig->survive), 0);
}

static void a_cut_while_it_is_judged_is_judged_again(void **state)
{
	(void)state;
	for (unsigned then = 1; then < 12; then++) {
		struct rig *rig = rig_new(NULL);
		struct fs_caller *c = &rig->caller;
		csftp_fh same, other;

		assert_int_equal(fs_put(&rig->other, "/a", "0123456789", 10),
				 0);
		assert_int_equal(fs_put(&rig->other, "/b", "0123456789", 10),
				 0);
		same = opens(rig, "/a", WRITES);
		other = opens(rig, "/b", WRITES);
		assert_int_equal(fs_write(c, same, 0, "AB", 2), 0);
		assert_int_equal(fs_write(c, other, 0, "AB", 2), 0);
		rig->next_at[0] = then;
		rig_cut(rig);
		add(rig, "/a", "more");
		replace(rig, "/b", LARGER);
		assert_int_equal(fs_write(c, same, 2, "CD", 2), 0);
		assert_int_equal(fs_write(c, other, 2, "CD", 2), ESTALE);
		assert_content(rig, "/a", "ABCD456789more");
		assert_content(rig, "/b", LARGER);
		rig_free(rig);
	}
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(what_was_read_tells_a_larger_and_newer_file),
		cmocka_unit_test(
			what_was_written_tells_a_larger_and_newer_file),
		CLAIM(a_file_that_others_add_to_goes_on),
		CLAIM(a_beginning_that_others_change_is_no_other_file),
		CLAIM(only_old_handles_are_stale),
		CLAIM(what_is_heard_of_is_followed),
		CLAIM(a_name_can_change_while_it_is_opened_again),
		CLAIM(two_files_of_one_name_are_told_apart),
		CLAIM(what_cannot_be_read_is_judged_by_its_attributes),
		CLAIM(what_is_overwritten_is_known_no_more),
		cmocka_unit_test(a_cut_while_it_is_judged_is_judged_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
