/* A synchronous caller of the file API, for tests. */
#ifndef CSFTP_TESTS_FS_CALL_H
#define CSFTP_TESTS_FS_CALL_H

#include "csftp/fs.h"

/*
 * fs_call() asks and keeps the answer, until the next fs_call().  A file
 * system that answers later needs `drive`, which is called until it did: it
 * does one round of what there is to do, and returns false where nothing was
 * left to do, as then the answer would never come.
 *
 * Checked on every call, by cmocka's assertions: one answer, not two; no
 * eof and no handle with an error; a text or data of a length with bytes.
 */
struct fs_caller {
	struct csftp_fs *fs;
	bool (*drive)(void *arg);
	void *arg;
	/* The answer. */
	int err;
	bool eof;
	csftp_fh fh;
	uint64_t count;
	struct csftp_attr attr;
	struct csftp_statfs statfs;
	char text[CSFTP_PATH_MAX + 1]; /* with NUL */
	uint8_t *data;		       /* malloc()ed; NULL with data_len 0 */
	size_t data_len;
};

/* Frees the data of the last answer. */
void fs_caller_release(struct fs_caller *caller);

/* Returns err.  req needs no done. */
int fs_call(struct fs_caller *caller, const struct csftp_req *req);

/*
 * A request that is not waited for, with its answer.  It is answered once, or
 * the test fails.
 */
struct fs_asked {
	struct csftp_req req; /* first */
	int err;	      /* -1: not answered */
	csftp_fh fh;
	struct csftp_attr attr; /* mask is 0 where the answer has none */
	const void *data;	/* where it was: not to be read any more */
};

/* Lasts until it is answered.  req needs no done, and is copied. */
void fs_ask(struct csftp_fs *fs, struct fs_asked *asked,
	    const struct csftp_req *req);

/* The operations, with what they mostly need.  They return the errno. */
int fs_getattr(struct fs_caller *caller, const char *path);
int fs_lgetattr(struct fs_caller *caller, const char *path);
int fs_fgetattr(struct fs_caller *caller, csftp_fh fh);
int fs_setattr(struct fs_caller *caller, const char *path,
	       const struct csftp_attr *attr);
int fs_lsetattr(struct fs_caller *caller, const char *path,
		const struct csftp_attr *attr);
int fs_fsetattr(struct fs_caller *caller, csftp_fh fh,
		const struct csftp_attr *attr);
int fs_readlink(struct fs_caller *caller, const char *path);
int fs_realpath(struct fs_caller *caller, const char *path);
int fs_expand(struct fs_caller *caller, const char *path);
int fs_mkdir(struct fs_caller *caller, const char *path);
int fs_rmdir(struct fs_caller *caller, const char *path);
int fs_unlink(struct fs_caller *caller, const char *path);
int fs_symlink(struct fs_caller *caller, const char *path, const char *text);
int fs_link(struct fs_caller *caller, const char *path, const char *path2);
int fs_rename(struct fs_caller *caller, const char *path, const char *path2);
int fs_replace(struct fs_caller *caller, const char *path, const char *path2);
/* The handle is caller->fh.  Made with the permissions 0644. */
int fs_open(struct fs_caller *caller, const char *path, uint32_t flags);
/* The same; the handle, or the test fails. */
csftp_fh fs_opened(struct fs_caller *caller, const char *path, uint32_t flags);
int fs_opendir(struct fs_caller *caller, const char *path);
int fs_close(struct fs_caller *caller, csftp_fh fh);
int fs_fsync(struct fs_caller *caller, csftp_fh fh);
int fs_statfs(struct fs_caller *caller, const char *path);
/* One READ, which may answer fewer bytes. */
int fs_read(struct fs_caller *caller, csftp_fh fh, uint64_t off, uint64_t len);
/* READs until len bytes or the end; the bytes are caller->data. */
int fs_read_all(struct fs_caller *caller, csftp_fh fh, uint64_t off,
		uint64_t len);
/* WRITEs as long as the file system takes them. */
int fs_write(struct fs_caller *caller, csftp_fh fh, uint64_t off,
	     const void *data, size_t len);
/* from, off, to, off2, len: as in COPY_RANGE. */
int fs_copy_range(struct fs_caller *caller, const struct csftp_req *range);

/* Names that READDIR gave.  Begin with zeros. */
struct fs_names {
	char (*name)[CSFTP_NAME_MAX + 1]; /* NUL-terminated */
	struct csftp_attr *attr;
	size_t count;
	size_t cap;
};

void fs_names_release(struct fs_names *names);
/* How often name is there; `at` is where it was last, and may be NULL. */
size_t fs_names_find(const struct fs_names *names, const char *name,
		     size_t *at);
/* One READDIR that takes at most max names, and refuses the next. */
int fs_readdir(struct fs_caller *caller, csftp_fh fh, struct fs_names *names,
	       size_t max);
/* READDIRs of max names until the end. */
int fs_readdir_all(struct fs_caller *caller, csftp_fh fh,
		   struct fs_names *names, size_t max);
/* OPENDIR, READDIR and CLOSE; without "." and "..". */
int fs_list(struct fs_caller *caller, const char *path, struct fs_names *names);

/* Makes a file of exactly these bytes, in place of any that is there. */
int fs_put(struct fs_caller *caller, const char *path, const void *data,
	   size_t len);

/* Removes path and what is below it.  0 also where there is none. */
int fs_remove_tree(struct fs_caller *caller, const char *path);

#endif
