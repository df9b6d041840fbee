#include <string.h>

#include "fusefs/frontend.h"

/*
 * Whether a file that was closed behind a close(2), and is opened again for a
 * descriptor that lives on, is the same: its name may lead to another one by
 * now.  The end of what was written last has to be there, unless it has been
 * changed since through the mount.
 */

void same_note(struct file *file, uint64_t off, const char *data, uint64_t len)
{
	uint64_t keep = len < SAME_MAX ? len : SAME_MAX;

	file->node->changes++;
	file->mark.changes = file->node->changes;
	file->mark.len = 0;
	/* Who appends does not know where. */
	if (file->flags & CSFTP_OPEN_APPEND)
		return;
	file->mark.len = (uint32_t)keep;
	file->mark.off = off + len - keep;
	memcpy(file->mark.bytes, data + len - keep, keep);
}

static void ask(struct file *file, struct csftp_req req,
		void (*done)(struct csftp_req *req,
			     const struct csftp_reply *reply))
{
	file->req = req;
	file->req.done = done;
	file->f->urgent = true;
	csftp_submit(file->f->fs, &file->req);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct file *file = (struct file *)req;

	(void)reply; /* it was only read */
	file->judged(file);
}

static void got(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct file *file = (struct file *)req;
	const struct mark *mark = &file->mark;
	size_t len = reply->data.len;

	/* What cannot be read proves nothing; nor does less than was asked. */
	if (!reply->err && len <= mark->len && (len == mark->len || reply->eof))
		file->same = len == mark->len &&
			     memcmp(reply->data.ptr, mark->bytes, len) == 0;
	if (file->flags & CSFTP_OPEN_READ)
		file->judged(file);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = req->fh},
		    closed);
}

static void read_it(struct file *file, csftp_fh fh)
{
	ask(file,
	    (struct csftp_req){.op = CSFTP_OP_READ,
			       .fh = fh,
			       .off = file->mark.off,
			       .len = file->mark.len},
	    got);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct file *file = (struct file *)req;

	if (reply->err)
		file->judged(file);
	else
		read_it(file, reply->fh);
}

void same_check(struct file *file, void (*then)(struct file *file))
{
	file->same = true;
	file->judged = then;
	if (file->mark.len == 0 || file->mark.changes != file->node->changes)
		then(file);
	else if (file->flags & CSFTP_OPEN_READ)
		read_it(file, file->fh);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_OPEN,
				       .path = file->path,
				       .flags = CSFTP_OPEN_READ},
		    opened);
}
