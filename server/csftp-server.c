/* csftp-server: the sftp subsystem of an SSH server, on stdin and stdout. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/version.h"
#include "csftp/serve.h"
#include "server/posixfs.h"
#include "server/pump.h"

static const char usage[] =
	"Usage: csftp-server [-d DIRECTORY]\n"
	"Serves files by SFTP version 3 on standard input and output.\n"
	"\n"
	"  -d DIRECTORY  start there instead of the current directory\n"
	"  -h            show this help and exit\n"
	"  -V            show the version and exit\n"
	"\n"
	"An SSH server starts it: in sshd_config(5),\n"
	"  Subsystem sftp /usr/lib/csftp/csftp-server\n";

/* csftp_serve_config.clock */
static void local_clock(void *arg, int64_t when, int64_t *now, int32_t *offset)
{
	time_t at = (time_t)when;
	struct tm tm;

	(void)arg;
	*now = time(NULL);
	*offset = localtime_r(&at, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static int serve_directory(const char *start)
{
	struct posixfs_config config = {.start = start};
	struct csftp_serve_config serving = {.idname = posixfs_idname,
					     .clock = local_clock};
	struct csftp_serve *serve = NULL;
	struct csftp_fs *fs = NULL;
	enum csftp_err err = posixfs_new(&fs, &config);

	if (err == CSFTP_ERR_IO) {
		fprintf(stderr, "csftp-server: %s: %s\n", start ? start : ".",
			strerror(errno));
		return EXIT_FAILURE;
	}
	serving.fs = fs;
	serving.arg = fs;
	if (err == CSFTP_OK)
		err = csftp_serve_new(&serve, &serving);
	if (err == CSFTP_OK)
		err = pump_session(serve, STDIN_FILENO, STDOUT_FILENO);
	csftp_serve_free(serve);
	posixfs_free(fs);
	if (err == CSFTP_ERR_EOF)
		return EXIT_SUCCESS;
	fprintf(stderr, "csftp-server: session ended: %s\n",
		csftp_strerror(err));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *start = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "d:hV")) != -1) {
		switch (opt) {
		case 'd':
			start = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("csftp-server " CSFTP_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "csftp-server: unexpected argument: %s\n",
			argv[optind]);
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return serve_directory(start);
}
