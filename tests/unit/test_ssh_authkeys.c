/* What a line of authorized_keys gives to whom. */
#include "core/ssh/authkeys.h"

#include <stdio.h>
#include <string.h>

#include "core/ssh/keyfile.h"
#include "core/ssh/names.h"
#include "tests/lib/test.h"

#define OURS                                                                   \
	"AAAAC3NzaC1lZDI1NTE5AAAAIKom4gSroK7fy/BJl41tP/GJqyruzT65/"            \
	"cHHCdRuReVI"
#define THEIRS                                                                 \
	"AAAAC3NzaC1lZDI1NTE5AAAAIDyxLkeyE+gR9GV0zpxxf7sqKTGoxAYMIdyPbv265+"   \
	"nf"
#define KEY "ssh-ed25519 " OURS
#define ECDSA                                                                  \
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY"  \
	"AAABBBK0KoQIz1Gk4E4wjq7qSOohefb/A0N0b7GLpceUd3gX9Q3BQKypSHaaP9fKQvb"  \
	"wytqs+jc131hABfkAvB5l6zVM="

#define SK                                                                     \
	"AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkK"         \
	"CwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo="

/* Who asks: with our key, from 192.0.2.7, at noon of 2026-11-22 in UTC. */
static uint8_t our_blob[64];
static struct ssh_authkeys_peer asker = {
	.now_utc = 20261122120000,
	.now_local = 20261122140000,
};

static struct ssh_authkeys_grant grant;
static const char *why;

static int make_asker(void **state)
{
	size_t len = 0;

	(void)state;
	if (ssh_base64(OURS, strlen(OURS), our_blob, &len) != CSFTP_OK)
		return -1;
	asker.key = (struct wire_bytes){our_blob, len};
	asker.address = ssh_text("192.0.2.7");
	return 0;
}

static enum ssh_authkeys_verdict look(const char *line)
{
	memset(&grant, 0x5a, sizeof(grant));
	return ssh_authkeys_line(line, strlen(line), &asker, &grant, &why);
}

static enum ssh_authkeys_verdict with(const char *options)
{
	char line[4096];

	(void)snprintf(line, sizeof(line), "%s " KEY " c", options);
	return look(line);
}

static void assert_refused(const char *options, const char *reason)
{
	struct ssh_authkeys_grant before;

	memset(&before, 0x5a, sizeof(before));
	if (with(options) != SSH_AUTHKEYS_REFUSED)
		fail_msg("%s", options);
	assert_string_equal(why, reason);
	assert_memory_equal(&grant, &before, sizeof(grant));
}

static void assert_granted(const char *options)
{
	if (with(options) != SSH_AUTHKEYS_GRANTED)
		fail_msg("%s: %s", options, why ? why : "no reason");
	assert_null(why);
}

static void a_key_alone_may_all_that_there_is(void **state)
{
	static const char *const lines[] = {
		KEY,
		KEY "\n",
		KEY "\r\n",
		" \t" KEY,
		KEY " ",
		KEY "\t",
		KEY " who@there \"quotes",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(look(lines[i]), SSH_AUTHKEYS_GRANTED);
		assert_false(grant.sftp_only);
		assert_int_equal(grant.arg_count, 0);
	}
}

static void other_keys_and_comments_say_nothing(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"  \t",
		"# " KEY,
		"\t#" KEY,
		"ssh-ed25519 " THEIRS,
		ECDSA,
		"restrict ssh-ed25519 " THEIRS,
		/* Of another key, a wrong option is none of our business. */
		"nonsense ssh-ed25519 " THEIRS,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(look(lines[i]), SSH_AUTHKEYS_OTHER);
		assert_null(why);
	}
}

static void lines_without_a_key_are_broken(void **state)
{
	static const char *const lines[] = {
		"ssh-ed25519",
		"ssh-ed25519 ",
		"ssh-ed25519 AAAA",
		"ssh-ed25519 " OURS "x",
		"ssh-ed25519 !" OURS,
		"ssh-rsa " OURS,
		"ssh-dss AAAAB3NzaC1kc3MAAACB",
		"ssh-ed25519-cert-v01@openssh.com " OURS,
		"no-pty",
		"no-pty,ssh-ed25519 " OURS,
		"no-pty " OURS,
		"garbage",
		"from=\"* " KEY,
		"from=\"*\\\" " KEY,
		KEY "\nssh-ed25519",
		KEY "\r\n\nx",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (look(lines[i]) != SSH_AUTHKEYS_BROKEN)
			fail_msg("%s", lines[i]);
		assert_non_null(why);
	}
	assert_int_equal(
		ssh_authkeys_line(KEY "\0", sizeof(KEY), &asker, &grant, &why),
		SSH_AUTHKEYS_BROKEN);
}

static void every_proper_prefix_gives_nothing(void **state)
{
	static const char line[] =
		"from=\"192.0.2.0/24\",command=\"internal-sftp -R\" " KEY;

	(void)state;
	assert_int_equal(look(line), SSH_AUTHKEYS_GRANTED);
	for (size_t n = 0; n < strlen(line); n++)
		assert_int_not_equal(
			ssh_authkeys_line(line, n, &asker, &grant, &why),
			SSH_AUTHKEYS_GRANTED);
}

static void a_line_that_is_too_long_is_broken(void **state)
{
	static char line[SSH_AUTHKEYS_LINE_MAX + 2];

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, KEY, strlen(KEY));
	line[SSH_AUTHKEYS_LINE_MAX] = '\n';
	assert_int_equal(ssh_authkeys_line(line, SSH_AUTHKEYS_LINE_MAX + 1,
					   &asker, &grant, &why),
			 SSH_AUTHKEYS_GRANTED);
	line[SSH_AUTHKEYS_LINE_MAX] = 'x';
	assert_int_equal(ssh_authkeys_line(line, SSH_AUTHKEYS_LINE_MAX + 1,
					   &asker, &grant, &why),
			 SSH_AUTHKEYS_BROKEN);
}

static void harmless_options_change_nothing(void **state)
{
	(void)state;
	assert_granted("restrict");
	assert_granted("no-pty,no-port-forwarding,no-agent-forwarding,"
		       "no-X11-forwarding,no-user-rc");
	assert_granted("restrict,pty,port-forwarding,agent-forwarding,"
		       "X11-forwarding,user-rc,RESTRICT,No-Pty");
	assert_granted("environment=\"A=b c\",environment=\"D=\"");
	assert_granted("permitopen=\"h:1\",permitlisten=\"2\",tunnel=\"0\"");
	assert_false(grant.sftp_only);
}

static void an_option_that_is_not_known_refuses_the_key(void **state)
{
	static const char *const options[] = {
		"nonsense",	 "pty,nonsense",
		"no-restrict",	 "no-command=\"x\"",
		"nonsense=\"\"", "pt",
		"ptyy",		 "=\"x\"",
		"\"x\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		assert_refused(options[i], "an unknown option");
}

static void options_of_a_wrong_form_refuse_the_key(void **state)
{
	static const char end[] = "options that do not end where they should";
	static const char value[] = "an option without its value";

	(void)state;
	assert_refused("pty,", end);
	assert_refused("from=\"*\"x", end);
	assert_refused("pty=\"x\"", end);
	assert_refused("pty,,pty", "an unknown option");
	assert_refused(",pty", "an unknown option");
	assert_refused("from", value);
	assert_refused("from=", value);
	assert_refused("from=*", value);
	assert_refused("command", value);
	assert_refused("expiry-time,pty", value);
}

static void certificates_refuse_the_key(void **state)
{
	static const char reason[] = "certificates are not supported";

	(void)state;
	assert_refused("cert-authority", reason);
	assert_refused("principals=\"me\"", reason);
	assert_refused("pty,cert-authority,pty", reason);
}

static void from_is_a_list_of_addresses_and_names(void **state)
{
	static const char not_from[] = "not from this address";

	(void)state;
	assert_granted("from=\"192.0.2.7\"");
	assert_granted("from=\"10.0.0.1,192.0.2.0/24\"");
	assert_granted("from=\"192.0.2.*\"");
	assert_granted("from=\"!192.0.2.8,*\"");
	assert_refused("from=\"\"", not_from);
	assert_refused("from=\"192.0.2.8\"", not_from);
	assert_refused("from=\"*,!192.0.2.7\"", not_from);
	assert_refused("from=\"!192.0.2.8\"", not_from);
	assert_refused("from=\"*.example.com\"", not_from);
	assert_refused("from=\"192.0.2.7/24\"",
		       "from= has a range that cannot be meant");
	assert_refused("from=\"*\",from=\"*\"", "from= is given twice");
}

static void from_looks_at_the_name_where_there_is_one(void **state)
{
	(void)state;
	asker.host = ssh_text("a.example.com");
	assert_granted("from=\"*.Example.com\"");
	assert_granted("from=\"192.0.2.7\"");
	assert_refused("from=\"*.example.com,!a.*\"", "not from this address");
	assert_refused("from=\"*.example.com,!192.0.2.0/24\"",
		       "not from this address");
	asker.host = ssh_text("");
}

static void from_knows_ipv4_inside_of_ipv6(void **state)
{
	(void)state;
	asker.address = ssh_text("::FFFF:192.0.2.7");
	assert_granted("from=\"192.0.2.0/24\"");
	assert_granted("from=\"192.0.2.?\"");
	assert_refused("from=\"*,!192.0.2.?\"", "not from this address");
	asker.address = ssh_text("");
	assert_refused("from=\"*\"", "from= and an address that is not known");
	asker.address = ssh_text("192.0.2.7");
}

static const char *expiry(const char *time)
{
	static char option[64];

	(void)snprintf(option, sizeof(option), "expiry-time=\"%s\"", time);
	return option;
}

static void expiry_is_of_the_local_zone_or_of_utc(void **state)
{
	static const char *const good[] = {
		"20261123",	   "20261122140001",  "202611221401",
		"20261122120001Z", "202611221201UTC", "20261123Z",
		"99991231",
	};
	static const char *const past[] = {
		"20261122",	   "20261122140000",	"202611221400",
		"20261122120000Z", "20261122120000UTC", "20261122Z",
		"19700101",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_granted(expiry(good[i]));
	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		assert_refused(expiry(past[i]), "expired");
	assert_refused("expiry-time=\"20300101\",expiry-time=\"20200101\"",
		       "expired");
}

static void a_time_that_is_none_refuses_the_key(void **state)
{
	static const char *const times[] = {
		"",
		"Z",
		"UTC",
		"2030",
		"20301",
		"2030010",
		"203001010",
		"2030010112345",
		"203001011200000",
		"20300101x",
		"2030-01-01",
		"20301301",
		"20300001",
		"20300132",
		"20300100",
		"203001012400",
		"203001010060",
		"20300101000061",
		"20300101 ",
		"+2030010",
		"never",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		assert_refused(expiry(times[i]), "expiry-time= is no time");
}

/* The words of the grant with a "|" behind each. */
static void assert_args(const char *options, const char *expected)
{
	size_t at = 0;

	assert_granted(options);
	assert_true(grant.sftp_only);
	for (unsigned n = 0; n < grant.arg_count; at++) {
		char c = grant.args[at] ? grant.args[at] : '|';

		assert_int_equal(c, expected[at]);
		n += grant.args[at] == '\0';
	}
	assert_int_equal(at, strlen(expected));
}

static void a_command_can_be_internal_sftp(void **state)
{
	(void)state;
	assert_args("command=\"internal-sftp\"", "");
	assert_args("command=\"internal-sftp -R\"", "-R|");
	assert_args("command=\" internal-sftp  -d  /a\"", "-d|/a|");
	assert_args("restrict,command=\"internal-sftp -Red'/a b' -u 077\"",
		    "-Red/a b|-u|077|");
	assert_args("command=\"internal-sftp -P \\\"remove,rmdir\\\" -e\"",
		    "-P|remove,rmdir|-e|");
	assert_args("command=\"internal-sftp -p read -l INFO -f AUTH\"",
		    "-p|read|-l|INFO|-f|AUTH|");
}

static void any_other_command_refuses_the_key(void **state)
{
	static const char reason[] = "command= is not internal-sftp";
	static const char *const commands[] = {
		"",
		" ",
		"rsync --server",
		"/bin/sh",
		"internal-sftpx",
		"x internal-sftp",
		"internal-sftp; sh",
		"internal-sftp | sh",
		"internal-sftp 'x",
		"internal-sftp $(x)",
		"Internal-sftp",
	};
	char option[256];

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		(void)snprintf(option, sizeof(option), "command=\"%s\"",
			       commands[i]);
		assert_refused(option, reason);
	}
	assert_refused("command=\"internal-sftp\",command=\"internal-sftp\"",
		       "command= is given twice");
}

static void options_that_are_not_sftp_servers_refuse_the_key(void **state)
{
	static const char *const args[] = {
		"x",	    "-",	"--",	 "-x", "-Rx",
		"--root /", "-d",	"-R -u", "-h", "-Q requests",
		"-R x",	    "-d /a /b", "''",
	};
	char option[256];

	(void)state;
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		(void)snprintf(option, sizeof(option),
			       "command=\"internal-sftp %s\"", args[i]);
		assert_refused(option,
			       "internal-sftp with an option that it has not");
	}
}

static void a_command_that_does_not_fit_refuses_the_key(void **state)
{
	char line[4096];
	int len = snprintf(line, sizeof(line), "command=\"internal-sftp -d ");

	(void)state;
	memset(line + len, 'x', SSH_AUTHKEYS_ARGS_MAX);
	(void)snprintf(line + len + SSH_AUTHKEYS_ARGS_MAX, 256, "\" " KEY);
	assert_int_equal(look(line), SSH_AUTHKEYS_REFUSED);
}

static enum ssh_authkeys_verdict sk_with(const char *options, bool touched,
					 bool verified)
{
	struct wire_bytes key = asker.key;
	enum ssh_authkeys_verdict verdict;
	uint8_t blob[128];
	char line[512];
	size_t len = 0;

	assert_int_equal(ssh_base64(SK, strlen(SK), blob, &len), CSFTP_OK);
	asker.key = (struct wire_bytes){blob, len};
	asker.touched = touched;
	asker.verified = verified;
	(void)snprintf(line, sizeof(line),
		       "%ssk-ssh-ed25519@openssh.com " SK " c", options);
	verdict = look(line);
	asker.key = key;
	asker.touched = asker.verified = false;
	return verdict;
}

static void keys_in_hardware_have_rules_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(sk_with("", true, false), SSH_AUTHKEYS_GRANTED);
	assert_int_equal(sk_with("", false, true), SSH_AUTHKEYS_REFUSED);
	assert_string_equal(why, "the key was not touched");
	assert_int_equal(sk_with("no-touch-required ", false, false),
			 SSH_AUTHKEYS_GRANTED);
	assert_int_equal(sk_with("verify-required ", true, false),
			 SSH_AUTHKEYS_REFUSED);
	assert_string_equal(why, "the key's user was not verified");
	assert_int_equal(sk_with("verify-required ", true, true),
			 SSH_AUTHKEYS_GRANTED);
	/* Of other keys nobody can say so. */
	assert_granted("no-touch-required");
	assert_granted("verify-required");
}

static void the_first_reason_is_told(void **state)
{
	(void)state;
	assert_refused("from=\"10.0.0.1\",cert-authority,nonsense",
		       "not from this address");
}

static void options_are_not_changed_by_what_stands_behind(void **state)
{
	/* A key's text in an option does not make it the line's key. */
	(void)state;
	assert_int_equal(look("environment=\"x " KEY "\" ssh-ed25519 " THEIRS),
			 SSH_AUTHKEYS_OTHER);
	assert_int_equal(look("ssh-ed25519 " THEIRS " " KEY),
			 SSH_AUTHKEYS_OTHER);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(a_key_alone_may_all_that_there_is),
		cmocka_unit_test(other_keys_and_comments_say_nothing),
		cmocka_unit_test(lines_without_a_key_are_broken),
		cmocka_unit_test(every_proper_prefix_gives_nothing),
		cmocka_unit_test(a_line_that_is_too_long_is_broken),
		cmocka_unit_test(harmless_options_change_nothing),
		cmocka_unit_test(an_option_that_is_not_known_refuses_the_key),
		cmocka_unit_test(options_of_a_wrong_form_refuse_the_key),
		cmocka_unit_test(certificates_refuse_the_key),
		cmocka_unit_test(from_is_a_list_of_addresses_and_names),
		cmocka_unit_test(from_looks_at_the_name_where_there_is_one),
		cmocka_unit_test(from_knows_ipv4_inside_of_ipv6),
		cmocka_unit_test(expiry_is_of_the_local_zone_or_of_utc),
		cmocka_unit_test(a_time_that_is_none_refuses_the_key),
		cmocka_unit_test(a_command_can_be_internal_sftp),
		cmocka_unit_test(any_other_command_refuses_the_key),
		cmocka_unit_test(
			options_that_are_not_sftp_servers_refuse_the_key),
		cmocka_unit_test(a_command_that_does_not_fit_refuses_the_key),
		cmocka_unit_test(keys_in_hardware_have_rules_of_their_own),
		cmocka_unit_test(the_first_reason_is_told),
		cmocka_unit_test(options_are_not_changed_by_what_stands_behind),
	};

	return cmocka_run_group_tests(claims, make_asker, NULL) != 0;
}
