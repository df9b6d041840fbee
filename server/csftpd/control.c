#include "server/csftpd/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void accept_next(struct control *control);

static void on_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	free(client->answer);
	client->answer = NULL;
	client->used = false;
	if (client->control->full && client->control->open)
		accept_next(client->control);
}

static void end_client(struct control_client *client)
{
	if (!uv_is_closing((uv_handle_t *)&client->pipe))
		uv_close((uv_handle_t *)&client->pipe, on_closed);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	end_client(write->data);
}

static void send_answer(struct control_client *client, size_t len)
{
	uv_buf_t buf = uv_buf_init(client->answer, (unsigned)len);

	client->write.data = client;
	if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1,
		     on_written) != 0)
		end_client(client);
}

/* The words of a line; NULL where there is no more. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " ");

	if (!*word)
		return NULL;
	*line = word + strcspn(word, " ");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

static void answer(struct control_client *client)
{
	const struct control_config *config = &client->control->config;
	struct report report = {.form = REPORT_TEXT};
	const char *name = "", *argument = "", *why = NULL;
	char *rest = client->line, *word;
	size_t len;

	client->answer = malloc(CONTROL_ANSWER_MAX);
	if (!client->answer) {
		end_client(client);
		return;
	}
	while ((word = next_word(&rest))) {
		if (strcmp(word, "--json") == 0)
			report.form = REPORT_JSON;
		else if (word[0] == '-' || *argument)
			why = "unknown option, or too many arguments";
		else if (!*name)
			name = word;
		else
			argument = word;
	}
	report.text = client->answer + 2;
	report.cap = CONTROL_ANSWER_MAX - 2;
	report.text[0] = '\0';
	if (!why)
		why = config->command(config->arg, name, argument, &report);
	memcpy(client->answer, why ? "1\n" : "0\n", 2);
	len = report.len;
	if (why)
		len = (size_t)snprintf(report.text, 512, "%.500s\n", why);
	send_answer(client, 2 + len);
}

static void alloc_line(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct control_client *client = handle->data;

	(void)size;
	*buf = uv_buf_init(client->line + client->len,
			   (unsigned)(CONTROL_LINE_MAX - 1 - client->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct control_client *client = stream->data;
	char *end;

	(void)buf;
	if (got < 0) {
		end_client(client);
		return;
	}
	client->len += (size_t)got;
	client->line[client->len] = '\0';
	end = strchr(client->line, '\n');
	if (!end)
		return;
	*end = '\0';
	(void)uv_read_stop(stream);
	answer(client);
}

static bool is_ours(const struct control_client *client)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;

	return uv_fileno((const uv_handle_t *)&client->pipe, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void accept_next(struct control *control)
{
	struct control_client *client = control->client;

	while (client < control->client + CONTROL_CLIENTS && client->used)
		client++;
	control->full = client == control->client + CONTROL_CLIENTS;
	if (control->full)
		return;
	client->used = true;
	client->control = control;
	client->len = 0;
	(void)uv_pipe_init(control->listener.loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_accept((uv_stream_t *)&control->listener,
		      (uv_stream_t *)&client->pipe) != 0 ||
	    !is_ours(client) ||
	    uv_read_start((uv_stream_t *)&client->pipe, alloc_line, on_read) !=
		    0)
		end_client(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
	if (status == 0)
		accept_next(listener->data);
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = connect_to(path);
	if (fd < 0 && errno == ECONNREFUSED)
		(void)unlink(path);
	if (fd >= 0)
		close(fd);
}

int control_open(struct control *control, uv_loop_t *loop,
		 const struct control_config *config)
{
	mode_t mask;
	int err;

	*control = (struct control){.config = *config};
	if (strlen(config->path) >= sizeof(control->path))
		return ENAMETOOLONG;
	memcpy(control->path, config->path, strlen(config->path) + 1);
	control->config.path = control->path;
	remove_stale(control->path);
	(void)uv_pipe_init(loop, &control->listener, 0);
	control->listener.data = control;
	control->open = true;
	mask = umask(0177);
	err = uv_pipe_bind(&control->listener, control->path);
	(void)umask(mask);
	if (err == 0)
		err = uv_listen((uv_stream_t *)&control->listener,
				CONTROL_CLIENTS, on_connection);
	if (err == 0)
		return 0;
	control->path[0] = '\0'; /* it is somebody else's */
	control_close(control);
	return -err;
}

void control_close(struct control *control)
{
	if (!control->open)
		return;
	control->open = false;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].used)
			end_client(&control->client[i]);
	uv_close((uv_handle_t *)&control->listener, NULL);
	if (control->path[0])
		(void)unlink(control->path);
}

static const char usage[] =
	"Usage: csftpd ctl -s SOCKET [--json] COMMAND\n"
	"\n"
	"  status          what the daemon does, in numbers\n"
	"  sessions        connections, one a line\n"
	"  kill ID         end a connection\n"
	"  workers         the threads that serve\n"
	"  pools           memory: how much of it is in use\n"
	"  forgive         end all penalties of sources\n"
	"  log-level LEVEL until the next reload\n"
	"  reload          read the configuration again\n";

/* Everything that comes; the first line says how it went. */
static int print_answer(int fd)
{
	char text[4096];
	bool first = true, failed = true;
	ssize_t got;

	while ((got = read(fd, text, sizeof(text))) > 0) {
		const char *from = text;

		if (first && got >= 2) {
			failed = text[0] != '0';
			from += 2;
			got -= 2;
		}
		first = false;
		(void)fwrite(from, 1, (size_t)got, failed ? stderr : stdout);
	}
	if (got < 0 || first) {
		fprintf(stderr, "csftpd: no answer\n");
		return EXIT_FAILURE;
	}
	return fflush(stdout) == 0 && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int ask(const char *path, const char *line)
{
	int fd = connect_to(path);
	int status = EXIT_FAILURE;

	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		fprintf(stderr, "csftpd: %s: %s\n", path, strerror(errno));
	else
		status = print_answer(fd);
	if (fd >= 0)
		close(fd);
	return status;
}

int control_main(int argc, char **argv)
{
	char line[CONTROL_LINE_MAX] = "";
	const char *path = NULL;
	size_t used = 0;

	for (int i = 0; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		}
		if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			path = argv[++i];
			continue;
		}
		if (len + 2 > sizeof(line) - used || strchr(argv[i], '\n')) {
			fprintf(stderr, "csftpd: no such command\n");
			return EXIT_FAILURE;
		}
		memcpy(line + used, argv[i], len);
		used += len;
		line[used++] = i + 1 < argc ? ' ' : '\n';
	}
	if (!path || used == 0) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	line[used - 1] = '\n';
	return ask(path, line);
}
