#include "tests/lib/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/lib/test.h"

static void ready(void *arg)
{
	((struct program *)arg)->ready = true;
}

static bool drive(void *arg)
{
	struct program *program = arg;

	return csftp_stream_step(&program->stream,
				 csftp_remote_link(program->remote),
				 -1) == CSFTP_OK;
}

void program_path(char path[PROC_PATH_MAX])
{
	char built[PROC_PATH_MAX];

	proc_built(built, "csftp-server");
	proc_print(path, PROC_PATH_MAX, "%s%s", built,
		   CSFTP_ASAN ? " --sandbox=off" : "");
}

void program_start(struct program *program, const char *options, ...)
{
	char server[PROC_PATH_MAX], given[8192], line[3 * 8192];
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, line, NULL};
	struct csftp_remote_config config = {.ready = ready, .arg = program};
	va_list args;
	int len;

	va_start(args, options);
	len = vsnprintf(given, sizeof(given), options, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < sizeof(given));
	program_path(server);
	proc_print(line, sizeof(line), "exec %s %s", server, given);
	*program = (struct program){0};
	assert_int_equal(csftp_stream_spawn(&program->stream, argv), CSFTP_OK);
	assert_int_equal(csftp_remote_new(&program->remote, &config), CSFTP_OK);
	program->c.fs = csftp_remote_fs(program->remote);
	program->c.drive = drive;
	program->c.arg = program;
	while (!program->ready)
		assert_true(drive(program));
}

int program_stop(struct program *program)
{
	int status;

	csftp_link_close(csftp_remote_link(program->remote), CSFTP_ERR_EOF);
	fs_caller_release(&program->c);
	csftp_remote_free(program->remote);
	status = csftp_stream_close(&program->stream, 60000);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_put(struct program *program, const char *path, uint32_t flags,
		const char *text, csftp_fh *fh)
{
	int err = fs_open(&program->c, path, flags);

	*fh = program->c.fh;
	return err != 0 ? err
			: fs_write(&program->c, *fh, 0, text, strlen(text));
}

int program_file(struct program *program, const char *path, const char *text)
{
	csftp_fh fh;
	int err =
		fs_open(&program->c, path,
			CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC);
	int closed;

	if (err != 0)
		return err;
	fh = program->c.fh;
	err = fs_write(&program->c, fh, 0, text, strlen(text));
	closed = fs_close(&program->c, fh);
	return err != 0 ? err : closed;
}
