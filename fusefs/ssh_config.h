/* What ssh_config(5) says about a connection, for transports without ssh. */
#ifndef CSFTP_FUSEFS_SSH_CONFIG_H
#define CSFTP_FUSEFS_SSH_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "fusefs/options.h"
#include "fusefs/talk.h"

/* StrictHostKeyChecking */
enum ssh_strict {
	SSH_STRICT_ASK,
	SSH_STRICT_YES,
	SSH_STRICT_ACCEPT_NEW,
	SSH_STRICT_NO
};

/* All strings are owned; NULL where nothing was said. */
struct ssh_config {
	char *host; /* as on the command line */
	char *hostname;
	char *user;
	char *home; /* of the local user */
	char *host_key_alias;
	char *bind_address;
	char *bind_interface;
	char *proxy_command; /* NULL: none */
	char *proxy_jump;
	char *identity_agent; /* NULL: $SSH_AUTH_SOCK; "none" */
	char *preferred;      /* PreferredAuthentications */
	/* NULL: whatever we prefer ourselves. */
	char *ciphers;
	char *kex;
	char *hostkeys;
	char *macs;
	struct strings identity_files; /* expanded */
	struct strings user_known_hosts;
	struct strings global_known_hosts;
	struct strings send_env; /* patterns */
	struct strings set_env;	 /* NAME=VALUE */
	enum ssh_strict strict;
	enum talk_weight log_level;
	int family; /* AF_UNSPEC, AF_INET, AF_INET6 */
	unsigned port;
	unsigned alive_interval; /* seconds; 0: never */
	unsigned alive_max;
	unsigned connect_timeout; /* seconds; 0: the kernel's */
	unsigned attempts;
	unsigned prompts;
	uint64_t rekey_bytes; /* 0: as we see fit */
	uint64_t rekey_seconds;
	bool identities_only;
	bool hash_known_hosts;
	bool local_command; /* there is one */
	bool local_permitted;
	bool batch_mode;
	bool tcp_keepalive;
	bool pubkey;
	bool password;
	bool keyboard;
	bool gssapi;
	bool trust_localhost; /* NoHostAuthenticationForLocalhost */

	/*
	 * What was asked for that only ssh can do: names of keywords with
	 * commas; "" where there is none.
	 */
	char lacks[256];
};

/*
 * Asks "ssh -G" where there is an ssh, and otherwise takes the options given
 * and ssh's defaults, and reads no file.  To be released in any case.  False:
 * why has a sentence.
 */
bool ssh_config_get(struct ssh_config *config, const struct options *options,
		    char why[OPTIONS_WHY_MAX]);

/* GSSAPI is allowed, and there seems to be a ticket of Kerberos for it. */
bool ssh_config_has_ticket(const struct ssh_config *config);

/* Adds one to what only ssh can do. */
void ssh_config_lacks(struct ssh_config *config, const char *what);

void ssh_config_release(struct ssh_config *config);

/*
 * The parts of it, for tests.  One line "keyword value" as ssh -G prints it, or
 * "Keyword=value"; false: why has a sentence.  What it does not know counts for
 * nothing.
 */
bool ssh_config_line(struct ssh_config *config, const char *line,
		     char why[OPTIONS_WHY_MAX]);

/* What was not said gets ssh's defaults; tokens and "~" are expanded. */
bool ssh_config_finish(struct ssh_config *config, const char *login,
		       char why[OPTIONS_WHY_MAX]);

/*
 * The tokens of ssh_config(5) that a path or command may have, such as %h, and
 * "~" at the start.  NULL: no memory, or a token we do not know, which is noted
 * in config->lacks with the name of the keyword.
 */
char *ssh_config_expand(struct ssh_config *config, const char *keyword,
			const char *text);

#endif
