#include <errno.h>
#include <string.h>

#include "core/layer/survive_impl.h"

/*
 * Handles are opened again by their paths, all at once.  What comes is held
 * against what is known of the old file.
 */

#define AT_FIRST_ONLY (CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC | CSFTP_OPEN_EXCL)

static void done_with(struct survive_file *file)
{
	struct survive *survive = file->survive;

	survive_file_put(file);
	survive_phase_put(survive);
}

static void give_up(struct survive_file *file, int err)
{
	if (file->dead == 0)
		file->survive->stale++;
	file->dead = err;
}

static void ask(struct survive_file *file, struct csftp_req req,
		survive_step *then)
{
	file->look.req = req;
	file->look.req.done = then;
	csftp_submit(file->survive->relay.under, &file->look.req);
}

static void open_again(struct survive_file *file);

/*
 * A file can be open for writing though its mode forbids it: it was made so, as
 * git does.  Then its mode is another one while it is opened, and is put back,
 * if need be on the next connection.
 */
static void set_mode(struct survive_file *file, uint32_t mode,
		     survive_step *then)
{
	file->mode = (struct csftp_attr){.mask = CSFTP_ATTR_MODE, .mode = mode};
	ask(file,
	    (struct csftp_req){.op = CSFTP_OP_SETATTR,
			       .path = file->node->path,
			       .attr = &file->mode},
	    then);
}

static void unlocked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (survive_lost(file->survive, reply)) {
		done_with(file);
	} else if (reply->err) {
		file->unlocked = false;
		give_up(file, EACCES);
		done_with(file);
	} else {
		open_again(file);
	}
}

static void saw_lock(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (survive_lost(file->survive, reply)) {
		done_with(file);
		return;
	}
	if (reply->err || !(reply->attr->mask & CSFTP_ATTR_MODE) ||
	    (reply->attr->mode & CSFTP_S_IFMT) != CSFTP_S_IFREG) {
		give_up(file, EACCES);
		done_with(file);
		return;
	}
	file->mode_was = reply->attr->mode & 07777;
	file->unlocked = true;
	set_mode(file, file->mode_was | 0600, unlocked);
}

/* Once on each connection; what was asked for on another may not be done. */
static void unlock(struct survive_file *file)
{
	file->tried = file->survive->epoch;
	if (file->unlocked)
		set_mode(file, file->mode_was | 0600, unlocked);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_GETATTR,
				       .flags = CSFTP_NOFOLLOW,
				       .path = file->node->path},
		    saw_lock);
}

static void locked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (!survive_lost(file->survive, reply))
		file->unlocked = false;
	done_with(file);
}

/* Whatever has become of it. */
static void finish(struct survive_file *file)
{
	if (file->unlocked)
		set_mode(file, file->mode_was, locked);
	else
		done_with(file);
}

static void closed(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* nothing was written by it */
	finish((struct survive_file *)req);
}

/* Whoever opens the path from now on has nothing to do with this one. */
static void give_up_name(struct survive_file *file)
{
	file->node->replaced = true;
	give_up(file, ESTALE);
}

static void judged(struct survive_file *file)
{
	struct survive *survive = file->survive;

	if (survive->config.gone(survive->config.arg)) {
		done_with(file);
	} else if (!file->is_same) {
		give_up_name(file);
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = file->low},
		    closed);
	} else if (file->flags & CSFTP_OPEN_APPEND) {
		survive_append_check(file, file->found.size, finish);
	} else {
		if (file->node->changing == 0)
			survive_node_saw(file->node, &file->found);
		finish(file);
	}
}

static void seen(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;
	const struct csftp_attr *attr = reply->attr;

	if (survive_lost(file->survive, reply)) {
		done_with(file);
	} else if (reply->err && !req->path) {
		/* There are servers without FSTAT. */
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_GETATTR,
				       .path = file->node->path},
		    seen);
	} else if (reply->err || !attr) {
		give_up(file, ESTALE);
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = file->low},
		    closed);
	} else {
		file->found = *attr;
		survive_same_check(file, judged);
	}
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct survive_file *file = (struct survive_file *)req;

	if (survive_lost(file->survive, reply)) {
		done_with(file);
		return;
	}
	if (reply->err == EACCES && (file->flags & CSFTP_OPEN_WRITE) &&
	    file->tried != file->survive->epoch) {
		unlock(file);
		return;
	}
	/* It has got another name meanwhile. */
	if (reply->err == ENOENT && strcmp(req->path, file->node->path) != 0) {
		open_again(file);
		return;
	}
	if (reply->err == ENOENT) {
		give_up_name(file);
		done_with(file);
		return;
	}
	if (reply->err) {
		give_up(file, reply->err);
		finish(file);
		return;
	}
	file->low = reply->fh;
	file->epoch = file->survive->epoch;
	if (file->is_dir)
		done_with(file);
	else
		ask(file,
		    (struct csftp_req){.op = CSFTP_OP_GETATTR, .fh = file->low},
		    seen);
}

static void open_again(struct survive_file *file)
{
	ask(file,
	    (struct csftp_req){
		    .op = file->is_dir ? CSFTP_OP_OPENDIR : CSFTP_OP_OPEN,
		    .flags = file->flags & ~AT_FIRST_ONLY,
		    .path = file->node->path,
	    },
	    opened);
}

static void reopen(struct survive_file *file)
{
	file->survive->phase++;
	survive_file_hold(file);
	survive_names_settle(&file->names);
	open_again(file);
}

void survive_reopen_all(struct survive *survive)
{
	struct survive_file *file = survive->files;

	while (file) {
		struct survive_file *next = file->next;

		if (file->dead == 0 && file->node->nameless)
			give_up(file, ESTALE);
		else if (file->dead == 0 && file->names.broken)
			give_up(file, ENOMEM);
		else if (file->dead == 0)
			reopen(file);
		file = next;
	}
}
