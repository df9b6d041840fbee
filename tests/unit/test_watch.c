#include "core/layer/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/later.h"
#include "tests/lib/memory.h"
#include "tests/lib/test.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

/* What the last event said, as it is valid during the call only. */
struct seen {
	struct watch_event event;
	struct csftp_req req;
	int err;
	char path[64];
	char path2[64];
	unsigned events;
	unsigned of[CSFTP_OP_COUNT];
	uint64_t clock;
	int refuse;
};

struct world {
	struct csftp_fs *mem;
	struct later later;
	struct fs_caller c;
	struct seen seen;
};

static void keep(char out[64], const char *path)
{
	memset(out, 0, 64);
	if (path)
		memcpy(out, path, strnlen(path, 63));
}

static void finished(void *arg, const struct watch_event *event)
{
	struct seen *seen = arg;

	assert_true(event->end_us >= event->start_us);
	seen->event = *event;
	seen->req = *event->req;
	seen->err = event->reply->err;
	keep(seen->path, event->path);
	keep(seen->path2, event->path2);
	seen->events++;
	seen->of[event->req->op]++;
}

static uint64_t clock_us(void *arg)
{
	struct seen *seen = arg;

	seen->clock += 10;
	return seen->clock;
}

static int admit(void *arg, const struct csftp_req *req)
{
	const struct seen *seen = arg;

	assert_int_not_equal(req->op, CSFTP_OP_CLOSE);
	return seen->refuse;
}

static void watch(struct world *world, struct csftp_fs *under)
{
	struct watch_config config = {
		.under = under,
		.admit = admit,
		.finished = finished,
		.clock_us = clock_us,
		.arg = &world->seen,
	};

	assert_int_equal(watch_new(&world->c.fs, &config), CSFTP_OK);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	assert_int_equal(csftp_memfs_new(&world->mem, NULL), CSFTP_OK);
	watch(world, world->mem);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fs_caller_release(&world->c);
	watch_free(world->c.fs);
	csftp_memfs_free(world->mem);
	free(world);
	return 0;
}

static void an_operation_is_one_event_with_its_paths_and_times(void **state)
{
	struct world *world = *state;

	assert_int_equal(fs_mkdir(&world->c, "/d"), 0);
	assert_int_equal(world->seen.events, 1);
	assert_int_equal(world->seen.req.op, CSFTP_OP_MKDIR);
	assert_string_equal(world->seen.path, "/d");
	assert_int_equal(world->seen.event.start_us, 10);
	assert_int_equal(world->seen.event.end_us, 20);
	assert_int_equal(fs_rename(&world->c, "/d", "/e"), 0);
	assert_string_equal(world->seen.path, "/d");
	assert_string_equal(world->seen.path2, "/e");
	assert_int_equal(fs_rmdir(&world->c, "/d"), ENOENT);
	assert_int_equal(world->seen.err, ENOENT);
	assert_int_equal(world->seen.events, 3);
}

static void handles_have_their_paths_and_sums(void **state)
{
	struct world *world = *state;
	struct seen *seen = &world->seen;
	csftp_fh fh, other;

	assert_int_equal(fs_open(&world->c, "/f", RW), 0);
	fh = world->c.fh;
	assert_int_equal(fs_write(&world->c, fh, 0, "abcdef", 6), 0);
	assert_string_equal(seen->path, "/f");
	assert_int_equal(seen->event.count, 6);
	assert_int_equal(fs_read(&world->c, fh, 2, 100), 0);
	assert_int_equal(seen->event.count, 4);
	assert_int_equal(fs_open(&world->c, "/longer/than/the/first", RW),
			 ENOENT);
	assert_int_equal(fs_open(&world->c, "/g", RW), 0);
	other = world->c.fh;
	assert_int_equal(fs_copy_range(&world->c,
				       &(struct csftp_req){
					       .fh = fh,
					       .fh2 = other,
					       .off = 1,
					       .len = 3,
				       }),
			 0);
	assert_string_equal(seen->path, "/f");
	assert_string_equal(seen->path2, "/g");
	assert_int_equal(seen->event.count, 3);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_string_equal(seen->path, "/f");
	assert_int_equal(seen->event.read, 7);
	assert_int_equal(seen->event.written, 6);
	assert_false(seen->event.directory);
	assert_int_equal(fs_close(&world->c, other), 0);
	assert_string_equal(seen->path, "/g");
	assert_int_equal(seen->event.read, 0);
	assert_int_equal(seen->event.written, 3);
}

static void a_closed_handle_has_no_path_and_sums_start_anew(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	assert_int_equal(fs_open(&world->c, "/f", RW), 0);
	fh = world->c.fh;
	assert_int_equal(fs_write(&world->c, fh, 0, "ab", 2), 0);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_int_equal(fs_write(&world->c, fh, 0, "ab", 2), EBADF);
	assert_int_equal(world->seen.err, EBADF);
	assert_string_equal(world->seen.path, "");
	assert_int_equal(fs_open(&world->c, "/f", RW), 0);
	assert_int_equal(fs_close(&world->c, world->c.fh), 0);
	assert_int_equal(world->seen.event.written, 0);
}

static void directories_are_known_as_such(void **state)
{
	struct world *world = *state;
	struct fs_names names = {0};
	csftp_fh fh;

	assert_int_equal(fs_mkdir(&world->c, "/d"), 0);
	assert_int_equal(fs_mkdir(&world->c, "/d/a"), 0);
	assert_int_equal(fs_mkdir(&world->c, "/d/b"), 0);
	assert_int_equal(fs_opendir(&world->c, "/d"), 0);
	fh = world->c.fh;
	assert_int_equal(fs_readdir(&world->c, fh, &names, 1), 0);
	assert_int_equal(world->seen.event.count, 1);
	assert_string_equal(world->seen.path, "/d");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_true(world->seen.event.directory);
	fs_names_release(&names);
}

static void what_is_refused_is_not_done_but_told(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	assert_int_equal(fs_open(&world->c, "/f", RW), 0);
	fh = world->c.fh;
	world->seen.refuse = EIO;
	assert_int_equal(fs_mkdir(&world->c, "/d"), EIO);
	assert_int_equal(world->seen.err, EIO);
	assert_int_equal(fs_open(&world->c, "/g", RW), EIO);
	assert_int_equal(fs_close(&world->c, fh), 0);
	world->seen.refuse = 0;
	assert_int_equal(fs_getattr(&world->c, "/d"), ENOENT);
	assert_int_equal(fs_getattr(&world->c, "/g"), ENOENT);
}

/* A file system that answers a READ with bytes of its own. */
struct lender {
	struct csftp_fs fs;
	const void *data_seen;
	const struct csftp_reply *reply;
};

static void lend(struct csftp_fs *fs, struct csftp_req *req)
{
	struct lender *lender = (struct lender *)fs;

	lender->data_seen = req->data;
	csftp_reply(req, lender->reply);
}

static const struct csftp_reply *got;

static void take(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)req;
	got = reply;
}

static void answers_and_payload_are_passed_as_they_are(void **state)
{
	static const struct csftp_fs_ops lend_ops = {
		.op = {[CSFTP_OP_READ] = lend, [CSFTP_OP_WRITE] = lend}};
	static const struct csftp_reply reply = {.data = {"x", 1}};
	static const char payload[] = "payload";
	struct world *world = *state;
	struct lender lender = {.fs.ops = &lend_ops,
				.fs.max_read = 17,
				.fs.max_write = 18,
				.fs.traits = CSFTP_FS_INLINE,
				.reply = &reply};
	struct csftp_req req = {.op = CSFTP_OP_READ, .done = take};

	watch_free(world->c.fs);
	watch(world, &lender.fs);
	assert_int_equal(world->c.fs->max_read, 17);
	assert_int_equal(world->c.fs->max_write, 18);
	assert_int_equal(world->c.fs->traits, CSFTP_FS_INLINE);
	csftp_submit(world->c.fs, &req);
	assert_ptr_equal(got, &reply);
	req = (struct csftp_req){.op = CSFTP_OP_WRITE,
				 .done = take,
				 .data = payload,
				 .len = sizeof(payload)};
	csftp_submit(world->c.fs, &req);
	assert_ptr_equal(lender.data_seen, payload);
	req = (struct csftp_req){.op = CSFTP_OP_STATFS, .done = take};
	csftp_submit(world->c.fs, &req);
	assert_int_equal(world->seen.err, EOPNOTSUPP);
}

/* A file system that needs no memory. */
static void nothing(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply(req, &(struct csftp_reply){.fh = 7});
}

static void tell_nobody(void *arg, const struct watch_event *event)
{
	(void)arg;
	(void)event;
}

/* What a session does with a file and a directory. */
static void one_round(struct csftp_fs *fs, const char *path)
{
	static const enum csftp_op ops[] = {CSFTP_OP_OPEN,    CSFTP_OP_WRITE,
					    CSFTP_OP_READ,    CSFTP_OP_GETATTR,
					    CSFTP_OP_CLOSE,   CSFTP_OP_OPENDIR,
					    CSFTP_OP_READDIR, CSFTP_OP_CLOSE};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct csftp_req req = {
			.op = ops[i], .path = path, .fh = 7, .done = take};

		csftp_submit(fs, &req);
	}
}

static void a_session_that_goes_on_allocates_nothing(void **state)
{
	static const struct csftp_fs_ops nothing_ops = {
		.op = {[CSFTP_OP_OPEN] = nothing,
		       [CSFTP_OP_CLOSE] = nothing,
		       [CSFTP_OP_READ] = nothing,
		       [CSFTP_OP_WRITE] = nothing,
		       [CSFTP_OP_GETATTR] = nothing,
		       [CSFTP_OP_OPENDIR] = nothing,
		       [CSFTP_OP_READDIR] = nothing}};
	struct world *world = *state;
	struct csftp_fs under = {.ops = &nothing_ops};
	unsigned long before;

	watch_free(world->c.fs);
	assert_int_equal(
		watch_new(&world->c.fs,
			  &(struct watch_config){.under = &under,
						 .finished = tell_nobody}),
		CSFTP_OK);
	one_round(world->c.fs, "/some/long/path/that/is/the/longest/of/all");
	before = memory_calls();
	for (int i = 0; i < 1000; i++)
		one_round(world->c.fs, i % 2 ? "/a" : "/some/other/path");
	assert_int_equal(memory_calls(), before);
}

static void a_cancelled_operation_is_told_once(void **state)
{
	struct world *world = *state;
	struct csftp_req req = {
		.op = CSFTP_OP_GETATTR, .path = "/", .done = take};
	struct csftp_req second = req;

	later_init(&world->later, world->mem);
	watch_free(world->c.fs);
	watch(world, &world->later.fs);
	csftp_submit(world->c.fs, &req);
	csftp_submit(world->c.fs, &second);
	csftp_cancel(world->c.fs, &req);
	assert_int_equal(world->seen.events, 1);
	assert_int_equal(world->seen.err, EINTR);
	assert_true(later_run(&world->later));
	assert_int_equal(world->seen.events, 2);
	assert_int_equal(world->seen.err, 0);
}

/* The suite of all file systems, with the layer between. */
static void run_suite(struct world *world, const char *name)
{
	assert_int_equal(fs_suite_run_over(&world->c, &world->c, name, FS_ALL),
			 0);
	assert_true(world->seen.of[CSFTP_OP_CLOSE] > 0);
}

static uint64_t suite_clock;

static struct csftp_time tick(void *arg)
{
	(void)arg;
	return (struct csftp_time){.sec = (int64_t)(1000000000 + suite_clock++),
				   .nsec = 5};
}

static void it_changes_nothing(void **state)
{
	struct world *world = *state;
	struct csftp_memfs_config config = {.clock = tick};

	watch_free(world->c.fs);
	csftp_memfs_free(world->mem);
	assert_int_equal(csftp_memfs_new(&world->mem, &config), CSFTP_OK);
	watch(world, world->mem);
	run_suite(world, "watch over memfs");
	assert_int_equal(fs_remove_tree(&world->c, "/base"), 0);
	watch_free(world->c.fs);
	later_init(&world->later, world->mem);
	watch(world, &world->later.fs);
	world->c.drive = later_run;
	world->c.arg = &world->later;
	run_suite(world, "watch over a later memfs");
}

#define ON_MEMFS(claim)                                                        \
	cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		ON_MEMFS(an_operation_is_one_event_with_its_paths_and_times),
		ON_MEMFS(handles_have_their_paths_and_sums),
		ON_MEMFS(a_closed_handle_has_no_path_and_sums_start_anew),
		ON_MEMFS(directories_are_known_as_such),
		ON_MEMFS(what_is_refused_is_not_done_but_told),
		ON_MEMFS(answers_and_payload_are_passed_as_they_are),
		ON_MEMFS(a_session_that_goes_on_allocates_nothing),
		ON_MEMFS(a_cancelled_operation_is_told_once),
		ON_MEMFS(it_changes_nothing),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
