#include "core/sftp/remote.h"

#include <stdlib.h>
#include <string.h>

/* The largest prime below 2^32. */
#define KEY_PRIME 4294967291U

/*
 * The key is where memory lies, which the server does not know: so it cannot
 * choose names that all come into one bucket.  One that can makes an OPEN cost
 * as much as a look at all that are open.
 */
bool remote_handles_init(struct csftp_remote *remote)
{
	uint32_t buckets = 1;

	while (buckets < remote->config.handles)
		buckets *= 2;
	remote->handles =
		calloc(remote->config.handles, sizeof(*remote->handles));
	remote->called = calloc(buckets, sizeof(*remote->called));
	remote->free_handle = remote->config.handles;
	remote->called_mask = buckets - 1;
	remote->called_key =
		(uint32_t)(((uintptr_t)remote->handles >> 4) % KEY_PRIME);
	return remote->handles && remote->called;
}

void remote_handles_release(struct csftp_remote *remote)
{
	for (uint32_t i = 0; i < remote->fresh_handle; i++)
		free(remote->handles[i].rest);
	free(remote->handles);
	free(remote->called);
}

/* A polynomial of the key, whose coefficients are the bytes. */
static uint32_t *bucket(const struct csftp_remote *remote, const uint8_t *name,
			size_t len)
{
	uint64_t hash = len;

	for (size_t i = 0; i < len; i++)
		hash = (hash * remote->called_key + name[i]) % KEY_PRIME;
	return &remote->called[hash & remote->called_mask];
}

static bool is_called(const struct remote_handle *handle,
		      struct wire_bytes name)
{
	return handle->len == name.len &&
	       (name.len == 0 ||
		memcmp(handle->bytes, name.ptr, name.len) == 0);
}

static void forget_name(struct csftp_remote *remote, uint32_t index)
{
	const struct remote_handle *handle = &remote->handles[index];
	uint32_t *link = bucket(remote, handle->bytes, handle->len);

	while (*link != index + 1)
		link = &remote->handles[*link - 1].next_called;
	*link = handle->next_called;
}

/* Fresh ones come last, so that a table never filled is never touched. */
bool remote_handle_keep(struct csftp_remote *remote, uint32_t *index)
{
	uint32_t i = remote->free_handle;

	if (i != remote->config.handles)
		remote->free_handle = remote->handles[i].next_free;
	else if (remote->fresh_handle < remote->config.handles)
		i = remote->fresh_handle++;
	else
		return false;
	remote->handles[i].state = RHANDLE_KEPT;
	*index = i;
	return true;
}

void remote_handle_drop(struct csftp_remote *remote, uint32_t index)
{
	struct remote_handle *handle = &remote->handles[index];

	if (handle->state == RHANDLE_ORPHAN)
		remote->orphans--;
	if (handle->state != RHANDLE_KEPT)
		forget_name(remote, index);
	free(handle->rest);
	handle->rest = NULL;
	handle->rest_len = 0;
	handle->queued = 0;
	handle->generation++;
	handle->state = RHANDLE_FREE;
	handle->next_free = remote->free_handle;
	remote->free_handle = index;
}

bool remote_handle_call(struct csftp_remote *remote, uint32_t index,
			struct wire_bytes name)
{
	struct remote_handle *handle = &remote->handles[index];
	uint32_t *first = bucket(remote, name.ptr, name.len);
	uint32_t twin = *first;

	while (twin > 0 && !is_called(&remote->handles[twin - 1], name))
		twin = remote->handles[twin - 1].next_called;
	if (twin > 0)
		remote_handle_drop(remote, twin - 1);
	handle->len = (uint32_t)name.len;
	if (name.len > 0)
		memcpy(handle->bytes, name.ptr, name.len);
	handle->next_called = *first;
	*first = index + 1;
	return twin > 0;
}

csftp_fh remote_handle_fh(const struct csftp_remote *remote, uint32_t index)
{
	return (csftp_fh)remote->handles[index].generation << 32 | index;
}

bool remote_handle_find(const struct csftp_remote *remote, csftp_fh fh,
			uint32_t *index)
{
	uint32_t i = (uint32_t)fh;

	if (i >= remote->fresh_handle ||
	    remote->handles[i].state != RHANDLE_OPEN ||
	    remote->handles[i].generation != fh >> 32)
		return false;
	*index = i;
	return true;
}
