/*
 * csftpfs with SSH of its own against sshd and dropbear: who it is, what is
 * asked, and by which way it gets there.  Where ssh has words for it, they are
 * compared with ssh's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/asker.h"
#include "tests/lib/login.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

/*
 * Who we are
 */

static void a_key_file_logs_in(void **state)
{
	static const char *const none[] = {NULL};

	login_works(*state, none);
}

static void an_unknown_key_is_denied_in_words_of_ssh(void **state)
{
	struct login *login = *state;
	char key[PROC_PATH_MAX + 32], path[PROC_PATH_MAX] = "";
	const char *const options[] = {login_option(key, "IdentityFile", path),
				       NULL};

	proc_print(path, sizeof(path), "%.4000s/stranger", login->mounted.dir);
	must_sh("ssh-keygen -q -t ed25519 -N '' -f '%s'", path);
	login_option(key, "IdentityFile", path);
	/* The configuration adds its own: without it, too. */
	must_sh("sed '/IdentityFile/d' '%s' >'%s.less'\n"
		"mv '%s' '%s.full'\n"
		"mv '%s.less' '%s'",
		login->mounted.sshd.client, login->mounted.sshd.client,
		login->mounted.sshd.client, login->mounted.sshd.client,
		login->mounted.sshd.client, login->mounted.sshd.client);
	login_fails(login, options);
	must_sh("mv '%s.full' '%s'; rm -f '%s' '%s.pub'",
		login->mounted.sshd.client, login->mounted.sshd.client, path,
		path);
	login_says(login, "Permission denied (publickey).");
}

static void an_encrypted_key_is_asked_for_its_passphrase(void **state)
{
	struct login *login = *state;
	const char *const options[] = {"BatchMode=no", NULL};
	const char *key = login->mounted.sshd.key;

	must_sh("ssh-keygen -q -p -P '' -N 'so secret' -f '%s' >/dev/null",
		key);
	asker_answers(login->mounted.dir, "wrong\\nso secret\\n");
	login_works(login, options);
	asker_was_asked(login->mounted.dir, "Enter passphrase for key '");
	/* As often as ssh asks, and no more. */
	asker_answers(login->mounted.dir, "wrong\\n");
	login_fails(login, options);
	login_says(login, "Permission denied (publickey).");
	must_sh("ssh-keygen -q -p -P 'so secret' -N '' -f '%s' >/dev/null",
		key);
}

/* The server has a key of ed25519 alone. */
static void what_cannot_be_agreed_on_is_named_as_by_ssh(void **state)
{
	static const char *const options[] = {"HostKeyAlgorithms=rsa-sha2-256",
					      NULL};
	struct login *login = *state;

	login_fails(login, options);
	if (login->mounted.transport == NATIVE_OPENSSH) {
		login_says(login, "Unable to negotiate with 127.0.0.1 port ");
		login_says(login, "no matching host key type found\n");
	}
}

static void a_key_that_others_can_read_is_refused_as_by_ssh(void **state)
{
	static const char *const none[] = {NULL};
	struct login *login = *state;

	assert_int_equal(chmod(login->mounted.sshd.key, 0644), 0);
	login_fails(login, none);
	assert_int_equal(chmod(login->mounted.sshd.key, 0600), 0);
	login_says(login, "WARNING: UNPROTECTED PRIVATE KEY FILE!");
	login_says(login, "Permissions 0644 for");
}

/* ssh-agent -D says nothing to wait for: its socket is. */
static void start_agent(struct login *login, char *path)
{
	char program[] = "ssh-agent", stay[] = "-D", at[] = "-a";
	char *argv[] = {program, stay, at, path, NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	proc_print(path, PROC_PATH_MAX, "%.4000s/agent", login->mounted.dir);
	login->agent = proc_start(argv, -1, null, -1);
	close(null);
	must_sh("until [ -S '%s' ]; do kill -0 %d; sleep 0.05; done", path,
		login->agent);
}

static void an_agent_signs_with_keys_of_each_type(void **state)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};
	struct login *login = *state;
	/* libssh2 1.10 would have RSA keys sign with SHA-1. */
	size_t count = login->mounted.transport == LIBSSH2_OPENSSH ? 2 : 3;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	const char *dir = login->mounted.sshd.dir;
	const char *const options[] = {
		login_option(agent, "IdentityAgent", path), "IdentitiesOnly=no",
		"IdentityFile=/no/such/file", NULL};

	start_agent(login, path);
	login_option(agent, "IdentityAgent", path);
	must_sh("cp '%s/user.pub' '%s/user.old'\n"
		"mv '%s/user' '%s/user.away'",
		dir, dir, dir, dir);
	for (size_t i = 0; i < count; i++) {
		must_sh("cd '%s'\n"
			"rm -f agent.key*\n"
			"ssh-keygen -q -t %s -N '' -f agent.key\n"
			"SSH_AUTH_SOCK='%s' ssh-add -q -D 2>/dev/null\n"
			"SSH_AUTH_SOCK='%s' ssh-add -q agent.key\n"
			"cp agent.key.pub user.pub",
			dir, types[i], path, path);
		login_works(login, options);
	}
	must_sh("cd '%s'; mv user.old user.pub; mv user.away user", dir);
}

/* Six is what sshd takes; as with ssh, the right one comes too late. */
static void too_many_keys_of_an_agent_are_refused_once(void **state)
{
	struct login *login = *state;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	const char *dir = login->mounted.sshd.dir;
	const char *const options[] = {
		login_option(agent, "IdentityAgent", path), "IdentitiesOnly=no",
		NULL};
	const char *const only[] = {agent, NULL};

	start_agent(login, path);
	login_option(agent, "IdentityAgent", path);
	must_sh("cd '%s'\n"
		"for i in 1 2 3 4 5 6 7; do\n"
		"	rm -f agent.key*\n"
		"	ssh-keygen -q -t ed25519 -N '' -f agent.key\n"
		"	SSH_AUTH_SOCK='%s' ssh-add -q agent.key\n"
		"done",
		dir, path);
	login_fails(login, options);
	if (login->mounted.transport == NATIVE_OPENSSH) {
		login_says(login, "Received disconnect from 127.0.0.1 port ");
		login_says(login, "Too many authentication failures\n");
		login_says(login, "connection failed: refused\n");
		login_says_not(login, "Permission denied");
	}
	login_works(login, only);
}

static void identities_only_keeps_the_agents_other_keys_back(void **state)
{
	struct login *login = *state;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	char file[PROC_PATH_MAX + 32];
	const char *dir = login->mounted.sshd.dir;
	const char *const options[] = {login_option(agent, "IdentityAgent", ""),
				       "IdentitiesOnly=yes", NULL};
	const char *const named[] = {agent, "IdentitiesOnly=yes", file, NULL};

	start_agent(login, path);
	login_option(agent, "IdentityAgent", path);
	proc_print(file, sizeof(file), "IdentityFile=%s/agent.key.pub", dir);
	must_sh("cd '%s'\n"
		"cp user.pub user.old\n"
		"rm -f agent.key*\n"
		"ssh-keygen -q -t ed25519 -N '' -f agent.key\n"
		"SSH_AUTH_SOCK='%s' ssh-add -q agent.key\n"
		"rm agent.key\n"
		"cp agent.key.pub user.pub",
		dir, path);
	login_fails(login, options);
	login_says(login, "Permission denied (publickey).");
	/* Its public half says that it was asked for. */
	login_works(login, named);
	must_sh("cd '%s'; mv user.old user.pub", dir);
}

/*
 * How to get there
 */

static void a_proxy_command_carries_the_connection(void **state)
{
	struct login *login = *state;
	char text[2 * PROC_PATH_MAX];
	const char *const options[] = {text, NULL};

	proc_print(text, sizeof(text),
		   "ProxyCommand=ssh -F %s -W %%h:%%p " SSHD_HOST,
		   login->mounted.sshd.client);
	login_works(login, options);
}

static void a_jump_host_carries_the_connection(void **state)
{
	static const char *const options[] = {"ProxyJump=" SSHD_HOST, NULL};

	login_works(*state, options);
}

static void a_proxy_that_fails_is_an_error(void **state)
{
	static const char *const options[] = {"ProxyCommand=exit 3", NULL};
	struct login *login = *state;

	login_fails(login, options);
	login_says(login, "connection failed");
}

static void a_closed_port_is_an_error(void **state)
{
	static const char *const options[] = {"Port=1", "ConnectionAttempts=1",
					      NULL};
	struct login *login = *state;

	login_fails(login, options);
	login_says(login, "connect to host 127.0.0.1 port 1: "
			  "Connection refused");
}

/* Neither ssh nor its files: what is on the command line has to do. */
static void it_works_where_there_is_no_ssh(void **state)
{
	struct login *login = *state;
	char bin[PROC_PATH_MAX], key[PROC_PATH_MAX + 32],
		hosts[PROC_PATH_MAX + 32], port[32], target[2 * PROC_PATH_MAX];
	char program[PROC_PATH_MAX], o[] = "-o", stay[] = "-f", how[64];
	char *argv[] = {program, stay,	o, how,	 o,	 key,
			o,	 hosts, o, port, target, login->mounted.point,
			NULL};
	const char *path = getenv("PATH");
	char *old = strdup(path ? path : "");

	assert_non_null(old);
	proc_mounter(program);
	proc_print(bin, sizeof(bin), "%.4000s/bin", login->mounted.dir);
	must_sh("mkdir -p '%s' && ln -sf \"$(command -v fusermount3)\" '%s/'",
		bin, bin);
	proc_print(how, sizeof(how), "%s",
		   login->mounted.transport == NATIVE_OPENSSH
			   ? "transport=native"
			   : "transport=libssh2");
	login_option(key, "IdentityFile", login->mounted.sshd.key);
	login_option(hosts, "UserKnownHostsFile",
		     login->mounted.sshd.known_hosts);
	proc_print(port, sizeof(port), "port=%d", login->mounted.sshd.port);
	proc_print(target, sizeof(target), "127.0.0.1:%s",
		   login->mounted.served);
	setenv("PATH", bin, 1);
	login->mounted.pid = proc_start(argv, -1, -1, -1);
	setenv("PATH", old, 1);
	free(old);
	mounted_await(&login->mounted);
	mounted_unmount(&login->mounted);
}

/*
 * What is carried
 */

static void data_survives_many_changes_of_keys(void **state)
{
	static const char *const options[] = {"RekeyLimit=1M", NULL};
	static const char *const least[] = {"RekeyLimit=16", NULL};
	struct login *login = *state;

	if (login->mounted.transport == LIBSSH2_OPENSSH) {
		login_fails(login, options);
		login_says(login, "only transport=ssh can do: rekeylimit");
		return;
	}
	login_works(login, least);
	login_start(login, options);
	must_sh("cd '%s'\n"
		"head -c 32M /dev/urandom >data\n"
		"cp data '%s/copy'\n"
		"cmp data copy\n"
		"cmp data '%s/data'\n"
		"rm data copy",
		login->mounted.served, login->mounted.point,
		login->mounted.point);
	mounted_unmount(&login->mounted);
}

static void the_server_can_be_named_as_a_program(void **state)
{
	static const char *const options[] = {
		"sftp_server=" OPENSSH_SFTP_SERVER, NULL};
	static const char *const missing[] = {"sftp_server=nothing", NULL};
	struct login *login = *state;

	login_works(login, options);
	login_fails(login, missing);
	login_says(login, "subsystem request failed");
}

/*
 * Which one
 */

static void what_only_ssh_can_do_is_refused_or_left_to_ssh(void **state)
{
	static const char *const refused[] = {"Compression=yes", NULL};
	struct login *login = *state;
	char config[PROC_PATH_MAX], target[2 * PROC_PATH_MAX];
	char program[PROC_PATH_MAX], flag[] = "-F", talk[] = "-v", o[] = "-o";
	char automatic[] = "transport=auto", compress[] = "Compression=yes";
	char *argv[] = {program, flag,	    config, talk,
			o,	 automatic, target, login->mounted.point,
			o,	 compress,  NULL};

	login_fails(login, refused);
	login_says(login, "only transport=ssh can do: compression");
	proc_mounter(program);
	proc_print(config, sizeof(config), "%s", login->mounted.sshd.client);
	proc_print(target, sizeof(target), "%s:/no/such/place", SSHD_HOST);
	assert_int_equal(
		proc_capture(argv, LOGIN_MS, login->text, LOGIN_TEXT_MAX), 1);
	login_says(login, "transport=ssh, for: compression");
	argv[8] = NULL;
	unsetenv("KRB5CCNAME");
	assert_int_equal(
		proc_capture(argv, LOGIN_MS, login->text, LOGIN_TEXT_MAX), 1);
	login_says(login, "transport=native: ");
	login_says(login, "authentication by publickey");
	login_says_not(login, "transport=ssh");
}

/* Its certificate is nothing that we could tell from a forged one. */
static void a_host_with_an_authority_is_left_to_ssh(void **state)
{
	struct login *login = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const native[] = {
		login_option(hosts, "UserKnownHostsFile", login->hosts), NULL};
	char program[PROC_PATH_MAX], flag[] = "-F", talk[] = "-v", o[] = "-o";
	char automatic[] = "transport=auto", target[] = SSHD_HOST ":/";
	char *argv[] = {program,
			flag,
			login->mounted.sshd.client,
			talk,
			o,
			automatic,
			o,
			hosts,
			target,
			login->mounted.point,
			NULL};

	must_sh("printf '@cert-authority %s,other %%s\n' "
		"\"$(cat '%s.pub')\" >'%s'",
		SSHD_HOST, login->mounted.sshd.key, login->hosts);
	login_fails(login, native);
	login_says(login, "No ED25519 host key is known for " SSHD_HOST);
	proc_mounter(program);
	unsetenv("KRB5CCNAME");
	assert_int_equal(
		proc_capture(argv, LOGIN_MS, login->text, LOGIN_TEXT_MAX), 1);
	login_says(login, "transport=ssh, for: @cert-authority");
	login_says_not(login, "transport=native");
}

/* It might have a certificate with the agent, or a ticket. */
static void ssh_is_tried_where_no_key_of_ours_would_do(void **state)
{
	struct login *login = *state;
	char key[] = "IdentityFile=/no/such/file", o[] = "-o";
	char program[PROC_PATH_MAX], flag[] = "-F", config[PROC_PATH_MAX];
	char talk[] = "-v", target[] = SSHD_HOST ":/";
	char automatic[] = "transport=auto", none[] = "IdentitiesOnly=no";
	char *argv[] = {program, flag,	    config, talk,
			o,	 automatic, o,	    key,
			o,	 none,	    target, login->mounted.point,
			NULL};

	unsetenv("KRB5CCNAME");
	proc_mounter(program);
	proc_print(config, sizeof(config), "%.4000s/bare", login->mounted.dir);
	must_sh("sed '/IdentityFile/d' '%s' >'%s'", login->mounted.sshd.client,
		config);
	assert_int_equal(
		proc_capture(argv, LOGIN_MS, login->text, LOGIN_TEXT_MAX), 1);
	login_says(login, "transport=native: ");
	login_says(login, "transport=ssh: it may have another way in");
	login_says(login, "ssh exited with status 255");
}

/*
 * Other servers: each test has one of its own.
 */

static void serve_with(struct login *login, const struct sshd_with *with)
{
	sshd_stop(&login->mounted.sshd);
	sshd_start_with(&login->mounted.sshd, OPENSSH_SFTP_SERVER, with);
}

static int serve_as_ever(void **state)
{
	struct login *login = *state;

	(void)login_clean_up(state);
	sshd_stop(&login->mounted.sshd);
	sshd_start(&login->mounted.sshd, OPENSSH_SFTP_SERVER);
	return 0;
}

static void passwords_are_asked_for_as_by_ssh(void **state)
{
	static const struct sshd_with with = {
		.config = "PasswordAuthentication yes\nPermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {
		"BatchMode=no", "PubkeyAuthentication=no",
		"NumberOfPasswordPrompts=2", NULL};
	static const char *const batch[] = {"PubkeyAuthentication=no", NULL};
	struct login *login = *state;

	serve_with(login, &with);
	asker_answers(login->mounted.dir, "no\\nopen sesame\\n");
	login_works(login, options);
	asker_was_asked(login->mounted.dir, "@" SSHD_HOST "'s password: ");
	asker_answers(login->mounted.dir, "no\\n");
	login_fails(login, options);
	login_says(login, "Permission denied, please try again.");
	login_says(login, "Permission denied (publickey,password).");
	login_fails(login, batch);
	login_says(login, "Permission denied (publickey,password).");
}

/*
 * The first server stands still, with as much on the way as there can be, until
 * there is a second one; then both are ended, and the file is read once more.
 */
static void use_two_and_lose_both(struct login *login)
{
	must_sh("cd '%s'\n"
		"below() { for p in $(pgrep -P $1); do\n"
		"	grep -qx sftp-server /proc/$p/comm && echo $p\n"
		"	below $p\n"
		"done; }\n"
		"head -c 20M /dev/urandom >data\n"
		"writer() { exec >point/copy; : >ready\n"
		"	until [ -e go ]; do sleep 0.1; done; cat data; }\n"
		"writer & until [ -e ready ]; do sleep 0.1; done\n"
		"server=$(below %d) && kill -STOP $server && : >go\n"
		"until [ $(below %d | wc -l) = 2 ]; do sleep 0.1; done\n"
		"kill -CONT $server && wait && cmp data point/copy\n"
		"rm data ready go point/copy\n"
		"kill $(below %d)\n"
		"test $(cat point/file) = hello",
		login->mounted.dir, login->mounted.sshd.pid,
		login->mounted.sshd.pid, login->mounted.sshd.pid);
}

static void a_further_connection_has_the_password(void **state)
{
	static const struct sshd_with with = {
		.config = "PasswordAuthentication yes\nPermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {
		"BatchMode=no", "PubkeyAuthentication=no", "max_conns=2", NULL};
	struct login *login = *state;

	serve_with(login, &with);
	asker_answers(login->mounted.dir, "open sesame\\n");
	login_start(login, options);
	use_two_and_lose_both(login);
	mounted_unmount(&login->mounted);
}

/* Nobody is asked a second time, and the file is not needed any more. */
static void a_further_connection_has_the_key(void **state)
{
	static const char *const options[] = {"BatchMode=no", "max_conns=2",
					      NULL};
	struct login *login = *state;
	const char *key = login->mounted.sshd.key;

	must_sh("cp -p '%s' '%s.plain'\n"
		"ssh-keygen -q -p -P '' -N 'so secret' -f '%s' >/dev/null",
		key, key, key);
	asker_answers(login->mounted.dir, "so secret\\nwrong\\n");
	login_start(login, options);
	asker_was_asked(login->mounted.dir, "Enter passphrase for key '");
	must_sh("mv '%s' '%s.away'", key, key);
	use_two_and_lose_both(login);
	/*
	 * Where the machine lets it, what is kept is not swapped out; with
	 * AddressSanitizer mlock(2) does nothing.
	 */
	must_sh("test %d = 1 || test $(ulimit -l) = 0 ||\n"
		"grep -q 'VmLck:[[:blank:]]*[1-9]' /proc/%d/status",
		CSFTP_ASAN, login->mounted.pid);
	mounted_unmount(&login->mounted);
	must_sh("mv '%s.plain' '%s'; rm '%s.away'\n"
		"test $(wc -l <'%s/asked') = 1",
		key, key, key, login->mounted.dir);
}

static void questions_of_the_server_are_asked(void **state)
{
	static const struct sshd_with with = {
		.config = "KbdInteractiveAuthentication yes\nUsePAM yes\n"
			  "PermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {"BatchMode=no",
					      "PubkeyAuthentication=no", NULL};
	struct login *login = *state;

	serve_with(login, &with);
	asker_answers(login->mounted.dir, "open sesame\\n");
	login_works(login, options);
	asker_was_asked(login->mounted.dir, "@" SSHD_HOST ") Password: ");
}

static void a_second_factor_is_given(void **state)
{
	static const struct sshd_with with = {
		.config = "PasswordAuthentication yes\nPermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {"BatchMode=no", NULL};
	struct login *login = *state;

	serve_with(login, &with);
	/* Only now, as the first login is by a key alone. */
	must_sh("cd '%s'\n"
		"{ echo 'AuthenticationMethods publickey,password'\n"
		"cat sshd_config; } >both\n"
		"mv both sshd_config\n"
		"kill -HUP %d",
		login->mounted.sshd.dir, login->mounted.sshd.pid);
	asker_answers(login->mounted.dir, "open sesame\\n");
	login_works(login, options);
	asker_was_asked(login->mounted.dir, "'s password: ");
}

static void dropbear_is_a_server_like_any_other(void **state)
{
	struct login *login = *state;
	static const char *const none[] = {NULL};
	char home[PROC_PATH_MAX], server[PROC_PATH_MAX];

	sshd_stop(&login->mounted.sshd);
	proc_print(home, sizeof(home), "%.4000s/home", login->mounted.dir);
	must_sh("mkdir -p '%s'", home);
	proc_print(server, sizeof(server), "%s", OPENSSH_SFTP_SERVER);
	dropbear_start(&login->mounted.sshd, server, home);
	login_works(login, none);
}

#define CLAIM(name) cmocka_unit_test_teardown(name, login_clean_up)
#define OTHER(name) cmocka_unit_test_teardown(name, serve_as_ever)

static const struct CMUnitTest claims[] = {
	CLAIM(a_key_file_logs_in),
	CLAIM(an_unknown_key_is_denied_in_words_of_ssh),
	CLAIM(an_encrypted_key_is_asked_for_its_passphrase),
	CLAIM(what_cannot_be_agreed_on_is_named_as_by_ssh),
	CLAIM(a_key_that_others_can_read_is_refused_as_by_ssh),
	CLAIM(an_agent_signs_with_keys_of_each_type),
	CLAIM(too_many_keys_of_an_agent_are_refused_once),
	CLAIM(identities_only_keeps_the_agents_other_keys_back),
	CLAIM(a_proxy_command_carries_the_connection),
	CLAIM(a_jump_host_carries_the_connection),
	CLAIM(a_proxy_that_fails_is_an_error),
	CLAIM(a_closed_port_is_an_error),
	CLAIM(it_works_where_there_is_no_ssh),
	CLAIM(the_server_can_be_named_as_a_program),
	CLAIM(data_survives_many_changes_of_keys),
	CLAIM(what_only_ssh_can_do_is_refused_or_left_to_ssh),
	CLAIM(a_host_with_an_authority_is_left_to_ssh),
	CLAIM(ssh_is_tried_where_no_key_of_ours_would_do),
	OTHER(passwords_are_asked_for_as_by_ssh),
	OTHER(a_further_connection_has_the_password),
	OTHER(a_further_connection_has_the_key),
	OTHER(questions_of_the_server_are_asked),
	OTHER(a_second_factor_is_given),
	OTHER(dropbear_is_a_server_like_any_other),
};

int main(void)
{
	return login_run(claims, sizeof(claims) / sizeof(*claims));
}
