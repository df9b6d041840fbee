#include "tests/lib/mounted.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define ARGS_MAX 32

const char *transport_name(enum transport transport)
{
	static const char *const names[TRANSPORT_COUNT] = {
		[DIRECT_CSFTP] = "csftp-server by TCP",
		[SSH_OPENSSH] = "OpenSSH's sftp-server by ssh",
		[SSH_CSFTP] = "csftp-server by ssh",
		[NATIVE_OPENSSH] = "OpenSSH's sftp-server by our own SSH",
		[NATIVE_CSFTP] = "csftp-server by our own SSH",
		[LIBSSH2_OPENSSH] = "OpenSSH's sftp-server by libssh2",
	};

	return names[transport];
}

/* What the mount program is told, whatever its default is. */
static const char *transport_option(enum transport transport)
{
	static const char *const options[TRANSPORT_COUNT] = {
		[SSH_OPENSSH] = "transport=ssh",
		[SSH_CSFTP] = "transport=ssh",
		[NATIVE_OPENSSH] = "transport=native",
		[NATIVE_CSFTP] = "transport=native",
		[LIBSSH2_OPENSSH] = "transport=libssh2",
	};

	return options[transport];
}

static bool serves_openssh(enum transport transport)
{
	return transport == SSH_OPENSSH || transport == NATIVE_OPENSSH ||
	       transport == LIBSSH2_OPENSSH;
}

bool is_mount_point(const char *path)
{
	FILE *file = fopen("/proc/self/mounts", "re");
	char line[3 * PROC_PATH_MAX];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file)) {
		char *start = strchr(line, ' ');
		char *end = start ? strchr(start + 1, ' ') : NULL;

		if (!end)
			continue;
		*end = '\0';
		found = strcmp(start + 1, path) == 0;
	}
	fclose(file);
	return found;
}

void mounted_serve(struct mounted *mounted, enum transport transport)
{
	char server[PROC_PATH_MAX];
	char *argv[] = {server, NULL};

	*mounted = (struct mounted){.transport = transport};
	proc_server(server);
	if (transport == DIRECT_CSFTP)
		direct_start(&mounted->direct, argv);
	else
		sshd_start(&mounted->sshd, serves_openssh(transport)
						   ? OPENSSH_SFTP_SERVER
						   : server);
	scratch_make(mounted->dir);
	proc_print(mounted->served, PROC_PATH_MAX, "%.4000s/served",
		   mounted->dir);
	proc_print(mounted->point, PROC_PATH_MAX, "%.4000s/point",
		   mounted->dir);
	assert_int_equal(mkdir(mounted->served, 0755), 0);
	assert_int_equal(mkdir(mounted->point, 0755), 0);
}

static void add(char **argv, const char *text)
{
	size_t count = 0;

	while (argv[count])
		count++;
	assert_true(count + 1 < ARGS_MAX);
	argv[count] = strdup(text);
	assert_non_null(argv[count]);
}

char **mounted_argv(const struct mounted *mounted, const char *remote,
		    const char *point, const char *const append[])
{
	char **argv = calloc(ARGS_MAX, sizeof(*argv));
	char text[2 * PROC_PATH_MAX];

	assert_non_null(argv);
	proc_mounter(text);
	add(argv, text);
	if (mounted->transport == DIRECT_CSFTP) {
		proc_print(text, sizeof(text), "directport=%d",
			   mounted->direct.port);
		add(argv, "-o");
		add(argv, text);
	} else {
		add(argv, "-F");
		add(argv, mounted->sshd.client);
		add(argv, "-o");
		add(argv, transport_option(mounted->transport));
	}
	proc_print(text, sizeof(text), "%s:%s",
		   mounted->transport == DIRECT_CSFTP ? "127.0.0.1" : SSHD_HOST,
		   remote);
	add(argv, text);
	add(argv, point);
	for (; append && *append; append++)
		add(argv, *append);
	return argv;
}

void mounted_argv_free(char **argv)
{
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* The kernel tells pollers of the mount table about each change. */
void mounted_await(const struct mounted *mounted)
{
	struct pollfd fds[2] = {{.events = POLLPRI}, {.events = POLLIN}};
	bool ended = false;

	fds[0].fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	fds[1].fd = (int)syscall(SYS_pidfd_open, mounted->pid, 0);
	assert_true(fds[0].fd >= 0 && fds[1].fd >= 0);
	while (!ended && !is_mount_point(mounted->point)) {
		poll(fds, 2, -1);
		ended = fds[1].revents != 0;
	}
	close(fds[0].fd);
	close(fds[1].fd);
	if (ended)
		fail_msg("the mount program ended instead of mounting");
}

void mounted_mount(struct mounted *mounted, const char *options)
{
	const char *const append[] = {"-f", options ? "-o" : NULL, options,
				      NULL};
	char **argv =
		mounted_argv(mounted, mounted->served, mounted->point, append);

	mounted->pid = proc_start(argv, -1, -1, -1);
	mounted_argv_free(argv);
	mounted_await(mounted);
}

void mounted_start(struct mounted *mounted, enum transport transport)
{
	mounted_serve(mounted, transport);
	mounted_mount(mounted, NULL);
}

void mounted_unmount(struct mounted *mounted)
{
	int status;

	must_sh("fusermount3 -u '%s'", mounted->point);
	status = proc_wait(mounted->pid, 30000);
	if (status == -1)
		fail_msg("the mount program still runs after the unmount");
	mounted->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(is_mount_point(mounted->point));
}

void mounted_drop(struct mounted *mounted)
{
	if (mounted->point[0] && is_mount_point(mounted->point) &&
	    umount2(mounted->point, MNT_DETACH) != 0)
		proc_sh(0, "fusermount3 -uz '%s'", mounted->point);
	if (mounted->pid > 0 && proc_wait(mounted->pid, 10000) == -1)
		proc_stop(mounted->pid);
	mounted->pid = 0;
}

void mounted_stop(struct mounted *mounted)
{
	mounted_drop(mounted);
	if (mounted->transport == DIRECT_CSFTP)
		direct_stop(&mounted->direct);
	else
		sshd_stop(&mounted->sshd);
	if (mounted->dir[0])
		scratch_remove(mounted->dir);
	mounted->dir[0] = '\0';
}
