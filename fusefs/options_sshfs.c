#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/options_impl.h"

/*
 * What sshfs, libfuse and fstab(5) have beside what csftpfs has from the
 * beginning, so that a line that was written for sshfs goes on to work.
 */

/* A word, and what it stands for. */
struct word {
	const char *text;
	unsigned value;
};

static const struct word *word_of(const struct word *words, size_t count,
				  const char *text, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(words[i].text) == len &&
		    !strncmp(words[i].text, text, len))
			return &words[i];
	}
	return NULL;
}

static bool keep_u32(struct options *options, const struct keyword *keyword,
		     const char *value, char *why)
{
	uint32_t *to = member(options, keyword);
	uint64_t count;

	if (!number(value, 10, 1U << 30, &count))
		return explain(why, "%s=%s: a number is wanted", keyword->name,
			       value);
	*to = (uint32_t)count;
	return true;
}

/* The bits above are no permissions, but are a part of a mask all the same. */
static bool keep_mask(struct options *options, const struct keyword *keyword,
		      const char *value, char *why)
{
	int32_t *to = member(options, keyword);
	uint64_t bits;

	if (!number(value, 8, 07777, &bits))
		return explain(why, "%s=%s: up to four octal digits are wanted",
			       keyword->name, value);
	*to = (int32_t)bits;
	return true;
}

static bool keep_conns(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	uint64_t count;

	if (!number(value, 10, UINT32_MAX, &count) || count == 0)
		return explain(why, "%s=%s: 1 or more are wanted",
			       keyword->name, value);
	options->max_conns = count < 16 ? (uint32_t)count : 16;
	return true;
}

/* Seconds of something that there is not. */
static bool keep_no_seconds(struct options *options,
			    const struct keyword *keyword, const char *value,
			    char *why)
{
	double seconds;

	(void)options;
	return set_seconds(&seconds, keyword->name, value, why);
}

/* libfuse takes -1 for a time that does not end. */
static bool keep_remember(struct options *options,
			  const struct keyword *keyword, const char *value,
			  char *why)
{
	return !strcmp(value, "-1") ||
	       keep_no_seconds(options, keyword, value, why);
}

static bool keep_no_number(struct options *options,
			   const struct keyword *keyword, const char *value,
			   char *why)
{
	uint64_t count;

	(void)options;
	return number(value, 10, UINT32_MAX, &count) ||
	       explain(why, "%s=%s: a number is wanted", keyword->name, value);
}

static bool keep_debug(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	(void)keyword;
	(void)value;
	(void)why;
	options->debug = true;
	options->foreground = true;
	return true;
}

static bool keep_protocol(struct options *options,
			  const struct keyword *keyword, const char *value,
			  char *why)
{
	(void)options;
	return !strcmp(value, "2") ||
	       explain(why, "%s=%s: there is none but 2 any more",
		       keyword->name, value);
}

static bool keep_writeback(struct options *options,
			   const struct keyword *keyword, const char *value,
			   char *why)
{
	(void)options;
	return !strcmp(value, "no") ||
	       explain(why, "%s=%s: there is no such cache", keyword->name,
		       value);
}

static bool keep_idmap(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	static const struct word words[] = {
		{"none", IDMAP_NONE},
		{"user", IDMAP_USER},
		{"file", IDMAP_FILE},
		{"name", IDMAP_NAME},
	};
	const struct word *word =
		word_of(words, ARRAY_LEN(words), value, strlen(value));

	if (!word)
		return explain(why, "%s=%s: it is none, user, file or name",
			       keyword->name, value);
	options->idmap = (enum options_idmap)word->value;
	return true;
}

static bool keep_nomap(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	static const struct word words[] = {
		{"ignore", NOMAP_IGNORE},
		{"error", NOMAP_ERROR},
		{"nobody", NOMAP_NOBODY},
	};
	const struct word *word =
		word_of(words, ARRAY_LEN(words), value, strlen(value));

	if (!word)
		return explain(why, "%s=%s: it is ignore, error or nobody",
			       keyword->name, value);
	options->nomap = (enum options_nomap)word->value;
	return true;
}

static bool keep_owner(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	options->owner_caller = !strcmp(value, "caller");
	/* In fstab(5) it is the owner of the device who may mount it. */
	if (options->owner_caller || !*value || !strcmp(value, "login"))
		return true;
	return explain(why, "%s=%s: it is login or caller", keyword->name,
		       value);
}

static bool keep_symlinks(struct options *options,
			  const struct keyword *keyword, const char *value,
			  char *why)
{
	enum { CONTAIN, REBASE, RAW, FOLLOW };
	static const struct word words[] = {
		{"contain", CONTAIN},
		{"rebase", REBASE},
		{"raw", RAW},
		{"follow", FOLLOW},
	};
	const struct word *word =
		word_of(words, ARRAY_LEN(words), value, strlen(value));

	if (!word)
		return explain(why,
			       "%s=%s: it is contain, rebase, raw or follow",
			       keyword->name, value);
	options->contain_links =
		word->value == CONTAIN || word->value == FOLLOW;
	options->rebase_links = word->value == REBASE;
	options->follow_links = word->value == FOLLOW;
	return true;
}

static bool keep_no_contain(struct options *options,
			    const struct keyword *keyword, const char *value,
			    char *why)
{
	(void)keyword;
	(void)value;
	(void)why;
	options->contain_links = false;
	return true;
}

/* "a:b:c": the next of them in len bytes; NULL: there is none. */
static const char *next_of(const char **list, size_t *len)
{
	const char *item = *list;

	if (!item)
		return NULL;
	*len = strcspn(item, ":");
	*list = item[*len] ? item + *len + 1 : NULL;
	return item;
}

static bool keep_modules(struct options *options, const struct keyword *keyword,
			 const char *value, char *why)
{
	const char *list = value;
	const char *name;
	size_t len;

	while ((name = next_of(&list, &len)) != NULL) {
		if (len == 6 && !strncmp(name, "subdir", 6))
			options->modules_subdir = true;
		else if (len == 5 && !strncmp(name, "iconv", 5))
			options->modules_iconv = true;
		else
			return explain(why,
				       "%s=%s: there is none but subdir and "
				       "iconv",
				       keyword->name, value);
	}
	return true;
}

/* Which flag each sets; 0: it is so in any case. */
static const struct word workarounds[] = {
	{"rename", offsetof(struct options, mend_rename)},
	{"renamexdev", 0},
	{"truncate", offsetof(struct options, mend_truncate)},
	{"fstat", offsetof(struct options, mend_stat)},
	{"buflimit", 0},
	{"createmode", offsetof(struct options, mend_create)},
	{"nodelay", 0},
	{"nodelaysrv", 0},
};

static bool one_workaround(struct options *options, const char *name,
			   size_t len, char *why)
{
	const struct word *word =
		word_of(workarounds, ARRAY_LEN(workarounds), name, len);
	bool on = word != NULL;

	if (len == 4 && !strncmp(name, "none", 4)) {
		options->mend_rename = false;
		options->mend_truncate = false;
		options->mend_stat = false;
		options->mend_create = false;
		return true;
	}
	if (!word && len > 2 && !strncmp(name, "no", 2))
		word = word_of(workarounds, ARRAY_LEN(workarounds), name + 2,
			       len - 2);
	if (!word)
		return explain(why,
			       "workaround=%.*s: there is none of that "
			       "name",
			       (int)len, name);
	if (word->value > 0)
		*(bool *)((char *)options + word->value) = on;
	return true;
}

static bool keep_workarounds(struct options *options,
			     const struct keyword *keyword, const char *value,
			     char *why)
{
	const char *list = value;
	const char *name;
	size_t len;

	(void)keyword;
	while ((name = next_of(&list, &len)) != NULL) {
		if (!one_workaround(options, name, len, why))
			return false;
	}
	return true;
}

static bool keep_vsock(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	size_t len = strcspn(value, ":");
	char cid[16];
	uint64_t parsed;

	if (len < sizeof(cid) && value[len] == ':') {
		memcpy(cid, value, len);
		cid[len] = '\0';
		if (number(cid, 10, UINT32_MAX, &parsed) &&
		    number(value + len + 1, 10, UINT32_MAX, &parsed))
			return keep_text(options, keyword, value, why);
	}
	return explain(why, "%s=%s: CID:PORT is wanted, two numbers",
		       keyword->name, value);
}

#define OFFSET(field) offsetof(struct options, field)

const struct keyword options_sshfs[] = {
	{"_netdev", ALONE, keep_default, 0},
	{"ac_attr_timeout", VALUE, keep_no_seconds, 0},
	{"async_read", ALONE, keep_default, 0},
	{"atomic_o_trunc", ALONE, keep_default, 0},
	{"auto", ALONE, keep_default, 0},
	{"big_writes", ALONE, keep_default, 0},
	{"clone_fd", ALONE, keep_default, 0},
	{"comment", VALUE, keep_default, 0},
	{"congestion_threshold", VALUE, keep_u32, OFFSET(congestion)},
	{"contain_symlinks", ALONE, keep_flag, OFFSET(contain_links)},
	{"debug", ALONE, keep_debug, 0},
	{"defaults", ALONE, keep_default, 0},
	{"diratime", ALONE, keep_default, 0},
	{"dmask", VALUE, keep_mask, OFFSET(dmask)},
	{"fmask", VALUE, keep_mask, OFFSET(fmask)},
	{"follow_symlinks", ALONE, keep_flag, OFFSET(follow_links)},
	{"from_code", VALUE, keep_text, OFFSET(from_code)},
	{"gidfile", VALUE, keep_text, OFFSET(gidfile)},
	{"group", ALONE, keep_default, 0},
	{"hard_remove", ALONE, keep_default, 0},
	{"idmap", VALUE, keep_idmap, 0},
	{"intr", ALONE, keep_default, 0},
	{"large_read", ALONE, keep_default, 0},
	{"max_background", VALUE, keep_u32, OFFSET(max_background)},
	{"max_conns", VALUE, keep_conns, 0},
	{"max_idle_threads", VALUE, keep_no_number, 0},
	{"max_readahead", VALUE, keep_u32, OFFSET(max_readahead)},
	{"max_threads", VALUE, keep_no_number, 0},
	{"modules", VALUE, keep_modules, 0},
	{"no_auto_cache", ALONE, keep_default, 0},
	{"no_contain_symlinks", ALONE, keep_no_contain, 0},
	{"no_remote_flock", ALONE, keep_default, 0},
	{"no_remote_lock", ALONE, keep_default, 0},
	{"no_remote_posix_lock", ALONE, keep_default, 0},
	{"no_rofd_flush", ALONE, keep_default, 0},
	{"no_splice_move", ALONE, keep_default, 0},
	{"no_splice_read", ALONE, keep_default, 0},
	{"no_splice_write", ALONE, keep_default, 0},
	{"no_writeback_cache", ALONE, keep_default, 0},
	{"noauto", ALONE, keep_default, 0},
	{"noauto_cache", ALONE, keep_default, 0},
	{"nodiratime", ALONE, keep_default, 0},
	{"nofail", ALONE, keep_default, 0},
	{"noforget", ALONE, keep_default, 0},
	{"nomap", VALUE, keep_nomap, 0},
	{"nonempty", ALONE, keep_default, 0},
	{"norelatime", ALONE, keep_default, 0},
	{"norellinks", ALONE, keep_default, 0},
	{"nouser", ALONE, keep_default, 0},
	{"owner", EITHER, keep_owner, 0},
	{"parallel_direct_write", VALUE, keep_no_number, 0},
	{"passive", ALONE, keep_flag, OFFSET(passive)},
	{"password_stdin", ALONE, keep_flag, OFFSET(password_stdin)},
	{"readdir_ino", ALONE, keep_default, 0},
	{"relatime", ALONE, keep_default, 0},
	{"rellinks", ALONE, keep_flag, OFFSET(rebase_links)},
	{"remember", VALUE, keep_remember, 0},
	{"slave", ALONE, keep_flag, OFFSET(passive)},
	{"ssh_protocol", VALUE, keep_protocol, 0},
	{"sshfs_debug", ALONE, keep_flag, OFFSET(verbose)},
	{"sshfs_verbose", ALONE, keep_flag, OFFSET(verbose)},
	{"subdir", VALUE, keep_text, OFFSET(subdir)},
	{"symlinks", VALUE, keep_symlinks, 0},
	{"sync_read", ALONE, keep_flag, OFFSET(sync_read)},
	{"sync_readdir", ALONE, keep_flag, OFFSET(sync_readdir)},
	{"to_code", VALUE, keep_text, OFFSET(to_code)},
	{"transform_symlinks", ALONE, keep_flag, OFFSET(rebase_links)},
	{"uidfile", VALUE, keep_text, OFFSET(uidfile)},
	{"umask", VALUE, keep_mask, OFFSET(umask)},
	{"unreliable_append", ALONE, keep_default, 0},
	{"use_ino", ALONE, keep_default, 0},
	{"user", EITHER, keep_default, 0},
	{"users", ALONE, keep_default, 0},
	{"vsock", VALUE, keep_vsock, OFFSET(vsock)},
	{"workaround", VALUE, keep_workarounds, 0},
	{"writeback_cache", VALUE, keep_writeback, 0},
	{"x-", EITHER, keep_default, 0},
	{NULL, ALONE, NULL, 0},
};

/* The directory in the one that is named: "srv" and "/a" are "srv/a". */
static bool go_down(struct options *options, char *why)
{
	const char *below = options->subdir + strspn(options->subdir, "/");
	size_t len = strlen(options->dir);
	char *joined = malloc(len + strlen(below) + 2);

	if (!joined)
		return explain(why, "out of memory");
	(void)snprintf(joined, len + strlen(below) + 2, "%s%s%s", options->dir,
		       len > 0 && options->dir[len - 1] != '/' ? "/" : "",
		       below);
	free(options->dir);
	options->dir = joined;
	return true;
}

/* sshfs reads them for idmap=file alone, wherever they stand. */
static void forget_files(struct options *options)
{
	free(options->uidfile);
	free(options->gidfile);
	options->uidfile = NULL;
	options->gidfile = NULL;
}

bool options_sshfs_check(struct options *options, char *why)
{
	unsigned ways = (unsigned)options->passive +
			(options->directport != NULL) +
			(options->vsock != NULL);

	if (ways > 1)
		return explain(why, "passive, directport and vsock exclude "
				    "each other");
	if (options->passive && options->max_conns > 1)
		return explain(why, "passive is one connection, and max_conns "
				    "has no more");
	if (ways > 0 && options->password_stdin)
		return explain(why, "password_stdin: without ssh nobody asks "
				    "for a password");
	if (options->modules_subdir != (options->subdir != NULL))
		return explain(why, "modules=subdir and subdir=DIR belong "
				    "together");
	if (!options->modules_iconv && (options->from_code || options->to_code))
		return explain(why, "from_code and to_code are for "
				    "modules=iconv");
	if (options->idmap == IDMAP_FILE && !options->uidfile &&
	    !options->gidfile)
		return explain(why, "idmap=file: uidfile or gidfile is "
				    "wanted");
	if (options->nomap == NOMAP_NOBODY && options->idmap != IDMAP_FILE &&
	    options->idmap != IDMAP_NAME)
		return explain(why, "nomap=nobody is for idmap=file and "
				    "idmap=name");
	if (options->idmap != IDMAP_FILE)
		forget_files(options);
	return !options->subdir || go_down(options, why);
}
