#include "tests/lib/csftpd.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"

/* When nothing at all happens for so long, something is wrong. */
enum { QUIET_MS = 60000, LOG_MAX = 1 << 20 };

void csftpd_program(char path[PROC_PATH_MAX])
{
	const char *other = getenv("CSFTP_TEST_DAEMON");

	if (other)
		proc_print(path, PROC_PATH_MAX, "%s", other);
	else
		proc_built(path, "csftpd");
}

static void path_of(const struct sshd *sshd, const char *name,
		    char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.4000s/%s", sshd->dir, name);
}

__attribute__((format(printf, 2, 0))) static void
configure(struct sshd *sshd, const char *lines, va_list args)
{
	char text[32768], path[PROC_PATH_MAX];
	size_t used;

	proc_print(text, sizeof(text),
		   "Port %d\n"
		   "ListenAddress 127.0.0.1\n"
		   "HostKey %s/host\n"
		   "AuthorizedKeysFile %s/user.pub\n"
		   "StrictModes no\n"
		   "ControlSocket %s/control\n",
		   sshd->port, sshd->dir, sshd->dir, sshd->dir);
	used = strlen(text);
	(void)vsnprintf(text + used, sizeof(text) - used - 32, lines, args);
	assert_true(strlen(text) < sizeof(text) - 64);
	used = strlen(text);
	proc_print(text + used, sizeof(text) - used,
		   "LogLevel ERROR\n"
		   "PerSourcePenalties no\n"
		   "Sandbox require\n");
	path_of(sshd, "csftpd_config", path);
	file_write(path, text, strlen(text));
}

/* Where it says that it is ready; the path is short as it has to be. */
static int open_notify(const struct sshd *sshd, char path[PROC_PATH_MAX])
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	path_of(sshd, "notify", path);
	assert_true(fd >= 0 && strlen(path) < sizeof(at.sun_path));
	memcpy(at.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* False: it has ended instead. */
static bool await_ready(int fd, pid_t pid)
{
	struct pollfd told = {.fd = fd, .events = POLLIN};
	char text[256];
	ssize_t got;

	for (int waited = 0; waited < QUIET_MS; waited += 50) {
		siginfo_t info = {.si_pid = 0};

		if (poll(&told, 1, 50) == 1) {
			got = recv(fd, text, sizeof(text) - 1, 0);
			assert_true(got > 0);
			text[got] = '\0';
			if (strstr(text, "READY=1"))
				return true;
		}
		if (waitid(P_PID, (id_t)pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == pid)
			return false;
	}
	fail_msg("csftpd does not get ready");
	return false;
}

static bool launch(struct sshd *sshd)
{
	char program[PROC_PATH_MAX], notify[PROC_PATH_MAX];
	char log[PROC_PATH_MAX], script[5 * PROC_PATH_MAX];
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {shell, flag, script, NULL};
	int fd = open_notify(sshd, notify);
	bool ready;

	csftpd_program(program);
	path_of(sshd, "log", log);
	proc_print(script, sizeof(script),
		   "NOTIFY_SOCKET='%s' exec '%s' -D -e -f '%s/csftpd_config' "
		   "2>>'%s'",
		   notify, program, sshd->dir, log);
	sshd->pid = proc_start(argv, -1, -1, -1);
	ready = await_ready(fd, sshd->pid);
	close(fd);
	if (!ready)
		proc_stop(sshd->pid);
	return ready;
}

/* Another process may take the port in between: then once more. */
__attribute__((format(printf, 2, 0))) static void
start(struct sshd *sshd, const char *lines, va_list args)
{
	char text[LOG_MAX];

	for (int attempt = 0; attempt < 5; attempt++) {
		va_list again;

		sshd_choose_port(sshd);
		va_copy(again, args);
		configure(sshd, lines, again);
		va_end(again);
		if (launch(sshd))
			return;
		sshd->pid = 0;
		csftpd_log(sshd, text, sizeof(text));
		if (!strstr(text, "Address already in use"))
			break;
	}
	csftpd_drop(sshd);
	fail_msg("csftpd does not start: %s", text);
}

void csftpd_start(struct sshd *sshd, const char *lines, ...)
{
	char log[PROC_PATH_MAX];
	va_list args;

	*sshd = (struct sshd){0};
	sshd_make_keys(sshd);
	path_of(sshd, "log", log);
	file_write(log, "", 0);
	va_start(args, lines);
	start(sshd, lines, args);
	va_end(args);
}

void csftpd_restart(struct sshd *sshd, const char *lines, ...)
{
	va_list args;

	assert_int_equal(sshd->pid, 0);
	va_start(args, lines);
	start(sshd, lines, args);
	va_end(args);
}

void csftpd_log(const struct sshd *sshd, char *text, size_t size)
{
	char path[PROC_PATH_MAX];

	path_of(sshd, "log", path);
	text[file_read(path, text, size - 1)] = '\0';
}

void csftpd_await_log(const struct sshd *sshd, const char *text)
{
	char log[LOG_MAX];

	for (int waited = 0; waited < QUIET_MS; waited += 20) {
		csftpd_log(sshd, log, sizeof(log));
		if (strstr(log, text))
			return;
		(void)poll(NULL, 0, 20);
	}
	fail_msg("\"%s\" is not in the log: %s", text, log);
}

void csftpd_ctl(const struct sshd *sshd, char *text, size_t size,
		const char *words, ...)
{
	char program[PROC_PATH_MAX], script[3 * PROC_PATH_MAX], list[1024];
	char shell[] = "sh", flag[] = "-c";
	char *argv[] = {shell, flag, script, NULL};
	va_list args;
	int status;

	va_start(args, words);
	(void)vsnprintf(list, sizeof(list), words, args);
	va_end(args);
	csftpd_program(program);
	proc_print(script, sizeof(script), "exec '%s' ctl -s '%s/control' %s",
		   program, sshd->dir, list);
	status = proc_capture(argv, QUIET_MS, text, size);
	if (status != 0)
		fail_msg("ctl %s: status %d: %s", list, status, text);
}

unsigned long csftpd_fact(const struct sshd *sshd, const char *key)
{
	char text[8192], wanted[64];
	const char *line;

	csftpd_ctl(sshd, text, sizeof(text), "status");
	proc_print(wanted, sizeof(wanted), "\n%s ", key);
	line = strstr(text, wanted);
	if (!line)
		fail_msg("no %s in: %s", key, text);
	return strtoul(line + strlen(wanted), NULL, 10);
}

void csftpd_await_fact(const struct sshd *sshd, const char *key,
		       unsigned long value)
{
	for (int waited = 0; waited < QUIET_MS; waited += 20) {
		if (csftpd_fact(sshd, key) == value)
			return;
		(void)poll(NULL, 0, 20);
	}
	fail_msg("%s does not get %lu, it is %lu", key, value,
		 csftpd_fact(sshd, key));
}

struct csftpd_size csftpd_size(const struct sshd *sshd)
{
	struct csftpd_size size = {.memory_kb = 0};
	char path[64], line[256];
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	proc_print(path, sizeof(path), "/proc/%d/smaps_rollup", sshd->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "Rss:", 4) == 0)
			size.memory_kb = strtoul(line + 4, NULL, 10);
	fclose(file);
	proc_print(path, sizeof(path), "/proc/%d/fd", sshd->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		size.files += entry->d_name[0] != '.';
	closedir(dir);
	assert_true(size.memory_kb > 0 && size.files > 0);
	return size;
}

void csftpd_end(struct sshd *sshd)
{
	int status;
	char text[LOG_MAX];

	assert_int_equal(kill(sshd->pid, SIGTERM), 0);
	status = proc_wait(sshd->pid, QUIET_MS);
	if (status != 0) {
		if (status == -1)
			proc_stop(sshd->pid);
		sshd->pid = 0;
		csftpd_log(sshd, text, sizeof(text));
		fail_msg("csftpd ended with %d: %s", status, text);
	}
	sshd->pid = 0;
}

void csftpd_end_well(struct sshd *sshd)
{
	char text[LOG_MAX];

	csftpd_end(sshd);
	csftpd_log(sshd, text, sizeof(text));
	csftpd_drop(sshd);
	if (text[0])
		fail_msg("csftpd says: %s", text);
}

void csftpd_drop(struct sshd *sshd)
{
	if (sshd->pid > 0)
		proc_stop(sshd->pid);
	sshd->pid = 0;
	if (sshd->dir[0])
		scratch_remove(sshd->dir);
	sshd->dir[0] = '\0';
}
