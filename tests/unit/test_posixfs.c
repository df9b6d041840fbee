#include "server/posixfs.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/account.h"
#include "server/posixfs_impl.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/local.h"
#include "tests/lib/test.h"

#define RW     (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)
#define NOBODY 65534

/*
 * Calls of the C library that are taken over here, so that a kernel or file
 * system that cannot do them can be played, and look-ups be counted.
 */
static struct {
	bool old_kernel;
	int openat2_err;
	unsigned openat2_errs; /* how often; then it works */
	unsigned lookups;
} played;

/* The object in the library that has these two is not linked then. */
int posixfs_openat2(int dirfd, const char *path, int flags, mode_t mode,
		    uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint32_t)flags, .mode = mode, .resolve = resolve};

	if (played.openat2_errs > 0) {
		played.openat2_errs--;
		errno = played.openat2_err;
		return -1;
	}
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

int posixfs_fchmodat2(int dirfd, const char *path, mode_t mode, int flags)
{
	if (!played.old_kernel)
		return (int)syscall(452, dirfd, path, mode, flags);
	errno = ENOSYS;
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

static bool give(struct account *out, const struct passwd *pw)
{
	out->name = pw ? pw->pw_name : NULL;
	out->home = pw ? pw->pw_dir : NULL;
	return pw;
}

bool account_user(struct account *out, uid_t uid)
{
	played.lookups++;
	out->name = "played";
	return uid == 4000000000U || give(out, getpwuid(uid));
}

bool account_user_named(struct account *out, const char *name)
{
	return give(out, getpwnam(name));
}

bool account_group(struct account *out, gid_t gid)
{
	const struct group *gr = getgrgid(gid);

	out->name = gr ? gr->gr_name : NULL;
	return gr;
}

/* Descriptors of this process; also whether all above 2 close on exec. */
static unsigned count_fds(bool *all_close)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *name;
	unsigned count = 0;

	assert_non_null(dir);
	for (name = readdir(dir); name; name = readdir(dir)) {
		int fd = (int)strtol(name->d_name, NULL, 10);

		if (name->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		count++;
		if (all_close && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			*all_close = fd > 2 ? false : *all_close;
	}
	closedir(dir);
	return count;
}

static void all_is_closed_on_free_and_on_exec(void **state)
{
	struct local *local = *state;
	struct fs_caller c = {0};
	bool inherited_none = true;
	bool all_close = true;
	unsigned before = count_fds(&inherited_none);

	assert_int_equal(
		posixfs_new(&c.fs,
			    &(struct posixfs_config){.start = local->dir}),
		CSFTP_OK);
	fs_opened(&c, "f", RW);
	fs_opened(&c, "f", CSFTP_OPEN_READ);
	assert_int_equal(fs_opendir(&c, ""), 0);
	assert_int_equal(count_fds(&all_close), before + 4);
	if (inherited_none)
		assert_true(all_close);
	posixfs_free(c.fs);
	assert_int_equal(count_fds(NULL), before);
	posixfs_free(NULL);
}

static void a_full_table_is_emfile(void **state)
{
	struct local *local = *state;
	struct fs_caller c = {0};
	csftp_fh fh;

	assert_int_equal(
		posixfs_new(&c.fs, &(struct posixfs_config){.start = local->dir,
							    .handles = 2}),
		CSFTP_OK);
	fh = fs_opened(&c, "a", RW);
	assert_int_equal(fs_opendir(&c, ""), 0);
	assert_int_equal(fs_open(&c, "new", RW), EMFILE);
	assert_int_equal(fs_opendir(&c, ""), EMFILE);
	assert_int_equal(fs_getattr(&c, "new"), ENOENT);
	assert_int_equal(fs_close(&c, fh), 0);
	fs_opened(&c, "a", RW);
	posixfs_free(c.fs);
}

static void a_missing_start_directory_is_reported(void **state)
{
	struct csftp_fs *fs = NULL;
	unsigned before = count_fds(NULL);

	(void)state;
	errno = 0;
	assert_int_equal(
		posixfs_new(&fs, &(struct posixfs_config){.start = "/none"}),
		CSFTP_ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(
		posixfs_new(&fs,
			    &(struct posixfs_config){.start = "/dev/null"}),
		CSFTP_ERR_IO);
	assert_int_equal(errno, ENOTDIR);
	assert_null(fs);
	assert_int_equal(count_fds(NULL), before);
}

static void relative_paths_begin_at_the_start_directory(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	char path[128];

	assert_int_equal(fs_mkdir(c, "d"), 0);
	snprintf(path, sizeof(path), "%s/d", local->dir);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(fs_realpath(c, "d"), 0);
	assert_string_equal(c->text, path);
	assert_int_equal(fs_getattr(c, path), 0);
}

static void the_processes_umask_applies(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	mode_t old = umask(027);
	struct csftp_req req = {.op = CSFTP_OP_OPEN, .path = "f", .flags = RW};

	assert_int_equal(fs_call(c, &req), 0);
	assert_int_equal(fs_fgetattr(c, c->fh), 0);
	assert_int_equal(c->attr.mode, S_IFREG | 0640);
	assert_int_equal(fs_mkdir(c, "d"), 0);
	assert_int_equal(fs_getattr(c, "d"), 0);
	assert_int_equal(c->attr.mode, S_IFDIR | 0750);
	umask(old);
}

/* Root may do anything: be someone else for a while. */
static void be_nobody(void)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
}

static void be_oneself(void)
{
	assert_int_equal(seteuid(getuid()), 0);
}

static void rights_are_the_callers(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	const struct csftp_attr none = {.mask = CSFTP_ATTR_MODE};
	int err[3];

	fs_opened(c, "f", RW);
	assert_int_equal(fs_mkdir(c, "d"), 0);
	assert_int_equal(fs_mkdir(c, "d/e"), 0);
	assert_int_equal(fs_setattr(c, "f", &none), 0);
	assert_int_equal(fs_setattr(c, "d", &none), 0);
	be_nobody();
	err[0] = fs_open(c, "f", CSFTP_OPEN_READ);
	err[1] = fs_getattr(c, "d/e");
	err[2] = fs_opendir(c, "d");
	be_oneself();
	assert_int_equal(err[0], EACCES);
	assert_int_equal(err[1], EACCES);
	assert_int_equal(err[2], EACCES);
	assert_int_equal(
		fs_setattr(c, "d",
			   &(struct csftp_attr){.mask = CSFTP_ATTR_MODE,
						.mode = 0700}),
		0);
}

static void a_name_that_cannot_be_looked_at_is_listed(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0444};
	struct fs_names names = {0};
	size_t i = 0;
	int err;

	assert_int_equal(fs_mkdir(c, "d"), 0);
	fs_opened(c, "d/f", RW);
	assert_int_equal(fs_setattr(c, "d", &attr), 0);
	be_nobody();
	err = fs_list(c, "d", &names);
	be_oneself();
	assert_int_equal(err, 0);
	assert_int_equal(fs_names_find(&names, "f", &i), 1);
	assert_int_equal(names.attr[i].mask, 0);
	fs_names_release(&names);
	attr.mode = 0700;
	assert_int_equal(fs_setattr(c, "d", &attr), 0);
}

static void a_fifo_does_not_hang(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE};
	char path[128];
	csftp_fh rd;
	csftp_fh wr;

	snprintf(path, sizeof(path), "%s/fifo", local->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fs_open(c, "fifo", CSFTP_OPEN_WRITE), ENXIO);
	assert_int_equal(fs_setattr(c, "fifo", &attr), EINVAL);
	rd = fs_opened(c, "fifo", CSFTP_OPEN_READ);
	assert_int_equal(fs_read(c, rd, 0, 10), 0);
	assert_true(c->eof);
	wr = fs_opened(c, "fifo", CSFTP_OPEN_WRITE);
	assert_int_equal(fs_read(c, rd, 0, 10), EAGAIN);
	/* It cannot seek: the offset has no meaning. */
	assert_int_equal(fs_write(c, wr, 5, "abc", 3), 0);
	assert_int_equal(fs_read(c, rd, 7, 10), 0);
	assert_int_equal(c->data_len, 3);
	assert_memory_equal(c->data, "abc", 3);
	assert_int_equal(fs_close(c, rd), 0);
	assert_int_equal(fs_close(c, wr), 0);
}

static void a_link_is_not_followed_out_of_a_removal(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;

	assert_int_equal(fs_symlink(c, "l", "/"), 0);
	assert_int_equal(fs_unlink(c, "l"), 0);
	assert_int_equal(fs_getattr(c, "/"), 0);
}

static void a_read_without_room_uses_our_own(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	const size_t len = 300000;
	char *data = malloc(len);
	struct csftp_req req = {.op = CSFTP_OP_READ, .len = len};

	assert_non_null(data);
	memset(data, 'x', len);
	req.fh = fs_opened(c, "f", RW);
	assert_int_equal(fs_write(c, req.fh, 0, data, len), 0);
	assert_int_equal(fs_call(c, &req), 0);
	assert_int_equal(c->data_len, 256 * 1024);
	assert_false(c->eof);
	assert_memory_equal(c->data, data, c->data_len);
	free(data);
}

struct nested {
	struct csftp_req req;
	struct fs_caller *c;
	csftp_fh to;
	unsigned answers;
};

static void read_and_copy(struct csftp_req *req,
			  const struct csftp_reply *reply)
{
	struct nested *nested = (struct nested *)req;
	struct csftp_req inner = {
		.op = CSFTP_OP_READ, .fh = req->fh, .off = 5, .len = 5};

	nested->answers++;
	assert_memory_equal(reply->data.ptr, "01234", 5);
	assert_int_equal(fs_call(nested->c, &inner), 0);
	assert_memory_equal(nested->c->data, "56789", 5);
	played.old_kernel = true;
	inner = (struct csftp_req){
		.fh = req->fh, .fh2 = nested->to, .off = 3, .len = 4};
	assert_int_equal(fs_copy_range(nested->c, &inner), 0);
	played.old_kernel = false;
	assert_memory_equal(reply->data.ptr, "01234", 5);
}

static void a_reply_lives_until_done_returns(void **state)
{
	struct local *local = *state;
	struct nested nested = {.c = &local->c};
	csftp_fh fh = fs_opened(&local->c, "f", RW);

	nested.to = fs_opened(&local->c, "g", RW);
	assert_int_equal(fs_write(&local->c, fh, 0, "0123456789", 10), 0);
	nested.req = (struct csftp_req){
		.op = CSFTP_OP_READ, .fh = fh, .len = 5, .done = read_and_copy};
	csftp_submit(local->c.fs, &nested.req);
	assert_int_equal(nested.answers, 1);
}

static void files_that_do_not_tell_their_size_are_copied(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_req range = {0};
	size_t len;
	char text[4096];

	if (access("/proc/version", R_OK) != 0)
		skip();
	range.fh = fs_opened(c, "/proc/version", CSFTP_OPEN_READ);
	range.fh2 = fs_opened(c, "f", RW);
	assert_int_equal(fs_read_all(c, range.fh, 0, sizeof(text)), 0);
	len = c->data_len;
	assert_in_range(len, 1, sizeof(text));
	memcpy(text, c->data, len);
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, len);
	assert_int_equal(fs_read_all(c, range.fh2, 0, sizeof(text)), 0);
	assert_int_equal(c->data_len, len);
	assert_memory_equal(c->data, text, len);
}

static void a_full_device_is_enospc(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	csftp_fh fh;

	if (access("/dev/full", W_OK) != 0)
		skip();
	fh = fs_opened(c, "/dev/full", CSFTP_OPEN_WRITE);
	assert_int_equal(fs_write(c, fh, 0, "x", 1), ENOSPC);
	assert_int_equal(fs_close(c, fh), 0);
}

static void a_number_is_looked_up_once(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	void *fs = c->fs;
	struct csftp_req req = {.op = CSFTP_OP_IDNAME,
				.flags = CSFTP_ID_USER,
				.off = 4000000000U};
	const char *name;

	played.lookups = 0;
	for (int i = 0; i < 3; i++) {
		name = posixfs_idname(fs, CSFTP_ID_USER, 4000000000U);
		assert_non_null(name);
		assert_string_equal(name, "played");
		/* That there is none is remembered too. */
		assert_null(posixfs_idname(fs, CSFTP_ID_USER, 4000000001U));
	}
	assert_int_equal(played.lookups, 2);
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "played");
	assert_int_equal(played.lookups, 2);
	/* Another number in the same place of the table drives it out. */
	assert_null(posixfs_idname(fs, CSFTP_ID_USER, 4000000000U + 256));
	assert_non_null(posixfs_idname(fs, CSFTP_ID_USER, 4000000000U));
	assert_int_equal(played.lookups, 4);
}

static void names_of_numbers_are_found_or_enoent(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	struct csftp_req req = {.op = CSFTP_OP_IDNAME, .flags = CSFTP_ID_USER};

	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "root");
	req.flags = CSFTP_ID_GROUP;
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, "root");
	req.off = 4000000000U;
	assert_int_equal(fs_call(c, &req), ENOENT);
	/* Not user 0, whose number these bits are below. */
	req.off = 1ULL << 32;
	req.flags = CSFTP_ID_USER;
	assert_int_equal(fs_call(c, &req), ENOENT);
	req.flags = 0;
	assert_int_equal(fs_call(c, &req), EINVAL);
	req.flags = CSFTP_ID_USER | CSFTP_ID_GROUP;
	assert_int_equal(fs_call(c, &req), EINVAL);
}

static void homes_are_those_of_the_user_database(void **state)
{
	struct local *local = *state;
	struct fs_caller *c = &local->c;
	const struct passwd *root = getpwnam("root");
	struct csftp_req req = {.op = CSFTP_OP_HOMEDIR, .path = "root"};
	char below[128];

	assert_non_null(root);
	assert_int_equal(fs_call(c, &req), 0);
	assert_string_equal(c->text, root->pw_dir);
	if (access(root->pw_dir, X_OK) == 0) {
		assert_int_equal(fs_expand(c, "~root/no-such-file"), 0);
		snprintf(below, sizeof(below), "%s/no-such-file", root->pw_dir);
		assert_string_equal(c->text, below);
	}
	req.path = "no-such-user";
	assert_int_equal(fs_call(c, &req), ENOENT);
	/* Without EXPAND it is a name like any other. */
	assert_int_equal(fs_realpath(c, "~"), 0);
	snprintf(below, sizeof(below), "%s/~", local->dir);
	assert_string_equal(c->text, below);
}

/* What a file system is made with, for the suite. */
struct shape {
	const char *name;
	bool jail;
	bool views;
	bool old_kernel;
};

static int run_suite(const struct shape *shape)
{
	static const struct posixfs_view views[] = {{"/ro", POSIXFS_RO},
						    {"/no", POSIXFS_NONE}};
	struct fs_suite suite = {.name = shape->name, .has = FS_ALL};
	struct posixfs_config config = {0};
	void *state = NULL;
	mode_t old = umask(022);
	struct local *local;
	int failed;

	if (local_set_up(&state) != 0)
		return 1;
	local = state;
	suite.base = local->dir;
	if (shape->jail) {
		config.root = local->dir;
		suite.base = "";
	}
	if (shape->views) {
		if (fs_mkdir(&local->c, "ro") != 0 ||
		    fs_mkdir(&local->c, "no") != 0)
			return 1;
		config.views = views;
		config.view_count = 2;
	}
	if (posixfs_new(&suite.caller.fs, &config) != CSFTP_OK)
		return 1;
	if (geteuid() != 0)
		suite.has &= ~FS_CHOWN;
	played.old_kernel = shape->old_kernel;
	failed = fs_suite_run(&suite);
	played.old_kernel = false;
	umask(old);
	fs_caller_release(&suite.caller);
	posixfs_free(suite.caller.fs);
	return local_tear_down(&state) == 0 ? failed : failed + 1;
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, local_set_up, local_tear_down)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct shape shapes[] = {
	{.name = "posixfs"},
	/* Without RENAME_NOREPLACE, fchmodat2(2) and copy_file_range(2). */
	{.name = "posixfs on an old kernel", .old_kernel = true},
	{.name = "posixfs in a jail", .jail = true},
	{.name = "posixfs in a jail with views, on an old kernel",
	 .jail = true,
	 .views = true,
	 .old_kernel = true},
};

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_closed_on_free_and_on_exec),
		TEST(a_full_table_is_emfile),
		TEST(a_missing_start_directory_is_reported),
		TEST(relative_paths_begin_at_the_start_directory),
		TEST(the_processes_umask_applies),
		TEST(rights_are_the_callers),
		TEST(a_name_that_cannot_be_looked_at_is_listed),
		TEST(a_fifo_does_not_hang),
		TEST(a_link_is_not_followed_out_of_a_removal),
		TEST(a_read_without_room_uses_our_own),
		TEST(a_reply_lives_until_done_returns),
		TEST(files_that_do_not_tell_their_size_are_copied),
		TEST(a_full_device_is_enospc),
		TEST(a_number_is_looked_up_once),
		TEST(names_of_numbers_are_found_or_enoent),
		TEST(homes_are_those_of_the_user_database),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		failed += run_suite(&shapes[i]);
	return failed;
}
