#include "core/layer/quirk_impl.h"

/*
 * Whether LSTAT tells of links themselves.
 */

static bool is_link(const struct csftp_attr *attr)
{
	return (attr->mask & CSFTP_ATTR_MODE) &&
	       (attr->mode & CSFTP_S_IFMT) == CSFTP_S_IFLNK;
}

/* A link that leads nowhere says nothing: there is nothing else to tell of. */
static void has_followed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (!reply->err && reply->attr && !is_link(reply->attr))
		quirk_of(job)->lstat = QUIRK_LSTAT_OF_LINK;
	quirk_make_answer(job, &(struct csftp_reply){.err = 0});
}

static void has_looked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (reply->err || !reply->attr ||
	    !(reply->attr->mask & CSFTP_ATTR_MODE)) {
		quirk_make_answer(job, &(struct csftp_reply){.err = 0});
		return;
	}
	if (!is_link(reply->attr)) {
		quirk_of(job)->lstat = QUIRK_LSTAT_LEADS;
		quirk_make_answer(job, &(struct csftp_reply){.err = 0});
		return;
	}
	quirk_ask(job,
		  (struct csftp_req){.op = CSFTP_OP_GETATTR,
				     .path = job->job.asked->path},
		  has_followed);
}

void quirk_lstat_check(struct quirk_job *job)
{
	quirk_ask(job,
		  (struct csftp_req){.op = CSFTP_OP_GETATTR,
				     .flags = CSFTP_NOFOLLOW,
				     .path = job->job.asked->path},
		  has_looked);
}

static void has_text(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (quirk_is_lost(quirk_of(job), reply->err)) {
		relay_answer(&job->job, reply);
		return;
	}
	if (!reply->err) {
		job->attr.mode = CSFTP_S_IFLNK | 0777U;
		job->attr.size = reply->text.len;
	}
	relay_answer(&job->job, &(struct csftp_reply){.attr = &job->attr});
}

static void has_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (reply->err || !reply->attr || is_link(reply->attr)) {
		relay_answer(&job->job, reply);
		return;
	}
	job->attr = *reply->attr;
	quirk_ask(job,
		  (struct csftp_req){.op = CSFTP_OP_READLINK,
				     .path = job->job.asked->path},
		  has_text);
}

void quirk_lstat(struct quirk *quirk, struct csftp_req *req)
{
	struct quirk_job *job;

	if (quirk->lstat != QUIRK_LSTAT_LEADS || !req->path ||
	    !(req->flags & CSFTP_NOFOLLOW)) {
		relay_pass(&quirk->relay.fs, req);
		return;
	}
	job = (struct quirk_job *)relay_take(&quirk->relay, req);
	if (job)
		relay_ask(&job->job, has_attr);
}
