/* Writes behind their callers, and what is asked about the same files. */
#include <errno.h>

#include "tests/lib/behind.h"
#include "tests/lib/test.h"

static void a_size_is_seen_before_it_is_there(void **state)
{
	struct behind *world = behind_ready(state);
	struct fs_names names = {0};
	csftp_fh fh;
	size_t at;

	far_put(&world->far.other, "/f", "old");
	fh = behind_open(world, "/f", BEHIND_BOTH);
	/* The first is on its way, the others are not even sent. */
	for (uint64_t off = 0; off < 500; off += 100)
		assert_int_equal(behind_put(world, fh, off, 100), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 500);
	assert_int_equal(behind_put(world, fh, 500, 100), 0);
	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	assert_int_equal(world->c->attr.size, 600);
	assert_int_equal(behind_put(world, fh, 600, 100), 0);
	assert_int_equal(behind_put(world, fh, 700, 100), 0);
	assert_int_equal(fs_list(world->c, "/", &names), 0);
	assert_int_equal(fs_names_find(&names, "f", &at), 1);
	assert_int_equal(names.attr[at].size, 800);
	fs_names_release(&names);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static const struct csftp_attr tar_mode = {.mask = CSFTP_ATTR_MODE,
					   .mode = 0755};
static const struct csftp_attr tar_times = {
	.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	.atime = {.sec = 77},
	.mtime = {.sec = 88},
};

/* As tar(1) does it; attributes are asked for with the making. */
static void mode_and_times_travel_with_the_writes(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &tar_times), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.mode & 07777, 0755);
	assert_int_equal(world->c->attr.mtime.sec, 88);
	assert_int_equal(world->c->attr.size, 100);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WSC");
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mode & 07777, 0755);
	assert_int_equal(world->far.other.attr.atime.sec, 77);
	assert_int_equal(world->far.other.attr.mtime.sec, 88);
}

static void an_error_of_setting_is_that_of_close(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	world->setattr_err = EPERM;
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), 0);
	assert_int_equal(fs_close(world->c, fh), EPERM);
}

/* Who did not make it may have no right to. */
static void the_mode_of_what_was_there_is_set_at_once(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh;

	far_put(&world->far.other, "/f", "old");
	fh = behind_open(world, "/f", BEHIND_BOTH);
	world->setattr_err = EPERM;
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), EPERM);
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* Who asks right behind a change is told of what it made. */
static void what_is_asked_behind_a_change_comes_behind_it(void **state)
{
	struct behind *world = behind_ready(state);
	struct behind_ask set;
	struct behind_ask get;
	csftp_fh fh;

	far_put(&world->far.other, "/f", "old");
	fh = behind_open(world, "/f", BEHIND_BOTH);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	behind_submit(world, &set,
		      (struct csftp_req){.op = CSFTP_OP_SETATTR,
					 .path = "/f",
					 .attr = &tar_mode});
	behind_submit(world, &get,
		      (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/f"});
	far_settle(&world->far);
	assert_int_equal(get.answers, 1);
	assert_int_equal(get.attr.mode & 07777, 0755);
	assert_int_equal(behind_put(world, fh, 100, 100), 0);
	behind_submit(world, &set,
		      (struct csftp_req){.op = CSFTP_OP_LINK,
					 .path = "/f",
					 .path2 = "/g"});
	behind_submit(world, &get,
		      (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/g"});
	far_settle(&world->far);
	assert_int_equal(get.err, 0);
	assert_int_equal(get.attr.size, 200);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void what_changes_nothing_is_not_sent(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	struct csftp_attr same = tar_mode;
	struct csftp_attr owner = {.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID};

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	same.mode = world->c->attr.mode;
	owner.uid = world->c->attr.uid;
	owner.gid = world->c->attr.gid;
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &same), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &same), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &owner), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_string_equal(world->story, "WC");
}

/* As git(1) sets the mode of each lock that it makes. */
static void what_was_just_made_is_not_asked_about_again(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	struct csftp_attr same = tar_mode;

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	same.mode = world->c->attr.mode;
	behind_begin(world);
	assert_int_equal(fs_setattr(world->c, "/f", &same), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->far.all, 0);
	far_put(&world->far.other, "/f", "of another");
	world->far.now_ms += 1000;
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 10);
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* filexfer-02, section 5: both times are sent, or none. */
static void one_time_alone_goes_with_the_known_other(void **state)
{
	struct csftp_attr alone = {.mask = CSFTP_ATTR_MTIME,
				   .mtime = {.sec = 55}};
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	/* Nothing is known yet: it has to be done by whoever knows. */
	assert_int_equal(fs_setattr(world->c, "/f", &alone), 0);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	behind_begin(world);
	alone.mtime.sec = 66;
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &alone), 0);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, 66);
}

static void a_size_is_set_after_the_writes_before_it(void **state)
{
	const struct csftp_attr cut = {.mask = CSFTP_ATTR_SIZE, .size = 50};
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(behind_put(world, fh, 0, 2 * BEHIND_PIECE + 10), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &cut), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 50);
	assert_int_equal(behind_put(world, fh, 50, 20), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &cut), 0);
	assert_int_equal(behind_put(world, fh, 50, 30), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 80);
}

static void a_read_sees_what_was_written_before(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW | CSFTP_OPEN_READ);
	csftp_fh other = behind_open(world, "/f", CSFTP_OPEN_READ);

	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(behind_put(world, fh, 10, 90), 0);
	assert_int_equal(fs_read_all(world->c, fh, 0, 200), 0);
	assert_int_equal(world->c->data_len, 100);
	assert_memory_equal(world->c->data, world->bytes, 100);
	assert_int_equal(behind_put(world, fh, 100, 10), 0);
	assert_int_equal(behind_put(world, fh, 110, 90), 0);
	assert_int_equal(fs_read_all(world->c, other, 50, 200), 0);
	assert_int_equal(world->c->data_len, 150);
	assert_memory_equal(world->c->data, world->bytes + 50, 150);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_close(world->c, other), 0);
}

/* What is there already is not waited for. */
static void a_read_elsewhere_goes_past_the_writes(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW | CSFTP_OPEN_READ);

	assert_int_equal(behind_put(world, fh, 0, 500), 0);
	assert_int_equal(behind_flush(world, fh), 0);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 400, 10), 0);
	assert_int_equal(behind_put(world, fh, 410, 10), 0);
	assert_int_equal(fs_read(world->c, fh, 0, 300), 0);
	assert_int_equal(world->far.trips, 1);
	assert_string_equal(world->story, "WRW");
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void names_change_after_the_writes_before(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 500), 0);
	assert_int_equal(behind_put(world, fh, 500, 500), 0);
	assert_int_equal(fs_replace(world->c, "/f", "/g"), 0);
	assert_string_equal(world->story, "WWr");
	behind_assert(world, "/g", 1000);
	/* It goes on by its new name. */
	assert_int_equal(behind_put(world, fh, 1000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/g"), 0);
	assert_int_equal(world->c->attr.size, 1500);
	assert_int_equal(fs_link(world->c, "/g", "/h"), 0);
	behind_assert(world, "/h", 1500);
	assert_int_equal(behind_put(world, fh, 1500, 500), 0);
	assert_int_equal(fs_unlink(world->c, "/g"), 0);
	behind_assert(world, "/h", 2000);
	assert_int_equal(behind_put(world, fh, 2000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/g"), ENOENT);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/h", 2500);
}

static void a_directory_moves_after_the_writes_in_it(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh;

	assert_int_equal(fs_mkdir(world->c, "/d"), 0);
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 500), 0);
	assert_int_equal(behind_put(world, fh, 500, 500), 0);
	assert_int_equal(fs_rename(world->c, "/d", "/e"), 0);
	assert_string_equal(world->story, "WWr");
	assert_int_equal(behind_put(world, fh, 1000, 500), 0);
	assert_int_equal(fs_getattr(world->c, "/e/f"), 0);
	assert_int_equal(world->c->attr.size, 1500);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/e/f", 1500);
}

static void a_copy_is_made_of_what_was_written_before(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh from =
		behind_open(world, "/from", BEHIND_NEW | CSFTP_OPEN_READ);
	csftp_fh to = behind_open(world, "/to", BEHIND_NEW);

	assert_int_equal(behind_put(world, from, 0, 10), 0);
	assert_int_equal(behind_put(world, from, 10, 490), 0);
	assert_int_equal(behind_put(world, to, 0, 10), 0);
	assert_int_equal(behind_put(world, to, 10, 50), 0);
	assert_int_equal(
		fs_copy_range(
			world->c,
			&(struct csftp_req){.fh = from, .fh2 = to, .len = 500}),
		0);
	assert_int_equal(fs_close(world->c, from), 0);
	assert_int_equal(fs_close(world->c, to), 0);
	behind_assert(world, "/to", 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHIND_TEST(a_size_is_seen_before_it_is_there),
		BEHIND_TEST(mode_and_times_travel_with_the_writes),
		BEHIND_TEST(an_error_of_setting_is_that_of_close),
		BEHIND_TEST(the_mode_of_what_was_there_is_set_at_once),
		BEHIND_TEST(what_is_asked_behind_a_change_comes_behind_it),
		BEHIND_TEST(what_changes_nothing_is_not_sent),
		BEHIND_TEST(what_was_just_made_is_not_asked_about_again),
		BEHIND_TEST(one_time_alone_goes_with_the_known_other),
		BEHIND_TEST(a_size_is_set_after_the_writes_before_it),
		BEHIND_TEST(a_read_sees_what_was_written_before),
		BEHIND_TEST(a_read_elsewhere_goes_past_the_writes),
		BEHIND_TEST(names_change_after_the_writes_before),
		BEHIND_TEST(a_directory_moves_after_the_writes_in_it),
		BEHIND_TEST(a_copy_is_made_of_what_was_written_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
