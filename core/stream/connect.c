#include "csftp/stream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/stream/lookup.h"

/*
 * A peer that is gone without a word is noticed within some ten seconds, and
 * one that does not answer at all is not waited for much longer.
 */
static void look_after(int fd)
{
	const struct timeval patience = {.tv_sec = 15};
	const struct {
		int option;
		int value;
	} tcp[] = {
		{TCP_NODELAY, 1}, {TCP_KEEPIDLE, 5},	     {TCP_KEEPINTVL, 2},
		{TCP_KEEPCNT, 3}, {TCP_USER_TIMEOUT, 10000},
	};
	int one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			 sizeof(patience)); /* of connect(2) */
	for (size_t i = 0; i < sizeof(tcp) / sizeof(*tcp); i++)
		(void)setsockopt(fd, IPPROTO_TCP, tcp[i].option, &tcp[i].value,
				 sizeof(tcp[i].value));
}

static int connect_one(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC,
			ai->ai_protocol);

	if (fd < 0)
		return -1;
	look_after(fd);
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
		int err = errno == EINPROGRESS ? ETIMEDOUT : errno;

		(void)close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

enum csftp_err stream_lookup_err(int err)
{
	switch (err) {
	case EAI_AGAIN:
		return CSFTP_ERR_LOOKUP;
	case EAI_MEMORY:
		return CSFTP_ERR_NOMEM;
	case EAI_SYSTEM:
		return CSFTP_ERR_IO;
	default:
		return CSFTP_ERR_NO_HOST;
	}
}

enum csftp_err csftp_stream_connect(struct csftp_stream *stream,
				    const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int fd = -1;
	int err = getaddrinfo(host, port, &hints, &list);

	if (err)
		return stream_lookup_err(err);
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai);
	freeaddrinfo(list);
	if (fd < 0)
		return CSFTP_ERR_IO;
	if (csftp_stream_fds(stream, fd, fd) == CSFTP_OK)
		return CSFTP_OK;
	(void)close(fd);
	return CSFTP_ERR_IO;
}
