/*
 * The SSH engine with other people's programs at the other end: our client to
 * OpenSSH's sshd, OpenSSH's ssh and sftp, and dropbear's client, to our server.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/ssh_pump.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"

enum { HOST_KEYS = 4, BULK = 24 << 20 };

struct place {
	struct sshd sshd;
	char dir[PROC_PATH_MAX];
	const struct csftp_ssh_key *host[HOST_KEYS];
	struct csftp_ssh_key *user;
	uint8_t *bulk;
};

static struct csftp_ssh_key *read_key(const char *dir, const char *name)
{
	char path[PROC_PATH_MAX + 16], text[65536];
	struct csftp_ssh_key *key;
	size_t len;

	proc_print(path, sizeof(path), "%s/%s", dir, name);
	len = file_read(path, text, sizeof(text));
	assert_int_equal(csftp_ssh_key_read(&key, text, len, NULL), CSFTP_OK);
	return key;
}

static int start(void **state)
{
	static const enum csftp_ssh_key_type types[HOST_KEYS] = {
		CSFTP_SSH_ED25519, CSFTP_SSH_P256, CSFTP_SSH_P521,
		CSFTP_SSH_RSA};
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	scratch_make(place->dir);
	for (size_t i = 0; i < HOST_KEYS; i++)
		place->host[i] = ssh_rig_key(types[i]);
	must_sh("cd '%s' && ssh-keygen -q -t ed25519 -N '' -C '' -f user && "
		"head -c 300000 /dev/urandom >data",
		place->dir);
	place->user = read_key(place->dir, "user");
	place->bulk = malloc(BULK);
	if (!place->bulk)
		return -1;
	for (size_t i = 0; i < BULK; i++)
		place->bulk[i] = (uint8_t)((i * 2654435761U) >> 13);
	*state = place;
	return 0;
}

static int stop(void **state)
{
	struct place *place = *state;

	sshd_stop(&place->sshd);
	scratch_remove(place->dir);
	csftp_ssh_key_free(place->user);
	free(place->bulk);
	free(place);
	ssh_rig_free_keys();
	return 0;
}

/* sshd is started by the first test that needs it. */
static struct place *with_sshd(void **state)
{
	struct place *place = *state;

	if (place->sshd.pid == 0)
		sshd_start(&place->sshd, OPENSSH_SFTP_SERVER);
	return place;
}

static void dial_sshd(struct place *place, struct ssh_dial *dial,
		      struct csftp_ssh_key *key)
{
	ssh_dial_init(dial, place->sshd.port);
	dial->user = getpwuid(geteuid())->pw_name;
	dial->signer = csftp_ssh_key_signer(key);
	dial->command = "cat";
}

static void dial_and_compare(struct ssh_dial *dial, const uint8_t *in,
			     size_t len)
{
	dial->in = in;
	dial->in_len = len;
	ssh_dial_run(dial);
	assert_true(dial->status_known);
	assert_int_equal(dial->status, 0);
	assert_int_equal(dial->side.got_len, len);
	assert_memory_equal(dial->side.got, in, len);
}

static void our_client_runs_a_command_on_sshd(void **state)
{
	struct place *place = with_sshd(state);
	struct csftp_ssh_key *key = read_key(place->sshd.dir, "user");
	struct ssh_dial dial;

	dial_sshd(place, &dial, key);
	dial.command = "echo to-out; echo to-err >&2; exit 7";
	dial.try_first = true;
	ssh_dial_run(&dial);
	assert_true(dial.status_known);
	assert_int_equal(dial.status, 7);
	assert_int_equal(dial.side.got_len, 14);
	ssh_dial_release(&dial);
	dial_sshd(place, &dial, key);
	dial.command = "kill -9 $$";
	ssh_dial_run(&dial);
	assert_string_equal(dial.signal, "KILL");
	ssh_dial_release(&dial);
	csftp_ssh_key_free(key);
}

/* One connection for each algorithm, with some data either way. */
static void our_client_agrees_with_sshd_by_each_algorithm(void **state)
{
	struct place *place = with_sshd(state);
	struct csftp_ssh_key *key = read_key(place->sshd.dir, "user");
	static const enum csftp_ssh_alg_kind kinds[] = {
		CSFTP_SSH_ALG_KEX, CSFTP_SSH_ALG_CIPHER, CSFTP_SSH_ALG_MAC};
	struct ssh_dial dial;
	const char *name;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (size_t n = 0; (name = csftp_ssh_algorithms(kinds[k], n));
		     n++) {
			dial_sshd(place, &dial, key);
			if (kinds[k] == CSFTP_SSH_ALG_KEX)
				dial.side.config.kex = name;
			if (kinds[k] == CSFTP_SSH_ALG_CIPHER)
				dial.side.config.cipher = name;
			if (kinds[k] == CSFTP_SSH_ALG_MAC) {
				dial.side.config.cipher = "aes128-ctr";
				dial.side.config.mac = name;
			}
			dial_and_compare(&dial, place->bulk, 300000);
			ssh_dial_release(&dial);
		}
	}
	csftp_ssh_key_free(key);
}

static void data_comes_back_whole_while_our_client_rekeys(void **state)
{
	struct place *place = with_sshd(state);
	struct csftp_ssh_key *key = read_key(place->sshd.dir, "user");
	struct ssh_dial dial;

	dial_sshd(place, &dial, key);
	dial.side.config.rekey_bytes = 1 << 20;
	dial_and_compare(&dial, place->bulk, BULK);
	assert_true(ssh_side_traced(&dial.side, "> 21 NEWKEYS") > 10);
	ssh_dial_release(&dial);
	csftp_ssh_key_free(key);
}

/* SSH_FXP_INIT 3, and the VERSION that answers it. */
static void our_client_reaches_the_sftp_subsystem_of_sshd(void **state)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	struct place *place = with_sshd(state);
	struct csftp_ssh_key *key = read_key(place->sshd.dir, "user");
	struct ssh_dial dial;

	dial_sshd(place, &dial, key);
	dial.subsystem = "sftp";
	dial.in = init;
	dial.in_len = sizeof(init);
	/* The server would end at once, before it has answered. */
	dial.eof_after = 9;
	ssh_dial_run(&dial);
	assert_true(dial.side.got_len > 9);
	assert_int_equal(dial.side.got[4], 2);
	assert_int_equal(dial.side.got[8], 3);
	ssh_dial_release(&dial);
	csftp_ssh_key_free(key);
}

static void sshd_refuses_our_client_with_another_key(void **state)
{
	struct place *place = with_sshd(state);
	struct ssh_dial dial;

	dial_sshd(place, &dial, place->user);
	ssh_dial_run(&dial);
	assert_int_equal(dial.side.count[CSFTP_SSH_AUTH_FAILED], 1);
	assert_int_equal(dial.side.count[CSFTP_SSH_AUTH_OK], 0);
	assert_non_null(strstr(dial.side.text, "disconnected by us"));
	ssh_dial_release(&dial);
}

/* Our server. */

static void open_server(struct place *place, struct ssh_serve *serve)
{
	ssh_serve_init(serve);
	serve->side.config.keys = place->host;
	serve->side.config.key_count = HOST_KEYS;
	serve->user_key = csftp_ssh_key_blob(place->user);
}

/* Options of ssh and sftp for our server. */
static void client_options(const struct place *place,
			   const struct ssh_serve *serve, char *text,
			   size_t size)
{
	proc_print(text, size,
		   "-F /dev/null -oPort=%d -i %s/user -oIdentitiesOnly=yes "
		   "-oIdentityAgent=none -oUserKnownHostsFile=/dev/null "
		   "-oGlobalKnownHostsFile=/dev/null -oLogLevel=ERROR "
		   "-oStrictHostKeyChecking=no -oBatchMode=yes ",
		   serve->port, place->dir);
}

/* Runs a shell command that connects to us; returns its exit status. */
static int run_against(struct ssh_serve *serve, const char *command)
{
	char sh[] = "sh", flag[] = "-c";
	char *argv[] = {sh, flag, strdup(command), NULL};
	pid_t pid = proc_start(argv, -1, -1, -1);
	int status;

	ssh_serve_one(serve, pid);
	status = proc_wait(pid, 60000);
	free(argv[2]);
	if (status < 0)
		proc_stop(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(struct place *place, struct ssh_serve *serve,
		   const char *program, const char *options, const char *rest,
		   int status)
{
	char base[2 * PROC_PATH_MAX], command[4 * PROC_PATH_MAX];
	int got;

	client_options(place, serve, base, sizeof(base));
	proc_print(command, sizeof(command), "cd %s && %s %s %s %s", place->dir,
		   program, base, options, rest);
	got = run_against(serve, command);
	if (got != status)
		print_message("%s\n%s", command, (char *)serve->side.lines);
	assert_int_equal(got, status);
}

static void ssh_runs_commands_on_our_server(void **state)
{
	struct place *place = *state;
	struct ssh_serve serve;

	open_server(place, &serve);
	expect(place, &serve, "ssh", "",
	       "127.0.0.1 'echo out; echo err >&2; exit 3' >out 2>err", 3);
	must_sh("cd '%s' && test \"$(cat out)\" = out && "
		"test \"$(cat err)\" = err",
		place->dir);
	expect(place, &serve, "ssh", "", "127.0.0.1 'kill -9 $$'", 255);
	ssh_serve_stop(&serve);
}

static void ssh_agrees_with_our_server_by_each_algorithm(void **state)
{
	static const char *const option[CSFTP_SSH_ALG_COUNT] = {
		[CSFTP_SSH_ALG_KEX] = "-oKexAlgorithms=",
		[CSFTP_SSH_ALG_HOSTKEY] = "-oHostKeyAlgorithms=",
		[CSFTP_SSH_ALG_CIPHER] = "-oCiphers=",
		[CSFTP_SSH_ALG_MAC] = "-oCiphers=aes256-ctr -oMACs=",
	};
	struct place *place = *state;
	struct ssh_serve serve;
	const char *name;
	char text[256];

	open_server(place, &serve);
	for (unsigned k = 0; k < CSFTP_SSH_ALG_COUNT; k++) {
		for (size_t n = 0; (name = csftp_ssh_algorithms(k, n)); n++) {
			/* There is no such host key here. */
			if (strcmp(name, "ecdsa-sha2-nistp384") == 0)
				continue;
			serve.side.lines_len = 0;
			proc_print(text, sizeof(text), "%s%s", option[k], name);
			expect(place, &serve, "ssh", text,
			       "127.0.0.1 cat <data >back && cmp data back", 0);
		}
	}
	ssh_serve_stop(&serve);
}

static void sftp_moves_files_while_both_sides_rekey(void **state)
{
	struct place *place = *state;
	struct ssh_serve serve;
	char batch[PROC_PATH_MAX + 16];

	open_server(place, &serve);
	must_sh("cd '%s' && head -c 20000000 /dev/urandom >big && "
		"mkdir -p far",
		place->dir);
	proc_print(batch, sizeof(batch), "%s/batch", place->dir);
	file_write(batch, "put big far/big\nget far/big back\n", 34);
	/* By the client, by us, and both at once. */
	for (int who = 1; who <= 3; who++) {
		char sftp[2 * PROC_PATH_MAX];

		proc_print(sftp, sizeof(sftp), "%s -d %s", OPENSSH_SFTP_SERVER,
			   place->dir);
		serve.sftp = sftp;
		serve.side.lines_len = 0;
		serve.side.config.rekey_bytes = who & 2 ? 700000 : 0;
		expect(place, &serve, "sftp", who & 1 ? "-oRekeyLimit=1M" : "",
		       "-b batch 127.0.0.1 >/dev/null && cmp big back && "
		       "cmp big far/big && rm back far/big",
		       0);
		assert_true(ssh_side_traced(&serve.side, "> 21 NEWKEYS") > 10);
	}
	ssh_serve_stop(&serve);
}

static void user_keys_of_each_type_open_our_server(void **state)
{
	static const char *const args[] = {"-t ecdsa -b 256", "-t ecdsa -b 384",
					   "-t ecdsa -b 521", "-t rsa -b 2048"};
	struct place *place = *state;
	struct ssh_serve serve;

	open_server(place, &serve);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		struct csftp_ssh_key *key;

		must_sh("cd '%s' && rm -f other* && ssh-keygen -q %s -N '' "
			"-f other",
			place->dir, args[i]);
		key = read_key(place->dir, "other");
		serve.user_key = csftp_ssh_key_blob(key);
		expect(place, &serve, "ssh", "-i other", "127.0.0.1 true", 0);
		csftp_ssh_key_free(key);
	}
	/* A key that is not known, and a user who is not. */
	expect(place, &serve, "ssh", "", "127.0.0.1 true", 255);
	serve.user_key = csftp_ssh_key_blob(place->user);
	serve.user = "nobody-else";
	expect(place, &serve, "ssh", "", "127.0.0.1 true", 255);
	expect(place, &serve, "ssh", "-lnobody-else", "127.0.0.1 true", 0);
	ssh_serve_stop(&serve);
}

/* The key, and the password behind it, which ssh asks a program for. */
static void passwords_of_ssh_reach_our_server(void **state)
{
	struct place *place = *state;
	char program[2 * PROC_PATH_MAX], ask[PROC_PATH_MAX + 16];
	struct ssh_serve serve;

	open_server(place, &serve);
	proc_print(ask, sizeof(ask), "%s/ask", place->dir);
	file_write(ask, "#!/bin/sh\necho sesame\n", 23);
	must_sh("chmod 700 '%s'", ask);
	proc_print(program, sizeof(program),
		   "env SSH_ASKPASS=%s SSH_ASKPASS_REQUIRE=force ssh "
		   "-oBatchMode=no -oNumberOfPasswordPrompts=1",
		   ask);
	serve.side.config.auth_methods =
		CSFTP_SSH_AUTH_PASSWORD | CSFTP_SSH_AUTH_PUBLICKEY;
	serve.password = "sesame";
	expect(place, &serve, program, "-oPubkeyAuthentication=no",
	       "127.0.0.1 true", 0);
	serve.partly = true;
	expect(place, &serve, program, "-oPubkeyAuthentication=no",
	       "127.0.0.1 true", 255);
	expect(place, &serve, program, "", "127.0.0.1 true", 0);
	assert_true(serve.key_seen);
	serve.password = "another";
	expect(place, &serve, program, "", "127.0.0.1 true", 255);
	ssh_serve_stop(&serve);
}

static void keepalives_and_small_buffers_are_fine_for_ssh(void **state)
{
	struct place *place = *state;
	struct ssh_serve serve;

	open_server(place, &serve);
	serve.side.config.buf_size = CSFTP_SSH_BUF_MIN;
	expect(place, &serve, "ssh", "-oServerAliveInterval=1",
	       "127.0.0.1 'sleep 2.5; cat' <data >back && cmp data back", 0);
	assert_true(ssh_side_traced(&serve.side, "keepalive") > 0);
	ssh_serve_stop(&serve);
}

static void need_program(const char *name)
{
	char why[128];

	if (proc_sh(0, "command -v %s >/dev/null", name) == 0)
		return;
	proc_print(why, sizeof(why), "%s is not installed", name);
	skip_because(why);
}

/* libssh2's part: curl's. */
static void curl_fetches_files_from_our_server(void **state)
{
	struct place *place = *state;
	char command[4 * PROC_PATH_MAX];
	struct ssh_serve serve;

	need_program("curl");
	open_server(place, &serve);
	proc_print(command, sizeof(command),
		   "cd %s && rm -f back && curl -sSk --key user --pubkey "
		   "user.pub sftp://root@127.0.0.1:%d%s/data -o back && "
		   "cmp data back",
		   place->dir, serve.port, place->dir);
	assert_int_equal(run_against(&serve, command), 0);
	proc_print(command, sizeof(command),
		   "cd %s && curl -sSk --key user --pubkey user.pub -T data "
		   "sftp://root@127.0.0.1:%d%s/sent && cmp data sent",
		   place->dir, serve.port, place->dir);
	assert_int_equal(run_against(&serve, command), 0);
	ssh_serve_stop(&serve);
}

static void putty_runs_commands_and_moves_files_on_our_server(void **state)
{
	struct place *place = *state;
	char base[PROC_PATH_MAX], command[4 * PROC_PATH_MAX];
	char path[PROC_PATH_MAX + 16];
	struct csftp_ssh_bytes blob;
	struct ssh_serve serve;

	need_program("plink");
	need_program("psftp");
	need_program("puttygen");
	open_server(place, &serve);
	blob = csftp_ssh_key_blob(place->host[0]);
	proc_print(path, sizeof(path), "%s/blob", place->dir);
	file_write(path, blob.ptr, blob.len);
	must_sh("cd '%s' && puttygen user -O private -o user.ppk && "
		"echo \"ssh-ed25519 $(base64 -w0 blob)\" >host.pub && "
		"ssh-keygen -lf host.pub | cut -d' ' -f2 >print && "
		"printf 'put data %s/sent\\nget %s/sent back\\n' >moves",
		place->dir, place->dir, place->dir);
	/* It keeps things in the home directory. */
	proc_print(
		base, sizeof(base),
		"cd %s && rm -f back sent && export HOME=$PWD && "
		"keys=\"-batch -P %d -i user.ppk -hostkey $(cat print)\" && ",
		place->dir, serve.port);
	proc_print(command, sizeof(command),
		   "%s plink -ssh $keys root@127.0.0.1 cat <data >back && "
		   "cmp data back",
		   base);
	assert_int_equal(run_against(&serve, command), 0);
	proc_print(command, sizeof(command),
		   "%s psftp $keys -b moves root@127.0.0.1 >/dev/null && "
		   "cmp data back && cmp data sent",
		   base);
	assert_int_equal(run_against(&serve, command), 0);
	ssh_serve_stop(&serve);
}

static void dropbears_client_runs_commands_on_our_server(void **state)
{
	struct place *place = *state;
	static const char init[] = "< 30 KEX_ECDH_INIT";
	char command[4 * PROC_PATH_MAX];
	struct csftp_ssh_key *key;
	struct ssh_serve serve;
	unsigned before;

	need_program("dbclient");
	need_program("dropbearkey");
	open_server(place, &serve);
	must_sh("cd '%s' && rm -f drop drop.pub && "
		"dropbearkey -t ed25519 -f drop >/dev/null 2>&1 && "
		"dropbearkey -y -f drop 2>/dev/null | grep ^ssh >drop.pub",
		place->dir);
	{
		char path[PROC_PATH_MAX + 16], text[4096];
		size_t len;

		proc_print(path, sizeof(path), "%s/drop.pub", place->dir);
		len = file_read(path, text, sizeof(text));
		assert_int_equal(csftp_ssh_key_read_public(&key, text, len),
				 CSFTP_OK);
	}
	serve.user_key = csftp_ssh_key_blob(key);
	proc_print(command, sizeof(command),
		   "cd %s && HOME=%s dbclient -y -y -i drop -p %d 127.0.0.1 "
		   "cat <data >back && cmp data back",
		   place->dir, place->dir, serve.port);
	assert_int_equal(run_against(&serve, command), 0);
	/* It sends the first packet of the exchange that it guesses. */
	before = ssh_side_traced(&serve.side, init);
	serve.side.config.kex = "ecdh-sha2-nistp384";
	serve.side.config.cipher = "aes256-ctr";
	assert_int_equal(run_against(&serve, command), 0);
	assert_int_equal(ssh_side_traced(&serve.side, init), before + 2);
	csftp_ssh_key_free(key);
	ssh_serve_stop(&serve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_client_runs_a_command_on_sshd),
		cmocka_unit_test(our_client_agrees_with_sshd_by_each_algorithm),
		cmocka_unit_test(our_client_reaches_the_sftp_subsystem_of_sshd),
		cmocka_unit_test(sshd_refuses_our_client_with_another_key),
		cmocka_unit_test(data_comes_back_whole_while_our_client_rekeys),
		cmocka_unit_test(ssh_runs_commands_on_our_server),
		cmocka_unit_test(ssh_agrees_with_our_server_by_each_algorithm),
		cmocka_unit_test(user_keys_of_each_type_open_our_server),
		cmocka_unit_test(passwords_of_ssh_reach_our_server),
		cmocka_unit_test(sftp_moves_files_while_both_sides_rekey),
		cmocka_unit_test(keepalives_and_small_buffers_are_fine_for_ssh),
		cmocka_unit_test(curl_fetches_files_from_our_server),
		cmocka_unit_test(
			putty_runs_commands_and_moves_files_on_our_server),
		cmocka_unit_test(dropbears_client_runs_commands_on_our_server),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
