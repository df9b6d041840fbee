#include "tests/lib/subsystem.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/csftpd.h"
#include "tests/lib/sample.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/* How long a server that nobody talks to any more may take to end. */
#define LIMIT_MS 60000

/*
 * The shell stays, to see how the server ends; it is what sshd waits for, so
 * the session lasts as long as both.
 */
static void write_program(const struct subsystem *served)
{
	char server[PROC_PATH_MAX], text[8 * PROC_PATH_MAX];

	proc_server(server);
	proc_print(text, sizeof(text),
		   "#!/bin/sh\n"
		   "echo $$ >>'%s/started'\n"
		   "'%s' -d '%s' \"$@\" 2>>'%s/said'\n"
		   "echo $? >>'%s/ended'\n",
		   served->dir, server, served->files, served->dir,
		   served->dir);
	file_write(served->program, text, strlen(text));
	assert_int_equal(chmod(served->program, 0755), 0);
}

/* For subsystem_sh(): what the scripts are told. */
static void write_environment(const struct subsystem *served)
{
	const struct passwd *user = getpwuid(geteuid());
	char path[PROC_PATH_MAX], text[10 * PROC_PATH_MAX];

	assert_non_null(user);
	proc_print(text, sizeof(text),
		   "files='%s' local='%s' program='%s'\n"
		   "config='%s' key='%s' known_hosts='%s'\n"
		   "port=%d host=" SSHD_HOST " user='%s'\n"
		   "export HOME='%s/home'\n"
		   "cd \"$local\"\n",
		   served->files, served->local, served->program,
		   served->sshd.client, served->sshd.key,
		   served->sshd.known_hosts, served->sshd.port, user->pw_name,
		   served->dir);
	proc_print(path, sizeof(path), "%.4000s/environment", served->dir);
	file_write(path, text, strlen(text));
}

int subsystem_make(void **state)
{
	struct subsystem *served = calloc(1, sizeof(*served));

	assert_non_null(served);
	*state = served;
	umask(022);
	scratch_make(served->dir);
	proc_print(served->files, PROC_PATH_MAX, "%.4000s/files", served->dir);
	proc_print(served->local, PROC_PATH_MAX, "%.4000s/local", served->dir);
	proc_print(served->program, PROC_PATH_MAX, "%.4000s/server",
		   served->dir);
	write_program(served);
	write_environment(served);
	return 0;
}

int subsystem_make_daemon(void **state)
{
	int err = subsystem_make(state);

	((struct subsystem *)*state)->daemon = true;
	return err;
}

static void stop(struct subsystem *served)
{
	if (served->daemon)
		csftpd_drop(&served->sshd);
	else
		sshd_stop(&served->sshd);
}

int subsystem_release(void **state)
{
	struct subsystem *served = *state;

	mounted_drop(&served->mounted);
	stop(served);
	scratch_remove(served->dir);
	free(served);
	return 0;
}

int subsystem_clear(void **state)
{
	struct subsystem *served = *state;

	mounted_drop(&served->mounted);
	/* It holds on to the directory that is to be made anew. */
	if (served->daemon)
		csftpd_drop(&served->sshd);
	return proc_sh(0,
		       "cd '%s' && rm -rf files local home started said ended "
		       "&& mkdir files local home && touch started said ended",
		       served->dir);
}

void subsystem_by_sshd(struct subsystem *served)
{
	if (served->sshd.pid != 0)
		return;
	if (served->daemon)
		csftpd_start(&served->sshd,
			     "Subsystem sftp internal-sftp -d %s\n",
			     served->files);
	else
		sshd_start(&served->sshd, served->program);
	write_environment(served);
}

void subsystem_by_dropbear(struct subsystem *served)
{
	char home[PROC_PATH_MAX];

	proc_print(home, sizeof(home), "%.4000s/dropbear-home", served->dir);
	if (served->sshd.pid != 0)
		return;
	if (mkdir(home, 0700) != 0)
		assert_int_equal(errno, EEXIST);
	dropbear_start(&served->sshd, served->program, home);
	write_environment(served);
}

const char *subsystem_local(const struct subsystem *served, const char *name,
			    char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.3800s/%s", served->local, name);
	return path;
}

const char *subsystem_file(const struct subsystem *served, const char *name,
			   char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.3800s/%s", served->files, name);
	return path;
}

void subsystem_sample(const struct subsystem *served, unsigned with)
{
	char path[PROC_PATH_MAX];

	sample_make(subsystem_local(served, "tree", path), with);
}

void subsystem_assert_both_ways(const struct subsystem *served, unsigned what)
{
	char one[PROC_PATH_MAX], two[PROC_PATH_MAX];

	subsystem_local(served, "tree", one);
	assert_same_tree(one, subsystem_file(served, "tree", two), what);
	assert_same_tree(one, subsystem_local(served, "back", two), what);
}

void subsystem_sh(const struct subsystem *served, const char *script)
{
	must_sh(". '%s/environment'\n%s", served->dir, script);
}

/* A process that is not our child can be waited for, but not its status. */
static void await_end(pid_t pid)
{
	struct pollfd ended = {.events = POLLIN};

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0) {
		assert_int_equal(errno, ESRCH);
		return;
	}
	if (poll(&ended, 1, LIMIT_MS) != 1)
		fail_msg("a server runs without a client");
	close(ended.fd);
}

static void read_record(const struct subsystem *served, const char *name,
			char *text, size_t size)
{
	char path[PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%.4000s/%s", served->dir, name);
	text[file_read(path, text, size - 1)] = '\0';
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* It ends only once all sessions have; it has counted them. */
static size_t end_daemon(struct subsystem *served, char *text, size_t size)
{
	const char *line;

	csftpd_ctl(&served->sshd, text, size, "status");
	line = strstr(text, "\nsessions ");
	assert_non_null(line);
	csftpd_end(&served->sshd);
	return (size_t)strtoul(line + 10, NULL, 10);
}

size_t subsystem_assert_ended(struct subsystem *served)
{
	char text[16384], *next = text, *end;
	size_t started;
	long number;

	if (served->daemon)
		return end_daemon(served, text, sizeof(text));

	read_record(served, "started", text, sizeof(text));
	started = count_lines(text);
	for (number = strtol(next, &end, 10); end != next;
	     number = strtol(next, &end, 10)) {
		await_end((pid_t)number);
		next = end;
	}
	read_record(served, "ended", text, sizeof(text));
	if (count_lines(text) != started)
		fail_msg("of %zu sessions ended: %s", started, text);
	next = text;
	for (number = strtol(next, &end, 10); end != next;
	     number = strtol(next, &end, 10)) {
		if (number != 0 && number != 1)
			fail_msg("a server ended with status %ld", number);
		next = end;
	}
	return started;
}

void subsystem_assert_well(struct subsystem *served)
{
	char text[16384];

	if (subsystem_assert_ended(served) == 0)
		fail_msg("no session was served by our server");
	if (served->daemon) {
		csftpd_log(&served->sshd, text, sizeof(text));
		csftpd_drop(&served->sshd);
		if (text[0])
			fail_msg("csftpd says: %s", text);
		return;
	}
	read_record(served, "said", text, sizeof(text));
	if (text[0])
		fail_msg("csftp-server says: %s", text);
	read_record(served, "ended", text, sizeof(text));
	if (strspn(text, "0\n") != strlen(text))
		fail_msg("sessions ended with: %s", text);
}
