#include "core/layer/places.h"

#include <stdlib.h>
#include <string.h>

struct opened {
	struct fhmap_entry entry; /* first */
	struct place *place;
};

void places_init(struct places *places)
{
	*places = (struct places){.map.entry_size = sizeof(struct opened)};
}

static void forget(struct fhmap_entry *entry)
{
	place_drop(((struct opened *)entry)->place);
}

void places_release(struct places *places)
{
	fhmap_release(&places->map, forget);
}

void places_open(struct places *places, csftp_fh fh, const char *path)
{
	size_t size = strlen(path) + 1;
	struct place *place = malloc(sizeof(*place) + size);
	struct opened *opened = NULL;

	if (place)
		opened = (struct opened *)fhmap_take(&places->map);
	if (!opened) {
		free(place);
		return;
	}
	place->refs = 1;
	memcpy(place->path, path, size);
	opened->place = place;
	fhmap_put(&places->map, &opened->entry, fh);
}

void places_close(struct places *places, csftp_fh fh)
{
	struct opened *opened = (struct opened *)fhmap_find(&places->map, fh);

	if (!opened)
		return;
	place_drop(opened->place);
	opened->place = NULL; /* entries are kept for reuse as they are */
	fhmap_remove(&places->map, fh);
}

struct place *places_find(const struct places *places, csftp_fh fh)
{
	const struct opened *opened =
		(const struct opened *)fhmap_find(&places->map, fh);

	return opened ? opened->place : NULL;
}

struct place *place_hold(struct place *place)
{
	if (place)
		place->refs++;
	return place;
}

void place_drop(struct place *place)
{
	if (place && --place->refs == 0)
		free(place);
}
