/*
 * What a mount over OpenSSH's server, which says "Failure" for most reasons,
 * says where file systems begin and end; with file systems made for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

#define LINKS_MAX_EXT4 65000

/* In served/: disk/, an ext4; memory/ and the file over, a tmpfs and one's. */
struct ground {
	struct mounted mounted; /* first */
	bool has_disk;
	bool has_memory;
	bool has_over;
};

static void served_path(const struct ground *ground, const char *name,
			char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.2000s/%.1000s",
		   ground->mounted.served, name);
}

static void mounted_path(const struct ground *ground, const char *name,
			 char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.2000s/%.1000s",
		   ground->mounted.point, name);
}

/* One without loop devices, or without the right to mount, skips. */
static void make_disk(struct ground *ground)
{
	const char *served = ground->mounted.served;
	char command[PROC_PATH_MAX];

	proc_print(command, sizeof(command),
		   "cd '%.1000s' && mkdir disk && truncate -s 16M ../image && "
		   "mkfs.ext4 -q -b 1024 ../image && "
		   "mount -o loop ../image disk",
		   served);
	ground->has_disk = system(command) == 0;
	if (!ground->has_disk)
		skip_because("no ext4 can be made and mounted");
}

static void make_memory(struct ground *ground)
{
	char path[PROC_PATH_MAX], over[PROC_PATH_MAX];

	served_path(ground, "memory", path);
	assert_int_equal(mkdir(path, 0755), 0);
	ground->has_memory =
		mount("none", path, "tmpfs", 0, "size=1m,mode=755") == 0;
	if (!ground->has_memory)
		skip_because("no tmpfs can be mounted");
	served_path(ground, "memory/file", path);
	served_path(ground, "over", over);
	file_write(path, "there", 5);
	file_write(over, "here", 4);
	ground->has_over = mount(path, over, NULL, MS_BIND, NULL) == 0;
}

static int start(void **state)
{
	struct ground *ground = calloc(1, sizeof(*ground));

	if (!ground)
		return -1;
	*state = ground;
	mounted_start(&ground->mounted, SSH_OPENSSH);
	return 0;
}

static int stop(void **state)
{
	struct ground *ground = *state;
	char path[PROC_PATH_MAX];

	mounted_drop(&ground->mounted);
	served_path(ground, "over", path);
	if (ground->has_over)
		(void)umount(path);
	served_path(ground, "memory", path);
	if (ground->has_memory)
		(void)umount(path);
	served_path(ground, "disk", path);
	if (ground->has_disk)
		(void)umount(path);
	mounted_stop(&ground->mounted);
	free(ground);
	return 0;
}

static void assert_fails(int result, int err)
{
	int got = errno;

	assert_int_equal(result, -1);
	assert_int_equal(got, err);
}

static void where_others_are_mounted_is_busy(void **state)
{
	struct ground *ground = *state;
	char memory[PROC_PATH_MAX], over[PROC_PATH_MAX], other[PROC_PATH_MAX];

	make_memory(ground);
	mounted_path(ground, "memory", memory);
	mounted_path(ground, "other", other);
	assert_fails(rmdir(memory), EBUSY);
	assert_fails(rename(memory, other), EBUSY);
	assert_int_equal(mkdir(other, 0755), 0);
	assert_fails(rename(other, memory), EBUSY);
	mounted_path(ground, "over", over);
	mounted_path(ground, "file", other);
	file_write(other, "x", 1);
	if (!ground->has_over)
		return;
	assert_fails(unlink(over), EBUSY);
	assert_fails(rename(other, over), EBUSY);
	/* And from one file system to the other. */
	mounted_path(ground, "memory/new", over);
	assert_fails(rename(other, over), EXDEV);
	assert_fails(link(other, over), EXDEV);
}

static void a_file_has_so_many_links(void **state)
{
	struct ground *ground = *state;
	char dir[PROC_PATH_MAX], path[PROC_PATH_MAX], from[PROC_PATH_MAX];

	make_disk(ground);
	served_path(ground, "disk/dir", dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	served_path(ground, "disk/file", from);
	file_write(from, "x", 1);
	for (unsigned i = 1; i < LINKS_MAX_EXT4; i++) {
		proc_print(path, sizeof(path), "%.4000s/%u", dir, i);
		assert_int_equal(link(from, path), 0);
	}
	mounted_path(ground, "disk/file", from);
	mounted_path(ground, "disk/more", path);
	assert_fails(link(from, path), EMLINK);
	proc_print(path, sizeof(path), "%.4000s/7", dir);
	assert_int_equal(unlink(path), 0);
	mounted_path(ground, "disk/more", path);
	assert_int_equal(link(from, path), 0);
}

static void a_file_is_so_large(void **state)
{
	const off_t max = (off_t)0xffffffff * 1024;
	struct ground *ground = *state;
	char path[PROC_PATH_MAX];
	int fd;

	make_disk(ground);
	mounted_path(ground, "disk/file", path);
	file_write(path, "x", 1);
	assert_fails(truncate(path, max + 1), EFBIG);
	assert_int_equal(truncate(path, max), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "xy", 2, max - 1), 2);
	assert_fails(fsync(fd), EFBIG);
	(void)close(fd);
}

static void a_full_disk_is_full(void **state)
{
	static char block[65536];
	struct ground *ground = *state;
	char path[PROC_PATH_MAX];
	ssize_t wrote = sizeof(block);
	int fd;

	make_memory(ground);
	mounted_path(ground, "memory/large", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	for (int i = 0; i < 32 && wrote > 0; i++)
		wrote = write(fd, block, sizeof(block));
	if (wrote > 0)
		wrote = fsync(fd);
	assert_fails((int)wrote, ENOSPC);
	(void)close(fd);
}

/* By whichever of the open files the kernel has the pages written. */
static void what_a_mapping_could_not_write_is_said(void **state)
{
	const size_t size = 4096;
	struct ground *ground = *state;
	char path[PROC_PATH_MAX];
	int fd, other;
	char *map, *second;

	make_memory(ground);
	mounted_path(ground, "memory/large", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	second = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	assert_true(map != MAP_FAILED && second != MAP_FAILED);
	must_sh("head -c 2M /dev/zero >'%s/memory/fill' 2>&1 || :",
		ground->mounted.served);
	map[0] = 'x';
	assert_fails(msync(map, size, MS_SYNC), ENOSPC);
	munmap(map, size);
	munmap(second, size);
	close(fd);
	close(other);
}

/* A server that is not root's, whose sftp-server ssh_command runs. */
static void what_is_its_owners_to_do_is_eperm(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 6}};
	struct ground *ground = *state;
	char path[PROC_PATH_MAX], other[PROC_PATH_MAX];

	skip_without("setpriv");
	mounted_unmount(&ground->mounted);
	/* That may look up names, as the directory of a check is root's. */
	must_sh("cd '%s' && printf '#!/bin/sh\\nexec setpriv --reuid=65534 "
		"--regid=65534 --clear-groups --inh-caps=+dac_read_search "
		"--ambient-caps=+dac_read_search %s\\n' >carry && "
		"chmod 755 carry . served && cd served && mkdir tmp mine && "
		"chmod 1777 tmp && touch tmp/file mine/file && "
		"chown 65534 mine",
		ground->mounted.dir, OPENSSH_SFTP_SERVER);
	proc_print(path, sizeof(path), "ssh_command=%.2000s/carry",
		   ground->mounted.dir);
	mounted_mount(&ground->mounted, path);
	mounted_path(ground, "tmp/file", path);
	assert_fails(chmod(path, 0666), EPERM);
	assert_fails(chown(path, 65534, 65534), EPERM);
	assert_fails(utimensat(AT_FDCWD, path, times, 0), EPERM);
	assert_fails(utimensat(AT_FDCWD, path, NULL, 0), EACCES);
	assert_fails(truncate(path, 0), EACCES);
	assert_fails(unlink(path), EPERM);
	mounted_path(ground, "tmp/other", other);
	assert_fails(rename(path, other), EPERM);
	mounted_path(ground, "new", other);
	assert_fails(mkdir(other, 0755), EACCES);
	mounted_path(ground, "mine/file", path);
	assert_fails(chmod(path, 0666), EPERM);
	assert_int_equal(unlink(path), 0);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(where_others_are_mounted_is_busy),
		CLAIM(a_file_has_so_many_links),
		CLAIM(a_file_is_so_large),
		CLAIM(a_full_disk_is_full),
		CLAIM(what_is_its_owners_to_do_is_eperm),
		CLAIM(what_a_mapping_could_not_write_is_said),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
