#include "core/sftp/remote.h"

#include <stdlib.h>
#include <string.h>

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
	free(handle->rest);
	handle->rest = NULL;
	handle->rest_len = 0;
	handle->queued = 0;
	handle->generation++;
	handle->state = RHANDLE_FREE;
	handle->next_free = remote->free_handle;
	remote->free_handle = index;
}

bool remote_handle_drop_twin(struct csftp_remote *remote, uint32_t index)
{
	const struct remote_handle *handle = &remote->handles[index];

	for (uint32_t i = 0; i < remote->fresh_handle; i++) {
		const struct remote_handle *other = &remote->handles[i];

		if (i == index ||
		    (other->state != RHANDLE_OPEN &&
		     other->state != RHANDLE_ORPHAN) ||
		    other->len != handle->len ||
		    memcmp(other->bytes, handle->bytes, handle->len) != 0)
			continue;
		remote_handle_drop(remote, i);
		return true;
	}
	return false;
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
