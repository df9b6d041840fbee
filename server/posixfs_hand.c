/*
 * A hand: a struct posixfs that has the root, the views and the modes of the
 * one that it works for, and for one request its handles.  So an operation is
 * the same code in either thread, and finds nothing there that both could
 * change.
 */
#include "server/posixfs_impl.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two that the request names, or one that it brings. */
enum { HANDLES = 2 };

struct hand {
	struct posixfs px; /* first */
	struct posixfs_handle handle[HANDLES];
};

size_t posixfs_hand_size(void)
{
	return sizeof(struct hand);
}

/* What is large of it is not touched before it is used. */
struct csftp_fs *posixfs_hand_init(void *memory)
{
	struct hand *hand = memory;

	memset(memory, 0, offsetof(struct posixfs, idname));
	hand->px.fs.ops = &posixfs_ops;
	hand->px.fs.traits = CSFTP_FS_INLINE;
	hand->px.handle = hand->handle;
	hand->px.handle_count = hand->px.handle_free = HANDLES;
	return &hand->px.fs;
}

static void take_shape(struct posixfs *hand, const struct posixfs *px)
{
	hand->dirfd = px->dirfd;
	hand->start = px->start;
	hand->root = px->root;
	hand->proc_fds = px->proc_fds;
	hand->view = px->view;
	hand->view_count = px->view_count;
	hand->files = px->files;
	hand->dirs = px->dirs;
	hand->writers = 1;
}

/* What is closed is the hand's alone from now on. */
static int lend_handle(struct posixfs *hand, struct posixfs *px, csftp_fh *fh,
		       bool closes)
{
	struct posixfs_handle *handle = posixfs_handle_get(px, *fh);
	struct posixfs_handle copy;

	if (!handle)
		return EBADF;
	copy = *handle;
	if (closes) {
		(void)posixfs_handle_close(px, handle);
		copy.listing = NULL;
	}
	*fh = posixfs_handle_open(hand, &copy);
	return 0;
}

bool posixfs_by_handle(const struct csftp_req *req)
{
	switch (req->op) {
	case CSFTP_OP_GETATTR:
	case CSFTP_OP_SETATTR:
	case CSFTP_OP_STATFS:
		return !req->path;
	case CSFTP_OP_READ:
	case CSFTP_OP_WRITE:
	case CSFTP_OP_FSYNC:
	case CSFTP_OP_CLOSE:
	case CSFTP_OP_READDIR:
	case CSFTP_OP_COPY_RANGE:
	case CSFTP_OP_FLUSH:
		return true;
	case CSFTP_OP_READLINK:
	case CSFTP_OP_REALPATH:
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
	case CSFTP_OP_SYMLINK:
	case CSFTP_OP_LINK:
	case CSFTP_OP_RENAME:
	case CSFTP_OP_OPEN:
	case CSFTP_OP_OPENDIR:
	case CSFTP_OP_HOMEDIR:
	case CSFTP_OP_IDNAME:
	case CSFTP_OP_COUNT:
		break;
	}
	return false;
}

int posixfs_lend(struct csftp_fs *to, struct csftp_fs *from,
		 struct csftp_req *req)
{
	struct posixfs *hand = posixfs_of(to);
	struct posixfs *px = posixfs_of(from);
	int err = 0;

	take_shape(hand, px);
	if (posixfs_by_handle(req))
		err = lend_handle(hand, px, &req->fh,
				  req->op == CSFTP_OP_CLOSE);
	if (err == 0 && req->op == CSFTP_OP_COPY_RANGE)
		err = lend_handle(hand, px, &req->fh2, false);
	if (err == 0 &&
	    (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR) &&
	    !posixfs_handle_room(px))
		err = EMFILE;
	if (err != 0)
		posixfs_regain(to, from, NULL);
	return err;
}

/* All others may have been taken meanwhile. */
static void keep_handle(struct posixfs *hand, struct posixfs *px,
			struct csftp_reply *reply)
{
	struct posixfs_handle *handle = posixfs_handle_get(hand, reply->fh);

	if (!handle)
		return;
	if (posixfs_handle_room(px)) {
		reply->fh = posixfs_handle_open(px, handle);
		return;
	}
	close(handle->fd);
	free(handle->listing);
	*reply = (struct csftp_reply){.err = EMFILE};
}

void posixfs_regain(struct csftp_fs *from, struct csftp_fs *to,
		    struct csftp_reply *reply)
{
	struct posixfs *hand = posixfs_of(from);

	if (reply && reply->err == 0 && reply->fh != 0)
		keep_handle(hand, posixfs_of(to), reply);
	/* Those that were lent are not closed here. */
	hand->handle_free = HANDLES;
	hand->handle_fresh = 0;
}
