/*
 * OpenSSH's ssh with csftpd by each set of algorithms, and csftpfs with SSH of
 * its own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csftp/ssh.h"
#include "tests/lib/csftpd.h"
#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

struct state {
	struct sshd sshd;
	struct mounted mounted; /* of that daemon */
	char dir[PROC_PATH_MAX];
};

static int make(void **state)
{
	struct state *all = calloc(1, sizeof(*all));

	if (!all)
		return -1;
	scratch_make(all->dir);
	*state = all;
	return 0;
}

static int drop(void **state)
{
	struct state *all = *state;

	mounted_drop(&all->mounted);
	csftpd_drop(&all->sshd);
	scratch_remove(all->dir);
	free(all);
	return 0;
}

/* What there is of a kind, with blanks. */
static void list(char *text, size_t size, enum csftp_ssh_alg_kind kind)
{
	const char *name;
	size_t used = 0;

	text[0] = '\0';
	for (size_t n = 0; (name = csftp_ssh_algorithms(kind, n)); n++) {
		proc_print(text + used, size - used, "%s ", name);
		used += strlen(name) + 1;
	}
}

/* With host keys and users' keys of each type: host-TYPE, user-TYPE. */
static void start(struct state *all)
{
	const char *d = all->dir;

	must_sh("cd '%s'\n"
		"for of in host user; do\n"
		"\tfor bits in 256 384 521; do\n"
		"\t\tssh-keygen -q -t ecdsa -b $bits -N '' -C '' -f $of-$bits\n"
		"\tdone\n"
		"\tssh-keygen -q -t rsa -b 2048 -N '' -C '' -f $of-rsa\n"
		"done",
		all->dir);
	csftpd_start(&all->sshd,
		     "HostKey %s/host-256\n"
		     "HostKey %s/host-384\n"
		     "HostKey %s/host-521\n"
		     "HostKey %s/host-rsa\n",
		     d, d, d, d);
	must_sh("cd '%s'\n"
		"sed 's/^/" SSHD_HOST " /' host-*.pub >>'%s'\n"
		"cat user-*.pub >>'%s.pub'",
		all->dir, all->sshd.known_hosts, all->sshd.key);
}

/*
 * "one KEX CIPHER MAC HOSTKEY" sends data one way and a sum the other; the
 * users' keys take turns.  Ciphers that have no MAC come with one.
 */
static const char script[] =
	"head -c 100000 /dev/urandom >data\n"
	/* There is no other key to fall back on. */
	"sed '/IdentityFile/d' $config >bare\n"
	"sum=$(sha256sum <data) count=0\n"
	"pick() { shift $(($1 % ($# - 1) + 1)); echo \"$1\"; }\n"
	"one() {\n"
	"\tmine=$(pick $count user-rsa user-256 user-384 user-521 $key)\n"
	"\tcount=$((count + 1))\n"
	"\tgot=$(ssh -F bare -i $mine "
	"-o KexAlgorithms=$1 -o Ciphers=$2 -o MACs=$3 "
	"-o HostKeyAlgorithms=$4 $host sha256sum <data) || got=failed\n"
	"\ttest \"$got\" = \"$sum\" || { echo $* $mine $got; exit 9; }\n"
	"}\n"
	"with_hostkeys() {\n"
	"\ttypes=$(pick $count $hostkeys)\n"
	"\ttest -z \"$full\" || types=$hostkeys\n"
	"\tfor type in $types; do one $1 $2 $3 $type; done\n"
	"}\n"
	"known=$(ssh -Q kex)\n"
	"for kex in $kexes; do\n"
	"\techo \"$known\" | grep -qx \"$kex\" || continue\n"
	"\tfor cipher in $ciphers; do\n"
	"\t\twith=hmac-sha2-256\n"
	"\t\ttest $cipher = ${cipher%-ctr} || with=$macs\n"
	"\t\tfor mac in $with; do with_hostkeys $kex $cipher $mac; done\n"
	"\tdone\n"
	"done\n"
	"echo $count >count\n";

static void ssh_agrees_with_csftpd_by_each_set_of_algorithms(void **state)
{
	char kex[1024], hostkey[1024], cipher[1024], mac[1024];
	char path[PROC_PATH_MAX], text[4 * PROC_PATH_MAX], count[16] = "";
	struct state *all = *state;

	start(all);
	list(kex, sizeof(kex), CSFTP_SSH_ALG_KEX);
	list(hostkey, sizeof(hostkey), CSFTP_SSH_ALG_HOSTKEY);
	list(cipher, sizeof(cipher), CSFTP_SSH_ALG_CIPHER);
	list(mac, sizeof(mac), CSFTP_SSH_ALG_MAC);
	proc_print(text, sizeof(text),
		   "set +x\n"
		   "cd '%s'\n"
		   "config='%s' key='%s' host=" SSHD_HOST " full='%s'\n"
		   "kexes='%s' hostkeys='%s' ciphers='%s' macs='%s'\n",
		   all->dir, all->sshd.client, all->sshd.key,
		   getenv("CSFTP_LONG") ? "yes" : "", kex, hostkey, cipher,
		   mac);
	must_sh("%s%s", text, script);
	proc_print(path, sizeof(path), "%.4000s/count", all->dir);
	(void)file_read(path, count, sizeof(count) - 1);
	print_message("# %lu sets\n", strtoul(count, NULL, 10));
	assert_true(strtoul(count, NULL, 10) >= 75);
	assert_int_equal(csftpd_fact(&all->sshd, "logins"),
			 strtoul(count, NULL, 10));
	csftpd_end_well(&all->sshd);
}

/* Both ends are ours: new keys by the server meanwhile, and links. */
static void csftpfs_mounts_csftpd_without_ssh(void **state)
{
	struct state *all = *state;
	struct mounted *mounted = &all->mounted;

	if (access("/dev/fuse", R_OK | W_OK) != 0)
		skip_because("/dev/fuse cannot be used");
	csftpd_start(&all->sshd, "%s", "RekeyLimit 1M\n");
	mounted->transport = NATIVE_CSFTP;
	mounted->sshd = all->sshd;
	proc_print(mounted->served, PROC_PATH_MAX, "%.4000s/served", all->dir);
	proc_print(mounted->point, PROC_PATH_MAX, "%.4000s/point", all->dir);
	must_sh("mkdir '%s' '%s'", mounted->served, mounted->point);
	mounted_mount(mounted, NULL);
	must_sh("cd '%s'\n"
		"mkdir tree tree/d\n"
		"head -c 20000000 /dev/urandom >tree/big\n"
		"ln -s ../big tree/d/link\n"
		"cp -a tree point/tree\n"
		"diff -r tree served/tree\n"
		"test \"$(readlink served/tree/d/link)\" = ../big\n",
		all->dir);
	mounted_unmount(mounted);
	mounted_mount(mounted, NULL);
	must_sh("cd '%s' && cp -a point/tree back && diff -r tree back\n"
		"rm -r point/tree && test ! -e served/tree",
		all->dir);
	mounted_unmount(mounted);
	csftpd_end_well(&all->sshd);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CLAIM(ssh_agrees_with_csftpd_by_each_set_of_algorithms),
		CLAIM(csftpfs_mounts_csftpd_without_ssh),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
