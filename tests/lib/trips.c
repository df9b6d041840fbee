#include "tests/lib/trips.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csftp/memfs.h"
#include "tests/lib/test.h"

/* Names that a server sends with one READDIR, as OpenSSH's does. */
#define NAMES_AT_ONCE 100U

/* Of the clock, for those who measure how long they wait. */
#define TRIP_MS 20U

struct listing {
	struct relay_job job; /* first */
	unsigned names;
};

static bool some_names(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct listing *listing = (struct listing *)req;
	struct csftp_req *asked = listing->job.asked;

	return listing->names++ < NAMES_AT_ONCE && asked->entry(asked, entry);
}

static void listed(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void below(struct csftp_fs *fs, struct csftp_req *req)
{
	struct trips *trips = (struct trips *)fs;
	struct relay_job *job;

	trips->reads += req->op == CSFTP_OP_READ;
	trips->writes += req->op == CSFTP_OP_WRITE;
	trips->copies += req->op == CSFTP_OP_COPY_RANGE;
	trips->lists += req->op == CSFTP_OP_READDIR;
	if (req->op != CSFTP_OP_READDIR) {
		relay_pass(fs, req);
		return;
	}
	job = relay_take(&trips->relay, req);
	assert_non_null(job);
	((struct listing *)job)->names = 0;
	job->req.entry = some_names;
	relay_ask(job, listed);
}

void trips_put(struct fs_caller *caller, const char *path, const char *text)
{
	assert_int_equal(fs_put(caller, path, text, strlen(text)), 0);
}

/* What is there: /file, /dir with 1,000 files, /small with 40. */
static void fill(struct fs_caller *caller)
{
	char path[64];

	trips_put(caller, "/file", "text");
	assert_int_equal(fs_mkdir(caller, "/dir"), 0);
	assert_int_equal(fs_mkdir(caller, "/small"), 0);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/dir/%03u", i);
		trips_put(caller, path, "");
	}
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/small/%02u", i);
		trips_put(caller, path, "a small file");
	}
}

static uint64_t clock_of(void *arg)
{
	return ((const struct trips *)arg)->now_ms;
}

/* As SFTP version 3 has it, in whole seconds. */
static struct csftp_time time_of(void *arg)
{
	return (struct csftp_time){.sec = (int64_t)(clock_of(arg) / 1000)};
}

static void note_lost(void *arg, const char *path, int err)
{
	(void)path;
	(void)err;
	((struct trips *)arg)->lost++;
}

static int set_up_as(void **state, enum writebehind_durability durability)
{
	const struct layers_config layering = {
		.root = "/",
		.attr_timeout = 20,
		.link_timeout = 20,
		.dir_timeout = 20,
	};
	struct trips *trips = calloc(1, sizeof(*trips));
	const struct csftp_memfs_config memory = {.clock = time_of,
						  .arg = trips};
	struct layers_config config = layering;
	const char *tmp = getenv("TMPDIR");

	assert_non_null(trips);
	*state = trips;
	assert_int_equal(csftp_memfs_new(&trips->memfs, &memory), CSFTP_OK);
	trips->other.fs = trips->memfs;
	fill(&trips->other);
	later_init(&trips->later, trips->memfs);
	relay_init(&trips->relay, &trips->later.fs, sizeof(struct listing),
		   below);
	trips->now_ms = 1000;
	config.now_ms = clock_of;
	config.arg = trips;
	config.lost = note_lost;
	config.durability = durability;
	config.under = &trips->relay.fs;
	assert_int_equal(layers_new(&trips->layers, &config), CSFTP_OK);
	(void)snprintf(trips->point, sizeof(trips->point), "%s/trips-XXXXXX",
		       tmp ? tmp : "/tmp");
	return mkdtemp(trips->point) ? 0 : -1;
}

int trips_set_up(void **state)
{
	return set_up_as(state, WRITEBEHIND_CLOSE);
}

int trips_set_up_async(void **state)
{
	return set_up_as(state, WRITEBEHIND_ASYNC);
}

static void answer_all(struct trips *trips)
{
	while (later_run(&trips->later))
		continue;
}

int trips_tear_down(void **state)
{
	struct trips *trips = *state;

	if (trips->f) {
		fusefs_unmount(trips->f);
		layers_quiet(trips->layers);
		fusefs_close_files(trips->f);
		answer_all(trips);
		fusefs_free(trips->f);
	}
	layers_free(trips->layers);
	answer_all(trips);
	relay_release(&trips->relay);
	fs_caller_release(&trips->other);
	csftp_memfs_free(trips->memfs);
	(void)umount2(trips->point, MNT_DETACH);
	(void)rmdir(trips->point);
	free(trips);
	return 0;
}

/* The kernel remembers names for so many seconds. */
struct trips *trips_ready_for(void **state, double timeout)
{
	char *argv[] = {(char[]){"test_trips"}, (char[]){"-osubtype=csftp"},
			NULL};
	struct trips *trips = *state;
	const struct fusefs_config config = {
		.fs = layers_fs(trips->layers),
		.root = "/",
		.entry_timeout = timeout,
		.attr_timeout = timeout,
		.uid = FUSEFS_ID_KEEP,
		.gid = FUSEFS_ID_KEEP,
	};

	rig_need_fuse();
	assert_int_equal(fusefs_new(&trips->f, &config, argv), CSFTP_OK);
	assert_int_equal(fusefs_mount(trips->f, trips->point), CSFTP_OK);
	return trips;
}

struct trips *trips_ready(void **state)
{
	return trips_ready_for(state, 1000);
}

static pid_t start(struct trips *trips, void (*body)(void))
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(fusefs_fd(trips->f));
	if (chdir(trips->point) != 0)
		_exit(2);
	body();
	_exit(0);
}

/* One round trip, or input of the kernel; true when the process has ended. */
static bool serve_once(struct trips *trips, int pidfd)
{
	struct pollfd fds[2] = {
		{.fd = fusefs_fd(trips->f), .events = POLLIN},
		{.fd = pidfd, .events = POLLIN},
	};
	bool trip = trips->later.waiting > 0 && fusefs_callers(trips->f) > 0;

	assert_true(poll(fds, 2, trip ? 0 : 10000) > 0 || trip);
	if (fds[0].revents) {
		fusefs_ready(trips->f);
	} else if (trip) {
		trips->trips++;
		trips->now_ms += TRIP_MS;
		for (size_t n = trips->later.waiting; n > 0; n--)
			(void)later_run(&trips->later);
	}
	return fds[1].revents != 0;
}

/* The round trips that body waits for, in a process inside the mount. */
unsigned trips_count(struct trips *trips, void (*body)(void))
{
	pid_t pid = start(trips, body);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = -1;

	assert_true(pidfd >= 0);
	trips->trips = 0;
	trips->reads = 0;
	trips->writes = 0;
	while (!serve_once(trips, pidfd))
		continue;
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fusefs_ready(trips->f);
	answer_all(trips);
	return trips->trips;
}

/* So that the kernel knows what is there, and we do. */
void trips_list_top(void)
{
	DIR *dir = opendir(".");

	NEED(dir);
	while (readdir(dir))
		continue;
	NEED(closedir(dir) == 0);
}
