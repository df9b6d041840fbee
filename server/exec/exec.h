/* The commands of csftpd: fixed ones, on the tree of files that it serves. */
#ifndef CSFTP_SERVER_EXEC_EXEC_H
#define CSFTP_SERVER_EXEC_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "csftp/serve.h"

/*
 * What a peer can ask for by "exec": scp, md5sum, sha1sum, sha256sum, df and
 * echo.  No program is started and no shell is asked: the command line is split
 * as sh would split it, "~" at the start of a word is a home, and "*", "?" and
 * "[...]" in the last part of a path stand for the names that are there, in the
 * order of the directory.  Whatever else a shell would do is refused.
 *
 * A command is a machine that takes the bytes of standard input and gives those
 * of standard output and standard error, and an exit status.  It does no I/O
 * but by a file system (csftp/fs.h), with one request at a time, and waits
 * where there is no input, no room for output or no answer.  The owner does
 *
 *   exec_in(), exec_in_ack()    when there is input; exec_in_end() at its end
 *   exec_turn()                 after each of these, and again as it says
 *   exec_out(), exec_out_ack()  when there is output
 *
 * until exec_ended().
 *
 * It lives in memory of its owner, exec_size() bytes, and takes none from the
 * heap but libcrypto's, for a hash.  One thread.
 */
struct exec;

struct exec_config {
	struct csftp_fs *fs;
	/*
	 * The policy of SFTP sessions (csftp/serve.h), by the requests that
	 * they would have in place of ours: what is refused is EACCES, and told
	 * before it is.
	 */
	uint64_t denied; /* 1 << csftp_serve_request(name), each */
	bool read_only;
	void (*refused)(void *arg, const struct csftp_refusal *refusal);
	void *refused_arg;
	/*
	 * An answer has come while nobody was in exec_turn(), which is to be
	 * called.  May be NULL for a file system that is CSFTP_FS_INLINE.
	 */
	void (*wake)(void *arg);
	void *arg;
};

enum exec_stream { EXEC_STDOUT, EXEC_STDERR };

/* Bytes that a command needs, aligned as malloc's are; they stay put. */
size_t exec_size(void);

/*
 * Begins a command, which is copied as far as it is needed.  One that there is
 * not, or that is broken, says so on standard error and ends with a status:
 * 127, or 2.
 */
struct exec *exec_init(void *memory, const struct exec_config *config,
		       const void *command, size_t len);

/* Where input goes, and how much fits (0: none now); good until the next call.
 */
uint8_t *exec_in(struct exec *exec, size_t *room);
void exec_in_ack(struct exec *exec, size_t len);
void exec_in_end(struct exec *exec);

/* Goes on; true: there is more to do at once, after others had their turn. */
CSFTP_MUST_CHECK bool exec_turn(struct exec *exec);

/* Output, good until the next call on exec; len 0: none. */
const uint8_t *exec_out(const struct exec *exec, enum exec_stream which,
			size_t *len);
void exec_out_ack(struct exec *exec, enum exec_stream which, size_t len);

/* All is done and all output taken: then, and only then, there is a status. */
bool exec_ended(const struct exec *exec, uint32_t *status);

/*
 * Nobody wants it any more: output is dropped, and it ends as soon as what it
 * has open is closed, which takes turns.
 */
void exec_stop(struct exec *exec);

#endif
