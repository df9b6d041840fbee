#include <stdlib.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * WRITEs to a file opened with APPEND that were sent and not answered.  The
 * size that the file should have without them is known; what it has behind
 * that is read, and each WRITE that is found there, in order, is done.  Others
 * may append, too, so between what we wrote there can be more.
 *
 * Handles of one file are opened again one by one, and each looks for its own
 * WRITEs.  Those of the others are looked for as well, as they may say the
 * same: no bytes are taken for two of them.
 */

/* Of what others appended meanwhile so much is looked through. */
#define OTHERS_MAX ((uint64_t)1 << 20)

static bool is_doubtful(const struct survive_job *job,
			const struct survive_node *node)
{
	return job->file && job->file->node == node && job->doubtful &&
	       job->job.asked->op == CSFTP_OP_WRITE &&
	       (job->file->flags & CSFTP_OPEN_APPEND);
}

/* What was not acknowledged; less of it may be to be sent again. */
static uint64_t doubtful_len(const struct survive_job *job)
{
	return job->job.asked->len - job->appended;
}

static uint64_t doubtful_bytes(const struct survive_file *file)
{
	uint64_t bytes = 0;

	for (const struct survive_job *job = file->survive->first; job;
	     job = job->next)
		if (is_doubtful(job, file->node))
			bytes += doubtful_len(job);
	return bytes;
}

/* False: it has none of them.  What an earlier check found is forgotten. */
static bool begin_anew(const struct survive_file *file)
{
	struct survive_job *job = file->survive->first;
	bool any = false;

	for (; job; job = job->next) {
		if (job->file != file || !is_doubtful(job, file->node))
			continue;
		job->done = job->appended;
		any = true;
	}
	return any;
}

/* The tail, and which of its bytes are those of a WRITE. */
struct tail {
	const uint8_t *bytes;
	size_t len;
	uint8_t *taken;
};

/* Where the bytes begin in the tail, at `from` or behind; or its len. */
static size_t find(const struct tail *tail, size_t from, const uint8_t *bytes,
		   size_t len)
{
	while (tail->len - from >= len) {
		const uint8_t *at = memmem(tail->bytes + from, tail->len - from,
					   bytes, len);
		const uint8_t *taken;

		if (!at)
			break;
		from = (size_t)(at - tail->bytes);
		taken = memrchr(tail->taken + from, 1, len);
		if (!taken)
			return from;
		from = (size_t)(taken - tail->taken) + 1;
	}
	return tail->len;
}

/* A WRITE that was cut short by the end of the server. */
static uint64_t torn(const struct tail *tail, size_t from, const uint8_t *bytes,
		     size_t len)
{
	size_t rest = tail->len - from;

	return rest < len && rest > 0 &&
			       memcmp(tail->bytes + from, bytes, rest) == 0 &&
			       !memchr(tail->taken + from, 1, rest)
		       ? rest
		       : 0;
}

/* The payload that is doubtful in one piece: room is for what is in several. */
static const uint8_t *payload(const struct survive_job *job, uint8_t *room)
{
	struct csftp_slice part[CSFTP_PARTS_MAX];
	uint32_t count = survive_payload(job->job.asked, job->appended,
					 doubtful_len(job), part);
	size_t at = 0;

	if (count == 1)
		return part[0].ptr;
	for (uint32_t i = 0; i < count; at += part[i++].len)
		memcpy(room + at, part[i].ptr, part[i].len);
	return room;
}

/* False: it is not there, and none of its handle's behind it. */
static bool match_one(const struct tail *tail, struct survive_job *job,
		      uint8_t *room, bool own)
{
	struct survive_file *file = job->file;
	size_t len = (size_t)doubtful_len(job);
	const uint8_t *bytes = payload(job, room);
	size_t at = len > 0 ? find(tail, file->tail_from, bytes, len)
			    : file->tail_from;
	bool found = at < tail->len || len == 0;

	if (own)
		job->already = found;
	if (own && !found)
		job->done += torn(tail, file->tail_from, bytes, len);
	if (!found)
		return false;
	memset(tail->taken + at, 1, len);
	file->tail_from = at + len;
	return true;
}

static void match(struct survive_file *file, const struct tail *tail,
		  uint8_t *room)
{
	struct survive_job *job = file->survive->first;

	for (struct survive_file *at = file->node->files; at; at = at->beside) {
		at->tail_from = 0;
		at->tail_over = false;
	}
	for (; job; job = job->next)
		if (is_doubtful(job, file->node) && !job->file->tail_over)
			job->file->tail_over =
				!match_one(tail, job, room, job->file == file);
}

/* The content cannot be had, so that the size alone has to tell. */
static void match_by_size(struct survive_file *file)
{
	struct survive_job *job = file->survive->first;
	uint64_t left = file->tail_len;

	for (; job && left > 0; job = job->next) {
		uint64_t len = doubtful_len(job);
		bool fits = len <= left;

		if (!is_doubtful(job, file->node))
			continue;
		if (job->file == file) {
			job->already = fits;
			job->done += fits ? 0 : left;
		}
		left -= fits ? len : left;
	}
}

/* False: no memory. */
static bool match_by_content(struct survive_file *file)
{
	uint8_t *room = malloc((size_t)doubtful_bytes(file));
	const struct tail tail = {
		.bytes = file->tail,
		.len = file->tail_got,
		.taken = calloc(file->tail_got + 1, 1),
	};
	bool ok = room && tail.taken;

	if (ok)
		match(file, &tail, room);
	free(room);
	free(tail.taken);
	return ok;
}

static void finish(struct survive_file *file)
{
	free(file->tail);
	file->tail = NULL;
	file->then(file);
}

static void ask(struct survive_file *file, struct csftp_req req,
		survive_step *then)
{
	file->look.req = req;
	file->look.req.done = then;
	csftp_submit(file->survive->relay.under, &file->look.req);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* it was only read */
	finish((struct survive_file *)req);
}

static void read_on(struct survive_file *file);

static void got(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;
	uint8_t *room = file->tail + file->tail_got;
	size_t len = reply->data.len;

	if (survive_lost(file->survive, reply)) {
		finish(file);
		return;
	}
	if (!reply->err && len > file->tail_len - file->tail_got)
		len = 0;
	if (!reply->err && len > 0 && reply->data.ptr != room)
		memcpy(room, reply->data.ptr, len);
	file->tail_got += reply->err ? 0 : len;
	if (!reply->err && !reply->eof && len > 0 &&
	    file->tail_got < file->tail_len) {
		read_on(file);
		return;
	}
	if (reply->err || !match_by_content(file))
		match_by_size(file);
	ask(file, (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = file->reader},
	    closed);
}

static void read_on(struct survive_file *file)
{
	ask(file,
	    (struct csftp_req){
		    .op = CSFTP_OP_READ,
		    .fh = file->reader,
		    .off = file->node->size + file->tail_got,
		    .len = file->tail_len - file->tail_got,
		    .into = file->tail + file->tail_got,
	    },
	    got);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (survive_lost(file->survive, reply)) {
		finish(file);
	} else if (reply->err) {
		match_by_size(file);
		finish(file);
	} else {
		file->reader = reply->fh;
		read_on(file);
	}
}

void survive_append_check(struct survive_file *file, uint64_t size,
			  void (*then)(struct survive_file *file))
{
	uint64_t behind = size > file->node->size ? size - file->node->size : 0;
	uint64_t bytes = doubtful_bytes(file);

	file->then = then;
	if (!begin_anew(file) || behind == 0) {
		finish(file);
		return;
	}
	file->tail_got = 0;
	file->tail_len =
		(size_t)(behind < bytes + OTHERS_MAX ? behind
						     : bytes + OTHERS_MAX);
	file->tail = malloc(file->tail_len);
	if (!file->tail) {
		match_by_size(file);
		finish(file);
		return;
	}
	ask(file,
	    (struct csftp_req){.op = CSFTP_OP_OPEN,
			       .flags = CSFTP_OPEN_READ,
			       .path = file->node->path},
	    opened);
}
