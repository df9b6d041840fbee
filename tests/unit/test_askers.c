/* Whether somebody asks the server, and how far it is. */
#include "core/layer/askers.h"

#include <stdlib.h>

#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct rig {
	struct far far; /* first */
	struct askers *askers;
};

static uint64_t now_us(void *arg)
{
	return far_now(arg) * 1000;
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct askers_config config = {.now_us = now_us, .arg = rig};

	assert_non_null(rig);
	far_init(&rig->far);
	config.under = &rig->far.relay.fs;
	assert_int_equal(askers_new(&rig->askers, &config), CSFTP_OK);
	rig->far.caller.fs = askers_fs(rig->askers);
	return rig;
}

static void rig_free(struct rig *rig)
{
	far_settle(&rig->far);
	fs_caller_release(&rig->far.caller);
	askers_free(rig->askers);
	far_release(&rig->far);
	free(rig);
}

static uint64_t trip(const struct rig *rig)
{
	uint64_t ago;

	return askers_trip_us(rig->askers, &ago);
}

static uint64_t ago(const struct rig *rig)
{
	uint64_t ms;

	(void)askers_trip_us(rig->askers, &ms);
	return ms;
}

static uint64_t asked(struct rig *rig, uint64_t trip_ms)
{
	rig->far.trip_ms = trip_ms;
	(void)fs_getattr(&rig->far.caller, "/");
	return trip(rig);
}

static void it_is_known_when_somebody_has_asked_last(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_int_equal(trip(rig), 0);
	assert_true(ago(rig) == UINT64_MAX);
	assert_int_equal(asked(rig, 5), 5000);
	assert_int_equal(ago(rig), 5);
	rig->far.now_ms += 700000;
	assert_int_equal(ago(rig), 700005);
	/* How far it was is known all the same. */
	assert_int_equal(trip(rig), 5000);
	rig_free(rig);
}

static void the_shortest_way_counts_until_it_is_old(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_int_equal(asked(rig, 7), 7000);
	assert_int_equal(asked(rig, 3), 3000);
	assert_int_equal(asked(rig, 30), 3000);
	rig->far.now_ms += 121000;
	assert_int_equal(asked(rig, 30), 3000);
	rig->far.now_ms += 121000;
	assert_int_equal(asked(rig, 20), 20000);
	rig_free(rig);
}

static void moving_content_is_no_question(void **state)
{
	struct rig *rig = rig_new();
	struct fs_caller *c = &rig->far.caller;
	csftp_fh fh;

	(void)state;
	assert_int_equal(fs_open(c, "/f", CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT),
			 0);
	fh = c->fh;
	rig->far.now_ms += 300;
	assert_int_equal(fs_write(c, fh, 0, "text", 4), 0);
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(fs_fsync(c, fh), 0);
	assert_int_equal(fs_close(c, fh), 0);
	assert_in_range(ago(rig), 300, 400);
	/* An answer in no time at all is one, too. */
	assert_int_equal(asked(rig, 0), 1);
	rig_free(rig);
}

static void all_else_is_as_without(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_int_equal(fs_suite_run_over(&rig->far.caller, &rig->far.other,
					   "askers over memfs", FS_ALL),
			 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(it_is_known_when_somebody_has_asked_last),
		cmocka_unit_test(the_shortest_way_counts_until_it_is_old),
		cmocka_unit_test(moving_content_is_no_question),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
