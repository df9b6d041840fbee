/* What the frontend's configuration promises, on a mount over memfs. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/lib/fs_call.h"
#include "tests/lib/fuse_rig.h"

static struct rig *rig_with(void **state)
{
	rig_need_fuse();
	rig_mount(*state, 0, 0, 0);
	return *state;
}

static void sync_body(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	NEED(fd >= 0);
	NEED(rig_fails(write(fd, "x", 1), EIO));
	NEED(close(fd) == 0);
}

static void writes_without_a_layer_have_their_own_errors(void **state)
{
	struct rig *rig = *state;

	rig->tap.write_err = EIO;
	rig_run(rig_with(state), sync_body);
}

static void link_body(void)
{
	rig_put("f", "text");
	NEED(rig_fails(link("f", "g"), EOPNOTSUPP));
	NEED(rig_fails(access("g", F_OK), ENOENT));
}

static void hard_links_are_refused_where_they_are_not_wanted(void **state)
{
	struct rig *rig = *state;

	rig->config.no_links = true;
	rig_run(rig_with(state), link_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_LINK], 0);
}

static void read_twice_body(void)
{
	rig_put("f", "text");
	NEED(rig_holds("f", "text"));
	NEED(rig_holds("f", "text"));
	NEED(rig_holds("f", "text"));
}

static void what_the_kernel_has_is_read_again_after_an_open(void **state)
{
	struct rig *rig = rig_with(state);

	rig_run(rig, read_twice_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_READ], 3);
}

static void content_outlives_an_open_where_that_is_wanted(void **state)
{
	struct rig *rig = *state;

	rig->config.keep_cache = true;
	rig_run(rig_with(state), read_twice_body);
	assert_in_range(rig->tap.count[CSFTP_OP_READ], 0, 1);
}

static void read_through_body(void)
{
	char text[4];
	int fd;

	rig_put("f", "text");
	fd = open("f", O_RDONLY);
	NEED(fd >= 0);
	for (int i = 0; i < 5; i++)
		NEED(pread(fd, text, 4, 0) == 4 && !memcmp(text, "text", 4));
	NEED(close(fd) == 0);
}

static void direct_io_asks_each_time(void **state)
{
	struct rig *rig = *state;

	rig->config.direct_io = true;
	rig_run(rig_with(state), read_through_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_READ], 5);
}

static void put_short_body(void)
{
	rig_put("f", "one");
	NEED(rig_holds("f", "one"));
}

static void read_longer_body(void)
{
	char text[16];
	int fd = open("f", O_RDONLY);

	NEED(fd >= 0);
	NEED(read(fd, text, sizeof(text)) == 10);
	NEED(!memcmp(text, "two-longer", 10));
	NEED(close(fd) == 0);
}

/* The kernel knows a size, and believes it for long. */
static void what_grew_elsewhere_is_not_cut_after_an_open(void **state)
{
	struct rig *rig = *state;
	struct fs_caller other;
	csftp_fh fh;

	rig->config.entry_timeout = 3600;
	rig->config.attr_timeout = 3600;
	rig_run(rig_with(state), put_short_body);
	other = (struct fs_caller){.fs = rig->memfs};
	assert_int_equal(fs_open(&other, "/f", CSFTP_OPEN_WRITE), 0);
	fh = other.fh;
	assert_int_equal(fs_write(&other, fh, 0, "two-longer", 10), 0);
	assert_int_equal(fs_close(&other, fh), 0);
	rig_run(rig, read_longer_body);
}

/* A number in a file of the kernel's; 0: there is none. */
static unsigned long number_in(const char *path)
{
	char text[32];
	ssize_t len;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	NEED(len > 0 && close(fd) == 0);
	text[len] = '\0';
	return strtoul(text, NULL, 10);
}

#define FUSECTL "/sys/fs/fuse/connections"

static void limits_body(void)
{
	static char text[256 * 1024];
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char path[PROC_PATH_MAX];
	struct stat st;

	memset(text, 'x', sizeof(text));
	NEED(fd >= 0 && write(fd, text, sizeof(text)) == sizeof(text));
	NEED(close(fd) == 0 && stat(".", &st) == 0);
	proc_print(path, sizeof(path), "/sys/class/bdi/0:%u/read_ahead_kb",
		   minor(st.st_dev));
	NEED(number_in(path) == 8);
	/* For this process alone. */
	NEED(unshare(CLONE_NEWNS) == 0);
	NEED(mount("none", FUSECTL, "fusectl", 0, NULL) == 0);
	proc_print(path, sizeof(path), FUSECTL "/%u/max_background",
		   minor(st.st_dev));
	NEED(number_in(path) == 7);
	proc_print(path, sizeof(path), FUSECTL "/%u/congestion_threshold",
		   minor(st.st_dev));
	NEED(number_in(path) == 5);
}

static void the_kernel_is_told_its_limits(void **state)
{
	struct rig *rig = *state;

	rig->config.max_write = 64 * 1024;
	rig->config.max_readahead = 8 * 1024;
	rig->config.max_background = 7;
	rig->config.congestion = 5;
	rig_run(rig_with(state), limits_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_WRITE], 4);
}

static void release_reads(struct rig *rig)
{
	tap_release(&rig->tap);
}

static void read_all_body(void)
{
	static char text[256 * 1024];
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	NEED(fd >= 0 && write(fd, text, sizeof(text)) == sizeof(text));
	NEED(close(fd) == 0);
	fd = open("f", O_RDONLY);
	NEED(read(fd, text, sizeof(text)) == sizeof(text) && close(fd) == 0);
}

static void sync_read_asks_for_one_piece_at_a_time(void **state)
{
	struct rig *rig = *state;

	rig->config.sync_read = true;
	rig->config.max_read = 16 * 1024;
	rig->tap.hold_reads = true;
	rig->between = release_reads;
	rig_run(rig_with(state), read_all_body);
	assert_int_equal(rig->tap.held_most, 1);
}

static void copy_body(void)
{
	const off_t size = 20 << 20;
	int from = rig_open("f", "");
	int to = rig_open("g", "");

	NEED(ftruncate(from, size) == 0);
	NEED(copy_file_range(from, NULL, to, NULL, (size_t)size, 0) ==
	     16 << 20);
	NEED(copy_file_range(from, NULL, to, NULL, (size_t)size, 0) == 4 << 20);
	NEED(lseek(to, 0, SEEK_END) == size);
	NEED(close(from) == 0 && close(to) == 0);
}

static void a_copy_leaves_room_for_others(void **state)
{
	struct rig *rig = rig_with(state);

	rig_run(rig, copy_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_COPY_RANGE], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(writes_without_a_layer_have_their_own_errors),
		RIG_TEST(hard_links_are_refused_where_they_are_not_wanted),
		RIG_TEST(what_the_kernel_has_is_read_again_after_an_open),
		RIG_TEST(content_outlives_an_open_where_that_is_wanted),
		RIG_TEST(direct_io_asks_each_time),
		RIG_TEST(the_kernel_is_told_its_limits),
		RIG_TEST(sync_read_asks_for_one_piece_at_a_time),
		RIG_TEST(a_copy_leaves_room_for_others),
		RIG_TEST(what_grew_elsewhere_is_not_cut_after_an_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
