/*
 * csftp-server as a program: what its command line does, each option at least
 * once, with a client of ours or with OpenSSH's, and next to OpenSSH's server.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/program.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"

#define PUT (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC)

struct place {
	char server[PROC_PATH_MAX];
	char dir[PROC_PATH_MAX]; /* with srv/file, srv/sub/f and out */
	char srv[PROC_PATH_MAX + 16];
	struct program p;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	scratch_make(place->dir);
	proc_print(place->srv, sizeof(place->srv), "%s/srv", place->dir);
	program_path(place->server);
	must_sh("cd '%s' && mkdir -p srv/sub && echo content >srv/file && "
		"echo sub >srv/sub/f && echo secret >out && "
		"ln -s ../out srv/link",
		place->dir);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* Runs a shell line in the place, with SERVER and LOG set. */
#define SH(place, text)                                                        \
	must_sh("cd '%s'; SERVER=\"%s\"; export SSH_CONNECTION="               \
		"'192.0.2.7 4711 192.0.2.1 22'\n" text,                        \
		(place)->dir, (place)->server)

static void questions_are_answered_on_standard_output(void **state)
{
	SH((struct place *)*state,
	   "$SERVER --help >help 2>err\n"
	   "grep -q '^Usage:' help\n"
	   "grep -q -e --atomic-upload help\n"
	   "test ! -s err\n"
	   "$SERVER -h | cmp - help\n"
	   "$SERVER -V | grep -q '^csftp-server [0-9]' && "
	   "$SERVER --version | grep -q '^csftp-server [0-9]'\n");
}

static void every_request_of_openssh_has_its_name(void **state)
{
	SH((struct place *)*state,
	   "$SERVER -Q requests | sort >ours\n" OPENSSH_SFTP_SERVER
	   " -Q requests | sort >theirs\n"
	   "test -s theirs\n"
	   "comm -13 ours theirs >missing\n"
	   "cat missing >&2\n"
	   "test ! -s missing\n"
	   "for r in $(cat ours); do $SERVER -P $r </dev/null; done\n");
}

static void wrong_arguments_are_status_1_and_a_reason(void **state)
{
	SH((struct place *)*state,
	   "refused() { why=$1; shift; status=0; $SERVER \"$@\" "
	   "</dev/null >out.txt 2>err.txt || status=$?; cat err.txt >&2; "
	   "test $status = 1 && test ! -s out.txt && "
	   "grep -q -e \"$why\" err.txt; }\n"
	   "refused 'unknown request \"bogus\"' -P bogus,open\n"
	   "refused 'unknown request \"nope\"' -p nope\n"
	   "refused 'unknown log level' -l LOUD\n"
	   "refused 'unknown log facility' -f MOON\n"
	   "refused 'Invalid umask \"999\"' -u 999\n"
	   "refused 'Invalid query type' -Q x\n"
	   "refused 'unexpected argument: x' x\n"
	   "refused Usage: -Z\n"
	   "refused 'not a number' --quota x\n"
	   "refused 'unknown letter' -d %%q\n"
	   "refused /no/such --root /no/such\n"
	   "refused 'audit to /no/such/file' --audit /no/such/file\n"
	   "refused 'view' --root . --view /no/such=ro\n");
}

/*
 * The same commands to both servers: what OpenSSH's says at a level, ours says,
 * in the same words and order.
 */
static void the_log_is_openssh_s_line_by_line(void **state)
{
	SH((struct place *)*state,
	   "cp -a srv srv2; echo put >local; cat >batch <<'END'\n"
	   "put local new\nput -p local \"a \\\\\"quoted\\\\\" name\"\n"
	   "get file got\nls -l\nmkdir dir\n"
	   "rename new dir/new\nrm dir/new\n-rm gone\nrmdir dir\n"
	   "ln -s file soft\nln file hard\nchmod 640 file\ndf\n"
	   "copy file copied\n-get nothing\n-mkdir sub\n"
	   "END\n"
	   "for level in INFO VERBOSE; do\n"
	   "rm -rf a b; cp -a srv a; cp -a srv b\n"
	   "sftp -q -b batch -D \"$SERVER -e -l $level -d $PWD/a\" "
	   ">/dev/null 2>ours\n"
	   "sftp -q -b batch -D \"" OPENSSH_SFTP_SERVER
	   " -e -l $level -d $PWD/b\" >/dev/null 2>theirs\n"
	   "grep -q 'open .* flags WRITE,CREATE,TRUNCATE mode' ours\n"
	   "sed -i \"s|$PWD/a|DIR|g; s|.*quoted.*|quoted|; s/\\r$//\" ours\n"
	   "sed -i \"s|$PWD/b|DIR|g; s|.*quoted.*|quoted|; s/\\r$//; "
	   "/^users-groups-by-id: /d; /^received client version/d\" theirs\n"
	   "diff theirs ours >&2\n"
	   "done");
}

static void a_session_cut_off_is_a_forced_close(void **state)
{
	struct place *place = *state;
	csftp_fh fh;

	program_start(&place->p, "-d '%s' -e -l INFO 2>'%s/log'", place->srv,
		      place->dir);
	assert_int_equal(program_put(&place->p, "new", PUT, "12345", &fh), 0);
	assert_int_equal(fs_opendir(&place->p.c, ""), 0);
	assert_int_equal(program_stop(&place->p), 0);
	SH(place,
	   "grep -q '^forced close \"new\" bytes read 0 written 5$' log\n"
	   "grep -q '^forced closedir \"[.]\"$' log\n"
	   "tail -1 log | grep -q '^session closed for local user '");
}

/* The peer is the first word; what is no word is none. */
static void the_peer_is_named(void **state)
{
	SH((struct place *)*state,
	   "$SERVER -e -l INFO </dev/null 2>log\n"
	   "test $(wc -l <log) = 2\n"
	   "user=$(id -un)\n"
	   "grep -qxF \"session opened for local user $user from "
	   "[192.0.2.7]\" log\n"
	   "grep -qxF \"session closed for local user $user from "
	   "[192.0.2.7]\" log\n"
	   "SSH_CONNECTION= $SERVER -e -l INFO </dev/null 2>log\n"
	   "grep -q 'from .UNKNOWN.$' log\n"
	   "$SERVER -e </dev/null 2>log; test ! -s log\n"
	   "$SERVER -e -l QUIET </dev/null 2>log; test ! -s log");
}

static void the_start_directory_has_percents(void **state)
{
	SH((struct place *)*state,
	   "mkdir \"srv/$(id -un)\" srv/100%%; echo pwd >batch\n"
	   "sftp -q -b batch -D \"$SERVER -d $PWD/srv/%%u\" | "
	   "grep -q \"/srv/$(id -un)$\"\n"
	   "sftp -q -b batch -D \"$SERVER -d $PWD/srv/100%%%%\" | "
	   "grep -q '/srv/100%%$'\n"
	   "home=$(getent passwd $(id -u) | cut -d: -f6)\n"
	   "for h in %%d %%h; do sftp -q -b batch -D \"$SERVER -d $h\" | "
	   "grep -qF \": $(cd \"$home\"; pwd -P)\"; done");
}

/* A session goes on, as OpenSSH's does. */
static void a_start_directory_that_is_gone_is_an_error_not_an_end(void **state)
{
	SH((struct place *)*state,
	   "echo pwd >batch; cd srv/sub\n"
	   "sftp -q -b ../../batch -D \"$SERVER -e -d /no/such\" >../../said "
	   "2>../../log\n"
	   "grep -q '/srv/sub$' ../../said\n"
	   "grep -qxF 'chdir to \"/no/such\" failed: No such file or "
	   "directory' ../../log\n"
	   "rm f; rmdir ../sub\n"
	   "sftp -q -b ../../batch -D \"$SERVER -e\" >../../said "
	   "2>../../log\n"
	   "grep -q ': /$' ../../said\n"
	   "grep -qxF 'chdir to \".\" failed: No such file or directory' "
	   "../../log");
}

static void read_only_changes_nothing(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;

	must_sh("cp -a '%s' '%s/before'", place->srv, place->dir);
	program_start(&place->p,
		      "-R -d '%s' --audit '%s/audit' -e -l VERBOSE 2>'%s/log'",
		      place->srv, place->dir, place->dir);
	assert_int_equal(fs_open(c, "file", CSFTP_OPEN_READ), 0);
	assert_int_equal(fs_close(c, c->fh), 0);
	assert_int_equal(program_file(&place->p, "file", "x"), EACCES);
	assert_int_equal(program_file(&place->p, "new", "x"), EACCES);
	assert_int_equal(fs_mkdir(c, "dir"), EACCES);
	assert_int_equal(fs_unlink(c, "file"), EACCES);
	assert_int_equal(fs_rename(c, "file", "other"), EACCES);
	assert_int_equal(fs_symlink(c, "soft", "x"), EACCES);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("diff -r '%s' '%s/before' && stat -c %%Y '%s/file' '%s/before/"
		"file' | uniq | wc -l | grep -qx 1",
		place->srv, place->dir, place->srv, place->dir);
	SH(place, "grep -qx 'Refusing open request in read-only mode' log\n"
		  "grep -qx 'Refusing mkdir request in read-only mode' log\n"
		  "grep -qx 'sent status Permission denied' log\n"
		  "grep -q '\"op\":\"mkdir\",\"path\":\"dir\","
		  "\"refused\":true,\"error\":\"EACCES\"}$' audit\n"
		  "grep -q '\"op\":\"rename\",\"path\":\"file\","
		  "\"path2\":\"other\",\"refused\":true,' audit");
}

static void requests_are_denied_and_allowed(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;

	program_start(&place->p,
		      "-P mkdir,remove -d '%s' -e -l VERBOSE 2>'%s/log'",
		      place->srv, place->dir);
	assert_int_equal(fs_mkdir(c, "dir"), EACCES);
	assert_int_equal(fs_unlink(c, "file"), EACCES);
	assert_int_equal(fs_rename(c, "file", "other"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("grep -qx 'Refusing denylisted mkdir request' '%s/log'",
		place->dir);
	program_start(&place->p,
		      "-p open,close,write -d '%s' -e -l VERBOSE 2>'%s/log'",
		      place->srv, place->dir);
	assert_int_equal(program_file(&place->p, "new", "x"), 0);
	assert_int_equal(fs_getattr(c, "new"), EACCES);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("grep -qx 'Refusing non-allowlisted stat request' '%s/log'",
		place->dir);
}

static void packets_are_logged_whatever_the_level(void **state)
{
	struct place *place = *state;

	program_start(&place->p, "--log-packets -e -d '%s' 2>'%s/log'",
		      place->srv, place->dir);
	assert_int_equal(fs_getattr(&place->p.c, "a\nb"), ENOENT);
	assert_int_equal(program_stop(&place->p), 0);
	SH(place, "grep -q '^<- [0-9]* STAT \"a.*b\"' log\n"
		  "grep -q '^-> [0-9]* STATUS 2 \"No such file' log\n"
		  "! grep -q 'session opened' log");
}

static uint32_t mode_of(const struct place *place, const char *name)
{
	char path[2 * PROC_PATH_MAX];
	struct stat st;

	proc_print(path, sizeof(path), "%s/%s", place->srv, name);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void modes_are_as_the_options_say(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;
	const struct csftp_attr open_to_all = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0777};

	program_start(&place->p, "-u 077 -d '%s'", place->srv);
	assert_int_equal(program_file(&place->p, "private", "x"), 0);
	assert_int_equal(mode_of(place, "private"), 0600);
	assert_int_equal(program_stop(&place->p), 0);
	program_start(&place->p,
		      "--mask 0750 --force files:0040 --force dirs:2010 -u 0 "
		      "-d '%s'",
		      place->srv);
	assert_int_equal(fs_mkdir(c, "dir"), 0);
	assert_int_equal(mode_of(place, "dir") & 02077, 02050);
	assert_int_equal(fs_setattr(c, "private", &open_to_all), 0);
	assert_int_equal(mode_of(place, "private"), 0750);
	assert_int_equal(program_stop(&place->p), 0);
}

static void a_root_is_all_there_is(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;

	program_start(&place->p, "--root '%s'", place->srv);
	assert_int_equal(fs_realpath(c, ""), 0);
	assert_string_equal(c->text, "/");
	assert_int_equal(fs_getattr(c, "/sub/../../../file"), 0);
	assert_int_equal(fs_open(c, "/link", CSFTP_OPEN_READ), ENOENT);
	assert_int_equal(fs_getattr(c, place->dir), ENOENT);
	assert_int_equal(program_file(&place->p, "/new", "x"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	assert_int_equal(mode_of(place, "new") & 0600, 0600);
	program_start(&place->p, "--root '%s' -d /sub", place->srv);
	assert_int_equal(fs_getattr(c, "f"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	program_start(&place->p, "--root '%s' -d /gone 2>/dev/null",
		      place->srv);
	assert_int_equal(fs_getattr(c, "file"), 0);
	assert_int_equal(program_stop(&place->p), 0);
}

static void views_are_kept(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;
	char path[2 * PROC_PATH_MAX];

	must_sh("mkdir '%s/hidden'", place->srv);
	program_start(&place->p,
		      "--root '%s' --view /sub=ro --view /hidden=none",
		      place->srv);
	assert_int_equal(fs_getattr(c, "/hidden"), ENOENT);
	assert_int_equal(program_file(&place->p, "/sub/f", "x"), EROFS);
	assert_int_equal(program_file(&place->p, "/new", "x"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	/* Without a root they are of the whole tree. */
	program_start(&place->p, "--view '%s/sub=ro'", place->srv);
	proc_print(path, sizeof(path), "%s/sub/f", place->srv);
	assert_int_equal(program_file(&place->p, path, "x"), EROFS);
	assert_int_equal(program_stop(&place->p), 0);
}

static void a_quota_is_kept(void **state)
{
	struct place *place = *state;
	csftp_fh fh;

	program_start(&place->p, "--quota 10 -d '%s'", place->srv);
	assert_int_equal(program_put(&place->p, "new", PUT, "12345678", &fh),
			 0);
	assert_int_equal(fs_write(&place->p.c, fh, 8, "12345", 5), EDQUOT);
	assert_int_equal(fs_write(&place->p.c, fh, 8, "12", 2), 0);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("test $(stat -c %%s '%s/new') = 10", place->srv);
}

/*
 * The bytes are the same.  That it takes longer is told by the server's own
 * clock in its audit trail; no machine is so slow that this could fail.
 */
static void a_rate_moves_the_same_bytes_later(void **state)
{
	struct place *place = *state;

	SH(place,
	   "head -c 600000 /dev/urandom >big; "
	   "printf 'put big\\nget big back\\n' >batch\n"
	   "sftp -q -b batch -D \"$SERVER --rate 600K -d $PWD/srv "
	   "--audit $PWD/audit\" >/dev/null\n"
	   "cmp big back\n"
	   "cmp big srv/big\n"
	   "first=$(sed -n '1s/.*T\\(..\\):\\(..\\):\\(..\\).*/\\1 \\2 \\3/p' "
	   "audit)\n"
	   "last=$(sed -n '$s/.*T\\(..\\):\\(..\\):\\(..\\).*/\\1 \\2 \\3/p' "
	   "audit)\n"
	   "echo $first $last | awk '{ t = ($4 * 60 + $5) * 60 + $6 - "
	   "(($1 * 60 + $2) * 60 + $3); if (t < 0) t += 86400; "
	   "exit t < 1 }'");
}

static void uploads_appear_when_they_are_whole(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;
	csftp_fh fh;

	program_start(&place->p, "--atomic-upload -d '%s'", place->srv);
	assert_int_equal(program_put(&place->p, "file", PUT, "new", &fh), 0);
	must_sh("grep -qx content '%s/file'", place->srv);
	assert_int_equal(fs_close(c, fh), 0);
	must_sh("test \"$(cat '%s/file')\" = new", place->srv);
	assert_int_equal(program_put(&place->p, "file", PUT, "half", &fh), 0);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("test \"$(cat '%s/file')\" = new && test -z \"$(find '%s' "
		"-name '.*.part')\"",
		place->srv, place->srv);
	program_start(&place->p, "--atomic-upload --keep-partial -d '%s'",
		      place->srv);
	assert_int_equal(program_put(&place->p, "file", PUT, "half", &fh), 0);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("test \"$(cat '%s/file')\" = new && "
		"test \"$(cat '%s'/.file.*.part)\" = half",
		place->srv, place->srv);
}

static void the_audit_trail_is_json_of_all_that_was_done(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;

	program_start(&place->p, "--audit '%s/audit' -d '%s'", place->dir,
		      place->srv);
	assert_int_equal(program_file(&place->p, "n\xff\n\"", "12345"), 0);
	assert_int_equal(fs_rename(c, "n\xff\n\"", "other"), 0);
	assert_int_equal(fs_getattr(c, "gone"), ENOENT);
	assert_int_equal(program_stop(&place->p), 0);
	/* sqlite3 judges what is JSON. */
	SH(place, "test $(grep -c . audit) = 7 || { cat audit >&2; false; }\n"
		  "sqlite3 :memory: 'create table t(l);' '.mode list' "
		  "'.separator \"\\001\"' '.import audit t' "
		  "'.separator |' "
		  "'select count(*), sum(json_valid(l)) from t;' >valid\n"
		  "grep -qx '7|7' valid || { cat valid >&2; false; }\n"
		  "sqlite3 :memory: 'create table t(l);' '.mode list' "
		  "'.separator \"\\001\"' '.import audit t' '.separator |' "
		  "\"select json_extract(l, '\\$.op'), json_extract(l, "
		  "'\\$.path_hex'), json_extract(l, '\\$.error'), "
		  "json_extract(l, '\\$.bytes') from t;\" >ops\n"
		  "cat >expect <<'END'\n"
		  "session-open|||\nopen|6eff0a22||\nwrite|6eff0a22||5\n"
		  "close|6eff0a22||\nrename|6eff0a22||\nstat||ENOENT|\n"
		  "session-close|||\n"
		  "END\n"
		  "diff expect ops >&2");
}

static void the_audit_trail_goes_to_a_descriptor(void **state)
{
	SH((struct place *)*state,
	   "$SERVER --audit fd:7 </dev/null 7>trail\n"
	   "test $(wc -l <trail) = 2\n"
	   "grep -q session-close trail\n"
	   "$SERVER --audit fd:7 </dev/null 2>err 7</dev/null && exit 1\n"
	   "grep -q 'audit to fd:7' err\n"
	   /* %%u is expanded; there is no syslogd on a socket that is none. */
	   "$SERVER --audit \"$PWD/%%u.log\" </dev/null\n"
	   "test -s \"$(id -un).log\"");
}

static void a_full_audit_disk_refuses_all_and_ends_nothing(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;
	int err = 0;

	if (geteuid() != 0)
		skip_because("mounting a small disk needs root");
	must_sh("mkdir '%s/small' && mount -t tmpfs -o size=8k none "
		"'%s/small'",
		place->dir, place->dir);
	program_start(&place->p, "--audit '%s/small/audit' -d '%s' 2>'%s/log'",
		      place->dir, place->srv, place->dir);
	for (int i = 0; i < 1000 && err == 0; i++)
		err = fs_getattr(c, "file");
	assert_int_equal(err, EIO);
	assert_int_equal(fs_mkdir(c, "dir"), EIO);
	must_sh("test ! -e '%s/dir' && : >'%s/small/audit'", place->srv,
		place->dir);
	assert_int_equal(fs_mkdir(c, "dir"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("cd '%s/small' && grep -q '\"lost\":' audit && "
		"grep -q mkdir audit && cd / && umount '%s/small'",
		place->dir, place->dir);
}

static void a_full_disk_is_an_error_of_the_write(void **state)
{
	static char much[100000];
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;
	csftp_fh fh;

	if (geteuid() != 0)
		skip_because("mounting a small disk needs root");
	must_sh("mkdir '%s/small' && mount -t tmpfs -o size=16k none "
		"'%s/small'",
		place->dir, place->dir);
	program_start(&place->p, "--atomic-upload -d '%s/small'", place->dir);
	assert_int_equal(program_put(&place->p, "f", PUT, "old", &fh), 0);
	assert_int_equal(fs_close(c, fh), 0);
	assert_int_equal(program_put(&place->p, "f", PUT, "", &fh), 0);
	/* The client takes the first part, or none. */
	assert_int_equal(fs_write(c, fh, 0, much, sizeof(much)), ENOSPC);
	assert_int_equal(fs_close(c, fh), ENOSPC);
	assert_int_equal(fs_getattr(c, "f"), 0);
	assert_int_equal(c->attr.size, 3);
	assert_int_equal(program_stop(&place->p), 0);
	must_sh("umount '%s/small'", place->dir);
}

/* With a /dev of its own, in which there is a syslogd that the test plays. */
static void syslog_is_told_from_the_sandbox_and_the_jail(void **state)
{
	struct place *place = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char text[4096];
	ssize_t got;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool opened = false;
	bool closed = false;

	if (geteuid() != 0)
		skip_because("a /dev of its own needs root");
	must_sh("mkdir '%s/dev'", place->dir);
	snprintf(at.sun_path, sizeof(at.sun_path), "%.80s/dev/log", place->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	/* By its descriptor, as it may itself lie below the old /dev. */
	must_sh("cd '%s'; : >dev/null; unshare -m sh -ec '" PROC_LET_GO
		"exec 9<%s; "
		"mount --bind /dev/null dev/null; mount --rbind dev /dev; "
		"/proc/self/fd/9 -f LOCAL5 -l INFO --audit syslog "
		"--sandbox=%s --root srv </dev/null'",
		place->dir, place->server, CSFTP_ASAN ? "off" : "auto");
	while ((got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[got] = '\0';
		/* LOCAL5, INFO */
		assert_memory_equal(text, "<174>", 5);
		assert_non_null(strstr(text, " csftp-server["));
		opened = opened || strstr(text, "]: session opened for");
		closed = closed || strstr(text, "\"op\":\"session-close\"");
	}
	assert_true(opened);
	assert_true(closed);
	close(fd);
}

/* A name service that is missing, too: a user that nobody knows. */
static void a_user_without_a_name_or_home_is_served(void **state)
{
	struct place *place = *state;

	if (geteuid() != 0)
		skip_because("being another user needs root");
	SH(place, "printf 'pwd\\nls\\n' >batch; chmod 755 . srv; cd /\n"
		  "b=$OLDPWD; cp ${SERVER%%%% *} \"$b/server\"; "
		  "chmod 755 \"$b/server\"\n"
		  "sftp -q -b \"$b/batch\" -D \"setpriv --reuid 54321 "
		  "--regid 54321 --clear-groups $b/server -e -l INFO "
		  "-d %%d\" >$b/said 2>$b/log\n"
		  "grep -q ': /$' $b/said\n"
		  "grep -q 'opened for local user 54321' $b/log");
}

static void closed_standard_files_become_no_others(void **state)
{
	struct place *place = *state;

	program_start(&place->p, "-e -l DEBUG3 -d '%s' 2>&-", place->srv);
	assert_int_equal(program_file(&place->p, "new", "12345"), 0);
	assert_int_equal(program_stop(&place->p), 0);
	SH(place, "test \"$(cat srv/new)\" = 12345\n"
		  "$SERVER <&- && $SERVER </dev/null >&-");
}

static void the_sandbox_can_be_required_and_switched_off(void **state)
{
	if (CSFTP_ASAN)
		skip_because("the sanitizer does what is forbidden");
	SH((struct place *)*state,
	   "$SERVER --sandbox=off </dev/null\n"
	   "status=0; $SERVER --sandbox=require -e -l DEBUG1 </dev/null "
	   "2>log || status=$?\n"
	   "test $status = 0 || grep -q '^fatal: sandbox: ' log\n");
}

/* What sshd says of the connection is what the trail has. */
static void sshd_tells_who_is_there(void **state)
{
	struct place *place = *state;
	char command[3 * PROC_PATH_MAX];
	struct sshd sshd;

	proc_print(command, sizeof(command), "%s --audit %s/audit -d %s",
		   place->server, place->dir, place->srv);
	sshd_start(&sshd, command);
	must_sh("cd '%s' && echo 'get file' >batch && "
		"sftp -q -F '%s' -b batch " SSHD_HOST " >/dev/null && "
		"cmp file srv/file\n"
		/* The client may be gone before the server is. */
		"for i in $(seq 600); do "
		"grep -q '\"op\":\"session-close\"' audit && break; "
		"sleep 0.1; done\n"
		"test $(grep -c '\"peer\":\"127.0.0.1\"' audit) = "
		"$(wc -l <audit) && grep -q '\"op\":\"session-close\"' audit",
		place->dir, sshd.client);
	sshd_stop(&sshd);
}

static bool sandbox_works(const struct place *place)
{
	return !CSFTP_ASAN &&
	       proc_sh(0, "%s --sandbox=require </dev/null 2>/dev/null",
		       place->server) == 0;
}

/* All that OpenSSH's client can do, by its own tests. */
static void all_of_sftp_works_in_the_sandbox(void **state)
{
	struct place *place = *state;
	char tests[PROC_PATH_MAX];

	if (!sandbox_works(place))
		skip_because("no seccomp or Landlock, or with a sanitizer");
	proc_built(tests, "tests/interop/test_sftp_client");
	must_sh("CSFTP_TEST_SERVER='%s --sandbox=require' '%s' >'%s/said' "
		"2>&1 || { cat '%s/said'; false; }",
		place->server, tests, place->dir, place->dir);
}

/* In a jail it has nothing of the system but its own tree. */
static void homes_names_and_hashes_work_in_the_sandbox(void **state)
{
	struct place *place = *state;
	struct fs_caller *c = &place->p.c;

	if (!sandbox_works(place))
		skip_because("no seccomp or Landlock, or with a sanitizer");
	program_start(&place->p, "--sandbox=require --root '%s'", place->srv);
	assert_int_equal(fs_expand(c, "~"), 0);
	assert_string_equal(c->text, "/");
	assert_int_equal(fs_expand(c, "~/file"), 0);
	assert_string_equal(c->text, "/file");
	assert_int_equal(fs_expand(c, "~nobody-has-this-name"), ENOENT);
	assert_int_equal(program_stop(&place->p), 0);
	SH(place, "echo 'ls -l' >batch\n"
		  "sftp -q -b batch -D \"$SERVER --sandbox=require --root "
		  "$PWD/srv\" >said\n"
		  "grep -q \"$(id -un) *$(id -gn) .* file$\" said || "
		  "{ cat said >&2; false; }");
}

#define IN_PLACE(claim)                                                        \
	cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		IN_PLACE(questions_are_answered_on_standard_output),
		IN_PLACE(every_request_of_openssh_has_its_name),
		IN_PLACE(wrong_arguments_are_status_1_and_a_reason),
		IN_PLACE(the_log_is_openssh_s_line_by_line),
		IN_PLACE(a_session_cut_off_is_a_forced_close),
		IN_PLACE(the_peer_is_named),
		IN_PLACE(the_start_directory_has_percents),
		IN_PLACE(a_start_directory_that_is_gone_is_an_error_not_an_end),
		IN_PLACE(read_only_changes_nothing),
		IN_PLACE(requests_are_denied_and_allowed),
		IN_PLACE(packets_are_logged_whatever_the_level),
		IN_PLACE(modes_are_as_the_options_say),
		IN_PLACE(a_root_is_all_there_is),
		IN_PLACE(views_are_kept),
		IN_PLACE(a_quota_is_kept),
		IN_PLACE(a_rate_moves_the_same_bytes_later),
		IN_PLACE(uploads_appear_when_they_are_whole),
		IN_PLACE(the_audit_trail_is_json_of_all_that_was_done),
		IN_PLACE(the_audit_trail_goes_to_a_descriptor),
		IN_PLACE(a_full_audit_disk_refuses_all_and_ends_nothing),
		IN_PLACE(a_full_disk_is_an_error_of_the_write),
		IN_PLACE(syslog_is_told_from_the_sandbox_and_the_jail),
		IN_PLACE(a_user_without_a_name_or_home_is_served),
		IN_PLACE(closed_standard_files_become_no_others),
		IN_PLACE(sshd_tells_who_is_there),
		IN_PLACE(the_sandbox_can_be_required_and_switched_off),
		IN_PLACE(all_of_sftp_works_in_the_sandbox),
		IN_PLACE(homes_names_and_hashes_work_in_the_sandbox),
	};

	umask(022);
	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
