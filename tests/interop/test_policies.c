/* Options of csftpfs that say how things are shown, and ways to mount. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/test.h"

static struct mounted mounted;

static int set_up(void **state)
{
	(void)state;
	if (access("/dev/fuse", R_OK | W_OK) != 0 || geteuid() != 0)
		return 0;
	mounted_serve(&mounted, DIRECT_CSFTP);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (mounted.dir[0])
		mounted_stop(&mounted);
	return 0;
}

static void need_mounts(void)
{
	if (!mounted.dir[0])
		skip_because("/dev/fuse and root are needed to mount");
}

static int clean(void **state)
{
	(void)state;
	if (!mounted.dir[0])
		return 0;
	mounted_drop(&mounted);
	return proc_sh(0, "rm -rf '%s'/* '%s'/*.txt", mounted.served,
		       mounted.dir);
}

/* A secret of this machine, and links of the server that lead there. */
static void serve_links(void)
{
	need_mounts();
	must_sh("cd '%s' && echo secret >../secret.txt && mkdir -p dir/sub\n"
		"echo text >file && ln -s \"$PWD\"/../secret.txt absolute\n"
		"ln -s ../secret.txt up && ln -s ../../../secret.txt "
		"dir/sub/up\n"
		"ln -s /etc/passwd passwd && ln -s \"$PWD\"/file dir/inside\n"
		"ln -s ../file dir/relative && ln -s sub/../../file dir/inner\n"
		"ln -s / root && ln -s root/etc/passwd dir/by-root",
		mounted.served);
}

static void no_link_leads_out_of_a_mount(void **state)
{
	(void)state;
	serve_links();
	mounted_mount(&mounted, NULL);
	must_sh("cd '%s'\n"
		"for link in absolute up dir/sub/up passwd root; do\n"
		"	test -L $link\n"
		"	cat $link 2>../err.txt && exit 1\n"
		"	readlink -v $link 2>../err.txt && exit 1\n"
		"	grep 'Operation not permitted' ../err.txt\n"
		"done\n"
		"for link in dir/inside dir/relative dir/inner; do\n"
		"	test \"$(cat $link)\" = text\n"
		"done\n"
		"test \"$(readlink dir/inside)\" = ../file\n"
		"test \"$(readlink dir/inner)\" = ../file",
		mounted.point);
	mounted_unmount(&mounted);
}

static void raw_links_lead_where_they_say(void **state)
{
	(void)state;
	serve_links();
	mounted_mount(&mounted, "no_contain_symlinks");
	must_sh("cd '%s'\n"
		"test \"$(readlink passwd)\" = /etc/passwd\n"
		"test \"$(cat up)\" = secret\n"
		"ln -s /x made\n"
		"test \"$(readlink dir/inside)\" = \"$(readlink "
		"'%s'/dir/inside)\" && test \"$(readlink made)\" = /x",
		mounted.point, mounted.served);
	mounted_unmount(&mounted);
}

static void links_can_be_rebased_or_followed(void **state)
{
	(void)state;
	serve_links();
	mounted_mount(&mounted, "symlinks=rebase");
	must_sh("cd '%s'\n"
		"test \"$(readlink passwd)\" = /etc/passwd\n"
		"test \"$(readlink dir/inside)\" = ../file",
		mounted.point);
	mounted_unmount(&mounted);
	mounted_mount(&mounted, "follow_symlinks");
	must_sh("cd '%s'\n"
		"test -f passwd\n"
		"test ! -L passwd\n"
		"cmp passwd /etc/passwd\n"
		"test \"$(cat up)\" = secret\n"
		"ln -s none gone\n"
		"test -L gone\n"
		"rm gone\n"
		"long=$(printf %%01000d) && ln -s $long gone\n"
		"test \"$(readlink gone)\" = $long\n"
		"ls -l gone\n"
		"rm gone\n"
		"ls -l dir/inside | grep '^-' && rm dir/inside && ls file",
		mounted.point);
	mounted_unmount(&mounted);
}

static void owners_are_shown_by_name_and_set_so(void **state)
{
	(void)state;
	need_mounts();
	must_sh("cd '%s' && touch known unknown mine\n"
		"chown 1:1 known && chown 54321:54321 unknown",
		mounted.served);
	mounted_mount(&mounted, "idmap=name");
	must_sh("cd '%s' && test \"$(stat -c %%u:%%g known)\" = 1:1\n"
		"test \"$(stat -c %%u:%%g unknown)\" = 65534:65534\n"
		"test \"$(stat -c %%u:%%g mine)\" = 0:0\n"
		"ls -ln | grep -c ' 65534 *65534 '\n"
		"chown 1:1 mine && ! chown 54321 mine 2>/dev/null\n"
		"test \"$(stat -c %%u:%%g '%s'/mine)\" = 1:1",
		mounted.point, mounted.served);
	mounted_unmount(&mounted);
}

static void openssh_says_who_we_are_there(void **state)
{
	static const char *const options[] = {"idmap=user", "idmap=name",
					      "owner=caller"};
	struct mounted other = {0};

	(void)state;
	need_mounts();
	mounted_serve(&other, NATIVE_OPENSSH);
	must_sh("touch '%s/file'", other.served);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		mounted_mount(&other, options[i]);
		must_sh("test \"$(stat -c %%u:%%g '%s/file')\" = 0:0",
			other.point);
		mounted_unmount(&other);
	}
	mounted_stop(&other);
}

/* As a shell does for "$(csftpfs ... 2>&1)", though ssh lives on. */
static void standard_error_ends_when_the_command_returns(void **state)
{
	const char *const append[] = {NULL};
	struct mounted other = {0};
	char **argv;
	char text[256];
	int said[2];
	pid_t pid;

	(void)state;
	need_mounts();
	mounted_serve(&other, SSH_OPENSSH);
	argv = mounted_argv(&other, other.served, other.point, append);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	pid = proc_start(argv, -1, -1, said[1]);
	mounted_argv_free(argv);
	assert_int_equal(close(said[1]), 0);
	while (read(said[0], text, sizeof(text)) > 0)
		continue;
	assert_int_equal(close(said[0]), 0);
	assert_int_equal(proc_wait(pid, 20000), 0);
	assert_true(is_mount_point(other.point));
	must_sh("touch '%s/file' && umount '%s'", other.point, other.point);
	mounted_stop(&other);
}

static void owners_are_shown_by_files(void **state)
{
	char options[2 * PROC_PATH_MAX];

	(void)state;
	need_mounts();
	must_sh("cd '%s' && touch known unknown && chown 54321:5 known\n"
		"chown 54322 unknown && printf '# one\\ndaemon:54321\\n"
		"\\nroot:x:0:0:::\\n7:77\\n' >../users.txt && chmod 600 "
		"../users.txt",
		mounted.served);
	proc_print(options, sizeof(options), "idmap=file,uidfile=%s/users.txt",
		   mounted.dir);
	mounted_mount(&mounted, options);
	must_sh("cd '%s' && test \"$(stat -c %%u:%%g known)\" = 1:5\n"
		"stat unknown && exit 1\n"
		"ls | grep unknown\n"
		"chown 7 known && test \"$(stat -c %%u '%s'/known)\" = 77",
		mounted.point, mounted.served);
	mounted_unmount(&mounted);
	proc_print(options, sizeof(options),
		   "idmap=file,nomap=ignore,uidfile=%s/users.txt", mounted.dir);
	mounted_mount(&mounted, options);
	must_sh("test \"$(stat -c %%u '%s'/unknown)\" = 54322", mounted.point);
	mounted_unmount(&mounted);
}

/* Runs the mount program, which must refuse with that sentence. */
static void assert_refused(const char *options, const char *why)
{
	const char *const append[] = {"-f", "-o", options, NULL};
	char **argv =
		mounted_argv(&mounted, mounted.served, mounted.point, append);
	char said[4096];

	assert_int_equal(proc_capture(argv, 30000, said, sizeof(said)), 1);
	if (!strstr(said, why))
		fail_msg("it said: %s", said);
	mounted_argv_free(argv);
}

static void a_file_of_owners_has_to_be_right_and_safe(void **state)
{
	static const char *const texts[][2] = {
		{"nonsense", ":1: name:number is wanted"},
		{"root:0\nroot:-1", ":2: name:number is wanted"},
		{"no such user:5", ":1: there is no user no such user here"},
	};
	char options[2 * PROC_PATH_MAX];

	(void)state;
	need_mounts();
	proc_print(options, sizeof(options), "idmap=file,uidfile=%s/users.txt",
		   mounted.dir);
	assert_refused(options, "No such file");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		must_sh("cd '%s' && printf '%s\\n' >users.txt && chmod 644 "
			"users.txt",
			mounted.dir, texts[i][0]);
		assert_refused(options, texts[i][1]);
	}
	must_sh("cd '%s' && echo root:0 >users.txt && chmod 666 users.txt",
		mounted.dir);
	assert_refused(options, "others may write to it");
	must_sh("cd '%s' && chmod 600 users.txt && chown 1 users.txt",
		mounted.dir);
	assert_refused(options, "belongs to somebody else");
}

static void names_have_the_character_set_that_is_wished(void **state)
{
	(void)state;
	need_mounts();
	must_sh("cd '%s' && d=$(printf 'd\\374') && mkdir \"$d\" && "
		"echo text >\"$d/$(printf 'f\\366')\"",
		mounted.served);
	mounted_mount(&mounted,
		      "modules=iconv,from_code=ISO-8859-1,to_code=UTF-8");
	must_sh("cd '%s' && d=$(printf 'd\\303\\274') && "
		"f=$(printf 'f\\303\\266')\n"
		"test \"$(ls)\" = \"$d\"\n"
		"test \"$(cat \"$d/$f\")\" = text\n"
		"mv \"$d/$f\" \"$f\" && ln -s \"$f\" link\n"
		"test \"$(readlink link)\" = \"$f\"\n"
		"cat link\n"
		"mkdir \"$(printf '\\342\\202\\254')\" && exit 1\n"
		"cd '%s' && cat \"$(printf 'f\\366')\"\n"
		"test \"$(readlink link)\" = \"$(printf 'f\\366')\"",
		mounted.point, mounted.served);
	mounted_unmount(&mounted);
	assert_refused("modules=iconv,from_code=none-such", "iconv(3) cannot");
}

/* With a server that needs none of it, as ours are. */
static void workarounds_do_what_they_stand_for(void **state)
{
	(void)state;
	need_mounts();
	mounted_mount(&mounted, "workaround=rename:truncate:fstat:createmode");
	must_sh("cd '%s' && seq 1 99999 >file && cp file ../whole.txt\n"
		"truncate -s 300000 file && truncate -s 400000 file\n"
		"test $(stat -c %%s file) = 400000\n"
		"cmp -n 300000 file ../whole.txt\n"
		"truncate -s 0 file\n"
		"test ! -s file\n"
		"(umask 027 && echo text >made)\n"
		"test $(stat -c %%a made) = 640\n"
		"mv made file\n"
		"test \"$(ls -A)\" = file\n"
		"test \"$(cat file)\" = text\n"
		"test $(stat -c %%a '%s'/file) = 640",
		mounted.point, mounted.served);
	mounted_unmount(&mounted);
}

static void what_users_make_can_belong_to_them(void **state)
{
	(void)state;
	need_mounts();
	skip_without("setpriv");
	mounted_mount(&mounted, "allow_other,owner=caller");
	must_sh("chmod 755 '%s' && cd '%s'\n"
		"echo mine >root && chmod 644 root\n"
		"setpriv --reuid=1 --regid=2 --clear-groups sh -ec '\n"
		"	echo text >file && mkdir dir && ln -s file link\n"
		"	echo more >>root && test $(stat -c %%u:%%g dir) = "
		"1:2'\n"
		"cd '%s' && test $(stat -c %%u:%%g file) = 1:2\n"
		"test $(stat -c %%u:%%g dir) = 1:2\n"
		"test $(stat -c %%u:%%g link) = 1:2\n"
		"test $(stat -c %%u:%%g root) = 0:0 && test $(cat file) = text",
		mounted.dir, mounted.point, mounted.served);
	mounted_unmount(&mounted);
}

/* It stands in for ssh, which asks in the same way. */
static void a_password_comes_from_standard_input(void **state)
{
	char mounter[PROC_PATH_MAX];
	char server[PROC_PATH_MAX];

	(void)state;
	need_mounts();
	proc_mounter(mounter);
	proc_server(server);
	must_sh("cd '%s' && cat >ssh.txt <<'end'\n"
		"#!/bin/sh -e\n"
		"echo \"$*\" >'%s/args.txt'\n"
		"test \"$SSH_ASKPASS_REQUIRE\" = force\n"
		"echo $$ >'%s/server.txt'\n"
		"\"$SSH_ASKPASS\" \"me@host's password: \" >'%s/said.txt'\n"
		"\"$SSH_ASKPASS\" 'continue (yes/no/[fingerprint])? ' && exit "
		"1\n"
		"\"$SSH_ASKPASS\" \"Enter passphrase for key '/k': \" && exit "
		"1\n"
		"SSH_ASKPASS_PROMPT=confirm \"$SSH_ASKPASS\" 'Allow? ' && exit "
		"1\n"
		"env >'%s/env.txt'\n"
		"exec '%s'\n"
		"end\n"
		"chmod 755 ssh.txt\n"
		"printf 'a, \"se$cret\\nnot this\\n' | '%s' -o "
		"password_stdin,ssh_command='%s/ssh.txt' host:'%s' '%s'\n"
		"grep BatchMode args.txt && exit 1\n"
		"rm args.txt said.txt\n"
		"echo text >served/file && kill -KILL $(cat server.txt)\n"
		"test \"$(cat point/file)\" = text\n"
		"grep BatchMode args.txt && exit 1\n"
		"fusermount3 -u '%s'\n"
		"test \"$(cat said.txt)\" = 'a, \"se$cret'\n"
		"! grep 'se.cret' args.txt env.txt",
		mounted.dir, mounted.dir, mounted.dir, mounted.dir, mounted.dir,
		server, mounter, mounted.dir, mounted.served, mounted.point,
		mounted.point);
}

/*
 * For the shell: the servers, one for each connection, and files that are
 * written while the first server stands still, so that there is as much on the
 * way as there can be, until there is another server.
 */
#define WRITERS                                                                \
	"writer() { exec >point/$1; : >$1.ready.txt\n"                         \
	"until [ -e go.txt ]; do sleep 0.1; done; cat data.txt; }\n"           \
	"stand_still() { for i in 1 2 3; do\n"                                 \
	"until [ -e $i.ready.txt ]; do sleep 0.1; done; done\n"                \
	"kill -STOP $1; : >go.txt; }\n"

static void write_without_an_answer(const char *then)
{
	int pid = mounted.direct.pid;

	must_sh("cd '%s' && servers() { cat /proc/%d/task/%d/children; }\n"
		"count() { servers | tr ' ' '\\n' | grep -c .; }\n"
		"nth() { servers | cut -d ' ' -f $1; }\n" WRITERS
		"test $(count) = 1\n"
		"head -c 20m /dev/urandom >data.txt\n"
		"for i in 1 2 3; do writer $i & done\n"
		"stand_still $(nth 1)\n"
		"until [ $(count) -gt 1 ]; do sleep 0.1; done\n"
		"kill -CONT $(nth 1) && wait\n"
		"%s\n"
		"for i in 1 2 3 4 5 6; do\n"
		"	cmp data.txt point/$i\n"
		"	cmp data.txt served/$i\n"
		"done\n"
		"cd point && mv 1 7 && cmp 7 ../data.txt && rm 2 && ! test -e "
		"2",
		mounted.dir, pid, pid, then);
}

static void files_side_by_side_have_connections_of_their_own(void **state)
{
	(void)state;
	need_mounts();
	mounted_mount(&mounted, "max_conns=3");
	write_without_an_answer(
		"for i in 4 5 6; do cp data.txt point/$i & done; wait\n"
		"test $(count) -le 3");
	mounted_unmount(&mounted);
}

/* What is written into it while one connection cannot carry more. */
static void one_large_file_goes_over_several_connections(void **state)
{
	char mounter[PROC_PATH_MAX];
	int pid;

	(void)state;
	need_mounts();
	proc_mounter(mounter);
	pid = mounted.direct.pid;
	mounted_mount(&mounted, "max_conns=2");
	must_sh("cd '%s' && servers() { cat /proc/%d/task/%d/children; }\n"
		"connection() { '%s' --status point | sed -n "
		"\"/^connections:/,/^under/s/^  $1 //p\"; }\n"
		"head -c 40m /dev/urandom >data.txt && exec 5>point/large\n"
		"kill -STOP $(servers) && cat data.txt >&5 & writer=$!\n"
		"until connection 2 | grep 'state up'; do sleep 0.1; done\n"
		"kill -CONT $(servers) && exec 5>&- && wait $writer\n"
		"cmp data.txt served/large\n"
		"cmp data.txt point/large\n"
		"connection 1 && sent=$(connection 2 | sed 's/.* sent //;s/ "
		".*//')\n"
		"test $sent -gt 50",
		mounted.dir, pid, pid, mounter);
	mounted_unmount(&mounted);
}

static void a_connection_of_several_that_dies_is_made_again(void **state)
{
	(void)state;
	need_mounts();
	mounted_mount(&mounted, "max_conns=2");
	write_without_an_answer(
		"old=$(nth 2); kill -STOP $old\n"
		"for i in 4 5 6; do cp data.txt point/$i & done\n"
		"kill -KILL $old && wait");
	mounted_unmount(&mounted);
}

/* Files have another connection than their names. */
static void an_open_file_is_found_by_its_new_name(void **state)
{
	char mounter[PROC_PATH_MAX];
	char then[2 * PROC_PATH_MAX];

	(void)state;
	need_mounts();
	proc_mounter(mounter);
	mounted_mount(&mounted, "max_conns=2");
	proc_print(
		then, sizeof(then),
		"until '%s' --status point | sed -n '/^connections:/,/^under/"
		"p' | grep '^  2  *state up'; do sleep 0.1; done\n"
		"exec 5>point/log\n"
		"echo one >&5\n"
		"mv point/log point/log.1\n"
		"echo new >point/log\n"
		"touch -d @5 point/log.1\n"
		"kill -KILL $(servers)\n"
		"echo two >&5\n"
		"exec 5>&-\n"
		"test \"$(cat point/log.1)\" = \"$(printf 'one\\ntwo')\"\n"
		"cmp point/log.1 served/log.1\n"
		"grep new served/log\n"
		"for i in 4 5 6; do cp data.txt point/$i; done\n",
		mounter);
	write_without_an_answer(then);
	mounted_unmount(&mounted);
}

static void one_connection_is_enough_where_there_can_be_no_more(void **state)
{
	char mounter[PROC_PATH_MAX];
	char server[PROC_PATH_MAX];

	(void)state;
	need_mounts();
	proc_mounter(mounter);
	proc_server(server);
	/* It lets in once. */
	must_sh("cd '%s' && head -c 20m /dev/urandom >data.txt\n" WRITERS
		"cat >ssh.txt <<'end'\n"
		"#!/bin/sh\n"
		"cd '%s' && mkdir once.txt && echo $$ >server.txt && exec "
		"'%s'\n"
		"end\n"
		"chmod 755 ssh.txt\n"
		"'%s' -f -o max_conns=3,ssh_command='%s/ssh.txt' host:'%s' "
		"'%s' 2>said.txt &\n"
		"until mountpoint -q point; do sleep 0.1; done\n"
		"for i in 1 2 3; do writer $i & pids=\"$pids $!\"; done\n"
		"server=$(cat server.txt) && stand_still $server\n"
		"until grep 'no further' said.txt; do sleep 0.1; done\n"
		"kill -CONT $server && wait $pids\n"
		"for i in 1 2 3; do cmp data.txt served/$i; done\n"
		"fusermount3 -u point && wait\n"
		"grep 'no further connection; it stays at 1' said.txt",
		mounted.dir, mounted.dir, server, mounter, mounted.dir,
		mounted.served, mounted.point);
}

/*
 * mount(8) has a PATH of its own, where a program is not that is not installed:
 * so here it is "/the/path/csftpfs#host:dir", which mount.fuse3 takes as well
 * as the type fuse.csftpfs.
 */
static void provide_program(void)
{
	char mounter[PROC_PATH_MAX];

	need_mounts();
	if (access("/usr/sbin/mount.fuse3", X_OK) != 0)
		skip_because("there is no mount.fuse3");
	proc_mounter(mounter);
	must_sh("mkdir -p '%s/bin' && ln -sf '%s' '%s/bin/csftpfs' && "
		"echo text >'%s/file'",
		mounted.dir, mounter, mounted.dir, mounted.served);
}

/* Until no process has the mount point in its command line. */
#define GONE                                                                   \
	"while grep -qas '%s' $(ls -d /proc/[0-9]*/cmdline | "                 \
	"grep -v /proc/$$/); do sleep 0.1; done"

static void mount_8_mounts_it(void **state)
{
	(void)state;
	provide_program();
	must_sh("cd '%s'\n"
		"mount -t fuse $PWD/bin/csftpfs#127.0.0.1:'%s' point -o "
		"directport=%d,ro,noauto,_netdev,x-systemd.automount\n"
		"test \"$(cat point/file)\" = text\n"
		"touch point/new && exit 1\n"
		"grep ' %s fuse.csftpfs ro,' /proc/self/mounts\n"
		"umount point\n" GONE,
		mounted.dir, mounted.served, mounted.direct.port, mounted.point,
		mounted.point);
}

static void a_line_of_fstab_mounts_it(void **state)
{
	(void)state;
	provide_program();
	must_sh("cd '%s'\n"
		"echo '%s/bin/csftpfs#127.0.0.1:%s %s fuse "
		"noauto,user,_netdev,nofail,x-systemd.automount,comment=a,"
		"noatime,directport=%d,follow_symlinks,cache_timeout=5,"
		"ServerAliveInterval=15,idmap=user,allow_other 0 0' "
		">fstab.txt\n"
		"mount -T fstab.txt '%s'\n"
		"test \"$(cat point/file)\" = text\n"
		"umount point\n" GONE,
		mounted.dir, mounted.dir, mounted.served, mounted.point,
		mounted.direct.port, mounted.point, mounted.point);
}

/* A helper that is there by its name is ours, for this shell alone. */
static void it_is_a_helper_of_mount_8(void **state)
{
	(void)state;
	provide_program();
	if (proc_sh(0, "unshare -m true || exit 3") != 0)
		skip_because("no mount namespace can be made here");
	must_sh("cd '%s'\n"
		"cat >helper.sh <<'END'\n"
		"set -e\n" PROC_LET_GO
		"mount --bind \"$(readlink -f bin/csftpfs)\" "
		"/usr/sbin/mount.fuse3\n"
		"set -- -t fuse3 127.0.0.1:'%s' point -o "
		"directport=%d,ro,noauto,_netdev\n"
		"mount -f \"$@\"\n"
		"mountpoint -q point && exit 1\n"
		"mount -f \"$@\" -o nope && exit 1\n"
		"mount -s -n \"$@\"\n"
		"test \"$(cat point/file)\" = text\n"
		"umount point\n"
		"END\n"
		"unshare -m sh helper.sh\n" GONE,
		mounted.dir, mounted.served, mounted.direct.port,
		mounted.point);
}

static void a_mount_that_fails_says_so_at_once(void **state)
{
	(void)state;
	provide_program();
	must_sh("cd '%s'\n"
		"mount -t fuse $PWD/bin/csftpfs#127.0.0.1:/nowhere/at/all "
		"point -o "
		"directport=%d 2>err.txt && exit 1\n"
		"grep 'No such file' err.txt && ! grep ' %s fuse' "
		"/proc/self/mounts",
		mounted.dir, mounted.direct.port, mounted.point);
}

/* As mount.fuse3 does with drop_privileges. */
static void it_serves_what_somebody_else_mounted(void **state)
{
	int fd = -1;
	char data[64];
	char point[64];
	const char *const append[] = {"-f", NULL};
	char text[8] = "";
	char path[PROC_PATH_MAX + 8];
	char **argv;

	(void)state;
	need_mounts();
	must_sh("echo text >'%s/file'", mounted.served);
	fd = open("/dev/fuse", O_RDWR);
	assert_true(fd >= 0);
	proc_print(data, sizeof(data),
		   "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	proc_print(point, sizeof(point), "/dev/fd/%d", fd);
	assert_int_equal(mount("there", mounted.point, "fuse.csftpfs", 0, data),
			 0);
	argv = mounted_argv(&mounted, mounted.served, point, append);
	mounted.pid = proc_start(argv, -1, -1, -1);
	mounted_argv_free(argv);
	assert_int_equal(close(fd), 0);
	proc_print(path, sizeof(path), "%s/file", mounted.point);
	assert_int_equal(file_read(path, text, sizeof(text)), 5);
	assert_memory_equal(text, "text\n", 5);
	mounted_unmount(&mounted);
}

#define CLEAN_TEST(name) cmocka_unit_test_teardown(name, clean)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CLEAN_TEST(no_link_leads_out_of_a_mount),
		CLEAN_TEST(raw_links_lead_where_they_say),
		CLEAN_TEST(links_can_be_rebased_or_followed),
		CLEAN_TEST(owners_are_shown_by_name_and_set_so),
		CLEAN_TEST(openssh_says_who_we_are_there),
		CLEAN_TEST(standard_error_ends_when_the_command_returns),
		CLEAN_TEST(owners_are_shown_by_files),
		CLEAN_TEST(a_file_of_owners_has_to_be_right_and_safe),
		CLEAN_TEST(names_have_the_character_set_that_is_wished),
		CLEAN_TEST(workarounds_do_what_they_stand_for),
		CLEAN_TEST(what_users_make_can_belong_to_them),
		CLEAN_TEST(a_password_comes_from_standard_input),
		CLEAN_TEST(files_side_by_side_have_connections_of_their_own),
		CLEAN_TEST(one_large_file_goes_over_several_connections),
		CLEAN_TEST(a_connection_of_several_that_dies_is_made_again),
		CLEAN_TEST(an_open_file_is_found_by_its_new_name),
		CLEAN_TEST(one_connection_is_enough_where_there_can_be_no_more),
		CLEAN_TEST(mount_8_mounts_it),
		CLEAN_TEST(a_line_of_fstab_mounts_it),
		CLEAN_TEST(it_is_a_helper_of_mount_8),
		CLEAN_TEST(a_mount_that_fails_says_so_at_once),
		CLEAN_TEST(it_serves_what_somebody_else_mounted),
	};

	return cmocka_run_group_tests(claims, set_up, tear_down) != 0;
}
