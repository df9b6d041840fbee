#include "server/csftpd/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* How long to look away where nobody can be accepted. */
enum { PAUSE_MS = 100 };

static void look(struct control *control);

static void keep_spare(struct control *control)
{
	if (control->spare < 0)
		control->spare = fcntl(control->fd, F_DUPFD_CLOEXEC, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;
	struct control *control = client->control;

	free(client->answer);
	client->answer = NULL;
	client->used = false;
	if (!control->open)
		return;
	keep_spare(control);
	if (control->full)
		look(control);
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

/* A request's words, in its line. */
struct request {
	const char *name;
	const char *argument;
	enum report_form form;
};

/* NULL, or a sentence that says what is wrong. */
static const char *read_request(struct request *request, char *line)
{
	char *word;

	*request = (struct request){"", "", REPORT_TEXT};
	while ((word = next_word(&line))) {
		if (strcmp(word, "--json") == 0)
			request->form = REPORT_JSON;
		else if (word[0] == '-' || *request->argument)
			return "unknown option, or too many arguments";
		else if (!*request->name)
			request->name = word;
		else
			request->argument = word;
	}
	return NULL;
}

/* Room for an answer, in place of what there was; false: there is none. */
static bool make_room(struct control_client *client, struct report *report,
		      size_t size)
{
	free(client->answer);
	client->answer = malloc(size);
	if (!client->answer)
		return false;
	report->text = client->answer + 2;
	report->cap = size - 2;
	report->text[0] = '\0';
	return true;
}

/* A part of it would look as if it were all there is. */
static void answer(struct control_client *client)
{
	const struct control_config *config = &client->control->config;
	struct request request;
	const char *why = read_request(&request, client->line);
	struct report report = {.form = request.form, .cut = true};
	size_t len;

	for (size_t size = CONTROL_ANSWER;
	     report.cut && size <= CONTROL_ANSWER_MAX; size *= 2) {
		if (!make_room(client, &report, size)) {
			end_client(client);
			return;
		}
		report.cut = false;
		if (!why)
			why = config->command(config->arg, request.name,
					      request.argument, &report);
	}
	if (report.cut)
		why = "there is more than can be told";
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
	end = memchr(client->line, '\n', client->len);
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

static int accept_one(const struct control *control)
{
	return accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* -1: errno.  Another thread may be faster to have the spare one. */
static int accept_somehow(struct control *control)
{
	int fd = accept_one(control);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) ||
	    control->spare < 0)
		return fd;
	close(control->spare);
	control->spare = -1;
	return accept_one(control);
}

static void on_pause(uv_timer_t *pause)
{
	struct control *control = pause->data;

	keep_spare(control);
	look(control);
}

/* What is wrong will be so at once again, unless it is the client's affair. */
static void give_up(struct control *control, int err)
{
	if (err == EAGAIN || err == EINTR || err == ECONNABORTED)
		return;
	(void)uv_poll_stop(&control->poll);
	(void)uv_timer_start(&control->pause, on_pause, PAUSE_MS, 0);
}

static void accept_next(struct control *control)
{
	struct control_client *client = control->client;
	int fd;

	while (client < control->client + CONTROL_CLIENTS && client->used)
		client++;
	control->full = client == control->client + CONTROL_CLIENTS;
	if (control->full) {
		(void)uv_poll_stop(&control->poll);
		return;
	}
	fd = accept_somehow(control);
	if (fd < 0) {
		give_up(control, errno);
		return;
	}
	client->used = true;
	client->control = control;
	client->len = 0;
	(void)uv_pipe_init(control->poll.loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_pipe_open(&client->pipe, fd) != 0) {
		close(fd);
		end_client(client);
	} else if (!is_ours(client) ||
		   uv_read_start((uv_stream_t *)&client->pipe, alloc_line,
				 on_read) != 0) {
		end_client(client);
	}
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	accept_next(poll->data);
}

static void look(struct control *control)
{
	(void)uv_poll_start(&control->poll, UV_READABLE, on_ready);
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

/* -1: errno. */
static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int saved;

	memcpy(at.sun_path, path, strlen(path) + 1);
	saved = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
				listen(fd, CONTROL_CLIENTS) == 0
			? 0
			: errno;
	(void)umask(mask);
	if (saved != 0 && fd >= 0)
		close(fd);
	errno = saved;
	return saved != 0 ? -1 : fd;
}

int control_open(struct control *control, uv_loop_t *loop,
		 const struct control_config *config)
{
	*control = (struct control){.config = *config, .spare = -1};
	if (strlen(config->path) >= sizeof(control->path))
		return ENAMETOOLONG;
	memcpy(control->path, config->path, strlen(config->path) + 1);
	control->config.path = control->path;
	remove_stale(control->path);
	control->fd = listen_at(control->path);
	if (control->fd < 0)
		return errno;
	if (uv_poll_init(loop, &control->poll, control->fd) != 0) {
		close(control->fd);
		(void)unlink(control->path);
		return ENOMEM;
	}
	(void)uv_timer_init(loop, &control->pause);
	control->poll.data = control;
	control->pause.data = control;
	control->open = true;
	keep_spare(control);
	look(control);
	return 0;
}

void control_close(struct control *control)
{
	if (!control->open)
		return;
	control->open = false;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].used)
			end_client(&control->client[i]);
	uv_close((uv_handle_t *)&control->poll, NULL);
	uv_close((uv_handle_t *)&control->pause, NULL);
	close(control->fd);
	if (control->spare >= 0)
		close(control->spare);
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
			if (failed)
				fputs("csftpd: ", stderr);
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
