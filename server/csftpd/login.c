/* Who may enter. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/ssh/key.h"
#include "core/ssh/known_hosts.h"
#include "core/ssh/match.h"
#include "core/ssh/sk.h"
#include "server/authfile.h"
#include "server/csftpd/conn.h"

/* What the log hears of one look at files of keys; the rest it does not. */
enum { SAID_MAX = 16 };

struct said {
	size_t file; /* of the settings' */
	unsigned line;
	const char *text;
};

/*
 * One who asks to be let in.  Files of keys are read in a thread, as they may
 * lie where nothing answers; meanwhile nobody else touches this, and of its
 * connection only what stays as it is: address and serving.
 */
struct login {
	struct threads_task task; /* first */
	struct login *next_done;
	struct conn *conn;
	char user[CSFTP_SSH_USER_MAX + 1];
	bool allowed; /* the user is, whatever the key says */
	uint32_t method;
	bool query;
	bool touched;
	bool verified;
	size_t key_len;
	uint8_t key[SSH_KEY_BLOB_MAX];

	bool good;
	struct ssh_authkeys_grant grant; /* filled if it is good */
	size_t file;			 /* that is looked at */
	size_t said_count;
	struct said said[SAID_MAX];
};

size_t login_size(void)
{
	return sizeof(struct login);
}

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

/* The files that are looked into: a user who may not enter gets the others'. */
static const char *whose(const struct login *login)
{
	return login->allowed ? login->user : login->conn->serving->tree.user;
}

/* authfile.say, perhaps in a thread, where there is no log. */
static void keep_said(void *arg, const char *path, unsigned line,
		      const char *text)
{
	struct login *login = arg;

	(void)path;
	if (login->said_count < SAID_MAX)
		login->said[login->said_count++] =
			(struct said){login->file, line, text};
}

static void tell_said(struct login *login)
{
	const struct serving *serving = login->conn->serving;
	struct log *log = &login->conn->worker->log;
	char path[4096], quoted[512];

	for (size_t i = 0; i < login->said_count; i++) {
		const struct said *said = &login->said[i];

		if (!path_of(serving, serving->settings->keys_file[said->file],
			     whose(login), path))
			continue;
		(void)log_quote(quoted, sizeof(quoted), path);
		if (said->line > 0)
			log_say(log, LEVEL_INFO, "%s:%u: %s", quoted,
				said->line, said->text);
		else
			log_say(log, LEVEL_INFO,
				"Authentication refused: %s: %s", quoted,
				said->text);
	}
}

/* Waits for disks. */
static bool key_is_known(struct login *login)
{
	const struct conn *conn = login->conn;
	const struct settings *settings = conn->serving->settings;
	struct ssh_authkeys_peer peer = {
		.key = {login->key, login->key_len},
		.touched = login->touched,
		.verified = login->verified,
		.address = bytes_of(conn->address),
	};
	char path[4096];
	const struct authfile file = {
		.path = path,
		.strict = settings->strict_modes,
		.uid = geteuid(),
		.home = conn->serving->tree.home,
		.say = keep_said,
		.arg = login,
	};
	bool known = false;

	authfile_set_time(&peer, time(NULL));
	for (login->file = 0; !known && login->file < settings->keys_file_count;
	     login->file++)
		known = path_of(conn->serving, settings->keys_file[login->file],
				whose(login), path) &&
			authfile_grants(&file, &peer, &login->grant);
	return known;
}

/* What the key may do goes for the connection. */
static void let_in(const struct login *login)
{
	const struct ssh_authkeys_grant *grant = &login->grant;
	struct conn *conn = login->conn;

	conn->sftp_only = grant->sftp_only;
	conn->arg_count = grant->arg_count;
	if (grant->arg_count > 0)
		memcpy(conn->args, grant->args, sizeof(conn->args));
}

/* ": ED25519 SHA256:...", as of several keys only one can be meant. */
static void show_key(const struct login *login, char *out, size_t size)
{
	const struct wire_bytes key = {login->key, login->key_len};
	char fingerprint[SSH_FINGERPRINT_MAX];
	enum csftp_ssh_key_type type;
	const char *shown = "ED25519-SK";

	out[0] = '\0';
	if (key.len == 0 ||
	    ssh_fingerprint(fingerprint, login->conn->worker->lib, key) !=
		    CSFTP_OK)
		return;
	if (!ssh_sk_is_key(key))
		shown = ssh_key_blob_type(key, &type) ? ssh_type_shown(type)
						      : "unknown";
	(void)snprintf(out, size, ": %s %s", shown, fingerprint);
}

/* As sshd has it: a key that was only asked about is worth less of a word. */
static void tell_end(const struct login *login, bool good)
{
	const struct conn *conn = login->conn;
	struct log *log = &conn->worker->log;
	bool asked = login->query && login->allowed;
	enum log_level level = asked ? LEVEL_VERBOSE : LEVEL_INFO;
	char quoted[4 * sizeof(login->user)];
	char key[SSH_FINGERPRINT_MAX + 16];

	if (!log_wants(log, level))
		return;
	show_key(login, key, sizeof(key));
	log_say(log, level, "%s %s for %s%s from %s port %u ssh2%s",
		good ? "Accepted" : "Failed",
		login->method == CSFTP_SSH_AUTH_NONE ? "none" : "publickey",
		login->allowed ? "" : "invalid user ",
		log_quote(quoted, sizeof(quoted), login->user), conn->address,
		conn->port, key);
}

/* The answer, and what the log hears of it. */
static enum csftp_ssh_answer judge(struct login *login)
{
	bool good = login->good && login->allowed;
	struct conn *conn = login->conn;
	char quoted[4 * sizeof(login->user)];

	tell_said(login);
	memcpy(conn->user, login->user, strlen(login->user) + 1);
	conn->valid = login->allowed;
	if (!login->allowed && !conn->tried)
		log_say(&conn->worker->log, LEVEL_INFO,
			"Invalid user %s from %s port %u",
			log_quote(quoted, sizeof(quoted), login->user),
			conn->address, conn->port);
	if (good && login->query)
		return CSFTP_SSH_YES;
	if (good)
		let_in(login);
	conn->tried = true;
	tell_end(login, good);
	return good ? CSFTP_SSH_YES : CSFTP_SSH_NO;
}

/* Takes the object back first, as the connection may end by its answer. */
static void answer(struct login *login)
{
	enum csftp_ssh_answer answer = judge(login);
	struct conn *conn = login->conn;
	bool query = login->query;

	conn->login = NULL;
	pool_put(&conn->worker->askers, login);
	conn_answer_login(conn, answer, query);
}

/* In a thread. */
static void run(struct threads_task *task)
{
	struct login *login = (struct login *)task;
	struct worker *worker = login->conn->worker;

	login->good = key_is_known(login);
	pthread_mutex_lock(&worker->lock);
	login->next_done = worker->judged;
	worker->judged = login;
	pthread_mutex_unlock(&worker->lock);
	(void)uv_async_send(&worker->wake);
}

void login_collect(struct worker *worker)
{
	struct login *login, *next;

	pthread_mutex_lock(&worker->lock);
	login = worker->judged;
	worker->judged = NULL;
	pthread_mutex_unlock(&worker->lock);
	for (; login; login = next) {
		struct conn *conn = login->conn;

		next = login->next_done;
		if (!conn->closing) {
			answer(login);
			conn_turn(conn);
			continue;
		}
		conn->login = NULL;
		pool_put(&worker->askers, login);
		conn_settle(conn);
	}
}

void login_leave(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (!conn->login ||
	    !threads_take_back(worker->config.door, &conn->login->task))
		return;
	pool_put(&worker->askers, conn->login);
	conn->login = NULL;
}

static void fill(struct login *login, struct conn *conn,
		 const struct csftp_ssh_event *event)
{
	char *user = login->user;

	*login = (struct login){
		.task = {.run = run},
		.conn = conn,
		.method = event->method,
		.query = event->query,
		.touched = event->touched,
		.verified = event->verified,
		.key_len = event->key.len,
	};
	memcpy(user, event->user.ptr, event->user.len);
	if (event->key.len > 0)
		memcpy(login->key, event->key.ptr, event->key.len);
	login->allowed = strlen(user) == event->user.len &&
			 !strchr(user, '/') && *user != '.' &&
			 user_is_allowed(conn->serving, user);
}

/*
 * The same is done for every name: one that is not allowed has the keys looked
 * at as well, those of the user that is served, and the answer is no.
 */
void login_ask(struct conn *conn, const struct csftp_ssh_event *event)
{
	struct worker *worker = conn->worker;
	/* There are as many as connections, and each asks one thing. */
	struct login *login = pool_get(&worker->askers);
	bool by_key = event->method == CSFTP_SSH_AUTH_PUBLICKEY;

	fill(login, conn, event);
	conn->login = login;
	if (by_key && worker->config.door) {
		threads_add(worker->config.door, &login->task);
		return;
	}
	if (by_key)
		login->good = key_is_known(login);
	else if (event->method == CSFTP_SSH_AUTH_NONE)
		login->good = conn->serving->settings->auth_methods &
			      CSFTP_SSH_AUTH_NONE;
	answer(login);
}
