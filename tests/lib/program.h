/* A csftp-server with options of the test's, and a client of it. */
#ifndef CSFTP_TESTS_PROGRAM_H
#define CSFTP_TESTS_PROGRAM_H

#include "csftp/remote.h"
#include "csftp/stream.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/proc.h"

/*
 * AddressSanitizer looks for leaks at the end by means that the sandbox
 * forbids, so with it the server goes without, unless it is told otherwise.
 */
#if defined(__SANITIZE_ADDRESS__)
#define CSFTP_ASAN 1
#else
#define CSFTP_ASAN 0
#endif

/* The server for a shell: its path, and with a sanitizer an option. */
void program_path(char path[PROC_PATH_MAX]);

/*
 * The server runs as a child, by a shell, with the options printed; what it
 * says on standard error goes to the file that they redirect it to, or to our
 * own.  The client's file system is ready in c.fs.
 */
struct program {
	struct csftp_stream stream;
	struct csftp_remote *remote;
	struct fs_caller c;
	bool ready;
};

__attribute__((format(printf, 2, 3))) void
program_start(struct program *program, const char *options, ...);

/* Ends the session as a client does that closes its side; the exit status. */
int program_stop(struct program *program);

/*
 * Opens path for writing anew and writes text; the handle stays open.  0 or
 * the first errno.
 */
int program_put(struct program *program, const char *path, uint32_t flags,
		const char *text, csftp_fh *fh);

/* Writes a whole file; 0 or the first errno. */
int program_file(struct program *program, const char *path, const char *text);

#endif
