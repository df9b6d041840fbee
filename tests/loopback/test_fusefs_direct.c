/* What goes past the kernel's cache, and how it looks to others. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/lib/fuse_rig.h"

enum { NOBODY = 65534, PAGE = 4096 };

/* Before Linux 6.6 everything is written through the cache. */
static struct rig *rig_direct(void **state)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	rig_need_fuse();
	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
	if (major < 6 || (major == 6 && minor < 6))
		skip_because("Linux 6.6 is needed");
	rig_mount(*state, 0, 0, 0);
	return *state;
}

static int write_only(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	NEED(fd >= 0);
	NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static bool shows(int fd, const char *text)
{
	char got[64];
	ssize_t n = pread(fd, got, sizeof(got), 0);

	return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

static bool is_there(int fd, const char *text)
{
	char got[4];

	return pread(fd, got, sizeof(got), 0) == (ssize_t)sizeof(got) &&
	       !memcmp(got, text, sizeof(got));
}

static void write_and_look_body(void)
{
	int writer = write_only("f", "one");
	int reader = open("f", O_RDONLY);

	NEED(reader >= 0);
	NEED(shows(reader, "one"));
	NEED(shows(reader, "one"));
	NEED(pwrite(writer, "two-longer", 10, 0) == 10);
	NEED(shows(reader, "two-longer"));
	NEED(ftruncate(writer, 3) == 0);
	NEED(shows(reader, "two"));
	NEED(close(writer) == 0 && close(reader) == 0);
}

static void what_is_only_written_is_seen_by_others_at_once(void **state)
{
	struct rig *rig = rig_direct(state);

	rig_run(rig, write_and_look_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_READ], 4);
}

/*
 * Of what goes through its cache the kernel sends a part of a page, which is
 * not all there, by itself: so this is two WRITEs then, and one past it.
 */
static void write_across(int fd)
{
	NEED(pwrite(fd, "text", 4, PAGE - 2) == 4);
}

static void across_body(void)
{
	int fd = write_only("f", "");

	write_across(fd);
	NEED(close(fd) == 0);
}

static void what_is_only_written_goes_past_the_cache(void **state)
{
	struct rig *rig = rig_direct(state);

	rig_run(rig, across_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_WRITE], 1);
}

static void content_that_is_to_be_kept_goes_through_it(void **state)
{
	struct rig *rig = *state;

	rig->config.keep_cache = true;
	rig_run(rig_direct(state), across_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_WRITE], 2);
}

static void read_too_body(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	NEED(fd >= 0);
	write_across(fd);
	NEED(close(fd) == 0);
}

static void what_is_read_too_goes_through_it(void **state)
{
	struct rig *rig = rig_direct(state);

	rig_run(rig, read_too_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_WRITE], 2);
}

static void look_and_write_body(void)
{
	int reader, writer;

	NEED(close(open("f", O_WRONLY | O_CREAT, 0644)) == 0);
	reader = open("f", O_RDONLY);
	writer = open("f", O_WRONLY);
	NEED(reader >= 0 && writer >= 0);
	write_across(writer);
	NEED(pwrite(writer, "one", 4, 0) == 4);
	NEED(is_there(reader, "one"));
	NEED(pwrite(writer, "two", 4, 0) == 4);
	NEED(is_there(reader, "two"));
	NEED(is_there(reader, "two"));
	NEED(close(writer) == 0 && close(reader) == 0);
}

static void what_others_have_open_goes_through_it(void **state)
{
	struct rig *rig = rig_direct(state);

	rig_run(rig, look_and_write_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_WRITE], 4);
}

static void write_and_close_body(void)
{
	int fd;

	NEED(close(write_only("f", "one")) == 0);
	fd = open("f", O_RDONLY);
	NEED(fd >= 0);
	NEED(shows(fd, "one"));
	NEED(shows(fd, "one"));
	NEED(close(fd) == 0);
}

static void once_it_is_closed_a_file_is_cached_again(void **state)
{
	struct rig *rig = rig_direct(state);

	rig_run(rig, write_and_close_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_READ], 1);
}

static void map_body(void)
{
	int writer = write_only("f", "one");
	int both = open("f", O_RDWR);
	char *map;

	NEED(both >= 0);
	map = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, both, 0);
	NEED(map != MAP_FAILED);
	NEED(memcmp(map, "one", 3) == 0);
	NEED(pwrite(writer, "two", 3, 0) == 3);
	NEED(memcmp(map, "two", 3) == 0);
	memcpy(map, "six", 3);
	NEED(msync(map, 3, MS_SYNC) == 0);
	NEED(shows(both, "six"));
	NEED(munmap(map, 3) == 0);
	NEED(close(writer) == 0 && close(both) == 0);
	NEED(rig_holds("f", "six"));
}

static void what_is_being_written_can_be_mapped(void **state)
{
	rig_run(rig_direct(state), map_body);
}

static uint32_t mode_of(int fd)
{
	struct stat st;

	NEED(fstat(fd, &st) == 0);
	return st.st_mode & 07777U;
}

static void setid_body(void)
{
	int fd = write_only("f", "one");

	NEED(fchmod(fd, 06777) == 0);
	NEED(write(fd, "two", 3) == 3);
	NEED(mode_of(fd) == 06777);
	NEED(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	NEED(write(fd, "six", 3) == 3);
	NEED(mode_of(fd) == 0777);
	NEED(close(fd) == 0);
}

static void a_write_takes_setuid_bits_off_if_need_be(void **state)
{
	struct rig *rig = *state;

	rig->allow_other = true;
	rig->config.attr_timeout = 3600;
	rig_run(rig_direct(state), setid_body);
}

/* The server's kernel takes the bits off, if nobody is root there. */
static void not_theirs_body(void)
{
	int fd = write_only("f", "one");

	NEED(fchmod(fd, 06777) == 0);
	NEED(mode_of(fd) == 06777);
	NEED(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	NEED(write(fd, "six", 3) == 3);
	NEED(write(fd, "ten", 3) == 3);
	NEED(close(fd) == 0);
}

static void who_may_not_take_them_off_can_write(void **state)
{
	struct rig *rig = *state;

	rig->allow_other = true;
	rig->config.attr_timeout = 3600;
	rig->tap.setattr_err = EPERM;
	rig->tap.setattrs = 1; /* what fchmod(2) asks for */
	rig_run(rig_direct(state), not_theirs_body);
	assert_int_equal(rig->tap.count[CSFTP_OP_SETATTR], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_is_only_written_goes_past_the_cache),
		RIG_TEST(content_that_is_to_be_kept_goes_through_it),
		RIG_TEST(what_is_read_too_goes_through_it),
		RIG_TEST(what_others_have_open_goes_through_it),
		RIG_TEST(what_is_only_written_is_seen_by_others_at_once),
		RIG_TEST(once_it_is_closed_a_file_is_cached_again),
		RIG_TEST(what_is_being_written_can_be_mapped),
		RIG_TEST(a_write_takes_setuid_bits_off_if_need_be),
		RIG_TEST(who_may_not_take_them_off_can_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
