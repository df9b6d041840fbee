#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fusefs/frontend.h"

/*
 * Content.  What is larger than the file system takes in one piece travels in
 * several, at once.  A READ in one piece goes from the file system's memory to
 * the kernel; pieces, and what comes in parts, are gathered first.
 */

/* A smaller write waits for company before it is sent. */
#define WAITS_BELOW 65536U

/*
 * Whoever keeps a payload keeps the whole buffer that it was received into; so
 * below this it may be had for a copy only.
 */
#define KEPT_FROM (FUSEFS_IO_MAX / 2)

static uint64_t piece_size(uint32_t max, uint64_t size)
{
	return max > 0 && max < size ? max : size;
}

/* Asks until an answer completes the piece, without recursion. */
static void read_ask(struct ask *ask)
{
	struct fuse_op *op = ask->op;

	op->asks++;
	ask->inside = true;
	do {
		ask->again = false;
		op_submit(op, &ask->req);
	} while (ask->again);
	ask->inside = false;
	op_put(op);
}

static char *gather_room(struct fuse_op *op)
{
	if (!op->gather)
		op->gather = buffers_get(&op->f->gather);
	if (!op->gather)
		op->gather = malloc(op->f->max_read);
	return op->gather;
}

/*
 * Whether a file ends where a part ends, as far as the kernel knows: then it
 * does not use more, and need not wait for the server to say so.
 */
static bool at_end(const struct fuse_op *op, uint64_t off)
{
	return op->node->size > 0 && off >= op->node->size;
}

/*
 * The file ends where the kernel has been told that there is something.  Told
 * so now, it would show zeros up to there if it was told that while this read
 * was under way; or, where nothing came, if other reads of the file are: it
 * believes one of them, and which is a matter of luck.  A file that grew has
 * more when it is asked again.  Of one that shrank the kernel asks again after
 * an error, for one page, before a program is told.
 */
static bool is_missing(const struct fuse_op *op, uint64_t got)
{
	const struct inode *node = op->node;

	return got < op->size && op->off + got < node->size &&
	       ((got == 0 && node->reads > 1) || node->told > op->told) &&
	       !op->file->direct;
}

/*
 * More came than the kernel was told that there is: that was of an earlier
 * version of the file, or of one that another has taken the place of, and a
 * program would see the file cut there.  The handle knows better.
 */
static void notice_more(struct fuse_op *op, uint64_t got)
{
	if (op->off + got <= op->node->size || op->file->direct)
		return;
	op->file->more = true;
	attr_doubt(op->f, op->node);
}

static void read_reply(struct fuse_op *op, const char *data, uint64_t got)
{
	notice_more(op, got);
	fuse_reply_buf(op->req, data, got < op->size ? got : op->size);
	op->req = NULL;
}

/* Takes a part of the piece; false: it has to be asked for the rest. */
static bool gather(struct ask *ask, const struct csftp_reply *reply)
{
	struct fuse_op *op = ask->op;
	struct csftp_req *req = &ask->req;
	size_t len = reply->data.len;
	char *room = gather_room(op);

	if (!room) {
		ask->err = ENOMEM;
		return true;
	}
	room += req->off - op->off;
	if (len > 0 && reply->data.ptr != room)
		memcpy(room, reply->data.ptr, len);
	ask->got += len;
	if (reply->eof || len == req->len || at_end(op, req->off + len))
		return true;
	/* Nothing, and yet not the end: this could go on for ever. */
	if (len == 0) {
		ask->err = EIO;
		return true;
	}
	req->off += len;
	req->len -= len;
	req->into = room + len;
	return false;
}

bool data_answer(struct ask *ask, const struct csftp_reply *reply)
{
	struct fuse_op *op = ask->op;
	size_t len = reply->data.len;

	if (reply->err || len > ask->req.len) {
		ask->err = reply->err ? reply->err : EIO;
		return true;
	}
	if (!op->req)
		return true;
	if (op->asked == 1 && ask->got == 0 &&
	    (reply->eof || len == ask->req.len ||
	     at_end(op, ask->req.off + len)) &&
	    !is_missing(op, len)) {
		read_reply(op, reply->data.ptr, len);
		return true;
	}
	if (gather(ask, reply))
		return true;
	if (ask->inside)
		ask->again = true;
	else
		read_ask(ask);
	return false;
}

static void read_go(struct fuse_op *op, int err);

static void read_again(struct fuse_op *op)
{
	op->reread = true;
	op->asked = 0;
	op->asks = 1;
	read_go(op, 0);
}

/* All up to the first piece that is not full: there the file ends. */
static void read_finish(struct fuse_op *op)
{
	uint64_t piece = piece_size(op->f->fs->max_read, op->size);
	int err = op_err(op);
	uint64_t total = 0;

	for (uint32_t i = 0; i < op->asked && total == i * piece; i++)
		total += op->ask[i].got;
	if (!err && op->req && is_missing(op, total)) {
		if (!op->reread) {
			read_again(op);
			return;
		}
		err = EIO;
	}
	if (err) {
		op_reply_err(op, err);
	} else if (op->req) {
		read_reply(op, op->gather, total);
	}
	op->node->reads--;
	op_free(op);
}

static void read_fail(struct fuse_op *op, int err)
{
	op->node->reads--;
	op_fail(op, err);
}

/*
 * The kernel believes that the file ends where this ends: one byte more shows
 * whether it does.
 */
static void ask_for_more(struct fuse_op *op)
{
	struct csftp_req *last = &op->ask[op->asked - 1].req;
	uint64_t max = piece_size(op->f->fs->max_read, op->f->max_read);

	if (op->off + op->size == op->node->size && last->len < max &&
	    op->size < op->f->max_read && !op->file->direct)
		last->len++;
}

static void read_go(struct fuse_op *op, int err)
{
	uint64_t piece = piece_size(op->f->fs->max_read, op->size);
	bool split = op->size > piece;

	if (err || !op->req) {
		read_fail(op, err);
		return;
	}
	if (split && !gather_room(op)) {
		read_fail(op, ENOMEM);
		return;
	}
	/* All are counted before the first can be answered. */
	for (uint64_t at = 0; at < op->size; at += piece) {
		struct csftp_req *req = op_ask(op, CSFTP_OP_READ);

		req->fh = op->file->fh;
		req->off = op->off + at;
		req->len = piece < op->size - at ? piece : op->size - at;
		req->into = split ? op->gather + at : NULL;
	}
	ask_for_more(op);
	for (uint32_t i = 0, n = op->asked; i < n; i++)
		read_ask(&op->ask[i]);
	op_put(op);
}

void fusefs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		 struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, read_finish);

	if (!op)
		return;
	if (size > op->f->max_read)
		size = op->f->max_read;
	if (size == 0 || off < 0) {
		op_fail(op, off < 0 ? EINVAL : 0);
		return;
	}
	op->size = size;
	op->off = (uint64_t)off;
	op->told = op->f->told;
	op->node->reads++;
	file_use(op, file_from(fi), read_go);
}

static void write_reply(struct fuse_op *op)
{
	if (!op->req)
		return;
	if (op->off + op->size > op->node->size)
		op->node->size = op->off + op->size;
	fuse_reply_write(op->req, op->size);
	op->req = NULL;
}

/*
 * Whoever may not change the mode does not own the file there, and is not root:
 * then the server's own kernel takes the bits off as it writes.
 */
static void forgive_setid(struct fuse_op *op)
{
	struct ask *setid = op->setid;

	if (setid && (setid->err == EPERM || setid->err == EACCES))
		setid->err = 0;
}

static void write_finish(struct fuse_op *op)
{
	int err;

	forgive_setid(op);
	err = op_err(op);
	if (err && !op->req) {
		/* The writer has gone; whoever closes is told. */
		if (err != EINTR && !op->file->err)
			op->file->err = err;
	} else if (err) {
		file_failed(op->file, err);
		op_reply_err(op, err);
	} else {
		write_reply(op);
	}
	op_free(op);
}

/*
 * Of a page it is the kernel that tells whoever asks, by msync(2) or fsync(2)
 * and whichever descriptor, if it could not be written: so it has to know.
 */
static bool is_for_sure(const struct fuse_op *op)
{
	return (op->fi.flags & (O_SYNC | O_DSYNC)) || op->fi.writepage ||
	       op->file != file_from(&op->fi);
}

static void write_ask(struct fuse_op *op, uint64_t at, uint64_t len)
{
	struct csftp_req *req = op_ask(op, CSFTP_OP_WRITE);

	req->fh = op->file->fh;
	req->off = op->off + at;
	req->len = len;
	req->data = op->data + at;
	req->buf = op->size >= KEPT_FROM ? op->buf : NULL;
	if (is_for_sure(op))
		req->flags = CSFTP_SYNC;
	csftp_submit(op->f->fs, req);
}

/*
 * A program that somebody else can write to must not run as its owner any more.
 * What goes past its cache the kernel leaves to us; and a server that is root's
 * would let the bits be.
 */
static void lose_setid(struct fuse_op *op)
{
	struct inode *node = op->node;
	uint32_t mode = node->mode & ~(uint32_t)S_ISUID;
	struct csftp_req *req;

	/* Without the right to execute it means something else. */
	if (mode & S_IXGRP)
		mode &= ~(uint32_t)S_ISGID;
	op->setid = NULL;
	if (!op->no_setid || mode == node->mode)
		return;
	op->in = (struct csftp_attr){.mask = CSFTP_ATTR_MODE, .mode = mode};
	node->mode = mode;
	op->setid = &op->ask[op->asked];
	req = op_ask(op, CSFTP_OP_SETATTR);
	req->fh = op->file->fh;
	req->attr = &op->in;
	op_submit(op, req);
	attr_doubt(op->f, node);
}

static void write_go(struct fuse_op *op, int err)
{
	uint64_t piece = piece_size(op->f->fs->max_write, op->size);

	if (!err && op->req && op->file->err) {
		err = op->file->err;
		op->file->err = 0;
	}
	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	op->file->written = true;
	same_note(op->file, op->off, op->data, op->size);
	lose_setid(op);
	for (uint64_t at = 0; at < op->size; at += piece)
		write_ask(op, at,
			  piece < op->size - at ? piece : op->size - at);
	/* Unless it was answered by a layer, and is little. */
	if (op->asks > 1 || op->size >= WAITS_BELOW)
		op->f->urgent = true;
	op_put(op);
}

void fusefs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
		  off_t off, struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, write_finish);
	struct file *file;
	uint64_t piece;

	if (!op)
		return;
	piece = piece_size(op->f->fs->max_write, size);
	if (off < 0 || size > FUSEFS_ASKS * piece) {
		op_fail(op, EINVAL);
		return;
	}
	/* The payload stays where it was received until all is answered. */
	op->buf = csftp_buf_hold(&op->f->received->buf);
	op->data = data;
	op->size = size;
	op->off = (uint64_t)off;
	op->fi = *fi;
	op->no_setid = fusefs_kills_setid(op->f);
	file = file_from(fi);
	/* A page of a mapping, or who has taken O_APPEND back by fcntl(2). */
	if ((file->flags & CSFTP_OPEN_APPEND) &&
	    (fi->writepage || !(fi->flags & O_APPEND)))
		file = file_for_places(file);
	if (file)
		file_use(op, file, write_go);
	else
		op_fail(op, ENOMEM);
}

static void fsync_finish(struct fuse_op *op)
{
	file_answer(op, op->file);
	op_free(op);
}

static void fsync_go(struct fuse_op *op, int err)
{
	struct csftp_req *req;

	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	req = op_ask(op, CSFTP_OP_FSYNC);
	req->fh = op->file->fh;
	op_submit(op, req);
	op_put(op);
}

void fusefs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		  struct fuse_file_info *fi)
{
	struct fuse_op *op = op_on(req, ino, fsync_finish);

	(void)datasync;
	if (op)
		file_use(op, file_from(fi), fsync_go);
}

/*
 * A server does one thing after the other, and nobody is answered during a
 * copy: so it takes no longer than what a disk writes in a moment.  Whoever
 * copies more calls again.
 */
#define COPY_MAX ((size_t)16 << 20)

static void copy_finish(struct fuse_op *op)
{
	int err = op_err(op);

	if (!err && op->count > op->size)
		err = EIO;
	if (err) {
		op_reply_err(op, err);
	} else if (op->req) {
		fuse_reply_write(op->req, op->count);
		op->req = NULL;
	}
	op_free(op);
}

static void copy_go(struct fuse_op *op, int err)
{
	struct csftp_req *req;

	if (err || !op->req) {
		op_fail(op, err);
		return;
	}
	op->file2->written = true;
	op->file2->node->changes++;
	req = op_ask(op, CSFTP_OP_COPY_RANGE);
	req->fh = op->file->fh;
	req->off = op->off;
	req->fh2 = op->file2->fh;
	req->off2 = op->off2;
	req->len = op->size;
	op_submit(op, req);
	op_put(op);
}

/* The source can be used; now the destination. */
static void copy_to(struct fuse_op *op, int err)
{
	if (err || !op->req)
		op_fail(op, err);
	else
		file_use(op, file_from(&op->fi), copy_go);
}

void fusefs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			    struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			    off_t off_out, struct fuse_file_info *fi_out,
			    size_t len, int flags)
{
	struct fuse_op *op = op_on(req, ino_in, copy_finish);

	(void)ino_out;
	if (!op)
		return;
	if (flags || len == 0 || off_in < 0 || off_out < 0) {
		op_fail(op, EINVAL);
		return;
	}
	op->fi = *fi_out;
	op->off = (uint64_t)off_in;
	op->off2 = (uint64_t)off_out;
	op->size = len < COPY_MAX ? len : COPY_MAX;
	file_use(op, file_from(fi_in), copy_to);
}
