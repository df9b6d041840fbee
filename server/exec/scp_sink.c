/* scp -t: takes files. */
#include <errno.h>
#include <string.h>

#include "server/exec/exec_impl.h"

enum { FAILED = 1 };

enum step {
	START, /* the target */
	TARGET,
	LINE,
	RESPONSE,
	/* A file. */
	OPEN,
	DATA,
	WRITE,
	BEHIND,
	SET,
	CLOSE,
	/* A directory begins. */
	MKDIR,
	DIR_LOOK,
	/* And ends. */
	POP_LOOK,
	POP_SET,
	POP
};

static void go(struct exec *exec, enum step step)
{
	exec->scp.step = step;
}

static void ready(struct exec *exec)
{
	exec_put(exec, EXEC_STDOUT, "", 1);
	go(exec, LINE);
}

/* The end of the path of the directory that is filled, or of the target. */
static size_t base_len(const struct exec *exec)
{
	const struct exec_scp *scp = &exec->scp;

	return scp->depth > 0 ? scp->level[scp->depth - 1].path_len
			      : scp->target_len;
}

/* The item of exec->path is refused; the next line is of the next one. */
static void refuse(struct exec *exec, int err)
{
	exec_scp_complain(exec, exec->path.text, exec_why(err));
	exec_path_cut(&exec->path, base_len(exec));
	exec->scp.has_times = false;
	go(exec, LINE);
}

static void protocol_error(struct exec *exec, const char *why)
{
	exec_scp_complain(exec, "protocol error", why);
	exec_end(exec, FAILED);
}

static bool on_start(struct exec *exec)
{
	if (exec_args_next(exec) != ARGS_READY)
		return true;
	exec->scp.target_len = exec->path.len;
	exec_ask_path(exec, CSFTP_OP_GETATTR);
	go(exec, TARGET);
	return true;
}

static void on_target(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;
	bool is_dir = answer->err == 0 &&
		      (answer->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFDIR;

	if (exec->scp.to_dir && !is_dir) {
		refuse(exec, answer->err != 0 ? answer->err : ENOTDIR);
		exec_end(exec, FAILED);
		return;
	}
	exec->scp.to_dir = is_dir;
	ready(exec);
}

/* Digits and the byte behind them; false: it is not there, or too many. */
static bool take_number(struct wire_bytes *line, uint64_t *out, char behind)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < line->len && line->ptr[n] >= '0' && line->ptr[n] <= '9'; n++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(
			    value, (uint64_t)(line->ptr[n] - '0'), &value))
			return false;
	if (n == 0 || value > INT64_MAX || n == line->len ||
	    line->ptr[n] != (uint8_t)behind)
		return false;
	line->ptr += n + 1;
	line->len -= n + 1;
	*out = value;
	return true;
}

static bool take_time(struct wire_bytes *line, struct csftp_time *out,
		      char behind)
{
	uint64_t sec, usec;

	if (!take_number(line, &sec, ' ') ||
	    !take_number(line, &usec, behind) || usec > 999999)
		return false;
	*out = (struct csftp_time){.sec = (int64_t)sec,
				   .nsec = (uint32_t)usec * 1000};
	return true;
}

/* "mtime 0 atime 0"; the line end is behind it. */
static void on_times(struct exec *exec, struct wire_bytes line)
{
	struct exec_scp *scp = &exec->scp;

	line.len++;
	if (!take_time(&line, &scp->mtime, ' ') ||
	    !take_time(&line, &scp->atime, '\n') || line.len > 0) {
		protocol_error(exec, "times are not delimited");
		return;
	}
	scp->has_times = true;
	ready(exec);
}

static bool take_mode(struct wire_bytes *line, uint32_t *out)
{
	uint32_t mode = 0;

	if (line->len < 5 || line->ptr[4] != ' ')
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (line->ptr[i] < '0' || line->ptr[i] > '7')
			return false;
		mode = mode << 3 | (uint32_t)(line->ptr[i] - '0');
	}
	line->ptr += 5;
	line->len -= 5;
	*out = mode;
	return true;
}

/* A name of one file in a directory, so that nothing is written elsewhere. */
static bool is_name(struct wire_bytes name)
{
	if (name.len == 0 || memchr(name.ptr, '/', name.len) ||
	    memchr(name.ptr, '\0', name.len))
		return false;
	return name.len > 2 || memcmp(name.ptr, "..", name.len) != 0;
}

static void make_dir(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	if (scp->depth == EXEC_DEPTH_MAX) {
		refuse(exec, ELOOP);
		return;
	}
	/* Who fills it has to be able to. */
	exec->attr = (struct csftp_attr){.mask = CSFTP_ATTR_MODE,
					 .mode = scp->mode | 0700};
	exec->req = (struct csftp_req){.path = exec->path.text,
				       .attr = &exec->attr};
	exec_ask(exec, CSFTP_OP_MKDIR);
	go(exec, MKDIR);
}

static void make_file(struct exec *exec)
{
	exec->attr = (struct csftp_attr){.mask = CSFTP_ATTR_MODE,
					 .mode = exec->scp.mode};
	exec->req = (struct csftp_req){
		.path = exec->path.text,
		.flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC,
		.attr = &exec->attr,
	};
	exec_ask(exec, CSFTP_OP_OPEN);
	go(exec, OPEN);
}

/* "C0644 5 name", "D0755 0 name". */
static void on_item(struct exec *exec, char kind, struct wire_bytes line)
{
	struct exec_scp *scp = &exec->scp;
	int err = 0;

	if (!take_mode(&line, &scp->mode)) {
		protocol_error(exec, "bad mode");
		return;
	}
	if (!take_number(&line, &scp->left, ' ')) {
		protocol_error(exec, "bad size");
		return;
	}
	if (!is_name(line)) {
		protocol_error(exec, "unexpected filename");
		return;
	}
	if (kind == 'D' && !scp->recursive) {
		protocol_error(exec, "received directory without -r");
		return;
	}
	if (scp->to_dir)
		err = exec_path_add(&exec->path, (const char *)line.ptr,
				    line.len);
	if (err != 0)
		refuse(exec, err);
	else if (kind == 'D')
		make_dir(exec);
	else
		make_file(exec);
}

/* Nothing but directories has levels: what is in one is in a directory. */
static void on_end_of_dir(struct exec *exec)
{
	const struct exec_scp *scp = &exec->scp;
	const struct exec_level *level;

	if (scp->depth == 0) {
		ready(exec);
		exec_end(exec, exec->failed ? FAILED : 0);
		return;
	}
	level = &scp->level[scp->depth - 1];
	go(exec, POP_SET);
	/* What its mode is without what was added, a umask may have cut. */
	if (level->mode_added && !scp->preserve) {
		exec_ask_path(exec, CSFTP_OP_GETATTR);
		go(exec, POP_LOOK);
	}
}

static void on_command(struct exec *exec, char kind, struct wire_bytes line)
{
	switch (kind) {
	case '\1':
	case '\2':
		exec->failed = true;
		if (kind == '\2')
			exec_end(exec, FAILED);
		break;
	case 'E':
		on_end_of_dir(exec);
		break;
	case 'T':
		on_times(exec, line);
		break;
	case 'C':
	case 'D':
		on_item(exec, kind, line);
		break;
	default:
		protocol_error(exec, "expected control record");
		break;
	}
}

static bool on_line(struct exec *exec)
{
	struct wire_bytes line;

	if (exec_input(exec).len == 0 && exec->in_ended) {
		exec_end(exec, exec->failed ? FAILED : 0);
		return true;
	}
	if (!exec_scp_line(exec, &line))
		return exec->stopping;
	if (exec->scp.verbose)
		exec_print(exec, EXEC_STDERR, "Sink: %.*s\n", (int)line.len,
			   (const char *)line.ptr);
	if (line.len == 0) {
		protocol_error(exec, "unexpected <newline>");
		return true;
	}
	on_command(exec, (char)*line.ptr,
		   (struct wire_bytes){line.ptr + 1, line.len - 1});
	return true;
}

static void on_open(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	if (exec->answer.err != 0) {
		refuse(exec, exec->answer.err);
		return;
	}
	scp->file = exec_take_fh(exec);
	scp->file_is_open = true;
	scp->off = 0;
	scp->err = 0;
	exec_put(exec, EXEC_STDOUT, "", 1);
	go(exec, DATA);
}

/* What is written in one piece; the rest of a file that fails is dropped. */
static bool on_data(struct exec *exec)
{
	uint32_t most = exec->config.fs->max_write;
	struct wire_bytes input = exec_input(exec);
	struct exec_scp *scp = &exec->scp;
	size_t len = input.len < scp->left ? input.len : (size_t)scp->left;

	if (scp->left == 0) {
		exec_scp_expect(exec, RESPONSE, BEHIND);
		return true;
	}
	if (len == 0) {
		if (exec->in_ended)
			exec_end(exec, FAILED);
		return exec->in_ended;
	}
	if (scp->err != 0) {
		exec_take(exec, len);
		scp->left -= len;
		return true;
	}
	if (most > 0 && len > most)
		len = most;
	exec->req = (struct csftp_req){.fh = scp->file,
				       .off = scp->off,
				       .data = input.ptr,
				       .len = len};
	exec_ask(exec, CSFTP_OP_WRITE);
	go(exec, WRITE);
	return true;
}

static void on_write(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	size_t len = (size_t)exec->req.len;

	scp->err = exec->answer.err;
	scp->off += len;
	scp->left -= len;
	exec_take(exec, len);
	go(exec, DATA);
}

/* forced: what is in the file is not all that was meant to be. */
static void close_file(struct exec *exec, bool forced)
{
	exec->scp.file_is_open = false;
	exec->req = (struct csftp_req){.fh = exec->scp.file,
				       .flags = forced ? CSFTP_FORCED : 0};
	exec_ask(exec, CSFTP_OP_CLOSE);
	go(exec, CLOSE);
}

static void fill_attr(struct exec *exec, bool mode, bool times)
{
	const struct exec_scp *scp = &exec->scp;

	exec->attr = (struct csftp_attr){
		.mode = scp->mode, .atime = scp->atime, .mtime = scp->mtime};
	if (mode)
		exec->attr.mask |= CSFTP_ATTR_MODE;
	if (times)
		exec->attr.mask |= CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME;
}

/* The peer has said how it went there. */
static void on_behind(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	bool bad = scp->err != 0 || scp->answered_bad;

	fill_attr(exec, scp->preserve, scp->has_times);
	if (bad || exec->attr.mask == 0) {
		close_file(exec, bad);
		return;
	}
	exec->req = (struct csftp_req){.fh = scp->file, .attr = &exec->attr};
	exec_ask(exec, CSFTP_OP_SETATTR);
	go(exec, SET);
}

static void on_close(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;

	if (scp->err == 0)
		scp->err = exec->answer.err;
	if (scp->err != 0) {
		refuse(exec, scp->err);
		return;
	}
	exec_path_cut(&exec->path, base_len(exec));
	scp->has_times = false;
	ready(exec);
}

static void enter(struct exec *exec, bool made)
{
	struct exec_scp *scp = &exec->scp;

	scp->level[scp->depth] = (struct exec_level){
		.path_len = exec->path.len,
		.has_times = scp->has_times,
		.mode_added = made && (scp->mode & 0700) != 0700,
		.mode = scp->mode,
		.atime = scp->atime,
		.mtime = scp->mtime,
		.was_dir = scp->to_dir,
	};
	scp->depth++;
	scp->has_times = false;
	scp->to_dir = true;
	ready(exec);
}

static void on_mkdir(struct exec *exec)
{
	int err = exec->answer.err;

	if (err == 0) {
		enter(exec, true);
	} else if (err == EEXIST) {
		exec_ask_path(exec, CSFTP_OP_GETATTR);
		go(exec, DIR_LOOK);
	} else {
		refuse(exec, err);
	}
}

static void on_dir_look(struct exec *exec)
{
	const struct exec_answer *answer = &exec->answer;

	if (answer->err != 0)
		refuse(exec, answer->err);
	else if ((answer->attr.mode & CSFTP_S_IFMT) != CSFTP_S_IFDIR)
		refuse(exec, ENOTDIR);
	else
		enter(exec, false);
}

/* Takes away what was added, of what is there. */
static void on_pop_look(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	struct exec_level *level = &scp->level[scp->depth - 1];
	uint32_t added = 0700 & ~level->mode;

	level->mode_added = exec->answer.err == 0;
	level->mode = exec->answer.attr.mode & 07777 & ~added;
	go(exec, POP_SET);
}

static void on_pop_set(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	const struct exec_level *level = &scp->level[scp->depth - 1];

	scp->mode = level->mode;
	scp->atime = level->atime;
	scp->mtime = level->mtime;
	fill_attr(exec, scp->preserve || level->mode_added, level->has_times);
	exec->answer.err = 0;
	go(exec, POP);
	if (exec->attr.mask == 0)
		return;
	exec->req = (struct csftp_req){.path = exec->path.text,
				       .attr = &exec->attr};
	exec_ask(exec, CSFTP_OP_SETATTR);
}

static void on_pop(struct exec *exec)
{
	struct exec_scp *scp = &exec->scp;
	int err = exec->answer.err;

	scp->depth--;
	scp->to_dir = scp->level[scp->depth].was_dir;
	if (err != 0) {
		refuse(exec, err);
		return;
	}
	exec_path_cut(&exec->path, base_len(exec));
	ready(exec);
}

static void on_dir(struct exec *exec)
{
	switch (exec->scp.step) {
	case MKDIR:
		on_mkdir(exec);
		break;
	case DIR_LOOK:
		on_dir_look(exec);
		break;
	case POP_LOOK:
		on_pop_look(exec);
		break;
	case POP_SET:
		on_pop_set(exec);
		break;
	default:
		on_pop(exec);
		break;
	}
}

static void on_file(struct exec *exec)
{
	switch (exec->scp.step) {
	case OPEN:
		on_open(exec);
		break;
	case WRITE:
		on_write(exec);
		break;
	case BEHIND:
		on_behind(exec);
		break;
	case SET:
		exec->scp.err = exec->answer.err;
		close_file(exec, false);
		break;
	default:
		on_close(exec);
		break;
	}
}

static bool step(struct exec *exec)
{
	if (!exec_scp_has_room(exec))
		return false;
	switch ((enum step)exec->scp.step) {
	case START:
		return on_start(exec);
	case TARGET:
		on_target(exec);
		break;
	case LINE:
		return on_line(exec);
	case RESPONSE:
		return exec_scp_response(exec);
	case DATA:
		return on_data(exec);
	case OPEN:
	case WRITE:
	case BEHIND:
	case SET:
	case CLOSE:
		on_file(exec);
		break;
	case MKDIR:
	case DIR_LOOK:
	case POP_LOOK:
	case POP_SET:
	case POP:
		on_dir(exec);
		break;
	}
	return true;
}

static bool shut(struct exec *exec)
{
	if (!exec->scp.file_is_open)
		return exec_args_shut(exec);
	close_file(exec, true);
	return true;
}

const struct exec_command exec_scp_sink = {"scp", true, NULL, step, shut};
