/* Where what is open was opened: paths that outlive their handles. */
#ifndef CSFTP_CORE_LAYER_PLACES_H
#define CSFTP_CORE_LAYER_PLACES_H

#include <stdint.h>

#include "core/layer/fhmap.h"

/* A path with its owners: the handle, and requests that are under way. */
struct place {
	uint32_t refs;
	char path[];
};

/* Zeros but for what places_init() sets are none.  One thread. */
struct places {
	struct fhmap map;
};

void places_init(struct places *places);
void places_release(struct places *places);

/* fh was opened at that path.  Without memory it has no place. */
void places_open(struct places *places, csftp_fh fh, const char *path);

/* fh is being closed; whoever holds its place keeps it.  None is fine. */
void places_close(struct places *places, csftp_fh fh);

/* NULL: it has none. */
struct place *places_find(const struct places *places, csftp_fh fh);

/* NULL is fine for both. */
struct place *place_hold(struct place *place);
void place_drop(struct place *place);

#endif
