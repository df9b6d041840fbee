/* The errno behind a server's "Failure", over memfs made as vague as that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"
#include "core/layer/why.h"
#include "csftp/memfs.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

/* memfs below what forgets reasons, as SFTP version 3 does. */
struct rig {
	struct csftp_fs vague; /* first */
	struct csftp_fs *memfs;
	struct later later;
	struct why *why;
	struct fs_caller caller;
	unsigned asked;
	/* What statfs says, and an errno for the next write, if not 0. */
	struct csftp_statfs space;
	uint64_t other_fsid; /* below /other */
	uint64_t other_blocks;
	uint64_t other_flag;
	const char *listed; /* how all names are shown to people */
	int refusal;
	bool late_refusal; /* of WRITE, when others are under way */
	bool no_fh_space;  /* statfs of a handle is refused */
	bool real_space;
};

struct vague_call {
	struct csftp_req req; /* first */
	struct csftp_req *up;
	const struct rig *rig;
};

static void forget_reason(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct csftp_req *up = ((struct vague_call *)req)->up;
	struct csftp_reply out = *reply;

	/* Of handles the client knows by itself. */
	if (out.err && out.err != EBADF)
		out.err = sftp_errno_from_status(
			sftp_status_from_errno(out.err), "Failure", 7);
	free(req);
	csftp_reply(up, &out);
}

static bool hand_up(struct csftp_req *req, const struct csftp_entry *entry)
{
	const struct vague_call *call = (struct vague_call *)req;
	struct csftp_entry shown = *entry;

	if (call->rig->listed)
		shown.longname = (struct csftp_slice){
			call->rig->listed, strlen(call->rig->listed)};
	return call->up->entry(call->up, &shown);
}

static bool is_change(enum csftp_op op)
{
	return op == CSFTP_OP_WRITE || op == CSFTP_OP_MKDIR ||
	       op == CSFTP_OP_UNLINK || op == CSFTP_OP_RENAME ||
	       op == CSFTP_OP_LINK || op == CSFTP_OP_RMDIR ||
	       op == CSFTP_OP_SETATTR || op == CSFTP_OP_COPY_RANGE ||
	       op == CSFTP_OP_FSYNC;
}

static void vaguely(struct csftp_fs *fs, struct csftp_req *up)
{
	struct rig *rig = (struct rig *)fs;
	struct vague_call *call;
	struct csftp_statfs space = rig->space;

	rig->asked++;
	if (up->op == CSFTP_OP_STATFS && !up->path && rig->no_fh_space) {
		csftp_reply_err(up, EBADF);
		return;
	}
	if (up->op == CSFTP_OP_STATFS && !rig->real_space) {
		if (up->path && strncmp(up->path, "/other", 6) == 0) {
			space.fsid = rig->other_fsid;
			space.blocks = rig->other_blocks;
			space.flag |= rig->other_flag;
		}
		csftp_reply(up, &(struct csftp_reply){.statfs = &space});
		return;
	}
	if (rig->refusal && is_change(up->op)) {
		csftp_reply_err(up,
				rig->refusal == EINVAL || rig->refusal == EACCES
					? rig->refusal
					: EIO);
		return;
	}
	call = malloc(sizeof(*call));
	assert_non_null(call);
	*call = (struct vague_call){.req = *up, .up = up, .rig = rig};
	call->req.done = forget_reason;
	call->req.entry = hand_up;
	/* Something else that is refused takes its place. */
	if (up->op == CSFTP_OP_WRITE && rig->late_refusal)
		call->req = (struct csftp_req){
			.op = CSFTP_OP_RMDIR,
			.done = forget_reason,
			.path = "/full",
		};
	csftp_submit(&rig->later.fs, &call->req);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct rig *rig = (struct rig *)fs;
	struct csftp_req *req = rig->later.first;

	while (req && ((struct vague_call *)req)->up != up)
		req = req->next;
	if (req)
		csftp_cancel(&rig->later.fs, req);
}

static const struct csftp_fs_ops vague_ops = {.rest = vaguely,
					      .cancel = cancel};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->vague.ops = &vague_ops;
	rig->space = (struct csftp_statfs){
		.frsize = 4096, .bavail = 1000, .files = 10, .favail = 5};
	assert_int_equal(csftp_memfs_new(&rig->memfs, NULL), CSFTP_OK);
	later_init(&rig->later, rig->memfs);
	assert_int_equal(why_new(&rig->why, &rig->vague), CSFTP_OK);
	rig->caller = (struct fs_caller){
		.fs = why_fs(rig->why),
		.drive = later_run,
		.arg = &rig->later,
	};
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	fs_caller_release(&rig->caller);
	why_free(rig->why);
	csftp_memfs_free(rig->memfs);
	free(rig);
	return 0;
}

/* /file, /empty, /full/file, /link */
static struct fs_caller *tree(struct rig *rig)
{
	struct fs_caller *caller = &rig->caller;

	assert_int_equal(fs_put(caller, "/file", "", 0), 0);
	assert_int_equal(fs_mkdir(caller, "/empty"), 0);
	assert_int_equal(fs_mkdir(caller, "/full"), 0);
	assert_int_equal(fs_put(caller, "/full/file", "", 0), 0);
	assert_int_equal(fs_symlink(caller, "/link", "nowhere"), 0);
	return caller;
}

static void what_exists_is_eexist(void **state)
{
	struct fs_caller *c = tree(*state);
	uint32_t flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL;

	assert_int_equal(fs_mkdir(c, "/file"), EEXIST);
	assert_int_equal(fs_mkdir(c, "/link"), EEXIST);
	assert_int_equal(fs_symlink(c, "/empty", "x"), EEXIST);
	assert_int_equal(fs_link(c, "/file", "/full/file"), EEXIST);
	assert_int_equal(fs_rename(c, "/file", "/full/file"), EEXIST);
	assert_int_equal(fs_open(c, "/file", flags), EEXIST);
}

static void what_cannot_be_removed_says_why(void **state)
{
	struct fs_caller *c = tree(*state);

	assert_int_equal(fs_rmdir(c, "/full"), ENOTEMPTY);
	assert_int_equal(fs_rmdir(c, "/file"), ENOTDIR);
	assert_int_equal(fs_rmdir(c, "/none"), ENOENT);
	assert_int_equal(fs_unlink(c, "/empty"), EISDIR);
	assert_int_equal(fs_unlink(c, "/none"), ENOENT);
}

static void what_cannot_be_renamed_says_why(void **state)
{
	struct fs_caller *c = tree(*state);

	assert_int_equal(fs_replace(c, "/empty", "/full"), ENOTEMPTY);
	assert_int_equal(fs_replace(c, "/empty", "/file"), ENOTDIR);
	assert_int_equal(fs_replace(c, "/file", "/empty"), EISDIR);
	assert_int_equal(fs_replace(c, "/full", "/full/below"), EINVAL);
	assert_int_equal(fs_replace(c, "/full/file", "/full"), ENOTEMPTY);
	assert_int_equal(fs_replace(c, "/none", "/file"), ENOENT);
}

static void a_directory_is_not_written(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE};
	struct fs_caller *c = tree(*state);

	assert_int_equal(fs_open(c, "/empty", CSFTP_OPEN_WRITE), EISDIR);
	assert_int_equal(fs_setattr(c, "/empty", &attr), EISDIR);
}

static void a_name_that_is_too_long_says_so(void **state)
{
	struct fs_caller *c = tree(*state);
	char name[CSFTP_NAME_MAX + 3];

	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(fs_mkdir(c, name), ENAMETOOLONG);
	assert_int_equal(fs_rename(c, "/file", name), ENAMETOOLONG);
}

static void other_file_systems_are_exdev(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_mkdir(c, "/other"), 0);
	rig->other_fsid = 7;
	rig->refusal = EXDEV;
	assert_int_equal(fs_replace(c, "/file", "/other/file"), EXDEV);
	assert_int_equal(fs_link(c, "/file", "/other/file"), EXDEV);
}

/* Where no file system has a number, one of another size is another one. */
static void file_systems_without_numbers_differ_in_size(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_mkdir(c, "/other"), 0);
	rig->space.fsid = 0;
	rig->other_fsid = 0;
	rig->refusal = EIO;
	rig->other_blocks = rig->space.blocks;
	assert_int_equal(fs_replace(c, "/file", "/other/file"), EIO);
	rig->other_blocks = rig->space.blocks + 1;
	assert_int_equal(fs_replace(c, "/file", "/other/file"), EXDEV);
	assert_int_equal(fs_rmdir(c, "/other"), EBUSY);
}

static void a_full_file_system_is_enospc(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 5};
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);
	csftp_fh fh;

	assert_int_equal(fs_open(c, "/file", CSFTP_OPEN_WRITE), 0);
	fh = c->fh;
	rig->space.bavail = 0;
	rig->refusal = ENOSPC;
	assert_int_equal(fs_write(c, fh, 0, "x", 1), ENOSPC);
	assert_int_equal(fs_fsync(c, fh), ENOSPC);
	assert_int_equal(fs_mkdir(c, "/new"), ENOSPC);
	assert_int_equal(fs_setattr(c, "/file", &attr), ENOSPC);
	/* Blocks are there, but no more files. */
	rig->space.bavail = 1000;
	rig->space.favail = 0;
	assert_int_equal(fs_mkdir(c, "/new"), ENOSPC);
	/* Who makes none needs none. */
	assert_int_equal(fs_write(c, fh, 0, "x", 1), EIO);
	rig->refusal = 0;
	assert_int_equal(fs_close(c, fh), 0);
}

struct written {
	struct csftp_req req; /* first */
	int err;	      /* -1: not answered */
};

static void was_written(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct written *)req)->err = reply->err;
}

/* WRITE and CLOSE of a small file travel together, so the handle is no more. */
static void a_full_file_system_is_enospc_behind_a_close(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);
	struct written written = {.err = -1};

	assert_int_equal(fs_open(c, "/file", CSFTP_OPEN_WRITE), 0);
	rig->space.bavail = 0;
	rig->no_fh_space = true;
	rig->late_refusal = true;
	written.req = (struct csftp_req){.op = CSFTP_OP_WRITE,
					 .done = was_written,
					 .fh = c->fh,
					 .data = "x",
					 .len = 1};
	csftp_submit(c->fs, &written.req);
	assert_int_equal(written.err, -1);
	assert_int_equal(fs_close(c, c->fh), 0);
	while (written.err < 0)
		assert_true(later_run(&rig->later));
	assert_int_equal(written.err, ENOSPC);
}

static void a_read_only_file_system_is_erofs(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	rig->space.flag = CSFTP_ST_RDONLY;
	rig->refusal = EROFS;
	assert_int_equal(fs_mkdir(c, "/new"), EROFS);
	assert_int_equal(fs_unlink(c, "/file"), EROFS);
	assert_int_equal(fs_replace(c, "/file", "/new"), EROFS);
}

static void a_mount_that_is_only_read_is_one_by_itself(void **state)
{
	struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE, .mode = 0700};
	struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = 9};
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_mkdir(c, "/other"), 0);
	assert_int_equal(fs_put(c, "/other_file", "", 0), 0);
	rig->other_flag = CSFTP_ST_RDONLY;
	rig->refusal = EIO;
	assert_int_equal(fs_setattr(c, "/other", &mode), EROFS);
	assert_int_equal(fs_setattr(c, "/other_file", &mode), EROFS);
	assert_int_equal(fs_setattr(c, "/other_file", &size), EROFS);
	assert_int_equal(fs_setattr(c, "/file", &mode), EIO);
	assert_int_equal(fs_rmdir(c, "/other"), EBUSY);
	assert_int_equal(fs_replace(c, "/file", "/other/file"), EXDEV);
	assert_int_equal(fs_link(c, "/file", "/other/file"), EROFS);
	rig->refusal = 0;
	assert_int_equal(fs_symlink(c, "/other_link", "/other"), 0);
	rig->refusal = EIO;
	assert_int_equal(fs_lsetattr(c, "/other_link", &mode), EIO);
}

static void a_mount_point_is_busy(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_mkdir(c, "/other"), 0);
	assert_int_equal(fs_put(c, "/other/file", "", 0), 0);
	rig->other_fsid = 7;
	rig->other_blocks = 1;
	rig->refusal = EBUSY;
	assert_int_equal(fs_rmdir(c, "/other"), EBUSY);
	assert_int_equal(fs_replace(c, "/other", "/new"), EBUSY);
	assert_int_equal(fs_replace(c, "/empty", "/other"), EBUSY);
	/* One within is on the same. */
	assert_int_equal(fs_unlink(c, "/other/file"), EIO);
	/* A part of one is none: it can be removed, if it is empty. */
	rig->other_blocks = rig->space.blocks;
	assert_int_equal(fs_rmdir(c, "/other"), ENOTEMPTY);
}

static void a_file_on_which_another_is_mounted_is_busy(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_put(c, "/other", "", 0), 0);
	rig->other_fsid = 7;
	rig->other_blocks = 1;
	rig->refusal = EBUSY;
	assert_int_equal(fs_unlink(c, "/other"), EBUSY);
	assert_int_equal(fs_replace(c, "/file", "/other"), EBUSY);
	/* A link leads there, and can go. */
	rig->refusal = 0;
	assert_int_equal(fs_unlink(c, "/other"), 0);
	assert_int_equal(fs_symlink(c, "/other", "/full"), 0);
	rig->refusal = EIO;
	assert_int_equal(fs_unlink(c, "/other"), EIO);
}

static void a_file_with_all_the_links_there_can_be_is_emlink(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	rig->refusal = EMLINK;
	rig->listed = "-rw-r--r--  65000 root root 0 Jan 1 00:00 file";
	assert_int_equal(fs_link(c, "/full/file", "/new"), EMLINK);
	assert_int_equal(fs_replace(c, "/file", "/new"), EIO);
	rig->listed = "-rw-r--r--  64999 root root 0 Jan 1 00:00 file";
	assert_int_equal(fs_link(c, "/full/file", "/new"), EIO);
	rig->listed = "-rw-r--r-- 65000";
	assert_int_equal(fs_link(c, "/full/file", "/new"), EIO);
	assert_int_equal(fs_link(c, "/full/none", "/new"), EIO);
}

static void a_size_that_no_file_can_have_is_efbig(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE,
				  .size = 0xffffffffULL * 4096 + 1};
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);
	csftp_fh fh;

	assert_int_equal(fs_open(c, "/file", CSFTP_OPEN_WRITE), 0);
	fh = c->fh;
	rig->refusal = EFBIG;
	assert_int_equal(fs_setattr(c, "/file", &attr), EFBIG);
	assert_int_equal(fs_write(c, fh, attr.size - 1, "x", 1), EFBIG);
	assert_int_equal(fs_write(c, fh, attr.size - 2, "x", 1), EIO);
	rig->refusal = EINVAL;
	assert_int_equal(fs_write(c, fh, attr.size - 1, "x", 1), EFBIG);
	assert_int_equal(fs_write(c, fh, attr.size - 2, "x", 1), EINVAL);
	rig->refusal = EFBIG;
	attr.size--;
	assert_int_equal(fs_setattr(c, "/file", &attr), EIO);
	rig->refusal = 0;
	assert_int_equal(fs_close(c, fh), 0);
}

/* Version 3 has one code for both. */
static void what_is_its_owners_to_do_is_eperm(void **state)
{
	const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE, .mode = 0600};
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE};
	const struct csftp_attr now = {.mask = CSFTP_ATTR_ATIME_NOW |
					       CSFTP_ATTR_MTIME_NOW};
	const struct csftp_attr open = {.mask = CSFTP_ATTR_MODE, .mode = 0777};
	const struct csftp_attr shared = {.mask = CSFTP_ATTR_MODE,
					  .mode = 01777};
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(fs_put(c, "/empty/file", "", 0), 0);
	assert_int_equal(fs_mkdir(c, "/full/dir"), 0);
	assert_int_equal(fs_setattr(c, "/full", &shared), 0);
	assert_int_equal(fs_setattr(c, "/empty", &open), 0);
	rig->refusal = EACCES;
	assert_int_equal(fs_setattr(c, "/file", &mode), EPERM);
	assert_int_equal(fs_setattr(c, "/file", &size), EACCES);
	assert_int_equal(fs_setattr(c, "/file", &now), EACCES);
	assert_int_equal(fs_setattr(c, "/none", &mode), EACCES);
	assert_int_equal(fs_unlink(c, "/full/file"), EPERM);
	assert_int_equal(fs_unlink(c, "/full/none"), EACCES);
	assert_int_equal(fs_unlink(c, "/empty/file"), EACCES);
	assert_int_equal(fs_rmdir(c, "/full/dir"), EPERM);
	assert_int_equal(fs_replace(c, "/full/file", "/full/new"), EPERM);
	assert_int_equal(fs_replace(c, "/full/file", "/empty/new"), EPERM);
	assert_int_equal(fs_replace(c, "/empty/file", "/full/file"), EPERM);
	assert_int_equal(fs_replace(c, "/empty/file", "/full/new"), EACCES);
	assert_int_equal(fs_replace(c, "/full/file", "/new"), EACCES);
	assert_int_equal(fs_replace(c, "/full/dir", "/full/new"), EPERM);
	assert_int_equal(fs_replace(c, "/full/dir", "/empty/new"), EACCES);
	assert_int_equal(fs_mkdir(c, "/full/more"), EACCES);
}

static void a_name_longer_than_they_are_there_says_so(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);
	char name[152];

	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	rig->refusal = EINVAL;
	rig->space.namemax = 143;
	assert_int_equal(fs_mkdir(c, name), ENAMETOOLONG);
	assert_int_equal(fs_replace(c, "/file", name), ENAMETOOLONG);
	rig->space.namemax = 150;
	assert_int_equal(fs_mkdir(c, name), EINVAL);
}

static void what_nothing_explains_stays_eio(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	rig->refusal = EIO;
	assert_int_equal(fs_mkdir(c, "/new"), EIO);
	assert_int_equal(fs_unlink(c, "/file"), EIO);
	assert_int_equal(fs_replace(c, "/file", "/new"), EIO);
}

static void a_copy_that_is_refused_for_no_reason_is_the_askers(void **state)
{
	struct csftp_req req = {.op = CSFTP_OP_COPY_RANGE, .len = 10};
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	assert_int_equal(
		fs_open(c, "/file", CSFTP_OPEN_READ | CSFTP_OPEN_WRITE), 0);
	req.fh = c->fh;
	req.fh2 = c->fh;
	rig->refusal = EIO;
	assert_int_equal(fs_call(c, &req), EOPNOTSUPP);
	rig->space.bavail = 0;
	assert_int_equal(fs_call(c, &req), ENOSPC);
	rig->refusal = 0;
	assert_int_equal(fs_close(c, req.fh), 0);
}

static void nothing_is_asked_unless_something_failed(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	rig->asked = 0;
	assert_int_equal(fs_mkdir(c, "/new"), 0);
	assert_int_equal(fs_open(c, "/none", CSFTP_OPEN_READ), ENOENT);
	assert_int_equal(fs_lgetattr(c, "/none"), ENOENT);
	assert_int_equal(fs_unlink(c, "/none"), ENOENT);
	assert_int_equal(rig->asked, 4);
}

/* The names may be known before the attributes are, or the other way. */
static void answers_may_come_in_any_order(void **state)
{
	struct rig *rig = *state;
	struct fs_caller *c = tree(rig);

	rig->later.order = LATER_NEWEST_FIRST;
	assert_int_equal(fs_rmdir(c, "/full"), ENOTEMPTY);
	assert_int_equal(fs_replace(c, "/empty", "/full"), ENOTEMPTY);
}

/* After any number of answers, where no other may ever come. */
static void who_waits_for_a_reason_can_be_cancelled(void **state)
{
	static const struct csftp_req wishes[] = {
		{.op = CSFTP_OP_RMDIR, .path = "/full"},
		{.op = CSFTP_OP_LINK, .path = "/file", .path2 = "/new"},
	};
	struct rig *rig = *state;
	unsigned cancelled = 0;

	(void)tree(rig);
	rig->refusal = EIO;
	for (unsigned run = 0; run < 24; run++) {
		struct fs_asked asked;
		bool more = true;

		fs_ask(rig->caller.fs, &asked, &wishes[run % 2]);
		for (unsigned i = 0; i < run / 2 && more; i++)
			more = later_run(&rig->later);
		if (asked.err >= 0)
			continue;
		cancelled++;
		csftp_cancel(rig->caller.fs, &asked.req);
		/* The directory is closed then; nothing else is asked. */
		while (asked.err < 0) {
			assert_int_equal(rig->later.waiting, 1);
			assert_int_equal(rig->later.first->op, CSFTP_OP_CLOSE);
			assert_true(later_run(&rig->later));
		}
		assert_int_equal(asked.err, EIO);
		assert_int_equal(rig->later.waiting, 0);
	}
	assert_in_range(cancelled, 8, 24);
}

static int run_suite(void)
{
	void *state = NULL;
	struct rig *rig;
	int failed = setup(&state);

	rig = state;
	rig->real_space = true;
	failed += fs_suite_run_over(&rig->caller, &rig->caller,
				    "reasons over vague memfs",
				    FS_ALL & ~FS_EXACT_ERRNO);
	(void)teardown(&state);
	return failed;
}

#define WHY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WHY_TEST(what_exists_is_eexist),
		WHY_TEST(what_cannot_be_removed_says_why),
		WHY_TEST(what_cannot_be_renamed_says_why),
		WHY_TEST(a_directory_is_not_written),
		WHY_TEST(a_name_that_is_too_long_says_so),
		WHY_TEST(other_file_systems_are_exdev),
		WHY_TEST(file_systems_without_numbers_differ_in_size),
		WHY_TEST(a_full_file_system_is_enospc),
		WHY_TEST(a_full_file_system_is_enospc_behind_a_close),
		WHY_TEST(a_read_only_file_system_is_erofs),
		WHY_TEST(a_mount_that_is_only_read_is_one_by_itself),
		WHY_TEST(a_mount_point_is_busy),
		WHY_TEST(a_file_on_which_another_is_mounted_is_busy),
		WHY_TEST(a_file_with_all_the_links_there_can_be_is_emlink),
		WHY_TEST(a_size_that_no_file_can_have_is_efbig),
		WHY_TEST(what_is_its_owners_to_do_is_eperm),
		WHY_TEST(a_name_longer_than_they_are_there_says_so),
		WHY_TEST(what_nothing_explains_stays_eio),
		WHY_TEST(a_copy_that_is_refused_for_no_reason_is_the_askers),
		WHY_TEST(nothing_is_asked_unless_something_failed),
		WHY_TEST(answers_may_come_in_any_order),
		WHY_TEST(who_waits_for_a_reason_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + run_suite();
}
