#include <stdlib.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * What a file is, is asked for so long after it was opened, or changed: many
 * are closed before that, and need not be known.
 */
#define LOOK_OPENED_MS	100U
#define LOOK_CHANGED_MS 1000U

static uint64_t survive_hash(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3U;
	/* Names that differ in the last byte only differ everywhere. */
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93U;
	return hash ^ hash >> 32;
}

struct survive_node *survive_node_find(const struct survive *survive,
				       const char *path)
{
	uint64_t hash = survive_hash(path, strlen(path));
	struct survive_node *node = survive->nodes;

	while (node && (node->nameless || node->replaced ||
			node->hash != hash || strcmp(node->path, path) != 0))
		node = node->next;
	return node;
}

static struct survive_node *node_make(struct survive *survive, const char *path)
{
	struct survive_node *node = survive_node_find(survive, path);
	size_t len = strlen(path);

	if (node) {
		node->refs++;
		return node;
	}
	node = calloc(1, sizeof(*node));
	if (node)
		node->path = malloc(len + 1);
	if (!node || !node->path) {
		free(node);
		return NULL;
	}
	memcpy(node->path, path, len + 1);
	node->hash = survive_hash(path, len);
	node->refs = 1;
	node->next = survive->nodes;
	survive->nodes = node;
	return node;
}

void survive_node_put(struct survive *survive, struct survive_node *node)
{
	struct survive_node **at = &survive->nodes;

	if (--node->refs > 0)
		return;
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	free(node->path);
	free(node);
}

void survive_node_begin(struct survive_node *node)
{
	node->changes++;
	node->changing++;
	node->known = false;
}

static void look_later(struct survive *survive, struct survive_node *node,
		       uint32_t ms)
{
	node->look_at_ms = survive->config.now_ms(survive->config.arg) + ms;
	if (!survive->next_look_ms || node->look_at_ms < survive->next_look_ms)
		survive->next_look_ms = node->look_at_ms;
}

void survive_node_end(struct survive *survive, struct survive_node *node)
{
	node->changes++;
	if (--node->changing == 0)
		look_later(survive, node, LOOK_CHANGED_MS);
}

void survive_node_saw(struct survive_node *node, const struct csftp_attr *attr)
{
	node->seen = *attr;
	node->known = true;
	node->look_at_ms = 0;
	if (attr->mask & CSFTP_ATTR_SIZE)
		node->size = attr->size;
}

/* What is known of the file, and will not be so any more. */
void survive_node_set(struct survive_node *node, const struct csftp_attr *attr)
{
	const uint32_t owner = CSFTP_ATTR_UID | CSFTP_ATTR_GID;

	if (attr->mask & owner)
		node->seen.mask &= ~owner;
	if (!(attr->mask & CSFTP_ATTR_SIZE))
		return;
	if (attr->size < node->size)
		node->size = attr->size;
	survive_same_forget(node, attr->size, UINT64_MAX);
}

/* The rest of path behind the directory top; NULL: it is not below. */
static const char *below(const char *path, const char *top)
{
	size_t len = strlen(top);

	if (strncmp(path, top, len) != 0)
		return NULL;
	return path[len] == '\0' || path[len] == '/' ? path + len : NULL;
}

void survive_forget_old(struct survive *survive)
{
	while (survive->old) {
		struct survive_old *old = survive->old;

		survive->old = old->next;
		free(old->path);
		free(old);
	}
}

static void node_move(struct survive *survive, struct survive_node *node,
		      const char *to, const char *rest)
{
	size_t to_len = strlen(to);
	size_t rest_len = strlen(rest);
	struct survive_old *old = malloc(sizeof(*old));
	char *path = malloc(to_len + rest_len + 1);

	/* Without memory it works on, as long as the connection lives. */
	if (!path || !old) {
		free(path);
		free(old);
		node->nameless = true;
		return;
	}
	memcpy(path, to, to_len);
	memcpy(path + to_len, rest, rest_len + 1);
	*old = (struct survive_old){.next = survive->old, .path = node->path};
	survive->old = old;
	if (survive->phase == 0)
		survive_forget_old(survive);
	node->path = path;
	node->hash = survive_hash(path, to_len + rest_len);
}

void survive_renamed(struct survive *survive, const char *from, const char *to)
{
	struct survive_node *node;

	if (strcmp(from, to) == 0)
		return;
	survive_removed(survive, to);
	for (node = survive->nodes; node; node = node->next) {
		const char *rest =
			node->nameless ? NULL : below(node->path, from);

		if (rest)
			node_move(survive, node, to, rest);
	}
}

void survive_removed(struct survive *survive, const char *path)
{
	struct survive_node *node = survive_node_find(survive, path);

	if (node)
		node->nameless = true;
}

void survive_heard(struct survive *survive, const struct csftp_req *req)
{
	struct survive_node *node = survive_node_find(survive, req->path);

	if (req->op == CSFTP_OP_RENAME) {
		survive_renamed(survive, req->path, req->path2);
	} else if (!node) {
		return;
	} else if (req->op == CSFTP_OP_UNLINK) {
		node->nameless = true;
	} else if (req->op == CSFTP_OP_LINK) {
		node->linked = true;
	} else if (req->op == CSFTP_OP_SETATTR) {
		survive_node_begin(node);
		survive_node_set(node, req->attr);
		survive_node_end(survive, node);
	}
}

struct survive_file *survive_file_new(struct survive *survive,
				      const struct csftp_req *open)
{
	struct survive_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->node = node_make(survive, open->path);
	if (!file->node) {
		free(file);
		return NULL;
	}
	file->beside = file->node->files;
	file->node->files = file;
	file->survive = survive;
	file->look.file = file;
	file->is_dir = open->op == CSFTP_OP_OPENDIR;
	file->flags = open->flags;
	file->holds = 1;
	return file;
}

void survive_file_hold(struct survive_file *file)
{
	file->holds++;
}

static void unlist(struct survive_file *file)
{
	if (!file->listed)
		return;
	file->listed = false;
	if (file->prev)
		file->prev->next = file->next;
	else
		file->survive->files = file->next;
	if (file->next)
		file->next->prev = file->prev;
}

static void leave_node(struct survive_file *file)
{
	struct survive_file **at = &file->node->files;

	while (*at != file)
		at = &(*at)->beside;
	*at = file->beside;
	survive_node_put(file->survive, file->node);
}

void survive_file_put(struct survive_file *file)
{
	if (--file->holds > 0)
		return;
	unlist(file);
	leave_node(file);
	free(file->names.hash);
	free(file->samples);
	free(file->tail);
	free(file);
}

/* It is open: from now on it outlives connections. */
void survive_file_list(struct survive_file *file)
{
	struct survive *survive = file->survive;

	file->listed = true;
	file->prev = NULL;
	file->next = survive->files;
	if (file->next)
		file->next->prev = file;
	survive->files = file;
	if (!file->is_dir && !file->node->known && file->node->changing == 0)
		look_later(survive, file->node, LOOK_OPENED_MS);
}

void survive_names_add(struct survive_names *names,
		       const struct csftp_slice *name)
{
	if (names->count == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 64;
		uint64_t *more = realloc(names->hash, cap * sizeof(*more));

		if (!more) {
			names->broken = true;
			return;
		}
		names->hash = more;
		names->cap = cap;
	}
	names->hash[names->count++] = survive_hash(name->ptr, name->len);
}

bool survive_names_has(const struct survive_names *names,
		       const struct csftp_slice *name)
{
	uint64_t hash;
	size_t low = 0;
	size_t high = names->sorted;

	if (high == 0)
		return false;
	hash = survive_hash(name->ptr, name->len);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->hash[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < names->sorted && names->hash[low] == hash;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

void survive_names_settle(struct survive_names *names)
{
	if (names->count > 0)
		qsort(names->hash, names->count, sizeof(*names->hash), compare);
	names->sorted = names->count;
}

/* Appends that were answered since do not show in the answer's size. */
static void looked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_look *look = (struct survive_look *)req;
	struct survive_file *file = look->file;
	struct survive_node *node = file->node;
	const struct csftp_attr *attr = reply->attr;

	look->out = false;
	if (!reply->err && attr && node->changes == look->changes &&
	    node->changing == 0)
		survive_node_saw(node, attr);
	else if (!reply->err && attr && (attr->mask & CSFTP_ATTR_SIZE) &&
		 (file->flags & CSFTP_OPEN_APPEND))
		node->size = attr->size + node->appended - look->appended;
	survive_file_put(file);
}

void survive_look(struct survive_file *file)
{
	struct survive_look *look = &file->look;

	if (look->out)
		return;
	look->out = true;
	look->changes = file->node->changes;
	look->appended = file->node->appended;
	look->req = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.done = looked,
		.path = file->listed ? NULL : file->node->path,
		.fh = file->low,
	};
	survive_file_hold(file);
	csftp_submit(file->survive->relay.under, &look->req);
}
