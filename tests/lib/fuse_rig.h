/* The FUSE frontend over memfs, mounted; and processes that use the mount. */
#ifndef CSFTP_TESTS_FUSE_RIG_H
#define CSFTP_TESTS_FUSE_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/layer/writebehind.h"
#include "fusefs/fusefs.h"
#include "tests/lib/proc.h"
#include "tests/lib/tap.h"
#include "tests/lib/test.h"

struct rig {
	struct csftp_fs *memfs;
	struct tap tap;
	struct fusefs *f;
	char point[PROC_PATH_MAX];
	char log[4096];
	struct fusefs_config config; /* what is not zero is the test's wish */
	bool allow_other;	     /* other users may use the mount */
	bool behind; /* writes are answered before they are done */
	struct writebehind *writebehind;
	size_t most_nodes; /* that were in the inode table at once */
	pid_t second;	   /* for a test that needs another process */
	/* Called between two rounds, in the process that serves. */
	void (*between)(struct rig *rig);
	pid_t child; /* the process that is served */
};

/* Set-up and teardown for cmocka; not mounted yet. */
int rig_make(void **state);
int rig_release(void **state);

/* Skips the test where it cannot mount. */
void rig_need_fuse(void);

/*
 * Mounts with rig->config.  The file system takes max_read and max_write in
 * one piece (0: anything); ops as in the config.
 */
void rig_mount(struct rig *rig, uint32_t max_read, uint32_t max_write,
	       uint32_t ops);

/* Both, with the defaults. */
struct rig *rig_ready(void **state);

/* Starts body in a process inside the mount; it returns, or calls _exit(). */
pid_t rig_start(struct rig *rig, void (*body)(void));

/* Serves until the process has ended; its wait status. */
int rig_serve(struct rig *rig, pid_t pid);

/* Both; fails the test unless the process found all well. */
void rig_run(struct rig *rig, void (*body)(void));

/*
 * For the bodies, where cmocka's assertions would only end a child.
 */

#define NEED(claim) rig_check((claim), #claim, __LINE__)

/* Ends the process with a message unless it is ok. */
void rig_check(bool ok, const char *what, int line);

bool rig_fails(long result, int err);

/* A new file with that text: open for both, or written and closed. */
int rig_open(const char *name, const char *text);
void rig_put(const char *name, const char *text);

/* Whether a file holds exactly that. */
bool rig_holds(const char *name, const char *text);

#define RIG_TEST(name)                                                         \
	cmocka_unit_test_setup_teardown(name, rig_make, rig_release)

#endif
