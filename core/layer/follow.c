#include "core/layer/follow.h"

#include <errno.h>
#include <stdlib.h>

#include "core/layer/relay.h"

static void pass_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

/*
 * Where the link leads there is nothing; or there is no such name at all.  Of a
 * text that no path can be as long as, servers say what they like, but what
 * fails to be changed for such a reason is not the link.
 */
static bool leads_nowhere(const struct csftp_req *req, int err)
{
	if (err == ENOENT || err == ELOOP)
		return true;
	return req->op == CSFTP_OP_GETATTR &&
	       (err == ENAMETOOLONG || err == EINVAL || err == EIO ||
		err == ENOTDIR);
}

static void got_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;

	if (!leads_nowhere(req, reply->err)) {
		relay_answer(job, reply);
		return;
	}
	job->req.flags |= CSFTP_NOFOLLOW;
	relay_ask(job, pass_up);
}

static void op_attr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay_job *job;

	if (!req->path || !(req->flags & CSFTP_NOFOLLOW)) {
		relay_pass(fs, req);
		return;
	}
	job = relay_take((struct relay *)fs, req);
	if (!job)
		return;
	job->req.flags &= ~CSFTP_NOFOLLOW;
	relay_ask(job, got_attr);
}

static bool no_links(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct csftp_req *asked = ((struct relay_job *)req)->asked;
	struct csftp_entry shown = *entry;

	if ((entry->attr.mask & CSFTP_ATTR_MODE) &&
	    (entry->attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK)
		shown.attr = (struct csftp_attr){0};
	return asked->entry(asked, &shown);
}

static void op_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay_job *job = relay_take((struct relay *)fs, req);

	if (!job)
		return;
	job->req.entry = no_links;
	relay_ask(job, pass_up);
}

enum csftp_err follow_new(struct csftp_fs **out, struct csftp_fs *under)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return CSFTP_ERR_NOMEM;
	relay_init(relay, under, sizeof(struct relay_job), relay_pass);
	relay->ops.op[CSFTP_OP_GETATTR] = op_attr;
	relay->ops.op[CSFTP_OP_SETATTR] = op_attr;
	relay->ops.op[CSFTP_OP_READDIR] = op_readdir;
	*out = &relay->fs;
	return CSFTP_OK;
}

void follow_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
