/* The command line of csftpfs. */
#ifndef CSFTP_FUSEFS_OPTIONS_H
#define CSFTP_FUSEFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/layer/writebehind.h"

/* A list of strings that ends with NULL.  Owns them. */
struct strings {
	char **item; /* NULL while there is none */
	size_t count;
};

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_FAKE,  /* mount(8) has -f: it would be mounted */
	OPTIONS_ASK,   /* a mount that is there: mountpoint, order */
	OPTIONS_ERROR, /* why has a sentence */
};

#define OPTIONS_WHY_MAX 512

/* What carries SFTP to the server, unless it is `directport` or `passive`. */
enum options_transport {
	TRANSPORT_AUTO,	  /* our own SSH where it can do what is asked for */
	TRANSPORT_SSH,	  /* an ssh program */
	TRANSPORT_NATIVE, /* our own SSH */
	TRANSPORT_LIBSSH2
};

enum options_idmap { IDMAP_NONE, IDMAP_USER, IDMAP_FILE, IDMAP_NAME };
enum options_nomap {
	NOMAP_DEFAULT, /* error with IDMAP_FILE, nobody with IDMAP_NAME */
	NOMAP_IGNORE,
	NOMAP_ERROR,
	NOMAP_NOBODY
};

/* All strings are owned; NULL where the option was not given. */
struct options {
	char *target; /* as given: [user@]host:[dir] */
	char *login;  /* [user@]host for ssh, without brackets */
	char *host;   /* without user and brackets */
	char *dir;
	char *mountpoint;
	const char *order; /* what is asked of it, see control.h; a constant */
	char *port;
	char *ssh_config;
	char *sftp_server; /* a subsystem's name, or a path with a '/' */
	char *directport;
	char *fsname;
	char *subtype;
	char *subdir; /* of the directory, to be mounted in its place */
	char *vsock;  /* CID:PORT */
	char *uidfile;
	char *gidfile;
	char *from_code; /* the server's character set */
	char *to_code;
	struct strings ssh_command;
	struct strings ssh_options; /* "-oKEYWORD=VALUE" */
	struct strings mount_flags; /* "nosuid" and the like */
	int64_t uid;		    /* -1: as the server says */
	int64_t gid;
	double entry_timeout;
	double attr_timeout;
	double negative_timeout;
	double stat_timeout; /* of our own cache */
	double link_timeout;
	double dir_timeout;
	double timeout;	      /* seconds without a connection; 0: no end */
	uint32_t cache_names; /* that it may hold; 0: its default */
	int32_t umask; /* permission bits that nothing is shown with; -1: none
			* was named, and each file has its own */
	uint32_t max_read;
	enum options_transport transport;
	uint32_t max_conns; /* connections at once; 1: one */
	uint32_t max_write;
	uint32_t max_readahead;
	uint32_t max_background;
	uint32_t congestion; /* threshold of what is in the background */
	int32_t fmask;	     /* instead of umask, of what is no directory */
	int32_t dmask;	     /* ... and of directories */
	enum writebehind_durability durability;
	uint64_t behind_max; /* bytes; 0: the default */
	bool helper;	     /* of mount(8), which has letters of its own */
	bool fake;	     /* checked, and not mounted */
	bool foreground;
	bool verbose;
	bool debug;
	bool compression;
	bool passive;
	bool password_stdin;
	bool contain_links;
	bool rebase_links; /* where they are not contained */
	bool follow_links;
	bool modules_subdir;
	bool sync_readdir;
	bool sync_read;
	bool owner_caller;
	bool mend_rename; /* over files, with servers that cannot */
	bool mend_truncate;
	bool mend_stat; /* of open files */
	bool mend_create;
	bool modules_iconv;
	enum options_idmap idmap;
	enum options_nomap nomap;
	bool no_cache; /* of our own */
	bool no_names; /* there is no room in it */
	bool no_readahead;
	bool kernel_cache;
	bool direct_io;
	bool fail_at_once;  /* without a connection */
	bool delay_connect; /* until it is used */
	bool no_links;	    /* hard ones */
	bool no_root_check; /* what is not there is mounted all the same */
};

/*
 * Everything that was given has been understood and checked, or it is
 * OPTIONS_ERROR.  To be released in any case.  Uses getopt(3), whose state is
 * the process's: not from two threads.
 */
enum options_action options_parse(struct options *options, int argc,
				  char *const argv[],
				  char why[OPTIONS_WHY_MAX]);

/* What libfuse is told, for fuse_args; false: no memory. */
bool options_fuse_argv(const struct options *options, struct strings *argv);

void options_release(struct options *options);

void options_help(FILE *to);

/* The names of all that -o takes itself; NULL behind the last. */
const char *options_name(size_t index);

/* False: no memory; the list is as it was. */
bool strings_add(struct strings *list, const char *text);
bool strings_have(const struct strings *list, const char *text);
void strings_release(struct strings *list);

#endif
