#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/cache_impl.h"

/*
 * Requests as they are passed on, and the handles in them.
 */

struct cache_call *cache_call_new(struct cache *cache, struct csftp_req *up,
				  void (*after)(struct cache_call *,
						struct csftp_reply *))
{
	struct relay_job *job = relay_take(&cache->relay, up);
	struct cache_call *call = (struct cache_call *)job;

	if (!call)
		return NULL;
	memset(job + 1, 0, sizeof(*call) - sizeof(*job));
	call->cache = cache;
	call->after = after;
	call->since = cache->seq;
	return call;
}

void cache_call_hold(struct cache_node **place, struct cache_node *node)
{
	*place = node;
	if (node)
		cache_node_pin(node);
}

void cache_let_go(struct cache *cache, struct cache_node *node)
{
	if (node)
		cache_node_unpin(&cache->tree, node);
}

static void let_all_go(struct cache_call *call)
{
	cache_let_go(call->cache, call->node);
	cache_let_go(call->cache, call->dir);
	cache_let_go(call->cache, call->node2);
	cache_let_go(call->cache, call->dir2);
	free(call->path);
}

void cache_call_fail(struct cache_call *call, int err)
{
	let_all_go(call);
	relay_answer_err(&call->job, err);
}

static void call_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct cache_call *call = (struct cache_call *)req;
	struct csftp_reply out = *reply;
	struct csftp_attr shown;

	if (call->after)
		call->after(call, &out);
	/* Who is answered may ask again, by the same call. */
	if (out.attr == &call->attr) {
		shown = call->attr;
		out.attr = &shown;
	}
	cache_tree_trim(&call->cache->tree);
	cache_tree_cut(&call->cache->tree);
	let_all_go(call);
	relay_answer(&call->job, &out);
}

void cache_call_submit(struct cache_call *call)
{
	relay_ask(&call->job, call_done);
}

bool cache_handle_add(struct cache *cache, struct cache_handle *handle)
{
	handle->number = ++cache->last_handle;
	HASH_ADD(hh, cache->handles, number, sizeof(handle->number), handle);
	return handle->hh.tbl != NULL;
}

void cache_handle_remove(struct cache *cache, struct cache_handle *handle)
{
	HASH_DELETE(hh, cache->handles, handle);
}

struct cache_handle *cache_handle_of(struct cache *cache, csftp_fh number)
{
	struct cache_handle *handle = NULL;

	HASH_FIND(hh, cache->handles, &number, sizeof(number), handle);
	return handle;
}

/*
 * A directory that is read from memory has no handle below, but a path: an
 * errno if that is gone.
 */
static int path_of_handle(struct cache_call *call,
			  const struct cache_handle *handle)
{
	enum csftp_op op = call->job.req.op;

	if (op != CSFTP_OP_GETATTR && op != CSFTP_OP_SETATTR &&
	    op != CSFTP_OP_STATFS)
		return EBADF;
	if (!handle->node->parent && handle->node != &call->cache->tree.root)
		return ESTALE;
	call->path = malloc(CSFTP_PATH_MAX + 1);
	if (!call->path)
		return ENOMEM;
	if (!cache_path_of(handle->node, call->path))
		return ENAMETOOLONG;
	call->job.req.path = call->path;
	return 0;
}

bool cache_call_lower(struct cache_call *call)
{
	struct cache *cache = call->cache;
	struct csftp_req *low = &call->job.req;
	struct cache_handle *handle;
	struct cache_handle *to;
	int err = 0;

	if (low->path || low->op == CSFTP_OP_IDNAME)
		return true;
	handle = cache_handle_of(cache, low->fh);
	to = low->op == CSFTP_OP_COPY_RANGE ? cache_handle_of(cache, low->fh2)
					    : handle;
	if (!handle || !to) {
		err = EBADF;
	} else if (handle->dir && handle->dir->from_memory) {
		err = path_of_handle(call, handle);
	} else {
		low->fh = handle->fh;
		low->fh2 = to->fh;
	}
	call->handle = handle;
	if (!err)
		return true;
	cache_call_fail(call, err);
	return false;
}
