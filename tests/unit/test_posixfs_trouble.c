/* posixfs where the kernel, a file system or somebody else makes trouble. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/posixfs.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/local.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

/* Calls of the C library that are taken over here, to play the trouble. */
static struct {
	bool old_kernel;
	bool no_links;	     /* a file has one name only */
	const char *appears; /* made by another just after a link failed */
	int unlink_err;	     /* of the next removal; then 0 */
	unsigned interrupts; /* of the next truncations */
	unsigned leases;     /* of the next openings */
	bool waited;	     /* an opening was such as can wait */
} played;

int openat(int dirfd, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (!(flags & (O_NONBLOCK | O_PATH | O_DIRECTORY)))
		played.waited = true;
	if (played.leases == 0 || flags & O_PATH)
		return (int)syscall(SYS_openat, dirfd, path, flags, mode);
	played.leases--;
	errno = EWOULDBLOCK;
	return -1;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to,
	      unsigned flags)
{
	if (played.old_kernel && flags != 0) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

ssize_t copy_file_range(int from, off64_t *off, int to, off64_t *off2,
			size_t len, unsigned flags)
{
	if (played.old_kernel) {
		errno = EXDEV;
		return -1;
	}
	return syscall(SYS_copy_file_range, from, off, to, off2, len, flags);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	int fd;

	if (!played.no_links)
		return (int)syscall(SYS_linkat, from_fd, from, to_fd, to,
				    flags);
	if (played.appears) {
		fd = open(played.appears, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, "theirs", 6) != 6)
			abort();
		close(fd);
	}
	errno = EPERM;
	return -1;
}

int unlinkat(int dirfd, const char *path, int flags)
{
	errno = played.unlink_err;
	played.unlink_err = 0;
	return errno ? -1 : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

int ftruncate(int fd, off_t size)
{
	if (played.interrupts == 0)
		return (int)syscall(SYS_ftruncate, fd, size);
	played.interrupts--;
	errno = EINTR;
	return -1;
}

/* Asks for more names, or closes, inside of entry(). */
struct greedy {
	struct csftp_req req;
	struct fs_caller *c;
	bool closes;
	int inner_err;
	unsigned names;
	int err;
};

static bool greedy_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct greedy *greedy = (struct greedy *)req;
	struct fs_names names = {0};
	char before[CSFTP_NAME_MAX + 1] = "";

	memcpy(before, entry->name.ptr, entry->name.len);
	greedy->names++;
	greedy->inner_err =
		greedy->closes ? fs_close(greedy->c, req->fh)
			       : fs_readdir(greedy->c, req->fh, &names, 100);
	assert_int_equal(names.count, 0);
	/* What it was shown is still there. */
	assert_string_equal(before, entry->name.ptr);
	return true;
}

static void greedy_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct greedy *)req)->err = reply->err;
}

static void names_are_not_pulled_away_from_who_is_told_them(void **state)
{
	struct local *local = *state;
	struct greedy greedy = {.c = &local->c};
	struct csftp_req req = {.op = CSFTP_OP_READDIR,
				.entry = greedy_entry,
				.done = greedy_done};

	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		fs_opened(&local->c, name, RW);
	}
	assert_int_equal(fs_opendir(&local->c, ""), 0);
	req.fh = local->c.fh;
	greedy.req = req;
	csftp_submit(local->c.fs, &greedy.req);
	assert_int_equal(greedy.err, 0);
	assert_int_equal(greedy.inner_err, EBUSY);
	assert_in_range(greedy.names, 20, 22);
	/* Afterwards it can be asked again. */
	greedy.req = req;
	csftp_submit(local->c.fs, &greedy.req);
	assert_int_equal(greedy.err, 0);
	assert_int_equal(fs_opendir(&local->c, ""), 0);
	req.fh = local->c.fh;
	greedy = (struct greedy){.req = req, .c = &local->c, .closes = true};
	csftp_submit(local->c.fs, &greedy.req);
	assert_int_equal(greedy.inner_err, 0);
	assert_int_equal(greedy.names, 1);
	assert_int_equal(greedy.err, EBADF);
}

static void file_has(struct fs_caller *c, const char *path, const char *text)
{
	csftp_fh fh = fs_opened(c, path, CSFTP_OPEN_READ);

	assert_int_equal(fs_read_all(c, fh, 0, 100), 0);
	assert_int_equal(c->data_len, strlen(text));
	if (*text)
		assert_memory_equal(c->data, text, strlen(text));
	assert_int_equal(fs_close(c, fh), 0);
}

static void put_text(struct fs_caller *c, const char *path, const char *text)
{
	csftp_fh fh = fs_opened(c, path, RW | CSFTP_OPEN_TRUNC);

	assert_int_equal(fs_write(c, fh, 0, text, strlen(text)), 0);
	assert_int_equal(fs_close(c, fh), 0);
}

static void a_rename_never_overwrites_without_the_kernels_help(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	char appears[128];

	played.old_kernel = true;
	played.no_links = true;
	put_text(c, "a", "ours");
	assert_int_equal(fs_rename(c, "a", "b"), 0);
	assert_int_equal(fs_getattr(c, "a"), ENOENT);
	file_has(c, "b", "ours");
	put_text(c, "a", "other");
	assert_int_equal(fs_rename(c, "a", "b"), EEXIST);
	/* It comes while we are at it. */
	snprintf(appears, sizeof(appears), "%s/late", local->dir);
	played.appears = appears;
	assert_int_equal(fs_rename(c, "a", "late"), EEXIST);
	played.appears = NULL;
	file_has(c, "late", "theirs");
	file_has(c, "a", "other");
	assert_int_equal(fs_mkdir(c, "d"), 0);
	assert_int_equal(fs_mkdir(c, "e"), 0);
	put_text(c, "d/f", "in d");
	assert_int_equal(fs_rename(c, "d", "e"), EEXIST);
	assert_int_equal(fs_rename(c, "d", "b"), EEXIST);
	assert_int_equal(fs_rename(c, "d", "d/f/x"), ENOTDIR);
	assert_int_equal(fs_rename(c, "d", "d/x"), EINVAL);
	assert_int_equal(fs_getattr(c, "d/x"), ENOENT);
	assert_int_equal(fs_rename(c, "d", "moved"), 0);
	file_has(c, "moved/f", "in d");
	played.no_links = false;
	/* The first name stays: then there is no second one. */
	played.unlink_err = EACCES;
	assert_int_equal(fs_rename(c, "a", "z"), EACCES);
	assert_int_equal(fs_getattr(c, "z"), ENOENT);
	file_has(c, "a", "other");
	played.old_kernel = false;
}

static void a_lease_is_waited_for_outside_of_open(void **state)
{
	struct local *local = *state;

	put_text(&local->c, "f", "text");
	played.leases = 3;
	played.waited = false;
	file_has(&local->c, "f", "text");
	assert_int_equal(played.leases, 0);
	assert_false(played.waited);
	/* What is not there is not waited for. */
	played.leases = 1;
	assert_int_equal(fs_open(&local->c, "none", CSFTP_OPEN_READ),
			 EWOULDBLOCK);
}

static void an_interrupted_truncation_goes_on(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 5};
	csftp_fh fh = fs_opened(c, "f", RW);

	played.interrupts = 3;
	assert_int_equal(fs_setattr(c, "f", &attr), 0);
	assert_int_equal(played.interrupts, 0);
	played.interrupts = 3;
	attr.size = 7;
	assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
	assert_int_equal(played.interrupts, 0);
	assert_int_equal(fs_getattr(c, "f"), 0);
	assert_int_equal(c->attr.size, 7);
}

#define MIB (1024ULL * 1024)

static uint64_t blocks_of(const struct local *local, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", local->dir, name);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void zeros_then(struct fs_caller *c, csftp_fh fh, uint64_t off,
		       const char *text)
{
	static const char zeros[100];

	assert_int_equal(fs_read_all(c, fh, off - 100, 200), 0);
	assert_in_range(c->data_len, 100 + strlen(text), 200);
	assert_memory_equal(c->data, zeros, 100);
	assert_memory_equal(c->data + 100, text, strlen(text));
}

/* Data at 8 MiB in a file of 64 MiB: the rest is a hole. */
static void copy_holes(struct local *local, const char *to)
{
	struct fs_caller *c = &local->c;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 64 * MIB};
	struct csftp_req range = {.fh = fs_opened(c, "holes", RW)};

	assert_int_equal(fs_write(c, range.fh, 8 * MIB, "data", 4), 0);
	assert_int_equal(fs_fsetattr(c, range.fh, &attr), 0);
	if (blocks_of(local, "holes") > MIB)
		skip_because("this file system has no holes");
	range.fh2 = fs_opened(c, to, RW);
	/* What is there already becomes zeros. */
	assert_int_equal(fs_write(c, range.fh2, 8 * MIB - 50, "old", 3), 0);
	assert_int_equal(fs_write(c, range.fh2, 16 * MIB, "old", 3), 0);
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 64 * MIB);
	assert_int_equal(fs_fgetattr(c, range.fh2), 0);
	assert_int_equal(c->attr.size, 64 * MIB);
	assert_true(blocks_of(local, to) < MIB);
	zeros_then(c, range.fh2, 8 * MIB, "data");
	zeros_then(c, range.fh2, 16 * MIB + 50, "");
	/* A part that begins and ends in holes, to a place of its own. */
	range.off = 4 * MIB;
	range.len = 8 * MIB;
	range.off2 = 100 * MIB;
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(fs_fgetattr(c, range.fh2), 0);
	assert_int_equal(c->attr.size, 108 * MIB);
	zeros_then(c, range.fh2, 104 * MIB, "data");
	assert_true(blocks_of(local, to) < MIB);
}

static void holes_stay_holes_in_a_copy(void **state)
{
	copy_holes(*state, "to");
	played.old_kernel = true;
	copy_holes(*state, "to by hand");
	played.old_kernel = false;
}

static void a_hole_goes_into_a_pipe_as_zeros(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_req range = {.fh = fs_opened(c, "holes", RW)};
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", local->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fs_write(c, range.fh, 8192, "data", 4), 0);
	range.fh2 = fs_opened(c, "fifo", CSFTP_OPEN_READ | CSFTP_OPEN_WRITE);
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 8196);
	assert_int_equal(fs_read(c, range.fh2, 0, 10000), 0);
	assert_int_equal(c->data_len, 8196);
	assert_int_equal(c->data[0], 0);
	assert_memory_equal(c->data + 8192, "data", 4);
}

static void a_current_directory_that_is_gone_is_said(void **state)
{
	struct local *local = *state;
	struct fs_caller c = {0};
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	enum csftp_err err;
	char dir[128];

	assert_true(here >= 0);
	snprintf(dir, sizeof(dir), "%s/gone", local->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	err = posixfs_new(&c.fs, &(struct posixfs_config){0});
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fchdir(here), 0);
	close(here);
	assert_int_equal(err, CSFTP_ERR_IO);
}

static void a_start_that_goes_takes_only_relative_paths_with_it(void **state)
{
	struct local *local = *state;
	struct fs_caller c = {0};
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/goes", local->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(
		posixfs_new(&c.fs, &(struct posixfs_config){.start = dir}),
		CSFTP_OK);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(fs_getattr(&c, "x"), ENOENT);
	assert_int_equal(fs_mkdir(&c, "x"), ENOENT);
	assert_int_equal(fs_realpath(&c, "x"), ENOENT);
	assert_int_equal(fs_getattr(&c, "/"), 0);
	assert_int_equal(fs_realpath(&c, "/"), 0);
	posixfs_free(c.fs);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, local_set_up, local_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_not_pulled_away_from_who_is_told_them),
		TEST(a_rename_never_overwrites_without_the_kernels_help),
		TEST(a_lease_is_waited_for_outside_of_open),
		TEST(an_interrupted_truncation_goes_on),
		TEST(holes_stay_holes_in_a_copy),
		TEST(a_hole_goes_into_a_pipe_as_zeros),
		TEST(a_current_directory_that_is_gone_is_said),
		TEST(a_start_that_goes_takes_only_relative_paths_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
