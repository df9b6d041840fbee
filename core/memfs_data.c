#include "core/memfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a hole reads as, in pieces of this size. */
static const uint8_t zeros[64 * 1024];

/* The smallest buffer, so that tiny appends do not copy each time. */
#define MEM_BUF_MIN 64U

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The first chunk whose index is not below `index`; may be the count. */
static size_t chunk_search(const struct mem_file *file, uint64_t index)
{
	size_t low = 0;
	size_t high = file->count;

	if (high > 0 && file->chunk[high - 1].index < index)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (file->chunk[mid].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* NULL: a hole. */
static struct mem_chunk *chunk_find(const struct mem_file *file, uint64_t index)
{
	size_t at = chunk_search(file, index);

	if (at == file->count || file->chunk[at].index != index)
		return NULL;
	return &file->chunk[at];
}

static int chunk_make(struct mem_chunk **out, struct mem_file *file,
		      uint64_t index)
{
	size_t at = chunk_search(file, index);

	if (at == file->count || file->chunk[at].index != index) {
		if (file->count == file->cap) {
			size_t cap = file->cap > 0 ? 2 * file->cap : 1;
			struct mem_chunk *chunk = realloc(
				file->chunk, cap * sizeof(*file->chunk));

			if (!chunk)
				return ENOMEM;
			file->chunk = chunk;
			file->cap = cap;
		}
		memmove(&file->chunk[at + 1], &file->chunk[at],
			(file->count - at) * sizeof(*file->chunk));
		file->chunk[at] = (struct mem_chunk){.index = index};
		file->count++;
	}
	*out = &file->chunk[at];
	return 0;
}

/* Room for the chunk's first `need` bytes.  len does not change. */
static int chunk_room(struct mem_fs *mem, struct mem_chunk *chunk, size_t need)
{
	size_t cap = chunk->buf ? chunk->buf->cap : 0;
	struct mem_buf *buf;

	if (need <= cap)
		return 0;
	cap = cap < MEM_BUF_MIN / 2 ? MEM_BUF_MIN : 2 * cap;
	if (cap < need)
		cap = need;
	if (cap > MEM_CHUNK)
		cap = MEM_CHUNK;
	buf = mem_buf_new(cap);
	if (!buf)
		return ENOMEM;
	if (chunk->buf) {
		memcpy(buf->bytes, chunk->buf->bytes, chunk->len);
		mem_dispose(mem, &chunk->buf->dead);
	}
	chunk->buf = buf;
	return 0;
}

struct csftp_slice mem_data_read(const struct mem_node *node, uint64_t off,
				 uint64_t len, bool *eof)
{
	const struct mem_chunk *chunk;
	struct csftp_slice data = {0};
	size_t start = (size_t)(off % MEM_CHUNK);

	/* Zero bytes come only with eof, also where none were asked for. */
	*eof = off >= node->size || len == 0;
	if (*eof)
		return data;
	len = min_u64(len, node->size - off);
	len = min_u64(len, MEM_CHUNK - start);
	chunk = chunk_find(&node->file, off / MEM_CHUNK);
	if (chunk && start < chunk->len) {
		data.ptr = chunk->buf->bytes + start;
		data.len = (size_t)min_u64(len, chunk->len - start);
	} else {
		data.ptr = zeros;
		data.len = (size_t)min_u64(len, sizeof(zeros));
	}
	*eof = off + data.len == node->size;
	return data;
}

/* Makes the chunks of a range and their room, so that put() cannot fail. */
static int reserve(struct mem_fs *mem, struct mem_node *node, uint64_t off,
		   uint64_t end)
{
	uint64_t growth = 0;

	for (uint64_t at = off; at < end;) {
		struct mem_chunk *chunk;
		uint64_t start = at - at % MEM_CHUNK;
		size_t need = (size_t)min_u64(end - start, MEM_CHUNK);
		int err = chunk_make(&chunk, &node->file, at / MEM_CHUNK);

		if (err == 0 && need > chunk->len)
			growth += need - chunk->len;
		if (err == 0 && growth > mem->config.max_bytes - mem->bytes)
			err = ENOSPC;
		if (err == 0)
			err = chunk_room(mem, chunk, need);
		if (err != 0)
			return err;
		at = start + MEM_CHUNK;
	}
	return 0;
}

/* Part of one chunk, which has room for it. */
static void put(struct mem_fs *mem, struct mem_node *node, uint64_t off,
		struct csftp_slice data)
{
	struct mem_chunk *chunk = chunk_find(&node->file, off / MEM_CHUNK);
	size_t start = (size_t)(off % MEM_CHUNK);

	if (start > chunk->len)
		memset(chunk->buf->bytes + chunk->len, 0, start - chunk->len);
	/* A reply of ours that is written back may lie in this very place. */
	memmove(chunk->buf->bytes + start, data.ptr, data.len);
	if (start + data.len > chunk->len) {
		mem->bytes += start + data.len - chunk->len;
		chunk->len = start + data.len;
	}
}

int mem_data_write(struct mem_fs *mem, struct mem_node *node, uint64_t off,
		   struct csftp_slice data)
{
	const uint8_t *from = data.ptr;
	uint64_t end;
	int err;

	if (off > MEM_SIZE_MAX || data.len > MEM_SIZE_MAX - off)
		return EFBIG;
	end = off + data.len;
	err = reserve(mem, node, off, end);
	if (err != 0)
		return err;
	while (off < end) {
		uint64_t len = min_u64(end - off, MEM_CHUNK - off % MEM_CHUNK);

		put(mem, node, off, (struct csftp_slice){from, (size_t)len});
		from += len;
		off += len;
	}
	if (data.len > 0 && end > node->size)
		node->size = end;
	return 0;
}

int mem_data_resize(struct mem_fs *mem, struct mem_node *node, uint64_t size)
{
	struct mem_file *file = &node->file;

	if (size > MEM_SIZE_MAX)
		return EFBIG;
	while (file->count > 0) {
		struct mem_chunk *last = &file->chunk[file->count - 1];
		uint64_t start = last->index * MEM_CHUNK;

		if (start < size) {
			size_t keep = (size_t)min_u64(size - start, last->len);

			mem->bytes -= last->len - keep;
			last->len = keep;
			break;
		}
		mem->bytes -= last->len;
		if (last->buf)
			mem_dispose(mem, &last->buf->dead);
		file->count--;
	}
	node->size = size;
	return 0;
}

/* From off, in a hole or the zeros that end a chunk, to the next chunk. */
static uint64_t to_next_chunk(const struct mem_file *file, uint64_t off)
{
	size_t at = chunk_search(file, off / MEM_CHUNK + 1);

	return at < file->count ? file->chunk[at].index * MEM_CHUNK - off
				: UINT64_MAX;
}

/* Zeros without memory for them: what is there is cleared, no more. */
static void wipe(struct mem_node *node, uint64_t off, uint64_t len)
{
	while (len > 0) {
		struct mem_chunk *chunk =
			chunk_find(&node->file, off / MEM_CHUNK);
		size_t start = (size_t)(off % MEM_CHUNK);
		uint64_t part = min_u64(len, to_next_chunk(&node->file, off));

		if (chunk && start < chunk->len)
			memset(chunk->buf->bytes + start, 0,
			       (size_t)min_u64(part, chunk->len - start));
		off += part;
		len -= part;
	}
	if (off > node->size)
		node->size = off;
}

int mem_data_copy(struct mem_fs *mem, const struct csftp_req *range,
		  struct mem_node *from, struct mem_node *to)
{
	uint64_t done = 0;
	int err = 0;

	if (range->off2 > MEM_SIZE_MAX ||
	    range->len > MEM_SIZE_MAX - range->off2)
		return EFBIG;
	/* Within one file, growing a buffer must not free what is read. */
	mem_lend(mem);
	while (err == 0 && done < range->len) {
		bool eof;
		struct csftp_slice part = mem_data_read(
			from, range->off + done, range->len - done, &eof);

		if (part.len == 0)
			break;
		/* A hole can be too long to go through it byte by byte. */
		if (part.ptr == zeros) {
			part.len = min_u64(
				range->len - done,
				to_next_chunk(&from->file, range->off + done));
			wipe(to, range->off2 + done, part.len);
		} else {
			err = mem_data_write(mem, to, range->off2 + done, part);
		}
		done += part.len;
	}
	mem_return(mem);
	return err;
}
