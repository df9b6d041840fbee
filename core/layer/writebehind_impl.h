/* Inside the layer; its contract is writebehind.h. */
#ifndef CSFTP_CORE_LAYER_WRITEBEHIND_IMPL_H
#define CSFTP_CORE_LAYER_WRITEBEHIND_IMPL_H

#include "core/layer/ramp.h"
#include "core/layer/relay.h"
#include "core/layer/way.h"
#include "core/layer/writebehind.h"

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Requests of the layer's own that are under way below at a time. */
#define WB_FLYING_MAX 256U

/* Files whose OPENs were answered and are not done, at a time. */
#define WB_OPENING_MAX 256U

/* In a SETATTR, what can travel behind writes. */
#define WB_TIMES                                                               \
	(CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME | CSFTP_ATTR_ATIME_NOW |          \
	 CSFTP_ATTR_MTIME_NOW)
#define WB_LIGHT (CSFTP_ATTR_MODE | WB_TIMES)

struct wb_handle;

enum wb_state { WB_QUEUED, WB_FLYING, WB_DONE };

/*
 * One step of what a file has before it.  Steps are sent in their order, and
 * leave in their order; `asked`, if there is one, is answered when its step
 * leaves.  FLUSH is a step that is done when it has become the first.
 */
struct wb_step {
	struct csftp_req req; /* first: what is asked below */
	struct writebehind *wb;
	struct wb_step *next;
	struct wb_handle *handle;
	struct csftp_req *asked;
	enum wb_state state;
	int err;	      /* of its own */
	uint32_t len;	      /* WRITE: bytes */
	struct way_mark sent; /* WRITE */
	uint32_t room_used;   /* of room */
	uint32_t part_count;
	struct csftp_buf *bufs[CSFTP_PARTS_MAX]; /* NULL: it is in room */
	struct csftp_slice parts[CSFTP_PARTS_MAX];
	struct csftp_attr attr; /* SETATTR, OPEN */
	char *path;		/* OPEN */
	uint8_t *room;		/* for one WRITE; NULL until it is needed */
};

/* A file, by the name that it is known by. */
struct wb_file {
	UT_hash_handle hh;
	char *path; /* "": it has none any more */
	struct wb_step *first;
	struct wb_step *last;
	struct wb_step *unsent; /* the first WB_QUEUED one */
	struct wb_file *ring;	/* the next of those with something unsent */
	struct wb_file *moved;	/* the next of those that get other names */
	bool ringed;
	bool mixed;		   /* the steps are of several handles */
	bool named;		   /* is found by its path */
	uint32_t pins;		   /* handles, and whoever looks at it */
	struct wb_handle *creator; /* made it to write, while it is open */
	uint32_t flying;
	uint32_t holds;	       /* requests that wait and are about it */
	uint32_t changers;     /* of these, those that change it */
	uint64_t stamp;	       /* of the last walk through those */
	uint64_t changes;      /* that were taken in */
	uint64_t end;	       /* up to where writes that are not done reach */
	uint64_t floor;	       /* it is at least so long below */
	struct csftp_attr set; /* by SETATTRs that are not done */
	/* What it has when all is done; only where its making was seen. */
	bool known;
	bool exact;   /* nothing has changed since it was asked for */
	bool guessed; /* ... by what others in its directory had */
	bool opening; /* an OPEN that makes it was answered, and is not done */
	bool timed;   /* made_sec is what the server's clock said at made_ms */
	struct csftp_attr attr;
	uint64_t sure_ms; /* when it was known last, and nobody had to ask */
	int64_t made_sec;
	uint64_t made_ms;
	uint64_t made_changes; /* by then */
};

/* An open file or directory. */
struct wb_handle {
	UT_hash_handle hh;
	csftp_fh number;      /* that it is found by; mostly fh */
	csftp_fh fh;	      /* of the file system below, once it is open */
	struct wb_file *file; /* NULL: a directory */
	char *dir;	      /* its path */
	struct wb_step close; /* goes behind all others, memory or not */
	uint32_t flags;
	uint32_t pins;
	uint32_t mode;	 /* that its file was to be made with, where fresh */
	int err;	 /* nobody was told yet */
	int dead;	 /* what the OPEN failed with that was answered early */
	bool wrote;	 /* whatever could fail */
	bool wrote_data; /* ... so that who closes it looks what became of it */
	bool fresh;	 /* there was no such file, and nobody is to own it */
	bool renumbered;
};

/* What a file had that was made in a directory: see writebehind_early.c. */
struct wb_sample {
	UT_hash_handle hh;
	char *dir;
	uint32_t mode;		/* that was asked for */
	struct csftp_attr attr; /* that it got; nothing: it is not known */
	uint64_t ms;
	bool made; /* the directory, by us, and it is as we made it */
};

/* A request that is passed on, with an eye on its answer. */
struct wb_job {
	struct relay_job job; /* first */
	struct wb_handle *handle;
	struct wb_file *file; /* pinned, or NULL */
	uint64_t changes;
	uint64_t end;
	struct csftp_attr set;
	bool settled; /* nothing was pending when it was asked */
};

struct writebehind {
	struct relay relay; /* first */
	struct writebehind_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	struct wb_file *files;		       /* by path */
	struct wb_handle *handles;
	struct wb_sample *samples; /* by directory, the oldest first */
	uint64_t last_number;
	uint32_t renumbered;  /* of the handles */
	uint32_t opening;     /* files */
	struct wb_file *ring; /* the one whose turn it is */
	struct wb_file *ring_last;
	struct csftp_req *held; /* requests that wait, in order */
	struct wb_step *free;
	struct writebehind_counts counts;
	uint32_t piece; /* the longest WRITE below */
	uint32_t fill;	/* up to which one is filled these days */
	uint32_t steps_max;
	uint32_t steps;	     /* in all files */
	uint32_t files_busy; /* with steps */
	uint32_t held_count;
	uint32_t ring_count;
	uint32_t barriers; /* of these, those that nothing goes past */
	uint32_t flying;
	uint64_t flying_bytes;
	uint64_t stamp; /* of the last walk through those who wait */
	/* The window. */
	uint64_t window;
	uint64_t trial_ms;
	uint64_t trial_bytes;
	uint64_t stale_bytes; /* to be done before the trial begins */
	uint64_t best;	      /* bytes per second before the window doubled */
	uint64_t idle_ms;     /* when nothing was under way any more */
	uint64_t settled_ms;  /* when doubling was no use; 0: not tried */
	uint64_t share;	      /* of the window, when it gave way */
	struct ramp ramp;
	struct way way;
	bool gave_way; /* to who asks, in this trial */
	bool limited;  /* by the window, in this trial */
	bool probing;  /* it has doubled, and is not judged yet */
	bool pumping;
	bool releasing;
};

static inline uint64_t wb_now(const struct writebehind *wb)
{
	return wb->config.now_ms(wb->config.arg);
}

/* Files and handles (writebehind.c) */
struct wb_handle *wb_handle_of(const struct writebehind *wb, csftp_fh fh);
struct wb_file *wb_file_at(const struct writebehind *wb, const char *path);
/* It is found by its name no more. */
void wb_file_forget(struct writebehind *wb, struct wb_file *file);
/* One for an OPEN or OPENDIR, without a number; NULL: no memory. */
struct wb_handle *wb_handle_new(struct writebehind *wb,
				const struct csftp_req *up);
/* It is found by a number that no other has; false: no memory. */
bool wb_handle_add(struct writebehind *wb, struct wb_handle *handle, bool open);
void wb_handle_remove(struct writebehind *wb, struct wb_handle *handle);
/* The error that nobody was told of yet: somebody is now. */
int wb_take_err(struct wb_handle *handle);
/* Below, as it is but for the number of a handle that has one of ours. */
void wb_pass(struct writebehind *wb, struct csftp_req *up);
/* Puts the handles of the file system below in place of our numbers. */
void wb_lower(const struct writebehind *wb, struct csftp_req *req);
void wb_file_pin(struct wb_file *file);
void wb_file_unpin(struct writebehind *wb, struct wb_file *file);
void wb_handle_unpin(struct writebehind *wb, struct wb_handle *handle);

/* Does it now: nothing is in its way. */
void wb_dispatch(struct writebehind *wb, struct csftp_req *up);

/* Steps (writebehind_step.c) */
/* A step at the end of the handle's file; NULL: no memory, but for CLOSE. */
struct wb_step *wb_step_add(struct writebehind *wb, struct wb_handle *handle,
			    enum csftp_op op);
/* Takes the payload of a WRITE; false: no memory. */
bool wb_take_payload(struct writebehind *wb, struct wb_handle *handle,
		     const struct csftp_req *up);
/* Whether there is room for so many bytes more. */
bool wb_has_room(const struct writebehind *wb, uint64_t len);
/* Sends what can be sent. */
void wb_pump(struct writebehind *wb);
void wb_steps_release(struct writebehind *wb);

/* Those who wait (writebehind_hold.c) */
/* True: it waits, and wb_dispatch() is called when its time comes. */
bool wb_hold(struct writebehind *wb, struct csftp_req *up);
/* Something is done: who can go on? */
void wb_release(struct writebehind *wb);
/* It waits no more; false: it did not. */
bool wb_unhold(struct writebehind *wb, struct csftp_req *up);

/* Attributes (writebehind_attr.c) */
/* The handle's OPEN has made its file, or is about to. */
void wb_made(struct writebehind *wb, struct wb_handle *handle);
void wb_wrote(struct writebehind *wb, struct wb_file *file, uint64_t off,
	      uint64_t len);
/* There was no memory for all of it. */
void wb_wrote_in_part(struct wb_file *file);
void wb_getattr(struct writebehind *wb, struct csftp_req *up);
/* Not behind anything.  What is asked until it is done is of before it. */
void wb_setattr(struct writebehind *wb, struct wb_file *file,
		struct csftp_req *up);
/* True: it was answered, as it travels behind the writes. */
bool wb_setattr_behind(struct writebehind *wb, struct csftp_req *up);
void wb_readdir(struct csftp_fs *fs, struct csftp_req *up);
/* Files that are there before they are made (writebehind_early.c) */
/* True: it was answered, and its file is being made. */
bool wb_open_early(struct writebehind *wb, struct csftp_req *up);
/* Its OPEN is done, or has failed. */
void wb_opened(struct writebehind *wb, struct wb_step *step,
	       const struct csftp_reply *reply);
/* Whether a request by path is about one that is being made. */
bool wb_asks_for_opening(const struct writebehind *wb,
			 const struct csftp_req *up);
/* Whether such an OPEN shows what others in its directory will be like. */
bool wb_is_fresh(const struct writebehind *wb, const struct csftp_req *up);
void wb_sample_learn(struct writebehind *wb, const struct wb_file *file,
		     const struct csftp_attr *attr);
void wb_samples_forget(struct writebehind *wb, const char *top);
void wb_samples_release(struct writebehind *wb);
/* MKDIR: what is made there will be like what is made beside it. */
void wb_make_dir(struct writebehind *wb, struct csftp_req *up);

/* The file that a request with a path or a handle is about, or NULL. */
struct wb_file *wb_file_about(const struct writebehind *wb,
			      const struct csftp_req *up);

#endif
