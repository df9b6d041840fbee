/* The daemon's pools: so many objects and no more. */
#include <string.h>

#include "server/csftpd/pool.h"
#include "tests/lib/test.h"

enum { COUNT = 5, SIZE = 100 };

static void it_gives_what_it_has_and_then_nothing(void **state)
{
	struct pool pool;
	uint8_t *object[COUNT];

	(void)state;
	assert_true(pool_open(&pool, "objects", SIZE, COUNT));
	for (size_t i = 0; i < COUNT; i++) {
		object[i] = pool_get(&pool);
		assert_non_null(object[i]);
		assert_int_equal((uintptr_t)object[i] % 64, 0);
		memset(object[i], (int)i, SIZE);
	}
	assert_false(pool_has(&pool));
	assert_null(pool_get(&pool));
	assert_int_equal(pool.refused, 1);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < SIZE; k++)
			assert_int_equal(object[i][k], i);
	for (size_t i = 0; i < COUNT; i++)
		pool_put(&pool, object[i]);
	assert_int_equal(pool.acquired, COUNT);
	assert_int_equal(pool.peak, COUNT);
	assert_true(pool_close(&pool));
}

static void what_came_back_last_goes_out_first(void **state)
{
	struct pool pool;
	void *one, *two;

	(void)state;
	assert_true(pool_open(&pool, "objects", SIZE, COUNT));
	one = pool_get(&pool);
	two = pool_get(&pool);
	pool_put(&pool, two);
	pool_put(&pool, one);
	assert_ptr_equal(pool_get(&pool), one);
	assert_ptr_equal(pool_get(&pool), two);
	assert_int_equal(pool_used(&pool), 2);
	pool_put(&pool, one);
	pool_put(&pool, two);
	assert_true(pool_close(&pool));
}

static void an_object_that_is_lost_is_noticed(void **state)
{
	struct pool pool;

	(void)state;
	assert_true(pool_open(&pool, "objects", SIZE, COUNT));
	assert_non_null(pool_get(&pool));
	assert_false(pool_close(&pool));
}

static void more_than_there_can_be_is_not_had(void **state)
{
	struct pool pool;

	(void)state;
	assert_false(pool_open(&pool, "objects", SIZE, SIZE_MAX / SIZE));
	assert_true(pool_close(&pool));
	assert_false(pool_open(&pool, "objects", 0, COUNT));
	assert_true(pool_close(&pool));
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(it_gives_what_it_has_and_then_nothing),
		cmocka_unit_test(what_came_back_last_goes_out_first),
		cmocka_unit_test(an_object_that_is_lost_is_noticed),
		cmocka_unit_test(more_than_there_can_be_is_not_had),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
