/* Inside of a command: its buffers, its one request and its machines. */
#ifndef CSFTP_SERVER_EXEC_EXEC_IMPL_H
#define CSFTP_SERVER_EXEC_EXEC_IMPL_H

#include "core/hash.h"
#include "core/words.h"
#include "server/exec/exec.h"

/* A command line: some paths, each byte of which may be quoted. */
#define EXEC_WORDS_MAX 32768U

/* One line of a protocol, or of ours: a path and what is around it. */
#define EXEC_LINE_MAX (CSFTP_PATH_MAX + 512U)

/* Directories in each other, all of which are open at once for scp -f. */
#define EXEC_DEPTH_MAX 128U

#define EXEC_IN_MAX  65536U
#define EXEC_OUT_MAX 65536U
#define EXEC_ERR_MAX (2U * EXEC_LINE_MAX)

/* Turns end after so many steps, each of which moves at most a buffer. */
#define EXEC_STEPS 16U

/* Bytes from head to tail; who adds some has made room before. */
struct exec_buf {
	uint8_t *bytes;
	size_t cap;
	size_t head;
	size_t tail;
};

/* An answer, copied as far as anybody needs it. */
struct exec_answer {
	int err;
	bool eof;
	csftp_fh fh;
	size_t len; /* READ: bytes at the tail of the output; READDIR: names */
	struct csftp_attr attr;
	struct csftp_statfs statfs;
};

/* A path with its NUL. */
struct exec_path {
	size_t len;
	char text[CSFTP_PATH_MAX + 1];
};

/* The words behind the command as paths; see args.c. */
enum exec_args_step {
	ARGS_WORD, /* the next word begins */
	ARGS_HOME,
	ARGS_PATTERN, /* is it one? */
	ARGS_OPENDIR,
	ARGS_MORE, /* the next name of the directory */
	ARGS_READDIR,
	ARGS_CLOSE
};

struct exec_args {
	enum exec_args_step step;
	const char *word; /* the last that was used */
	bool found;	  /* the pattern has given a name */
	bool no_patterns; /* words are names */
	bool dir_is_open;
	csftp_fh dir;
	size_t name_at; /* of the pattern: the part behind the last slash */
	char pattern[2 * CSFTP_PATH_MAX + 1]; /* the word, as it was split */
};

/* One directory of a tree that is copied. */
struct exec_level {
	size_t path_len; /* of the directory's own path */
	csftp_fh dir;	 /* scp -f */
	/* scp -t: what is set once all is in it. */
	bool has_times;
	bool mode_added; /* it has got what it takes to fill it */
	bool was_dir;	 /* scp.to_dir before it */
	uint32_t mode;
	struct csftp_time atime;
	struct csftp_time mtime;
};

struct exec_scp {
	unsigned step; /* of either machine */
	unsigned then; /* the step behind a response of the peer */
	bool recursive;
	bool preserve;
	bool verbose;
	bool to_dir; /* -d, and then: the target is a directory */
	/* What is copied. */
	bool answered_bad; /* by the peer, with an error */
	bool has_times;
	int err;
	uint32_t mode;
	struct csftp_time atime;
	struct csftp_time mtime;
	uint64_t left; /* bytes of the file */
	uint64_t off;
	bool file_is_open;
	csftp_fh file;
	size_t target_len; /* of the path that -t was given */
	unsigned depth;
	struct exec_level level[EXEC_DEPTH_MAX];
};

struct exec_sum {
	unsigned step;
	bool binary; /* what is shown, as files are not different */
	bool file_is_open;
	csftp_fh file;
	uint64_t off;
	struct hash hash;
};

struct exec {
	struct exec_config config;
	const struct exec_command *command;
	bool in_ended;
	bool ended;
	bool stopping;
	uint32_t status;

	/* The request; waiting: it has no answer yet. */
	struct csftp_req req;
	bool waiting;
	bool in_turn;
	bool has_fh; /* an OPEN or OPENDIR has given it, and nobody took it */
	struct exec_answer answer;
	struct csftp_attr attr; /* of a request */

	struct exec_path path; /* what the request is about */
	char name[CSFTP_NAME_MAX + 1];
	struct exec_args args;
	struct exec_scp scp;
	struct exec_sum sum;
	unsigned step; /* of a machine without a struct of its own */
	bool failed;   /* some of it was not well */
	bool no_line_end;

	struct words words;
	struct exec_buf in;
	struct exec_buf out;
	struct exec_buf err;
	char word_room[EXEC_WORDS_MAX];
	uint8_t in_room[EXEC_IN_MAX];
	uint8_t out_room[EXEC_OUT_MAX];
	uint8_t err_room[EXEC_ERR_MAX];
};

/*
 * A command.  step does one thing and returns true, or false where it has to
 * wait for input, room or an answer; it calls exec_end() to come to an end, and
 * is never called while a request waits.  shut closes one thing that is open
 * by asking for it; false: there is nothing.
 */
struct exec_command {
	const char *name;
	bool reads_input;
	void (*start)(struct exec *exec);
	bool (*step)(struct exec *exec);
	bool (*shut)(struct exec *exec);
};

/* No more steps; what is open is closed, then it has ended. */
void exec_end(struct exec *exec, uint32_t status);

/*
 * Asks; req is filled but for op and done.  The answer is in exec->answer when
 * the next step is taken.
 */
void exec_ask(struct exec *exec, enum csftp_op op);
void exec_ask_path(struct exec *exec, enum csftp_op op);
void exec_ask_fh(struct exec *exec, enum csftp_op op, csftp_fh fh);

/* The handle that the answer brings, which is the caller's to close. */
csftp_fh exec_take_fh(struct exec *exec);

/* A READ to the tail of the output, where there is room for it; else false. */
bool exec_ask_read(struct exec *exec, csftp_fh fh, uint64_t off, uint64_t max);

/* READDIR of one name, which is exec->name with answer.attr. */
void exec_ask_name(struct exec *exec, csftp_fh dir);

/* False where a line does not fit now: wait. */
bool exec_has_room(struct exec *exec, enum exec_stream which);

/* After exec_has_room(); what is longer than a line is cut. */
__attribute__((format(printf, 3, 4))) void
exec_print(struct exec *exec, enum exec_stream which, const char *format, ...);
void exec_put(struct exec *exec, enum exec_stream which, const void *bytes,
	      size_t len);

/*
 * The same as a line for people, whose end is added: as names in a tree can be
 * anything, what could end it before or move a cursor becomes '?'.
 */
__attribute__((format(printf, 3, 4))) void
exec_say(struct exec *exec, enum exec_stream which, const char *format, ...);

/* Input that is there. */
struct wire_bytes exec_input(const struct exec *exec);
void exec_take(struct exec *exec, size_t len);

/* ENAMETOOLONG where it does not fit; then it is as it was. */
int exec_path_set(struct exec_path *path, const char *text, size_t len);
int exec_path_add(struct exec_path *path, const char *name, size_t len);
void exec_path_cut(struct exec_path *path, size_t len);

/* What is behind the last slash, slashes at the end aside. */
struct wire_bytes exec_path_name(const struct exec_path *path);

/*
 * args.c.  The options at the start of the words: letters of `flags`, of which
 * those found are counted in seen[], as many as there are letters.  0, or the
 * letter that is none of them.
 */
char exec_options(struct exec *exec, const char *flags, unsigned *seen);

/* How many words are left, patterns counted as one. */
unsigned exec_args_left(const struct exec *exec);

/*
 * One step to the next path, which is in exec->path when it is READY; NONE:
 * there is no more.  GO_ON: call it again in the next step.
 */
enum exec_args_state { ARGS_GO_ON, ARGS_READY, ARGS_NONE };
enum exec_args_state exec_args_next(struct exec *exec);
bool exec_args_shut(struct exec *exec);

/* A word without the quotes of WORDS_PATTERNS, where it is. */
void exec_unquote(char *word);

/* Without them, too long for a path. */
bool exec_is_too_long(const char *word);

/* match.c. */
bool exec_is_pattern(const char *text);
bool exec_match(const char *name, const char *pattern);

/* The errno's sentence; static. */
const char *exec_why(int err);

/* scp.c. */
extern const struct exec_command exec_scp_sink;	  /* scp -t */
extern const struct exec_command exec_scp_source; /* scp -f */
void exec_scp_start(struct exec *exec);

/* All that a step can say has room. */
bool exec_scp_has_room(struct exec *exec);

/* A line for the peer that says what did not work; counts as a failure. */
void exec_scp_complain(struct exec *exec, const char *what, const char *why);

/* Waits for the peer to say that it is ready; scp.answered_bad: it is not. */
void exec_scp_expect(struct exec *exec, unsigned step, unsigned then);
bool exec_scp_response(struct exec *exec);

/*
 * A line, without its end, and takes it.  False: it is not there yet, or there
 * will be none, and the command has come to its end.
 */
bool exec_scp_line(struct exec *exec, struct wire_bytes *line);

/* The other commands. */
void exec_sum_start(struct exec *exec);
bool exec_sum_step(struct exec *exec);
bool exec_sum_shut(struct exec *exec);
void exec_df_start(struct exec *exec);
bool exec_df_step(struct exec *exec);
bool exec_echo_step(struct exec *exec);

#endif
