
#include "core/layer/writebehind_impl.h"

/*
 * Requests that have to wait: for room, or for writes that come before them.
 * They go on in their order, as far as they are about the same files.
 */

static bool is_busy(const struct wb_file *file)
{
	return file && file->first;
}

/*
 * Whether something about it could come too late behind a change of its name.
 * What was sent is done before that, but for a WRITE, which can be overtaken,
 * and an OPEN, which is not about a handle.
 */
static bool has_unwritten(const struct wb_file *file)
{
	const struct wb_step *step = file ? file->first : NULL;

	while (step && step->state != WB_QUEUED &&
	       (step->state == WB_DONE || (step->req.op != CSFTP_OP_WRITE &&
					   step->req.op != CSFTP_OP_OPEN)))
		step = step->next;
	return step != NULL;
}

/* A RENAME can be of a directory, with all that is in it. */
static bool moves_what_is_busy(const struct writebehind *wb,
			       const struct csftp_req *up)
{
	for (const struct wb_file *file = wb->files; file;
	     file = file->hh.next) {
		if (has_unwritten(file) && (relay_is_in(file->path, up->path) ||
					    relay_is_in(file->path, up->path2)))
			return true;
	}
	return false;
}

/*
 * Whether a READ comes to what is not written yet, or may come to an end that
 * will not be one.
 */
static bool reads_what_is_behind(const struct wb_file *file,
				 const struct csftp_req *up)
{
	if (up->len > file->floor || up->off > file->floor - up->len)
		return true;
	for (const struct wb_step *step = file->first; step;
	     step = step->next) {
		if (step->req.op == CSFTP_OP_WRITE && step->state != WB_DONE &&
		    step->req.off < up->off + up->len &&
		    up->off < step->req.off + step->len)
			return true;
	}
	return false;
}

static bool writes(const struct writebehind *wb, const struct csftp_req *up)
{
	const struct wb_handle *handle = wb_handle_of(wb, up->fh);

	return handle && (handle->flags & CSFTP_OPEN_WRITE);
}

static bool copies_what_is_busy(const struct writebehind *wb,
				const struct csftp_req *up)
{
	const struct wb_handle *to = wb_handle_of(wb, up->fh2);

	return to && is_busy(to->file);
}

/* By itself, whoever else waits.  file is what it is about, or NULL. */
static bool must_wait(const struct writebehind *wb, const struct csftp_req *up,
		      const struct wb_file *file)
{
	if (wb->opening > 0 && wb_asks_for_opening(wb, up))
		return true;
	if (up->op == CSFTP_OP_WRITE)
		return writes(wb, up) && !wb_has_room(wb, up->len);
	if (up->op == CSFTP_OP_READ)
		return is_busy(file) && reads_what_is_behind(file, up);
	if (up->op == CSFTP_OP_RENAME)
		return wb->files_busy > 0 && moves_what_is_busy(wb, up);
	if (up->op == CSFTP_OP_UNLINK)
		return has_unwritten(file);
	if (up->op == CSFTP_OP_CLOSE || up->op == CSFTP_OP_FLUSH ||
	    up->op == CSFTP_OP_GETATTR)
		return false;
	if (up->op == CSFTP_OP_FSYNC)
		return is_busy(file) && !writes(wb, up);
	if (up->op == CSFTP_OP_COPY_RANGE && copies_what_is_busy(wb, up))
		return true;
	return is_busy(file);
}

/* Nothing goes past these: they are about more than one file. */
static bool is_barrier(const struct csftp_req *up)
{
	return up->op == CSFTP_OP_RENAME || up->op == CSFTP_OP_LINK ||
	       up->op == CSFTP_OP_COPY_RANGE;
}

/* What comes behind it may be answered otherwise, and not by a larger size. */
static bool is_change(const struct csftp_req *up)
{
	return up->op != CSFTP_OP_READ && up->op != CSFTP_OP_WRITE &&
	       up->op != CSFTP_OP_GETATTR;
}

/* Whether others that wait are in its way. */
static bool comes_behind(const struct csftp_req *up, const struct wb_file *file)
{
	if (!file)
		return false;
	return up->op == CSFTP_OP_GETATTR ? file->changers > 0
					  : file->holds > 0;
}

/* The file that one of those who wait is about, pinned; or NULL. */
static struct wb_file *file_of_held(const struct csftp_req *up)
{
	return (struct wb_file *)(uintptr_t)up->own;
}

static void enqueue(struct writebehind *wb, struct csftp_req *up,
		    struct wb_file *file)
{
	struct csftp_req **at = &wb->held;

	while (*at)
		at = &(*at)->next;
	*at = up;
	up->next = NULL;
	up->own = (uintptr_t)file;
	wb->held_count++;
	if (is_barrier(up))
		wb->barriers++;
	if (file) {
		wb_file_pin(file);
		file->holds++;
		file->changers += is_change(up);
	}
}

bool wb_hold(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file;

	if (wb->files_busy == 0 && !wb->held)
		return false;
	file = wb_file_about(wb, up);
	if (wb->barriers == 0 && !comes_behind(up, file) &&
	    !must_wait(wb, up, file))
		return false;
	enqueue(wb, up, file);
	/* What waited for company has to go now. */
	wb_pump(wb);
	return true;
}

bool wb_unhold(struct writebehind *wb, struct csftp_req *up)
{
	struct wb_file *file;

	if (!relay_unlist(&wb->held, up))
		return false;
	file = file_of_held(up);
	wb->held_count--;
	if (is_barrier(up))
		wb->barriers--;
	if (file) {
		file->holds--;
		file->changers -= is_change(up);
		wb_file_unpin(wb, file);
	}
	return true;
}

/* The first that nothing and nobody is in the way of. */
static struct csftp_req *next_free(struct writebehind *wb)
{
	bool crowded = false;

	wb->stamp++;
	for (struct csftp_req *up = wb->held; up; up = up->next) {
		struct wb_file *file = file_of_held(up);
		bool write = up->op == CSFTP_OP_WRITE;
		bool behind = (file && file->stamp == wb->stamp) ||
			      (crowded && write);

		if (!behind && !must_wait(wb, up, file))
			return up;
		if (is_barrier(up))
			return NULL;
		if (file)
			file->stamp = wb->stamp;
		crowded = crowded || write;
	}
	return NULL;
}

void wb_release(struct writebehind *wb)
{
	struct csftp_req *up;

	if (wb->releasing || !wb->held)
		return;
	wb->releasing = true;
	up = next_free(wb);
	while (up) {
		(void)wb_unhold(wb, up);
		wb_dispatch(wb, up);
		up = next_free(wb);
	}
	wb->releasing = false;
}
