/* What "ssh -G" says, and what becomes of it. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fusefs/native.h"
#include "fusefs/ssh_config.h"
#include "fusefs/ssh_dial.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* As ssh_config_get() begins, without asking anybody. */
static void start(struct ssh_config *config)
{
	*config = (struct ssh_config){
		.port = 22, .prompts = 3, .attempts = 1, .alive_max = 3};
}

static void take(struct ssh_config *config, const char *const *lines)
{
	char why[OPTIONS_WHY_MAX];

	start(config);
	for (; *lines; lines++)
		assert_true(ssh_config_line(config, *lines, why));
	assert_true(ssh_config_finish(config, "me@box", why));
}

/* With a ProxyCommand; by itself each of them is a name, if a strange one. */
static void no_name_is_more_than_a_word_in_a_command(void **state)
{
	static const char *const logins[] = {
		"me@box;id",  "me@$(id)",    "me@`id`", "me@a b",
		"me@-oProxy", "a|b@box",     "-x@box",	"$(id)@box",
		"me@a\nb",    "me@box\"x\"", "me@a>b",	NULL,
	};
	struct ssh_config config;
	char why[OPTIONS_WHY_MAX];

	(void)state;
	for (size_t i = 0; logins[i]; i++) {
		start(&config);
		assert_true(ssh_config_finish(&config, logins[i], why));
		ssh_config_release(&config);
		start(&config);
		assert_true(
			ssh_config_line(&config, "proxycommand nc %h %p", why));
		if (ssh_config_finish(&config, logins[i], why))
			fail_msg("%s", logins[i]);
		assert_non_null(strstr(why, "ProxyCommand"));
		ssh_config_release(&config);
	}
	start(&config);
	assert_true(ssh_config_line(&config, "proxycommand nc %h %r", why));
	assert_true(ssh_config_finish(&config, "DOM\\me@fe80::1%eth0", why));
	ssh_config_release(&config);
}

static void lines_say_how_to_get_there(void **state)
{
	static const char *const lines[] = {
		"user you",
		"hostname 192.0.2.1",
		"port 2222",
		"addressfamily inet6",
		"bindaddress ::1",
		"serveraliveinterval 15",
		"serveralivecountmax 2",
		"connecttimeout 7",
		"connectionattempts 4",
		"tcpkeepalive yes",
		"rekeylimit 1048576 3600",
		"proxycommand none",
		"no such keyword",
		"",
		NULL,
	};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	assert_string_equal(config.user, "me");
	assert_string_equal(config.host, "box");
	assert_string_equal(config.hostname, "192.0.2.1");
	assert_int_equal(config.port, 2222);
	assert_int_equal(config.family, AF_INET6);
	assert_string_equal(config.bind_address, "::1");
	assert_int_equal(config.alive_interval, 15);
	assert_int_equal(config.alive_max, 2);
	assert_int_equal(config.connect_timeout, 7);
	assert_int_equal(config.attempts, 4);
	assert_true(config.tcp_keepalive);
	assert_int_equal(config.rekey_bytes, 1048576);
	assert_int_equal(config.rekey_seconds, 3600);
	assert_null(config.proxy_command);
	assert_string_equal(config.lacks, "");
	ssh_config_release(&config);
}

static void lines_say_who_is_who(void **state)
{
	static const char *const lines[] = {
		"identitiesonly yes",
		"identityagent /run/a b",
		"stricthostkeychecking accept-new",
		"hashknownhosts yes",
		"numberofpasswordprompts 1",
		"batchmode yes",
		"passwordauthentication no",
		"kbdinteractiveauthentication no",
		"pubkeyauthentication true",
		"sendenv LANG",
		"sendenv LC_*",
		"setenv A=b",
		"preferredauthentications password,publickey",
		"userknownhostsfile /a \"/b c\"",
		"globalknownhostsfile none",
		"hostkeyalias alias",
		NULL,
	};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	assert_true(config.identities_only);
	assert_string_equal(config.identity_agent, "/run/a b");
	assert_int_equal(config.strict, SSH_STRICT_ACCEPT_NEW);
	assert_true(config.hash_known_hosts);
	assert_int_equal(config.prompts, 1);
	assert_true(config.batch_mode);
	assert_false(config.password);
	assert_false(config.keyboard);
	assert_true(config.pubkey);
	assert_int_equal(config.send_env.count, 2);
	assert_string_equal(config.send_env.item[1], "LC_*");
	assert_string_equal(config.set_env.item[0], "A=b");
	assert_string_equal(config.preferred, "password,publickey");
	assert_int_equal(config.user_known_hosts.count, 2);
	assert_string_equal(config.user_known_hosts.item[1], "/b c");
	assert_int_equal(config.global_known_hosts.count, 0);
	assert_string_equal(config.host_key_alias, "alias");
	assert_string_equal(config.lacks, "");
	ssh_config_release(&config);
}

static void options_are_taken_with_an_equals_sign_and_any_letters(void **state)
{
	static const char *const lines[] = {
		"Port=22022", "StrictHostKeyChecking=no", "ConnectTimeout=1m30",
		"RekeyLimit=1G 1h", NULL};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	assert_int_equal(config.port, 22022);
	assert_int_equal(config.strict, SSH_STRICT_NO);
	assert_int_equal(config.connect_timeout, 90);
	assert_int_equal(config.rekey_bytes, 1U << 30);
	assert_int_equal(config.rekey_seconds, 3600);
	ssh_config_release(&config);
}

static void what_was_not_said_is_as_ssh_has_it(void **state)
{
	static const char *const lines[] = {NULL};
	const struct passwd *self = getpwuid(getuid());
	char path[PROC_PATH_MAX];
	struct ssh_config config;

	(void)state;
	assert_non_null(self);
	take(&config, lines);
	assert_string_equal(config.hostname, "box");
	assert_int_equal(config.port, 22);
	assert_int_equal(config.strict, SSH_STRICT_ASK);
	assert_true(config.identity_files.count >= 3);
	proc_print(path, sizeof(path), "%s/.ssh/id_rsa", self->pw_dir);
	assert_string_equal(config.identity_files.item[0], path);
	proc_print(path, sizeof(path), "%s/.ssh/known_hosts", self->pw_dir);
	assert_string_equal(config.user_known_hosts.item[0], path);
	assert_string_equal(config.global_known_hosts.item[0],
			    "/etc/ssh/ssh_known_hosts");
	ssh_config_release(&config);
}

/* Each of these alone is a reason to leave it to ssh. */
static void what_only_ssh_can_do_is_noticed(void **state)
{
	static const struct {
		const char *line;
		const char *lacks;
	} cases[] = {
		{"compression yes", "compression"},
		{"compression no", ""},
		{"controlpath /tmp/x", "controlpath"},
		{"controlpath none", ""},
		{"certificatefile ~/.ssh/x-cert.pub", "certificatefile"},
		{"pkcs11provider /lib/p.so", "pkcs11provider"},
		{"pkcs11provider none", ""},
		{"preferredauthentications gssapi-with-mic,hostbased",
		 "preferredauthentications"},
		{"preferredauthentications gssapi-with-mic,password", ""},
		{"gssapiauthentication yes", ""},
		{"hostbasedauthentication yes", "hostbasedauthentication"},
		{"permitlocalcommand yes", ""},
		{"localcommand touch /x", ""},
		{"knownhostscommand /bin/x", "knownhostscommand"},
		{"verifyhostkeydns ask", "verifyhostkeydns"},
		{"verifyhostkeydns false", ""},
		{"revokedhostkeys /x", "revokedhostkeys"},
		{"checkhostip yes", "checkhostip"},
		{"fingerprinthash MD5", "fingerprinthash"},
		{"fingerprinthash SHA256", ""},
		{"requiredrsasize 1024", ""},
		{"requiredrsasize 4096", "requiredrsasize"},
		{"ciphers 3des-cbc", "ciphers"},
		{"ciphers 3des-cbc,aes128-ctr", ""},
		{"kexalgorithms diffie-hellman-group14-sha1", "kexalgorithms"},
		{"kexalgorithms sntrup761x25519-sha512,curve25519-sha256",
		 "kexalgorithms"},
		{"kexalgorithms curve25519-sha256,sntrup761x25519-sha512", ""},
		{"hostkeyalgorithms ssh-dss", "hostkeyalgorithms"},
		{"macs hmac-md5", "macs"},
		{"identityfile %x", "identityfile"},
		{"identityagent %x", "identityagent"},
		{"identityagent $VARIABLE", ""},
		{"proxycommand x %y", "proxycommand"},
		{"proxycommand x ${Y}", ""},
		{"identityfile ${HOME}/x", "identityfile"},
		{"addkeystoagent true", "addkeystoagent"},
	};
	struct ssh_config config;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const lines[] = {cases[i].line, NULL};

		take(&config, lines);
		native_check(&config);
		assert_string_equal(config.lacks, cases[i].lacks);
		ssh_config_release(&config);
	}
}

static void a_local_command_that_may_be_run_is_for_ssh(void **state)
{
	static const char *const lines[] = {"permitlocalcommand yes",
					    "localcommand touch /x", NULL};
	static const char *const not_so[] = {"localcommand touch /x",
					     "permitlocalcommand no", NULL};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	assert_string_equal(config.lacks, "localcommand");
	ssh_config_release(&config);
	take(&config, not_so);
	assert_string_equal(config.lacks, "");
	ssh_config_release(&config);
}

static void algorithms_that_we_have_are_kept_in_their_order(void **state)
{
	static const char *const lines[] = {
		"ciphers chacha20-poly1305@openssh.com,3des-cbc,aes128-ctr",
		"macs umac-64@openssh.com,hmac-sha2-512", NULL};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	native_check(&config);
	assert_string_equal(config.ciphers,
			    "chacha20-poly1305@openssh.com,aes128-ctr");
	assert_string_equal(config.macs, "hmac-sha2-512");
	assert_string_equal(config.lacks, "");
	ssh_config_release(&config);
}

static void tokens_are_expanded(void **state)
{
	static const struct {
		const char *text;
		const char *result; /* NULL: refused */
	} cases[] = {
		{"%h:%p", "10.0.0.1:2222"},
		{"%r@%n", "me@box"},
		{"100%%", "100%"},
		{"%k", "alias"},
		{"", ""},
		{"%", NULL},
		{"a%q", NULL},
		{"~other/x", NULL},
		{"${X}", NULL},
	};
	static const char *const lines[] = {"hostname 10.0.0.1", "port 2222",
					    "hostkeyalias alias", NULL};
	struct ssh_config config;
	char home[PROC_PATH_MAX];
	char *text;

	(void)state;
	take(&config, lines);
	/* A shell expands what it is given. */
	text = ssh_config_expand(&config, "proxycommand", "~/x ${A} %h");
	assert_string_equal(text, "~/x ${A} 10.0.0.1");
	free(text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		text = ssh_config_expand(&config, "word", cases[i].text);
		if (cases[i].result)
			assert_string_equal(text, cases[i].result);
		else
			assert_null(text);
		free(text);
	}
	assert_string_equal(config.lacks, "word");
	text = ssh_config_expand(&config, "word", "~/%h");
	proc_print(home, sizeof(home), "%s/10.0.0.1", config.home);
	assert_string_equal(text, home);
	free(text);
	ssh_config_release(&config);
}

static void a_jump_is_a_command_of_ssh(void **state)
{
	static const char *const lines[] = {"hostname inner", "port 2222",
					    "proxyjump a@one:22,b@two:2022",
					    NULL};
	static const char *const want[] = {
		"ssh",		"-F", "/conf",		 "-J", "a@one:22", "-W",
		"[inner]:2222", "--", "ssh://b@two:2022"};
	char file[] = "/conf";
	struct options options = {.ssh_config = file};
	struct strings argv = {0};
	struct ssh_config config;

	(void)state;
	take(&config, lines);
	assert_true(ssh_dial_jump(&argv, &config, &options));
	assert_int_equal(argv.count, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < argv.count; i++)
		assert_string_equal(argv.item[i], want[i]);
	strings_release(&argv);
	ssh_config_release(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_say_how_to_get_there),
		cmocka_unit_test(no_name_is_more_than_a_word_in_a_command),
		cmocka_unit_test(lines_say_who_is_who),
		cmocka_unit_test(
			options_are_taken_with_an_equals_sign_and_any_letters),
		cmocka_unit_test(what_was_not_said_is_as_ssh_has_it),
		cmocka_unit_test(what_only_ssh_can_do_is_noticed),
		cmocka_unit_test(a_local_command_that_may_be_run_is_for_ssh),
		cmocka_unit_test(
			algorithms_that_we_have_are_kept_in_their_order),
		cmocka_unit_test(tokens_are_expanded),
		cmocka_unit_test(a_jump_is_a_command_of_ssh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
