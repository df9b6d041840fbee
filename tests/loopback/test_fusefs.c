/* The FUSE frontend over memfs: files, names and directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fuse_rig.h"

/*
 * The tests: what runs in the mount comes first, what serves it second.
 */

static void names_body(void)
{
	char longest[CSFTP_NAME_MAX + 2];
	const char *const names[] = {longest, "new\nline", "\xff\xfe raw",
				     " ",     "-rf",	   "\\",
				     "*?[",   "a:b"};
	struct stat st;

	memset(longest, 'x', sizeof(longest));
	longest[CSFTP_NAME_MAX] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		rig_put(names[i], names[i]);
		NEED(stat(names[i], &st) == 0);
		NEED(st.st_size == (off_t)strlen(names[i]));
		NEED(rig_holds(names[i], names[i]) || strlen(names[i]) > 250);
		NEED(unlink(names[i]) == 0);
		NEED(rig_fails(stat(names[i], &st), ENOENT));
	}
	longest[CSFTP_NAME_MAX] = 'x';
	longest[CSFTP_NAME_MAX + 1] = '\0';
	NEED(rig_fails(mkdir(longest, 0755), ENAMETOOLONG));
}

static void any_bytes_are_a_name(void **state)
{
	rig_run(rig_ready(state), names_body);
}

static void walk_down(const char *path, int depth)
{
	char name[PATH_MAX];

	NEED(mkdir(path, 0755) == 0);
	for (int i = 0; i < 5; i++) {
		NEED(snprintf(name, sizeof(name), "%s/f%d", path, i) > 0);
		rig_put(name, "x");
		NEED(snprintf(name, sizeof(name), "%s/d%d", path, i) > 0);
		if (depth > 0)
			walk_down(name, depth - 1);
	}
}

static void tree_body(void)
{
	char *const find[] = {(char[]){"sh"}, (char[]){"-c"},
			      (char[]){"find . -ls >/dev/null; cat */*/f1 "
				       ">/dev/null; mv top/d1 top/moved; "
				       "rm -r top/d2; find . >/dev/null"},
			      NULL};
	pid_t pid;
	int status;

	walk_down("top", 3);
	pid = fork();
	if (pid == 0)
		execvp(find[0], find);
	NEED(waitpid(pid, &status, 0) == pid && status == 0);
}

static void forget_body(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "2", 1) != 1)
		_exit(77);
	close(fd);
}

static void lookups_balance_so_that_all_can_be_forgotten(void **state)
{
	struct rig *rig = rig_ready(state);
	int status;

	rig_run(rig, tree_body);
	/* Others drop caches, too, so that it may be few by now. */
	assert_true(rig->most_nodes > 300);
	for (int i = 0; i < 20 && fusefs_nodes(rig->f) > 1; i++) {
		status = rig_serve(rig, rig_start(rig, forget_body));
		if (WEXITSTATUS(status) == 77)
			skip_because("caches cannot be dropped here");
		assert_int_equal(status, 0);
	}
	assert_int_equal(fusefs_nodes(rig->f), 1);
	assert_int_equal(rig->tap.handles, 0);
}

static void rename_open_body(void)
{
	int victim = rig_open("victim", "old");
	int moved = rig_open("moved", "new");
	struct stat st, before;

	NEED(fstat(moved, &before) == 0);
	NEED(rename("moved", "victim") == 0);
	NEED(rig_holds("victim", "new"));
	NEED(fstat(victim, &st) == 0 && st.st_size == 3);
	NEED(pwrite(victim, "OLD!", 4, 0) == 4);
	NEED(fstat(victim, &st) == 0 && st.st_size == 4);
	NEED(pwrite(moved, "NEW!!", 5, 0) == 5);
	NEED(fstat(moved, &st) == 0 && st.st_ino == before.st_ino);
	NEED(close(moved) == 0 && close(victim) == 0);
	NEED(rig_holds("victim", "NEW!!"));
	NEED(rig_fails(stat("moved", &st), ENOENT));
	rig_put("other", "o");
	NEED(rig_fails(renameat2(AT_FDCWD, "other", AT_FDCWD, "victim",
				 RENAME_NOREPLACE),
		       EEXIST));
	NEED(rig_fails(renameat2(AT_FDCWD, "other", AT_FDCWD, "victim",
				 RENAME_EXCHANGE),
		       EINVAL));
}

static void open_files_survive_a_rename_over_them(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, rename_open_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void unlinked_body(void)
{
	int fd = rig_open("gone", "0123456789");
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;
	char buf[16];

	NEED(unlink("gone") == 0);
	NEED(rig_fails(stat("gone", &st), ENOENT));
	NEED(fstat(fd, &st) == 0 && st.st_size == 10);
	NEED(pwrite(fd, "abc", 3, 10) == 3);
	NEED(pread(fd, buf, sizeof(buf), 0) == 13);
	NEED(memcmp(buf, "0123456789abc", 13) == 0);
	NEED(ftruncate(fd, 5) == 0);
	NEED(fstat(fd, &st) == 0 && st.st_size == 5);
	NEED(fchmod(fd, 0600) == 0);
	NEED(futimens(fd, times) == 0);
	NEED(fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 2000);
	NEED((st.st_mode & 07777) == 0600);
	rig_put("gone", "another");
	NEED(fstat(fd, &st) == 0 && st.st_size == 5);
	NEED(close(fd) == 0);
	NEED(rig_holds("gone", "another"));
}

static void open_files_survive_unlink(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, unlinked_body);
	assert_int_equal(rig->tap.handles, 0);
}

#define MANY 10000

static void fill_dir(const char *dir)
{
	char name[64];
	int fd;

	NEED(mkdir(dir, 0755) == 0);
	for (int i = 0; i < MANY; i++) {
		NEED(snprintf(name, sizeof(name), "%s/%05d", dir, i) > 0);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		NEED(fd >= 0 && close(fd) == 0);
	}
}

static int count_from(DIR *dir)
{
	int count = 0;

	while (readdir(dir))
		count++;
	return count;
}

static void readdir_body(void)
{
	const struct dirent *entry;
	struct stat st;
	long half = 0;
	char name[300];
	DIR *dir;

	fill_dir("d");
	dir = opendir("d");
	NEED(dir);
	for (int i = 0; i < MANY / 2; i++)
		NEED(readdir(dir));
	half = telldir(dir);
	NEED(count_from(dir) == MANY + 2 - MANY / 2);
	seekdir(dir, half);
	NEED(count_from(dir) == MANY + 2 - MANY / 2);
	rig_put("d/one-more", "x");
	rewinddir(dir);
	NEED(count_from(dir) == MANY + 3);
	/* Deleting what was just read, as rm -r does. */
	rewinddir(dir);
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		NEED(snprintf(name, sizeof(name), "d/%s", entry->d_name) > 0);
		NEED(entry->d_type == DT_REG);
		if (entry->d_ino % 64 == 0) {
			NEED(lstat(name, &st) == 0);
			NEED(st.st_ino == entry->d_ino);
		}
		NEED(unlink(name) == 0);
	}
	rewinddir(dir);
	NEED(count_from(dir) == 2);
	NEED(closedir(dir) == 0);
	NEED(rmdir("d") == 0);
}

static void ten_thousand_names_can_be_read_sought_and_deleted(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, readdir_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void bad_names_body(void)
{
	const struct dirent *entry;
	DIR *dir;
	int count = 0;

	rig_put("good", "x");
	dir = opendir(".");
	NEED(dir);
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		count++;
		NEED(!strcmp(entry->d_name, ".") ||
		     !strcmp(entry->d_name, "..") ||
		     !strcmp(entry->d_name, "good"));
	}
	NEED(count == 3);
	NEED(closedir(dir) == 0);
}

static void names_that_are_none_are_left_out_and_logged_once(void **state)
{
	struct rig *rig = rig_ready(state);
	const char *line;

	rig->tap.bad_names = true;
	rig_run(rig, bad_names_body);
	line = strstr(rig->log, "a name that is none");
	assert_non_null(line);
	assert_null(strstr(line + 1, "a name that is none"));
}

static void names_without_attributes_are_looked_up(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.no_attr = true;
	rig_run(rig, tree_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void times_body(void)
{
	struct timespec fixed[2] = {{.tv_sec = 1}, {.tv_sec = 4000000000}};
	struct timespec omit[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 77}};
	struct timespec now[2] = {{.tv_nsec = UTIME_NOW},
				  {.tv_nsec = UTIME_OMIT}};
	struct stat st;
	time_t start = time(NULL);

	rig_put("f", "x");
	NEED(utimensat(AT_FDCWD, "f", fixed, 0) == 0);
	NEED(stat("f", &st) == 0);
	NEED(st.st_atim.tv_sec == 1 && st.st_mtim.tv_sec == 4000000000);
	NEED(utimensat(AT_FDCWD, "f", omit, 0) == 0);
	NEED(stat("f", &st) == 0);
	NEED(st.st_atim.tv_sec == 1 && st.st_mtim.tv_sec == 77);
	NEED(utimensat(AT_FDCWD, "f", now, 0) == 0);
	NEED(stat("f", &st) == 0);
	NEED(st.st_atim.tv_sec >= start && st.st_mtim.tv_sec == 77);
}

static void times_are_set_left_alone_and_set_to_now(void **state)
{
	rig_run(rig_ready(state), times_body);
}

static void halves_body(void)
{
	const struct timespec omit[2] = {{.tv_nsec = UTIME_OMIT},
					 {.tv_sec = 77}};
	struct stat st;

	rig_put("f", "x");
	NEED(chown("f", 4, (gid_t)-1) == 0);
	NEED(stat("f", &st) == 0 && st.st_uid == 4);
	NEED(chown("f", (uid_t)-1, 5) == 0);
	NEED(stat("f", &st) == 0 && st.st_uid == 4 && st.st_gid == 5);
	NEED(utimensat(AT_FDCWD, "f", omit, 0) == 0);
	NEED(stat("f", &st) == 0 && st.st_mtim.tv_sec == 77);
}

static void release_held(struct rig *rig)
{
	tap_release(&rig->tap);
}

/* Where the other half is asked for first, nothing may overtake that. */
static void half_of_a_pair_is_seen_as_soon_as_it_is_set(void **state)
{
	struct rig *rig = *state;

	rig->config.entry_timeout = 1000;
	rig->config.attr_timeout = 1000;
	rig_ready(state);
	rig->tap.hold_halves = true;
	rig->between = release_held;
	rig_run(rig, halves_body);
}

static void sizes_body(void)
{
	int fd = rig_open("f", "0123456789");

	NEED(rig_fails(truncate("f", 5), EOPNOTSUPP));
	NEED(rig_fails(ftruncate(fd, 20), EOPNOTSUPP));
	NEED(ftruncate(fd, 10) == 0);
	NEED(close(fd) == 0);
	NEED(rig_holds("f", "0123456789"));
}

static void a_size_that_is_not_set_is_an_error(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.no_sizes = true;
	rig_run(rig, sizes_body);
}

static void copy_body(void)
{
	int from = rig_open("from", "0123456789");
	int to = rig_open("to", "abc");
	off_t in = 2, out = 3;
	struct statvfs vfs;

	NEED(copy_file_range(from, &in, to, &out, 5, 0) == 5);
	NEED(close(to) == 0 && close(from) == 0);
	NEED(rig_holds("to", "abc23456"));
	NEED(statvfs(".", &vfs) == 0);
	NEED(vfs.f_blocks > 0 && vfs.f_namemax == 255);
}

static void ranges_are_copied_by_the_server_and_statfs_tells(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, copy_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_COPY_RANGE], 1);
}

static void no_statfs_body(void)
{
	struct statvfs vfs;

	NEED(statvfs(".", &vfs) == 0);
	NEED(vfs.f_blocks * vfs.f_frsize == (uint64_t)1000 << 30);
	NEED(vfs.f_bavail == vfs.f_blocks && vfs.f_favail > 0);
	NEED(vfs.f_namemax == 255);
}

static void a_server_without_statfs_has_room(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.no_statfs = true;
	rig_run(rig, no_statfs_body);
}

static void content_body(void)
{
	struct stat st;
	char *map;
	int fd;

	rig_put("f", "one");
	fd = open("f", O_WRONLY | O_APPEND);
	NEED(fd >= 0 && write(fd, "two", 3) == 3 && close(fd) == 0);
	NEED(rig_holds("f", "onetwo"));
	NEED(truncate("f", 4) == 0 && rig_holds("f", "onet"));
	fd = open("f", O_RDWR);
	NEED(ftruncate(fd, 2) == 0 && fstat(fd, &st) == 0 && st.st_size == 2);
	NEED(ftruncate(fd, 8192) == 0 && close(fd) == 0);
	fd = open("f", O_RDWR);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(map != MAP_FAILED);
	NEED(!memcmp(map, "on\0", 3));
	/* The mapping lives on after the descriptor. */
	memcpy(map, "mapped", 6);
	NEED(close(fd) == 0);
	memcpy(map + 4096, "later", 5);
	NEED(munmap(map, 8192) == 0);
	fd = open("f", O_RDONLY);
	map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(map != MAP_FAILED && !memcmp(map, "mapped", 6));
	NEED(!memcmp(map + 4096, "later", 5));
	NEED(close(fd) == 0 && munmap(map, 8192) == 0);
	fd = open("f", O_RDWR | O_TRUNC);
	NEED(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0);
	NEED(close(fd) == 0);
	NEED(rig_fails(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST));
	NEED(rig_fails(open("none", O_RDONLY), ENOENT));
	NEED(mknod("node", S_IFREG | 0640, 0) == 0 && stat("node", &st) == 0);
	NEED((st.st_mode & 07777) == 0640 && S_ISREG(st.st_mode));
	NEED(rig_fails(mkfifo("fifo", 0644), EOPNOTSUPP));
}

static void content_is_appended_truncated_and_mapped(void **state)
{
	struct rig *rig = rig_ready(state);

	rig_run(rig, content_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void links_body(void)
{
	struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 6}};
	struct stat st;
	struct stat other;
	char text[300] = "";

	rig_put("target", "text");
	NEED(symlink("target", "good") == 0 && symlink("no/such", "bad") == 0);
	NEED(readlink("bad", text, sizeof(text)) == 7);
	NEED(!strcmp(text, "no/such"));
	NEED(rig_holds("good", "text"));
	NEED(rig_fails(open("bad", O_RDONLY), ENOENT));
	NEED(lstat("bad", &st) == 0 && S_ISLNK(st.st_mode));
	NEED(utimensat(AT_FDCWD, "bad", times, AT_SYMLINK_NOFOLLOW) == 0);
	NEED(lstat("bad", &st) == 0 && st.st_mtim.tv_sec == 6);
	NEED(lchown("bad", 12, 34) == 0);
	NEED(lstat("bad", &st) == 0 && st.st_uid == 12 && st.st_gid == 34);
	NEED(link("target", "hard") == 0 && rig_holds("hard", "text"));
	NEED(stat("target", &st) == 0 && stat("hard", &other) == 0);
	NEED(st.st_ino == other.st_ino);
	NEED(unlink("target") == 0 && rig_holds("hard", "text"));
	NEED(chmod("hard", 0400) == 0 && stat("hard", &st) == 0);
	NEED((st.st_mode & 07777) == 0400);
	NEED(rig_fails(link("none", "x"), ENOENT));
	NEED(rig_fails(mkdir("hard", 0755), EEXIST));
	NEED(mkdir("dir", 0750) == 0 && stat("dir", &st) == 0);
	NEED(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750);
	rig_put("dir/f", "x");
	NEED(rig_fails(rmdir("dir"), ENOTEMPTY));
	NEED(rename("dir", "dir2") == 0 && rig_holds("dir2/f", "x"));
}

static void links_and_directories_are_made_and_changed(void **state)
{
	rig_run(rig_ready(state), links_body);
}

#define BIG (5U << 20)

static void big_body(void)
{
	uint32_t *data = malloc(BIG);
	uint32_t *back = malloc(BIG + 4);
	size_t got = 0;
	int fd = open("big", O_RDWR | O_CREAT, 0644);

	NEED(data && back && fd >= 0);
	for (uint32_t i = 0; i < BIG / 4; i++)
		data[i] = i * 2654435761U;
	NEED(write(fd, data, BIG - 3) == BIG - 3);
	NEED(close(fd) == 0);
	fd = open("big", O_RDONLY);
	NEED(fd >= 0);
	while (got < BIG + 4) {
		ssize_t len = read(fd, (char *)back + got, BIG + 4 - got);

		NEED(len >= 0);
		if (len == 0)
			break;
		got += (size_t)len;
	}
	NEED(got == BIG - 3 && !memcmp(data, back, got));
	NEED(close(fd) == 0);
	/* What the kernel may not round: offsets and lengths of our own. */
	fd = open("big", O_RDONLY | O_DIRECT);
	NEED(fd >= 0);
	NEED(pread(fd, back, 777777, 12345) == 777777);
	NEED(!memcmp(back, (char *)data + 12345, 777777));
	NEED(pread(fd, back, 1 << 20, BIG - 1003) == 1000);
	NEED(pread(fd, back, 1000, BIG) == 0);
	NEED(close(fd) == 0);
	free(data);
	free(back);
}

static void check_big(void **state, uint32_t max_read, uint32_t max_write,
		      uint64_t part)
{
	struct rig *rig = *state;

	rig_need_fuse();
	rig->tap.read_part = part;
	rig_mount(rig, max_read, max_write, 0);
	rig_run(rig, big_body);
	assert_int_equal(rig->tap.handles, 0);
}

static void content_goes_through_in_one_piece(void **state)
{
	check_big(state, 0, 0, 0);
}

static void content_goes_through_in_pieces(void **state)
{
	check_big(state, 32768, 32768, 0);
}

static void content_goes_through_in_odd_and_tiny_pieces(void **state)
{
	check_big(state, 261120, 1234, 0);
}

static void a_short_answer_is_not_the_end(void **state)
{
	check_big(state, 0, 0, 10007);
}

static void a_short_answer_to_a_piece_is_not_the_end(void **state)
{
	check_big(state, 32768, 65536, 10007);
}

static void unmount_ends_it(void **state)
{
	struct rig *rig = rig_ready(state);
	pid_t pid;

	assert_int_equal(rig_serve(rig, rig_start(rig, names_body)), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fusefs_fd(rig->f));
		_exit(umount2(rig->point, 0) == 0 ? 0 : 1);
	}
	rig->child = pid;
	while (!fusefs_ended(rig->f)) {
		struct pollfd fd = {.fd = fusefs_fd(rig->f), .events = POLLIN};

		assert_true(poll(&fd, 1, 10000) > 0);
		fusefs_ready(rig->f);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	rig->child = 0;
	assert_int_equal(fusefs_pending(rig->f), 0);
	assert_false(fusefs_wants_input(rig->f));
}

static void endless_body(void)
{
	DIR *dir = opendir(".");

	NEED(dir);
	errno = 0;
	while (readdir(dir))
		;
	NEED(errno == EIO);
	NEED(closedir(dir) == 0);
}

static void a_directory_without_an_end_is_an_error(void **state)
{
	struct rig *rig = rig_ready(state);

	rig->tap.no_end = true;
	rig_run(rig, endless_body);
	assert_non_null(strstr(rig->log, "has no end"));
	assert_int_equal(rig->tap.handles, 0);
}

static void masks_body(void)
{
	struct stat st;

	rig_put("f", "x");
	NEED(chmod("f", 0666) == 0 && stat("f", &st) == 0);
	NEED((st.st_mode & 07777) == 0733);
	NEED(mkdir("d", 0700) == 0 && chmod("d", 01700) == 0);
	NEED(stat("d", &st) == 0 && (st.st_mode & 07777) == 0);
}

/* Also with no permission at all; what the server has does not matter. */
static void files_and_directories_can_be_shown_with_other_modes(void **state)
{
	struct rig *rig = *state;

	rig_need_fuse();
	rig->config.file_mode = FUSEFS_MODE_SET | 0733;
	rig->config.dir_mode = FUSEFS_MODE_SET;
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, masks_body);
}

static void makes_body(void)
{
	NEED(setegid(3000) == 0 && seteuid(2000) == 0);
	rig_put("f", "x");
	NEED(mkdir("d", 0755) == 0 && symlink("f", "l") == 0);
	NEED(mknod("n", S_IFREG | 0644, 0) == 0);
}

/* Of memfs nobody is asked for an owner, so it is seen on the way there. */
static void who_makes_something_is_told_where_that_is_wanted(void **state)
{
	struct rig *rig = *state;

	rig_need_fuse();
	rig->config.caller_owns = true;
	rig->allow_other = true;
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, makes_body);
	assert_int_equal(rig->tap.owned, 4);
	assert_int_equal(rig->tap.owner_uid, 2000);
	assert_int_equal(rig->tap.owner_gid, 3000);
}

static void override_body(void)
{
	struct stat st;

	rig_put("f", "x");
	NEED(stat("f", &st) == 0 && st.st_uid == 11 && st.st_gid == 12);
	NEED(chown("f", 7, 8) == 0 && stat("f", &st) == 0);
	NEED(st.st_uid == 11 && st.st_gid == 12);
}

static void uid_and_gid_override_what_is_shown(void **state)
{
	struct rig *rig = *state;

	rig_need_fuse();
	rig->config.uid = 11;
	rig->config.gid = 12;
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, override_body);
}

static void absent_body(void)
{
	struct stat st;

	for (int i = 0; i < 10; i++)
		NEED(rig_fails(stat("none", &st), ENOENT));
}

static void absence_is_cached_only_when_wished(void **state)
{
	struct rig *rig = *state;
	uint32_t asked;

	rig_need_fuse();
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, absent_body);
	assert_true(rig->tap.count[CSFTP_OP_GETATTR] >= 10);
	fusefs_unmount(rig->f);
	fusefs_free(rig->f);
	rig->f = NULL;
	asked = rig->tap.count[CSFTP_OP_GETATTR];
	rig->config.negative_timeout = 1000;
	rig_mount(rig, 0, 0, 0);
	rig_run(rig, absent_body);
	assert_true(rig->tap.count[CSFTP_OP_GETATTR] < asked + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(any_bytes_are_a_name),
		RIG_TEST(lookups_balance_so_that_all_can_be_forgotten),
		RIG_TEST(open_files_survive_a_rename_over_them),
		RIG_TEST(open_files_survive_unlink),
		RIG_TEST(ten_thousand_names_can_be_read_sought_and_deleted),
		RIG_TEST(names_that_are_none_are_left_out_and_logged_once),
		RIG_TEST(names_without_attributes_are_looked_up),
		RIG_TEST(times_are_set_left_alone_and_set_to_now),
		RIG_TEST(half_of_a_pair_is_seen_as_soon_as_it_is_set),
		RIG_TEST(a_size_that_is_not_set_is_an_error),
		RIG_TEST(ranges_are_copied_by_the_server_and_statfs_tells),
		RIG_TEST(a_server_without_statfs_has_room),
		RIG_TEST(content_is_appended_truncated_and_mapped),
		RIG_TEST(links_and_directories_are_made_and_changed),
		RIG_TEST(content_goes_through_in_one_piece),
		RIG_TEST(content_goes_through_in_pieces),
		RIG_TEST(content_goes_through_in_odd_and_tiny_pieces),
		RIG_TEST(a_short_answer_is_not_the_end),
		RIG_TEST(a_short_answer_to_a_piece_is_not_the_end),
		RIG_TEST(a_directory_without_an_end_is_an_error),
		RIG_TEST(files_and_directories_can_be_shown_with_other_modes),
		RIG_TEST(who_makes_something_is_told_where_that_is_wanted),
		RIG_TEST(uid_and_gid_override_what_is_shown),
		RIG_TEST(absence_is_cached_only_when_wished),
		RIG_TEST(unmount_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
