#include "core/layer/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

#define PUT                                                                    \
	(CSFTP_OPEN_WRITE | CSFTP_OPEN_READ | CSFTP_OPEN_CREAT |               \
	 CSFTP_OPEN_TRUNC)
#define DISK 100000U /* bytes that there is room for */
#define NEW  (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL)

/* `c` goes through the layer, `raw` sees what everybody else sees. */
struct world {
	struct csftp_fs *mem;
	struct later later;
	struct fs_caller c;
	struct fs_caller raw;
	bool answers_later;
	bool keep;
};

static void start(struct world *world)
{
	struct upload_config config = {.keep_partial = world->keep, .seed = 7};
	struct csftp_memfs_config small = {.max_bytes = DISK};

	assert_int_equal(csftp_memfs_new(&world->mem, &small), CSFTP_OK);
	later_init(&world->later, world->mem);
	config.under = world->answers_later ? &world->later.fs : world->mem;
	assert_int_equal(upload_new(&world->c.fs, &config), CSFTP_OK);
	world->raw.fs = world->mem;
	if (world->answers_later) {
		world->c.drive = later_run;
		world->c.arg = &world->later;
	}
}

static struct world *new_world(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	return world;
}

static int set_up(void **state)
{
	struct world *world = new_world();

	start(world);
	*state = world;
	return 0;
}

static int set_up_later(void **state)
{
	struct world *world = new_world();

	world->answers_later = true;
	start(world);
	*state = world;
	return 0;
}

static int set_up_keeping(void **state)
{
	struct world *world = new_world();

	world->keep = true;
	start(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fs_caller_release(&world->c);
	fs_caller_release(&world->raw);
	upload_free(world->c.fs);
	csftp_memfs_free(world->mem);
	free(world);
	return 0;
}

/* As others see it. */
static void assert_file(struct world *world, const char *path, const char *text)
{
	struct fs_caller *raw = &world->raw;
	csftp_fh fh;

	assert_int_equal(fs_open(raw, path, CSFTP_OPEN_READ), 0);
	fh = raw->fh;
	assert_int_equal(fs_read_all(raw, fh, 0, 100), 0);
	assert_int_equal(raw->data_len, strlen(text));
	if (raw->data_len > 0)
		assert_memory_equal(raw->data, text, raw->data_len);
	assert_int_equal(fs_close(raw, fh), 0);
}

static void make_file(struct world *world, const char *path, const char *text)
{
	struct fs_caller *raw = &world->raw;
	csftp_fh fh;

	assert_int_equal(fs_open(raw, path, PUT), 0);
	fh = raw->fh;
	assert_int_equal(fs_write(raw, fh, 0, text, strlen(text)), 0);
	assert_int_equal(fs_close(raw, fh), 0);
}

static csftp_fh begin(struct world *world, const char *path, uint32_t flags,
		      const char *text)
{
	csftp_fh fh;

	assert_int_equal(fs_open(&world->c, path, flags), 0);
	fh = world->c.fh;
	assert_int_equal(fs_write(&world->c, fh, 0, text, strlen(text)), 0);
	return fh;
}

/* Names in "/", "." and ".." not counted. */
static size_t count_names(struct world *world)
{
	struct fs_names names = {0};
	size_t count;

	assert_int_equal(fs_list(&world->raw, "/", &names), 0);
	count = names.count;
	fs_names_release(&names);
	return count;
}

static int close_forced(struct world *world, csftp_fh fh)
{
	return fs_call(&world->c, &(struct csftp_req){.op = CSFTP_OP_CLOSE,
						      .flags = CSFTP_FORCED,
						      .fh = fh});
}

static void a_new_file_appears_when_it_is_closed(void **state)
{
	struct world *world = *state;
	csftp_fh fh = begin(world, "/f", PUT, "new");

	assert_int_equal(fs_getattr(&world->raw, "/f"), ENOENT);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/f", "new");
	assert_int_equal(count_names(world), 1);
	assert_int_equal(fs_close(&world->c, fh), EBADF);
}

static void an_old_file_stays_whole_until_then(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/f", "old");
	fh = begin(world, "/f", PUT, "newer");
	assert_file(world, "/f", "old");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/f", "newer");
	assert_int_equal(count_names(world), 1);
}

static void the_hidden_file_is_beside_it_and_named_after_it(void **state)
{
	struct world *world = *state;
	struct fs_names names = {0};
	char long_name[CSFTP_NAME_MAX + 2];
	csftp_fh fh;

	assert_int_equal(fs_mkdir(&world->raw, "/d"), 0);
	fh = begin(world, "/d/f", PUT, "x");
	assert_int_equal(fs_list(&world->raw, "/d", &names), 0);
	assert_int_equal(names.count, 1);
	assert_int_equal(strlen(names.name[0]), 3 + 16 + 5);
	assert_memory_equal(names.name[0], ".f.", 3);
	assert_string_equal(names.name[0] + 19, ".part");
	fs_names_release(&names);
	assert_int_equal(fs_close(&world->c, fh), 0);
	memset(long_name, 'n', sizeof(long_name));
	long_name[0] = '/';
	long_name[CSFTP_NAME_MAX + 1] = '\0';
	fh = begin(world, long_name, PUT, "x");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, long_name, "x");
}

static void the_mode_and_owner_of_the_old_file_stay(void **state)
{
	struct world *world = *state;
	const struct csftp_attr dress = {
		.mask = CSFTP_ATTR_MODE | CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.mode = 0751,
		.uid = 12,
		.gid = 34};
	csftp_fh fh;

	make_file(world, "/f", "old");
	assert_int_equal(fs_setattr(&world->raw, "/f", &dress), 0);
	fh = begin(world, "/f", PUT, "new");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_int_equal(fs_getattr(&world->raw, "/f"), 0);
	assert_int_equal(world->raw.attr.mode & 07777, 0751);
	assert_int_equal(world->raw.attr.uid, 12);
	assert_int_equal(world->raw.attr.gid, 34);
}

static void an_interrupted_upload_changes_nothing(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/f", "old");
	fh = begin(world, "/f", PUT, "half of i");
	assert_int_equal(close_forced(world, fh), 0);
	assert_file(world, "/f", "old");
	assert_int_equal(count_names(world), 1);
}

static void parts_are_kept_where_that_is_asked_for(void **state)
{
	struct world *world = *state;
	csftp_fh fh = begin(world, "/f", PUT, "half of i");

	assert_int_equal(close_forced(world, fh), 0);
	assert_int_equal(fs_getattr(&world->raw, "/f"), ENOENT);
	assert_int_equal(count_names(world), 1);
	fh = begin(world, "/g", PUT, "whole");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/g", "whole");
	assert_int_equal(count_names(world), 2);
}

static void a_failed_write_is_the_error_of_close(void **state)
{
	static const char much[DISK + 1];
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/f", "old");
	fh = begin(world, "/f", PUT, "ne");
	assert_int_equal(fs_write(&world->c, fh, 2, much, sizeof(much)),
			 ENOSPC);
	assert_int_equal(fs_write(&world->c, fh, 2, "w", 1), 0);
	assert_int_equal(fs_close(&world->c, fh), ENOSPC);
	assert_file(world, "/f", "old");
	assert_int_equal(count_names(world), 1);
}

static void exclusive_means_it_at_both_ends(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/old", "old");
	assert_int_equal(fs_open(&world->c, "/old", NEW), EEXIST);
	assert_int_equal(fs_symlink(&world->raw, "/link", "nowhere"), 0);
	assert_int_equal(fs_open(&world->c, "/link", NEW), EEXIST);
	fh = begin(world, "/f", NEW, "mine");
	assert_int_equal(fs_open(&world->c, "/f", NEW), EEXIST);
	make_file(world, "/f", "theirs");
	assert_int_equal(fs_close(&world->c, fh), EEXIST);
	assert_file(world, "/f", "theirs");
	assert_int_equal(count_names(world), 3);
}

static void without_truncation_a_file_is_written_in_place(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/f", "12345");
	assert_int_equal(
		fs_open(&world->c, "/f", CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT),
		0);
	fh = world->c.fh;
	assert_int_equal(fs_write(&world->c, fh, 5, "678", 3), 0);
	assert_file(world, "/f", "12345678");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_int_equal(fs_open(&world->c, "/f", CSFTP_OPEN_WRITE), 0);
	assert_int_equal(close_forced(world, world->c.fh), 0);
	assert_file(world, "/f", "12345678");
}

static void truncation_alone_needs_the_file(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	assert_int_equal(
		fs_open(&world->c, "/f", CSFTP_OPEN_WRITE | CSFTP_OPEN_TRUNC),
		ENOENT);
	make_file(world, "/f", "old");
	fh = begin(world, "/f", CSFTP_OPEN_WRITE | CSFTP_OPEN_TRUNC, "n");
	assert_file(world, "/f", "old");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/f", "n");
}

static void a_link_is_followed_and_stays(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	assert_int_equal(fs_mkdir(&world->raw, "/d"), 0);
	make_file(world, "/d/f", "old");
	assert_int_equal(fs_symlink(&world->raw, "/link", "d/f"), 0);
	fh = begin(world, "/link", PUT, "new");
	assert_file(world, "/d/f", "old");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/d/f", "new");
	assert_int_equal(fs_readlink(&world->raw, "/link"), 0);
	assert_int_equal(fs_symlink(&world->raw, "/to-new", "d/new"), 0);
	fh = begin(world, "/to-new", PUT, "made");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/d/new", "made");
	assert_int_equal(fs_readlink(&world->raw, "/to-new"), 0);
}

static void several_names_keep_to_one_file(void **state)
{
	struct world *world = *state;
	csftp_fh fh;

	make_file(world, "/f", "old");
	assert_int_equal(fs_link(&world->raw, "/f", "/g"), 0);
	fh = begin(world, "/f", PUT, "new");
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/g", "new");
}

static void what_is_no_file_is_opened_as_ever(void **state)
{
	struct world *world = *state;

	assert_int_equal(fs_mkdir(&world->raw, "/d"), 0);
	assert_int_equal(fs_open(&world->c, "/d", PUT), EISDIR);
	assert_int_equal(fs_open(&world->c, "/no/f", PUT), ENOENT);
	assert_int_equal(fs_open(&world->c, "/nothing", CSFTP_OPEN_READ),
			 ENOENT);
	assert_int_equal(count_names(world), 1);
}

static void its_own_session_sees_it_by_its_name(void **state)
{
	struct world *world = *state;
	const struct csftp_attr times = {.mask = CSFTP_ATTR_MODE, .mode = 0604};
	csftp_fh fh = begin(world, "f", PUT, "12345");
	csftp_fh second;

	assert_int_equal(fs_getattr(&world->c, "f"), 0);
	assert_int_equal(world->c.attr.size, 5);
	assert_int_equal(fs_getattr(&world->c, "/f"), 0);
	assert_int_equal(fs_setattr(&world->c, "f", &times), 0);
	assert_int_equal(fs_open(&world->c, "/f", CSFTP_OPEN_WRITE), 0);
	second = world->c.fh;
	assert_int_equal(fs_write(&world->c, second, 5, "678", 3), 0);
	assert_int_equal(fs_getattr(&world->raw, "/f"), ENOENT);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_int_equal(fs_close(&world->c, second), 0);
	assert_file(world, "/f", "12345678");
	assert_int_equal(fs_getattr(&world->raw, "/f"), 0);
	assert_int_equal(world->raw.attr.mode & 07777, 0604);
}

static void using_the_name_publishes_it(void **state)
{
	struct world *world = *state;
	csftp_fh fh = begin(world, "/f", PUT, "12");

	assert_int_equal(fs_rename(&world->c, "/f", "/g"), 0);
	assert_file(world, "/g", "12");
	assert_int_equal(fs_write(&world->c, fh, 2, "3", 1), 0);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_file(world, "/g", "123");
	assert_int_equal(fs_getattr(&world->raw, "/f"), ENOENT);
	fh = begin(world, "/g", PUT, "gone");
	assert_int_equal(fs_unlink(&world->c, "/g"), 0);
	assert_int_equal(fs_close(&world->c, fh), 0);
	assert_int_equal(count_names(world), 0);
}

static void two_uploads_of_one_name_both_come(void **state)
{
	struct world *world = *state;
	csftp_fh first = begin(world, "/f", PUT, "first");
	csftp_fh second = begin(world, "/f", PUT, "second");

	assert_int_equal(fs_close(&world->c, second), 0);
	assert_file(world, "/f", "second");
	assert_int_equal(fs_close(&world->c, first), 0);
	assert_file(world, "/f", "first");
	assert_int_equal(count_names(world), 1);
}

#define AT_ONCE 12U
#define HANDLES 8U

/* A session that does all at once, in an order that is not its own. */
struct chaos {
	struct world *world;
	uint32_t random;
	struct fs_asked asked[AT_ONCE];
	csftp_fh open[HANDLES];
	size_t open_count;
};

static uint32_t next_random(struct chaos *chaos, uint32_t below)
{
	chaos->random = chaos->random * 1664525U + 1013904223U;
	return (chaos->random >> 16) % below;
}

static const char *any_name(struct chaos *chaos)
{
	static const char *const names[] = {"/a", "/b", "/c", "a", "/link"};

	return names[next_random(chaos, 5)];
}

static struct csftp_req any_request(struct chaos *chaos)
{
	static const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0640};
	static const uint32_t flags[] = {PUT, PUT, NEW, CSFTP_OPEN_READ,
					 CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT};
	struct csftp_req req = {
		.op = (enum csftp_op)next_random(chaos, CSFTP_OP_COUNT),
		.path = any_name(chaos),
		.path2 = any_name(chaos),
		.attr = &attr};

	if (next_random(chaos, 2) == 0)
		req.op = CSFTP_OP_OPEN;
	if (req.op == CSFTP_OP_OPEN && chaos->open_count == HANDLES)
		req.op = CSFTP_OP_CLOSE;
	if (req.op == CSFTP_OP_OPEN)
		req.flags = flags[next_random(chaos, 5)];
	if (req.op == CSFTP_OP_RENAME)
		req.flags = next_random(chaos, 2) ? CSFTP_REPLACE : 0;
	if (req.op == CSFTP_OP_CLOSE || req.op == CSFTP_OP_WRITE ||
	    req.op == CSFTP_OP_READ || req.op == CSFTP_OP_READDIR) {
		req.path = NULL;
		req.op = req.op == CSFTP_OP_CLOSE ? req.op : CSFTP_OP_WRITE;
		req.data = "some bytes";
		req.len = 10;
	}
	return req;
}

/* A handle is closed once, so it is taken off the list. */
static csftp_fh any_handle(struct chaos *chaos, enum csftp_op op)
{
	uint32_t at;
	csftp_fh fh;

	if (chaos->open_count == 0)
		return 0;
	at = next_random(chaos, (uint32_t)chaos->open_count);
	fh = chaos->open[at];
	if (op == CSFTP_OP_CLOSE)
		chaos->open[at] = chaos->open[--chaos->open_count];
	return fh;
}

static void drain(struct chaos *chaos, size_t count)
{
	while (later_run(&chaos->world->later))
		;
	for (size_t i = 0; i < count; i++) {
		struct fs_asked *asked = &chaos->asked[i];

		assert_true(asked->err >= 0);
		if (asked->err == 0 && asked->req.op == CSFTP_OP_OPEN)
			chaos->open[chaos->open_count++] = asked->fh;
	}
}

static void ask(struct chaos *chaos, size_t i, const struct csftp_req *req)
{
	fs_ask(chaos->world->c.fs, &chaos->asked[i], req);
}

static void some_at_once(struct chaos *chaos)
{
	size_t count = 1 + next_random(chaos, AT_ONCE);
	size_t opens = chaos->open_count;

	for (size_t i = 0; i < count; i++) {
		struct csftp_req req = any_request(chaos);

		/* Room for each that may open. */
		if (req.op == CSFTP_OP_OPEN && ++opens > HANDLES)
			req.op = CSFTP_OP_GETATTR;
		if (!req.path)
			req.fh = any_handle(chaos, req.op);
		ask(chaos, i, &req);
		if (next_random(chaos, 8) == 0 && chaos->asked[i].err < 0)
			csftp_cancel(chaos->world->c.fs, &chaos->asked[i].req);
	}
	drain(chaos, count);
}

static void end_session(struct chaos *chaos)
{
	size_t count = chaos->open_count;

	for (size_t i = 0; i < count; i++)
		ask(chaos, i,
		    &(struct csftp_req){.op = CSFTP_OP_CLOSE,
					.flags = CSFTP_FORCED,
					.fh = chaos->open[i]});
	chaos->open_count = 0;
	drain(chaos, count);
}

static void no_part_is_left(struct world *world)
{
	struct fs_names names = {0};

	assert_int_equal(fs_list(&world->raw, "/", &names), 0);
	for (size_t i = 0; i < names.count; i++)
		assert_null(strstr(names.name[i], ".part"));
	fs_names_release(&names);
}

static void whatever_is_asked_at_once_is_answered_once(void **state)
{
	struct world *world = *state;

	for (uint32_t seed = 1; seed <= 100; seed++) {
		struct chaos chaos = {.world = world, .random = seed};

		world->later.order =
			seed % 2 ? LATER_IN_ORDER : LATER_NEWEST_FIRST;
		(void)fs_symlink(&world->raw, "/link", "c");
		for (int round = 0; round < 50; round++)
			some_at_once(&chaos);
		end_session(&chaos);
		no_part_is_left(world);
	}
}

#define NOW(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
#define LATER(claim)                                                           \
	{                                                                      \
#claim "_later", claim, set_up_later, tear_down, NULL          \
	}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		NOW(a_new_file_appears_when_it_is_closed),
		NOW(an_old_file_stays_whole_until_then),
		NOW(the_hidden_file_is_beside_it_and_named_after_it),
		NOW(the_mode_and_owner_of_the_old_file_stay),
		NOW(an_interrupted_upload_changes_nothing),
		cmocka_unit_test_setup_teardown(
			parts_are_kept_where_that_is_asked_for, set_up_keeping,
			tear_down),
		NOW(a_failed_write_is_the_error_of_close),
		NOW(exclusive_means_it_at_both_ends),
		NOW(without_truncation_a_file_is_written_in_place),
		NOW(truncation_alone_needs_the_file),
		NOW(a_link_is_followed_and_stays),
		NOW(several_names_keep_to_one_file),
		NOW(what_is_no_file_is_opened_as_ever),
		NOW(its_own_session_sees_it_by_its_name),
		NOW(using_the_name_publishes_it),
		NOW(two_uploads_of_one_name_both_come),
		LATER(whatever_is_asked_at_once_is_answered_once),
		LATER(a_new_file_appears_when_it_is_closed),
		LATER(an_old_file_stays_whole_until_then),
		LATER(the_mode_and_owner_of_the_old_file_stay),
		LATER(an_interrupted_upload_changes_nothing),
		LATER(a_failed_write_is_the_error_of_close),
		LATER(exclusive_means_it_at_both_ends),
		LATER(a_link_is_followed_and_stays),
		LATER(its_own_session_sees_it_by_its_name),
		LATER(using_the_name_publishes_it),
		LATER(two_uploads_of_one_name_both_come),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
