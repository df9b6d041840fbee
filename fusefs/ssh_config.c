#include "fusefs/ssh_config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fusefs/connect.h"
#include "fusefs/run.h"
#include "fusefs/ssh_methods.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Keywords
 */

struct keyword;
typedef bool set_fn(struct ssh_config *config, const struct keyword *keyword,
		    const char *value);

struct keyword {
	const char *name; /* small letters */
	set_fn *set;
	size_t offset;
	const char *fine; /* for what we cannot do: values that ask for nothing,
			     between blanks */
};

static void *member(struct ssh_config *config, const struct keyword *keyword)
{
	return (char *)config + keyword->offset;
}

static bool put_text(char **to, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free(*to);
	*to = copy;
	return true;
}

static bool set_text(struct ssh_config *config, const struct keyword *keyword,
		     const char *value)
{
	return put_text(member(config, keyword), value);
}

/* "none" says that there is none. */
static bool set_or_none(struct ssh_config *config,
			const struct keyword *keyword, const char *value)
{
	return !strcasecmp(value, "none") || set_text(config, keyword, value);
}

static bool add_text(struct ssh_config *config, const struct keyword *keyword,
		     const char *value)
{
	return strings_add(member(config, keyword), value);
}

/* Words between blanks; quotes protect them. */
static bool add_words(struct ssh_config *config, const struct keyword *keyword,
		      const char *value)
{
	char *word = malloc(strlen(value) + 1);
	bool ok = word != NULL;

	while (ok) {
		size_t len = 0;
		bool quoted = false;

		value += strspn(value, " \t");
		if (!*value)
			break;
		for (; *value && (quoted || !strchr(" \t", *value)); value++) {
			if (*value == '"')
				quoted = !quoted;
			else
				word[len++] = *value;
		}
		word[len] = '\0';
		ok = strings_add(member(config, keyword), word);
	}
	free(word);
	return ok;
}

static bool is_yes(const char *value)
{
	return !strcasecmp(value, "yes") || !strcasecmp(value, "true");
}

static bool set_flag(struct ssh_config *config, const struct keyword *keyword,
		     const char *value)
{
	bool *to = member(config, keyword);

	*to = is_yes(value) || !strcasecmp(value, "unbound") ||
	      !strcasecmp(value, "host-bound");
	return true;
}

/* A number, or a time as "1h30m"; what is none of them counts for 0. */
static unsigned seconds(const char *value)
{
	unsigned long total = 0;

	while (*value >= '0' && *value <= '9') {
		char *end;
		unsigned long n = strtoul(value, &end, 10);
		unsigned long unit = 1;

		if (*end == 'm' || *end == 'M')
			unit = 60;
		else if (*end == 'h' || *end == 'H')
			unit = 3600;
		else if (*end == 'd' || *end == 'D')
			unit = 86400;
		else if (*end == 'w' || *end == 'W')
			unit = 604800;
		value = *end ? end + 1 : end;
		if (n > 1000000000UL / unit || total > 1000000000UL)
			return 1000000000U;
		total += n * unit;
	}
	return (unsigned)total;
}

static bool set_number(struct ssh_config *config, const struct keyword *keyword,
		       const char *value)
{
	*(unsigned *)member(config, keyword) = seconds(value);
	return true;
}

static bool set_strict(struct ssh_config *config, const struct keyword *keyword,
		       const char *value)
{
	(void)keyword;
	if (is_yes(value))
		config->strict = SSH_STRICT_YES;
	else if (!strcasecmp(value, "accept-new"))
		config->strict = SSH_STRICT_ACCEPT_NEW;
	else if (!strcasecmp(value, "no") || !strcasecmp(value, "false") ||
		 !strcasecmp(value, "off"))
		config->strict = SSH_STRICT_NO;
	else
		config->strict = SSH_STRICT_ASK;
	return true;
}

/* More than that we do not say: there is -v. */
static bool set_level(struct ssh_config *config, const struct keyword *keyword,
		      const char *value)
{
	(void)keyword;
	config->log_level = TALK_INFO;
	/* The second is how "ssh -G" has the first. */
	if (!strcasecmp(value, "quiet") || !strcasecmp(value, "silent"))
		config->log_level = TALK_NOTHING;
	else if (!strcasecmp(value, "fatal"))
		config->log_level = TALK_FATAL;
	else if (!strcasecmp(value, "error"))
		config->log_level = TALK_ERROR;
	return true;
}

static bool set_family(struct ssh_config *config, const struct keyword *keyword,
		       const char *value)
{
	(void)keyword;
	if (!strcasecmp(value, "inet"))
		config->family = AF_INET;
	else if (!strcasecmp(value, "inet6"))
		config->family = AF_INET6;
	return true;
}

/* "bytes seconds", of which bytes can end with K, M or G, or be "default". */
static bool set_rekey(struct ssh_config *config, const struct keyword *keyword,
		      const char *value)
{
	char *end;
	unsigned long long bytes = strtoull(value, &end, 10);

	(void)keyword;
	if (*end == 'K' || *end == 'k')
		bytes <<= 10;
	else if (*end == 'M' || *end == 'm')
		bytes <<= 20;
	else if (*end == 'G' || *end == 'g')
		bytes <<= 30;
	config->rekey_bytes = bytes;
	end = strpbrk(value, " \t");
	if (end)
		config->rekey_seconds = seconds(end + strspn(end, " \t"));
	return true;
}

static bool add_lack(struct ssh_config *config, const char *name)
{
	size_t len = strlen(config->lacks);
	size_t room = sizeof(config->lacks) - len;

	if (strstr(config->lacks, name))
		return true;
	if (strlen(name) + 3 < room)
		(void)snprintf(config->lacks + len, room, "%s%s",
			       len > 0 ? ", " : "", name);
	return true;
}

static bool is_one_of(const char *value, const char *list)
{
	size_t len = strlen(value);

	for (; *list; list += strspn(list, " ")) {
		size_t n = strcspn(list, " ");

		if (n == len && !strncasecmp(list, value, n))
			return true;
		list += n;
	}
	return false;
}

/* What only ssh can do; some values mean that it is not asked for. */
static bool set_lack(struct ssh_config *config, const struct keyword *keyword,
		     const char *value)
{
	if (is_one_of(value, keyword->fine))
		return true;
	return add_lack(config, keyword->name);
}

/* There is one, and it may be run. */
static bool set_local(struct ssh_config *config, const struct keyword *keyword,
		      const char *value)
{
	bool *to = member(config, keyword);

	*to = *value && !is_one_of(value, keyword->fine);
	if (!config->local_command || !config->local_permitted)
		return true;
	return add_lack(config, "localcommand");
}

static bool check_rsa_size(struct ssh_config *config,
			   const struct keyword *keyword, const char *value)
{
	/* We take none below 2048 bits. */
	if (strtoul(value, NULL, 10) > 2048)
		return add_lack(config, keyword->name);
	return true;
}

#define AT(member) offsetof(struct ssh_config, member)

static const struct keyword keywords[] = {
	{"addkeystoagent", set_lack, 0, "no false"},
	{"addressfamily", set_family, 0, NULL},
	{"batchmode", set_flag, AT(batch_mode), NULL},
	{"bindaddress", set_text, AT(bind_address), NULL},
	{"bindinterface", set_text, AT(bind_interface), NULL},
	{"certificatefile", set_lack, 0, "none"},
	{"checkhostip", set_lack, 0, "no false"},
	{"ciphers", set_text, AT(ciphers), NULL},
	{"compression", set_lack, 0, "no false"},
	{"connectionattempts", set_number, AT(attempts), NULL},
	{"connecttimeout", set_number, AT(connect_timeout), NULL},
	{"controlpath", set_lack, 0, "none"},
	{"fingerprinthash", set_lack, 0, "sha256"},
	{"globalknownhostsfile", add_words, AT(global_known_hosts), NULL},
	{"gssapiauthentication", set_flag, AT(gssapi), NULL},
	{"hashknownhosts", set_flag, AT(hash_known_hosts), NULL},
	{"hostbasedauthentication", set_lack, 0, "no false"},
	{"hostkeyalgorithms", set_text, AT(hostkeys), NULL},
	{"hostkeyalias", set_text, AT(host_key_alias), NULL},
	{"hostname", set_text, AT(hostname), NULL},
	{"identitiesonly", set_flag, AT(identities_only), NULL},
	{"identityagent", set_text, AT(identity_agent), NULL},
	{"identityfile", add_text, AT(identity_files), NULL},
	{"kbdinteractiveauthentication", set_flag, AT(keyboard), NULL},
	{"kexalgorithms", set_text, AT(kex), NULL},
	{"knownhostscommand", set_lack, 0, "none"},
	{"localcommand", set_local, AT(local_command), "none"},
	{"loglevel", set_level, 0, NULL},
	{"macs", set_text, AT(macs), NULL},
	{"nohostauthenticationforlocalhost", set_flag, AT(trust_localhost),
	 NULL},
	{"numberofpasswordprompts", set_number, AT(prompts), NULL},
	{"passwordauthentication", set_flag, AT(password), NULL},
	{"permitlocalcommand", set_local, AT(local_permitted), "no false"},
	{"pkcs11provider", set_lack, 0, "none"},
	{"port", set_number, AT(port), NULL},
	{"preferredauthentications", set_text, AT(preferred), NULL},
	{"proxycommand", set_or_none, AT(proxy_command), NULL},
	{"proxyjump", set_or_none, AT(proxy_jump), NULL},
	{"proxyusefdpass", set_lack, 0, "no false"},
	{"pubkeyauthentication", set_flag, AT(pubkey), NULL},
	{"rekeylimit", set_rekey, 0, NULL},
	{"requiredrsasize", check_rsa_size, 0, NULL},
	{"revokedhostkeys", set_lack, 0, "none"},
	{"sendenv", add_words, AT(send_env), NULL},
	{"serveralivecountmax", set_number, AT(alive_max), NULL},
	{"serveraliveinterval", set_number, AT(alive_interval), NULL},
	{"setenv", add_words, AT(set_env), NULL},
	{"stricthostkeychecking", set_strict, 0, NULL},
	{"tcpkeepalive", set_flag, AT(tcp_keepalive), NULL},
	{"user", set_text, AT(user), NULL},
	{"userknownhostsfile", add_words, AT(user_known_hosts), NULL},
	{"verifyhostkeydns", set_lack, 0, "no false"},
	{"visualhostkey", set_lack, 0, "no false"},
};

static bool explain(char *why, const char *text, const char *what)
{
	(void)snprintf(why, OPTIONS_WHY_MAX, "%s%s", text, what);
	return false;
}

void ssh_config_lacks(struct ssh_config *config, const char *what)
{
	(void)add_lack(config, what);
}

bool ssh_config_line(struct ssh_config *config, const char *line,
		     char why[OPTIONS_WHY_MAX])
{
	size_t len = strcspn(line, " \t=");
	const char *value = line + len;

	value += strspn(value, " \t=");
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		const struct keyword *keyword = &keywords[i];

		if (strlen(keyword->name) != len ||
		    strncasecmp(keyword->name, line, len))
			continue;
		return keyword->set(config, keyword, value) ||
		       explain(why, "out of memory", "");
	}
	return true;
}

/*
 * Tokens
 */

static const char *token(const struct ssh_config *config, char letter,
			 char port[16], char local[256])
{
	char *dot;

	switch (letter) {
	case '%':
		return "%";
	case 'd':
		return config->home;
	case 'h':
		return config->hostname;
	case 'k':
		return config->host_key_alias ? config->host_key_alias
					      : config->host;
	case 'n':
		return config->host;
	case 'p':
		(void)snprintf(port, 16, "%u", config->port);
		return port;
	case 'i':
		(void)snprintf(port, 16, "%u", (unsigned)getuid());
		return port;
	case 'r':
		return config->user;
	case 'l':
	case 'L':
		if (gethostname(local, 256) != 0)
			return NULL;
		local[255] = '\0';
		dot = strchr(local, '.');
		if (letter == 'L' && dot)
			*dot = '\0';
		return local;
	case 'u': {
		const struct passwd *self = getpwuid(getuid());

		return self ? self->pw_name : NULL;
	}
	default:
		return NULL;
	}
}

static bool append(char **text, size_t *len, const char *more, size_t count)
{
	char *grown = realloc(*text, *len + count + 1);

	if (!grown)
		return false;
	memcpy(grown + *len, more, count);
	*len += count;
	grown[*len] = '\0';
	*text = grown;
	return true;
}

char *ssh_config_expand(struct ssh_config *config, const char *keyword,
			const char *text)
{
	char port[16], local[256];
	char *out = NULL;
	size_t len = 0;
	bool ok = true;
	/* In a command these are for the shell. */
	bool is_path = strcmp(keyword, "proxycommand") != 0;

	/* The homes of others, and variables of the environment. */
	if (is_path && ((text[0] == '~' && text[1] != '/' && text[1]) ||
			strstr(text, "${"))) {
		(void)add_lack(config, keyword);
		return NULL;
	}
	if (is_path && text[0] == '~') {
		ok = append(&out, &len, config->home, strlen(config->home));
		text++;
	}
	while (ok && *text) {
		size_t plain = strcspn(text, "%");
		const char *value;

		ok = append(&out, &len, text, plain);
		text += plain;
		if (!*text || !ok)
			break;
		value = text[1] ? token(config, text[1], port, local) : NULL;
		if (!value)
			(void)add_lack(config, keyword);
		ok = value && append(&out, &len, value, strlen(value));
		text += 2;
	}
	if (ok && !out)
		return strdup("");
	if (!ok) {
		free(out);
		return NULL;
	}
	return out;
}

/* Those that cannot be expanded are in `lacks`, and are left out. */
static bool expand_all(struct ssh_config *config, const char *keyword,
		       struct strings *list)
{
	struct strings done = {0};
	bool ok = true;

	for (size_t i = 0; ok && i < list->count; i++) {
		char *text = ssh_config_expand(config, keyword, list->item[i]);

		/* "none" among them says that there are no files. */
		if (text && strcasecmp(text, "none"))
			ok = strings_add(&done, text);
		free(text);
	}
	strings_release(list);
	*list = done;
	return ok;
}

/* One that cannot be expanded is in `lacks`, and stays as it is. */
static void expand_one(struct ssh_config *config, const char *keyword,
		       char **text)
{
	char *done = *text ? ssh_config_expand(config, keyword, *text) : NULL;

	if (!done)
		return;
	free(*text);
	*text = done;
}

/* IdentityAgent may also name a variable. */
static void expand_agent(struct ssh_config *config)
{
	const char *agent = config->identity_agent;

	if (agent && agent[0] != '$')
		expand_one(config, "identityagent", &config->identity_agent);
}

/*
 * What was not said
 */

static bool add_defaults(struct strings *list, const char *const *texts)
{
	bool ok = true;

	if (list->count > 0)
		return true;
	for (; ok && *texts; texts++)
		ok = strings_add(list, *texts);
	return ok;
}

static void start(struct ssh_config *config)
{
	*config = (struct ssh_config){
		.port = 22,
		.alive_max = 3,
		.attempts = 1,
		.prompts = 3,
		.tcp_keepalive = true,
		.pubkey = true,
		.password = true,
		.keyboard = true,
		.family = AF_UNSPEC,
	};
}

/* What comes behind the last '@', and what is before it. */
static bool take_login(struct ssh_config *config, const char *login)
{
	const char *at = strrchr(login, '@');
	const struct passwd *self = getpwuid(getuid());
	const char *home = self && self->pw_dir ? self->pw_dir : getenv("HOME");
	bool ok = put_text(&config->host, at ? at + 1 : login) &&
		  put_text(&config->home, home ? home : "/");

	if (ok && !config->hostname)
		ok = put_text(&config->hostname, config->host);
	if (ok && at) {
		free(config->user);
		config->user = strndup(login, (size_t)(at - login));
		ok = config->user != NULL;
	}
	if (ok && !config->user)
		ok = put_text(&config->user, self ? self->pw_name : "");
	return ok;
}

/* What a shell would take for more than a word, or a program for an option. */
static bool is_word(const char *text, const char *special)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || strchr(special, *at))
			return false;
	return text[0] != '-';
}

/* Names stand in a ProxyCommand as they are; ssh refuses the same. */
static bool are_words(const struct ssh_config *config)
{
	const char *host = "'`\"$\\;&<>|(){}", *user = "'`\";&<>|(){}";

	return !config->proxy_command ||
	       (is_word(config->host, host) &&
		is_word(config->hostname, host) && is_word(config->user, user));
}

/* Whether a file of keys can be what only ssh uses. */
static void check_identity(struct ssh_config *config, const char *path)
{
	size_t size = strlen(path) + sizeof("-cert.pub");
	char *certificate = malloc(size);

	if (!certificate)
		return;
	(void)snprintf(certificate, size, "%s-cert.pub", path);
	if (access(certificate, F_OK) == 0)
		(void)add_lack(config, "certificates");
	free(certificate);
	size = strlen(path);
	if (size > 3 && !strcmp(path + size - 3, "_sk") &&
	    access(path, F_OK) == 0)
		(void)add_lack(config, "security keys");
}

static bool knows_method(const char *preferred)
{
	for (unsigned i = 0; i < SSH_METHOD_COUNT; i++)
		if (ssh_method_is_in(preferred, i))
			return true;
	return false;
}

bool ssh_config_has_ticket(const struct ssh_config *config)
{
	char path[64];

	if (!config->gssapi)
		return false;
	(void)snprintf(path, sizeof(path), "/tmp/krb5cc_%u",
		       (unsigned)getuid());
	return getenv("KRB5CCNAME") || access(path, F_OK) == 0;
}

bool ssh_config_finish(struct ssh_config *config, const char *login,
		       char why[OPTIONS_WHY_MAX])
{
	static const char *const identities[] = {
		"~/.ssh/id_rsa",	"~/.ssh/id_ecdsa",
		"~/.ssh/id_ecdsa_sk",	"~/.ssh/id_ed25519",
		"~/.ssh/id_ed25519_sk", NULL};
	static const char *const users[] = {"~/.ssh/known_hosts",
					    "~/.ssh/known_hosts2", NULL};
	static const char *const globals[] = {
		"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2", NULL};
	bool ok = take_login(config, login) &&
		  add_defaults(&config->identity_files, identities) &&
		  add_defaults(&config->user_known_hosts, users) &&
		  add_defaults(&config->global_known_hosts, globals) &&
		  expand_all(config, "identityfile", &config->identity_files) &&
		  expand_all(config, "userknownhostsfile",
			     &config->user_known_hosts) &&
		  expand_all(config, "globalknownhostsfile",
			     &config->global_known_hosts);

	if (!ok)
		return explain(why, "out of memory", "");
	if (!are_words(config))
		return explain(why, "a name that no ProxyCommand can have", "");
	expand_one(config, "proxycommand", &config->proxy_command);
	expand_agent(config);
	if (config->port == 0 || config->port > 65535)
		return explain(why, "the port is no number", "");
	for (size_t i = 0; i < config->identity_files.count; i++)
		check_identity(config, config->identity_files.item[i]);
	if (!knows_method(config->preferred))
		(void)add_lack(config, "preferredauthentications");
	return true;
}

/*
 * Asking ssh
 */

/* Each line of a text to the function that takes one. */
static bool take_lines(struct ssh_config *config, char *text, char *why)
{
	bool ok = true;

	while (ok && *text) {
		size_t len = strcspn(text, "\n");
		bool last = text[len] == '\0';

		text[len] = '\0';
		ok = ssh_config_line(config, text, why);
		text += len + (last ? 0 : 1);
	}
	return ok;
}

/* "ssh -G" with what would be given to ssh otherwise. */
static bool asked(const struct options *options, struct strings *argv)
{
	struct strings words = {0};
	bool ok = connect_argv(options, &words) && words.count > 0 &&
		  strings_add(argv, words.item[0]) && strings_add(argv, "-G");

	for (size_t i = 1; ok && i < words.count; i++)
		ok = strings_add(argv, words.item[i]);
	strings_release(&words);
	return ok;
}

static void forget_if_same(char **ours, char *const *theirs)
{
	if (!*ours || !*theirs || strcmp(*ours, *theirs))
		return;
	free(*ours);
	*ours = NULL;
}

/*
 * ssh prints its own preferences where nobody has any.  Those that a
 * configuration of nothing has are nobody's wish.
 */
static void forget_defaults(struct ssh_config *config, const char *ssh)
{
	char *program = strdup(ssh);
	char flags[] = "-GT", file[] = "-F", none[] = "none", end[] = "--";
	char host[] = "localhost";
	char *argv[] = {program, flags, file, none, end, host, NULL};
	struct ssh_config bare;
	char why[OPTIONS_WHY_MAX];
	char *text = NULL;
	int status = 0;

	start(&bare);
	if (program && run_program(argv, &text, &status) && status == 0 &&
	    take_lines(&bare, text, why)) {
		forget_if_same(&config->ciphers, &bare.ciphers);
		forget_if_same(&config->kex, &bare.kex);
		forget_if_same(&config->hostkeys, &bare.hostkeys);
		forget_if_same(&config->macs, &bare.macs);
	}
	ssh_config_release(&bare);
	free(program);
	free(text);
}

/* Without ssh: what was said on our own command line. */
static bool take_options(struct ssh_config *config,
			 const struct options *options, char *why)
{
	bool ok = true;

	if (options->ssh_config)
		return explain(why, "there is no ssh to read ",
			       options->ssh_config);
	for (size_t i = 0; ok && i < options->ssh_options.count; i++)
		ok = ssh_config_line(config, options->ssh_options.item[i] + 2,
				     why);
	if (ok && options->port)
		config->port = seconds(options->port);
	if (ok && options->compression)
		ok = add_lack(config, "compression");
	return ok;
}

bool ssh_config_get(struct ssh_config *config, const struct options *options,
		    char why[OPTIONS_WHY_MAX])
{
	struct strings argv = {0};
	char *text = NULL;
	int status = 0;
	bool ok;

	start(config);
	if (!asked(options, &argv)) {
		strings_release(&argv);
		return explain(why, "out of memory", "");
	}
	if (run_program(argv.item, &text, &status)) {
		ok = status == 0 && take_lines(config, text, why);
		if (status != 0) /* it has said what it did not like */
			(void)explain(why, "ssh -G failed", "");
		else if (ok)
			forget_defaults(config, argv.item[0]);
	} else {
		ok = take_options(config, options, why);
	}
	strings_release(&argv);
	free(text);
	return ok && ssh_config_finish(config, options->login, why);
}

void ssh_config_release(struct ssh_config *config)
{
	char *const texts[] = {
		config->host,
		config->hostname,
		config->user,
		config->home,
		config->host_key_alias,
		config->bind_address,
		config->bind_interface,
		config->proxy_command,
		config->proxy_jump,
		config->identity_agent,
		config->preferred,
		config->ciphers,
		config->kex,
		config->hostkeys,
		config->macs,
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	strings_release(&config->identity_files);
	strings_release(&config->user_known_hosts);
	strings_release(&config->global_known_hosts);
	strings_release(&config->send_env);
	strings_release(&config->set_env);
	*config = (struct ssh_config){0};
}
