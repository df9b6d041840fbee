#include "fusefs/ssh_dial.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/stream/lookup.h"
#include "fusefs/run.h"

/* Between two rounds, as ssh has it. */
#define ROUND_PAUSE_MS 1000

static void set_on(int fd, int level, int option)
{
	int one = 1;

	(void)setsockopt(fd, level, option, &one, sizeof(one));
}

static bool bind_to(int fd, const struct ssh_config *config, int family)
{
	struct addrinfo hints = {.ai_family = family,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	bool good;

	if (config->bind_interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, config->bind_interface,
		       (socklen_t)strlen(config->bind_interface)) != 0)
		return false;
	if (!config->bind_address)
		return true;
	if (getaddrinfo(config->bind_address, NULL, &hints, &list) != 0) {
		errno = EADDRNOTAVAIL;
		return false;
	}
	good = bind(fd, list->ai_addr, list->ai_addrlen) == 0;
	freeaddrinfo(list);
	return good;
}

/* Waits for a connect(2) under way; its errno. */
static int connect_ends(int fd, unsigned timeout)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int ms = timeout > 0 && timeout < INT32_MAX / 1000 ? (int)timeout * 1000
							   : -1;
	int err = 0;
	socklen_t len = sizeof(err);
	int n;

	do {
		n = poll(&wait, 1, ms);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

static int connect_one(const struct addrinfo *ai,
		       const struct ssh_config *config)
{
	int fd = socket(ai->ai_family,
			ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			ai->ai_protocol);
	int err = 0;

	if (fd < 0)
		return -1;
	if (!bind_to(fd, config, ai->ai_family))
		err = errno;
	else if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)
		err = errno == EINPROGRESS
			      ? connect_ends(fd, config->connect_timeout)
			      : errno;
	if (err) {
		(void)close(fd);
		errno = err;
		return -1;
	}
	set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (config->tcp_keepalive)
		set_on(fd, SOL_SOCKET, SO_KEEPALIVE);
	return fd;
}

static int connect_any(const struct addrinfo *list,
		       const struct ssh_config *config, const struct talk *talk,
		       char *peer)
{
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		int fd, why;

		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, peer,
				SSH_DIAL_NAME_MAX, NULL, 0, NI_NUMERICHOST))
			peer[0] = '\0';
		talk_detail(talk, "connecting to %s port %u", peer,
			    config->port);
		fd = connect_one(ai, config);
		if (fd >= 0)
			return fd;
		why = errno;
		talk_detail(talk, "connecting to %s port %u: %s", peer,
			    config->port, strerror(why));
		errno = why;
	}
	return -1;
}

static enum csftp_err dial_tcp(struct csftp_stream *stream,
			       const struct ssh_config *config,
			       const struct talk *talk, char *peer)
{
	const struct timespec pause = {.tv_sec = ROUND_PAUSE_MS / 1000};
	struct addrinfo hints = {.ai_family = config->family,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char port[16];
	int fd = -1;
	int err;

	(void)snprintf(port, sizeof(port), "%u", config->port);
	err = getaddrinfo(config->hostname, port, &hints, &list);
	if (err) {
		talk_detail(talk, "looking up %s: %s", config->hostname,
			    gai_strerror(err));
		return stream_lookup_err(err);
	}
	for (unsigned round = 0; fd < 0 && round < config->attempts; round++) {
		if (round > 0)
			(void)nanosleep(&pause, NULL);
		fd = connect_any(list, config, talk, peer);
	}
	err = errno;
	freeaddrinfo(list);
	errno = err;
	if (fd < 0)
		return CSFTP_ERR_IO;
	if (csftp_stream_fds(stream, fd, fd) == CSFTP_OK)
		return CSFTP_OK;
	(void)close(fd);
	return CSFTP_ERR_IO;
}

static enum csftp_err dial_command(struct csftp_stream *stream,
				   struct ssh_config *config)
{
	const char *shell = getenv("SHELL");
	const char *command = config->proxy_command;
	size_t size = strlen(command) + sizeof("exec ");
	char *text = malloc(size);
	char flag[] = "-c";
	char *argv[] = {strdup(shell && *shell ? shell : "/bin/sh"), flag, text,
			NULL};
	enum csftp_err err = CSFTP_ERR_NOMEM;

	if (text && argv[0]) {
		(void)snprintf(text, size, "exec %s", command);
		err = run_shielded(stream, argv);
	}
	free(argv[0]);
	free(text);
	return err;
}

/* "[user@]host[:port]" or the same as ssh://, as ssh takes it for a host. */
static bool add_hop(struct strings *argv, const char *hop)
{
	size_t size = strlen(hop) + sizeof("ssh://");
	char *text = malloc(size);
	bool ok = text != NULL;

	if (ok) {
		(void)snprintf(text, size, "%s%s",
			       strncmp(hop, "ssh://", 6) ? "ssh://" : "", hop);
		ok = strings_add(argv, "--") && strings_add(argv, text);
	}
	free(text);
	return ok;
}

bool ssh_dial_jump(struct strings *argv, const struct ssh_config *config,
		   const struct options *options)
{
	const char *comma = strrchr(config->proxy_jump, ',');
	const char *last = comma ? comma + 1 : config->proxy_jump;
	size_t size = strlen(config->hostname) + 32;
	char *target = malloc(size);
	char *rest = comma ? strndup(config->proxy_jump,
				     (size_t)(comma - config->proxy_jump))
			   : NULL;
	bool ok = target && (!comma || rest) && strings_add(argv, "ssh");

	if (ok && options->ssh_config)
		ok = strings_add(argv, "-F") &&
		     strings_add(argv, options->ssh_config);
	if (ok && rest)
		ok = strings_add(argv, "-J") && strings_add(argv, rest);
	if (ok) {
		(void)snprintf(target, size, "[%s]:%u", config->hostname,
			       config->port);
		ok = strings_add(argv, "-W") && strings_add(argv, target) &&
		     add_hop(argv, last);
	}
	free(target);
	free(rest);
	return ok;
}

static enum csftp_err dial_jump(struct csftp_stream *stream,
				const struct ssh_config *config,
				const struct options *options)
{
	struct strings argv = {0};
	enum csftp_err err = CSFTP_ERR_NOMEM;

	if (ssh_dial_jump(&argv, config, options))
		err = run_shielded(stream, argv.item);
	strings_release(&argv);
	return err;
}

enum csftp_err ssh_dial(struct csftp_stream *stream, struct ssh_config *config,
			const struct options *options, const struct talk *talk,
			char peer[SSH_DIAL_NAME_MAX])
{
	peer[0] = '\0';
	if (config->proxy_command) {
		talk_detail(talk, "connecting by %s", config->proxy_command);
		return dial_command(stream, config);
	}
	if (config->proxy_jump) {
		talk_detail(talk, "connecting by way of %s",
			    config->proxy_jump);
		return dial_jump(stream, config, options);
	}
	return dial_tcp(stream, config, talk, peer);
}
