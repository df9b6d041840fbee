/* The keys that a user has to offer: in files, and with an agent. */
#ifndef CSFTP_FUSEFS_SSH_KEYRING_H
#define CSFTP_FUSEFS_SSH_KEYRING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/wire.h"
#include "csftp/ssh.h"
#include "fusefs/ssh_config.h"
#include "fusefs/talk.h"

struct ssh_identity {
	char *name;		/* a file's path, or what the agent calls it */
	struct wire_bytes blob; /* public half, owned; ptr NULL: not known */
	/*
	 * The private half where it is known, in locked memory, as
	 * ssh_keyfile_write_section() has it; len 0: it is not.
	 */
	uint8_t *secret;
	size_t secret_len;
	struct csftp_ssh_key *key; /* made of it while a login is under way */
	bool of_file;		   /* it was asked for by name */
	bool has_private; /* there is a file with it, perhaps encrypted */
	bool in_agent;
};

/*
 * Kept as long as the mount: a key that was decrypted once is not asked for
 * again when the connection is made anew.  All zero is empty.  One thread.
 */
struct ssh_keyring {
	struct ssh_identity *item;
	size_t count;
	bool files_read;
	int agent; /* a socket, while a login is under way */
	bool agent_open;
};

/*
 * Reads the files, once, and asks the agent.  What cannot be read is left out,
 * and said where ssh would.  Keys with the agent that were asked for by name
 * come first, then the agent's others, then those that are in files only.
 * False: no memory.
 */
bool ssh_keyring_begin(struct ssh_keyring *keys,
		       const struct ssh_config *config,
		       const struct talk *talk);

/* Whether it can sign, and nobody has to be asked for a passphrase. */
bool ssh_identity_is_ready(const struct ssh_identity *identity);

/*
 * The keys of files that another one knows, with what was decrypted.  `to` is
 * empty, and to be released in any case.  False: no memory.
 */
bool ssh_keyring_copy(struct ssh_keyring *to, const struct ssh_keyring *from);

/* Leaves the agent until it is asked again. */
void ssh_keyring_end(struct ssh_keyring *keys);

/*
 * What signs with the key; asks for a passphrase where one is needed.  False:
 * nothing does.
 */
bool ssh_keyring_signer(struct ssh_keyring *keys, struct ssh_identity *identity,
			const struct ssh_config *config,
			const struct talk *talk,
			struct csftp_ssh_signer *signer);

void ssh_keyring_release(struct ssh_keyring *keys);

#endif
