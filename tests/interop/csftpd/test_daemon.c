/* csftpd as a program: starting, serving, being asked, and ending. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/csftpd_rig.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000, TEXT_MAX = 1 << 20 };

/* In the background; the file is there when the first process ends. */
static void it_goes_to_the_background_once_it_serves(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_rig_configure(all);
	csftpd_rig_sh(
		all, "%s",
		"$csftpd -f $of/csftpd_config -o PidFile=$dir/pid\n"
		"pid=$(cat pid)\n"
		"ok=0\n"
		"echo pwd | sftp >said || ok=$?\n"
		"end\n"
		"test $ok = 0\n"
		"test ! -e pid\n"
		"ok=0\n"
		"$csftpd -f $of/csftpd_config -o ListenAddress=192.0.2.1 "
		"2>said "
		"|| ok=$?\n"
		"test $ok = 1\n"
		"grep -q 'cannot listen on 192.0.2.1' said\n"
		/* Relative paths mean the same, then and later. */
		"cp $of/csftpd_config conf\n"
		"sed -i '/^ControlSocket/d' conf\n"
		"$csftpd -f conf -o ControlSocket=control -o PidFile=pid\n"
		"ok=0\n"
		"$csftpd ctl -s control reload || ok=$?\n"
		"pid=$(cat pid)\n"
		"end\n"
		"test $ok = 0\n"
		"test ! -e control\n"
		"test ! -e pid\n"
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

/* Also where it could listen on some of them. */
static void it_listens_on_all_that_it_was_told_or_says_why_not(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_rig_configure(all);
	csftpd_rig_sh(
		all, "%s",
		"fails() {\n"
		"\tif timeout 60 $csftpd -D -e -h $of/host \"$@\" 2>said; then "
		"exit 9; fi\n"
		"}\n"
		"fails -p $port -o ListenAddress=127.0.0.1 "
		"-o ListenAddress=192.0.2.1\n"
		"grep -q 'cannot listen on 192.0.2.1 port' said\n"
		"fails -p $port -o ListenAddress=127.0.0.1 "
		"-o ListenAddress=2001:db8::1\n"
		"grep -q 'cannot listen on 2001:db8::1 port' said\n"
		"python3 -c 'if True:\n"
		"\timport socket\n"
		"\tall = [socket.socket() for n in range(3)]\n"
		"\tfor one in all:\n"
		"\t\tone.bind((\"\", 0))\n"
		"\t\tprint(\"Port\", one.getsockname()[1])\n"
		"\tfor n in range(11):\n"
		"\t\tprint(\"ListenAddress\", \"127.0.0.%d\" % (n + 1))\n"
		"' >conf\n"
		"fails -f conf\n"
		"grep -q 'cannot listen on .*: there are too many' said\n");
}

static void a_start_that_fails_takes_nothing_from_who_serves(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "PidFile %s/pid\n", all->dir);
	csftpd_rig_sh(
		all, "%s",
		"number=$(cat pid) && test $number -gt 0\n"
		"if $csftpd -h $of/host -p $port -o ListenAddress=127.0.0.2 "
		"-o ControlSocket=$of/control -o PidFile=pid 2>said; "
		"then exit 9; fi\n"
		"grep -q 'ControlSocket.*in use' said\n"
		"test $(cat pid) = $number\n"
		"test -S $of/control\n");
	csftpd_end_well(&all->sshd);
}

/* What is found only by the process that was to stay there. */
static void it_says_why_it_does_not_go_to_the_background(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_rig_configure(all);
	csftpd_rig_sh(
		all, "%s",
		"fails() {\n"
		"\tif $csftpd -f $of/csftpd_config -o PidFile=$dir/pid \"$@\" "
		"2>said; then exit 9; fi\n"
		"\ttest ! -e pid\n"
		"}\n"
		"fails -o Root=$dir/nowhere\n"
		"grep -q \"csftpd: $dir/nowhere: No such file\" said\n"
		"fails -o Audit=$dir/nowhere/trail\n"
		"grep -q \"csftpd: Audit $dir/nowhere/trail: No such file\" "
		"said\n"
		/* Once it serves it has no more to say there. */
		"$csftpd -f $of/csftpd_config -o PidFile=$dir/pid 2>said\n"
		"pid=$(cat pid)\n"
		"fd=$(readlink /proc/$pid/fd/2)\n"
		"end\n"
		"test $fd = /dev/null\n"
		"test ! -s said\n");
}

/* Also what its sandbox does not let it remove, and if it is killed. */
static void what_it_has_made_goes_with_it(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "Root %s\n", all->dir);
	csftpd_rig_sh(all, "%s",
		      "test -S $of/control\n"
		      "echo pwd | sftp >said\n");
	csftpd_end(&all->sshd);
	csftpd_rig_sh(all, "%s", "test ! -e $of/control\n");
	csftpd_restart(&all->sshd, "Root %s\n", all->dir);
	csftpd_rig_sh(all,
		      "test -S $of/control\n"
		      "kill -KILL %d\n"
		      "while test -e $of/control; do sleep 0.05; done\n",
		      all->sshd.pid);
	assert_int_equal(WTERMSIG(proc_wait(all->sshd.pid, QUIET_MS)), SIGKILL);
	all->sshd.pid = 0;
	/* What has taken the place is not its own. */
	csftpd_restart(&all->sshd, "Root %s\n", all->dir);
	csftpd_rig_sh(all, "%s", "rm $of/control && echo mine >$of/control\n");
	csftpd_end(&all->sshd);
	csftpd_rig_sh(all, "%s", "test \"$(cat $of/control)\" = mine\n");
}

/* As systemd does it: LISTEN_FDS.  give.py HOST PORT PROGRAM... */
#define GIVE                                                                   \
	"cat >give.py <<'END'\n"                                               \
	"import os, socket, sys\n"                                             \
	"six = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"    \
	"s = socket.socket(six)\n"                                             \
	"s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"            \
	"if six == socket.AF_INET6:\n"                                         \
	"    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n"       \
	"s.bind((sys.argv[1], int(sys.argv[2])))\n"                            \
	"s.listen(8)\n"                                                        \
	"os.dup2(s.fileno(), 3)\n"                                             \
	"os.set_inheritable(3, True)\n"                                        \
	"os.environ['LISTEN_FDS'] = '1'\n"                                     \
	"os.environ['LISTEN_PID'] = str(os.getpid())\n"                        \
	"os.execv(sys.argv[3], sys.argv[3:])\n"                                \
	"END\n"

static void it_takes_a_socket_that_is_given(void **state)
{
	struct csftpd_rig *all = *state;
	char path[PROC_PATH_MAX];

	csftpd_rig_configure(all);
	csftpd_program(path);
	csftpd_rig_sh(
		all, "%s",
		GIVE "python3 give.py 127.0.0.1 $port $csftpd -D -e "
		     "-f $of/csftpd_config -o Port=1 -o LogLevel=INFO 2>log &\n"
		     "pid=$!\n"
		     "ok=0\n"
		     "echo pwd | sftp >said || ok=$?\n"
		     "kill $pid\n"
		     "wait $pid\n"
		     "test $ok = 0\n"
		     "grep -q \"listening on 127.0.0.1 port $port\" log\n");
}

/* What a list says of 127.0.0.1 goes for it there as well. */
static void a_socket_for_both_families_hides_no_address(void **state)
{
	struct csftpd_rig *all = *state;

	if (access("/proc/net/if_inet6", F_OK) != 0)
		skip_because("no IPv6 here");
	csftpd_rig_configure(all);
	csftpd_rig_sh(
		all, "%s",
		GIVE
		"python3 give.py :: $port $csftpd -D -e -f $of/csftpd_config "
		"-o LogLevel=VERBOSE -o PerSourceNetBlockSize=32:64 "
		"-o PerSourcePenalties=authfail:600s "
		"-o PerSourcePenaltyExemptList=127.0.0.0/8 2>log &\n"
		"pid=$!\n"
		"ok=0\n"
		"echo pwd | sftp >said || ok=$?\n"
		"echo pwd | sftp -o User=nobody 2>said && ok=9\n"
		"echo pwd | sftp -o ConnectionAttempts=1 >said || ok=$?\n"
		"kill $pid\n"
		"wait $pid\n"
		"test $ok = 0\n"
		"grep -q 'Connection from 127.0.0.1 port' log\n");
}

/* A transfer goes on to its end; who does nothing is not waited for. */
static void draining_lets_transfers_end(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "Rate 4M\nDrainTime 0\n");
	csftpd_rig_sh(all,
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
	csftpd_rig_sh(all,
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
	csftpd_rig_sh(all,
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
	silent = csftpd_dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	csftpd_rig_sh(
		all,
		"open_session\n"
		"kill -TERM %d\n"
		"until grep -q 'ending when' $of/log; do sleep 0.05; done\n"
		"if echo pwd | command sftp -o ConnectionAttempts=1 -q -F "
		"$config "
		"-b - $host; then exit 9; fi\n"
		"echo \"mkdir $dir/two\" >&9\n"
		"until test -d two; do sleep 0.05; done\n"
		"kill -TERM %d\n"
		"until grep -q '^ended' $of/log; do sleep 0.05; done\n"
		/* Perhaps there is nobody any more who reads it. */
		"(echo \"mkdir $dir/three\" >&9) || :\n"
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
	silent = csftpd_dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	assert_int_equal(csftpd_fact(&all->sshd, "workers"), 3);
	csftpd_rig_sh(
		all, "%s",
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
		"if ctl frob 2>said; then exit 9; fi\n"
		"grep -q '^csftpd: unknown command' said\n"
		"if ctl kill 77; then exit 9; fi\n"
		"if ctl kill; then exit 9; fi\n"
		"if ctl kill 1 2; then exit 9; fi\n"
		"if ctl kill 1 --force; then exit 9; fi\n"
		"if ctl kill '1\n'; then exit 9; fi\n"
		"if ctl status 1; then exit 9; fi\n"
		"if ctl $(printf %0300d 0); then exit 9; fi\n"
		/* Who speaks by himself gets an answer, or the end. */
		"python3 -c 'if True:\n"
		"\timport socket, sys\n"
		"\tfor line in b\"frob\\0\\n\", b\"\\0\\n\", b\"x\" * 255:\n"
		"\t\ts = socket.socket(socket.AF_UNIX)\n"
		"\t\ts.connect(sys.argv[1])\n"
		"\t\ts.settimeout(60)\n"
		"\t\ts.send(line)\n"
		"\t\tassert not s.recv(9).startswith(b\"0\")\n"
		"' $of/control\n"
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
	csftpd_rig_sh(all, "%s",
		      "level() {\n"
		      "\t$csftpd ctl -s $of/control log-level $1\n"
		      "\techo pwd | sftp >pwd\n"
		      "}\n"
		      "from() {\n"
		      "\tsed -n \"s/.*127.0.0.1 port \\([0-9]*\\): < "
		      ".*CHANNEL_DATA.*/\\1/p\" "
		      "$of/log\n"
		      "}\n"
		      "open_session\n"
		      /* Settings of before are those of the running session. */
		      "$csftpd ctl -s $of/control reload\n"
		      "test ! -s $of/log\n"
		      "level DEBUG2\n"
		      "test $(from | sort -u | wc -l) = 1\n"
		      "echo \"mkdir $dir/two\" >&9\n"
		      "until test $(from | sort -u | wc -l) = 2; do sleep "
		      "0.05; done\n"
		      "until test -d two; do sleep 0.05; done\n"
		      "level ERROR\n"
		      "size=$(stat -c %s $of/log)\n"
		      "echo \"mkdir $dir/three\" >&9\n"
		      "until test -d three; do sleep 0.05; done\n"
		      "echo pwd | sftp >pwd\n"
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
		fds[i] = csftpd_dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 4);
	csftpd_rig_sh(all, "%s",
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
	silent = csftpd_dial(&all->sshd);
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
	csftpd_rig_sh(
		all, "%s",
		"mkfifo in\n"
		"ssh -F $config -s $host sftp <in >said 2>&1 &\n"
		"client=$!\n"
		"exec 9>in\n"
		"until $csftpd ctl -s $of/control sessions | grep -q "
		"'user=\"[^\"]';"
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
	fd = csftpd_dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "connections", 1);
	csftpd_rig_sh(
		all, "%s",
		"local=$(printf ':%04X' $port)\n"
		"until awk -v local=$local '$2 ~ local \"$\" && $4 == \"01\" "
		"&& "
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
	csftpd_rig_sh(
		all, "%s",
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

static void who_is_ended_by_us_has_no_penalty(void **state)
{
	struct csftpd_rig *all = *state;
	char text[4096];
	const char *id;
	int silent;

	csftpd_start(&all->sshd, "%s", "PerSourcePenalties noauth:60s\n");
	silent = csftpd_dial(&all->sshd);
	csftpd_await_fact(&all->sshd, "accepted", 1);
	csftpd_ctl(&all->sshd, text, sizeof(text), "sessions");
	id = strstr(text, "id=");
	assert_non_null(id);
	csftpd_ctl(&all->sshd, text, sizeof(text), "kill %lu",
		   strtoul(id + 3, NULL, 10));
	csftpd_await_fact(&all->sshd, "connections", 0);
	assert_int_equal(csftpd_fact(&all->sshd, "penalties"), 0);
	close(silent);
	/* Who goes by himself has one. */
	close(csftpd_dial(&all->sshd));
	csftpd_await_fact(&all->sshd, "penalties", 1);
	csftpd_end_well(&all->sshd);
}

/* Many sessions in one connection, and new keys every megabyte. */
static void sessions_share_a_connection(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "RekeyLimit 1M\n");
	csftpd_rig_sh(
		all, "%s",
		"head -c 20000000 /dev/urandom >big\n"
		"cat $config >shared\n"
		"echo 'ControlPath mux' >>shared\n"
		"ssh -F shared -o ControlMaster=yes -N -f -o RekeyLimit=1M "
		"$host\n"
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

/* As few as sshd takes: not before the login, and then after each packet. */
static void the_smallest_limit_of_keys_is_one(void **state)
{
	struct csftpd_rig *all = *state;

	csftpd_start(&all->sshd, "%s", "RekeyLimit 16\n");
	csftpd_rig_sh(
		all, "%s",
		"head -c 100000 /dev/urandom >file\n"
		"printf \"put file $dir/there\\nget $dir/there back\\n\" | "
		"sftp\n"
		"cmp file back\n"
		"printf \"get $dir/there again\\n\" | sftp -o RekeyLimit=16\n"
		"cmp file again\n");
	csftpd_end_well(&all->sshd);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CSFTPD_CLAIM(it_goes_to_the_background_once_it_serves),
		CSFTPD_CLAIM(it_says_why_it_does_not_go_to_the_background),
		CSFTPD_CLAIM(
			it_listens_on_all_that_it_was_told_or_says_why_not),
		CSFTPD_CLAIM(a_start_that_fails_takes_nothing_from_who_serves),
		CSFTPD_CLAIM(what_it_has_made_goes_with_it),
		CSFTPD_CLAIM(it_takes_a_socket_that_is_given),
		CSFTPD_CLAIM(a_socket_for_both_families_hides_no_address),
		CSFTPD_CLAIM(draining_lets_transfers_end),
		CSFTPD_CLAIM(draining_ends_sessions_that_are_idle),
		CSFTPD_CLAIM(draining_has_an_end),
		CSFTPD_CLAIM(the_second_signal_does_not_wait),
		CSFTPD_CLAIM(it_is_asked_and_told_by_its_socket),
		CSFTPD_CLAIM(messages_are_shown_while_that_is_wanted),
		CSFTPD_CLAIM(connections_wait_for_a_place),
		CSFTPD_CLAIM(who_does_not_log_in_in_time_is_dropped),
		CSFTPD_CLAIM(a_client_that_is_gone_is_noticed),
		CSFTPD_CLAIM(who_vanishes_is_looked_for),
		CSFTPD_CLAIM(guessing_has_its_price),
		CSFTPD_CLAIM(who_is_ended_by_us_has_no_penalty),
		CSFTPD_CLAIM(sessions_share_a_connection),
		CSFTPD_CLAIM(the_smallest_limit_of_keys_is_one),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
