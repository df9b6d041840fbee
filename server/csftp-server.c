/* csftp-server: the sftp subsystem of an SSH server, on stdin and stdout. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/version.h"
#include "csftp/serve.h"
#include "server/options.h"
#include "server/pump.h"
#include "server/session.h"

static void keep_pace(void *arg)
{
	session_keep_pace(arg);
}

static int serve(const struct server_options *options)
{
	struct session session;
	enum csftp_err err = CSFTP_OK;
	bool opened = session_open(&session, options);

	if (opened)
		err = pump_session(session.serve, STDIN_FILENO, STDOUT_FILENO,
				   keep_pace, &session);
	if (opened && err != CSFTP_ERR_EOF)
		session_fatal(&session, "session ended: %s",
			      csftp_strerror(err));
	session_close(&session);
	return err == CSFTP_ERR_EOF ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Whoever started us may have closed some of the three: a file that got one of
 * their numbers would have the log or the protocol written to it.
 */
static void fill_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		/* In a chroot without it: what cannot be read or written. */
		if (fd < 0)
			fd = open("/", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int show_requests(void)
{
	const char *name;

	for (int i = 0; (name = csftp_serve_request_name(i)); i++)
		puts(name);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int complain(const struct server_options *options)
{
	if (options->why[0])
		fprintf(stderr, "csftp-server: %s\n", options->why);
	else
		fputs(server_usage, stderr);
	return EXIT_FAILURE;
}

static int act(enum server_action action, const struct server_options *options)
{
	switch (action) {
	case SERVER_SERVE:
		return serve(options);
	case SERVER_HELP:
		fputs(server_usage, stdout);
		return EXIT_SUCCESS;
	case SERVER_VERSION:
		puts("csftp-server " CSFTP_VERSION);
		return EXIT_SUCCESS;
	case SERVER_REQUESTS:
		return show_requests();
	case SERVER_ERROR:
		break;
	}
	return complain(options);
}

int main(int argc, char **argv)
{
	struct server_options options;
	int status;

	fill_standard_files();
	(void)signal(SIGPIPE, SIG_IGN);
	status = act(server_options_parse(&options, argc, argv), &options);
	server_options_release(&options);
	return status;
}
