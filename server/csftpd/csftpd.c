/* csftpd: a standalone SSH and SFTP daemon. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/version.h"
#include "server/audit.h"
#include "server/csftpd/control.h"
#include "server/csftpd/daemon.h"
#include "server/csftpd/notify.h"

#define DEFAULT_CONFIG "/etc/csftp/csftpd_config"
#define ROOT_KEY       "/etc/csftp/ssh_host_ed25519_key"
#define HOME_KEY       ".config/csftp/ssh_host_ed25519_key"

enum { GIVEN_MAX = 64 };

static const char usage[] =
	"Usage: csftpd [-DeTtV] [-f FILE] [-h HOST_KEY] [-o KEYWORD=VALUE]\n"
	"              [-p PORT]\n"
	"       csftpd ctl -s SOCKET COMMAND; see csftpd ctl --help\n"
	"Serves files by SFTP over SSH, as the user who starts it.\n"
	"\n"
	"  -D           stay in the foreground\n"
	"  -e           log to standard error instead of syslog\n"
	"  -f FILE      configuration (" DEFAULT_CONFIG ", if it is there)\n"
	"  -h HOST_KEY  a file with a private key; made if there is none\n"
	"  -o KEYWORD=VALUE  as a line of the configuration\n"
	"  -p PORT      to listen on\n"
	"  -T           the same as -t, and show what is in force\n"
	"  -t           test the configuration and the keys, change nothing\n"
	"               and exit\n"
	"  -V, --version  show the version and exit\n"
	"  --help         show this help and exit\n";

struct arguments {
	bool foreground;
	bool to_stderr;
	bool test;
	bool show;
	struct settings_source source;
	const char *given[GIVEN_MAX];
	const char *host_key[SETTINGS_KEYS];
};

enum action { SERVE, SHOW_USAGE, SHOW_VERSION, COMPLAIN };

static bool add(const char **list, size_t *count, size_t most, const char *what)
{
	if (*count == most)
		fputs("csftpd: too many options\n", stderr);
	else
		list[(*count)++] = what;
	return *count <= most;
}

static enum action read_arguments(struct arguments *args, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'H'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct settings_source *source = &args->source;
	int opt;

	source->given = args->given;
	source->host_key = args->host_key;
	while ((opt = getopt_long(argc, argv, "Def:h:o:p:TtV", long_options,
				  NULL)) != -1) {
		if (opt == 'D')
			args->foreground = true;
		else if (opt == 'e')
			args->to_stderr = true;
		else if (opt == 't')
			args->test = true;
		else if (opt == 'T')
			args->test = args->show = true;
		else if (opt == 'f')
			source->file = optarg;
		else if (opt == 'p')
			source->port = optarg;
		else if (opt == 'h' &&
			 add(args->host_key, &source->host_key_count,
			     SETTINGS_KEYS, optarg))
			continue;
		else if (opt == 'o' && add(args->given, &source->given_count,
					   GIVEN_MAX, optarg))
			continue;
		else
			return opt == 'H'   ? SHOW_USAGE
			       : opt == 'V' ? SHOW_VERSION
					    : COMPLAIN;
	}
	if (optind < argc)
		fprintf(stderr, "csftpd: unexpected argument: %s\n",
			argv[optind]);
	return optind < argc ? COMPLAIN : SERVE;
}

static void find_config(struct settings_source *source)
{
	if (!source->file && access(DEFAULT_CONFIG, F_OK) == 0)
		source->file = DEFAULT_CONFIG;
}

/* Where the host key is that nobody has named. */
static void find_key(char *path, size_t size)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (geteuid() == 0 || !pw)
		(void)snprintf(path, size, "%s", ROOT_KEY);
	else
		(void)snprintf(path, size, "%s/%s", pw->pw_dir, HOME_KEY);
}

static void say_missing(void *arg, const char *path)
{
	const struct arguments *args = arg;

	fprintf(stderr, "csftpd: %s the host key %s\n",
		args->test ? "would make" : "made", path);
}

/* While those are the only ones: later the number is of one of our own. */
static bool check_audit(const struct settings *settings,
			char why[SETTINGS_WHY_MAX])
{
	const char *target = settings->sftp.audit;
	int err = target ? audit_check(target) : 0;

	if (err != 0)
		(void)snprintf(why, SETTINGS_WHY_MAX, "Audit %.400s: %s",
			       target, strerror(err));
	return err == 0;
}

/*
 * Opened while there is somebody to complain to, and before the sandbox, which
 * does not let us; it stays open for drop_pid().
 */
static bool open_pid(const char *path, int *fd)
{
	*fd = -1;
	if (!*path)
		return true;
	/* A FIFO without a reader would be waited for. */
	*fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		   0644);
	if (*fd < 0)
		fprintf(stderr, "csftpd: PidFile %s: %s\n", path,
			strerror(errno));
	return *fd >= 0;
}

static void write_pid(int fd)
{
	if (fd >= 0 && ftruncate(fd, 0) == 0)
		(void)dprintf(fd, "%ld\n", (long)getpid());
}

/* Who never served may have found the file of one that does. */
static bool is_others(int fd, bool served)
{
	struct stat st;

	return !served && fstat(fd, &st) == 0 && st.st_size > 0;
}

/* What a sandbox did not let us remove is at least not somebody's number. */
static void drop_pid(const char *path, int fd, bool served)
{
	if (fd < 0)
		return;
	if (!is_others(fd, served) && unlink(path) != 0)
		(void)!ftruncate(fd, 0);
	close(fd);
}

/* Who has started us in the background learns that we serve, or why not. */
struct parent {
	int fd;	    /* -1: there is none */
	int null;   /* what standard error becomes then; -1: it stays */
	int pid_fd; /* what is written to before; -1: nothing */
	bool served;
};

static void leave_stderr(struct parent *parent)
{
	if (parent->null < 0)
		return;
	(void)dup2(parent->null, STDERR_FILENO);
	close(parent->null);
	parent->null = -1;
}

/* daemon_config.ready */
static void tell_parent(void *arg)
{
	struct parent *parent = arg;

	write_pid(parent->pid_fd);
	parent->served = true;
	if (parent->fd < 0)
		return;
	leave_stderr(parent);
	(void)!write(parent->fd, "", 1);
	close(parent->fd);
	parent->fd = -1;
}

/* Ends once the child serves, or has ended. */
_Noreturn static void wait_for_child(int fd)
{
	char byte;

	_exit(read(fd, &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool go_to_background(struct parent *parent, bool to_stderr)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid < 0)
		return false;
	if (pid > 0) {
		close(fds[1]);
		wait_for_child(fds[0]);
	}
	close(fds[0]);
	parent->fd = fds[1];
	/* It stays where it is: paths may be relative, and are read again. */
	(void)setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return true;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (to_stderr)
		close(null);
	else
		parent->null = null;
	return true;
}

/* A descriptor for each connection and each open file. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int give_up(struct listening *listening, struct settings *settings)
{
	listen_close(listening);
	settings_put(settings);
	return EXIT_FAILURE;
}

static int serve(const struct arguments *args, struct settings *settings,
		 const char *key_path)
{
	struct parent parent = {.fd = -1, .null = -1, .pid_fd = -1};
	struct listening listening;
	struct daemon_config config = {
		.settings = settings,
		.source = args->source,
		.key_path = key_path,
		.listening = &listening,
		.to_stderr = args->to_stderr,
		.ready = tell_parent,
		.arg = &parent,
	};
	char pid_file[4096] = "";
	char why[SETTINGS_WHY_MAX];
	int status;

	if (settings->pid_file)
		(void)snprintf(pid_file, sizeof(pid_file), "%s",
			       settings->pid_file);
	if (!listen_open(&listening, settings, why)) {
		fprintf(stderr, "csftpd: %s\n", why);
		return give_up(&listening, settings);
	}
	if (!open_pid(pid_file, &parent.pid_fd))
		return give_up(&listening, settings);
	if (settings->sftp.has_umask)
		(void)umask((mode_t)settings->sftp.umask);
	config.notify_fd = notify_open();
	raise_limit();
	if (!args->foreground && !go_to_background(&parent, args->to_stderr)) {
		fprintf(stderr, "csftpd: %s\n", strerror(errno));
		drop_pid(pid_file, parent.pid_fd, false);
		return give_up(&listening, settings);
	}
	status = daemon_run(&config);
	drop_pid(pid_file, parent.pid_fd, parent.served);
	listen_close(&listening);
	return status;
}

static int start(struct arguments *args)
{
	char why[SETTINGS_WHY_MAX], key_path[4096];
	struct settings *settings;

	find_config(&args->source);
	find_key(key_path, sizeof(key_path));
	settings = settings_read(&args->source, why);
	if (!settings || !check_audit(settings, why) ||
	    !settings_load_keys(settings, key_path,
				args->test ? HOSTKEY_LEAVE : HOSTKEY_MAKE,
				say_missing, args, why)) {
		fprintf(stderr, "csftpd: %s\n", why);
		settings_put(settings);
		return EXIT_FAILURE;
	}
	if (!args->test)
		return serve(args, settings, key_path);
	if (args->show)
		settings_show(stdout, settings);
	settings_put(settings);
	/* Who reads it is to have all of it. */
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct arguments args = {.foreground = false};

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		return control_main(argc - 2, argv + 2);
	switch (read_arguments(&args, argc, argv)) {
	case SERVE:
		return start(&args);
	case SHOW_USAGE:
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	case SHOW_VERSION:
		puts("csftpd " CSFTP_VERSION);
		return EXIT_SUCCESS;
	case COMPLAIN:
		break;
	}
	fputs(usage, stderr);
	return EXIT_FAILURE;
}
