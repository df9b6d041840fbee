/* csftp-server: the sftp subsystem of an SSH server, on stdin and stdout. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/version.h"
#include "csftp/serve.h"
#include "server/options.h"
#include "server/pump.h"
#include "server/sandbox.h"
#include "server/session.h"

#define HOUR_US 3600000000U

/* Of SSH_CONNECTION; "UNKNOWN" where there is none. */
static void learn_address(char *out, size_t size)
{
	const char *connection = getenv("SSH_CONNECTION");
	size_t len = connection ? strcspn(connection, " ") : 0;

	if (len == 0 || len >= size)
		(void)snprintf(out, size, "UNKNOWN");
	else
		(void)snprintf(out, size, "%.*s", (int)len, connection);
}

/* Not when nobody reads standard output any more. */
static void keep_pace(void *arg)
{
	uint64_t wait_us = session_wait_us(arg);
	struct pollfd reader = {.fd = STDOUT_FILENO};

	if (wait_us > HOUR_US)
		wait_us = HOUR_US;
	if (wait_us > 0)
		(void)poll(&reader, 1, (int)((wait_us + 999) / 1000));
}

static bool enter_sandbox(const struct tree *tree)
{
	const struct server_options *options = tree->options;
	const struct sandbox_config config = {
		.root = tree->jail,
		.read_only = options->read_only,
		.log_fd = tree->log->fd,
	};
	struct sandbox_state state;

	if (options->sandbox == SANDBOX_OFF) {
		sandbox_harden();
		return true;
	}
	if (sandbox_enter(&config, &state)) {
		log_say(tree->log, LEVEL_DEBUG1,
			"sandbox: seccomp and Landlock version %d",
			state.landlock);
		return true;
	}
	if (options->sandbox == SANDBOX_REQUIRE) {
		log_fatal(tree->log, "sandbox: %s", state.why);
		return false;
	}
	log_say(tree->log, LEVEL_VERBOSE, "sandbox: goes without %s",
		state.why);
	return true;
}

/* All of what one process serves, for one client. */
struct service {
	struct log log;
	struct tree tree;
	struct session session;
	char address[256];
};

static bool open_service(struct service *service,
			 const struct server_options *options)
{
	const struct session_config config = {
		.tree = &service->tree,
		.address = service->address,
	};

	learn_address(service->address, sizeof(service->address));
	log_open(&service->log, &options->log);
	if (options->has_umask)
		umask((mode_t)options->umask);
	return tree_open(&service->tree, options, &service->log, 0, NULL) &&
	       session_open(&service->session, &config) &&
	       enter_sandbox(&service->tree);
}

static int serve(const struct server_options *options)
{
	struct service service = {0};
	enum csftp_err err = CSFTP_OK;
	bool opened = open_service(&service, options);

	if (opened)
		err = pump_session(service.session.serve, STDIN_FILENO,
				   STDOUT_FILENO, keep_pace, &service.session);
	if (opened && err != CSFTP_ERR_EOF)
		log_fatal(&service.log, "session ended: %s",
			  csftp_strerror(err));
	session_close(&service.session);
	tree_close(&service.tree);
	log_close(&service.log);
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
