/* A request in a thread: what it takes there and what it brings back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/csftpd/disk_impl.h"
#include "server/posixfs.h"

/* One name, as it is kept; its text follows. */
struct kept {
	struct csftp_attr attr;
	size_t len;
};

static size_t room_of(size_t len)
{
	size_t size = sizeof(struct kept) + len;

	return (size + 7) / 8 * 8;
}

size_t disk_job_size(void)
{
	return sizeof(struct disk_job) + posixfs_hand_size();
}

static struct disk_job *job_of(struct csftp_req *req)
{
	return (struct disk_job *)((char *)req -
				   offsetof(struct disk_job, req));
}

/* In the thread; what it points at there is gone when it returns. */
static void keep_reply(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct disk_job *job = job_of(req);

	job->reply = *reply;
	if (reply->attr) {
		job->attr = *reply->attr;
		job->reply.attr = &job->attr;
	}
	if (reply->statfs) {
		job->statfs = *reply->statfs;
		job->reply.statfs = &job->statfs;
	}
	if (reply->text.len > sizeof(job->text)) {
		job->reply = (struct csftp_reply){.err = ENAMETOOLONG};
	} else if (reply->text.len > 0) {
		memcpy(job->text, reply->text.ptr, reply->text.len);
		job->reply.text.ptr = job->text;
	}
}

static bool keep_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct disk_job *job = job_of(req);
	struct kept kept = {.attr = entry->attr, .len = entry->name.len};

	if (room_of(kept.len) > sizeof(job->names) - job->names_len)
		return false;
	memcpy(job->names + job->names_len, &kept, sizeof(kept));
	memcpy(job->names + job->names_len + sizeof(kept), entry->name.ptr,
	       kept.len);
	job->names_len += room_of(kept.len);
	return true;
}

static void come_back(struct disk_job *job)
{
	struct disk_desk *desk = job->disk->config.desk;

	pthread_mutex_lock(&desk->lock);
	job->next_done = desk->done;
	desk->done = job;
	pthread_mutex_unlock(&desk->lock);
	desk->config.wake(desk->config.arg);
}

/* In the thread. */
static void run(struct threads_task *task)
{
	struct disk_job *job = (struct disk_job *)task;
	const struct disk_desk_config *config = &job->disk->config.desk->config;
	uint64_t sleeps = config->sleeps();
	uint64_t start = config->clock_us();

	csftp_submit(job->hand, &job->req);
	job->was_slow = config->clock_us() - start >= DISK_SLOW_US &&
			config->sleeps() > sleeps;
	come_back(job);
}

bool disk_job_start(struct disk *disk, struct disk_job *job,
		    struct csftp_req *asked)
{
	struct disk_desk *desk = disk->config.desk;
	int err = 0;

	job->task.run = run;
	job->disk = disk;
	job->asked = asked;
	job->req = *asked;
	job->req.done = keep_reply;
	job->req.entry = keep_entry;
	/* It may be another's by then: see CSFTP_FS_PROMPT. */
	job->req.into = NULL;
	job->req.pipe = NULL;
	if (disk_expands(asked)) {
		err = disk_expand(disk, asked->path, job->path);
		job->req.path = job->path;
		job->req.flags &= ~CSFTP_EXPAND;
	}
	job->hand = posixfs_hand_init(job->memory);
	job->names_len = 0;
	if (err == 0)
		err = posixfs_lend(job->hand, disk->config.files, &job->req);
	if (err != 0) {
		pool_put(&desk->jobs, job);
		csftp_reply_err(asked, err);
		return false;
	}
	job->next = disk->jobs;
	disk->jobs = job;
	disk->job_count++;
	desk->config.add(desk->config.arg, &job->task);
	return true;
}

static void unlist(struct disk_job *job)
{
	struct disk *disk = job->disk;
	struct disk_job **at = &disk->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	disk->job_count--;
}

/* To who asked, until it has no room; whether all went. */
static bool tell_names(struct csftp_req *req, const uint8_t *bytes, size_t len,
		       size_t *used)
{
	while (*used < len) {
		struct csftp_entry entry = {.name = {NULL, 0}};
		struct kept kept;

		memcpy(&kept, bytes + *used, sizeof(kept));
		entry.attr = kept.attr;
		entry.name.ptr = bytes + *used + sizeof(kept);
		entry.name.len = kept.len;
		if (!req->entry(req, &entry))
			return false;
		*used += room_of(kept.len);
	}
	return true;
}

/* Those that had no room are for the next READDIR. */
static void answer_names(struct disk_job *job)
{
	struct disk *disk = job->disk;
	struct disk_names *rest;
	size_t used = 0;

	if (tell_names(job->asked, job->names, job->names_len, &used)) {
		csftp_reply(job->asked, &job->reply);
		return;
	}
	rest = job->names_len - used <= disk->config.names_max - disk->names_len
		       ? malloc(sizeof(*rest) + job->names_len - used)
		       : NULL;
	if (!rest) {
		csftp_reply_err(job->asked, ENOMEM);
		return;
	}
	*rest = (struct disk_names){.next = disk->names,
				    .fh = job->asked->fh,
				    .eof = job->reply.eof,
				    .len = job->names_len - used};
	memcpy(rest->bytes, job->names + used, rest->len);
	disk->names = rest;
	disk->names_len += rest->len;
	csftp_reply(job->asked, &(struct csftp_reply){.eof = false});
}

static struct disk_names **find_names(struct disk *disk, csftp_fh fh)
{
	struct disk_names **at = &disk->names;

	while (*at && (*at)->fh != fh)
		at = &(*at)->next;
	return at;
}

bool disk_names_answer(struct disk *disk, struct csftp_req *req)
{
	struct disk_names **at = find_names(disk, req->fh);
	struct disk_names *names = *at;
	bool eof;

	if (!names)
		return false;
	/* Out of the list, as who is told may ask for anything. */
	*at = names->next;
	if (!tell_names(req, names->bytes, names->len, &names->used)) {
		names->next = disk->names;
		disk->names = names;
		csftp_reply(req, &(struct csftp_reply){.eof = false});
		return true;
	}
	eof = names->eof;
	disk->names_len -= names->len;
	free(names);
	csftp_reply(req, &(struct csftp_reply){.eof = eof});
	return true;
}

void disk_names_drop(struct disk *disk, csftp_fh fh)
{
	struct disk_names **at = find_names(disk, fh);
	struct disk_names *names = *at;

	if (!names)
		return;
	*at = names->next;
	disk->names_len -= names->len;
	free(names);
}

void disk_job_end(struct disk_job *job)
{
	struct disk *disk = job->disk;
	struct disk_desk *desk = disk->config.desk;

	unlist(job);
	posixfs_regain(job->hand, disk->config.files, &job->reply);
	if (job->asked->own == DISK_SLOW)
		disk_learn(disk, disk_kind_of(job->asked), job->was_slow);
	if (job->asked->op == CSFTP_OP_READDIR && job->reply.err == 0)
		answer_names(job);
	else
		csftp_reply(job->asked, &job->reply);
	pool_put(&desk->jobs, job);
}
