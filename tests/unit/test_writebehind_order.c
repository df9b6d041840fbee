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

/* EOPNOTSUPP would say that there was nothing behind. */
static void what_a_server_cannot_set_is_an_error_of_flush(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	world->setattr_err = EOPNOTSUPP;
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), 0);
	assert_int_equal(
		fs_call(world->c,
			&(struct csftp_req){.op = CSFTP_OP_FLUSH, .fh = fh}),
		EPERM);
	assert_int_equal(fs_close(world->c, fh), 0);
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

/* As fopen(3) makes one, and the frontend asks right behind it. */
static void what_is_cut_off_and_made_is_known(void **state)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0644};
	struct behind *world = behind_ready(state);
	struct behind_ask open;
	struct behind_ask get;

	behind_submit(world, &open,
		      (struct csftp_req){
			      .op = CSFTP_OP_OPEN,
			      .path = "/f",
			      .flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT |
				       CSFTP_OPEN_TRUNC,
			      .attr = &mode,
		      });
	behind_submit(world, &get,
		      (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/f"});
	far_settle(&world->far);
	assert_int_equal(get.err, 0);
	behind_begin(world);
	assert_int_equal(behind_put(world, open.fh, 0, 100), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.size, 100);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, open.fh), 0);
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
	assert_int_equal(fs_close(world->c, fh), 0);
	fh = behind_open(world, "/g", BEHIND_NEW);
	assert_int_equal(fs_getattr(world->c, "/g"), 0);
	behind_begin(world);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/g", &alone), 0);
	assert_int_equal(world->far.trips, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/g"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, 55);
}

/* The other one may have been changed since. */
static void one_time_alone_leaves_the_other_one(void **state)
{
	const struct csftp_attr alone = {.mask = CSFTP_ATTR_ATIME,
					 .atime = {.sec = 55}};
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	world->far.now_ms += 1000;
	assert_int_equal(fs_setattr(&world->far.other, "/f", &tar_times), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &alone), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, 88);
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

/* Below, what is about two handles has no order. */
static void writes_by_two_handles_stay_in_order(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh one = behind_open(world, "/f", BEHIND_NEW);
	csftp_fh two = behind_open(world, "/f", CSFTP_OPEN_WRITE);
	static const char old[BEHIND_PIECE];

	behind_begin(world);
	world->far.later.order = LATER_NEWEST_FIRST;
	assert_int_equal(
		fs_call(world->c, &(struct csftp_req){.op = CSFTP_OP_WRITE,
						      .fh = one,
						      .off = 50,
						      .data = old,
						      .len = sizeof(old)}),
		0);
	/* What is elsewhere does not wait. */
	assert_int_equal(behind_put(world, two, 2000, BEHIND_PIECE), 0);
	assert_string_equal(world->story, "WW");
	assert_int_equal(behind_put(world, two, 1000, BEHIND_PIECE), 0);
	assert_int_equal(behind_put(world, two, 0, BEHIND_PIECE), 0);
	assert_string_equal(world->story, "WW");
	far_settle(&world->far);
	behind_assert(world, "/f", 3000);
	assert_int_equal(fs_close(world->c, one), 0);
	assert_int_equal(fs_close(world->c, two), 0);
}

static void times_are_set_behind_the_writes_of_another(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh one = behind_open(world, "/f", BEHIND_NEW);
	csftp_fh two = behind_open(world, "/f", CSFTP_OPEN_WRITE);
	struct behind_ask flush;

	world->far.later.order = LATER_NEWEST_FIRST;
	assert_int_equal(behind_put(world, two, 0, 100), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_times), 0);
	behind_submit(world, &flush,
		      (struct csftp_req){.op = CSFTP_OP_FLUSH, .fh = two});
	far_settle(&world->far);
	assert_int_equal(flush.answers, 1);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, 88);
	assert_int_equal(fs_close(world->c, one), 0);
	assert_int_equal(fs_close(world->c, two), 0);
}

static void fsync_goes_behind_the_writes_of_another(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh one = behind_open(world, "/f", BEHIND_NEW);
	csftp_fh two = behind_open(world, "/f", CSFTP_OPEN_WRITE);
	struct behind_ask sync;

	behind_begin(world);
	assert_int_equal(behind_put(world, two, 0, 100), 0);
	behind_submit(world, &sync,
		      (struct csftp_req){.op = CSFTP_OP_FSYNC, .fh = one});
	assert_string_equal(world->story, "W");
	far_settle(&world->far);
	assert_string_equal(world->story, "WF");
	assert_int_equal(sync.answers, 1);
	assert_int_equal(fs_close(world->c, one), 0);
	assert_int_equal(fs_close(world->c, two), 0);
}

/* Its handle cannot write, so that nobody waits for it to be closed. */
static void what_a_reader_made_is_set_at_once(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh =
		behind_open(world, "/f", CSFTP_OPEN_READ | CSFTP_OPEN_CREAT);
	struct behind_ask ask[2];

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	world->setattr_err = EPERM;
	assert_int_equal(fs_setattr(world->c, "/f", &tar_mode), EPERM);
	world->setattr_err = 0;
	behind_submit(world, &ask[0],
		      (struct csftp_req){.op = CSFTP_OP_SETATTR,
					 .path = "/f",
					 .attr = &tar_mode});
	behind_submit(world, &ask[1],
		      (struct csftp_req){.op = CSFTP_OP_SETATTR,
					 .path = "/f",
					 .attr = &tar_times});
	assert_int_equal(fs_close(world->c, fh), 0);
	far_settle(&world->far);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mode & 07777, 0755);
	assert_int_equal(world->far.other.attr.mtime.sec, 88);
}

/* What was known of a file when it was made may have been changed since. */
static void a_mode_that_others_may_have_changed_is_set(void **state)
{
	const struct csftp_attr mine = {.mask = CSFTP_ATTR_MODE, .mode = 0640};
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(fs_setattr(world->c, "/f", &mine), 0);
	far_settle(&world->far);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	world->far.now_ms += 1000;
	assert_int_equal(fs_setattr(&world->far.other, "/f", &tar_mode), 0);
	assert_int_equal(fs_setattr(world->c, "/f", &mine), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mode & 07777, 0640);
}

/* A write that is behind will change them once more. */
static void times_that_are_shown_are_set_all_the_same(void **state)
{
	struct csftp_attr shown = {.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME};
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	shown.atime = world->c->attr.atime;
	shown.mtime = world->c->attr.mtime;
	world->far.now_ms += 3000;
	assert_int_equal(fs_setattr(world->c, "/f", &shown), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(world->far.other.attr.mtime.sec, shown.mtime.sec);
}

static int64_t mtime_behind(struct behind *world, csftp_fh fh)
{
	int64_t shown;

	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	shown = world->c->attr.mtime.sec;
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->far.other, "/f"), 0);
	assert_int_equal(shown, world->far.other.attr.mtime.sec);
	return shown;
}

/* However old the file is, and whatever time it was given. */
static void a_write_that_is_behind_is_of_now(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	int64_t made;

	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	made = world->c->attr.mtime.sec;
	world->far.now_ms += 3600000;
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(mtime_behind(world, fh), made + 3600);
	assert_int_equal(fs_setattr(world->c, "/f", &tar_times), 0);
	assert_int_equal(fs_fsync(world->c, fh), 0);
	assert_int_equal(fs_getattr(world->c, "/f"), 0);
	assert_int_equal(world->c->attr.mtime.sec, 88);
	assert_int_equal(mtime_behind(world, fh), made + 3600);
	assert_int_equal(fs_close(world->c, fh), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHIND_TEST(a_size_is_seen_before_it_is_there),
		BEHIND_TEST(mode_and_times_travel_with_the_writes),
		BEHIND_TEST(an_error_of_setting_is_that_of_close),
		BEHIND_TEST(what_a_server_cannot_set_is_an_error_of_flush),
		BEHIND_TEST(the_mode_of_what_was_there_is_set_at_once),
		BEHIND_TEST(what_is_asked_behind_a_change_comes_behind_it),
		BEHIND_TEST(what_changes_nothing_is_not_sent),
		BEHIND_TEST(what_was_just_made_is_not_asked_about_again),
		BEHIND_TEST(what_is_cut_off_and_made_is_known),
		BEHIND_TEST(one_time_alone_goes_with_the_known_other),
		BEHIND_TEST(one_time_alone_leaves_the_other_one),
		BEHIND_TEST(a_size_is_set_after_the_writes_before_it),
		BEHIND_TEST(a_read_sees_what_was_written_before),
		BEHIND_TEST(a_read_elsewhere_goes_past_the_writes),
		BEHIND_TEST(names_change_after_the_writes_before),
		BEHIND_TEST(a_directory_moves_after_the_writes_in_it),
		BEHIND_TEST(a_copy_is_made_of_what_was_written_before),
		BEHIND_TEST(writes_by_two_handles_stay_in_order),
		BEHIND_TEST(times_are_set_behind_the_writes_of_another),
		BEHIND_TEST(fsync_goes_behind_the_writes_of_another),
		BEHIND_TEST(what_a_reader_made_is_set_at_once),
		BEHIND_TEST(a_mode_that_others_may_have_changed_is_set),
		BEHIND_TEST(times_that_are_shown_are_set_all_the_same),
		BEHIND_TEST(a_write_that_is_behind_is_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
