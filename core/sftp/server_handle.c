#include "core/sftp/server.h"

bool serve_handle_keep(struct csftp_serve *serve, uint32_t *index)
{
	struct serve_handle *handle;

	if (serve->free_handle != serve->config.handles) {
		*index = serve->free_handle;
		handle = &serve->handles[*index];
		serve->free_handle = handle->next_free;
	} else if (serve->fresh_handle < serve->config.handles) {
		*index = serve->fresh_handle++;
		handle = &serve->handles[*index];
		*handle = (struct serve_handle){.generation = 0};
	} else {
		return false;
	}
	handle->state = HANDLE_KEPT;
	return true;
}

void serve_handle_open(struct csftp_serve *serve, uint32_t index, csftp_fh fh)
{
	serve->handles[index].fh = fh;
	serve->handles[index].state = HANDLE_OPEN;
}

void serve_handle_inside(struct csftp_serve *serve, uint32_t index, csftp_fh fh)
{
	serve->handles[index].fh = fh;
	serve->handles[index].state = HANDLE_INSIDE;
}

void serve_handle_empty(struct csftp_serve *serve, uint32_t index)
{
	serve->handles[index].state = HANDLE_KEPT;
}

void serve_handle_drop(struct csftp_serve *serve, uint32_t index)
{
	struct serve_handle *handle = &serve->handles[index];

	handle->generation++;
	handle->state = HANDLE_FREE;
	handle->next_free = serve->free_handle;
	serve->free_handle = index;
}

bool serve_handle_find(const struct csftp_serve *serve,
		       struct wire_bytes handle, uint32_t *index)
{
	uint32_t i;

	if (handle.len != SERVE_HANDLE_LEN)
		return false;
	i = wire_get_u32(handle.ptr);
	if (i >= serve->fresh_handle ||
	    serve->handles[i].state != HANDLE_OPEN ||
	    serve->handles[i].generation != wire_get_u32(handle.ptr + 4))
		return false;
	*index = i;
	return true;
}

void serve_handle_name(const struct csftp_serve *serve, uint32_t index,
		       uint8_t name[SERVE_HANDLE_LEN])
{
	wire_put_u32(name, index);
	wire_put_u32(name + 4, serve->handles[index].generation);
}
