/* csftp-server: the sftp subsystem of an SSH server, on stdin and stdout. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/version.h"
#include "csftp/serve.h"
#include "csftp/stream.h"
#include "server/options.h"
#include "server/session.h"

/* Until the client has gone and has, if it can, what was meant for it. */
static enum csftp_err serve_session(struct session *session)
{
	struct csftp_link *link = csftp_serve_link(session->serve);
	struct csftp_stream stream;
	enum csftp_err err;

	err = csftp_stream_fds(&stream, STDIN_FILENO, STDOUT_FILENO);
	while (err == CSFTP_OK) {
		session_keep_pace(session);
		err = csftp_stream_step(&stream, link, -1);
	}
	csftp_link_close(link, err);
	while (err != CSFTP_ERR_IO && csftp_link_wants(link) & CSFTP_WANT_OUT)
		if (csftp_stream_step(&stream, link, -1) == CSFTP_ERR_IO)
			break;
	return err;
}

static int serve(const struct server_options *options)
{
	struct session session;
	enum csftp_err err = CSFTP_OK;
	bool opened = session_open(&session, options);

	if (opened)
		err = serve_session(&session);
	if (opened && err != CSFTP_ERR_EOF)
		session_fatal(&session, "session ended: %s",
			      csftp_strerror(err));
	session_close(&session);
	return err == CSFTP_ERR_EOF ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The descriptors are shared with whoever started us; a terminal left
 * non-blocking would surprise the shell.
 */
static int serve_and_restore(const struct server_options *options)
{
	int in_flags = fcntl(STDIN_FILENO, F_GETFL);
	int out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	int status = serve(options);

	if (in_flags >= 0)
		(void)fcntl(STDIN_FILENO, F_SETFL, in_flags);
	if (out_flags >= 0)
		(void)fcntl(STDOUT_FILENO, F_SETFL, out_flags);
	return status;
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
		return serve_and_restore(options);
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
