/* The cache, over memfs, when attributes are set. */
#include <errno.h>
#include <stdlib.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct rig {
	struct far far; /* first */
	struct cache *cache;
	struct fs_caller *c;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct cache_config config = {.now_ms = far_now, .arg = rig};

	assert_non_null(rig);
	far_init(&rig->far);
	config.under = &rig->far.relay.fs;
	assert_int_equal(cache_new(&rig->cache, &config), CSFTP_OK);
	rig->far.caller.fs = cache_fs(rig->cache);
	rig->c = &rig->far.caller;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	far_settle(&rig->far);
	assert_int_equal(cache_pending(rig->cache), 0);
	cache_free(rig->cache);
	far_release(&rig->far);
	free(rig);
	return 0;
}

struct ask {
	struct csftp_req req; /* first */
	struct csftp_attr attr;
	int err;
};

static void asked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ask *ask = (struct ask *)req;

	ask->err = reply->err;
	if (!reply->err && reply->attr)
		ask->attr = *reply->attr;
}

/* Asks without waiting, as the frontend does behind what it changes. */
static void submit(struct rig *rig, struct ask *ask, enum csftp_op op,
		   const char *path, const struct csftp_attr *attr)
{
	*ask = (struct ask){.req = {.op = op,
				    .flags = attr ? 0 : CSFTP_NOFOLLOW,
				    .done = asked,
				    .path = path,
				    .attr = attr},
			    .err = -1};
	csftp_submit(cache_fs(rig->cache), &ask->req);
}

static void make_dir(struct rig *rig, const char *path)
{
	struct ask make;
	struct ask look;

	submit(rig, &make, CSFTP_OP_MKDIR, path, NULL);
	submit(rig, &look, CSFTP_OP_GETATTR, path, NULL);
	far_settle(&rig->far);
	assert_int_equal(make.err, 0);
	assert_int_equal(look.err, 0);
}

static struct csftp_attr owner_of(struct rig *rig, const char *path)
{
	assert_int_equal(fs_lgetattr(&rig->far.other, path), 0);
	return (struct csftp_attr){
		.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.uid = rig->far.other.attr.uid,
		.gid = rig->far.other.attr.gid,
	};
}

static const struct csftp_attr mode_750 = {.mask = CSFTP_ATTR_MODE,
					   .mode = 0750};

static const struct csftp_attr old_mtime = {.mask = CSFTP_ATTR_MTIME,
					    .mtime = {.sec = 55}};

static void what_was_asked_behind_a_mkdir_is_known(void **state)
{
	struct rig *rig = *state;

	make_dir(rig, "/d");
	far_begin(&rig->far);
	assert_int_equal(fs_lgetattr(rig->c, "/d"), 0);
	assert_int_equal(rig->far.all, 0);
}

/* It could be of the time before the second change. */
static void between_two_changes_nothing_is_known(void **state)
{
	struct rig *rig = *state;
	struct ask make;
	struct ask look;
	struct ask set;

	submit(rig, &make, CSFTP_OP_MKDIR, "/d", NULL);
	submit(rig, &look, CSFTP_OP_GETATTR, "/d", NULL);
	submit(rig, &set, CSFTP_OP_SETATTR, "/d", &mode_750);
	far_settle(&rig->far);
	assert_int_equal(set.err, 0);
	assert_int_equal(fs_lgetattr(rig->c, "/d"), 0);
	assert_int_equal(rig->c->attr.mode & 07777, 0750);
}

static void the_owner_that_our_directory_has_is_not_set(void **state)
{
	struct rig *rig = *state;
	struct csftp_attr owner;

	make_dir(rig, "/d");
	owner = owner_of(rig, "/d");
	far_put(rig->c, "/d/f", "x");
	far_begin(&rig->far);
	assert_int_equal(fs_lsetattr(rig->c, "/d", &owner), 0);
	assert_int_equal(rig->far.all, 0);
	owner.gid++;
	assert_int_equal(fs_lsetattr(rig->c, "/d", &owner), 0);
	assert_int_equal(owner_of(rig, "/d").gid, owner.gid);
}

/* Others have had the time to make it theirs. */
static void after_its_time_or_of_others_it_is_set(void **state)
{
	struct rig *rig = *state;
	struct csftp_attr owner;

	make_dir(rig, "/d");
	assert_int_equal(fs_mkdir(&rig->far.other, "/theirs"), 0);
	assert_int_equal(fs_lgetattr(rig->c, "/theirs"), 0);
	owner = owner_of(rig, "/theirs");
	far_begin(&rig->far);
	assert_int_equal(fs_lsetattr(rig->c, "/theirs", &owner), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_SETATTR], 1);
	rig->far.now_ms += 20000;
	owner = owner_of(rig, "/d");
	assert_int_equal(fs_lsetattr(rig->c, "/d", &owner), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_SETATTR], 2);
}

static void a_mode_is_known_as_it_was_set(void **state)
{
	struct rig *rig = *state;
	struct csftp_attr mode = mode_750;

	make_dir(rig, "/d");
	assert_int_equal(fs_lsetattr(rig->c, "/d", &mode), 0);
	far_begin(&rig->far);
	assert_int_equal(fs_lsetattr(rig->c, "/d", &mode), 0);
	assert_int_equal(rig->far.all, 0);
	mode.mode = 0700;
	assert_int_equal(fs_lsetattr(rig->c, "/d", &mode), 0);
	assert_int_equal(fs_lgetattr(&rig->far.other, "/d"), 0);
	assert_int_equal(rig->far.other.attr.mode & 07777, 0700);
}

static void our_directory_gets_both_its_times(void **state)
{
	struct rig *rig = *state;
	int64_t atime;

	make_dir(rig, "/d");
	assert_int_equal(fs_lgetattr(&rig->far.other, "/d"), 0);
	atime = rig->far.other.attr.atime.sec;
	rig->far.now_ms += 5000;
	far_begin(&rig->far);
	assert_int_equal(fs_lsetattr(rig->c, "/d", &old_mtime), 0);
	assert_int_equal(rig->far.trips, 1);
	assert_int_equal(fs_lgetattr(&rig->far.other, "/d"), 0);
	assert_int_equal(rig->far.other.attr.atime.sec, atime);
	assert_int_equal(rig->far.other.attr.mtime.sec, 55);
}

/* Attributes as they were set are those that were asked for behind it. */
static void what_was_asked_behind_a_setattr_is_known(void **state)
{
	struct rig *rig = *state;
	struct ask look;
	struct ask set;

	far_put(&rig->far.other, "/f", "text");
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	submit(rig, &set, CSFTP_OP_SETATTR, "/f", &mode_750);
	submit(rig, &look, CSFTP_OP_GETATTR, "/f", NULL);
	far_settle(&rig->far);
	far_begin(&rig->far);
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	assert_int_equal(rig->c->attr.mode & 07777, 0750);
	assert_int_equal(rig->far.all, 0);
}

/* As git(1) does with objects that it copies. */
static void the_times_of_what_we_wrote_are_known(void **state)
{
	const struct csftp_attr times = {.mask = CSFTP_ATTR_ATIME |
						 CSFTP_ATTR_MTIME,
					 .atime = {.sec = 44},
					 .mtime = {.sec = 55}};
	struct rig *rig = *state;
	struct ask look;
	struct ask set;

	assert_int_equal(fs_mkdir(rig->c, "/d"), 0);
	far_put(rig->c, "/d/f", "text");
	submit(rig, &set, CSFTP_OP_SETATTR, "/d/f", &times);
	submit(rig, &look, CSFTP_OP_GETATTR, "/d/f", NULL);
	far_settle(&rig->far);
	assert_int_equal(set.err, 0);
	far_begin(&rig->far);
	assert_int_equal(fs_lgetattr(rig->c, "/d/f"), 0);
	assert_int_equal(rig->c->attr.mtime.sec, 55);
	assert_int_equal(rig->c->attr.size, 4);
	assert_int_equal(rig->far.all, 0);
}

/* The size came in between, or did not: who knows. */
static void what_was_asked_behind_a_size_is_not_known(void **state)
{
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 2};
	struct rig *rig = *state;
	struct ask look;
	struct ask set;

	far_put(&rig->far.other, "/f", "text");
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	submit(rig, &set, CSFTP_OP_SETATTR, "/f", &size);
	submit(rig, &look, CSFTP_OP_GETATTR, "/f", NULL);
	far_settle(&rig->far);
	far_begin(&rig->far);
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	assert_int_equal(rig->c->attr.size, 2);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 1);
}

static int ask_roughly(struct rig *rig, const char *path)
{
	return fs_call(rig->c, &(struct csftp_req){.op = CSFTP_OP_GETATTR,
						   .flags = CSFTP_NOFOLLOW |
							    CSFTP_ROUGH,
						   .path = path});
}

/* But for its times, which change with each name. */
static void a_directory_that_we_fill_is_known_roughly(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(fs_mkdir(&rig->far.other, "/d"), 0);
	assert_int_equal(fs_lgetattr(rig->c, "/d"), 0);
	assert_int_equal(far_list(rig->c, "/d"), 0);
	far_put(rig->c, "/d/f", "x");
	far_begin(&rig->far);
	assert_int_equal(ask_roughly(rig, "/d"), 0);
	assert_int_equal(rig->far.all, 0);
	assert_false(rig->c->attr.mask & CSFTP_ATTR_MTIME);
	assert_true(rig->c->attr.mask & CSFTP_ATTR_MODE);
	assert_int_equal(fs_lgetattr(rig->c, "/d"), 0);
	assert_true(rig->c->attr.mask & CSFTP_ATTR_MTIME);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 1);
	/* Others change its mode. */
	assert_int_equal(fs_setattr(&rig->far.other, "/d", &mode_750), 0);
	far_put(rig->c, "/d/g", "x");
	rig->far.now_ms += 20000;
	assert_int_equal(ask_roughly(rig, "/d"), 0);
	assert_int_equal(rig->c->attr.mode & 07777, 0750);
	/* A file has no part that is not about its content. */
	far_put(rig->c, "/d/f", "longer");
	assert_int_equal(ask_roughly(rig, "/d/f"), 0);
	assert_int_equal(rig->c->attr.size, 6);
}

#define SET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
