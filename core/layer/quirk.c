#include "core/layer/quirk.h"

#include <errno.h>
#include <stddef.h>
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

bool quirk_is_lost(const struct quirk *quirk, int err)
{
	return err == ENOTCONN || err == ETIMEDOUT || err == EINTR ||
	       err == ENOMEM ||
	       (err && quirk->config.up &&
		!quirk->config.up(quirk->config.arg));
}

void quirk_ask(struct quirk_job *job, struct csftp_req req, quirk_step *then)
{
	job->job.req = req;
	relay_ask(&job->job, then);
}

/*
 * The probe is nobody's: who asked for it waits for its end like all others,
 * and may have gone by then.
 */

static struct quirk *quirk_of_probe(struct csftp_req *req)
{
	return (struct quirk *)((char *)req - offsetof(struct quirk, probe));
}

static void probe_ask(struct quirk *quirk, enum csftp_op op, const char *path,
		      const char *path2, quirk_step *then)
{
	quirk->probe = (struct csftp_req){
		.op = op, .done = then, .path = path, .path2 = path2};
	csftp_submit(quirk->relay.under, &quirk->probe);
}

void quirk_wait(struct quirk *quirk, struct csftp_req *req)
{
	struct csftp_req **last = &quirk->waiting;

	while (*last)
		last = &(*last)->next;
	req->next = NULL;
	*last = req;
}

static void probe_begin(struct quirk *quirk, struct csftp_req *asked);

static bool is_unknown(const struct quirk *quirk)
{
	return quirk->order == QUIRK_ORDER_UNKNOWN && !quirk_is_sound(quirk);
}

/* Those that wait, in their order, until one of them wants a probe. */
static void go_on(struct quirk *quirk)
{
	if (quirk->going_on)
		return;
	quirk->going_on = true;
	while (quirk->waiting && !quirk->probing) {
		struct csftp_req *req = quirk->waiting;

		if (req->op == CSFTP_OP_SYMLINK && is_unknown(quirk)) {
			probe_begin(quirk, req);
		} else {
			quirk->waiting = req->next;
			csftp_submit(&quirk->relay.fs, req);
		}
	}
	quirk->going_on = false;
}

/* Who asked for it is told of an error, if he still waits. */
static void probe_end(struct quirk *quirk, int err)
{
	struct csftp_req *asked = quirk->asked;

	quirk->probing = false;
	quirk->asked = NULL;
	if (err && asked && relay_unlist(&quirk->waiting, asked))
		csftp_reply_err(asked, err);
	go_on(quirk);
}

/* Nothing can be done about a link that stays, but for another time. */
static void removed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk *quirk = quirk_of_probe(req);

	if (!quirk_is_lost(quirk, reply->err))
		quirk->left = QUIRK_LEFT_NONE;
	probe_end(quirk, 0);
}

static void remove_it(struct quirk *quirk)
{
	probe_ask(quirk, CSFTP_OP_UNLINK,
		  quirk->order == QUIRK_LINK_FIRST ? quirk->text : quirk->link,
		  NULL, removed);
}

static void make_one(struct quirk *quirk, const char *path, int err);

/* A server that shows no links at all is taken for one like most. */
static void looked_at_text(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct quirk *quirk = quirk_of_probe(req);

	if (quirk_is_lost(quirk, reply->err)) {
		probe_end(quirk, reply->err);
	} else if (reply->err && quirk->left == QUIRK_LEFT_PERHAPS) {
		quirk->left = QUIRK_LEFT_NONE;
		if (quirk->asked)
			make_one(quirk, quirk->asked->path, ENAMETOOLONG);
		else
			probe_end(quirk, 0);
	} else {
		quirk->order = reply->err ? QUIRK_TEXT_FIRST : QUIRK_LINK_FIRST;
		remove_it(quirk);
	}
}

static void looked_at_link(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct quirk *quirk = quirk_of_probe(req);

	if (!reply->err) {
		quirk->order = QUIRK_TEXT_FIRST;
		remove_it(quirk);
	} else if (quirk_is_lost(quirk, reply->err)) {
		probe_end(quirk, reply->err);
	} else {
		probe_ask(quirk, CSFTP_OP_READLINK, quirk->text, NULL,
			  looked_at_text);
	}
}

static void look(struct quirk *quirk)
{
	probe_ask(quirk, CSFTP_OP_READLINK, quirk->link, NULL, looked_at_link);
}

/* What forbids this one forbids the other one, which is not even tried. */
static void linked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct quirk *quirk = quirk_of_probe(req);

	if (reply->err == EEXIST) {
		make_one(quirk, quirk->text, EEXIST);
	} else if (reply->err) {
		if (quirk_is_lost(quirk, reply->err))
			quirk->left = QUIRK_LEFT_PERHAPS;
		probe_end(quirk, reply->err);
	} else {
		quirk->left = QUIRK_LEFT_LINK;
		look(quirk);
	}
}

/* Beside a path, under names that are free. */
static void make_one(struct quirk *quirk, const char *path, int err)
{
	if (quirk->tries++ < TRIES &&
	    aside_name(quirk->link, path, ++quirk->number) &&
	    aside_name(quirk->text, quirk->link, ++quirk->number))
		probe_ask(quirk, CSFTP_OP_SYMLINK, quirk->link, quirk->text,
			  linked);
	else
		probe_end(quirk, err);
}

/* An earlier one that came to no end goes on where it was. */
static void probe_begin(struct quirk *quirk, struct csftp_req *asked)
{
	quirk->probing = true;
	quirk->asked = asked;
	quirk->tries = 0;
	if (quirk->left == QUIRK_LEFT_NONE)
		make_one(quirk, asked->path, ENAMETOOLONG);
	else if (quirk->order == QUIRK_ORDER_UNKNOWN)
		look(quirk);
	else
		remove_it(quirk);
}

static void linked_as_asked(struct csftp_req *req,
			    const struct csftp_reply *reply)
{
	struct quirk_job *job = (struct quirk_job *)req;

	if (reply->err || quirk_of(job)->lstat != QUIRK_LSTAT_UNKNOWN)
		quirk_make_answer(job, reply);
	else
		quirk_lstat_check(job);
}

static void link_it(struct quirk *quirk, struct csftp_req *req)
{
	struct quirk_job *job =
		(struct quirk_job *)relay_take(&quirk->relay, req);

	if (!job)
		return;
	quirk_make_begin(job);
	if (quirk->order == QUIRK_LINK_FIRST)
		job->job.req.flags |= CSFTP_BY_DRAFT;
	relay_ask(&job->job, linked_as_asked);
}

static void op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct quirk *quirk = (struct quirk *)fs;
	bool sound = quirk_is_sound(quirk);

	if (quirk->probing || is_unknown(quirk)) {
		quirk_wait(quirk, req);
		go_on(quirk);
	} else if (!sound && quirk->left != QUIRK_LEFT_NONE &&
		   !quirk->going_on) {
		quirk_wait(quirk, req);
		probe_begin(quirk, req);
	} else if (sound || (quirk->order == QUIRK_TEXT_FIRST &&
			     quirk->lstat != QUIRK_LSTAT_UNKNOWN)) {
		relay_pass(fs, req);
	} else {
		link_it(quirk, req);
	}
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

	if (relay_unlist(&quirk->waiting, req)) {
		if (req == quirk->asked)
			quirk->asked = NULL;
		csftp_reply_err(req, EINTR);
	} else if (!quirk_mode_cancel(quirk, req)) {
		quirk->cancel(fs, req);
	}
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

uint32_t quirk_pending(const struct csftp_fs *fs)
{
	return ((const struct quirk *)fs)->probing;
}
