/* Inside of disk.c and disk_job.c. */
#ifndef CSFTP_SERVER_CSFTPD_DISK_IMPL_H
#define CSFTP_SERVER_CSFTPD_DISK_IMPL_H

#include <limits.h>

#include "server/csftpd/disk.h"

/* Names of a READDIR in a thread, with what is known of each. */
#define DISK_NAMES_ROOM (48U * 1024U)

/* disk_config.names_max: some eighty of the longest. */
#define DISK_NAMES_MAX (4U << 20)

/* What keeps a worker for so long is slow. */
#define DISK_SLOW_US 1000U

/* And so many that are not, one after the other, are the end of it. */
#define DISK_SLOW_COUNT 16U

/*
 * csftp_req.own: it has not been tried, is known to wait, or goes to a thread
 * because others were slow.
 */
enum disk_own { DISK_UNTRIED, DISK_WAITS, DISK_SLOW };

/* What of a listing is for the next READDIR; bytes as disk_job.c has them. */
struct disk_names {
	struct disk_names *next;
	csftp_fh fh;
	bool eof;
	size_t len;
	size_t used;
	_Alignas(8) uint8_t bytes[];
};

/* A request in a thread, and its answer. */
struct disk_job {
	struct threads_task task; /* first */
	struct disk_job *next;	  /* of the layer's */
	struct disk_job *next_done;
	struct disk *disk;
	struct csftp_req *asked;
	struct csftp_req req; /* to the hand */
	struct csftp_fs *hand;
	bool was_slow;
	char path[CSFTP_PATH_MAX + 1]; /* of one that expands */
	struct csftp_reply reply;
	struct csftp_attr attr;
	struct csftp_statfs statfs;
	size_t names_len;
	char text[PATH_MAX];
	_Alignas(8) uint8_t names[DISK_NAMES_ROOM];
	_Alignas(16) uint8_t memory[]; /* of the hand */
};

size_t disk_job_size(void);

/* False: it has been answered with an error. */
bool disk_job_start(struct disk *disk, struct disk_job *job,
		    struct csftp_req *asked);

/* Answers; the job is nobody's then. */
void disk_job_end(struct disk_job *job);

/* Whether its path may begin with a home, which is the tree's to know. */
bool disk_expands(const struct csftp_req *req);

/* The path with the home in its place; 0 or an errno.  The worker's thread. */
int disk_expand(struct disk *disk, const char *path,
		char out[CSFTP_PATH_MAX + 1]);

/* READDIR of names that are left from before; false: there are none. */
bool disk_names_answer(struct disk *disk, struct csftp_req *req);

/* The handle is about to go. */
void disk_names_drop(struct disk *disk, csftp_fh fh);

enum disk_kind disk_kind_of(const struct csftp_req *req);

/* Whether a request that went to a thread for that was slow there. */
void disk_learn(struct disk *disk, enum disk_kind kind, bool slow);

#endif
