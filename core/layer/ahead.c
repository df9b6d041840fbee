#include "core/layer/ahead.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/ahead_impl.h"

#define FILES	  64U
#define FILE_MAX  (256U * 1024U)
#define BYTES_MAX (8U << 20)
#define FRESH_MS  1000U

/*
 * Fetches
 */

static uint64_t now_of(const struct ahead *ahead)
{
	return ahead->config.now_ms(ahead->config.arg);
}

static void data_free(struct fetch *fetch)
{
	if (fetch->data)
		fetch->ahead->counts.bytes -= fetch->size;
	free(fetch->data);
	fetch->data = NULL;
	fetch->got = 0;
}

static void fetch_free(struct fetch *fetch)
{
	struct ahead *ahead = fetch->ahead;

	if (fetch->hh.tbl)
		HASH_DELETE(hh, ahead->by_fh, fetch);
	if (fetch->prev)
		fetch->prev->next = fetch->next;
	else
		ahead->first = fetch->next;
	if (fetch->next)
		fetch->next->prev = fetch->prev;
	else
		ahead->last = fetch->prev;
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
	fetch->ahead->pending--;
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
		fetch->ahead->pending++;
		fetch->open = (struct csftp_req){
			.op = CSFTP_OP_CLOSE,
			.done = was_closed,
			.fh = fetch->fh,
		};
		csftp_submit(fetch->ahead->config.under, &fetch->open);
	}
}

/* What was read of it may be old by now; nobody opens it any more. */
static void drop(struct fetch *fetch)
{
	if (fetch->stale)
		return;
	if (is_waiting(fetch))
		fetch->ahead->waiting--;
	fetch->stale = true;
	settle(fetch);
}

/* Answers a READ from what is there, or lets the handle be read. */
static void serve(struct fetch *fetch, struct csftp_req *up)
{
	struct ahead *ahead = fetch->ahead;
	uint64_t left;

	if (fetch->stale || up->off >= fetch->got) {
		csftp_submit(ahead->config.under, up);
		return;
	}
	left = fetch->got - up->off;
	csftp_reply(up, &(struct csftp_reply){
				.data = {fetch->data + up->off,
					 up->len < left ? up->len : left},
			});
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fetch *fetch =
		(struct fetch *)((char *)req - offsetof(struct fetch, read));
	struct csftp_req *up = fetch->readers;
	size_t len = reply->data.len;

	fetch->ahead->pending--;
	if (!reply->err && len <= fetch->size) {
		if (len > 0 && reply->data.ptr != fetch->data)
			memcpy(fetch->data, reply->data.ptr, len);
		fetch->got = (uint32_t)len;
	}
	fetch->readers = NULL;
	while (up) {
		struct csftp_req *next = up->next;

		serve(fetch, up);
		up = next;
	}
	fetch->reading = false;
	/* Nothing came: whoever reads is told why by the file system. */
	if (fetch->got == 0)
		data_free(fetch);
	settle(fetch);
}

static void read_it(struct fetch *fetch)
{
	struct ahead *ahead = fetch->ahead;

	if (fetch->size == 0 || fetch->stale)
		return;
	fetch->data = malloc(fetch->size);
	if (!fetch->data)
		return;
	ahead->counts.bytes += fetch->size;
	ahead->pending++;
	fetch->reading = true;
	fetch->read = (struct csftp_req){
		.op = CSFTP_OP_READ,
		.done = was_read,
		.fh = fetch->fh,
		.len = fetch->size,
		.into = fetch->data,
	};
	csftp_submit(ahead->config.under, &fetch->read);
}

/* From now on the handle is the user's. */
static void hand_over(struct fetch *fetch, struct csftp_req *up)
{
	csftp_fh fh = fetch->fh;

	HASH_ADD(hh, fetch->ahead->by_fh, fh, sizeof(fetch->fh), fetch);
	if (!fetch->hh.tbl)
		fetch->stale = true;
	settle(fetch);
	csftp_reply_fh(up, fh);
}

static void was_opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fetch *fetch = (struct fetch *)req;
	struct ahead *ahead = fetch->ahead;
	struct csftp_req *up = fetch->opener;

	ahead->pending--;
	fetch->opener = NULL;
	if (reply->err) {
		fetch->opening = false;
		if (is_waiting(fetch))
			ahead->waiting--;
		fetch_free(fetch);
		/* Whoever opens it is told why by the file system. */
		if (up)
			csftp_submit(ahead->config.under, up);
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

static bool has_room(const struct ahead *ahead, uint64_t size)
{
	return ahead->waiting < ahead->config.files &&
	       ahead->counts.bytes + size <= ahead->config.bytes_max;
}

static struct fetch *fetch_new(struct ahead *ahead, const char *path,
			       uint32_t size)
{
	size_t len = strlen(path) + 1;
	struct fetch *fetch = calloc(1, sizeof(*fetch) + len);

	if (!fetch)
		return NULL;
	memcpy(fetch->path, path, len);
	fetch->ahead = ahead;
	fetch->size = size;
	fetch->born_ms = now_of(ahead);
	fetch->prev = ahead->last;
	if (ahead->last)
		ahead->last->next = fetch;
	else
		ahead->first = fetch;
	ahead->last = fetch;
	return fetch;
}

static struct fetch *find(const struct ahead *ahead, const char *path)
{
	struct fetch *fetch = ahead->first;

	while (fetch && !(is_waiting(fetch) && strcmp(fetch->path, path) == 0))
		fetch = fetch->next;
	return fetch;
}

bool ahead_fetch(struct ahead *ahead, const char *dir, const char *name)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t dir_len = strlen(dir);
	size_t name_len = strlen(name);
	struct fetch *fetch;
	uint64_t size;

	if (ahead->quiet || dir_len + 1 + name_len > CSFTP_PATH_MAX)
		return true;
	memcpy(path, dir, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, name, name_len + 1);
	size = cache_file_size(ahead->config.cache, path);
	if (size > ahead->config.file_max || find(ahead, path))
		return true;
	if (!has_room(ahead, size))
		return false;
	fetch = fetch_new(ahead, path, (uint32_t)size);
	if (!fetch)
		return true;
	ahead->waiting++;
	ahead->pending++;
	ahead->counts.fetched++;
	fetch->opening = true;
	fetch->open = (struct csftp_req){
		.op = CSFTP_OP_OPEN,
		.done = was_opened,
		.path = fetch->path,
		.flags = CSFTP_OPEN_READ,
	};
	csftp_submit(ahead->config.under, &fetch->open);
	return true;
}

/*
 * Operations
 */

static void op_forward(struct csftp_fs *fs, struct csftp_req *up)
{
	csftp_submit(((struct ahead *)fs)->config.under, up);
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

/* path is about to change; NULL: anything may be. */
static void drop_path(struct ahead *ahead, const char *path)
{
	struct fetch *fetch = ahead->first;

	while (fetch) {
		struct fetch *next = fetch->next;

		if (!path || is_at_or_below(fetch->path, path))
			drop(fetch);
		fetch = next;
	}
}

static void op_change(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;

	/* What is open goes by another name then. */
	if (up->op == CSFTP_OP_RENAME)
		drop_path(ahead, NULL);
	else if (up->path)
		drop_path(ahead, up->path);
	csftp_submit(ahead->config.under, up);
}

static void take(struct fetch *fetch, struct csftp_req *up)
{
	struct ahead *ahead = fetch->ahead;

	fetch->taken = true;
	ahead->waiting--;
	ahead->counts.used++;
	ahead_opened(ahead, up->path, true);
	if (fetch->opened)
		hand_over(fetch, up);
	else
		fetch->opener = up;
}

static void open_below(struct ahead *ahead, struct csftp_req *up)
{
	char path[CSFTP_PATH_MAX + 1];
	size_t len = strlen(up->path);

	/* The request first, as somebody waits for it; then it may be gone. */
	if (len > CSFTP_PATH_MAX)
		len = 0;
	memcpy(path, up->path, len);
	path[len] = '\0';
	csftp_submit(ahead->config.under, up);
	if (path[0] == '/')
		ahead_opened(ahead, path, false);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;
	struct fetch *fetch;

	if (up->flags != CSFTP_OPEN_READ) {
		drop_path(ahead, up->path);
		csftp_submit(ahead->config.under, up);
		return;
	}
	(void)ahead_tick(ahead);
	fetch = find(ahead, up->path);
	if (fetch)
		take(fetch, up);
	else
		open_below(ahead, up);
}

static struct fetch *taken_with(const struct ahead *ahead, csftp_fh fh)
{
	struct fetch *fetch = NULL;

	HASH_FIND(hh, ahead->by_fh, &fh, sizeof(fh), fetch);
	return fetch;
}

static void op_read(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;
	struct fetch *fetch = taken_with(ahead, up->fh);
	csftp_fh fh = up->fh;
	uint64_t end = up->off + up->len;

	if (fetch && now_of(ahead) - fetch->born_ms > ahead->config.fresh_ms) {
		drop(fetch);
		fetch = NULL;
	}
	if (!fetch || fetch->stale) {
		csftp_submit(ahead->config.under, up);
		return;
	}
	if (fetch->reading && up->off < fetch->size) {
		up->next = fetch->readers;
		fetch->readers = up;
		return;
	}
	serve(fetch, up);
	/* Who has read to the end does not read it again. */
	fetch = taken_with(ahead, fh);
	if (fetch && !fetch->reading && end >= fetch->got)
		drop(fetch);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;
	struct fetch *fetch = taken_with(ahead, up->fh);

	if (fetch) {
		HASH_DELETE(hh, ahead->by_fh, fetch);
		fetch->hh.tbl = NULL;
		drop(fetch);
	}
	csftp_submit(ahead->config.under, up);
}

static void op_opendir(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;

	ahead_listed(ahead, up->path);
	csftp_submit(ahead->config.under, up);
}

static bool unlink_from(struct csftp_req **list, const struct csftp_req *up)
{
	while (*list && *list != up)
		list = &(*list)->next;
	if (!*list)
		return false;
	*list = up->next;
	return true;
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct ahead *ahead = (struct ahead *)fs;
	struct fetch *fetch = ahead->first;

	for (; fetch; fetch = fetch->next) {
		if (fetch->opener == up) {
			fetch->opener = NULL;
			fetch->taken = false;
			fetch->stale = true;
			csftp_reply_err(up, EINTR);
			return;
		}
		if (unlink_from(&fetch->readers, up)) {
			csftp_reply_err(up, EINTR);
			return;
		}
	}
	csftp_cancel(ahead->config.under, up);
}

static const struct csftp_fs_ops ops = {
	.op =
		{
			[CSFTP_OP_GETATTR] = op_forward,
			[CSFTP_OP_SETATTR] = op_change,
			[CSFTP_OP_READLINK] = op_forward,
			[CSFTP_OP_REALPATH] = op_forward,
			[CSFTP_OP_MKDIR] = op_forward,
			[CSFTP_OP_RMDIR] = op_change,
			[CSFTP_OP_UNLINK] = op_change,
			[CSFTP_OP_SYMLINK] = op_forward,
			[CSFTP_OP_LINK] = op_forward,
			[CSFTP_OP_RENAME] = op_change,
			[CSFTP_OP_OPEN] = op_open,
			[CSFTP_OP_READ] = op_read,
			[CSFTP_OP_WRITE] = op_forward,
			[CSFTP_OP_FSYNC] = op_forward,
			[CSFTP_OP_CLOSE] = op_close,
			[CSFTP_OP_OPENDIR] = op_opendir,
			[CSFTP_OP_READDIR] = op_forward,
			[CSFTP_OP_STATFS] = op_forward,
			[CSFTP_OP_COPY_RANGE] = op_forward,
			[CSFTP_OP_HOMEDIR] = op_forward,
			[CSFTP_OP_IDNAME] = op_forward,
		},
	.cancel = cancel,
};

static uint32_t otherwise(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

enum csftp_err ahead_new(struct ahead **out, const struct ahead_config *config)
{
	struct ahead *ahead;
	uint32_t largest;

	if (!config->under || !config->cache || !config->now_ms)
		return CSFTP_ERR_ARG;
	ahead = calloc(1, sizeof(*ahead));
	if (!ahead)
		return CSFTP_ERR_NOMEM;
	ahead->config = *config;
	ahead->config.files = otherwise(config->files, FILES);
	ahead->config.bytes_max = otherwise(config->bytes_max, BYTES_MAX);
	ahead->config.fresh_ms = otherwise(config->fresh_ms, FRESH_MS);
	ahead->config.file_max = otherwise(config->file_max, FILE_MAX);
	largest = config->under->max_read;
	if (largest > 0 && largest < ahead->config.file_max)
		ahead->config.file_max = largest;
	ahead->order = PLAN_UNKNOWN;
	ahead->fs = (struct csftp_fs){
		.ops = &ops,
		.max_read = config->under->max_read,
		.max_write = config->under->max_write,
		.traits = config->under->traits,
	};
	*out = ahead;
	return CSFTP_OK;
}

void ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return;
	/* Taken ones are the users', who were to close them. */
	while (ahead->first)
		fetch_free(ahead->first);
	ahead_forget_plans(ahead);
	free(ahead);
}

struct csftp_fs *ahead_fs(struct ahead *ahead)
{
	return &ahead->fs;
}

uint32_t ahead_pending(const struct ahead *ahead)
{
	return ahead->pending + ahead->waiting;
}

void ahead_quiet(struct ahead *ahead)
{
	ahead->quiet = true;
	drop_path(ahead, NULL);
}

uint64_t ahead_tick(struct ahead *ahead)
{
	uint64_t now = now_of(ahead);
	struct fetch *fetch = ahead->first;

	while (fetch && now - fetch->born_ms > ahead->config.fresh_ms) {
		struct fetch *next = fetch->next;

		if (is_waiting(fetch))
			ahead_wrong(ahead);
		drop(fetch);
		fetch = next;
	}
	return fetch ? fetch->born_ms + ahead->config.fresh_ms + 1 : 0;
}

struct ahead_counts ahead_counts(const struct ahead *ahead)
{
	return ahead->counts;
}
