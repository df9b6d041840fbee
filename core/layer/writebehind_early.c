#include <stdlib.h>
#include <string.h>

#include "core/layer/writebehind_impl.h"

/*
 * Files that are there before they are made
 *
 * Who makes a file wants to know that it can be done, and what the file has:
 * an owner, a mode that the server has taken bits from, a time on its clock.
 * All files that we make in a directory have that in common.  So the first one
 * is waited for, and is the sample for others.  What a directory does to its
 * files is inherited by directories that are made in it: so it is a sample for
 * those in them, too, and one in them is a sample for the directory.
 *
 * The OPEN is the first step of its file, and the only one that goes alone: the
 * others need its handle.
 */

/* Then somebody may have changed the directory, or the clock. */
#define SAMPLE_MS 20000U

#define SAMPLES_MAX 256U

static size_t dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* NULL: no memory. */
static char *copy_of(const char *path, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, path, len);
	copy[len] = '\0';
	return copy;
}

/*
 * Samples
 */

static struct wb_sample *sample_at(const struct writebehind *wb,
				   const char *dir, size_t len)
{
	struct wb_sample *sample = NULL;

	if (wb->samples)
		HASH_FIND(hh, wb->samples, dir, len, sample);
	return sample;
}

static void sample_free(struct writebehind *wb, struct wb_sample *sample)
{
	HASH_DELETE(hh, wb->samples, sample);
	free(sample->dir);
	free(sample);
}

static size_t len_above(const char *path, size_t len)
{
	while (len > 0 && path[--len] != '/')
		;
	return len;
}

/* For what is made at that path; NULL: there is none by now. */
static const struct wb_sample *sample_for(const struct writebehind *wb,
					  const char *path)
{
	size_t len = dir_len(path);
	const struct wb_sample *sample = sample_at(wb, path, len);

	while (sample) {
		if (sample->attr.mask && wb_now(wb) - sample->ms < SAMPLE_MS)
			return sample;
		len = len_above(path, len);
		sample = sample->made ? sample_at(wb, path, len) : NULL;
	}
	return NULL;
}

/* Without memory it is not kept. */
static void sample_add(struct writebehind *wb, const char *dir, size_t len,
		       const struct wb_sample *like)
{
	struct wb_sample *sample = sample_at(wb, dir, len);

	if (sample)
		sample_free(wb, sample);
	if (HASH_COUNT(wb->samples) >= SAMPLES_MAX)
		sample_free(wb, wb->samples);
	sample = malloc(sizeof(*sample));
	if (!sample)
		return;
	*sample = *like;
	sample->dir = copy_of(dir, len);
	if (sample->dir)
		HASH_ADD_KEYPTR(hh, wb->samples, sample->dir, len, sample);
	if (sample->dir && sample->hh.tbl)
		return;
	free(sample->dir);
	free(sample);
}

void wb_sample_learn(struct writebehind *wb, const struct wb_file *file,
		     const struct csftp_attr *attr)
{
	const uint32_t need = CSFTP_ATTR_MODE | CSFTP_ATTR_MTIME;
	size_t len = dir_len(file->path);
	struct wb_sample sample = {
		.mode = file->creator->mode,
		.attr = *attr,
		.ms = file->made_ms,
		.made = true,
	};

	if ((attr->mask & need) != need || attr->size > 0 ||
	    (attr->mode & CSFTP_S_IFMT) != CSFTP_S_IFREG)
		return;
	while (sample.made) {
		const struct wb_sample *old = sample_at(wb, file->path, len);

		sample.made = old && old->made;
		sample_add(wb, file->path, len, &sample);
		len = len_above(file->path, len);
	}
}

void wb_samples_forget(struct writebehind *wb, const char *top)
{
	struct wb_sample *sample = wb->samples;

	while (sample) {
		struct wb_sample *next = sample->hh.next;

		if (relay_is_in(sample->dir, top))
			sample_free(wb, sample);
		sample = next;
	}
}

void wb_samples_release(struct writebehind *wb)
{
	while (wb->samples)
		sample_free(wb, wb->samples);
}

/*
 * What a file has right after it was made.  The server takes bits from the mode
 * that was asked for, and they are known only as far as the sample asked.
 */
static bool guess(const struct writebehind *wb, const struct csftp_req *up,
		  struct wb_sample *out)
{
	const struct wb_sample *sample = sample_for(wb, up->path);
	uint32_t mode = up->attr->mode & 07777U;
	uint32_t got;
	uint64_t age_ms;

	if (!sample)
		return false;
	got = sample->attr.mode & 07777U;
	if (mode != sample->mode && ((mode | got) & ~sample->mode))
		return false;
	*out = *sample;
	if (mode != sample->mode)
		out->attr.mode = CSFTP_S_IFREG | (mode & got);
	age_ms = wb_now(wb) - sample->ms;
	out->attr.mtime.sec += (int64_t)(age_ms / 1000);
	out->attr.mtime.nsec = 0;
	out->attr.atime = out->attr.mtime;
	return true;
}

/* Everybody can make files in it who could beside it. */
static bool is_open_to_us(const struct csftp_attr *attr)
{
	return attr && (attr->mask & CSFTP_ATTR_MODE) &&
	       !(attr->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID)) &&
	       (attr->mode & 0300U) == 0300U && !(attr->mode & 06000U);
}

static void dir_made(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	struct writebehind *wb = (struct writebehind *)job->relay;
	const struct wb_sample made = {.made = true};

	if (!reply->err && is_open_to_us(req->attr))
		sample_add(wb, req->path, strlen(req->path), &made);
	relay_answer(job, reply);
}

void wb_make_dir(struct writebehind *wb, struct csftp_req *up)
{
	struct relay_job *job = relay_take(&wb->relay, up);

	if (job)
		relay_ask(job, dir_made);
}

/*
 * OPEN
 */

/* As most programs do; and nobody else is to own it. */
static bool makes_plainly(const struct writebehind *wb,
			  const struct csftp_req *up)
{
	const uint32_t make = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT;
	const uint32_t owner = CSFTP_ATTR_UID | CSFTP_ATTR_GID;

	return wb->config.durability == WRITEBEHIND_ASYNC &&
	       wb->config.absent && (up->flags & make) == make && up->attr &&
	       (up->attr->mask & CSFTP_ATTR_MODE) && !(up->attr->mask & owner);
}

static bool is_absent(const struct writebehind *wb, const struct csftp_req *up)
{
	return wb->config.absent(wb->config.arg, up->path);
}

bool wb_is_fresh(const struct writebehind *wb, const struct csftp_req *up)
{
	return makes_plainly(wb, up) && !wb_file_at(wb, up->path) &&
	       ((up->flags & CSFTP_OPEN_EXCL) || is_absent(wb, up));
}

/* Who waits is not starved by those who do not. */
static bool may_be_early(const struct writebehind *wb,
			 const struct csftp_req *up)
{
	return !wb->held && wb->opening < WB_OPENING_MAX &&
	       wb->steps < wb->steps_max && makes_plainly(wb, up) &&
	       !wb_file_at(wb, up->path) && is_absent(wb, up);
}

/* The first step of the handle's file; NULL: no memory. */
static struct wb_step *open_step(struct writebehind *wb,
				 struct wb_handle *handle,
				 const struct csftp_req *up)
{
	char *path = copy_of(up->path, strlen(up->path));
	struct wb_step *step = NULL;

	if (path)
		step = wb_step_add(wb, handle, CSFTP_OP_OPEN);
	if (!step) {
		free(path);
		return NULL;
	}
	step->path = path;
	step->req.path = path;
	step->req.flags = up->flags;
	step->attr = *up->attr;
	return step;
}

static void file_begin(struct writebehind *wb, struct wb_handle *handle,
		       const struct wb_sample *like)
{
	struct wb_file *file = handle->file;

	file->opening = true;
	wb->opening++;
	wb_made(wb, handle);
	file->known = true;
	file->guessed = true;
	file->attr = like->attr;
	file->sure_ms = file->made_ms;
	file->made_sec = like->attr.mtime.sec;
	file->timed = true;
}

bool wb_open_early(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_handle *handle;
	struct wb_sample like;
	csftp_fh number;

	if (!may_be_early(wb, up) || !guess(wb, up, &like))
		return false;
	handle = wb_handle_new(wb, up);
	if (!handle)
		return false;
	if (!wb_handle_add(wb, handle, false)) {
		wb_handle_unpin(wb, handle);
		return false;
	}
	if (!open_step(wb, handle, up)) {
		wb_handle_remove(wb, handle);
		wb_handle_unpin(wb, handle);
		return false;
	}
	handle->fresh = true;
	handle->mode = up->attr->mode & 07777U;
	file_begin(wb, handle, &like);
	number = handle->number;
	wb_pump(wb);
	csftp_reply_fh(up, number);
	return true;
}

void wb_opened(struct writebehind *wb, struct wb_step *step,
	       const struct csftp_reply *reply)
{
	struct wb_handle *handle = step->handle;
	struct wb_file *file = handle->file;

	free(step->path);
	step->path = NULL;
	file->opening = false;
	wb->opening--;
	handle->fh = reply->fh;
	if (!reply->err)
		return;
	/* Whoever comes by that name now finds what is there. */
	handle->dead = reply->err;
	file->creator = NULL;
	wb_file_forget(wb, file);
	/* A disk may be full, or read-only: then no file can be made. */
	wb_samples_release(wb);
}

static bool is_dir_of(const char *dir, const char *path)
{
	size_t len = dir_len(path);

	/* The root's path is a slash. */
	return (strlen(dir) == len || (len == 0 && strcmp(dir, "/") == 0)) &&
	       strncmp(dir, path, len) == 0;
}

/* What it is about is the file, or what is above it. */
static bool asks_for(const struct csftp_req *up, const char *path)
{
	if (up->op == CSFTP_OP_GETATTR)
		return !(up->flags & CSFTP_ROUGH) && is_dir_of(up->path, path);
	return relay_is_in(path, up->path) ||
	       (up->op == CSFTP_OP_LINK && relay_is_in(path, up->path2));
}

bool wb_asks_for_opening(const struct writebehind *wb,
			 const struct csftp_req *up)
{
	const struct wb_file *file = up->path ? wb->files : NULL;

	while (file && !(file->opening && asks_for(up, file->path)))
		file = file->hh.next;
	return file != NULL;
}
