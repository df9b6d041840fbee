#include "server/posixfs_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct posixfs_listing *listing_new(struct posixfs *px)
{
	struct posixfs_listing *listing = px->listings;

	if (listing)
		px->listings = listing->next;
	else
		listing = malloc(sizeof(*listing));
	if (!listing)
		return NULL;
	listing->len = 0;
	listing->used = 0;
	return listing;
}

void posixfs_opendir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle handle = {.fd = -1};
	int err = posixfs_handle_room(px) ? 0 : EMFILE;

	if (err == 0) {
		handle.fd = openat(px->dirfd, posixfs_at(req->path),
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = handle.fd < 0 ? errno : 0;
	}
	if (err != 0) {
		csftp_reply_err(req, err);
		return;
	}
	handle.listing = listing_new(px);
	if (!handle.listing) {
		close(handle.fd);
		csftp_reply_err(req, ENOMEM);
		return;
	}
	csftp_reply_fh(req, posixfs_handle_open(px, &handle));
}

/* The next name, or NULL at the end.  It stays the next. */
static int name_peek(const struct dirent64 **out,
		     const struct posixfs_handle *handle)
{
	struct posixfs_listing *listing = handle->listing;

	if (listing->used == listing->len) {
		ssize_t got;

		do
			got = getdents64(handle->fd, listing->buf,
					 sizeof(listing->buf));
		while (got < 0 && errno == EINTR);
		/* A directory that was removed meanwhile has no names. */
		if (got < 0 && errno != ENOENT)
			return errno;
		listing->len = got > 0 ? (size_t)got : 0;
		listing->used = 0;
	}
	*out = NULL;
	if (listing->len > 0)
		*out = (const struct dirent64 *)(const void *)(listing->buf +
							       listing->used);
	return 0;
}

/*
 * False where the name was removed meanwhile.  Whatever else keeps its
 * attributes from us: the name is there, and is listed without them.
 */
static bool name_stat(struct csftp_entry *out, int fd, const char *name)
{
	struct stat st;

	*out = (struct csftp_entry){.name = {name, strlen(name)}};
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		posixfs_attr(&out->attr, &st);
	else if (errno == ENOENT)
		return false;
	return true;
}

void posixfs_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	struct csftp_reply reply = {0};

	for (;;) {
		/* Looked up each time: entry() may close it. */
		struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
		const struct dirent64 *name = NULL;
		struct csftp_entry entry;
		size_t len;

		if (!handle || !handle->listing)
			reply.err = EBADF;
		else
			reply.err = name_peek(&name, handle);
		reply.eof = reply.err == 0 && !name;
		if (!name)
			break;
		len = name->d_reclen;
		if (name_stat(&entry, handle->fd, name->d_name) &&
		    !req->entry(req, &entry))
			break;
		handle = posixfs_handle_get(px, req->fh);
		if (handle)
			handle->listing->used += len;
	}
	csftp_reply(req, &reply);
}
