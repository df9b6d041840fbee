/* What the cache remembers: a tree of names.  Only the cache's own sources. */
#ifndef CSFTP_CORE_LAYER_CACHE_TREE_H
#define CSFTP_CORE_LAYER_CACHE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/fs.h"

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/*
 * A node is what is known of one name.  Nodes are owned by the tree; a node
 * that was removed lives on without a name while it is pinned.
 *
 * Times are on the cache's clock, and 0 is the past: a fact holds while its
 * time has not come.  Numbers in "changed" count our own changes: what was
 * asked for before the last one says nothing about the time after it.
 */
struct cache_node {
	UT_hash_handle hh; /* in parent->children, in the order of a listing */
	struct cache_node *parent; /* NULL: the root, or removed */
	struct cache_node *children;
	struct cache_node *used_next; /* directories with children, by use */
	struct cache_node *used_prev;
	struct cache_node *dirs; /* children, by name: see cache_walk.c */
	struct cache_node *dirs_next;
	struct cache_node *dirs_prev; /* NULL: it is not among them */
	struct cache_dir *readers;    /* who reads the names from here */
	char *name;
	char *text; /* of a symbolic link */
	size_t name_len;
	uint64_t attr_until;
	uint64_t rough_until; /* ... but for size and times: see attr.mask */
	uint64_t text_until;
	uint64_t absent_until;	 /* there is no such file */
	uint64_t names_until;	 /* children are all names there are */
	uint64_t names_limit;	 /* ... without listing it again, at most */
	uint64_t mtime_ms;	 /* when mtime was first seen; 0: never */
	struct csftp_time mtime; /* of a directory, as seen last */
	struct csftp_time names_mtime; /* where names_dated */
	uint64_t changed;
	uint64_t names_changed;
	uint64_t opened_ms; /* when somebody listed it, or walked on below */
	uint64_t made_ms;   /* when we made it, as a directory; 0: never */
	/* Our last MKDIR or SETATTR, if nothing else was going on: */
	uint64_t set_began; /* of "changed": when it was asked, ... */
	uint64_t set_ended; /* ... and was done; 0: never */
	uint64_t born;	    /* of "changed": we had made it; 0: not we */
	uint64_t born_ms;
	struct csftp_attr attr;
	uint32_t pins;
	uint32_t changing;	 /* our changes without an answer */
	uint32_t names_changing; /* ... of what names there are in it */
	uint32_t writers;	 /* handles it is open for writing with */
	uint32_t stamp;		 /* the last listing that it was in */
	uint32_t names_stamp;	 /* the listing that names_until is of */
	uint32_t dirs_stamp;	 /* ... and that dirs is of */
	uint32_t once_mask;  /* of attr: before names changed, but its mtime */
	uint32_t names_lost; /* how often names in it were forgotten */
	uint32_t misses;     /* look-ups in it that had to be asked */
	uint32_t patience;   /* so many more than the usual are borne */
	uint32_t walk;	     /* was listed ahead in it, and not used yet */
	bool there;	     /* it was, when it was heard of last */
	bool type_only;	     /* of attr.mode nothing else is known */
	bool listing;	     /* is being listed ahead */
	bool linked;	     /* we made another name for it, or from one */
	bool single;	     /* we made the file, and no other name for it */
	bool names_dated;    /* as long as its mtime is that, names stay */
	bool renewed;	     /* by that: of the names alone, not attributes */
	bool wants_attr;     /* who lists it asks for them, too */
	bool refreshing;     /* its attributes are asked for, as it is opened */
	bool opened;	     /* with those that are known */
};

/* Children may be others than there are, whatever the directory's mtime is. */
static inline void cache_names_unknown(struct cache_node *dir)
{
	dir->names_until = 0;
	dir->names_dated = false;
	dir->renewed = false;
}

/*
 * Names that were forgotten though their files have others by our doing: they
 * are `linked` once more when they are heard of again.  Each is known by its
 * hash, wherever it is, and makes way for another one in the same place.
 */
#define CACHE_LOST_LINKS 65536U

struct cache_tree {
	struct cache_node root;
	uint32_t lost_links[CACHE_LOST_LINKS]; /* hashes; 0: none */
	struct cache_node *used_first;	       /* used longest ago */
	struct cache_node *used_last;
	size_t bytes;
	size_t bytes_max;
	uint32_t walk;	 /* the one that is going on; not 0 */
	uint32_t unused; /* nodes with its number, at most */
};

/* Of zeros. */
void cache_tree_init(struct cache_tree *tree, size_t bytes_max);

/* Nothing may be pinned. */
void cache_tree_release(struct cache_tree *tree);

struct cache_node *cache_child(const struct cache_node *dir, const char *name,
			       size_t len);

/* The child, made if need be; NULL: no memory. */
struct cache_node *cache_child_make(struct cache_tree *tree,
				    struct cache_node *dir, const char *name,
				    size_t len);

/* Makes it the last of its siblings.  False, and removed: no memory. */
bool cache_child_to_end(struct cache_tree *tree, struct cache_node *node);

/* It is forgotten, or gets another name, and may still have this one. */
void cache_node_keep_linked(struct cache_tree *tree,
			    const struct cache_node *node);
/* Whether one of its name, here or elsewhere, was. */
bool cache_node_was_linked(const struct cache_tree *tree,
			   const struct cache_node *node);

/* It does not count among those that were listed ahead any more. */
void cache_node_walk_no_more(struct cache_tree *tree, struct cache_node *node);

/* Takes the name, and all that is below it, out of the tree. */
void cache_node_remove(struct cache_tree *tree, struct cache_node *node);

/* Takes out all that is below it. */
void cache_node_remove_below(struct cache_tree *tree, struct cache_node *node);

/* Takes it out, and makes a new one in its place; NULL: no memory. */
struct cache_node *cache_node_replace(struct cache_tree *tree,
				      struct cache_node *node);

/*
 * Gives the node the place of another, which is removed.  That one must not be
 * above or below it.  Where there is no memory, both are removed.
 */
void cache_node_take_place(struct cache_tree *tree, struct cache_node *node,
			   struct cache_node *other);

/* Keeps the text of a symbolic link; false: no memory. */
bool cache_node_text(struct cache_tree *tree, struct cache_node *node,
		     const void *text, size_t len);

static inline void cache_node_pin(struct cache_node *node)
{
	node->pins++;
}
void cache_node_unpin(struct cache_tree *tree, struct cache_node *node);

/* Somebody uses the names in it. */
void cache_node_use(struct cache_tree *tree, struct cache_node *dir);

/*
 * Forgets what was used longest ago until the rest fits; but not where somebody
 * reads, to whom the rest of the names would be missing.
 */
void cache_tree_trim(struct cache_tree *tree);

/* What is used now is too much by itself: it loses the names that came last. */
void cache_tree_cut(struct cache_tree *tree);

/*
 * Steps through a path, name by name.  cache_path_is_plain(): it is absolute,
 * with no empty, "." or ".." names, so that two of them are the same file only
 * if they are the same bytes (or lead through a symbolic link).
 */
bool cache_path_is_plain(const char *path);

/* The next name of the rest of a plain path; false at its end. */
bool cache_path_next(const char **rest, const char **name, size_t *len);

/* The node of a plain path, made with those above it; NULL: no memory. */
struct cache_node *cache_path_make(struct cache_tree *tree, const char *path);

/* Writes the path of a node that was not removed; false if it is too long. */
bool cache_path_of(const struct cache_node *node,
		   char path[CSFTP_PATH_MAX + 1]);

#endif
