/* Server engine and client engine, joined by memory, over file systems. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csftp/memfs.h"
#include "server/posixfs.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/joined.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

/*
 * Version 3 carries neither nanoseconds nor link counts, and a client that
 * learns that there is nothing to copy does not ask for it.
 */
#define OVER_MEMFS (FS_ALL & ~(FS_NSEC | FS_NLINK | FS_COPY_EMPTY))

/* Each look at the clock is a second later. */
static struct csftp_time tick(void *arg)
{
	return (struct csftp_time){.sec = 1000000000 + ++*(int64_t *)arg};
}

static struct csftp_fs *memfs(void)
{
	struct csftp_fs *fs = NULL;

	assert_int_equal(csftp_memfs_new(&fs, NULL), CSFTP_OK);
	return fs;
}

/* The suite runs groups of tests of its own, so it is not inside of one. */
static int suite_joined(struct joined *joined, struct csftp_fs *fs,
			struct fs_suite *suite)
{
	int failed;

	joined_start(joined, fs);
	suite->caller = (struct fs_caller){
		.fs = csftp_remote_fs(joined->remote),
		.drive = joined_drive,
		.arg = joined,
	};
	if (strcmp(suite->base, "/base") == 0 &&
	    fs_mkdir(&suite->caller, suite->base) != 0)
		return 1;
	failed = fs_suite_run(suite);
	fs_caller_release(&suite->caller);
	joined_stop(joined);
	return failed;
}

static int suite_over_memfs(size_t piece, const char *name)
{
	int64_t now = 0;
	struct csftp_memfs_config config = {.clock = tick, .arg = &now};
	struct csftp_fs *fs = NULL;
	struct joined joined = {.piece = piece};
	struct fs_suite suite = {
		.name = name, .base = "/base", .has = OVER_MEMFS};
	int failed;

	if (csftp_memfs_new(&fs, &config) != CSFTP_OK)
		return 1;
	failed = suite_joined(&joined, fs, &suite);
	csftp_memfs_free(fs);
	return failed;
}

static int suite_answered_later(void)
{
	int64_t now = 0;
	struct csftp_memfs_config config = {.clock = tick, .arg = &now};
	struct csftp_fs *fs = NULL;
	struct later later;
	struct joined joined = {.also = later_run, .arg = &later};
	struct fs_suite suite = {.name = "remote over memfs, answered later",
				 .base = "/base",
				 .has = OVER_MEMFS};
	int failed;

	if (csftp_memfs_new(&fs, &config) != CSFTP_OK)
		return 1;
	later_init(&later, fs);
	failed = suite_joined(&joined, &later.fs, &suite);
	csftp_memfs_free(fs);
	return failed;
}

static int suite_over_posixfs(void)
{
	char dir[] = "/tmp/csftp-engines-XXXXXX";
	struct csftp_fs *fs = NULL;
	struct joined joined = {.piece = 0};
	struct posixfs_config config = {.start = dir};
	struct fs_suite suite = {.name = "remote over posixfs",
				 .base = dir,
				 .has = OVER_MEMFS &
					~(geteuid() == 0 ? 0U : FS_CHOWN)};
	int failed;

	if (!mkdtemp(dir) || posixfs_new(&fs, &config) != CSFTP_OK)
		return 1;
	failed = suite_joined(&joined, fs, &suite);
	posixfs_free(fs);
	return failed + (rmdir(dir) == 0 ? 0 : 1);
}

/* A short session of every kind of request; its hash says what went over. */
static void session(struct joined *joined)
{
	struct csftp_fs *fs = memfs();
	struct fs_caller c = {.drive = joined_drive, .arg = joined};
	struct fs_names names = {.count = 0};
	struct csftp_attr mtime = {.mask = CSFTP_ATTR_MTIME,
				   .mtime = {.sec = 77}};
	csftp_fh fh;

	joined_start(joined, fs);
	c.fs = csftp_remote_fs(joined->remote);
	assert_int_equal(fs_mkdir(&c, "d"), 0);
	assert_int_equal(fs_open(&c, "d/f", RW), 0);
	fh = c.fh;
	assert_int_equal(fs_write(&c, fh, 0, "hello", 5), 0);
	assert_int_equal(fs_read(&c, fh, 1, 100), 0);
	assert_int_equal(c.data_len, 4);
	assert_memory_equal(c.data, "ello", 4);
	assert_int_equal(fs_fsync(&c, fh), 0);
	assert_int_equal(fs_fgetattr(&c, fh), 0);
	assert_int_equal(c.attr.size, 5);
	assert_int_equal(fs_close(&c, fh), 0);
	assert_int_equal(fs_setattr(&c, "d/f", &mtime), 0);
	assert_int_equal(fs_lgetattr(&c, "d/f"), 0);
	assert_int_equal(c.attr.mtime.sec, 77);
	assert_int_equal(fs_symlink(&c, "l", "d/f"), 0);
	assert_int_equal(fs_readlink(&c, "l"), 0);
	assert_string_equal(c.text, "d/f");
	assert_int_equal(fs_link(&c, "d/f", "h"), 0);
	assert_int_equal(fs_replace(&c, "h", "l"), 0);
	assert_int_equal(fs_rename(&c, "l", "d"), EEXIST);
	assert_int_equal(fs_list(&c, "d", &names), 0);
	assert_int_equal(names.count, 1);
	assert_int_equal(fs_statfs(&c, ""), 0);
	assert_int_equal(fs_realpath(&c, "d/../l"), 0);
	assert_string_equal(c.text, "/l");
	assert_int_equal(fs_unlink(&c, "l"), 0);
	assert_int_equal(fs_unlink(&c, "l"), ENOENT);
	assert_int_equal(fs_unlink(&c, "d/f"), 0);
	assert_int_equal(fs_rmdir(&c, "d"), 0);
	fs_names_release(&names);
	fs_caller_release(&c);
	joined_stop(joined);
	csftp_memfs_free(fs);
}

static void every_split_of_the_stream_is_as_good(void **state)
{
	struct joined whole = {.piece = 0};
	struct joined bytes = {.piece = 1};

	(void)state;
	session(&whole);
	session(&bytes);
	assert_int_equal(bytes.hash_up, whole.hash_up);
	assert_int_equal(bytes.hash_down, whole.hash_down);
	for (size_t cut = 1; cut < whole.to_server; cut++) {
		struct joined one = {.cut_up = cut};

		session(&one);
		assert_int_equal(one.hash_down, whole.hash_down);
	}
	for (size_t cut = 1; cut < whole.to_client; cut++) {
		struct joined one = {.cut_down = cut};

		session(&one);
		assert_int_equal(one.hash_up, whole.hash_up);
	}
}

/* Many requests at once, each with its own place for the answer. */
struct many {
	struct csftp_req req;
	int err;
	bool done;
	bool eof;
	size_t len;
	uint8_t first;
	csftp_fh fh;
};

static void many_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct many *one = (struct many *)req;

	assert_false(one->done);
	one->done = true;
	one->err = reply->err;
	one->eof = reply->eof;
	one->len = reply->data.len;
	one->fh = reply->fh;
	if (reply->data.len > 0)
		one->first = *(const uint8_t *)reply->data.ptr;
}

#define MANY  2000
#define BLOCK 4096

/* What a client has in flight, unless it is told. */
#define SLOTS 768U

static void drive_all(struct joined *joined)
{
	while (csftp_remote_pending(joined->remote) > 0)
		assert_true(joined_drive(joined));
}

/* More requests than slots, and more bytes than buffers. */
static void pipelined_requests_all_get_their_own_answer(void **state)
{
	struct csftp_fs *under = memfs();
	struct later later;
	struct joined joined = {.also = later_run, .arg = &later};
	struct many *many = calloc(MANY, sizeof(*many));
	uint8_t *blocks = calloc(MANY, BLOCK);
	struct csftp_fs *fs;
	struct fs_caller c = {.drive = joined_drive, .arg = &joined};
	csftp_fh fh;

	(void)state;
	later_init(&later, under);
	joined_start(&joined, &later.fs);
	fs = csftp_remote_fs(joined.remote);
	c.fs = fs;
	assert_int_equal(fs_open(&c, "f", RW), 0);
	fh = c.fh;
	for (size_t i = 0; i < MANY; i++) {
		memset(blocks + i * BLOCK, (int)(i % 251), BLOCK);
		many[i].req = (struct csftp_req){.op = CSFTP_OP_WRITE,
						 .fh = fh,
						 .off = i * BLOCK,
						 .len = BLOCK,
						 .data = blocks + i * BLOCK,
						 .done = many_done};
		csftp_submit(fs, &many[i].req);
	}
	drive_all(&joined);
	later.order = LATER_NEWEST_FIRST;
	later.hold = 16;
	for (size_t i = 0; i < MANY; i++) {
		assert_true(many[i].done);
		assert_int_equal(many[i].err, 0);
		many[i] = (struct many){
			.req = {.op = CSFTP_OP_READ,
				.fh = fh,
				.off = i * BLOCK,
				.len = BLOCK,
				.done = many_done},
		};
		csftp_submit(fs, &many[i].req);
	}
	drive_all(&joined);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(many[i].err, 0);
		assert_int_equal(many[i].len, BLOCK);
		assert_int_equal(many[i].first, i % 251);
	}
	assert_true(later.most >= 16);
	assert_int_equal(fs_close(&c, fh), 0);
	fs_caller_release(&c);
	joined_stop(&joined);
	csftp_memfs_free(under);
	free(blocks);
	free(many);
}

static void a_cancelled_open_leaves_no_handle_behind(void **state)
{
	struct csftp_fs *under = memfs();
	struct later later;
	struct joined joined = {.also = later_run, .arg = &later};
	struct many one = {.req = {.op = CSFTP_OP_OPEN,
				   .path = "f",
				   .flags = RW,
				   .done = many_done}};
	struct csftp_fs *fs;

	(void)state;
	later_init(&later, under);
	joined_start(&joined, &later.fs);
	fs = csftp_remote_fs(joined.remote);
	csftp_submit(fs, &one.req);
	/* The server has it, and its file system holds it back. */
	later.hold = 2;
	while (later.waiting == 0)
		assert_true(joined_drive(&joined));
	csftp_cancel(fs, &one.req);
	assert_true(one.done);
	assert_int_equal(one.err, EINTR);
	later.hold = 0;
	while (joined_drive(&joined))
		continue;
	/* OPEN, and then a CLOSE that nobody asked for, have been answered. */
	assert_int_equal(csftp_serve_pending(joined.serve), 0);
	assert_int_equal(later.most, 1);
	{
		struct fs_caller c = {
			.fs = fs, .drive = joined_drive, .arg = &joined};
		struct csftp_req read = {
			.op = CSFTP_OP_READ, .fh = one.fh, .len = 1};

		assert_int_equal(fs_call(&c, &read), EBADF);
		fs_caller_release(&c);
	}
	joined_stop(&joined);
	csftp_memfs_free(under);
}

static void a_deadline_answers_and_the_session_goes_on(void **state)
{
	struct csftp_fs *under = memfs();
	struct later later;
	struct joined joined = {.also = later_run, .arg = &later};
	struct many one = {.req = {.op = CSFTP_OP_GETATTR,
				   .path = "",
				   .deadline_ms = 1000,
				   .done = many_done}};
	struct fs_caller c = {.drive = joined_drive, .arg = &joined};

	(void)state;
	later_init(&later, under);
	joined_start(&joined, &later.fs);
	c.fs = csftp_remote_fs(joined.remote);
	later.hold = 2;
	csftp_submit(c.fs, &one.req);
	while (joined_drive(&joined))
		continue;
	assert_int_equal(csftp_remote_tick(joined.remote, 999), 1000);
	assert_false(one.done);
	assert_int_equal(csftp_remote_tick(joined.remote, 1000), 0);
	assert_true(one.done);
	assert_int_equal(one.err, ETIMEDOUT);
	later.hold = 0;
	assert_int_equal(fs_getattr(&c, ""), 0);
	fs_caller_release(&c);
	joined_stop(&joined);
	csftp_memfs_free(under);
}

static void a_lost_connection_fails_what_waits(void **state)
{
	struct csftp_fs *under = memfs();
	struct later later;
	struct joined joined = {.also = later_run, .arg = &later};
	struct many *many = calloc(MANY, sizeof(*many));
	struct csftp_fs *fs;
	struct fs_caller c = {.fs = NULL};

	(void)state;
	later_init(&later, under);
	joined_start(&joined, &later.fs);
	fs = csftp_remote_fs(joined.remote);
	for (size_t i = 0; i < MANY; i++) {
		many[i].req = (struct csftp_req){
			.op = CSFTP_OP_GETATTR, .path = "", .done = many_done};
		csftp_submit(fs, &many[i].req);
	}
	later.hold = SIZE_MAX;
	for (int i = 0; i < 10; i++)
		(void)joined_drive(&joined);
	csftp_link_close(csftp_remote_link(joined.remote), CSFTP_ERR_EOF);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(many[i].done);
		/* Those above the number of slots were not sent. */
		assert_int_equal(many[i].err, i < SLOTS ? EIO : ENOTCONN);
	}
	c.fs = fs;
	assert_int_equal(fs_getattr(&c, ""), ENOTCONN);
	later.hold = 0;
	fs_caller_release(&c);
	joined_stop(&joined);
	csftp_memfs_free(under);
	free(many);
}

static void a_client_that_does_not_read_is_not_read(void **state)
{
	struct csftp_fs *fs = memfs();
	struct csftp_serve_config config = {.fs = fs};
	struct csftp_serve *serve = NULL;
	struct csftp_link *link;
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	/* STAT of "." with id 7. */
	static const uint8_t stat[] = {0, 0, 0, 10, 17, 0, 0,
				       0, 7, 0, 0,  0,	1, '.'};
	size_t taken = 0;
	size_t room;

	(void)state;
	assert_int_equal(csftp_serve_new(&serve, &config), CSFTP_OK);
	link = csftp_serve_link(serve);
	memcpy(csftp_link_in(link, &room), init, sizeof(init));
	assert_int_equal(csftp_link_in_ack(link, sizeof(init)), CSFTP_OK);
	for (;;) {
		uint8_t *in = csftp_link_in(link, &room);

		if (room < sizeof(stat))
			break;
		memcpy(in, stat, sizeof(stat));
		assert_int_equal(csftp_link_in_ack(link, sizeof(stat)),
				 CSFTP_OK);
		taken++;
		assert_true(taken < 1000000);
	}
	assert_int_equal(csftp_link_wants(link), CSFTP_WANT_OUT);
	/* Once it reads, it is read again. */
	while (csftp_link_wants(link) & CSFTP_WANT_OUT) {
		struct csftp_slice slice;

		assert_int_equal(csftp_link_out(link, &slice, 1), 1);
		assert_int_equal(csftp_link_out_ack(link, slice.len), CSFTP_OK);
	}
	assert_int_equal(csftp_link_wants(link), CSFTP_WANT_IN);
	csftp_serve_free(serve);
	csftp_memfs_free(fs);
}

/* A client must not keep the server busy with a hole of its making. */
static void a_hole_of_any_size_is_copied_at_once(void **state)
{
	struct joined joined = {.piece = 0};
	struct csftp_fs *fs = memfs();
	struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE,
				  .size = (uint64_t)1 << 62};
	struct fs_caller c = {.drive = joined_drive, .arg = &joined};
	struct csftp_req range = {.off2 = (uint64_t)1 << 61,
				  .len = (uint64_t)1 << 61};

	(void)state;
	joined_start(&joined, fs);
	c.fs = csftp_remote_fs(joined.remote);
	assert_int_equal(fs_open(&c, "f", RW), 0);
	range.fh = c.fh;
	range.fh2 = c.fh;
	assert_int_equal(fs_write(&c, range.fh, 3 << 20, "data", 4), 0);
	assert_int_equal(fs_fsetattr(&c, range.fh, &size), 0);
	assert_int_equal(fs_copy_range(&c, &range), 0);
	assert_int_equal(fs_read(&c, range.fh, range.off2 + (3 << 20), 5), 0);
	assert_true(c.data_len >= 4);
	assert_memory_equal(c.data, "data", 4);
	fs_caller_release(&c);
	joined_stop(&joined);
	csftp_memfs_free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_of_any_size_is_copied_at_once),
		cmocka_unit_test(every_split_of_the_stream_is_as_good),
		cmocka_unit_test(pipelined_requests_all_get_their_own_answer),
		cmocka_unit_test(a_cancelled_open_leaves_no_handle_behind),
		cmocka_unit_test(a_deadline_answers_and_the_session_goes_on),
		cmocka_unit_test(a_lost_connection_fails_what_waits),
		cmocka_unit_test(a_client_that_does_not_read_is_not_read),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	failed += suite_over_memfs(0, "remote over memfs");
	failed += suite_over_memfs(1, "remote over memfs, byte by byte");
	failed += suite_over_memfs(1021, "remote over memfs, in odd pieces");
	failed += suite_answered_later();
	failed += suite_over_posixfs();
	return failed;
}
