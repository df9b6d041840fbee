#include "tests/lib/oracle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

enum {
	NAMES = 12, /* of files and directories, at each depth */
	FILE_MAX = 300000,
	CHUNK_MAX = 70000,
	SET_TIME_MAX = 1500000000,
};

#define MOUNT	  ORACLE_MOUNT
#define LOCAL	  ORACLE_LOCAL
#define SIDES	  ORACLE_SIDES
#define OPEN_MAX_ ORACLE_OPEN
#define LOG_LINES ORACLE_LINES
#define LINE	  ORACLE_LINE

static uint32_t draw(struct oracle *oracle, uint32_t below)
{
	oracle->random ^= oracle->random << 13;
	oracle->random ^= oracle->random >> 7;
	oracle->random ^= oracle->random << 17;
	return (uint32_t)((oracle->random >> 24) % below);
}

__attribute__((format(printf, 2, 3))) static void note(struct oracle *oracle,
						       const char *format, ...)
{
	char *line = oracle->log[oracle->count % LOG_LINES];
	va_list args;
	int len;

	len = snprintf(line, LINE, "%" PRIu64 ": ", oracle->count);
	va_start(args, format);
	vsnprintf(line + len, LINE - (size_t)len, format, args);
	va_end(args);
}

_Noreturn static void disagree(struct oracle *oracle, const char *what)
{
	uint64_t first =
		oracle->count < LOG_LINES ? 0 : oracle->count - LOG_LINES + 1;

	for (uint64_t i = first; i <= oracle->count; i++)
		print_message("# %s\n", oracle->log[i % LOG_LINES]);
	print_message("# CSFTP_ORACLE_SEED=%" PRIu64 "\n", oracle->seed);
	fail_msg("operation %" PRIu64 ": %s", oracle->count, what);
	abort();
}

/* Both results and, where they are errors, both errnos have to be equal. */
static void agree(struct oracle *oracle, const char *what,
		  const int64_t result[SIDES], const int err[SIDES])
{
	char text[LINE];

	if (result[LOCAL] >= 0)
		oracle->succeeded++;
	if (result[MOUNT] == result[LOCAL] &&
	    (result[LOCAL] >= 0 || err[MOUNT] == err[LOCAL]))
		return;
	snprintf(text, sizeof(text),
		 "%s: %" PRId64 " (%s), not %" PRId64 " (%s)", what,
		 result[MOUNT], result[MOUNT] < 0 ? strerror(err[MOUNT]) : "",
		 result[LOCAL], result[LOCAL] < 0 ? strerror(err[LOCAL]) : "");
	disagree(oracle, text);
}

/* "n3", "n1/n7" or "n1/n2/n5": often there, often not, of either type. */
static void draw_path(struct oracle *oracle, char path[64])
{
	uint32_t depth = draw(oracle, 6);

	if (depth < 3)
		proc_print(path, 64, "n%u", draw(oracle, NAMES));
	else if (depth < 5)
		proc_print(path, 64, "n%u/n%u", draw(oracle, NAMES),
			   draw(oracle, NAMES));
	else
		proc_print(path, 64, "n%u/n%u/n%u", draw(oracle, NAMES),
			   draw(oracle, NAMES), draw(oracle, NAMES));
}

/* One of the open files that has what is asked for; -1: there is none. */
static int draw_open(struct oracle *oracle, bool reads, bool writes)
{
	uint32_t start = draw(oracle, OPEN_MAX_);

	for (uint32_t i = 0; i < OPEN_MAX_; i++) {
		uint32_t slot = (start + i) % OPEN_MAX_;

		if (oracle->open[slot][LOCAL] >= 0 &&
		    (!reads || oracle->readable[slot]) &&
		    (!writes || oracle->writable[slot]))
			return (int)slot;
	}
	return -1;
}

/* Calls of the shape (directory, path, number) and (directory, path, path). */
typedef int (*path_call)(int dir, const char *path, uint32_t value);
typedef int (*two_path_call)(int dir, const char *path, const char *path2);

static void on_path(struct oracle *oracle, const char *name, path_call call,
		    uint32_t value)
{
	int64_t result[SIDES];
	int err[SIDES];
	char path[64];

	draw_path(oracle, path);
	note(oracle, "%s %s %u", name, path, value);
	for (int side = 0; side < SIDES; side++) {
		result[side] = call(oracle->root[side], path, value);
		err[side] = errno;
	}
	agree(oracle, name, result, err);
}

static void on_two_paths(struct oracle *oracle, const char *name,
			 two_path_call call)
{
	int64_t result[SIDES];
	int err[SIDES];
	char path[64], path2[64];

	draw_path(oracle, path);
	draw_path(oracle, path2);
	note(oracle, "%s %s %s", name, path, path2);
	for (int side = 0; side < SIDES; side++) {
		result[side] = call(oracle->root[side], path, path2);
		err[side] = errno;
	}
	agree(oracle, name, result, err);
}

static int call_mkdir(int dir, const char *path, uint32_t mode)
{
	return mkdirat(dir, path, mode);
}

static int call_rmdir(int dir, const char *path, uint32_t unused)
{
	(void)unused;
	return unlinkat(dir, path, AT_REMOVEDIR);
}

static int call_unlink(int dir, const char *path, uint32_t unused)
{
	(void)unused;
	return unlinkat(dir, path, 0);
}

static int call_chmod(int dir, const char *path, uint32_t mode)
{
	return fchmodat(dir, path, mode, 0);
}

static int call_utimens(int dir, const char *path, uint32_t when)
{
	struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when / 2}};

	return utimensat(dir, path, times, 0);
}

static int call_truncate(int dir, const char *path, uint32_t size)
{
	char name[128];

	/* There is no such call relative to a directory. */
	proc_print(name, sizeof(name), "/proc/self/fd/%d/%s", dir, path);
	return truncate(name, size);
}

static int call_symlink(int dir, const char *path, const char *text)
{
	return symlinkat(text, dir, path);
}

/*
 * SFTP says nothing of which names are the same file, so two names of one are
 * two files to the mount, with a cache each, as documented.  Here a link
 * replaces the name it was made of.
 */
static int call_link(int dir, const char *path, const char *path2)
{
	if (linkat(dir, path, dir, path2, 0) != 0)
		return -1;
	return unlinkat(dir, path, 0);
}

static int call_rename(int dir, const char *path, const char *path2)
{
	return renameat(dir, path, dir, path2);
}

static void op_mkdir(struct oracle *oracle)
{
	on_path(oracle, "mkdir", call_mkdir, draw(oracle, 2) ? 0755 : 0700);
}

static void close_all(struct oracle *oracle);

/* What has lost its name cannot be opened again after a cut. */
static void spare_open(struct oracle *oracle)
{
	if (oracle->is_cut)
		close_all(oracle);
}

static void op_rmdir(struct oracle *oracle)
{
	on_path(oracle, "rmdir", call_rmdir, 0);
}

static void op_unlink(struct oracle *oracle)
{
	spare_open(oracle);
	on_path(oracle, "unlink", call_unlink, 0);
}

static void op_chmod(struct oracle *oracle)
{
	on_path(oracle, "chmod", call_chmod, 0700 | draw(oracle, 0100));
}

static void op_utimens(struct oracle *oracle)
{
	on_path(oracle, "utimens", call_utimens,
		SET_TIME_MAX - 1 - draw(oracle, 500000000));
}

static void op_truncate(struct oracle *oracle)
{
	on_path(oracle, "truncate", call_truncate, draw(oracle, FILE_MAX));
}

static void op_symlink(struct oracle *oracle)
{
	on_two_paths(oracle, "symlink", call_symlink);
}

static void op_rename(struct oracle *oracle)
{
	spare_open(oracle);
	on_two_paths(oracle, "rename", call_rename);
}

static void close_slot(struct oracle *oracle, uint32_t slot)
{
	int64_t result[SIDES];
	int err[SIDES] = {0};

	if (oracle->open[slot][LOCAL] < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		result[side] = close(oracle->open[slot][side]);
		err[side] = errno;
		oracle->open[slot][side] = -1;
	}
	agree(oracle, "close", result, err);
}

static void close_all(struct oracle *oracle)
{
	for (uint32_t slot = 0; slot < OPEN_MAX_; slot++)
		close_slot(oracle, slot);
}

static void op_link(struct oracle *oracle)
{
	close_all(oracle);
	on_two_paths(oracle, "link", call_link);
}

static void op_close(struct oracle *oracle)
{
	uint32_t slot = draw(oracle, OPEN_MAX_);

	note(oracle, "close [%u]", slot);
	close_slot(oracle, slot);
}

static void op_open(struct oracle *oracle)
{
	static const int ways[] = {
		O_RDONLY,
		O_RDWR,
		O_WRONLY,
		O_RDWR | O_CREAT,
		O_RDWR | O_CREAT,
		O_WRONLY | O_CREAT,
		O_RDWR | O_CREAT | O_EXCL,
		O_RDWR | O_CREAT | O_TRUNC,
		O_WRONLY | O_CREAT | O_APPEND,
		O_RDWR | O_APPEND,
	};
	int flags = ways[draw(oracle, sizeof(ways) / sizeof(ways[0]))];
	uint32_t slot = draw(oracle, OPEN_MAX_);
	int64_t result[SIDES];
	int err[SIDES];
	char path[64];

	draw_path(oracle, path);
	note(oracle, "open [%u] %s %#o", slot, path, (unsigned)flags);
	close_slot(oracle, slot);
	for (int side = 0; side < SIDES; side++) {
		int fd = openat(oracle->root[side], path, flags | O_CLOEXEC,
				0644);

		err[side] = errno;
		oracle->open[slot][side] = fd;
		result[side] = fd < 0 ? -1 : 0;
	}
	oracle->readable[slot] = (flags & O_ACCMODE) != O_WRONLY;
	oracle->writable[slot] = (flags & O_ACCMODE) != O_RDONLY;
	agree(oracle, "open", result, err);
}

static void op_write(struct oracle *oracle)
{
	int slot = draw_open(oracle, false, true);
	uint32_t off = draw(oracle, FILE_MAX - CHUNK_MAX);
	uint32_t len = 1 + draw(oracle, CHUNK_MAX - 1);
	int64_t result[SIDES];
	int err[SIDES];

	note(oracle, "write [%d] %u +%u", slot, off, len);
	if (slot < 0)
		return;
	for (uint32_t i = 0; i < len; i++)
		oracle->data[0][i] = (char)(oracle->random >> i % 57);
	for (int side = 0; side < SIDES; side++) {
		result[side] = pwrite(oracle->open[slot][side], oracle->data[0],
				      len, off);
		err[side] = errno;
	}
	agree(oracle, "write", result, err);
}

static void op_read(struct oracle *oracle)
{
	int slot = draw_open(oracle, true, false);
	uint32_t off = draw(oracle, FILE_MAX);
	uint32_t len = 1 + draw(oracle, CHUNK_MAX - 1);
	int64_t result[SIDES];
	int err[SIDES];

	note(oracle, "read [%d] %u +%u", slot, off, len);
	if (slot < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		result[side] = pread(oracle->open[slot][side],
				     oracle->data[side], len, off);
		err[side] = errno;
	}
	agree(oracle, "read", result, err);
	if (result[LOCAL] > 0 &&
	    memcmp(oracle->data[MOUNT], oracle->data[LOCAL],
		   (size_t)result[LOCAL]) != 0)
		disagree(oracle, "other bytes were read");
}

/* What fstat() says and both sides have to agree on. */
static void compare_stat(struct oracle *oracle, const struct stat stat[SIDES])
{
	const struct stat *here = &stat[MOUNT], *local = &stat[LOCAL];

	if (here->st_mode != local->st_mode)
		disagree(oracle, "another type or mode");
	if (!S_ISDIR(here->st_mode) && here->st_size != local->st_size)
		disagree(oracle, "another size");
	/* The clock's times differ; those that were set are older. */
	if ((here->st_mtime < SET_TIME_MAX || local->st_mtime < SET_TIME_MAX) &&
	    here->st_mtime != local->st_mtime)
		disagree(oracle, "another mtime");
}

static void op_ftruncate(struct oracle *oracle)
{
	int slot = draw_open(oracle, false, true);
	uint32_t size = draw(oracle, FILE_MAX);
	int64_t result[SIDES];
	int err[SIDES];

	note(oracle, "ftruncate [%d] %u", slot, size);
	if (slot < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		result[side] = ftruncate(oracle->open[slot][side], size);
		err[side] = errno;
	}
	agree(oracle, "ftruncate", result, err);
}

/* SFTP asks for attributes by name, or of open files: not of directories. */
static bool removed_directory(const struct stat *local)
{
	return S_ISDIR(local->st_mode) && local->st_nlink == 0;
}

static void op_fstat(struct oracle *oracle)
{
	int slot = draw_open(oracle, false, false);
	int64_t result[SIDES];
	struct stat stat[SIDES];
	int err[SIDES];

	note(oracle, "fstat [%d]", slot);
	if (slot < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		result[side] = fstat(oracle->open[slot][side], &stat[side]);
		err[side] = errno;
	}
	if (result[LOCAL] == 0 && removed_directory(&stat[LOCAL]))
		return;
	agree(oracle, "fstat", result, err);
	compare_stat(oracle, stat);
}

static void op_fsync(struct oracle *oracle)
{
	int slot = draw_open(oracle, false, true);
	int64_t result[SIDES];
	int err[SIDES];

	note(oracle, "fsync [%d]", slot);
	if (slot < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		result[side] = fsync(oracle->open[slot][side]);
		err[side] = errno;
	}
	agree(oracle, "fsync", result, err);
}

static void op_stat(struct oracle *oracle)
{
	int flags = draw(oracle, 2) ? AT_SYMLINK_NOFOLLOW : 0;
	int64_t result[SIDES];
	struct stat stat[SIDES];
	int err[SIDES];
	char path[64];

	draw_path(oracle, path);
	note(oracle, "%s %s", flags ? "lstat" : "stat", path);
	for (int side = 0; side < SIDES; side++) {
		result[side] =
			fstatat(oracle->root[side], path, &stat[side], flags);
		err[side] = errno;
	}
	agree(oracle, "stat", result, err);
	if (result[LOCAL] == 0)
		compare_stat(oracle, stat);
}

/* A shared map of one open file: reads, changes and syncs some of it. */
static int map_one(struct oracle *oracle, int fd, uint32_t at, char *out)
{
	struct stat st;
	size_t size;
	char *map;

	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return -1;
	size = (size_t)st.st_size;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memcpy(out, map, size < CHUNK_MAX ? size : CHUNK_MAX);
	map[at % size] = (char)oracle->random;
	if (msync(map, size, MS_SYNC) != 0 || munmap(map, size) != 0)
		return -1;
	return (int)(size < CHUNK_MAX ? size : CHUNK_MAX);
}

static void op_map(struct oracle *oracle)
{
	int slot = draw_open(oracle, true, true);
	uint32_t at = draw(oracle, FILE_MAX);
	int64_t result[SIDES];
	int err[SIDES];

	note(oracle, "map [%d] %u", slot, at);
	if (slot < 0)
		return;
	for (int side = 0; side < SIDES; side++) {
		errno = 0;
		result[side] = map_one(oracle, oracle->open[slot][side], at,
				       oracle->data[side]);
		err[side] = errno;
	}
	agree(oracle, "map", result, err);
	if (result[LOCAL] > 0 &&
	    memcmp(oracle->data[MOUNT], oracle->data[LOCAL],
		   (size_t)result[LOCAL]) != 0)
		disagree(oracle, "the map shows other bytes");
}

/* The sum over the names' hashes does not depend on their order. */
static int64_t hash_names(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t sum = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		uint64_t hash = 14695981039346656037U;

		for (const char *c = entry->d_name; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211U;
		sum += hash;
	}
	closedir(dir);
	return (int64_t)(sum >> 1);
}

static void op_list(struct oracle *oracle)
{
	int64_t result[SIDES];
	int err[SIDES];
	char path[64];

	draw_path(oracle, path);
	note(oracle, "list %s", path);
	for (int side = 0; side < SIDES; side++) {
		result[side] = hash_names(oracle->root[side], path);
		err[side] = errno;
	}
	agree(oracle, "list", result, err);
}

static void op_readlink(struct oracle *oracle)
{
	int64_t result[SIDES];
	char text[SIDES][64] = {"", ""};
	int err[SIDES];
	char path[64];

	draw_path(oracle, path);
	note(oracle, "readlink %s", path);
	for (int side = 0; side < SIDES; side++) {
		result[side] = readlinkat(oracle->root[side], path, text[side],
					  sizeof(text[side]) - 1);
		err[side] = errno;
	}
	agree(oracle, "readlink", result, err);
	if (strcmp(text[MOUNT], text[LOCAL]) != 0)
		disagree(oracle, "the link says something else");
}

/* How often each is drawn, out of their sum. */
static const struct {
	void (*run)(struct oracle *oracle);
	uint32_t weight;
} operations[] = {
	{op_open, 20},	 {op_close, 6},	   {op_write, 20},    {op_read, 20},
	{op_map, 6},	 {op_truncate, 4}, {op_ftruncate, 5}, {op_fsync, 1},
	{op_stat, 12},	 {op_fstat, 5},	   {op_list, 5},      {op_mkdir, 6},
	{op_rmdir, 4},	 {op_unlink, 6},   {op_rename, 10},   {op_link, 3},
	{op_symlink, 3}, {op_readlink, 3}, {op_chmod, 4},     {op_utimens, 4},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

void oracle_step(struct oracle *oracle)
{
	uint32_t sum = 0, drawn;
	size_t i;

	for (i = 0; i < OPERATIONS; i++)
		sum += operations[i].weight;
	drawn = draw(oracle, sum);
	for (i = 0; drawn >= operations[i].weight; i++)
		drawn -= operations[i].weight;
	operations[i].run(oracle);
	oracle->count++;
}

uint64_t oracle_number(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

void oracle_compare(struct oracle *oracle)
{
	char why[TREE_WHY_MAX];

	close_all(oracle);
	note(oracle, "compare");
	if (tree_compare(oracle->mounted.point, oracle->local, TREE_MODE, why))
		disagree(oracle, why);
	if (tree_compare(oracle->mounted.served, oracle->local, TREE_MODE, why))
		disagree(oracle, why);
}

void oracle_start(struct oracle *oracle)
{
	const char *roots[SIDES];

	proc_print(oracle->local, PROC_PATH_MAX, "%.4000s/local",
		   oracle->mounted.dir);
	assert_int_equal(mkdir(oracle->local, 0755), 0);
	roots[MOUNT] = oracle->mounted.point;
	roots[LOCAL] = oracle->local;
	for (int side = 0; side < SIDES; side++) {
		oracle->root[side] =
			open(roots[side], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		oracle->data[side] = malloc(CHUNK_MAX);
		assert_true(oracle->root[side] >= 0 && oracle->data[side]);
	}
	for (uint32_t slot = 0; slot < OPEN_MAX_; slot++)
		oracle->open[slot][MOUNT] = oracle->open[slot][LOCAL] = -1;
	/* Known ground every day, and new ground where there is time for it. */
	oracle->seed = oracle_number("CSFTP_ORACLE_SEED",
				     getenv("CSFTP_LONG") ? (uint64_t)time(NULL)
							  : 1795327151);
	oracle->random = (oracle->seed + 1) * 0x9e3779b97f4a7c15U;
}

void oracle_end(struct oracle *oracle)
{
	print_message("# %" PRIu64 " operations, seed %" PRIu64
		      ", results: %" PRIu64 "\n",
		      oracle->count, oracle->seed, oracle->succeeded);
	/* A run in which everything failed alike would prove nothing. */
	assert_true(oracle->succeeded >
		    oracle->count / (oracle->is_cut ? 8 : 4));
}

void oracle_stop(struct oracle *oracle)
{
	for (int side = 0; side < SIDES; side++) {
		for (uint32_t slot = 0; slot < OPEN_MAX_; slot++)
			if (oracle->data[side] && oracle->open[slot][side] >= 0)
				close(oracle->open[slot][side]);
		if (oracle->data[side])
			close(oracle->root[side]);
		free(oracle->data[side]);
		oracle->data[side] = NULL;
	}
}
