/* csftpd as a program: settings, reload, drain and who gets in. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/csftpd.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000, TEXT_MAX = 1 << 20 };

/*
 * A shell's script with $config, $host, $port, $key, $dir and $csftpd; sftp,
 * which does what its standard input says; open_session, which leaves one open
 * as $client, that does what is written to descriptor 9; and end, for $pid.
 */
__attribute__((format(printf, 2, 3))) static void
sh(const struct csftpd_rig *all, const char *format, ...)
{
	char program[PROC_PATH_MAX], script[16384];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(script, sizeof(script), format, args);
	va_end(args);
	csftpd_program(program);
	must_sh("dir='%s' config='%s' key='%s' port=%d host=" SSHD_HOST "\n"
		"csftpd='%s' of='%s'\n"
		"cd \"$dir\"\n"
		"sftp() {\n"
		"\tcommand sftp -q -F $config -b - \"$@\" $host\n"
		"}\n"
		"open_session() {\n"
		"\tmkfifo in\n"
		"\tsftp <in >said 2>&1 &\n"
		"\tclient=$!\n"
		"\texec 9>in\n"
		"\techo \"mkdir $dir/one\" >&9\n"
		"\tuntil test -d one; do sleep 0.05; done\n"
		"}\n"
		"end() {\n"
		"\tkill $pid\n"
		"\twhile kill -0 $pid 2>/dev/null; do sleep 0.05; done\n"
		"}\n"
		"%s",
		all->dir, all->sshd.client, all->sshd.key, all->sshd.port,
		program, all->sshd.dir, script);
}

/* A connection that says nothing. */
static int dial(const struct sshd *sshd)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)sshd->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)),
			 0);
	return fd;
}

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
	{"PasswordAuthentication yes", "PasswordAuthentication: \"yes\" is"},
	{"Ciphers 3des-cbc", "Ciphers: unknown or unsupported: \"3des-cbc\""},
	{"MACs -hmac-sha2-256,nope", "MACs: unknown or unsupported: \"nope\""},
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
		sh(all, "%s",
		   "if $csftpd -t -h $of/host -f conf 2>said; then exit 9; "
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
	sh(all, "%s",
	   "cat >conf <<'END'\n"
	   "# as in sshd_config\n"
	   "Port = 2022\n"
	   "listenaddress \"127.0.0.1\"\n"
	   "LISTENADDRESS [::1]:2023 # and a comment\n"
	   "Ciphers ^aes128-ctr\n"
	   "PasswordAuthentication no\n"
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

/*
 * Trees are opened while the sandbox is there already: by a key with options of
 * its own, and by reading the settings again.
 */
static void a_sandbox_does_not_end_with_a_reload(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "Root %s\n", all->dir);
	sh(all,
	   "mkdir in && touch in/file\n"
	   "owner() {\n"
	   "\techo 'ls -l in' | sftp | grep -q \" $(id -un) *$(id -gn) \"\n"
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
	   "test -d three && test ! -e two\n",
	   all->sshd.pid);
	csftpd_end_well(&all->sshd);
}

static void a_test_of_the_settings_changes_nothing(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	sh(all, "%s",
	   "$csftpd -t -h $dir/deep/down/key 2>said\n"
	   "grep -qx \"csftpd: would make the host key $dir/deep/down/key\" "
	   "said\n"
	   "$csftpd -T -h key >shown 2>said\n"
	   "grep -qx 'csftpd: would make the host key key' said\n"
	   "grep -qx 'hostkey key' shown\n"
	   "test ! -e deep && test ! -e key\n"
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
	sh(all, "%s",
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
	   "sed \"s|IdentityFile .*|IdentityFile $dir/mine|\" $config >own\n"
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
	sh(all, "%s",
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
	   "for fd in '3<trail' '3>>trail' '3<&-'; do\n"
	   "\tif eval \"LISTEN_FDS=1 sh -c 'LISTEN_PID=\\$\\$ exec $csftpd "
	   "-D -e -h $of/host' 2>said $fd\"; then exit 9; fi\n"
	   "\tgrep -q 'LISTEN_FDS: descriptor 3 is no socket' said\n"
	   "done\n"
	   /* Later a number may be one of the daemon's own. */
	   "for kind in fd:9 $dir/trail syslog; do\n"
	   "\techo \"Audit $kind\" >>$of/csftpd_config\n"
	   "\tif $csftpd ctl -s $of/control reload 2>said; then exit 9; fi\n"
	   "\tgrep -q 'Audit: .* at the next start only' said\n"
	   "\tsed -i '$d' $of/csftpd_config\n"
	   "done\n"
	   "$csftpd ctl -s $of/control reload\n"
	   "echo pwd | sftp >said\n");
	csftpd_end(&all->sshd);
}

/* In the background; the file is there when the first process ends. */
static void it_goes_to_the_background_once_it_serves(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	csftpd_end(&all->sshd);
	sh(all, "%s",
	   "$csftpd -f $of/csftpd_config -o PidFile=$dir/pid\n"
	   "pid=$(cat pid)\n"
	   "ok=0\n"
	   "echo pwd | sftp >said || ok=$?\n"
	   "end\n"
	   "test $ok = 0\n"
	   "test ! -e pid\n"
	   "ok=0\n"
	   "$csftpd -f $of/csftpd_config -o ListenAddress=192.0.2.1 2>said "
	   "|| ok=$?\n"
	   "test $ok = 1\n"
	   "grep -q 'cannot listen on 192.0.2.1' said\n"
	   /* Relative paths mean the same to the daemon, then and later. */
	   "cp $of/csftpd_config conf\n"
	   "sed -i '/^ControlSocket/d' conf\n"
	   "$csftpd -f conf -o ControlSocket=control -o PidFile=pid\n"
	   "ok=0\n"
	   "$csftpd ctl -s control reload || ok=$?\n"
	   "pid=$(cat pid)\n"
	   "end\n"
	   "test $ok = 0\n"
	   "test ! -e control && test ! -e pid\n"
	   /* So with a sandbox, and a place that is none is told. */
	   "mkdir root && : >root/file\n"
	   "$csftpd -f $of/csftpd_config -o PidFile=$dir/pid -o "
	   "Root=$dir/root\n"
	   "pid=$(cat pid)\n"
	   "echo ls | sftp >said && grep -q file said\n"
	   "end\n"
	   "test ! -e pid\n"
	   "ok=0\n"
	   "$csftpd -f $of/csftpd_config -o PidFile=$dir/no/pid 2>said || "
	   "ok=$?\n"
	   "test $ok = 1\n"
	   "grep -q 'PidFile.*/no/pid: No such file' said\n");
}

/* Also what its sandbox does not let it remove, and if it is killed. */
static void what_it_has_made_goes_with_it(void **state)
{
	struct state *all = *state;

	csftpd_start(&all->sshd, "Root %s\n", all->dir);
	sh(all, "%s", "test -S $of/control && echo pwd | sftp >said\n");
	csftpd_end(&all->sshd);
	sh(all, "%s", "test ! -e $of/control\n");
	csftpd_restart(&all->sshd, "Root %s\n", all->dir);
	sh(all,
	   "test -S $of/control && kill -KILL %d\n"
	   "while test -e $of/control; do sleep 0.05; done\n",
	   all->sshd.pid);
	assert_int_equal(WTERMSIG(proc_wait(all->sshd.pid, QUIET_MS)), SIGKILL);
	all->sshd.pid = 0;
	/* What has taken the place is not its own. */
	csftpd_restart(&all->sshd, "Root %s\n", all->dir);
	sh(all, "%s", "rm $of/control && echo mine >$of/control\n");
	csftpd_end(&all->sshd);
	sh(all, "%s", "test \"$(cat $of/control)\" = mine\n");
}

/* As systemd does it: LISTEN_FDS, here by a shell's redirection. */
static void it_takes_a_socket_that_is_given(void **state)
{
	struct csftpd_rig *all = *state;
	char path[PROC_PATH_MAX];

	csftpd_start(&all->sshd, "%s", "");
	csftpd_end(&all->sshd);
	csftpd_program(path);
	sh(all, "%s",
	   "cat >give.py <<'END'\n"
	   "import os, socket, sys\n"
	   "s = socket.socket()\n"
	   "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
	   "s.bind(('127.0.0.1', int(sys.argv[1])))\n"
	   "s.listen(8)\n"
	   "os.dup2(s.fileno(), 3)\n"
	   "os.set_inheritable(3, True)\n"
	   "os.environ['LISTEN_FDS'] = '1'\n"
	   "os.environ['LISTEN_PID'] = str(os.getpid())\n"
	   "os.execv(sys.argv[2], sys.argv[2:])\n"
	   "END\n"
	   "python3 give.py $port $csftpd -D -e -f $of/csftpd_config "
	   "-o Port=1 -o LogLevel=INFO 2>log &\n"
	   "pid=$!\n"
	   "ok=0\n"
	   "echo pwd | sftp >said || ok=$?\n"
	   "kill $pid\n"
	   "wait $pid\n"
	   "test $ok = 0\n"
	   "grep -q \"listening on 127.0.0.1 port $port\" log\n");
}

static void only_who_is_allowed_gets_in(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "LogLevel INFO\n");
	sh(all, "%s",
	   "ssh-keygen -q -t ed25519 -N '' -f other\n"
	   "echo pwd | sftp >said\n"
	   "denied() {\n"
	   "\tif ssh -F $config \"$@\" $host echo 2>said; then exit 9; fi\n"
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
	csftpd_await_log(&all->sshd, "Invalid user nobody from 127.0.0.1");
	csftpd_await_log(&all->sshd, "Invalid user ../x from 127.0.0.1");
	csftpd_end(&all->sshd);
	csftpd_restart(&all->sshd, "%s",
		       "AllowUsers al* !alice\n"
		       "AuthenticationMethods none\n");
	sh(all, "%s",
	   "echo pwd | sftp -o User=alan -o PubkeyAuthentication=no >said\n"
	   "if echo pwd | sftp -o User=alice 2>said; then exit 9; fi\n"
	   "if echo pwd | sftp 2>said; then exit 9; fi\n");
	csftpd_end(&all->sshd);
}

static void a_key_gets_what_its_line_says(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "");
	sh(all, "%s",
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
	   "ok 'restrict,command=\"internal-sftp -R -d '$dir/here'\"' pwd\n"
	   "grep -q \"$dir/here\" said\n"
	   "if ok 'restrict,command=\"internal-sftp -R\"' \"mkdir $dir/no\"\n"
	   "then exit 9; fi\n"
	   "test ! -e no\n"
	   "ok 'restrict,command=\"internal-sftp\"' \"mkdir $dir/yes\"\n"
	   "test -d yes\n");
	csftpd_end(&all->sshd);
}

static void reloading_changes_what_begins_later(void **state)
{
	struct csftpd_rig *all = *state;
	char text[TEXT_MAX];

	csftpd_start(&all->sshd, "%s", "");
	/* A session goes on with what it has begun with. */
	sh(all,
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
	   "for line in 'Root /nowhere' 'HostKeyAlgorithms rsa-sha2-256'; do\n"
	   "\techo \"$line\" >>$of/csftpd_config\n"
	   "\tif $csftpd ctl -s $of/control reload 2>said; then exit 9; fi\n"
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

/* A transfer goes on to its end; who does nothing is not waited for. */
static void draining_lets_transfers_end(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "Rate 4M\nDrainTime 0\n");
	sh(all,
	   "head -c 6000000 /dev/urandom >big\n"
	   "echo \"get $dir/big back\" | sftp &\n"
	   "client=$!\n"
	   "until test -s back; do sleep 0.05; done\n"
	   "kill -TERM %d\n"
	   "wait $client\n"
	   "cmp big back\n",
	   all->sshd.pid);
	assert_int_equal(proc_wait(all->sshd.pid, QUIET_MS), 0);
	all->sshd.pid = 0;
}

/* An hour is what a session has in which something is asked for. */
static void draining_ends_sessions_that_are_idle(void **state)
{
	struct csftpd_rig *all = *state;
	char text[TEXT_MAX / 16];

	csftpd_start(&all->sshd, "%s", "LogLevel INFO\nDrainTime 1h\n");
	sh(all,
	   "open_session\n"
	   "kill -TERM %d\n"
	   "until grep -q '^ended' $of/log; do sleep 0.05; done\n"
	   "exec 9>&-\n"
	   "wait\n",
	   all->sshd.pid);
	assert_int_equal(proc_wait(all->sshd.pid, QUIET_MS), 0);
	all->sshd.pid = 0;
	csftpd_log(&all->sshd, text, sizeof(text));
	assert_null(strstr(text, "ending now"));
}

static void draining_has_an_end(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s",
		     "LogLevel INFO\nDrainTime 1\nRate 20000\n");
	sh(all,
	   "truncate -s 1T big\n"
	   "echo \"get $dir/big back\" | sftp >/dev/null 2>&1 &\n"
	   "busy=$!\n"
	   "until test -s back; do sleep 0.05; done\n"
	   "kill -TERM %d\n"
	   "if wait $busy; then exit 9; fi\n",
	   all->sshd.pid);
	assert_int_equal(proc_wait(all->sshd.pid, QUIET_MS), 0);
	all->sshd.pid = 0;
	csftpd_await_log(&all->sshd, "ending now");
}

static void the_second_signal_does_not_wait(void **state)
{
	struct csftpd_rig *all = *state;
	int silent, status;

	csftpd_start(&all->sshd, "%s", "LogLevel INFO\nDrainTime 0\n");
	silent = dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	sh(all,
	   "open_session\n"
	   "kill -TERM %d\n"
	   "until grep -q 'ending when' $of/log; do sleep 0.05; done\n"
	   "if echo pwd | command sftp -o ConnectionAttempts=1 -q -F $config "
	   "-b - $host; then exit 9; fi\n"
	   "echo \"mkdir $dir/two\" >&9\n"
	   "until test -d two; do sleep 0.05; done\n"
	   "kill -TERM %d\n"
	   "until grep -q '^ended' $of/log; do sleep 0.05; done\n"
	   "echo \"mkdir $dir/three\" >&9\n"
	   "exec 9>&-\n"
	   "if wait $client; then exit 9; fi\n"
	   "test ! -e three\n",
	   all->sshd.pid, all->sshd.pid);
	status = proc_wait(all->sshd.pid, QUIET_MS);
	all->sshd.pid = 0;
	close(silent);
	assert_int_equal(status, 0);
}

static void it_is_asked_and_told_by_its_socket(void **state)
{
	struct csftpd_rig *all = *state;
	char text[65536];
	int silent;

	csftpd_start(&all->sshd, "%s", "Workers 3\nListenAddress 127.0.0.2\n");
	silent = dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	assert_int_equal(csftpd_fact(&all->sshd, "workers"), 3);
	sh(all, "%s",
	   "ctl() {\n"
	   "\t$csftpd ctl -s $of/control \"$@\"\n"
	   "}\n"
	   "test \"$(stat -c %a $of/control)\" = 600\n"
	   "for table in sessions workers pools; do\n"
	   "\tctl $table --json >json\n"
	   "\tpython3 -c 'import json, sys; "
	   "assert isinstance(json.load(sys.stdin), list)' <json\n"
	   "done\n"
	   "ctl --json status | python3 -c 'import json, sys; "
	   "all = json.load(sys.stdin); assert all[\"workers\"] == 3; "
	   "assert len(all[\"listening\"]) == 2'\n"
	   "test $(ctl status | grep -c '^listening ') = 2\n"
	   "test $(ctl workers | wc -l) = 3\n"
	   "ctl sessions | grep -q '^id=1 .*address=\"127.0.0.1\"'\n"
	   "ctl log-level DEBUG2\n"
	   "ctl status | grep -q 'log_level \"DEBUG2\"'\n"
	   "if ctl log-level LOUD; then exit 9; fi\n"
	   "if ctl frob; then exit 9; fi\n"
	   "if ctl kill 77; then exit 9; fi\n"
	   "if ctl kill; then exit 9; fi\n"
	   "if ctl kill 1 2; then exit 9; fi\n"
	   "if ctl kill 1 --force; then exit 9; fi\n"
	   "if ctl kill '1\n'; then exit 9; fi\n"
	   "if ctl status 1; then exit 9; fi\n"
	   "if ctl $(printf %0300d 0); then exit 9; fi\n"
	   "ctl kill 1\n");
	csftpd_await_fact(&all->sshd, "connections", 0);
	/* What it was told, and then nothing more. */
	while (recv(silent, text, sizeof(text), 0) > 0)
		;
	close(silent);
	csftpd_end(&all->sshd);
}

/* Mail has its order: who comes later has the level that was told before. */
static void messages_are_shown_while_that_is_wanted(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "Workers 1\n");
	sh(all, "%s",
	   "level() {\n"
	   "\t$csftpd ctl -s $of/control log-level $1\n"
	   "\techo pwd | sftp >said\n"
	   "}\n"
	   "from() {\n"
	   "\tsed -n \"s/.*127.0.0.1 port \\([0-9]*\\): < "
	   ".*CHANNEL_DATA.*/\\1/p\" "
	   "$of/log\n"
	   "}\n"
	   "mkfifo in\n"
	   "sftp <in >old 2>&1 &\n"
	   "client=$!\n"
	   "exec 9>in\n"
	   "echo \"mkdir $dir/one\" >&9\n"
	   "until test -d one; do sleep 0.05; done\n"
	   /* Settings of before are those of the running session. */
	   "$csftpd ctl -s $of/control reload\n"
	   "test ! -s $of/log\n"
	   "level DEBUG2\n"
	   "test $(from | sort -u | wc -l) = 1\n"
	   "echo \"mkdir $dir/two\" >&9\n"
	   "until test $(from | sort -u | wc -l) = 2; do sleep 0.05; done\n"
	   "until test -d two; do sleep 0.05; done\n"
	   "level ERROR\n"
	   "size=$(stat -c %s $of/log)\n"
	   "echo \"mkdir $dir/three\" >&9\n"
	   "until test -d three; do sleep 0.05; done\n"
	   "echo pwd | sftp >said\n"
	   "test $(stat -c %s $of/log) = $size\n"
	   "exec 9>&-\n"
	   "wait $client\n");
	csftpd_end(&all->sshd);
}

/* Places are few: who comes waits in the kernel until one is free. */
static void connections_wait_for_a_place(void **state)
{
	struct csftpd_rig *all = *state;
	int fds[4];

	csftpd_start(&all->sshd, "%s",
		     "MaxConnections 4\nWorkers 2\nAcceptors 2\n");
	for (size_t i = 0; i < 4; i++)
		fds[i] = dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 4);
	sh(all, "%s",
	   "echo pwd | sftp >said &\n"
	   "client=$!\n"
	   "sleep 0.2\n"
	   "kill -0 $client\n"
	   "echo $client >pid\n");
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
	csftpd_await_fact(&all->sshd, "logins", 1);
	csftpd_await_fact(&all->sshd, "connections", 0);
	csftpd_end_well(&all->sshd);
}

static void who_does_not_log_in_in_time_is_dropped(void **state)
{
	struct csftpd_rig *all = *state;
	char text[4096];
	int silent;

	csftpd_start(&all->sshd, "%s", "LoginGraceTime 1\nLogLevel INFO\n");
	silent = dial(&all->sshd);
	while (recv(silent, text, sizeof(text), 0) > 0)
		;
	close(silent);
	csftpd_await_log(&all->sshd, "Timeout before authentication for "
				     "127.0.0.1");
	csftpd_end(&all->sshd);
}

static void a_client_that_is_gone_is_noticed(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s",
		     "ClientAliveInterval 1\nClientAliveCountMax 2\n"
		     "LogLevel INFO\n");
	sh(all, "%s",
	   "mkfifo in\n"
	   "ssh -F $config -s $host sftp <in >said 2>&1 &\n"
	   "client=$!\n"
	   "exec 9>in\n"
	   "until $csftpd ctl -s $of/control sessions | grep -q 'user=\"[^\"]';"
	   " do sleep 0.05; done\n"
	   "kill -STOP $client\n"
	   "until grep -q 'Timeout, client not responding' $of/log; do "
	   "sleep 0.05; done\n"
	   "kill -KILL $client\n");
	csftpd_await_fact(&all->sshd, "connections", 0);
	csftpd_end(&all->sshd);
}

/* Of its connections the kernel has a timer: the sixth word is 02:... */
static void who_vanishes_is_looked_for(void **state)
{
	struct csftpd_rig *all = *state;
	int fd;

	csftpd_start(&all->sshd, "%s", "");
	fd = dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	sh(all, "%s",
	   "local=$(printf ':%04X' $port)\n"
	   "until awk -v local=$local '$2 ~ local \"$\" && $4 == \"01\" && "
	   "$6 ~ /^02/ { n++ } END { exit n != 1 }' /proc/net/tcp; do\n"
	   "\tsleep 0.1\n"
	   "done\n");
	close(fd);
	csftpd_end_well(&all->sshd);
}

static void guessing_has_its_price(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "PerSourcePenalties authfail:20s\n");
	sh(all, "%s",
	   "echo pwd | sftp >said\n"
	   "if echo pwd | sftp -o User=nobody 2>said; then exit 9; fi\n"
	   "once='command sftp -o ConnectionAttempts=1 -q -F'\n"
	   "until test $($csftpd ctl -s $of/control status | "
	   "sed -n 's/^penalties //p') = 1; do sleep 0.05; done\n"
	   "if echo pwd | $once $config -b - $host; then exit 9; fi\n"
	   "$csftpd ctl -s $of/control forgive\n"
	   "echo pwd | sftp >said\n");
	csftpd_end_well(&all->sshd);
}

/* Many sessions in one connection, and new keys every megabyte. */
static void sessions_share_a_connection(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "RekeyLimit 1M\n");
	sh(all, "%s",
	   "head -c 20000000 /dev/urandom >big\n"
	   "cat $config >shared\n"
	   "echo 'ControlPath mux' >>shared\n"
	   "ssh -F shared -o ControlMaster=yes -N -f -o RekeyLimit=1M $host\n"
	   "config=$dir/shared\n"
	   "for n in 1 2 3 4; do\n"
	   "\techo \"get $dir/big back$n\" | sftp &\n"
	   "\techo \"put big $dir/up$n\" | sftp &\n"
	   "done\n"
	   "wait\n"
	   "ssh -F shared -O exit $host\n"
	   "for n in 1 2 3 4; do cmp big back$n; cmp big up$n; done\n");
	assert_int_equal(csftpd_fact(&all->sshd, "logins"), 1);
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
	sh(all, "%s",
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
	   "test \"$(cut -c1-32 <sum)\" = \"$(md5sum <part | cut -c1-32)\"\n");
	csftpd_end_well(&all->sshd);
}

#define DAEMON_TEST(claim)                                                     \
	cmocka_unit_test_setup_teardown(claim, csftpd_rig_make, csftpd_rig_drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		DAEMON_TEST(wrong_settings_are_told_with_file_and_line),
		DAEMON_TEST(settings_come_as_sshd_has_them),
		DAEMON_TEST(a_sandbox_does_not_end_with_a_reload),
		DAEMON_TEST(a_test_of_the_settings_changes_nothing),
		DAEMON_TEST(what_cannot_be_waited_for_is_no_file),
		DAEMON_TEST(a_descriptor_that_is_none_is_found_at_the_start),
		DAEMON_TEST(it_goes_to_the_background_once_it_serves),
		DAEMON_TEST(what_it_has_made_goes_with_it),
		DAEMON_TEST(it_takes_a_socket_that_is_given),
		DAEMON_TEST(only_who_is_allowed_gets_in),
		DAEMON_TEST(a_key_gets_what_its_line_says),
		DAEMON_TEST(reloading_changes_what_begins_later),
		DAEMON_TEST(draining_lets_transfers_end),
		DAEMON_TEST(draining_ends_sessions_that_are_idle),
		DAEMON_TEST(draining_has_an_end),
		DAEMON_TEST(the_second_signal_does_not_wait),
		DAEMON_TEST(it_is_asked_and_told_by_its_socket),
		DAEMON_TEST(messages_are_shown_while_that_is_wanted),
		DAEMON_TEST(connections_wait_for_a_place),
		DAEMON_TEST(who_does_not_log_in_in_time_is_dropped),
		DAEMON_TEST(a_client_that_is_gone_is_noticed),
		DAEMON_TEST(who_vanishes_is_looked_for),
		DAEMON_TEST(guessing_has_its_price),
		DAEMON_TEST(sessions_share_a_connection),
		DAEMON_TEST(the_tree_is_what_the_settings_say),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
