/* What ssh-audit(1) says of the algorithms that csftpd offers. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/csftpd.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000, TEXT_MAX = 65536 };

/*
 * What it minds, and why we offer it all the same.  They are the last of their
 * lists, so that no client has one of them that knows anything better.
 */
static const struct {
	const char *kind;
	const char *name;
	const char *why;
} minded[] = {
	{"kex", "ecdh-sha2-nistp256",
	 "clients of before curve25519 (JSch 0.1, libssh2 before 1.9), and "
	 "those in FIPS 140 mode, that have no other"},
	{"kex", "ecdh-sha2-nistp384", "the same"},
	{"kex", "ecdh-sha2-nistp521", "the same"},
	{"kex", "kex-strict-s-v00@openssh.com",
	 "no algorithm but a mark, younger than some ssh-audits"},
	{"mac", "hmac-sha2-256",
	 "libssh2 before 1.11 and dropbear have no -etm form"},
	{"mac", "hmac-sha2-512", "the same"},
};

#define MINDED (sizeof(minded) / sizeof(minded[0]))

/* What Debian's ssh-audit of later years minds where this one does not. */
static const struct {
	const char *name;
	const char *text;
	const char *why;
} elsewhere[] = {
	{"curve25519-sha256", "post-quantum",
	 "mlkem768x25519-sha256 comes first where libcrypto has ML-KEM"},
	{"curve25519-sha256@libssh.org", "post-quantum", "the same"},
};

struct state {
	struct sshd sshd;
	char text[TEXT_MAX];
};

static int make(void **state)
{
	*state = calloc(1, sizeof(struct state));
	return *state ? 0 : -1;
}

static int drop(void **state)
{
	struct state *all = *state;

	csftpd_drop(&all->sshd);
	free(all);
	return 0;
}

/* Its status tells of the worst that it has found; 1: it could not look. */
static void audit(struct state *all)
{
	char port[16];
	char program[] = "ssh-audit", plain[] = "-n", flag[] = "-p";
	char host[] = "127.0.0.1";
	char *argv[] = {program, plain, flag, port, host, NULL};
	int status;

	skip_without("ssh-audit");
	proc_print(port, sizeof(port), "%d", all->sshd.port);
	status = proc_capture(argv, QUIET_MS, all->text, TEXT_MAX);
	if ((status != 0 && status != 2 && status != 3) ||
	    !strstr(all->text, "\n(mac) "))
		fail_msg("ssh-audit: status %d: %s", status, all->text);
}

/* MINDED: it is not in the list. */
static size_t find(const char *kind, const char *name)
{
	size_t i = 0;

	while (i < MINDED && (strcmp(minded[i].kind, kind) != 0 ||
			      strcmp(minded[i].name, name) != 0))
		i++;
	return i;
}

static bool is_elsewhere(const char *name, const char *line)
{
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(elsewhere[i].name, name) == 0 &&
		    strstr(line, elsewhere[i].text))
			return true;
	return false;
}

struct reader {
	char kind[4];
	char name[64]; /* that the lines are about */
	char last[4];  /* kind of a list that has come to what is minded */
	bool found[MINDED];
};

/* "(kex) NAME -- [info] TEXT", and "   `- [warn] TEXT" with more of NAME. */
static void read_line(struct reader *reader, const char *line)
{
	size_t at;

	if (sscanf(line, "(%3[a-z]) %63s", reader->kind, reader->name) == 2) {
		if (!strstr("kex key enc mac", reader->kind))
			reader->name[0] = '\0';
		at = find(reader->kind, reader->name);
		/* Marks among the methods are none. */
		if (at < MINDED)
			memcpy(reader->last, reader->kind, 4);
		else if (strcmp(reader->last, reader->kind) == 0 &&
			 strcmp(reader->name, "ext-info-s") != 0)
			fail_msg("%s stands behind what is minded",
				 reader->name);
	}
	if (!reader->name[0] ||
	    (!strstr(line, "[warn]") && !strstr(line, "[fail]")))
		return;
	at = find(reader->kind, reader->name);
	if (at < MINDED)
		reader->found[at] = true;
	else if (!is_elsewhere(reader->name, line))
		fail_msg("%s %s: %s", reader->kind, reader->name, line);
}

static void read_all(struct reader *reader, char *text)
{
	char *left, *line = strtok_r(text, "\n", &left);

	for (; line; line = strtok_r(NULL, "\n", &left))
		read_line(reader, line);
}

static void it_minds_what_old_clients_need_and_no_more(void **state)
{
	struct state *all = *state;
	struct reader reader = {.name = ""};

	csftpd_start(&all->sshd, "%s", "");
	audit(all);
	read_all(&reader, all->text);
	/* A row that nobody minds any more argues for nothing. */
	for (size_t i = 0; i < MINDED; i++)
		if (!reader.found[i] && !strstr(minded[i].name, "strict"))
			fail_msg("%s is not minded; it was there for: %s",
				 minded[i].name, minded[i].why);
	csftpd_end_well(&all->sshd);
}

/* The lines of csftpd_config(5), EXAMPLES. */
static void it_minds_nothing_with_two_lines_of_the_manual(void **state)
{
	struct state *all = *state;
	struct reader reader = {.name = ""};

	csftpd_start(&all->sshd, "%s",
		     "KexAlgorithms -ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
		     "ecdh-sha2-nistp521\n"
		     "MACs -hmac-sha2-256,hmac-sha2-512\n");
	audit(all);
	read_all(&reader, all->text);
	for (size_t i = 0; i < MINDED; i++)
		if (reader.found[i] && !strstr(minded[i].name, "strict"))
			fail_msg("%s is minded", minded[i].name);
	csftpd_end_well(&all->sshd);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, make, drop)
	static const struct CMUnitTest claims[] = {
		CLAIM(it_minds_what_old_clients_need_and_no_more),
		CLAIM(it_minds_nothing_with_two_lines_of_the_manual),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
