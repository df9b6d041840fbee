#include "tests/lib/sshd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define RUN_DIR "/run/sshd"

/* A socket that listens on a loopback port; 0: a free one.  -1: it is taken. */
static int listen_at(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    listen(fd, 16) == 0)
		return fd;
	close(fd);
	return -1;
}

static int listen_anywhere(int *port)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd = listen_at(0);

	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

/* With "UsePAM no", sshd refuses an account whose password field says so. */
static bool account_is_locked(const char *user)
{
	struct spwd *shadow = geteuid() == 0 ? getspnam(user) : NULL;

	return shadow && shadow->sp_pwdp && shadow->sp_pwdp[0] == '!';
}

static void write_server_config(const struct sshd *sshd, const char *sftp)
{
	char text[16384], path[PROC_PATH_MAX + 16];

	proc_print(text, sizeof(text),
		   "%s"
		   "Port %d\n"
		   "ListenAddress 127.0.0.1\n"
		   "HostKey %s/host\n"
		   "AuthorizedKeysFile %s/user.pub\n"
		   "PidFile none\n"
		   "StrictModes no\n"
		   "UsePAM no\n"
		   "PasswordAuthentication no\n"
		   "KbdInteractiveAuthentication no\n"
		   "PermitRootLogin prohibit-password\n"
		   "PrintMotd no\n"
		   "PrintLastLog no\n"
		   "MaxStartups 100\n"
		   "LogLevel ERROR\n"
		   "Subsystem sftp %s\n",
		   sshd->with && sshd->with->config ? sshd->with->config : "",
		   sshd->port, sshd->dir, sshd->dir, sftp);
	proc_print(path, sizeof(path), "%s/sshd_config", sshd->dir);
	file_write(path, text, strlen(text));
}

/* Programs without such a configuration look for the address and port. */
static void write_known_hosts(const struct sshd *sshd)
{
	must_sh("cd '%s'\n"
		"key=$(cat host.pub)\n"
		"printf '%%s %%s\\n' "
		"'" SSHD_HOST "' \"$key\" '[127.0.0.1]:%d' \"$key\" >'%s'",
		sshd->dir, sshd->port, sshd->known_hosts);
}

static void write_client_config(const struct sshd *sshd, const char *user)
{
	char text[4 * PROC_PATH_MAX];

	proc_print(text, sizeof(text),
		   "Host " SSHD_HOST "\n"
		   "\tHostName 127.0.0.1\n"
		   "\tPort %d\n"
		   "\tUser %s\n"
		   "\tHostKeyAlias " SSHD_HOST "\n"
		   "Host *\n"
		   "\tIdentityFile %s\n"
		   "\tIdentitiesOnly yes\n"
		   "\tIdentityAgent none\n"
		   "\tUserKnownHostsFile %s\n"
		   "\tGlobalKnownHostsFile /dev/null\n"
		   "\tStrictHostKeyChecking yes\n"
		   "\tBatchMode yes\n"
		   "\tConnectTimeout 60\n"
		   "\tConnectionAttempts 30\n"
		   "\tLogLevel ERROR\n",
		   sshd->port, user, sshd->key, sshd->known_hosts);
	file_write(sshd->client, text, strlen(text));
}

void sshd_make_keys(struct sshd *sshd)
{
	scratch_make(sshd->dir);
	proc_print(sshd->client, PROC_PATH_MAX, "%.4000s/ssh_config",
		   sshd->dir);
	proc_print(sshd->key, PROC_PATH_MAX, "%.4000s/user", sshd->dir);
	proc_print(sshd->known_hosts, PROC_PATH_MAX, "%.4000s/known_hosts",
		   sshd->dir);
	must_sh("cd '%s'\n"
		"ssh-keygen -q -t ed25519 -N '' -C '' -f host\n"
		"ssh-keygen -q -t ed25519 -N '' -C '' -f user",
		sshd->dir);
}

/*
 * sshd says nothing on a pipe that could be waited for, so a login is the
 * event: ConnectionAttempts has ssh itself try again.
 */
static bool can_log_in(const struct sshd *sshd, char *text, size_t size)
{
	char ssh[] = "ssh", flag[] = "-F";
	char host[] = SSHD_HOST, command[] = "true";
	char *argv[] = {ssh, flag, strdup(sshd->client), host, command, NULL};
	int status;

	assert_non_null(argv[2]);
	status = proc_capture(argv, 60000, text, size);
	free(argv[2]);
	return status == 0;
}

/* Its own /etc/shadow is seen by this sshd and its sessions alone. */
static void launch_with_password(struct sshd *sshd)
{
	char script[4 * PROC_PATH_MAX];
	char unshare[] = "unshare", mounts[] = "-m";
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {unshare, mounts, shell, flag, script, NULL};

	must_sh("cd '%s'\n"
		"hash=$(openssl passwd -6 '%s')\n"
		"awk -F: -v OFS=: -v user=\"$(id -un)\" -v hash=\"$hash\" "
		"'$1 == user { $2 = hash; $3 = 19000; $5 = 99999; $8 = \"\" } "
		"{ print }' /etc/shadow >shadow\n"
		"chmod 600 shadow",
		sshd->dir, sshd->with->password);
	proc_print(script, sizeof(script),
		   PROC_LET_GO "cd '%s'\n"
			       "mount --bind shadow /etc/shadow\n"
			       "exec /usr/sbin/sshd -D -e -f '%s/sshd_config'",
		   sshd->dir, sshd->dir);
	sshd->pid = proc_start(argv, -1, -1, -1);
}

static void launch_sshd(struct sshd *sshd, const char *sftp_server)
{
	char config[PROC_PATH_MAX + 16];
	char program[] = "/usr/sbin/sshd", stay[] = "-D", log[] = "-e";
	char file[] = "-f";
	char *argv[] = {program, stay, log, file, config, NULL};

	write_server_config(sshd, sftp_server);
	if (sshd->with && sshd->with->password) {
		launch_with_password(sshd);
		return;
	}
	proc_print(config, sizeof(config), "%s/sshd_config", sshd->dir);
	sshd->pid = proc_start(argv, -1, -1, -1);
}

/* Mounted over what is there for this process and its children alone. */
static void launch_dropbear(struct sshd *sshd, const char *sftp_server)
{
	char script[4 * PROC_PATH_MAX];
	char unshare[] = "unshare", mounts[] = "-m";
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {unshare, mounts, shell, flag, script, NULL};

	proc_print(script, sizeof(script),
		   PROC_LET_GO
		   "cd '%s'\n"
		   "mount --bind passwd /etc/passwd\n"
		   "mount --bind '%s' " DROPBEAR_SFTP_SERVER "\n"
		   "PATH=$PATH:/usr/sbin\n"
		   "exec dropbear -F -E -s -g -j -k -m -p 127.0.0.1:%d "
		   "-r dropbear -P pid 2>log",
		   sshd->dir, sftp_server, sshd->port);
	sshd->pid = proc_start(argv, -1, -1, -1);
}

/* The whole life of the process that accepts. */
_Noreturn static void accept_for_ever(int listener, char *const argv[])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR)
			_exit(1);
		if (fd < 0 || fork() != 0) {
			close(fd);
			continue;
		}
		signal(SIGCHLD, SIG_DFL);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
			   sizeof(int));
		if (dup2(fd, 0) != 0 || dup2(fd, 1) != 1)
			_exit(126);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
}

/*
 * It serves one connection.  No directory above the home may be writable for
 * others, as /tmp is.
 */
#define TINYSSHD_HOME "/mnt"

static void launch_tinysshd(struct sshd *sshd, const char *sftp_server)
{
	char script[4 * PROC_PATH_MAX];
	char unshare[] = "unshare", mounts[] = "-m";
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {unshare, mounts, shell, flag, script, NULL};
	int listener = listen_at(sshd->port);

	proc_print(script, sizeof(script),
		   PROC_LET_GO "cd '%s'\n"
			       "mount --bind passwd /etc/passwd\n"
			       "mount --bind home " TINYSSHD_HOME "\n"
			       "PATH=$PATH:/usr/sbin\n"
			       "exec tinysshd -x 'sftp=%s' tiny 2>>log",
		   sshd->dir, sftp_server);
	sshd->pid = fork();
	assert_true(sshd->pid >= 0);
	if (sshd->pid == 0)
		accept_for_ever(listener, argv);
	if (listener >= 0)
		close(listener);
}

void sshd_choose_port(struct sshd *sshd)
{
	const struct passwd *user = getpwuid(geteuid());

	assert_non_null(user);
	close(listen_anywhere(&sshd->port));
	write_known_hosts(sshd);
	write_client_config(sshd, user->pw_name);
}

/* Another process may take the port in between: then once more. */
static void start(struct sshd *sshd, const char *sftp_server,
		  void (*launch)(struct sshd *sshd, const char *sftp_server))
{
	char text[4096] = "";

	for (int attempt = 0; attempt < 5; attempt++) {
		sshd_choose_port(sshd);
		launch(sshd, sftp_server);
		if (can_log_in(sshd, text, sizeof(text)))
			return;
		proc_stop(sshd->pid);
		sshd->pid = 0;
	}
	sshd_stop(sshd);
	fail_msg("cannot log in to our own SSH server: %s", text);
}

void sshd_start(struct sshd *sshd, const char *sftp_server)
{
	sshd_start_with(sshd, sftp_server, NULL);
}

void sshd_start_with(struct sshd *sshd, const char *sftp_server,
		     const struct sshd_with *with)
{
	struct passwd *user = getpwuid(geteuid());

	assert_non_null(user);
	if (account_is_locked(user->pw_name))
		skip_because("this account is locked; sshd lets nobody in");
	if (with && with->password && geteuid() != 0)
		skip_because("only root can give an account another password");
	if (with && with->password && proc_sh(0, "unshare -m true") != 0)
		skip_because("no mount namespace can be made here");
	*sshd = (struct sshd){.with = with};
	/*
	 * Each session of sshd asks for it again, those of other tests too; so
	 * it stays, as after the first start of Debian's own service.
	 */
	if (geteuid() == 0)
		(void)mkdir(RUN_DIR, 0755);
	sshd_make_keys(sshd);
	start(sshd, sftp_server, launch_sshd);
}

/*
 * The user has another shell, and his home, which is that directory, another
 * name, for servers that are shown this /etc/passwd.
 */
static void move_home(const struct sshd *sshd, const char *home,
		      const char *name)
{
	must_sh("cd '%s'\n"
		"mkdir -m 700 '%s/.ssh'\n"
		"cp user.pub '%s/.ssh/authorized_keys'\n"
		"getent passwd | awk -F: -v OFS=: -v home='%s' "
		"'$3 == 0 { $6 = home; $7 = \"/bin/sh\" } { print }' >passwd",
		sshd->dir, home, home, name);
}

static void need_namespace(const char *server)
{
	if (geteuid() != 0)
		skip_because("only root can give another server another home");
	skip_without(server);
	if (proc_sh(0, "unshare -m true || exit 3") != 0)
		skip_because("no mount namespace can be made here");
}

void dropbear_start(struct sshd *sshd, const char *sftp_server,
		    const char *home)
{
	need_namespace("dropbear");
	if (access(DROPBEAR_SFTP_SERVER, F_OK) != 0)
		skip_because("there is no " DROPBEAR_SFTP_SERVER);
	*sshd = (struct sshd){0};
	sshd_make_keys(sshd);
	must_sh("cd '%s'\n"
		"dropbearconvert openssh dropbear host dropbear",
		sshd->dir);
	move_home(sshd, home, home);
	start(sshd, sftp_server, launch_dropbear);
}

void tinysshd_start(struct sshd *sshd, const char *sftp_server)
{
	char home[PROC_PATH_MAX];

	need_namespace("tinysshd");
	*sshd = (struct sshd){0};
	sshd_make_keys(sshd);
	must_sh("cd '%s'\n"
		"PATH=$PATH:/usr/sbin\n"
		"tinysshd-makekey -q tiny\n"
		"tinysshd-printkey tiny >host.pub\n"
		"mkdir -m 755 home",
		sshd->dir);
	proc_print(home, sizeof(home), "%.4000s/home", sshd->dir);
	move_home(sshd, home, TINYSSHD_HOME);
	start(sshd, sftp_server, launch_tinysshd);
}

/* The processes that serve the open connections. */
static void stop_sessions(pid_t listener)
{
	char path[64];
	char list[4096];
	char *next = list, *end;
	long pid;
	FILE *file;
	size_t len;

	proc_print(path, sizeof(path), "/proc/%d/task/%d/children", listener,
		   listener);
	file = fopen(path, "re");
	if (!file)
		return;
	len = fread(list, 1, sizeof(list) - 1, file);
	fclose(file);
	list[len] = '\0';
	for (pid = strtol(next, &end, 10); end != next && pid > 1;
	     pid = strtol(next, &end, 10)) {
		kill((pid_t)pid, SIGTERM);
		next = end;
	}
}

void sshd_stop(struct sshd *sshd)
{
	if (sshd->pid > 0) {
		stop_sessions(sshd->pid);
		proc_stop(sshd->pid);
	}
	sshd->pid = 0;
	if (sshd->dir[0])
		scratch_remove(sshd->dir);
	sshd->dir[0] = '\0';
}

void direct_start(struct direct *direct, char *const argv[])
{
	int listener = listen_anywhere(&direct->port);

	direct->pid = fork();
	assert_true(direct->pid >= 0);
	if (direct->pid == 0)
		accept_for_ever(listener, argv);
	close(listener);
}

void direct_stop(struct direct *direct)
{
	proc_stop(direct->pid);
	direct->pid = 0;
}
