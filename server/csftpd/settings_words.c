/* The keywords. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "server/csftpd/settings_impl.h"
#include "server/csftpd/threads.h"
#include "server/log_words.h"

/* SOURCE: again in the same source; the command line goes before a file. */
enum repeat { ONCE, AGAIN, SOURCE };

/* The words behind the keyword; there is at least one. */
typedef bool setter(struct settings_reader *reader, char **word, size_t count);

struct keyword {
	const char *name;
	setter *set;
	size_t words; /* at most, behind it */
	enum repeat repeat;
	/*
	 * ALWAYS: the one value that is true of csftpd, for files that sshd
	 * reads as well.  OPTION: of csftp-server's, without "--".
	 */
	const char *text;
};

static bool number(struct settings_reader *reader, const char *text,
		   uint64_t least, uint64_t most, uint32_t *out)
{
	uint64_t value;

	if (!settings_number(text, most, &value) || value < least)
		return settings_wrong(
			reader, "\"%s\" is not a number from %llu to %llu",
			text, (unsigned long long)least,
			(unsigned long long)most);
	*out = (uint32_t)value;
	return true;
}

static bool yes_or_no(struct settings_reader *reader, const char *text,
		      bool *out)
{
	*out = strcasecmp(text, "yes") == 0;
	if (*out || strcasecmp(text, "no") == 0)
		return true;
	return settings_wrong(reader, "\"%s\" is not yes or no", text);
}

static bool time_ms(struct settings_reader *reader, const char *text,
		    uint64_t *out)
{
	if (settings_time(text, out))
		return true;
	return settings_wrong(reader, "\"%s\" is not a time", text);
}

/* One more of those that can be given again and again. */
static bool one_more(struct settings_reader *reader, const char *text,
		     const char **list, size_t *count, size_t most)
{
	if (*count == most)
		return settings_wrong(reader, "more than %zu", most);
	if (!*text)
		return settings_wrong(reader, "empty");
	list[(*count)++] = text;
	return true;
}

static bool set_port(struct settings_reader *reader, char **word, size_t count)
{
	struct settings *settings = reader->settings;
	uint32_t port = 0;

	(void)count;
	if (!number(reader, word[0], 1, UINT16_MAX, &port))
		return false;
	if (settings->port_count == SETTINGS_PORTS)
		return settings_wrong(reader, "more than %u", SETTINGS_PORTS);
	settings->port[settings->port_count++] = (uint16_t)port;
	return true;
}

static bool set_listen(struct settings_reader *reader, char **word,
		       size_t count)
{
	struct settings *settings = reader->settings;

	(void)count;
	if (settings->listen_count == SETTINGS_LISTEN)
		return settings_wrong(reader, "more than %u", SETTINGS_LISTEN);
	if (!settings_address(word[0],
			      &settings->listen[settings->listen_count]))
		return settings_wrong(reader, "\"%s\" is no address", word[0]);
	settings->listen_count++;
	return true;
}

static bool set_host_key(struct settings_reader *reader, char **word,
			 size_t count)
{
	struct settings *settings = reader->settings;

	(void)count;
	return one_more(reader, word[0], settings->host_key,
			&settings->host_key_count, SETTINGS_KEYS);
}

/* Those that server_expand() knows. */
static bool percents_are_known(const char *text)
{
	while ((text = strchr(text, '%'))) {
		if (!text[1] || !strchr("dhu%", text[1]))
			return false;
		text += 2;
	}
	return true;
}

static bool set_keys_file(struct settings_reader *reader, char **word,
			  size_t count)
{
	struct settings *settings = reader->settings;

	for (size_t i = 0; i < count; i++)
		if (!percents_are_known(word[i]))
			return settings_wrong(reader,
					      "\"%s\": only %%h, %%u and %%%% "
					      "are supported",
					      word[i]);
	settings->keys_none = count == 1 && strcasecmp(word[0], "none") == 0;
	if (settings->keys_none)
		return true;
	for (size_t i = 0; i < count; i++)
		if (!one_more(reader, word[i], settings->keys_file,
			      &settings->keys_file_count, SETTINGS_FILES))
			return false;
	return true;
}

static bool set_allow_users(struct settings_reader *reader, char **word,
			    size_t count)
{
	struct settings *settings = reader->settings;

	for (size_t i = 0; i < count; i++) {
		if (strchr(word[i], '@'))
			return settings_wrong(
				reader, "\"%s\": USER@HOST is not supported",
				word[i]);
		if (!one_more(reader, word[i], settings->allow_user,
			      &settings->allow_user_count, SETTINGS_USERS))
			return false;
	}
	return true;
}

static bool set_algorithms(struct settings_reader *reader, char **word,
			   enum csftp_ssh_alg_kind kind)
{
	return settings_algorithms(reader, kind, word[0],
				   &reader->settings->algorithms[kind]);
}

static bool set_kex(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return set_algorithms(reader, word, CSFTP_SSH_ALG_KEX);
}

static bool set_host_key_algorithms(struct settings_reader *reader, char **word,
				    size_t count)
{
	(void)count;
	return set_algorithms(reader, word, CSFTP_SSH_ALG_HOSTKEY);
}

static bool set_ciphers(struct settings_reader *reader, char **word,
			size_t count)
{
	(void)count;
	return set_algorithms(reader, word, CSFTP_SSH_ALG_CIPHER);
}

static bool set_macs(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return set_algorithms(reader, word, CSFTP_SSH_ALG_MAC);
}

static bool set_auth(struct settings_reader *reader, char **word, size_t count)
{
	uint32_t *methods = &reader->settings->auth_methods;

	(void)count;
	if (strcasecmp(word[0], "publickey") == 0 ||
	    strcasecmp(word[0], "any") == 0)
		*methods = CSFTP_SSH_AUTH_PUBLICKEY;
	else if (strcasecmp(word[0], "none") == 0)
		*methods = CSFTP_SSH_AUTH_NONE;
	else
		return settings_wrong(reader,
				      "\"%s\" is not publickey, any or none",
				      word[0]);
	return true;
}

static bool set_grace(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return time_ms(reader, word[0], &reader->settings->login_grace_ms);
}

static bool set_drain(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return time_ms(reader, word[0], &reader->settings->drain_ms);
}

static bool set_alive(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return time_ms(reader, word[0], &reader->settings->alive_ms);
}

static bool set_alive_count(struct settings_reader *reader, char **word,
			    size_t count)
{
	(void)count;
	return number(reader, word[0], 0, 1000, &reader->settings->alive_count);
}

static bool set_rekey(struct settings_reader *reader, char **word, size_t count)
{
	struct settings *settings = reader->settings;

	if (strcasecmp(word[0], "default") != 0 &&
	    (!settings_bytes(word[0], &settings->rekey_bytes) ||
	     settings->rekey_bytes < 16))
		return settings_wrong(reader,
				      "\"%s\" is not a number of bytes, 16 or "
				      "more, with K, M or G or nothing",
				      word[0]);
	if (count < 2)
		return true;
	if (strcasecmp(word[1], "none") != 0 &&
	    !time_ms(reader, word[1], &settings->rekey_ms))
		return false;
	/* As sshd has it; for the engine 0 is its default. */
	if (settings->rekey_ms == 0)
		settings->rekey_ms = UINT64_MAX;
	return true;
}

static bool set_tries(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return number(reader, word[0], 1, 100, &reader->settings->auth_tries);
}

static bool set_sessions(struct settings_reader *reader, char **word,
			 size_t count)
{
	(void)count;
	return number(reader, word[0], 1, 64, &reader->settings->sessions);
}

/* start:rate:full: the last counts, as nothing is dropped by chance here. */
static bool set_startups(struct settings_reader *reader, char **word,
			 size_t count)
{
	char *rate = strchr(word[0], ':');
	char *full = rate ? strchr(rate + 1, ':') : NULL;
	uint32_t *waiting = &reader->settings->sources.waiting;
	uint32_t start = 0, percent = 0;

	(void)count;
	if (!rate)
		return number(reader, word[0], 1, 10000, waiting);
	if (!full)
		return settings_wrong(reader, "\"%s\" is not start:rate:full",
				      word[0]);
	*rate = *full = '\0';
	return number(reader, word[0], 1, 10000, &start) &&
	       number(reader, rate + 1, 1, 100, &percent) &&
	       number(reader, full + 1, start, 10000, waiting);
}

static bool set_source_startups(struct settings_reader *reader, char **word,
				size_t count)
{
	struct sources_config *sources = &reader->settings->sources;

	(void)count;
	sources->waiting_source = 0;
	if (strcasecmp(word[0], "none") == 0)
		return true;
	return number(reader, word[0], 1, 10000, &sources->waiting_source);
}

/* Bits of IPv4 addresses, and of IPv6 addresses behind a colon. */
static bool set_net_block(struct settings_reader *reader, char **word,
			  size_t count)
{
	struct sources_config *sources = &reader->settings->sources;
	char *colon = strchr(word[0], ':');
	uint32_t v4 = 0, v6 = 128;

	(void)count;
	if (colon)
		*colon = '\0';
	if (!number(reader, word[0], 0, 32, &v4) ||
	    (colon && !number(reader, colon + 1, 0, 128, &v6)))
		return false;
	sources->v4_bits = v4;
	sources->v6_bits = v6;
	return true;
}

static bool set_overflow(struct settings_reader *reader, const char *text,
			 enum sources_overflow *out)
{
	if (strcasecmp(text, "permissive") == 0)
		*out = SOURCES_PERMISSIVE;
	else if (strcasecmp(text, "deny-all") == 0)
		*out = SOURCES_DENY_ALL;
	else
		return settings_wrong(
			reader, "\"%s\" is not permissive or deny-all", text);
	return true;
}

/* "name:value"; value is cut off the name. */
static bool set_penalty(struct settings_reader *reader, char *name)
{
	struct sources_config *sources = &reader->settings->sources;
	const struct {
		const char *name;
		uint64_t *ms;
		uint32_t *count;
		enum sources_overflow *overflow;
	} parts[] = {
		{"crash", &sources->end_ms[SOURCES_CRASH], NULL, NULL},
		{"authfail", &sources->end_ms[SOURCES_AUTHFAIL], NULL, NULL},
		{"noauth", &sources->end_ms[SOURCES_NOAUTH], NULL, NULL},
		{"grace-exceeded", &sources->end_ms[SOURCES_GRACE], NULL, NULL},
		{"max", &sources->max_ms, NULL, NULL},
		{"min", &sources->min_ms, NULL, NULL},
		{"max-sources4", NULL, &sources->v4_sources, NULL},
		{"max-sources6", NULL, &sources->v6_sources, NULL},
		{"overflow", NULL, NULL, &sources->v4_overflow},
		{"overflow6", NULL, NULL, &sources->v6_overflow},
	};
	char *colon = strchr(name, ':');

	if (!colon)
		return settings_wrong(reader, "\"%s\" has no value", name);
	*colon = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcasecmp(parts[i].name, name) != 0)
			continue;
		if (parts[i].ms)
			return time_ms(reader, colon + 1, parts[i].ms);
		if (parts[i].count)
			return number(reader, colon + 1, 1, 1000000,
				      parts[i].count);
		return set_overflow(reader, colon + 1, parts[i].overflow);
	}
	return settings_wrong(reader, "\"%s\" is unknown or unsupported", name);
}

static bool set_penalties(struct settings_reader *reader, char **word,
			  size_t count)
{
	struct sources_config *sources = &reader->settings->sources;

	sources->penalties = true;
	if (count == 1 && !strchr(word[0], ':'))
		return yes_or_no(reader, word[0], &sources->penalties);
	for (size_t i = 0; i < count; i++)
		if (!set_penalty(reader, word[i]))
			return false;
	if (sources->min_ms <= sources->max_ms)
		return true;
	return settings_wrong(reader, "min is above max");
}

static bool set_exempt(struct settings_reader *reader, char **word,
		       size_t count)
{
	const struct wire_bytes list = {(const uint8_t *)word[0],
					strlen(word[0])};
	const struct ssh_addr none = {.bits = 32};

	(void)count;
	if (strcasecmp(word[0], "none") == 0)
		return true;
	if (ssh_match_addr(&none, (struct wire_bytes){NULL, 0}, list) ==
	    SSH_MATCH_BROKEN)
		return settings_wrong(reader, "\"%s\" cannot be meant so",
				      word[0]);
	reader->settings->sources.exempt = list;
	return true;
}

static bool set_connections(struct settings_reader *reader, char **word,
			    size_t count)
{
	(void)count;
	return number(reader, word[0], 1, 1000000,
		      &reader->settings->connections);
}

static bool set_workers(struct settings_reader *reader, char **word,
			size_t count)
{
	(void)count;
	return number(reader, word[0], 1, 256, &reader->settings->workers);
}

static bool set_acceptors(struct settings_reader *reader, char **word,
			  size_t count)
{
	(void)count;
	return number(reader, word[0], 1, 64, &reader->settings->acceptors);
}

static bool set_disk_threads(struct settings_reader *reader, char **word,
			     size_t count)
{
	(void)count;
	return number(reader, word[0], 0, THREADS_MAX,
		      &reader->settings->disk_threads);
}

static bool set_strict(struct settings_reader *reader, char **word,
		       size_t count)
{
	(void)count;
	return yes_or_no(reader, word[0], &reader->settings->strict_modes);
}

static bool set_level(struct settings_reader *reader, char **word, size_t count)
{
	(void)count;
	return log_level_of(word[0], &reader->settings->log_level) ||
	       settings_wrong(reader, "\"%s\" is unknown", word[0]);
}

static bool set_facility(struct settings_reader *reader, char **word,
			 size_t count)
{
	(void)count;
	return log_facility_of(word[0], &reader->settings->log_facility) ||
	       settings_wrong(reader, "\"%s\" is unknown", word[0]);
}

static const char *or_none(const char *text)
{
	return strcasecmp(text, "none") == 0 ? NULL : text;
}

static bool set_pid_file(struct settings_reader *reader, char **word,
			 size_t count)
{
	(void)count;
	reader->settings->pid_file = or_none(word[0]);
	return true;
}

static bool set_control(struct settings_reader *reader, char **word,
			size_t count)
{
	(void)count;
	reader->settings->control = or_none(word[0]);
	return true;
}

static bool add_option(struct settings_reader *reader, const char *option)
{
	struct settings *settings = reader->settings;

	if (settings->option_count >= SETTINGS_OPTIONS - 1)
		return settings_wrong(reader, "too many options");
	settings->option[settings->option_count++] = option;
	return true;
}

static bool set_subsystem(struct settings_reader *reader, char **word,
			  size_t count)
{
	if (strcmp(word[0], "sftp") != 0 || count < 2)
		return settings_wrong(reader, "only sftp is supported");
	if (strcmp(word[1], "internal-sftp") != 0)
		return settings_wrong(reader,
				      "\"%s\": only internal-sftp is supported",
				      word[1]);
	for (size_t i = 2; i < count; i++)
		if (!add_option(reader, word[i]))
			return false;
	return true;
}

static const struct keyword *current(const struct settings_reader *reader);

/* "--name=value", checked by who knows these options. */
static bool set_option(struct settings_reader *reader, char **word,
		       size_t count)
{
	static const char program[] = "csftpd";
	char text[4096];
	struct server_options options;
	char *argv[] = {(char *)(uintptr_t)program, text, NULL};
	bool good;
	const char *kept;
	int len;

	(void)count;
	len = snprintf(text, sizeof(text), "--%s=%s", current(reader)->text,
		       word[0]);
	if (len < 0 || (size_t)len >= sizeof(text))
		return settings_wrong(reader, "too long");
	kept = settings_keep(reader, text);
	if (!kept)
		return false;
	good = server_options_parse(&options, 2, argv) == SERVER_SERVE;
	if (!good)
		(void)settings_wrong(reader, "%s", options.why);
	server_options_release(&options);
	return good && add_option(reader, kept);
}

/* The same for an option that is there or not. */
static bool set_flag(struct settings_reader *reader, char **word, size_t count)
{
	bool on;

	(void)count;
	if (!yes_or_no(reader, word[0], &on))
		return false;
	return !on || add_option(reader, current(reader)->text);
}

static bool set_always(struct settings_reader *reader, char **word,
		       size_t count)
{
	const char *only = current(reader)->text;

	(void)count;
	if (strcasecmp(word[0], only) == 0)
		return true;
	return settings_wrong(reader, "\"%s\" is not supported, only %s is",
			      word[0], only);
}

/* clang-format off */
static const struct keyword keywords[] = {
	{"Acceptors", set_acceptors, 1, ONCE, NULL},
	{"AllowUsers", set_allow_users, SETTINGS_WORDS, AGAIN, NULL},
	{"AtomicUpload", set_flag, 1, ONCE, "--atomic-upload"},
	{"Audit", set_option, 1, ONCE, "audit"},
	{"AuthenticationMethods", set_auth, 1, ONCE, NULL},
	{"AuthorizedKeysFile", set_keys_file, SETTINGS_WORDS, ONCE, NULL},
	{"Ciphers", set_ciphers, 1, ONCE, NULL},
	{"ClientAliveCountMax", set_alive_count, 1, ONCE, NULL},
	{"ClientAliveInterval", set_alive, 1, ONCE, NULL},
	{"ControlSocket", set_control, 1, ONCE, NULL},
	{"DiskThreads", set_disk_threads, 1, ONCE, NULL},
	{"DrainTime", set_drain, 1, ONCE, NULL},
	{"HostKey", set_host_key, 1, SOURCE, NULL},
	{"HostKeyAlgorithms", set_host_key_algorithms, 1, ONCE, NULL},
	{"KeepPartial", set_flag, 1, ONCE, "--keep-partial"},
	{"KexAlgorithms", set_kex, 1, ONCE, NULL},
	{"ListenAddress", set_listen, 1, SOURCE, NULL},
	{"LogLevel", set_level, 1, ONCE, NULL},
	{"LoginGraceTime", set_grace, 1, ONCE, NULL},
	{"MACs", set_macs, 1, ONCE, NULL},
	{"MaxAuthTries", set_tries, 1, ONCE, NULL},
	{"MaxConnections", set_connections, 1, ONCE, NULL},
	{"MaxSessions", set_sessions, 1, ONCE, NULL},
	{"MaxStartups", set_startups, 1, ONCE, NULL},
	{"PerSourceMaxStartups", set_source_startups, 1, ONCE, NULL},
	{"PerSourceNetBlockSize", set_net_block, 1, ONCE, NULL},
	{"PerSourcePenalties", set_penalties, SETTINGS_WORDS, ONCE, NULL},
	{"PerSourcePenaltyExemptList", set_exempt, 1, ONCE, NULL},
	{"PidFile", set_pid_file, 1, ONCE, NULL},
	{"Port", set_port, 1, SOURCE, NULL},
	{"Quota", set_option, 1, ONCE, "quota"},
	{"Rate", set_option, 1, ONCE, "rate"},
	{"ReadOnly", set_flag, 1, ONCE, "-R"},
	{"RekeyLimit", set_rekey, 2, ONCE, NULL},
	{"Root", set_option, 1, ONCE, "root"},
	{"Sandbox", set_option, 1, ONCE, "sandbox"},
	{"StrictModes", set_strict, 1, ONCE, NULL},
	{"Subsystem", set_subsystem, SETTINGS_WORDS, ONCE, NULL},
	{"SyslogFacility", set_facility, 1, ONCE, NULL},
	{"View", set_option, 1, AGAIN, "view"},
	{"Workers", set_workers, 1, ONCE, NULL},

	/* What is so in any case, for files that sshd reads as well. */
	{"AllowAgentForwarding", set_always, 1, ONCE, "no"},
	{"AllowStreamLocalForwarding", set_always, 1, ONCE, "no"},
	{"AllowTcpForwarding", set_always, 1, ONCE, "no"},
	{"AuthorizedKeysCommand", set_always, 1, ONCE, "none"},
	{"AuthorizedPrincipalsCommand", set_always, 1, ONCE, "none"},
	{"AuthorizedPrincipalsFile", set_always, 1, ONCE, "none"},
	{"Banner", set_always, 1, ONCE, "none"},
	{"ChallengeResponseAuthentication", set_always, 1, ONCE, "no"},
	{"ChrootDirectory", set_always, 1, ONCE, "none"},
	{"Compression", set_always, 1, ONCE, "no"},
	{"DisableForwarding", set_always, 1, ONCE, "yes"},
	{"ExposeAuthInfo", set_always, 1, ONCE, "no"},
	{"ForceCommand", set_always, 1, ONCE, "none"},
	{"GatewayPorts", set_always, 1, ONCE, "no"},
	{"GSSAPIAuthentication", set_always, 1, ONCE, "no"},
	{"HostbasedAuthentication", set_always, 1, ONCE, "no"},
	{"IgnoreRhosts", set_always, 1, ONCE, "yes"},
	{"KbdInteractiveAuthentication", set_always, 1, ONCE, "no"},
	{"KerberosAuthentication", set_always, 1, ONCE, "no"},
	{"PasswordAuthentication", set_always, 1, ONCE, "no"},
	{"PermitEmptyPasswords", set_always, 1, ONCE, "no"},
	{"PermitListen", set_always, 1, ONCE, "none"},
	{"PermitOpen", set_always, 1, ONCE, "none"},
	{"PermitTTY", set_always, 1, ONCE, "no"},
	{"PermitTunnel", set_always, 1, ONCE, "no"},
	{"PermitUserEnvironment", set_always, 1, ONCE, "no"},
	{"PermitUserRC", set_always, 1, ONCE, "no"},
	{"PrintLastLog", set_always, 1, ONCE, "no"},
	{"PrintMotd", set_always, 1, ONCE, "no"},
	{"Protocol", set_always, 1, ONCE, "2"},
	{"PubkeyAuthentication", set_always, 1, ONCE, "yes"},
	{"RevokedKeys", set_always, 1, ONCE, "none"},
	{"TCPKeepAlive", set_always, 1, ONCE, "yes"},
	{"TrustedUserCAKeys", set_always, 1, ONCE, "none"},
	{"UseDNS", set_always, 1, ONCE, "no"},
	{"UsePAM", set_always, 1, ONCE, "no"},
	{"VersionAddendum", set_always, 1, ONCE, "none"},
	{"X11Forwarding", set_always, 1, ONCE, "no"},
};
/* clang-format on */

#define COUNT (sizeof(keywords) / sizeof(keywords[0]))

_Static_assert(COUNT <= SETTINGS_KEYWORDS, "settings_reader.seen is too short");

static size_t find(const char *name)
{
	size_t i = 0;

	while (i < COUNT && strcasecmp(keywords[i].name, name) != 0)
		i++;
	return i;
}

static const struct keyword *current(const struct settings_reader *reader)
{
	return &keywords[find(reader->keyword)];
}

void settings_show_fixed(FILE *out)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (keywords[i].set != set_always)
			continue;
		for (const char *c = keywords[i].name; *c; c++)
			fputc(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c,
			      out);
		fprintf(out, " %s\n", keywords[i].text);
	}
}

bool settings_apply(struct settings_reader *reader, char **word, size_t count)
{
	size_t i = find(word[0]);

	reader->keyword = word[0];
	if (i == COUNT)
		return settings_wrong(reader, "unknown or unsupported keyword");
	reader->keyword = keywords[i].name;
	if (count < 2)
		return settings_wrong(reader, "missing argument");
	if (count - 1 > keywords[i].words)
		return settings_wrong(reader, "extra argument \"%s\"",
				      word[1 + keywords[i].words]);
	/* sshd_config(5): "the first obtained value will be used". */
	if (reader->seen[i] > 0 &&
	    (keywords[i].repeat == ONCE || (keywords[i].repeat == SOURCE &&
					    reader->seen[i] != reader->source)))
		return true;
	reader->seen[i] = reader->source;
	return keywords[i].set(reader, word + 1, count - 1);
}
