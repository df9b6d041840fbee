/* What the files of the connection protocol share. */
#ifndef CSFTP_CORE_SSH_CHANNELS_H
#define CSFTP_CORE_SSH_CHANNELS_H

#include "core/ssh/channel.h"
#include "csftp/err.h"

struct csftp_ssh;

/* One that the peer names; NULL: it is not in that state, the session ends. */
struct ssh_channel *ssh_channel_named(struct csftp_ssh *ssh, uint32_t number,
				      enum ssh_channel_state state);

/* One that the owner names, for something to say on it. */
CSFTP_MUST_CHECK enum csftp_err ssh_channel_of_owner(struct csftp_ssh *ssh,
						     uint32_t number,
						     struct ssh_channel **out);

#endif
