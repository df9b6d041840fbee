/* The inode table: numbers, names, lookup counts of what the kernel knows. */
#ifndef CSFTP_FUSEFS_INODE_H
#define CSFTP_FUSEFS_INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * A node is one name below the mount.  Its number, which is both FUSE's
 * nodeid and st_ino, is a hash of its parent's number and its name, moved past
 * numbers in use; so it is the same after the kernel forgot the node and after
 * a remount, and two nodes never share one.  A rename keeps it.  SFTP does not
 * tell which names are links to one file; those that were linked through this
 * mount show the same st_ino, with nodeids of their own, until forgotten.
 *
 * A node lives while the kernel counts lookups of it, while it has children,
 * and while somebody pins it.  Whatever drops one of these may free the node.
 * A node that was removed or replaced has no name any more ("detached"), and
 * no path; the same holds for all below it.
 *
 * The table owns nodes and names.  One thread.
 */
struct file; /* an open file of the frontend */
struct inodes;

#define INODE_ROOT 1U

struct inode {
	uint64_t id;
	uint64_t number; /* st_ino: id, or that of the file it is a link to */
	uint64_t hash;	 /* of parent and name; where the name is found */
	uint64_t count;	 /* lookups that the kernel has not forgotten */
	struct inode *parent; /* NULL: the root, or detached */
	struct inode *next_by_id;
	struct inode *next_by_name;
	struct file *files; /* the frontend's: what is open on it */
	char *name;	    /* NULL: the root, or detached */
	uint32_t children;
	uint32_t pins;
	uint32_t type;	  /* S_IFREG and the like */
	uint64_t size;	  /* bytes, as far as the kernel knows */
	uint64_t changes; /* of its content that were asked for */
	uint32_t mode;	  /* permission bits that it was seen to have last */
	bool linked;	  /* the frontend's: its file has another name */
	uint64_t told;	  /* the frontend's: when attributes were shown last */
	uint32_t reads;	  /* the frontend's: of its content, under way */
};

/* The root is there from the beginning, and stays. */
CSFTP_MUST_CHECK enum csftp_err inodes_new(struct inodes **out);

/* NULL is fine. */
void inodes_free(struct inodes *table);

/* Nodes, the root included. */
size_t inodes_count(const struct inodes *table);

struct inode *inodes_root(struct inodes *table);

/* NULL where there is none. */
struct inode *inodes_get(const struct inodes *table, uint64_t id);
struct inode *inodes_child(const struct inodes *table,
			   const struct inode *parent, const char *name,
			   size_t len);

/*
 * The child of that name, made if need be, with one lookup more.  A node of
 * another type under the name is detached: it is another file.  NULL: no
 * memory.
 */
struct inode *inodes_lookup(struct inodes *table, struct inode *parent,
			    const char *name, size_t len, uint32_t type);

/* What the number of that child is, or would be. */
uint64_t inodes_number(const struct inodes *table, const struct inode *parent,
		       const char *name, size_t len);

/* Takes count lookups off; more than there are is all there are. */
void inodes_forget(struct inodes *table, struct inode *node, uint64_t count);

void inodes_pin(struct inode *node);
void inodes_unpin(struct inodes *table, struct inode *node);

/* Takes the name away.  NULL is fine. */
void inodes_detach(struct inodes *table, struct inode *node);

/*
 * Gives the node another place; what was there is detached.  ENOMEM, and
 * EINVAL for a place below itself.
 */
CSFTP_MUST_CHECK int inodes_move(struct inodes *table, struct inode *node,
				 struct inode *parent, const char *name);

/*
 * Writes the path of a node, or of a name in it where name is not NULL, below
 * the directory called root.  ESTALE for what is detached; ENAMETOOLONG.
 */
CSFTP_MUST_CHECK int inodes_path(const struct inodes *table, const char *root,
				 const struct inode *node, const char *name,
				 char path[CSFTP_PATH_MAX + 1]);

#endif
