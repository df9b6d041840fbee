#include "core/layer/relay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void relay_release(struct relay *relay)
{
	assert(!relay->busy);
	while (relay->free) {
		struct relay_job *job = relay->free;

		relay->free = job->next;
		free(job);
	}
}

void relay_pass(struct csftp_fs *fs, struct csftp_req *req)
{
	csftp_submit(((struct relay *)fs)->under, req);
}

/* The one below, for a request of ours; a request that was passed is itself. */
static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay *relay = (struct relay *)fs;
	struct relay_job *job = relay->busy;

	while (job && job->asked != req)
		job = job->next;
	csftp_cancel(relay->under, job ? &job->req : req);
}

void relay_init(struct relay *relay, struct csftp_fs *under, size_t job_size,
		void (*usual)(struct csftp_fs *fs, struct csftp_req *req))
{
	*relay = (struct relay){
		.fs =
			{
				.ops = &relay->ops,
				.max_read = under->max_read,
				.max_write = under->max_write,
				.traits = under->traits,
			},
		.ops.cancel = cancel,
		.under = under,
		.job_size = job_size,
	};
	for (size_t i = 0; i < CSFTP_OP_COUNT; i++)
		relay->ops.op[i] = usual;
}

/* READDIR: names go to the asker with its own request. */
static bool entry(struct csftp_req *req, const struct csftp_entry *name)
{
	struct csftp_req *asked = ((struct relay_job *)req)->asked;

	return asked->entry(asked, name);
}

struct relay_job *relay_take(struct relay *relay, struct csftp_req *asked)
{
	struct relay_job *job = relay->free;

	if (job)
		relay->free = job->next;
	else
		job = calloc(1, relay->job_size);
	if (!job) {
		csftp_reply_err(asked, ENOMEM);
		return NULL;
	}
	job->req = *asked;
	job->req.entry = asked->entry ? entry : NULL;
	job->asked = asked;
	job->relay = relay;
	job->prev = NULL;
	job->next = relay->busy;
	if (relay->busy)
		relay->busy->prev = job;
	relay->busy = job;
	return job;
}

void relay_ask(struct relay_job *job,
	       void (*done)(struct csftp_req *req,
			    const struct csftp_reply *reply))
{
	job->req.done = done;
	csftp_submit(job->relay->under, &job->req);
}

bool relay_unlist(struct csftp_req **list, const struct csftp_req *req)
{
	while (*list && *list != req)
		list = &(*list)->next;
	if (!*list)
		return false;
	*list = req->next;
	return true;
}

bool relay_is_in(const char *path, const char *top)
{
	size_t len;

	if (!top)
		return true;
	len = strlen(top);
	while (len > 0 && top[len - 1] == '/')
		len--;
	return strncmp(path, top, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

void relay_answer(struct relay_job *job, const struct csftp_reply *reply)
{
	struct relay *relay = job->relay;

	if (job->prev)
		job->prev->next = job->next;
	else
		relay->busy = job->next;
	if (job->next)
		job->next->prev = job->prev;
	job->next = relay->free;
	relay->free = job;
	csftp_reply(job->asked, reply);
}

void relay_answer_err(struct relay_job *job, int err)
{
	relay_answer(job, &(struct csftp_reply){.err = err});
}
