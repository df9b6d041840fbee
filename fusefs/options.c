#include "fusefs/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/options_impl.h"

bool strings_add(struct strings *list, const char *text)
{
	char *copy = strdup(text);
	char **more;

	if (!copy)
		return false;
	more = realloc(list->item, (list->count + 2) * sizeof(*more));
	if (!more) {
		free(copy);
		return false;
	}
	list->item = more;
	list->item[list->count++] = copy;
	list->item[list->count] = NULL;
	return true;
}

bool strings_have(const struct strings *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i], text))
			return true;
	}
	return false;
}

void strings_release(struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct strings){0};
}

bool explain(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, OPTIONS_WHY_MAX, format, args);
	va_end(args);
	return false;
}

static bool set_string(char **to, const char *text, char *why)
{
	char *copy = strdup(text);

	if (!copy)
		return explain(why, "out of memory");
	free(*to);
	*to = copy;
	return true;
}

bool add_string(struct strings *to, const char *text, char *why)
{
	return strings_add(to, text) || explain(why, "out of memory");
}

/* The options of -o; each setter gets the value, "" where none was given. */

bool keep_text(struct options *options, const struct keyword *keyword,
	       const char *value, char *why)
{
	if (!*value)
		return explain(why, "%s: a value is wanted", keyword->name);
	return set_string(member(options, keyword), value, why);
}

static bool keep_port(struct options *options, const struct keyword *keyword,
		      const char *value, char *why)
{
	uint64_t port;

	if (!number(value, 10, 65535, &port) || port == 0)
		return explain(why, "%s=%s: a port number is wanted",
			       keyword->name, value);
	return keep_text(options, keyword, value, why);
}

bool options_port(struct options *options, const char *value, char *why)
{
	static const struct keyword port = {"port", VALUE, keep_port,
					    offsetof(struct options, port)};

	return keep_port(options, &port, value, why);
}

static bool keep_cache(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	options->no_cache = !strcmp(value, "no");
	if (options->no_cache || !strcmp(value, "yes"))
		return true;
	return explain(why, "%s=%s: it is yes or no", keyword->name, value);
}

bool keep_flag(struct options *options, const struct keyword *keyword,
	       const char *value, char *why)
{
	bool *to = member(options, keyword);

	(void)value;
	(void)why;
	*to = true;
	return true;
}

/* What is so in any case. */
bool keep_default(struct options *options, const struct keyword *keyword,
		  const char *value, char *why)
{
	(void)options;
	(void)keyword;
	(void)value;
	(void)why;
	return true;
}

/* How often the cache is cleaned: what is too old is seen when it is used. */
static bool keep_unneeded(struct options *options,
			  const struct keyword *keyword, const char *value,
			  char *why)
{
	double seconds;

	(void)options;
	return set_seconds(&seconds, keyword->name, value, why);
}

static bool keep_mount(struct options *options, const struct keyword *keyword,
		       const char *value, char *why)
{
	(void)value;
	return add_string(&options->mount_flags, keyword->name, why);
}

static bool keep_transport(struct options *options,
			   const struct keyword *keyword, const char *value,
			   char *why)
{
	static const char *const names[] = {
		[TRANSPORT_SSH] = "ssh",
		[TRANSPORT_AUTO] = "auto",
		[TRANSPORT_NATIVE] = "native",
		[TRANSPORT_LIBSSH2] = "libssh2",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], value) != 0)
			continue;
		options->transport = (enum options_transport)i;
		return true;
	}
	return explain(why, "%s=%s: it is auto, ssh, native or libssh2",
		       keyword->name, value);
}

static bool keep_disconnect(struct options *options,
			    const struct keyword *keyword, const char *value,
			    char *why)
{
	options->fail_at_once = !strcmp(value, "fail");
	if (options->fail_at_once || !strcmp(value, "wait"))
		return true;
	return explain(why, "%s=%s: it is wait or fail", keyword->name, value);
}

/* What sshfs calls the default, roughly. */
static bool keep_reconnect(struct options *options,
			   const struct keyword *keyword, const char *value,
			   char *why)
{
	(void)keyword;
	(void)value;
	(void)why;
	options->fail_at_once = false;
	return true;
}

/*
 * Splits at blanks; quotes of both kinds and backslashes protect, as in a
 * shell, but nothing is expanded.
 */
static bool keep_command(struct options *options, const struct keyword *keyword,
			 const char *value, char *why)
{
	char *word = malloc(strlen(value) + 1);
	const char *at = value;
	bool ok = word != NULL;

	strings_release(&options->ssh_command);
	while (ok) {
		char quote = 0;
		size_t len = 0;

		at += strspn(at, " \t");
		if (!*at)
			break;
		for (; *at && (quote || !strchr(" \t", *at)); at++) {
			if (*at == quote)
				quote = 0;
			else if (!quote && (*at == '"' || *at == '\''))
				quote = *at;
			else if (*at == '\\' && quote != '\'' && at[1])
				word[len++] = *++at;
			else
				word[len++] = *at;
		}
		word[len] = '\0';
		ok = !quote && strings_add(&options->ssh_command, word);
	}
	free(word);
	if (!ok || options->ssh_command.count == 0)
		return explain(why, "%s=%s: no command", keyword->name, value);
	return true;
}

static const struct keyword keywords[] = {
	{"allow_other", ALONE, keep_mount, 0},
	{"allow_root", ALONE, keep_mount, 0},
	{"async", ALONE, keep_mount, 0},
	{"atime", ALONE, keep_mount, 0},
	{"attr_timeout", VALUE, options_seconds,
	 offsetof(struct options, attr_timeout)},
	{"auto_cache", ALONE, keep_default, 0},
	{"auto_unmount", ALONE, keep_mount, 0},
	{"cache", VALUE, keep_cache, 0},
	{"cache_clean_interval", VALUE, keep_unneeded, 0},
	{"cache_dir_timeout", VALUE, options_cached,
	 offsetof(struct options, dir_timeout)},
	{"cache_link_timeout", VALUE, options_cached,
	 offsetof(struct options, link_timeout)},
	{"cache_max_size", VALUE, options_names, 0},
	{"cache_min_clean_interval", VALUE, keep_unneeded, 0},
	{"cache_stat_timeout", VALUE, options_cached,
	 offsetof(struct options, stat_timeout)},
	{"cache_timeout", VALUE, options_timeout,
	 offsetof(struct options, stat_timeout)},
	{"dcache_clean_interval", VALUE, keep_unneeded, 0},
	{"dcache_dir_timeout", VALUE, options_cached,
	 offsetof(struct options, dir_timeout)},
	{"dcache_link_timeout", VALUE, options_cached,
	 offsetof(struct options, link_timeout)},
	{"dcache_max_size", VALUE, options_names, 0},
	{"dcache_min_clean_interval", VALUE, keep_unneeded, 0},
	{"dcache_stat_timeout", VALUE, options_cached,
	 offsetof(struct options, stat_timeout)},
	{"dcache_timeout", VALUE, options_timeout,
	 offsetof(struct options, stat_timeout)},
	{"default_permissions", ALONE, keep_mount, 0},
	{"delay_connect", ALONE, keep_flag,
	 offsetof(struct options, delay_connect)},
	{"dev", ALONE, keep_mount, 0},
	{"dir_cache", VALUE, keep_cache, 0},
	{"direct_io", ALONE, keep_flag, offsetof(struct options, direct_io)},
	{"directport", VALUE, keep_port, offsetof(struct options, directport)},
	{"dirsync", ALONE, keep_mount, 0},
	{"disable_hardlink", ALONE, keep_flag,
	 offsetof(struct options, no_links)},
	{"durability", VALUE, options_durability, 0},
	{"entry_timeout", VALUE, options_seconds,
	 offsetof(struct options, entry_timeout)},
	{"exec", ALONE, keep_mount, 0},
	{"fsname", VALUE, keep_text, offsetof(struct options, fsname)},
	{"gid", VALUE, options_id, offsetof(struct options, gid)},
	{"kernel_cache", ALONE, keep_flag,
	 offsetof(struct options, kernel_cache)},
	{"max_read", VALUE, options_bytes, offsetof(struct options, max_read)},
	{"max_write", VALUE, options_bytes,
	 offsetof(struct options, max_write)},
	{"negative_timeout", VALUE, options_seconds,
	 offsetof(struct options, negative_timeout)},
	{"no_check_root", ALONE, keep_flag,
	 offsetof(struct options, no_root_check)},
	{"no_readahead", ALONE, keep_flag,
	 offsetof(struct options, no_readahead)},
	{"noatime", ALONE, keep_mount, 0},
	{"nodev", ALONE, keep_mount, 0},
	{"noexec", ALONE, keep_mount, 0},
	{"nosuid", ALONE, keep_mount, 0},
	{"on_disconnect", VALUE, keep_disconnect, 0},
	{"port", VALUE, keep_port, offsetof(struct options, port)},
	{"reconnect", ALONE, keep_reconnect, 0},
	{"ro", ALONE, keep_mount, 0},
	{"rw", ALONE, keep_mount, 0},
	{"sftp_server", VALUE, keep_text,
	 offsetof(struct options, sftp_server)},
	{"ssh_command", VALUE, keep_command, 0},
	{"sshfs_sync", ALONE, options_sync, 0},
	{"subtype", VALUE, keep_text, offsetof(struct options, subtype)},
	{"suid", ALONE, keep_mount, 0},
	{"sync", ALONE, keep_mount, 0},
	{"timeout", VALUE, options_patience, offsetof(struct options, timeout)},
	{"transport", VALUE, keep_transport, 0},
	{"uid", VALUE, options_id, offsetof(struct options, uid)},
	{"write_behind_max", VALUE, options_behind_max, 0},
};

/*
 * The name of an option is what is before '='.  A row may name all that begin
 * with "x-".
 */
static bool is_named(const char *name, const char *option, size_t len)
{
	size_t name_len = strlen(name);

	if (name_len > 1 && name[name_len - 1] == '-')
		return len > name_len && !strncmp(name, option, name_len);
	return name_len == len && !strncmp(name, option, len);
}

/* NULL: there is none of that name. */
static const struct keyword *find(const char *option, size_t len)
{
	const struct keyword *more = options_sshfs;

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (is_named(keywords[i].name, option, len))
			return &keywords[i];
	}
	while (more->name && !is_named(more->name, option, len))
		more++;
	return more->name ? more : NULL;
}

const char *options_name(size_t index)
{
	if (index < ARRAY_LEN(keywords))
		return keywords[index].name;
	/* The last one has no name. */
	return options_sshfs[index - ARRAY_LEN(keywords)].name;
}

static bool set_option(struct options *options, const char *option, char *why)
{
	size_t len = strcspn(option, "=");

	const struct keyword *keyword = find(option, len);

	if (!keyword)
		return options_ssh(options, option, len, why);
	if (keyword->kind == ALONE && option[len])
		return explain(why, "%s takes no value", keyword->name);
	if (keyword->kind == VALUE && !option[len])
		return explain(why, "%s: a value is wanted", keyword->name);
	return keyword->set(options, keyword,
			    option[len] ? option + len + 1 : "", why);
}

static bool is_octal(const char *text)
{
	return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' &&
	       text[1] <= '7' && text[2] >= '0' && text[2] <= '7';
}

/*
 * Copies up to the next comma.  A backslash takes the next byte as it is, or
 * three octal digits as one byte: what libfuse and mount(8) write.
 */
static const char *next_option(const char *at, char *option)
{
	for (; *at && *at != ','; at++) {
		if (*at == '\\' && is_octal(at + 1)) {
			*option++ = (char)((at[1] - '0') * 64 +
					   (at[2] - '0') * 8 + (at[3] - '0'));
			at += 3;
		} else if (*at == '\\' && at[1]) {
			*option++ = *++at;
		} else {
			*option++ = *at;
		}
	}
	*option = '\0';
	return *at ? at + 1 : at;
}

static bool set_list(struct options *options, const char *list, char *why)
{
	char *option = malloc(strlen(list) + 1);
	bool ok = true;

	if (!option)
		return explain(why, "out of memory");
	while (ok && *list) {
		list = next_option(list, option);
		if (*option)
			ok = set_option(options, option, why);
	}
	free(option);
	return ok;
}

/* Where the colon before the directory is; NULL: there is none. */
static const char *target_colon(const char *target)
{
	const char *at = target;

	while (*at && *at != ':' && *at != '/') {
		if (*at == '[' && (at == target || at[-1] == '@'))
			at += strcspn(at, "]");
		at += *at ? 1 : 0;
	}
	return *at == ':' ? at : NULL;
}

/* [user@]host without brackets; and the host in it. */
static bool split_login(struct options *options, const char *text, size_t len,
			char *why)
{
	char *login = strndup(text, len);
	char *host, *end;
	bool ok;

	if (!login)
		return explain(why, "out of memory");
	host = strrchr(login, '@');
	host = host ? host + 1 : login;
	end = host + strlen(host);
	if (host[0] == '[' && end > host + 1 && end[-1] == ']') {
		end[-1] = '\0';
		memmove(host, host + 1, (size_t)(end - host) - 1);
	}
	ok = set_string(&options->login, login, why) &&
	     set_string(&options->host, host, why);
	free(login);
	return ok;
}

/* [user@]host:[dir] */
static bool split_target(struct options *options, const char *target, char *why)
{
	const char *colon = target_colon(target);

	if (!colon)
		return explain(why, "%s: [user@]host:[dir] is wanted", target);
	return set_string(&options->dir, colon + 1, why) &&
	       split_login(options, target, (size_t)(colon - target), why);
}

static bool split_uri(struct options *options, const char *uri, char *why)
{
	char *target = options_uri(options, uri, why);
	bool ok = target && split_target(options, target, why);

	free(target);
	return ok;
}

static bool set_target(struct options *options, const char *target, char *why)
{
	if (!set_string(&options->target, target, why))
		return false;
	if (options_is_uri(target) ? !split_uri(options, target, why)
				   : !split_target(options, target, why))
		return false;
	if (options->passive)
		return true;
	if (!*options->host)
		return explain(why, "%s: the host is missing", target);
	/* ssh would take it for an option, and some options run commands. */
	if (options->login[0] == '-' || options->host[0] == '-')
		return explain(why, "%s: a host cannot begin with '-'", target);
	return true;
}

static bool set_words(struct options *options, int count, char *const words[],
		      char *why)
{
	if (count != 2)
		return explain(why, count < 2
					    ? "host and mount point are wanted"
					    : "there are too many words");
	if (options->ssh_command.count > 0 &&
	    options->transport >= TRANSPORT_NATIVE)
		return explain(why, "ssh_command is for transport=ssh");
	if (!set_target(options, words[0], why))
		return false;
	/* Where a session starts is known to the server alone. */
	if (options->delay_connect && options->dir[0] != '/')
		return explain(why, "delay_connect wants an absolute "
				    "directory");
	return set_string(&options->mountpoint, words[1], why) &&
	       options_sshfs_check(options, why);
}

/* Questions to a mount that is there; long options, by number. */
enum { STATUS = 256, JSON, TRACE };

struct question {
	int kind; /* STATUS or TRACE; 0: none */
	bool json;
};

static bool take_question(struct options *options, struct question *question,
			  int letter, const char *value, char *why)
{
	if (letter == JSON) {
		question->json = true;
		return true;
	}
	if (question->kind)
		return explain(why, "one question at a time");
	question->kind = letter;
	/* "--status --json MOUNT", which getopt(3) takes for a mount's name. */
	if (letter == STATUS && !strcmp(value, "--json")) {
		question->json = true;
		return true;
	}
	return set_string(&options->mountpoint, value, why);
}

/* --status MOUNT [--json], or --trace MOUNT on|off */
static enum options_action set_question(struct options *options,
					const struct question *question,
					int count, char *const words[],
					char *why)
{
	bool trace = question->kind == TRACE && !question->json && count == 1;

	if (!options->mountpoint && count == 1) {
		count = 0;
		if (!set_string(&options->mountpoint, words[0], why))
			return OPTIONS_ERROR;
	}
	if (trace && !strcmp(words[0], "on"))
		options->order = "trace on";
	else if (trace && !strcmp(words[0], "off"))
		options->order = "trace off";
	else if (question->kind == STATUS && options->mountpoint && count == 0)
		options->order = question->json ? "json" : "status";
	if (options->order)
		return OPTIONS_ASK;
	(void)explain(why, question->kind == TRACE
				   ? "--trace MOUNTPOINT on, or off"
				   : "--status MOUNTPOINT, with --json or not");
	return OPTIONS_ERROR;
}

static bool set_letter(struct options *options, int letter, const char *value,
		       char *why)
{
	switch (letter) {
	case 'C':
		options->compression = true;
		return true;
	case '1':
		return explain(why, "-1: there is no SSH protocol 1 any more");
	case 'd':
		options->debug = true;
		options->foreground = true;
		return true;
	case 'f':
		/* For mount(8) there is no foreground to stay in. */
		options->fake = options->helper;
		options->foreground = !options->helper;
		return true;
	case 'F':
		return set_string(&options->ssh_config, value, why);
	case 'o':
		return set_list(options, value, why);
	case 'p':
		return options_port(options, value, why);
	case 'v':
		options->verbose = true;
		return true;
	case 's': /* as sshfs's: one thread, which is what there is */
	case 'n': /* mount(8) says so: nothing is written to /etc/mtab */
		return true;
	default:
		return explain(why, "see csftpfs --help");
	}
}

static const struct option long_names[] = {
	{"debug", no_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"status", required_argument, NULL, STATUS},
	{"json", no_argument, NULL, JSON},
	{"trace", required_argument, NULL, TRACE},
	{NULL, 0, NULL, 0},
};

/* mount(8) starts "mount.TYPE source directory -o options" for a type. */
static bool is_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return !strncmp(slash ? slash + 1 : program, "mount.", 6);
}

enum options_action options_parse(struct options *options, int argc,
				  char *const argv[], char why[OPTIONS_WHY_MAX])
{
	struct question question = {0};
	int letter;

	*options = (struct options){
		.helper = argc > 0 && is_helper(argv[0]),
		.uid = -1,
		.gid = -1,
		.umask = -1,
		.fmask = -1,
		.dmask = -1,
		.entry_timeout = 1,
		.attr_timeout = 1,
		.mend_rename = true,
		.stat_timeout = 20,
		.link_timeout = 20,
		.dir_timeout = 20,
		.timeout = 120,
		.contain_links = true,
		.max_conns = 1,
	};
	optind = 0; /* begin anew, also after an earlier call */
	opterr = 0;
	for (;;) {
		letter = getopt_long(argc, argv, ":1CdfF:hno:p:svV", long_names,
				     NULL);
		if (letter == -1)
			break;
		if (letter == 'h')
			return OPTIONS_HELP;
		if (letter == 'V')
			return OPTIONS_VERSION;
		if (letter == '?' || letter == ':') {
			(void)explain(why, "%s: %s", argv[optind - 1],
				      letter == '?' ? "unknown option"
						    : "a value is wanted");
			return OPTIONS_ERROR;
		}
		if (letter >= STATUS
			    ? !take_question(options, &question, letter, optarg,
					     why)
			    : !set_letter(options, letter, optarg, why))
			return OPTIONS_ERROR;
	}
	if (question.kind || question.json)
		return set_question(options, &question, argc - optind,
				    argv + optind, why);
	if (!set_words(options, argc - optind, argv + optind, why))
		return OPTIONS_ERROR;
	if (options->fake)
		return OPTIONS_FAKE;
	/* Whoever holds the other end of stdin and stdout waits for us. */
	if (options->passive)
		options->foreground = true;
	return OPTIONS_MOUNT;
}

/* A comma or backslash in a value would end it. */
static bool add_escaped(struct strings *argv, const char *key,
			const char *value)
{
	size_t size = strlen(key) + 2 * strlen(value) + 1;
	char *text = malloc(size);
	char *at;
	bool ok;

	if (!text)
		return false;
	at = text + snprintf(text, size, "%s", key);
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			*at++ = '\\';
		*at++ = *value;
	}
	*at = '\0';
	ok = strings_add(argv, text);
	free(text);
	return ok;
}

bool options_fuse_argv(const struct options *options, struct strings *argv)
{
	const char *fsname =
		options->fsname ? options->fsname : options->target;
	const char *subtype = options->subtype ? options->subtype : "csftpfs";
	bool ok = strings_add(argv, "csftpfs") &&
		  add_escaped(argv, "-ofsname=", fsname) &&
		  add_escaped(argv, "-osubtype=", subtype);

	for (size_t i = 0; ok && i < options->mount_flags.count; i++)
		ok = add_escaped(argv, "-o", options->mount_flags.item[i]);
	return ok && (!options->debug || strings_add(argv, "-d"));
}

void options_release(struct options *options)
{
	free(options->target);
	free(options->login);
	free(options->host);
	free(options->dir);
	free(options->mountpoint);
	free(options->port);
	free(options->ssh_config);
	free(options->sftp_server);
	free(options->directport);
	free(options->fsname);
	free(options->subtype);
	free(options->subdir);
	free(options->vsock);
	free(options->uidfile);
	free(options->gidfile);
	free(options->from_code);
	free(options->to_code);
	strings_release(&options->ssh_command);
	strings_release(&options->ssh_options);
	strings_release(&options->mount_flags);
	*options = (struct options){0};
}
