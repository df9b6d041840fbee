/* Who may enter. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/csftpd/conn.h"

enum { LINE_MAX_BYTES = 16384 };

/* "*" is any number of bytes, "?" is one. */
static bool matches(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '*') {
			for (; *text; text++)
				if (matches(text, pattern + 1))
					return true;
			return matches(text, pattern + 1);
		}
		if (!*text || (*pattern != '?' && *pattern != *text))
			return false;
	}
	return !*text;
}

/* AllowUsers; without it the one that is served. */
static bool user_is_allowed(const struct serving *serving, const char *user)
{
	const struct settings *settings = serving->settings;
	bool allowed = false;

	if (settings->allow_user_count == 0)
		return strcmp(user, serving->tree.user) == 0;
	for (size_t i = 0; i < settings->allow_user_count; i++) {
		const char *pattern = settings->allow_user[i];

		if (*pattern == '!' && matches(user, pattern + 1))
			return false;
		allowed = allowed || matches(user, pattern);
	}
	return allowed;
}

/* Whether a line is the key and nothing else. */
static bool line_grants(const char *line, size_t len,
			struct csftp_ssh_bytes wanted)
{
	struct csftp_ssh_key *key;
	struct csftp_ssh_bytes blob;
	bool same;

	if (len == 0 || *line == '#' ||
	    csftp_ssh_key_read_public(&key, line, len) != CSFTP_OK)
		return false;
	blob = csftp_ssh_key_blob(key);
	same = blob.len == wanted.len &&
	       memcmp(blob.ptr, wanted.ptr, blob.len) == 0;
	csftp_ssh_key_free(key);
	return same;
}

/* All lines are looked at whatever the first ones say. */
static bool file_grants(int fd, struct csftp_ssh_bytes key)
{
	char text[LINE_MAX_BYTES];
	bool granted = false, skip = false;
	size_t have = 0;

	for (;;) {
		ssize_t got = read(fd, text + have, sizeof(text) - have);
		char *line = text, *end;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
		while ((end = memchr(line, '\n', have))) {
			size_t len = (size_t)(end - line);

			if (!skip && line_grants(line, len, key))
				granted = true;
			skip = false;
			have -= len + 1;
			line = end + 1;
		}
		memmove(text, line, have);
		/* Too long: no line that anybody wrote. */
		if (have == sizeof(text)) {
			skip = true;
			have = 0;
		}
	}
	return (have > 0 && !skip && line_grants(text, have, key)) || granted;
}

static bool path_of(const struct serving *serving, const char *text,
		    const char *user, char out[4096])
{
	char relative[4096];
	int len;

	if (server_expand(relative, sizeof(relative), text, serving->tree.home,
			  user) != 0)
		return false;
	len = snprintf(out, 4096, "%s%s%s",
		       *relative == '/' ? "" : serving->tree.home,
		       *relative == '/' ? "" : "/", relative);
	return len > 0 && len < 4096;
}

static bool key_is_known(struct conn *conn, const char *user,
			 struct csftp_ssh_bytes key)
{
	const struct settings *settings = conn->serving->settings;
	bool known = false;

	for (size_t i = 0; i < settings->keys_file_count; i++) {
		char path[4096];
		int fd;

		if (!path_of(conn->serving, settings->keys_file[i], user, path))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			continue;
		known = file_grants(fd, key) || known;
		close(fd);
	}
	return known;
}

/*
 * The same is done for every name: one that is not allowed has the keys looked
 * at as well, those of the user that is served, and the answer is no.
 */
enum csftp_ssh_answer login_judge(struct conn *conn,
				  const struct csftp_ssh_event *event)
{
	const struct serving *serving = conn->serving;
	char user[CSFTP_SSH_USER_MAX + 1], quoted[4 * sizeof(user)];
	bool allowed, good = false;

	memcpy(user, event->user.ptr, event->user.len);
	user[event->user.len] = '\0';
	allowed = strlen(user) == event->user.len && !strchr(user, '/') &&
		  *user != '.' && user_is_allowed(serving, user);
	if (event->method == CSFTP_SSH_AUTH_NONE)
		good = serving->settings->auth_methods & CSFTP_SSH_AUTH_NONE;
	else if (event->method == CSFTP_SSH_AUTH_PUBLICKEY)
		good = key_is_known(conn, allowed ? user : serving->tree.user,
				    event->key);
	(void)log_quote(quoted, sizeof(quoted), user);
	if (good && allowed && event->query)
		return CSFTP_SSH_YES;
	if (good && allowed)
		memcpy(conn->user, user, sizeof(user));
	if (!event->query)
		log_say(&conn->worker->log, LEVEL_INFO,
			"%s %s for %s%s from %s port %u ssh2",
			good && allowed ? "Accepted" : "Failed",
			event->method == CSFTP_SSH_AUTH_NONE ? "none"
							     : "publickey",
			allowed ? "" : "invalid user ", quoted, conn->address,
			conn->port);
	return good && allowed ? CSFTP_SSH_YES : CSFTP_SSH_NO;
}
