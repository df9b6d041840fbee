#include <errno.h>

#include "core/layer/survive_impl.h"

static struct survive *survive_of(const struct survive_job *job)
{
	return (struct survive *)job->job.relay;
}

static struct survive_handle *find_handle(const struct survive *survive,
					  csftp_fh fh)
{
	return (struct survive_handle *)fhmap_find(&survive->map, fh);
}

static void changes(struct survive_job *job, struct survive_node *node)
{
	if (!node)
		return;
	node->refs++;
	survive_node_begin(node);
	job->changes = node;
}

static int begin_open(struct survive_job *job)
{
	struct survive *survive = survive_of(job);
	const struct csftp_req *asked = job->job.asked;

	job->handle = (struct survive_handle *)fhmap_take(&survive->map);
	if (job->handle)
		job->file = survive_file_new(survive, asked);
	if (!job->file)
		return ENOMEM;
	if (asked->op == CSFTP_OP_OPEN && (asked->flags & CSFTP_OPEN_TRUNC)) {
		changes(job, job->file->node);
		job->file->node->size = 0;
		survive_same_forget(job->file->node, 0, UINT64_MAX);
	}
	return 0;
}

static int begin_close(struct survive_job *job)
{
	struct survive *survive = survive_of(job);
	struct survive_handle *handle =
		find_handle(survive, job->job.asked->fh);

	if (!handle)
		return EBADF;
	job->file = handle->file; /* and what the handle held of it */
	job->file->closed = true;
	fhmap_remove(&survive->map, job->job.asked->fh);
	return 0;
}

static int hold_file(struct survive_job *job, csftp_fh fh,
		     struct survive_file **file)
{
	const struct survive_handle *handle = find_handle(survive_of(job), fh);

	if (!handle)
		return EBADF;
	*file = handle->file;
	survive_file_hold(*file);
	return 0;
}

static void will_write(struct survive_job *job)
{
	const struct csftp_req *asked = job->job.asked;
	struct survive_file *file = job->file2 ? job->file2 : job->file;

	file->written = true;
	changes(job, file->node);
	if (file->flags & CSFTP_OPEN_APPEND)
		return;
	if (asked->op == CSFTP_OP_WRITE)
		survive_same_forget(file->node, asked->off, asked->len);
	else
		survive_same_forget(file->node, asked->off2,
				    asked->len ? asked->len : UINT64_MAX);
}

static void will_change(struct survive_job *job)
{
	struct survive *survive = survive_of(job);
	const struct csftp_req *asked = job->job.asked;

	if (asked->op == CSFTP_OP_WRITE || asked->op == CSFTP_OP_COPY_RANGE) {
		will_write(job);
	} else if (asked->op == CSFTP_OP_SETATTR) {
		changes(job, job->file
				     ? job->file->node
				     : survive_node_find(survive, asked->path));
		if (job->changes)
			survive_node_set(job->changes, asked->attr);
	}
}

/* What names a handle: always, or where it names no path. */
static bool is_of_handle(const struct csftp_req *asked)
{
	static const bool always[CSFTP_OP_COUNT] = {
		[CSFTP_OP_READ] = true,	      [CSFTP_OP_WRITE] = true,
		[CSFTP_OP_FSYNC] = true,      [CSFTP_OP_READDIR] = true,
		[CSFTP_OP_COPY_RANGE] = true,
	};

	return always[asked->op] ||
	       (!asked->path && asked->op != CSFTP_OP_IDNAME);
}

int survive_begin(struct survive_job *job)
{
	const struct csftp_req *asked = job->job.asked;
	int err = 0;

	if (asked->op == CSFTP_OP_OPEN || asked->op == CSFTP_OP_OPENDIR)
		return begin_open(job);
	if (asked->op == CSFTP_OP_CLOSE)
		return begin_close(job);
	if (is_of_handle(asked))
		err = hold_file(job, asked->fh, &job->file);
	if (!err && asked->op == CSFTP_OP_COPY_RANGE)
		err = hold_file(job, asked->fh2, &job->file2);
	if (!err)
		will_change(job);
	return err;
}
