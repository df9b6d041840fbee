#include <errno.h>
#include <string.h>

#include "tests/lib/fs_suite_checks.h"

static void a_new_file_says_what_it_is(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	make_file(suite, "f", "12345");
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFREG | 0644);
	assert_int_equal(c->attr.size, 5);
	assert_int_equal(c->attr.mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID |
					 CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME),
			 CSFTP_ATTR_UID | CSFTP_ATTR_GID | CSFTP_ATTR_ATIME |
				 CSFTP_ATTR_MTIME);
	assert_int_equal(fs_getattr(c, suite->dir), 0);
	assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
}

static void permissions_are_those_asked_for(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE,
				  .mode = CSFTP_S_IFLNK | 0500};
	struct csftp_req req = {.op = CSFTP_OP_MKDIR, .attr = &attr};

	/* The type bits do not count. */
	req.path = at(suite, "d");
	assert_int_equal(fs_call(c, &req), 0);
	assert_int_equal(fs_getattr(c, at(suite, "d")), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFDIR | 0500);
	req.op = CSFTP_OP_OPEN;
	req.path = at(suite, "f");
	req.flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT;
	assert_int_equal(fs_call(c, &req), 0);
	close_fh(suite, c->fh);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFREG | 0500);
}

static void a_missing_name_is_enoent(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const char *none[] = {"none", "none/", "none/.", "none/..",
			      "none/none"};
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		const char *path = at(suite, none[i]);

		expect(suite, fs_getattr(c, path), ENOENT);
		expect(suite, fs_lgetattr(c, path), ENOENT);
		expect(suite, fs_setattr(c, path, &attr), ENOENT);
		expect(suite, fs_opendir(c, path), ENOENT);
		expect(suite, fs_readlink(c, path), ENOENT);
		expect(suite, fs_open(c, path, CSFTP_OPEN_READ), ENOENT);
	}
	expect(suite, fs_unlink(c, at(suite, "none")), ENOENT);
	expect(suite, fs_rmdir(c, at(suite, "none")), ENOENT);
	expect(suite, fs_mkdir(c, at(suite, "none/d")), ENOENT);
	expect(suite, fs_symlink(c, at(suite, "none/l"), "x"), ENOENT);
	expect(suite, fs_rename(c, at(suite, "none"), at(suite, "x")), ENOENT);
}

static void a_file_is_no_directory(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const char *wrong[] = {"f/", "f/.", "f/..", "f/x", "link/", "link/x"};

	make_file(suite, "f", "x");
	assert_int_equal(fs_symlink(c, at(suite, "link"), "f"), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const char *path = at(suite, wrong[i]);

		expect(suite, fs_getattr(c, path), ENOTDIR);
		expect(suite, fs_lgetattr(c, path), ENOTDIR);
		expect(suite, fs_opendir(c, path), ENOTDIR);
		expect(suite, fs_open(c, path, CSFTP_OPEN_READ), ENOTDIR);
	}
	expect(suite, fs_opendir(c, at(suite, "f")), ENOTDIR);
	expect(suite, fs_rmdir(c, at(suite, "f")), ENOTDIR);
	expect(suite, fs_unlink(c, at(suite, "f/")), ENOTDIR);
	expect(suite, fs_mkdir(c, at(suite, "f/d")), ENOTDIR);
	expect(suite, fs_rmdir(c, at(suite, "link")), ENOTDIR);
}

static void the_empty_path_is_the_start_directory(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	char start[CSFTP_PATH_MAX + 1];

	assert_int_equal(fs_getattr(c, ""), 0);
	assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(fs_realpath(c, ""), 0);
	memcpy(start, c->text, sizeof(start));
	assert_int_equal(start[0], '/');
	assert_int_equal(fs_realpath(c, "."), 0);
	assert_string_equal(c->text, start);
	assert_int_equal(fs_opendir(c, ""), 0);
	close_fh(suite, c->fh);
	expect(suite, fs_mkdir(c, ""), EEXIST);
	expect(suite, fs_readlink(c, ""), EINVAL);
}

/* The attributes that every check of SETATTR begins with. */
static const struct csftp_attr before = {
	.mask = CSFTP_ATTR_MODE | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	.mode = 0600,
	.atime = {1000, 0},
	.mtime = {2000, 0},
};

static const struct csftp_attr after = {
	.size = 3,
	.mode = 0751,
	.uid = 1234,
	.gid = 4321,
	.atime = {1111111111, 111},
	.mtime = {1222222222, 222},
};

static uint32_t nsec(const struct fs_suite *suite, uint32_t value)
{
	return suite->has & FS_NSEC ? value : 0;
}

/* What is in mask is as in `after`, and what is not as it was. */
static void check_set(struct fs_suite *suite, const struct csftp_attr *was,
		      uint32_t mask)
{
	const struct csftp_attr *is = &suite->caller.attr;
	const struct csftp_attr *want;

	assert_int_equal(is->size,
			 mask & CSFTP_ATTR_SIZE ? after.size : was->size);
	assert_int_equal(is->mode, mask & CSFTP_ATTR_MODE
					   ? CSFTP_S_IFREG | after.mode
					   : was->mode);
	assert_int_equal(is->uid, mask & CSFTP_ATTR_UID ? after.uid : was->uid);
	assert_int_equal(is->gid, mask & CSFTP_ATTR_GID ? after.gid : was->gid);
	want = mask & CSFTP_ATTR_ATIME ? &after : was;
	assert_int_equal(is->atime.sec, want->atime.sec);
	assert_int_equal(is->atime.nsec, nsec(suite, want->atime.nsec));
	/* A new size sets the mtime, if nothing else does. */
	if ((mask & CSFTP_ATTR_SIZE) && !(mask & CSFTP_ATTR_MTIME)) {
		assert_int_not_equal(is->mtime.sec, before.mtime.sec);
		return;
	}
	want = mask & CSFTP_ATTR_MTIME ? &after : was;
	assert_int_equal(is->mtime.sec, want->mtime.sec);
	assert_int_equal(is->mtime.nsec, nsec(suite, want->mtime.nsec));
}

static void each_set_of_fields_is_set_and_no_other(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	uint32_t owner = CSFTP_ATTR_UID | CSFTP_ATTR_GID;

	/* SIZE to MTIME are the lowest six bits: all combinations. */
	for (uint32_t mask = 0; mask < 64; mask++) {
		struct csftp_attr attr = after;
		struct csftp_attr was;
		csftp_fh fh;

		if ((mask & owner) && !(suite->has & FS_CHOWN))
			continue;
		attr.mask = mask;
		for (int by_fh = 0; by_fh < 2; by_fh++) {
			make_file(suite, "f", "12345");
			assert_int_equal(fs_setattr(c, at(suite, "f"), &before),
					 0);
			assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
			was = c->attr;
			fh = open_file(suite, "f", CSFTP_OPEN_WRITE);
			if (by_fh)
				assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
			else
				assert_int_equal(
					fs_setattr(c, at(suite, "f"), &attr),
					0);
			assert_int_equal(fs_fgetattr(c, fh), 0);
			check_set(suite, &was, mask);
			close_fh(suite, fh);
			assert_int_equal(fs_unlink(c, at(suite, "f")), 0);
		}
	}
}

static void a_setuid_bit_set_with_an_owner_stays(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_MODE | CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.mode = 04755,
		.uid = 1234,
		.gid = 1234,
	};

	need(suite, FS_CHOWN);
	make_file(suite, "f", "x");
	assert_int_equal(fs_setattr(c, at(suite, "f"), &attr), 0);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFREG | 04755);
	assert_int_equal(c->attr.uid, 1234);
}

static void one_time_can_be_now_and_the_other_stay(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_ATIME_NOW};

	make_file(suite, "f", "x");
	assert_int_equal(fs_setattr(c, at(suite, "f"), &before), 0);
	assert_int_equal(fs_setattr(c, at(suite, "f"), &attr), 0);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_not_equal(c->attr.atime.sec, 1000);
	assert_int_equal(c->attr.mtime.sec, 2000);
	assert_int_equal(fs_setattr(c, at(suite, "f"), &before), 0);
	attr.mask = CSFTP_ATTR_MTIME_NOW;
	assert_int_equal(fs_setattr(c, at(suite, "f"), &attr), 0);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.atime.sec, 1000);
	assert_int_not_equal(c->attr.mtime.sec, 2000);
}

static void nanoseconds_beyond_a_second_are_refused(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	/* The last two are what Linux calls UTIME_NOW and UTIME_OMIT. */
	const uint32_t bad[] = {1000000000, UINT32_MAX, 0x3fffffff, 0x3ffffffe};

	need(suite, FS_NSEC);
	make_file(suite, "f", "x");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct csftp_attr attr = {.mask = CSFTP_ATTR_ATIME,
					  .atime = {1, bad[i]}};

		expect(suite, fs_setattr(c, at(suite, "f"), &attr), EINVAL);
		attr.mask = CSFTP_ATTR_MTIME;
		attr.mtime = attr.atime;
		expect(suite, fs_setattr(c, at(suite, "f"), &attr), EINVAL);
	}
}

static void setattr_follows_links_unless_told(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE, .mode = 0640};
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 1};
	struct csftp_attr times = after;

	make_file(suite, "f", "12345");
	assert_int_equal(fs_symlink(c, at(suite, "l"), "f"), 0);
	assert_int_equal(fs_setattr(c, at(suite, "l"), &mode), 0);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.mode, CSFTP_S_IFREG | 0640);
	assert_int_equal(fs_setattr(c, at(suite, "l"), &size), 0);
	has_text(suite, "f", "1");
	need(suite, FS_NOFOLLOW_SET);
	assert_int_equal(fs_setattr(c, at(suite, "f"), &before), 0);
	times.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
	assert_int_equal(fs_lsetattr(c, at(suite, "l"), &times), 0);
	assert_int_equal(fs_getattr(c, at(suite, "f")), 0);
	assert_int_equal(c->attr.mtime.sec, before.mtime.sec);
	assert_int_equal(fs_lgetattr(c, at(suite, "l")), 0);
	assert_int_equal(c->attr.mtime.sec, after.mtime.sec);
	expect(suite, fs_lsetattr(c, at(suite, "f"), &size), EINVAL);
	expect(suite, fs_lsetattr(c, at(suite, "l"), &mode), EOPNOTSUPP);
	assert_int_equal(fs_lsetattr(c, at(suite, "f"), &mode), 0);
}

static void owners_of_links_are_set_with_nofollow(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID, .uid = 12, .gid = 13};

	need(suite, FS_NOFOLLOW_SET | FS_CHOWN);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "nowhere"), 0);
	assert_int_equal(fs_lsetattr(c, at(suite, "l"), &attr), 0);
	assert_int_equal(fs_lgetattr(c, at(suite, "l")), 0);
	assert_int_equal(c->attr.uid, 12);
	assert_int_equal(c->attr.gid, 13);
	expect(suite, fs_setattr(c, at(suite, "l"), &attr), ENOENT);
}

static void sizes_are_of_files_only(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 1};
	csftp_fh fh;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	expect(suite, fs_setattr(c, at(suite, "d"), &attr), EISDIR);
	make_file(suite, "f", "12345");
	fh = open_file(suite, "f", CSFTP_OPEN_READ);
	expect(suite, fs_fsetattr(c, fh, &attr), EINVAL);
	close_fh(suite, fh);
	attr.size = (uint64_t)INT64_MAX + 1;
	expect(suite, fs_setattr(c, at(suite, "f"), &attr), EINVAL);
	has_text(suite, "f", "12345");
}

static void names_are_counted(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_NLINK | FS_HARD_LINKS);
	make_file(suite, "a", "x");
	assert_int_equal(fs_link(c, at(suite, "a"), at(suite, "b")), 0);
	assert_int_equal(fs_getattr(c, at(suite, "a")), 0);
	assert_int_equal(c->attr.nlink, 2);
	assert_int_equal(fs_unlink(c, at(suite, "a")), 0);
	assert_int_equal(fs_getattr(c, at(suite, "b")), 0);
	assert_int_equal(c->attr.nlink, 1);
}

static void statfs_makes_sense(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh;

	need(suite, FS_STATFS);
	make_file(suite, "f", "x");
	fh = open_file(suite, "f", CSFTP_OPEN_READ);
	for (int by_fh = 0; by_fh < 2; by_fh++) {
		struct csftp_req req = {.op = CSFTP_OP_STATFS, .fh = fh};

		if (!by_fh)
			req.path = at(suite, "f");
		assert_int_equal(fs_call(c, &req), 0);
		assert_true(c->statfs.bsize > 0 && c->statfs.frsize > 0);
		assert_true(c->statfs.blocks > 0);
		assert_true(c->statfs.bfree <= c->statfs.blocks);
		assert_true(c->statfs.bavail <= c->statfs.bfree);
		assert_true(c->statfs.ffree <= c->statfs.files);
		assert_int_equal(c->statfs.namemax, CSFTP_NAME_MAX);
		assert_int_equal(c->statfs.flag & CSFTP_ST_RDONLY, 0);
	}
	close_fh(suite, fh);
	expect(suite, fs_statfs(c, at(suite, "none")), ENOENT);
}

static void a_change_of_names_is_a_change_of_the_directory(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(
		fs_setattr(c, at(suite, "d"),
			   &(struct csftp_attr){.mask = CSFTP_ATTR_MTIME |
							CSFTP_ATTR_ATIME,
						.mtime = {2000, 0}}),
		0);
	make_file(suite, "d/f", "x");
	assert_int_equal(fs_getattr(c, at(suite, "d")), 0);
	assert_int_not_equal(c->attr.mtime.sec, 2000);
}

const struct CMUnitTest fs_suite_attr[] = {
	FS_CHECK(a_new_file_says_what_it_is),
	FS_CHECK(permissions_are_those_asked_for),
	FS_CHECK(a_missing_name_is_enoent),
	FS_CHECK(a_file_is_no_directory),
	FS_CHECK(the_empty_path_is_the_start_directory),
	FS_CHECK(each_set_of_fields_is_set_and_no_other),
	FS_CHECK(a_setuid_bit_set_with_an_owner_stays),
	FS_CHECK(one_time_can_be_now_and_the_other_stay),
	FS_CHECK(nanoseconds_beyond_a_second_are_refused),
	FS_CHECK(setattr_follows_links_unless_told),
	FS_CHECK(owners_of_links_are_set_with_nofollow),
	FS_CHECK(sizes_are_of_files_only),
	FS_CHECK(names_are_counted),
	FS_CHECK(statfs_makes_sense),
	FS_CHECK(a_change_of_names_is_a_change_of_the_directory),
};
const size_t fs_suite_attr_count = ARRAY_LEN(fs_suite_attr);
