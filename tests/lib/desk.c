#include "tests/lib/desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "server/posixfs.h"
#include "tests/lib/test.h"

enum { STEP_US = 1 };

struct played played;

/* The object in the library that has these is not linked then. */
bool mounts_any(struct mounts *mounts)
{
	(void)mounts;
	return played.far != 0;
}

bool mounts_far(struct mounts *mounts, dev_t dev)
{
	(void)mounts;
	return played.far != 0 && dev == played.far;
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t off,
		int flags)
{
	played.in_place++;
	if (played.cold || played.old) {
		errno = played.old ? EOPNOTSUPP : EAGAIN;
		return -1;
	}
	assert_int_equal(flags, RWF_NOWAIT);
	return preadv(fd, iov, count, off);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t off,
		 int flags)
{
	struct iovec half = *iov;

	assert_int_equal(flags, RWF_NOWAIT);
	played.in_place++;
	if (played.old) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (!played.cold)
		return pwritev(fd, iov, count, off);
	half.iov_len /= 2;
	if (half.iov_len > 0)
		return pwritev(fd, &half, 1, off);
	errno = EAGAIN;
	return -1;
}

static uint64_t clock_us(void)
{
	return __atomic_add_fetch(&played.now_us, played.step_us,
				  __ATOMIC_RELAXED);
}

static uint64_t sleeps(void)
{
	return played.sleeps ? clock_us() : 0;
}

static void add_task(void *arg, struct threads_task *task)
{
	struct place *place = arg;
	struct threads_task **at = &place->tasks;

	while (*at)
		at = &(*at)->next;
	task->next = NULL;
	*at = task;
	place->task_count++;
}

static void wake(void *arg)
{
	((struct place *)arg)->awake++;
}

static void answered(void *arg)
{
	((struct place *)arg)->told++;
}

/* The first that was handed over comes back. */
bool run_task(void *arg)
{
	struct place *place = arg;
	struct threads_task *task = place->tasks;

	if (!task)
		return false;
	place->tasks = task->next;
	place->task_count--;
	task->run(task);
	assert_int_equal(place->awake, 1);
	place->awake = 0;
	disk_desk_collect(&place->desk);
	return true;
}

static void add_to_threads(void *arg, struct threads_task *task)
{
	threads_add(&((struct place *)arg)->threads, task);
}

static void wake_us(void *arg)
{
	sem_post(&((struct place *)arg)->back);
}

bool wait_for_one(void *arg)
{
	struct place *place = arg;

	if (pool_used(&place->desk.jobs) == 0)
		return false;
	while (sem_wait(&place->back) != 0)
		assert_int_equal(errno, EINTR);
	disk_desk_collect(&place->desk);
	return true;
}

static void open_layers(struct place *place)
{
	const struct disk_config config = {
		.tree = place->files,
		.files = place->files,
		.desk = &place->desk,
		.answered = answered,
		.arg = place,
	};

	for (size_t i = 0; i < 2; i++)
		disk_open(&place->disk[i], &config);
	place->c = (struct fs_caller){
		.fs = &place->disk[0].fs, .drive = run_task, .arg = place};
}

static struct place *place_new(const struct disk_desk_config *desk,
			       const struct posixfs_config *files)
{
	struct place *place = calloc(1, sizeof(*place));
	struct disk_desk_config own = *desk;
	struct posixfs_config tree = *files;

	assert_non_null(place);
	played.cold = played.old = false;
	played.far = 0;
	played.sleeps = true;
	played.step_us = STEP_US;
	scratch_make(place->dir);
	tree.start = tree.root ? NULL : place->dir;
	tree.root = tree.root ? place->dir : NULL;
	assert_int_equal(posixfs_new(&place->files, &tree), CSFTP_OK);
	own.clock_us = clock_us;
	own.sleeps = sleeps;
	own.arg = place;
	assert_true(disk_desk_open(&place->desk, &own));
	open_layers(place);
	return place;
}

/* Nothing is left, whatever the test has done. */
void place_free(struct place *place)
{
	while (run_task(place))
		;
	for (size_t i = 0; i < 2; i++) {
		assert_true(disk_is_idle(&place->disk[i]));
		disk_close(&place->disk[i]);
	}
	assert_true(disk_desk_close(&place->desk));
	posixfs_free(place->files);
	fs_caller_release(&place->c);
	scratch_remove(place->dir);
	free(place);
}

struct place *by_hand(uint32_t jobs)
{
	return place_new(&(struct disk_desk_config){.jobs = jobs,
						    .add = add_task,
						    .wake = wake},
			 &(struct posixfs_config){.handles = 16});
}

static void on_answer(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = (struct call *)req;

	assert_int_equal(call->answered, 0);
	call->answered = ++call->place->answers;
	call->err = reply->err;
	call->fh = reply->fh;
	call->len = reply->data.len;
	assert_true(call->len <= sizeof(call->data));
	if (call->len > 0)
		memcpy(call->data, reply->data.ptr, call->len);
}

struct call *ask_of(struct place *place, struct disk *disk,
		    const struct csftp_req *req)
{
	struct call *call = place->call;

	while (call->place)
		call++;
	assert_true(call < place->call + CALLS);
	*call = (struct call){.req = *req, .place = place};
	call->req.done = on_answer;
	csftp_submit(&disk->fs, &call->req);
	return call;
}

struct call *ask(struct place *place, const struct csftp_req *req)
{
	return ask_of(place, &place->disk[0], req);
}

csftp_fh make(struct place *place, const char *name, const char *text)
{
	csftp_fh fh;

	assert_int_equal(fs_open(&place->c, name, RW), 0);
	fh = place->c.fh;
	assert_int_equal(fs_write(&place->c, fh, 0, text, strlen(text)), 0);
	return fh;
}

static void no_confinement(void *arg)
{
	(void)arg;
}

struct place *by_threads(bool jail)
{
	struct place *place = place_new(
		&(struct disk_desk_config){
			.jobs = JOBS, .add = add_to_threads, .wake = wake_us},
		&(struct posixfs_config){.root = jail ? "" : NULL});

	threads_init(&place->threads);
	assert_int_equal(sem_init(&place->back, 0, 0), 0);
	assert_true(
		threads_start(&place->threads, THREADS, no_confinement, NULL));
	place->c.drive = wait_for_one;
	return place;
}

void end_threads(struct place *place)
{
	while (wait_for_one(place))
		;
	threads_stop(&place->threads);
	sem_destroy(&place->back);
	place_free(place);
}
