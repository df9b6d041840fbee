/* libssh's SFTP calls with csftp-server behind OpenSSH's sshd, and csftpd. */
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/library.h"
#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/* What fits a packet of any server. */
#define PIECE 32000

static void must_set(ssh_session ssh, enum ssh_options_e option,
		     const void *value)
{
	assert_int_equal(ssh_options_set(ssh, option, value), SSH_OK);
}

static ssh_session connect_to(const struct sshd *sshd)
{
	ssh_session ssh = ssh_new();
	int port = sshd->port, no = 0;
	ssh_key key;

	assert_non_null(ssh);
	must_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &no);
	must_set(ssh, SSH_OPTIONS_HOST, "127.0.0.1");
	must_set(ssh, SSH_OPTIONS_PORT, &port);
	must_set(ssh, SSH_OPTIONS_KNOWNHOSTS, sshd->known_hosts);
	must_set(ssh, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
	assert_int_equal(ssh_connect(ssh), SSH_OK);
	assert_int_equal(ssh_session_is_known_server(ssh), SSH_KNOWN_HOSTS_OK);
	assert_int_equal(
		ssh_pki_import_privkey_file(sshd->key, NULL, NULL, NULL, &key),
		SSH_OK);
	assert_int_equal(ssh_userauth_publickey(ssh, NULL, key),
			 SSH_AUTH_SUCCESS);
	ssh_key_free(key);
	return ssh;
}

static sftp_session begin(const struct sshd *sshd, ssh_session *ssh)
{
	sftp_session sftp;

	*ssh = connect_to(sshd);
	sftp = sftp_new(*ssh);
	assert_non_null(sftp);
	assert_int_equal(sftp_init(sftp), SSH_OK);
	return sftp;
}

static void end(sftp_session sftp, ssh_session ssh)
{
	sftp_free(sftp);
	ssh_disconnect(ssh);
	ssh_free(ssh);
}

static sftp_file open_file(sftp_session sftp, const char *path, int flags)
{
	sftp_file file = sftp_open(sftp, path, flags, 0600);

	if (!file)
		fail_msg("%s: SFTP status %d", path, sftp_get_error(sftp));
	return file;
}

static void put(void *sftp, const char *local, const char *remote)
{
	sftp_file file = open_file(sftp, remote, O_WRONLY | O_CREAT | O_EXCL);
	int fd = open(local, O_RDONLY | O_CLOEXEC);
	char buf[PIECE];
	ssize_t len;

	assert_true(fd >= 0);
	while ((len = read(fd, buf, sizeof(buf))) > 0)
		assert_int_equal(sftp_write(file, buf, (size_t)len), len);
	assert_int_equal(len, 0);
	assert_int_equal(sftp_close(file), SSH_OK);
	close(fd);
}

/* Two requests on their way at a time. */
static void get(void *sftp, const char *remote, const char *local)
{
	sftp_file file = open_file(sftp, remote, O_RDONLY);
	int fd = open(local, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int next, ahead = sftp_async_read_begin(file, PIECE);
	char buf[PIECE];
	int len;

	assert_true(fd >= 0 && ahead >= 0);
	do {
		next = ahead;
		ahead = sftp_async_read_begin(file, PIECE);
		assert_true(ahead >= 0);
		len = sftp_async_read(file, buf, PIECE, (uint32_t)next);
		assert_true(len >= 0);
		assert_int_equal(write(fd, buf, (size_t)len), len);
	} while (len == PIECE);
	/* The one behind the end. */
	assert_int_equal(sftp_async_read(file, buf, PIECE, (uint32_t)ahead), 0);
	assert_int_equal(sftp_close(file), SSH_OK);
	close(fd);
}

static void make_dir(void *sftp, const char *path)
{
	assert_int_equal(sftp_mkdir(sftp, path, 0700), SSH_OK);
}

static void make_link(void *sftp, const char *text, const char *path)
{
	assert_int_equal(sftp_symlink(sftp, text, path), SSH_OK);
}

static void read_link(void *sftp, const char *path, char text[PROC_PATH_MAX])
{
	char *got = sftp_readlink(sftp, path);

	assert_non_null(got);
	proc_print(text, PROC_PATH_MAX, "%s", got);
	ssh_string_free_char(got);
}

static void list(void *sftp, const char *path, library_entry *each, void *to)
{
	sftp_dir dir = sftp_opendir(sftp, path);
	sftp_attributes attr;

	assert_non_null(dir);
	while ((attr = sftp_readdir(sftp, dir))) {
		struct stat st = {.st_mode = attr->permissions,
				  .st_size = (off_t)attr->size,
				  .st_mtime = attr->mtime};

		assert_int_equal(attr->type == SSH_FILEXFER_TYPE_DIRECTORY,
				 S_ISDIR(st.st_mode));
		/* From the long name, as version 3 has only numbers. */
		assert_true(attr->owner && attr->owner[0]);
		if (strcmp(attr->name, ".") != 0 &&
		    strcmp(attr->name, "..") != 0)
			each(to, attr->name, &st);
		sftp_attributes_free(attr);
	}
	assert_true(sftp_dir_eof(dir));
	assert_int_equal(sftp_closedir(dir), SSH_OK);
}

static void set(void *sftp, const char *path, const struct stat *st)
{
	struct sftp_attributes_struct attr = {
		.flags = SSH_FILEXFER_ATTR_PERMISSIONS |
			 SSH_FILEXFER_ATTR_ACMODTIME,
		.permissions = st->st_mode & 07777,
		.atime = (uint32_t)st->st_mtime,
		.mtime = (uint32_t)st->st_mtime,
	};

	assert_int_equal(sftp_setstat(sftp, path, &attr), SSH_OK);
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

static void libssh_moves_a_tree_both_ways(void **state)
{
	struct subsystem *served = *state;
	char tree[PROC_PATH_MAX], up[PROC_PATH_MAX], back[PROC_PATH_MAX];
	sftp_session sftp;
	ssh_session ssh;

	subsystem_by_sshd(served);
	sample_make(subsystem_local(served, "tree", tree), SAMPLE_ALL);
	subsystem_file(served, "tree", up);
	subsystem_local(served, "back", back);
	sftp = begin(&served->sshd, &ssh);
	library_send(&library, sftp, tree, up);
	library_fetch(&library, sftp, up, back);
	end(sftp, ssh);
	assert_same_tree(tree, up, TREE_MODE | TREE_MTIME);
	assert_same_tree(tree, back, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

static void check_handle_calls(sftp_session sftp)
{
	sftp_file file = open_file(sftp, "f", O_RDWR | O_CREAT | O_TRUNC);
	sftp_attributes attr;
	sftp_statvfs_t disk;
	char got[16];

	assert_int_equal(sftp_write(file, "0123456789", 10), 10);
	assert_int_equal(sftp_fsync(file), SSH_OK);
	assert_int_equal(sftp_seek64(file, 5), 0);
	assert_int_equal(sftp_read(file, got, sizeof(got)), 5);
	assert_memory_equal(got, "56789", 5);
	assert_int_equal(sftp_read(file, got, sizeof(got)), 0);
	attr = sftp_fstat(file);
	assert_non_null(attr);
	assert_int_equal(attr->size, 10);
	assert_int_equal(attr->uid, geteuid());
	sftp_attributes_free(attr);
	disk = sftp_fstatvfs(file);
	assert_non_null(disk);
	assert_true(disk->f_blocks > 0 && disk->f_namemax >= 255);
	sftp_statvfs_free(disk);
	assert_int_equal(sftp_close(file), SSH_OK);
	file = open_file(sftp, "f", O_WRONLY | O_TRUNC);
	assert_int_equal(sftp_close(file), SSH_OK);
	attr = sftp_stat(sftp, "f");
	assert_int_equal(attr->size, 0);
	sftp_attributes_free(attr);
}

/* Announced and asked for by name and version. */
static void check_extensions(sftp_session sftp)
{
	static const char *const names[][2] = {
		{"posix-rename@openssh.com", "1"},
		{"statvfs@openssh.com", "2"},
		{"fstatvfs@openssh.com", "2"},
		{"hardlink@openssh.com", "1"},
		{"fsync@openssh.com", "1"},
	};
	sftp_statvfs_t disk = sftp_statvfs(sftp, ".");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(sftp_extension_supported(sftp, names[i][0],
						     names[i][1]));
	assert_int_equal(sftp_server_version(sftp), 3);
	assert_non_null(disk);
	sftp_statvfs_free(disk);
}

static void check_path_calls(sftp_session sftp, const char *base)
{
	const struct timeval times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
	char *path = sftp_canonicalize_path(sftp, ".");
	sftp_attributes attr;

	assert_string_equal(path, base);
	ssh_string_free_char(path);
	make_dir(sftp, "d");
	make_link(sftp, "d/f", "l");
	assert_int_equal(sftp_rename(sftp, "f", "d/f"), SSH_OK);
	assert_int_equal(sftp_chmod(sftp, "d/f", 0640), SSH_OK);
	assert_int_equal(sftp_utimes(sftp, "d/f", times), SSH_OK);
	assert_int_equal(sftp_chown(sftp, "d/f", geteuid(), getegid()), SSH_OK);
	attr = sftp_lstat(sftp, "l");
	assert_int_equal(attr->type, SSH_FILEXFER_TYPE_SYMLINK);
	sftp_attributes_free(attr);
	attr = sftp_stat(sftp, "l");
	assert_int_equal(attr->permissions & 07777, 0640);
	assert_int_equal(attr->mtime, 2);
	sftp_attributes_free(attr);
	assert_int_equal(sftp_rmdir(sftp, "d"), SSH_ERROR);
	assert_int_equal(sftp_get_error(sftp), SSH_FX_FAILURE);
	assert_int_equal(sftp_mkdir(sftp, "d", 0700), SSH_ERROR);
	assert_null(sftp_stat(sftp, "missing"));
	assert_int_equal(sftp_get_error(sftp), SSH_FX_NO_SUCH_FILE);
	assert_null(sftp_opendir(sftp, "l"));
	assert_null(sftp_open(sftp, "l", O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(sftp_unlink(sftp, "l"), SSH_OK);
	assert_int_equal(sftp_unlink(sftp, "d/f"), SSH_OK);
	assert_int_equal(sftp_rmdir(sftp, "d"), SSH_OK);
}

static void libssh_calls_do_what_they_say(void **state)
{
	struct subsystem *served = *state;
	sftp_session sftp;
	ssh_session ssh;

	subsystem_by_sshd(served);
	sftp = begin(&served->sshd, &ssh);
	check_handle_calls(sftp);
	check_extensions(sftp);
	check_path_calls(sftp, served->files);
	end(sftp, ssh);
	assert_int_equal(tree_count(served->files), 0);
	subsystem_assert_well(served);
}

/*
 * It tells from the server's version whether SYMLINK has its arguments in the
 * order of OpenSSH, which csftpd and sshd have both.
 */
static void libssh_links_point_where_they_were_told_to(void **state)
{
	struct subsystem *served = *state;
	char path[PROC_PATH_MAX], text[64] = "";
	sftp_session sftp;
	ssh_session ssh;

	subsystem_by_sshd(served);
	sftp = begin(&served->sshd, &ssh);
	subsystem_file(served, "link", path);
	make_link(sftp, "points/here", path);
	assert_int_equal(readlink(path, text, sizeof(text) - 1), 11);
	assert_string_equal(text, "points/here");
	end(sftp, ssh);
	subsystem_assert_well(served);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(libssh_moves_a_tree_both_ways),
		SUBSYSTEM_TEST(libssh_calls_do_what_they_say),
		SUBSYSTEM_TEST(libssh_links_point_where_they_were_told_to),
	};

	size_t count = sizeof(claims) / sizeof(*claims);
	int failed = _cmocka_run_group_tests("csftp-server", claims, count,
					     subsystem_make, subsystem_release);

	failed |= _cmocka_run_group_tests("csftpd", claims, count,
					  subsystem_make_daemon,
					  subsystem_release);
	return failed != 0;
}
