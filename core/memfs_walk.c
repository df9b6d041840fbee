#include "core/memfs.h"

#include <errno.h>
#include <string.h>

/*
 * What of the path is still to be walked: at the top the text of the last
 * link met, below it what follows that link.  Neither changes during a walk,
 * so nothing is copied.
 */
struct trail {
	const char *rest[MEM_FOLLOW_MAX + 1];
	unsigned depth;
};

/* The next name; false at the end. */
static bool trail_take(struct trail *trail, struct csftp_slice *name)
{
	while (trail->depth > 0) {
		const char **top = &trail->rest[trail->depth - 1];

		*top += strspn(*top, "/");
		if (**top) {
			*name = (struct csftp_slice){*top, strcspn(*top, "/")};
			*top += name->len;
			return true;
		}
		trail->depth--;
	}
	return false;
}

/* Whether no name is left; then slash says whether a '/' is. */
static bool trail_ends(const struct trail *trail, bool *slash)
{
	*slash = false;
	for (unsigned i = 0; i < trail->depth; i++) {
		const char *rest = trail->rest[i];

		if (rest[strspn(rest, "/")])
			return false;
		if (*rest)
			*slash = true;
	}
	return true;
}

static bool name_is(struct csftp_slice name, const char *text)
{
	return name.len == strlen(text) &&
	       memcmp(name.ptr, text, name.len) == 0;
}

/* A spot that is a directory reached by something else than its name. */
static struct mem_spot spot_dir(struct mem_node *node, enum mem_last last)
{
	return (struct mem_spot){.last = last, .dir = node, .node = node};
}

/* One name further than spot.  ENOENT only for the directory it is in. */
static int step(struct mem_spot *spot, const struct mem_fs *mem,
		struct csftp_slice name)
{
	struct mem_node *dir = spot->node;

	if (!dir)
		return ENOENT;
	if (!mem_is_dir(dir))
		return ENOTDIR;
	if (name_is(name, ".")) {
		*spot = spot_dir(dir, MEM_LAST_DOT);
	} else if (name_is(name, "..")) {
		*spot = spot_dir(dir->dir.parent, MEM_LAST_DOTDOT);
	} else if (name.len > CSFTP_NAME_MAX) {
		return ENAMETOOLONG;
	} else {
		struct mem_entry *entry = mem_entry_find(mem, dir, name);

		*spot = (struct mem_spot){
			.last = MEM_LAST_NAME,
			.dir = dir,
			.name = name,
			.entry = entry,
			.node = entry ? entry->node : NULL,
		};
	}
	return 0;
}

static int push_link(struct trail *trail, struct mem_spot *spot,
		     const struct mem_fs *mem, unsigned *followed)
{
	const char *text = (const char *)spot->node->text->bytes;

	if (++*followed > MEM_FOLLOW_MAX)
		return ELOOP;
	trail->rest[trail->depth++] = text;
	if (*text == '/')
		*spot = spot_dir(mem->root, MEM_LAST_ROOT);
	else
		*spot = spot_dir(spot->dir, MEM_LAST_DOT);
	return 0;
}

int mem_walk(struct mem_spot *out, const struct mem_fs *mem, const char *path,
	     enum mem_follow how)
{
	struct trail trail = {.rest = {path}, .depth = 1};
	struct mem_spot spot = spot_dir(mem->root, *path == '/' ? MEM_LAST_ROOT
								: MEM_LAST_DOT);
	struct csftp_slice name;
	unsigned followed = 0;
	bool slash = false;
	int err = 0;

	if (!memchr(path, 0, CSFTP_PATH_MAX + 1))
		return ENAMETOOLONG;
	while (err == 0 && trail_take(&trail, &name)) {
		bool last = trail_ends(&trail, &slash);
		bool follow = how == MEM_FOLLOW ||
			      (how == MEM_NOFOLLOW && slash) || !last;

		err = step(&spot, mem, name);
		if (err == 0 && spot.node && mem_is_link(spot.node) && follow)
			err = push_link(&trail, &spot, mem, &followed);
	}
	if (err != 0)
		return err;
	if (slash && how != MEM_PARENT && spot.node && !mem_is_dir(spot.node))
		return ENOTDIR;
	*out = spot;
	out->slash = slash;
	return 0;
}

int mem_lookup(struct mem_node **out, const struct mem_fs *mem,
	       const char *path, enum mem_follow how)
{
	struct mem_spot spot;
	int err = mem_walk(&spot, mem, path, how);

	if (err == 0 && !spot.node)
		err = ENOENT;
	if (err == 0)
		*out = spot.node;
	return err;
}
