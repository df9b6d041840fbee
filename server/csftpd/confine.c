#include "server/csftpd/confine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/csftpd/calls.h"
#include "server/sandbox.h"

enum { READABLE_MAX = 32, LOGS_MAX = 258 };

/* A list for the sandbox, with the texts that it points at. */
struct readable {
	const char *path[READABLE_MAX + 1];
	char text[READABLE_MAX][4096];
	size_t count;
};

/* The directory of a path, or the part of it that is before a %. */
static void add_directory(struct readable *list, const char *path,
			  const char *home)
{
	char *text = list->text[list->count];
	char *end;

	if (list->count == READABLE_MAX)
		return;
	if (*path == '/' || !home)
		(void)snprintf(text, 4096, "%s", path);
	else
		(void)snprintf(text, 4096, "%s/%s", home, path);
	end = strrchr(text, '/');
	if (end == text)
		end++;
	if (end)
		*end = '\0';
	else
		(void)snprintf(text, 4096, ".");
	list->path[list->count++] = text;
}

static void add_keys_file(struct readable *list, const char *path,
			  const struct tree *tree)
{
	char text[4096];
	const char *varies = strstr(path, "%u");

	if (varies) {
		char part[4096];

		(void)snprintf(part, sizeof(part), "%.*s", (int)(varies - path),
			       path);
		if (server_expand(text, sizeof(text), part, tree->home,
				  tree->user) == 0)
			add_directory(list, text, tree->home);
		return;
	}
	if (server_expand(text, sizeof(text), path, tree->home, tree->user) ==
	    0)
		add_directory(list, text, tree->home);
}

static void list_readable(const struct daemon *daemon, struct readable *list)
{
	const struct settings *settings = daemon->settings;
	const struct tree *tree = &daemon->worker[0].serving->tree;

	list->count = 0;
	if (settings->file)
		add_directory(list, settings->file, NULL);
	for (size_t i = 0; i < settings->host_key_count; i++)
		add_directory(list, settings->host_key[i], NULL);
	for (size_t i = 0; i < settings->keys_file_count; i++)
		add_keys_file(list, settings->keys_file[i], tree);
	if (CALLS_CHECKED)
		add_directory(list, "/proc/", NULL);
	list->path[list->count] = NULL;
}

/* What is missing is an error or a remark. */
static bool judge(struct daemon *daemon, const struct sandbox_state *state)
{
	if (!state->why[0])
		return true;
	if (daemon->settings->sftp.sandbox == SANDBOX_REQUIRE) {
		log_fatal(&daemon->log, "sandbox: %s", state->why);
		return false;
	}
	log_say(&daemon->log, LEVEL_VERBOSE, "sandbox: goes without %s",
		state->why);
	return true;
}

static int make_filter(struct daemon *daemon)
{
	int logs[LOGS_MAX];
	struct calls_config config = {.log_fds = logs};

	logs[config.log_count++] = daemon->log.fd;
	logs[config.log_count++] = daemon->accept_log.fd;
	for (uint32_t i = 0; i < daemon->workers; i++)
		if (config.log_count < LOGS_MAX)
			logs[config.log_count++] = daemon->worker[i].log.fd;
	return calls_make(&daemon->calls, &config);
}

bool confine_files(struct daemon *daemon)
{
	struct sandbox_state state = {.seccomp = false};
	struct sandbox_config config = {
		.root = daemon->worker[0].serving->tree.jail,
	};
	struct readable *list;

	sandbox_harden();
	if (daemon->settings->sftp.sandbox == SANDBOX_OFF)
		return true;
	list = malloc(sizeof(*list));
	if (!list) {
		log_fatal(&daemon->log, "out of memory");
		return false;
	}
	list_readable(daemon, list);
	daemon->calls_err = make_filter(daemon);
	config.readable = list->path;
	(void)sandbox_files(&config, &state);
	free(list);
	return judge(daemon, &state);
}

static void enter(struct daemon *daemon, struct sandbox_state *state)
{
	int err = daemon->calls_err;

	*state = (struct sandbox_state){.seccomp = false};
	if (daemon->settings->sftp.sandbox == SANDBOX_OFF)
		return;
	if (err == 0)
		err = calls_enter(daemon->calls);
	state->seccomp = err == 0;
	if (err != 0)
		sandbox_missing(state, "seccomp", err);
}

void confine_thread(void *arg)
{
	struct daemon *daemon = arg;
	struct sandbox_state state;

	enter(daemon, &state);
	if (state.why[0])
		atomic_store(&daemon->unconfined, true);
	uv_sem_post(&daemon->confined);
}

bool confine_wait(struct daemon *daemon, unsigned threads)
{
	struct sandbox_state state;

	for (unsigned i = 0; i < threads; i++)
		uv_sem_wait(&daemon->confined);
	enter(daemon, &state);
	if (!state.why[0] && atomic_load(&daemon->unconfined))
		(void)snprintf(state.why, sizeof(state.why),
			       "seccomp in a thread");
	return judge(daemon, &state);
}
