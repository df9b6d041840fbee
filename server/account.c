#include "server/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csftp/stream.h"

#define GETENT	 "/usr/bin/getent"
#define GRACE_MS 2000
#define TEXT_MAX 16384 /* one entry */

enum { USER_FIELDS = 7, GROUP_FIELDS = 4, FIELDS_MAX = USER_FIELDS };

/* False: the file has ended.  What is longer than the room is cut. */
static bool next_line(struct account *out, FILE *file, bool *cut)
{
	char *end;
	int c;

	if (!fgets(out->line, sizeof(out->line), file))
		return false;
	end = strchr(out->line, '\n');
	*cut = !end && !feof(file);
	if (end)
		*end = '\0';
	if (!*cut)
		return true;
	do
		c = getc(file);
	while (c != '\n' && c != EOF);
	return true;
}

static bool is_number(const char *text, unsigned *out)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*out = (unsigned)value;
	return !*end && errno == 0 && value <= UINT32_MAX;
}

/* Between colons, cut out where they stand; how many there are. */
static size_t split(char *line, char *field[FIELDS_MAX])
{
	size_t count = 0;

	while (line && count < FIELDS_MAX) {
		field[count++] = line;
		line = strchr(line, ':');
		if (line)
			*line++ = '\0';
	}
	return count;
}

/*
 * Both begin with name, password and number.  fgetpwent_r(3) and fgetgrent_r(3)
 * read such lines as well, but the latter has to have room for all members of a
 * group, of which there is no end; and neither leaves out the rules for merging
 * ("+", "-"), which it shows as entries.
 */
static bool next_entry(struct account *out, FILE *file, size_t fields)
{
	char *field[FIELDS_MAX];
	bool cut;

	while (next_line(out, file, &cut)) {
		size_t count = split(out->line, field);

		if (strchr("+-#", *out->line) || count < fields ||
		    (cut && fields == USER_FIELDS) ||
		    !is_number(field[2], &out->id))
			continue;
		out->name = field[0];
		out->home = fields == USER_FIELDS ? field[5] : "";
		return true;
	}
	return false;
}

bool account_next_user(struct account *out, FILE *file)
{
	return next_entry(out, file, USER_FIELDS);
}

bool account_next_group(struct account *out, FILE *file)
{
	return next_entry(out, file, GROUP_FIELDS);
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

static bool find_by_services(struct account *out, size_t fields,
			     const char *key)
{
	const char *database = fields == USER_FIELDS ? "passwd" : "group";
	char text[TEXT_MAX];
	size_t len = ask_services(database, key, text, sizeof(text));
	FILE *file = len > 0 ? fmemopen(text, len, "r") : NULL;
	bool found = file && next_entry(out, file, fields);

	if (file)
		(void)fclose(file);
	return found;
}

/* By name, or by number where there is none. */
static bool find_in_file(struct account *out, size_t fields, const char *name,
			 unsigned id)
{
	const char *path = fields == USER_FIELDS ? "/etc/passwd" : "/etc/group";
	FILE *file = fopen(path, "re");
	bool found = false;

	if (!file)
		return false;
	while (!found && next_entry(out, file, fields))
		found = name ? strcmp(out->name, name) == 0 : out->id == id;
	(void)fclose(file);
	return found;
}

static bool find_number(struct account *out, size_t fields, unsigned id)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%u", id);
	return find_in_file(out, fields, NULL, id) ||
	       find_by_services(out, fields, key);
}

bool account_user(struct account *out, uid_t uid)
{
	return find_number(out, USER_FIELDS, uid);
}

bool account_user_named(struct account *out, const char *name)
{
	/* Of a number services would take the user who has it. */
	return find_in_file(out, USER_FIELDS, name, 0) ||
	       (find_by_services(out, USER_FIELDS, name) &&
		strcmp(out->name, name) == 0);
}

bool account_group(struct account *out, gid_t gid)
{
	return find_number(out, GROUP_FIELDS, gid);
}
