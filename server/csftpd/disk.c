#include "server/csftpd/disk.h"

#include <errno.h>
#include <string.h>

#include "server/csftpd/disk_impl.h"
#include "server/posixfs.h"

enum disk_kind disk_kind_of(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_WRITE || req->op == CSFTP_OP_READ
		       ? DISK_DATA
		       : DISK_NAMES;
}

void disk_learn(struct disk *disk, enum disk_kind kind, bool slow)
{
	if (slow)
		disk->slow[kind] = DISK_SLOW_COUNT;
	else if (disk->slow[kind] > 0)
		disk->slow[kind]--;
}

/* What is known of it before a request is tried, and afterwards. */
struct trial {
	enum disk_kind kind;
	bool suspected;
	uint64_t sleeps;
	uint64_t start;
};

static void begin_trial(struct trial *trial, const struct disk *disk,
			const struct csftp_req *req)
{
	const struct disk_desk_config *config = &disk->config.desk->config;

	trial->kind = disk_kind_of(req);
	trial->suspected = disk->suspect[trial->kind] > 0;
	if (trial->suspected)
		trial->sleeps = config->sleeps();
	trial->start = config->clock_us();
}

/* The request is gone. */
static void end_trial(const struct trial *trial, struct disk *disk)
{
	struct disk_desk *desk = disk->config.desk;
	uint8_t *suspect = &disk->suspect[trial->kind];

	if (desk->config.clock_us() - trial->start < DISK_SLOW_US) {
		*suspect = (uint8_t)(*suspect - (*suspect > 0));
		return;
	}
	*suspect = DISK_SLOW_COUNT;
	if (!trial->suspected || desk->config.sleeps() == trial->sleeps)
		return;
	disk_learn(disk, trial->kind, true);
	atomic_fetch_add_explicit(&desk->slow, 1, memory_order_relaxed);
}

static bool has_handle(const struct csftp_req *req, csftp_fh fh)
{
	return posixfs_by_handle(req) &&
	       (req->fh == fh ||
		(req->op == CSFTP_OP_COPY_RANGE && req->fh2 == fh));
}

static bool same_handle(const struct csftp_req *a, const struct csftp_req *b)
{
	if (!posixfs_by_handle(a))
		return false;
	return has_handle(b, a->fh) ||
	       (a->op == CSFTP_OP_COPY_RANGE && has_handle(b, a->fh2));
}

/* What a request does that others can see. */
enum effect { NOTHING, LOOKS, CHANGES };

static enum effect effect_of(const struct csftp_req *req)
{
	switch (req->op) {
	case CSFTP_OP_FSYNC:
	case CSFTP_OP_CLOSE:
	case CSFTP_OP_READDIR:
	case CSFTP_OP_STATFS:
	case CSFTP_OP_FLUSH:
	case CSFTP_OP_HOMEDIR:
	case CSFTP_OP_IDNAME:
	case CSFTP_OP_COUNT:
		return NOTHING;
	case CSFTP_OP_OPEN:
		return req->flags & (CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC)
			       ? CHANGES
			       : LOOKS;
	case CSFTP_OP_GETATTR:
	case CSFTP_OP_READLINK:
	case CSFTP_OP_REALPATH:
	case CSFTP_OP_READ:
	case CSFTP_OP_OPENDIR:
		return LOOKS;
	case CSFTP_OP_SETATTR:
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
	case CSFTP_OP_SYMLINK:
	case CSFTP_OP_LINK:
	case CSFTP_OP_RENAME:
	case CSFTP_OP_WRITE:
	case CSFTP_OP_COPY_RANGE:
		break;
	}
	return CHANGES;
}

/* Whether they have to be done in the order in which they came. */
static bool in_order(const struct csftp_req *a, const struct csftp_req *b)
{
	enum effect one = effect_of(a), other = effect_of(b);

	return same_handle(a, b) || (one == CHANGES && other != NOTHING) ||
	       (other == CHANGES && one != NOTHING);
}

/* `before`: as far as it waits itself, those in front of it; NULL: all. */
static bool has_to_wait(const struct disk *disk, const struct csftp_req *req,
			const struct csftp_req *before)
{
	for (const struct disk_job *job = disk->jobs; job; job = job->next)
		if (in_order(job->asked, req))
			return true;
	for (const struct csftp_req *at = disk->first; at != before;
	     at = at->next)
		if (in_order(at, req))
			return true;
	return false;
}

/* Behind `prev`; NULL: in front. */
static void insert(struct disk *disk, struct csftp_req *req,
		   struct csftp_req *prev)
{
	req->prev = prev;
	req->next = prev ? prev->next : disk->first;
	if (req->next)
		req->next->prev = req;
	else
		disk->last = req;
	if (prev)
		prev->next = req;
	else
		disk->first = req;
	disk->waiting++;
}

static void take_out(struct disk *disk, struct csftp_req *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		disk->first = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		disk->last = req->prev;
	disk->waiting--;
}

static bool always_waits(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_FSYNC || req->op == CSFTP_OP_STATFS ||
	       req->op == CSFTP_OP_COPY_RANGE;
}

/* What knows of users belongs to the worker's thread: see posixfs_lend(). */
static bool is_homely(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_HOMEDIR || req->op == CSFTP_OP_IDNAME;
}

bool disk_expands(const struct csftp_req *req)
{
	return req->op == CSFTP_OP_REALPATH && req->flags & CSFTP_EXPAND;
}

struct home {
	struct csftp_req req; /* first */
	char *out;
	size_t len;
	int err;
};

static void keep_home(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct home *home = (struct home *)req;

	home->err = reply->err;
	home->len = reply->err == 0 ? reply->text.len : 0;
	if (home->len > CSFTP_PATH_MAX)
		home->err = ENAMETOOLONG;
	else if (home->len > 0)
		memcpy(home->out, reply->text.ptr, home->len);
}

int disk_expand(struct disk *disk, const char *path,
		char out[CSFTP_PATH_MAX + 1])
{
	size_t user = *path == '~' ? strcspn(path, "/") : 0;
	size_t rest = strlen(path) - user;
	char name[CSFTP_NAME_MAX + 1] = "";
	struct home home = {
		.req = {.op = CSFTP_OP_HOMEDIR,
			.path = name,
			.done = keep_home},
		.out = out,
	};

	if (user > sizeof(name))
		return ENOENT;
	if (user > 0) {
		memcpy(name, path + 1, user - 1);
		csftp_submit(disk->config.tree, &home.req);
	}
	if (home.err == 0 && rest > CSFTP_PATH_MAX - home.len)
		home.err = ENAMETOOLONG;
	if (home.err == 0)
		memcpy(out + home.len, path + user, rest + 1);
	return home.err;
}

/* A request in place of another, which has its answer. */
struct substitute {
	struct csftp_req req; /* first */
	struct csftp_req *asked;
};

static void pass_on(struct csftp_req *req, const struct csftp_reply *reply)
{
	csftp_reply(((struct substitute *)req)->asked, reply);
}

/* posixfs_now(), which knows no homes. */
static bool try_now(struct disk *disk, struct csftp_req *req)
{
	struct substitute other;
	char path[CSFTP_PATH_MAX + 1];
	int err;

	if (!disk_expands(req))
		return posixfs_now(disk->config.files, req);
	err = disk_expand(disk, req->path, path);
	if (err != 0) {
		csftp_reply_err(req, err);
		return true;
	}
	other = (struct substitute){.req = *req, .asked = req};
	other.req.path = path;
	other.req.flags &= ~CSFTP_EXPAND;
	other.req.done = pass_on;
	return posixfs_now(disk->config.files, &other.req);
}

/* Without a thread; false: nothing was done. */
static bool answer_now(struct disk *disk, struct csftp_req *req)
{
	struct trial trial;

	if (is_homely(req)) {
		csftp_submit(disk->config.tree, req);
		return true;
	}
	if (req->op == CSFTP_OP_CLOSE)
		disk_names_drop(disk, req->fh);
	if (req->op == CSFTP_OP_READDIR && disk_names_answer(disk, req))
		return true;
	if (req->own == DISK_UNTRIED && always_waits(req))
		req->own = DISK_WAITS;
	else if (req->own == DISK_UNTRIED &&
		 disk->slow[disk_kind_of(req)] > 0 && req->op != CSFTP_OP_READ)
		req->own = DISK_SLOW;
	if (req->own != DISK_UNTRIED)
		return false;
	begin_trial(&trial, disk, req);
	if (try_now(disk, req)) {
		end_trial(&trial, disk);
		return true;
	}
	req->own = DISK_WAITS;
	return false;
}

/* One session does not take all: others may wait for another disk. */
static bool may_have_job(const struct disk *disk)
{
	const struct disk_desk *desk = disk->config.desk;

	return disk->job_count < (desk->jobs.count + 1) / 2 &&
	       pool_has(&desk->jobs) && (!desk->first || desk->served == disk);
}

static void list_at_desk(struct disk *disk)
{
	struct disk_desk *desk = disk->config.desk;

	if (disk->listed || disk->job_count >= (desk->jobs.count + 1) / 2)
		return;
	disk->listed = true;
	disk->next_listed = NULL;
	*desk->last = disk;
	desk->last = &disk->next_listed;
}

/* False: it waits, for a job.  In answering, anything may be asked for. */
static bool start(struct disk *disk, struct csftp_req *req)
{
	if (answer_now(disk, req))
		return true;
	if (!may_have_job(disk)) {
		list_at_desk(disk);
		return false;
	}
	(void)disk_job_start(disk, pool_get(&disk->config.desk->jobs), req);
	return true;
}

static void submit(struct csftp_fs *fs, struct csftp_req *req)
{
	struct disk *disk = (struct disk *)fs;

	req->own = DISK_UNTRIED;
	if ((!disk->first && !disk->jobs) || !has_to_wait(disk, req, NULL))
		if (start(disk, req))
			return;
	/* From here on they may be another's: see CSFTP_FS_PROMPT. */
	req->into = NULL;
	req->pipe = NULL;
	insert(disk, req, disk->last);
}

/* The next that does not wait for others. */
static struct csftp_req *next_ready(const struct disk *disk)
{
	struct csftp_req *req = disk->first;

	while (req && (has_to_wait(disk, req, req) ||
		       (req->own != DISK_UNTRIED && !may_have_job(disk))))
		req = req->next;
	return req;
}

/*
 * All that can go on.  What was tried in vain is put back where it was: nothing
 * was asked for in between.
 */
static void pump(struct disk *disk)
{
	struct csftp_req *req;

	if (disk->pumping)
		return;
	disk->pumping = true;
	while ((req = next_ready(disk))) {
		struct csftp_req *prev = req->prev;

		take_out(disk, req);
		if (!start(disk, req))
			insert(disk, req, prev);
	}
	disk->pumping = false;
	for (req = disk->first; req; req = req->next)
		if (req->own != DISK_UNTRIED && !has_to_wait(disk, req, req))
			list_at_desk(disk);
}

/*
 * Each that waits for a job has a turn, while there are some.  What could not
 * be handed over was answered with that; `told` will hear of it in any case.
 */
static void serve_listed(struct disk_desk *desk, const struct disk *told)
{
	while (desk->first && pool_has(&desk->jobs)) {
		struct disk *disk = desk->first;

		desk->first = disk->next_listed;
		if (!desk->first)
			desk->last = &desk->first;
		disk->listed = false;
		desk->served = disk;
		pump(disk);
		desk->served = NULL;
		/* The last: nobody may need it any more. */
		if (disk != told)
			disk->config.answered(disk->config.arg);
	}
}

static void unlist(struct disk *disk)
{
	struct disk_desk *desk = disk->config.desk;
	struct disk **at = &desk->first;

	if (!disk->listed)
		return;
	while (*at != disk)
		at = &(*at)->next_listed;
	*at = disk->next_listed;
	if (!*at)
		desk->last = at;
	disk->listed = false;
}

void disk_desk_collect(struct disk_desk *desk)
{
	struct disk_job *done, *next;

	pthread_mutex_lock(&desk->lock);
	done = desk->done;
	desk->done = NULL;
	pthread_mutex_unlock(&desk->lock);
	for (; done; done = next) {
		struct disk *disk = done->disk;

		next = done->next_done;
		disk_job_end(done);
		pump(disk);
		serve_listed(desk, disk);
		disk->config.answered(disk->config.arg);
	}
}

/* What is in a thread comes back when it does. */
static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct disk *disk = (struct disk *)fs;
	struct csftp_req *at = disk->first;

	while (at && at != req)
		at = at->next;
	if (!at)
		return;
	take_out(disk, req);
	csftp_reply_err(req, EINTR);
}

static const struct csftp_fs_ops ops = {
	.rest = submit,
	.cancel = cancel,
};

void disk_open(struct disk *disk, const struct disk_config *config)
{
	*disk = (struct disk){.config = *config};
	if (disk->config.names_max == 0)
		disk->config.names_max = DISK_NAMES_MAX;
	disk->fs.ops = &ops;
	disk->fs.max_read = config->tree->max_read;
	disk->fs.max_write = config->tree->max_write;
	disk->fs.traits = CSFTP_FS_PROMPT;
}

bool disk_is_idle(const struct disk *disk)
{
	return !disk->first && !disk->jobs;
}

void disk_close(struct disk *disk)
{
	while (disk->names)
		disk_names_drop(disk, disk->names->fh);
	unlist(disk);
}

bool disk_desk_open(struct disk_desk *desk,
		    const struct disk_desk_config *config)
{
	*desk = (struct disk_desk){.config = *config};
	desk->last = &desk->first;
	pthread_mutex_init(&desk->lock, NULL);
	return pool_open(&desk->jobs, "disk", disk_job_size(), config->jobs);
}

bool disk_desk_close(struct disk_desk *desk)
{
	if (desk->last)
		pthread_mutex_destroy(&desk->lock);
	return pool_close(&desk->jobs);
}
