#include "csftp/fs.h"

#include <errno.h>

void csftp_submit(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct csftp_fs_ops *ops = fs->ops;

	if ((unsigned)req->op >= CSFTP_OP_COUNT)
		csftp_reply_err(req, EOPNOTSUPP);
	else if (ops->op[req->op])
		ops->op[req->op](fs, req);
	else if (ops->rest)
		ops->rest(fs, req);
	else
		csftp_reply_err(req, EOPNOTSUPP);
}

void csftp_cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	if (fs->ops->cancel)
		fs->ops->cancel(fs, req);
}

const char *csftp_op_name(enum csftp_op op)
{
	static const char *const names[CSFTP_OP_COUNT] = {
		[CSFTP_OP_GETATTR] = "getattr",
		[CSFTP_OP_SETATTR] = "setattr",
		[CSFTP_OP_READLINK] = "readlink",
		[CSFTP_OP_REALPATH] = "realpath",
		[CSFTP_OP_MKDIR] = "mkdir",
		[CSFTP_OP_RMDIR] = "rmdir",
		[CSFTP_OP_UNLINK] = "unlink",
		[CSFTP_OP_SYMLINK] = "symlink",
		[CSFTP_OP_LINK] = "link",
		[CSFTP_OP_RENAME] = "rename",
		[CSFTP_OP_OPEN] = "open",
		[CSFTP_OP_READ] = "read",
		[CSFTP_OP_WRITE] = "write",
		[CSFTP_OP_FSYNC] = "fsync",
		[CSFTP_OP_CLOSE] = "release",
		[CSFTP_OP_OPENDIR] = "opendir",
		[CSFTP_OP_READDIR] = "readdir",
		[CSFTP_OP_STATFS] = "statfs",
		[CSFTP_OP_COPY_RANGE] = "copy_file_range",
		[CSFTP_OP_HOMEDIR] = "home-directory",
		[CSFTP_OP_IDNAME] = "users-groups-by-id",
		[CSFTP_OP_FLUSH] = "flush",
	};

	return (unsigned)op < CSFTP_OP_COUNT ? names[op] : "?";
}

void csftp_reply(struct csftp_req *req, const struct csftp_reply *reply)
{
	req->done(req, reply);
}

void csftp_reply_err(struct csftp_req *req, int err)
{
	csftp_reply(req, &(struct csftp_reply){.err = err});
}

void csftp_reply_fh(struct csftp_req *req, csftp_fh fh)
{
	csftp_reply(req, &(struct csftp_reply){.fh = fh});
}

void csftp_reply_attr(struct csftp_req *req, const struct csftp_attr *attr)
{
	csftp_reply(req, &(struct csftp_reply){.attr = attr});
}

void csftp_reply_text(struct csftp_req *req, const void *text, size_t len)
{
	csftp_reply(req, &(struct csftp_reply){.text = {text, len}});
}
