/* libssh2's SFTP calls with csftp-server behind OpenSSH's sshd, and csftpd. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/library.h"
#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/* Lengths are unsigned int to this library. */
#define LENGTH(s) ((unsigned)strlen(s))

struct session {
	int fd;
	LIBSSH2_SESSION *ssh;
	LIBSSH2_SFTP *sftp;
};

static int connect_to(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
	return fd;
}

static void begin(struct session *session, const struct sshd *sshd)
{
	const struct passwd *user = getpwuid(geteuid());
	char public[PROC_PATH_MAX];

	assert_non_null(user);
	proc_print(public, sizeof(public), "%.4000s.pub", sshd->key);
	session->fd = connect_to(sshd->port);
	session->ssh = libssh2_session_init();
	assert_non_null(session->ssh);
	assert_int_equal(libssh2_session_handshake(session->ssh, session->fd),
			 0);
	assert_int_equal(
		libssh2_userauth_publickey_fromfile(session->ssh, user->pw_name,
						    public, sshd->key, NULL),
		0);
	session->sftp = libssh2_sftp_init(session->ssh);
	assert_non_null(session->sftp);
}

static void end(struct session *session)
{
	assert_int_equal(libssh2_sftp_shutdown(session->sftp), 0);
	assert_int_equal(libssh2_session_disconnect(session->ssh, "bye"), 0);
	assert_int_equal(libssh2_session_free(session->ssh), 0);
	close(session->fd);
}

static LIBSSH2_SFTP_HANDLE *open_file(struct session *session, const char *path,
				      unsigned long flags)
{
	LIBSSH2_SFTP_HANDLE *file =
		libssh2_sftp_open_ex(session->sftp, path, LENGTH(path), flags,
				     0600, LIBSSH2_SFTP_OPENFILE);

	if (!file)
		fail_msg("%s: SFTP status %lu", path,
			 libssh2_sftp_last_error(session->sftp));
	return file;
}

static void write_all(LIBSSH2_SFTP_HANDLE *file, const char *data, size_t len)
{
	for (ssize_t done; len > 0; len -= (size_t)done) {
		done = libssh2_sftp_write(file, data, len);
		if (done <= 0)
			fail_msg("write: error %zd", done);
		data += done;
	}
}

static void put(void *arg, const char *local, const char *remote)
{
	LIBSSH2_SFTP_HANDLE *file = open_file(
		arg, remote,
		LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL);
	int fd = open(local, O_RDONLY | O_CLOEXEC);
	char *buf = malloc(200000);
	ssize_t len;

	assert_true(fd >= 0 && buf);
	while ((len = read(fd, buf, 200000)) > 0)
		write_all(file, buf, (size_t)len);
	assert_int_equal(len, 0);
	assert_int_equal(libssh2_sftp_close_handle(file), 0);
	close(fd);
	free(buf);
}

static void get(void *arg, const char *remote, const char *local)
{
	LIBSSH2_SFTP_HANDLE *file = open_file(arg, remote, LIBSSH2_FXF_READ);
	int fd = open(local, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char *buf = malloc(200000);
	ssize_t len;

	assert_true(fd >= 0 && buf);
	while ((len = libssh2_sftp_read(file, buf, 200000)) > 0)
		assert_int_equal(write(fd, buf, (size_t)len), len);
	assert_int_equal(len, 0);
	assert_int_equal(libssh2_sftp_close_handle(file), 0);
	close(fd);
	free(buf);
}

static void make_dir(void *arg, const char *path)
{
	struct session *session = arg;

	assert_int_equal(
		libssh2_sftp_mkdir_ex(session->sftp, path, LENGTH(path), 0700),
		0);
}

/*
 * A security update of Debian 12 has the library call the success of this one
 * call a protocol error, whichever the server, so the link is looked at.
 */
static void make_link(void *arg, const char *text, const char *path)
{
	struct session *session = arg;
	LIBSSH2_SFTP_ATTRIBUTES attr;
	char copy[PROC_PATH_MAX];
	int result;

	proc_print(copy, sizeof(copy), "%s", path);
	result =
		libssh2_sftp_symlink_ex(session->sftp, text, LENGTH(text), copy,
					LENGTH(copy), LIBSSH2_SFTP_SYMLINK);
	assert_true(result == 0 || result == LIBSSH2_ERROR_SFTP_PROTOCOL);
	assert_int_equal(libssh2_sftp_stat_ex(session->sftp, path, LENGTH(path),
					      LIBSSH2_SFTP_LSTAT, &attr),
			 0);
	assert_true(S_ISLNK((mode_t)attr.permissions));
}

static void read_link(void *arg, const char *path, char text[PROC_PATH_MAX])
{
	struct session *session = arg;
	int len = libssh2_sftp_symlink_ex(session->sftp, path, LENGTH(path),
					  text, PROC_PATH_MAX - 1,
					  LIBSSH2_SFTP_READLINK);

	assert_true(len >= 0);
	text[len] = '\0';
}

static void list(void *arg, const char *path, library_entry *each, void *to)
{
	struct session *session = arg;
	LIBSSH2_SFTP_HANDLE *dir = libssh2_sftp_open_ex(
		session->sftp, path, LENGTH(path), 0, 0, LIBSSH2_SFTP_OPENDIR);
	LIBSSH2_SFTP_ATTRIBUTES attr;
	char name[1024], line[2048];
	int len;

	assert_non_null(dir);
	while ((len = libssh2_sftp_readdir_ex(dir, name, sizeof(name), line,
					      sizeof(line), &attr)) > 0) {
		struct stat st = {.st_mode = (mode_t)attr.permissions,
				  .st_size = (off_t)attr.filesize,
				  .st_mtime = (time_t)attr.mtime};

		assert_true(attr.flags & LIBSSH2_SFTP_ATTR_ACMODTIME);
		assert_int_equal(line[0] == 'd', S_ISDIR(st.st_mode));
		assert_non_null(strstr(line, name));
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			each(to, name, &st);
	}
	assert_int_equal(len, 0);
	assert_int_equal(libssh2_sftp_close_handle(dir), 0);
}

static void set(void *arg, const char *path, const struct stat *st)
{
	struct session *session = arg;
	LIBSSH2_SFTP_ATTRIBUTES attr = {
		.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS |
			 LIBSSH2_SFTP_ATTR_ACMODTIME,
		.permissions = st->st_mode & 07777,
		.atime = (unsigned long)st->st_mtime,
		.mtime = (unsigned long)st->st_mtime,
	};

	assert_int_equal(libssh2_sftp_stat_ex(session->sftp, path, LENGTH(path),
					      LIBSSH2_SFTP_SETSTAT, &attr),
			 0);
}

static const struct library library = {
	.put = put,
	.get = get,
	.mkdir = make_dir,
	.symlink = make_link,
	.readlink = read_link,
	.list = list,
	.set = set,
};

static void libssh2_moves_a_tree_both_ways(void **state)
{
	struct subsystem *served = *state;
	char tree[PROC_PATH_MAX], up[PROC_PATH_MAX], back[PROC_PATH_MAX];
	struct session session;

	subsystem_by_sshd(served);
	sample_make(subsystem_local(served, "tree", tree), SAMPLE_ALL);
	subsystem_file(served, "tree", up);
	subsystem_local(served, "back", back);
	begin(&session, &served->sshd);
	library_send(&library, &session, tree, up);
	library_fetch(&library, &session, up, back);
	end(&session);
	assert_same_tree(tree, up, TREE_MODE | TREE_MTIME);
	assert_same_tree(tree, back, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

static void check_handle_calls(struct session *session)
{
	LIBSSH2_SFTP_HANDLE *file = open_file(
		session, "f",
		LIBSSH2_FXF_READ | LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT);
	LIBSSH2_SFTP_ATTRIBUTES attr = {.flags = LIBSSH2_SFTP_ATTR_SIZE,
					.filesize = 6};
	LIBSSH2_SFTP_STATVFS disk;
	char got[16];

	write_all(file, "0123456789", 10);
	assert_int_equal(libssh2_sftp_fsync(file), 0);
	libssh2_sftp_seek64(file, 5);
	assert_int_equal(libssh2_sftp_read(file, got, sizeof(got)), 5);
	assert_memory_equal(got, "56789", 5);
	assert_int_equal(libssh2_sftp_tell64(file), 10);
	assert_int_equal(libssh2_sftp_fstat_ex(file, &attr, 1), 0);
	assert_int_equal(libssh2_sftp_fstat_ex(file, &attr, 0), 0);
	assert_int_equal(attr.filesize, 6);
	assert_int_equal(attr.uid, geteuid());
	assert_int_equal(libssh2_sftp_fstatvfs(file, &disk), 0);
	assert_true(disk.f_blocks > 0 && disk.f_namemax >= 255);
	assert_int_equal(libssh2_sftp_close_handle(file), 0);
	file = open_file(session, "f", LIBSSH2_FXF_WRITE | LIBSSH2_FXF_APPEND);
	write_all(file, "end", 3);
	assert_int_equal(libssh2_sftp_close_handle(file), 0);
	file = open_file(session, "f", LIBSSH2_FXF_READ);
	assert_int_equal(libssh2_sftp_read(file, got, sizeof(got)), 9);
	assert_memory_equal(got, "012345end", 9);
	assert_int_equal(libssh2_sftp_close_handle(file), 0);
}

/* The status behind the last call that failed. */
static void assert_status(struct session *session, int result,
			  unsigned long status)
{
	assert_int_equal(result, LIBSSH2_ERROR_SFTP_PROTOCOL);
	assert_int_equal(libssh2_sftp_last_error(session->sftp), status);
}

static void check_path_calls(struct session *session, const char *base)
{
	LIBSSH2_SFTP *sftp = session->sftp;
	LIBSSH2_SFTP_ATTRIBUTES attr;
	LIBSSH2_SFTP_STATVFS disk;
	char text[PROC_PATH_MAX];

	assert_int_equal(libssh2_sftp_realpath(sftp, ".", text, sizeof(text)),
			 strlen(base));
	assert_memory_equal(text, base, strlen(base));
	assert_int_equal(libssh2_sftp_statvfs(sftp, ".", 1, &disk), 0);
	make_dir(session, "d");
	assert_int_equal(libssh2_sftp_rename(sftp, "f", "d/f"), 0);
	make_link(session, "d/f", "l");
	assert_int_equal(libssh2_sftp_lstat(sftp, "l", &attr), 0);
	assert_true(S_ISLNK((mode_t)attr.permissions));
	assert_int_equal(libssh2_sftp_stat(sftp, "l", &attr), 0);
	assert_int_equal(attr.filesize, 9);
	assert_status(session, libssh2_sftp_rename(sftp, "l", "d/f"),
		      LIBSSH2_FX_FAILURE);
	assert_status(session, libssh2_sftp_rmdir(sftp, "d"),
		      LIBSSH2_FX_FAILURE);
	assert_status(session, libssh2_sftp_mkdir(sftp, "d", 0700),
		      LIBSSH2_FX_FAILURE);
	assert_status(session, libssh2_sftp_stat(sftp, "missing", &attr),
		      LIBSSH2_FX_NO_SUCH_FILE);
	assert_null(libssh2_sftp_opendir(sftp, "l"));
	assert_null(libssh2_sftp_open(sftp, "d/f",
				      LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
					      LIBSSH2_FXF_EXCL,
				      0600));
	assert_int_equal(libssh2_sftp_unlink(sftp, "d/f"), 0);
	assert_int_equal(libssh2_sftp_unlink(sftp, "l"), 0);
	assert_int_equal(libssh2_sftp_rmdir(sftp, "d"), 0);
}

static void libssh2_calls_do_what_they_say(void **state)
{
	struct subsystem *served = *state;
	struct session session;

	subsystem_by_sshd(served);
	begin(&session, &served->sshd);
	check_handle_calls(&session);
	check_path_calls(&session, served->files);
	end(&session);
	assert_int_equal(tree_count(served->files), 0);
	subsystem_assert_well(served);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(libssh2_moves_a_tree_both_ways),
		SUBSYSTEM_TEST(libssh2_calls_do_what_they_say),
	};

	size_t count = sizeof(claims) / sizeof(*claims);
	int failed = _cmocka_run_group_tests("csftp-server", claims, count,
					     subsystem_make, subsystem_release);

	failed |= _cmocka_run_group_tests("csftpd", claims, count,
					  subsystem_make_daemon,
					  subsystem_release);
	return failed != 0;
}
