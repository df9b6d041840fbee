/* What programs of other people can do with the public headers alone. */

#include "tests/lib/proc.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"

static void openssh_can_use_a_tree_in_memory(void **state)
{
	char dir[PROC_PATH_MAX];
	char server[PROC_PATH_MAX];

	(void)state;
	scratch_make(dir);
	proc_built(server, "tests/examples/serve_memfs");
	must_sh("cd '%s' && head -c 3000000 /dev/urandom >big && "
		": >empty && mkdir -p tree/a && echo inner >tree/a/f\n"
		"cat >batch <<'end'\n"
		"put big\nput empty\nput -r tree\nget big back\n"
		"get -r tree again\nrename big moved\nln -s moved link\n"
		"get link linked\nmkdir dir\nls -l\nls -1 tree/a\ndf\n"
		"rm empty\nrmdir dir\n-get gone\n"
		"end\n"
		"sftp -q -b batch -D '%s trace' >said 2>traced\n"
		"cmp big back\n"
		"cmp big linked\n"
		"diff -r tree again\n"
		"grep -q '3000000 .* big$\\|3000000 .* moved$' said\n"
		"grep -qx 'tree/a/f' said\n"
		"grep -q '^<- [0-9]* OPEN \"/big\" pflags ' traced\n"
		"grep -q '^-> [0-9]* STATUS 2 \"No such file' traced",
		dir, server);
	scratch_remove(dir);
}

/* What all clients are started with: $run, $scp and $sftp. */
static void with_clients(const struct sshd *sshd, const char *script)
{
	char run[PROC_PATH_MAX], scp[PROC_PATH_MAX], sftp[PROC_PATH_MAX];

	proc_built(run, "tests/examples/ssh_run");
	proc_built(scp, "tests/examples/scp_get");
	proc_built(sftp, "tests/examples/sftp_get");
	must_sh("cd '%s'\n"
		"to=\"127.0.0.1 %d $(id -un) %s host.pub\"\n"
		"run() { '%s' $to \"$1\"; }\n"
		"scp() { '%s' $to \"$1\"; }\n"
		"sftp() { '%s' $to \"$1\"; }\n"
		"status() {\n"
		"\twanted=$1; shift; got=0; \"$@\" || got=$?\n"
		"\ttest \"$got\" = \"$wanted\"\n"
		"}\n"
		"%s",
		sshd->dir, sshd->port, sshd->key, run, scp, sftp, script);
}

static void clients_can_use_openssh(void **state)
{
	struct sshd sshd;

	(void)state;
	sshd_start(&sshd, OPENSSH_SFTP_SERVER);
	with_clients(
		&sshd,
		"head -c 5000001 /dev/urandom >big && : >empty\n"
		"test \"$(run 'echo out; echo err >&2' </dev/null 2>err)\" "
		"= out\n"
		"grep -qx err err\n"
		"status 7 run 'exit 7' </dev/null\n"
		"run cat <big >back && cmp big back\n"
		"run 'sleep 0.1; cat' <big >back && cmp big back\n"
		"for get in scp sftp; do\n"
		"\t$get \"$PWD/big\" >back && cmp big back\n"
		"\t$get \"$PWD/empty\" >back && cmp empty back\n"
		"\tstatus 1 $get \"$PWD/none\" 2>err\n"
		"\tgrep -q 'No such file' err\n"
		"done\n"
		/* Another key is another server. */
		"to=${to%host.pub}user.pub\n"
		"status 255 run true 2>err\n"
		"grep -q 'does not verify' err\n");
	sshd_stop(&sshd);
}

/* The server of the example, with the keys of a struct sshd. */
static pid_t start_server(struct sshd *sshd)
{
	char server[PROC_PATH_MAX], port[16], host[PROC_PATH_MAX + 16];
	char user[PROC_PATH_MAX + 16];
	char *argv[] = {server, port, host, user, NULL};

	proc_built(server, "tests/examples/ssh_server");
	sshd_make_keys(sshd);
	sshd_choose_port(sshd);
	proc_print(port, sizeof(port), "%d", sshd->port);
	proc_print(host, sizeof(host), "%s/host", sshd->dir);
	proc_print(user, sizeof(user), "%s.pub", sshd->key);
	return proc_start(argv, -1, -1, -1);
}

static void openssh_and_our_client_can_use_the_server(void **state)
{
	struct sshd sshd;
	pid_t pid;

	(void)state;
	pid = start_server(&sshd);
	/* ssh tries again until it listens. */
	must_sh("cd '%s' && head -c 3000001 /dev/urandom >big\n"
		"test \"$(ssh -F '%s' " SSHD_HOST " echo a b)\" = 'a b'\n"
		"sha256sum <big >sum\n"
		"ssh -F '%s' " SSHD_HOST " sha256sum <big | cmp - sum",
		sshd.dir, sshd.client, sshd.client);
	with_clients(&sshd, "test \"$(run 'echo a b' </dev/null)\" = 'a b'\n"
			    "run sha256sum <big | cmp - sum\n"
			    "status 127 run ls </dev/null\n");
	proc_stop(pid);
	scratch_remove(sshd.dir);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(openssh_can_use_a_tree_in_memory),
		cmocka_unit_test(clients_can_use_openssh),
		cmocka_unit_test(openssh_and_our_client_can_use_the_server),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
