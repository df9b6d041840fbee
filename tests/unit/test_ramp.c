/* When a window may be doubled at once. */
#include "core/layer/ramp.h"
#include "tests/lib/test.h"

#define MIB	(1U << 20)
#define WINDOW	1000U
#define FAR_MS	100U
#define NEAR_MS 2U

/* A round of one answer that took so long; what comes of it. */
static uint64_t round_of(struct ramp *ramp, uint64_t *now, uint64_t took)
{
	uint64_t asked = *now;

	ramp_begin(ramp, asked);
	*now += took;
	ramp->limited = true;
	ramp_answer(ramp, asked, *now);
	return ramp_count(ramp, WINDOW, WINDOW, *now);
}

static void answers_as_soon_as_ever_allow_more(void **state)
{
	struct ramp ramp = {0};
	uint64_t now = 1;

	(void)state;
	assert_int_equal(round_of(&ramp, &now, FAR_MS), 10 * WINDOW);
	assert_int_equal(round_of(&ramp, &now, FAR_MS + FAR_MS / 4),
			 8 * WINDOW);
}

static void answers_that_had_to_wait_do_not(void **state)
{
	struct ramp ramp = {0};
	uint64_t now = 1;

	(void)state;
	assert_true(round_of(&ramp, &now, FAR_MS) > 0);
	assert_int_equal(round_of(&ramp, &now, FAR_MS + FAR_MS / 3), 0);
	assert_true(round_of(&ramp, &now, FAR_MS) > 0);
}

static void nor_does_a_short_way(void **state)
{
	struct ramp ramp = {0};
	uint64_t now = 1;

	(void)state;
	assert_int_equal(round_of(&ramp, &now, NEAR_MS), 0);
}

static void what_was_asked_before_the_round_says_nothing_of_it(void **state)
{
	struct ramp ramp = {0};

	(void)state;
	ramp_begin(&ramp, 1);
	ramp_answer(&ramp, 1, 101);
	ramp_begin(&ramp, 51);
	ramp.limited = true;
	ramp_answer(&ramp, 50, 150);
	assert_int_equal(ramp_count(&ramp, WINDOW, WINDOW, 150), 0);
}

static void who_does_not_wait_needs_no_more(void **state)
{
	struct ramp ramp = {0};

	(void)state;
	ramp_begin(&ramp, 1);
	ramp_answer(&ramp, 1, 101);
	assert_int_equal(ramp_count(&ramp, WINDOW, WINDOW, 101), 0);
}

static void a_round_is_a_whole_window(void **state)
{
	struct ramp ramp = {0};

	(void)state;
	ramp_begin(&ramp, 1);
	ramp.limited = true;
	ramp_answer(&ramp, 1, 101);
	assert_int_equal(ramp_count(&ramp, WINDOW - 1, WINDOW, 101), 0);
	assert_int_equal(ramp_count(&ramp, 1, WINDOW, 101), 10 * WINDOW);
}

static void a_short_way_is_given_no_large_window(void **state)
{
	struct ramp ramp = {0};
	uint64_t now = 1;

	(void)state;
	assert_int_equal(ramp_most(&ramp, 64 * MIB), 64 * MIB);
	(void)round_of(&ramp, &now, FAR_MS);
	assert_int_equal(ramp_most(&ramp, 64 * MIB), 64 * MIB);
	(void)round_of(&ramp, &now, NEAR_MS);
	assert_int_equal(ramp_most(&ramp, 64 * MIB), 8 * MIB);
	assert_int_equal(ramp_most(&ramp, MIB), MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_soon_as_ever_allow_more),
		cmocka_unit_test(answers_that_had_to_wait_do_not),
		cmocka_unit_test(nor_does_a_short_way),
		cmocka_unit_test(
			what_was_asked_before_the_round_says_nothing_of_it),
		cmocka_unit_test(who_does_not_wait_needs_no_more),
		cmocka_unit_test(a_round_is_a_whole_window),
		cmocka_unit_test(a_short_way_is_given_no_large_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
