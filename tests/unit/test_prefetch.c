/* Fetching small files before they are opened, over the cache over memfs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/prefetch.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define FILES 40U

struct rig {
	struct far far; /* first */
	struct prefetch *prefetch;
};

/* An order that is neither that of the names nor that of the listing. */
static uint64_t number(void *arg, const char *path)
{
	uint64_t hash = 7;

	(void)arg;
	for (; *path; path++)
		hash = hash * 0x9e3779b97f4a7c15U + (unsigned char)*path;
	return hash >> 8;
}

static struct rig *rig_new(const struct prefetch_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct prefetch_config config = *wish;

	assert_non_null(rig);
	far_init(&rig->far);
	far_cache(&rig->far, &(struct cache_config){0});
	config.under = cache_fs(rig->far.cache);
	config.cache = rig->far.cache;
	config.now_ms = far_now;
	config.number = number;
	config.arg = rig;
	assert_int_equal(prefetch_new(&rig->prefetch, &config), CSFTP_OK);
	rig->far.caller.fs = prefetch_fs(rig->prefetch);
	return rig;
}

static void rig_free(struct rig *rig)
{
	cache_quiet(rig->far.cache);
	prefetch_quiet(rig->prefetch);
	far_settle(&rig->far);
	assert_int_equal(prefetch_pending(rig->prefetch), 0);
	assert_int_equal(prefetch_counts(rig->prefetch).bytes, 0);
	prefetch_free(rig->prefetch);
	far_release(&rig->far);
	free(rig);
}

static int setup(void **state)
{
	*state = rig_new(&(struct prefetch_config){0});
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* What the file of that number holds; 7 and 13 make the listing's order odd. */
static void name_of(char path[64], unsigned dir, unsigned i)
{
	(void)snprintf(path, 64, "/d%u/%02u", dir, i * 7 % 40);
}

static void make_dir(struct rig *rig, unsigned dir)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/d%u", dir);
	assert_int_equal(fs_mkdir(&rig->far.other, path), 0);
	for (unsigned i = 0; i < FILES; i++) {
		name_of(path, dir, i);
		far_put(&rig->far.other, path, path);
	}
}

/* Opens, reads to the end and closes it, and knows what is in it. */
static void read_file(struct rig *rig, const char *path)
{
	struct fs_caller *caller = &rig->far.caller;
	csftp_fh fh;

	assert_int_equal(fs_open(caller, path, CSFTP_OPEN_READ), 0);
	fh = caller->fh;
	assert_int_equal(fs_read(caller, fh, 0, 4096), 0);
	assert_int_equal(caller->data_len, strlen(path));
	assert_memory_equal(caller->data, path, strlen(path));
	assert_int_equal(fs_close(caller, fh), 0);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = number(NULL, a);
	uint64_t y = number(NULL, b);

	return x < y ? -1 : x > y;
}

enum order { LISTED, BY_NAME, BY_NUMBER };

static void order_files(char path[FILES][64], unsigned dir, enum order order)
{
	for (unsigned i = 0; i < FILES; i++)
		name_of(path[i], dir, i);
	if (order == BY_NAME)
		qsort(path, FILES, 64,
		      (int (*)(const void *, const void *))strcmp);
	else if (order == BY_NUMBER)
		qsort(path, FILES, 64, compare_numbers);
}

/* Reads all files of a directory, in that order. */
static void read_all(struct rig *rig, unsigned dir, enum order order)
{
	char path[FILES][64];
	char name[64];

	(void)snprintf(name, sizeof(name), "/d%u", dir);
	order_files(path, dir, order);
	(void)far_list(&rig->far.caller, name);
	rig->far.trips = 0;
	for (unsigned i = 0; i < FILES; i++)
		read_file(rig, path[i]);
}

static void check_order(struct rig *rig, enum order order)
{
	make_dir(rig, 0);
	read_all(rig, 0, order);
	/* Open, read and close, each for itself, are 120. */
	assert_in_range(rig->far.trips, 1, 55);
	assert_int_equal(prefetch_counts(rig->prefetch).used,
			 prefetch_counts(rig->prefetch).fetched);
	assert_in_range(prefetch_counts(rig->prefetch).used, 30, 40);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], FILES);
	far_settle(&rig->far);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE], FILES + 1);
}

static void files_in_the_listings_order_are_fetched(void **state)
{
	check_order(*state, LISTED);
}

static void files_in_the_order_of_names_are_fetched(void **state)
{
	check_order(*state, BY_NAME);
}

static void files_in_the_order_of_numbers_are_fetched(void **state)
{
	check_order(*state, BY_NUMBER);
}

static void an_order_holds_for_the_next_directory(void **state)
{
	struct rig *rig = *state;

	make_dir(rig, 0);
	make_dir(rig, 1);
	read_all(rig, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d1");
	read_all(rig, 1, BY_NAME);
	/* Only the closings are waited for, by this reader. */
	assert_in_range(rig->far.trips, FILES, FILES + 3);
}

#define DIRS 40U

/* Directories with so many files each, all listed; the numbers are odd. */
static void make_dirs(struct rig *rig, unsigned files)
{
	char path[64];

	assert_int_equal(fs_mkdir(&rig->far.other, "/tree"), 0);
	for (unsigned i = 0; i < DIRS; i++) {
		(void)snprintf(path, sizeof(path), "/tree/%02u", i * 7 % DIRS);
		assert_int_equal(fs_mkdir(&rig->far.other, path), 0);
		for (unsigned k = 0; k < files; k++) {
			(void)snprintf(path, sizeof(path), "/tree/%02u/f%u",
				       i * 7 % DIRS, k);
			far_put(&rig->far.other, path, path);
		}
	}
	(void)far_list(&rig->far.caller, "/tree");
	for (unsigned i = 0; i < DIRS; i++) {
		(void)snprintf(path, sizeof(path), "/tree/%02u", i);
		(void)far_list(&rig->far.caller, path);
	}
}

static void read_dirs(struct rig *rig, unsigned files, unsigned step)
{
	char path[64];

	rig->far.trips = 0;
	for (unsigned i = 0; i < DIRS; i++) {
		for (unsigned k = 0; k < files; k++) {
			(void)snprintf(path, sizeof(path), "/tree/%02u/f%u",
				       i * step % DIRS, k);
			read_file(rig, path);
		}
	}
}

/* step 1: in the order of names; 7: of the listing. */
static void check_dirs(struct rig *rig, unsigned files, unsigned step)
{
	make_dirs(rig, files);
	read_dirs(rig, files, step);
	/* One close for each is waited for, and the first few files. */
	assert_in_range(rig->far.trips, DIRS * files, DIRS * files + 20);
	assert_int_equal(prefetch_counts(rig->prefetch).used,
			 prefetch_counts(rig->prefetch).fetched);
	assert_int_equal(rig->far.asked[CSFTP_OP_OPEN], DIRS * files);
}

static void files_of_the_next_directories_are_fetched(void **state)
{
	check_dirs(*state, 2, 1);
}

static void next_directories_are_those_of_the_listing(void **state)
{
	check_dirs(*state, 2, 7);
}

static void directories_with_one_file_each_are_enough(void **state)
{
	check_dirs(*state, 1, 1);
}

static void who_jumps_between_directories_fetches_nothing(void **state)
{
	struct rig *rig = *state;

	make_dirs(rig, 1);
	read_dirs(rig, 1, 11);
	assert_int_equal(prefetch_counts(rig->prefetch).fetched, 0);
}

static void who_opens_at_random_fetches_nothing(void **state)
{
	struct rig *rig = *state;
	char path[64];

	make_dir(rig, 0);
	(void)far_list(&rig->far.caller, "/d0");
	for (unsigned i = 0; i < FILES; i += 3) {
		name_of(path, 0, i * 11 % FILES);
		read_file(rig, path);
	}
	assert_int_equal(prefetch_counts(rig->prefetch).fetched, 0);
}

static void what_nobody_comes_for_is_closed_in_time(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	read_file(rig, path[0]);
	read_file(rig, path[1]);
	far_settle(&rig->far);
	assert_in_range(prefetch_counts(rig->prefetch).fetched, 1, FILES);
	assert_in_range(prefetch_pending(rig->prefetch), 1, FILES);
	assert_int_equal(prefetch_tick(rig->prefetch), rig->far.now_ms + 1001);
	rig->far.now_ms += 1001;
	assert_int_equal(prefetch_tick(rig->prefetch), 0);
	far_settle(&rig->far);
	assert_int_equal(prefetch_pending(rig->prefetch), 0);
	assert_int_equal(rig->far.asked[CSFTP_OP_CLOSE] - 1,
			 rig->far.asked[CSFTP_OP_OPEN]);
}

static void wrong_guesses_come_to_an_end(void **state)
{
	struct rig *rig = *state;
	uint64_t fetched;

	for (unsigned dir = 0; dir < 9; dir++)
		make_dir(rig, dir);
	read_all(rig, 0, BY_NAME);
	/* From now on it only lists. */
	for (unsigned dir = 1; dir < 8; dir++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/d%u", dir);
		(void)far_list(&rig->far.caller, path);
		(void)far_list(&rig->far.caller, path);
		rig->far.now_ms += 1500;
		(void)prefetch_tick(rig->prefetch);
		far_settle(&rig->far);
	}
	fetched = prefetch_counts(rig->prefetch).fetched;
	(void)far_list(&rig->far.caller, "/d8");
	(void)far_list(&rig->far.caller, "/d8");
	assert_int_equal(prefetch_counts(rig->prefetch).fetched, fetched);
}

/* Lists those directories, and nothing else; how many files were fetched? */
static uint64_t fetched_for_lists(struct rig *rig, unsigned first, unsigned end)
{
	uint64_t before;
	char path[64];

	far_settle(&rig->far);
	before = prefetch_counts(rig->prefetch).fetched;
	for (unsigned dir = first; dir < end; dir++) {
		(void)snprintf(path, sizeof(path), "/d%u", dir);
		(void)far_list(&rig->far.caller, path);
	}
	far_settle(&rig->far);
	return prefetch_counts(rig->prefetch).fetched - before;
}

/* As git does, which has read some of its own files before. */
static void who_lists_and_opens_nothing_fetches_little(void **state)
{
	struct rig *rig = rig_new(&(struct prefetch_config){.files = 500});
	char path[64];

	(void)state;
	for (unsigned dir = 0; dir < 30; dir++)
		make_dir(rig, dir);
	(void)fetched_for_lists(rig, 0, 30);
	for (unsigned i = 0; i < 3; i++) {
		name_of(path, 0, i);
		read_file(rig, path);
	}
	assert_in_range(fetched_for_lists(rig, 1, 10), 1, 4 * 8);
	name_of(path, 0, 4);
	read_file(rig, path);
	assert_int_equal(fetched_for_lists(rig, 10, 20), 0);
	/* Who opens what was listed may do so again. */
	name_of(path, 19, 0);
	read_file(rig, path);
	assert_in_range(fetched_for_lists(rig, 20, 30), 1, 4 * 32);
	rig_free(rig);
}

/* Those of the directory that is being read stay, however many they are. */
static void names_are_bounded(void **state)
{
	struct rig *rig = rig_new(&(struct prefetch_config){.names_max = 100});

	(void)state;
	for (unsigned dir = 0; dir < 9; dir++) {
		make_dir(rig, dir);
		read_all(rig, dir, BY_NAME);
		assert_in_range(prefetch_counts(rig->prefetch).names, FILES,
				100);
	}
	assert_true(prefetch_counts(rig->prefetch).used > 8 * FILES);
	rig_free(rig);
	rig = rig_new(&(struct prefetch_config){.names_max = 1});
	check_order(rig, LISTED);
	rig_free(rig);
}

static void make_files(struct rig *rig, const char *dir, unsigned files)
{
	char path[64];

	assert_int_equal(fs_mkdir(&rig->far.other, dir), 0);
	for (unsigned i = 0; i < files; i++) {
		(void)snprintf(path, sizeof(path), "%s/%05u", dir, i);
		assert_int_equal(
			fs_put(&rig->far.other, path, path, strlen(path)), 0);
	}
}

static uint64_t looked(const struct rig *rig)
{
	return prefetch_counts(rig->prefetch).looked;
}

/* What is too large to be ordered is not looked through for each file. */
static void a_huge_directory_is_looked_at_once(void **state)
{
	struct rig *rig = *state;
	char path[64];

	make_files(rig, "/d", 20010);
	assert_int_equal(far_list(&rig->far.caller, "/d"), 20010);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "/d/%05u", i);
		read_file(rig, path);
	}
	assert_in_range(looked(rig), 20000, 20010);
	assert_int_equal(prefetch_counts(rig->prefetch).names, 0);
}

/* Nor is a large one for each file that was made after it was ordered. */
static void new_files_do_not_have_all_ordered_anew(void **state)
{
	struct rig *rig = *state;
	char path[64];

	make_files(rig, "/d", 2000);
	assert_int_equal(far_list(&rig->far.caller, "/d"), 2000);
	for (unsigned i = 2000; i < 2300; i++) {
		(void)snprintf(path, sizeof(path), "/d/%05u", i);
		far_put(&rig->far.caller, path, path);
		read_file(rig, path);
	}
	/* It would be 300 times as many. */
	assert_in_range(looked(rig), 2000, 6 * 2300);
	/* In the end they are known. */
	assert_in_range(prefetch_counts(rig->prefetch).names, 2200, 2300);
}

/* As diff -r does. */
static void two_trees_can_be_read_in_turn(void **state)
{
	struct rig *rig = *state;
	char path[64];

	for (unsigned tree = 0; tree < 2; tree++) {
		(void)snprintf(path, sizeof(path), "/t%u", tree);
		assert_int_equal(fs_mkdir(&rig->far.other, path), 0);
		for (unsigned i = 0; i < 50; i++) {
			(void)snprintf(path, sizeof(path), "/t%u/%02u", tree,
				       i);
			make_files(rig, path, 2);
		}
		(void)snprintf(path, sizeof(path), "/t%u", tree);
		assert_int_equal(far_list(&rig->far.caller, path), 50);
	}
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "/t%u/%02u", i % 2, i / 4);
		if (i % 4 < 2)
			assert_int_equal(far_list(&rig->far.caller, path), 2);
		(void)snprintf(path, sizeof(path), "/t%u/%02u/%05u", i % 2,
			       i / 4, i % 4 / 2);
		read_file(rig, path);
	}
	/* Each directory once: 50 names beside each other, twice, and files. */
	assert_in_range(looked(rig), 200, 300);
}

/* Two files read in order, so that the next ones are fetched. */
static void begin(struct rig *rig, char path[FILES][64])
{
	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	read_file(rig, path[0]);
	read_file(rig, path[1]);
	far_settle(&rig->far);
	assert_in_range(prefetch_counts(rig->prefetch).fetched, 2, FILES);
}

static void expect_text(struct rig *rig, const char *path, const char *text)
{
	struct fs_caller *caller = &rig->far.caller;
	csftp_fh fh;

	assert_int_equal(fs_open(caller, path, CSFTP_OPEN_READ), 0);
	fh = caller->fh;
	assert_int_equal(fs_read_all(caller, fh, 0, 4096), 0);
	assert_int_equal(caller->data_len, strlen(text));
	assert_memory_equal(caller->data, text, strlen(text));
	assert_int_equal(fs_close(caller, fh), 0);
}

static void what_we_change_is_read_anew(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 2};
	struct rig *rig = *state;
	char path[FILES][64];

	begin(rig, path);
	far_put(&rig->far.caller, path[2], "new");
	expect_text(rig, path[2], "new");
	assert_int_equal(fs_setattr(&rig->far.caller, path[3], &attr), 0);
	expect_text(rig, path[3], "/d");
	assert_int_equal(fs_replace(&rig->far.caller, path[2], path[4]), 0);
	expect_text(rig, path[4], "new");
	assert_int_equal(fs_unlink(&rig->far.caller, path[5]), 0);
	assert_int_equal(fs_open(&rig->far.caller, path[5], CSFTP_OPEN_READ),
			 ENOENT);
}

/* Who reads it would take it for ended where it ended when it was listed. */
static void what_is_longer_by_now_shows_that(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *caller = &rig->far.caller;
	char path[FILES][64];
	csftp_fh fh;

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(caller, "/d0");
	far_put(&rig->far.other, path[5], "more than there was");
	for (unsigned i = 0; i < 5; i++)
		read_file(rig, path[i]);
	far_settle(&rig->far);
	rig->far.trips = 0;
	fh = fs_opened(caller, path[5], CSFTP_OPEN_READ);
	assert_int_equal(fs_read(caller, fh, 0, 4096), 0);
	assert_int_equal(rig->far.trips, 0);
	assert_true(caller->data_len > strlen(path[5]));
	assert_memory_equal(caller->data, "more than", caller->data_len);
	assert_int_equal(fs_close(caller, fh), 0);
}

static void what_others_change_is_read_anew_in_time(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];

	begin(rig, path);
	far_put(&rig->far.other, path[2], "other");
	rig->far.now_ms += 1001;
	expect_text(rig, path[2], "other");
}

static void a_file_that_is_written_is_not_fetched(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];
	csftp_fh fh;

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	assert_int_equal(fs_open(&rig->far.caller, path[2], CSFTP_OPEN_WRITE),
			 0);
	fh = rig->far.caller.fh;
	read_file(rig, path[0]);
	read_file(rig, path[1]);
	assert_int_equal(fs_write(&rig->far.caller, fh, 0, "XY", 2), 0);
	expect_text(rig, path[2], "XY0/02");
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
}

static void a_fetched_handle_is_a_real_one(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];
	struct fs_caller *caller = &rig->far.caller;
	csftp_fh fh;

	begin(rig, path);
	assert_int_equal(fs_open(caller, path[2], CSFTP_OPEN_READ), 0);
	fh = caller->fh;
	assert_int_equal(fs_unlink(caller, path[2]), 0);
	assert_int_equal(fs_fgetattr(caller, fh), 0);
	assert_int_equal(fs_read_all(caller, fh, 0, 4096), 0);
	assert_int_equal(caller->data_len, strlen(path[2]));
	/* In pieces, again, and beyond the end. */
	assert_int_equal(fs_read(caller, fh, 2, 2), 0);
	assert_memory_equal(caller->data, path[2] + 2, 2);
	assert_int_equal(fs_read(caller, fh, 100, 2), 0);
	assert_int_equal(caller->data_len, 0);
	assert_int_equal(fs_close(caller, fh), 0);
	assert_int_equal(fs_fgetattr(caller, fh), EBADF);
}

static void a_file_that_has_gone_is_an_error(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	for (unsigned i = 2; i < FILES; i++)
		assert_int_equal(fs_unlink(&rig->far.other, path[i]), 0);
	read_file(rig, path[0]);
	read_file(rig, path[1]);
	for (unsigned i = 2; i < 20; i++)
		assert_int_equal(
			fs_open(&rig->far.caller, path[i], CSFTP_OPEN_READ),
			ENOENT);
}

static void files_and_bytes_are_bounded(void **state)
{
	const struct prefetch_config config = {.files = 3, .bytes_max = 12};
	struct rig *rig = rig_new(&config);

	(void)state;
	make_dir(rig, 0);
	/* One is 6 bytes long. */
	read_all(rig, 0, BY_NAME);
	assert_in_range(rig->far.later.most, 1, 6);
	assert_in_range(prefetch_counts(rig->prefetch).used, 1, FILES);
	rig_free(rig);
}

static void ask_open(struct rig *rig, struct fs_asked *asked, const char *path)
{
	fs_ask(prefetch_fs(rig->prefetch), asked,
	       &(struct csftp_req){.op = CSFTP_OP_OPEN,
				   .path = path,
				   .flags = CSFTP_OPEN_READ});
}

static void who_waits_for_a_fetch_can_be_cancelled(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];
	struct fs_asked first;
	struct fs_asked second;

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	read_file(rig, path[0]);
	ask_open(rig, &first, path[1]);
	assert_in_range(prefetch_counts(rig->prefetch).fetched, 1, FILES);
	ask_open(rig, &second, path[2]);
	assert_int_equal(second.err, -1);
	assert_int_equal(prefetch_counts(rig->prefetch).used, 1);
	csftp_cancel(prefetch_fs(rig->prefetch), &second.req);
	assert_int_equal(second.err, EINTR);
	far_settle(&rig->far);
	assert_int_equal(fs_close(&rig->far.caller, first.fh), 0);
}

static void a_close_goes_behind_the_reads_before_it(void **state)
{
	struct rig *rig = *state;
	char path[FILES][64];
	struct fs_asked first;
	struct fs_asked second;
	struct fs_asked read;
	struct fs_asked close;

	make_dir(rig, 0);
	order_files(path, 0, BY_NAME);
	(void)far_list(&rig->far.caller, "/d0");
	read_file(rig, path[0]);
	ask_open(rig, &first, path[1]);
	ask_open(rig, &second, path[2]);
	while (second.err < 0)
		assert_true(later_run(&rig->far.later));
	assert_int_equal(prefetch_counts(rig->prefetch).used, 1);
	fs_ask(prefetch_fs(rig->prefetch), &read,
	       &(struct csftp_req){
		       .op = CSFTP_OP_READ, .fh = second.fh, .len = 99});
	assert_int_equal(read.err, -1);
	fs_ask(prefetch_fs(rig->prefetch), &close,
	       &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = second.fh});
	far_settle(&rig->far);
	assert_int_equal(read.err, 0);
	assert_int_equal(close.err, 0);
	assert_int_equal(fs_close(&rig->far.caller, first.fh), 0);
}

/* Before any of them has been opened, too. */
static void bytes_are_bounded_from_the_beginning(void **state)
{
	const struct prefetch_config config = {.bytes_max = 18};
	struct rig *rig = rig_new(&config);

	(void)state;
	make_dir(rig, 0);
	for (unsigned i = 0; i < 4; i++) {
		char path[64];

		/* One is 6 bytes long. */
		(void)snprintf(path, sizeof(path), "/d0/%02u", i);
		if (i == 0)
			(void)far_list(&rig->far.caller, "/d0");
		read_file(rig, path);
		far_settle(&rig->far);
		assert_in_range(prefetch_counts(rig->prefetch).bytes, 0, 18);
	}
	assert_in_range(prefetch_counts(rig->prefetch).used, 1, 4);
	rig_free(rig);
}

static int run_suite(void)
{
	struct rig *rig = rig_new(&(struct prefetch_config){0});
	int failed = fs_suite_run_over(&rig->far.caller, &rig->far.other,
				       "fetching ahead over memfs", FS_ALL);

	rig_free(rig);
	return failed;
}

#define PREFETCH_TEST(name)                                                    \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PREFETCH_TEST(files_in_the_listings_order_are_fetched),
		PREFETCH_TEST(files_in_the_order_of_names_are_fetched),
		PREFETCH_TEST(files_in_the_order_of_numbers_are_fetched),
		PREFETCH_TEST(an_order_holds_for_the_next_directory),
		PREFETCH_TEST(files_of_the_next_directories_are_fetched),
		PREFETCH_TEST(next_directories_are_those_of_the_listing),
		PREFETCH_TEST(directories_with_one_file_each_are_enough),
		PREFETCH_TEST(who_jumps_between_directories_fetches_nothing),
		PREFETCH_TEST(who_opens_at_random_fetches_nothing),
		PREFETCH_TEST(what_nobody_comes_for_is_closed_in_time),
		PREFETCH_TEST(wrong_guesses_come_to_an_end),
		cmocka_unit_test(who_lists_and_opens_nothing_fetches_little),
		cmocka_unit_test(names_are_bounded),
		PREFETCH_TEST(a_huge_directory_is_looked_at_once),
		PREFETCH_TEST(new_files_do_not_have_all_ordered_anew),
		PREFETCH_TEST(two_trees_can_be_read_in_turn),
		PREFETCH_TEST(what_we_change_is_read_anew),
		PREFETCH_TEST(what_is_longer_by_now_shows_that),
		PREFETCH_TEST(what_others_change_is_read_anew_in_time),
		PREFETCH_TEST(a_file_that_is_written_is_not_fetched),
		PREFETCH_TEST(a_fetched_handle_is_a_real_one),
		PREFETCH_TEST(a_file_that_has_gone_is_an_error),
		cmocka_unit_test(files_and_bytes_are_bounded),
		cmocka_unit_test(bytes_are_bounded_from_the_beginning),
		PREFETCH_TEST(who_waits_for_a_fetch_can_be_cancelled),
		PREFETCH_TEST(a_close_goes_behind_the_reads_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + run_suite();
}
