/* errno to SSH_FX_* and back, and the texts that go with them. */
#ifndef CSFTP_CORE_ERRMAP_H
#define CSFTP_CORE_ERRMAP_H

#include <stddef.h>
#include <stdint.h>

/* SSH_FX_* (filexfer-02, section 7). */
enum sftp_status {
	SSH_FX_OK = 0,
	SSH_FX_EOF = 1,
	SSH_FX_NO_SUCH_FILE = 2,
	SSH_FX_PERMISSION_DENIED = 3,
	SSH_FX_FAILURE = 4,
	SSH_FX_BAD_MESSAGE = 5,
	SSH_FX_NO_CONNECTION = 6,
	SSH_FX_CONNECTION_LOST = 7,
	SSH_FX_OP_UNSUPPORTED = 8
};

/*
 * The status that says most about an errno in version 3, as OpenSSH's server
 * chooses it.  Total: what has no status of its own is SSH_FX_FAILURE.
 */
enum sftp_status sftp_status_from_errno(int err);

/* The errno's sentence in English ("No space left on device"); static. */
const char *sftp_errno_text(int err);

/*
 * The errno that a status means.  Total: never 0 for a status but SSH_FX_OK.
 * Where the text is the sentence of an errno that would have been sent with
 * this status, that errno is meant: the status alone is too coarse.
 */
int sftp_errno_from_status(uint32_t status, const void *text, size_t len);

#endif
