/* Options of sshfs: what the parser, --help and the manual say of them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/connect.h"
#include "fusefs/options.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define TEXT_MAX 131072

struct parsed {
	struct options options;
	enum options_action action;
	char why[OPTIONS_WHY_MAX];
};

static void parse(struct parsed *parsed, const char *option)
{
	char *text = strdup(option);
	char *argv[] = {(char[]){"csftpfs"},
			(char[]){"host:/dir"},
			(char[]){"/mnt"},
			(char[]){"-o"},
			text,
			NULL};

	*parsed = (struct parsed){0};
	parsed->action = options_parse(&parsed->options, 5, argv, parsed->why);
	free(text); /* the words have changed places */
}

static void assert_fine(struct parsed *parsed, const char *option)
{
	parse(parsed, option);
	assert_string_equal(parsed->why, "");
	assert_int_equal(parsed->action, OPTIONS_MOUNT);
}

static void assert_refused(const char *option, const char *why)
{
	struct parsed parsed;

	parse(&parsed, option);
	assert_int_equal(parsed.action, OPTIONS_ERROR);
	assert_non_null(strstr(parsed.why, why));
	options_release(&parsed.options);
}

static void links_are_contained_unless_somebody_says_otherwise(void **state)
{
	static const struct {
		const char *option;
		bool contain, rebase, follow;
	} rows[] = {
		{"ro", true, false, false},
		{"symlinks=contain", true, false, false},
		{"symlinks=rebase", false, true, false},
		{"symlinks=raw", false, false, false},
		{"symlinks=follow", true, false, true},
		{"transform_symlinks", true, true, false},
		{"no_contain_symlinks", false, false, false},
		{"no_contain_symlinks,transform_symlinks", false, true, false},
		{"no_contain_symlinks,contain_symlinks", true, false, false},
		{"follow_symlinks", true, false, true},
		{"symlinks=raw,symlinks=contain", true, false, false},
		{"modules=subdir,subdir=x,rellinks", true, true, false},
	};
	struct parsed parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct options *o = &parsed.options;

		assert_fine(&parsed, rows[i].option);
		assert_int_equal(o->contain_links, rows[i].contain);
		assert_int_equal(o->rebase_links, rows[i].rebase);
		assert_int_equal(o->follow_links, rows[i].follow);
		options_release(&parsed.options);
	}
	assert_refused("symlinks=none", "contain, rebase");
}

static void owners_are_mapped_as_wished(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_fine(&parsed, "idmap=name,nomap=ignore,owner=caller");
	assert_int_equal(parsed.options.idmap, IDMAP_NAME);
	assert_int_equal(parsed.options.nomap, NOMAP_IGNORE);
	assert_true(parsed.options.owner_caller);
	options_release(&parsed.options);
	assert_fine(&parsed, "idmap=file,uidfile=/u,gidfile=/g,nomap=error");
	assert_string_equal(parsed.options.uidfile, "/u");
	assert_string_equal(parsed.options.gidfile, "/g");
	assert_int_equal(parsed.options.nomap, NOMAP_ERROR);
	options_release(&parsed.options);
	assert_fine(&parsed, "owner");
	assert_false(parsed.options.owner_caller);
	options_release(&parsed.options);
	assert_refused("idmap=group", "none, user, file or name");
	assert_refused("idmap=file", "uidfile or gidfile");
	assert_fine(&parsed, "idmap=user,uidfile=/u");
	assert_int_equal(parsed.options.idmap, IDMAP_USER);
	assert_null(parsed.options.uidfile);
	options_release(&parsed.options);
	assert_fine(&parsed, "gidfile=/none");
	assert_int_equal(parsed.options.idmap, IDMAP_NONE);
	options_release(&parsed.options);
	/* sshfs takes it, and does nothing of the kind. */
	assert_fine(&parsed, "nomap=error");
	options_release(&parsed.options);
	assert_fine(&parsed, "idmap=user,nomap=ignore");
	options_release(&parsed.options);
	assert_refused("idmap=user,nomap=nobody", "idmap=file");
	assert_refused("idmap=name,nomap=maybe", "ignore, error");
	assert_refused("owner=me", "login or caller");
}

static void a_module_for_a_directory_goes_down(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_fine(&parsed, "modules=subdir,subdir=/a/b,norellinks");
	assert_string_equal(parsed.options.dir, "/dir/a/b");
	options_release(&parsed.options);
	assert_refused("modules=subdir", "together");
	assert_refused("subdir=x", "together");
	assert_refused("modules=none", "none but subdir and iconv");
}

static void a_module_for_names_has_two_character_sets(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_fine(&parsed, "modules=iconv:subdir,subdir=x,from_code=LATIN1,"
			     "to_code=UTF-8");
	assert_true(parsed.options.modules_iconv);
	assert_string_equal(parsed.options.from_code, "LATIN1");
	assert_string_equal(parsed.options.to_code, "UTF-8");
	assert_string_equal(parsed.options.dir, "/dir/x");
	options_release(&parsed.options);
	assert_fine(&parsed, "modules=iconv");
	assert_null(parsed.options.from_code);
	assert_null(parsed.options.to_code);
	options_release(&parsed.options);
	assert_refused("from_code=LATIN1", "modules=iconv");
	assert_refused("to_code=LATIN1", "modules=iconv");
	assert_refused("modules=iconv,to_code=", "value");
}

static void workarounds_are_as_sshfs_has_them(void **state)
{
	struct parsed parsed;

	(void)state;
	/* Unlike there, as it is done only where the server has no way. */
	assert_fine(&parsed, "rw");
	assert_true(parsed.options.mend_rename);
	options_release(&parsed.options);
	assert_fine(&parsed, "workaround=none:rename:renamexdev:nobuflimit");
	assert_true(parsed.options.mend_rename);
	assert_false(parsed.options.mend_truncate || parsed.options.mend_stat ||
		     parsed.options.mend_create);
	options_release(&parsed.options);
	assert_fine(&parsed, "workaround=truncate:fstat:createmode");
	assert_true(parsed.options.mend_rename);
	assert_true(parsed.options.mend_truncate && parsed.options.mend_stat &&
		    parsed.options.mend_create);
	options_release(&parsed.options);
	assert_fine(&parsed, "workaround=rename:truncate:fstat:createmode:none:"
			     "nodelaysrv");
	assert_false(parsed.options.mend_rename ||
		     parsed.options.mend_truncate || parsed.options.mend_stat ||
		     parsed.options.mend_create);
	options_release(&parsed.options);
	assert_fine(&parsed, "workaround=truncate:fstat:createmode:rename:"
			     "notruncate:nofstat:nocreatemode:norename");
	assert_false(parsed.options.mend_rename ||
		     parsed.options.mend_truncate || parsed.options.mend_stat ||
		     parsed.options.mend_create);
	options_release(&parsed.options);
	assert_fine(&parsed, "workaround=rename,workaround=norename");
	assert_false(parsed.options.mend_rename);
	options_release(&parsed.options);
	assert_refused("workaround=noise", "none of that name");
}

static void the_connection_can_be_another(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_fine(&parsed, "slave");
	assert_true(parsed.options.passive && parsed.options.foreground);
	options_release(&parsed.options);
	assert_fine(&parsed, "vsock=3:1024,ssh_protocol=2");
	assert_string_equal(parsed.options.vsock, "3:1024");
	options_release(&parsed.options);
	assert_refused("vsock=3", "CID:PORT");
	assert_refused("vsock=3:", "CID:PORT");
	assert_refused("vsock=:5", "CID:PORT");
	assert_refused("vsock=3:x", "CID:PORT");
	assert_refused("vsock=99999999999999999999:5", "CID:PORT");
	assert_refused("vsock=3:1,directport=5", "exclude");
	assert_refused("vsock=3:1,passive", "exclude");
	assert_refused("passive,password_stdin", "password");
	assert_refused("ssh_protocol=1", "none but 2");
	assert_fine(&parsed, "max_conns=16");
	assert_int_equal(parsed.options.max_conns, 16);
	options_release(&parsed.options);
	assert_fine(&parsed, "ro");
	assert_int_equal(parsed.options.max_conns, 1);
	options_release(&parsed.options);
	assert_fine(&parsed, "max_conns=100");
	assert_int_equal(parsed.options.max_conns, 16);
	options_release(&parsed.options);
	assert_refused("max_conns=0", "1 or more");
	assert_refused("passive,max_conns=2", "one connection");
}

static void a_password_is_asked_for_once(void **state)
{
	struct parsed parsed;
	struct strings argv = {0};
	bool found = false;

	(void)state;
	assert_fine(&parsed, "password_stdin");
	assert_true(connect_argv(&parsed.options, &argv));
	for (size_t i = 0; i < argv.count; i++)
		found |= !strcmp(argv.item[i], "-oNumberOfPasswordPrompts=1");
	assert_true(found);
	strings_release(&argv);
	options_release(&parsed.options);
}

static void limits_and_masks_are_numbers(void **state)
{
	struct parsed parsed;
	const struct options *o = &parsed.options;

	(void)state;
	assert_fine(&parsed,
		    "max_write=65536,max_readahead=131072,max_background=7,"
		    "congestion_threshold=5,fmask=133,dmask=022,sync_read,"
		    "sync_readdir,max_threads=4");
	assert_int_equal(o->max_write, 65536);
	assert_int_equal(o->max_readahead, 131072);
	assert_int_equal(o->max_background, 7);
	assert_int_equal(o->congestion, 5);
	assert_int_equal(o->fmask, 0133);
	assert_int_equal(o->dmask, 022);
	assert_true(o->sync_read && o->sync_readdir);
	assert_int_equal(o->umask, -1);
	options_release(&parsed.options);
	assert_fine(&parsed, "max_read=1024,max_write=1024,umask=0,"
			     "fmask=07777,remember=-1");
	assert_int_equal(o->max_read, 1024);
	assert_int_equal(o->max_write, 1024);
	assert_int_equal(o->umask, 0);
	assert_int_equal(o->fmask, 07777);
	assert_int_equal(o->dmask, -1);
	options_release(&parsed.options);
	assert_refused("max_write=x", "bytes");
	assert_refused("max_background=x", "number");
	assert_refused("fmask=9", "octal");
	assert_refused("max_threads=many", "number");
	assert_refused("remember=x", "seconds");
	assert_refused("writeback_cache=yes", "no such cache");
}

static void words_of_fstab_are_for_others(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_fine(&parsed, "defaults,noauto,user,_netdev,nofail,rw,relatime,"
			     "comment=a word,x-systemd.automount,"
			     "x-systemd.idle-timeout=5min,user=me,group");
	options_release(&parsed.options);
	assert_refused("x-", "unknown");
	assert_refused("defaults=1", "no value");
}

/* A value that an option takes, where it takes one. */
static const char *sample_of(const char *name)
{
	static const char *const rows[][2] = {
		{"cache", "=yes"},
		{"dir_cache", "=yes"},
		{"idmap", "=user"},
		{"nomap", "=ignore,idmap=name"},
		{"uidfile", "=/f,idmap=file"},
		{"gidfile", "=/f,idmap=file"},
		{"modules", "=subdir,subdir=x"},
		{"subdir", "=x,modules=subdir"},
		{"from_code", "=LATIN1,modules=iconv"},
		{"to_code", "=LATIN1,modules=iconv"},
		{"symlinks", "=raw"},
		{"vsock", "=2:5"},
		{"workaround", "=none"},
		{"ssh_protocol", "=2"},
		{"writeback_cache", "=no"},
		{"max_read", "=65536"},
		{"max_write", "=65536"},
		{"transport", "=ssh"},
		{"on_disconnect", "=wait"},
		{"durability", "=close"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!strcmp(rows[i][0], name))
			return rows[i][1];
	}
	return "=7";
}

/* With or without a value. */
static bool is_taken(const char *name)
{
	char option[256];
	struct parsed parsed;
	bool taken;

	if (!strcmp(name, "x-"))
		name = "x-systemd.automount";
	parse(&parsed, name);
	taken = parsed.action == OPTIONS_MOUNT;
	options_release(&parsed.options);
	if (taken)
		return true;
	proc_print(option, sizeof(option), "%s%s", name, sample_of(name));
	parse(&parsed, option);
	taken = parsed.action == OPTIONS_MOUNT;
	options_release(&parsed.options);
	return taken;
}

static bool is_word(int c)
{
	return isalnum(c) || c == '_' || c == '-';
}

/* Whether a text has it as a word of its own. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		if ((at == text || !is_word((unsigned char)at[-1])) &&
		    (word[len - 1] == '-' || !is_word((unsigned char)at[len])))
			return true;
	}
	return false;
}

/* Without the backslashes of roff. */
static char *read_manual(void)
{
	FILE *file = fopen("man/csftpfs.1", "re");
	char *text = calloc(1, TEXT_MAX);
	size_t len = 0;

	assert_non_null(text);
	if (!file) {
		free(text);
		skip_because("not run in the source tree");
	}
	for (int c = getc(file); c != EOF; c = getc(file))
		if (c != '\\' && len < TEXT_MAX - 1)
			text[len++] = (char)c;
	fclose(file);
	return text;
}

static void what_the_parser_takes_is_in_help_and_manual(void **state)
{
	char *manual = read_manual();
	char *help = calloc(1, TEXT_MAX);
	FILE *out = fmemopen(help, TEXT_MAX, "w");

	(void)state;
	assert_non_null(out);
	options_help(out);
	fclose(out);
	for (size_t i = 0; options_name(i); i++) {
		if (!has_word(help, options_name(i)))
			fail_msg("--help lacks %s", options_name(i));
		if (!has_word(manual, options_name(i)))
			fail_msg("the manual lacks %s", options_name(i));
	}
	free(help);
	free(manual);
}

/* The next row of the manual's table: ".TP", ".B name", ".I verdict". */
static const char *next_row(const char *at, char name[64], char verdict[64])
{
	at = strstr(at, "\n.TP\n.B ");
	if (!at || sscanf(at, "\n.TP\n.B %63s\n.I %63s", name, verdict) != 2)
		return NULL;
	return at + 1;
}

static const char *the_table(char *manual)
{
	char *table = strstr(manual, "\n.SS Options of sshfs\n");
	char *end;

	assert_non_null(table);
	end = strstr(table, "\n.SH BEHAVIOUR");
	assert_non_null(end);
	*end = '\0';
	return table;
}

static void the_table_says_what_the_parser_does(void **state)
{
	char *manual = read_manual();
	const char *at = the_table(manual);
	char name[64], verdict[64];
	unsigned rows = 0;

	(void)state;
	for (; (at = next_row(at, name, verdict)) != NULL; rows++) {
		bool refused = !strcmp(verdict, "refused");

		if (!refused && strcmp(verdict, "same") != 0 &&
		    strcmp(verdict, "always") != 0 &&
		    strcmp(verdict, "partly") != 0)
			fail_msg("%s: what is %s?", name, verdict);
		if (is_taken(name) == refused)
			fail_msg("%s is %s", name,
				 refused ? "not refused" : "refused");
	}
	assert_in_range(rows, 100, 300);
	free(manual);
}

static bool is_row(const char *table, const char *wanted)
{
	char name[64], verdict[64];

	while ((table = next_row(table, name, verdict)) != NULL) {
		if (!strcmp(name, wanted))
			return true;
	}
	return false;
}

/* The names in a line of sshfs --help: "-o name=X", "-o [no]name". */
static void check_line(const char *table, const char *line)
{
	const char *at = strstr(line, "-o ");
	char name[64];
	size_t len;

	if (!at || at != line + strspn(line, " "))
		return;
	at += 3;
	/* Three of one kind, which the others stand for; those of ssh. */
	if (strchr(at, '{') == at + strcspn(at, " \n") - 1 ||
	    !strncmp(at, "dcache_{", 8) || !strncmp(at, "SSHOPT", 6) ||
	    !strncmp(at, "opt,", 4))
		return;
	if (!strncmp(at, "[no]", 4))
		at += 4;
	len = strcspn(at, "= \t\n");
	assert_in_range(len, 1, sizeof(name) - 1);
	memcpy(name, at, len);
	name[len] = '\0';
	if (!is_row(table, name))
		fail_msg("the table lacks %s", name);
}

static void each_option_of_sshfs_is_in_the_table(void **state)
{
	char *argv[] = {(char[]){"sshfs"}, (char[]){"--help"}, NULL};
	char *help = calloc(1, TEXT_MAX);
	char *manual = read_manual();
	const char *table = the_table(manual);
	unsigned lines = 0;

	(void)state;
	skip_without("sshfs");
	(void)proc_capture(argv, 10000, help, TEXT_MAX);
	for (char *line = strtok_r(help, "\n", &argv[0]); line;
	     line = strtok_r(NULL, "\n", &argv[0]), lines++)
		check_line(table, line);
	assert_true(lines > 40);
	free(help);
	free(manual);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(
			links_are_contained_unless_somebody_says_otherwise),
		cmocka_unit_test(owners_are_mapped_as_wished),
		cmocka_unit_test(a_module_for_a_directory_goes_down),
		cmocka_unit_test(a_module_for_names_has_two_character_sets),
		cmocka_unit_test(workarounds_are_as_sshfs_has_them),
		cmocka_unit_test(the_connection_can_be_another),
		cmocka_unit_test(a_password_is_asked_for_once),
		cmocka_unit_test(limits_and_masks_are_numbers),
		cmocka_unit_test(words_of_fstab_are_for_others),
		cmocka_unit_test(what_the_parser_takes_is_in_help_and_manual),
		cmocka_unit_test(the_table_says_what_the_parser_does),
		cmocka_unit_test(each_option_of_sshfs_is_in_the_table),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
