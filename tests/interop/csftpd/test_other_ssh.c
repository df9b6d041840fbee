/* The SSH clients of PuTTY and dropbear: SFTP through them, and commands. */

#include "tests/lib/csftpd_rig.h"
#include "tests/lib/test.h"

/*
 * In the scratch directory, which is the home, as these clients keep things
 * there; client is set by the first line of what, and runs what follows it.
 */
static void sh(const struct csftpd_rig *all, const char *client)
{
	must_sh("cd '%s'\n"
		"key='%s' known='%s' port=%d user=$(id -un) home=$PWD\n"
		"%s"
		"run() {\n"
		"\tHOME=$home $client \"$@\"\n"
		"}\n"
		"head -c 3000001 /dev/urandom >big\n"
		/* What stands on standard input, and a name. */
		"for sum in md5sum sha1sum sha256sum; do\n"
		"\t$sum <big >own && run $sum <big >got && cmp own got\n"
		"\t$sum \"$home/big\" >own\n"
		"\trun $sum \"$home/big\" </dev/null >got && cmp own got\n"
		"done\n"
		"test \"$(run echo a b </dev/null)\" = 'a b'\n"
		/* How a command ends is told. */
		"got=0; run ls </dev/null 2>said || got=$?\n"
		"test $got = 127\n"
		"grep -q 'no such command' said\n"
		"got=0; run md5sum \"$home/none\" </dev/null 2>said || got=$?\n"
		"test $got = 1\n"
		"grep -q 'No such file' said\n"
		/* And the subsystem, for OpenSSH's sftp. */
		"printf '%%s\\n' \"put big $home/sent\" \"get $home/sent back\""
		" \"ln -s big $home/link\" \"ls -l $home\" >batch\n"
		"HOME=$home sftp -q -b batch -D \"$client_sftp\" >said\n"
		"cmp big sent\n"
		"cmp big back\n"
		"grep -q ' 3000001 ' said\n"
		"test \"$(readlink link)\" = big\n",
		all->dir, all->sshd.key, all->sshd.known_hosts, all->sshd.port,
		client);
}

static void plink_runs_commands_and_carries_sftp(void **state)
{
	struct csftpd_rig *all = *state;

	skip_without("plink");
	skip_without("puttygen");
	csftpd_start(&all->sshd, "%s", "");
	sh(all, "puttygen $key -O private -o user.ppk\n"
		"print=$(ssh-keygen -lf $known | head -n1 | cut -d' ' -f2)\n"
		"plink=\"plink -batch -P $port -i user.ppk -hostkey $print\"\n"
		"client=\"$plink $user@127.0.0.1\"\n"
		"client_sftp=\"$plink -s $user@127.0.0.1 sftp\"\n");
	csftpd_end_well(&all->sshd);
}

static void dbclient_runs_commands_and_carries_sftp(void **state)
{
	struct csftpd_rig *all = *state;

	skip_without("dbclient");
	skip_without("dropbearconvert");
	csftpd_start(&all->sshd, "%s", "");
	sh(all, "dropbearconvert openssh dropbear $key drop 2>/dev/null\n"
		"mkdir -p .ssh && cut -d' ' -f2- <$known |\n"
		"\tsed \"s/^/127.0.0.1 /\" >.ssh/known_hosts\n"
		"dbclient=\"dbclient -y -i drop -p $port -l $user\"\n"
		"client=\"$dbclient 127.0.0.1\"\n"
		"client_sftp=\"$dbclient -s 127.0.0.1 sftp\"\n");
	csftpd_end_well(&all->sshd);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CSFTPD_CLAIM(plink_runs_commands_and_carries_sftp),
		CSFTPD_CLAIM(dbclient_runs_commands_and_carries_sftp),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
