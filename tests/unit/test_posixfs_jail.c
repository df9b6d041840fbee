/* What posixfs does in a jail: its contract, with views and forced modes. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "server/account.h"
#include "server/posixfs.h"
#include "server/posixfs_impl.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RD	     CSFTP_OPEN_READ
#define WR	     CSFTP_OPEN_WRITE
#define MAKE	     (RD | WR | CSFTP_OPEN_CREAT)

/*
 * What is played to posixfs.  The object in the library that has these system
 * calls is not linked then.
 */
static struct {
	int openat2_err;
	unsigned openat2_errs; /* how often; then it works */
	bool any_case;	       /* names differ in more than case only */
	int fchmodat2_err;     /* an older kernel's; 0: a new one */
	const char *home;      /* NULL: the real one; "-": no such user */
} played;

int posixfs_openat2(int dirfd, const char *path, int flags, mode_t mode,
		    uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint32_t)flags, .mode = mode, .resolve = resolve};
	char lower[PATH_MAX];

	snprintf(lower, sizeof(lower), "%s", path);
	for (char *at = lower; played.any_case && *at; at++)
		*at = (char)tolower((unsigned char)*at);
	path = lower;
	if (played.openat2_errs == 0)
		return (int)syscall(SYS_openat2, dirfd, path, &how,
				    sizeof(how));
	played.openat2_errs--;
	errno = played.openat2_err;
	return -1;
}

int posixfs_fchmodat2(int dirfd, const char *path, mode_t mode, int flags)
{
	errno = played.fchmodat2_err;
	return errno ? -1 : (int)syscall(452, dirfd, path, mode, flags);
}

int utimensat(int dirfd, const char *path, const struct timespec times[2],
	      int flags)
{
	errno = played.fchmodat2_err ? EINVAL : 0;
	if (errno && flags & AT_EMPTY_PATH)
		return -1;
	return (int)syscall(SYS_utimensat, dirfd, path, times, flags);
}

bool account_user(struct account *out, uid_t uid)
{
	(void)uid;
	out->name = out->home = played.home ? played.home : "";
	return *out->home != '-';
}

bool account_user_named(struct account *out, const char *name)
{
	(void)out;
	(void)name;
	return false;
}

bool account_group(struct account *out, gid_t gid)
{
	(void)out;
	(void)gid;
	return false;
}

struct place {
	char dir[PROC_PATH_MAX];
	struct fs_caller c;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	scratch_make(place->dir);
	*state = place;
	umask(022);
	memset(&played, 0, sizeof(played));
	return chmod(place->dir, 0755);
}

static int tear_down(void **state)
{
	struct place *place = *state;

	fs_caller_release(&place->c);
	posixfs_free(place->c.fs);
	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* Makes it anew, with what config says and this place as the root. */
static struct fs_caller *jail(struct place *place,
			      const struct posixfs_config *config)
{
	struct posixfs_config own = *config;

	posixfs_free(place->c.fs);
	place->c.fs = NULL;
	own.root = place->dir;
	assert_int_equal(posixfs_new(&place->c.fs, &own), CSFTP_OK);
	return &place->c;
}

static const char *below(const struct place *place, const char *name)
{
	static _Thread_local char path[2][2 * PROC_PATH_MAX];
	static _Thread_local unsigned next;

	next = !next;
	proc_print(path[next], sizeof(path[next]), "%s/%s", place->dir, name);
	return path[next];
}

static void put_file(const struct place *place, const char *name)
{
	file_write(below(place, name), name, strlen(name));
	assert_int_equal(chmod(below(place, name), 0644), 0);
}

static mode_t mode_of(const struct place *place, const char *name)
{
	struct stat st;

	assert_int_equal(lstat(below(place, name), &st), 0);
	return st.st_mode & 07777U;
}

static int refused(const struct posixfs_config *config)
{
	struct csftp_fs *fs = NULL;
	enum csftp_err err;

	errno = 0;
	err = posixfs_new(&fs, config);
	posixfs_free(fs);
	return (int)err;
}

static void a_kernel_without_openat2_is_refused(void **state)
{
	struct place *place = *state;
	struct posixfs_config config = {.root = place->dir};

	played.openat2_err = ENOSYS;
	played.openat2_errs = ~0U;
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, ENOSYS);
	/* As a sandbox says that does not know it. */
	played.openat2_err = EPERM;
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, EPERM);
	/* Without a jail it is not needed. */
	config = (struct posixfs_config){.start = place->dir};
	assert_int_equal(refused(&config), CSFTP_OK);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct posixfs_view twice[] = {{"/d", POSIXFS_RO},
						    {"/d/../d/", POSIXFS_RW}};
	static const struct posixfs_view relative = {"d", POSIXFS_RO};
	static const struct posixfs_view missing = {"/none", POSIXFS_RO};
	struct place *place = *state;
	struct posixfs_config config = {.view_count = 1, .views = &missing};

	assert_int_equal(mkdir(below(place, "d"), 0755), 0);
	assert_int_equal(refused(&config), CSFTP_ERR_ARG);
	config.root = place->dir;
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, ENOENT);
	config.views = &relative;
	assert_int_equal(refused(&config), CSFTP_ERR_ARG);
	config.views = twice;
	assert_int_equal(refused(&config), CSFTP_OK);
	config.view_count = 2;
	assert_int_equal(refused(&config), CSFTP_ERR_ARG);
	config.view_count = 0;
	config.dirs.force = 010000;
	assert_int_equal(refused(&config), CSFTP_ERR_ARG);
	config.dirs.force = 0;
	config.start = "/none";
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, ENOENT);
	config.start = NULL;
	config.root = "/no/such/root";
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, ENOENT);
}

/* There, text does not tell one place from another. */
static void no_view_is_let_in_where_case_is_ignored(void **state)
{
	static const struct posixfs_view view = {"/dir/f", POSIXFS_RO};
	struct place *place = *state;
	struct posixfs_config config = {
		.root = place->dir, .views = &view, .view_count = 1};

	assert_int_equal(mkdir(below(place, "dir"), 0755), 0);
	put_file(place, "dir/f");
	assert_int_equal(refused(&config), CSFTP_OK);
	played.any_case = true;
	assert_int_equal(refused(&config), CSFTP_ERR_IO);
	assert_int_equal(errno, EOPNOTSUPP);
	/* A jail alone does not compare names. */
	config.view_count = 0;
	assert_int_equal(refused(&config), CSFTP_OK);
}

static void a_resolution_is_tried_again_and_not_forever(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = jail(place, &(struct posixfs_config){0});

	put_file(place, "f");
	played.openat2_err = EAGAIN;
	played.openat2_errs = 3;
	assert_int_equal(fs_getattr(c, "f"), 0);
	assert_int_equal(played.openat2_errs, 0);
	played.openat2_errs = ~0U;
	assert_int_equal(fs_getattr(c, "f"), EAGAIN);
	assert_int_equal(fs_open(c, "f", RD), EAGAIN);
	played.openat2_errs = 0;
}

static void the_start_is_inside(void **state)
{
	struct place *place = *state;
	struct fs_caller *c;

	assert_int_equal(mkdir(below(place, "d"), 0755), 0);
	assert_int_equal(symlink("/d", below(place, "l")), 0);
	put_file(place, "d/f");
	c = jail(place, &(struct posixfs_config){.start = "l"});
	assert_int_equal(fs_realpath(c, "."), 0);
	assert_string_equal(c->text, "/d");
	assert_int_equal(fs_getattr(c, "f"), 0);
	assert_int_equal(fs_getattr(c, ""), 0);
	assert_int_equal(fs_lgetattr(c, ""), 0);
	assert_int_equal(fs_getattr(c, "/d/f"), 0);
	assert_int_equal(fs_getattr(c, "../d/f"), 0);
	assert_int_equal(fs_getattr(c, "/f"), ENOENT);
	assert_int_equal(fs_mkdir(c, "new"), 0);
	assert_int_equal(access(below(place, "d/new"), F_OK), 0);
	assert_int_equal(fs_rename(c, "new", "../new"), 0);
	assert_int_equal(access(below(place, "new"), F_OK), 0);
	assert_int_equal(fs_statfs(c, "."), 0);
	assert_int_equal(fs_rmdir(c, "/new"), 0);
	assert_int_equal(fs_opendir(c, "."), 0);
	/* Gone: then relative paths are, and nothing else. */
	assert_int_equal(fs_unlink(c, "f"), 0);
	assert_int_equal(fs_rmdir(c, "/d"), 0);
	assert_int_equal(fs_getattr(c, "."), ENOENT);
	assert_int_equal(fs_mkdir(c, "x"), ENOENT);
	assert_int_equal(fs_getattr(c, "/"), 0);
}

static void a_home_is_told_as_the_jail_sees_it(void **state)
{
	struct place *place = *state;
	struct csftp_req req = {.op = CSFTP_OP_HOMEDIR, .path = ""};
	struct fs_caller *c;
	char home[PROC_PATH_MAX + 16];

	assert_int_equal(mkdir(below(place, "u"), 0755), 0);
	c = jail(place, &(struct posixfs_config){.start = "/u"});
	proc_print(home, sizeof(home), "%s/u", place->dir);
	played.home = home;
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "/u");
	assert_int_equal(fs_expand(c, "~/x"), 0);
	assert_string_equal(c->text, "/u/x");
	/* A neighbour whose name only begins as ours. */
	proc_print(home, sizeof(home), "%sx/u", place->dir);
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "/");
	played.home = place->dir;
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "/");
	played.home = "/elsewhere";
	assert_int_equal(fs_expand(c, "~"), 0);
	assert_string_equal(c->text, "/");
	assert_int_equal(fs_expand(c, "~/x"), 0);
	assert_string_equal(c->text, "/x");
	/* None, and no such user. */
	played.home = "";
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "/");
	played.home = "-";
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "/u");
	assert_int_equal(fs_expand(c, "~/x"), 0);
	assert_string_equal(c->text, "/u/x");
}

static void a_fifo_does_not_hang_and_a_device_is_not_opened(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = jail(place, &(struct posixfs_config){0});
	struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE};

	assert_int_equal(mkfifo(below(place, "fifo"), 0600), 0);
	assert_int_equal(fs_open(c, "fifo", WR), ENXIO);
	assert_int_equal(fs_setattr(c, "fifo", &size), EINVAL);
	assert_int_equal(fs_open(c, "fifo", RD), 0);
	assert_int_equal(fs_read(c, c->fh, 0, 10), 0);
	assert_true(c->eof);
	if (mknod(below(place, "zero"), S_IFCHR | 0666, makedev(1, 5)) != 0)
		skip_because("no right to make a device");
	assert_int_equal(fs_open(c, "zero", RD), EACCES);
	assert_int_equal(fs_open(c, "zero", MAKE), EACCES);
	assert_int_equal(fs_getattr(c, "zero"), 0);
	assert_int_equal(fs_setattr(c, "zero", &size), EINVAL);
	assert_int_equal(fs_unlink(c, "zero"), 0);
}

static void the_roots_parent_is_the_root(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = jail(place, &(struct posixfs_config){0});
	struct fs_names names = {0};
	size_t dot, up;

	assert_int_equal(chmod(place->dir, 0751), 0);
	assert_int_equal(fs_opendir(c, "/"), 0);
	assert_int_equal(fs_readdir_all(c, c->fh, &names, 10), 0);
	if (fs_names_find(&names, ".", &dot) == 1 &&
	    fs_names_find(&names, "..", &up) == 1) {
		assert_int_equal(names.attr[up].mode, names.attr[dot].mode);
		assert_int_equal(names.attr[up].nlink, names.attr[dot].nlink);
	}
	fs_names_release(&names);
}

static void names_that_are_no_names_are_refused(void **state)
{
	static const char *const dots[] = {"/",	  ".",	  "..",
					   "/..", "d/..", "d/."};
	struct place *place = *state;
	struct fs_caller *c = jail(place, &(struct posixfs_config){0});

	assert_int_equal(mkdir(below(place, "d"), 0755), 0);
	put_file(place, "f");
	for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
		assert_int_not_equal(fs_rmdir(c, dots[i]), 0);
		assert_int_not_equal(fs_unlink(c, dots[i]), 0);
		assert_int_equal(fs_mkdir(c, dots[i]), EEXIST);
		assert_int_equal(fs_symlink(c, dots[i], "x"), EEXIST);
		assert_int_not_equal(fs_rename(c, dots[i], "new"), 0);
		assert_int_not_equal(fs_replace(c, "f", dots[i]), 0);
		assert_int_not_equal(fs_link(c, dots[i], "new"), 0);
	}
	/* A '/' behind it means a directory. */
	assert_int_equal(symlink("d", below(place, "l")), 0);
	assert_int_equal(fs_unlink(c, "f/"), ENOTDIR);
	assert_int_equal(fs_rmdir(c, "l/"), ENOTDIR);
	assert_int_equal(fs_rename(c, "f", "new/"), ENOTDIR);
	assert_int_equal(fs_symlink(c, "new/", "x"), ENOENT);
	assert_int_equal(fs_mkdir(c, "new/"), 0);
	assert_int_equal(fs_rename(c, "new/", "newer/"), 0);
	assert_int_equal(fs_rmdir(c, "newer//"), 0);
}

/* Modes. */

static void set_mode(struct fs_caller *c, const char *path, uint32_t mode)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = mode};

	assert_int_equal(fs_setattr(c, path, &attr), 0);
}

static void attributes_are_set_on_older_kernels(void **state)
{
	const struct csftp_attr times = {.mask = CSFTP_ATTR_MTIME |
						 CSFTP_ATTR_ATIME,
					 .mtime = {.sec = 1000}};
	static const int errs[] = {0, ENOSYS, EPERM};
	struct place *place = *state;
	struct fs_caller *c = jail(place, &(struct posixfs_config){0});

	put_file(place, "f");
	assert_int_equal(symlink("f", below(place, "l")), 0);
	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		played.fchmodat2_err = errs[i];
		set_mode(c, "l", 0600 + (uint32_t)i);
		assert_int_equal(mode_of(place, "f"), 0600 + i);
		/* Not even a right to read is needed. */
		set_mode(c, "f", 0);
		assert_int_equal(mode_of(place, "f"), 0);
		set_mode(c, "f", 0644);
		assert_int_equal(fs_setattr(c, "l", &times), 0);
		assert_int_equal(fs_getattr(c, "f"), 0);
		assert_int_equal(c->attr.mtime.sec, 1000);
		assert_int_equal(fs_lgetattr(c, "l"), 0);
		assert_int_not_equal(c->attr.mtime.sec, 1000);
		put_file(place, "f");
	}
}

static void modes_are_masked_and_forced(struct place *place,
					const struct posixfs_config *more)
{
	struct posixfs_config config = *more;
	struct csftp_req req = {.op = CSFTP_OP_MKDIR, .path = "d"};
	const struct csftp_attr wild = {.mask = CSFTP_ATTR_MODE, .mode = 07777};
	struct fs_caller *c = &place->c;

	config.files = (struct posixfs_modes){.mask = 0664, .force = 0060};
	config.dirs = (struct posixfs_modes){.mask = 0775, .force = 02070};
	posixfs_free(c->fs);
	c->fs = NULL;
	assert_int_equal(posixfs_new(&c->fs, &config), CSFTP_OK);
	umask(077);
	/* umask(2) takes its own first; what is forced is there. */
	assert_int_equal(fs_open(c, "f", MAKE), 0);
	assert_int_equal(mode_of(place, "f"), 0660);
	assert_int_equal(fs_fsetattr(c, c->fh, &wild), 0);
	assert_int_equal(mode_of(place, "f"), 0664);
	assert_int_equal(fs_mkdir(c, "e"), 0);
	assert_int_equal(mode_of(place, "e"), 02770);
	req.attr = &wild;
	assert_int_equal(fs_call(c, &req), 0);
	assert_int_equal(mode_of(place, "d"), 02770);
	set_mode(c, "d", 0);
	assert_int_equal(mode_of(place, "d"), 02070);
	set_mode(c, "f", 0);
	assert_int_equal(mode_of(place, "f"), 0060);
	/* What is there already keeps its mode. */
	assert_int_equal(chmod(below(place, "f"), 0600), 0);
	assert_int_equal(fs_open(c, "f", MAKE | CSFTP_OPEN_TRUNC), 0);
	assert_int_equal(mode_of(place, "f"), 0600);
	assert_int_equal(fs_open(c, "f", MAKE | CSFTP_OPEN_EXCL), EEXIST);
	/* What a link has waited for is new. */
	assert_int_equal(fs_symlink(c, "l", "late"), 0);
	assert_int_equal(fs_open(c, "l", MAKE), 0);
	assert_int_equal(mode_of(place, "late"), 0660);
	umask(022);
}

static void modes_are_masked_and_forced_in_a_jail(void **state)
{
	struct place *place = *state;

	modes_are_masked_and_forced(
		place, &(struct posixfs_config){.root = place->dir});
}

static void modes_are_masked_and_forced_without_one(void **state)
{
	struct place *place = *state;

	modes_are_masked_and_forced(
		place, &(struct posixfs_config){.start = place->dir});
}

static void modes_are_masked_and_forced_on_older_kernels(void **state)
{
	struct place *place = *state;

	played.fchmodat2_err = ENOSYS;
	modes_are_masked_and_forced(
		place, &(struct posixfs_config){.root = place->dir});
}

static void a_forced_mode_of_files_alone_needs_no_proc(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->c;
	const struct posixfs_config config = {.start = place->dir,
					      .files.force = 0060};

	played.fchmodat2_err = ENOSYS;
	umask(077);
	assert_int_equal(posixfs_new(&c->fs, &config), CSFTP_OK);
	assert_int_equal(fs_open(c, "f", MAKE), 0);
	assert_int_equal(mode_of(place, "f"), 0660);
}

static void modes_are_masked_and_forced_among_views(void **state)
{
	static const struct posixfs_view view = {"/", POSIXFS_RW};
	struct place *place = *state;

	modes_are_masked_and_forced(place,
				    &(struct posixfs_config){.root = place->dir,
							     .views = &view,
							     .view_count = 1});
}

/* Views. */

static const struct posixfs_view four_views[] = {
	{"/ro", POSIXFS_RO},
	{"/ro/rw", POSIXFS_RW},
	{"/no", POSIXFS_NONE},
	{"/no/open", POSIXFS_RO},
};

/* ro/{f,d/,rw/{f},to_rw}  no/{f,l,open/{f}}  f  to_ro  to_no  d/ */
static struct fs_caller *four(struct place *place)
{
	static const char *const dirs[] = {"ro", "ro/d",    "ro/rw",
					   "no", "no/open", "d"};
	static const char *const files[] = {"ro/f", "ro/rw/f", "no/f",
					    "no/open/f", "f"};
	static const char *const links[][2] = {{"rw", "ro/to_rw"},
					       {"ro", "to_ro"},
					       {"/no", "to_no"},
					       {"../f", "no/l"},
					       {"ro/f", "to_f"}};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		assert_int_equal(mkdir(below(place, dirs[i]), 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_file(place, files[i]);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		assert_int_equal(
			symlink(links[i][0], below(place, links[i][1])), 0);
	return jail(place, &(struct posixfs_config){.views = four_views,
						    .view_count = 4});
}

/* By whatever name it is asked for. */
static void what_is_read_only_is_not_changed(void **state)
{
	static const char *const files[] = {
		"/ro/f",     "ro//f",	     "to_ro/f",	   "to_f",
		"./ro/f",    "d/../ro/f",    "ro/rw/../f", "ro/d/../f",
		"to_ro/./f", "ro/to_rw/../f"};
	struct place *place = *state;
	struct fs_caller *c = four(place);
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};
	const struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *f = files[i];
		csftp_fh fh;

		assert_int_equal(fs_getattr(c, f), 0);
		assert_int_equal(fs_open(c, f, WR), EROFS);
		assert_int_equal(fs_open(c, f, MAKE), EROFS);
		assert_int_equal(fs_open(c, f, WR | CSFTP_OPEN_TRUNC), EROFS);
		assert_int_equal(fs_open(c, f, MAKE | CSFTP_OPEN_EXCL), EEXIST);
		assert_int_equal(fs_setattr(c, f, &attr), EROFS);
		assert_int_equal(fs_setattr(c, f, &size), EROFS);
		assert_int_equal(fs_open(c, f, RD), 0);
		fh = c->fh;
		assert_int_equal(fs_fsetattr(c, fh, &attr), EROFS);
		assert_int_equal(fs_close(c, fh), 0);
		if (strcmp(f, "to_f") == 0)
			continue; /* the link itself may be changed */
		assert_int_equal(fs_unlink(c, f), EROFS);
		assert_int_equal(fs_rename(c, f, "stolen"), EROFS);
		assert_int_equal(fs_replace(c, f, "stolen"), EROFS);
		assert_int_equal(fs_replace(c, "f", f), EROFS);
		assert_int_equal(fs_lsetattr(c, f, &attr), EROFS);
		assert_int_equal(fs_link(c, f, "stolen"), EXDEV);
		assert_int_equal(fs_link(c, "f", f), EEXIST);
	}
	assert_int_equal(mode_of(place, "ro/f"), 0644);
}

static void nothing_is_made_in_what_is_read_only(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = four(place);

	assert_int_equal(fs_mkdir(c, "ro/new"), EROFS);
	assert_int_equal(fs_mkdir(c, "ro/d"), EEXIST);
	assert_int_equal(fs_symlink(c, "to_ro/new", "x"), EROFS);
	assert_int_equal(fs_open(c, "ro/new", MAKE), EROFS);
	assert_int_equal(fs_open(c, "ro/new", RD | CSFTP_OPEN_CREAT), EROFS);
	assert_int_equal(fs_open(c, "ro/new", WR), ENOENT);
	/* Nor by a link that leads to what is not there yet. */
	assert_int_equal(fs_symlink(c, "to_new", "ro/new"), 0);
	assert_int_equal(fs_open(c, "to_new", MAKE), EROFS);
	assert_int_equal(fs_symlink(c, "to_none", "/no/new"), 0);
	assert_int_equal(fs_open(c, "to_none", MAKE), ENOENT);
	assert_int_equal(fs_rename(c, "f", "ro/new"), EROFS);
	assert_int_equal(fs_link(c, "f", "ro/new"), EROFS);
	assert_int_equal(fs_rmdir(c, "ro/d"), EROFS);
	assert_int_equal(fs_statfs(c, "ro"), 0);
	assert_true(c->statfs.flag & CSFTP_ST_RDONLY);
	assert_int_equal(fs_statfs(c, "d"), 0);
	assert_false(c->statfs.flag & CSFTP_ST_RDONLY);
	/* A view inside it has the last word. */
	assert_int_equal(fs_open(c, "ro/rw/new", MAKE), 0);
	assert_int_equal(fs_open(c, "ro/to_rw/f", WR), 0);
	assert_int_equal(fs_rename(c, "f", "ro/rw/moved"), 0);
	assert_int_equal(fs_unlink(c, "ro/rw/f"), 0);
}

static void what_is_hidden_is_not_there(void **state)
{
	static const char *const paths[] = {
		"no",	   "no/",  "/no/f",	"to_no",   "to_no/f",
		"no/none", "no/l", "d/../no/f", "no/l/..", "no/."};
	struct place *place = *state;
	struct fs_caller *c = four(place);
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *path = paths[i];

		assert_int_equal(fs_getattr(c, path), ENOENT);
		assert_int_equal(fs_opendir(c, path), ENOENT);
		assert_int_equal(fs_open(c, path, RD), ENOENT);
		assert_int_equal(fs_setattr(c, path, &attr), ENOENT);
		assert_int_equal(fs_statfs(c, path), ENOENT);
		assert_int_equal(fs_realpath(c, path), ENOENT);
		if (strncmp(path, "to_no", 6) == 0)
			continue;
		assert_int_equal(fs_lgetattr(c, path), ENOENT);
		assert_int_equal(fs_readlink(c, path), ENOENT);
		assert_int_equal(fs_link(c, path, "stolen"), ENOENT);
		assert_int_equal(fs_rename(c, path, "stolen"), ENOENT);
		assert_int_equal(fs_replace(c, "f", path), ENOENT);
		assert_int_equal(fs_mkdir(c, path), ENOENT);
		assert_int_equal(fs_unlink(c, path), ENOENT);
		assert_int_equal(fs_rmdir(c, path), ENOENT);
	}
	/* To know of "/no/open" is to know that there is a "/no". */
	assert_int_equal(fs_getattr(c, "no/open/../../f"), 0);
	assert_int_equal(fs_getattr(c, "no/open/f"), 0);
	assert_int_equal(fs_open(c, "no/open/f", RD), 0);
	assert_int_equal(fs_open(c, "no/open/f", WR), EROFS);
}

static void what_is_hidden_is_not_listed(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = four(place);
	struct fs_names names = {0};

	assert_int_equal(fs_list(c, "/", &names), 0);
	assert_int_equal(fs_names_find(&names, "no", NULL), 0);
	assert_int_equal(fs_names_find(&names, "ro", NULL), 1);
	assert_int_equal(fs_names_find(&names, "f", NULL), 1);
	assert_int_equal(names.count, 6);
	fs_names_release(&names);
	memset(&names, 0, sizeof(names));
	/* By way of another directory it is the same one. */
	assert_int_equal(fs_list(c, "d/..", &names), 0);
	assert_int_equal(fs_names_find(&names, "no", NULL), 0);
	fs_names_release(&names);
}

static void what_a_view_hangs_on_stays_where_it_is(void **state)
{
	static const struct posixfs_view deep = {"/a/b/c", POSIXFS_RO};
	struct place *place = *state;
	struct fs_caller *c;

	assert_int_equal(mkdir(below(place, "a"), 0755), 0);
	assert_int_equal(mkdir(below(place, "a/b"), 0755), 0);
	assert_int_equal(mkdir(below(place, "a/b/c"), 0755), 0);
	assert_int_equal(mkdir(below(place, "a/x"), 0755), 0);
	c = jail(place,
		 &(struct posixfs_config){.views = &deep, .view_count = 1});
	assert_int_equal(fs_rename(c, "a", "z"), EBUSY);
	assert_int_equal(fs_replace(c, "a/b", "z"), EBUSY);
	assert_int_equal(fs_replace(c, "a/x", "a/b"), EBUSY);
	assert_int_equal(fs_rename(c, "a/b/c", "z"), EROFS);
	assert_int_equal(fs_rmdir(c, "a/b/c"), EBUSY);
	assert_int_equal(fs_rename(c, "a/x", "a/y"), 0);
	/* Others on the machine can, and what is there then is as it says. */
	assert_int_equal(rename(below(place, "a/b/c"), below(place, "old")), 0);
	assert_int_equal(mkdir(below(place, "a/b/c"), 0755), 0);
	assert_int_equal(fs_mkdir(c, "a/b/c/new"), EROFS);
	assert_int_equal(rmdir(below(place, "a/b/c")), 0);
	assert_int_equal(fs_mkdir(c, "a/b/c"), EROFS);
	assert_int_equal(fs_open(c, "a/b/c", MAKE), EROFS);
	assert_int_equal(fs_rename(c, "a/y", "a/b/c"), EROFS);
}

static void all_can_be_read_only(void **state)
{
	static const struct posixfs_view views[] = {{"/", POSIXFS_RO},
						    {"/up", POSIXFS_RW}};
	struct place *place = *state;
	struct fs_caller *c;

	assert_int_equal(mkdir(below(place, "up"), 0755), 0);
	put_file(place, "f");
	c = jail(place,
		 &(struct posixfs_config){.views = views, .view_count = 2});
	assert_int_equal(fs_mkdir(c, "new"), EROFS);
	assert_int_equal(fs_unlink(c, "f"), EROFS);
	assert_int_equal(fs_open(c, "f", RD), 0);
	assert_int_equal(fs_open(c, "up/new", MAKE), 0);
	assert_int_equal(fs_rmdir(c, "up"), EBUSY);
	assert_int_equal(fs_replace(c, "up/new", "f"), EROFS);
	assert_int_equal(fs_unlink(c, "up/new"), 0);
	/* The top itself is its own, its name is not. */
	assert_int_equal(
		fs_setattr(c, "up",
			   &(struct csftp_attr){.mask = CSFTP_ATTR_MODE,
						.mode = 0700}),
		0);
	assert_int_equal(mode_of(place, "up"), 0700);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_without_openat2_is_refused),
		TEST(what_cannot_be_is_refused),
		TEST(no_view_is_let_in_where_case_is_ignored),
		TEST(a_resolution_is_tried_again_and_not_forever),
		TEST(the_start_is_inside),
		TEST(a_home_is_told_as_the_jail_sees_it),
		TEST(a_fifo_does_not_hang_and_a_device_is_not_opened),
		TEST(the_roots_parent_is_the_root),
		TEST(names_that_are_no_names_are_refused),
		TEST(attributes_are_set_on_older_kernels),
		TEST(modes_are_masked_and_forced_in_a_jail),
		TEST(modes_are_masked_and_forced_without_one),
		TEST(modes_are_masked_and_forced_among_views),
		TEST(modes_are_masked_and_forced_on_older_kernels),
		TEST(a_forced_mode_of_files_alone_needs_no_proc),
		TEST(what_is_read_only_is_not_changed),
		TEST(nothing_is_made_in_what_is_read_only),
		TEST(what_is_hidden_is_not_there),
		TEST(what_is_hidden_is_not_listed),
		TEST(what_a_view_hangs_on_stays_where_it_is),
		TEST(all_can_be_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
