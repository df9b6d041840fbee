#include <stdlib.h>
#include <string.h>

#include "core/layer/keep_impl.h"

/*
 * What is kept, and whether it can be handed out.
 */

#define FILE_COST 512U /* of one beside its content, roughly */

/* Open files have what they were read of, however long ago that was dropped. */
#define CONTENT_TIMES UINT64_C(2)

/* Whole seconds that a time of modification has to be past, see keep.h. */
#define PAST_MS 2000U

/* Round trips for which attributes are good, see is_of_now(). */
#define GOOD_TRIPS 8U

struct keep_data *keep_data_new(struct keep *keep, uint32_t len)
{
	struct keep_data *data = NULL;

	if (keep->counts.content + len <=
	    CONTENT_TIMES * keep->config.bytes_max)
		data = malloc(sizeof(*data) + len + 1);
	if (!data)
		return NULL;
	*data = (struct keep_data){.keep = keep, .refs = 1, .len = len};
	keep->counts.content += len;
	return data;
}

void keep_data_drop(struct keep_data *data)
{
	if (!data || --data->refs > 0)
		return;
	data->keep->counts.content -= data->len;
	free(data);
}

static struct keep_file *keep_file_at(const struct keep *keep, const char *path)
{
	struct keep_file *file = NULL;

	HASH_FIND_STR(keep->files, path, file);
	return file;
}

static void unlist(struct keep *keep, struct keep_file *file)
{
	if (file->prev)
		file->prev->next = file->next;
	else
		keep->first = file->next;
	if (file->next)
		file->next->prev = file->prev;
	else
		keep->last = file->prev;
}

static void list_last(struct keep *keep, struct keep_file *file)
{
	file->next = NULL;
	file->prev = keep->last;
	if (keep->last)
		keep->last->next = file;
	else
		keep->first = file;
	keep->last = file;
}

void keep_file_to_end(struct keep *keep, struct keep_file *file)
{
	unlist(keep, file);
	list_last(keep, file);
}

static void keep_file_drop(struct keep *keep, struct keep_file *file)
{
	keep->counts.bytes -= FILE_COST + file->data->len;
	HASH_DEL(keep->files, file);
	unlist(keep, file);
	keep_data_drop(file->data);
	free(file);
}

void keep_drop_in(struct keep *keep, const char *top)
{
	struct keep_file *file = keep->first;

	while (file) {
		struct keep_file *next = file->next;

		if (relay_is_in(file->path, top))
			keep_file_drop(keep, file);
		file = next;
	}
}

/* In all that a change, or a right to open it, could show in. */
static bool same(const struct csftp_attr *a, const struct csftp_attr *b)
{
	const uint32_t need =
		CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE | CSFTP_ATTR_MTIME;
	const uint32_t owner = CSFTP_ATTR_UID | CSFTP_ATTR_GID;

	return (a->mask & need) == need && (b->mask & need) == need &&
	       (a->mask & owner) == (b->mask & owner) && a->size == b->size &&
	       a->mode == b->mode && a->mtime.sec == b->mtime.sec &&
	       a->mtime.nsec == b->mtime.nsec &&
	       (!(a->mask & CSFTP_ATTR_UID) || a->uid == b->uid) &&
	       (!(a->mask & CSFTP_ATTR_GID) || a->gid == b->gid);
}

/* Whoever changed it after it was read has given it another time. */
static bool is_proof(const struct keep *keep, const struct keep_file *file)
{
	return file->read_ms >= file->seen_ms + PAST_MS ||
	       cache_had_passed(keep->config.cache, file->attr.mtime.sec,
				file->read_ms);
}

/*
 * As long as a question takes nobody can have been told, over the same way,
 * that the file is another one by now; and to have it changed takes some more.
 */
static bool is_of_now(const struct keep *keep, uint64_t age_ms)
{
	return age_ms < keep->trip_ms * GOOD_TRIPS &&
	       age_ms <= keep->config.fresh_ms;
}

enum keep_sight keep_look(struct keep *keep, const char *path,
			  uint64_t since_ms, struct keep_file **found)
{
	struct keep_file *file = keep_file_at(keep, path);
	const struct csftp_attr *attr;
	uint64_t age_ms = 0;
	bool proof;

	*found = file;
	if (!file)
		return KEEP_NONE;
	proof = is_proof(keep, file);
	attr = cache_known_attr(keep->config.cache, path, &age_ms);
	if (attr && !same(attr, &file->attr)) {
		keep_file_drop(keep, file);
		*found = NULL;
		return KEEP_NONE;
	}
	if (attr &&
	    (keep_now(keep) - age_ms >= since_ms || is_of_now(keep, age_ms)) &&
	    (proof || keep_is_fresh(keep, file->read_ms)))
		return KEEP_GOOD;
	return proof && !cache_is_written(keep->config.cache, path) ? KEEP_CHECK
								    : KEEP_NONE;
}

static struct keep_file *file_new(struct keep *keep, const char *path)
{
	size_t len = strlen(path) + 1;
	struct keep_file *file = calloc(1, sizeof(*file) + len);

	if (!file)
		return NULL;
	memcpy(file->path, path, len);
	HASH_ADD_STR(keep->files, path, file);
	if (!file->hh.tbl) {
		free(file);
		return NULL;
	}
	list_last(keep, file);
	return file;
}

/* The attributes are older than the content, or as old: never younger. */
void keep_learn(struct keep *keep, const struct keep_handle *handle)
{
	uint64_t age_ms = 0;
	const struct csftp_attr *attr =
		cache_known_attr(keep->config.cache, handle->path, &age_ms);
	struct keep_file *file = keep_file_at(keep, handle->path);
	uint64_t seen_ms = handle->seen_ms;

	if (handle->stale || keep->quiet || !attr || !same(attr, &handle->attr))
		return;
	if (file && same(&file->attr, &handle->attr) && file->seen_ms < seen_ms)
		seen_ms = file->seen_ms;
	if (file)
		keep_file_drop(keep, file);
	file = file_new(keep, handle->path);
	if (!file)
		return;
	file->attr = handle->attr;
	file->seen_ms = seen_ms;
	file->read_ms = handle->read_ms;
	file->data = handle->data;
	file->data->refs++;
	keep->counts.bytes += FILE_COST + file->data->len;
	while (keep->counts.bytes > keep->config.bytes_max &&
	       keep->first != file)
		keep_file_drop(keep, keep->first);
}
