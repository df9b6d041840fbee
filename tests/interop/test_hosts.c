/*
 * csftpfs with SSH of its own: who the server is, by known_hosts.  What ssh
 * says of the same server is what csftpfs says.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/asker.h"
#include "tests/lib/login.h"
#include "tests/lib/test.h"

static void known_as(struct login *login, const char *mark, const char *name,
		     const char *key)
{
	must_sh("printf '%%s%%s %%s\\n' '%s' '%s' \"$(cat '%s/%s.pub')\" "
		">'%s'",
		mark, name, login->mounted.sshd.dir, key, login->hosts);
}

static void a_hashed_name_is_known(void **state)
{
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts), NULL};

	known_as(login, "", SSHD_HOST, "host");
	must_sh("ssh-keygen -q -H -f '%s' 2>/dev/null; rm -f '%s.old'",
		login->hosts, login->hosts);
	login_works(login, options);
}

/* What ssh says of the same server, with the same file. */
static void ask_ssh(struct login *login, const char *strict, const char *level,
		    char *text)
{
	char hosts[PROC_PATH_MAX + 32], checking[64], config[PROC_PATH_MAX];
	char ssh[] = "ssh", flag[] = "-F", o[] = "-o", how_much[64];
	char host[] = SSHD_HOST, command[] = "true";
	char *argv[] = {ssh,   flag, config,   o,    how_much, o,
			hosts, o,    checking, host, command,  NULL};

	proc_print(how_much, sizeof(how_much), "LogLevel=%s", level);
	proc_print(config, sizeof(config), "%s", login->mounted.sshd.client);
	proc_print(hosts, sizeof(hosts), "UserKnownHostsFile=%s", login->hosts);
	proc_print(checking, sizeof(checking), "StrictHostKeyChecking=%s",
		   strict);
	(void)proc_capture(argv, LOGIN_MS, text, LOGIN_TEXT_MAX);
	/* Its terminal has lines that end with both. */
	for (char *from = text, *to = text;; from++) {
		if (*from != '\r')
			*to++ = *from;
		if (!*from)
			break;
	}
}

/* What we say begins with all that ssh says, and has one line of our own. */
static void assert_as_ssh_says(struct login *login, const char *strict,
			       const char *level)
{
	char hosts[PROC_PATH_MAX + 32], checking[64], how_much[64];
	const char *const options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts),
		login_option(checking, "StrictHostKeyChecking", strict),
		login_option(how_much, "LogLevel", level), NULL};
	char *theirs = calloc(1, LOGIN_TEXT_MAX);
	const char *ours;

	assert_non_null(theirs);
	ask_ssh(login, strict, level, theirs);
	login_fails(login, options);
	if (strncmp(login->text, theirs, strlen(theirs)) != 0)
		fail_msg("ssh says:\n%s\nwe say:\n%s", theirs, login->text);
	ours = login->text + strlen(theirs);
	if (strncmp(ours, "csftpfs: ", 9) != 0 ||
	    strchr(ours, '\n') != ours + strlen(ours) - 1)
		fail_msg("at %s we say more: %s", level, ours);
	assert_true(strcmp(level, "QUIET") == 0 || strlen(theirs) > 0);
	free(theirs);
}

static void assert_as_ssh(struct login *login, const char *strict)
{
	assert_as_ssh_says(login, strict, "INFO");
}

static void as_much_is_said_as_by_ssh(void **state)
{
	static const char *const levels[] = {"QUIET", "FATAL", "ERROR",
					     "VERBOSE"};
	struct login *login = *state;

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		known_as(login, "", SSHD_HOST, "user");
		assert_as_ssh_says(login, "yes", levels[i]);
		known_as(login, "", "other", "host");
		assert_as_ssh_says(login, "yes", levels[i]);
	}
}

/* A new host is a matter of INFO, as ssh has it. */
static void a_new_host_is_told_where_that_is_wanted(void **state)
{
	static const struct {
		const char *level;
		bool tells;
	} levels[] = {{"LogLevel=INFO", true},
		      {"LogLevel=DEBUG3", true},
		      {"LogLevel=ERROR", false},
		      {"LogLevel=QUIET", false}};
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts),
		"StrictHostKeyChecking=accept-new", "sftp_server=nothing", NULL,
		NULL};

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		must_sh("rm -f '%s'", login->hosts);
		options[3] = levels[i].level;
		login_fails(login, options);
		if (levels[i].tells)
			login_says(login,
				   "Warning: Permanently added '" SSHD_HOST
				   "' (ED25519) to the list");
		else
			login_says_not(login, "Permanently");
	}
}

static void an_unknown_host_is_refused_as_by_ssh(void **state)
{
	struct login *login = *state;

	known_as(login, "", "other", "host");
	assert_as_ssh(login, "yes");
	login_says(login, "requested strict checking");
	/* Nobody can be asked in batch mode. */
	assert_as_ssh(login, "ask");
}

static void a_changed_key_is_refused_as_by_ssh(void **state)
{
	struct login *login = *state;

	known_as(login, "", SSHD_HOST, "user");
	assert_as_ssh(login, "yes");
	login_says(login, "REMOTE HOST IDENTIFICATION HAS CHANGED");
	login_says(login, "Offending ED25519 key in ");
	assert_as_ssh(login, "accept-new");
}

static void a_revoked_key_is_refused_as_by_ssh(void **state)
{
	struct login *login = *state;

	known_as(login, "@revoked ", "*", "host");
	assert_as_ssh(login, "yes");
	login_says(login, "REVOKED HOST KEY DETECTED");
}

/* As with ssh, it is another matter what it gets then: no password. */
static void a_changed_key_is_gone_on_with_where_that_is_wanted(void **state)
{
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts),
		"StrictHostKeyChecking=no", NULL};

	known_as(login, "", SSHD_HOST, "user");
	login_works(login, options);
}

static void accept_new_learns_a_host_once(void **state)
{
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32], first[4096] = "", again[4096] = "";
	const char *const options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts),
		"StrictHostKeyChecking=accept-new", "HashKnownHosts=yes", NULL};
	size_t len;

	/* Behind a line that lacks its end. */
	file_write(login->hosts, "# mine", 6);
	login_works(login, options);
	len = file_read(login->hosts, first, sizeof(first) - 1);
	assert_memory_equal(first, "# mine\n|1|", 10);
	assert_null(strstr(first, SSHD_HOST));
	must_sh("ssh-keygen -q -F " SSHD_HOST " -f '%s' >/dev/null",
		login->hosts);
	login_works(login, options);
	assert_int_equal(file_read(login->hosts, again, sizeof(again) - 1),
			 len);
	assert_string_equal(first, again);
}

static void who_is_asked_about_a_host_decides(void **state)
{
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts),
		"StrictHostKeyChecking=ask", "BatchMode=no", NULL};

	asker_answers(login->mounted.dir, "no\\n");
	login_fails(login, options);
	login_says(login, "Host key verification failed.");
	asker_was_asked(login->mounted.dir,
			"The authenticity of host '" SSHD_HOST " (");
	asker_answers(login->mounted.dir, "perhaps\\nyes\\n");
	login_works(login, options);
	asker_was_asked(login->mounted.dir,
			"Please type 'yes', 'no' or the fingerprint: ");
	login_forget();
	login_works(login, options);
}

#define CLAIM(name) cmocka_unit_test_teardown(name, login_clean_up)

static const struct CMUnitTest claims[] = {
	CLAIM(a_hashed_name_is_known),
	CLAIM(an_unknown_host_is_refused_as_by_ssh),
	CLAIM(a_changed_key_is_refused_as_by_ssh),
	CLAIM(a_revoked_key_is_refused_as_by_ssh),
	CLAIM(as_much_is_said_as_by_ssh),
	CLAIM(a_new_host_is_told_where_that_is_wanted),
	CLAIM(a_changed_key_is_gone_on_with_where_that_is_wanted),
	CLAIM(accept_new_learns_a_host_once),
	CLAIM(who_is_asked_about_a_host_decides),
};

int main(void)
{
	return login_run(claims, sizeof(claims) / sizeof(*claims));
}
