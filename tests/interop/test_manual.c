/* What the documentation lists is what the server announces. */
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

/* Keywords stand in their table as {"Keyword", set_... */
static void the_configuration_s_manual_has_every_keyword(void **state)
{
	static char source[TEXT_MAX];
	const char *at = source;
	unsigned count = 0;

	(void)state;
	read_page("server/csftpd/settings_words.c");
	memcpy(source, text, sizeof(source));
	read_page("man/csftpd_config.5");
	while ((at = strstr(at, "\t{\""))) {
		char word[64];

		at += 3;
		if (sscanf(at, "%63[A-Za-z0-9]\", set_", word) != 1 ||
		    strncmp(at + strlen(word), "\", set_", 7) != 0)
			continue;
		count++;
		if (!strstr(text, word))
			fail_msg("%s is not in the manual", word);
	}
	assert_true(count > 50);
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
		cmocka_unit_test(the_configuration_s_manual_has_every_keyword),
	};

	return cmocka_run_group_tests(claims, set_up, tear_down) != 0;
}
