/*
 * Built-in commands: a command line that could be anything, or scp -t with a
 * peer that sends anything, over a tree in memory.  Every command comes to its
 * end, and what scp takes stays below its target.
 */
#include <string.h>

#include "csftp/memfs.h"
#include "server/exec/exec.h"
#include "tests/fuzz/fuzz.h"

/* One request of ours, answered at once. */
struct call {
	struct csftp_req req; /* first */
	struct csftp_fs *fs;
	int err;
	csftp_fh fh;
	unsigned names;
};

static void on_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = (struct call *)req;

	call->err = reply->err;
	call->fh = reply->fh;
}

static bool on_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	(void)entry;
	((struct call *)req)->names++;
	return true;
}

static void ask(struct call *call, enum csftp_op op, const char *path,
		uint32_t flags)
{
	call->req = (struct csftp_req){.op = op,
				       .path = path,
				       .flags = flags,
				       .fh = call->fh,
				       .done = on_done,
				       .entry = on_entry};
	csftp_submit(call->fs, &call->req);
	must(call->err == 0);
}

static void make_tree(struct csftp_fs *fs)
{
	struct call call = {.fs = fs};

	ask(&call, CSFTP_OP_MKDIR, "/t", 0);
	ask(&call, CSFTP_OP_MKDIR, "/t/d", 0);
	ask(&call, CSFTP_OP_OPEN, "/t/f",
	    CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC);
	ask(&call, CSFTP_OP_CLOSE, NULL, 0);
}

/* ".", ".." and "t": nothing else is in the root. */
static void check_root(struct csftp_fs *fs)
{
	struct call call = {.fs = fs};

	ask(&call, CSFTP_OP_OPENDIR, "/", 0);
	ask(&call, CSFTP_OP_READDIR, NULL, 0);
	must(call.names == 3);
}

static void run(struct exec *exec, const uint8_t *in, size_t len, size_t piece)
{
	size_t room, n, idle = 0;
	uint32_t status;
	uint8_t *to;

	while (!exec_ended(exec, &status)) {
		to = exec_in(exec, &room);
		n = fuzz_min(room, fuzz_min(piece, len));
		if (n > 0)
			memcpy(to, in, n);
		exec_in_ack(exec, n);
		in += n;
		len -= n;
		if (len == 0)
			exec_in_end(exec);
		if (exec_turn(exec))
			n++;
		for (int which = EXEC_STDOUT; which <= EXEC_STDERR; which++) {
			(void)exec_out(exec, (enum exec_stream)which, &room);
			exec_out_ack(exec, (enum exec_stream)which,
				     fuzz_min(room, piece));
			n += room;
		}
		idle = n > 0 ? 0 : idle + 1;
		must(idle < 3);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	static const char *const commands[] = {
		"scp -t /t", "scp -r -p -t /t", "scp -r -t /t/new",
		"scp -r -p -f /t", "scp -vrd -t /t/d"};
	struct exec_config config = {.read_only = false};
	const char *command;
	void *memory;

	if (len < 2)
		return 0;
	must(csftp_memfs_new(&config.fs,
			     &(struct csftp_memfs_config){
				     .max_bytes = 1 << 20}) == CSFTP_OK);
	memory = malloc(exec_size());
	must(memory);
	make_tree(config.fs);
	command = commands[input[0] % 5];
	if (input[0] & 0x80) {
		/* Only what reads: anything can be said to scp -t. */
		config.read_only = true;
		run(exec_init(memory, &config, input + 2, len - 2), input, 0,
		    input[1] + 1U);
	} else {
		run(exec_init(memory, &config, command, strlen(command)),
		    input + 2, len - 2, input[1] + 1U);
	}
	check_root(config.fs);
	free(memory);
	csftp_memfs_free(config.fs);
	return 0;
}
