/*
 * READ without copying: the pages of a file are lent to the pipe that the asker
 * offers, and are read only when the client takes them off its stream.
 *
 * A write that comes in between shows in them.  Of other processes that is no
 * more than a READ that was served a little later.  But requests of one client
 * for one file must be served in their order (filexfer-02, 6.1): a WRITE must
 * not be seen by a READ sent before it.  So no page is lent of a file that is
 * open to write here.  That is enough: a client cannot write before it has the
 * handle for it, and has taken all that was sent before that off its stream.
 * What remains is the change of a size by path, without a handle: what was
 * lent and then cut off within a page can read as zeros.
 */
#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "csftp/stream.h"

static void identify(struct posixfs_handle *handle)
{
	struct stat st = {0};

	if (handle->whole.known)
		return;
	handle->whole.known = true;
	/* Files that do not know their size, as in /proc, are better copied. */
	handle->whole.regular = fstat(handle->fd, &st) == 0 &&
				S_ISREG(st.st_mode) && st.st_size > 0;
	handle->whole.dev = st.st_dev;
	handle->whole.ino = st.st_ino;
}

/* Whether a handle writes the file of this one, perhaps by its other name. */
static bool is_written(const struct posixfs *px,
		       const struct posixfs_handle *handle)
{
	for (uint32_t i = 0; i < px->handle_fresh; i++) {
		struct posixfs_handle *other = &px->handle[i];

		if (other->fd < 0 || !(other->flags & CSFTP_OPEN_WRITE))
			continue;
		identify(other);
		if (other->whole.dev == handle->whole.dev &&
		    other->whole.ino == handle->whole.ino)
			return true;
	}
	return false;
}

static bool lends(const struct posixfs *px, struct posixfs_handle *handle)
{
	struct posixfs_whole *whole = &handle->whole;

	if (whole->writers == px->writers)
		return whole->lends;
	identify(handle);
	whole->lends = whole->regular && !is_written(px, handle);
	whole->writers = px->writers;
	return whole->lends;
}

/* As much of len as there is; negative, and nothing moved, for an error. */
static ssize_t splice_all(int fd, off_t off, int to, size_t len)
{
	size_t moved = 0;
	ssize_t got;

	do {
		got = splice(fd, &off, to, NULL, len - moved,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (got > 0)
			moved += (size_t)got;
	} while (moved < len && (got > 0 || (got < 0 && errno == EINTR)));
	return moved > 0 ? (ssize_t)moved : got;
}

bool posixfs_read_piped(struct posixfs *px, struct csftp_req *req)
{
	struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct csftp_reply reply = {0};
	ssize_t got;

	if (req->off > INT64_MAX - req->len || !lends(px, handle) ||
	    req->len > csftp_pipe_room(req->pipe))
		return false;
	got = splice_all(handle->fd, (off_t)req->off, req->pipe->wfd,
			 (size_t)req->len);
	if (got < 0) {
		/* A file system that cannot, or an error that read(2) finds. */
		handle->whole.lends = false;
		return false;
	}
	reply.data.len = (size_t)got;
	reply.eof = got == 0;
	csftp_reply(req, &reply);
	return true;
}
