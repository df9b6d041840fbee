/* scp -f: sends files. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/exec/exec_impl.h"

enum { FAILED = 1 };

enum step {
	START, /* the peer says that it is ready */
	RESPONSE,
	NEXT, /* argument */
	LOOK,
	/* A file. */
	OPEN,
	STAT,
	HEAD,
	BODY,
	MORE,
	READ,
	CLOSE,
	/* A directory. */
	DIR_OPEN,
	DIR_HEAD,
	DIR_BODY,
	DIR_MORE,
	DIR_NAME,
	DIR_END,
	DONE /* with a file or a directory */
};

static void go(struct exec *exec, enum step step)
{
	exec->scp.step = step;
}

/* The item of exec->path cannot be sent. */
static void give_up(struct exec *exec, const char *why)
{
	exec_scp_complain(exec, exec->path.text, why);
	go(exec, DONE);
}

static void look(struct exec *exec)
{
	exec_ask_path(exec, CSFTP_OP_GETATTR);
	go(exec, LOOK);
}

static void on_next(struct exec *exec)
{
	switch (exec_args_next(exec)) {
	case ARGS_GO_ON:
		break;
	case ARGS_NONE:
		exec_end(exec, exec->failed ? FAILED : 0);
		break;
	case ARGS_READY:
		look(exec);
		break;
	}
}

static void open_dir(struct exec *exec)
{
	if (!exec->scp.recursive) {
		give_up(exec, "not a regular file");
	} else if (exec->scp.depth == EXEC_DEPTH_MAX) {
		give_up(exec, "too many directories in each other");
	} else {
		exec_ask_path(exec, CSFTP_OP_OPENDIR);
		go(exec, DIR_OPEN);
	}
}

static void keep_attr(struct exec *exec, const struct csftp_attr *attr)
{
	exec->scp.mode = attr->mode & 07777;
	exec->scp.atime = attr->atime;
	exec->scp.mtime = attr->mtime;
	exec->scp.left = attr->size;
}

static void on_look(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	struct wire_bytes name = exec_path_name(&exec->path);
	uint32_t type = answer->attr.mode & CSFTP_S_IFMT;

	if (answer->err != 0) {
		give_up(exec, exec_why(answer->err));
	} else if (name.len > 0 && memchr(name.ptr, '\n', name.len)) {
		give_up(exec, "a line end in its name");
	} else if (type == CSFTP_S_IFDIR) {
		keep_attr(exec, &answer->attr);
		open_dir(exec);
	} else if (type == CSFTP_S_IFREG) {
		exec->req = (struct csftp_req){.path = exec->path.text,
					       .flags = CSFTP_OPEN_READ};
		exec_ask(exec, CSFTP_OP_OPEN);
		go(exec, OPEN);
	} else {
		give_up(exec, "not a regular file");
	}
}

static void close_file(struct exec *exec)
{
	exec->scp.file_is_open = false;
	exec_ask_fh(exec, CSFTP_OP_CLOSE, exec->scp.file);
	go(exec, DONE);
}

static void on_open(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	if (exec->answer.err != 0) {
		give_up(exec, exec_why(exec->answer.err));
		return;
	}
	scp->file = exec_take_fh(exec);
	scp->file_is_open = true;
	/* What is open is what will be sent; the path may have changed. */
	exec_ask_fh(exec, CSFTP_OP_GETATTR, scp->file);
	go(exec, STAT);
}

/* A line of the protocol, and what the peer says to it. */
static void send_times(struct exec *exec, enum step then)
{
	const struct exec_scp *scp = &exec->scp;

	exec_print(exec, EXEC_STDOUT, "T%" PRId64 " 0 %" PRId64 " 0\n",
		   scp->mtime.sec > 0 ? scp->mtime.sec : 0,
		   scp->atime.sec > 0 ? scp->atime.sec : 0);
	exec_scp_expect(exec, RESPONSE, then);
}

static void send_head(struct exec *exec, char kind, uint64_t size,
		      enum step then)
{
	struct wire_bytes name = exec_path_name(&exec->path);

	exec_print(exec, EXEC_STDOUT, "%c%04o %" PRIu64 " %.*s\n", kind,
		   exec->scp.mode, size, (int)name.len, (const char *)name.ptr);
	if (exec->scp.verbose)
		exec_print(exec, EXEC_STDERR,
			   "Sending: %c%04o %" PRIu64 " %.*s\n", kind,
			   exec->scp.mode, size, (int)name.len,
			   (const char *)name.ptr);
	exec_scp_expect(exec, RESPONSE, then);
}

static void on_stat(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	struct exec_scp *scp = &exec->scp;

	if (answer->err != 0 || !(answer->attr.mask & CSFTP_ATTR_SIZE)) {
		exec_scp_complain(exec, exec->path.text,
				  exec_why(answer->err ? answer->err : EIO));
		close_file(exec);
		return;
	}
	keep_attr(exec, &answer->attr);
	scp->off = 0;
	scp->err = 0;
	scp->answered_bad = false;
	if (scp->preserve)
		send_times(exec, HEAD);
	else
		go(exec, HEAD);
}

static void on_head(struct exec *exec)
{
	if (exec->scp.answered_bad)
		close_file(exec);
	else
		send_head(exec, 'C', exec->scp.left, BODY);
}

static void on_body(struct exec *exec)
{
	if (exec->scp.answered_bad)
		close_file(exec);
	else
		go(exec, MORE);
}

/* The file's length was promised: what cannot be read is zeros. */
static bool send_zeros(struct exec *exec)
{
	struct exec_buf *out = &exec->out;
	size_t len = out->cap - out->tail;

	if (len > exec->scp.left)
		len = (size_t)exec->scp.left;
	memset(out->bytes + out->tail, 0, len);
	out->tail += len;
	exec->scp.left -= len;
	return true;
}

static bool on_more(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	if (scp->left > 0 && scp->err != 0)
		return send_zeros(exec);
	if (scp->left > 0) {
		if (!exec_ask_read(exec, scp->file, scp->off, scp->left))
			return false;
		go(exec, READ);
		return true;
	}
	if (scp->err == 0)
		exec_put(exec, EXEC_STDOUT, "", 1);
	else
		exec_scp_complain(exec, exec->path.text, exec_why(scp->err));
	exec_scp_expect(exec, RESPONSE, CLOSE);
	return true;
}

static void on_read(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	struct exec_scp *scp = &exec->scp;
	size_t len = answer->len < scp->left ? answer->len : (size_t)scp->left;

	exec->out.tail += len;
	scp->off += len;
	scp->left -= len;
	scp->err = answer->err;
	/* It has become shorter. */
	if (answer->err == 0 && answer->eof && scp->left > 0)
		scp->err = EIO;
	go(exec, MORE);
}

static void on_dir_open(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	struct exec_level *level = &scp->level[scp->depth];

	if (exec->answer.err != 0) {
		give_up(exec, exec_why(exec->answer.err));
		return;
	}
	*level = (struct exec_level){.path_len = exec->path.len,
				     .dir = exec_take_fh(exec)};
	scp->depth++;
	scp->answered_bad = false;
	if (scp->preserve)
		send_times(exec, DIR_HEAD);
	else
		go(exec, DIR_HEAD);
}

static void close_dir(struct exec *exec, enum step then)
{
	struct exec_scp *scp = &exec->scp;

	scp->depth--;
	exec_ask_fh(exec, CSFTP_OP_CLOSE, scp->level[scp->depth].dir);
	go(exec, then);
}

static void on_dir_head(struct exec *exec)
{
	if (exec->scp.answered_bad)
		close_dir(exec, DONE);
	else
		send_head(exec, 'D', 0, DIR_BODY);
}

static void on_dir_body(struct exec *exec)
{
	if (exec->scp.answered_bad)
		close_dir(exec, DONE);
	else
		go(exec, DIR_MORE);
}

static void on_dir_name(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	int err;

	go(exec, DIR_MORE);
	if (answer->err != 0)
		exec_scp_complain(exec, exec->path.text, exec_why(answer->err));
	if (answer->err != 0 || (answer->len == 0 && answer->eof)) {
		close_dir(exec, DIR_END);
		return;
	}
	if (answer->len == 0)
		return;
	err = exec_path_add(&exec->path, exec->name, strlen(exec->name));
	if (err == 0)
		look(exec);
	else
		exec_scp_complain(exec, exec->name, exec_why(err));
}

static void on_done(struct exec *exec)
{
	const struct exec_scp *scp = &exec->scp;

	if (scp->depth > 0)
		exec_path_cut(&exec->path, scp->level[scp->depth - 1].path_len);
	go(exec, scp->depth > 0 ? DIR_MORE : NEXT);
}

static void on_dir(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	switch (scp->step) {
	case DIR_OPEN:
		on_dir_open(exec);
		break;
	case DIR_HEAD:
		on_dir_head(exec);
		break;
	case DIR_BODY:
		on_dir_body(exec);
		break;
	case DIR_MORE:
		exec_ask_name(exec, scp->level[scp->depth - 1].dir);
		go(exec, DIR_NAME);
		break;
	case DIR_NAME:
		on_dir_name(exec);
		break;
	default:
		exec_put(exec, EXEC_STDOUT, "E\n", 2);
		exec_scp_expect(exec, RESPONSE, DONE);
		break;
	}
}

static bool step(struct exec *exec)
{
	if (!exec_scp_has_room(exec))
		return false;
	switch ((enum step)exec->scp.step) {
	case START:
		exec_scp_expect(exec, RESPONSE, NEXT);
		break;
	case RESPONSE:
		return exec_scp_response(exec);
	case NEXT:
		on_next(exec);
		break;
	case LOOK:
		on_look(exec);
		break;
	case OPEN:
		on_open(exec);
		break;
	case STAT:
		on_stat(exec);
		break;
	case HEAD:
		on_head(exec);
		break;
	case BODY:
		on_body(exec);
		break;
	case MORE:
		return on_more(exec);
	case READ:
		on_read(exec);
		break;
	case CLOSE:
		close_file(exec);
		break;
	case DIR_OPEN:
	case DIR_HEAD:
	case DIR_BODY:
	case DIR_MORE:
	case DIR_NAME:
	case DIR_END:
		on_dir(exec);
		break;
	case DONE:
		on_done(exec);
		break;
	}
	return true;
}

static bool shut(struct exec *exec)
{
	if (exec->scp.file_is_open)
		close_file(exec);
	else if (exec->scp.depth > 0)
		close_dir(exec, DONE);
	else
		return exec_args_shut(exec);
	return true;
}

const struct exec_command exec_scp_source = {"scp", true, NULL, step, shut};
