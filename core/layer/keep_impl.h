/* Inside the layer that keeps content; its contract is keep.h. */
#ifndef CSFTP_CORE_LAYER_KEEP_IMPL_H
#define CSFTP_CORE_LAYER_KEEP_IMPL_H

#include <stdbool.h>

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/layer/keep.h"
#include "core/layer/relay.h"

/* The numbers of handles that are ours alone. */
#define KEEP_OWN (UINT64_C(1) << 63)

/* Content, for as long as somebody has it. */
struct keep_data {
	struct keep *keep;
	uint32_t refs;
	uint32_t len;
	uint8_t bytes[];
};

/* What is kept of a file; in the order in which they were asked about. */
struct keep_file {
	UT_hash_handle hh; /* by path */
	struct keep_file *next;
	struct keep_file *prev;
	struct keep_data *data;
	struct csftp_attr attr; /* that it had when it was read, or before */
	uint64_t seen_ms;	/* when that mtime was seen first */
	uint64_t read_ms;	/* when reading began */
	bool ahead; /* was asked about unasked, and not opened since */
	char path[];
};

enum keep_state {
	KEEP_REAL,    /* a handle of the file system below */
	KEEP_OURS,    /* not open there */
	KEEP_OPENING, /* ... but being opened */
	KEEP_OPENED,  /* it has one of its own there by now */
	KEEP_LOST     /* it could not be opened */
};

/* A file that is open for reading alone. */
struct keep_handle {
	struct csftp_req req; /* first: OPEN, CLOSE, or READ */
	UT_hash_handle hh;    /* by number */
	struct keep *keep;
	csftp_fh number; /* that the user has */
	csftp_fh fh;	 /* of the file system below */
	enum keep_state state;
	int err;		   /* KEEP_LOST */
	struct keep_data *data;	   /* all that was read, or is being */
	struct csftp_req *waiting; /* for the OPEN, or for the READ */
	struct csftp_attr attr;	   /* those of data */
	uint64_t opened_ms;
	uint64_t read_ms;
	uint64_t seen_ms;
	bool reading;
	bool tried;   /* to read all of it */
	bool stale;   /* it has changed since, or will */
	bool closed;  /* and goes with the answer to req */
	bool unasked; /* KEEP_OPENING: by the clock; KEEP_OURS: in vain */
	char path[];
};

struct keep {
	struct relay relay; /* first */
	struct keep_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	struct keep_file *files;
	struct keep_file *first; /* asked about longest ago */
	struct keep_file *last;
	struct keep_handle *handles;
	struct keep_check *checks;
	struct csftp_req *held; /* changes that wait for OPENs */
	csftp_fh last_number;
	uint32_t pending;
	uint64_t trip_ms; /* the last question took */
	uint64_t tick_ms; /* when files are to be opened; 0: there are none */
	struct keep_counts counts;
	bool quiet;
};

static inline uint64_t keep_now(const struct keep *keep)
{
	return keep->config.now_ms(keep->config.arg);
}

/* Whether that was so lately that nobody has to be asked. */
static inline bool keep_is_fresh(const struct keep *keep, uint64_t since_ms)
{
	return keep_now(keep) - since_ms <= keep->config.fresh_ms;
}

/* What is kept (keep_file.c) */
/* With room for a byte more.  NULL: no memory, or open files have too much. */
struct keep_data *keep_data_new(struct keep *keep, uint32_t len);
void keep_data_drop(struct keep_data *data); /* NULL is fine */
void keep_drop_in(struct keep *keep, const char *top);
void keep_file_to_end(struct keep *keep, struct keep_file *file);
/* Keeps what the handle has read, if the file is still what it was. */
void keep_learn(struct keep *keep, const struct keep_handle *handle);

enum keep_sight {
	KEEP_GOOD,  /* can be handed out */
	KEEP_CHECK, /* ... if its attributes are the same: ask */
	KEEP_NONE
};
/* What was learned since then is good enough in any case. */
enum keep_sight keep_look(struct keep *keep, const char *path,
			  uint64_t since_ms, struct keep_file **file);

#define KEEP_NOT_ASKED UINT64_MAX

/* Asks for attributes (keep_check.c) */
/* Those of the file; then up, an OPEN, is done (keep_open_checked()). */
void keep_check(struct keep *keep, struct keep_file *file,
		struct csftp_req *up);
/* up waits for such an answer, and does not any more; false: it did not. */
bool keep_check_cancel(struct keep *keep, const struct csftp_req *up);

/* Operations (keep.c) */
/* OPEN: from memory, if what is known since then agrees; or below. */
void keep_open_checked(struct keep *keep, struct csftp_req *up,
		       uint64_t since_ms);

#endif
