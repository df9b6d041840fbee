/* Files that are there before they are made: durability=async. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/behind.h"
#include "tests/lib/test.h"

#define BEHIND_MAKE (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC)

/* OPEN with a mode of its own. */
static csftp_fh open_as(struct behind *world, const char *path, uint32_t mode)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = mode};

	assert_int_equal(
		fs_call(world->c, &(struct csftp_req){.op = CSFTP_OP_OPEN,
						      .path = path,
						      .flags = BEHIND_NEW,
						      .attr = &attr}),
		0);
	return world->c->fh;
}

/* How many trips it takes to make such a file; it is closed again. */
static unsigned trips_to_make(struct behind *world, const char *path)
{
	csftp_fh fh;

	behind_begin(world);
	fh = behind_open(world, path, BEHIND_NEW);
	assert_int_equal(fs_lgetattr(world->c, path), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	return world->far.trips;
}

static void a_small_file_is_made_without_a_trip(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_MAKE);

	assert_int_equal(behind_put(world, fh, 0, 100), 0);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), 0);
	assert_int_equal(world->c->attr.size, 100);
	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	assert_int_equal(world->c->attr.size, 100);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), 0);
	assert_int_equal(world->far.trips, 0);
	/* The rest needs the handle. */
	assert_string_equal(world->story, "o");
	far_settle(&world->far);
	assert_string_equal(world->story, "oWC");
	behind_assert(world, "/d/f", 100);
	assert_int_equal(world->lost, 0);
}

static void the_first_of_a_directory_is_waited_for(void **state)
{
	struct behind *world = behind_ready_early(state);

	assert_int_equal(fs_mkdir(&world->far.other, "/e"), 0);
	assert_int_equal(trips_to_make(world, "/e/1"), 2);
	assert_int_equal(trips_to_make(world, "/e/2"), 0);
	assert_int_equal(trips_to_make(world, "/d/2"), 0);
	/* What they are like is not known for ever. */
	far_settle(&world->far);
	world->far.now_ms += 20000;
	assert_int_equal(trips_to_make(world, "/e/3"), 2);
	assert_int_equal(trips_to_make(world, "/e/4"), 0);
}

static void what_may_be_there_is_waited_for(void **state)
{
	struct behind *world = behind_ready_early(state);

	world->all_there = true;
	assert_int_equal(trips_to_make(world, "/d/f"), 2);
	world->all_there = false;
	assert_int_equal(trips_to_make(world, "/d/g"), 0);
}

static void only_who_does_not_wait_makes_files_early(void **state)
{
	struct behind *world = behind_ready(state);

	assert_int_equal(trips_to_make(world, "/1"), 3);
	assert_int_equal(trips_to_make(world, "/2"), 3);
}

static void a_new_file_is_like_the_first_one(void **state)
{
	struct behind *world = behind_ready_early(state);
	struct csftp_attr guess;
	csftp_fh fh;

	world->far.now_ms += 3000;
	fh = open_as(world, "/d/f", 0604);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), 0);
	guess = world->c->attr;
	assert_int_equal(world->far.trips, 0);
	far_settle(&world->far);
	assert_int_equal(fs_lgetattr(&world->far.other, "/d/f"), 0);
	assert_int_equal(guess.mask, world->far.other.attr.mask);
	assert_int_equal(guess.mode, CSFTP_S_IFREG | 0604U);
	assert_int_equal(guess.mode, world->far.other.attr.mode);
	assert_int_equal(guess.uid, world->far.other.attr.uid);
	assert_int_equal(guess.gid, world->far.other.attr.gid);
	assert_int_equal(guess.size, 0);
	assert_int_equal(guess.mtime.sec, world->far.other.attr.mtime.sec);
	assert_int_equal(guess.atime.sec, world->far.other.attr.atime.sec);
	assert_int_equal(fs_close(world->c, fh), 0);
	/* Nobody knows what the server takes from a mode like that. */
	behind_begin(world);
	fh = open_as(world, "/d/g", 0755);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_close(world->c, fh), 0);
}

/* What it has tells what the clock said then, and not now. */
static void a_file_that_was_made_long_ago_is_no_sample(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh old;
	csftp_fh fh;

	world->all_there = true;
	old = behind_open(world, "/d/old", BEHIND_NEW);
	world->far.now_ms += 3600000;
	assert_int_equal(fs_lgetattr(world->c, "/d/old"), 0);
	world->all_there = false;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), 0);
	far_settle(&world->far);
	assert_int_equal(fs_lgetattr(&world->far.other, "/d/f"), 0);
	assert_int_equal(world->c->attr.mtime.sec,
			 world->far.other.attr.mtime.sec);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(fs_close(world->c, old), 0);
}

static void a_directory_made_there_is_like_it(void **state)
{
	static const struct csftp_attr closed = {.mask = CSFTP_ATTR_MODE,
						 .mode = 0500};
	static const struct csftp_attr open = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0755};
	struct csftp_req req = {
		.op = CSFTP_OP_MKDIR, .path = "/d/sub", .attr = &open};
	struct behind *world = behind_ready_early(state);

	assert_int_equal(fs_call(world->c, &req), 0);
	assert_int_equal(trips_to_make(world, "/d/sub/f"), 0);
	req.path = "/d/sub/low";
	assert_int_equal(fs_call(world->c, &req), 0);
	assert_int_equal(trips_to_make(world, "/d/sub/low/f"), 0);
	req.path = "/d/not";
	req.attr = &closed;
	assert_int_equal(fs_call(world->c, &req), 0);
	assert_int_equal(trips_to_make(world, "/d/not/f"), 2);
}

static void a_directory_is_like_one_made_in_it(void **state)
{
	static const struct csftp_attr open = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0755};
	static const char *const dirs[] = {"/t", "/t/a", "/t/a/low", "/t/b",
					   "/t/c"};
	struct behind *world = behind_ready_early(state);

	assert_int_equal(fs_mkdir(&world->far.other, "/u"), 0);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		assert_int_equal(
			fs_call(world->c,
				&(struct csftp_req){.op = CSFTP_OP_MKDIR,
						    .path = dirs[i],
						    .attr = &open}),
			0);
	assert_int_equal(trips_to_make(world, "/t/a/low/f"), 2);
	assert_int_equal(trips_to_make(world, "/t/a/f"), 0);
	assert_int_equal(trips_to_make(world, "/t/f"), 0);
	assert_int_equal(trips_to_make(world, "/t/b/f"), 0);
	assert_int_equal(
		fs_call(world->c, &(struct csftp_req){.op = CSFTP_OP_MKDIR,
						      .path = "/t/e",
						      .attr = &open}),
		0);
	assert_int_equal(trips_to_make(world, "/t/e/f"), 0);
	/* What is above was made by somebody else, and so was this. */
	assert_int_equal(trips_to_make(world, "/u/f"), 2);
	/* One that somebody changed since is not like those beside it. */
	assert_int_equal(fs_setattr(world->c, "/t/c", &open), 0);
	far_settle(&world->far);
	world->far.now_ms += 20000;
	assert_int_equal(trips_to_make(world, "/t/c/f"), 2);
	assert_int_equal(trips_to_make(world, "/t/f2"), 2);
}

static void a_directory_that_changes_is_looked_at_again(void **state)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0700};
	static const struct csftp_attr times = {.mask = CSFTP_ATTR_ATIME |
							CSFTP_ATTR_MTIME};
	struct behind *world = behind_ready_early(state);

	assert_int_equal(fs_setattr(world->c, "/d", &times), 0);
	assert_int_equal(trips_to_make(world, "/d/1"), 0);
	assert_int_equal(fs_setattr(world->c, "/d", &mode), 0);
	assert_int_equal(trips_to_make(world, "/d/2"), 2);
	assert_int_equal(trips_to_make(world, "/d/3"), 0);
	assert_int_equal(fs_rename(world->c, "/d", "/e"), 0);
	assert_int_equal(fs_mkdir(&world->far.other, "/d"), 0);
	assert_int_equal(trips_to_make(world, "/d/4"), 2);
	assert_int_equal(trips_to_make(world, "/e/4"), 2);
}

static void one_for_another_owner_is_waited_for(void **state)
{
	static const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_MODE | CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.mode = 0644,
		.uid = 1000,
		.gid = 1000,
	};
	struct behind *world = behind_ready_early(state);

	assert_int_equal(
		fs_call(world->c, &(struct csftp_req){.op = CSFTP_OP_OPEN,
						      .path = "/d/f",
						      .flags = BEHIND_NEW,
						      .attr = &attr}),
		0);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_close(world->c, world->c->fh), 0);
}

static void mode_and_times_travel_behind_the_making(void **state)
{
	struct behind *world = behind_ready_early(state);
	const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE, .mode = 0640};
	const struct csftp_attr same = {.mask = CSFTP_ATTR_MODE, .mode = 0644};
	const struct csftp_attr times = {
		.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
		.atime.sec = 11,
		.mtime.sec = 12,
	};
	struct csftp_attr owner = {.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID};
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);

	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	owner.uid = world->c->attr.uid;
	owner.gid = world->c->attr.gid;
	/* Of an owner it is known that it is; a mode is but a guess. */
	assert_int_equal(fs_fsetattr(world->c, fh, &owner), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &same), 0);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &times), 0);
	assert_int_equal(fs_setattr(world->c, "/d/f", &mode), 0);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), 0);
	assert_int_equal(world->c->attr.mode & 07777U, 0640);
	assert_int_equal(world->c->attr.mtime.sec, 12);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->far.trips, 0);
	far_settle(&world->far);
	assert_string_equal(world->story, "oSWSC");
	assert_int_equal(fs_lgetattr(&world->far.other, "/d/f"), 0);
	assert_int_equal(world->far.other.attr.mode & 07777U, 0640);
	assert_int_equal(world->far.other.attr.mtime.sec, 12);
}

/* All that goes through the handle, which the far end has not given yet. */
static void its_handle_is_one_like_others(void **state)
{
	struct behind *world = behind_ready_early(state);
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 400};
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW | CSFTP_OPEN_READ);
	csftp_fh other = behind_open(world, "/d/g", BEHIND_NEW);

	assert_int_equal(behind_put(world, fh, 0, 500), 0);
	assert_int_equal(fs_fsetattr(world->c, fh, &size), 0);
	assert_int_equal(fs_read_all(world->c, fh, 0, 1000), 0);
	assert_int_equal(world->c->data_len, 400);
	assert_memory_equal(world->c->data, world->bytes, 400);
	assert_int_equal(
		fs_copy_range(world->c, &(struct csftp_req){.fh = fh,
							    .fh2 = other,
							    .len = 300}),
		0);
	assert_int_equal(fs_fgetattr(world->c, other), 0);
	assert_int_equal(world->c->attr.size, 300);
	assert_int_equal(
		fs_call(world->c, &(struct csftp_req){.op = CSFTP_OP_STATFS,
						      .fh = other}),
		0);
	assert_int_equal(fs_fsync(world->c, other), 0);
	assert_int_equal(fs_close(world->c, other), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(behind_put(world, fh, 0, 1), EBADF);
	behind_assert(world, "/d/f", 400);
	behind_assert(world, "/d/g", 300);
}

static void numbers_of_the_far_end_are_not_mixed_up(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh early = behind_open(world, "/d/f", BEHIND_NEW);
	csftp_fh dir;
	csftp_fh late;
	struct fs_names names = {0};

	/* It gives the very number that we have just given. */
	world->next_fh = early;
	world->all_there = true;
	late = behind_open(world, "/d/g", BEHIND_NEW | CSFTP_OPEN_READ);
	assert_true(late != early);
	world->next_fh = late;
	assert_int_equal(fs_opendir(world->c, "/d"), 0);
	dir = world->c->fh;
	assert_true(dir != early && dir != late);
	assert_int_equal(fs_readdir_all(world->c, dir, &names, 100), 0);
	assert_int_equal(fs_names_find(&names, "g", NULL), 1);
	fs_names_release(&names);
	assert_int_equal(behind_put(world, early, 0, 10), 0);
	assert_int_equal(behind_put(world, late, 0, 20), 0);
	assert_int_equal(fs_fgetattr(world->c, dir), 0);
	assert_int_equal(world->c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(fs_close(world->c, dir), 0);
	assert_int_equal(fs_read_all(world->c, late, 0, 100), 0);
	assert_int_equal(world->c->data_len, 20);
	assert_int_equal(fs_close(world->c, late), 0);
	assert_int_equal(fs_close(world->c, early), 0);
	behind_assert(world, "/d/f", 10);
	behind_assert(world, "/d/g", 20);
}

/*
 * Errors
 */

static void a_file_that_cannot_be_made_fails_with_each_request(void **state)
{
	struct behind *world = behind_ready_early(state);
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE};
	csftp_fh fh;

	world->open_err = EDQUOT;
	fh = behind_open(world, "/d/f", BEHIND_NEW | CSFTP_OPEN_READ);
	assert_int_equal(behind_put(world, fh, 0, 2500), 0);
	assert_int_equal(behind_put(world, fh, 100, 10), 0);
	far_settle(&world->far);
	world->open_err = 0;
	assert_string_equal(world->story, "o");
	assert_int_equal(writebehind_counts(world->wb).bytes, 0);
	assert_int_equal(behind_put(world, fh, 0, 10), EDQUOT);
	assert_int_equal(behind_put(world, fh, 0, 10), EDQUOT);
	assert_int_equal(fs_fsync(world->c, fh), EDQUOT);
	assert_int_equal(fs_fgetattr(world->c, fh), EDQUOT);
	assert_int_equal(fs_fsetattr(world->c, fh, &size), EDQUOT);
	assert_int_equal(fs_read(world->c, fh, 0, 10), EDQUOT);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), ENOENT);
	/* The name is free, and the directory is not trusted any more. */
	assert_int_equal(trips_to_make(world, "/d/f"), 2);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
	behind_assert(world, "/d/f", 0);
}

static void close_tells_that_it_could_not_be_made(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh;

	world->open_err = EACCES;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	far_settle(&world->far);
	assert_int_equal(fs_fgetattr(world->c, fh), EACCES);
	assert_int_equal(fs_close(world->c, fh), EACCES);
	assert_int_equal(world->lost, 0);
}

static void flush_tells_that_it_could_not_be_made(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh;

	world->open_err = EACCES;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	far_settle(&world->far);
	assert_int_equal(behind_flush(world, fh), EACCES);
	assert_int_equal(behind_flush(world, fh), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
}

static void fsync_waits_and_tells_that_it_could_not_be_made(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh;

	world->open_err = EACCES;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_fsync(world->c, fh), EACCES);
	assert_int_equal(world->far.trips, 1);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
	assert_string_equal(world->story, "o");
}

static void what_was_closed_and_could_not_be_made_is_lost(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh;

	world->open_err = ENOSPC;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(behind_put(world, fh, 0, 2500), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	assert_int_equal(world->lost, 0);
	far_settle(&world->far);
	assert_int_equal(world->lost, 1);
	assert_int_equal(world->lost_err, ENOSPC);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), ENOENT);
}

/* Programs close(2) a file that they only made without looking. */
static void an_empty_file_that_could_not_be_made_is_lost_too(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh;

	world->open_err = ENOSPC;
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	far_settle(&world->far);
	assert_int_equal(fs_close(world->c, fh), ENOSPC);
	assert_int_equal(world->lost, 1);
	world->open_err = 0;
	assert_int_equal(trips_to_make(world, "/d/again"), 2);
	world->open_err = EEXIST;
	fh = behind_open(world, "/d/g", BEHIND_NEW);
	assert_int_equal(fs_close(world->c, fh), 0);
	far_settle(&world->far);
	assert_int_equal(world->lost, 2);
	assert_int_equal(world->lost_err, EEXIST);
}

/*
 * Order
 */

/* Of a file that is being made, "/d/f"; what it comes to in the end. */
static void check_waits(struct behind *world, const struct csftp_req *req,
			int err)
{
	struct behind_ask ask;
	csftp_fh fh;

	(void)fs_remove_tree(&world->far.other, "/d/f");
	fh = behind_open(world, "/d/f", BEHIND_NEW);
	assert_int_equal(world->far.trips, 0);
	behind_submit(world, &ask, *req);
	assert_string_equal(world->story, "o");
	assert_int_equal(ask.answers, 0);
	far_settle(&world->far);
	assert_int_equal(ask.answers, 1);
	if (ask.err != err)
		fail_msg("%s: %d instead of %d", csftp_op_name(req->op),
			 ask.err, err);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_begin(world);
}

static void what_asks_for_it_by_name_waits(void **state)
{
	static const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE};
	static const struct csftp_req by_name[] = {
		{.op = CSFTP_OP_MKDIR, .path = "/d/f"},
		{.op = CSFTP_OP_SYMLINK, .path = "/d/f", .path2 = "x"},
		{.op = CSFTP_OP_LINK, .path = "/d/first", .path2 = "/d/f"},
		{.op = CSFTP_OP_RENAME, .path = "/d/first", .path2 = "/d/f"},
	};
	static const struct csftp_req good[] = {
		{.op = CSFTP_OP_SETATTR, .path = "/d/f", .attr = &size},
		{.op = CSFTP_OP_REALPATH, .path = "/d/f"},
		{.op = CSFTP_OP_STATFS, .path = "/d/f"},
		{.op = CSFTP_OP_LINK, .path = "/d/f", .path2 = "/link"},
		{.op = CSFTP_OP_RENAME, .path = "/d/f", .path2 = "/d/g"},
		{.op = CSFTP_OP_UNLINK, .path = "/d/f"},
	};
	struct behind *world = behind_ready_early(state);

	for (size_t i = 0; i < sizeof(by_name) / sizeof(*by_name); i++)
		check_waits(world, &by_name[i], EEXIST);
	check_waits(
		world,
		&(struct csftp_req){.op = CSFTP_OP_READLINK, .path = "/d/f"},
		EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		check_waits(world, &good[i], 0);
}

static void what_asks_for_its_directory_waits(void **state)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0700};
	static const struct csftp_req reqs[] = {
		{.op = CSFTP_OP_GETATTR, .path = "/d"},
		{.op = CSFTP_OP_FLUSH, .path = "/d"},
		{.op = CSFTP_OP_SETATTR, .path = "/d", .attr = &mode},
		{.op = CSFTP_OP_RENAME, .path = "/d", .path2 = "/e"},
	};
	struct behind *world = behind_ready_early(state);

	check_waits(world,
		    &(struct csftp_req){.op = CSFTP_OP_RMDIR, .path = "/d"},
		    ENOTEMPTY);
	for (size_t i = 0; i < sizeof(reqs) / sizeof(*reqs); i++) {
		assert_int_equal(trips_to_make(world, "/d/other") % 2, 0);
		far_settle(&world->far);
		assert_int_equal(fs_remove_tree(&world->far.other, "/d/other"),
				 0);
		behind_begin(world);
		check_waits(world, &reqs[i], 0);
	}
}

static void a_listing_has_what_was_made_before(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);
	struct fs_names names = {0};

	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	world->far.later.order = LATER_NEWEST_FIRST;
	assert_int_equal(fs_list(world->c, "/d", &names), 0);
	assert_int_equal(fs_names_find(&names, "f", NULL), 1);
	fs_names_release(&names);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void what_is_about_others_does_not_wait(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);
	struct behind_ask ask[3];

	behind_submit(world, &ask[0],
		      (struct csftp_req){.op = CSFTP_OP_GETATTR,
					 .path = "/d",
					 .flags = CSFTP_ROUGH});
	behind_submit(
		world, &ask[1],
		(struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/d/ff"});
	behind_submit(
		world, &ask[2],
		(struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "/d/first"});
	assert_string_equal(world->story, "o...");
	far_settle(&world->far);
	assert_int_equal(ask[2].err, 0);
	assert_int_equal(fs_close(world->c, fh), 0);
}

static void a_file_is_opened_again_after_it_was_made(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);

	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	fh = behind_open(world, "/d/f", BEHIND_BOTH);
	assert_string_equal(world->story, "oWCo");
	assert_int_equal(fs_read_all(world->c, fh, 0, 100), 0);
	assert_int_equal(world->c->data_len, 10);
	assert_int_equal(fs_close(world->c, fh), 0);
	world->all_there = true;
	assert_int_equal(fs_open(world->c, "/d/f", BEHIND_NEW), EEXIST);
}

static void it_is_written_on_by_its_new_name(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);

	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_replace(world->c, "/d/f", "/d/first"), 0);
	assert_int_equal(behind_put(world, fh, 10, 10), 0);
	assert_int_equal(fs_lgetattr(world->c, "/d/first"), 0);
	assert_int_equal(world->c->attr.size, 20);
	assert_int_equal(fs_lgetattr(world->c, "/d/f"), ENOENT);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/d/first", 20);
}

static void files_that_are_being_made_are_bounded(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh[300];
	char path[32];

	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(path, sizeof(path), "/d/%u", i);
		fh[i] = behind_open(world, path, BEHIND_NEW);
		if (i == 255)
			assert_int_equal(world->far.trips, 0);
	}
	/* One more had to wait, and those before it were made meanwhile. */
	assert_int_equal(world->far.trips, 1);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(fs_close(world->c, fh[i]), 0);
}

static void who_waits_for_a_directory_is_not_starved(void **state)
{
	struct behind *world = behind_ready_early(state);
	csftp_fh fh = behind_open(world, "/d/f", BEHIND_NEW);
	struct behind_ask list;
	struct behind_ask gone;
	csftp_fh next;

	behind_submit(world, &list,
		      (struct csftp_req){.op = CSFTP_OP_OPENDIR, .path = "/d"});
	behind_submit(world, &gone,
		      (struct csftp_req){.op = CSFTP_OP_OPENDIR, .path = "/d"});
	csftp_cancel(world->c->fs, &gone.req);
	assert_int_equal(gone.err, EINTR);
	next = behind_open(world, "/d/g", BEHIND_NEW);
	assert_int_equal(world->far.trips, 1);
	far_settle(&world->far);
	assert_int_equal(list.answers, 1);
	assert_int_equal(list.err, 0);
	assert_int_equal(fs_close(world->c, list.fh), 0);
	assert_int_equal(fs_close(world->c, next), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEHIND_TEST(a_small_file_is_made_without_a_trip),
		BEHIND_TEST(the_first_of_a_directory_is_waited_for),
		BEHIND_TEST(what_may_be_there_is_waited_for),
		BEHIND_TEST(only_who_does_not_wait_makes_files_early),
		BEHIND_TEST(a_new_file_is_like_the_first_one),
		BEHIND_TEST(a_file_that_was_made_long_ago_is_no_sample),
		BEHIND_TEST(a_directory_made_there_is_like_it),
		BEHIND_TEST(a_directory_is_like_one_made_in_it),
		BEHIND_TEST(a_directory_that_changes_is_looked_at_again),
		BEHIND_TEST(one_for_another_owner_is_waited_for),
		BEHIND_TEST(mode_and_times_travel_behind_the_making),
		BEHIND_TEST(its_handle_is_one_like_others),
		BEHIND_TEST(numbers_of_the_far_end_are_not_mixed_up),
		BEHIND_TEST(a_file_that_cannot_be_made_fails_with_each_request),
		BEHIND_TEST(close_tells_that_it_could_not_be_made),
		BEHIND_TEST(flush_tells_that_it_could_not_be_made),
		BEHIND_TEST(fsync_waits_and_tells_that_it_could_not_be_made),
		BEHIND_TEST(what_was_closed_and_could_not_be_made_is_lost),
		BEHIND_TEST(an_empty_file_that_could_not_be_made_is_lost_too),
		BEHIND_TEST(what_asks_for_it_by_name_waits),
		BEHIND_TEST(what_asks_for_its_directory_waits),
		BEHIND_TEST(a_listing_has_what_was_made_before),
		BEHIND_TEST(what_is_about_others_does_not_wait),
		BEHIND_TEST(a_file_is_opened_again_after_it_was_made),
		BEHIND_TEST(it_is_written_on_by_its_new_name),
		BEHIND_TEST(files_that_are_being_made_are_bounded),
		BEHIND_TEST(who_waits_for_a_directory_is_not_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
