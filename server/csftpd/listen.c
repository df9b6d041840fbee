#include "server/csftpd/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/descriptor.h"

enum { FIRST_GIVEN = 3, BACKLOG = 1024 };

static void name_it(struct listening *listening, size_t i)
{
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(at);
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	if (getsockname(listening->fd[i], (struct sockaddr *)&at, &len) == 0)
		(void)getnameinfo((struct sockaddr *)&at, len, host,
				  sizeof(host), port, sizeof(port),
				  NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(listening->name[i], sizeof(listening->name[i]),
		       "%.60s port %.10s", host, port);
}

static bool add(struct listening *listening, int fd)
{
	if (listening->count == LISTEN_MAX)
		return false;
	/* What is accepted has it from here: as sshd's TCPKeepAlive, so that
	 * who has vanished does not stay for ever. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
	listening->fd[listening->count] = fd;
	name_it(listening, listening->count++);
	return true;
}

/* Takes it over; or a sentence that says why not. */
static const char *take(struct listening *listening, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return "is not open";
	if (!descriptor_listens(fd))
		return "is no socket that listens";
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return strerrordesc_np(errno);
	return add(listening, fd) ? NULL : "is one too many";
}

/*
 * sd_listen_fds(3); the variables are not for our children.  False: one of what
 * was given is none, which would be missed later.
 */
static bool take_given(struct listening *listening, char why[SETTINGS_WHY_MAX])
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	unsigned long count = 0;

	if (pid && fds && strtoul(pid, NULL, 10) == (unsigned long)getpid())
		count = strtoul(fds, NULL, 10);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	for (int fd = FIRST_GIVEN; count > 0; count--, fd++) {
		const char *wrong = take(listening, fd);

		if (!wrong)
			continue;
		(void)snprintf(why, SETTINGS_WHY_MAX,
			       "LISTEN_FDS: descriptor %d %s", fd, wrong);
		return false;
	}
	listening->given = listening->count > 0;
	return true;
}

static int open_one(const struct addrinfo *at)
{
	int fd = socket(at->ai_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1},
				 sizeof(int));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Where not even ::1 can be had there is no IPv6. */
static bool is_of_no_kind(const struct addrinfo *at, int err)
{
	const struct sockaddr_in6 *in6 = (const void *)at->ai_addr;

	return err == EAFNOSUPPORT ||
	       (err == EADDRNOTAVAIL && at->ai_family == AF_INET6 &&
		IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

/* NULL, or a sentence that says why not. */
static const char *open_and_add(struct listening *listening,
				const struct addrinfo *at)
{
	int fd = open_one(at);

	if (fd < 0)
		return is_of_no_kind(at, errno) ? NULL : strerrordesc_np(errno);
	if (add(listening, fd))
		return NULL;
	close(fd);
	return "there are too many";
}

static bool open_at(struct listening *listening, const char *host,
		    uint16_t port, char why[SETTINGS_WHY_MAX])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE};
	struct addrinfo *list, *at;
	const char *wrong = NULL;
	char service[8];
	int err;

	(void)snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, service, &hints,
			  &list);
	if (err != 0) {
		(void)snprintf(why, SETTINGS_WHY_MAX, "%.200s: %s", host,
			       gai_strerror(err));
		return false;
	}
	for (at = list; at && !wrong; at = at->ai_next)
		wrong = open_and_add(listening, at);
	freeaddrinfo(list);
	if (wrong)
		(void)snprintf(why, SETTINGS_WHY_MAX,
			       "cannot listen on %.200s port %u: %s", host,
			       port, wrong);
	return !wrong;
}

bool listen_open(struct listening *listening, const struct settings *settings,
		 char why[SETTINGS_WHY_MAX])
{
	*listening = (struct listening){.count = 0};
	if (!take_given(listening, why))
		return false;
	if (listening->given)
		return true;
	for (size_t i = 0; i < settings->listen_count; i++) {
		const struct settings_address *at = &settings->listen[i];
		size_t ports = at->port > 0 ? 1 : settings->port_count;

		for (size_t k = 0; k < ports; k++)
			if (!open_at(listening, at->host,
				     at->port > 0 ? at->port
						  : settings->port[k],
				     why))
				return false;
	}
	if (listening->count > 0)
		return true;
	(void)snprintf(why, SETTINGS_WHY_MAX,
		       "this machine has no address of ListenAddress");
	return false;
}

void listen_close(struct listening *listening)
{
	while (listening->count > 0)
		close(listening->fd[--listening->count]);
}
