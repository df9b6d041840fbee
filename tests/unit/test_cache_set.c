/* The cache, over memfs, when attributes are set. */

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

/* Asks without waiting, as the frontend does behind what it changes. */
static void ask(struct far *far, struct fs_asked *asked, enum csftp_op op,
		const char *path, const struct csftp_attr *attr)
{
	fs_ask(cache_fs(far->cache), asked,
	       &(struct csftp_req){.op = op,
				   .flags = attr ? 0 : CSFTP_NOFOLLOW,
				   .path = path,
				   .attr = attr});
}

static void make_dir(struct far *far, const char *path)
{
	struct fs_asked make;
	struct fs_asked look;

	ask(far, &make, CSFTP_OP_MKDIR, path, NULL);
	ask(far, &look, CSFTP_OP_GETATTR, path, NULL);
	far_settle(far);
	assert_int_equal(make.err, 0);
	assert_int_equal(look.err, 0);
}

static struct csftp_attr owner_of(struct far *far, const char *path)
{
	assert_int_equal(fs_lgetattr(&far->other, path), 0);
	return (struct csftp_attr){
		.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.uid = far->other.attr.uid,
		.gid = far->other.attr.gid,
	};
}

static const struct csftp_attr mode_750 = {.mask = CSFTP_ATTR_MODE,
					   .mode = 0750};

static const struct csftp_attr old_mtime = {.mask = CSFTP_ATTR_MTIME,
					    .mtime = {.sec = 55}};

static void what_was_asked_behind_a_mkdir_is_known(void **state)
{
	struct far *far = *state;

	make_dir(far, "/d");
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_int_equal(far->all, 0);
}

/* It could be of the time before the second change. */
static void between_two_changes_nothing_is_known(void **state)
{
	struct far *far = *state;
	struct fs_asked make;
	struct fs_asked look;
	struct fs_asked set;

	ask(far, &make, CSFTP_OP_MKDIR, "/d", NULL);
	ask(far, &look, CSFTP_OP_GETATTR, "/d", NULL);
	ask(far, &set, CSFTP_OP_SETATTR, "/d", &mode_750);
	far_settle(far);
	assert_int_equal(set.err, 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_int_equal(far->caller.attr.mode & 07777, 0750);
}

static void the_owner_that_our_directory_has_is_not_set(void **state)
{
	struct far *far = *state;
	struct csftp_attr owner;

	make_dir(far, "/d");
	owner = owner_of(far, "/d");
	far_put(&far->caller, "/d/f", "x");
	far_begin(far);
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &owner), 0);
	assert_int_equal(far->all, 0);
	owner.gid++;
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &owner), 0);
	assert_int_equal(owner_of(far, "/d").gid, owner.gid);
}

/* Others have had the time to make it theirs. */
static void after_its_time_or_of_others_it_is_set(void **state)
{
	struct far *far = *state;
	struct csftp_attr owner;

	make_dir(far, "/d");
	assert_int_equal(fs_mkdir(&far->other, "/theirs"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/theirs"), 0);
	owner = owner_of(far, "/theirs");
	far_begin(far);
	assert_int_equal(fs_lsetattr(&far->caller, "/theirs", &owner), 0);
	assert_int_equal(far->asked[CSFTP_OP_SETATTR], 1);
	far->now_ms += 20000;
	owner = owner_of(far, "/d");
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &owner), 0);
	assert_int_equal(far->asked[CSFTP_OP_SETATTR], 2);
}

static void a_mode_is_known_as_it_was_set(void **state)
{
	struct far *far = *state;
	struct csftp_attr mode = mode_750;

	make_dir(far, "/d");
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &mode), 0);
	far_begin(far);
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &mode), 0);
	assert_int_equal(far->all, 0);
	mode.mode = 0700;
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &mode), 0);
	assert_int_equal(fs_lgetattr(&far->other, "/d"), 0);
	assert_int_equal(far->other.attr.mode & 07777, 0700);
}

static void our_directory_gets_both_its_times(void **state)
{
	struct far *far = *state;
	int64_t atime;

	make_dir(far, "/d");
	assert_int_equal(fs_lgetattr(&far->other, "/d"), 0);
	atime = far->other.attr.atime.sec;
	far->now_ms += 5000;
	far_begin(far);
	assert_int_equal(fs_lsetattr(&far->caller, "/d", &old_mtime), 0);
	assert_int_equal(far->trips, 1);
	assert_int_equal(fs_lgetattr(&far->other, "/d"), 0);
	assert_int_equal(far->other.attr.atime.sec, atime);
	assert_int_equal(far->other.attr.mtime.sec, 55);
}

/* Attributes as they were set are those that were asked for behind it. */
static void what_was_asked_behind_a_setattr_is_known(void **state)
{
	struct far *far = *state;
	struct fs_asked look;
	struct fs_asked set;

	far_put(&far->other, "/f", "text");
	assert_int_equal(fs_lgetattr(&far->caller, "/f"), 0);
	ask(far, &set, CSFTP_OP_SETATTR, "/f", &mode_750);
	ask(far, &look, CSFTP_OP_GETATTR, "/f", NULL);
	far_settle(far);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/f"), 0);
	assert_int_equal(far->caller.attr.mode & 07777, 0750);
	assert_int_equal(far->all, 0);
}

/* As git(1) does with objects that it copies. */
static void the_times_of_what_we_wrote_are_known(void **state)
{
	const struct csftp_attr times = {.mask = CSFTP_ATTR_ATIME |
						 CSFTP_ATTR_MTIME,
					 .atime = {.sec = 44},
					 .mtime = {.sec = 55}};
	struct far *far = *state;
	struct fs_asked look;
	struct fs_asked set;

	assert_int_equal(fs_mkdir(&far->caller, "/d"), 0);
	far_put(&far->caller, "/d/f", "text");
	ask(far, &set, CSFTP_OP_SETATTR, "/d/f", &times);
	ask(far, &look, CSFTP_OP_GETATTR, "/d/f", NULL);
	far_settle(far);
	assert_int_equal(set.err, 0);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/d/f"), 0);
	assert_int_equal(far->caller.attr.mtime.sec, 55);
	assert_int_equal(far->caller.attr.size, 4);
	assert_int_equal(far->all, 0);
}

/* The size came in between, or did not: who knows. */
static void what_was_asked_behind_a_size_is_not_known(void **state)
{
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 2};
	struct far *far = *state;
	struct fs_asked look;
	struct fs_asked set;

	far_put(&far->other, "/f", "text");
	assert_int_equal(fs_lgetattr(&far->caller, "/f"), 0);
	ask(far, &set, CSFTP_OP_SETATTR, "/f", &size);
	ask(far, &look, CSFTP_OP_GETATTR, "/f", NULL);
	far_settle(far);
	far_begin(far);
	assert_int_equal(fs_lgetattr(&far->caller, "/f"), 0);
	assert_int_equal(far->caller.attr.size, 2);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
}

static int ask_roughly(struct far *far, const char *path)
{
	return fs_call(
		&far->caller,
		&(struct csftp_req){.op = CSFTP_OP_GETATTR,
				    .flags = CSFTP_NOFOLLOW | CSFTP_ROUGH,
				    .path = path});
}

/* But for its times, which change with each name. */
static void a_directory_that_we_fill_is_known_roughly(void **state)
{
	struct far *far = *state;

	assert_int_equal(fs_mkdir(&far->other, "/d"), 0);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_int_equal(far_list(&far->caller, "/d"), 0);
	far_put(&far->caller, "/d/f", "x");
	far_begin(far);
	assert_int_equal(ask_roughly(far, "/d"), 0);
	assert_int_equal(far->all, 0);
	assert_false(far->caller.attr.mask & CSFTP_ATTR_MTIME);
	assert_true(far->caller.attr.mask & CSFTP_ATTR_MODE);
	assert_int_equal(fs_lgetattr(&far->caller, "/d"), 0);
	assert_true(far->caller.attr.mask & CSFTP_ATTR_MTIME);
	assert_int_equal(far->asked[CSFTP_OP_GETATTR], 1);
	/* Others change its mode. */
	assert_int_equal(fs_setattr(&far->other, "/d", &mode_750), 0);
	far_put(&far->caller, "/d/g", "x");
	far->now_ms += 20000;
	assert_int_equal(ask_roughly(far, "/d"), 0);
	assert_int_equal(far->caller.attr.mode & 07777, 0750);
	/* A file has no part that is not about its content. */
	far_put(&far->caller, "/d/f", "longer");
	assert_int_equal(ask_roughly(far, "/d/f"), 0);
	assert_int_equal(far->caller.attr.size, 6);
}

#define SET_TEST(name)                                                         \
	cmocka_unit_test_setup_teardown(name, far_set_up, far_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(what_was_asked_behind_a_mkdir_is_known),
		SET_TEST(between_two_changes_nothing_is_known),
		SET_TEST(the_owner_that_our_directory_has_is_not_set),
		SET_TEST(after_its_time_or_of_others_it_is_set),
		SET_TEST(a_mode_is_known_as_it_was_set),
		SET_TEST(our_directory_gets_both_its_times),
		SET_TEST(what_was_asked_behind_a_setattr_is_known),
		SET_TEST(the_times_of_what_we_wrote_are_known),
		SET_TEST(what_was_asked_behind_a_size_is_not_known),
		SET_TEST(a_directory_that_we_fill_is_known_roughly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
