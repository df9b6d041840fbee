#include "fusefs/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX (1024 * 1024)

/* How long a program may take to end once its output has. */
#define GRACE_MS 1000U

bool run_program(char *const argv[], char **out, int *status)
{
	struct csftp_stream stream;
	char *text = malloc(OUTPUT_MAX);
	size_t len = 0;
	bool ended = false;

	if (!text || csftp_stream_spawn(&stream, argv) != CSFTP_OK) {
		free(text);
		return false;
	}
	(void)shutdown(stream.wfd, SHUT_WR);
	while (!ended && len < OUTPUT_MAX - 1) {
		struct pollfd fd = {.fd = stream.rfd, .events = POLLIN};
		ssize_t n;

		(void)poll(&fd, 1, -1);
		n = read(stream.rfd, text + len, OUTPUT_MAX - 1 - len);
		if (n > 0)
			len += (size_t)n;
		ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	}
	text[len] = '\0';
	*status = csftp_stream_close(&stream, GRACE_MS);
	*out = text;
	return true;
}

/* ssh keeps ignoring what is ignored at its start, but while it asks. */
enum csftp_err run_shielded(struct csftp_stream *stream, char *const argv[])
{
	static const int numbers[] = {SIGINT, SIGQUIT, SIGHUP};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction old[3];
	enum csftp_err err;
	int why;

	for (size_t i = 0; i < 3; i++)
		(void)sigaction(numbers[i], &ignore, &old[i]);
	err = csftp_stream_spawn(stream, argv);
	why = errno;
	for (size_t i = 0; i < 3; i++)
		(void)sigaction(numbers[i], &old[i], NULL);
	errno = why;
	return err;
}
