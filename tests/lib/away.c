#include "tests/lib/away.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX 16384

static int make(void **state, enum transport transport)
{
	struct away *away = calloc(1, sizeof(*away));

	if (!away)
		return -1;
	*state = away;
	away->proxy.control = -1;
	mounted_serve(&away->mounted, transport);
	proxy_start(&away->proxy,
		    transport == DIRECT_CSFTP ? away->mounted.direct.port
					      : away->mounted.sshd.port,
		    0);
	away->mounted.direct.port = away->proxy.port;
	proc_print(away->log, PROC_PATH_MAX, "%.4000s/log", away->mounted.dir);
	return 0;
}

int away_make_direct(void **state)
{
	return make(state, DIRECT_CSFTP);
}

int away_make_ssh(void **state)
{
	return make(state, SSH_OPENSSH);
}

int away_make_native(void **state)
{
	return make(state, NATIVE_OPENSSH);
}

int away_make_libssh2(void **state)
{
	return make(state, LIBSSH2_OPENSSH);
}

int away_release(void **state)
{
	struct away *away = *state;

	if (away->child > 0)
		proc_stop(away->child);
	/* Where a test failed, the mount may wait for a server. */
	if (away->mounted.pid > 0) {
		kill(away->mounted.pid, SIGTERM);
		kill(away->mounted.pid, SIGTERM);
	}
	mounted_drop(&away->mounted);
	if (away->proxy.pid > 0)
		proxy_stop(&away->proxy);
	mounted_stop(&away->mounted);
	free(away);
	return 0;
}

void away_mount(struct away *away, const char *options)
{
	char list[PROC_PATH_MAX + 64];
	const char *const append[] = {"-f", "-o", list, NULL};
	char **argv;
	int fd = open(away->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	proc_print(list, sizeof(list), "%s", options ? options : "rw");
	if (away->mounted.transport != DIRECT_CSFTP)
		proc_print(list, sizeof(list), "port=%d,%s", away->proxy.port,
			   options ? options : "rw");
	argv = mounted_argv(&away->mounted, away->mounted.served,
			    away->mounted.point, append);
	away->mounted.pid = proc_start(argv, -1, -1, fd);
	mounted_argv_free(argv);
	close(fd);
	mounted_await(&away->mounted);
}

void away_path(const char *top, const char *name, char path[PROC_PATH_MAX])
{
	proc_print(path, PROC_PATH_MAX, "%.2000s/%.2000s", top, name);
}

int away_open(const struct away *away, const char *name, int flags)
{
	char path[PROC_PATH_MAX];
	int fd;

	away_path(away->mounted.point, name, path);
	fd = open(path, flags | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

void away_serve(const struct away *away, const char *name, const char *text)
{
	char path[PROC_PATH_MAX];

	away_path(away->mounted.served, name, path);
	file_write(path, text, strlen(text));
}

void away_assert_served(const struct away *away, const char *name,
			const char *want)
{
	char path[PROC_PATH_MAX], text[1024];
	size_t len;

	away_path(away->mounted.served, name, path);
	len = file_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	assert_string_equal(text, want);
}

bool away_said(const struct away *away, const char *what)
{
	char text[LOG_MAX];
	size_t len = file_read(away->log, text, sizeof(text) - 1);

	text[len] = '\0';
	return strstr(text, what) != NULL;
}

void away_nap(void)
{
	(void)poll(NULL, 0, 20);
}

void away_await(const struct away *away, const char *what)
{
	while (!away_said(away, what))
		away_nap();
}

void away_write(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void away_fill(const struct away *away, const char *dir, unsigned count)
{
	must_sh("mkdir '%s/%s'; cd '%s/%s'; seq -f 'name-%%g' %u | "
		"xargs touch",
		away->mounted.served, dir, away->mounted.served, dir, count);
}

void away_go_down(struct away *away)
{
	proxy_refuse(&away->proxy, true);
	proxy_cut(&away->proxy);
	away_await(away, "lost");
}

void away_come_back(struct away *away)
{
	proxy_refuse(&away->proxy, false);
	assert_int_equal(kill(away->mounted.pid, SIGUSR1), 0);
	away_await(away, "is back");
}
