/* How much may be under way, so that who asks does not wait for long. */
#include "core/layer/way.h"
#include "tests/lib/test.h"

#define BEGAN 100000U
#define TRIP  20U
#define RATE  400000000U /* above what is guessed at first */

/* A piece that was under way for so long, of a way of that rate. */
static uint64_t piece(struct way *way, uint64_t now, uint64_t ms, uint64_t rate)
{
	struct way_mark mark = way_mark(way, now);

	way_answer(way, rate / 1000 * ms, mark, now + ms);
	return now + ms;
}

static void one_piece_tells_of_the_rate(void **state)
{
	struct way way = {0};

	(void)state;
	way_begin(&way, BEGAN);
	(void)piece(&way, BEGAN, TRIP, RATE);
	assert_int_equal(way_bytes(&way, TRIP * 1000), RATE / 1000 * TRIP);
}

static void what_was_done_beside_it_counts_too(void **state)
{
	struct way way = {0};
	struct way_mark first, second;

	(void)state;
	way_begin(&way, BEGAN);
	first = way_mark(&way, BEGAN);
	second = way_mark(&way, BEGAN);
	way_answer(&way, 5000000, first, BEGAN + TRIP);
	way_answer(&way, 5000000, second, BEGAN + TRIP);
	assert_int_equal(way_bytes(&way, TRIP * 1000), 10000000);
}

static void a_slow_piece_takes_nothing_back(void **state)
{
	struct way way = {0};
	uint64_t now = BEGAN;

	(void)state;
	way_begin(&way, now);
	now = piece(&way, now, TRIP, RATE);
	(void)piece(&way, now, 10 * TRIP, RATE / 100);
	assert_int_equal(way_bytes(&way, TRIP * 1000), RATE / 1000 * TRIP);
}

static void who_wants_more_and_gets_less_does(void **state)
{
	struct way way = {0};

	(void)state;
	way_begin(&way, BEGAN);
	(void)piece(&way, BEGAN, TRIP, RATE);
	for (unsigned i = 0; i < 40; i++)
		way_held(&way, RATE / 10);
	assert_in_range(way_bytes(&way, TRIP * 1000), RATE / 10000 * TRIP,
			RATE / 9900 * TRIP);
	/* And it cannot have been too slow. */
	way_held(&way, RATE);
	assert_in_range(way_bytes(&way, TRIP * 1000), RATE / 10000 * TRIP,
			RATE / 9900 * TRIP);
}

static void after_a_second_nothing_is_known(void **state)
{
	struct way way = {0};
	uint64_t now = BEGAN, first;

	(void)state;
	way_begin(&way, now);
	first = way_bytes(&way, TRIP * 1000);
	now = piece(&way, now, TRIP, RATE);
	way_begin(&way, now + 1000);
	assert_int_equal(way_bytes(&way, TRIP * 1000), RATE / 1000 * TRIP);
	way_begin(&way, now + 1001);
	assert_int_equal(way_bytes(&way, TRIP * 1000), first);
}

static void a_way_of_more_than_a_second_has_no_bound(void **state)
{
	struct way way = {0};

	(void)state;
	way_begin(&way, BEGAN);
	assert_true(way_bytes(&way, 1000000) > 0);
	assert_int_equal(way_bytes(&way, 1000001), 0);
	assert_int_equal(way_bytes(&way, 0), 0);
}

static void there_is_room_for_more_than_was_seen(void **state)
{
	(void)state;
	assert_int_equal(way_most(1000, 0), 1500);
	assert_int_equal(way_most(1000, 500), 2000);
}

static void who_asked_before_it_began_is_no_asker(void **state)
{
	struct way way = {0};
	uint64_t now;

	(void)state;
	way_begin(&way, BEGAN);
	now = piece(&way, BEGAN, TRIP, RATE);
	assert_false(way_is_asked(&way, TRIP, now));
	assert_true(way_is_asked(&way, TRIP - 1, now));
	assert_false(way_is_asked(&way, UINT64_MAX, now));
}

static void a_question_counts_for_a_second(void **state)
{
	struct way way = {0};
	uint64_t now = BEGAN;

	(void)state;
	way_begin(&way, now);
	while (now < BEGAN + 2000) {
		way_begin(&way, now);
		now = piece(&way, now, 50, RATE);
	}
	assert_true(way_is_asked(&way, 1000, now));
	assert_false(way_is_asked(&way, 1001, now));
}

static void a_pause_ends_it(void **state)
{
	struct way way = {0};
	uint64_t now;

	(void)state;
	way_begin(&way, BEGAN);
	now = piece(&way, BEGAN, TRIP, RATE);
	assert_true(way_is_asked(&way, 0, now + 100));
	assert_false(way_is_asked(&way, 0, now + 101));
	way_begin(&way, now + 101);
	now = piece(&way, now + 101, TRIP, RATE);
	assert_false(way_is_asked(&way, TRIP, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_piece_tells_of_the_rate),
		cmocka_unit_test(what_was_done_beside_it_counts_too),
		cmocka_unit_test(a_slow_piece_takes_nothing_back),
		cmocka_unit_test(who_wants_more_and_gets_less_does),
		cmocka_unit_test(after_a_second_nothing_is_known),
		cmocka_unit_test(a_way_of_more_than_a_second_has_no_bound),
		cmocka_unit_test(there_is_room_for_more_than_was_seen),
		cmocka_unit_test(who_asked_before_it_began_is_no_asker),
		cmocka_unit_test(a_question_counts_for_a_second),
		cmocka_unit_test(a_pause_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
