/* Clients that are not OpenSSH's, with csftp-server behind OpenSSH's sshd. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/*
 * It knows names in UTF-8 alone, and keeps the times of files.  Sums are the
 * server's own where md5sum can be run beside it, and without that sizes and
 * times count, or the contents are read.
 */
static void rclone_copies_and_finds_no_difference(void **state)
{
	struct subsystem *served = *state;

	skip_without("rclone");
	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_LATE);
	subsystem_sh(
		served,
		"cat >conf <<END\n"
		"[s]\n"
		"type = sftp\n"
		"host = 127.0.0.1\n"
		"port = $port\n"
		"user = $user\n"
		"key_file = $key\n"
		"known_hosts_file = $known_hosts\n"
		"END\n"
		"rclone='rclone --config conf --transfers 2 --checkers 2'\n"
		"plain=\"$rclone --sftp-disable-hashcheck\"\n"
		"$plain copy tree s:tree --create-empty-src-dirs\n"
		"$plain copy s:tree back --create-empty-src-dirs\n"
		"$plain check tree s:tree\n"
		"$plain check --download s:tree/odd tree/odd\n"
		"$rclone check tree/sizes s:tree/sizes\n"
		"test \"$($rclone md5sum s:tree/sizes/large | cut -c1-32)\" = "
		"\"$(md5sum <tree/sizes/large | cut -c1-32)\"\n"
		"test \"$($plain lsf -R s:tree --files-only | wc -l)\" -ge "
		"400\n"
		"$plain about s: | grep -q '^Free:'\n"
		"test \"$($plain cat --offset 100 --count 50 "
		"s:tree/sizes/large | cksum)\" = \"$(tail -c +101 "
		"tree/sizes/large | head -c 50 | cksum)\"\n");
	subsystem_assert_both_ways(served, TREE_MTIME | TREE_FILES);
	subsystem_sh(served,
		     "plain='rclone --config conf --sftp-disable-hashcheck'\n"
		     "$plain moveto s:tree/run s:tree/ran\n"
		     "test ! -e $files/tree/run\n"
		     "cmp tree/run $files/tree/ran\n"
		     "$plain sync tree s:tree\n"
		     "test ! -e $files/tree/ran\n"
		     "echo piped | $plain rcat s:piped\n"
		     "echo piped | cmp - $files/piped\n"
		     "$plain mkdir s:new/dir\n"
		     "test -d $files/new/dir\n"
		     "$plain purge s:tree\n"
		     "test ! -e $files/tree\n"
		     "if $plain cat s:missing; then exit 9; fi\n");
	subsystem_assert_well(served);
}

/*
 * Times of more than 31 bits are less than zero to it.  Its pget is left out:
 * that ends a connection while data is on its way, and the server says so.
 */
static void lftp_mirrors_both_ways(void **state)
{
	struct subsystem *served = *state;

	skip_without("lftp");
	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_ALL & ~SAMPLE_LATE);
	subsystem_sh(
		served,
		"lftp() {\n"
		"command lftp --norc -c \"set cmd:fail-exit yes\n"
		"set sftp:connect-program 'ssh -a -x -F $config'\n"
		"set net:max-retries 1\n"
		"set net:timeout 300\n"
		"open sftp://$user:@$host\n"
		"$1\"\n"
		"}\n"
		"lftp 'mirror -R --no-umask tree tree'\n"
		"lftp 'mirror --no-umask tree back'\n"
		"lftp 'mirror -R --no-umask --parallel=4 tree/odd again; "
		"mirror -v -R --no-umask --delete tree/odd again' >said\n"
		"cat said; test ! -s said\n"
		"lftp 'cls -l tree/odd; du -s tree; cat tree/run; "
		"find tree/deep' >said\n"
		"grep -q \"quote'd\" said\n"
		"grep -q '^tree/deep/a/b/c/leaf$' said\n"
		"lftp 'mkdir -p x/y; mv tree/run x/y/ran; chmod 600 x/y/ran; "
		"ln -s no/where x/l; put tree/sizes/large -o x/large; "
		"get x/large -o large; "
		"rmdir x/none || rmdir tree/empty'\n"
		"cmp large tree/sizes/large\n"
		"cmp tree/run $files/x/y/ran\n"
		"test $(stat -c %a $files/x/y/ran) = 600\n"
		"test \"$(readlink $files/x/l)\" = no/where\n"
		"test ! -e $files/tree/empty\n"
		"mkdir $files/tree/empty\n"
		"mv $files/x/y/ran $files/tree/run\n"
		"chmod 755 $files/tree/run\n"
		"head -c 1000000 $files/x/large >half\n"
		"lftp 'get -c x/large -o half; rm -r x again'\n"
		"cmp half tree/sizes/large\n"
		"test ! -e $files/x\n"
		"test ! -e $files/again\n");
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

/* It takes neither modes nor times, and copies what links point to. */
static void psftp_puts_and_gets_trees(void **state)
{
	struct subsystem *served = *state;

	skip_without("psftp");
	skip_without("puttygen");
	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_PLAIN);
	subsystem_sh(served,
		     "puttygen $key -O private -o ppk\n"
		     "hostkey=$(ssh-keygen -l -F $host -f $known_hosts | "
		     "sed -n 's/.*\\(SHA256:[^ ]*\\).*/\\1/p')\n"
		     "psftp() {\n"
		     "\tcommand psftp -batch -b batch -P $port -l $user -i ppk "
		     "-noagent -hostkey $hostkey 127.0.0.1\n"
		     "}\n"
		     "head -c 1000000 tree/sizes/large >half\n"
		     "cat >batch <<'END'\n"
		     "put -r tree\n"
		     "get -r tree back\n"
		     "put half\n"
		     "reput tree/sizes/large half\n"
		     "reget half\n"
		     "cd tree\n"
		     "pwd\n"
		     "ls odd\n"
		     "cd ..\n"
		     "mkdir new \"new dir\"\n"
		     "chmod 640 half\n"
		     "mv half \"new dir/half\"\n"
		     "mput tree/many/39*\n"
		     "mget 398*\n"
		     "del 39*\n"
		     "rmdir new\n"
		     "END\n"
		     "psftp >said\n"
		     "grep -q \" quote'd\" said\n"
		     "cmp half tree/sizes/large\n"
		     "cmp half \"$files/new dir/half\"\n"
		     "test \"$(stat -c %a \"$files/new dir/half\")\" = 640\n"
		     "cmp 398* tree/many/398*\n"
		     "test ! -e $files/new\n"
		     "test $(ls $files | wc -l) = 2\n"
		     "for bad in 'get missing' 'rmdir tree' 'mkdir tree'; do\n"
		     "\techo $bad >batch\n"
		     "\tif psftp; then exit 9; fi\n"
		     "done\n");
	subsystem_assert_both_ways(served, 0);
	subsystem_assert_well(served);
}

/* Debian's own Python has it, which need not be the first in PATH. */
#define PYTHON "/usr/bin/python3"

/* Runs NAME_client.py with a sample that comes and goes. */
static void run_python(struct subsystem *served, const char *name,
		       unsigned sample)
{
	char script[128], why[256];

	proc_print(script, sizeof(script), "tests/interop/server/%s_client.py",
		   name);
	proc_print(why, sizeof(why), "not run where %s is", script);
	if (access(script, R_OK) != 0)
		skip_because(why);
	skip_without(PYTHON);
	proc_print(why, sizeof(why), "python3-%s is not installed", name);
	if (proc_sh(0, PYTHON " -c 'import %s' || exit 0; exit 3", name) != 3)
		skip_because(why);
	subsystem_by_sshd(served);
	subsystem_sample(served, sample);
	must_sh("script=$PWD/%s\n"
		". '%s/environment'\n" PYTHON
		" \"$script\" $port $user $key $known_hosts tree back $files",
		script, served->dir);
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

static void paramiko_calls_do_what_they_say(void **state)
{
	run_python(*state, "paramiko", SAMPLE_ALL & ~SAMPLE_BYTES);
}

/* To keep modes it sets those of what a link leads to: so no links there. */
static void asyncssh_calls_do_what_they_say(void **state)
{
	run_python(*state, "asyncssh", SAMPLE_PLAIN);
}

#define GO_CLIENT  "tests/interop/server/go_client.go"
#define GO_LIBRARY "/usr/share/gocode/src/github.com/pkg/sftp"

/* Debian's library is source alone, and built with the client. */
static void go_calls_do_what_they_say(void **state)
{
	struct subsystem *served = *state;

	if (access(GO_CLIENT, R_OK) != 0)
		skip_because("not run where " GO_CLIENT " is");
	skip_without("go");
	if (access(GO_LIBRARY, R_OK) != 0)
		skip_because("golang-github-pkg-sftp-dev is not installed");
	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_ALL);
	must_sh("script=$PWD/" GO_CLIENT "\n"
		". '%s/environment'\n"
		"GO111MODULE=off GOPATH=/usr/share/gocode CGO_ENABLED=0 "
		"GOCACHE=$PWD/cache go build -p 2 -o client \"$script\"\n"
		"./client $port $user $key $known_hosts tree back $files",
		served->dir);
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

/* For a quoted string in curl's configuration. */
static void print_quoted(FILE *config, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", config);
		else if (*text == '\t')
			fputs("\\t", config);
		else
			fprintf(config,
				*text == '"' || *text == '\\' ? "\\%c" : "%c",
				*text);
	}
}

static void print_encoded(FILE *config, const char *text)
{
	for (; *text; text++)
		fprintf(config, *text == '/' ? "/" : "%%%02x",
			(unsigned char)*text);
}

/* One transfer for each file, so that one connection serves them all. */
static void write_curl_config(const struct subsystem *served, const char *name,
			      const char *option, const char *local)
{
	char tree[PROC_PATH_MAX], path[PROC_PATH_MAX];
	char *roots[] = {tree, NULL};
	FILE *config = fopen(subsystem_local(served, name, path), "w");
	FTSENT *entry;
	FTS *walk;

	subsystem_local(served, "tree", tree);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	assert_non_null(config);
	assert_non_null(walk);
	while ((entry = fts_read(walk))) {
		if (entry->fts_info != FTS_F)
			continue;
		fprintf(config, "%s = \"%s", option, local);
		print_quoted(config, entry->fts_path + strlen(tree));
		fprintf(config, "\"\nurl = \"sftp://127.0.0.1:%d",
			served->sshd.port);
		print_encoded(config, served->files);
		print_encoded(config, "/tree");
		print_encoded(config, entry->fts_path + strlen(tree));
		fprintf(config, "\"\n");
	}
	fts_close(walk);
	assert_int_equal(fclose(config), 0);
}

/*
 * libssh2, which curl is built on, calls the success of SYMLINK an error since
 * a security update of Debian 12, so that is asked for with "*", and looked at.
 */
#define CURL                                                                   \
	"url=sftp://127.0.0.1:$port\n"                                         \
	"curl() {\n"                                                           \
	"\tcommand curl -sSg --user $user: --key $key --pubkey $key.pub "      \
	"\"$@\"\n"                                                             \
	"}\n"

static void curl_transfers_lists_and_quotes(void **state)
{
	struct subsystem *served = *state;

	skip_without("curl");
	if (proc_sh(0, "curl -V | grep -q '^Protocols:.* sftp' || exit 3"))
		skip_because("this curl was built without SFTP");
	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_PLAIN);
	write_curl_config(served, "up", "upload-file", "tree");
	write_curl_config(served, "down", "output", "back");
	subsystem_sh(served, CURL
		     "mkdir -p $HOME/.ssh\n"
		     "cp $known_hosts $HOME/.ssh\n"
		     "curl --ftp-create-dirs -K up\n"
		     "curl --create-dirs -R -K down\n"
		     /* What it has no command for: a directory for nothing. */
		     "mkdir back/empty back/closed\n"
		     "curl $url$files/tree/ -Q \"mkdir $files/tree/empty\" "
		     "-Q \"mkdir $files/tree/closed\" >said\n"
		     "grep -q '^drwx.* empty$' said\n"
		     "curl -l $url$files/tree/odd/ >said\n"
		     "grep -qx \"quote'd\" said\n");
	subsystem_assert_both_ways(served, 0);
	subsystem_sh(
		served, CURL
		"large=$files/tree/sizes/large\n"
		"curl -r 1000-299999 $url$large | cmp - "
		"\"$(tail -c +1001 $large | head -c 299000 >p; echo p)\"\n"
		"curl -r -70000 $url$large >last\n"
		"tail -c 70000 $large | cmp - last\n"
		"head -c 1000000 $large >half\n"
		"cp half $files/half\n"
		"curl -C - -o half $url$large\n"
		"cmp half $large\n"
		"curl -C - -T $large $url$files/half\n"
		""
		"cmp $files/half $large\n"
		"curl -a -T tree/run $url$files/half\n"
		"cat $large tree/run | cmp - $files/half\n"
		"curl $url/~/half -r 0-9 | cmp -n 10 - $large\n"
		"f=$files\n"
		"curl $url$f/ -Q pwd -Q \"rename $f/half $f/whole\" "
		"-Q \"*symlink $f/whole $f/l\" -Q \"chmod 600 $f/whole\" "
		"-Q \"mkdir $f/d\" -Q \"rmdir $f/d\" "
		"-Q \"statvfs $f\" -Q \"-rm $f/l\" -Q \"*rm $f/none\" "
		"-Q \"mtime \\\"Thu, 01 Jan 2004 00:00:00 GMT\\\" $f/whole\" "
		">said\n"
		"grep -q ' l -> .*whole$' said\n"
		"test ! -e $f/l\n"
		"test ! -e $f/d\n"
		"test \"$(stat -c '%a %Y' $f/whole)\" = '600 1072915200'\n"
		"if curl $url$f/missing; then exit 9; fi\n"
		"if curl -Q \"rmdir $f/tree\" $url$f/; then exit 9; fi\n");
	subsystem_assert_well(served);
}

int suite_clients(CMFixtureFunction make)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(rclone_copies_and_finds_no_difference),
		SUBSYSTEM_TEST(lftp_mirrors_both_ways),
		SUBSYSTEM_TEST(psftp_puts_and_gets_trees),
		SUBSYSTEM_TEST(paramiko_calls_do_what_they_say),
		SUBSYSTEM_TEST(asyncssh_calls_do_what_they_say),
		SUBSYSTEM_TEST(go_calls_do_what_they_say),
		SUBSYSTEM_TEST(curl_transfers_lists_and_quotes),
	};

	cmocka_set_test_filter(getenv("CSFTP_TEST_CLAIM"));
	return cmocka_run_group_tests(claims, make, subsystem_release) != 0;
}
