#include "server/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "csftp/serve.h"
#include "tests/lib/test.h"

#define WORDS_MAX 80

/* Parses the words of a line; getopt(3) wants them writable. */
static enum server_action parse(struct server_options *options,
				const char *line)
{
	static char text[4096];
	char *argv[WORDS_MAX] = {text};
	int argc = 1;

	assert_true(snprintf(text, sizeof(text), "csftp-server %s", line) <
		    (int)sizeof(text));
	for (char *at = text; *at; at++) {
		if (*at != ' ')
			continue;
		*at = '\0';
		assert_true(argc < WORDS_MAX - 1);
		argv[argc++] = at + 1;
	}
	if (!*line)
		argc = 1;
	return server_options_parse(options, argc, argv);
}

static void accept(struct server_options *options, const char *line)
{
	enum server_action action = parse(options, line);

	if (action != SERVER_SERVE)
		print_message("%s: %s\n", line, options->why);
	assert_int_equal(action, SERVER_SERVE);
}

static void refuse(const char *line, const char *why)
{
	struct server_options options;

	assert_int_equal(parse(&options, line), SERVER_ERROR);
	if (!strstr(options.why, why))
		print_message("%s: %s\n", line, options.why);
	assert_non_null(strstr(options.why, why));
	server_options_release(&options);
}

static uint64_t bit(const char *name)
{
	return (uint64_t)1 << csftp_serve_request(name);
}

static void without_options_all_is_as_with_openssh(void **state)
{
	struct server_options options;

	(void)state;
	accept(&options, "");
	assert_null(options.start);
	assert_int_equal(options.log.level, LEVEL_ERROR);
	assert_int_equal(options.log.facility, LOG_AUTH);
	assert_false(options.log.to_stderr);
	assert_false(options.read_only);
	assert_false(options.has_umask);
	assert_true(options.denied == 0);
	assert_int_equal(options.sandbox, SANDBOX_AUTO);
}

static void openssh_s_options_are_understood(void **state)
{
	struct server_options options;

	(void)state;
	accept(&options, "-e -R -d /srv/%u -f LOCAL3 -l verbose -u 027");
	assert_string_equal(options.start, "/srv/%u");
	assert_true(options.log.to_stderr);
	assert_true(options.read_only);
	assert_int_equal(options.log.facility, LOG_LOCAL3);
	assert_int_equal(options.log.level, LEVEL_VERBOSE);
	assert_true(options.has_umask);
	assert_int_equal(options.umask, 027);
	accept(&options, "-l DEBUG -u 0");
	assert_int_equal(options.log.level, LEVEL_DEBUG1);
	assert_true(options.has_umask);
	assert_int_equal(options.umask, 0);
}

static void levels_and_facilities_have_names(void **state)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"QUIET", LEVEL_QUIET},	  {"FATAL", LEVEL_FATAL},
		{"ERROR", LEVEL_ERROR},	  {"INFO", LEVEL_INFO},
		{"DEBUG1", LEVEL_DEBUG1}, {"DEBUG2", LEVEL_DEBUG2},
		{"DEBUG3", LEVEL_DEBUG3},
	};
	static const struct {
		const char *name;
		int facility;
	} facilities[] = {
		{"DAEMON", LOG_DAEMON}, {"USER", LOG_USER},
		{"AUTH", LOG_AUTH},	{"LOCAL0", LOG_LOCAL0},
		{"LOCAL7", LOG_LOCAL7},
	};
	struct server_options options;
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		snprintf(line, sizeof(line), "-l %s", levels[i].name);
		accept(&options, line);
		assert_int_equal(options.log.level, levels[i].level);
	}
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]);
	     i++) {
		snprintf(line, sizeof(line), "-f %s", facilities[i].name);
		accept(&options, line);
		assert_int_equal(options.log.facility, facilities[i].facility);
	}
	refuse("-l LOUD", "unknown log level \"LOUD\"");
	refuse("-f MOON", "unknown log facility \"MOON\"");
}

static void requests_are_denied_before_they_are_allowed(void **state)
{
	struct server_options options;

	(void)state;
	accept(&options, "-P write,posix-rename");
	assert_true(options.denied == (bit("write") | bit("posix-rename")));
	accept(&options, "-p open,read");
	assert_true((options.denied & (bit("open") | bit("read"))) == 0);
	assert_true(options.denied & bit("write"));
	assert_true(options.denied & bit("copy-data"));
	accept(&options, "-P read -p open,read");
	assert_true(options.denied & bit("read"));
	assert_false(options.denied & bit("open"));
}

static void unknown_requests_are_an_error(void **state)
{
	(void)state;
	refuse("-P write,wirte", "unknown request \"wirte\"");
	refuse("-p nothing", "unknown request \"nothing\"");
	refuse("-P ,", "unknown request \"\"");
	refuse("-P read -P write", "-P is given twice");
	refuse("-p read -p write", "-p is given twice");
}

static void umasks_are_octal_and_of_permissions(void **state)
{
	(void)state;
	refuse("-u 8", "Invalid umask \"8\"");
	refuse("-u 1000", "Invalid umask \"1000\"");
	refuse("-u 77777777777777777777777777", "Invalid umask");
	refuse("-u 022x", "Invalid umask");
	refuse("-u -1", "Invalid umask");
}

static void amounts_have_units(void **state)
{
	static const char *const wrong[] = {"0",
					    "K",
					    "1Q",
					    "1KB",
					    "-1",
					    "1.5M",
					    "99999999999999999999",
					    "16777216T"};
	struct server_options options;
	char line[64];

	(void)state;
	accept(&options, "--quota 1000 --rate 2k");
	assert_true(options.quota == 1000);
	assert_true(options.rate == 2048);
	accept(&options, "--quota=3M --rate=4G");
	assert_true(options.quota == 3U << 20);
	assert_true(options.rate == (uint64_t)4 << 30);
	accept(&options, "--quota=16777215T");
	assert_true(options.quota == (uint64_t)16777215 << 40);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "--quota=%s", wrong[i]);
		refuse(line, "not a number of bytes");
	}
}

static void mode_bits_are_for_files_or_directories_or_both(void **state)
{
	struct server_options options;

	(void)state;
	accept(&options, "--mask 0640 --force 0040");
	assert_int_equal(options.files.mask, 0640);
	assert_int_equal(options.dirs.mask, 0750);
	assert_int_equal(options.files.force, 0040);
	assert_int_equal(options.dirs.force, 0050);
	accept(&options, "--mask files:666 --force dirs:2070");
	assert_int_equal(options.files.mask, 0666);
	assert_int_equal(options.dirs.mask, 0);
	assert_int_equal(options.files.force, 0);
	assert_int_equal(options.dirs.force, 02070);
	refuse("--mask 888", "--mask: \"888\"");
	refuse("--force 10000", "--force: \"10000\"");
	refuse("--mask files:", "--mask: \"\"");
	refuse("--mask 0", "--mask: \"0\"");
}

static void views_are_a_path_and_an_access(void **state)
{
	struct server_options options;
	char line[1024] = "";

	(void)state;
	accept(&options, "--view /a=ro --view /b=c=none --view=/d=rw");
	assert_int_equal(options.view_count, 3);
	assert_string_equal(options.view[0].path, "/a");
	assert_int_equal(options.view[0].access, POSIXFS_RO);
	assert_string_equal(options.view[1].path, "/b=c");
	assert_int_equal(options.view[1].access, POSIXFS_NONE);
	assert_int_equal(options.view[2].access, POSIXFS_RW);
	server_options_release(&options);
	refuse("--view /a", "does not end with");
	refuse("--view /a=rwx", "does not end with");
	refuse("--view a=ro", "not absolute");
	for (int i = 0; i <= SERVER_VIEWS_MAX; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
			 "%s--view=/v=ro", i > 0 ? " " : "");
	refuse(line, "more than");
}

static void the_other_options_are_understood(void **state)
{
	struct server_options options;

	(void)state;
	accept(&options, "--root /srv --audit syslog --log-packets "
			 "--atomic-upload --keep-partial --sandbox=require");
	assert_string_equal(options.root, "/srv");
	assert_string_equal(options.audit, "syslog");
	assert_true(options.log_packets);
	assert_true(options.atomic_upload);
	assert_true(options.keep_partial);
	assert_int_equal(options.sandbox, SANDBOX_REQUIRE);
	accept(&options, "--sandbox off");
	assert_int_equal(options.sandbox, SANDBOX_OFF);
	refuse("--sandbox on", "not auto, require or off");
	refuse("--keep-partial", "needs --atomic-upload");
	refuse("--root=", "--root: empty");
	refuse("--audit=", "--audit: empty");
	refuse("-R extra", "unexpected argument: extra");
	refuse("-Q features", "Invalid query type");
}

static void questions_are_answered_in_place_of_serving(void **state)
{
	struct server_options options;

	(void)state;
	assert_int_equal(parse(&options, "-h"), SERVER_HELP);
	assert_int_equal(parse(&options, "--help"), SERVER_HELP);
	assert_int_equal(parse(&options, "-V"), SERVER_VERSION);
	assert_int_equal(parse(&options, "-Q requests"), SERVER_REQUESTS);
}

static void the_usage_names_every_option(void **state)
{
	static const char *const names[] = {"-d ",
					    "-e ",
					    "-f ",
					    "-l ",
					    "-P ",
					    "-p ",
					    "-Q ",
					    "-R ",
					    "-u ",
					    "--root ",
					    "--view ",
					    "--mask ",
					    "--force ",
					    "--audit ",
					    "--log-packets ",
					    "--atomic-upload ",
					    "--quota ",
					    "--rate ",
					    "--keep-partial ",
					    "--sandbox ",
					    "-h, --help ",
					    "-V, --version "};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(server_usage, names[i]));
}

static void percent_is_expanded(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(
		server_expand(out, sizeof(out), "%d/x/%u%%", "/h", "me"), 0);
	assert_string_equal(out, "/h/x/me%");
	assert_int_equal(server_expand(out, sizeof(out), "%h", "/h", "me"), 0);
	assert_string_equal(out, "/h");
	assert_int_equal(server_expand(out, sizeof(out), "%q", "/h", "me"),
			 EINVAL);
	assert_int_equal(server_expand(out, sizeof(out), "a%", "/h", "me"),
			 EINVAL);
	assert_int_equal(server_expand(out, 4, "%u%u", "/h", "me"),
			 ENAMETOOLONG);
	assert_int_equal(server_expand(out, 5, "%u%u", "/h", "me"), 0);
	assert_string_equal(out, "meme");
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(without_options_all_is_as_with_openssh),
		cmocka_unit_test(openssh_s_options_are_understood),
		cmocka_unit_test(levels_and_facilities_have_names),
		cmocka_unit_test(requests_are_denied_before_they_are_allowed),
		cmocka_unit_test(unknown_requests_are_an_error),
		cmocka_unit_test(umasks_are_octal_and_of_permissions),
		cmocka_unit_test(amounts_have_units),
		cmocka_unit_test(
			mode_bits_are_for_files_or_directories_or_both),
		cmocka_unit_test(views_are_a_path_and_an_access),
		cmocka_unit_test(the_other_options_are_understood),
		cmocka_unit_test(questions_are_answered_in_place_of_serving),
		cmocka_unit_test(the_usage_names_every_option),
		cmocka_unit_test(percent_is_expanded),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
