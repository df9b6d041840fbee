#include <errno.h>
#include <string.h>

#include "core/layer/quirk_impl.h"

/*
 * Whether what is made has the mode that it was to have.
 */

#define RIGHTS	 0777U
#define OF_OWNER 0700U

static struct quirk_made *made_of(struct quirk *quirk,
				  const struct csftp_req *req)
{
	return &quirk->made[req->op == CSFTP_OP_MKDIR];
}

static uint32_t rights_of(const struct csftp_req *req)
{
	return req->attr->mode & RIGHTS;
}

/* A server's own umask takes rights away, but adds none, nor the owner's. */
static void judge(struct quirk_made *made, uint32_t asked, uint32_t given)
{
	if ((given & ~asked) || (asked & OF_OWNER & ~given)) {
		made->modes = QUIRK_MODES_LOST;
		made->given = given;
	} else if (!made->seen) {
		made->seen = true;
		made->asked = asked;
		made->given = given;
	} else if (made->asked != asked && made->given != given) {
		made->modes = QUIRK_MODES_KEPT;
	}
}

/* Whether there is something to find out, or to be done. */
static bool is_needed(struct quirk *quirk, const struct csftp_req *req)
{
	const struct quirk_made *made = made_of(quirk, req);

	if (made->modes == QUIRK_MODES_KEPT || !req->attr ||
	    !(req->attr->mask & CSFTP_ATTR_MODE) || quirk_is_sound(quirk))
		return false;
	if (made->modes == QUIRK_MODES_LOST)
		return made->given != rights_of(req);
	return !made->seen || made->asked != rights_of(req);
}

static struct quirk_job *make_of(const struct quirk *quirk, const char *path)
{
	struct quirk_job *job = quirk->makes;

	while (job && strcmp(job->job.asked->path, path) != 0)
		job = job->next_make;
	return job;
}

void quirk_make_begin(struct quirk_job *job)
{
	struct quirk *quirk = quirk_of(job);

	job->asking = NULL;
	job->next_make = quirk->makes;
	quirk->makes = job;
}

static void make_end(struct quirk *quirk, struct quirk_job *job)
{
	struct quirk_job **at = &quirk->makes;
	struct csftp_req **last = &quirk->ready;

	while (*at != job)
		at = &(*at)->next_make;
	*at = job->next_make;
	while (*last)
		last = &(*last)->next;
	*last = job->asking;
	job->asking = NULL;
}

void quirk_make_answer(struct quirk_job *job, const struct csftp_reply *reply)
{
	struct quirk *quirk = quirk_of(job);

	make_end(quirk, job);
	relay_answer(&job->job, reply);
	/* One by one, as whoever is answered may cancel others. */
	while (quirk->ready) {
		struct csftp_req *req = quirk->ready;

		quirk->ready = req->next;
		quirk_lstat(quirk, req);
	}
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	quirk_make_answer((struct quirk_job *)req, reply);
}

/* It is there, whatever mode it has. */
static void has_mode(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (reply->err && !quirk_is_lost(quirk_of(job), reply->err))
		made_of(quirk_of(job), job->job.asked)->modes =
			QUIRK_MODES_KEPT;
	quirk_make_answer(job, &(struct csftp_reply){.fh = job->fh});
}

/* About what was made: a file by its handle. */
static void ask_of_it(struct quirk_job *job, enum csftp_op op, quirk_step *then)
{
	const struct csftp_req *asked = job->job.asked;
	bool dir = asked->op == CSFTP_OP_MKDIR;

	quirk_ask(job,
		  (struct csftp_req){
			  .op = op,
			  .flags = dir && op == CSFTP_OP_GETATTR
					   ? CSFTP_NOFOLLOW
					   : 0,
			  .path = dir ? asked->path : NULL,
			  .attr = op == CSFTP_OP_SETATTR ? &job->attr : NULL,
			  .fh = job->fh,
		  },
		  then);
}

static void give_mode(struct quirk_job *job)
{
	job->attr = (struct csftp_attr){
		.mask = CSFTP_ATTR_MODE,
		.mode = job->job.asked->attr->mode & 07777U,
	};
	ask_of_it(job, CSFTP_OP_SETATTR, has_mode);
}

static void looked_at(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	const struct csftp_req *asked = job->job.asked;
	struct quirk_made *made = made_of(quirk_of(job), asked);

	if (!reply->err && reply->attr && (reply->attr->mask & CSFTP_ATTR_MODE))
		judge(made, rights_of(asked), reply->attr->mode & RIGHTS);
	if (made->modes == QUIRK_MODES_LOST && made->given != rights_of(asked))
		give_mode(job);
	else
		quirk_make_answer(job, &(struct csftp_reply){.fh = job->fh});
}

/* It is there, or EXCL, which nobody asked for, is what is refused. */
static bool is_for_excl(const struct csftp_req *asked, int err)
{
	return asked->op == CSFTP_OP_OPEN &&
	       !(asked->flags & CSFTP_OPEN_EXCL) &&
	       (err == EEXIST || err == EOPNOTSUPP || err == EINVAL ||
		err == EIO);
}

static void made(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;
	const struct csftp_req *asked = job->job.asked;

	if (is_for_excl(asked, reply->err)) {
		job->job.req = *asked;
		relay_ask(&job->job, opened);
		return;
	}
	if (reply->err) {
		quirk_make_answer(job, reply);
		return;
	}
	job->fh = reply->fh;
	if (made_of(quirk_of(job), asked)->modes == QUIRK_MODES_LOST)
		give_mode(job);
	else
		ask_of_it(job, CSFTP_OP_GETATTR, looked_at);
}

static void op_make(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk *quirk = (struct quirk *)fs;
	bool makes =
		req->op == CSFTP_OP_MKDIR || (req->flags & CSFTP_OPEN_CREAT);
	struct quirk_job *job;

	if (!makes || !is_needed(quirk, req)) {
		relay_pass(fs, req);
		return;
	}
	job = (struct quirk_job *)relay_take(&quirk->relay, req);
	if (!job)
		return;
	quirk_make_begin(job);
	job->fh = 0;
	/* What is there has a mode already. */
	if (req->op == CSFTP_OP_OPEN)
		job->job.req.flags |= CSFTP_OPEN_EXCL;
	relay_ask(&job->job, made);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk *quirk = (struct quirk *)fs;
	struct quirk_job *job = req->path ? make_of(quirk, req->path) : NULL;

	/* It may be about a link that is to be made. */
	if (req->path && quirk->probing) {
		quirk_wait(quirk, req);
		return;
	}
	if (!job) {
		quirk_lstat(quirk, req);
		return;
	}
	req->next = job->asking;
	job->asking = req;
}

bool quirk_mode_cancel(struct quirk *quirk, struct csftp_req *req)
{
	bool waited = relay_unlist(&quirk->ready, req);

	for (struct quirk_job *job = quirk->makes; job && !waited;
	     job = job->next_make)
		waited = relay_unlist(&job->asking, req);
	if (waited)
		csftp_reply_err(req, EINTR);
	return waited;
}

void quirk_mode_init(struct quirk *quirk)
{
	struct csftp_fs_ops *ops = &quirk->relay.ops;

	ops->op[CSFTP_OP_OPEN] = op_make;
	ops->op[CSFTP_OP_MKDIR] = op_make;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
}
