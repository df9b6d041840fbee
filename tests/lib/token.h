/* What stands in for a key in hardware. */
#ifndef CSFTP_TESTS_TOKEN_H
#define CSFTP_TESTS_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "csftp/ssh.h"

/* It signs with ssh_rig_key(CSFTP_SSH_ED25519). */
struct token {
	uint8_t blob[128];
	size_t blob_len;
	const char *application; /* that it really signs for */
	uint8_t flags;
	uint8_t told; /* the flags that it shows */
};

/* One of the application "ssh:"; change it to make it lie. */
struct csftp_ssh_signer token_make(struct token *token, uint8_t flags);

#endif
