/* Inside memfs: nodes, names, content and handles (csftp/memfs.h). */
#ifndef CSFTP_CORE_MEMFS_H
#define CSFTP_CORE_MEMFS_H

#include "csftp/memfs.h"

/*
 * A node is a file, directory or symbolic link.  It lives while a name
 * (nlink) or a handle (opens) refers to it; mem_node_put() frees it after the
 * last of both is gone.  Names are entries: in the order they were made on
 * their directory's list, and all of them in one hash table of the file
 * system, by directory and name.
 *
 * Borrowed memory: a reply points into entries and buffers, and what is asked
 * from within its callback may remove these.  So while fs->lent is above
 * zero, what would be freed is kept on fs->dead.
 *
 * Functions that return int return 0 or an errno.  A failure leaves the tree
 * as it was.
 */

#define MEM_CHUNK	(1024U * 1024U)
#define MEM_SIZE_MAX	((uint64_t)INT64_MAX)
#define MEM_LINKS_MAX	65000U /* names of one file, as ext4 has it */
#define MEM_FOLLOW_MAX	40U    /* symbolic links in one path, as Linux */
#define MEM_HANDLES_MAX 65536U

/* The start of each block that a reply may point into. */
struct mem_dead {
	struct mem_dead *next;
};

struct mem_buf {
	struct mem_dead dead;
	size_t cap;
	uint8_t bytes[];
};

/*
 * MEM_CHUNK bytes of a file, of which the first len are in buf and the others
 * are zero.  One that was never written to does not exist.
 */
struct mem_chunk {
	uint64_t index;
	struct mem_buf *buf;
	size_t len;
};

struct mem_entry {
	struct mem_dead dead;
	struct mem_entry *hash_next;
	struct mem_entry *prev;
	struct mem_entry *next;
	struct mem_node *dir;
	struct mem_node *node;
	uint64_t seq; /* grows along the list */
	uint32_t hash;
	size_t name_len;
	char name[];
};

struct mem_file {
	struct mem_chunk *chunk; /* by rising index */
	size_t count;
	size_t cap;
};

struct mem_dir {
	struct mem_node *parent; /* of the root, itself */
	struct mem_entry *entry; /* its own name; NULL for the root */
	struct mem_entry *first;
	struct mem_entry *last;
	struct mem_handle *handles; /* open on it */
};

struct mem_node {
	struct mem_node *prev;
	struct mem_node *next;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint32_t opens;
	struct csftp_time atime;
	struct csftp_time mtime;
	uint64_t size;
	union {
		struct mem_file file;
		struct mem_dir dir;
		struct mem_buf *text; /* what a link says, and NUL */
	};
};

enum mem_stage { MEM_AT_DOT, MEM_AT_DOTDOT, MEM_AT_NAMES };

struct mem_handle {
	struct mem_node *node;
	uint32_t flags; /* CSFTP_OPEN_*; 0 for a directory to be listed */
	/* The rest is for READDIR. */
	enum mem_stage stage;
	struct mem_entry *at; /* the name to come; moves on if removed */
	uint64_t seq_end;     /* names made after OPENDIR stay out */
	struct mem_handle *peer_prev;
	struct mem_handle *peer_next;
};

struct mem_slot {
	struct mem_handle *handle; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct mem_fs {
	struct csftp_fs fs;
	struct csftp_memfs_config config;
	struct mem_node *root;
	struct mem_node *nodes; /* all there are */
	uint32_t node_count;
	uint64_t bytes; /* the sum of all chunks' len */
	uint64_t next_seq;
	struct mem_entry **bucket;
	size_t bucket_count; /* a power of two */
	size_t entry_count;
	struct mem_slot *slot;
	uint32_t slot_count;
	uint32_t slot_free; /* slot_count: none */
	unsigned lent;
	struct mem_dead *dead;
};

/* Lending; mem_return() frees what was removed meanwhile. */
void mem_lend(struct mem_fs *mem);
void mem_return(struct mem_fs *mem);
void mem_dispose(struct mem_fs *mem, struct mem_dead *block);

/* NULL without memory. */
struct mem_buf *mem_buf_new(size_t cap);

/*
 * Nodes.  A new one has no name and is not open: name it with mem_entry_add()
 * or give it back with mem_node_put().  ENOSPC, ENOMEM.
 */
int mem_node_new(struct mem_node **out, struct mem_fs *mem, uint32_t mode);
void mem_node_put(struct mem_fs *mem, struct mem_node *node);
void mem_node_free(struct mem_fs *mem, struct mem_node *node);
bool mem_is_dir(const struct mem_node *node);
bool mem_is_file(const struct mem_node *node);
bool mem_is_link(const struct mem_node *node);
struct csftp_time mem_now(const struct mem_fs *mem);

/* Names.  Adding and removing keeps nlink and the directory's mtime. */
struct mem_entry *mem_entry_find(const struct mem_fs *mem,
				 const struct mem_node *dir,
				 struct csftp_slice name);
int mem_entry_add(struct mem_fs *mem, struct mem_node *dir,
		  struct csftp_slice name, struct mem_node *node);
void mem_entry_remove(struct mem_fs *mem, struct mem_entry *entry);
/* The name stays where it is in the list; its old node loses it. */
void mem_entry_replace(struct mem_fs *mem, struct mem_entry *entry,
		       struct mem_node *node);

/* Paths. */
enum mem_follow {
	MEM_PARENT,   /* the last name is to be made or removed */
	MEM_NOFOLLOW, /* a link at the end is itself meant, but not "link/" */
	MEM_FOLLOW
};

enum mem_last { MEM_LAST_NAME, MEM_LAST_DOT, MEM_LAST_DOTDOT, MEM_LAST_ROOT };

struct mem_spot {
	enum mem_last last;
	bool slash;		 /* the path says that it is a directory */
	struct mem_node *dir;	 /* where the last name is, or would be */
	struct csftp_slice name; /* MEM_LAST_NAME only, as is entry */
	struct mem_entry *entry; /* NULL: there is no such name */
	struct mem_node *node;	 /* NULL: likewise */
};

/*
 * Where path leads to.  The last name may be missing, nothing before it.
 * ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG.
 */
int mem_walk(struct mem_spot *out, const struct mem_fs *mem, const char *path,
	     enum mem_follow how);
/* As mem_walk(), and ENOENT where the last name is missing. */
int mem_lookup(struct mem_node **out, const struct mem_fs *mem,
	       const char *path, enum mem_follow how);

/* Content. */
struct csftp_slice mem_data_read(const struct mem_node *node, uint64_t off,
				 uint64_t len, bool *eof);
/* All or nothing: EFBIG, ENOSPC, ENOMEM. */
int mem_data_write(struct mem_fs *mem, struct mem_node *node, uint64_t off,
		   struct csftp_slice data);
int mem_data_resize(struct mem_fs *mem, struct mem_node *node, uint64_t size);
/* The ranges do not overlap within one file.  Stops at the first error. */
int mem_data_copy(struct mem_fs *mem, const struct csftp_req *range,
		  struct mem_node *from, struct mem_node *to);

/* Handles.  NULL where fh is none, or was closed. */
struct mem_handle *mem_handle_get(const struct mem_fs *mem, csftp_fh fh);
/* Before an entry leaves its directory. */
void mem_handle_skip(const struct mem_entry *entry);

/* The operations on open files (memfs_file.c). */
void mem_op_open(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_read(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_write(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_fsync(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_close(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_opendir(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_readdir(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_copy_range(struct csftp_fs *fs, struct csftp_req *req);

/* The operations that change names (memfs_names.c). */
void mem_op_mkdir(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_rmdir(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_unlink(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_symlink(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_link(struct csftp_fs *fs, struct csftp_req *req);
void mem_op_rename(struct csftp_fs *fs, struct csftp_req *req);

/* The file system that fs is. */
struct mem_fs *mem_of(struct csftp_fs *fs);
/* What GETATTR answers. */
struct csftp_attr mem_attr(const struct mem_node *node);
/* The permissions that something new gets. */
uint32_t mem_new_mode(const struct csftp_req *req, uint32_t preset);

#endif
