/* Settings of csftpd: which are none, what they do, and reading them again. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/csftpd_rig.h"
#include "tests/lib/test.h"

enum { TEXT_MAX = 1 << 20 };

/* A line, and what is said of it behind "FILE:2: ". */
static const struct {
	const char *line;
	const char *said;
} wrong[] = {
	{"Frobnicate yes", "Frobnicate: unknown or unsupported keyword"},
	{"Match User x", "Match: unknown or unsupported keyword"},
	{"Include other", "Include: unknown or unsupported keyword"},
	{"Port", "Port: missing argument"},
	{"Port 0", "Port: \"0\" is not a number from 1 to 65535"},
	{"Port 65536", "Port: \"65536\" is not"},
	{"Port 22 23", "Port: extra argument \"23\""},
	{"PermitUserEnvironment yes", "PermitUserEnvironment: \"yes\" is not"},
	{"ChrootDirectory /srv",
	 "ChrootDirectory: \"/srv\" is not supported, only none is"},
	{"PasswordAuthentication yes", "PasswordAuthentication: \"yes\" is"},
	{"Ciphers 3des-cbc", "Ciphers: unknown or unsupported: \"3des-cbc\""},
	{"MACs hmac-sha2-256,nope", "MACs: unknown or unsupported: \"nope\""},
	{"KexAlgorithms ", "KexAlgorithms: missing argument"},
	{"Ciphers aes128-ctr,aes256-ctr,aes128-ctr",
	 "Ciphers: \"aes128-ctr\" is there twice"},
	{"Ciphers aes128-ctr,,aes256-ctr", "unknown or unsupported: \"\""},
	{"MaxStartups 10:30", "\"10:30\" is not start:rate:full"},
	{"MaxStartups 10:x:60", "\"x\" is not a number from 1 to 100"},
	{"MaxStartups 10:30:5", "\"5\" is not a number from 10 to 10000"},
	{"MaxStartups ::5", "\"\" is not a number from 1 to 10000"},
	{"AuthenticationMethods password", "\"password\" is not publickey"},
	{"LogLevel LOUD", "LogLevel: \"LOUD\" is unknown"},
	{"SyslogFacility KERN", "SyslogFacility: \"KERN\" is unknown"},
	{"LoginGraceTime 5x", "LoginGraceTime: \"5x\" is not a time"},
	{"Subsystem sftp /bin/sh", "\"/bin/sh\": only internal-sftp"},
	{"Subsystem ftp internal-sftp", "Subsystem: only sftp is supported"},
	{"AllowUsers a@b", "AllowUsers: \"a@b\": USER@HOST"},
	{"View /x=rx", "View: --view: \"/x=rx\" does not end"},
	{"Quota lots", "Quota: --quota: \"lots\" is not"},
	{"ReadOnly maybe", "ReadOnly: \"maybe\" is not yes or no"},
	{"PerSourcePenalties crash:1 whim:2", "\"whim\" is unknown"},
	{"PerSourcePenaltyExemptList 10.0.0.1/8", "cannot be meant so"},
	{"ListenAddress [::1", "ListenAddress: \"[::1\" is no address"},
	{"AuthorizedKeysFile %h/keys /etc/keys/%U",
	 "\"/etc/keys/%U\": only %h, %u and %% are supported"},
	{"AuthorizedKeysFile /etc/keys/%", "\"/etc/keys/%\": only"},
	{"HostKey \"half", "a quote has no end"},
};

static void wrong_settings_are_told_with_file_and_line(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char path[PROC_PATH_MAX + 16], line[256], said[4096];

		proc_print(path, sizeof(path), "%s/conf", all->dir);
		proc_print(line, sizeof(line), "# a comment\n%s\n",
			   wrong[i].line);
		file_write(path, line, strlen(line));
		csftpd_rig_sh(all, "%s",
			      "if $csftpd -t -h $of/host -f conf 2>said; then "
			      "exit 9; "
			      "fi\n");
		proc_print(path, sizeof(path), "%s/said", all->dir);
		said[file_read(path, said, sizeof(said) - 1)] = '\0';
		if (!strstr(said, "csftpd: conf:2: ") ||
		    !strstr(said, wrong[i].said))
			fail_msg("%s: %s", wrong[i].line, said);
	}
	csftpd_end_well(&all->sshd);
}

static void settings_come_as_sshd_has_them(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	csftpd_rig_sh(
		all, "%s",
		"cat >conf <<'END'\n"
		"# as in sshd_config\n"
		"Port = 2022\n"
		"listenaddress \"127.0.0.1\"\n"
		"LISTENADDRESS [::1]:2023 # and a comment\n"
		"Ciphers ^aes128-ctr\n"
		"PasswordAuthentication no\n"
		"PermitEmptyPasswords no\n"
		"ChrootDirectory none\n"
		"Banner none\n"
		"IgnoreRhosts yes\n"
		"DisableForwarding yes\n"
		"MACs -umac-64*,hmac-sha1*\n"
		"MaxStartups 10:30:100\n"
		"PerSourcePenalties crash:90s authfail:5s max:10m min:15s\n"
		"LoginGraceTime 1m30s\n"
		"Subsystem sftp internal-sftp -R\n"
		"Quota 1G\n"
		"END\n"
		"$csftpd -t -h $of/host -f conf\n"
		"if $csftpd -t -h $of/host -o Frob=1 2>said; then exit 9; fi\n"
		"grep -q '^csftpd: command line: Frob: unknown' said\n"
		"if $csftpd -t -f missing 2>said; then exit 9; fi\n"
		"grep -q 'missing: No such file' said\n"
		"$csftpd -V | grep -q '^csftpd [0-9]'\n"
		"$csftpd --help | grep -q '^Usage: csftpd'\n"
		"$csftpd ctl --help | grep -q '^Usage: csftpd ctl'\n"
		"if $csftpd -x 2>said; then exit 9; fi\n"
		"grep -q '^Usage' said\n"
		"if $csftpd ctl -s nowhere status 2>said; then exit 9; fi\n"
		"grep -q nowhere said\n");
	csftpd_end_well(&all->sshd);
}

static void a_test_of_the_settings_changes_nothing(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	csftpd_rig_sh(all, "%s",
		      "$csftpd -t -h $dir/deep/down/key 2>said\n"
		      "grep -qx \"csftpd: would make the host key "
		      "$dir/deep/down/key\" "
		      "said\n"
		      "$csftpd -T -h key >shown 2>said\n"
		      "grep -qx 'csftpd: would make the host key key' said\n"
		      "grep -qx 'hostkey key' shown\n"
		      "test ! -e deep\n"
		      "test ! -e key\n"
		      /* What the start could not make is found. */
		      ": >file\n"
		      "if $csftpd -t -h $dir/file/key 2>said; then exit 9; fi\n"
		      "grep -q 'file/key: Not a directory' said\n");
	csftpd_end_well(&all->sshd);
}

static void what_cannot_be_waited_for_is_no_file(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "LogLevel INFO\n");
	csftpd_rig_sh(
		all, "%s",
		"mkfifo pipe && mkdir directory\n"
		"fails() {\n"
		"\tif timeout 60 $csftpd \"$@\" 2>said; then exit 9; fi\n"
		"\ttest $? != 124\n"
		"}\n"
		"for what in pipe directory /dev/zero; do\n"
		"\tfails -t -h $of/host -f $what\n"
		"\tgrep -qx \"csftpd: $what: not a regular file\" said\n"
		"\tfails -t -h $what\n"
		"\tgrep -qx \"csftpd: $what: not a regular file\" said\n"
		"done\n"
		"$csftpd -t -h $of/host -f /dev/null\n"
		"for word in Audit PidFile; do\n"
		"\tfails -D -e -h $of/host -p $port -o ListenAddress=127.0.0.3 "
		"-o $word=$dir/pipe\n"
		"\tgrep -q \"$word .*pipe: No such device\" said\n"
		"done\n"
		/* ssh would look at what is beside its key. */
		"mv $of/user.pub keep && mkfifo $of/user.pub && cp $key mine\n"
		"sed \"s|IdentityFile .*|IdentityFile $dir/mine|\" $config "
		">own\n"
		"config=$dir/own\n"
		"if echo pwd | sftp; then exit 9; fi\n"
		"rm $of/user.pub && mv keep $of/user.pub\n"
		"echo pwd | sftp >said\n"
		"mv $of/csftpd_config keep && mkfifo $of/csftpd_config\n"
		"fails ctl -s $of/control reload\n"
		"grep -q 'csftpd_config: not a regular file' said\n");
	csftpd_await_log(&all->sshd, "user.pub: is not a file");
	csftpd_end(&all->sshd);
}

static void a_descriptor_that_is_none_is_found_at_the_start(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	csftpd_rig_sh(all, "%s",
		      ": >trail\n"
		      "fails() {\n"
		      "\tfor how in -t '-D -e'; do\n"
		      "\t\tif $csftpd $how -h $of/host -p $port "
		      "-o ListenAddress=127.0.0.3 -o \"Audit $1\" 2>said; "
		      "then exit 9; fi\n"
		      "\t\tgrep -qx \"csftpd: Audit $1: $2\" said\n"
		      "\tdone\n"
		      "}\n"
		      "fails fd:9 'Bad file descriptor'\n"
		      "fails fd:1 'Invalid argument'\n"
		      "fails fd:9x 'Invalid argument' 9>>trail\n"
		      "fails fd:9 'Bad file descriptor' 9<trail\n"
		      "$csftpd -t -h $of/host -o 'Audit fd:9' 9>>trail\n"
		      "given() {\n"
		      "\tif eval \"LISTEN_FDS=1 sh -c 'LISTEN_PID=\\$\\$ exec "
		      "$csftpd "
		      "-D -e -h $of/host' 2>said $1\"; then exit 9; fi\n"
		      "\tgrep -q \"LISTEN_FDS: descriptor 3 is $2$\" said\n"
		      "}\n"
		      "given '3<trail' 'no socket that listens'\n"
		      "given '3>>trail' 'no socket that listens'\n"
		      "given '3<&-' 'not open'\n"
		      /* Later a number may be one of the daemon's own. */
		      "for kind in fd:9 $dir/trail syslog; do\n"
		      "\techo \"Audit $kind\" >>$of/csftpd_config\n"
		      "\tif $csftpd ctl -s $of/control reload 2>said; then "
		      "exit 9; fi\n"
		      "\tgrep -q 'Audit: .* at the next start only' said\n"
		      "\tsed -i '$d' $of/csftpd_config\n"
		      "done\n"
		      "$csftpd ctl -s $of/control reload\n"
		      "echo pwd | sftp >said\n");
	csftpd_end(&all->sshd);
}

static void reloading_changes_what_begins_later(void **state)
{
	struct csftpd_rig *all = *state;
	char text[TEXT_MAX];

	csftpd_start(&all->sshd, "%s", "");
	/* A session goes on with what it has begun with. */
	csftpd_rig_sh(
		all,
		"open_session\n"
		"echo ReadOnly yes >>$of/csftpd_config\n"
		"$csftpd ctl -s $of/control reload\n"
		"if echo \"mkdir $dir/two\" | sftp; then exit 9; fi\n"
		"echo \"mkdir $dir/three\" >&9\n"
		"until test -d three; do sleep 0.05; done\n"
		"exec 9>&-\n"
		"wait $client\n"
		"test ! -e two\n"
		"echo Frob >>$of/csftpd_config\n"
		"if $csftpd ctl -s $of/control reload 2>said; then exit 9; fi\n"
		"grep -q 'csftpd_config:[0-9]*: Frob: unknown' said\n"
		"echo pwd | sftp >said\n"
		"sed -i '/Frob/d' $of/csftpd_config\n"
		"for line in 'Root /nowhere' 'HostKeyAlgorithms rsa-sha2-256'; "
		"do\n"
		"\techo \"$line\" >>$of/csftpd_config\n"
		"\tif $csftpd ctl -s $of/control reload 2>said; then exit 9; "
		"fi\n"
		"\tgrep -q 'cannot be served so' said\n"
		"\tsed -i '$d' $of/csftpd_config\n"
		"done\n"
		"echo pwd | sftp >said\n"
		"sed -i '/ReadOnly/d' $of/csftpd_config\n"
		"kill -HUP %d\n"
		"until echo \"mkdir $dir/four\" | sftp; do sleep 0.05; done\n",
		all->sshd.pid);
	csftpd_log(&all->sshd, text, sizeof(text));
	assert_non_null(strstr(text, "all stays as it was"));
	assert_non_null(strstr(text, "/nowhere: No such file or directory"));
	csftpd_end(&all->sshd);
}

static void sessions_log_where_their_options_say(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_rig_configure(all);
	csftpd_rig_sh(
		all, "%s",
		"serve() {\n"
		"\t$csftpd -D -f $of/csftpd_config \"$@\" 2>said &\n"
		"\tpid=$!\n"
		"\tuntil echo pwd | sftp >out; do kill -0 $pid; sleep 0.05; "
		"done\n"
		"\tkill $pid\n"
		"\twait $pid\n"
		"}\n"
		"serve -o 'Subsystem sftp internal-sftp -e -l INFO'\n"
		"grep -q '^session opened for local user' said\n"
		"if grep -q '^Accepted' said; then exit 9; fi\n"
		"cp $of/user.pub keep\n"
		"sed 's/^/command=\"internal-sftp -e -l INFO\" /' keep "
		">$of/user.pub\n"
		"serve\n"
		"grep -q '^session opened for local user' said\n"
		"cp keep $of/user.pub\n"
		"serve\n"
		"test ! -s said\n");
}

/* No line of a configuration is read and does nothing without a word. */
static void a_reload_says_what_it_does_not_change(void **state)
{
	static const char *const lines[] = {
		"Workers 3",
		"PidFile /elsewhere/pid",
		"Subsystem sftp internal-sftp -u 077",
		"PerSourceNetBlockSize 32:64",
	};
	struct csftpd_rig *all = *state;
	char text[TEXT_MAX];

	csftpd_start(&all->sshd, "%s", "");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		csftpd_rig_sh(all,
			      "before=$(grep -c 'next start only' $of/log || "
			      ":)\n"
			      "echo '%s' >>$of/csftpd_config\n"
			      "$csftpd ctl -s $of/control reload\n"
			      "test $(grep -c 'next start only' $of/log) = "
			      "$((before + 1))\n"
			      "sed -i '$d' $of/csftpd_config\n"
			      "$csftpd ctl -s $of/control reload\n"
			      "test $(grep -c 'next start only' $of/log) = "
			      "$((before + 1))\n",
			      lines[i]);
	}
	csftpd_rig_sh(all, "%s",
		      "before=$(grep -c 'next start only' $of/log)\n"
		      "sed -i '/^ControlSocket/d' $of/csftpd_config\n"
		      "$csftpd ctl -s $of/control reload\n"
		      "test $(grep -c 'next start only' $of/log) = "
		      "$((before + 1))\n");
	csftpd_log(&all->sshd, text, sizeof(text));
	assert_non_null(strstr(text, "ControlSocket, PidFile"));
	csftpd_end(&all->sshd);
}

/*
 * Trees are opened while the sandbox is there already: by a key with options of
 * its own, and by reading the settings again.
 */
static void a_sandbox_does_not_end_with_a_reload(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "Root %s\n", all->dir);
	csftpd_rig_sh(
		all,
		"mkdir in && touch in/file\n"
		"owner() {\n"
		"\techo 'ls -l in' | sftp | grep -q \" $(id -un) *$(id -gn) "
		"\"\n"
		"}\n"
		"owner\n"
		"cp $of/user.pub keep\n"
		"sed 's/^/command=\"internal-sftp -R\" /' keep >$of/user.pub\n"
		"owner\n"
		"if echo 'mkdir two' | sftp; then exit 9; fi\n"
		"cp keep $of/user.pub\n"
		"for i in 1 2; do\n"
		"\tkill -HUP %d\n"
		"\t$csftpd ctl -s $of/control reload\n"
		"\towner\n"
		"done\n"
		"echo 'mkdir three' | sftp\n"
		"test -d three\n"
		"test ! -e two\n",
		all->sshd.pid);
	csftpd_end_well(&all->sshd);
}

static void the_tree_is_what_the_settings_say(void **state)
{
	struct csftpd_rig *all = *state;

	must_sh("cd '%s' && mkdir secret fixed && "
		"head -c 600000 /dev/urandom >part",
		all->dir);
	csftpd_start(&all->sshd,
		     "Root %s\nView /secret=none\nView /fixed=ro\n"
		     "AtomicUpload yes\nAudit %s/trail\nQuota 1M\n",
		     all->dir, all->dir);
	csftpd_rig_sh(
		all, "%s",
		"printf 'ls -1 /\\nput part /part1\\n' | sftp >said\n"
		"if grep -q secret said; then exit 9; fi\n"
		"cmp part part1\n"
		"if echo 'put part /fixed/part' | sftp; then exit 9; fi\n"
		"if echo 'ls /secret' | sftp; then exit 9; fi\n"
		"if printf 'put part /part2\\nput part /part3\\n' | sftp; then "
		"exit 9; fi\n"
		"test ! -e part3\n"
		"grep -q '\"op\":\"session-open\"' trail\n"
		"grep -q '\"path\":\"/part1\"' trail\n"
		"test \"$(ssh -F $config $host echo hello)\" = hello\n"
		"ssh -F $config $host md5sum /part1 >sum\n"
		"test \"$(cut -c1-32 <sum)\" = \"$(md5sum <part | cut "
		"-c1-32)\"\n");
	csftpd_end_well(&all->sshd);
}

static void a_key_gets_what_its_line_says(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	csftpd_rig_sh(
		all, "%s",
		"ok() {\n"
		"\techo \"$1 $(cat $key.pub)\" >$of/user.pub.new\n"
		"\tmv $of/user.pub.new $of/user.pub\n"
		"\tshift\n"
		"\t{ for line; do echo \"$line\"; done; } | sftp >said 2>&1\n"
		"}\n"
		"cp $key.pub $of/saved.pub\n"
		"key=$of/saved\n"
		"ok 'from=\"127.0.0.0/8\"' pwd\n"
		"if ok 'from=\"10.0.0.0/8\"' pwd; then exit 9; fi\n"
		"if ok 'command=\"/bin/sh\"' pwd; then exit 9; fi\n"
		"mkdir here\n"
		"ok 'restrict,command=\"internal-sftp -R -d '$dir/here'\"' "
		"pwd\n"
		"grep -q \"$dir/here\" said\n"
		"if ok 'restrict,command=\"internal-sftp -R\"' \"mkdir "
		"$dir/no\"\n"
		"then exit 9; fi\n"
		"test ! -e no\n"
		"ok 'restrict,command=\"internal-sftp\"' \"mkdir $dir/yes\"\n"
		"test -d yes\n");
	csftpd_end(&all->sshd);
}

/* The log has which key it was, as ssh-keygen -l shows it. */
static void await_key(struct csftpd_rig *all, const char *key)
{
	char path[PROC_PATH_MAX + 16], said[256], want[512];

	csftpd_rig_sh(all, "ssh-keygen -lf \"%s.pub\" | cut -d' ' -f2 >print\n",
		      key);
	proc_print(path, sizeof(path), "%s/print", all->dir);
	said[file_read(path, said, sizeof(said) - 1)] = '\0';
	proc_print(want, sizeof(want), " ssh2: ED25519 %s", said);
	csftpd_await_log(&all->sshd, want);
}

static void only_who_is_allowed_gets_in(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "LogLevel VERBOSE\n");
	csftpd_rig_sh(
		all, "%s",
		"ssh-keygen -q -t ed25519 -N '' -f other\n"
		"echo pwd | sftp >said\n"
		"denied() {\n"
		"\tif ssh -F $config \"$@\" $host echo 2>said; then exit 9; "
		"fi\n"
		"\tgrep -q 'Permission denied (publickey)' said\n"
		"}\n"
		"sed \"s|IdentityFile .*|IdentityFile $dir/other|\" $config "
		">otherwise\n"
		"config=$dir/otherwise denied\n"
		"denied -o User=nobody\n"
		"denied -o User=../x\n"
		"denied -o IdentitiesOnly=yes -o PubkeyAuthentication=no\n"
		"if ssh -F $config -o PreferredAuthentications=none $host "
		"2>said; then exit 9; fi\n"
		"grep -q 'Permission denied (publickey)' said\n");
	csftpd_await_log(&all->sshd, "Accepted publickey for ");
	await_key(all, "$key");
	csftpd_await_log(&all->sshd, "Failed publickey for ");
	await_key(all, "other");
	csftpd_await_log(&all->sshd,
			 "Connection closed by authenticating user ");
	csftpd_await_log(&all->sshd, "Connection closed by invalid user nobody "
				     "127.0.0.1 port ");
	csftpd_await_log(&all->sshd, "Invalid user nobody from 127.0.0.1");
	csftpd_await_log(&all->sshd, "Invalid user ../x from 127.0.0.1");
	csftpd_end(&all->sshd);
	csftpd_restart(&all->sshd, "%s",
		       "AllowUsers al* !alice\n"
		       "AuthenticationMethods none\n");
	csftpd_rig_sh(
		all, "%s",
		"echo pwd | sftp -o User=alan -o PubkeyAuthentication=no "
		">said\n"
		"if echo pwd | sftp -o User=alice 2>said; then exit 9; fi\n"
		"if echo pwd | sftp 2>said; then exit 9; fi\n");
	csftpd_end(&all->sshd);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CSFTPD_CLAIM(wrong_settings_are_told_with_file_and_line),
		CSFTPD_CLAIM(settings_come_as_sshd_has_them),
		CSFTPD_CLAIM(a_test_of_the_settings_changes_nothing),
		CSFTPD_CLAIM(what_cannot_be_waited_for_is_no_file),
		CSFTPD_CLAIM(a_descriptor_that_is_none_is_found_at_the_start),
		CSFTPD_CLAIM(reloading_changes_what_begins_later),
		CSFTPD_CLAIM(sessions_log_where_their_options_say),
		CSFTPD_CLAIM(a_reload_says_what_it_does_not_change),
		CSFTPD_CLAIM(a_sandbox_does_not_end_with_a_reload),
		CSFTPD_CLAIM(the_tree_is_what_the_settings_say),
		CSFTPD_CLAIM(a_key_gets_what_its_line_says),
		CSFTPD_CLAIM(only_who_is_allowed_gets_in),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
