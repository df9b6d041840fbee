/*
 * How many round trips a program on a mount waits for: kernel, frontend and
 * layers over memfs, which is asked in batches.  What waits below is answered
 * all at once, and only when somebody waits for it: that is a round trip.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/layer/relay.h"
#include "csftp/memfs.h"
#include "fusefs/fusefs.h"
#include "fusefs/layers.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/fuse_rig.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

/* Names that a server sends with one READDIR, as OpenSSH's does. */
#define NAMES_AT_ONCE 100U

/* Of the clock, for those who measure how long they wait. */
#define TRIP_MS 20U

struct trips {
	struct relay relay; /* first; counts, and cuts listings */
	struct later later;
	struct csftp_fs *memfs;
	struct layers *layers;
	struct fusefs *f;
	struct fs_caller other; /* of memfs, behind the mount's back */
	unsigned trips;
	unsigned reads;
	unsigned writes;
	unsigned copies;
	uint64_t now_ms;
	char point[PROC_PATH_MAX];
};

struct listing {
	struct relay_job job; /* first */
	unsigned names;
};

static bool some_names(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct listing *listing = (struct listing *)req;
	struct csftp_req *asked = listing->job.asked;

	return listing->names++ < NAMES_AT_ONCE && asked->entry(asked, entry);
}

static void listed(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void below(struct csftp_fs *fs, struct csftp_req *req)
{
	struct trips *trips = (struct trips *)fs;
	struct relay_job *job;

	trips->reads += req->op == CSFTP_OP_READ;
	trips->writes += req->op == CSFTP_OP_WRITE;
	trips->copies += req->op == CSFTP_OP_COPY_RANGE;
	if (req->op != CSFTP_OP_READDIR) {
		relay_pass(fs, req);
		return;
	}
	job = relay_take(&trips->relay, req);
	assert_non_null(job);
	((struct listing *)job)->names = 0;
	job->req.entry = some_names;
	relay_ask(job, listed);
}

static void put(struct fs_caller *caller, const char *path, const char *text)
{
	assert_int_equal(fs_put(caller, path, text, strlen(text)), 0);
}

/* What is there: /file, /dir with 1,000 files, /small with 40. */
static void fill(struct fs_caller *caller)
{
	char path[64];

	put(caller, "/file", "text");
	assert_int_equal(fs_mkdir(caller, "/dir"), 0);
	assert_int_equal(fs_mkdir(caller, "/small"), 0);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/dir/%03u", i);
		put(caller, path, "");
	}
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/small/%02u", i);
		put(caller, path, "a small file");
	}
}

static uint64_t clock_of(void *arg)
{
	return ((const struct trips *)arg)->now_ms;
}

/* As SFTP version 3 has it, in whole seconds. */
static struct csftp_time time_of(void *arg)
{
	return (struct csftp_time){.sec = (int64_t)(clock_of(arg) / 1000)};
}

static int setup(void **state)
{
	const struct layers_config layering = {
		.root = "/",
		.attr_timeout = 20,
		.link_timeout = 20,
		.dir_timeout = 20,
	};
	struct trips *trips = calloc(1, sizeof(*trips));
	const struct csftp_memfs_config memory = {.clock = time_of,
						  .arg = trips};
	struct layers_config config = layering;
	const char *tmp = getenv("TMPDIR");

	assert_non_null(trips);
	*state = trips;
	assert_int_equal(csftp_memfs_new(&trips->memfs, &memory), CSFTP_OK);
	trips->other.fs = trips->memfs;
	fill(&trips->other);
	later_init(&trips->later, trips->memfs);
	relay_init(&trips->relay, &trips->later.fs, sizeof(struct listing),
		   below);
	trips->now_ms = 1000;
	config.now_ms = clock_of;
	config.arg = trips;
	config.under = &trips->relay.fs;
	assert_int_equal(layers_new(&trips->layers, &config), CSFTP_OK);
	(void)snprintf(trips->point, sizeof(trips->point), "%s/trips-XXXXXX",
		       tmp ? tmp : "/tmp");
	return mkdtemp(trips->point) ? 0 : -1;
}

static void answer_all(struct trips *trips)
{
	while (later_run(&trips->later))
		continue;
}

static int teardown(void **state)
{
	struct trips *trips = *state;

	if (trips->f) {
		fusefs_unmount(trips->f);
		layers_quiet(trips->layers);
		fusefs_close_files(trips->f);
		answer_all(trips);
		fusefs_free(trips->f);
	}
	layers_free(trips->layers);
	answer_all(trips);
	relay_release(&trips->relay);
	fs_caller_release(&trips->other);
	csftp_memfs_free(trips->memfs);
	(void)umount2(trips->point, MNT_DETACH);
	(void)rmdir(trips->point);
	free(trips);
	return 0;
}

/* The kernel remembers names for so many seconds. */
static struct trips *ready_for(void **state, double timeout)
{
	char *argv[] = {(char[]){"test_trips"}, (char[]){"-osubtype=csftp"},
			NULL};
	struct trips *trips = *state;
	const struct fusefs_config config = {
		.fs = layers_fs(trips->layers),
		.root = "/",
		.entry_timeout = timeout,
		.attr_timeout = timeout,
		.uid = FUSEFS_ID_KEEP,
		.gid = FUSEFS_ID_KEEP,
	};

	rig_need_fuse();
	assert_int_equal(fusefs_new(&trips->f, &config, argv), CSFTP_OK);
	assert_int_equal(fusefs_mount(trips->f, trips->point), CSFTP_OK);
	return trips;
}

static struct trips *ready(void **state)
{
	return ready_for(state, 1000);
}

static pid_t start(struct trips *trips, void (*body)(void))
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(fusefs_fd(trips->f));
	if (chdir(trips->point) != 0)
		_exit(2);
	body();
	_exit(0);
}

/* One round trip, or input of the kernel; true when the process has ended. */
static bool serve_once(struct trips *trips, int pidfd)
{
	struct pollfd fds[2] = {
		{.fd = fusefs_fd(trips->f), .events = POLLIN},
		{.fd = pidfd, .events = POLLIN},
	};
	bool trip = trips->later.waiting > 0 && fusefs_callers(trips->f) > 0;

	assert_true(poll(fds, 2, trip ? 0 : 10000) > 0 || trip);
	if (fds[0].revents) {
		fusefs_ready(trips->f);
	} else if (trip) {
		trips->trips++;
		trips->now_ms += TRIP_MS;
		for (size_t n = trips->later.waiting; n > 0; n--)
			(void)later_run(&trips->later);
	}
	return fds[1].revents != 0;
}

/* The round trips that body waits for, in a process inside the mount. */
static unsigned count(struct trips *trips, void (*body)(void))
{
	pid_t pid = start(trips, body);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = -1;

	assert_true(pidfd >= 0);
	trips->trips = 0;
	trips->reads = 0;
	trips->writes = 0;
	while (!serve_once(trips, pidfd))
		continue;
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fusefs_ready(trips->f);
	answer_all(trips);
	return trips->trips;
}

/* So that the kernel knows what is there, and we do. */
static void list_top(void)
{
	DIR *dir = opendir(".");

	NEED(dir);
	while (readdir(dir))
		continue;
	NEED(closedir(dir) == 0);
}

static void read_file(void)
{
	NEED(rig_holds("file", "text"));
}

static void reading_a_file_takes_two(void **state)
{
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, read_file), 2);
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
	struct trips *trips = ready(state);

	for (int i = 0; i < 3; i++) {
		trips->now_ms += 5000;
		count(trips, list_top);
		count(trips, read_files);
	}
	assert_int_equal(count(trips, read_files), 0);
	trips->now_ms += 5000;
	assert_int_equal(count(trips, read_files), 1);
	assert_int_equal(trips->reads, 0);
	put(&trips->other, "/file", "TEXT");
	trips->now_ms += 5000;
	assert_in_range(count(trips, read_changed), 1, 4);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, write_file), 2);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, write_with_attributes), 2);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, make_dir_with_attributes), 5);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, write_at_length), 2);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, save_by_rename), 3);
}

static void look_around(void)
{
	struct stat st;

	NEED(stat("file", &st) == 0);
	NEED(st.st_size == 4);
	NEED(rig_fails(stat("none", &st), ENOENT));
	NEED(rig_fails(stat("nothing/below", &st), ENOENT));
	NEED(rig_fails(open("none", O_RDONLY), ENOENT));
	list_top();
}

static void a_listed_directory_takes_none(void **state)
{
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, look_around), 0);
}

/* The first time says when it was changed, the second that this is long ago. */
static void a_listing_whose_time_is_over_takes_one(void **state)
{
	struct trips *trips = ready(state);

	for (int i = 0; i < 2; i++) {
		count(trips, list_top);
		trips->now_ms += 30000;
	}
	assert_int_equal(count(trips, list_top), 1);
	assert_int_equal(count(trips, list_top), 0);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, lock_and_unlock), 2);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_in_range(count(trips, list_long), 2, 4);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_int_equal(count(trips, make_dir), 1);
	assert_int_equal(count(trips, rename_file), 1);
	assert_int_equal(count(trips, remove_file), 1);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	count(trips, make_dir);
	assert_int_equal(count(trips, fill_made), 40);
}

/* The directory changes all the time, which is no reason to ask about it. */
static void directories_looked_up_again_take_none(void **state)
{
	struct trips *trips = ready_for(state, 0);

	count(trips, list_top);
	count(trips, make_dir);
	assert_int_equal(count(trips, fill_made), 40);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_in_range(count(trips, read_small), 5, 20);
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
		put(&trips->other, path, "1");
		(void)snprintf(path, sizeof(path), "/tree/%02u/two", i - 1);
		put(&trips->other, path, "2");
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
	struct trips *trips = ready(state);

	make_tree(trips);
	count(trips, list_top);
	assert_in_range(count(trips, walk_by_name), 4, 14);
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
	struct trips *trips = ready(state);

	make_tree(trips);
	count(trips, list_top);
	assert_in_range(count(trips, remove_tree), 3 * DIRS + 1, 3 * DIRS + 9);
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
	struct trips *trips = ready(state);

	count(trips, list_top);
	assert_in_range(count(trips, copy_within), 2, 4);
	assert_int_equal(trips->reads, 0);
	assert_int_equal(trips->writes, 0);
	assert_int_equal(trips->copies, 1);
}

#define TRIPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
