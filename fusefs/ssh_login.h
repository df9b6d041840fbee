/* Who a server is, and who we are: the conversation before there is SFTP. */
#ifndef CSFTP_FUSEFS_SSH_LOGIN_H
#define CSFTP_FUSEFS_SSH_LOGIN_H

#include "core/stream/ssh.h"
#include "fusefs/ssh_config.h"
#include "fusefs/ssh_keyring.h"
#include "fusefs/talk.h"

/* What a login takes, and what is kept for the next one; all zero is new. */
struct ssh_login {
	struct ssh_io *io;
	const struct ssh_config *config;
	const struct talk *talk;
	const char *peer; /* address, or "" */
	struct ssh_keyring *keys;
	char *password; /* that was right the last time; the caller's */

	bool asked;	 /* for a password, or what the server wanted to know */
	bool no_way_in;	 /* all that we could do was not enough */
	bool begun;	 /* something was tried to get in */
	bool sent_away;	 /* and that was too much for the server */
	bool distrusted; /* the host is not who it was: no passwords for it */
	char methods[512]; /* that can go on, with commas */
	enum csftp_err err;
};

/*
 * Checks the host's key and authenticates, with the methods, order and
 * questions that ssh has.  CSFTP_ERR_DENIED: one refused the other, which has
 * been said, and would again.  Other errors are the connection's.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_login_run(struct ssh_login *login);

/* Waits for the next event that is not of the login; see ssh_io_next(). */
CSFTP_MUST_CHECK enum csftp_err ssh_login_next(struct ssh_login *login,
					       struct csftp_ssh_event *event);

#endif
