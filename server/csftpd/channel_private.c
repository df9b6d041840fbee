/* A channel with a tree of its own: that of a key with options. */
#include <string.h>

#include "server/csftpd/channel_impl.h"

/* The words of the configuration, and behind them those of the key. */
static bool parse_options(struct conn *conn, struct server_options *options)
{
	static const char program[] = "csftpd";
	const struct settings *settings = conn->serving->settings;
	char *argv[SETTINGS_OPTIONS + SSH_AUTHKEYS_ARGS_MAX / 2 + 2];
	size_t count = 0;
	char *word = conn->args;
	bool good;

	argv[count++] = (char *)(uintptr_t)program;
	for (size_t i = 0; i < settings->option_count; i++)
		argv[count++] = (char *)(uintptr_t)settings->option[i];
	for (unsigned i = 0; i < conn->arg_count; i++) {
		argv[count++] = word;
		word += strlen(word) + 1;
	}
	argv[count] = NULL;
	good = worker_parse_options(conn->worker, options, (int)count, argv);
	/* A umask is the process's. */
	return good && (!options->has_umask ||
			(settings->sftp.has_umask &&
			 options->umask == settings->sftp.umask));
}

static void open_tree(struct private *private)
{
	private->good = tree_open(&private->tree, &private->options,
				  &private->log, 0, private->like);
}

/* In a thread. */
static void run(struct threads_task *task)
{
	struct private *private = (struct private *)task;
	struct worker *worker = private->channel->conn->worker;

	open_tree(private);
	pthread_mutex_lock(&worker->lock);
	private->next_opened = worker->opened;
	worker->opened = private;
	pthread_mutex_unlock(&worker->lock);
	(void)uv_async_send(&worker->wake);
}

bool channel_private_make(struct channel *channel)
{
	struct conn *conn = channel->conn;
	struct private *private = pool_get(&conn->worker->privates);

	if (!private)
		return false;
	*private = (struct private){.task = {.run = run},
				    .channel = channel,
				    .like = &conn->serving->tree,
				    .log = conn->serving->log};
	channel->private = private;
	if (!parse_options(conn, &private->options)) {
		log_say(&conn->worker->log, LEVEL_ERROR,
			"the key's options cannot be used: %s",
			private->options.why[0] ? private->options.why
						: "umask");
		return false;
	}
	private->log.config.level = private->options.log.level;
	private->log.config.facility = private->options.log.facility;
	private->log.config.to_stderr |= private->options.log.to_stderr;
	return true;
}

bool channel_private_open(struct channel *channel)
{
	struct private *private = channel->private;
	struct threads *threads = channel->conn->worker->config.threads;

	if (!threads) {
		open_tree(private);
		return true;
	}
	private->under_way = true;
	threads_add(threads, &private->task);
	return false;
}

void channel_private_collect(struct worker *worker)
{
	struct private *private, *next;

	pthread_mutex_lock(&worker->lock);
	private = worker->opened;
	worker->opened = NULL;
	pthread_mutex_unlock(&worker->lock);
	for (; private; private = next) {
		next = private->next_opened;
		private->under_way = false;
		channel_opened(private->channel);
	}
}

bool channel_private_stop(struct channel *channel)
{
	struct private *private = channel->private;

	if (private && private->under_way)
	private->under_way = !threads_take_back(
		channel->conn->worker->config.threads, &private->task);
	return !private || !private->under_way;
}

void channel_private_free(struct channel *channel)
{
	struct private *private = channel->private;

	if (!private)
		return;
	tree_close(&private->tree);
	server_options_release(&private->options);
	pool_put(&channel->conn->worker->privates, private);
	channel->private = NULL;
}
