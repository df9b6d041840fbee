/* Inside the cache; its contract is cache.h. */
#ifndef CSFTP_CORE_LAYER_CACHE_IMPL_H
#define CSFTP_CORE_LAYER_CACHE_IMPL_H

#include "core/layer/cache.h"
#include "core/layer/cache_tree.h"
#include "core/layer/relay.h"

/* One that a user of the layer has open, found by its number. */
struct cache_handle {
	UT_hash_handle hh;
	uint64_t number;
	csftp_fh fh;		 /* of the file system below */
	struct cache_node *node; /* pinned; NULL: a path that is not plain */
	struct cache_dir *dir;	 /* NULL: a file */
	bool writes;
};

/*
 * An open directory.  Either it is read below, and what comes is remembered,
 * or (from_memory) it stands at a child of its node.
 */
struct cache_dir {
	struct cache_handle handle;
	struct cache_dir *next_reader; /* of the node */
	struct cache_node *at;	       /* from_memory: the next name, or NULL */
	uint64_t since;
	uint64_t began_ms;
	uint32_t stamp;
	uint32_t names_lost;	  /* the node's, then: see know_whole() */
	struct cache_call *reads; /* READDIRs without an answer */
	uint32_t asked;		  /* READDIRs; they are numbered from 1 */
	uint32_t end;		  /* the first that told the end; 0: none */
	bool closed;		  /* goes with the last of them */
	bool from_memory;
	bool broken; /* what came is not all there is */
};

/* A request from above, as it is passed on below. */
struct cache_call {
	struct relay_job job; /* first */
	struct cache *cache;
	void (*after)(struct cache_call *call, struct csftp_reply *reply);
	struct cache_node *node; /* pinned, as the others; may be NULL */
	struct cache_node *dir;	 /* whose names change */
	struct cache_node *node2;
	struct cache_node *dir2;
	struct cache_handle *handle;
	struct cache_call *next_read; /* of the same directory */
	uint32_t number;	      /* of a READDIR */
	char *path;		/* instead of a handle that is ours alone */
	uint64_t since;		/* the last change before it was asked */
	bool unplain;		/* a change that may be of anything */
	bool showable;		/* what is known does for its asker, if held */
	bool called_back;	/* it need not be asked any more */
	bool refreshes;		/* who asks for the node's attributes waits */
	bool was_absent;	/* what is to be made, as far as is known */
	struct csftp_attr attr; /* SETATTR: sent below; GETATTR: shown */
};

struct cache {
	struct relay relay; /* first */
	struct cache_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	struct cache_tree tree;
	struct cache_handle *handles;
	uint64_t last_handle;
	struct csftp_req *waiting; /* OPENDIRs of what is being listed */
	struct csftp_req *stale;   /* GETATTRs of what is being refreshed */
	struct csftp_req *woken;   /* ... that go on */
	struct cache_counts counts;
	uint64_t seq; /* counts our own changes */
	/* The server's clock was that or more, on ours then; 0: unknown. */
	int64_t clock_sec;
	uint64_t clock_ms;
	uint64_t moved;	   /* the last that gave paths another meaning */
	uint32_t stamp;	   /* the last listing */
	uint32_t blind;	   /* writers of files that have no node */
	uint32_t pending;  /* of the listings ahead, and to refresh */
	uint32_t listings; /* ahead, under way */
	uint32_t window;   /* how many may be under way; 0: nobody walks */
	bool quiet;
	bool held; /* nobody answers below */
	bool pumping;
	struct cache_node *walker; /* where the walk is; pinned */
	uint64_t walked_ms;	   /* when it came there */
	uint32_t reach;	      /* guesses that are of use, if used so late */
	uint32_t reach_stamp; /* the last listing when that was seen */
	bool walk_by_name;    /* and not in the order of listings */
	bool walk_is_known;   /* the walker's place was before it came */
	/* Where a name was looked up last, and its directory; to compare. */
	const struct cache_node *looked_in;
	const struct cache_node *looked_beside;
	uint32_t streak;	/* of directories side by side */
	struct cache_node *top; /* pinned */
};

static inline uint64_t cache_now(const struct cache *cache)
{
	return cache->config.now_ms(cache->config.arg);
}

/* A call for the request, or NULL: answered with ENOMEM. */
struct cache_call *cache_call_new(struct cache *cache, struct csftp_req *up,
				  void (*after)(struct cache_call *,
						struct csftp_reply *));
void cache_call_submit(struct cache_call *call);

/* Ends a call that was not submitted. */
void cache_call_fail(struct cache_call *call, int err);

/*
 * Puts the handles of the file system below where the request names ours;
 * false: it could not, and has answered.
 */
bool cache_call_lower(struct cache_call *call);

/* Ends a pin; NULL is fine. */
void cache_let_go(struct cache *cache, struct cache_node *node);

/* Keeps a node until the call is answered. */
void cache_call_hold(struct cache_node **place, struct cache_node *node);

/* Whether what was asked for then still says something about the node. */
bool cache_is_news(const struct cache *cache, const struct cache_node *node,
		   uint64_t since);

void cache_learn_attr(struct cache *cache, struct cache_node *node,
		      const struct csftp_attr *attr);
void cache_learn_absent(struct cache *cache, struct cache_node *node);
/* It could not be opened, as there is nothing, and was asked for then. */
void cache_learn_missing(struct cache *cache, struct cache_node *node,
			 uint64_t since);

bool cache_is_below(const struct cache_node *node,
		    const struct cache_node *top);

/* Whether all names in it are known. */
static inline bool cache_is_whole(const struct cache *cache,
				  const struct cache_node *node)
{
	return node->names_until > cache_now(cache);
}

static inline bool cache_attr_is_known(const struct cache *cache,
				       const struct cache_node *node)
{
	return node->attr_until > cache_now(cache) && node->changing == 0 &&
	       node->writers == 0 && cache->blind == 0;
}

enum cache_sight { CACHE_KNOWN, CACHE_ABSENT, CACHE_UNKNOWN };

/*
 * What is known of a plain path.  KNOWN: its node; UNKNOWN: the node of its
 * directory, or NULL where not even that has one.
 */
enum cache_sight cache_look(struct cache *cache, const char *path,
			    struct cache_node **node);

/*
 * What the server's clock says, by what we made lately; where nothing tells,
 * what this machine's says.
 */
int64_t cache_clock(const struct cache *cache);

/* Gives it a number to be found by; false: no memory. */
bool cache_handle_add(struct cache *cache, struct cache_handle *handle);
void cache_handle_remove(struct cache *cache, struct cache_handle *handle);
/* NULL: there is none of that number. */
struct cache_handle *cache_handle_of(struct cache *cache, csftp_fh number);

/* Asks below, and remembers what is said of the node, which may be NULL. */
void cache_getattr_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node);
/* The same, and who asks for them meanwhile waits for it. */
void cache_refresh_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node);

/* Changes of our own (cache_change.c) */
/*
 * Holds the node of a path that is about to change, and its directory where
 * names do.  False where that is not possible: the call is unplain.
 */
bool cache_hold_path(struct cache_call *call, const char *path, bool second,
		     bool names);
bool cache_may_lead_away(struct cache *cache, const char *path);
/* From the first to the second, what is held is not known. */
void cache_change_begin(struct cache_call *call);
void cache_change_end(struct cache_call *call);
/* In place of the second, for a call that is unplain. */
void cache_unplain_after(struct cache_call *call, struct csftp_reply *reply);
/*
 * We did change names in it, and nobody asked for its time since: that is what
 * it is then.  NULL is fine.
 */
void cache_touch(const struct cache *cache, struct cache_node *dir);
/* The node has just changed. */
void cache_mark(struct cache *cache, struct cache_node *node);
/* It failed: who knows what names are there.  NULL is fine. */
void cache_doubt(struct cache_node *dir);
/* Of the call's node nothing else of ours has changed since it began. */
bool cache_was_alone(const struct cache_call *call);
/* That change has come to its end: an answer can be of what it made. */
void cache_learn_change(const struct cache_call *call);
/* Begins it, asks below, and ends it. */
void cache_change(struct cache_call *call);
/* There was no such name before. */
void cache_learn_born(const struct cache *cache, struct cache_node *node);
/* What we made is of that type until its attributes are asked for. */
void cache_learn_type(struct cache_node *node, uint32_t type);
void cache_make(struct csftp_fs *fs, struct csftp_req *up);
void cache_remove(struct csftp_fs *fs, struct csftp_req *up);
void cache_rename(struct csftp_fs *fs, struct csftp_req *up);
void cache_link(struct csftp_fs *fs, struct csftp_req *up);

/* Attributes that are set (cache_set.c) */
void cache_setattr(struct csftp_fs *fs, struct csftp_req *up);

/* Open files (cache_open.c) */
/* The attributes are being asked for anew: who asks for them waits. */
void cache_await_refresh(struct cache *cache, struct csftp_req *up);
void cache_refreshed(struct cache *cache, struct cache_node *node);
/* Those who wait look again whether they have to. */
void cache_await_no_more(struct cache *cache);
void cache_open(struct csftp_fs *fs, struct csftp_req *up);
void cache_close(struct csftp_fs *fs, struct csftp_req *up);

/* Directories (cache_dir.c) */
void cache_opendir(struct csftp_fs *fs, struct csftp_req *up);
void cache_readdir(struct csftp_fs *fs, struct csftp_req *up);
void cache_dir_free(struct cache *cache, struct cache_dir *dir);
/* Opens the directory below, whatever is known of it. */
void cache_opendir_below(struct cache *cache, struct csftp_req *up,
			 struct cache_node *node);
/* The node leaves the directory. */
void cache_dir_skip(const struct cache_node *dir,
		    const struct cache_node *node);

/* What is shown while nobody answers (cache_held.c); a node may be NULL */
/* The attributes go to *out. */
bool cache_shows_attr(const struct cache *cache, const struct cache_node *node,
		      struct csftp_attr *out);
bool cache_shows_text(const struct cache *cache, const struct cache_node *node);
bool cache_shows_names(const struct cache *cache,
		       const struct cache_node *node);

/* Names that are known longer than their time (cache_renew.c) */
/* What is said of a directory: its mtime is remembered, and since when. */
void cache_learn_date(struct cache *cache, struct cache_node *node,
		      const struct csftp_attr *attr);
/* The node was listed whole by the reader. */
void cache_date_names(struct cache *cache, struct cache_node *node,
		      const struct cache_dir *dir);
/* True: it is being asked whether the names are still those; see listing. */
bool cache_renew(struct cache *cache, struct cache_node *node);

/* Listing ahead (cache_ahead.c) */
void cache_list_ahead(struct cache *cache, struct cache_node *node);

/* What a walk comes to next (cache_walk.c) */
/* It does not count among the guesses any more; false: it did not. */
bool cache_guess_used(struct cache *cache, struct cache_node *node);
/* Somebody opens the directory: what will be next? */
void cache_walk(struct cache *cache, struct cache_node *node);
/* Names in it had to be asked for: that may be a walk, too. */
void cache_walk_by_names(struct cache *cache, struct cache_node *dir);
/* More is known: the walk may go on. */
void cache_walk_on(struct cache *cache);
/* Answers those who wait for the listing, as what is known by now. */
void cache_wake(struct cache *cache);

#endif
