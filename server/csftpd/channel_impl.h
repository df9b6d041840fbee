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

/*
 * channel_private.c: the tree of a key with options.  Where it begins may be on
 * a disk that hangs, so a thread opens it, if there are some.
 */

/* False: there can be none; it is to be freed in any case. */
bool channel_private_make(struct channel *channel);
/* True: it is open, if private->good; false: channel_opened() will say so. */
bool channel_private_open(struct channel *channel);
/* Nobody wants it any more; false: a thread is at it, as above. */
bool channel_private_stop(struct channel *channel);
void channel_private_free(struct channel *channel);
/* channel.c */
void channel_opened(struct channel *channel);

#endif
