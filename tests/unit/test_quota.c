#include "core/layer/quota.h"

#include <errno.h>

#include "csftp/memfs.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

struct world {
	struct csftp_fs *mem;
	struct later later;
	struct fs_caller c;
};

static void begin(struct world *world, uint64_t bytes, bool later)
{
	*world = (struct world){0};
	assert_int_equal(csftp_memfs_new(&world->mem, NULL), CSFTP_OK);
	later_init(&world->later, world->mem);
	if (later) {
		world->c.drive = later_run;
		world->c.arg = &world->later;
	}
	assert_int_equal(quota_new(&world->c.fs,
				   later ? &world->later.fs : world->mem,
				   bytes),
			 CSFTP_OK);
}

static void end(struct world *world)
{
	fs_caller_release(&world->c);
	quota_free(world->c.fs);
	csftp_memfs_free(world->mem);
}

static csftp_fh opened(struct world *world, const char *path)
{
	assert_int_equal(fs_open(&world->c, path, RW), 0);
	return world->c.fh;
}

static void what_fits_is_written_and_the_rest_is_not(void **state)
{
	struct world world;
	csftp_fh fh;

	(void)state;
	begin(&world, 10, false);
	fh = opened(&world, "/f");
	assert_int_equal(fs_write(&world.c, fh, 0, "123456", 6), 0);
	assert_int_equal(fs_write(&world.c, fh, 6, "12345", 5), EDQUOT);
	assert_int_equal(quota_left(world.c.fs), 4);
	assert_int_equal(fs_fgetattr(&world.c, fh), 0);
	assert_int_equal(world.c.attr.size, 6);
	assert_int_equal(fs_write(&world.c, fh, 6, "1234", 4), 0);
	assert_int_equal(fs_write(&world.c, fh, 0, "1", 1), EDQUOT);
	assert_int_equal(fs_write(&world.c, fh, 0, "", 0), 0);
	end(&world);
}

static void writing_over_counts_and_removing_gives_nothing_back(void **state)
{
	struct world world;
	csftp_fh fh;

	(void)state;
	begin(&world, 10, false);
	fh = opened(&world, "/f");
	assert_int_equal(fs_write(&world.c, fh, 0, "12345", 5), 0);
	assert_int_equal(fs_write(&world.c, fh, 0, "12345", 5), 0);
	assert_int_equal(fs_close(&world.c, fh), 0);
	assert_int_equal(fs_unlink(&world.c, "/f"), 0);
	fh = opened(&world, "/f");
	assert_int_equal(fs_write(&world.c, fh, 0, "1", 1), EDQUOT);
	end(&world);
}

static int copy(struct world *world, csftp_fh from, csftp_fh to, uint64_t off,
		uint64_t len)
{
	return fs_copy_range(&world->c, &(struct csftp_req){.fh = from,
							    .fh2 = to,
							    .off = off,
							    .len = len});
}

static void copies_count(struct world *world)
{
	csftp_fh from = opened(world, "/f");
	csftp_fh to = opened(world, "/g");

	assert_int_equal(fs_write(&world->c, from, 0, "123456", 6), 0);
	assert_int_equal(copy(world, from, to, 1, 2), 0);
	assert_int_equal(world->c.count, 2);
	assert_int_equal(quota_left(world->c.fs), 12);
	assert_int_equal(copy(world, from, to, 2, 0), 0);
	assert_int_equal(world->c.count, 4);
	assert_int_equal(quota_left(world->c.fs), 8);
	/* More is asked for than there is: what there is counts. */
	assert_int_equal(copy(world, from, to, 3, 1000), 0);
	assert_int_equal(world->c.count, 3);
	assert_int_equal(quota_left(world->c.fs), 5);
	assert_int_equal(copy(world, from, to, 0, 0), EDQUOT);
	assert_int_equal(copy(world, from, to, 100, 0), 0);
	assert_int_equal(world->c.count, 0);
	assert_int_equal(quota_left(world->c.fs), 5);
	assert_int_equal(copy(world, from, to, 1, 5), 0);
	assert_int_equal(quota_left(world->c.fs), 0);
	assert_int_equal(copy(world, from, to, 1, 1), EDQUOT);
}

static void a_copy_counts_as_much_as_it_copies(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 20, false);
	copies_count(&world);
	end(&world);
	begin(&world, 20, true);
	copies_count(&world);
	end(&world);
}

/* A source that does not tell its size, as files in /proc. */
static void sizeless(struct csftp_fs *fs, struct csftp_req *req)
{
	static const struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE};

	(void)fs;
	if (req->op == CSFTP_OP_GETATTR)
		csftp_reply_attr(req, &attr);
	else
		csftp_reply(req, &(struct csftp_reply){
					 .count = req->len > 0 && req->len < 7
							  ? req->len
							  : 7});
}

static void a_copy_of_unknown_size_ends_with_the_quota(void **state)
{
	static const struct csftp_fs_ops ops = {
		.op = {[CSFTP_OP_GETATTR] = sizeless,
		       [CSFTP_OP_COPY_RANGE] = sizeless}};
	struct csftp_fs under = {.ops = &ops};
	struct world world = {0};

	(void)state;
	assert_int_equal(quota_new(&world.c.fs, &under, 10), CSFTP_OK);
	assert_int_equal(copy(&world, 1, 2, 0, 0), 0);
	assert_int_equal(world.c.count, 7);
	assert_int_equal(quota_left(world.c.fs), 3);
	assert_int_equal(copy(&world, 1, 2, 0, 0), EDQUOT);
	assert_int_equal(quota_left(world.c.fs), 0);
	assert_int_equal(copy(&world, 1, 2, 0, 0), EDQUOT);
	fs_caller_release(&world.c);
	quota_free(world.c.fs);
}

static struct csftp_time tick(void *arg)
{
	int64_t *now = arg;

	return (struct csftp_time){.sec = (*now)++, .nsec = 5};
}

static void it_changes_nothing_else(void **state)
{
	int64_t now = 1000000000;
	struct csftp_memfs_config config = {.clock = tick, .arg = &now};
	struct fs_caller c = {0};
	struct csftp_fs *mem;

	(void)state;
	assert_int_equal(csftp_memfs_new(&mem, &config), CSFTP_OK);
	assert_int_equal(quota_new(&c.fs, mem, UINT64_MAX / 2), CSFTP_OK);
	assert_int_equal(fs_suite_run_over(&c, &c, "quota over memfs", FS_ALL),
			 0);
	fs_caller_release(&c);
	quota_free(c.fs);
	csftp_memfs_free(mem);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(what_fits_is_written_and_the_rest_is_not),
		cmocka_unit_test(
			writing_over_counts_and_removing_gives_nothing_back),
		cmocka_unit_test(a_copy_counts_as_much_as_it_copies),
		cmocka_unit_test(a_copy_of_unknown_size_ends_with_the_quota),
		cmocka_unit_test(it_changes_nothing_else),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
