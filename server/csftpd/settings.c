#include "server/csftpd/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "server/csftpd/settings_impl.h"
#include "server/descriptor.h"

bool settings_wrong(struct settings_reader *reader, const char *format, ...)
{
	char *why = reader->why;
	size_t used = 0;
	va_list args;
	int len;

	if (reader->file)
		len = snprintf(why, SETTINGS_WHY_MAX,
			       "%.600s:%u: ", reader->file, reader->line);
	else
		len = snprintf(why, SETTINGS_WHY_MAX, "command line: ");
	used = len > 0 ? (size_t)len : 0;
	if (reader->keyword) {
		len = snprintf(why + used, SETTINGS_WHY_MAX - used,
			       "%.100s: ", reader->keyword);
		used += len > 0 ? (size_t)len : 0;
	}
	va_start(args, format);
	(void)vsnprintf(why + used, SETTINGS_WHY_MAX - used, format, args);
	va_end(args);
	return false;
}

const char *settings_keep(struct settings_reader *reader, const char *text)
{
	struct settings *settings = reader->settings;
	size_t size = strlen(text) + 1;
	char *kept = settings->text + settings->text_len;

	if (size > SETTINGS_TEXT_MAX - settings->text_len) {
		(void)settings_wrong(reader, "too much text");
		return NULL;
	}
	memcpy(kept, text, size);
	settings->text_len += size;
	return kept;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static bool ends_word(char c, bool keyword)
{
	return is_space(c) || (keyword && c == '=');
}

/*
 * The next word, cut out where it stands, up to a space.  All of it or a part
 * can be between double quotes, in which a backslash stands before a quote or a
 * backslash.  NULL: no more; *line NULL: a quote has no end.
 */
static char *next_word(char **line, bool keyword)
{
	char *from = *line, *to, *word;
	bool quoted = false;

	while (is_space(*from))
		from++;
	if (*from == '\0' || *from == '#') {
		*line = from;
		return NULL;
	}
	word = to = from;
	for (; *from && (quoted || !ends_word(*from, keyword)); from++) {
		if (*from == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *from == '\\' &&
		    (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	if (quoted) {
		*line = NULL;
		return NULL;
	}
	/* sshd_config(5): "keyword = value" is as good as without. */
	if (keyword) {
		while (is_space(*from))
			from++;
		from += *from == '=';
	} else if (*from) {
		from++;
	}
	*to = '\0';
	*line = from;
	return word;
}

/* A line of any source; it is cut into words where it stands. */
static bool settings_line(struct settings_reader *reader, char *line)
{
	char *word[SETTINGS_WORDS];
	size_t count = 0;
	char *next;

	reader->keyword = NULL;
	while ((next = next_word(&line, count == 0))) {
		if (count == SETTINGS_WORDS)
			return settings_wrong(reader, "too many words");
		word[count++] = next;
	}
	if (!line)
		return settings_wrong(reader, "a quote has no end");
	return count == 0 || settings_apply(reader, word, count);
}

/* The file's text is cut up where it is kept. */
static bool read_lines(struct settings_reader *reader, char *text)
{
	bool good = true;

	for (char *line = text; good && line;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		reader->line++;
		good = settings_line(reader, line);
		line = end ? end + 1 : NULL;
	}
	return good;
}

/* Into the text of the settings; NULL, and why says it. */
static char *load(struct settings_reader *reader, int fd)
{
	struct settings *settings = reader->settings;
	char *text = settings->text + settings->text_len;
	size_t left = SETTINGS_TEXT_MAX - settings->text_len, len = 0;
	size_t room = left < SETTINGS_TEXT_MAX / 2 ? left : left / 2;
	ssize_t got;

	do {
		got = read(fd, text + len, room - len);
		if (got > 0)
			len += (size_t)got;
	} while ((got > 0 && len < room) || (got < 0 && errno == EINTR));
	if (got < 0) {
		(void)settings_wrong(reader, "%s", strerror(errno));
		return NULL;
	}
	if (len == room || memchr(text, '\0', len)) {
		(void)settings_wrong(reader,
				     len == room ? "too long" : "not a text");
		return NULL;
	}
	text[len] = '\0';
	settings->text_len += len + 1;
	return text;
}

static bool read_file(struct settings_reader *reader, const char *path)
{
	const char *why, *kept = settings_keep(reader, path);
	struct stat st;
	int fd = descriptor_of_file(path, &st, &why);
	char *text;

	reader->source = 2;
	reader->file = path;
	reader->line = 0;
	reader->keyword = NULL;
	if (fd < 0) {
		(void)snprintf(reader->why, SETTINGS_WHY_MAX, "%.600s: %s",
			       path, why);
		return false;
	}
	text = load(reader, fd);
	close(fd);
	reader->settings->file = kept;
	return text && kept && read_lines(reader, text);
}

static bool give(struct settings_reader *reader, const char *keyword,
		 const char *value)
{
	const char *kept = settings_keep(reader, value);
	char name[16];
	char *word[2] = {name, (char *)(uintptr_t)kept};

	(void)snprintf(name, sizeof(name), "%s", keyword);
	return kept && settings_apply(reader, word, 2);
}

static bool read_command_line(struct settings_reader *reader,
			      const struct settings_source *source)
{
	reader->source = 1;
	if (source->port && !give(reader, "Port", source->port))
		return false;
	for (size_t i = 0; i < source->host_key_count; i++)
		if (!give(reader, "HostKey", source->host_key[i]))
			return false;
	for (size_t i = 0; i < source->given_count; i++) {
		const char *kept = settings_keep(reader, source->given[i]);

		if (!kept || !settings_line(reader, (char *)(uintptr_t)kept))
			return false;
	}
	return true;
}

/* Where nothing is said. */
static bool set_defaults(struct settings_reader *reader)
{
	struct settings *settings = reader->settings;

	if (settings->port_count == 0)
		settings->port[settings->port_count++] = 2222;
	if (settings->listen_count == 0) {
		settings->listen[settings->listen_count++].host = "127.0.0.1";
		settings->listen[settings->listen_count++].host = "::1";
	}
	if (settings->keys_file_count == 0 && !settings->keys_none)
		settings->keys_file[settings->keys_file_count++] =
			".ssh/authorized_keys";
	return true;
}

static const char program[] = "csftpd";

/* All options of csftp-server together; each by itself was right. */
static bool read_options(struct settings_reader *reader)
{
	struct settings *settings = reader->settings;
	char *argv[SETTINGS_OPTIONS + 2] = {(char *)(uintptr_t)program};

	for (size_t i = 0; i < settings->option_count; i++)
		argv[i + 1] = (char *)(uintptr_t)settings->option[i];
	if (server_options_parse(&settings->sftp,
				 (int)settings->option_count + 1,
				 argv) == SERVER_SERVE)
		return true;
	reader->keyword = NULL;
	(void)snprintf(reader->why, SETTINGS_WHY_MAX, "internal-sftp: %s",
		       settings->sftp.why[0] ? settings->sftp.why
					     : "unknown option");
	return false;
}

static const struct settings blank = {
	.refs = 1,
	.auth_methods = CSFTP_SSH_AUTH_PUBLICKEY,
	.login_grace_ms = UINT64_C(120) * 1000,
	.drain_ms = UINT64_C(30) * 1000,
	.alive_count = 3,
	.auth_tries = 6,
	.sessions = 10,
	.connections = 1000,
	.acceptors = 1,
	.disk_threads = 8,
	.strict_modes = true,
	.log_level = LEVEL_INFO,
	.log_facility = LOG_AUTH,
};

struct settings *settings_read(const struct settings_source *source,
			       char why[SETTINGS_WHY_MAX])
{
	struct settings *settings = malloc(sizeof(*settings));
	struct settings_reader reader = {.settings = settings, .why = why};

	(void)snprintf(why, SETTINGS_WHY_MAX, "out of memory");
	if (!settings)
		return NULL;
	memcpy(settings, &blank, sizeof(blank));
	sources_defaults(&settings->sources);
	settings->text = malloc(SETTINGS_TEXT_MAX);
	if (settings->text && read_command_line(&reader, source) &&
	    (!source->file || read_file(&reader, source->file)) &&
	    set_defaults(&reader) && read_options(&reader))
		return settings;
	settings_put(settings);
	return NULL;
}

bool settings_load_keys(struct settings *settings, const char *path,
			enum hostkey_missing missing,
			void (*said)(void *arg, const char *path), void *arg,
			char why[SETTINGS_WHY_MAX])
{
	struct settings_reader reader = {.settings = settings, .why = why};
	bool is_new;

	if (settings->host_key_count == 0) {
		path = settings_keep(&reader, path);
		if (!path)
			return false;
		settings->host_key[settings->host_key_count++] = path;
	}
	while (settings->key_count < settings->host_key_count) {
		path = settings->host_key[settings->key_count];
		if (!hostkey_load(&settings->key[settings->key_count], path,
				  missing, &is_new, why))
			return false;
		settings->key_count++;
		if (is_new && said)
			said(arg, path);
	}
	return true;
}

struct settings *settings_get(struct settings *settings)
{
	atomic_fetch_add(&settings->refs, 1);
	return settings;
}

void settings_put(struct settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->refs, 1) != 1)
		return;
	for (size_t i = 0; i < settings->key_count; i++)
		hostkey_release(&settings->key[i]);
	server_options_release(&settings->sftp);
	free(settings->text);
	free(settings);
}
