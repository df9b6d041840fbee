/* The FUSE frontend: shows a csftp_fs to the kernel. */
#ifndef CSFTP_FUSEFS_FUSEFS_H
#define CSFTP_FUSEFS_FUSEFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * Requests of the kernel become requests to the file system, and its answers
 * go back, in any order.  It needs no event loop: the owner polls fusefs_fd()
 * for reading while fusefs_wants_input(), calls fusefs_ready() when it is
 * readable and fusefs_tick() at the deadline that the last tick named.
 *
 * Every request of the kernel is answered exactly once and takes one of a
 * fixed number of request objects until all that it asked has been answered;
 * while none is free, the kernel's queue waits.
 *
 * Who waits for an answer can always be killed: a caller with a signal that
 * would end it (or SIGINT, SIGTERM, SIGHUP, SIGQUIT even if it is caught, but
 * not if it is blocked or ignored) gets EINTR at once.  Other signals, such as
 * a program's progress timer, do not break its calls.
 *
 * A write(2) is answered when the file system answers the WRITE, which may be
 * before it is done (core/layer/writebehind.h) unless the file is open with
 * O_SYNC or O_DSYNC.  Payload lies in a csftp_buf; all of them must have been
 * dropped before fusefs_free().
 *
 * When a file is closed that was written to, or that was made and had its
 * attributes set, close(2) waits for the server's CLOSE and returns its error.
 * FUSE tells of a close(2) (FLUSH), and of the last one only when it is too
 * late to return anything (RELEASE); and SFTP has one CLOSE per handle.  So
 * FLUSH sends CLOSE when the descriptor is closed by the process that opened
 * it, and a descriptor that lives on all the same (dup, a child, a mapping)
 * opens the file again at its next use, without CREAT, TRUNC or EXCL.  A handle
 * is not closed early where it could not be opened again: its file has no name
 * any more, its mode forbids it, or it is in use.  Then, as where a child
 * closes what it inherited, the error of the late CLOSE is only logged.  A file
 * that is about to lose its name, or to get a mode that forbids it, is opened
 * again first.
 *
 * Owner and modes: a file system that does not say what a file is shows a
 * regular file, mode 0600.
 *
 * Thread rule: one thread.
 */
struct fusefs;

#define FUSEFS_ID_KEEP	(-1)	 /* no override */
#define FUSEFS_MODE_SET 0x10000U /* an override, also with no bits */

struct fusefs_config {
	struct csftp_fs *fs;
	const char *root;     /* absolute path of the directory that is shown */
	uint32_t ops;	      /* request objects; 0: 256 */
	uint32_t max_read;    /* largest read; 0: what suits the fs */
	double entry_timeout; /* seconds that names may be cached */
	double attr_timeout;  /* ... and attributes */
	double negative_timeout; /* ... and absence */
	uint32_t max_write;	 /* largest write; 0: what suits the fs */
	uint32_t max_readahead;	 /* of the kernel; 0: its own */
	uint32_t max_background; /* requests that it has waiting; 0: 128 */
	uint32_t congestion;	 /* ... that it holds to be many; 0: 128 */
	uint32_t local_uid;	 /* of what has no owner */
	uint32_t local_gid;
	int64_t uid; /* shown for all, or FUSEFS_ID_KEEP */
	int64_t gid;
	/* Permission bits shown of all, with FUSEFS_MODE_SET; 0: their own. */
	uint32_t file_mode; /* of all that is no directory */
	uint32_t dir_mode;
	bool caller_owns;  /* the fs is told who makes what */
	bool sync_read;	   /* one READ of a file at a time */
	bool sync_readdir; /* one READDIR of a directory at a time */
	bool keep_cache;   /* content the kernel has outlives open(2) */
	bool direct_io;	   /* the kernel has none */
	bool no_links;	   /* link(2) is EOPNOTSUPP */
	/* A sentence without newline, for the person who mounted. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

/*
 * file_mode or dir_mode for a mask, or for the other one if that is -1, or for
 * none.  As libfuse takes masks: what is not masked is there.
 */
uint32_t fusefs_mode(int32_t mask, int32_t otherwise);

/*
 * argv is for libfuse: a program name and mount options ("-oro"), then NULL.
 * The strings in config have to live as long as the frontend.
 * CSFTP_ERR_ARG: libfuse did not accept argv, and has said why.
 */
CSFTP_MUST_CHECK enum csftp_err fusefs_new(struct fusefs **out,
					   const struct fusefs_config *config,
					   char *const argv[]);

/* Unmounts if need be.  Nothing may be pending.  NULL is fine. */
void fusefs_free(struct fusefs *f);

/* CSFTP_ERR_IO: it could not be mounted, and libfuse has said why. */
CSFTP_MUST_CHECK enum csftp_err fusefs_mount(struct fusefs *f,
					     const char *mountpoint);
void fusefs_unmount(struct fusefs *f);

int fusefs_fd(const struct fusefs *f);
bool fusefs_wants_input(const struct fusefs *f);

/* Takes requests until there are none, or no object is free for one. */
void fusefs_ready(struct fusefs *f);

/*
 * Looks after callers with signals and spare memory.  now_ms is of any steady
 * clock; returns when to call again on that clock, 0: only after the next
 * fusefs_ready().
 */
uint64_t fusefs_tick(struct fusefs *f, uint64_t now_ms);

/* The kernel has no more requests: it was unmounted, or told to end. */
bool fusefs_ended(const struct fusefs *f);

/* It is about to be told to: what fails from here on, fails at the end. */
void fusefs_ending(struct fusefs *f);

/* Takes no further requests. */
void fusefs_end(struct fusefs *f);

/* Requests and closings that the file system has not answered yet. */
uint32_t fusefs_pending(const struct fusefs *f);

/* Those of them whose caller waits for the answer. */
uint32_t fusefs_callers(const struct fusefs *f);

/* One of those callers. */
struct fusefs_caller {
	pid_t pid;	  /* 0: not known here */
	const char *op;	  /* as csftp_op_name(), or "wait" */
	const char *path; /* on the server; "": it has none any more */
	uint64_t age_ms;
};

/*
 * Whether a program has a file such that it could have mapped it to write
 * there; and whether pages of mappings are being written.
 */
bool fusefs_may_be_mapped(const struct fusefs *f);
bool fusefs_writes_back(const struct fusefs *f);

/* Tells of each, in no order; nothing may be asked or answered meanwhile. */
void fusefs_each_caller(const struct fusefs *f,
			void (*tell)(void *arg,
				     const struct fusefs_caller *caller),
			void *arg);

/*
 * Nobody answers below, for a while or no longer.  Who opens a directory that
 * the kernel knows does not wait, as df(1) does so for all that it is given;
 * who reads it does.
 */
void fusefs_hold(struct fusefs *f, bool on);

/* Closes what the kernel has left open; to be called after it has ended. */
void fusefs_close_files(struct fusefs *f);

/*
 * Whether somebody waits for what was asked since the last call.  If not, it is
 * as well sent together with what comes next, or a moment later.
 */
bool fusefs_take_urgent(struct fusefs *f);

/* Errors of writes and closings that no caller was told of; all were logged. */
uint32_t fusefs_lost_errors(const struct fusefs *f);

/*
 * Errors of writes, fsync and close that their callers were told of at the end,
 * so that it is the end that is to blame; all were logged.
 */
uint32_t fusefs_failed_at_end(const struct fusefs *f);

/* The st_ino of a path of the file system, where it is shown; 0: it is not. */
uint64_t fusefs_number(const struct fusefs *f, const char *path);

/* Nodes in the inode table, the root included. */
size_t fusefs_nodes(const struct fusefs *f);

#endif
