/* The command line of csftp-server. */
#ifndef CSFTP_SERVER_OPTIONS_H
#define CSFTP_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/log.h"
#include "server/posixfs.h"

enum server_action {
	SERVER_SERVE,
	SERVER_HELP,
	SERVER_VERSION,
	SERVER_REQUESTS, /* -Q requests */
	SERVER_ERROR	 /* why has a sentence */
};

enum sandbox_mode { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };

#define SERVER_WHY_MAX 512

/* Views on one command line. */
#define SERVER_VIEWS_MAX 64

/*
 * Strings point into argv, or are owned (views); NULL where the option was not
 * given.  Numbers are 0 where it was not.
 */
struct server_options {
	const char *start; /* with its % still in it, as the next two */
	const char *root;
	const char *audit;
	struct log_config log;
	bool read_only;
	bool log_packets;
	bool atomic_upload;
	bool keep_partial;
	bool has_umask;
	uint32_t umask;
	uint64_t denied; /* csftp_serve_config.denied */
	uint64_t listed; /* of these, those of -P */
	uint64_t quota;	 /* bytes; 0: none */
	uint64_t rate;	 /* bytes per second; 0: none */
	struct posixfs_modes files;
	struct posixfs_modes dirs;
	struct posixfs_view view[SERVER_VIEWS_MAX];
	size_t view_count;
	enum sandbox_mode sandbox;
	char why[SERVER_WHY_MAX];
};

/*
 * Everything that was given has been understood and checked, or it is
 * SERVER_ERROR; an empty `why` then asks for the usage.  To be released in
 * any case.  Uses getopt(3), whose state is the process's: not from two
 * threads.
 */
enum server_action server_options_parse(struct server_options *options,
					int argc, char **argv);
void server_options_release(struct server_options *options);

/*
 * Puts "%d" and "%h" (home), "%u" (user) and "%%" in.  0, or an errno: EINVAL
 * for another letter behind a %, ENAMETOOLONG.
 */
int server_expand(char *out, size_t size, const char *text, const char *home,
		  const char *user);

extern const char server_usage[];

#endif
