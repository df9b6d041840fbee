/* Keeping the content of small files, over the cache over memfs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/keep.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct rig {
	struct far far; /* first */
	struct keep *keep;
	struct fs_caller *c;
};

static struct rig *rig_new(const struct keep_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct keep_config config = *wish;

	assert_non_null(rig);
	far_init(&rig->far);
	far_cache(&rig->far, &(struct cache_config){.ahead = CACHE_NEVER});
	config.under = cache_fs(rig->far.cache);
	config.cache = rig->far.cache;
	config.now_ms = far_now;
	config.arg = rig;
	assert_int_equal(keep_new(&rig->keep, &config), CSFTP_OK);
	rig->far.caller.fs = keep_fs(rig->keep);
	rig->c = &rig->far.caller;
	return rig;
}

static void rig_free(struct rig *rig)
{
	far_settle(&rig->far);
	assert_int_equal(keep_pending(rig->keep), 0);
	keep_free(rig->keep);
	far_release(&rig->far);
	free(rig);
}

static int setup(void **state)
{
	*state = rig_new(&(struct keep_config){0});
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

static csftp_fh open_it(struct rig *rig, const char *path)
{
	assert_int_equal(fs_open(rig->c, path, CSFTP_OPEN_READ), 0);
	return rig->c->fh;
}

static void reads(struct rig *rig, csftp_fh fh, const char *text)
{
	assert_int_equal(fs_read(rig->c, fh, 0, 4096), 0);
	assert_int_equal(rig->c->data_len, strlen(text));
	assert_memory_equal(rig->c->data, text, strlen(text));
}

/* Opens it, asks for its size, reads and closes it, as programs do. */
static void use(struct rig *rig, const char *path, const char *text)
{
	csftp_fh fh = open_it(rig, path);

	assert_int_equal(fs_fgetattr(rig->c, fh), 0);
	assert_int_equal(rig->c->attr.size, strlen(text));
	reads(rig, fh, text);
	assert_int_equal(fs_close(rig->c, fh), 0);
	far_settle(&rig->far);
}

/* So that its time has passed when it is read. */
static void put_old(struct rig *rig, const char *path, const char *text)
{
	far_put(&rig->far.other, path, text);
	assert_int_equal(fs_lgetattr(rig->c, path), 0);
	rig->far.now_ms += 5000;
}

/* One whose content is kept and proved to be that of its time. */
static void keep_one(struct rig *rig, const char *path, const char *text)
{
	put_old(rig, path, text);
	use(rig, path, text);
	rig->far.now_ms += 5000;
	use(rig, path, text);
	rig->far.now_ms += 5000;
	use(rig, path, text);
	rig->far.now_ms += 5000;
	far_begin(&rig->far);
}

static void who_has_just_opened_a_file_is_told_its_attributes(void **state)
{
	struct rig *rig = *state;

	put_old(rig, "/f", "text");
	far_begin(&rig->far);
	use(rig, "/f", "text");
	assert_int_equal(rig->far.trips, 3); /* OPEN, READ, CLOSE */
	/* Of this one nothing was known. */
	far_put(&rig->far.other, "/g", "text");
	far_begin(&rig->far);
	use(rig, "/g", "text");
	assert_int_equal(rig->far.trips, 3);
}

static void what_is_the_same_is_opened_for_one_question(void **state)
{
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	use(rig, "/f", "text");
	assert_int_equal(rig->far.trips, 1);
	assert_int_equal(rig->far.all, 1);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 1);
}

/* As long as a question takes nobody can know better. */
static void at_once_nobody_is_asked_again(void **state)
{
	struct rig *rig = *state;

	rig->far.trip_ms = 20;
	keep_one(rig, "/f", "text");
	use(rig, "/f", "text");
	far_begin(&rig->far);
	for (int i = 0; i < 5; i++)
		use(rig, "/f", "text");
	assert_int_equal(rig->far.all, 0);
	assert_int_equal(keep_counts(rig->keep).opened, 7);
	rig->far.now_ms += 200;
	use(rig, "/f", "text");
	assert_int_equal(rig->far.all, 1);
}

static void where_a_question_takes_no_time_each_is_asked(void **state)
{
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	for (int i = 0; i < 5; i++) {
		far_put(&rig->far.other, "/f", i % 2 ? "text" : "other");
		use(rig, "/f", i % 2 ? "text" : "other");
	}
}

static void what_has_changed_is_read_again(void **state)
{
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	far_put(&rig->far.other, "/f", "TEXT");
	use(rig, "/f", "TEXT");
	rig->far.now_ms += 5000;
	far_put(&rig->far.other, "/f", "longer");
	use(rig, "/f", "longer");
}

/* With the same size, in the same second as it was read. */
static void a_time_that_has_not_passed_proves_nothing(void **state)
{
	struct rig *rig = *state;

	far_put(&rig->far.other, "/f", "text");
	use(rig, "/f", "text");
	far_put(&rig->far.other, "/f", "TEXT");
	rig->far.now_ms += 1500;
	use(rig, "/f", "TEXT");
}

/* Its attributes were learned just before it grew, and are not asked for. */
static void where_an_open_file_ends_the_server_says(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	far_put(&rig->far.other, "/f", "text");
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	far_put(&rig->far.other, "/f", "text and more");
	fh = open_it(rig, "/f");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fs_read(rig->c, fh, 0, 4096), 0);
		assert_true(rig->c->data_len == strlen("text and more") ||
			    !rig->c->eof);
	}
	assert_int_equal(fs_read(rig->c, fh, 4, 4096), 0);
	assert_int_equal(rig->c->data_len, strlen(" and more"));
	assert_int_equal(fs_close(rig->c, fh), 0);
}

/* What we make tells what the server's clock says. */
static void what_is_longer_than_its_name_was_is_another(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	far_put(&rig->far.other, "/f", "text");
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	far_put(&rig->far.other, "/f", "longer");
	fh = open_it(rig, "/f");
	assert_int_equal(fs_fgetattr(rig->c, fh), 0);
	assert_int_equal(rig->c->attr.size, 4);
	assert_int_equal(
		fs_call(rig->c, &(struct csftp_req){.op = CSFTP_OP_GETATTR,
						    .flags = CSFTP_SYNC,
						    .fh = fh}),
		0);
	assert_int_equal(rig->c->attr.size, 6);
	reads(rig, fh, "longer");
	assert_int_equal(fs_fgetattr(rig->c, fh), 0);
	assert_int_equal(rig->c->attr.size, 6);
	assert_int_equal(keep_counts(rig->keep).bytes, 0);
	assert_int_equal(fs_close(rig->c, fh), 0);
}

static void an_old_file_is_sure_at_once_where_the_clock_is_known(void **state)
{
	struct rig *rig = *state;
	struct csftp_attr old = {.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
				 .atime = {.sec = 100},
				 .mtime = {.sec = 100}};

	far_put(&rig->far.other, "/f", "text");
	assert_int_equal(fs_setattr(&rig->far.other, "/f", &old), 0);
	assert_int_equal(fs_lgetattr(rig->c, "/f"), 0);
	assert_int_equal(fs_mkdir(rig->c, "/made"), 0);
	assert_int_equal(fs_lgetattr(rig->c, "/made"), 0);
	use(rig, "/f", "text");
	rig->far.now_ms += 5000;
	far_begin(&rig->far);
	use(rig, "/f", "text");
	assert_int_equal(rig->far.all, 1);
}

static void who_may_not_open_it_any_more_is_told(void **state)
{
	const struct csftp_attr none = {.mask = CSFTP_ATTR_MODE};
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	assert_int_equal(fs_setattr(&rig->far.other, "/f", &none), 0);
	assert_int_equal(fs_open(rig->c, "/f", CSFTP_OPEN_READ), 0);
	/* memfs lets anybody; what matters is that it was asked. */
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	assert_int_equal(fs_close(rig->c, rig->c->fh), 0);
}

static void what_has_gone_is_not_there(void **state)
{
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	assert_int_equal(fs_unlink(&rig->far.other, "/f"), 0);
	assert_int_equal(fs_open(rig->c, "/f", CSFTP_OPEN_READ), ENOENT);
}

static void put_three(struct rig *rig)
{
	far_put(&rig->far.other, "/one", "1");
	far_put(&rig->far.other, "/two", "22");
	far_put(&rig->far.other, "/three", "333");
}

static void use_three(struct rig *rig)
{
	use(rig, "/one", "1");
	use(rig, "/two", "22");
	use(rig, "/three", "333");
}

/* Who opens the first is held to open the others again. */
static void those_behind_are_asked_about_at_once(void **state)
{
	struct rig *rig = *state;

	rig->far.trip_ms = 20;
	put_three(rig);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(fs_lgetattr(rig->c, "/one"), 0);
		assert_int_equal(fs_lgetattr(rig->c, "/two"), 0);
		assert_int_equal(fs_lgetattr(rig->c, "/three"), 0);
		rig->far.now_ms += 5000;
		far_begin(&rig->far);
		use_three(rig);
	}
	assert_int_equal(rig->far.trips, 1);
	assert_int_equal(rig->far.asked[CSFTP_OP_GETATTR], 3);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 0);
}

static void what_nobody_came_for_is_not_asked_about_twice(void **state)
{
	struct rig *rig = *state;
	uint64_t ahead;

	put_three(rig);
	for (int i = 0; i < 4; i++) {
		rig->far.now_ms += 5000;
		use_three(rig);
	}
	rig->far.now_ms += 5000;
	use(rig, "/one", "1");
	ahead = keep_counts(rig->keep).ahead;
	for (int i = 0; i < 4; i++) {
		rig->far.now_ms += 5000;
		use(rig, "/one", "1");
	}
	assert_int_equal(keep_counts(rig->keep).ahead, ahead);
}

static void after_a_second_it_is_opened_after_all(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	rig->far.now_ms += 1500;
	far_put(&rig->far.other, "/f", "longer");
	reads(rig, fh, "longer");
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	assert_int_equal(fs_fgetattr(rig->c, fh), 0);
	assert_int_equal(rig->c->attr.size, 6);
	assert_int_equal(fs_close(rig->c, fh), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE], 1);
}

/* Its name leads to another file then, and part of it may have been read. */
static void what_is_open_for_a_second_stays_what_it_is(void **state)
{
	struct rig *rig = *state;
	uint64_t due;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	assert_int_equal(keep_tick(rig->keep), 0);
	fh = open_it(rig, "/f");
	due = keep_tick(rig->keep);
	assert_in_range(due, rig->far.now_ms + 1, rig->far.now_ms + 2000);
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 0);
	rig->far.now_ms = due;
	assert_int_equal(keep_tick(rig->keep), 0);
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	far_put(&rig->far.other, "/new", "new text");
	assert_int_equal(fs_replace(&rig->far.other, "/new", "/f"), 0);
	reads(rig, fh, "text");
	assert_int_equal(fs_close(rig->c, fh), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE], 1);
}

static void what_cannot_be_opened_then_is_when_it_is_read(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	rig->far.now_ms += 1500;
	assert_int_equal(fs_rename(&rig->far.other, "/f", "/away"), 0);
	assert_int_equal(keep_tick(rig->keep), 0);
	far_settle(&rig->far);
	assert_int_equal(keep_tick(rig->keep), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	assert_int_equal(fs_rename(&rig->far.other, "/away", "/f"), 0);
	rig->far.now_ms += 1500;
	reads(rig, fh, "text");
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 2);
	assert_int_equal(fs_close(rig->c, fh), 0);
}

static void what_was_opened_unasked_is_closed_after_all(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	rig->far.now_ms += 1500;
	assert_int_equal(keep_tick(rig->keep), 0);
	assert_int_equal(fs_close(rig->c, fh), 0);
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE], 1);
}

static void a_file_that_is_open_outlives_its_name(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	assert_int_equal(fs_unlink(rig->c, "/f"), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	rig->far.now_ms += 5000;
	reads(rig, fh, "text");
	assert_int_equal(fs_fgetattr(rig->c, fh), 0);
	assert_int_equal(fs_close(rig->c, fh), 0);
	assert_int_equal(fs_open(rig->c, "/f", CSFTP_OPEN_READ), ENOENT);
}

static void a_file_that_is_open_stays_what_another_replaces(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	assert_int_equal(fs_mkdir(&rig->far.other, "/d"), 0);
	keep_one(rig, "/d/f", "text");
	far_put(rig->c, "/d/new", "new text");
	fh = open_it(rig, "/d/f");
	assert_int_equal(fs_replace(rig->c, "/d/new", "/d/f"), 0);
	reads(rig, fh, "text");
	use(rig, "/d/f", "new text");
	assert_int_equal(fs_rename(rig->c, "/d", "/e"), 0);
	reads(rig, fh, "text");
	assert_int_equal(fs_close(rig->c, fh), 0);
	use(rig, "/e/f", "new text");
}

static void what_we_write_is_seen_at_once(void **state)
{
	struct rig *rig = *state;
	csftp_fh other;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	other = open_it(rig, "/f");
	assert_int_equal(fs_open(rig->c, "/f", CSFTP_OPEN_WRITE), 0);
	fh = rig->c->fh;
	assert_int_equal(fs_write(rig->c, fh, 0, "TEXT", 4), 0);
	reads(rig, other, "TEXT");
	use(rig, "/f", "TEXT");
	assert_int_equal(fs_write(rig->c, fh, 0, "more", 4), 0);
	reads(rig, other, "more");
	assert_int_equal(fs_close(rig->c, fh), 0);
	assert_int_equal(fs_close(rig->c, other), 0);
	use(rig, "/f", "more");
}

static void what_we_cut_is_seen_at_once(void **state)
{
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 2};
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	assert_int_equal(fs_setattr(rig->c, "/f", &size), 0);
	use(rig, "/f", "te");
}

static void a_copy_of_it_is_made_below(void **state)
{
	struct rig *rig = *state;
	struct csftp_req copy = {.op = CSFTP_OP_COPY_RANGE, .len = 4};

	keep_one(rig, "/f", "text");
	copy.fh = open_it(rig, "/f");
	assert_int_equal(
		fs_open(rig->c, "/g", CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT), 0);
	copy.fh2 = rig->c->fh;
	assert_int_equal(fs_copy_range(rig->c, &copy), 0);
	assert_int_equal(fs_close(rig->c, copy.fh), 0);
	assert_int_equal(fs_close(rig->c, copy.fh2), 0);
	use(rig, "/g", "text");
}

static void a_file_that_was_lost_meanwhile_says_so(void **state)
{
	struct rig *rig = *state;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	assert_int_equal(fs_unlink(&rig->far.other, "/f"), 0);
	rig->far.now_ms += 1500;
	assert_int_equal(fs_read(rig->c, fh, 0, 4), ESTALE);
	assert_int_equal(fs_fgetattr(rig->c, fh), ESTALE);
	assert_int_equal(fs_close(rig->c, fh), 0);
}

static void memory_is_bounded(void **state)
{
	struct keep_config small = {.bytes_max = 20000};
	struct rig *rig = rig_new(&small);
	char path[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "/%d", i);
		put_old(rig, path, "content that is kept");
		use(rig, path, "content that is kept");
		assert_in_range(keep_counts(rig->keep).bytes, 1, 20000);
	}
	rig_free(rig);
}

/* What was dropped while files have it open is memory, too. */
static void content_of_open_files_is_bounded(void **state)
{
	struct keep_config small = {.bytes_max = 1000};
	struct rig *rig = rig_new(&small);
	csftp_fh fh[200];
	char path[32];

	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "/%d", i);
		put_old(rig, path, "content that is kept");
		fh[i] = open_it(rig, path);
		reads(rig, fh[i], "content that is kept");
		assert_in_range(keep_counts(rig->keep).content, 20, 2000);
	}
	for (int i = 0; i < 200; i++)
		assert_int_equal(fs_close(rig->c, fh[i]), 0);
	assert_in_range(keep_counts(rig->keep).content, 0, 1000);
	rig_free(rig);
}

static void a_large_file_is_not_kept(void **state)
{
	struct keep_config small = {.file_max = 8};
	struct rig *rig = rig_new(&small);

	(void)state;
	put_old(rig, "/f", "nine char");
	use(rig, "/f", "nine char");
	assert_int_equal(keep_counts(rig->keep).bytes, 0);
	rig_free(rig);
}

static void who_waits_can_be_cancelled(void **state)
{
	struct rig *rig = *state;
	struct fs_asked asked;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fs_ask(keep_fs(rig->keep), &asked,
	       &(struct csftp_req){.op = CSFTP_OP_OPEN,
				   .path = "/f",
				   .flags = CSFTP_OPEN_READ});
	csftp_cancel(keep_fs(rig->keep), &asked.req);
	assert_int_equal(asked.err, EINTR);
	far_settle(&rig->far);
	fh = open_it(rig, "/f");
	fs_ask(keep_fs(rig->keep), &asked,
	       &(struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "/f"});
	csftp_cancel(keep_fs(rig->keep), &asked.req);
	assert_int_equal(asked.err, EINTR);
	assert_int_equal(fs_close(rig->c, fh), 0);
	far_settle(&rig->far);
	assert_int_equal(fs_lgetattr(&rig->far.other, "/f"), 0);
}

/* Closed while it is being opened for a change of its name. */
static void a_handle_that_comes_too_late_is_closed(void **state)
{
	struct rig *rig = *state;
	struct fs_asked remove;
	struct fs_asked close;
	csftp_fh fh;

	keep_one(rig, "/f", "text");
	fh = open_it(rig, "/f");
	fs_ask(keep_fs(rig->keep), &remove,
	       &(struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "/f"});
	fs_ask(keep_fs(rig->keep), &close,
	       &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	far_settle(&rig->far);
	assert_true(close.err >= 0);
	assert_int_equal(remove.err, 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE], 1);
}

/* Whatever it is that the READs wait for. */
static void a_close_goes_behind_the_reads_before_it(void **state)
{
	struct rig *rig = *state;

	keep_one(rig, "/f", "text");
	put_old(rig, "/g", "text");
	for (unsigned kept = 0; kept < 2; kept++) {
		csftp_fh fh = open_it(rig, kept ? "/f" : "/g");
		struct fs_asked read[2];
		struct fs_asked close;

		rig->far.now_ms += kept ? 2000 : 0;
		for (size_t i = 0; i < 2; i++)
			fs_ask(keep_fs(rig->keep), &read[i],
			       &(struct csftp_req){.op = CSFTP_OP_READ,
						   .fh = fh,
						   .off = i,
						   .len = 9});
		fs_ask(keep_fs(rig->keep), &close,
		       &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
		assert_int_equal(read[0].err, -1);
		assert_int_equal(read[1].err, -1);
		far_settle(&rig->far);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(read[i].err, 0);
		assert_int_equal(close.err, 0);
		assert_int_equal(fs_close(rig->c, fh), EBADF);
	}
}

static void a_quiet_layer_keeps_nothing(void **state)
{
	struct rig *rig = *state;

	keep_quiet(rig->keep);
	put_old(rig, "/f", "text");
	use(rig, "/f", "text");
	far_begin(&rig->far);
	use(rig, "/f", "text");
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], 1);
	assert_int_equal(keep_counts(rig->keep).bytes, 0);
}

static int run_suite(void)
{
	struct rig *rig = rig_new(&(struct keep_config){0});
	int failed = fs_suite_run_over(&rig->far.caller, &rig->far.other,
				       "keeping over memfs", FS_ALL);

	rig_free(rig);
	return failed;
}

#define KEEP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEP_TEST(who_has_just_opened_a_file_is_told_its_attributes),
		KEEP_TEST(what_is_the_same_is_opened_for_one_question),
		KEEP_TEST(at_once_nobody_is_asked_again),
		KEEP_TEST(where_a_question_takes_no_time_each_is_asked),
		KEEP_TEST(what_has_changed_is_read_again),
		KEEP_TEST(a_time_that_has_not_passed_proves_nothing),
		KEEP_TEST(where_an_open_file_ends_the_server_says),
		KEEP_TEST(what_is_longer_than_its_name_was_is_another),
		KEEP_TEST(an_old_file_is_sure_at_once_where_the_clock_is_known),
		KEEP_TEST(who_may_not_open_it_any_more_is_told),
		KEEP_TEST(what_has_gone_is_not_there),
		KEEP_TEST(those_behind_are_asked_about_at_once),
		KEEP_TEST(what_nobody_came_for_is_not_asked_about_twice),
		KEEP_TEST(after_a_second_it_is_opened_after_all),
		KEEP_TEST(what_is_open_for_a_second_stays_what_it_is),
		KEEP_TEST(what_cannot_be_opened_then_is_when_it_is_read),
		KEEP_TEST(what_was_opened_unasked_is_closed_after_all),
		KEEP_TEST(a_file_that_is_open_outlives_its_name),
		KEEP_TEST(a_file_that_is_open_stays_what_another_replaces),
		KEEP_TEST(what_we_write_is_seen_at_once),
		KEEP_TEST(what_we_cut_is_seen_at_once),
		KEEP_TEST(a_copy_of_it_is_made_below),
		KEEP_TEST(a_file_that_was_lost_meanwhile_says_so),
		KEEP_TEST(memory_is_bounded),
		KEEP_TEST(content_of_open_files_is_bounded),
		KEEP_TEST(a_large_file_is_not_kept),
		KEEP_TEST(who_waits_can_be_cancelled),
		KEEP_TEST(a_handle_that_comes_too_late_is_closed),
		KEEP_TEST(a_close_goes_behind_the_reads_before_it),
		KEEP_TEST(a_quiet_layer_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + run_suite();
}
