#include "server/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "csftp/stream.h"

#define GETENT	 "/usr/bin/getent"
#define GRACE_MS 2000
#define TEXT_MAX 16384 /* one entry */

static bool is_rule(const char *name)
{
	return *name == '+' || *name == '-';
}

const struct passwd *account_next_user(FILE *file)
{
	const struct passwd *pw;

	do
		pw = fgetpwent(file);
	while (pw && is_rule(pw->pw_name));
	return pw;
}

const struct group *account_next_group(FILE *file)
{
	const struct group *gr;

	do
		gr = fgetgrent(file);
	while (gr && is_rule(gr->gr_name));
	return gr;
}

/* All that comes, as far as there is room: of a group, not all its members. */
static size_t read_all(int fd, char *room, size_t len)
{
	size_t have = 0;
	ssize_t got;

	do {
		got = read(fd, room + have, len - have);
		if (got > 0)
			have += (size_t)got;
	} while ((got > 0 && have < len) || (got < 0 && errno == EINTR));
	return have;
}

/* What getent(1) says of the key; 0 bytes where it says nothing. */
static size_t ask_services(const char *database, const char *key, char *room,
			   size_t len)
{
	char what[16], whom[256];
	char *argv[] = {(char[]){GETENT}, what, (char[]){"--"}, whom, NULL};
	struct csftp_stream stream;
	size_t have = 0;

	if (strlen(key) >= sizeof(whom) || access(GETENT, X_OK) != 0)
		return 0;
	(void)snprintf(what, sizeof(what), "%s", database);
	(void)snprintf(whom, sizeof(whom), "%s", key);
	if (csftp_stream_spawn(&stream, argv) != CSFTP_OK)
		return 0;
	/* Streams do not wait, but here that is all there is to do. */
	if (fcntl(stream.rfd, F_SETFL, 0) == 0)
		have = read_all(stream.rfd, room, len);
	(void)csftp_stream_close(&stream, GRACE_MS);
	return have;
}

static const struct passwd *user_of_services(const char *key)
{
	char text[TEXT_MAX];
	size_t len = ask_services("passwd", key, text, sizeof(text));
	FILE *file = len > 0 ? fmemopen(text, len, "r") : NULL;
	const struct passwd *pw = NULL;

	if (file) {
		pw = account_next_user(file);
		(void)fclose(file);
	}
	return pw;
}

static const struct group *group_of_services(const char *key)
{
	char text[TEXT_MAX];
	size_t len = ask_services("group", key, text, sizeof(text));
	FILE *file = len > 0 ? fmemopen(text, len, "r") : NULL;
	const struct group *gr = NULL;

	if (file) {
		gr = account_next_group(file);
		(void)fclose(file);
	}
	return gr;
}

const struct passwd *account_user(uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;
	char key[24];

	if (file) {
		do
			pw = account_next_user(file);
		while (pw && pw->pw_uid != uid);
		(void)fclose(file);
	}
	(void)snprintf(key, sizeof(key), "%lu", (unsigned long)uid);
	return pw ? pw : user_of_services(key);
}

const struct passwd *account_user_named(const char *name)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	if (file) {
		do
			pw = account_next_user(file);
		while (pw && strcmp(pw->pw_name, name) != 0);
		(void)fclose(file);
	}
	if (pw)
		return pw;
	/* Of a number it would take the user who has it. */
	pw = user_of_services(name);
	return pw && strcmp(pw->pw_name, name) == 0 ? pw : NULL;
}

const struct group *account_group(gid_t gid)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *gr = NULL;
	char key[24];

	if (file) {
		do
			gr = account_next_group(file);
		while (gr && gr->gr_gid != gid);
		(void)fclose(file);
	}
	(void)snprintf(key, sizeof(key), "%lu", (unsigned long)gid);
	return gr ? gr : group_of_services(key);
}
