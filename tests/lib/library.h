/* Trees by way of an SFTP library: one walk for all libraries. */
#ifndef CSFTP_TESTS_LIBRARY_H
#define CSFTP_TESTS_LIBRARY_H

#include <sys/stat.h>

#include "tests/lib/proc.h"

/* Of mode the type and permissions, the size and st_mtime are told. */
typedef void library_entry(void *arg, const char *name, const struct stat *st);

/*
 * What a test makes of a library's calls.  Each fails the running test where
 * the library reports an error.  session is the library's own.
 */
struct library {
	void (*put)(void *session, const char *local, const char *remote);
	void (*get)(void *session, const char *remote, const char *local);
	void (*mkdir)(void *session, const char *path);
	void (*symlink)(void *session, const char *text, const char *path);
	void (*readlink)(void *session, const char *path,
			 char text[PROC_PATH_MAX]);
	/* Calls each for all but "." and ".."; it may make other calls. */
	void (*list)(void *session, const char *path, library_entry *each,
		     void *arg);
	/* Mode and both times; not of links. */
	void (*set)(void *session, const char *path, const struct stat *st);
};

/* A tree to a remote directory that is made, with links, modes and times. */
void library_send(const struct library *library, void *session,
		  const char *local, const char *remote);

/* The same in the other direction. */
void library_fetch(const struct library *library, void *session,
		   const char *remote, const char *local);

#endif
