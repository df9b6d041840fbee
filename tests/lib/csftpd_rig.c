#include "tests/lib/csftpd_rig.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/lib/test.h"

int csftpd_rig_make(void **state)
{
	struct csftpd_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	umask(022);
	scratch_make(rig->dir);
	*state = rig;
	return 0;
}

int csftpd_rig_drop(void **state)
{
	struct csftpd_rig *rig = *state;

	csftpd_drop(&rig->sshd);
	scratch_remove(rig->dir);
	free(rig);
	return 0;
}

void csftpd_rig_configure(struct csftpd_rig *rig)
{
	csftpd_start(&rig->sshd, "%s", "");
	csftpd_end(&rig->sshd);
}

void csftpd_rig_sh(const struct csftpd_rig *rig, const char *format, ...)
{
	char program[PROC_PATH_MAX], script[16384];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(script, sizeof(script), format, args);
	va_end(args);
	csftpd_program(program);
	must_sh("dir='%s' config='%s' key='%s' port=%d host=" SSHD_HOST "\n"
		"csftpd='%s' of='%s'\n"
		"cd \"$dir\"\n"
		"sftp() {\n"
		"\tcommand sftp -q -F $config -b - \"$@\" $host\n"
		"}\n"
		"open_session() {\n"
		"\tmkfifo in\n"
		"\tsftp <in >said 2>&1 &\n"
		"\tclient=$!\n"
		"\texec 9>in\n"
		"\techo \"mkdir $dir/one\" >&9\n"
		"\tuntil test -d one; do sleep 0.05; done\n"
		"}\n"
		"end() {\n"
		"\tkill $pid\n"
		"\twhile kill -0 $pid 2>/dev/null; do sleep 0.05; done\n"
		"}\n"
		"%s",
		rig->dir, rig->sshd.client, rig->sshd.key, rig->sshd.port,
		program, rig->sshd.dir, script);
}

int csftpd_dial(const struct sshd *sshd)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)sshd->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)),
			 0);
	return fd;
}
