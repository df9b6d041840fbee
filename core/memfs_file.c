#include "core/memfs.h"

#include <errno.h>
#include <stdlib.h>

#define MEM_SLOTS 16U

/* fh: the slot's index below, its generation above. */
static struct mem_slot *slot_of(const struct mem_fs *mem, csftp_fh fh)
{
	uint32_t index = (uint32_t)fh;

	if (index >= mem->slot_count || !mem->slot[index].handle ||
	    mem->slot[index].generation != (uint32_t)(fh >> 32))
		return NULL;
	return &mem->slot[index];
}

struct mem_handle *mem_handle_get(const struct mem_fs *mem, csftp_fh fh)
{
	const struct mem_slot *slot = slot_of(mem, fh);

	return slot ? slot->handle : NULL;
}

static int slots_grow(struct mem_fs *mem)
{
	uint32_t count = mem->slot_count > 0 ? 2 * mem->slot_count : MEM_SLOTS;
	struct mem_slot *slot;

	if (count > MEM_HANDLES_MAX)
		return EMFILE;
	slot = realloc(mem->slot, count * sizeof(*slot));
	if (!slot)
		return ENOMEM;
	for (uint32_t i = mem->slot_count; i < count; i++)
		slot[i] =
			(struct mem_slot){.generation = 1, .next_free = i + 1};
	mem->slot = slot;
	mem->slot_free = mem->slot_count;
	mem->slot_count = count;
	return 0;
}

static void peers_join(struct mem_handle *handle)
{
	struct mem_dir *dir = &handle->node->dir;

	handle->peer_next = dir->handles;
	if (dir->handles)
		dir->handles->peer_prev = handle;
	dir->handles = handle;
}

static void peers_leave(struct mem_handle *handle)
{
	if (handle->peer_prev)
		handle->peer_prev->peer_next = handle->peer_next;
	else
		handle->node->dir.handles = handle->peer_next;
	if (handle->peer_next)
		handle->peer_next->peer_prev = handle->peer_prev;
}

static int mem_handle_open(csftp_fh *out, struct mem_fs *mem,
			   struct mem_node *node, uint32_t flags)
{
	struct mem_handle *handle;
	struct mem_slot *slot;
	int err = 0;

	if (mem->slot_free == mem->slot_count)
		err = slots_grow(mem);
	if (err != 0)
		return err;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return ENOMEM;
	handle->node = node;
	handle->flags = flags;
	handle->seq_end = mem->next_seq;
	if (mem_is_dir(node)) {
		handle->at = node->dir.first;
		peers_join(handle);
	}
	node->opens++;
	slot = &mem->slot[mem->slot_free];
	slot->handle = handle;
	*out = (csftp_fh)slot->generation << 32 | mem->slot_free;
	mem->slot_free = slot->next_free;
	return 0;
}

static bool mem_handle_close(struct mem_fs *mem, csftp_fh fh)
{
	struct mem_slot *slot = slot_of(mem, fh);
	struct mem_handle *handle;

	if (!slot)
		return false;
	handle = slot->handle;
	slot->handle = NULL;
	slot->generation++;
	slot->next_free = mem->slot_free;
	mem->slot_free = (uint32_t)fh;
	if (mem_is_dir(handle->node))
		peers_leave(handle);
	handle->node->opens--;
	mem_node_put(mem, handle->node);
	free(handle);
	return true;
}

void mem_handle_skip(const struct mem_entry *entry)
{
	struct mem_handle *handle = entry->dir->dir.handles;

	for (; handle; handle = handle->peer_next)
		if (handle->at == entry)
			handle->at = entry->next;
}

/* The file behind fh, opened so that what `need` says is allowed. */
static int file_get(struct mem_handle **out, const struct mem_fs *mem,
		    csftp_fh fh, uint32_t need)
{
	struct mem_handle *handle = mem_handle_get(mem, fh);

	if (!handle || (handle->flags & need) == 0)
		return EBADF;
	*out = handle;
	return 0;
}

static int create(struct mem_node **out, struct mem_fs *mem,
		  const struct mem_spot *spot, const struct csftp_req *req)
{
	struct mem_node *node;
	int err;

	if (spot->slash)
		return EISDIR;
	err = mem_node_new(&node, mem, CSFTP_S_IFREG | mem_new_mode(req, 0644));
	if (err != 0)
		return err;
	err = mem_entry_add(mem, spot->dir, spot->name, node);
	if (err != 0)
		mem_node_put(mem, node);
	else
		*out = node;
	return err;
}

static int open_there(const struct mem_spot *spot, uint32_t flags)
{
	uint32_t changes =
		CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC;

	if ((flags & CSFTP_OPEN_CREAT) && (flags & CSFTP_OPEN_EXCL))
		return EEXIST;
	if (mem_is_dir(spot->node) && (flags & changes))
		return EISDIR;
	return 0;
}

/* What can only be asked for together (as posixfs has it). */
static bool flags_valid(uint32_t flags)
{
	if (!(flags & (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)))
		return false;
	return (flags & CSFTP_OPEN_WRITE) || !(flags & CSFTP_OPEN_TRUNC);
}

static int open_path(csftp_fh *out, struct mem_fs *mem,
		     const struct csftp_req *req)
{
	uint32_t flags = req->flags;
	bool fresh = (flags & CSFTP_OPEN_CREAT) && (flags & CSFTP_OPEN_EXCL);
	struct mem_spot spot;
	struct mem_node *node;
	bool made;
	int err;

	if (!flags_valid(flags))
		return EINVAL;
	err = mem_walk(&spot, mem, req->path, fresh ? MEM_PARENT : MEM_FOLLOW);
	if (err != 0)
		return err;
	node = spot.node;
	made = !node && (flags & CSFTP_OPEN_CREAT);
	if (node)
		err = open_there(&spot, flags);
	else
		err = made ? create(&node, mem, &spot, req) : ENOENT;
	if (err != 0)
		return err;
	err = mem_handle_open(out, mem, node, flags);
	if (err != 0 && made)
		mem_entry_remove(mem, mem_entry_find(mem, spot.dir, spot.name));
	if (err == 0 && (flags & CSFTP_OPEN_TRUNC)) {
		node->mtime = mem_now(mem);
		err = mem_data_resize(mem, node, 0);
	}
	return err;
}

void mem_op_open(struct csftp_fs *fs, struct csftp_req *req)
{
	csftp_fh fh;
	int err = open_path(&fh, mem_of(fs), req);

	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_fh(req, fh);
}

void mem_op_read(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct csftp_reply reply = {0};
	struct mem_handle *handle;

	reply.err = file_get(&handle, mem, req->fh, CSFTP_OPEN_READ);
	if (reply.err == 0 && mem_is_dir(handle->node))
		reply.err = EISDIR;
	if (reply.err == 0)
		reply.data = mem_data_read(handle->node, req->off, req->len,
					   &reply.eof);
	mem_lend(mem);
	csftp_reply(req, &reply);
	mem_return(mem);
}

void mem_op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct csftp_slice data = {req->data, (size_t)req->len};
	struct mem_handle *handle;
	uint64_t off = req->off;
	int err = file_get(&handle, mem, req->fh, CSFTP_OPEN_WRITE);

	if (err == 0 && (handle->flags & CSFTP_OPEN_APPEND))
		off = handle->node->size;
	if (err == 0 && off > MEM_SIZE_MAX)
		err = EINVAL;
	if (err == 0)
		err = mem_data_write(mem, handle->node, off, data);
	if (err == 0 && data.len > 0)
		handle->node->mtime = mem_now(mem);
	csftp_reply_err(req, err);
}

void mem_op_fsync(struct csftp_fs *fs, struct csftp_req *req)
{
	csftp_reply_err(req, mem_handle_get(mem_of(fs), req->fh) ? 0 : EBADF);
}

void mem_op_close(struct csftp_fs *fs, struct csftp_req *req)
{
	csftp_reply_err(req, mem_handle_close(mem_of(fs), req->fh) ? 0 : EBADF);
}

void mem_op_opendir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct mem_node *node;
	csftp_fh fh;
	int err = mem_lookup(&node, mem, req->path, MEM_FOLLOW);

	if (err == 0 && !mem_is_dir(node))
		err = ENOTDIR;
	if (err == 0)
		err = mem_handle_open(&fh, mem, node, 0);
	if (err != 0)
		csftp_reply_err(req, err);
	else
		csftp_reply_fh(req, fh);
}

/* The name that handle stands at; false at the end. */
static bool name_at(const struct mem_handle *handle, struct csftp_entry *out)
{
	const struct mem_node *node = handle->node;

	if (handle->node->nlink == 0)
		return false;
	switch (handle->stage) {
	case MEM_AT_DOT:
		out->name = (struct csftp_slice){".", 1};
		break;
	case MEM_AT_DOTDOT:
		out->name = (struct csftp_slice){"..", 2};
		node = node->dir.parent;
		break;
	case MEM_AT_NAMES:
		if (!handle->at || handle->at->seq >= handle->seq_end)
			return false;
		out->name = (struct csftp_slice){handle->at->name,
						 handle->at->name_len};
		node = handle->at->node;
		break;
	}
	out->attr = mem_attr(node);
	return true;
}

static void name_next(struct mem_handle *handle)
{
	switch (handle->stage) {
	case MEM_AT_DOT:
		handle->stage = MEM_AT_DOTDOT;
		break;
	case MEM_AT_DOTDOT:
		handle->stage = MEM_AT_NAMES;
		break;
	case MEM_AT_NAMES:
		handle->at = handle->at->next;
		break;
	}
}

/*
 * Steps on before it asks: entry() may remove the very name, or close the
 * handle.  A name that was refused is stepped back to, if it is still there.
 */
static bool offer(const struct mem_fs *mem, struct csftp_req *req,
		  const struct csftp_entry *name)
{
	struct mem_handle *handle = mem_handle_get(mem, req->fh);
	enum mem_stage stage = handle->stage;
	struct mem_entry *at = handle->at;
	struct csftp_slice text = name->name;
	bool taken;

	name_next(handle);
	taken = req->entry(req, name);
	handle = mem_handle_get(mem, req->fh);
	if (!taken && handle) {
		handle->stage = stage;
		if (stage == MEM_AT_NAMES &&
		    mem_entry_find(mem, handle->node, text) == at)
			handle->at = at;
	}
	return taken;
}

void mem_op_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct csftp_reply reply = {0};
	struct csftp_entry name = {0};
	bool more = true;

	mem_lend(mem);
	while (more && !reply.eof && reply.err == 0) {
		const struct mem_handle *handle = mem_handle_get(mem, req->fh);

		if (!handle || handle->flags != 0)
			reply.err = EBADF;
		else if (!name_at(handle, &name))
			reply.eof = true;
		else
			more = offer(mem, req, &name);
	}
	csftp_reply(req, &reply);
	mem_return(mem);
}

/* Cuts the range at the source's end. */
static int copy_check(struct csftp_req *range, const struct mem_node *from,
		      const struct mem_node *to)
{
	uint64_t left = 0;

	if (range->off > MEM_SIZE_MAX || range->off2 > MEM_SIZE_MAX)
		return EINVAL;
	if (mem_is_dir(from) || mem_is_dir(to))
		return EISDIR;
	if (range->off < from->size)
		left = from->size - range->off;
	if (range->len == 0 || range->len > left)
		range->len = left;
	if (from == to && range->len > 0 &&
	    range->off2 < range->off + range->len &&
	    (range->off2 >= range->off ||
	     range->off - range->off2 < range->len))
		return EINVAL;
	return 0;
}

void mem_op_copy_range(struct csftp_fs *fs, struct csftp_req *req)
{
	struct mem_fs *mem = mem_of(fs);
	struct csftp_reply reply = {0};
	struct csftp_req range = *req;
	struct mem_handle *from;
	struct mem_handle *to;

	reply.err = file_get(&from, mem, req->fh, CSFTP_OPEN_READ);
	if (reply.err == 0)
		reply.err = file_get(&to, mem, req->fh2, CSFTP_OPEN_WRITE);
	/* An offset has no meaning there, as for WRITE. */
	if (reply.err == 0 && (to->flags & CSFTP_OPEN_APPEND))
		range.off2 = to->node->size;
	if (reply.err == 0)
		reply.err = copy_check(&range, from->node, to->node);
	if (reply.err == 0)
		reply.err = mem_data_copy(mem, &range, from->node, to->node);
	if (reply.err == 0) {
		reply.count = range.len;
		to->node->mtime = mem_now(mem);
	}
	csftp_reply(req, &reply);
}
