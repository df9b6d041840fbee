/* echo and df. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/exec/exec_impl.h"

enum { FAILED = 1 };

/* A word at a time; "-n" as the first leaves out the line end. */
bool exec_echo_step(struct exec *exec)
{
	struct exec_args *args = &exec->args;
	const char *word = words_next(&exec->words, args->word);
	bool first = exec->step == 0;

	if (!exec_has_room(exec, EXEC_STDOUT))
		return false;
	if (first && word && strcmp(word, "-n") == 0) {
		exec->no_line_end = true;
		args->word = word;
		word = words_next(&exec->words, word);
	}
	exec->step = 1;
	if (!word) {
		if (!exec->no_line_end)
			exec_put(exec, EXEC_STDOUT, "\n", 1);
		exec_end(exec, 0);
		return true;
	}
	args->word = word;
	memcpy(args->pattern, word, strlen(word) + 1);
	exec_unquote(args->pattern);
	exec_print(exec, EXEC_STDOUT, "%s%s", first ? "" : " ", args->pattern);
	return true;
}

enum df_step { DF_START, DF_NEXT, DF_ASKED };

void exec_df_start(struct exec *exec)
{
	unsigned seen[2] = {0};
	char wrong = exec_options(exec, "kP", seen);

	if (wrong) {
		exec_print(exec, EXEC_STDERR,
			   "df: there is no option -%c here, only -k and -P\n",
			   wrong);
		exec_end(exec, FAILED);
		return;
	}
	exec_print(exec, EXEC_STDOUT,
		   "Filesystem     %11s %9s %9s %8s Mounted on\n",
		   seen[1] ? "1024-blocks" : "1K-blocks", "Used", "Available",
		   seen[1] ? "Capacity" : "Use%");
	/* Without a path it is the start directory. */
	exec->step = exec_args_left(exec) > 0 ? DF_NEXT : DF_START;
}

/* Blocks in KiB, the most there can be if they are more. */
static uint64_t kib(uint64_t blocks, uint64_t size)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(blocks, size, &bytes))
		bytes = UINT64_MAX;
	return bytes / 1024;
}

static void print_df(struct exec *exec)
{
	const struct csftp_statfs *statfs = &exec->answer.statfs;
	uint64_t size = kib(statfs->blocks, statfs->frsize);
	uint64_t free = kib(statfs->bfree, statfs->frsize);
	uint64_t left = kib(statfs->bavail, statfs->frsize);
	uint64_t used = size > free ? size - free : 0;
	uint64_t all = used + left;
	char percent[24] = "-";

	/* Rounded up, of what users can have at all, as df does. */
	if (all > 0)
		(void)snprintf(percent, sizeof(percent), "%" PRIu64 "%%",
			       (used * 100 + all - 1) / all);
	exec_say(exec, EXEC_STDOUT,
		 "%-14s %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8s %s",
		 "csftp", size, used, left, percent,
		 exec->path.len > 0 ? exec->path.text : ".");
}

static bool on_asked(struct exec *exec)
{
	if (!exec_has_room(exec, EXEC_STDOUT) ||
	    !exec_has_room(exec, EXEC_STDERR))
		return false;
	if (exec->answer.err == 0) {
		print_df(exec);
	} else {
		exec_say(exec, EXEC_STDERR, "df: %s: %s", exec->path.text,
			 exec_why(exec->answer.err));
		exec->failed = true;
	}
	exec->step = DF_NEXT;
	return true;
}

bool exec_df_step(struct exec *exec)
{
	enum exec_args_state state = ARGS_READY;

	if (exec->step == DF_ASKED)
		return on_asked(exec);
	if (exec->step == DF_NEXT)
		state = exec_args_next(exec);
	if (state == ARGS_NONE)
		exec_end(exec, exec->failed ? FAILED : 0);
	if (state != ARGS_READY)
		return true;
	exec_ask_path(exec, CSFTP_OP_STATFS);
	exec->step = DF_ASKED;
	return true;
}
