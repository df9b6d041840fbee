#include "core/layer/idmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/idmap_impl.h"

static uint64_t key_of(uint32_t kind, uint32_t number)
{
	return (uint64_t)kind << 32 | number;
}

static struct id *find(const struct idmap *map, uint32_t kind, uint32_t number)
{
	uint64_t key = key_of(kind, number);
	struct id *id = NULL;

	HASH_FIND(hh, map->ids, &key, sizeof(key), id);
	return id;
}

/* NULL: there are too many, or there is no memory. */
static struct id *add(struct idmap *map, uint32_t kind, uint32_t number)
{
	struct id *id;

	if (HASH_COUNT(map->ids) >= IDMAP_IDS_MAX)
		return NULL;
	id = calloc(1, sizeof(*id));
	if (!id)
		return NULL;
	id->key = key_of(kind, number);
	id->map = map;
	HASH_ADD(hh, map->ids, key, sizeof(id->key), id);
	if (id->hh.tbl)
		return id;
	free(id);
	return NULL;
}

static bool maps(const struct idmap *map, uint32_t kind)
{
	return kind == CSFTP_ID_USER ? map->config.maps_users
				     : map->config.maps_groups;
}

/* Whether it has to be asked for first. */
static bool is_open(struct idmap *map, uint32_t kind, uint32_t number)
{
	struct id *id;

	if (!map->config.by_name || !maps(map, kind))
		return false;
	id = find(map, kind, number);
	if (id)
		return id->state == ID_WANTED || id->state == ID_ASKED;
	id = add(map, kind, number);
	if (!id)
		return false;
	id->state = ID_WANTED;
	id->next_wanted = map->wanted;
	map->wanted = id;
	return true;
}

bool idmap_is_known(struct idmap *map, const struct csftp_attr *attr)
{
	bool open = false;

	if (attr->mask & CSFTP_ATTR_UID)
		open |= is_open(map, CSFTP_ID_USER, attr->uid);
	if (attr->mask & CSFTP_ATTR_GID)
		open |= is_open(map, CSFTP_ID_GROUP, attr->gid);
	return !open;
}

static int show(const struct idmap *map, uint32_t kind, uint32_t *number)
{
	const struct id *id;

	if (!maps(map, kind))
		return 0;
	id = find(map, kind, *number);
	if (id && id->state == ID_KNOWN) {
		*number = id->local;
		return 0;
	}
	if (map->config.nomap == IDMAP_REFUSE)
		return EPERM;
	if (map->config.nomap == IDMAP_NOBODY)
		*number = IDMAP_NOBODY_ID;
	return 0;
}

int idmap_show(struct idmap *map, struct csftp_attr *attr)
{
	int err = 0;

	if (attr->mask & CSFTP_ATTR_UID)
		err = show(map, CSFTP_ID_USER, &attr->uid);
	if (!err && (attr->mask & CSFTP_ATTR_GID))
		err = show(map, CSFTP_ID_GROUP, &attr->gid);
	return err;
}

/* The table is in the order in which they were added, pairs first. */
static int set(const struct idmap *map, uint32_t kind, uint32_t *number)
{
	if (!maps(map, kind))
		return 0;
	for (const struct id *id = map->ids; id; id = id->hh.next) {
		if (id->state == ID_KNOWN && id->key >> 32 == kind &&
		    id->local == *number) {
			*number = (uint32_t)id->key;
			return 0;
		}
	}
	return map->config.nomap == IDMAP_KEEP ? 0 : EPERM;
}

int idmap_set(struct idmap *map, struct csftp_attr *attr)
{
	int err = 0;

	if (attr->mask & CSFTP_ATTR_UID)
		err = set(map, CSFTP_ID_USER, &attr->uid);
	if (!err && (attr->mask & CSFTP_ATTR_GID))
		err = set(map, CSFTP_ID_GROUP, &attr->gid);
	return err;
}

void idmap_say(const struct idmap *map, const char *text)
{
	if (map->config.log)
		map->config.log(map->config.arg, text);
}

/* All that waited for names goes on. */
static void wake(struct idmap *map)
{
	struct idmap_job *job;

	while (map->asking == 0 && (job = map->waiting) != NULL) {
		int err = idmap_show(map, &job->attr);

		map->waiting = job->next_waiting;
		relay_answer(&job->job,
			     err ? &(struct csftp_reply){.err = err}
				 : &(struct csftp_reply){.attr = &job->attr});
	}
	if (map->asking == 0)
		idmap_dir_wake(map);
}

static void no_names(struct idmap *map)
{
	map->config.by_name = false;
	map->config.nomap = IDMAP_KEEP;
	if (!map->said_no_names)
		idmap_say(map, "the server does not tell the names of owners: "
			       "their numbers are shown, but for your own");
	map->said_no_names = true;
}

static void learn(struct id *id, const struct csftp_reply *reply)
{
	const struct idmap_config *config = &id->map->config;
	char name[CSFTP_NAME_MAX + 1];
	size_t len = reply->text.len;

	id->state = ID_NONE;
	if (reply->err == EOPNOTSUPP)
		no_names(id->map);
	if (reply->err || len == 0 || len > CSFTP_NAME_MAX ||
	    memchr(reply->text.ptr, '\0', len))
		return;
	memcpy(name, reply->text.ptr, len);
	name[len] = '\0';
	if (config->local(config->arg, (uint32_t)(id->key >> 32), name,
			  &id->local))
		id->state = ID_KNOWN;
}

static void named(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct id *id = (struct id *)((char *)req - offsetof(struct id, req));
	struct idmap *map = id->map;

	learn(id, reply);
	/* What says nothing of the number is asked again another time. */
	if (reply->err == ENOTCONN || reply->err == EINTR ||
	    reply->err == ETIMEDOUT) {
		HASH_DEL(map->ids, id);
		free(id);
	}
	map->asking--;
	wake(map);
}

void idmap_ask_wanted(struct idmap *map)
{
	struct id *id;

	/* One more, so that nobody is woken before all were asked. */
	map->asking++;
	while ((id = map->wanted) != NULL) {
		map->wanted = id->next_wanted;
		id->state = ID_ASKED;
		id->req = (struct csftp_req){
			.op = CSFTP_OP_IDNAME,
			.done = named,
			.flags = (uint32_t)(id->key >> 32),
			.off = (uint32_t)id->key,
		};
		map->asking++;
		csftp_submit(map->relay.under, &id->req);
	}
	map->asking--;
	wake(map);
}

static void got_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;
	struct idmap *map = (struct idmap *)job->job.relay;

	if (reply->err || !reply->attr) {
		relay_answer(&job->job, reply);
		return;
	}
	job->attr = *reply->attr;
	job->next_waiting = map->waiting;
	map->waiting = job;
	(void)idmap_is_known(map, &job->attr);
	idmap_ask_wanted(map);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct relay_job *job;

	if (idmap_make_holds(map, req))
		return;
	job = relay_take(&map->relay, req);
	if (job)
		relay_ask(job, got_attr);
}

static void was_set(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct idmap_job *job;
	int err;

	if (!(req->attr->mask & (CSFTP_ATTR_UID | CSFTP_ATTR_GID))) {
		relay_pass(fs, req);
		return;
	}
	job = (struct idmap_job *)relay_take(&map->relay, req);
	if (!job)
		return;
	job->attr = *req->attr;
	job->job.req.attr = &job->attr;
	err = idmap_set(map, &job->attr);
	if (err)
		relay_answer_err(&job->job, err);
	else
		relay_ask(&job->job, was_set);
}

/* A job that waits for a name is not known below. */
static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct idmap_job **at = &map->waiting;
	struct idmap_job *job;

	while (*at && (*at)->job.asked != req)
		at = &(*at)->next_waiting;
	job = *at;
	if (job) {
		*at = job->next_waiting;
		relay_answer_err(&job->job, EINTR);
	} else if (idmap_dir_cancel(map, req) || idmap_make_cancel(map, req) ||
		   relay_unlist(&map->early, req)) {
		csftp_reply_err((struct csftp_req *)req, EINTR);
	} else {
		map->cancel(fs, req);
	}
}

bool idmap_add_pairs(struct idmap *map, uint32_t kind,
		     const struct idmap_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct id *id = find(map, kind, pairs[i].remote);

		if (!id)
			id = add(map, kind, pairs[i].remote);
		if (!id)
			return false;
		id->state = ID_KNOWN;
		id->local = pairs[i].local;
	}
	return true;
}

enum csftp_err idmap_new(struct idmap **out, const struct idmap_config *config)
{
	struct idmap *map;

	if (!config->under || (config->by_name && !config->local))
		return CSFTP_ERR_ARG;
	map = calloc(1, sizeof(*map));
	if (!map)
		return CSFTP_ERR_NOMEM;
	relay_init(&map->relay, config->under, sizeof(struct idmap_job),
		   relay_pass);
	map->config = *config;
	map->cancel = map->relay.ops.cancel;
	map->relay.ops.cancel = cancel;
	map->relay.ops.op[CSFTP_OP_GETATTR] = op_getattr;
	map->relay.ops.op[CSFTP_OP_SETATTR] = op_setattr;
	map->relay.ops.op[CSFTP_OP_READDIR] = idmap_readdir;
	map->relay.ops.op[CSFTP_OP_CLOSE] = idmap_close;
	map->relay.ops.op[CSFTP_OP_OPEN] = idmap_make;
	map->relay.ops.op[CSFTP_OP_MKDIR] = idmap_make;
	map->relay.ops.op[CSFTP_OP_SYMLINK] = idmap_make;
	if (!idmap_add_pairs(map, CSFTP_ID_USER, config->users,
			     config->user_count) ||
	    !idmap_add_pairs(map, CSFTP_ID_GROUP, config->groups,
			     config->group_count)) {
		idmap_free(map);
		return CSFTP_ERR_NOMEM;
	}
	if (config->finds_login)
		idmap_find_login(map);
	*out = map;
	return CSFTP_OK;
}

void idmap_free(struct idmap *map)
{
	struct id *next;

	if (!map)
		return;
	idmap_dir_release(map);
	for (struct id *id = map->ids; id; id = next) {
		next = id->hh.next;
		HASH_DEL(map->ids, id);
		free(id);
	}
	relay_release(&map->relay);
	free(map);
}

struct csftp_fs *idmap_fs(struct idmap *map)
{
	return &map->relay.fs;
}

uint32_t idmap_pending(const struct idmap *map)
{
	return map->asking + (map->finding ? 1 : 0);
}
