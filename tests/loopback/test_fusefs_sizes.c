/* What the kernel is told of sizes while they change. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fs_call.h"
#include "tests/lib/fuse_rig.h"

#define NAMES 2000
#define LARGE 20000
#define SMALL 10000
#define PAGES 8192

static void numbered(char name[32], int number)
{
	NEED(snprintf(name, 32, "a-long-name-of-a-file-%d", number) > 0);
}

/* So many names that the kernel has to ask for them several times. */
static void list_while_they_grow(void)
{
	char name[32];
	struct stat st;
	DIR *dir;

	for (int i = 0; i < NAMES; i++) {
		numbered(name, i);
		rig_put(name, "x");
	}
	dir = opendir(".");
	NEED(dir && readdir(dir));
	for (int i = 0; i < NAMES; i++) {
		numbered(name, i);
		NEED(truncate(name, 3) == 0);
	}
	while (readdir(dir))
		;
	closedir(dir);
	for (int i = 0; i < NAMES; i++) {
		numbered(name, i);
		NEED(stat(name, &st) == 0 && st.st_size == 3);
	}
}

static void a_listing_does_not_bring_back_a_size_that_was(void **state)
{
	struct rig *rig = *state;

	rig->config.attr_timeout = 60;
	rig->config.entry_timeout = 60;
	rig_need_fuse();
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, list_while_they_grow);
}

/* What it is when it is opened, and what is to be read of it. */
static void read_all(size_t was, size_t len)
{
	static char text[LARGE + 1];
	size_t total = 0;
	ssize_t n;
	int fd;

	memset(text, 'x', was);
	rig_put("f", text);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	NEED(fd >= 0);
	while ((n = read(fd, text + total, sizeof(text) - total)) > 0)
		total += (size_t)n;
	NEED(n == 0 && total == len && !memchr(text, '\0', total));
}

static void read_small(void)
{
	read_all(LARGE, SMALL);
}

static void read_large(void)
{
	read_all(LARGE, LARGE);
}

static void read_nothing(void)
{
	read_all(LARGE, 0);
}

static void read_grown(void)
{
	read_all(SMALL, LARGE);
}

static void read_grown_pages(void)
{
	read_all(PAGES, LARGE);
}

/* mkdir(2) says that stat(2) has its answer. */
static void stat_and_say_so(void)
{
	struct stat st;

	NEED(stat("f", &st) == 0 && st.st_size == LARGE);
	NEED(mkdir("told", 0755) == 0);
}

/* Whether a READ is held, and somebody was told the size meanwhile. */
static bool is_told_between(struct rig *rig)
{
	pid_t first = rig->child;

	if (rig->tap.held_count > 0 && !rig->second) {
		rig->second = rig_start(rig, stat_and_say_so);
		rig->child = first;
	}
	return rig->tap.held_count > 0 && rig->tap.count[CSFTP_OP_MKDIR] > 0;
}

static void shrink_between(struct rig *rig)
{
	const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_SIZE,
		.size = SMALL,
	};
	struct fs_caller caller = {.fs = rig->memfs};

	if (!is_told_between(rig))
		return;
	assert_int_equal(fs_setattr(&caller, "/f", &attr), 0);
	rig->tap.hold_reads = false;
	tap_release(&rig->tap);
}

static void grow_between(struct rig *rig)
{
	if (!is_told_between(rig))
		return;
	rig->tap.hold_reads = false;
	rig->tap.was_size = SMALL;
	tap_release(&rig->tap);
}

static void run_told(struct rig *rig, void (*reads)(void),
		     void (*between)(struct rig *rig))
{
	rig_need_fuse();
	rig_mount(rig, 0, 0, 0);
	rig->tap.hold_reads = true;
	rig->between = between;
	rig_run(rig, reads);
	assert_true(rig->second > 0);
	rig->child = rig->second;
	assert_int_equal(rig_serve(rig, rig->second), 0);
}

static void a_file_that_shrinks_while_it_is_read_shows_no_zeros(void **state)
{
	run_told(*state, read_small, shrink_between);
}

/* As logs do: the first READ is asked again, and nobody sees an error. */
static void a_file_that_grows_while_it_is_read_shows_no_zeros(void **state)
{
	struct rig *rig = *state;

	run_told(rig, read_large, grow_between);
	assert_int_equal(rig->tap.was_size, 0);
	assert_int_equal(rig->tap.count[CSFTP_OP_READ], 2);
}

static void grow_unseen(struct rig *rig)
{
	static uint8_t text[LARGE];
	struct fs_caller caller = {.fs = rig->memfs};

	if (rig->tap.held_count == 0)
		return;
	rig->tap.hold_reads = false;
	memset(text, 'x', sizeof(text));
	assert_int_equal(fs_put(&caller, "/f", text, sizeof(text)), 0);
	tap_release(&rig->tap);
}

static void empty_unseen(struct rig *rig)
{
	const struct csftp_attr empty = {.mask = CSFTP_ATTR_SIZE};
	struct fs_caller caller = {.fs = rig->memfs};

	if (rig->tap.held_count == 0)
		return;
	rig->tap.hold_reads = false;
	assert_int_equal(fs_setattr(&caller, "/f", &empty), 0);
	tap_release(&rig->tap);
}

static void run_unseen(struct rig *rig, void (*reads)(void),
		       void (*between)(struct rig *rig), uint32_t max_read)
{
	rig->config.attr_timeout = 60;
	rig->config.entry_timeout = 60;
	rig_need_fuse();
	rig_mount(rig, max_read, 0, 0);
	rig->tap.hold_reads = true;
	rig->between = between;
	rig_run(rig, reads);
}

static void a_file_is_not_cut_where_another_version_of_it_ended(void **state)
{
	run_unseen(*state, read_grown, grow_unseen, 0);
}

static void nor_is_it_where_that_was_the_end_of_a_page(void **state)
{
	run_unseen(*state, read_grown_pages, grow_unseen, 0);
}

static void nor_is_it_where_it_is_read_in_pieces(void **state)
{
	run_unseen(*state, read_grown_pages, grow_unseen, 6000);
}

static void what_is_emptied_while_it_is_read_is_empty(void **state)
{
	run_unseen(*state, read_nothing, empty_unseen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_listing_does_not_bring_back_a_size_that_was),
		RIG_TEST(a_file_that_shrinks_while_it_is_read_shows_no_zeros),
		RIG_TEST(a_file_that_grows_while_it_is_read_shows_no_zeros),
		RIG_TEST(a_file_is_not_cut_where_another_version_of_it_ended),
		RIG_TEST(nor_is_it_where_that_was_the_end_of_a_page),
		RIG_TEST(nor_is_it_where_it_is_read_in_pieces),
		RIG_TEST(what_is_emptied_while_it_is_read_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
