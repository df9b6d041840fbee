/* The command line of csftpfs, and the ssh command made from it. */
#include <stdlib.h>
#include <string.h>

#include "fusefs/connect.h"
#include "fusefs/options.h"
#include "tests/lib/test.h"

#define WORDS_MAX 32

struct parsed {
	struct options options;
	enum options_action action;
	char why[OPTIONS_WHY_MAX];
};

/* words ends with NULL. */
static void parse_as(struct parsed *parsed, const char *program,
		     const char *const *words)
{
	char *argv[WORDS_MAX + 2] = {strdup(program)};
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = strdup(words[argc - 1]);
	*parsed = (struct parsed){0};
	parsed->action =
		options_parse(&parsed->options, argc, argv, parsed->why);
	while (argc > 0)
		free(argv[--argc]);
}

static void parse(struct parsed *parsed, const char *const *words)
{
	parse_as(parsed, "csftpfs", words);
}

static void parse_target(struct parsed *parsed, const char *target)
{
	parse(parsed, (const char *const[]){target, "/mnt", NULL});
}

static void parse_option(struct parsed *parsed, const char *option)
{
	parse(parsed,
	      (const char *const[]){"host:", "/mnt", "-o", option, NULL});
}

static void assert_refused(struct parsed *parsed, const char *why)
{
	assert_int_equal(parsed->action, OPTIONS_ERROR);
	assert_non_null(strstr(parsed->why, why));
	options_release(&parsed->options);
}

static void assert_target(const char *target, const char *login,
			  const char *host, const char *dir)
{
	struct parsed parsed;

	parse_target(&parsed, target);
	assert_string_equal(parsed.why, "");
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_string_equal(parsed.options.target, target);
	assert_string_equal(parsed.options.login, login);
	assert_string_equal(parsed.options.host, host);
	assert_string_equal(parsed.options.dir, dir);
	options_release(&parsed.options);
}

static void targets_are_taken_apart(void **state)
{
	(void)state;
	assert_target("host:", "host", "host", "");
	assert_target("me@host:/srv", "me@host", "host", "/srv");
	assert_target("host:a:b", "host", "host", "a:b");
	assert_target("[::1]:/x", "::1", "::1", "/x");
	assert_target("me@[fe80::1%eth0]:", "me@fe80::1%eth0", "fe80::1%eth0",
		      "");
	assert_target("me@corp@host:~/d", "me@corp@host", "host", "~/d");
}

static void assert_uri_port(const char *uri, const char *port)
{
	struct parsed parsed;

	parse_target(&parsed, uri);
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	if (port)
		assert_string_equal(parsed.options.port, port);
	else
		assert_null(parsed.options.port);
	options_release(&parsed.options);
}

static void a_target_can_be_a_uri(void **state)
{
	struct parsed parsed;

	(void)state;
	assert_target("sftp://host", "host", "host", "");
	assert_target("sftp://host/", "host", "host", "/");
	assert_target("sftp://me@host:22/srv/a%20b%25", "me@host", "host",
		      "/srv/a b%");
	assert_target("sftp://me%40corp@[::1]:2222/~/d:e", "me@corp@::1", "::1",
		      "~/d:e");
	assert_target("sftp://host/~", "host", "host", "~");
	assert_uri_port("sftp://host:2222/x:1", "2222");
	assert_uri_port("sftp://host/x:1", NULL);
	assert_uri_port("sftp://[::1]:/x", NULL);
	parse(&parsed,
	      (const char *const[]){"-p", "5", "sftp://host:6/", "/mnt", NULL});
	assert_string_equal(parsed.options.port, "5");
	options_release(&parsed.options);
}

static void what_is_no_uri_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{"sftp://", "missing"},
		{"sftp:///srv", "missing"},
		{"sftp://host:x/", "port"},
		{"sftp://host:65536", "port"},
		{"sftp://me:secret@host/", "password"},
		{"sftp://me%3Asecret@host/", "password"},
		{"sftp://me%2fx@host/", "password"},
		{"sftp://host/%4", "'%'"},
		{"sftp://host/%zz", "'%'"},
		{"sftp://host/a%00b", "'%'"},
		{"sftp://-oProxyCommand=x/", "cannot begin"},
		{"sftp://%2doProxyCommand=x/", "cannot begin"},
		{"sftp://[-host]/", "cannot begin"},
		{"sftp://a%2fb/", "host"},
		{"sftp://a%3ab/", "host"},
	};
	struct parsed parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		parse_target(&parsed, bad[i][0]);
		assert_refused(&parsed, bad[i][1]);
	}
}

static void a_host_that_ssh_would_take_for_an_option_is_refused(void **state)
{
	static const char *const bad[] = {
		"-oProxyCommand=touch x:", "-v@host:", "me@-host:", "[-host]:",
		"me@[-oProxyCommand=x]:"};
	struct parsed parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		parse(&parsed,
		      (const char *const[]){"--", bad[i], "/mnt", NULL});
		assert_refused(&parsed, "cannot begin with '-'");
	}
}

static void what_is_no_target_is_refused(void **state)
{
	struct parsed parsed;

	(void)state;
	parse_target(&parsed, "host");
	assert_refused(&parsed, "[user@]host:[dir]");
	parse_target(&parsed, "/local/dir:x");
	assert_refused(&parsed, "[user@]host:[dir]");
	parse_target(&parsed, "[::1");
	assert_refused(&parsed, "[user@]host:[dir]");
	parse_target(&parsed, "me@:dir");
	assert_refused(&parsed, "host is missing");
	parse_target(&parsed, ":");
	assert_refused(&parsed, "host is missing");
	parse(&parsed, (const char *const[]){"host:", NULL});
	assert_refused(&parsed, "mount point");
	parse(&parsed, (const char *const[]){"host:", "a", "b", NULL});
	assert_refused(&parsed, "too many");
}

static void mount_8_has_letters_of_its_own(void **state)
{
	static const char *const mounts[] = {
		"host:", "/mnt", "-s", "-n", "-v", "-o", "rw,noauto", NULL};
	static const char *const fakes[] = {"host:", "/mnt", "-f", NULL};
	static const char *const wrong[] = {"host:", "/mnt", "-f",
					    "-o",    "nope", NULL};
	struct parsed parsed;

	(void)state;
	parse_as(&parsed, "/sbin/mount.csftpfs", mounts);
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_false(parsed.options.foreground);
	options_release(&parsed.options);
	parse_as(&parsed, "mount.fuse.csftpfs", fakes);
	assert_int_equal(parsed.action, OPTIONS_FAKE);
	options_release(&parsed.options);
	parse_as(&parsed, "mount.csftpfs", wrong);
	assert_refused(&parsed, "unknown");
	parse_as(&parsed, "/mount.d/csftpfs", fakes);
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_true(parsed.options.foreground);
	options_release(&parsed.options);
}

/* As libfuse reads them. */
static void owners_below_0_count_from_the_end(void **state)
{
	static const char *const words[] = {"-ouid=-2,gid=-1", "host:", "/mnt",
					    NULL};
	static const char *const last[] = {"-ouid=4294967295", "host:", "/mnt",
					   NULL};
	struct parsed parsed;

	(void)state;
	parse(&parsed, words);
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_true(parsed.options.uid == 4294967294);
	assert_true(parsed.options.gid == 4294967295);
	options_release(&parsed.options);
	parse(&parsed, last);
	assert_true(parsed.options.uid == 4294967295);
	assert_true(parsed.options.gid < 0);
	options_release(&parsed.options);
}

static void letters_and_options_fill_their_fields(void **state)
{
	static const char *const words[] = {
		"-Cfp",
		"2222",
		"host:",
		"-F",
		"cfg",
		"/mnt",
		"-ouid=5,gid=4294967294,umask=027,idmap=user",
		"-o",
		"max_read=65536,entry_timeout=2.5,attr_timeout=0",
		"-o",
		"negative_timeout=3,sftp_server=/usr/lib/x,ro",
		"-o",
		"fsname=n,subtype=s,allow_other,directport=115",
		NULL};
	struct parsed parsed;
	struct options *o = &parsed.options;

	(void)state;
	parse(&parsed, words);
	assert_string_equal(parsed.why, "");
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_true(o->compression && o->foreground);
	assert_false(o->debug || o->passive);
	assert_int_equal(o->idmap, IDMAP_USER);
	assert_string_equal(o->port, "2222");
	assert_string_equal(o->ssh_config, "cfg");
	assert_string_equal(o->mountpoint, "/mnt");
	assert_int_equal(o->uid, 5);
	assert_true(o->gid == 4294967294);
	assert_int_equal(o->umask, 027);
	assert_int_equal(o->max_read, 65536);
	assert_true(o->entry_timeout > 2.4 && o->entry_timeout < 2.6);
	assert_true(o->attr_timeout < 0.1);
	assert_true(o->negative_timeout > 2.9);
	assert_string_equal(o->sftp_server, "/usr/lib/x");
	assert_string_equal(o->fsname, "n");
	assert_string_equal(o->subtype, "s");
	assert_string_equal(o->directport, "115");
	assert_int_equal(o->mount_flags.count, 2);
	assert_string_equal(o->mount_flags.item[0], "ro");
	assert_string_equal(o->mount_flags.item[1], "allow_other");
	options_release(o);
}

static void the_cache_is_set_as_a_whole_and_in_parts(void **state)
{
	struct parsed parsed;
	struct options *o = &parsed.options;

	(void)state;
	parse_option(&parsed, "dir_cache=yes");
	assert_false(o->no_cache);
	assert_true(o->stat_timeout > 19 && o->link_timeout > 19 &&
		    o->dir_timeout > 19);
	options_release(o);
	parse_option(&parsed, "cache=no");
	assert_true(o->no_cache);
	options_release(o);
	parse_option(&parsed, "dcache_timeout=5,dcache_link_timeout=7,"
			      "cache_dir_timeout=0,dcache_max_size=10");
	assert_true(o->stat_timeout > 4.9 && o->stat_timeout < 5.1);
	assert_true(o->link_timeout > 6.9 && o->dir_timeout < 0.1);
	assert_int_equal(o->cache_names, 10);
	options_release(o);
}

/* As sshfs and libfuse read them: no sign, or no less than nothing. */
static void what_is_less_than_nothing_is_what_sshfs_takes_it_for(void **state)
{
	struct parsed parsed;
	struct options *o = &parsed.options;

	(void)state;
	parse_option(&parsed, "entry_timeout=-1,attr_timeout=-0.5,"
			      "negative_timeout=-1,ac_attr_timeout=-1");
	assert_true(o->entry_timeout < 0.1 && o->attr_timeout < 0.1 &&
		    o->negative_timeout < 0.1);
	options_release(o);
	parse_option(&parsed, "dcache_timeout=-1,dcache_clean_interval=-1");
	assert_true(o->stat_timeout > 1e8 && o->link_timeout > 1e8 &&
		    o->dir_timeout > 1e8);
	options_release(o);
	parse_option(&parsed, "cache_dir_timeout=-1,dcache_max_size=-1,"
			      "max_write=-1,max_read=0");
	assert_true(o->dir_timeout > 1e8 && o->stat_timeout < 21);
	assert_true(o->cache_names > 1000000 && o->max_write >= 65536);
	assert_int_equal(o->max_read, 0);
	assert_false(o->no_names);
	options_release(o);
	parse_option(&parsed, "dcache_max_size=0");
	assert_true(o->no_names);
	options_release(o);
	parse_option(&parsed, "cache_max_size=0,dcache_max_size=10");
	assert_false(o->no_names);
	options_release(o);
}

static void what_writers_wait_for_is_said(void **state)
{
	static const struct {
		const char *text;
		enum writebehind_durability durability;
	} cases[] = {
		{"durability=close", WRITEBEHIND_CLOSE},
		{"durability=fsync", WRITEBEHIND_FSYNC},
		{"durability=sync", WRITEBEHIND_SYNC},
		{"durability=async", WRITEBEHIND_ASYNC},
	};
	struct parsed parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parse_option(&parsed, cases[i].text);
		assert_string_equal(parsed.why, "");
		assert_int_equal(parsed.options.durability,
				 cases[i].durability);
		options_release(&parsed.options);
	}
	parse_option(&parsed, "write_behind_max=1048576");
	assert_string_equal(parsed.why, "");
	assert_int_equal(parsed.options.behind_max, 1048576);
	assert_int_equal(parsed.options.durability, WRITEBEHIND_CLOSE);
	options_release(&parsed.options);
}

static void what_sshfs_calls_so_is_called_so(void **state)
{
	struct parsed parsed;
	struct options *o = &parsed.options;

	(void)state;
	parse_option(&parsed,
		     "sshfs_sync,no_readahead,kernel_cache,direct_io,"
		     "disable_hardlink,no_check_root,auto_cache,"
		     "dcache_clean_interval=5,dcache_min_clean_interval=1,"
		     "allow_root,auto_unmount");
	assert_string_equal(parsed.why, "");
	assert_int_equal(o->durability, WRITEBEHIND_SYNC);
	assert_true(o->no_readahead && o->kernel_cache);
	assert_true(o->direct_io && o->no_links && o->no_root_check);
	assert_int_equal(o->mount_flags.count, 2);
	options_release(o);
	parse(&parsed, (const char *const[]){"-s", "host:", "/mnt", NULL});
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	options_release(o);
}

static void debug_implies_the_foreground_and_so_does_passive(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, (const char *const[]){"-d", "host:", "/mnt", NULL});
	assert_true(parsed.options.debug && parsed.options.foreground);
	options_release(&parsed.options);
	parse(&parsed, (const char *const[]){":", "/mnt", "-opassive", NULL});
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_true(parsed.options.passive && parsed.options.foreground);
	options_release(&parsed.options);
}

static void a_backslash_protects_commas_and_spells_bytes(void **state)
{
	struct parsed parsed;

	(void)state;
	parse_option(&parsed, "fsname=a\\,b\\\\c\\040d,ro");
	assert_int_equal(parsed.action, OPTIONS_MOUNT);
	assert_string_equal(parsed.options.fsname, "a,b\\c d");
	assert_int_equal(parsed.options.mount_flags.count, 1);
	options_release(&parsed.options);
}

static void bad_values_and_unknown_options_get_a_sentence(void **state)
{
	static const char *const bad[][2] = {
		{"port=0", "port"},
		{"port=65536", "port"},
		{"port=22x", "port"},
		{"port=", "port"},
		{"port", "value"},
		{"uid=-2147483648", "uid"},
		{"uid=4294967296", "uid"},
		{"gid=x", "number"},
		{"umask=8", "octal"},
		{"umask=10000", "octal"},
		{"idmap=file", "idmap"},
		{"max_read=x", "bytes"},
		{"entry_timeout=", "sec"},
		{"entry_timeout=1s", "sec"},
		{"dcache_timeout=x", "sec"},
		{"dcache_stat_timeout=", "sec"},
		{"dir_cache=maybe", "yes or no"},
		{"dcache_clean_interval=x", "sec"},
		{"sshfs_sync=yes", "no value"},
		{"durability=never", "close, fsync, sync or async"},
		{"write_behind_max=1", "1048576 to 4294967296"},
		{"write_behind_max=4294967297", "1048576 to 4294967296"},
		{"dcache_max_size=many", "names"},
		{"attr_timeout=-", "sec"},
		{"timeout=-1", "sec"},
		{"attr_timeout=nan", "sec"},
		{"ro=1", "no value"},
		{"passive=yes", "no value"},
		{"reconnect=1", "no value"},
		{"on_disconnect=maybe", "wait or fail"},
		{"timeout=soon", "sec"},
		{"delay_connect", "absolute"},
		{"nonsense=1", "unknown"},
		{"IdentityFile", "value"},
		{"IdentityFile=", "value"},
		{"RemoteCommand=x", "unknown"},
		{"RequestTTY=yes", "unknown"},
		{"fsname=", "value"},
		{"ssh_command=", "command"},
		{"ssh_command=ssh \"x", "command"},
	};
	struct parsed parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		parse_option(&parsed, bad[i][0]);
		assert_refused(&parsed, bad[i][1]);
	}
	parse(&parsed, (const char *const[]){"-z", "host:", "/mnt", NULL});
	assert_refused(&parsed, "-z");
	parse(&parsed, (const char *const[]){"host:", "/mnt", "-p", NULL});
	assert_refused(&parsed, "value");
	parse(&parsed, (const char *const[]){"host:", "/mnt", "--no", NULL});
	assert_refused(&parsed, "unknown");
	parse_option(&parsed, "passive,directport=22");
	assert_refused(&parsed, "exclude");
}

static void help_and_version_need_nothing_else(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, (const char *const[]){"-h", NULL});
	assert_int_equal(parsed.action, OPTIONS_HELP);
	options_release(&parsed.options);
	parse(&parsed, (const char *const[]){"--help", NULL});
	assert_int_equal(parsed.action, OPTIONS_HELP);
	options_release(&parsed.options);
	parse(&parsed, (const char *const[]){"-V", NULL});
	assert_int_equal(parsed.action, OPTIONS_VERSION);
	options_release(&parsed.options);
}

/* Compares the ssh command with words, which end with NULL. */
static void assert_command(const struct parsed *parsed,
			   const char *const *words)
{
	struct strings argv = {0};
	size_t i = 0;

	assert_int_equal(parsed->action, OPTIONS_MOUNT);
	assert_true(connect_argv(&parsed->options, &argv));
	for (; words[i]; i++) {
		assert_true(i < argv.count);
		assert_string_equal(argv.item[i], words[i]);
	}
	assert_int_equal(i, argv.count);
	assert_null(argv.item[i]);
	strings_release(&argv);
}

static void the_ssh_command_asks_for_sftp_and_nothing_else(void **state)
{
	struct parsed parsed;

	(void)state;
	parse_target(&parsed, "me@[::1]:/srv");
	assert_command(&parsed,
		       (const char *const[]){
			       "ssh", "-x", "-a", "-oClearAllForwardings=yes",
			       "-oRemoteCommand=none", "-oRequestTTY=no",
			       "-oServerAliveInterval=5",
			       "-oServerAliveCountMax=2", "-s", "--", "me@::1",
			       "sftp", NULL});
	options_release(&parsed.options);
}

static void ssh_options_go_to_ssh_behind_the_fixed_ones(void **state)
{
	static const char *const words[] = {
		"h:",
		"/mnt",
		"-C",
		"-p22",
		"-Fcfg",
		"-oidentityfile=/k\\,ey,StrictHostKeyChecking=no",
		"-oProxyJump=a@b",
		"-osftp_server=/usr/lib/sftp-server",
		"-ossh_command=my\\\\ ssh -o 'A b' \"c\\\\\"d\"",
		NULL};
	struct parsed parsed;

	(void)state;
	parse(&parsed, words);
	assert_string_equal(parsed.why, "");
	assert_command(&parsed,
		       (const char *const[]){"my ssh",
					     "-o",
					     "A b",
					     "c\"d",
					     "-x",
					     "-a",
					     "-oClearAllForwardings=yes",
					     "-oRemoteCommand=none",
					     "-oRequestTTY=no",
					     "-F",
					     "cfg",
					     "-oPort=22",
					     "-oCompression=yes",
					     "-oidentityfile=/k,ey",
					     "-oStrictHostKeyChecking=no",
					     "-oProxyJump=a@b",
					     "-oServerAliveInterval=5",
					     "-oServerAliveCountMax=2",
					     "--",
					     "h",
					     "/usr/lib/sftp-server",
					     NULL});
	options_release(&parsed.options);
}

static void assert_asks(const char *const *words, const char *order)
{
	struct parsed parsed;

	parse(&parsed, words);
	assert_int_equal(parsed.action, OPTIONS_ASK);
	assert_string_equal(parsed.options.mountpoint, "/mnt");
	assert_string_equal(parsed.options.order, order);
	options_release(&parsed.options);
}

static void a_mount_can_be_asked(void **state)
{
	static const char *const wrong[][5] = {
		{"--json", NULL},
		{"--json", "host:", "/mnt", NULL},
		{"--status", "/mnt", "on", NULL},
		{"--status", "--json", NULL},
		{"--status", "--json", "/mnt", "/mnt", NULL},
		{"--trace", "/mnt", NULL},
		{"--trace", "/mnt", "perhaps", NULL},
		{"--trace", "/mnt", "on", "--json", NULL},
		{"--trace", "/mnt", "--status", "/mnt", NULL},
	};
	struct parsed parsed;

	(void)state;
	assert_asks((const char *const[]){"--status", "/mnt", NULL}, "status");
	assert_asks((const char *const[]){"--status", "/mnt", "--json", NULL},
		    "json");
	assert_asks((const char *const[]){"--json", "--status=/mnt", NULL},
		    "json");
	assert_asks((const char *const[]){"--status", "--json", "/mnt", NULL},
		    "json");
	assert_asks((const char *const[]){"--trace", "/mnt", "on", NULL},
		    "trace on");
	assert_asks((const char *const[]){"--trace", "/mnt", "off", NULL},
		    "trace off");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		parse(&parsed, wrong[i]);
		assert_refused(&parsed, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_is_less_than_nothing_is_what_sshfs_takes_it_for),
		cmocka_unit_test(what_writers_wait_for_is_said),
		cmocka_unit_test(what_sshfs_calls_so_is_called_so),
		cmocka_unit_test(the_cache_is_set_as_a_whole_and_in_parts),
		cmocka_unit_test(targets_are_taken_apart),
		cmocka_unit_test(a_target_can_be_a_uri),
		cmocka_unit_test(what_is_no_uri_is_refused),
		cmocka_unit_test(
			a_host_that_ssh_would_take_for_an_option_is_refused),
		cmocka_unit_test(what_is_no_target_is_refused),
		cmocka_unit_test(mount_8_has_letters_of_its_own),
		cmocka_unit_test(owners_below_0_count_from_the_end),
		cmocka_unit_test(letters_and_options_fill_their_fields),
		cmocka_unit_test(
			debug_implies_the_foreground_and_so_does_passive),
		cmocka_unit_test(a_backslash_protects_commas_and_spells_bytes),
		cmocka_unit_test(bad_values_and_unknown_options_get_a_sentence),
		cmocka_unit_test(help_and_version_need_nothing_else),
		cmocka_unit_test(
			the_ssh_command_asks_for_sftp_and_nothing_else),
		cmocka_unit_test(ssh_options_go_to_ssh_behind_the_fixed_ones),
		cmocka_unit_test(a_mount_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
