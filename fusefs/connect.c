#include "fusefs/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool add_all(struct strings *argv, const struct strings *from)
{
	bool ok = true;

	for (size_t i = 0; ok && i < from->count; i++)
		ok = strings_add(argv, from->item[i]);
	return ok;
}

static bool add_joined(struct strings *argv, const char *key, const char *value)
{
	size_t size = strlen(key) + strlen(value) + 1;
	char *text = malloc(size);
	bool ok = text != NULL;

	if (ok) {
		(void)snprintf(text, size, "%s%s", key, value);
		ok = strings_add(argv, text);
	}
	free(text);
	return ok;
}

bool connect_argv(const struct options *options, struct strings *argv)
{
	static const char *const fixed[] = {
		"-x",
		"-a",
		"-oClearAllForwardings=yes",
		"-oRemoteCommand=none",
		"-oRequestTTY=no",
	};
	const char *server =
		options->sftp_server ? options->sftp_server : "sftp";
	bool subsystem = !strchr(server, '/');
	bool ok = true;

	if (options->ssh_command.count > 0)
		ok = add_all(argv, &options->ssh_command);
	else
		ok = strings_add(argv, "ssh");
	for (size_t i = 0; ok && i < sizeof(fixed) / sizeof(*fixed); i++)
		ok = strings_add(argv, fixed[i]);
	if (ok && options->ssh_config)
		ok = strings_add(argv, "-F") &&
		     strings_add(argv, options->ssh_config);
	if (ok && options->port)
		ok = add_joined(argv, "-oPort=", options->port);
	if (ok && options->compression)
		ok = strings_add(argv, "-oCompression=yes");
	ok = ok && add_all(argv, &options->ssh_options);
	if (ok && subsystem)
		ok = strings_add(argv, "-s");
	return ok && strings_add(argv, "--") &&
	       strings_add(argv, options->login) && strings_add(argv, server);
}

/* Descriptors of our own, as 0 and 1 are to be /dev/null or a terminal. */
static enum csftp_err take_stdio(struct csftp_stream *stream)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	enum csftp_err err = CSFTP_ERR_IO;
	int why;

	if (in >= 0 && out >= 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(null, STDOUT_FILENO) >= 0)
		err = csftp_stream_fds(stream, in, out);
	why = errno;
	if (err && in >= 0)
		(void)close(in);
	if (err && out >= 0)
		(void)close(out);
	if (null > STDERR_FILENO)
		(void)close(null);
	errno = why;
	return err;
}

/*
 * A key pressed on the terminal interrupts all that was started from there.
 * The mount unmounts then, and needs its connection to the end; ssh keeps
 * ignoring what is ignored when it starts, except while it asks for something.
 */
static enum csftp_err spawn_shielded(struct csftp_stream *stream,
				     char *const argv[])
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

enum csftp_err connect_open(const struct options *options,
			    struct csftp_stream *stream)
{
	struct strings argv = {0};
	enum csftp_err err = CSFTP_ERR_NOMEM;

	if (options->passive)
		return take_stdio(stream);
	if (options->directport)
		return csftp_stream_connect(stream, options->host,
					    options->directport);
	if (connect_argv(options, &argv))
		err = spawn_shielded(stream, argv.item);
	strings_release(&argv);
	return err;
}
