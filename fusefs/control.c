#include "fusefs/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 8

/* Who waits so long for a process that has nothing to wait for gives up. */
#define ANSWER_SECONDS 10

struct client {
	uv_pipe_t pipe; /* first */
	uv_write_t write;
	struct control *control; /* NULL: not in use */
	char *answer;
	size_t answer_len;
	size_t len;
	char order[CONTROL_ORDER_MAX];
};

struct control {
	struct control_config config;
	uv_pipe_t listener;
	unsigned handles; /* of libuv's, not closed yet */
	bool closing;
	struct client clients[CLIENTS];
};

/*
 * The name
 */

/* mountinfo writes blanks and the like as three octal digits. */
static bool is_path(const char *field, size_t len, const char *path)
{
	for (size_t i = 0; i < len; i++, path++) {
		char c = field[i];

		if (c == '\\' && i + 3 < len) {
			c = (char)((field[i + 1] - '0') * 64 +
				   (field[i + 2] - '0') * 8 +
				   (field[i + 3] - '0'));
			i += 3;
		}
		if (*path != c)
			return false;
	}
	return *path == '\0';
}

/* proc(5): number parent major:minor root point ... - type source options */
static bool read_line(const char *line, const char *path,
		      struct control_device *device)
{
	const char *point = line;
	const char *type = strstr(line, " - ");
	const char *owner;

	for (int field = 0; field < 4 && point; field++) {
		point = strchr(point, ' ');
		point = point ? point + 1 : NULL;
		if (field == 1 && point &&
		    sscanf(point, "%u:%u", &device->major, &device->minor) != 2)
			return false;
	}
	if (!point || !type || strncmp(type + 3, "fuse", 4) != 0 ||
	    !is_path(point, strcspn(point, " "), path))
		return false;
	owner = strstr(type, "user_id=");
	device->owner = owner ? (uid_t)strtoul(owner + 8, NULL, 10) : 0;
	return true;
}

/* stat(2) would ask the very process that may not answer. */
bool control_find(const char *path, struct control_device *device)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct control_device there;
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	if (!file)
		return false;
	/* The last one hides the others. */
	while (getline(&line, &size, file) > 0) {
		if (!read_line(line, path, &there))
			continue;
		*device = there;
		found = true;
	}
	free(line);
	(void)fclose(file);
	if (!found)
		errno = ENODEV;
	return found;
}

static socklen_t make_name(const struct control_device *device,
			   struct sockaddr_un *name)
{
	int len;

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* Behind a zero: no file has this name. */
	len = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1,
		       "csftpfs/%u:%u", device->major, device->minor);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)len);
}

/* Who is at the other end of a socket. */
static bool peer_is(int fd, uid_t one, uid_t other)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == one || peer.uid == other);
}

/*
 * In the process of the mount
 */

static void closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	control->handles--;
	if (control->closing && control->handles == 0)
		free(control);
}

static void client_closed(uv_handle_t *handle)
{
	struct client *client = (struct client *)handle;

	free(client->answer);
	client->answer = NULL;
	client->control = NULL;
	closed(handle);
}

static void client_close(struct client *client)
{
	if (!uv_is_closing((uv_handle_t *)&client->pipe))
		uv_close((uv_handle_t *)&client->pipe, client_closed);
}

static void written(uv_write_t *write, int status)
{
	(void)status; /* whoever asked has gone, or has it */
	client_close((struct client *)write->handle);
}

static void answer(struct client *client)
{
	struct control_config *config = &client->control->config;
	FILE *to = open_memstream(&client->answer, &client->answer_len);
	uv_buf_t buf;

	if (to) {
		config->answer(config->arg, client->order, to);
		if (fclose(to) == 0 && client->answer_len <= UINT32_MAX) {
			buf = uv_buf_init(client->answer,
					  (unsigned)client->answer_len);
			if (uv_write(&client->write,
				     (uv_stream_t *)&client->pipe, &buf, 1,
				     written) == 0)
				return;
		}
	}
	client_close(client);
}

static void give_room(uv_handle_t *handle, size_t wish, uv_buf_t *buf)
{
	struct client *client = (struct client *)handle;

	(void)wish;
	buf->base = client->order + client->len;
	buf->len = sizeof(client->order) - client->len;
}

static void heard(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct client *client = (struct client *)stream;
	char *end;

	(void)buf;
	if (len < 0) {
		client_close(client);
		return;
	}
	client->len += (size_t)len;
	end = memchr(client->order, '\n', client->len);
	if (end) {
		*end = '\0';
		(void)uv_read_stop(stream);
		answer(client);
	} else if (client->len == sizeof(client->order)) {
		client_close(client);
	}
}

static struct client *unused_client(struct control *control)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (!control->clients[i].control)
			return &control->clients[i];
	}
	return NULL;
}

static bool may_ask(const struct client *client)
{
	uv_os_fd_t fd;

	return uv_fileno((const uv_handle_t *)&client->pipe, &fd) == 0 &&
	       peer_is(fd, 0, geteuid());
}

/* Without room for one it waits in the queue of the socket. */
static void called(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	struct client *client = unused_client(control);

	if (status < 0 || !client)
		return;
	*client = (struct client){.control = control};
	(void)uv_pipe_init(control->config.loop, &client->pipe, 0);
	client->pipe.data = control;
	control->handles++;
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 ||
	    !may_ask(client) ||
	    uv_read_start((uv_stream_t *)&client->pipe, give_room, heard) != 0)
		client_close(client);
}

static int listen_at(const struct control_device *device)
{
	struct sockaddr_un name;
	socklen_t len = make_name(device, &name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&name, len) != 0) {
		int why = errno;

		(void)close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

struct control *control_open(const struct control_config *config)
{
	struct control *control = NULL;
	struct control_device device;
	int fd = -1;

	if (control_find(config->mountpoint, &device))
		fd = listen_at(&device);
	if (fd < 0)
		return NULL;
	control = calloc(1, sizeof(*control));
	if (!control) {
		(void)close(fd);
		return NULL;
	}
	control->config = *config;
	(void)uv_pipe_init(config->loop, &control->listener, 0);
	control->listener.data = control;
	control->handles = 1;
	if (uv_pipe_open(&control->listener, fd) != 0)
		(void)close(fd);
	else if (uv_listen((uv_stream_t *)&control->listener, CLIENTS,
			   called) == 0)
		return control;
	control_close(control);
	errno = EIO;
	return NULL;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	control->closing = true;
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (control->clients[i].control)
			client_close(&control->clients[i]);
	}
	uv_close((uv_handle_t *)&control->listener, closed);
}

/*
 * In the process that asks
 */

static int call(const struct control_device *device)
{
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un name;
	socklen_t len = make_name(device, &name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int why;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			 sizeof(patience));
	if (connect(fd, (struct sockaddr *)&name, len) == 0 &&
	    peer_is(fd, device->owner, geteuid()))
		return fd;
	why = errno == ECONNREFUSED ? ENOTCONN : errno;
	(void)close(fd);
	return why ? -why : -EPERM;
}

static int hear(int fd, FILE *to)
{
	char buf[4096];
	size_t all = 0;
	ssize_t len;

	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (fwrite(buf, 1, (size_t)len, to) != (size_t)len)
			return EIO;
		all += (size_t)len;
	}
	/* It hung up, before or after it had our line. */
	if (len < 0 && errno == ECONNRESET && all == 0)
		return EPERM;
	if (len < 0)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	return all > 0 ? 0 : EPERM;
}

int control_ask(const char *mountpoint, const char *order, FILE *to)
{
	struct control_device device;
	char line[CONTROL_ORDER_MAX];
	int len = snprintf(line, sizeof(line), "%s\n", order);
	int err = 0;
	int fd;

	if (len < 0 || (size_t)len >= sizeof(line))
		return EINVAL;
	if (!control_find(mountpoint, &device))
		return errno;
	errno = 0;
	fd = call(&device);
	if (fd < 0)
		return -fd;
	if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		err = errno == EAGAIN ? ETIMEDOUT : errno;
	if (!err || err == EPIPE)
		err = hear(fd, to);
	(void)close(fd);
	return err;
}
