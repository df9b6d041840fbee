/* How many round trips a program on a mount waits for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/lib/trips.h"

static void read_file(void)
{
	NEED(rig_holds("file", "text"));
}

static void reading_a_file_takes_two(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, read_file), 2);
}

static void read_changed(void)
{
	NEED(rig_holds("file", "TEXT"));
}

static void read_files(void)
{
	NEED(rig_holds("file", "text"));
	NEED(rig_holds("small/00", "a small file"));
	NEED(rig_holds("small/01", "a small file"));
}

/* One question is about all of them; at once there is none. */
static void reading_files_again_takes_one(void **state)
{
	struct trips *trips = trips_ready(state);

	for (int i = 0; i < 3; i++) {
		trips->now_ms += 5000;
		trips_count(trips, trips_list_top);
		trips_count(trips, read_files);
	}
	assert_int_equal(trips_count(trips, read_files), 0);
	trips->now_ms += 5000;
	assert_int_equal(trips_count(trips, read_files), 1);
	assert_int_equal(trips->reads, 0);
	trips_put(&trips->other, "/file", "TEXT");
	trips->now_ms += 5000;
	assert_in_range(trips_count(trips, read_changed), 1, 4);
}

static void write_file(void)
{
	int fd = open("new", O_WRONLY | O_CREAT | O_EXCL, 0644);

	NEED(fd >= 0);
	NEED(write(fd, "text", 4) == 4);
	NEED(close(fd) == 0);
}

static void making_a_file_takes_two(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, write_file), 2);
	assert_int_equal(trips->writes, 1);
}

/* As tar(1) and cp(1) -p do it. */
static void write_with_attributes(void)
{
	const struct timespec times[2] = {{.tv_sec = 1000000000},
					  {.tv_sec = 1100000000}};
	int fd = open("new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct stat st;

	NEED(fd >= 0);
	NEED(write(fd, "text", 4) == 4);
	NEED(futimens(fd, times) == 0);
	NEED(fchmod(fd, 0640) == 0);
	NEED(fstat(fd, &st) == 0);
	NEED(fchown(fd, st.st_uid, st.st_gid) == 0);
	NEED(st.st_mtim.tv_sec == 1100000000 && st.st_size == 4);
	NEED(close(fd) == 0);
}

static void a_file_with_mode_and_times_takes_two(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, write_with_attributes), 2);
	assert_int_equal(fs_getattr(&trips->other, "/new"), 0);
	assert_int_equal(trips->other.attr.mode & 07777, 0640);
	assert_int_equal(trips->other.attr.mtime.sec, 1100000000);
	assert_int_equal(trips->other.attr.atime.sec, 1000000000);
}

/* As tar(1) does it: the directory is made for its owner alone. */
static void make_dir_with_attributes(void)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_sec = 1100000000}};
	struct stat st;

	NEED(mkdir("made", 0700) == 0);
	rig_put("made/file", "text");
	NEED(utimensat(AT_FDCWD, "made", times, AT_SYMLINK_NOFOLLOW) == 0);
	NEED(stat("made", &st) == 0);
	NEED(fchownat(AT_FDCWD, "made", st.st_uid, st.st_gid,
		      AT_SYMLINK_NOFOLLOW) == 0);
	NEED(chmod("made", 0750) == 0);
	NEED(stat("made", &st) == 0);
	NEED(st.st_mtim.tv_sec == 1100000000);
	NEED((st.st_mode & 07777) == 0750);
}

/* One to make it, one for its times, one for its mode; and two for the file. */
static void a_directory_with_mode_and_times_takes_three(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, make_dir_with_attributes), 5);
	assert_int_equal(fs_getattr(&trips->other, "/made"), 0);
	assert_int_equal(trips->other.attr.mode & 07777, 0750);
	assert_int_equal(trips->other.attr.mtime.sec, 1100000000);
}

static void write_at_length(void)
{
	int fd = open("long", O_WRONLY | O_CREAT | O_EXCL, 0600);
	static char block[10240];

	NEED(fd >= 0);
	for (int i = 0; i < 100; i++)
		NEED(write(fd, block, sizeof(block)) == sizeof(block));
	NEED(close(fd) == 0);
}

/* A million bytes in pieces of 10 KiB are four WRITEs, and the first piece. */
static void many_writes_travel_together(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, write_at_length), 2);
	assert_int_equal(trips->writes, 5);
}

static void save_by_rename(void)
{
	rig_put("file~", "new text");
	NEED(rename("file~", "file") == 0);
}

/* Make, write and close, rename. */
static void saving_by_rename_takes_three(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, save_by_rename), 3);
}

static void look_around(void)
{
	struct stat st;

	NEED(stat("file", &st) == 0);
	NEED(st.st_size == 4);
	NEED(rig_fails(stat("none", &st), ENOENT));
	NEED(rig_fails(stat("nothing/below", &st), ENOENT));
	NEED(rig_fails(open("none", O_RDONLY), ENOENT));
	trips_list_top();
}

static void a_listed_directory_takes_none(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, look_around), 0);
}

/* The first time says when it was changed, the second that this is long ago. */
static void a_listing_whose_time_is_over_takes_one(void **state)
{
	struct trips *trips = trips_ready(state);

	for (int i = 0; i < 2; i++) {
		trips_count(trips, trips_list_top);
		trips->now_ms += 30000;
	}
	assert_int_equal(trips_count(trips, trips_list_top), 1);
	assert_int_equal(trips_count(trips, trips_list_top), 0);
}

/* As git(1) does when there is nothing to write after all. */
static void lock_and_unlock(void)
{
	int fd = open("lock", O_RDWR | O_CREAT | O_EXCL, 0644);

	NEED(fd >= 0);
	NEED(close(fd) == 0);
	NEED(unlink("lock") == 0);
}

/* Nobody waits for the closing of what was not written to. */
static void a_lock_takes_two(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, lock_and_unlock), 2);
}

static void list_names(void)
{
	DIR *dir = opendir("dir");
	unsigned names = 0;

	NEED(dir);
	while (readdir(dir) != NULL)
		names++;
	NEED(closedir(dir) == 0);
	NEED(names == 33002);
}

static void list_long(void)
{
	DIR *dir = opendir("dir");
	struct dirent *entry;
	unsigned names = 0;

	NEED(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		NEED(fstatat(dirfd(dir), entry->d_name, &st,
			     AT_SYMLINK_NOFOLLOW) == 0);
		names++;
	}
	NEED(closedir(dir) == 0);
	NEED(names == 1002);
}

static void a_thousand_names_with_attributes_take_four(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, list_long), 2, 4);
}

/* It would be 43 with eight answers at a time, of a hundred names each. */
static void many_thousand_names_take_few(void **state)
{
	struct trips *trips = trips_ready(state);
	char path[64];

	for (int i = 0; i < 32000; i++) {
		(void)snprintf(path, sizeof(path), "/dir/more%d", i);
		trips_put(&trips->other, path, "");
	}
	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, list_names), 2, 25);
}

static void list_tree(void)
{
	char path[64];

	for (int i = -1; i < 20; i++) {
		DIR *dir;

		(void)snprintf(path, sizeof(path), "tree/%d", i);
		dir = opendir(i < 0 ? "tree" : path);
		NEED(dir);
		while (readdir(dir) != NULL)
			continue;
		NEED(closedir(dir) == 0);
	}
}

/* Each ends with its third READDIR, and most are listed ahead. */
static void directories_ahead_are_asked_for_little_more(void **state)
{
	struct trips *trips = trips_ready(state);
	char path[64];

	assert_int_equal(fs_mkdir(&trips->other, "/tree"), 0);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "/tree/%d", i);
		assert_int_equal(fs_mkdir(&trips->other, path), 0);
		for (int k = 0; k < 250; k++) {
			(void)snprintf(path, sizeof(path), "/tree/%d/%d", i, k);
			trips_put(&trips->other, path, "");
		}
	}
	trips_count(trips, trips_list_top);
	trips->lists = 0;
	assert_in_range(trips_count(trips, list_tree), 2, 25);
	assert_in_range(trips->lists, 60, 150);
}

static void make_dir(void)
{
	NEED(mkdir("made", 0755) == 0);
}

static void rename_file(void)
{
	NEED(rename("file", "moved") == 0);
}

static void remove_file(void)
{
	NEED(unlink("moved") == 0);
}

static void a_change_of_names_takes_one(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, make_dir), 1);
	assert_int_equal(trips_count(trips, rename_file), 1);
	assert_int_equal(trips_count(trips, remove_file), 1);
}

static void fill_made(void)
{
	char name[32];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "made/%d", i);
		rig_put(name, "text");
	}
}

static void what_we_made_needs_no_look(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	trips_count(trips, make_dir);
	assert_int_equal(trips_count(trips, fill_made), 40);
}

/* The directory changes all the time, which is no reason to ask about it. */
static void directories_looked_up_again_take_none(void **state)
{
	struct trips *trips = trips_ready_for(state, 0);

	trips_count(trips, trips_list_top);
	trips_count(trips, make_dir);
	assert_int_equal(trips_count(trips, fill_made), 40);
}

static void read_small(void)
{
	DIR *dir = opendir("small");
	char name[300];
	struct dirent *entry;

	NEED(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "small/%s", entry->d_name);
		NEED(rig_holds(name, "a small file"));
	}
	NEED(closedir(dir) == 0);
}

/* One by one they are 80, and the listing. */
static void small_files_in_their_order_are_there_before(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, read_small), 5, 20);
	assert_int_equal(trips->reads, 40);
}

#define DIRS 40U

/* In the order of the listing the last name comes first. */
static void make_tree(struct trips *trips)
{
	char path[64];

	assert_int_equal(fs_mkdir(&trips->other, "/tree"), 0);
	for (unsigned i = DIRS; i > 0; i--) {
		(void)snprintf(path, sizeof(path), "/tree/%02u", i - 1);
		assert_int_equal(fs_mkdir(&trips->other, path), 0);
		(void)snprintf(path, sizeof(path), "/tree/%02u/one", i - 1);
		trips_put(&trips->other, path, "1");
		(void)snprintf(path, sizeof(path), "/tree/%02u/two", i - 1);
		trips_put(&trips->other, path, "2");
	}
}

/* What the directory of that name has in it, but for the dots. */
static unsigned names_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned names = 0;

	NEED(dir);
	while ((entry = readdir(dir)) != NULL)
		names += entry->d_name[0] != '.';
	NEED(closedir(dir) == 0);
	return names;
}

/* As ls(1) -R does. */
static void walk_by_name(void)
{
	char path[64];

	NEED(names_in("tree") == DIRS);
	for (unsigned i = 0; i < DIRS; i++) {
		(void)snprintf(path, sizeof(path), "tree/%02u", i);
		NEED(names_in(path) == 2);
	}
}

/* One by one they are two for each directory. */
static void a_walk_by_name_finds_directories_listed(void **state)
{
	struct trips *trips = trips_ready(state);

	make_tree(trips);
	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, walk_by_name), 4, 14);
}

/* As rm(1) -r does, which looks first whether it is empty. */
static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	char name[300];

	NEED(dir && readdir(dir));
	NEED(closedir(dir) == 0);
	NEED(names_in(path) == 2);
	(void)snprintf(name, sizeof(name), "%s/one", path);
	NEED(unlink(name) == 0);
	(void)snprintf(name, sizeof(name), "%s/two", path);
	NEED(unlink(name) == 0);
	NEED(rmdir(path) == 0);
}

static void remove_tree(void)
{
	char path[64];

	NEED(names_in("tree") == DIRS);
	for (unsigned i = DIRS; i > 0; i--) {
		(void)snprintf(path, sizeof(path), "tree/%02u", i - 1);
		remove_dir(path);
	}
	NEED(rmdir("tree") == 0);
}

/* Three for each directory and what is in it, and few for the listings. */
static void removing_a_tree_takes_one_for_each_name(void **state)
{
	struct trips *trips = trips_ready(state);

	make_tree(trips);
	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, remove_tree), 3 * DIRS + 1,
			3 * DIRS + 9);
}

static void copy_within(void)
{
	int from = open("file", O_RDONLY);
	int to = open("copy", O_WRONLY | O_CREAT, 0644);

	NEED(from >= 0 && to >= 0);
	NEED(copy_file_range(from, NULL, to, NULL, 4, 0) == 4);
	NEED(close(to) == 0 && close(from) == 0);
}

static void a_copy_within_the_mount_moves_no_data(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	assert_in_range(trips_count(trips, copy_within), 2, 4);
	assert_int_equal(trips->reads, 0);
	assert_int_equal(trips->writes, 0);
	assert_int_equal(trips->copies, 1);
}

#define TRIPS_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, trips_set_up, trips_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIPS_TEST(reading_a_file_takes_two),
		TRIPS_TEST(reading_files_again_takes_one),
		TRIPS_TEST(making_a_file_takes_two),
		TRIPS_TEST(a_file_with_mode_and_times_takes_two),
		TRIPS_TEST(a_directory_with_mode_and_times_takes_three),
		TRIPS_TEST(many_writes_travel_together),
		TRIPS_TEST(saving_by_rename_takes_three),
		TRIPS_TEST(a_listed_directory_takes_none),
		TRIPS_TEST(a_listing_whose_time_is_over_takes_one),
		TRIPS_TEST(a_thousand_names_with_attributes_take_four),
		TRIPS_TEST(many_thousand_names_take_few),
		TRIPS_TEST(directories_ahead_are_asked_for_little_more),
		TRIPS_TEST(a_change_of_names_takes_one),
		TRIPS_TEST(a_lock_takes_two),
		TRIPS_TEST(what_we_made_needs_no_look),
		TRIPS_TEST(directories_looked_up_again_take_none),
		TRIPS_TEST(small_files_in_their_order_are_there_before),
		TRIPS_TEST(a_walk_by_name_finds_directories_listed),
		TRIPS_TEST(removing_a_tree_takes_one_for_each_name),
		TRIPS_TEST(a_copy_within_the_mount_moves_no_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
