/*
 * An SFTP server for a file tree in memory, on standard input and output:
 *	cc serve_memfs.c $(pkg-config --cflags --libs csftp) -o serve_memfs
 *	sftp -D ./serve_memfs
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "csftp/memfs.h"
#include "csftp/serve.h"
#include "csftp/stream.h"

static struct csftp_time now(void *arg)
{
	(void)arg;
	return (struct csftp_time){.sec = time(NULL)};
}

/* With an argument, each request and each answer is shown. */
static void show(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static enum csftp_err run(struct csftp_serve *serve)
{
	struct csftp_link *link = csftp_serve_link(serve);
	struct csftp_stream stream;
	enum csftp_err err;

	err = csftp_stream_fds(&stream, STDIN_FILENO, STDOUT_FILENO);
	while (err == CSFTP_OK)
		err = csftp_stream_step(&stream, link, -1);
	csftp_link_close(link, err);
	/* What the client has not read yet; it may still be listening. */
	while (err != CSFTP_ERR_IO && csftp_link_wants(link) & CSFTP_WANT_OUT)
		if (csftp_stream_step(&stream, link, -1) == CSFTP_ERR_IO)
			break;
	return err;
}

int main(int argc, char **argv)
{
	struct csftp_memfs_config tree = {
		.uid = getuid(), .gid = getgid(), .clock = now};
	struct csftp_serve_config config = {.trace = argc > 1 ? show : NULL};
	struct csftp_serve *serve = NULL;
	enum csftp_err err;

	(void)argv;
	(void)signal(SIGPIPE, SIG_IGN);
	err = csftp_memfs_new(&config.fs, &tree);
	if (err == CSFTP_OK)
		err = csftp_serve_new(&serve, &config);
	if (err == CSFTP_OK)
		err = run(serve);
	csftp_serve_free(serve);
	csftp_memfs_free(config.fs);
	if (err == CSFTP_ERR_EOF)
		return EXIT_SUCCESS;
	fprintf(stderr, "serve_memfs: %s\n", csftp_strerror(err));
	return EXIT_FAILURE;
}
