/* csftpfs: mounts a directory of an SFTP server. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "core/version.h"
#include "csftp/remote.h"
#include "csftp/stream.h"
#include "fusefs/ask.h"
#include "fusefs/askpass.h"
#include "fusefs/background.h"
#include "fusefs/charset.h"
#include "fusefs/connect.h"
#include "fusefs/fusefs.h"
#include "fusefs/guard.h"
#include "fusefs/layers.h"
#include "fusefs/line.h"
#include "fusefs/lines.h"
#include "fusefs/options.h"
#include "fusefs/owners.h"
#include "fusefs/reactor.h"
#include "fusefs/status.h"

#define GRACE_MS 1000U

struct mount {
	struct options options;
	struct talk talk;
	struct connector *connector;
	struct line *line;   /* the first */
	struct lines *lines; /* with it */
	struct layers *layers;
	struct fusefs *f;
	struct status status;
	struct charset *charset; /* NULL: names are not converted */
	struct csftp_attr start; /* of the directory where sessions start */
	char root[CSFTP_PATH_MAX + 1];
	struct background background;
	struct guard guard;
	bool to_syslog; /* standard error is gone */
	int password;	/* the descriptor; -1: there is none */
	uint32_t lost_errors;
};

__attribute__((format(printf, 2, 3))) static void say(const struct mount *m,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (m->to_syslog) {
		vsyslog(LOG_WARNING, format, args);
	} else {
		(void)fputs("csftpfs: ", stderr);
		(void)vfprintf(stderr, format, args);
		(void)fputc('\n', stderr);
	}
	va_end(args);
}

static void on_log(void *arg, const char *text)
{
	const struct mount *m = arg;

	say(m, "%s", text);
}

/* ssh's words stand by themselves. */
static void on_tell(void *arg, const char *line)
{
	const struct mount *m = arg;

	if (m->to_syslog)
		syslog(LOG_WARNING, "%s", line);
	else
		(void)fprintf(stderr, "%s\n", line);
}

/* Each message, where somebody can see them. */
static void on_trace(void *arg, const char *line)
{
	const struct mount *m = arg;

	if (!m->to_syslog)
		(void)fprintf(stderr, "%s\n", line);
}

/* What csftpfs --status and --trace ask, in the words of options.c. */
static void on_question(void *arg, const char *order, FILE *to)
{
	struct mount *m = arg;
	struct facts facts = {.to = to};

	if (strncmp(order, "trace ", 6) == 0) {
		m->status.tracing = strcmp(order + 6, "on") == 0;
		lines_set_trace(m->lines, m->status.tracing ? on_log : NULL);
		(void)fprintf(to, "trace is %s\n",
			      m->status.tracing ? "on" : "off");
		return;
	}
	m->status.f = m->f;
	m->status.layers = m->layers;
	m->status.transport = connect_carrier(m->connector);
	m->status.remote = line_remote(m->line);
	m->status.line = m->line;
	facts.form = strcmp(order, "json") == 0 ? FACTS_JSON : FACTS_TEXT;
	status_tell(&m->status, &facts);
}

static const char *host_name(const struct mount *m)
{
	return *m->options.host ? m->options.host : "the server";
}

/*
 * Asking and waiting, as long as nothing else goes on.
 */

struct question {
	struct csftp_req req;
	struct mount *m;
	int err; /* -1: not answered */
	struct csftp_attr attr;
	char text[CSFTP_PATH_MAX + 1];
};

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct question *question = (struct question *)req;

	question->err = reply->err;
	if (reply->err)
		return;
	if (reply->attr)
		question->attr = *reply->attr;
	if (reply->text.len > CSFTP_PATH_MAX ||
	    (reply->text.len > 0 &&
	     memchr(reply->text.ptr, '\0', reply->text.len)))
		question->err = EIO;
	else if (reply->text.len > 0)
		memcpy(question->text, reply->text.ptr, reply->text.len);
}

static int ask(struct mount *m, struct question *question)
{
	struct csftp_remote *remote = line_remote(m->line);
	struct csftp_link *link = csftp_remote_link(remote);
	enum csftp_err err = CSFTP_OK;

	question->m = m;
	question->err = -1;
	question->req.done = answered;
	csftp_submit(csftp_remote_fs(remote), &question->req);
	while (question->err < 0) {
		if (err)
			csftp_link_close(link, err);
		else
			err = csftp_stream_step(line_stream(m->line), link, -1);
	}
	return question->err;
}

/* How the other end ended, for who wonders why there is no connection. */
static void say_failed(struct mount *m, enum csftp_err err)
{
	int why = errno;
	const char *carrier = connect_program(m->connector);
	bool child = line_stream(m->line)->pid > 0 && carrier;
	int status = csftp_stream_close(line_stream(m->line), GRACE_MS);
	char text[CONNECT_WHY_MAX];

	connect_why(m->connector, err, why, text);
	/* It has ended, and that is the reason, however we came to notice. */
	child = child && (err == CSFTP_ERR_EOF || err == CSFTP_ERR_IO);
	if (child && WIFEXITED(status))
		say(m, "%s: connection failed: %s exited with status %d",
		    host_name(m), carrier, WEXITSTATUS(status));
	else if (child && WIFSIGNALED(status))
		say(m, "%s: connection failed: %s was ended by signal %d",
		    host_name(m), carrier, WTERMSIG(status));
	else
		say(m, "%s: connection failed: %s", host_name(m), text);
}

static bool make_line(struct mount *m)
{
	const struct options *options = &m->options;
	struct line_config config = {
		.host = host_name(m),
		.once = options->passive,
		.fail = options->fail_at_once,
		.timeout_ms = (uint64_t)(options->timeout * 1000),
		.max_read = options->max_read,
		.max_write = options->max_write,
		.log = on_log,
		.sent = status_sent,
		.ended = status_ended,
		.up = status_connected,
		.down = status_lost,
		.counts = &m->status,
		.arg = m,
	};

	m->talk = (struct talk){.say = on_log,
				.tell = on_tell,
				.arg = m,
				.ask = true,
				.verbose = options->verbose};
	if (connect_new(&m->connector, options, &m->talk) != CSFTP_OK)
		return false;
	m->talk.least = connect_log_level(m->connector);
	config.connector = m->connector;
	if (line_new(&m->line, &config) != CSFTP_OK)
		return false;
	line_set_trace(m->line, options->verbose ? on_trace : NULL);
	return true;
}

static bool connect_remote(struct mount *m)
{
	enum csftp_err err = line_open(m->line);

	if (err == CSFTP_ERR_IO && connect_program(m->connector) &&
	    line_stream(m->line)->pid == 0) {
		say(m, "%s: %s", connect_program(m->connector),
		    strerror(errno));
		return false;
	}
	if (err)
		say_failed(m, err);
	return !err;
}

/* "~" is the home, which a server that can expand it knows better. */
static const char *root_request(const struct mount *m, uint32_t *flags)
{
	const char *dir = m->options.dir;

	*flags = 0;
	if (dir[0] != '~')
		return dir;
	if (csftp_remote_extensions(line_remote(m->line)) &
	    CSFTP_EXT_EXPAND_PATH) {
		*flags = CSFTP_EXPAND;
		return dir;
	}
	if (dir[1] == '\0')
		return "";
	return dir[1] == '/' ? dir + 1 + strspn(dir + 1, "/") : NULL;
}

static bool find_root(struct mount *m)
{
	struct question question = {.req = {.op = CSFTP_OP_REALPATH}};
	int err;

	question.req.path = root_request(m, &question.req.flags);
	if (!question.req.path) {
		say(m, "%s: the server cannot find the homes of others",
		    m->options.target);
		return false;
	}
	err = ask(m, &question);
	if (!err && question.text[0] != '/')
		err = EIO;
	/* A directory that is not there yet is the path that was given. */
	if (err == ENOENT && m->options.no_root_check &&
	    question.req.path[0] == '/' &&
	    strlen(question.req.path) <= CSFTP_PATH_MAX) {
		memcpy(question.text, question.req.path,
		       strlen(question.req.path) + 1);
		err = 0;
	}
	if (err) {
		say(m, "%s: %s", m->options.target, strerror(err));
		return false;
	}
	memcpy(m->root, question.text, sizeof(m->root));
	/* Some servers put a slash at the end of a directory. */
	for (size_t len = strlen(m->root); len > 1 && m->root[len - 1] == '/';)
		m->root[--len] = '\0';
	return true;
}

static bool check_root(struct mount *m)
{
	struct question root = {
		.req = {.op = CSFTP_OP_GETATTR, .path = m->root},
	};
	struct question start = {.req = {.op = CSFTP_OP_GETATTR, .path = ""}};
	int err = ask(m, &root);

	if (!err && (root.attr.mask & CSFTP_ATTR_MODE) &&
	    !S_ISDIR(root.attr.mode))
		err = ENOTDIR;
	if (err && !m->options.no_root_check) {
		say(m, "%s: %s", m->options.target, strerror(err));
		return false;
	}
	if (!owners_need_login(&m->options))
		return true;
	if (ask(m, &start) != 0 || !(start.attr.mask & CSFTP_ATTR_UID)) {
		say(m, "%s: the server does not say who we are there",
		    m->options.target);
		return false;
	}
	m->start = start.attr;
	return true;
}

/*
 * Mounting
 */

static uint64_t shown_number(void *arg, const char *path)
{
	const struct mount *m = arg;

	return fusefs_number(m->f, path);
}

/*
 * The directory as it was given, without connecting: each name once, and no
 * dots, as nobody says yet where they lead.
 */
static bool take_root(struct mount *m)
{
	const char *at = m->options.dir;
	size_t len = 0;

	while (*at) {
		size_t name = strcspn(at, "/");
		bool dots = (name == 1 && at[0] == '.') ||
			    (name == 2 && at[0] == '.' && at[1] == '.');

		if (dots || len + name + 1 > CSFTP_PATH_MAX) {
			say(m, "%s: %s", m->options.target,
			    strerror(dots ? EINVAL : ENAMETOOLONG));
			return false;
		}
		if (name > 0) {
			m->root[len++] = '/';
			memcpy(m->root + len, at, name);
			len += name;
		}
		at += name + (at[name] ? 1 : 0);
	}
	if (len == 0)
		m->root[len++] = '/';
	m->root[len] = '\0';
	return true;
}

/* From here on the connection may die, and nobody is asked for a password. */
static bool begin_line(struct mount *m)
{
	const struct lines_config config = {
		.first = m->line,
		.max = m->options.max_conns,
		.connector = m->connector,
		.host = host_name(m),
		.timeout_ms = (uint64_t)(m->options.timeout * 1000),
		.max_read = m->options.max_read,
		.max_write = m->options.max_write,
		.fail = m->options.fail_at_once,
		.log = on_log,
		.sent = status_sent,
		.ended = status_ended,
		.up = status_connected,
		.down = status_lost,
		.counts = &m->status,
		.arg = m,
	};
	enum csftp_err err = line_begin(m->line);

	m->talk.ask = false;
	if (!err)
		err = lines_new(&m->lines, &config);
	if (!err)
		lines_set_trace(m->lines, m->options.verbose ? on_trace : NULL);
	if (err)
		say(m, "the connection: %s", csftp_strerror(err));
	return !err;
}

static enum links_policy links_policy(const struct options *options)
{
	if (options->contain_links)
		return LINKS_CONTAIN;
	return options->rebase_links ? LINKS_REBASE : LINKS_RAW;
}

/* Of a file whose closing nobody waited for. */
static void on_lost(void *arg, const char *path, int err)
{
	struct mount *m = arg;
	char name[CSFTP_PATH_MAX + 1];
	size_t len = strnlen(path, CSFTP_PATH_MAX);

	m->lost_errors++;
	/* It may have been made by others, to be shown on a terminal. */
	for (size_t i = 0; i < len; i++)
		name[i] = path[i] < ' ' || path[i] == 0x7f ? '?' : path[i];
	name[len] = '\0';
	say(m, "writing %s: %s", name, strerror(err));
}

/* Where there may be more, it is what waits that lets another be made. */
static bool one_way(void *arg)
{
	return ((const struct mount *)arg)->options.max_conns == 1;
}

static bool is_sound(void *arg)
{
	return line_is_sound(((struct mount *)arg)->line);
}

static bool is_up(void *arg)
{
	return lines_are_up(((const struct mount *)arg)->lines);
}

static bool make_layers(struct mount *m)
{
	const struct options *options = &m->options;
	bool cached = !options->no_cache && !options->no_names;
	struct idmap_config who;
	struct owners owners = {0};
	char why[OPTIONS_WHY_MAX];
	const struct recode_config names_as = {
		.convert = charset_convert,
		.charset = m->charset,
		.log = on_log,
		.arg = m,
	};
	const struct layers_config config = {
		.under = lines_fs(m->lines),
		.root = m->root,
		.attr_timeout = cached ? options->stat_timeout : 0,
		.link_timeout = cached ? options->link_timeout : 0,
		.dir_timeout = cached ? options->dir_timeout : 0,
		.names = options->cache_names,
		.no_readahead = options->no_readahead,
		.no_content = options->direct_io,
		.no_list_ahead = options->sync_readdir,
		.mend = {.rename = options->mend_rename,
			 .replaces = line_replaces,
			 .arg = m->line,
			 .truncate = options->mend_truncate,
			 .stat = options->mend_stat,
			 .create = options->mend_create},
		.names_as = options->modules_iconv ? &names_as : NULL,
		.links = links_policy(options),
		.follow_links = options->follow_links,
		.owners = owners_wanted(options) ? &who : NULL,
		.durability = options->durability,
		.behind_max = options->behind_max,
		.number = shown_number,
		.lost = on_lost,
		.one_way = one_way,
		.sound = is_sound,
		.up = is_up,
		.arg = m,
	};
	enum csftp_err err = CSFTP_ERR_ARG;

	if (!owners_load(&owners, options, &m->start, &who, why)) {
		say(m, "%s", why);
	} else {
		who.log = on_log;
		who.arg = m;
		err = layers_new(&m->layers, &config);
		if (err)
			say(m, "the cache: %s", csftp_strerror(err));
	}
	owners_release(&owners);
	return !err;
}

static bool mount_it(struct mount *m)
{
	const struct options *options = &m->options;
	const struct fusefs_config config = {
		.fs = layers_fs(m->layers),
		.root = m->root,
		.max_read = options->max_read,
		.entry_timeout = options->entry_timeout,
		.attr_timeout = options->attr_timeout,
		.negative_timeout = options->negative_timeout,
		.local_uid = getuid(),
		.local_gid = getgid(),
		.uid = options->uid,
		.gid = options->gid,
		.file_mode = fusefs_mode(options->fmask, options->umask),
		.dir_mode = fusefs_mode(options->dmask, options->umask),
		.max_write = options->max_write,
		.max_readahead = options->max_readahead,
		.max_background = options->max_background,
		.congestion = options->congestion,
		.caller_owns = options->owner_caller,
		.sync_read = options->sync_read,
		.sync_readdir = options->sync_readdir,
		.keep_cache = options->kernel_cache,
		.direct_io = options->direct_io,
		.no_links = options->no_links,
		.log = on_log,
		.arg = m,
	};
	struct strings argv = {0};
	enum csftp_err err = CSFTP_ERR_NOMEM;

	if (options_fuse_argv(options, &argv))
		err = fusefs_new(&m->f, &config, argv.item);
	strings_release(&argv);
	if (!err)
		err = fusefs_mount(m->f, options->mountpoint);
	/* libfuse has said what it was that did not please it. */
	if (err)
		say(m, "%s: cannot be mounted", options->mountpoint);
	return !err;
}

/* From here on nobody sees standard error, and the terminal may go. */
static bool leave_terminal(struct mount *m)
{
	if (m->background.verdict < 0)
		return true;
	if (!background_leave()) {
		say(m, "going to the background: %s", strerror(errno));
		return false;
	}
	openlog("csftpfs", LOG_PID, LOG_DAEMON);
	m->to_syslog = true;
	/* ssh, or a ProxyCommand, may go on to speak there. */
	line_listen(m->line, background_tell(&m->background));
	return true;
}

static bool serve(struct mount *m)
{
	const struct reactor_config config = {
		.f = m->f,
		.layers = m->layers,
		.lines = m->lines,
		.mountpoint = m->options.mountpoint,
		.log = on_log,
		.answer = on_question,
		.arg = m,
	};
	uint32_t lost, failed;

	if (reactor_run(&config) != CSFTP_OK) {
		say(m, "the event loop: %s", strerror(errno));
		return false;
	}
	lost = fusefs_lost_errors(m->f) + m->lost_errors;
	if (lost > 0)
		say(m, "%u errors of writes or closes could not be reported",
		    lost);
	failed = fusefs_failed_at_end(m->f);
	if (failed > 0)
		say(m, "%u writes or closes failed at the end", failed);
	return lost == 0 && failed == 0;
}

/*
 * A signal between the mounting and the event loop, which handles it, would
 * leave a mount that nobody serves.
 */
static bool hold_signals(struct mount *m)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		return true;
	say(m, "sigprocmask: %s", strerror(errno));
	return false;
}

/* A mount that somebody made before, as mount.fuse3 does: "/dev/fd/N". */
static bool is_descriptor(const char *path)
{
	const char *digits = path + sizeof("/dev/fd/") - 1;

	return !strncmp(path, "/dev/fd/", sizeof("/dev/fd/") - 1) && *digits &&
	       digits[strspn(digits, "0123456789")] == '\0';
}

/*
 * Root's mounts are unmounted by fusermount3 itself.  A descriptor's mount is
 * for who made it.
 */
static bool guard_it(struct mount *m)
{
	const char *point = m->options.mountpoint;

	if (!strings_have(&m->options.mount_flags, "auto_unmount") ||
	    geteuid() == 0 || is_descriptor(point) ||
	    guard_start(&m->guard, point))
		return true;
	say(m, "auto_unmount: %s", strerror(errno));
	return false;
}

/* In the process that starts ssh, as it is where the password is. */
static bool offer_password(struct mount *m)
{
	if (m->password < 0 || askpass_offer(m->password))
		return true;
	say(m, "password_stdin: %s", strerror(errno));
	return false;
}

/* Before anybody is asked for a password in vain. */
static bool open_charset(struct mount *m)
{
	const struct options *options = &m->options;

	if (!options->modules_iconv)
		return true;
	m->charset = charset_open(options->from_code, options->to_code);
	if (!m->charset)
		say(m, "modules=iconv, from %s to %s: %s",
		    options->from_code ? options->from_code : "UTF-8",
		    options->to_code ? options->to_code : "the locale's",
		    errno == EINVAL ? "iconv(3) cannot" : strerror(errno));
	return m->charset != NULL;
}

static bool connect_now(struct mount *m)
{
	return connect_remote(m) && find_root(m) && check_root(m);
}

static void release(struct mount *m)
{
	/* The line first: what is outstanding is answered by that. */
	if (m->lines)
		lines_end(m->lines);
	else if (m->line)
		line_end(m->line);
	fusefs_free(m->f);
	guard_end(&m->guard);
	layers_free(m->layers);
	lines_free(m->lines);
	line_free(m->line);
	connect_free(m->connector);
	charset_close(m->charset);
	status_release(&m->status);
}

static int run(struct mount *m)
{
	bool ok;

	status_init(&m->status, &m->options);
	ok = open_charset(m) && offer_password(m) && make_line(m) &&
	     (m->options.delay_connect ? take_root(m) : connect_now(m)) &&
	     begin_line(m) && make_layers(m) && hold_signals(m) &&
	     mount_it(m) && leave_terminal(m) && guard_it(m) && serve(m);
	/* A thread that tries to connect has no end that can be waited for. */
	if (m->lines && lines_are_connecting(m->lines)) {
		lines_end(m->lines);
		fusefs_unmount(m->f);
		guard_end(&m->guard);
		(void)fflush(NULL);
		_exit(ok ? 0 : 1);
	}
	release(m);
	return ok ? 0 : 1;
}

/*
 * Before the connection is made, as that may ask for a password.  It is kept
 * as an absolute path: the working directory will be another.
 */
static bool check_mountpoint(struct mount *m)
{
	char *path;
	struct stat st;
	int err = 0;

	if (is_descriptor(m->options.mountpoint))
		return true;
	path = realpath(m->options.mountpoint, NULL);
	if (!path || stat(path, &st) != 0)
		err = errno;
	else if (!S_ISDIR(st.st_mode))
		err = ENOTDIR;
	if (err) {
		/* Of a mount whose process was killed the mount is left. */
		say(m, "mount point %s: %s%s", m->options.mountpoint,
		    strerror(err),
		    err == ENOTCONN ? "; fusermount3 -u unmounts what is left"
				    : "");
		free(path);
		return false;
	}
	free(m->options.mountpoint);
	m->options.mountpoint = path;
	return true;
}

/* Before standard input is anything else. */
static bool take_password(struct mount *m)
{
	if (!m->options.password_stdin)
		return true;
	m->password = askpass_take();
	if (m->password < 0)
		say(m, "password_stdin: %s", strerror(errno));
	return m->password >= 0;
}

static int run_in_background(struct mount *m)
{
	int status;

	if (background_begin(&m->background, &status))
		return run(m);
	if (status >= 0)
		return status;
	say(m, "going to the background: %s", strerror(errno));
	return 1;
}

static int ask_mount(struct mount *m)
{
	const char *mountpoint = m->options.mountpoint;
	int err = ask_process(mountpoint, m->options.order, stdout);

	if (err == ENODEV)
		say(m, "%s: no file system of csftpfs is mounted there",
		    mountpoint);
	else if (err == ENOTCONN)
		say(m, "%s: its process has gone, or is in another namespace",
		    mountpoint);
	else if (err)
		say(m, "%s: %s", mountpoint, strerror(err));
	return err ? 1 : 0;
}

int main(int argc, char *argv[])
{
	struct mount m = {
		.background = {-1, -1},
		.password = -1,
		.guard = {.fd = -1},
	};
	char why[OPTIONS_WHY_MAX];
	int status = 1;

	if (askpass_is_asked())
		return askpass_answer(argc > 1 ? argv[1] : "");
	(void)signal(SIGPIPE, SIG_IGN);
	switch (options_parse(&m.options, argc, argv, why)) {
	case OPTIONS_HELP:
		options_help(stdout);
		status = fflush(stdout) == 0 ? 0 : 1;
		break;
	case OPTIONS_VERSION:
		status = puts("csftpfs " CSFTP_VERSION) >= 0 &&
					 fflush(stdout) == 0
				 ? 0
				 : 1;
		break;
	case OPTIONS_ERROR:
		say(&m, "%s", why);
		break;
	case OPTIONS_ASK:
		status = ask_mount(&m);
		break;
	case OPTIONS_FAKE:
		status = 0;
		break;
	case OPTIONS_MOUNT:
		if (!check_mountpoint(&m) || !take_password(&m))
			break;
		status = m.options.foreground ? run(&m) : run_in_background(&m);
		break;
	}
	options_release(&m.options);
	return status;
}
