/* Inside posixfs: the state that its source files share. */
#ifndef CSFTP_SERVER_POSIXFS_IMPL_H
#define CSFTP_SERVER_POSIXFS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "server/posixfs.h"

/*
 * One thread, no state outside of struct posixfs.  Functions that return int
 * return 0 or an errno, unless they say otherwise.
 */

#define POSIXFS_HANDLES	 1024U		/* unless configured */
#define POSIXFS_SCRATCH	 (256U * 1024U) /* a READ without room, a copy */
#define POSIXFS_LISTING	 (32U * 1024U)	/* names read ahead, by directory */
#define POSIXFS_IDNAMES	 256U		/* a power of two */
#define POSIXFS_ID_NAME	 256U		/* a longer name is not shown */
#define POSIXFS_HOME_MAX 16384U		/* one entry of passwd or group */

/* An open directory: what getdents64(2) gave, and how much is used up. */
struct posixfs_listing {
	struct posixfs_listing *next; /* of those that are in no handle */
	size_t len;
	size_t used;
	_Alignas(8) char buf[POSIXFS_LISTING];
};

/* Whether the pages of an open file may be lent (posixfs_splice.c). */
struct posixfs_whole {
	bool known; /* regular, dev and ino hold something */
	bool regular;
	bool lends;	  /* as of `writers` */
	uint64_t writers; /* posixfs.writers when that was found; 0: never */
	dev_t dev;
	ino_t ino;
};

struct posixfs_handle {
	int fd; /* -1: free */
	uint32_t generation;
	uint32_t next_free;
	uint32_t flags;			 /* CSFTP_OPEN_* */
	struct posixfs_listing *listing; /* NULL: opened with OPEN */
	struct posixfs_whole whole;
};

/* A name that was looked up; empty: there is none. */
struct posixfs_idname {
	uint32_t kind; /* 0: this place was not used yet */
	uint32_t id;
	char name[POSIXFS_ID_NAME];
};

struct posixfs {
	struct csftp_fs fs;
	int dirfd;   /* the start directory */
	char *start; /* its absolute path */
	struct posixfs_handle *handle;
	uint32_t handle_count;
	uint32_t handle_free;  /* handle_count: none */
	uint32_t handle_fresh; /* from here on they were never used */
	bool scratch_lent;     /* a reply points to scratch */
	/* Used before; there are no more than were open at a time. */
	struct posixfs_listing *listings;
	uint64_t writers; /* counts openings to write and their ends, from 1 */
	/*
	 * Together they are so large that calloc(3) has them from the kernel,
	 * page by page when they are used: most sessions use neither.
	 */
	struct posixfs_idname idname[POSIXFS_IDNAMES];
	char scratch[POSIXFS_SCRATCH];
};

struct posixfs *posixfs_of(struct csftp_fs *fs);

/* The path for system calls that are relative to dirfd. */
const char *posixfs_at(const char *path);
void posixfs_attr(struct csftp_attr *out, const struct stat *st);

/* NULL where fh is none, or was closed. */
struct posixfs_handle *posixfs_handle_get(const struct posixfs *px,
					  csftp_fh fh);
/* As above, and only of a file; -1 for none. */
int posixfs_file_fd(const struct posixfs *px, csftp_fh fh);
/* False where all handles are in use. */
bool posixfs_handle_room(const struct posixfs *px);
/* There must be room.  Takes fd and listing. */
csftp_fh posixfs_handle_open(struct posixfs *px,
			     const struct posixfs_handle *from);
/* Frees the handle; its fd is the caller's then. */
int posixfs_handle_close(struct posixfs *px, struct posixfs_handle *handle);

/* posixfs_file.c */
void posixfs_open(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_read(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_write(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_fsync(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_close(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_copy_range(struct csftp_fs *fs, struct csftp_req *req);

/*
 * posixfs_splice.c: answers a READ through the pipe that it offers; false where
 * it has to be copied: nothing has happened then.
 */
bool posixfs_read_piped(struct posixfs *px, struct csftp_req *req);

/* posixfs_dir.c */
void posixfs_opendir(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_readdir(struct csftp_fs *fs, struct csftp_req *req);

/* posixfs_names.c */
void posixfs_realpath(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_homedir(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_id(struct csftp_fs *fs, struct csftp_req *req);

#endif
