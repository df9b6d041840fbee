#include "core/layer/quirk.h"

#include <errno.h>
#include <stdlib.h>

#include "core/layer/aside.h"
#include "core/layer/quirk_impl.h"

/*
 * In which order the paths of SYMLINK are taken.
 */

/* Names beside a link that are tried until one is free. */
#define TRIES 16U

bool quirk_is_sound(const struct quirk *quirk)
{
	return !quirk->config.sound || quirk->config.sound(quirk->config.arg);
}

void quirk_ask(struct quirk_job *job, struct csftp_req req, quirk_step *then)
{
	job->job.req = req;
	relay_ask(&job->job, then);
}

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (reply->err || quirk_of(job)->lstat != QUIRK_LSTAT_UNKNOWN)
		quirk_make_answer(job, reply);
	else
		quirk_lstat_check(job);
}

void quirk_wait(struct quirk *quirk, struct csftp_req *req)
{
	struct csftp_req **last = &quirk->waiting;

	while (*last)
		last = &(*last)->next;
	req->next = NULL;
	*last = req;
}

/* As many as wait by now: who is answered may ask anew, or cancel others. */
static void probe_end(struct quirk *quirk)
{
	size_t count = 0;

	quirk->probe = NULL;
	for (struct csftp_req *req = quirk->waiting; req; req = req->next)
		count++;
	while (quirk->waiting && count-- > 0) {
		struct csftp_req *req = quirk->waiting;

		quirk->waiting = req->next;
		csftp_submit(&quirk->relay.fs, req);
	}
}

static void pass_by_draft(struct quirk_job *job)
{
	job->job.req = *job->job.asked;
	job->job.req.flags |= CSFTP_BY_DRAFT;
	relay_ask(&job->job, answered);
}

/* What was asked for at first, and what has waited. */
static void go_on(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	struct quirk *quirk = quirk_of(job);

	(void)reply; /* nothing can be done about a link that stays */
	if (quirk->order == QUIRK_LINK_FIRST) {
		pass_by_draft(job);
	} else {
		job->job.req = *job->job.asked;
		relay_ask(&job->job, answered);
	}
	probe_end(quirk);
}

static void remove_it(struct quirk_job *job, const char *path)
{
	quirk_ask(job, (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = path},
		  go_on);
}

/* A server that shows no links at all is taken for one like most. */
static void looked_at_text(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	struct quirk *quirk = quirk_of(job);
	bool there = !reply->err;

	quirk->order = there ? QUIRK_LINK_FIRST : QUIRK_TEXT_FIRST;
	remove_it(job, there ? quirk->text : quirk->link);
}

static void looked_at_link(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	struct quirk *quirk = quirk_of(job);

	if (!reply->err) {
		quirk->order = QUIRK_TEXT_FIRST;
		remove_it(job, quirk->link);
		return;
	}
	quirk_ask(job,
		  (struct csftp_req){.op = CSFTP_OP_READLINK,
				     .path = quirk->text},
		  looked_at_text);
}

static bool name_both(struct quirk_job *job)
{
	struct quirk *quirk = quirk_of(job);
	const char *path = job->job.asked->path;

	return quirk->tries++ < TRIES &&
	       aside_name(quirk->link, path, ++quirk->number) &&
	       aside_name(quirk->text, path, ++quirk->number);
}

static void linked(struct csftp_req *req, const struct csftp_reply *reply);

static void make_one(struct quirk_job *job, int err)
{
	struct quirk *quirk = quirk_of(job);

	if (name_both(job)) {
		quirk_ask(job,
			  (struct csftp_req){.op = CSFTP_OP_SYMLINK,
					     .path = quirk->link,
					     .path2 = quirk->text},
			  linked);
		return;
	}
	quirk_make_answer(job, &(struct csftp_reply){.err = err});
	probe_end(quirk);
}

/* What forbids this one forbids the other one, which is not even tried. */
static void linked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	struct quirk *quirk = quirk_of(job);

	if (reply->err == EEXIST) {
		make_one(job, EEXIST);
	} else if (reply->err) {
		quirk_make_answer(job, reply);
		probe_end(quirk);
	} else {
		quirk_ask(job,
			  (struct csftp_req){.op = CSFTP_OP_READLINK,
					     .path = quirk->link},
			  looked_at_link);
	}
}

static void op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk *quirk = (struct quirk *)fs;
	struct quirk_job *job;

	if (quirk_is_sound(quirk) || (quirk->order == QUIRK_TEXT_FIRST &&
				      quirk->lstat != QUIRK_LSTAT_UNKNOWN)) {
		relay_pass(fs, req);
		return;
	}
	if (quirk->probe) {
		quirk_wait(quirk, req);
		return;
	}
	job = (struct quirk_job *)relay_take(&quirk->relay, req);
	if (!job)
		return;
	quirk_make_begin(job);
	if (quirk->order == QUIRK_LINK_FIRST) {
		pass_by_draft(job);
		return;
	}
	if (quirk->order == QUIRK_TEXT_FIRST) {
		relay_ask(&job->job, answered);
		return;
	}
	quirk->probe = job;
	quirk->tries = 0;
	make_one(job, ENAMETOOLONG);
}

/*
 * What a link has of its own, where it cannot be set (no
 * lsetstat@openssh.com).
 */

#define OWNERS (CSFTP_ATTR_UID | CSFTP_ATTR_GID)
#define TIMES                                                                  \
	(CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME | CSFTP_ATTR_ATIME_NOW |          \
	 CSFTP_ATTR_MTIME_NOW)

static bool has_owners(const struct csftp_attr *is,
		       const struct csftp_attr *set)
{
	return !(set->mask & OWNERS & ~is->mask) &&
	       (!(set->mask & CSFTP_ATTR_UID) || set->uid == is->uid) &&
	       (!(set->mask & CSFTP_ATTR_GID) || set->gid == is->gid);
}

static void compared(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct relay_job *job = (struct relay_job *)req;
	bool has = !reply->err && reply->attr &&
		   has_owners(reply->attr, job->asked->attr);

	relay_answer_err(job, has ? 0 : EOPNOTSUPP);
}

/* Of times rsync(1) -a knows ENOSYS, and does without. */
static void link_set(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	uint32_t mask = job->job.asked->attr->mask;

	if (reply->err != EOPNOTSUPP || !(mask & (OWNERS | TIMES)))
		relay_answer(&job->job, reply);
	else if (!(mask & ~TIMES))
		relay_answer_err(&job->job, ENOSYS);
	else if (mask & ~OWNERS)
		relay_answer(&job->job, reply);
	else
		quirk_ask(job,
			  (struct csftp_req){.op = CSFTP_OP_GETATTR,
					     .flags = CSFTP_NOFOLLOW,
					     .path = job->job.asked->path},
			  compared);
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk_job *job;

	if (!req->path || !(req->flags & CSFTP_NOFOLLOW)) {
		relay_pass(fs, req);
		return;
	}
	job = (struct quirk_job *)relay_take((struct relay *)fs, req);
	if (job)
		relay_ask(&job->job, link_set);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk *quirk = (struct quirk *)fs;

	if (relay_unlist(&quirk->waiting, req))
		csftp_reply_err(req, EINTR);
	else if (!quirk_mode_cancel(quirk, req) &&
		 (!quirk->probe || quirk->probe->job.asked != req))
		quirk->cancel(fs, req);
}

enum csftp_err quirk_new(struct csftp_fs **out,
			 const struct quirk_config *config)
{
	struct quirk *quirk;

	if (!config->under)
		return CSFTP_ERR_ARG;
	quirk = calloc(1, sizeof(*quirk));
	if (!quirk)
		return CSFTP_ERR_NOMEM;
	relay_init(&quirk->relay, config->under, sizeof(struct quirk_job),
		   relay_pass);
	quirk->config = *config;
	quirk->cancel = quirk->relay.ops.cancel;
	quirk->relay.ops.cancel = cancel;
	quirk->relay.ops.op[CSFTP_OP_SYMLINK] = op_symlink;
	quirk->relay.ops.op[CSFTP_OP_SETATTR] = op_setattr;
	quirk_mode_init(quirk);
	*out = &quirk->relay.fs;
	return CSFTP_OK;
}

void quirk_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
