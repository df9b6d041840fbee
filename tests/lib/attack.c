#include "tests/lib/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NOBODY	     65534

#define SIZE  0x0da7a5e1ULL /* of the file; most of it is a hole */
#define MTIME 0x2b3c4d5e

/* Of the test's own making: has to work. */
void attack_must(int result)
{
	if (result < 0)
		fail_msg("%s", strerror(errno));
}

void attack_path(char path[256], const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(path, 256, format, args);
	va_end(args);
	assert_in_range(len, 1, 255);
}

void attack_make_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd;

	attack_path(path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	attack_must(fd);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	attack_must(close(fd));
}

void attack_make_dir(const char *dir, const char *name)
{
	char path[256];

	attack_path(path, "%s/%s", dir, name);
	attack_must(mkdir(path, 0755));
}

void attack_make_link(const char *dir, const char *name, const char *text)
{
	char path[256];

	attack_path(path, "%s/%s", dir, name);
	attack_must(symlink(text, path));
}

/* Also of what an attack has made unreadable. */
void attack_remove_tree(const char *path)
{
	const struct dirent *name;
	DIR *dir = NULL;

	struct stat st;

	if (unlink(path) == 0 || errno == ENOENT)
		return;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    chmod(path, 0700) == 0)
		dir = opendir(path);
	for (name = dir ? readdir(dir) : NULL; name; name = readdir(dir)) {
		char below[256];

		if (strcmp(name->d_name, ".") == 0 ||
		    strcmp(name->d_name, "..") == 0)
			continue;
		attack_path(below, "%s/%s", path, name->d_name);
		attack_remove_tree(below);
	}
	if (dir)
		closedir(dir);
	attack_must(rmdir(path));
}

void attack_make_canary(struct attack *attack)
{
	struct timespec times[2] = {{MTIME, 0}, {MTIME, 0}};
	char path[256];

	attack_must(mkdir(attack->out, 0755));
	attack_make_file(attack->out, "secret", ATTACK_CONTENT);
	attack_make_dir(attack->out, "dir");
	attack_make_file(attack->out, "dir/" ATTACK_INNER, "x");
	attack_path(path, "%s/secret", attack->out);
	attack_must(truncate(path, SIZE));
	attack_must(utimensat(AT_FDCWD, path, times, 0));
	attack_must(stat(path, &attack->secret));
	attack_must(stat(attack->out, &attack->dir));
}

static size_t names_in(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid && a->st_size == b->st_size &&
	       a->st_nlink == b->st_nlink && a->st_ino == b->st_ino &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A change of any kind, of a name or of a file, moves a ctime. */
bool attack_canary_lives(const struct attack *attack)
{
	char path[256];
	char text[sizeof(ATTACK_CONTENT)] = "";
	struct stat secret, dir;
	int fd;

	attack_path(path, "%s/secret", attack->out);
	if (lstat(path, &secret) != 0 || lstat(attack->out, &dir) != 0)
		return false;
	if (!same(&secret, &attack->secret) || !same(&dir, &attack->dir))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	attack_must(fd);
	attack_must((int)read(fd, text, sizeof(ATTACK_CONTENT) - 1));
	close(fd);
	attack_path(path, "%s/dir", attack->out);
	return strcmp(text, ATTACK_CONTENT) == 0 && names_in(path) == 3 &&
	       names_in(attack->base) == 4;
}

/*
 * What the jail holds: ways out of every kind.  base is the parent of both
 * sides, so "/.." of the jail would be where the canary is.
 */
void attack_make_jail(const struct attack *attack)
{
	static const char *const relative[][2] = {
		{"rel-file", "../out/secret"},
		{"rel-dir", "../out"},
		{"d/deep", "../../out/secret"},
		{"d/deep-dir", "../../../../../../../../../out"},
		{"up", ".."},
		{"d/up", "../.."},
		{"slash", "/"},
		{"chain", "d/chain"},
		{"d/chain", "../chain-end"},
		{"dangling", "../out/new"},
		{"proc-root", "/proc/self/root"},
	};
	static const char *const absolute[][2] = {
		{"abs-file", "secret"},	 {"abs-dir", ""},
		{"chain-end", "secret"}, {"abs-dangling", "new"},
		{"abs-inner", "dir"},
	};
	char text[256];

	attack_must(mkdir(attack->jail, 0755));
	attack_make_dir(attack->jail, "d");
	attack_make_dir(attack->jail, "empty");
	attack_make_file(attack->jail, "f", "inside");
	attack_make_file(attack->jail, "d/g", "inside too");
	for (size_t i = 0; i < ARRAY_LEN(relative); i++)
		attack_make_link(attack->jail, relative[i][0], relative[i][1]);
	for (size_t i = 0; i < ARRAY_LEN(absolute); i++) {
		attack_path(text, "%s/%s", attack->out, absolute[i][1]);
		attack_make_link(attack->jail, absolute[i][0], text);
	}
}

/* The session. */

static void feed(struct attack *attack, const uint8_t *bytes, size_t len)
{
	struct csftp_link *link = csftp_serve_link(attack->serve);

	while (len > 0) {
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);
		size_t part = len < room ? len : room;

		assert_true(part > 0);
		memcpy(in, bytes, part);
		assert_int_equal(csftp_link_in_ack(link, part), CSFTP_OK);
		bytes += part;
		len -= part;
	}
}

static bool has_mark(const struct attack *attack)
{
	static const uint8_t size[] = {0x0d, 0xa7, 0xa5, 0xe1};
	static const uint8_t mtime[] = {0x2b, 0x3c, 0x4d, 0x5e};

	return memmem(attack->answer, attack->answer_len, ATTACK_CONTENT,
		      sizeof(ATTACK_CONTENT) - 1) ||
	       memmem(attack->answer, attack->answer_len, ATTACK_INNER,
		      sizeof(ATTACK_INNER) - 1) ||
	       memmem(attack->answer, attack->answer_len, size, sizeof(size)) ||
	       memmem(attack->answer, attack->answer_len, mtime, sizeof(mtime));
}

static void take_answer(struct attack *attack)
{
	struct csftp_link *link = csftp_serve_link(attack->serve);
	struct csftp_slice out;

	attack->answer_len = 0;
	while (csftp_link_out(link, &out, 1) > 0) {
		size_t len = out.len;

		assert_true(len <= sizeof(attack->answer) - attack->answer_len);
		memcpy(attack->answer + attack->answer_len, out.ptr, len);
		attack->answer_len += len;
		assert_int_equal(csftp_link_out_ack(link, len), CSFTP_OK);
	}
	assert_true(attack->answer_len > 4);
}

/* One request and its answer, which is searched for the canary. */
enum sftp_kind attack_ask(struct attack *attack, const struct sftp_msg *msg)
{
	static const struct sftp_msg none;
	uint8_t packet[16 * 1024];
	struct wire_wr wr = {.base = packet, .cap = sizeof(packet)};
	enum csftp_err err;

	sftp_msg_encode(&wr, msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	feed(attack, packet, wr.len);
	take_answer(attack);
	attack->seen = attack->seen || has_mark(attack);
	attack->msg = none;
	err = sftp_msg_decode(&attack->msg, attack->answer + 4,
			      attack->answer_len - 4);
	assert_true(err == CSFTP_OK || err == CSFTP_ERR_TRAILING);
	if (attack->msg.kind == SFTP_STATUS && attack->msg.num == 0)
		attack->changed = true;
	return attack->msg.kind;
}

struct wire_bytes attack_bytes(const char *text)
{
	return (struct wire_bytes){(const uint8_t *)text, strlen(text)};
}

bool attack_succeeded(const struct attack *attack)
{
	return attack->msg.kind != SFTP_STATUS || attack->msg.num == 0;
}

void attack_start(struct attack *attack, const struct posixfs_config *config)
{
	struct csftp_serve_config serving = {.idname = posixfs_idname};

	assert_int_equal(posixfs_new(&attack->fs, config), CSFTP_OK);
	serving.fs = attack->fs;
	serving.arg = attack->fs;
	assert_int_equal(csftp_serve_new(&attack->serve, &serving), CSFTP_OK);
	assert_int_equal(
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_INIT, .num = 3}),
		SFTP_VERSION_MSG);
	attack->seen = false;
	attack->changed = false;
}

void attack_end(struct attack *attack)
{
	csftp_serve_free(attack->serve);
	posixfs_free(attack->fs);
	attack->serve = NULL;
	attack->fs = NULL;
}

/* Requests that take a path, one after the other. */

/* Whatever can be done by a handle.  Its bytes are in the last answer. */
static void use_handle(struct attack *attack, bool is_dir)
{
	uint8_t name[64];
	struct wire_bytes fh = {name, attack->msg.handle.len};
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};

	assert_true(fh.len <= sizeof(name));
	memcpy(name, attack->msg.handle.ptr, fh.len);
	attack_ask(attack,
		   &(struct sftp_msg){.kind = SFTP_FSTAT, .handle = fh});
	attack_ask(attack,
		   &(struct sftp_msg){.kind = SFTP_FSTATVFS, .handle = fh});
	attack_ask(attack, &(struct sftp_msg){.kind = SFTP_FSETSTAT,
					      .handle = fh,
					      .attr = attr});
	if (is_dir)
		attack_ask(attack, &(struct sftp_msg){.kind = SFTP_READDIR,
						      .handle = fh});
	attack_ask(attack, &(struct sftp_msg){
				   .kind = SFTP_READ, .handle = fh, .len = 64});
	attack_ask(attack, &(struct sftp_msg){.kind = SFTP_WRITE,
					      .handle = fh,
					      .data = attack_bytes("evil")});
	attack_ask(attack, &(struct sftp_msg){.kind = SFTP_COPY_DATA,
					      .handle = fh,
					      .handle2 = fh,
					      .off2 = 16,
					      .len = 4});
	assert_int_equal(
		attack_ask(attack, &(struct sftp_msg){.kind = SFTP_CLOSE,
						      .handle = fh}),
		SFTP_STATUS);
}

#define READ_IT	 1U
#define WRITE_IT 2U
#define APPEND	 4U
#define CREAT	 8U
#define TRUNC	 16U

const struct attack_request attack_requests[] = {
	{.kind = SFTP_STAT, .path = "@"},
	{.kind = SFTP_LSTAT, .path = "@"},
	{.kind = SFTP_READLINK, .path = "@"},
	{.kind = SFTP_STATVFS, .path = "@"},
	{.kind = SFTP_REALPATH, .path = "@"},
	{.kind = SFTP_EXPAND_PATH, .path = "@"},
	{.kind = SFTP_OPENDIR, .path = "@"},
	{.kind = SFTP_OPEN, .path = "@", .num = READ_IT},
	{.kind = SFTP_OPEN, .path = "@", .num = WRITE_IT},
	{.kind = SFTP_OPEN, .path = "@", .num = READ_IT | WRITE_IT | CREAT},
	{.kind = SFTP_OPEN, .path = "@", .num = WRITE_IT | CREAT | TRUNC},
	{.kind = SFTP_OPEN, .path = "@", .num = WRITE_IT | APPEND},
	{.kind = SFTP_SETSTAT,
	 .path = "@",
	 .attr = {.mask = CSFTP_ATTR_MODE, .mode = 0777}},
	{.kind = SFTP_SETSTAT, .path = "@", .attr = {.mask = CSFTP_ATTR_SIZE}},
	{.kind = SFTP_SETSTAT,
	 .path = "@",
	 .attr = {.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME}},
	{.kind = SFTP_SETSTAT,
	 .path = "@",
	 .attr = {.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		  .uid = NOBODY,
		  .gid = NOBODY}},
	{.kind = SFTP_LSETSTAT,
	 .path = "@",
	 .attr = {.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME}},
	{.kind = SFTP_LSETSTAT,
	 .path = "@",
	 .attr = {.mask = CSFTP_ATTR_MODE, .mode = 0777}},
	{.kind = SFTP_MKDIR, .path = "@"},
	{.kind = SFTP_RMDIR, .path = "@"},
	{.kind = SFTP_REMOVE, .path = "@"},
	{.kind = SFTP_SYMLINK, .path = "@", .path2 = "f"},
	{.kind = SFTP_HARDLINK, .path = "@", .path2 = "stolen"},
	{.kind = SFTP_HARDLINK, .path = "f", .path2 = "@"},
	{.kind = SFTP_RENAME, .path = "@", .path2 = "stolen"},
	{.kind = SFTP_RENAME, .path = "f", .path2 = "@"},
	{.kind = SFTP_RENAME, .path = "empty", .path2 = "@"},
	{.kind = SFTP_POSIX_RENAME, .path = "@", .path2 = "stolen"},
	{.kind = SFTP_POSIX_RENAME, .path = "f", .path2 = "@"},
	{.kind = SFTP_POSIX_RENAME, .path = "empty", .path2 = "@"},
};

const size_t attack_requests_count = ARRAY_LEN(attack_requests);

void attack_send(struct attack *attack, const struct attack_request *request,
		 const char *path)
{
	struct sftp_msg msg = {.kind = request->kind,
			       .id = 7,
			       .num = request->num,
			       .attr = request->attr};

	if (request->path)
		msg.path = attack_bytes(*request->path == '@' ? path
							      : request->path);
	if (request->path2)
		msg.path2 = attack_bytes(
			*request->path2 == '@' ? path : request->path2);
	if (attack_ask(attack, &msg) == SFTP_HANDLE)
		use_handle(attack, request->kind == SFTP_OPENDIR);
}

int attack_set_up(void **state)
{
	struct attack *attack = calloc(1, sizeof(*attack));

	if (!attack)
		return -1;
	snprintf(attack->base, sizeof(attack->base), "/tmp/csftp-jail.XXXXXX");
	if (!mkdtemp(attack->base) || chmod(attack->base, 0755) != 0)
		return -1;
	snprintf(attack->jail, sizeof(attack->jail), "%s/jail", attack->base);
	snprintf(attack->out, sizeof(attack->out), "%s/out", attack->base);
	attack_make_canary(attack);
	*state = attack;
	return 0;
}

int attack_tear_down(void **state)
{
	struct attack *attack = *state;

	int left;

	attack_remove_tree(attack->base);
	left = access(attack->base, F_OK) == 0;
	free(attack);
	return left ? -1 : 0;
}

/* Another root directory, with /proc in it where that can be mounted. */
static int hide_machine(const char *scratch)
{
	char path[256];

	attack_path(path, "%s/tmp", scratch);
	if (mkdir(path, 0700) != 0 || chmod(path, 01777) != 0)
		return -1;
	attack_path(path, "%s/proc", scratch);
	if (mkdir(path, 0755) != 0)
		return -1;
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		proc_let_go();
		(void)mount("/proc", path, NULL, MS_BIND, NULL);
	}
	return chroot(scratch) == 0 ? chdir("/") : -1;
}

static int become_nobody(void)
{
	const gid_t group = NOBODY;

	return setgroups(1, &group) != 0 || setgid(group) != 0 ||
	       setuid(NOBODY) != 0;
}

static int run_hidden(const char *scratch, bool as_root,
		      const struct CMUnitTest *tests, size_t count)
{
	if (hide_machine(scratch) != 0 || (!as_root && become_nobody() != 0)) {
		printf("1..1\nok 1 - attacks %s # SKIP no other root: %s\n",
		       as_root ? "as root" : "as nobody", strerror(errno));
		return 0;
	}
	return _cmocka_run_group_tests(as_root ? "as root" : "as nobody", tests,
				       count, NULL, NULL);
}

/* In a process of its own, as there is no way back from there. */
static int run_as(bool as_root, const struct CMUnitTest *tests, size_t count)
{
	char scratch[] = "/tmp/csftp-jail.XXXXXX";
	int status = 1;
	pid_t pid;

	if (!mkdtemp(scratch) || chmod(scratch, 0755) != 0)
		return 1;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(run_hidden(scratch, as_root, tests, count));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	attack_remove_tree(scratch);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int attack_run(const struct CMUnitTest *tests, size_t count)
{
	if (geteuid() == 0)
		return run_as(true, tests, count) + run_as(false, tests, count);
	return _cmocka_run_group_tests("as a user", tests, count, NULL, NULL);
}
