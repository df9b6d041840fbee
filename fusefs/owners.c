#include "fusefs/owners.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fusefs/options_impl.h"

bool owners_wanted(const struct options *options)
{
	return options->idmap != IDMAP_NONE || options->owner_caller;
}

bool owners_need_login(const struct options *options)
{
	return options->idmap == IDMAP_USER || options->idmap == IDMAP_NAME ||
	       options->owner_caller;
}

/* As idmap_config.local: asks who knows users here. */
static bool local_id(void *arg, uint32_t kind, const char *name, uint32_t *id)
{
	const struct passwd *user;
	const struct group *group;

	(void)arg;
	if (kind == CSFTP_ID_USER) {
		user = getpwnam(name);
		if (user)
			*id = user->pw_uid;
		return user != NULL;
	}
	group = getgrnam(name);
	if (group)
		*id = group->gr_gid;
	return group != NULL;
}

static bool add_pair(struct idmap_pair **pairs, size_t *count, uint32_t remote,
		     uint32_t local)
{
	struct idmap_pair *more =
		realloc(*pairs, (*count + 1) * sizeof(**pairs));

	if (!more)
		return false;
	more[(*count)++] = (struct idmap_pair){remote, local};
	*pairs = more;
	return true;
}

/* Without the blanks around it. */
static char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strcspn(text, "\r\n");
	while (len > 0 && strchr(" \t", text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

/* "name:number", or "name:x:number:..."; false: it is neither. */
static bool split_line(char *line, const char **name, uint32_t *remote)
{
	char *number_at = strchr(line, ':');
	uint64_t parsed;
	char *next;

	if (!number_at || number_at == line)
		return false;
	*number_at++ = '\0';
	next = strchr(number_at, ':');
	if (next) {
		number_at = next + 1;
		number_at[strcspn(number_at, ":")] = '\0';
	}
	*name = trimmed(line);
	/* The largest is (uid_t)-1, "no change" to chown(2). */
	if (!number(trimmed(number_at), 10, UINT32_MAX - 1, &parsed))
		return false;
	*remote = (uint32_t)parsed;
	return true;
}

/* One kind of owner, and where its pairs go. */
struct kind {
	uint32_t kind; /* CSFTP_ID_* */
	const char *word;
	struct idmap_pair **pairs;
	size_t *count;
};

static bool add_line(const struct kind *kind, char *line, const char *path,
		     unsigned line_number, char *why)
{
	const char *name;
	uint32_t remote;
	uint32_t local;
	uint64_t parsed;

	line = trimmed(line);
	if (*line == '\0' || *line == '#')
		return true;
	if (!split_line(line, &name, &remote))
		return explain(why, "%s:%u: name:number is wanted", path,
			       line_number);
	if (number(name, 10, UINT32_MAX - 1, &parsed))
		local = (uint32_t)parsed;
	else if (!local_id(NULL, kind->kind, name, &local))
		return explain(why, "%s:%u: there is no %s %s here", path,
			       line_number, kind->word, name);
	return add_pair(kind->pairs, kind->count, remote, local) ||
	       explain(why, "out of memory");
}

/* Whoever can write to it decides whose files are whose. */
static bool is_ours(FILE *file, const char *path, char *why)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		return explain(why, "%s: %s", path, strerror(errno));
	if (st.st_uid != getuid() && st.st_uid != 0)
		return explain(why, "%s: it belongs to somebody else", path);
	if (st.st_mode & S_IWOTH)
		return explain(why, "%s: others may write to it", path);
	return true;
}

static bool read_pairs(const struct kind *kind, const char *path, char *why)
{
	FILE *file = fopen(path, "re");
	unsigned line_number = 0;
	char *line = NULL;
	size_t size = 0;
	bool ok;

	if (!file)
		return explain(why, "%s: %s", path, strerror(errno));
	ok = is_ours(file, path, why);
	while (ok && getline(&line, &size, file) >= 0)
		ok = add_line(kind, line, path, ++line_number, why);
	if (ok && ferror(file))
		ok = explain(why, "%s: %s", path, strerror(errno));
	free(line);
	(void)fclose(file);
	return ok;
}

static bool load_files(struct owners *owners, const struct options *options,
		       char *why)
{
	const struct kind users = {CSFTP_ID_USER, "user", &owners->users,
				   &owners->user_count};
	const struct kind groups = {CSFTP_ID_GROUP, "group", &owners->groups,
				    &owners->group_count};

	return (!options->uidfile ||
		read_pairs(&users, options->uidfile, why)) &&
	       (!options->gidfile ||
		read_pairs(&groups, options->gidfile, why));
}

/* Who logged in is who mounted; by name root is root everywhere. */
static bool pair_login(struct owners *owners, const struct options *options,
		       const struct csftp_attr *login)
{
	bool ok = add_pair(&owners->users, &owners->user_count, login->uid,
			   getuid());

	if (ok && (login->mask & CSFTP_ATTR_GID))
		ok = add_pair(&owners->groups, &owners->group_count, login->gid,
			      getgid());
	if (ok && options->idmap == IDMAP_NAME && login->uid != 0)
		ok = add_pair(&owners->users, &owners->user_count, 0, 0);
	if (ok && options->idmap == IDMAP_NAME && login->gid != 0)
		ok = add_pair(&owners->groups, &owners->group_count, 0, 0);
	return ok;
}

static enum idmap_nomap without_pair(const struct options *options)
{
	/* To sshfs the option is about files of pairs alone. */
	if (options->idmap == IDMAP_USER)
		return IDMAP_KEEP;
	switch (options->nomap) {
	case NOMAP_IGNORE:
		return IDMAP_KEEP;
	case NOMAP_ERROR:
		return IDMAP_REFUSE;
	case NOMAP_NOBODY:
		return IDMAP_NOBODY;
	case NOMAP_DEFAULT:
		break;
	}
	if (options->idmap == IDMAP_FILE)
		return IDMAP_REFUSE;
	return options->idmap == IDMAP_NAME ? IDMAP_NOBODY : IDMAP_KEEP;
}

bool owners_load(struct owners *owners, const struct options *options,
		 const struct csftp_attr *login, struct idmap_config *config,
		 char why[OPTIONS_WHY_MAX])
{
	bool by_login =
		options->idmap == IDMAP_USER || options->idmap == IDMAP_NAME;

	*owners = (struct owners){0};
	if (by_login && !options->delay_connect &&
	    !pair_login(owners, options, login))
		return explain(why, "out of memory");
	if (!load_files(owners, options, why))
		return false;
	*config = (struct idmap_config){
		.users = owners->users,
		.user_count = owners->user_count,
		.groups = owners->groups,
		.group_count = owners->group_count,
		.maps_users = by_login || options->uidfile,
		.maps_groups = by_login || options->gidfile,
		.by_name = options->idmap == IDMAP_NAME,
		.nomap = without_pair(options),
		.gives_away = options->owner_caller,
		.login_uid = login->uid,
		.login_gid = login->gid,
		.finds_login =
			options->delay_connect && owners_need_login(options),
		.shows_login = by_login,
		.here_uid = getuid(),
		.here_gid = getgid(),
		.local = local_id,
	};
	return true;
}

void owners_release(struct owners *owners)
{
	free(owners->users);
	free(owners->groups);
	*owners = (struct owners){0};
}
