#define FUSE_USE_VERSION 314

#include "tests/lib/gate.h"

#include <errno.h>
#include <fuse.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

enum { QUIET_MS = 60000 };

static const char *const names[] = {"read",    "write",	 "fsync",  "getattr",
				    "open",    "statfs", "rename", "unlink",
				    "opendir", "free"};

/* The process that serves has these in its fuse_context. */
static const struct gate *our_gate(void)
{
	return fuse_get_context()->private_data;
}

/* Waits if the file is named after what is done with it. */
static void pass(const char *path, const char *what)
{
	const struct gate *gate = our_gate();
	char byte = '.';

	if (strcmp(path + 1, what) != 0)
		return;
	if (write(gate->arrived, &byte, 1) == 1)
		(void)!read(gate->let, &byte, 1);
}

static bool is_there(const char *path)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(path + 1, names[i]) == 0)
			return true;
	return false;
}

static int op_getattr(const char *path, struct stat *st,
		      struct fuse_file_info *info)
{
	bool is_dir = strcmp(path, "/") == 0 || strcmp(path, "/opendir") == 0;

	(void)info;
	if (!is_dir && !is_there(path))
		return -ENOENT;
	pass(path, "getattr");
	*st = (struct stat){.st_nlink = 1};
	st->st_mode = is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_size = is_dir ? 0 : (off_t)strlen(GATE_TEXT);
	st->st_uid = getuid();
	st->st_gid = getgid();
	return 0;
}

static int op_open(const char *path, struct fuse_file_info *info)
{
	pass(path, "open");
	info->direct_io = 1;
	return 0;
}

static int op_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
	(void)mode;
	return op_open(path, info);
}

static int op_truncate(const char *path, off_t size,
		       struct fuse_file_info *info)
{
	(void)path;
	(void)size;
	(void)info;
	return 0;
}

static int op_read(const char *path, char *to, size_t len, off_t off,
		   struct fuse_file_info *info)
{
	size_t size = strlen(GATE_TEXT);

	(void)info;
	pass(path, "read");
	if ((size_t)off >= size)
		return 0;
	if (len > size - (size_t)off)
		len = size - (size_t)off;
	memcpy(to, &GATE_TEXT[off], len);
	return (int)len;
}

static int op_write(const char *path, const char *data, size_t len, off_t off,
		    struct fuse_file_info *info)
{
	(void)data;
	(void)off;
	(void)info;
	pass(path, "write");
	return (int)len;
}

static int op_fsync(const char *path, int only_data,
		    struct fuse_file_info *info)
{
	(void)only_data;
	(void)info;
	pass(path, "fsync");
	return 0;
}

static int op_statfs(const char *path, struct statvfs *vfs)
{
	pass(path, "statfs");
	*vfs = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096};
	return 0;
}

static int op_rename(const char *path, const char *to, unsigned flags)
{
	(void)to;
	(void)flags;
	pass(path, "rename");
	return 0;
}

static int op_unlink(const char *path)
{
	pass(path, "unlink");
	return 0;
}

static int op_opendir(const char *path, struct fuse_file_info *info)
{
	(void)info;
	pass(path, "opendir");
	return 0;
}

static int op_readdir(const char *path, void *buf, fuse_fill_dir_t fill,
		      off_t off, struct fuse_file_info *info,
		      enum fuse_readdir_flags flags)
{
	(void)path;
	(void)off;
	(void)info;
	(void)flags;
	(void)fill(buf, ".", NULL, 0, 0);
	(void)fill(buf, "..", NULL, 0, 0);
	return 0;
}

static void *op_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	config->attr_timeout = 0;
	config->entry_timeout = 0;
	config->negative_timeout = 0;
	return fuse_get_context()->private_data;
}

static const struct fuse_operations ops = {
	.init = op_init,
	.getattr = op_getattr,
	.open = op_open,
	.create = op_create,
	.truncate = op_truncate,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.statfs = op_statfs,
	.rename = op_rename,
	.unlink = op_unlink,
	.opendir = op_opendir,
	.readdir = op_readdir,
};

/* The process: says "." once it is mounted, and ends when it is not. */
static int serve(struct gate *gate)
{
	char program[] = "gate", option[] = "-osubtype=gate";
	char *argv[] = {program, option, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse *fuse = fuse_new(&args, &ops, sizeof(ops), gate);

	if (!fuse || fuse_mount(fuse, gate->point) != 0 ||
	    write(gate->arrived, ".", 1) != 1)
		return 1;
	(void)fuse_loop_mt(fuse, NULL);
	fuse_unmount(fuse);
	fuse_destroy(fuse);
	return 0;
}

void gate_mount(struct gate *gate, const char *point)
{
	int arrived[2], let[2];

	if (access("/dev/fuse", R_OK | W_OK) != 0)
		skip_because("/dev/fuse cannot be used");
	*gate = (struct gate){.pid = 0};
	proc_print(gate->point, sizeof(gate->point), "%s", point);
	assert_int_equal(pipe2(arrived, O_CLOEXEC), 0);
	assert_int_equal(pipe2(let, O_CLOEXEC), 0);
	gate->pid = fork();
	assert_true(gate->pid >= 0);
	if (gate->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(arrived[0]);
		close(let[1]);
		gate->arrived = arrived[1];
		gate->let = let[0];
		_exit(serve(gate));
	}
	close(arrived[1]);
	close(let[0]);
	gate->arrived = arrived[0];
	gate->let = let[1];
	gate_await(gate);
}

bool gate_has_one(const struct gate *gate)
{
	struct pollfd fd = {.fd = gate->arrived, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

void gate_await(const struct gate *gate)
{
	struct pollfd fd = {.fd = gate->arrived, .events = POLLIN};
	char byte;

	if (poll(&fd, 1, QUIET_MS) != 1 || read(gate->arrived, &byte, 1) != 1)
		fail_msg("nobody comes to the gate");
}

void gate_open(const struct gate *gate, unsigned count)
{
	while (count-- > 0)
		assert_int_equal(write(gate->let, ".", 1), 1);
}

void gate_unmount(struct gate *gate)
{
	if (gate->pid <= 0)
		return;
	/* Whoever waits finds the gate's end, and goes on. */
	close(gate->let);
	if (umount2(gate->point, MNT_DETACH) != 0)
		(void)proc_sh(0, "fusermount3 -uz '%s'", gate->point);
	if (proc_wait(gate->pid, QUIET_MS) == -1)
		proc_stop(gate->pid);
	close(gate->arrived);
	gate->pid = 0;
}
