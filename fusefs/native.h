/* SFTP over an SSH engine of our own, without an ssh program. */
#ifndef CSFTP_FUSEFS_NATIVE_H
#define CSFTP_FUSEFS_NATIVE_H

#include "csftp/stream.h"
#include "fusefs/options.h"
#include "fusefs/ssh_config.h"
#include "fusefs/ssh_keyring.h"
#include "fusefs/talk.h"

/*
 * What is kept from one connection to the next: keys that were decrypted, and
 * the password that was right.  All zero is new.
 */
struct native {
	struct ssh_keyring keys;
	char *password;
	/* Of the last try: no key would do, and nobody was asked for more. */
	bool only_keys;
	/* There was no connection to begin with. */
	bool unreached;
};

/*
 * Adds to config->lacks what the engine lacks of what is wanted: algorithms of
 * which it has none.
 */
void native_check(struct ssh_config *config);

/*
 * Connects, checks who the server is, logs in, and starts the server's SFTP;
 * blocks meanwhile, and may ask.  CSFTP_ERR_DENIED as ssh_login_run() says;
 * CSFTP_ERR_IO with errno.
 */
CSFTP_MUST_CHECK enum csftp_err native_open(struct native *native,
					    struct ssh_config *config,
					    const struct options *options,
					    const struct talk *talk,
					    struct csftp_stream *stream);

/* What another one has; false: no memory, and it is to be released. */
bool native_copy(struct native *to, const struct native *from);

void native_release(struct native *native);

#endif
