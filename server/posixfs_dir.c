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
	listing->busy = false;
	listing->is_root = false;
	return listing;
}

/* Whether it is the jail's root, and what it is called where that counts. */
static int listing_place(struct posixfs_listing *listing,
			 const struct posixfs *px,
			 const struct posixfs_opened *opened)
{
	struct stat root, st;

	if (!posixfs_jailed(px))
		return 0;
	if (fstat(px->dirfd, &root) != 0 || fstat(opened->fd, &st) != 0)
		return errno;
	listing->is_root = root.st_dev == st.st_dev && root.st_ino == st.st_ino;
	if (px->view_count > 0)
		memcpy(listing->place, opened->text, strlen(opened->text) + 1);
	return 0;
}

static int open_listing(struct posixfs_handle *out, struct posixfs *px,
			const char *path)
{
	struct posixfs_opened opened;
	int err = posixfs_path_open(&opened, px, path,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (err != 0)
		return err;
	out->listing = listing_new(px);
	err = out->listing ? listing_place(out->listing, px, &opened) : ENOMEM;
	if (err != 0) {
		free(out->listing);
		close(opened.fd);
		return err;
	}
	out->fd = opened.fd;
	out->access = opened.access;
	return 0;
}

void posixfs_opendir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle handle = {.fd = -1};
	int err = EMFILE;

	if (posixfs_handle_room(px))
		err = open_listing(&handle, px, req->path);
	if (err != 0)
		csftp_reply_err(req, err);
	else
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

struct name {
	size_t len;
	char text[CSFTP_NAME_MAX + 1];
};

/*
 * False where the name was removed meanwhile.  Whatever else keeps its
 * attributes from us: the name is there, and is listed without them.
 */
static bool name_stat(struct csftp_entry *out,
		      const struct posixfs_handle *handle,
		      const struct name *name)
{
	struct stat st;
	/* The jail's root has nothing above it. */
	bool up = handle->listing->is_root && strcmp(name->text, "..") == 0;

	*out = (struct csftp_entry){.name = {name->text, name->len}};
	if (fstatat(handle->fd, up ? "." : name->text, &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
		posixfs_attr(&out->attr, &st);
	else if (errno == ENOENT)
		return false;
	return true;
}

static bool is_hidden(const struct posixfs *px,
		      const struct posixfs_listing *listing, const char *name)
{
	return px->view_count > 0 &&
	       posixfs_view_hides_name(px, listing->place, name);
}

/*
 * The next name to entry(); false at the end, with reply saying which.  entry()
 * may close the handle and may ask anything of anybody, so the name that it is
 * shown is a copy and the handle is looked for anew afterwards.
 */
static bool next_name(const struct posixfs *px, struct csftp_req *req,
		      struct csftp_reply *reply)
{
	struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	const struct dirent64 *name = NULL;
	struct csftp_entry entry;
	struct name copy;
	size_t len;

	reply->err = handle ? name_peek(&name, handle) : EBADF;
	reply->eof = reply->err == 0 && !name;
	if (!name)
		return false;
	len = name->d_reclen;
	copy.len = strlen(name->d_name);
	/* A name above the limit is one that the kernel does not look up. */
	if (copy.len < sizeof(copy.text)) {
		memcpy(copy.text, name->d_name, copy.len + 1);
		if (!is_hidden(px, handle->listing, copy.text) &&
		    name_stat(&entry, handle, &copy) &&
		    !req->entry(req, &entry))
			return false;
	}
	handle = posixfs_handle_get(px, req->fh);
	if (handle)
		handle->listing->used += len;
	return true;
}

void posixfs_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct posixfs *px = posixfs_of(fs);
	struct posixfs_handle *handle = posixfs_handle_get(px, req->fh);
	struct csftp_reply reply = {0};

	/* Whose entry() asks for more of what it is being told gets none. */
	if (!handle || !handle->listing || handle->listing->busy) {
		csftp_reply_err(req, handle && handle->listing ? EBUSY : EBADF);
		return;
	}
	handle->listing->busy = true;
	while (next_name(px, req, &reply))
		;
	handle = posixfs_handle_get(px, req->fh);
	if (handle)
		handle->listing->busy = false;
	csftp_reply(req, &reply);
}
