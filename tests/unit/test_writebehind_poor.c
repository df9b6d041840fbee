/* Writes that are answered before they are done, where memory ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/behind.h"
#include "tests/lib/memory.h"
#include "tests/lib/test.h"

#define WRITES 4U

/* A file that is made, written and closed, while nothing is answered below. */
struct poor {
	struct behind *world;
	struct behind_ask open;
	struct behind_ask write[WRITES];
	struct behind_ask chmod;
	struct behind_ask flush;
	struct behind_ask close;
};

/* Not next to each other, so that each needs a WRITE. */
static uint64_t place_of(unsigned write)
{
	return write * 2 * (uint64_t)BEHIND_PIECE;
}

static void write_all(struct poor *poor, csftp_fh fh)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0600};

	for (unsigned i = 0; i < WRITES; i++)
		behind_submit(poor->world, &poor->write[i],
			      (struct csftp_req){
				      .op = CSFTP_OP_WRITE,
				      .fh = fh,
				      .off = place_of(i),
				      .data = poor->world->bytes + place_of(i),
				      .len = BEHIND_PIECE / 2,
			      });
	behind_submit(poor->world, &poor->chmod,
		      (struct csftp_req){
			      .op = CSFTP_OP_SETATTR, .fh = fh, .attr = &mode});
	/* CLOSE is to have its own FSYNC. */
	if (poor->world->config.durability != WRITEBEHIND_FSYNC)
		behind_submit(
			poor->world, &poor->flush,
			(struct csftp_req){.op = CSFTP_OP_FLUSH, .fh = fh});
	behind_submit(poor->world, &poor->close,
		      (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
}

static void open_one(struct poor *poor)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0644};

	behind_submit(poor->world, &poor->open,
		      (struct csftp_req){.op = CSFTP_OP_OPEN,
					 .path = "/d/f",
					 .flags = BEHIND_NEW,
					 .attr = &mode});
	if (poor->open.answers == 0) {
		unsigned long left = memory_left();

		memory_fail_at(0);
		far_settle(&poor->world->far);
		memory_fail_at(left);
	}
	assert_int_equal(poor->open.answers, 1);
}

static void assert_there(const struct poor *poor, unsigned write)
{
	struct fs_caller *other = &poor->world->far.other;
	csftp_fh fh;

	assert_int_equal(fs_open(other, "/d/f", CSFTP_OPEN_READ), 0);
	fh = other->fh;
	assert_int_equal(
		fs_read_all(other, fh, place_of(write), BEHIND_PIECE / 2), 0);
	assert_int_equal(other->data_len, BEHIND_PIECE / 2);
	assert_memory_equal(other->data, poor->world->bytes + place_of(write),
			    BEHIND_PIECE / 2);
	assert_int_equal(fs_close(other, fh), 0);
}

/* Who was told of success has its bytes there, and they came in time. */
static void assert_nothing_lost(const struct poor *poor)
{
	const struct behind *world = poor->world;
	const char *closed = strchr(world->story, 'C');

	for (unsigned i = 0; i < WRITES; i++) {
		assert_int_equal(poor->write[i].answers, 1);
		if (poor->write[i].err == 0)
			assert_there(poor, i);
		else
			assert_int_equal(poor->write[i].err, ENOMEM);
	}
	assert_int_equal(poor->chmod.answers, 1);
	if (world->config.durability != WRITEBEHIND_FSYNC)
		assert_int_equal(poor->flush.answers, 1);
	assert_int_equal(poor->close.answers, 1);
	assert_non_null(closed);
	assert_string_equal(closed, "C");
	assert_int_equal(world->lost, 0);
}

/* The n-th allocation fails; false: there were fewer. */
static bool try_without(enum writebehind_durability durability, unsigned nth,
			bool *told)
{
	void *state = NULL;
	struct poor poor = {.world = NULL};
	bool failed;

	(void)behind_set_up(&state);
	poor.world = state;
	if (durability == WRITEBEHIND_ASYNC) {
		(void)behind_ready_early(&state);
	} else {
		poor.world->config.durability = durability;
		(void)behind_ready(&state);
		assert_int_equal(fs_mkdir(&poor.world->far.other, "/d"), 0);
	}
	memory_fail_at(nth);
	open_one(&poor);
	if (poor.open.err == 0)
		write_all(&poor, poor.open.fh);
	failed = memory_left() == 0;
	memory_fail_at(0);
	far_settle(&poor.world->far);
	if (poor.open.err == 0)
		assert_nothing_lost(&poor);
	*told = poor.open.err || poor.flush.err || poor.close.err;
	for (unsigned i = 0; i < WRITES; i++)
		*told = *told || poor.write[i].err;
	if (durability == WRITEBEHIND_FSYNC && !*told)
		assert_non_null(strchr(poor.world->story, 'F'));
	(void)behind_tear_down(&state);
	return failed;
}

static void nothing_is_lost_without_memory(void **state)
{
	static const enum writebehind_durability all[] = {
		WRITEBEHIND_CLOSE, WRITEBEHIND_FSYNC, WRITEBEHIND_ASYNC};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		unsigned nth = 1;
		unsigned errors = 0;
		bool told;

		while (try_without(all[i], nth, &told)) {
			errors += told;
			nth++;
		}
		/* With enough of it all is well. */
		assert_false(told);
		assert_true(errors >= WRITES);
	}
}

/* What is known of its size is not what could not be kept. */
static void a_write_without_memory_makes_no_file_longer(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	struct behind_ask write;

	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	memory_fail_at(1);
	behind_submit(world, &write,
		      (struct csftp_req){.op = CSFTP_OP_WRITE,
					 .fh = fh,
					 .data = world->bytes,
					 .len = BEHIND_PIECE});
	assert_int_equal(memory_left(), 0);
	assert_int_equal(write.err, ENOMEM);
	assert_int_equal(fs_fgetattr(world->c, fh), 0);
	assert_int_equal(world->c->attr.size, 0);
	assert_int_equal(behind_put(world, fh, 0, 10), 0);
	assert_int_equal(fs_close(world->c, fh), 0);
	behind_assert(world, "/f", 10);
}

/* A CLOSE that cannot be stopped goes its way, behind the writes. */
static void a_close_given_up_is_a_close(void **state)
{
	struct behind *world = behind_ready(state);
	csftp_fh fh = behind_open(world, "/f", BEHIND_NEW);
	struct behind_ask close;

	assert_int_equal(behind_put(world, fh, 0, BEHIND_PIECE), 0);
	behind_submit(world, &close,
		      (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	csftp_cancel(world->c->fs, &close.req);
	far_settle(&world->far);
	assert_int_equal(close.answers, 1);
	assert_int_equal(close.err, 0);
	assert_string_equal(strchr(world->story, 'W'), "WC");
	behind_assert(world, "/f", BEHIND_PIECE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_without_memory),
		BEHIND_TEST(a_write_without_memory_makes_no_file_longer),
		BEHIND_TEST(a_close_given_up_is_a_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
