#include "core/layer/prefetch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/prefetch_impl.h"

#define FILES	  64U
#define FILE_MAX  (256U * 1024U)
#define BYTES_MAX (8U << 20)
#define FRESH_MS  1000U
#define NAMES_MAX 65536U

/*
 * Fetches
 */

static uint64_t now_of(const struct prefetch *prefetch)
{
	return prefetch->config.now_ms(prefetch->config.arg);
}

static void data_free(struct fetch *fetch)
{
	fetch->prefetch->counts.bytes -= fetch->size;
	fetch->prefetch->counts.bytes_unused += fetch->got - fetch->used;
	free(fetch->data);
	fetch->data = NULL;
	fetch->size = 0;
	fetch->got = 0;
	fetch->used = 0;
}

static void fetch_free(struct fetch *fetch)
{
	struct prefetch *prefetch = fetch->prefetch;

	if (fetch->hh.tbl)
		HASH_DELETE(hh, prefetch->by_fh, fetch);
	if (fetch->prev)
		fetch->prev->next = fetch->next;
	else
		prefetch->first = fetch->next;
	if (fetch->next)
		fetch->next->prev = fetch->prev;
	else
		prefetch->last = fetch->prev;
	data_free(fetch);
	free(fetch);
}

/* Whether nobody above has a part in it. */
static bool is_waiting(const struct fetch *fetch)
{
	return !fetch->taken && !fetch->stale;
}

static void was_closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fetch *fetch = (struct fetch *)req;

	(void)reply; /* nothing was written that could be lost */
	fetch->prefetch->pending--;
	fetch->opening = false;
	fetch->opened = false;
	fetch_free(fetch);
}

/* Ends what is of no use any more, as soon as it can be. */
static void settle(struct fetch *fetch)
{
	if (fetch->opening || fetch->reading)
		return;
	if (fetch->taken && (fetch->stale || !fetch->data)) {
		fetch_free(fetch);
	} else if (fetch->stale && !fetch->opened) {
		fetch_free(fetch);
	} else if (fetch->stale) {
		fetch->opening = true;
		fetch->prefetch->pending++;
		fetch->open = (struct csftp_req){
			.op = CSFTP_OP_CLOSE,
			.done = was_closed,
			.fh = fetch->fh,
		};
		csftp_submit(fetch->prefetch->relay.under, &fetch->open);
	}
}

/* What was read of it may be old by now; nobody opens it any more. */
static void drop(struct fetch *fetch)
{
	if (fetch->stale)
		return;
	if (is_waiting(fetch))
		fetch->prefetch->waiting--;
	fetch->stale = true;
	settle(fetch);
}

/* Answers a READ from what is there, or lets the handle be read. */
static void serve(struct fetch *fetch, struct csftp_req *up)
{
	struct prefetch *prefetch = fetch->prefetch;
	uint64_t fresh = fetch->got - fetch->used;
	uint64_t len;

	if (fetch->stale || up->off >= fetch->got) {
		csftp_submit(prefetch->relay.under, up);
		return;
	}
	len = fetch->got - up->off;
	len = up->len < len ? up->len : len;
	/* What is handed out twice was of use once. */
	fresh = len < fresh ? len : fresh;
	fetch->used += (uint32_t)fresh;
	prefetch->counts.bytes_used += fresh;
	csftp_reply(up, &(struct csftp_reply){
				.data = {fetch->data + up->off, len}});
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fetch *fetch =
		(struct fetch *)((char *)req - offsetof(struct fetch, read));
	size_t len = reply->data.len;

	fetch->prefetch->pending--;
	if (!reply->err && len <= fetch->size) {
		if (len > 0 && reply->data.ptr != fetch->data)
			memcpy(fetch->data, reply->data.ptr, len);
		fetch->got = (uint32_t)len;
	}
	/* One by one, as whoever is answered may close it, or cancel others. */
	while (fetch->readers) {
		struct csftp_req *up = fetch->readers;

		fetch->readers = up->next;
		serve(fetch, up);
	}
	fetch->reading = false;
	/* Nothing came: whoever reads is told why by the file system. */
	if (fetch->got == 0)
		data_free(fetch);
	settle(fetch);
}

static void read_it(struct fetch *fetch)
{
	struct prefetch *prefetch = fetch->prefetch;

	if (fetch->size == 0 || fetch->stale)
		return;
	fetch->data = malloc(fetch->size);
	if (!fetch->data)
		return;
	prefetch->pending++;
	fetch->reading = true;
	fetch->read = (struct csftp_req){
		.op = CSFTP_OP_READ,
		.done = was_read,
		.fh = fetch->fh,
		.len = fetch->size,
		.into = fetch->data,
	};
	csftp_submit(prefetch->relay.under, &fetch->read);
}

/* From now on the handle is the user's. */
static void hand_over(struct fetch *fetch, struct csftp_req *up)
{
	csftp_fh fh = fetch->fh;

	HASH_ADD(hh, fetch->prefetch->by_fh, fh, sizeof(fetch->fh), fetch);
	if (!fetch->hh.tbl)
		fetch->stale = true;
	settle(fetch);
	csftp_reply_fh(up, fh);
}

static void was_opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fetch *fetch = (struct fetch *)req;
	struct prefetch *prefetch = fetch->prefetch;
	struct csftp_req *up = fetch->opener;

	prefetch->pending--;
	fetch->opener = NULL;
	if (reply->err) {
		fetch->opening = false;
		if (is_waiting(fetch))
			prefetch->waiting--;
		fetch_free(fetch);
		/* Whoever opens it is told why by the file system. */
		if (up)
			csftp_submit(prefetch->relay.under, up);
		return;
	}
	fetch->fh = reply->fh;
	fetch->opened = true;
	read_it(fetch);
	fetch->opening = false;
	if (up)
		hand_over(fetch, up);
	else
		settle(fetch);
}

static bool has_room(const struct prefetch *prefetch, uint64_t size)
{
	return prefetch->waiting < prefetch->config.files &&
	       prefetch->counts.bytes + size <= prefetch->config.bytes_max;
}

static struct fetch *fetch_new(struct prefetch *prefetch, const char *path,
			       uint32_t size)
{
	size_t len = strlen(path) + 1;
	struct fetch *fetch = calloc(1, sizeof(*fetch) + len);

	if (!fetch)
		return NULL;
	memcpy(fetch->path, path, len);
	fetch->prefetch = prefetch;
	fetch->size = size;
	prefetch->counts.bytes += size;
	fetch->born_ms = now_of(prefetch);
	fetch->prev = prefetch->last;
	if (prefetch->last)
		prefetch->last->next = fetch;
	else
		prefetch->first = fetch;
	prefetch->last = fetch;
	return fetch;
}

static struct fetch *find(const struct prefetch *prefetch, const char *path)
{
	struct fetch *fetch = prefetch->first;

	while (fetch && !(is_waiting(fetch) && strcmp(fetch->path, path) == 0))
		fetch = fetch->next;
	return fetch;
}

bool prefetch_fetch(struct prefetch *prefetch, const char *dir,
		    const char *name)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t dir_len = strlen(dir);
	size_t name_len = strlen(name);
	struct fetch *fetch;
	uint64_t size;

	if (prefetch->quiet || dir_len + 1 + name_len > CSFTP_PATH_MAX)
		return true;
	memcpy(path, dir, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, name, name_len + 1);
	size = cache_file_size(prefetch->config.cache, path);
	if (size > prefetch->config.file_max || find(prefetch, path))
		return true;
	if (!has_room(prefetch, size))
		return false;
	/* One byte more shows whoever reads it that it is longer by now. */
	if (size > 0 && size != prefetch->config.under->max_read)
		size++;
	fetch = fetch_new(prefetch, path, (uint32_t)size);
	if (!fetch)
		return true;
	prefetch->waiting++;
	prefetch->pending++;
	prefetch->counts.fetched++;
	fetch->opening = true;
	fetch->open = (struct csftp_req){
		.op = CSFTP_OP_OPEN,
		.done = was_opened,
		.path = fetch->path,
		.flags = CSFTP_OPEN_READ,
	};
	csftp_submit(prefetch->relay.under, &fetch->open);
	return true;
}

/*
 * Operations
 */

/* path is about to change; NULL: anything may be. */
static void drop_path(struct prefetch *prefetch, const char *path)
{
	struct fetch *fetch = prefetch->first;

	while (fetch) {
		struct fetch *next = fetch->next;

		if (relay_is_in(fetch->path, path))
			drop(fetch);
		fetch = next;
	}
}

static void op_change(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;

	/* What is open goes by another name then. */
	if (up->op == CSFTP_OP_RENAME)
		drop_path(prefetch, NULL);
	else if (up->path)
		drop_path(prefetch, up->path);
	csftp_submit(prefetch->relay.under, up);
}

static void take(struct fetch *fetch, struct csftp_req *up)
{
	struct prefetch *prefetch = fetch->prefetch;

	fetch->taken = true;
	prefetch->waiting--;
	prefetch->counts.used++;
	prefetch_opened(prefetch, up->path, true);
	if (fetch->opened)
		hand_over(fetch, up);
	else
		fetch->opener = up;
}

static void open_below(struct prefetch *prefetch, struct csftp_req *up)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t len = strlen(up->path);

	/* The request first, as somebody waits for it; then it may be gone. */
	if (len > CSFTP_PATH_MAX)
		len = 0;
	memcpy(path, up->path, len);
	path[len] = '\0';
	csftp_submit(prefetch->relay.under, up);
	if (path[0] == '/')
		prefetch_opened(prefetch, path, false);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;
	struct fetch *fetch;

	if (up->flags != CSFTP_OPEN_READ) {
		drop_path(prefetch, up->path);
		csftp_submit(prefetch->relay.under, up);
		return;
	}
	(void)prefetch_tick(prefetch);
	fetch = find(prefetch, up->path);
	if (fetch)
		take(fetch, up);
	else
		open_below(prefetch, up);
}

static struct fetch *taken_with(const struct prefetch *prefetch, csftp_fh fh)
{
	struct fetch *fetch = NULL;

	HASH_FIND(hh, prefetch->by_fh, &fh, sizeof(fh), fetch);
	return fetch;
}

static void op_read(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;
	struct fetch *fetch = taken_with(prefetch, up->fh);
	csftp_fh fh = up->fh;
	uint64_t end = up->off + up->len;

	if (fetch &&
	    now_of(prefetch) - fetch->born_ms > prefetch->config.fresh_ms) {
		drop(fetch);
		fetch = NULL;
	}
	if (!fetch || fetch->stale) {
		csftp_submit(prefetch->relay.under, up);
		return;
	}
	if (fetch->reading && up->off < fetch->size) {
		up->next = fetch->readers;
		fetch->readers = up;
		return;
	}
	serve(fetch, up);
	/* Who has read to the end does not read it again. */
	fetch = taken_with(prefetch, fh);
	if (fetch && !fetch->reading && end >= fetch->got)
		drop(fetch);
}

/* Behind the CLOSE that comes there will be no handle any more. */
static void read_below(struct fetch *fetch)
{
	while (fetch->readers) {
		struct csftp_req *up = fetch->readers;

		fetch->readers = up->next;
		csftp_submit(fetch->prefetch->relay.under, up);
	}
}

static void op_close(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;
	struct fetch *fetch = taken_with(prefetch, up->fh);

	if (fetch) {
		HASH_DELETE(hh, prefetch->by_fh, fetch);
		fetch->hh.tbl = NULL;
		read_below(fetch);
		drop(fetch);
	}
	csftp_submit(prefetch->relay.under, up);
}

static void op_opendir(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;

	prefetch_listed(prefetch, up->path);
	csftp_submit(prefetch->relay.under, up);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct prefetch *prefetch = (struct prefetch *)fs;
	struct fetch *fetch = prefetch->first;

	for (; fetch; fetch = fetch->next) {
		if (fetch->opener == up) {
			fetch->opener = NULL;
			fetch->taken = false;
			fetch->stale = true;
			csftp_reply_err(up, EINTR);
			return;
		}
		if (relay_unlist(&fetch->readers, up)) {
			csftp_reply_err(up, EINTR);
			return;
		}
	}
	csftp_cancel(prefetch->relay.under, up);
}

static void set_ops(struct csftp_fs_ops *ops)
{
	ops->cancel = cancel;
	ops->op[CSFTP_OP_OPEN] = op_open;
	ops->op[CSFTP_OP_READ] = op_read;
	ops->op[CSFTP_OP_CLOSE] = op_close;
	ops->op[CSFTP_OP_OPENDIR] = op_opendir;
	ops->op[CSFTP_OP_SETATTR] = op_change;
	ops->op[CSFTP_OP_UNLINK] = op_change;
	ops->op[CSFTP_OP_RMDIR] = op_change;
	ops->op[CSFTP_OP_RENAME] = op_change;
}

static uint32_t otherwise(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

enum csftp_err prefetch_new(struct prefetch **out,
			    const struct prefetch_config *config)
{
	struct prefetch *prefetch;
	uint32_t largest;

	if (!config->under || !config->cache || !config->now_ms)
		return CSFTP_ERR_ARG;
	prefetch = calloc(1, sizeof(*prefetch));
	if (!prefetch)
		return CSFTP_ERR_NOMEM;
	prefetch->config = *config;
	prefetch->config.files = otherwise(config->files, FILES);
	prefetch->config.bytes_max = otherwise(config->bytes_max, BYTES_MAX);
	prefetch->config.fresh_ms = otherwise(config->fresh_ms, FRESH_MS);
	prefetch->config.file_max = otherwise(config->file_max, FILE_MAX);
	prefetch->config.names_max = otherwise(config->names_max, NAMES_MAX);
	largest = config->under->max_read;
	if (largest > 0 && largest < prefetch->config.file_max)
		prefetch->config.file_max = largest;
	prefetch->order = PLAN_UNKNOWN;
	prefetch->dirs_order = PLAN_UNKNOWN;
	relay_init(&prefetch->relay, config->under, 0, relay_pass);
	set_ops(&prefetch->relay.ops);
	*out = prefetch;
	return CSFTP_OK;
}

void prefetch_free(struct prefetch *prefetch)
{
	if (!prefetch)
		return;
	/* Taken ones are the users', who were to close them. */
	while (prefetch->first)
		fetch_free(prefetch->first);
	prefetch_forget_plans(prefetch);
	relay_release(&prefetch->relay);
	free(prefetch);
}

struct csftp_fs *prefetch_fs(struct prefetch *prefetch)
{
	return &prefetch->relay.fs;
}

uint32_t prefetch_pending(const struct prefetch *prefetch)
{
	return prefetch->pending + prefetch->waiting;
}

void prefetch_quiet(struct prefetch *prefetch)
{
	prefetch->quiet = true;
	drop_path(prefetch, NULL);
}

uint64_t prefetch_tick(struct prefetch *prefetch)
{
	uint64_t now = now_of(prefetch);
	struct fetch *fetch = prefetch->first;

	while (fetch && now - fetch->born_ms > prefetch->config.fresh_ms) {
		struct fetch *next = fetch->next;

		if (is_waiting(fetch))
			prefetch_wrong(prefetch);
		drop(fetch);
		fetch = next;
	}
	return fetch ? fetch->born_ms + prefetch->config.fresh_ms + 1 : 0;
}

struct prefetch_counts prefetch_counts(const struct prefetch *prefetch)
{
	struct prefetch_counts counts = prefetch->counts;

	counts.names = prefetch_planned(prefetch);
	return counts;
}
