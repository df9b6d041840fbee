#include "core/layer/meter.h"

#include <errno.h>

#include "tests/lib/far.h"
#include "tests/lib/test.h"

static void classes_follow_each_other_without_a_gap(void **state)
{
	uint64_t at = 0;

	(void)state;
	for (unsigned class = 0; class < METER_CLASSES; class ++) {
		struct meter meter = {0};

		assert_int_equal(meter_class_begin(class), at);
		meter_note(&meter, at, false);
		assert_int_equal(meter.in_class[class], 1);
		if (class + 1 == METER_CLASSES)
			break;
		at = meter_class_begin(class + 1);
		assert_true(at > meter_class_begin(class));
		meter_note(&meter, at - 1, false);
		assert_int_equal(meter.in_class[class], 2);
	}
}

static void what_is_too_long_is_in_the_last_class(void **state)
{
	struct meter meter = {0};

	(void)state;
	meter_note(&meter, UINT64_MAX / 4, true);
	assert_int_equal(meter.in_class[METER_CLASSES - 1], 1);
	assert_int_equal(meter.errors, 1);
	assert_int_equal(meter_percentile(&meter, 50), UINT64_MAX / 4);
}

static void percentiles_are_right_to_a_quarter(void **state)
{
	struct meter meter = {0};

	(void)state;
	assert_int_equal(meter_percentile(&meter, 50), 0);
	for (uint64_t us = 1; us <= 10000; us++)
		meter_note(&meter, us, false);
	assert_in_range(meter_percentile(&meter, 50), 5000, 6250);
	assert_in_range(meter_percentile(&meter, 99), 9900, 10000);
	assert_int_equal(meter_percentile(&meter, 100), 10000);
	assert_int_equal(meter.least_us, 1);
	assert_int_equal(meter.most_us, 10000);
	assert_int_equal(meter.total_us, 50005000);
}

static void meters_add_up(void **state)
{
	struct meter one = {0}, other = {0}, sum = {0}, none = {0};

	(void)state;
	meter_note(&one, 10, false);
	meter_note(&other, 3, true);
	meter_note(&other, 30, false);
	meter_add(&sum, &one);
	meter_add(&sum, &none);
	meter_add(&sum, &other);
	assert_int_equal(sum.count, 3);
	assert_int_equal(sum.errors, 1);
	assert_int_equal(sum.total_us, 43);
	assert_int_equal(sum.least_us, 3);
	assert_int_equal(sum.most_us, 30);
}

static uint64_t far_us(void *arg)
{
	return far_now(arg) * 1000;
}

static void each_operation_is_noted_with_its_time_and_error(void **state)
{
	struct metered_config config = {.now_us = far_us};
	struct metered *metered;
	const struct meter *meters;
	struct far far;

	(void)state;
	far_init(&far);
	far.trip_ms = 20;
	config.under = &far.relay.fs;
	config.arg = &far;
	assert_int_equal(metered_new(&metered, &config), CSFTP_OK);
	far.caller.fs = metered_fs(metered);
	assert_int_equal(fs_mkdir(&far.caller, "/d"), 0);
	assert_int_equal(fs_getattr(&far.caller, "/d"), 0);
	assert_int_equal(fs_getattr(&far.caller, "/none"), ENOENT);
	assert_int_equal(far_list(&far.caller, "/d"), 0);
	meters = metered_meters(metered);
	assert_int_equal(meters[CSFTP_OP_MKDIR].count, 1);
	assert_int_equal(meters[CSFTP_OP_GETATTR].count, 2);
	assert_int_equal(meters[CSFTP_OP_GETATTR].errors, 1);
	assert_int_equal(meters[CSFTP_OP_GETATTR].total_us, 40000);
	assert_int_equal(meters[CSFTP_OP_OPENDIR].count, 1);
	assert_int_equal(meters[CSFTP_OP_UNLINK].count, 0);
	metered_free(metered);
	far_release(&far);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_follow_each_other_without_a_gap),
		cmocka_unit_test(what_is_too_long_is_in_the_last_class),
		cmocka_unit_test(percentiles_are_right_to_a_quarter),
		cmocka_unit_test(meters_add_up),
		cmocka_unit_test(
			each_operation_is_noted_with_its_time_and_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
