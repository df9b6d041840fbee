#include "server/posixfs_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One step of a copy in the kernel: a signal gets its turn in between. */
#define STEP_MAX (128U * 1024 * 1024)

/* A copy on its way: what is left, and from where to where. */
struct copy {
	int from;
	int to;
	off_t off;
	off_t off2; /* without a meaning where it appends */
	uint64_t left;
	uint64_t done;
	bool append;
	bool holes;   /* both can have some */
	bool by_hand; /* the kernel cannot */
	bool in_hole; /* what was copied last was one */
	char *buf;    /* POSIXFS_SCRATCH */
};

static void advance(struct copy *copy, uint64_t by)
{
	copy->off += (off_t)by;
	copy->off2 += (off_t)by;
	copy->left -= by;
	copy->done += by;
	copy->in_hole = false;
}

/*
 * By the kernel, which shares the blocks where the file system can.  Zero bytes
 * may be the end; or a file as those in /proc, whose size is 0, of which it
 * copies nothing: reading tells.
 */
static int copy_inside(struct copy *copy, uint64_t len)
{
	while (len > 0 && !copy->by_hand) {
		off_t off = copy->off;
		off_t off2 = copy->off2;
		ssize_t got =
			copy_file_range(copy->from, &off, copy->to, &off2,
					len > STEP_MAX ? STEP_MAX : len, 0);

		if (got > 0) {
			advance(copy, (uint64_t)got);
			len -= (uint64_t)got;
		} else if (got == 0 || errno == EXDEV || errno == EINVAL ||
			   errno == ENOSYS || errno == EOPNOTSUPP) {
			copy->by_hand = true;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* Sets *end at the end of the source. */
static int copy_through(struct copy *copy, uint64_t len, bool *end)
{
	*end = false;
	while (len > 0) {
		size_t part =
			len > POSIXFS_SCRATCH ? POSIXFS_SCRATCH : (size_t)len;
		ssize_t got =
			posixfs_read_at(copy->from, copy->buf, part, copy->off);
		int err;

		if (got < 0)
			return errno;
		*end = got == 0;
		if (*end)
			break;
		err = posixfs_write_at(copy->to, copy->buf, (size_t)got,
				       copy->off2);
		if (err != 0)
			return err;
		advance(copy, (uint64_t)got);
		len -= (uint64_t)got;
	}
	return 0;
}

static int copy_data(struct copy *copy, uint64_t len, bool *end)
{
	uint64_t before = copy->done;
	int err = copy_inside(copy, len);

	*end = false;
	if (err != 0)
		return err;
	return copy_through(copy, len - (copy->done - before), end);
}

static int write_zeros(struct copy *copy, off_t off, uint64_t len)
{
	memset(copy->buf, 0, POSIXFS_SCRATCH);
	while (len > 0) {
		size_t part =
			len > POSIXFS_SCRATCH ? POSIXFS_SCRATCH : (size_t)len;
		int err = posixfs_write_at(copy->to, copy->buf, part, off);

		if (err != 0)
			return err;
		off += (off_t)part;
		len -= part;
	}
	return 0;
}

/*
 * A hole stays one: what the target has there becomes zeros, and behind its end
 * there is nothing to do until something follows.
 */
static int copy_hole(struct copy *copy, uint64_t len)
{
	uint64_t there = 0;
	struct stat to;
	int err = 0;

	if (len > (uint64_t)(INT64_MAX - copy->off2))
		return EFBIG;
	if (fstat(copy->to, &to) != 0)
		return errno;
	if (to.st_size > copy->off2)
		there = (uint64_t)(to.st_size - copy->off2);
	if (there > len)
		there = len;
	if (there > 0 &&
	    fallocate(copy->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      copy->off2, (off_t)there) != 0)
		err = write_zeros(copy, copy->off2, there);
	if (err != 0)
		return err;
	advance(copy, len);
	copy->in_hole = true;
	return 0;
}

/*
 * The target ends where the copy ended, if that was in a hole.  By a byte and
 * not by ftruncate(2), which would cut off what another writer has added.
 */
static int end_hole(const struct copy *copy)
{
	struct stat to;

	if (fstat(copy->to, &to) != 0)
		return errno;
	if (to.st_size >= copy->off2)
		return 0;
	return posixfs_write_at(copy->to, "", 1, copy->off2 - 1);
}

/*
 * How long the hole at off is, and the data behind it.  A file that does not
 * tell is all data.
 */
static void next_stretch(const struct copy *copy, uint64_t *hole,
			 uint64_t *data)
{
	off_t from = lseek(copy->from, copy->off, SEEK_DATA);
	struct stat st;
	off_t to;

	*hole = 0;
	*data = copy->left;
	if (from < 0 && errno == ENXIO && fstat(copy->from, &st) == 0 &&
	    st.st_size > copy->off) {
		*hole = (uint64_t)(st.st_size - copy->off);
		*data = 0;
	} else if (from >= copy->off) {
		*hole = (uint64_t)(from - copy->off);
		to = lseek(copy->from, from, SEEK_HOLE);
		if (to > from)
			*data = (uint64_t)(to - from);
	}
	if (*hole > copy->left)
		*hole = copy->left;
	if (*data > copy->left - *hole)
		*data = copy->left - *hole;
}

/* Cuts the copy at the end of its source, and refuses to overlap. */
static int copy_check(struct copy *copy)
{
	struct stat from;
	struct stat to;
	uint64_t off = (uint64_t)copy->off;
	uint64_t off2;
	uint64_t left = 0;

	if (fstat(copy->from, &from) != 0 || fstat(copy->to, &to) != 0)
		return errno;
	/* Into a pipe a hole goes as the zeros that it is read as. */
	copy->holes =
		S_ISREG(from.st_mode) && S_ISREG(to.st_mode) && !copy->append;
	if (!S_ISREG(from.st_mode) || from.st_dev != to.st_dev ||
	    from.st_ino != to.st_ino)
		return 0;
	off2 = (uint64_t)(copy->append ? to.st_size : copy->off2);
	if (copy->off < from.st_size)
		left = (uint64_t)(from.st_size - copy->off);
	if (copy->left > left)
		copy->left = left;
	if (copy->left > 0 && off < off2 + copy->left &&
	    off2 < off + copy->left)
		return EINVAL;
	return 0;
}

static int copy_all(struct copy *copy)
{
	bool end = false;
	int err = copy_check(copy);

	while (err == 0 && copy->left > 0 && !end) {
		uint64_t hole = 0;
		uint64_t data = copy->left;

		if (copy->holes)
			next_stretch(copy, &hole, &data);
		if (hole > 0)
			err = copy_hole(copy, hole);
		if (err == 0 && data > 0)
			err = copy_data(copy, data, &end);
	}
	return err == 0 && copy->in_hole ? end_hole(copy) : err;
}

static int copy_range(struct posixfs *px, struct copy *copy)
{
	bool lent = px->scratch_lent;
	int err;

	copy->buf = lent ? malloc(POSIXFS_SCRATCH) : px->scratch;
	if (!copy->buf)
		return ENOMEM;
	err = copy_all(copy);
	if (lent)
		free(copy->buf);
	return err;
}

void posixfs_copy_range(struct csftp_fs *fs, struct csftp_req *req)
{
	struct posixfs *px = posixfs_of(fs);
	const struct posixfs_handle *from = posixfs_handle_get(px, req->fh);
	const struct posixfs_handle *to = posixfs_handle_get(px, req->fh2);
	struct csftp_reply reply = {0};
	struct copy copy = {
		.from = posixfs_file_fd(px, req->fh),
		.to = posixfs_file_fd(px, req->fh2),
		.off = (off_t)req->off,
		.off2 = (off_t)req->off2,
		.left = req->len > 0 ? req->len : UINT64_MAX,
	};

	if (copy.from < 0 || copy.to < 0 || !(from->flags & CSFTP_OPEN_READ) ||
	    !(to->flags & CSFTP_OPEN_WRITE)) {
		reply.err = EBADF;
	} else if (copy.off < 0 || copy.off2 < 0) {
		reply.err = EINVAL;
	} else {
		/* copy_file_range(2) does not append. */
		copy.append = to->flags & CSFTP_OPEN_APPEND;
		copy.by_hand = copy.append;
		reply.err = copy_range(px, &copy);
	}
	if (reply.err == 0)
		reply.count = copy.done;
	csftp_reply(req, &reply);
}
