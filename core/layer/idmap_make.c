#include <errno.h>
#include <string.h>

#include "core/layer/idmap_impl.h"

/*
 * What is made belongs to who logged in, and is given away afterwards: that is
 * one look, for its group, and one SETATTR.  Who asks for its attributes
 * meanwhile waits, to see its owner.
 *
 * OPEN with CREAT may find a file that is there already, which keeps its owner;
 * so the first try is to make it, and nothing else.
 */

#define OWNER (CSFTP_ATTR_UID | CSFTP_ATTR_GID)

static struct idmap *map_of(const struct idmap_job *job)
{
	return (struct idmap *)job->job.relay;
}

static void over(struct idmap_job *job, int err)
{
	struct idmap *map = map_of(job);
	struct idmap_job **at = &map->makes;

	while (*at != job)
		at = &(*at)->next_make;
	*at = job->next_make;
	while (job->held) {
		struct csftp_req *req = job->held;

		job->held = req->next;
		csftp_submit(&map->relay.fs, req);
	}
	relay_answer(&job->job, &(struct csftp_reply){.err = err,
						      .fh = err ? 0 : job->fh});
}

/* The handle, or the name itself. */
static void aim(struct idmap_job *job, enum csftp_op op,
		const struct csftp_attr *attr)
{
	const struct csftp_req *asked = job->job.asked;
	bool open = asked->op == CSFTP_OP_OPEN;

	job->job.req = (struct csftp_req){
		.op = op,
		.deadline_ms = asked->deadline_ms,
		.path = open ? NULL : asked->path,
		.fh = open ? job->fh : 0,
		.flags = asked->op == CSFTP_OP_SYMLINK ? CSFTP_NOFOLLOW : 0,
		.attr = attr,
	};
}

/* It is made, whoever it belongs to. */
static void given(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;
	struct idmap *map = map_of(job);

	if (reply->err && !map->keeps) {
		map->keeps = true;
		idmap_say(map, "the server does not let us give files away: "
			       "what is made belongs to who logged in");
	}
	over(job, 0);
}

static void looked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;
	const struct idmap_config *config = &map_of(job)->config;

	if (reply->err || !reply->attr ||
	    (reply->attr->mask & OWNER) != OWNER) {
		over(job, 0);
		return;
	}
	/* The directory's own group, handed on. */
	if (reply->attr->gid != config->login_gid)
		job->attr.gid = reply->attr->gid;
	aim(job, CSFTP_OP_SETATTR, &job->attr);
	relay_ask(&job->job, given);
}

static void made(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;

	if (reply->err) {
		over(job, reply->err);
		return;
	}
	job->fh = reply->fh;
	aim(job, CSFTP_OP_GETATTR, NULL);
	relay_ask(&job->job, looked);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;

	job->fh = reply->fh;
	over(job, reply->err);
}

static void tried(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap_job *job = (struct idmap_job *)req;

	if (reply->err != EEXIST || (job->job.asked->flags & CSFTP_OPEN_EXCL)) {
		made(req, reply);
		return;
	}
	job->job.req.flags = job->job.asked->flags;
	relay_ask(&job->job, opened);
}

/* Whom it would be given to; false: it stays as it is made. */
static bool owner_of(struct idmap *map, const struct csftp_req *req,
		     struct csftp_attr *owner)
{
	if (!map->config.gives_away || map->keeps || !req->attr ||
	    (req->attr->mask & OWNER) != OWNER ||
	    (req->op == CSFTP_OP_OPEN && !(req->flags & CSFTP_OPEN_CREAT)))
		return false;
	*owner = (struct csftp_attr){
		.mask = OWNER,
		.uid = req->attr->uid,
		.gid = req->attr->gid,
	};
	return idmap_set(map, owner) == 0 &&
	       (owner->uid != map->config.login_uid ||
		owner->gid != map->config.login_gid);
}

void idmap_make(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct csftp_attr owner;
	struct idmap_job *job;

	if (!owner_of(map, req, &owner)) {
		relay_pass(fs, req);
		return;
	}
	job = (struct idmap_job *)relay_take(&map->relay, req);
	if (!job)
		return;
	job->attr = owner;
	job->fh = 0;
	job->held = NULL;
	job->next_make = map->makes;
	map->makes = job;
	if (req->op == CSFTP_OP_OPEN)
		job->job.req.flags |= CSFTP_OPEN_EXCL;
	relay_ask(&job->job, req->op == CSFTP_OP_OPEN ? tried : made);
}

bool idmap_make_holds(struct idmap *map, struct csftp_req *req)
{
	struct idmap_job *job = map->makes;

	while (job && !(req->path && !strcmp(req->path, job->job.asked->path)))
		job = job->next_make;
	if (!job)
		return false;
	req->next = job->held;
	job->held = req;
	return true;
}

bool idmap_make_cancel(struct idmap *map, const struct csftp_req *req)
{
	struct idmap_job *job = map->makes;

	while (job && !relay_unlist(&job->held, req))
		job = job->next_make;
	return job != NULL;
}
