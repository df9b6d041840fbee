/* Built-in commands of csftpd with the programs that ask for them. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/lib/csftpd_rig.h"
#include "tests/lib/test.h"

/*
 * A script in the scratch directory, with $there for it in the words of the
 * server, and: run WORDS, by ssh; scp WORDS, by the old protocol.
 */
__attribute__((format(printf, 2, 3))) static void
sh(const struct csftpd_rig *all, const char *format, ...)
{
	char script[8192];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(script, sizeof(script), format, args);
	va_end(args);
	must_sh("cd '%s'\n"
		"there=$PWD config='%s' key='%s' known='%s' port=%d\n"
		"host=" SSHD_HOST "\n"
		"run() {\n"
		"\tssh -F \"$config\" \"$host\" \"$@\"\n"
		"}\n"
		"scp() {\n"
		"\tcommand scp -O -q -F \"$config\" \"$@\"\n"
		"}\n"
		"status() {\n"
		"\twanted=$1; shift; got=0; \"$@\" || got=$?\n"
		"\ttest \"$got\" = \"$wanted\"\n"
		"}\n"
		"%s",
		all->dir, all->sshd.client, all->sshd.key,
		all->sshd.known_hosts, all->sshd.port, script);
}

/* Names, sizes, modes and times of all kinds. */
static void make_tree(const struct csftpd_rig *all)
{
	sh(all, "mkdir -p 'tree/a dir/deep' tree/empty\n"
		"head -c 3000001 /dev/urandom >tree/large\n"
		": >'tree/a dir/none'\n"
		"echo x >'tree/a dir/it'\\''s $HOME *'\n"
		"echo y >'tree/a dir/deep/-r'\n"
		"echo z >tree/ro && chmod 444 tree/ro\n"
		"chmod 750 'tree/a dir'\n"
		"chmod 500 'tree/a dir/deep'\n"
		"touch -d '2001-02-03 04:05:06' tree/large tree/empty\n"
		"list() {\n"
		"\t(cd \"$1\" && find . -printf '%%p %%m %%s %%T@\\n' |\n"
		"\tsed 's/\\.[0-9]*$//' | sort)\n"
		"}\n"
		"list tree | grep -v ' 4096 ' >tree.list\n");
}

static void scp_copies_a_tree_both_ways(void **state)
{
	struct csftpd_rig *all = *state;

	make_tree(all);
	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "scp -r -p tree \"$host:$there/up\"\n"
		"diff -r tree up\n"
		"scp -r -p \"$host:$there/tree\" down\n"
		"diff -r tree down\n"
		"for made in tree up down; do\n"
		"\t(cd $made && find . -printf '%%p %%m %%T@\\n' |\n"
		"\tsed 's/\\.[0-9]*$//' | sort) >$made.list\n"
		"done\n"
		"cmp tree.list up.list\n"
		"cmp tree.list down.list\n"
		/* And into directories that are there. */
		"mkdir in && scp -r tree/empty tree/ro \"$host:$there/in\"\n"
		"cmp tree/ro in/ro\n"
		"test -d in/empty\n"
		"chmod u+w -R . && rm -r up down\n");
	csftpd_end_well(&all->sshd);
}

static void scp_finds_by_pattern_and_from_home(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "mkdir from to && for n in a.c b.c c.h; do\n"
		"\techo $n >from/$n\n"
		"done\n"
		"scp \"$host:$there/from/*.c\" to\n"
		"test \"$(ls to)\" = \"$(printf 'a.c\\nb.c')\"\n"
		"scp \"$host:$there/from/[!a-b].?\" to && cmp from/c.h to/c.h\n"
		/* The home is where a session starts. */
		"test \"$(run md5sum '~/.no-such-file' 2>&1 | grep -c "
		"'/.no-such-file: No such file')\" = 1\n"
		"status 1 scp \"$host:$there/from/none\" to\n");
	csftpd_end_well(&all->sshd);
}

static void new_keys_do_not_disturb_a_copy(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "head -c 20000000 /dev/urandom >large\n"
		"scp -o RekeyLimit=1M large \"$host:$there/up\"\n"
		"cmp large up\n"
		"scp -o RekeyLimit=1M \"$host:$there/up\" down\n"
		"cmp large down\n");
	csftpd_end_well(&all->sshd);
}

static void sums_and_space_are_those_of_this_machine(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all,
	   "head -c 1000000 /dev/urandom >a\n"
	   ": >empty; echo odd >'o d\\d'\n"
	   "for sum in md5sum sha1sum sha256sum; do\n"
	   "\t$sum \"$there/a\" \"$there/empty\" \"$there/o d\\d\" >own\n"
	   "\trun \"$sum '$there/a' '$there/empty' '$there/o d\\d'\" >got\n"
	   "\tcmp own got\n"
	   "\ttest \"$(run $sum <a)\" = \"$($sum <a)\"\n"
	   "done\n"
	   "df -k . | awk 'NR == 2 { print $2 }' >own\n"
	   "run \"df -k $there\" | awk 'NR == 2 { print $2 }' >got\n"
	   "cmp own got\n"
	   "test \"$(run echo \"'a  b'\" c)\" = 'a  b c'\n");
	csftpd_end_well(&all->sshd);
}

static void there_is_no_shell(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "status 127 run ls\n"
		"status 127 run /bin/sh -c 'touch x'\n"
		"status 2 run \"echo a; touch $there/x\"\n"
		"status 2 run \"echo a >$there/x\"\n"
		"status 2 run 'echo $(id)'\n"
		"status 2 run 'echo `id`'\n"
		"test \"$(run 'echo $HOME')\" = '$HOME'\n"
		"test ! -e x\n");
	csftpd_end_well(&all->sshd);
}

static void a_hostile_peer_stays_below_its_target(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "mkdir t\n"
		"put() { printf \"$1\" | run \"scp -r -t $there/t\" >said; }\n"
		"status 1 put 'C0644 1 ../x\\nx\\0'\n"
		"grep -q 'unexpected filename' said\n"
		"status 1 put 'C0644 1 /tmp/x\\nx\\0'\n"
		"status 1 put 'D0755 0 ..\\nC0644 1 x\\nx\\0E\\n'\n"
		"status 1 put 'D0755 0 .\\nC0644 1 x\\nx\\0E\\n'\n"
		"status 1 put 'C0644 9 cut\\nx'\n"
		"test ! -e x\n"
		"test ! -e t/x\n"
		"status 0 put 'C0644 1 good\\nx\\0'\n"
		"test \"$(cat t/good)\" = x\n");
	csftpd_end_well(&all->sshd);
}

static void what_is_read_only_stays_so(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "ReadOnly yes\nAudit %s/trail\n", all->dir);
	sh(all, "echo x >x\n"
		"status 1 scp x \"$host:$there/y\"\n"
		"test ! -e y\n"
		"grep '\"open\".*/y\".*EACCES' trail\n"
		"scp \"$host:$there/x\" z && cmp x z\n");
	csftpd_end_well(&all->sshd);
}

static void a_jail_is_one_for_commands_too(void **state)
{
	struct csftpd_rig *all = *state;

	sh(all, "mkdir jail; echo in >jail/in; echo out >out\n"
		"ln -s ../out jail/link; ln -s /in jail/good\n");
	csftpd_start(&all->sshd, "LogLevel ERROR\nRoot %s/jail\n", all->dir);
	sh(all, "scp \"$host:/in\" got && cmp jail/in got\n"
		"scp \"$host:/good\" got && cmp jail/in got\n"
		"status 1 scp \"$host:$there/out\" none\n"
		"status 1 scp \"$host:/../out\" none\n"
		"status 1 scp \"$host:/link\" none\n"
		"scp out \"$host:/../new\" && cmp out jail/new\n");
	csftpd_end_well(&all->sshd);
}

static void curl_speaks_scp(void **state)
{
	struct csftpd_rig *all = *state;

	skip_without("curl");
	if (proc_sh(0, "curl -V | grep -qw scp") != 0)
		skip_because("curl without scp");
	csftpd_start(&all->sshd, "LogLevel ERROR\n");
	sh(all, "head -c 700001 /dev/urandom >x\n"
		"get='curl -sS --fail --insecure --key $key --pubkey $key.pub "
		"-u '\"$(id -un)\":\n"
		"eval $get -T x scp://127.0.0.1:$port$there/y\n"
		"cmp x y\n"
		"eval $get -o z scp://127.0.0.1:$port$there/y\n"
		"cmp x z\n"
		"status 78 eval $get -o z scp://127.0.0.1:$port$there/gone\n");
	csftpd_end_well(&all->sshd);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CSFTPD_CLAIM(scp_copies_a_tree_both_ways),
		CSFTPD_CLAIM(scp_finds_by_pattern_and_from_home),
		CSFTPD_CLAIM(new_keys_do_not_disturb_a_copy),
		CSFTPD_CLAIM(sums_and_space_are_those_of_this_machine),
		CSFTPD_CLAIM(there_is_no_shell),
		CSFTPD_CLAIM(a_hostile_peer_stays_below_its_target),
		CSFTPD_CLAIM(what_is_read_only_stays_so),
		CSFTPD_CLAIM(a_jail_is_one_for_commands_too),
		CSFTPD_CLAIM(curl_speaks_scp),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
