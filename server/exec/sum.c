/* md5sum, sha1sum, sha256sum: hashes of files, or of standard input. */
#include <errno.h>
#include <string.h>

#include "server/exec/exec_impl.h"

/* A hash is one of these commands without the "sum" at its end. */
enum { SUM_LEN = 3, FAILED = 1 };

enum step {
	NEXT, /* argument */
	STDIN,
	LOOK, /* what is it? */
	OPEN,
	MORE, /* of the file */
	READ
};

static void sum_complain(struct exec *exec, const char *why)
{
	exec_say(exec, EXEC_STDERR, "%s: %s: %s", exec->command->name,
		 exec->path.text, why);
	exec->failed = true;
}

void exec_sum_start(struct exec *exec)
{
	const char *name = exec->command->name;
	struct wire_bytes hash = {(const uint8_t *)name,
				  strlen(name) - SUM_LEN};
	unsigned seen[2] = {0};
	char wrong = exec_options(exec, "bt", seen);

	exec->sum.binary = seen[0] > 0;
	exec->sum.step = exec_args_left(exec) > 0 ? NEXT : STDIN;
	if (wrong)
		exec_print(exec, EXEC_STDERR,
			   "%s: there is no option -%c here, only -b and -t\n",
			   name, wrong);
	else if (hash_choose(&exec->sum.hash, hash) != CSFTP_OK)
		exec_print(exec, EXEC_STDERR, "%s: not to be had here\n", name);
	else
		return;
	exec_end(exec, FAILED);
}

/* As coreutils: a name with such bytes is marked by a backslash in front. */
static void print_name(struct exec *exec, const char *name)
{
	for (; *name; name++) {
		char quoted[2] = {'\\', *name};

		if (*name == '\n')
			quoted[1] = 'n';
		if (*name == '\r')
			quoted[1] = 'r';
		if (strchr("\\\n\r", *name))
			exec_put(exec, EXEC_STDOUT, quoted, 2);
		else
			exec_put(exec, EXEC_STDOUT, name, 1);
	}
}

static void print_sum(struct exec *exec, const char *name)
{
	static const char digits[] = "0123456789abcdef";
	struct exec_sum *sum = &exec->sum;
	uint8_t hash[HASH_LEN_MAX];
	char hex[2 * HASH_LEN_MAX];

	hash_end(&sum->hash, hash);
	for (size_t i = 0; i < sum->hash.len; i++) {
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	if (name[strcspn(name, "\\\n\r")])
		exec_put(exec, EXEC_STDOUT, "\\", 1);
	exec_put(exec, EXEC_STDOUT, hex, 2 * sum->hash.len);
	exec_put(exec, EXEC_STDOUT, sum->binary ? " *" : "  ", 2);
	print_name(exec, name);
	exec_put(exec, EXEC_STDOUT, "\n", 1);
}

static void add(struct exec *exec, const uint8_t *bytes, size_t len)
{
	hash_add(&exec->sum.hash, bytes, len);
}

static void begin(struct exec *exec, enum step step)
{
	exec->sum.step = step;
	exec->sum.off = 0;
	hash_start(&exec->sum.hash);
}

/* A second "-" is the end of what the first has read. */
static bool on_stdin(struct exec *exec)
{
	struct wire_bytes input = exec_input(exec);

	if (input.len > 0) {
		add(exec, input.ptr, input.len);
		exec_take(exec, input.len);
		return true;
	}
	if (!exec->in_ended || !exec_has_room(exec, EXEC_STDOUT))
		return false;
	print_sum(exec, "-");
	exec->sum.step = NEXT;
	return true;
}

static bool on_next(struct exec *exec)
{
	switch (exec_args_next(exec)) {
	case ARGS_GO_ON:
		return true;
	case ARGS_NONE:
		exec_end(exec, exec->failed ? FAILED : 0);
		return true;
	case ARGS_READY:
		break;
	}
	if (strcmp(exec->path.text, "-") == 0) {
		begin(exec, STDIN);
		return true;
	}
	exec_ask_path(exec, CSFTP_OP_GETATTR);
	exec->sum.step = LOOK;
	return true;
}

static bool on_look(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	bool is_dir = answer->err == 0 &&
		      (answer->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;

	if (!exec_has_room(exec, EXEC_STDERR))
		return false;
	if (answer->err != 0 || is_dir) {
		sum_complain(exec, exec_why(is_dir ? EISDIR : answer->err));
		exec->sum.step = NEXT;
		return true;
	}
	exec->req = (struct csftp_req){.path = exec->path.text,
				       .flags = CSFTP_OPEN_READ};
	exec_ask(exec, CSFTP_OP_OPEN);
	exec->sum.step = OPEN;
	return true;
}

static bool on_open(struct exec *exec)
{
	if (!exec_has_room(exec, EXEC_STDERR))
		return false;
	if (exec->answer.err != 0) {
		sum_complain(exec, exec_why(exec->answer.err));
		exec->sum.step = NEXT;
		return true;
	}
	exec->sum.file = exec_take_fh(exec);
	exec->sum.file_is_open = true;
	begin(exec, MORE);
	return true;
}

static bool on_more(struct exec *exec)
{
	if (!exec_ask_read(exec, exec->sum.file, exec->sum.off, UINT64_MAX))
		return false;
	exec->sum.step = READ;
	return true;
}

bool exec_sum_shut(struct exec *exec)
{
	if (!exec->sum.file_is_open)
		return exec_args_shut(exec);
	exec->sum.file_is_open = false;
	exec_ask_fh(exec, CSFTP_OP_CLOSE, exec->sum.file);
	return true;
}

static bool on_read(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	struct exec_sum *sum = &exec->sum;

	/* There is room for a line of output, as the READ had more. */
	if (!exec_has_room(exec, EXEC_STDERR))
		return false;
	add(exec, exec->out.bytes + exec->out.tail, answer->len);
	sum->off += answer->len;
	sum->step = MORE;
	if (answer->err == 0 && !answer->eof)
		return true;
	if (answer->err != 0)
		sum_complain(exec, exec_why(answer->err));
	else
		print_sum(exec, exec->path.text);
	(void)exec_sum_shut(exec);
	sum->step = NEXT;
	return true;
}

bool exec_sum_step(struct exec *exec)
{
	switch ((enum step)exec->sum.step) {
	case NEXT:
		return on_next(exec);
	case STDIN:
		return on_stdin(exec);
	case LOOK:
		return on_look(exec);
	case OPEN:
		return on_open(exec);
	case MORE:
		return on_more(exec);
	case READ:
		break;
	}
	return on_read(exec);
}
