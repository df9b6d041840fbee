/* Lines of known_hosts files, and the messages of agents. */
#include <stdlib.h>
#include <string.h>

#include "core/ssh/agent.h"
#include "core/ssh/key.h"
#include "core/ssh/keyfile.h"
#include "core/ssh/known_hosts.h"
#include "tests/lib/hex.h"
#include "tests/lib/test.h"

#define ED                                                                     \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINZVSmKM1OopdiyNPYT7edRCT/"       \
	"nc6KXByx7AKzkoRQTA"
#define ED2                                                                    \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBDddJV9pdA/"                     \
	"dKZmf43YUtGd23Vu6qXzXwV7DXemD/OR"
#define EC                                                                     \
	"ecdsa-sha2-nistp256 "                                                 \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDc03sHXlAgXVh4u" \
	"LUwTrkr839qrOmnHJHKFkRL+"                                             \
	"WniUpUtzXTYG0peWVWPN/rJTbY+MapCQGdu7nUFFStHgTXY="

/* Made by ssh-keygen -H of "[example.org]:2222" and "example.org". */
#define HASHED_PORT                                                            \
	"|1|D7S0WS6Sk26bC+SBWXl0V4tdK+o=|5nmkAjYC6mDpCggRRJsR5lmhenk="
#define HASHED "|1|nwGF6tPcuwT9zrKkawSo/bGE2QE=|4/kwXdl6YtgUT+n7GchJnSC9hEg="

struct desk {
	struct ssh_lib *lib;
	uint8_t blob[SSH_KEY_BLOB_MAX];
	struct wire_bytes key; /* ED's */
	struct ssh_known known;
};

static struct wire_bytes blob_of(const char *line, uint8_t *to)
{
	const char *text = strchr(line, ' ') + 1;
	size_t len;

	assert_int_equal(ssh_base64(text, strlen(text), to, &len), CSFTP_OK);
	return (struct wire_bytes){to, len};
}

static int start(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	if (!desk || ssh_lib_new(&desk->lib) != CSFTP_OK)
		return -1;
	desk->key = blob_of(ED, desk->blob);
	*state = desk;
	return 0;
}

static int stop(void **state)
{
	struct desk *desk = *state;

	ssh_lib_free(desk->lib);
	free(desk);
	return 0;
}

static enum ssh_known_verdict look(struct desk *desk, const char *host,
				   const char *text)
{
	ssh_known_start(&desk->known, desk->lib, host, desk->key);
	ssh_known_text(&desk->known, text, strlen(text));
	return ssh_known_verdict(&desk->known);
}

static void assert_verdict(struct desk *desk, const char *host,
			   const char *text, enum ssh_known_verdict verdict)
{
	if (look(desk, host, text) != verdict)
		fail_msg("%s in \"%s\": %d, not %d", host, text,
			 ssh_known_verdict(&desk->known), verdict);
}

static void a_key_is_the_same_another_or_unknown(void **state)
{
	struct desk *desk = *state;

	assert_verdict(desk, "host", "host " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "host", "host " ED " comment\n", SSH_KNOWN_SAME);
	assert_verdict(desk, "host", " \thost\t" ED "\r\n", SSH_KNOWN_SAME);
	assert_verdict(desk, "host", "host " ED2, SSH_KNOWN_CHANGED);
	assert_verdict(desk, "host", "other " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "host", "", SSH_KNOWN_UNKNOWN);
	/* A key of another type speaks against this one, too. */
	assert_verdict(desk, "host", "host " EC, SSH_KNOWN_CHANGED);
	assert_int_equal(desk->known.changed_type, CSFTP_SSH_P256);
	assert_verdict(desk, "host", "host " ED2 "\nhost " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "host", "host " ED "\nhost " EC, SSH_KNOWN_SAME);
}

static void names_are_lists_of_patterns(void **state)
{
	struct desk *desk = *state;

	assert_verdict(desk, "b", "a,b,c " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "x.example.org", "*.example.org " ED,
		       SSH_KNOWN_SAME);
	assert_verdict(desk, "example.org", "*.example.org " ED,
		       SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "x.example.org", "*.example.org,!x.* " ED,
		       SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "y.example.org", "*.example.org,!x.* " ED,
		       SSH_KNOWN_SAME);
	assert_verdict(desk, "x", "!y " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "h1", "h? " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "h", "h? " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "host", "HoSt " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "[host]:22000", "[host]:22000 " ED,
		       SSH_KNOWN_SAME);
	assert_verdict(desk, "[host]:22000", "host " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "aab", "*a*b " ED, SSH_KNOWN_SAME);
	assert_verdict(desk, "abc", "*a*b " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "a", "*,,! " ED, SSH_KNOWN_SAME);
}

static void hashed_names_are_found(void **state)
{
	struct desk *desk = *state;

	assert_verdict(desk, "[example.org]:2222", HASHED_PORT " " ED,
		       SSH_KNOWN_SAME);
	assert_verdict(desk, "example.org", HASHED " " EC, SSH_KNOWN_CHANGED);
	assert_verdict(desk, "example.com", HASHED " " EC, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "example.org", HASHED_PORT " " ED,
		       SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "example.org", "|2" HASHED " " ED,
		       SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "example.org",
		       "|1|"
		       " " ED,
		       SSH_KNOWN_UNKNOWN);
}

static void a_revoked_key_is_refused_whatever_else_there_is(void **state)
{
	struct desk *desk = *state;

	assert_verdict(desk, "host", "@revoked * " ED, SSH_KNOWN_REVOKED);
	assert_verdict(desk, "host", "host " ED "\n@revoked host " ED,
		       SSH_KNOWN_REVOKED);
	assert_verdict(desk, "host", "@revoked host " ED "\nhost " ED,
		       SSH_KNOWN_REVOKED);
	assert_verdict(desk, "host", "@revoked other " ED, SSH_KNOWN_UNKNOWN);
	assert_verdict(desk, "host", "@revoked host " ED2, SSH_KNOWN_UNKNOWN);
	assert_int_equal(desk->known.types, 0);
}

static void what_is_no_key_of_a_host_counts_for_nothing(void **state)
{
	static const char *const lines[] = {
		"# host " ED,
		"@cert-authority host " ED,
		"@something host " ED,
		"host",
		"host ssh-ed25519",
		"host ssh-ed25519 AAAA",
		"host ssh-ed25519 !!!!",
		"host ssh-rsa "
		"AAAAC3NzaC1lZDI1NTE5AAAAINZVSmKM1OopdiyNPYT7edRCT/"
		"nc6KXByx7AKzkoRQTA",
		"host 1024 35 1234567890",
		"host sk-ssh-ed25519@openssh.com AAAA",
		"@revoked",
	};
	struct desk *desk = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_verdict(desk, "host", lines[i], SSH_KNOWN_UNKNOWN);
		assert_int_equal(desk->known.types, 0);
	}
}

static void an_authority_for_the_host_is_noted(void **state)
{
	static const char *const lines[] = {
		"@cert-authority host " ED,
		"@cert-authority *,!other " EC,
		"# none\nhost " ED2 "\n@cert-authority ho* ssh-dss AAAA\n",
	};
	static const char *const none[] = {
		"@cert-authority other " ED,   "@cert-authority *,!host " ED,
		"@cert-authority host",	       "@cert-authority host ssh-rsa",
		"#@cert-authority host " ED,   "@something host " ED,
		"host " ED "\n@revoked * " EC,
	};
	struct desk *desk = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		(void)look(desk, "host", lines[i]);
		assert_true(desk->known.authority);
		assert_false(desk->known.same);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		(void)look(desk, "host", none[i]);
		assert_false(desk->known.authority);
	}
}

/* Each line, cut anywhere, is broken: none lets anybody in by that. */
static void no_proper_prefix_of_a_line_is_a_key(void **state)
{
	static const char *const lines[] = {"host " ED, HASHED_PORT " " ED};
	struct desk *desk = *state;

	for (size_t i = 0; i < 2; i++)
		for (size_t len = 0; len < strlen(lines[i]); len++) {
			ssh_known_start(&desk->known, desk->lib,
					i ? "[example.org]:2222" : "host",
					desk->key);
			ssh_known_line(&desk->known, lines[i], len);
			assert_int_not_equal(ssh_known_verdict(&desk->known),
					     SSH_KNOWN_SAME);
		}
}

static void the_line_at_fault_is_named(void **state)
{
	struct desk *desk = *state;
	static const char first[] = "# none\nhost " EC "\n";
	static const char second[] = "\n\nhost " ED2 "\nalias " ED "\n";

	ssh_known_start(&desk->known, desk->lib, "host", desk->key);
	ssh_known_text(&desk->known, first, strlen(first));
	assert_int_equal(desk->known.changed.line, 2);
	assert_int_equal(desk->known.changed.file, 0);
	ssh_known_next_file(&desk->known);
	ssh_known_text(&desk->known, second, strlen(second));
	assert_int_equal(desk->known.changed.line, 3);
	assert_int_equal(desk->known.changed.file, 1);
	assert_int_equal(desk->known.changed_type, CSFTP_SSH_ED25519);
	assert_int_equal(desk->known.named.line, 4);
	assert_int_equal(desk->known.types,
			 1U << CSFTP_SSH_ED25519 | 1U << CSFTP_SSH_P256);
}

static void hosts_are_named_as_the_files_have_them(void **state)
{
	static const char *const bad[] = {"",	 "a b", "a,b", "*",    "!a",
					  "|1|", "#a",	"a\n", "@cert"};
	char name[SSH_HOST_MAX];
	char long_name[SSH_HOST_MAX + 8];

	(void)state;
	assert_int_equal(ssh_known_name(name, "Host.Example", 22), CSFTP_OK);
	assert_string_equal(name, "host.example");
	assert_int_equal(ssh_known_name(name, "Host", 2222), CSFTP_OK);
	assert_string_equal(name, "[host]:2222");
	assert_int_equal(ssh_known_name(name, "::1", 65535), CSFTP_OK);
	assert_string_equal(name, "[::1]:65535");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(ssh_known_name(name, bad[i], 22),
				 CSFTP_ERR_VALUE);
	assert_string_equal(name, "[::1]:65535");
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(ssh_known_name(name, long_name, 22),
			 CSFTP_ERR_TOO_LONG);
}

static void what_is_written_is_found_again(void **state)
{
	static const uint8_t salt[SSH_KNOWN_SALT] = "twenty bytes of salt";
	struct desk *desk = *state;
	uint8_t text[1024];

	for (int hashed = 0; hashed < 2; hashed++) {
		struct wire_wr wr = {.base = text, .cap = sizeof(text) - 1};

		assert_int_equal(ssh_known_write(&wr, desk->lib, "[h]:1",
						 desk->key,
						 hashed ? salt : NULL),
				 CSFTP_OK);
		text[wr.len] = '\0';
		assert_verdict(desk, "[h]:1", (char *)text, SSH_KNOWN_SAME);
		assert_verdict(desk, "h", (char *)text, SSH_KNOWN_UNKNOWN);
		if (hashed)
			assert_null(strstr((char *)text, "h]:1"));
		else
			assert_string_equal((char *)text, "[h]:1 " ED "\n");
		for (size_t cap = 0; cap < wr.len; cap++) {
			struct wire_wr less = {.base = text, .cap = cap};

			assert_int_equal(ssh_known_write(&less, desk->lib,
							 "[h]:1", desk->key,
							 hashed ? salt : NULL),
					 CSFTP_ERR_NO_ROOM);
		}
	}
}

static void fingerprints_are_those_of_ssh(void **state)
{
	struct desk *desk = *state;
	char text[SSH_FINGERPRINT_MAX];

	assert_int_equal(ssh_fingerprint(text, desk->lib, desk->key), CSFTP_OK);
	assert_string_equal(
		text, "SHA256:WTeQoK2+8BwaUVM9DWF35zI3ZmELVhd5Qciu3Zsw1vE");
}

/*
 * Agents
 */

struct heard {
	unsigned count;
	size_t key_len;
	char comment[32];
};

static void hear(void *arg, struct wire_bytes key, struct wire_bytes comment)
{
	struct heard *heard = arg;

	heard->count++;
	heard->key_len = key.len;
	assert_true(comment.len < sizeof(heard->comment));
	memcpy(heard->comment, comment.ptr, comment.len);
	heard->comment[comment.len] = '\0';
}

static void the_keys_of_an_agent_are_read(void **state)
{
	struct heard heard = {0};
	uint8_t bytes[64], text[8];
	struct wire_wr ask = {.base = text, .cap = sizeof(text)};
	size_t len = hex_bytes("00000018 0c 00000002"
			       "00000001 aa 00000000"
			       "00000000 00000002 6869",
			       bytes, sizeof(bytes));

	(void)state;
	ssh_agent_ask_keys(&ask);
	assert_int_equal(wire_wr_end(&ask), CSFTP_OK);
	assert_int_equal(ask.len, 5);
	assert_memory_equal(text, "\0\0\0\1\x0b", 5);
	assert_int_equal(ssh_agent_length(bytes), len);
	assert_int_equal(ssh_agent_read_keys(bytes, len, hear, &heard),
			 CSFTP_OK);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.key_len, 0);
	assert_string_equal(heard.comment, "hi");
	for (size_t n = 0; n < len; n++)
		assert_int_not_equal(
			ssh_agent_read_keys(bytes, n, hear, &heard), CSFTP_OK);
}

static void an_agent_that_refuses_or_lies_is_no_help(void **state)
{
	static const struct {
		const char *hex;
		enum csftp_err err;
	} answers[] = {
		{"00000001 05", CSFTP_ERR_DENIED},
		{"00000001 06", CSFTP_ERR_STATE},
		{"00000005 0c ffffffff", CSFTP_ERR_TOO_LONG},
		{"00000005 0c 00000001", CSFTP_ERR_SHORT},
		{"00000006 0c 00000000 00", CSFTP_ERR_TRAILING},
		{"00000007 0c 00000000", CSFTP_ERR_VALUE},
		{"00000000", CSFTP_ERR_SHORT},
	};
	struct heard heard = {0};
	struct wire_bytes signature;
	uint8_t bytes[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		len = hex_bytes(answers[i].hex, bytes, sizeof(bytes));
		assert_int_equal(ssh_agent_read_keys(bytes, len, hear, &heard),
				 answers[i].err);
		assert_int_not_equal(ssh_agent_read_signature(bytes, len,
							      "ssh-ed25519",
							      &signature),
				     CSFTP_OK);
	}
	assert_int_equal(heard.count, 0);
	assert_int_equal(ssh_agent_length((const uint8_t *)"\xff\xff\xff\xff"),
			 0);
}

static void signatures_are_asked_for_with_the_flags_of_rsa(void **state)
{
	static const struct {
		const char *algorithm;
		uint8_t flags;
	} cases[] = {{"ssh-ed25519", 0},
		     {"ecdsa-sha2-nistp256", 0},
		     {"rsa-sha2-256", 2},
		     {"rsa-sha2-512", 4}};
	const struct wire_bytes key = {(const uint8_t *)"k", 1};
	const struct wire_bytes data = {(const uint8_t *)"dd", 2};
	uint8_t text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct wire_wr wr = {.base = text, .cap = sizeof(text)};
		uint8_t want[] = {0, 0, 0, 16, 13,  0,	 0, 0, 1, 'k',
				  0, 0, 0, 2,  'd', 'd', 0, 0, 0, 0};

		want[sizeof(want) - 1] = cases[i].flags;
		assert_int_equal(ssh_agent_ask_signature(
					 &wr, key, cases[i].algorithm, data),
				 CSFTP_OK);
		assert_int_equal(wr.len, sizeof(want));
		assert_memory_equal(text, want, sizeof(want));
	}
}

/* An agent that does not know the flags signs RSA with SHA-1. */
static void a_signature_by_another_algorithm_is_refused(void **state)
{
	struct wire_bytes signature;
	uint8_t bytes[64];
	size_t len = hex_bytes("00000016 0e 00000011"
			       "00000007 7373682d727361 00000002 1234",
			       bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(
		ssh_agent_read_signature(bytes, len, "ssh-rsa", &signature),
		CSFTP_OK);
	assert_int_equal(signature.len, 17);
	assert_int_equal(ssh_agent_read_signature(bytes, len, "rsa-sha2-256",
						  &signature),
			 CSFTP_ERR_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_the_same_another_or_unknown),
		cmocka_unit_test(names_are_lists_of_patterns),
		cmocka_unit_test(hashed_names_are_found),
		cmocka_unit_test(
			a_revoked_key_is_refused_whatever_else_there_is),
		cmocka_unit_test(what_is_no_key_of_a_host_counts_for_nothing),
		cmocka_unit_test(an_authority_for_the_host_is_noted),
		cmocka_unit_test(no_proper_prefix_of_a_line_is_a_key),
		cmocka_unit_test(the_line_at_fault_is_named),
		cmocka_unit_test(hosts_are_named_as_the_files_have_them),
		cmocka_unit_test(what_is_written_is_found_again),
		cmocka_unit_test(fingerprints_are_those_of_ssh),
		cmocka_unit_test(the_keys_of_an_agent_are_read),
		cmocka_unit_test(an_agent_that_refuses_or_lies_is_no_help),
		cmocka_unit_test(
			signatures_are_asked_for_with_the_flags_of_rsa),
		cmocka_unit_test(a_signature_by_another_algorithm_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
