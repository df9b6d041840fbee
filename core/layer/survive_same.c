#include <stdlib.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * Whether a file that was opened again is the one that was open before.  What
 * the server says of it decides where it says the same as before, or what
 * cannot be; else it is compared what is known of the content, as a file that
 * was put in place of another may well be larger and newer.
 */

enum verdict { SAME, OTHER, LIKELY_SAME, LIKELY_OTHER };

/* Of what others appended before ours so much is looked through. */
#define OTHERS_MAX 65536U

/*
 * Samples: the block with the highest end, the last one before or behind it,
 * and what was appended last.  One that still is there is proof enough: what
 * else is in the file may have been changed by others.  The beginning is none
 * of them, as files of one kind begin alike.
 */
enum { HIGHEST, LAST, APPENDED };

static uint64_t end_of(const struct survive_sample *sample)
{
	return sample->off + sample->len;
}

/* Where exactly it was appended is not known: there, or behind. */
static bool reaches_into(const struct survive_sample *sample, size_t which,
			 uint64_t off, uint64_t len)
{
	uint64_t gap = sample->off > off ? sample->off - off : 0;

	return gap < len && (which == APPENDED || off < end_of(sample));
}

void survive_same_forget(struct survive_node *node, uint64_t off, uint64_t len)
{
	for (struct survive_file *file = node->files; file;
	     file = file->beside) {
		struct survive_sample *sample = file->samples;

		for (size_t i = 0; sample && i < SURVIVE_SAMPLES; i++)
			if (reaches_into(&sample[i], i, off, len))
				sample[i].len = 0;
	}
}

static struct survive_sample *samples_of(struct survive_file *file)
{
	if (!file->samples)
		file->samples = calloc(SURVIVE_SAMPLES, sizeof(*file->samples));
	return file->samples;
}

/* A block, of which the end is kept; its place, or NULL. */
static struct survive_sample *
place_for(struct survive_file *file, bool appended, uint64_t off, uint64_t len)
{
	struct survive_sample *sample = samples_of(file);

	if (!sample || len == 0 || off + len < off)
		return NULL;
	if (appended)
		sample += APPENDED;
	else
		sample +=
			off + len >= end_of(&sample[HIGHEST]) ? HIGHEST : LAST;
	sample->len =
		len < SURVIVE_SAMPLE_MAX ? (uint32_t)len : SURVIVE_SAMPLE_MAX;
	sample->off = off + len - sample->len;
	return sample;
}

/* What is read is what is there, if nothing was being changed meanwhile. */
void survive_same_read(struct survive_job *job, const struct csftp_reply *reply)
{
	const struct survive_node *node = job->file->node;
	const struct csftp_slice *data = &reply->data;
	struct survive_sample *sample;

	if (!data->ptr || node->changing > 0 ||
	    node->changes != job->seen_changes)
		return;
	sample = place_for(job->file, false, job->job.asked->off, data->len);
	if (sample)
		memcpy(sample->bytes,
		       (const uint8_t *)data->ptr + data->len - sample->len,
		       sample->len);
}

static bool overlap(const struct csftp_req *a, const struct csftp_req *b)
{
	return a->off < b->off ? b->off - a->off < a->len
			       : a->off - b->off < b->len;
}

/* Whether another change, not done yet, may come to what the job wrote. */
static bool is_disputed(const struct survive_job *job)
{
	const struct survive_node *node = job->file->node;
	const struct relay_job *at = job->job.relay->busy;

	if (node->changing == 1)
		return false;
	for (; at; at = at->next) {
		const struct survive_job *other =
			(const struct survive_job *)at;

		if (other == job || other->changes != node)
			continue;
		if (at->asked->op != CSFTP_OP_WRITE ||
		    overlap(at->asked, job->job.asked))
			return true;
	}
	return false;
}

void survive_same_wrote(struct survive_job *job)
{
	const struct csftp_req *asked = job->job.asked;
	struct survive_file *file = job->file;
	bool appends = file->flags & CSFTP_OPEN_APPEND;
	struct csftp_slice part[CSFTP_PARTS_MAX];
	struct survive_sample *sample;
	uint64_t off = asked->off;
	uint32_t count;
	size_t at = 0;

	/* No less; where others append, too, it can be more. */
	if (appends)
		off = file->node->size > asked->len
			      ? file->node->size - asked->len
			      : 0;
	else if (is_disputed(job))
		return;
	sample = place_for(file, appends, off, asked->len);
	if (!sample)
		return;
	count = survive_payload(asked, asked->len - sample->len, sample->len,
				part);
	for (uint32_t i = 0; i < count; at += part[i++].len)
		memcpy(sample->bytes + at, part[i].ptr, part[i].len);
}

/*
 * The verdict
 */

static bool same_owner(const struct csftp_attr *a, const struct csftp_attr *b)
{
	uint32_t both = a->mask & b->mask;

	return (!(both & CSFTP_ATTR_UID) || a->uid == b->uid) &&
	       (!(both & CSFTP_ATTR_GID) || a->gid == b->gid);
}

/*
 * A name can have come to lead to another file while both were open: then what
 * was seen last may be the other's.
 */
static bool is_shared(const struct survive_node *node)
{
	return node->files && node->files->beside;
}

static enum verdict judge_known(const struct survive_node *node,
				const struct csftp_attr *attr)
{
	const struct csftp_attr *seen = &node->seen;
	bool owner = same_owner(seen, attr);
	/* SFTP has whole seconds, so that is what is compared. */
	int64_t later = attr->mtime.sec - seen->mtime.sec;

	if (attr->size == seen->size && later != 0)
		return OTHER;
	if (attr->size == seen->size)
		return owner && !is_shared(node) ? SAME : LIKELY_SAME;
	return owner && later >= 0 ? LIKELY_SAME : LIKELY_OTHER;
}

static enum verdict judge(const struct survive_node *node,
			  const struct csftp_attr *attr)
{
	const uint32_t both = CSFTP_ATTR_SIZE | CSFTP_ATTR_MTIME;
	const struct csftp_attr *seen = &node->seen;
	uint32_t type = attr->mode & CSFTP_S_IFMT;

	if ((attr->mask & CSFTP_ATTR_MODE) && type != 0 &&
	    type != CSFTP_S_IFREG)
		return node->known && (seen->mode & CSFTP_S_IFMT) == type
			       ? SAME
			       : OTHER;
	if ((attr->mask & CSFTP_ATTR_SIZE) && attr->size < node->size)
		return OTHER;
	/* Its other names change it behind our back. */
	if (node->linked)
		return SAME;
	if (node->known && (seen->mask & attr->mask & both) == both)
		return judge_known(node, attr);
	return same_owner(seen, attr) ? LIKELY_SAME : LIKELY_OTHER;
}

/*
 * What is there now
 */

static void ask(struct survive_file *file, struct csftp_req req,
		survive_step *then)
{
	file->look.req = req;
	file->look.req.done = then;
	csftp_submit(file->survive->relay.under, &file->look.req);
}

static void conclude(struct survive_file *file)
{
	free(file->tail);
	file->tail = NULL;
	file->judged(file);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* it was only read */
	conclude((struct survive_file *)req);
}

static void end_check(struct survive_file *file)
{
	if (file->flags & CSFTP_OPEN_READ)
		conclude(file);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_CLOSE,
				       .fh = file->reader},
		    closed);
}

static void next_sample(struct survive_file *file);
static void read_on(struct survive_file *file);

/* Bytes of the file from where the sample begins on. */
static uint64_t behind(const struct survive_file *file,
		       const struct survive_sample *sample)
{
	return file->found.size > sample->off ? file->found.size - sample->off
					      : 0;
}

static bool is_found(const struct survive_file *file)
{
	const struct survive_sample *sample = &file->samples[file->checking];

	for (size_t at = 0; at + sample->len <= file->tail_got; at++)
		if (memcmp(file->tail + at, sample->bytes, sample->len) == 0)
			return true;
	return false;
}

/* All of the window is here that there is. */
static void compare(struct survive_file *file)
{
	const struct survive_sample *sample = &file->samples[file->checking];

	if (is_found(file)) {
		file->is_same = true;
		end_check(file);
		return;
	}
	/* Where not all was looked through it says nothing. */
	if (file->checking != APPENDED ||
	    file->tail_len >= behind(file, sample))
		file->is_same = false;
	file->checking++;
	next_sample(file);
}

static void got(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;
	uint8_t *room = file->tail + file->tail_got;
	size_t len = reply->data.len;

	if (survive_lost(file->survive, reply)) {
		conclude(file);
	} else if (reply->err || len > file->tail_len - file->tail_got) {
		end_check(file);
	} else {
		if (len > 0 && reply->data.ptr != room)
			memcpy(room, reply->data.ptr, len);
		file->tail_got += len;
		if (len > 0 && !reply->eof && file->tail_got < file->tail_len)
			read_on(file);
		else
			compare(file);
	}
}

static void read_on(struct survive_file *file)
{
	bool reads = file->flags & CSFTP_OPEN_READ;

	ask(file,
	    (struct csftp_req){
		    .op = CSFTP_OP_READ,
		    .fh = reads ? file->low : file->reader,
		    .off = file->samples[file->checking].off + file->tail_got,
		    .len = file->tail_len - file->tail_got,
		    .into = file->tail + file->tail_got,
	    },
	    got);
}

/* The next one that there is, or the end. */
static void next_sample(struct survive_file *file)
{
	const struct survive_sample *sample;
	uint64_t len;

	free(file->tail);
	file->tail = NULL;
	while (file->checking < SURVIVE_SAMPLES &&
	       file->samples[file->checking].len == 0)
		file->checking++;
	if (file->checking == SURVIVE_SAMPLES) {
		end_check(file);
		return;
	}
	sample = &file->samples[file->checking];
	len = sample->len;
	if (file->checking == APPENDED && behind(file, sample) > len)
		len = behind(file, sample);
	file->tail_len = len < OTHERS_MAX ? (size_t)len : OTHERS_MAX;
	file->tail_got = 0;
	file->tail = malloc(file->tail_len);
	if (file->tail)
		read_on(file);
	else
		end_check(file);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (reply->err) {
		conclude(file);
		return;
	}
	file->reader = reply->fh;
	next_sample(file);
}

static bool has_samples(const struct survive_file *file)
{
	const struct survive_sample *sample = file->samples;

	for (size_t i = 0; sample && i < SURVIVE_SAMPLES; i++)
		if (sample[i].len > 0)
			return true;
	return false;
}

void survive_same_check(struct survive_file *file,
			void (*then)(struct survive_file *file))
{
	enum verdict verdict = judge(file->node, &file->found);

	file->is_same = verdict == SAME || verdict == LIKELY_SAME;
	file->judged = then;
	if (verdict == SAME || verdict == OTHER || !has_samples(file)) {
		conclude(file);
		return;
	}
	file->checking = 0;
	if (file->flags & CSFTP_OPEN_READ)
		next_sample(file);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_OPEN,
				       .flags = CSFTP_OPEN_READ,
				       .path = file->node->path},
		    opened);
}
