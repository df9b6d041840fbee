/* Inside the survive layer: the state that its source files share. */
#ifndef CSFTP_CORE_LAYER_SURVIVE_IMPL_H
#define CSFTP_CORE_LAYER_SURVIVE_IMPL_H

#include <stddef.h>

#include "core/layer/fhmap.h"
#include "core/layer/relay.h"
#include "core/layer/survive.h"

/*
 * A path that something is open at.  Handles of one path share it, as what is
 * written through one is news to the other.
 */
struct survive_node {
	struct survive_node *next;
	char *path;
	uint64_t hash; /* of the path */
	uint32_t refs;
	struct survive_file *files; /* that are open, or being opened */
	bool nameless; /* removed or replaced: the path leads elsewhere */
	bool replaced; /* ... by others, as was found out */
	bool linked;   /* has other names: may change behind our back */
	/* seen holds what the file has, as we have not changed it since. */
	bool known;
	struct csftp_attr seen;
	uint64_t size;	     /* it is at least that long */
	uint64_t appended;   /* bytes, by acknowledged WRITEs, ever */
	uint64_t changes;    /* begun, ever */
	uint32_t changing;   /* begun and not answered */
	uint64_t look_at_ms; /* when to ask for what it is; 0: not */
};

/* Hashes of names that were handed up; the first are in order. */
struct survive_names {
	uint64_t *hash;
	size_t count;
	size_t cap;
	size_t sorted; /* those of earlier connections */
	bool broken;   /* there was no memory */
};

/* The one request that the layer asks of its own for a file, at a time. */
struct survive_look {
	struct csftp_req req; /* first */
	struct survive_file *file;
	bool out;
	uint64_t changes; /* of the node, when it was asked */
	uint64_t appended;
};

/* A few bytes that the file has (survive_same.c). */
#define SURVIVE_SAMPLE_MAX 1024U
#define SURVIVE_SAMPLES	   3U

struct survive_sample {
	uint64_t off;
	uint32_t len; /* 0: there is none */
	uint8_t bytes[SURVIVE_SAMPLE_MAX];
};

struct survive_file {
	struct survive_look look; /* first */
	struct survive *survive;
	struct survive_file *next; /* of all that are open */
	struct survive_file *prev;
	struct survive_file *beside; /* of the same node */
	struct survive_node *node;
	struct survive_sample *samples; /* NULL: none */
	csftp_fh fh;			/* ours */
	csftp_fh low; /* below, if epoch is that of the connection */
	uint64_t epoch;
	uint32_t flags;
	uint32_t holds; /* jobs, the handle, and what is asked of our own */
	bool is_dir;
	bool listed; /* among those that are open */
	bool written;
	bool closed; /* from above */
	int dead;    /* why it cannot be used any more */
	struct survive_names names;
	/* Its mode is another one for a moment, so that it can be opened. */
	bool unlocked;
	uint64_t tried; /* on that connection */
	uint32_t mode_was;
	struct csftp_attr mode; /* that is being set */
	/* For whether it is the same. */
	struct csftp_attr found; /* now */
	bool is_same;
	uint32_t checking; /* which sample */
	void (*judged)(struct survive_file *file);
	/* For that, and for what is compared of a file that is appended to. */
	void (*then)(struct survive_file *file);
	csftp_fh reader;
	uint8_t *tail;
	size_t tail_len;
	size_t tail_got;
	size_t tail_from; /* where what it appended next can be in it */
	bool tail_over;	  /* that is not there */
};

struct survive_handle {
	struct fhmap_entry entry; /* first */
	struct survive_file *file;
};

struct survive_job {
	struct relay_job job;	  /* first */
	struct survive_job *next; /* of those that wait */
	struct survive_job *prev;
	uint64_t number;	       /* in the order of asking */
	uint64_t sent;		       /* the epoch in which it was, last */
	struct survive_file *file;     /* held */
	struct survive_file *file2;    /* held */
	struct survive_node *changes;  /* held: what it changes */
	struct survive_handle *handle; /* OPEN: to be put into the map */
	uint64_t seen_changes; /* GETATTR: those of the node at that time */
	uint64_t done;	       /* WRITE: so many bytes are known to be there */
	uint64_t appended;     /* ... of which the file's size counts so many */
	struct csftp_slice parts[CSFTP_PARTS_MAX]; /* WRITE: what is left */
	/* While it is looked whether it was done all the same. */
	int err;
	struct csftp_attr found; /* LINK: what has the new name */
	bool waiting;
	bool counted;  /* among those that a phase waits for */
	bool doubtful; /* it was sent once */
	bool already;  /* it is known that it was done */
	bool passed;   /* READDIR: a name was handed up */
};

enum survive_state {
	SURVIVE_DOWN,
	SURVIVE_NAMING,	   /* renames that were sent are settled */
	SURVIVE_OPENING,   /* handles are opened again */
	SURVIVE_REPLAYING, /* what waits is asked */
	SURVIVE_UP
};

/* A path that something under way may have been asked by. */
struct survive_old {
	struct survive_old *next;
	char *path;
};

struct survive {
	struct relay relay; /* first */
	struct survive_config config;
	struct csftp_fs nothing; /* below, where there is no connection */
	struct csftp_fs_ops no_ops;
	enum survive_state state;
	bool failing; /* nothing waits */
	bool ended;
	bool lost_once;
	uint64_t epoch; /* of connections */
	uint64_t lost_ms;
	uint64_t number;
	csftp_fh next_fh;
	uint32_t phase; /* what the state waits for, and one while it begins */
	uint32_t stale;
	uint32_t slow;
	uint32_t waiting_count;
	uint64_t stuck_number;	   /* of the job at which connections end */
	uint32_t stuck;		   /* so many, one after the other */
	struct survive_job *first; /* that wait, in their order */
	struct survive_job *last;
	struct survive_file *files;
	struct survive_node *nodes;
	struct survive_old *old; /* of this phase */
	struct fhmap map;
	uint64_t next_look_ms;
	struct csftp_statfs statfs; /* the last answer for the shortest path */
	size_t statfs_of;	    /* bytes of that path */
	bool has_statfs;
	bool no_statfs; /* the server has none */
};

typedef void survive_step(struct csftp_req *req,
			  const struct csftp_reply *reply);

/* Whether an answer says no more than that there is no connection. */
bool survive_lost(const struct survive *survive,
		  const struct csftp_reply *reply);

/* Files and nodes that a new job is about: an errno (survive_begin.c). */
int survive_begin(struct survive_job *job);

/* Asks below for what is left of it, unless that is settled (survive_job.c). */
void survive_say(struct survive_job *job);

/* Asks below with the job's request as it is. */
void survive_ask(struct survive_job *job, survive_step *then);

/* Back to those that wait; err is what the lost connection answered. */
void survive_park(struct survive_job *job, int err);

/* The answer of the server, or ours: effects, then who asked. */
void survive_complete(struct survive_job *job, const struct csftp_reply *reply);
void survive_complete_err(struct survive_job *job, int err);

/* One thing less that the phase waits for. */
void survive_phase_put(struct survive *survive);

/* Nodes and files (survive_file.c). */
struct survive_node *survive_node_find(const struct survive *survive,
				       const char *path);
void survive_node_put(struct survive *survive, struct survive_node *node);
void survive_node_begin(struct survive_node *node);
void survive_node_end(struct survive *survive, struct survive_node *node);
void survive_node_saw(struct survive_node *node, const struct csftp_attr *attr);
/* Something is about to be set of it. */
void survive_node_set(struct survive_node *node, const struct csftp_attr *attr);
void survive_renamed(struct survive *survive, const char *from, const char *to);
void survive_removed(struct survive *survive, const char *path);
/* Nothing is under way that was asked by the paths of before. */
void survive_forget_old(struct survive *survive);

/* NULL: no memory. */
struct survive_file *survive_file_new(struct survive *survive,
				      const struct csftp_req *open);
void survive_file_hold(struct survive_file *file);
void survive_file_put(struct survive_file *file);
void survive_file_list(struct survive_file *file);

/* Names of a directory: kept, and those of before found again. */
void survive_names_add(struct survive_names *names,
		       const struct csftp_slice *name);
bool survive_names_has(const struct survive_names *names,
		       const struct csftp_slice *name);
void survive_names_settle(struct survive_names *names);

/*
 * The payload of a WRITE from an offset on, at most max bytes, in pieces; how
 * many pieces there are.
 */
uint32_t survive_payload(const struct csftp_req *asked, uint64_t from,
			 uint64_t max, struct csftp_slice out[CSFTP_PARTS_MAX]);

/* Asks what the file is, if nothing else is being asked of it. */
void survive_look(struct survive_file *file);

/* What was opened again, and what was appended (survive_reopen.c). */
void survive_reopen_all(struct survive *survive);

/*
 * Whether it is the same (survive_same.c).  What jobs read and wrote is
 * remembered a little of, and forgotten where that is changed; a len of
 * UINT64_MAX goes up to the end.  The check looks at file->found, and says
 * file->is_same, which holds nothing where the connection died meanwhile.
 */
void survive_same_read(struct survive_job *job,
		       const struct csftp_reply *reply);
void survive_same_wrote(struct survive_job *job);
void survive_same_forget(struct survive_node *node, uint64_t off, uint64_t len);
void survive_same_check(struct survive_file *file,
			void (*then)(struct survive_file *file));

/* ... (survive_append.c); then is called also where the connection dies. */
void survive_append_check(struct survive_file *file, uint64_t size,
			  void (*then)(struct survive_file *file));

/*
 * A request that was sent before was refused now (survive_doubt.c).  True: it
 * is being looked whether it had been done, and the job will be completed.
 */
bool survive_doubt(struct survive_job *job, int err);

#endif
