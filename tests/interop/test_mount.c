/* What POSIX programs expect of a directory, on a mount, by each transport. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/by_transport.h"
#include "tests/lib/mounted.h"

/* A directory of the test's own, seen through the mount and on the server. */
struct place {
	struct mounted mounted;
	int here;   /* through the mount */
	int served; /* behind it */
};

static int open_dir(const char *base, const char *name)
{
	char path[PROC_PATH_MAX];
	int fd;

	proc_print(path, sizeof(path), "%s/%s", base, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static int enter(void **state)
{
	struct place *place = *state;
	char path[PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%s/work", place->mounted.point);
	if (mkdir(path, 0755) != 0)
		return -1;
	place->here = open_dir(place->mounted.point, "work");
	place->served = open_dir(place->mounted.served, "work");
	return 0;
}

static int leave(void **state)
{
	struct place *place = *state;

	close(place->here);
	close(place->served);
	proc_sh(0, "rm -rf '%s/work'", place->mounted.served);
	/* No name that the next test uses may be remembered. */
	mounted_unmount(&place->mounted);
	mounted_mount(&place->mounted, NULL);
	return 0;
}

/* A file with a text, made behind the mount's back. */
static void serve_text(const struct place *place, const char *name,
		       const char *text)
{
	int fd =
		openat(place->served, name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void assert_text(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char got[4096];
	ssize_t len;

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	len = read(fd, got, sizeof(got) - 1);
	assert_true(len >= 0);
	got[len] = '\0';
	assert_string_equal(got, text);
	close(fd);
}

static void put_text(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0644);

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static size_t count_names(int dir_fd)
{
	DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	errno = 0;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") != 0 &&
			 strcmp(entry->d_name, "..") != 0;
	assert_int_equal(errno, 0);
	closedir(dir);
	return count;
}

static bool lists_name(int dir_fd, const char *name)
{
	DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	bool found = false;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		found = found || strcmp(entry->d_name, name) == 0;
	closedir(dir);
	return found;
}

static void any_bytes_can_be_a_name(void **state)
{
	static const char *const names[] = {
		" ",
		"a b",
		"new\nline",
		"tab\there",
		"\xff\xfe\x80",
		"back\\lash",
		"-rf",
		"*?[x]",
		"\"quoted\"",
		"'quoted'",
		"$HOME",
		"~",
		"\xc3\xa4",
		"a\xcc\x88",
		"#x#",
		"...",
		"\x01\x7f",
		"%s%n",
		"CON",
		"A",
		"trailing ",
		"a:b",
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		put_text(place->here, names[i], names[i]);
		assert_text(place->here, names[i], names[i]);
		assert_text(place->served, names[i], names[i]);
		assert_true(lists_name(place->here, names[i]));
		assert_int_equal(
			renameat(place->here, names[i], place->here, "other"),
			0);
		assert_text(place->served, "other", names[i]);
		assert_int_equal(
			renameat(place->here, "other", place->here, names[i]),
			0);
	}
	assert_int_equal(count_names(place->here),
			 sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(unlinkat(place->here, names[i], 0), 0);
	assert_int_equal(count_names(place->served), 0);
}

static void a_name_may_have_255_bytes_and_no_more(void **state)
{
	struct place *place = *state;
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	errno = 0;
	assert_int_equal(mkdirat(place->here, name, 0755), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	name[255] = '\0';
	put_text(place->here, name, "long");
	assert_text(place->served, name, "long");
	assert_true(lists_name(place->here, name));
	assert_int_equal(unlinkat(place->here, name, 0), 0);
}

static void an_unlinked_file_lives_while_it_is_open(void **state)
{
	struct place *place = *state;
	char got[8] = "";
	struct stat st;
	int fd;

	put_text(place->here, "file", "old");
	fd = openat(place->here, "file", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlinkat(place->here, "file", 0), 0);
	assert_int_equal(fstatat(place->here, "file", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(pwrite(fd, "new", 3, 3), 3);
	assert_int_equal(pread(fd, got, 6, 0), 6);
	assert_string_equal(got, "oldnew");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(ftruncate(fd, 1), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(close(fd), 0);
	assert_false(lists_name(place->here, "file"));
}

static void rename_over_an_open_file_leaves_it_readable(void **state)
{
	struct place *place = *state;
	char got[8] = "";
	int fd;

	put_text(place->here, "from", "new");
	put_text(place->here, "to", "old");
	fd = openat(place->here, "to", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(renameat(place->here, "from", place->here, "to"), 0);
	assert_text(place->here, "to", "new");
	assert_text(place->served, "to", "new");
	assert_int_equal(read(fd, got, 3), 3);
	assert_string_equal(got, "old");
	close(fd);
	assert_false(lists_name(place->here, "from"));
}

static void an_open_file_follows_its_rename(void **state)
{
	struct place *place = *state;
	struct stat st;
	int fd;

	put_text(place->here, "one", "1");
	fd = openat(place->here, "one", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(renameat(place->here, "one", place->here, "two"), 0);
	assert_int_equal(write(fd, "2", 1), 1);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(close(fd), 0);
	assert_text(place->served, "two", "12");
}

static void sizes_follow_truncate_append_and_gaps(void **state)
{
	struct place *place = *state;
	char got[16];
	struct stat st;
	int fd = openat(place->here, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "end", 3, 100000), 3);
	assert_int_equal(pread(fd, got, 4, 50000), 4);
	assert_memory_equal(got, "\0\0\0\0", 4);
	assert_int_equal(pread(fd, got, 4, 100003), 0);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_int_equal(pread(fd, got, 16, 8), 12);
	assert_memory_equal(got, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(close(fd), 0);
	fd = openat(place->here, "f", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(fstatat(place->here, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 21);
	assert_int_equal(fstatat(place->served, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 21);
	fd = openat(place->here, "f", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fstatat(place->here, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
}

static void modes_and_times_reach_the_server_and_back(void **state)
{
	static const struct timespec when[2] = {{.tv_sec = 1000000001},
						{.tv_sec = 1234567890}};
	struct place *place = *state;
	struct stat st;

	put_text(place->here, "f", "x");
	assert_int_equal(fchmodat(place->here, "f", 0751, 0), 0);
	assert_int_equal(utimensat(place->here, "f", when, 0), 0);
	assert_int_equal(fstatat(place->served, "f", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0751);
	assert_int_equal(st.st_mtime, 1234567890);
	assert_int_equal(st.st_atime, 1000000001);
	assert_int_equal(fstatat(place->here, "f", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0751);
	assert_int_equal(st.st_mtime, 1234567890);
	assert_int_equal(mkdirat(place->here, "d", 0700), 0);
	assert_int_equal(fstatat(place->served, "d", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

static void links_say_what_they_were_told(void **state)
{
	struct place *place = *state;
	char text[64] = "";
	struct stat st;

	assert_int_equal(symlinkat("../no where", place->here, "s"), 0);
	assert_int_equal(readlinkat(place->served, "s", text, 63), 11);
	assert_string_equal(text, "../no where");
	assert_int_equal(readlinkat(place->here, "s", text, 63), 11);
	assert_int_equal(fstatat(place->here, "s", &st, AT_SYMLINK_NOFOLLOW),
			 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fstatat(place->here, "s", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	put_text(place->here, "one", "same");
	assert_int_equal(linkat(place->here, "one", place->here, "two", 0), 0);
	assert_int_equal(fstatat(place->served, "one", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_text(place->here, "two", "same");
}

/* One call that has to fail, and how. */
struct refusal {
	const char *what;
	int (*call)(int dir);
	int expect;
};

static int open_missing(int dir)
{
	return openat(dir, "missing", O_RDONLY);
}

static int open_below_a_file(int dir)
{
	return openat(dir, "file/x", O_RDONLY);
}

static int open_excl_existing(int dir)
{
	return openat(dir, "file", O_CREAT | O_EXCL | O_WRONLY, 0644);
}

static int write_a_directory(int dir)
{
	return openat(dir, "full", O_WRONLY);
}

static int mkdir_existing(int dir)
{
	return mkdirat(dir, "full", 0755);
}

static int mkdir_below_missing(int dir)
{
	return mkdirat(dir, "missing/x", 0755);
}

static int rmdir_full(int dir)
{
	return unlinkat(dir, "full", AT_REMOVEDIR);
}

static int rmdir_a_file(int dir)
{
	return unlinkat(dir, "file", AT_REMOVEDIR);
}

static int rmdir_missing(int dir)
{
	return unlinkat(dir, "missing", AT_REMOVEDIR);
}

static int unlink_a_directory(int dir)
{
	return unlinkat(dir, "full", 0);
}

static int unlink_missing(int dir)
{
	return unlinkat(dir, "missing", 0);
}

static int rename_missing(int dir)
{
	return renameat(dir, "missing", dir, "x");
}

static int rename_over_full(int dir)
{
	return renameat(dir, "empty", dir, "full");
}

static int rename_file_over_directory(int dir)
{
	return renameat(dir, "file", dir, "empty");
}

static int rename_into_itself(int dir)
{
	return renameat(dir, "full", dir, "full/below");
}

static int link_over_existing(int dir)
{
	return linkat(dir, "file", dir, "full/inside", 0);
}

static int symlink_over_existing(int dir)
{
	return symlinkat("x", dir, "file");
}

static int readlink_a_file(int dir)
{
	char text[16];

	return (int)readlinkat(dir, "file", text, sizeof(text));
}

static int rename_noreplace_existing(int dir)
{
	return renameat2(dir, "file", dir, "full/inside", RENAME_NOREPLACE);
}

static void calls_fail_as_they_do_on_a_local_disk(void **state)
{
	static const struct refusal refusals[] = {
		{"open missing", open_missing, ENOENT},
		{"open below a file", open_below_a_file, ENOTDIR},
		{"open O_EXCL existing", open_excl_existing, EEXIST},
		{"open a directory to write", write_a_directory, EISDIR},
		{"mkdir existing", mkdir_existing, EEXIST},
		{"mkdir below missing", mkdir_below_missing, ENOENT},
		{"rmdir full", rmdir_full, ENOTEMPTY},
		{"rmdir a file", rmdir_a_file, ENOTDIR},
		{"rmdir missing", rmdir_missing, ENOENT},
		{"unlink a directory", unlink_a_directory, EISDIR},
		{"unlink missing", unlink_missing, ENOENT},
		{"rename missing", rename_missing, ENOENT},
		{"rename over a full directory", rename_over_full, ENOTEMPTY},
		{"rename a file over a directory", rename_file_over_directory,
		 EISDIR},
		{"rename into itself", rename_into_itself, EINVAL},
		{"link over existing", link_over_existing, EEXIST},
		{"symlink over existing", symlink_over_existing, EEXIST},
		{"readlink a file", readlink_a_file, EINVAL},
		{"rename NOREPLACE", rename_noreplace_existing, EEXIST},
	};
	struct place *place = *state;
	size_t wrong = 0;

	put_text(place->here, "file", "x");
	assert_int_equal(mkdirat(place->here, "full", 0755), 0);
	assert_int_equal(mkdirat(place->here, "empty", 0755), 0);
	put_text(place->here, "full/inside", "x");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *refusal = &refusals[i];
		int result = refusal->call(place->here);
		int err = errno;

		if (result == -1 && err == refusal->expect)
			continue;
		print_message("# %s: %d, %s\n", refusal->what, result,
			      strerror(err));
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void the_disk_is_as_large_as_the_servers(void **state)
{
	struct place *place = *state;
	struct statvfs here, served;

	assert_int_equal(statvfs(place->mounted.point, &here), 0);
	assert_int_equal(statvfs(place->mounted.served, &served), 0);
	assert_int_equal(here.f_blocks * here.f_frsize,
			 served.f_blocks * served.f_frsize);
	assert_int_equal(here.f_namemax, served.f_namemax);
	must_sh("df '%s' >/dev/null", place->mounted.point);
}

static void a_directory_may_have_ten_thousand_names(void **state)
{
	enum { NAMES = 10000 };
	struct place *place = *state;
	char name[32];

	for (int i = 0; i < NAMES; i++) {
		int fd;

		proc_print(name, sizeof(name), "name-%05d", i);
		fd = openat(place->here, name, O_CREAT | O_EXCL | O_WRONLY,
			    0644);
		if (fd < 0)
			fail_msg("%s: %s", name, strerror(errno));
		assert_int_equal(close(fd), 0);
	}
	assert_int_equal(count_names(place->here), NAMES);
	assert_int_equal(count_names(place->served), NAMES);
	must_sh("cd '%s/work' && test $(ls | sort -u | wc -l) = %d && "
		"ls -l | tail -1 | grep -q name-09999",
		place->mounted.point, NAMES);
	must_sh("rm -r '%s/work/'name-*", place->mounted.point);
	assert_int_equal(count_names(place->served), 0);
	assert_int_equal(count_names(place->here), 0);
}

/* One of the eight: bytes that are its own. */
_Noreturn static void write_alone(int dir, int number)
{
	static char block[65536];
	char name[32];
	int fd;

	proc_print(name, sizeof(name), "writer-%d", number);
	fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	for (int i = 0; fd >= 0 && i < 64; i++) {
		memset(block, number * 16 + i % 16, sizeof(block));
		if (write(fd, block, sizeof(block)) != sizeof(block))
			_exit(1);
	}
	_exit(fd < 0 || close(fd) != 0);
}

static void eight_writers_do_not_mix(void **state)
{
	struct place *place = *state;
	static char block[65536];
	char name[32];
	int status;

	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			write_alone(place->here, i);
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < 8; i++) {
		int fd;

		proc_print(name, sizeof(name), "writer-%d", i);
		fd = openat(place->served, name, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		for (int n = 0; n < 64; n++) {
			assert_int_equal(read(fd, block, sizeof(block)),
					 sizeof(block));
			assert_int_equal((unsigned char)block[0],
					 i * 16 + n % 16);
			assert_memory_equal(block, block + 1,
					    sizeof(block) - 1);
		}
		assert_int_equal(read(fd, block, 1), 0);
		close(fd);
	}
}

static void memory_maps_write_and_read_the_file(void **state)
{
	enum { SIZE = 3 * 4096 + 100 };
	struct place *place = *state;
	int fd = openat(place->here, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	char *map, got[4];
	int served;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_memory_equal(map, "\0\0\0\0", 4);
	memcpy(map + SIZE - 3, "end", 3);
	assert_int_equal(msync(map, SIZE, MS_SYNC), 0);
	served = openat(place->served, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(served, got, 4, SIZE - 3), 3);
	assert_memory_equal(got, "end", 3);
	close(served);
	munmap(map, SIZE);
	close(fd);
}

static void appends(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fsync(fd), 0);
}

/* Where the server has it, whatever the kernel believes. */
static void appends_go_to_the_end_of_the_file(void **state)
{
	struct place *place = *state;
	char got[64] = "";
	int theirs, both, only;

	put_text(place->here, "log", "begin ");
	both = openat(place->here, "log", O_RDWR | O_APPEND | O_CLOEXEC);
	only = openat(place->here, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	theirs = openat(place->served, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(both >= 0 && only >= 0 && theirs >= 0);
	assert_int_equal(pread(both, got, sizeof(got), 0), 6);
	assert_int_equal(write(theirs, "them ", 5), 5);
	appends(both, "both ");
	assert_int_equal(write(theirs, "they ", 5), 5);
	appends(only, "only ");
	assert_int_equal(write(theirs, "those ", 6), 6);
	/* A place of its own is none, as on a local disk. */
	assert_int_equal(pwrite(both, "both ", 5, 0), 5);
	assert_int_equal(fsync(both), 0);
	assert_text(place->served, "log",
		    "begin them both they only those both ");
	assert_int_equal(pread(both, got, sizeof(got), 0), 37);
	assert_memory_equal(got, "begin them both they only those both ", 37);
	assert_int_equal(lseek(both, 0, SEEK_END), 37);
	/* Until it is no more said to append. */
	assert_int_equal(fcntl(both, F_SETFL, 0), 0);
	assert_int_equal(pwrite(both, "BEGIN", 5, 0), 5);
	assert_int_equal(fsync(both), 0);
	close(both);
	close(only);
	close(theirs);
	assert_text(place->served, "log",
		    "BEGIN them both they only those both ");
}

static void write_dup(int fd, const char *text)
{
	int copy = dup(fd);

	assert_true(copy >= 0);
	assert_int_equal(write(copy, text, strlen(text)), strlen(text));
	assert_int_equal(close(copy), 0);
}

/* As a shell does that has it open: each echo closes a copy. */
static void a_descriptor_that_lives_on_stays_with_its_file(void **state)
{
	struct place *place = *state;
	int fd = openat(place->here, "one", O_WRONLY | O_CREAT | O_CLOEXEC,
			0644);
	int other =
		openat(place->here, "two", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0 && other >= 0);
	write_dup(fd, "first ");
	write_dup(fd, "second ");
	write_dup(other, "first ");
	serve_text(place, "new", "another file, and a larger one");
	assert_int_equal(renameat(place->served, "new", place->served, "one"),
			 0);
	serve_text(place, "new", "another file, and a larger one");
	assert_int_equal(renameat(place->served, "new", place->served, "two"),
			 0);
	/* It is open by now, as its like were used once. */
	write_dup(fd, "third ");
	assert_int_equal(close(fd), 0);
	/* It was opened again by its name alone. */
	assert_true(write(other, "second ", 7) < 0 && errno == ESTALE);
	assert_int_equal(close(other), 0);
	assert_text(place->served, "one", "another file, and a larger one");
	assert_text(place->served, "two", "another file, and a larger one");
}

static void a_descriptor_that_lives_on_writes_on(void **state)
{
	struct place *place = *state;
	char got[32] = "";
	int fd = openat(place->here, "one", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int log = openat(place->here, "log",
			 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int theirs;

	assert_true(fd >= 0 && log >= 0);
	write_dup(fd, "first ");
	write_dup(log, "first ");
	theirs = openat(place->served, "one", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(theirs, "theirs ", 7), 7);
	close(theirs);
	assert_int_equal(pwrite(fd, "FIRST", 5, 0), 5);
	write_dup(log, "second ");
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(pread(fd, got, 31, 0), 13);
	assert_string_equal(got, "FIRST theirs ");
	write_dup(fd, "second ");
	assert_int_equal(close(fd), 0);
	assert_int_equal(close(log), 0);
	assert_text(place->served, "one", "FIRST second ");
	assert_text(place->served, "log", "first second ");
}

static void what_is_appended_to_can_be_mapped(void **state)
{
	struct place *place = *state;
	char *map;
	int fd;

	put_text(place->here, "f", "0123456789");
	fd = openat(place->here, "f", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	memcpy(map + 2, "xyz", 3);
	assert_int_equal(msync(map, 10, MS_SYNC), 0);
	appends(fd, "more");
	munmap(map, 10);
	close(fd);
	assert_text(place->served, "f", "01xyz56789more");
}

static void it_can_be_so_after_its_name_is_gone(void **state)
{
	struct place *place = *state;
	char *map, got[10];
	int fd;

	put_text(place->here, "f", "0123456789");
	fd = openat(place->here, "f", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlinkat(place->here, "f", 0), 0);
	map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	memcpy(map + 2, "xyz", 3);
	assert_int_equal(msync(map, 10, MS_SYNC), 0);
	munmap(map, 10);
	assert_int_equal(pread(fd, got, 10, 0), 10);
	assert_memory_equal(got, "01xyz56789", 10);
	close(fd);
}

static void what_others_make_is_seen_after_a_remount(void **state)
{
	struct place *place = *state;

	serve_text(place, "theirs", "hello");
	close(place->here);
	mounted_unmount(&place->mounted);
	mounted_mount(&place->mounted, NULL);
	place->here = open_dir(place->mounted.point, "work");
	assert_text(place->here, "theirs", "hello");
	assert_int_equal(count_names(place->here), 1);
}

/* OpenSSH's server does not copy from a file to itself. */
static void a_file_can_be_copied_into_itself(void **state)
{
	struct place *place = *state;
	int fd = openat(place->here, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	off_t from = 0, to = 5;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(copy_file_range(fd, &from, fd, &to, 4, 0), 4);
	assert_int_equal(close(fd), 0);
	assert_text(place->served, "f", "hellohell");
}

#define ON_A_MOUNT(claim) cmocka_unit_test_setup_teardown(claim, enter, leave)

static const struct CMUnitTest claims[] = {
	ON_A_MOUNT(any_bytes_can_be_a_name),
	ON_A_MOUNT(a_name_may_have_255_bytes_and_no_more),
	ON_A_MOUNT(an_unlinked_file_lives_while_it_is_open),
	ON_A_MOUNT(rename_over_an_open_file_leaves_it_readable),
	ON_A_MOUNT(an_open_file_follows_its_rename),
	ON_A_MOUNT(sizes_follow_truncate_append_and_gaps),
	ON_A_MOUNT(modes_and_times_reach_the_server_and_back),
	ON_A_MOUNT(links_say_what_they_were_told),
	ON_A_MOUNT(calls_fail_as_they_do_on_a_local_disk),
	ON_A_MOUNT(the_disk_is_as_large_as_the_servers),
	ON_A_MOUNT(a_directory_may_have_ten_thousand_names),
	ON_A_MOUNT(eight_writers_do_not_mix),
	ON_A_MOUNT(memory_maps_write_and_read_the_file),
	ON_A_MOUNT(appends_go_to_the_end_of_the_file),
	ON_A_MOUNT(a_descriptor_that_lives_on_stays_with_its_file),
	ON_A_MOUNT(a_descriptor_that_lives_on_writes_on),
	ON_A_MOUNT(what_is_appended_to_can_be_mapped),
	ON_A_MOUNT(it_can_be_so_after_its_name_is_gone),
	ON_A_MOUNT(what_others_make_is_seen_after_a_remount),
	ON_A_MOUNT(a_file_can_be_copied_into_itself),
};

const struct by_transport by_transport = {
	.claims = claims,
	.count = sizeof(claims) / sizeof(claims[0]),
	.state_size = sizeof(struct place),
};

int main(int argc, char *argv[])
{
	return by_transport_run(argc, argv);
}
