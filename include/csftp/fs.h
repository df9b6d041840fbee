/* The file API: whatever asks speaks it, whatever answers implements it. */
#ifndef CSFTP_FS_H
#define CSFTP_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"

/*
 * The model
 *   A request is data: the asker fills a struct csftp_req, which it embeds in
 *   its own, and submits it to a file system.  The file system answers by
 *   calling req->done exactly once, inside csftp_submit() or later.  A file
 *   system over another file system is a layer.
 *
 * Ownership and lifetime
 *   The request and all that it points at (paths, attributes, payload, room)
 *   belong to the asker, who keeps them unchanged until done is called; so a
 *   file system can queue, send from or repeat a request without a copy.  In
 *   done the asker has them back and may free or reuse them at once.
 *   The reply and all that it points at belong to the file system and are
 *   valid until done returns.
 *
 * Order
 *   Requests about one handle are done in the order in which they were
 *   submitted.  Any other request may overtake a WRITE that has not been
 *   answered.
 *
 * Errors
 *   A reply's err is 0 or a positive errno.  When it is not 0, no other field
 *   of the reply holds anything.
 *
 * Threads
 *   A file system, its askers and all that is open on it belong to one thread
 *   at a time.  Nothing here locks.
 *
 * Paths
 *   Byte strings that end with NUL; '/' separates.  One that begins with '/'
 *   is absolute, any other is taken from the start directory, and "" is the
 *   start directory itself.  No byte but NUL and '/' has a meaning, and no
 *   encoding is assumed.
 */

/* A longer path is answered with ENAMETOOLONG.  Without the NUL. */
#define CSFTP_PATH_MAX 4095

/* The longest name of one directory entry.  Without the NUL. */
#define CSFTP_NAME_MAX 255

/* An open file or directory.  Only the file system knows what it means. */
typedef uint64_t csftp_fh;

/*
 * What can be asked.  Behind each: the fields of the request it reads, then
 * the fields of the reply that hold something on success.
 * "path | fh" means: path, or where path is NULL the open fh.
 */
enum csftp_op {
	CSFTP_OP_GETATTR,    /* path | fh, flags(NOFOLLOW, ROUGH, SYNC): attr */
	CSFTP_OP_SETATTR,    /* path | fh, attr, flags(NOFOLLOW) */
	CSFTP_OP_READLINK,   /* path: text */
	CSFTP_OP_REALPATH,   /* path, flags(EXPAND): text */
	CSFTP_OP_MKDIR,	     /* path, attr */
	CSFTP_OP_RMDIR,	     /* path */
	CSFTP_OP_UNLINK,     /* path */
	CSFTP_OP_SYMLINK,    /* path (made), path2 (its text), attr, flags */
	CSFTP_OP_LINK,	     /* path (exists), path2 (made) */
	CSFTP_OP_RENAME,     /* path, path2, flags(REPLACE) */
	CSFTP_OP_OPEN,	     /* path, flags(CSFTP_OPEN_*), attr: fh */
	CSFTP_OP_READ,	     /* fh, off, len, into: data, eof */
	CSFTP_OP_WRITE,	     /* fh, off, data | parts, len, flags(SYNC), buf */
	CSFTP_OP_FSYNC,	     /* fh */
	CSFTP_OP_CLOSE,	     /* fh, of a file or a directory, flags(FORCED) */
	CSFTP_OP_OPENDIR,    /* path: fh */
	CSFTP_OP_READDIR,    /* fh, entry: eof */
	CSFTP_OP_STATFS,     /* path | fh: statfs */
	CSFTP_OP_COPY_RANGE, /* fh, off, len, fh2 (to), off2: count */
	CSFTP_OP_HOMEDIR,    /* path (a user's name): text */
	CSFTP_OP_IDNAME,     /* flags(CSFTP_ID_*), off (the id): text */
	CSFTP_OP_FLUSH,	     /* path | fh */
	CSFTP_OP_COUNT
};

/*
 * Notes on single operations
 *   GETATTR     with ROUGH a layer may leave the size and the times out where
 *               it would have to ask for them alone.  With SYNC, of fh, it
 *               says what that file is, not what its name is held to be.
 *   SETATTR     all of attr or the first error.  A size is applied first.
 *   MKDIR, OPEN with CREAT: of attr only the permission bits count, and the
 *               file system's own umask applies.  A NULL attr: its default.
 *               An owner and group in it, as in that of SYMLINK, say whom a
 *               layer may give it to; a file system leaves them alone.
 *   RENAME      without REPLACE an existing path2 is EEXIST, without a race.
 *   READ        may answer fewer bytes than asked; only eof means the end.
 *               Data may come with eof.  Zero bytes come only with eof.
 *   WRITE       all of it or an error.  On a file opened with APPEND the
 *               offset has no meaning.  A layer may answer it before it is
 *               done, but not one with SYNC.
 *   FLUSH       what was answered before it was done is done by now; err is
 *               what it could not do, if nobody was told yet.  Who answers
 *               nothing early has no such operation (EOPNOTSUPP).  By path it
 *               is about a directory: the names that were made there are there.
 *   CLOSE       the handle is gone whatever err says; err is what a write
 *               behind could not do.  FORCED: whoever opened it has not come to
 *               an end with it, so what was written may be a part of a whole.
 *   READDIR     calls req->entry for each name, in order, until it returns
 *               false, which leaves that name for the next READDIR.  "." and
 *               ".." may be among them.  eof: nothing follows.
 *               No name at all without eof is legal; ask again.  After eof
 *               it is eof again.
 *   COPY_RANGE  a len of 0 means up to the end of the source.  To a file opened
 *               with APPEND it adds, as WRITE does.
 */

/* Flags of all operations but OPEN. */
#define CSFTP_NOFOLLOW 0x1U /* of a symbolic link itself */
#define CSFTP_REPLACE  0x2U /* rename over what is there, atomically */
#define CSFTP_EXPAND   0x4U /* "~" and "~user" at the start are homes */
#define CSFTP_ID_USER  0x8U
#define CSFTP_ID_GROUP 0x10U
#define CSFTP_FORCED   0x20U /* CLOSE: in place of an asker that has gone */
#define CSFTP_SYNC     0x40U /* WRITE: done before it is answered; GETATTR */
#define CSFTP_ROUGH    0x80U /* GETATTR: size and times need not be there */
/*
 * SYMLINK: to an SFTP server the paths are told in the draft's order
 * (filexfer-02, 6.10) and not in OpenSSH's.  Who is none leaves it alone.
 */
#define CSFTP_BY_DRAFT 0x100U

/* Flags of OPEN: the values of SSH_FXF_* (filexfer-02, 6.3). */
#define CSFTP_OPEN_READ	  0x01U
#define CSFTP_OPEN_WRITE  0x02U
#define CSFTP_OPEN_APPEND 0x04U
#define CSFTP_OPEN_CREAT  0x08U
#define CSFTP_OPEN_TRUNC  0x10U
#define CSFTP_OPEN_EXCL	  0x20U

struct csftp_time {
	int64_t sec; /* since 1970-01-01 00:00 UTC */
	uint32_t nsec;
};

/* Bits of csftp_attr.mask: these fields hold something. */
#define CSFTP_ATTR_SIZE	 0x01U
#define CSFTP_ATTR_MODE	 0x02U
#define CSFTP_ATTR_UID	 0x04U
#define CSFTP_ATTR_GID	 0x08U
#define CSFTP_ATTR_ATIME 0x10U
#define CSFTP_ATTR_MTIME 0x20U
#define CSFTP_ATTR_NLINK 0x40U
/* In READDIR, in place of MODE: of mode the type alone. */
#define CSFTP_ATTR_TYPE 0x200U
/* In SETATTR: the time is "now"; the field holds the asker's clock. */
#define CSFTP_ATTR_ATIME_NOW 0x80U
#define CSFTP_ATTR_MTIME_NOW 0x100U

struct csftp_attr {
	uint32_t mask;
	uint32_t mode; /* type and permissions, numbered as in <sys/stat.h> */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint64_t size; /* bytes */
	struct csftp_time atime;
	struct csftp_time mtime;
};

/* The type bits of csftp_attr.mode; the values POSIX systems share. */
#define CSFTP_S_IFMT  0170000U
#define CSFTP_S_IFDIR 0040000U
#define CSFTP_S_IFREG 0100000U
#define CSFTP_S_IFLNK 0120000U

/* As struct statvfs, in the order of statvfs@openssh.com (OpenSSH PROTOCOL). */
struct csftp_statfs {
	uint64_t bsize;
	uint64_t frsize;
	uint64_t blocks; /* in units of frsize, as the next two */
	uint64_t bfree;
	uint64_t bavail;
	uint64_t files;
	uint64_t ffree;
	uint64_t favail;
	uint64_t fsid;
	uint64_t flag; /* CSFTP_ST_* */
	uint64_t namemax;
};

#define CSFTP_ST_RDONLY 0x1U
#define CSFTP_ST_NOSUID 0x2U

/*
 * Borrowed bytes; ptr may be NULL where len is 0.  Who offers a pipe to a READ
 * can get them in there: ptr is NULL then, and they are the next len bytes that
 * the pipe will give.  Nobody else ever sees such a slice.
 */
struct csftp_slice {
	const void *ptr;
	size_t len;
};

/*
 * What payload can lie in that lives longer than a request.  Who goes on with
 * the bytes after done has a reference of his own; release is called when the
 * last one is dropped.
 */
struct csftp_buf {
	uint32_t refs;
	void (*release)(struct csftp_buf *buf);
};

static inline struct csftp_buf *csftp_buf_hold(struct csftp_buf *buf)
{
	buf->refs++;
	return buf;
}

static inline void csftp_buf_drop(struct csftp_buf *buf)
{
	if (--buf->refs == 0)
		buf->release(buf);
}

/* One name of a directory. */
struct csftp_entry {
	struct csftp_slice name;     /* not NUL-terminated */
	struct csftp_slice longname; /* as "ls -l" would say it; may be empty */
	struct csftp_attr attr; /* of the name itself, links not followed */
};

struct csftp_reply {
	int err;  /* 0 or an errno */
	bool eof; /* read, readdir: nothing follows */
	csftp_fh fh;
	uint64_t count; /* copy_range: bytes copied */
	struct csftp_slice data;
	struct csftp_slice text; /* a path or a name; not NUL-terminated */
	const struct csftp_attr *attr;
	const struct csftp_statfs *statfs;
};

struct csftp_pipe; /* csftp/stream.h */

struct csftp_req {
	/* Filled by the asker; what the operation does not name stays zero. */
	enum csftp_op op;
	uint32_t flags;
	void (*done)(struct csftp_req *req, const struct csftp_reply *reply);
	/* READDIR: takes a name, or returns false to have it again later. */
	bool (*entry)(struct csftp_req *req, const struct csftp_entry *entry);
	/* On the clock that the file system is driven by; 0: none. */
	uint64_t deadline_ms;
	const char *path;
	const char *path2;
	const struct csftp_attr *attr;
	csftp_fh fh;
	csftp_fh fh2;
	uint64_t off;
	uint64_t off2;
	uint64_t len;
	const void *data;
	/*
	 * WRITE: optional: what data lies in, unchanged until the last
	 * reference to it is dropped, be that after done.
	 */
	struct csftp_buf *buf;
	/*
	 * WRITE, only where the file system has CSFTP_FS_PARTS: the payload is
	 * in so many pieces, at most CSFTP_PARTS_MAX, none of them empty, of
	 * which len is the sum; data is NULL then.
	 */
	const struct csftp_slice *parts;
	uint32_t part_count;
	/*
	 * READ: optional room for len bytes.  A file system that would have to
	 * copy reads to there and answers with a slice of it; one that holds
	 * the bytes anyway answers with its own slice.  What is in it before
	 * done is nobody's.
	 */
	void *into;
	/*
	 * READ: optional, besides into: an empty pipe.  A file system that can
	 * move what it reads to there without copying it may answer with a
	 * slice of the pipe (see above), and puts nothing into it otherwise.
	 */
	struct csftp_pipe *pipe;

	/* The file system's own, from csftp_submit() to done. */
	struct csftp_req *next;
	struct csftp_req *prev;
	uint64_t own;
};

/* A back end or a layer embeds this as its first member. */
struct csftp_fs {
	const struct csftp_fs_ops *ops;
	/*
	 * The longest READ and WRITE that travel in one piece, in bytes; 0: no
	 * limit.  A longer READ is answered in part, a longer WRITE with
	 * EINVAL.
	 */
	uint32_t max_read;
	uint32_t max_write;
	uint32_t traits; /* CSFTP_FS_* */
};

/* Every request is answered before csftp_submit() returns. */
#define CSFTP_FS_INLINE 0x1U

/*
 * Most requests are answered before csftp_submit() returns.  Of one that is
 * not, `into` and `pipe` are left alone from then on, and the names of a
 * READDIR come in one go with its answer.  IDNAME and HOMEDIR are answered at
 * once, and no request while csftp_submit() is at another one.
 */
#define CSFTP_FS_PROMPT 0x4U

/* The payload of a WRITE may be in pieces. */
#define CSFTP_FS_PARTS	0x2U
#define CSFTP_PARTS_MAX 8U

struct csftp_fs_ops {
	void (*op[CSFTP_OP_COUNT])(struct csftp_fs *fs, struct csftp_req *req);
	/* The operations that are NULL above.  NULL: they answer EOPNOTSUPP. */
	void (*rest)(struct csftp_fs *fs, struct csftp_req *req);
	/* May be NULL: then nothing can be cancelled. */
	void (*cancel)(struct csftp_fs *fs, struct csftp_req *req);
};

/* Asks.  done may have been called, and the request be gone, on return. */
CSFTP_API void csftp_submit(struct csftp_fs *fs, struct csftp_req *req);

/*
 * Wishes that a submitted, unanswered request ended.  It is answered as ever,
 * once, now or later: with EINTR if it was stopped, or with what became of it.
 * EINTR does not promise that nothing happened.
 */
CSFTP_API void csftp_cancel(struct csftp_fs *fs, struct csftp_req *req);

/* The operation's name as FUSE spells it ("getattr"); static. */
CSFTP_API const char *csftp_op_name(enum csftp_op op);

/*
 * For file systems: exactly one of these answers a request.  They call done,
 * so the request may be gone on return.
 */
CSFTP_API void csftp_reply(struct csftp_req *req, const struct csftp_reply *r);
CSFTP_API void csftp_reply_err(struct csftp_req *req, int err);
CSFTP_API void csftp_reply_fh(struct csftp_req *req, csftp_fh fh);
CSFTP_API void csftp_reply_attr(struct csftp_req *req,
				const struct csftp_attr *attr);
CSFTP_API void csftp_reply_text(struct csftp_req *req, const void *text,
				size_t len);

#endif
