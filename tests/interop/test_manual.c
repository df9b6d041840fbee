/* What the documentation lists is what there is, and the reverse. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/proc.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

#define TEXT_MAX 131072

static struct served served;
static struct csftp_fs *memfs;
static char text[TEXT_MAX];

/* Without the backslashes of roff. */
static void read_page(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t len = 0;

	if (!file)
		skip_because("not run in the source tree");
	for (int c = getc(file); c != EOF; c = getc(file))
		if (c != '\\' && len < sizeof(text) - 1)
			text[len++] = (char)c;
	text[len] = '\0';
	fclose(file);
}

/* The list stands in one block that begins with the first extension. */
static void the_manual_lists_what_is_announced_in_order(void **state)
{
	struct wire_rd rd = {.next = served.greeting.data.ptr,
			     .left = served.greeting.data.len};
	const char *at;

	(void)state;
	read_page("man/csftp-server.8");
	at = strstr(text, "\nposix-rename@openssh.com ");
	assert_non_null(at);
	while (rd.left > 0) {
		struct wire_bytes name = wire_rd_string(&rd, 64);
		struct wire_bytes version = wire_rd_string(&rd, 64);
		char listed[64], listed_version[64];

		assert_int_equal(
			sscanf(at, "\n%63s %63s", listed, listed_version), 2);
		assert_int_equal(strlen(listed), name.len);
		assert_memory_equal(listed, name.ptr, name.len);
		if (version.len == 1)
			assert_int_equal(listed_version[0], version.ptr[0]);
		at = strchr(at + 1, '\n');
		assert_non_null(at);
	}
	assert_int_equal(strncmp(at, "\n.RE", 4), 0);
}

static void the_readme_has_them_all(void **state)
{
	(void)state;
	read_page("README.md");
	for (int kind = SFTP_EXT_FIRST; kind < SFTP_KINDS; kind++) {
		char row[80];

		proc_print(row, sizeof(row), "| `%s`",
			   sftp_kind_name((enum sftp_kind)kind));
		assert_non_null(strstr(text, row));
	}
}

/* Names stand in their table as {"name", set_...; false: it has no more. */
static bool next_name(const char **at, char name[64])
{
	for (*at = strstr(*at, "\t{\""); *at; *at = strstr(*at, "\t{\"")) {
		int len = 0;

		*at += 3;
		if (sscanf(*at, "%63[A-Za-z0-9_]\", %n", name, &len) == 1 &&
		    len > 0)
			return true;
	}
	return false;
}

static unsigned check_table(const char *table, const char *page)
{
	static char source[TEXT_MAX];
	const char *at = source;
	unsigned count = 0;
	char name[64];

	read_page(table);
	memcpy(source, text, sizeof(source));
	read_page(page);
	for (; next_name(&at, name); count++) {
		if (!strstr(text, name))
			fail_msg("%s is not in %s", name, page);
	}
	return count;
}

static void the_manuals_have_every_keyword_of_a_table(void **state)
{
	(void)state;
	assert_true(check_table("server/csftpd/settings_words.c",
				"man/csftpd_config.5") > 50);
	assert_true(check_table("fusefs/options.c", "man/csftpfs.1") > 60);
	assert_true(check_table("fusefs/options_sshfs.c", "man/csftpfs.1") >
		    60);
}

/* Options begin a line of a help, and are what a ".TP" of a page is of. */
static void a_manual_and_a_help_have_the_same_options(void **state)
{
	static const struct {
		const char *program;
		const char *page;
	} rows[] = {{"csftpfs", "man/csftpfs.1"},
		    {"csftpd", "man/csftpd.8"},
		    {"csftp-server", "man/csftp-server.8"}};
	char dir[PROC_PATH_MAX], program[PROC_PATH_MAX];

	(void)state;
	scratch_make(dir);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_page(rows[i].page);
		proc_built(program, rows[i].program);
		must_sh("page=$PWD/%s\n"
			"cd '%s'\n"
			"options() {\n"
			"\ttr , ' ' | grep -oE '(^| )--?[A-Za-z][-A-Za-z]*' |\n"
			"\ttr -d ' ' | sort -u\n"
			"}\n"
			"'%s' --help >help\n"
			"options <help >named\n"
			"sed -n 's/^  -/-/p' help | sed 's/   *[^-A-Z].*//' |\n"
			"options >shown\n"
			"sed 's/\\\\f[BIPR]//g; s/\\\\-/-/g; s/\"//g' $page |\n"
			"awk 'last == \".TP\" { print } { last = $0 }' |\n"
			"sed -n 's/^\\(\\.[BIR]* \\)*-/-/p' | options "
			">entries\n"
			"test $(wc -l <entries) -ge 10\n"
			"comm -23 shown entries >missing\n"
			"comm -23 entries named >>missing\n"
			"cat missing >&2\n"
			"test ! -s missing\n",
			rows[i].page, dir, program);
	}
	scratch_remove(dir);
}

static int set_up(void **state)
{
	struct csftp_serve_config config = {.handles = 1};

	(void)state;
	if (csftp_memfs_new(&memfs, NULL) != CSFTP_OK)
		return -1;
	config.fs = memfs;
	served_start(&served, &config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	served_stop(&served);
	csftp_memfs_free(memfs);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(the_manual_lists_what_is_announced_in_order),
		cmocka_unit_test(the_readme_has_them_all),
		cmocka_unit_test(the_manuals_have_every_keyword_of_a_table),
		cmocka_unit_test(a_manual_and_a_help_have_the_same_options),
	};

	return cmocka_run_group_tests(claims, set_up, tear_down) != 0;
}
