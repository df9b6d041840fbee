/*
 * csftpfs with SSH of its own against sshd and dropbear: who it is, who the
 * server is, what is asked, and by which way it gets there.  Where ssh has
 * words for it, they are compared with ssh's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/asker.h"
#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

#define LIMIT_MS 60000
#define TEXT_MAX (64 * 1024)

/* Which of our own the tests are for at the moment. */
struct place {
	struct mounted mounted; /* its server is sshd, with a key */
	pid_t agent;
	char hosts[PROC_PATH_MAX]; /* a known_hosts file of the test's */
	char text[TEXT_MAX];
};

static int start_by(void **state, enum transport transport)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	*state = place;
	print_message("# %s\n", transport_name(transport));
	mounted_serve(&place->mounted, transport);
	proc_print(place->hosts, sizeof(place->hosts), "%.4000s/hosts",
		   place->mounted.dir);
	must_sh("echo hello >'%s/file'", place->mounted.served);
	return 0;
}

static int start_native(void **state)
{
	return start_by(state, NATIVE_OPENSSH);
}

static int start_libssh2(void **state)
{
	return start_by(state, LIBSSH2_OPENSSH);
}

static int stop(void **state)
{
	struct place *place = *state;

	mounted_stop(&place->mounted);
	free(place);
	return 0;
}

static void forget_env(void)
{
	asker_forget();
	unsetenv("SSH_AUTH_SOCK");
}

static int clean_up(void **state)
{
	struct place *place = *state;

	mounted_drop(&place->mounted);
	if (place->agent > 0)
		proc_stop(place->agent);
	place->agent = 0;
	forget_env();
	must_sh("rm -f '%s'", place->hosts);
	asker_remove(place->mounted.dir);
	return 0;
}

/*
 * Words of a command line, each behind -o, up to NULL.
 */

static char **argv_with(struct place *place, const char *foreground,
			const char *const options[])
{
	const char *append[64] = {NULL};
	size_t n = 0;

	if (foreground)
		append[n++] = foreground;
	for (; *options; options++) {
		append[n++] = "-o";
		append[n++] = *options;
		assert_true(n < 62);
	}
	return mounted_argv(&place->mounted, place->mounted.served,
			    place->mounted.point, append);
}

/* It mounts, a file can be read, and it unmounts in order. */
static void assert_mounts(struct place *place, const char *const options[])
{
	char path[PROC_PATH_MAX], program[PROC_PATH_MAX], text[16] = "";
	char **argv = argv_with(place, "-f", options);

	place->mounted.pid = proc_start(argv, -1, -1, -1);
	mounted_argv_free(argv);
	mounted_await(&place->mounted);
	proc_print(path, sizeof(path), "%.4000s/file", place->mounted.point);
	assert_int_equal(file_read(path, text, sizeof(text)), 6);
	assert_string_equal(text, "hello\n");
	/* Every mount here is by one of the two that need no ssh. */
	proc_mounter(program);
	must_sh("'%s' --status '%s' | grep -Ex '  transport: "
		"(native|libssh2)'",
		program, place->mounted.point);
	mounted_unmount(&place->mounted);
}

static void start_mount(struct place *place, const char *const options[])
{
	char **argv = argv_with(place, "-f", options);

	place->mounted.pid = proc_start(argv, -1, -1, -1);
	mounted_argv_free(argv);
	mounted_await(&place->mounted);
}

/* It does not, and what it says is in place->text. */
static void assert_fails(struct place *place, const char *const options[])
{
	char **argv = argv_with(place, NULL, options);
	int status = proc_capture(argv, LIMIT_MS, place->text, TEXT_MAX);

	mounted_argv_free(argv);
	if (status != 1)
		fail_msg("exit status %d: %s", status, place->text);
	assert_false(is_mount_point(place->mounted.point));
}

static void assert_says(struct place *place, const char *what)
{
	if (!strstr(place->text, what))
		fail_msg("\"%s\" is not in: %s", what, place->text);
}

static void says_not(struct place *place, const char *what)
{
	if (strstr(place->text, what))
		fail_msg("\"%s\" is in: %s", what, place->text);
}

static const char *option(char *buf, const char *name, const char *value)
{
	proc_print(buf, PROC_PATH_MAX, "%s=%s", name, value);
	return buf;
}

/*
 * Who we are
 */

static void a_key_file_logs_in(void **state)
{
	static const char *const none[] = {NULL};

	assert_mounts(*state, none);
}

static void an_unknown_key_is_denied_in_words_of_ssh(void **state)
{
	struct place *place = *state;
	char key[PROC_PATH_MAX + 32], path[PROC_PATH_MAX] = "";
	const char *const options[] = {option(key, "IdentityFile", path), NULL};

	proc_print(path, sizeof(path), "%.4000s/stranger", place->mounted.dir);
	must_sh("ssh-keygen -q -t ed25519 -N '' -f '%s'", path);
	option(key, "IdentityFile", path);
	/* The configuration adds its own: without it, too. */
	must_sh("sed '/IdentityFile/d' '%s' >'%s.less'\n"
		"mv '%s' '%s.full'\n"
		"mv '%s.less' '%s'",
		place->mounted.sshd.client, place->mounted.sshd.client,
		place->mounted.sshd.client, place->mounted.sshd.client,
		place->mounted.sshd.client, place->mounted.sshd.client);
	assert_fails(place, options);
	must_sh("mv '%s.full' '%s'; rm -f '%s' '%s.pub'",
		place->mounted.sshd.client, place->mounted.sshd.client, path,
		path);
	assert_says(place, "Permission denied (publickey).");
}

static void an_encrypted_key_is_asked_for_its_passphrase(void **state)
{
	struct place *place = *state;
	const char *const options[] = {"BatchMode=no", NULL};
	const char *key = place->mounted.sshd.key;

	must_sh("ssh-keygen -q -p -P '' -N 'so secret' -f '%s' >/dev/null",
		key);
	asker_answers(place->mounted.dir, "wrong\\nso secret\\n");
	assert_mounts(place, options);
	asker_was_asked(place->mounted.dir, "Enter passphrase for key '");
	/* As often as ssh asks, and no more. */
	asker_answers(place->mounted.dir, "wrong\\n");
	assert_fails(place, options);
	assert_says(place, "Permission denied (publickey).");
	must_sh("ssh-keygen -q -p -P 'so secret' -N '' -f '%s' >/dev/null",
		key);
}

static void a_key_that_others_can_read_is_refused_as_by_ssh(void **state)
{
	static const char *const none[] = {NULL};
	struct place *place = *state;

	assert_int_equal(chmod(place->mounted.sshd.key, 0644), 0);
	assert_fails(place, none);
	assert_int_equal(chmod(place->mounted.sshd.key, 0600), 0);
	assert_says(place, "WARNING: UNPROTECTED PRIVATE KEY FILE!");
	assert_says(place, "Permissions 0644 for");
}

/* ssh-agent -D says nothing to wait for: its socket is. */
static void start_agent(struct place *place, char *path)
{
	char program[] = "ssh-agent", stay[] = "-D", at[] = "-a";
	char *argv[] = {program, stay, at, path, NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	proc_print(path, PROC_PATH_MAX, "%.4000s/agent", place->mounted.dir);
	place->agent = proc_start(argv, -1, null, -1);
	close(null);
	must_sh("until [ -S '%s' ]; do kill -0 %d; sleep 0.05; done", path,
		place->agent);
}

static void an_agent_signs_with_keys_of_each_type(void **state)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};
	struct place *place = *state;
	/* libssh2 1.10 would have RSA keys sign with SHA-1. */
	size_t count = place->mounted.transport == LIBSSH2_OPENSSH ? 2 : 3;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	const char *dir = place->mounted.sshd.dir;
	const char *const options[] = {option(agent, "IdentityAgent", path),
				       "IdentitiesOnly=no",
				       "IdentityFile=/no/such/file", NULL};

	start_agent(place, path);
	option(agent, "IdentityAgent", path);
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
		assert_mounts(place, options);
	}
	must_sh("cd '%s'; mv user.old user.pub; mv user.away user", dir);
}

/* Six is what sshd takes; as with ssh, the right one comes too late. */
static void too_many_keys_of_an_agent_are_refused_once(void **state)
{
	struct place *place = *state;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	const char *dir = place->mounted.sshd.dir;
	const char *const options[] = {option(agent, "IdentityAgent", path),
				       "IdentitiesOnly=no", NULL};
	const char *const only[] = {agent, NULL};

	start_agent(place, path);
	option(agent, "IdentityAgent", path);
	must_sh("cd '%s'\n"
		"for i in 1 2 3 4 5 6 7; do\n"
		"	rm -f agent.key*\n"
		"	ssh-keygen -q -t ed25519 -N '' -f agent.key\n"
		"	SSH_AUTH_SOCK='%s' ssh-add -q agent.key\n"
		"done",
		dir, path);
	assert_fails(place, options);
	if (place->mounted.transport == NATIVE_OPENSSH) {
		assert_says(place, "Received disconnect from 127.0.0.1 port ");
		assert_says(place, "Too many authentication failures\n");
		assert_says(place, "connection failed: refused\n");
		says_not(place, "Permission denied");
	}
	assert_mounts(place, only);
}

static void identities_only_keeps_the_agents_other_keys_back(void **state)
{
	struct place *place = *state;
	char path[PROC_PATH_MAX] = "", agent[PROC_PATH_MAX + 32];
	char file[PROC_PATH_MAX + 32];
	const char *dir = place->mounted.sshd.dir;
	const char *const options[] = {option(agent, "IdentityAgent", ""),
				       "IdentitiesOnly=yes", NULL};
	const char *const named[] = {agent, "IdentitiesOnly=yes", file, NULL};

	start_agent(place, path);
	option(agent, "IdentityAgent", path);
	proc_print(file, sizeof(file), "IdentityFile=%s/agent.key.pub", dir);
	must_sh("cd '%s'\n"
		"cp user.pub user.old\n"
		"rm -f agent.key*\n"
		"ssh-keygen -q -t ed25519 -N '' -f agent.key\n"
		"SSH_AUTH_SOCK='%s' ssh-add -q agent.key\n"
		"rm agent.key\n"
		"cp agent.key.pub user.pub",
		dir, path);
	assert_fails(place, options);
	assert_says(place, "Permission denied (publickey).");
	/* Its public half says that it was asked for. */
	assert_mounts(place, named);
	must_sh("cd '%s'; mv user.old user.pub", dir);
}

/*
 * Who the server is
 */

static void known_as(struct place *place, const char *mark, const char *name,
		     const char *key)
{
	must_sh("printf '%%s%%s %%s\\n' '%s' '%s' \"$(cat '%s/%s.pub')\" "
		">'%s'",
		mark, name, place->mounted.sshd.dir, key, place->hosts);
}

static void a_hashed_name_is_known(void **state)
{
	struct place *place = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts), NULL};

	known_as(place, "", SSHD_HOST, "host");
	must_sh("ssh-keygen -q -H -f '%s' 2>/dev/null; rm -f '%s.old'",
		place->hosts, place->hosts);
	assert_mounts(place, options);
}

/* What ssh says of the same server, with the same file. */
static void ask_ssh(struct place *place, const char *strict, const char *level,
		    char *text)
{
	char hosts[PROC_PATH_MAX + 32], checking[64], config[PROC_PATH_MAX];
	char ssh[] = "ssh", flag[] = "-F", o[] = "-o", how_much[64];
	char host[] = SSHD_HOST, command[] = "true";
	char *argv[] = {ssh,   flag, config,   o,    how_much, o,
			hosts, o,    checking, host, command,  NULL};

	proc_print(how_much, sizeof(how_much), "LogLevel=%s", level);
	proc_print(config, sizeof(config), "%s", place->mounted.sshd.client);
	proc_print(hosts, sizeof(hosts), "UserKnownHostsFile=%s", place->hosts);
	proc_print(checking, sizeof(checking), "StrictHostKeyChecking=%s",
		   strict);
	(void)proc_capture(argv, LIMIT_MS, text, TEXT_MAX);
	/* Its terminal has lines that end with both. */
	for (char *from = text, *to = text;; from++) {
		if (*from != '\r')
			*to++ = *from;
		if (!*from)
			break;
	}
}

/* What we say begins with all that ssh says, and has one line of our own. */
static void assert_as_ssh_says(struct place *place, const char *strict,
			       const char *level)
{
	char hosts[PROC_PATH_MAX + 32], checking[64], how_much[64];
	const char *const options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts),
		option(checking, "StrictHostKeyChecking", strict),
		option(how_much, "LogLevel", level), NULL};
	char *theirs = calloc(1, TEXT_MAX);
	const char *ours;

	assert_non_null(theirs);
	ask_ssh(place, strict, level, theirs);
	assert_fails(place, options);
	if (strncmp(place->text, theirs, strlen(theirs)) != 0)
		fail_msg("ssh says:\n%s\nwe say:\n%s", theirs, place->text);
	ours = place->text + strlen(theirs);
	if (strncmp(ours, "csftpfs: ", 9) != 0 ||
	    strchr(ours, '\n') != ours + strlen(ours) - 1)
		fail_msg("at %s we say more: %s", level, ours);
	assert_true(strcmp(level, "QUIET") == 0 || strlen(theirs) > 0);
	free(theirs);
}

static void assert_as_ssh(struct place *place, const char *strict)
{
	assert_as_ssh_says(place, strict, "INFO");
}

static void as_much_is_said_as_by_ssh(void **state)
{
	static const char *const levels[] = {"QUIET", "FATAL", "ERROR",
					     "VERBOSE"};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		known_as(place, "", SSHD_HOST, "user");
		assert_as_ssh_says(place, "yes", levels[i]);
		known_as(place, "", "other", "host");
		assert_as_ssh_says(place, "yes", levels[i]);
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
	struct place *place = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts),
		"StrictHostKeyChecking=accept-new", "sftp_server=nothing", NULL,
		NULL};

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		must_sh("rm -f '%s'", place->hosts);
		options[3] = levels[i].level;
		assert_fails(place, options);
		if (levels[i].tells)
			assert_says(place,
				    "Warning: Permanently added '" SSHD_HOST
				    "' (ED25519) to the list");
		else
			says_not(place, "Permanently");
	}
}

static void an_unknown_host_is_refused_as_by_ssh(void **state)
{
	struct place *place = *state;

	known_as(place, "", "other", "host");
	assert_as_ssh(place, "yes");
	assert_says(place, "requested strict checking");
	/* Nobody can be asked in batch mode. */
	assert_as_ssh(place, "ask");
}

static void a_changed_key_is_refused_as_by_ssh(void **state)
{
	struct place *place = *state;

	known_as(place, "", SSHD_HOST, "user");
	assert_as_ssh(place, "yes");
	assert_says(place, "REMOTE HOST IDENTIFICATION HAS CHANGED");
	assert_says(place, "Offending ED25519 key in ");
	assert_as_ssh(place, "accept-new");
}

static void a_revoked_key_is_refused_as_by_ssh(void **state)
{
	struct place *place = *state;

	known_as(place, "@revoked ", "*", "host");
	assert_as_ssh(place, "yes");
	assert_says(place, "REVOKED HOST KEY DETECTED");
}

/* As with ssh, it is another matter what it gets then: no password. */
static void a_changed_key_is_gone_on_with_where_that_is_wanted(void **state)
{
	struct place *place = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts),
		"StrictHostKeyChecking=no", NULL};

	known_as(place, "", SSHD_HOST, "user");
	assert_mounts(place, options);
}

static void accept_new_learns_a_host_once(void **state)
{
	struct place *place = *state;
	char hosts[PROC_PATH_MAX + 32], first[4096] = "", again[4096] = "";
	const char *const options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts),
		"StrictHostKeyChecking=accept-new", "HashKnownHosts=yes", NULL};
	size_t len;

	/* Behind a line that lacks its end. */
	file_write(place->hosts, "# mine", 6);
	assert_mounts(place, options);
	len = file_read(place->hosts, first, sizeof(first) - 1);
	assert_memory_equal(first, "# mine\n|1|", 10);
	assert_null(strstr(first, SSHD_HOST));
	must_sh("ssh-keygen -q -F " SSHD_HOST " -f '%s' >/dev/null",
		place->hosts);
	assert_mounts(place, options);
	assert_int_equal(file_read(place->hosts, again, sizeof(again) - 1),
			 len);
	assert_string_equal(first, again);
}

static void who_is_asked_about_a_host_decides(void **state)
{
	struct place *place = *state;
	char hosts[PROC_PATH_MAX + 32];
	const char *const options[] = {
		option(hosts, "UserKnownHostsFile", place->hosts),
		"StrictHostKeyChecking=ask", "BatchMode=no", NULL};

	asker_answers(place->mounted.dir, "no\\n");
	assert_fails(place, options);
	assert_says(place, "Host key verification failed.");
	asker_was_asked(place->mounted.dir,
			"The authenticity of host '" SSHD_HOST " (");
	asker_answers(place->mounted.dir, "perhaps\\nyes\\n");
	assert_mounts(place, options);
	asker_was_asked(place->mounted.dir,
			"Please type 'yes', 'no' or the fingerprint: ");
	forget_env();
	assert_mounts(place, options);
}

/*
 * How to get there
 */

static void a_proxy_command_carries_the_connection(void **state)
{
	struct place *place = *state;
	char text[2 * PROC_PATH_MAX];
	const char *const options[] = {text, NULL};

	proc_print(text, sizeof(text),
		   "ProxyCommand=ssh -F %s -W %%h:%%p " SSHD_HOST,
		   place->mounted.sshd.client);
	assert_mounts(place, options);
}

static void a_jump_host_carries_the_connection(void **state)
{
	static const char *const options[] = {"ProxyJump=" SSHD_HOST, NULL};

	assert_mounts(*state, options);
}

static void a_proxy_that_fails_is_an_error(void **state)
{
	static const char *const options[] = {"ProxyCommand=exit 3", NULL};
	struct place *place = *state;

	assert_fails(place, options);
	assert_says(place, "connection failed");
}

static void a_closed_port_is_an_error(void **state)
{
	static const char *const options[] = {"Port=1", "ConnectionAttempts=1",
					      NULL};
	struct place *place = *state;

	assert_fails(place, options);
	assert_says(place, "Connection refused");
}

/* Neither ssh nor its files: what is on the command line has to do. */
static void it_works_where_there_is_no_ssh(void **state)
{
	struct place *place = *state;
	char bin[PROC_PATH_MAX], key[PROC_PATH_MAX + 32],
		hosts[PROC_PATH_MAX + 32], port[32], target[2 * PROC_PATH_MAX];
	char program[PROC_PATH_MAX], o[] = "-o", stay[] = "-f", how[64];
	char *argv[] = {program, stay,	o, how,	 o,	 key,
			o,	 hosts, o, port, target, place->mounted.point,
			NULL};
	const char *path = getenv("PATH");
	char *old = strdup(path ? path : "");

	assert_non_null(old);
	proc_mounter(program);
	proc_print(bin, sizeof(bin), "%.4000s/bin", place->mounted.dir);
	must_sh("mkdir -p '%s' && ln -sf \"$(command -v fusermount3)\" '%s/'",
		bin, bin);
	proc_print(how, sizeof(how), "%s",
		   place->mounted.transport == NATIVE_OPENSSH
			   ? "transport=native"
			   : "transport=libssh2");
	option(key, "IdentityFile", place->mounted.sshd.key);
	option(hosts, "UserKnownHostsFile", place->mounted.sshd.known_hosts);
	proc_print(port, sizeof(port), "port=%d", place->mounted.sshd.port);
	proc_print(target, sizeof(target), "127.0.0.1:%s",
		   place->mounted.served);
	setenv("PATH", bin, 1);
	place->mounted.pid = proc_start(argv, -1, -1, -1);
	setenv("PATH", old, 1);
	free(old);
	mounted_await(&place->mounted);
	mounted_unmount(&place->mounted);
}

/*
 * What is carried
 */

static void data_survives_many_changes_of_keys(void **state)
{
	static const char *const options[] = {"RekeyLimit=1M", NULL};
	static const char *const least[] = {"RekeyLimit=16", NULL};
	struct place *place = *state;

	if (place->mounted.transport == LIBSSH2_OPENSSH) {
		assert_fails(place, options);
		assert_says(place, "only transport=ssh can do: rekeylimit");
		return;
	}
	assert_mounts(place, least);
	start_mount(place, options);
	must_sh("cd '%s'\n"
		"head -c 32M /dev/urandom >data\n"
		"cp data '%s/copy'\n"
		"cmp data copy\n"
		"cmp data '%s/data'\n"
		"rm data copy",
		place->mounted.served, place->mounted.point,
		place->mounted.point);
	mounted_unmount(&place->mounted);
}

static void the_server_can_be_named_as_a_program(void **state)
{
	static const char *const options[] = {
		"sftp_server=" OPENSSH_SFTP_SERVER, NULL};
	static const char *const missing[] = {"sftp_server=nothing", NULL};
	struct place *place = *state;

	assert_mounts(place, options);
	assert_fails(place, missing);
	assert_says(place, "subsystem request failed");
}

/*
 * Which one
 */

static void what_only_ssh_can_do_is_refused_or_left_to_ssh(void **state)
{
	static const char *const refused[] = {"Compression=yes", NULL};
	struct place *place = *state;
	char config[PROC_PATH_MAX], target[2 * PROC_PATH_MAX];
	char program[PROC_PATH_MAX], flag[] = "-F", talk[] = "-v", o[] = "-o";
	char automatic[] = "transport=auto", compress[] = "Compression=yes";
	char *argv[] = {program, flag,	    config, talk,
			o,	 automatic, target, place->mounted.point,
			o,	 compress,  NULL};

	assert_fails(place, refused);
	assert_says(place, "only transport=ssh can do: compression");
	proc_mounter(program);
	proc_print(config, sizeof(config), "%s", place->mounted.sshd.client);
	proc_print(target, sizeof(target), "%s:/no/such/place", SSHD_HOST);
	assert_int_equal(proc_capture(argv, LIMIT_MS, place->text, TEXT_MAX),
			 1);
	assert_says(place, "transport=ssh, for: compression");
	argv[8] = NULL;
	unsetenv("KRB5CCNAME");
	assert_int_equal(proc_capture(argv, LIMIT_MS, place->text, TEXT_MAX),
			 1);
	assert_says(place, "transport=native: ");
	assert_says(place, "authentication by publickey");
	says_not(place, "transport=ssh");
}

/* It might have a certificate with the agent, or a ticket. */
static void ssh_is_tried_where_no_key_of_ours_would_do(void **state)
{
	struct place *place = *state;
	char key[] = "IdentityFile=/no/such/file", o[] = "-o";
	char program[PROC_PATH_MAX], flag[] = "-F", config[PROC_PATH_MAX];
	char talk[] = "-v", target[] = SSHD_HOST ":/";
	char automatic[] = "transport=auto", none[] = "IdentitiesOnly=no";
	char *argv[] = {program, flag,	    config, talk,
			o,	 automatic, o,	    key,
			o,	 none,	    target, place->mounted.point,
			NULL};

	unsetenv("KRB5CCNAME");
	proc_mounter(program);
	proc_print(config, sizeof(config), "%.4000s/bare", place->mounted.dir);
	must_sh("sed '/IdentityFile/d' '%s' >'%s'", place->mounted.sshd.client,
		config);
	assert_int_equal(proc_capture(argv, LIMIT_MS, place->text, TEXT_MAX),
			 1);
	assert_says(place, "transport=native: ");
	assert_says(place, "transport=ssh: it may have another way in");
	assert_says(place, "ssh exited with status 255");
}

/*
 * Other servers: each test has one of its own.
 */

static void serve_with(struct place *place, const struct sshd_with *with)
{
	sshd_stop(&place->mounted.sshd);
	sshd_start_with(&place->mounted.sshd, OPENSSH_SFTP_SERVER, with);
}

static int serve_as_ever(void **state)
{
	struct place *place = *state;

	(void)clean_up(state);
	sshd_stop(&place->mounted.sshd);
	sshd_start(&place->mounted.sshd, OPENSSH_SFTP_SERVER);
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
	struct place *place = *state;

	serve_with(place, &with);
	asker_answers(place->mounted.dir, "no\\nopen sesame\\n");
	assert_mounts(place, options);
	asker_was_asked(place->mounted.dir, "@" SSHD_HOST "'s password: ");
	asker_answers(place->mounted.dir, "no\\n");
	assert_fails(place, options);
	assert_says(place, "Permission denied, please try again.");
	assert_says(place, "Permission denied (publickey,password).");
	assert_fails(place, batch);
	assert_says(place, "Permission denied (publickey,password).");
}

/*
 * The first server stands still, with as much on the way as there can be, until
 * there is a second one; then both are ended, and the file is read once more.
 */
static void use_two_and_lose_both(struct place *place)
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
		place->mounted.dir, place->mounted.sshd.pid,
		place->mounted.sshd.pid, place->mounted.sshd.pid);
}

static void a_further_connection_has_the_password(void **state)
{
	static const struct sshd_with with = {
		.config = "PasswordAuthentication yes\nPermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {
		"BatchMode=no", "PubkeyAuthentication=no", "max_conns=2", NULL};
	struct place *place = *state;

	serve_with(place, &with);
	asker_answers(place->mounted.dir, "open sesame\\n");
	start_mount(place, options);
	use_two_and_lose_both(place);
	mounted_unmount(&place->mounted);
}

/* Nobody is asked a second time, and the file is not needed any more. */
static void a_further_connection_has_the_key(void **state)
{
	static const char *const options[] = {"BatchMode=no", "max_conns=2",
					      NULL};
	struct place *place = *state;
	const char *key = place->mounted.sshd.key;

	must_sh("cp -p '%s' '%s.plain'\n"
		"ssh-keygen -q -p -P '' -N 'so secret' -f '%s' >/dev/null",
		key, key, key);
	asker_answers(place->mounted.dir, "so secret\\nwrong\\n");
	start_mount(place, options);
	asker_was_asked(place->mounted.dir, "Enter passphrase for key '");
	must_sh("mv '%s' '%s.away'", key, key);
	use_two_and_lose_both(place);
	/* Where the machine lets it, what is kept is not swapped out. */
	must_sh("test $(ulimit -l) = 0 ||\n"
		"grep -q 'VmLck:[[:blank:]]*[1-9]' /proc/%d/status",
		place->mounted.pid);
	mounted_unmount(&place->mounted);
	must_sh("mv '%s.plain' '%s'; rm '%s.away'\n"
		"test $(wc -l <'%s/asked') = 1",
		key, key, key, place->mounted.dir);
}

static void questions_of_the_server_are_asked(void **state)
{
	static const struct sshd_with with = {
		.config = "KbdInteractiveAuthentication yes\nUsePAM yes\n"
			  "PermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {"BatchMode=no",
					      "PubkeyAuthentication=no", NULL};
	struct place *place = *state;

	serve_with(place, &with);
	asker_answers(place->mounted.dir, "open sesame\\n");
	assert_mounts(place, options);
	asker_was_asked(place->mounted.dir, "@" SSHD_HOST ") Password: ");
}

static void a_second_factor_is_given(void **state)
{
	static const struct sshd_with with = {
		.config = "PasswordAuthentication yes\nPermitRootLogin yes\n",
		.password = "open sesame"};
	static const char *const options[] = {"BatchMode=no", NULL};
	struct place *place = *state;

	serve_with(place, &with);
	/* Only now, as the first login is by a key alone. */
	must_sh("cd '%s'\n"
		"{ echo 'AuthenticationMethods publickey,password'\n"
		"cat sshd_config; } >both\n"
		"mv both sshd_config\n"
		"kill -HUP %d",
		place->mounted.sshd.dir, place->mounted.sshd.pid);
	asker_answers(place->mounted.dir, "open sesame\\n");
	assert_mounts(place, options);
	asker_was_asked(place->mounted.dir, "'s password: ");
}

static void dropbear_is_a_server_like_any_other(void **state)
{
	struct place *place = *state;
	static const char *const none[] = {NULL};
	char home[PROC_PATH_MAX], server[PROC_PATH_MAX];

	sshd_stop(&place->mounted.sshd);
	proc_print(home, sizeof(home), "%.4000s/home", place->mounted.dir);
	must_sh("mkdir -p '%s'", home);
	proc_print(server, sizeof(server), "%s", OPENSSH_SFTP_SERVER);
	dropbear_start(&place->mounted.sshd, server, home);
	assert_mounts(place, none);
}

#define CLAIM(name) cmocka_unit_test_teardown(name, clean_up)
#define OTHER(name) cmocka_unit_test_teardown(name, serve_as_ever)

static const struct CMUnitTest claims[] = {
	CLAIM(a_key_file_logs_in),
	CLAIM(an_unknown_key_is_denied_in_words_of_ssh),
	CLAIM(an_encrypted_key_is_asked_for_its_passphrase),
	CLAIM(a_key_that_others_can_read_is_refused_as_by_ssh),
	CLAIM(an_agent_signs_with_keys_of_each_type),
	CLAIM(too_many_keys_of_an_agent_are_refused_once),
	CLAIM(identities_only_keeps_the_agents_other_keys_back),
	CLAIM(a_hashed_name_is_known),
	CLAIM(an_unknown_host_is_refused_as_by_ssh),
	CLAIM(a_changed_key_is_refused_as_by_ssh),
	CLAIM(a_revoked_key_is_refused_as_by_ssh),
	CLAIM(as_much_is_said_as_by_ssh),
	CLAIM(a_new_host_is_told_where_that_is_wanted),
	CLAIM(a_changed_key_is_gone_on_with_where_that_is_wanted),
	CLAIM(accept_new_learns_a_host_once),
	CLAIM(who_is_asked_about_a_host_decides),
	CLAIM(a_proxy_command_carries_the_connection),
	CLAIM(a_jump_host_carries_the_connection),
	CLAIM(a_proxy_that_fails_is_an_error),
	CLAIM(a_closed_port_is_an_error),
	CLAIM(it_works_where_there_is_no_ssh),
	CLAIM(the_server_can_be_named_as_a_program),
	CLAIM(data_survives_many_changes_of_keys),
	CLAIM(what_only_ssh_can_do_is_refused_or_left_to_ssh),
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
	const size_t count = sizeof(claims) / sizeof(*claims);
	int failed;

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	failed = _cmocka_run_group_tests("native", claims, count, start_native,
					 stop);

	failed |= _cmocka_run_group_tests("libssh2", claims, count,
					  start_libssh2, stop);
	return failed != 0;
}
