#include "server/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "csftp/serve.h"
#include "server/log_words.h"

const char server_usage[] =
	"Usage: csftp-server [-ehRV] [-d START_DIRECTORY] [-f LOG_FACILITY]\n"
	"           [-l LOG_LEVEL] [-P DENIED_REQUESTS] [-p ALLOWED_REQUESTS]\n"
	"           [-u UMASK] [LONG OPTION]...\n"
	"       csftp-server -Q requests\n"
	"Serves files by SFTP version 3 on standard input and output.\n"
	"\n"
	"  -d DIR       start there; %d and %h: home, %u: user, %%: a percent\n"
	"  -e           log to standard error instead of syslog\n"
	"  -f FACILITY  DAEMON, USER, AUTH, LOCAL0 ... LOCAL7 (AUTH)\n"
	"  -l LEVEL     QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG,\n"
	"               DEBUG1, DEBUG2, DEBUG3 (ERROR)\n"
	"  -P LIST      requests that are denied, with commas between them\n"
	"  -p LIST      requests that are allowed; no others are\n"
	"  -Q requests  show the names of the requests and exit\n"
	"  -R           read only\n"
	"  -u UMASK     octal\n"
	"  --root DIR           serve DIR as \"/\" and nothing else\n"
	"  --view PATH=ACCESS   ro, rw or none for a subtree; can be repeated\n"
	"  --mask [WHAT:]BITS   only these permission bits are set; octal;\n"
	"                       WHAT: files or dirs\n"
	"  --force [WHAT:]BITS  these permission bits are always set\n"
	"  --audit TARGET       a line of JSON for each operation to a file,\n"
	"                       fd:NUMBER or syslog\n"
	"  --log-packets        log every request and reply\n"
	"  --atomic-upload      a new file appears once it is complete\n"
	"  --keep-partial       keep the parts of those that are not\n"
	"  --quota BYTES        how much a session may write; K, M, G\n"
	"  --rate BYTES         in a second; K, M, G\n"
	"  --sandbox MODE       auto, require or off (auto)\n"
	"  -h, --help           show this help and exit\n"
	"  -V, --version        show the version and exit\n"
	"\n"
	"An SSH server starts it: in sshd_config(5),\n"
	"  Subsystem sftp /usr/lib/csftp/csftp-server\n";

enum {
	OPT_ROOT = 256,
	OPT_VIEW,
	OPT_MASK,
	OPT_FORCE,
	OPT_AUDIT,
	OPT_LOG_PACKETS,
	OPT_ATOMIC,
	OPT_KEEP,
	OPT_QUOTA,
	OPT_RATE,
	OPT_SANDBOX
};

static const struct option long_options[] = {
	{"root", required_argument, NULL, OPT_ROOT},
	{"view", required_argument, NULL, OPT_VIEW},
	{"mask", required_argument, NULL, OPT_MASK},
	{"force", required_argument, NULL, OPT_FORCE},
	{"audit", required_argument, NULL, OPT_AUDIT},
	{"log-packets", no_argument, NULL, OPT_LOG_PACKETS},
	{"atomic-upload", no_argument, NULL, OPT_ATOMIC},
	{"keep-partial", no_argument, NULL, OPT_KEEP},
	{"quota", required_argument, NULL, OPT_QUOTA},
	{"rate", required_argument, NULL, OPT_RATE},
	{"sandbox", required_argument, NULL, OPT_SANDBOX},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

/* What -P and -p say. */
struct lists {
	bool denied_given;
	bool allowed_given;
	uint64_t denied;
	uint64_t allowed;
};

/* A word and what it means; the last has none. */
struct word {
	const char *word;
	int value;
};

static const struct word sandboxes[] = {
	{"auto", SANDBOX_AUTO},
	{"require", SANDBOX_REQUIRE},
	{"off", SANDBOX_OFF},
	{NULL, 0},
};

static const struct word accesses[] = {
	{"rw", POSIXFS_RW},
	{"ro", POSIXFS_RO},
	{"none", POSIXFS_NONE},
	{NULL, 0},
};

__attribute__((format(printf, 2, 3))) static bool
wrong(struct server_options *options, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(options->why, sizeof(options->why), format, args);
	va_end(args);
	return false;
}

/* -1 where the word is none of them. */
static int meaning(const struct word *words, const char *text)
{
	for (; words->word; words++)
		if (strcasecmp(words->word, text) == 0)
			return words->value;
	return -1;
}

/* Octal digits and nothing else. */
static bool octal(const char *text, uint32_t most, uint32_t *out)
{
	uint32_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return false;
		value = value << 3 | (uint32_t)(*text - '0');
		if (value > most)
			return false;
	}
	*out = value;
	return true;
}

/* Digits, then K, M, G or T (of 1024) or nothing; not 0. */
static bool amount(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value = 0;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'),
					   &value))
			return false;
	if (*text) {
		unit = strchr(units, *text >= 'a' ? *text - 'a' + 'A' : *text);
		if (!unit || text[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value == 0 || value > UINT64_MAX >> shift)
		return false;
	*out = value << shift;
	return true;
}

/* The bits of the requests in a list with commas. */
static bool requests(struct server_options *options, const char *list,
		     uint64_t *out)
{
	uint64_t bits = 0;

	while (*list) {
		size_t len = strcspn(list, ",");
		char name[64];
		int request = -1;

		if (len < sizeof(name)) {
			memcpy(name, list, len);
			name[len] = '\0';
			request = csftp_serve_request(name);
		}
		if (request < 0)
			return wrong(options,
				     "unknown request \"%.*s\"; -Q requests "
				     "shows those there are",
				     len < 64 ? (int)len : 64, list);
		bits |= (uint64_t)1 << request;
		list += len;
		list += *list == ',';
	}
	*out = bits;
	return true;
}

/* PATH=ACCESS; the last '=' counts, as a path may have some. */
static bool add_view(struct server_options *options, const char *text)
{
	const char *equals = strrchr(text, '=');
	struct posixfs_view *view = &options->view[options->view_count];
	int access = equals ? meaning(accesses, equals + 1) : -1;

	if (options->view_count == SERVER_VIEWS_MAX)
		return wrong(options, "--view: more than %d", SERVER_VIEWS_MAX);
	if (access < 0)
		return wrong(options,
			     "--view: \"%s\" does not end with =ro, =rw or "
			     "=none",
			     text);
	if (*text != '/')
		return wrong(options, "--view: %s: not absolute", text);
	view->path = strndup(text, (size_t)(equals - text));
	view->access = (enum posixfs_access)access;
	if (!view->path)
		return wrong(options, "out of memory");
	options->view_count++;
	return true;
}

/*
 * [files:|dirs:]BITS, for one or for both: a directory that may be read by
 * somebody is to be entered by them, too.
 */
static bool set_bits(struct server_options *options, const char *option,
		     const char *text, uint32_t *files, uint32_t *dirs)
{
	bool for_files = strncmp(text, "files:", 6) == 0;
	bool for_dirs = strncmp(text, "dirs:", 5) == 0;
	uint32_t bits;

	if (for_files)
		text += 6;
	else if (for_dirs)
		text += 5;
	if (!octal(text, 07777, &bits) || bits == 0)
		return wrong(options, "--%s: \"%s\" is not octal, 1 to 7777",
			     option, text);
	if (!for_dirs)
		*files = bits;
	if (!for_files)
		*dirs = for_dirs ? bits : bits | (bits & 0444) >> 2;
	return true;
}

static bool set_log(struct server_options *options, int opt, const char *text)
{
	bool known = opt == 'l' ? log_level_of(text, &options->log.level)
				: log_facility_of(text, &options->log.facility);

	return known || wrong(options, "unknown log %s \"%s\"",
			      opt == 'l' ? "level" : "facility", text);
}

/* Each once, as OpenSSH has it. */
static bool set_requests(struct server_options *options, int opt,
			 struct lists *lists)
{
	bool *given = opt == 'P' ? &lists->denied_given : &lists->allowed_given;

	if (*given)
		return wrong(options, "-%c is given twice", opt);
	*given = true;
	return requests(options, optarg,
			opt == 'P' ? &lists->denied : &lists->allowed);
}

static bool set_amount(struct server_options *options, int opt,
		       const char *text)
{
	if (amount(text, opt == OPT_QUOTA ? &options->quota : &options->rate))
		return true;
	return wrong(options,
		     "--%s: \"%s\" is not a number of bytes, with K, M, G or "
		     "T behind it or nothing",
		     opt == OPT_QUOTA ? "quota" : "rate", text);
}

static bool set_sandbox(struct server_options *options, const char *text)
{
	int mode = meaning(sandboxes, text);

	if (mode < 0)
		return wrong(options,
			     "--sandbox: \"%s\" is not auto, require or off",
			     text);
	options->sandbox = (enum sandbox_mode)mode;
	return true;
}

static bool set_umask(struct server_options *options, const char *text)
{
	if (!octal(text, 0777, &options->umask))
		return wrong(options, "Invalid umask \"%s\"", text);
	options->has_umask = true;
	return true;
}

static bool apply_path(struct server_options *options, int opt)
{
	const char **to = opt == 'd'	    ? &options->start
			  : opt == OPT_ROOT ? &options->root
					    : &options->audit;

	if (!*optarg)
		return wrong(options, "%s: empty",
			     opt == 'd'	       ? "-d"
			     : opt == OPT_ROOT ? "--root"
					       : "--audit");
	*to = optarg;
	return true;
}

static bool apply_flag(struct server_options *options, int opt)
{
	bool *flag = opt == 'e'		      ? &options->log.to_stderr
		     : opt == 'R'	      ? &options->read_only
		     : opt == OPT_LOG_PACKETS ? &options->log_packets
		     : opt == OPT_ATOMIC      ? &options->atomic_upload
					      : &options->keep_partial;

	*flag = true;
	return true;
}

/* An option with a value that is not a path. */
static bool apply_value(struct server_options *options, int opt,
			struct lists *lists)
{
	switch (opt) {
	case 'f':
	case 'l':
		return set_log(options, opt, optarg);
	case 'u':
		return set_umask(options, optarg);
	case OPT_VIEW:
		return add_view(options, optarg);
	case OPT_MASK:
		return set_bits(options, "mask", optarg, &options->files.mask,
				&options->dirs.mask);
	case OPT_FORCE:
		return set_bits(options, "force", optarg, &options->files.force,
				&options->dirs.force);
	case OPT_QUOTA:
	case OPT_RATE:
		return set_amount(options, opt, optarg);
	case OPT_SANDBOX:
		return set_sandbox(options, optarg);
	case 'P':
	case 'p':
		return set_requests(options, opt, lists);
	default:
		return false; /* '?' and ':': the usage says it */
	}
}

static bool apply(struct server_options *options, int opt, struct lists *lists)
{
	switch (opt) {
	case 'd':
	case OPT_ROOT:
	case OPT_AUDIT:
		return apply_path(options, opt);
	case 'e':
	case 'R':
	case OPT_LOG_PACKETS:
	case OPT_ATOMIC:
	case OPT_KEEP:
		return apply_flag(options, opt);
	default:
		return apply_value(options, opt, lists);
	}
}

/* What is wrong with options together, and the sums of some. */
static bool conclude(struct server_options *options, const struct lists *lists)
{
	options->denied = lists->denied;
	options->listed = lists->denied;
	if (lists->allowed_given)
		options->denied |= ~lists->allowed;
	if (options->keep_partial && !options->atomic_upload)
		return wrong(options, "--keep-partial: needs --atomic-upload");
	return true;
}

enum server_action server_options_parse(struct server_options *options,
					int argc, char **argv)
{
	struct lists lists = {0};
	int opt;

	*options = (struct server_options){
		.log = {.level = LEVEL_ERROR, .facility = LOG_AUTH}};
	optind = 0; /* getopt(3) begins anew */
	while ((opt = getopt_long(argc, argv, "+d:ef:hl:P:p:Q:Ru:V",
				  long_options, NULL)) != -1) {
		if (opt == 'h')
			return SERVER_HELP;
		if (opt == 'V')
			return SERVER_VERSION;
		if (opt == 'Q' && strcmp(optarg, "requests") == 0)
			return SERVER_REQUESTS;
		if (opt == 'Q')
			(void)wrong(options, "Invalid query type");
		if (opt == 'Q' || !apply(options, opt, &lists))
			return SERVER_ERROR;
	}
	if (optind < argc)
		(void)wrong(options, "unexpected argument: %s", argv[optind]);
	if (optind < argc || !conclude(options, &lists))
		return SERVER_ERROR;
	return SERVER_SERVE;
}

void server_options_release(struct server_options *options)
{
	for (size_t i = 0; i < options->view_count; i++)
		free((char *)(uintptr_t)options->view[i].path);
	options->view_count = 0;
}

int server_expand(char *out, size_t size, const char *text, const char *home,
		  const char *user)
{
	size_t used = 0;

	for (; *text; text++) {
		const char *piece = text;
		size_t len = 1;

		if (*text == '%') {
			text++;
			if (*text == 'd' || *text == 'h')
				piece = home;
			else if (*text == 'u')
				piece = user;
			else if (*text == '%')
				piece = "%";
			else
				return EINVAL;
			len = strlen(piece);
		}
		if (len >= size - used)
			return ENAMETOOLONG;
		memcpy(out + used, piece, len);
		used += len;
	}
	out[used] = '\0';
	return 0;
}
