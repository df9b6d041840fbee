#include "server/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/layer/relay.h"
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
};

struct names {
	struct relay relay; /* first */
	struct table users; /* by number */
	struct table groups;
	const char *self; /* our own home; NULL: we have none */
	char *jail;
};

struct names_job {
	struct relay_job job; /* first */
	char path[CSFTP_PATH_MAX + 1];
};

static bool add(struct table *table, uint32_t id, const char *name,
		const char *home)
{
	struct known *known = &table->item[table->count];

	if (table->count == NAMES_MAX)
		return false;
	/* Not a name, but a rule for merging other sources (passwd(5)). */
	if (*name == '+' || *name == '-')
		return true;
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

static void load_users(struct table *users)
{
	const struct passwd *pw = getpwuid(geteuid());
	FILE *file;

	if (pw)
		(void)add(users, pw->pw_uid, pw->pw_name, pw->pw_dir);
	file = fopen("/etc/passwd", "re");
	if (!file)
		return;
	for (pw = fgetpwent(file); pw; pw = fgetpwent(file))
		if (!add(users, pw->pw_uid, pw->pw_name, pw->pw_dir))
			break;
	fclose(file);
}

static void load_own_groups(struct table *groups)
{
	int count = getgroups(0, NULL);
	gid_t *own = count > 0 ? calloc((size_t)count, sizeof(*own)) : NULL;

	if (own)
		count = getgroups(count, own);
	for (int i = 0; own && i < count; i++) {
		const struct group *gr = getgrgid(own[i]);

		if (gr && !add(groups, gr->gr_gid, gr->gr_name, NULL))
			break;
	}
	free(own);
}

static void load_groups(struct table *groups)
{
	const struct group *gr = getgrgid(getegid());
	FILE *file;

	if (gr)
		(void)add(groups, gr->gr_gid, gr->gr_name, NULL);
	load_own_groups(groups);
	file = fopen("/etc/group", "re");
	if (!file)
		return;
	for (gr = fgetgrent(file); gr; gr = fgetgrent(file))
		if (!add(groups, gr->gr_gid, gr->gr_name, NULL))
			break;
	fclose(file);
}

static const struct known *find(const struct table *table, uint32_t id)
{
	size_t low = 0;
	size_t high = table->count;

	/* The first of those with this number. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->item[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->count && table->item[low].id == id
		       ? &table->item[low]
		       : NULL;
}

const char *names_idname(void *arg, uint32_t kind, uint32_t id)
{
	const struct names *names = arg;
	const struct known *known = NULL;

	if (kind == CSFTP_ID_USER)
		known = find(&names->users, id);
	else if (kind == CSFTP_ID_GROUP)
		known = find(&names->groups, id);
	return known ? known->name : NULL;
}

/* The home of a user, "" for our own; NULL where there is none. */
static const char *home_of(const struct names *names, const char *user,
			   size_t len)
{
	if (len == 0)
		return names->self;
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
	const struct names *names = (const struct names *)fs;
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
	free(names->jail);
	relay_release(&names->relay);
	free(names);
}

static void load(struct names *names)
{
	const struct known *self;

	load_users(&names->users);
	load_groups(&names->groups);
	qsort(names->users.item, names->users.count, sizeof(struct known),
	      by_id);
	qsort(names->groups.item, names->groups.count, sizeof(struct known),
	      by_id);
	self = find(&names->users, (uint32_t)geteuid());
	names->self = self ? self->home : NULL;
}

enum csftp_err names_new(struct csftp_fs **out, struct csftp_fs *under,
			 const char *jail)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return CSFTP_ERR_NOMEM;
	relay_init(&names->relay, under, sizeof(struct names_job), relay_pass);
	names->relay.ops.op[CSFTP_OP_REALPATH] = op_realpath;
	names->relay.ops.op[CSFTP_OP_HOMEDIR] = op_homedir;
	names->relay.ops.op[CSFTP_OP_IDNAME] = op_idname;
	names->jail = jail ? strdup(jail) : NULL;
	names->users.item = calloc(NAMES_MAX, sizeof(struct known));
	names->groups.item = calloc(NAMES_MAX, sizeof(struct known));
	if (!names->users.item || !names->groups.item ||
	    (jail && !names->jail)) {
		names_free(&names->relay.fs);
		return CSFTP_ERR_NOMEM;
	}
	load(names);
	*out = &names->relay.fs;
	return CSFTP_OK;
}
