/* A desk for disks that are played, and sessions at it. */
#ifndef CSFTP_TESTS_DESK_H
#define CSFTP_TESTS_DESK_H

#include <semaphore.h>

#include "server/csftpd/disk.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/proc.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

enum { JOBS = 4, THREADS = 3, CALLS = 8 };

/*
 * What the disk is like.  preadv2(2) and pwritev2(2) of the C library, and the
 * list of mounts, are taken over in a program that has this.
 */
struct played {
	bool cold; /* nothing is in the page cache */
	bool old;  /* the file system cannot say */
	/* What each look at the clock adds; two looks are about one request. */
	uint64_t step_us;
	uint64_t now_us;
	bool sleeps;	   /* whatever takes that long */
	unsigned in_place; /* calls that were taken over */
	dev_t far;	   /* a file system of another machine; 0: none is */
};

extern struct played played;

struct place;

struct call {
	struct csftp_req req;
	struct place *place;
	unsigned answered; /* 1: the first of all; 0: not yet */
	int err;
	csftp_fh fh;
	size_t len;
	char data[16];
};

/* A tree, a desk, and two sessions at it. */
struct place {
	char dir[PROC_PATH_MAX];
	struct csftp_fs *files;
	struct disk_desk desk;
	struct disk disk[2];
	struct fs_caller c;
	/* By hand: tasks run when a test says so. */
	struct threads_task *tasks;
	unsigned task_count;
	unsigned awake;
	unsigned answers; /* of calls */
	unsigned told;	  /* disk_config.answered */
	/* Else: by threads. */
	struct threads threads;
	sem_t back;
	struct call call[CALLS];
};

/* Tasks run when run_task() says so. */
struct place *by_hand(uint32_t jobs);
/* Nothing is left, whatever the test has done. */
void place_free(struct place *place);
/* The first that was handed over comes back.  arg is the place. */
bool run_task(void *arg);

/* They run at once, in threads; wait_for_one() takes what has come back. */
struct place *by_threads(bool jail);
bool wait_for_one(void *arg);
void end_threads(struct place *place);

/* Asks, of the first session or another; the call is in the place. */
struct call *ask_of(struct place *place, struct disk *disk,
		    const struct csftp_req *req);
struct call *ask(struct place *place, const struct csftp_req *req);

/* A file that holds the text; it stays open. */
csftp_fh make(struct place *place, const char *name, const char *text);

#endif
