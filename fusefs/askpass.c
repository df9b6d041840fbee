#include "fusefs/askpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WHERE "CSFTPFS_ASKPASS"

/* One line; its length, or -1 and errno. */
static ssize_t read_line(char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	/* One by one: what follows is for somebody else. */
	for (;;) {
		got = read(STDIN_FILENO, text + len, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0 || text[len] == '\n')
			return (ssize_t)len;
		if (++len == size) {
			errno = EMSGSIZE;
			return -1;
		}
	}
}

int askpass_take(void)
{
	char text[ASKPASS_MAX + 1];
	ssize_t len = read_line(text, sizeof(text));
	int fd = -1;
	int why;

	if (len >= 0)
		fd = memfd_create("csftpfs", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, text, (size_t)len) != len) {
		why = errno;
		(void)close(fd);
		errno = why;
		fd = -1;
	}
	explicit_bzero(text, sizeof(text));
	return fd;
}

bool askpass_offer(int fd)
{
	char self[4096];
	char where[64];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = '\0';
	(void)snprintf(where, sizeof(where), "/proc/%ld/fd/%d", (long)getpid(),
		       fd);
	return setenv(WHERE, where, 1) == 0 &&
	       setenv("SSH_ASKPASS", self, 1) == 0 &&
	       setenv("SSH_ASKPASS_REQUIRE", "force", 1) == 0;
}

bool askpass_is_asked(void)
{
	return getenv(WHERE) != NULL;
}

/* ssh says so of some, and of others only in the text. */
static bool is_for_password(const char *question)
{
	return !getenv("SSH_ASKPASS_PROMPT") && !strstr(question, "yes/no") &&
	       !strcasestr(question, "passphrase");
}

int askpass_answer(const char *question)
{
	char text[ASKPASS_MAX + 1];
	const char *where = getenv(WHERE);
	ssize_t len = -1;
	int fd = -1;
	int status = 1;

	if (where && is_for_password(question))
		fd = open(where, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		len = pread(fd, text, ASKPASS_MAX, 0);
	if (len >= 0) {
		text[len] = '\n';
		if (write(STDOUT_FILENO, text, (size_t)len + 1) == len + 1)
			status = 0;
	}
	explicit_bzero(text, sizeof(text));
	return status;
}
