#include "tests/lib/twins.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/errmap.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"
#include "tests/lib/twins_text.h"

#define NOBODY	   65534
#define ANSWER_MS  20000
#define LINE_SHOWN 200

/* The trees. */

static void set_times(int dirfd, const char *name)
{
	const struct timespec times[2] = {{.tv_sec = 1000000000},
					  {.tv_sec = 1100000000}};

	assert_int_equal(utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void give(int dirfd, const char *name)
{
	if (geteuid() == 0)
		assert_int_equal(fchownat(dirfd, name, NOBODY, NOBODY,
					  AT_SYMLINK_NOFOLLOW),
				 0);
}

static void put_file(int dirfd, const char *name, mode_t mode, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char data[4096];

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i % 26);
	for (size_t at = 0; at < len; at += sizeof(data)) {
		size_t part = len - at < sizeof(data) ? len - at : sizeof(data);

		assert_int_equal(write(fd, data, part), (ssize_t)part);
	}
	close(fd);
	give(dirfd, name);
	assert_int_equal(fchmodat(dirfd, name, mode, 0), 0);
}

static void put_dir(int dirfd, const char *name)
{
	assert_int_equal(mkdirat(dirfd, name, 0755), 0);
	give(dirfd, name);
}

static void put_link(int dirfd, const char *text, const char *name)
{
	assert_int_equal(symlinkat(text, dirfd, name), 0);
	give(dirfd, name);
}

static int remove_one(const char *path, const struct stat *st, int what,
		      struct FTW *at)
{
	(void)st;
	(void)what;
	return at->level > 0 ? remove(path) : 0;
}

/* The root stays what it is: servers have it as their working directory. */
static void build_tree(const char *root)
{
	static const char *const names[] = {
		"dir/inner", "dir/sub", "dir",	"empty",   "file",
		"exec",	     "big",	"link", "dirlink", "dangling",
		"loop",	     "fifo",	"a b",	"locked",  "denied/x",
		"denied",    ".",	"zero", "linkdir2"};
	int dirfd;

	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(chmod(root, 0755), 0);
	dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dirfd >= 0);
	give(dirfd, ".");
	put_dir(dirfd, "dir");
	put_dir(dirfd, "dir/sub");
	put_dir(dirfd, "empty");
	put_file(dirfd, "dir/inner", 0640, 5);
	put_file(dirfd, "file", 0644, 1000);
	put_file(dirfd, "exec", 0755, 20);
	put_file(dirfd, "big", 0600, 300000);
	put_file(dirfd, "a b", 0644, 3);
	put_file(dirfd, "zero", 0644, 0);
	put_link(dirfd, "file", "link");
	put_link(dirfd, "dir", "dirlink");
	put_link(dirfd, "dirlink/sub", "linkdir2");
	put_link(dirfd, "missing", "dangling");
	put_link(dirfd, "loop", "loop");
	assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(dirfd, "denied", 0755), 0);
	put_file(dirfd, "denied/x", 0644, 5);
	put_file(dirfd, "locked", 0600, 5);
	if (geteuid() == 0)
		assert_int_equal(fchownat(dirfd, "locked", 0, 0, 0), 0);
	assert_int_equal(
		fchmodat(dirfd, "denied", geteuid() == 0 ? 0700 : 0, 0), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (geteuid() == 0 || strcmp(names[i], "denied/x") != 0)
			set_times(dirfd, names[i]);
	close(dirfd);
}

static void unlock_tree(const char *root)
{
	char path[2 * PROC_PATH_MAX];

	if (geteuid() == 0)
		return;
	proc_print(path, sizeof(path), "%s/denied", root);
	(void)chmod(path, 0700);
}

static void build(struct twins *twins)
{
	unlock_tree(twins->theirs.root);
	unlock_tree(twins->ours.root);
	build_tree(twins->theirs.root);
	build_tree(twins->ours.root);
	twins->stale = false;
}

/* The servers. */

_Noreturn static void become(const struct twin *twin, int program, int in,
			     int out, enum twins_who who)
{
	static char name[] = "sftp-server";
	char *argv[] = {name, NULL};
	char *const env[] = {NULL};

	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || chdir(twin->root) != 0)
		_exit(126);
	if (who == TWINS_NOBODY && geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
	     setuid(NOBODY) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fexecve(program, argv, env);
	_exit(127);
}

static void start(struct twin *twin, const char *server, enum twins_who who)
{
	int program = open(server, O_PATH | O_CLOEXEC);
	int up[2], down[2];

	assert_true(program >= 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	twin->pid = fork();
	assert_true(twin->pid >= 0);
	if (twin->pid == 0)
		become(twin, program, up[0], down[1], who);
	close(program);
	close(up[0]);
	close(down[1]);
	twin->in = up[1];
	twin->out = down[0];
	memset(twin->handle_len, 0, sizeof(twin->handle_len));
}

static void stop(struct twin *twin)
{
	if (twin->pid == 0)
		return;
	close(twin->in);
	close(twin->out);
	if (proc_wait(twin->pid, ANSWER_MS) == -1)
		proc_stop(twin->pid);
	twin->pid = 0;
}

static bool send_all(const struct twin *twin, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(twin->in, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool receive(const struct twin *twin, uint8_t *to, size_t len)
{
	while (len > 0) {
		struct pollfd fd = {.fd = twin->out, .events = POLLIN};
		ssize_t n;

		if (poll(&fd, 1, ANSWER_MS) == 0)
			fail_msg("no answer of %s", twin->root);
		n = read(twin->out, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next answer; false where the server has ended. */
static bool hear(struct twin *twin)
{
	size_t len;

	if (!receive(twin, twin->buf, 4))
		return false;
	len = wire_get_u32(twin->buf);
	assert_true(len > 0 && len <= sizeof(twin->buf) - 4);
	if (!receive(twin, twin->buf + 4, len))
		return false;
	assert_int_equal(sftp_msg_decode(&twin->answer, twin->buf + 4, len),
			 CSFTP_OK);
	return true;
}

/* The comparison. */

static void compare(struct twins *twins, const char *request)
{
	const char *theirs = twins->theirs.said;
	const char *ours = twins->ours.said;

	twins->asked++;
	if (strcmp(theirs, ours) == 0)
		return;
	/* Extensions of our own stand behind those that both have. */
	if (strstr(request, "INIT") &&
	    strncmp(theirs, ours, strlen(theirs)) == 0)
		return;
	for (size_t i = 0; i < twins->difference_count; i++) {
		const struct twins_difference *d = &twins->differences[i];

		if (fnmatch(d->request, request, 0) == 0 &&
		    fnmatch(d->theirs, theirs, 0) == 0 &&
		    fnmatch(d->ours, ours, 0) == 0) {
			twins->used[i] = true;
			if (d->trees == TWINS_TREES_DIFFER)
				twins->apart = true;
			return;
		}
	}
	twins->wrong++;
	/* Request, their answer, ours: as a row of differences has them. */
	print_message("# %s | %.*s | %.*s\n", request, LINE_SHOWN, theirs,
		      LINE_SHOWN, ours);
}

static void replace_handle(struct wire_bytes *handle, const struct twin *twin)
{
	for (unsigned i = 0; i < TWINS_HANDLES; i++)
		if (handle->ptr == twins_handle(i).ptr)
			*handle = (struct wire_bytes){twin->handle[i],
						      twin->handle_len[i]};
}

static size_t encode(const struct twin *twin, const struct sftp_msg *msg,
		     int more, uint8_t *buf, size_t cap)
{
	struct sftp_msg own = *msg;
	struct wire_wr wr = {.base = buf, .cap = cap};

	replace_handle(&own.handle, twin);
	replace_handle(&own.handle2, twin);
	sftp_msg_encode(&wr, &own);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	if (more > 0)
		memset(buf + wr.len, 'x', (size_t)more);
	wr.len = (size_t)((ptrdiff_t)wr.len + more);
	wire_put_u32(buf, (uint32_t)wr.len - 4);
	return wr.len;
}

static void keep_handle(struct twin *twin, uint32_t id)
{
	unsigned i = id % TWINS_HANDLES;

	if (twin->answer.kind != SFTP_HANDLE)
		return;
	memcpy(twin->handle[i], twin->answer.handle.ptr,
	       twin->answer.handle.len);
	twin->handle_len[i] = twin->answer.handle.len;
}

static void ask_one(struct twins *twins, struct twin *twin,
		    const struct sftp_msg *msg, int more)
{
	static uint8_t buf[TWINS_ANSWER_MAX];
	size_t len = encode(twin, msg, more, buf, sizeof(buf));

	twin->said[0] = '\0';
	if (!send_all(twin, buf, len) || !hear(twin)) {
		stop(twin);
		twins_say(twin->said, "END");
		return;
	}
	if (msg->kind != SFTP_INIT)
		assert_int_equal(twin->answer.id, msg->id);
	keep_handle(twin, msg->id);
	twins_say_answer(twins, twin);
}

/* Whether a request is there to change the trees, whatever comes of it. */
static bool changes(const struct sftp_msg *msg)
{
	switch ((int)msg->kind) {
	case SFTP_OPEN:
		return msg->num != CSFTP_OPEN_READ;
	case SFTP_SETSTAT:
	case SFTP_LSETSTAT:
	case SFTP_FSETSTAT:
	case SFTP_COPY_DATA:
	case SFTP_WRITE:
	case SFTP_REMOVE:
	case SFTP_MKDIR:
	case SFTP_RMDIR:
	case SFTP_RENAME:
	case SFTP_SYMLINK:
	case SFTP_POSIX_RENAME:
	case SFTP_HARDLINK:
		return true;
	default:
		return false;
	}
}

/* Some of the attributes may have been set, and some bytes copied. */
static bool changes_in_part(const struct sftp_msg *msg)
{
	return msg->kind == SFTP_SETSTAT || msg->kind == SFTP_LSETSTAT ||
	       msg->kind == SFTP_FSETSTAT || msg->kind == SFTP_COPY_DATA;
}

static bool refused(const struct twin *twin)
{
	return twin->pid && twin->answer.kind == SFTP_STATUS &&
	       twin->answer.num != SSH_FX_OK;
}

static bool over(const struct twins *twins)
{
	return !twins->theirs.pid || !twins->ours.pid || twins->apart;
}

void twins_ask_cut(struct twins *twins, const struct sftp_msg *msg, int more)
{
	static char text[TWINS_SAID_MAX];

	if (over(twins))
		return;
	text[0] = '\0';
	twins_say_request(text, msg, more);
	ask_one(twins, &twins->theirs, msg, more);
	ask_one(twins, &twins->ours, msg, more);
	if (changes(msg)) {
		twins->touched = true;
		if (changes_in_part(msg) || !refused(&twins->theirs) ||
		    !refused(&twins->ours))
			twins->stale = true;
	}
	compare(twins, text);
}

void twins_ask(struct twins *twins, const struct sftp_msg *msg)
{
	twins_ask_cut(twins, msg, 0);
}

/* What comes first: an answer to the bytes, or to the REALPATH behind them. */
static void ask_raw(struct twins *twins, struct twin *twin, const void *bytes,
		    size_t len)
{
	static const uint8_t marker[] = {0,    0,    0, 10, 16, 0xff, 0xff,
					 0xff, 0xff, 0, 0,  0,	1,    '/'};
	uint8_t buf[512];

	twin->said[0] = '\0';
	assert_true(len + 4 <= sizeof(buf));
	wire_put_u32(buf, (uint32_t)len);
	memcpy(buf + 4, bytes, len);
	if (!send_all(twin, buf, 4 + len) ||
	    !send_all(twin, marker, sizeof(marker)) || !hear(twin)) {
		stop(twin);
		twins_say(twin->said, "END");
		return;
	}
	if (twin->answer.id == UINT32_MAX) {
		twins_say(twin->said, "nothing");
		return;
	}
	twins_say_answer(twins, twin);
	if (!hear(twin)) {
		stop(twin);
		twins_say(twin->said, ", END");
	}
}

void twins_ask_raw(struct twins *twins, const char *name, const void *bytes,
		   size_t len)
{
	if (over(twins))
		return;
	ask_raw(twins, &twins->theirs, bytes, len);
	ask_raw(twins, &twins->ours, bytes, len);
	compare(twins, name);
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The names in an order of their own; in "said" they begin with " <". */
static void sort_names(char *said)
{
	char *copy = strdup(said);
	char *names[1024];
	size_t count = 0;

	assert_non_null(copy);
	for (char *at = strstr(copy, " <"); at; at = strstr(at + 1, " <")) {
		assert_true(count < sizeof(names) / sizeof(names[0]));
		names[count++] = at + 2;
	}
	for (size_t i = 0; i < count; i++)
		names[i][-2] = '\0';
	qsort(names, count, sizeof(names[0]), by_text);
	said[0] = '\0';
	twins_say(said, "NAMES %zu", count);
	for (size_t i = 0; i < count; i++)
		twins_say(said, " <%s", names[i]);
	free(copy);
}

static void list_one(struct twins *twins, struct twin *twin)
{
	struct sftp_msg msg = {
		.kind = SFTP_READDIR, .id = 1, .handle = twins_handle(0)};
	char *all = calloc(1, TWINS_SAID_MAX);

	assert_non_null(all);
	do {
		ask_one(twins, twin, &msg, 0);
		if (twin->pid && twin->answer.kind == SFTP_NAME)
			twins_say(all, "%s", strchr(twin->said, '<') - 1);
	} while (twin->pid && twin->answer.kind == SFTP_NAME);
	twins_say(all, " <%s", twin->said);
	snprintf(twin->said, TWINS_SAID_MAX, "%s", all);
	free(all);
	sort_names(twin->said);
}

void twins_list(struct twins *twins, const char *path)
{
	struct sftp_msg open = {.kind = SFTP_OPENDIR,
				.path = {(const uint8_t *)path, strlen(path)}};
	char text[256];

	twins_ask(twins, &open);
	if (over(twins) || twins->theirs.answer.kind != SFTP_HANDLE ||
	    twins->ours.answer.kind != SFTP_HANDLE)
		return;
	list_one(twins, &twins->theirs);
	list_one(twins, &twins->ours);
	proc_print(text, sizeof(text), "list %s", path);
	compare(twins, text);
	twins_ask(twins, &(struct sftp_msg){.kind = SFTP_CLOSE,
					    .handle = twins_handle(0)});
}

static void restart(struct twins *twins, enum twins_who who)
{
	stop(&twins->theirs);
	stop(&twins->ours);
	start(&twins->theirs, OPENSSH_SFTP_SERVER, who);
	start(&twins->ours, twins->server, who);
	twins->who = who;
	twins->apart = false;
	twins_ask(twins,
		  &(struct sftp_msg){.kind = SFTP_INIT, .num = SFTP_VERSION});
}

void twins_start(struct twins *twins, enum twins_who who)
{
	if (twins->stale)
		build(twins);
	if (!twins->theirs.pid || !twins->ours.pid || twins->who != who)
		restart(twins, who);
	twins->apart = false;
	twins->touched = false;
}

static void close_handles(struct twins *twins, struct twin *twin)
{
	for (unsigned i = 0; i < TWINS_HANDLES; i++) {
		if (twin->handle_len[i] > 0 && twin->pid)
			ask_one(twins, twin,
				&(struct sftp_msg){.kind = SFTP_CLOSE,
						   .handle = twins_handle(i)},
				0);
		twin->handle_len[i] = 0;
	}
}

void twins_stop(struct twins *twins)
{
	char why[TREE_WHY_MAX];

	close_handles(twins, &twins->theirs);
	close_handles(twins, &twins->ours);
	if (!twins->touched || twins->apart ||
	    tree_compare(twins->theirs.root, twins->ours.root, TREE_MODE,
			 why) == 0)
		return;
	twins->wrong++;
	twins->stale = true;
	print_message("# trees: %s\n", why);
}

void twins_init(struct twins *twins, const struct twins_difference *differences,
		size_t count)
{
	memset(twins, 0, sizeof(*twins));
	(void)signal(SIGPIPE, SIG_IGN);
	scratch_make(twins->dir);
	proc_print(twins->theirs.root, PROC_PATH_MAX, "%s/L", twins->dir);
	proc_print(twins->ours.root, PROC_PATH_MAX, "%s/R", twins->dir);
	assert_int_equal(mkdir(twins->theirs.root, 0755), 0);
	assert_int_equal(mkdir(twins->ours.root, 0755), 0);
	proc_built(twins->server, "csftp-server");
	twins->differences = differences;
	twins->difference_count = count;
	twins->used = calloc(count + 1, sizeof(*twins->used));
	twins->theirs.said = malloc(TWINS_SAID_MAX);
	twins->ours.said = malloc(TWINS_SAID_MAX);
	assert_true(twins->used && twins->theirs.said && twins->ours.said);
	twins->stale = true;
	twins->began = time(NULL) - 1;
}

void twins_all_seen(const struct twins *twins)
{
	unsigned unseen = 0;

	for (size_t i = 0; i < twins->difference_count; i++) {
		if (twins->used[i])
			continue;
		unseen++;
		print_message("# not seen: %s: %s\n",
			      twins->differences[i].request,
			      twins->differences[i].why);
	}
	assert_int_equal(unseen, 0);
}

void twins_release(struct twins *twins)
{
	stop(&twins->theirs);
	stop(&twins->ours);
	unlock_tree(twins->theirs.root);
	unlock_tree(twins->ours.root);
	scratch_remove(twins->dir);
	free(twins->used);
	free(twins->theirs.said);
	free(twins->ours.said);
}
