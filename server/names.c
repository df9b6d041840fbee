#include "server/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/layer/relay.h"
#include "server/account.h"
#include "server/posixfs.h"

struct known {
	uint32_t id;
	uint32_t order; /* of two names for one number the first counts */
	char *name;
	char *home; /* of users */
};

struct table {
	struct known *item;
	size_t count;
	size_t room;
	size_t last; /* found: most files of a directory have one owner */
};

struct names {
	struct relay relay;   /* first */
	struct names *source; /* who has the tables: this or another */
	struct table users;   /* by number, once they are loaded */
	struct table groups;
	char *self; /* our own home; NULL: we have none */
	char *jail;
	FILE *passwd; /* read when they are asked for, as most never are */
	FILE *group;
	bool loaded;
};

struct names_job {
	struct relay_job job; /* first */
	char path[CSFTP_PATH_MAX + 1];
};

/* Whether there is room for one more. */
static bool grow(struct table *table)
{
	size_t room = table->room > 0 ? 2 * table->room : 16;
	struct known *item;

	if (table->count < table->room)
		return true;
	if (table->count == NAMES_MAX)
		return false;
	item = realloc(table->item, room * sizeof(*item));
	if (!item)
		return false;
	table->item = item;
	table->room = room;
	return true;
}

static bool add(struct table *table, uint32_t id, const char *name,
		const char *home)
{
	struct known *known;

	if (!grow(table))
		return false;
	known = &table->item[table->count];
	known->id = id;
	known->order = (uint32_t)table->count;
	known->name = strdup(name);
	known->home = home ? strdup(home) : NULL;
	if (known->name && (known->home || !home)) {
		table->count++;
		return true;
	}
	free(known->name);
	free(known->home);
	return false;
}

static int by_id(const void *left, const void *right)
{
	const struct known *a = left;
	const struct known *b = right;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void load_users(struct names *names)
{
	struct account user;

	while (account_next_user(&user, names->passwd))
		if (!add(&names->users, user.id, user.name, user.home))
			break;
}

static void load_groups(struct names *names)
{
	struct account group;

	while (account_next_group(&group, names->group))
		if (!add(&names->groups, group.id, group.name, NULL))
			break;
}

/* These are asked for before the sandbox; what a file has comes after them. */
static void load_own_groups(struct table *groups)
{
	int count = getgroups(0, NULL);
	gid_t *own = count > 0 ? calloc((size_t)count, sizeof(*own)) : NULL;
	struct account group;

	if (account_group(&group, getegid()))
		(void)add(groups, group.id, group.name, NULL);
	if (own)
		count = getgroups(count, own);
	for (int i = 0; own && i < count; i++)
		if (account_group(&group, own[i]) &&
		    !add(groups, group.id, group.name, NULL))
			break;
	free(own);
}

static void sort(struct table *table)
{
	qsort(table->item, table->count, sizeof(struct known), by_id);
}

/* Reads the files, when somebody asks for the first time. */
static void load(struct names *names)
{
	if (names->loaded)
		return;
	names->loaded = true;
	if (names->passwd)
		load_users(names);
	if (names->group)
		load_groups(names);
	sort(&names->users);
	sort(&names->groups);
}

static const struct known *find(struct table *table, uint32_t id)
{
	size_t low = 0;
	size_t high = table->count;

	if (table->last < high && table->item[table->last].id == id)
		return &table->item[table->last];
	/* The first of those with this number. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->item[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->count || table->item[low].id != id)
		return NULL;
	table->last = low;
	return &table->item[low];
}

const char *names_idname(void *arg, uint32_t kind, uint32_t id)
{
	struct names *names = ((struct names *)arg)->source;
	const struct known *known = NULL;

	load(names);
	if (kind == CSFTP_ID_USER)
		known = find(&names->users, id);
	else if (kind == CSFTP_ID_GROUP)
		known = find(&names->groups, id);
	return known ? known->name : NULL;
}

/* The home of a user, "" for our own; NULL where there is none. */
static const char *home_of(struct names *names, const char *user, size_t len)
{
	if (len == 0)
		return names->self;
	names = names->source;
	load(names);
	for (size_t i = 0; i < names->users.count; i++) {
		const struct known *known = &names->users.item[i];

		if (strlen(known->name) == len &&
		    memcmp(known->name, user, len) == 0)
			return known->home;
	}
	return NULL;
}

static const char *as_jailed(const struct names *names, const char *home)
{
	size_t len = names->jail ? strlen(names->jail) : 0;

	if (len <= 1)
		return home;
	if (strncmp(home, names->jail, len) != 0)
		return "/";
	return home[len] == '/' ? home + len : "/";
}

static void op_homedir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct names *names = (struct names *)fs;
	const char *home = home_of(names, req->path, strlen(req->path));

	if (!home) {
		csftp_reply_err(req, ENOENT);
		return;
	}
	home = as_jailed(names, home);
	csftp_reply_text(req, home, strlen(home));
}

static void op_idname(struct csftp_fs *fs, struct csftp_req *req)
{
	posixfs_answer_idname(req, names_idname, fs);
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void op_realpath(struct csftp_fs *fs, struct csftp_req *req)
{
	struct names *names = (struct names *)fs;
	size_t user_len = strcspn(req->path, "/");
	struct names_job *job;
	const char *home;
	int len;

	if (!(req->flags & CSFTP_EXPAND) || *req->path != '~') {
		relay_pass(fs, req);
		return;
	}
	home = home_of(names, req->path + 1, user_len - 1);
	if (!home) {
		csftp_reply_err(req, ENOENT);
		return;
	}
	job = (struct names_job *)relay_take(&names->relay, req);
	if (!job)
		return;
	len = snprintf(job->path, sizeof(job->path), "%s%s",
		       as_jailed(names, home), req->path + user_len);
	if (len < 0 || (size_t)len >= sizeof(job->path)) {
		relay_answer_err(&job->job, ENAMETOOLONG);
		return;
	}
	job->job.req.path = job->path;
	job->job.req.flags &= ~CSFTP_EXPAND;
	relay_ask(&job->job, done);
}

static void release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->item[i].name);
		free(table->item[i].home);
	}
	free(table->item);
}

void names_free(struct csftp_fs *fs)
{
	struct names *names = (struct names *)fs;

	if (!names)
		return;
	release(&names->users);
	release(&names->groups);
	if (names->passwd)
		(void)fclose(names->passwd);
	if (names->group)
		(void)fclose(names->group);
	free(names->self);
	free(names->jail);
	relay_release(&names->relay);
	free(names);
}

static bool copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return *to || !text;
}

enum csftp_err names_new(struct csftp_fs **out, struct csftp_fs *under,
			 const struct names_config *config)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return CSFTP_ERR_NOMEM;
	relay_init(&names->relay, under, sizeof(struct names_job), relay_pass);
	names->relay.ops.op[CSFTP_OP_REALPATH] = op_realpath;
	names->relay.ops.op[CSFTP_OP_HOMEDIR] = op_homedir;
	names->relay.ops.op[CSFTP_OP_IDNAME] = op_idname;
	if (!copy(&names->jail, config->jail) ||
	    !copy(&names->self, config->home)) {
		names_free(&names->relay.fs);
		return CSFTP_ERR_NOMEM;
	}
	*out = &names->relay.fs;
	names->source = names;
	if (config->like) {
		names->source = ((struct names *)config->like)->source;
		return CSFTP_OK;
	}
	if (config->user)
		(void)add(&names->users, (uint32_t)geteuid(), config->user,
			  config->home);
	load_own_groups(&names->groups);
	names->passwd = fopen("/etc/passwd", "re");
	names->group = fopen("/etc/group", "re");
	return CSFTP_OK;
}
