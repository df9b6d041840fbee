/* The insides of the FUSE frontend, shared by its sources only. */
#ifndef CSFTP_FUSEFS_FRONTEND_H
#define CSFTP_FUSEFS_FRONTEND_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>

#include "csftp/fs.h"
#include "fusefs/fusefs.h"
#include "fusefs/inode.h"

/* The most that one READ or WRITE of the kernel carries: what FUSE allows. */
#define FUSEFS_IO_MAX (1U << 20)

/* Pieces that one of them is split into at most. */
#define FUSEFS_ASKS 32U

/* Names of one READDIR reply to the kernel are put together in this much. */
#define FUSEFS_DIRBUF (128U * 1024U)

struct fuse_op;
struct file;

/* One question to the file system; req is first, so that it finds the rest. */
struct ask {
	struct csftp_req req;
	struct fuse_op *op;
	uint64_t got; /* READ: bytes that came */
	int err;
	bool inside; /* being submitted */
	bool again;  /* to be submitted once more */
};

/*
 * One request of the kernel.  It lives until all that it asked is answered;
 * the kernel may have had its answer before that.
 *
 *   asks     questions without an answer, and one more while the operation is
 *            being put together
 *   finish   called when asks reaches zero; answers, and ends the operation
 *   go       called when a file that the operation waits for can be used;
 *            err is 0 or why it cannot
 */
struct fuse_op {
	struct fuse_op *next; /* in the list of free or of used ones */
	struct fuse_op *prev;
	struct fuse_op *next_waiting;
	struct fusefs *f;
	fuse_req_t req; /* NULL: answered */
	void (*finish)(struct fuse_op *op);
	void (*go)(struct fuse_op *op, int err);
	void (*rescue)(struct fuse_op *op, int err); /* of file_rescue() */
	uint32_t asks;
	uint32_t asked; /* of ask[], how many are in use */
	pid_t pid;
	uint64_t began_ms;   /* when the kernel's request was taken */
	enum csftp_op first; /* what was asked first, if asked is not 0 */
	bool interrupted;    /* a signal came for the caller */
	bool beginning;	     /* not to be answered yet */
	bool doomed;	     /* the caller is to be let go */
	bool has_attr;
	bool opened;	    /* fh is a handle, to be closed */
	bool linked;	    /* node2 gets a link to node */
	bool no_setid;	    /* WRITE: of who may not leave such bits */
	bool reread;	    /* READ: it ended early, and is asked again */
	uint64_t told;	    /* READ: fusefs.told when it came */
	uint64_t changes;   /* SETATTR: of the node, with this one */
	struct inode *node; /* pinned while here */
	struct inode *node2;
	struct file *file; /* in use while here */
	struct file *file2;
	struct csftp_buf *buf; /* that the payload of a WRITE lies in */
	char *gather; /* READ in pieces: from the pool of gather buffers */
	struct fuse_file_info fi;
	struct csftp_attr in;
	struct csftp_attr attr;
	struct csftp_statfs statfs;
	csftp_fh fh;
	const char *name; /* the last component in path or path2 */
	const char *data;
	uint64_t size;
	uint64_t off;
	uint64_t off2;
	uint64_t count;
	uint32_t flags;	   /* RENAME: CSFTP_REPLACE; READDIR: see dir.c */
	struct ask *setid; /* of those below, what takes such bits off */
	struct ask ask[FUSEFS_ASKS + 1]; /* see lose_setid() */
	char path[CSFTP_PATH_MAX + 1];
	char path2[CSFTP_PATH_MAX + 1];
};

/*
 * What requests of the kernel are received into.  Whoever goes on with the
 * payload of a WRITE holds it.
 */
struct received {
	struct csftp_buf buf; /* first */
	struct fusefs *f;
	struct received *next; /* of those that nobody holds */
	void *mem;
};

/* Buffers that are kept for use again, for a while. */
struct buffers {
	void **item;
	uint32_t count;
};

struct fusefs {
	struct fusefs_config config;
	struct csftp_fs *fs;
	struct fuse_session *session;
	struct inodes *inodes;
	struct fuse_op *ops;	/* all of them */
	struct fuse_op *unused; /* a list through next */
	struct fuse_op *used;	/* a list, both ways */
	uint32_t unused_count;
	uint32_t op_count;
	bool urgent;	      /* somebody waits for what was asked */
	uint32_t closings;    /* CLOSE and OPEN of files, READDIR ahead */
	uint32_t interrupted; /* operations whose caller has a signal */
	uint32_t lost_errors;
	uint32_t failed_at_end; /* see fusefs_failed_at_end() */
	uint32_t max_read;
	uint32_t max_write;
	uint64_t told; /* times that attributes were shown to the kernel */
	uint64_t next_check_ms;
	uint64_t trim_ms;  /* when spare memory is given back; 0: none is */
	size_t most_nodes; /* there were, since it was */
	bool ending;	   /* see fusefs_ending() */
	bool greeted;	   /* the first answer, to INIT, was given */
	bool parallel;	   /* to be said there */
	bool direct_maps;  /* likewise: direct files can be mapped shared */
	bool mounted;
	struct buffers gather;
	struct received *unheld;
	struct received *received; /* what is being taken */
	struct dir *dirs;	   /* all open directories */
	bool held;		   /* nobody answers below */
	struct file *files;	   /* all open files */
	char *dirbuf;
};

/*
 * Operations (op.c)
 */

/*
 * A free operation for the request, with asks at 1 and a pinned node; NULL if
 * the number is unknown (answered).
 */
struct fuse_op *op_on(fuse_req_t req, fuse_ino_t ino,
		      void (*finish)(struct fuse_op *));

/* Drops one of asks. */
void op_put(struct fuse_op *op);

/* Ends it: nothing of it may be outstanding. */
void op_free(struct fuse_op *op);

/* A zeroed question of the operation; it counts from here. */
struct csftp_req *op_ask(struct fuse_op *op, enum csftp_op what);

/* Asks for attributes of path, the name itself; ask before op_put(). */
void op_ask_attr(struct fuse_op *op, const char *path);

void op_submit(struct fuse_op *op, struct csftp_req *req);

/* Says in op->in who asks, where what is made is to be theirs. */
void op_owner(struct fuse_op *op);

/* Fails it before anything was asked. */
void op_fail(struct fuse_op *op, int err);

/* The first error, in the order of the questions. */
int op_err(const struct fuse_op *op);

/* Builds the path of op->node, or of name in it.  false: answered. */
bool op_path(struct fuse_op *op, const char *name);

/*
 * After ENOENT: true if a rename through this mount overtook the operation, so
 * that its path is another by now.  Then path is the new one, and the
 * questions can be asked again.  Uses path2.
 */
bool op_moved(struct fuse_op *op);

/* These do nothing where the caller has had its answer. */
void op_reply_err(struct fuse_op *op, int err);
void op_reply_attr(struct fuse_op *op);
/* Makes the node of op->name in op->node (or parent) and answers with it. */
void op_reply_entry(struct fuse_op *op);

void fusefs_logf(struct fusefs *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

uint64_t fusefs_now_ms(void);

/*
 * Whether the WRITE that is being taken is of somebody who has to leave no
 * setuid and setgid bits, which the kernel does not take off itself.
 */
bool fusefs_kills_setid(const struct fusefs *f);

void *buffers_get(struct buffers *buffers);

/* Gives back what nobody uses; when to call again, 0: there is none. */
uint64_t fusefs_trim(struct fusefs *f, uint64_t now_ms);

/* Signals (interrupt.c) */
void op_watch(struct fuse_op *op);
bool fusefs_same_process(pid_t a, pid_t b);

/* Attributes (attr.c) */
/* What the kernel is told of a node; its size is remembered there. */
void attr_to_stat(struct fusefs *f, const struct csftp_attr *attr,
		  struct inode *node, struct stat *st);
uint32_t attr_type(const struct csftp_attr *attr, uint32_t otherwise);
/* The kernel asks before it goes by what it was told of a node. */
void attr_doubt(struct fusefs *f, struct inode *node);
void fusefs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fusefs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		    struct fuse_file_info *fi);
void fusefs_access(fuse_req_t req, fuse_ino_t ino, int mask);
void fusefs_readlink(fuse_req_t req, fuse_ino_t ino);
void fusefs_statfs(fuse_req_t req, fuse_ino_t ino);

/* Names (names.c) */
void fusefs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fusefs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void fusefs_forget_multi(fuse_req_t req, size_t count,
			 struct fuse_forget_data *forgets);
void fusefs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode);
void fusefs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode, dev_t rdev);
void fusefs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fusefs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fusefs_symlink(fuse_req_t req, const char *text, fuse_ino_t parent,
		    const char *name);
void fusefs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		 const char *name);
void fusefs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		   fuse_ino_t newparent, const char *newname,
		   unsigned int flags);

/* Open files (file.c) */
enum file_state {
	FILE_OPEN,
	FILE_CLOSING,	/* CLOSE is on its way */
	FILE_CLOSED,	/* ... was answered, but the descriptor may live on */
	FILE_REOPENING, /* OPEN is on its way */
};

/* The end of what was written last, and when (same.c). */
#define SAME_MAX 64U

struct mark {
	uint64_t off;
	uint64_t changes; /* of the node, by then */
	uint32_t len;	  /* 0: none */
	char bytes[SAME_MAX];
};

struct file {
	struct csftp_req req; /* CLOSE, or what opens it again */
	struct fusefs *f;
	struct inode *node; /* pinned */
	struct file *next;  /* of the node */
	struct file *prev;
	struct file *all_next; /* of the mount */
	struct file *all_prev;
	struct fuse_op *waiting;
	struct fuse_op *flush; /* those who wait for CLOSE */
	struct file *places;   /* its own of file_for_places(), or NULL */
	char *path;	       /* of the OPEN on its way */
	csftp_fh fh;
	enum file_state state;
	uint32_t flags; /* to open it again with */
	uint32_t busy;	/* operations that use fh */
	pid_t opener;
	int err;       /* of a write, or of CLOSE; nobody was told yet */
	bool made;     /* its OPEN was to make the file, and to write */
	bool written;  /* since the last CLOSE, or set: it has to tell */
	bool released; /* the kernel has let go of it */
	bool pinned;   /* could not be opened again */
	bool dead;     /* its name leads to nothing, or to another file */
	bool missed;   /* could not be opened again, when that was tried last */
	bool lived_on; /* was closed, and opened again */
	bool direct;   /* goes past the kernel's cache, see goes_direct() */
	bool more;     /* than the kernel was told, see notice_more() */
	struct mark mark;
	bool same;
	void (*judged)(struct file *file);
};

/* WRITE: what the file is known by, should it have to be opened again. */
void same_note(struct file *file, uint64_t off, const char *data, uint64_t len);

/* It was opened again, by file->path: file->same says whether it is it. */
void same_check(struct file *file, void (*then)(struct file *file));

/* Runs go with the handle open and in use by op; now or later. */
void file_use(struct fuse_op *op, struct file *file,
	      void (*go)(struct fuse_op *op, int err));
void file_unuse(struct file *file);

/* Answers op with its error, or one of the file that nobody was told yet. */
void file_answer(struct fuse_op *op, struct file *file);

/* A caller is about to be told of an error: is it the end that is to blame? */
void file_failed(struct file *file, int err);

/*
 * An open file of the node whose handle can be used now, or NULL; flags are
 * what it has to be open for, CSFTP_OPEN_*.
 */
struct file *file_of(const struct inode *node, uint32_t flags);

/*
 * A file to write through what has a place, such as pages of a mapping, where
 * the one at hand is open for appending, and would ignore it.  Made if need be,
 * for which the node has to have a name yet; one that can be mapped has got its
 * own when the name goes, see file_rescue().  NULL: no memory.
 */
struct file *file_for_places(struct file *file);

/*
 * True: a file of the node has to be opened, again or for places, before the
 * node loses its name; go is called when that is done or has failed.  err is 0
 * at first, then what go was called with: what has failed is not tried again.
 */
bool file_rescue(struct fuse_op *op, struct inode *node, int err,
		 void (*go)(struct fuse_op *op, int err));

/* The same, of a file that could not be opened again with that mode. */
bool file_rescue_from(struct fuse_op *op, uint32_t mode, int err,
		      void (*go)(struct fuse_op *op, int err));

/* The node's mode changed: what that means for opening again. */
void file_mode_changed(struct inode *node, uint32_t mode);

struct file *file_from(const struct fuse_file_info *fi);
void file_close_all(struct fusefs *f);
void fusefs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fusefs_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, struct fuse_file_info *fi);
void fusefs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fusefs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* Their content (data.c) */
void fusefs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		 struct fuse_file_info *fi);
void fusefs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
		  off_t off, struct fuse_file_info *fi);
void fusefs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		  struct fuse_file_info *fi);
void fusefs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			    struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			    off_t off_out, struct fuse_file_info *fi_out,
			    size_t len, int flags);
bool data_answer(struct ask *ask, const struct csftp_reply *reply);

/* Open directories (dir.c) */
void dir_close_all(struct fusefs *f);
void fusefs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fusefs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void fusefs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi);
void fusefs_releasedir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi);
void fusefs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi);

#endif
