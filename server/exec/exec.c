#include "server/exec/exec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/errmap.h"
#include "server/exec/exec_impl.h"

/* As a shell's: there is no such command; it cannot be understood. */
enum { NOT_FOUND = 127, BAD_LINE = 2 };

static const struct exec_command commands[] = {
	{"scp", true, exec_scp_start, NULL, NULL},
	{"md5sum", true, exec_sum_start, exec_sum_step, exec_sum_shut},
	{"sha1sum", true, exec_sum_start, exec_sum_step, exec_sum_shut},
	{"sha256sum", true, exec_sum_start, exec_sum_step, exec_sum_shut},
	{"df", false, exec_df_start, exec_df_step, exec_args_shut},
	{"echo", false, NULL, exec_echo_step, NULL},
};

size_t exec_size(void)
{
	return sizeof(struct exec);
}

const char *exec_why(int err)
{
	return sftp_errno_text(err);
}

static bool is_writing(const struct exec *exec)
{
	return exec->waiting && exec->req.op == CSFTP_OP_WRITE;
}

/* Nobody reads it, so that it does not fill the peer's window either. */
static bool drops_input(const struct exec *exec)
{
	return exec->stopping || exec->ended || !exec->command ||
	       !exec->command->reads_input;
}

/* Moves to the front what nobody points at. */
static void compact(struct exec_buf *buf)
{
	if (buf->head == 0)
		return;
	if (buf->tail > buf->head)
		memmove(buf->bytes, buf->bytes + buf->head,
			buf->tail - buf->head);
	buf->tail -= buf->head;
	buf->head = 0;
}

uint8_t *exec_in(struct exec *exec, size_t *room)
{
	struct exec_buf *in = &exec->in;

	/* What is being written stays where it is. */
	if (!is_writing(exec) && (in->tail == in->cap || in->head == in->tail))
		compact(in);
	*room = exec->in_ended ? 0 : in->cap - in->tail;
	return in->bytes + in->tail;
}

void exec_in_ack(struct exec *exec, size_t len)
{
	exec->in.tail += len;
	if (drops_input(exec))
		exec->in.head = exec->in.tail;
}

void exec_in_end(struct exec *exec)
{
	exec->in_ended = true;
}

struct wire_bytes exec_input(const struct exec *exec)
{
	return (struct wire_bytes){exec->in.bytes + exec->in.head,
				   exec->in.tail - exec->in.head};
}

void exec_take(struct exec *exec, size_t len)
{
	exec->in.head += len;
}

static struct exec_buf *output(struct exec *exec, enum exec_stream which)
{
	return which == EXEC_STDOUT ? &exec->out : &exec->err;
}

const uint8_t *exec_out(const struct exec *exec, enum exec_stream which,
			size_t *len)
{
	const struct exec_buf *buf =
		which == EXEC_STDOUT ? &exec->out : &exec->err;

	*len = buf->tail - buf->head;
	return buf->bytes + buf->head;
}

void exec_out_ack(struct exec *exec, enum exec_stream which, size_t len)
{
	output(exec, which)->head += len;
}

bool exec_has_room(struct exec *exec, enum exec_stream which)
{
	struct exec_buf *buf = output(exec, which);

	if (buf->cap - buf->tail < EXEC_LINE_MAX)
		compact(buf);
	return buf->cap - buf->tail >= EXEC_LINE_MAX;
}

void exec_put(struct exec *exec, enum exec_stream which, const void *bytes,
	      size_t len)
{
	struct exec_buf *buf = output(exec, which);

	memcpy(buf->bytes + buf->tail, bytes, len);
	buf->tail += len;
}

void exec_print(struct exec *exec, enum exec_stream which, const char *format,
		...)
{
	struct exec_buf *buf = output(exec, which);
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf((char *)buf->bytes + buf->tail, EXEC_LINE_MAX, format,
			args);
	va_end(args);
	if (len > 0)
		buf->tail += (size_t)len < EXEC_LINE_MAX ? (size_t)len
							 : EXEC_LINE_MAX - 1;
}

static void tame(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

void exec_say(struct exec *exec, enum exec_stream which, const char *format,
	      ...)
{
	char line[EXEC_LINE_MAX - 8];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0)
		return;
	tame(line, strlen(line));
	exec_print(exec, which, "%s\n", line);
}

bool exec_ended(const struct exec *exec, uint32_t *status)
{
	if (!exec->ended || exec->out.head < exec->out.tail ||
	    exec->err.head < exec->err.tail)
		return false;
	*status = exec->status;
	return true;
}

void exec_end(struct exec *exec, uint32_t status)
{
	exec->stopping = true;
	exec->status = status;
}

void exec_stop(struct exec *exec)
{
	if (!exec->stopping)
		exec_end(exec, 1);
	exec->in_ended = true;
	exec->out.head = exec->out.tail;
	exec->err.head = exec->err.tail;
	/* What is being closed shall be. */
	if (exec->waiting && exec->req.op != CSFTP_OP_CLOSE)
		csftp_cancel(exec->config.fs, &exec->req);
}

csftp_fh exec_take_fh(struct exec *exec)
{
	exec->has_fh = false;
	return exec->answer.fh;
}

/* Closes one thing that is open; false: nothing is. */
static bool shut(struct exec *exec)
{
	if (!exec->has_fh)
		return exec->command && exec->command->shut &&
		       exec->command->shut(exec);
	exec->req = (struct csftp_req){.fh = exec_take_fh(exec),
				       .flags = CSFTP_FORCED};
	exec_ask(exec, CSFTP_OP_CLOSE);
	return true;
}

static bool step(struct exec *exec)
{
	if (exec->waiting || exec->ended)
		return false;
	/* A step that waits may have found that there is no use in it. */
	if (!exec->stopping)
		return exec->command->step(exec) || exec->stopping;
	if (shut(exec))
		return true;
	exec->ended = true;
	return false;
}

bool exec_turn(struct exec *exec)
{
	unsigned steps = 0;

	exec->in_turn = true;
	while (steps < EXEC_STEPS && step(exec))
		steps++;
	exec->in_turn = false;
	return steps == EXEC_STEPS && !exec->waiting && !exec->ended;
}

/* What SFTP calls each that commands ask; there is no other. */
static const struct {
	const char *by_path;
	const char *by_handle;
	bool writes;
} meant[CSFTP_OP_COUNT] = {
	[CSFTP_OP_GETATTR] = {"stat", "fstat", false},
	[CSFTP_OP_SETATTR] = {"setstat", "fsetstat", true},
	[CSFTP_OP_REALPATH] = {"expand-path", NULL, false},
	[CSFTP_OP_MKDIR] = {"mkdir", NULL, true},
	[CSFTP_OP_OPEN] = {"open", NULL, false},
	[CSFTP_OP_READ] = {NULL, "read", false},
	[CSFTP_OP_WRITE] = {NULL, "write", true},
	[CSFTP_OP_OPENDIR] = {"opendir", NULL, false},
	[CSFTP_OP_READDIR] = {NULL, "readdir", false},
	[CSFTP_OP_STATFS] = {"statvfs", NULL, false},
};

static bool is_refused(const struct exec_config *config,
		       const struct csftp_req *req, const char *name)
{
	bool writes = meant[req->op].writes || (req->op == CSFTP_OP_OPEN &&
						req->flags != CSFTP_OPEN_READ);

	if (!name || (config->read_only && writes))
		return true;
	return config->denied != 0 &&
	       config->denied >> csftp_serve_request(name) & 1;
}

/* The policy; what is open can always be closed. */
static bool may_ask(const struct exec *exec)
{
	const struct exec_config *config = &exec->config;
	const struct csftp_req *req = &exec->req;
	struct csftp_refusal refusal = {
		.name = req->path ? meant[req->op].by_path
				  : meant[req->op].by_handle,
		.fh = req->path ? NULL : &req->fh,
	};

	if (req->op == CSFTP_OP_CLOSE || !is_refused(config, req, refusal.name))
		return true;
	if (req->path)
		refusal.path =
			(struct csftp_slice){req->path, strlen(req->path)};
	if (config->refused && refusal.name)
		config->refused(config->refused_arg, &refusal);
	return false;
}

static void keep_data(struct exec *exec, const struct csftp_slice *data)
{
	if (exec->req.op != CSFTP_OP_READ || data->len == 0)
		return;
	exec->answer.len = data->len;
	if (data->ptr != exec->req.into)
		memcpy(exec->req.into, data->ptr, data->len);
}

static void on_answer(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct exec *exec =
		(struct exec *)((char *)req - offsetof(struct exec, req));
	struct exec_answer *answer = &exec->answer;

	answer->err = reply->err;
	if (reply->err == 0) {
		answer->eof = reply->eof;
		answer->fh = reply->fh;
		if (reply->attr)
			answer->attr = *reply->attr;
		if (reply->statfs)
			answer->statfs = *reply->statfs;
		if (reply->text.len > 0)
			answer->err = exec_path_set(
				&exec->path, reply->text.ptr, reply->text.len);
		keep_data(exec, &reply->data);
	}
	exec->has_fh = answer->err == 0 && (req->op == CSFTP_OP_OPEN ||
					    req->op == CSFTP_OP_OPENDIR);
	exec->waiting = false;
	if (!exec->in_turn && exec->config.wake)
		exec->config.wake(exec->config.arg);
}

void exec_ask(struct exec *exec, enum csftp_op op)
{
	struct csftp_req *req = &exec->req;

	req->op = op;
	req->done = on_answer;
	exec->answer.err = 0;
	exec->answer.eof = false;
	exec->answer.len = 0;
	if (!may_ask(exec)) {
		exec->answer.err = EACCES;
		return;
	}
	exec->waiting = true;
	csftp_submit(exec->config.fs, req);
}

void exec_ask_path(struct exec *exec, enum csftp_op op)
{
	exec->req = (struct csftp_req){.path = exec->path.text};
	exec_ask(exec, op);
}

void exec_ask_fh(struct exec *exec, enum csftp_op op, csftp_fh fh)
{
	exec->req = (struct csftp_req){.fh = fh};
	exec_ask(exec, op);
}

bool exec_ask_read(struct exec *exec, csftp_fh fh, uint64_t off, uint64_t max)
{
	struct exec_buf *out = &exec->out;

	/* Half of it, so that the other half can be sent meanwhile. */
	if (out->cap - out->tail < out->cap / 2)
		compact(out);
	if (out->cap - out->tail < out->cap / 2)
		return false;
	if (max > out->cap / 2)
		max = out->cap / 2;
	exec->req = (struct csftp_req){.fh = fh,
				       .off = off,
				       .len = max,
				       .into = out->bytes + out->tail};
	exec_ask(exec, CSFTP_OP_READ);
	return true;
}

/* "." and "..", and what no directory can have in it. */
static bool is_no_name(const struct csftp_slice *name)
{
	if (name->len <= 2 && memcmp(name->ptr, "..", name->len) == 0)
		return true;
	return name->len > CSFTP_NAME_MAX ||
	       memchr(name->ptr, '/', name->len) ||
	       memchr(name->ptr, '\0', name->len);
}

static bool on_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct exec *exec =
		(struct exec *)((char *)req - offsetof(struct exec, req));

	if (is_no_name(&entry->name))
		return true;
	if (exec->answer.len > 0)
		return false;
	memcpy(exec->name, entry->name.ptr, entry->name.len);
	exec->name[entry->name.len] = '\0';
	exec->answer.len = 1;
	return true;
}

void exec_ask_name(struct exec *exec, csftp_fh dir)
{
	exec->req = (struct csftp_req){.fh = dir, .entry = on_entry};
	exec_ask(exec, CSFTP_OP_READDIR);
}

static const struct exec_command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void say_there_is_none(struct exec *exec, const char *name)
{
	exec_print(exec, EXEC_STDERR, "csftpd: %.64s: no such command; ", name);
	exec_print(exec, EXEC_STDERR, "there are");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		exec_print(exec, EXEC_STDERR, " %s", commands[i].name);
	exec_print(exec, EXEC_STDERR, "\n");
	exec_end(exec, NOT_FOUND);
}

/* NULL, or what is wrong with the command line. */
static const char *split(struct exec *exec, const void *command, size_t len)
{
	const struct wire_bytes text = {command, len};
	const char *word = NULL;

	switch ((int)words_split(&exec->words, WORDS_PATTERNS, text)) {
	case CSFTP_OK:
		break;
	case CSFTP_ERR_VALUE:
		return "there is no shell here; quote what is special to one";
	case CSFTP_ERR_SHORT:
		return "quotes that do not end";
	default:
		return "too long";
	}
	while ((word = words_next(&exec->words, word)))
		if (exec_is_too_long(word))
			return "a word is too long";
	return NULL;
}

static void begin(struct exec *exec)
{
	const char *name = words_next(&exec->words, NULL);

	exec->args.word = name;
	exec->command = name ? find(name) : NULL;
	if (!name)
		exec_end(exec, 0);
	else if (!exec->command)
		say_there_is_none(exec, name);
	else if (exec->command->start)
		exec->command->start(exec);
}

struct exec *exec_init(void *memory, const struct exec_config *config,
		       const void *command, size_t len)
{
	struct exec *exec = memory;
	const char *wrong;

	memset(exec, 0, offsetof(struct exec, word_room));
	exec->config = *config;
	exec->words =
		(struct words){exec->word_room, sizeof(exec->word_room), 0, 0};
	exec->in =
		(struct exec_buf){exec->in_room, sizeof(exec->in_room), 0, 0};
	exec->out =
		(struct exec_buf){exec->out_room, sizeof(exec->out_room), 0, 0};
	exec->err =
		(struct exec_buf){exec->err_room, sizeof(exec->err_room), 0, 0};
	wrong = split(exec, command, len);
	if (wrong) {
		exec_print(exec, EXEC_STDERR, "csftpd: %s\n", wrong);
		exec_end(exec, BAD_LINE);
	} else {
		begin(exec);
	}
	return exec;
}
