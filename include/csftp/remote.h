/* remotefs: the files of an SFTP server as a csftp_fs. */
#ifndef CSFTP_REMOTE_H
#define CSFTP_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/fs.h"
#include "csftp/link.h"

/*
 * The client side of SFTP version 3 (draft-ietf-secsh-filexfer-02) with
 * OpenSSH's extensions where the server has them, pipelined: requests are
 * sent as they come, up to a fixed number of slots; those above wait in their
 * askers' own memory.
 *
 * It holds no fd and no clock: bytes go through csftp_remote_link(), time
 * comes in through csftp_remote_tick().
 *
 * What the server says is checked.  An answer of a kind that its request
 * cannot have makes that request fail with EIO; one that belongs to no request
 * ends the session.  A handle that another open file has makes its OPEN fail,
 * and what is asked by the other one as well (EBADF).  A request still
 * unanswered when the session ends fails with EIO, one that was not sent yet,
 * or is submitted later, with ENOTCONN.  csftp_link_error() is set before any
 * of them is answered, so that these errors can be told from a server's.
 *
 * Memory is allocated by csftp_remote_new() and not later, but for names that
 * the asker of a READDIR did not take.  One thread.
 */
struct csftp_remote;

/* Zero means the default given. */
struct csftp_remote_config {
	uint32_t slots;	  /* requests in flight: 768; at most 1024 */
	uint32_t handles; /* files and directories open at once: 4096 */
	/* Called once, when requests can be sent. */
	void (*ready)(void *arg);
	/*
	 * Called with a sentence, without newline, for what the person at the
	 * terminal should know: what the server did wrong.  Any of the bytes
	 * may come from the server, with '?' for what is not printable ASCII.
	 * After 20 sentences one more says that there are no more.
	 */
	void (*log)(void *arg, const char *text);
	/* As csftp_serve_config.trace, for requests sent and answers. */
	void (*trace)(void *arg, const char *line);
	/*
	 * Called, where set, for each request that is sent and at its end, by
	 * an answer or with the session.  slot, below `slots`, is the same in
	 * both; message is one of csftp_remote_message(); bytes are those of
	 * a WRITE, or those that a READ asks for; failed: the answer is an
	 * error, or there was none.
	 */
	void (*sent)(void *arg, uint32_t slot, unsigned message,
		     uint64_t bytes);
	void (*ended)(void *arg, uint32_t slot, unsigned message, bool failed);
	void *arg;
};

/* Extensions a server can have; bits of csftp_remote_extensions(). */
#define CSFTP_EXT_POSIX_RENAME 0x001U
#define CSFTP_EXT_STATVFS      0x002U
#define CSFTP_EXT_FSTATVFS     0x004U
#define CSFTP_EXT_HARDLINK     0x008U
#define CSFTP_EXT_FSYNC	       0x010U
#define CSFTP_EXT_LSETSTAT     0x020U
#define CSFTP_EXT_LIMITS       0x040U
#define CSFTP_EXT_EXPAND_PATH  0x080U
#define CSFTP_EXT_COPY_DATA    0x100U
#define CSFTP_EXT_HOME_DIR     0x200U
#define CSFTP_EXT_IDNAMES      0x400U
#define CSFTP_EXT_CHECK_HANDLE 0x800U
#define CSFTP_EXT_CHECK_NAME   0x1000U
#define CSFTP_EXT_SPACE	       0x2000U
#define CSFTP_EXT_COPY_FILE    0x4000U
#define CSFTP_EXT_VENDOR_ID    0x8000U
#define CSFTP_EXT_CHECK_FILE   0x10000U

/* CSFTP_ERR_ARG or CSFTP_ERR_NOMEM.  INIT is queued for output at once. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_remote_new(struct csftp_remote **out,
		 const struct csftp_remote_config *config);

/* Answers what is outstanding first, as above.  NULL is fine. */
CSFTP_API void csftp_remote_free(struct csftp_remote *remote);

/* Good as long as the remote.  Its max_read and max_write are the server's. */
CSFTP_API struct csftp_fs *csftp_remote_fs(struct csftp_remote *remote);
CSFTP_API struct csftp_link *csftp_remote_link(struct csftp_remote *remote);

/* CSFTP_EXT_*; 0 before ready. */
CSFTP_API uint32_t csftp_remote_extensions(const struct csftp_remote *remote);

/*
 * The name of an SFTP message, such as "OPEN" or "posix-rename@openssh.com", by
 * its number here; static, NULL behind the last.
 */
CSFTP_API const char *csftp_remote_message(unsigned message);

/* Tells trace from now on, with config.arg; NULL: nobody any more. */
CSFTP_API void csftp_remote_set_trace(struct csftp_remote *remote,
				      void (*trace)(void *arg,
						    const char *line));

/* Requests submitted and not yet answered. */
CSFTP_API uint32_t csftp_remote_pending(const struct csftp_remote *remote);

/*
 * The time is now_ms, on the clock of req.deadline_ms: what is late is
 * answered with ETIMEDOUT, a WRITE once its payload has been sent.  Returns the
 * next deadline, 0 if there is none.
 */
CSFTP_API uint64_t csftp_remote_tick(struct csftp_remote *remote,
				     uint64_t now_ms);

#endif
