/* Inside posixfs: the state that its source files share. */
#ifndef CSFTP_SERVER_POSIXFS_IMPL_H
#define CSFTP_SERVER_POSIXFS_IMPL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "server/posixfs.h"

/*
 * One thread, no state outside of struct posixfs.  Functions that return int
 * return 0 or an errno, unless they say otherwise.
 */

#define POSIXFS_HANDLES 1024U	       /* unless configured */
#define POSIXFS_SCRATCH (256U * 1024U) /* a READ without room, a copy */
#define POSIXFS_LISTING (32U * 1024U)  /* names read ahead, by directory */
#define POSIXFS_IDNAMES 256U	       /* a power of two */
#define POSIXFS_ID_NAME 256U	       /* a longer name is not shown */

/* An open directory: what getdents64(2) gave, and how much is used up. */
struct posixfs_listing {
	struct posixfs_listing *next; /* of those that are in no handle */
	size_t len;
	size_t used;
	bool busy;	      /* a READDIR of it is on the stack */
	bool is_root;	      /* of the jail: its ".." is itself */
	char place[PATH_MAX]; /* where it was opened; only with views */
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

/* What posixfs_now() has found out of an open file. */
struct posixfs_haste {
	bool known; /* far holds something */
	bool far;
	bool no_read; /* the file system knows no RWF_NOWAIT */
	bool no_write;
};

struct posixfs_handle {
	int fd; /* -1: free */
	uint32_t generation;
	uint32_t next_free;
	uint32_t flags;			 /* CSFTP_OPEN_* */
	enum posixfs_access access;	 /* of where it was opened */
	struct posixfs_listing *listing; /* NULL: opened with OPEN */
	struct posixfs_whole whole;
	struct posixfs_haste haste;
};

/* A name that was looked up; empty: there is none. */
struct posixfs_idname {
	uint32_t kind; /* 0: this place was not used yet */
	uint32_t id;
	char name[POSIXFS_ID_NAME];
};

/* A view, with the text of its place: no links, no dots, "" for the root. */
struct posixfs_top {
	char *path;
	enum posixfs_access access;
};

struct posixfs {
	struct csftp_fs fs;
	int dirfd;    /* the start directory; in a jail, the jail's root */
	char *start;  /* the start's absolute path; "" for the jail's root */
	char *root;   /* the root's own absolute path; NULL: no jail */
	int proc_fds; /* /proc/self/fd, as an O_PATH descriptor; -1: none */
	struct posixfs_top *view;
	size_t view_count;
	struct posixfs_modes files;
	struct posixfs_modes dirs;
	struct mounts *mounts; /* NULL: all is near */
	struct posixfs_handle *handle;
	uint32_t handle_count;
	uint32_t handle_free;  /* handle_count: none */
	uint32_t handle_fresh; /* from here on they were never used */
	bool scratch_lent;     /* a reply points to scratch */
	bool opens_near;       /* what is being opened was found to be */
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

extern const struct csftp_fs_ops posixfs_ops;

struct posixfs *posixfs_of(struct csftp_fs *fs);

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

static inline bool posixfs_jailed(const struct posixfs *px)
{
	return px->root;
}

/* posixfs_sys.c: as system calls do, -1 and errno. */
int posixfs_openat2(int dirfd, const char *path, int flags, mode_t mode,
		    uint64_t resolve);
int posixfs_fchmodat2(int dirfd, const char *path, mode_t mode, int flags);

/* posixfs_view.c.  A text is a place as in struct posixfs_top. */
CSFTP_MUST_CHECK enum csftp_err
posixfs_views_set(struct posixfs *px, const struct posixfs_config *config);
void posixfs_views_free(struct posixfs *px);
enum posixfs_access posixfs_view_of(const struct posixfs *px, const char *text);
/* Whether it is or contains the top of a view. */
bool posixfs_view_holds(const struct posixfs *px, const char *text);
/* Whether it is hidden and so is all below it. */
bool posixfs_view_hides(const struct posixfs *px, const char *text);
/* Whether a directory's name is left out of its listing. */
bool posixfs_view_hides_name(const struct posixfs *px, const char *dir,
			     const char *name);

/* posixfs_place.c: the ways from a path to what system calls take. */

/*
 * Opens what path names, as open(2).  Flags may have O_NOFOLLOW only with
 * O_PATH.  Views are obeyed: EROFS, ENOENT.
 */
struct posixfs_opened {
	int fd;
	enum posixfs_access access;
	char text[PATH_MAX]; /* where it is; only with views */
};
int posixfs_path_open(struct posixfs_opened *out, const struct posixfs *px,
		      const char *path, int flags, mode_t mode);

/*
 * Whether all that the path leads through is in memory, and where it leads is
 * near; of what is not there, that it is known not to be.  st, which may be
 * NULL, is filled where there is something; its mask is 0 else.
 */
bool posixfs_path_near(const struct posixfs *px, const char *path, bool follow,
		       struct statx *st);

/*
 * For calls that work on a name in a directory and do not follow it.  Without
 * a jail: the path, and the start directory.
 */
struct posixfs_place {
	int dirfd;
	bool owned; /* dirfd is closed by posixfs_place_end() */
	bool slash; /* the path ended with one: only a directory is meant */
	const char *name;
	enum posixfs_access access; /* to change the name, and what it names */
	bool holds;		    /* it is or contains the top of a view */
	char buf[NAME_MAX + 1];
};
/* ENOENT for what is hidden; what is read-only is the caller's to refuse. */
int posixfs_place(struct posixfs_place *out, const struct posixfs *px,
		  const char *path);
void posixfs_place_end(struct posixfs_place *place);

/* posixfs_canon.c: as realpath(3), but the last name may be missing.  The
 * root is "".  With keep_last, a link that the path ends with is not followed.
 */
int posixfs_canonical(const struct posixfs *px, char out[PATH_MAX],
		      const char *path, bool keep_last);

/* posixfs_attr.c */
void posixfs_setattr(struct csftp_fs *fs, struct csftp_req *req);
uint32_t posixfs_mode(const struct posixfs *px, uint32_t mode, bool is_dir);
/* What umask(2) took of the bits that are to be set; for what was made. */
int posixfs_force_mode(const struct posixfs *px, int fd);

/* posixfs_rename.c */
void posixfs_rename(struct csftp_fs *fs, struct csftp_req *req);

/* posixfs_copy.c */
void posixfs_copy_range(struct csftp_fs *fs, struct csftp_req *req);

/* posixfs_file.c */
void posixfs_open(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_read(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_write(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_fsync(struct csftp_fs *fs, struct csftp_req *req);
void posixfs_close(struct csftp_fs *fs, struct csftp_req *req);
/* As pread(2), -1 and errno; what cannot seek is read from where it is. */
ssize_t posixfs_read_at(int fd, void *into, size_t len, off_t off);
/* All of it. */
int posixfs_write_at(int fd, const void *data, size_t len, off_t off);

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
