/* Inside the idmap layer; its contract is idmap.h. */
#ifndef CSFTP_CORE_LAYER_IDMAP_IMPL_H
#define CSFTP_CORE_LAYER_IDMAP_IMPL_H

#include "core/layer/idmap.h"
#include "core/layer/relay.h"

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum id_state { ID_KNOWN, ID_NONE, ID_WANTED, ID_ASKED };

/* A number of the server's. */
struct id {
	UT_hash_handle hh;
	uint64_t key; /* kind and number */
	uint32_t local;
	enum id_state state;
	struct csftp_req req; /* IDNAME */
	struct idmap *map;
	struct id *next_wanted;
};

struct idmap_batch;

struct idmap_job {
	struct relay_job job; /* first */
	struct idmap_job *next_waiting;
	struct idmap_batch *batch; /* READDIR: what it takes goes there */
	struct csftp_attr attr;	   /* what is shown, or set */
	/* Of what is made: */
	csftp_fh fh;		/* OPEN */
	struct csftp_req *held; /* who asks for its attributes */
	struct idmap_job *next_make;
};

/* The names of one READDIR, of which some have owners not known yet. */
struct idmap_batch {
	struct idmap_batch *next;
	csftp_fh fh;
	char *bytes;
	size_t used;
	size_t cap;
	size_t at; /* of those, what was handed on */
	bool filling;
	bool eof;
	struct csftp_req *held; /* READDIRs that wait for it */
};

struct idmap {
	struct relay relay; /* first */
	struct idmap_config config;
	void (*cancel)(struct csftp_fs *fs,
		       struct csftp_req *req); /* relay's */
	struct id *ids;
	struct id *wanted;
	uint32_t asking; /* IDNAMEs without an answer */
	struct idmap_job *waiting;
	struct idmap_batch *batches;
	struct csftp_req *unheld; /* READDIRs whose batch is over */
	struct idmap_job *makes;
	bool said_no_names;
	bool waking;
	/* While it is not known who logged in: */
	struct csftp_fs_ops later_ops; /* the usual ones */
	struct csftp_req login_req;
	bool finding;		 /* it is under way */
	struct csftp_req *early; /* what waits for it, the first first */
	bool keeps; /* the server does not let us give anything away */
};

/* Whether attributes can be shown without asking; what is missing is wanted. */
bool idmap_is_known(struct idmap *map, const struct csftp_attr *attr);

/* Asks for what is wanted, all at once. */
void idmap_ask_wanted(struct idmap *map);

/* Translates what there is of owners; an errno. */
int idmap_show(struct idmap *map, struct csftp_attr *attr);
int idmap_set(struct idmap *map, struct csftp_attr *attr);

void idmap_say(const struct idmap *map, const char *text);

/* Who has a number there has the other one here; false: no memory. */
bool idmap_add_pairs(struct idmap *map, uint32_t kind,
		     const struct idmap_pair *pairs, size_t count);

/* All requests wait until it is known who logged in (idmap_login.c). */
void idmap_find_login(struct idmap *map);

/* Listings (idmap_dir.c) */
void idmap_readdir(struct csftp_fs *fs, struct csftp_req *req);
void idmap_close(struct csftp_fs *fs, struct csftp_req *req);
bool idmap_dir_cancel(struct idmap *map, const struct csftp_req *req);
/* No owner is asked for any more. */
void idmap_dir_wake(struct idmap *map);
void idmap_dir_release(struct idmap *map);

/* What is made (idmap_make.c) */
void idmap_make(struct csftp_fs *fs, struct csftp_req *req);
/* True: the request waits until what it asks for has its owner. */
bool idmap_make_holds(struct idmap *map, struct csftp_req *req);
bool idmap_make_cancel(struct idmap *map, const struct csftp_req *req);

#endif
