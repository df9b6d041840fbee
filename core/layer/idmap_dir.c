#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/idmap_impl.h"

/*
 * Listings.  Names whose owners are known go up as they come.  From the first
 * other one on, the names of that READDIR are kept in a batch, their owners
 * asked for all at once, and who asks for more waits for it; so that the names
 * stay in their order, and the end comes last.
 */

/* What is not taken into a batch comes again below. */
#define BATCH_BYTES_MAX ((size_t)1 << 20)

/* One name of a batch; they lie one behind the other. */
struct record {
	struct csftp_attr attr;
	size_t name_len;
	size_t longname_len;
	char text[];
};

static struct idmap_batch *batch_of(const struct idmap *map, csftp_fh fh)
{
	struct idmap_batch *batch = map->batches;

	while (batch && batch->fh != fh)
		batch = batch->next;
	return batch;
}

static struct idmap_batch *batch_new(struct idmap *map, csftp_fh fh)
{
	struct idmap_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->fh = fh;
	batch->filling = true;
	batch->next = map->batches;
	map->batches = batch;
	return batch;
}

/* Who waited for it goes to those whom nothing keeps any more. */
static void batch_free(struct idmap *map, struct idmap_batch *batch)
{
	struct idmap_batch **at = &map->batches;
	struct csftp_req **last = &map->unheld;

	while (*at != batch)
		at = &(*at)->next;
	*at = batch->next;
	while (*last)
		last = &(*last)->next;
	*last = batch->held;
	free(batch->bytes);
	free(batch);
}

static void hold(struct idmap_batch *batch, struct csftp_req *req)
{
	struct csftp_req **at = &batch->held;

	while (*at)
		at = &(*at)->next;
	req->next = NULL;
	*at = req;
}

/* False: it is left for the next READDIR below. */
static bool batch_add(struct idmap_batch *batch,
		      const struct csftp_entry *entry)
{
	size_t len =
		sizeof(struct record) + entry->name.len + entry->longname.len;
	size_t cap = batch->cap ? batch->cap : 16384;
	struct record *record;
	char *more;

	len += -len % _Alignof(struct record);
	if (len > BATCH_BYTES_MAX - batch->used)
		return false;
	while (cap - batch->used < len)
		cap *= 2;
	if (cap != batch->cap) {
		more = realloc(batch->bytes, cap);
		if (!more)
			return false;
		batch->bytes = more;
		batch->cap = cap;
	}
	record = (struct record *)(void *)(batch->bytes + batch->used);
	*record = (struct record){
		.attr = entry->attr,
		.name_len = entry->name.len,
		.longname_len = entry->longname.len,
	};
	memcpy(record->text, entry->name.ptr, entry->name.len);
	if (entry->longname.len > 0)
		memcpy(record->text + entry->name.len, entry->longname.ptr,
		       entry->longname.len);
	batch->used += len;
	return true;
}

/* An owner that may not be shown: the name is, and who asks more is told. */
static bool hand_on(struct idmap *map, struct csftp_req *asked,
		    const struct csftp_entry *entry)
{
	struct csftp_entry shown = *entry;

	if (idmap_show(map, &shown.attr) != 0)
		shown.attr = (struct csftp_attr){0};
	return asked->entry(asked, &shown);
}

static bool on_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct idmap_job *job = (struct idmap_job *)req;
	struct idmap *map = (struct idmap *)job->job.relay;

	if (job->batch) {
		if (!batch_add(job->batch, entry))
			return false;
		(void)idmap_is_known(map, &entry->attr);
		return true;
	}
	if (batch_of(map, req->fh))
		return false;
	if (idmap_is_known(map, &entry->attr))
		return hand_on(map, job->job.asked, entry);
	job->batch = batch_new(map, req->fh);
	return job->batch && batch_add(job->batch, entry);
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;
	struct idmap *map = (struct idmap *)job->job.relay;
	struct idmap_batch *batch = job->batch;
	struct csftp_reply answer = *reply;

	job->batch = NULL;
	/* There is more to come, or it ends again the next time. */
	if (batch || batch_of(map, req->fh))
		answer.eof = false;
	if (batch) {
		batch->filling = false;
		batch->eof = !reply->err && reply->eof;
	}
	/* Whoever is answered may ask on before the owners are asked for. */
	map->asking++;
	relay_answer(&job->job, &answer);
	map->asking--;
	idmap_ask_wanted(map);
}

static void serve(struct idmap *map, struct idmap_batch *batch,
		  struct csftp_req *req)
{
	struct csftp_reply reply = {0};

	while (batch->at < batch->used) {
		const struct record *record =
			(const struct record *)(const void *)(batch->bytes +
							      batch->at);
		size_t len = sizeof(*record) + record->name_len +
			     record->longname_len;
		const struct csftp_entry entry = {
			.name = {record->text, record->name_len},
			.longname = {record->text + record->name_len,
				     record->longname_len},
			.attr = record->attr,
		};

		if (!hand_on(map, req, &entry))
			break;
		batch->at += len + -len % _Alignof(struct record);
	}
	if (batch->at >= batch->used) {
		reply.eof = batch->eof;
		batch_free(map, batch);
	}
	csftp_reply(req, &reply);
	/* One by one, as whoever is answered may cancel others. */
	while (map->unheld) {
		req = map->unheld;
		map->unheld = req->next;
		idmap_readdir(&map->relay.fs, req);
	}
}

void idmap_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct idmap_batch *batch = batch_of(map, req->fh);
	struct idmap_job *job;

	if (batch && (batch->filling || map->asking > 0 || batch->held)) {
		hold(batch, req);
		return;
	}
	if (batch) {
		serve(map, batch, req);
		return;
	}
	job = (struct idmap_job *)relay_take(&map->relay, req);
	if (!job)
		return;
	job->batch = NULL;
	job->job.req.entry = on_entry;
	relay_ask(&job->job, was_read);
}

/* One that can go on; it may be gone when it has. */
static struct idmap_batch *ready(const struct idmap *map)
{
	struct idmap_batch *batch = map->batches;

	while (batch && (batch->filling || !batch->held))
		batch = batch->next;
	return batch;
}

void idmap_dir_wake(struct idmap *map)
{
	struct idmap_batch *batch;

	if (map->waking)
		return;
	map->waking = true;
	while (map->asking == 0 && (batch = ready(map)) != NULL) {
		struct csftp_req *req = batch->held;

		batch->held = req->next;
		serve(map, batch, req);
	}
	map->waking = false;
}

void idmap_close(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct idmap_batch *batch = batch_of(map, req->fh);

	while (batch && batch->held) {
		struct csftp_req *held = batch->held;

		batch->held = held->next;
		csftp_reply_err(held, EBADF);
	}
	/* One that is being filled is closed by who breaks the rules. */
	if (batch && !batch->filling)
		batch_free(map, batch);
	relay_pass(fs, req);
}

bool idmap_dir_cancel(struct idmap *map, const struct csftp_req *req)
{
	struct idmap_batch *batch = map->batches;

	while (batch && !relay_unlist(&batch->held, req))
		batch = batch->next;
	return batch || relay_unlist(&map->unheld, req);
}

void idmap_dir_release(struct idmap *map)
{
	while (map->batches)
		batch_free(map, map->batches);
}
