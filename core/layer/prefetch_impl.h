/* Inside the layer that fetches ahead; its contract is prefetch.h. */
#ifndef CSFTP_CORE_LAYER_PREFETCH_IMPL_H
#define CSFTP_CORE_LAYER_PREFETCH_IMPL_H

#include <stdbool.h>

/* Running out of memory is no reason to end the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/layer/prefetch.h"
#include "core/layer/prefetch_plan.h"
#include "core/layer/relay.h"

#define PREFETCH_PLANS	 48U
#define PREFETCH_BESIDES 4U

/*
 * A file that is fetched: OPEN, then READ, then it waits for somebody to open
 * it.  Once it has a user ("taken") the handle is that user's, and what was
 * read is kept until it has been handed out.
 */
struct fetch {
	struct csftp_req open; /* first; later CLOSE */
	struct csftp_req read;
	struct prefetch *prefetch;
	struct fetch *next; /* the younger one */
	struct fetch *prev;
	UT_hash_handle hh; /* by fh, of those that are taken and opened */
	csftp_fh fh;
	struct csftp_req *opener;  /* from above: waits for our OPEN */
	struct csftp_req *readers; /* from above: wait for our READ */
	uint8_t *data;
	uint32_t size; /* to be asked for, and room in data */
	uint32_t got;
	uint32_t used; /* of what was got */
	uint64_t born_ms;
	bool opening; /* or closing */
	bool opened;
	bool reading;
	bool taken;
	bool stale; /* what was or is read is not to be served */
	char path[];
};

struct prefetch {
	struct relay relay; /* first */
	struct prefetch_config config;
	struct fetch *first;
	struct fetch *last;
	struct fetch *by_fh;
	struct plan plans[PREFETCH_PLANS];
	uint64_t plan_uses;
	enum plan_order order; /* that proved right */
	/* Of directories, as somebody may read several trees in turn. */
	struct plan besides[PREFETCH_BESIDES];
	struct plan *beside; /* the reader's directory and its siblings */
	uint32_t window;     /* files ahead of the reader */
	uint32_t waiting;    /* fetched, and not taken */
	uint32_t pending;
	enum plan_order dirs_order; /* of directories, that proved right */
	uint32_t steps;	 /* from one directory to the next, in that order */
	uint32_t unused; /* in a row, that nobody came for */
	uint32_t listed; /* directories since a file of one was opened */
	struct prefetch_counts counts;
	bool quiet;
};

/* Guessing (prefetch_guess.c) */
/* Somebody opens a file for reading; hit: it had been fetched. */
void prefetch_opened(struct prefetch *prefetch, const char *path, bool hit);
/* Somebody begins to list a directory. */
void prefetch_listed(struct prefetch *prefetch, const char *path);
/* Nobody came for a file. */
void prefetch_wrong(struct prefetch *prefetch);
void prefetch_forget_plans(struct prefetch *prefetch);
/* Names that plans hold. */
uint64_t prefetch_planned(const struct prefetch *prefetch);

/* Fetching (prefetch.c): false where there is no room for another one now. */
bool prefetch_fetch(struct prefetch *prefetch, const char *dir,
		    const char *name);

#endif
