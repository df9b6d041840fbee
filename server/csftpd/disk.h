/* Waits for disks that do not hold up others: a layer over a tree of files. */
#ifndef CSFTP_SERVER_CSFTPD_DISK_H
#define CSFTP_SERVER_CSFTPD_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "csftp/fs.h"
#include "server/csftpd/pool.h"
#include "server/csftpd/threads.h"

/*
 * Each session has a layer, and each worker a desk at which its layers hand
 * requests over to threads.  A request is answered inside csftp_submit() if it
 * takes no waiting (posixfs_now()), else by disk_desk_collect() later; so the
 * layer is CSFTP_FS_PROMPT.
 *
 * To a thread goes what is known to wait:
 *   FSYNC, STATFS, COPY_RANGE    always
 *   READ, WRITE                  as posixfs_now() finds
 *   what is on a file system of another machine, the same
 * and, for a while, what has turned out to: a request that has slept, and took
 * a millisecond (or a tick of the clock), soon after another of its session and
 * kind that took as long.  Those behind it go to a thread, until several in a
 * row were quick there.  The first of the two is only a suspicion: on a busy
 * machine anybody can lose the processor for so long, and a look whether it
 * slept costs too much to be taken each time.
 *
 * Order (filexfer-02, 6; csftp/fs.h): requests about one handle are done one
 * after the other.  What changes something is done after all that the session
 * asked for before it and before all it asks for afterwards, but for what is
 * about a handle alone (FSYNC, CLOSE, READDIR, STATFS): so a thread overtakes
 * nobody who could tell.  The others of a session go on.
 */

/* Names, and what is in files: they can be on different disks. */
enum disk_kind { DISK_NAMES, DISK_DATA, DISK_KINDS };

struct disk;

struct disk_config {
	/* The tree, and the posixfs in it. */
	struct csftp_fs *tree;
	struct csftp_fs *files;
	struct disk_desk *desk;
	/*
	 * Bytes of names that READDIRs have no room for, of all directories
	 * together; one that would be beyond ends with ENOMEM.  0: 4 MiB.
	 */
	size_t names_max;
	/*
	 * Some of what waited may have been answered; called when all that
	 * follows of it was done, so that the layer may be closed in here.
	 */
	void (*answered)(void *arg);
	void *arg;
};

struct disk_names;
struct disk_job;

struct disk {
	struct csftp_fs fs; /* first */
	struct disk_config config;
	struct csftp_req *first; /* those that wait for others, or for a job */
	struct csftp_req *last;
	struct disk_job *jobs;	  /* under way */
	struct disk_names *names; /* that a READDIR had no room for */
	size_t names_len;	  /* bytes of these */
	uint32_t job_count;
	uint32_t waiting;
	uint8_t slow[DISK_KINDS];    /* so many more go to a thread */
	uint8_t suspect[DISK_KINDS]; /* so many more are looked at */
	bool pumping;
	bool listed; /* at the desk */
	struct disk *next_listed;
};

struct disk_desk_config {
	uint32_t jobs; /* at once, of all layers; above 0 */
	/* Has the task run by another thread.  Any thread may be told. */
	void (*add)(void *arg, struct threads_task *task);
	/* disk_desk_collect() is to be called; from any thread. */
	void (*wake)(void *arg);
	uint64_t (*clock_us)(void); /* any clock that does not go back */
	/* How often the thread that calls it has slept (getrusage(2)). */
	uint64_t (*sleeps)(void);
	void *arg;
};

/* One thread, that of its worker, but for what is under the lock. */
struct disk_desk {
	struct disk_desk_config config;
	struct pool jobs;
	struct disk *first; /* layers that wait for a job to be free */
	struct disk **last;
	struct disk *served; /* whose turn it is */
	pthread_mutex_t lock;
	struct disk_job *done; /* that have come back, the latest first */
	_Atomic uint64_t slow; /* requests that kept the worker */
};

/* False: no memory; disk_desk_close() is called in any case. */
bool disk_desk_open(struct disk_desk *desk,
		    const struct disk_desk_config *config);

/* After all layers.  False: a job was lost.  What was not opened may be zero.
 */
bool disk_desk_close(struct disk_desk *desk);

/* Answers what has come back, and goes on with what waited for it. */
void disk_desk_collect(struct disk_desk *desk);

void disk_open(struct disk *disk, const struct disk_config *config);

/* Whether every request was answered; no other may close it. */
bool disk_is_idle(const struct disk *disk);
void disk_close(struct disk *disk);

#endif
