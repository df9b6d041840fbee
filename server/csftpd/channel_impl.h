/* Inside of channels: the two kinds of what runs in them. */
#ifndef CSFTP_SERVER_CSFTPD_CHANNEL_IMPL_H
#define CSFTP_SERVER_CSFTPD_CHANNEL_IMPL_H

#include "server/csftpd/conn.h"

/* channel_exec.c: a command, over the layers of the channel's session. */

/* False: there is no memory for one now. */
bool channel_exec_start(struct channel *channel, struct csftp_ssh_bytes line);
size_t channel_exec_feed(struct channel *channel, const uint8_t *from,
			 size_t len);
bool channel_exec_move(struct channel *channel);
/* It ends, and closes what is open; false: that waits.  There may be none. */
bool channel_exec_stop(struct channel *channel);
/* After it has ended, or where nothing can wait.  There may be none. */
void channel_exec_free(struct channel *channel);

#endif
