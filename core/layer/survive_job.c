#include <errno.h>
#include <string.h>

#include "core/layer/survive_impl.h"

static struct survive *survive_of(const struct survive_job *job)
{
	return (struct survive *)job->job.relay;
}

/*
 * What an answer means for what is known
 */

static void grew(struct survive_job *job, uint64_t off, uint64_t len)
{
	struct survive_file *file = job->file2 ? job->file2 : job->file;
	struct survive_node *node = file->node;

	if (file->flags & CSFTP_OPEN_APPEND) {
		node->size += len - job->appended;
		node->appended += len - job->appended;
	} else if (off + len > node->size) {
		node->size = off + len;
	}
}

/* What comes behind it has to be looked for behind it. */
static void grew_in_part(struct survive_job *job)
{
	struct survive_node *node = job->file->node;
	uint64_t len = job->done - job->appended;

	if (!(job->file->flags & CSFTP_OPEN_APPEND))
		return;
	node->size += len;
	node->appended += len;
	job->appended += len;
}

static void after_read(struct survive_job *job, struct csftp_reply *reply)
{
	survive_same_read(job, reply);
}

static void after_write(struct survive_job *job, struct csftp_reply *reply)
{
	(void)reply;
	grew(job, job->job.asked->off, job->job.asked->len);
	survive_same_wrote(job);
}

static void after_copy(struct survive_job *job, struct csftp_reply *reply)
{
	grew(job, job->job.asked->off2, reply->count);
}

static void after_open(struct survive_job *job, struct csftp_reply *reply)
{
	struct survive *survive = survive_of(job);
	struct survive_file *file = job->file;

	file->low = reply->fh;
	file->epoch = survive->epoch;
	file->fh = ++survive->next_fh;
	job->handle->file = file;
	fhmap_put(&survive->map, &job->handle->entry, file->fh);
	job->handle = NULL;
	survive_file_hold(file);
	survive_file_list(file);
	reply->fh = file->fh;
}

/* The shortest path is the top, or as close to it as anybody has asked. */
static void after_statfs(struct survive_job *job, struct csftp_reply *reply)
{
	struct survive *survive = survive_of(job);
	const char *path = job->job.asked->path;
	size_t len = path ? strlen(path) : SIZE_MAX;

	if (!reply->statfs || (survive->has_statfs && len > survive->statfs_of))
		return;
	survive->statfs_of = len;
	survive->statfs = *reply->statfs;
	survive->has_statfs = true;
}

static void after_getattr(struct survive_job *job, struct csftp_reply *reply)
{
	struct survive_node *node = job->file ? job->file->node : NULL;

	if (node && reply->attr && node->changing == 0 &&
	    node->changes == job->seen_changes)
		survive_node_saw(node, reply->attr);
}

static void after_setattr(struct survive_job *job, struct csftp_reply *reply)
{
	const struct csftp_attr *attr = job->job.asked->attr;

	(void)reply;
	if (job->changes && (attr->mask & CSFTP_ATTR_SIZE))
		job->changes->size = attr->size;
}

static void after_link(struct survive_job *job, struct csftp_reply *reply)
{
	struct survive_node *node =
		survive_node_find(survive_of(job), job->job.asked->path);

	(void)reply;
	if (node)
		node->linked = true;
}

static void after_rename(struct survive_job *job, struct csftp_reply *reply)
{
	(void)reply;
	survive_renamed(survive_of(job), job->job.asked->path,
			job->job.asked->path2);
}

static void after_remove(struct survive_job *job, struct csftp_reply *reply)
{
	(void)reply;
	survive_removed(survive_of(job), job->job.asked->path);
}

static void after(struct survive_job *job, struct csftp_reply *reply)
{
	static void (*const table[CSFTP_OP_COUNT])(
		struct survive_job * job, struct csftp_reply * reply) = {
		[CSFTP_OP_OPEN] = after_open,
		[CSFTP_OP_OPENDIR] = after_open,
		[CSFTP_OP_READ] = after_read,
		[CSFTP_OP_WRITE] = after_write,
		[CSFTP_OP_COPY_RANGE] = after_copy,
		[CSFTP_OP_GETATTR] = after_getattr,
		[CSFTP_OP_SETATTR] = after_setattr,
		[CSFTP_OP_STATFS] = after_statfs,
		[CSFTP_OP_LINK] = after_link,
		[CSFTP_OP_RENAME] = after_rename,
		[CSFTP_OP_UNLINK] = after_remove,
		[CSFTP_OP_RMDIR] = after_remove,
	};
	enum csftp_op op = job->job.asked->op;

	if (table[op])
		table[op](job, reply);
}

/* The job is the pool's when this is called. */
static void let_go(struct survive *survive, const struct survive_job *job)
{
	if (job->changes) {
		survive_node_end(survive, job->changes);
		survive_node_put(survive, job->changes);
	}
	if (job->handle)
		fhmap_give_back(&survive->map, &job->handle->entry);
	if (job->file)
		survive_file_put(job->file);
	if (job->file2)
		survive_file_put(job->file2);
}

void survive_complete(struct survive_job *job, const struct csftp_reply *reply)
{
	struct survive *survive = survive_of(job);
	struct csftp_reply out = *reply;
	bool counted = job->counted;

	if (!out.err)
		after(job, &out);
	else if (out.err == EOPNOTSUPP && job->job.asked->op == CSFTP_OP_STATFS)
		survive->no_statfs = true;
	let_go(survive, job);
	job->counted = false;
	relay_answer(&job->job, &out);
	if (counted)
		survive_phase_put(survive);
}

void survive_complete_err(struct survive_job *job, int err)
{
	survive_complete(job, &(struct csftp_reply){.err = err});
}

/*
 * Asking
 */

void survive_ask(struct survive_job *job, survive_step *then)
{
	relay_ask(&job->job, then);
}

/* False: the rest of it has to be asked for. */
static bool is_whole(struct survive_job *job, const struct csftp_reply *reply)
{
	const struct csftp_req *asked = job->job.asked;

	if (reply->err)
		return true;
	if (asked->op == CSFTP_OP_WRITE) {
		job->done += job->job.req.len;
		if (job->done == asked->len)
			return true;
		grew_in_part(job);
		return false;
	}
	/* All names had been handed up before: that is no answer. */
	return asked->op != CSFTP_OP_READDIR || reply->eof || job->passed ||
	       job->file->names.sorted == 0;
}

static bool is_slow(const struct survive_job *job)
{
	enum csftp_op op = job->job.asked->op;

	return op == CSFTP_OP_FSYNC || op == CSFTP_OP_COPY_RANGE;
}

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_job *job = (struct survive_job *)req;

	if (is_slow(job))
		survive_of(job)->slow--;
	if (survive_lost(survive_of(job), reply))
		survive_park(job, reply->err);
	else if (reply->err && job->doubtful && survive_doubt(job, reply->err))
		return;
	else if (is_whole(job, reply))
		survive_complete(job, reply);
	else
		survive_say(job);
}

static bool on_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct survive_job *job = (struct survive_job *)req;
	struct survive_names *names = &job->file->names;

	if (survive_names_has(names, &entry->name))
		return true;
	if (!job->job.asked->entry(job->job.asked, entry))
		return false;
	job->passed = true;
	survive_names_add(names, &entry->name);
	return true;
}

uint32_t survive_payload(const struct csftp_req *asked, uint64_t from,
			 uint64_t max, struct csftp_slice out[CSFTP_PARTS_MAX])
{
	const struct csftp_slice whole = {asked->data, asked->len};
	const struct csftp_slice *part = asked->parts ? asked->parts : &whole;
	uint32_t left = asked->parts ? asked->part_count : 1;
	uint32_t count = 0;

	for (; left > 0 && max > 0 && count < CSFTP_PARTS_MAX; left--, part++) {
		size_t len = part->len;

		if (from >= len) {
			from -= len;
			continue;
		}
		len -= (size_t)from;
		len = len < max ? len : (size_t)max;
		out[count++] = (struct csftp_slice){
			(const char *)part->ptr + from, len};
		max -= len;
		from = 0;
	}
	return count;
}

static void say_write(struct survive_job *job)
{
	const struct survive *survive = survive_of(job);
	const uint32_t max = survive->relay.under->max_write;
	const struct csftp_req *asked = job->job.asked;
	struct csftp_req *req = &job->job.req;

	req->off += job->done;
	req->len -= job->done;
	if (max > 0 && req->len > max)
		req->len = max;
	if (req->len == asked->len)
		return;
	req->part_count =
		survive_payload(asked, job->done, req->len, job->parts);
	req->data = req->part_count == 1 ? job->parts[0].ptr : NULL;
	req->parts = req->part_count == 1 ? NULL : job->parts;
	req->part_count = req->parts ? req->part_count : 0;
}

/* A handle that could not be kept.  What was closed without a loss is well. */
static int dead_err(const struct survive_job *job)
{
	const struct survive_file *file = job->file;

	if (file && file->dead && job->job.asked->op == CSFTP_OP_CLOSE)
		return !file->written || file->node->nameless ? 0 : file->dead;
	if (file && file->dead)
		return file->dead;
	return job->file2 ? job->file2->dead : 0;
}

/* Done already, or not to be done twice. */
static bool is_over(struct survive_job *job)
{
	const struct csftp_req *asked = job->job.asked;
	const struct survive_file *file = job->file;
	bool opens =
		asked->op == CSFTP_OP_OPEN || asked->op == CSFTP_OP_OPENDIR;

	if (file && !opens &&
	    (file->dead || (job->file2 && job->file2->dead))) {
		survive_complete_err(job, dead_err(job));
		return true;
	}
	if (job->already) {
		survive_complete_err(job, 0);
		return true;
	}
	if (asked->op == CSFTP_OP_COPY_RANGE && job->doubtful &&
	    (job->file2->flags & CSFTP_OPEN_APPEND)) {
		survive_complete_err(job, EIO);
		return true;
	}
	return false;
}

static bool appends(const struct survive_job *job)
{
	return job->job.asked->op == CSFTP_OP_WRITE &&
	       (job->file->flags & CSFTP_OPEN_APPEND);
}

/*
 * For where the end is, before others or we move it.  What is on its way to it
 * would count twice: in what is seen, and once it is answered.
 */
static bool has_to_look(const struct survive_job *job)
{
	const struct csftp_req *asked = job->job.asked;

	if (asked->op == CSFTP_OP_OPEN)
		return (asked->flags & CSFTP_OPEN_APPEND) &&
		       !(asked->flags & CSFTP_OPEN_TRUNC) &&
		       job->file->node->changing == 0;
	return appends(job) && job->done == 0 && job->file->node->changing == 1;
}

void survive_say(struct survive_job *job)
{
	struct csftp_req *req = &job->job.req;
	const struct csftp_req *asked = job->job.asked;
	bool opens =
		asked->op == CSFTP_OP_OPEN || asked->op == CSFTP_OP_OPENDIR;

	if (is_over(job))
		return;
	*req = *asked;
	if (job->file && !opens)
		req->fh = job->file->low;
	if (job->file2)
		req->fh2 = job->file2->low;
	if (asked->op == CSFTP_OP_READDIR)
		req->entry = on_entry;
	if (asked->op == CSFTP_OP_WRITE)
		say_write(job);
	if (job->file && !job->file->is_dir)
		job->seen_changes = job->file->node->changes;
	job->sent = survive_of(job)->epoch;
	if (has_to_look(job))
		survive_look(job->file);
	if (is_slow(job))
		survive_of(job)->slow++;
	survive_ask(job, answered);
}
