/* The configuration of csftpd (csftpd_config(5)). */
#ifndef CSFTP_SERVER_CSFTPD_SETTINGS_H
#define CSFTP_SERVER_CSFTPD_SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "csftp/ssh.h"
#include "server/csftpd/hostkey.h"
#include "server/csftpd/sources.h"
#include "server/log.h"
#include "server/options.h"

#define SETTINGS_PORTS	  8U
#define SETTINGS_LISTEN	  16U
#define SETTINGS_KEYS	  8U
#define SETTINGS_FILES	  8U
#define SETTINGS_USERS	  64U
#define SETTINGS_OPTIONS  160U /* words for csftp-server's options */
#define SETTINGS_TEXT_MAX (256U * 1024U)
#define SETTINGS_WHY_MAX  1024U

/* What one ListenAddress says; port 0: those of Port. */
struct settings_address {
	const char *host;
	uint16_t port;
};

/*
 * Settings do not change once they are read: connections keep those that they
 * began with.  settings_get() and settings_put() count who has them, and may
 * be called by any thread.
 */
struct settings {
	_Atomic unsigned refs;
	char *text; /* all strings below are in here, or static */
	size_t text_len;
	const char *file; /* NULL: none was read */

	uint16_t port[SETTINGS_PORTS];
	size_t port_count;
	struct settings_address listen[SETTINGS_LISTEN];
	size_t listen_count;
	const char *host_key[SETTINGS_KEYS];
	size_t host_key_count;
	/* The texts of these, once settings_load_keys() was called. */
	struct hostkey key[SETTINGS_KEYS];
	size_t key_count;
	const char *keys_file[SETTINGS_FILES];
	size_t keys_file_count;
	bool keys_none; /* AuthorizedKeysFile none */
	const char *allow_user[SETTINGS_USERS];
	size_t allow_user_count;
	const char *algorithms[CSFTP_SSH_ALG_COUNT]; /* NULL: the default */
	uint32_t auth_methods;			     /* CSFTP_SSH_AUTH_* */

	uint64_t login_grace_ms; /* 0: none */
	uint64_t alive_ms;	 /* 0: none */
	uint64_t drain_ms;	 /* 0: for ever */
	uint64_t rekey_bytes;	 /* 0: the engine's */
	uint64_t rekey_ms;	 /* 0: the engine's; UINT64_MAX: never */
	uint32_t alive_count;
	uint32_t auth_tries;
	uint32_t sessions;    /* channels of a connection */
	uint32_t connections; /* in all */
	uint32_t workers;     /* 0: as there are processors */
	uint32_t acceptors;
	uint32_t disk_threads; /* 0: none */
	bool strict_modes;
	struct sources_config sources; /* all but the seed */

	enum log_level log_level;
	int log_facility;
	const char *pid_file; /* NULL: none */
	const char *control;  /* NULL: none */

	/* The words of csftp-server's options, and what they mean. */
	const char *option[SETTINGS_OPTIONS];
	size_t option_count;
	struct server_options sftp;
};

/* What is read: -o first, then the file; of two values the first counts. */
struct settings_source {
	const char *file; /* NULL: none */
	const char *const *given;
	size_t given_count;
	const char *port; /* of -p; NULL: none */
	const char *const *host_key;
	size_t host_key_count;
};

/*
 * NULL: `why` has a sentence, with file and line where there are such.  Uses
 * getopt(3): one thread at a time.
 */
struct settings *settings_read(const struct settings_source *source,
			       char why[SETTINGS_WHY_MAX]);

/*
 * Loads the host keys.  One that is missing is made, or would be, and `said`,
 * which may be NULL, is told of it.  Where none is named, it is in `path`.
 */
bool settings_load_keys(struct settings *settings, const char *path,
			enum hostkey_missing missing,
			void (*said)(void *arg, const char *path), void *arg,
			char why[SETTINGS_WHY_MAX]);

/*
 * All that is in force, as lines that can be read again and mean the same.  The
 * keys were loaded, so that their paths are known.
 */
void settings_show(FILE *out, const struct settings *settings);

struct settings *settings_get(struct settings *settings);
void settings_put(struct settings *settings);

#endif
