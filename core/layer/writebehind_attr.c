#include <string.h>

#include "core/layer/writebehind_impl.h"

/*
 * Attributes: of a file that has something before it they are what they will
 * be when that is done.
 */

/* What was known of a file so lately need not be asked for again. */
#define SURE_MS 1000U

struct wb_file *wb_file_about(const struct writebehind *wb,
			      const struct csftp_req *up)
{
	const struct wb_handle *handle;

	if (up->path)
		return wb_file_at(wb, up->path);
	handle = wb_handle_of(wb, up->fh);
	return handle ? handle->file : NULL;
}

/* The times that a SETATTR sets, be they "now" or not. */
static void apply(struct csftp_attr *attr, const struct csftp_attr *set)
{
	if (set->mask & CSFTP_ATTR_MODE) {
		attr->mode = (attr->mode & CSFTP_S_IFMT) | (set->mode & 07777U);
		attr->mask |= CSFTP_ATTR_MODE;
	}
	if (set->mask & (CSFTP_ATTR_ATIME | CSFTP_ATTR_ATIME_NOW)) {
		attr->atime = set->atime;
		attr->mask |= CSFTP_ATTR_ATIME;
	}
	if (set->mask & (CSFTP_ATTR_MTIME | CSFTP_ATTR_MTIME_NOW)) {
		attr->mtime = set->mtime;
		attr->mask |= CSFTP_ATTR_MTIME;
	}
}

void wb_made(struct writebehind *wb, struct wb_handle *handle)
{
	struct wb_file *file = handle->file;

	file->creator = handle;
	file->timed = false;
	file->made_ms = wb_now(wb);
	file->made_changes = file->changes;
}

/* While nothing is before it, others can change it, and we do not hear of it */
static bool is_sure(const struct writebehind *wb, const struct wb_file *file)
{
	return file->known &&
	       (file->first || wb_now(wb) - file->sure_ms < SURE_MS);
}

/* It is written to now, by the server's clock. */
static void touch(const struct writebehind *wb, struct wb_file *file)
{
	uint64_t ms = wb_now(wb) - file->made_ms;

	if (!(file->attr.mask & CSFTP_ATTR_MTIME))
		return;
	file->known = file->timed;
	file->attr.mtime.sec = file->made_sec + (int64_t)(ms / 1000);
	file->attr.mtime.nsec = 0;
}

void wb_wrote(struct writebehind *wb, struct wb_file *file, uint64_t off,
	      uint64_t len)
{
	uint64_t end = off + len;

	file->changes++;
	if (end > file->end)
		file->end = end;
	file->set.mask &= ~(CSFTP_ATTR_MTIME | CSFTP_ATTR_MTIME_NOW);
	file->exact = false;
	file->known = is_sure(wb, file);
	if (!file->known)
		return;
	if (end > file->attr.size)
		file->attr.size = end;
	touch(wb, file);
}

void wb_wrote_in_part(struct wb_file *file)
{
	file->known = false;
	file->end = 0;
	for (const struct wb_step *step = file->first; step;
	     step = step->next) {
		uint64_t end = step->req.off + step->len;

		if (step->req.op == CSFTP_OP_WRITE && end > file->end)
			file->end = end;
	}
}

static void overlay(struct csftp_attr *attr, uint64_t end,
		    const struct csftp_attr *set)
{
	if ((attr->mask & CSFTP_ATTR_SIZE) && end > attr->size)
		attr->size = end;
	apply(attr, set);
}

/* What the server says of a file that we made, and that nobody changed since */
static void learn(struct wb_job *job, const struct csftp_attr *attr)
{
	const uint32_t need = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE;
	struct writebehind *wb = (struct writebehind *)job->job.relay;
	struct wb_file *file = job->file;

	if (!(attr->mask & CSFTP_ATTR_SIZE) || file->changes != job->changes)
		return;
	if (attr->size > file->floor)
		file->floor = attr->size;
	if (!job->settled || !file->creator || (attr->mask & need) != need)
		return;
	file->known = true;
	file->exact = true;
	file->guessed = false;
	file->attr = *attr;
	file->sure_ms = wb_now(wb);
	if (file->timed || file->changes != file->made_changes ||
	    attr->size > 0)
		return;
	/* It has the time of its making, whenever that was. */
	file->timed = (attr->mask & CSFTP_ATTR_MTIME) != 0;
	file->made_sec = attr->mtime.sec;
	if (file->creator->fresh)
		wb_sample_learn(wb, file, attr);
}

static void getattr_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct wb_job *job = (struct wb_job *)req;
	struct writebehind *wb = (struct writebehind *)job->job.relay;
	struct wb_file *file = job->file;
	struct csftp_reply out = *reply;
	struct csftp_attr attr;

	if (!reply->err && reply->attr) {
		attr = *reply->attr;
		out.attr = &attr;
		learn(job, &attr);
		overlay(&attr, job->end, &job->set);
		if (file->first)
			overlay(&attr, file->end, &file->set);
	}
	wb_file_unpin(wb, file);
	relay_answer(&job->job, &out);
}

void wb_getattr(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file = wb_file_about(wb, up);
	struct wb_job *job;

	if (!file) {
		wb_pass(wb, up);
		return;
	}
	/* Of one that we have just made and not written to it is all true. */
	if (is_sure(wb, file) &&
	    (file->first || (file->creator && file->exact))) {
		csftp_reply_attr(up, &file->attr);
		return;
	}
	job = (struct wb_job *)relay_take(&wb->relay, up);
	if (!job)
		return;
	job->file = file;
	wb_file_pin(file);
	job->changes = file->changes;
	job->settled = !file->first;
	job->end = file->end;
	job->set = file->set;
	wb_lower(wb, &job->job.req);
	relay_ask(&job->job, getattr_done);
}

static void forget(struct wb_file *file)
{
	file->known = false;
	file->changes++;
}

static void setattr_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct wb_job *job = (struct wb_job *)req;

	forget(job->file);
	wb_file_unpin((struct writebehind *)job->job.relay, job->file);
	relay_answer(&job->job, reply);
}

void wb_setattr(struct writebehind *wb, struct wb_file *file,
		struct csftp_req *up)
{
	struct wb_job *job = (struct wb_job *)relay_take(&wb->relay, up);

	if (!job)
		return;
	forget(file);
	job->file = file;
	wb_file_pin(file);
	wb_lower(wb, &job->job.req);
	relay_ask(&job->job, setattr_done);
}

static bool same_time(const struct csftp_time *a, const struct csftp_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

/* A new owner, even the same, takes set-user-ID and set-group-ID bits away. */
static bool same_owner(const struct csftp_attr *is,
		       const struct csftp_attr *set)
{
	if (!(set->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID)))
		return true;
	return (!(set->mask & CSFTP_ATTR_UID) || set->uid == is->uid) &&
	       (!(set->mask & CSFTP_ATTR_GID) || set->gid == is->gid) &&
	       !(is->mode & 06000U);
}

static bool changes_nothing(const struct wb_file *file,
			    const struct csftp_attr *set)
{
	const struct csftp_attr *is = &file->attr;

	if (!file->known || (set->mask & ~is->mask))
		return false;
	/* A write that is behind changes the times once more. */
	if (!file->exact && (set->mask & WB_TIMES))
		return false;
	/* Owners are sure enough: they are all of one user's files there. */
	if (file->guessed && (set->mask & ~(CSFTP_ATTR_UID | CSFTP_ATTR_GID)))
		return false;
	return same_owner(is, set) && !(set->mask & CSFTP_ATTR_SIZE) &&
	       (!(set->mask & CSFTP_ATTR_MODE) ||
		((set->mode ^ is->mode) & 07777U) == 0) &&
	       (!(set->mask & CSFTP_ATTR_ATIME) ||
		same_time(&set->atime, &is->atime)) &&
	       (!(set->mask & CSFTP_ATTR_MTIME) ||
		same_time(&set->mtime, &is->mtime));
}

/*
 * Both times, as version 3 sends them in pairs only (filexfer-02, section 5):
 * who has to ask for the other one is overtaken by what comes behind.
 */
static bool complete(const struct wb_file *file, struct csftp_attr *set)
{
	const uint32_t atime = CSFTP_ATTR_ATIME | CSFTP_ATTR_ATIME_NOW;
	const uint32_t mtime = CSFTP_ATTR_MTIME | CSFTP_ATTR_MTIME_NOW;

	if (!(set->mask & WB_TIMES) ||
	    ((set->mask & atime) && (set->mask & mtime)))
		return true;
	if (!file->known || !(file->attr.mask & CSFTP_ATTR_ATIME) ||
	    !(file->attr.mask & CSFTP_ATTR_MTIME))
		return false;
	if (set->mask & atime) {
		set->mtime = file->attr.mtime;
		set->mask |= CSFTP_ATTR_MTIME;
	} else {
		set->atime = file->attr.atime;
		set->mask |= CSFTP_ATTR_ATIME;
	}
	return true;
}

/* The last step, if that sets attributes and waits yet; or one of its own. */
static struct wb_step *setattr_step(struct writebehind *wb,
				    struct wb_file *file)
{
	struct wb_step *step = file->last;

	if (step && step->state == WB_QUEUED &&
	    step->req.op == CSFTP_OP_SETATTR && step->handle == file->creator)
		return step;
	return wb_step_add(wb, file->creator, CSFTP_OP_SETATTR);
}

static void merge(struct csftp_attr *to, const struct csftp_attr *set)
{
	if (set->mask & WB_TIMES)
		to->mask &= ~WB_TIMES;
	to->mask |= set->mask;
	if (set->mask & CSFTP_ATTR_MODE)
		to->mode = set->mode & 07777U;
	if (set->mask & WB_TIMES) {
		to->atime = set->atime;
		to->mtime = set->mtime;
	}
}

bool wb_setattr_behind(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file = wb_file_about(wb, up);
	struct csftp_attr set = *up->attr;
	struct wb_step *step;

	if (!file || !file->creator || file->holds > 0 || wb->barriers > 0 ||
	    set.mask == 0 || wb->config.durability == WRITEBEHIND_SYNC)
		return false;
	file->known = is_sure(wb, file);
	if (changes_nothing(file, &set)) {
		csftp_reply_err(up, 0);
		return true;
	}
	if ((set.mask & ~WB_LIGHT) || !complete(file, &set))
		return false;
	step = setattr_step(wb, file);
	if (!step)
		return false;
	merge(&step->attr, &set);
	file->changes++;
	file->exact = false;
	file->creator->wrote = true;
	merge(&file->set, &set);
	if (file->known)
		apply(&file->attr, &set);
	csftp_reply_err(up, 0);
	wb_pump(wb);
	return true;
}

/* The file of that name in a directory, or NULL. */
static struct wb_file *file_in(const struct writebehind *wb, const char *dir,
			       const struct csftp_slice *name)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t len = strlen(dir);

	if (len > 0 && dir[len - 1] == '/')
		len--;
	if (name->len > CSFTP_PATH_MAX - 1 - len)
		return NULL;
	memcpy(path, dir, len);
	path[len] = '/';
	memcpy(path + len + 1, name->ptr, name->len);
	path[len + 1 + name->len] = '\0';
	return wb_file_at(wb, path);
}

static bool name_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct wb_job *job = (struct wb_job *)req;
	const struct writebehind *wb = (struct writebehind *)job->job.relay;
	struct csftp_req *up = job->job.asked;
	const struct wb_file *file =
		file_in(wb, job->handle->dir, &entry->name);
	struct csftp_entry shown = *entry;

	if (!file || !file->first)
		return up->entry(up, entry);
	if (file->known)
		shown.attr = file->attr;
	else
		overlay(&shown.attr, file->end, &file->set);
	return up->entry(up, &shown);
}

static void readdir_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct wb_job *job = (struct wb_job *)req;

	wb_handle_unpin((struct writebehind *)job->job.relay, job->handle);
	relay_answer(&job->job, reply);
}

void wb_readdir(struct csftp_fs *fs, struct csftp_req *up)
{
	struct writebehind *wb = (struct writebehind *)fs;
	struct wb_handle *handle = wb_handle_of(wb, up->fh);
	struct wb_job *job;

	if (!handle || !handle->dir ||
	    (wb->files_busy == 0 && !handle->renumbered)) {
		relay_pass(fs, up);
		return;
	}
	job = (struct wb_job *)relay_take(&wb->relay, up);
	if (!job)
		return;
	job->handle = handle;
	handle->pins++;
	job->job.req.entry = name_entry;
	wb_lower(wb, &job->job.req);
	relay_ask(&job->job, readdir_done);
}
