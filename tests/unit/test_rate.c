#include "core/layer/rate.h"

#include <errno.h>

#include "csftp/memfs.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/test.h"

#define RW     (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)
#define SECOND 1000000U

struct world {
	struct csftp_fs *mem;
	struct fs_caller c;
	uint64_t now_us;
	csftp_fh fh;
};

static uint64_t clock_us(void *arg)
{
	return ((struct world *)arg)->now_us;
}

static void begin(struct world *world, uint64_t per_second)
{
	struct rate_config config = {
		.per_second = per_second, .clock_us = clock_us, .arg = world};

	*world = (struct world){.now_us = 5000 * (uint64_t)SECOND};
	assert_int_equal(csftp_memfs_new(&world->mem, NULL), CSFTP_OK);
	config.under = world->mem;
	assert_int_equal(rate_new(&world->c.fs, &config), CSFTP_OK);
	assert_int_equal(fs_open(&world->c, "/f", RW), 0);
	world->fh = world->c.fh;
}

static void end(struct world *world)
{
	fs_caller_release(&world->c);
	rate_free(world->c.fs);
	csftp_memfs_free(world->mem);
}

static void put(struct world *world, size_t len)
{
	static const char bytes[200000];

	assert_true(len <= sizeof(bytes));
	assert_int_equal(fs_write(&world->c, world->fh, 0, bytes, len), 0);
}

static void a_burst_is_free_and_what_follows_is_waited_for(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 100000);
	put(&world, 25000);
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	put(&world, 50000);
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 2);
	world.now_us += SECOND / 4;
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 4);
	world.now_us += SECOND / 4;
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	put(&world, 1);
	assert_int_equal(rate_wait_us(world.c.fs), 10);
	end(&world);
}

static void an_idle_session_saves_up_one_burst(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 100000);
	put(&world, 25000);
	world.now_us += 3600 * (uint64_t)SECOND;
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	put(&world, 25000);
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	put(&world, 25000);
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 4);
	end(&world);
}

static void looking_often_loses_no_part_of_a_byte(void **state)
{
	struct world world;
	uint64_t start;

	(void)state;
	begin(&world, 30000);
	put(&world, 7500 + 30000);
	start = world.now_us;
	while (rate_wait_us(world.c.fs) > 0)
		world.now_us += 7;
	assert_true(world.now_us - start >= SECOND - 100);
	assert_true(world.now_us - start <= SECOND + 100);
	end(&world);
}

static void waiting_as_told_is_enough(void **state)
{
	static const uint64_t rates[] = {1, 7, 4096, 1000003, 5000000000U};
	struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		begin(&world, rates[i]);
		put(&world, 150001);
		put(&world, 150001);
		world.now_us += rate_wait_us(world.c.fs);
		assert_int_equal(rate_wait_us(world.c.fs), 0);
		end(&world);
	}
}

static void reads_count_what_they_gave_and_are_cut_to_a_burst(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 100000);
	put(&world, 100000);
	world.now_us += 10 * (uint64_t)SECOND;
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	assert_int_equal(fs_read(&world.c, world.fh, 0, 100000), 0);
	assert_int_equal(world.c.data_len, 25000);
	assert_false(world.c.eof);
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	assert_int_equal(fs_read(&world.c, world.fh, 90000, 20000), 0);
	assert_int_equal(world.c.data_len, 10000);
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 10);
	assert_int_equal(fs_read(&world.c, 12345, 0, 20000), EBADF);
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 10);
	end(&world);
}

static void a_clock_that_goes_back_does_not_hurt(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 100000);
	put(&world, 35000);
	world.now_us -= 100;
	assert_int_equal(rate_wait_us(world.c.fs), SECOND / 10);
	end(&world);
}

static void huge_rates_and_long_times_do_not_overflow(void **state)
{
	struct world world;

	(void)state;
	begin(&world, UINT64_MAX);
	put(&world, 200000);
	world.now_us = UINT64_MAX;
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	end(&world);
	begin(&world, 1);
	put(&world, 200000);
	world.now_us = UINT64_MAX;
	assert_int_equal(rate_wait_us(world.c.fs), 0);
	end(&world);
}

static void no_rate_and_no_clock_are_refused(void **state)
{
	struct csftp_fs *fs;
	struct csftp_fs under = {0};

	(void)state;
	assert_int_equal(rate_new(&fs, &(struct rate_config){.under = &under,
							     .per_second = 1}),
			 CSFTP_ERR_ARG);
	assert_int_equal(
		rate_new(&fs, &(struct rate_config){.under = &under,
						    .clock_us = clock_us}),
		CSFTP_ERR_ARG);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(
			a_burst_is_free_and_what_follows_is_waited_for),
		cmocka_unit_test(an_idle_session_saves_up_one_burst),
		cmocka_unit_test(looking_often_loses_no_part_of_a_byte),
		cmocka_unit_test(waiting_as_told_is_enough),
		cmocka_unit_test(
			reads_count_what_they_gave_and_are_cut_to_a_burst),
		cmocka_unit_test(a_clock_that_goes_back_does_not_hurt),
		cmocka_unit_test(huge_rates_and_long_times_do_not_overflow),
		cmocka_unit_test(no_rate_and_no_clock_are_refused),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
