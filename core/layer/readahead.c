#include "core/layer/readahead.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/layer/relay.h"
#include "core/layer/way.h"
#include "core/layer/window.h"

#define CHUNK	     (128U * 1024U)
#define WINDOW_MAX   (64U << 20)
#define BYTES_MAX    (64U << 20)
#define FRESH_MS     1000U
#define WINDOW_FIRST 4U /* chunks */
#define STREAK	     2U /* READs that make a reader from front to back */

/* What rooms of chunks begin with; larger pages are multiples of it. */
#define PAGE 4096U

/* Rooms of chunks that are kept for the next ones. */
#define SPARES 16U

/*
 * READs of several chunks get them one by one, and the kernel sends some such
 * at once: so far behind the last of them a chunk may still be asked for.
 */
#define BEHIND (4U << 20)

/* On their way over a short way while somebody asks, and while nobody does. */
#define BUSY_ASKED 4U
#define BUSY	   64U

/* A part of a file that was asked for before anybody wanted it. */
struct chunk {
	struct csftp_req req; /* first */
	struct readahead *readahead;
	struct chunk *next;	   /* of the file, with a higher offset */
	struct csftp_req *waiting; /* READs from above */
	uint64_t off;
	struct way_mark asked;
	uint64_t born_ms;
	uint32_t len;
	uint32_t got;
	uint32_t used;
	bool pending;
	bool dropped; /* goes when it is answered */
	uint8_t *data;
};

/* An open file. */
struct file {
	UT_hash_handle hh;
	csftp_fh fh;
	struct chunk *first;
	struct chunk *last;
	struct file *next_active; /* those that have chunks */
	struct file *prev_active;
	bool active;
	uint64_t next;	 /* where the next READ is expected */
	uint64_t end;	 /* up to where was asked */
	uint64_t size;	 /* there is nothing behind it */
	uint32_t streak; /* READs one behind the other */
	struct window window;
	char path[]; /* it was opened by; "": not known any more */
};

/* An OPEN on its way. */
struct opening {
	struct relay_job job; /* first */
	struct file *file;
};

struct readahead {
	struct relay relay; /* first */
	struct readahead_config config;
	struct file *files;
	struct file *active;
	struct readahead_counts counts;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	uint32_t pending;
	struct way way;
	uint32_t actives;
	bool quiet;
	void *spare[SPARES];
	uint32_t spares;
};

static uint64_t now_of(const struct readahead *readahead)
{
	return readahead->config.now_ms(readahead->config.arg);
}

static struct file *find(const struct readahead *readahead, csftp_fh fh)
{
	struct file *file = NULL;

	HASH_FIND(hh, readahead->files, &fh, sizeof(fh), file);
	return file;
}

/*
 * Chunks
 */

/*
 * It begins with a page, as what it is handed to in the end is pages: a page of
 * the kernel's that is filled from two of ours takes it twice the work.
 */
static void *room_take(struct readahead *readahead)
{
	size_t len = readahead->config.chunk;

	if (readahead->spares > 0)
		return readahead->spare[--readahead->spares];
	return aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);
}

static void room_put(struct readahead *readahead, void *room)
{
	if (readahead->spares < SPARES)
		readahead->spare[readahead->spares++] = room;
	else
		free(room);
}

static void chunk_free(struct chunk *chunk)
{
	chunk->readahead->counts.bytes -= chunk->len;
	chunk->readahead->counts.unused += chunk->got - chunk->used;
	room_put(chunk->readahead, chunk->data);
	free(chunk);
}

/* It is of no use; who waits for it asks the file system. */
static void chunk_drop(struct chunk *chunk)
{
	struct csftp_req *up = chunk->waiting;

	chunk->waiting = NULL;
	chunk->dropped = true;
	while (up) {
		struct csftp_req *next = up->next;

		csftp_submit(chunk->readahead->relay.under, up);
		up = next;
	}
	if (!chunk->pending)
		chunk_free(chunk);
}

static void deactivate(struct readahead *readahead, struct file *file)
{
	if (!file->active)
		return;
	file->active = false;
	readahead->actives--;
	if (file->prev_active)
		file->prev_active->next_active = file->next_active;
	else
		readahead->active = file->next_active;
	if (file->next_active)
		file->next_active->prev_active = file->prev_active;
}

static void activate(struct readahead *readahead, struct file *file)
{
	if (file->active)
		return;
	file->active = true;
	readahead->actives++;
	file->prev_active = NULL;
	file->next_active = readahead->active;
	if (readahead->active)
		readahead->active->prev_active = file;
	readahead->active = file;
}

/* All of a file.  It begins anew with the next READs. */
static void drop_all(struct readahead *readahead, struct file *file)
{
	struct chunk *chunk = file->first;

	file->first = NULL;
	file->last = NULL;
	file->end = 0;
	file->streak = 0;
	file->size = UINT64_MAX;
	deactivate(readahead, file);
	while (chunk) {
		struct chunk *next = chunk->next;

		chunk_drop(chunk);
		chunk = next;
	}
}

/* Nobody has read on for so long that what was read ahead is too old. */
static bool is_left(const struct readahead *readahead, const struct file *file)
{
	uint64_t now = now_of(readahead);
	const struct chunk *chunk = file->first;

	/* The first one can be a rest that the reader has passed. */
	while (chunk && !chunk->pending && !chunk->waiting &&
	       now - chunk->born_ms > readahead->config.fresh_ms)
		chunk = chunk->next;
	return !chunk;
}

/*
 * The most that may be held of a file: readers share alike, or the first would
 * leave nothing to the others.  Those that have left have no part in it.
 */
static uint64_t share_of(struct readahead *readahead, const struct file *file)
{
	struct file *other = readahead->active;

	while (other) {
		struct file *next = other->next_active;

		if (other != file && is_left(readahead, other))
			drop_all(readahead, other);
		other = next;
	}
	return readahead->config.bytes_max /
	       (readahead->actives + !file->active);
}

static bool is_used_up(const struct chunk *chunk, uint64_t next)
{
	if (chunk->waiting)
		return false;
	return (!chunk->pending && chunk->used >= chunk->got) ||
	       chunk->off + chunk->len + BEHIND <= next;
}

/* Those that the reader has passed, and that nobody wants any more. */
static void drop_passed(struct readahead *readahead, struct file *file)
{
	struct chunk **at = &file->first;
	struct chunk *before = NULL;

	while (*at && (*at)->off + (*at)->len <= file->next) {
		struct chunk *chunk = *at;

		if (!is_used_up(chunk, file->next)) {
			before = chunk;
			at = &chunk->next;
			continue;
		}
		*at = chunk->next;
		if (file->last == chunk)
			file->last = before;
		chunk_drop(chunk);
	}
	if (!file->first)
		deactivate(readahead, file);
}

static struct chunk *chunk_at(const struct file *file, uint64_t off)
{
	struct chunk *chunk = file->first;

	while (chunk && chunk->off + chunk->len <= off)
		chunk = chunk->next;
	return chunk && chunk->off <= off ? chunk : NULL;
}

/* Answers from what has come, or lets the file system be asked. */
static void serve(struct chunk *chunk, struct csftp_req *up)
{
	uint64_t at = up->off - chunk->off;
	uint64_t left = at < chunk->got ? chunk->got - at : 0;
	uint64_t len = up->len < left ? up->len : left;
	uint64_t fresh = chunk->got - chunk->used;

	if (left == 0) {
		csftp_submit(chunk->readahead->relay.under, up);
		return;
	}
	/* What is handed out twice was of use once. */
	fresh = len < fresh ? len : fresh;
	chunk->used += (uint32_t)fresh;
	chunk->readahead->counts.used += fresh;
	chunk->readahead->counts.served++;
	csftp_reply(up, &(struct csftp_reply){.data = {chunk->data + at, len}});
}

/* Whoever is told may read on in it at once, where it ends too early. */
static void serve_waiting(struct chunk *chunk)
{
	/* It stays while others are told, who may read, write or close. */
	chunk->pending = true;
	while (chunk->waiting) {
		struct csftp_req *up = chunk->waiting;

		chunk->waiting = up->next;
		serve(chunk, up);
	}
	chunk->pending = false;
}

static void chunk_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct chunk *chunk = (struct chunk *)req;
	struct readahead *readahead = chunk->readahead;
	struct file *file = find(readahead, req->fh);
	size_t len = reply->data.len;

	readahead->pending--;
	if (!reply->err)
		way_answer(&readahead->way, len, chunk->asked,
			   now_of(readahead));
	chunk->pending = false;
	if (chunk->dropped) {
		chunk_free(chunk);
		return;
	}
	if (reply->err || len > chunk->len) {
		/* Whoever reads there is told why by the file system. */
		drop_all(readahead, file);
		return;
	}
	if (len > 0 && reply->data.ptr != chunk->data)
		memcpy(chunk->data, reply->data.ptr, len);
	chunk->got = (uint32_t)len;
	chunk->born_ms = now_of(readahead);
	ramp_answer(&file->window.ramp, chunk->asked.ms, chunk->born_ms);
	if (len < chunk->len)
		file->size = chunk->off + len;
	serve_waiting(chunk);
	file = chunk->dropped ? NULL : find(readahead, req->fh);
	if (file)
		drop_passed(readahead, file);
	else
		chunk_free(chunk);
}

static bool chunk_ask(struct readahead *readahead, struct file *file)
{
	uint32_t len = readahead->config.chunk;
	struct chunk *chunk;
	uint8_t *data;

	if (readahead->counts.bytes + len > readahead->config.bytes_max)
		return false;
	chunk = malloc(sizeof(*chunk));
	data = room_take(readahead);
	if (!chunk || !data) {
		free(chunk);
		free(data);
		return false;
	}
	*chunk = (struct chunk){
		.req = {.op = CSFTP_OP_READ,
			.done = chunk_done,
			.fh = file->fh,
			.off = file->end,
			.len = len,
			.into = data},
		.readahead = readahead,
		.asked = way_mark(&readahead->way, now_of(readahead)),
		.data = data,
		.off = file->end,
		.len = len,
		.pending = true,
	};
	if (file->last)
		file->last->next = chunk;
	else
		file->first = chunk;
	file->last = chunk;
	file->end += len;
	activate(readahead, file);
	readahead->counts.bytes += len;
	readahead->counts.asked++;
	readahead->pending++;
	csftp_submit(readahead->relay.under, &chunk->req);
	return true;
}

/*
 * Reading ahead
 */

/* False: somebody writes to the file, or may. */
static bool restart(struct readahead *readahead, struct file *file)
{
	struct cache *cache = readahead->config.cache;

	if (!*file->path)
		return false;
	if (cache && cache_is_written(cache, file->path))
		return false;
	file->end = file->next;
	if (cache)
		file->size = cache_file_size(cache, file->path);
	return true;
}

/* Whether one more may be under way, for who asks for something else. */
static bool may_ask(struct readahead *readahead)
{
	uint64_t chunk = readahead->config.chunk;
	uint64_t trip = 0;
	uint64_t way;
	uint64_t ago = UINT64_MAX;
	uint64_t now = now_of(readahead);
	bool asked;

	if (readahead->pending == 0)
		way_begin(&readahead->way, now);
	if (readahead->config.trip_us)
		trip = readahead->config.trip_us(readahead->config.arg, &ago);
	asked = way_is_asked(&readahead->way, ago, now);
	way = way_bytes(&readahead->way, trip);
	return way == 0 ||
	       (readahead->pending + 1) * chunk <=
		       way_most(way, chunk * (asked ? BUSY_ASKED : BUSY));
}

static void pump(struct readahead *readahead, struct file *file, uint64_t len)
{
	uint64_t chunk = readahead->config.chunk;
	uint64_t now = now_of(readahead);
	uint64_t rate;
	uint64_t share;
	uint64_t target;

	if (file->streak < STREAK || readahead->quiet)
		return;
	if (file->window.bytes == 0)
		window_begin(&file->window, WINDOW_FIRST * chunk, now);
	rate = window_count(&file->window, len, readahead->config.window_max,
			    now);
	if (rate > 0)
		way_held(&readahead->way, rate);
	if (file->end < file->next && !restart(readahead, file))
		return;
	share = share_of(readahead, file);
	target = file->window.bytes;
	target = file->next + (target < share ? target : share);
	if (file->window.bytes > readahead->counts.window)
		readahead->counts.window = file->window.bytes;
	while (file->end + chunk <= target && file->end < file->size &&
	       may_ask(readahead)) {
		if (!chunk_ask(readahead, file))
			return;
	}
}

/*
 * Operations
 */

static void op_read(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;
	struct file *file = find(readahead, up->fh);
	csftp_fh fh = up->fh;
	uint64_t off = up->off;
	uint64_t len = up->len;
	struct chunk *chunk;

	if (!file || off > UINT64_MAX / 2) {
		csftp_submit(readahead->relay.under, up);
		return;
	}
	chunk = chunk_at(file, off);
	if (chunk && !chunk->pending &&
	    now_of(readahead) - chunk->born_ms > readahead->config.fresh_ms) {
		drop_all(readahead, file);
		chunk = NULL;
	}
	if (!chunk && off != file->next)
		drop_all(readahead, file);
	file->streak++;
	window_read(&file->window, up->len);
	/* The rest of a READ comes when others have been asked behind it. */
	if (!chunk || file->next < off + up->len)
		file->next = off + up->len;
	if (chunk && chunk->pending) {
		window_wait(&file->window);
		up->next = chunk->waiting;
		chunk->waiting = up;
	} else if (chunk) {
		serve(chunk, up);
	} else {
		csftp_submit(readahead->relay.under, up);
	}
	/* Whoever was answered may have closed it. */
	file = find(readahead, fh);
	if (!file)
		return;
	drop_passed(readahead, file);
	pump(readahead, file, len);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;
	struct file *file = find(readahead, up->fh);

	if (file) {
		drop_all(readahead, file);
		HASH_DELETE(hh, readahead->files, file);
		free(file);
	}
	csftp_submit(readahead->relay.under, up);
}

/* path is about to change; NULL: any file may be. */
static void drop_path(struct readahead *readahead, const char *path)
{
	struct file *file = readahead->active;

	while (file) {
		if (path && *path && *file->path &&
		    strcmp(file->path, path) != 0) {
			file = file->next_active;
			continue;
		}
		drop_all(readahead, file);
		/* Who waited may have been answered, and have closed others. */
		file = readahead->active;
	}
}

static void op_change(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;
	const struct file *file;

	if (readahead->active) {
		file = find(readahead,
			    up->op == CSFTP_OP_COPY_RANGE ? up->fh2 : up->fh);
		drop_path(readahead, up->path ? up->path
				     : file   ? file->path
					      : NULL);
	}
	csftp_submit(readahead->relay.under, up);
}

/* What is open may go by another name now: nobody knows which. */
static void op_rename(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;

	drop_path(readahead, NULL);
	for (struct file *file = readahead->files; file; file = file->hh.next)
		file->path[0] = '\0';
	csftp_submit(readahead->relay.under, up);
}

static void open_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct opening *opening = (struct opening *)req;
	struct readahead *readahead = (struct readahead *)opening->job.relay;
	struct file *file = opening->file;

	if (reply->err) {
		free(file);
	} else {
		file->fh = reply->fh;
		HASH_ADD(hh, readahead->files, fh, sizeof(file->fh), file);
		if (!file->hh.tbl)
			free(file);
	}
	relay_answer(&opening->job, reply);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;
	struct relay_job *job = relay_take(&readahead->relay, up);
	size_t len = strlen(up->path) + 1;
	struct file *file;

	if (!job)
		return;
	file = calloc(1, sizeof(*file) + len);
	if (!file) {
		relay_answer_err(job, ENOMEM);
		return;
	}
	memcpy(file->path, up->path, len);
	file->size = UINT64_MAX;
	if (up->flags & CSFTP_OPEN_TRUNC)
		drop_path(readahead, up->path);
	((struct opening *)job)->file = file;
	relay_ask(job, open_done);
}

static bool is_waiting(const struct readahead *readahead, struct csftp_req *up)
{
	struct file *file = find(readahead, up->fh);
	struct chunk *chunk = file ? file->first : NULL;

	for (; chunk; chunk = chunk->next) {
		if (relay_unlist(&chunk->waiting, up))
			return true;
	}
	return false;
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct readahead *readahead = (struct readahead *)fs;

	if (up->op == CSFTP_OP_READ && is_waiting(readahead, up))
		csftp_reply_err(up, EINTR);
	else
		readahead->cancel(fs, up);
}

static void set_ops(struct readahead *readahead)
{
	struct csftp_fs_ops *ops = &readahead->relay.ops;

	readahead->cancel = ops->cancel;
	ops->cancel = cancel;
	ops->op[CSFTP_OP_OPEN] = op_open;
	ops->op[CSFTP_OP_READ] = op_read;
	ops->op[CSFTP_OP_CLOSE] = op_close;
	ops->op[CSFTP_OP_WRITE] = op_change;
	ops->op[CSFTP_OP_SETATTR] = op_change;
	ops->op[CSFTP_OP_COPY_RANGE] = op_change;
	ops->op[CSFTP_OP_LINK] = op_change;
	ops->op[CSFTP_OP_RENAME] = op_rename;
}

static uint32_t otherwise(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

enum csftp_err readahead_new(struct readahead **out,
			     const struct readahead_config *config)
{
	struct readahead *readahead;
	uint32_t largest;

	if (!config->under || !config->now_ms)
		return CSFTP_ERR_ARG;
	readahead = calloc(1, sizeof(*readahead));
	if (!readahead)
		return CSFTP_ERR_NOMEM;
	readahead->config = *config;
	readahead->config.chunk = otherwise(config->chunk, CHUNK);
	readahead->config.window_max =
		otherwise(config->window_max, WINDOW_MAX);
	readahead->config.bytes_max = otherwise(config->bytes_max, BYTES_MAX);
	readahead->config.fresh_ms = otherwise(config->fresh_ms, FRESH_MS);
	largest = config->under->max_read;
	if (largest > 0 && largest < readahead->config.chunk)
		readahead->config.chunk = largest;
	relay_init(&readahead->relay, config->under, sizeof(struct opening),
		   relay_pass);
	set_ops(readahead);
	*out = readahead;
	return CSFTP_OK;
}

void readahead_free(struct readahead *readahead)
{
	if (!readahead)
		return;
	while (readahead->files) {
		struct file *file = readahead->files;

		drop_all(readahead, file);
		HASH_DELETE(hh, readahead->files, file);
		free(file);
	}
	while (readahead->spares > 0)
		free(readahead->spare[--readahead->spares]);
	relay_release(&readahead->relay);
	free(readahead);
}

struct csftp_fs *readahead_fs(struct readahead *readahead)
{
	return &readahead->relay.fs;
}

uint32_t readahead_pending(const struct readahead *readahead)
{
	return readahead->pending;
}

void readahead_quiet(struct readahead *readahead)
{
	readahead->quiet = true;
}

struct readahead_counts readahead_counts(const struct readahead *readahead)
{
	return readahead->counts;
}
