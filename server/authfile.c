#include "server/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const struct authfile *file, unsigned line, const char *text)
{
	if (file->say)
		file->say(file->arg, file->path, line, text);
}

static bool is_owned(const struct authfile *file, const struct stat *st)
{
	return st->st_uid == file->uid || st->st_uid == 0;
}

static bool is_open_to_others(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Cuts off the last name; false: it was "/". */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/*
 * From the true place of the file upwards.  Where all of these are the user's
 * own or root's, nobody else can put another file in its place meanwhile.
 * NULL, or what is wrong.
 */
static const char *judge_place(const struct authfile *file,
			       const struct stat *opened)
{
	char path[PATH_MAX], home[PATH_MAX];
	struct stat st;

	if (!is_owned(file, opened))
		return "has an owner that is neither the user nor root";
	if (is_open_to_others(opened))
		return "can be written to by others";
	if (!realpath(file->path, path) || stat(path, &st) < 0 ||
	    st.st_dev != opened->st_dev || st.st_ino != opened->st_ino)
		return "is not where it was a moment ago";
	if (!file->home || !realpath(file->home, home))
		home[0] = '\0';
	while (go_up(path)) {
		if (stat(path, &st) < 0 || !is_owned(file, &st))
			return "is in a directory that has an owner that is "
			       "neither the user nor root";
		if (is_open_to_others(&st))
			return "is in a directory that others can write to";
		if (strcmp(path, home) == 0)
			break;
	}
	return NULL;
}

/* -1 where there is nothing to read; that was said, if it is worth a word. */
static int open_file(const struct authfile *file)
{
	/* Not to wait for a pipe's other end. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *wrong = NULL;
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			say(file, 0, "cannot be opened");
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		wrong = "is not a file";
	else if (file->strict)
		wrong = judge_place(file, &st);
	if (!wrong)
		return fd;
	say(file, 0, wrong);
	close(fd);
	return -1;
}

/* The lines of a file, each at the start of buf in its turn. */
struct reader {
	int fd;
	unsigned line; /* number of the one at the start */
	bool too_long; /* of which this is the end */
	bool at_end;
	size_t total;
	size_t len;
	char buf[SSH_AUTHKEYS_LINE_MAX + 1];
};

/* NULL, or why nothing more can be read. */
static const char *fill(struct reader *reader)
{
	size_t room = sizeof(reader->buf) - reader->len;
	ssize_t n;

	if (room > AUTHFILE_MAX - reader->total)
		room = AUTHFILE_MAX - reader->total;
	if (room == 0)
		return "is too long, the rest does not count";
	do
		n = read(reader->fd, reader->buf + reader->len, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return "cannot be read";
	reader->at_end = n == 0;
	reader->len += (size_t)n;
	reader->total += (size_t)n;
	return NULL;
}

/* What a line says; true: it lets the peer in. */
static bool try_line(const struct authfile *file, const struct reader *reader,
		     size_t len, const struct ssh_authkeys_peer *peer,
		     struct ssh_authkeys_grant *grant)
{
	enum ssh_authkeys_verdict verdict;
	const char *why;

	if (reader->too_long)
		return false;
	verdict = ssh_authkeys_line(reader->buf, len, peer, grant, &why);
	if (why)
		say(file, reader->line, why);
	return verdict == SSH_AUTHKEYS_GRANTED;
}

static void drop_line(struct reader *reader, size_t len)
{
	reader->len -= len;
	memmove(reader->buf, reader->buf + len, reader->len);
	reader->too_long = false;
	reader->line++;
}

/* More than fits has no end yet: only that end is waited for. */
static void drop_start(const struct authfile *file, struct reader *reader)
{
	if (!reader->too_long)
		say(file, reader->line, "too long");
	reader->too_long = true;
	reader->len = 0;
}

/* The lines that are there; true: one lets the peer in. */
static bool try_lines(const struct authfile *file, struct reader *reader,
		      const struct ssh_authkeys_peer *peer,
		      struct ssh_authkeys_grant *grant)
{
	const char *end;

	while (reader->len > 0) {
		size_t len = reader->len;

		end = memchr(reader->buf, '\n', len);
		if (end)
			len = (size_t)(end - reader->buf) + 1;
		if (!end && len == sizeof(reader->buf))
			drop_start(file, reader);
		if (!end && !reader->at_end)
			break;
		if (try_line(file, reader, len, peer, grant))
			return true;
		drop_line(reader, len);
	}
	return false;
}

bool authfile_grants(const struct authfile *file,
		     const struct ssh_authkeys_peer *peer,
		     struct ssh_authkeys_grant *grant)
{
	struct reader reader = {.line = 1};
	const char *wrong = NULL;
	bool granted = false;

	reader.fd = open_file(file);
	if (reader.fd < 0)
		return false;
	while (!granted && !wrong && !reader.at_end) {
		wrong = fill(&reader);
		if (!wrong)
			granted = try_lines(file, &reader, peer, grant);
	}
	if (wrong)
		say(file, 0, wrong);
	close(reader.fd);
	return granted;
}

static uint64_t digits(const struct tm *tm)
{
	uint64_t day = (uint64_t)(tm->tm_year + 1900) * 10000 +
		       (uint64_t)(tm->tm_mon + 1) * 100 + (uint64_t)tm->tm_mday;

	return day * 1000000 + (uint64_t)tm->tm_hour * 10000 +
	       (uint64_t)tm->tm_min * 100 + (uint64_t)tm->tm_sec;
}

void authfile_set_time(struct ssh_authkeys_peer *peer, time_t now)
{
	struct tm utc, local;

	/* A time that is none would let keys in that have expired. */
	peer->now_utc = gmtime_r(&now, &utc) ? digits(&utc) : UINT64_MAX;
	peer->now_local =
		localtime_r(&now, &local) ? digits(&local) : UINT64_MAX;
}
