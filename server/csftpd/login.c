/* Who may enter. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/ssh/match.h"
#include "server/authfile.h"
#include "server/csftpd/conn.h"

static struct wire_bytes bytes_of(const char *text)
{
	return (struct wire_bytes){(const uint8_t *)text, strlen(text)};
}

static bool matches(const char *text, const char *pattern)
{
	return ssh_match_pattern(bytes_of(text), bytes_of(pattern));
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

static void say(void *arg, const char *path, unsigned line, const char *text)
{
	struct conn *conn = arg;
	char quoted[512];

	(void)log_quote(quoted, sizeof(quoted), path);
	if (line > 0)
		log_say(&conn->worker->log, LEVEL_INFO, "%s:%u: %s", quoted,
			line, text);
	else
		log_say(&conn->worker->log, LEVEL_INFO,
			"Authentication refused: %s: %s", quoted, text);
}

static bool key_is_known(struct conn *conn, const char *user,
			 const struct csftp_ssh_event *event,
			 struct ssh_authkeys_grant *grant)
{
	const struct settings *settings = conn->serving->settings;
	struct ssh_authkeys_peer peer = {
		.key = {event->key.ptr, event->key.len},
		.touched = event->touched,
		.verified = event->verified,
		.address = bytes_of(conn->address),
	};
	char path[4096];
	const struct authfile file = {
		.path = path,
		.strict = settings->strict_modes,
		.uid = geteuid(),
		.home = conn->serving->tree.home,
		.say = say,
		.arg = conn,
	};

	authfile_set_time(&peer, time(NULL));
	for (size_t i = 0; i < settings->keys_file_count; i++)
		if (path_of(conn->serving, settings->keys_file[i], user,
			    path) &&
		    authfile_grants(&file, &peer, grant))
			return true;
	return false;
}

/* What the key may do goes for the connection. */
static void let_in(struct conn *conn, const char *user,
		   const struct ssh_authkeys_grant *grant)
{
	memcpy(conn->user, user, strlen(user) + 1);
	conn->sftp_only = grant->sftp_only;
	conn->arg_count = grant->arg_count;
	if (grant->arg_count > 0)
		memcpy(conn->args, grant->args, sizeof(conn->args));
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
	struct ssh_authkeys_grant grant = {.sftp_only = false};
	bool allowed, good = false;

	memcpy(user, event->user.ptr, event->user.len);
	user[event->user.len] = '\0';
	allowed = strlen(user) == event->user.len && !strchr(user, '/') &&
		  *user != '.' && user_is_allowed(serving, user);
	if (event->method == CSFTP_SSH_AUTH_NONE)
		good = serving->settings->auth_methods & CSFTP_SSH_AUTH_NONE;
	else if (event->method == CSFTP_SSH_AUTH_PUBLICKEY)
		good = key_is_known(conn, allowed ? user : serving->tree.user,
				    event, &grant);
	(void)log_quote(quoted, sizeof(quoted), user);
	if (!allowed && !conn->tried)
		log_say(&conn->worker->log, LEVEL_INFO,
			"Invalid user %s from %s port %u", quoted,
			conn->address, conn->port);
	if (good && allowed && event->query)
		return CSFTP_SSH_YES;
	if (good && allowed)
		let_in(conn, user, &grant);
	conn->tried = true;
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
