/* Programs on a mount with durability=async: what they wait for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/lib/trips.h"

/* As a shell does it, as cp(1) does it, and as tar(1) does it. */
static void make_many(void)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_sec = 1100000000}};
	char name[32];
	struct stat st;

	for (int i = 0; i < 60; i++) {
		int how = i % 3 == 0 ? O_TRUNC : O_EXCL;
		int fd;

		(void)snprintf(name, sizeof(name), "new%02d", i);
		NEED(stat(name, &st) != 0 && errno == ENOENT);
		fd = open(name, O_WRONLY | O_CREAT | how, 0644);
		NEED(fd >= 0);
		NEED(write(fd, "text", 4) == 4);
		if (i % 3 == 2) {
			NEED(futimens(fd, times) == 0);
			NEED(fchmod(fd, 0640) == 0);
			NEED(fstat(fd, &st) == 0);
			NEED(fchown(fd, st.st_uid, st.st_gid) == 0);
		}
		NEED(close(fd) == 0);
		NEED(stat(name, &st) == 0 && st.st_size == 4);
	}
}

/* The first one alone is waited for. */
static void many_files_made_behind_take_one(void **state)
{
	struct trips *trips = trips_ready(state);
	char path[32];

	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, make_many), 1);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(path, sizeof(path), "/new%02d", i);
		assert_int_equal(fs_getattr(&trips->other, path), 0);
		assert_int_equal(trips->other.attr.size, 4);
		assert_int_equal(trips->other.attr.mode & 07777,
				 i % 3 == 2 ? 0640 : 0644);
		assert_true((trips->other.attr.mtime.sec == 1100000000) ==
			    (i % 3 == 2));
	}
	assert_int_equal(trips->lost, 0);
}

static void make_first(void)
{
	rig_put("first", "text");
}

static void make_in(const char *name, bool wait)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	NEED(dir >= 0);
	NEED(fd >= 0);
	NEED(!wait || fsync(dir) == 0);
	NEED(close(fd) == 0);
	NEED(close(dir) == 0);
}

static void make_one(void)
{
	make_in("one", false);
}

static void make_one_and_wait(void)
{
	make_in("two", true);
}

static void fsync_of_a_directory_waits_for_its_names(void **state)
{
	struct trips *trips = trips_ready(state);
	unsigned without;

	trips_count(trips, trips_list_top);
	trips_count(trips, make_first);
	trips_count(trips, trips_list_top);
	without = trips_count(trips, make_one);
	trips_count(trips, trips_list_top);
	assert_int_equal(trips_count(trips, make_one_and_wait), without + 1);
}

static void look_at_them(void)
{
	DIR *dir;
	int names = 0;

	make_many();
	NEED(rename("new01", "renamed") == 0);
	NEED(rig_holds("renamed", "text"));
	NEED(rig_holds("new59", "text"));
	NEED(unlink("new02") == 0);
	NEED(link("new03", "linked") == 0);
	NEED(mkdir("new04", 0700) != 0 && errno == EEXIST);
	dir = opendir(".");
	NEED(dir);
	for (struct dirent *at = readdir(dir); at; at = readdir(dir))
		names += strncmp(at->d_name, "new", 3) == 0;
	NEED(closedir(dir) == 0);
	NEED(names == 58);
}

static void files_made_behind_are_there_for_all(void **state)
{
	struct trips *trips = trips_ready(state);

	trips_count(trips, trips_list_top);
	trips_count(trips, look_at_them);
	assert_int_equal(fs_getattr(&trips->other, "/renamed"), 0);
	assert_int_equal(fs_getattr(&trips->other, "/linked"), 0);
	assert_int_equal(fs_getattr(&trips->other, "/new02"), ENOENT);
	assert_int_equal(trips->lost, 0);
}

static void make_second(void)
{
	rig_put("second", "text");
}

/* Somebody else has made it by now. */
static void make_taken(void)
{
	int fd = open("taken", O_WRONLY | O_CREAT | O_EXCL, 0644);

	NEED(fd >= 0);
	NEED(write(fd, "mine", 4) == 4);
	NEED(fsync(fd) != 0 && errno == EEXIST);
	NEED(write(fd, "mine", 4) != 4 && errno == EEXIST);
	NEED(close(fd) == 0);
	NEED(rig_holds("taken", "theirs"));
}

static void make_taken_and_go(void)
{
	rig_put("taken2", "mine");
	NEED(close(open("taken3", O_WRONLY | O_CREAT | O_EXCL, 0644)) == 0);
}

static void what_cannot_be_made_is_told_late(void **state)
{
	struct trips *trips = trips_ready_for(state, 0);

	trips_count(trips, trips_list_top);
	trips_count(trips, make_first);
	trips_put(&trips->other, "/taken", "theirs");
	trips_count(trips, make_taken);
	assert_int_equal(trips->lost, 0);
	/* A failure is a reason to look again. */
	trips_count(trips, trips_list_top);
	trips_count(trips, make_second);
	assert_int_equal(fs_mkdir(&trips->other, "/taken2"), 0);
	trips_put(&trips->other, "/taken3", "theirs");
	assert_int_equal(trips_count(trips, make_taken_and_go), 0);
	assert_int_equal(trips->lost, 2);
	assert_int_equal(fs_getattr(&trips->other, "/taken3"), 0);
	assert_int_equal(trips->other.attr.size, 6);
}

#define ASYNC_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, trips_set_up_async,              \
					trips_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASYNC_TEST(many_files_made_behind_take_one),
		ASYNC_TEST(fsync_of_a_directory_waits_for_its_names),
		ASYNC_TEST(files_made_behind_are_there_for_all),
		ASYNC_TEST(what_cannot_be_made_is_told_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
