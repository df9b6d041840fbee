/* The daemon's configuration, without a daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/serve.h"
#include "server/csftpd/settings.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

struct place {
	char dir[PROC_PATH_MAX];
	char file[PROC_PATH_MAX];
	char why[SETTINGS_WHY_MAX];
};

static int make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	scratch_make(place->dir);
	proc_print(place->file, PROC_PATH_MAX, "%.4000s/conf", place->dir);
	*state = place;
	return 0;
}

static int drop(void **state)
{
	struct place *place = *state;

	scratch_remove(place->dir);
	free(place);
	return 0;
}

static struct settings *read_text(struct place *place, const char *text)
{
	const struct settings_source source = {.file = place->file};

	file_write(place->file, text, strlen(text));
	return settings_read(&source, place->why);
}

static struct settings *must_read(struct place *place, const char *text)
{
	struct settings *settings = read_text(place, text);

	if (!settings)
		fail_msg("%s", place->why);
	return settings;
}

static void nothing_is_said_and_all_is_as_it_should_be(void **state)
{
	struct settings *settings = must_read(*state, "");

	assert_int_equal(settings->port_count, 1);
	assert_int_equal(settings->port[0], 2222);
	assert_int_equal(settings->listen_count, 2);
	assert_string_equal(settings->listen[0].host, "127.0.0.1");
	assert_string_equal(settings->listen[1].host, "::1");
	assert_int_equal(settings->auth_methods, CSFTP_SSH_AUTH_PUBLICKEY);
	assert_string_equal(settings->keys_file[0], ".ssh/authorized_keys");
	assert_int_equal(settings->login_grace_ms, 120000);
	assert_int_equal(settings->sources.waiting, 100);
	assert_true(settings->strict_modes);
	assert_int_equal(settings->log_level, LEVEL_INFO);
	assert_int_equal(settings->sftp.sandbox, SANDBOX_AUTO);
	assert_null(settings->control);
	settings_put(settings);
}

static const struct {
	const char *text;
	uint64_t ms; /* UINT64_MAX: it is none */
} times[] = {
	{"0", 0},
	{"90", 90000},
	{"90s", 90000},
	{"1m30", 90000},
	{"1M30S", 90000},
	{"2h", 7200000},
	{"1w2d", UINT64_C(777600000)},
	{"4294967295", UINT64_C(4294967295000)},
	{"4294967296", UINT64_MAX},
	{"9999w9999w", UINT64_MAX},
	{"99999999999999999999", UINT64_MAX},
	{"m", UINT64_MAX},
	{"1x", UINT64_MAX},
	{"1 m", UINT64_MAX},
	{"-1", UINT64_MAX},
};

static void times_are_as_sshd_has_them(void **state)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char text[128];
		struct settings *settings;

		proc_print(text, sizeof(text), "LoginGraceTime \"%s\"\n",
			   times[i].text);
		settings = read_text(*state, text);
		if (!settings != (times[i].ms == UINT64_MAX))
			fail_msg("%s", times[i].text);
		if (settings)
			assert_int_equal(settings->login_grace_ms, times[i].ms);
		settings_put(settings);
	}
}

static void no_limit_for_the_age_of_keys_is_none(void **state)
{
	static const struct {
		const char *line;
		uint64_t ms;
		const char *shown;
	} cases[] = {
		{"", 0, "\nrekeylimit 1073741824 3600\n"},
		{"RekeyLimit 1M\n", 0, "\nrekeylimit 1048576 3600\n"},
		{"RekeyLimit 1M 2m\n", 120000, "\nrekeylimit 1048576 120\n"},
		{"RekeyLimit 1M none\n", UINT64_MAX,
		 "\nrekeylimit 1048576 none\n"},
		{"RekeyLimit default 0\n", UINT64_MAX,
		 "\nrekeylimit 1073741824 none\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *settings = must_read(*state, cases[i].line);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		assert_true(settings->rekey_ms == cases[i].ms);
		settings_show(out, settings);
		assert_int_equal(fclose(out), 0);
		assert_non_null(strstr(text, cases[i].shown));
		free(text);
		settings_put(settings);
	}
}

static void the_first_value_counts_and_the_command_line_before(void **state)
{
	static const char *const given[] = {"LogLevel=ERROR", "Port=11"};
	struct place *place = *state;
	const struct settings_source source = {
		.file = place->file, .given = given, .given_count = 2};
	static const char text[] = "LogLevel DEBUG\n"
				   "Port 12\n"
				   "MaxSessions 3\n"
				   "MaxSessions 4\n"
				   "AllowUsers a b\n"
				   "AllowUsers c\n"
				   "ListenAddress 10.0.0.1\n"
				   "ListenAddress [fe80::1]:13\n";
	struct settings *settings;

	file_write(place->file, text, strlen(text));
	settings = settings_read(&source, place->why);
	assert_non_null(settings);
	assert_int_equal(settings->log_level, LEVEL_ERROR);
	assert_int_equal(settings->port_count, 1);
	assert_int_equal(settings->port[0], 11);
	assert_int_equal(settings->sessions, 3);
	assert_int_equal(settings->allow_user_count, 3);
	assert_int_equal(settings->listen_count, 2);
	assert_string_equal(settings->listen[1].host, "fe80::1");
	assert_int_equal(settings->listen[1].port, 13);
	settings_put(settings);
}

static void words_end_as_they_should(void **state)
{
	struct settings *settings = must_read(
		*state, "\t pidfile=\"/a b/\\\"c\\\\\" # not a word\r\n"
			"ControlSocket = /x#y\n"
			"\"LogLevel\" VERBOSE");

	assert_string_equal(settings->pid_file, "/a b/\"c\\");
	assert_string_equal(settings->control, "/x#y");
	assert_int_equal(settings->log_level, LEVEL_VERBOSE);
	settings_put(settings);
}

/* As sshd has it: nothing behind a quote is lost, or a word of its own. */
static void a_part_of_a_word_can_be_quoted(void **state)
{
	struct place *place = *state;
	struct settings *settings =
		must_read(place, "View \"/a b\"=ro\n"
				 "AllowUsers \"a\"b c\" d\"e \"\"\"f\"\n"
				 "PidFile /p\\q\n");

	assert_int_equal(settings->sftp.view_count, 1);
	assert_string_equal(settings->sftp.view[0].path, "/a b");
	assert_int_equal(settings->allow_user_count, 3);
	assert_string_equal(settings->allow_user[0], "ab");
	assert_string_equal(settings->allow_user[1], "c de");
	assert_string_equal(settings->allow_user[2], "f");
	assert_string_equal(settings->pid_file, "/p\\q");
	settings_put(settings);
	assert_null(read_text(place, "PidFile /a\"b\n"));
	assert_non_null(strstr(place->why, "a quote has no end"));
}

/* Names of ciphers that the engine has, in its order. */
static void lists_change_the_default(void **state)
{
	const char *first = csftp_ssh_algorithms(CSFTP_SSH_ALG_CIPHER, 0);
	const char *second = csftp_ssh_algorithms(CSFTP_SSH_ALG_CIPHER, 1);
	size_t len = strlen(second);
	struct settings *settings;
	char text[256];

	proc_print(text, sizeof(text), "Ciphers -%s\n", first);
	settings = must_read(*state, text);
	assert_memory_equal(settings->algorithms[CSFTP_SSH_ALG_CIPHER], second,
			    len);
	settings_put(settings);
	proc_print(text, sizeof(text), "Ciphers ^%s\n", second);
	settings = must_read(*state, text);
	assert_memory_equal(settings->algorithms[CSFTP_SSH_ALG_CIPHER], second,
			    len);
	assert_memory_equal(settings->algorithms[CSFTP_SSH_ALG_CIPHER] + len +
				    1,
			    first, strlen(first));
	settings_put(settings);
	proc_print(text, sizeof(text), "Ciphers +%s\n", second);
	settings = must_read(*state, text);
	assert_memory_equal(settings->algorithms[CSFTP_SSH_ALG_CIPHER], first,
			    strlen(first));
	settings_put(settings);
}

/* sshd_config(5): "'-' ... (including wildcards) will be removed". */
static void patterns_and_what_is_not_there_can_be_taken_out(void **state)
{
	static const struct {
		const char *line;
		enum csftp_ssh_alg_kind kind;
		const char *left;
	} lists[] = {
		{"MACs -umac-*,hmac-sha1,hmac-sha2-???", CSFTP_SSH_ALG_MAC,
		 "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"},
		{"HostKeyAlgorithms -ssh-rsa,ecdsa-*,ssh-dss*,rsa-sha2-256",
		 CSFTP_SSH_ALG_HOSTKEY, "ssh-ed25519,rsa-sha2-512"},
		{"Ciphers -3des-cbc,aes*", CSFTP_SSH_ALG_CIPHER,
		 "chacha20-poly1305@openssh.com"},
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct settings *settings = must_read(place, lists[i].line);

		assert_string_equal(settings->algorithms[lists[i].kind],
				    lists[i].left);
		settings_put(settings);
	}
	assert_null(read_text(place, "MACs -*"));
	assert_non_null(strstr(place->why, "nothing is left"));
	assert_null(read_text(place, "MACs ^hmac-*"));
	assert_null(read_text(place, "MACs +hmac-sha1"));
}

static void what_is_served_is_as_csftp_server_has_it(void **state)
{
	struct settings *settings = must_read(
		*state, "Subsystem sftp internal-sftp -l DEBUG -P remove\n"
			"Root /srv/%u\n"
			"View /a=ro\n"
			"View \"/b c=none\"\n"
			"Quota 3K\n"
			"ReadOnly no\n"
			"AtomicUpload yes\n");

	assert_string_equal(settings->sftp.root, "/srv/%u");
	assert_int_equal(settings->sftp.view_count, 2);
	assert_string_equal(settings->sftp.view[1].path, "/b c");
	assert_int_equal(settings->sftp.quota, 3072);
	assert_int_equal(settings->sftp.log.level, LEVEL_DEBUG1);
	assert_false(settings->sftp.read_only);
	assert_true(settings->sftp.atomic_upload);
	assert_int_equal(settings->sftp.denied,
			 (uint64_t)1 << csftp_serve_request("remove"));
	settings_put(settings);
}

/* Whatever a file has in it: it is read, or there is a reason. */
static void any_bytes_are_survived(void **state)
{
	static const char text[] = "Port 22\nView \"/a=ro\" # x\n"
				   "Ciphers ^aes128-ctr\n"
				   "PerSourcePenalties min:1s max:2m\n"
				   "ListenAddress [::1]:22\n";
	struct place *place = *state;

	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		static const char bytes[] = "\"\\#=:[]\n\t \x7f\xff";

		for (size_t k = 0; k < sizeof(bytes); k++) {
			char copy[sizeof(text)];
			const struct settings_source source = {
				.file = place->file};
			struct settings *settings;

			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[k];
			file_write(place->file, copy, sizeof(copy) - 1);
			settings = settings_read(&source, place->why);
			assert_true(settings || place->why[0]);
			settings_put(settings);
		}
	}
}

#define IN_PLACE(claim) cmocka_unit_test_setup_teardown(claim, make, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		IN_PLACE(nothing_is_said_and_all_is_as_it_should_be),
		IN_PLACE(times_are_as_sshd_has_them),
		IN_PLACE(no_limit_for_the_age_of_keys_is_none),
		IN_PLACE(the_first_value_counts_and_the_command_line_before),
		IN_PLACE(words_end_as_they_should),
		IN_PLACE(a_part_of_a_word_can_be_quoted),
		IN_PLACE(lists_change_the_default),
		IN_PLACE(patterns_and_what_is_not_there_can_be_taken_out),
		IN_PLACE(what_is_served_is_as_csftp_server_has_it),
		IN_PLACE(any_bytes_are_survived),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
