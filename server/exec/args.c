/* Words of a command as paths: homes, and patterns in their last part. */
#include <errno.h>
#include <string.h>

#include "server/exec/exec_impl.h"

int exec_path_set(struct exec_path *path, const char *text, size_t len)
{
	if (len > CSFTP_PATH_MAX)
		return ENAMETOOLONG;
	memcpy(path->text, text, len);
	exec_path_cut(path, len);
	return 0;
}

int exec_path_add(struct exec_path *path, const char *name, size_t len)
{
	bool slash = path->len > 0 && path->text[path->len - 1] != '/';

	if (len + slash > CSFTP_PATH_MAX - path->len)
		return ENAMETOOLONG;
	if (slash)
		path->text[path->len++] = '/';
	memcpy(path->text + path->len, name, len);
	exec_path_cut(path, path->len + len);
	return 0;
}

void exec_path_cut(struct exec_path *path, size_t len)
{
	path->len = len;
	path->text[len] = '\0';
}

struct wire_bytes exec_path_name(const struct exec_path *path)
{
	size_t end = path->len, start;

	while (end > 1 && path->text[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path->text[start - 1] != '/'; start--)
		;
	return (struct wire_bytes){(const uint8_t *)path->text + start,
				   end - start};
}

/* Copies without the backslashes of WORDS_PATTERNS; room for len and NUL. */
static size_t unquote(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len)
			i++;
		out[n++] = text[i];
	}
	out[n] = '\0';
	return n;
}

void exec_unquote(char *word)
{
	(void)unquote(word, word, strlen(word));
}

bool exec_is_too_long(const char *word)
{
	size_t len = strlen(word), quotes = 0;

	for (size_t i = 0; i + 1 < len; i++)
		if (word[i] == '\\') {
			quotes++;
			i++;
		}
	return len - quotes > CSFTP_PATH_MAX;
}

char exec_options(struct exec *exec, const char *flags, unsigned *seen)
{
	struct exec_args *args = &exec->args;
	const char *word, *flag;

	while ((word = words_next(&exec->words, args->word)) &&
	       word[0] == '-' && word[1]) {
		args->word = word;
		if (strcmp(word, "--") == 0)
			break;
		while (*++word) {
			flag = strchr(flags, *word);
			if (!flag)
				return *word;
			seen[flag - flags]++;
		}
	}
	return '\0';
}

unsigned exec_args_left(const struct exec *exec)
{
	const char *word = exec->args.word;
	unsigned left = 0;

	while ((word = words_next(&exec->words, word)))
		left++;
	return left;
}

/* The word as it is, if it is no pattern, or one of nothing. */
static enum exec_args_state literal(struct exec *exec)
{
	struct exec_args *args = &exec->args;

	exec_path_cut(&exec->path, unquote(exec->path.text, args->pattern,
					   strlen(args->pattern)));
	args->step = ARGS_WORD;
	return ARGS_READY;
}

static enum exec_args_state on_word(struct exec *exec)
{
	struct exec_args *args = &exec->args;
	const char *word = words_next(&exec->words, args->word);
	size_t user;

	if (!word)
		return ARGS_NONE;
	args->word = word;
	args->found = false;
	memcpy(args->pattern, word, strlen(word) + 1);
	args->step = ARGS_PATTERN;
	if (*word == '~') {
		user = strcspn(word, "/");
		exec_path_cut(&exec->path,
			      unquote(exec->path.text, word, user));
		exec->req = (struct csftp_req){.path = exec->path.text,
					       .flags = CSFTP_EXPAND};
		exec_ask(exec, CSFTP_OP_REALPATH);
		args->step = ARGS_HOME;
	}
	return ARGS_GO_ON;
}

/* The home in place of what stands before the first slash. */
static enum exec_args_state on_home(struct exec *exec)
{
	struct exec_args *args = &exec->args;
	char *pattern = args->pattern;
	size_t user = strcspn(pattern, "/"), rest = strlen(pattern) - user;
	size_t len = 2 * exec->path.len, n = 0;

	args->step = ARGS_PATTERN;
	if (exec->answer.err != 0 || rest > CSFTP_PATH_MAX - exec->path.len)
		return ARGS_GO_ON;
	memmove(pattern + len, pattern + user, rest + 1);
	for (size_t i = 0; i < exec->path.len; i++) {
		pattern[n++] = '\\';
		pattern[n++] = exec->path.text[i];
	}
	return ARGS_GO_ON;
}

/* The directory that a pattern looks into. */
static void set_dir(struct exec *exec)
{
	struct exec_args *args = &exec->args;

	exec_path_cut(&exec->path,
		      unquote(exec->path.text, args->pattern, args->name_at));
}

static enum exec_args_state on_pattern(struct exec *exec)
{
	struct exec_args *args = &exec->args;
	const char *slash = strrchr(args->pattern, '/');

	args->name_at = slash ? (size_t)(slash + 1 - args->pattern) : 0;
	if (args->no_patterns ||
	    !exec_is_pattern(args->pattern + args->name_at))
		return literal(exec);
	set_dir(exec);
	exec_ask_path(exec, CSFTP_OP_OPENDIR);
	args->step = ARGS_OPENDIR;
	return ARGS_GO_ON;
}

static enum exec_args_state on_opendir(struct exec *exec)
{
	struct exec_args *args = &exec->args;

	if (exec->answer.err != 0)
		return literal(exec);
	args->dir = exec_take_fh(exec);
	args->dir_is_open = true;
	args->step = ARGS_MORE;
	return ARGS_GO_ON;
}

static void close_dir(struct exec *exec)
{
	exec->args.dir_is_open = false;
	exec_ask_fh(exec, CSFTP_OP_CLOSE, exec->args.dir);
}

static enum exec_args_state on_name(struct exec *exec)
{
	struct exec_args *args = &exec->args;
	const struct exec_answer *answer = &exec->answer;

	args->step = ARGS_MORE;
	if (answer->err != 0 || (answer->len == 0 && answer->eof)) {
		close_dir(exec);
		args->step = ARGS_CLOSE;
		return ARGS_GO_ON;
	}
	if (answer->len == 0 ||
	    !exec_match(exec->name, args->pattern + args->name_at))
		return ARGS_GO_ON;
	set_dir(exec);
	if (exec_path_add(&exec->path, exec->name, strlen(exec->name)) != 0)
		return ARGS_GO_ON;
	args->found = true;
	return ARGS_READY;
}

enum exec_args_state exec_args_next(struct exec *exec)
{
	struct exec_args *args = &exec->args;

	switch (args->step) {
	case ARGS_WORD:
		return on_word(exec);
	case ARGS_HOME:
		return on_home(exec);
	case ARGS_PATTERN:
		return on_pattern(exec);
	case ARGS_OPENDIR:
		return on_opendir(exec);
	case ARGS_MORE:
		exec_ask_name(exec, args->dir);
		args->step = ARGS_READDIR;
		return ARGS_GO_ON;
	case ARGS_READDIR:
		return on_name(exec);
	case ARGS_CLOSE:
		break;
	}
	if (!args->found)
		return literal(exec);
	args->step = ARGS_WORD;
	return ARGS_GO_ON;
}

bool exec_args_shut(struct exec *exec)
{
	if (!exec->args.dir_is_open)
		return false;
	close_dir(exec);
	return true;
}
