/* authorized_keys files: read line by line, and not where others can write. */
#include "server/authfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/ssh/keyfile.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define OURS                                                                   \
	"AAAAC3NzaC1lZDI1NTE5AAAAIKom4gSroK7fy/BJl41tP/GJqyruzT65/"            \
	"cHHCdRuReVI"
#define KEY "ssh-ed25519 " OURS
#define OTHER                                                                  \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDyxLkeyE+gR9GV0zpxxf7sqKTGox"    \
	"AYMIdyPbv265+nf"

struct world {
	char home[PROC_PATH_MAX];
	char path[PROC_PATH_MAX + 32];
	uint8_t blob[64];
	struct authfile file;
	struct ssh_authkeys_peer peer;
	struct ssh_authkeys_grant grant;
	char said[1024]; /* "line: text" of all that was said */
};

static void hear(void *arg, const char *path, unsigned line, const char *text)
{
	struct world *world = arg;
	size_t used = strlen(world->said);

	assert_string_equal(path, world->path);
	(void)snprintf(world->said + used, sizeof(world->said) - used,
		       "%u: %s|", line, text);
}

static int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	size_t len = 0;

	if (!world ||
	    ssh_base64(OURS, strlen(OURS), world->blob, &len) != CSFTP_OK)
		return -1;
	scratch_make(world->home);
	must_sh("mkdir -p -m 700 '%s/.ssh'", world->home);
	proc_print(world->path, sizeof(world->path), "%s/.ssh/keys",
		   world->home);
	world->peer.key = (struct wire_bytes){world->blob, len};
	world->file = (struct authfile){
		.path = world->path,
		.strict = true,
		.uid = getuid(),
		.home = world->home,
		.say = hear,
		.arg = world,
	};
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	scratch_remove(world->home);
	free(world);
	return 0;
}

static void put(struct world *world, const char *text)
{
	file_write(world->path, text, strlen(text));
	assert_int_equal(chmod(world->path, 0600), 0);
}

static bool look(struct world *world)
{
	world->said[0] = '\0';
	memset(&world->grant, 0, sizeof(world->grant));
	return authfile_grants(&world->file, &world->peer, &world->grant);
}

static void assert_said(struct world *world, bool granted, const char *said)
{
	assert_int_equal(look(world), granted);
	assert_string_equal(world->said, said);
}

static void the_first_line_that_grants_counts(void **state)
{
	struct world *world = *state;

	put(world, "# keys\n\n" OTHER "\nfrom=\"10.0.0.1\" " KEY
		   "\ncommand=\"internal-sftp\" " KEY "\n" KEY "\n");
	assert_said(world, true, "4: from= and an address that is not known|");
	assert_true(world->grant.sftp_only);
}

static void the_last_line_needs_no_end(void **state)
{
	struct world *world = *state;

	put(world, OTHER "\n" KEY);
	assert_said(world, true, "");
	put(world, KEY "\r\n");
	assert_said(world, true, "");
}

static void a_file_without_the_key_lets_nobody_in(void **state)
{
	struct world *world = *state;

	put(world, "");
	assert_said(world, false, "");
	put(world, OTHER "\n");
	assert_said(world, false, "");
	put(world, "x\n" OTHER "\nnonsense " KEY "\n");
	assert_said(world, false,
		    "1: no key of a type that we know|3: an unknown option|");
}

static void a_file_that_is_not_there_is_not_worth_a_word(void **state)
{
	struct world *world = *state;

	assert_said(world, false, "");
}

static void lines_are_found_across_what_is_read_at_once(void **state)
{
	struct world *world = *state;
	size_t pad = SSH_AUTHKEYS_LINE_MAX - 200;
	size_t size = 40000;
	char *text = malloc(size);

	assert_non_null(text);
	/* The key's line begins at each place around the end of a read. */
	for (; pad < SSH_AUTHKEYS_LINE_MAX + 2; pad++) {
		memset(text, '#', pad);
		(void)snprintf(text + pad, size - pad, "\n%s\n", KEY);
		if (pad > SSH_AUTHKEYS_LINE_MAX) {
			put(world, text);
			assert_said(world, true, "1: too long|");
			continue;
		}
		put(world, text);
		assert_said(world, true, "");
	}
	free(text);
}

static void a_line_without_an_end_is_passed_over(void **state)
{
	struct world *world = *state;
	size_t size = 5 * SSH_AUTHKEYS_LINE_MAX;
	char *text = calloc(1, size + 256);

	assert_non_null(text);
	/* Whatever stands in it, in whatever part of it. */
	for (size_t at = 0; at < size; at++)
		text[at] = (KEY " ")[at % sizeof(KEY)];
	put(world, text);
	assert_said(world, false, "1: too long|");
	(void)snprintf(text + size, 256, "\n%s\n", KEY);
	put(world, text);
	assert_said(world, true, "1: too long|");
	free(text);
}

static void the_rest_of_a_huge_file_does_not_count(void **state)
{
	struct world *world = *state;

	must_sh("{ yes '# comment' | head -c %u; echo; echo '%s'; } >'%s' && "
		"chmod 600 '%s'",
		AUTHFILE_MAX, KEY, world->path, world->path);
	assert_said(world, false, "0: is too long, the rest does not count|");
}

static void a_file_that_others_can_write_is_not_trusted(void **state)
{
	struct world *world = *state;

	put(world, KEY);
	assert_int_equal(chmod(world->path, 0620), 0);
	assert_said(world, false, "0: can be written to by others|");
	assert_int_equal(chmod(world->path, 0602), 0);
	assert_said(world, false, "0: can be written to by others|");
	world->file.strict = false;
	assert_said(world, true, "");
	world->file.strict = true;
	assert_int_equal(chmod(world->path, 0644), 0);
	assert_said(world, true, "");
}

static void directories_that_others_can_write_are_not_trusted(void **state)
{
	static const char said[] =
		"0: is in a directory that others can write to|";
	struct world *world = *state;
	char dir[PROC_PATH_MAX + 32];

	put(world, KEY);
	proc_print(dir, sizeof(dir), "%s/.ssh", world->home);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_said(world, false, said);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_said(world, true, "");
	assert_int_equal(chmod(world->home, 0777), 0);
	assert_said(world, false, said);
	/* Above the home nobody looks, or no user could be in /tmp. */
	world->file.home = dir;
	assert_said(world, true, "");
	world->file.home = NULL;
	assert_said(world, false, said);
	assert_int_equal(chmod(world->home, 0700), 0);
}

static void a_file_of_another_user_is_not_trusted(void **state)
{
	static const char said[] =
		"0: has an owner that is neither the user nor root|";
	struct world *world = *state;

	put(world, KEY);
	if (getuid() == 0)
		assert_int_equal(chown(world->path, 12345, 12345), 0);
	else
		world->file.uid++;
	assert_said(world, false, said);
}

static void a_file_in_a_directory_of_another_user_is_not_trusted(void **state)
{
	struct world *world = *state;
	char dir[PROC_PATH_MAX + 32];

	if (getuid() != 0)
		skip_because("root is needed to give a directory away");
	put(world, KEY);
	proc_print(dir, sizeof(dir), "%s/.ssh", world->home);
	assert_int_equal(chown(dir, 12345, 12345), 0);
	assert_said(world, false,
		    "0: is in a directory that has an owner that is neither "
		    "the user nor root|");
}

static void a_link_is_judged_by_where_it_leads(void **state)
{
	struct world *world = *state;

	must_sh("cd '%s' && mkdir -m 777 open && echo '%s' >open/real && "
		"chmod 777 open && chmod 600 open/real && "
		"ln -s ../open/real .ssh/keys",
		world->home, KEY);
	assert_said(world, false,
		    "0: is in a directory that others can write to|");
	must_sh("cd '%s' && chmod 755 open", world->home);
	assert_said(world, true, "");
}

static void what_is_no_file_is_not_waited_for(void **state)
{
	struct world *world = *state;

	must_sh("mkfifo -m 600 '%s'", world->path);
	assert_said(world, false, "0: is not a file|");
	must_sh("rm '%s' && mkdir -m 700 '%s'", world->path, world->path);
	assert_said(world, false, "0: is not a file|");
}

static void nobody_has_to_listen(void **state)
{
	struct world *world = *state;

	world->file.say = NULL;
	put(world, "x\n" KEY);
	assert_true(look(world));
}

static void times_are_digits_of_both_zones(void **state)
{
	struct ssh_authkeys_peer peer;

	(void)state;
	assert_int_equal(setenv("TZ", "XXX-05:30", 1), 0);
	tzset();
	authfile_set_time(&peer, 1767225599);
	assert_true(peer.now_utc == 20251231235959U);
	assert_true(peer.now_local == 20260101052959U);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test_setup_teardown(
			the_first_line_that_grants_counts, begin, end),
		cmocka_unit_test_setup_teardown(the_last_line_needs_no_end,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_without_the_key_lets_nobody_in, begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_not_there_is_not_worth_a_word, begin,
			end),
		cmocka_unit_test_setup_teardown(
			lines_are_found_across_what_is_read_at_once, begin,
			end),
		cmocka_unit_test_setup_teardown(
			a_line_without_an_end_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(
			the_rest_of_a_huge_file_does_not_count, begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_that_others_can_write_is_not_trusted, begin,
			end),
		cmocka_unit_test_setup_teardown(
			directories_that_others_can_write_are_not_trusted,
			begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_of_another_user_is_not_trusted, begin, end),
		cmocka_unit_test_setup_teardown(
			a_file_in_a_directory_of_another_user_is_not_trusted,
			begin, end),
		cmocka_unit_test_setup_teardown(
			a_link_is_judged_by_where_it_leads, begin, end),
		cmocka_unit_test_setup_teardown(
			what_is_no_file_is_not_waited_for, begin, end),
		cmocka_unit_test_setup_teardown(nobody_has_to_listen, begin,
						end),
		cmocka_unit_test(times_are_digits_of_both_zones),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
