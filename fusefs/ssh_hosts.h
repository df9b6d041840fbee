/* Whether a server is who it should be: known_hosts, with ssh's questions. */
#ifndef CSFTP_FUSEFS_SSH_HOSTS_H
#define CSFTP_FUSEFS_SSH_HOSTS_H

#include "csftp/ssh.h"
#include "fusefs/ssh_config.h"
#include "fusefs/talk.h"

enum ssh_hosts_verdict {
	SSH_HOSTS_FINE,
	/* Not the right one, and wanted all the same: it gets no password. */
	SSH_HOSTS_DISTRUSTED,
	SSH_HOSTS_REFUSED /* it has been said why */
};

/*
 * The host key algorithms to ask for, with commas, to be freed; NULL: no
 * memory.  A server has keys of several types and shows one: it should be one
 * that is known of it.
 */
char *ssh_hosts_order(const struct ssh_config *config);

/*
 * Whether an authority vouches for the host in a file (@cert-authority): then
 * the server may have nothing else that would be known of it.
 */
bool ssh_hosts_has_authority(const struct ssh_config *config);

/*
 * What StrictHostKeyChecking makes of the key.  peer is the address reached,
 * or "".  May ask, and may add a line to the user's file.
 */
enum ssh_hosts_verdict ssh_hosts_check(const struct ssh_config *config,
				       const struct talk *talk,
				       const char *peer,
				       struct csftp_ssh_bytes key);

#endif
