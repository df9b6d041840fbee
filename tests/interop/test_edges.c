/* What few programs do, and some rely on: the edges of a mount. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

struct edges {
	struct mounted mounted;
	int here;   /* through the mount */
	int served; /* behind it */
};

static int start(void **state)
{
	static struct edges edges;

	memset(&edges, 0, sizeof(edges));
	mounted_start(&edges.mounted, NATIVE_OPENSSH);
	edges.here = open(edges.mounted.point, O_PATH | O_CLOEXEC);
	edges.served = open(edges.mounted.served, O_PATH | O_CLOEXEC);
	*state = &edges;
	return edges.here < 0 || edges.served < 0 ? -1 : 0;
}

static int stop(void **state)
{
	struct edges *edges = *state;

	close(edges->here);
	close(edges->served);
	mounted_stop(&edges->mounted);
	return 0;
}

static void put(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(close(fd), 0);
}

/*
 * Version 3 has pairs only (filexfer-02, section 5), so that the other half is
 * asked for first; what is asked for the reply overtakes the change then.
 */
static void one_of_two_times_or_owners_shows_at_once(void **state)
{
	const struct edges *edges = *state;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
				    {.tv_sec = 1000000000}};
	struct stat st;

	put(edges->here, "half");
	assert_int_equal(utimensat(edges->here, "half", times, 0), 0);
	assert_int_equal(fstatat(edges->here, "half", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1000000000);
	times[0] = (struct timespec){.tv_sec = 1100000000};
	times[1] = (struct timespec){.tv_nsec = UTIME_OMIT};
	assert_int_equal(utimensat(edges->here, "half", times, 0), 0);
	assert_int_equal(fstatat(edges->here, "half", &st, 0), 0);
	assert_int_equal(st.st_atime, 1100000000);
	assert_int_equal(st.st_mtime, 1000000000);
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(edges->here, "half", (uid_t)-1, 5, 0), 0);
	assert_int_equal(fstatat(edges->here, "half", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 5);
}

/* What was asked meanwhile is not what it is behind it. */
static void a_file_that_is_open_shows_its_owner_at_once(void **state)
{
	const struct edges *edges = *state;
	struct stat st;
	int fd;

	if (geteuid() != 0)
		skip_because("only root gives files away");
	fd = openat(edges->here, "given", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(fchmod(fd, 02755), 0);
	assert_int_equal(fchownat(edges->here, "given", 1000, 1001, 0), 0);
	for (gid_t gid = 5; gid < 8; gid++) {
		assert_int_equal(
			fchownat(edges->here, "given", (uid_t)-1, gid, 0), 0);
		assert_int_equal(fstatat(edges->here, "given", &st, 0), 0);
		assert_int_equal(st.st_uid, 1000);
		assert_int_equal(st.st_gid, gid);
	}
	assert_int_equal(close(fd), 0);
}

/* What git asks of a hook, and a shell of a command. */
static void what_nobody_may_execute_is_not_executable(void **state)
{
	const struct edges *edges = *state;

	put(edges->here, "plain");
	assert_int_equal(faccessat(edges->here, "plain", X_OK, 0), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(faccessat(edges->here, "plain", R_OK | W_OK, 0), 0);
	assert_int_equal(fchmodat(edges->here, "plain", 0744, 0), 0);
	assert_int_equal(faccessat(edges->here, "plain", X_OK, 0), 0);
	assert_int_equal(faccessat(edges->here, ".", X_OK, 0), 0);
}

/* Who has locked a file looks whether it is still the one of that name. */
static void a_removed_file_has_no_links(void **state)
{
	const struct edges *edges = *state;
	struct stat st;
	int fd;

	put(edges->here, "lock");
	fd = openat(edges->here, "lock", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(linkat(edges->here, "lock", edges->here, "twin", 0),
			 0);
	assert_int_equal(unlinkat(edges->here, "lock", 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	fd = openat(edges->here, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(unlinkat(edges->here, "new", 0), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	close(fd);
}

static int open_here(const struct edges *edges, int flags)
{
	int fd = openat(edges->here, "gone", flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	assert_int_equal(close(fd), 0);
	return 0;
}

/* The kernel, and csftpfs, believe in it for a while. */
static void a_file_that_another_removed_can_be_made_at_once(void **state)
{
	static const int flags[] = {O_CREAT | O_WRONLY | O_TRUNC,
				    O_CREAT | O_RDWR | O_APPEND, O_CREAT};
	const struct edges *edges = *state;
	struct stat st;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		put(edges->here, "gone");
		assert_int_equal(fstatat(edges->here, "gone", &st, 0), 0);
		assert_int_equal(unlinkat(edges->served, "gone", 0), 0);
		assert_int_equal(open_here(edges, flags[i]), 0);
		assert_int_equal(fstatat(edges->served, "gone", &st, 0), 0);
		assert_int_equal(unlinkat(edges->served, "gone", 0), 0);
		assert_int_equal(open_here(edges, flags[i] & ~O_CREAT), ENOENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_two_times_or_owners_shows_at_once),
		cmocka_unit_test(a_file_that_is_open_shows_its_owner_at_once),
		cmocka_unit_test(what_nobody_may_execute_is_not_executable),
		cmocka_unit_test(a_removed_file_has_no_links),
		cmocka_unit_test(
			a_file_that_another_removed_can_be_made_at_once),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
