/*
 * The far end of scp: what both directions share.  The protocol is that of
 * rcp, which is written down nowhere: one side sends lines and files, the other
 * answers each with a byte 0, or with 1 (an error) or 2 (the end) and a line.
 */
#include <stdio.h>
#include <string.h>

#include "server/exec/exec_impl.h"

enum { FAILED = 1 };

enum flags { RECURSIVE, PRESERVE, TO_DIR, VERBOSE, QUIET, SINK, SOURCE, FLAGS };

void exec_scp_start(struct exec *exec)
{
	unsigned seen[FLAGS] = {0};
	char wrong = exec_options(exec, "rpdvqtf", seen);
	struct exec_scp *scp = &exec->scp;

	scp->recursive = seen[RECURSIVE] > 0;
	scp->preserve = seen[PRESERVE] > 0;
	scp->to_dir = seen[TO_DIR] > 0;
	scp->verbose = seen[VERBOSE] > 0;
	exec->command = seen[SINK] > 0 ? &exec_scp_sink : &exec_scp_source;
	exec->args.no_patterns = seen[SINK] > 0;
	if (wrong)
		exec_print(exec, EXEC_STDERR,
			   "scp: there is no option -%c here\n", wrong);
	else if ((seen[SINK] > 0) == (seen[SOURCE] > 0))
		exec_print(exec, EXEC_STDERR,
			   "scp: only as the far end of one: -t or -f\n");
	else if (exec_args_left(exec) == 0 ||
		 (seen[SINK] > 0 && exec_args_left(exec) > 1))
		exec_print(exec, EXEC_STDERR, "scp: ambiguous target\n");
	else
		return;
	exec_end(exec, FAILED);
}

bool exec_scp_has_room(struct exec *exec)
{
	return exec_has_room(exec, EXEC_STDOUT) &&
	       exec_has_room(exec, EXEC_STDERR);
}

void exec_scp_complain(struct exec *exec, const char *what, const char *why)
{
	exec_put(exec, EXEC_STDOUT, "\1", 1);
	exec_say(exec, EXEC_STDOUT, "scp: %s: %s", what, why);
	exec->failed = true;
}

/* The stream ended where it should not, or makes no sense. */
static bool lost(struct exec *exec)
{
	exec_end(exec, FAILED);
	return false;
}

bool exec_scp_line(struct exec *exec, struct wire_bytes *line)
{
	struct wire_bytes input = exec_input(exec);
	size_t most = input.len < EXEC_LINE_MAX ? input.len : EXEC_LINE_MAX;
	const uint8_t *end = memchr(input.ptr, '\n', most);

	if (!end && most == EXEC_LINE_MAX) {
		exec_scp_complain(exec, "protocol error", "a line too long");
		return lost(exec);
	}
	if (!end)
		return exec->in_ended ? lost(exec) : false;
	*line = (struct wire_bytes){input.ptr, (size_t)(end - input.ptr)};
	exec_take(exec, line->len + 1);
	return true;
}

void exec_scp_expect(struct exec *exec, unsigned step, unsigned then)
{
	exec->scp.step = step;
	exec->scp.then = then;
}

bool exec_scp_response(struct exec *exec)
{
	struct wire_bytes input = exec_input(exec), line;
	struct exec_scp *scp = &exec->scp;

	if (input.len == 0)
		return exec->in_ended ? lost(exec) : false;
	scp->answered_bad = *input.ptr != 0;
	if (!scp->answered_bad) {
		exec_take(exec, 1);
	} else {
		if (!exec_scp_line(exec, &line))
			return false;
		exec->failed = true;
		if (*line.ptr == 2)
			return lost(exec);
	}
	scp->step = scp->then;
	return true;
}
