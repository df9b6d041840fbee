/* csftpd -t and -T: host keys, and what is in force. */
#include <unistd.h>

#include "tests/lib/csftpd.h"
#include "tests/lib/test.h"

/*
 * A script in the directory, with $dir for it and $csftpd; and begin, which
 * starts it where nobody can listen.
 */
static void sh(const char *dir, const char *script)
{
	char program[PROC_PATH_MAX];

	csftpd_program(program);
	must_sh("cd '%s' && dir=$PWD csftpd='%s'\n"
		"begin() {\n"
		"\tok=0\n"
		"\t$csftpd -D -e -o ListenAddress=192.0.2.1 \"$@\" || "
		"ok=$?\n"
		"\ttest $ok = 1\n"
		"}\n"
		"%s",
		dir, program, script);
}

static int make(void **state)
{
	static char dir[PROC_PATH_MAX];

	scratch_make(dir);
	*state = dir;
	return 0;
}

static int drop(void **state)
{
	scratch_remove(*state);
	return 0;
}

static void a_host_key_is_made_where_there_is_none(void **state)
{
	sh(*state, "begin -h new/place/key 2>said\n"
		   "grep -q 'made the host key new/place/key' said\n"
		   "test \"$(stat -c %a new/place/key)\" = 600\n"
		   "test \"$(stat -c %a new/place)\" = 700\n"
		   "ssh-keygen -y -f new/place/key >line\n"
		   "cut -d' ' -f1,2 <line >line2\n"
		   "cut -d' ' -f1,2 <new/place/key.pub | cmp - line2\n"
		   "cp new/place/key before\n"
		   "$csftpd -t -h new/place/key 2>said\n"
		   "test ! -s said\n"
		   "cmp before new/place/key\n"
		   "test \"$(ls new/place | wc -l)\" = 2\n"
		   "chmod 644 new/place/key\n"
		   "if $csftpd -t -h new/place/key 2>said; then exit 9; fi\n"
		   "grep -q 'others can read it' said\n"
		   "echo nonsense >bad\n"
		   "chmod 600 bad\n"
		   "if $csftpd -t -h bad 2>said; then exit 9; fi\n"
		   "grep -q 'no private key' said\n");
}

/*
 * In a machine's /etc for root, and at home for others; with another /etc, that
 * the test alone sees.
 */
static void a_host_key_that_is_not_named_has_its_place(void **state)
{
	if (geteuid() != 0)
		skip_because("root is needed for another /etc");
	sh(*state,
	   "unshare -m true || exit 0\n"
	   "cat >inside <<'END'\n"
	   "set -ex\n" PROC_LET_GO "mount -t tmpfs none /etc\n"
	   "mount -t tmpfs -o mode=755 none /mnt; cd /mnt; dir=/mnt\n"
	   "mkdir home; chown 12345:12345 home\n"
	   "echo \"some:x:12345:12345::$dir/home:/bin/sh\" >/etc/passwd\n"
	   "cp \"$csftpd\" own\n"
	   "./own -T >shown 2>said\n"
	   "grep -q 'would make the host key /etc' said\n"
	   "test ! -e /etc/csftp\n"
	   "listen=ListenAddress=192.0.2.1\n"
	   "if ./own -D -e -o $listen 2>said; then exit 9; fi\n"
	   "grep -qx 'hostkey /etc/csftp/ssh_host_ed25519_key' shown\n"
	   "grep -q 'made the host key /etc/csftp/ssh_host_ed25519_key' said\n"
	   "test -s /etc/csftp/ssh_host_ed25519_key.pub\n"
	   "key=$dir/home/.config/csftp/ssh_host_ed25519_key\n"
	   "as='setpriv --reuid 12345 --regid 12345 --clear-groups'\n"
	   "$as ./own -T >shown 2>said\n"
	   "grep -qx \"hostkey $key\" shown\n"
	   "if $as ./own -D -e -o $listen 2>said; then exit 9; fi\n"
	   "grep -q \"made the host key $key\" said\n"
	   "test \"$(stat -c '%u %a' $key)\" = '12345 600'\n"
	   "END\n"
	   "dir=$dir csftpd=$csftpd unshare -m sh inside\n");
}

/* However they meet: one key, and its public half beside it. */
static void starts_at_the_same_time_make_one_key(void **state)
{
	sh(*state, "for round in 1 2 3 4 5 6 7 8; do\n"
		   "\tpids=\n"
		   "\tfor i in 1 2 3; do\n"
		   "\t\tbegin -h $round/key 2>/dev/null &\n"
		   "\t\tpids=\"$pids $!\"\n"
		   "\tdone\n"
		   "\tfor pid in $pids; do wait $pid; done\n"
		   "\tssh-keygen -y -f $round/key | cut -d' ' -f2 >own\n"
		   "\tcut -d' ' -f2 $round/key.pub | cmp - own\n"
		   "\ttest \"$(ls $round | wc -l)\" = 2\n"
		   "done\n");
}

/* Everything has a value of its own here that is not the default. */
static const char own_values[] =
	"cat >conf <<END\n"
	"Port 2022\n"
	"Port 2023\n"
	"ListenAddress 127.0.0.2\n"
	"ListenAddress [::1]:2024\n"
	"ListenAddress *\n"
	"HostKey $dir/host\n"
	"Acceptors 2\n"
	"AllowUsers a* !ab\n"
	"AtomicUpload yes\n"
	"Audit \"$dir/a b/\\\"audit\\\"\"\n"
	"AuthenticationMethods none\n"
	"AuthorizedKeysFile \"%h/a b\" two\n"
	"Ciphers ^aes128-ctr\n"
	"ClientAliveCountMax 4\n"
	"ClientAliveInterval 1m\n"
	"ControlSocket \"#odd\"\n"
	"DiskThreads 3\n"
	"DrainTime 2m\n"
	"HostKeyAlgorithms ssh-ed25519\n"
	"KeepPartial yes\n"
	"KexAlgorithms curve25519-sha256\n"
	"LogLevel VERBOSE\n"
	"LoginGraceTime 1m30s\n"
	"MACs -hmac-sha2-256\n"
	"MaxAuthTries 7\n"
	"MaxConnections 8\n"
	"MaxSessions 9\n"
	"MaxStartups 10:30:11\n"
	"PerSourceMaxStartups 12\n"
	"PerSourceNetBlockSize 24:56\n"
	"PerSourcePenalties crash:2m authfail:6 noauth:2 "
	"grace-exceeded:11 max:11m min:16 max-sources4:77 "
	"max-sources6:78 overflow:deny-all overflow6:permissive\n"
	"PerSourcePenaltyExemptList 10.0.0.0/8,192.0.2.1\n"
	"PidFile \"$dir/p i d\"\n"
	"Quota 1G\n"
	"Rate 2M\n"
	"ReadOnly yes\n"
	"RekeyLimit 1M 2m\n"
	"Root \"$dir/a b\"\n"
	"Sandbox require\n"
	"StrictModes no\n"
	"Subsystem sftp internal-sftp -l DEBUG2 -f LOCAL3 -u 027 "
	"-P remove,rmdir -p open,close,read,remove,stat -d \"c d\" "
	"--mask 0640 --force dirs:0700 --log-packets\n"
	"SyslogFacility LOCAL1\n"
	"View /c=ro\n"
	"View \"/d e=f=none\"\n"
	"Workers 37\n"
	"END\n";

static void what_is_in_force_is_shown_and_can_be_read_again(void **state)
{
	sh(*state,
	   "mkdir -p 'a b/c'\n"
	   "$csftpd -T -h $dir/host >default 2>said\n"
	   "for line in 'port 2222' 'listenaddress [::1]:2222' "
	   "'listenaddress 127.0.0.1:2222' 'readonly no' 'sandbox auto' "
	   "'maxauthtries 6' 'rekeylimit 1073741824 3600' "
	   "\"allowusers $(id -un)\" 'passwordauthentication no' "
	   "'persourcepenaltyexemptlist none' \"hostkey $dir/host\" "
	   "\"workers $(nproc)\" 'diskthreads 8' 'loglevel INFO'; do\n"
	   "\tgrep -qxF \"$line\" default || { echo \"$line\"; exit 9; }\n"
	   "done\n");
	sh(*state, own_values);
	sh(*state,
	   "$csftpd -T -f conf >one\n"
	   "$csftpd -T -f one >two\n"
	   "cmp one two\n"
	   /* No line of it is as it is where nothing is set. */
	   "grep -vE '^(hostkey |"
	   "(authorized(keyscom|principal)|banner|chroot|disablefor|"
	   "forcecom|ignorerhosts|permit(listen|open)|protocol|revokedk|"
	   "trustedu|versiona)[a-z]* |pubkeyauthentication |tcpkeepalive |"
	   "listenaddress \\*)' one | "
	   "grep -xF -f default | grep -v ' no$' >same || :\n"
	   "test ! -s same || { cat same; exit 9; }\n"
	   /* Each keyword is there. */
	   "for word in $(cut -d' ' -f1 conf | tr A-Z a-z); do\n"
	   "\tcase $word in end) continue ;; esac\n"
	   "\tgrep -q \"^$word \" one || { echo $word; exit 9; }\n"
	   "done\n"
	   "grep -qxF 'listenaddress 127.0.0.2:2023' one\n"
	   "grep -qxF 'persourcenetblocksize 24:56' one\n"
	   "grep -qxF 'view \"/d e=f=none\"' one\n"
	   "grep -q '^subsystem .* -P remove,rmdir -p .*stat' one\n"
	   "grep -q '^subsystem .* --mask files:0640 ' one\n"
	   "if $csftpd -T -h $dir/host >/dev/full; then exit 9; fi\n");
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, make, drop)
	static const struct CMUnitTest claims[] = {
		CLAIM(a_host_key_is_made_where_there_is_none),
		CLAIM(a_host_key_that_is_not_named_has_its_place),
		CLAIM(starts_at_the_same_time_make_one_key),
		CLAIM(what_is_in_force_is_shown_and_can_be_read_again),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
