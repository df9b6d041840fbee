#include <stdlib.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * WRITEs to a file opened with APPEND that were sent and not answered.  The
 * size that the file should have without them is known; what it has behind
 * that is read, and each WRITE that is found there, in order, is done.  Others
 * may append, too, so between what we wrote there can be more.
 */

/* Of what others appended meanwhile so much is looked through. */
#define OTHERS_MAX ((uint64_t)1 << 20)

static bool is_ours(const struct survive_job *job,
		    const struct survive_file *file)
{
	return job->file == file && job->doubtful &&
	       job->job.asked->op == CSFTP_OP_WRITE;
}

/* What an earlier check found there is among what is looked through now. */
static void begin_anew(const struct survive_file *file)
{
	struct survive_job *job = file->survive->first;

	for (; job; job = job->next)
		if (is_ours(job, file))
			job->done = job->appended;
}

static uint64_t doubtful_bytes(const struct survive_file *file)
{
	uint64_t bytes = 0;

	for (const struct survive_job *job = file->survive->first; job;
	     job = job->next)
		if (is_ours(job, file))
			bytes += job->job.asked->len - job->done;
	return bytes;
}

/* Where the bytes begin in the tail, at `from` or behind; or tail_got. */
static size_t find(const struct survive_file *file, size_t from,
		   const uint8_t *bytes, size_t len)
{
	while (len > 0 && file->tail_got - from >= len) {
		const uint8_t *at = memchr(file->tail + from, bytes[0],
					   file->tail_got - from - len + 1);

		if (!at)
			break;
		from = (size_t)(at - file->tail);
		if (memcmp(at, bytes, len) == 0)
			return from;
		from++;
	}
	return file->tail_got;
}

/* A WRITE that was cut short by the end of the server. */
static uint64_t torn(const struct survive_file *file, size_t from,
		     const uint8_t *bytes, size_t len)
{
	size_t rest = file->tail_got - from;

	return rest < len && rest > 0 &&
			       memcmp(file->tail + from, bytes, rest) == 0
		       ? rest
		       : 0;
}

/* The payload that is left in one piece: room is for what is in several. */
static const uint8_t *payload(const struct survive_job *job, size_t len,
			      uint8_t *room)
{
	struct csftp_slice part[CSFTP_PARTS_MAX];
	uint32_t count = survive_payload(job->job.asked, job->done, len, part);
	size_t at = 0;

	if (count == 1)
		return part[0].ptr;
	for (uint32_t i = 0; i < count; at += part[i++].len)
		memcpy(room + at, part[i].ptr, part[i].len);
	return room;
}

/* False: one of them is not there, and none of those behind it. */
static bool match_one(struct survive_file *file, struct survive_job *job,
		      uint8_t *room, size_t *from)
{
	size_t len = (size_t)(job->job.asked->len - job->done);
	const uint8_t *bytes;
	size_t at;

	job->already = len == 0;
	if (len == 0)
		return true;
	bytes = payload(job, len, room);
	at = find(file, *from, bytes, len);
	if (at == file->tail_got) {
		job->done += torn(file, *from, bytes, len);
		return false;
	}
	job->already = true;
	*from = at + len;
	return true;
}

static void match(struct survive_file *file, uint8_t *room)
{
	struct survive_job *job = file->survive->first;
	size_t from = 0;

	for (; job; job = job->next)
		if (is_ours(job, file) && !match_one(file, job, room, &from))
			return;
}

/* The content cannot be had, so that the size alone has to tell. */
static void match_by_size(struct survive_file *file)
{
	struct survive_job *job = file->survive->first;
	uint64_t left = file->tail_len;

	for (; job && left > 0; job = job->next) {
		uint64_t len = job->job.asked->len - job->done;

		if (!is_ours(job, file))
			continue;
		job->already = len <= left;
		job->done += len <= left ? 0 : left;
		left -= len <= left ? len : left;
	}
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
	uint8_t *joined;

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
	joined = reply->err ? NULL : malloc((size_t)doubtful_bytes(file));
	if (joined)
		match(file, joined);
	else
		match_by_size(file);
	free(joined);
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
	uint64_t bytes;

	file->then = then;
	begin_anew(file);
	bytes = doubtful_bytes(file);
	if (bytes == 0 || behind == 0) {
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
