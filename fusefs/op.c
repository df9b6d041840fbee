#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fusefs/frontend.h"

#define LOG_MAX 8192

/* One of these every server tells. */
#define TIMED (CSFTP_ATTR_SIZE | CSFTP_ATTR_MTIME)

void fusefs_logf(struct fusefs *f, const char *format, ...)
{
	char text[LOG_MAX];
	va_list args;

	if (!f->config.log)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Names come from the server, and the text may go to a terminal. */
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	f->config.log(f->config.arg, text);
}

void *buffers_get(struct buffers *buffers)
{
	return buffers->count > 0 ? buffers->item[--buffers->count] : NULL;
}

/* There is a place for each buffer that can be in use at once. */
static void buffers_put(struct buffers *buffers, void *item)
{
	buffers->item[buffers->count++] = item;
}

/* A coarse clock is read without a system call, and quickly. */
uint64_t fusefs_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct fuse_op *op_new(fuse_req_t req, void (*finish)(struct fuse_op *))
{
	struct fusefs *f = fuse_req_userdata(req);
	struct fuse_op *op = f->unused;

	f->unused = op->next;
	f->unused_count--;
	/* All but the questions and the paths, which are set when used. */
	memset(op, 0, offsetof(struct fuse_op, ask));
	op->f = f;
	op->req = req;
	op->finish = finish;
	op->asks = 1;
	op->pid = fuse_req_ctx(req)->pid;
	op->began_ms = fusefs_now_ms();
	op->path[0] = '\0';
	op->next = f->used;
	if (f->used)
		f->used->prev = op;
	f->used = op;
	op_watch(op);
	return op;
}

struct fuse_op *op_on(fuse_req_t req, fuse_ino_t ino,
		      void (*finish)(struct fuse_op *))
{
	struct fusefs *f = fuse_req_userdata(req);
	struct inode *node = inodes_get(f->inodes, ino);
	struct fuse_op *op;

	if (!node) {
		fuse_reply_err(req, ESTALE);
		return NULL;
	}
	op = op_new(req, finish);
	op->node = node;
	inodes_pin(node);
	return op;
}

void op_put(struct fuse_op *op)
{
	if (--op->asks == 0)
		op->finish(op);
}

/* Everything that the operation held goes back. */
void op_free(struct fuse_op *op)
{
	struct fusefs *f = op->f;

	if (op->interrupted)
		f->interrupted--;
	if (op->file)
		file_unuse(op->file);
	if (op->file2)
		file_unuse(op->file2);
	if (op->node)
		inodes_unpin(f->inodes, op->node);
	if (op->node2)
		inodes_unpin(f->inodes, op->node2);
	if (op->buf)
		csftp_buf_drop(op->buf);
	if (op->gather)
		buffers_put(&f->gather, op->gather);
	if (op->prev)
		op->prev->next = op->next;
	else
		f->used = op->next;
	if (op->next)
		op->next->prev = op->prev;
	op->next = f->unused;
	f->unused = op;
	f->unused_count++;
}

static void keep_attr(struct fuse_op *op, const struct csftp_reply *reply)
{
	if (!reply->attr)
		return;
	op->attr = *reply->attr;
	op->has_attr = true;
}

static void keep_fh(struct fuse_op *op, const struct csftp_reply *reply)
{
	op->fh = reply->fh;
	op->opened = true;
}

static void keep_text(struct fuse_op *op, const struct csftp_reply *reply)
{
	size_t len = reply->text.len;

	/* A NUL would cut it short; too long is what the kernel cannot take. */
	if (len > CSFTP_PATH_MAX || len == 0 ||
	    memchr(reply->text.ptr, '\0', len)) {
		op->ask[0].err = EIO;
		return;
	}
	memcpy(op->path2, reply->text.ptr, len);
	op->path2[len] = '\0';
}

static void keep_statfs(struct fuse_op *op, const struct csftp_reply *reply)
{
	if (reply->statfs)
		op->statfs = *reply->statfs;
	else
		op->ask[0].err = EIO;
}

static void keep_count(struct fuse_op *op, const struct csftp_reply *reply)
{
	op->count = reply->count;
}

/* What is kept of an answer, as its parts are gone when done returns. */
static void keep(struct fuse_op *op, enum csftp_op what,
		 const struct csftp_reply *reply)
{
	static void (*const keeper[CSFTP_OP_COUNT])(
		struct fuse_op *, const struct csftp_reply *) = {
		[CSFTP_OP_GETATTR] = keep_attr,
		[CSFTP_OP_OPEN] = keep_fh,
		[CSFTP_OP_READLINK] = keep_text,
		[CSFTP_OP_STATFS] = keep_statfs,
		[CSFTP_OP_COPY_RANGE] = keep_count,
	};

	if (keeper[what])
		keeper[what](op, reply);
}

static void ask_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ask *ask = (struct ask *)req;
	struct fuse_op *op = ask->op;

	if (req->op == CSFTP_OP_READ) {
		if (!data_answer(ask, reply))
			return; /* it was asked once more */
	} else if (reply->err) {
		ask->err = reply->err;
	} else {
		keep(op, req->op, reply);
	}
	req->op = CSFTP_OP_COUNT; /* not to be cancelled any more */
	op_put(op);
}

struct csftp_req *op_ask(struct fuse_op *op, enum csftp_op what)
{
	struct ask *ask = &op->ask[op->asked++];

	if (op->asked == 1)
		op->first = what;
	*ask = (struct ask){
		.req = {.op = what, .done = ask_done},
		.op = op,
	};
	op->asks++;
	return &ask->req;
}

void op_submit(struct fuse_op *op, struct csftp_req *req)
{
	if (op->req)
		op->f->urgent = true;
	csftp_submit(op->f->fs, req);
}

void op_ask_attr(struct fuse_op *op, const char *path)
{
	struct csftp_req *req = op_ask(op, CSFTP_OP_GETATTR);

	req->path = path;
	req->flags = CSFTP_NOFOLLOW;
	op_submit(op, req);
}

void op_owner(struct fuse_op *op)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(op->req);

	if (!op->f->config.caller_owns)
		return;
	op->in.mask |= CSFTP_ATTR_UID | CSFTP_ATTR_GID;
	op->in.uid = ctx->uid;
	op->in.gid = ctx->gid;
}

void op_fail(struct fuse_op *op, int err)
{
	op_reply_err(op, err);
	op_free(op);
}

int op_err(const struct fuse_op *op)
{
	for (uint32_t i = 0; i < op->asked; i++) {
		if (op->ask[i].err)
			return op->ask[i].err;
	}
	return 0;
}

bool op_path(struct fuse_op *op, const char *name)
{
	int err;

	if (name && strlen(name) > CSFTP_NAME_MAX)
		err = ENAMETOOLONG;
	else
		err = inodes_path(op->f->inodes, op->f->config.root, op->node,
				  name, op->path);
	if (err) {
		op_fail(op, err);
		return false;
	}
	op->name = name ? op->path + strlen(op->path) - strlen(name) : NULL;
	return true;
}

void op_reply_err(struct fuse_op *op, int err)
{
	if (!op->req)
		return;
	fuse_reply_err(op->req, err);
	op->req = NULL;
}

void op_reply_attr(struct fuse_op *op)
{
	struct stat st;

	if (!op->req)
		return;
	if (!op->has_attr) {
		op_reply_err(op, EIO);
		return;
	}
	if (!(op->attr.mask & CSFTP_ATTR_MODE)) {
		op->attr.mask |= CSFTP_ATTR_MODE;
		op->attr.mode = op->node->type |
				(op->node->type == S_IFDIR ? 0700U : 0600U);
	}
	attr_to_stat(op->f, &op->attr, op->node, &st);
	fuse_reply_attr(op->req, &st, op->f->config.attr_timeout);
	op->req = NULL;
}

/* The new name is in node2 where there are two nodes, otherwise in node. */
static struct inode *entry_node(struct fuse_op *op)
{
	struct inode *parent = op->node2 ? op->node2 : op->node;

	return inodes_lookup(op->f->inodes, parent, op->name, strlen(op->name),
			     attr_type(&op->attr, S_IFREG));
}

void op_reply_entry(struct fuse_op *op)
{
	struct fuse_entry_param entry = {
		.attr_timeout = op->f->config.attr_timeout,
		.entry_timeout = op->f->config.entry_timeout,
	};
	struct inode *node;

	if (!op->req)
		return;
	node = op->has_attr ? entry_node(op) : NULL;
	if (!node) {
		op_reply_err(op, op->has_attr ? ENOMEM : EIO);
		return;
	}
	entry.ino = node->id;
	/* Of LINK: git checks that it got what it asked for. */
	if (op->linked) {
		node->number = op->node->number;
		node->linked = true;
		op->node->linked = true;
	}
	attr_to_stat(op->f, &op->attr, node, &entry.attr);
	/* Known but roughly, see ask_rough(). */
	if (op->attr.mask && !(op->attr.mask & TIMED))
		entry.attr_timeout = 0;
	/* A reply that the kernel did not take is no lookup. */
	if (fuse_reply_entry(op->req, &entry) < 0)
		inodes_forget(op->f->inodes, node, 1);
	op->req = NULL;
}

bool op_moved(struct fuse_op *op)
{
	size_t name_len = op->name ? strlen(op->name) : 0;

	if (inodes_path(op->f->inodes, op->f->config.root, op->node, op->name,
			op->path2) != 0 ||
	    strcmp(op->path, op->path2) == 0)
		return false;
	memcpy(op->path, op->path2, strlen(op->path2) + 1);
	if (op->name)
		op->name = op->path + strlen(op->path) - name_len;
	op->asked = 0;
	op->asks = 1;
	return true;
}
