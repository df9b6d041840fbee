/* Messages of the agent protocol (draft-ietf-sshm-ssh-agent-05). */
#ifndef CSFTP_CORE_SSH_AGENT_H
#define CSFTP_CORE_SSH_AGENT_H

#include "core/wire.h"
#include "csftp/ssh.h"

/*
 * A client asks one question at a time and reads one answer.  Messages go in
 * and out whole, each behind its length (section 3).  Who moves the bytes is
 * the caller.
 */

/* Section 3 leaves it open; an agent with more keys than fit is refused. */
#define SSH_AGENT_MESSAGE_MAX (256U * 1024U)

/* Identities that are looked at: more logins than a server allows anyway. */
#define SSH_AGENT_KEYS_MAX 256U

/* The whole of the answer, from its first four bytes; 0: it is too long. */
size_t ssh_agent_length(const uint8_t head[4]);

/* SSH_AGENTC_REQUEST_IDENTITIES (section 3.5). */
void ssh_agent_ask_keys(struct wire_wr *wr);

/*
 * SSH_AGENT_IDENTITIES_ANSWER: calls each() with the key and its comment, as
 * they lie in the message.  CSFTP_ERR_DENIED: the agent refused; any other
 * error: the message is broken, and what was told before does not count.
 */
CSFTP_MUST_CHECK enum csftp_err
ssh_agent_read_keys(const uint8_t *message, size_t len,
		    void (*each)(void *arg, struct wire_bytes key,
				 struct wire_bytes comment),
		    void *arg);

/*
 * SSH_AGENTC_SIGN_REQUEST (section 3.6), with the flag that an RSA algorithm
 * takes (3.6.1).  CSFTP_ERR_ALGORITHM: an agent does not sign by that.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_agent_ask_signature(struct wire_wr *wr,
							struct wire_bytes key,
							const char *algorithm,
							struct wire_bytes data);

/*
 * SSH_AGENT_SIGN_RESPONSE: the signature in SSH form.  CSFTP_ERR_DENIED as
 * above; CSFTP_ERR_VALUE: it is not by the algorithm asked for.
 */
CSFTP_MUST_CHECK enum csftp_err
ssh_agent_read_signature(const uint8_t *message, size_t len,
			 const char *algorithm, struct wire_bytes *signature);

#endif
